//! Source contracts, and intake: what a delivery of a source says happened.
//!
//! A source promises a schema, a key, and limits on change. [`intake`] takes a whole delivery and gives
//! either the events in it, or the reasons for which all of it is held. Nothing partial comes out: one
//! broken promise holds the batch. Absence is never termination; only a positive word or a date is.

mod breach;
mod read;
mod status;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::read::{Said, read};
pub use self::{
    breach::{Breach, Breaches},
    status::StatusRule,
};
use crate::{
    digest::Digest,
    engagement::RANK,
    event::EventKind,
    guard,
    id::SourceName,
    identity::{Lifecycle, SourceKey},
    policy::{AttributeType, AttributeValue, Attributes},
    stay::Cancelled,
    time::{Date, Effective, SignedDuration, Timestamp},
};

/// What an empty value in a delivery means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NullPolicy {
    /// The known value stays.
    Ignore,
    /// The value is removed.
    #[default]
    Clear,
    /// The delivery is held.
    Reject,
}

/// What a source says about one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttributeRule {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: AttributeType,
    /// Whether every record has it.
    #[serde(default)]
    pub required: bool,
    /// What an empty value means.
    #[serde(default)]
    pub null: NullPolicy,
    /// Whether no two records have the same value, whatever its case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
}

/// What a source promises about each delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceContract {
    /// The attributes the source is authoritative for.
    pub attributes: BTreeMap<String, AttributeRule>,
    /// The least number of records of a complete delivery.
    #[serde(default = "one")]
    pub min_rows: u64,
    /// At most this share of the known, active records may be missing or leave, in percent.
    #[serde(default = "ten")]
    pub max_loss_percent: u8,
    /// At most this share of the known records may change, in percent.
    #[serde(default = "thirty")]
    pub max_change_percent: u8,
    /// How many may always change or leave, whatever the share; so that small companies can work.
    #[serde(default = "five")]
    pub always_allowed: u64,
    /// The limits on loss and change hold for those alone who have the same value of one of these, too.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub cohorts: BTreeSet<String>,
    /// A delivery comes at least every so many hours, and one that was accepted longer ago than that is not delivered again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_hours: Option<u32>,
    /// The hub reads the source by itself, so many minutes after it read it last. Without it the source is read when somebody
    /// asks for that; one that delivers is not read at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_every_minutes: Option<u32>,
    /// Its owner is told when it has said nothing new for longer than so many hours: what answers and does not change may
    /// have stopped being kept up to date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_quiet_hours: Option<u32>,
    /// How long a missing record keeps its access before a person must have decided, in days.
    #[serde(default = "fourteen")]
    pub grace_days: u16,
    /// The zone of dates whose record names none.
    #[serde(default = "utc")]
    pub zone: String,
    /// Of somebody with several records, the one whose source has the smallest rank leads, if they are in the same state.
    #[serde(default = "rank", skip_serializing_if = "is_rank")]
    pub rank: u16,
    /// Where a record says by which key the same person was known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_key: Option<PreviousKey>,
    /// Where a record says that somebody is employed and away, or kept out until the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Box<StatusRule>>,
}

/// Where a record says by which key the same person was known before. A source that says so is believed: its records then
/// belong to the person who is known by that key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviousKey {
    /// The attribute of the record that carries the key.
    pub attribute: String,
    /// The source whose key it is.
    pub source: SourceName,
}

impl SourceContract {
    /// The attributes of which no two records have the same value.
    pub fn unique(&self) -> impl Iterator<Item = &String> {
        self.attributes.iter().filter(|(_, rule)| rule.unique).map(|(name, _)| name)
    }

    /// The key by which the person of this record was known before, if it says one.
    pub fn previous_of(&self, record: &SourceRecord) -> Option<SourceKey> {
        let previous = self.previous_key.as_ref()?;
        let key = record.values.get(&previous.attribute)?.as_ref()?.to_string();
        let key = key.trim();
        (!key.is_empty()).then(|| SourceKey { source: previous.source.clone(), key: key.to_owned() })
    }
}

const fn one() -> u64 {
    1
}
const fn five() -> u64 {
    5
}
const fn ten() -> u8 {
    10
}
const fn thirty() -> u8 {
    30
}
const fn fourteen() -> u16 {
    14
}
const fn rank() -> u16 {
    RANK
}
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_rank(rank: &u16) -> bool {
    *rank == RANK
}
fn utc() -> String {
    "UTC".into()
}

/// One record as a source delivers it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceRecord {
    /// The immutable key.
    pub key: String,
    /// The values; `None` is an empty value, as opposed to one that was not delivered.
    pub values: BTreeMap<String, Option<AttributeValue>>,
    /// The first day.
    pub starts: Option<Date>,
    /// The last day.
    pub ends: Option<Date>,
    /// The zone of the days.
    pub zone: Option<String>,
    /// What stands where a day should be and is none.
    pub no_days: Vec<String>,
    /// The source says positively that the person has left.
    pub terminated: bool,
    /// Where it stands in the delivery, for messages: the line.
    pub line: u64,
    /// Its digest together with its contract, where it came in a delivery: the same one says nothing new.
    pub digest: Option<Digest>,
}

impl SourceRecord {
    fn bad_day(&self, problem: String) -> Breach {
        Breach::BadDay { line: self.line, key: self.key.clone(), problem }
    }
}

/// A delivery, as far as it has to be read.
#[derive(Debug, Default)]
pub struct Sifted<'d> {
    /// The records that may say something new of somebody who is known.
    pub records: &'d [SourceRecord],
    /// How many others it has that say nothing new: what was taken of somebody who is as they were taken, or that somebody
    /// whom nobody knows has left.
    pub as_before: u64,
    /// How many of the people whom these are about are known, and are or will be there.
    pub here: u64,
    /// How many others it has of people whom nobody knows and who come; [`newcomer`] reads them.
    pub newcomers: u64,
    /// What is wrong with its form beyond `records`: of newcomers, and of what is one person's alone.
    pub faults: Vec<Breach>,
}

impl<'d> Sifted<'d> {
    /// A delivery all of which is read.
    pub fn whole(records: &'d [SourceRecord], contract: &SourceContract) -> Self {
        let mut faults = Breaches::default();
        for name in contract.unique() {
            let values =
                records.iter().filter_map(|r| Some((r.line, r.values.get(name)?.as_ref()?.to_string())));
            faults.extend(guard::duplicates(name, values));
        }
        Self { records, faults: faults.told(), ..Self::default() }
    }
}

/// What is known of a record from before.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The attributes.
    pub attributes: Attributes,
    /// Where the identity is in its life.
    pub lifecycle: Lifecycle,
    /// When they were fired here, while the source has not said that they left.
    pub fired: Option<Timestamp>,
    /// The end that this record said and that two people took back.
    pub cancelled: Option<Cancelled>,
}

/// What a source says of those who were fired and of whom it had not said that they left, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfFired {
    /// It says that they left.
    pub gone: BTreeSet<String>,
    /// It says that they are here, which counts for nothing.
    pub here: BTreeSet<String>,
    /// It says that they begin on a day after they were fired.
    pub anew: BTreeSet<String>,
}

/// What a delivery says about one identity, to be turned into an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// The source's key.
    pub key: String,
    /// What happened.
    pub kind: EventKind,
    /// The attributes from now on.
    pub attributes: Attributes,
    /// The lifecycle from now on.
    pub lifecycle: Lifecycle,
    /// When it takes effect.
    pub effective: Effective,
    /// The end that the record says and that two people took back.
    pub cancelled: Option<Cancelled>,
    /// The digest of the record, where nothing else says what becomes of the identity.
    pub digest: Option<Digest>,
}

/// What a delivery says, read against its contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Intake {
    /// What is new of those whom its records are about, in the order of keys; nothing when the form of the delivery is broken.
    pub arrivals: Vec<Arrival>,
    /// How many records said nothing new.
    pub unchanged: u64,
    /// What it says of those who were fired.
    pub fired: OfFired,
    /// Every reason to hold it; none when it may be accepted.
    pub breaches: Vec<Breach>,
}

impl Intake {
    /// What flows although the delivery is held: positive leavers, by their own lane.
    #[must_use]
    pub fn held(self) -> Self {
        let arrivals = self.arrivals.into_iter().filter(|a| a.kind == EventKind::Left).collect();
        let fired = OfFired { gone: self.fired.gone, ..OfFired::default() };
        Self { arrivals, unchanged: 0, fired, breaches: self.breaches }
    }
}

/// Reads a complete delivery against its contract and what is known of those whom its records are about, and of those whom
/// none is about. Breaches of form (keys, types,
/// empty values, days) void even the positive leavers of the batch, because the records themselves
/// cannot be trusted; breaches of quantity do not.
///
/// `kept` are the attributes that others write: a delivery says nothing about them, so they stay.
pub fn intake(
    delivery: Sifted<'_>,
    contract: &SourceContract,
    known: &BTreeMap<String, Known>,
    kept: &BTreeSet<String>,
    now: Timestamp,
) -> Intake {
    let Sifted { records, as_before, here, newcomers, faults } = delivery;
    let mut broken = Breaches::default();
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    let mut arrivals = Vec::new();
    let mut unchanged = as_before;
    let mut fired = OfFired::default();
    for record in records {
        if record.key.is_empty() {
            broken.add(Breach::NoKey { line: record.line });
            continue;
        }
        if let Some(first) = seen.insert(&record.key, record.line) {
            broken.add(Breach::DuplicateKey { key: record.key.clone(), first, second: record.line });
            continue;
        }
        match read(record, contract, known.get(&record.key), kept, now) {
            Ok(Said::New(arrival)) => arrivals.push(arrival),
            Ok(Said::Nothing) => unchanged += 1,
            Ok(Said::GoneToo(held)) => {
                unchanged += u64::from(held.is_none());
                arrivals.extend(held);
                fired.gone.insert(record.key.clone());
            }
            Ok(Said::HereStill(held)) => {
                unchanged += u64::from(held.is_none());
                arrivals.extend(held);
                fired.here.insert(record.key.clone());
            }
            Ok(Said::Anew(arrival)) => {
                arrivals.push(arrival);
                fired.anew.insert(record.key.clone());
            }
            Err(found) => broken.extend(found),
        }
    }
    broken.extend(faults);
    let mut breaches = broken.told();
    if !breaches.is_empty() {
        return Intake { arrivals: Vec::new(), unchanged: 0, fired: OfFired::default(), breaches };
    }
    // Who is or will be there: whoever can be lost.
    let active: BTreeSet<&str> =
        known.iter().filter(|(_, k)| k.lifecycle.gone().is_none()).map(|(key, _)| key.as_str()).collect();
    let newly_absent: Vec<(&String, &Known)> = known
        .iter()
        .filter(|(key, k)| {
            !seen.contains_key(key.as_str())
                && matches!(
                    k.lifecycle,
                    Lifecycle::Active { .. } | Lifecycle::Leave { .. } | Lifecycle::Pending { .. }
                )
        })
        .collect();
    let leaving = arrivals.iter().filter(|a| a.kind == EventKind::Left).map(|a| a.key.as_str());
    let lost: BTreeSet<&str> = newly_absent
        .iter()
        .map(|(key, _)| key.as_str())
        .chain(leaving.filter(|key| active.contains(key)))
        .collect();
    let changing = arrivals.iter().filter(|a| matches!(a.kind, EventKind::Changed { .. }));
    let changed: BTreeSet<&str> = changing.map(|a| a.key.as_str()).collect();
    let (of, rows) = (active.len() as u64 + here, records.len() as u64 + as_before + newcomers);
    limits(rows, lost.len() as u64, changed.len() as u64, of, contract, &mut breaches);
    let grace = SignedDuration::from_hours(24 * i64::from(contract.grace_days));
    arrivals.extend(newly_absent.into_iter().map(|(key, k)| Arrival {
        key: key.clone(),
        kind: EventKind::Absent,
        attributes: k.attributes.clone(),
        lifecycle: Lifecycle::Absent { since: now, grace_until: now.saturating_add(grace).unwrap_or(now) },
        effective: Effective::at(now),
        cancelled: k.cancelled.clone(),
        digest: None,
    }));
    arrivals.sort_by(|a, b| a.key.cmp(&b.key));
    Intake { arrivals, unchanged, fired, breaches }
}

/// What the record of somebody says whom nobody knows: that they come, or nothing where they were gone before that.
///
/// # Errors
/// What is wrong with its form.
pub fn newcomer(
    record: &SourceRecord,
    contract: &SourceContract,
    now: Timestamp,
) -> Result<Option<Arrival>, Vec<Breach>> {
    match read(record, contract, None, &BTreeSet::new(), now)? {
        Said::New(arrival) | Said::Anew(arrival) => Ok(Some(arrival)),
        Said::Nothing | Said::GoneToo(_) | Said::HereStill(_) => Ok(None),
    }
}

fn limits(
    rows: u64,
    lost: u64,
    changed: u64,
    known: u64,
    contract: &SourceContract,
    breaches: &mut Vec<Breach>,
) {
    let share = |percent: u8| (known * u64::from(percent) / 100).max(contract.always_allowed);
    if rows < contract.min_rows {
        breaches.push(Breach::TooFewRows { rows, least: contract.min_rows });
    }
    let allowed = share(contract.max_loss_percent);
    if lost > allowed {
        breaches.push(Breach::TooMuchLoss { lost, known, allowed });
    }
    let allowed = share(contract.max_change_percent);
    if known > 0 && changed > allowed {
        breaches.push(Breach::TooMuchChange { changed, known, allowed });
    }
}
