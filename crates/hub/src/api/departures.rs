//! `/departures`: who leaves when, as far as that is known ahead, and taking it back.

use axum::{Json, extract::State};
use bailiwick_core::{
    stay::Leaving,
    time::{SignedDuration, Timestamp},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, PlanView, Who,
    answer::{Answer, ApiError, Body, Params, Segment, malformed},
    caller::Caller,
    operation::{Access, Resource, get, post},
    plans,
};
use crate::span;

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-departures", "/departures", list).says("Who leaves within a time; the next first."),
        post("ask-stay", "/identities/{identity}/stay", Access::Decided, stay)
            .says(
                "Asks that somebody stays although a source says an end; a second person approves the plan.",
            )
            .of("/identities/{identity}"),
    ];
    Resource::new(
        "Departures",
        "Who leaves when, as far as that is known ahead, and taking it back.",
        operations,
    )
}

/// How far ahead is looked when nobody says.
const USUAL: &str = "30d";

/// Who leaves, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DepartureView {
    /// Who.
    pub who: Who,
    /// When, and who says so.
    #[serde(flatten)]
    pub leaving: Leaving,
}

/// Why somebody stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StayRequest {
    /// Why.
    pub reason: String,
}

/// How far ahead.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Ahead {
    pub(crate) within: Option<String>,
}

impl Ahead {
    fn until(&self, now: Timestamp) -> Result<Timestamp, ApiError> {
        let text = self.within.as_deref().unwrap_or(USUAL);
        let until = span::read(text).and_then(|ms| now.checked_add(SignedDuration::from_millis(ms)).ok());
        until.ok_or_else(|| malformed(format!("`within` is `{text}`, and not a time such as `24h` or `30d`")))
    }
}

pub async fn list(
    State(hub): State<Hub>,
    _: Caller,
    Params(ahead): Params<Ahead>,
) -> Answer<Vec<DepartureView>> {
    let until = ahead.until(hub.engine.now())?;
    let all = hub.engine.leaving(until).await?;
    let who = hub.who(&mut *hub.read().await?, all.iter().map(|leaving| leaving.identity)).await?;
    let view = |leaving: Leaving| DepartureView { who: Who::of(&who, leaving.identity), leaving };
    Ok(Json(all.into_iter().map(view).collect()))
}

pub async fn stay(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(identity): Segment<String>,
    Body(asked): Body<StayRequest>,
) -> Answer<PlanView> {
    let plan = hub.engine.ask_stay(&identity, &asked.reason, &caller.0).await?;
    plans::show(State(hub), caller, Segment(plan.id)).await
}
