//! Who did what, by a log that the database itself can be asked for.
//!
//! A row says what an entry says: `mark`, `at`, `actor`, `deed`, and of whom it is about `account`, or `name` where the log
//! has no id. A log that has lost where the last entry was says so as `no_data_found`.

use bailiwick_connector::{
    ErrorKind, Read, Result, Start,
    broker::{Cell, Statement},
};
use bailiwick_core::{
    access::AccessClass,
    audit::{Entry, LOST},
    scope::Operation,
    time::Timestamp,
};

use super::{decode::text, read::Reader};
use crate::audit::{Deeds, instant_of, malformed};

/// The statement that reads it.
pub(super) const AUDIT: &str = "audit";

/// What the deeds of the dialect's log mean: its own statements by their names, and those of others. What changes of a
/// role in `ALTER ROLE`, or of which class a `GRANT` is, is not said.
pub(super) fn of_roles(deeds: Deeds) -> Deeds {
    use AccessClass::{DirectGroups, PrimaryAccount, Roles, Sessions};
    deeds
        .given("create", PrimaryAccount)
        .given("enable", PrimaryAccount)
        .given("CREATE ROLE", PrimaryAccount)
        .given("grant-direct-groups", DirectGroups)
        .taken("disable", PrimaryAccount)
        .taken("disable-otherwise", PrimaryAccount)
        .taken("revoke-direct-groups", DirectGroups)
        .taken("revoke-roles", Roles)
        .taken("revoke-sessions", Sessions)
        .changed("update", PrimaryAccount)
        .changed("set-password", PrimaryAccount)
        .ends("delete")
        .ends("DROP ROLE")
}

/// Shows what the log has.
pub(super) async fn read(
    reader: &Reader<'_>,
    deeds: &Deeds,
    from: Start<'_>,
    size: u32,
    read: Read<'_>,
) -> Result<()> {
    let (after, since) = match from {
        Start::Mark(mark) => (Some(mark), None),
        Start::Instant(at) => (None, Some(at.to_string())),
    };
    let statement =
        Statement::new(Operation::List, AUDIT).text("after", after).text("since", since.as_deref());
    let rows = reader.rows(statement.number("limit", i64::from(size.max(1)))).await;
    let rows = rows.map_err(|error| match error.kind {
        ErrorKind::NotFound => error.with_detail(LOST),
        _ => error,
    })?;
    for at in 0..rows.len() {
        let cell = |column: &str| rows.cell(at, column);
        let said = |column: &str| cell(column).and_then(text).map(|text| text.into_owned());
        let needed = |column: &str| {
            let found = said(column).filter(|text| !text.is_empty());
            found
                .ok_or_else(|| malformed(&format!("a row of `{AUDIT}` has no text in its column `{column}`")))
        };
        let mark = needed("mark")?;
        if after == Some(&*mark) {
            return Err(malformed(&format!("`{AUDIT}` does not go on behind `:after`")));
        }
        let when = cell("at").and_then(instant);
        let when =
            when.ok_or_else(|| malformed(&format!("a row of `{AUDIT}` has no instant in its column `at`")))?;
        let entry = deeds.entry(mark, when, needed("actor")?, needed("deed")?);
        read(Entry { account: said("account"), name: said("name"), ..entry });
    }
    Ok(())
}

fn instant(cell: &Cell) -> Option<Timestamp> {
    match cell {
        Cell::Text(text) => text.parse().ok(),
        Cell::Number(number) => instant_of(*number),
        Cell::Null | Cell::Flag(_) | Cell::Many(_) => None,
    }
}
