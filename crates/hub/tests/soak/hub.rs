//! The hub: `bailiwick serve` as a process, what it answers, and what the kernel says of it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::time::Instant;

use crate::company::{
    oracle::Violation,
    program::{BINARY, Program},
};

/// How long it may take until it listens.
const START: Duration = Duration::from_secs(90);
/// How long an answer may take; a check of the whole log is one.
const ANSWER: Duration = Duration::from_secs(600);
/// How long a connection is kept for the next request: less than the hub waits for one.
const KEPT: Duration = Duration::from_secs(10);
/// What it says when it listens.
const LISTENS: &str = "the hub listens on ";

/// A hub that runs; it ends with this.
pub struct Hub {
    /// The program, for whoever uses it.
    pub program: Program,
    child: Mutex<Child>,
    url: String,
    token: String,
    client: reqwest::Client,
}

impl Drop for Hub {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Hub {
    /// Sets a hub up in `root`, on a file or on the store that is named, and starts it.
    pub async fn start(root: &Path, store: Option<&str>) -> Self {
        let program = Program { root: root.to_owned() };
        let store: Vec<&str> = store.into_iter().flat_map(|store| ["--store", store]).collect();
        let init = ["init", "data", "--operator", "ada", "--origin", "soak.test/log"];
        program.command(&[&init[..], &store].concat());
        let log = File::create(said(root)).unwrap();
        let mut command = Command::new(BINARY);
        command.args(["serve", "--data", "data", "--listen", "127.0.0.1:0"]).args(store);
        command.current_dir(root).env_clear().env("HOME", root).env("BAILIWICK_LOG", "info");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = Mutex::new(command.spawn().unwrap());
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = client.timeout(ANSWER).pool_idle_timeout(KEPT).build().unwrap();
        let token = program.token();
        let mut hub = Self { program, child, url: String::new(), token, client };
        hub.url = hub.listens().await;
        let profile = hub.program.profile();
        let lines = fs::read_to_string(&profile).unwrap();
        let lines = lines.lines().map(|line| match line.starts_with("url = ") {
            true => format!("url = \"{}\"\n", hub.url),
            false => format!("{line}\n"),
        });
        // Written over, so that it keeps its mode.
        fs::write(profile, lines.collect::<String>()).unwrap();
        hub
    }

    /// Waits until it says where it listens.
    async fn listens(&self) -> String {
        let until = Instant::now() + START;
        loop {
            let all = fs::read_to_string(said(&self.program.root)).unwrap();
            if let Some((_, rest)) = all.split_once(LISTENS)
                && let Some((address, _)) = rest.split_once(';')
            {
                return address.to_owned();
            }
            assert!(self.runs() && Instant::now() < until, "the hub does not start: {all}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn runs(&self) -> bool {
        self.child.lock().unwrap().try_wait().unwrap().is_none()
    }

    /// The data folder.
    pub fn folder(&self) -> PathBuf {
        self.program.root.join("data")
    }

    /// A request to it, as nobody.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// The same with the operator's token.
    pub fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.token)
    }

    /// What it has at a path, as text.
    pub async fn text(&self, path: &str) -> Result<String, Violation> {
        text(answered(self.call(Method::GET, path)).await?).await
    }

    /// What it has at a path of its API.
    pub async fn get(&self, path: &str) -> Result<Value, Violation> {
        let text = self.text(&format!("/api/v1/{path}")).await?;
        serde_json::from_str(&text).map_err(|error| wrong(format!("`{path}` is no JSON: {error}")))
    }

    /// Delivers what HR says.
    pub async fn deliver(&self, feed: String) -> Result<(), Violation> {
        let call = self.call(Method::POST, "/api/v1/sources/hr/deliveries");
        let call = call.header("content-type", "application/octet-stream").body(feed);
        text(answered(call).await?).await.map(drop)
    }

    /// What the kernel says of it.
    pub fn process(&self) -> Process {
        Process::of(self.child.lock().unwrap().id())
    }

    /// Tells it to stop, and waits until it has; says how it ended.
    pub fn stop(&self) -> bool {
        let mut child = self.child.lock().unwrap();
        let told = Command::new("kill").arg(child.id().to_string()).status().unwrap();
        told.success() && child.wait().unwrap().success()
    }
}

/// Where it says what it does.
pub fn said(root: &Path) -> PathBuf {
    root.join("hub.log")
}

/// The answer to a request, if it is one that says yes.
pub async fn answered(request: RequestBuilder) -> Result<Response, Violation> {
    let answer = request.send().await.map_err(|error| wrong(format!("no answer: {error:?}")))?;
    let (status, url) = (answer.status(), answer.url().path().to_owned());
    if status.is_success() || status.is_redirection() {
        return Ok(answer);
    }
    Err(wrong(format!("{url}: {status} {}", answer.text().await.unwrap_or_default())))
}

/// All of an answer.
pub async fn text(answer: Response) -> Result<String, Violation> {
    answer.text().await.map_err(|error| wrong(format!("the answer breaks off: {error}")))
}

/// Something that it answers and should not.
pub fn wrong(what: String) -> Violation {
    Violation { oracle: "answers", what }
}

/// A process as the kernel counts it at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    /// KiB that are resident.
    pub resident: u64,
    /// KiB of them that are no pages of files: what it has allocated.
    pub anonymous: u64,
    /// Descriptors of sockets.
    pub connections: u64,
    /// Other descriptors.
    pub files: u64,
    /// Threads.
    pub threads: u64,
    /// Seconds of the processor so far.
    pub processor: f64,
}

impl Process {
    fn of(id: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let value = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        // One that is closed meanwhile leads nowhere.
        let open = fs::read_dir(format!("/proc/{id}/fd")).unwrap().flatten();
        let open: Vec<PathBuf> = open.filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
        let connections = open.iter().filter(|to| to.to_string_lossy().starts_with("socket:")).count();
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        // A name may hold anything, so the fields are counted from its end.
        let ticks = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
        Self {
            resident: value("VmRSS:"),
            anonymous: value("RssAnon:"),
            connections: connections as u64,
            files: (open.len() - connections) as u64,
            threads: value("Threads:"),
            processor: ticks.map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum(),
        }
    }
}
