//! Reconciliation: how each system compares with what is known of it, run by run, and the drift that is open and of late.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};
use bailiwick_core::{difference::Class, id::SystemName};
use bailiwick_store::entities::Comparison;

use super::{
    assets,
    frame::{Frame, Place, page},
    show::{Badge, Moment, Tone, name_of},
    signed_in::SignedIn,
    table::{Cell, Table},
    trouble::Trouble,
};
use crate::{
    api::{DriftView, Hub, ReconciliationView, ReconciliationsView, reconciliations},
    span,
};

/// How many of the last comparisons of all systems are shown.
const RUNS: usize = 50;

#[derive(Template)]
#[template(path = "reconciling.html")]
struct Shown {
    frame: Frame,
    systems: Table,
    runs: Table,
    open: Table,
    drift: Table,
}

/// `GET /reconciling`
pub async fn show(State(hub): State<Hub>, signed_in: SignedIn) -> Result<Response, Trouble> {
    let frame = Frame::of(&hub, &signed_in, Place::Reconciling).await?;
    let found = reconciliations::list(State(hub), signed_in.caller).await?.0;
    let ReconciliationsView { systems, open, drift } = found;
    page(&Shown {
        systems: of_systems(&systems, &frame),
        runs: of_runs(&systems, &frame),
        open: of_drift(
            open,
            &frame,
            ("Nothing is open.", "What differed is put back, kept with an end, or told."),
        ),
        drift: of_drift(
            drift,
            &frame,
            ("No drift of late.", "What differs becomes an event, and a plan like any other."),
        ),
        frame,
    })
}

fn of_systems(systems: &[ReconciliationView], frame: &Frame) -> Table {
    let at = |at: Option<_>, absent| Cell::At(at.map(|at| Moment { at, now: frame.now }), absent);
    let row = |one: &ReconciliationView| {
        let last = one.runs.first();
        let findings: Vec<String> = one.findings.iter().map(|code| code.replace('-', " ")).collect();
        vec![
            Cell::link(one.system.as_str(), format!("/systems/{}", one.system)),
            Cell::Badge(state(one)),
            at(last.map(|run| run.began), "never"),
            at(one.listed, "never"),
            at(one.next, "when asked"),
            Cell::text(last.map_or_else(String::new, |run| differ(&run.classes))),
            match findings.is_empty() {
                true => Cell::text("none"),
                false => Cell::link(findings.join(", "), format!("/findings?state=open&has={}", one.system)),
            },
        ]
    };
    let empty =
        ("No systems yet.", "Declare one, and the integration that reaches it: `bailiwick apply DIR`.");
    let columns = &["system", "state", "compared", "all of it", "next", "differed", "open findings"];
    Table::plain(columns, systems.iter().map(row).collect(), empty)
}

fn state(one: &ReconciliationView) -> Badge {
    match (one.under_way, one.runs.first()) {
        (Some(seen), _) => Badge::new(Tone::Calm, format!("comparing: {seen} so far")),
        (None, _) if one.held_since.is_some() => Badge::new(Tone::Bad, "differences held"),
        (None, None) => Badge::new(Tone::Warn, "never compared"),
        (None, Some(run)) => outcome(run),
    }
}

fn outcome(run: &Comparison) -> Badge {
    match (run.partial, run.held) {
        (true, _) => Badge::new(Tone::Warn, "seen in part"),
        (false, 0) => Badge::new(Tone::Good, "compared"),
        (false, held) => Badge::new(Tone::Bad, format!("{held} held")),
    }
}

fn of_runs(systems: &[ReconciliationView], frame: &Frame) -> Table {
    let mut runs: Vec<(&SystemName, &Comparison)> =
        systems.iter().flat_map(|one| one.runs.iter().map(move |run| (&one.system, run))).collect();
    runs.sort_by_key(|(_, run)| std::cmp::Reverse(run.began));
    let row = |(system, run): &(&SystemName, &Comparison)| {
        let took = run.ended.duration_since(run.began).as_millis();
        vec![
            Cell::link(system.as_str(), format!("/systems/{system}")),
            Cell::at(run.began, frame.now),
            Cell::text(if run.listed { "everything" } else { "its news" }),
            Cell::text(span::show(i64::try_from(took).unwrap_or(i64::MAX))),
            Cell::Number(i64::try_from(run.accounts).unwrap_or(i64::MAX)),
            Cell::text(differ(&run.classes)),
            Cell::Badge(outcome(run)),
        ]
    };
    let empty =
        ("Nothing was compared yet.", "A system is compared every so often, and by `bailiwick reconcile`.");
    let columns = &["system", "began", "by", "took", "accounts", "differed", "outcome"];
    Table::plain(columns, runs.iter().take(RUNS).map(row).collect(), empty)
}

/// `2 rogue, 1 missing`.
fn differ(classes: &BTreeMap<Class, u64>) -> String {
    if classes.is_empty() {
        return "nothing".to_owned();
    }
    classes.iter().map(|(class, count)| format!("{count} {class}")).collect::<Vec<_>>().join(", ")
}

fn of_drift(drift: Vec<DriftView>, frame: &Frame, empty: (&'static str, &'static str)) -> Table {
    let row = |DriftView { at, who, plan, state }: DriftView| {
        vec![
            Cell::at(at, frame.now),
            Cell::link(name_of(&who), format!("/identities/{}", who.id)),
            Cell::link("what is done about it", format!("/plans/{plan}")),
            Cell::Badge(Badge::plan(&state)),
        ]
    };
    Table::plain(&["planned", "whose", "plan", "state"], drift.into_iter().map(row).collect(), empty)
}
