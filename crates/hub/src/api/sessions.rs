//! `/sessions`: who is, or may be, at the console.

use axum::{Json, extract::State};
use bailiwick_core::{
    id::{OperatorId, SessionId},
    time::Timestamp,
};
use bailiwick_engine::Opened;
use bailiwick_store::{
    Filter,
    entities::{Session, Way},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, ApiError, Created, Done, Segment, ShownOnce},
    caller::{Caller, Right},
    operation::{Access, Resource, delete, get, post},
};
use crate::problem::Problem;

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-sessions", "/sessions", list)
            .says("One's own sessions; those of everybody for who governs."),
        post("offer-session", "/sessions", Access::Token, offer)
            .says("Offers the caller a session at the console; the code works once."),
        delete("end-session", "/sessions/{session}", Access::Token, end)
            .says("Ends a session; of others for who governs."),
    ];
    Resource::new("Sessions", "Who is, or may be, at the console.", operations)
}

/// A session that was offered.
// No `Debug`: it holds the code, this once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Offered {
    /// The session.
    pub session: SessionId,
    /// What opens it at `/sign-in`, once.
    pub code: String,
    /// Until when.
    pub until: Timestamp,
    /// The address of the hub, if it knows it: the link leads there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A session, without what opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionView {
    /// Its id.
    pub session: SessionId,
    /// Whose.
    pub operator: OperatorId,
    /// When it was offered.
    pub offered: Timestamp,
    /// When it was opened; absent while the link was not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Timestamp>,
    /// Until when it lasts.
    pub until: Timestamp,
    /// How it was opened.
    pub way: Way,
    /// When it was used last, to a few minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
}

pub async fn offer(
    State(hub): State<Hub>,
    Caller(operator, _): Caller,
) -> Result<Created<ShownOnce<Offered>>, ApiError> {
    let Opened { session, secret } = hub.engine.offer_session(&operator).await?;
    let url = hub.entrance.url.clone();
    Ok(Created(ShownOnce(Offered { session: session.id, code: secret, until: session.until, url })))
}

pub async fn list(State(hub): State<Hub>, caller: Caller) -> Answer<Vec<SessionView>> {
    let own = Filter::Is("operator", caller.0.id.to_string().into());
    let filters = if caller.may(Right::Govern).is_ok() { vec![] } else { vec![own] };
    let sessions: Vec<Session> = hub.all(&mut *hub.read().await?, filters).await?;
    let now = hub.engine.now();
    let view = |session: Session| {
        let Session { id, operator, secret: _, offered, opened, until, way, used, seal: _ } = session;
        SessionView { session: id, operator, offered, opened, until, way, used }
    };
    let idle = hub.entrance.idle;
    let open = |session: &Session| {
        session.until > now && session.used.is_none_or(|used| now.duration_since(used) < idle)
    };
    Ok(Json(sessions.into_iter().filter(open).map(view).collect()))
}

pub async fn end(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(session): Segment<SessionId>,
) -> Result<Done, ApiError> {
    let found: Session = hub.find(&mut *hub.read().await?, "session", &session.to_string()).await?;
    if found.operator != caller.0.id && caller.may(Right::Govern).is_err() {
        // Whose sessions there are is nobody else's to know.
        let detail = format!("there is no session `{session}`");
        return Err(Problem::new(404, "not-found", detail).into());
    }
    hub.engine.end_session(session, &caller.0).await?;
    Ok(Done)
}
