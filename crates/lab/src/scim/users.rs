//! `/Users` (RFC 7643 §4.1, RFC 7644 §3).

use axum::http::{StatusCode, header};
use serde_json::{Map, Value};

use super::{
    check_precondition,
    document::{self, complete},
    filter, is_unmodified, matches,
    paging::{Query, cut},
    patch as patching, projection,
    render::{Projection, UserView, etag},
    resource,
    schema::ResourceKind,
};
use crate::{
    Behaviour,
    exchange::Call,
    lifecycle::Outcome,
    refusal::Refusal,
    reply::Reply,
    system::System,
    world::{Change, User, World},
};

const KIND: ResourceKind = ResourceKind::User;

pub(crate) fn list(system: &System, call: &Call, query: &Query) -> Result<Reply, Refusal> {
    if query.filter.is_some() && system.is(Behaviour::HalfScim) {
        return Err(Refusal::NotImplemented("filtering"));
    }
    let filter = filter(query, KIND)?;
    let projection = Projection::parse(KIND, query.attributes.as_deref(), query.excluded.as_deref())?;
    let world = system.shown();
    let view = |user| UserView { user, world, base: &call.base };
    let pinned: Option<Vec<&User>> = filter.as_ref().and_then(|filter| {
        let id = filter.pin("id", None).map(|id| world.user(id).into_iter().collect());
        let by_name =
            || filter.pin("userName", None).map(|name| world.user_named(name).into_iter().collect());
        let by_external = || {
            let external = filter.pin("externalId", None)?;
            Some(world.with_external_id(external).filter_map(|id| world.user(id)).collect())
        };
        id.or_else(by_name).or_else(by_external)
    });
    let candidates: &mut dyn Iterator<Item = &User> = match &pinned {
        Some(users) => &mut users.iter().copied(),
        None => &mut world.all_users(),
    };
    let ids: Vec<&str> = match filter {
        Some(_) => {
            let shown = candidates.filter(|user| !user.hidden && matches(filter.as_ref(), &view(user)));
            shown.map(|user| user.id.as_str()).collect()
        }
        None => world.shown_ids(),
    };
    let page = cut(system, KIND.endpoint(), query, &ids, call.now)?;
    let resources: Vec<Value> =
        page.ids.iter().filter_map(|id| world.user(id)).map(|user| view(user).render(&projection)).collect();
    let mut envelope = page.envelope;
    envelope.insert("Resources".into(), resources.into());
    Ok(Reply::json(StatusCode::OK, Value::Object(envelope)))
}

pub(crate) fn create(system: &mut System, call: &Call) -> Result<Reply, Refusal> {
    let projection = projection(call, KIND)?;
    let attributes = document::resource(KIND, call.body)?;
    check_unique(&system.truth, &attributes, None)?;
    let id = system.free_id(None);
    system.commit(&call.cause, Change::UserCreated { id: id.clone(), attributes }, call.now);
    answer(system, call, StatusCode::CREATED, &id, &projection)
}

pub(crate) fn read(system: &System, call: &Call, id: &str) -> Result<Reply, Refusal> {
    let projection = projection(call, KIND)?;
    let world = system.shown();
    let user = found(world, id)?;
    if is_unmodified(call, user.version) {
        return Ok(Reply::empty(StatusCode::NOT_MODIFIED).with(header::ETAG, etag(user.version)));
    }
    let body = UserView { user, world, base: &call.base }.render(&projection);
    Ok(resource(StatusCode::OK, call, KIND, id, user.version, body))
}

pub(crate) fn replace(system: &mut System, call: &Call, id: &str) -> Result<Reply, Refusal> {
    let projection = projection(call, KIND)?;
    check_precondition(call, found(&system.truth, id)?.version)?;
    if system.is(Behaviour::LimitedPatch) {
        return Err(Refusal::NotImplemented("PUT of a user"));
    }
    let attributes = document::resource(KIND, call.body)?;
    write(system, call, id, attributes, &projection)
}

pub(crate) fn patch(system: &mut System, call: &Call, id: &str) -> Result<Reply, Refusal> {
    let projection = projection(call, KIND)?;
    if system.is(Behaviour::HalfScim) {
        return Err(Refusal::NotImplemented("PATCH"));
    }
    let user = found(&system.truth, id)?;
    check_precondition(call, user.version)?;
    let mut attributes = user.attributes.clone();
    let old = match system.is(Behaviour::LimitedPatch) {
        true => patching::as_old_services_have_it(KIND, call.body),
        false => None,
    };
    if system.is(Behaviour::LimitedPatch) && old.is_none() {
        return answer(system, call, StatusCode::OK, id, &projection);
    }
    for step in patching::parse(KIND, old.as_deref().unwrap_or(call.body))? {
        patching::apply(&mut attributes, &step)?;
    }
    complete(KIND, &attributes)?;
    if system.is(Behaviour::PutOnly) {
        return answer(system, call, StatusCode::OK, id, &projection);
    }
    write(system, call, id, attributes, &projection)
}

pub(crate) fn delete(system: &mut System, call: &Call, id: &str) -> Result<Reply, Refusal> {
    check_precondition(call, found(&system.truth, id)?.version)?;
    system.delete_user(&call.cause, id, call.now);
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn write(
    system: &mut System,
    call: &Call,
    id: &str,
    attributes: Map<String, Value>,
    projection: &Projection,
) -> Result<Reply, Refusal> {
    check_unique(&system.truth, &attributes, Some(id))?;
    match system.put_user(&call.cause, id, attributes.clone(), call.now) {
        Outcome::Done => answer(system, call, StatusCode::OK, id, projection),
        Outcome::Owns(things) => Err(Refusal::OwnsObjects { user: id.to_owned(), things }),
        Outcome::Pretend => {
            let mut user = found(&system.truth, id)?.clone();
            user.attributes = attributes;
            user.version += 1;
            user.modified_ms = call.now;
            let body = UserView { user: &user, world: &system.truth, base: &call.base }.render(projection);
            Ok(resource(StatusCode::OK, call, KIND, id, user.version, body))
        }
    }
}

fn answer(
    system: &System,
    call: &Call,
    status: StatusCode,
    id: &str,
    projection: &Projection,
) -> Result<Reply, Refusal> {
    let user = found(&system.truth, id)?;
    let body = UserView { user, world: &system.truth, base: &call.base }.render(projection);
    Ok(resource(status, call, KIND, id, user.version, body))
}

fn found<'a>(world: &'a World, id: &str) -> Result<&'a User, Refusal> {
    world.user(id).ok_or_else(|| Refusal::NotFound(format!("/Users/{id}")))
}

/// `userName` is unique without regard to case, and a softly deleted user still holds its own.
fn check_unique(world: &World, attributes: &Map<String, Value>, own: Option<&str>) -> Result<(), Refusal> {
    let name = attributes.get("userName").and_then(Value::as_str).unwrap_or_default();
    match world.user_named(name) {
        Some(user) if Some(user.id.as_str()) != own => {
            Err(Refusal::Uniqueness { attribute: "userName", value: name.to_owned() })
        }
        _ => Ok(()),
    }
}
