//! What others would use, in Python: an environment of its own, a reconciler that is told when to compare, and a SCIM
//! service provider.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::hub::free_address;

/// What is in the environment.
const PACKAGES: [&str; 3] = ["orjson==3.13.0", "duckdb==2.0.1", "scim2-server[cursor,precis]==0.8.3"];
const RECONCILER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/table/reconciler.py");
/// What the provider lets in.
pub const TOKEN: &str = "a-token-of-the-table";

/// A program in Python; it ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts one and waits for its first line, which begins like this.
fn started(command: &mut Command, begins: &str) -> Result<(Running, Lines<BufReader<ChildStdout>>), String> {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).env("PYTHONUNBUFFERED", "1");
    let mut child = Running(piped.spawn().map_err(|error| error.to_string())?);
    let mut said = BufReader::new(child.0.stdout.take().unwrap()).lines();
    match said.next() {
        Some(Ok(line)) if line.starts_with(begins) => Ok((child, said)),
        Some(_) | None => Err("what is written in Python does not start".to_owned()),
    }
}

/// A reconciler that knows what should be there.
pub struct Reconciler {
    running: Running,
    said: Lines<BufReader<ChildStdout>>,
}

impl Reconciler {
    /// Starts one, and waits until it knows.
    ///
    /// # Errors
    /// Why there is none here.
    pub fn start(arguments: &[&str]) -> Result<Self, String> {
        let mut command = Command::new(environment()?.join("python"));
        let (running, said) = started(command.arg(RECONCILER).args(arguments), "ready")?;
        Ok(Self { running, said })
    }

    /// Compares once; gives seconds, and how many are as they should be.
    pub fn compare(&mut self) -> (f64, usize) {
        self.running.0.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        let line = self.said.next().unwrap().unwrap();
        let (seconds, same) = line.split_once(' ').unwrap();
        (seconds.parse().unwrap(), same.parse().unwrap())
    }
}

/// `scim2-server`, a SCIM service provider that keeps everything in memory. Its interface is below `/v2`.
pub struct Provider {
    _running: Running,
    /// Where it listens.
    pub address: String,
}

impl Provider {
    /// Starts one, without anybody in it.
    ///
    /// # Errors
    /// Why there is none here.
    pub fn start() -> Result<Self, String> {
        let address = free_address();
        let (host, port) = address.split_once(':').unwrap();
        let mut command = Command::new(environment()?.join("scim2-server"));
        command.args(["--hostname", host, "--port", port, "--bearer-token", TOKEN]).stderr(Stdio::null());
        let (running, mut said) = started(&mut command, "Serving SCIM")?;
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || while said.next().is_some_and(|line| line.is_ok()) {});
        Ok(Self { _running: running, address })
    }
}

/// The programs of the environment, which is made if it is not there.
fn environment() -> Result<PathBuf, String> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bench");
    let programs = home.join("bin");
    let complete =
        || does(Command::new(programs.join("python")).args(["-c", "import orjson, duckdb, scim2_server"]));
    if !complete() {
        does(Command::new("python3").args(["-m", "venv"]).arg(&home));
        does(Command::new(programs.join("python")).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES));
    }
    match complete() {
        true => Ok(programs),
        false => Err(format!("{} cannot be installed from PyPI", PACKAGES.join(", "))),
    }
}

fn does(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
