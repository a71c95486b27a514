//! A transaction on either database.
//!
//! Promises: after a call failed or was abandoned, every later call fails with `Aborted`, so half of
//! what was asked can never be committed. PostgreSQL does this by itself; here SQLite does it too.

use bailiwick_core::{
    id::{Entropy, Tenant},
    record::Disclosure,
};

use crate::{
    Entry, LogHead, NewWork, Outline, Outlines, Ready, Result, Row, Select, StoreError, Table, Tx, Update,
    Work, batch, evidence, queue, rows, sql::Link,
};

pub(crate) struct Transaction<L> {
    link: L,
    writable: bool,
    broken: bool,
}

impl<L: Link> Transaction<L> {
    pub(crate) fn writing(link: L) -> Self {
        Self { link, writable: true, broken: false }
    }

    pub(crate) fn reading(link: L) -> Self {
        Self { link, writable: false, broken: false }
    }

    /// The link for a call. The transaction counts as broken until [`Self::leave`] says otherwise: a
    /// future that is dropped half way leaves it so.
    fn enter(&mut self) -> Result<&mut L> {
        if std::mem::replace(&mut self.broken, true) {
            return Err(StoreError::Aborted);
        }
        Ok(&mut self.link)
    }

    fn enter_writing(&mut self) -> Result<&mut L> {
        if !self.writable {
            return Err(StoreError::misuse("this transaction only reads"));
        }
        self.enter()
    }

    fn leave<T>(&mut self, result: Result<T>) -> Result<T> {
        self.broken = result.is_err();
        result
    }
}

/// Enters, makes the call on the link, leaves.
macro_rules! call {
    ($self:ident . $enter:ident, $call:path $(, $argument:expr)*) => {{
        let result = $call($self.$enter()? $(, $argument)*).await;
        $self.leave(result)
    }};
}

#[async_trait::async_trait]
impl<L: Link> Tx for Transaction<L> {
    async fn write(&mut self, tenant: &Tenant, updates: Vec<Update>, entropy: &dyn Entropy) -> Result<()> {
        call!(self.enter_writing, batch::write, tenant, updates, entropy)
    }

    async fn write_ready(&mut self, ready: Ready) -> Result<()> {
        call!(self.enter_writing, batch::write_ready, ready)
    }

    async fn get(&mut self, tenant: &Tenant, table: Table, id: &str) -> Result<Option<Row>> {
        call!(self.enter, rows::get, tenant, table, id)
    }

    async fn select(&mut self, tenant: &Tenant, select: Select) -> Result<Vec<Row>> {
        call!(self.enter, rows::select, tenant, &select)
    }

    async fn outlines(&mut self, tenant: &Tenant, outlines: Outlines) -> Result<Vec<Outline>> {
        call!(self.enter, rows::outlines, tenant, &outlines)
    }

    async fn stamps(&mut self, tenant: &Tenant, tables: &[Table]) -> Result<Vec<(String, i64)>> {
        call!(self.enter, rows::stamps, tenant, tables)
    }

    async fn count(&mut self, tenant: &Tenant, select: Select) -> Result<i64> {
        call!(self.enter, rows::count, tenant, &select)
    }

    async fn tenants(&mut self) -> Result<Vec<Tenant>> {
        call!(self.enter, rows::tenants)
    }

    async fn enqueue(&mut self, tenant: &Tenant, work: Vec<NewWork>) -> Result<()> {
        call!(self.enter_writing, queue::enqueue, tenant, &work)
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
        call!(self.enter_writing, queue::lease, tenant, holder, now, ttl, limit, least)
    }

    async fn finish_all(&mut self, tenant: &Tenant, work: &[Work]) -> Result<()> {
        call!(self.enter_writing, queue::finish, tenant, work)
    }

    async fn postpone_all(&mut self, tenant: &Tenant, work: &[Work], due: i64, failed: bool) -> Result<()> {
        call!(self.enter_writing, queue::postpone, tenant, work, due, failed)
    }

    async fn wake(&mut self, tenant: &Tenant, lanes: &[String], now: i64) -> Result<()> {
        call!(self.enter_writing, queue::wake, tenant, lanes, now)
    }

    async fn next_due(&mut self, tenant: &Tenant) -> Result<Option<i64>> {
        call!(self.enter, queue::next_due, tenant)
    }

    async fn queued(&mut self, tenant: &Tenant) -> Result<i64> {
        call!(self.enter, queue::queued, tenant)
    }

    async fn lock(&mut self, name: &str, holder: &str, now: i64, ttl: i64) -> Result<Option<i64>> {
        call!(self.enter_writing, queue::lock, name, holder, now, ttl)
    }

    async fn give_up(&mut self, tenant: &Tenant, holder: &str, now: i64) -> Result<()> {
        call!(self.enter_writing, queue::give_up, tenant, holder, now)
    }

    async fn sequence(&mut self, limit: u32) -> Result<i64> {
        call!(self.enter_writing, evidence::sequence, limit)
    }

    async fn entries(&mut self, from: i64, limit: u32) -> Result<Vec<Entry>> {
        call!(self.enter, evidence::entries, from, limit)
    }

    async fn written(&mut self, after: i64, limit: u32) -> Result<Vec<Entry>> {
        call!(self.enter, evidence::written, after, limit)
    }

    async fn news(&mut self, from: i64, limit: u32) -> Result<Vec<Entry>> {
        call!(self.enter, evidence::news, from, limit)
    }

    async fn entries_about(&mut self, tenant: &Tenant, subject: &str) -> Result<Vec<Entry>> {
        call!(self.enter, evidence::entries_about, tenant, subject)
    }

    async fn latest_about(
        &mut self,
        tenant: &Tenant,
        subject: &str,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Entry>> {
        call!(self.enter, evidence::latest_about, tenant, subject, before, limit)
    }

    async fn entry_counts(&mut self) -> Result<(i64, i64)> {
        call!(self.enter, evidence::entry_counts)
    }

    async fn disclosures(&mut self, tenant: &Tenant, records: &[String]) -> Result<Vec<Disclosure>> {
        call!(self.enter, evidence::disclosures, tenant, records)
    }

    async fn erase(
        &mut self,
        tenant: &Tenant,
        identity: &str,
        update: Update,
        entropy: &dyn Entropy,
    ) -> Result<i64> {
        call!(self.enter_writing, evidence::erase, tenant, identity, update, entropy)
    }

    async fn log_head(&mut self) -> Result<Option<LogHead>> {
        call!(self.enter, evidence::log_head)
    }

    async fn advance_log(&mut self, old_size: Option<i64>, head: &LogHead) -> Result<()> {
        call!(self.enter_writing, evidence::advance_log, old_size, head)
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        if self.broken {
            return Err(StoreError::Aborted);
        }
        Ok(self.link.commit().await?)
    }
}
