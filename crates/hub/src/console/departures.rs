//! Departures: who leaves when, as far as a source has said so, and asking that somebody stays.

use axum::{extract::State, response::Response};
use serde::Deserialize;

use super::{
    act::acted,
    frame::{Frame, Place},
    identities::shown,
    join::waits,
    list::{List, state},
    show::{Badge, Tone, name_of},
    signed_in::{Posted, SignedIn},
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::api::{
    DepartureView, Hub, StayRequest,
    answer::{Body, Params, Segment},
    departures,
};

/// How far ahead.
const AHEAD: &[(&str, &str)] = &[("7d", "A week"), ("", "30 days"), ("90d", "90 days"), ("365d", "A year")];

/// `GET /departures`
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    let ahead = Params(departures::Ahead { within: state(&view) });
    let found = departures::list(State(hub.clone()), signed_in.caller.clone(), ahead).await?.0;
    let frame = Frame::of(&hub, &signed_in, Place::Departures).await?;
    let (found, next) = view.part(found, |one: &DepartureView| one.who.id.to_string());
    let row = |DepartureView { who, leaving }: DepartureView| {
        let day =
            leaving.end.meant.as_ref().map_or_else(String::new, |day| format!("{} {}", day.date, day.zone));
        let by: Vec<String> = leaving.said_by.iter().map(ToString::to_string).collect();
        vec![
            Cell::Titled(name_of(&who), who.key, format!("/identities/{}#records", who.id)),
            Cell::text(day),
            Cell::at(leaving.end.at, frame.now),
            Cell::text(by.join(", ")),
            match leaving.cancelled {
                Some(plan) => Cell::link("stays: taken back", format!("/plans/{plan}")),
                None => Cell::Badge(Badge::new(Tone::Calm, "leaves")),
            },
        ]
    };
    let rows = found.into_iter().map(row).collect();
    let empty = (
        "Nobody leaves in that time, as far as is known.",
        "An end that a source says ahead is shown here; on the day it is carried out by itself.",
    );
    let columns = &["who", "last day", "ends", "said by", "state"];
    let table = Table::new(columns, rows, next, &view, empty);
    let lead = "Who leaves when, the next first. That somebody stays although a source says an end takes two people, and is asked \
                for on their page. What was told late is said by the case.";
    List { frame, title: "Departures", lead, states: AHEAD, table, live: false }.answer(&view, "departures")
}

/// Why somebody stays.
#[derive(Deserialize)]
pub struct Given {
    reason: String,
}

/// `POST /identities/{identity}/stay`
pub async fn stay(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(identity): Segment<String>,
    Posted(Given { reason }): Posted<Given>,
) -> Result<Response, Trouble> {
    let (segment, request) = (Segment(identity.clone()), Body(StayRequest { reason }));
    let asked = departures::stay(State(hub.clone()), signed_in.caller.clone(), segment, request).await;
    acted(asked, waits, |notice| shown(&hub, &signed_in, &identity, notice)).await
}
