//! Act: an integration ends when its provider rejects what it had, and not when somebody says so.

use std::collections::BTreeMap;

use bailiwick_core::{review::LastDrill, scope_test::Shown, verify::Verdict};
use bailiwick_engine::Killed;
use serde_json::json;

use super::{Narrator, Stage};
use crate::{acme, api::FindingView, cli::ListArgs, failure::Result};

/// The name and the secret of a credential that is issued to be ended.
const SPARE: (&str, &str) = ("spare", "lab-chat-spare");
/// How long the proof is waited for, seconds.
const PROOF: u64 = 30;

/// Drills one, kills one that ends as it must and one whose vendor keeps the token alive, and shows the orphan.
pub async fn act(narrator: &mut Narrator, stage: &Stage) -> Result<()> {
    narrator.act("An integration ends when its provider rejects what it had");
    let findings = ListArgs::ALL.read::<FindingView>(|| stage.hub.get(&["findings"])).await?.items;
    let orphan = findings.iter().find(|view| view.finding.subject.starts_with(acme::ORPHAN));
    if let Some(orphan) = orphan {
        narrator.tell(&format!("{}: {}", orphan.finding.code, orphan.finding.message));
    }
    narrator.promise(
        orphan.is_some_and(|view| view.finding.code == "transfer-open"),
        "caught: the owner of `badges` has left; nobody inherits it, somebody has to accept it",
    )?;

    // A second credential, which the vendor issued for the drill.
    let (name, secret) = SPARE;
    stage.truth.seed(acme::FAITHFUL, &json!({ "grants": [[name, secret]] })).await?;
    let request = stage.hub.post(&["integrations", acme::FAITHFUL, "drill"]);
    let drill: LastDrill = request.bytes(secret.as_bytes().to_vec()).send().await?;
    narrator.tell(&format!("$ bailiwick kill {} --drill --spare {name}.txt", acme::FAITHFUL));
    drill.tried.iter().for_each(|tried| narrator.tell(&format!("    {}", tried.what)));
    let mut alive = grants(stage, acme::FAITHFUL).await?;
    let spare = alive.remove(name);
    let shown = drill.tried.iter().all(|tried| tried.shown == Shown::Works) && spare == Some(false);
    narrator.promise(
        shown && alive.values().all(|alive| *alive),
        "a drill shows that its provider ends a credential and tells it from a living one; its own live on",
    )?;

    let killed = kill(narrator, stage, acme::KEEPER).await?;
    let dead = grants(stage, acme::KEEPER).await?.values().all(|alive| !alive);
    let closed = killed.case.as_ref().is_some_and(|case| case.closed.is_some());
    narrator.promise(closed && dead, "its case is closed, and the system lets nothing of it in any more")?;

    let killed = kill(narrator, stage, acme::LIAR).await?;
    let alive = grants(stage, acme::LIAR).await?.into_values().any(|alive| alive);
    let residual = killed
        .cells
        .iter()
        .any(|cell| cell.system.as_str() == acme::LIAR && matches!(cell.verdict, Verdict::Residual { .. }));
    let open = killed.case.as_ref().is_some_and(|case| case.closed.is_none());
    narrator.promise(
        alive && residual && open,
        "the CRM answers 200 and keeps the token alive: `residual`, and the case stays open",
    )
}

async fn kill(narrator: &Narrator, stage: &Stage, name: &str) -> Result<Killed> {
    narrator.tell(&format!("$ bailiwick kill {name}"));
    let request = stage.hub.post(&["integrations", name, "kill"]).maybe("wait", Some(PROOF));
    let killed: Killed = request.send().await?;
    for cell in &killed.cells {
        narrator.tell(&format!("    {} {}: {}", cell.system, cell.class, cell.verdict.name()));
    }
    Ok(killed)
}

/// Whether each grant of the integration is alive, by the back door.
async fn grants(stage: &Stage, system: &str) -> Result<BTreeMap<String, bool>> {
    Ok(stage.truth.of(system).await?.grants)
}
