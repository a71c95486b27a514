//! The lab on a real socket: a lost answer is a closed connection, and only loopback is served.

use std::sync::Arc;

use bailiwick_lab::{Behaviour, Lab, ManualClock, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::harness::{START_MS, USER, spec};

async fn exchange(stream: &mut TcpStream, request: &str) -> Vec<u8> {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    // A whole answer of ours fits one read; nothing at all is a closed connection.
    let read = stream.read(&mut buffer).await.unwrap_or(0);
    answer.extend_from_slice(&buffer[..read]);
    answer
}

fn create(name: &str) -> String {
    let body = format!("{{\"schemas\": [\"{USER}\"], \"userName\": \"{name}\"}}");
    format!(
        "POST /acme/scim/v2/Users HTTP/1.1\r\nHost: lab\r\nAuthorization: Bearer w\r\nIdempotency-Key: {name}\r\n\
         Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_lost_answer_closes_the_connection_after_the_commit() {
    let mut spec = spec(&[Behaviour::TimeoutAfterCommit]);
    (spec.seed, spec.timing.timeout_every) = (0, 2);
    let lab = Lab::new(Arc::new(ManualClock::new(START_MS)), vec![spec]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(lab.clone(), listener, async {
        stopped.await.ok();
    }));

    let mut stream = TcpStream::connect(address).await.unwrap();
    let first = exchange(&mut stream, &create("a")).await;
    assert!(first.starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(&first));
    let second = exchange(&mut stream, &create("b")).await;
    assert_eq!(String::from_utf8_lossy(&second), "", "not a byte of the lost answer");
    assert!(lab.truth("acme").unwrap().user("b").is_some(), "it was committed");

    let mut stream = TcpStream::connect(address).await.unwrap();
    let again = exchange(&mut stream, &create("b")).await;
    assert!(again.starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(&again));
    assert_eq!(lab.truth("acme").unwrap().users.len(), 2);
    drop(stream);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn only_loopback_is_served() {
    let lab = Lab::new(Arc::new(ManualClock::default()), vec![spec(&[])]).unwrap();
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = serve(lab, listener, async {}).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}
