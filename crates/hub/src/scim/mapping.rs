//! From a document to what it says to the hub: the attributes of the source's contract, whether somebody is there, and
//! their days. What the contract does not name is the caller's own and says nothing.

use bailiwick_connectors::scim_push::Settings;
use bailiwick_core::{
    contract::{SourceContract, SourceRecord},
    policy::{AttributeType, AttributeValue},
    time::{self, Date},
};
use bailiwick_engine::GroupRule;
use serde_json::{Map, Value};

use super::{
    fault::{Fault, Result, Wrong},
    path::Path,
    schema::{Resource, Schemas},
    shape::ACTIVE,
};

/// What users of a source may have: the extensions too that its settings name.
pub fn user_schemas(settings: &Settings) -> Schemas {
    let named = settings.map.values().flat_map(|paths| &paths.0).map(String::as_str);
    let days = [&settings.start, &settings.end].into_iter().flatten().map(String::as_str);
    Schemas::of(Resource::User).with(named.chain(days))
}

/// The groups whose names are an attribute of their members.
pub fn group_rule(settings: &Settings) -> Option<GroupRule> {
    let groups = settings.groups.as_ref()?;
    Some(GroupRule { attribute: groups.attribute.clone(), names: groups.names.clone() })
}

/// What the document of a user says.
///
/// # Errors
/// `invalidValue` for a day that is none.
pub fn record(
    document: &Map<String, Value>,
    schemas: &Schemas,
    settings: &Settings,
    contract: &SourceContract,
) -> Result<SourceRecord> {
    let mut record = SourceRecord {
        terminated: document.get(ACTIVE) == Some(&Value::Bool(false)),
        starts: day(document, schemas, settings.start.as_deref())?,
        ends: day(document, schemas, settings.end.as_deref())?,
        ..SourceRecord::default()
    };
    let of_groups = settings.groups.as_ref().map(|groups| groups.attribute.as_str());
    for (name, rule) in contract.attributes.iter().filter(|(name, _)| Some(name.as_str()) != of_groups) {
        let paths = settings.paths(name);
        if paths.is_empty() {
            continue;
        }
        let mut found = None;
        for path in paths {
            let path = Path::parse(path, schemas)?;
            found = found.or_else(|| said(&path, document, rule.kind));
        }
        record.values.insert(name.clone(), found);
    }
    Ok(record)
}

fn day(document: &Map<String, Value>, schemas: &Schemas, path: Option<&str>) -> Result<Option<Date>> {
    let Some(path) = path else { return Ok(None) };
    let found = Path::parse(path, schemas)?;
    let Some(text) = found.preferred(document).and_then(Value::as_str).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let wrong = || Fault::new(Wrong::Value, format!("`{path}` is not a day such as `2026-11-21`"));
    time::day(text).map(Some).ok_or_else(wrong)
}

/// A value as an attribute of the type; one that is not of the type stays a text, so that the contract refuses it.
fn said(path: &Path<'_>, document: &Map<String, Value>, kind: AttributeType) -> Option<AttributeValue> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    if kind == AttributeType::TextSet {
        let all: std::collections::BTreeSet<String> =
            path.values(document).into_iter().filter_map(text).collect();
        return (!all.is_empty()).then_some(AttributeValue::TextSet(all));
    }
    let found = text(path.preferred(document)?)?;
    let typed = match kind {
        AttributeType::Number => found.parse().map(AttributeValue::Number).ok(),
        AttributeType::Flag => found.to_ascii_lowercase().parse().map(AttributeValue::Flag).ok(),
        AttributeType::Date => time::day(&found).map(|day| AttributeValue::Text(day.to_string())),
        AttributeType::Text | AttributeType::TextSet => None,
    };
    Some(typed.unwrap_or(AttributeValue::Text(found)))
}

/// What of the settings does not fit the contract, in words.
pub fn misfits(settings: &Settings, contract: &SourceContract) -> Vec<String> {
    let schemas = user_schemas(settings);
    let mut wrong = Vec::new();
    for name in settings.map.keys().filter(|name| !contract.attributes.contains_key(*name)) {
        wrong.push(format!("`map.{name}` is no attribute of the contract"));
    }
    let mapped =
        settings.map.iter().flat_map(|(name, paths)| paths.0.iter().map(move |path| (name.as_str(), path)));
    let days = [("start", &settings.start), ("end", &settings.end)];
    let days = days.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?)));
    for (name, path) in mapped.chain(days) {
        if let Err(fault) = Path::parse(path, &schemas) {
            wrong.push(format!("`{name}`: {}", fault.detail));
        }
    }
    if let Some(groups) = &settings.groups {
        match contract.attributes.get(&groups.attribute).map(|rule| (rule.kind, rule.required)) {
            Some((AttributeType::TextSet, false)) => {}
            Some(_) => wrong.push(format!(
                "`groups.attribute`: `{}` is not a `text-set` that may be empty",
                groups.attribute
            )),
            None => wrong.push(format!("`groups.attribute`: `{}` is not in the contract", groups.attribute)),
        }
    }
    let looked_up = |name: &str| name == "email" || settings.paths(name) == ["userName"];
    for (name, _) in contract.attributes.iter().filter(|(name, rule)| rule.unique && !looked_up(name)) {
        wrong.push(format!(
            "`{name}` cannot be unique where people are pushed; `email` and what is the `userName` can"
        ));
    }
    wrong
}
