//! `/batches`: deliveries of sources: what came, why one is held, what it would have done, and who lets it go.

use axum::{Json, extract::State};
use bailiwick_core::{digest::Digest, id::BatchId};
use bailiwick_engine::Comes;
use bailiwick_store::entities::Batch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page,
    answer::{Answer, Body, Params, Segment},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
    page::{Wanted, is},
};
use crate::translate::breach;

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-batches", "/batches", list).says("Deliveries, oldest first."),
        get("show-batch", "/batches/{batch}", show)
            .says("One delivery: why it is held, and what it would have done."),
        post("release-batch", "/batches/{batch}/release", Access::Right(Right::Accept), release)
            .says("Lets a held delivery go: the first one asks, the second one does it.")
            .fails(&[502])
            .of("/batches/{batch}"),
    ];
    Resource::new("Deliveries", "What came of sources, why one is held, and who lets it go.", operations)
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BatchView {
    /// The delivery and what became of it.
    #[serde(flatten)]
    pub batch: Batch,
    /// Why it was held, in words, each with its code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<(String, String)>,
    /// The digest of what is shown here, to which a release binds.
    pub shown: Digest,
}

impl From<Batch> for BatchView {
    fn from(batch: Batch) -> Self {
        let reasons = batch.breaches.iter().map(breach);
        let reasons = reasons.map(|fault| (fault.code, fault.message)).collect();
        Self { reasons, shown: batch.shown(), batch }
    }
}

/// A release: of what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// The digest of what they saw.
    pub shown: Digest,
}

/// Which deliveries.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Which {
    pub(crate) state: Option<String>,
    pub(crate) source: Option<String>,
}

pub async fn list(
    State(hub): State<Hub>,
    _: Caller,
    Params(which): Params<Which>,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<BatchView>> {
    let mut tx = hub.read().await?;
    let filters = [is("state", which.state), is("source", which.source)];
    let page: Page<Batch> = wanted.read(&hub, &mut *tx, filters.into_iter().flatten().collect()).await?;
    Ok(Json(page.map(BatchView::from)))
}

pub async fn show(State(hub): State<Hub>, _: Caller, Segment(batch): Segment<BatchId>) -> Answer<BatchView> {
    let batch: Batch = hub.find(&mut *hub.read().await?, "delivery", &batch.to_string()).await?;
    Ok(Json(batch.into()))
}

pub async fn release(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(batch): Segment<BatchId>,
    Body(request): Body<ReleaseRequest>,
) -> Answer<BatchView> {
    caller.may(Right::Accept)?;
    // What lies in the folder stays there until it is read.
    let turn = hub.delivering.lock().await;
    let found = hub.find::<Batch>(&mut *hub.read().await?, "delivery", &batch.to_string()).await?;
    let lying = match hub.engine.how_it_comes(&found.source).await? {
        Comes::Delivered => Some(hub.folder.delivered(&found.source).await?),
        Comes::Pushed | Comes::Read => None,
    };
    let released = hub.engine.release_batch(batch, request.shown, lying, &caller.0).await?;
    drop(turn);
    hub.worker.nudge();
    Ok(Json(released.into()))
}
