//! The lab on a socket of this process, on a thread of its own.

use std::{sync::Arc, thread};

use axum::Router;
use bailiwick_lab::{Lab, LabClock};
use tokio::{net::TcpListener, sync::oneshot};

/// A clock that goes.
pub struct Going;

impl LabClock for Going {
    #[expect(clippy::disallowed_methods, reason = "simulated systems beside a real hub have the real time")]
    fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }
}

/// A lab that is served; it ends with this.
pub struct Served {
    /// Where it listens.
    pub address: String,
    stop: Option<oneshot::Sender<()>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

/// Serves a lab, or what is laid around one. Calls of it are done one after the other, in the order in which they come.
pub fn served(router: Router) -> Served {
    let (told, address) = std::sync::mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(listener.local_addr().unwrap().to_string()).unwrap();
            tokio::select! {
                ended = async { axum::serve(listener, router).await } => ended.unwrap(),
                _ = stopped => {}
            }
        });
    });
    Served { address: address.recv().unwrap(), stop: Some(stop) }
}

/// A lab of faithful systems whose clock goes.
pub fn faithful(names: &[String], page: usize) -> Lab {
    let spec = |(seed, name): (u64, &String)| {
        let tokens = bailiwick_lab::Tokens { write: format!("{name}-write"), read: format!("{name}-read") };
        bailiwick_lab::SystemSpec::new(name, seed, tokens).paged(bailiwick_lab::Paging::Index, page)
    };
    Lab::new(Arc::new(Going), (1..).zip(names).map(spec).collect()).unwrap()
}
