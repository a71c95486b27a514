//! What must be true of a world that is quiet, whatever happened in it. Judged by the truth of the systems, by
//! their ledgers, and by rows and records of the hub that its published log vouches for.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    access::AccessClass,
    account::Account,
    case::{Case, Cell, closes},
    id::{CaseId, PlanId, Tenant},
    plan::Op,
    record::{Logged, RecordKind},
    verify::Verdict,
};
use bailiwick_lab::{Behaviour, Credential, Effect, TrueUser};
use bailiwick_store::{Table, entities::PlanState};

use crate::play::{Play, email};

/// An oracle says no.
#[derive(Debug)]
pub struct Violation {
    pub oracle: &'static str,
    pub what: String,
}

impl Violation {
    pub fn new(oracle: &'static str, what: impl Into<String>) -> Self {
        Self { oracle, what: what.into() }
    }
}

type Judged = Result<(), Violation>;

/// All oracles but the one that reads the whole log. Says whether truth is what policy says everywhere; where it is
/// not, the hub says so openly.
pub async fn all(play: &Play) -> Result<bool, Violation> {
    verdicts(play).await?;
    closed(play).await?;
    once(play).await?;
    approved(play).await?;
    converged(play).await
}

/// Whether anything of a class is live, in truth.
fn live(user: &TrueUser, class: AccessClass) -> bool {
    match class.as_str() {
        "primary-account" => user.active,
        "direct-groups" => !user.groups.is_empty(),
        "nested-groups" => !user.effective_groups.is_empty(),
        "licences" => !user.licences.is_empty(),
        "api-tokens" => user.tokens.iter().any(|token| token.works),
        "sessions" => !user.sessions.is_empty(),
        other => panic!("the worlds declare no class {other}"),
    }
}

/// Nothing that the hub calls removed or blocked is live.
pub async fn verdicts(play: &Play) -> Judged {
    let accounts: Vec<Account> = play.world.all(Table::Accounts).await;
    for cell in latest_cells(play).await {
        let gone = matches!(cell.verdict, Verdict::Removed | Verdict::Blocked { .. });
        let lies =
            play.script.has(cell.system.as_str(), Behaviour::Liar) && cell.class.as_str() == "api-tokens";
        let account = accounts.iter().find(|account| account.id == cell.account);
        let (true, false, Some(account)) = (gone, lies, account) else { continue };
        let truth = play.world.lab.truth(cell.system.as_str()).unwrap();
        let user = truth.users.iter().find(|user| user.id == account.external_id);
        if user.is_some_and(|user| live(user, cell.class)) {
            return Err(Violation::new("verdict", format!("{cell:?}, and in truth {user:?}")));
        }
    }
    Ok(())
}

/// The cells of the last case of everybody who has left and is not back.
async fn latest_cells(play: &Play) -> Vec<Cell> {
    let now = play.world.clock();
    let identities: Vec<bailiwick_core::identity::Identity> = play.world.all(Table::Identities).await;
    let left: BTreeSet<String> = identities
        .iter()
        .filter(|identity| {
            let who: usize = identity.source_key.key.parse().unwrap_or(usize::MAX);
            play.people.get(who).is_some_and(|p| p.is_some_and(|p| !p.works(now)))
        })
        .map(|identity| identity.id.to_string())
        .collect();
    let mut last: BTreeMap<String, Case> = BTreeMap::new();
    for case in play.world.cases().await {
        let key = case.identity.to_string();
        if left.contains(&key) && last.get(&key).is_none_or(|other| other.opened <= case.opened) {
            last.insert(key, case);
        }
    }
    let cases: BTreeSet<CaseId> = last.values().map(|case| case.id).collect();
    play.world.all_cells().await.into_iter().filter(|cell| cases.contains(&cell.case)).collect()
}

/// A closed case of somebody who is gone has only cells that close.
async fn closed(play: &Play) -> Judged {
    let mut by_case: BTreeMap<CaseId, Vec<Cell>> = BTreeMap::new();
    for cell in latest_cells(play).await {
        by_case.entry(cell.case).or_default().push(cell);
    }
    for case in play.world.cases().await.iter().filter(|case| case.closed.is_some()) {
        let Some(cells) = by_case.get(&case.id) else { continue };
        if !closes(cells, play.world.clock()) {
            return Err(Violation::new("closed", format!("{case:?} with {cells:?}")));
        }
    }
    Ok(())
}

/// What was made, given, enabled or deleted was planned so often at least, in plans that were approved.
async fn once(play: &Play) -> Judged {
    let mut planned: BTreeMap<(String, &'static str), usize> = BTreeMap::new();
    for row in play.world.plans().await.iter().filter(|row| row.state != PlanState::Drafted) {
        for change in &row.plan.changes {
            let verb = match change.op {
                Op::CreateAccount { .. } => "create",
                Op::Enable => "enable",
                Op::Delete => "delete",
                Op::Grant { .. } => "grant",
                Op::SetAttributes { .. } | Op::Disable { .. } | Op::Revoke { .. } | Op::RevokeAll { .. } => {
                    continue;
                }
            };
            *planned.entry((change.system.to_string(), verb)).or_default() += 1;
        }
    }
    for system in &play.world.systems {
        let mut done: BTreeMap<&'static str, usize> = BTreeMap::new();
        for entry in play.world.lab.ledger(system).unwrap() {
            let verb = match entry.effect {
                Effect::UserCreated => "create",
                Effect::UserActivated => "enable",
                Effect::UserDeleted | Effect::UserSoftDeleted => "delete",
                Effect::MemberAdded | Effect::LicenceAssigned => "grant",
                _ => continue,
            };
            if entry.cause.credential == Credential::Write {
                *done.entry(verb).or_default() += 1;
            }
        }
        for (verb, done) in done {
            let planned = planned.get(&(system.clone(), verb)).copied().unwrap_or_default();
            if done > planned {
                return Err(Violation::new(
                    "once",
                    format!("{system}: {verb} {done} times, planned {planned}"),
                ));
            }
        }
    }
    Ok(())
}

/// Nothing was sent of a plan before it was approved.
async fn approved(play: &Play) -> Judged {
    let mut tx = play.world.store.read().await.unwrap();
    let entries = tx.written(0, 100_000).await.unwrap();
    let mut approved: BTreeSet<PlanId> = BTreeSet::new();
    for entry in &entries {
        let logged = Logged::parse(&entry.bytes).unwrap();
        assert_eq!(logged.tenant, Tenant::single());
        match (logged.kind, logged.plan) {
            (RecordKind::Approved, Some(plan)) => _ = approved.insert(plan),
            (RecordKind::Sent, Some(plan)) if !approved.contains(&plan) => {
                return Err(Violation::new(
                    "approved",
                    format!("{plan} was sent, and no record approves it"),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Truth is what policy says for everybody, or the hub says openly that it is not.
async fn converged(play: &Play) -> Result<bool, Violation> {
    let mut everywhere = true;
    let now = play.world.clock();
    let open = play.world.engine.open_findings().await.unwrap();
    let waiting = play.world.drafted().await;
    let cells = latest_cells(play).await;
    for system in &play.world.systems {
        // Said of the system, or of a person on it.
        let told = open.iter().any(|f| f.system.as_ref().is_some_and(|s| s.as_str() == system))
            || waiting.iter().any(|row| row.plan.changes.iter().any(|c| c.system.as_str() == system))
            || cells.iter().any(|c| c.system.as_str() == system && !c.verdict.closes(now));
        let truth = play.world.lab.truth(system).unwrap();
        let names: BTreeMap<&str, &str> =
            truth.groups.iter().map(|g| (g.id.as_str(), g.display_name.as_str())).collect();
        for (who, person) in play.people.iter().enumerate() {
            let Some(person) = person else { continue };
            let user = truth.user(&email(who)).filter(|user| user.active);
            let groups: BTreeSet<&str> =
                user.map(|u| u.groups.iter().map(|g| names[g.as_str()]).collect()).unwrap_or_default();
            let mut wanted = BTreeSet::new();
            if person.works(now) {
                wanted.insert("Everyone");
                wanted.insert(if person.engineering { "Engineering" } else { "Finance" });
                if play.wide {
                    wanted.insert("Engineering");
                }
            }
            let as_it_should = user.is_some() == person.works(now) && groups == wanted;
            everywhere &= as_it_should;
            if !as_it_should && !told {
                let said = format!(
                    "{system}: {who} is {person:?}, wanted {wanted:?}, in truth {user:?} in {groups:?}"
                );
                return Err(Violation::new("converged", said));
            }
        }
    }
    Ok(everywhere)
}

/// The log verifies, and every row is as its record says.
pub async fn log(play: &Play) -> Judged {
    let sequencer = play.world.sequencer();
    let report = play.world.engine.check_evidence(&sequencer, None).await.unwrap();
    match report.damage {
        None => Ok(()),
        Some(damage) => Err(Violation::new("log", format!("{damage:?}"))),
    }
}

/// What died, was lost and was shared on the way made no difference.
pub fn same(play: &Play, undisturbed: &Play) -> Judged {
    let (truth, other) = (play.world.truth(), undisturbed.world.truth());
    if truth == other {
        return Ok(());
    }
    Err(Violation::new("same", format!("{truth:#?}\nundisturbed {other:#?}")))
}
