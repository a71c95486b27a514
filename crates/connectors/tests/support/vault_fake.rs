//! A vault in this process, which answers as OpenBao 2.7.2 was seen to, as far as the connector asks.
//!
//! Absent on purpose: policies as texts (a token may read, write or make canaries by the names of its
//! policies), times to live, namespaces, batch tokens.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use bailiwick_connector::broker::{Transport, TransportError};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::vault::ROOT;

/// What the system answers: status and body.
type Said = (u16, Value);

/// The fake.
#[derive(Default)]
pub struct Fake(Mutex<State>);

#[derive(Default)]
pub struct State {
    count: u64,
    pub sealed: bool,
    /// When there is one, requests are sent to another node, at this address.
    pub active: Option<&'static str>,
    entities: BTreeMap<String, Map<String, Value>>,
    groups: BTreeMap<String, Map<String, Value>>,
    policies: BTreeSet<String>,
    tokens: BTreeMap<String, Token>,
    roles: BTreeMap<String, Role>,
    /// Lease → seconds that it still has, and the accessor of its token.
    pub leases: BTreeMap<String, (i64, String)>,
    /// Leases that what is behind them refuses to end.
    pub stuck: BTreeSet<String>,
    /// How often tokens were looked up.
    pub lookups: usize,
    /// Made when the next entity is: somebody was faster.
    pub faster: Option<&'static str>,
}

#[derive(Clone)]
struct Token {
    secret: String,
    entity: String,
    policies: Vec<String>,
    path: String,
    orphan: bool,
}

struct Role {
    id: String,
    /// Accessor → secret-id.
    secrets: BTreeMap<String, String>,
}

fn data(data: Value) -> Said {
    (200, json!({"request_id": "r", "lease_id": "", "data": data, "warnings": null, "auth": null}))
}

fn errors(status: u16, said: &str) -> Said {
    (status, json!({"errors": [said]}))
}

fn nothing() -> Said {
    (404, json!({"errors": []}))
}

fn done() -> Said {
    (204, Value::Null)
}

fn list(keys: impl Iterator<Item = String>) -> Said {
    let keys: Vec<String> = keys.collect();
    if keys.is_empty() { nothing() } else { data(json!({"keys": keys})) }
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect()
}

impl Fake {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

#[async_trait]
impl Transport for Fake {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        // Others have their turn between two requests, as over a network.
        tokio::task::yield_now().await;
        let path = request.uri().path().strip_prefix("/v1/").unwrap_or_default().to_owned();
        let lists = request.uri().query() == Some("list=true");
        let token = request.headers().get("x-vault-token").and_then(|token| token.to_str().ok());
        let body = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
        let mut state = self.state();
        if let Some(active) = state.active {
            let there = http::Response::builder().status(307).header("location", active);
            return Ok(there.body(Bytes::new()).unwrap());
        }
        let (status, said) = state.answer(request.method().as_str(), &path, lists, token, &body);
        let said = if said.is_null() { Bytes::new() } else { said.to_string().into() };
        Ok(http::Response::builder().status(status).body(said).unwrap())
    }
}

impl State {
    fn id(&mut self) -> String {
        self.count += 1;
        // Ids do not ascend as things are made.
        format!(
            "{:08x}-0000-4000-8000-{:012x}",
            self.count.wrapping_mul(2_654_435_761) & 0xffff_ffff,
            self.count
        )
    }

    fn stamp(&mut self) -> Value {
        self.count += 1;
        format!("2026-11-21T10:00:00.{:09}Z", self.count).into()
    }

    fn answer(&mut self, method: &str, path: &str, lists: bool, token: Option<&str>, body: &Value) -> Said {
        if path == "sys/health" {
            return (if self.sealed { 503 } else { 200 }, json!({"sealed": self.sealed}));
        }
        if self.sealed {
            return errors(503, "Vault is sealed");
        }
        let parts: Vec<&str> = path.split('/').collect();
        if let ["auth", "approle", "login"] = parts[..] {
            return self.login(body);
        }
        let root = token == Some(ROOT);
        let known = self.tokens.iter().find(|(_, known)| Some(known.secret.as_str()) == token);
        let known = known.map(|(accessor, token)| (accessor.clone(), token.clone()));
        let (accessor, caller) = match known {
            Some(known) => known,
            None if root => (String::new(), Token::root()),
            None => return errors(403, "permission denied"),
        };
        let entity = self.entities.get(&caller.entity);
        if !caller.entity.is_empty() && entity.is_none_or(|entity| entity["disabled"] == true) {
            return errors(403, "permission denied");
        }
        if !root && !caller.may(method, path, lists) {
            return errors(403, "1 error occurred:\n\t* permission denied\n\n");
        }
        match (method, &parts[..]) {
            ("GET", ["auth", "token", "lookup-self"]) => data(caller.shown(&accessor)),
            ("POST", ["sys", "auth" | "namespaces", _] | ["auth", "token", "roles", _]) => done(),
            ("GET", ["sys", "auth"]) => {
                let mounts = ["approle/", "token/", "userpass/"]
                    .map(|m| (m, json!({"accessor": format!("auth_{m}")})));
                data(mounts.into_iter().map(|(name, mount)| (name.to_owned(), mount)).collect())
            }
            ("POST", ["sys", "policies", "acl", name]) => {
                self.policies.insert((*name).to_owned());
                done()
            }
            ("GET", ["sys", "policies", "acl"]) => list(self.policies.iter().cloned()),
            (_, ["sys", "leases", rest @ ..]) => self.of_leases(rest, lists, body),
            (_, ["identity", "entity-alias"]) => self.make_alias(body),
            (_, ["identity", "lookup", "entity"]) => match self.named(&text(body, "name")) {
                Some(id) => self.show_entity(&id),
                None => done(),
            },
            (_, ["identity", "entity", rest @ ..]) => self.of_entities(method, rest, lists, body),
            (_, ["identity", "group", rest @ ..]) => self.of_groups(method, rest, lists, body),
            (_, ["auth", "token", rest @ ..]) => self.of_tokens(rest, &caller, root, body),
            (_, ["auth", "approle", "role", rest @ ..]) => self.of_roles(method, rest, lists, body),
            _ => errors(404, &format!("no handler for route \"{path}\". route entry not found.")),
        }
    }

    fn named(&self, name: &str) -> Option<String> {
        let same = |entity: &Map<String, Value>| {
            entity["name"].as_str().is_some_and(|known| known.to_lowercase() == name.to_lowercase())
        };
        self.entities.iter().find(|(_, entity)| same(entity)).map(|(id, _)| id.clone())
    }

    fn of_entities(&mut self, method: &str, rest: &[&str], lists: bool, body: &Value) -> Said {
        match (method, rest) {
            ("POST", []) => {
                if let Some(name) = self.faster.take() {
                    let made = self.of_entities(method, rest, lists, &json!({"name": name}));
                    assert_eq!(made.0, 200);
                }
                let name = text(body, "name");
                if let Some(id) = self.named(&name) {
                    return self.update_entity(&id, body);
                }
                let (id, created) = (self.id(), self.stamp());
                let blank = json!({
                    "id": id, "name": name, "metadata": null, "disabled": false, "policies": [],
                    "aliases": [], "merged_entity_ids": null, "creation_time": created,
                });
                self.entities.insert(id.clone(), blank.as_object().unwrap().clone());
                self.update_entity(&id, body);
                data(json!({"aliases": null, "id": id, "name": name}))
            }
            ("GET", ["id"]) if lists && self.entities.is_empty() => nothing(),
            ("GET", ["id"]) if lists => {
                let names = self.entities.iter().map(|(id, e)| (id.clone(), json!({"name": e["name"]})));
                let info: Map<String, Value> = names.collect();
                data(json!({"keys": info.keys().collect::<Vec<_>>(), "key_info": info}))
            }
            ("GET", ["id", id]) => self.show_entity(id),
            ("POST", ["id", id]) if !self.entities.contains_key(*id) => {
                errors(400, "entity not found from id")
            }
            ("POST", ["id", id]) => {
                let taken = self.named(&text(body, "name")).is_some_and(|other| other != *id);
                if taken {
                    errors(400, "entity name is already in use")
                } else {
                    self.update_entity(id, body)
                }
            }
            ("DELETE", ["id", id]) => {
                self.entities.remove(*id);
                for group in self.groups.values_mut() {
                    let members = texts(&group["member_entity_ids"]);
                    group["member_entity_ids"] = members.into_iter().filter(|member| member != id).collect();
                }
                done()
            }
            _ => nothing(),
        }
    }

    fn update_entity(&mut self, id: &str, body: &Value) -> Said {
        let long = |value: &Value| value.as_str().is_none_or(|text| text.len() > 512);
        if body["metadata"].as_object().is_some_and(|metadata| metadata.values().any(long)) {
            return errors(500, "1 error occurred:\n\t* invalid entity metadata: value is too long\n\n");
        }
        let stamp = self.stamp();
        let entity = self.entities.get_mut(id).unwrap();
        for name in ["name", "metadata", "disabled", "policies"] {
            if !body[name].is_null() {
                entity.insert(name.into(), body[name].clone());
            }
        }
        entity.insert("last_update_time".into(), stamp);
        done()
    }

    fn show_entity(&self, id: &str) -> Said {
        let Some(entity) = self.entities.get(id) else { return nothing() };
        let of = |member: &str, list: &str| -> Vec<String> {
            let holds = |group: &Map<String, Value>| texts(&group[list]).iter().any(|m| m == member);
            self.groups.iter().filter(|(_, group)| holds(group)).map(|(id, _)| id.clone()).collect()
        };
        let direct = of(id, "member_entity_ids");
        let (mut inherited, mut open) = (BTreeSet::new(), direct.clone());
        while let Some(group) = open.pop() {
            open.extend(of(&group, "member_group_ids").into_iter().filter(|g| inherited.insert(g.clone())));
        }
        let mut shown = entity.clone();
        shown.insert("direct_group_ids".into(), json!(direct));
        shown.insert("inherited_group_ids".into(), json!(inherited));
        data(shown.into())
    }

    fn make_alias(&mut self, body: &Value) -> Said {
        let (id, stamp) = (self.id(), self.stamp());
        let mount = text(body, "mount_accessor").replacen("auth_", "", 1);
        let alias = json!({
            "id": id, "name": body["name"], "mount_path": format!("auth/{mount}"), "metadata": null,
            "mount_type": mount.trim_end_matches('/'), "mount_accessor": body["mount_accessor"],
        });
        let entity = self.entities.get_mut(&text(body, "canonical_id")).unwrap();
        entity["aliases"].as_array_mut().unwrap().push(alias);
        entity.insert("last_update_time".into(), stamp);
        data(json!({"id": id, "canonical_id": body["canonical_id"]}))
    }

    fn of_groups(&mut self, method: &str, rest: &[&str], lists: bool, body: &Value) -> Said {
        match (method, rest) {
            ("POST", []) => {
                let (id, stamp) = (self.id(), self.stamp());
                let kind = body["type"].as_str().unwrap_or("internal");
                let group = json!({
                    "id": id, "name": body["name"], "type": kind, "last_update_time": stamp,
                    "member_entity_ids": body["member_entity_ids"], "member_group_ids": body["member_group_ids"],
                });
                self.groups.insert(id.clone(), group.as_object().unwrap().clone());
                data(json!({"id": id, "name": body["name"]}))
            }
            ("GET", ["id"]) if lists => list(self.groups.keys().cloned()),
            ("GET", ["id", id]) => match self.groups.get(*id) {
                Some(group) => data(group.clone().into()),
                None => nothing(),
            },
            ("POST", ["id", id]) => {
                let wanted = match &body["member_entity_ids"] {
                    Value::String(all) => {
                        all.split(',').filter(|id| !id.is_empty()).map(Into::into).collect()
                    }
                    list => texts(list),
                };
                if let Some(missing) = wanted.iter().find(|member| !self.entities.contains_key(*member)) {
                    return errors(
                        500,
                        &format!("1 error occurred:\n\t* invalid entity ID \"{missing}\"\n\n"),
                    );
                }
                let stamp = self.stamp();
                match self.groups.get_mut(*id) {
                    None => errors(400, "invalid group ID"),
                    Some(group) if group["type"] == "external" => {
                        errors(400, "member entities can't be set manually for external groups")
                    }
                    Some(group) => {
                        group.insert("member_entity_ids".into(), json!(wanted));
                        group.insert("last_update_time".into(), stamp);
                        done()
                    }
                }
            }
            ("DELETE", ["id", id]) => {
                self.groups.remove(*id);
                done()
            }
            _ => nothing(),
        }
    }

    fn make_token(&mut self, entity: String, policies: Vec<String>, path: String, orphan: bool) -> Said {
        let (accessor, secret) = (self.id().replace('-', ""), format!("s.{}", self.id()));
        let auth = json!({"client_token": secret, "accessor": accessor, "entity_id": entity});
        self.tokens.insert(accessor, Token { secret, entity, policies, path, orphan });
        (200, json!({"data": null, "auth": auth}))
    }

    fn of_tokens(&mut self, rest: &[&str], caller: &Token, root: bool, body: &Value) -> Said {
        let accessor = text(body, "accessor");
        match rest {
            ["accessors"] => list(self.tokens.keys().cloned()),
            ["lookup-accessor"] => {
                self.lookups += 1;
                match self.tokens.get(&accessor) {
                    Some(token) => data(token.shown(&accessor)),
                    None => errors(400, "1 error occurred:\n\t* invalid accessor\n\n"),
                }
            }
            ["revoke-accessor"] => {
                if self.tokens.remove(&accessor).is_none() {
                    return (200, json!({"data": null, "warnings": ["No token found with this accessor"]}));
                }
                let stuck = self.stuck.clone();
                self.leases.retain(|lease, (_, token)| *token != accessor || stuck.contains(lease));
                for (ttl, _) in self.leases.values_mut().filter(|(_, token)| *token == accessor) {
                    *ttl = 0;
                }
                done()
            }
            ["create"] => {
                let entity = if root { String::new() } else { caller.entity.clone() };
                self.make_token(entity, texts(&body["policies"]), "auth/token/create".into(), false)
            }
            ["create-orphan"] => {
                self.make_token(String::new(), vec![], "auth/token/create-orphan".into(), true)
            }
            ["create", role] => {
                let alias = &body["entity_alias"];
                let leads = |e: &Map<String, Value>| {
                    let aliases = e["aliases"].as_array().unwrap();
                    aliases.iter().any(|a| a["name"] == *alias && a["mount_type"] == "token")
                };
                let entity = self.entities.iter().find(|(_, e)| leads(e)).map(|(id, _)| id.clone());
                let path = format!("auth/token/create/{role}");
                self.make_token(entity.unwrap_or_default(), vec!["default".into()], path, true)
            }
            _ => nothing(),
        }
    }

    fn login(&mut self, body: &Value) -> Said {
        let (role_id, secret) = (text(body, "role_id"), text(body, "secret_id"));
        let good = |role: &Role| role.id == role_id && role.secrets.values().any(|known| *known == secret);
        let Some(role) = self.roles.iter().find(|(_, role)| good(role)).map(|(name, _)| name.clone()) else {
            return errors(400, "invalid role or secret ID");
        };
        let leads = |e: &Map<String, Value>| {
            e["aliases"]
                .as_array()
                .unwrap()
                .iter()
                .any(|a| a["name"] == *role_id && a["mount_type"] == "approle")
        };
        let Some(id) = self.entities.iter().find(|(_, e)| leads(e)).map(|(id, _)| id.clone()) else {
            return errors(500, "the fake makes no entities at login");
        };
        let aliases = self.entities.get_mut(&id).unwrap()["aliases"].as_array_mut().unwrap();
        for alias in aliases.iter_mut().filter(|alias| alias["name"] == *role_id) {
            alias["metadata"] = json!({"role_name": role});
        }
        self.make_token(id, vec!["default".into()], "auth/approle/login".into(), true)
    }

    fn of_roles(&mut self, method: &str, rest: &[&str], lists: bool, body: &Value) -> Said {
        let (fresh, secret) = (self.id(), self.id());
        match (method, rest) {
            ("GET", []) if lists => list(self.roles.keys().cloned()),
            ("POST", [role]) => {
                self.roles.insert((*role).into(), Role { id: fresh, secrets: BTreeMap::new() });
                done()
            }
            ("DELETE", [role]) => {
                self.roles.remove(*role);
                done()
            }
            (_, [role, rest @ ..]) => match (self.roles.get_mut(*role), method, rest) {
                (None, "GET", ["secret-id"]) => errors(400, &format!("role \"{role}\" does not exist")),
                (None, ..) => nothing(),
                (Some(role), "GET", ["role-id"]) => data(json!({"role_id": role.id})),
                (Some(role), "GET", ["secret-id"]) => list(role.secrets.keys().cloned()),
                (Some(role), "POST", ["secret-id"]) => {
                    role.secrets.insert(fresh.clone(), secret.clone());
                    data(json!({"secret_id": secret, "secret_id_accessor": fresh}))
                }
                (Some(role), "POST", ["secret-id-accessor", "destroy"]) => {
                    let gone = role.secrets.remove(&text(body, "secret_id_accessor")).is_some();
                    if gone { done() } else { errors(500, "failed to find accessor entry") }
                }
                _ => nothing(),
            },
            _ => nothing(),
        }
    }

    fn of_leases(&mut self, rest: &[&str], lists: bool, body: &Value) -> Said {
        let lease = text(body, "lease_id");
        match rest {
            ["lookup", below @ ..] if lists => {
                let folder: String = below.iter().map(|part| format!("{part}/")).collect();
                let key = |lease: &String| {
                    let rest = lease.strip_prefix(&folder)?;
                    Some(rest.split_inclusive('/').next().unwrap_or(rest).to_owned())
                };
                list(self.leases.keys().filter_map(key).collect::<BTreeSet<_>>().into_iter())
            }
            ["lookup"] => match self.leases.get(&lease) {
                Some((ttl, _)) => data(json!({"id": lease, "ttl": ttl})),
                None => errors(400, "invalid lease"),
            },
            ["revoke"] if self.stuck.contains(&lease) => {
                errors(400, "failed to revoke entry: role cannot be dropped")
            }
            ["revoke"] => {
                self.leases.remove(&lease);
                done()
            }
            _ => nothing(),
        }
    }
}

impl Token {
    fn root() -> Self {
        let (secret, path) = (ROOT.into(), "auth/token/root".into());
        Self { secret, entity: String::new(), policies: vec!["root".into()], path, orphan: true }
    }

    /// What the policies of the operator's book allow, roughly.
    fn may(&self, method: &str, path: &str, lists: bool) -> bool {
        let has = |name: &str| self.policies.iter().any(|policy| policy == name);
        match path {
            "auth/token/lookup-self" => true,
            "sys/auth" | "identity/entity-alias" => has("bailiwick-canary"),
            path if path.starts_with("auth/token/create/") => has("bailiwick-canary"),
            "sys/policies/acl" => has("bailiwick-write"),
            "auth/token/lookup-accessor" | "identity/lookup/entity" | "sys/leases/lookup" => {
                has("bailiwick-verify")
            }
            _ if method == "GET" || lists => has("bailiwick-verify"),
            _ => has("bailiwick-write"),
        }
    }

    fn shown(&self, accessor: &str) -> Value {
        json!({
            "accessor": accessor, "entity_id": self.entity, "display_name": "token", "path": self.path,
            "orphan": self.orphan, "expire_time": "2026-12-23T10:15:19.5Z", "policies": self.policies,
        })
    }
}
