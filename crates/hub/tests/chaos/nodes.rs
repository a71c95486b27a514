//! Nodes: `bailiwick serve` as processes, each in its own network namespace, with a folder and a clock of its own.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{
    company::program::{BINARY, Program},
    script::NODES,
    stage::{self, HUB_PORT},
};

/// How long a node may take until it answers.
const START: Duration = Duration::from_secs(90);

/// All nodes of a round.
pub struct Nodes {
    /// The program, for whoever uses it.
    pub program: Program,
    store: String,
    running: [Option<Child>; NODES],
    client: reqwest::Client,
    token: String,
}

impl Drop for Nodes {
    fn drop(&mut self) {
        (0..NODES).for_each(|nth| self.kill(nth));
    }
}

impl Nodes {
    /// Sets a hub up in `root`, has the others join it, and starts all.
    pub async fn start(root: &Path, store: String) -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(15)).build().unwrap();
        let program = Program { root: root.to_owned() };
        let mut nodes = Self { program, store, running: Default::default(), client, token: String::new() };
        let url = format!("http://{}:{HUB_PORT}", stage::node(0));
        let store = nodes.store.clone();
        nodes.program.command(&[
            "init",
            "0",
            "--operator",
            "ada",
            "--origin",
            "chaos.test/log",
            "--store",
            &store,
            "--url",
            &url,
        ]);
        nodes.token = nodes.program.token();
        for nth in 1..NODES {
            let name = nth.to_string();
            nodes.program.command(&[
                "join",
                &name,
                "--store",
                &store,
                "--key",
                "0/key",
                "--log-key",
                "0/log-key",
            ]);
        }
        for nth in 0..NODES {
            nodes.set_clock(nth, 0);
            nodes.begin(nth);
        }
        for nth in 0..NODES {
            nodes.ready(nth).await;
        }
        nodes
    }

    /// The data folder of a node.
    pub fn folder(&self, nth: usize) -> PathBuf {
        self.program.root.join(nth.to_string())
    }

    /// Where a node says what it does.
    pub fn log(&self, nth: usize) -> PathBuf {
        self.program.root.join(format!("node-{nth}.log"))
    }

    /// Starts a node and does not wait for it.
    pub fn begin(&mut self, nth: usize) {
        let log = File::options().create(true).append(true).open(self.log(nth)).unwrap();
        let listen = format!("{}:{HUB_PORT}", stage::node(nth));
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &stage::namespace(nth), BINARY, "serve"]);
        command.args(["--data", &nth.to_string(), "--store", &self.store, "--listen", &listen]);
        command
            .current_dir(&self.program.root)
            .env_clear()
            .env("HOME", &self.program.root)
            .env("BAILIWICK_LOG", "info");
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
            .env("LD_PRELOAD", faketime().unwrap())
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_TIMESTAMP_FILE", self.clock(nth));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.running[nth] = Some(command.spawn().unwrap());
    }

    fn clock(&self, nth: usize) -> PathBuf {
        self.program.root.join(format!("clock-{nth}"))
    }

    /// Sets a node's clock so many seconds ahead.
    pub fn set_clock(&self, nth: usize, seconds: i64) {
        let next = self.program.root.join(format!("clock-{nth}.next"));
        fs::write(&next, format!("{seconds:+}s\n")).unwrap();
        fs::rename(next, self.clock(nth)).unwrap();
    }

    /// Kills a node, as a machine that loses its power would.
    pub fn kill(&mut self, nth: usize) {
        if let Some(mut child) = self.running[nth].take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Tells a node something by a signal.
    pub fn signal(&self, nth: usize, signal: &str) {
        if let Some(child) = &self.running[nth] {
            stage::run(&format!("kill -{signal} {}", child.id()));
        }
    }

    /// Tells a node to stop, and waits until it has; says how it ended.
    pub fn stop(&mut self, nth: usize) -> bool {
        self.signal(nth, "TERM");
        self.running[nth].take().is_none_or(|mut child| child.wait().unwrap().success())
    }

    /// Whether a node's process is there.
    pub fn runs(&mut self, nth: usize) -> bool {
        self.running[nth].as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Waits until a node can work.
    pub async fn ready(&mut self, nth: usize) {
        let url = format!("http://{}:{HUB_PORT}/readyz", stage::node(nth));
        let answered = async {
            loop {
                assert!(self.runs(nth), "node {nth} ended by itself: {}", self.log(nth).display());
                if self.client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let waited = tokio::time::timeout(START, answered).await;
        assert!(waited.is_ok(), "node {nth} is not ready");
    }

    /// What a node has at a path of its API; nothing if it does not answer.
    pub async fn get(&self, nth: usize, path: &str) -> Option<Value> {
        let url = format!("http://{}:{HUB_PORT}/api/v1/{path}", stage::node(nth));
        let answer = self.client.get(url).bearer_auth(&self.token).send().await.ok()?;
        let bytes = answer.error_for_status().ok()?.bytes().await.ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Delivers a feed at the first node that takes it.
    pub async fn deliver(&self, door: usize, feed: &str) {
        for nth in (0..NODES).cycle().skip(door).take(20 * NODES) {
            let url = format!("http://{}:{HUB_PORT}/api/v1/sources/hr/deliveries", stage::node(nth));
            let sent = self
                .client
                .post(url)
                .bearer_auth(&self.token)
                .header("content-type", "application/octet-stream");
            match sent.body(feed.to_owned()).send().await {
                Ok(answer) if answer.status().is_success() => return,
                Ok(answer) => {
                    let status = answer.status();
                    println!(
                        "node {nth} does not take the delivery: {status} {}",
                        answer.text().await.unwrap_or_default()
                    );
                }
                Err(error) => println!("node {nth} does not take the delivery: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("no node takes the delivery");
    }
}

/// The library that shifts a program's clock.
pub fn faketime() -> Option<PathBuf> {
    let found = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    found.map(|entry| entry.path().join("faketime/libfaketime.so.1")).find(|path| path.exists())
}
