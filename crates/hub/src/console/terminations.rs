//! Terminations: people who are made ready to go, and are made to go at once.
//!
//! Promises: who may not see a termination is shown what they would be shown if it were not there; the API decides that.
//! Nobody is fired by one click: what was chosen is typed once more.

use std::collections::BTreeSet;

use askama::Template;
use axum::{Json, extract::State, response::Response};
use bailiwick_core::termination::{SourceWord, Termination, TerminationState};
use serde::Deserialize;

use super::{
    act::{acted, refused},
    assets,
    frame::{Frame, Notice, Place, page},
    list::done,
    plans::{Line, lines},
    show::{Badge, Moment, Tone},
    signed_in::{Nothing, Posted, SignedIn},
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::{
    api::{
        ApiError, Arming, Because, FiredView, Hub, TerminationView, These,
        answer::{Body, Params, Segment},
        terminations,
        wait::Wait,
    },
    problem::Problem,
};

/// How many of those who are armed stand on the page.
const MOST: usize = 100;

/// Somebody who is armed.
struct Armed {
    id: String,
    name: String,
    key: String,
    expires: Moment,
    /// What of it is approved ahead, or may be.
    ahead: Ahead,
}

/// Whether accounts may be deleted at once.
enum Ahead {
    /// Nothing is deleted, or a rule approves it.
    NotNeeded,
    /// Somebody else may approve the plan.
    Open,
    /// Somebody did.
    Given,
}

impl Ahead {
    fn of(view: &TerminationView) -> Self {
        match (view.termination.asks, &view.approval) {
            (_, Some(_)) => Self::Given,
            (true, None) => Self::Open,
            (false, None) => Self::NotNeeded,
        }
    }
}

/// Somebody who was fired just now.
struct Gone {
    id: String,
    name: String,
    /// Whether they had left before.
    before: bool,
    spared: Vec<String>,
}

#[derive(Template)]
#[template(path = "terminations.html")]
struct Listed {
    frame: Frame,
    armed: Vec<Armed>,
    /// How many more are armed than stand here.
    more: usize,
    others: Table,
    gone: Vec<Gone>,
}

/// `GET /terminations`
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    page(&listed(&hub, &signed_in, &view, view.notice()).await?)
}

async fn listed(
    hub: &Hub,
    signed_in: &SignedIn,
    view: &View,
    notice: Option<Notice>,
) -> Result<Listed, Trouble> {
    let all = terminations::list(State(hub.clone()), signed_in.caller.clone()).await?.0;
    let frame = Frame::of(hub, signed_in, Place::Terminations).await?.say(notice);
    let (mut armed, mut others) = (Vec::new(), Vec::new());
    for one in all {
        match expires(&one.termination, &frame) {
            Some(expires) => armed.push(Armed {
                id: one.termination.id.to_string(),
                ahead: Ahead::of(&one),
                name: one.who.name,
                key: one.who.key,
                expires,
            }),
            None => others.push(one),
        }
    }
    let more = armed.len().saturating_sub(MOST);
    armed.truncate(MOST);
    others.reverse();
    let (others, next) = view.part(others, |one| one.termination.id.to_string());
    let row = |one: TerminationView| {
        let (badge, at) = stands(&one.termination.state, &frame);
        vec![
            Cell::Titled(one.who.name, one.who.key, format!("/terminations/{}", one.termination.id)),
            Cell::Badge(badge),
            Cell::At(Some(at), ""),
            Cell::text(word(&one.termination.state)),
        ]
    };
    let rows = others.into_iter().map(row).collect();
    let empty = ("Nobody was fired yet.", "What was fired, taken back or lapsed is listed here.");
    let others = Table::new(&["who", "state", "when", "then"], rows, next, view, empty);
    Ok(Listed { armed, more, others, gone: Vec::new(), frame })
}

/// Until when it is armed, if it is.
fn expires(termination: &Termination, frame: &Frame) -> Option<Moment> {
    match &termination.state {
        TerminationState::Armed { expires } => Some(frame.at(expires)),
        TerminationState::Fired { .. }
        | TerminationState::Disarmed { .. }
        | TerminationState::Lapsed { .. }
        | TerminationState::Overtaken { .. } => None,
    }
}

fn stands(state: &TerminationState, frame: &Frame) -> (Badge, Moment) {
    match state {
        TerminationState::Armed { expires } => (Badge::new(Tone::Warn, "armed, lapses"), frame.at(expires)),
        TerminationState::Fired { at, .. } => (Badge::new(Tone::Good, "fired"), frame.at(at)),
        TerminationState::Disarmed { at, .. } => (Badge::new(Tone::Calm, "taken back"), frame.at(at)),
        TerminationState::Lapsed { at } => (Badge::new(Tone::Calm, "lapsed"), frame.at(at)),
        TerminationState::Overtaken { at } => (Badge::new(Tone::Calm, "had left"), frame.at(at)),
    }
}

/// What the source says of who was fired.
const fn word(state: &TerminationState) -> &'static str {
    match state {
        TerminationState::Fired { word, .. } => match word {
            SourceWord::Owed => "source has not said so",
            SourceWord::LiftAsked { .. } => "one person wants it lifted",
            SourceWord::Given { .. } => "source says so too",
            SourceWord::HiredAnew { .. } => "hired anew",
            SourceWord::Lifted { .. } => "lifted",
        },
        TerminationState::Armed { .. }
        | TerminationState::Disarmed { .. }
        | TerminationState::Lapsed { .. }
        | TerminationState::Overtaken { .. } => "",
    }
}

#[derive(Template)]
#[template(path = "termination.html")]
struct Shown {
    frame: Frame,
    state: Badge,
    at: Moment,
    armed: bool,
    ahead: Ahead,
    /// What would be done, by system.
    systems: Vec<(String, Vec<Line>)>,
    then: &'static str,
    /// Whether what the source says counts for nothing yet.
    owed: bool,
    view: TerminationView,
}

/// `GET /terminations/{termination}`
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(which): Segment<String>,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    page(&shown(&hub, &signed_in, &which, view.notice()).await?)
}

async fn shown(
    hub: &Hub,
    signed_in: &SignedIn,
    which: &str,
    notice: Option<Notice>,
) -> Result<Shown, Trouble> {
    let segment = Segment(which.to_owned());
    let view = terminations::show(State(hub.clone()), signed_in.caller.clone(), segment).await?.0;
    let frame = Frame::of(hub, signed_in, Place::Terminations).await?.say(notice);
    let (state, at) = stands(&view.termination.state, &frame);
    Ok(Shown {
        state,
        at,
        armed: expires(&view.termination, &frame).is_some(),
        ahead: Ahead::of(&view),
        systems: lines(&view.termination.plan, &[]),
        then: word(&view.termination.state),
        owed: view.termination.owed().is_some(),
        frame,
        view,
    })
}

/// Who is to be armed.
#[derive(Deserialize)]
pub struct Given {
    persons: String,
    reason: String,
    hours: u32,
}

/// `POST /terminations`
pub async fn arm(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Posted(Given { persons, reason, hours }): Posted<Given>,
) -> Result<Response, Trouble> {
    let persons = persons.split([' ', ',', ';', '\r', '\n']).filter(|one| !one.is_empty());
    let arming = Arming { persons: persons.map(str::to_owned).collect(), reason, hours };
    let armed = terminations::arm(State(hub.clone()), signed_in.caller.clone(), Body(arming)).await;
    let to = |Json(armed): Json<Vec<TerminationView>>| match armed.as_slice() {
        [one] => format!("/terminations/{}?done=armed", one.termination.id),
        _ => "/terminations?done=armed".to_owned(),
    };
    let view = View::default();
    acted(armed, to, |notice| listed(&hub, &signed_in, &view, notice)).await
}

/// The fields of the form: `which` as often as somebody was chosen, and what was typed once more.
struct Chosen {
    which: BTreeSet<String>,
    confirm: String,
}

impl From<Vec<(String, String)>> for Chosen {
    fn from(fields: Vec<(String, String)>) -> Self {
        let of = |name: &'static str| {
            move |(field, value): &(String, String)| (field == name).then(|| value.clone())
        };
        Self {
            which: fields.iter().filter_map(of("which")).collect(),
            confirm: fields.iter().find_map(of("confirm")).unwrap_or_default().trim().to_owned(),
        }
    }
}

impl Chosen {
    /// Fails unless somebody was chosen, and what they said once more is that.
    async fn sure(&self, hub: &Hub, signed_in: &SignedIn) -> Result<Vec<String>, ApiError> {
        let which: Vec<String> = self.which.iter().cloned().collect();
        let expected = match which.as_slice() {
            [] => return Err(Problem::new(409, "not-confirmed", "nobody is chosen; nothing was done").into()),
            [one] => {
                let segment = Segment(one.clone());
                let view = terminations::show(State(hub.clone()), signed_in.caller.clone(), segment).await?;
                view.0.who.key
            }
            several => format!("fire {}", several.len()),
        };
        if self.confirm == expected {
            return Ok(which);
        }
        let detail =
            format!("type `{expected}` to do it; what you typed is something else, and nothing was done");
        Err(Problem::new(409, "not-confirmed", detail).into())
    }
}

/// `POST /terminations/fire`: all of them, in one transaction.
pub async fn fire(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Posted(fields): Posted<Vec<(String, String)>>,
) -> Result<Response, Trouble> {
    let chosen = Chosen::from(fields);
    let fired = match chosen.sure(&hub, &signed_in).await {
        Ok(which) => {
            let (wait, these) = (Params(Wait::default()), Body(These { which }));
            terminations::fire(State(hub.clone()), signed_in.caller.clone(), wait, these).await
        }
        Err(error) => Err(error),
    };
    let view = View::default();
    match fired {
        Ok(fired) => {
            let notice = Some(Notice::done(done("fired")));
            let mut listed = listed(&hub, &signed_in, &view, notice).await?;
            listed.gone = fired.0.into_iter().map(gone).collect();
            page(&listed)
        }
        Err(error) => refused(error, |notice| listed(&hub, &signed_in, &view, notice)).await,
    }
}

fn gone(FiredView { who, fired }: FiredView) -> Gone {
    Gone {
        id: who.id.to_string(),
        name: who.name,
        before: fired.event.is_none(),
        spared: fired.spared.iter().map(ToString::to_string).collect(),
    }
}

/// `POST /terminations/{termination}/disarm`
pub async fn disarm(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(which): Segment<String>,
    _: Posted<Nothing>,
) -> Result<Response, Trouble> {
    let these = Body(These { which: vec![which.clone()] });
    let disarmed = terminations::disarm(State(hub.clone()), signed_in.caller.clone(), these).await;
    let to = |_| format!("/terminations/{which}?done=disarmed");
    acted(disarmed, to, |notice| shown(&hub, &signed_in, &which, notice)).await
}

/// Why the source counts again.
#[derive(Deserialize)]
pub struct Reason {
    reason: String,
}

/// `POST /terminations/{termination}/lift`: the first one asks, the second one does it.
pub async fn lift(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(which): Segment<String>,
    Posted(Reason { reason }): Posted<Reason>,
) -> Result<Response, Trouble> {
    let (segment, because) = (Segment(which.clone()), Body(Because { reason }));
    let lifted = terminations::lift(State(hub.clone()), signed_in.caller.clone(), segment, because).await;
    let to = |Json(lifted): Json<Termination>| {
        let word = if lifted.owed().is_some() { "asked" } else { "lifted" };
        format!("/terminations/{which}?done={word}")
    };
    acted(lifted, to, |notice| shown(&hub, &signed_in, &which, notice)).await
}
