//! The work queue and the named locks.
//!
//! A lane with items has one row in `lanes`: its first item, when that is ready (due, or its lease runs
//! out), who holds it and the fence. All who touch a lane lock that row first, so a lane never loses
//! its head between one who adds an item and one who finishes the last. To lease is to read the index
//! of lanes, whatever the length of the queue and however many lanes are asleep.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::id::Tenant;

use crate::{
    KeyKind, NewWork, Result, StoreError, Work, batch,
    sql::{Cells, Link, Sql, Value},
};

pub(crate) async fn enqueue<L: Link>(link: &mut L, tenant: &Tenant, work: &[NewWork]) -> Result<()> {
    let tenant = tenant.as_str();
    // Sorted, so that two who add to the same lanes lock them in the same order.
    let lanes: BTreeSet<&str> = work.iter().map(|item| item.lane.as_str()).collect();
    let mut locked = Vec::with_capacity(3 * lanes.len());
    for lane in &lanes {
        locked.extend([tenant.into(), Value::from(*lane), 0.into()]);
    }
    let or_lock = " ON CONFLICT (tenant, lane) DO UPDATE SET fence = lanes.fence";
    batch::insert(link, "lanes (tenant, lane, fence)", or_lock, 3, &locked).await?;
    let mut items = Vec::with_capacity(6 * work.len());
    for item in work {
        let NewWork { lane, priority, due, body } = item;
        items.extend([
            tenant.into(),
            Value::from(lane),
            (*priority).into(),
            (*due).into(),
            0.into(),
            body.as_slice().into(),
        ]);
    }
    batch::insert(link, "work (tenant, lane, priority, due, attempts, body)", "", 6, &items).await?;
    let lanes = Value::Texts(lanes.into_iter().collect());
    let those = L::DIALECT.one_of("lane", 2);
    // No index is of use for what is only compared, or a database that knows little of its rows may take it for a way.
    let first = format!("UPDATE lanes SET {NEXT} WHERE tenant = $1 AND {those} AND coalesce(head, 0) = 0");
    link.execute(first.text(), &[tenant.into(), lanes.clone()]).await?;
    // What is behind something less urgent makes the whole lane urgent, or it would wait for that.
    let sql = format!(
        "UPDATE lanes SET priority = {URGENCY} WHERE tenant = $1 AND {those} AND priority > {URGENCY}"
    );
    link.execute(sql.text(), &[tenant.into(), lanes]).await?;
    link.ring();
    Ok(())
}

/// The items of a lane.
macro_rules! theirs {
    () => {
        "FROM work WHERE work.tenant = lanes.tenant AND work.lane = lanes.lane"
    };
}
/// The urgency of a lane: that of its most urgent item.
const URGENCY: &str = concat!("(SELECT min(priority) ", theirs!(), ")");
/// Makes the first item of a lane its head.
const NEXT: &str = concat!(
    "(priority, head, ready) = (SELECT min(priority) OVER (), seq, due ",
    theirs!(),
    " ORDER BY seq LIMIT 1)"
);
/// Whether a lane has nothing left.
const EMPTY: &str = concat!("NOT EXISTS (SELECT 1 ", theirs!(), ")");

/// When at most so many lanes are ready, they are found by that, and put into order; when more are, they are read in order
/// and those that are not ready are passed over.
const FEW_READY: i64 = 1_024;

pub(crate) async fn lease<L: Link>(
    link: &mut L,
    tenant: &Tenant,
    holder: &str,
    now: i64,
    ttl: i64,
    limit: u32,
    least: i64,
) -> Result<Vec<Work>> {
    let ready =
        "SELECT count(*) FROM (SELECT 1 FROM lanes WHERE tenant = $1 AND ready <= $2 LIMIT $3) AS ready";
    let values = [tenant.as_str().into(), now.into(), (FEW_READY + 1).into()];
    let ready = link.fetch(ready.text(), &values).await?;
    let ready: i64 = ready.first().map(|row| row.cell(0)).transpose()?.unwrap_or(0);
    let aside = |column: &str| L::DIALECT.aside(column, KeyKind::Int);
    let (is_ready, is_urgent, order) = match ready {
        0 => return Ok(Vec::new()),
        ..=FEW_READY => (
            "lanes.ready".to_owned(),
            aside("lanes.priority"),
            format!("{}, {}", aside("lanes.priority"), aside("lanes.head")),
        ),
        _ => (aside("lanes.ready"), "lanes.priority".to_owned(), "lanes.priority, lanes.head".to_owned()),
    };
    let sql = format!(
        "SELECT work.seq, lanes.lane, work.body, work.attempts, lanes.fence \
         FROM lanes JOIN work ON work.seq = lanes.head \
         WHERE lanes.tenant = $1 AND {is_ready} <= $2 AND {is_urgent} <= $4 ORDER BY {order} LIMIT $3{}",
        L::DIALECT.for_update("lanes", true)
    );
    let values = [tenant.as_str().into(), now.into(), i64::from(limit).into(), least.into()];
    let rows = link.fetch(sql.text(), &values).await?;
    let mut leased = Vec::with_capacity(rows.len());
    for row in rows {
        leased.push(Work {
            seq: row.cell(0)?,
            lane: row.cell(1)?,
            body: row.cell(2)?,
            attempts: row.cell(3)?,
            fence: row.cell::<i64>(4)? + 1,
        });
    }
    if !leased.is_empty() {
        let sql = format!(
            "UPDATE lanes SET holder = $1, ready = $2, fence = fence + 1 WHERE tenant = $3 AND {}",
            L::DIALECT.one_of("lane", 4)
        );
        let lanes = leased.iter().map(|work| work.lane.as_str()).collect();
        let until = now.saturating_add(ttl);
        link.execute(sql.text(), &[holder.into(), until.into(), tenant.as_str().into(), Value::Texts(lanes)])
            .await?;
    }
    Ok(leased)
}

/// Locks the lanes of `work` and fails with `LostLease` unless all are held with its fences.
async fn still_held<L: Link>(link: &mut L, tenant: &str, work: &[Work]) -> Result<()> {
    // In order of lane, so that two who finish lock them in the same order.
    let sql = format!(
        "SELECT lane, head, fence FROM lanes WHERE tenant = $1 AND holder IS NOT NULL AND {} ORDER BY lane{}",
        L::DIALECT.one_of("lane", 2),
        L::DIALECT.for_update("lanes", false)
    );
    let lanes = work.iter().map(|work| work.lane.as_str()).collect();
    let mut held: BTreeMap<String, (Option<i64>, i64)> = BTreeMap::new();
    for row in link.fetch(sql.text(), &[tenant.into(), Value::Texts(lanes)]).await? {
        held.insert(row.cell(0)?, (row.cell(1)?, row.cell(2)?));
    }
    // Taken out, so that the same item given twice is lost the second time.
    match work.iter().find(|work| held.remove(&work.lane) != Some((Some(work.seq), work.fence))) {
        Some(lost) => Err(StoreError::LostLease { seq: lost.seq }),
        None => Ok(()),
    }
}

pub(crate) async fn finish<L: Link>(link: &mut L, tenant: &Tenant, work: &[Work]) -> Result<()> {
    if work.is_empty() {
        return Ok(());
    }
    let tenant = tenant.as_str();
    still_held(link, tenant, work).await?;
    let (aside, seqs) = (L::DIALECT.aside("tenant", KeyKind::Text), L::DIALECT.one_of("seq", 2));
    let done = format!("DELETE FROM work WHERE {aside} = $1 AND {seqs}");
    link.execute(done.text(), &[tenant.into(), Value::Ints(work.iter().map(|work| work.seq).collect())])
        .await?;
    let lanes = Value::Texts(work.iter().map(|work| work.lane.as_str()).collect());
    let those = L::DIALECT.one_of("lane", 2);
    // A lane that has nothing left is gone, with its fence; of another the next item is the first.
    let empty = format!("DELETE FROM lanes WHERE tenant = $1 AND {those} AND {EMPTY}");
    let emptied = link.execute(empty.text(), &[tenant.into(), lanes.clone()]).await?;
    if emptied < work.len() as u64 {
        let next = format!("UPDATE lanes SET holder = NULL, {NEXT} WHERE tenant = $1 AND {those}");
        link.execute(next.text(), &[tenant.into(), lanes]).await?;
    }
    Ok(())
}

pub(crate) async fn postpone<L: Link>(
    link: &mut L,
    tenant: &Tenant,
    work: &[Work],
    due: i64,
    failed: bool,
) -> Result<()> {
    if work.is_empty() {
        return Ok(());
    }
    let tenant = tenant.as_str();
    still_held(link, tenant, work).await?;
    let (aside, seqs) = (L::DIALECT.aside("tenant", KeyKind::Text), L::DIALECT.one_of("seq", 4));
    let sql = format!("UPDATE work SET due = $1, attempts = attempts + $2 WHERE {aside} = $3 AND {seqs}");
    let items = Value::Ints(work.iter().map(|work| work.seq).collect());
    link.execute(sql.text(), &[due.into(), i64::from(failed).into(), tenant.into(), items]).await?;
    let those = L::DIALECT.one_of("lane", 3);
    let sql = format!("UPDATE lanes SET holder = NULL, ready = $1 WHERE tenant = $2 AND {those}");
    let lanes = Value::Texts(work.iter().map(|work| work.lane.as_str()).collect());
    link.execute(sql.text(), &[due.into(), tenant.into(), lanes]).await?;
    Ok(())
}

pub(crate) async fn wake<L: Link>(link: &mut L, tenant: &Tenant, lanes: &[String], now: i64) -> Result<()> {
    let tenant = tenant.as_str();
    // In order of lane, so that two who touch the same lanes lock them in the same order.
    let sql = format!(
        "SELECT lane FROM lanes WHERE tenant = $1 AND holder IS NULL AND {} > $2 AND {} ORDER BY lane{}",
        L::DIALECT.aside("ready", KeyKind::Int),
        L::DIALECT.one_of("lane", 3),
        L::DIALECT.for_update("lanes", false)
    );
    let asked = lanes.iter().map(String::as_str).collect();
    let mut asleep = Vec::new();
    for row in link.fetch(sql.text(), &[tenant.into(), now.into(), Value::Texts(asked)]).await? {
        asleep.push(row.cell::<String>(0)?);
    }
    if asleep.is_empty() {
        return Ok(());
    }
    let sql = format!("UPDATE lanes SET ready = $1 WHERE tenant = $2 AND {}", L::DIALECT.one_of("lane", 3));
    let asleep = asleep.iter().map(String::as_str).collect();
    link.execute(sql.text(), &[now.into(), tenant.into(), Value::Texts(asleep)]).await?;
    link.ring();
    Ok(())
}

pub(crate) async fn next_due<L: Link>(link: &mut L, tenant: &Tenant) -> Result<Option<i64>> {
    let sql = "SELECT min(ready) FROM lanes WHERE tenant = $1";
    let rows = link.fetch(sql.text(), &[tenant.as_str().into()]).await?;
    rows.first().map_or(Ok(None), |row| Ok(row.cell(0)?))
}

pub(crate) async fn queued<L: Link>(link: &mut L, tenant: &Tenant) -> Result<i64> {
    let rows =
        link.fetch("SELECT count(*) FROM work WHERE tenant = $1".text(), &[tenant.as_str().into()]).await?;
    rows.first().map_or(Ok(0), |row| Ok(row.cell(0)?))
}

pub(crate) async fn lock<L: Link>(
    link: &mut L,
    name: &str,
    holder: &str,
    now: i64,
    ttl: i64,
) -> Result<Option<i64>> {
    let sql = "INSERT INTO locks (name, holder, expires, fence) VALUES ($1, $2, $3, 1) \
               ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires = excluded.expires, \
               fence = locks.fence + CASE WHEN locks.holder = excluded.holder THEN 0 ELSE 1 END \
               WHERE locks.holder = excluded.holder OR locks.expires <= $4 RETURNING fence";
    let values = [name.into(), holder.into(), now.saturating_add(ttl).into(), now.into()];
    let rows = link.fetch(sql.text(), &values).await?;
    Ok(rows.first().map(|row| row.cell(0)).transpose()?)
}

pub(crate) async fn give_up<L: Link>(link: &mut L, tenant: &Tenant, holder: &str, now: i64) -> Result<()> {
    let tenant = tenant.as_str();
    // In order of lane, so that two who touch the same lanes lock them in the same order.
    let sql = format!(
        "SELECT lane FROM lanes WHERE tenant = $1 AND holder = $2 ORDER BY lane{}",
        L::DIALECT.for_update("lanes", false)
    );
    let mut held = Vec::new();
    for row in link.fetch(sql.text(), &[tenant.into(), holder.into()]).await? {
        held.push(row.cell::<String>(0)?);
    }
    let sql = format!(
        "UPDATE lanes SET holder = NULL, ready = $1, fence = fence + 1 WHERE tenant = $2 AND {}",
        L::DIALECT.one_of("lane", 3)
    );
    let lanes = held.iter().map(String::as_str).collect();
    link.execute(sql.text(), &[now.into(), tenant.into(), Value::Texts(lanes)]).await?;
    // `0` is what comes after `/`.
    let sql =
        "UPDATE locks SET expires = $1 WHERE expires > $1 AND (holder = $2 OR (holder > $3 AND holder < $4))";
    let (from, to) = (format!("{holder}/"), format!("{holder}0"));
    link.execute(sql.text(), &[now.into(), holder.into(), (&from).into(), (&to).into()]).await?;
    Ok(())
}
