//! Names of those who left: kept from others, and let go again by two people.

use askama::Template;
use axum::{Json, extract::State, response::Response};
use bailiwick_core::{
    id::ReservedId,
    reserved::{Reserved, ReservedState},
};
use serde::Deserialize;

use super::{
    act::acted,
    assets,
    frame::{Frame, Notice, Place, page},
    list::List,
    show::{Badge, Moment, Tone, name_of},
    signed_in::{Posted, SignedIn},
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::{
    api::{
        Hub, NameRelease, NameView,
        answer::{Body, Params, Segment},
        caller::Right,
        names,
    },
    problem::Problem,
};

/// `GET /names`
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    let found = names::list(State(hub.clone()), signed_in.caller.clone()).await?.0;
    let frame = Frame::of(&hub, &signed_in, Place::Names).await?;
    let (found, next) = view.part(found, |one: &NameView| one.name.id.to_string());
    let row = |NameView { who, name }: NameView| {
        vec![
            Cell::link(format!("{} on {}", name.attribute, name.system), format!("/names/{}", name.id)),
            Cell::link(name_of(&who), format!("/identities/{}", who.id)),
            Cell::Badge(badge(&name.state)),
            Cell::at(name.since, frame.now),
            Cell::At(name.until.map(|at| Moment { at, now: frame.now }), "for ever"),
        ]
    };
    let rows = found.into_iter().map(row).collect();
    let empty = (
        "No names are kept.",
        "When somebody leaves, the names of their accounts are kept from others, as the declaration of the system says.",
    );
    let table = Table::new(&["name", "was of", "state", "since", "until"], rows, next, &view, empty);
    let lead = "What those who left were called, so that nobody gets their mail and what was given to their name. Kept is a \
                digest: the names themselves are not known here.";
    List { frame, title: "Names kept", lead, states: &[], table, live: false }.answer(&view, "names")
}

fn badge(state: &ReservedState) -> Badge {
    match state {
        ReservedState::Kept => Badge::new(Tone::Good, "kept"),
        ReservedState::ReleaseAsked { .. } => Badge::new(Tone::Warn, "one wants it released"),
        ReservedState::Released { .. } => Badge::new(Tone::Calm, "released"),
    }
}

#[derive(Template)]
#[template(path = "name.html")]
struct Shown {
    frame: Frame,
    view: NameView,
    state: Badge,
    /// Until when the first one's wish counts.
    lapses: Option<Moment>,
    released: bool,
    may: bool,
}

/// `GET /names/{name}`
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(name): Segment<ReservedId>,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    page(&shown(&hub, &signed_in, name, view.notice()).await?)
}

async fn shown(
    hub: &Hub,
    signed_in: &SignedIn,
    name: ReservedId,
    notice: Option<Notice>,
) -> Result<Shown, Trouble> {
    let found = names::list(State(hub.clone()), signed_in.caller.clone()).await?.0;
    let missing = || Problem::new(404, "not-found", format!("there is no name `{name}`"));
    let view = found.into_iter().find(|view| view.name.id == name).ok_or_else(missing)?;
    let frame = Frame::of(hub, signed_in, Place::Names).await?.say(notice);
    Ok(Shown {
        state: badge(&view.name.state),
        lapses: match &view.name.state {
            ReservedState::ReleaseAsked { lapses, .. } => Some(frame.at(lapses)),
            ReservedState::Kept | ReservedState::Released { .. } => None,
        },
        released: matches!(view.name.state, ReservedState::Released { .. }),
        may: signed_in.caller.may(Right::Accept).is_ok(),
        frame,
        view,
    })
}

/// Why it is released.
#[derive(Deserialize)]
pub struct Given {
    reason: String,
}

/// `POST /names/{name}/release`: the first one asks, the second one does it.
pub async fn release(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(name): Segment<ReservedId>,
    Posted(Given { reason }): Posted<Given>,
) -> Result<Response, Trouble> {
    let request = Body(NameRelease { reason });
    let released = names::release(State(hub.clone()), signed_in.caller.clone(), Segment(name), request).await;
    let to = |Json(Reserved { state, .. })| match state {
        ReservedState::Released { .. } => format!("/names/{name}?done=released"),
        ReservedState::ReleaseAsked { .. } | ReservedState::Kept => format!("/names/{name}?done=asked"),
    };
    acted(released, to, |notice| shown(&hub, &signed_in, name, notice)).await
}
