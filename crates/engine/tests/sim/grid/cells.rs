//! The cells: what is done in each.

use bailiwick_lab::Behaviour;

use crate::world::{Weather, planted::Bug};

/// One cell.
pub struct Cell {
    pub hop: usize,
    pub fault: usize,
    /// In words.
    pub what: &'static str,
    pub how: How,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Something is wrong with the delivery that says that somebody left.
    Feed(Feed),
    /// The same with a source that the hub reads.
    Read(Feed),
    /// The process dies at each point of the way, one world for each.
    Crash(&'static [Behaviour]),
    /// Three engines do the same work.
    Engines(&'static [Behaviour]),
    /// Somebody is moved, and leaves before anything of that is done.
    Overtaking,
    /// All writes or all reads fare so for three hours.
    Weather { writes: bool, weather: Weather },
    /// The system is like this.
    System(&'static [Behaviour]),
    /// The same, and it is drilled a day later.
    Drilled(&'static [Behaviour]),
    /// The connector makes this mistake, on such a system; drilled a day later.
    Planted(Bug, &'static [Behaviour]),
    /// The same mistake and system, whose own log is read.
    Logged(Bug, &'static [Behaviour]),
    /// A row is changed behind the hub's back, and the evidence is checked.
    Altered(&'static str),
    /// There is no such fault.
    Never(&'static str),
}

/// What is wrong with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    Lost,
    Late,
    Twice,
    Older,
    Same,
    Part,
    AllLeft,
}

const fn cell(hop: usize, fault: usize, what: &'static str, how: How) -> Cell {
    Cell { hop, fault, what, how }
}

const DIES: &str = "the process dies at each point of the way";
const SAME: &str = "three engines do the same work at the same time";
const OVERTAKES: &str = "a mover leaves before anything of the move is done";
const ONE: &str = "an event is written together with what was decided for it, in one transaction (invariant 6); the cells of \
                   this row that die at each point show it";
const SIGNAL: &str = "a verdict is written together with its finding, its event or its closed case, in one transaction \
                      (invariant 6); the cells of this row that die at each point show it";

/// All of them, hop by hop.
pub const CELLS: [Cell; 49] = [
    cell(0, 0, "the delivery does not come, for a month; one is promised each week", How::Feed(Feed::Lost)),
    cell(0, 1, "it comes two days after the last day it names", How::Feed(Feed::Late)),
    cell(0, 2, "it comes twice", How::Feed(Feed::Twice)),
    cell(0, 3, "the delivery of before comes after it", How::Feed(Feed::Older)),
    cell(
        0,
        4,
        "the delivery of before comes in its place, for a month; a new one is promised each week",
        How::Feed(Feed::Same),
    ),
    cell(0, 5, "it is cut off after the first half", How::Feed(Feed::Part)),
    cell(0, 6, "it says that all have left, ten people of ten", How::Feed(Feed::AllLeft)),
    cell(
        1,
        0,
        "the provider cannot be reached, for a day; it is read every six hours",
        How::Read(Feed::Lost),
    ),
    cell(1, 1, "it shows two days late that a last day is over", How::Read(Feed::Late)),
    cell(1, 2, "every answer comes twice", How::Read(Feed::Twice)),
    cell(1, 3, "one reading shows what was before", How::Read(Feed::Older)),
    cell(
        1,
        4,
        "nobody keeps it up to date, for a month; it says something new each week",
        How::Read(Feed::Same),
    ),
    cell(1, 5, "somebody is not shown any more", How::Read(Feed::Part)),
    cell(1, 6, "it says that all have left, ten people of ten", How::Read(Feed::AllLeft)),
    cell(2, 0, DIES, How::Crash(&[])),
    cell(2, 1, DIES, How::Crash(&[])),
    cell(2, 2, SAME, How::Engines(&[])),
    cell(2, 3, OVERTAKES, How::Overtaking),
    cell(2, 4, "nothing is decided", How::Never(ONE)),
    cell(2, 5, DIES, How::Crash(&[])),
    cell(
        2,
        6,
        "a decided plan is for another cause in the database",
        How::Altered(
            "UPDATE plans SET body = CAST(replace(CAST(body AS TEXT), 'leaver', 'joiner') AS BLOB) WHERE CAST(body AS TEXT) \
             LIKE '%leaver%'",
        ),
    ),
    cell(3, 0, DIES, How::Crash(&[Behaviour::KeepsGroups])),
    cell(3, 1, DIES, How::Crash(&[Behaviour::KeepsGroups])),
    cell(3, 2, SAME, How::Engines(&[Behaviour::KeepsGroups])),
    cell(3, 3, OVERTAKES, How::Overtaking),
    cell(3, 4, "the connector sends nothing and answers that it did", How::Planted(Bug::DoesNothing, &[])),
    cell(
        3,
        5,
        "the connector disables, and sends nothing of the rest",
        How::Planted(Bug::DoesHalf, &[Behaviour::KeepsGroups]),
    ),
    cell(
        3,
        6,
        "what was carried out is not in the database",
        How::Altered(
            "UPDATE runs SET body = CAST(replace(CAST(body AS TEXT), 'applied', 'dropped') AS BLOB) WHERE CAST(body AS TEXT) \
             LIKE '%applied%'",
        ),
    ),
    cell(
        4,
        0,
        "no write arrives, for three hours",
        How::Weather { writes: true, weather: Weather::Unreached },
    ),
    cell(4, 1, "groups change three seconds after the answer", How::System(&[Behaviour::AsyncMembers])),
    cell(4, 2, "every write arrives twice", How::Weather { writes: true, weather: Weather::Twice }),
    cell(4, 3, "what was given last arrives again, after the account was disabled", {
        How::Planted(Bug::Overtaken, &[])
    }),
    cell(4, 4, "disabling answers 200 and does nothing", How::System(&[Behaviour::Noop200])),
    cell(4, 5, "disabling leaves groups and licences", How::System(&[Behaviour::KeepsGroups])),
    cell(
        4,
        6,
        "tokens are shown as revoked, and work; drilled a day later",
        How::Drilled(&[Behaviour::Liar]),
    ),
    cell(
        5,
        0,
        "the answer of every read is lost, for three hours",
        How::Weather { writes: false, weather: Weather::AnswerLost },
    ),
    cell(5, 1, "reads show what was two seconds ago", How::System(&[Behaviour::StaleRead])),
    cell(5, 2, "every read arrives twice", How::Weather { writes: false, weather: Weather::Twice }),
    cell(
        5,
        3,
        "reads show what was two seconds ago, and groups change after accounts",
        How::System(&[Behaviour::StaleRead, Behaviour::AsyncMembers]),
    ),
    cell(
        5,
        4,
        "what an account holds is read as nothing, and called everything; disabling leaves groups; drilled a day later",
        How::Planted(Bug::TrustsPartial, &[Behaviour::KeepsGroups]),
    ),
    cell(
        5,
        5,
        "what an account holds is shown in part, and called so; disabling leaves groups",
        How::Planted(Bug::ShowsPart, &[Behaviour::KeepsGroups]),
    ),
    cell(
        5,
        6,
        "an account that is active is shown as disabled; the system's own log is read",
        How::Logged(Bug::BelievesOk, &[Behaviour::Noop200]),
    ),
    cell(6, 0, DIES, How::Crash(&[Behaviour::Noop200])),
    cell(6, 1, DIES, How::Crash(&[Behaviour::Noop200])),
    cell(6, 2, SAME, How::Engines(&[Behaviour::Noop200])),
    cell(6, 3, OVERTAKES, How::Overtaking),
    cell(6, 4, "nothing is said of a verdict", How::Never(SIGNAL)),
    cell(6, 5, DIES, How::Crash(&[Behaviour::Noop200])),
    cell(
        6,
        6,
        "a verdict is changed in the database",
        How::Altered(
            "UPDATE cells SET body = CAST(replace(CAST(body AS TEXT), 'blocked', 'removed') AS BLOB) WHERE CAST(body AS \
             TEXT) LIKE '%blocked%'",
        ),
    ),
];

/// What is not detected yet, and why. This list may only become shorter.
pub const GAPS: &[(usize, usize, &str)] = &[];
