//! Names of those who left: they name an account of nobody else (PRODUCT D8).
//!
//! Mail for somebody who left, and what others gave to their name, must not come to whoever is called so next. What names
//! an account on a system is said by its declaration. Kept is a digest that only the hub can make, so that the list of those
//! who left is none; a person releases a name, and a second one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, AccountAttributes, AccountValue},
    id::{IdentityId, OperatorId, ReservedId, SystemName},
    person::Conflict,
    plan::Op,
    system::System,
    time::{SignedDuration, Timestamp},
};

/// The attribute that every connector has for the name with which people sign in.
const SIGN_IN: &str = "userName";
/// How long a wish to release waits for a second person, hours.
pub const RELEASE_HOURS: i64 = 72;

/// A name that is kept for somebody who left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reserved {
    /// Its id, by which people speak of it.
    pub id: ReservedId,
    /// The keyed digest of system, attribute and name.
    pub digest: String,
    /// Where.
    pub system: SystemName,
    /// Which attribute of accounts there.
    pub attribute: String,
    /// Whose it was.
    pub identity: IdentityId,
    /// Since when.
    pub since: Timestamp,
    /// Until when; without an end, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Whether somebody wants it released, or it is.
    #[serde(flatten)]
    pub state: ReservedState,
}

/// See [`Reserved`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum ReservedState {
    /// It is kept.
    Kept,
    /// One person wants it released.
    ReleaseAsked {
        /// Who.
        by: OperatorId,
        /// Until when that counts.
        lapses: Timestamp,
    },
    /// Two people released it.
    Released {
        /// The first.
        first: OperatorId,
        /// The second.
        second: OperatorId,
        /// When.
        at: Timestamp,
    },
}

impl ReservedState {
    /// The name of the state, kebab-case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::ReleaseAsked { .. } => "release-asked",
            Self::Released { .. } => "released",
        }
    }
}

impl Reserved {
    /// Whether nobody else gets the name at that instant.
    pub fn counts(&self, now: Timestamp) -> bool {
        let released = matches!(self.state, ReservedState::Released { .. });
        !released && self.until.is_none_or(|until| now < until)
    }
}

/// The names that an account bears, by attribute: those that name accounts on the system.
pub fn names(account: &Account, system: &System) -> BTreeMap<String, String> {
    let of = |attribute: &String| {
        let name = match account.state.attributes.get(attribute) {
            Some(value) => text(value),
            None if attribute == SIGN_IN => Some(account.username.clone()),
            None => None,
        };
        Some((attribute.clone(), name?))
    };
    system.unique.iter().filter_map(of).filter(|(_, name)| !name.is_empty()).collect()
}

/// The names that a change would give, by attribute.
pub fn given(op: &Op, system: &System) -> BTreeMap<String, String> {
    match op {
        Op::CreateAccount { attributes, .. } | Op::SetAttributes { attributes } => of(attributes, system),
        Op::Enable
        | Op::Disable { .. }
        | Op::Delete
        | Op::Grant { .. }
        | Op::Revoke { .. }
        | Op::RevokeAll { .. } => BTreeMap::new(),
    }
}

/// The name by which an account is looked for before it is made, where the system declares that names are unique.
pub fn sought(op: &Op, system: &System) -> Option<String> {
    let Op::CreateAccount { attributes, .. } = op else { return None };
    (!system.unique.is_empty()).then(|| attributes.get(SIGN_IN).and_then(text)).flatten()
}

fn of(attributes: &AccountAttributes, system: &System) -> BTreeMap<String, String> {
    let unique = attributes.iter().filter(|(name, _)| system.unique.contains(*name));
    unique.filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

fn text(value: &AccountValue) -> Option<String> {
    match value {
        AccountValue::Text(text) => Some(text.clone()),
        AccountValue::Flag(_) | AccountValue::Many(_) => None,
    }
}

/// What the digest of a name is made of. Case does not matter: systems that tell `Ann` from `ann` are few, people who do
/// are none.
pub fn bytes(system: &SystemName, attribute: &str, name: &str) -> Vec<u8> {
    let parts = ["reserved-name", system.as_str(), attribute, &name.trim().to_lowercase()];
    let part = |text: &&str| [&(text.len() as u64).to_be_bytes()[..], text.as_bytes()].concat();
    parts.iter().flat_map(part).collect()
}

/// Why a name is not released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameRefusal {
    /// It is not kept.
    #[error("the name is not kept any more")]
    NotKept,
    /// One person alone.
    #[error("a name is released by two people, and you asked for it or act for who did")]
    SamePerson,
    /// Who would get it.
    #[error("who would get the name cannot release it, nor who acts for them")]
    Beneficiary,
    /// It is not known which person they are.
    #[error(
        "only a person who is known and here can release a name; who an operator is, is said with `bailiwick operator add \
         NAME --person SOURCE/KEY`"
    )]
    Unknown,
    /// No reason is given.
    #[error("say why, with `--reason`")]
    NoReason,
}

impl NameRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotKept => "name-not-kept",
            Self::SamePerson => "name-release-same-person",
            Self::Beneficiary => "name-release-beneficiary",
            Self::Unknown => "name-release-unknown",
            Self::NoReason => "name-release-no-reason",
        }
    }
}

/// Somebody wants a name released: the first one asks, and it is done when a second person says so too. `conflicts` says who
/// may not: who asked, and who waits for the name.
pub fn release(
    name: &Reserved,
    (by, person): (OperatorId, Option<&str>),
    conflicts: &BTreeMap<String, Conflict>,
    now: Timestamp,
) -> Result<ReservedState, NameRefusal> {
    if !name.counts(now) {
        return Err(NameRefusal::NotKept);
    }
    let asked = match name.state {
        ReservedState::ReleaseAsked { by, lapses } => (lapses > now).then_some(by),
        ReservedState::Kept | ReservedState::Released { .. } => None,
    };
    let Some(person) = person else { return Err(NameRefusal::Unknown) };
    match conflicts.get(person) {
        // Who asked may ask again when that does not count any more.
        Some(Conflict::Requester) if asked.is_none() => {}
        Some(Conflict::Requester | Conflict::OtherGate) => return Err(NameRefusal::SamePerson),
        Some(Conflict::Beneficiary | Conflict::Owner | Conflict::Delegate) => {
            return Err(NameRefusal::Beneficiary);
        }
        None if asked == Some(by) => return Err(NameRefusal::SamePerson),
        None => {}
    }
    Ok(match asked {
        Some(first) => ReservedState::Released { first, second: by, at: now },
        None => {
            let lapses = now.saturating_add(SignedDuration::from_hours(RELEASE_HOURS)).unwrap_or(now);
            ReservedState::ReleaseAsked { by, lapses }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(s).unwrap()
    }

    fn operator(n: u8) -> OperatorId {
        OperatorId::from_bytes([n; 16])
    }

    fn kept(state: ReservedState, until: Option<i64>) -> Reserved {
        Reserved {
            id: ReservedId::from_bytes([1; 16]),
            digest: "d".into(),
            system: SystemName::new("chat").unwrap(),
            attribute: "userName".into(),
            identity: IdentityId::from_bytes([2; 16]),
            since: at(0),
            until: until.map(at),
            state,
        }
    }

    #[test]
    fn a_name_is_kept_until_its_end_or_until_two_people_release_it() {
        let check = |state, until, now, expect| assert_eq!(kept(state, until).counts(at(now)), expect);
        let asked = ReservedState::ReleaseAsked { by: operator(1), lapses: at(9) };
        let released = ReservedState::Released { first: operator(1), second: operator(2), at: at(3) };
        check(ReservedState::Kept, None, 1_000_000, true);
        check(ReservedState::Kept, Some(9), 8, true);
        check(ReservedState::Kept, Some(9), 9, false);
        check(asked, None, 1, true);
        check(released, None, 5, false);
    }

    #[test]
    fn two_people_release_and_none_of_them_waits_for_it() {
        let hour = 3_600;
        let asked = |until| ReservedState::ReleaseAsked { by: operator(1), lapses: at(until) };
        let check = |state, by: u8, person: Option<&str>, own: &[(&str, Conflict)], expect: &str| {
            let conflicts = own.iter().map(|(who, why)| ((*who).to_owned(), *why)).collect();
            let got = release(&kept(state, None), (operator(by), person), &conflicts, at(hour));
            let got = got.map_or_else(|why| why.code(), |state| state.name());
            assert_eq!(got, expect);
        };
        let first = [("hr/1", Conflict::Requester)];
        check(ReservedState::Kept, 1, Some("hr/1"), &[], "release-asked");
        check(ReservedState::Kept, 1, None, &[], "name-release-unknown");
        check(
            ReservedState::Kept,
            1,
            Some("hr/1"),
            &[("hr/1", Conflict::Beneficiary)],
            "name-release-beneficiary",
        );
        check(asked(2 * hour), 1, Some("hr/1"), &first, "name-release-same-person");
        check(asked(2 * hour), 2, Some("hr/1"), &first, "name-release-same-person");
        check(asked(2 * hour), 2, Some("hr/2"), &first, "released");
        check(asked(hour), 2, Some("hr/2"), &first, "release-asked");
        check(asked(hour), 1, Some("hr/1"), &first, "release-asked");
    }

    #[test]
    fn digests_tell_places_apart_and_no_case() {
        let chat = SystemName::new("chat").unwrap();
        let of = |attribute, name| bytes(&chat, attribute, name);
        assert_eq!(of("userName", "Ann "), of("userName", "ann"));
        assert_ne!(of("userName", "ann"), of("mail", "ann"));
        assert_ne!(of("userName", "ann"), bytes(&SystemName::new("crm").unwrap(), "userName", "ann"));
    }
}
