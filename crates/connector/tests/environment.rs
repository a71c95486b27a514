//! The environment of the process does not send anything elsewhere: a proxy that its variables name is not
//! asked. The call is made in a process of its own, because variables belong to a whole process.

#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "the variable by which the test speaks to its own child")]

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use bailiwick_connector::{
    Broker, Call,
    broker::{HttpLimits, HttpTransport},
    seal::{Credential, SealContext, SealKey, Secret},
    testkit::{Hands, Seeded},
};
use bailiwick_core::{
    id::Tenant,
    integration::{Integration, Purpose},
    scope::Operation,
};

const TARGET: &str = "BAILIWICK_TEST_TARGET";

/// Answers everybody and keeps what it was sent; its port.
fn server() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let got: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = got.clone();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap_or(0);
            heard.lock().unwrap().push(String::from_utf8_lossy(&head[..length]).into_owned());
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
        }
    });
    (port, got)
}

#[test]
fn a_proxy_of_the_environment_is_not_asked() {
    let ((target, reached), (proxy, asked)) = (server(), server());
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "the_call_itself", "--ignored"]).env(TARGET, target.to_string());
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        child.env(name, format!("http://127.0.0.1:{proxy}"));
    }
    let ended = child.env_remove("no_proxy").env_remove("NO_PROXY").output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    assert_eq!(*asked.lock().unwrap(), Vec::<String>::new());
    let reached = reached.lock().unwrap();
    assert!(reached.len() == 1 && reached[0].starts_with("GET /Users/1 "), "{reached:?}");
}

#[tokio::test]
#[ignore = "run by a_proxy_of_the_environment_is_not_asked, with its variables"]
async fn the_call_itself() {
    let Ok(port) = std::env::var(TARGET) else { return };
    let integration: Integration = serde_json::from_value(serde_json::json!({
        "name": "chat", "purpose": "test", "owner": "hr/1", "backup": "hr/2", "connector": "scim",
        "endpoint": format!("http://127.0.0.1:{port}"), "role": "target", "system": "chat",
        "scope": { "rules": ["get GET /Users/{id}"] }, "standing": { "state": "enabled" },
    }))
    .unwrap();
    let key = Arc::new(SealKey::generate(&Seeded::new(1)));
    let context = SealContext::of(&Tenant::single(), &integration, Purpose::Write).unwrap();
    let sealed = key.seal(&context, &Credential::bearer(Secret::new("s3cr3t")), &Seeded::new(2));
    let transport = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
    let broker = Broker::new(Tenant::single(), transport, Arc::new(Hands::default()), key);
    let line = broker.line(&integration, Purpose::Write, Some(&sealed));
    assert_eq!(line.send(Call::new(Operation::Get, "GET", "/Users/1")).await.unwrap().status, 200);
}
