//! What every connector promises. Each sentence is a test of the kit.

use std::borrow::Cow;

use async_trait::async_trait;
use bailiwick_core::{access::AccessClass, audit, digest::Digest, plan::Op, time::Timestamp};

use crate::{
    Capability, ConnectorError, ErrorKind, Line, Object, Result,
    seal::{Credential, Secret},
};

/// What is to be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing<'a> {
    /// The people of a source.
    People,
    /// All accounts, also the disabled ones.
    Accounts,
    /// All groups, with their members.
    Groups,
    /// Everything of one class that one account holds.
    Held {
        /// The system's id of the account.
        account: &'a str,
        /// The class.
        class: AccessClass,
    },
}

/// One thing on a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locator<'a> {
    /// The account with this id.
    Account(&'a str),
    /// The account with this sign-in name.
    AccountNamed(&'a str),
    /// The account that bears the hub's marker.
    AccountMarked(&'a str),
    /// The group with this id.
    Group(&'a str),
    /// The person with this key.
    Person(&'a str),
}

/// Where a listing stands after a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Opaque; hand it back for the next page. `None`: this was the last one.
    pub next: Option<String>,
    /// Whether everything up to here was shown. A page that is not complete proves no absence.
    pub complete: bool,
}

/// Is shown each object of a page once, in the order of the system.
pub type Visit<'v> = &'v mut (dyn FnMut(Object<'_>) + Send);

/// Something about one thing since a reading before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News<'a> {
    /// It is new, or it may have been changed: this is what it is now.
    Shown(Object<'a>),
    /// The thing with this id is as it was.
    Same(Cow<'a, str>),
    /// The thing with this id is gone, or is not of the listing any more.
    Gone(Cow<'a, str>),
}

/// Is shown each piece of news.
pub type Hear<'h> = &'h mut (dyn FnMut(News<'_>) + Send);

/// Where the news ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// Opaque; hand it back for the news since now.
    pub next: String,
    /// What there was no news of is gone; otherwise it is as it was. Says nothing when not `complete`.
    pub rest_is_gone: bool,
    /// Whether all news was shown. Otherwise nothing may be concluded from what was not.
    pub complete: bool,
}

/// Where a reading of a system's audit log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start<'a> {
    /// After the entry with this mark.
    Mark(&'a str),
    /// With what was done at that instant; what was done before may be shown too.
    Instant(Timestamp),
}

/// Is shown each entry of an audit log.
pub type Read<'r> = &'r mut (dyn FnMut(audit::Entry) + Send);

/// Whether a change did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done now.
    Done,
    /// It was so already.
    AlreadySo,
}

/// What came of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Done, or so already.
    pub outcome: Outcome,
    /// The system's id of the account, when it was created or found.
    pub external_id: Option<String>,
    /// The version after the change, if the system gives one.
    pub version: Option<String>,
    /// Digest of the raw answer, for evidence.
    pub answer: Digest,
}

/// A credential that a canary was given, as it is tried later.
pub struct Issued {
    /// What kind of access it is.
    pub class: AccessClass,
    /// The system's id of it, if it has one apart from its holder.
    pub external_id: Option<String>,
    /// The credential.
    pub credential: Credential,
}

/// What a system did with a credential that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It let its holder in.
    Accepted,
    /// It turned its holder away.
    Rejected,
}

/// Speaks one protocol to one kind of system.
#[async_trait]
pub trait Connector: Send + Sync {
    /// What it can do, and its limits. What is declared is implemented; everything else answers
    /// `Unsupported`.
    fn capability(&self) -> &Capability;

    /// The attribute of accounts that people sign in with there; [`Object::name`] is what it is. `None` where that is no
    /// attribute which can be given.
    fn sign_in(&self) -> Option<&str> {
        Some("userName")
    }

    /// Writes changes of accounts in the first of these [`Capability::forms`] that it knows, and the others only
    /// where that one cannot say the change. Told at most once, before anything else is asked.
    fn adopt(&self, _forms: &[String]) {}

    /// Reaches the system and tries the credential. Changes nothing.
    async fn check(&self, line: &Line) -> Result<()>;

    /// What somebody should know of the system besides: what is configured and has no effect there, what was left behind.
    /// A sentence each, that says what to do. Changes nothing.
    async fn remarks(&self, _line: &Line) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Shows one page of a listing. Over all pages each object is shown exactly once, for any page
    /// size. `size` is a wish; the system may give less. Says when it could not show everything.
    async fn list(
        &self,
        line: &Line,
        listing: Listing<'_>,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page>;

    /// Shows what is new of a listing `since` a token of an earlier call; without one, everything there is.
    /// What is shown is as the listing would show it. A token that the system does not know any more is as
    /// none. Only if [`Capability::incremental`].
    async fn changes(
        &self,
        _line: &Line,
        _listing: Listing<'_>,
        _since: Option<&str>,
        _hear: Hear<'_>,
    ) -> Result<Since> {
        Err(unsupported("news since a reading before"))
    }

    /// Shows what the system's own audit log says was done, oldest first, `size` entries or more; none: there are no more.
    /// Each entry has a mark that gives what comes after it, and every change of an account that was made since is
    /// among them, with whether this integration made it. A mark that the log does not go back to any more is an error with
    /// the detail [`audit::LOST`]. Only if [`Capability::audits`].
    async fn audit(&self, _line: &Line, _from: Start<'_>, _size: u32, _read: Read<'_>) -> Result<()> {
        Err(unsupported("reading an audit log"))
    }

    /// One thing, as a listing would show it; `None` when it is certainly not there.
    async fn get(&self, line: &Line, locator: Locator<'_>) -> Result<Option<Object<'static>>>;

    /// Makes one change. `account` is the system's id of the account, `None` only for `CreateAccount`.
    /// After it a get shows the change (within `read_lag`). The same `key` twice has one effect, or an
    /// error that says `Unknown`. What is so already answers `AlreadySo`: creating an account that
    /// bears the same marker, removing what is not there. With a `precondition`, a change of something
    /// that was changed meanwhile is refused as `Stale`, if the connector is `conditional`. A lost
    /// answer is `Unknown`; a refusal has the effect `None`. Never tries a write again by itself.
    async fn apply(
        &self,
        line: &Line,
        account: Option<&str>,
        op: &Op,
        precondition: Option<&str>,
        key: &str,
    ) -> Result<Applied>;

    /// What a person is to do to make the change, in words. Only where [`Capability::by_person`] is set; then
    /// `apply` is never called.
    fn instruction(&self, op: &Op, account: Option<&str>) -> String {
        match account {
            Some(account) => format!("{} `{account}`", op.words()),
            None => op.words(),
        }
    }

    /// Gives an account, which is a canary's, a credential of a class in [`Capability::tries`], in place of
    /// or beside what it has. `secret` is used where the system lets the caller choose.
    async fn issue(
        &self,
        _line: &Line,
        _account: &str,
        class: AccessClass,
        _secret: Secret,
    ) -> Result<Issued> {
        Err(unsupported(&format!("issuing {class}")))
    }

    /// Tries a credential as its holder would, and leaves nothing behind. An error says that the question
    /// was not answered; only an answer of the system is an [`Entry`].
    async fn attempt(&self, _line: &Line, issued: &Issued) -> Result<Entry> {
        Err(unsupported(&format!("trying {}", issued.class)))
    }
}

fn unsupported(what: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Unsupported, format!("this connector does not do {what}"))
}
