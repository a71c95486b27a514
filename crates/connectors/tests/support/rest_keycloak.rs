//! A simulated realm of Keycloak: the admin API as far as the description goes, and the token endpoint.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, StatusCode},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use bailiwick_connector::{seal::CredentialScheme, testkit::AccountFixture};
use bailiwick_core::{access::AccessClass, account::AccountAttributes};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::rest_fake::{Shared, Vendor, World};

/// Keycloak.
pub struct Keycloak;

type Asked = Query<BTreeMap<String, String>>;

fn number(id: &str) -> Option<u64> {
    id.strip_prefix("kc-")?.parse().ok()
}

fn missing(what: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"error": format!("{what} not found")}))).into_response()
}

/// The page that was asked for.
fn page(all: Vec<Value>, asked: &Asked) -> Response {
    let number = |name: &str, usual| asked.get(name).and_then(|n| n.parse().ok()).unwrap_or(usual);
    Json(all.into_iter().skip(number("first", 0)).take(number("max", 100)).collect::<Vec<_>>())
        .into_response()
}

async fn token(State(shared): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let expect = format!("Basic {}", STANDARD.encode("bailiwick:a-s3cret%2Fof%2Bthe%20tests"));
    if headers.get("authorization").is_none_or(|shown| *shown != expect)
        || body != "grant_type=client_credentials"
    {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": "invalid_client"}))).into_response();
    }
    let mut world = shared.world();
    let token = format!("kc-token-{}", world.number());
    world.tokens.insert(token.clone(), 0);
    Json(json!({"access_token": token, "token_type": "Bearer", "expires_in": 60})).into_response()
}

async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let shown = request.headers().get("authorization").and_then(|shown| shown.to_str().ok());
    let token = shown.and_then(|shown| shown.strip_prefix("Bearer ")).unwrap_or_default();
    // A seed makes a world anew, and tokens outlive it as they outlive a restart.
    let known = token.starts_with("kc-token-") || shared.world().tokens.contains_key(token);
    if known { next.run(request).await } else { StatusCode::UNAUTHORIZED.into_response() }
}

async fn users(State(shared): State<Shared>, asked: Asked) -> Response {
    let wanted = |user: &&Value| {
        let named = asked.get("username").is_none_or(|name| user["username"] == name.as_str());
        let marked = asked.get("q").is_none_or(|query| {
            let marker = user["attributes"]["bailiwick"][0].as_str().unwrap_or_default();
            *query == format!("bailiwick:\"{}\"", marker.replace('\\', "\\\\").replace('"', "\\\""))
        });
        named && marked
    };
    let found = shared.world().users.values().filter(wanted).cloned().collect();
    page(found, &asked)
}

async fn create(State(shared): State<Shared>, Json(mut user): Json<Value>) -> Response {
    let mut world = shared.world();
    if world.users.values().any(|other| other["username"] == user["username"]) {
        let message = json!({"errorMessage": "User exists with same username"});
        return (StatusCode::CONFLICT, Json(message)).into_response();
    }
    let id = world.number();
    user["id"] = format!("kc-{id}").into();
    world.users.insert(id, user);
    (StatusCode::CREATED, [("location", format!("/admin/realms/acme/users/kc-{id}"))]).into_response()
}

async fn user(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let found = number(&id).and_then(|id| shared.world().users.get(&id).cloned());
    found.map_or_else(|| missing("User"), |user| Json(user).into_response())
}

async fn replace(State(shared): State<Shared>, Path(id): Path<String>, Json(user): Json<Value>) -> Response {
    let mut world = shared.world();
    let Some(known) = number(&id).and_then(|id| world.users.get_mut(&id)) else { return missing("User") };
    if user["id"] != id.as_str() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    *known = user;
    StatusCode::NO_CONTENT.into_response()
}

async fn remove(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    match number(&id).is_some_and(|id| shared.world().forget(id)) {
        true => StatusCode::NO_CONTENT.into_response(),
        false => missing("User"),
    }
}

async fn groups(State(shared): State<Shared>, asked: Asked) -> Response {
    let all = shared.world().groups.values().cloned().collect();
    page(all, &asked)
}

async fn group(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let found = number(&id).and_then(|id| shared.world().groups.get(&id).cloned());
    found.map_or_else(|| missing("Group"), |group| Json(group).into_response())
}

async fn members(State(shared): State<Shared>, Path(id): Path<String>, asked: Asked) -> Response {
    let world = shared.world();
    let Some(id) = number(&id).filter(|id| world.groups.contains_key(id)) else { return missing("Group") };
    let of = world.members.iter().filter(|(group, _)| *group == id);
    page(of.map(|(_, user)| world.users[user].clone()).collect(), &asked)
}

async fn groups_of(State(shared): State<Shared>, Path(id): Path<String>, asked: Asked) -> Response {
    let world = shared.world();
    let Some(id) = number(&id).filter(|id| world.users.contains_key(id)) else { return missing("User") };
    let of = world.members.iter().filter(|(_, user)| *user == id);
    page(of.map(|(group, _)| world.groups[group].clone()).collect(), &asked)
}

fn membership(shared: &Shared, user: &str, group: &str, wanted: bool) -> Response {
    let mut world = shared.world();
    let pair = number(group).zip(number(user));
    let Some(pair) = pair.filter(|(g, u)| world.groups.contains_key(g) && world.users.contains_key(u)) else {
        return missing("User or group");
    };
    let _ = if wanted { world.members.insert(pair) } else { world.members.remove(&pair) };
    StatusCode::NO_CONTENT.into_response()
}

async fn join(State(shared): State<Shared>, Path((user, group)): Path<(String, String)>) -> Response {
    membership(&shared, &user, &group, true)
}

async fn leave(State(shared): State<Shared>, Path((user, group)): Path<(String, String)>) -> Response {
    membership(&shared, &user, &group, false)
}

async fn roles(shared: Shared, id: &str, given: Option<(Value, bool)>) -> Response {
    let mut world = shared.world();
    let Some(id) = number(id).filter(|id| world.users.contains_key(id)) else { return missing("User") };
    let held = world.held.entry((id, "roles")).or_default();
    match given {
        None => Json(held.clone()).into_response(),
        Some((given, wanted)) => {
            for role in given.as_array().unwrap() {
                held.retain(|known| known["id"] != role["id"]);
                held.extend(wanted.then(|| role.clone()));
            }
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

/// Lists what a user holds of a kind.
fn kept(kind: &'static str) -> axum::routing::MethodRouter<Shared> {
    get(move |State(shared): State<Shared>, Path(id): Path<String>| async move {
        let world = shared.world();
        let Some(id) = number(&id).filter(|id| world.users.contains_key(id)) else { return missing("User") };
        Json(world.held.get(&(id, kind)).cloned().unwrap_or_default()).into_response()
    })
}

/// Takes one thing of a kind from a user.
fn taken(kind: &'static str, key: &'static str) -> axum::routing::MethodRouter<Shared> {
    delete(move |State(shared): State<Shared>, Path((user, id)): Path<(String, String)>| async move {
        let mut world = shared.world();
        let held = number(&user).and_then(|user| world.held.get_mut(&(user, kind)));
        let before = held.as_ref().map_or(0, |held| held.len());
        let after = held.map_or(0, |held| {
            held.retain(|thing| thing[key] != id.as_str());
            held.len()
        });
        if after < before { StatusCode::NO_CONTENT.into_response() } else { missing(kind) }
    })
}

async fn end_session(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let mut world = shared.world();
    let mut ended = false;
    for ((_, kind), held) in &mut world.held {
        if *kind == "sessions" {
            let before = held.len();
            held.retain(|session| session["id"] != id.as_str());
            ended |= held.len() < before;
        }
    }
    if ended { StatusCode::NO_CONTENT.into_response() } else { missing("Session") }
}

async fn logout(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let mut world = shared.world();
    let Some(id) = number(&id).filter(|id| world.users.contains_key(id)) else { return missing("User") };
    world.held.remove(&(id, "sessions"));
    StatusCode::NO_CONTENT.into_response()
}

impl Vendor for Keycloak {
    const NAME: &'static str = "keycloak";
    const ENDPOINT: &'static str = "https://sso.test/admin/realms/acme";

    fn settings() -> Value {
        json!({"description": "keycloak"})
    }

    fn line_settings() -> Value {
        json!({"token_path": "/realms/acme/protocol/openid-connect/token"})
    }

    fn scheme() -> CredentialScheme {
        CredentialScheme::ClientCredentials { client_id: "bailiwick".into() }
    }

    fn router(shared: Shared) -> Router {
        let roles_of = |State(shared): State<Shared>, Path(id): Path<String>| async move {
            roles(shared, &id, None).await
        };
        let give = |State(shared): State<Shared>, Path(id): Path<String>, Json(body): Json<Value>| async move {
            roles(shared, &id, Some((body, true))).await
        };
        let take = |State(shared): State<Shared>, Path(id): Path<String>, Json(body): Json<Value>| async move {
            roles(shared, &id, Some((body, false))).await
        };
        let admin = Router::new()
            .route("/users", get(users).post(create))
            .route("/users/{id}", get(user).put(replace).delete(remove))
            .route("/groups", get(groups))
            .route("/groups/{id}", get(group))
            .route("/groups/{id}/members", get(members))
            .route("/users/{id}/groups", get(groups_of))
            .route("/users/{id}/groups/{group}", put(join).delete(leave))
            .route("/users/{id}/role-mappings/realm", get(roles_of).post(give).delete(take))
            .route("/users/{id}/sessions", kept("sessions"))
            .route("/users/{id}/logout", post(logout))
            .route("/sessions/{id}", delete(end_session))
            .route("/users/{id}/credentials", kept("credentials"))
            .route("/users/{id}/credentials/{item}", taken("credentials", "id"))
            .route("/users/{id}/consents", kept("consents"))
            .route("/users/{id}/consents/{item}", taken("consents", "clientId"))
            .layer(from_fn_with_state(shared.clone(), guard));
        Router::new()
            .nest("/admin/realms/acme", admin)
            .route("/realms/acme/protocol/openid-connect/token", post(token))
            .with_state(shared)
    }

    fn user(id: u64, account: &AccountFixture) -> Value {
        let mut user = json!({"id": Self::id(id), "username": account.name, "enabled": account.live});
        if let Some(marker) = &account.marker {
            user["attributes"] = json!({"bailiwick": [marker], "desk": ["12"]});
        }
        user
    }

    fn group(id: u64, name: &str) -> Value {
        json!({"id": Self::id(id), "name": name, "path": format!("/{name}")})
    }

    fn held(world: &mut World, user: u64) {
        for (kind, things) in [
            ("roles", json!([{"id": "r1", "name": "auditor:read"}, {"id": "r2", "name": "50% off"}])),
            (
                "sessions",
                json!([{"id": "s1", "ipAddress": "192.0.2.1"}, {"id": "s2", "ipAddress": "192.0.2.2"}]),
            ),
            ("credentials", json!([{"id": "c1", "type": "password"}, {"id": "c2", "type": "otp"}])),
            ("consents", json!([{"clientId": "wiki"}])),
        ] {
            world.held.insert((user, kind), things.as_array().unwrap().clone());
        }
    }

    fn attributes(name: &str) -> AccountAttributes {
        [("username".to_owned(), name.into()), ("email".to_owned(), "kit@acme.example".into())].into()
    }

    fn change(n: u32) -> AccountAttributes {
        [
            ("firstName".to_owned(), format!("Given {n} Ä\"").as_str().into()),
            ("email".to_owned(), format!("kit{n}@acme.example").as_str().into()),
        ]
        .into()
    }

    fn id(id: u64) -> String {
        format!("kc-{id}")
    }

    fn grantable(class: AccessClass) -> Option<String> {
        (class == AccessClass::Roles).then(|| "r7:deploy%3Aall".to_owned())
    }

    fn signs(user: &Value) -> (&Value, &Value, bool) {
        (&user["username"], &user["attributes"]["bailiwick"][0], user["enabled"] == true)
    }

    fn thing(kind: &str, thing: &Value) -> Option<(AccessClass, String)> {
        let text = |name: &str| thing[name].as_str().unwrap().replace('%', "%25").replace(':', "%3A");
        Some(match kind {
            "roles" => (AccessClass::Roles, format!("{}:{}", text("id"), text("name"))),
            "sessions" => (AccessClass::Sessions, text("id")),
            "consents" => (AccessClass::OauthConsents, text("clientId")),
            // A password is not a device.
            _ if thing["type"] == "password" => return None,
            _ => (AccessClass::DeviceTrust, text("id")),
        })
    }

    const CLASSES: &'static [AccessClass] =
        &[AccessClass::Roles, AccessClass::Sessions, AccessClass::OauthConsents, AccessClass::DeviceTrust];
}
