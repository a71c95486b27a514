//! Reads `[integration.NAME]`: connector + system + scope + owner, and what is on record of it.
//!
//! One that lacks an owner, a backup, a purpose, a boundary or anything else that it must say is refused with
//! the whole list of what is missing. Credentials are not configuration and have no place here.

use std::collections::BTreeSet;

use bailiwick_connectors::scim_push;
use bailiwick_core::{
    gate::Gates,
    id::{IntegrationName, SourceName, SystemName},
    integration::{Integration, Role, Standing},
    scope::ScopeRule,
};
use serde_json::Value;
use toml::de::DeValue;

use super::{
    Bundle,
    contract::contract,
    description, endpoint,
    error::{Code, Report},
    fields::{Entry, Fields, Located},
    json,
    kill::kill,
    register::register,
    scope::{self, scope},
    secret,
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
    /// The system whose log it is.
    pub log: Option<Located<'t, SystemName>>,
    /// The system where its grant lies, if it acts by itself.
    pub grant: Option<Located<'t, SystemName>>,
    /// What its scope names.
    pub named: scope::Named<'t>,
    /// The attributes that its source promises; `None` when they are not known.
    pub promised: Option<BTreeSet<String>>,
}

/// What is asked of connectors.
pub(super) struct Connectors<'c> {
    /// Their kinds.
    pub kinds: &'c [&'c str],
    /// Checks the settings of a connector of a kind; the error says what is wrong with them.
    pub settings: &'c dyn Fn(&str, &Value) -> Result<(), String>,
    /// Whether a rule of a scope is one that these settings can mean; the error says why not.
    pub rule: &'c dyn Fn(&str, &Value, &ScopeRule) -> Result<(), String>,
}

/// Reads one integration.
pub(super) fn integration<'t>(
    name: IntegrationName,
    entry: &Entry<'_, 't>,
    connectors: &Connectors<'_>,
    bundle: &'t Bundle,
    report: &mut Report,
) -> Option<Draft<'t>> {
    let mut fields = Fields::of(format!("integration `{name}`"), entry.key.spot, entry.value, report)?;
    let purpose = fields.needed_text("purpose", report).map(|t| t.value.to_owned());
    let owner = fields.needed_text("owner", report);
    let backup = fields.needed_text("backup", report);
    let connector = fields.needed_text("connector", report);
    let endpoint = fields.needed_text("endpoint", report);
    let partner = fields.flag("partner", report).unwrap_or(false);
    // Nothing is called where people are pushed: what it says is what it does by itself.
    let pushed = connector.is_some_and(|connector| connector.value == scim_push::KIND);
    let (scope, named) = scope(&mut fields, !partner && !pushed, report);
    let register = register(&mut fields, report);
    let system = fields.text("system", report);
    let log = fields.text("log_of", report);
    let source = fields.text("source", report);
    let promise = fields.value("contract");
    let written = fields.value("settings");
    let kill = kill(&mut fields, report);
    one_end(&mut fields, partner, (system, source, promise, log), report);
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
    let connector = connector.filter(|c| known_kind(*c, connectors.kinds, report));
    let endpoint = endpoint.filter(|e| endpoint::good(*e, report));
    let settings = self::settings(&name, entry, written, connector, (connectors, bundle), report);
    if let (Some(kind), Some(settings)) = (connector, &settings) {
        for rule in &named.rules {
            if let Err(problem) = (connectors.rule)(kind.value, settings, &rule.value) {
                report.add(Code::Value, rule.spot, problem);
            }
        }
    }
    let settings = settings.unwrap_or_default();
    let system = system.and_then(|text| name_of(text, SystemName::new, report));
    let source = source.and_then(|text| name_of(text, SourceName::new, report));
    let log = log.and_then(|text| name_of(text, SystemName::new, report));
    let mut promised = BTreeSet::new();
    let promise = promise.filter(|_| source.is_some()).and_then(|found| {
        let value = toml::Spanned::new(found.spot.at..found.spot.at, found.value.clone());
        contract(name.as_str(), found.spot, &value, &mut promised, report)
    });
    if let (true, Some(promise)) = (pushed, &promise) {
        let spot = written.map_or(entry.key.spot, |written| written.spot);
        // What is wrong with the settings by themselves was said before.
        let read = scim_push::Settings::of(&settings).unwrap_or_default();
        for problem in crate::scim::misfits(&read, promise) {
            report.add(Code::Value, spot, format!("the settings of integration `{name}`: {problem}"));
        }
    }
    let role = match (partner, &system, &source, &promise) {
        (false, None, None, None) => log.as_ref().map(|log| Role::Log { system: log.value.clone() }),
        (true, system, None, None) => {
            Some(Role::Partner { system: system.as_ref().map(|s| s.value.clone()) })
        }
        (false, Some(system), None, None) => Some(Role::Target { system: system.value.clone() }),
        (false, None, Some(source), Some(contract)) => {
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
            register: register?,
            scope,
            settings,
            standing: Standing::Enabled,
            gates: Gates::default(),
            kill: kill.ok()?,
        })
    };
    let promised = (!promised.is_empty()).then_some(promised);
    let (system, grant) = if partner { (None, system) } else { (system, None) };
    Some(Draft { integration: made(), people, source, system, log, grant, named, promised })
}

/// Checks that it is one of source, target, log and partner, and has what belongs to that.
fn one_end<'a, 't>(
    fields: &mut Fields<'a, 't>,
    partner: bool,
    (system, source, promise, log): (
        Text<'a, 't>,
        Text<'a, 't>,
        Option<Located<'t, &'a DeValue<'t>>>,
        Text<'a, 't>,
    ),
    report: &mut Report,
) {
    let of_source = [source.map(|s| s.spot), promise.map(|p| p.spot)].into_iter().flatten().next();
    let spot = of_source.unwrap_or(fields.spot);
    if let Some(log) = log {
        if partner || system.is_some() || source.is_some() || promise.is_some() {
            let message = format!("{} reads a log and nothing else; write two integrations", fields.what);
            report.add(Code::Value, log.spot, message);
        }
        return;
    }
    match (partner, system, source) {
        (true, _, None) if promise.is_none() => {}
        (true, ..) => {
            let message = format!("{} acts by itself or is a source; write two integrations", fields.what);
            report.add(Code::Value, spot, message);
        }
        (false, None, None) => fields.lacks("system (or source, or log_of, or partner)"),
        (false, Some(_), Some(_)) => {
            let message = format!("{} is a source or serves a system; write two integrations", fields.what);
            report.add(Code::Value, spot, message);
        }
        (false, None, Some(_)) if promise.is_none() => fields.lacks("contract"),
        (false, Some(_), None) if promise.is_some() => {
            report.add(Code::Value, spot, "only a source has a contract; write `source` instead of `system`");
        }
        (false, Some(_), None) | (false, None, Some(_)) => {}
    }
}

/// A text that may be left out.
type Text<'a, 't> = Option<Located<'t, &'a str>>;

/// The settings as the connector takes them; none if something is wrong with them.
fn settings<'t>(
    name: &IntegrationName,
    entry: &Entry<'_, 't>,
    written: Option<Located<'t, &DeValue<'t>>>,
    connector: Option<Located<'_, &str>>,
    (connectors, bundle): (&Connectors<'_>, &'t Bundle),
    report: &mut Report,
) -> Option<Value> {
    let spot = written.map_or(entry.key.spot, |written| written.spot);
    let mut settings = written.map_or(Value::Object(serde_json::Map::new()), |s| json::plain(s.value));
    if !settings.is_object() {
        report.add(Code::Value, spot, format!("`settings` of integration `{name}` is not a table"));
        return None;
    }
    if let Some(written) = written.filter(|_| connector.is_some_and(|kind| kind.value == "rest"))
        && !description::take(&mut settings, written, bundle, report)
    {
        return None;
    }
    if let Some(path) = secret::find(&settings) {
        let message = format!(
            "the setting `{path}` looks like a secret; credentials are handed to the hub, not written here"
        );
        report.add(Code::Secret, spot, message);
        return None;
    }
    match connector.map(|kind| (connectors.settings)(kind.value, &settings)) {
        Some(Err(problem)) => {
            report.add(Code::Value, spot, format!("the settings of integration `{name}`: {problem}"));
            None
        }
        Some(Ok(())) | None => Some(settings),
    }
}

fn known_kind(kind: Located<'_, &str>, kinds: &[&str], report: &mut Report) -> bool {
    let known = kinds.contains(&kind.value);
    if !known {
        let message = format!("there is no connector `{}`; there are {}", kind.value, kinds.join(", "));
        report.add_near(Code::Dangling, kind.spot, message, kind.value, kinds.iter().copied());
    }
    known
}

fn name_of<'t, N, E: std::fmt::Display>(
    text: Located<'t, &str>,
    new: impl FnOnce(&str) -> Result<N, E>,
    report: &mut Report,
) -> Option<Located<'t, N>> {
    new(text.value)
        .map_err(|error| report.add(Code::Value, text.spot, error.to_string()))
        .map(|value| Located { value, spot: text.spot })
        .ok()
}
