//! The connectors that come with the hub, one module each, with the same file names:
//! `mod` (the contract), `settings` (what configuration may say), `decode` (what systems say) and, for
//! those that write, `encode`.

pub mod csv;
pub mod scim;

use std::sync::Arc;

use bailiwick_connector::{
    Connector, ConnectorError, ErrorKind, Patience, Patient, Result, Sleep, broker::LineSettings,
};
use serde_json::Value;

/// The kinds of connector that [`build`] knows.
pub const KINDS: [&str; 2] = ["csv", "scim"];

/// Makes a connector of the kind `kind` from an integration's settings, of which it leaves the broker's
/// ([`LineSettings`]) alone. It never waits and never tries again: every failure goes up at once.
///
/// Fails with `Settings`, naming the setting, when they are not understood, and when there is no such kind.
pub fn build(kind: &str, settings: &Value) -> Result<Arc<dyn Connector>> {
    let (_, settings) = LineSettings::split(settings)?;
    match kind {
        "csv" => Ok(Arc::new(csv::Csv::new(&settings)?)),
        "scim" => Ok(Arc::new(scim::Scim::new(&settings)?)),
        other => Err(ConnectorError::none(
            ErrorKind::Settings,
            format!("`{other}` is not a kind of connector; there are {}", KINDS.join(", ")),
        )),
    }
}

/// The same as [`build`], for a process that has systems to be patient with: reads survive a short
/// outage and a system that asks for a moment (429 with `Retry-After`), as [`Patience::default`] says;
/// a longer wait goes up with its `retry_after`. Changes are never tried again. It waits by the timer of
/// the runtime, so a simulation with a clock of its own takes [`build`].
pub fn build_patient(kind: &str, settings: &Value) -> Result<Arc<dyn Connector>> {
    let patience = Patience::default();
    build(kind, settings).map(|inner| Arc::new(Patient::new(inner, patience, Arc::new(Sleep))) as _)
}
