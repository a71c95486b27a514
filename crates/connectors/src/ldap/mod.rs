//! LDAP directories as a client (RFC 4511): OpenLDAP, and Active Directory by its own rules.
//!
//! An account is its `entryUUID` or `objectGUID`, never its name: a renamed account is the same one. Every
//! value goes out as a value, never as part of a text, and every write to OpenLDAP is bound to the id of what
//! it is meant for. What blocks an account is what keeps it out, not what is written: see [`policy`].
//! Absent on purpose: following referrals, moving entries, schema changes, changes to `cn=config`.

mod active;
mod ask;
mod audit;
mod changes;
mod decode;
mod dirsync;
mod encode;
mod groups;
mod known;
mod paging;
mod policy;
mod read;
mod settings;
mod write;

use async_trait::async_trait;
use bailiwick_connector::{
    Applied, Capability, Connector, ConnectorError, Entry, ErrorKind, Hear, Issued, Line, Listing, Locator,
    Object, Page, Read, Result, Since, Start, Visit, seal::Secret,
};
use bailiwick_core::{access::AccessClass, plan::Op};
use serde_json::Value;

use self::{
    known::Memory,
    read::Reader,
    settings::{Dialect, Settings},
};

/// Speaks LDAP to one directory.
pub struct Ldap {
    settings: Settings,
    memory: Memory,
}

impl Ldap {
    /// A connector with these settings.
    ///
    /// | setting | what | without it |
    /// |---|---|---|
    /// | `accounts.base` | the entry below which the accounts are | needed |
    /// | `accounts.filter` | which entries are accounts (RFC 4515) | `inetOrgPerson`; users of Active Directory |
    /// | `accounts.name`, `.rdn` | the attributes of the sign-in name, and of the first step of an entry's name | `uid`; `sAMAccountName` and `cn` |
    /// | `accounts.classes` | the object classes of a new entry | `inetOrgPerson`; `user` |
    /// | `groups.base`, `.filter`, `.name` | the same of groups | no groups |
    /// | `groups.member` | `member`, `uniqueMember`, `memberUid` | `member` |
    /// | `groups.placeholder` | the name that stands in a group that nobody is in | the last member stays |
    /// | `people.base`, `.filter`, `.key`, `.name` | the people of a source, and their immutable key | no people |
    /// | `people.status`, `.left` | the attribute that says who has left, and its values that say so | nobody has left by a word |
    /// | `people.disabled_left` | whoever's account of Active Directory is disabled has left | whoever cannot sign in is there |
    /// | `marker` | the attribute with the hub's marker | `employeeNumber` |
    /// | `attributes` | name → attribute, or `{attribute, is = "text" \| "flag" \| "many"}` | the common ones |
    /// | `policies.base`, `.default` | the password policies, and the one in force by default | the lock is not used |
    /// | `audit.base`, `.ours` | the access log (slapo-accesslog), such as `cn=log`, and the names that this integration signs in with | the log is not read |
    /// | `switch` | `{attribute, off, on}`: an attribute that keeps an account out | none |
    /// | `disable` | the ways to disable, best first: `ppolicy-lock`, `switch`, `unusable-password`, `userAccountControl` | those that work, in this order |
    /// | `dialect` | `openldap`, `active-directory` | `auto`: the directory says it |
    /// | `page_size` | the largest page to ask for | 500 |
    /// | `read_lag_ms` | how long reads may show what was before a write | 0 |
    ///
    /// # Errors
    /// `Settings`, naming the setting.
    pub fn new(settings: &Value) -> Result<Self> {
        let settings = Settings::new(settings)?;
        let memory = Memory::new(&settings);
        Ok(Self { settings, memory })
    }
}

fn unsupported(what: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Unsupported, format!("this connector does not do {what}"))
}

/// What it can do where everything is configured, and every policy locks.
pub(crate) fn most() -> Capability {
    known::most()
}

#[async_trait]
impl Connector for Ldap {
    fn capability(&self) -> &Capability {
        self.memory.capability()
    }

    /// Asks the directory about itself and its password policies anew, and reads one entry of each listing.
    async fn check(&self, line: &Line) -> Result<()> {
        self.memory.forget();
        Reader::new(self, line).await?.check().await
    }

    async fn remarks(&self, line: &Line) -> Result<Vec<String>> {
        let reader = Reader::new(self, line).await?;
        let mut remarks: Vec<String> = reader.now.remark().map(str::to_owned).into_iter().collect();
        if reader.shape().sees_roles() {
            remarks.extend(active::left_behind(&reader).await?);
        }
        Ok(remarks)
    }

    async fn list(
        &self,
        line: &Line,
        listing: Listing<'_>,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let reader = Reader::new(self, line).await?;
        match listing {
            Listing::People => reader.people(cursor, size, visit).await,
            Listing::Accounts => reader.accounts(cursor, size, visit).await,
            Listing::Groups => reader.groups(cursor, size, visit).await,
            Listing::Held { account, class: AccessClass::PrimaryAccount } => {
                reader.account(account).await?.into_iter().for_each(visit);
                Ok(Page { next: None, complete: true })
            }
            Listing::Held { account, class: AccessClass::DirectGroups } => {
                reader.direct_groups(account, cursor, size, visit).await
            }
            Listing::Held { account, class: AccessClass::NestedGroups } => {
                reader.nested_groups(account, visit).await
            }
            Listing::Held { account, class: AccessClass::Roles } if reader.shape().sees_roles() => {
                active::roles(&reader, account, visit).await
            }
            Listing::Held { class, .. } => Err(unsupported(class.title())),
        }
    }

    async fn changes(
        &self,
        line: &Line,
        listing: Listing<'_>,
        since: Option<&str>,
        hear: Hear<'_>,
    ) -> Result<Since> {
        let reader = Reader::new(self, line).await?;
        match reader.shape().dialect {
            Dialect::OpenLdap => changes::changes(&reader, listing, since, hear).await,
            Dialect::ActiveDirectory => active::changes(&reader, listing, since, hear).await,
        }
    }

    async fn audit(&self, line: &Line, from: Start<'_>, size: u32, read: Read<'_>) -> Result<()> {
        let reader = Reader::new(self, line).await?;
        let log = reader.shape().log.as_ref().ok_or_else(|| unsupported("reading an access log"))?;
        audit::read(&reader, log, from, size, read).await
    }

    async fn get(&self, line: &Line, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        Reader::new(self, line).await?.get(locator).await
    }

    async fn apply(
        &self,
        line: &Line,
        account: Option<&str>,
        op: &Op,
        precondition: Option<&str>,
        _key: &str,
    ) -> Result<Applied> {
        write::apply(&Reader::new(self, line).await?, account, op, precondition).await
    }

    async fn issue(&self, line: &Line, account: &str, class: AccessClass, secret: Secret) -> Result<Issued> {
        write::issue(&Reader::new(self, line).await?, account, class, secret).await
    }

    /// Signs in as the canary. When one that bears a lock for ever is let in, the lock is not believed any
    /// more, whatever the policies say.
    async fn attempt(&self, line: &Line, issued: &Issued) -> Result<Entry> {
        Reader::new(self, line).await?.attempt(issued).await
    }
}
