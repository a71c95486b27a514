//! Whether the lock of a password policy locks (draft-behera-ldap-password-policy §5.2.12, §5.3.3).
//!
//! A server takes `pwdAccountLockedTime` from anybody who may write it, and lets the account in all the same
//! unless the policy that is in force for it says `pwdLockout: TRUE`. So a lock is believed only where such a
//! policy was read, and no longer once a locked canary was let in. A lock that ends by itself is none: whoever
//! waits is in again.

use std::collections::BTreeMap;

use bailiwick_connector::{
    Result,
    broker::ldap::{Entry, Filter},
};
use bailiwick_core::{dn::Dn, scope::Operation};

use super::{
    ask::{Ask, Query},
    settings::Policies,
};

/// The value that only an administrator takes back.
pub(super) const FOR_EVER: &str = "000001010000Z";
/// The attribute of the lock.
pub(super) const LOCKED: &str = "pwdAccountLockedTime";
/// The attribute that names an account's own policy.
pub(super) const POLICY: &str = "pwdPolicySubentry";

/// What is known of the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// A policy makes it work for every account without a policy of its own.
    Works,
    /// Nobody said where the policies are.
    NotSaid,
    /// The server has no password policies at all.
    NoPolicies,
    /// The default policy cannot be read, or is not there.
    NoDefault,
    /// The default policy does not have `pwdLockout: TRUE`.
    NoLockout,
    /// A locked canary was let in.
    Refuted,
}

impl Trust {
    pub(super) const ALL: [Self; 6] =
        [Self::Works, Self::NotSaid, Self::NoPolicies, Self::NoDefault, Self::NoLockout, Self::Refuted];

    /// What somebody should know; nothing when it works.
    pub(super) const fn remark(self) -> Option<&'static str> {
        match self {
            Self::Works => None,
            Self::NotSaid => Some(
                "the lock of password policies is not used, because nothing says that it locks: set `policies.base` and `policies.default` to the policies of the directory",
            ),
            Self::NoPolicies => Some(
                "the lock of password policies is not used: the server has none (no ppolicy overlay), takes `pwdAccountLockedTime` at most as a text, and lets in whoever bears it",
            ),
            Self::NoDefault => Some(
                "the lock of password policies is not used: `policies.default` is not there or may not be read, and without it whoever bears `pwdAccountLockedTime` is let in",
            ),
            Self::NoLockout => Some(
                "the lock of password policies is not used: the default policy has no `pwdLockout: TRUE`, so whoever bears `pwdAccountLockedTime` is let in",
            ),
            Self::Refuted => Some(
                "the lock of password policies is not used: an account that bears `pwdAccountLockedTime` for ever was let in; is `policies.default` the policy that the server has in force?",
            ),
        }
    }
}

/// One policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Policy {
    lockout: bool,
    /// Seconds after which a lock ends by itself; 0 never.
    duration: u64,
}

/// The policies of a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Book {
    policies: BTreeMap<Dn, Policy>,
    default: Option<Dn>,
}

impl Book {
    /// Reads the policies.
    pub(super) async fn read(ask: &Ask<'_>, at: &Policies) -> Result<Self> {
        let mut policies = BTreeMap::new();
        let filter = Filter::equal("objectClass", "pwdPolicy");
        let query = Query {
            operation: Operation::Discover,
            base: &at.base,
            filter: &filter,
            attributes: &["pwdLockout", "pwdLockoutDuration"],
        };
        let mut look = |entry: &Entry<'_>| {
            let lockout = entry.text("pwdLockout").is_some_and(|text| text.eq_ignore_ascii_case("TRUE"));
            let duration = entry.text("pwdLockoutDuration").and_then(|text| text.parse().ok()).unwrap_or(0);
            // A policy whose name cannot be read is in force for nobody, which lets nobody be called locked.
            policies.extend(entry.name.parse::<Dn>().ok().map(|name| (name, Policy { lockout, duration })));
            true
        };
        ask.all(query, &mut look).await?;
        Ok(Self { policies, default: Some(at.default.clone()) })
    }

    /// What the default policy makes of the lock.
    pub(super) fn trust(&self) -> Trust {
        match self.default.as_ref().map(|name| self.policies.get(name)) {
            None => Trust::NotSaid,
            Some(None) => Trust::NoDefault,
            Some(Some(Policy { lockout: true, .. })) => Trust::Works,
            Some(Some(_)) => Trust::NoLockout,
        }
    }

    /// Whether an account with this lock, under its own policy or the default one, is kept out for good.
    pub(super) fn keeps_out(&self, lock: &str, own: Option<&str>) -> bool {
        let name = own.map(str::parse::<Dn>);
        let policy = match name {
            Some(Ok(own)) => self.policies.get(&own),
            Some(Err(_)) => None,
            None => self.default.as_ref().and_then(|name| self.policies.get(name)),
        };
        policy.is_some_and(|policy| policy.lockout && (lock == FOR_EVER || policy.duration == 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_counts_only_under_a_policy_that_locks_for_good() {
        let name = |text: &str| text.parse::<Dn>().unwrap();
        let policy = |lockout, duration| Policy { lockout, duration };
        let book = |default: Option<&str>| Book {
            policies: [
                (name("cn=for-ever,dc=x"), policy(true, 0)),
                (name("cn=hour,dc=x"), policy(true, 3_600)),
                (name("cn=lax,dc=x"), policy(false, 0)),
            ]
            .into(),
            default: default.map(name),
        };
        let now = "20261121100000Z";
        for (default, lock, own, expect) in [
            (Some("cn=for-ever,dc=x"), FOR_EVER, None, true),
            (Some("cn=for-ever,dc=x"), now, None, true),
            (Some("cn=hour,dc=x"), FOR_EVER, None, true),
            (Some("cn=hour,dc=x"), now, None, false),
            (Some("cn=lax,dc=x"), FOR_EVER, None, false),
            (None, FOR_EVER, None, false),
            (Some("cn=gone,dc=x"), FOR_EVER, None, false),
            (Some("cn=for-ever,dc=x"), FOR_EVER, Some("cn=lax,dc=x"), false),
            (Some("cn=lax,dc=x"), FOR_EVER, Some("CN=For-Ever, dc=x"), true),
            (Some("cn=for-ever,dc=x"), FOR_EVER, Some("cn=gone,dc=x"), false),
            (Some("cn=for-ever,dc=x"), FOR_EVER, Some("what"), false),
        ] {
            assert_eq!(book(default).keeps_out(lock, own), expect, "{default:?} {lock} {own:?}");
        }
        for (default, trust) in [
            (None, Trust::NotSaid),
            (Some("cn=gone,dc=x"), Trust::NoDefault),
            (Some("cn=lax,dc=x"), Trust::NoLockout),
            (Some("cn=hour,dc=x"), Trust::Works),
        ] {
            assert_eq!(book(default).trust(), trust, "{default:?}");
        }
    }
}
