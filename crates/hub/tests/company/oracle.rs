//! What must be true in the end, judged by the systems' truth and ledgers and the published logs alone; and whether it is
//! the end, by the hub's own word.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use bailiwick_evidence::{Reader, VerifierKey, fsck};
use bailiwick_lab::{Credential, Effect, Lab, LedgerEntry, TrueUser, Truth};
use serde_json::Value;

use super::people::{DEPARTMENTS, Person};

/// An oracle says no.
#[derive(Debug)]
pub struct Violation {
    /// Which.
    pub oracle: &'static str,
    /// What it saw.
    pub what: String,
}

type Judged = Result<(), Violation>;

fn no(oracle: &'static str, what: String) -> Judged {
    Err(Violation { oracle, what })
}

/// What became of the systems.
#[derive(Clone)]
pub struct Seen {
    /// Each system's name, truth and ledger.
    pub systems: Vec<(String, Truth, Vec<LedgerEntry>)>,
}

impl Seen {
    /// All of a lab.
    pub fn of(lab: &Lab) -> Self {
        let of = |system: &str| (system.to_owned(), lab.truth(system).unwrap(), lab.ledger(system).unwrap());
        Self { systems: lab.systems().into_iter().map(of).collect() }
    }
}

/// What is left to do by the status of a hub; nothing when it is quiet.
pub fn left(status: &Value) -> Option<String> {
    let open = &status["cases"]["open"];
    let (queue, approved, log) = (&status["queue"], &status["plans"]["approved"], &status["log"]);
    let quiet = queue["quiet"] == true && queue["failing"].is_null() && open == 0 && approved == 0;
    (!quiet || log["size"] != log["written"])
        .then(|| format!("{queue}, {open} cases open, {approved} plans to be done, log {log}"))
}

/// The groups of somebody who works, and their licences, by system.
fn wanted(system: &str, person: &Person) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    match (person.left, system) {
        (true, _) => Default::default(),
        (false, "chat") => ([DEPARTMENTS[person.department]].into(), ["chat-pro"].into()),
        (false, "crm") => ([["Support cases", "Pipeline"][person.department]].into(), ["crm-seat"].into()),
        (false, _) => (["Staff"].into(), BTreeSet::new()),
    }
}

/// Truth is what policy says: everybody who works has what is theirs, and nobody else has anything.
pub fn truth(seen: &Seen, people: &[Person]) -> Judged {
    for (system, truth, ledger) in &seen.systems {
        let names: BTreeMap<&str, &str> =
            truth.groups.iter().map(|group| (group.id.as_str(), group.display_name.as_str())).collect();
        let mut accounts: BTreeMap<String, Vec<&TrueUser>> = BTreeMap::new();
        for user in &truth.users {
            accounts.entry(user.user_name.to_ascii_lowercase()).or_default().push(user);
        }
        let deleted = ledger.iter().any(|entry| entry.effect == Effect::UserDeleted);
        for person in people {
            let theirs = accounts.remove(&person.email()).unwrap_or_default();
            let user = match theirs[..] {
                [user] => user,
                // Whoever leaves before there is an account gets none.
                [] if person.left && !deleted => continue,
                _ => return no("truth", format!("{system}: {person:?} has {} accounts", theirs.len())),
            };
            let (groups, licences) = wanted(system, person);
            let in_truth: BTreeSet<&str> = user.groups.iter().map(|id| names[id.as_str()]).collect();
            let licensed: BTreeSet<&str> = user.licences.iter().map(String::as_str).collect();
            if user.active == person.left || in_truth != groups || licensed != licences {
                return no(
                    "truth",
                    format!("{system}: {person:?} is to be in {groups:?}, in truth {user:?}"),
                );
            }
        }
        if let Some(name) = accounts.keys().next() {
            return no("truth", format!("{system} has {} users who are nobody: {name}", accounts.len()));
        }
    }
    Ok(())
}

/// Each effect happened once: nobody was made, given or ended twice, and nobody who was ended was given anything after.
pub fn once(seen: &Seen) -> Judged {
    for (system, _, ledger) in &seen.systems {
        let mut done: BTreeMap<(&str, Effect, String), u64> = BTreeMap::new();
        let mut ended: BTreeSet<&str> = BTreeSet::new();
        for entry in ledger.iter().filter(|entry| entry.cause.credential == Credential::Write) {
            let user = entry.user.as_deref().unwrap_or_default();
            let what = entry.group.clone().or_else(|| entry.detail.clone()).unwrap_or_default();
            let gives = matches!(
                entry.effect,
                Effect::UserCreated | Effect::UserActivated | Effect::MemberAdded | Effect::LicenceAssigned
            );
            if gives && ended.contains(user) {
                return no("once", format!("{system}: given to somebody who had left: {entry:?}"));
            }
            if entry.effect == Effect::UserDeactivated {
                ended.insert(user);
            }
            let times = done.entry((user, entry.effect, what)).or_default();
            *times += 1;
            if *times > 1 && entry.effect != Effect::UserChanged {
                return no("once", format!("{system}: it happened {times} times: {entry:?}"));
            }
        }
    }
    Ok(())
}

/// Every node's log verifies by itself, and of two logs the shorter is how the longer begins.
pub fn logs(folders: &[PathBuf], key: &VerifierKey) -> Judged {
    let mut sizes = Vec::new();
    for folder in folders {
        let log = folder.join("log");
        if let Err(error) = fsck(&log, std::slice::from_ref(key), &[]) {
            return no("logs", format!("{}: {error}", log.display()));
        }
        let size = Reader::new(&log).checkpoint().ok().flatten().map_or(0, |checkpoint| checkpoint.size());
        sizes.push((log, size));
    }
    let shortest = sizes.iter().map(|(_, size)| *size).min().unwrap_or_default();
    let roots: BTreeSet<_> =
        sizes.iter().map(|(log, _)| format!("{:?}", Reader::new(log).at(shortest).root())).collect();
    match (roots.len(), shortest) {
        (1, 1..) => Ok(()),
        _ => no("logs", format!("they do not agree on the first {shortest} entries: {sizes:?} {roots:?}")),
    }
}
