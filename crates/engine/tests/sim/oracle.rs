//! What must be true of a world that is quiet, whatever happened in it. Judged by the truth of the systems, by
//! their ledgers, and by rows and records of the hub that its published log vouches for.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    access::AccessClass,
    account::Account,
    case::{Case, Cell, closes},
    id::{CaseId, IdentityId, PlanId, SystemName},
    identity::Identity,
    plan::Op,
    record::{Logged, RecordKind},
    verify::Verdict,
};
use bailiwick_lab::{Behaviour, Credential, Effect, TrueThing, Truth};
use bailiwick_store::{Table, entities::Run};

use crate::{
    play::{Play, email},
    script::FURTHER,
};

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
    settled(play)?;
    once(play).await?;
    ended(play).await?;
    converged(play).await
}

/// Whether anything of a class is live, in truth, of somebody who may be gone.
fn live(truth: &Truth, id: &str, class: AccessClass) -> bool {
    if let Some(further) = FURTHER.iter().find(|further| further.class == class.as_str()) {
        let theirs = |thing: &&TrueThing| match further.class == further.thing {
            true => thing.maker == id,
            false => thing.holder == id,
        };
        return truth.held.iter().filter(theirs).any(|thing| thing.class == further.thing);
    }
    let Some(user) = truth.users.iter().find(|user| user.id == id) else { return false };
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
    let cells = latest_cells(play).await;
    if cells.is_empty() {
        return Ok(());
    }
    let accounts: Vec<Account> = play.world.all(Table::Accounts).await;
    for cell in cells {
        let gone = matches!(cell.verdict, Verdict::Removed | Verdict::Blocked { .. });
        // Nothing but a drill finds this lie; the fault grid has it.
        let lies =
            play.script.has(cell.system.as_str(), Behaviour::Liar) && cell.class.as_str() == "api-tokens";
        let account = accounts.iter().find(|account| account.id == cell.account);
        let (true, false, Some(account)) = (gone, lies, account) else { continue };
        let truth = play.world.lab.truth(cell.system.as_str()).unwrap();
        if live(&truth, &account.external_id, cell.class) {
            let user = truth.users.iter().find(|user| user.id == account.external_id);
            return Err(Violation::new("verdict", format!("{cell:?}, and in truth {user:?}")));
        }
    }
    Ok(())
}

/// The cells of the last case of everybody who has left and is not back.
async fn latest_cells(play: &Play) -> Vec<Cell> {
    let now = play.world.clock();
    let identities: Vec<Identity> = play.world.all(Table::Identities).await;
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

/// Of a plan that is being carried out something is under way; what nothing is left of has ended.
async fn ended(play: &Play) -> Judged {
    let runs: Vec<Run> = play.world.all(Table::Runs).await;
    let under_way: BTreeSet<PlanId> =
        runs.iter().filter(|run| run.state() == "running").map(|run| run.plan).collect();
    for row in play.world.plans().await {
        if row.is_approved() && !under_way.contains(&row.plan.id) {
            let theirs: Vec<&Run> = runs.iter().filter(|run| run.plan == row.plan.id).collect();
            return Err(Violation::new("ended", format!("{} is approved for ever: {theirs:?}", row.plan.id)));
        }
    }
    Ok(())
}

/// Somebody on a system: what was done to them, and with which group.
type Done = (String, String, &'static str, String);

/// How often each thing was planned, in plans that were approved before anything of them was sent.
async fn planned(play: &Play) -> Result<BTreeMap<Done, usize>, Violation> {
    let mut tx = play.world.store.read().await.unwrap();
    let entries = tx.written(0, 100_000).await.unwrap();
    drop(tx);
    let mut approved: BTreeSet<PlanId> = BTreeSet::new();
    for entry in &entries {
        let logged = Logged::parse(&entry.bytes).unwrap();
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
    let names = people(play).await;
    let mut planned = BTreeMap::new();
    for row in play.world.plans().await.iter().filter(|row| approved.contains(&row.plan.id)) {
        let Some(who) = names.get(&row.plan.decision.identity) else { continue };
        for change in &row.plan.changes {
            let (verb, group) = match &change.op {
                Op::CreateAccount { .. } => ("create", ""),
                Op::Enable => ("enable", ""),
                Op::Delete => ("delete", ""),
                Op::Grant { external_id, .. } => ("grant", external_id.as_str()),
                Op::SetAttributes { .. } | Op::Disable { .. } | Op::Revoke { .. } | Op::RevokeAll { .. } => {
                    continue;
                }
            };
            let key = (change.system.to_string(), email(*who), verb, group.to_owned());
            *planned.entry(key).or_default() += 1;
        }
    }
    Ok(planned)
}

/// What was made, given, enabled or deleted is a change of an approved plan, for this person, and is done once for each.
async fn once(play: &Play) -> Judged {
    let planned = planned(play).await?;
    let mut done: BTreeMap<Done, usize> = BTreeMap::new();
    for system in &play.world.systems {
        for entry in play.world.lab.ledger(system).unwrap() {
            let verb = match entry.effect {
                Effect::UserCreated => "create",
                Effect::UserActivated => "enable",
                Effect::UserDeleted | Effect::UserSoftDeleted => "delete",
                Effect::MemberAdded | Effect::LicenceAssigned => "grant",
                _ => continue,
            };
            let user = entry.user.unwrap_or_default();
            let name = play.names.get(&(system.clone(), user));
            let (Some(name), Credential::Write) = (name, entry.cause.credential) else { continue };
            let what = entry.group.or(entry.detail).filter(|_| verb == "grant").unwrap_or_default();
            *done.entry((system.clone(), name.clone(), verb, what)).or_default() += 1;
        }
    }
    for (key, done) in done {
        let (system, who, verb, what) = &key;
        let planned = planned.get(&key).copied().unwrap_or_default();
        let oracle = if planned == 0 { "approved" } else { "once" };
        if done > planned {
            let said = format!("{system}: {verb} {what} for {who} {done} times, planned {planned}");
            return Err(Violation::new(oracle, said));
        }
    }
    Ok(())
}

/// How long after a write a reading may show what was before it, as the worlds declare it.
const READ_LAG_MS: i64 = 2_500;

/// A write whose answer was lost is not sent again before a reading can show it, and not before there was one.
fn settled(play: &Play) -> Judged {
    let mut unknown: BTreeMap<(String, Vec<u8>), (i64, bool)> = BTreeMap::new();
    for call in play.world.faults.sent() {
        let key = (call.what.clone(), call.body.to_vec());
        if !call.writes() {
            for ((what, _), (sent, read)) in &mut unknown {
                let same = what.split(['/', ' ']).nth(2) == Some(call.system());
                *read |= same && call.answered && call.at_ms >= *sent + READ_LAG_MS;
            }
            continue;
        }
        if unknown.get(&key).is_some_and(|(_, read)| !read) {
            let said = format!("{} was sent again, and nothing was read that shows it", call.what);
            return Err(Violation::new("settled", said));
        }
        match call.reached && !call.answered {
            true => _ = unknown.insert(key, (call.at_ms, false)),
            false => _ = unknown.remove(&key),
        }
    }
    Ok(())
}

/// Who each identity is.
async fn people(play: &Play) -> BTreeMap<IdentityId, usize> {
    let identities: Vec<Identity> = play.world.all(Table::Identities).await;
    let who = |i: &Identity| i.source_key.key.parse().ok().map(|who| (i.id, who));
    identities.iter().filter_map(who).collect()
}

/// Why a system that never answers, or shows no groups, may be other than policy says: the codes of findings about all
/// of a system that explain it, for what the system is like.
fn explains(play: &Play, system: &str, code: &str) -> bool {
    let down = play.script.has(system, Behaviour::Down);
    let half = play.script.has(system, Behaviour::HalfScim);
    match code {
        "system-stuck" | "cannot-verify" | "cannot-reconcile" => down,
        "entitlement-missing" | "seen-in-part" => half,
        _ => false,
    }
}

/// Truth is what policy says for everybody, or the hub says openly of whom it is not, and where.
async fn converged(play: &Play) -> Result<bool, Violation> {
    let mut everywhere = true;
    let now = play.world.clock();
    let open = play.world.engine.open_findings().await.unwrap();
    let waiting = play.world.drafted().await;
    let cells = latest_cells(play).await;
    let cases: BTreeMap<CaseId, IdentityId> =
        play.world.cases().await.iter().map(|case| (case.id, case.identity)).collect();
    let ids: BTreeMap<usize, IdentityId> =
        people(play).await.into_iter().map(|(id, who)| (who, id)).collect();
    for system in &play.world.systems {
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
                wanted.insert(if person.engineering(now) { "Engineering" } else { "Finance" });
                if play.wide {
                    wanted.insert("Engineering");
                }
            }
            if user.is_some() == person.works(now) && groups == wanted {
                continue;
            }
            everywhere = false;
            let id = ids.get(&who);
            let here = |at: &SystemName| at.as_str() == system;
            let told = open.iter().filter(|f| f.system.as_ref().is_some_and(here)).any(|f| {
                id.is_some() && f.identity.as_ref() == id
                    || f.identity.is_none() && explains(play, system, &f.code)
            });
            let waits = waiting.iter().any(|row| {
                Some(&row.plan.decision.identity) == id && row.plan.changes.iter().any(|c| here(&c.system))
            });
            let open_cell = cells
                .iter()
                .any(|cell| here(&cell.system) && cases.get(&cell.case) == id && !cell.verdict.closes(now));
            if !told && !waits && !open_cell {
                let about: Vec<_> = open.iter().map(|f| (&f.code, &f.subject)).collect();
                let said = format!(
                    "{system}: {who} is {person:?}, wanted {wanted:?}, in truth {user:?} in {groups:?}; open: {about:?}"
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
    std::fs::remove_dir_all(sequencer.dir()).unwrap();
    match report.damage {
        None => Ok(()),
        Some(damage) => Err(Violation::new("log", format!("{damage:?}"))),
    }
}

/// Everything that was written down, the same again: a story is its seed.
pub async fn again(play: &Play, again: &Play) -> Judged {
    let (first, second) = (story(play).await, story(again).await);
    if first == second {
        return Ok(());
    }
    let same = first.iter().zip(&second).take_while(|(one, other)| one == other).count();
    let of = |story: &[Vec<u8>]| story.get(same).map(|entry| String::from_utf8_lossy(entry).into_owned());
    let said = format!("entry {same} is {:?}, and the second time {:?}", of(&first), of(&second));
    Err(Violation::new("again", said))
}

/// What was written down, in order.
async fn story(play: &Play) -> Vec<Vec<u8>> {
    let mut tx = play.world.store.read().await.unwrap();
    tx.written(0, 100_000).await.unwrap().into_iter().map(|entry| entry.bytes).collect()
}

/// What died, was lost and was shared on the way made no difference.
pub fn same(play: &Play, undisturbed: &Play) -> Judged {
    let (truth, other) = (play.world.truth(), undisturbed.world.truth());
    if truth == other {
        return Ok(());
    }
    Err(Violation::new("same", format!("{truth:#?}\nundisturbed {other:#?}")))
}
