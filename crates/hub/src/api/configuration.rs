//! `/configuration`: configuration as code, changed only as it was seen.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use bailiwick_core::digest::Digest;
use bailiwick_engine::{ConfigChange, Configuration};
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, ApiError, Body},
    caller::{Caller, Right},
};
use crate::config;

/// A configuration as files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Path below the folder → text.
    pub files: BTreeMap<String, String>,
    /// To write it: the digest of the change that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Digest>,
}

/// `POST /configuration/change`: what would change. Writes nothing.
pub async fn change(
    State(hub): State<Hub>,
    caller: Caller,
    Body(bundle): Body<Bundle>,
) -> Answer<ConfigChange> {
    caller.may(Right::Govern)?;
    Ok(Json(hub.engine.configuration_change(&parsed(&hub, &bundle)?).await?))
}

/// `PUT /configuration`: makes the change that was seen.
pub async fn replace(
    State(hub): State<Hub>,
    caller: Caller,
    Body(bundle): Body<Bundle>,
) -> Answer<ConfigChange> {
    caller.may(Right::Govern)?;
    let seen =
        bundle.seen.ok_or_else(|| super::answer::malformed("`seen` names the change that is to be made"))?;
    let change = hub.engine.configure(&parsed(&hub, &bundle)?, seen, &caller.0).await?;
    hub.worker.nudge();
    Ok(Json(change))
}

fn parsed(hub: &Hub, bundle: &Bundle) -> Result<Configuration, ApiError> {
    Ok(config::parse(&bundle.files, hub.folder.path()).map_err(crate::translate::configuration)?)
}
