//! The connectors that come with the hub, one module each, with the same file names:
//! `mod` (the contract), `settings` (what configuration may say), `decode` (what systems say) and, for
//! those that write, `encode`.

pub mod csv;
pub mod scim;

use std::sync::Arc;

use bailiwick_connector::{Connector, Result};

/// The kinds of connector that [`build`] knows.
pub const KINDS: [&str; 2] = ["csv", "scim"];

/// Makes a connector of the kind `kind` from its settings. Fails with `Settings`, naming the setting,
/// when they are not understood, and when there is no such kind.
pub fn build(kind: &str, settings: &serde_json::Value) -> Result<Arc<dyn Connector>> {
    use bailiwick_connector::{ConnectorError, ErrorKind};
    match kind {
        "csv" => Ok(Arc::new(csv::Csv::new(settings)?)),
        "scim" => Ok(Arc::new(scim::Scim::new(settings)?)),
        other => Err(ConnectorError::none(
            ErrorKind::Settings,
            format!("`{other}` is not a kind of connector; there are {}", KINDS.join(", ")),
        )),
    }
}
