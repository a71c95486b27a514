//! Reads `[integration.NAME]`: connector + system + scope + owner.
//!
//! One that lacks an owner, a backup, a purpose or anything else that it must say is refused with the
//! whole list of what is missing. Credentials are not configuration and have no place here.

use std::collections::BTreeSet;

use bailiwick_core::{
    gate::Gates,
    id::{IntegrationName, SourceName, SystemName},
    integration::{Integration, Register, Role, Standing},
    scope::{Scope, ScopeRule},
};
use serde_json::Value;

use super::{
    contract::contract,
    error::{Code, Report},
    fields::{Entry, Fields, Located},
    json, secret,
};

/// An integration, and what it refers to. `integration` is `None` when something of it is wrong.
pub(super) struct Draft<'t> {
    /// The integration.
    pub integration: Option<Integration>,
    /// Owner and backup.
    pub people: Vec<Located<'t, String>>,
    /// The source that it is.
    pub source: Option<Located<'t, SourceName>>,
    /// The system that it serves.
    pub system: Option<Located<'t, SystemName>>,
    /// The attributes that its source promises; `None` when they are not known.
    pub promised: Option<BTreeSet<String>>,
}

/// Checks the settings of a connector of a kind; the error says what is wrong with them.
pub(super) type CheckSettings<'c> = dyn Fn(&str, &Value) -> Result<(), String> + 'c;

/// Reads one integration.
pub(super) fn integration<'t>(
    name: IntegrationName,
    entry: &Entry<'_, 't>,
    kinds: &[&str],
    check_settings: &CheckSettings<'_>,
    report: &mut Report,
) -> Option<Draft<'t>> {
    let mut fields = Fields::of(format!("integration `{name}`"), entry.key.spot, entry.value, report)?;
    let purpose = fields.needed_text("purpose", report).map(|t| t.value.to_owned());
    let owner = fields.needed_text("owner", report);
    let backup = fields.needed_text("backup", report);
    let connector = fields.needed_text("connector", report);
    let endpoint = fields.needed_text("endpoint", report);
    let rules = scope(&mut fields, report);
    let budget = fields.number("writes_per_minute", 1, u64::from(u32::MAX), report);
    let system = fields.text("system", report);
    let source = fields.text("source", report);
    let promise = fields.value("contract");
    let settings = fields.value("settings");
    match (system, source) {
        (None, None) => fields.lacks("system (or source)"),
        (Some(_), Some(source)) => {
            let message =
                format!("integration `{name}` is a source or serves a system; write two integrations");
            report.add(Code::Value, source.spot, message);
        }
        (None, Some(_)) if promise.is_none() => fields.lacks("contract"),
        (Some(_), None) if promise.is_some() => {
            let spot = promise.map_or(entry.key.spot, |p| p.spot);
            report.add(Code::Value, spot, "only a source has a contract; write `source` instead of `system`");
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    fields.finish(report, |missing| {
        if missing.iter().any(|key| matches!(*key, "owner" | "backup")) {
            Code::NoOwner
        } else {
            Code::Missing
        }
    });

    let people =
        [owner, backup].into_iter().flatten().map(|p| Located { value: p.value.to_owned(), spot: p.spot });
    let people: Vec<_> = people.collect();
    if let (Some(owner), Some(backup)) = (owner, backup)
        && owner.value == backup.value
    {
        let message = format!("owner and backup of integration `{name}` are the same person; name another");
        report.add(Code::NoOwner, backup.spot, message);
    }
    let connector = connector.filter(|c| known_kind(*c, kinds, report));
    let endpoint = endpoint.filter(|e| good_endpoint(*e, report));
    let settings = settings.map(|s| Located { value: json::plain(s.value), spot: s.spot });
    let settings_spot = settings.as_ref().map_or(entry.key.spot, |s| s.spot);
    let settings = settings.map_or(Value::Object(serde_json::Map::new()), |s| s.value);
    if !settings.is_object() {
        report.add(Code::Value, settings_spot, format!("`settings` of integration `{name}` is not a table"));
    } else if let Some(path) = secret::find(&settings) {
        let message = format!(
            "the setting `{path}` looks like a secret; credentials are handed to the hub, not written here"
        );
        report.add(Code::Secret, settings_spot, message);
    } else if let Some(kind) = connector
        && let Err(problem) = check_settings(kind.value, &settings)
    {
        report.add(Code::Value, settings_spot, format!("the settings of integration `{name}`: {problem}"));
    }
    let system = system.and_then(|text| named(text, SystemName::new, report));
    let source = source.and_then(|text| named(text, SourceName::new, report));
    let mut promised = BTreeSet::new();
    let promise = promise.filter(|_| source.is_some()).and_then(|found| {
        let value = toml::Spanned::new(found.spot.at..found.spot.at, found.value.clone());
        contract(name.as_str(), found.spot, &value, &mut promised, report)
    });
    let role = match (&system, &source, &promise) {
        (Some(system), None, _) => Some(Role::Target { system: system.value.clone() }),
        (None, Some(source), Some(contract)) => {
            Some(Role::Source { source: source.value.clone(), contract: contract.clone() })
        }
        _ => None,
    };
    let made = || {
        Some(Integration {
            name,
            purpose: purpose?,
            owner: owner?.value.to_owned(),
            backup: backup?.value.to_owned(),
            connector: connector?.value.to_owned(),
            endpoint: endpoint?.value.to_owned(),
            role: role?,
            register: Register::default(),
            scope: Scope {
                rules,
                writes_per_minute: budget.and_then(|b| u32::try_from(b).ok()),
                ..Scope::default()
            },
            settings,
            standing: Standing::Enabled,
            gates: Gates::default(),
        })
    };
    let promised = (!promised.is_empty()).then_some(promised);
    Some(Draft { integration: made(), people, source, system, promised })
}

fn scope(fields: &mut Fields<'_, '_>, report: &mut Report) -> Vec<ScopeRule> {
    let mut rules: Vec<ScopeRule> = Vec::new();
    for text in fields.needed_texts("scope", report) {
        match text.value.parse::<ScopeRule>() {
            Ok(rule) if rules.contains(&rule) => {
                report.add(Code::Duplicate, text.spot, format!("`{rule}` is given twice"));
            }
            Ok(rule) => rules.push(rule),
            Err(error) => report.add(Code::Value, text.spot, error.to_string()),
        }
    }
    rules
}

fn known_kind(kind: Located<'_, &str>, kinds: &[&str], report: &mut Report) -> bool {
    let known = kinds.contains(&kind.value);
    if !known {
        let message = format!("there is no connector `{}`; there are {}", kind.value, kinds.join(", "));
        report.add_near(Code::Dangling, kind.spot, message, kind.value, kinds.iter().copied());
    }
    known
}

/// One address, without anything that could hide a secret or widen what the scope says. A `file:`
/// endpoint is a folder below the data folder. The messages never repeat the endpoint.
fn good_endpoint(endpoint: Located<'_, &str>, report: &mut Report) -> bool {
    let text = endpoint.value;
    let mut refuse = |code, message: &str| {
        report.add(code, endpoint.spot, message);
        false
    };
    let plain = |path: &str| {
        path.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains(['%', '\\']))
    };
    if let Some(path) = text.strip_prefix("file:") {
        let message = "a `file:` endpoint is a folder in the data folder; write one such as `file:feeds/hr`";
        return plain(path) || refuse(Code::Value, message);
    }
    if text == "person:" {
        return true;
    }
    if let Some(path) = text.strip_prefix("sqlite:") {
        let message =
            "a `sqlite:` endpoint is the absolute path of a database; write one such as `sqlite:/srv/app.db`";
        return path.strip_prefix('/').is_some_and(plain) || refuse(Code::Value, message);
    }
    let schemes = ["https://", "http://", "ldaps://", "ldap://", "postgres://"];
    let Some(rest) = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) else {
        return refuse(
            Code::Value,
            "an endpoint begins with `https://`, `http://`, `ldaps://`, `ldap://`, `postgres://`, `sqlite:`, `file:`, or is `person:`",
        );
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return refuse(
            Code::Secret,
            "the endpoint carries a user or password; credentials are handed to the hub, not written here",
        );
    }
    let path = rest[host.len()..].trim_end_matches('/');
    let shaped = !host.is_empty() && text.chars().all(|c| c.is_ascii_graphic()) && !path.contains(['?', '#']);
    if !shaped || !path.strip_prefix('/').is_none_or(plain) {
        return refuse(
            Code::Value,
            "an endpoint is a host and a path, with nothing after it; write one such as `https://chat.example.com/scim`",
        );
    }
    true
}

fn named<'t, N, E: std::fmt::Display>(
    text: Located<'t, &str>,
    new: impl FnOnce(&str) -> Result<N, E>,
    report: &mut Report,
) -> Option<Located<'t, N>> {
    new(text.value)
        .map_err(|error| report.add(Code::Value, text.spot, error.to_string()))
        .map(|value| Located { value, spot: text.spot })
        .ok()
}
