//! `bailiwick serve`: the API and the worker loop on one store, until it is told to stop.

use std::{io::ErrorKind, net::SocketAddr, path::PathBuf, sync::Arc};

use clap::Args;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::{JoinError, JoinHandle},
};

use crate::{
    api,
    cli::Context,
    connections::{self, Certificates, Patience, TlsFiles},
    console::TurnedAway,
    entrance::{Entrance, EntranceArgs},
    failure::{Exit, Failure, Result},
    folder::Folder,
    node,
    open::{self, Opened},
    problem::Problem,
    telemetry,
    worker::Worker,
};

/// How many pages may watch what happens at the same time.
const WATCHING: usize = 200;

/// Arguments of `bailiwick serve`.
#[derive(Args)]
#[command(
    after_help = "Stops on Ctrl-C or SIGTERM, after what is under way is done. BAILIWICK_KEY_FILE names the \
    key file\nif it is not in the data folder; BAILIWICK_LOG sets what is logged (default `info`),\nand BAILIWICK_LOG_FORMAT=json writes it as JSON; OTEL_EXPORTER_OTLP_ENDPOINT names a collector of traces.\n\n\
    Example:\n  bailiwick serve --data ./bailiwick-data --listen 127.0.0.1:7460\n  \
    bailiwick serve --listen 0.0.0.0:443 --tls-cert /etc/bailiwick/chain.pem --tls-key /etc/bailiwick/key.pem"
)]
pub struct ServeArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:7460", value_name = "HOST:PORT")]
    listen: SocketAddr,
    /// The certificate to serve with, PEM, with those that lead to its issuer; another one is taken up within a minute
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    entrance: EntranceArgs,
}

/// Where state is kept.
#[derive(Args, Clone)]
pub struct PlaceArgs {
    /// The data folder
    #[arg(long, default_value = "./bailiwick-data", value_name = "DIR")]
    pub data: PathBuf,
    /// The store: a SQLite file, or `postgres://…` [default: DIR/bailiwick.db]
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
}

/// Runs the hub.
pub async fn run(context: &Context<'_>, args: ServeArgs) -> Result<Exit> {
    let _telemetry = telemetry::start(context.environment)?;
    let entrance = Entrance::of(&args.entrance, context.environment)?;
    let folder = Folder::existing(&args.place.data)?;
    let files = args.tls_cert.zip(args.tls_key).map(|(chain, key)| TlsFiles { chain, key });
    let certificates = files.map(Certificates::load).transpose()?.map(Arc::new);
    let scheme = if certificates.is_some() { "https" } else { "http" };
    // The port first: a second hub on the same folder should say so, and not what the log says.
    let listener = listen(args.listen).await?;
    let opened = open::open(folder, args.place.store.as_deref(), context.environment).await?;
    opened.continues_the_log().await?;
    opened.engine.come_back().await.map_err(Problem::from)?;
    let running = Running::start_with(opened, listener, certificates, entrance)?;
    context.output.say(&format!("the hub listens on {scheme}://{}; stop it with Ctrl-C", running.address));
    stopped().await;
    context.output.say("stopping");
    running.stop().await?;
    Ok(Exit::Done)
}

/// A hub at work in this process.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    worker: JoinHandle<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Running {
    /// Starts the API on `listener`, secured if there are certificates, and the worker loop.
    ///
    /// # Errors
    /// `address-unknown` when the listener has none.
    pub fn start(
        opened: Opened,
        listener: TcpListener,
        certificates: Option<Arc<Certificates>>,
    ) -> Result<Self> {
        Self::start_with(opened, listener, certificates, Entrance::default())
    }

    /// The same, where it is said how people come.
    ///
    /// # Errors
    /// `address-unknown` when the listener has none.
    pub fn start_with(
        opened: Opened,
        listener: TcpListener,
        certificates: Option<Arc<Certificates>>,
        entrance: Entrance,
    ) -> Result<Self> {
        let Opened { engine, sequencer, folder, clock } = opened;
        let address = address_of(&listener)?;
        let entrance = entrance.at(address, certificates.is_some());
        let stop = watch::Sender::new(false);
        if let Some(clock) = clock {
            tokio::spawn(node::keep_time(engine.parts().store.clone(), clock, stop.subscribe()));
        }
        let worker = Arc::new(Worker::new(engine.clone(), sequencer.clone()));
        let delivering = tokio::sync::Mutex::new(());
        let hub = api::Hub::new(api::Inner {
            engine,
            sequencer,
            worker: worker.clone(),
            folder,
            delivering,
            under_way: api::UnderWay::default(),
            pace: api::Pace::default(),
            turned_away: TurnedAway::default(),
            entrance,
            watching: Arc::new(Semaphore::new(WATCHING)),
            stopping: stop.subscribe(),
        });
        let told = |mut stopped: watch::Receiver<bool>| async move {
            // An error means that the sender is gone, which is a stop too.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let worker_told = told(stop.subscribe());
        let router = api::router(hub);
        let server =
            connections::serve(listener, certificates, router, Patience::default(), stop.subscribe());
        Ok(Self {
            address,
            stop,
            worker: tokio::spawn(async move { worker.run(worker_told).await }),
            server: tokio::spawn(server),
        })
    }

    /// Stops it: requests are answered, the work at hand is finished, its evidence is published.
    ///
    /// # Errors
    /// `serve-failed`.
    pub async fn stop(self) -> Result<()> {
        let Self { address: _, stop, worker, server } = self;
        stop.send_replace(true);
        let ended =
            |error: JoinError| Failure::refused("serve-failed", "the hub ended abnormally").because(&error);
        let served = server.await.map_err(ended)?;
        worker.await.map_err(ended)?;
        served.map_err(|error| Failure::refused("serve-failed", "the hub stopped serving").because(&error))
    }
}

/// Listens on an address.
///
/// # Errors
/// `port-in-use`, `cannot-listen`.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            Failure::usage("port-in-use", format!("something else listens on `{address}`"))
        }
        _ => Failure::usage("cannot-listen", format!("cannot listen on `{address}`")).because(&error),
    })
}

/// Where a listener listens.
///
/// # Errors
/// `cannot-listen`.
pub fn address_of(listener: &TcpListener) -> Result<SocketAddr> {
    listener
        .local_addr()
        .map_err(|error| Failure::usage("cannot-listen", "the listener has no address").because(&error))
}

/// Resolves on Ctrl-C or SIGTERM.
pub async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without the signal there is Ctrl-C still.
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
