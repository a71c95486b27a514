//! Act: one person moves, two leave.

use std::collections::BTreeMap;

use bailiwick_core::id::CaseId;
use serde_json::json;

use super::{Narrator, Stage, truth::groups_of};
use crate::{
    acme,
    api::{CaseLine, IdentityView},
    cli::{self, ListArgs},
    clock::Stopwatch,
    failure::{Failure, Result},
};

/// Somebody who left.
pub struct Leaver {
    /// `source/key`.
    pub key: String,
    /// Their name.
    pub name: String,
    /// Their case.
    pub case: CaseId,
    /// System → the system's id of their account.
    pub accounts: BTreeMap<String, String>,
}

/// Gives two people tokens and sessions behind the hub's back, then imports the second feed.
pub async fn act(narrator: &mut Narrator, stage: &Stage) -> Result<Vec<Leaver>> {
    narrator.act("A mover and two leavers: the feed of the next day");
    let mover_before = groups(stage, acme::MOVER).await?;
    let mut leaving = Vec::new();
    for key in acme::LEAVERS {
        let view = person(stage, key).await?;
        for account in &view.accounts {
            stage.truth.seed(account.system.as_str(), &extras(&account.username)).await?;
        }
        leaving.push(view);
    }
    let names: Vec<String> = leaving.iter().map(|view| view.identity.display_name()).collect();
    narrator.tell(&format!(
        "{} made API tokens and are signed in, which the hub was never told",
        names.join(" and ")
    ));

    let watch = Stopwatch::start();
    let delivered = cli::deliver(&stage.hub, acme::SOURCE, acme::DAY_2.into(), None).await?;
    let events: Vec<String> = delivered.events.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    narrator.tell(&format!("$ bailiwick import hr day-2.csv          {}", events.join(", ")));
    stage.quiet().await?;
    narrator.tell(&format!(
        "decided, planned, approved by rule, applied, read back: {:.1} s",
        watch.elapsed().as_secs_f64()
    ));

    let mover_after = groups(stage, acme::MOVER).await?;
    let lost: Vec<&String> = mover_before.iter().filter(|group| !mover_after.contains(group)).collect();
    let won: Vec<&String> = mover_after.iter().filter(|group| !mover_before.contains(group)).collect();
    let mover = person(stage, acme::MOVER).await?.identity.display_name();
    narrator.tell(&format!("{mover} moved: - {}   + {}", joined(&lost), joined(&won)));
    let accounts = super::joiners::accounts(stage).await?;
    let exact = !lost.is_empty() && !won.is_empty() && mover_is_exact(stage, &accounts).await?;
    narrator.promise(exact, "the mover holds exactly what policy gives now, nothing of before")?;

    let cases = ListArgs::ALL.read::<CaseLine>(|| stage.hub.get(&["cases"])).await?.items;
    let one_each = leaving
        .iter()
        .all(|view| cases.iter().filter(|line| line.case.identity == view.identity.id).count() == 1);
    narrator.promise(one_each, "each leaver has one case")?;
    leaving.into_iter().map(|view| leaver(view, &cases)).collect()
}

fn leaver(view: IdentityView, cases: &[CaseLine]) -> Result<Leaver> {
    let identity = view.identity;
    let case = cases.iter().find(|line| line.case.identity == identity.id).map(|line| line.case.id);
    let key = identity.source_key.to_string();
    let case = case.ok_or_else(|| Failure::refused("promise-broken", format!("{key} has no case")))?;
    let accounts = view.accounts.into_iter().map(|a| (a.system.to_string(), a.external_id)).collect();
    Ok(Leaver { name: identity.display_name(), key, case, accounts })
}

/// An API token and two sessions.
fn extras(username: &str) -> serde_json::Value {
    json!({
        "tokens": [{"user": username, "name": "laptop-script"}],
        "sessions": [username, username],
    })
}

async fn person(stage: &Stage, key: &str) -> Result<IdentityView> {
    stage.hub.get(&["identities", key]).send().await
}

/// `system/group` for each group that somebody is really in.
async fn groups(stage: &Stage, key: &str) -> Result<Vec<String>> {
    let view = person(stage, key).await?;
    let mut groups = Vec::new();
    for account in &view.accounts {
        let truth = stage.truth.of(account.system.as_str()).await?;
        if let Some(user) = truth.users.iter().find(|user| user.id == account.external_id) {
            groups.extend(groups_of(user, &truth).into_iter().map(|name| format!("{}/{name}", truth.system)));
        }
    }
    Ok(groups)
}

async fn mover_is_exact(stage: &Stage, accounts: &[bailiwick_core::account::Account]) -> Result<bool> {
    let mover = person(stage, acme::MOVER).await?;
    let theirs: Vec<_> = accounts.iter().filter(|a| a.identity == Some(mover.identity.id)).cloned().collect();
    let against = super::joiners::against(stage, accounts).await?;
    Ok(theirs.iter().all(|a| !against.iter().any(|line| line.contains(&a.username))))
}

fn joined(names: &[&String]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}
