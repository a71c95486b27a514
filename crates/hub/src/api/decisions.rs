//! What would be answered to a question, for operators: yes or no, by which policies, and what was known. Nothing is
//! written down: it is an explanation and no decision.

use axum::{Json, extract::State};
use bailiwick_core::{
    digest::Digest,
    id::IdentityId,
    policy::{Attributes, PolicyId},
    time::Timestamp,
};
use bailiwick_engine::{AccessAsked, AskedAbout, Reason};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Hub,
    answer::{Answer, Body},
    caller::Caller,
    operation::{Access, Resource, post},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![post("explain-decision", "/decisions", Access::Token, explain).says(
        "What would be answered to a question at request time, by which policies, and what was known.",
    )];
    Resource::new("Decisions", "Whether somebody may do something now.", operations)
}

/// A question.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionAsked {
    /// Who.
    pub subject: About,
    /// What is to be done.
    pub action: Doing,
    /// To what.
    pub resource: About,
    /// What a caller would say of the request.
    #[serde(default)]
    pub context: Map<String, Value>,
}

/// A subject or a resource.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub id: String,
    /// What a caller would say of it.
    #[serde(default)]
    pub properties: Map<String, Value>,
}

/// An action.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Doing {
    /// Its name.
    pub name: String,
    /// What a caller would say of it.
    #[serde(default)]
    pub properties: Map<String, Value>,
}

/// What would be answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionView {
    /// Whether it is permitted.
    pub decision: bool,
    /// Why, as a code.
    pub because: String,
    /// Why, in words.
    pub message: String,
    /// The policies that permit or forbid it.
    pub policies: Vec<PolicyId>,
    /// The version of the policies.
    pub policy_version: Digest,
    /// Whom it is about, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityId>,
    /// What policies see of the subject.
    pub known: Attributes,
    /// What is known of the resource.
    pub resource: Attributes,
    /// When all that was so.
    pub at: Timestamp,
}

impl From<About> for AskedAbout {
    fn from(About { kind, id, properties }: About) -> Self {
        Self { kind, id, properties }
    }
}

pub async fn explain(
    State(hub): State<Hub>,
    _: Caller,
    Body(asked): Body<DecisionAsked>,
) -> Answer<DecisionView> {
    let question = AccessAsked {
        subject: asked.subject.into(),
        action: (asked.action.name, asked.action.properties),
        resource: asked.resource.into(),
        context: asked.context,
    };
    let explained = hub.engine.explain(&question).await?;
    Ok(Json(DecisionView {
        decision: explained.reason == Reason::Permitted,
        because: explained.reason.name().to_owned(),
        message: explained.reason.words(),
        policies: explained.policies,
        policy_version: explained.version,
        identity: explained.identity,
        known: explained.known,
        resource: explained.resource,
        at: explained.at,
    }))
}
