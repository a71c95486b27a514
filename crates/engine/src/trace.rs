//! The hops of events, from the log: of one, and of all that are under way.

use bailiwick_core::{
    case::Case,
    id::{EventId, IdentityId},
    record::{Logged, RecordKind},
    trace::Trace,
};
use bailiwick_store::{Filter, KeyValue, Select, Table, Tx, entities::PlanRow, select};
use serde::{Deserialize, Serialize};

use crate::{Engine, EngineError, Result};

/// The states of plans that are neither done nor given up.
const OPEN: [&str; 3] = ["drafted", "waiting", "approved"];

/// Part of what is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    /// Their traces.
    pub items: Vec<Trace>,
    /// Where to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Engine {
    /// The trace of an event, by its id; or of the last event of an identity, by what
    /// [`Engine::find_identity`] takes.
    ///
    /// # Errors
    /// When there is no such event or identity, and when nothing ever happened to the identity.
    pub async fn trace(&self, of: &str) -> Result<Trace> {
        let unknown = || EngineError::NotFound { kind: "event", name: of.to_owned() };
        let (identity, event) = match of.parse::<EventId>() {
            Ok(event) => {
                let mut tx = self.read().await?;
                let found = bailiwick_store::get::<bailiwick_core::event::Event>(&mut *tx, self.tenant(), of);
                (found.await?.ok_or_else(unknown)?.value.identity, Some(event))
            }
            Err(_) => (self.find_identity(of).await?.value.id, None),
        };
        let records = self.records_about(&mut *self.read().await?, identity).await?;
        let last = || records.iter().rfind(|r| r.kind == RecordKind::EventAccepted)?.event;
        let event = event.or_else(last).ok_or_else(unknown)?;
        Trace::of(event, &records, self.now()).ok_or_else(unknown)
    }

    /// The events with a plan that is not done or a case that is open, by the ids of these: plans first. `after` is
    /// the `next` of the part before.
    pub async fn under_way(&self, after: Option<String>, limit: u32) -> Result<Traces> {
        let mut tx = self.read().await?;
        let cases_only = after.as_ref().is_some_and(|after| after.starts_with("cas_"));
        let (mut events, mut next) = (Vec::new(), None);
        if !cases_only {
            let plans = select::<PlanRow>(&mut *tx, self.tenant(), open(Table::Plans, after.clone(), limit));
            let plans = plans.await?;
            if plans.len() as u32 == limit {
                next = plans.last().map(|row| row.value.plan.id.to_string());
            }
            let of = |row: PlanRow| (row.plan.decision.identity, row.plan.decision.event);
            events.extend(plans.into_iter().map(|row| of(row.value)));
        }
        let left = limit.saturating_sub(events.len() as u32);
        if next.is_none() && left > 0 {
            let after = after.filter(|_| cases_only);
            let cases = select::<Case>(&mut *tx, self.tenant(), open(Table::Cases, after, left)).await?;
            if cases.len() as u32 == left {
                next = cases.last().map(|case| case.value.id.to_string());
            }
            for case in cases.into_iter().map(|case| case.value) {
                let planned = open(Table::Plans, None, limit)
                    .filter(Filter::Is("identity", case.identity.to_string().into()));
                let planned = select::<PlanRow>(&mut *tx, self.tenant(), planned).await?;
                // It was given with its plan.
                if planned.iter().all(|row| row.value.plan.decision.event != case.event) {
                    events.push((case.identity, case.event));
                }
            }
        }
        let mut items = Vec::with_capacity(events.len());
        for (identity, event) in events {
            let records = self.records_about(&mut *tx, identity).await?;
            items.extend(Trace::of(event, &records, self.now()));
        }
        Ok(Traces { items, next })
    }

    async fn records_about(&self, tx: &mut dyn Tx, identity: IdentityId) -> Result<Vec<Logged>> {
        Ok(self.logged_about(tx, identity).await?.into_iter().map(|(_, logged)| logged).collect())
    }

    /// What the log says of somebody, in order, each with its index once it has one; with what of it is kept beside the
    /// log. What cannot be read is damage, which checking the evidence names.
    pub(crate) async fn logged_about(
        &self,
        tx: &mut dyn Tx,
        identity: IdentityId,
    ) -> Result<Vec<(Option<i64>, Logged)>> {
        let mut all = Vec::new();
        for entry in tx.entries_about(self.tenant(), &identity.to_string()).await? {
            let Ok(mut logged) = Logged::parse(&entry.bytes) else { continue };
            if logged.has_beside() {
                logged.put_back(tx.disclosures(self.tenant(), &[logged.id.to_string()]).await?);
            }
            all.push((entry.index, logged));
        }
        Ok(all)
    }
}

/// What is open in a table, by id.
fn open(table: Table, after: Option<String>, limit: u32) -> Select {
    let states = match table {
        Table::Plans => OPEN.map(KeyValue::from).to_vec(),
        _ => vec!["open".into()],
    };
    Select::from(table).filter(Filter::In("state", states)).page(after, limit)
}
