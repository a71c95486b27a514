//! What a description can say: one TOML file for one kind of API.
//!
//! Every table here is closed: a key that is not known is an error, with its line. What must fit together
//! between tables is checked in `check`. The file is also the list of all that the connector can ever call:
//! see [`super::Description::scope`]. Absent on purpose: scripts, conditions between calls, form bodies, XML.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_connector::{AccountWrite, ErrorKind};
use bailiwick_core::access::AccessClass;
use serde::Deserialize;
use serde_json::Value;

use super::{
    pointer::{Pointer, Spot, text},
    template::{Body, Route, Text},
};

/// An API, described.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Its name, as settings have it.
    pub name: String,
    /// What people call the system.
    pub title: String,
    /// The version of the API that it was written for.
    pub version: String,
    /// Where the vendor documents the API.
    pub docs: String,
    /// An example of an endpoint.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// What the system cannot do, and what else its owner should know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Holes that the integration fills, and what each is.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// How calls show the credential.
    pub auth: Auth,
    /// Headers of every call.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How lists are paged that do not say it themselves.
    #[serde(default)]
    pub paging: Option<Paging>,
    /// The largest page that the system gives.
    #[serde(default = "hundred")]
    pub max_page: u32,
    /// How long reads may show what was before a write, milliseconds.
    #[serde(default)]
    pub read_lag_ms: u64,
    /// Writes to an account carry its version in `If-Match` (RFC 9110 §13.1.1).
    #[serde(default)]
    pub conditional: bool,
    /// The header that the system takes an idempotency key in.
    #[serde(default)]
    pub idempotency_header: Option<String>,
    /// What refusals look like.
    #[serde(default)]
    pub errors: Errors,
    /// How the system says that it wants a pause, besides `Retry-After`.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// A call that shows whether the credential is good; without it, a page of accounts is read.
    #[serde(default)]
    pub check: Option<Request>,
    /// The accounts.
    #[serde(default)]
    pub accounts: Option<Accounts>,
    /// The groups.
    #[serde(default)]
    pub groups: Option<Groups>,
    /// The people of a source.
    #[serde(default)]
    pub people: Option<People>,
    /// What accounts hold, by class.
    #[serde(default)]
    pub held: BTreeMap<AccessClass, Held>,
}

fn hundred() -> u32 {
    100
}

/// How calls show the credential; the broker does it, so this is for people and for canaries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "style", deny_unknown_fields)]
pub enum Auth {
    /// `Authorization: Bearer`.
    Bearer,
    /// `Authorization: Basic`.
    Basic,
    /// A header of its own.
    Header {
        /// Its name.
        header: String,
    },
    /// A token for client credentials (RFC 6749 §4.4).
    ClientCredentials {
        /// Where it is got, from the root of the host.
        token_path: String,
        /// The header that it travels in, where it is not `Authorization: Bearer`.
        #[serde(default)]
        token_header: Option<String>,
    },
}

/// How a list is cut into pages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "style", deny_unknown_fields)]
pub enum Paging {
    /// All at once.
    None,
    /// By number of the page, until one is empty.
    Page {
        /// The parameter with the number.
        page: String,
        /// The parameter with the size.
        #[serde(default)]
        size: Option<String>,
        /// The number of the first page.
        #[serde(default = "one")]
        first: u64,
        /// How many there are in all.
        #[serde(default)]
        total: Option<Spot>,
    },
    /// By how many come before it, until one is empty.
    Offset {
        /// The parameter with how many.
        offset: String,
        /// The parameter with the size.
        #[serde(default)]
        size: Option<String>,
        /// How many there are in all.
        #[serde(default)]
        total: Option<Spot>,
    },
    /// By what the page before said.
    Cursor {
        /// The parameter that takes it.
        cursor: String,
        /// The parameter with the size.
        #[serde(default)]
        size: Option<String>,
        /// Where the page said it.
        next: Spot,
        /// How many there are in all.
        #[serde(default)]
        total: Option<Spot>,
    },
    /// By the address of the next page (RFC 8288 §3.3). Only its query is used, and only of an address of the
    /// same list on the same host.
    Link {
        /// The parameter with the size.
        #[serde(default)]
        size: Option<String>,
        /// Where the address is, if not in the `Link` header.
        #[serde(default)]
        next: Option<Spot>,
        /// How many there are in all.
        #[serde(default)]
        total: Option<Spot>,
        /// The address may have another path; what is asked is the same list nevertheless.
        #[serde(default)]
        any_path: bool,
    },
}

fn one() -> u64 {
    1
}

/// One call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Method and path.
    pub call: Route,
    /// The query.
    #[serde(default)]
    pub query: BTreeMap<String, Text>,
    /// The JSON body.
    #[serde(default)]
    pub body: Option<Body>,
    /// A `POST` that only reads, such as a search.
    #[serde(default)]
    pub reads: bool,
    /// The statuses of success; without them, all from 200 to 299.
    #[serde(default)]
    pub ok: Vec<u16>,
    /// The answers that say that it was so already.
    #[serde(default)]
    pub already: Vec<Said>,
    /// For a change of an account: it is read, the body laid over it, and the whole sent.
    #[serde(default)]
    pub merge: bool,
    /// The answer is about one thing, not a list of things.
    #[serde(default)]
    pub one: bool,
    /// A success says that it is there, and nothing more; its id is its name.
    #[serde(default)]
    pub bare: bool,
    /// Where the list is in this answer, if not where the table says.
    #[serde(default)]
    pub items: Option<Pointer>,
    /// What says, when it is `true` and there is no next page, that the list was cut off.
    #[serde(default)]
    pub cut: Option<Pointer>,
    /// How this list is paged.
    #[serde(default)]
    pub paging: Option<Paging>,
}

/// An answer that is told from others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Its status.
    pub status: u16,
    /// The code in its body.
    #[serde(default)]
    pub code: Option<String>,
    /// A part of its message.
    #[serde(default)]
    pub says: Option<String>,
}

/// A member of an item, and what it is or is not.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// The member.
    pub at: Pointer,
    /// It is this, or one of these.
    #[serde(default)]
    pub is: Option<Value>,
    /// It is not this, nor one of these.
    #[serde(default)]
    pub is_not: Option<Value>,
    /// It is there at all, or is not.
    #[serde(default)]
    pub there: Option<bool>,
}

impl Test {
    /// Whether it holds for an item. A member that is missing is nothing in particular.
    pub(super) fn holds(&self, item: &Value) -> bool {
        let found = self.at.get(item).unwrap_or(&Value::Null);
        let same = |wanted: &Value| found == wanted || (text(found).is_some() && text(found) == text(wanted));
        let among = |wanted: &Value| match wanted {
            Value::Array(several) => several.iter().any(same),
            one => same(one),
        };
        self.is.as_ref().is_none_or(among)
            && !self.is_not.as_ref().is_some_and(among)
            && self.there.is_none_or(|there| there != found.is_null())
    }
}

/// What refusals look like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// Where the vendor's code is.
    #[serde(default)]
    pub code: Option<Pointer>,
    /// Where words for people are; the first that is there counts.
    #[serde(default)]
    pub message: Vec<Pointer>,
    /// Refusals that do not mean what their status means elsewhere.
    #[serde(default)]
    pub map: Vec<Mapped>,
}

/// A refusal, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapped {
    /// Its status.
    pub status: u16,
    /// The code in its body.
    #[serde(default)]
    pub code: Option<String>,
    /// A part of its message.
    #[serde(default)]
    pub says: Option<String>,
    /// What it means.
    pub is: Meaning,
}

/// What a refusal can mean, by its stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Meaning(pub(super) ErrorKind);

impl TryFrom<String> for Meaning {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        use ErrorKind::{
            AlreadyExists, Forbidden, Invalid, NotFound, RateLimited, Stale, SystemFault, Unauthorized,
        };
        let known =
            [AlreadyExists, Forbidden, Invalid, NotFound, RateLimited, Stale, SystemFault, Unauthorized];
        known.into_iter().find(|kind| kind.code() == text).map(Self).ok_or_else(|| {
            let names = known.map(ErrorKind::code).join(", ");
            format!("`{text}` is nothing that a refusal can mean; it is one of {names}")
        })
    }
}

/// Headers that say how many calls are left.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many; a refusal with `0` is one for too many calls, whatever its status.
    pub remaining: String,
    /// When there are more.
    pub reset: String,
    /// What that is.
    pub reset_is: Reset,
}

/// How the end of a pause is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reset {
    /// Seconds since 1970.
    Epoch,
    /// Seconds from now.
    Seconds,
}

/// The accounts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// Where the list is in an answer.
    #[serde(default)]
    pub items: Pointer,
    /// Where the account is in an answer about one.
    #[serde(default)]
    pub item: Pointer,
    /// Its id.
    pub id: Pointer,
    /// Its sign-in name.
    pub name: Pointer,
    /// The hub's marker on it.
    #[serde(default)]
    pub marker: Option<Pointer>,
    /// When it can be used; without it, always.
    #[serde(default)]
    pub live: Option<Test>,
    /// Its version.
    #[serde(default)]
    pub version: Option<Pointer>,
    /// Attribute → where it is.
    #[serde(default)]
    pub attributes: BTreeMap<String, Pointer>,
    /// Which of the listed are accounts; without it, all.
    #[serde(default)]
    pub only: Vec<Test>,
    /// Lists all. Fills no hole but parameters.
    pub list: Request,
    /// One, by `{id}`; without it, it is looked for in the list.
    #[serde(default)]
    pub get: Option<Request>,
    /// Those with the sign-in name `{name}`; without it, they are looked for in the list.
    #[serde(default)]
    pub named: Option<Request>,
    /// Those with the `{marker}`; without it, they are looked for in the list.
    #[serde(default)]
    pub marked: Option<Request>,
    /// Makes one, with `{marker}` and `{attributes.NAME}`.
    #[serde(default)]
    pub create: Option<Request>,
    /// Changes `{id}`, with `{attributes.NAME}`.
    #[serde(default)]
    pub update: Option<Request>,
    /// Makes `{id}` usable.
    #[serde(default)]
    pub enable: Option<Request>,
    /// Ways to make `{id}` unusable, best first.
    #[serde(default)]
    pub disable: Vec<Request>,
    /// Removes `{id}`.
    #[serde(default)]
    pub delete: Option<Request>,
}

impl Accounts {
    /// What can be done to accounts.
    pub(super) fn writes(&self) -> BTreeSet<AccountWrite> {
        use AccountWrite::{Create, Delete, Enable, Update};
        let described =
            [(Create, &self.create), (Update, &self.update), (Enable, &self.enable), (Delete, &self.delete)];
        described.into_iter().filter(|(_, request)| request.is_some()).map(|(write, _)| write).collect()
    }
}

/// The groups.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// Where the list is in an answer.
    #[serde(default)]
    pub items: Pointer,
    /// Where the group is in an answer about one.
    #[serde(default)]
    pub item: Pointer,
    /// Its id.
    pub id: Pointer,
    /// Its name.
    pub name: Pointer,
    /// Where its members' ids are in itself.
    #[serde(default)]
    pub members: Option<Pointer>,
    /// Lists all.
    pub list: Request,
    /// One, by `{id}`; without it, it is looked for in the list.
    #[serde(default)]
    pub get: Option<Request>,
    /// Lists the members of `{id}`, where it does not have them in itself.
    #[serde(default)]
    pub list_members: Option<Request>,
    /// A member's id in that list.
    #[serde(default)]
    pub member: Option<Pointer>,
}

/// The people of a source. What these attributes are called says what they are, as everywhere: `start` and `end` are the
/// first and the last day, `zone` is the IANA zone of the days.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    /// Where the list is in an answer.
    #[serde(default)]
    pub items: Pointer,
    /// Where the person is in an answer about one.
    #[serde(default)]
    pub item: Pointer,
    /// Their immutable key.
    pub id: Pointer,
    /// What they are called; without it, their key.
    #[serde(default)]
    pub name: Option<Pointer>,
    /// When somebody works there; who does not has left. Without it, nobody has.
    #[serde(default)]
    pub live: Option<Test>,
    /// Attribute → where it is.
    #[serde(default)]
    pub attributes: BTreeMap<String, Pointer>,
    /// Which of the listed are people; without it, all.
    #[serde(default)]
    pub only: Vec<Test>,
    /// Lists all. Fills no hole but parameters.
    pub list: Request,
    /// One, by `{id}`.
    #[serde(default)]
    pub get: Option<Request>,
}

/// What accounts hold of one class.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Where the list is in an answer.
    #[serde(default)]
    pub items: Pointer,
    /// The id of a thing; of several parts, where calls need several.
    #[serde(default)]
    pub id: Ids,
    /// Its name; without it, its id.
    #[serde(default)]
    pub name: Option<Pointer>,
    /// When it works; without it, always.
    #[serde(default)]
    pub live: Option<Test>,
    /// When the system will purge it.
    #[serde(default)]
    pub purges: Option<Pointer>,
    /// Which of the listed are of this class and this account; without it, all.
    #[serde(default)]
    pub only: Vec<Test>,
    /// The member of an item that must be the account's id, where the list is everybody's.
    #[serde(default)]
    pub holder: Option<Pointer>,
    /// Lists what `{id}` holds. Of direct groups it may be left out: the groups are looked through.
    #[serde(default)]
    pub list: Option<Request>,
    /// Gives `{item}` to `{id}`.
    #[serde(default)]
    pub grant: Option<Request>,
    /// Takes `{item}` from `{id}`.
    #[serde(default)]
    pub revoke: Option<Request>,
    /// Takes all from `{id}` at once.
    #[serde(default)]
    pub revoke_all: Option<Request>,
    /// Gives the canary `{id}` a credential.
    #[serde(default)]
    pub issue: Option<Issue>,
    /// A call that the holder of a credential may make.
    #[serde(default, rename = "try")]
    pub attempt: Option<Attempt>,
}

/// How a canary is given a credential.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issue {
    /// Makes it, for `{id}`.
    pub make: Request,
    /// Where the credential is in the answer.
    pub given: Pointer,
    /// Where its id is in the answer.
    #[serde(default)]
    pub id: Option<Pointer>,
}

/// How a credential is tried.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// The call; a success lets the holder in.
    pub make: Request,
    /// How the credential is shown.
    pub auth: Auth,
    /// The statuses that turn the holder away.
    #[serde(default = "refusals")]
    pub rejected: Vec<u16>,
}

fn refusals() -> Vec<u16> {
    vec![401, 403]
}

/// Where an id is, in one part or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Ids {
    /// In one place.
    One(Pointer),
    /// In several.
    Several(Vec<Pointer>),
}

impl Default for Ids {
    fn default() -> Self {
        Self::One(Pointer::default())
    }
}

impl Ids {
    /// The places.
    pub(super) fn places(&self) -> &[Pointer] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}
