//! Reads `[integration.NAME.contract]`, the promise of a source.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    contract::{AttributeRule, PreviousKey, SourceContract, StatusRule},
    identity::LEGAL_HOLD,
    policy::AttributeType,
};
use serde_json::{Map, Value};
use toml::{Spanned, de::DeValue};

use super::{
    error::{Code, Report, Spot},
    fields::{Entry, Fields},
    json,
};

/// Reads a contract. What is left out has the default of [`SourceContract`]. The names of all attributes,
/// those with a broken rule too, go to `promised`.
pub(super) fn contract<'t>(
    integration: &str,
    spot: Spot<'t>,
    value: &Spanned<DeValue<'t>>,
    promised: &mut BTreeSet<String>,
    report: &mut Report,
) -> Option<SourceContract> {
    let mut fields = Fields::of(format!("the contract of `{integration}`"), spot, value, report)?;
    let mut plain = Map::new();
    for (key, least, most) in [
        ("min_rows", 0, u64::from(u32::MAX)),
        ("max_loss_percent", 0, 100),
        ("max_change_percent", 0, 100),
        ("always_allowed", 0, u64::from(u32::MAX)),
        ("grace_days", 0, 3_650),
        ("max_age_hours", 1, 24 * 366),
        ("max_quiet_hours", 1, 24 * 366),
        ("read_every_minutes", 1, 60 * 24 * 366),
        ("rank", 0, u64::from(u16::MAX)),
    ] {
        if let Some(number) = fields.number(key, least, most, report) {
            plain.insert(key.into(), number.into());
        }
    }
    if let Some(zone) = fields.text("zone", report) {
        match jiff::tz::TimeZone::get(zone.value) {
            Ok(_) => drop(plain.insert("zone".into(), zone.value.into())),
            Err(_) => {
                let message =
                    format!("`{}` is not a time zone; use an IANA name such as `Europe/Berlin`", zone.value);
                report.add(Code::Value, zone.spot, message);
            }
        }
    }
    if let Some(found) = fields.value("previous_key") {
        let value = json::plain(found.value);
        match serde_json::from_value::<PreviousKey>(value.clone()) {
            Ok(_) => drop(plain.insert("previous_key".into(), value)),
            Err(error) => report.add(Code::Value, found.spot, format!("`previous_key`: {error}")),
        }
    }
    let status =
        fields.value("status").and_then(|found| status(found.spot, json::plain(found.value), report));
    let cohorts = fields.texts("cohorts", report).unwrap_or_default();
    let listed = fields.entries("attributes", report);
    if listed.is_empty() {
        fields.lacks("attributes");
    }
    promised.extend(listed.iter().map(|entry| entry.key.value.to_owned()));
    let attributes: BTreeMap<String, AttributeRule> = listed
        .iter()
        .filter_map(|entry| Some((entry.key.value.to_owned(), attribute(entry, report)?)))
        .collect();
    for cohort in cohorts.iter().filter(|cohort| !attributes.contains_key(cohort.value)) {
        let message =
            format!("`{}` is no attribute of this contract, so nobody has it in common", cohort.value);
        report.add(Code::Value, cohort.spot, message);
    }
    if let Some((rule, spot)) = &status
        && attributes.get(&rule.attribute).is_none_or(|attribute| attribute.kind != AttributeType::Text)
    {
        let message = format!("`{}` is no attribute of this contract that is a text", rule.attribute);
        report.add(Code::Value, *spot, message);
    }
    let cohorts: Vec<&str> = cohorts.iter().map(|cohort| cohort.value).collect();
    plain.insert("cohorts".into(), cohorts.into());
    fields.finish(report, |_| Code::Missing);
    plain.insert("attributes".into(), Value::Object(Map::new()));
    match serde_json::from_value::<SourceContract>(Value::Object(plain)) {
        Ok(contract) => {
            Some(SourceContract { attributes, status: status.map(|(rule, _)| Box::new(rule)), ..contract })
        }
        Err(error) => {
            report.add(Code::Value, spot, format!("the contract of `{integration}`: {error}"));
            None
        }
    }
}

/// Who is away and who is kept out; each value stands in one list.
fn status<'t>(spot: Spot<'t>, value: Value, report: &mut Report) -> Option<(StatusRule, Spot<'t>)> {
    let rule = match serde_json::from_value::<StatusRule>(value) {
        Ok(rule) => rule,
        Err(error) => {
            report.add(Code::Value, spot, format!("`status`: {error}"));
            return None;
        }
    };
    if let Some(value) = rule.ambiguous() {
        let message = format!("`status`: `{value}` stands in two lists, so that it says two things");
        report.add(Code::Value, spot, message);
    }
    Some((rule, spot))
}

fn attribute(entry: &Entry<'_, '_>, report: &mut Report) -> Option<AttributeRule> {
    let name = entry.key.value;
    let good = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !good {
        let message = format!(
            "`{name}` cannot name an attribute; use lower-case letters, digits and `_`, as `job_title`"
        );
        report.add(Code::Value, entry.key.spot, message);
    }
    let mut fields = Fields::of(format!("attribute `{name}`"), entry.key.spot, entry.value, report)?;
    let mut rule = Map::new();
    if !fields.has("type") {
        fields.lacks("type");
    }
    let places = ["type", "required", "null", "unique"].map(|key| (key, fields.value(key)));
    fields.finish(report, |_| Code::Missing);
    for (key, found) in places {
        let Some(found) = found else { continue };
        // Each field alone first, so that an error has the place of its value.
        let probe = match key {
            "type" => serde_json::json!({ "type": json::plain(found.value) }),
            _ => serde_json::json!({ "type": "text", key: json::plain(found.value) }),
        };
        if let Err(error) = serde_json::from_value::<AttributeRule>(probe) {
            report.add(Code::Value, found.spot, format!("`{key}` of attribute `{name}`: {error}"));
            return None;
        }
        rule.insert(key.into(), json::plain(found.value));
    }
    let rule: AttributeRule = serde_json::from_value(Value::Object(rule)).ok()?;
    if name == LEGAL_HOLD && rule.kind != AttributeType::Flag {
        let message = format!("`{LEGAL_HOLD}` says whether somebody is under legal hold, so it is a `flag`");
        report.add(Code::Value, entry.key.spot, message);
    }
    Some(rule)
}
