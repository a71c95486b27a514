//! Leases: which are there, and how long they still have.

use bailiwick_connector::Result;
use bailiwick_core::scope::Operation;
use serde_json::json;

use super::{
    decode::{Entity, Lease},
    exchange::{malformed, segment},
    read::Reader,
};

const LOOKUP: &str = "sys/leases/lookup";
/// Leases lie no deeper than this; whoever shows deeper ones is going round in circles.
const MAX_DEPTH: usize = 12;

/// The ids of all leases below some paths, ascending, but not those of logins: they stand for tokens, which
/// are listed as such.
pub(super) async fn below(reader: &Reader<'_>, paths: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = paths.to_vec();
    while let Some(folder) = folders.pop() {
        if folder.split('/').count() > MAX_DEPTH {
            return Err(malformed(&format!("leases lie deeper than {MAX_DEPTH} folders")));
        }
        let path = match folder.is_empty() {
            true => LOOKUP.to_owned(),
            false => format!("{LOOKUP}/{folder}"),
        };
        for key in reader.exchange.keys(&path).await? {
            let name = segment(key.trim_end_matches('/'))?;
            let whole = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            match key.ends_with('/') {
                true if whole == "auth" => {}
                true => folders.push(whole),
                false => found.push(whole),
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The ids of the leases that are an account's by the settings, ascending. Of an entity that is gone only
/// the id is known.
pub(super) async fn own(reader: &Reader<'_>, id: &str, entity: Option<&Entity>) -> Result<Vec<String>> {
    let name = entity.map(|entity| entity.name.as_str()).unwrap_or_default();
    let paths: Vec<String> =
        reader.settings.own_leases.iter().filter_map(|template| template.path(name, id)).collect();
    below(reader, &paths).await
}

/// How many seconds a lease still has, none when it should have ended; `None` if it is not there.
pub(super) async fn remaining(reader: &Reader<'_>, id: &str) -> Result<Option<i64>> {
    let asked = json!({"lease_id": id});
    let lease: Option<Lease> = reader.exchange.ask(Operation::List, LOOKUP, &asked, "invalid lease").await?;
    Ok(lease.map(|lease| lease.ttl))
}
