//! Opening and closing findings: the same thing wrong is one finding, with an owner and a deadline.

use std::collections::BTreeMap;

use bailiwick_core::{
    finding::Finding,
    id::{FindingId, IdentityId, SystemName},
    record::{Record, RecordKind},
    time::SignedDuration,
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, select};

use crate::{Catalogue, Engine, Result};

/// How long an owner has.
const DEADLINE: SignedDuration = SignedDuration::from_hours(24);

/// Something wrong, before it is known whether it is known already.
pub(crate) struct Wrong {
    pub code: &'static str,
    pub subject: String,
    pub identity: Option<IdentityId>,
    pub system: Option<SystemName>,
    pub message: String,
    pub owner: String,
}

/// The finding that a system stands still because its connector cannot be made.
pub(crate) const STANDS_STILL: &str = "connector-unusable";

impl Engine {
    /// Opens a finding unless the same is open; gives the update to be written, if any.
    pub(crate) async fn open_finding(&self, tx: &mut dyn Tx, wrong: Wrong) -> Result<Option<Update>> {
        Ok(self.open_all(tx, vec![wrong]).await?.pop())
    }

    /// Opens findings as far as the same are not open; what is wrong twice is one finding.
    pub(crate) async fn open_all(&self, tx: &mut dyn Tx, wrongs: Vec<Wrong>) -> Result<Vec<Update>> {
        if wrongs.is_empty() {
            return Ok(Vec::new());
        }
        let mut by_key: BTreeMap<String, Wrong> =
            wrongs.into_iter().rev().map(|w| (Finding::key_of(w.code, &w.subject), w)).collect();
        let keys = by_key.keys().map(|key| key.as_str().into()).collect();
        let asked = Select::from(Table::Findings).filter(Filter::In("open_key", keys));
        for open in select::<Finding>(tx, self.tenant(), asked).await? {
            by_key.remove(&Finding::key_of(&open.value.code, &open.value.subject));
        }
        Ok(by_key.into_values().map(|wrong| self.opening(wrong)).collect())
    }

    /// Opens a finding whose owner has another time than usual.
    pub(crate) async fn open_finding_within(
        &self,
        tx: &mut dyn Tx,
        wrong: Wrong,
        time: SignedDuration,
    ) -> Result<Option<Update>> {
        let key = Finding::key_of(wrong.code, &wrong.subject);
        Ok(self.open_with(tx, &key).await?.is_none().then(|| self.opening_within(wrong, time)))
    }

    /// Opens a finding; where the same is open and says something else, it says this now. Its deadline stays.
    pub(crate) async fn renew_finding(&self, tx: &mut dyn Tx, wrong: Wrong) -> Result<Option<Update>> {
        let Some(open) = self.open_with(tx, &Finding::key_of(wrong.code, &wrong.subject)).await? else {
            return Ok(Some(self.opening(wrong)));
        };
        if open.value.message == wrong.message {
            return Ok(None);
        }
        let renewed = Finding { message: wrong.message, ..open.value };
        let record = self.opened(&renewed);
        Ok(Some(Update::new(record).replace(&renewed, open.revision, self.entropy())))
    }

    fn opening(&self, wrong: Wrong) -> Update {
        self.opening_within(wrong, DEADLINE)
    }

    fn opening_within(&self, wrong: Wrong, time: SignedDuration) -> Update {
        let now = self.now();
        let finding = Finding {
            id: FindingId::new(now, self.entropy()),
            code: wrong.code.to_owned(),
            subject: wrong.subject,
            identity: wrong.identity,
            system: wrong.system,
            message: wrong.message,
            owner: wrong.owner,
            opened: now,
            deadline: now.saturating_add(time).unwrap_or(now),
            closed: None,
        };
        Update::new(self.opened(&finding)).insert(&finding, self.entropy())
    }

    fn opened(&self, finding: &Finding) -> Record {
        let record = self
            .record(RecordKind::FindingOpened, "finding")
            .fact("code", &finding.code)
            .fact("finding", finding.id)
            .fact("subject", &finding.subject);
        Record { identity: finding.identity, ..record }
    }

    /// Access is known or wanted on a system that no integration reaches, or does any more, or not with this program.
    pub(crate) fn unreached(
        &self,
        catalogue: &Catalogue,
        system: &SystemName,
        identity: Option<IdentityId>,
    ) -> Wrong {
        let (code, message) = match catalogue.standing_still(system) {
            Some(why) => (
                STANDS_STILL,
                format!(
                    "nothing is planned, changed or read on `{system}`: this program cannot make its connector: {why}; \
                     correct the settings and apply them, or go back to the program that took them"
                ),
            ),
            None => (
                "system-undeclared",
                format!(
                    "access on `{system}` is known or wanted, and no integration that is declared and approved reaches \
                     it: declare it, have it approved (`bailiwick plan list --state drafted`), or end the access \
                     there by hand"
                ),
            ),
        };
        // What stands still stands still for everybody.
        let identity = identity.filter(|_| code != STANDS_STILL);
        let (subject, system) = (system.to_string(), Some(system.clone()));
        Wrong { code, subject, identity, system, message, owner: "operator".into() }
    }

    /// Closes the open finding with this code and subject, if there is one.
    pub(crate) async fn close_finding(
        &self,
        tx: &mut dyn Tx,
        code: &'static str,
        subject: &str,
    ) -> Result<Option<Update>> {
        Ok(self.close_findings(tx, &[(code, subject.to_owned())]).await?.pop())
    }

    /// Closes the open findings with these codes and subjects, as far as there are any.
    pub(crate) async fn close_findings(
        &self,
        tx: &mut dyn Tx,
        mended: &[(&'static str, String)],
    ) -> Result<Vec<Update>> {
        if mended.is_empty() {
            return Ok(Vec::new());
        }
        let keys = mended.iter().map(|(code, subject)| Finding::key_of(code, subject).into()).collect();
        let asked = Select::from(Table::Findings).filter(Filter::In("open_key", keys));
        let open = select::<Finding>(tx, self.tenant(), asked).await?;
        Ok(open.into_iter().map(|stored| self.closing(stored)).collect())
    }

    fn closing(&self, open: Stored<Finding>) -> Update {
        let mut record = self
            .record(RecordKind::FindingClosed, "finding")
            .fact("code", &open.value.code)
            .fact("finding", open.value.id);
        record.identity = open.value.identity;
        let closed = Finding { closed: Some(self.now()), ..open.value };
        Update::new(record).replace(&closed, open.revision, self.entropy())
    }

    /// The open finding with this key, `code:subject`.
    pub(crate) async fn open_with(&self, tx: &mut dyn Tx, key: &str) -> Result<Option<Stored<Finding>>> {
        let asked = Select::from(Table::Findings).filter(Filter::Is("open_key", key.into()));
        Ok(select(tx, self.tenant(), asked).await?.pop())
    }
}
