//! `/sources`: where people come from. What is delivered comes in here, and what is read is read when somebody asks.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use bailiwick_core::{
    finding::Finding,
    guard::Fate,
    id::{BatchId, IntegrationName, SourceName},
    integration::Role,
    time::Timestamp,
};
use bailiwick_engine::{Comes, EngineError, Imported};
use bailiwick_store::{
    Filter, Select, StoreError, Stored, Table, Tx,
    entities::{Batch, Fetched},
    get as find, select,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BatchView, DELIVERY, Hub,
    answer::{Answer, ApiError, Params, Raw, Segment},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
    wait::{Queue, Wait, when_free},
};
use crate::{
    problem::{Fault, Problem},
    span,
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-sources", "/sources", list)
            .says("Sources: how what they say comes, and when it came last."),
        post("read-source", "/sources/{source}/readings", Access::Right(Right::Operate), read)
            .for_programs(Right::Operate)
            .says("Reads a source that the hub reads by itself, now: taken, or held whole.")
            .fails(&[502])
            .of("/sources"),
        post("deliver", "/sources/{source}/deliveries", Access::Right(Right::Operate), deliver)
            .for_programs(Right::Operate)
            .says("Delivers a feed, byte for byte: taken, or held whole.")
            .fails(&[502])
            .limit(DELIVERY),
    ];
    Resource::new("Sources", "Where people come from: what they delivered, and reading them.", operations)
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceView {
    /// Its name.
    pub source: SourceName,
    /// The integration that serves it.
    pub integration: IntegrationName,
    /// `delivered` by somebody, `pushed` by the source, or `read` by the hub.
    pub comes: Comes,
    /// After how many minutes it is read again; absent where it is read when somebody asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_every_minutes: Option<u32>,
    /// When it was read last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Timestamp>,
    /// Why nothing of it is used at this moment, if so: it cannot be read, or what it says is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The last delivery, of a source that is read the one that it said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchView>,
}

impl SourceView {
    /// How it comes, in words.
    pub fn how(&self) -> String {
        let every = |minutes| format!("read every {}", span::show(i64::from(minutes) * 60_000));
        match self.comes {
            Comes::Delivered => "delivered".to_owned(),
            Comes::Pushed => "pushed".to_owned(),
            Comes::Read => self.read_every_minutes.map_or("read when asked for".to_owned(), every),
        }
    }

    /// When something came last.
    pub fn last(&self) -> Option<Timestamp> {
        self.read.or_else(|| self.batch.as_ref().map(|view| view.batch.at))
    }

    /// What became of the last delivery; where what came since cannot be read, that.
    pub fn state(&self) -> SourceState<'_> {
        match self.batch.as_ref().map(|view| &view.batch.fate) {
            Some(fate @ (Fate::Held | Fate::ReleaseAsked { .. })) => SourceState::Came(fate),
            _ if self.problem.is_some() => SourceState::Unreadable,
            Some(fate) => SourceState::Came(fate),
            None => SourceState::Silent,
        }
    }
}

/// How a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState<'v> {
    /// Nothing came yet.
    Silent,
    /// It cannot be read.
    Unreadable,
    /// Something came, and this became of it.
    Came(&'v Fate),
}

impl SourceState<'_> {
    /// In words.
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Silent => "nothing came yet",
            Self::Unreadable => "cannot be read",
            Self::Came(Fate::Accepted) => "accepted",
            Self::Came(Fate::Released { .. }) => "released by two people",
            Self::Came(Fate::Held) => "held",
            Self::Came(Fate::ReleaseAsked { .. }) => "held: one wants it released",
            Self::Came(Fate::Corrected { .. }) => "corrected by a later one",
        }
    }
}

pub async fn list(State(hub): State<Hub>, _: Caller) -> Answer<Vec<SourceView>> {
    let mut tx = hub.read().await?;
    let catalogue = hub.engine.catalogue(&mut *tx).await?;
    let mut views = Vec::new();
    for (name, integration) in &catalogue.integrations {
        let (Role::Source { source, contract }, Some(comes)) = (&integration.role, catalogue.comes(name))
        else {
            continue;
        };
        let read: Option<Stored<Fetched>> = find(&mut *tx, hub.tenant(), source.as_str()).await?;
        let batch = match &read {
            Some(read) => find::<Batch>(&mut *tx, hub.tenant(), &read.value.batch.to_string()).await?,
            None => last_batch(&hub, &mut *tx, source).await?,
        };
        let open = Finding::key_of("feed-held", source.as_str());
        let open = Select::from(Table::Findings).filter(Filter::Is("open_key", open.into()));
        let problem = select::<Finding>(&mut *tx, hub.tenant(), open).await?.pop();
        views.push(SourceView {
            problem: problem.map(|problem| problem.value.message),
            source: source.clone(),
            integration: name.clone(),
            comes,
            read_every_minutes: contract.read_every_minutes,
            read: read.map(|read| read.value.at),
            batch: batch.map(|batch| batch.value.into()),
        });
    }
    views.sort_by(|one, other| one.source.cmp(&other.source));
    Ok(Json(views))
}

/// The last delivery of a source.
async fn last_batch(
    hub: &Hub,
    tx: &mut dyn Tx,
    source: &SourceName,
) -> Result<Option<Stored<Batch>>, StoreError> {
    let theirs = || Select::from(Table::Batches).filter(Filter::Is("source", source.as_str().into()));
    let before = tx.count(hub.tenant(), theirs()).await? - 1;
    let Ok(before) = u32::try_from(before) else { return Ok(None) };
    Ok(select::<Batch>(tx, hub.tenant(), theirs().from_place(before, 1)).await?.pop())
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
    comes(&hub, &source, Comes::Delivered).await?;
    // One at a time: a delivery lies in the folder until it is read.
    let turn = hub.delivering.lock().await;
    let digest = hub.folder.deliver(&source, bytes).await?;
    let imported = hub.engine.import(&source, digest).await.map_err(refused)?;
    drop(turn);
    told(&hub, imported, &wait).await
}

pub async fn read(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(source): Segment<SourceName>,
    Params(wait): Params<Wait>,
) -> Answer<Delivered> {
    caller.may(Right::Operate)?;
    comes(&hub, &source, Comes::Read).await?;
    let imported = when_free(|| hub.engine.read_source(&source)).await.map_err(refused)?;
    told(&hub, imported, &wait).await
}

async fn told(hub: &Hub, imported: Imported, wait: &Wait) -> Answer<Delivered> {
    let Imported { batch, rows, events, unchanged } = imported;
    hub.worker.nudge();
    Ok(Json(Delivered { batch, rows, events, unchanged, queue: wait.for_quiet(hub).await? }))
}

/// Fails unless what the source says comes in this way.
async fn comes(hub: &Hub, source: &SourceName, wanted: Comes) -> Result<(), ApiError> {
    let code = match wanted {
        Comes::Delivered | Comes::Pushed => "source-not-delivered",
        Comes::Read => "source-not-read",
    };
    let detail = match hub.engine.how_it_comes(source).await? {
        how if how == wanted => return Ok(()),
        Comes::Delivered => {
            format!("`{source}` is delivered, and nothing of it is read but what was delivered")
        }
        Comes::Pushed => format!("`{source}` pushes its people, one by one"),
        Comes::Read => format!("the hub reads `{source}` by itself, and nothing is delivered"),
    };
    Err(Problem::new(409, code, detail).into())
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
