//! The door of the console: a link of `bailiwick sign-in`, used once.
//!
//! The code comes in the part of the address that browsers keep to themselves (after `#`), and from there into a form: it
//! is in no log, no history of a proxy, no referrer. Who tries codes is slowed, and that is noticed.

use std::sync::Mutex;

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use bailiwick_core::time::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{
    assets,
    signed_in::{Nothing, Posted, SignedIn, fields, from_here, local, set_cookie},
    trouble::Trouble,
};
use crate::{
    api::{Hub, Raw},
    problem::Problem,
};

/// How many may be turned away in a minute with a record each; after that they only wait.
const PER_MINUTE: usize = 10;
/// How many within ten minutes are worth a finding.
const MANY: usize = 20;
/// How long they are remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(10);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// When somebody was turned away here, as far as it matters.
#[derive(Default)]
pub struct TurnedAway(Mutex<Vec<Timestamp>>);

impl TurnedAway {
    fn since(&self, from: Timestamp) -> usize {
        let times = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        times.iter().filter(|at| **at > from).count()
    }

    /// Whether there is room to look at one more.
    fn admits(&self, now: Timestamp) -> bool {
        self.since(now.saturating_sub(MINUTE).unwrap_or(now)) < PER_MINUTE
    }

    /// Remembers one; whether they are many by now.
    fn note(&self, now: Timestamp) -> bool {
        let kept = now.saturating_sub(REMEMBERED).unwrap_or(now);
        let mut times = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        times.retain(|at| *at > kept);
        times.push(now);
        times.len() >= MANY
    }
}

#[derive(Template)]
#[template(path = "sign-in.html")]
struct Page {
    next: String,
    trouble: Option<String>,
}

/// Where to go then.
#[derive(Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    next: String,
}

/// `GET /sign-in`
pub async fn show(Query(asked): Query<Asked>) -> Result<Response, Trouble> {
    let page = Page { next: local(&asked.next).to_owned(), trouble: None };
    Ok(Html(page.render()?).into_response())
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
    let now = hub.engine.now();
    let Some(opened) = hub.engine.open_session(code.trim()).await? else {
        // Only those who are turned away are slowed: nobody shuts others out by trying codes.
        if !hub.turned_away.admits(now) {
            let problem = Problem::new(429, "sign-in-slowed", "too many were turned away within a minute");
            return Ok(([(header::RETRY_AFTER, "60")], Trouble::from(problem)).into_response());
        }
        let many = hub.turned_away.note(now);
        hub.engine.refused_session(many).await?;
        let trouble = "That code opens nothing: it was used, is older than five minutes, or never was one.";
        let page = Page { next: local(&next).to_owned(), trouble: Some(trouble.into()) };
        return Ok((axum::http::StatusCode::UNAUTHORIZED, Html(page.render()?)).into_response());
    };
    let seconds = opened.session.until.duration_since(now).as_secs();
    let mut response = Redirect::to(local(&next)).into_response();
    if let Some(cookie) = set_cookie(&headers, &opened.secret, seconds) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
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
    if let Some(cookie) = set_cookie(&headers, "", 0) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_turned_away_often_is_slowed_and_noticed() {
        let at = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).unwrap();
        let turned_away = TurnedAway::default();
        let many: Vec<bool> = (0..10).map(|n| turned_away.note(at(n))).collect();
        assert!(many.iter().all(|many| !many));
        assert!(!turned_away.admits(at(30)), "ten within a minute");
        assert!(turned_away.admits(at(61)), "one of them is a minute ago");
        assert!((0..10).any(|n| turned_away.note(at(100 + n))), "twenty within ten minutes");
        assert!(!turned_away.note(at(800)), "they are forgotten");
    }
}
