//! `/metrics` of the API: figures of a window, from the log.

use axum::{Json, extract::State};
use bailiwick_core::{
    metrics::Figures,
    time::{SignedDuration, Timestamp},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Hub,
    answer::{Answer, ApiError, Params, malformed},
    caller::Caller,
    operation::{Resource, get},
};
use crate::span;

/// What can be done with them.
pub fn routes() -> Resource {
    let operations =
        vec![get("show-metrics", "/metrics", show).says("As of now, of what began at `since` or later.")];
    Resource::new("Figures", "Figures of a window, from the log.", operations)
}

/// The window when none is asked for.
const USUAL: &str = "30d";

/// Which window.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Window {
    since: Option<String>,
}

impl Window {
    /// Where it begins: an instant, or so long before `now`.
    pub fn begins(&self, now: Timestamp) -> Result<Timestamp, ApiError> {
        let text = self.since.as_deref().unwrap_or(USUAL);
        if let Ok(instant) = text.parse() {
            return Ok(instant);
        }
        let before = span::read(text).and_then(|ms| now.checked_sub(SignedDuration::from_millis(ms)).ok());
        before.ok_or_else(|| {
            malformed(format!(
                "`since` is `{text}`, and not a time such as `24h` or `30d`, nor an instant such as `{now:.0}`"
            ))
        })
    }
}

pub async fn show(State(hub): State<Hub>, _: Caller, Params(window): Params<Window>) -> Answer<Figures> {
    let since = window.begins(hub.engine.now())?;
    Ok(Json(hub.engine.metrics(since).await?))
}
