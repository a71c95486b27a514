//! What follows from a change that the system's own log has no word of, and from one that turns up after all.

use std::collections::BTreeSet;

use bailiwick_core::{
    access::AccessClass,
    account::Account,
    audit::Write,
    case::{Case, Cell},
    finding::Finding,
    id::{IdentityId, RunId, SystemName},
    verify::Verdict,
};
use bailiwick_store::{Filter, Select, Table, Tx, entities::Run, get, select};

use crate::{Engine, Haste, Job, Result, catalogue::Route, finding::Wrong};

/// The finding that a system's log has no word of a change.
pub(crate) const SILENT: &str = "audit-silent";

impl Engine {
    /// Tells of changes that the system's log has no word of, and believes no clean cell that rests on one.
    pub(super) async fn doubt_silent(
        &self,
        tx: &mut dyn Tx,
        route: &Route<'_>,
        silent: &[Write],
    ) -> Result<()> {
        for write in silent {
            let Some(run) = get::<Run>(tx, self.tenant(), &write.run.to_string()).await? else { continue };
            let system = run.value.system;
            let wrong = Wrong {
                code: SILENT,
                subject: self.silent_subject(tx, &system, write).await?,
                identity: Some(write.identity),
                system: Some(system.clone()),
                message: format!(
                    "`{system}` answered that it changed {} of an account, and its own audit log has no word of that: \
                     what is read of it is not believed; look there by hand, and try what is said to have ended",
                    write.part.class
                ),
                owner: route.integration.owner.clone(),
            };
            let updates = self.open_finding(tx, wrong).await?.into_iter().collect();
            tx.write(self.tenant(), updates, self.entropy()).await?;
            self.doubt_cell(tx, &system, write).await?;
            self.align_soon(tx, write.identity).await?;
        }
        Ok(())
    }

    /// The log was late: what was said of these is taken back, and what was not believed is read again.
    pub(super) async fn believe_late(&self, tx: &mut dyn Tx, late: &[Write]) -> Result<()> {
        let mut runs: BTreeSet<RunId> = BTreeSet::new();
        for write in late {
            let Some(run) = get::<Run>(tx, self.tenant(), &write.run.to_string()).await? else { continue };
            let subject = self.silent_subject(tx, &run.value.system, write).await?;
            let updates = self.close_finding(tx, SILENT, &subject).await?.into_iter().collect();
            tx.write(self.tenant(), updates, self.entropy()).await?;
            if runs.insert(write.run) {
                let job = self.verify_job(tx, &run.value).await?;
                self.enqueue(tx, vec![job]).await?;
            }
            self.align_soon(tx, write.identity).await?;
        }
        Ok(())
    }

    /// The classes of which the system's log has no word that they were taken from somebody.
    pub(crate) async fn silent_about(
        &self,
        tx: &mut dyn Tx,
        identity: IdentityId,
        system: Option<&SystemName>,
    ) -> Result<BTreeSet<(SystemName, AccessClass)>> {
        let asked = Select::from(Table::Findings)
            .filter(Filter::Is("identity", identity.to_string().into()))
            .filter(Filter::Is("state", "open".into()));
        let open = select::<Finding>(tx, self.tenant(), asked).await?.into_iter().map(|stored| stored.value);
        let of = |finding: Finding| {
            let class = finding.subject.rsplit('/').next()?.parse().ok()?;
            Some((finding.system?, class))
        };
        let silent = open.filter(|finding| finding.code == SILENT).filter_map(of);
        Ok(silent.filter(|(of, _)| system.is_none_or(|system| system == of)).collect())
    }

    async fn silent_subject(&self, tx: &mut dyn Tx, system: &SystemName, write: &Write) -> Result<String> {
        let locator = Account::locator_of(system, &write.account);
        let asked = Select::from(Table::Accounts).filter(Filter::Is("locator", locator.into()));
        let account = select::<Account>(tx, self.tenant(), asked).await?.pop();
        let account =
            account.map_or_else(|| write.identity.to_string(), |stored| stored.value.id.to_string());
        Ok(format!("{system}/{account}/{}", write.part.class))
    }

    /// Takes back that somebody's access was seen to be gone, and opens their case again.
    async fn doubt_cell(&self, tx: &mut dyn Tx, system: &SystemName, write: &Write) -> Result<()> {
        let Some(case) = self.latest_case(tx, write.identity).await? else { return Ok(()) };
        let key = Cell::key_of(case.value.id, system, write.part.class);
        let Some(cell) = get::<Cell>(tx, self.tenant(), &key).await? else { return Ok(()) };
        let doubted = unlogged(write.part.class, cell.value.verdict.clone());
        if doubted == cell.value.verdict || !self.is_of_a_leaver(tx, case.value.id).await? {
            return Ok(());
        }
        let update = self.doubt("audit", cell, doubted);
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        self.settle_case(tx, case.value.id).await
    }

    /// The last case of somebody.
    pub(crate) async fn latest_case(
        &self,
        tx: &mut dyn Tx,
        identity: IdentityId,
    ) -> Result<Option<bailiwick_store::Stored<Case>>> {
        let asked = Select::from(Table::Cases).filter(Filter::Is("identity", identity.to_string().into()));
        let cases = select::<Case>(tx, self.tenant(), asked).await?;
        Ok(cases.into_iter().max_by_key(|stored| (stored.value.opened, stored.value.id)))
    }

    /// Has it looked at how the systems agree about somebody.
    pub(crate) async fn align_soon(&self, tx: &mut dyn Tx, identity: IdentityId) -> Result<()> {
        let job = Job::Align { identity, after: None };
        self.enqueue(tx, vec![job.work(Some(identity), None, Haste::Soon, self.now())]).await
    }
}

/// What is to be said of a class whose end the system's own log has no word of.
pub(crate) fn unlogged(class: AccessClass, read: Verdict) -> Verdict {
    match read {
        Verdict::Removed | Verdict::Blocked { .. } => {
            let why = format!("the system's own audit log has no word of the end of {class}");
            Verdict::Unobservable { why, control: None }
        }
        read @ (Verdict::Residual { .. } | Verdict::Pending { .. } | Verdict::Unobservable { .. }) => read,
    }
}
