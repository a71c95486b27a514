//! Where a round is played: a network of namespaces, one PostgreSQL, the systems.
//!
//! All of it lies in a network, mount and process namespace of its own, which ends with the test however that ends, and
//! takes everything with it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::Arc,
};

use bailiwick_core::time::Timestamp;
use bailiwick_lab::{Lab, LabClock, Seed, SeedGroup, SystemSpec, Tokens};
use bailiwick_store::testkit::postgres::Reachable;

use crate::script::{DEPARTMENTS, NODES, SYSTEMS};

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

struct Hands;

impl LabClock for Hands {
    #[expect(clippy::disallowed_methods, reason = "the systems have the real clock, which no fault touches")]
    fn now_ms(&self) -> i64 {
        Timestamp::now().as_millisecond()
    }
}

/// The tokens of a system's integration.
pub fn tokens(system: &str) -> Tokens {
    Tokens { write: format!("lab-{system}-write"), read: format!("lab-{system}-verify") }
}

/// The systems of a round, with their groups and nobody in them.
pub fn lab(seed: u64) -> Lab {
    let spec = |name: &&str| SystemSpec::new(*name, seed, tokens(name));
    let lab = Lab::new(Arc::new(Hands), SYSTEMS.iter().map(spec).collect()).unwrap();
    for system in SYSTEMS {
        let names = DEPARTMENTS.iter().chain(&["Staff", "Sales", "Support"]).chain(&["Workspace admins"]);
        let group = |name: &&str| SeedGroup { name: (*name).to_owned(), ..SeedGroup::default() };
        lab.seed(system, &Seed { groups: names.map(group).collect(), ..Seed::default() }).unwrap();
    }
    lab
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

/// Writes the configuration into a folder: that of the example company, with two systems, and people of its own.
pub fn configuration(folder: &Path) -> PathBuf {
    const ACME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/acme");
    let to = folder.join("config");
    std::fs::create_dir_all(&to).unwrap();
    for (nth, name) in SYSTEMS.iter().enumerate() {
        let text = std::fs::read_to_string(format!("{ACME}/{name}.toml")).unwrap();
        let text = text.replace("127.0.0.1:7461", &format!("{}:{LAB_PORT}", system(nth)));
        let settings = format!("[integration.{name}.settings]\n");
        let reach = format!("{settings}allow_plaintext = true\nnetworks = [\"{NETWORK}\"]\n");
        // As much as there is, at once.
        let text =
            text.replace(&settings, &reach).replace("writes_per_minute = 6000", "writes_per_minute = 60000");
        std::fs::write(to.join(format!("{name}.toml")), text).unwrap();
    }
    let hr = std::fs::read_to_string(format!("{ACME}/hr.toml")).unwrap();
    let hr = hr
        .replace("min_rows = 400", "min_rows = 1")
        .replace("max_loss_percent = 10", "max_loss_percent = 100")
        .replace("max_change_percent = 30", "max_change_percent = 100");
    std::fs::write(to.join("hr.toml"), hr).unwrap();
    std::fs::write(to.join("rules.cedar"), include_str!("rules.cedar")).unwrap();
    to
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
