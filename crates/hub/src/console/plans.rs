//! Plans: what is to be changed for whom, as a diff that can be judged at a glance; and approving it.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};
use bailiwick_core::{
    digest::Digest,
    id::PlanId,
    plan::{Change, Op, Plan},
};
use bailiwick_store::entities::{PlanState, Run, Step};
use serde::Deserialize;

use super::{
    act::acted,
    assets,
    frame::{Frame, Notice, Place, page},
    list::{List, gather, state},
    passkeys::using,
    show::{Badge, Tone, counted, mark, name_of, step},
    signed_in::{Posted, SignedIn},
    table::{Cell, Table, View},
    trouble::Trouble,
    undo::Undo,
};
use crate::{
    api::{
        ApprovalRequest, Hub, PlanView,
        answer::{Body, Params, Segment},
        plans,
    },
    cli::asked,
};

const STATES: &[(&str, &str)] = &[
    ("", "All"),
    ("drafted", "Wait for approval"),
    ("approved", "Under way"),
    ("done", "Done"),
    ("superseded", "Superseded"),
];

/// `GET /plans`
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    let found = gather(&view, |wanted| {
        let which = Params(plans::Which { state: state(&view), identity: None });
        plans::list(State(hub.clone()), signed_in.caller.clone(), which, wanted)
    })
    .await?;
    let frame = Frame::of(&hub, &signed_in, Place::Plans).await?;
    let row = |PlanView { who, row, .. }: PlanView| {
        let plan = &row.plan;
        vec![
            Cell::Titled(name_of(&who), summary(&plan.changes), format!("/plans/{}", plan.id)),
            Cell::text(&plan.cause),
            Cell::Number(plan.changes.len() as i64),
            Cell::Badge(Badge::plan(&row.state)),
            Cell::at(plan.made, frame.now),
        ]
    };
    let rows = found.items.into_iter().map(row).collect();
    let empty = (
        "No plans here.",
        "A plan is made when somebody joins, moves or leaves, and when configuration changes.",
    );
    let table =
        Table::new(&["for", "because of", "changes", "state", "made"], rows, found.next, &view, empty);
    let lead = "What is to be changed for whom. A plan never changes; whoever approves it approves exactly what they saw.";
    List { frame, title: "Plans", lead, states: STATES, table, live: true }.answer(&view, "plans")
}

/// `+2 −1 on chat, wiki`
fn summary(changes: &[Change]) -> String {
    let count = |sign: char| changes.iter().filter(|change| mark(&change.op).0 == sign).count();
    let signs = ['+', '~', '−'].map(|sign| (sign, count(sign)));
    let signs: Vec<String> =
        signs.iter().filter(|(_, n)| *n > 0).map(|(sign, n)| format!("{sign}{n}")).collect();
    let mut systems: Vec<&str> = changes.iter().map(|change| change.system.as_str()).collect();
    systems.sort_unstable();
    systems.dedup();
    match signs.is_empty() {
        true => "nothing to change".to_owned(),
        false => format!("{} on {}", signs.join(" "), systems.join(", ")),
    }
}

/// One line of a diff.
pub struct Line {
    /// `+`, `~` or `−`.
    pub sign: char,
    /// The class of the sign.
    pub kind: &'static str,
    /// What is done.
    pub what: String,
    because: String,
    declared: Vec<String>,
    step: Option<Badge>,
}

/// The changes of a plan by system, each with how far it is.
pub fn lines(plan: &Plan, runs: &[Run]) -> Vec<(String, Vec<Line>)> {
    let steps: BTreeMap<u16, &Step> =
        runs.iter().flat_map(|run| &run.steps).map(|(seq, step)| (*seq, step)).collect();
    let mut systems: Vec<(String, Vec<Line>)> = Vec::new();
    for change in &plan.changes {
        let (sign, kind) = mark(&change.op);
        let because: Vec<String> = change.because.iter().map(ToString::to_string).collect();
        let line = Line {
            sign,
            kind,
            what: what(change),
            because: because.join(", "),
            declared: asked::declared(plan, &change.op),
            step: steps.get(&change.seq).map(|one| step(one)),
        };
        match systems.last_mut().filter(|(system, _)| system == change.system.as_str()) {
            Some((_, lines)) => lines.push(line),
            None => systems.push((change.system.to_string(), vec![line])),
        }
    }
    systems
}

/// The page of a plan.
#[derive(Template)]
#[template(path = "plan.html")]
pub struct Shown {
    frame: Frame,
    view: PlanView,
    state: Badge,
    waits: bool,
    question: Option<String>,
    code_wanted: bool,
    /// The origin that passkeys work at, for who has one.
    origin: Option<String>,
    systems: Vec<(String, Vec<Line>)>,
    forbidden: Vec<String>,
    authority: Vec<String>,
    changes: String,
    /// What becomes of accounts when two identities are joined or split.
    joint: Vec<String>,
    /// What is said of undoing it.
    pub undo: Undo,
}

/// `GET /plans/{plan}`
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(plan): Segment<PlanId>,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    page(&shown(&hub, &signed_in, plan, view.notice()).await?)
}

/// The page of a plan, with something to say on top.
pub async fn shown(
    hub: &Hub,
    signed_in: &SignedIn,
    plan: PlanId,
    notice: Option<Notice>,
) -> Result<Shown, Trouble> {
    let view = plans::show(State(hub.clone()), signed_in.caller.clone(), Segment(plan)).await?.0;
    let frame = Frame::of(hub, signed_in, Place::Plans).await?.say(notice);
    let plan = &view.row.plan;
    let systems = lines(plan, &view.runs);
    let forbidden = plan.decision.forbidden.iter().map(|(name, policies)| {
        let policies: Vec<String> = policies.iter().map(ToString::to_string).collect();
        format!("{name} is forbidden by {}", policies.join(", "))
    });
    let authority = match (plan.certifies(), &plan.governs) {
        (Some(authority), Some(governs)) => authority.explain(&governs.subject),
        _ => Vec::new(),
    };
    let has = !hub.engine.passkeys_of(&signed_in.caller.0).await?.is_empty();
    Ok(Shown {
        origin: hub.entrance.party.as_ref().filter(|_| has).map(|party| party.origin.clone()),
        state: Badge::plan(&view.row.state),
        waits: view.row.state == PlanState::Drafted,
        question: asked::question(plan),
        code_wanted: plan.needs_step_up() || asks_for_code(&frame),
        forbidden: forbidden.collect(),
        joint: plan.joint.as_ref().map_or_else(Vec::new, |joint| asked::joint(plan, joint)),
        undo: Undo::of(&view),
        changes: counted(plan.changes.len(), "change", "changes"),
        frame,
        systems,
        authority,
        view,
    })
}

/// Whether an approval was refused for want of a code.
fn asks_for_code(frame: &Frame) -> bool {
    frame.notice.as_ref().is_some_and(|notice| notice.code.starts_with("step-up-"))
}

/// `grant engineering`
fn what(change: &Change) -> String {
    match (&change.entitlement, &change.op) {
        (Some(name), Op::Grant { .. }) => format!("grant {name}"),
        (Some(name), Op::Revoke { .. }) => format!("revoke {name}"),
        _ => change.op.words(),
    }
}

/// What an approver gives.
#[derive(Deserialize)]
pub struct Given {
    digest: Digest,
    #[serde(default)]
    code: String,
    #[serde(default)]
    passkey: String,
}

/// `POST /plans/{plan}/approve`: of the digest that was on the page.
pub async fn approve(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(plan): Segment<PlanId>,
    Posted(Given { digest, code, passkey }): Posted<Given>,
) -> Result<Response, Trouble> {
    let code = Some(code.trim().to_owned()).filter(|code| !code.is_empty());
    let passkey = (!passkey.is_empty()).then(|| using(&passkey)).transpose()?;
    let request = ApprovalRequest { digest, code, passkey };
    let given =
        plans::approve(State(hub.clone()), signed_in.caller.clone(), Segment(plan), Body(request)).await;
    acted(given, |_| format!("/plans/{plan}?done=approved"), |notice| shown(&hub, &signed_in, plan, notice))
        .await
}
