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
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, Segment},
    caller::Caller,
};

/// What an integration can in effect do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// `GET /integrations/{integration}/authority`
pub async fn show(
    State(hub): State<Hub>,
    _: Caller,
    Segment(name): Segment<IntegrationName>,
) -> Answer<AuthorityView> {
    let (integration, authority) = hub.engine.authority(&name).await?;
    let words = authority.explain(&name);
    Ok(Json(AuthorityView { integration: name, declared: integration.register.class, authority, words }))
}

/// `GET /integrations/{integration}/blast`
pub async fn of_integration(
    State(hub): State<Hub>,
    _: Caller,
    Segment(name): Segment<IntegrationName>,
) -> Answer<Blast> {
    Ok(Json(hub.engine.blast(Subject::Integration(name)).await?))
}

/// `GET /integrations/{integration}/credentials/{purpose}/blast`
pub async fn of_credential(
    State(hub): State<Hub>,
    _: Caller,
    Segment((name, purpose)): Segment<(IntegrationName, Purpose)>,
) -> Answer<Blast> {
    Ok(Json(hub.engine.blast(Subject::Credential(name, purpose)).await?))
}

/// `GET /vendors/{vendor}/blast`
pub async fn of_vendor(State(hub): State<Hub>, _: Caller, Segment(vendor): Segment<String>) -> Answer<Blast> {
    Ok(Json(hub.engine.blast(Subject::Vendor(vendor)).await?))
}
