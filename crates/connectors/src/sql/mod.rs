//! Databases: the roles of a PostgreSQL server, and accounts that an application keeps in tables of
//! PostgreSQL or SQLite.
//!
//! There is no statement in this code. The names and parameters of statements are here; the texts are in
//! the settings of the integration or, for roles, in `postgresql.toml`, and the broker sends them. What an
//! integration can do is what it has statements for.
//! Absent on purpose: statements made from names, one text for several accounts, conditional changes of
//! roles (what a version could be made from is shown to superusers alone).

mod audit;
mod decode;
mod encode;
mod read;
mod settings;
mod write;

use std::collections::BTreeSet;

use async_trait::async_trait;
use bailiwick_connector::{
    AccountWrite, Applied, Capability, Connector, ConnectorError, Entry, ErrorKind, Issued, Line, Listing,
    Locator, Object, Page, Read, Result, Start, Visit,
    broker::{Broker, Statement},
    seal::{Credential, CredentialScheme, Secret},
};
use bailiwick_core::{
    access::AccessClass,
    plan::Op,
    scope::{Operation, ScopeRule},
};
use serde_json::Value;

use self::{
    read::{Place, Reader},
    settings::{ROLES, SIGN_IN, Settings},
};

/// The statements that disable an account, best first.
const DISABLE: [&str; 2] = ["disable", "disable-otherwise"];
/// The same for people, of roles.
const ROLE_WAYS: [&str; 2] = ["NOLOGIN", "VALID UNTIL the past"];

/// Speaks to one database.
pub struct Sql {
    settings: Settings,
    capability: Capability,
}

impl Sql {
    /// A connector with these settings.
    ///
    /// | setting | what | without it |
    /// |---|---|---|
    /// | `dialect` | `postgresql-roles`, or `tables` | an error |
    /// | `ignore_roles` | of roles: those that are neither shown nor touched, such as the hub's own | none |
    /// | `reassign_owned_to` | of roles: who gets what a role owns that is dropped | what owns is not dropped |
    /// | `statements.NAME` | of tables: `{ operations = [OPERATION], text = "…" }`; several texts are one transaction | an error |
    /// | `attributes.NAME` | of tables: `flag` or `many` for what is not a text | `text` |
    /// | `audit` | whose deeds in the system's log are this integration's (`ours`); of tables also what deeds mean (`given`, `taken`, `changed`, `ends`) | no log is read |
    /// | `page_size` | the largest page to ask for | 500 |
    ///
    /// A statement says what it is executed for, and the broker executes it for nothing else; so a scope that
    /// has `list EXEC revoke-sessions` is refused. The statements of tables, with `list` and `get` at least, or with
    /// `list-people` alone where it is a source that is read; `after` is the last id of the page before,
    /// or nothing, and the rows are ordered by id:
    ///
    /// | statement | parameters | gives |
    /// |---|---|---|
    /// | `list`, `list-groups` | `:after`, `:limit` | `id`, `name`, and of accounts `marker`, `active`, `version`, attributes; of groups `members` |
    /// | `get`, `get-named`, `get-marked`, `get-group` | `:id`, `:name`, `:marker`, `:id` | the same, one row or none; `get` may have all three |
    /// | `create` | `:marker`, `:name`, attributes | `id` |
    /// | `update` | `:id`, attributes; nothing is bound to what stays | |
    /// | `enable`, `disable`, `delete` | `:id` | |
    /// | `owned` | `:id` | `what` keeps the account from being deleted |
    /// | `list-people` | `:after`, `:limit` | of a source: `id`, the immutable key; `active`, no for who has left; `start` and `end`, days; `zone` of the days; attributes |
    /// | `get-person` | `:id` | the same, one row or none |
    /// | `list-CLASS` | `:id`; with many things `:after` and `:limit` | `id`, `name`, `active` |
    /// | `grant-CLASS`, `revoke-CLASS` | `:id`, `:item` | |
    /// | `audit` | `:after`, the last mark, or nothing; `:since`, then, an instant; `:limit` | oldest first `mark`, `at`, `actor`, `deed`, `account`, and `name` where the log has no id |
    ///
    /// Where `update`, `enable`, `disable` and `delete` have `:version` too, changes are conditional; nothing
    /// is bound to it when the version does not matter.
    ///
    /// # Errors
    /// `Settings`, naming the setting.
    pub fn new(settings: &Value) -> Result<Self> {
        let settings = Settings::new(settings)?;
        let capability = capability(&settings);
        Ok(Self { settings, capability })
    }
}

/// The broker with the texts of the dialects that come with the product.
///
/// # Errors
/// `Settings` when a text that came with the product is broken.
pub fn with_dialects(broker: Broker) -> Result<Broker> {
    Ok(broker.with_dialect(ROLES, settings::roles()?))
}

/// Whether a rule of a scope has a statement of these settings stand behind an operation that it is for.
pub(crate) fn serves(settings: &Value, rule: &ScopeRule) -> Result<()> {
    Settings::new(settings)?.serves(rule)
}

fn unsupported(what: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Unsupported, format!("this connector does not do {what}"))
}

fn capability(settings: &Settings) -> Capability {
    let ways = DISABLE.iter().zip(ROLE_WAYS).filter(|(name, _)| settings.has(name));
    let versioned = |name: &&str| settings.parameters(name).is_some_and(|has| has.contains("version"));
    let mut observes = settings.classes("list");
    observes.extend(settings.has("list").then_some(AccessClass::PrimaryAccount));
    Capability {
        people: settings.has("list-people"),
        pushed: false,
        accounts: settings.has("list"),
        groups: settings.has("list-groups"),
        observes,
        removes: settings.classes("revoke"),
        grants: settings.classes("grant"),
        tries: settings.has("set-password").then_some(AccessClass::PrimaryAccount).into_iter().collect(),
        by_person: None,
        incremental: false,
        audits: settings.audit.is_some(),
        forms: Vec::new(),
        writes: AccountWrite::ALL.into_iter().filter(|write| settings.has(write.as_str())).collect(),
        disable_ways: ways.map(|(name, role)| if settings.roles { role } else { *name }).collect(),
        idle_ways: BTreeSet::new(),
        conditional: ["update", "enable", "disable", "delete"].iter().all(versioned),
        idempotency_keys: false,
        read_lag_ms: 0,
        max_page: settings.page_size,
    }
}

/// What it can do with roles, and with tables that have a statement for everything.
pub(crate) fn most() -> Capability {
    let roles = Settings::new(&serde_json::json!({"dialect": ROLES})).map(|settings| capability(&settings));
    let every: BTreeSet<AccessClass> = AccessClass::ALL.into();
    let given: BTreeSet<_> =
        every.iter().copied().filter(|class| *class != AccessClass::PrimaryAccount).collect();
    Capability {
        people: true,
        observes: every,
        removes: given.clone(),
        grants: given,
        conditional: true,
        ..roles.unwrap_or_default()
    }
}

#[async_trait]
impl Connector for Sql {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    fn sign_in(&self) -> Option<&str> {
        Some("name")
    }

    async fn check(&self, line: &Line) -> Result<()> {
        Reader { sql: self, line }.check().await
    }

    async fn list(
        &self,
        line: &Line,
        listing: Listing<'_>,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let reader = Reader { sql: self, line };
        let place = Place { after: cursor, size };
        match listing {
            Listing::Accounts if self.capability.accounts => reader.accounts(place, visit).await,
            Listing::Groups if self.capability.groups => reader.listed("list-groups", place, visit).await,
            Listing::Held { account, class: AccessClass::PrimaryAccount } if self.capability.accounts => {
                reader.get(Locator::Account(account)).await?.into_iter().for_each(visit);
                Ok(Page { next: None, complete: true })
            }
            Listing::Held { account, class } if self.capability.observes.contains(&class) => {
                reader.held(account, class, place, visit).await
            }
            Listing::Held { class, .. } => Err(unsupported(&format!("listing {class}"))),
            Listing::Accounts => Err(unsupported("accounts")),
            Listing::Groups => Err(unsupported("groups")),
            Listing::People if self.capability.people => reader.listed("list-people", place, visit).await,
            Listing::People => Err(unsupported("people")),
        }
    }

    async fn audit(&self, line: &Line, from: Start<'_>, size: u32, read: Read<'_>) -> Result<()> {
        let deeds = self.settings.audit.as_ref().ok_or_else(|| unsupported("reading an audit log"))?;
        audit::read(&Reader { sql: self, line }, deeds, from, size, read).await
    }

    async fn get(&self, line: &Line, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        Reader { sql: self, line }.get(locator).await
    }

    async fn apply(
        &self,
        line: &Line,
        account: Option<&str>,
        op: &Op,
        precondition: Option<&str>,
        _key: &str,
    ) -> Result<Applied> {
        let precondition = precondition.filter(|_| self.capability.conditional);
        write::apply(self, line, account, op, precondition).await
    }

    /// Gives a role a password, in place of the one that it has.
    async fn issue(&self, line: &Line, account: &str, class: AccessClass, secret: Secret) -> Result<Issued> {
        if !self.capability.tries.contains(&class) {
            return Err(unsupported(&format!("issuing {class}")));
        }
        let statement = Statement::new(Operation::Issue, "set-password").text("id", account);
        let statement =
            statement.password("verifier", &secret).many("ignore", self.settings.ignore.as_slice());
        let rows = line.execute(statement).await?;
        let user = rows.cell(0, "name").and_then(decode::text).map(|name| name.into_owned());
        let user = user.ok_or_else(|| decode::malformed("`set-password` gives no `name`"))?;
        let credential = Credential { scheme: CredentialScheme::Basic { user }, secret };
        Ok(Issued { class, external_id: None, credential })
    }

    /// Signs in to the database with it, and leaves at once.
    async fn attempt(&self, line: &Line, issued: &Issued) -> Result<Entry> {
        if !self.capability.tries.contains(&issued.class) {
            return Err(unsupported(&format!("trying {}", issued.class)));
        }
        line.sign_in(SIGN_IN, &issued.credential).await
    }
}
