//! Typed identifiers and names.
//!
//! An [`Id`] is a UUIDv7 (RFC 9562 §5.7) that knows what it identifies and prints with a prefix
//! (`idn_01j…`). A [`Name`] is the key of a thing that people declare in configuration.
//! Absent on purpose: any way to make an id without handing in time and entropy.

use std::{
    cmp::Ordering,
    fmt, hash,
    marker::PhantomData,
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::time::Timestamp;

/// A source of random bytes, handed in so that a run can be repeated from its seed.
pub trait Entropy: Send + Sync {
    /// Fills `out` with random bytes.
    fn fill(&self, out: &mut [u8]);

    /// 16 random bytes, as used for salts.
    fn salt(&self) -> [u8; 16] {
        let mut out = [0; 16];
        self.fill(&mut out);
        out
    }

    /// The 128 bits of a UUIDv7 for the instant `millis` (Unix milliseconds). A source that lives as long
    /// as the process does well to give ascending ones, see [`Ascending`].
    fn uuid(&self, millis: u64) -> u128 {
        random_uuid(&|out| self.fill(out), millis)
    }
}

fn random_uuid(fill: &dyn Fn(&mut [u8]), millis: u64) -> u128 {
    let mut bytes = [0; 10];
    fill(&mut bytes);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().as_u128()
}

/// Makes UUIDv7s of the same millisecond ascend (RFC 9562 §6.2, method 2), so that what is written
/// together lies together in an index: rows are appended, not strewn over it.
#[derive(Debug, Default)]
pub struct Ascending(Mutex<(u64, u128)>);

impl Ascending {
    /// Nothing was made yet.
    pub const fn new() -> Self {
        Self(Mutex::new((0, 0)))
    }

    /// The next one for `millis`: a random one when the millisecond is new, or else the last one plus one.
    /// `fill` fills with random bytes.
    pub fn next(&self, millis: u64, fill: &dyn Fn(&mut [u8])) -> u128 {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // With the highest random bit at 0 there is room for 2⁶¹ steps below the variant bits.
        let next = if last.0 == millis { last.1 + 1 } else { random_uuid(fill, millis) & !(1 << 61) };
        *last = (millis, next);
        next
    }
}

/// What an [`Id`] or a [`Name`] identifies.
pub trait Kind {
    /// The prefix an id of this kind prints with, without the underscore.
    const PREFIX: &'static str;
    /// What the description of the API calls such an id.
    const NAME: &'static str;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $marker:ident $alias:ident $prefix:literal;)*) => {$(
        #[doc = concat!("Marker for ids with the prefix `", $prefix, "`.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $marker {}
        impl Kind for $marker {
            const PREFIX: &'static str = $prefix;
            const NAME: &'static str = stringify!($alias);
        }
        $(#[$doc])*
        pub type $alias = Id<$marker>;
    )*};
}

kinds! {
    /// Identifies an identity: a person or a non-human identity.
    IdentityKind IdentityId "idn";
    /// Identifies an account on a system.
    AccountKind AccountId "acc";
    /// Identifies an event.
    EventKind EventId "evt";
    /// Identifies a plan.
    PlanKind PlanId "pln";
    /// Identifies the execution of one plan on one system.
    RunKind RunId "run";
    /// Identifies an approval.
    ApprovalKind ApprovalId "apr";
    /// Identifies a case.
    CaseKind CaseId "cas";
    /// Identifies a finding.
    FindingKind FindingId "fnd";
    /// Identifies something that a person is asked to do.
    TaskKind TaskId "tsk";
    /// Identifies one delivery of a feed.
    BatchKind BatchId "bat";
    /// Identifies something that somebody holds until an end although no policy gives it.
    ExceptionKind ExceptionId "exc";
    /// Identifies a person who operates the hub.
    OperatorKind OperatorId "opr";
    /// Identifies an evidence record before it has its place in the log.
    RecordKind RecordId "rec";
    /// Identifies a note that an integration left.
    SignalKind SignalId "sig";
    /// Identifies a sealed credential.
    CredentialKind CredentialId "crd";
    /// Identifies a review of an integration.
    ReviewKind ReviewId "rvw";
    /// Identifies the transfer of an integration to somebody else.
    TransferKind TransferId "tfr";
    /// Identifies somebody being made ready to go, and gone.
    TerminationKind TerminationId "trm";
    /// Identifies an operator's time at the console.
    SessionKind SessionId "ses";
    /// Identifies that the hub was set back to an earlier state.
    RecoveryKind RecoveryId "rcv";
    /// Identifies a name that is kept for somebody who left.
    ReservedKind ReservedId "nam";
    /// Identifies an answer to whether somebody may do something now.
    DecisionKind DecisionId "dec";
    /// Identifies a person as a caller pushed them; it is the caller's name for them here.
    PushedUserKind PushedUserId "usr";
    /// Identifies a group as a caller pushed it.
    PushedGroupKind PushedGroupId "grp";
    /// Identifies a passkey of an operator.
    PasskeyKind PasskeyId "pky";
    /// Identifies a token that an operator made for a program.
    TokenKind TokenId "tok";
}

/// An identifier of a `K`: a UUIDv7, so ids sort by the time they were made.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl<K: Kind> Id<K> {
    /// Makes a new id for the instant `now`.
    pub fn new(now: Timestamp, entropy: &dyn Entropy) -> Self {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Self(Uuid::from_u128(entropy.uuid(millis)), PhantomData)
    }

    /// An id from 16 given bytes; the same bytes give the same id.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes), PhantomData)
    }

    /// The 16 bytes of the id.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl<K: Kind> Id<K> {
    /// The text, in memory of the caller; `None` never happens, because all of it is ASCII.
    fn text<'t>(&self, room: &'t mut [u8; 30]) -> Option<&'t str> {
        const { assert!(K::PREFIX.len() == 3) };
        room[..3].copy_from_slice(K::PREFIX.as_bytes());
        room[3] = b'_';
        let mut rest = self.0.as_u128();
        for slot in room[4..].iter_mut().rev() {
            *slot = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        str::from_utf8(room).ok()
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; 30]).ok_or(fmt::Error)?)
    }
}

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of the form `{prefix}_` followed by 26 letters and digits")]
pub struct BadId {
    text: String,
    prefix: &'static str,
}

impl<K: Kind> FromStr for Id<K> {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId { text: text.to_owned(), prefix: K::PREFIX };
        let digits = text.strip_prefix(K::PREFIX).and_then(|t| t.strip_prefix('_')).ok_or_else(bad)?;
        if digits.len() != 26 || digits.as_bytes()[0] > b'7' {
            return Err(bad());
        }
        let mut value = 0u128;
        for byte in digits.bytes() {
            let digit = ALPHABET.iter().position(|a| *a == byte).ok_or_else(bad)?;
            value = value << 5 | digit as u128;
        }
        Ok(Self(Uuid::from_u128(value), PhantomData))
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> hash::Hash for Id<K> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.text(&mut [0; 30]).unwrap_or_default())
    }
}
impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a [`Name`] names.
pub trait Named {
    /// The word for it in messages.
    const WORD: &'static str;
    /// What the description of the API calls such a name.
    const NAME: &'static str;
    /// Whether the name has two parts, `system/name`.
    const TWO_PARTS: bool = false;
}

macro_rules! names {
    ($($(#[$doc:meta])* $marker:ident $alias:ident $word:literal $two:literal;)*) => {$(
        #[doc = concat!("Marker for the name of a ", $word, ".")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $marker {}
        impl Named for $marker {
            const WORD: &'static str = $word;
            const NAME: &'static str = stringify!($alias);
            const TWO_PARTS: bool = $two;
        }
        $(#[$doc])*
        pub type $alias = Name<$marker>;
    )*};
}

names! {
    /// The name of a client of a managed service provider; `default` where there is one only.
    TenantMarker Tenant "tenant" false;
    /// The name of a system.
    SystemMarker SystemName "system" false;
    /// The name of an integration.
    IntegrationMarker IntegrationName "integration" false;
    /// The name of an entitlement, `system/name`.
    EntitlementMarker EntitlementName "entitlement" true;
    /// The name of a source of identities.
    SourceMarker SourceName "source" false;
    /// The name of an automation.
    AutomationMarker AutomationName "automation" false;
    /// The name of a case in which the glass may be broken.
    GlassMarker GlassName "break-glass case" false;
    /// The name of a kind of subject, as callers of the decision point use it.
    SubjectTypeMarker SubjectTypeName "subject type" false;
    /// The name of a kind of resource, as callers of the decision point use it.
    ResourceTypeMarker ResourceTypeName "resource type" false;
    /// The name of something that can be done to a resource.
    ActionMarker ActionName "action" false;
}

/// A name from configuration: lower-case letters, digits, `-`, `_` and `.`, at most 64 bytes a part.
pub struct Name<K>(Box<str>, PhantomData<fn() -> K>);

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the name of a {word}: use lower-case letters, digits, `-`, `_` and `.`{hint}")]
pub struct BadName {
    text: String,
    word: &'static str,
    hint: &'static str,
}

impl<K: Named> Name<K> {
    /// Checks `text` and makes it a name.
    pub fn new(text: &str) -> Result<Self, BadName> {
        let good_part = |part: &str| {
            !part.is_empty()
                && part.len() <= 64
                && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
        };
        let parts: Vec<&str> = text.split('/').collect();
        if parts.len() != if K::TWO_PARTS { 2 } else { 1 } || !parts.iter().all(|p| good_part(p)) {
            let hint = if K::TWO_PARTS { ", as `system/name`" } else { "" };
            return Err(BadName { text: text.to_owned(), word: K::WORD, hint });
        }
        Ok(Self(text.into(), PhantomData))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl EntitlementName {
    /// The name of the system that the entitlement is on.
    pub fn system(&self) -> SystemName {
        let part = self.0.split('/').next().unwrap_or_default();
        Name(part.into(), PhantomData)
    }
}

impl Tenant {
    /// The tenant of an installation that serves one organisation.
    pub fn single() -> Self {
        Name("default".into(), PhantomData)
    }
}

impl<K> fmt::Display for Name<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
impl<K> fmt::Debug for Name<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}
impl<K> Clone for Name<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}
impl<K> PartialEq for Name<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Name<K> {}
impl<K> PartialOrd for Name<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Name<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> hash::Hash for Name<K> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: Named> FromStr for Name<K> {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::new(text)
    }
}
impl<K> Serialize for Name<K> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}
impl<'de, K: Named> Deserialize<'de> for Name<K> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_prints_with_its_prefix_and_reads_back() {
        for seed in [0u128, 1, u128::MAX, 0x0193_4a5b_6c7d_7e8f_8a9b_acbd_cedf_e0f1] {
            let id = IdentityId::from_bytes(seed.to_be_bytes());
            let text = id.to_string();
            assert!(text.starts_with("idn_") && text.len() == 30, "{text}");
            assert_eq!(text.parse::<IdentityId>().unwrap(), id);
        }
        for bad in [
            "",
            "idn_",
            "acc_00000000000000000000000000",
            "idn_80000000000000000000000000",
            "idn_0000000000000000000000000l",
        ] {
            assert!(bad.parse::<IdentityId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_of_one_millisecond_ascend_and_stay_version_7() {
        let ascending = Ascending::default();
        let ids: Vec<u128> = (0..1_000).map(|_| ascending.next(7, &|out| out.fill(0xff))).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.iter().all(|id| Uuid::from_u128(*id).get_version_num() == 7));
        assert!(ascending.next(8, &|out| out.fill(0)) > ids[999], "a later instant sorts after");
    }

    #[test]
    fn names_say_what_they_name() {
        assert!(SystemName::new("chat").is_ok());
        assert!(EntitlementName::new("chat/engineering").is_ok());
        for bad in ["", "Chat", "a b", "a/b", "../x"] {
            let error = SystemName::new(bad).unwrap_err().to_string();
            assert!(error.contains("system"), "{error}");
        }
        let error = EntitlementName::new("chat").unwrap_err().to_string();
        assert!(error.ends_with("as `system/name`"), "{error}");
    }
}
