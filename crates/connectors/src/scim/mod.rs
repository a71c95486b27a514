//! SCIM 2.0 as a client (RFC 7643, RFC 7644, RFC 9865), with endpoints of the vendor's own for what SCIM
//! has no words for.
//!
//! A success is not proof of an effect: what was written is known when it was read. What a system says
//! about itself chooses between forms of a call; what it says it does to a user is never believed.
//! Absent on purpose: `/Bulk` (one change is one call, with one outcome), `/Me`, sorting, passwords.

pub mod decode;
mod discover;
mod document;
mod encode;
mod exchange;
mod groups;
mod held;
mod paging;
mod path;
mod people;
mod read;
mod settings;
mod wire;
mod write;

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use async_trait::async_trait;
use bailiwick_connector::{
    self as connector, AccountWrite, Applied, Capability, Connector, ConnectorError, Entry, ErrorKind,
    Issued, Line, Listing, Locator, Object, Page, Read, Result, Start, Visit, seal::Secret,
};
use bailiwick_core::{access::AccessClass, plan::Op};
use serde_json::Value;

use self::{
    decode::Mapping,
    discover::{Learned, Schemas},
    encode::{Dialect, Form},
    exchange::Exchange,
    held::HeldApi,
    read::{Reader, USERS},
    settings::{Settings, UpdateSetting},
};

/// How changes of users can be written, as profiles have it, the usual one first.
const MANNERS: [(&str, Manner); 5] = [
    ("PATCH by path", Manner::Patch(Dialect::USUAL)),
    ("PATCH without a path", Manner::Patch(Dialect { form: Form::Value, words: false })),
    ("PATCH by path, flags as text", Manner::Patch(Dialect { form: Form::Path, words: true })),
    ("PATCH without a path, flags as text", Manner::Patch(Dialect { form: Form::Value, words: true })),
    ("PUT", Manner::Put),
];

/// How a change of a user is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Patch(Dialect),
    Put,
}

/// The ways of disabling an account.
const PATCH_WAY: &str = "PATCH active=false";
const PUT_WAY: &str = "PUT active=false";
/// What is not there where users are people.
const ACCESS: &str = "access where users are the people of a source";
/// The page that is asked for when neither the settings nor the system say anything.
const PAGE: u32 = 100;

/// Speaks SCIM to one system.
pub struct Scim {
    settings: Settings,
    /// What is known before the system was asked.
    usual: Capability,
    /// What is known since; the first answer stands as long as the connector does.
    asked: OnceLock<Capability>,
    learned: RwLock<Option<Arc<Learned>>>,
    /// How changes are written, best first, as a probe learned it.
    adopted: OnceLock<Vec<Manner>>,
}

impl Scim {
    /// A connector with these settings; `null` is a table without any.
    ///
    /// | setting | what | without it |
    /// |---|---|---|
    /// | `base` | path of the SCIM interface below the endpoint, such as `/scim/v2` | empty |
    /// | `paging` | `auto`, `index`, `cursor` | `auto`: by cursor if the system declares it |
    /// | `page_size` | the largest page to ask for | what the system declares |
    /// | `update` | `auto`, `patch`, `put`; the latter two also say that the other is not to be tried | `auto`: what a probe saw to work; without one, PATCH unless the system declares that it has none, and PUT to disable where that was in vain |
    /// | `idempotency_header` | `Idempotency-Key` or `X-Idempotency-Key`, if the system honours it | none |
    /// | `attributes` | attribute name → SCIM path, on top of the common ones | the common ones |
    /// | `read_lag_ms` | how long reads may show what was before a write | 0 |
    /// | `groups` | `false` for a system that has no groups | it has |
    /// | `people` | the users are people of a source, and nothing is written; `people.key` is what they are known by: `id`, `externalId` or the name of an attribute | they are accounts; `id` |
    /// | `held.CLASS` | where the vendor lists, gives and takes what SCIM has no words for, and how a canary is given one (`issue`) that can be tried (`try`) | unobservable |
    /// | `audit` | where the vendor's audit log is read, and which members of its entries say what (`list`, `after`, `items`, `mark`, `at`, `actor`, `ours`, `deed`, `account`, `given`, `taken`, `changed`, `ends`) | none is read |
    /// | `held.CLASS.outlives` | whether it can be there when the account is gone, so that the account's end is no proof of its | `false` for licences and roles, else `true` |
    ///
    /// # Errors
    /// `Settings`, naming the setting.
    pub fn new(settings: &Value) -> Result<Self> {
        let settings = Settings::new(settings)?;
        let usual = capability(&settings, &Learned::default());
        Ok(Self {
            settings,
            usual,
            asked: OnceLock::new(),
            learned: RwLock::new(None),
            adopted: OnceLock::new(),
        })
    }

    /// Which attributes of a user are shown, under which names.
    pub fn mapping(&self) -> &Mapping {
        &self.settings.mapping
    }

    fn adopted(&self) -> &[Manner] {
        self.adopted.get().map(Vec::as_slice).unwrap_or_default()
    }

    fn exchange<'a>(&'a self, line: &'a Line) -> Exchange<'a> {
        Exchange { line, base: &self.settings.base }
    }

    /// What the system says about itself, asked once.
    async fn learned(&self, line: &Line) -> Result<Arc<Learned>> {
        let known = self.learned.read().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(learned) => Ok(learned),
            None => self.learn(line).await,
        }
    }

    /// Asks the system about itself, and remembers it.
    async fn learn(&self, line: &Line) -> Result<Arc<Learned>> {
        let learned = Arc::new(Learned::read(&self.exchange(line)).await?);
        self.asked.get_or_init(|| capability(&self.settings, &learned));
        *self.learned.write().unwrap_or_else(PoisonError::into_inner) = Some(learned.clone());
        Ok(learned)
    }

    fn ways(&self) -> &[&'static str] {
        &self.capability().disable_ways
    }

    fn held(&self, class: AccessClass) -> Result<&HeldApi> {
        self.settings.held.get(&class).ok_or_else(|| unsupported(class.title()))
    }
}

fn unsupported(what: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Unsupported, format!("this connector does not do {what}"))
}

fn capability(settings: &Settings, learned: &Learned) -> Capability {
    use AccessClass::{DirectGroups, NestedGroups, PrimaryAccount};
    let held = |does: fn(&HeldApi) -> bool| {
        settings.held.iter().filter(move |(_, api)| does(api)).map(|(class, _)| *class)
    };
    let ways = match (settings.update, learned.patch) {
        (UpdateSetting::Auto, true) => vec![PATCH_WAY, PUT_WAY],
        (UpdateSetting::Patch, _) => vec![PATCH_WAY],
        (UpdateSetting::Put, _) | (UpdateSetting::Auto, false) => vec![PUT_WAY],
    };
    let max_page = settings.page_size.into_iter().chain(learned.max_page).min().unwrap_or(PAGE);
    if settings.people.is_some() {
        return Capability { people: true, max_page, ..Capability::default() };
    }
    let grouped = |class| Some(class).filter(|_| settings.groups);
    let seen = [Some(PrimaryAccount), grouped(DirectGroups), grouped(NestedGroups)];
    Capability {
        people: false,
        pushed: false,
        accounts: true,
        groups: settings.groups,
        observes: seen.into_iter().flatten().chain(held(|_| true)).collect(),
        removes: grouped(DirectGroups).into_iter().chain(held(HeldApi::revokes)).collect(),
        grants: grouped(DirectGroups).into_iter().chain(held(HeldApi::grants)).collect(),
        tries: held(HeldApi::tries).collect(),
        writes: AccountWrite::ALL.into(),
        by_person: None,
        forms: MANNERS
            .into_iter()
            .filter_map(|(name, manner)| {
                let way = match manner {
                    Manner::Patch(_) => PATCH_WAY,
                    Manner::Put => PUT_WAY,
                };
                let way = ways.iter().position(|known| *known == way)?;
                Some(connector::Form { name, way: u8::try_from(way).ok()? })
            })
            .collect(),
        disable_ways: ways,
        idle_ways: BTreeSet::new(),
        conditional: learned.etag,
        idempotency_keys: settings.idempotency_header.is_some(),
        incremental: false,
        audits: settings.audit.is_some(),
        read_lag_ms: settings.read_lag_ms,
        max_page,
    }
}

/// What it can do where the vendor's own endpoints are configured for every class that has no words in SCIM.
pub(crate) fn most() -> Capability {
    let learned = Learned { patch: true, etag: true, ..Learned::default() };
    let usual = Settings::new(&Value::Null).map(|settings| capability(&settings, &learned));
    let every: BTreeSet<AccessClass> = AccessClass::ALL.into();
    let kept = [AccessClass::PrimaryAccount, AccessClass::NestedGroups];
    let given: BTreeSet<_> = every.iter().copied().filter(|class| !kept.contains(class)).collect();
    Capability {
        people: true,
        observes: every,
        removes: given.clone(),
        grants: given.clone(),
        tries: &given - &[AccessClass::DirectGroups].into(),
        ..usual.unwrap_or_default()
    }
}

#[async_trait]
impl Connector for Scim {
    fn capability(&self) -> &Capability {
        self.asked.get().unwrap_or(&self.usual)
    }

    fn adopt(&self, forms: &[String]) {
        let known = |name: &String| MANNERS.into_iter().find(|(known, _)| known == name);
        let manners = forms.iter().filter_map(known).map(|(_, manner)| manner).collect();
        // Told twice, it stays with the first.
        let _ = self.adopted.set(manners);
    }

    /// Asks the system about itself anew, looks up the configured attributes in its schemas, and reads
    /// one user, because discovery is often open to everybody.
    async fn check(&self, line: &Line) -> Result<()> {
        let learned = self.learn(line).await?;
        let exchange = self.exchange(line);
        if let Some(schemas) = Schemas::read(&exchange).await? {
            for name in &self.settings.configured {
                if let Some(path) = self.settings.mapping.path(name).filter(|path| !schemas.have(path)) {
                    let message =
                        format!("setting `attributes.{name}`: the system's schemas have no `{path}`");
                    return Err(ConnectorError::none(ErrorKind::Settings, message));
                }
            }
        }
        let reader = Reader { exchange, settings: &self.settings, learned };
        let answer = reader.page(USERS, None, &reader.place(None, 1)?).await?;
        decode::parse_page(&answer.body).map(drop)
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
        if let Some(people) = &self.settings.people {
            return match listing {
                Listing::People => people.list(&reader, cursor, size, visit).await,
                Listing::Accounts | Listing::Groups | Listing::Held { .. } => Err(unsupported(ACCESS)),
            };
        }
        match listing {
            Listing::People => Err(unsupported("people")),
            Listing::Accounts => reader.users(&self.settings.mapping, cursor, size, visit).await,
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
            Listing::Held { account, class } => {
                self.held(class)?.survey(&reader.exchange, account, visit).await
            }
        }
    }

    async fn audit(&self, line: &Line, from: Start<'_>, _size: u32, read: Read<'_>) -> Result<()> {
        let log = self.settings.audit.as_ref().ok_or_else(|| unsupported("reading an audit log"))?;
        let answer = self.exchange(line).read_by(log.call(from)).await?;
        log.show(&decode::json(&answer.body)?, read)
    }

    async fn get(&self, line: &Line, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        let reader = Reader::new(self, line).await?;
        match &self.settings.people {
            Some(people) => people.get(&reader, locator).await,
            None => reader.get(locator).await,
        }
    }

    async fn apply(
        &self,
        line: &Line,
        account: Option<&str>,
        op: &Op,
        precondition: Option<&str>,
        key: &str,
    ) -> Result<Applied> {
        match self.settings.people {
            Some(_) => Err(unsupported(ACCESS)),
            None => write::apply(self, line, account, op, precondition, key).await,
        }
    }

    async fn issue(&self, line: &Line, account: &str, class: AccessClass, _secret: Secret) -> Result<Issued> {
        self.held(class)?.give(&self.exchange(line), account).await
    }

    async fn attempt(&self, line: &Line, issued: &Issued) -> Result<Entry> {
        self.held(issued.class)?.knock(&self.exchange(line), issued).await
    }
}

#[cfg(test)]
mod tests;
