//! The door of the console: a passkey, the provider, or a link of `bailiwick sign-in`, used once.
//!
//! The code of a link comes in the part of the address that browsers keep to themselves (after `#`), and from there into a
//! form: it is in no log, no history of a proxy, no referrer. Who tries is slowed, and that is noticed.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use bailiwick_engine::{Opened, TurnedAway};
use serde::Deserialize;

use super::{
    assets,
    cookies::Jar,
    signed_in::{Nothing, Posted, SignedIn, encoded, fields, from_here, local},
    trouble::Trouble,
    turned_away::turn_away,
};
use crate::api::{Hub, Raw};

/// The page that asks who is there.
#[derive(Template)]
#[template(path = "sign-in.html")]
struct Page<'h> {
    next: String,
    trouble: Option<String>,
    /// The origin that passkeys work at.
    origin: Option<&'h str>,
    /// What the provider is called.
    provider: Option<&'h str>,
}

/// The page, with what went wrong.
///
/// # Errors
/// When it cannot be made.
pub fn door(hub: &Hub, next: &str, trouble: Option<String>) -> Result<Html<String>, Trouble> {
    let page = Page {
        next: local(next).to_owned(),
        trouble,
        origin: hub.entrance.party.as_ref().map(|party| party.origin.as_str()),
        provider: hub.entrance.provider().map(|(provider, _)| provider.name()),
    };
    Ok(Html(page.render()?))
}

/// Where to go then.
#[derive(Default, Deserialize)]
pub struct Asked {
    /// A page of the console.
    #[serde(default)]
    pub next: String,
}

/// `GET /sign-in`
pub async fn show(State(hub): State<Hub>, Query(asked): Query<Asked>) -> Result<Response, Trouble> {
    Ok(door(&hub, &asked.next, None)?.into_response())
}

#[derive(Deserialize)]
struct Code {
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

/// `POST /sign-in`: uses the code up, and opens a session with a secret that nobody knew before.
pub async fn enter(State(hub): State<Hub>, headers: HeaderMap, Raw(bytes): Raw) -> Result<Response, Trouble> {
    from_here(&headers)?;
    let Code { code, next } = fields(&bytes)?;
    let Some(opened) = hub.engine.open_session(code.trim()).await? else {
        let turned = TurnedAway { by: "link", code: "sign-in-refused", operator: None };
        if let Some(waits) = turn_away(&hub, turned).await? {
            return Ok(waits);
        }
        let trouble = "That code opens nothing: it was used, is older than five minutes, or never was one.";
        return Ok((StatusCode::UNAUTHORIZED, door(&hub, &next, Some(trouble.into()))?).into_response());
    };
    let mut response = Redirect::to(local(&next)).into_response();
    let_in(&hub, &headers, &opened, &mut response);
    Ok(response)
}

/// Gives the browser the secret of its session.
pub fn let_in(hub: &Hub, headers: &HeaderMap, opened: &Opened, response: &mut Response) {
    let seconds = opened.session.until.duration_since(hub.engine.now()).as_secs();
    if let Some(cookie) = Jar::Session.set(hub, headers, &opened.secret, seconds) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// `POST /sign-out`: ends the session.
pub async fn leave(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    headers: HeaderMap,
    _: Posted<Nothing>,
) -> Result<Response, Trouble> {
    hub.engine.end_session(signed_in.session.id, &signed_in.caller.0).await?;
    let mut response = Redirect::to("/sign-in").into_response();
    if let Some(cookie) = Jar::Session.set(&hub, &headers, "", 0) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
