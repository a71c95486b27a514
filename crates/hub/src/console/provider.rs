//! Signing in by the provider of identities (OpenID Connect, authorization code with PKCE).
//!
//! Everything that goes with an attempt follows from a secret in a cookie of the browser that began it: an answer that comes
//! back in another browser, or twice, or after ten minutes, opens nothing.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use bailiwick_core::{
    digest::{self, canonical},
    openid::Attempt,
    passkey::{bytes, text},
    time::{SignedDuration, Timestamp},
};
use bailiwick_engine::{Told, TurnedAway, Vouched};
use serde::Deserialize;

use super::{
    assets,
    cookies::Jar,
    sign_in::{Asked, door, let_in},
    signed_in::local,
    trouble::Trouble,
    turned_away::turn_away,
};
use crate::{
    api::{ApiError, Hub},
    entrance::{Provider, word},
    help::coded,
    problem::Problem,
};

/// How long an attempt may take.
const LASTS: SignedDuration = SignedDuration::from_mins(10);

/// A provider, and where it sends people back to.
fn provider(hub: &Hub) -> Result<(&Provider, String), ApiError> {
    let missing = || Problem::new(404, "no-provider", "no provider is configured to sign in by").into();
    hub.entrance.provider().ok_or_else(missing)
}

/// `GET /sign-in/provider?next=`: sends the browser to the provider.
pub async fn begin(
    State(hub): State<Hub>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let (provider, back) = provider(&hub)?;
    let (now, secret) = (hub.engine.now(), hub.engine.fresh_secret());
    let to = provider.begin(&Attempt::of(&secret), &back, now).await?;
    let mut response = Redirect::to(&to).into_response();
    let kept = sealed(&hub, &secret, now, local(&asked.next));
    if let Some(cookie) = Jar::Attempt.set(&hub, &headers, &kept, LASTS.as_secs()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// What the browser keeps: the secret, since when, where to go then, and the hub's seal over them.
fn sealed(hub: &Hub, secret: &str, at: Timestamp, next: &str) -> String {
    let (at, next) = (at.as_millisecond(), text(next.as_bytes()));
    let seal = hub.engine.parts().broker.attest(&canonical(&("attempt-v1", secret, at, &next)));
    format!("{secret}.{at}.{next}.{seal}")
}

/// Takes it apart again: the secret, until when it counts, and where to go.
fn opened(hub: &Hub, kept: &str, now: Timestamp) -> Option<(String, Timestamp, String)> {
    let [secret, at, next, _] = kept.split('.').collect::<Vec<_>>().try_into().ok()?;
    let begun = Timestamp::from_millisecond(at.parse().ok()?).ok()?;
    let next = String::from_utf8(bytes(next).ok()?).ok()?;
    let until = begun.saturating_add(LASTS).ok()?;
    let ours = digest::same(sealed(hub, secret, begun, &next).as_bytes(), kept.as_bytes());
    (ours && until > now).then(|| (secret.to_owned(), until, next))
}

/// What the browser comes back with (RFC 6749 §4.1.2, RFC 9207 §2).
#[derive(Deserialize)]
pub struct Back {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    error: Option<String>,
}

/// The page from which the browser goes on: one of this site, so that the cookie of the session goes along.
#[derive(Template)]
#[template(path = "arrived.html")]
struct Arrived {
    next: String,
}

/// `GET /sign-in/callback`
pub async fn arrive(
    State(hub): State<Hub>,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Result<Response, Trouble> {
    let mut response = match arrived(&hub, &headers, &back).await {
        Ok((opened, next)) => {
            let mut response = Html(Arrived { next: local(&next).to_owned() }.render()?).into_response();
            let_in(&hub, &headers, &opened, &mut response);
            response
        }
        Err(problem) if problem.status >= 500 => return Err(problem.into()),
        Err(problem) => {
            let turned = TurnedAway { by: "provider", code: coded(&problem.code), operator: None };
            if let Some(waits) = turn_away(&hub, turned).await? {
                return Ok(waits);
            }
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNAUTHORIZED);
            (status, door(&hub, "/", Some(format!("{} ({})", problem.detail, problem.code)))?).into_response()
        }
    };
    // An attempt is one: what comes of it or not, it is over in this browser.
    if let Some(cookie) = Jar::Attempt.set(&hub, &headers, "", 0) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn arrived(
    hub: &Hub,
    headers: &HeaderMap,
    back: &Back,
) -> Result<(bailiwick_engine::Opened, String), Problem> {
    let (provider, address) = provider(hub).map_err(ApiError::into_problem)?;
    let now = hub.engine.now();
    let foreign = || {
        let detail =
            "this is not the end of a sign-in that was begun in this browser within the last ten minutes";
        Problem::new(401, "provider-state", detail)
    };
    let kept = Jar::Attempt.read(hub, headers).ok_or_else(foreign)?;
    let (secret, until, next) = opened(hub, &kept, now).ok_or_else(foreign)?;
    let attempt = Attempt::of(&secret);
    if !digest::same(attempt.state.as_bytes(), back.state.as_bytes()) {
        return Err(foreign());
    }
    if let Some(error) = &back.error {
        let detail = format!("the provider signed nobody in: `{}`", word(error));
        return Err(Problem::new(401, "provider-refused", detail));
    }
    if back.code.is_empty() {
        return Err(foreign());
    }
    let meant = provider.finish(&attempt, &back.code, back.iss.as_deref(), &address, now).await?;
    let vouched = Vouched { issuer: &meant.issuer, subject: &meant.subject, flow: attempt.flow, until };
    match hub.engine.open_session_by_provider(vouched).await? {
        Told::Opened(opened) => Ok((*opened, next)),
        Told::Used => Err(foreign()),
        Told::Unknown => {
            let detail = format!(
                "the provider knows you as `{}`, and nobody here is bound to that; an administrator does it with \
                 `bailiwick operator add NAME --subject {} {}`",
                meant.subject, meant.issuer, meant.subject
            );
            Err(Problem::new(403, "provider-unknown", detail))
        }
    }
}
