//! What can go wrong in a step, with a stable code.

use bailiwick_connector::ConnectorError;
use bailiwick_core::{
    approval::Refusal, contract::Breach, control::ControlRefusal, exception::ExceptionRefusal, gate::Shut,
    guard::ReleaseRefusal, id::IntegrationName, join::JoinRefusal, kill::NoKill, passkey::PasskeyRefusal,
    policy::PolicyError, reserved::NameRefusal, review::ReviewRefusal, right::Right, stay::StayRefusal,
    task::TaskRefusal, termination::TerminationRefusal, transfer::TransferRefusal, undo::UndoRefusal,
};
use bailiwick_store::StoreError;

use crate::{AskRefusal, DoorRefusal, KeyRefusal, PushRefusal};

/// A step could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The store.
    #[error("the store did not do it")]
    Store(#[from] StoreError),
    /// A system or its connector.
    #[error("the system did not do it")]
    Connector(#[from] ConnectorError),
    /// The policies are not valid.
    #[error("the policies have {} error(s)", .0.len())]
    Policy(Vec<PolicyError>),
    /// Facts that a policy needs are missing.
    #[error("the policies cannot decide: {0}")]
    Undecidable(String),
    /// The configuration is not valid.
    #[error("the configuration is not valid: {}", .0.join("; "))]
    Configuration(Vec<String>),
    /// An approval is refused.
    #[error("the approval is refused")]
    Refused(#[from] Refusal),
    /// Something cannot be done with an exception.
    #[error("it is refused")]
    Exception(#[from] ExceptionRefusal),
    /// There is nothing of the integration that could be tried now.
    #[error("nothing of `{0}` is to be tried: {1}")]
    NotToBeTried(IntegrationName, &'static str),
    /// An integration may not be used for this.
    #[error("`{0}` may not do this: {1}")]
    Shut(IntegrationName, Shut),
    /// An integration that has ended is declared anew before its old grant is proven dead.
    #[error(
        "`{0}` has ended and nothing proves yet that its grant is dead; take it out of the configuration, or wait for its case to close"
    )]
    Unproven(IntegrationName),
    /// The grant of an integration cannot be ended, or that cannot be drilled.
    #[error("`{0}`: {1}")]
    NoKill(IntegrationName, NoKill),
    /// Somebody else is to be given a first factor.
    #[error(
        "the first factor of `{0}` is made by themselves: `bailiwick operator enrol {0}` with their own profile"
    )]
    OwnFactor(String),
    /// An operator cannot have the name.
    #[error("an operator cannot be called so: {0}")]
    OperatorName(String),
    /// Nobody else could govern the hub.
    #[error("`{0}` is the last administrator who can sign in, so nobody could govern the hub any more")]
    LastAdmin(String),
    /// Somebody asks for a half of an invitation that is not theirs.
    #[error("a half of it is for who asked, and one for who approved once that is so; you are neither")]
    NoHalf,
    /// An invitation is not taken over.
    #[error("there is no such invitation, or the two halves are not its halves, or it was taken over before")]
    Invitation,
    /// What a passkey or a browser said does not count.
    #[error("the passkey is refused")]
    Passkey(#[from] PasskeyRefusal),
    /// A passkey cannot be called so.
    #[error("a passkey has a name of 1 to {0} letters")]
    PasskeyName(usize),
    /// Somebody has as many of something as one may have.
    #[error("nobody has more than {most} {what}; end one that is not used any more")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        most: usize,
    },
    /// A token is to do more than who makes it.
    #[error("a token does nothing that you may not do, and you may not `{}`", .0.as_str())]
    TokenWider(Right),
    /// A token is to say what only a person can.
    #[error(
        "accepting something in the place of seeing it takes a person; a token reads, operates and governs"
    )]
    TokenAccepts,
    /// A token is called by nothing, or is to last for no time, or for too long.
    #[error("a token has a name of 1 to {letters} letters, and 1 to {days} days")]
    TokenTerms {
        /// The longest name.
        letters: usize,
        /// The longest life, days.
        days: u16,
    },
    /// Who an operator is for a provider cannot be said so.
    #[error("who somebody is for a provider is said with its address and their `sub`, and `{0}` is not that")]
    Subject(String),
    /// Somebody else is that for the provider.
    #[error("the provider means `{0}` by that, and nobody else")]
    SubjectTaken(String),
    /// The hub is to end itself.
    #[error("the hub is an integration of itself and does not end itself; stop the process to stop it")]
    HubStays,
    /// An answer to a task is not accepted.
    #[error("the answer is not accepted")]
    Task(#[from] TaskRefusal),
    /// A control is not accepted.
    #[error("the control is not accepted")]
    Control(#[from] ControlRefusal),
    /// A request with a key is not done.
    #[error("the request is not done")]
    Key(#[from] KeyRefusal),
    /// A call at the door is refused.
    #[error("the call is refused")]
    Door(#[from] DoorRefusal),
    /// A question is not answered.
    #[error("it is not answered")]
    Ask(#[from] AskRefusal),
    /// What is pushed is refused.
    #[error("it is refused")]
    Push(#[from] PushRefusal),
    /// A decision about a review is not accepted.
    #[error("the review is not decided")]
    Review(#[from] ReviewRefusal),
    /// A transfer of an integration is not proposed or not accepted.
    #[error("the transfer is not made")]
    Transfer(#[from] TransferRefusal),
    /// Nobody is armed or fired, or nothing is lifted.
    #[error("it is refused")]
    Termination(#[from] TerminationRefusal),
    /// A plan is not undone.
    #[error("it is not undone")]
    Undo(#[from] UndoRefusal),
    /// Nobody is joined or split.
    #[error("nobody is joined or split")]
    Join(#[from] JoinRefusal),
    /// A reason has to be given and is not.
    #[error("a reason is missing: it is what people will read later")]
    NoReason,
    /// A restore is not released: something was not looked at since.
    #[error("not everything was looked at since the restore")]
    Unseen(Vec<String>),
    /// No end is taken back.
    #[error("no end is taken back")]
    Stay(#[from] StayRefusal),
    /// A name is not released.
    #[error("the name is not released")]
    Name(#[from] NameRefusal),
    /// A held delivery is not released.
    #[error("it is not released")]
    Release(#[from] ReleaseRefusal),
    /// A delivery of a feed is held.
    #[error("the delivery is held: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Held(Vec<Breach>),
    /// There is no such thing.
    #[error("there is no {kind} `{name}`")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// By which name.
        name: String,
    },
    /// The name fits more than one thing.
    #[error("`{name}` fits {count} identities; use the id")]
    Ambiguous {
        /// The name.
        name: String,
        /// How many it fits.
        count: usize,
    },
    /// Somebody who has not left keeps what is known of them.
    #[error("`{identity}` has not left; only what is personal about somebody who has left is erased")]
    NotGone {
        /// Who.
        identity: bailiwick_core::id::IdentityId,
    },
    /// What is theirs is preserved.
    #[error("`{identity}` is under legal hold: nothing of theirs is erased before that ends")]
    Preserved {
        /// Who.
        identity: bailiwick_core::id::IdentityId,
    },
    /// What is stored does not fit together.
    #[error("{0}")]
    Inconsistent(String),
    /// The change that was seen is not the one that would be made now.
    #[error("what would change is not what was shown any more; look at the difference again")]
    ConfigurationChanged,
    /// One at a time: somebody is at it.
    #[error("somebody is doing `{doing}` with `{name}` at this moment; try again when that is done")]
    Busy {
        /// What is being done.
        doing: &'static str,
        /// With which system.
        name: String,
    },
    /// Another process publishes the log at this moment.
    #[error("{0}; try again in half a minute")]
    LogBusy(&'static str),
    /// The evidence log.
    #[error("the evidence log: {0}")]
    Evidence(String),
}

/// What steps give back.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

impl EngineError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(e) => e.code(),
            Self::Connector(e) => e.code(),
            Self::Policy(errors) => errors.first().map_or("policy", PolicyError::code),
            Self::Undecidable(_) => "policy-undecidable",
            Self::Configuration(_) => "configuration",
            Self::Refused(r) => r.code(),
            Self::Exception(r) => r.code(),
            Self::NotToBeTried(..) => "scope-test-not-due",
            Self::Shut(_, shut) => shut.code(),
            Self::Unproven(_) => "integration-not-proven-dead",
            Self::NoKill(_, why) => why.code(),
            Self::OwnFactor(_) => "factor-is-ones-own",
            Self::OperatorName(_) => "operator-name",
            Self::LastAdmin(_) => "operator-last-admin",
            Self::NoHalf => "invitation-not-yours",
            Self::Invitation => "invitation-refused",
            Self::Passkey(refusal) => refusal.code(),
            Self::PasskeyName(_) => "passkey-name",
            Self::TooMany { .. } => "too-many",
            Self::TokenWider(_) => "token-wider",
            Self::TokenAccepts => "token-approves-nothing",
            Self::TokenTerms { .. } => "token-terms",
            Self::Subject(_) => "operator-subject",
            Self::SubjectTaken(_) => "operator-subject-taken",
            Self::HubStays => "hub-stays",
            Self::Task(r) => r.code(),
            Self::Control(r) => r.code(),
            Self::Key(r) => r.code(),
            Self::Door(r) => r.code(),
            Self::Ask(r) => r.code(),
            Self::Push(r) => r.code(),
            Self::Review(r) => r.code(),
            Self::Transfer(r) => r.code(),
            Self::Termination(r) => r.code(),
            Self::Undo(r) => r.code(),
            Self::Join(r) => r.code(),
            Self::Stay(r) => r.code(),
            Self::Name(r) => r.code(),
            Self::Release(r) => r.code(),
            Self::NoReason => "reason-missing",
            Self::Unseen(_) => "restore-unseen",
            Self::Held(breaches) => breaches.first().map_or("feed-held", Breach::code),
            Self::NotFound { .. } => "not-found",
            Self::Ambiguous { .. } => "ambiguous",
            Self::NotGone { .. } => "identity-not-left",
            Self::Preserved { .. } => "identity-preserved",
            Self::Inconsistent(_) => "inconsistent",
            Self::ConfigurationChanged => "configuration-changed",
            Self::Busy { .. } => "system-busy",
            Self::LogBusy(_) => "log-busy",
            Self::Evidence(_) => "evidence",
        }
    }
}
