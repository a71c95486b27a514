//! Where the process can die: a counter of points, and a store that notices.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bailiwick_core::{
    id::{Entropy, Tenant},
    record::Disclosure,
};
use bailiwick_store::{
    Entry, KeyValue, LogHead, NewWork, Outline, Outlines, Ready, Result, Row, Select, Store, StoreError,
    Table, Tx, Update, Work,
};
use bytes::Bytes;
use tokio::sync::Semaphore;

/// Counts the points and kills at one of them.
#[derive(Default)]
pub struct Faults {
    passed: AtomicU64,
    /// The point at which to die, counted from 1; 0 is never.
    at: AtomicU64,
    dead: AtomicBool,
    accounts: AtomicU64,
    people: AtomicU64,
    /// How long each call takes, and when each was sent.
    slow: Mutex<Option<(Duration, Vec<Instant>)>>,
    /// A system that takes calls and answers none until the gate opens.
    hung: Mutex<Option<(String, Arc<Semaphore>)>>,
    /// What systems are still willing to make; without it they make everything.
    makes: Mutex<Option<Arc<Semaphore>>>,
    /// Whoever is first to take a turn of this kind says so, and waits until the gate opens.
    turn: Mutex<Option<(&'static str, Gate)>>,
    way: Arc<Way>,
    /// A planted mistake: what was marked as sent is not known any more.
    forgets: Arc<AtomicBool>,
    /// Of nobody it is known what they are as of, so that every record is read.
    reads_all: AtomicBool,
}

/// What has a permit once somebody waits, and what lets them go on when it is closed.
pub type Gate = (Arc<Semaphore>, Arc<Semaphore>);

/// The way to the systems, the same for all processes.
#[derive(Default)]
struct Way {
    calls: AtomicU64,
    /// What becomes of a call, by its number.
    weather: Mutex<BTreeMap<u64, Weather>>,
    /// What becomes of all writes, or of all reads.
    lasting: Mutex<Option<(bool, Weather)>>,
    /// Every call that was made.
    sent: Mutex<Vec<Call>>,
    /// Decides which engine goes on at each call of the store; 0 is never another one.
    turns: AtomicU64,
}

/// A call that was made.
#[derive(Debug, Clone)]
pub struct Call {
    /// Method, path and query.
    pub what: String,
    pub body: Bytes,
    pub at_ms: i64,
    /// Whether the system got it.
    pub reached: bool,
    /// Whether its answer came back.
    pub answered: bool,
}

impl Call {
    /// Whether it asks for a change.
    pub fn writes(&self) -> bool {
        !self.what.starts_with("GET ")
    }

    /// The system it is for.
    pub fn system(&self) -> &str {
        self.what.split(['/', ' ']).nth(2).unwrap_or_default()
    }
}

/// What the way to a system does to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// It does not get there.
    Unreached,
    /// It gets there, and its answer is lost.
    AnswerLost,
    /// Too many requests (429), before it gets there.
    TooMany,
    /// Unavailable (503), before it gets there.
    Unavailable,
    /// It gets there twice; one answer comes back.
    Twice,
}

impl Faults {
    /// Each call takes so long from now on, and the instants at which they are sent are kept.
    pub fn slow(&self, each: Duration) {
        *self.slow.lock().unwrap() = Some((each, Vec::new()));
    }

    /// The instants at which calls were sent since the last time.
    pub fn sent_at(&self) -> Vec<Instant> {
        self.slow.lock().unwrap().as_mut().map(|(_, sent)| std::mem::take(sent)).unwrap_or_default()
    }

    /// Waits as long as a call takes.
    #[allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
    pub async fn calling(&self) {
        let each = self.slow.lock().unwrap().as_mut().map(|(each, sent)| {
            sent.push(Instant::now());
            *each
        });
        if let Some(each) = each {
            tokio::time::sleep(each).await;
        }
    }

    /// What a system is asked from now on waits until [`Self::answer`].
    pub fn hang(&self, system: &str) {
        *self.hung.lock().unwrap() = Some((system.to_owned(), Arc::new(Semaphore::new(0))));
    }

    /// Whoever is first to take a turn whose name begins so waits before that. Gives what has a permit once that is so, and
    /// what lets it go on when it is closed.
    pub fn before_turn(&self, name: &'static str) -> Gate {
        let gate = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        *self.turn.lock().unwrap() = Some((name, gate.clone()));
        gate
    }

    async fn taking(&self, turn: &str) {
        let gate = self.turn.lock().unwrap().take_if(|(name, _)| turn.starts_with(*name));
        if let Some((_, (reached, open))) = gate {
            reached.add_permits(1);
            open.acquire().await.unwrap_err();
        }
    }

    /// The system that hangs goes on.
    pub fn answer(&self) {
        if let Some((_, gate)) = self.hung.lock().unwrap().take() {
            gate.close();
        }
    }

    /// Waits while the system that a call is for hangs.
    pub async fn hanging(&self, path: &str) {
        let gate = self.hung.lock().unwrap().clone();
        if let Some((system, gate)) = gate
            && path.split('/').nth(1) == Some(&system)
        {
            drop(gate.acquire().await);
        }
    }

    /// Systems make `n` more things; what else they are asked to make waits until this is called again.
    pub fn make(&self, n: usize) {
        self.makes.lock().unwrap().get_or_insert_with(|| Arc::new(Semaphore::new(0))).add_permits(n);
    }

    /// Waits until something may be made.
    pub async fn making(&self) {
        let gate = self.makes.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
    }

    /// From here on it follows from the seed alone which of several engines goes on at each call of the store. For
    /// stores that answer at once: they leave nobody else a turn.
    pub fn take_turns(&self, seed: u64) {
        self.way.turns.store(seed | 1, Ordering::SeqCst);
    }

    /// Lets the others go on, or not.
    async fn turn(&self) {
        let mut state = self.way.turns.load(Ordering::SeqCst);
        if state == 0 {
            return;
        }
        // xorshift64: never 0.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.way.turns.store(state, Ordering::SeqCst);
        let mut waits = state >> 63 == 1;
        std::future::poll_fn(|context| {
            if std::mem::take(&mut waits) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Dies at the point `n`, counted from now, 1 being the next.
    pub fn die_at(&self, n: u64) {
        self.at.store(self.passed.load(Ordering::SeqCst) + n, Ordering::SeqCst);
    }

    /// Whether the process is dead from here on.
    pub fn point(&self) -> bool {
        if self.dead.load(Ordering::SeqCst) {
            return true;
        }
        let here = self.passed.fetch_add(1, Ordering::SeqCst) + 1;
        if here == self.at.load(Ordering::SeqCst) {
            self.dead.store(true, Ordering::SeqCst);
            return true;
        }
        false
    }

    /// How many rows of accounts were read so far.
    pub fn accounts_read(&self) -> u64 {
        self.accounts.load(Ordering::SeqCst)
    }

    /// How many points were passed.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// What becomes of the `n`-th call from now, 1 being the next.
    pub fn call(&self, n: u64, weather: Weather) {
        self.way.weather.lock().unwrap().insert(self.way.calls.load(Ordering::SeqCst) + n, weather);
    }

    /// What becomes of this call.
    pub fn weather(&self, writes: bool) -> Option<Weather> {
        let here = self.way.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let lasting = self.way.lasting.lock().unwrap().filter(|(of, _)| *of == writes);
        self.way.weather.lock().unwrap().remove(&here).or(lasting.map(|(_, weather)| weather))
    }

    /// What becomes of all writes, or of all reads, until it is said otherwise.
    pub fn lasting(&self, weather: Option<(bool, Weather)>) {
        *self.way.lasting.lock().unwrap() = weather;
    }

    /// A call is made; its number in [`Self::sent`].
    pub fn sends(&self, request: &http::Request<Bytes>, at_ms: i64) -> usize {
        let mut sent = self.way.sent.lock().unwrap();
        let what =
            format!("{} {}", request.method(), request.uri().path_and_query().map_or("", |p| p.as_str()));
        sent.push(Call { what, body: request.body().clone(), at_ms, reached: false, answered: false });
        sent.len() - 1
    }

    /// The system gets it.
    pub fn reaches(&self, call: usize) {
        self.way.sent.lock().unwrap()[call].reached = true;
    }

    /// Its answer comes back.
    pub fn answered(&self, call: usize) {
        self.way.sent.lock().unwrap()[call].answered = true;
    }

    /// Every call that was made, in order.
    pub fn sent(&self) -> Vec<Call> {
        self.way.sent.lock().unwrap().clone()
    }

    /// Those of another process: it dies by itself, and has the same way to the systems.
    pub fn of_another(&self) -> Self {
        Self { way: self.way.clone(), forgets: self.forgets.clone(), ..Self::default() }
    }

    /// From here on it is forgotten that something was sent.
    pub fn forget(&self) {
        self.forgets.store(true, Ordering::SeqCst);
    }

    /// How many people were read by a question about several.
    pub fn people_read(&self) -> u64 {
        self.people.load(Ordering::SeqCst)
    }

    /// From here on every record of a delivery is read.
    pub fn read_all(&self) {
        self.reads_all.store(true, Ordering::SeqCst);
    }

    /// A row as it is remembered.
    fn remembered(&self, table: Table, row: Row) -> Row {
        let forgets = table == Table::Runs && self.forgets.load(Ordering::SeqCst);
        if forgets { forgotten(row) } else { row }
    }

    /// From here on nothing happens any more.
    pub fn fair(&self) {
        self.at.store(0, Ordering::SeqCst);
        self.way.weather.lock().unwrap().clear();
    }

    /// Whether it died.
    pub fn died(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// A new process.
    pub fn revive(&self) {
        self.dead.store(false, Ordering::SeqCst);
    }
}

/// A run as if nothing of it had been sent that has no answer.
fn forgotten(mut row: Row) -> Row {
    let mut run: serde_json::Value = serde_json::from_slice(&row.body).unwrap();
    for step in run["steps"].as_object_mut().unwrap().values_mut() {
        if matches!(step["step"].as_str(), Some("sent" | "unknown")) {
            *step = serde_json::json!({ "step": "waiting" });
        }
    }
    row.body = serde_json::to_vec(&run).unwrap();
    row
}

fn dead() -> StoreError {
    StoreError::Unavailable("the process is dead".into())
}

/// Lets others go on, and stops where the process is dead.
async fn alive(faults: &Faults) -> Result<()> {
    faults.turn().await;
    if faults.died() { Err(dead()) } else { Ok(()) }
}

/// A store that stops answering when the process is dead.
pub struct Breakable {
    inner: Arc<dyn Store>,
    faults: Arc<Faults>,
}

impl Breakable {
    pub fn new(inner: Arc<dyn Store>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
impl Store for Breakable {
    async fn begin(&self) -> Result<Box<dyn Tx>> {
        alive(&self.faults).await?;
        Ok(Box::new(BreakableTx { inner: self.inner.begin().await?, faults: self.faults.clone() }))
    }

    async fn read(&self) -> Result<Box<dyn Tx>> {
        alive(&self.faults).await?;
        Ok(Box::new(BreakableTx { inner: self.inner.read().await?, faults: self.faults.clone() }))
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }
}

struct BreakableTx {
    inner: Box<dyn Tx>,
    faults: Arc<Faults>,
}

#[async_trait]
impl Tx for BreakableTx {
    async fn give_up(&mut self, tenant: &Tenant, holder: &str, now: i64) -> Result<()> {
        alive(&self.faults).await?;
        self.inner.give_up(tenant, holder, now).await
    }

    async fn write(&mut self, tenant: &Tenant, updates: Vec<Update>, entropy: &dyn Entropy) -> Result<()> {
        alive(&self.faults).await?;
        self.inner.write(tenant, updates, entropy).await
    }

    async fn write_ready(&mut self, ready: Ready) -> Result<()> {
        alive(&self.faults).await?;
        self.inner.write_ready(ready).await
    }

    async fn get(&mut self, tenant: &Tenant, table: Table, id: &str) -> Result<Option<Row>> {
        alive(&self.faults).await?;
        let row = self.inner.get(tenant, table, id).await?;
        Ok(row.map(|row| self.faults.remembered(table, row)))
    }

    async fn select(&mut self, tenant: &Tenant, select: Select) -> Result<Vec<Row>> {
        alive(&self.faults).await?;
        let table = select.table;
        let rows = self.inner.select(tenant, select).await?;
        if table == Table::Accounts {
            self.faults.accounts.fetch_add(rows.len() as u64, Ordering::SeqCst);
        }
        if table == Table::Identities {
            self.faults.people.fetch_add(rows.len() as u64, Ordering::SeqCst);
        }
        Ok(rows.into_iter().map(|row| self.faults.remembered(table, row)).collect())
    }

    async fn outlines(&mut self, tenant: &Tenant, outlines: Outlines) -> Result<Vec<Outline>> {
        alive(&self.faults).await?;
        let said = outlines.columns.iter().position(|column| *column == "said");
        let mut found = self.inner.outlines(tenant, outlines).await?;
        if let Some(at) = said.filter(|_| self.faults.reads_all.load(Ordering::SeqCst)) {
            found.iter_mut().for_each(|outline| outline.values[at] = KeyValue::Null);
        }
        Ok(found)
    }

    async fn stamps(&mut self, tenant: &Tenant, tables: &[Table]) -> Result<Vec<(String, i64)>> {
        alive(&self.faults).await?;
        self.inner.stamps(tenant, tables).await
    }

    async fn count(&mut self, tenant: &Tenant, select: Select) -> Result<i64> {
        alive(&self.faults).await?;
        self.inner.count(tenant, select).await
    }

    async fn tenants(&mut self) -> Result<Vec<Tenant>> {
        alive(&self.faults).await?;
        self.inner.tenants().await
    }

    async fn enqueue(&mut self, tenant: &Tenant, work: Vec<NewWork>) -> Result<()> {
        alive(&self.faults).await?;
        self.inner.enqueue(tenant, work).await
    }

    async fn lease(
        &mut self,
        tenant: &Tenant,
        holder: &str,
        now: i64,
        ttl: i64,
        limit: u32,
        least: i64,
    ) -> Result<Vec<Work>> {
        alive(&self.faults).await?;
        self.inner.lease(tenant, holder, now, ttl, limit, least).await
    }

    async fn finish_all(&mut self, tenant: &Tenant, work: &[Work]) -> Result<()> {
        alive(&self.faults).await?;
        self.inner.finish_all(tenant, work).await
    }

    async fn postpone_all(&mut self, tenant: &Tenant, work: &[Work], due: i64, failed: bool) -> Result<()> {
        alive(&self.faults).await?;
        self.inner.postpone_all(tenant, work, due, failed).await
    }

    async fn wake(&mut self, tenant: &Tenant, lanes: &[String], now: i64) -> Result<()> {
        alive(&self.faults).await?;
        self.inner.wake(tenant, lanes, now).await
    }

    async fn next_due(&mut self, tenant: &Tenant) -> Result<Option<i64>> {
        alive(&self.faults).await?;
        self.inner.next_due(tenant).await
    }

    async fn queued(&mut self, tenant: &Tenant) -> Result<i64> {
        alive(&self.faults).await?;
        self.inner.queued(tenant).await
    }

    async fn lock(&mut self, name: &str, holder: &str, now: i64, ttl: i64) -> Result<Option<i64>> {
        alive(&self.faults).await?;
        self.faults.taking(name).await;
        self.inner.lock(name, holder, now, ttl).await
    }

    async fn sequence(&mut self, limit: u32) -> Result<i64> {
        alive(&self.faults).await?;
        self.inner.sequence(limit).await
    }

    async fn entries(&mut self, from: i64, limit: u32) -> Result<Vec<Entry>> {
        alive(&self.faults).await?;
        self.inner.entries(from, limit).await
    }

    async fn news(&mut self, from: i64, limit: u32) -> Result<Vec<Entry>> {
        alive(&self.faults).await?;
        self.inner.news(from, limit).await
    }

    async fn written(&mut self, after: i64, limit: u32) -> Result<Vec<Entry>> {
        alive(&self.faults).await?;
        self.inner.written(after, limit).await
    }

    async fn entries_about(&mut self, tenant: &Tenant, subject: &str) -> Result<Vec<Entry>> {
        alive(&self.faults).await?;
        self.inner.entries_about(tenant, subject).await
    }

    async fn latest_about(
        &mut self,
        tenant: &Tenant,
        subject: &str,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Entry>> {
        alive(&self.faults).await?;
        self.inner.latest_about(tenant, subject, before, limit).await
    }

    async fn entry_counts(&mut self) -> Result<(i64, i64)> {
        alive(&self.faults).await?;
        self.inner.entry_counts().await
    }

    async fn disclosures(&mut self, tenant: &Tenant, records: &[String]) -> Result<Vec<Disclosure>> {
        alive(&self.faults).await?;
        self.inner.disclosures(tenant, records).await
    }

    async fn erase(
        &mut self,
        tenant: &Tenant,
        identity: &str,
        update: Update,
        entropy: &dyn Entropy,
    ) -> Result<i64> {
        alive(&self.faults).await?;
        self.inner.erase(tenant, identity, update, entropy).await
    }

    async fn log_head(&mut self) -> Result<Option<LogHead>> {
        alive(&self.faults).await?;
        self.inner.log_head().await
    }

    async fn advance_log(&mut self, old_size: Option<i64>, head: &LogHead) -> Result<()> {
        alive(&self.faults).await?;
        self.inner.advance_log(old_size, head).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        // Before it: nothing is there. After it: all is there and nobody knows.
        if self.faults.point() {
            return Err(dead());
        }
        self.inner.commit().await?;
        if self.faults.point() { Err(dead()) } else { Ok(()) }
    }
}
