//! OpenBao and HashiCorp Vault, over their HTTP API.
//!
//! An account is an identity *entity*; its *aliases* (the logins that lead to it) are its secondary
//! accounts, identity groups its groups, the policies on the entity itself its roles. Tokens and leases
//! are one class, `accessor:…` and `lease:…`; secret-ids of AppRole are its API keys.
//!
//! What belongs to whom, as far as the system tells:
//! * A token names its entity, and that never changes; all tokens are looked at, because there is no
//!   index. It counts as live until it is revoked: disabling the entity refuses the token itself, but what
//!   was issued under it lives on, and enabling the entity revives it.
//! * A lease names neither token nor entity. It is an account's only where a setting says that everything
//!   below a path is (`own_leases`). Every other lease that runs belongs to a token that lives, and ends
//!   with it. A lease that is overdue (its token is gone, the system behind it refused to end it) belongs
//!   to nobody who can be named: while there is one, no listing of tokens and leases is complete.
//! * An orphan token that somebody made by `auth/token/create…` may have no entity, and disabling its
//!   maker does not end it. While there is one, no such listing is complete, unless `orphan_tokens` says
//!   that they are nobody's.
//! * A batch token has no accessor and is in no list. It is refused while its entity is disabled or gone,
//!   but what was leased under it runs to its end. So, unless `batch_tokens` says that there are none, a
//!   listing is complete only for an entity that is disabled or gone, and only while no lease runs that
//!   is not an account's own.
//! * A secret-id belongs to a role, and a role to the entity with the alias of its role-id, so not before
//!   the first login. Destroying one leaves the tokens that it minted alive: they are in the other class.
//!
//! Names compare without case, and making an entity with a name that is taken *changes* that entity: the
//! name is looked for before, and an answer that betrays that it came in between is `Unknown`. A deleted
//! entity comes back, enabled, at the next login through one of its aliases; so one that has any is not
//! deleted. Lists of members and policies are written whole: changes of one connector wait for each other,
//! those of others can be overwritten, which reading back shows.
//! Absent on purpose: policies that come by groups (the group is what is held), writing external groups
//! and aliases (removing an alias sets its login free of the entity), secrets themselves.

mod approle;
mod canary;
mod decode;
mod encode;
mod exchange;
mod held;
mod leases;
mod paging;
mod read;
mod settings;
mod tokens;
mod write;

use std::collections::BTreeSet;

use async_trait::async_trait;
use bailiwick_connector::{
    AccountWrite, Applied, Capability, Connector, ConnectorError, Entry, ErrorKind, Issued, Line, Listing,
    Locator, Object, Page, Result, Visit, seal::Secret,
};
use bailiwick_core::{access::AccessClass, plan::Op};
use serde_json::Value;

use self::{exchange::Exchange, paging::Snapshots, read::Reader, settings::Settings, tokens::Owners};

/// The way of disabling an entity.
const DISABLE_WAY: &str = "disabled=true";
/// The largest page; each object of a page is a call of its own.
const PAGE: u32 = 500;

/// Speaks to one OpenBao or Vault, in one namespace.
pub struct Vault {
    settings: Settings,
    capability: Capability,
    snapshots: Snapshots,
    owners: Owners,
    /// Held while something is read to be written back changed.
    writing: tokio::sync::Mutex<()>,
}

impl Vault {
    /// A connector with these settings; `null` is a table without any. The endpoint is the address
    /// without `/v1`; the credential is a token, sealed with the scheme `header` and the name
    /// `X-Vault-Token`.
    ///
    /// | setting | what | without it |
    /// |---|---|---|
    /// | `namespace` | the namespace, such as `team1/app` | the root namespace |
    /// | `marker` | the key of the entity's metadata that bears the hub's marker | `bailiwick` |
    /// | `attributes` | attribute name → key of the entity's metadata, besides `name` | only `name` |
    /// | `own_leases` | paths with a segment `{name}` or `{id}`; what is leased below is the account's | none |
    /// | `leases` | paths below which leases that are overdue are looked for | everywhere |
    /// | `orphan_tokens` | `unknown`, `nobody`: whose tokens without entity and parent are | `unknown` |
    /// | `batch_tokens` | `possible`, `none`: whether batch tokens are given out | `possible` |
    /// | `canary_role` | the token role that makes tokens of canaries | tokens are not tried |
    /// | `delete_with_logins` | an entity is deleted though logins lead to it | it is not |
    /// | `read_lag_ms` | how long leases may outlive the token that they end with | 1000 |
    ///
    /// # Errors
    /// `Settings`, naming the setting.
    pub fn new(settings: &Value) -> Result<Self> {
        let settings = Settings::new(settings)?;
        let (snapshots, owners, writing) = Default::default();
        Ok(Self { capability: capability(&settings), settings, snapshots, owners, writing })
    }

    fn exchange<'a>(&'a self, line: &'a Line) -> Exchange<'a> {
        Exchange { line, namespace: self.settings.namespace.as_deref() }
    }

    fn reader<'a>(&'a self, line: &'a Line) -> Reader<'a> {
        Reader { exchange: self.exchange(line), settings: &self.settings, snapshots: &self.snapshots }
    }
}

fn unsupported(what: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Unsupported, format!("this connector does not do {what}"))
}

fn capability(settings: &Settings) -> Capability {
    use AccessClass::{
        ApiTokens, DirectGroups, NestedGroups, PrimaryAccount, Roles, SecondaryAccounts, VaultTokens,
    };
    Capability {
        people: false,
        pushed: false,
        accounts: true,
        groups: true,
        observes: BTreeSet::from([
            PrimaryAccount,
            SecondaryAccounts,
            DirectGroups,
            NestedGroups,
            Roles,
            ApiTokens,
            VaultTokens,
        ]),
        removes: BTreeSet::from([DirectGroups, Roles, ApiTokens, VaultTokens]),
        grants: BTreeSet::from([DirectGroups, Roles]),
        tries: settings.canary_role.iter().map(|_| VaultTokens).collect(),
        by_person: None,
        incremental: false,
        audits: false,
        writes: AccountWrite::ALL.into(),
        forms: Vec::new(),
        disable_ways: vec![DISABLE_WAY],
        idle_ways: BTreeSet::new(),
        conditional: false,
        idempotency_keys: false,
        read_lag_ms: settings.read_lag_ms,
        max_page: PAGE,
    }
}

/// What it can do where there is a role for the tokens of canaries.
pub(crate) fn most() -> Capability {
    let settings = serde_json::json!({"canary_role": "canary"});
    Settings::new(&settings).map(|settings| capability(&settings)).unwrap_or_default()
}

#[async_trait]
impl Connector for Vault {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    fn sign_in(&self) -> Option<&str> {
        Some(settings::NAME)
    }

    /// Asks whether the system is unsealed, whether it knows the token, and whether the token may list
    /// entities, groups and tokens.
    async fn check(&self, line: &Line) -> Result<()> {
        self.reader(line).check().await
    }

    async fn list(
        &self,
        line: &Line,
        listing: Listing<'_>,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let reader = self.reader(line);
        match listing {
            Listing::People => Err(unsupported("people")),
            Listing::Accounts => reader.entities(cursor, size, visit).await,
            Listing::Groups => reader.groups(cursor, size, visit).await,
            Listing::Held { account, class: AccessClass::VaultTokens } => {
                tokens::Tokens { reader, owners: &self.owners }.list(account, cursor, size, visit).await
            }
            Listing::Held { account, class: AccessClass::ApiTokens } => {
                approle::list(&reader, account, visit).await
            }
            Listing::Held { account, class } => held::list(&reader, account, class, visit).await,
        }
    }

    async fn get(&self, line: &Line, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        self.reader(line).get(locator).await
    }

    async fn apply(
        &self,
        line: &Line,
        account: Option<&str>,
        op: &Op,
        precondition: Option<&str>,
        _key: &str,
    ) -> Result<Applied> {
        write::apply(self, line, account, op, precondition).await
    }

    /// A token of the role in `canary_role`. The system chooses it, so `secret` is not used.
    async fn issue(&self, line: &Line, account: &str, class: AccessClass, _secret: Secret) -> Result<Issued> {
        match (class, &self.settings.canary_role) {
            (AccessClass::VaultTokens, Some(role)) => canary::issue(&self.reader(line), account, role).await,
            _ => Err(unsupported(&format!("issuing {class}"))),
        }
    }

    async fn attempt(&self, line: &Line, issued: &Issued) -> Result<Entry> {
        match (issued.class, &self.settings.canary_role) {
            (AccessClass::VaultTokens, Some(_)) => canary::attempt(&self.exchange(line), issued).await,
            _ => Err(unsupported(&format!("trying {}", issued.class))),
        }
    }
}
