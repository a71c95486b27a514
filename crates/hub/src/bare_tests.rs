//! A hub that was just set up, and runs in the process of a test.

use tempfile::TempDir;

use crate::{
    entrance::Entrance,
    environment::Environment,
    init::{self, FirstToken},
    open::Opened,
    serve::Running,
};

/// Sets one up, with an administrator of this name; it lives as long as its folder.
pub async fn set_up(operator: &str) -> (TempDir, Opened, FirstToken) {
    let dir = tempfile::tempdir().unwrap();
    let start = init::Start {
        dir: dir.path().join("data"),
        store: None,
        operator: operator.into(),
        person: None,
        origin: Some("bailiwick.test/log".into()),
    };
    let (opened, token) = init::set_up(start, &Environment::default()).await.unwrap();
    (dir, opened, token)
}

/// Runs it on a port of its own; gives who asks it as well.
pub async fn run(opened: Opened, entrance: Entrance) -> (Running, reqwest::Client) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = Running::start_with(opened, listener, None, entrance).unwrap();
    (running, reqwest::Client::builder().no_proxy().build().unwrap())
}
