//! Writes people as the HR system exports them: semicolons, CRLF, a byte order mark, quotes where a
//! value needs them (RFC 4180 §2, but for the separator).

use super::people::Person;

pub(super) const COLUMNS: [&str; 14] = [
    "Employee ID",
    "First name",
    "Last name",
    "Preferred name",
    "E-mail",
    "Department",
    "Title",
    "Location",
    "Time zone",
    "Manager ID",
    "Employment",
    "Start date",
    "Last day",
    "Status",
];

/// All columns but one.
pub(super) fn without(column: &str) -> Vec<&'static str> {
    COLUMNS.into_iter().filter(|c| *c != column).collect()
}

/// The people as a file of these columns.
pub(super) fn utf8(people: &[Person], columns: &[&str]) -> Vec<u8> {
    format!("\u{feff}{}", text(people, columns)).into_bytes()
}

/// The people as an old export writes them: one byte a character, what has no byte as `?`.
pub(super) fn windows_1252(people: &[Person]) -> Vec<u8> {
    text(people, &COLUMNS).chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

fn text(people: &[Person], columns: &[&str]) -> String {
    let header = columns.iter().map(|c| quoted(c)).collect::<Vec<_>>().join(";");
    let rows = people.iter().map(|person| {
        let values: Vec<String> = columns.iter().map(|c| quoted(&value(person, c))).collect();
        values.join(";")
    });
    std::iter::once(header).chain(rows).map(|row| row + "\r\n").collect()
}

fn value(person: &Person, column: &str) -> String {
    match column {
        "Employee ID" => person.key.to_string(),
        "First name" => person.first.clone(),
        "Last name" => person.last.clone(),
        "Preferred name" => person.display.clone(),
        "E-mail" => person.email.clone(),
        "Department" => person.department.to_owned(),
        "Title" => person.title.to_owned(),
        "Location" => person.place.0.to_owned(),
        "Time zone" => person.place.1.to_owned(),
        "Manager ID" => person.manager.map(|m| m.to_string()).unwrap_or_default(),
        "Employment" => person.employment.to_owned(),
        "Start date" => day(&person.start),
        "Last day" => day(&person.last_day),
        "Status" => person.status.to_owned(),
        other => unreachable!("`{other}` is no column"),
    }
}

/// `2026-11-21` as `21.11.2026`.
fn day(date: &str) -> String {
    date.split('-').rev().collect::<Vec<_>>().join(".")
}

fn quoted(value: &str) -> String {
    if value.contains([';', ',', '"', '\r', '\n']) || value.trim() != value {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}
