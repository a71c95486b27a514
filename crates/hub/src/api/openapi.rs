//! `GET /api/v1/openapi.json`: the description as OpenAPI 3.1.1. It takes no token: it says what the program is, and nothing
//! of what it keeps.

use std::sync::LazyLock;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use bailiwick_core::right::Right;
use serde_json::{Map, Value, json};

use super::{
    description::{Described, Description},
    operation::{Access, Verb},
    signature::{Content, SCHEMAS},
};
use crate::problem::{EXPLAINED, MEDIA_TYPE, Problem};

/// What is served.
static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document(&super::DESCRIPTION)));

/// The whole text.
pub fn text() -> &'static str {
    &TEXT
}

/// `GET /api/v1/openapi.json`
pub async fn show() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text()).into_response()
}

/// What each status means here, for all operations alike; `None` for those of success.
pub const fn means(status: u16) -> Option<(&'static str, &'static str)> {
    Some(match status {
        304 => ("NotModified", "It is as it was under the `ETag` of `If-None-Match`."),
        400 => ("Malformed", "What was sent cannot be read: the path, the query, a header or the body."),
        401 => ("NoToken", "The request has no token that is valid here."),
        403 => ("Forbidden", "The caller may not do that, or a rule of the hub forbids it."),
        404 => ("NotFound", "There is no such thing."),
        408 => ("TooSlow", "The rest of the body did not come."),
        409 => (
            "Conflict",
            "It cannot be done as things are now; or a request with the same `Idempotency-Key` is not answered.",
        ),
        412 => ("Changed", "It is not any more what the `ETag` of `If-Match` says. Nothing was done."),
        413 => ("TooLarge", "The body is too long."),
        415 => ("NotJson", "The body is said to be something else than JSON."),
        422 => (
            "Refused",
            "It was understood and is refused; or the `Idempotency-Key` was used for another request.",
        ),
        429 => ("TooMany", "The caller has had all the calls of this minute."),
        500 => ("Fault", "A fault of the hub."),
        502 => ("SystemFault", "A system did not answer, or not as it should."),
        503 => ("Unavailable", "The store or the log does not answer at the moment."),
        _ => return None,
    })
}

/// The description as OpenAPI.
pub fn document(description: &Description) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for section in &description.sections {
        for one in &section.operations {
            let path = paths.entry(one.path).or_insert_with(|| json!({}));
            path[one.verb.as_str().to_ascii_lowercase()] = operation(section.name, one);
        }
    }
    let tags = description.sections.iter().map(|one| json!({ "name": one.name, "description": one.about }));
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Bailiwick",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The API of operators.",
            "description": "How to use it is told in docs/api.md. Every problem has a stable code.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "externalDocs": { "description": "What each code of a problem means, and what to do.", "url": EXPLAINED },
        "servers": [{ "url": "/api/v1" }],
        "security": [{ "token": [] }],
        "tags": tags.collect::<Vec<_>>(),
        "paths": paths,
        "components": components(description),
    })
}

fn operation(tag: &str, one: &Described) -> Value {
    let segments = one
        .segments
        .iter()
        .map(|(name, schema)| json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    let query = one.query.iter().map(|parameter| {
        let mut schema = parameter.schema.clone();
        let says = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let mut out = json!({ "name": parameter.name, "in": "query", "schema": schema });
        if let Some(says) = says {
            out["description"] = says;
        }
        if parameter.required {
            out["required"] = true.into();
        }
        out
    });
    let header = |name: &str| json!({ "$ref": format!("#/components/parameters/{name}") });
    let headers = match (one.verb, one.keyed()) {
        (Verb::Get, _) => vec![header("IfNoneMatch")],
        (Verb::Post | Verb::Put | Verb::Delete, true) => vec![header("IdempotencyKey"), header("IfMatch")],
        (Verb::Post | Verb::Put | Verb::Delete, false) => vec![],
    };
    let mut out = json!({
        "operationId": one.id,
        "tags": [tag],
        "summary": one.says,
        "description": description_of(one),
        "parameters": segments.chain(query).chain(headers).collect::<Vec<_>>(),
        "responses": responses(one),
    });
    if let Some(body) = &one.body {
        out["requestBody"] = json!({ "required": body.required, "content": content(body) });
    }
    if one.access == Access::Open {
        out["security"] = json!([]);
    }
    out
}

/// Who may, and what else there is to know.
pub fn description_of(one: &Described) -> String {
    let mut says = vec![who_may(one.access)];
    if let Some(view) = one.view {
        says.push(format!("`If-Match` takes the `ETag` of `GET {view}`."));
    }
    if let Some(limit) = one.limit {
        says.push(format!("The body has at most {} MiB.", limit / (1024 * 1024)));
    }
    if one.once {
        says.push("The answer holds a secret that is shown this once.".into());
    }
    says.join(" ")
}

fn taking(right: Right) -> String {
    let roles = right.roles().join("` or `");
    format!("the right `{}`, which the role `{roles}` gives, or a policy", right.as_str())
}

/// Who may call, in words.
pub fn who_may(access: Access) -> String {
    match access {
        Access::Open => "Takes no token.".into(),
        Access::Token => "Takes any valid token.".into(),
        Access::Right(right) => format!("Takes {}.", taking(right)),
        Access::Own(right) => {
            format!("One's own takes any valid token; that of others takes {}.", taking(right))
        }
        Access::Decided => "Takes any valid token; policies and the rules of the hub decide who may.".into(),
    }
}

fn content(content: &Content) -> Value {
    json!({ content.media: { "schema": content.schema } })
}

fn responses(one: &Described) -> Value {
    let mut all = Map::new();
    for status in &one.statuses {
        let (done, given) = &one.answer;
        let response = match (status == done, means(*status)) {
            (true, _) => {
                let mut response = json!({ "description": "It is done.", "headers": headers(one.verb) });
                if let Some(given) = given {
                    response["content"] = content(given);
                }
                response
            }
            (false, Some((name, _))) => json!({ "$ref": format!("#/components/responses/{name}") }),
            (false, None) => json!({ "description": "" }),
        };
        all.insert(status.to_string(), response);
    }
    Value::Object(all)
}

fn headers(verb: Verb) -> Value {
    let id = json!({ "$ref": "#/components/headers/RequestId" });
    match verb {
        Verb::Get => json!({ "X-Request-Id": id, "ETag": { "$ref": "#/components/headers/ETag" } }),
        Verb::Post | Verb::Put | Verb::Delete => json!({ "X-Request-Id": id }),
    }
}

fn components(description: &Description) -> Value {
    let mut schemas: Map<String, Value> =
        description.schemas.iter().map(|(name, schema)| (name.clone(), schema.clone())).collect();
    let mut generator = schemars::generate::SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = SCHEMAS.into())
        .for_serialize()
        .into_generator();
    let problem = generator.subschema_for::<Problem>();
    schemas.extend(generator.take_definitions(true));
    let mut responses = Map::new();
    for status in 300..600 {
        let Some((name, says)) = means(status) else { continue };
        let mut response = json!({
            "description": says,
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestId" } },
        });
        if status >= 400 {
            response["content"] = json!({ MEDIA_TYPE: { "schema": problem } });
        }
        if status == 429 {
            response["headers"]["Retry-After"] = json!({ "$ref": "#/components/headers/RetryAfter" });
        }
        responses.insert(name.to_owned(), response);
    }
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    json!({
        "securitySchemes": {
            "token": { "type": "http", "scheme": "bearer", "description": "The token of an operator, in `Authorization`." },
        },
        "schemas": schemas,
        "responses": responses,
        "headers": {
            "RequestId": {
                "description": "The id of the request: the one it came with in `X-Request-Id`, or a new one. The hub's log names it.",
                "schema": { "type": "string" },
            },
            "ETag": { "description": "Identifies what is answered with.", "schema": { "type": "string" } },
            "RetryAfter": { "description": "Seconds to wait.", "schema": { "type": "integer", "minimum": 1 } },
        },
        "parameters": {
            "IdempotencyKey": {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "A key of the caller for this one request, such as a UUID. With the same key the same request is done once, and answered alike for 24 hours.",
                "schema": text(super::idempotency::PATTERN),
            },
            "IfMatch": {
                "name": "If-Match",
                "in": "header",
                "description": "Do it only while the view that it is made from has this `ETag`.",
                "schema": text(super::etag::PATTERN),
            },
            "IfNoneMatch": {
                "name": "If-None-Match",
                "in": "header",
                "description": "Answer 304 while it has this `ETag`.",
                "schema": text(super::etag::PATTERN),
            },
        },
    })
}
