//! What is promised of a system's own audit log.

use bailiwick_core::{
    audit::{self, Part, takes},
    plan::Op,
    time::Timestamp,
};

use super::{Bench, Tested, Verdict, ensure, unexpected};
use crate::{Outcome, Start};

/// More readings than any log of a test needs.
const MOST: usize = 1_000;

/// Everything that the log has, read `size` entries at a time.
async fn read(bench: &Bench<'_>, from: Option<&str>, size: u32) -> Result<Vec<audit::Entry>, String> {
    let mut all: Vec<audit::Entry> = Vec::new();
    for _ in 0..MOST {
        let (before, mark) = (all.len(), all.last().map(|entry| entry.mark.clone()));
        let begin = mark.as_deref().or(from).map_or(Start::Instant(Timestamp::UNIX_EPOCH), Start::Mark);
        let mut take = |entry| all.push(entry);
        let read = bench.connector.audit(&bench.reader, begin, size, &mut take).await;
        read.map_err(unexpected("reading the audit log"))?;
        if all.len() == before {
            return Ok(all);
        }
    }
    Err("the audit log has no end".into())
}

/// What was changed since is in the log, under the integration's name, whatever the size that it is read with.
pub(super) async fn audit_tells(bench: &Bench<'_>) -> Tested {
    let capability = bench.connector.capability().clone();
    if !capability.audits {
        return Ok(Verdict::NotApplicable("it reads no audit log"));
    }
    let before = read(bench, None, 100).await?;
    let mark = before.last().map(|entry| entry.mark.clone());
    let marked = mark.as_deref();
    let (quiet, all) = (read(bench, marked, 100).await?, marked.is_some());
    ensure(quiet.is_empty() || !all, || format!("there is more where nothing was done: {quiet:?}"))?;
    let mut done: Vec<(String, Op)> = Vec::new();
    let [first, second, ..] = &bench.ids.accounts[..] else {
        return Err("there are too few accounts".into());
    };
    let mut ops: Vec<(&String, Op)> =
        capability.removes.iter().map(|class| (first, Op::RevokeAll { class: *class })).collect();
    if capability.manages_accounts() {
        ops.push((second, Op::Disable { way: 0 }));
        let marker = "kit-audit".to_owned();
        let create = Op::CreateAccount { marker, attributes: bench.subject.attributes("kit.audit") };
        let made = bench.connector.apply(&bench.line, None, &create, None, &bench.key()).await;
        let made = made.map_err(unexpected("create"))?;
        done.extend(made.external_id.map(|id| (id, create)));
    }
    for (account, op) in ops {
        let applied = bench.connector.apply(&bench.line, Some(account), &op, None, &bench.key()).await;
        if applied.map_err(unexpected(&op.words()))?.outcome == Outcome::Done {
            done.push((account.clone(), op));
        }
    }
    if done.is_empty() {
        return Ok(Verdict::NotApplicable("it changes nothing"));
    }
    bench.subject.settle().await;
    let since = read(bench, marked, 100).await?;
    for (account, op) in &done {
        let part = Part::of_op(op);
        let tells = |entry: &&audit::Entry| entry.tells(account, &part, takes(op));
        let told = since.iter().find(tells);
        let told = told.ok_or_else(|| format!("the log has no word of `{}`: {since:?}", op.words()))?;
        ensure(told.ours, || format!("`{}` is under another name: {told:?}", op.words()))?;
    }
    ensure(read(bench, marked, 1).await? == since, || "read one by one, the log is another".into())?;
    Ok(Verdict::Holds)
}
