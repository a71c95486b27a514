//! Ends that are known: who leaves when, and taking one back. One asks, another approves, and it is an event.

use bailiwick_core::{
    approval::{Approval, Refusal},
    engagement,
    event::EventKind,
    id::PlanId,
    identity::{Identity, Lifecycle},
    plan::{self, Inputs, Plan, Sweep},
    record::Actor,
    stay::{self, Leaving, Stay, StayRefusal},
    time::Timestamp,
};
use bailiwick_store::{
    Filter, Ready, Select, Stored, Table, Tx, Update,
    entities::{Operator, PlanRow, PlanState},
    get, select,
};

use crate::{
    Engine, EngineError, Result,
    accept::Accepted,
    decide::{Outcome, judge},
};

impl Engine {
    /// Everybody whose end is known and comes until then, the next first; also ends that were taken back.
    pub async fn leaving(&self, until: Timestamp) -> Result<Vec<Leaving>> {
        let mut tx = self.read().await?;
        let in_state =
            |state: &str| Select::from(Table::Identities).filter(Filter::Is("state", state.into()));
        let due = Filter::AtMost("due", until.as_millisecond());
        let mut people: Vec<Stored<Identity>> =
            select(&mut *tx, self.tenant(), in_state("active").filter(due)).await?;
        people.extend(select::<Identity>(&mut *tx, self.tenant(), in_state("pending")).await?);
        // What was taken back has no date by which it would be found.
        let taken = Select::from(Table::Plans).filter(Filter::Is("state", "done".into()));
        let taken = select::<PlanRow>(&mut *tx, self.tenant(), taken).await?;
        let taken = taken.into_iter().filter(|row| row.value.plan.stay.is_some());
        for id in taken.map(|row| row.value.plan.decision.identity).collect::<std::collections::BTreeSet<_>>()
        {
            let known = people.iter().any(|person| person.value.id == id);
            let found = get::<Identity>(&mut *tx, self.tenant(), &id.to_string()).await?;
            people.extend(found.filter(|_| !known));
        }
        let all = people.iter().flat_map(|person| stay::leaving(&person.value));
        let mut all: Vec<Leaving> = all.filter(|leaving| leaving.end.at <= until).collect();
        all.sort_by_key(|leaving| (leaving.end.at, leaving.identity));
        Ok(all)
    }

    /// Asks that somebody stays although a source says when they leave. Gives the plan that a second person approves.
    ///
    /// # Errors
    /// When there is nobody of that name, and when [`StayRefusal`] says why.
    pub async fn ask_stay(&self, who: &str, reason: &str, by: &Operator) -> Result<Plan> {
        if reason.trim().is_empty() {
            return Err(StayRefusal::NoReason.into());
        }
        let id = self.find_identity(who).await?.value.id;
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let missing = || EngineError::NotFound { kind: "identity", name: who.to_owned() };
        let stored = get::<Identity>(&mut *tx, self.tenant(), &id.to_string()).await?.ok_or_else(missing)?;
        if matches!(stored.value.lifecycle, Lifecycle::Left { .. }) {
            return Err(StayRefusal::Gone(who.to_owned()).into());
        }
        let (end, by_keys) =
            stay::known_end(&stored.value).ok_or_else(|| StayRefusal::NoEnd(who.to_owned()))?;
        let asked = Identity { generation: stored.value.generation + 1, ..stored.value };
        let event = self.asking(&asked, EventKind::Requested { what: "stays".into() });
        let mut bulk = catalogue.policies.bulk();
        let decision = judge(&catalogue, &mut bulk, &asked, &event, &[]).map_err(EngineError::Undecidable)?;
        let now = self.now();
        // Nothing changes on any system: who stays keeps what they have.
        let mut plan = plan::make(Inputs {
            id: PlanId::new(now, self.entropy()),
            event: &event,
            decision,
            marker: asked.source_key.to_string(),
            known: &Default::default(),
            rules: &catalogue.rules,
            sweep: Sweep::default(),
            new_account: &mut || bailiwick_core::id::AccountId::new(now, self.entropy()),
            now,
        });
        let ends = by_keys.into_iter().map(|key| (key, end.clone())).collect();
        plan.stay = Some(Stay { ends, requester: by.id, reason: reason.to_owned() });
        let actor = Actor::Operator(by.name.clone());
        let mut out = Outcome::default();
        out.updates.push(self.accepted(actor, &event, &asked, Some(stored.revision)));
        self.plan_row(&mut bulk, plan.clone(), None, &event, &mut out);
        let ready = Ready::new(self.tenant(), std::mem::take(&mut out.updates), self.entropy())?;
        self.write_outcome(&mut *tx, out, ready).await?;
        tx.commit().await?;
        Ok(plan)
    }

    /// Two people said so: the end counts for nothing from now on.
    pub(crate) async fn stay_approved(
        &self,
        tx: &mut dyn Tx,
        stored: Stored<PlanRow>,
        approval: Approval,
    ) -> Result<()> {
        let plan = stored.value.plan.clone();
        let Some(asked) = &plan.stay else { return Ok(()) };
        let id = plan.decision.identity.to_string();
        let before = get::<Identity>(tx, self.tenant(), &id).await?;
        let before = before.filter(|before| before.value.generation == plan.decision.generation);
        let before = before.ok_or(Refusal::Superseded)?;
        let approval = self.sealed(approval.consume(&plan, self.now())?);
        let row = PlanRow { state: PlanState::Done { approval: approval.id }, ..stored.value };
        let ends: Vec<_> = asked.ends.iter().map(|(_, end)| end).collect();
        let record =
            self.approval_record(&plan, &approval).fact("cancels", ends).personal("reason", &asked.reason);
        let update = Update::new(record).insert(&approval, self.entropy()).replace(
            &row,
            stored.revision,
            self.entropy(),
        );
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        let mut after = before.value.clone().staying(asked, plan.id);
        after.generation += 1;
        let event = self.asking(&after, engagement::change(&before.value, &after));
        let actor = Actor::Hub("stay".into());
        let accepted = Accepted { identity: after, revision: Some(before.revision), event, actor };
        self.accept(tx, vec![accepted]).await
    }
}
