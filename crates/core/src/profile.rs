//! Profiles: how a system really behaves, learned on a canary and not taken from what it declares.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::AccessClass,
    digest::Digest,
    id::{IntegrationName, SystemName},
    time::Timestamp,
};

/// What a probe of one system found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// The system.
    pub system: SystemName,
    /// The integration that it was probed through.
    pub integration: IntegrationName,
    /// Digest of the connector, endpoint and settings it was probed with; with others it says nothing.
    pub basis: Digest,
    /// When.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// The marker of a canary that is still there; the next probe removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<String>,
    /// The connector's ways of disabling, in its order, and what each did.
    pub ways: Vec<Way>,
    /// The forms in which changes were tried, in the connector's order, until one did all; empty where the
    /// connector has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forms: Vec<Form>,
    /// Attribute → whether a change of it was there when it was read back, in the form that is used.
    pub honours: BTreeMap<String, bool>,
    /// The classes of which the canary still held something when it was disabled.
    pub keeps: BTreeSet<AccessClass>,
    /// What deleting an account does.
    pub deletes: Deletion,
}

/// A form in which a change is written, and what the system made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ProfileForm")]
pub struct Form {
    /// What the connector calls it.
    pub name: String,
    /// Attribute → whether a change of it was there when it was read back.
    pub honours: BTreeMap<String, bool>,
    /// Whether an account that was disabled in this form read as blocked.
    pub disables: bool,
    /// Whether an account that was enabled in this form read as usable again.
    pub enables: bool,
}

impl Form {
    /// Whether all that was tried in this form was done.
    pub fn does_all(&self) -> bool {
        self.disables && self.enables && self.honours.values().all(|honoured| *honoured)
    }

    /// How much of what was tried was done.
    fn does(&self) -> usize {
        let flags = usize::from(self.disables) + usize::from(self.enables);
        flags + self.honours.values().filter(|honoured| **honoured).count()
    }
}

/// A way of disabling an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ProfileWay")]
pub struct Way {
    /// What the connector calls it.
    pub name: String,
    /// What it did.
    pub effect: WayEffect,
    /// The classes of credential that were let in before and turned away after.
    pub turned_away: BTreeSet<AccessClass>,
}

/// What a way of disabling did to the canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "effect")]
pub enum WayEffect {
    /// It reads as blocked, and no credential that was tried got in.
    Blocks,
    /// It reads as blocked, and a credential got in all the same.
    LetsIn {
        /// Which.
        classes: BTreeSet<AccessClass>,
    },
    /// It was accepted, and the account reads as before.
    Nothing,
    /// It was refused.
    Refused {
        /// The code.
        code: String,
    },
}

/// What deleting an account does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "deletes")]
pub enum Deletion {
    /// It is gone.
    Gone,
    /// It is kept, and reads as blocked.
    Blocked,
    /// It was accepted, and the account reads as before.
    Nothing,
    /// It was refused.
    Refused {
        /// The code.
        code: String,
    },
}

impl Profile {
    /// The first way that blocks. `None` when none does.
    pub fn first_way(&self) -> Option<u8> {
        let at = self.ways.iter().position(|way| way.effect == WayEffect::Blocks)?;
        u8::try_from(at).ok()
    }

    /// The form that does most, of equals the first.
    pub fn best_form(&self) -> Option<&Form> {
        best(&self.forms)
    }

    /// The names of the forms that do anything, best first.
    pub fn adopted(&self) -> Vec<String> {
        adopted(&self.forms)
    }

    /// Whether it was learned with this configuration.
    pub fn is_of(&self, basis: Digest) -> bool {
        self.basis == basis
    }
}

/// The form that does most, of equals the first; none if none does anything.
pub fn best(forms: &[Form]) -> Option<&Form> {
    let most = forms.iter().map(Form::does).max().filter(|most| *most > 0)?;
    forms.iter().find(|form| form.does() == most)
}

/// The names of the forms that do anything, best first.
pub fn adopted(forms: &[Form]) -> Vec<String> {
    let mut working: Vec<&Form> = forms.iter().filter(|form| form.does() > 0).collect();
    working.sort_by_key(|form| std::cmp::Reverse(form.does()));
    working.into_iter().map(|form| form.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_that_does_most_comes_first_and_one_that_does_nothing_not_at_all() {
        let form = |name: &str, title, mail, disables, enables| Form {
            name: name.into(),
            honours: [("title".to_owned(), title), ("mail".to_owned(), mail)].into(),
            disables,
            enables,
        };
        let (path, none, text, put) = (
            form("path", true, true, false, false),
            form("none", false, false, false, false),
            form("text", true, false, true, true),
            form("put", true, true, true, true),
        );
        for (forms, expect) in [
            (vec![], vec![]),
            (vec![&none], vec![]),
            (vec![&path, &none, &text], vec!["text", "path"]),
            (vec![&path, &text, &put], vec!["put", "text", "path"]),
            (vec![&put, &path, &put], vec!["put", "put", "path"]),
        ] {
            let forms: Vec<Form> = forms.into_iter().cloned().collect();
            assert_eq!(adopted(&forms), expect);
            assert_eq!(best(&forms).map(|form| &form.name[..]), expect.first().copied());
        }
        assert!(put.does_all() && !text.does_all() && !path.does_all());
    }

    #[test]
    fn the_first_way_that_blocks_is_used() {
        let way = |effect| Way { name: "x".into(), effect, turned_away: BTreeSet::new() };
        let mut profile = Profile {
            system: SystemName::new("chat").unwrap(),
            integration: IntegrationName::new("chat").unwrap(),
            basis: Digest::of(b""),
            at: Timestamp::UNIX_EPOCH,
            by: "ann".into(),
            canary: None,
            ways: Vec::new(),
            forms: Vec::new(),
            honours: BTreeMap::new(),
            keeps: BTreeSet::new(),
            deletes: Deletion::Gone,
        };
        let lets_in = WayEffect::LetsIn { classes: [AccessClass::PrimaryAccount].into() };
        let refused = WayEffect::Refused { code: "out-of-scope".into() };
        for (effects, expect) in [
            (vec![WayEffect::Blocks], Some(0)),
            (vec![WayEffect::Nothing, WayEffect::Blocks], Some(1)),
            (vec![lets_in, refused, WayEffect::Blocks, WayEffect::Blocks], Some(2)),
            (vec![WayEffect::Nothing], None),
            (vec![], None),
        ] {
            profile.ways = effects.into_iter().map(way).collect();
            assert_eq!(profile.first_way(), expect);
        }
    }
}
