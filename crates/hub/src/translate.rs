//! From the errors of the rooms below to problems: which status, which faults, at which place.

use bailiwick_connector::{ConnectorError, ErrorKind};
use bailiwick_core::{
    approval::Refusal, contract::Breach, control::ControlRefusal, exception::ExceptionRefusal,
    guard::ReleaseRefusal, join::JoinRefusal, passkey::PasskeyRefusal, policy::PolicyError,
    reserved::NameRefusal, review::ReviewRefusal, stay::StayRefusal, task::TaskRefusal,
    termination::TerminationRefusal, transfer::TransferRefusal, undo::UndoRefusal,
};
use bailiwick_engine::{AskRefusal, DoorRefusal, EngineError, KeyRefusal, PushRefusal};
use bailiwick_store::StoreError;

use crate::{
    config::ConfigError,
    problem::{Fault, Problem, chain},
};

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::Conflict { .. } | StoreError::LostLease { .. } => 409,
            StoreError::Unavailable(_)
            | StoreError::Newer { .. }
            | StoreError::Foreign(_)
            | StoreError::Pooled
            | StoreError::Address(_) => 503,
            _ => 500,
        };
        Self::new(status, error.code(), chain(&error))
    }
}

impl From<ConnectorError> for Problem {
    fn from(error: ConnectorError) -> Self {
        let status = match error.kind {
            ErrorKind::NotFound => 404,
            ErrorKind::AlreadyExists | ErrorKind::Stale | ErrorKind::Quarantined | ErrorKind::Shut => 409,
            ErrorKind::Settings
            | ErrorKind::NoCredential
            | ErrorKind::Unsupported
            | ErrorKind::OutOfScope => 422,
            _ => 502,
        };
        Self::new(status, error.code(), error.message)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::Requester
            | Refusal::Beneficiary
            | Refusal::Owner
            | Refusal::OtherGate
            | Refusal::Delegate
            | Refusal::NoPerson
            | Refusal::StepUp
            | Refusal::StepUpWrong
            | Refusal::NotEnrolled(_)
            | Refusal::Passkey(_)
            | Refusal::NotAllowed(_)
            | Refusal::NotAccepted { .. } => 403,
            Refusal::StepUpSlowed(_) => 429,
            Refusal::DigestMismatch { .. }
            | Refusal::Used(_)
            | Refusal::Expired(_)
            | Refusal::Untested(_)
            | Refusal::ReviewOverdue(_)
            | Refusal::Superseded => 409,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<ExceptionRefusal> for Problem {
    fn from(refusal: ExceptionRefusal) -> Self {
        let status = match refusal {
            ExceptionRefusal::TooLong { .. }
            | ExceptionRefusal::Longer { .. }
            | ExceptionRefusal::Forbidden { .. }
            | ExceptionRefusal::NoReason
            | ExceptionRefusal::NotHere(_)
            | ExceptionRefusal::Unprovable(_) => 422,
            ExceptionRefusal::Already(_)
            | ExceptionRefusal::Withheld(_)
            | ExceptionRefusal::Nothing
            | ExceptionRefusal::NotAsked(_)
            | ExceptionRefusal::NotGiven(_)
            | ExceptionRefusal::NotEnded(_)
            | ExceptionRefusal::Reviewed(_) => 409,
            ExceptionRefusal::Involved | ExceptionRefusal::NoPerson => 403,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<TaskRefusal> for Problem {
    fn from(refusal: TaskRefusal) -> Self {
        let status = match refusal {
            TaskRefusal::Answered(_) => 409,
            TaskRefusal::OwnAccess => 403,
            TaskRefusal::Empty => 422,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<ControlRefusal> for Problem {
    fn from(refusal: ControlRefusal) -> Self {
        let status = match refusal {
            ControlRefusal::Seen(_) => 409,
            ControlRefusal::OwnAccess | ControlRefusal::OwnIntegration => 403,
            ControlRefusal::Owner(_)
            | ControlRefusal::Empty
            | ControlRefusal::Over(_)
            | ControlRefusal::Far(_) => 422,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<ReviewRefusal> for Problem {
    fn from(refusal: ReviewRefusal) -> Self {
        let status = match refusal {
            ReviewRefusal::Changed(_) | ReviewRefusal::NothingUsed(_) | ReviewRefusal::AllUsed(_) => 409,
            ReviewRefusal::NoReason(_) => 422,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<AskRefusal> for Problem {
    fn from(refusal: AskRefusal) -> Self {
        let status = match refusal {
            AskRefusal::Outside(..) => 403,
            AskRefusal::Full => 503,
            AskRefusal::Page => 400,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<KeyRefusal> for Problem {
    fn from(refusal: KeyRefusal) -> Self {
        let status = match refusal {
            KeyRefusal::Reused(_) => 422,
            KeyRefusal::Unanswered(_) | KeyRefusal::NotKept { .. } => 409,
            KeyRefusal::Full => 429,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<DoorRefusal> for Problem {
    fn from(refusal: DoorRefusal) -> Self {
        let status = match refusal {
            DoorRefusal::Shut(..) | DoorRefusal::Outside(..) => 403,
            DoorRefusal::Busy { .. } => 429,
            DoorRefusal::HasWriter(_) => 409,
            DoorRefusal::WrongType(_) => 422,
            DoorRefusal::Gone(_) | DoorRefusal::NoCaller(_) => 409,
            DoorRefusal::Malformed(_) | DoorRefusal::Stale => 400,
            DoorRefusal::Unsigned => 401,
            DoorRefusal::NothingToRead(_) => 409,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<PushRefusal> for Problem {
    fn from(refusal: PushRefusal) -> Self {
        let status = match refusal {
            PushRefusal::NoPusher(_) | PushRefusal::Outside(..) => 403,
            PushRefusal::Taken(_) | PushRefusal::Stale(_) => 409,
            PushRefusal::NoMember(_) => 422,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<TransferRefusal> for Problem {
    fn from(refusal: TransferRefusal) -> Self {
        let status = match refusal {
            TransferRefusal::NotProposed(_) => 403,
            TransferRefusal::Unknown(_) | TransferRefusal::NoBackup(_) => 422,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<TerminationRefusal> for Problem {
    fn from(refusal: TerminationRefusal) -> Self {
        let status = match refusal {
            TerminationRefusal::NotAllowed(_)
            | TerminationRefusal::Own
            | TerminationRefusal::Unknown
            | TerminationRefusal::SamePerson => 403,
            TerminationRefusal::NoReason | TerminationRefusal::TooLong | TerminationRefusal::NoPerson(_) => {
                422
            }
            TerminationRefusal::Gone(_)
            | TerminationRefusal::Already(..)
            | TerminationRefusal::NotArmed(..)
            | TerminationRefusal::Expired(..)
            | TerminationRefusal::NotOwed(_) => 409,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<UndoRefusal> for Problem {
    fn from(refusal: UndoRefusal) -> Self {
        let status = match refusal {
            UndoRefusal::NotDone(_) | UndoRefusal::UnderWay(_) | UndoRefusal::SamePerson(_) => 409,
            UndoRefusal::Hub(_)
            | UndoRefusal::Gave { .. }
            | UndoRefusal::Leaver(_)
            | UndoRefusal::Nothing => 422,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<JoinRefusal> for Problem {
    fn from(refusal: JoinRefusal) -> Self {
        let status = match refusal {
            JoinRefusal::Same(..)
            | JoinRefusal::Unsettled(_)
            | JoinRefusal::Excepted(_)
            | JoinRefusal::NotJoined { .. }
            | JoinRefusal::Changed => 409,
            JoinRefusal::NoPerson(_) | JoinRefusal::NoReason | JoinRefusal::Own(_) => 422,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<NameRefusal> for Problem {
    fn from(refusal: NameRefusal) -> Self {
        let status = match refusal {
            NameRefusal::NotKept => 409,
            NameRefusal::SamePerson | NameRefusal::Beneficiary | NameRefusal::Unknown => 403,
            NameRefusal::NoReason => 422,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<StayRefusal> for Problem {
    fn from(refusal: StayRefusal) -> Self {
        let status = match refusal {
            StayRefusal::NoEnd(_) | StayRefusal::Gone(_) => 409,
            StayRefusal::NoReason => 422,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let code = error.code();
        let with = |status, detail: String| Self::new(status, code, detail);
        match error {
            EngineError::Store(error) => error.into(),
            EngineError::Connector(error) => error.into(),
            EngineError::Refused(refusal) => refusal.into(),
            EngineError::Task(refusal) => refusal.into(),
            EngineError::Control(refusal) => refusal.into(),
            EngineError::Key(refusal) => refusal.into(),
            EngineError::Door(refusal) => refusal.into(),
            EngineError::Ask(refusal) => refusal.into(),
            EngineError::Push(refusal) => refusal.into(),
            EngineError::Exception(refusal) => refusal.into(),
            EngineError::Review(refusal) => refusal.into(),
            EngineError::Transfer(refusal) => refusal.into(),
            EngineError::Termination(refusal) => refusal.into(),
            EngineError::Undo(refusal) => refusal.into(),
            EngineError::Join(refusal) => refusal.into(),
            EngineError::Stay(refusal) => refusal.into(),
            EngineError::Name(refusal) => refusal.into(),
            EngineError::Release(refusal) => {
                let status = match refusal {
                    ReleaseRefusal::NotHeld(_)
                    | ReleaseRefusal::Form(_)
                    | ReleaseRefusal::NotSeen
                    | ReleaseRefusal::Replaced => 409,
                    ReleaseRefusal::SamePerson | ReleaseRefusal::Beneficiary | ReleaseRefusal::Unknown => 403,
                };
                with(status, refusal.to_string())
            }
            EngineError::Held(breaches) => {
                with(422, "the delivery is held whole".into()).faults(breaches.iter().map(breach).collect())
            }
            EngineError::Policy(errors) => {
                let faults = errors.iter().map(mistake).collect();
                with(422, "the policies are not valid; nothing was changed".into()).faults(faults)
            }
            EngineError::Configuration(errors) => {
                let faults = errors.into_iter().map(|message| Fault::new(code, message)).collect();
                with(422, "the configuration is not valid; nothing was changed".into()).faults(faults)
            }
            EngineError::Unseen(what) => {
                let faults = what.into_iter().map(|message| Fault::new(code, message)).collect();
                with(409, "not everything was looked at since the restore".into()).faults(faults)
            }
            EngineError::NoReason => with(422, error.to_string()),
            EngineError::NotFound { .. } => with(404, error.to_string()),
            EngineError::Ambiguous { .. } => with(409, error.to_string()),
            EngineError::Undecidable(_) | EngineError::OperatorName(_) => with(422, error.to_string()),
            EngineError::Passkey(refusal) => {
                let status = if refusal == PasskeyRefusal::Taken { 409 } else { 403 };
                with(status, refusal.to_string())
            }
            EngineError::PasskeyName(_)
            | EngineError::TokenTerms { .. }
            | EngineError::TokenAccepts
            | EngineError::Subject(_) => with(422, error.to_string()),
            EngineError::TokenWider(_) => with(403, error.to_string()),
            EngineError::LastAdmin(_) | EngineError::TooMany { .. } | EngineError::SubjectTaken(_) => {
                with(409, error.to_string())
            }
            EngineError::Invitation | EngineError::NoHalf | EngineError::OwnFactor(_) => {
                with(403, error.to_string())
            }
            EngineError::LogBusy(_) => with(503, error.to_string()),
            EngineError::ConfigurationChanged
            | EngineError::NotGone { .. }
            | EngineError::Preserved { .. }
            | EngineError::Busy { .. }
            | EngineError::NotToBeTried(..)
            | EngineError::Shut(..)
            | EngineError::Unproven(_)
            | EngineError::NoKill(..)
            | EngineError::HubStays => with(409, error.to_string()),
            error => with(500, chain(&error)),
        }
    }
}

/// A mistake in a policy, with its place.
fn mistake(error: &PolicyError) -> Fault {
    let help = error.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
    let fault = Fault::new(error.code(), format!("{}{help}", error.message));
    match error.line {
        0 => fault.at(error.file.clone()),
        line => fault.at(format!("{}:{line}:{}", error.file, error.column)),
    }
}

/// A broken promise of a source; the line is its place.
pub fn breach(breach: &Breach) -> Fault {
    let said = breach.to_string();
    let Some(place) = breach.line().map(|line| format!("line {line}")) else {
        return Fault::new(breach.code(), said);
    };
    let rest = said.strip_prefix(&place).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&said);
    Fault::new(breach.code(), rest).at(place)
}

/// What is wrong with a configuration, each fault with its place.
pub fn configuration(errors: Vec<ConfigError>) -> Problem {
    let code = errors.first().map_or("configuration", ConfigError::code);
    let fault = |error: &ConfigError| {
        let hint =
            error.suggestion.as_ref().map_or(String::new(), |meant| format!(" (did you mean `{meant}`?)"));
        Fault::new(error.code(), format!("{}{hint}", error.message)).at(error.place.to_string())
    };
    Problem::new(422, code, "the configuration is not valid; nothing was changed")
        .faults(errors.iter().map(fault).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_breach_is_its_place_and_is_said_once() {
        let empty = |line| Breach::EmptyValue { line, key: "7".into(), attribute: "name".into() };
        let check = |said: Breach, place: Option<&str>, message: &str| {
            let fault = breach(&said);
            assert_eq!((fault.place.as_deref(), fault.message.as_str()), (place, message));
        };
        let rest = "`name` of `7` is empty, and the contract says that it never is";
        check(empty(2), Some("line 2"), rest);
        check(Breach::NoKey { line: 3 }, Some("line 3"), "line 3 has no key");
        let more = Breach::More { like: Box::new(empty(22)), count: 7 };
        check(more, None, &format!("7 more of the same kind, the next: line 22: {rest}"));
    }

    #[test]
    fn a_busy_log_is_a_moment_and_not_a_fault() {
        let check = |error: EngineError, status: u16, code: &str| {
            let problem = Problem::from(error);
            assert_eq!((problem.status, problem.code.as_str()), (status, code));
        };
        check(EngineError::LogBusy("another process publishes"), 503, "log-busy");
        check(EngineError::Evidence("log-shrunk: fewer entries".into()), 500, "evidence");
        check(EngineError::ConfigurationChanged, 409, "configuration-changed");
    }
}
