//! The tables of the hub's own state and their key columns.

use std::borrow::Cow;

use bailiwick_core::digest::Digest;

/// One table. Every table has the columns `tenant`, `id`, `revision`, `salt`, `body`, and the key
/// columns of [`Table::keys`], by which rows are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each holds the value of the same name in bailiwick-core")]
pub enum Table {
    Identities,
    Accounts,
    Systems,
    Integrations,
    Entitlements,
    Policies,
    Credentials,
    Operators,
    Batches,
    Events,
    Plans,
    Approvals,
    Runs,
    Cases,
    Cells,
    Findings,
    Tasks,
    Profiles,
    Drills,
    Automations,
    Ties,
    Readings,
    Memberships,
    NestedGroups,
    Ledgers,
    Callers,
    Signals,
    Factors,
    ScopeTests,
    Exceptions,
    GlassCases,
    SubjectTypes,
    ResourceTypes,
    Reviews,
    Transfers,
    Watches,
    Terminations,
    Audits,
    Alignments,
    Sessions,
    Recoveries,
    Hooks,
    Hints,
    ReservedNames,
    PushedUsers,
    PushedGroups,
    PushedMembers,
    Passkeys,
    Spent,
    ApiTokens,
    KeyedRequests,
    Fetched,
}

/// The longest text of an id or a key column, in bytes. The columns of one index of PostgreSQL may have some 2,700 together.
const LONGEST: usize = 1_000;
/// How much of a longer one is kept as it is.
const KEPT: usize = 900;

/// A text as ids and key columns have it: itself, unless it is longer than an index holds or has a NUL, which PostgreSQL takes
/// in no text; then its beginning and its digest. The body of the row has it whole.
pub fn as_key(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && !text.contains('\0') {
        return Cow::Borrowed(text);
    }
    let begin = &text[..text.floor_char_boundary(KEPT)];
    Cow::Owned(format!("{}…{}", begin.replace('\0', " "), Digest::of(text.as_bytes())))
}

/// The type of a key column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// TEXT, compared by bytes.
    Text,
    /// A 64-bit INTEGER.
    Int,
}

/// The value of a key column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyValue {
    /// A text.
    Text(String),
    /// An integer; instants are Unix milliseconds.
    Int(i64),
    /// Nothing.
    Null,
}

impl From<&str> for KeyValue {
    fn from(text: &str) -> Self {
        Self::Text(as_key(text).into_owned())
    }
}
impl From<String> for KeyValue {
    fn from(text: String) -> Self {
        match as_key(&text) {
            Cow::Borrowed(_) => Self::Text(text),
            Cow::Owned(short) => Self::Text(short),
        }
    }
}
impl From<i64> for KeyValue {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}
impl<T: Into<KeyValue>> From<Option<T>> for KeyValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id, unique in tenant and table.
    pub id: String,
    /// Its revision: 1 when inserted, one more at each replacement.
    pub revision: i64,
    /// Fresh for each revision; part of the digest, so that the digest of a row with few possible
    /// contents gives nothing away once the row is gone.
    pub salt: [u8; 16],
    /// The key columns, in the order of [`Table::keys`].
    pub keys: Vec<KeyValue>,
    /// The document, canonical JSON.
    pub body: Vec<u8>,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 52] = [
        Self::Identities,
        Self::Accounts,
        Self::Systems,
        Self::Integrations,
        Self::Entitlements,
        Self::Policies,
        Self::Credentials,
        Self::Operators,
        Self::Batches,
        Self::Events,
        Self::Plans,
        Self::Approvals,
        Self::Runs,
        Self::Cases,
        Self::Cells,
        Self::Findings,
        Self::Tasks,
        Self::Profiles,
        Self::Drills,
        Self::Automations,
        Self::Ties,
        Self::Readings,
        Self::Memberships,
        Self::NestedGroups,
        Self::Ledgers,
        Self::Callers,
        Self::Signals,
        Self::Factors,
        Self::ScopeTests,
        Self::Exceptions,
        Self::GlassCases,
        Self::SubjectTypes,
        Self::ResourceTypes,
        Self::Reviews,
        Self::Transfers,
        Self::Watches,
        Self::Terminations,
        Self::Audits,
        Self::Alignments,
        Self::Sessions,
        Self::Recoveries,
        Self::Hooks,
        Self::Hints,
        Self::ReservedNames,
        Self::PushedUsers,
        Self::PushedGroups,
        Self::PushedMembers,
        Self::Passkeys,
        Self::Spent,
        Self::ApiTokens,
        Self::KeyedRequests,
        Self::Fetched,
    ];

    /// The table's name in SQL and in evidence.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identities => "identities",
            Self::Accounts => "accounts",
            Self::Systems => "systems",
            Self::Integrations => "integrations",
            Self::Entitlements => "entitlements",
            Self::Policies => "policies",
            Self::Credentials => "credentials",
            Self::Operators => "operators",
            Self::Batches => "batches",
            Self::Events => "events",
            Self::Plans => "plans",
            Self::Approvals => "approvals",
            Self::Runs => "runs",
            Self::Cases => "cases",
            Self::Cells => "cells",
            Self::Findings => "findings",
            Self::Tasks => "tasks",
            Self::Profiles => "profiles",
            Self::Drills => "drills",
            Self::Automations => "automations",
            Self::Ties => "ties",
            Self::Readings => "readings",
            Self::Memberships => "memberships",
            Self::NestedGroups => "nested_groups",
            Self::Ledgers => "ledgers",
            Self::Callers => "callers",
            Self::Signals => "signals",
            Self::Factors => "factors",
            Self::ScopeTests => "scope_tests",
            Self::Exceptions => "exceptions",
            Self::GlassCases => "glass_cases",
            Self::SubjectTypes => "subject_types",
            Self::ResourceTypes => "resource_types",
            Self::Reviews => "reviews",
            Self::Transfers => "transfers",
            Self::Watches => "watches",
            Self::Terminations => "terminations",
            Self::Audits => "audits",
            Self::Alignments => "alignments",
            Self::Sessions => "sessions",
            Self::Recoveries => "recoveries",
            Self::Hooks => "hooks",
            Self::Hints => "hints",
            Self::ReservedNames => "reserved_names",
            Self::PushedUsers => "pushed_users",
            Self::PushedGroups => "pushed_groups",
            Self::PushedMembers => "pushed_members",
            Self::Passkeys => "passkeys",
            Self::Spent => "spent",
            Self::ApiTokens => "api_tokens",
            Self::KeyedRequests => "keyed_requests",
            Self::Fetched => "fetched",
        }
    }

    /// The key columns: name, type, and whether the value is unique in the tenant (NULL excepted).
    pub const fn keys(self) -> &'static [(&'static str, KeyKind, bool)] {
        use KeyKind::{Int, Text};
        match self {
            // `source/key`, the state, and lower-case texts that people look identities up by: e-mail and name.
            Self::Identities => &[
                ("source_key", Text, true),
                ("state", Text, false),
                ("lookup", Text, false),
                ("due", Int, false),
                ("name", Text, false),
                // Rows are not found by it: it is read with `source_key`, by `Tx::outlines`.
                ("said", Text, false),
            ],
            // `system/external id` is unique.
            Self::Accounts => &[
                ("locator", Text, true),
                ("system", Text, false),
                ("identity", Text, false),
                ("seen", Int, false),
            ],
            Self::Systems
            | Self::Integrations
            | Self::Policies
            | Self::Profiles
            | Self::Drills
            | Self::Automations
            | Self::Ties
            | Self::Readings
            | Self::Ledgers
            | Self::Factors
            | Self::GlassCases
            | Self::SubjectTypes
            | Self::ResourceTypes
            | Self::Watches
            | Self::Audits
            | Self::Hooks
            | Self::Fetched => &[],
            Self::Alignments | Self::Recoveries => &[("state", Text, false)],
            // The keyed digest of system, attribute and name.
            Self::ReservedNames => &[("digest", Text, true), ("identity", Text, false)],
            Self::Entitlements | Self::Memberships | Self::NestedGroups => &[("system", Text, false)],
            Self::Credentials | Self::Signals | Self::Hints => &[("integration", Text, false)],
            Self::Operators | Self::Callers => &[("token_digest", Text, true)],
            Self::Sessions => &[("secret_digest", Text, true), ("operator", Text, false)],
            Self::Batches => &[("source", Text, false), ("state", Text, false)],
            // `source/key` of the event itself: the same event accepted twice is refused here.
            Self::Events => &[("dedupe", Text, true)],
            Self::Plans => &[("identity", Text, false), ("state", Text, false)],
            // The plan is unique: an approval is used once.
            Self::Approvals => &[("plan", Text, true)],
            Self::Runs => &[
                ("plan", Text, false),
                ("identity", Text, false),
                ("system", Text, false),
                ("state", Text, false),
            ],
            Self::Cases => &[("identity", Text, false), ("state", Text, false)],
            Self::Cells => &[("case_id", Text, false), ("system", Text, false), ("verdict", Text, false)],
            // What is wrong, with what: one open finding for each.
            Self::Findings => &[("open_key", Text, true), ("state", Text, false), ("identity", Text, false)],
            Self::ScopeTests => &[("integration", Text, false)],
            Self::Exceptions => &[("identity", Text, false), ("state", Text, false)],
            // The integration while it is open: one open review of each, one open transfer of each post.
            Self::Reviews => &[("open_key", Text, true), ("integration", Text, false)],
            Self::Transfers => {
                &[("open_key", Text, true), ("integration", Text, false), ("state", Text, false)]
            }
            // The identity while it is armed: nobody is armed twice. An approval names the plan.
            Self::Terminations => &[
                ("open_key", Text, true),
                ("identity", Text, false),
                ("state", Text, false),
                ("plan", Text, true),
            ],
            // `source/name in lower case`, `source/the caller's own id`.
            Self::PushedUsers => &[
                ("user_name", Text, true),
                ("external", Text, false),
                ("source", Text, false),
                ("identity", Text, false),
            ],
            Self::PushedGroups => {
                &[("display_name", Text, false), ("external", Text, false), ("source", Text, false)]
            }
            // The group, and `source/id` of who is in it: either side is found without reading the other.
            Self::PushedMembers => &[("group_id", Text, false), ("member", Text, false)],
            // SHA-256 of the credential's id: the same passkey is enrolled once.
            Self::Passkeys => &[("credential", Text, true), ("operator", Text, false)],
            Self::Spent => &[("until", Int, false)],
            Self::ApiTokens => &[("secret_digest", Text, true), ("operator", Text, false)],
            Self::KeyedRequests => &[("operator", Text, false), ("until", Int, false)],
            Self::Tasks => &[("run", Text, false), ("state", Text, false), ("identity", Text, false)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_no_index_holds_is_told_apart_by_its_digest() {
        let usual = "hr/1".repeat(250);
        assert_eq!(as_key(&usual), usual);
        for long in ["é".repeat(5_000), "a\0b".to_owned(), "\0".repeat(5_000)] {
            let key = as_key(&long).into_owned();
            assert!(key.len() <= LONGEST && !key.contains('\0'), "{key}");
            assert_eq!(as_key(&key), key, "it is its own key");
            assert_ne!(as_key(&format!("{long}!")), key);
        }
        assert!(as_key(&"é".repeat(5_000)).starts_with(&"é".repeat(450)), "a prefix is still one");
    }
}
