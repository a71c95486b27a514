//! A folder, a hub and a lab of a test's own, as processes.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::golden::placeholders;

const BINARY: &str = env!("CARGO_BIN_EXE_bailiwick");
/// The folder of the example company.
const ACME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/acme");

/// What a command did.
pub struct Outcome {
    /// The command line, without the program.
    line: String,
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    root: PathBuf,
}

impl Outcome {
    /// As a golden file keeps it.
    pub fn transcript(&self) -> String {
        let root = self.root.display().to_string();
        let shown = |text: &str| placeholders(&text.replace(&root, "DIR"));
        let mut out = format!("$ bailiwick {}\n", shown(&self.line));
        out.push_str(&shown(&self.stdout));
        out.push_str(&shown(&self.stderr));
        if self.code != 0 {
            out.push_str(&format!("exit code {}\n", self.code));
        }
        out
    }

    /// The same with a word that changes from day to day as a placeholder.
    pub fn with(self, word: &str, placeholder: &str) -> Self {
        let placed = |text: &str| text.replace(word, placeholder);
        Self { line: placed(&self.line), stdout: placed(&self.stdout), stderr: placed(&self.stderr), ..self }
    }

    /// Panics unless it ended well.
    #[track_caller]
    pub fn well(self) -> Self {
        assert_eq!(self.code, 0, "$ bailiwick {}\n{}{}", self.line, self.stdout, self.stderr);
        self
    }

    /// Panics unless it ended with this exit code and error code, and said where.
    #[track_caller]
    pub fn refused(self, exit: i32, code: &str, place: &str) -> Self {
        let told = format!("$ bailiwick {}\n{}{}", self.line, self.stdout, self.stderr);
        assert_eq!(self.code, exit, "{told}");
        assert!(self.stderr.contains(&format!("[{code}]")), "no `{code}` in\n{told}");
        assert!(self.stderr.contains(place), "no `{place}` in\n{told}");
        self
    }

    /// The JSON value on standard output.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// A process that is ended with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder of a test's own, and what runs in it.
pub struct World {
    folder: TempDir,
    hub: Option<Process>,
    lab: Option<(Process, String)>,
}

impl World {
    /// An empty folder.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), hub: None, lab: None }
    }

    /// A hub that was set up and runs.
    pub fn with_hub() -> Self {
        let mut world = Self::empty();
        world.run(&["init", "data", "--operator", "ada", "--origin", "bailiwick.test/log"]).well();
        world.start_hub();
        world
    }

    /// A hub that was set up and is started with these arguments besides.
    pub fn with_hub_that(args: &[&str]) -> Self {
        let mut world = Self::empty();
        world.run(&["init", "data", "--operator", "ada", "--origin", "bailiwick.test/log"]).well();
        world.start_hub_with("data", args, &[]);
        world
    }

    /// A hub and the lab, with the example company applied and its credentials set.
    pub fn with_acme() -> Self {
        let mut world = Self::with_hub();
        world.start_lab();
        let config = world.acme();
        world.run(&["apply", &config, "--yes"]).well();
        for system in ["chat", "crm", "wiki"] {
            for purpose in ["write", "verify"] {
                let token = format!("lab-{system}-{purpose}");
                world.run_with(&["credential", "set", system, purpose], token.as_bytes()).well();
            }
        }
        for system in ["chat", "crm", "wiki"] {
            world.run(&["reconcile", system]).well();
        }
        world
    }

    /// What the demo leaves: a company in the middle of its life, with lab and hub.
    pub fn with_demo() -> Self {
        let mut world = Self::empty();
        world.run(&["demo", "--keep", "kept", "--quiet"]).well();
        fs::copy(world.path("kept/profile.toml"), world.path("profile.toml")).unwrap();
        // The systems are known by the address that the lab had.
        let chat = fs::read_to_string(world.path("kept/config/chat.toml")).unwrap();
        let lab = chat.split_once("http://").unwrap().1.split('/').next().unwrap().to_owned();
        let args = ["lab", "--listen", &lab, "--world", "kept/world.json"];
        world.lab = Some(start(world.command(&args), "the lab listens on http://"));
        world.start_hub_on("kept/data");
        world
    }

    /// The address of the hub.
    pub fn url(&self) -> String {
        self.profile("url")
    }

    /// The root of the folder.
    pub fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// A copy of the example company's configuration, pointed at the lab; gives the folder.
    pub fn acme(&self) -> String {
        let lab = self.lab.as_ref().map_or("127.0.0.1:7461", |(_, address)| address);
        copy(Path::new(ACME), &self.path("acme"), &|text| text.replace("127.0.0.1:7461", lab));
        self.path("acme").display().to_string()
    }

    /// The names of the integrations; the hub itself is always one.
    pub fn integrations(&self) -> Vec<String> {
        let listed = self.run(&["integration", "list", "--json"]).well().json();
        listed.as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Runs a command in the folder.
    pub fn run(&self, args: &[&str]) -> Outcome {
        self.run_with(args, b"")
    }

    /// Runs a command with something on standard input.
    pub fn run_with(&self, args: &[&str], input: &[u8]) -> Outcome {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input closes the pipe.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        Outcome {
            line: args.join(" "),
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            root: self.root(),
        }
    }

    /// A command in the folder, with no environment but its own.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(args).current_dir(self.root()).env_clear();
        command
            .env("HOME", self.root())
            .env("BAILIWICK_LOG", "off")
            .env("BAILIWICK_PROFILE", self.path("profile.toml"));
        command
    }

    /// Starts the hub on a port of its own and points the profile at it.
    pub fn start_hub(&mut self) {
        self.start_hub_on("data");
    }

    /// Starts the hub on this data folder.
    pub fn start_hub_on(&mut self, data: &str) {
        self.start_hub_with(data, &[], &[]);
    }

    /// Starts it with more arguments and a larger environment.
    pub fn start_hub_with(&mut self, data: &str, more: &[&str], environment: &[(&str, &str)]) {
        let mut command = self.command(&["serve", "--data", data, "--listen", "127.0.0.1:0"]);
        command.args(more).envs(environment.iter().copied());
        let (process, address) = start(command, "the hub listens on ");
        let profile = fs::read_to_string(self.path("profile.toml")).unwrap();
        let lines = profile.lines().map(|line| match line.starts_with("url = ") {
            true => format!("url = \"{address}\"\n"),
            false => format!("{line}\n"),
        });
        // Written over, so that it keeps its mode.
        fs::write(self.path("profile.toml"), lines.collect::<String>()).unwrap();
        self.hub = Some(process);
    }

    /// Tells the hub to stop, and waits until it has.
    pub fn stop_hub(&mut self) {
        let mut hub = self.hub.take().expect("the hub runs");
        let told = Command::new("kill").arg(hub.0.id().to_string()).status().unwrap();
        assert!(told.success() && hub.0.wait().unwrap().success());
    }

    /// Ends the hub, as a machine that loses its power would.
    pub fn kill_hub(&mut self) {
        self.hub = None;
    }

    /// Starts the lab on a port of its own.
    pub fn start_lab(&mut self) {
        self.lab =
            Some(start(self.command(&["lab", "--listen", "127.0.0.1:0"]), "the lab listens on http://"));
    }

    /// Ends the lab.
    pub fn kill_lab(&mut self) {
        self.lab = None;
    }

    /// The address of the lab.
    pub fn lab(&self) -> &str {
        &self.lab.as_ref().expect("the lab runs").1
    }

    /// What there is, without what counts looking and trying: the numbers of the status.
    pub fn state(&self) -> serde_json::Value {
        let mut status = self.run(&["status", "--json", "--wait", "60"]).well().json();
        let status = status.as_object_mut().unwrap();
        for changing in ["queue", "log", "findings"] {
            status.remove(changing);
        }
        serde_json::json!(status)
    }

    /// A value of the profile.
    pub fn profile(&self, name: &str) -> String {
        let profile = fs::read_to_string(self.path("profile.toml")).unwrap();
        let line = profile.lines().find_map(|line| line.strip_prefix(&format!("{name} = "))).unwrap();
        line.trim_matches('"').to_owned()
    }

    /// What the hub has at a path, for the operator of the profile.
    pub fn fetch(&self, path: &str) -> Vec<u8> {
        let (first, body) = self.get(path, Some(&self.profile("token")));
        assert!(first.starts_with("HTTP/1.1 200"), "{first}");
        body
    }

    /// The first line of the hub's answer to a request with this token.
    pub fn answer_to(&self, path: &str, token: Option<&str>) -> String {
        self.get(path, token).0
    }

    fn get(&self, path: &str, token: Option<&str>) -> (String, Vec<u8>) {
        get(self.profile("url").trim_start_matches("http://"), path, token)
    }

    /// The truth of a system, without the instant of looking.
    pub fn truth(&self, system: &str) -> serde_json::Value {
        let mut truth: serde_json::Value =
            serde_json::from_slice(&get(self.lab(), &format!("/truth/{system}"), None).1).unwrap();
        truth.as_object_mut().unwrap().remove("at_ms");
        truth
    }
}

/// A program among the tools of the tests.
#[allow(clippy::disallowed_methods, reason = "where the tests' tools are is a matter of the machine")]
pub fn tool(name: &str) -> PathBuf {
    let tools = std::env::var_os("BAILIWICK_TOOLS").map(PathBuf::from);
    let usual = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/venv"));
    in_folder(&tools.unwrap_or_else(usual), name)
}

/// A program of the fuzzer, which has a folder of its own: it needs other versions of what the others need.
pub fn fuzzer(name: &str) -> PathBuf {
    in_folder(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/fuzz")), name)
}

fn in_folder(folder: &Path, name: &str) -> PathBuf {
    let tool = folder.join("bin").join(name);
    assert!(tool.exists(), "`{}` is missing: run `./test`", tool.display());
    tool
}

/// Starts a process and waits until it says, on standard error or output, where it listens.
fn start(mut command: Command, says: &str) -> (Process, String) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (said, hear) = std::sync::mpsc::channel();
    let pipes: [Box<dyn Read + Send>; 2] =
        [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
    for pipe in pipes {
        let said = said.clone();
        // Reads to the end, so that the process never waits for a reader.
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                // Nobody listens any more once it was said.
                let _ = said.send(line);
            }
        });
    }
    drop(said);
    let process = Process(child);
    let mut heard = Vec::new();
    for line in hear {
        if let Some((_, rest)) = line.split_once(says) {
            let address = rest.split([';', ' ']).next().unwrap_or_default().to_owned();
            return (process, address);
        }
        heard.push(line);
    }
    panic!("it ended without saying `{says}`: {}", heard.join("\n"));
}

/// A plain HTTP GET: the first line of the answer, and its body.
fn get(address: &str, path: &str, token: Option<&str>) -> (String, Vec<u8>) {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n{token}Connection: close\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().unwrap()
            }
            _ if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (first, body)
}

fn copy(from: &Path, to: &Path, change: &dyn Fn(String) -> String) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|e| (e.path(), e.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name), change);
        } else if let Ok(text) = fs::read_to_string(&path) {
            fs::write(to.join(name), change(text)).unwrap();
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}
