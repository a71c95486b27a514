//! Of which classes the differences of an account are, and how many accounts one comparison may set in motion.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    account::{Account, AccountState},
    audit::Explained,
    difference::{Answer, Class, Compared, Difference, Owner, classify},
    exception::{Exception, Terms},
    id::{EntitlementName, IdentityId},
    identity::{Identity, Lifecycle, SourceKey},
    integration::Role,
    plan::Desired,
    policy::Bulk,
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, select};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Comparing;
use crate::{Catalogue, Engine, Result, decide::judge, exception::counting, redecide::imagined};

/// How many differences are shown; all are counted.
const SHOWN: usize = 1_000;

/// One difference, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Differs {
    /// Of which class, and what it is about.
    #[serde(flatten)]
    pub difference: Difference,
    /// The name people sign in with.
    pub username: String,
    /// The system's id of the account.
    pub account: String,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityId>,
    /// What is done about the class.
    #[serde(flatten)]
    pub answer: Answer,
    /// Who changed the account last, by the system's own log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Explained>,
    /// Whether nothing is done, because the comparison had no room for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
}

/// What a comparison found, by class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classes {
    /// How many of each class.
    #[serde(default)]
    pub counts: BTreeMap<Class, u64>,
    /// They, as far as so many are shown.
    #[serde(default)]
    pub differences: Vec<Differs>,
}

impl Classes {
    fn add(&mut self, one: Differs) {
        *self.counts.entry(one.difference.class).or_default() += 1;
        if self.differences.len() < SHOWN {
            self.differences.push(one);
        }
    }

    /// What was told of an account.
    pub(super) fn tell(
        &mut self,
        (account, identity): (&Account, Option<IdentityId>),
        differences: &[Judged],
        by: impl Fn(&Judged) -> Option<Explained>,
        held: bool,
    ) {
        for one in differences {
            self.add(Differs {
                answer: one.answer,
                difference: one.difference.clone(),
                username: account.username.clone(),
                account: account.external_id.clone(),
                identity,
                by: by(one),
                held,
            });
        }
    }
}

/// A difference, and what is done about it.
pub(super) struct Judged {
    pub(super) difference: Difference,
    pub(super) answer: Answer,
    /// What an exception about it names.
    pub(super) about: BTreeSet<EntitlementName>,
}

/// About how many accounts one comparison may file something, and did.
pub(super) struct Room {
    allowed: u64,
    pub(super) filed: u64,
    pub(super) held: u64,
}

impl Room {
    pub(super) const fn new(allowed: u64) -> Self {
        Self { allowed, filed: 0, held: 0 }
    }

    /// Takes room for one account, or notes that there was none.
    pub(super) const fn take(&mut self) -> bool {
        let free = self.filed < self.allowed;
        *(if free { &mut self.filed } else { &mut self.held }) += 1;
        free
    }
}

/// Whom accounts belong to, and what these should have.
#[derive(Default)]
pub(super) struct Owners {
    by_key: BTreeMap<String, IdentityId>,
    people: BTreeMap<IdentityId, Stored<Identity>>,
    exceptions: BTreeMap<IdentityId, Vec<Exception>>,
}

impl Owners {
    /// Whom the marker names.
    pub(super) fn marked(&self, marker: Option<&String>) -> Option<IdentityId> {
        self.by_key.get(marker?).copied()
    }

    /// With which key of theirs an account came that bears this marker, if not with their own.
    pub(super) fn came_with(
        &self,
        identity: Option<IdentityId>,
        marker: Option<&String>,
    ) -> Option<SourceKey> {
        let person = &self.people.get(&identity?)?.value;
        let key = person.source_keys().into_iter().skip(1).find(|key| Some(&key.to_string()) == marker);
        key.cloned()
    }

    pub(super) fn person(&self, identity: IdentityId) -> Option<&Stored<Identity>> {
        self.people.get(&identity)
    }

    fn owner(&self, comparing: &Comparing<'_>, seen: &Seen<'_>) -> Owner {
        let Some(identity) = seen.identity else {
            return match (comparing.rules.shared.contains_key(seen.username), seen.marker) {
                (true, _) => Owner::Shared,
                (false, Some(marker)) if of_a_source(comparing.catalogue, marker) => Owner::Stranger,
                (false, _) => Owner::Nobody,
            };
        };
        let claimed = self.marked(seen.marker).is_some_and(|marked| marked != identity);
        let lifecycle = self.people.get(&identity).map(|stored| &stored.value.lifecycle);
        match lifecycle {
            // What the one that went has is ended, whosever the marker is by now.
            Some(Lifecycle::Merged { .. }) => Owner::Left,
            _ if claimed => Owner::Several,
            None | Some(Lifecycle::Left { .. } | Lifecycle::GardenLeave { .. }) => Owner::Left,
            Some(
                Lifecycle::Pending { .. }
                | Lifecycle::Active { .. }
                | Lifecycle::Leave { .. }
                | Lifecycle::Absent { .. },
            ) => Owner::Known,
        }
    }
}

/// An account as it is compared.
pub(super) struct Seen<'a> {
    pub(super) identity: Option<IdentityId>,
    pub(super) username: &'a str,
    pub(super) marker: Option<&'a String>,
    pub(super) stored: Option<&'a Account>,
    /// Nothing where it is gone.
    pub(super) observed: Option<&'a AccountState>,
}

impl Engine {
    /// Whom accounts belong to: those that are known to be somebody's, and those that bear a marker.
    pub(super) async fn owners(
        &self,
        tx: &mut dyn Tx,
        known: impl Iterator<Item = IdentityId>,
        markers: impl Iterator<Item = String>,
    ) -> Result<Owners> {
        let mut owners = Owners::default();
        let ids: BTreeSet<String> = known.map(|id| id.to_string()).collect();
        let markers: BTreeSet<String> = markers.collect();
        for (column, texts) in [("id", ids), ("source_key", markers)] {
            let asked = Select::from(Table::Identities)
                .filter(Filter::In(column, texts.into_iter().map(Into::into).collect()));
            for stored in select::<Identity>(tx, self.tenant(), asked).await? {
                let key = stored.value.source_key.to_string();
                // The marker of a key that leads to somebody else is theirs.
                if let Some(who) = self.followed(tx, stored.clone()).await? {
                    owners.by_key.insert(key, who.value.id);
                    owners.people.insert(who.value.id, who);
                }
                owners.people.entry(stored.value.id).or_insert(stored);
            }
        }
        owners.exceptions = self.exceptions_of(tx, owners.people.keys().copied()).await?;
        Ok(owners)
    }

    /// The differences of one account. Where the policies cannot decide, there is nothing to compare with: the event
    /// says so.
    pub(super) fn differences(
        &self,
        comparing: &Comparing<'_>,
        bulk: &mut Bulk<'_>,
        owners: &Owners,
        seen: &Seen<'_>,
    ) -> Vec<Judged> {
        let owner = owners.owner(comparing, seen);
        let mut desired: Option<Desired> = None;
        if let Some(person) = seen.identity.and_then(|id| owners.person(id)) {
            let exceptions: Vec<Terms> = counting(owners.exceptions.get(&person.value.id), None, self.now());
            let event = imagined(person.value.id, self.now());
            let Ok(mut decision) = judge(comparing.catalogue, bulk, &person.value, &event, &exceptions)
            else {
                return Vec::new();
            };
            desired = decision.desired.remove(comparing.system);
        }
        let differences = classify(&Compared {
            owner,
            desired: desired.as_ref(),
            applied: seen.stored.and_then(|account| account.applied.as_ref()),
            known: seen.stored.map(|account| &account.state),
            observed: seen.observed,
        });
        let may_hold = seen
            .identity
            .and_then(|id| owners.person(id))
            .is_some_and(|person| person.value.lifecycle.may_hold());
        comparing.judge(differences, desired.as_ref(), may_hold)
    }
}

/// Whether a marker names somebody of a source that is connected.
fn of_a_source(catalogue: &Catalogue, marker: &str) -> bool {
    let Some((named, key)) = marker.split_once('/') else { return false };
    let is = |role: &Role| match role {
        Role::Source { source, .. } => source.as_str() == named,
        Role::Target { .. } | Role::Log { .. } | Role::Partner { .. } => false,
    };
    !key.is_empty() && catalogue.integrations.values().any(|integration| is(&integration.role))
}

/// The differences in words, for events.
pub(super) fn words(differences: &[Judged]) -> String {
    if differences.is_empty() {
        return "the account differs from what was known of it".into();
    }
    let words: Vec<String> =
        differences.iter().map(|one| format!("{} {}", one.difference.class, one.difference.aspect)).collect();
    words.join(", ")
}
