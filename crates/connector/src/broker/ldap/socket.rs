//! The connections of production: TCP, TLS by rustls.

use std::{pin::Pin, sync::Arc, task, time::Duration};

use async_trait::async_trait;
use bailiwick_core::dn::Dn;
use bytes::{Buf, BytesMut};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    super::transport::{TransportError, TransportErrorKind},
    Address, Answered, Connection, Directory, PasswordForm, Protection, Search, Show, Shown, Write,
    ber::Malformed,
    decode::{self, Message, Said},
    encode::{self, Request},
};

/// How long and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketLimits {
    /// To make a connection, TLS included.
    pub connect: Duration,
    /// Between two pieces of an answer, and to its first.
    pub silence: Duration,
    /// The largest single message, bytes.
    pub message: usize,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), silence: Duration::from_secs(60), message: 64 << 20 }
    }
}

/// How much room is kept for what comes.
const ROOM: usize = 256 << 10;

/// Connections over TCP. No proxy, no retry.
#[derive(Debug, Clone, Default)]
pub struct Sockets {
    limits: SocketLimits,
}

impl Sockets {
    /// Connections with these limits.
    pub fn new(limits: SocketLimits) -> Self {
        Self { limits }
    }
}

#[async_trait]
impl Directory for Sockets {
    async fn open(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError> {
        let limit = self.limits.connect;
        match timeout(limit, Socket::open(address, self.limits.clone())).await {
            Ok(opened) => Ok(Box::new(opened?)),
            Err(_) => {
                let cause = format!("no connection within {} s", limit.as_secs());
                Err(TransportError { kind: TransportErrorKind::Timeout, sent: false, cause })
            }
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

struct Socket {
    stream: Box<dyn Stream>,
    /// What came and was not read yet.
    buffer: BytesMut,
    limits: SocketLimits,
    id: i32,
}

impl Socket {
    async fn open(address: &Address, limits: SocketLimits) -> Result<Self, TransportError> {
        let tls = match address.protection {
            Protection::Tls | Protection::StartTls => Some(config(address)?),
            Protection::Plain => None,
        };
        let addresses = address.guide.addresses(&address.host, address.port).await?;
        let stream = TcpStream::connect(addresses.as_slice()).await;
        let stream = stream.map_err(|e| unreachable(e.to_string()))?;
        stream.set_nodelay(true).map_err(|e| unreachable(e.to_string()))?;
        let plain = Self { stream: Box::new(stream), buffer: BytesMut::with_capacity(ROOM), limits, id: 0 };
        match (tls, address.protection) {
            (Some(config), Protection::Tls) => plain.protect(address, config).await,
            (Some(config), _) => {
                let mut plain = plain;
                let request = encode::start_tls(plain.next_id());
                let answered = plain.ask(request, &mut |_| {}).await?;
                if answered.code != 0 {
                    let why = format!("it does not do TLS: result {} {}", answered.code, answered.message);
                    return Err(unreachable(why));
                }
                // What somebody put behind the answer in clear would be read as if TLS had protected it.
                if !plain.buffer.is_empty() {
                    return Err(unreachable("it went on in clear after TLS was agreed".into()));
                }
                plain.protect(address, config).await
            }
            (None, _) => Ok(plain),
        }
    }

    async fn protect(self, address: &Address, config: ClientConfig) -> Result<Self, TransportError> {
        let name = ServerName::try_from(address.host.clone());
        let name = name.map_err(|e| unreachable(format!("TLS: {e}")))?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, self.stream).await;
        let stream = Box::new(stream.map_err(|e| unreachable(format!("TLS: {e}")))?);
        Ok(Self { stream, ..self })
    }

    fn next_id(&mut self) -> i32 {
        self.id = if self.id == i32::MAX { 1 } else { self.id + 1 };
        self.id
    }

    /// Sends a request with the current number and reads to its end.
    async fn ask(&mut self, request: Request, show: Show<'_>) -> Result<Answered, TransportError> {
        let silence = self.limits.silence;
        let sent = async {
            self.stream.write_all(&request).await?;
            self.stream.flush().await
        };
        match timeout(silence, sent).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(broken(e.to_string())),
            Err(_) => return Err(silent(silence)),
        }
        drop(request);
        let (mut received, mut references) = (0, 0);
        loop {
            while let Some(length) = decode::whole(&self.buffer).map_err(malformed)? {
                if length > self.limits.message {
                    return Err(self.too_large());
                }
                let Some(bytes) = self.buffer.get(..length) else { break };
                let message = Message::parse(bytes).map_err(malformed)?;
                if message.id == 0 {
                    return Err(broken("it said that it disconnects".into()));
                }
                if message.id != i64::from(self.id) {
                    return Err(broken("it answered something that was not asked".into()));
                }
                received += length as u64;
                match message.said {
                    Said::Entry(entry) => show(Shown::Entry(entry)),
                    Said::Sync(info) => show(Shown::Sync(info)),
                    Said::Reference => {
                        references += 1;
                        show(Shown::Reference);
                    }
                    Said::Other => {}
                    Said::Done(answered) => {
                        self.buffer.advance(length);
                        return Ok(Answered { received, references, ..*answered });
                    }
                }
                self.buffer.advance(length);
            }
            self.more(silence).await?;
        }
    }

    async fn more(&mut self, silence: Duration) -> Result<(), TransportError> {
        self.buffer.reserve(ROOM);
        match timeout(silence, self.stream.read_buf(&mut self.buffer)).await {
            Ok(Ok(0)) => Err(broken("it closed the connection".into())),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) => Err(broken(e.to_string())),
            Err(_) => Err(silent(silence)),
        }
    }

    fn too_large(&self) -> TransportError {
        let cause = format!("a message is larger than {} bytes", self.limits.message);
        TransportError { kind: TransportErrorKind::TooLarge, sent: true, cause }
    }
}

#[async_trait]
impl Connection for Socket {
    fn usable(&mut self) -> bool {
        let mut byte = [0];
        let mut nothing = ReadBuf::new(&mut byte);
        let mut now = task::Context::from_waker(task::Waker::noop());
        // Nobody was asked, so whatever can be read, an end or a notice, is a good-bye.
        self.buffer.is_empty() && Pin::new(&mut self.stream).poll_read(&mut now, &mut nothing).is_pending()
    }

    async fn bind(&mut self, name: &str, secret: &[u8]) -> Result<Answered, TransportError> {
        let request = encode::bind(self.next_id(), name, secret);
        self.ask(request, &mut |_| {}).await
    }

    async fn search(&mut self, search: &Search<'_>, show: Show<'_>) -> Result<Answered, TransportError> {
        let request = encode::search(self.next_id(), search);
        self.ask(request, show).await
    }

    async fn write(&mut self, write: &Write<'_>) -> Result<Answered, TransportError> {
        let request = encode::write(self.next_id(), write);
        self.ask(request, &mut |_| {}).await
    }

    async fn set_password(
        &mut self,
        target: &Dn,
        secret: &[u8],
        form: PasswordForm,
    ) -> Result<Answered, TransportError> {
        let request = encode::set_password(self.next_id(), target, secret, form);
        self.ask(request, &mut |_| {}).await
    }
}

fn config(address: &Address) -> Result<ClientConfig, TransportError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| unreachable(format!("TLS: {e}")))?;
    let Some(file) = &address.ca_file else {
        let public = builder.with_platform_verifier().map_err(|e| unreachable(format!("TLS: {e}")))?;
        return Ok(public.with_no_client_auth());
    };
    let unreadable = |why: String| unreachable(format!("`ca_file`: `{}` {why}", file.display()));
    let mut roots = RootCertStore::empty();
    for one in CertificateDer::pem_file_iter(file).map_err(|e| unreadable(format!("cannot be read: {e}")))? {
        let one = one.map_err(|e| unreadable(format!("is not PEM: {e}")))?;
        roots.add(one).map_err(|e| unreadable(format!("has no usable authority: {e}")))?;
    }
    if roots.is_empty() {
        return Err(unreadable("has no certificate".into()));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn unreachable(cause: String) -> TransportError {
    TransportError { kind: TransportErrorKind::Unreachable, sent: false, cause }
}

fn broken(cause: String) -> TransportError {
    TransportError { kind: TransportErrorKind::Broken, sent: true, cause }
}

fn malformed(Malformed(why): Malformed) -> TransportError {
    broken(format!("its answer cannot be read: {why}"))
}

fn silent(silence: Duration) -> TransportError {
    let cause = format!("nothing came for {} s", silence.as_secs());
    TransportError { kind: TransportErrorKind::Timeout, sent: true, cause }
}
