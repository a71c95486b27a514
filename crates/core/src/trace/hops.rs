//! The hops of an event, one after the other.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Hop, STILL, State, Step,
    mine::{Mine, text},
};
use crate::{
    metrics::Measure,
    record::{Actor, Logged, RecordKind},
    time::{SignedDuration, Timestamp},
};

/// How long deciding and planning may take: they are done with accepting.
const DECIDE: SignedDuration = SignedDuration::from_secs(60);
/// How long a person has to approve what is no departure.
const APPROVE: SignedDuration = SignedDuration::from_hours(24);
/// How long sending may take once it is approved.
const SEND: SignedDuration = SignedDuration::from_mins(15);
/// How long a system has to answer for a departure.
const ANSWER_DEPARTURE: SignedDuration = SignedDuration::from_mins(5);
/// How long it has otherwise, from the approval on.
const ANSWER: SignedDuration = SignedDuration::from_hours(1);
/// How long it may take until a departure was read back on a system.
const READ_DEPARTURE: SignedDuration = SignedDuration::from_mins(15);
/// How long it may take otherwise, from the approval on.
const READ: SignedDuration = SignedDuration::from_hours(24);

/// What is known of a hop before it is judged.
enum Fate {
    /// Done then.
    Done(Timestamp, Option<String>),
    /// Not done, and why.
    Open(Option<String>),
    /// Nothing to do, and why.
    None(&'static str),
}

/// Puts hops in a row, each judged by the one before it.
struct Row<'m> {
    mine: &'m Mine<'m>,
    now: Timestamp,
    hops: Vec<Hop>,
    /// When the hop before was done; absent while it is not.
    before: Option<Timestamp>,
}

/// All hops of an event.
pub(super) fn all(mine: &Mine<'_>, now: Timestamp) -> Vec<Hop> {
    let accepted = mine.accepted.at;
    let effective = text(mine.accepted, "effective").parse().ok().filter(|at| *at <= accepted);
    let mut row = Row { mine, now, hops: Vec::new(), before: None };
    row.add(Step::Source, None, None, Fate::Done(effective.unwrap_or(accepted), Some(who(mine.accepted))));
    row.add(Step::Accepted, None, None, Fate::Done(accepted, None));
    row.add(Step::Decided, None, later(accepted, DECIDE), decided(mine));
    row.add(Step::Planned, None, later(accepted, DECIDE), planned(mine));
    let approval = match mine.is_departure() {
        true => later(accepted, Measure::FirstKill.target()),
        false => later(accepted, APPROVE),
    };
    row.add(Step::Approved, None, approval, approved(mine));
    let base = row.before;
    let (send, answer, read) = deadlines(mine, base);
    for system in systems(mine) {
        row.before = base;
        row.add(Step::Sent, Some(system), send, sent(mine, system));
        row.add(Step::Applied, Some(system), answer, applied(mine, system));
        row.add(Step::ReadBack, Some(system), read, read_back(mine, system));
    }
    row.before = row.hops.iter().filter_map(|hop| hop.at).max();
    row.add(Step::Closed, None, closing(mine), closed(mine));
    row.hops
}

impl Row<'_> {
    fn add(&mut self, step: Step, system: Option<&str>, deadline: Option<Timestamp>, fate: Fate) {
        let reached = self.hops.is_empty() || self.before.is_some();
        let (at, state, note) = match fate {
            Fate::Done(at, note) => (Some(at), done(at, deadline), note),
            Fate::None(why) => (None, State::NotNeeded, Some(why.to_owned())),
            // A hop whose turn has not come waits for the one before it.
            Fate::Open(_) if !reached => (None, State::Waiting, None),
            Fate::Open(note) => (None, self.overdue(deadline), note),
        };
        let after_ms = at.zip(self.before).map(|(at, before)| {
            i64::try_from(at.duration_since(before).as_millis()).unwrap_or(i64::MAX).max(0)
        });
        // Where there is nothing to do, the next hop counts from the one before.
        if state != State::NotNeeded {
            self.before = at;
        }
        let deadline = deadline.filter(|_| state != State::NotNeeded);
        self.hops.push(Hop { step, system: system.map(str::to_owned), at, after_ms, deadline, state, note });
    }

    fn overdue(&self, deadline: Option<Timestamp>) -> State {
        match deadline {
            Some(deadline) if self.now > deadline => {
                let quiet = self.now.duration_since(self.mine.last().at);
                if quiet < STILL { State::Late } else { State::Stuck }
            }
            Some(_) | None => State::Waiting,
        }
    }
}

fn done(at: Timestamp, deadline: Option<Timestamp>) -> State {
    if deadline.is_some_and(|deadline| at > deadline) { State::Late } else { State::Done }
}

fn later(from: Timestamp, by: SignedDuration) -> Option<Timestamp> {
    from.checked_add(by).ok()
}

/// Until when the changes are to be sent, answered and read back. A departure has its time from when it was accepted,
/// all else from when it was approved.
fn deadlines(
    mine: &Mine<'_>,
    approved: Option<Timestamp>,
) -> (Option<Timestamp>, Option<Timestamp>, Option<Timestamp>) {
    let (from, [send, answer, read]) = match mine.is_departure() {
        true => (Some(mine.accepted.at), [Measure::FirstKill.target(), ANSWER_DEPARTURE, READ_DEPARTURE]),
        false => (approved, [SEND, ANSWER, READ]),
    };
    let by = |time| from.and_then(|from| later(from, time));
    (by(send), by(answer), by(read))
}

/// Until when the case that it opened is to be closed. An integration has its time from when its end is in force.
fn closing(mine: &Mine<'_>) -> Option<Timestamp> {
    let from = if mine.is_departure() { mine.opened.map(|_| mine.accepted.at) } else { mine.opened };
    from.and_then(|from| later(from, Measure::CaseComplete.target()))
}

/// By whom, for people.
fn who(logged: &Logged) -> String {
    match &logged.actor {
        Actor::Hub(step) => format!("by the hub ({step})"),
        Actor::Operator(name) => format!("by {name}"),
        Actor::Source(name) => format!("from {name}"),
        Actor::Policy(id) => format!("by policy {id}"),
        Actor::Integration(name) => format!("from integration {name}"),
    }
}

fn decided(mine: &Mine<'_>) -> Fate {
    let of = |r: &&Logged| r.facts.contains_key("generation");
    match (mine.all(RecordKind::Decided).find(of), mine.plan) {
        (Some(decided), _) => {
            let changes = decided.facts.get("changes").and_then(Value::as_u64).unwrap_or_default();
            Fate::Done(decided.at, (changes > 0).then(|| format!("changes: {changes}")))
        }
        // What is declared of the hub itself is planned as it was asked.
        (None, Some((_, planned))) => Fate::Done(planned.at, None),
        (None, None) => Fate::Open(Some("it cannot be decided; see `bailiwick finding list`".into())),
    }
}

const NOTHING: &str = "nothing is to be changed";
const NEWER: &str = "a newer decision took its place";

fn planned(mine: &Mine<'_>) -> Fate {
    let decided = mine.all(RecordKind::Decided).next_back();
    match (mine.plan, decided) {
        (Some((id, planned)), _) => Fate::Done(planned.at, Some(id.to_string())),
        (None, Some(decided)) if decided.facts.contains_key("waits_for") => {
            Fate::Open(Some("waits for a person's answer to what was asked before".into()))
        }
        (None, Some(_)) => Fate::None(NOTHING),
        (None, None) => Fate::Open(None),
    }
}

fn approved(mine: &Mine<'_>) -> Fate {
    let Some((plan, _)) = mine.plan else { return unplanned(mine) };
    if let Some(approved) = mine.all(RecordKind::Approved).rfind(|r| r.plan == Some(plan)) {
        return Fate::Done(approved.at, Some(who(approved)));
    }
    match mine.superseded() {
        Some(_) => Fate::None(NEWER),
        None => Fate::Open(Some(format!("waits for somebody: `bailiwick approve {plan}`"))),
    }
}

fn unplanned(mine: &Mine<'_>) -> Fate {
    match planned(mine) {
        Fate::None(why) => Fate::None(why),
        Fate::Open(_) | Fate::Done(..) => Fate::Open(None),
    }
}

/// The systems that have hops of their own; the hub itself is in force with its approval.
fn systems<'l>(mine: &Mine<'l>) -> Vec<&'l str> {
    if mine.kind == "governed" { Vec::new() } else { mine.systems() }
}

/// Why nothing more is done on a system, if so.
fn dropped(mine: &Mine<'_>, system: &str) -> Option<Fate> {
    let whole = mine.superseded().filter(|_| mine.on(RecordKind::Sent, system).next().is_none());
    let here = mine.on(RecordKind::Superseded, system).next();
    whole.or(here).map(|_| Fate::None(NEWER))
}

fn sent(mine: &Mine<'_>, system: &str) -> Fate {
    let something =
        |r: &&Logged| r.facts.get("changes").and_then(Value::as_array).is_some_and(|c| !c.is_empty());
    if let Some(sent) = mine.on(RecordKind::Sent, system).find(something) {
        return Fate::Done(sent.at, None);
    }
    if let Some(asked) = mine.on(RecordKind::TaskAsked, system).find(|r| text(r, "outcome").is_empty()) {
        return Fate::Done(asked.at, Some(format!("asked of a person: {}", text(asked, "task"))));
    }
    if mine.on(RecordKind::Applied, system).any(|r| text(r, "steps") == "none was sent") {
        return Fate::None("all of it is outside of what is certified");
    }
    if let Some(dropped) = dropped(mine, system) {
        return dropped;
    }
    let held = mine.on(RecordKind::Budgeted, system).next_back();
    Fate::Open(
        held.map(|held| format!("held by the budget {}: see `bailiwick finding list`", text(held, "budget"))),
    )
}

fn applied(mine: &Mine<'_>, system: &str) -> Fate {
    let answers = mine.on(RecordKind::Applied, system);
    if let Some(last) = answers.last() {
        let refused = count(last, "refused");
        return match (text(last, "steps"), text(last, "stopped")) {
            ("none was sent", _) => Fate::None("nothing was sent"),
            (_, "") => Fate::Done(last.at, (refused > 0).then(|| format!("refused: {refused}"))),
            (_, stopped) => Fate::Open(Some(format!("stopped by {stopped}; it is tried again"))),
        };
    }
    if let Some(answered) = mine.on(RecordKind::TaskAnswered, system).next_back() {
        return Fate::Done(answered.at, Some(format!("{}: {}", who(answered), text(answered, "outcome"))));
    }
    if mine.on(RecordKind::TaskAsked, system).next().is_some() {
        return Fate::Open(Some("waits for the answer of a person: see `bailiwick task list`".into()));
    }
    let went_out = mine.on(RecordKind::Sent, system).next().is_some();
    match (dropped(mine, system), went_out) {
        (Some(dropped), false) => dropped,
        (_, true) => Fate::Open(Some("no answer is recorded; the system is read to find out".into())),
        (None, false) => Fate::Open(None),
    }
}

fn count(applied: &Logged, outcome: &str) -> usize {
    let steps = applied.facts.get("steps").and_then(Value::as_object);
    steps.map_or(0, |steps| steps.values().filter(|step| step["step"] == outcome).count())
}

/// What was read back of a system: by cells when somebody left, by changes otherwise.
fn read_back(mine: &Mine<'_>, system: &str) -> Fate {
    let answered =
        mine.on(RecordKind::Applied, system).chain(mine.on(RecordKind::TaskAnswered, system)).last();
    let Some(answered) = answered else {
        return dropped(mine, system).unwrap_or(Fate::Open(None));
    };
    match mine.case {
        Some(_) => cells(mine, answered, system),
        None => changes(mine, answered, system),
    }
}

fn cells(mine: &Mine<'_>, answered: &Logged, system: &str) -> Fate {
    let mut left: BTreeMap<&str, &str> = BTreeMap::new();
    let (mut seen, mut gone) = (0, None);
    for read in mine.read_after(answered, system).filter(|r| r.case == mine.case) {
        let class = text(read, "class");
        seen += 1;
        match read.kind == RecordKind::ControlAccepted || crate::metrics::is_gone(read) {
            true => drop(left.remove(class)),
            false => drop(left.insert(class, text(read, "verdict"))),
        }
        gone = match (left.is_empty(), gone) {
            (true, None) => Some(read.at),
            (true, since) => since,
            (false, _) => None,
        };
    }
    match gone {
        Some(at) => Fate::Done(at, Some("nothing is left".into())),
        None if seen == 0 => Fate::Open(None),
        None => {
            let left: Vec<String> =
                left.iter().map(|(class, verdict)| format!("{class} {verdict}")).collect();
            Fate::Open(Some(left.join(", ")))
        }
    }
}

fn changes(mine: &Mine<'_>, answered: &Logged, system: &str) -> Fate {
    let mut diverged = false;
    for read in mine.read_after(answered, system) {
        match text(read, "outcome") {
            "diverged" => diverged = true,
            "" => {}
            outcome => return Fate::Done(read.at, (outcome != "verified").then(|| outcome.to_owned())),
        }
    }
    Fate::Open(diverged.then(|| "reading back shows that it is not so; it is done anew as drift".into()))
}

fn closed(mine: &Mine<'_>) -> Fate {
    if mine.kind == "governed" && mine.case.is_none() {
        let in_force = mine.all(RecordKind::Applied).next_back();
        return match in_force {
            Some(applied) => Fate::Done(applied.at, Some("in force".into())),
            None => Fate::Open(None),
        };
    }
    match (mine.case, mine.closed(), planned(mine)) {
        (_, Some(closed), _) => Fate::Done(closed.at, None),
        (None, None, _) => Fate::None("there is no case"),
        (Some(_), None, Fate::None(_)) => Fate::None("there was nothing to prove"),
        (Some(case), None, Fate::Done(..) | Fate::Open(_)) => {
            Fate::Open(Some(format!("see `bailiwick case show {case}`")))
        }
    }
}
