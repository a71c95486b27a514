//! The program itself, in a process of its own, as an operator starts it.
//!
//! Absent: building it. Who runs the table has it built with the same features as the table (`main.rs`), so that
//! nothing is compiled twice.

use std::{
    fs,
    io::{BufRead, BufReader, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::measure::{Process, Watch};

/// How long it may be busy.
const PATIENCE: Duration = Duration::from_secs(45 * 60);

/// A running hub; it ends with this.
pub struct Hub {
    child: Child,
    folder: PathBuf,
    /// Where it listens.
    pub address: String,
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Hub {
    /// Makes a new hub in a folder and starts it.
    pub fn start(folder: &Path) -> Self {
        Self::on(folder, None)
    }

    /// The same on a store, if it is not to be a file in the folder.
    pub fn on(folder: &Path, store: Option<&str>) -> Self {
        let init = ["init", "data", "--operator", "ada", "--origin", "bench.test/log"];
        run(folder, &[&init[..], &at(store)].concat());
        let hub = Self::node(folder, "data", store);
        let profile = fs::read_to_string(folder.join("profile.toml")).unwrap();
        fs::write(folder.join("profile.toml"), profile.replace("127.0.0.1:7460", &hub.address)).unwrap();
        hub
    }

    /// One more node of this hub, in a folder of its own beside it.
    pub fn beside(&self, data: &str, store: &str) -> Self {
        let keys = ["--key", "data/key", "--log-key", "data/log-key"];
        self.run(&[&["join", data, "--store", store][..], &keys].concat());
        Self::node(&self.folder, data, Some(store))
    }

    /// Starts the one that is in a folder, and waits until it says that it listens.
    pub fn serve(folder: &Path) -> Self {
        Self::node(folder, "data", None)
    }

    fn node(folder: &Path, data: &str, store: Option<&str>) -> Self {
        let address = free_address();
        let serve = ["serve", "--data", data, "--listen", &address];
        let (child, _) = started(&mut command(folder, &[&serve[..], &at(store)].concat()), "listens on");
        Self { child, folder: folder.to_owned(), address }
    }

    /// Runs a command of it; gives what it prints.
    pub fn run(&self, arguments: &[&str]) -> String {
        run(&self.folder, arguments)
    }

    /// Applies a configuration and waits until the hub has nothing to do.
    pub fn apply(&self, files: &[(&str, &str)]) {
        let config = self.folder.join("config");
        fs::create_dir_all(&config).unwrap();
        for (name, text) in files {
            fs::write(config.join(name), text).unwrap();
        }
        self.run(&["apply", "config", "--yes"]);
        self.quiet();
    }

    /// Runs a command with something on its standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) {
        let mut child = command(&self.folder, arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Waits until the hub has nothing to do.
    pub fn quiet(&self) {
        let watch = Watch::start();
        while !self.says_quiet(&["status", "--wait", "100", "--json"]) {
            assert!(watch.elapsed() < PATIENCE, "the hub does not become quiet");
        }
    }

    /// Whether it has nothing to do.
    pub fn is_quiet(&self) -> bool {
        self.says_quiet(&["status", "--json"])
    }

    fn says_quiet(&self, asked: &[&str]) -> bool {
        serde_json::from_str::<Value>(&self.run(asked)).unwrap()["queue"]["quiet"] == true
    }

    /// What the kernel counts of it.
    pub fn process(&self) -> Process {
        Process::of(self.child.id())
    }

    /// Ends it as a power cut does.
    pub fn kill(self) {
        drop(self);
    }
}

fn at(store: Option<&str>) -> Vec<&str> {
    store.map(|store| vec!["--store", store]).unwrap_or_default()
}

/// Runs a program until it says something on its standard error; gives it, and how long that took.
pub fn started(command: &mut Command, says: &str) -> (Child, f64) {
    let watch = Watch::start();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let (mut line, mut all) = (String::new(), String::new());
    while !line.contains(says) {
        all.push_str(&line);
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it does not start: {all}");
    }
    let took = watch.seconds();
    // Whatever else it says must not fill the pipe.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    (child, took)
}

/// An address on this machine that nobody listens on.
pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A command of the hub of a folder.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.current_dir(folder).args(arguments).env("BAILIWICK_PROFILE", folder.join("profile.toml"));
    command.env("BAILIWICK_LOG", "error").stdin(Stdio::null());
    command
}

/// Where the program is: beside the folder of what is built for the table.
fn program() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    me.parent().and_then(Path::parent).unwrap().join("bailiwick")
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let done = command(folder, arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}
