//! What each stable code means and what to do about it; `docs/errors.md` is generated from it.
//!
//! Every code that this program can answer with has one line, in one of the families below: a test reads
//! the sources and compares. Absent: statuses and exit codes, which belong to the occasion.

mod api;
mod asking;
mod configuration;
mod console;
mod evidence;
mod feeds;
mod governance;
mod kill;
mod operators;
mod people;
mod program;
mod reviews;
mod scim;
mod sign_in;
mod store;
mod systems;
mod terminations;
mod undo;

/// A code, what it means, and what to do.
type Line = (&'static str, &'static str, &'static str);

/// All lines, by family.
const FAMILIES: [&[Line]; 18] = [
    api::LINES,
    asking::LINES,
    configuration::LINES,
    console::LINES,
    evidence::LINES,
    feeds::LINES,
    governance::LINES,
    kill::LINES,
    operators::LINES,
    people::LINES,
    program::LINES,
    reviews::LINES,
    scim::LINES,
    sign_in::LINES,
    store::LINES,
    systems::LINES,
    terminations::LINES,
    undo::LINES,
];

/// A code as it is kept in the log: one that there is, whoever says it.
pub fn coded(code: &str) -> &'static str {
    let mut lines = FAMILIES.iter().copied().flatten();
    lines.find(|(known, _, _)| *known == code).map_or("sign-in-refused", |(known, _, _)| known)
}

/// What to do about a code.
pub fn of(code: &str) -> Option<&'static str> {
    let mut lines = FAMILIES.iter().copied().flatten();
    lines.find(|(known, _, _)| *known == code).map(|(_, _, help)| *help)
}

#[cfg(test)]
mod command_tests;
#[cfg(test)]
mod tests;
