//! `/traces`: the hops of events, from the source to the proof.

use axum::{Json, extract::State};
use bailiwick_core::trace::Trace;
use bailiwick_engine::Traces;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page, Who,
    answer::{Answer, Params, Segment},
    caller::Caller,
    operation::{Resource, get},
    page::Wanted,
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-traces", "/traces", list)
            .says("The events with a plan that is not done or a case that is open."),
        get("show-trace", "/traces/{event}", show)
            .says("Of an event by its id, or of the last event of an identity.")
            .fails(&[409]),
    ];
    Resource::new("Traces", "The hops of events, from the source to the proof.", operations)
}

/// A trace, and whom it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TraceView {
    /// Who it is.
    pub who: Who,
    /// The hops.
    #[serde(flatten)]
    pub trace: Trace,
}

pub async fn list(
    State(hub): State<Hub>,
    _: Caller,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<TraceView>> {
    let (limit, after) = wanted.parts();
    let Traces { items, next } = hub.engine.under_way(after, limit).await?;
    let known = hub.who(&mut *hub.read().await?, items.iter().map(|trace| trace.identity)).await?;
    let view = |trace: Trace| TraceView { who: Who::of(&known, trace.identity), trace };
    Ok(Json(Page { items: items.into_iter().map(view).collect(), next }))
}

pub async fn show(State(hub): State<Hub>, _: Caller, Segment(event): Segment<String>) -> Answer<TraceView> {
    let trace = hub.engine.trace(&event).await?;
    let known = hub.who(&mut *hub.read().await?, [trace.identity]).await?;
    Ok(Json(TraceView { who: Who::of(&known, trace.identity), trace }))
}
