//! How questions are answered, and how a caller is refused.

use std::time::Duration;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use bailiwick_core::{digest::Digest, id::DecisionId, policy::PolicyId};
use bailiwick_engine::{AskRefusal, DoorRefusal, EngineError, Reason, Verdict, WrittenDown};
use serde::Serialize;

use crate::{api::ApiError, problem::Problem};

/// How long a denial waits until it is written down. After that it is told, and says so: it is a denial all the same.
const PATIENCE: Duration = Duration::from_secs(2);

/// A refusal, with the time to wait where it is one of pace (RFC 6585 §4).
pub struct Refused(ApiError, Option<u64>);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem.into(), None)
    }
}

impl From<EngineError> for Refused {
    fn from(error: EngineError) -> Self {
        let after = match &error {
            EngineError::Door(DoorRefusal::Busy { after, .. }) => Some(*after),
            EngineError::Ask(AskRefusal::Full) => Some(1),
            _ => None,
        };
        // What cannot be found out is no fault of the request.
        let undecidable = matches!(error, EngineError::Undecidable(_));
        let mut problem = Problem::from(error);
        if undecidable {
            problem.status = 500;
        }
        Self(problem.into(), after)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        if let Some(after) = self.1 {
            response.headers_mut().insert(header::RETRY_AFTER, after.into());
        }
        response
    }
}

/// An answer.
#[derive(Serialize)]
pub struct Decision {
    /// Whether it is permitted.
    pub decision: bool,
    context: Context,
}

#[derive(Default, Serialize)]
struct Context {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<DecisionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_version: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Why>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Fault>,
    /// Said where it is not written down yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'static str>,
}

#[derive(Serialize)]
struct Why {
    code: &'static str,
    message: String,
    policies: Vec<PolicyId>,
}

#[derive(Serialize)]
struct Fault {
    status: u16,
    message: String,
}

impl Decision {
    /// As it is told; the reason only to those who may know it, but that there is none to everybody.
    pub fn of(verdict: Verdict) -> Self {
        let decision = verdict.permits();
        let Verdict { id, reason, policies, version, input, tells } = verdict;
        let undecidable = matches!(reason, Reason::Undecidable(_));
        let error = undecidable.then(|| Fault { status: 500, message: reason.words() });
        let reason = tells.then(|| Why { code: reason.name(), message: reason.words(), policies });
        let (id, policy_version, input_digest) = (Some(id), Some(version), Some(input));
        let context = Context { id, policy_version, input_digest, reason, error, evidence: None };
        Self { decision, context }
    }

    /// That a question of several could not be put.
    pub fn failed(status: u16, message: String) -> Self {
        let error = Some(Fault { status, message });
        Self { decision: false, context: Context { error, ..Context::default() } }
    }

    /// Waits until a denial is written down.
    pub async fn settled(mut self, written: WrittenDown) -> Self {
        if !self.decision {
            self.context.evidence = match tokio::time::timeout(PATIENCE, written.wait()).await {
                Ok(true) => None,
                Ok(false) => Some("failed"),
                Err(_) => Some("pending"),
            };
        }
        self
    }
}
