//! AWS Identity and Access Management: users, groups, policies, roles that trust users, and credentials
//! (query API, version 2010-05-08, Signature Version 4).
//!
//! An account is a user; its id is the `UserId`, which stays when it is renamed. The hub's marker is a tag.
//! A user is usable unless it is denied everything by the hub's own policy, or its credentials were switched
//! off, are still off, and a tag says that this was meant: a user without any credential is not disabled.
//! That a disabled user is kept out is learned by trying a canary's key, never from a success.
//!
//! Temporary credentials are not shown by IAM, so they are ended and never seen: by a policy that denies everything to what
//! was issued before. Those of a role that somebody assumed belong to the role; who may assume it is seen.
//!
//! Absent on purpose: nested groups, which it does not have; IAM Identity
//! Center, which is another API; conditional writes, which it does not know.

mod decode;
mod encode;
mod exchange;
mod held;
mod read;
mod settings;
mod trust;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{PoisonError, RwLock},
};

use async_trait::async_trait;
use bailiwick_connector::{
    AccountWrite, Applied, Capability, Connector, ConnectorError, Entry, ErrorKind, Issued, Line, Listing,
    Locator, Object, Page, Result, Visit, seal::Secret,
};
use bailiwick_core::{access::AccessClass, plan::Op, scope::Operation};
use serde_json::Value;

use self::{
    decode::{Said, User, document, refusal},
    encode::{CANARY, iam, may_be_tried, on},
    exchange::Exchange,
    held::Kind,
    read::Reader,
    settings::Settings,
    write::Change,
};

/// The ways of disabling an account. The first is one action, and it reaches temporary credentials too.
const WAYS: [&str; 2] = ["inline policy that denies everything", "password deleted, keys inactive"];

/// What a canary's key is tried with.
const TRIED: &str = "ListAccountAliases";

/// Speaks to the IAM of one AWS account.
pub struct AwsIam {
    settings: Settings,
    capability: Capability,
    /// The name that an id last had. Only a hint: who is found by it must have the id.
    names: RwLock<BTreeMap<String, String>>,
}

impl AwsIam {
    /// A connector with these settings; `null` is a table without any.
    ///
    /// | setting | what | without it |
    /// |---|---|---|
    /// | `marker_tag` | key of the user tag with the hub's marker | `bailiwick:marker` |
    /// | `attributes` | attribute name → key of the user tag that holds it | `displayName`, `email`, `department` and `title`, in tags of these names |
    /// | `page_size` | the largest page to ask for, 1 to 1000 | 1000 |
    /// | `read_lag_ms` | how long reads may show what was before a write | 10000: IAM is eventually consistent |
    /// | `service_credentials` | whether the system has service-specific credentials | `true` |
    ///
    /// The attributes `userName` and `path` are the user's own; `arn` is shown only. The region that is
    /// signed for is the broker's setting `region`.
    ///
    /// # Errors
    /// `Settings`, naming the setting.
    pub fn new(settings: &Value) -> Result<Self> {
        let settings = Settings::new(settings)?;
        Ok(Self { capability: capability(&settings), settings, names: RwLock::default() })
    }

    fn reader<'a>(&'a self, line: &'a Line) -> Reader<'a> {
        Reader { aws: self, exchange: Exchange { line } }
    }

    /// The kinds of things of a class that a user can hold.
    fn kinds(&self, class: AccessClass) -> Result<Vec<Kind>> {
        let kinds: Vec<Kind> = Kind::known(&self.settings).filter(|kind| kind.class() == class).collect();
        if kinds.is_empty() { Err(unsupported(class.title())) } else { Ok(kinds) }
    }

    fn remember(&self, user: &User) {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.insert(user.id.clone(), user.name.clone());
    }

    fn remembered(&self, id: &str) -> Option<String> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

fn unsupported(what: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Unsupported, format!("this connector does not do {what}"))
}

fn capability(settings: &Settings) -> Capability {
    let held: BTreeSet<AccessClass> = Kind::known(settings).map(Kind::class).collect();
    Capability {
        accounts: true,
        groups: true,
        observes: held.iter().copied().chain([AccessClass::PrimaryAccount]).collect(),
        removes: held.into_iter().chain([AccessClass::Sessions]).collect(),
        grants: [AccessClass::DirectGroups, AccessClass::Roles].into(),
        tries: [AccessClass::CloudKeys].into(),
        by_person: None,
        writes: AccountWrite::ALL.into(),
        forms: Vec::new(),
        disable_ways: WAYS.into(),
        read_lag_ms: settings.read_lag_ms,
        max_page: settings.page_size,
        ..Capability::default()
    }
}

/// What it can do with AWS itself.
pub(crate) fn most() -> Capability {
    capability(&Settings::default())
}

#[async_trait]
impl Connector for AwsIam {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    /// Reads one user.
    async fn check(&self, line: &Line) -> Result<()> {
        self.reader(line).users(None, 1, &mut |_| {}).await.map(drop)
    }

    async fn list(
        &self,
        line: &Line,
        listing: Listing<'_>,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        self.reader(line).list(listing, cursor, size, visit).await
    }

    async fn get(&self, line: &Line, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        self.reader(line).get(locator).await
    }

    async fn apply(
        &self,
        line: &Line,
        account: Option<&str>,
        op: &Op,
        _precondition: Option<&str>,
        _key: &str,
    ) -> Result<Applied> {
        Change::new(self.reader(line)).make(account, op).await
    }

    /// AWS chooses the secret. A user has at most two access keys; a third is refused.
    async fn issue(&self, line: &Line, account: &str, class: AccessClass, _secret: Secret) -> Result<Issued> {
        if !self.capability.tries.contains(&class) {
            return Err(unsupported(&format!("issuing {class}")));
        }
        Change::new(self.reader(line)).issue(account).await
    }

    /// Has the key's holder do the one thing that it was given leave to do.
    async fn attempt(&self, line: &Line, issued: &Issued) -> Result<Entry> {
        let Some(key) =
            issued.external_id.as_deref().filter(|_| self.capability.tries.contains(&issued.class))
        else {
            return Err(unsupported(&format!("trying {}", issued.class)));
        };
        let answer = line.call_as(iam(Operation::Try, TRIED), &issued.credential).await?;
        if matches!(answer.status, 200..=299) {
            return Ok(Entry::Accepted);
        }
        let refused = refusal(TRIED, false, &answer, line.now());
        // That our clock is wrong says nothing of the key.
        if refused.kind == ErrorKind::Unauthorized && !Said::of(&answer).skewed() {
            Ok(Entry::Rejected)
        } else if refused.kind == ErrorKind::Forbidden {
            self.why_forbidden(line, key).await
        } else {
            Err(refused)
        }
    }
}

impl AwsIam {
    /// A key that is known and may not do the one thing: while the leave for it is still there, something
    /// takes it away, which is what disabling does. Without the leave, the key itself lives.
    async fn why_forbidden(&self, line: &Line, key: &str) -> Result<Entry> {
        let exchange = Exchange { line };
        let used = iam(Operation::Get, "GetAccessKeyLastUsed").with("AccessKeyId", key);
        let Some(answered) = exchange.find(used).await? else { return Ok(Entry::Rejected) };
        let user = answered.read(|result| result.need("UserName").map(str::to_owned))?;
        let leave = on(Operation::Get, "GetUserPolicy", &user).with("PolicyName", CANARY);
        let Some(answered) = exchange.find(leave).await? else { return Ok(Entry::Accepted) };
        let there = answered.read(|result| Ok(document(result.need("PolicyDocument")?)))?;
        Ok(if there == Some(may_be_tried()) { Entry::Rejected } else { Entry::Accepted })
    }
}
