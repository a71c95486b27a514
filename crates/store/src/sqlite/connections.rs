//! Connections to one SQLite database, and the thread on which their work is done.
//!
//! Promises: who asks first is served first; a connection that is given back is in no transaction, also when
//! its user went away in the middle of a statement. What is long, and what lasts, is done on a thread that may
//! wait for the disk or for a lock. What is short is done on the thread that asks: to hand it over takes longer.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::BUSY;
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

/// A question is short that takes at most this many steps of SQLite's machine, or twice as many: a millisecond or two.
const SHORT: i32 = 50_000;
/// What is counted for a connection whose questions may take long.
const LONG: u32 = u32::MAX / 2;

/// Opens one more connection.
type Opening = Box<dyn Fn() -> rusqlite::Result<Connection> + Send + Sync>;

/// Connections of one kind, at most so many.
#[derive(Clone)]
pub(super) struct Connections {
    turns: Arc<Semaphore>,
    home: Arc<Home>,
}

struct Home {
    idle: Mutex<Vec<Open>>,
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
    pub(super) fn with(self, connection: Connection) -> rusqlite::Result<Self> {
        self.home.give_back(Open::new(connection)?);
        Ok(self)
    }

    /// Waits for its turn.
    pub(super) async fn take(&self) -> Result<Held, Failure> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Failure::Gone)?;
        let connection = self.home.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok(Held { connection, home: Arc::clone(&self.home), _turn: turn })
    }
}

/// A connection, and how often SQLite has told of a question that it took many steps.
struct Open {
    connection: Connection,
    told: Arc<AtomicU32>,
}

impl Open {
    fn new(connection: Connection) -> rusqlite::Result<Self> {
        let told = Arc::new(AtomicU32::new(LONG));
        let counting = Arc::clone(&told);
        // The steps of earlier runs of a statement count too, so that the first time says little.
        let too_long = move || counting.fetch_add(1, Ordering::Relaxed) == 1;
        connection.progress_handler(SHORT, Some(too_long))?;
        Ok(Self { connection, told })
    }
}

impl Home {
    fn give_back(&self, connection: Open) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

/// A connection that nobody else uses meanwhile.
pub(super) struct Held {
    /// Absent until it is first used, when it has to be opened.
    connection: Option<Open>,
    home: Arc<Home>,
    // The last field: the connection is back before the next one has its turn.
    _turn: OwnedSemaphorePermit,
}

impl Held {
    /// Whether others have something to do on the thread that asks.
    pub(super) fn shares_its_thread(&self) -> bool {
        match self.home.thread {
            #[cfg(feature = "testkit")]
            Thread::Own => false,
            Thread::Another => true,
        }
    }

    /// Answers a question at once, on this thread; `None` when that would take long, or somebody has to be waited for.
    pub(super) fn shortly<T>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Option<rusqlite::Result<T>> {
        let Open { connection, told } = self.connection.as_ref()?;
        told.store(0, Ordering::Relaxed);
        let answer = connection.busy_timeout(Duration::ZERO).and_then(|()| question(connection));
        told.store(LONG, Ordering::Relaxed);
        if let Err(error) = connection.busy_timeout(BUSY) {
            return Some(Err(error));
        }
        let another_way = |error: &rusqlite::Error| {
            let code = error.sqlite_error_code();
            matches!(code, Some(ErrorCode::OperationInterrupted | ErrorCode::DatabaseBusy))
        };
        (!answer.as_ref().is_err_and(another_way)).then_some(answer)
    }

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

    pub(super) fn now<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        match &self.connection {
            Some(open) => work(&open.connection),
            None => {
                let opened = Open::new((self.home.opening)()?)?;
                work(&self.connection.insert(opened).connection)
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(open) = self.connection.take() else { return };
        // A full disk makes SQLite roll back by itself. One that cannot roll back is of no use any more.
        if open.connection.is_autocommit() || open.connection.execute_batch("ROLLBACK").is_ok() {
            self.home.give_back(open);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn counted(connection: &Connection, up_to: u32) -> rusqlite::Result<u32> {
        let sql = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1) SELECT count(*) FROM n";
        connection.prepare_cached(sql)?.query_row([up_to], |row| row.get(0))
    }

    #[tokio::test]
    async fn what_is_short_is_answered_here_and_what_is_long_elsewhere() {
        let connections = Connections::new(1, Thread::Another, Box::new(Connection::open_in_memory));
        let held = connections.take().await.unwrap();
        assert!(held.shortly(|_| Ok(())).is_none(), "it is not open yet");
        let (held, _) = held.run(|_| Ok(())).await.unwrap();
        // However many steps were made before.
        for _ in 0..500 {
            assert_eq!(held.shortly(|connection| counted(connection, 100)).unwrap().unwrap(), 100);
        }
        let many = 1_000_000;
        assert!(held.shortly(|connection| counted(connection, many)).is_none());
        let (held, answer) = held.run(move |connection| counted(connection, many)).await.unwrap();
        assert_eq!(answer.unwrap(), many);
        assert_eq!(held.shortly(|connection| counted(connection, 100)).unwrap().unwrap(), 100);
    }

    #[tokio::test]
    async fn nobody_waits_here_for_who_holds_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.db");
        let open = {
            let file = file.clone();
            move || Connection::open(&file)
        };
        let other = open().unwrap();
        other.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n); BEGIN IMMEDIATE").unwrap();
        let held = Connections::new(1, Thread::Another, Box::new(open)).take().await.unwrap();
        let (held, _) = held.run(|_| Ok(())).await.unwrap();
        let begin = |connection: &Connection| connection.execute_batch("BEGIN IMMEDIATE");
        assert!(held.shortly(begin).is_none());
        other.execute_batch("ROLLBACK").unwrap();
        held.shortly(begin).unwrap().unwrap();
    }
}
