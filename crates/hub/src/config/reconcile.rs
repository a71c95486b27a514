//! Reads `[system.NAME.reconcile]`: what is done about each class of differences.

use std::collections::BTreeMap;

use bailiwick_core::difference::{Answer, Class, Reconciling};

use super::{
    error::{Code, Report},
    fields::{Entry, Fields, Located},
};

/// The longest that something is kept that no policy gives, days.
const LONGEST_DAYS: u16 = 365;
/// What can be done.
const ANSWERS: [&str; 4] = ["revert", "adopt", "except 30d", "tell"];

/// What is done on a system; the defaults where nothing is said, `None` where something is wrong.
///
/// Who looks after shared accounts goes to `people`.
pub(super) fn reconciling<'t>(
    system: &mut Fields<'_, 't>,
    people: &mut Vec<Located<'t, String>>,
    report: &mut Report,
) -> Option<Reconciling> {
    let Some(table) = system.value("reconcile") else { return Some(Reconciling::default()) };
    let what = format!("`reconcile` of {}", system.what);
    let value = toml::Spanned::new(table.spot.at..table.spot.at, table.value.clone());
    let mut fields = Fields::of(what, table.spot, &value, report)?;
    let mut out = Reconciling::default();
    let mut sound = true;
    for class in Class::ALL.into_iter().filter(|class| *class != Class::Shared) {
        let Some(text) = fields.text(class.as_str(), report) else { continue };
        match answer(class, &text, report) {
            Some(answer) if answer == class.usual() => {}
            Some(answer) => drop(out.answers.insert(class, answer)),
            None => sound = false,
        }
    }
    let shared: Option<BTreeMap<String, String>> = fields
        .entries(Class::Shared.as_str(), report)
        .iter()
        .map(|entry| custodian(entry, people, report))
        .collect();
    let usual = Reconciling::default();
    let percent = fields.number("max_change_percent", 1, 100, report);
    out.max_change_percent =
        percent.and_then(|percent| u8::try_from(percent).ok()).unwrap_or(usual.max_change_percent);
    out.always_allowed =
        fields.number("always_allowed", 0, 1_000_000, report).unwrap_or(usual.always_allowed);
    fields.finish(report, |_| Code::Missing);
    out.shared = shared?;
    sound.then_some(out)
}

/// Who looks after an account that several use.
fn custodian<'t>(
    entry: &Entry<'_, 't>,
    people: &mut Vec<Located<'t, String>>,
    report: &mut Report,
) -> Option<(String, String)> {
    let spot = entry.key.spot.at(entry.value.span().start);
    let Some(person) = entry.value.get_ref().as_str() else {
        let message =
            format!("`{}` names nobody who looks after it; write `SOURCE/KEY` of a person", entry.key.value);
        report.add(Code::Value, spot, message);
        return None;
    };
    people.push(Located { value: person.to_owned(), spot });
    Some((entry.key.value.to_owned(), person.to_owned()))
}

fn answer(class: Class, text: &Located<'_, &str>, report: &mut Report) -> Option<Answer> {
    let asked = match text.value.split_once(' ') {
        None if text.value == "revert" => Some(Answer::Revert),
        None if text.value == "adopt" => Some(Answer::Adopt),
        None if text.value == "tell" => Some(Answer::Tell),
        Some(("except", time)) => days(time).map(|days| Answer::Except { days }),
        None | Some(_) => None,
    };
    let Some(asked) = asked else {
        let message = format!(
            "`{}` is nothing that is done about a difference; write `revert`, `adopt` or `except 30d`, of up to a year",
            text.value
        );
        report.add_near(Code::Value, text.spot, message, text.value, ANSWERS);
        return None;
    };
    match class.refuses(asked) {
        None => Some(asked),
        Some(why) => {
            let (usual, name) = (class.usual().as_str(), asked.as_str());
            let message =
                format!("what is `{class}` cannot be answered with `{name}`: {why}; the answer is `{usual}`");
            report.add(Code::Value, text.spot, message);
            None
        }
    }
}

/// `30d`: a day to a year.
fn days(text: &str) -> Option<u16> {
    let days = text.strip_suffix('d')?.parse().ok()?;
    (1..=LONGEST_DAYS).contains(&days).then_some(days)
}
