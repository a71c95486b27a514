//! Who works with the hub, and what each of them may do.

use axum::{extract::State, response::Response};

use super::{
    frame::{Frame, Place},
    list::List,
    show::{Badge, Moment, Tone},
    signed_in::{SignedIn, encoded},
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::api::{Hub, OperatorView, answer::Params, operators};

/// `GET /operators`
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    let found = operators::list(State(hub.clone()), signed_in.caller.clone()).await?.0;
    let frame = Frame::of(&hub, &signed_in, Place::Operators).await?;
    let (found, next) = view.part(found, |one: &OperatorView| one.id.to_string());
    let row = |one: OperatorView| {
        let roles: Vec<&str> = one.roles.iter().map(String::as_str).collect();
        vec![
            Cell::text(&one.name),
            Cell::text(roles.join(", ")),
            Cell::text(one.may()),
            match &one.person {
                Some(person) => Cell::link(person, format!("/search?q={}", encoded(person))),
                None => Cell::text("nobody who is known"),
            },
            match (&one.invited, one.expires > frame.now) {
                (Some(plan), _) => Cell::link("invited", format!("/plans/{plan}")),
                (None, true) => Cell::At(Some(Moment { at: one.expires, now: frame.now }), ""),
                (None, false) => Cell::Badge(Badge::new(Tone::Calm, "over")),
            },
        ]
    };
    let rows = found.into_iter().map(row).collect();
    let empty =
        ("Nobody works with the hub.", "`bailiwick operator add NAME --role ROLE` asks for somebody.");
    let table = Table::new(&["operator", "roles", "may", "is", "until"], rows, next, &view, empty);
    let lead = "Who works with the hub. Roles give rights, and policies give more of them and take them. Who may \
                approve a plan, policies say for each.";
    List { frame, title: "Operators", lead, states: &[], table, live: false }.answer(&view, "operators")
}
