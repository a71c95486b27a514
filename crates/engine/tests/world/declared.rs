//! What a world declares: a feed, and for each simulated system the same integration, entitlements and rules.

use std::collections::BTreeMap;

use bailiwick_core::{
    automation::{Automation, AutomationKind},
    id::{AutomationName, IntegrationName, SourceName, SystemName},
    integration::{Integration, Register, Role, Standing},
    policy::PolicyFile,
    system::{Entitlement, OnLeave, System},
};
use bailiwick_engine::Configuration;
use serde_json::json;

use super::World;

/// The classes that every simulated system has.
pub const CLASSES: &str =
    r#"["primary-account","direct-groups","nested-groups","licences","api-tokens","sessions"]"#;

/// A rule of the chat by which a ticket puts somebody into a group, and who answers for it.
pub fn automation(owner: &str) -> Automation {
    Automation {
        name: AutomationName::new("tickets").unwrap(),
        title: "chat rule 12".into(),
        kind: AutomationKind::TicketRule,
        from: "object chat/ticket".parse().unwrap(),
        to: "entitlement chat/finance".parse().unwrap(),
        by_person: false,
        owner: Some(owner.into()),
    }
}

/// Has the audit log of a system read.
pub fn audited(configuration: &mut Configuration, system: &str) {
    let integration = configuration.integrations.iter_mut().find(|i| i.name.as_str() == system).unwrap();
    integration.settings["audit"] = json!({
        "list": "/api/audit", "after": "after", "items": "entries", "mark": "seq", "at": "at", "actor": "actor",
        "ours": ["integration"], "deed": "effect", "account": "user",
        "given": { "member-added": "direct-groups", "token-created": "api-tokens", "user-created": "primary-account",
            "user-activated": "primary-account" },
        "taken": { "token-revoked": "api-tokens", "session-ended": "sessions", "member-removed": "direct-groups",
            "user-deactivated": "primary-account" },
        "changed": { "user-changed": "primary-account" },
        "ends": ["user-deleted"]
    });
    integration.scope.rules.push("list GET /api/audit".parse().unwrap());
}

/// What is on record of every integration here.
pub fn register() -> Register {
    Register {
        boundary: "inside".into(),
        data_flows: vec!["names".into()],
        privilege_flows: vec!["groups".into()],
        vendor: "nobody".into(),
        ..Register::default()
    }
}

impl World {
    /// The configuration of this world.
    pub fn configuration(&self) -> Configuration {
        let mut out = Configuration {
            policies: vec![PolicyFile { path: "rules.cedar".into(), text: self.policies() }],
            integrations: vec![self.source()],
            ..Configuration::default()
        };
        for system in &self.systems {
            out.systems.push(System {
                name: SystemName::new(system).unwrap(),
                title: system.clone(),
                classes: serde_json::from_str(CLASSES).unwrap(),
                on_leave: OnLeave::Disable,
                convergence_ms: 5_000,
                retention_days: 30,
                reconcile: Default::default(),
                audit_every_ms: 24 * 3_600_000,
                audit_lag_ms: 0,
                anchor: false,
                unique: Default::default(),
                reserved_days: None,
                reconcile_every_ms: System::usual_reconcile_every(),
                probe_every_ms: System::usual_probe_every(),
                account: BTreeMap::from([
                    ("userName".into(), "{email}".into()),
                    ("displayName".into(), "{display_name}".into()),
                ]),
            });
            let entitlement = |name: &str, class: &str, label: &str, privileged: bool| -> Entitlement {
                serde_json::from_value(json!({
                    "name": format!("{system}/{name}"), "class": class, "label": label, "privileged": privileged
                }))
                .unwrap()
            };
            out.entitlements.extend([
                entitlement("account", "primary-account", "account", false),
                entitlement("everyone", "direct-groups", "Everyone", false),
                entitlement("engineering", "direct-groups", "Engineering", false),
                entitlement("finance", "direct-groups", "Finance", false),
                entitlement("admins", "direct-groups", "Admins", true),
            ]);
            out.integrations.push(self.target(system));
        }
        out
    }

    fn policies(&self) -> String {
        let mut text = String::from(
            r#"
@id("rule-ordinary") permit(principal is Rule, action == Action::"approve", resource)
  when { !resource.privileged && !resource.destructive };
@id("person-any") permit(principal is Operator, action == Action::"approve", resource)
  when { principal.roles.contains("approver") };
"#,
        );
        for system in &self.systems {
            text.push_str(&format!(
                r#"
@id("{system}-all") permit(principal, action == Action::"hold", resource == Entitlement::"{system}/account");
@id("{system}-everyone") permit(principal, action == Action::"hold", resource == Entitlement::"{system}/everyone");
@id("{system}-eng") permit(principal, action == Action::"hold", resource == Entitlement::"{system}/engineering")
  when {{ principal.department == "Engineering" }};
@id("{system}-fin") permit(principal, action == Action::"hold", resource == Entitlement::"{system}/finance")
  when {{ principal.department == "Finance" }};
"#
            ));
        }
        text
    }

    fn source(&self) -> Integration {
        let text = |required| json!({ "type": "text", "required": required });
        let contract = serde_json::from_value(json!({
            "attributes": { "email": text(true), "display_name": text(true), "department": text(true) },
            "always_allowed": 5, "max_loss_percent": 20, "max_change_percent": 50
        }))
        .unwrap();
        Integration {
            name: IntegrationName::new("hr").unwrap(),
            purpose: "people".into(),
            owner: self.people.0.into(),
            backup: self.people.1.into(),
            connector: "csv".into(),
            endpoint: format!("file://{}", self.folder.path().display()),
            role: Role::Source { source: SourceName::new("hr").unwrap(), contract },
            scope: serde_json::from_value(json!({ "rules": ["list READ /{file}", "get READ /{file}"] }))
                .unwrap(),
            settings: json!({
                "file": "current.csv", "key": "id",
                "columns": { "email": "email", "display_name": "name", "department": "dept" },
                "end": "last_day",
                "status": "status", "active": ["active"], "terminated": ["left"]
            }),
            standing: Standing::Enabled,
            register: register(),
            gates: Default::default(),
            kill: None,
        }
    }

    fn target(&self, system: &str) -> Integration {
        let vendor = "/api/users/{id}";
        Integration {
            name: IntegrationName::new(system).unwrap(),
            purpose: "accounts".into(),
            owner: self.people.0.into(),
            backup: self.people.1.into(),
            connector: "scim".into(),
            endpoint: format!("http://127.0.0.1:9/{system}"),
            role: Role::Target { system: SystemName::new(system).unwrap() },
            scope: serde_json::from_value(json!({ "rules": [
                "discover GET /scim/v2/ServiceProviderConfig", "discover GET /scim/v2/Schemas",
                "list GET /scim/v2/Users", "get GET /scim/v2/Users", "get GET /scim/v2/Users/{id}",
                "create POST /scim/v2/Users", "update PATCH /scim/v2/Users/{id}", "update PUT /scim/v2/Users/{id}",
                "delete DELETE /scim/v2/Users/{id}",
                "list GET /scim/v2/Groups", "get GET /scim/v2/Groups", "get GET /scim/v2/Groups/{id}",
                "grant PATCH /scim/v2/Groups/{id}", "revoke PATCH /scim/v2/Groups/{id}",
                "list GET /api/users/{id}/licences", "grant PUT /api/users/{id}/licences/{sku}",
                "revoke DELETE /api/users/{id}/licences/{sku}",
                "list GET /api/users/{id}/tokens", "revoke DELETE /api/users/{id}/tokens/{tid}",
                "list GET /api/users/{id}/sessions", "revoke DELETE /api/users/{id}/sessions/{sid}"
            ] }))
            .unwrap(),
            settings: json!({
                "base": "/scim/v2", "idempotency_header": "Idempotency-Key", "read_lag_ms": 2_500,
                "held": {
                    "licences": { "list": format!("{vendor}/licences"), "grant": format!("{vendor}/licences/{{item}}"),
                        "revoke": format!("{vendor}/licences/{{item}}"), "item": "sku", "name": "sku" },
                    "api-tokens": { "list": format!("{vendor}/tokens"), "revoke": format!("{vendor}/tokens/{{item}}"),
                        "item": "id", "name": "name", "live": { "field": "status", "equals": "active" }, "gone": { "field": "status", "equals": "revoked" },
                        "purges": "purges_at" },
                    "sessions": { "list": format!("{vendor}/sessions"), "revoke": format!("{vendor}/sessions/{{item}}"),
                        "item": "id", "name": "id" }
                }
            }),
            standing: Standing::Enabled,
            register: register(),
            gates: Default::default(),
            kill: None,
        }
    }
}
