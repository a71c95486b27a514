//! Any HTTP API that answers JSON, described by one file: calls as method, path and body with holes, and where
//! things are in the answers. The file is also the list of all that can be called, so an integration's scope
//! follows from it ([`Description::scope`]).
//!
//! A success is not proof of an effect: what was written is known when it was read. Addresses in answers are
//! followed only within the list that was asked for. Absent on purpose: anything that a file cannot say by
//! filling holes; a system that needs more has a connector of its own.

mod check;
#[cfg(test)]
mod check_tests;
mod decode;
mod description;
mod exchange;
mod held;
mod paging;
mod pointer;
mod read;
mod settings;
pub mod shipped;
mod template;
mod write;

use async_trait::async_trait;
use bailiwick_connector::{
    AccountWrite, Applied, Capability, Connector, ConnectorError, Entry, ErrorKind, Issued, Line, Listing,
    Locator, Object, Page, Result, Visit, seal::Secret,
};
use bailiwick_core::{
    access::AccessClass,
    plan::Op,
    scope::{Operation, ScopeRule},
};
use serde_json::Value;

pub use self::{
    check::{Code, Fault},
    description::{Auth, Description},
    pointer::Pointer,
};
use self::{exchange::Exchange, read::Reader, settings::Settings, template::Holes};

/// What ways of disabling are called; what each does stands in the description.
const WAYS: [&str; 4] = ["first way", "second way", "third way", "fourth way"];

/// Speaks to one API.
pub struct Rest {
    api: Description,
    parameters: Holes,
    most: u32,
    capability: Capability,
}

impl Rest {
    /// A connector with these settings.
    ///
    /// | setting | what | without it |
    /// |---|---|---|
    /// | `description` | the name of a shipped description ([`shipped::NAMES`]), or a description as a table | an error |
    /// | `parameters` | the parameters of the description, all of them | none |
    /// | `without` | classes that this system does not have, though the description has them | none |
    /// | `page_size` | the largest page to ask for | what the description says |
    /// | `read_lag_ms` | how long reads may show what was before a write | what the description says |
    ///
    /// # Errors
    /// `Settings`, naming the setting.
    pub fn new(settings: &Value) -> Result<Self> {
        let Settings { description, parameters, page_size, read_lag_ms } = Settings::new(settings)?;
        let most = description.max_page.min(page_size.unwrap_or(u32::MAX));
        let mut capability = description.capability();
        capability.max_page = most;
        capability.read_lag_ms = read_lag_ms.unwrap_or(capability.read_lag_ms);
        Ok(Self { api: description, parameters, most, capability })
    }

    /// The scope rules of all that it can call.
    pub fn scope(&self) -> Vec<ScopeRule> {
        self.api.scope(&self.parameters)
    }

    fn reader<'a>(&'a self, line: &'a Line) -> Reader<'a> {
        Reader { exchange: Exchange { line, api: &self.api, parameters: &self.parameters }, most: self.most }
    }
}

impl Description {
    /// What a connector with this description can do.
    pub fn capability(&self) -> Capability {
        use AccessClass::{DirectGroups, PrimaryAccount};
        let held = |does: fn(&description::Held) -> bool| {
            self.held.iter().filter(move |(_, held)| does(held)).map(|(class, _)| *class)
        };
        let own = self.accounts.iter().map(|_| PrimaryAccount);
        let derived = self.groups.iter().filter(|_| self.accounts.is_some()).map(|_| DirectGroups);
        let accounts = self.accounts.as_ref();
        Capability {
            people: self.people.is_some(),
            pushed: false,
            accounts: accounts.is_some(),
            groups: self.groups.is_some(),
            observes: own.chain(derived).chain(held(|h| h.list.is_some())).collect(),
            removes: held(|h| h.revoke.is_some() || h.revoke_all.is_some()).collect(),
            grants: held(|h| h.grant.is_some()).collect(),
            tries: held(|h| h.issue.is_some()).collect(),
            by_person: None,
            incremental: false,
            audits: false,
            forms: Vec::new(),
            writes: accounts.map(description::Accounts::writes).unwrap_or_default(),
            disable_ways: WAYS[..accounts.map_or(0, |accounts| accounts.disable.len())].to_vec(),
            idle_ways: Default::default(),
            conditional: self.conditional,
            idempotency_keys: self.idempotency_header.is_some(),
            read_lag_ms: self.read_lag_ms,
            max_page: self.max_page,
        }
    }
}

/// What a description can say at most.
pub(crate) fn most() -> Capability {
    use AccessClass::PrimaryAccount;
    let every = || AccessClass::ALL.into_iter();
    let held = || every().filter(|class| *class != PrimaryAccount).collect();
    Capability {
        people: true,
        pushed: false,
        accounts: true,
        groups: true,
        observes: every().collect(),
        removes: held(),
        grants: held(),
        tries: held(),
        by_person: None,
        incremental: false,
        audits: false,
        forms: Vec::new(),
        writes: AccountWrite::ALL.into(),
        disable_ways: WAYS.to_vec(),
        idle_ways: Default::default(),
        conditional: true,
        idempotency_keys: true,
        read_lag_ms: 0,
        max_page: 100,
    }
}

fn unsupported(what: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Unsupported, format!("this description does not do {what}"))
}

#[async_trait]
impl Connector for Rest {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    fn sign_in(&self) -> Option<&str> {
        let accounts = self.api.accounts.as_ref()?;
        let same = |(_, at): &(&String, &Pointer)| **at == accounts.name;
        accounts.attributes.iter().find(same).map(|(attribute, _)| attribute.as_str())
    }

    async fn check(&self, line: &Line) -> Result<()> {
        let reader = self.reader(line);
        if let Some(check) = &self.api.check {
            return reader
                .exchange
                .read(Operation::Discover, check, &self.parameters, Vec::new())
                .await
                .map(drop);
        }
        let listing = match (self.capability.accounts, self.capability.groups) {
            (true, _) => Listing::Accounts,
            (false, true) => Listing::Groups,
            (false, false) => Listing::People,
        };
        self.list(line, listing, None, 1, &mut |_| {}).await.map(drop)
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
            Listing::People => reader.list_people(cursor, size, visit).await,
            Listing::Accounts => reader.list_accounts(cursor, size, visit).await,
            Listing::Groups => reader.list_groups(cursor, size, visit).await,
            Listing::Held { class, .. } if !self.capability.observes.contains(&class) => {
                Err(unsupported(&format!("listing {class}")))
            }
            Listing::Held { account, class } => reader.list_held(account, class, cursor, size, visit).await,
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
        key: &str,
    ) -> Result<Applied> {
        write::apply(self.reader(line), account, op, precondition, key).await
    }

    async fn issue(&self, line: &Line, account: &str, class: AccessClass, _secret: Secret) -> Result<Issued> {
        self.give(self.reader(line), account, class).await
    }

    async fn attempt(&self, line: &Line, issued: &Issued) -> Result<Entry> {
        self.knock(self.reader(line), issued).await
    }
}
