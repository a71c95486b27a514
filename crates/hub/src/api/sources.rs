//! `/sources/…/deliveries`: feeds come in here.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use bailiwick_core::id::{BatchId, SourceName};
use bailiwick_engine::{EngineError, Imported};
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, Params, Raw, Segment},
    caller::{Caller, Right},
    wait::Wait,
};
use crate::{
    problem::{Fault, Problem},
    worker::Pulse,
};

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
    let Imported { batch, rows, events, unchanged } =
        hub.engine.import(&source, digest).await.map_err(refused)?;
    drop(turn);
    Ok(Json(Delivered { batch, rows, events, unchanged, queue: wait.for_quiet(&hub).await }))
}

/// A delivery that its connector cannot read has its own code and place, `` `FILE`: CODE: line N … ``.
fn refused(error: EngineError) -> Problem {
    let EngineError::Connector(unread) = &error else { return error.into() };
    let Some((code, rest)) = unread.message.split_once("`: ").and_then(|(_, told)| told.split_once(": "))
    else {
        return error.into();
    };
    if !code.starts_with("feed-") {
        return error.into();
    }
    let line = rest.strip_prefix("line ").and_then(|rest| rest.split_once(' '));
    let fault = match line {
        Some((line, problem)) => Fault::new(code, problem).at(format!("line {line}")),
        None => Fault::new(code, rest),
    };
    Problem::new(422, code, "the delivery cannot be read and is held whole").faults(vec![fault])
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailiwick_connector::{ConnectorError, ErrorKind};

    #[test]
    fn what_a_connector_says_of_a_delivery_has_code_and_place() {
        let check = |message: &str, status: u16, code: &str, place: Option<&str>| {
            let problem = refused(ConnectorError::none(ErrorKind::Malformed, message).into());
            assert_eq!((problem.status, problem.code.as_str()), (status, code), "{message}");
            assert_eq!(problem.errors.first().and_then(|fault| fault.place.as_deref()), place, "{message}");
        };
        check(
            "`current.csv`: feed-bad-value: line 7 has `x` for `start`",
            422,
            "feed-bad-value",
            Some("line 7"),
        );
        check(
            "`current.csv`: feed-missing-column: the header has no column `E-mail`",
            422,
            "feed-missing-column",
            None,
        );
        check("`current.csv`: reading it was answered with status 500", 502, "answer-malformed", None);
        check("the system is away", 502, "answer-malformed", None);
    }
}
