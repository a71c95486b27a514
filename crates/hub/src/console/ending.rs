//! Ending an integration: what it would do, and drilling that it would work, which ends nothing.

use axum::{body::Bytes, extract::State, response::Response};
use bailiwick_core::{
    id::IntegrationName,
    integration::{Integration, Role},
    review::LastDrill,
    scope_test::{Shown, Tried},
};
use bailiwick_store::{Filter, Table};
use serde::Deserialize;

use super::{
    integrations::act,
    show::{Badge, Tone, counted},
    signed_in::{Posted, SignedIn},
    trouble::Trouble,
};
use crate::api::{ApiError, Hub, IntegrationView, Raw, answer::Segment, kill};

/// What ending an integration would do, in the order in which it happens.
pub async fn would(hub: &Hub, view: &IntegrationView) -> Result<Vec<String>, ApiError> {
    let one = &view.integration;
    let credentials = counted(view.credentials.len(), "credential", "credentials");
    let mut lines = vec![match &one.kill {
        Some(kill) => format!(
            "{credentials} of the hub: sealed anew at once, and sent with nothing but `{}`, which ends it at the provider, and \
             `{}`, which tries it until the provider rejects it",
            kill.revoke, kill.probe
        ),
        None => format!(
            "{credentials} of the hub: never sent again. Nothing declares how they are ended and tried (`[integration.{}.kill]`), so its \
             case stays open until a person answers for that",
            one.name
        ),
    }];
    lines.extend(served(hub, one).await?);
    if !one.register.callbacks.is_empty() {
        let callbacks = counted(one.register.callbacks.len(), "callback", "callbacks");
        lines.push(format!("{callbacks}: what comes in by them is turned away"));
    }
    lines.push("what it has under way: stopped, and told as the finding `work-stopped`".to_owned());
    lines.push("both gates: shut. It can be declared anew only once what it had is proven dead".to_owned());
    Ok(lines)
}

async fn served(hub: &Hub, one: &Integration) -> Result<Option<String>, ApiError> {
    Ok(match &one.role {
        Role::Target { system } => {
            let of = Filter::Is("system", system.as_str().into());
            let known = hub.count(&mut *hub.read().await?, Table::Accounts, Some(of)).await?;
            let known = counted(usize::try_from(known).unwrap_or_default(), "account", "accounts");
            Some(format!(
                "{system}: nothing is read or changed there any more. {known} known there stay as they are, also when somebody leaves"
            ))
        }
        Role::Source { source, .. } => Some(format!(
            "source {source}: nothing of it is taken in any more; who is known stays as they are"
        )),
        Role::Log { system } => Some(format!(
            "log of {system}: nobody is told any more who did what there, and nothing there vouches for what the hub did"
        )),
        Role::Partner { .. } => None,
    })
}

/// What a drill tried, with what came of each.
pub fn tried(drill: &LastDrill) -> Vec<(Badge, String, String)> {
    let line = |Tried { what, shown }: &Tried| match shown {
        Shown::Works => (Badge::new(Tone::Good, "✓ works"), what.clone(), String::new()),
        Shown::Fails { code, message } => {
            (Badge::new(Tone::Bad, "✗ fails"), what.clone(), format!("{message} ({code})"))
        }
        Shown::CannotBeShown { why } => {
            (Badge::new(Tone::Warn, "? cannot be shown"), what.clone(), why.clone())
        }
    };
    drill.tried.iter().map(line).collect()
}

/// A second credential, which the drill may end.
#[derive(Deserialize)]
pub struct Spare {
    #[serde(default)]
    spare: String,
}

/// `POST /integrations/{integration}/drill`: shows that ending it would work, and ends nothing of its own.
pub async fn drill(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(name): Segment<IntegrationName>,
    Posted(Spare { spare }): Posted<Spare>,
) -> Result<Response, Trouble> {
    let (segment, raw) = (Segment(name.clone()), Raw(Bytes::from(spare)));
    let drilled = kill::drill(State(hub.clone()), signed_in.caller.clone(), segment, raw).await;
    act((hub, signed_in, name), drilled.map(|_| "rehearsed")).await
}
