//! Plays somebody who has an integration's line, and tries every call of the system with it.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use axum::body::Body;
use bailiwick_connector::{
    Broker, Line,
    broker::{Call, Transport, TransportError},
    seal::{Credential, SealContext, SealKey, Secret},
    testkit::{Hands, Seeded},
};
use bailiwick_core::{
    id::Tenant,
    integration::{Integration, Purpose},
    scope::Operation,
};
use bailiwick_lab::{
    Lab, LedgerEntry, ManualClock, Seed, SeedGroup, SeedLicence, SeedToken, SystemSpec, Tokens,
};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

const APP: &str = "app";

struct InProcess(Lab);

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let Ok(answer) = self.0.router().oneshot(request.map(Body::from)).await;
        let (head, body) = answer.into_parts();
        Ok(http::Response::from_parts(head, body.collect().await.unwrap().to_bytes()))
    }
}

/// What the attacker got done.
#[derive(Default)]
pub struct Done {
    /// Every effect, by the system's own ledger.
    pub effects: Vec<LedgerEntry>,
    /// Everything that was shown to them: method and path.
    pub read: BTreeSet<(&'static str, String)>,
}

pub struct Attacker {
    lab: Lab,
    line: Line,
}

/// What is there, by its ids.
struct Found {
    users: Vec<String>,
    groups: Vec<String>,
    tokens: Vec<String>,
    sessions: Vec<String>,
}

impl Attacker {
    /// The line is the real one: a broker, the integration's scope, and its sealed credential.
    pub fn new(integration: &Integration) -> Self {
        let tokens = Tokens { write: "the-write-token".into(), read: "the-read-token".into() };
        let clock = Arc::new(ManualClock::new(1_800_000_000_000));
        let lab = Lab::new(clock, vec![SystemSpec::new(APP, 7, tokens)]).unwrap();
        let (chance, tenant) = (Seeded::new(1), Tenant::single());
        let key = Arc::new(SealKey::generate(&chance));
        let context = SealContext::of(&tenant, integration, Purpose::Write).unwrap();
        let sealed = key.seal(&context, &Credential::bearer(Secret::new("the-write-token")), &chance);
        let transport = Arc::new(InProcess(lab.clone()));
        let broker = Broker::new(tenant, transport, Arc::new(Hands::default()), key);
        // One call outside of the scope would stop it; the attacker is given as many tries as they like.
        let line = broker.line(integration, Purpose::Write, Some(&sealed)).lenient();
        Self { lab, line }
    }

    /// Tries every path with every method, every purpose and every body, each in a system as it was.
    pub async fn try_everything(&self) -> Done {
        let mut done = Done::default();
        let found = self.seed();
        for path in paths(&found) {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                for body in bodies(method, &path, &found) {
                    for operation in Operation::ALL {
                        self.try_one(operation, method, &path, body.as_ref(), &mut done).await;
                    }
                }
            }
        }
        done
    }

    async fn try_one(
        &self,
        operation: Operation,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
        done: &mut Done,
    ) {
        let before = self.lab.ledger(APP).unwrap().len();
        let mut call = Call::new(operation, method, path).header("content-type", "application/scim+json");
        call.body = body.map(|body| Bytes::from(serde_json::to_vec(body).unwrap()));
        let Ok(answer) = self.line.send(call).await else { return };
        let effects = self.lab.ledger(APP).unwrap().split_off(before);
        if answer.status < 300 && effects.is_empty() && !answer.body.is_empty() && operation.reads() {
            done.read.insert((method, path.to_owned()));
        }
        if !effects.is_empty() {
            done.effects.extend(effects);
            self.seed();
        }
    }

    /// The system as it is before each try: Ann in Ops, which is in Staff; Bob is disabled and his token is only
    /// blocked.
    fn seed(&self) -> Found {
        self.lab.reset(APP).unwrap();
        let user = |name: &str, active: bool| {
            json!({ "userName": name, "displayName": name, "active": active }).as_object().unwrap().clone()
        };
        let group = |name: &str, members: &[&str]| SeedGroup {
            id: None,
            name: name.into(),
            external_id: None,
            members: members.iter().map(|member| (*member).to_owned()).collect(),
        };
        let token = |user: &str| SeedToken { user: user.into(), name: "ci".into() };
        let seed = Seed {
            users: vec![user("ann", true), user("bob", true)],
            groups: vec![group("Ops", &["ann"]), group("Staff", &["Ops"]), group("Other", &[])],
            licences: vec![SeedLicence { user: "ann".into(), sku: "pro".into() }],
            tokens: vec![token("ann"), token("bob")],
            sessions: vec!["ann".into()],
            ..Seed::default()
        };
        let seeded = self.lab.seed(APP, &seed).unwrap();
        let disabled = Seed { users: vec![user("bob", false)], ..Seed::default() };
        self.lab.seed(APP, &disabled).unwrap();
        Found {
            users: seeded.users.into_values().collect(),
            groups: seeded.groups.into_values().collect(),
            tokens: seeded.tokens.iter().map(|token| token.id.clone()).collect(),
            sessions: seeded.sessions.iter().map(|session| session.id.clone()).collect(),
        }
    }
}

/// Every path of the API, over what is there, and some that are none.
fn paths(found: &Found) -> Vec<String> {
    let mut paths: Vec<String> =
        ["Users", "Users/.search", "Groups", "Groups/.search", "Bulk", "Me", "Schemas"]
            .map(|path| format!("/scim/v2/{path}"))
            .into();
    paths.push("/scim/v2/ServiceProviderConfig".into());
    paths.push("/api/whoami".into());
    paths.extend(found.groups.iter().map(|id| format!("/scim/v2/Groups/{id}")));
    for user in &found.users {
        paths.push(format!("/scim/v2/Users/{user}"));
        for what in ["licences", "licences/pro", "licences/other", "tokens", "sessions", "effective"] {
            paths.push(format!("/api/users/{user}/{what}"));
        }
        paths.extend(found.tokens.iter().map(|id| format!("/api/users/{user}/tokens/{id}")));
        paths.extend(found.sessions.iter().map(|id| format!("/api/users/{user}/sessions/{id}")));
    }
    paths
}

/// What is sent there.
fn bodies(method: &str, path: &str, found: &Found) -> Vec<Option<Value>> {
    let patch = |operations: Value| {
        let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
        Some(json!({ "schemas": [schema], "Operations": operations }))
    };
    let user = |active: bool, title: &str| {
        let schema = "urn:ietf:params:scim:schemas:core:2.0:User";
        Some(json!({ "schemas": [schema], "userName": "eve", "active": active, "title": title }))
    };
    let group = |members: Value| {
        let schema = "urn:ietf:params:scim:schemas:core:2.0:Group";
        Some(json!({ "schemas": [schema], "displayName": "Eve's", "members": members }))
    };
    let members: Vec<Value> =
        found.users.iter().chain(&found.groups[1..2]).map(|id| json!({ "value": id })).collect();
    match method {
        "GET" | "DELETE" => vec![None],
        "PATCH" if path.contains("/Groups") => vec![
            patch(json!([{ "op": "add", "path": "members", "value": members }])),
            patch(json!([{ "op": "remove", "path": "members" }])),
            patch(json!([{ "op": "replace", "path": "displayName", "value": "Eve's" }])),
        ],
        "PATCH" => vec![
            patch(json!([{ "op": "replace", "path": "active", "value": false }])),
            patch(json!([{ "op": "replace", "path": "active", "value": true }])),
            patch(json!([{ "op": "replace", "path": "title", "value": "Eve" }])),
        ],
        _ if path.contains("/Groups") && !path.contains(".search") => {
            vec![group(json!(members)), group(json!([]))]
        }
        _ if path.contains("/Users") && !path.contains(".search") => {
            vec![user(true, "Eve"), user(false, "Eve")]
        }
        _ if path.contains("/tokens") => vec![Some(json!({ "name": "eve" }))],
        _ => vec![None, Some(json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"] }))],
    }
}
