//! The vendor API: what SCIM has no words for. Licences, API tokens, sessions, effective membership; things of every
//! other class are in `held`, the audit log in `audit`.
//!
//! JSON with the integration's bearer tokens, errors as `{"error": code, "message": text}`. `whoami` is the exception:
//! it is called with a *user's* credential and says whether that works, which is how a probe tries one.

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Behaviour, TokenStatus, audit,
    clock::rfc3339,
    exchange::Call,
    held::{self, Entered, Side},
    refusal::Refusal,
    reply::Reply,
    system::System,
    world::{Change, Session, Token, User, World},
};

/// `GET /api/whoami` with a user's API token or session secret as bearer: 200 if it works now, else 401.
pub(crate) fn whoami(system: &System, secret: Option<&str>) -> Result<Reply, Refusal> {
    let found = secret.and_then(|secret| system.truth.entered(secret)).ok_or(Refusal::Unauthorized)?;
    let Entered { who, kind, credential } = found;
    let name = system.truth.any_user(who).map(User::user_name);
    let body = json!({"id": who, "userName": name, "credential": kind, "credentialId": credential});
    Ok(Reply::json(StatusCode::OK, body))
}

/// Answers a request below a system's vendor API base.
pub(crate) fn route(system: &mut System, call: &Call) -> Result<Reply, Refusal> {
    let (user, what) = match &call.path[..] {
        ["users", user, "held", class, rest @ ..] => {
            found(&system.truth, user)?;
            return held::route(system, call, class, Side::For, user, rest);
        }
        ["held", class, side, user, rest @ ..] => {
            let side = side.parse().map_err(|()| call.not_found())?;
            return held::route(system, call, class, side, user, rest);
        }
        ["audit"] => return audit::route(system, call),
        ["users", user, what @ ..] => (user, what),
        ["whoami"] => return Err(call.not_allowed()),
        _ => return Err(call.not_found()),
    };
    match (call.method.as_str(), what) {
        ("GET", ["licences"]) => list(system, user, "licences", |_, _, user| licences(user)),
        ("PUT", ["licences", sku]) => assign_licence(system, call, user, sku),
        // A seat that was never given up is counted as before.
        ("DELETE", ["licences", _]) if system.is(Behaviour::UnaffiliatedSeat) => {
            found(&system.truth, user)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        ("DELETE", ["licences", sku]) => {
            let change = Change::LicenceRemoved { user: (*user).to_owned(), sku: (*sku).to_owned() };
            remove(system, call, user, change)
        }
        ("GET", ["tokens"]) => list(system, user, "tokens", |system, _, user| tokens(system, user)),
        ("POST", ["tokens"]) => create_token(system, call, user),
        ("DELETE", ["tokens", token]) => revoke_token(system, call, user, token),
        ("GET", ["sessions"]) => list(system, user, "sessions", |_, _, user| sessions(user)),
        ("POST", ["sessions"]) => start_session(system, call, user),
        ("DELETE", ["sessions"]) => {
            found(&system.truth, user)?;
            let ended = system.end_sessions(&call.cause, user, call.now);
            Ok(Reply::json(StatusCode::OK, json!({"ended": ended})))
        }
        ("DELETE", ["sessions", session]) => {
            let change = Change::SessionEnded { user: (*user).to_owned(), session: (*session).to_owned() };
            remove(system, call, user, change)
        }
        ("GET", ["effective"]) => list(system, user, "groups", |_, world, user| effective(world, user)),
        (_, ["licences" | "tokens" | "sessions", ..] | ["effective"]) if what.len() <= 2 => {
            Err(call.not_allowed())
        }
        _ => Err(call.not_found()),
    }
}

fn found<'a>(world: &'a World, id: &str) -> Result<&'a User, Refusal> {
    world.user(id).ok_or_else(|| Refusal::NotFound(format!("/users/{id}")))
}

/// A user of the true state that may be given something.
pub(crate) fn found_active<'a>(world: &'a World, id: &str) -> Result<&'a User, Refusal> {
    let user = found(world, id)?;
    match user.active() {
        true => Ok(user),
        false => Err(Refusal::UserInactive(id.to_owned())),
    }
}

fn list(
    system: &System,
    user: &str,
    name: &str,
    of: fn(&System, &World, &User) -> Value,
) -> Result<Reply, Refusal> {
    let world = system.shown();
    let user = found(world, user)?;
    Ok(Reply::json(StatusCode::OK, json!({"user": user.id, name: of(system, world, user)})))
}

fn licences(user: &User) -> Value {
    user.licences.iter().map(|sku| json!({"sku": sku})).collect()
}

fn tokens(system: &System, user: &User) -> Value {
    let said = |token: &Token| match system.lied.contains(&token.id) {
        true => Token { status: TokenStatus::Revoked, ..token.clone() },
        false => token.clone(),
    };
    user.tokens.values().map(|token| token_object(&said(token))).collect()
}

fn sessions(user: &User) -> Value {
    user.sessions.values().map(session_object).collect()
}

/// Every group that the user is in, with whether the membership is direct.
fn effective(world: &World, user: &User) -> Value {
    let direct = |id: &str| world.group(id).is_some_and(|group| group.members.contains_key(&user.id));
    let groups = world.effective_groups(&user.id);
    groups
        .iter()
        .filter_map(|id| world.group(id))
        .map(
            |group| json!({"id": group.id, "displayName": group.display_name(), "direct": direct(&group.id)}),
        )
        .collect()
}

fn token_object(token: &Token) -> Value {
    let mut object = json!({
        "id": token.id,
        "name": token.name,
        "created": rfc3339(token.created_ms),
        "status": token.status,
    });
    if let (TokenStatus::Suspended, Some(at)) = (token.status, token.purges_at_ms) {
        object["purges_at"] = rfc3339(at).into();
    }
    object
}

fn session_object(session: &Session) -> Value {
    json!({"id": session.id, "created": rfc3339(session.created_ms)})
}

/// Licences are taken from whoever holds them and end when they are gone: removing twice is 404.
fn remove(system: &mut System, call: &Call, user: &str, change: Change) -> Result<Reply, Refusal> {
    found(&system.truth, user)?;
    match system.commit(&call.cause, change, call.now) {
        true => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        false => Err(call.not_found()),
    }
}

fn assign_licence(system: &mut System, call: &Call, user: &str, sku: &str) -> Result<Reply, Refusal> {
    found_active(&system.truth, user)?;
    let change = Change::LicenceAssigned { user: user.to_owned(), sku: sku.to_owned() };
    let status = match system.commit(&call.cause, change, call.now) {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok(Reply::json(status, json!({"sku": sku})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: String,
}

fn create_token(system: &mut System, call: &Call, user: &str) -> Result<Reply, Refusal> {
    found_active(&system.truth, user)?;
    let NewToken { name } = serde_json::from_slice(call.body)
        .map_err(|_| Refusal::InvalidSyntax("the body must be `{\"name\": text}`".into()))?;
    let token = new_token(system, name, call.now);
    let mut object = token_object(&token);
    object["secret"] = token.secret.expose().into();
    system.commit(&call.cause, Change::TokenCreated { user: user.to_owned(), token }, call.now);
    Ok(Reply::json(StatusCode::CREATED, object))
}

/// Revoking what is revoked already is 204 and has no effect.
fn revoke_token(system: &mut System, call: &Call, user: &str, token: &str) -> Result<Reply, Refusal> {
    if !found(&system.truth, user)?.tokens.contains_key(token) {
        return Err(call.not_found());
    }
    if system.is(Behaviour::Liar) {
        system.lied.insert(token.to_owned());
    } else {
        let change = Change::TokenRevoked { user: user.to_owned(), token: token.to_owned() };
        system.commit(&call.cause, change, call.now);
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn start_session(system: &mut System, call: &Call, user: &str) -> Result<Reply, Refusal> {
    found_active(&system.truth, user)?;
    let session = new_session(system, call.now);
    let mut object = session_object(&session);
    object["secret"] = session.secret.expose().into();
    system.commit(&call.cause, Change::SessionStarted { user: user.to_owned(), session }, call.now);
    Ok(Reply::json(StatusCode::CREATED, object))
}

pub(crate) fn new_token(system: &mut System, name: String, now: i64) -> Token {
    Token {
        id: system.mint.id(),
        name,
        created_ms: now,
        status: TokenStatus::Active,
        purges_at_ms: None,
        secret: system.mint.secret(),
    }
}

pub(crate) fn new_session(system: &mut System, now: i64) -> Session {
    Session { id: system.mint.id(), created_ms: now, secret: system.mint.secret() }
}
