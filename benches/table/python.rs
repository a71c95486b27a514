//! What others would use, in Python: an environment of its own, and a reconciler that is told when to compare.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

/// What is in the environment.
const PACKAGES: [&str; 2] = ["orjson==3.11.4", "duckdb==1.4.2"];
const RECONCILER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/table/reconciler.py");

/// A reconciler that knows what should be there; it ends with this.
pub struct Reconciler {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Drop for Reconciler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Reconciler {
    /// Starts one, and waits until it knows.
    ///
    /// # Errors
    /// Why there is none here.
    pub fn start(arguments: &[&str]) -> Result<Self, String> {
        let mut child = Command::new(python()?)
            .arg(RECONCILER)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = said.next().transpose().ok().flatten();
        let reconciler = Self { child, said };
        match first.as_deref() {
            Some("ready") => Ok(reconciler),
            _ => Err("the reconciler in Python does not start".to_owned()),
        }
    }

    /// Compares once; gives seconds, and how many are as they should be.
    pub fn compare(&mut self) -> (f64, usize) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        let line = self.said.next().unwrap().unwrap();
        let (seconds, same) = line.split_once(' ').unwrap();
        (seconds.parse().unwrap(), same.parse().unwrap())
    }
}

/// The interpreter of the environment, which is made if it is not there.
fn python() -> Result<PathBuf, String> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bench");
    let python = home.join("bin/python");
    let has_all = |python: &Path| does(Command::new(python).args(["-c", "import orjson, duckdb"]));
    if !has_all(&python) {
        does(Command::new("python3").args(["-m", "venv"]).arg(&home));
        does(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES));
    }
    match has_all(&python) {
        true => Ok(python),
        false => Err(format!("{} cannot be installed", PACKAGES.join(" and "))),
    }
}

fn does(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
