//! Reading, sequencing and publishing evidence entries; the personal values beside them.
//!
//! Absent: appending, which only happens with the rows an entry explains, in [`crate::batch`].

use bailiwick_core::{
    id::{Entropy, Tenant},
    record::Disclosure,
};

use crate::{
    Entry, LogHead, Result, StoreError, Update, batch,
    sql::{Cells, Link, Sql, Value},
};

const ENTRY: &str = "SELECT seq, idx, record, bytes FROM evidence";

pub(crate) async fn sequence<L: Link>(link: &mut L, limit: u32) -> Result<i64> {
    // Sequencers queue here. The next statement then sees all that those before have committed.
    let turn = format!("SELECT id FROM sequencer{}", L::DIALECT.for_update("sequencer", false));
    link.fetch(turn.text(), &[]).await?;
    let sql = "UPDATE evidence SET idx = n.idx FROM (SELECT seq, \
               (SELECT coalesce(max(idx), -1) FROM evidence) + row_number() OVER (ORDER BY seq) AS idx \
               FROM (SELECT seq FROM evidence WHERE idx IS NULL ORDER BY seq LIMIT $1) AS next) AS n \
               WHERE evidence.seq = n.seq";
    let changed = link.execute(sql.text(), &[i64::from(limit).into()]).await?;
    Ok(changed as i64)
}

pub(crate) async fn entries<L: Link>(link: &mut L, from: i64, limit: u32) -> Result<Vec<Entry>> {
    let sql = format!("{ENTRY} WHERE idx >= $1 ORDER BY idx LIMIT $2");
    read(link, sql, &[from.into(), i64::from(limit).into()]).await
}

pub(crate) async fn written<L: Link>(link: &mut L, after: i64, limit: u32) -> Result<Vec<Entry>> {
    let sql = format!("{ENTRY} WHERE seq > $1 ORDER BY seq LIMIT $2");
    read(link, sql, &[after.into(), i64::from(limit).into()]).await
}

pub(crate) async fn news<L: Link>(link: &mut L, from: i64, limit: u32) -> Result<Vec<Entry>> {
    // Two questions, each by an index of its own.
    let mut all = entries(link, from, limit).await?;
    let sql = format!("{ENTRY} WHERE idx IS NULL ORDER BY seq LIMIT $1");
    let rest = i64::from(limit) - all.len() as i64;
    all.extend(read(link, sql, &[rest.into()]).await?);
    Ok(all)
}

pub(crate) async fn entries_about<L: Link>(
    link: &mut L,
    tenant: &Tenant,
    subject: &str,
) -> Result<Vec<Entry>> {
    let sql = format!("{ENTRY} WHERE tenant = $1 AND (identity = $2 OR case_id = $2) ORDER BY seq");
    read(link, sql, &[tenant.as_str().into(), subject.into()]).await
}

pub(crate) async fn latest_about<L: Link>(
    link: &mut L,
    tenant: &Tenant,
    subject: &str,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    // Two questions, each by an index of its own; an id is of a person or of a case, and never of both.
    for column in ["identity", "case_id"] {
        let sql =
            format!("{ENTRY} WHERE tenant = $1 AND {column} = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4");
        let values = [
            tenant.as_str().into(),
            subject.into(),
            before.unwrap_or(i64::MAX).into(),
            i64::from(limit).into(),
        ];
        found.extend(read(link, sql, &values).await?);
    }
    Ok(found)
}

async fn read<L: Link>(link: &mut L, sql: String, values: &[Value<'_>]) -> Result<Vec<Entry>> {
    let rows = link.fetch(sql.text(), values).await?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        let record: String = row.ours(2, "evidence", "record", "")?;
        entries.push(Entry {
            seq: row.ours(0, "evidence", "seq", &record)?,
            index: row.ours(1, "evidence", "idx", &record)?,
            bytes: row.ours(3, "evidence", "bytes", &record)?,
            record,
        });
    }
    Ok(entries)
}

pub(crate) async fn entry_counts<L: Link>(link: &mut L) -> Result<(i64, i64)> {
    // Indices are contiguous from 0: only the end of the index is read.
    let sql = "SELECT (SELECT coalesce(max(idx), -1) + 1 FROM evidence), \
               (SELECT count(*) FROM evidence WHERE idx IS NULL)";
    let rows = link.fetch(sql.text(), &[]).await?;
    let Some(row) = rows.first() else { return Ok((0, 0)) };
    let (indexed, waiting) = (row.cell::<i64>(0)?, row.cell::<i64>(1)?);
    Ok((indexed, indexed + waiting))
}

pub(crate) async fn disclosures<L: Link>(
    link: &mut L,
    tenant: &Tenant,
    records: &[String],
) -> Result<Vec<Disclosure>> {
    let sql = format!(
        "SELECT record, field, salt, value FROM disclosures WHERE tenant = $1 AND {} ORDER BY record, field",
        L::DIALECT.one_of("record", 2)
    );
    let wanted = Value::Texts(records.iter().map(String::as_str).collect());
    let mut found = Vec::new();
    for row in link.fetch(sql.text(), &[tenant.as_str().into(), wanted]).await? {
        let record: String = row.ours(0, "disclosures", "record", "")?;
        let bad = |column| StoreError::Inconsistent { table: "disclosures", column, row: record.clone() };
        let (salt, value): (Vec<u8>, Vec<u8>) =
            (row.cell(2).map_err(|_| bad("salt"))?, row.cell(3).map_err(|_| bad("value"))?);
        found.push(Disclosure {
            record: record.parse().map_err(|_| bad("record"))?,
            field: row.cell(1).map_err(|_| bad("field"))?,
            salt: salt.try_into().map_err(|_| bad("salt"))?,
            value: serde_json::from_slice(&value).map_err(|_| bad("value"))?,
        });
    }
    Ok(found)
}

pub(crate) async fn erase<L: Link>(
    link: &mut L,
    tenant: &Tenant,
    identity: &str,
    update: Update,
    entropy: &dyn Entropy,
) -> Result<i64> {
    // The evidence first: were it to say something personal itself, that goes as well.
    batch::write(link, tenant, vec![update], entropy).await?;
    let sql = "DELETE FROM disclosures WHERE tenant = $1 AND record IN \
               (SELECT record FROM evidence WHERE tenant = $1 AND identity = $2)";
    Ok(link.execute(sql.text(), &[tenant.as_str().into(), identity.into()]).await? as i64)
}

pub(crate) async fn log_head<L: Link>(link: &mut L) -> Result<Option<LogHead>> {
    let rows = link.fetch("SELECT size, root, checkpoint FROM log_head".text(), &[]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let root: Vec<u8> = row.ours(1, "log_head", "root", "1")?;
    Ok(Some(LogHead {
        size: row.ours(0, "log_head", "size", "1")?,
        root: root.try_into().map_err(|_| StoreError::Inconsistent {
            table: "log_head",
            column: "root",
            row: "1".to_owned(),
        })?,
        checkpoint: row.ours(2, "log_head", "checkpoint", "1")?,
    }))
}

pub(crate) async fn advance_log<L: Link>(link: &mut L, old_size: Option<i64>, head: &LogHead) -> Result<()> {
    let values = [head.size.into(), head.root.as_slice().into(), head.checkpoint.as_slice().into()];
    let changed = match old_size {
        None => {
            let sql = "INSERT INTO log_head (id, size, root, checkpoint) VALUES (1, $1, $2, $3) \
                       ON CONFLICT (id) DO NOTHING";
            link.execute(sql.text(), &values).await?
        }
        Some(old_size) => {
            let [size, root, checkpoint] = values;
            let sql =
                "UPDATE log_head SET size = $1, root = $2, checkpoint = $3 WHERE size = $4 AND size <= $1";
            link.execute(sql.text(), &[size, root, checkpoint, old_size.into()]).await?
        }
    };
    match changed {
        1 => Ok(()),
        _ => Err(StoreError::Conflict { table: "log_head", id: "1".to_owned() }),
    }
}
