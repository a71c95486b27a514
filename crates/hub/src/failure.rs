//! How a command ends: its exit code, and what it says when it did not do what was asked.

use std::{error::Error, fmt};

use serde::Serialize;

use crate::problem::{Fault, Problem, chain};

/// The exit codes, documented in `bailiwick --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// A problem was found, or the request was refused. Nothing was changed by a refused request.
    Refused = 1,
    /// The command line or the surroundings are not right.
    Usage = 2,
    /// The hub or the store cannot be reached or opened.
    Unreachable = 3,
}

/// A command that did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong. For a local one the status only says whose fault it is.
    pub problem: Box<Problem>,
    /// How the program ends.
    pub exit: Exit,
}

/// What commands give back.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// Something was found or refused here, without the hub.
    pub fn refused(code: &str, message: impl Into<String>) -> Self {
        Self { problem: Box::new(Problem::new(422, code, message)), exit: Exit::Refused }
    }

    /// The command line or the surroundings are not right.
    pub fn usage(code: &str, message: impl Into<String>) -> Self {
        Self { problem: Box::new(Problem::new(400, code, message)), exit: Exit::Usage }
    }

    /// The hub or the store cannot be reached or opened.
    pub fn unreachable(code: &str, message: impl Into<String>) -> Self {
        Self { problem: Box::new(Problem::new(503, code, message)), exit: Exit::Unreachable }
    }

    /// The same with the error below told too.
    #[must_use]
    pub fn because(mut self, error: &dyn Error) -> Self {
        self.problem.detail = format!("{}: {}", self.problem.detail, chain(error));
        self
    }

    /// The same with other help.
    #[must_use]
    pub fn advise(mut self, help: impl Into<String>) -> Self {
        self.problem.help = Some(help.into());
        self
    }

    /// The same with single faults.
    #[must_use]
    pub fn faults(mut self, faults: Vec<Fault>) -> Self {
        self.problem.errors = faults;
        self
    }

    /// The code.
    pub fn code(&self) -> &str {
        &self.problem.code
    }
}

/// A problem that the hub answered with.
impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let exit = if problem.status == 503 { Exit::Unreachable } else { Exit::Refused };
        Self { problem: Box::new(problem), exit }
    }
}

/// As people read it: code and message, the single faults with their places, what to do.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { code, detail, help, errors, .. } = &*self.problem;
        write!(f, "error[{code}]: {detail}")?;
        for Fault { code, place, message } in errors {
            match place {
                Some(place) => write!(f, "\n  {place}: {message} [{code}]")?,
                None => write!(f, "\n  {message} [{code}]")?,
            }
        }
        match help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl Error for Failure {}

/// As `--json` prints it.
impl Serialize for Failure {
    fn serialize<S: serde::Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        self.problem.serialize(s)
    }
}
