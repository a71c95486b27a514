//! `/sources/…/deliveries`: feeds come in here.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use bailiwick_core::id::{BatchId, SourceName};
use bailiwick_engine::Imported;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, Params, Raw, Segment},
    caller::{Caller, Right},
    wait::Wait,
};
use crate::worker::Pulse;

/// What came of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// The delivery.
    pub batch: BatchId,
    /// How many records it has.
    pub rows: u64,
    /// Kind → events.
    pub events: BTreeMap<String, u64>,
    /// How many records said nothing new.
    pub unchanged: u64,
    /// How the queue is after the wait.
    pub queue: Pulse,
}

/// `POST /sources/{source}/deliveries?wait=SECONDS`: the body is the feed, byte for byte.
pub async fn deliver(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(source): Segment<SourceName>,
    Params(wait): Params<Wait>,
    Raw(bytes): Raw,
) -> Answer<Delivered> {
    caller.may(Right::Operate)?;
    // One at a time: a delivery lies in the folder until it is read.
    let turn = hub.delivering.lock().await;
    let digest = hub.folder.deliver(&source, bytes).await?;
    let Imported { batch, rows, events, unchanged } = hub.engine.import(&source, digest).await?;
    drop(turn);
    Ok(Json(Delivered { batch, rows, events, unchanged, queue: wait.for_quiet(&hub).await }))
}
