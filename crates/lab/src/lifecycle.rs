//! What deactivating, re-activating and deleting a user means on a system that behaves this way.
//!
//! The one place where `noop-200`, `keeps-groups`, `soft-delete` and `dormant-token` differ from faithful.
//! (`put-only` is a matter of the method and lives with the PATCH route.)

use serde_json::{Map, Value};

use crate::{
    Behaviour, TokenStatus,
    ledger::Cause,
    system::System,
    world::{Change, MemberKind},
};

/// What became of a request to give a user these attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The truth is as asked.
    Done,
    /// Nothing was done, and the answer is to say that it was.
    Pretend,
}

impl System {
    /// Gives a user these attributes, with whatever follows from a change of `active`.
    pub(crate) fn put_user(
        &mut self,
        cause: &Cause,
        id: &str,
        attributes: Map<String, Value>,
        now: i64,
    ) -> Outcome {
        let Some(user) = self.truth.user(id) else { return Outcome::Done };
        let was = user.active();
        let is = attributes.get("active").and_then(Value::as_bool).unwrap_or(true);
        if was && !is && self.is(Behaviour::Noop200) {
            return Outcome::Pretend;
        }
        let touched = touched(&user.attributes, &attributes);
        self.commit(cause, Change::UserChanged { id: id.to_owned(), attributes, touched }, now);
        match (was, is) {
            (true, false) => self.deactivated(cause, id, now),
            (false, true) => self.reactivated(cause, id, now),
            _ => {}
        }
        Outcome::Done
    }

    fn deactivated(&mut self, cause: &Cause, id: &str, now: i64) {
        self.end_sessions(cause, id, now);
        if self.is(Behaviour::DormantToken) {
            self.suspend_tokens(cause, id, now);
        } else {
            self.revoke_tokens(cause, id, now);
        }
        if !self.is(Behaviour::KeepsGroups) {
            self.remove_licences(cause, id, now);
            for change in self.leave_groups(id) {
                self.commit_member(cause, change, now);
            }
        }
    }

    fn reactivated(&mut self, cause: &Cause, id: &str, now: i64) {
        for token in self.tokens(id, |status| status == TokenStatus::Suspended) {
            self.commit(cause, Change::TokenResumed { user: id.to_owned(), token }, now);
        }
    }

    /// Deletes a user as this system does.
    pub(crate) fn delete_user(&mut self, cause: &Cause, id: &str, now: i64) {
        self.end_sessions(cause, id, now);
        self.remove_licences(cause, id, now);
        for change in self.leave_groups(id) {
            self.commit(cause, change, now);
        }
        if self.is(Behaviour::SoftDelete) {
            self.commit(cause, Change::UserHidden { id: id.to_owned() }, now);
        } else {
            self.revoke_tokens(cause, id, now);
            self.commit(cause, Change::UserDeleted { id: id.to_owned() }, now);
        }
    }

    /// Ends every session of a user; says how many.
    pub(crate) fn end_sessions(&mut self, cause: &Cause, id: &str, now: i64) -> usize {
        let Some(user) = self.truth.any_user(id) else { return 0 };
        let sessions: Vec<String> = user.sessions.keys().cloned().collect();
        let count = sessions.len();
        for session in sessions {
            self.commit(cause, Change::SessionEnded { user: id.to_owned(), session }, now);
        }
        count
    }

    fn tokens(&self, id: &str, wanted: impl Fn(TokenStatus) -> bool) -> Vec<String> {
        let tokens = self.truth.any_user(id).into_iter().flat_map(|user| user.tokens.values());
        tokens.filter(|token| wanted(token.status)).map(|token| token.id.clone()).collect()
    }

    fn revoke_tokens(&mut self, cause: &Cause, id: &str, now: i64) {
        for token in self.tokens(id, |status| status != TokenStatus::Revoked) {
            self.commit(cause, Change::TokenRevoked { user: id.to_owned(), token }, now);
        }
    }

    fn suspend_tokens(&mut self, cause: &Cause, id: &str, now: i64) {
        let purges_at_ms = now + self.spec.timing.purge_after_ms;
        for token in self.tokens(id, |status| status == TokenStatus::Active) {
            self.commit(cause, Change::TokenSuspended { user: id.to_owned(), token, purges_at_ms }, now);
        }
    }

    fn remove_licences(&mut self, cause: &Cause, id: &str, now: i64) {
        let Some(user) = self.truth.any_user(id) else { return };
        for sku in user.licences.clone() {
            self.commit(cause, Change::LicenceRemoved { user: id.to_owned(), sku }, now);
        }
    }

    fn leave_groups(&self, id: &str) -> Vec<Change> {
        let leave = |group: &crate::world::Group| Change::MemberRemoved {
            group: group.id.clone(),
            member: id.to_owned(),
            kind: MemberKind::User,
        };
        self.truth.parents(id).map(leave).collect()
    }
}

/// Names of the attributes that differ, in order.
pub(crate) fn touched(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let mut names: Vec<String> = before
        .iter()
        .filter(|(name, value)| after.get(*name) != Some(value))
        .map(|(name, _)| name.clone())
        .chain(after.keys().filter(|name| !before.contains_key(*name)).cloned())
        .collect();
    names.sort();
    names
}
