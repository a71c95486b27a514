//! Seeding: what an administrator does to a system behind the hub's back.
//!
//! A seed says what should be there; applying it twice changes nothing the second time, except that tokens and sessions
//! are new each time. It works on the truth at once, without the system's delays, and every effect is in the ledger
//! under the back door's credential. Nothing follows from it: deactivating a user here revokes nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    LabError,
    held::{NewThing, new_thing},
    ledger::Cause,
    lifecycle::touched,
    mint::Secret,
    scim::{document, schema::ResourceKind},
    system::System,
    vendor::{new_session, new_token},
    world::{Change, Grant, MemberKind},
};

/// What should be there. Applied in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Seed {
    /// Users as SCIM attributes (`schemas` may be left out); one that has the `userName` already gets the attributes
    /// given and keeps the others.
    pub users: Vec<Map<String, Value>>,
    /// Groups; one that has the `displayName` already gets the members on top of its own.
    pub groups: Vec<SeedGroup>,
    /// Licences to assign.
    pub licences: Vec<SeedLicence>,
    /// API tokens to create.
    pub tokens: Vec<SeedToken>,
    /// `userName`s or ids of users to log in.
    pub sessions: Vec<String>,
    /// Things of other classes to make.
    pub held: Vec<SeedThing>,
    /// Grants of further integrations to issue: name, and what to present as bearer. They may write.
    pub grants: Vec<(String, String)>,
    /// Memberships to take away: group and member.
    pub leave: Vec<(String, String)>,
    /// `userName`s or ids of users to delete for good.
    pub delete: Vec<String>,
}

/// A group to be there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedGroup {
    /// Its `displayName`.
    pub name: String,
    /// Its id, if it is new and the id is not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its `externalId`, if it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// `userName`s, `displayName`s of groups, or ids.
    #[serde(default)]
    pub members: Vec<String>,
}

/// A licence to be held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedLicence {
    /// `userName` or id.
    pub user: String,
    /// The licence.
    pub sku: String,
}

/// An API token to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedToken {
    /// `userName` or id.
    pub user: String,
    /// Its name.
    pub name: String,
}

/// Something of another class to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedThing {
    /// Its class: letters, digits and `-`.
    pub class: String,
    /// `userName` or id of whom it lets in or acts for, or whoever else that is.
    pub holder: String,
    /// Its name.
    pub name: String,
    /// `userName` or id of who made it, if that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<String>,
    /// `userName` or id of the user on whose things it gives a right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// After how many minutes it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<i64>,
}

/// What a seed made. No `Debug`: it carries the secrets of the credentials it created.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Seeded {
    /// `userName` as given to id.
    pub users: BTreeMap<String, String>,
    /// `displayName` as given to id.
    pub groups: BTreeMap<String, String>,
    /// The tokens, in the order of the seed.
    pub tokens: Vec<SeededCredential>,
    /// The sessions, in the order of the seed.
    pub sessions: Vec<SeededCredential>,
    /// The things, in the order of the seed; the user is who holds it.
    #[serde(default)]
    pub held: Vec<SeededCredential>,
}

/// A credential that a seed created. No `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct SeededCredential {
    /// Id of the user.
    pub user: String,
    /// Id of the token or session.
    pub id: String,
    /// What to present as bearer.
    pub secret: String,
}

impl System {
    /// Applies a seed. On an error, what came before the offending entry stays.
    pub(crate) fn seed(&mut self, seed: &Seed, cause: &Cause, now: i64) -> Result<Seeded, LabError> {
        let mut seeded = Seeded::default();
        for user in &seed.users {
            let (name, id) = self.seed_user(user, cause, now)?;
            seeded.users.insert(name, id);
        }
        for group in &seed.groups {
            let id = self.seed_group(group, cause, now);
            seeded.groups.insert(group.name.clone(), id);
        }
        // Members only after every group is there, so that a group can name one that comes later.
        for group in &seed.groups {
            let id = self.seed_group(group, cause, now);
            for member in &group.members {
                let (member, kind) = self.seeded_member(member)?;
                self.commit(cause, Change::MemberAdded { group: id.clone(), member, kind }, now);
            }
        }
        for SeedLicence { user, sku } in &seed.licences {
            let user = self.seeded_user(user)?;
            self.commit(cause, Change::LicenceAssigned { user, sku: sku.clone() }, now);
        }
        for SeedToken { user, name } in &seed.tokens {
            let user = self.seeded_user(user)?;
            let token = new_token(self, name.clone(), now);
            let (id, secret) = (token.id.clone(), token.secret.expose().to_owned());
            self.commit(cause, Change::TokenCreated { user: user.clone(), token }, now);
            seeded.tokens.push(SeededCredential { user, id, secret });
        }
        for user in &seed.sessions {
            let user = self.seeded_user(user)?;
            let session = new_session(self, now);
            let (id, secret) = (session.id.clone(), session.secret.expose().to_owned());
            self.commit(cause, Change::SessionStarted { user: user.clone(), session }, now);
            seeded.sessions.push(SeededCredential { user, id, secret });
        }
        for thing in &seed.held {
            let made = self.seed_thing(thing, cause, now)?;
            seeded.held.push(made);
        }
        for (name, secret) in &seed.grants {
            let (name, secret) = (name.clone(), Secret::of(secret));
            let grant = Grant { name, secret, writes: true, alive: true };
            self.commit(cause, Change::GrantIssued { grant }, now);
        }
        for (group, member) in &seed.leave {
            let (group, _) = self.seeded_member(group)?;
            let (member, kind) = self.seeded_member(member)?;
            self.commit(cause, Change::MemberRemoved { group, member, kind }, now);
        }
        for user in &seed.delete {
            let id = self.seeded_user(user)?;
            self.commit(cause, Change::UserDeleted { id }, now);
        }
        Ok(seeded)
    }

    fn seed_thing(
        &mut self,
        asked: &SeedThing,
        cause: &Cause,
        now: i64,
    ) -> Result<SeededCredential, LabError> {
        let holder = self.seeded_user(&asked.holder).unwrap_or_else(|_| asked.holder.clone());
        let named = |user: &Option<String>| user.as_ref().map(|user| self.seeded_user(user)).transpose();
        let (maker, on) = (named(&asked.maker)?.unwrap_or_else(|| holder.clone()), named(&asked.on)?);
        let asked = NewThing { name: asked.name.clone(), on, minutes: asked.minutes, class: &asked.class };
        let thing = new_thing(self, asked, maker, holder, now);
        let (user, id, secret) = (thing.holder.clone(), thing.id.clone(), thing.secret.expose().to_owned());
        self.commit(cause, Change::ThingMade { thing }, now);
        Ok(SeededCredential { user, id, secret })
    }

    fn seed_user(
        &mut self,
        user: &Map<String, Value>,
        cause: &Cause,
        now: i64,
    ) -> Result<(String, String), LabError> {
        let bad = |text: String| LabError::BadSeed(text);
        let mut user = user.clone();
        user.insert("schemas".into(), json!([ResourceKind::User.core().urn]));
        // A world that was put aside comes back under the ids that its clients know.
        let wanted = user.remove("id").and_then(|id| id.as_str().map(str::to_owned));
        let given_active = document::entry(&user, "active").is_some();
        let body = Value::Object(user).to_string();
        let mut given = document::resource(ResourceKind::User, body.as_bytes())
            .map_err(|refusal| bad(refusal.to_string()))?;
        let name = given.get("userName").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(held) = self.truth.user_named(&name) {
            let id = held.id.clone();
            let mut attributes = held.attributes.clone();
            if !given_active {
                given.remove("active");
            }
            attributes.extend(given);
            let touched = touched(&held.attributes, &attributes);
            self.commit(cause, Change::UserChanged { id: id.clone(), attributes, touched }, now);
            return Ok((name, id));
        }
        let id = self.free_id(wanted);
        self.commit(cause, Change::UserCreated { id: id.clone(), attributes: given }, now);
        Ok((name, id))
    }

    fn seed_group(&mut self, group: &SeedGroup, cause: &Cause, now: i64) -> String {
        if let Some(held) = self.truth.groups().find(|held| held.display_name() == group.name) {
            return held.id.clone();
        }
        let mut attributes = Map::new();
        attributes.insert("displayName".into(), group.name.clone().into());
        if let Some(external_id) = &group.external_id {
            attributes.insert("externalId".into(), external_id.clone().into());
        }
        let id = self.free_id(group.id.clone());
        self.commit(cause, Change::GroupCreated { id: id.clone(), attributes }, now);
        id
    }

    /// The wanted id if nobody has it, or else a new one that nobody has.
    pub(crate) fn free_id(&mut self, wanted: Option<String>) -> String {
        let taken = |system: &Self, id: &str| {
            system.truth.any_user(id).is_some() || system.truth.groups().any(|group| group.id == id)
        };
        let mut id = wanted.unwrap_or_else(|| self.mint.id());
        while taken(self, &id) {
            id = self.mint.id();
        }
        id
    }

    fn seeded_user(&self, user: &str) -> Result<String, LabError> {
        let found = self.truth.any_user(user).or_else(|| self.truth.user_named(user));
        found.map(|user| user.id.clone()).ok_or_else(|| LabError::BadSeed(format!("no user `{user}`")))
    }

    fn seeded_member(&self, member: &str) -> Result<(String, MemberKind), LabError> {
        if let Ok(user) = self.seeded_user(member) {
            return Ok((user, MemberKind::User));
        }
        let mut groups = self.truth.groups();
        let group = groups.find(|group| group.id == member || group.display_name() == member);
        let group = group.ok_or_else(|| LabError::BadSeed(format!("no user or group `{member}`")))?;
        Ok((group.id.clone(), MemberKind::Group))
    }
}
