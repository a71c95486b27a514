//! The state of one system and the only ways in which it can change.
//!
//! A [`World`] is changed by applying a [`Change`] and in no other way, so the ledger, the delayed membership of
//! `async-members` and the lagging copy of `stale-read` are all the same list of changes, applied at different
//! times. What a deactivation *means* is not decided here: see `lifecycle`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    held::{Entered, Thing},
    mint::Secret,
};

/// Life of an API token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenStatus {
    /// Works.
    Active,
    /// Does not work now; works again if the user is re-activated before it is purged.
    Suspended,
    /// Never works again.
    Revoked,
}

#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_ms: i64,
    pub(crate) status: TokenStatus,
    pub(crate) purges_at_ms: Option<i64>,
    pub(crate) secret: Secret,
}

#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) created_ms: i64,
    pub(crate) secret: Secret,
}

#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) created_ms: i64,
    pub(crate) modified_ms: i64,
    pub(crate) version: u64,
    /// Deleted softly: there, but not shown.
    pub(crate) hidden: bool,
    /// SCIM attributes by canonical name; always has `userName`.
    pub(crate) attributes: Map<String, Value>,
    pub(crate) licences: BTreeSet<String>,
    pub(crate) tokens: BTreeMap<String, Token>,
    pub(crate) sessions: BTreeMap<String, Session>,
}

impl User {
    /// A user without the attribute is active: a PATCH can remove it.
    pub(crate) fn active(&self) -> bool {
        self.attributes.get("active").and_then(Value::as_bool).unwrap_or(true)
    }

    pub(crate) fn user_name(&self) -> &str {
        self.attributes.get("userName").and_then(Value::as_str).unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum MemberKind {
    User,
    Group,
}

#[derive(Clone)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) created_ms: i64,
    pub(crate) modified_ms: i64,
    pub(crate) version: u64,
    /// SCIM attributes by canonical name, without `members`.
    pub(crate) attributes: Map<String, Value>,
    pub(crate) members: BTreeMap<String, MemberKind>,
}

impl Group {
    pub(crate) fn display_name(&self) -> &str {
        self.attributes.get("displayName").and_then(Value::as_str).unwrap_or_default()
    }
}

/// A change of one thing.
#[derive(Clone)]
pub(crate) enum Change {
    UserCreated {
        id: String,
        attributes: Map<String, Value>,
    },
    /// The attributes become these; `touched` names those that differ.
    UserChanged {
        id: String,
        attributes: Map<String, Value>,
        touched: Vec<String>,
    },
    UserHidden {
        id: String,
    },
    UserDeleted {
        id: String,
    },
    GroupCreated {
        id: String,
        attributes: Map<String, Value>,
    },
    GroupChanged {
        id: String,
        attributes: Map<String, Value>,
        touched: Vec<String>,
    },
    GroupDeleted {
        id: String,
    },
    MemberAdded {
        group: String,
        member: String,
        kind: MemberKind,
    },
    MemberRemoved {
        group: String,
        member: String,
        kind: MemberKind,
    },
    LicenceAssigned {
        user: String,
        sku: String,
    },
    LicenceRemoved {
        user: String,
        sku: String,
    },
    TokenCreated {
        user: String,
        token: Token,
    },
    TokenSuspended {
        user: String,
        token: String,
        purges_at_ms: i64,
    },
    TokenResumed {
        user: String,
        token: String,
    },
    TokenRevoked {
        user: String,
        token: String,
    },
    /// Revokes the token if it is still the suspension that was scheduled.
    TokenPurged {
        user: String,
        token: String,
        purges_at_ms: i64,
    },
    SessionStarted {
        user: String,
        session: Session,
    },
    SessionEnded {
        user: String,
        session: String,
    },
    ThingMade {
        thing: Thing,
    },
    /// Somebody else has it from now on, with another secret if one is given.
    ThingPassed {
        thing: String,
        from: String,
        to: String,
        secret: Option<Secret>,
    },
    ThingEnded {
        thing: String,
        holder: String,
    },
    GrantIssued {
        grant: Grant,
    },
    GrantRevoked {
        name: String,
    },
}

/// The grant of one integration: an OAuth token that its vendor issued.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) name: String,
    pub(crate) secret: Secret,
    /// Or it may only GET.
    pub(crate) writes: bool,
    pub(crate) alive: bool,
}

/// What a secret belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    Token,
    Session,
}

#[derive(Clone, Default)]
pub(crate) struct World {
    users: BTreeMap<String, User>,
    /// How many of them are hidden.
    hidden: usize,
    groups: BTreeMap<String, Group>,
    /// Member (user or group) to the groups it is directly in.
    parents: BTreeMap<String, BTreeSet<String>>,
    /// Lower-case `userName` to user id; hidden users keep theirs.
    names: BTreeMap<String, String>,
    /// `externalId` to ids, users and groups together.
    external: BTreeMap<String, BTreeSet<String>>,
    /// The grants of integrations, by name, the revoked ones too.
    grants: BTreeMap<String, Grant>,
    /// Things of every other class, by id.
    things: BTreeMap<String, Thing>,
    /// Secret to holder, user id and credential id.
    secrets: BTreeMap<Secret, (Holder, String, String)>,
}

impl World {
    /// Every user, the hidden ones too, by id.
    pub(crate) fn all_users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// The ids of the users that the system shows, in order. Where nobody is hidden, no user is looked at.
    pub(crate) fn shown_ids(&self) -> Vec<&str> {
        let all = self.users.iter().filter(|(_, user)| self.hidden == 0 || !user.hidden);
        all.map(|(id, _)| id.as_str()).collect()
    }

    /// A user that the system shows.
    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.get(id).filter(|user| !user.hidden)
    }

    /// A user, shown or not.
    pub(crate) fn any_user(&self, id: &str) -> Option<&User> {
        self.users.get(id)
    }

    /// Who holds a `userName`, compared without case (RFC 7643 §4.1.1), shown or not.
    pub(crate) fn user_named(&self, user_name: &str) -> Option<&User> {
        self.names.get(&user_name.to_lowercase()).and_then(|id| self.users.get(id))
    }

    pub(crate) fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(id)
    }

    /// Ids of users and groups with this `externalId`.
    pub(crate) fn with_external_id(&self, external_id: &str) -> impl Iterator<Item = &String> {
        self.external.get(external_id).into_iter().flatten()
    }

    /// Groups that a user or group is directly in.
    pub(crate) fn parents(&self, member: &str) -> impl Iterator<Item = &Group> {
        self.parents.get(member).into_iter().flatten().filter_map(|id| self.groups.get(id))
    }

    /// Ids of the groups that a user or group is in, directly or through nesting; terminates on cycles.
    pub(crate) fn effective_groups(&self, member: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![member];
        while let Some(next) = open.pop() {
            for parent in self.parents.get(next).into_iter().flatten() {
                if found.insert(parent.clone()) {
                    open.push(parent);
                }
            }
        }
        found
    }

    /// What kind of thing could be a member under this id: a shown user or a group.
    pub(crate) fn member_kind(&self, id: &str) -> Option<MemberKind> {
        if self.user(id).is_some() {
            Some(MemberKind::User)
        } else {
            self.groups.contains_key(id).then_some(MemberKind::Group)
        }
    }

    /// Every grant, by name.
    pub(crate) fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.values()
    }

    /// The grant behind a secret, if it works now.
    pub(crate) fn grant(&self, secret: &str) -> Option<&Grant> {
        self.grants.values().find(|grant| grant.alive && grant.secret.expose() == secret)
    }

    /// Everything of a class, by id.
    pub(crate) fn things_of<'a>(&'a self, class: &'a str) -> impl Iterator<Item = &'a Thing> {
        self.things.values().filter(move |thing| thing.class == class)
    }

    /// Every thing, by id.
    pub(crate) fn things(&self) -> impl Iterator<Item = &Thing> {
        self.things.values()
    }

    /// Whom a secret lets in, if it works now. Only the credential counts: one that is active on an inactive, hidden
    /// or forgotten user works, which is what makes leftovers dangerous.
    pub(crate) fn entered(&self, secret: &str) -> Option<Entered<'_>> {
        if let Some(thing) = self.things.values().find(|thing| thing.secret.expose() == secret) {
            return Some(Entered { who: &thing.holder, kind: &thing.class, credential: &thing.id });
        }
        let (holder, user, credential) = self.secrets.get(secret)?;
        self.live(user, credential).then_some(())?;
        let kind = match holder {
            Holder::Token => "token",
            Holder::Session => "session",
        };
        Some(Entered { who: user, kind, credential })
    }

    /// Whether a token or session of a user works now.
    pub(crate) fn live(&self, user: &str, credential: &str) -> bool {
        self.users.get(user).is_some_and(|user| {
            user.sessions.contains_key(credential)
                || user.tokens.get(credential).is_some_and(|token| token.status == TokenStatus::Active)
        })
    }

    /// Applies a change at a time; false if there was nothing to change.
    pub(crate) fn apply(&mut self, change: &Change, at_ms: i64) -> bool {
        match change {
            Change::UserCreated { id, attributes } => self.create_user(id, attributes, at_ms),
            Change::UserChanged { id, attributes, .. } => self.change_user(id, attributes, false, at_ms),
            Change::UserHidden { id } => {
                let Some(user) = self.users.get(id) else { return false };
                let mut attributes = user.attributes.clone();
                attributes.insert("active".into(), Value::Bool(false));
                self.change_user(id, &attributes, true, at_ms)
            }
            Change::UserDeleted { id } => self.delete_user(id),
            Change::GroupCreated { id, attributes } => self.create_group(id, attributes, at_ms),
            Change::GroupChanged { id, attributes, .. } => self.change_group(id, attributes, at_ms),
            Change::GroupDeleted { id } => self.delete_group(id),
            Change::MemberAdded { group, member, kind } => self.add_member(group, member, *kind, at_ms),
            Change::MemberRemoved { group, member, .. } => self.remove_member(group, member, at_ms),
            Change::LicenceAssigned { user, sku } => {
                self.users.get_mut(user).is_some_and(|user| user.licences.insert(sku.clone()))
            }
            Change::LicenceRemoved { user, sku } => {
                self.users.get_mut(user).is_some_and(|user| user.licences.remove(sku))
            }
            Change::TokenCreated { user, token } => self.add_token(user, token),
            Change::TokenSuspended { user, token, purges_at_ms } => {
                self.set_token(user, token, TokenStatus::Active, TokenStatus::Suspended, Some(*purges_at_ms))
            }
            Change::TokenResumed { user, token } => {
                self.set_token(user, token, TokenStatus::Suspended, TokenStatus::Active, None)
            }
            Change::TokenRevoked { user, token } => {
                self.set_token(user, token, TokenStatus::Active, TokenStatus::Revoked, None)
                    || self.set_token(user, token, TokenStatus::Suspended, TokenStatus::Revoked, None)
            }
            Change::TokenPurged { user, token, purges_at_ms } => {
                let scheduled = self.token(user, token).and_then(|token| token.purges_at_ms);
                scheduled == Some(*purges_at_ms)
                    && self.set_token(user, token, TokenStatus::Suspended, TokenStatus::Revoked, None)
            }
            Change::SessionStarted { user, session } => self.add_session(user, session),
            Change::ThingMade { thing } => {
                self.things.insert(thing.id.clone(), thing.clone());
                true
            }
            Change::ThingPassed { thing, to, secret, .. } => {
                let Some(thing) = self.things.get_mut(thing) else { return false };
                thing.holder.clone_from(to);
                if let Some(secret) = secret {
                    thing.secret = secret.clone();
                }
                true
            }
            Change::ThingEnded { thing, .. } => self.things.remove(thing).is_some(),
            Change::GrantIssued { grant } => {
                self.grants.insert(grant.name.clone(), grant.clone());
                true
            }
            Change::GrantRevoked { name } => {
                let grant = self.grants.get_mut(name).filter(|grant| grant.alive);
                grant.map(|grant| grant.alive = false).is_some()
            }
            Change::SessionEnded { user, session } => {
                let ended = self.users.get_mut(user).and_then(|user| user.sessions.remove(session));
                ended.is_some_and(|session| self.secrets.remove(&session.secret).is_some())
            }
        }
    }

    fn create_user(&mut self, id: &str, attributes: &Map<String, Value>, at_ms: i64) -> bool {
        let user = User {
            id: id.to_owned(),
            created_ms: at_ms,
            modified_ms: at_ms,
            version: 1,
            hidden: false,
            attributes: attributes.clone(),
            licences: BTreeSet::new(),
            tokens: BTreeMap::new(),
            sessions: BTreeMap::new(),
        };
        self.names.insert(user.user_name().to_lowercase(), id.to_owned());
        self.index_external(id, attributes);
        self.users.insert(id.to_owned(), user);
        true
    }

    fn change_user(&mut self, id: &str, attributes: &Map<String, Value>, hidden: bool, at_ms: i64) -> bool {
        let Some(user) = self.users.get_mut(id) else { return false };
        if user.attributes == *attributes && user.hidden == hidden {
            return false;
        }
        let old = std::mem::replace(&mut user.attributes, attributes.clone());
        self.hidden = self.hidden + usize::from(hidden) - usize::from(user.hidden);
        user.hidden = hidden;
        user.version += 1;
        user.modified_ms = at_ms;
        let name = user.user_name().to_lowercase();
        if let Some(old) = old.get("userName").and_then(Value::as_str) {
            self.names.remove(&old.to_lowercase());
        }
        self.names.insert(name, id.to_owned());
        self.unindex_external(id, &old);
        self.index_external(id, attributes);
        true
    }

    fn delete_user(&mut self, id: &str) -> bool {
        let Some(user) = self.users.remove(id) else { return false };
        self.hidden -= usize::from(user.hidden);
        self.names.remove(&user.user_name().to_lowercase());
        self.unindex_external(id, &user.attributes);
        for secret in user.tokens.values().map(|t| &t.secret).chain(user.sessions.values().map(|s| &s.secret))
        {
            self.secrets.remove(secret);
        }
        self.forget_member(id);
        true
    }

    fn create_group(&mut self, id: &str, attributes: &Map<String, Value>, at_ms: i64) -> bool {
        let group = Group {
            id: id.to_owned(),
            created_ms: at_ms,
            modified_ms: at_ms,
            version: 1,
            attributes: attributes.clone(),
            members: BTreeMap::new(),
        };
        self.index_external(id, attributes);
        self.groups.insert(id.to_owned(), group);
        true
    }

    fn change_group(&mut self, id: &str, attributes: &Map<String, Value>, at_ms: i64) -> bool {
        let Some(group) = self.groups.get_mut(id) else { return false };
        if group.attributes == *attributes {
            return false;
        }
        let old = std::mem::replace(&mut group.attributes, attributes.clone());
        group.version += 1;
        group.modified_ms = at_ms;
        self.unindex_external(id, &old);
        self.index_external(id, attributes);
        true
    }

    fn delete_group(&mut self, id: &str) -> bool {
        let Some(group) = self.groups.remove(id) else { return false };
        self.unindex_external(id, &group.attributes);
        for member in group.members.keys() {
            self.unlink(id, member);
        }
        self.forget_member(id);
        true
    }

    fn add_member(&mut self, group: &str, member: &str, kind: MemberKind, at_ms: i64) -> bool {
        if self.member_kind(member).is_none() {
            return false;
        }
        let Some(group) = self.groups.get_mut(group) else { return false };
        if group.members.insert(member.to_owned(), kind).is_some() {
            return false;
        }
        group.version += 1;
        group.modified_ms = at_ms;
        self.parents.entry(member.to_owned()).or_default().insert(group.id.clone());
        self.bump(member);
        true
    }

    fn remove_member(&mut self, group: &str, member: &str, at_ms: i64) -> bool {
        let Some(found) = self.groups.get_mut(group) else { return false };
        if found.members.remove(member).is_none() {
            return false;
        }
        found.version += 1;
        found.modified_ms = at_ms;
        self.unlink(group, member);
        true
    }

    fn unlink(&mut self, group: &str, member: &str) {
        if let Some(parents) = self.parents.get_mut(member) {
            parents.remove(group);
            if parents.is_empty() {
                self.parents.remove(member);
            }
        }
        self.bump(member);
    }

    /// A user's representation shows its groups, so its version changes with them.
    fn bump(&mut self, member: &str) {
        if let Some(user) = self.users.get_mut(member) {
            user.version += 1;
        }
    }

    fn forget_member(&mut self, member: &str) {
        for group in self.parents.remove(member).unwrap_or_default() {
            if let Some(group) = self.groups.get_mut(&group) {
                group.members.remove(member);
                group.version += 1;
            }
        }
    }

    fn token(&self, user: &str, token: &str) -> Option<&Token> {
        self.users.get(user)?.tokens.get(token)
    }

    fn add_token(&mut self, user: &str, token: &Token) -> bool {
        let Some(held) = self.users.get_mut(user) else { return false };
        held.tokens.insert(token.id.clone(), token.clone());
        self.secrets.insert(token.secret.clone(), (Holder::Token, user.to_owned(), token.id.clone()));
        true
    }

    fn add_session(&mut self, user: &str, session: &Session) -> bool {
        let Some(held) = self.users.get_mut(user) else { return false };
        held.sessions.insert(session.id.clone(), session.clone());
        self.secrets.insert(session.secret.clone(), (Holder::Session, user.to_owned(), session.id.clone()));
        true
    }

    fn set_token(
        &mut self,
        user: &str,
        token: &str,
        from: TokenStatus,
        to: TokenStatus,
        purges_at_ms: Option<i64>,
    ) -> bool {
        let held = self.users.get_mut(user).and_then(|user| user.tokens.get_mut(token));
        let Some(token) = held.filter(|token| token.status == from) else { return false };
        token.status = to;
        token.purges_at_ms = purges_at_ms;
        true
    }

    fn index_external(&mut self, id: &str, attributes: &Map<String, Value>) {
        if let Some(external) = attributes.get("externalId").and_then(Value::as_str) {
            self.external.entry(external.to_owned()).or_default().insert(id.to_owned());
        }
    }

    fn unindex_external(&mut self, id: &str, attributes: &Map<String, Value>) {
        let Some(external) = attributes.get("externalId").and_then(Value::as_str) else { return };
        let Some(ids) = self.external.get_mut(external) else { return };
        ids.remove(id);
        if ids.is_empty() {
            self.external.remove(external);
        }
    }
}
