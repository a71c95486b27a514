//! A small system over a small protocol; bugs can be planted in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};

use super::bugs::{Bug, Deed};
use crate::broker::{Transport, TransportError};

#[derive(Clone, Default)]
pub(super) struct Store {
    pub(super) users: BTreeMap<u32, Value>,
    pub(super) groups: BTreeMap<u32, (String, BTreeSet<u32>)>,
    pub(super) next: u32,
    pub(super) hidden: bool,
    /// Users that were changed, in order.
    pub(super) log: Vec<String>,
}

/// The system: `GET /users?from=&count=`, `GET|PATCH|DELETE /users/ID`, `POST /users`, `GET /groups`,
/// `PUT|DELETE /groups/ID/ID`.
pub(super) struct System {
    pub(super) store: Mutex<Store>,
    pub(super) bug: Option<Bug>,
}

#[async_trait]
impl Transport for System {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> std::result::Result<http::Response<Bytes>, TransportError> {
        Ok(self.answered(&request))
    }
}

/// What a connector remembers of a system, which answers in the system's place. All but what it pretends gets
/// to the system too.
pub(super) struct Memory {
    pub(super) remembered: Arc<System>,
    pub(super) system: Arc<System>,
    pub(super) pretends: Deed,
}

#[async_trait]
impl Transport for Memory {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> std::result::Result<http::Response<Bytes>, TransportError> {
        if !self.pretends.is(&request) {
            self.system.answered(&request);
        }
        Ok(self.remembered.answered(&request))
    }
}

impl Deed {
    /// Whether the request is this. All is taken from the first of the accounts, and single things from others.
    fn is(self, request: &http::Request<Bytes>) -> bool {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let (path, method) = (request.uri().path(), request.method().as_str());
        let (user, first) = (path.starts_with("/users"), path.ends_with("/1"));
        match self {
            Self::Create => user && method == "POST",
            Self::Set => user && method == "PATCH" && body["active"].is_null(),
            Self::Disable => body["active"] == json!(false),
            Self::Enable => body["active"] == json!(true),
            Self::Delete => user && method == "DELETE",
            Self::Grant => method == "PUT",
            Self::Revoke => !user && method == "DELETE" && !first,
            Self::RevokeAll => !user && method == "DELETE" && first,
            Self::Everything => method != "GET",
        }
    }
}

impl System {
    fn answered(&self, request: &http::Request<Bytes>) -> http::Response<Bytes> {
        let (status, body) = self.answer(request);
        let mut response = http::Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        response
    }

    fn answer(&self, request: &http::Request<Bytes>) -> (u16, Value) {
        let mut guard = self.store.lock().unwrap();
        let store = &mut *guard;
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let path: Vec<&str> = request.uri().path().split('/').skip(1).collect();
        let id = |at: usize| path.get(at).and_then(|p| p.parse::<u32>().ok()).unwrap_or(0);
        let mut parameters = request.uri().query().unwrap_or_default().split('&');
        let mut parameter = |name: &str| {
            parameters.find_map(|p| p.strip_prefix(name)?.strip_prefix('=')?.parse::<usize>().ok())
        };
        match (request.method().as_str(), path[0], path.len()) {
            ("GET", "me", 1) => {
                let shown = request.headers()["authorization"].to_str().unwrap();
                let known =
                    store.users.values().any(|u| u["token"].as_str() == shown.strip_prefix("Bearer "));
                (if known || self.bug == Some(Bug::LetsAnybodyIn) { 200 } else { 401 }, Value::Null)
            }
            ("POST", "tokens", 2) => match store.users.get_mut(&id(1)) {
                Some(user) => {
                    user["token"] = json!(format!("token of {}", id(1)));
                    (201, user["token"].clone())
                }
                None => (404, json!("no such user")),
            },
            ("GET", "log", 1) => {
                let (from, count) = (parameter("from").unwrap(), parameter("count").unwrap());
                (200, json!(store.log.iter().skip(from).take(count).collect::<Vec<_>>()))
            }
            ("GET", what, 1) => {
                let (from, count) = (parameter("from").unwrap(), parameter("count").unwrap());
                let shown = |id: &u32, name: &str, members: &BTreeSet<u32>| json!({"id": id.to_string(), "name": name, "members": members});
                let all: Vec<Value> = match what {
                    "users" => store.users.values().cloned().collect(),
                    _ => store.groups.iter().map(|(id, (name, members))| shown(id, name, members)).collect(),
                };
                let most = if store.hidden { all.len() / 2 } else { all.len() };
                let page: Vec<&Value> = all[..most].iter().skip(from).take(count).collect();
                let end = from + count >= most;
                (200, json!({"items": page, "end": end, "all": !store.hidden}))
            }
            ("GET", "groups", 2) => match store.groups.get(&id(1)) {
                Some((name, members)) => {
                    (200, json!({"id": id(1).to_string(), "name": name, "members": members}))
                }
                None => (404, json!("no such group")),
            },
            ("POST", "users", 1) => {
                let taken = store.users.values().any(|u| u["name"] == body["name"]);
                if taken && self.bug != Some(Bug::CreatesTwice) {
                    return (409, json!("taken"));
                }
                store.next += 1;
                let user = json!({"id": store.next.to_string(), "name": body["name"], "marker": body["marker"],
                    "dept": body["dept"], "active": true, "version": 1});
                store.users.insert(store.next, user.clone());
                store.log.push(store.next.to_string());
                (201, user)
            }
            ("PUT" | "DELETE", "groups", 3) => {
                let Some((_, members)) = store.groups.get_mut(&id(1)) else {
                    return (404, json!("no such group"));
                };
                let changed =
                    if request.method() == "PUT" { members.insert(id(2)) } else { members.remove(&id(2)) };
                store.log.extend(changed.then(|| id(2).to_string()));
                (200, json!({"changed": changed}))
            }
            (method, "users", 2) => {
                let Some(user) = store.users.get_mut(&id(1)) else {
                    let sent = request.headers()["authorization"].to_str().unwrap();
                    return (404, json!(format!("no such user, asked with {sent}")));
                };
                match method {
                    "DELETE" => {
                        store.users.remove(&id(1));
                        store.groups.values_mut().for_each(|(_, members)| members.retain(|m| *m != id(1)));
                        (204, Value::Null)
                    }
                    "PATCH" => {
                        let wanted = request
                            .headers()
                            .get("if-match")
                            .map(|v| v.to_str().unwrap().parse::<u64>().unwrap());
                        if wanted.is_some_and(|w| Some(w) != user["version"].as_u64()) {
                            return (412, json!("changed"));
                        }
                        for (name, value) in body.as_object().unwrap() {
                            user[name] = value.clone();
                        }
                        user["version"] = json!(user["version"].as_u64().unwrap() + 1);
                        store.log.push(id(1).to_string());
                        (200, user.clone())
                    }
                    _ => (200, user.clone()),
                }
            }
            _ => (400, json!("what?")),
        }
    }
}
