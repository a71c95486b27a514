//! A simulated GitLab: users, groups, tokens and keys as far as the description goes. Lists are paged by `Link`
//! headers, users by key and the rest by number.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{StatusCode, Uri},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use bailiwick_connector::{seal::CredentialScheme, testkit::AccountFixture};
use bailiwick_core::{access::AccessClass, account::AccountAttributes};
use serde_json::{Value, json};

use super::rest_fake::{SECRET, Shared, Vendor, World};

/// GitLab.
pub struct Gitlab;

type Asked = Query<BTreeMap<String, String>>;

fn missing(what: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"message": format!("404 {what} Not Found")}))).into_response()
}

fn done() -> Response {
    (StatusCode::CREATED, Json(json!(true))).into_response()
}

async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let token =
        request.headers().get("private-token").and_then(|shown| shown.to_str().ok()).unwrap_or_default();
    let own = request.uri().path() == "/user" && shared.world().tokens.contains_key(token);
    if token == SECRET || own {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, Json(json!({"message": "401 Unauthorized"}))).into_response()
}

/// A page by number, with the link to the next one.
fn page(all: Vec<Value>, uri: &Uri, asked: &Asked) -> Response {
    let number = |name: &str, usual: usize| asked.get(name).and_then(|n| n.parse().ok()).unwrap_or(usual);
    let (page, size) = (number("page", 1), number("per_page", 20));
    let more = all.len() > page * size;
    let shown: Vec<Value> = all.into_iter().skip((page - 1) * size).take(size).collect();
    linked(shown, uri, asked, more.then(|| ("page", (page + 1).to_string())))
}

fn linked(shown: Vec<Value>, uri: &Uri, asked: &Asked, next: Option<(&str, String)>) -> Response {
    let answer = Json(shown).into_response();
    let Some((name, value)) = next else { return answer };
    let mut query = asked.0.clone();
    query.insert(name.to_owned(), value);
    let query: Vec<String> = query.iter().map(|(n, v)| format!("{n}={}", v.replace(' ', "+"))).collect();
    let base = format!("https://gitlab.test/api/v4{}", uri.path());
    let link = format!("<{base}?{}>; rel=\"next\", <{base}>; rel=\"first\"", query.join("&"));
    ([("link", link)], answer).into_response()
}

async fn users(State(shared): State<Shared>, uri: Uri, asked: Asked) -> Response {
    let world = shared.world();
    let wanted = |user: &&Value| {
        asked.get("username").is_none_or(|name| {
            user["username"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(name))
        }) && asked.get("extern_uid").is_none_or(|uid| {
            user["identities"][0] == json!({"provider": asked["provider"], "extern_uid": uid})
        })
    };
    if asked.get("pagination").map(String::as_str) != Some("keyset") {
        return page(world.users.values().filter(wanted).cloned().collect(), &uri, &asked);
    }
    let number = |name: &str, usual: u64| asked.get(name).and_then(|n| n.parse().ok()).unwrap_or(usual);
    let after = number("id_after", 0);
    let mut rest = world.users.iter().filter(|(id, _)| **id > after);
    let size = number("per_page", 20) as usize;
    let shown: Vec<(&u64, &Value)> = rest.by_ref().take(size).collect();
    let last = shown.last().map(|(id, _)| ("id_after", id.to_string())).filter(|_| rest.next().is_some());
    linked(shown.into_iter().map(|(_, user)| user.clone()).collect(), &uri, &asked, last)
}

async fn create(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    let mut world = shared.world();
    if world.users.values().any(|other| other["username"] == body["username"]) {
        let message = json!({"message": "Username has already been taken"});
        return (StatusCode::CONFLICT, Json(message)).into_response();
    }
    let id = world.number();
    let identities = json!([{"provider": body["provider"], "extern_uid": body["extern_uid"]}]);
    let user = json!({
        "id": id, "username": body["username"], "email": body["email"], "name": body["name"], "state": "active",
        "identities": identities,
    });
    world.users.insert(id, user.clone());
    (StatusCode::CREATED, Json(user)).into_response()
}

async fn user(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let found = id.parse().ok().and_then(|id: u64| shared.world().users.get(&id).cloned());
    found.map_or_else(|| missing("User"), |user| Json(user).into_response())
}

async fn update(State(shared): State<Shared>, Path(id): Path<String>, Json(body): Json<Value>) -> Response {
    let mut world = shared.world();
    let known = id.parse().ok().and_then(|id: u64| world.users.get_mut(&id));
    let Some(known) = known else { return missing("User") };
    for name in ["username", "email", "name"] {
        if !body[name].is_null() {
            known[name] = body[name].clone();
        }
    }
    Json(known.clone()).into_response()
}

async fn remove(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    match id.parse().is_ok_and(|id: u64| shared.world().forget(id)) {
        true => StatusCode::NO_CONTENT.into_response(),
        false => missing("User"),
    }
}

fn state(state: &'static str) -> axum::routing::MethodRouter<Shared> {
    post(move |State(shared): State<Shared>, Path(id): Path<String>| async move {
        let mut world = shared.world();
        let Some(user) = id.parse().ok().and_then(|id: u64| world.users.get_mut(&id)) else {
            return missing("User");
        };
        user["state"] = state.into();
        done()
    })
}

async fn groups(State(shared): State<Shared>, uri: Uri, asked: Asked) -> Response {
    let all = shared.world().groups.values().cloned().collect();
    page(all, &uri, &asked)
}

async fn group(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let found = id.parse().ok().and_then(|id: u64| shared.world().groups.get(&id).cloned());
    found.map_or_else(|| missing("Group"), |group| Json(group).into_response())
}

async fn members(State(shared): State<Shared>, Path(id): Path<u64>, uri: Uri, asked: Asked) -> Response {
    let world = shared.world();
    let of = world.members.iter().filter(|(group, _)| *group == id);
    page(of.map(|(_, user)| world.users[user].clone()).collect(), &uri, &asked)
}

async fn join(State(shared): State<Shared>, Path(id): Path<u64>, Json(body): Json<Value>) -> Response {
    let mut world = shared.world();
    let Some(user) = body["user_id"].as_u64().filter(|user| world.users.contains_key(user)) else {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "user_id is invalid"}))).into_response();
    };
    if !world.members.insert((id, user)) {
        return (StatusCode::CONFLICT, Json(json!({"message": "Member already exists"}))).into_response();
    }
    (StatusCode::CREATED, Json(json!({"id": user}))).into_response()
}

async fn leave(State(shared): State<Shared>, Path(pair): Path<(u64, u64)>) -> Response {
    match shared.world().members.remove(&pair) {
        true => StatusCode::NO_CONTENT.into_response(),
        false => missing("Member"),
    }
}

async fn memberships(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    uri: Uri,
    asked: Asked,
) -> Response {
    let world = shared.world();
    let Some(id) = id.parse().ok().filter(|id: &u64| world.users.contains_key(id)) else {
        return missing("User");
    };
    let of = world.members.iter().filter(|(_, user)| *user == id).map(|(group, _)| {
        json!({"source_id": group, "source_name": world.groups[group]["full_path"], "source_type": "Namespace"})
    });
    page(of.collect(), &uri, &asked)
}

async fn tokens(State(shared): State<Shared>, uri: Uri, asked: Asked) -> Response {
    let world = shared.world();
    let of = asked.get("user_id").and_then(|id| id.parse::<u64>().ok());
    let held = of.and_then(|id| world.held.get(&(id, "tokens"))).cloned().unwrap_or_default();
    page(held.into_iter().filter(|token| token["active"] == true).collect(), &uri, &asked)
}

async fn issue(State(shared): State<Shared>, Path(id): Path<u64>, Json(body): Json<Value>) -> Response {
    let mut world = shared.world();
    let number = world.number();
    let secret = format!("glpat-{number}");
    world.tokens.insert(secret.clone(), id);
    let mut token = json!({"id": number, "name": body["name"], "active": true});
    world.held.entry((id, "tokens")).or_default().push(token.clone());
    token["token"] = secret.into();
    (StatusCode::CREATED, Json(token)).into_response()
}

async fn revoke(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let mut world = shared.world();
    let Ok(id) = id.parse::<u64>() else { return missing("Token") };
    let all = world.held.iter_mut().filter(|((_, kind), _)| *kind == "tokens").flat_map(|(_, held)| held);
    let token = all.into_iter().find(|token| token["id"] == id && token["active"] == true);
    match token {
        Some(token) => {
            token["active"] = false.into();
            StatusCode::NO_CONTENT.into_response()
        }
        None => missing("Token"),
    }
}

async fn keys(State(shared): State<Shared>, Path(id): Path<String>, uri: Uri, asked: Asked) -> Response {
    let world = shared.world();
    let Some(id) = id.parse().ok().filter(|id: &u64| world.users.contains_key(id)) else {
        return missing("User");
    };
    page(world.held.get(&(id, "keys")).cloned().unwrap_or_default(), &uri, &asked)
}

async fn drop_key(State(shared): State<Shared>, Path((user, key)): Path<(u64, u64)>) -> Response {
    let mut world = shared.world();
    let held = world.held.entry((user, "keys")).or_default();
    let before = held.len();
    held.retain(|known| known["id"] != key);
    if held.len() < before { StatusCode::NO_CONTENT.into_response() } else { missing("Key") }
}

impl Vendor for Gitlab {
    const NAME: &'static str = "gitlab-group";
    const ENDPOINT: &'static str = "https://gitlab.test/api/v4";

    fn settings() -> Value {
        json!({"description": "gitlab-group", "parameters": {"provider": "bailiwick"}})
    }

    fn line_settings() -> Value {
        json!({})
    }

    fn scheme() -> CredentialScheme {
        CredentialScheme::Header { name: "PRIVATE-TOKEN".into() }
    }

    fn router(shared: Shared) -> Router {
        let api = Router::new()
            .route("/user", get(async || Json(json!({"username": "somebody"}))))
            .route("/users", get(users).post(create))
            .route("/users/{id}", get(user).put(update).delete(remove))
            .route("/users/{id}/block", state("blocked"))
            .route("/users/{id}/unblock", state("active"))
            .route("/users/{id}/memberships", get(memberships))
            .route("/users/{id}/personal_access_tokens", post(issue))
            .route("/users/{id}/keys", get(keys))
            .route("/users/{user}/keys/{key}", delete(drop_key))
            .route("/personal_access_tokens", get(tokens))
            .route("/personal_access_tokens/{id}", delete(revoke))
            .route("/groups", get(groups))
            .route("/groups/{id}", get(group))
            .route("/groups/{id}/members", get(members).post(join))
            .route("/groups/{group}/members/{user}", delete(leave))
            .layer(from_fn_with_state(shared.clone(), guard));
        Router::new().nest("/api/v4", api).with_state(shared)
    }

    fn user(id: u64, account: &AccountFixture) -> Value {
        let state = if account.live { "active" } else { "blocked" };
        let mut user = json!({
            "id": id, "username": account.name, "email": "x@acme.example", "name": "X", "state": state, "identities": [],
        });
        if let Some(marker) = &account.marker {
            user["identities"] = json!([{"provider": "bailiwick", "extern_uid": marker}]);
        }
        user
    }

    fn group(id: u64, name: &str) -> Value {
        json!({"id": id, "name": name, "full_path": name})
    }

    fn held(world: &mut World, user: u64) {
        let number = world.number();
        let tokens = vec![
            json!({"id": number, "name": "ci", "active": true}),
            json!({"id": world.number(), "name": "laptop", "active": true}),
            json!({"id": world.number(), "name": "old", "active": false}),
        ];
        let keys = vec![json!({"id": world.number(), "title": "ann@laptop"})];
        world.held.insert((user, "tokens"), tokens);
        world.held.insert((user, "keys"), keys);
    }

    fn attributes(name: &str) -> AccountAttributes {
        [
            ("username".to_owned(), name.into()),
            ("email".to_owned(), "kit@acme.example".into()),
            ("name".to_owned(), "Kit".into()),
        ]
        .into()
    }

    fn change(n: u32) -> AccountAttributes {
        [
            ("name".to_owned(), format!("Name {n} Ä\"").as_str().into()),
            ("email".to_owned(), format!("kit{n}@acme.example").as_str().into()),
        ]
        .into()
    }

    fn id(id: u64) -> String {
        id.to_string()
    }

    fn grantable(_: AccessClass) -> Option<String> {
        None
    }

    fn signs(user: &Value) -> (&Value, &Value, bool) {
        (&user["username"], &user["identities"][0]["extern_uid"], user["state"] == "active")
    }

    fn thing(kind: &str, thing: &Value) -> Option<(AccessClass, String)> {
        match kind {
            "keys" => Some((AccessClass::SshKeys, thing["id"].to_string())),
            _ => (thing["active"] == true).then(|| (AccessClass::ApiTokens, thing["id"].to_string())),
        }
    }

    const CLASSES: &'static [AccessClass] = &[AccessClass::ApiTokens, AccessClass::SshKeys];
}
