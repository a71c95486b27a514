//! Writing what a comparison found, all in one transaction: how much of it, and what was read.

use bailiwick_core::{digest::Digest, record::RecordKind};
use bailiwick_store::{
    Tx, Update,
    entities::{Comparison, Held, Membership, Reading, Since, Unexplained},
    get,
};

use super::{CHUNK, Comparing, Found, Gone, Overflow, Reconciled, accounts::NAMED, classes::Room};
use crate::{Engine, Result, finding::Wrong};

/// The finding that a comparison found more than it may set in motion.
const HELD: &str = "differences-held";
/// The finding that accounts were changed, and the system's own log does not say by whom.
const NOBODY: &str = "change-unexplained";
/// How many such accounts are remembered, in case that the log is late.
const UNEXPLAINED: usize = 200;
/// How many comparisons of a system are remembered in numbers.
const RUNS: usize = 10;

impl Engine {
    pub(super) async fn write_found(&self, comparing: &Comparing<'_>, found: Found) -> Result<Reconciled> {
        let Found { mut report, mut different, gone, groups, inside, nested, members, since } = found;
        // Which of them have room does not depend on how the system happens to show them.
        different.sort_unstable_by(|one, other| one.username.cmp(&other.username));
        let Comparing { system, .. } = *comparing;
        let nothing = different.is_empty() && matches!(gone, Gone::Nobody);
        let mut tx = self.begin().await?;
        self.learn_entitlements(&mut *tx, comparing, &groups, inside.as_ref()).await?;
        // What was not shown in full would look like lost memberships and lost accounts: nothing is concluded.
        if report.partial.is_none() {
            let mut room = self.room(&mut *tx, comparing, nothing).await?;
            for chunk in different.chunks(CHUNK) {
                self.write_different(&mut *tx, comparing, chunk, &mut report, &mut room).await?;
            }
            self.write_gone(&mut *tx, comparing, gone, &mut report, &mut room).await?;
            self.write_members(&mut *tx, comparing, members).await?;
            self.write_nested(&mut *tx, comparing, nested.unwrap_or_default()).await?;
            let Room { filed, held, .. } = room;
            report.held = (held > 0).then_some(Overflow { filed, held });
            report.classes.differences.sort();
            self.tell_held(&mut *tx, comparing, &report).await?;
        }
        self.look_after_shared(&mut *tx, comparing).await?;
        // What is held is looked for again by everything that there is.
        let since = since.filter(|_| report.held.is_none());
        let unexplained = self.still_unexplained(&mut *tx, comparing, &report).await?;
        let unmanaged = report.unmanaged as usize;
        if unmanaged > NAMED {
            let wrong = Wrong {
                code: "accounts-unmanaged",
                subject: format!("{system}/many"),
                identity: None,
                system: Some(system.clone()),
                message: format!(
                    "{unmanaged} accounts on `{system}` belong to nobody known; {NAMED} of them are named"
                ),
                owner: comparing.integration.owner.clone(),
            };
            let updates = self.open_finding(&mut *tx, wrong).await?.into_iter().collect();
            tx.write(self.tenant(), updates, self.entropy()).await?;
        }
        if !comparing.by_person() {
            self.write_reading(&mut *tx, comparing, (since, unexplained), &report).await?;
            self.schedule_reconcile(&mut *tx, comparing).await?;
        }
        tx.commit().await?;
        Ok(report)
    }

    /// What was read, and where the next reading begins.
    async fn write_reading(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        (since, unexplained): (Option<Since>, Vec<Unexplained>),
        report: &Reconciled,
    ) -> Result<()> {
        let before = comparing.before.as_ref();
        let listed = match (report.how, &report.partial) {
            (super::How::Listed, None) => Some(comparing.began),
            (super::How::Listed, Some(_)) | (super::How::News, _) => before.and_then(|b| b.value.listed),
        };
        let reading = Reading {
            system: comparing.system.clone(),
            basis: comparing.basis,
            at: comparing.began,
            listed,
            since,
            partial: report.partial.clone(),
            held: match (report.held, before.and_then(|b| b.value.held.clone())) {
                (Some(overflow), earlier) => {
                    let since = earlier.map_or(comparing.began, |held| held.since);
                    Some(Held { since, accounts: overflow.held })
                }
                // What was seen only in part does not say that nothing waits any more.
                (None, earlier) => earlier.filter(|_| report.partial.is_some()),
            },
            audited: comparing.told.read.mark.clone(),
            unexplained,
            runs: self.runs(comparing, report),
        };
        let record = self
            .record(RecordKind::Reconciled, "reconcile")
            .fact("accounts", report.accounts)
            .fact("adopted", report.adopted)
            .fact("changed", report.changed)
            .fact("classes", &report.classes.counts)
            .fact("gone", report.gone)
            .fact("held", report.held.map_or(0, |overflow| overflow.held))
            .fact("how", report.how)
            .fact("partial", report.partial.is_some())
            .fact("system", comparing.system)
            .fact("unchanged", report.unchanged)
            .fact("unexplained", report.unexplained.len())
            .fact("unmanaged", report.unmanaged);
        let update = Update::new(record);
        let update = match before {
            Some(before) => update.replace(&reading, before.revision, self.entropy()),
            None => update.insert(&reading, self.entropy()),
        };
        Ok(tx.write(self.tenant(), vec![update], self.entropy()).await?)
    }

    /// This comparison in numbers, and those before it.
    fn runs(&self, comparing: &Comparing<'_>, report: &Reconciled) -> Vec<Comparison> {
        let this = Comparison {
            began: comparing.began,
            ended: self.now(),
            listed: report.how == super::How::Listed,
            partial: report.partial.is_some(),
            accounts: report.accounts,
            changed: report.changed,
            gone: report.gone,
            classes: report.classes.counts.clone(),
            held: report.held.map_or(0, |overflow| overflow.held),
            unexplained: report.unexplained.len() as u64,
        };
        let before = comparing.before.iter().flat_map(|before| &before.value.runs);
        std::iter::once(this).chain(before.cloned()).take(RUNS).collect()
    }

    /// About how many accounts the comparison may set something in motion. What is held keeps everything back until
    /// somebody lets it go, and then as much goes as was held: what differs beyond that nobody has looked at.
    async fn room(&self, tx: &mut dyn Tx, comparing: &Comparing<'_>, nothing: bool) -> Result<Room> {
        let held = comparing.before.as_ref().and_then(|before| before.value.held.as_ref());
        Ok(Room::new(match (&comparing.release, held) {
            (Some(by), Some(held)) => {
                let mut record = self
                    .record(RecordKind::BudgetReleased, "release")
                    .fact("accounts", held.accounts)
                    .fact("system", comparing.system);
                record.actor = by.clone();
                tx.write(self.tenant(), vec![Update::new(record)], self.entropy()).await?;
                held.accounts
            }
            (None, Some(_)) => 0,
            (Some(_) | None, None) if nothing => 0,
            (Some(_) | None, None) => comparing.rules.allowed(self.population(tx, comparing.system).await?),
        }))
    }

    /// Opens, renews or closes the finding that differences are held.
    async fn tell_held(&self, tx: &mut dyn Tx, comparing: &Comparing<'_>, report: &Reconciled) -> Result<()> {
        let system = comparing.system;
        let Some(Overflow { held, filed }) = report.held else {
            let closed = self.close_findings(tx, &[(HELD, system.to_string())]).await?;
            return Ok(tx.write(self.tenant(), closed, self.entropy()).await?);
        };
        let (accounts, differ) = if held == 1 { ("account", "differs") } else { ("accounts", "differ") };
        let message = format!(
            "{held} {accounts} on `{system}` {differ} from what is known, and nothing is done about it: one comparison \
             may set {}% of the known accounts in motion, and {filed} were. See with `bailiwick reconcile {system}` \
             whether that is so, then let them go with `bailiwick reconcile {system} --release`",
            comparing.rules.max_change_percent
        );
        let wrong = Wrong {
            code: "differences-held",
            subject: system.to_string(),
            identity: None,
            system: Some(system.clone()),
            message,
            owner: comparing.integration.owner.clone(),
        };
        let updates = self.renew_finding(tx, wrong).await?.into_iter().collect();
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    /// What differed and the system's own log has no word of, now and before, as far as it has none yet.
    async fn still_unexplained(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        report: &Reconciled,
    ) -> Result<Vec<Unexplained>> {
        let before =
            comparing.before.as_ref().map(|before| &before.value.unexplained[..]).unwrap_or_default();
        let explained = |one: &&Unexplained| comparing.told.others.knows(&one.account, &one.parts);
        let mut still: Vec<Unexplained> = before.iter().filter(|one| !explained(one)).cloned().collect();
        let known = |new: &&Unexplained| before.iter().any(|one| one.account == new.account);
        still.extend(report.unexplained.iter().filter(|new| !known(new)).cloned());
        still.truncate(UNEXPLAINED);
        let system = comparing.system;
        let updates = match still.len() {
            0 => self.close_findings(tx, &[(NOBODY, system.to_string())]).await?,
            count => {
                let accounts =
                    if count == 1 { "an account was".to_owned() } else { format!("{count} accounts were") };
                let message = format!(
                    "{accounts} changed on `{system}`, and its own audit log has no word of that: find out who can change \
                     accounts there without leaving a trace"
                );
                let wrong = Wrong {
                    code: NOBODY,
                    subject: system.to_string(),
                    identity: None,
                    system: Some(system.clone()),
                    message,
                    owner: comparing.integration.owner.clone(),
                };
                self.renew_finding(tx, wrong).await?.into_iter().collect()
            }
        };
        tx.write(self.tenant(), updates, self.entropy()).await?;
        Ok(still)
    }

    async fn write_members(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        members: Vec<Membership>,
    ) -> Result<()> {
        for membership in members {
            let name = &membership.entitlement;
            let before = get::<Membership>(tx, self.tenant(), name.as_str()).await?;
            let record = self
                .record(RecordKind::Observed, "reconcile")
                .fact("entitlement", name)
                .fact("members", Digest::of_value(&membership.members))
                .fact("system", comparing.system);
            let update = Update::new(record);
            let update = match before {
                Some(before) => update.replace(&membership, before.revision, self.entropy()),
                None => update.insert(&membership, self.entropy()),
            };
            tx.write(self.tenant(), vec![update], self.entropy()).await?;
        }
        Ok(())
    }
}
