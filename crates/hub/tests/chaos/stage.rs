//! Where a round is played: a network of namespaces, one PostgreSQL, the systems.
//!
//! All of it lies in a network, mount and process namespace of its own, which ends with the test however that ends, and
//! takes everything with it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use bailiwick_lab::Lab;
use bailiwick_store::testkit::postgres::Reachable;

use crate::{
    company::systems,
    script::{NODES, SYSTEMS},
};

/// Says that the test is inside of its namespaces.
pub const INSIDE: &str = "--inside";
/// The port of every hub.
pub const HUB_PORT: u16 = 7460;
const LAB_PORT: u16 = 7461;
/// The network that all of it is in.
pub const NETWORK: &str = "10.77.0.0/24";

/// The address of the database.
pub const STORE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 5);

/// The address of a system.
pub fn system(nth: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, 21 + nth as u8)
}

/// The address of a node.
pub fn node(nth: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, 11 + nth as u8)
}

/// The namespace of a node.
pub fn namespace(nth: usize) -> String {
    format!("n{nth}")
}

/// Plays this program again in namespaces of its own; gives how it ended.
pub fn enter(arguments: &[String]) -> ExitCode {
    let program = std::env::current_exe().unwrap();
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]);
    match unshare.arg(program).arg(INSIDE).args(arguments).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => panic!("`unshare` (util-linux) does not start: {error}"),
    }
}

/// Runs a program that has to succeed.
pub fn run(line: &str) {
    let mut words = line.split(' ');
    let program = words.next().unwrap_or_default();
    let done = Command::new(program).args(words).stdin(Stdio::null()).output();
    let done = done.unwrap_or_else(|error| panic!("`{program}` does not start: {error}"));
    assert!(done.status.success(), "$ {line}\n{}", String::from_utf8_lossy(&done.stderr));
}

/// Makes the network, in which nobody is yet.
pub fn network() {
    run("mount -t tmpfs tmpfs /tmp");
    std::fs::create_dir_all("/run/netns").unwrap();
    run("mount -t tmpfs tmpfs /run/netns");
    run("chmod 1777 /tmp");
    run("ip link set lo up");
    run("ip link add br0 type bridge");
    run(&format!("ip addr add {STORE}/24 dev br0"));
    for nth in 0..SYSTEMS.len() {
        run(&format!("ip addr add {}/24 dev br0", system(nth)));
    }
    run("ip link set br0 up");
    for nth in 0..NODES {
        let (space, address) = (namespace(nth), node(nth));
        run(&format!("ip netns add {space}"));
        run(&format!("ip link add v{nth} type veth peer name eth0 netns {space}"));
        run(&format!("ip link set v{nth} master br0 up"));
        run(&format!("ip -n {space} addr add {address}/24 dev eth0"));
        run(&format!("ip -n {space} link set eth0 up"));
        run(&format!("ip -n {space} link set lo up"));
    }
}

/// Serves the systems at their addresses until what it gives is dropped.
pub async fn serve(lab: &Lab) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for nth in 0..SYSTEMS.len() {
        let listener =
            tokio::net::TcpListener::bind(SocketAddr::from((system(nth), LAB_PORT))).await.unwrap();
        let router = lab.router();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    }
    tasks
}

/// The database server of all rounds.
pub fn postgres() -> Option<Reachable> {
    Reachable::start(&STORE.to_string())
}

/// Writes the configuration into a folder, for systems at their addresses.
pub fn configuration(folder: &Path) -> PathBuf {
    let place = |(nth, name): (usize, &&'static str)| (*name, format!("{}:{LAB_PORT}", system(nth)));
    let places: Vec<_> = SYSTEMS.iter().enumerate().map(place).collect();
    systems::configuration(folder, &places, Some(NETWORK))
}

/// What is missing on this machine, and how to get it.
pub fn missing() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    if !std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
        return Some("namespaces need root: run it as root".into());
    }
    let there = |program: &str| Command::new(program).arg("-V").stdout(Stdio::null()).status().is_ok();
    if !there("ip") {
        return Some("`ip` is not installed: install it (Debian: `apt install iproute2`)".into());
    }
    if crate::nodes::faketime().is_none() {
        return Some("libfaketime is not installed: install it (Debian: `apt install libfaketime`)".into());
    }
    None
}
