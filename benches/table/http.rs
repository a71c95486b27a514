//! HTTP as bare as it can be: a client of one connection that is kept, and a handler that always says the same.

use std::{
    io::{BufRead, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use axum::{Router, body::Bytes, http::header, routing::any};
use tokio::{net::TcpListener, runtime::Runtime};

/// One connection that is kept, or, when the server keeps none, one for each call.
pub struct Client {
    stream: BufReader<TcpStream>,
    address: String,
    /// Whether the server has said that it closes the connection.
    closed: bool,
    token: String,
    /// The body of the last answer.
    pub answer: Vec<u8>,
}

impl Client {
    /// Connects, and shows this token with every call.
    pub fn new(address: &str, token: &str) -> Self {
        Self {
            stream: connected(address),
            address: address.to_owned(),
            closed: false,
            token: token.to_owned(),
            answer: Vec::new(),
        }
    }

    /// Shows another token from now on.
    pub fn show(&mut self, token: &str) {
        token.clone_into(&mut self.token);
    }

    /// Calls; gives the status.
    pub fn call(&mut self, method: &str, path: &str, body: &str) -> u16 {
        let kind = if path.contains("/scim/") { "application/scim+json" } else { "application/json" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: hub.test\r\nAuthorization: Bearer {}\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        if self.closed {
            self.stream = connected(&self.address);
            self.closed = false;
        }
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut status, mut length, mut line) = (0, 0, String::new());
        loop {
            line.clear();
            assert!(
                self.stream.read_line(&mut line).unwrap() > 0,
                "{method} {path}: the connection is closed"
            );
            let lower = line.trim().to_ascii_lowercase();
            if let Some(rest) = lower.strip_prefix("http/1.") {
                status = rest[2..5].parse().unwrap();
                self.closed = rest.starts_with('0');
            } else if lower == "connection: close" {
                self.closed = true;
            } else if let Some(rest) = lower.strip_prefix("content-length:") {
                length = rest.trim().parse().unwrap();
            } else if lower.is_empty() {
                break;
            }
        }
        self.answer.resize(length, 0);
        self.stream.read_exact(&mut self.answer).unwrap();
        status
    }

    /// Calls, and stops the case unless the status is this one.
    pub fn must(&mut self, expect: u16, method: &str, path: &str, body: &str) {
        let status = self.call(method, path, body);
        assert_eq!(status, expect, "{method} {path}: {}", String::from_utf8_lossy(&self.answer));
    }
}

fn connected(address: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    BufReader::new(stream)
}

/// A handler that reads what it is sent and answers with these bytes, whatever it is asked; gives where it listens.
pub fn bare(runtime: &Runtime, kind: &'static str, answer: Vec<u8>) -> String {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let handler = move |_asked: Bytes| {
        let answer = answer.clone();
        async move { ([(header::CONTENT_TYPE, kind)], answer) }
    };
    let router = Router::new().route("/{*path}", any(handler));
    runtime.spawn(async move { axum::serve(listener, router).await });
    address
}
