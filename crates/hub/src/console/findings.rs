//! Findings: what is wrong, who must act, and until when.

use axum::{extract::State, response::Response};
use bailiwick_core::finding::Finding;

use super::{
    frame::{Frame, Place},
    list::{List, gather},
    show::{Badge, Moment, Tone, name_of},
    signed_in::SignedIn,
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::api::{FindingView, Hub, answer::Params, findings};

const STATES: &[(&str, &str)] = &[("open", "Open"), ("closed", "Mended"), ("all", "All")];

/// `GET /findings`: the open ones, unless others are asked for.
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(mut view): Params<View>,
) -> Result<Response, Trouble> {
    if view.state.is_empty() {
        view.state = "open".into();
    }
    let found = gather(&view, |wanted| {
        let which =
            Params(findings::Which { state: Some(view.state.clone()).filter(|state| state != "all") });
        findings::list(State(hub.clone()), signed_in.caller.clone(), which, wanted)
    })
    .await?;
    let frame = Frame::of(&hub, &signed_in, Place::Findings).await?;
    let row = |FindingView { who, finding }: FindingView| {
        let about = match (&who, &finding.system) {
            (Some(who), _) => Cell::link(name_of(who), format!("/identities/{}", who.id)),
            (None, Some(system)) => Cell::link(system.as_str(), format!("/systems/{system}")),
            (None, None) => Cell::text(&finding.subject),
        };
        vec![
            Cell::Message(finding.message.clone(), finding.code.clone()),
            about,
            Cell::text(&finding.owner),
            state(&finding, frame.now),
            Cell::at(finding.opened, frame.now),
        ]
    };
    let rows = found.items.into_iter().map(row).collect();
    let empty = (
        "Nothing is wrong that the hub can see.",
        "What is found has an owner and a deadline, and is listed here.",
    );
    let table =
        Table::new(&["what", "about", "who must act", "deadline", "since"], rows, found.next, &view, empty);
    let lead = "What is wrong, who must act, and until when. A finding closes when the cause is gone, and not when somebody clicks.";
    List { frame, title: "Findings", lead, states: STATES, table, live: true }.answer(&view, "findings")
}

/// How a finding stands with its deadline.
pub fn state(finding: &Finding, now: bailiwick_core::time::Timestamp) -> Cell {
    let words = Moment { at: finding.deadline, now }.words();
    Cell::Badge(match finding.closed {
        Some(_) => Badge::new(Tone::Good, "mended"),
        None if finding.deadline <= now => Badge::new(Tone::Bad, format!("overdue {words}")),
        None => Badge::new(Tone::Warn, words),
    })
}
