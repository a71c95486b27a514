//! `/tokens`: what operators made for their programs.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use bailiwick_core::{
    id::{OperatorId, TokenId},
    right::Right,
    time::Timestamp,
};
use bailiwick_engine::MadeToken;
use bailiwick_store::{Filter, entities::ApiToken};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, ApiError, Body, Created, Done, Segment, ShownOnce},
    caller::Caller,
    operation::{Access, Resource, delete, get, post},
};
use crate::problem::Problem;

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-tokens", "/tokens", list).says("The tokens of one's own programs; those of everybody for who governs."),
        post("make-token", "/tokens", Access::Token, make)
            .says("Makes a token for a program of the caller, with at most what they may do; it is shown this once."),
        delete("revoke-token", "/tokens/{token}", Access::Token, revoke)
            .says("Revokes a token; of others for who governs."),
    ];
    Resource::new(
        "Tokens",
        "What operators made for their programs. Such a token approves nothing.",
        operations,
    )
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenView {
    /// Its id.
    pub token: TokenId,
    /// Whose.
    pub operator: OperatorId,
    /// What they call it.
    pub name: String,
    /// What it may do besides reading.
    pub rights: BTreeSet<Right>,
    /// When it was made.
    pub made: Timestamp,
    /// Until when it works.
    pub expires: Timestamp,
    /// When it was used last, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
}

impl From<ApiToken> for TokenView {
    fn from(token: ApiToken) -> Self {
        let ApiToken { id, operator, name, secret: _, rights, made, expires, used, seal: _ } = token;
        Self { token: id, operator, name, rights, made, expires, used }
    }
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What to call it.
    pub name: String,
    /// What it may do besides reading.
    #[serde(default)]
    pub rights: BTreeSet<Right>,
    /// How long it works, days.
    pub days: u16,
}

/// A token that was made.
// No `Debug`: it holds the secret, this once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct TokenMade {
    /// The token.
    #[serde(flatten)]
    pub token: TokenView,
    /// What the program sends along; it is not kept and not shown again.
    pub secret: String,
}

pub async fn make(
    State(hub): State<Hub>,
    caller: Caller,
    Body(new): Body<NewToken>,
) -> Result<Created<ShownOnce<TokenMade>>, ApiError> {
    let NewToken { name, rights, days } = new;
    let MadeToken { token, secret } = hub.engine.make_token(&name, rights, days, &caller.0).await?;
    Ok(Created(ShownOnce(TokenMade { token: token.into(), secret })))
}

pub async fn list(State(hub): State<Hub>, caller: Caller) -> Answer<Vec<TokenView>> {
    let own = Filter::Is("operator", caller.0.id.to_string().into());
    let filters = if caller.may(Right::Govern).is_ok() { vec![] } else { vec![own] };
    let tokens: Vec<ApiToken> = hub.all(&mut *hub.read().await?, filters).await?;
    Ok(Json(tokens.into_iter().map(TokenView::from).collect()))
}

pub async fn revoke(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(token): Segment<TokenId>,
) -> Result<Done, ApiError> {
    let found: ApiToken = hub.find(&mut *hub.read().await?, "token", &token.to_string()).await?;
    if found.operator != caller.0.id && caller.may(Right::Govern).is_err() {
        // Whose tokens there are is nobody else's to know.
        return Err(Problem::new(404, "not-found", format!("there is no token `{token}`")).into());
    }
    hub.engine.revoke_token(token, &caller.0).await?;
    Ok(Done)
}
