//! A real server of the IAM query API, `moto` from PyPI, as a process of its own.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bailiwick_connector::broker::{HttpLimits, HttpTransport, Transport, TransportError};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::aws_subject::System;

/// More requests than any test makes.
const NEVER: &str = "1000000000";

/// A running server; it ends with this value.
pub struct Moto {
    _process: Child,
    port: u16,
    gate: Arc<Gate>,
}

/// Carries requests to the server. It looks at signatures, except at those of the test's own.
struct Gate {
    port: u16,
    plain: HttpTransport,
    open: AtomicBool,
}

#[async_trait]
impl Transport for Gate {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        self.set(false).await;
        self.plain.send(request).await
    }
}

impl Gate {
    async fn set(&self, open: bool) {
        if self.open.swap(open, Ordering::SeqCst) != open {
            let unchecked = if open { NEVER } else { "0" };
            self.post("/moto-api/reset-auth", &[], unchecked.into()).await.unwrap();
        }
    }

    /// The answer, or what is said when it is refused.
    async fn post(&self, path: &str, headers: &[(&str, &str)], body: String) -> Result<String, String> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut request = http::Request::builder().method("POST").uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.plain.send(request.body(Bytes::from(body)).unwrap()).await.unwrap();
        let text = String::from_utf8_lossy(response.body()).into_owned();
        if response.status().is_success() { Ok(text) } else { Err(text) }
    }
}

fn tools() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "where the tests' tools are is a matter of the machine")]
    let tools = std::env::var_os("BAILIWICK_TOOLS");
    tools.map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/venv")),
        PathBuf::from,
    )
}

impl Moto {
    /// Starts a server and waits until it says that it listens. It looks at signatures.
    pub async fn start() -> Self {
        let (process, port) = process(None, "0").await;
        let plain = HttpTransport::new(&HttpLimits::default()).unwrap();
        let gate = Arc::new(Gate { port, plain, open: AtomicBool::new(false) });
        Self { _process: process, port, gate }
    }
}

/// A server that speaks TLS with `server.pem` and `server.key` of a folder, and does not look at signatures.
pub struct Protected {
    _process: Child,
    pub port: u16,
}

impl Protected {
    pub async fn start(tls: &Path) -> Self {
        let (process, port) = process(Some(tls), NEVER).await;
        Self { _process: process, port }
    }
}

/// Starts a server that takes so many requests before it looks at signatures; the server, and its port.
async fn process(tls: Option<&Path>, unchecked: &str) -> (Child, u16) {
    let program = tools().join("bin/moto_server");
    assert!(
        program.exists(),
        "`{}` is missing: run `./test`, or `python3 -m venv .tools/venv && .tools/venv/bin/pip install \
         'moto[server,iam]==5.2.5'`",
        program.display()
    );
    // Free at this moment; if somebody else takes it, the server does not come up and the test says so.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(program);
    if let Some(folder) = tls {
        command.arg("-c").arg(folder.join("server.pem")).arg("-k").arg(folder.join("server.key"));
    }
    let mut process = command
        .args(["-H", "127.0.0.1", "-p", &port.to_string()])
        .env("INITIAL_NO_AUTH_ACTION_COUNT", unchecked)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    loop {
        let line = lines.next_line().await.unwrap();
        let line = line.unwrap_or_else(|| panic!("the server did not come up on port {port}: {said:?}"));
        if line.contains("Running on") {
            break;
        }
        said.push(line);
    }
    // It writes a line for each request, and stops when nobody reads them.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (process, port)
}

fn form(pairs: impl Iterator<Item = (String, String)>) -> String {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    pairs.map(|(name, value)| format!("{name}={}", encode(&value))).collect::<Vec<_>>().join("&")
}

#[async_trait]
impl System for Moto {
    fn name(&self) -> &'static str {
        "aws-iam × moto"
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn transport(&self) -> Arc<dyn Transport> {
        self.gate.clone()
    }

    fn settings(&self) -> Value {
        json!({"read_lag_ms": 0, "service_credentials": false})
    }

    async fn asked(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String, String> {
        let head = [("Action", action), ("Version", "2010-05-08")];
        let pairs = head.iter().chain(parameters).map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let signed = "AWS4-HMAC-SHA256 Credential=x/20270115/us-east-1/iam/aws4_request, SignedHeaders=host, \
                      Signature=0";
        let kind = ("content-type", "application/x-www-form-urlencoded");
        self.gate.set(true).await;
        self.gate.post("/", &[("authorization", signed), kind], form(pairs)).await
    }

    async fn reset(&self) {
        self.gate.post("/moto-api/reset", &[], String::new()).await.unwrap();
    }
}
