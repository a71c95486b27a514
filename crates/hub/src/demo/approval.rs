//! Act: a person approves what no rule may.

use bailiwick_core::digest::Digest;

use super::{Narrator, Stage, leavers::Leaver, matrix};
use crate::{
    acme,
    api::{NewOperator, PlanView},
    cli::{self, ListArgs},
    client::Client,
    failure::Result,
    profile::Profile,
};

/// A second operator approves the drafted plans; the accounts are then really gone.
pub async fn act(narrator: &mut Narrator, stage: &Stage, left: &[Leaver]) -> Result<()> {
    narrator.act("Approval: deleting an account takes a person, bound to what they saw");
    let (name, person) = acme::APPROVER;
    let new = NewOperator {
        name: name.to_owned(),
        roles: ["approver".to_owned()].into(),
        person: Some(person.to_owned()),
        days: 1,
    };
    let made = cli::add_operator(&stage.hub, &new).await?;
    let profile = Profile { token: made.token, operator: made.operator.name, url: stage.profile.url.clone() };
    let approver = Client::new(&profile)?;
    let drafted =
        ListArgs::ALL.read::<PlanView>(|| approver.get(&["plans"]).query("state", "drafted")).await?.items;
    let drafted: Vec<PlanView> =
        drafted.into_iter().filter(|view| left.iter().any(|leaver| leaver.key == view.who.key)).collect();
    for (n, view) in drafted.iter().enumerate() {
        let plan = view.row.plan.id;
        if n == 0 {
            narrator.show(|output| cli::describe_plan(output, view));
            let refused = cli::approve(&approver, plan, Digest::of(b"another plan")).await;
            let refused = refused.is_err_and(|failure| failure.code() == "approval-digest-mismatch");
            narrator.promise(refused, "an approval of anything but these bytes is refused")?;
        }
        cli::approve(&approver, plan, view.row.digest).await?;
        narrator.tell(&format!("$ bailiwick approve {plan}   as {name}, for {}", view.who.name));
    }
    if let Some(view) = drafted.first() {
        let again = cli::approve(&approver, view.row.plan.id, view.row.digest).await;
        narrator.promise(
            again.is_err_and(|f| f.code() == "approval-used"),
            "the same approval a second time is refused",
        )?;
    }
    stage.quiet().await?;
    let truth = stage.truth.of(acme::LIAR).await?;
    for leaver in left {
        let id = leaver.accounts.get(acme::LIAR);
        let gone = id.is_some_and(|id| !truth.users.iter().any(|user| user.id == *id));
        narrator.promise(gone, &format!("the account of {} on crm is really gone", leaver.name))?;
        let view = cli::case(&stage.hub, leaver.case).await?;
        let against = matrix::against(stage, leaver, &view).await?;
        narrator.nothing_against(&against, &format!("every cell of {} is true again", leaver.name))?;
        let now = view.cells.iter().map(|cell| cell.at).max().unwrap_or_default();
        let open: Vec<_> = view.cells.iter().filter(|cell| !cell.verdict.closes(now)).collect();
        let unseen = !open.is_empty() && open.iter().all(|cell| acme::UNSEEN.contains(&cell.class));
        narrator.promise(
            unseen && view.case.closed.is_none(),
            "all is proven but the consents on crm, which nothing shows: the case stays open, and says so",
        )?;
    }
    Ok(())
}
