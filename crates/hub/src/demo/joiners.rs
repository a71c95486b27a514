//! Act: a company comes in.

use bailiwick_core::account::Account;

use super::{Narrator, Stage, truth::disagreements};
use crate::{
    acme,
    api::{AccountView, ReconciledView},
    cli::{self, ListArgs},
    clock::Stopwatch,
    failure::Result,
};

/// Imports the first feed and compares every account with the truth.
pub async fn act(narrator: &mut Narrator, stage: &Stage) -> Result<()> {
    narrator.act("Joiners: the HR feed of a whole company");
    let watch = Stopwatch::start();
    let delivered = cli::deliver(&stage.hub, acme::SOURCE, acme::DAY_1.into(), None).await?;
    narrator.tell(&format!("$ bailiwick import hr hr.csv             {} records", delivered.rows));
    let status = stage.quiet().await?;
    let accounts = accounts(stage).await?;
    let active = status.identities.get("active").copied().unwrap_or_default();
    let seconds = watch.elapsed().as_secs_f64();
    narrator.tell(&format!("{active} active people have {} accounts after {seconds:.1} s", accounts.len()));
    narrator.promise(active > 400 && accounts.len() > 1000, "everybody who works here is provisioned")?;
    let against = against(stage, &accounts).await?;
    narrator.nothing_against(&against, "every account and every group is really so on all three systems")?;
    let mut found = Vec::new();
    // Twice: what a first run would wrongly put right, a second would not find again, or find anew.
    for system in acme::SYSTEMS.into_iter().chain(acme::SYSTEMS) {
        found.extend(differences(system, &cli::reconcile(&stage.hub, system, false).await?));
    }
    narrator.nothing_against(&found, "reconciling each system, and once more, finds nothing")?;
    let again = cli::deliver(&stage.hub, acme::SOURCE, acme::DAY_1.into(), None).await?;
    let idle = stage.quiet().await?;
    let same = again.events.values().sum::<u64>() == 0 && idle.plans == status.plans;
    narrator.promise(same, "the same feed again makes no event and no plan")
}

/// All accounts that the hub knows.
pub async fn accounts(stage: &Stage) -> Result<Vec<Account>> {
    let listed = ListArgs::ALL.read::<AccountView>(|| stage.hub.get(&["accounts"])).await?;
    Ok(listed.items.into_iter().map(|view| view.account).collect())
}

/// What is not true of what the hub says about the accounts.
pub async fn against(stage: &Stage, accounts: &[Account]) -> Result<Vec<String>> {
    let truths = stage.truth.all().await?;
    Ok(truths.values().flat_map(|truth| disagreements(accounts, truth, &stage.entitlements)).collect())
}

/// What a reconciliation found that is not as the hub knew it.
fn differences(system: &str, found: &ReconciledView) -> Option<String> {
    let ReconciledView { accounts, unchanged, changed, adopted, unmanaged, gone, .. } = found;
    let whole = found.partial.is_none() && *accounts > 0 && unchanged == accounts;
    let counts = [("changed", changed), ("new", adopted), ("of nobody known", unmanaged), ("gone", gone)];
    let told: Vec<String> =
        counts.iter().filter(|(_, n)| **n > 0).map(|(what, n)| format!("{n} {what}")).collect();
    let nothing = whole && told.is_empty();
    (!nothing).then(|| format!("{system}: {unchanged} of {accounts} unchanged, {}", told.join(", ")))
}
