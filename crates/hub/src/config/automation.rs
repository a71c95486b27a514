//! Reads `[automation.NAME]`: what a system does by itself once something is written to it.

use bailiwick_core::{
    authority::Touch,
    automation::{Automation, AutomationKind},
    id::AutomationName,
};

use super::{
    error::{Code, Report},
    fields::{Entry, Fields, Located},
};

/// Reads one automation; what it names goes to `touches`, and who answers for it to `people`.
pub(super) fn automation<'t>(
    name: AutomationName,
    entry: &Entry<'_, 't>,
    touches: &mut Vec<Located<'t, Touch>>,
    people: &mut Vec<Located<'t, String>>,
    report: &mut Report,
) -> Option<Automation> {
    let mut fields = Fields::of(format!("automation `{name}`"), entry.key.spot, entry.value, report)?;
    let title = fields.needed_text("title", report).map(|t| t.value.to_owned());
    let kind = fields.needed_text("kind", report);
    let from = fields.needed_text("from", report);
    let to = fields.needed_text("to", report);
    let by_person = fields.flag("by_person", report).unwrap_or(false);
    let owner = fields.text("owner", report);
    people.extend(owner.map(|owner| Located { value: owner.value.to_owned(), spot: owner.spot }));
    let owner = owner.map(|owner| owner.value.to_owned());
    fields.finish(report, |_| Code::Missing);
    let kind = kind.and_then(|text| self::kind(text, report));
    let mut touch = |text: Option<Located<'t, &str>>| {
        let text = text?;
        match text.value.parse::<Touch>() {
            Ok(value) => {
                touches.push(Located { value: value.clone(), spot: text.spot });
                Some(value)
            }
            Err(error) => {
                report.add(Code::Value, text.spot, error.to_string());
                None
            }
        }
    };
    let (start, end) = (touch(from), touch(to));
    let (start, end) = (start?, end?);
    if start == end {
        let message = format!("automation `{name}` leads from `{start}` to itself");
        report.add(Code::Value, to.map_or(entry.key.spot, |to| to.spot), message);
    }
    Some(Automation { name, title: title?, kind: kind?, from: start, to: end, by_person, owner })
}

fn kind(text: Located<'_, &str>, report: &mut Report) -> Option<AutomationKind> {
    let kind = AutomationKind::ALL.into_iter().find(|kind| kind.as_str() == text.value);
    if kind.is_none() {
        let names = AutomationKind::ALL.map(AutomationKind::as_str);
        let message =
            format!("`{}` is no kind of automation; the kinds are {}", text.value, names.join(", "));
        report.add_near(Code::Value, text.spot, message, text.value, names);
    }
    kind
}
