//! Who changed what differs, by the system's own audit log.

use bailiwick_core::{
    audit::{Entry, Others, SKEW},
    id::SystemName,
    time::Timestamp,
};

use super::log::{Log, Read};
use crate::{Catalogue, Engine};

/// How many entries are read to explain differences.
const MOST: usize = 100_000;

/// What the log says of who changed what.
#[derive(Default)]
pub(crate) struct Explaining {
    /// What others did.
    pub others: Others,
    /// How far the log was read; where there is none, nowhere.
    pub read: Read,
}

impl Engine {
    /// What others did on a system, by its log, since a mark or an instant. A log that cannot be read explains nothing, and
    /// is told of by the comparison that is due every quarter of an hour.
    pub(crate) async fn explaining(
        &self,
        catalogue: &Catalogue,
        system: &SystemName,
        mark: Option<String>,
        begin: Timestamp,
    ) -> Explaining {
        let (mut others, mut read) = (Others::default(), Read { mark, ..Read::default() });
        let mut named = Vec::new();
        if let Ok(route) = catalogue.log(system) {
            let line = self.reading(catalogue, route.integration);
            let log = Log { connector: &**route.connector, line: &line };
            // A log may show what was done long ago too, which explains nothing of now.
            let earliest = begin.saturating_sub(SKEW).unwrap_or(begin);
            let mut take = |entry: Entry| match entry.account {
                _ if entry.at < earliest => {}
                None if entry.name.is_some() => named.push(entry),
                Some(_) | None => others.take(&entry),
            };
            // As far as it was read it says who; `read` says that this was not all.
            let _ = log.follow(&mut read, begin, MOST, &mut take).await;
            read.whole &= !read.lost && self.find_named(system, &mut named).await.is_ok();
            named.iter().for_each(|entry| others.take(entry));
        }
        Explaining { others, read }
    }
}
