//! Reads `[person."SOURCE/KEY"]`: who is the same human being, and who acts for whom.

use bailiwick_core::person::Ties;

use super::{
    error::{Code, Report},
    fields::{Entry, Fields, Located},
};

/// Reads the ties of one person; everybody whom they name goes to `people`.
pub(super) fn person<'t>(
    name: String,
    entry: &Entry<'_, 't>,
    people: &mut Vec<Located<'t, String>>,
    report: &mut Report,
) -> Option<Ties> {
    let mut fields = Fields::of(format!("person `{name}`"), entry.key.spot, entry.value, report)?;
    people.push(Located { value: name.clone(), spot: entry.key.spot });
    let mut named = |key: &'static str, fields: &mut Fields<'_, 't>, report: &mut Report| {
        let texts = if fields.has(key) { fields.needed_texts(key, report) } else { Vec::new() };
        people.extend(texts.iter().map(|t| Located { value: t.value.to_owned(), spot: t.spot }));
        texts.into_iter().map(|text| text.value.to_owned()).collect()
    };
    let also = named("also", &mut fields, report);
    let delegates = named("delegates", &mut fields, report);
    fields.finish(report, |_| Code::Missing);
    Some(Ties { person: name, also, delegates })
}
