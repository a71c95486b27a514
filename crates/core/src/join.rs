//! Joining two identities that are one person, and splitting them again.
//!
//! The id that goes keeps its key, its history and its cases, and leads to the one that stays. An account goes along where
//! the one that stays has none and it is in use; another of the same system is ended, and what is not in use stays with
//! its case. Every account remembers with which key it came, so that splitting gives each what was theirs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    account::Account,
    digest::Digest,
    id::{AccountId, IdentityId, OperatorId, SystemName},
    identity::SourceKey,
};

/// What two people are to say of two identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// They are one person.
    Join,
    /// They are not, although they were joined.
    Split,
}

impl Act {
    /// The name, kebab-case; approval policies see it as `question`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Split => "split",
        }
    }
}

/// What a plan that joins or splits is about, besides the changes for the identity that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Joint {
    /// Which of both.
    pub act: Act,
    /// The identity that goes, or comes back.
    pub other: IdentityId,
    /// Its own key.
    pub key: SourceKey,
    /// Its generation when this was asked.
    pub generation: u64,
    /// Who asked.
    pub requester: OperatorId,
    /// Why.
    pub reason: String,
    /// What becomes of each account that is concerned.
    pub accounts: Vec<Line>,
    /// What is changed on the systems for the other one, in words.
    pub beside: Vec<String>,
    /// The digest of that.
    pub shown: Digest,
}

/// What becomes of an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JoinLine")]
pub struct Line {
    /// Where.
    pub system: SystemName,
    /// Which.
    pub account: AccountId,
    /// The name people sign in with.
    pub username: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JoinFate")]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is the account of the one that stays from now on.
    Comes,
    /// The one that stays has another there: this one is ended.
    Ends,
    /// It was of the one that stays, and is ended for the other's.
    Yields,
    /// It is not in use, and stays as it is.
    Rests,
    /// It goes back with the key with which it came.
    Goes,
    /// It stays with the one that stays.
    Stays,
    /// It is of the one that comes back, as before.
    Theirs,
}

impl Fate {
    /// Whether it is of the other one from then on.
    pub const fn moves(self) -> bool {
        match self {
            Self::Comes | Self::Yields | Self::Goes => true,
            Self::Ends | Self::Rests | Self::Stays | Self::Theirs => false,
        }
    }
}

/// What becomes of the accounts when one identity goes into another. Where both have one in use, that of the record that
/// leads from then on is kept, because names and everything else on it are that record's.
pub fn joining(stays: &[Account], goes: &[Account], other_leads: bool) -> Vec<Line> {
    let on =
        |of: &[Account], system: &SystemName| of.iter().find(|a| a.system == *system).map(|a| a.state.active);
    let of_other = |account: &Account| match (account.state.active, on(stays, &account.system)) {
        (false, _) => Fate::Rests,
        (true, None) => Fate::Comes,
        (true, Some(true)) if other_leads => Fate::Comes,
        (true, Some(_)) => Fate::Ends,
    };
    let yields =
        |account: &&Account| other_leads && account.state.active && on(goes, &account.system) == Some(true);
    let yielded = stays.iter().filter(yields).map(|account| line(account, Fate::Yields));
    sorted(goes.iter().map(|account| line(account, of_other(account))).chain(yielded))
}

/// What becomes of the accounts when a key goes from an identity again.
pub fn splitting(stays: &[Account], goes: &[Account], key: &SourceKey) -> Vec<Line> {
    let of_who = |account: &Account| match account.for_key.as_ref() == Some(key) {
        true => Fate::Goes,
        false => Fate::Stays,
    };
    let of_other = |account: &Account| match &account.for_key {
        Some(other) if other != key => Fate::Comes,
        Some(_) | None => Fate::Theirs,
    };
    let who = stays.iter().map(|account| line(account, of_who(account)));
    sorted(who.chain(goes.iter().map(|account| line(account, of_other(account)))))
}

fn sorted(lines: impl Iterator<Item = Line>) -> Vec<Line> {
    let mut lines: Vec<Line> = lines.collect();
    lines.sort();
    lines
}

fn line(account: &Account, fate: Fate) -> Line {
    Line { system: account.system.clone(), account: account.id, username: account.username.clone(), fate }
}

/// Why nothing is joined or split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinRefusal {
    /// It is one identity.
    #[error("`{0}` and `{1}` are one identity already")]
    Same(String, String),
    /// Only people are joined.
    #[error("`{0}` is no person")]
    NoPerson(String),
    /// No reason is given.
    #[error("say why, with `--reason`")]
    NoReason,
    /// A change is under way.
    #[error("a change for `{0}` is under way or in doubt; ask again when it is settled")]
    Unsettled(String),
    /// Something is given or asked for until an end.
    #[error(
        "`{0}` has something until an end, or asks for it: end it first, with `bailiwick access end` or `break-glass`"
    )]
    Excepted(String),
    /// The key was not joined to this identity.
    #[error("`{key}` is no key that was joined to `{who}`; `bailiwick identity show {who}` names those")]
    NotJoined {
        /// The identity.
        who: String,
        /// The key.
        key: String,
    },
    /// The key is the identity's own.
    #[error("`{0}` is the key by which the identity was first known; split another one off")]
    Own(String),
    /// What would happen is not what was shown.
    #[error("what would happen is not what the plan shows any more; ask again")]
    Changed,
}

impl JoinRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Same(..) => "join-same",
            Self::NoPerson(_) => "join-no-person",
            Self::NoReason => "join-no-reason",
            Self::Unsettled(_) => "join-unsettled",
            Self::Excepted(_) => "join-excepted",
            Self::NotJoined { .. } => "split-not-joined",
            Self::Own(_) => "split-own-key",
            Self::Changed => "join-changed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{account::AccountState, time::Timestamp};

    fn account(system: &str, n: u8, active: bool, for_key: Option<&str>) -> Account {
        let key = |text: &str| {
            let (source, key) = text.split_once('/').unwrap();
            SourceKey { source: source.parse().unwrap(), key: key.into() }
        };
        Account {
            id: AccountId::from_bytes([n; 16]),
            system: SystemName::new(system).unwrap(),
            external_id: n.to_string(),
            username: n.to_string(),
            identity: None,
            for_key: for_key.map(key),
            state: AccountState { active, ..AccountState::default() },
            applied: None,
            seen: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn an_account_in_use_comes_along_where_there_is_no_other_or_where_its_record_leads() {
        let stays = [account("chat", 1, true, None), account("crm", 2, false, None)];
        let check = |system: &str, active: bool, leads: bool, expect: &[(u8, Fate)]| {
            let lines = joining(&stays, &[account(system, 9, active, None)], leads);
            let fates: Vec<_> = lines.iter().map(|l| (l.account, l.fate)).collect();
            let expect: Vec<_> = expect.iter().map(|(n, f)| (AccountId::from_bytes([*n; 16]), *f)).collect();
            assert_eq!(fates, expect, "{system}");
        };
        check("wiki", true, false, &[(9, Fate::Comes)]);
        check("wiki", false, true, &[(9, Fate::Rests)]);
        check("chat", true, false, &[(9, Fate::Ends)]);
        check("chat", true, true, &[(1, Fate::Yields), (9, Fate::Comes)]);
        check("chat", false, true, &[(9, Fate::Rests)]);
        // What is blocked of the one that stays is not passed by with another account.
        check("crm", true, true, &[(9, Fate::Ends)]);
    }

    #[test]
    fn splitting_gives_back_what_came_with_the_key_or_was_made_for_it() {
        let key = SourceKey { source: "hr".parse().unwrap(), key: "9".into() };
        let check = |for_key: Option<&str>, of_who: Fate, of_other: Fate| {
            let one = [account("chat", 1, true, for_key)];
            assert_eq!(splitting(&one, &[], &key)[0].fate, of_who);
            assert_eq!(splitting(&[], &one, &key)[0].fate, of_other);
        };
        check(Some("hr/9"), Fate::Goes, Fate::Theirs);
        check(Some("c/1"), Fate::Stays, Fate::Comes);
        check(None, Fate::Stays, Fate::Theirs);
    }
}
