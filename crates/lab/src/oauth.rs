//! The grants of integrations: an OAuth token is ended with RFC 7009, and `me` says whose it is.
//!
//! The one behaviour that matters here is `noop-200`: ending a token answers 200, and the token lives on.

use axum::http::StatusCode;
use serde_json::json;

use crate::{Behaviour, exchange::Call, refusal::Refusal, reply::Reply, system::System, world::Change};

/// Where a token is ended, below the vendor API's base.
pub(crate) const REVOKE: &str = "oauth/revoke";

/// Answers a request below `oauth/`.
pub(crate) fn route(system: &mut System, call: &Call) -> Result<Reply, Refusal> {
    match (call.method.as_str(), &call.path[1..]) {
        ("GET", ["me"]) => Ok(Reply::json(StatusCode::OK, json!({"active": true}))),
        ("POST", ["revoke"]) => {
            let token = form(call.body, "token")
                .ok_or_else(|| Refusal::InvalidSyntax("the form must have a `token`".into()))?;
            let name = system.truth.grant(&token).map(|grant| grant.name.clone());
            // A token that is not known is as good as ended (RFC 7009 §2.2).
            if let Some(name) = name.filter(|_| !system.is(Behaviour::Noop200)) {
                system.commit(&call.cause, Change::GrantRevoked { name }, call.now);
            }
            Ok(Reply::empty(StatusCode::OK))
        }
        (_, ["me" | "revoke"]) => Err(call.not_allowed()),
        _ => Err(call.not_found()),
    }
}

/// The value of a field of a form.
fn form(body: &[u8], field: &str) -> Option<String> {
    let uri: axum::http::Uri = format!("/?{}", std::str::from_utf8(body).ok()?).parse().ok()?;
    let axum::extract::Query(pairs) =
        axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok()?;
    pairs.into_iter().find(|(name, _)| name == field).map(|(_, value)| value)
}
