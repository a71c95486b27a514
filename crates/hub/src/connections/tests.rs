//! Who is slow, who is many, and who is heard by whom: on real connections.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use axum::routing::get;
use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Nobody is waited for long.
const SHORT: Patience = Patience {
    most: 2,
    handshake: Duration::from_millis(100),
    head: Duration::from_millis(100),
    reading: Duration::from_millis(100),
    ending: Duration::from_millis(500),
    renewal: Duration::from_millis(20),
};

/// More than fits on the way to somebody who does not read.
const MUCH: usize = 64 << 20;

struct Served {
    address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<io::Result<()>>,
}

async fn served(certificates: Option<Arc<Certificates>>, patience: Patience) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let much = || async { vec![b'x'; MUCH] };
    let router = Router::new().route("/", get(|| async { "here" })).route("/much", get(much));
    let stop = watch::Sender::new(false);
    let task = tokio::spawn(serve(listener, certificates, router, patience, stop.subscribe()));
    Served { address, stop, task }
}

/// Sends bytes and reads until the connection ends.
async fn said(served: &Served, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn who_is_slow_is_not_waited_for_and_takes_no_place() {
    let served = served(None, SHORT).await;
    let answer = said(&served, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
    // Half a head, nothing at all, and silence after an answer: each ends by itself.
    for bytes in [&b"GET / HTTP/1.1\r\nHos"[..], b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let answer = said(&served, bytes).await;
        assert!(!answer.contains("200") || bytes.ends_with(b"\r\n\r\n"), "{answer}");
    }
    // More than there are places: those outside are served when the silent ones were sent away.
    let silent = [TcpStream::connect(served.address).await, TcpStream::connect(served.address).await];
    let answer = said(&served, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.ends_with("here"), "{answer}");
    drop(silent);
}

/// Whoever asks for much and reads nothing of it would keep a place for ever.
#[tokio::test]
async fn who_does_not_read_is_not_waited_for_and_takes_no_place() {
    let served = served(None, Patience { head: Duration::from_secs(3_600), ..SHORT }).await;
    let mut deaf = Vec::new();
    for _ in 0..SHORT.most {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        deaf.push(stream);
    }
    let answer = said(&served, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.ends_with("here"), "{answer}");
    // What was on the way is there, and no more.
    let mut read = Vec::new();
    let _ = deaf[0].read_to_end(&mut read).await;
    assert!(read.len() < MUCH, "{}", read.len());
    // Who reads gets all of it, however much that is.
    let answer = said(&served, b"GET /much HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.len() > MUCH, "{}", answer.len());
}

#[tokio::test]
async fn a_stop_ends_what_is_open() {
    let patience = Patience { head: Duration::from_secs(3_600), ..SHORT };
    let Served { address, stop, task } = served(None, patience).await;
    let mut open = TcpStream::connect(address).await.unwrap();
    open.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    open.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stop.send_replace(true);
    task.await.unwrap().unwrap();
    let mut rest = Vec::new();
    open.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[test]
fn heads_that_two_readers_would_read_differently_are_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let served = served(None, SHORT).await;
        let head = |lines: &str| {
            format!("POST / HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
        };
        for lines in [
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: +5",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunked, identity",
            "Content-Length : 5",
            "X: a\r\n b\r\nContent-Length: -1",
        ] {
            let answer = said(&served, head(lines).as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{lines}: {answer}");
            assert!(!answer.contains("here"), "{lines}: what follows is no request: {answer}");
        }
        let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(600_000));
        assert!(said(&served, long.as_bytes()).await.starts_with("HTTP/1.1 431"));
        let many: String = (0..200).map(|n| format!("X{n}: y\r\n")).collect();
        assert!(
            said(&served, format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n").as_bytes())
                .await
                .starts_with("HTTP/1.1 431")
        );
    });
}

/// Writes a certificate for `localhost` by a new key; gives its PEM.
fn certified(folder: &Path) -> String {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(folder.join("chain.pem"), certificate.pem()).unwrap();
    certificate.pem()
}

fn files(folder: &Path) -> TlsFiles {
    TlsFiles { chain: folder.join("chain.pem"), key: folder.join("key.pem") }
}

/// Asks with one certificate trusted.
async fn asked(served: &Served, trusted: &str) -> reqwest::Result<String> {
    let trusted = reqwest::Certificate::from_pem(trusted.as_bytes())?;
    let http = reqwest::Client::builder().tls_certs_only([trusted]).no_proxy().build()?;
    http.get(format!("https://localhost:{}/", served.address.port())).send().await?.text().await
}

#[tokio::test]
async fn with_a_certificate_everything_is_secured_and_another_one_is_taken_up() {
    let home = tempfile::tempdir().unwrap();
    let first = certified(home.path());
    let certificates = Arc::new(Certificates::load(files(home.path())).unwrap());
    let served = served(Some(Arc::clone(&certificates)), SHORT).await;
    assert_eq!(asked(&served, &first).await.unwrap(), "here");
    // In clear nothing is answered, and who shakes no hands is not waited for.
    assert!(!said(&served, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.contains("200"));
    assert_eq!(said(&served, b"").await, "");

    // What cannot be used does not take the place of what can.
    fs::write(home.path().join("chain.pem"), "none").unwrap();
    certificates.renew();
    assert_eq!(asked(&served, &first).await.unwrap(), "here");
    let second = certified(home.path());
    certificates.renew();
    assert!(asked(&served, &first).await.is_err());
    assert_eq!(asked(&served, &second).await.unwrap(), "here");
}

#[test]
fn a_certificate_that_cannot_be_used_says_why() {
    let home = tempfile::tempdir().unwrap();
    let code = || Certificates::load(files(home.path())).err().expect("it is refused").code().to_owned();
    assert_eq!(code(), "tls-unreadable");
    certified(home.path());
    let key = fs::read(home.path().join("key.pem")).unwrap();
    fs::write(home.path().join("key.pem"), "none").unwrap();
    assert_eq!(code(), "tls-unreadable");
    fs::write(home.path().join("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert_eq!(code(), "tls-unfit");
    fs::write(home.path().join("key.pem"), key).unwrap();
    assert!(Certificates::load(files(home.path())).is_ok());
    fs::set_permissions(home.path().join("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(code(), "tls-key-open");
}
