//! `/traces`: the hops of events, from the source to the proof.

use axum::{Json, extract::State};
use bailiwick_core::trace::Trace;
use bailiwick_engine::Traces;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page, Who,
    answer::{Answer, Params, Segment},
    caller::Caller,
    page::Wanted,
};

/// A trace, and whom it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceView {
    /// Who it is.
    pub who: Who,
    /// The hops.
    #[serde(flatten)]
    pub trace: Trace,
}

/// `GET /traces?limit=&after=`: the events with a plan that is not done or a case that is open.
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

/// `GET /traces/{event}`: of an event by its id, or of the last event of an identity.
pub async fn show(State(hub): State<Hub>, _: Caller, Segment(event): Segment<String>) -> Answer<TraceView> {
    let trace = hub.engine.trace(&event).await?;
    let known = hub.who(&mut *hub.read().await?, [trace.identity]).await?;
    Ok(Json(TraceView { who: Who::of(&known, trace.identity), trace }))
}
