//! The audit log that a system keeps of itself: what happened there, as far as the system says so.
//!
//! It is made from the ledger. What had no effect is not in it, so a `liar`, who answers that a token was revoked and
//! shows it so, has no entry of it; that is what gives the lie away to whoever compares.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    clock::rfc3339,
    exchange::Call,
    ledger::{Credential, LedgerEntry},
    refusal::Refusal,
    reply::Reply,
    system::System,
};

/// Entries in one answer.
const PAGE: usize = 500;

/// `GET /api/audit?after=SEQ`: what happened after that entry, oldest first, and where to go on.
pub(crate) fn route(system: &System, call: &Call) -> Result<Reply, Refusal> {
    if call.method != axum::http::Method::GET {
        return Err(call.not_allowed());
    }
    let after = call.parameter("after").unwrap_or("0");
    let after: u64 =
        after.parse().map_err(|_| Refusal::InvalidValue(format!("`after` `{after}` is not a number")))?;
    let entries: Vec<Value> =
        system.ledger().iter().filter(|entry| entry.seq > after).take(PAGE).map(entry).collect();
    let last = entries.last().map_or(json!(after), |entry| entry["seq"].clone());
    Ok(Reply::json(StatusCode::OK, json!({"entries": entries, "last": last})))
}

fn entry(entry: &LedgerEntry) -> Value {
    let actor = match entry.cause.credential {
        Credential::Write => "integration",
        Credential::BackDoor => "administrator",
    };
    json!({
        "seq": entry.seq,
        "at": rfc3339(entry.at_ms),
        "actor": actor,
        "effect": entry.effect,
        "user": entry.user,
        "group": entry.group,
        "detail": entry.detail,
    })
}
