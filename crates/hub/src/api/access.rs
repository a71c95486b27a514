//! `/exceptions`: access that no policy gives, and until when; asking for it, and ending it.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use bailiwick_core::{
    exception::Exception,
    id::{EntitlementName, ExceptionId, IdentityId, PlanId},
};
use bailiwick_engine::AccessRequest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page, Who,
    answer::{Answer, ApiError, Body, Params, Segment},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
    page::{Wanted, is},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-exceptions", "/exceptions", list).says("Exceptions, oldest first."),
        post("ask-exception", "/exceptions", Access::Decided, ask)
            .says("Any operator may ask; a second person approves the plan.")
            .fails(&[404]),
        post("end-exception", "/exceptions/{exception}/end", Access::Own(Right::Operate), end)
            .says("Ends an exception: by who operates the hub, or who asked for it."),
    ];
    Resource::new("Exceptions", "Access that no policy gives, and until when.", operations)
}

/// An exception, and who it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExceptionView {
    /// For whom.
    pub who: Who,
    /// The exception and where it stands.
    #[serde(flatten)]
    pub exception: Exception,
}

/// Access that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asking {
    /// For whom: id, `source/key` or e-mail address.
    pub identity: String,
    /// What.
    pub entitlements: BTreeSet<EntitlementName>,
    /// For how long from the approval on, minutes.
    pub minutes: u32,
    /// Why.
    pub reason: String,
}

/// What was asked for, and the plan that waits for a second person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// The exception.
    #[serde(flatten)]
    pub exception: Exception,
    /// The plan.
    pub plan: PlanId,
}

/// Exceptions with whom they are for.
pub async fn views(hub: &Hub, exceptions: Vec<Exception>) -> Result<Vec<ExceptionView>, ApiError> {
    let who = hub.who(&mut *hub.read().await?, exceptions.iter().map(|e| e.terms.identity)).await?;
    let view = |e: Exception| ExceptionView { who: Who::of(&who, e.terms.identity), exception: e };
    Ok(exceptions.into_iter().map(view).collect())
}

/// Which exceptions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Which {
    pub(crate) state: Option<String>,
    /// Only those for this identity: its id.
    pub(crate) identity: Option<IdentityId>,
}

pub async fn list(
    State(hub): State<Hub>,
    _: Caller,
    Params(which): Params<Which>,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<ExceptionView>> {
    let filters = [is("identity", which.identity.map(|id| id.to_string())), is("state", which.state)];
    let filters = filters.into_iter().flatten().collect();
    let Page { items, next } = wanted.read::<Exception>(&hub, &mut *hub.read().await?, filters).await?;
    Ok(Json(Page { items: views(&hub, items).await?, next }))
}

pub async fn ask(
    State(hub): State<Hub>,
    Caller(operator, _): Caller,
    Body(asking): Body<Asking>,
) -> Answer<Asked> {
    let Asking { identity, entitlements, minutes, reason } = asking;
    let request = AccessRequest { identity, entitlements, minutes, reason };
    let (exception, plan) = hub.engine.ask_access(request, &operator).await?;
    hub.worker.nudge();
    Ok(Json(Asked { exception, plan }))
}

pub async fn end(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(exception): Segment<ExceptionId>,
) -> Answer<Exception> {
    let known: Exception = hub.find(&mut *hub.read().await?, "exception", &exception.to_string()).await?;
    if known.terms.requester != Some(caller.0.id) {
        caller.may(Right::Operate)?;
    }
    let ended = hub.engine.end_exception(exception, &caller.0).await?;
    hub.worker.nudge();
    Ok(Json(ended))
}
