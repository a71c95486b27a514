//! Traces of what a log says, as lines.

use serde_json::{Value, json};

use super::*;
use crate::{
    id::{PlanId, RecordId, Tenant},
    record::{Actor, RecordKind as K},
};

fn t(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

const EVENT: u8 = 1;

fn event(n: u8) -> EventId {
    EventId::from_bytes([n; 16])
}

/// Records, each with an id of its own.
#[derive(Default)]
struct Log(Vec<Logged>);

impl Log {
    fn add(&mut self, at: i64, kind: K, facts: Value) -> &mut Logged {
        let id = u8::try_from(self.0.len()).unwrap();
        self.0.push(Logged {
            id: RecordId::from_bytes([id; 16]),
            kind,
            at: t(at),
            actor: Actor::Hub("test".into()),
            event: Some(event(EVENT)),
            identity: Some(IdentityId::from_bytes([1; 16])),
            plan: None,
            case: None,
            facts: serde_json::from_value(facts).unwrap(),
            state: Vec::new(),
            tenant: Tenant::single(),
        });
        self.0.last_mut().unwrap()
    }

    fn case(&mut self, at: i64, kind: K, facts: Value) {
        self.add(at, kind, facts).case = Some(CaseId::from_bytes([1; 16]));
    }

    fn read(&mut self, at: i64, system: &str, class: &str, verdict: &str) {
        self.case(
            at,
            K::Verified,
            json!({ "system": system, "class": class, "verdict": verdict, "method": "list" }),
        );
    }

    /// `kind` is accepted, decided and planned for chat and crm.
    fn planned(kind: &str) -> Self {
        let mut log = Self::default();
        log.add(0, K::EventAccepted, json!({ "kind": kind, "effective": t(-100) })).actor =
            Actor::Source("hr".into());
        if kind == "left" {
            log.case(0, K::CaseOpened, json!({}));
        }
        log.add(0, K::Decided, json!({ "changes": 2, "generation": 2 }));
        log.add(0, K::Planned, json!({ "changes": ["chat disable account", "crm disable account"] })).plan =
            Some(PlanId::from_bytes([1; 16]));
        log
    }

    fn approved(mut self, at: i64) -> Self {
        self.add(at, K::Approved, json!({})).plan = Some(PlanId::from_bytes([1; 16]));
        self
    }

    fn sent(&mut self, at: i64, system: &str) {
        self.add(at, K::Sent, json!({ "system": system, "changes": [0] }));
    }

    fn applied(&mut self, at: i64, system: &str) {
        self.add(at, K::Applied, json!({ "system": system, "steps": { "0": { "step": "applied" } } }));
    }

    /// `step [system] state [after]`, from the hop `from` on.
    #[track_caller]
    fn check(&self, now: i64, from: Step, expect: &[&str]) {
        let trace = Trace::of(event(EVENT), &self.0, t(now)).unwrap();
        let line = |hop: &Hop| {
            let system = hop.system.as_deref().map_or(String::new(), |system| format!(" {system}"));
            let after = hop.after_ms.map_or(String::new(), |after| format!(" +{}", after / 1_000));
            format!("{}{system}: {}{after}", hop.step.as_str(), hop.state.as_str())
        };
        let lines: Vec<String> = trace.hops.iter().filter(|hop| hop.step >= from).map(line).collect();
        assert_eq!(lines, expect, "at {now}: {:#?}", trace.hops);
        let bad = expect.iter().any(|line| line.contains("late") || line.contains("stuck"));
        assert_eq!(trace.in_time(), !bad, "at {now}");
    }
}

#[test]
fn a_departure_is_followed_to_its_proof() {
    let mut log = Log::planned("left").approved(0);
    for system in ["chat", "crm"] {
        log.sent(2, system);
        log.applied(3, system);
        log.read(10, system, "sessions", "pending");
        log.read(70, system, "sessions", "removed");
    }
    log.case(71, K::CaseClosed, json!({}));
    log.check(
        1_000_000,
        Step::Source,
        &[
            "source: done",
            "accepted: done +100",
            "decided: done +0",
            "planned: done +0",
            "approved: done +0",
            "sent chat: done +2",
            "applied chat: done +1",
            "read back chat: done +67",
            "sent crm: done +2",
            "applied crm: done +1",
            "read back crm: done +67",
            "closed: done +1",
        ],
    );
    assert!(Trace::of(event(EVENT), &log.0, t(1_000_000)).unwrap().in_time());
}

#[test]
fn a_hop_is_late_while_something_moves_and_stuck_when_nothing_does() {
    let mut log = Log::planned("left").approved(0);
    log.sent(2, "chat");
    log.applied(3, "chat");
    log.read(10, "chat", "sessions", "removed");
    let rest = |crm: [&'static str; 3], closed: &'static str| {
        [
            "sent chat: done +2",
            "applied chat: done +1",
            "read back chat: done +7",
            crm[0],
            crm[1],
            crm[2],
            closed,
        ]
    };
    let waits = ["applied crm: waiting", "read back crm: waiting"];
    let check = |log: &Log, now, crm, closed| log.check(now, Step::Sent, &rest(crm, closed));
    check(&log, 60, ["sent crm: waiting", waits[0], waits[1]], "closed: waiting");
    check(&log, 61, ["sent crm: late", waits[0], waits[1]], "closed: waiting");
    check(&log, 10 + 900, ["sent crm: stuck", waits[0], waits[1]], "closed: waiting");
    check(&log, 86_401, ["sent crm: stuck", waits[0], waits[1]], "closed: stuck");
    // It goes out after all: late for good, and the next hop is judged.
    log.sent(1_000, "crm");
    let crm = ["sent crm: late +1000", "applied crm: late", "read back crm: waiting"];
    check(&log, 1_001, crm, "closed: waiting");
    let crm = ["sent crm: late +1000", "applied crm: stuck", "read back crm: waiting"];
    check(&log, 1_000 + 900, crm, "closed: waiting");
}

#[test]
fn a_plan_that_nobody_approves_is_stuck_and_says_for_whom_it_waits() {
    let log = Log::planned("joined");
    let waits = |approved| {
        let rest = ["sent", "applied", "read back"];
        let of = |system: &'static str| rest.map(move |step| format!("{step} {system}: waiting"));
        let mut all = vec![format!("approved: {approved}")];
        all.extend(of("chat").into_iter().chain(of("crm")));
        all.push("closed: not needed".into());
        all
    };
    let check = |now, approved| {
        let expect = waits(approved);
        log.check(now, Step::Approved, &expect.iter().map(String::as_str).collect::<Vec<_>>());
    };
    check(86_400, "waiting");
    check(86_401, "stuck");
    let trace = Trace::of(event(EVENT), &log.0, t(86_401)).unwrap();
    let approved = trace.hops.iter().find(|hop| hop.step == Step::Approved).unwrap();
    assert!(approved.note.as_ref().unwrap().contains("bailiwick approve pln_"), "{approved:?}");
    assert!(!trace.in_time());
}

#[test]
fn what_a_system_only_said_is_not_read_back() {
    let mut log = Log::planned("changed").approved(10);
    for system in ["chat", "crm"] {
        log.sent(11, system);
        log.applied(12, system);
    }
    log.add(20, K::Verified, json!({ "system": "chat", "outcome": "verified" }));
    log.add(20, K::Verified, json!({ "system": "crm", "outcome": "diverged" }));
    let hops = |log: &Log, now| {
        let trace = Trace::of(event(EVENT), &log.0, t(now)).unwrap();
        let of = |system: &str| {
            let read = |hop: &&Hop| hop.step == Step::ReadBack && hop.system.as_deref() == Some(system);
            trace.hops.iter().find(read).unwrap().state
        };
        (of("chat"), of("crm"))
    };
    log.check(
        30,
        Step::ReadBack,
        &["read back chat: done +8", "read back crm: waiting", "closed: not needed"],
    );
    assert_eq!(hops(&log, 10 + 86_401), (State::Done, State::Stuck));
    // A later event did it again, and then it is so.
    log.add(40, K::Verified, json!({ "system": "crm", "outcome": "verified" })).event = Some(event(2));
    assert_eq!(hops(&log, 10 + 86_401), (State::Done, State::Done));
}

#[test]
fn what_is_not_to_be_done_is_not_waited_for() {
    let mut nothing = Log::default();
    nothing.add(0, K::EventAccepted, json!({ "kind": "changed" }));
    nothing.add(0, K::Decided, json!({ "changes": 0, "generation": 2 }));
    nothing.check(
        1_000_000,
        Step::Source,
        &[
            "source: done",
            "accepted: done +0",
            "decided: done +0",
            "planned: not needed",
            "approved: not needed",
            "closed: not needed",
        ],
    );
    let mut newer = Log::planned("changed");
    newer.add(5, K::Superseded, json!({})).plan = Some(PlanId::from_bytes([1; 16]));
    newer.check(
        1_000_000,
        Step::Approved,
        &[
            "approved: not needed",
            "sent chat: not needed",
            "applied chat: not needed",
            "read back chat: not needed",
            "sent crm: not needed",
            "applied crm: not needed",
            "read back crm: not needed",
            "closed: not needed",
        ],
    );
    assert_eq!(Trace::of(event(9), &newer.0, t(0)), None);
}

#[test]
fn a_case_that_was_opened_again_is_not_closed() {
    let mut log = Log::planned("left").approved(0);
    for system in ["chat", "crm"] {
        log.sent(1, system);
        log.applied(1, system);
        log.read(2, system, "api-tokens", "removed");
    }
    log.case(2, K::CaseClosed, json!({}));
    log.read(50, "crm", "api-tokens", "unobservable");
    log.case(50, K::CaseOpened, json!({ "reopened": true }));
    let tail = |read, closed| {
        [
            "sent chat: done +1",
            "applied chat: done +0",
            "read back chat: done +1",
            "sent crm: done +1",
            "applied crm: done +0",
            read,
            closed,
        ]
    };
    log.check(60, Step::Sent, &tail("read back crm: waiting", "closed: waiting"));
    log.check(90_000, Step::Sent, &tail("read back crm: stuck", "closed: stuck"));
    // Somebody answers for what cannot be seen.
    log.case(90_001, K::ControlAccepted, json!({ "system": "crm", "class": "api-tokens" }));
    log.case(90_001, K::CaseClosed, json!({}));
    log.check(90_002, Step::Sent, &tail("read back crm: late +90000", "closed: late +0"));
}
