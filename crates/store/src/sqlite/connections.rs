//! Connections to one SQLite database, and the thread on which their work is done.
//!
//! Promises: who asks first is served first; a connection that is given back is in no transaction, also when
//! its user went away in the middle of a statement.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::sql::Failure;

/// Where statements are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thread {
    /// On one that may wait for the disk, so that nothing else waits with it.
    Another,
    /// On the one that asks: right where nothing is ever waited for, in memory. A call is done when it is
    /// first polled.
    #[cfg(feature = "testkit")]
    Own,
}

/// Opens one more connection.
type Opening = Box<dyn Fn() -> rusqlite::Result<Connection> + Send + Sync>;

/// Connections of one kind, at most so many.
#[derive(Clone)]
pub(super) struct Connections {
    turns: Arc<Semaphore>,
    home: Arc<Home>,
}

struct Home {
    idle: Mutex<Vec<Connection>>,
    opening: Opening,
    thread: Thread,
}

impl Connections {
    /// At most `most`, opened when they are needed.
    pub(super) fn new(most: usize, thread: Thread, opening: Opening) -> Self {
        let home = Home { idle: Mutex::default(), opening, thread };
        Self { turns: Arc::new(Semaphore::new(most)), home: Arc::new(home) }
    }

    /// Adds one that is open.
    pub(super) fn with(self, connection: Connection) -> Self {
        self.home.give_back(connection);
        self
    }

    /// Waits for its turn.
    pub(super) async fn take(&self) -> Result<Held, Failure> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Failure::Gone)?;
        let connection = self.home.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok(Held { connection, home: Arc::clone(&self.home), _turn: turn })
    }
}

impl Home {
    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

/// A connection that nobody else uses meanwhile.
pub(super) struct Held {
    /// Absent until it is first used, when it has to be opened.
    connection: Option<Connection>,
    home: Arc<Home>,
    // The last field: the connection is back before the next one has its turn.
    _turn: OwnedSemaphorePermit,
}

impl Held {
    /// Does something with it, on the right thread. A caller that goes away meanwhile leaves the connection to that
    /// thread, which gives it back.
    pub(super) async fn run<T: Send + 'static>(
        mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<(Self, rusqlite::Result<T>), Failure> {
        let thread = self.home.thread;
        let run = move || {
            let done = self.now(work);
            (self, done)
        };
        match thread {
            #[cfg(feature = "testkit")]
            Thread::Own => Ok(run()),
            Thread::Another => tokio::task::spawn_blocking(run).await.map_err(|_| Failure::Gone),
        }
    }

    fn now<T>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        match &self.connection {
            Some(connection) => work(connection),
            None => {
                let opened = (self.home.opening)()?;
                work(self.connection.insert(opened))
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // A full disk makes SQLite roll back by itself. One that cannot roll back is of no use any more.
        if connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok() {
            self.home.give_back(connection);
        }
    }
}
