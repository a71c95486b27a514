//! Compensating controls: a person accepts what stands in for seeing, with an owner and an end.
//!
//! At its end the case is open again and the control's owner is told. What can be seen after all is read back,
//! and no control changes that.

use bailiwick_core::{
    access::AccessClass,
    case::{Case, Cell},
    control::{Acceptance, Accepting, accept},
    id::{CaseId, IdentityId, SystemName},
    identity::Identity,
    record::{Actor, RecordKind},
    time::Timestamp,
    verify::{Control, Verdict},
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, Work, entities::Operator, get, select};

use crate::{
    Engine, EngineError, Haste, Job, Result,
    finding::Wrong,
    kill::{UNPROVEN, about, grant_class},
};

impl Engine {
    /// Accepts a control for a cell that cannot be seen; gives the cell, and whether the case is closed with it.
    ///
    /// # Errors
    /// When there is no such cell, and when core's rules refuse it.
    pub async fn accept_control(
        &self,
        case: CaseId,
        system: &SystemName,
        class: AccessClass,
        asked: &Acceptance,
        by: &Operator,
    ) -> Result<(Cell, bool)> {
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let key = Cell::key_of(case, system, class);
        let missing = |kind, name: String| EngineError::NotFound { kind, name };
        let stored_case = get::<Case>(&mut *tx, self.tenant(), &case.to_string()).await?;
        let stored_case = stored_case.ok_or_else(|| missing("case", case.to_string()))?;
        let stored = get::<Cell>(&mut *tx, self.tenant(), &key).await?;
        let stored = stored.ok_or_else(|| missing("cell", key.clone()))?;
        // Of an integration that was killed, who answered for it says nothing.
        let killed = self.integration_that_is(&mut *tx, stored_case.value.identity).await?;
        let owner = match (&killed, catalogue.route(system)) {
            (Some(killed), _) => Some(&killed.owner),
            (None, Ok(route)) => Some(&route.integration.owner),
            (None, Err(_)) => None,
        };
        let integration_owner = self.person(&mut *tx, owner).await?;
        let owner: Option<Stored<Identity>> = self.by_source_key(&mut *tx, &asked.owner).await?;
        let cell = accept(
            asked,
            &Accepting {
                cell: &stored.value,
                leaver: stored_case.value.identity,
                by: &by.name,
                person: self.person(&mut *tx, by.person.as_ref()).await?,
                integration_owner,
                owner: owner.as_ref().map(|owner| &owner.value),
                now: self.now(),
            },
        )?;
        let Some(control) = control(&cell) else { return Err(missing("control", key)) };
        let mut record = self
            .record(RecordKind::ControlAccepted, "control")
            .event(stored_case.value.event)
            .identity(stored_case.value.identity)
            .case(case)
            .fact("class", class)
            .fact("expires", control.expires)
            .fact("system", system)
            .personal("owner", &control.owner)
            .personal("reason", &asked.reason);
        record.actor = Actor::Operator(by.name.clone());
        let until = control.expires;
        let mut updates = vec![Update::new(record).replace(&cell, stored.revision, self.entropy())];
        updates.extend(self.close_finding(&mut *tx, "control-lapsed", &key).await?);
        if let Some(killed) = killed.as_ref().filter(|killed| class == grant_class(killed)) {
            updates.extend(self.close_finding(&mut *tx, UNPROVEN, &about(&killed.name, case)).await?);
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        self.settle_case(&mut *tx, case).await?;
        if let Some(killed) = &killed {
            self.end_sweep(&mut *tx, &killed.register.vendor).await?;
            self.wake_watches(&mut *tx, [killed.name.clone()]).await?;
        }
        let job = Job::ControlEnds { case, system: system.clone(), class, until };
        self.enqueue(&mut *tx, vec![job.work(None, None, Haste::Usual, until)]).await?;
        let closed = get::<Case>(&mut *tx, self.tenant(), &case.to_string()).await?;
        tx.commit().await?;
        Ok((cell, closed.is_some_and(|case| case.value.closed.is_some())))
    }

    async fn person(&self, tx: &mut dyn Tx, key: Option<&String>) -> Result<Option<IdentityId>> {
        match key {
            Some(key) => Ok(self.by_source_key(tx, key).await?.map(|stored| stored.value.id)),
            None => Ok(None),
        }
    }

    /// The end of a control, unless another one took its place: the case is open again, and its owner is told.
    pub(crate) async fn control_ends(&self, item: &Work, key: &str, until: Timestamp) -> Result<()> {
        let mut tx = self.begin().await?;
        let stored = get::<Cell>(&mut *tx, self.tenant(), key).await?.map(|stored| stored.value);
        if let Some(cell) = stored
            && let Some(ended) = control(&cell).filter(|control| control.expires == until)
            && let Some(case) = get::<Case>(&mut *tx, self.tenant(), &cell.case.to_string()).await?
        {
            let wrong = Wrong {
                code: "control-lapsed",
                subject: key.to_owned(),
                identity: Some(case.value.identity),
                system: Some(cell.system.clone()),
                message: format!(
                    "what stood in for seeing {} on `{}` has ended: look at it again, then `bailiwick case accept \
                     {} --system {} --class {} …`",
                    cell.class, cell.system, cell.case, cell.system, cell.class
                ),
                owner: ended.owner.clone(),
            };
            let opened = self.open_finding(&mut *tx, wrong).await?.into_iter().collect();
            tx.write(self.tenant(), opened, self.entropy()).await?;
            self.settle_case(&mut *tx, cell.case).await?;
        }
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }

    /// The cells of an identity with the words of an acceptance, without them.
    pub(crate) async fn cells_without_words(
        &self,
        tx: &mut dyn Tx,
        identity: &str,
    ) -> Result<Vec<(Cell, i64)>> {
        let theirs = Select::from(Table::Cases).filter(Filter::Is("identity", identity.into()));
        let cases = select::<Case>(tx, self.tenant(), theirs).await?;
        let ids = cases.iter().map(|case| case.value.id.to_string().into()).collect();
        let cells = Select::from(Table::Cells).filter(Filter::In("case_id", ids));
        let cells = select::<Cell>(tx, self.tenant(), cells).await?;
        Ok(cells.into_iter().filter_map(|stored| Some((wordless(stored.value)?, stored.revision))).collect())
    }
}

fn control(cell: &Cell) -> Option<&Control> {
    match &cell.verdict {
        Verdict::Unobservable { control, .. } => control.as_ref(),
        Verdict::Removed | Verdict::Blocked { .. } | Verdict::Residual { .. } | Verdict::Pending { .. } => {
            None
        }
    }
}

/// The cell without the words of an acceptance; `None` when it has none.
fn wordless(cell: Cell) -> Option<Cell> {
    let control = control(&cell)?;
    control.reason.as_ref()?;
    let control = Some(Control { reason: Some("(erased)".into()), ..control.clone() });
    let Verdict::Unobservable { why, .. } = cell.verdict else { return None };
    Some(Cell { verdict: Verdict::Unobservable { why, control }, ..cell })
}

/// A cell as it was read again, with the control that a person accepted for it, if it still cannot be seen.
pub(crate) fn with_control(cell: Cell, before: Option<&Cell>) -> Cell {
    let accepted = before.and_then(control).filter(|control| control.reason.is_some());
    match (cell.verdict, accepted) {
        (Verdict::Unobservable { why, control: None }, Some(control)) => {
            Cell { verdict: Verdict::Unobservable { why, control: Some(control.clone()) }, ..cell }
        }
        (verdict, _) => Cell { verdict, ..cell },
    }
}
