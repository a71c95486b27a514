//! Connectors that speak HTTP, where nobody listens and where a certificate is not to be trusted: a clear error before
//! anything is said, and nothing was done. `openssl s_server` is the server.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "support/certificate.rs"]
mod certificate;

use std::{net::TcpListener, path::Path, process::Stdio, sync::Arc};

use bailiwick_connector::{
    Broker, Connector, ConnectorError, Effect, ErrorKind, Line,
    broker::{HttpLimits, HttpTransport},
    seal::{Credential, SealContext, SealKey, Secret},
    testkit::{Hands, Seeded},
};
use bailiwick_connectors::{build, rest::Rest};
use bailiwick_core::{
    access::AccessClass,
    id::Tenant,
    integration::{Integration, Purpose},
    plan::Op,
};
use certificate::certify;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

const SECRET: &str = "the-secret-of-the-hub";

/// A connector, its settings, and the rules of its scope.
struct Kind {
    name: &'static str,
    settings: Value,
    rules: Vec<String>,
    /// A change that it makes.
    op: Op,
}

fn kinds() -> [Kind; 3] {
    let owned = |rules: &[&str]| rules.iter().map(|rule| (*rule).to_owned()).collect();
    let described_as = json!({ "description": "jupyterhub" });
    let described = Rest::new(&described_as).unwrap().scope().iter().map(ToString::to_string).collect();
    let vault = include_str!("../../../docs/connectors/vault.md").split("```text scope\n").nth(1).unwrap();
    let vault = vault.split("```").next().unwrap().lines().map(str::to_owned).collect();
    let scim = owned(&[
        "discover GET /ServiceProviderConfig",
        "discover GET /Schemas",
        "list GET /Users",
        "update PATCH /Users/{id}",
        "get GET /Users/{id}",
    ]);
    let grant = Op::Grant { class: AccessClass::DirectGroups, external_id: "g".into() };
    [
        Kind { name: "scim", settings: json!({}), rules: scim, op: Op::Enable },
        Kind { name: "rest", settings: described_as, rules: described, op: grant },
        Kind { name: "vault", settings: json!({}), rules: vault, op: Op::Enable },
    ]
}

impl Kind {
    fn line(&self, endpoint: &str, trusted: Option<&Path>) -> Line {
        let mut settings = self.settings.clone();
        if let Some(folder) = trusted {
            settings["ca_file"] = folder.join("ca.pem").to_str().unwrap().into();
        }
        let integration: Integration = serde_json::from_value(json!({
            "name": "app", "purpose": "test", "owner": "hr/1", "backup": "hr/2", "connector": self.name,
            "endpoint": endpoint, "role": "target", "system": "app", "settings": settings,
            "scope": { "rules": self.rules }, "standing": { "state": "enabled" },
        }))
        .unwrap();
        let (chance, tenant, purpose) = (Seeded::new(1), Tenant::single(), Purpose::Write);
        let key = Arc::new(SealKey::generate(&chance));
        let context = SealContext::of(&tenant, &integration, purpose).unwrap();
        let sealed = key.seal(&context, &Credential::bearer(Secret::new(SECRET)), &chance);
        let transport = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
        Broker::new(tenant, transport, Arc::new(Hands::default()), key).line(
            &integration,
            purpose,
            Some(&sealed),
        )
    }

    fn connector(&self) -> Arc<dyn Connector> {
        build(self.name, &self.settings).unwrap()
    }

    async fn check(&self, endpoint: &str, trusted: Option<&Path>) -> ConnectorError {
        self.connector().check(&self.line(endpoint, trusted)).await.unwrap_err()
    }
}

/// A server with `server.pem` and `server.key` of a folder; it ends with this value. It answers every GET with a page.
struct Served {
    _process: Child,
    port: u16,
}

impl Served {
    async fn start(folder: &Path) -> Self {
        // Free at this moment; if somebody else takes it, the server does not come up and the test says so.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new("openssl")
            .args(["s_server", "-www", "-accept", &format!("127.0.0.1:{port}")])
            .arg("-cert")
            .arg(folder.join("server.pem"))
            .arg("-key")
            .arg(folder.join("server.key"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        loop {
            let line = lines.next_line().await.unwrap();
            if line
                .unwrap_or_else(|| panic!("the server did not come up on port {port}"))
                .starts_with("ACCEPT")
            {
                break;
            }
        }
        // It stops when nobody reads what it says.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { _process: process, port }
    }

    fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }
}

/// Nothing was reached, nothing was done, and the error says why and no secret.
fn unreached(kind: &Kind, error: &ConnectorError, says: &str) {
    assert_eq!((error.kind, error.effect), (ErrorKind::Unreachable, Effect::None), "{}: {error}", kind.name);
    let told = error.message.contains(says) && !error.message.contains(SECRET);
    assert!(told, "{}: {error}", kind.name);
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_done() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    for kind in kinds() {
        let line = kind.line(&endpoint, None);
        let written = kind.connector().apply(&line, Some("x"), &kind.op, None, "k").await.unwrap_err();
        for error in [kind.check(&endpoint, None).await, written] {
            unreached(&kind, &error, "127.0.0.1");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_trusted_is_said_to_be_one() {
    let folders: [_; 3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let [good, other, misnamed] = folders.each_ref().map(|folder| folder.path());
    certify(good, "IP:127.0.0.1");
    certify(other, "IP:127.0.0.1");
    certify(misnamed, "DNS:app.acme.example");
    let (served, elsewhere) = (Served::start(good).await, Served::start(misnamed).await);
    for kind in kinds() {
        for (server, trusted) in [(&served, Some(other)), (&elsewhere, Some(misnamed)), (&served, None)] {
            let error = kind.check(&server.endpoint(), trusted).await;
            unreached(&kind, &error, "certificate");
        }
        // Where it is trusted it is spoken to, and what it says is no answer of such a system.
        let error = kind.check(&served.endpoint(), Some(good)).await;
        assert_ne!(error.kind, ErrorKind::Unreachable, "{}: {error}", kind.name);
    }
}
