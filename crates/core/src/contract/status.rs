//! Where a source says that somebody is employed and not at work (PRODUCT F36): away for a time, or kept out until the end.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Known;
use crate::{
    identity::Lifecycle,
    policy::Attributes,
    time::{Effective, Timestamp},
};

/// Which values of an attribute say that somebody who is employed is at work, away, or kept out. A value that is in no list
/// holds the delivery: what nobody has listed could mean that somebody is to be kept out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusRule {
    /// The attribute of the record that says it, a text.
    pub attribute: String,
    /// Its values of those who are at work. Who has no value is.
    pub at_work: BTreeSet<String>,
    /// Its values of those who are away for a time, as on parental leave.
    #[serde(default)]
    pub leave: BTreeSet<String>,
    /// Its values of those who are kept out until they leave.
    #[serde(default)]
    pub garden_leave: BTreeSet<String>,
}

/// What somebody who is employed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    AtWork,
    Leave,
    GardenLeave,
}

impl StatusRule {
    /// What these attributes say, whatever their case; or the value that is in no list.
    pub(super) fn of(&self, attributes: &Attributes) -> Result<Status, String> {
        let Some(value) = attributes.get(&self.attribute).map(ToString::to_string) else {
            return Ok(Status::AtWork);
        };
        let lists = [
            (&self.garden_leave, Status::GardenLeave),
            (&self.leave, Status::Leave),
            (&self.at_work, Status::AtWork),
        ];
        let same = |listed: &String| listed.trim().to_lowercase() == value.trim().to_lowercase();
        let found = lists.into_iter().find(|(list, _)| list.iter().any(same));
        found.map(|(_, status)| status).ok_or(value)
    }

    /// A value that stands in two lists.
    pub fn ambiguous(&self) -> Option<&str> {
        let all = || self.at_work.iter().chain(&self.leave).chain(&self.garden_leave);
        let same = |one: &str, other: &str| one.trim().to_lowercase() == other.trim().to_lowercase();
        let twice = |value: &&String| all().filter(|other| same(value, other)).count() > 1;
        all().find(twice).map(String::as_str)
    }
}

impl Status {
    /// The state of somebody of whom that is said at `now`, with the end that is known. Since when they are kept out stays.
    pub(super) fn until(self, ends: Option<Effective>, known: Option<&Known>, now: Timestamp) -> Lifecycle {
        match self {
            Self::AtWork => Lifecycle::Active { ends },
            Self::Leave => Lifecycle::Leave { ends },
            Self::GardenLeave => {
                let before = known.map(|known| &known.lifecycle);
                if let Some(Lifecycle::GardenLeave { since, .. }) = before {
                    return Lifecycle::GardenLeave { since: since.clone(), ends };
                }
                Lifecycle::GardenLeave { since: Effective::at(now), ends }
            }
        }
    }
}
