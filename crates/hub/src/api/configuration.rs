//! `/configuration`: configuration as code, changed only as it was seen.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use bailiwick_core::{
    automation::Automation,
    digest::Digest,
    exception::GlassCase,
    integration::Integration,
    person::Ties,
    policy::PolicyFile,
    resource::{ResourceType, SubjectType},
    system::{Entitlement, System},
};
use bailiwick_engine::{ConfigChange, Configuration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CONFIGURATION, Hub,
    answer::{Answer, ApiError, Body},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post, put},
};
use crate::config;

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("show-configuration", "/configuration", show).says("What is declared and in force."),
        post("preview-configuration", "/configuration/change", Access::Right(Right::Govern), change)
            .for_programs(Right::Govern)
            .says("What another configuration would change. Writes nothing.")
            .fails(&[404, 502])
            .limit(CONFIGURATION),
        put("replace-configuration", "/configuration", Access::Right(Right::Govern), replace)
            .for_programs(Right::Govern)
            .says("Makes the change that was seen, as far as it waits for nobody.")
            .fails(&[404, 502])
            .of("/configuration")
            .limit(CONFIGURATION),
    ];
    Resource::new("Configuration", "Configuration as code, changed only as it was seen.", operations)
}

/// A configuration as files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Path below the folder → text.
    pub files: BTreeMap<String, String>,
    /// What no file declares stays as it is in force, instead of being taken away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
    /// To write it: the digest of the change that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Digest>,
}

/// What is declared and in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigurationView {
    /// The systems.
    pub systems: Vec<System>,
    /// The entitlements.
    pub entitlements: Vec<Entitlement>,
    /// The integrations, without the hub itself.
    pub integrations: Vec<Integration>,
    /// What systems do by themselves.
    pub automations: Vec<Automation>,
    /// The policies.
    pub policies: Vec<PolicyFile>,
    /// Who is the same person as whom, and who acts for whom.
    pub ties: Vec<Ties>,
    /// The cases in which the glass may be broken.
    pub glass_cases: Vec<GlassCase>,
    /// The kinds of subjects that may be asked about at request time.
    pub subjects: Vec<SubjectType>,
    /// The kinds of resources that may be asked about at request time.
    pub resources: Vec<ResourceType>,
}

pub async fn show(State(hub): State<Hub>, _: Caller) -> Answer<ConfigurationView> {
    let Configuration {
        systems,
        entitlements,
        integrations,
        automations,
        policies,
        ties,
        glass_cases,
        subjects,
        resources,
    } = hub.engine.configuration().await?;
    Ok(Json(ConfigurationView {
        systems,
        entitlements,
        integrations,
        automations,
        policies,
        ties,
        glass_cases,
        subjects,
        resources,
    }))
}

pub async fn change(
    State(hub): State<Hub>,
    caller: Caller,
    Body(bundle): Body<Bundle>,
) -> Answer<ConfigChange> {
    caller.may(Right::Govern)?;
    Ok(Json(hub.engine.configuration_change(&parsed(&hub, &bundle).await?).await?))
}

pub async fn replace(
    State(hub): State<Hub>,
    caller: Caller,
    Body(bundle): Body<Bundle>,
) -> Answer<ConfigChange> {
    caller.may(Right::Govern)?;
    let seen =
        bundle.seen.ok_or_else(|| super::answer::malformed("`seen` names the change that is to be made"))?;
    let change = hub.engine.configure(&parsed(&hub, &bundle).await?, seen, &caller.0).await?;
    hub.worker.nudge();
    Ok(Json(change))
}

/// The configuration that the files mean.
///
/// # Errors
/// Everything that is wrong with them, by place.
pub async fn parsed(hub: &Hub, bundle: &Bundle) -> Result<Configuration, ApiError> {
    let base = match bundle.keep {
        true => hub.engine.configuration().await?,
        false => Configuration::default(),
    };
    let read = config::parse_onto(&bundle.files, &base);
    Ok(read.map_err(crate::translate::configuration)?)
}
