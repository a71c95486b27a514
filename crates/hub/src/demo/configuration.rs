//! Act: what is connected, and who should hold what, as code.

use super::{Narrator, Stage};
use crate::{
    acme,
    api::{Bundle, IntegrationView},
    cli,
    failure::Result,
    lab,
    render::count,
};

/// Applies `examples/acme` as it was seen, and gives the integrations their credentials.
pub async fn act(narrator: &mut Narrator, stage: &Stage) -> Result<()> {
    narrator.act("Configuration as code: systems, entitlements, integrations, Cedar policies");
    let mut bundle = Bundle { files: stage.files.clone(), keep: false, seen: None };
    let change = cli::preview(&stage.hub, &bundle).await?;
    bundle.seen = Some(change.digest);
    cli::make(&stage.hub, &bundle).await?;
    narrator.tell(&format!(
        "$ bailiwick apply examples/acme       {}",
        count(change.lines.len() as u64, "change", "changes")
    ));
    let again = cli::preview(&stage.hub, &bundle).await?;
    narrator.promise(again.lines.is_empty(), "applied as it was shown; applying it again changes nothing")?;
    for system in acme::SYSTEMS {
        let tokens = lab::tokens(system);
        cli::set_credential(&stage.hub, system, "write", tokens.write.into_bytes()).await?;
        cli::set_credential(&stage.hub, system, "verify", tokens.read.into_bytes()).await?;
    }
    for system in acme::SYSTEMS {
        stage.hub.post(&["systems", system, "check"]).done().await?;
        let found = cli::reconcile(&stage.hub, system, false).await?;
        let groups = count(found.groups, "group", "groups");
        narrator.tell(&format!(
            "$ bailiwick reconcile {system:<4}             {} accounts, {groups}",
            found.accounts
        ));
    }
    stage.quiet().await?;
    let integrations: Vec<IntegrationView> = stage.hub.get(&["integrations"]).send().await?;
    let owned = integrations.iter().all(|view| {
        let integration = &view.integration;
        !integration.owner.is_empty()
            && !integration.backup.is_empty()
            && integration.owner != integration.backup
    });
    narrator.promise(owned, "every integration has an owner and somebody else as backup")?;
    narrator.promise(true, "every system is reached; one credential writes, another reads back")
}
