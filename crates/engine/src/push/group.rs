//! A group that is pushed: a document, and a row for each member. One more member costs the same in any group.
//!
//! A group is the caller's own. Where configuration says so, the names of some of them are an attribute of who is in
//! them: then that somebody comes into one or goes is an event of theirs.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    contract::{Arrival, Intake, Known, OfFired},
    digest::Digest,
    event::EventKind,
    id::{IntegrationName, PushedGroupId, PushedUserId},
    identity::{Identity, Lifecycle},
    record::RecordKind,
    time::Effective,
};
use bailiwick_store::{
    Entity, Filter, Select, Stored, Table, Tx, Update,
    entities::{MemberKind, PushedGroup, PushedMember, PushedUser},
    get, select,
};
use serde_json::{Map, Value};

use super::{
    Heard, PushRefusal, Pushing,
    user::{NotTaken, set},
};
use crate::{Engine, EngineError, Result, intake::known_by};

/// How many rows one record explains.
const EXPLAINED: usize = 500;

/// The groups whose names are an attribute of their members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRule {
    /// The attribute, a set of texts.
    pub attribute: String,
    /// The names that count.
    pub names: BTreeSet<String>,
}

/// Who goes out of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// These.
    These(BTreeSet<String>),
    /// Everybody who is not added.
    Others,
}

/// What is said of one group.
#[derive(Debug, Clone)]
pub struct GroupWrite {
    /// Which, at the revision that was read; `None` is a new one.
    pub of: Option<(PushedGroupId, i64)>,
    /// What it is called.
    pub display_name: String,
    /// The caller's own id.
    pub external: Option<String>,
    /// All of what was said but the members, to be read back.
    pub document: Map<String, Value>,
    /// Who comes in, by id.
    pub added: BTreeSet<String>,
    /// Who goes out.
    pub removed: Removed,
    /// How it was said: `create`, `replace`, `patch`.
    pub said: &'static str,
    /// Which groups are an attribute.
    pub rule: Option<GroupRule>,
}

/// Which rows of members come and go.
struct Moves {
    come: Vec<PushedMember>,
    go: Vec<Stored<PushedMember>>,
}

impl Engine {
    /// Takes what a caller says of a group.
    ///
    /// # Errors
    /// As of [`push_user`](Self::push_user).
    pub async fn push_group(
        &self,
        caller: &IntegrationName,
        write: GroupWrite,
    ) -> Result<Stored<PushedGroup>> {
        let mut tx = self.begin().await?;
        let pushing = self.pusher(&mut *tx, caller).await?;
        let before = self.pushed_group(&mut *tx, &pushing, write.of).await?;
        let now = self.now();
        let id = before.as_ref().map_or_else(|| PushedGroupId::new(now, self.entropy()), |b| b.value.id);
        let moves = self.moves(&mut *tx, &pushing, id, &write).await?;
        let group = PushedGroup {
            id,
            source: pushing.source().clone(),
            display_name: write.display_name,
            external: write.external,
            document: write.document,
            created: before.as_ref().map_or(now, |stored| stored.value.created),
            modified: now,
        };
        if let Some(before) = &before {
            let same = PushedGroup { modified: before.value.modified, ..group.clone() } == before.value;
            if same && moves.come.is_empty() && moves.go.is_empty() {
                return Ok(Stored { value: before.value.clone(), revision: before.revision });
            }
        }
        let record =
            self.pushed_record(&pushing, RecordKind::Pushed).fact("resource", id).fact("said", write.said);
        let update = Update::new(record);
        let (update, revision) = match &before {
            Some(before) => (update.replace(&group, before.revision, self.entropy()), before.revision + 1),
            None => (update.insert(&group, self.entropy()), 1),
        };
        let was = before.as_ref().map(|stored| stored.value.display_name.as_str());
        let names = (was, Some(group.display_name.as_str()));
        let touched = self.touched(&mut *tx, id, &moves, names, write.rule.as_ref()).await?;
        self.write_moves(&mut *tx, &pushing, id, update, moves).await?;
        self.follow_groups(tx, &pushing, touched, write.rule.as_ref()).await?;
        Ok(Stored { value: group, revision })
    }

    /// A caller takes a group away.
    ///
    /// # Errors
    /// As of [`push_user`](Self::push_user).
    pub async fn push_group_gone(
        &self,
        caller: &IntegrationName,
        (group, revision): (PushedGroupId, i64),
        rule: Option<&GroupRule>,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let pushing = self.pusher(&mut *tx, caller).await?;
        let Some(before) = self.pushed_group(&mut *tx, &pushing, Some((group, revision))).await? else {
            return Err(no_group(group));
        };
        let mut moves = Moves { come: Vec::new(), go: self.members(&mut *tx, group).await? };
        let touched =
            self.touched(&mut *tx, group, &moves, (Some(&before.value.display_name), None), rule).await?;
        // It may itself be in others.
        let key = PushedGroup::key_of(pushing.source(), group);
        let asked = Select::from(Table::PushedMembers).filter(Filter::Is("member", key.as_str().into()));
        moves.go.extend(select::<PushedMember>(&mut *tx, self.tenant(), asked).await?);
        let record =
            self.pushed_record(&pushing, RecordKind::Pushed).fact("resource", group).fact("said", "delete");
        let update = Update::new(record).delete::<PushedGroup>(&key, before.revision);
        self.write_moves(&mut *tx, &pushing, group, update, moves).await?;
        self.follow_groups(tx, &pushing, touched, rule).await
    }

    async fn pushed_group(
        &self,
        tx: &mut dyn Tx,
        pushing: &Pushing,
        of: Option<(PushedGroupId, i64)>,
    ) -> Result<Option<Stored<PushedGroup>>> {
        let Some((id, revision)) = of else { return Ok(None) };
        let key = PushedGroup::key_of(pushing.source(), id);
        let found = get::<PushedGroup>(tx, self.tenant(), &key).await?.ok_or_else(|| no_group(id))?;
        match found.revision == revision {
            true => Ok(Some(found)),
            false => Err(PushRefusal::Stale(id.to_string()).into()),
        }
    }

    async fn members(&self, tx: &mut dyn Tx, group: PushedGroupId) -> Result<Vec<Stored<PushedMember>>> {
        let of = Filter::Is("group_id", group.to_string().into());
        Ok(select(tx, self.tenant(), Select::from(Table::PushedMembers).filter(of)).await?)
    }

    /// What of the members is new and what goes. Only the rows of who comes and goes are read, unless all are replaced.
    async fn moves(
        &self,
        tx: &mut dyn Tx,
        pushing: &Pushing,
        id: PushedGroupId,
        write: &GroupWrite,
    ) -> Result<Moves> {
        let row = |member: &String| PushedMember::key_of(pushing.source(), id, member);
        let named = |members: &BTreeSet<String>| {
            let keys = members.iter().map(|member| row(member).into()).collect();
            Select::from(Table::PushedMembers).filter(Filter::In("id", keys))
        };
        let (there, go) = match &write.removed {
            Removed::Others => {
                let all = self.members(tx, id).await?;
                let (stay, go): (Vec<_>, Vec<_>) =
                    all.into_iter().partition(|stored| write.added.contains(&stored.value.member));
                (stay, go)
            }
            Removed::These(these) => {
                let out: BTreeSet<String> = these.difference(&write.added).cloned().collect();
                let there = select::<PushedMember>(tx, self.tenant(), named(&write.added)).await?;
                (there, select::<PushedMember>(tx, self.tenant(), named(&out)).await?)
            }
        };
        let there: BTreeSet<&String> = there.iter().map(|stored| &stored.value.member).collect();
        let new: Vec<&String> = write.added.iter().filter(|member| !there.contains(member)).collect();
        let kinds = self.kinds_of(tx, pushing, id, &new).await?;
        let come = kinds.into_iter().map(|(member, kind)| PushedMember {
            source: pushing.source().clone(),
            group: id,
            member,
            kind,
        });
        Ok(Moves { come: come.collect(), go })
    }

    /// What these ids are here; one that is nothing here, or the group itself, is refused.
    async fn kinds_of(
        &self,
        tx: &mut dyn Tx,
        pushing: &Pushing,
        own: PushedGroupId,
        members: &[&String],
    ) -> Result<BTreeMap<String, MemberKind>> {
        let mut kinds = BTreeMap::new();
        let (mut users, mut groups) = (Vec::new(), Vec::new());
        for member in members {
            if let Ok(user) = member.parse::<PushedUserId>() {
                users.push(PushedUser::key_of(pushing.source(), user).into());
            } else if let Some(group) = member.parse::<PushedGroupId>().ok().filter(|group| *group != own) {
                groups.push(PushedGroup::key_of(pushing.source(), group).into());
            }
        }
        for (table, keys, kind) in
            [(Table::PushedUsers, users, MemberKind::User), (Table::PushedGroups, groups, MemberKind::Group)]
        {
            if keys.is_empty() {
                continue;
            }
            let rows = tx.select(self.tenant(), Select::from(table).filter(Filter::In("id", keys))).await?;
            let ids = rows.iter().filter_map(|row| row.id.split_once('/'));
            kinds.extend(ids.map(|(_, id)| (id.to_owned(), kind)));
        }
        match members.iter().find(|member| !kinds.contains_key(**member)) {
            Some(unknown) => Err(PushRefusal::NoMember((*unknown).clone()).into()),
            None => Ok(kinds),
        }
    }

    /// Whose attribute may be another: who comes or goes, or all where the name of the group is another.
    async fn touched(
        &self,
        tx: &mut dyn Tx,
        group: PushedGroupId,
        moves: &Moves,
        (was, is): (Option<&str>, Option<&str>),
        rule: Option<&GroupRule>,
    ) -> Result<BTreeSet<String>> {
        let counts = |name: Option<&str>| {
            name.filter(|name| rule.is_some_and(|rule| rule.names.contains(*name))).map(str::to_owned)
        };
        if counts(was).or(counts(is)).is_none() {
            return Ok(BTreeSet::new());
        }
        let come = moves.come.iter();
        let mut all: Vec<PushedMember> =
            come.cloned().chain(moves.go.iter().map(|stored| stored.value.clone())).collect();
        if counts(was) != counts(is) {
            all.extend(self.members(tx, group).await?.into_iter().map(|stored| stored.value));
        }
        Ok(all.into_iter().filter(|m| m.kind == MemberKind::User).map(|m| m.member).collect())
    }

    async fn write_moves(
        &self,
        tx: &mut dyn Tx,
        pushing: &Pushing,
        group: PushedGroupId,
        first: Update,
        moves: Moves,
    ) -> Result<()> {
        let mut updates = vec![first];
        let mut room = EXPLAINED;
        let mut with = |add: &dyn Fn(Update) -> Update| {
            if room == 0 {
                let record = self.pushed_record(pushing, RecordKind::Pushed).fact("resource", group);
                updates.push(Update::new(record));
                room = EXPLAINED;
            }
            room -= 1;
            if let Some(last) = updates.pop() {
                updates.push(add(last));
            }
        };
        for member in &moves.come {
            with(&|update| update.insert(member, self.entropy()));
        }
        for Stored { value, revision } in &moves.go {
            with(&|update| update.delete::<PushedMember>(&value.key(), *revision));
        }
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    /// The names of the groups that count and that somebody is in.
    pub(super) async fn groups_of(
        &self,
        tx: &mut dyn Tx,
        pushing: &Pushing,
        user: &str,
        rule: &GroupRule,
    ) -> Result<BTreeSet<String>> {
        let key = format!("{}/{user}", pushing.source());
        let asked = Select::from(Table::PushedMembers).filter(Filter::Is("member", key.into()));
        let rows = select::<PushedMember>(tx, self.tenant(), asked).await?;
        let groups: Vec<_> =
            rows.iter().map(|row| PushedGroup::key_of(pushing.source(), row.value.group).into()).collect();
        if groups.is_empty() {
            return Ok(BTreeSet::new());
        }
        let asked = Select::from(Table::PushedGroups).filter(Filter::In("id", groups));
        let groups = select::<PushedGroup>(tx, self.tenant(), asked).await?;
        let names = groups.into_iter().map(|stored| stored.value.display_name);
        Ok(names.filter(|name| rule.names.contains(name)).collect())
    }

    /// Accepts what the groups make of the attribute of these people, and makes all of it durable; where that is
    /// refused or held, nothing of it is kept.
    async fn follow_groups(
        &self,
        mut tx: Box<dyn Tx>,
        pushing: &Pushing,
        users: BTreeSet<String>,
        rule: Option<&GroupRule>,
    ) -> Result<()> {
        let Some(rule) = rule.filter(|_| !users.is_empty()) else { return Ok(tx.commit().await?) };
        let mut before: BTreeMap<String, Stored<Identity>> = BTreeMap::new();
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        let mut read =
            Intake { arrivals: Vec::new(), unchanged: 0, fired: OfFired::default(), breaches: Vec::new() };
        for user in users {
            let Some(stored) = self.identity_of(&mut *tx, pushing, &user).await? else { continue };
            let own = known_by(&stored.value, pushing.source(), &user, None);
            // Who has left holds nothing; when they are back they are asked for their groups.
            if let Lifecycle::Left { .. } = own.lifecycle {
                continue;
            }
            let names = self.groups_of(&mut *tx, pushing, &user, rule).await?;
            let mut attributes = own.attributes.clone();
            match set(names) {
                Some(names) => drop(attributes.insert(rule.attribute.clone(), names)),
                None => drop(attributes.remove(&rule.attribute)),
            }
            if attributes == own.attributes {
                continue;
            }
            read.arrivals.push(Arrival {
                key: user.clone(),
                kind: EventKind::Changed { attributes: vec![rule.attribute.clone()] },
                attributes,
                lifecycle: own.lifecycle.clone(),
                effective: Effective::at(self.now()),
                cancelled: own.cancelled.clone(),
                digest: None,
            });
            known.insert(user.clone(), own);
            before.insert(user, stored);
        }
        let becomes: Vec<_> = read.arrivals.iter().map(|a| (&a.key, &a.attributes)).collect();
        let said = Digest::of_value(&("pushed-groups-v1", becomes));
        match self.heard(&mut *tx, pushing, &known, said, read).await? {
            Heard::Taken(read) => {
                self.take_heard(&mut *tx, pushing, &before, &[], read).await?;
                Ok(tx.commit().await?)
            }
            heard @ (Heard::Outside(_) | Heard::Held { .. }) => {
                drop(tx);
                Err(self.not_taken(pushing, NotTaken { heard, said }).await?)
            }
        }
    }

    async fn identity_of(
        &self,
        tx: &mut dyn Tx,
        pushing: &Pushing,
        user: &str,
    ) -> Result<Option<Stored<Identity>>> {
        let key = format!("{}/{user}", pushing.source());
        let user = get::<PushedUser>(tx, self.tenant(), &key).await?;
        match user.and_then(|stored| stored.value.identity) {
            // By the key: whoever was joined to somebody is that one now.
            Some(_) => self.by_source_key(tx, &key).await,
            None => Ok(None),
        }
    }
}

fn no_group(id: PushedGroupId) -> EngineError {
    EngineError::NotFound { kind: "group", name: id.to_string() }
}
