//! The feed guard: what a delivery would do that nobody may want, and who lets a delivery go that is held.
//!
//! [`crate::contract::intake`] counts people. Here they are counted by cohort, and it is looked at what they would hold: a
//! small delivery can cost a whole department its access, or give five people power over others. What is wrong with the
//! form of a delivery is corrected at the source; what is only too much of something two people may release, for exactly
//! the delivery and the reasons that they saw.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    contract::{Arrival, Breach, Known, SourceContract},
    digest::Digest,
    event::EventKind,
    id::{BatchId, EntitlementName, OperatorId},
    identity::Lifecycle,
    person::Conflict,
    policy::Attributes,
    time::{SignedDuration, Timestamp},
};

/// How many people are named of those whom a held delivery is about.
const NAMED: usize = 20;
/// How long a wish to release waits for a second person, hours.
pub const RELEASE_HOURS: i64 = 8;

/// Those who have the same value of an attribute: the attribute, and the value.
pub type Cohort = (String, String);

/// How many of each cohort are lost and how many change, where either is more than what is always allowed.
pub fn hit(
    contract: &SourceContract,
    known: &BTreeMap<String, Known>,
    arrivals: &[Arrival],
) -> BTreeMap<Cohort, (u64, u64)> {
    let mut hit: BTreeMap<Cohort, (u64, u64)> = BTreeMap::new();
    for arrival in arrivals {
        let lost = matches!(arrival.kind, EventKind::Left | EventKind::Absent);
        let changed = matches!(arrival.kind, EventKind::Changed { .. });
        let of = known.get(&arrival.key).filter(|_| lost || changed);
        for cohort in of.into_iter().flat_map(|of| cohorts_of(contract, of)) {
            let counts = hit.entry(cohort).or_default();
            *counts = (counts.0 + u64::from(lost), counts.1 + u64::from(changed));
        }
    }
    hit.retain(|_, (lost, changed)| (*lost).max(*changed) > contract.always_allowed);
    hit
}

/// The cohorts that somebody counts for: none who has left.
pub fn cohorts_of<'k>(contract: &'k SourceContract, known: &'k Known) -> impl Iterator<Item = Cohort> + 'k {
    let here = known.lifecycle.gone().is_none();
    let value = |attribute: &String| Some((attribute.clone(), known.attributes.get(attribute)?.to_string()));
    contract.cohorts.iter().filter(move |_| here).filter_map(value)
}

/// The breaches of the limits for each cohort that was [`hit`], by how many of it are known.
pub fn cohorts(
    contract: &SourceContract,
    hit: BTreeMap<Cohort, (u64, u64)>,
    known: &BTreeMap<Cohort, u64>,
) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (cohort, (lost, changed)) in hit {
        let known = known.get(&cohort).copied().unwrap_or_default();
        let share = |percent: u8| (known * u64::from(percent) / 100).max(contract.always_allowed);
        let (attribute, value) = cohort;
        let allowed = share(contract.max_loss_percent);
        if lost > allowed {
            let (attribute, value) = (attribute.clone(), value.clone());
            breaches.push(Breach::CohortLoss { attribute, value, lost, known, allowed });
        }
        let allowed = share(contract.max_change_percent);
        if changed > allowed {
            breaches.push(Breach::CohortChange { attribute, value, changed, known, allowed });
        }
    }
    breaches
}

/// Two records that share a value which is one person's alone, whatever its case. Of each value 24 bytes are kept.
pub fn duplicates(attribute: &str, values: impl IntoIterator<Item = (u64, String)>) -> Vec<Breach> {
    let mut all: Vec<([u8; 16], u64)> = values
        .into_iter()
        .map(|(line, value)| (Digest::of(value.to_lowercase().as_bytes()).half(), line))
        .collect();
    all.sort_unstable();
    let same = all.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    let mut lines: Vec<(u64, u64)> = same.map(|pair| (pair[1].1, pair[0].1)).collect();
    lines.sort_unstable();
    lines
        .into_iter()
        .map(|(second, first)| Breach::DuplicateValue { attribute: attribute.to_owned(), first, second })
        .collect()
}

/// What somebody is to hold, by attributes.
pub type Holds<'h> = &'h mut dyn FnMut(&Attributes) -> BTreeSet<EntitlementName>;

/// The breaches of those whose attributes change so that they would hold something that is `privileged` and that they did
/// not hold before, whether or not their record was missing for a while, or they had left. Who is new is no part of it: what
/// they get is decided when they come.
pub fn privileged(
    arrivals: &[Arrival],
    known: &BTreeMap<String, Known>,
    is_privileged: &dyn Fn(&EntitlementName) -> bool,
    holds: Holds<'_>,
) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for arrival in arrivals {
        let Some(before) = known.get(&arrival.key).filter(|_| arrival.kind != EventKind::Left) else {
            continue;
        };
        let gets = holds(&arrival.attributes);
        let (had, attributes) = if let EventKind::Changed { attributes } = &arrival.kind {
            (held(&before.attributes, &before.lifecycle, holds), attributes.clone())
        } else {
            // Who comes back as they were gets what they had.
            (holds(&before.attributes), differing(&before.attributes, &arrival.attributes))
        };
        for entitlement in gets.difference(&had).filter(|name| is_privileged(name)) {
            let (key, attributes) = (arrival.key.clone(), attributes.clone());
            breaches.push(Breach::PrivilegedChange { key, attributes, entitlement: entitlement.clone() });
        }
    }
    breaches
}

/// The names of the attributes that are not the same.
pub(crate) fn differing(one: &Attributes, other: &Attributes) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

fn held(attributes: &Attributes, lifecycle: &Lifecycle, holds: Holds<'_>) -> BTreeSet<EntitlementName> {
    if lifecycle.may_hold() { holds(attributes) } else { BTreeSet::new() }
}

/// What a held delivery would have done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Would {
    /// Events by kind.
    pub events: BTreeMap<String, u64>,
    /// How many people would get each entitlement.
    pub gets: BTreeMap<EntitlementName, u64>,
    /// How many people would lose each entitlement.
    pub loses: BTreeMap<EntitlementName, u64>,
    /// The first of the people, by key, with what would have happened.
    pub people: Vec<(String, String)>,
}

impl Would {
    /// Counts what an arrival would do, of somebody who is known so or not at all.
    pub fn count(&mut self, arrival: &Arrival, known: Option<&Known>, holds: Holds<'_>) {
        let kind = arrival.kind.name();
        *self.events.entry(kind.to_owned()).or_default() += 1;
        if self.people.len() < NAMED {
            self.people.push((arrival.key.clone(), kind.to_owned()));
        }
        let had = known.map(|k| held(&k.attributes, &k.lifecycle, holds)).unwrap_or_default();
        let gets = held(&arrival.attributes, &arrival.lifecycle, holds);
        for name in gets.difference(&had) {
            *self.gets.entry(name.clone()).or_default() += 1;
        }
        for name in had.difference(&gets) {
            *self.loses.entry(name.clone()).or_default() += 1;
        }
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FeedFate")]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Fate {
    /// All of it was accepted.
    Accepted,
    /// Nothing of it was used but positive leavers.
    Held,
    /// One person wants it released, and waits for a second one.
    ReleaseAsked {
        /// Who.
        by: OperatorId,
        /// Until when.
        until: Timestamp,
    },
    /// Two people let it go.
    Released {
        /// Who asked.
        first: OperatorId,
        /// Who said so too.
        second: OperatorId,
        /// When.
        at: Timestamp,
    },
    /// A later delivery was accepted.
    Corrected {
        /// Which.
        by: BatchId,
    },
}

impl Fate {
    /// The name, kebab-case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Held | Self::ReleaseAsked { .. } => "held",
            Self::Released { .. } => "released",
            Self::Corrected { .. } => "corrected",
        }
    }
}

/// Why a held delivery is not released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseRefusal {
    /// It is not held.
    #[error("the delivery is {0} and not held")]
    NotHeld(&'static str),
    /// Its records cannot be trusted.
    #[error("what is wrong with the records of a delivery is mended at the source: {0}")]
    Form(String),
    /// Somebody saw another one.
    #[error("the delivery is not what was seen; look at it again")]
    NotSeen,
    /// The feed holds something else by now.
    #[error("the feed holds another delivery by now; that one counts")]
    Replaced,
    /// One person alone.
    #[error("a held delivery is released by two people, and you asked for it or act for who did")]
    SamePerson,
    /// Who would get power by it.
    #[error("who would get power over others by a delivery cannot release it, nor who acts for them")]
    Beneficiary,
    /// It is not known which person they are.
    #[error(
        "only a person who is known and here can release a delivery; who an operator is, is said with \
         `bailiwick operator add NAME --person SOURCE/KEY`"
    )]
    Unknown,
}

impl ReleaseRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotHeld(_) => "feed-not-held",
            Self::Form(_) => "feed-release-form",
            Self::NotSeen => "feed-not-seen",
            Self::Replaced => "feed-replaced",
            Self::SamePerson => "feed-release-same-person",
            Self::Beneficiary => "feed-release-beneficiary",
            Self::Unknown => "releaser-unknown",
        }
    }
}

/// Somebody wants a held delivery released. `seen` is the digest of what they saw, `shown` that of what there is; `person`
/// is who they are, and `conflicts` says who may not: who asked, and who would get power by it.
pub fn release(
    fate: &Fate,
    breaches: &[Breach],
    (seen, shown): (Digest, Digest),
    (by, person): (OperatorId, Option<&str>),
    conflicts: &BTreeMap<String, Conflict>,
    now: Timestamp,
) -> Result<Fate, ReleaseRefusal> {
    let asked = match fate {
        Fate::Held => None,
        Fate::ReleaseAsked { by, until } => (*until > now).then_some(*by),
        Fate::Accepted | Fate::Released { .. } | Fate::Corrected { .. } => {
            return Err(ReleaseRefusal::NotHeld(fate.name()));
        }
    };
    if let Some(form) = breaches.iter().find(|breach| breach.is_of_form()) {
        return Err(ReleaseRefusal::Form(form.to_string()));
    }
    if seen != shown {
        return Err(ReleaseRefusal::NotSeen);
    }
    let Some(person) = person else { return Err(ReleaseRefusal::Unknown) };
    match conflicts.get(person) {
        Some(Conflict::Requester | Conflict::OtherGate) => return Err(ReleaseRefusal::SamePerson),
        Some(Conflict::Beneficiary | Conflict::Owner | Conflict::Delegate) => {
            return Err(ReleaseRefusal::Beneficiary);
        }
        None if asked == Some(by) => return Err(ReleaseRefusal::SamePerson),
        None => {}
    }
    Ok(match asked {
        Some(first) => Fate::Released { first, second: by, at: now },
        None => {
            let until = now.saturating_add(SignedDuration::from_hours(RELEASE_HOURS)).unwrap_or(now);
            Fate::ReleaseAsked { by, until }
        }
    })
}
