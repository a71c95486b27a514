//! `/tasks`: what people are asked to do, and their answers.

use axum::{Json, extract::State};
use bailiwick_core::{
    id::{IdentityId, TaskId},
    task::{Answer as Answered, Task},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page, Who,
    answer::{Answer, Body, Params, Segment},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
    page::{Wanted, is},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-tasks", "/tasks", list).says("Tasks, oldest first."),
        get("show-task", "/tasks/{task}", show).says("One task."),
        post("answer-task", "/tasks/{task}/answer", Access::Right(Right::Operate), answer)
            .says("Says what was done.")
            .of("/tasks/{task}"),
    ];
    Resource::new("Tasks", "What people are asked to do, and their answers.", operations)
}

/// A task, and for whom it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskView {
    /// For whom the changes are.
    pub who: Who,
    /// The task.
    #[serde(flatten)]
    pub task: Task,
}

/// Which tasks.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Which {
    pub(crate) state: Option<String>,
    pub(crate) identity: Option<IdentityId>,
}

pub async fn list(
    State(hub): State<Hub>,
    _: Caller,
    Params(which): Params<Which>,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<TaskView>> {
    let mut tx = hub.read().await?;
    let filters = [is("identity", which.identity.map(|id| id.to_string())), is("state", which.state)];
    let page: Page<Task> = wanted.read(&hub, &mut *tx, filters.into_iter().flatten().collect()).await?;
    let who = hub.who(&mut *tx, page.items.iter().map(|task| task.identity)).await?;
    Ok(Json(page.map(|task| TaskView { who: Who::of(&who, task.identity), task })))
}

pub async fn show(State(hub): State<Hub>, _: Caller, Segment(task): Segment<TaskId>) -> Answer<TaskView> {
    let mut tx = hub.read().await?;
    let task: Task = hub.find(&mut *tx, "task", &task.to_string()).await?;
    let who = Who::of(&hub.who(&mut *tx, [task.identity]).await?, task.identity);
    Ok(Json(TaskView { who, task }))
}

pub async fn answer(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(task): Segment<TaskId>,
    Body(answer): Body<Answered>,
) -> Answer<Task> {
    caller.may(Right::Operate)?;
    let task = hub.engine.answer_task(task, &answer, &caller.0).await?;
    hub.worker.nudge();
    Ok(Json(task))
}
