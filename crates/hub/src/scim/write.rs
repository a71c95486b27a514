//! What a caller does to one resource: the same for a request of its own and for an operation of a bulk request.

use serde_json::{Map, Value};

use super::{
    call::Call,
    etag::{Condition, tag},
    fault::{Fault, Result},
    group, rows,
    schema::Resource,
    user,
};
use crate::api::Hub;

/// How often what was changed meanwhile is read again, where the caller did not say which version it means.
const AGAIN: usize = 8;

/// What is done.
#[derive(Debug, Clone)]
pub enum Action {
    Create(Map<String, Value>),
    Replace(Map<String, Value>),
    Patch(Map<String, Value>),
    Delete,
}

/// A resource after it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// It is new.
    pub created: bool,
    pub id: String,
    pub location: String,
    /// The tag of its version; none where it is gone.
    pub version: Option<String>,
    /// Itself, without what is kept apart.
    pub resource: Map<String, Value>,
}

impl Done {
    /// What was written.
    pub fn written<T: rows::Kept>(stored: &bailiwick_store::Stored<T>, created: bool, base: &str) -> Self {
        let id = stored.value.id();
        Self {
            created,
            location: rows::location(T::RESOURCE, base, &id),
            version: Some(tag(stored.revision)),
            resource: rows::rendered(stored, base),
            id,
        }
    }

    /// What is gone.
    pub fn gone(resource: Resource, id: &str, base: &str) -> Self {
        let location = rows::location(resource, base, id);
        Self { created: false, id: id.to_owned(), location, version: None, resource: Map::new() }
    }
}

/// Does it. What somebody else changed between reading and writing is read again, unless the caller named a version.
pub async fn run(
    hub: &Hub,
    call: &Call,
    (resource, id): (Resource, Option<&str>),
    action: &Action,
    condition: &Condition,
) -> Result<Done> {
    let mut tries = 0;
    loop {
        let done = match resource {
            Resource::User => user::write(hub, call, id, action, condition).await,
            Resource::Group => group::write(hub, call, id, action, condition).await,
        };
        tries += 1;
        match done {
            Err(fault) if fault.is_stale() && tries < AGAIN && !condition.is_said() => {}
            Err(fault) if fault.is_stale() && condition.is_said() => return Err(overtaken(fault)),
            done => {
                // A refusal has its evidence too, and what follows from it.
                hub.worker.nudge();
                return done;
            }
        }
    }
}

/// The version that the caller named was the right one a moment ago.
fn overtaken(fault: Fault) -> Fault {
    Fault { detail: fault.detail, ..Fault::new(super::fault::Wrong::Version, "") }
}
