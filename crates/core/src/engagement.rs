//! Engagements: the records by which sources know one person, and what follows from all of them together.
//!
//! A contractor who becomes an employee is one identity with two records. One of them leads: the attributes are its. Where
//! the person is in their life follows from all: they leave when the last engagement ends, and a positive word that one
//! ended counts more than that another is missing since before. Who has one record has no list of them.

use std::{cmp::Reverse, collections::BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::EventKind,
    identity::{Identity, Lifecycle, SourceKey},
    policy::Attributes,
    time::{Effective, Timestamp},
};

/// The rank of a source that declares none.
pub const RANK: u16 = 100;

/// One record of a person at a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Engagement {
    /// Its key at the source.
    pub key: SourceKey,
    /// What the source says of it.
    pub attributes: Attributes,
    /// Where it is in its life.
    #[serde(flatten)]
    pub lifecycle: Lifecycle,
    /// The rank of its source: of several in the same state the smallest leads.
    pub rank: u16,
    /// When it began, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    /// When the person was fired here, while this record's source has not said that they left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fired: Option<Timestamp>,
}

impl Engagement {
    /// The smaller leads: by state, then by rank, then the one that began last, then by key. One that is missing keeps its
    /// place: silence takes nothing from anybody.
    fn order(&self) -> (u8, u16, Reverse<Option<Timestamp>>, &SourceKey) {
        let state = match &self.lifecycle {
            Lifecycle::Active { .. } | Lifecycle::Leave { .. } | Lifecycle::Absent { .. } => 0,
            Lifecycle::GardenLeave { .. } => 1,
            Lifecycle::Pending { .. } => 2,
            Lifecycle::Left { .. } => 3,
            Lifecycle::Merged { .. } => 4,
        };
        (state, self.rank, Reverse(self.began), &self.key)
    }
}

/// The one that leads.
pub fn leading(all: &[Engagement]) -> Option<&Engagement> {
    all.iter().min_by(|a, b| a.order().cmp(&b.order()))
}

/// Where somebody with these engagements is in their life; `None` for nobody.
pub fn together(all: &[Engagement]) -> Option<Lifecycle> {
    let (mut active, mut leave, mut garden) = (Vec::new(), Vec::new(), Vec::new());
    let (mut pending, mut absent, mut left) = (Vec::new(), Vec::new(), Vec::new());
    for engagement in all {
        match &engagement.lifecycle {
            Lifecycle::Active { ends } => active.push(ends.clone()),
            Lifecycle::Leave { ends } => leave.push(ends.clone()),
            Lifecycle::GardenLeave { since, ends } => garden.push((since.clone(), ends.clone())),
            Lifecycle::Pending { starts, ends } => pending.push((starts.clone(), ends.clone())),
            Lifecycle::Absent { since, grace_until } => absent.push((*since, *grace_until)),
            Lifecycle::Left { at, kept_out } => left.push((at.clone(), *kept_out)),
            Lifecycle::Merged { .. } => {}
        }
    }
    // Who is at work by one record is at work; who is away by one is not kept out by another.
    let away = active.is_empty();
    active.extend(leave);
    if !active.is_empty() {
        let ends = without_gap(latest(active), &pending);
        return Some(if away { Lifecycle::Leave { ends } } else { Lifecycle::Active { ends } });
    }
    if let Some(since) = garden.iter().map(|(since, _)| since.clone()).max() {
        let ends = latest(garden.into_iter().map(|(_, ends)| ends).collect());
        return Some(Lifecycle::GardenLeave { since, ends });
    }
    let gone = left.into_iter().max();
    let missing = absent.into_iter().max();
    match (missing, gone, pending.iter().min().cloned()) {
        // Who was said to leave after another record went missing has left: silence is no word against it.
        (Some((since, _)), Some((at, kept_out)), _) if at.at >= since => {
            Some(Lifecycle::Left { at, kept_out })
        }
        (Some((since, grace_until)), _, _) => Some(Lifecycle::Absent { since, grace_until }),
        // Between two engagements they are gone, and come back by the gates there are.
        (None, Some((at, kept_out)), _) => Some(Lifecycle::Left { at, kept_out }),
        (None, None, Some((starts, ends))) => {
            Some(Lifecycle::Pending { starts, ends: without_gap(ends, &pending) })
        }
        (None, None, None) => None,
    }
}

/// The last of the ends; none when one has no end.
fn latest(ends: Vec<Option<Effective>>) -> Option<Effective> {
    let all: Option<Vec<Effective>> = ends.into_iter().collect();
    all.and_then(|all| all.into_iter().max())
}

/// The end, prolonged by whatever begins at that instant or before.
fn without_gap(end: Option<Effective>, pending: &[(Effective, Option<Effective>)]) -> Option<Effective> {
    let mut end = end?;
    let mut pending: Vec<_> = pending.iter().collect();
    pending.sort();
    for (starts, ends) in pending {
        if starts.at <= end.at {
            end = end.max(ends.clone()?);
        }
    }
    Some(end)
}

/// What happened to the person between two states.
pub fn change(before: &Identity, after: &Identity) -> EventKind {
    match (&before.lifecycle, &after.lifecycle) {
        (Lifecycle::Left { .. }, Lifecycle::Left { .. }) => changed(before, after),
        (_, Lifecycle::Left { .. }) => EventKind::Left,
        (Lifecycle::Left { .. } | Lifecycle::GardenLeave { .. }, Lifecycle::GardenLeave { .. }) => {
            changed(before, after)
        }
        // In their access whoever is kept out has left.
        (_, Lifecycle::GardenLeave { .. }) => EventKind::Left,
        (Lifecycle::Left { .. } | Lifecycle::GardenLeave { .. }, _) => EventKind::Joined,
        (Lifecycle::Absent { .. }, Lifecycle::Absent { .. }) => changed(before, after),
        (_, Lifecycle::Absent { .. }) => EventKind::Absent,
        (Lifecycle::Absent { .. }, _) => EventKind::Returned,
        (Lifecycle::Pending { .. }, Lifecycle::Active { .. } | Lifecycle::Leave { .. }) => EventKind::Joined,
        (
            Lifecycle::Pending { .. }
            | Lifecycle::Active { .. }
            | Lifecycle::Leave { .. }
            | Lifecycle::Merged { .. },
            Lifecycle::Pending { .. }
            | Lifecycle::Active { .. }
            | Lifecycle::Leave { .. }
            | Lifecycle::Merged { .. },
        ) => changed(before, after),
    }
}

fn changed(before: &Identity, after: &Identity) -> EventKind {
    let (had, has) = (&before.attributes, &after.attributes);
    let names: BTreeSet<&String> = had.keys().chain(has.keys()).collect();
    let mut attributes: Vec<String> =
        names.into_iter().filter(|name| had.get(*name) != has.get(*name)).cloned().collect();
    if before.lifecycle != after.lifecycle {
        attributes.push("lifecycle".into());
    }
    if before.cancelled != after.cancelled && !attributes.iter().any(|name| name == "lifecycle") {
        attributes.push("lifecycle".into());
    }
    if before.engagements != after.engagements {
        attributes.push("engagements".into());
    }
    EventKind::Changed { attributes }
}

impl Identity {
    /// What a source says by this key: attributes and state.
    pub fn by_key(&self, key: &SourceKey) -> Option<(&Attributes, &Lifecycle)> {
        match self.engagements.iter().find(|engagement| engagement.key == *key) {
            Some(engagement) => Some((&engagement.attributes, &engagement.lifecycle)),
            None if self.engagements.is_empty() && self.source_key == *key => {
                Some((&self.attributes, &self.lifecycle))
            }
            None => None,
        }
    }

    /// All keys by which sources know them; the first is the identity's own.
    pub fn source_keys(&self) -> Vec<&SourceKey> {
        let others = self.engagements.iter().map(|engagement| &engagement.key);
        std::iter::once(&self.source_key).chain(others.filter(|key| **key != self.source_key)).collect()
    }

    /// The key of the record that leads.
    pub fn leading_key(&self) -> &SourceKey {
        leading(&self.engagements).map_or(&self.source_key, |engagement| &engagement.key)
    }

    /// Whether the record that leads is missing for longer than its grace, and gives something: a person has to decide.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let leads = leading(&self.engagements).map_or(&self.lifecycle, |engagement| &engagement.lifecycle);
        let missing = matches!(leads, Lifecycle::Absent { grace_until, .. } if *grace_until <= now);
        missing && self.lifecycle.may_hold()
    }

    /// All their records; the only one of somebody who has one, whose source has this rank.
    pub fn records(&self, rank: u16) -> Vec<Engagement> {
        match self.engagements.is_empty() {
            false => self.engagements.clone(),
            true => vec![Engagement {
                key: self.source_key.clone(),
                attributes: self.attributes.clone(),
                lifecycle: self.lifecycle.clone(),
                rank,
                began: None,
                fired: None,
            }],
        }
    }

    /// The same with these records, by key ascending, and what follows from them at that instant.
    #[must_use]
    pub fn of_records(mut self, mut records: Vec<Engagement>, now: Timestamp) -> Self {
        for record in &mut records {
            record.lifecycle = record.lifecycle.clone().at(now);
        }
        records.sort_by(|a, b| a.key.cmp(&b.key));
        if let Some(leads) = leading(&records) {
            self.attributes = leads.attributes.clone();
        }
        if let Some(lifecycle) = together(&records) {
            self.lifecycle = lifecycle;
        }
        self.engagements = records;
        // Who has only the record that they were first known by has no list.
        if let [only] = self.engagements.as_slice()
            && only.key == self.source_key
            && only.fired.is_none()
        {
            self.engagements = Vec::new();
        }
        self
    }

    /// The same with one record more, or another in the place of the one with its key.
    #[must_use]
    pub fn with_record(self, record: Engagement, rank: u16, now: Timestamp) -> Self {
        let mut records = self.records(rank);
        records.retain(|other| other.key != record.key);
        records.push(record);
        self.of_records(records, now)
    }

    /// What becomes of them at `now` by the passing of time alone.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        match self.engagements.is_empty() {
            true => Self { lifecycle: self.lifecycle.clone().at(now), ..self },
            false => {
                let records = self.engagements.clone();
                self.of_records(records, now)
            }
        }
    }

    /// The next instant after `now` at which something about them changes by itself.
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        match self.engagements.is_empty() {
            true => self.lifecycle.due(),
            false => {
                let dues = self.engagements.iter().filter_map(|engagement| engagement.lifecycle.due());
                dues.filter(|due| *due > now).min()
            }
        }
    }
}

#[cfg(test)]
mod tests;
