//! Connectors with a mistake in them, for the oracles of the simulated world to catch. A system opts in by the
//! setting `planted`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bailiwick_connector::{
    Applied, Capability, Connector, Effect, Line, Listing, Locator, Object, ObjectState, Outcome, Page, Read,
    Result, Start, Visit,
};
use bailiwick_core::plan::Op;

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// What was answered OK is taken to be so: accounts that were to be disabled are shown disabled.
    BelievesOk,
    /// Of what an account holds nothing is shown, and that is called everything.
    TrustsPartial,
    /// It is read back at once, however long the system takes.
    IgnoresLag,
    /// What was given last arrives once more, after the account was disabled.
    Overtaken,
    /// Whenever something is given, the administrators' group is given too, though no plan says so.
    Unapproved,
    /// What has no answer is sent again at once.
    RetriesBlindly,
    /// What was marked as sent is sent again without reading. Planted in the store, which forgets the mark.
    ResumesBlindly,
    /// Nothing is sent, and the answer is that it was done. Of the fault grid.
    DoesNothing,
    /// Nothing is sent but what changes the account itself. Of the fault grid.
    DoesHalf,
    /// What an account holds is shown in part, and called so. Of the fault grid.
    ShowsPart,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::RetriesBlindly,
        Self::IgnoresLag,
        Self::TrustsPartial,
        Self::Unapproved,
        Self::BelievesOk,
        Self::ResumesBlindly,
        Self::Overtaken,
        Self::DoesNothing,
        Self::DoesHalf,
        Self::ShowsPart,
    ];

    /// As in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IgnoresLag => "ignores-lag",
            Self::BelievesOk => "believes-ok",
            Self::TrustsPartial => "trusts-partial",
            Self::Overtaken => "overtaken",
            Self::Unapproved => "unapproved",
            Self::RetriesBlindly => "retries-blindly",
            Self::ResumesBlindly => "resumes-blindly",
            Self::DoesNothing => "does-nothing",
            Self::DoesHalf => "does-half",
            Self::ShowsPart => "shows-part",
        }
    }
}

/// A connector that makes the mistake.
pub fn wrap(inner: Arc<dyn Connector>, name: &str) -> Arc<dyn Connector> {
    let bug = Bug::ALL.into_iter().find(|bug| bug.name() == name).unwrap();
    let mut capability = inner.capability().clone();
    if bug == Bug::IgnoresLag {
        capability.read_lag_ms = 0;
    }
    Arc::new(Planted { inner, capability, bug, disabled: Mutex::default(), given: Mutex::default() })
}

struct Planted {
    inner: Arc<dyn Connector>,
    capability: Capability,
    bug: Bug,
    disabled: Mutex<BTreeSet<String>>,
    given: Mutex<BTreeMap<String, Op>>,
}

impl Planted {
    fn shown(&self, mut object: Object<'static>) -> Object<'static> {
        if self.disabled.lock().unwrap().contains(object.id.as_ref()) {
            object.state = ObjectState::Blocked;
        }
        object
    }
}

#[async_trait]
impl Connector for Planted {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn check(&self, line: &Line) -> Result<()> {
        self.inner.check(line).await
    }

    async fn list(
        &self,
        line: &Line,
        listing: Listing<'_>,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        if self.bug == Bug::TrustsPartial && matches!(listing, Listing::Held { .. }) {
            return Ok(Page { next: None, complete: true });
        }
        if self.bug == Bug::ShowsPart && matches!(listing, Listing::Held { .. }) {
            return Ok(Page { next: None, complete: false });
        }
        let mut show = |object: Object<'_>| visit(self.shown(object.into_owned()));
        self.inner.list(line, listing, cursor, size, &mut show).await
    }

    async fn audit(&self, line: &Line, from: Start<'_>, size: u32, read: Read<'_>) -> Result<()> {
        self.inner.audit(line, from, size, read).await
    }

    async fn get(&self, line: &Line, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        Ok(self.inner.get(line, locator).await?.map(|object| self.shown(object)))
    }

    async fn apply(
        &self,
        line: &Line,
        account: Option<&str>,
        op: &Op,
        precondition: Option<&str>,
        key: &str,
    ) -> Result<Applied> {
        let skips = match self.bug {
            Bug::DoesNothing => op.removes(),
            Bug::DoesHalf => matches!(op, Op::Revoke { .. } | Op::RevokeAll { .. }),
            _ => false,
        };
        if skips {
            let answer = bailiwick_core::digest::Digest::of(b"done");
            let external_id = account.map(str::to_owned);
            return Ok(Applied { outcome: Outcome::Done, external_id, version: None, answer });
        }
        let mut applied = self.inner.apply(line, account, op, precondition, key).await;
        if self.bug == Bug::RetriesBlindly && applied.as_ref().is_err_and(|e| e.effect == Effect::Unknown) {
            applied = self.inner.apply(line, account, op, precondition, key).await;
        }
        let applied = applied?;
        let Some(account) = account else { return Ok(applied) };
        match (self.bug, op) {
            (Bug::BelievesOk, Op::Disable { .. }) => _ = self.disabled.lock().unwrap().insert(account.into()),
            (Bug::BelievesOk, Op::Enable) => _ = self.disabled.lock().unwrap().remove(account),
            (Bug::Overtaken, Op::Grant { .. }) => {
                self.given.lock().unwrap().insert(account.into(), op.clone());
            }
            (Bug::Overtaken, Op::Disable { .. }) => {
                let late = self.given.lock().unwrap().remove(account);
                if let Some(late) = late {
                    // As a write that was under way for long; nobody waits for its answer.
                    let _ = self.inner.apply(line, Some(account), &late, None, &format!("{key}-late")).await;
                }
            }
            (Bug::Unapproved, Op::Grant { class, .. }) => {
                let more = Op::Grant { class: *class, external_id: "g-admins".into() };
                let _ = self.inner.apply(line, Some(account), &more, None, &format!("{key}-more")).await;
            }
            _ => {}
        }
        Ok(applied)
    }
}
