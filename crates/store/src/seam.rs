//! The traits that SQLite and PostgreSQL implement.

use async_trait::async_trait;
use bailiwick_core::{
    id::{Entropy, Tenant},
    record::Disclosure,
};

use crate::{KeyValue, Ready, Result, Row, Table, Update, as_key};

/// A database that holds the hub's state.
#[async_trait]
pub trait Store: Send + Sync {
    /// Begins a transaction that may write. On SQLite it is the one writer until it ends, and others
    /// queue for it. On PostgreSQL it may see what others commit meanwhile: what protects a decision is
    /// the revision of every row that it replaces, and the unique keys.
    async fn begin(&self) -> Result<Box<dyn Tx>>;

    /// Begins a transaction that only reads and sees one state of the database: that of its first
    /// read. Writing through it fails. In memory there is one connection, for which it queues.
    async fn read(&self) -> Result<Box<dyn Tx>>;

    /// Rings when any process queues or wakes work on this database; `None` where it cannot be heard, and whoever waits
    /// for work has to look now and then.
    async fn bell(&self) -> Result<Option<Box<dyn Bell>>> {
        Ok(None)
    }

    /// What the clock of the store's server says, Unix milliseconds; `None` where the store is in this process. Nodes
    /// that go by it agree on when a lease ends.
    async fn server_time(&self) -> Result<Option<i64>> {
        Ok(None)
    }

    /// `sqlite` or `postgres`, for messages.
    fn kind(&self) -> &'static str;
}

/// See [`Store::bell`].
#[async_trait]
pub trait Bell: Send {
    /// Returns once it rang since the last call, or may have. Work of a process that died right after its commit may never
    /// ring.
    async fn rings(&mut self) -> Result<()>;
}

/// A condition on a key column; the column is one of [`Table::keys`], or `id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// The column equals the value (`IS NULL` for [`KeyValue::Null`]).
    Is(&'static str, KeyValue),
    /// The column equals one of the values, of which there may be many. An empty list finds nothing.
    In(&'static str, Vec<KeyValue>),
    /// The integer column is at most the value, and not NULL.
    AtMost(&'static str, i64),
    /// The integer column is greater than the value, and not NULL.
    Above(&'static str, i64),
    /// The text column begins with the text.
    Starts(&'static str, String),
}

/// Which rows of a table, in order of their id unless another is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// The table.
    pub table: Table,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// Only rows whose id is greater (for paging).
    pub after: Option<String>,
    /// At most so many rows.
    pub limit: Option<u32>,
    /// All but the first so many of these; takes a limit.
    pub skip: u32,
    /// In order of this column, and of the id only where that is the same.
    pub by: Option<&'static str>,
}

impl Select {
    /// All rows of `table`.
    pub fn from(table: Table) -> Self {
        Self { table, filters: Vec::new(), after: None, limit: None, skip: 0, by: None }
    }

    /// Only rows for which `filter` holds. The first should narrow most: by it rows are looked up, or by one that is about
    /// ids or values that are unique.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// Only rows after the id, at most `limit`.
    #[must_use]
    pub fn page(mut self, after: Option<String>, limit: u32) -> Self {
        (self.after, self.limit) = (after.map(|after| as_key(&after).into_owned()), Some(limit));
        self
    }

    /// The first `limit` rows in order of a key column. Of those that begin with a text, say: in that order an index has them
    /// next to each other, and by their ids all of them would have to be sorted.
    #[must_use]
    pub fn first_by(mut self, column: &'static str, limit: u32) -> Self {
        (self.by, self.limit) = (Some(column), Some(limit));
        self
    }

    /// At most `limit` rows, from the one before which there are `skip`.
    #[must_use]
    pub fn from_place(mut self, skip: u32, limit: u32) -> Self {
        (self.skip, self.limit) = (skip, Some(limit));
        self
    }
}

/// Key columns of rows, without their documents, in the order of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlines {
    /// The table.
    pub table: Table,
    /// The text column by whose values they are ordered; it is unique.
    pub by: &'static str,
    /// Only rows where that begins with this.
    pub begins: String,
    /// Only rows where that is greater (for paging).
    pub after: Option<String>,
    /// The columns; where one index has them all, nothing else is read.
    pub columns: &'static [&'static str],
    /// At most so many rows.
    pub limit: u32,
}

/// What a row has in some of its key columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The revision of the row.
    pub revision: i64,
    /// The values, in the order of [`Outlines::columns`].
    pub values: Vec<KeyValue>,
}

/// Work to be done: one item of a lane. Items of one lane are done one at a time, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWork {
    /// What must stay in order, such as `idn_…` or `idn_…/system`.
    pub lane: String,
    /// Lower runs first among lanes that are due; leavers use 0.
    pub priority: i64,
    /// Not before this instant, Unix milliseconds.
    pub due: i64,
    /// What to do, JSON.
    pub body: Vec<u8>,
}

/// A work item held by a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Its place in the order.
    pub seq: i64,
    /// Its lane.
    pub lane: String,
    /// What to do, JSON.
    pub body: Vec<u8>,
    /// How often it was put off before.
    pub attempts: i64,
    /// Proof of holding it: grows with each lease; an older fence is refused.
    pub fence: i64,
}

/// An evidence entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The order of writing; may have gaps.
    pub seq: i64,
    /// Its index in the log, once it has one; contiguous from 0.
    pub index: Option<i64>,
    /// The record's id.
    pub record: String,
    /// The canonical bytes.
    pub bytes: Vec<u8>,
}

/// The end of the published log, as the database remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// The number of entries.
    pub size: i64,
    /// The RFC 6962 root over them.
    pub root: [u8; 32],
    /// The signed checkpoint.
    pub checkpoint: Vec<u8>,
}

/// A transaction. Dropped without [`Tx::commit`], it leaves nothing behind; what it held is free a moment
/// later. After a call failed, or its future was dropped, every later call fails with `Aborted`: begin
/// again. Texts hold no NUL character.
#[async_trait]
pub trait Tx: Send {
    /// Writes rows and their evidence; batched into few statements. The order given is kept for the
    /// writes of one row and for the evidence; between rows it only matters where a unique key passes
    /// from one to another. `entropy` salts the commitments to personal values.
    async fn write(&mut self, tenant: &Tenant, updates: Vec<Update>, entropy: &dyn Entropy) -> Result<()>;

    /// [`Tx::write`] for updates that were made ready before, where that is much work: it can be done on
    /// another thread while this transaction writes what came before.
    async fn write_ready(&mut self, ready: Ready) -> Result<()>;

    /// The row with `id`, if there is one.
    async fn get(&mut self, tenant: &Tenant, table: Table, id: &str) -> Result<Option<Row>>;

    /// The rows that `select` asks for, by id ascending.
    async fn select(&mut self, tenant: &Tenant, select: Select) -> Result<Vec<Row>>;

    /// What rows have in key columns, ascending by [`Outlines::by`].
    async fn outlines(&mut self, tenant: &Tenant, outlines: Outlines) -> Result<Vec<Outline>>;

    /// The ids and revisions of all rows of the tables, in the order of the tables and of the ids: whether any of
    /// them changed, without reading them.
    async fn stamps(&mut self, tenant: &Tenant, tables: &[Table]) -> Result<Vec<(String, i64)>>;

    /// How many rows the filters find, whatever the page.
    async fn count(&mut self, tenant: &Tenant, select: Select) -> Result<i64>;

    /// The tenants that have rows of state, by name.
    async fn tenants(&mut self) -> Result<Vec<Tenant>>;

    /// Adds work items in order.
    async fn enqueue(&mut self, tenant: &Tenant, work: Vec<NewWork>) -> Result<()>;

    /// Takes up to `limit` due items for `holder` until `now + ttl` (milliseconds), at most one for
    /// each lane and only the first of its lane, by priority and then order; only those whose priority is at
    /// most `least`. The priority of a lane is that of its most urgent item, which may not be the first. An item whose lease ran out is due again. Two workers never hold the same item with the
    /// same fence.
    async fn lease(
        &mut self,
        tenant: &Tenant,
        holder: &str,
        now: i64,
        ttl: i64,
        limit: u32,
        least: i64,
    ) -> Result<Vec<Work>>;

    /// Removes a finished item. Fails with `LostLease` unless the fence is current.
    async fn finish(&mut self, tenant: &Tenant, work: &Work) -> Result<()> {
        self.finish_all(tenant, std::slice::from_ref(work)).await
    }

    /// [`Tx::finish`] for many items of different lanes, in few statements: all or none.
    async fn finish_all(&mut self, tenant: &Tenant, work: &[Work]) -> Result<()>;

    /// Gives an item back, due at `due`; counts one attempt when `failed`. Fails with `LostLease`
    /// unless the fence is current.
    async fn postpone(&mut self, tenant: &Tenant, work: &Work, due: i64, failed: bool) -> Result<()> {
        self.postpone_all(tenant, std::slice::from_ref(work), due, failed).await
    }

    /// [`Tx::postpone`] for many items of different lanes, in few statements: all or none.
    async fn postpone_all(&mut self, tenant: &Tenant, work: &[Work], due: i64, failed: bool) -> Result<()>;

    /// Makes the first item of each of the lanes due at `now` where it was put off until later; nothing where
    /// there is no such lane or somebody holds it.
    async fn wake(&mut self, tenant: &Tenant, lanes: &[String], now: i64) -> Result<()>;

    /// When the next item that is first in its lane becomes due or its lease runs out; `None` when
    /// nothing is queued.
    async fn next_due(&mut self, tenant: &Tenant) -> Result<Option<i64>>;

    /// How many items are queued, whether or not they are due. Goes through all of them.
    async fn queued(&mut self, tenant: &Tenant) -> Result<i64>;

    /// Gives up all lanes and locks that `holder` holds, and the locks of `holder/…`: it came back and knows of nothing
    /// that it was at. The fences of before are refused.
    async fn give_up(&mut self, tenant: &Tenant, holder: &str, now: i64) -> Result<()>;

    /// Takes or renews the named lock for `holder` until `now + ttl`; `None` while another holds it.
    /// The number is the fence: it grows whenever the lock changes hands.
    async fn lock(&mut self, name: &str, holder: &str, now: i64, ttl: i64) -> Result<Option<i64>>;

    /// Gives indices to all entries that have none, in order of writing, contiguous after the last;
    /// at most `limit`. Gives back how many.
    async fn sequence(&mut self, limit: u32) -> Result<i64>;

    /// The entries with index `from` and later, in order, at most `limit`.
    async fn entries(&mut self, from: i64, limit: u32) -> Result<Vec<Entry>>;

    /// The entries with a greater `seq`, indexed or not, in order of writing, at most `limit`.
    async fn written(&mut self, after: i64, limit: u32) -> Result<Vec<Entry>>;

    /// The entries with index `from` and later, and those that have no index yet; at most `limit`. Everything that was
    /// committed since the index was `from` is among them, in whatever order it became visible.
    async fn news(&mut self, from: i64, limit: u32) -> Result<Vec<Entry>>;

    /// The entries about an identity or a case (by its id as text), in order of writing.
    async fn entries_about(&mut self, tenant: &Tenant, subject: &str) -> Result<Vec<Entry>>;

    /// The newest entries about an identity or a case, the newest first: those with a smaller `seq` than `before`, if it
    /// is said, at most `limit`.
    async fn latest_about(
        &mut self,
        tenant: &Tenant,
        subject: &str,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Entry>>;

    /// The number of entries that have an index, and of all entries.
    async fn entry_counts(&mut self) -> Result<(i64, i64)>;

    /// The disclosures of the given records.
    async fn disclosures(&mut self, tenant: &Tenant, records: &[String]) -> Result<Vec<Disclosure>>;

    /// Erases the disclosures of all records about the identity; gives back how many. The evidence
    /// of the erasure is a parameter, as for every change.
    async fn erase(
        &mut self,
        tenant: &Tenant,
        identity: &str,
        update: Update,
        entropy: &dyn Entropy,
    ) -> Result<i64>;

    /// The end of the published log.
    async fn log_head(&mut self) -> Result<Option<LogHead>>;

    /// Moves the end of the published log from `old_size` (`None`: there is none yet) to `head`.
    /// Fails with `Conflict` when it is elsewhere, or would become shorter.
    async fn advance_log(&mut self, old_size: Option<i64>, head: &LogHead) -> Result<()>;

    /// Makes it durable. After `Unavailable` it is not known whether it is.
    async fn commit(self: Box<Self>) -> Result<()>;
}
