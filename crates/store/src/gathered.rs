//! A transaction in which much of the same kind is done: what each of the things needs is read for all of them at
//! once, and what they write is written together.
//!
//! Promises: whoever uses it sees what they would see without it, their own writes included. What is only known once
//! it is written, such as a conflict, is told later: by the next call that has to write first, at the latest by
//! [`Tx::commit`].

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
};

use async_trait::async_trait;
use bailiwick_core::{
    id::{Entropy, Tenant},
    record::Disclosure,
};

use crate::{
    Entry, Filter, KeyValue, LogHead, NewWork, Outline, Outlines, Ready, Result, Row, Select, StoreError,
    Table, Tx, Update, Work, Write, as_key,
};

/// Rows by their ids.
type Rows = BTreeMap<String, Row>;

/// See the head of this file.
pub struct Gathered {
    tx: Box<dyn Tx>,
    tenant: Tenant,
    /// Rows as they are now, what was written here included.
    rows: HashMap<Table, Rows>,
    /// The values of columns for which `rows` has all there are.
    foreseen: HashMap<(Table, &'static str), HashSet<KeyValue>>,
    later: Later,
    /// Whether a call failed, or was abandoned.
    broken: bool,
}

/// What is still to be written.
#[derive(Default)]
struct Later {
    updates: Option<Ready>,
    tables: HashSet<Table>,
    deleted: HashSet<(Table, String)>,
    enqueued: Vec<NewWork>,
    finished: Vec<Work>,
    /// When each is due, and whether it failed.
    postponed: BTreeMap<(i64, bool), Vec<Work>>,
}

impl Gathered {
    /// Over a transaction, for the rows of one tenant.
    pub fn new(tx: Box<dyn Tx>, tenant: &Tenant) -> Self {
        Self {
            tx,
            tenant: tenant.clone(),
            rows: HashMap::new(),
            foreseen: HashMap::new(),
            later: Later::default(),
            broken: false,
        }
    }

    /// Reads the rows whose `column` has one of the values: from now on they are known, and that there are no others.
    pub async fn foresee(
        &mut self,
        table: Table,
        column: &'static str,
        values: impl IntoIterator<Item = impl Into<KeyValue>> + Send,
    ) -> Result<()> {
        let mut new: Vec<KeyValue> = values.into_iter().map(Into::into).collect();
        new.sort();
        new.dedup();
        if let Some(known) = self.foreseen.get(&(table, column)) {
            new.retain(|value| !known.contains(value));
        }
        if new.is_empty() {
            return Ok(());
        }
        let asked = Select::from(table).filter(Filter::In(column, new.clone()));
        let found = self.read(asked).await?;
        let rows = self.rows.entry(table).or_default();
        for row in found {
            // What was written here is newer.
            if !self.later.deleted.contains(&(table, row.id.clone())) {
                rows.entry(row.id.clone()).or_insert(row);
            }
        }
        self.foreseen.entry((table, column)).or_default().extend(new);
        Ok(())
    }

    async fn read(&mut self, select: Select) -> Result<Vec<Row>> {
        if mem::replace(&mut self.broken, true) {
            return Err(StoreError::Aborted);
        }
        let found = self.tx.select(&self.tenant, select).await?;
        self.broken = false;
        Ok(found)
    }

    fn ours(&self, tenant: &Tenant) -> Result<()> {
        match self.broken {
            true => Err(StoreError::Aborted),
            false if *tenant != self.tenant => {
                Err(StoreError::misuse("this transaction is of another tenant"))
            }
            false => Ok(()),
        }
    }

    /// Writes what is still to be written; what is done after that sees it.
    async fn flush(&mut self) -> Result<&mut dyn Tx> {
        if mem::replace(&mut self.broken, true) {
            return Err(StoreError::Aborted);
        }
        let Later { updates, enqueued, finished, postponed, .. } = mem::take(&mut self.later);
        if let Some(ready) = updates {
            self.tx.write_ready(ready).await?;
        }
        if !enqueued.is_empty() {
            self.tx.enqueue(&self.tenant, enqueued).await?;
        }
        if !finished.is_empty() {
            self.tx.finish_all(&self.tenant, &finished).await?;
        }
        for ((due, failed), work) in postponed {
            self.tx.postpone_all(&self.tenant, &work, due, failed).await?;
        }
        self.broken = false;
        Ok(&mut *self.tx)
    }

    /// The row, if it is known whether there is one.
    fn known(&self, table: Table, id: &str) -> Option<Option<&Row>> {
        let row = self.rows.get(&table).and_then(|rows| rows.get(id));
        let absent = || {
            self.later.deleted.contains(&(table, id.to_owned()))
                || self.foreseen.get(&(table, "id")).is_some_and(|ids| ids.contains(&id.into()))
        };
        row.map(Some).or_else(|| absent().then_some(None))
    }

    /// Whether all rows are known that `select` can find.
    fn covers(&self, select: &Select) -> bool {
        select.by.is_none()
            && select.filters.iter().any(|filter| {
                let known = |column: &'static str| self.foreseen.get(&(select.table, column));
                match filter {
                    Filter::Is(column, value) => known(column).is_some_and(|known| known.contains(value)),
                    Filter::In(column, values) => {
                        known(column).is_some_and(|known| values.iter().all(|value| known.contains(value)))
                    }
                    Filter::AtMost(..) | Filter::Above(..) | Filter::Starts(..) => false,
                }
            })
    }

    /// Remembers what is written.
    fn keep(&mut self, write: &Write) {
        match write {
            Write::Insert(table, row) | Write::Replace(table, row) => {
                self.later.tables.insert(*table);
                self.later.deleted.remove(&(*table, row.id.clone()));
                self.rows.entry(*table).or_default().insert(row.id.clone(), row.clone());
            }
            Write::Delete(table, id, _) => {
                self.later.tables.insert(*table);
                self.later.deleted.insert((*table, id.clone()));
                self.rows.entry(*table).or_default().remove(id);
            }
        }
    }
}

/// Whether a filter lets a row pass, as the database would decide.
fn passes(filter: &Filter, table: Table, row: &Row) -> bool {
    let place = |column: &str| table.keys().iter().position(|(name, ..)| *name == column);
    let of = |column: &str| place(column).and_then(|place| row.keys.get(place));
    let is = |column: &str, value: &KeyValue| match (column, value) {
        ("id", KeyValue::Text(text)) => row.id == *text,
        _ => of(column) == Some(value),
    };
    match filter {
        Filter::Is(column, value) => is(column, value),
        Filter::In(column, values) => values.iter().any(|value| is(column, value)),
        Filter::AtMost(column, most) => matches!(of(column), Some(KeyValue::Int(value)) if value <= most),
        Filter::Above(column, least) => matches!(of(column), Some(KeyValue::Int(value)) if value > least),
        Filter::Starts("id", text) => row.id.starts_with(text.as_str()),
        Filter::Starts(column, text) => {
            matches!(of(column), Some(KeyValue::Text(value)) if value.starts_with(text.as_str()))
        }
    }
}

#[async_trait]
impl Tx for Gathered {
    async fn write(&mut self, tenant: &Tenant, updates: Vec<Update>, entropy: &dyn Entropy) -> Result<()> {
        self.ours(tenant)?;
        let ready = Ready::new(tenant, updates, entropy).inspect_err(|_| self.broken = true)?;
        self.write_ready(ready).await
    }

    async fn write_ready(&mut self, ready: Ready) -> Result<()> {
        self.ours(&ready.tenant)?;
        ready.updates.iter().flat_map(|(_, writes)| writes).for_each(|write| self.keep(write));
        match &mut self.later.updates {
            Some(before) => before.updates.extend(ready.updates),
            none @ None => *none = Some(ready),
        }
        Ok(())
    }

    async fn get(&mut self, tenant: &Tenant, table: Table, id: &str) -> Result<Option<Row>> {
        self.ours(tenant)?;
        match self.known(table, &as_key(id)) {
            Some(row) => Ok(row.cloned()),
            None => Ok(self.read(Select::from(table).filter(Filter::Is("id", id.into()))).await?.pop()),
        }
    }

    async fn select(&mut self, tenant: &Tenant, select: Select) -> Result<Vec<Row>> {
        self.ours(tenant)?;
        let table = select.table;
        if !self.covers(&select) {
            if self.later.tables.contains(&table) {
                self.flush().await?;
            }
            return self.read(select).await;
        }
        let after = |row: &&Row| select.after.as_ref().is_none_or(|after| row.id > *after);
        let passes = |row: &&Row| select.filters.iter().all(|filter| passes(filter, table, row));
        let most = select.limit.map_or(usize::MAX, |most| most as usize);
        let rows = self.rows.get(&table).into_iter().flat_map(Rows::values).filter(after).filter(passes);
        Ok(rows.skip(select.skip as usize).take(most).cloned().collect())
    }

    async fn outlines(&mut self, tenant: &Tenant, outlines: Outlines) -> Result<Vec<Outline>> {
        self.flush().await?.outlines(tenant, outlines).await
    }

    async fn stamps(&mut self, tenant: &Tenant, tables: &[Table]) -> Result<Vec<(String, i64)>> {
        self.flush().await?.stamps(tenant, tables).await
    }

    async fn count(&mut self, tenant: &Tenant, select: Select) -> Result<i64> {
        self.flush().await?.count(tenant, select).await
    }

    async fn tenants(&mut self) -> Result<Vec<Tenant>> {
        self.flush().await?.tenants().await
    }

    async fn enqueue(&mut self, tenant: &Tenant, work: Vec<NewWork>) -> Result<()> {
        self.ours(tenant)?;
        self.later.enqueued.extend(work);
        Ok(())
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
        self.flush().await?.lease(tenant, holder, now, ttl, limit, least).await
    }

    async fn finish_all(&mut self, tenant: &Tenant, work: &[Work]) -> Result<()> {
        self.ours(tenant)?;
        self.later.finished.extend_from_slice(work);
        Ok(())
    }

    async fn postpone_all(&mut self, tenant: &Tenant, work: &[Work], due: i64, failed: bool) -> Result<()> {
        self.ours(tenant)?;
        self.later.postponed.entry((due, failed)).or_default().extend_from_slice(work);
        Ok(())
    }

    async fn wake(&mut self, tenant: &Tenant, lanes: &[String], now: i64) -> Result<()> {
        self.flush().await?.wake(tenant, lanes, now).await
    }

    async fn next_due(&mut self, tenant: &Tenant) -> Result<Option<i64>> {
        self.flush().await?.next_due(tenant).await
    }

    async fn queued(&mut self, tenant: &Tenant) -> Result<i64> {
        self.flush().await?.queued(tenant).await
    }

    async fn give_up(&mut self, tenant: &Tenant, holder: &str, now: i64) -> Result<()> {
        self.flush().await?.give_up(tenant, holder, now).await
    }

    async fn lock(&mut self, name: &str, holder: &str, now: i64, ttl: i64) -> Result<Option<i64>> {
        self.flush().await?.lock(name, holder, now, ttl).await
    }

    async fn sequence(&mut self, limit: u32) -> Result<i64> {
        self.flush().await?.sequence(limit).await
    }

    async fn entries(&mut self, from: i64, limit: u32) -> Result<Vec<Entry>> {
        self.flush().await?.entries(from, limit).await
    }

    async fn written(&mut self, after: i64, limit: u32) -> Result<Vec<Entry>> {
        self.flush().await?.written(after, limit).await
    }

    async fn news(&mut self, from: i64, limit: u32) -> Result<Vec<Entry>> {
        self.flush().await?.news(from, limit).await
    }

    async fn entries_about(&mut self, tenant: &Tenant, subject: &str) -> Result<Vec<Entry>> {
        self.flush().await?.entries_about(tenant, subject).await
    }

    async fn latest_about(
        &mut self,
        tenant: &Tenant,
        subject: &str,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Entry>> {
        self.flush().await?.latest_about(tenant, subject, before, limit).await
    }

    async fn entry_counts(&mut self) -> Result<(i64, i64)> {
        self.flush().await?.entry_counts().await
    }

    async fn disclosures(&mut self, tenant: &Tenant, records: &[String]) -> Result<Vec<Disclosure>> {
        self.flush().await?.disclosures(tenant, records).await
    }

    async fn erase(
        &mut self,
        tenant: &Tenant,
        identity: &str,
        update: Update,
        entropy: &dyn Entropy,
    ) -> Result<i64> {
        self.ours(tenant)?;
        update.writes.iter().for_each(|write| self.keep(write));
        self.flush().await?.erase(tenant, identity, update, entropy).await
    }

    async fn log_head(&mut self) -> Result<Option<LogHead>> {
        self.flush().await?.log_head().await
    }

    async fn advance_log(&mut self, old_size: Option<i64>, head: &LogHead) -> Result<()> {
        self.flush().await?.advance_log(old_size, head).await
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.flush().await?;
        self.tx.commit().await
    }
}
