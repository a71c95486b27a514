//! Figures against figures that were reckoned another way.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    id::{RecordId, Tenant},
    record::Actor,
};

fn t(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn id(of: u64) -> [u8; 16] {
    u128::from(of).to_be_bytes()
}

/// A record about leaver number `who`.
fn logged(kind: RecordKind, at: i64, who: u64, facts: Value) -> Logged {
    Logged {
        id: RecordId::from_bytes(id(0)),
        kind,
        at: t(at),
        actor: Actor::Hub("test".into()),
        event: Some(EventId::from_bytes(id(who))),
        identity: Some(IdentityId::from_bytes(id(who))),
        plan: None,
        case: None,
        facts: serde_json::from_value::<BTreeMap<String, Value>>(facts).unwrap(),
        state: Vec::new(),
        tenant: Tenant::single(),
    }
}

fn of_case(logged: Logged, who: u64) -> Logged {
    Logged { case: Some(CaseId::from_bytes(id(who))), ..logged }
}

/// One leaver: when things happened, in seconds after they were accepted.
#[derive(Debug, Clone)]
struct Life {
    accepted: i64,
    late: i64,
    kill: Option<i64>,
    /// When each class was read back as gone, after the kill.
    sessions: Option<i64>,
    groups: Option<i64>,
    /// Whether the sessions were read as alive before.
    alive_first: bool,
    /// They came back after the case was closed.
    reopened: bool,
}

impl Life {
    fn dead(&self) -> Option<i64> {
        Some(self.kill? + self.sessions?)
    }

    fn gone(&self) -> Option<i64> {
        Some(self.dead()?.max(self.kill? + self.groups?))
    }

    /// What the log says of it, with the second of each record.
    fn records(&self, who: u64) -> Vec<Logged> {
        use RecordKind as K;
        let at = self.accepted;
        let said = json!({ "kind": "left", "effective": t(at - self.late) });
        let planned = json!({ "changes": ["chat end all sessions", "chat disable account"] });
        let mut all = vec![
            logged(K::EventAccepted, at, who, said),
            of_case(logged(K::CaseOpened, at, who, json!({})), who),
            logged(K::Decided, at, who, json!({ "changes": 2, "generation": 1 })),
            logged(K::Planned, at, who, planned),
        ];
        let Some(kill) = self.kill.map(|kill| at + kill) else { return all };
        all.push(logged(K::Sent, kill, who, json!({ "system": "chat", "changes": [0, 1] })));
        all.push(logged(
            K::Applied,
            kill,
            who,
            json!({ "system": "chat", "steps": { "0": { "step": "applied" } } }),
        ));
        let read = |at, class: &str, verdict: &str| {
            let facts = json!({ "system": "chat", "class": class, "verdict": verdict, "method": "list" });
            of_case(logged(K::Verified, at, who, facts), who)
        };
        if self.alive_first {
            all.push(read(kill, "sessions", "residual"));
        }
        all.push(read(kill, "direct-groups", "pending"));
        all.extend(self.sessions.map(|s| read(kill + s, "sessions", "removed")));
        all.extend(self.groups.map(|s| read(kill + s, "direct-groups", "removed")));
        if let Some(gone) = self.gone().map(|gone| at + gone) {
            all.push(of_case(logged(K::CaseClosed, gone, who, json!({})), who));
            if self.reopened {
                all.push(read(gone + 5, "sessions", "unobservable"));
                all.push(of_case(logged(K::CaseOpened, gone + 5, who, json!({ "reopened": true })), who));
            }
        }
        all.sort_by_key(|r| r.at);
        all
    }

    /// When each measure was reached, in the end.
    fn reached(&self) -> [Option<i64>; 3] {
        let back = self.reopened && self.gone().is_some();
        // Sessions that were never read as alive are dead with the first reading that finds none.
        let dead = if self.alive_first { self.dead() } else { self.kill };
        [self.kill, dead.filter(|_| !back), self.gone().filter(|_| !back)]
    }
}

fn lives() -> impl Strategy<Value = Vec<Life>> {
    let after = |most: i64| prop::option::weighted(0.8, 0..most);
    let life =
        (0..200_000i64, 0..5_000i64, after(120), after(600), after(100_000), any::<bool>(), any::<bool>());
    let life = life.prop_map(|(accepted, late, kill, sessions, groups, alive_first, reopened)| Life {
        accepted,
        late,
        kill,
        sessions,
        groups,
        alive_first,
        reopened,
    });
    prop::collection::vec(life, 0..12)
}

/// The log of all lives, as one.
fn log(lives: &[Life]) -> Vec<Logged> {
    let mut all: Vec<Logged> =
        lives.iter().enumerate().flat_map(|(n, life)| life.records(1 + n as u64)).collect();
    all.sort_by_key(|r| r.at);
    all
}

fn fold(records: &[Logged]) -> Fold {
    let mut fold = Fold::default();
    records.iter().for_each(|logged| fold.take(logged));
    fold
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Times as they were lived, not as the fold keeps them.
    #[test]
    fn figures_are_what_was_lived(lives in lives(), since in 0..200_000i64) {
        let now = 400_000;
        let figures = fold(&log(&lives)).figures(t(since), t(now));
        let mine: Vec<(usize, &Life)> =
            lives.iter().enumerate().filter(|(_, life)| life.accepted >= since).collect();
        prop_assert_eq!((figures.cases, figures.empty), (mine.len(), 0));
        for (n, measured) in figures.measures.iter().enumerate() {
            let took = |life: &Life| life.reached()[n].unwrap_or(now - life.accepted);
            let reached = mine.iter().filter(|(_, life)| life.reached()[n].is_some());
            let mut sorted: Vec<i64> = reached.map(|(_, life)| took(life) * 1_000).collect();
            sorted.sort_unstable();
            let late: BTreeSet<CaseId> = mine
                .iter()
                .filter(|(_, life)| took(life) > measured.target_s)
                .map(|(who, _)| CaseId::from_bytes(id(1 + *who as u64)))
                .collect();
            prop_assert_eq!(measured.reached, sorted.len(), "{:?}", measured.measure);
            prop_assert_eq!(measured.took.map(|took| took.max_ms), sorted.last().copied());
            prop_assert_eq!(measured.missed.iter().map(|m| m.case).collect::<BTreeSet<_>>(), late);
            prop_assert_eq!(measured.within + measured.waiting + measured.missed.len(), mine.len());
            if let Some(took) = measured.took {
                let below = sorted.iter().filter(|one| **one <= took.p50_ms).count();
                prop_assert!(below * 2 >= sorted.len());
                let below = sorted.iter().filter(|one| **one < took.p95_ms).count();
                prop_assert!(below * 100 < sorted.len() * 95 || sorted.len() == 1);
            }
        }
    }

    /// Little by little is the same as at once, wherever it is cut.
    #[test]
    fn a_fold_that_goes_on_is_a_fold_from_the_start(lives in lives(), cuts in prop::collection::vec(0..200usize, 0..8)) {
        let records = log(&lives);
        let mut going = Fold::default();
        let mut done = 0;
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(records.len())).collect();
        cuts.sort_unstable();
        for cut in cuts.into_iter().chain([records.len()]) {
            records[done..cut].iter().for_each(|logged| going.take(logged));
            done = cut;
            prop_assert_eq!(&going, &fold(&records[..cut]));
        }
    }

    /// A histogram says of every bound how many were within it, and never takes anything back.
    #[test]
    fn histograms_count_cases_that_were_closed(lives in lives()) {
        let records = log(&lives);
        let mut fold = Fold::default();
        let mut before = [0; 3];
        for logged in &records {
            fold.take(logged);
            let counts = fold.histograms().map(|(_, histogram)| histogram.count());
            prop_assert!(counts.iter().zip(before).all(|(now, before)| *now >= before));
            before = counts;
        }
        let [(_, kill), _, (_, complete)] = fold.histograms();
        let closed: Vec<&Life> = lives.iter().filter(|life| life.gone().is_some()).collect();
        for (bound, count) in kill.buckets() {
            let within = closed.iter().filter(|life| life.kill.is_some_and(|kill| kill <= bound)).count();
            prop_assert_eq!(count, within as u64, "at most {}", bound);
        }
        prop_assert_eq!(complete.count(), closed.len() as u64);
        let sum: i64 = closed.iter().filter_map(|life| life.gone()).sum();
        prop_assert_eq!(complete.sum().as_secs(), sum);
    }
}

#[test]
fn whoever_had_nothing_is_not_measured() {
    use RecordKind as K;
    let mut fold = Fold::default();
    fold.take(&logged(K::EventAccepted, 0, 1, json!({ "kind": "left", "effective": t(0) })));
    fold.take(&of_case(logged(K::CaseOpened, 0, 1, json!({})), 1));
    fold.take(&logged(K::Decided, 0, 1, json!({ "changes": 0 })));
    let figures = fold.figures(t(0), t(1_000_000));
    assert_eq!((figures.cases, figures.empty, figures.kept()), (1, 1, true));
    // What was in doubt is planned a moment later: then there is something to prove.
    fold.take(&logged(K::Planned, 5, 1, json!({ "changes": ["chat disable account"] })));
    let figures = fold.figures(t(0), t(1_000_000));
    assert_eq!((figures.empty, figures.kept()), (0, false));
}

#[test]
fn drift_is_unexplained_unless_a_system_only_said_that_it_did() {
    use RecordKind as K;
    let mut fold = Fold::default();
    let drifted = |at, who| logged(K::EventAccepted, at, who, json!({ "kind": "drifted" }));
    fold.take(&drifted(0, 1));
    fold.take(&logged(K::Verified, 10, 2, json!({ "outcome": "diverged", "system": "chat" })));
    fold.take(&drifted(10, 2));
    fold.take(&drifted(11, 2));
    fold.take(&drifted(7_200, 1));
    let of = |since| fold.figures(t(since), t(10_000)).outside;
    assert_eq!(of(0), Outside { unexplained: 3, diverged: 1 });
    assert_eq!(of(7_200), Outside { unexplained: 1, diverged: 0 });
}

#[test]
fn reviews_scopes_and_drills_are_as_the_log_said_last() {
    use RecordKind as K;
    let mut fold = Fold::default();
    let note = |kind, at, facts| Logged { event: None, identity: None, ..logged(kind, at, 0, facts) };
    fold.take(&note(K::ReviewOpened, 0, json!({ "integration": "chat", "due": t(100) })));
    fold.take(&note(K::ReviewOpened, 0, json!({ "integration": "crm", "due": t(200) })));
    fold.take(&note(K::ReviewOpened, 0, json!({ "integration": "old" })));
    fold.take(&note(K::UseCounted, 0, json!({ "integration": "chat", "used": 3, "declared": 12 })));
    fold.take(&note(K::UseCounted, 0, json!({ "integration": "chat", "reviewed": t(0) })));
    fold.take(&note(K::Sent, 0, json!({ "system": "crm", "changes": [0] })));
    let found =
        |finding: &str| json!({ "system": "chat", "outcome": "drilled", "classes": { "sessions": finding } });
    fold.take(&note(K::Drilled, 50, found("proven")));
    fold.take(&note(K::Drilled, 60, json!({ "system": "chat", "outcome": "system-down" })));
    let at = |now| fold.figures(t(0), t(now));
    assert_eq!((at(100).reviews.open, at(100).reviews.overdue), (3, vec![]));
    assert_eq!(at(101).reviews.overdue, ["chat"]);
    assert_eq!(at(101).scopes, [Utilisation { integration: "chat".into(), used: 3, declared: 12 }]);
    let drills = [("chat", Some((t(50), true))), ("crm", None)];
    let drills = drills.map(|(system, last)| Drills { system: system.into(), last });
    assert_eq!(at(101).drills, drills);
    fold.take(&note(K::Drilled, 70, found("untrusted")));
    fold.take(&note(K::ReviewDecided, 70, json!({ "integration": "chat" })));
    let figures = fold.figures(t(0), t(300));
    assert_eq!(
        (figures.drills[0].last, figures.reviews.overdue),
        (Some((t(70), false)), vec!["crm".to_owned()])
    );
}

#[test]
fn ranks_are_values_that_there_were() {
    let check = |all: Vec<i64>, expect: Option<(i64, i64, i64)>| {
        let spread = Spread::of(all.clone()).map(|s| (s.p50_ms, s.p95_ms, s.max_ms));
        assert_eq!(spread, expect, "{all:?}");
    };
    check(vec![], None);
    check(vec![7], Some((7, 7, 7)));
    check(vec![3, 1, 2], Some((2, 3, 3)));
    check((1..=100).collect(), Some((50, 95, 100)));
    check((1..=20).rev().collect(), Some((10, 19, 20)));
}
