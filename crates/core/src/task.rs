//! Tasks: changes that a person makes, because the system has nothing that a program could use.
//!
//! A task is answered once, by somebody who is not its beneficiary, with what they have to show for it.
//! An answer is an attestation and never more: it stands in a case as an accepted control with an end, and
//! is looked at again when the system can be read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    id::{EventId, IdentityId, OperatorId, PlanId, RunId, SystemName, TaskId},
    time::Timestamp,
};

/// What a person is asked to do on one system for one identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The run whose changes it is about.
    pub run: RunId,
    /// The plan behind it.
    pub plan: PlanId,
    /// The event behind that.
    pub event: EventId,
    /// For whom the changes are.
    pub identity: IdentityId,
    /// Where.
    pub system: SystemName,
    /// Who is asked: `source/key` of a person, or the name of an operator.
    pub assignee: String,
    /// Who is told when it is not done in time.
    pub backup: String,
    /// What is to be done, in order.
    pub steps: Vec<TaskStep>,
    /// When it was asked.
    pub asked: Timestamp,
    /// When the assignee is reminded.
    pub remind: Timestamp,
    /// Until when it is to be done; after that it is escalated.
    pub due: Timestamp,
    /// How long an answer stands before somebody has to look again, days.
    pub stands_days: u32,
    /// Where it stands.
    #[serde(flatten)]
    pub state: TaskState,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskStep {
    /// The change in the plan.
    pub seq: u16,
    /// What to do, in words.
    pub instruction: String,
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum TaskState {
    /// Nobody has answered.
    Open,
    /// Somebody says that it is done.
    Done {
        /// What they say.
        attestation: Attestation,
    },
    /// Somebody says that it cannot be done.
    Declined {
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
}

impl TaskState {
    /// The name, kebab-case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done { .. } => "done",
            Self::Declined { .. } => "declined",
        }
    }
}

/// What somebody says that they did, and what they have to show for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attestation {
    /// Who, by name.
    pub by: String,
    /// Who.
    pub operator: OperatorId,
    /// When.
    pub at: Timestamp,
    /// In their words.
    pub statement: String,
    /// Files they showed.
    pub exhibits: Vec<Exhibit>,
}

impl Attestation {
    /// Identifies statement and exhibits.
    pub fn digest(&self) -> Digest {
        Digest::of_value(self)
    }
}

/// A file that was shown; the file itself stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exhibit {
    /// Its name.
    pub name: String,
    /// Its length, bytes.
    pub bytes: u64,
    /// SHA-256 of it.
    pub digest: Digest,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TaskAnswer")]
#[serde(rename_all = "kebab-case", tag = "answer", deny_unknown_fields)]
pub enum Answer {
    /// All steps are done.
    Done {
        /// In the words of whoever did it.
        statement: String,
        /// Files that show it.
        #[serde(default)]
        exhibits: Vec<Exhibit>,
        /// What the system calls the account, if it was made.
        #[serde(default)]
        account: Option<String>,
    },
    /// It cannot be done.
    Declined {
        /// Why.
        reason: String,
    },
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answerer<'a> {
    /// Their id.
    pub operator: OperatorId,
    /// Their name.
    pub name: &'a str,
    /// Which person they are, if they are in a source.
    pub person: Option<IdentityId>,
}

/// An answer is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskRefusal {
    /// It has its answer.
    #[error("the task is {0} already; what it asked for is asked anew when it is needed again")]
    Answered(&'static str),
    /// The answer is by the one whom the task is about.
    #[error("nobody attests a change of their own access; somebody else has to look and answer")]
    OwnAccess,
    /// The answer says nothing.
    #[error("an answer says what was done and how it can be seen, or why it cannot be done")]
    Empty,
}

impl TaskRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Answered(_) => "task-answered",
            Self::OwnAccess => "task-own-access",
            Self::Empty => "task-empty-answer",
        }
    }
}

impl Task {
    /// The task without any words about whom it is about. Who answered and the digests of what was shown stay.
    #[must_use]
    pub fn erased(mut self) -> Self {
        const ERASED: &str = "(erased)";
        self.steps.iter_mut().for_each(|step| step.instruction = ERASED.into());
        match &mut self.state {
            TaskState::Open => {}
            TaskState::Done { attestation } => {
                attestation.statement = ERASED.into();
                attestation.exhibits.iter_mut().for_each(|exhibit| exhibit.name = ERASED.into());
            }
            TaskState::Declined { reason, .. } => *reason = ERASED.into(),
        }
        self
    }

    /// The task with its answer. `account` of the answer is the run's matter.
    ///
    /// # Errors
    /// When it has one already, when the answerer is its beneficiary, and when the answer says nothing.
    pub fn answer(self, answer: &Answer, by: &Answerer<'_>, now: Timestamp) -> Result<Self, TaskRefusal> {
        match self.state {
            TaskState::Open => {}
            TaskState::Done { .. } | TaskState::Declined { .. } => {
                return Err(TaskRefusal::Answered(self.state.name()));
            }
        }
        if by.person == Some(self.identity) {
            return Err(TaskRefusal::OwnAccess);
        }
        let (Answer::Done { statement: text, .. } | Answer::Declined { reason: text }) = answer;
        if text.trim().is_empty() {
            return Err(TaskRefusal::Empty);
        }
        let state = match answer {
            Answer::Done { statement, exhibits, .. } => TaskState::Done {
                attestation: Attestation {
                    by: by.name.to_owned(),
                    operator: by.operator,
                    at: now,
                    statement: statement.clone(),
                    exhibits: exhibits.clone(),
                },
            },
            Answer::Declined { reason } => {
                TaskState::Declined { by: by.name.to_owned(), at: now, reason: reason.clone() }
            }
        };
        Ok(Self { state, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(s).unwrap()
    }

    fn task(state: TaskState) -> Task {
        Task {
            id: TaskId::from_bytes([1; 16]),
            run: RunId::from_bytes([2; 16]),
            plan: PlanId::from_bytes([3; 16]),
            event: EventId::from_bytes([4; 16]),
            identity: IdentityId::from_bytes([5; 16]),
            system: SystemName::new("badges").unwrap(),
            assignee: "hr/7".into(),
            backup: "hr/8".into(),
            steps: vec![TaskStep { seq: 0, instruction: "take the badge back".into() }],
            asked: t(0),
            remind: t(10),
            due: t(20),
            stands_days: 90,
            state,
        }
    }

    #[test]
    fn a_task_is_answered_once_by_somebody_else_with_something_to_show() {
        let by = |person: Option<u8>| Answerer {
            operator: OperatorId::from_bytes([9; 16]),
            name: "ann",
            person: person.map(|n| IdentityId::from_bytes([n; 16])),
        };
        let done = |statement: &str| Answer::Done {
            statement: statement.into(),
            exhibits: Vec::new(),
            account: None,
        };
        let check = |task: Task, answer: &Answer, person, expect: Result<&str, &str>| {
            let got = task.answer(answer, &by(person), t(5));
            let got = got.as_ref().map(|task| task.state.name()).map_err(TaskRefusal::code);
            assert_eq!(got, expect, "{answer:?}");
        };
        let declined = Answer::Declined { reason: "lost".into() };
        check(task(TaskState::Open), &done("it is in the box"), None, Ok("done"));
        check(task(TaskState::Open), &done("it is in the box"), Some(6), Ok("done"));
        check(task(TaskState::Open), &declined, Some(6), Ok("declined"));
        check(task(TaskState::Open), &done("it is in the box"), Some(5), Err("task-own-access"));
        check(task(TaskState::Open), &declined, Some(5), Err("task-own-access"));
        check(task(TaskState::Open), &done(" \n"), None, Err("task-empty-answer"));
        let answered = task(TaskState::Open).answer(&done("x"), &by(None), t(5)).unwrap();
        check(answered.clone(), &done("again"), None, Err("task-answered"));
        check(answered, &declined, None, Err("task-answered"));
    }
}
