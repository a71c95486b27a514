//! Reads `[subject.NAME]` and `[resource.NAME]`: what the hub may be asked about at request time.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    id::{ActionName, ResourceTypeName, SourceName, SubjectTypeName},
    identity::IdentityKind,
    policy::{AttributeType, AttributeValue, Attributes},
    resource::{FoundBy, ResourceType, SAMPLE, SubjectType},
};
use serde_json::Value;

use super::{
    error::{Code, Report},
    fields::{Entry, Fields, Located},
    json,
};

/// What a property may be called in policies without quotes.
const TYPES: &str = "`text`, `number`, `flag`, `text-set` or `date`";

/// Reads a kind of subject; the source that it names goes to `sources`.
pub(super) fn subject<'t>(
    name: SubjectTypeName,
    entry: &Entry<'_, 't>,
    sources: &mut Vec<Located<'t, SourceName>>,
    report: &mut Report,
) -> Option<SubjectType> {
    let mut fields = Fields::of(format!("subject `{name}`"), entry.key.spot, entry.value, report)?;
    let id = fields.needed_text("id", report);
    let source = fields.text("source", report);
    let kind = fields.text("kind", report);
    let properties = types(&mut fields, "properties", report);
    if id.is_some_and(|id| id.value == "key") && source.is_none() {
        fields.lacks("source");
    }
    fields.finish(report, |_| Code::Missing);
    let source = source.and_then(|text| match SourceName::new(text.value) {
        Ok(value) => {
            let source = Located { value, spot: text.spot };
            sources.push(Located { value: source.value.clone(), spot: source.spot });
            Some(source)
        }
        Err(error) => {
            report.add(Code::Value, text.spot, error.to_string());
            None
        }
    });
    let found = match (id?.value, source) {
        ("email", None) => FoundBy::Email,
        ("source-key", None) => FoundBy::SourceKey,
        ("key", Some(source)) => FoundBy::Key { source: source.value },
        ("key", None) => return None,
        ("email" | "source-key", Some(source)) => {
            let message =
                format!("only subjects with `id = \"key\"` have a `source`; leave out `{}`", source.value);
            report.add(Code::Value, source.spot, message);
            return None;
        }
        (other, _) => {
            let ways = ["email", "key", "source-key"];
            let message = format!(
                "nobody is found by `{other}`; write `email`, `key` with the `source`, or `source-key`, by which \
                 people can be looked up"
            );
            report.add_near(Code::Value, id?.spot, message, other, ways);
            return None;
        }
    };
    let kind = match kind {
        None => None,
        Some(text) => Some(kind_of(text, report)?),
    };
    Some(SubjectType { name, found, kind, properties })
}

fn kind_of(text: Located<'_, &str>, report: &mut Report) -> Option<IdentityKind> {
    let kind = serde_json::from_value(Value::from(text.value)).ok();
    if kind.is_none() {
        let kinds = ["person", "service-account", "workload", "agent"];
        let message = format!("`{}` is no kind of identity; the kinds are {}", text.value, kinds.join(", "));
        report.add_near(Code::Value, text.spot, message, text.value, kinds);
    }
    kind
}

/// Reads a kind of resource.
pub(super) fn resource(
    name: ResourceTypeName,
    entry: &Entry<'_, '_>,
    report: &mut Report,
) -> Option<ResourceType> {
    let mut fields = Fields::of(format!("resource `{name}`"), entry.key.spot, entry.value, report)?;
    let mut actions = BTreeSet::new();
    for text in fields.needed_texts("actions", report) {
        match ActionName::new(text.value) {
            Ok(action) if actions.contains(&action) => {
                report.add(Code::Duplicate, text.spot, format!("`{action}` is given twice"));
            }
            Ok(action) => drop(actions.insert(action)),
            Err(error) => report.add(Code::Value, text.spot, error.to_string()),
        }
    }
    let properties = types(&mut fields, "properties", report);
    let action_properties = types(&mut fields, "action_properties", report);
    let context = types(&mut fields, "context", report);
    let sample = fields.number("sample", 1, 1_000_000, report).and_then(|n| u32::try_from(n).ok());
    let reasons = fields.flag("reasons", report).unwrap_or(false);
    let mut known = BTreeMap::new();
    for entry in fields.entries("known", report) {
        known.insert(
            entry.key.value.to_owned(),
            facts(&name, &entry, &properties, report).unwrap_or_default(),
        );
    }
    fields.finish(report, |_| Code::Missing);
    let sample = sample.unwrap_or(SAMPLE);
    (!actions.is_empty()).then_some(ResourceType {
        name,
        actions,
        properties,
        action_properties,
        context,
        known,
        sample,
        reasons,
    })
}

/// `{ status = "text" }`.
fn types(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    report: &mut Report,
) -> BTreeMap<String, AttributeType> {
    let mut types = BTreeMap::new();
    for entry in fields.entries(key, report) {
        let name = entry.key.value;
        let good = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !good {
            let message =
                format!("`{name}` cannot name a property; use letters, digits and `_`, as `cost_centre`");
            report.add(Code::Value, entry.key.spot, message);
        }
        match serde_json::from_value::<AttributeType>(json::plain(entry.value.get_ref())) {
            Ok(kind) => drop(types.insert(name.to_owned(), kind)),
            Err(_) => {
                let spot = entry.key.spot.at(entry.value.span().start);
                report.add(Code::Value, spot, format!("`{name}` of {} is {TYPES}", fields.what));
            }
        }
    }
    types
}

/// What is known of one resource.
fn facts(
    of: &ResourceTypeName,
    entry: &Entry<'_, '_>,
    types: &BTreeMap<String, AttributeType>,
    report: &mut Report,
) -> Option<Attributes> {
    let what = format!("`{}` of resource `{of}`", entry.key.value);
    let Some(table) = entry.value.get_ref().as_table() else {
        report.add(Code::Value, entry.key.spot, format!("{what} is not a table of what is known of it"));
        return None;
    };
    let mut facts = Attributes::new();
    for field in super::fields::entries(table, entry.key.spot) {
        let (name, spot) = (field.key.value, field.key.spot.at(field.value.span().start));
        let Some(kind) = types.get(name) else {
            let message = format!("{what}: `{name}` is not among its `properties`");
            report.add_near(
                Code::UnknownKey,
                field.key.spot,
                message,
                name,
                types.keys().map(String::as_str),
            );
            continue;
        };
        match serde_json::from_value::<AttributeValue>(json::plain(field.value.get_ref())) {
            Ok(value) if kind.admits(&value) => drop(facts.insert(name.to_owned(), value)),
            Ok(_) | Err(_) => {
                report.add(
                    Code::Value,
                    spot,
                    format!("{what}: `{name}` is not of the type that is declared"),
                );
            }
        }
    }
    Some(facts)
}
