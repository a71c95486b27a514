//! A line to an API over any transport, with the scope that follows from its description and no other.

use std::sync::Arc;

use bailiwick_connector::{
    Broker, Line,
    broker::Transport,
    seal::{Credential, SealContext, SealKey},
    testkit::{Hands, Seeded},
};
use bailiwick_connectors::rest::Rest;
use bailiwick_core::{
    id::Tenant,
    integration::{Integration, Purpose},
};
use serde_json::{Value, json};

/// A line for `purpose` to `endpoint`; `settings` are the broker's.
pub fn line(
    transport: Arc<dyn Transport>,
    endpoint: &str,
    rest: &Rest,
    settings: Value,
    credential: &Credential,
    purpose: Purpose,
) -> Line {
    let rules: Vec<String> = rest.scope().iter().map(ToString::to_string).collect();
    let integration: Integration = serde_json::from_value(json!({
        "name": "app", "purpose": "test", "owner": "hr/1", "backup": "hr/2", "connector": "rest",
        "endpoint": endpoint, "role": "target", "system": "app", "settings": settings,
        "scope": {"rules": rules}, "standing": {"state": "enabled"},
    }))
    .unwrap();
    let chance = Seeded::new(1);
    let key = Arc::new(SealKey::generate(&chance));
    let tenant = Tenant::single();
    let context = SealContext::of(&tenant, &integration, purpose).unwrap();
    let sealed = key.seal(&context, credential, &chance);
    let broker = Broker::new(tenant, transport, Arc::new(Hands::default()), key);
    broker.line(&integration, purpose, Some(&sealed))
}
