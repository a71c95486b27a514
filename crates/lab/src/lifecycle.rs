//! What deactivating, re-activating and deleting a user means on a system that behaves this way.
//!
//! The one place where a behaviour differs from faithful in what becomes of a user. What is a matter of the method or
//! the form of a request (`put-only`, `limited-patch`, `half-scim`) lives with the routes.

use serde_json::{Map, Value};

use crate::{
    Behaviour, TokenStatus,
    held::{AUTOMATIONS, OWNED, TICKETS},
    ledger::Cause,
    system::{Retained, System},
    world::{Change, MemberKind, User},
};

/// What became of a request to give a user these attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The truth is as asked.
    Done,
    /// Nothing was done, and the answer is to say that it was.
    Pretend,
    /// The user owns so many things, and is not deactivated while that is so.
    Owns(usize),
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
        if was && !is {
            let owned = self.truth.things_of(OWNED).filter(|thing| thing.holder == id).count();
            if owned > 0 && self.is(Behaviour::OwnerInherits) {
                return Outcome::Owns(owned);
            }
            if self.is(Behaviour::Noop200) {
                return Outcome::Pretend;
            }
            if self.is(Behaviour::RetainingSync) {
                self.retain(cause, id, false, now);
                return Outcome::Pretend;
            }
        }
        if is {
            self.retained.remove(id);
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
        if self.is(Behaviour::Liar) {
            let working = self.tokens(id, |status| status == TokenStatus::Active);
            self.lied.extend(working);
        } else if self.is(Behaviour::DormantToken) {
            self.suspend_tokens(cause, id, now);
        } else {
            self.revoke_tokens(cause, id, now);
        }
        if !self.is(Behaviour::KeepsGroups) && !self.is(Behaviour::UnaffiliatedSeat) {
            self.remove_licences(cause, id, now);
        }
        if !self.is(Behaviour::KeepsGroups) && !self.is(Behaviour::Ad) {
            for change in self.leave_groups(id) {
                self.commit_member(cause, change, now);
            }
        }
        self.end_things(cause, id, now);
    }

    /// Ends what the user made, holds or lets others have, but for what outlives users here.
    fn end_things(&mut self, cause: &Cause, id: &str, now: i64) {
        let gone: Vec<(String, String)> = self
            .truth
            .things()
            .filter(|thing| thing.touches(id) && !self.outlives(&thing.class))
            .map(|thing| (thing.id.clone(), thing.holder.clone()))
            .collect();
        for (thing, holder) in gone {
            self.commit(cause, Change::ThingEnded { thing, holder }, now);
        }
    }

    /// Whether things of a class outlive whose they are.
    fn outlives(&self, class: &str) -> bool {
        let outliving = [
            (Behaviour::BotSurvivor, AUTOMATIONS),
            (Behaviour::LeasingVault, "vault-tokens"),
            (Behaviour::OwnerInherits, OWNED),
            (Behaviour::Mailbox, "mailbox-rights"),
            (Behaviour::Ad, TICKETS),
            (Behaviour::Pam, "pam-sessions"),
        ];
        outliving.into_iter().any(|(behaviour, of)| of == class && self.is(behaviour))
    }

    /// Puts off to the next sync what was told of a user.
    fn retain(&mut self, cause: &Cause, id: &str, deletes: bool, now: i64) {
        let due = now + self.spec.timing.retain_ms;
        let told = Retained { due, cause: cause.clone(), deletes };
        let kept = self.retained.entry(id.to_owned()).or_insert(told);
        // Told twice, it is done when it was first to be; what goes further is done.
        kept.deletes |= deletes;
    }

    /// Does what was put off and is due.
    pub(crate) fn sync(&mut self, now: i64) {
        while let Some(id) = self.retained.iter().find(|(_, told)| told.due <= now).map(|(id, _)| id.clone())
        {
            let Some(Retained { due, cause, deletes }) = self.retained.remove(&id) else { return };
            if deletes {
                self.forget_user(&cause, &id, due);
            } else if let Some(user) = self.truth.user(&id) {
                let mut attributes = user.attributes.clone();
                attributes.insert("active".into(), Value::Bool(false));
                let touched = touched(&user.attributes, &attributes);
                self.commit(&cause, Change::UserChanged { id: id.clone(), attributes, touched }, due);
                self.deactivated(&cause, &id, due);
            }
        }
    }

    /// Who gets what somebody leaves behind: the manager, or else the first by name of those who are active.
    pub(crate) fn heir(&self, id: &str) -> Option<String> {
        let working = |user: &&User| user.active() && !user.hidden && user.id != id;
        let manager = self.truth.any_user(id).and_then(manager_of);
        let manager = manager.and_then(|manager| self.truth.any_user(manager)).filter(working);
        let first = || self.truth.all_users().filter(working).min_by_key(|user| user.user_name());
        manager.or_else(first).map(|user| user.id.clone())
    }

    fn reactivated(&mut self, cause: &Cause, id: &str, now: i64) {
        for token in self.tokens(id, |status| status == TokenStatus::Suspended) {
            self.commit(cause, Change::TokenResumed { user: id.to_owned(), token }, now);
        }
    }

    /// Deletes a user as this system does.
    pub(crate) fn delete_user(&mut self, cause: &Cause, id: &str, now: i64) {
        match self.is(Behaviour::RetainingSync) {
            true => self.retain(cause, id, true, now),
            false => self.forget_user(cause, id, now),
        }
    }

    fn forget_user(&mut self, cause: &Cause, id: &str, now: i64) {
        self.end_sessions(cause, id, now);
        self.pass_on(cause, id, now);
        self.end_things(cause, id, now);
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

    /// Gives to somebody else what passes on when its user is deleted. Whoever knows a secret still knows it.
    fn pass_on(&mut self, cause: &Cause, id: &str, now: i64) {
        let Some(heir) = self.heir(id) else { return };
        let passing = [(Behaviour::BotSurvivor, AUTOMATIONS), (Behaviour::OwnerInherits, OWNED)];
        for (behaviour, class) in passing {
            if !self.is(behaviour) {
                continue;
            }
            let theirs = self.truth.things_of(class).filter(|thing| thing.holder == id);
            for thing in theirs.map(|thing| thing.id.clone()).collect::<Vec<_>>() {
                let (from, to) = (id.to_owned(), heir.clone());
                self.commit(cause, Change::ThingPassed { thing, from, to, secret: None }, now);
            }
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

fn manager_of(user: &User) -> Option<&str> {
    let urn = crate::scim::schema::ResourceKind::User.extension()?.urn;
    user.attributes.get(urn)?.get("manager")?.get("value")?.as_str()
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
