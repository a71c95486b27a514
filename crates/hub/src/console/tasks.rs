//! Tasks: what only a person can do, and what they say of it.

use askama::Template;
use axum::{extract::State, response::Response};
use bailiwick_core::{
    id::TaskId,
    task::{Answer, TaskState},
};
use serde::Deserialize;

use super::{
    act::acted,
    assets,
    frame::{Frame, Notice, Place, page},
    list::{List, gather, state},
    show::{Badge, Moment, Tone, name_of, prose},
    signed_in::{Posted, SignedIn},
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::api::{
    Hub, TaskView,
    answer::{Body, Params, Segment},
    tasks,
};

const STATES: &[(&str, &str)] = &[("", "All"), ("open", "Open"), ("done", "Done"), ("declined", "Declined")];

/// `GET /tasks`
pub async fn list(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    let found = gather(&view, |wanted| {
        let which = Params(tasks::Which { state: state(&view), identity: None });
        tasks::list(State(hub.clone()), signed_in.caller.clone(), which, wanted)
    })
    .await?;
    let frame = Frame::of(&hub, &signed_in, Place::Tasks).await?;
    let row = |TaskView { who, task }: TaskView| {
        let what = task.steps.first().map_or(String::new(), |step| step.instruction.clone());
        vec![
            Cell::Titled(name_of(&who), what, format!("/tasks/{}", task.id)),
            Cell::link(task.system.as_str(), format!("/systems/{}", task.system)),
            Cell::text(&task.assignee),
            Cell::Badge(badge(&task.state)),
            Cell::At(Some(Moment { at: task.due, now: frame.now }), ""),
        ]
    };
    let rows = found.items.into_iter().map(row).collect();
    let empty = (
        "Nobody is asked to do anything.",
        "Where a system has no interface, a person is asked, once, with a deadline.",
    );
    let table =
        Table::new(&["for", "system", "who is asked", "state", "due"], rows, found.next, &view, empty);
    let lead = "What only a person can do. An answer is their word, and stands until somebody looks again.";
    List { frame, title: "Tasks", lead, states: STATES, table, live: true }.answer(&view, "tasks")
}

fn badge(state: &TaskState) -> Badge {
    match state {
        TaskState::Open => Badge::new(Tone::Warn, "open"),
        TaskState::Done { .. } => Badge::new(Tone::Good, "done"),
        TaskState::Declined { .. } => Badge::new(Tone::Bad, "declined"),
    }
}

#[derive(Template)]
#[template(path = "task.html")]
struct Shown {
    frame: Frame,
    state: Badge,
    open: bool,
    said: String,
    view: TaskView,
}

/// `GET /tasks/{task}`
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(task): Segment<TaskId>,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    page(&shown(&hub, &signed_in, task, view.notice()).await?)
}

async fn shown(
    hub: &Hub,
    signed_in: &SignedIn,
    task: TaskId,
    notice: Option<Notice>,
) -> Result<Shown, Trouble> {
    let view = tasks::show(State(hub.clone()), signed_in.caller.clone(), Segment(task)).await?.0;
    let said = match &view.task.state {
        TaskState::Open => String::new(),
        TaskState::Done { attestation } => format!("{} says: {}", attestation.by, attestation.statement),
        TaskState::Declined { by, reason, .. } => format!("{by} says that it cannot be done: {reason}"),
    };
    Ok(Shown {
        frame: Frame::of(hub, signed_in, Place::Tasks).await?.say(notice),
        state: badge(&view.task.state),
        open: matches!(view.task.state, TaskState::Open),
        said,
        view,
    })
}

/// What somebody says.
#[derive(Deserialize)]
pub struct Given {
    outcome: String,
    statement: String,
}

/// `POST /tasks/{task}/answer`
pub async fn answer(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(task): Segment<TaskId>,
    Posted(given): Posted<Given>,
) -> Result<Response, Trouble> {
    let answer = match given.outcome.as_str() {
        "done" => Answer::Done { statement: given.statement, exhibits: Vec::new(), account: None },
        _ => Answer::Declined { reason: given.statement },
    };
    let answered =
        tasks::answer(State(hub.clone()), signed_in.caller.clone(), Segment(task), Body(answer)).await;
    acted(
        answered,
        |_| format!("/tasks/{task}?done=answered"),
        |notice| shown(&hub, &signed_in, task, notice),
    )
    .await
}
