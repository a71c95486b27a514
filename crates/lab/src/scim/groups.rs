//! `/Groups` (RFC 7643 §4.2): users and groups as members, changed one by one in time that does not depend on how many
//! there are. (An answer that shows `members` does; ask with `excludedAttributes=members`.)
//!
//! `displayName` is not unique, as in the RFC: a repeated POST makes a second group.

use std::collections::BTreeMap;

use axum::http::{StatusCode, header};
use serde_json::{Map, Value};

use super::{
    check_precondition,
    document::{self, complete, normalise, wrong_type},
    filter, is_unmodified, matches,
    paging::{Query, cut},
    patch::{self as patching, Op, Step},
    projection,
    render::{GroupView, Projection, etag},
    resource,
    schema::{Attribute, ResourceKind},
};
use crate::{
    Behaviour,
    exchange::Call,
    lifecycle::touched,
    refusal::Refusal,
    reply::Reply,
    system::System,
    world::{Change, Group, MemberKind, World},
};

const KIND: ResourceKind = ResourceKind::Group;

pub(crate) fn list(system: &System, call: &Call, query: &Query) -> Result<Reply, Refusal> {
    let filter = filter(query, KIND)?;
    let projection = Projection::parse(KIND, query.attributes.as_deref(), query.excluded.as_deref())?;
    let world = system.shown();
    let view = |group: &'_ Group| -> Value {
        GroupView { group, members: &group.members, world, base: &call.base }.render(&projection)
    };
    let pinned: Option<Vec<&Group>> = filter.as_ref().and_then(|filter| {
        let id = filter.pin("id", None).map(|id| world.group(id).into_iter().collect());
        let by_member = || Some(world.parents(filter.pin("members", Some("value"))?).collect());
        let by_external = || {
            let external = filter.pin("externalId", None)?;
            Some(world.with_external_id(external).filter_map(|id| world.group(id)).collect())
        };
        id.or_else(by_member).or_else(by_external)
    });
    let candidates: &mut dyn Iterator<Item = &Group> = match &pinned {
        Some(groups) => &mut groups.iter().copied(),
        None => &mut world.groups(),
    };
    let holds = |group: &&Group| {
        let view = GroupView { group, members: &group.members, world, base: &call.base };
        matches(filter.as_ref(), &view)
    };
    let ids: Vec<&str> = candidates.filter(holds).map(|group| group.id.as_str()).collect();
    let page = cut(system, KIND.endpoint(), query, &ids, call.now)?;
    let resources: Vec<Value> = page.ids.iter().filter_map(|id| world.group(id)).map(view).collect();
    let mut envelope = page.envelope;
    envelope.insert("Resources".into(), resources.into());
    Ok(Reply::json(StatusCode::OK, Value::Object(envelope)))
}

pub(crate) fn create(system: &mut System, call: &Call) -> Result<Reply, Refusal> {
    let projection = projection(call, KIND)?;
    let mut attributes = document::resource(KIND, call.body)?;
    let given = attributes.remove("members").unwrap_or_default();
    let id = system.free_id(None);
    let mut wanted = Wanted::new(system, &id);
    for member in member_ids(&given)? {
        wanted.set(member, true)?;
    }
    let changes = wanted.changes();
    system.commit(&call.cause, Change::GroupCreated { id: id.clone(), attributes }, call.now);
    for change in changes {
        system.commit_member(&call.cause, change, call.now);
    }
    answer(system, call, StatusCode::CREATED, &id, &projection)
}

pub(crate) fn read(system: &System, call: &Call, id: &str) -> Result<Reply, Refusal> {
    let projection = projection(call, KIND)?;
    let world = system.shown();
    let group = found(world, id)?;
    if is_unmodified(call, group.version) {
        return Ok(Reply::empty(StatusCode::NOT_MODIFIED).with(header::ETAG, etag(group.version)));
    }
    let view = GroupView { group, members: &group.members, world, base: &call.base };
    Ok(resource(StatusCode::OK, call, KIND, id, group.version, view.render(&projection)))
}

pub(crate) fn replace(system: &mut System, call: &Call, id: &str) -> Result<Reply, Refusal> {
    let projection = projection(call, KIND)?;
    check_precondition(call, found(&system.truth, id)?.version)?;
    let mut attributes = document::resource(KIND, call.body)?;
    let given = attributes.remove("members").unwrap_or_default();
    let mut wanted = Wanted::new(system, id);
    wanted.set_all(&member_ids(&given)?)?;
    let changes = wanted.changes();
    write(system, call, id, attributes, changes);
    answer(system, call, StatusCode::OK, id, &projection)
}

pub(crate) fn patch(system: &mut System, call: &Call, id: &str) -> Result<Reply, Refusal> {
    let projection = projection(call, KIND)?;
    let group = found(&system.truth, id)?;
    check_precondition(call, group.version)?;
    let mut attributes = group.attributes.clone();
    let mut wanted = Wanted::new(system, id);
    for step in patching::parse(KIND, call.body)? {
        match step.attribute() {
            Some(attribute) if attribute.name == "members" => wanted.apply(&step, attribute)?,
            _ => patching::apply(&mut attributes, &step)?,
        }
    }
    complete(KIND, &attributes)?;
    let changes = wanted.changes();
    write(system, call, id, attributes, changes);
    answer(system, call, StatusCode::OK, id, &projection)
}

pub(crate) fn delete(system: &mut System, call: &Call, id: &str) -> Result<Reply, Refusal> {
    let group = found(&system.truth, id)?;
    check_precondition(call, group.version)?;
    let leave = |(member, kind): (&String, &MemberKind)| Change::MemberRemoved {
        group: id.to_owned(),
        member: member.clone(),
        kind: *kind,
    };
    let changes: Vec<Change> = group.members.iter().map(leave).collect();
    for change in changes {
        system.commit(&call.cause, change, call.now);
    }
    system.commit(&call.cause, Change::GroupDeleted { id: id.to_owned() }, call.now);
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn write(system: &mut System, call: &Call, id: &str, attributes: Map<String, Value>, members: Vec<Change>) {
    let before = system.truth.group(id).map(|group| group.attributes.clone()).unwrap_or_default();
    let touched = touched(&before, &attributes);
    system.commit(&call.cause, Change::GroupChanged { id: id.to_owned(), attributes, touched }, call.now);
    for change in members {
        system.commit_member(&call.cause, change, call.now);
    }
}

fn answer(
    system: &System,
    call: &Call,
    status: StatusCode,
    id: &str,
    projection: &Projection,
) -> Result<Reply, Refusal> {
    let group = found(&system.truth, id)?;
    let accepted;
    let members = match system.is(Behaviour::AsyncMembers) {
        true => {
            accepted = system.accepted_members(id);
            &accepted
        }
        false => &group.members,
    };
    let view = GroupView { group, members, world: &system.truth, base: &call.base };
    Ok(resource(status, call, KIND, id, group.version, view.render(projection)))
}

fn found<'a>(world: &'a World, id: &str) -> Result<&'a Group, Refusal> {
    world.group(id).ok_or_else(|| Refusal::NotFound(format!("/Groups/{id}")))
}

/// The ids in a canonical `members` value.
fn member_ids(members: &Value) -> Result<Vec<&str>, Refusal> {
    let members = members.as_array().map(Vec::as_slice).unwrap_or_default();
    let ids = members.iter().map(|member| member.get("value").and_then(Value::as_str));
    ids.collect::<Option<_>>().ok_or_else(|| Refusal::InvalidValue("a member needs a `value`".into()))
}

/// The membership that a request asks for: only where it differs, so that one change costs the same in any group.
struct Wanted<'a> {
    system: &'a System,
    group: &'a str,
    changed: BTreeMap<String, (MemberKind, bool)>,
}

impl<'a> Wanted<'a> {
    fn new(system: &'a System, group: &'a str) -> Self {
        Self { system, group, changed: BTreeMap::new() }
    }

    fn set(&mut self, member: &str, wanted: bool) -> Result<(), Refusal> {
        let kind = match (self.system.truth.member_kind(member), wanted) {
            (Some(kind), _) => kind,
            (None, true) => return Err(Refusal::InvalidValue(format!("no user or group `{member}`"))),
            (None, false) => return Ok(()),
        };
        if wanted && kind == MemberKind::Group {
            let above = self.system.truth.effective_groups(self.group);
            if member == self.group || above.contains(member) {
                return Err(Refusal::InvalidValue(format!("group `{member}` would contain itself")));
            }
        }
        self.changed.insert(member.to_owned(), (kind, wanted));
        Ok(())
    }

    /// Everybody who is in the group as far as this request has got.
    fn current(&self) -> BTreeMap<String, MemberKind> {
        let mut members = self.system.accepted_members(self.group);
        for (member, (kind, wanted)) in &self.changed {
            match wanted {
                true => members.insert(member.clone(), *kind),
                false => members.remove(member),
            };
        }
        members
    }

    fn set_all(&mut self, members: &[&str]) -> Result<(), Refusal> {
        for (member, kind) in self.current() {
            self.changed.insert(member, (kind, false));
        }
        members.iter().try_for_each(|member| self.set(member, true))
    }

    fn apply(&mut self, step: &Step, attribute: &'static Attribute) -> Result<(), Refusal> {
        if step.place.part.is_some() {
            return Err(Refusal::Mutability("members.value".into()));
        }
        let given = step.value.as_ref().map(|value| normalise(attribute, value)).transpose()?.flatten();
        let given = given.unwrap_or_default();
        match (&step.elements, step.op) {
            (Some(filter), Op::Remove) => {
                if let Some(id) = filter.pin("value", None) {
                    return self.set(id, false);
                }
                for (member, kind) in self.current() {
                    let mut element = Map::new();
                    element.insert("value".into(), member.clone().into());
                    element.insert("type".into(), format!("{kind:?}").into());
                    if filter.matches(&element) {
                        self.changed.insert(member, (kind, false));
                    }
                }
                Ok(())
            }
            (Some(_), Op::Add | Op::Replace) => {
                Err(wrong_type("path", "`members` to add or replace members"))
            }
            (None, Op::Add) => member_ids(&given)?.into_iter().try_for_each(|member| self.set(member, true)),
            (None, Op::Replace) => self.set_all(&member_ids(&given)?),
            (None, Op::Remove) if step.value.as_ref().is_none_or(Value::is_null) => self.set_all(&[]),
            (None, Op::Remove) => {
                member_ids(&given)?.into_iter().try_for_each(|member| self.set(member, false))
            }
        }
    }

    /// The changes from what is accepted to what is wanted, by member id.
    fn changes(self) -> Vec<Change> {
        let Wanted { system, group, changed } = self;
        let differs = |(member, (kind, wanted)): (String, (MemberKind, bool))| {
            let group = group.to_owned();
            match (wanted, system.accepted_member(&group, &member)) {
                (true, false) => Some(Change::MemberAdded { group, member, kind }),
                (false, true) => Some(Change::MemberRemoved { group, member, kind }),
                _ => None,
            }
        };
        changed.into_iter().filter_map(differs).collect()
    }
}
