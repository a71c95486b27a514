//! The SCIM 2.0 service provider (RFC 7643, RFC 7644, RFC 9865).
//!
//! Deliberately absent: Bulk, `/Me` and a search across resource types (all 501), sorting and password changes.

pub(crate) mod discovery;
pub(crate) mod document;
pub(crate) mod filter;
pub(crate) mod groups;
pub(crate) mod paging;
pub(crate) mod patch;
pub(crate) mod path;
pub(crate) mod render;
pub(crate) mod schema;
pub(crate) mod users;

use axum::http::{HeaderName, Method, StatusCode, header};
use serde_json::Value;

use self::{
    filter::{Filter, Source},
    paging::Query,
    path::Scope,
    render::{Projection, etag},
    schema::ResourceKind,
};
use crate::{Behaviour, exchange::Call, refusal::Refusal, reply::Reply, system::System};

/// Answers a request below a system's SCIM base.
pub(crate) fn route(system: &mut System, call: &Call) -> Result<Reply, Refusal> {
    match (call.method.as_str(), &call.path[..]) {
        ("GET", ["Users"]) => users::list(system, call, &Query::of(call)),
        ("POST", ["Users"]) => users::create(system, call),
        ("POST", ["Users", ".search"]) => users::list(system, call, &Query::search(call.body)?),
        ("GET", ["Users", id]) => users::read(system, call, id),
        ("PUT", ["Users", id]) => users::replace(system, call, id),
        ("PATCH", ["Users", id]) => users::patch(system, call, id),
        ("DELETE", ["Users", id]) => users::delete(system, call, id),
        (_, ["Groups", ..]) if system.is(Behaviour::HalfScim) => Err(call.not_found()),
        ("GET", ["Groups"]) => groups::list(system, call, &Query::of(call)),
        ("POST", ["Groups"]) => groups::create(system, call),
        ("POST", ["Groups", ".search"]) => groups::list(system, call, &Query::search(call.body)?),
        ("GET", ["Groups", id]) => groups::read(system, call, id),
        ("PUT", ["Groups", id]) => groups::replace(system, call, id),
        ("PATCH", ["Groups", id]) => groups::patch(system, call, id),
        ("DELETE", ["Groups", id]) => groups::delete(system, call, id),
        (_, ["Users" | "Groups"]) | (_, ["Users" | "Groups", _]) => Err(call.not_allowed()),
        ("POST", ["Bulk"]) => Err(Refusal::NotImplemented("Bulk")),
        ("POST", [".search"]) => Err(Refusal::NotImplemented("a search across resource types")),
        (_, ["Me"]) => Err(Refusal::NotImplemented("/Me")),
        (_, ["ServiceProviderConfig"]) | (_, ["ResourceTypes" | "Schemas", ..]) => match *call.method {
            Method::GET => discovery::read(system, call),
            _ => Err(call.not_allowed()),
        },
        _ => Err(call.not_found()),
    }
}

/// The projection of a request for one resource.
fn projection(call: &Call, kind: ResourceKind) -> Result<Projection, Refusal> {
    Projection::parse(kind, call.parameter("attributes"), call.parameter("excludedAttributes"))
}

/// Longer filters are refused: each `and` costs a stack frame to evaluate.
const MAX_FILTER: usize = 8 * 1024;

fn filter(query: &Query, kind: ResourceKind) -> Result<Option<Filter>, Refusal> {
    let Some(text) = &query.filter else { return Ok(None) };
    if text.len() > MAX_FILTER {
        return Err(Refusal::InvalidFilter(format!("the filter is longer than {MAX_FILTER} bytes")));
    }
    Filter::parse(text, Scope::Resource(kind)).map(Some)
}

fn matches(filter: Option<&Filter>, source: &dyn Source) -> bool {
    filter.is_none_or(|filter| filter.matches(source))
}

/// Refuses a write whose `If-Match` names another version (RFC 7644 §3.14). Tags compare weakly.
fn check_precondition(call: &Call, version: u64) -> Result<(), Refusal> {
    match call.header(header::IF_MATCH) {
        Some(tags) if !names_version(tags, version) => Err(Refusal::PreconditionFailed(etag(version))),
        _ => Ok(()),
    }
}

/// Whether the client already has this version.
fn is_unmodified(call: &Call, version: u64) -> bool {
    call.header(header::IF_NONE_MATCH).is_some_and(|tags| names_version(tags, version))
}

fn names_version(tags: &str, version: u64) -> bool {
    let version = etag(version);
    let strong = version.trim_start_matches("W/");
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == strong)
}

/// An answer that carries a resource: its version as `ETag`, its URL as `Location` when it is new.
fn resource(
    status: StatusCode,
    call: &Call,
    kind: ResourceKind,
    id: &str,
    version: u64,
    body: Value,
) -> Reply {
    let location = format!("{}/{}/{id}", call.base, kind.endpoint());
    let reply = Reply::json(status, body).with(header::ETAG, etag(version));
    match status {
        StatusCode::CREATED => reply.with(header::LOCATION, location),
        _ => reply.with(HeaderName::from_static("content-location"), location),
    }
}
