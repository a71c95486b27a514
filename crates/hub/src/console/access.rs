//! Access that no policy gives: what runs and until when, asking for it from somebody's page, and ending it.

use std::collections::BTreeSet;

use axum::{extract::State, response::Response};
use bailiwick_core::{
    exception::{Exception, ExceptionState},
    id::{EntitlementName, ExceptionId, IdentityId},
    time::Timestamp,
};
use serde::Deserialize;

use super::{
    act::acted,
    frame::{Frame, Place},
    identities::shown,
    list::{List, gather, state},
    show::{Badge, Moment, Tone},
    signed_in::{Nothing, Posted, SignedIn},
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::{
    api::{
        ApiError, Asking, ExceptionView, Hub, access,
        answer::{Body, Params, Segment, malformed},
        page::Wanted,
    },
    cli::{because, minutes},
};

const STATES: &[(&str, &str)] = &[
    ("", "All"),
    ("given", "Open"),
    ("asked", "Asked for"),
    ("ending", "Over, not proven"),
    ("ended", "Ended"),
    ("lapsed", "Lapsed"),
];
/// How many are read for the page of somebody.
const EACH: u32 = 100;

/// `GET /access`
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    let found = gather(&view, |wanted| {
        let which = Params(access::Which { state: state(&view), identity: None });
        access::list(State(hub.clone()), signed_in.caller.clone(), which, wanted)
    })
    .await?;
    let frame = Frame::of(&hub, &signed_in, Place::Access).await?;
    let row = |ExceptionView { who, exception }: ExceptionView| {
        let (badge, at) = stands(&exception.state);
        vec![
            Cell::Titled(
                names(&exception),
                because(&exception.terms.because),
                format!("/identities/{}#for-a-time", who.id),
            ),
            Cell::text(who.name),
            Cell::Badge(badge),
            Cell::at(at, frame.now),
            Cell::at(exception.asked, frame.now),
        ]
    };
    let rows = found.items.into_iter().map(row).collect();
    let empty = (
        "Nothing is given that no policy gives.",
        "Access for a time is asked for on somebody's page, or by `bailiwick access ask`; it ends by itself.",
    );
    let table = Table::new(&["what", "for", "state", "until", "asked"], rows, found.next, &view, empty);
    let lead = "What somebody holds although no policy gives it: asked for by one person, approved by another, and over by itself. \
                That nothing is left is read back.";
    List { frame, title: "Access for a time", lead, states: STATES, table, live: true }
        .answer(&view, "access")
}

/// What somebody holds for a time, or is asked for them, as their page shows it.
pub struct Running {
    /// What.
    pub names: String,
    /// Where it stands.
    pub badge: Badge,
    /// Until when, or when it lapses.
    pub at: Moment,
    /// Why.
    pub because: String,
    /// By which it is ended, while it is open.
    pub end: Option<ExceptionId>,
}

/// What runs for somebody, and what is asked for them.
pub async fn running(
    hub: &Hub,
    signed_in: &SignedIn,
    identity: IdentityId,
    frame: &Frame,
) -> Result<Vec<Running>, Trouble> {
    let which = Params(access::Which { state: None, identity: Some(identity) });
    let wanted = Params(Wanted::of(EACH, None));
    let found = access::list(State(hub.clone()), signed_in.caller.clone(), which, wanted).await?.0;
    let open = |exception: &Exception| match exception.state {
        ExceptionState::Asked { .. } | ExceptionState::Given(_) | ExceptionState::Ending(_) => true,
        ExceptionState::Ended { .. } | ExceptionState::Lapsed { .. } => false,
    };
    let line = |ExceptionView { exception, .. }: ExceptionView| {
        let (badge, at) = stands(&exception.state);
        let given = matches!(exception.state, ExceptionState::Given(_));
        Running {
            names: names(&exception),
            badge,
            at: frame.at(&at),
            because: because(&exception.terms.because),
            end: given.then_some(exception.terms.exception),
        }
    };
    Ok(found.items.into_iter().filter(|view| open(&view.exception)).map(line).collect())
}

fn names(exception: &Exception) -> String {
    exception.terms.entitlements.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Where it stands, and the instant that matters then.
fn stands(state: &ExceptionState) -> (Badge, Timestamp) {
    match state {
        ExceptionState::Asked { lapses } => (Badge::new(Tone::Warn, "asked for, then lapses"), *lapses),
        ExceptionState::Given(given) => (Badge::new(Tone::Warn, "open"), given.until),
        ExceptionState::Ending(given) => (Badge::new(Tone::Bad, "over, end not proven"), given.until),
        ExceptionState::Ended { ended, .. } => (Badge::new(Tone::Good, "ended, proven"), *ended),
        ExceptionState::Lapsed { lapsed } => (Badge::new(Tone::Calm, "lapsed"), *lapsed),
    }
}

/// What is asked for.
#[derive(Deserialize)]
pub struct Given {
    what: String,
    time: String,
    reason: String,
}

impl Given {
    fn asking(self, identity: &str) -> Result<Asking, ApiError> {
        let minutes = minutes(self.time.trim()).map_err(malformed)?;
        let names = self.what.split([' ', ',', '\r', '\n']).filter(|name| !name.is_empty());
        let entitlements: Result<BTreeSet<_>, _> = names.map(EntitlementName::new).collect();
        let entitlements = entitlements.map_err(|error| malformed(error.to_string()))?;
        Ok(Asking { identity: identity.to_owned(), entitlements, minutes, reason: self.reason })
    }
}

/// `POST /identities/{identity}/access`
pub async fn ask(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(identity): Segment<String>,
    Posted(given): Posted<Given>,
) -> Result<Response, Trouble> {
    let asked = match given.asking(&identity) {
        Ok(asking) => access::ask(State(hub.clone()), signed_in.caller.clone(), Body(asking)).await,
        Err(error) => Err(error),
    };
    let to = |asked: axum::Json<crate::api::Asked>| format!("/plans/{}?done=asked", asked.0.plan);
    acted(asked, to, |notice| shown(&hub, &signed_in, &identity, notice)).await
}

/// `POST /access/{exception}/end`
pub async fn end(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(exception): Segment<ExceptionId>,
    _: Posted<Nothing>,
) -> Result<Response, Trouble> {
    let known: Exception = hub.find(&mut *hub.read().await?, "exception", &exception.to_string()).await?;
    let identity = known.terms.identity.to_string();
    let ended = access::end(State(hub.clone()), signed_in.caller.clone(), Segment(exception)).await;
    let to = |_| format!("/identities/{identity}?done=over#for-a-time");
    acted(ended, to, |notice| shown(&hub, &signed_in, &identity, notice)).await
}
