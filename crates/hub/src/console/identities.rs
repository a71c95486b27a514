//! Identities: who is known, what they hold and why, and what happened to them.

use askama::Template;
use axum::{extract::State, response::Response};
use bailiwick_core::{
    account::Account,
    alignment::Alignment,
    gate::HUB,
    id::EntitlementName,
    identity::{Identity, IdentityKind, Lifecycle},
    system::Entitlement,
    time::Timestamp,
    trace,
};
use bailiwick_store::Filter;
use serde::Deserialize;

use super::{
    access::{Running, running},
    alignment::Agreement,
    assets,
    frame::{Frame, Notice, Place, page},
    graph::{Graph, Node},
    list::{List, gather, state},
    show::{Badge, Moment, Tone, name_of, prose},
    signed_in::SignedIn,
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::{
    api::{
        Hub, IdentityView, TraceView,
        answer::{Params, Segment},
        caller::Right,
        identities,
        page::Wanted,
        plans, traces,
    },
    span,
};

/// How many entitlements are offered when access is asked for; any other can be typed.
const OFFERED: u32 = 200;

const STATES: &[(&str, &str)] = &[
    ("", "All"),
    ("active", "Active"),
    ("pending", "To come"),
    ("leave", "On leave"),
    ("garden-leave", "Garden leave"),
    ("absent", "Absent"),
    ("left", "Left"),
];

/// `GET /identities`
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    let found = gather(&view, |wanted| {
        let which = Params(identities::Which { state: state(&view) });
        identities::list(State(hub.clone()), signed_in.caller.clone(), which, wanted)
    })
    .await?;
    let frame = Frame::of(&hub, &signed_in, Place::Identities).await?;
    let rows = found.items.iter().map(|identity| row(identity, &frame)).collect();
    let empty = ("Nobody is known here.", "People come from a source: `bailiwick import SOURCE FILE`.");
    let table = Table::new(COLUMNS, rows, found.next, &view, empty);
    let lead = "People and everything else that acts: service accounts, workloads, agents, integrations. To find one, look \
                for the name, the e-mail address or the key above.";
    List { frame, title: "Identities", lead, states: STATES, table, live: false }.answer(&view, "identities")
}

/// The columns of a list of identities.
pub const COLUMNS: &[&str] = &["who", "kind", "state", "since or until"];

/// One in a list.
pub fn row(identity: &Identity, frame: &Frame) -> Vec<Cell> {
    let when = match &identity.lifecycle {
        Lifecycle::Pending { starts, .. } => Some(starts.at),
        Lifecycle::Active { ends } | Lifecycle::Leave { ends } => ends.as_ref().map(|ends| ends.at),
        Lifecycle::GardenLeave { since, .. } => Some(since.at),
        Lifecycle::Absent { since, .. } => Some(*since),
        Lifecycle::Left { at, .. } => Some(at.at),
        Lifecycle::Merged { since, .. } => Some(*since),
    };
    vec![
        Cell::Titled(
            name_of(&identity.into()),
            identity.source_key.to_string(),
            format!("/identities/{}", identity.id),
        ),
        Cell::text(identity.kind.as_str()),
        Cell::Badge(Badge::life(identity.lifecycle.name())),
        Cell::At(when.map(|at| Moment { at, now: frame.now }), ""),
    ]
}

/// One hop as the page shows it.
struct HopLine {
    tone: Tone,
    what: String,
    when: Option<Moment>,
    note: String,
}

/// One record of somebody who has several.
struct RecordLine {
    key: String,
    state: Badge,
    leads: bool,
}

/// The page of an identity.
#[derive(Template)]
#[template(path = "identity.html")]
pub struct Shown {
    /// The frame.
    pub frame: Frame,
    /// How the systems agree about them, as far as that was looked at.
    pub agreement: Option<Agreement>,
    /// What they hold for a time.
    running: Vec<Running>,
    /// What can be asked for, as far as it is offered.
    offered: Vec<EntitlementName>,
    records: Vec<RecordLine>,
    /// Why nothing of theirs is deleted.
    preserved: Option<&'static str>,
    /// When they leave, where that is known.
    leaves: Option<Moment>,
    /// Whether they are a person who is here.
    here: bool,
    person: bool,
    may_look: bool,
    view: IdentityView,
    state: Badge,
    attributes: Vec<(String, String)>,
    graph: Graph,
    accounts: Table,
    plans: Table,
    cases: Table,
    hops: Vec<HopLine>,
    trace: Option<TraceView>,
    held: Vec<EntitlementName>,
    name: String,
    /// Its name as an integration, if it is one.
    integration: Option<String>,
}

/// `GET /identities/{identity}`
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(wanted): Segment<String>,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    page(&shown(&hub, &signed_in, &wanted, view.notice()).await?)
}

/// The page of an identity, with something to say on top.
pub async fn shown(
    hub: &Hub,
    signed_in: &SignedIn,
    wanted: &str,
    notice: Option<Notice>,
) -> Result<Shown, Trouble> {
    let (state, caller) = (|| State(hub.clone()), || signed_in.caller.clone());
    let view = identities::show(state(), caller(), Segment(wanted.to_owned())).await?.0;
    let frame = Frame::of(hub, signed_in, Place::Identities).await?.say(notice);
    let id = view.identity.id;
    let which = plans::Which { state: None, identity: Some(id) };
    let planned = plans::list(state(), caller(), Params(which), Params(Wanted::of(50, None))).await?.0;
    let trace = traces::show(state(), caller(), Segment(id.to_string())).await.ok().map(|answer| answer.0);
    let planned = planned.items.iter().rev().map(|view| {
        let plan = &view.row.plan;
        vec![
            Cell::link(&plan.cause, format!("/plans/{}", plan.id)),
            Cell::Number(plan.changes.len() as i64),
            Cell::Badge(Badge::plan(&view.row.state)),
            Cell::at(plan.made, frame.now),
        ]
    });
    let cases = view.cases.iter().map(|case| {
        vec![
            Cell::link("the case", format!("/cases/{}", case.id)),
            Cell::Badge(Badge::case(case)),
            Cell::at(case.opened, frame.now),
        ]
    });
    let held = view.accounts.iter().flat_map(|account| account.state.entitlements.clone()).collect();
    let key = &view.identity.source_key;
    let mut tx = hub.read().await?;
    let own = vec![Filter::Is("id", id.to_string().into())];
    let seen = hub.all::<Alignment>(&mut *tx, own).await?.pop();
    let offered =
        Wanted::of(OFFERED, None).read::<Entitlement>(hub, &mut *tx, vec![]).await?.map(|one| one.name);
    drop(tx);
    let here = match &view.identity.lifecycle {
        Lifecycle::Pending { .. }
        | Lifecycle::Active { .. }
        | Lifecycle::Leave { .. }
        | Lifecycle::GardenLeave { .. }
        | Lifecycle::Absent { .. } => true,
        Lifecycle::Left { .. } | Lifecycle::Merged { .. } => false,
    };
    let leaves = match &view.identity.lifecycle {
        Lifecycle::Pending { ends, .. }
        | Lifecycle::Active { ends }
        | Lifecycle::Leave { ends }
        | Lifecycle::GardenLeave { ends, .. } => ends.as_ref(),
        Lifecycle::Absent { .. } | Lifecycle::Left { .. } | Lifecycle::Merged { .. } => None,
    };
    let mut records: Vec<RecordLine> = view
        .identity
        .engagements
        .iter()
        .map(|record| RecordLine {
            key: record.key.to_string(),
            state: Badge::life(record.lifecycle.name()),
            leads: record.key == *view.identity.leading_key(),
        })
        .collect();
    // Who has one record is that record.
    if records.is_empty() {
        let (key, state) = (view.identity.source_key.to_string(), view.identity.lifecycle.name());
        records.push(RecordLine { key, state: Badge::life(state), leads: true });
    }
    Ok(Shown {
        agreement: seen.map(|seen| Agreement::of(seen.at, &seen.claims, &seen.violations, &frame)),
        running: running(hub, signed_in, id, &frame).await?,
        offered: offered.items,
        records,
        leaves: leaves.map(|ends| frame.at(&ends.at)),
        here,
        person: view.identity.kind == IdentityKind::Person,
        may_look: signed_in.caller.may(Right::Operate).is_ok(),
        name: name_of(&(&view.identity).into()),
        integration: (key.source.as_str() == HUB).then(|| key.key.clone()),
        state: Badge::life(view.identity.lifecycle.name()),
        preserved: view.identity.preserved(),
        attributes: view
            .identity
            .attributes
            .iter()
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect(),
        graph: access(&view),
        accounts: accounts(&view.accounts, &frame),
        plans: Table::plain(
            &["because of", "changes", "state", "made"],
            planned.collect(),
            ("No plans.", ""),
        ),
        cases: Table::plain(
            &["case", "state", "opened"],
            cases.collect(),
            ("No case: they have not left.", ""),
        ),
        hops: trace.as_ref().map(|view| hops(&view.trace, &frame)).unwrap_or_default(),
        trace,
        held,
        frame,
        view,
    })
}

fn accounts(accounts: &[Account], frame: &Frame) -> Table {
    let rows = accounts.iter().map(|account| {
        let state = if account.state.active {
            Badge::new(Tone::Good, "active")
        } else {
            Badge::new(Tone::Calm, "disabled")
        };
        vec![
            Cell::link(account.system.as_str(), format!("/systems/{}", account.system)),
            Cell::text(&account.username),
            Cell::Badge(state),
            Cell::text(
                account.state.entitlements.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            ),
            Cell::at(account.seen, frame.now),
        ]
    });
    Table::plain(
        &["system", "signs in as", "state", "holds", "seen"],
        rows.collect(),
        ("No accounts are known.", ""),
    )
}

/// Who, by which account, holds what.
fn access(view: &IdentityView) -> Graph {
    let mut graph = Graph::default();
    let who = Node { kind: view.identity.kind.as_str(), text: view.identity.display_name() };
    for account in &view.accounts {
        let kind = if account.state.active { "account" } else { "account, disabled" };
        let at = Node { kind, text: format!("{} on {}", account.username, account.system) };
        if account.state.entitlements.is_empty() {
            graph.way(vec![who.clone(), at.clone()], Tone::Calm);
        }
        for name in &account.state.entitlements {
            let tone = if account.state.active { Tone::Good } else { Tone::Warn };
            graph.way(
                vec![who.clone(), at.clone(), Node { kind: "entitlement", text: name.to_string() }],
                tone,
            );
        }
    }
    graph
}

fn hops(trace: &trace::Trace, frame: &Frame) -> Vec<HopLine> {
    let line = |hop: &trace::Hop| {
        let tone = match hop.state {
            trace::State::Done => Tone::Good,
            trace::State::NotNeeded => Tone::Calm,
            trace::State::Waiting | trace::State::Late => Tone::Warn,
            trace::State::Stuck => Tone::Bad,
        };
        let on = hop.system.as_ref().map_or(String::new(), |system| format!(" on {system}"));
        let after = hop.after_ms.filter(|ms| *ms > 0).map(|ms| format!("after {}", span::show(ms)));
        let notes: Vec<String> = hop.note.clone().into_iter().chain(after).collect();
        let stands = match hop.state {
            trace::State::Done => String::new(),
            state => format!(": {}", state.as_str()),
        };
        HopLine {
            tone,
            what: format!("{}{on}{stands}", hop.step.as_str()),
            when: hop.at.map(|at| frame.at(&at)),
            note: notes.join(", "),
        }
    };
    trace.hops.iter().map(line).collect()
}

#[derive(Template)]
#[template(path = "why.html")]
struct Why {
    frame: Frame,
    who: crate::api::Who,
    entitlement: EntitlementName,
    at: String,
    text: String,
}

/// For which time it is asked; nothing is now.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    at: String,
}

/// `GET /identities/{identity}/why/{system}/{entitlement}`: whether they hold it, or held it at a time, and why.
pub async fn why(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment((who, system, name)): Segment<(String, String, String)>,
    Params(Asked { at }): Params<Asked>,
) -> Result<Response, Trouble> {
    let (state, caller) = (|| State(hub.clone()), || signed_in.caller.clone());
    let name = EntitlementName::new(&format!("{system}/{name}"))
        .map_err(|_| crate::problem::Problem::new(404, "not-found", "there is no such entitlement"))?;
    let identity = identities::show(state(), caller(), Segment(who.clone())).await?.0.identity;
    let asked = Some(at.trim()).filter(|at| !at.is_empty()).map(str::parse::<Timestamp>).transpose();
    let asked = asked.map_err(|_| {
        let detail = "a time is as in `2026-03-01T12:00:00Z`";
        crate::problem::Problem::new(400, "request-malformed", detail)
    })?;
    let when = Params(identities::When { at: asked });
    let why = identities::why(state(), caller(), Segment((who, name.clone())), when).await?.0;
    let frame = Frame::of(&hub, &signed_in, Place::Identities).await?;
    page(&Why { frame, who: (&identity).into(), entitlement: name, at, text: why.text })
}
