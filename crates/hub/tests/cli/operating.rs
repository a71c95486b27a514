//! What whoever runs the hub gives it: a certificate, a collector of traces.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    sync::mpsc,
};

use rcgen::{CertificateParams, KeyPair, SanType};

use crate::world::World;

#[test]
fn with_a_certificate_the_command_line_and_everybody_else_comes_by_tls() {
    let mut world = World::empty();
    let key = KeyPair::generate().unwrap();
    let mut wanted = CertificateParams::new(vec!["localhost".into()]).unwrap();
    wanted.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    world.write("chain.pem", wanted.self_signed(&key).unwrap().pem());
    let key = world.write("key.pem", key.serialize_pem());
    world.run(&["init", "data", "--operator", "ada", "--ca", "chain.pem"]).well();
    let serve = ["serve", "--data", "data", "--tls-cert", "chain.pem", "--tls-key", "key.pem"];
    world.run(&serve).refused(2, "tls-key-open", "key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    world.start_hub_with("data", &serve[3..], &[]);
    assert!(world.url().starts_with("https://"), "{}", world.url());
    world.run(&["status"]).well();
    // Whoever does not know the certificate does not talk to whoever shows it.
    let profile = fs::read_to_string(world.path("profile.toml")).unwrap();
    let stranger: String =
        profile.lines().filter(|line| !line.starts_with("ca = ")).map(|l| format!("{l}\n")).collect();
    let stranger = world.write("stranger.toml", stranger);
    fs::set_permissions(&stranger, fs::Permissions::from_mode(0o600)).unwrap();
    world.run(&["status", "--profile", &stranger]).refused(3, "hub-unreachable", "ertificate");
}

/// A collector: takes what is sent and says nothing.
fn collector() -> (String, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (took, taken) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                let lower = line.to_ascii_lowercase();
                length = lower.strip_prefix("content-length:").map_or(length, |n| n.trim().parse().unwrap());
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            if took.send(body).is_err() {
                return;
            }
        }
    });
    (address, taken)
}

/// Asks whether the hub is there, as a part of a trace.
fn ask_as_part_of(world: &World, parent: &str) {
    let url = world.url();
    let host = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "GET /healthz HTTP/1.1\r\nHost: {host}\r\ntraceparent: {parent}\r\ntracestate: vendor=Costa\r\n\
         Connection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
}

#[test]
fn traces_go_to_the_collector_and_name_nobody() {
    let mut world = World::with_acme();
    let (address, taken) = collector();
    world.kill_hub();
    world.start_hub_with("data", &[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &address)]);
    world.run(&["import", "hr", "acme/hr.csv"]).well();
    world.run(&["status", "--wait", "60"]).well();
    world.run(&["identity", "show", "hr/1042"]).well();
    // A trace goes on that is named to the letter, also where whoever asks would have nothing written down of it.
    let (right, wrong) = (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128, 0xabcd_ef35_77b3_4da6_u128);
    ask_as_part_of(&world, &format!("00-{right:032x}-00f067aa0ba902b7-00"));
    ask_as_part_of(&world, &format!("00-{wrong:032X}-00f067aa0ba902b7-01"));
    world.stop_hub();
    let sent: Vec<u8> = taken.try_iter().flatten().collect();
    let has = |text: &str| sent.windows(text.len()).any(|part| part == text.as_bytes());
    for expected in
        ["bailiwick", "request", "/api/v1/identities/{identity}", "decide", "apply", "call", "verify", "evt_"]
    {
        assert!(has(expected), "no `{expected}` in {} bytes", sent.len());
    }
    let part_of = |trace: u128| sent.windows(16).any(|part| part == trace.to_be_bytes());
    assert!(part_of(right) && !part_of(wrong));
    let token = fs::read_to_string(world.path("profile.toml")).unwrap();
    let token =
        token.lines().find_map(|line| line.strip_prefix("token = ")).unwrap().trim_matches('"').to_owned();
    for secret in [token.as_str(), "lab-chat-write", "hr/1042", "acme.example", "Costa"] {
        assert!(!has(secret), "`{secret}` was sent");
    }
    world.run(&["serve", "--data", "nowhere"]).refused(2, "no-data-folder", "nowhere");
}

#[test]
fn the_log_names_nobody_and_holds_no_secret() {
    let mut world = World::with_acme();
    world.kill_hub();
    let log = world.path("hub.log");
    let address = world.url();
    let listen = address.trim_start_matches("http://");
    let mut serve = world.command(&["serve", "--data", "data", "--listen", listen]);
    serve
        .env("BAILIWICK_LOG", "info")
        .env("BAILIWICK_LOG_FORMAT", "json")
        .stderr(fs::File::create(&log).unwrap());
    let mut hub = serve.spawn().unwrap();
    // It answers as soon as it listens.
    while world.run(&["status"]).code != 0 {
        assert!(hub.try_wait().unwrap().is_none(), "the hub ended: {}", fs::read_to_string(&log).unwrap());
    }
    world.run(&["import", "hr", "acme/hr.csv"]).well();
    // What goes wrong is told in words.
    world.kill_lab();
    world.run(&["import", "hr", "acme/feeds/day-2.csv"]);
    world.run(&["identity", "show", "hr/1042"]).well();
    world.run(&["reconcile", "chat"]);
    world.run(&["status", "--wait", "10"]).well();
    hub.kill().unwrap();
    hub.wait().unwrap();
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("a request failed"), "it had nothing to say: {said}");
    let token = fs::read_to_string(world.path("profile.toml")).unwrap();
    let token =
        token.lines().find_map(|line| line.strip_prefix("token = ")).unwrap().trim_matches('"').to_owned();
    for secret in
        [token.as_str(), "lab-chat-write", "lab-chat-verify", "hr/1042", "acme.example\"", "@acme", "Costa"]
    {
        assert!(!said.contains(secret), "`{secret}` is in the log: {said}");
    }
}
