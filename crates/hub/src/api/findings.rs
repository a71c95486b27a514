//! `/findings`: what is wrong, and who must act until when.

use axum::{Json, extract::State};
use bailiwick_core::finding::Finding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page, Who,
    answer::{Answer, Params},
    caller::Caller,
    operation::{Resource, get},
    page::{Wanted, is},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![get("list-findings", "/findings", list).says("Findings, oldest first.")];
    Resource::new("Findings", "What is wrong, and who must act until when.", operations)
}

/// A finding, and about whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingView {
    /// About whom, if it is about somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
}

/// Which findings.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Which {
    pub(crate) state: Option<String>,
}

pub async fn list(
    State(hub): State<Hub>,
    _: Caller,
    Params(which): Params<Which>,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<FindingView>> {
    let mut tx = hub.read().await?;
    let page: Page<Finding> =
        wanted.read(&hub, &mut *tx, is("state", which.state).into_iter().collect()).await?;
    let who = hub.who(&mut *tx, page.items.iter().filter_map(|finding| finding.identity)).await?;
    Ok(Json(page.map(|finding| FindingView { who: finding.identity.map(|id| Who::of(&who, id)), finding })))
}
