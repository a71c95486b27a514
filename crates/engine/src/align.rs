//! Alignment (PRODUCT E7): whether systems agree that somebody is inactive, each time that one of them says something new.
//!
//! Of somebody who has left the cells of their case say what is alive. Where an anchor says that somebody is inactive
//! who has not left, every other system is looked at now. While something disagrees it is looked at again every hour.

use bailiwick_core::{
    access::AccessClass,
    account::Account,
    alignment::{Alignment, Claim, Claimant, Invariant, Seen, Sight, Violation},
    case::Cell,
    id::{IdentityId, SystemName},
    identity::Identity,
    record::RecordKind,
    time::Timestamp,
    verify::{Coverage, Verdict},
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, Work, get, select};

use crate::{
    Catalogue, Engine, Haste, Job, Result, apply::later, finding::Wrong, observe::held, verify::RECHECK_MS,
};

/// The finding that a system disagrees that somebody is inactive.
const MISALIGNED: &str = "misaligned";

/// What there is to look at.
struct Looking {
    claims: Vec<Claim>,
    /// What is known without looking.
    sights: Vec<Sight>,
    /// Where to look.
    accounts: Vec<Account>,
}

impl Engine {
    /// Looks at how the systems agree about somebody, now.
    ///
    /// # Errors
    /// Those of the store. A system that cannot be reached is no error: what is known of it stays.
    pub async fn align(&self, identity: IdentityId) -> Result<Alignment> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let looking = self.what_is_said(&mut *tx, &catalogue, identity).await?;
        drop(tx);
        let Looking { claims, mut sights, accounts } = looking;
        for account in &accounts {
            sights.extend(self.sights_on(&catalogue, account).await);
        }
        let mut tx = self.begin().await?;
        let before = get::<Alignment>(&mut *tx, self.tenant(), &identity.to_string()).await?;
        let known = before.as_ref().map(|stored| &stored.value);
        let now = Alignment::judge(identity, self.now(), claims, &sights, known);
        // The cells of whoever left are read again anyhow, and it is judged anew with them.
        let again = !accounts.is_empty() && !now.violations.is_empty();
        self.write_alignment(&mut *tx, &catalogue, before, &now, again).await?;
        if again {
            let job = Job::Align { identity, after: Some(now.at) };
            let due = later(now.at, RECHECK_MS);
            self.enqueue(&mut *tx, vec![job.work(Some(identity), None, Haste::Usual, due)]).await?;
        }
        tx.commit().await?;
        Ok(now)
    }

    /// Has it looked at after somebody's cells were written, where something is left of their access or was.
    pub(crate) async fn align_after(
        &self,
        tx: &mut dyn Tx,
        identity: IdentityId,
        cells: &[Cell],
    ) -> Result<()> {
        let residual = cells.iter().any(|cell| matches!(cell.verdict, Verdict::Residual { .. }));
        let known = get::<Alignment>(tx, self.tenant(), &identity.to_string()).await?;
        match residual || known.is_some_and(|known| !known.value.violations.is_empty()) {
            true => self.align_soon(tx, identity).await,
            false => Ok(()),
        }
    }

    /// Does what a work item asks for.
    pub(crate) async fn align_item(
        &self,
        item: &Work,
        identity: IdentityId,
        after: Option<Timestamp>,
    ) -> Result<()> {
        let mut tx = self.read().await?;
        let last = get::<Alignment>(&mut *tx, self.tenant(), &identity.to_string()).await?;
        drop(tx);
        // However often it is judged for another reason, one chain goes on.
        if after.is_none_or(|after| last.is_some_and(|last| last.value.at == after)) {
            self.align(identity).await?;
        }
        let mut tx = self.begin().await?;
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }

    async fn what_is_said(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        identity: IdentityId,
    ) -> Result<Looking> {
        let person = get::<Identity>(tx, self.tenant(), &identity.to_string()).await?;
        let left = person.and_then(|stored| stored.value.lifecycle.gone());
        let theirs =
            Select::from(Table::Accounts).filter(Filter::Is("identity", identity.to_string().into()));
        let accounts: Vec<Account> =
            select::<Account>(tx, self.tenant(), theirs).await?.into_iter().map(|s| s.value).collect();
        let mut claims: Vec<Claim> =
            left.map(|since| Claim { claimant: Claimant::Departure, since }).into_iter().collect();
        let (said, others): (Vec<Account>, Vec<Account>) =
            accounts.into_iter().partition(|account| says_inactive(catalogue, account, left.is_some()));
        claims.extend(said.iter().map(|account| Claim {
            claimant: Claimant::Anchor(account.system.clone()),
            since: account.seen,
        }));
        // Since when is when it was first known, however often the account is read since.
        if let Some(known) = get::<Alignment>(tx, self.tenant(), &identity.to_string()).await? {
            for claim in &mut claims {
                let earlier = known.value.claims.iter().find(|one| one.claimant == claim.claimant);
                claim.since = earlier.map_or(claim.since, |earlier| earlier.since.min(claim.since));
            }
        }
        let owner = |system: &SystemName| owner_of(catalogue, system);
        let mut sights = Vec::new();
        for (system, class) in self.silent_about(tx, identity, None).await? {
            let acts = owner(&system);
            sights.push(Sight { system, class, seen: Seen::Unlogged, acts });
        }
        if left.is_some() {
            for cell in self.latest_cells(tx, identity).await? {
                let told = sights.iter().any(|s| s.system == cell.system && s.class == cell.class);
                let seen = match (&cell.verdict, told) {
                    (_, true) | (Verdict::Pending { .. }, _) => continue,
                    (Verdict::Residual { .. }, _) => Seen::Alive,
                    (Verdict::Removed | Verdict::Blocked { .. } | Verdict::Unobservable { .. }, false) => {
                        Seen::Gone
                    }
                };
                let acts = owner(&cell.system);
                sights.push(Sight { system: cell.system, class: cell.class, seen, acts });
            }
        }
        let look = left.is_none() && !claims.is_empty();
        Ok(Looking { claims, sights, accounts: if look { others } else { Vec::new() } })
    }

    async fn latest_cells(&self, tx: &mut dyn Tx, identity: IdentityId) -> Result<Vec<Cell>> {
        let Some(case) = self.latest_case(tx, identity).await? else { return Ok(Vec::new()) };
        let mine = Select::from(Table::Cells).filter(Filter::Is("case_id", case.value.id.to_string().into()));
        Ok(select::<Cell>(tx, self.tenant(), mine).await?.into_iter().map(|stored| stored.value).collect())
    }

    /// What somebody has there that works: the account, and what works without it. What cannot be read is not seen.
    async fn sights_on(&self, catalogue: &Catalogue, account: &Account) -> Vec<Sight> {
        let system = &account.system;
        let (Ok(route), Some(declared)) = (catalogue.route(system), catalogue.systems.get(system)) else {
            return Vec::new();
        };
        let (line, witness) = self.witnessing(catalogue, route.integration);
        let observes = &route.connector.capability().observes;
        let works = |class: &&AccessClass| {
            observes.contains(class) && (**class == AccessClass::PrimaryAccount || class.works_alone())
        };
        let mut sights = Vec::new();
        for class in declared.classes.iter().filter(works) {
            let read =
                held(&**route.connector, &line, witness, &account.external_id, *class, self.now()).await;
            let Ok(observed) = read else { continue };
            let seen = match observed.held.iter().any(|held| held.live) {
                true => Seen::Alive,
                false if observed.coverage == Coverage::Complete => Seen::Gone,
                false => continue,
            };
            let acts = route.integration.owner.clone();
            sights.push(Sight { system: system.clone(), class: *class, seen, acts });
        }
        sights
    }

    async fn write_alignment(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        before: Option<Stored<Alignment>>,
        now: &Alignment,
        again: bool,
    ) -> Result<()> {
        let known: &[Violation] = before.as_ref().map(|b| &b.value.violations[..]).unwrap_or_default();
        // What is left of a leaver, and what no log has a word of, has findings of its own.
        let departed = now.claims.iter().any(|claim| claim.claimant == Claimant::Departure);
        let subject = |v: &Violation| format!("{}/{}/{}/{}", now.identity, v.system, v.class, v.invariant);
        let mut updates = Vec::new();
        for violation in now.violations.iter().filter(|v| !departed && v.invariant != Invariant::Logged) {
            let wrong = Wrong {
                code: MISALIGNED,
                subject: subject(violation),
                identity: Some(now.identity),
                system: Some(violation.system.clone()),
                message: words(now, violation),
                owner: owner_of(catalogue, &violation.system),
            };
            updates.extend(self.renew_finding(tx, wrong).await?);
        }
        let still = |v: &Violation| !departed && now.violations.iter().any(|n| subject(n) == subject(v));
        let mended = known.iter().filter(|v| !still(v));
        let mended: Vec<_> = mended.map(|violation| (MISALIGNED, subject(violation))).collect();
        updates.extend(self.close_findings(tx, &mended).await?);
        let changed = match &before {
            Some(before) => !before.value.says_as(now),
            None => !now.violations.is_empty(),
        };
        // What is looked at again names when that was last.
        if changed || again {
            let violations = now.violations.iter().map(|v| (&v.system, v.class, v.invariant));
            let record = self
                .record(RecordKind::Aligned, "align")
                .identity(now.identity)
                .fact("claims", &now.claims)
                .fact("violations", violations.collect::<Vec<_>>());
            let update = Update::new(record);
            updates.push(match before {
                Some(before) => update.replace(now, before.revision, self.entropy()),
                None => update.insert(now, self.entropy()),
            });
        }
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }
}

/// Whether the account says that its person is to have no access: it is an anchor's, and disabled. Of somebody who has not
/// left it says so only where not the hub disabled it, because no policy gives an account there any more.
fn says_inactive(catalogue: &Catalogue, account: &Account, left: bool) -> bool {
    let anchor = catalogue.systems.get(&account.system).is_some_and(|system| system.anchor);
    let by_the_hub = account.applied.as_ref().is_some_and(|applied| !applied.active);
    anchor && !account.state.active && (left || !by_the_hub)
}

fn owner_of(catalogue: &Catalogue, system: &SystemName) -> String {
    catalogue.route(system).map_or_else(|_| "operator".into(), |route| route.integration.owner.clone())
}

fn words(alignment: &Alignment, violation: &Violation) -> String {
    let says: Vec<String> =
        alignment.claims.iter().map(|claim| format!("{} since {}", claim.claimant, claim.since)).collect();
    let Violation { invariant, system, class, .. } = violation;
    format!(
        "somebody is inactive ({}), and on `{system}` {} ({class}): end it there, or mend what says that they are inactive; \
         all that disagrees: `bailiwick alignment`",
        says.join(", "),
        invariant.broken()
    )
}
