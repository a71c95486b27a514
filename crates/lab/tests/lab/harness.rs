//! A lab with one system, called in process, and the person that most tests act on.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use bailiwick_lab::{
    Behaviour, Dropped, Lab, ManualClock, Seed, SeedGroup, SeedLicence, SeedToken, SystemSpec, Tokens,
    TrueUser, Truth,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

pub const START_MS: i64 = 1_790_000_000_000;
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

pub fn spec(behaviours: &[Behaviour]) -> SystemSpec {
    let tokens = Tokens { write: "w".into(), read: "r".into() };
    SystemSpec::new("acme", 7, tokens).with(behaviours.iter().copied())
}

pub struct Rig {
    pub clock: Arc<ManualClock>,
    pub lab: Lab,
    router: Router,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    pub dropped: bool,
}

impl Answer {
    pub fn id(&self) -> String {
        self.body["id"].as_str().expect("a body with an id").to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub fn ids(&self) -> Vec<String> {
        let resources =
            self.body["Resources"].as_array().unwrap_or_else(|| panic!("a list, not {}", self.body));
        resources.iter().map(|resource| resource["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Rig {
    pub fn new(spec: SystemSpec) -> Self {
        let clock = Arc::new(ManualClock::new(START_MS));
        let lab = Lab::new(clock.clone(), vec![spec]).unwrap();
        let router = lab.router();
        Self { clock, lab, router }
    }

    pub fn with(behaviours: &[Behaviour]) -> Self {
        Self::new(spec(behaviours))
    }

    /// Calls a path below `/acme` with the write token.
    pub fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call_with(method, path, body, &[("authorization", "Bearer w")])
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Value::Null)
    }

    pub fn call_with(&self, method: &str, path: &str, body: Value, headers: &[(&str, &str)]) -> Answer {
        self.raw(method, &format!("/acme{path}"), body, headers)
    }

    pub fn raw(&self, method: &str, path: &str, body: Value, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = request.body(body).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            Answer {
                status: parts.status,
                headers: parts.headers,
                body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
                dropped: parts.extensions.get::<Dropped>().is_some(),
            }
        })
    }

    pub fn truth(&self) -> Truth {
        self.lab.truth("acme").unwrap()
    }

    pub fn true_user(&self, user_name: &str) -> TrueUser {
        self.truth().user(user_name).cloned().expect("the user exists")
    }

    /// Whether a user's credential opens the door, tried as its holder would.
    pub fn opens(&self, secret: &str) -> bool {
        let bearer = format!("Bearer {secret}");
        let answer = self.call_with("GET", "/api/whoami", Value::Null, &[("authorization", &bearer)]);
        assert_eq!(
            answer.status == 200,
            self.lab.works("acme", secret).unwrap(),
            "whoami agrees with the truth"
        );
        answer.status == 200
    }

    pub fn create_user(&self, user_name: &str) -> String {
        let answer = self.call("POST", "/scim/v2/Users", json!({"schemas": [USER], "userName": user_name}));
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.id()
    }

    pub fn patch_user(&self, id: &str, operations: Value) -> Answer {
        self.call("PATCH", &format!("/scim/v2/Users/{id}"), patch(operations))
    }
}

pub fn patch(operations: Value) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
}

/// Ada has everything that a leaver can leave behind: she is in `staff`, which is in `everybody`, and holds a licence,
/// an API token and a session.
pub struct Ada {
    pub id: String,
    pub staff: String,
    pub token_id: String,
    pub token: String,
    pub session: String,
}

pub fn ada(rig: &Rig) -> Ada {
    let user = json!({"userName": "ada", "displayName": "Ada", "title": "Countess"});
    let seed = Seed {
        users: vec![user.as_object().unwrap().clone()],
        groups: vec![
            SeedGroup { name: "everybody".into(), members: vec!["staff".into()], ..SeedGroup::default() },
            SeedGroup { name: "staff".into(), members: vec!["ada".into()], ..SeedGroup::default() },
        ],
        licences: vec![SeedLicence { user: "ada".into(), sku: "pro".into() }],
        tokens: vec![SeedToken { user: "ada".into(), name: "ci".into() }],
        sessions: vec!["ada".into()],
        ..Seed::default()
    };
    let seeded = rig.lab.seed("acme", &seed).unwrap();
    rig.clock.advance(60_000);
    Ada {
        id: seeded.users["ada"].clone(),
        staff: seeded.groups["staff"].clone(),
        token_id: seeded.tokens[0].id.clone(),
        token: seeded.tokens[0].secret.clone(),
        session: seeded.sessions[0].secret.clone(),
    }
}

/// What is true of Ada, in a line.
pub fn state(rig: &Rig) -> String {
    let truth = rig.truth();
    let Some(user) = truth.user("ada") else { return "gone".into() };
    let tokens: Vec<String> = user.tokens.iter().map(|token| format!("{:?}", token.status)).collect();
    format!(
        "{}{} groups={}/{} licences={} tokens={} sessions={}",
        if user.active { "active" } else { "inactive" },
        if user.hidden { " hidden" } else { "" },
        user.groups.len(),
        user.effective_groups.len(),
        user.licences.len(),
        tokens.join(","),
        user.sessions.len(),
    )
}
