//! Connections of those who call: taken in, secured, and ended.
//!
//! Promises: at most so many at a time, the rest wait outside; who says nothing, or says it too slowly, is not waited
//! for, nor is who does not read the answer; whoever shakes hands holds nobody else up; on a stop requests are answered
//! and connections end within the patience for it. HTTP/1.1 only: what is served here has few large pages and no need for streams beside each other.

mod tls;

use std::{io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_io_timeout::TimeoutStream;

pub use self::tls::{Certificates, TlsFiles};

/// How long others are waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How many connections there are at most.
    pub most: usize,
    /// Until hands are shaken.
    pub handshake: Duration,
    /// Until the head of a request is there, and between two requests.
    pub head: Duration,
    /// Until somebody has read a part of an answer that is more than fits on the way.
    pub reading: Duration,
    /// Until connections have ended on a stop.
    pub ending: Duration,
    /// After so long it is looked whether there is another certificate.
    pub renewal: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            most: 4_096,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(20),
            reading: Duration::from_secs(60),
            ending: Duration::from_secs(30),
            renewal: Duration::from_secs(60),
        }
    }
}

/// Serves until `stop` says true; then ends what is under way.
///
/// # Errors
/// None that one caller causes; when the listener is gone.
pub async fn serve(
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    router: Router,
    patience: Patience,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(patience.most));
    let mut connections = JoinSet::new();
    let mut renewal = interval(patience.renewal);
    renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // A place first: who finds none waits with the system, and costs nothing here.
        let taken = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            taken = taken => taken,
            _ = stop.wait_for(|stop| *stop) => break,
            _ = renewal.tick() => {
                if let Some(certificates) = &certificates {
                    certificates.renew();
                }
                continue;
            }
            Some(_) = connections.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Mostly that no more files can be open: one that ends makes room.
                tracing::warn!(%error, "a connection was not taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (certificates, router, stop) = (certificates.clone(), router.clone(), stop.clone());
        connections.spawn(async move {
            let _place = place;
            connected(stream, certificates, router, patience, stop).await;
        });
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(patience.ending, ended).await.is_err() {
        tracing::warn!(left = connections.len(), "connections were cut off");
    }
    Ok(())
}

async fn connected(
    stream: TcpStream,
    certificates: Option<Arc<Certificates>>,
    router: Router,
    patience: Patience,
    stop: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting for more of them gains nothing.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience.reading));
    let stream = Box::pin(stream);
    match certificates {
        None => requests(stream, router, patience, stop).await,
        Some(certificates) => match timeout(patience.handshake, certificates.accept(stream)).await {
            Ok(Ok(stream)) => requests(stream, router, patience, stop).await,
            // Scanners and clients that do not trust us; nothing that somebody here could mend.
            Ok(Err(error)) => tracing::debug!(%error, "no hands were shaken"),
            Err(_) => tracing::debug!("no hands were shaken in time"),
        },
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    patience: Patience,
    mut stop: watch::Receiver<bool>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.head);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    // An error means that who would stop it is gone, which is a stop too.
    let told = async { drop(stop.wait_for(|stop| *stop).await) };
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = told => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests;
