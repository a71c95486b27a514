//! A line to a database, with a scope that has the statements of its dialect and no other.

use std::sync::Arc;

use async_trait::async_trait;
use bailiwick_connector::{
    Broker, Line,
    broker::{Transport, TransportError, TransportErrorKind},
    seal::{Credential, CredentialScheme, SealContext, SealKey, Secret},
    testkit::{Hands, Seeded},
};
use bailiwick_connectors::sql::with_dialects;
use bailiwick_core::{
    id::Tenant,
    integration::{Integration, Purpose},
};
use bytes::Bytes;
use serde_json::{Value, json};

/// No way to the web.
struct Nowhere;

#[async_trait]
impl Transport for Nowhere {
    async fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let cause = "no test of a database asks the web".into();
        Err(TransportError { kind: TransportErrorKind::Unreachable, sent: false, cause })
    }
}

/// A line to `endpoint` as `user`; as nobody without one.
pub fn line(
    endpoint: &str,
    settings: &Value,
    scope: &[&str],
    user: Option<(&str, &str)>,
    purpose: Purpose,
) -> Line {
    let mut settings = settings.clone();
    if user.is_none() {
        settings["auth"] = "none".into();
    }
    let integration: Integration = serde_json::from_value(json!({
        "name": "db", "purpose": "test", "owner": "hr/1", "backup": "hr/2", "connector": "sql",
        "endpoint": endpoint, "role": "target", "system": "db", "settings": settings,
        "scope": {"rules": scope}, "standing": {"state": "enabled"},
    }))
    .unwrap();
    let chance = Seeded::new(1);
    let key = Arc::new(SealKey::generate(&chance));
    let tenant = Tenant::single();
    let context = SealContext::of(&tenant, &integration, purpose).unwrap();
    let sealed = user.map(|(user, password)| {
        let scheme = CredentialScheme::Basic { user: user.into() };
        key.seal(&context, &Credential { scheme, secret: Secret::new(password) }, &chance)
    });
    let broker = Broker::new(tenant, Arc::new(Nowhere), Arc::new(Hands::default()), key);
    with_dialects(broker).unwrap().line(&integration, purpose, sealed.as_ref())
}
