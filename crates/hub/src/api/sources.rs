//! `/sources/…/deliveries`: feeds come in here.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use bailiwick_core::id::{BatchId, SourceName};
use bailiwick_engine::{EngineError, Imported};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    DELIVERY, Hub,
    answer::{Answer, Params, Raw, Segment},
    caller::{Caller, Right},
    operation::{Access, Resource, post},
    wait::{Queue, Wait},
};
use crate::problem::{Fault, Problem};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        post("deliver", "/sources/{source}/deliveries", Access::Right(Right::Operate), deliver)
            .for_programs(Right::Operate)
            .says("Delivers a feed, byte for byte: taken, or held whole.")
            .fails(&[502])
            .limit(DELIVERY),
    ];
    Resource::new("Sources", "Feeds come in here.", operations)
}

/// What came of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    pub queue: Queue,
}

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
    let Imported { batch, rows, events, unchanged } =
        hub.engine.import(&source, digest).await.map_err(refused)?;
    drop(turn);
    Ok(Json(Delivered { batch, rows, events, unchanged, queue: wait.for_quiet(&hub).await? }))
}

/// A delivery that its connector cannot read has a code of its own, `feed-…`, and says `` `FILE`: line N … ``.
fn refused(error: EngineError) -> Problem {
    let (EngineError::Connector(unread), code) = (&error, error.code()) else { return error.into() };
    if !code.starts_with("feed-") {
        return error.into();
    }
    let told = unread.message.split_once("`: ").map_or(unread.message.as_str(), |(_, told)| told);
    let line = told.strip_prefix("line ").and_then(|rest| rest.split_once(' '));
    let fault = match line {
        Some((line, problem)) => Fault::new(code, problem).at(format!("line {line}")),
        None => Fault::new(code, told),
    };
    Problem::new(422, code, "the delivery cannot be read and is held whole").faults(vec![fault])
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailiwick_connector::{ConnectorError, ErrorKind};

    #[test]
    fn what_a_connector_says_of_a_delivery_has_code_and_place() {
        let check = |error: ConnectorError, status: u16, place: Option<&str>, message: &str| {
            let code = error.code();
            let problem = refused(error.into());
            assert_eq!((problem.status, problem.code.as_str()), (status, code), "{message}");
            let fault = problem.errors.first();
            assert_eq!(fault.and_then(|fault| fault.place.as_deref()), place, "{message}");
            assert_eq!(fault.map_or(problem.detail.as_str(), |fault| &fault.message), message);
        };
        let unread = |message: &str| ConnectorError::none(ErrorKind::Malformed, message);
        let bad_value = unread("`current.csv`: line 7 has `x` for `start`").with_detail("feed-bad-value");
        check(bad_value, 422, Some("line 7"), "has `x` for `start`");
        let no_column =
            unread("`current.csv`: the header has no column `E-mail`").with_detail("feed-missing-column");
        check(no_column, 422, None, "the header has no column `E-mail`");
        check(unread("the system is away"), 502, None, "the system is away");
    }
}
