//! Reviews: which integrations are to be looked at anew, since when, and why.

use axum::{extract::State, response::Response};

use super::{
    frame::{Frame, Place},
    list::{List, gather},
    show::{Badge, Moment, Tone},
    signed_in::SignedIn,
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::api::{Hub, answer::Params, reviews};

/// `GET /reviews`
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    let found = gather(&view, |wanted| {
        let which = Params(reviews::Which { integration: None });
        reviews::list(State(hub.clone()), signed_in.caller.clone(), which, wanted)
    })
    .await?;
    let frame = Frame::of(&hub, &signed_in, Place::Reviews).await?;
    let row = |review: bailiwick_core::review::Review| {
        let because: Vec<&str> = review.because.iter().map(|trigger| trigger.as_str()).collect();
        let words = Moment { at: review.due, now: frame.now }.words();
        let state = match &review.outcome {
            Some(outcome) => Badge::new(Tone::Good, outcome.decision.as_str()),
            None if review.due <= frame.now => Badge::new(Tone::Bad, format!("due {words}")),
            None => Badge::new(Tone::Warn, format!("due {words}")),
        };
        vec![
            Cell::link(review.integration.as_str(), format!("/integrations/{}#review", review.integration)),
            Cell::Badge(state),
            Cell::text(because.join(", ")),
            Cell::at(review.opened, frame.now),
            Cell::text(review.outcome.map(|outcome| outcome.reviewer).unwrap_or_default()),
        ]
    };
    let rows = found.items.into_iter().map(row).collect();
    let empty = (
        "No reviews yet.",
        "Authoritative integrations are looked at every 30 days, operational every 90, advisory every 180; \
                  and whenever something about one changes.",
    );
    let table = Table::new(
        &["integration", "state", "because of", "opened", "reviewer"],
        rows,
        found.next,
        &view,
        empty,
    );
    let lead = "What was given against what was used. Somebody who does not answer for an integration decides; overdue, it is \
                narrowed and then paused.";
    List { frame, title: "Reviews", lead, states: &[], table, live: false }.answer(&view, "reviews")
}
