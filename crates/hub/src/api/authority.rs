//! `/integrations/{integration}/authority` and `…/blast`: what one can in effect do, and what could be done with
//! it, a credential of it, or everything of its vendor.

use axum::{Json, extract::State};
use bailiwick_core::{
    authority::{
        Authority, Class,
        blast::{Blast, Subject},
    },
    id::IntegrationName,
    integration::Purpose,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, Segment},
    caller::Caller,
    operation::{Resource, get},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("show-authority", "/integrations/{integration}/authority", show)
            .says("What an integration can in effect do, with every path.")
            .fails(&[409, 422]),
        get("show-blast-of-integration", "/integrations/{integration}/blast", of_integration)
            .says("What could be done with an integration.")
            .fails(&[409, 422]),
        get(
            "show-blast-of-credential",
            "/integrations/{integration}/credentials/{purpose}/blast",
            of_credential,
        )
        .says("What could be done with one credential.")
        .fails(&[409, 422]),
        get("show-blast-of-vendor", "/vendors/{vendor}/blast", of_vendor)
            .says("What could be done with everything of a vendor.")
            .fails(&[409, 422]),
    ];
    Resource::new(
        "Authority",
        "What an integration can in effect do, and what could be done with it.",
        operations,
    )
}

/// What an integration can in effect do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorityView {
    /// The integration.
    pub integration: IntegrationName,
    /// The class that its owner takes it for, if they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Class>,
    /// The class that it is, and every path.
    #[serde(flatten)]
    pub authority: Authority,
    /// The paths in words, the largest effect first.
    pub words: Vec<String>,
}

pub async fn show(
    State(hub): State<Hub>,
    _: Caller,
    Segment(name): Segment<IntegrationName>,
) -> Answer<AuthorityView> {
    let (integration, authority) = hub.engine.authority(&name).await?;
    let words = authority.explain(&name);
    Ok(Json(AuthorityView { integration: name, declared: integration.register.class, authority, words }))
}

pub async fn of_integration(
    State(hub): State<Hub>,
    _: Caller,
    Segment(name): Segment<IntegrationName>,
) -> Answer<Blast> {
    Ok(Json(hub.engine.blast(Subject::Integration(name)).await?))
}

pub async fn of_credential(
    State(hub): State<Hub>,
    _: Caller,
    Segment((name, purpose)): Segment<(IntegrationName, Purpose)>,
) -> Answer<Blast> {
    Ok(Json(hub.engine.blast(Subject::Credential(name, purpose)).await?))
}

pub async fn of_vendor(State(hub): State<Hub>, _: Caller, Segment(vendor): Segment<String>) -> Answer<Blast> {
    Ok(Json(hub.engine.blast(Subject::Vendor(vendor)).await?))
}
