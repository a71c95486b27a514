//! Act: a person approves what no rule may.

use bailiwick_core::{
    access::AccessClass,
    case::Cell,
    control::Acceptance,
    digest::Digest,
    time::{Clock, SignedDuration},
};
use jiff::tz::TimeZone;

use super::{Narrator, Stage, leavers::Leaver, matrix};
use crate::{
    acme,
    api::PlanView,
    cli::{self, ListArgs},
    client::Client,
    clock::SystemClock,
    failure::Result,
};

/// A second operator approves the drafted plans; the accounts are then really gone.
pub async fn act(narrator: &mut Narrator, stage: &Stage, left: &[Leaver], approver: &Client) -> Result<()> {
    narrator.act("Approval: deleting an account takes a person, bound to what they saw");
    let (name, _) = acme::APPROVER;
    let drafted =
        ListArgs::ALL.read::<PlanView>(|| approver.get(&["plans"]).query("state", "drafted")).await?.items;
    let drafted: Vec<PlanView> =
        drafted.into_iter().filter(|view| left.iter().any(|leaver| leaver.key == view.who.key)).collect();
    for (n, view) in drafted.iter().enumerate() {
        let plan = view.row.plan.id;
        if n == 0 {
            narrator.show(|output| cli::describe_plan(output, view));
            let refused = cli::approve(approver, plan, Digest::of(b"another plan")).await;
            let refused = refused.is_err_and(|failure| failure.code() == "approval-digest-mismatch");
            narrator.promise(refused, "an approval of anything but these bytes is refused")?;
        }
        cli::approve(approver, plan, view.row.digest).await?;
        narrator.tell(&format!("$ bailiwick approve {plan}   as {name}, for {}", view.who.name));
    }
    if let Some(view) = drafted.first() {
        let again = cli::approve(approver, view.row.plan.id, view.row.digest).await;
        narrator.promise(
            again.is_err_and(|f| f.code() == "approval-used"),
            "the same approval a second time is refused",
        )?;
    }
    stage.quiet().await?;
    let truth = stage.truth.of(acme::LIAR).await?;
    let mut closable = None;
    for leaver in left {
        let id = leaver.accounts.get(acme::LIAR);
        let gone = id.is_some_and(|id| !truth.users.iter().any(|user| user.id == *id));
        narrator.promise(gone, &format!("the account of {} on crm is really gone", leaver.name))?;
        let view = cli::case(&stage.hub, leaver.case).await?;
        let against = matrix::against(stage, leaver, &view).await?;
        narrator.nothing_against(&against, &format!("every cell of {} is true again", leaver.name))?;
        let now = view.cells.iter().map(|cell| cell.at).max().unwrap_or_default();
        let open: Vec<_> = view.cells.iter().filter(|cell| !cell.verdict.closes(now)).collect();
        let (unseen, owned): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|cell| acme::UNSEEN.contains(&cell.class));
        let known = owned.iter().all(|cell| cell.class == AccessClass::OwnedNhis);
        let and = match owned.is_empty() {
            true => String::new(),
            false => format!(", and `{}`, which {} answered for", acme::ORPHAN, leaver.name),
        };
        narrator.promise(
            !unseen.is_empty() && known && view.case.closed.is_none(),
            &format!(
                "all is proven but the consents on crm, which nothing shows{and}: the case stays open, and says so"
            ),
        )?;
        if owned.is_empty() {
            closable.get_or_insert(leaver);
        }
    }
    match closable {
        Some(leaver) => accept(narrator, approver, leaver).await,
        None => narrator.promise(false, "somebody who left answered for nothing"),
    }
}

/// For somebody who answered for nothing the approver accepts what stands in for seeing; the other case stays as it is.
async fn accept(narrator: &mut Narrator, approver: &Client, leaver: &Leaver) -> Result<()> {
    let view = cli::case(approver, leaver.case).await?;
    let unseen = view.cells.iter().find(|cell| acme::UNSEEN.contains(&cell.class));
    let Some(Cell { system, class, .. }) = unseen else { return Ok(()) };
    let now = SystemClock.now();
    let until = now.saturating_add(SignedDuration::from_hours(24 * 90)).unwrap_or(now);
    let until = until.to_zoned(TimeZone::UTC).date();
    let (_, person) = acme::APPROVER;
    let reason = "crm's vendor confirmed that no consents are left, ticket 4711".to_owned();
    let acceptance = Acceptance { owner: person.to_owned(), until, reason };
    let accepted = cli::accept_control(approver, leaver.case, system, *class, &acceptance).await?;
    narrator.tell(&format!(
        "$ bailiwick case accept {} --system {system} --class {class} \\\n    --owner {person} --until {until} --reason '…'",
        leaver.case
    ));
    let view = cli::case(approver, leaver.case).await?;
    narrator.promise(
        accepted.closed && view.case.closed.is_some(),
        &format!(
            "somebody answers for it until a day: the case of {} closes, and opens again after it",
            leaver.name
        ),
    )
}
