//! `/integrations/{integration}/kill`, its drill, and `/vendors/{vendor}/sweep`: ending integrations, and proof
//! that they have ended.

use axum::{Json, extract::State};
use bailiwick_core::{id::IntegrationName, review::LastDrill};
use bailiwick_engine::{Killed, Sweep};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Hub,
    answer::{Answer, Params, Raw, Segment, malformed},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
    wait::Wait,
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("show-kill", "/integrations/{integration}/kill", show)
            .says("How it is with one that has ended.")
            .fails(&[409]),
        post("kill-integration", "/integrations/{integration}/kill", Access::Right(Right::Govern), kill)
            .says("Ends an integration at once: the case that proves it, or the plan that waits.")
            .fails(&[502]),
        post("drill-kill", "/integrations/{integration}/drill", Access::Right(Right::Govern), drill)
            .says("Shows that killing it would work; the body may be the secret of a spare credential, which is ended.")
            .fails(&[502]),
        get("show-sweep", "/vendors/{vendor}/sweep", swept)
            .says("How far a sweep over a vendor is.")
            .fails(&[409]),
        post("sweep-vendor", "/vendors/{vendor}/sweep", Access::Right(Right::Govern), sweep)
            .says("Opens a sweep over everything of a vendor, or goes on with it.")
            .fails(&[502]),
    ];
    Resource::new("Ending integrations", "Ending integrations, and proof that they have ended.", operations)
}

/// What a sweep is to do.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct How {
    #[serde(default)]
    kill: bool,
}

pub async fn show(
    State(hub): State<Hub>,
    _: Caller,
    Segment(name): Segment<IntegrationName>,
) -> Answer<Killed> {
    Ok(Json(hub.engine.killed(&name).await?))
}

pub async fn kill(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<IntegrationName>,
    Params(wait): Params<Wait>,
) -> Answer<Killed> {
    caller.may(Right::Govern)?;
    let killed = hub.engine.kill(&name, &caller.0).await?;
    wait.for_quiet(&hub).await?;
    match killed.case {
        Some(_) => Ok(Json(hub.engine.killed(&name).await?)),
        None => Ok(Json(killed)),
    }
}

pub async fn drill(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<IntegrationName>,
    Raw(bytes): Raw,
) -> Answer<LastDrill> {
    caller.may(Right::Govern)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed("the credential is not text"))?.trim();
    if text.chars().any(char::is_control) {
        return Err(malformed("the credential has control characters in it"));
    }
    let spare = (!text.is_empty()).then(|| crate::open::secret(text));
    Ok(Json(hub.engine.drill_kill(&name, spare, caller.actor()).await?))
}

pub async fn swept(State(hub): State<Hub>, _: Caller, Segment(vendor): Segment<String>) -> Answer<Sweep> {
    Ok(Json(hub.engine.swept(&vendor).await?))
}

pub async fn sweep(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(vendor): Segment<String>,
    Params(how): Params<How>,
    Params(wait): Params<Wait>,
) -> Answer<Sweep> {
    caller.may(Right::Govern)?;
    hub.engine.sweep(&vendor, how.kill, &caller.0).await?;
    wait.for_quiet(&hub).await?;
    Ok(Json(hub.engine.swept(&vendor).await?))
}
