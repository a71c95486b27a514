//! What somebody could still do whose departure was told late: what they held in that time, and what logs have of them.
//!
//! What they held when it was heard is written with the case. What a plan of that time took before, and what the systems'
//! own logs tell, is looked at afterwards, beside the loop: it keeps nothing from ending.

use bailiwick_core::{
    account::Account,
    audit::Entry,
    case::Case,
    exposure::{Exposure, Use, Uses},
    id::{CaseId, SystemName},
    record::RecordKind,
};
use bailiwick_store::{
    Filter, Select, Table, Tx, Update, Work,
    entities::{PlanRow, Run, Step},
    get, select,
};

use crate::{
    Catalogue, Engine, Result,
    audit::log::{Log, Read},
};

/// How many entries of a log are looked at.
const MOST: usize = 20_000;

impl Engine {
    /// Looks at what was open in the time before a departure was heard of.
    pub(crate) async fn expose(&self, item: &Work, case: CaseId) -> Result<()> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let found = get::<Case>(&mut *tx, self.tenant(), &case.to_string()).await?;
        let Some((case, mut exposure)) = found.and_then(|s| Some((s.value.clone(), s.value.exposure?)))
        else {
            drop(tx);
            return self.exposed(item, case, None).await;
        };
        self.taken_meanwhile(&mut *tx, &case, &mut exposure).await?;
        let mut accounts = Vec::new();
        for (system, open) in &exposure.access {
            let account = get::<Account>(&mut *tx, self.tenant(), &open.account.to_string()).await?;
            accounts.extend(account.map(|account| (system.clone(), account.value)));
        }
        drop(tx);
        for (system, account) in accounts {
            let uses = self.uses(&catalogue, &system, &account, &exposure).await?;
            if let Some(open) = exposure.access.get_mut(&system) {
                open.uses = uses;
            }
        }
        self.exposed(item, case.id, Some(exposure)).await
    }

    /// What plans of that time changed had been open before.
    async fn taken_meanwhile(&self, tx: &mut dyn Tx, case: &Case, exposure: &mut Exposure) -> Result<()> {
        let theirs =
            |table| Select::from(table).filter(Filter::Is("identity", case.identity.to_string().into()));
        let within = |row: &PlanRow| exposure.from <= row.plan.made && row.plan.made < exposure.heard;
        let plans = select::<PlanRow>(tx, self.tenant(), theirs(Table::Plans)).await?;
        let plans: Vec<PlanRow> = plans.into_iter().map(|s| s.value).filter(within).collect();
        let runs = select::<Run>(tx, self.tenant(), theirs(Table::Runs)).await?;
        for run in runs.into_iter().map(|s| s.value) {
            let Some(row) = plans.iter().find(|row| row.plan.id == run.plan) else { continue };
            let done = run.steps.values().any(|step| matches!(step, Step::Applied { .. }));
            let change = row.plan.changes.iter().find(|change| change.system == run.system);
            if let (true, Some(change), Some(before)) = (done, change, row.plan.before.get(&run.system)) {
                exposure.held_before(&run.system, change.target.account(), before);
            }
        }
        Ok(())
    }

    /// What the log of a system has of the holder of an account.
    async fn uses(
        &self,
        catalogue: &Catalogue,
        system: &SystemName,
        account: &Account,
        exposure: &Exposure,
    ) -> Result<Uses> {
        let Ok(route) = catalogue.log(system) else { return Ok(Uses::None) };
        let line = self.reading(catalogue, route.integration);
        let log = Log { connector: &**route.connector, line: &line };
        let (mut uses, mut read) = (Vec::new(), Read::default());
        let mut show = |entry: Entry| {
            if exposure.is_use(account, &entry) {
                uses.push(Use { at: entry.at, deed: entry.deed });
            }
        };
        match log.follow(&mut read, exposure.from, MOST, &mut show).await {
            Ok(()) => Ok(Uses::read(uses, read.whole)),
            Err(error) if error.kind.transient() => Err(error.into()),
            Err(error) => Ok(Uses::Failed { code: error.code().to_owned() }),
        }
    }

    async fn exposed(&self, item: &Work, case: CaseId, exposure: Option<Exposure>) -> Result<()> {
        let mut tx = self.begin().await?;
        let stored = get::<Case>(&mut *tx, self.tenant(), &case.to_string()).await?;
        if let (Some(stored), Some(exposure)) = (stored, exposure) {
            let access: Vec<_> =
                exposure.access.iter().map(|(system, open)| (system, &open.entitlements)).collect();
            let logs: Vec<_> = exposure
                .access
                .iter()
                .filter(|(_, open)| matches!(open.uses, Uses::Read { .. }))
                .map(|(system, _)| system)
                .collect();
            let record = self
                .record(RecordKind::Exposed, "exposure")
                .identity(stored.value.identity)
                .event(stored.value.event)
                .case(case)
                .fact("access", access)
                .fact("from", exposure.from)
                .fact("heard", exposure.heard)
                .fact("logs_read", logs)
                .fact("ms", exposure.millis())
                .fact("uses", exposure.known_uses());
            let told = Case { exposure: Some(exposure), ..stored.value };
            let update = Update::new(record).replace(&told, stored.revision, self.entropy());
            tx.write(self.tenant(), vec![update], self.entropy()).await?;
        }
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }
}
