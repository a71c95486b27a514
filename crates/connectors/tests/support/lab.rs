//! A simulated system in this process, and its truth.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use axum::body::Body;
use bailiwick_connector::{
    Connector, Line,
    broker::{Transport, TransportError, TransportErrorKind},
    testkit::{Fixtures, Ids, Losing, Subject, TrueAccount},
};
use bailiwick_connectors::scim::Scim;
use bailiwick_core::{access::AccessClass, account::AccountAttributes, integration::Purpose};
use bailiwick_lab::{
    Behaviour, Dropped, Lab, ManualClock, Paging, Seed, SeedGroup, SeedLicence, SeedToken, SystemSpec, Tokens,
};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use super::hiding::Hiding;

const WRITE: &str = "the-write-token";
const READ: &str = "the-read-token";
/// How long the slowest of the simulated systems takes to show what was done.
const READ_LAG_MS: i64 = 3_000;
/// The name of the system.
pub const APP: &str = "app";

/// One system.
pub struct Simulated {
    pub lab: Lab,
    clock: Arc<ManualClock>,
    name: String,
    behaviours: Vec<Behaviour>,
    losing: Arc<Losing>,
    hiding: Arc<Hiding>,
    connector: Arc<Scim>,
}

/// Carries requests to a lab without sockets.
struct InProcess(Lab);

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let lost = |cause: &str| TransportError {
            kind: TransportErrorKind::Timeout,
            sent: true,
            cause: cause.into(),
        };
        let Ok(response) = self.0.router().oneshot(request.map(Body::from)).await;
        if response.extensions().get::<Dropped>().is_some() {
            return Err(lost("the answer is lost"));
        }
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| lost(&error.to_string()))?.to_bytes();
        Ok(http::Response::from_parts(head, body))
    }
}

impl Simulated {
    /// A system without anybody in it, and a connector with these settings.
    pub fn new(paging: Paging, behaviours: &[Behaviour], settings: &Value) -> Self {
        let tokens = Tokens { write: WRITE.into(), read: READ.into() };
        let spec = SystemSpec::new(APP, 7, tokens).paged(paging, 50).with(behaviours.iter().copied());
        let clock = Arc::new(ManualClock::new(1_800_000_000_000));
        let lab = Lab::new(clock.clone(), vec![spec]).unwrap();
        let losing = Arc::new(Losing::new(Arc::new(InProcess(lab.clone()))));
        let people = if settings["people"].is_object() { " people," } else { "" };
        Self {
            lab,
            clock,
            name: format!("scim × lab,{people} {paging:?} {behaviours:?}"),
            behaviours: behaviours.to_vec(),
            hiding: Arc::new(Hiding::new(losing.clone())),
            losing,
            connector: Arc::new(Scim::new(settings).unwrap()),
        }
    }

    /// The same with a connector that was told in which forms to write.
    #[allow(dead_code, reason = "other tests use the rest")]
    pub fn adopting(mut self, forms: &[&str]) -> Self {
        self.connector.adopt(&forms.iter().map(|form| (*form).to_owned()).collect::<Vec<_>>());
        self.name = format!("{}, {}", self.name, forms.join(" or "));
        self
    }

    /// The connector.
    pub fn scim(&self) -> &Scim {
        &self.connector
    }

    /// A line to it, with the credential for the purpose.
    pub fn line_for(&self, purpose: Purpose) -> Line {
        let token = if purpose.writes() { WRITE } else { READ };
        super::line::line(self.hiding.clone(), "https://lab.test/app", "/scim/v2", token, purpose)
    }
}

/// The settings of a connector to a simulated system.
pub fn settings() -> Value {
    let held = |class: &str, rest: Value| {
        let mut setting = json!({
            "list": format!("/api/users/{{id}}/{class}"),
            "revoke": format!("/api/users/{{id}}/{class}/{{item}}"),
        });
        setting.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        setting
    };
    json!({
        "base": "/scim/v2",
        "idempotency_header": "Idempotency-Key",
        "read_lag_ms": READ_LAG_MS,
        "audit": {
            "list": "/api/audit", "after": "after", "items": "entries", "mark": "seq", "at": "at",
            "actor": "actor", "ours": ["integration"], "deed": "effect", "account": "user",
            "given": {
                "member-added": "direct-groups", "licence-assigned": "licences", "token-created": "api-tokens",
                "session-started": "sessions", "user-created": "primary-account",
                "user-activated": "primary-account",
            },
            "taken": {
                "member-removed": "direct-groups", "licence-removed": "licences", "token-suspended": "api-tokens",
                "token-revoked": "api-tokens", "session-ended": "sessions", "user-deactivated": "primary-account",
            },
            "changed": {"user-changed": "primary-account"},
            "ends": ["user-deleted", "user-soft-deleted"],
        },
        "held": {
            "api-tokens": held("tokens", json!({
                "name": "name", "purges": "purges_at",
                "live": {"field": "status", "equals": "active"},
                "gone": {"field": "status", "equals": "revoked"},
                "issue": {"make": "/api/users/{id}/tokens", "body": {"name": "canary"}, "given": "secret"},
                "try": "/api/whoami",
            })),
            "sessions": held("sessions", json!({
                "issue": {"make": "/api/users/{id}/sessions", "given": "secret"}, "try": "/api/whoami",
            })),
            "licences": held("licences", json!({"item": "sku", "grant": "/api/users/{id}/licences/{item}"})),
        },
    })
}

#[async_trait]
impl Subject for Simulated {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn connector(&self) -> Arc<dyn Connector> {
        self.connector.clone()
    }

    fn line(&self) -> Line {
        self.line_for(Purpose::Write)
    }

    fn reader(&self) -> Line {
        self.line_for(Purpose::Verify)
    }

    async fn seed(&self, fixtures: &Fixtures) -> Ids {
        self.lab.reset(APP).unwrap();
        self.lab.behave(APP, self.behaviours.iter().copied()).unwrap();
        self.hiding.hides.store(false, Ordering::SeqCst);
        let user = |account: &bailiwick_connector::testkit::AccountFixture| {
            let mut user = Map::new();
            user.insert("userName".into(), account.name.as_str().into());
            user.insert("active".into(), account.live.into());
            user.extend(account.marker.as_deref().map(|marker| ("externalId".to_owned(), marker.into())));
            user
        };
        let name = |at: usize| fixtures.accounts[at].name.clone();
        let group = |group: &bailiwick_connector::testkit::GroupFixture| SeedGroup {
            id: None,
            name: group.name.clone(),
            external_id: None,
            // The first account is in the first group; by that one it is in the empty one.
            members: match &group.members[..] {
                [] => vec![fixtures.groups[0].name.clone()],
                members => members.iter().map(|at| name(*at)).collect(),
            },
        };
        if self.connector.capability().people {
            let seed = Seed { users: super::line::people(fixtures), ..Seed::default() };
            self.lab.seed(APP, &seed).unwrap();
            self.settle().await;
            let people = fixtures.people.iter().map(|person| person.key.clone()).collect();
            return Ids { people, ..Ids::default() };
        }
        let seed = Seed {
            users: fixtures.accounts.iter().map(user).collect(),
            groups: fixtures.groups.iter().map(group).collect(),
            licences: ["pro", "vault"].map(|sku| SeedLicence { user: name(0), sku: sku.into() }).into(),
            tokens: ["ci", "laptop"].map(|token| SeedToken { user: name(0), name: token.into() }).into(),
            sessions: vec![name(0), name(0)],
            ..Seed::default()
        };
        let seeded = self.lab.seed(APP, &seed).unwrap();
        self.settle().await;
        Ids {
            people: Vec::new(),
            accounts: fixtures.accounts.iter().map(|account| seeded.users[&account.name].clone()).collect(),
            groups: fixtures.groups.iter().map(|group| seeded.groups[&group.name].clone()).collect(),
        }
    }

    async fn truth(&self) -> String {
        let truth = self.lab.truth(APP).unwrap();
        let users = truth.users.iter().map(|user| format!("{user:?}"));
        let groups = truth.groups.iter().map(|group| format!("{group:?}"));
        users.chain(groups).collect::<Vec<_>>().join("\n")
    }

    async fn account(&self, id: &str) -> Option<TrueAccount> {
        let truth = self.lab.truth(APP).unwrap();
        let user = truth.users.iter().find(|user| user.id == id)?;
        let working = user.tokens.iter().filter(|token| token.works).map(|token| token.id.clone());
        let held = [
            (AccessClass::DirectGroups, user.groups.iter().cloned().collect()),
            (AccessClass::Licences, user.licences.iter().cloned().collect()),
            (AccessClass::ApiTokens, working.collect()),
            (AccessClass::Sessions, user.sessions.iter().cloned().collect()),
        ];
        let account = super::scim_true::account(&Value::Object(user.attributes.clone()), held.into());
        Some(TrueAccount { usable: user.active && !user.hidden, ..account })
    }

    fn attributes(&self, name: &str) -> AccountAttributes {
        [("userName".to_owned(), name.into()), ("email".to_owned(), "kit@acme.example".into())].into()
    }

    fn change(&self, n: u32) -> AccountAttributes {
        super::line::change(n)
    }

    fn grantable(&self, class: AccessClass, ids: &Ids) -> Option<String> {
        match class {
            AccessClass::DirectGroups => Some(ids.groups[0].clone()),
            AccessClass::Licences => Some("addon 7".to_owned()),
            _ => None,
        }
    }

    async fn settle(&self) {
        self.clock.advance(READ_LAG_MS);
    }

    fn lose_next_answer(&self) -> bool {
        self.losing.lose_next();
        true
    }

    fn hide_part(&self) -> bool {
        self.hiding.hides.store(true, Ordering::SeqCst);
        true
    }

    fn writes(&self) -> Option<u64> {
        Some(self.losing.writes())
    }

    fn secret(&self) -> Option<String> {
        Some(WRITE.to_owned())
    }
}
