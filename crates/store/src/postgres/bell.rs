//! Telling other processes that there is work, by `NOTIFY`, and hearing it.
//!
//! Promises: whoever queues work waits for nothing here. The bell is rung after the commit, by itself and once for all
//! that was committed meanwhile, because a transaction that notifies keeps every other one that does from committing. So a
//! process may die before it rings: who hears it looks now and then all the same.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};

use crate::{Bell, Result, StoreError, sql::Failure};

const CHANNEL: &str = "bailiwick_work";
const RING: &str = "NOTIFY bailiwick_work";
/// How long a first ring may take; whatever keeps it away, it is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Rings for others.
#[derive(Clone)]
pub(super) struct Rope {
    pool: PgPool,
    /// Whether somebody is about to ring.
    pulled: Arc<AtomicBool>,
}

impl Rope {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool, pulled: Arc::default() }
    }

    /// Has it rung soon. A bell that cannot be rung is no failure.
    pub(super) fn pull(&self) {
        if self.pulled.swap(true, Ordering::SeqCst) {
            return;
        }
        let Self { pool, pulled } = self.clone();
        tokio::spawn(async move {
            let connection = pool.acquire().await;
            // What is committed from here on rings again.
            pulled.store(false, Ordering::SeqCst);
            if let Ok(mut connection) = connection {
                drop(sqlx::raw_sql(RING).execute(&mut *connection).await);
            }
        });
    }
}

/// Hears it.
struct Listening(PgListener);

/// Listens, if what is rung comes through.
pub(super) async fn hang(options: PgConnectOptions, pool: &PgPool) -> Result<Option<Box<dyn Bell>>> {
    let one = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let own = one.acquire_timeout(PATIENCE).connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&own).await.map_err(Failure::Postgres)?;
    listener.listen(CHANNEL).await.map_err(Failure::Postgres)?;
    sqlx::raw_sql(RING).execute(pool).await.map_err(Failure::Postgres)?;
    match tokio::time::timeout(PATIENCE, listener.recv()).await {
        Ok(Ok(_)) => Ok(Some(Box::new(Listening(listener)))),
        Ok(Err(error)) => Err(StoreError::from(Failure::Postgres(error))),
        Err(_) => Ok(None),
    }
}

#[async_trait::async_trait]
impl Bell for Listening {
    async fn rings(&mut self) -> Result<()> {
        // After the connection was lost, it may have rung.
        self.0.try_recv().await.map_err(Failure::Postgres)?;
        while self.0.next_buffered().is_some() {}
        Ok(())
    }
}
