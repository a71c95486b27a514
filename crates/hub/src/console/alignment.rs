//! Alignment: who is inactive, and where something of theirs works all the same; looking at somebody now.

use std::collections::BTreeSet;

use axum::{extract::State, response::Response};
use bailiwick_core::alignment::{Claim, Violation};

use super::{
    act::refused,
    frame::{Frame, Notice, Place, page},
    identities::shown,
    list::{List, done, gather},
    show::{Badge, Moment, Tone, name_of},
    signed_in::{Nothing, Posted, SignedIn},
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::api::{
    AlignmentView, Hub, alignments,
    answer::{Params, Segment},
};

/// How much of what disagrees about somebody stands in the list; their page has all of it.
const TOLD: usize = 3;

/// `GET /alignment`
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    let found =
        gather(&view, |wanted| alignments::list(State(hub.clone()), signed_in.caller.clone(), wanted))
            .await?;
    let frame = Frame::of(&hub, &signed_in, Place::Alignment).await?;
    let line = |one: &AlignmentView| {
        let acts: BTreeSet<&str> = one.violations.iter().map(|violation| violation.acts.as_str()).collect();
        let since = one.violations.iter().map(|violation| violation.since).min();
        vec![
            Cell::Titled(
                name_of(&one.who),
                claimed(&one.claims, &frame),
                format!("/identities/{}#alignment", one.who.id),
            ),
            Cell::text(disagrees(&one.violations)),
            Cell::At(since.map(|at| frame.at(&at)), ""),
            Cell::text(acts.into_iter().collect::<Vec<_>>().join(", ")),
        ]
    };
    let rows = found.items.iter().map(line).collect();
    let empty = (
        "All systems agree.",
        "Whoever is inactive has no access that works, no credential that is alive and no session, as far as can be seen. Each \
         is looked at again whenever something changes, and every hour.",
    );
    let columns = &["who is inactive", "disagrees", "since", "must act"];
    let table = Table::new(columns, rows, found.next, &view, empty);
    let lead = "Who has left, or is disabled on an anchor, and where something of theirs works all the same.";
    List { frame, title: "Alignment", lead, states: &[], table, live: true }.answer(&view, "alignment")
}

/// `access works on chat: primary-account; and 2 more`
fn disagrees(violations: &[Violation]) -> String {
    let told = violations.iter().take(TOLD);
    let mut told: Vec<String> =
        told.map(|one| format!("{} on {}: {}", one.invariant.broken(), one.system, one.class)).collect();
    if violations.len() > TOLD {
        told.push(format!("and {} more", violations.len() - TOLD));
    }
    told.join("; ")
}

fn row(violation: &Violation, frame: &Frame) -> Vec<Cell> {
    vec![
        Cell::link(violation.system.as_str(), format!("/systems/{}", violation.system)),
        Cell::text(violation.class.to_string()),
        Cell::Badge(Badge::new(Tone::Bad, violation.invariant.broken())),
        Cell::at(violation.since, frame.now),
        Cell::text(&violation.acts),
    ]
}

/// `they have left 3d ago, disabled on ad 2d ago`
fn claimed(claims: &[Claim], frame: &Frame) -> String {
    let claim = |claim: &Claim| format!("{} {}", claim.claimant, frame.at(&claim.since).words());
    claims.iter().map(claim).collect::<Vec<_>>().join(", ")
}

/// How the systems agree about somebody, as their page shows it.
pub struct Agreement {
    /// When it was looked at.
    pub at: Moment,
    /// Who says that they are inactive; empty when nobody does.
    pub claims: String,
    /// What disagrees.
    pub violations: Table,
}

impl Agreement {
    /// Of what was seen.
    pub fn of(
        at: bailiwick_core::time::Timestamp,
        claims: &[Claim],
        found: &[Violation],
        frame: &Frame,
    ) -> Self {
        let rows = found.iter().map(|violation| row(violation, frame)).collect();
        let columns = &["system", "class", "disagrees", "since", "must act"];
        let empty = ("All systems agree.", "Nothing of theirs works, as far as can be seen.");
        Self {
            at: frame.at(&at),
            claims: claimed(claims, frame),
            violations: Table::plain(columns, rows, empty),
        }
    }
}

/// `POST /identities/{identity}/alignment`: looks at it now.
pub async fn look(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(identity): Segment<String>,
    _: Posted<Nothing>,
) -> Result<Response, Trouble> {
    match alignments::look(State(hub.clone()), signed_in.caller.clone(), Segment(identity.clone())).await {
        Ok(seen) => {
            let AlignmentView { at, claims, violations, .. } = seen.0;
            let notice = Some(Notice::done(done("looked")));
            let mut shown = shown(&hub, &signed_in, &identity, notice).await?;
            shown.agreement = Some(Agreement::of(at, &claims, &violations, &shown.frame));
            page(&shown)
        }
        Err(error) => refused(error, |notice| shown(&hub, &signed_in, &identity, notice)).await,
    }
}
