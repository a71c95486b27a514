//! What is spoken here (RFC 7644 §4, RFC 7643 §5, RFC 9865 §4): `/ServiceProviderConfig`, `/ResourceTypes`, `/Schemas`.

use axum::extract::{Path, Query};
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, list},
    bulk,
    call::Call,
    fault::{Fault, Result, Wrong},
    find::Listed,
    query,
    schema::{Resource, all, resource_type, schema},
};

type Parameters = Query<Vec<(String, String)>>;

/// `GET /ServiceProviderConfig`
pub async fn config(call: Call) -> Result<Answer> {
    let yes = || json!({ "supported": true });
    let config = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "documentationUri": "https://github.com/bailiwick-iam/bailiwick/blob/main/docs/scim-provider.md",
        "patch": yes(),
        "bulk": {
            "supported": true, "maxOperations": bulk::MOST, "maxPayloadSize": bulk::LONGEST,
        },
        "filter": { "supported": true, "maxResults": query::LONGEST },
        "changePassword": { "supported": false },
        "sort": yes(),
        "etag": yes(),
        "pagination": {
            "cursor": true, "index": true, "defaultPaginationMethod": "index",
            "defaultPageSize": query::LENGTH, "maxPageSize": query::LONGEST,
        },
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "Bearer token",
            "description": "The token of an integration, `bwc_…`, as `Authorization: Bearer`",
            "specUri": "https://www.rfc-editor.org/rfc/rfc6750", "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig", "location": format!("{}/ServiceProviderConfig", call.base),
        },
    });
    Ok(Answer::of(config))
}

/// A filter says nothing about what is spoken (RFC 7644 §4).
fn unfiltered(parameters: &Parameters) -> Result<()> {
    match parameters.iter().any(|(name, _)| name.eq_ignore_ascii_case("filter")) {
        true => {
            let detail = "what is spoken here is not filtered";
            Err(Fault { status: 403, ..Fault::new(Wrong::Filter, detail) })
        }
        false => Ok(()),
    }
}

fn whole(items: Vec<Map<String, Value>>) -> Answer {
    let total = u64::try_from(items.len()).ok();
    list(Listed { total, items, next: None }, Some(1))
}

/// `GET /ResourceTypes`
pub async fn resource_types(call: Call, parameters: Parameters) -> Result<Answer> {
    unfiltered(&parameters)?;
    Ok(whole(Resource::ALL.map(|resource| resource_type(resource, &call.base)).to_vec()))
}

/// `GET /ResourceTypes/{id}`
pub async fn one_resource_type(call: Call, Path(id): Path<String>) -> Result<Answer> {
    let found = Resource::ALL.into_iter().find(|resource| resource.name() == id);
    let found = found.ok_or_else(|| Fault::no("resource type", &super::path::shown(&id)))?;
    Ok(Answer::of(Value::Object(resource_type(found, &call.base))))
}

/// `GET /Schemas`
pub async fn schemas(call: Call, parameters: Parameters) -> Result<Answer> {
    unfiltered(&parameters)?;
    Ok(whole(all().map(|known| schema(known, &call.base)).to_vec()))
}

/// `GET /Schemas/{id}`
pub async fn one_schema(call: Call, Path(id): Path<String>) -> Result<Answer> {
    let found = all().into_iter().find(|schema| schema.is(&id));
    let found = found.ok_or_else(|| Fault::no("schema", &super::path::shown(&id)))?;
    Ok(Answer::of(Value::Object(schema(found, &call.base))))
}
