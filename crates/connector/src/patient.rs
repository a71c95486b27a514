//! A layer that tries reads again. It never tries a change again: after a lost answer only reading tells.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bailiwick_core::{access::AccessClass, audit, plan::Op};

use crate::{
    Applied, Capability, Connector, ConnectorError, Entry, ErrorKind, Hear, Issued, Line, Listing, Locator,
    News, Object, Page, Read, Result, Since, Start, Visit, seal::Secret,
};

/// Waits; handed in, so that a test need not.
#[async_trait]
pub trait Pause: Send + Sync {
    /// Comes back after `time`.
    async fn pause(&self, time: Duration);
}

/// Waits by the timer of the runtime, which it touches only when it is asked to wait.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sleep;

#[async_trait]
impl Pause for Sleep {
    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// How often and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How many tries in all.
    pub tries: u32,
    /// The pause after the first failure; it doubles with each.
    pub first: Duration,
    /// The longest pause, so that one read does not hold up the work behind it. A system that asks for a longer one gets the caller's patience instead: the
    /// error goes up with its `retry_after`.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { tries: 4, first: Duration::from_millis(200), longest: Duration::from_secs(10) }
    }
}

/// A connector whose `check`, `list`, `changes` and `get` are tried again when that can help.
pub struct Patient {
    inner: Arc<dyn Connector>,
    patience: Patience,
    pause: Arc<dyn Pause>,
}

impl Patient {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn Connector>, patience: Patience, pause: Arc<dyn Pause>) -> Self {
        Self { inner, patience, pause }
    }

    /// Pauses when the failure of try number `tries` is worth another; otherwise gives it back.
    async fn bear(&self, error: ConnectorError, tries: u32) -> Result<()> {
        // A stale read is not made fresh by asking for the same again.
        if !error.kind.transient() || error.kind == ErrorKind::Stale || tries >= self.patience.tries {
            return Err(error);
        }
        let doubled = self.patience.first.saturating_mul(1 << (tries - 1).min(16));
        let time = error.retry_after.unwrap_or_default().max(doubled.min(self.patience.longest));
        if time > self.patience.longest {
            return Err(error);
        }
        self.pause.pause(time).await;
        Ok(())
    }
}

#[async_trait]
impl Connector for Patient {
    fn capability(&self) -> &Capability {
        self.inner.capability()
    }

    fn adopt(&self, forms: &[String]) {
        self.inner.adopt(forms);
    }

    async fn check(&self, line: &Line) -> Result<()> {
        for tries in 1.. {
            match self.inner.check(line).await {
                Ok(()) => break,
                Err(error) => self.bear(error, tries).await?,
            }
        }
        Ok(())
    }

    async fn remarks(&self, line: &Line) -> Result<Vec<String>> {
        let mut tries = 1;
        loop {
            match self.inner.remarks(line).await {
                Ok(remarks) => return Ok(remarks),
                Err(error) => self.bear(error, tries).await?,
            }
            tries += 1;
        }
    }

    async fn list(
        &self,
        line: &Line,
        listing: Listing<'_>,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let mut tries = 1;
        loop {
            let mut shown = false;
            let mut seen = |object: Object<'_>| {
                shown = true;
                visit(object);
            };
            match self.inner.list(line, listing, cursor, size, &mut seen).await {
                Ok(page) => return Ok(page),
                // What was shown would be shown twice.
                Err(error) if shown => return Err(error),
                Err(error) => self.bear(error, tries).await?,
            }
            tries += 1;
        }
    }

    async fn changes(
        &self,
        line: &Line,
        listing: Listing<'_>,
        since: Option<&str>,
        hear: Hear<'_>,
    ) -> Result<Since> {
        let mut tries = 1;
        loop {
            let mut shown = false;
            let mut heard = |news: News<'_>| {
                shown = true;
                hear(news);
            };
            match self.inner.changes(line, listing, since, &mut heard).await {
                Ok(since) => return Ok(since),
                Err(error) if shown => return Err(error),
                Err(error) => self.bear(error, tries).await?,
            }
            tries += 1;
        }
    }

    async fn audit(&self, line: &Line, from: Start<'_>, size: u32, read: Read<'_>) -> Result<()> {
        let mut tries = 1;
        loop {
            let mut shown = false;
            let mut seen = |entry: audit::Entry| {
                shown = true;
                read(entry);
            };
            match self.inner.audit(line, from, size, &mut seen).await {
                Ok(()) => return Ok(()),
                Err(error) if shown => return Err(error),
                Err(error) => self.bear(error, tries).await?,
            }
            tries += 1;
        }
    }

    async fn get(&self, line: &Line, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        let mut tries = 1;
        loop {
            match self.inner.get(line, locator).await {
                Ok(found) => return Ok(found),
                Err(error) => self.bear(error, tries).await?,
            }
            tries += 1;
        }
    }

    async fn apply(
        &self,
        line: &Line,
        account: Option<&str>,
        op: &Op,
        precondition: Option<&str>,
        key: &str,
    ) -> Result<Applied> {
        self.inner.apply(line, account, op, precondition, key).await
    }

    fn instruction(&self, op: &Op, account: Option<&str>) -> String {
        self.inner.instruction(op, account)
    }

    async fn issue(&self, line: &Line, account: &str, class: AccessClass, secret: Secret) -> Result<Issued> {
        self.inner.issue(line, account, class, secret).await
    }

    /// Not tried again: a system may count what it turned away.
    async fn attempt(&self, line: &Line, issued: &Issued) -> Result<Entry> {
        self.inner.attempt(line, issued).await
    }
}

#[cfg(test)]
mod tests;
