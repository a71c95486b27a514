//! Reads `[system.NAME]` and `[entitlement."SYSTEM/NAME"]`.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    access::AccessClass,
    id::{EntitlementName, SystemName},
    system::{Entitlement, OnLeave, System},
};

use toml::de::DeValue;

use super::{
    error::{Code, Report},
    fields::{Entry, Fields, Located},
    reconcile,
};
use crate::span::{self, DAY_MS};

/// How long the disabled account of a leaver is kept where configuration says nothing.
const RETENTION_DAYS: u32 = 30;

fn saturated(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The attributes of identities that the account templates of a system use.
pub(super) type Uses<'t> = Vec<Located<'t, String>>;

/// Reads one system. What its templates use goes to `uses`, whom it names to `people`.
pub(super) fn system<'t>(
    name: SystemName,
    entry: &Entry<'_, 't>,
    uses: &mut Uses<'t>,
    people: &mut Vec<Located<'t, String>>,
    report: &mut Report,
) -> Option<System> {
    let mut fields = Fields::of(format!("system `{name}`"), entry.key.spot, entry.value, report)?;
    let title = fields.needed_text("title", report).map(|t| t.value.to_owned());
    let classes = classes(&mut fields, report);
    let on_leave =
        fields.text("on_leave", report).map_or(Some(OnLeave::default()), |text| match text.value {
            "disable" => Some(OnLeave::Disable),
            "delete" => Some(OnLeave::Delete),
            other => {
                let message =
                    format!("`{other}` is nothing that is done to a leaver; write `disable` or `delete`");
                report.add_near(Code::Value, text.spot, message, other, ["disable", "delete"]);
                None
            }
        });
    let convergence = fields.needed_text("convergence", report).and_then(|text| duration(text, report));
    let retention_days = fields.number("retention_days", 0, 3_650, report).map_or(RETENTION_DAYS, saturated);
    let reconcile_every = every(&mut fields, "reconcile_every", System::usual_reconcile_every(), report);
    let probe_every = every(&mut fields, "probe_every", System::usual_probe_every(), report);
    let audit_every = every(&mut fields, "audit_every", System::usual_audit_every(), report);
    let audit_lag = fields.text("audit_lag", report);
    let audit_lag = audit_lag.map_or(Some(System::usual_audit_lag()), |text| duration(text, report));
    let anchor = fields.flag("anchor", report).unwrap_or(false);
    let unique = fields.texts("unique", report).unwrap_or_default();
    let reserved_days = fields.number("reserved_days", 1, 36_500, report).map(saturated);
    let reconcile = reconcile::reconciling(&mut fields, people, report);
    if !fields.has("account") {
        fields.lacks("account");
    }
    let mut account = BTreeMap::new();
    for template in fields.entries("account", report) {
        let spot = template.key.spot.at(template.value.span().start);
        let Some(text) = template.value.get_ref().as_str() else {
            let message =
                format!("`{}` is no template; write a text such as `{{email}}`", template.key.value);
            report.add(Code::Value, spot, message);
            continue;
        };
        match used(text) {
            Ok(names) => uses.extend(names.into_iter().map(|value| Located { value, spot })),
            Err(problem) => report.add(Code::Value, spot, problem),
        }
        account.insert(template.key.value.to_owned(), text.to_owned());
    }
    for name in unique.iter().filter(|name| !account.contains_key(name.value)) {
        let message =
            format!("`{}` is no attribute of accounts of this system, so it names nobody", name.value);
        report.add(Code::Value, name.spot, message);
    }
    fields.finish(report, |_| Code::Missing);
    Some(System {
        name,
        title: title?,
        classes: classes?,
        on_leave: on_leave?,
        convergence_ms: convergence?,
        retention_days,
        reconcile_every_ms: reconcile_every?,
        probe_every_ms: probe_every?,
        audit_every_ms: audit_every?,
        audit_lag_ms: audit_lag?,
        anchor,
        unique: unique.iter().map(|name| name.value.to_owned()).collect(),
        reserved_days,
        reconcile: reconcile?,
        account,
    })
}

/// The classes; `None` when one of them is wrong, so that nobody takes the rest for all.
fn classes(fields: &mut Fields<'_, '_>, report: &mut Report) -> Option<BTreeSet<AccessClass>> {
    let mut classes = BTreeSet::new();
    let mut sound = true;
    for text in fields.needed_texts("classes", report) {
        match class(text, report) {
            Some(class) if !classes.insert(class) => {
                report.add(Code::Duplicate, text.spot, format!("`{class}` is given twice"));
            }
            Some(_) => {}
            None => sound = false,
        }
    }
    sound.then_some(classes)
}

fn class(text: Located<'_, &str>, report: &mut Report) -> Option<AccessClass> {
    let names = AccessClass::ALL.map(AccessClass::as_str);
    text.value
        .parse()
        .map_err(|_| {
            let message = format!("`{}` is not a class of access", text.value);
            report.add_near(Code::Value, text.spot, message, text.value, names);
        })
        .ok()
}

/// How often something is done: from a minute to a year. `usual` where nothing is said.
fn every(fields: &mut Fields<'_, '_>, key: &'static str, usual: i64, report: &mut Report) -> Option<i64> {
    let Some(found) = fields.value(key) else { return Some(usual) };
    let text = match found.value {
        DeValue::String(text) => text.as_ref(),
        DeValue::Integer(number) => number.as_str(),
        _ => "",
    };
    let message = match span::read(text).or((text == "0").then_some(0)) {
        Some(ms) if (60_000..=366 * DAY_MS).contains(&ms) => return Some(ms),
        Some(0) => format!(
            "`{key}` cannot be switched off: what is not looked at is not known; write a long time such as `90d`"
        ),
        Some(_) | None => {
            format!("`{key}` is not a time from a minute to a year; write one such as `30m`, `6h`, `30d`")
        }
    };
    report.add(Code::Value, found.spot, message);
    None
}

/// A duration of up to a day, or what is wrong with it.
fn duration(text: Located<'_, &str>, report: &mut Report) -> Option<i64> {
    let parsed = milliseconds(text.value);
    if parsed.is_none() {
        let message = format!(
            "`{}` is not a duration of up to a day; write one such as `500ms`, `3s`, `2m`",
            text.value
        );
        report.add(Code::Value, text.spot, message);
    }
    parsed
}

/// `500ms`, `3s`, `2m`, `1h` in milliseconds; up to a day.
fn milliseconds(text: &str) -> Option<i64> {
    span::read(text).filter(|ms| *ms <= DAY_MS)
}

/// The names of the attributes that a template uses; its grammar is that of
/// [`bailiwick_core::decide::account_attributes`], which takes broken braces for text.
fn used(template: &str) -> Result<Vec<String>, &'static str> {
    let mut names = Vec::new();
    let mut rest = template.strip_prefix('?').unwrap_or(template);
    loop {
        match (rest.find('{'), rest.find('}')) {
            (None, None) => return Ok(names),
            (Some(open), Some(close)) if open < close => {
                let name = &rest[open + 1..close];
                if name.is_empty() || name.contains('{') {
                    return Err("a template names attributes as `{name}`");
                }
                names.push(name.to_owned());
                rest = &rest[close + 1..];
            }
            _ => return Err("the braces of the template do not match"),
        }
    }
}

/// Reads one entitlement. `systems` are those that are declared, with their classes if they are known.
pub(super) fn entitlement(
    name: EntitlementName,
    entry: &Entry<'_, '_>,
    systems: &BTreeMap<SystemName, Option<BTreeSet<AccessClass>>>,
    report: &mut Report,
) -> Option<Entitlement> {
    let mut fields = Fields::of(format!("entitlement `{name}`"), entry.key.spot, entry.value, report)?;
    let text = fields.needed_text("class", report);
    let label = fields.text("label", report).map(|l| l.value.to_owned());
    let privileged = fields.flag("privileged", report).unwrap_or(false);
    fields.finish(report, |_| Code::Missing);
    let system = name.system();
    let Some(classes) = systems.get(&system) else {
        let names = systems.keys().map(SystemName::as_str);
        report.add_near(
            Code::Dangling,
            entry.key.spot,
            format!("there is no system `{system}`"),
            system.as_str(),
            names,
        );
        return None;
    };
    let text = text?;
    let class = class(text, report)?;
    if classes.as_ref().is_some_and(|classes| !classes.contains(&class)) {
        let message =
            format!("system `{system}` has no class `{class}`; add it to the system, or pick another");
        report.add(Code::Value, text.spot, message);
    }
    let label = label.unwrap_or_else(|| name.as_str()[system.as_str().len() + 1..].to_owned());
    Some(Entitlement { name, class, label, privileged, external_id: None, inside: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_end() {
        let check = |text, expect| assert_eq!(milliseconds(text), expect, "{text}");
        check("500ms", Some(500));
        check("3s", Some(3_000));
        check("24h", Some(86_400_000));
        check("25h", None);
        check("3", None);
    }

    #[test]
    fn a_template_says_what_it_uses() {
        let check = |text, expect: Option<&[&str]>| {
            let names = used(text).ok();
            assert_eq!(
                names,
                expect.map(|e| e.iter().map(ToString::to_string).collect::<Vec<_>>()),
                "{text}"
            );
        };
        check("{given_name} {family_name}", Some(&["given_name", "family_name"]));
        check("?{department}", Some(&["department"]));
        check("fixed", Some(&[]));
        check("{", None);
        check("}", None);
        check("{}", None);
        check("{a{b}", None);
        check("}{", None);
    }
}
