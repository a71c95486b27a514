//! A line to a SCIM system over any transport, with a sealed token and a scope that has every call that
//! the connector makes and no other.

use std::sync::Arc;

use bailiwick_connector::{
    Broker, Line,
    broker::Transport,
    seal::{Credential, SealContext, SealKey, Secret},
    testkit::{Fixtures, Hands, PersonFixture, Seeded},
};
use bailiwick_core::{
    account::AccountAttributes,
    id::Tenant,
    integration::{Integration, Purpose},
};
use serde_json::{Map, Value, json};

#[allow(dead_code, reason = "other tests use the rest")]
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
#[allow(dead_code, reason = "other tests use the rest")]
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What the connector needs below the base `/BASE` of the SCIM interface and the vendor's `/api`.
const SCOPE: [&str; 25] = [
    "discover GET /BASE/ServiceProviderConfig",
    "discover GET /BASE/Schemas",
    "list GET /BASE/Users",
    "list GET /BASE/Groups",
    "get GET /BASE/Users/{id}",
    "get GET /BASE/Groups/{id}",
    "create POST /BASE/Users",
    "update PATCH /BASE/Users/{id}",
    "update PUT /BASE/Users/{id}",
    "delete DELETE /BASE/Users/{id}",
    "grant PATCH /BASE/Groups/{id}",
    "grant PUT /BASE/Groups/{id}",
    "revoke PATCH /BASE/Groups/{id}",
    "revoke PUT /BASE/Groups/{id}",
    "list GET /api/users/{id}/licences",
    "list GET /api/audit",
    "grant PUT /api/users/{id}/licences/{sku}",
    "revoke DELETE /api/users/{id}/licences/{sku}",
    "list GET /api/users/{id}/tokens",
    "revoke DELETE /api/users/{id}/tokens/{token}",
    "list GET /api/users/{id}/sessions",
    "revoke DELETE /api/users/{id}/sessions/{session}",
    "issue POST /api/users/{id}/tokens",
    "issue POST /api/users/{id}/sessions",
    "try GET /api/whoami",
];

/// A line for `purpose` that shows `token` at `endpoint`.
pub fn line(
    transport: Arc<dyn Transport>,
    endpoint: &str,
    base: &str,
    token: &str,
    purpose: Purpose,
) -> Line {
    let rules: Vec<String> = SCOPE.iter().map(|rule| rule.replace("/BASE", base)).collect();
    let integration: Integration = serde_json::from_value(json!({
        "name": "app", "purpose": "test", "owner": "hr/1", "backup": "hr/2", "connector": "scim",
        "endpoint": endpoint, "role": "target", "system": "app",
        "scope": {"rules": rules}, "standing": {"state": "enabled"},
    }))
    .unwrap();
    let chance = Seeded::new(1);
    let key = Arc::new(SealKey::generate(&chance));
    let tenant = Tenant::single();
    let context = SealContext::of(&tenant, &integration, purpose).unwrap();
    let sealed = key.seal(&context, &Credential::bearer(Secret::new(token)), &chance);
    let broker = Broker::new(tenant, transport, Arc::new(Hands::default()), key);
    broker.line(&integration, purpose, Some(&sealed))
}

/// Attributes to set: one that is plain, one with parts, one that is an element of a list, and one of an
/// extension.
pub fn change(n: u32) -> AccountAttributes {
    let value = |what: &str| format!("{what} {n} Ä\"").as_str().into();
    [
        ("title".to_owned(), value("title")),
        ("givenName".to_owned(), value("given")),
        ("department".to_owned(), value("department")),
        ("email".to_owned(), format!("kit{n}@acme.example").as_str().into()),
    ]
    .into()
}

/// The people of the kit as users, with their key as `externalId` and as number.
#[allow(dead_code, reason = "other tests use the rest")]
pub fn people(fixtures: &Fixtures) -> Vec<Map<String, Value>> {
    let user = |(n, person): (usize, &PersonFixture)| {
        let user = json!({
            "schemas": [USER, ENTERPRISE], "userName": format!("u{n}"), "externalId": person.key,
            "displayName": person.name, "active": !person.terminated,
            ENTERPRISE: { "employeeNumber": person.key, "department": person.department },
        });
        user.as_object().cloned().unwrap_or_default()
    };
    fixtures.people.iter().enumerate().map(user).collect()
}
