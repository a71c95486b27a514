//! Reading rows of state.

use std::{collections::BTreeSet, sync::Arc};

use bailiwick_core::id::Tenant;

use crate::{
    Filter, KeyKind, KeyValue, Outline, Outlines, Result, Row, Select, StoreError, Table, as_key,
    sql::{Cells, Dialect, Link, Sql, Value},
};

/// The columns that every table has, in the order they are read and written.
pub(crate) const COLUMNS: &str = "id, revision, salt, body";

/// The columns of `table` after the tenant, as [`read`] expects them.
pub(crate) fn columns(table: Table) -> String {
    let mut columns = COLUMNS.to_owned();
    for (name, ..) in table.keys() {
        columns.push_str(", ");
        columns.push_str(name);
    }
    columns
}

pub(crate) async fn get<L: Link>(
    link: &mut L,
    tenant: &Tenant,
    table: Table,
    id: &str,
) -> Result<Option<Row>> {
    let sql = format!("SELECT {} FROM {} WHERE tenant = $1 AND id = $2", columns(table), table.name());
    let id = as_key(id);
    let rows = link.fetch(sql.text(), &[tenant.as_str().into(), id.as_ref().into()]).await?;
    rows.first().map(|row| read(table, row)).transpose()
}

pub(crate) async fn select<L: Link>(link: &mut L, tenant: &Tenant, select: &Select) -> Result<Vec<Row>> {
    let (sql, values) = statement(L::DIALECT, tenant, select)?;
    link.fetch(sql.text(), &values).await?.iter().map(|row| read(select.table, row)).collect()
}

/// What is asked of the database, and its values.
fn statement<'a>(
    dialect: Dialect,
    tenant: &'a Tenant,
    select: &'a Select,
) -> Result<(String, Vec<Value<'a>>)> {
    let (mut condition, mut values) = condition(dialect, tenant, select)?;
    if let Some(after) = &select.after {
        values.push(after.into());
        condition.push_str(&format!(" AND id > ${}", values.len()));
    }
    // It cannot know how few are named.
    let named =
        select.limit.is_none() && select.filters.iter().any(|filter| matches!(filter, Filter::In(..)));
    let order = match select.by {
        Some(column) => {
            kind_of(select.table, column)?;
            format!("{column}, id")
        }
        None if named => dialect.sorted("id"),
        None => "id".into(),
    };
    condition.push_str(&format!(" ORDER BY {order}"));
    if let Some(limit) = select.limit {
        values.push(i64::from(limit).into());
        condition.push_str(&format!(" LIMIT ${}", values.len()));
        if select.skip > 0 {
            values.push(i64::from(select.skip).into());
            condition.push_str(&format!(" OFFSET ${}", values.len()));
        }
    }
    Ok((format!("SELECT {} FROM {} WHERE {condition}", columns(select.table), select.table.name()), values))
}

pub(crate) async fn outlines<L: Link>(
    link: &mut L,
    tenant: &Tenant,
    asked: &Outlines,
) -> Result<Vec<Outline>> {
    let kinds = asked.columns.iter().map(|column| kind_of(asked.table, column));
    let kinds = kinds.collect::<Result<Vec<_>>>()?;
    let (sql, values) = outlining(tenant, asked);
    let rows = link.fetch(sql.text(), &values).await?;
    let outline = |row: &L::Row| {
        let name = asked.table.name();
        let columns = asked.columns.iter().zip(&kinds).enumerate();
        let values = columns.map(|(at, (column, kind))| key(row, at + 1, *kind, (name, column, "")));
        Ok(Outline { revision: row.ours(0, name, "revision", "")?, values: values.collect::<Result<_>>()? })
    };
    rows.iter().map(outline).collect()
}

/// What is asked of the database, and its values.
fn outlining<'a>(tenant: &'a Tenant, asked: &'a Outlines) -> (String, Vec<Value<'a>>) {
    let Outlines { table, by, begins, after, columns, limit } = asked;
    let listed: String = columns.iter().map(|column| format!(", {column}")).collect();
    // One lower bound: of two, SQLite seeks the one that is named first, and each page would go through those before it.
    let (than, least) = after.as_ref().map_or((">=", begins), |after| (">", after));
    let sql = format!(
        "SELECT revision{listed} FROM {} WHERE tenant = $1 AND {by} {than} $2 AND {by} < $3 ORDER BY {by} LIMIT $4",
        table.name(),
    );
    let end = Value::Shared(past(begins));
    (sql, vec![tenant.as_str().into(), least.as_str().into(), end, i64::from(*limit).into()])
}

/// What is greater than all that begins with the text, and not greater than anything else is.
fn past(text: &str) -> Arc<str> {
    format!("{text}\u{10ffff}").into()
}

pub(crate) async fn stamps<L: Link>(
    link: &mut L,
    tenant: &Tenant,
    tables: &[Table],
) -> Result<Vec<(String, i64)>> {
    let of = |(at, table): (usize, &Table)| {
        format!("SELECT {at} AS place, id, revision FROM {} WHERE tenant = $1", table.name())
    };
    let all: Vec<String> = tables.iter().enumerate().map(of).collect();
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("{} ORDER BY place, id", all.join(" UNION ALL "));
    let rows = link.fetch(sql.text(), &[tenant.as_str().into()]).await?;
    rows.iter().map(|row| Ok((row.cell(1)?, row.cell(2)?))).collect()
}

pub(crate) async fn count<L: Link>(link: &mut L, tenant: &Tenant, select: &Select) -> Result<i64> {
    let (condition, values) = condition(L::DIALECT, tenant, select)?;
    let sql = format!("SELECT count(*) FROM {} WHERE {condition}", select.table.name());
    let rows = link.fetch(sql.text(), &values).await?;
    Ok(rows.first().map(|row| row.cell(0)).transpose()?.unwrap_or(0))
}

/// The tenants that any row of state belongs to. Each tenant costs one look into the index
/// of each table, however many rows it has.
pub(crate) async fn tenants<L: Link>(link: &mut L) -> Result<Vec<Tenant>> {
    let mut found = BTreeSet::new();
    for table in Table::ALL.map(Table::name) {
        let sql = format!(
            "WITH RECURSIVE t(name) AS (SELECT min(tenant) FROM {table} UNION ALL \
             SELECT (SELECT min(tenant) FROM {table} WHERE tenant > t.name) FROM t WHERE t.name IS NOT NULL) \
             SELECT name FROM t WHERE name IS NOT NULL"
        );
        for row in link.fetch(sql.text(), &[]).await? {
            found.insert((row.ours::<String>(0, table, "tenant", "")?, table));
        }
    }
    let parse = |(name, table): (String, _)| {
        Tenant::new(&name).map_err(|_| StoreError::Inconsistent { table, column: "tenant", row: name })
    };
    let mut tenants = found.into_iter().map(parse).collect::<Result<Vec<_>>>()?;
    tenants.dedup();
    Ok(tenants)
}

/// Which filter rows are looked up by: one that finds one row for each value, else the first.
fn leading(select: &Select) -> usize {
    let unique = |column: &str| {
        column == "id" || select.table.keys().iter().any(|(name, _, unique)| *unique && *name == column)
    };
    let leads = |filter: &Filter| match filter {
        Filter::Is(column, value) => unique(column) && *value != KeyValue::Null,
        Filter::In(column, values) => unique(column) && !values.contains(&KeyValue::Null),
        Filter::AtMost(..) | Filter::Above(..) | Filter::Starts(..) => false,
    };
    select.filters.iter().position(leads).unwrap_or(0)
}

/// The condition for tenant and filters, and its values.
fn condition<'a>(
    dialect: Dialect,
    tenant: &'a Tenant,
    select: &'a Select,
) -> Result<(String, Vec<Value<'a>>)> {
    let mut sql = "tenant = $1".to_owned();
    let mut values = vec![tenant.as_str().into()];
    let leading = leading(select);
    for (nth, filter) in select.filters.iter().enumerate() {
        let (Filter::Is(column, _)
        | Filter::In(column, _)
        | Filter::AtMost(column, _)
        | Filter::Above(column, _)
        | Filter::Starts(column, _)) = filter;
        let kind = kind_of(select.table, column)?;
        let column = if nth == leading { (*column).into() } else { dialect.aside(column, kind) };
        let place = values.len() + 1;
        sql.push_str(" AND ");
        match filter {
            Filter::Is(_, KeyValue::Null) => sql.push_str(&format!("{column} IS NULL")),
            Filter::Is(_, value) => {
                values.push(bound(kind, value)?);
                sql.push_str(&format!("{column} = ${place}"));
            }
            Filter::In(_, wanted) => {
                values.push(list(kind, wanted)?);
                let one_of = dialect.one_of(&column, place);
                match wanted.contains(&KeyValue::Null) {
                    true => sql.push_str(&format!("({one_of} OR {column} IS NULL)")),
                    false => sql.push_str(&one_of),
                }
            }
            Filter::AtMost(_, _) | Filter::Above(_, _) if kind == KeyKind::Text => return Err(mistyped()),
            Filter::Starts(_, _) if kind == KeyKind::Int => return Err(mistyped()),
            Filter::AtMost(_, most) => {
                values.push((*most).into());
                sql.push_str(&format!("{column} <= ${place}"));
            }
            Filter::Above(_, least) => {
                values.push((*least).into());
                sql.push_str(&format!("{column} > ${place}"));
            }
            Filter::Starts(_, text) => {
                // A range, which an index answers; nothing that begins with the text is behind its end.
                values.push(text.as_str().into());
                values.push(Value::Shared(past(text)));
                sql.push_str(&format!("{column} >= ${place} AND {column} < ${}", place + 1));
            }
        }
    }
    Ok((sql, values))
}

fn kind_of(table: Table, column: &str) -> Result<KeyKind> {
    if column == "id" {
        return Ok(KeyKind::Text);
    }
    let key = table.keys().iter().find(|(name, ..)| *name == column);
    key.map(|(_, kind, _)| *kind)
        .ok_or_else(|| StoreError::misuse("a filter names a column that is not a key"))
}

/// The value as it is bound for a column of `kind`.
pub(crate) fn bound(kind: KeyKind, value: &KeyValue) -> Result<Value<'_>> {
    match (kind, value) {
        (KeyKind::Text, KeyValue::Text(text)) => Ok(text.into()),
        (KeyKind::Int, KeyValue::Int(number)) => Ok((*number).into()),
        (KeyKind::Text, KeyValue::Null) => Ok(Value::Text(None)),
        (KeyKind::Int, KeyValue::Null) => Ok(Value::Int(None)),
        (KeyKind::Text, KeyValue::Int(_)) | (KeyKind::Int, KeyValue::Text(_)) => Err(mistyped()),
    }
}

fn list(kind: KeyKind, wanted: &[KeyValue]) -> Result<Value<'_>> {
    let (mut texts, mut ints) = (Vec::new(), Vec::new());
    for value in wanted {
        match bound(kind, value)? {
            Value::Text(text) => texts.extend(text),
            Value::Int(number) => ints.extend(number),
            Value::Shared(_) | Value::Blob(_) | Value::Texts(_) | Value::Ints(_) => return Err(mistyped()),
        }
    }
    Ok(match kind {
        KeyKind::Text => Value::Texts(texts),
        KeyKind::Int => Value::Ints(ints),
    })
}

fn mistyped() -> StoreError {
    StoreError::misuse("the value of a key column has the wrong type")
}

/// Reads a key column: of which table, its name, and of which row, for the error.
fn key(
    cells: &impl Cells,
    at: usize,
    kind: KeyKind,
    (table, column, row): (&'static str, &'static str, &str),
) -> Result<KeyValue> {
    Ok(match kind {
        KeyKind::Text => cells.ours::<Option<String>>(at, table, column, row)?.into(),
        KeyKind::Int => cells.ours::<Option<i64>>(at, table, column, row)?.into(),
    })
}

/// Reads a row of [`columns`].
fn read(table: Table, cells: &impl Cells) -> Result<Row> {
    let name = table.name();
    let id: String = cells.ours(0, name, "id", "")?;
    let salt: Vec<u8> = cells.ours(2, name, "salt", &id)?;
    let salt = <[u8; 16]>::try_from(salt).map_err(|_| StoreError::Inconsistent {
        table: name,
        column: "salt",
        row: id.clone(),
    })?;
    let mut keys = Vec::with_capacity(table.keys().len());
    for (at, (column, kind, _)) in table.keys().iter().enumerate() {
        keys.push(key(cells, at + 4, *kind, (name, column, &id))?);
    }
    Ok(Row {
        revision: cells.ours(1, name, "revision", &id)?,
        body: cells.ours(3, name, "body", &id)?,
        id,
        salt,
        keys,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use crate::migrate::MIGRATIONS;

    /// How SQLite finds the rows of a statement.
    fn way(database: &rusqlite::Connection, select: &Select) -> String {
        let tenant = Tenant::single();
        let (sql, values) = statement(Dialect::Sqlite, &tenant, select).unwrap();
        planned(database, &sql, values.len())
    }

    fn planned(database: &rusqlite::Connection, sql: &str, values: usize) -> String {
        let mut asked = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let bound = rusqlite::params_from_iter((0..values).map(|_| "[]"));
        asked.query_row(bound, |row| row.get::<_, String>(3)).unwrap()
    }

    #[test]
    fn who_is_among_some_is_looked_up_and_not_looked_for() {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        MIGRATIONS.iter().for_each(|step| database.execute_batch(step).unwrap());
        let mut indexes =
            database.prepare("SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql NOTNULL").unwrap();
        let indexes =
            indexes.query_map([], |row| row.get(0)).unwrap().collect::<Result<Vec<String>, _>>().unwrap();
        let (mut looked_up, mut looked_for) = (0, Vec::new());
        for table in Table::ALL {
            for column in table.keys().iter().map(|(name, ..)| *name).chain(["id"]) {
                let way = way(&database, &Select::from(table).filter(Filter::In(column, Vec::new())));
                let index = format!(" ON {} (tenant, {column}", table.name());
                if column == "id" || indexes.iter().any(|sql| sql.contains(&index)) {
                    looked_up += 1;
                    assert!(way.contains(&format!("(tenant=? AND {column}=?)")), "{}: {way}", table.name());
                } else {
                    looked_for.push(format!("{}.{column}", table.name()));
                }
            }
        }
        assert!(looked_up > 100, "{looked_up}, and not {looked_for:?}");
        let open = Filter::In("state", vec!["drafted".into()]);
        let theirs = Select::from(Table::Plans).filter(Filter::In("identity", vec!["x".into()])).filter(open);
        assert!(way(&database, &theirs).contains("plans_identity (tenant=? AND identity=?)"));
        // What is not in it does not lead, whatever the database knows of its rows.
        let (theirs, named) = (Filter::Is("source", "x".into()), Filter::Is("id", "x/1".into()));
        let both = Select::from(Table::PushedUsers).filter(theirs.clone()).filter(named);
        assert!(way(&database, &both).contains("(tenant=? AND id=?)"));
        let both = Select::from(Table::Batches).filter(theirs).filter(Filter::Is("state", "held".into()));
        assert!(way(&database, &both).contains("batches_source (tenant=? AND source=?)"));
    }

    #[test]
    fn the_first_that_begin_with_a_text_are_read_in_order_and_not_sorted() {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        MIGRATIONS.iter().for_each(|step| database.execute_batch(step).unwrap());
        for column in ["name", "lookup"] {
            let begin = Select::from(Table::Identities).filter(Filter::Starts(column, "a".into()));
            let tenant = Tenant::single();
            let first = begin.first_by(column, 20);
            let (sql, values) = statement(Dialect::Sqlite, &tenant, &first).unwrap();
            let mut asked = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let bound = rusqlite::params_from_iter((0..values.len()).map(|_| "x"));
            let steps = asked.query_map(bound, |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<String> = steps.map(Result::unwrap).collect();
            assert!(steps.len() == 1 && steps[0].contains(&format!("identities_{column} ")), "{steps:?}");
        }
    }

    #[test]
    fn what_rows_are_as_of_is_read_from_an_index_alone() {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        MIGRATIONS.iter().for_each(|step| database.execute_batch(step).unwrap());
        let tenant = Tenant::single();
        for after in [None, Some("hr/7".to_owned())] {
            let asked = Outlines {
                table: Table::Identities,
                by: "source_key",
                begins: "hr/".into(),
                after,
                columns: &["source_key", "said", "state", "due"],
                limit: 10,
            };
            let (sql, values) = outlining(&tenant, &asked);
            let way = planned(&database, &sql, values.len());
            assert!(way.contains("USING COVERING INDEX identities_said (tenant=? AND source_key>?"), "{way}");
            assert_eq!(sql.matches("source_key >").count(), 1, "a page begins where the one before it ended");
        }
    }
}
