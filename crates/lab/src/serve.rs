//! The lab on a socket, including connections that break without an answer.
//!
//! A [`Dropped`] response must not reach the client, and HTTP has no way to say so from within a handler. So each
//! accepted stream carries a switch: the handler throws it, every later write to the stream fails, and the server
//! closes the connection before a byte of the answer is sent. To the client that is a lost answer.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, connect_info::Connected},
    http::Response,
    middleware::{self, Next},
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

use crate::{Dropped, Lab};

/// Serves a lab until `shutdown` resolves and open requests are answered.
///
/// # Errors
/// `InvalidInput` if the listener is not on a loopback address: the back door is open to whoever reaches it.
pub async fn serve(
    lab: Lab,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let reason = format!("the lab listens on loopback only, not on `{address}`");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let app = lab.router().layer(middleware::from_fn(sever_dropped));
    let app = app.into_make_service_with_connect_info::<Switch>();
    axum::serve(SeverableListener(listener), app).with_graceful_shutdown(shutdown).await
}

async fn sever_dropped(
    ConnectInfo(switch): ConnectInfo<Switch>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let response = next.run(request).await;
    if response.extensions().get::<Dropped>().is_some() {
        switch.0.store(true, Ordering::SeqCst);
    }
    response
}

/// Thrown once, a stream's switch makes it fail for good.
#[derive(Clone, Default)]
struct Switch(Arc<AtomicBool>);

impl Connected<IncomingStream<'_, SeverableListener>> for Switch {
    fn connect_info(stream: IncomingStream<'_, SeverableListener>) -> Self {
        stream.io().switch.clone()
    }
}

struct SeverableListener(TcpListener);

impl Listener for SeverableListener {
    type Io = SeverableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (SeverableStream { stream, switch: Switch::default() }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

struct SeverableStream {
    stream: TcpStream,
    switch: Switch,
}

impl SeverableStream {
    fn check(&self) -> io::Result<()> {
        match self.switch.0.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::ConnectionReset.into()),
            false => Ok(()),
        }
    }
}

impl AsyncRead for SeverableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for SeverableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
