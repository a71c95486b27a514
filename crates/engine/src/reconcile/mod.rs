//! Reconciling: compares a system with what is known of it, and files what differs as events.
//!
//! Where the connector has news, only what is new since the reading before is looked at; otherwise, after a
//! change of configuration, on demand, and once a day, everything is listed. Differences, where the next news
//! begin and when to look again are written in one transaction: an answer that was lost in between is
//! asked for again. A comparison that would set too much in motion stops there, and a person lets the rest go or
//! mends what made it look so. Nothing is mended here. What was shown only in part proves nothing.

mod accounts;
mod again;
mod classes;
mod keep;
mod learn;
mod nested;
mod news;
mod record;
mod schedule;
mod shared;
mod survey;
mod who;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
};

use bailiwick_connector::{Connector, Line, Object, ObjectState};
use bailiwick_core::{
    access::AccessClass,
    account::{Account, AccountState},
    difference::Reconciling,
    digest::Digest,
    id::{EntitlementName, SystemName},
    integration::Integration,
    nesting::Inside,
    record::Actor,
    system::System,
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{
    Filter, Pages, Select, Stored, Table,
    entities::{Membership, Reading, Since, Unexplained},
    get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use classes::{Classes, Differs};
pub(crate) use schedule::next;

use nested::Nested;

use crate::{Catalogue, Engine, Result, alone::Alone, audit::Explaining, observe::managed, probe};

/// The size of a page that is asked for.
const PAGE: u32 = 500;
/// How many rows are read or written at a time.
const CHUNK: usize = 512;
/// After so long everything is listed, whatever the news were.
const LISTED_ANEW: SignedDuration = SignedDuration::from_hours(24);

/// By which path a system was compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReconciledHow")]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Everything was listed.
    #[default]
    Listed,
    /// Only what was new was shown.
    News,
}

/// What a reconciliation found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    /// By which path.
    pub how: How,
    /// How many accounts the system showed.
    pub accounts: u64,
    /// How many of them are as they were.
    pub unchanged: u64,
    /// How many differ from what was known.
    pub changed: u64,
    /// How many are new and belong to somebody known.
    pub adopted: u64,
    /// How many are new and belong to nobody known.
    pub unmanaged: u64,
    /// How many are not there any more.
    pub gone: u64,
    /// How many groups the system showed.
    pub groups: u64,
    /// Why not everything was shown, if so: then nothing is concluded.
    pub partial: Option<String>,
    /// The differences by class: what should be, what was last applied, what was observed.
    #[serde(flatten)]
    pub classes: Classes,
    /// What the comparison had no room for, if so.
    pub held: Option<Overflow>,
    /// Accounts that differ, and the system's own log has no word of that.
    pub unexplained: Vec<Unexplained>,
    /// What else somebody should know of the system, a sentence each.
    pub remarks: Vec<String>,
}

/// That a comparison found more than it may set in motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Overflow {
    /// About how many accounts it filed an event.
    pub filed: u64,
    /// About how many it did nothing.
    pub held: u64,
}

/// An account as the system showed it.
struct Shown {
    external_id: String,
    username: String,
    marker: Option<String>,
    /// With those of the numbered entitlements that it holds.
    state: AccountState,
}

impl Shown {
    fn new(object: &Object<'_>, names: &[&String], held: Vec<EntitlementName>) -> Self {
        Self {
            external_id: object.id.to_string(),
            username: object.name.to_string(),
            marker: object.marker.as_ref().map(ToString::to_string),
            state: AccountState {
                active: object.state == ObjectState::Live,
                attributes: managed(object, names.iter().copied()),
                entitlements: held,
            },
        }
    }
}

/// Who is gone.
enum Gone {
    /// Nobody can be said to be.
    Nobody,
    /// Those with these ids.
    These(Vec<String>),
    /// Whoever is known and fits.
    All(Box<dyn Fn(&str) -> bool + Send + Sync>),
}

/// What a reading gave, before anything is written.
struct Found {
    report: Reconciled,
    /// Accounts that are new or differ.
    different: Vec<Shown>,
    gone: Gone,
    /// Label → the system's id, for groups.
    groups: BTreeMap<String, String>,
    /// Which declared groups are in which; absent where that was not seen in full.
    inside: Option<BTreeMap<EntitlementName, Vec<Inside>>>,
    /// What is known now of groups that nobody declared and that lie in declared ones, where that was seen.
    nested: Option<Nested>,
    /// Groups whose members are others than were known.
    members: Vec<Membership>,
    /// Where the next news begin, if they can.
    since: Option<Since>,
}

/// One comparison.
struct Comparing<'a> {
    catalogue: &'a Catalogue,
    system: &'a SystemName,
    declared: Option<&'a System>,
    /// What is done about differences there.
    rules: Reconciling,
    /// Who lets everything go that is held, if somebody does.
    release: Option<Actor>,
    integration: &'a Integration,
    connector: &'a Arc<dyn Connector>,
    line: Line,
    /// The declared entitlements that are groups, ascending; a place is a number.
    numbered: Vec<EntitlementName>,
    basis: Digest,
    began: Timestamp,
    before: Option<Stored<Reading>>,
    alone: &'a Alone,
    /// How many accounts were shown, for whoever watches.
    seen: Arc<AtomicU64>,
    /// What the system's own log says of who changed what.
    told: Explaining,
}

impl Comparing<'_> {
    /// The attributes that the hub manages, ascending.
    fn names(&self) -> Vec<&String> {
        self.declared.map(|system| system.account.keys().collect()).unwrap_or_default()
    }

    /// Label → number of the declared groups.
    fn labels(&self) -> BTreeMap<&str, usize> {
        let label = |(n, name)| Some((self.catalogue.entitlements.get(name)?.label.as_str(), n));
        self.numbered.iter().enumerate().filter_map(label).collect()
    }

    /// Which declared groups those with these ids are, given the ids by label.
    fn declared_groups(&self, ids: &BTreeMap<String, String>) -> BTreeMap<String, EntitlementName> {
        let name = |(label, number): (&str, usize)| {
            Some((ids.get(label)?.clone(), self.numbered.get(number)?.clone()))
        };
        self.labels().into_iter().filter_map(name).collect()
    }

    /// Whether only a person can look at it.
    fn by_person(&self) -> bool {
        self.connector.capability().by_person.is_some()
    }

    /// Where the news begin, unless everything has to be shown.
    fn since(&self, full: bool) -> Option<(&Reading, &Since)> {
        let before = self.before.as_ref().map(|stored| &stored.value).filter(|_| !full)?;
        let since = before.since.as_ref().filter(|_| before.basis == self.basis)?;
        let listed = before.listed?;
        (self.began.duration_since(listed) < LISTED_ANEW).then_some((before, since))
    }
}

impl Engine {
    /// Compares the system with what is known of it and files an event for each difference; `full`: everything
    /// is listed, though there be news. A second run right after finds nothing.
    ///
    /// # Errors
    /// [`crate::EngineError::Busy`] while another run is under way.
    pub async fn reconcile(&self, system: &SystemName, full: bool) -> Result<Reconciled> {
        self.reconcile_as(system, full, None).await
    }

    /// The same, and as much goes out as the comparison before held: `by` has looked at it.
    pub async fn release_differences(&self, system: &SystemName, by: Actor) -> Result<Reconciled> {
        self.reconcile_as(system, true, Some(by)).await
    }

    async fn reconcile_as(
        &self,
        system: &SystemName,
        full: bool,
        release: Option<Actor>,
    ) -> Result<Reconciled> {
        let alone = self.alone("reconcile", system).await?;
        let seen = self.progress.begin(system);
        let outcome = self.compare(system, (full, release), &alone, seen).await;
        self.progress.end(system);
        // Whoever could not write before cannot do it now; the hold runs out by itself.
        let freed = self.let_go(alone).await;
        let found = outcome?;
        freed?;
        Ok(found)
    }

    /// Reaches a system and tries the reader's and the writer's credential; changes nothing. Gives back what somebody should
    /// know of the system, a sentence each.
    pub async fn check_system(&self, system: &SystemName) -> Result<Vec<String>> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        drop(tx);
        let route = catalogue.route(system)?;
        // Each credential by itself: that one of them opens says nothing of the others.
        let reading = self.reading(&catalogue, route.integration);
        route.connector.check(&reading).await?;
        route.connector.check(&self.writing(&catalogue, route.integration)).await?;
        Ok(route.connector.remarks(&reading).await?)
    }

    async fn compare(
        &self,
        system: &SystemName,
        (full, release): (bool, Option<Actor>),
        alone: &Alone,
        seen: Arc<AtomicU64>,
    ) -> Result<Reconciled> {
        let began = self.now();
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let before = get::<Reading>(&mut *tx, self.tenant(), system.as_str()).await?;
        drop(tx);
        let route = catalogue.route(system)?;
        let numbered: Vec<EntitlementName> = catalogue
            .entitlements
            .values()
            .filter(|e| e.name.system() == *system && e.class == AccessClass::DirectGroups)
            .map(|e| e.name.clone())
            .collect();
        let declared = catalogue.systems.get(system);
        let mut comparing = Comparing {
            catalogue: &catalogue,
            system,
            declared,
            rules: declared.map(|system| system.reconcile.clone()).unwrap_or_default(),
            release,
            integration: route.integration,
            connector: route.connector,
            line: self.reading(&catalogue, route.integration),
            basis: basis(&catalogue, (route.integration, &self.parts.version), declared, &numbered),
            numbered,
            began,
            before,
            alone,
            seen,
            told: Explaining::default(),
        };
        let found = self.find(&comparing, full).await;
        let last = comparing.before.as_ref().map(|before| &before.value);
        let (mark, since) = (last.and_then(|last| last.audited.clone()), last.map_or(began, |last| last.at));
        comparing.told = self.explaining(&catalogue, system, mark, since).await;
        self.record_incidents().await?;
        let mut found = found?;
        // What was compared counts, also where the rest cannot be asked.
        found.report.remarks = route.connector.remarks(&comparing.line).await.unwrap_or_else(|error| {
            vec![format!(
                "what else is to be known of it cannot be asked: {} [{}]",
                error.message,
                error.code()
            )]
        });
        self.write_found(&comparing, found).await
    }

    async fn find(&self, comparing: &Comparing<'_>, full: bool) -> Result<Found> {
        if let Some((before, since)) = comparing.since(full)
            && let Some(found) = self.hear(comparing, before, since).await?
        {
            return Ok(found);
        }
        self.list(comparing).await
    }
}

/// Identifies what a reading rests on: the connector with its version and its settings, what of an account is compared,
/// which groups are looked for, and which accounts several use.
fn basis(
    catalogue: &Catalogue,
    (integration, version): (&Integration, &str),
    declared: Option<&System>,
    numbered: &[EntitlementName],
) -> Digest {
    let attributes: Vec<&String> = declared.map(|s| s.account.keys().collect()).unwrap_or_default();
    let groups: Vec<_> =
        numbered.iter().map(|name| (name, catalogue.entitlements.get(name).map(|e| &e.label))).collect();
    let rests_on = (probe::basis(integration), version, attributes, groups);
    match declared.map(|system| &system.reconcile.shared).filter(|shared| !shared.is_empty()) {
        Some(shared) => Digest::of_value(&(rests_on, shared)),
        None => Digest::of_value(&rests_on),
    }
}

/// All that is known of the accounts on a system.
pub(crate) fn accounts_on(system: &SystemName) -> Pages<Account> {
    Pages::of(
        Select::from(Table::Accounts).filter(Filter::Is("system", system.as_str().into())),
        CHUNK as u32,
    )
}
