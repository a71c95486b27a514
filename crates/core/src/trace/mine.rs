//! The records of one event among those of its identity.

use serde_json::Value;

use crate::{
    event::LEAVES,
    id::{CaseId, EventId, IdentityId, PlanId},
    record::{Logged, RecordKind},
    time::Timestamp,
};

/// The records that tell of one event.
pub(super) struct Mine<'l> {
    /// What happened.
    pub kind: &'l str,
    /// Whom it is about.
    pub identity: IdentityId,
    /// The case that it opened, or that it goes on with.
    pub case: Option<CaseId>,
    /// When it opened it.
    pub opened: Option<Timestamp>,
    /// That it was accepted.
    pub accepted: &'l Logged,
    /// The last plan that was made for it.
    pub plan: Option<(PlanId, &'l Logged)>,
    records: &'l [Logged],
    event: EventId,
}

impl<'l> Mine<'l> {
    pub(super) fn of(event: EventId, records: &'l [Logged]) -> Option<Self> {
        let of = |kind| move |r: &&Logged| r.event == Some(event) && r.kind == kind;
        let accepted = records.iter().find(of(RecordKind::EventAccepted))?;
        let opened = records.iter().find(of(RecordKind::CaseOpened));
        let planned = records.iter().rfind(of(RecordKind::Planned));
        Some(Self {
            kind: text(accepted, "kind"),
            identity: accepted.identity?,
            case: records.iter().filter(|r| r.event == Some(event)).find_map(|r| r.case),
            opened: opened.map(|opened| opened.at),
            accepted,
            plan: planned.and_then(|planned| Some((planned.plan?, planned))),
            records,
            event,
        })
    }

    /// Whether somebody has left with it.
    pub(super) fn is_departure(&self) -> bool {
        LEAVES.contains(&self.kind)
    }

    /// The records of a kind that name the event.
    pub(super) fn all(&self, kind: RecordKind) -> impl DoubleEndedIterator<Item = &'l Logged> {
        let event = self.event;
        self.records.iter().filter(move |r| r.kind == kind && r.event == Some(event))
    }

    /// Those of them that name a system.
    pub(super) fn on(&self, kind: RecordKind, system: &str) -> impl DoubleEndedIterator<Item = &'l Logged> {
        self.all(kind).filter(move |r| text(r, "system") == system)
    }

    /// What was read back of the identity on a system, for whatever event, after the record `after`: what a later
    /// event found counts for this one.
    pub(super) fn read_after(&self, after: &Logged, system: &str) -> impl Iterator<Item = &'l Logged> {
        let at = self.records.iter().position(|r| r.id == after.id).unwrap_or_default();
        let kinds = [RecordKind::Verified, RecordKind::ControlAccepted];
        self.records[at..].iter().filter(move |r| kinds.contains(&r.kind) && text(r, "system") == system)
    }

    /// The last record about its case that says so, if that opens or closes it.
    pub(super) fn closed(&self) -> Option<&'l Logged> {
        let case = self.case?;
        let of = |r: &&Logged| {
            r.case == Some(case) && matches!(r.kind, RecordKind::CaseOpened | RecordKind::CaseClosed)
        };
        self.records.iter().rfind(of).filter(|last| last.kind == RecordKind::CaseClosed)
    }

    /// The systems of the plan, in the order of it.
    pub(super) fn systems(&self) -> Vec<&'l str> {
        let mut systems = Vec::new();
        let changes = self.plan.and_then(|(_, planned)| planned.facts.get("changes")?.as_array());
        for change in changes.into_iter().flatten() {
            let system = change.as_str().and_then(|change| change.split(' ').next()).unwrap_or_default();
            if !systems.contains(&system) {
                systems.push(system);
            }
        }
        systems
    }

    /// The record by which a newer decision took the place of its plan.
    pub(super) fn superseded(&self) -> Option<&'l Logged> {
        let plan = self.plan.map(|(plan, _)| plan);
        self.all(RecordKind::Superseded).find(|r| r.plan == plan && !r.facts.contains_key("run"))
    }

    /// The last sign of life: the last record of the event, or of its case.
    pub(super) fn last(&self) -> &'l Logged {
        let case = self.case;
        let of = |r: &&Logged| r.event == Some(self.event) || (case.is_some() && r.case == case);
        self.records.iter().rfind(of).unwrap_or(self.accepted)
    }
}

/// A fact that is text.
pub(super) fn text<'l>(logged: &'l Logged, name: &str) -> &'l str {
    logged.facts.get(name).and_then(Value::as_str).unwrap_or_default()
}
