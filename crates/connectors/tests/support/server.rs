//! A real SCIM service provider, `scim2-server`, as a process of its own for each test.

use std::{net::TcpListener, path::PathBuf, process::Stdio, sync::Arc};

use bailiwick_connector::{
    Line,
    broker::{HttpLimits, HttpTransport},
};
use bailiwick_core::integration::Purpose;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

const TOKEN: &str = "a-token-of-the-tests";

/// How the server pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    Index,
    Cursor,
}

/// A running server; it ends with this value.
pub struct Server {
    _process: Child,
    port: u16,
    _config: tempfile::NamedTempFile,
}

fn tools() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "where the tests' tools are is a matter of the machine")]
    let tools = std::env::var_os("BAILIWICK_TOOLS");
    tools.map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/venv")), PathBuf::from)
}

fn config(paging: Paging) -> Value {
    let mut config = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": 1000},
        "changePassword": {"supported": false},
        "sort": {"supported": false},
        "etag": {"supported": true},
        "authenticationSchemes": [],
    });
    if paging == Paging::Cursor {
        config["pagination"] = json!({
            "cursor": true, "index": false, "defaultPaginationMethod": "cursor",
            "defaultPageSize": 100, "maxPageSize": 1000, "cursorTimeout": 3600,
        });
    }
    config
}

impl Server {
    /// Starts a server without anybody in it, and waits until it says that it listens.
    pub async fn start(paging: Paging) -> Self {
        let program = tools().join("bin/scim2-server");
        assert!(
            program.exists(),
            "`{}` is missing: run `./test`, or `python3 -m venv .tools/venv && .tools/venv/bin/pip install \
             'scim2-server[cursor,precis]==0.8.3'`",
            program.display()
        );
        let config_file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(config_file.path(), config(paging).to_string()).unwrap();
        // Free at this moment; if somebody else takes it, the server does not come up and the test says so.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new(program)
            .args(["--hostname", "127.0.0.1", "--port", &port.to_string(), "--bearer-token", TOKEN])
            .arg("--service-provider-config")
            .arg(config_file.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut said).await.unwrap();
        assert!(said.starts_with("Serving SCIM"), "the server did not come up on port {port}: {said:?}");
        Self { _process: process, port, _config: config_file }
    }

    /// A line to it.
    pub fn line(&self) -> Line {
        self.line_with(TOKEN)
    }

    /// A line to it that shows this token.
    pub fn line_with(&self, token: &str) -> Line {
        let transport = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        super::line::line(transport, &endpoint, "/v2", token, Purpose::Write)
    }
}
