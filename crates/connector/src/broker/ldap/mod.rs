//! The wire to directories (RFC 4511): typed requests on a [`Line`], one at a time on each bound connection.
//!
//! A line opens a connection when it needs one, binds it with the integration's credential, and keeps it for
//! the next request; a listing keeps its own from page to page, because its cookie lives there. What is half
//! done when somebody stops waiting takes the connection with it, so that no answer is ever read as another's.
//! Referrals are counted and never followed; nothing is tried again.
//! Absent on purpose: SASL, asynchronous requests, persistent searches.

mod ber;
mod decode;
mod encode;
mod filter;
mod socket;

use std::{
    path::PathBuf,
    sync::{Arc, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bailiwick_core::{
    digest::{Digest, Digesting},
    dn::{Dn, Rdn},
    scope::{Operation, ROOT_DSE},
};

pub use decode::{Became, Entry, Ids, SyncInfo, SyncState, Values};
pub use encode::{entry, ids};
pub use filter::{BadFilter, Filter};
pub use socket::{SocketLimits, Sockets};

use super::{
    destination::{Destination, Tls},
    line::{Line, failure},
    ongoing::{Ongoing, Outcome},
    resolve::Guide,
    settings::Auth,
    transport::TransportError,
};
use crate::{
    ConnectorError, ErrorKind, Result,
    seal::{Credential, CredentialScheme, Secret},
};

/// What a search begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base<'a> {
    /// The server's description of itself (RFC 4512 §5.1).
    RootDse,
    /// An entry.
    Entry(&'a Dn),
}

/// How deep a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Only the entry itself.
    Base,
    /// The entries right below it.
    One,
    /// The entry and all below it.
    Subtree,
}

/// What extends a request.
#[derive(Debug, Clone, Copy)]
pub enum Control<'a> {
    /// Only so many entries, from where the cookie points; the first page has an empty one (RFC 2696).
    Page {
        /// How many.
        size: u32,
        /// From the page before.
        cookie: &'a [u8],
    },
    /// The server does it only if the entry matches (RFC 4528).
    Assert(&'a Filter),
    /// The answer shows these attributes as they are afterwards (RFC 4527 §3.2).
    ReadAfter(&'a [&'a str]),
    /// What is new since the cookie, then the end (RFC 4533 §3.3). Without a cookie, everything.
    Refresh {
        /// From the synchronisation before.
        cookie: Option<&'a [u8]>,
    },
    /// What is new since the cookie on Active Directory (MS-ADTS §3.1.1.3.4.1.3).
    DirSync {
        /// The flags there.
        flags: i32,
        /// The most bytes of an answer; 0 leaves it to the server.
        most: i32,
        /// From the synchronisation before; empty for everything.
        cookie: &'a [u8],
    },
    /// Deleted objects are shown too (MS-ADTS §3.1.1.3.4.1.14).
    ShowDeleted,
    /// Active Directory names no other servers (MS-ADTS §3.1.1.3.4.1.4).
    NoReferrals,
}

/// A search.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// What for; matched against the scope with the base.
    pub operation: Operation,
    /// Where it begins.
    pub base: Base<'a>,
    /// How deep it goes.
    pub depth: Depth,
    /// What is picked.
    pub filter: &'a Filter,
    /// The attributes that are shown; `1.1` for none, `*` and `+` for all.
    pub attributes: &'a [&'a str],
    /// What extends it.
    pub controls: &'a [Control<'a>],
    /// The number of the connection it must be on, because its cookie lives there.
    pub connection: Option<u64>,
}

/// One thing that a search shows.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// An entry.
    Entry(Entry<'a>),
    /// A part of the tree is on another server; it is not followed.
    Reference,
    /// Something between the entries of a synchronisation.
    Sync(SyncInfo<'a>),
}

impl Shown<'_> {
    /// Has what came taken into a digest.
    fn heard_by(&self, heard: &mut Digesting) {
        match self {
            Self::Entry(entry) => entry.heard_by(heard),
            // Neither has anything that a reading goes by but that it came.
            Self::Reference => heard.update(b"r"),
            Self::Sync(_) => heard.update(b"s"),
        }
    }
}

/// Is shown each thing in the order of the server.
pub type Show<'s> = &'s mut (dyn FnMut(Shown<'_>) + Send);

/// One step of a modification (RFC 4511 §4.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Values are added to the attribute.
    Add(&'a str, Vec<Vec<u8>>),
    /// Values are taken from the attribute; without any, all.
    Remove(&'a str, Vec<Vec<u8>>),
    /// The attribute has these values and no others; without any, it is not there.
    Replace(&'a str, Vec<Vec<u8>>),
}

/// What a write does to its target.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// Makes the entry, with these attributes.
    Add(&'a [(&'a str, Vec<Vec<u8>>)]),
    /// Changes attributes, all of them or none.
    Modify(&'a [Edit<'a>]),
    /// Gives the entry another first step, in place of the old one, below the same entry.
    Rename(&'a Rdn),
    /// Removes the entry.
    Remove,
}

impl Change<'_> {
    const fn verb(&self) -> &'static str {
        match self {
            Self::Add(_) => "ADD",
            Self::Modify(_) => "MODIFY",
            Self::Rename(_) => "RENAME",
            Self::Remove => "REMOVE",
        }
    }
}

/// How a server takes a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordForm {
    /// By the extended operation (RFC 3062); the server hashes it as it likes.
    Extended,
    /// As `unicodePwd` (MS-ADTS §3.1.1.3.1.5).
    Unicode,
}

/// A write.
#[derive(Debug, Clone, Copy)]
pub struct Write<'a> {
    /// What for; matched against the scope with the target.
    pub operation: Operation,
    /// The entry.
    pub target: &'a Dn,
    /// What is done to it.
    pub change: Change<'a>,
    /// What extends it.
    pub controls: &'a [Control<'a>],
}

/// The end of a search, or the answer to a write, whatever its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The result code (RFC 4511 §4.1.9); 0 is success.
    pub code: u32,
    /// What the server adds in words.
    pub message: String,
    /// How many parts of the tree were said to be on other servers.
    pub references: u64,
    /// Where the next page begins; none after the last.
    pub next_page: Option<Vec<u8>>,
    /// Where the next synchronisation begins.
    pub sync_cookie: Option<Vec<u8>>,
    /// A synchronisation named all that is gone. Otherwise what it did not name is gone (RFC 4533 §3.3.2).
    pub sync_deletes: bool,
    /// A synchronisation has more to say, on the cookie given.
    pub more: bool,
    /// The entry as [`Control::ReadAfter`] shows it; [`Entry::parse`] reads it.
    pub after: Option<Vec<u8>>,
    /// Bytes that came.
    pub received: u64,
    /// Digest of the result, for evidence; on a line that is heard also of what was shown before it.
    pub digest: Digest,
    /// The number of the connection, unique on its line.
    pub connection: u64,
}

impl Default for Answered {
    fn default() -> Self {
        Self {
            code: 0,
            message: String::new(),
            references: 0,
            next_page: None,
            sync_cookie: None,
            sync_deletes: false,
            more: false,
            after: None,
            received: 0,
            digest: Digest::of(b""),
            connection: 0,
        }
    }
}

/// Where a directory is and how the way there is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The host, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the way is protected.
    pub protection: Protection,
    /// The authority that vouches for the server, in PEM, in place of the public ones.
    pub ca_file: Option<PathBuf>,
    /// Where the name may lead.
    pub guide: Guide,
}

/// How the way to a directory is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// TLS from the first byte.
    Tls,
    /// TLS is asked for before anything else is said (RFC 4511 §4.14).
    StartTls,
    /// None.
    Plain,
}

/// Makes connections to directories.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Makes a connection that is protected as the address says. Nothing else was said on it.
    async fn open(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError>;
}

/// One connection to a directory. After an error, and when a call was not waited for, it is of no use.
#[async_trait]
pub trait Connection: Send {
    /// Whether the server has left it open, as far as can be known without asking.
    fn usable(&mut self) -> bool;

    /// Signs in by name and password (RFC 4513 §5.1).
    async fn bind(&mut self, name: &str, secret: &[u8]) -> Result<Answered, TransportError>;

    /// Shows what a search finds, to its end.
    async fn search(&mut self, search: &Search<'_>, show: Show<'_>) -> Result<Answered, TransportError>;

    /// Writes, and waits for the answer.
    async fn write(&mut self, write: &Write<'_>) -> Result<Answered, TransportError>;

    /// Gives an entry a password.
    async fn set_password(
        &mut self,
        target: &Dn,
        secret: &[u8],
        form: PasswordForm,
    ) -> Result<Answered, TransportError>;
}

/// The connections of a line that are not in use.
#[derive(Default)]
pub(super) struct Held {
    free: Vec<Open>,
    /// Each has a listing that is not over: another paged search on it would end that (RFC 2696 §3).
    listing: Vec<Open>,
    /// How many were made.
    made: u64,
}

/// How many connections are kept for the next request, and how many for listings that may go on.
const KEPT: usize = 4;

impl Held {
    fn take(&mut self, wanted: Option<u64>) -> Option<Open> {
        match wanted {
            Some(number) => {
                let at = self.listing.iter().position(|open| open.number == number)?;
                Some(self.listing.remove(at))
            }
            None => self.free.pop(),
        }
    }

    fn put(&mut self, open: Open, goes_on: bool) {
        let kept = if goes_on { &mut self.listing } else { &mut self.free };
        kept.push(open);
        // The oldest goes: a listing that nobody went on with.
        if kept.len() > KEPT {
            kept.remove(0);
        }
    }
}

struct Open {
    connection: Box<dyn Connection>,
    number: u64,
}

/// A line's way to its directory.
struct Way {
    origin: String,
    address: Address,
    auth: Auth,
}

impl Line {
    /// Whether the scope has searches that begin at this entry, for what may be left out where it has not.
    pub fn may_search(&self, operation: Operation, base: &Dn) -> bool {
        self.integration().scope.allows(operation, "SEARCH", &base.to_string())
    }

    /// Searches. An error says what prevented an answer; what the answer says is in its code.
    pub async fn search(&self, search: &Search<'_>, show: Show<'_>) -> Result<Answered> {
        let target = match search.base {
            Base::RootDse => ROOT_DSE.to_owned(),
            Base::Entry(dn) => dn.to_string(),
        };
        self.admit(search.operation, "SEARCH", &target)?;
        let way = self.way()?;
        let mut open = self.connection(&way, search.operation, search.connection).await?;
        let call = self.begin(search.operation, "SEARCH");
        let mut heard = self.heard.as_ref().map(|_| Digesting::default());
        let mut each = |shown: Shown<'_>| {
            if let Some(heard) = &mut heard {
                shown.heard_by(heard);
            }
            show(shown);
        };
        let answered = call.within(open.connection.search(search, &mut each)).await;
        let answered = match heard {
            Some(heard) => answered.map(|answered| Answered {
                digest: Digest::of_parts(&[&heard.finish().0, &answered.digest.0]),
                ..answered
            }),
            None => answered,
        };
        self.conclude(search.operation, &call, &way, answered, open)
    }

    /// Writes. An error says what prevented an answer, and its effect is `Unknown` when the write may have
    /// reached the server; what the answer says is in its code.
    pub async fn write(&self, write: &Write<'_>) -> Result<Answered> {
        self.admit(write.operation, write.change.verb(), &write.target.to_string())?;
        let way = self.way()?;
        let mut open = self.connection(&way, write.operation, None).await?;
        if let Err(over) = self.in_budget(write.operation) {
            self.held().put(open, false);
            return Err(over);
        }
        let call = self.begin(write.operation, write.change.verb());
        let answered = call.within(open.connection.write(write)).await;
        self.conclude(write.operation, &call, &way, answered, open)
    }

    /// Gives an entry a password in place of the one it has. Errors as of [`write`](Self::write).
    pub async fn set_password(&self, target: &Dn, secret: &Secret, form: PasswordForm) -> Result<Answered> {
        let operation = Operation::Issue;
        self.admit(operation, "MODIFY", &target.to_string())?;
        let way = self.way()?;
        let mut open = self.connection(&way, operation, None).await?;
        if let Err(over) = self.in_budget(operation) {
            self.held().put(open, false);
            return Err(over);
        }
        let call = self.begin(operation, "MODIFY");
        let answered = call.within(open.connection.set_password(target, secret.bytes(), form)).await;
        self.conclude(operation, &call, &way, answered, open)
    }

    /// Signs in with the credential of somebody else, a canary, on a connection of its own that ends with it.
    /// The credential's user is a distinguished name, which the scope must have.
    pub async fn bind_as(&self, credential: &Credential) -> Result<Answered> {
        let operation = Operation::Try;
        let CredentialScheme::Basic { user } = &credential.scheme else {
            return Err(self.settings("a directory is signed in to by name and password".into()));
        };
        self.admit(operation, "BIND", user)?;
        // A name without a password is let in as nobody (RFC 4513 §5.1.2), which would prove nothing.
        if user.is_empty() || credential.secret.is_empty() {
            return Err(self.settings("a name or a password to try is empty".into()));
        }
        let way = self.way()?;
        let call = self.begin(operation, "BIND");
        let bind = async {
            let mut connection = self.transport().open(&way.address).await?;
            connection.bind(user, credential.secret.bytes()).await
        };
        let answered = call.within(bind).await;
        self.ended(&call, &outcome(&answered));
        answered.map_err(|error| failure(&error, operation, &way.origin))
    }

    fn transport(&self) -> Arc<dyn Directory> {
        self.broker.directory.clone()
    }

    fn way(&self) -> Result<Way> {
        let (destination, settings) = self.route()?;
        let (Destination::Directory { host, port, tls, .. }, origin) = (&destination, destination.origin())
        else {
            return Err(
                self.settings("its endpoint is no directory, which this kind of connector needs".into())
            );
        };
        let protection = match tls {
            Tls::Always => Protection::Tls,
            Tls::Asked => Protection::StartTls,
            Tls::Plain => Protection::Plain,
        };
        let (host, guide) = (host.clone(), self.guide.clone());
        let address = Address { host, port: *port, protection, ca_file: settings.ca_file, guide };
        Ok(Way { origin, address, auth: settings.auth })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // What is held is whole between any two steps.
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection of the line, or makes and binds one. Who takes it puts it back.
    async fn connection(&self, way: &Way, operation: Operation, wanted: Option<u64>) -> Result<Open> {
        let mut kept = self.held().take(wanted);
        while let Some(mut open) = kept {
            if open.connection.usable() {
                return Ok(open);
            }
            kept = self.held().take(wanted);
        }
        if wanted.is_some() {
            let message =
                format!("`{}` ended the connection that the listing was on; begin it again", way.origin);
            return Err(
                ConnectorError::none(ErrorKind::Unreachable, message).with_detail("listing-interrupted")
            );
        }
        let credential = self.credential(way.auth, &way.origin)?;
        let call = self.begin(operation, "BIND");
        // Whatever fails here, the request itself was not sent.
        let failed = |error: TransportError| {
            self.ended(&call, &outcome(&Err(error.clone())));
            failure(&TransportError { sent: false, ..error }, operation, &way.origin)
        };
        let mut connection = call.within(self.transport().open(&way.address)).await.map_err(failed)?;
        if let Some(credential) = credential {
            let (user, secret) = self.name_and_password(&credential)?;
            let answered = call.within(connection.bind(user, secret)).await.map_err(failed)?;
            bound(&answered, &way.origin)?;
        }
        let mut held = self.held();
        held.made += 1;
        Ok(Open { connection, number: held.made })
    }

    fn name_and_password<'c>(&self, credential: &'c Credential) -> Result<(&'c str, &'c [u8])> {
        let refused = |problem: &str| {
            let message = format!("the credential of `{}` {problem}", self.integration.name);
            ConnectorError::none(ErrorKind::NoCredential, message)
        };
        match &credential.scheme {
            CredentialScheme::Basic { user } if user.is_empty() || credential.secret.is_empty() => {
                Err(refused("has an empty name or password, which a directory takes as nobody's"))
            }
            CredentialScheme::Basic { user } => Ok((user, credential.secret.bytes())),
            CredentialScheme::Bearer
            | CredentialScheme::Header { .. }
            | CredentialScheme::AccessKey { .. }
            | CredentialScheme::ClientCredentials { .. } => {
                Err(refused("is not a name and a password (`basic`), which a directory needs"))
            }
        }
    }

    fn conclude(
        &self,
        operation: Operation,
        call: &Ongoing,
        way: &Way,
        answered: Result<Answered, TransportError>,
        open: Open,
    ) -> Result<Answered> {
        self.ended(call, &outcome(&answered));
        let answered = answered.map_err(|error| failure(&error, operation, &way.origin))?;
        let connection = open.number;
        self.held().put(open, answered.next_page.is_some());
        Ok(Answered { connection, ..answered })
    }
}

fn outcome(answered: &Result<Answered, TransportError>) -> Outcome {
    let answered = answered.as_ref().ok();
    Outcome {
        answered: answered.is_some(),
        status: answered.map(|a| a.code),
        received: answered.map_or(0, |a| a.received),
        digest: answered.map(|a| a.digest),
    }
}

/// What a refused sign-in of the integration itself means.
fn bound(answered: &Answered, origin: &str) -> Result<()> {
    let kind = match answered.code {
        0 => return Ok(()),
        8 | 13 => ErrorKind::Settings,
        51 | 52 => ErrorKind::RateLimited,
        1 | 80 => ErrorKind::SystemFault,
        _ => ErrorKind::Unauthorized,
    };
    let Answered { code, message, .. } = answered;
    let words =
        if kind == ErrorKind::Settings { "wants TLS before a sign-in" } else { "refuses the sign-in" };
    Err(ConnectorError::none(kind, format!("`{origin}` {words}: result {code} {message}")))
}

#[cfg(test)]
mod tests;
