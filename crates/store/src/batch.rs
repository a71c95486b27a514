//! Writing rows and their evidence, in few statements.
//!
//! A call is tried in groups first: rows of one table that are written in the same way share
//! statements. Groups keep the order of the writes of one row, but not of different rows. When a group
//! does not fit, because a row is not as expected or a unique key is taken, everything is undone and
//! done again one by one in the order given. So the slow way decides, and says which row is the matter.

use std::{
    collections::{BTreeMap, HashMap},
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use bailiwick_core::{
    id::{Entropy, Tenant},
    record::Personal,
};

use crate::{
    Ready, Result, Row, StoreError, Table, Update, Write, rows,
    sql::{Failure, Link, Sql, Value},
    update::Explained,
};

/// Rows of one statement: as many of the first as there are, then of the next. The texts stay the same
/// from call to call, so that each is prepared once.
const CHUNKS: [usize; 5] = [256, 64, 16, 4, 1];

/// A call with at most so many writes is not worth grouping.
const FEW: usize = 4;

pub(crate) async fn write<L: Link>(
    link: &mut L,
    tenant: &Tenant,
    updates: Vec<Update>,
    entropy: &dyn Entropy,
) -> Result<()> {
    write_ready(link, Ready::new(tenant, updates, entropy)?).await
}

pub(crate) async fn write_ready<L: Link>(link: &mut L, ready: Ready) -> Result<()> {
    let Ready { tenant, updates: all } = &ready;
    if all.iter().map(|(_, writes)| writes.len()).sum::<usize>() > FEW || all.len() > FEW {
        link.execute("SAVEPOINT batch".text(), &[]).await?;
        match in_groups(link, tenant, all).await {
            Ok(()) => {
                link.execute("RELEASE SAVEPOINT batch".text(), &[]).await?;
                return Ok(());
            }
            Err(StoreError::Conflict { .. }) => {
                link.execute("ROLLBACK TO SAVEPOINT batch".text(), &[]).await?;
                link.execute("RELEASE SAVEPOINT batch".text(), &[]).await?;
            }
            Err(other) => return Err(other),
        }
    }
    for (explained, writes) in all {
        for write in writes {
            let (table, id) = target(write);
            group(link, tenant, table, kind(write), &[write]).await.map_err(|error| match error {
                StoreError::Conflict { table, .. } => StoreError::Conflict { table, id: id.to_owned() },
                other => other,
            })?;
        }
        append(link, tenant, &[explained]).await?;
    }
    Ok(())
}

/// What is done to a row, in the order in which groups are written: what frees a unique key goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Delete,
    Replace,
    Insert,
}

fn kind(write: &Write) -> Kind {
    match write {
        Write::Insert(..) => Kind::Insert,
        Write::Replace(..) => Kind::Replace,
        Write::Delete(..) => Kind::Delete,
    }
}

fn target(write: &Write) -> (Table, &str) {
    match write {
        Write::Insert(table, row) | Write::Replace(table, row) => (*table, &row.id),
        Write::Delete(table, id, _) => (*table, id),
    }
}

async fn in_groups<L: Link>(link: &mut L, tenant: &Tenant, all: &[(Explained, Vec<Write>)]) -> Result<()> {
    // The round of a write is the number of earlier writes of the same row.
    let mut rounds: HashMap<(Table, &str), usize> = HashMap::new();
    let mut groups: BTreeMap<(usize, Table, Kind), Vec<&Write>> = BTreeMap::new();
    for write in all.iter().flat_map(|(_, writes)| writes) {
        let round = rounds.entry(target(write)).or_default();
        groups.entry((*round, target(write).0, kind(write))).or_default().push(write);
        *round += 1;
    }
    for ((_, table, kind), writes) in groups {
        group(link, tenant, table, kind, &writes).await?;
    }
    let explained: Vec<&Explained> = all.iter().map(|(explained, _)| explained).collect();
    append(link, tenant, &explained).await
}

/// Writes rows of one table in one way. No row is among them twice.
async fn group<L: Link>(
    link: &mut L,
    tenant: &Tenant,
    table: Table,
    kind: Kind,
    writes: &[&Write],
) -> Result<()> {
    // Which row is found out one by one.
    let conflict = || StoreError::Conflict { table: table.name(), id: String::new() };
    match kind {
        Kind::Insert => {
            let into = format!("{} (tenant, {})", table.name(), rows::columns(table));
            let width = 5 + table.keys().len();
            let mut values = Vec::with_capacity(width * writes.len());
            let tenant: Arc<str> = tenant.as_str().into();
            for row in writes.iter().filter_map(|write| row(write)) {
                values.push(Value::Shared(Arc::clone(&tenant)));
                push(&mut values, table, row)?;
            }
            insert(link, &into, "", width, &values).await.map_err(|failure| failure.about(table.name(), ""))
        }
        Kind::Replace => {
            let width = 4 + table.keys().len();
            let mut values = Vec::with_capacity(width * writes.len());
            for row in writes.iter().filter_map(|write| row(write)) {
                push(&mut values, table, row)?;
            }
            let changed = replace(link, tenant, table, width, &values).await;
            match changed.map_err(|failure| failure.about(table.name(), ""))? == writes.len() as u64 {
                true => Ok(()),
                false => Err(conflict()),
            }
        }
        Kind::Delete => {
            for write in writes {
                let Write::Delete(_, id, revision) = write else { continue };
                let sql =
                    format!("DELETE FROM {} WHERE tenant = $1 AND id = $2 AND revision = $3", table.name());
                if link.execute(sql.text(), &[tenant.as_str().into(), id.into(), (*revision).into()]).await?
                    != 1
                {
                    return Err(conflict());
                }
            }
            Ok(())
        }
    }
}

fn row(write: &Write) -> Option<&Row> {
    match write {
        Write::Insert(_, row) | Write::Replace(_, row) => Some(row),
        Write::Delete(..) => None,
    }
}

/// The values of [`rows::columns`].
fn push<'a>(values: &mut Vec<Value<'a>>, table: Table, row: &'a Row) -> Result<()> {
    values.extend([
        (&row.id).into(),
        row.revision.into(),
        row.salt.as_slice().into(),
        row.body.as_slice().into(),
    ]);
    for ((_, kind, _), value) in table.keys().iter().zip(&row.keys) {
        values.push(rows::bound(*kind, value)?);
    }
    Ok(())
}

/// Splits `values` of rows of `width` into chunks; gives the number of rows with each.
fn chunks<'v, 'a>(
    mut values: &'v [Value<'a>],
    width: usize,
) -> impl Iterator<Item = (usize, &'v [Value<'a>])> {
    std::iter::from_fn(move || {
        let rows = CHUNKS.into_iter().find(|rows| rows * width <= values.len() && !values.is_empty())?;
        let (chunk, rest) = values.split_at(rows * width);
        values = rest;
        Some((rows, chunk))
    })
}

/// Inserts rows of `width` values `into` a table and columns; `ending` ends the statement.
pub(crate) async fn insert<L: Link>(
    link: &mut L,
    into: &str,
    ending: &str,
    width: usize,
    values: &[Value<'_>],
) -> Result<(), Failure> {
    let mut statements = chunks(values, width).map(|(rows, chunk)| {
        let sql = format!("INSERT INTO {into} {}{ending}", L::DIALECT.values(rows, width));
        Ok::<_, Failure>((sql.text(), L::bind(chunk)?))
    });
    let mut next = statements.next().transpose()?;
    while let Some((sql, bound)) = next {
        // While the database works on one statement, the next is bound.
        let mut running = pin!(link.run(sql, bound));
        let begun = poll_fn(|cx| Poll::Ready(running.as_mut().poll(cx))).await;
        next = statements.next().transpose()?;
        match begun {
            Poll::Ready(done) => done?,
            Poll::Pending => running.await?,
        };
    }
    Ok(())
}

/// Replaces rows where the revision before is stored; gives back how many.
async fn replace<L: Link>(
    link: &mut L,
    tenant: &Tenant,
    table: Table,
    width: usize,
    values: &[Value<'_>],
) -> Result<u64, Failure> {
    let name = table.name();
    let mut set = "revision = v.column2, salt = v.column3, body = v.column4".to_owned();
    for (at, (column, ..)) in table.keys().iter().enumerate() {
        set.push_str(&format!(", {column} = v.column{}", at + 5));
    }
    let mut changed = 0;
    for (rows, chunk) in chunks(values, width) {
        let sql = format!(
            "UPDATE {name} SET {set} FROM ({}) AS v \
             WHERE {name}.tenant = {} AND {name}.id = v.column1 AND {name}.revision = v.column2 - 1",
            L::DIALECT.values(rows, width),
            L::DIALECT.next(rows * width),
        );
        let mut bound = chunk.to_vec();
        bound.push(tenant.as_str().into());
        changed += link.execute(sql.text(), &bound).await?;
    }
    Ok(changed)
}

/// Appends evidence, after the rows: who waits for a row of another transaction also comes later in
/// the order of writing.
async fn append<L: Link>(link: &mut L, tenant: &Tenant, all: &[&Explained]) -> Result<()> {
    let tenant: Arc<str> = tenant.as_str().into();
    let tenant = || Value::Shared(Arc::clone(&tenant));
    let (mut evidence, mut disclosed) = (Vec::with_capacity(5 * all.len()), Vec::new());
    for e in all {
        evidence.extend([
            tenant(),
            (&e.record).into(),
            (&e.identity).into(),
            (&e.case).into(),
            e.bytes.as_slice().into(),
        ]);
        for Personal { field, salt, value } in &e.personal {
            disclosed.extend([
                tenant(),
                (&e.record).into(),
                (*field).into(),
                salt.as_slice().into(),
                value.as_slice().into(),
            ]);
        }
    }
    let first = all.first().map_or("", |e| e.record.as_str());
    let about = |failure: Failure| failure.about("evidence", first);
    insert(link, "evidence (tenant, record, identity, case_id, bytes)", "", 5, &evidence)
        .await
        .map_err(about)?;
    insert(link, "disclosures (tenant, record, field, salt, value)", "", 5, &disclosed).await.map_err(about)
}
