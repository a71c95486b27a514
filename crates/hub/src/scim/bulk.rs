//! Bulk requests (RFC 7644 §3.7): operations one after the other, each by itself, up to so many. What one makes is named
//! by the `bulkId` of others, which wait for it; a circle of them is refused.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode};
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, Body},
    call::Call,
    etag::Condition,
    fault::{Fault, Result, Wrong},
    json::{object, take},
    path::each,
    schema::Resource,
    write::{Action, run},
};
use crate::api::Hub;

/// How many operations a request may have.
pub const MOST: usize = 1_000;
/// The longest body, bytes.
pub const LONGEST: usize = 1024 * 1024;

const REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const PREFIX: &str = "bulkId:";

/// One operation, as it was sent.
#[derive(Debug, Clone)]
struct Operation {
    method: String,
    path: String,
    bulk_id: Option<String>,
    version: Option<String>,
    data: Option<Value>,
}

/// `POST /Bulk`
pub async fn bulk(State(hub): State<Hub>, call: Call, Body(body): Body) -> Result<Answer> {
    let (operations, mut errors_left) = read(body)?;
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut answers: Vec<Option<Value>> = vec![None; operations.len()];
    let mut waiting: Vec<usize> = (0..operations.len()).collect();
    let mut stopped = false;
    while !waiting.is_empty() && !stopped {
        let (ready, later): (Vec<usize>, Vec<usize>) =
            waiting.iter().partition(|at| missing(&operations[**at], &operations, &ids).is_none());
        // What is left names what is never made: each is refused by itself.
        let circle = ready.is_empty();
        let (now, rest) = if circle { (later, Vec::new()) } else { (ready, later) };
        waiting = rest;
        for at in now {
            let operation = &operations[at];
            let done = match circle {
                true => Err(unmade(operation, &operations, &ids)),
                false => one(&hub, &call, resolved(operation, &ids)).await,
            };
            if let (Ok((id, _)), Some(bulk_id)) = (&done, &operation.bulk_id) {
                ids.insert(bulk_id.clone(), id.clone());
            }
            let failed = done.is_err();
            answers[at] = Some(answered(operation, done));
            if failed {
                errors_left = errors_left.saturating_sub(1);
                stopped = errors_left == 0;
            }
            if stopped {
                break;
            }
        }
    }
    let operations: Vec<Value> = answers.into_iter().flatten().collect();
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"], "Operations": operations,
    });
    Ok(Answer { status: StatusCode::OK, ..Answer::of(body) })
}

/// The operations, and after how many errors nothing more is done.
fn read(mut body: Map<String, Value>) -> Result<(Vec<Operation>, u64)> {
    let syntax = |detail: &str| Fault::new(Wrong::Syntax, detail);
    let schemas = take(&mut body, "schemas");
    let names = |value: &Value| value.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(REQUEST));
    if !schemas.iter().flat_map(each).any(names) {
        return Err(syntax("`schemas` does not name a `BulkRequest`"));
    }
    let errors = match take(&mut body, "failOnErrors") {
        None | Some(Value::Null) => u64::MAX,
        Some(number) => {
            let number = number.as_u64().filter(|number| *number > 0);
            number.ok_or_else(|| syntax("`failOnErrors` is a number of errors"))?
        }
    };
    let Some(Value::Array(operations)) = take(&mut body, "Operations") else {
        return Err(syntax("there is no list `Operations`"));
    };
    if operations.len() > MOST {
        let detail = format!("there are {} operations, and {MOST} can be done at once", operations.len());
        return Err(Fault::new(Wrong::BulkTooLarge, detail));
    }
    let operations: Vec<Operation> = operations.into_iter().map(operation).collect::<Result<_>>()?;
    let mut seen = std::collections::BTreeSet::new();
    match operations.iter().filter_map(|operation| operation.bulk_id.as_ref()).all(|id| seen.insert(id)) {
        true => Ok((operations, errors)),
        false => Err(syntax("a `bulkId` is given twice")),
    }
}

fn operation(value: Value) -> Result<Operation> {
    let syntax = |detail: &str| Fault::new(Wrong::Syntax, detail);
    let mut entries = object(value).ok_or_else(|| syntax("an operation is an object"))?;
    let mut text = |name: &str| match take(&mut entries, name) {
        Some(Value::String(text)) => Ok(Some(text)),
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(syntax("`method`, `path`, `bulkId` and `version` are texts"))
        }
    };
    let (method, path) = (text("method")?.unwrap_or_default(), text("path")?.unwrap_or_default());
    let (bulk_id, version) = (text("bulkId")?, text("version")?);
    Ok(Operation {
        method: method.to_ascii_uppercase(),
        path,
        bulk_id,
        version,
        data: take(&mut entries, "data"),
    })
}

/// The `bulkId`s that a value names.
fn named<'v>(value: &'v Value, out: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => out.extend(text.strip_prefix(PREFIX)),
        Value::Array(items) => items.iter().for_each(|item| named(item, out)),
        Value::Object(entries) => entries.values().for_each(|value| named(value, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The first `bulkId` that an operation names and that another one has yet to make. One that no operation has is
/// nobody's, and the operation fails by itself.
fn missing<'o>(
    operation: &'o Operation,
    all: &[Operation],
    ids: &BTreeMap<String, String>,
) -> Option<&'o str> {
    let mut found: Vec<&str> =
        operation.path.split('/').filter_map(|part| part.strip_prefix(PREFIX)).collect();
    operation.data.iter().for_each(|data| named(data, &mut found));
    let has = |id: &str| all.iter().any(|other| other.bulk_id.as_deref() == Some(id));
    found.into_iter().find(|id| !ids.contains_key(*id) && has(id))
}

fn unmade(operation: &Operation, all: &[Operation], ids: &BTreeMap<String, String>) -> Fault {
    let id = missing(operation, all, ids).unwrap_or_default();
    let detail = format!(
        "`{PREFIX}{}` is never made: its operation failed, or waits for this one",
        super::path::shown(id)
    );
    Fault::new(Wrong::Circle, detail)
}

/// The operation with ids where `bulkId`s stood.
fn resolved(operation: &Operation, ids: &BTreeMap<String, String>) -> Operation {
    let id = |text: &str| text.strip_prefix(PREFIX).and_then(|id| ids.get(id)).cloned();
    let path: Vec<String> =
        operation.path.split('/').map(|part| id(part).unwrap_or_else(|| part.to_owned())).collect();
    fn within(value: Value, id: &dyn Fn(&str) -> Option<String>) -> Value {
        match value {
            Value::String(text) => id(&text).unwrap_or(text).into(),
            Value::Array(items) => items.into_iter().map(|item| within(item, id)).collect(),
            Value::Object(entries) => {
                Value::Object(entries.into_iter().map(|(name, value)| (name, within(value, id))).collect())
            }
            plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
        }
    }
    let data = operation.data.clone().map(|data| within(data, &id));
    Operation { path: path.join("/"), data, ..operation.clone() }
}

/// Does one operation; gives the id of its resource and the answer.
async fn one(hub: &Hub, call: &Call, operation: Operation) -> Result<(String, Value)> {
    let syntax = |detail: &str| Fault::new(Wrong::Syntax, detail);
    let mut parts = operation.path.strip_prefix('/').unwrap_or(&operation.path).split('/');
    let of = parts.next().unwrap_or_default();
    let resource =
        Resource::ALL.into_iter().find(|resource| resource.endpoint().strip_prefix('/') == Some(of));
    let resource = resource.ok_or_else(|| Fault::no("resource", &super::path::shown(&operation.path)))?;
    let id = parts.next().filter(|id| !id.is_empty());
    if parts.next().is_some() {
        return Err(syntax("a path is `/Users`, `/Users/{id}` and the same of groups"));
    }
    let data = || operation.data.clone().and_then(object).ok_or_else(|| syntax("`data` is an object"));
    let action = match (operation.method.as_str(), id) {
        ("POST", None) if operation.bulk_id.is_none() => return Err(syntax("what is made has a `bulkId`")),
        ("POST", None) => Action::Create(data()?),
        ("PUT", Some(_)) => Action::Replace(data()?),
        ("PATCH", Some(_)) => Action::Patch(data()?),
        ("DELETE", Some(_)) => Action::Delete,
        (_, _) => return Err(Fault::new(Wrong::Method, "a method and a path do not fit each other")),
    };
    let condition = Condition::version(operation.version.clone());
    let done = run(hub, call, (resource, id), &action, &condition).await?;
    let status = match (&action, done.created) {
        (Action::Delete, _) => "204",
        (_, true) => "201",
        (_, false) => "200",
    };
    let mut answer = json!({ "status": status, "location": done.location });
    if let Some(version) = done.version {
        answer["version"] = version.into();
    }
    Ok((done.id, answer))
}

/// What is said of an operation.
fn answered(operation: &Operation, done: Result<(String, Value)>) -> Value {
    let mut answer = match done {
        Ok((_, answer)) => answer,
        Err(fault) => json!({ "status": fault.status.to_string(), "response": fault.body() }),
    };
    answer["method"] = operation.method.as_str().into();
    if let Some(id) = &operation.bulk_id {
        answer["bulkId"] = id.as_str().into();
    }
    answer
}
