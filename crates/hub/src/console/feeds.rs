//! Feeds: what sources delivered, why a delivery is held, what it would have done, and letting it go.

use askama::Template;
use axum::{extract::State, response::Response};
use bailiwick_core::{
    digest::Digest,
    guard::Fate,
    id::{BatchId, SourceName},
    right::Right,
};
use bailiwick_engine::Comes;
use serde::Deserialize;

use super::{
    act::acted,
    assets,
    frame::{Frame, Notice, Place, page},
    list::{ROWS, gather, state},
    show::{Badge, Tone, prose},
    signed_in::{Nothing, Posted, SignedIn},
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::api::{
    BatchView, Hub, Page, ReleaseRequest, SourceState, SourceView,
    answer::{Body, Params, Segment},
    batches,
    page::Wanted,
    sources,
    wait::Wait,
};

const STATES: &[(&str, &str)] = &[
    ("", "All"),
    ("held", "Held"),
    ("accepted", "Accepted"),
    ("released", "Released"),
    ("corrected", "Corrected"),
];

/// `GET /feeds`
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    let found = gather(&view, |wanted| {
        let which = Params(batches::Which { state: state(&view), source: None });
        batches::list(State(hub.clone()), signed_in.caller.clone(), which, wanted)
    })
    .await?;
    let mut shown = listed(&hub, &signed_in, &view, found).await?;
    if view.is_csv() {
        return Ok(shown.table.download("feeds"));
    }
    shown.frame.notice = view.notice();
    page(&shown)
}

/// The page of all feeds.
#[derive(Template)]
#[template(path = "feeds.html")]
struct Listed {
    frame: Frame,
    sources: Vec<Source>,
    /// Whether who looks may have one read.
    may: bool,
    states: &'static [(&'static str, &'static str)],
    table: Table,
}

struct Source {
    view: SourceView,
    state: Badge,
    is_read: bool,
}

impl Source {
    /// Why it cannot be read.
    fn unreadable(&self) -> Option<&str> {
        self.view.problem.as_deref().filter(|_| self.view.state() == SourceState::Unreadable)
    }

    /// The delivery that is held.
    fn held(&self) -> Option<BatchId> {
        match self.view.state() {
            SourceState::Came(Fate::Held | Fate::ReleaseAsked { .. }) => {
                self.view.batch.as_ref().map(|b| b.batch.id)
            }
            SourceState::Came(Fate::Accepted | Fate::Released { .. } | Fate::Corrected { .. })
            | SourceState::Silent
            | SourceState::Unreadable => None,
        }
    }
}

impl From<SourceView> for Source {
    fn from(view: SourceView) -> Self {
        Self { state: badge(view.state()), is_read: view.comes == Comes::Read, view }
    }
}

async fn listed(
    hub: &Hub,
    signed_in: &SignedIn,
    view: &View,
    found: Page<BatchView>,
) -> Result<Listed, Trouble> {
    let frame = Frame::of(hub, signed_in, Place::Feeds).await?;
    let sources = sources::list(State(hub.clone()), signed_in.caller.clone()).await?.0;
    let row = |view: BatchView| {
        let why = view.reasons.first().map_or(String::new(), |(_, message)| message.clone());
        vec![
            Cell::Titled(view.batch.source.to_string(), why, format!("/feeds/{}", view.batch.id)),
            Cell::Badge(badge(SourceState::Came(&view.batch.fate))),
            Cell::Number(view.batch.rows as i64),
            Cell::Number(view.batch.events as i64),
            Cell::at(view.batch.at, frame.now),
        ]
    };
    let rows = found.items.into_iter().map(row).collect();
    let empty = ("Nothing was delivered yet.", "`bailiwick import SOURCE FILE` delivers a feed.");
    let table = Table::new(&["source", "state", "records", "events", "came"], rows, found.next, view, empty);
    let may = signed_in.caller.may(Right::Operate).is_ok();
    let sources = sources.into_iter().map(Source::from).collect();
    Ok(Listed { frame, sources, may, states: STATES, table })
}

/// `POST /feeds/sources/{source}/read`
pub async fn read(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(source): Segment<SourceName>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Trouble> {
    let asked = (Segment(source), Params(Wait::default()));
    let read = sources::read(State(hub.clone()), signed_in.caller.clone(), asked.0, asked.1).await;
    acted(read, |_| "/feeds?done=read", |notice| again(&hub, &signed_in, notice)).await
}

async fn again(hub: &Hub, signed_in: &SignedIn, notice: Option<Notice>) -> Result<Listed, Trouble> {
    let view = View::default();
    let which = Params(batches::Which { state: None, source: None });
    let wanted = Params(Wanted::of(ROWS, None));
    let found = batches::list(State(hub.clone()), signed_in.caller.clone(), which, wanted).await?.0;
    let mut shown = listed(hub, signed_in, &view, found).await?;
    shown.frame = shown.frame.say(notice);
    Ok(shown)
}

fn badge(state: SourceState<'_>) -> Badge {
    let tone = match state {
        SourceState::Silent | SourceState::Came(Fate::ReleaseAsked { .. }) => Tone::Warn,
        SourceState::Unreadable | SourceState::Came(Fate::Held) => Tone::Bad,
        SourceState::Came(Fate::Accepted | Fate::Released { .. }) => Tone::Good,
        SourceState::Came(Fate::Corrected { .. }) => Tone::Calm,
    };
    Badge::new(tone, state.words())
}

#[derive(Template)]
#[template(path = "feed.html")]
struct Shown {
    frame: Frame,
    state: Badge,
    held: bool,
    releasable: bool,
    asked: bool,
    gets: Vec<(String, u64)>,
    loses: Vec<(String, u64)>,
    more: u64,
    view: BatchView,
}

/// `GET /feeds/{batch}`
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(batch): Segment<BatchId>,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    page(&shown(&hub, &signed_in, batch, view.notice()).await?)
}

async fn shown(
    hub: &Hub,
    signed_in: &SignedIn,
    batch: BatchId,
    notice: Option<Notice>,
) -> Result<Shown, Trouble> {
    let view = batches::show(State(hub.clone()), signed_in.caller.clone(), Segment(batch)).await?.0;
    let held = matches!(view.batch.fate, Fate::Held | Fate::ReleaseAsked { .. });
    let would = view.batch.would.clone().unwrap_or_default();
    let all: u64 = would.events.values().sum();
    let counts = |map: std::collections::BTreeMap<bailiwick_core::id::EntitlementName, u64>| {
        map.into_iter().map(|(name, n)| (name.to_string(), n)).collect()
    };
    Ok(Shown {
        frame: Frame::of(hub, signed_in, Place::Feeds).await?.say(notice),
        state: badge(SourceState::Came(&view.batch.fate)),
        releasable: held && view.batch.would.is_some(),
        asked: matches!(view.batch.fate, Fate::ReleaseAsked { .. }),
        more: all.saturating_sub(would.people.len() as u64),
        gets: counts(would.gets),
        loses: counts(would.loses),
        held,
        view,
    })
}

/// What was seen.
#[derive(Deserialize)]
pub struct Seen {
    shown: Digest,
}

/// `POST /feeds/{batch}/release`: the first one asks, the second one lets it go.
pub async fn release(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(batch): Segment<BatchId>,
    Posted(seen): Posted<Seen>,
) -> Result<Response, Trouble> {
    let request = Body(ReleaseRequest { shown: seen.shown });
    let release =
        batches::release(State(hub.clone()), signed_in.caller.clone(), Segment(batch), request).await;
    let to = |view: axum::Json<BatchView>| {
        let word = if matches!(view.0.batch.fate, Fate::Released { .. }) { "released" } else { "asked" };
        format!("/feeds/{batch}?done={word}")
    };
    acted(release, to, |notice| shown(&hub, &signed_in, batch, notice)).await
}
