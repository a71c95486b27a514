//! A line to a folder.

use std::{path::Path, sync::Arc};

use bailiwick_connector::{
    Broker, Line,
    broker::{HttpLimits, HttpTransport},
    seal::SealKey,
    testkit::{Hands, Seeded},
};
use bailiwick_core::{
    id::Tenant,
    integration::{Integration, Purpose},
};
use serde_json::json;

/// A line that may read the files of a folder, and no folder in it.
pub fn line(folder: &Path) -> Line {
    let integration: Integration = serde_json::from_value(json!({
        "name": "log", "purpose": "test", "owner": "hr/1", "backup": "hr/2", "connector": "vault-log",
        "endpoint": format!("file:{}", folder.display()), "role": "log", "system": "vault",
        "scope": {"rules": ["list READ /{file}"]}, "standing": {"state": "enabled"},
    }))
    .unwrap();
    let transport = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
    let key = Arc::new(SealKey::generate(&Seeded::new(1)));
    let broker = Broker::new(Tenant::single(), transport, Arc::new(Hands::default()), key);
    broker.line(&integration, Purpose::Read, None)
}
