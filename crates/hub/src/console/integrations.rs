//! Integrations: what is connected, what each can in effect do, and ending one.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};
use bailiwick_core::{
    authority::{Authority, Class, Effect, Touch},
    gate::{Gate, HUB},
    id::IntegrationName,
    identity::Identity,
    integration::{Integration, Role, Standing},
    review::{Decision, RuleLine, Watch, due},
};
use bailiwick_engine::Killed;
use bailiwick_store::Filter;
use serde::Deserialize;

use super::{
    act::acted,
    assets, ending,
    frame::{Frame, Notice, Place, page},
    graph::{Graph, Node},
    list::List,
    passkeys::using,
    records::{Line, lines},
    show::{Badge, Tone, prose, sign_of, tone_of},
    signed_in::{Nothing, Posted, SignedIn},
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::{
    api::{
        ApiError, DecisionRequest, Hub, IntegrationView, ReviewView, Withdrawal,
        answer::{Body, Params, Segment},
        authority,
        caller::Right,
        evidence, integrations, kill,
        page::Wanted,
        plans, reviews,
        wait::Wait,
    },
    problem::Problem,
};

/// The most ways that are drawn; the words say all of them.
const DRAWN: usize = 40;
/// How many of the newest records of its history are shown; the evidence page has the rest.
const NEWEST: u32 = 50;

/// `GET /integrations`
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    let found = integrations::list(State(hub.clone()), signed_in.caller.clone()).await?.0;
    let frame = Frame::of(&hub, &signed_in, Place::Integrations).await?;
    let known = watched(&hub, &found).await?;
    let row = |view: &IntegrationView| {
        let one = &view.integration;
        let watch = known.watches.get(&one.name);
        let used = watch.map_or(0, |watch| watch.used_since(&one.scope, watch.reviewed).len());
        let due = watch.and_then(|watch| due(one, view.class, watch.reviewed)).filter(|_| !one.has_ended());
        let drill = match watch.and_then(|watch| watch.drill.as_ref()) {
            Some(drill) if drill.passed => {
                Badge::new(Tone::Good, format!("✓ {}", frame.at(&drill.at).words()))
            }
            Some(drill) => Badge::new(Tone::Bad, format!("✗ {}", frame.at(&drill.at).words())),
            None => Badge::new(Tone::Calm, "never"),
        };
        vec![
            Cell::Titled(
                one.name.to_string(),
                format!("{}; {}", serves(one), one.purpose),
                format!("/integrations/{}", one.name),
            ),
            Cell::Badge(class(view.class)),
            Cell::text(known.owners.get(&one.owner).cloned().unwrap_or_else(|| one.owner.clone())),
            Cell::Badge(standing(view)),
            Cell::text(match one.scope.rules.len() {
                0 => "none".to_owned(),
                all => format!("{used} of {all}"),
            }),
            Cell::Badge(drill),
            Cell::At(due.map(|at| frame.at(&at)), "–"),
        ]
    };
    let rows = found.iter().map(row).collect();
    let empty =
        ("Nothing is connected yet.", "Declare an integration in a folder and run `bailiwick apply DIR`.");
    let table = Table::new(
        &["integration", "class", "owner", "gates", "rules used", "end drilled", "next review"],
        rows,
        None,
        &view,
        empty,
    );
    let lead = "Each is an identity: its scope is its access. Its class is computed from what it can in effect do, and two \
                kinds of people open its gates.";
    List { frame, title: "Integrations", lead, states: &[], table, live: false }.answer(&view, "integrations")
}

/// What is known of integrations beside themselves.
struct Watched {
    watches: BTreeMap<IntegrationName, Watch>,
    /// `source/key` → what people call who answers.
    owners: BTreeMap<String, String>,
}

async fn watched(hub: &Hub, found: &[IntegrationView]) -> Result<Watched, Trouble> {
    let mut tx = hub.read().await?;
    let watches: Vec<Watch> = hub.all(&mut *tx, vec![]).await?;
    let keys = found.iter().map(|view| view.integration.owner.as_str().into()).collect();
    let owners: Vec<Identity> = hub.all(&mut *tx, vec![Filter::In("source_key", keys)]).await?;
    Ok(Watched {
        watches: watches.into_iter().map(|watch| (watch.integration.clone(), watch)).collect(),
        owners: owners.iter().map(|one| (one.source_key.to_string(), one.display_name())).collect(),
    })
}

fn serves(one: &Integration) -> String {
    match &one.role {
        Role::Source { source, .. } => format!("source {source}"),
        Role::Target { system } => format!("system {system}"),
        Role::Log { system } => format!("log of {system}"),
        Role::Partner { system: Some(system) } => format!("partner on {system}"),
        Role::Partner { system: None } if one.name.as_str() == HUB => "the hub itself".to_owned(),
        Role::Partner { system: None } => "partner".to_owned(),
    }
}

fn class(class: Class) -> Badge {
    Badge::new(Tone::Calm, class.as_str())
}

fn standing(view: &IntegrationView) -> Badge {
    match &view.integration.standing {
        Standing::Enabled => match (&view.reads_shut, &view.writes_shut) {
            (Some(code), _) => Badge::new(Tone::Bad, format!("shut: {code}")),
            (None, Some(code)) => Badge::new(Tone::Warn, format!("reads only: {code}")),
            (None, None) => Badge::new(Tone::Good, "in use"),
        },
        Standing::Quarantined { .. } => Badge::new(Tone::Bad, "stopped"),
        Standing::Paused { control, .. } => Badge::new(Tone::Bad, format!("writes off: {}", control.code())),
        Standing::Ended { .. } => Badge::new(Tone::Calm, "ended"),
    }
}

/// A gate as the page shows it.
struct GateLine {
    name: &'static str,
    open: bool,
    text: String,
}

#[derive(Template)]
#[template(path = "integration.html")]
struct Shown {
    frame: Frame,
    one: Integration,
    serves: String,
    class: Badge,
    standing: Badge,
    stopped: Option<String>,
    gates: Vec<GateLine>,
    graph: Graph,
    more: usize,
    words: Vec<String>,
    review: Option<ReviewView>,
    used: usize,
    credentials: Table,
    killed: Option<Killed>,
    ended: bool,
    is_hub: bool,
    pending: Table,
    /// What ending it would do.
    would: Vec<String>,
    /// How its end was drilled last: what was tried, and what came of it.
    tried: Vec<(Badge, String, String)>,
    /// Whether it can be drilled, and by who looks.
    drillable: bool,
    /// The origin that passkeys work at, for who has one.
    origin: Option<String>,
    /// What happened to it, the newest first.
    history: Vec<Line>,
    /// Whether there is more of that.
    older: bool,
}

/// `GET /integrations/{integration}`
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(name): Segment<IntegrationName>,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    page(&shown(&hub, &signed_in, &name, view.notice()).await?)
}

async fn shown(
    hub: &Hub,
    signed_in: &SignedIn,
    name: &IntegrationName,
    notice: Option<Notice>,
) -> Result<Shown, Trouble> {
    let (state, caller) = (|| State(hub.clone()), || signed_in.caller.clone());
    let all = integrations::list(state(), caller()).await?.0;
    let missing = || Problem::new(404, "not-found", format!("there is no integration `{name}`"));
    let view = all.into_iter().find(|view| view.integration.name == *name).ok_or_else(missing)?;
    let frame = Frame::of(hub, signed_in, Place::Integrations).await?.say(notice);
    let ended = view.integration.has_ended();
    let can = match ended {
        true => Authority::default(),
        false => authority::show(state(), caller(), Segment(name.clone())).await?.0.authority,
    };
    let review = match ended {
        true => None,
        false => reviews::show(state(), caller(), Segment(name.clone())).await.ok().map(|answer| answer.0),
    };
    let killed = match ended {
        true => kill::show(state(), caller(), Segment(name.clone())).await.ok().map(|answer| answer.0),
        false => None,
    };
    let stopped = match &view.integration.standing {
        Standing::Quarantined { reason, .. } => Some(reason.clone()),
        Standing::Enabled | Standing::Paused { .. } | Standing::Ended { .. } => None,
    };
    let credentials = view
        .credentials
        .iter()
        .map(|line| vec![Cell::text(line.purpose.as_str()), Cell::at(line.at, frame.now)]);
    let (graph, more) = drawn(name, &can);
    let drill = review.as_ref().and_then(|review| review.shown.drill.as_ref());
    let (history, older) = history(hub, signed_in, name, &frame).await?;
    let has = !hub.engine.passkeys_of(&signed_in.caller.0).await?.is_empty();
    Ok(Shown {
        origin: hub.entrance.party.as_ref().filter(|_| has).map(|party| party.origin.clone()),
        serves: serves(&view.integration),
        class: class(view.class),
        standing: standing(&view),
        stopped,
        gates: Gate::ALL.map(|gate| gate_line(&view, gate, &frame)).into(),
        graph,
        more,
        words: can.explain(name),
        would: if ended { Vec::new() } else { ending::would(hub, &view).await? },
        tried: drill.map(ending::tried).unwrap_or_default(),
        drillable: view.integration.kill.is_some() && signed_in.caller.may(Right::Govern).is_ok(),
        used: review.as_ref().map_or(0, |review| review.shown.rules.iter().filter(|rule| rule.used).count()),
        review,
        credentials: Table::plain(&["for", "set"], credentials.collect(), ("No credential is set.", "")),
        killed,
        ended,
        is_hub: name.as_str() == HUB,
        pending: pending(hub, signed_in, name, &frame).await?,
        history,
        older,
        frame,
        one: view.integration,
    })
}

/// What happened to it, as far as there is room; and whether there is more.
async fn history(
    hub: &Hub,
    signed_in: &SignedIn,
    name: &IntegrationName,
    frame: &Frame,
) -> Result<(Vec<Line>, bool), Trouble> {
    let (about, wanted) = (Segment(format!("{HUB}/{name}")), Params(Wanted::of(NEWEST, None)));
    match evidence::records(State(hub.clone()), signed_in.caller.clone(), about, wanted).await {
        Ok(found) => Ok((lines(hub, frame, &found.0.items).await?, found.0.next.is_some())),
        Err(error) => match error.into_problem() {
            // What was there from the beginning has no history of its own.
            problem if problem.status == 404 => Ok((Vec::new(), false)),
            problem => Err(problem.into()),
        },
    }
}

/// The plans about it that wait for somebody.
async fn pending(
    hub: &Hub,
    signed_in: &SignedIn,
    name: &IntegrationName,
    frame: &Frame,
) -> Result<Table, Trouble> {
    let which = plans::Which { state: Some("drafted".into()), identity: None };
    let wanted = Params(Wanted::of(1_000, None));
    let found = plans::list(State(hub.clone()), signed_in.caller.clone(), Params(which), wanted).await?.0;
    let about = found
        .items
        .into_iter()
        .filter(|view| view.row.plan.governs.as_ref().is_some_and(|governs| governs.subject == *name));
    let rows = about.map(|view| {
        let question = view.row.plan.governs.as_ref().map_or("", |governs| governs.question.as_str());
        let widens = view.row.plan.governs.as_ref().is_some_and(|governs| governs.widens);
        vec![
            Cell::link(question, format!("/plans/{}", view.row.plan.id)),
            Cell::Badge(if widens {
                Badge::new(Tone::Warn, "gives more")
            } else {
                Badge::new(Tone::Calm, "gives no more")
            }),
            Cell::at(view.row.plan.made, frame.now),
        ]
    });
    Ok(Table::plain(&["asks", "than before", "since"], rows.collect(), ("Nothing of it waits.", "")))
}

fn gate_line(view: &IntegrationView, gate: Gate, frame: &Frame) -> GateLine {
    let shut = match gate {
        Gate::IntegrationApproved => &view.reads_shut,
        Gate::IdentityAuthorityApproved => &view.writes_shut,
    };
    let name = match gate {
        Gate::IntegrationApproved => "Integration approved",
        Gate::IdentityAuthorityApproved => "Identity authority approved",
    };
    let text = match (view.integration.gates.of(gate), shut) {
        (_, Some(code)) => format!("shut: {code}"),
        (Some(certificate), None) => format!("open, certified {}", frame.at(&certificate.at).words()),
        (None, None) => "not needed: it changes nothing".to_owned(),
    };
    GateLine { name, open: shut.is_none(), text }
}

/// The ways of an authority, the heaviest first; and how many are left out.
fn drawn(name: &IntegrationName, authority: &Authority) -> (Graph, usize) {
    let mut graph = Graph::default();
    let ways = authority.by_weight();
    for path in ways.iter().take(DRAWN) {
        let mut nodes = vec![Node { kind: "integration", text: name.to_string() }, node(&path.start)];
        for (because, touch) in &path.steps {
            nodes.push(Node { kind: "by", text: because.title() });
            nodes.push(node(touch));
        }
        let tone = match path.effect {
            Effect::None => Tone::Good,
            Effect::Influences => Tone::Calm,
            Effect::Executes => Tone::Warn,
            Effect::Decides => Tone::Bad,
        };
        graph.way(nodes, tone);
    }
    (graph, ways.len().saturating_sub(DRAWN))
}

fn node(touch: &Touch) -> Node {
    let (kind, text) = match touch {
        Touch::Identity => ("writes", "who exists".to_owned()),
        Touch::Attribute(name) => ("attribute", name.clone()),
        Touch::Entitlement(name) => ("entitlement", name.to_string()),
        Touch::Account(system) => ("accounts on", system.to_string()),
        Touch::Credential(system) => ("credentials of", system.to_string()),
        Touch::Object(name) => ("object", name.to_string()),
        Touch::Decide(kind) => ("decides on", kind.to_string()),
        Touch::Search(kind) => ("searches", kind.to_string()),
        Touch::Signal => ("leaves", "a note for people".to_owned()),
    };
    Node { kind, text }
}

/// How a rule of the scope was used.
fn rule_use(rule: &RuleLine, frame: &Frame) -> Badge {
    match &rule.with {
        Some(with) if rule.used => {
            Badge::new(Tone::Good, format!("{} calls, last {}", with.calls, frame.at(&with.last).words()))
        }
        Some(_) => Badge::new(Tone::Warn, "not used since the last review"),
        None => Badge::new(Tone::Warn, "never used"),
    }
}

/// Does something with an integration; on a refusal the page says so.
pub async fn act(
    (hub, signed_in, name): (Hub, SignedIn, IntegrationName),
    outcome: Result<&'static str, ApiError>,
) -> Result<Response, Trouble> {
    let to = |done| format!("/integrations/{name}?done={done}");
    acted(outcome, to, |notice| shown(&hub, &signed_in, &name, notice)).await
}

/// The name once more, so that nobody ends the wrong one.
#[derive(Deserialize)]
pub struct Sure {
    #[serde(default)]
    confirm: String,
}

/// `POST /integrations/{integration}/kill`
pub async fn kill(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(name): Segment<IntegrationName>,
    Posted(Sure { confirm }): Posted<Sure>,
) -> Result<Response, Trouble> {
    let killed = if confirm.trim() == name.as_str() {
        let segment = Segment(name.clone());
        kill::kill(State(hub.clone()), signed_in.caller.clone(), segment, Params(Wait::default()))
            .await
            .map(|_| "killed")
    } else {
        let detail =
            format!("type `{name}` to end it; what you typed is something else, and nothing was done");
        Err(Problem::new(409, "not-confirmed", detail).into())
    };
    act((hub, signed_in, name), killed).await
}

/// `POST /integrations/{integration}/release`: lifts a quarantine.
pub async fn release(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(name): Segment<IntegrationName>,
    _: Posted<Nothing>,
) -> Result<Response, Trouble> {
    let segment = Segment(name.clone());
    let done = integrations::release(State(hub.clone()), signed_in.caller.clone(), segment)
        .await
        .map(|_| "released");
    act((hub, signed_in, name), done).await
}

/// Which gate.
#[derive(Deserialize)]
pub struct Which {
    gate: Gate,
}

/// `POST /integrations/{integration}/withdraw`: takes a gate back, in force at once.
pub async fn withdraw(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(name): Segment<IntegrationName>,
    Posted(Which { gate }): Posted<Which>,
) -> Result<Response, Trouble> {
    let (segment, asked) = (Segment(name.clone()), Body(Withdrawal { gates: vec![gate] }));
    let caller = signed_in.caller.clone();
    let done = integrations::withdraw(State(hub.clone()), caller, segment, asked).await.map(|_| "withdrawn");
    act((hub, signed_in, name), done).await
}

/// What a reviewer decides.
#[derive(Deserialize)]
pub struct Decided {
    decision: Decision,
    #[serde(default)]
    reason: String,
    shown: bailiwick_core::digest::Digest,
    #[serde(default)]
    code: String,
    #[serde(default)]
    passkey: String,
}

/// `POST /integrations/{integration}/review`
pub async fn review(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(name): Segment<IntegrationName>,
    Posted(Decided { decision, reason, shown, code, passkey }): Posted<Decided>,
) -> Result<Response, Trouble> {
    let code = Some(code.trim().to_owned()).filter(|code| !code.is_empty());
    let passkey = (!passkey.is_empty()).then(|| using(&passkey)).transpose()?;
    let request = Body(DecisionRequest { decision, reason, shown, code, passkey });
    let segment = Segment(name.clone());
    let done = reviews::decide(State(hub.clone()), signed_in.caller.clone(), segment, request)
        .await
        .map(|_| "reviewed");
    act((hub, signed_in, name), done).await
}
