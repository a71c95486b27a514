//! After a restore: what was not looked at since, and letting changes go out again.

use askama::Template;
use axum::{extract::State, response::Response};
use bailiwick_engine::RecoveryView;
use serde::Deserialize;

use super::{
    act::acted,
    assets,
    frame::{Frame, Notice, Place, page},
    show::{Tone, counted},
    signed_in::{Posted, SignedIn},
    table::View,
    trouble::Trouble,
};
use crate::api::{
    Hub, RecoveryRelease,
    answer::{Body, Params},
    caller::Right,
    recovery,
};

#[derive(Template)]
#[template(path = "recovery.html")]
struct Shown {
    frame: Frame,
    view: Option<RecoveryView>,
    /// Whether something of it stands in the way.
    unseen: bool,
    /// How many plans are open, in words.
    plans: String,
    /// Whether who looks may release it.
    may: bool,
}

/// `GET /recovery`
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    page(&shown(&hub, &signed_in, view.notice()).await?)
}

async fn shown(hub: &Hub, signed_in: &SignedIn, notice: Option<Notice>) -> Result<Shown, Trouble> {
    let view = recovery::show(State(hub.clone()), signed_in.caller.clone()).await?.0;
    let plans = view.as_ref().map_or(0, |view| usize::try_from(view.plans).unwrap_or_default());
    let mut frame = Frame::of(hub, signed_in, Place::Home).await?.say(notice);
    let looked_at =
        |view: &RecoveryView| view.systems.is_empty() && view.sources.is_empty() && view.callers.is_empty();
    // The page itself says it.
    frame.restored = false;
    Ok(Shown {
        frame,
        unseen: view.as_ref().is_some_and(|view| !looked_at(view)),
        plans: counted(plans, "plan", "plans"),
        may: signed_in.caller.may(Right::Govern).is_ok(),
        view,
    })
}

/// Why somebody releases it.
#[derive(Deserialize)]
pub struct Given {
    reason: String,
    #[serde(default)]
    anyway: String,
}

/// `POST /recovery/release`
pub async fn release(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Posted(given): Posted<Given>,
) -> Result<Response, Trouble> {
    let asked = RecoveryRelease { reason: given.reason, anyway: given.anyway == "yes" };
    let released = recovery::release(State(hub.clone()), signed_in.caller.clone(), Body(asked)).await;
    acted(released, |_| "/recovery?done=released", |notice| shown(&hub, &signed_in, notice)).await
}
