//! `/passkeys`: what operators sign in with at the console. They are enrolled there, because only a browser can.

use axum::{Json, extract::State};
use bailiwick_core::{
    id::{OperatorId, PasskeyId},
    passkey::{Algorithm, Using},
    time::Timestamp,
};
use bailiwick_engine::Given;
use bailiwick_store::{Filter, entities::Passkey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, ApiError, Body, Done, Segment},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
};
use crate::problem::Problem;

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-passkeys", "/passkeys", list)
            .says("One's own passkeys; those of everybody for who governs."),
        post("remove-passkey", "/passkeys/{passkey}/removal", Access::Token, remove)
            .says("Removes a passkey; of others for who governs. One's own takes a code of the moment, where one has a factor."),
    ];
    Resource::new(
        "Passkeys",
        "What operators sign in with at the console, where they are enrolled.",
        operations,
    )
}

/// A passkey, without its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PasskeyView {
    /// Its id.
    pub passkey: PasskeyId,
    /// Whose.
    pub operator: OperatorId,
    /// What they call it.
    pub name: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Whether it may be copied to other devices of its owner.
    pub shared: bool,
    /// When it was enrolled.
    pub made: Timestamp,
    /// When it was used last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
}

impl From<Passkey> for PasskeyView {
    fn from(passkey: Passkey) -> Self {
        let Passkey { id, operator, name, algorithm, shared, made, used, .. } = passkey;
        Self { passkey: id, operator, name, algorithm, shared, made, used }
    }
}

/// What proves who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proving {
    /// A code of the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// What of both was given. Only a hub that browsers know by its address can tell what a passkey says.
pub fn given<'a>(
    hub: &'a Hub,
    code: Option<&'a str>,
    passkey: Option<&'a Using>,
) -> Result<Given<'a>, ApiError> {
    let Some(using) = passkey else { return Ok(code.into()) };
    Ok(Given::Passkey(using, party(hub)?))
}

/// The hub as browsers know it.
///
/// # Errors
/// `no-url`.
pub fn party(hub: &Hub) -> Result<&bailiwick_core::passkey::Party, ApiError> {
    hub.entrance.party.as_ref().ok_or_else(|| {
        let detail =
            "the hub does not know under which address browsers reach it, so there are no passkeys here";
        Problem::new(409, "no-url", detail).into()
    })
}

pub async fn list(State(hub): State<Hub>, caller: Caller) -> Answer<Vec<PasskeyView>> {
    let own = Filter::Is("operator", caller.0.id.to_string().into());
    let filters = if caller.may(Right::Govern).is_ok() { vec![] } else { vec![own] };
    let passkeys: Vec<Passkey> = hub.all(&mut *hub.read().await?, filters).await?;
    Ok(Json(passkeys.into_iter().map(PasskeyView::from).collect()))
}

pub async fn remove(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(passkey): Segment<PasskeyId>,
    Body(proving): Body<Proving>,
) -> Result<Done, ApiError> {
    owned(&hub, &caller, passkey).await?;
    hub.engine.remove_passkey(passkey, &caller.0, None, proving.code.as_deref().into()).await?;
    Ok(Done)
}

/// Fails unless it is the caller's, or they govern. Whose passkeys there are is nobody else's to know.
pub async fn owned(hub: &Hub, caller: &Caller, passkey: PasskeyId) -> Result<(), ApiError> {
    let found: Passkey = hub.find(&mut *hub.read().await?, "passkey", &passkey.to_string()).await?;
    match found.operator == caller.0.id || caller.may(Right::Govern).is_ok() {
        true => Ok(()),
        false => Err(Problem::new(404, "not-found", format!("there is no passkey `{passkey}`")).into()),
    }
}
