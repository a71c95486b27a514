//! What the service provider says about itself (RFC 7643 §5 to §7, RFC 9865 §4).
//!
//! It says what a faithful system of this kind would say, so a `put-only` system still claims PATCH: what a target
//! declares is not evidence of what it does.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    paging::CURSOR_TIMEOUT_S,
    schema::{ResourceKind, SCHEMAS, represent},
};
use crate::{Paging, SystemSpec, exchange::Call, refusal::Refusal, reply::Reply, system::System};

/// Answers a GET of a discovery endpoint.
pub(crate) fn read(system: &System, call: &Call) -> Result<Reply, Refusal> {
    let base = call.base.as_str();
    let body = match call.path[..] {
        ["ServiceProviderConfig"] => config(&system.spec, base),
        ["ResourceTypes"] => list(KINDS.map(|kind| resource_type(kind, base)).to_vec()),
        ["ResourceTypes", id] => {
            let kind = KINDS.into_iter().find(|kind| kind.name() == id).ok_or_else(|| call.not_found())?;
            resource_type(kind, base)
        }
        ["Schemas"] => list(SCHEMAS.iter().map(|schema| represent(schema, base)).collect()),
        ["Schemas", urn] => {
            let mut schemas = SCHEMAS.into_iter();
            let schema = schemas.find(|schema| schema.urn.eq_ignore_ascii_case(urn));
            represent(schema.ok_or_else(|| call.not_found())?, base)
        }
        _ => return Err(call.not_found()),
    };
    // RFC 7644 §4: a client that filters these must not be left thinking that it was honoured.
    match call.parameter("filter") {
        Some(_) => Err(Refusal::DiscoveryFiltered),
        None => Ok(Reply::json(StatusCode::OK, body)),
    }
}

const KINDS: [ResourceKind; 2] = [ResourceKind::User, ResourceKind::Group];

fn list(resources: Vec<Value>) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": resources.len(),
        "startIndex": 1,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

fn config(spec: &SystemSpec, base: &str) -> Value {
    let cursor = spec.paging != Paging::Index;
    let index = spec.paging != Paging::Cursor;
    let mut pagination = json!({
        "cursor": cursor,
        "index": index,
        "defaultPaginationMethod": if index { "index" } else { "cursor" },
        "defaultPageSize": spec.max_page,
        "maxPageSize": spec.max_page,
    });
    if cursor {
        pagination["cursorTimeout"] = CURSOR_TIMEOUT_S.into();
    }
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": spec.max_page},
        "changePassword": {"supported": false},
        "sort": {"supported": false},
        "etag": {"supported": true},
        "pagination": pagination,
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A token of the integration in the Authorization header (RFC 6750)",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base}/ServiceProviderConfig"),
        },
    })
}

fn resource_type(kind: ResourceKind, base: &str) -> Value {
    let mut value = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": kind.name(),
        "name": kind.name(),
        "description": format!("{} of this system", kind.endpoint()),
        "endpoint": format!("/{}", kind.endpoint()),
        "schema": kind.core().urn,
        "meta": {
            "resourceType": "ResourceType",
            "location": format!("{base}/ResourceTypes/{}", kind.name()),
        },
    });
    if let Some(extension) = kind.extension() {
        value["schemaExtensions"] = json!([{"schema": extension.urn, "required": false}]);
    }
    value
}
