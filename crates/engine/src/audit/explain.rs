//! Who changed what differs, by the system's own audit log.

use bailiwick_connector::Start;
use bailiwick_core::{
    audit::Others,
    time::{SignedDuration, Timestamp},
};

use super::PAGE;
use crate::{Catalogue, Engine, catalogue::Route};

/// How many entries are read to explain differences.
const MOST: usize = 100_000;
/// How far the clocks may be apart.
const CLOCKS: SignedDuration = SignedDuration::from_mins(2);

/// What the log says of who changed what.
#[derive(Default)]
pub(crate) struct Explaining {
    /// What others did.
    pub others: Others,
    /// The mark of the last entry that was read.
    pub mark: Option<String>,
    /// Whether there is a log, and it was read to its end.
    pub whole: bool,
}

impl Engine {
    /// What others did on a system, by its log, since a mark or an instant. A log that cannot be read explains nothing, and
    /// is told of by the comparison that is due every quarter of an hour.
    pub(crate) async fn explaining(
        &self,
        catalogue: &Catalogue,
        route: &Route<'_>,
        mark: Option<String>,
        begin: Timestamp,
    ) -> Explaining {
        let mut told = Explaining { mark, ..Explaining::default() };
        if !route.connector.capability().audits {
            return told;
        }
        let line = self.reading(catalogue, route.integration);
        // A log may show what was done long ago too, which explains nothing of now.
        let earliest = begin.saturating_sub(CLOCKS).unwrap_or(begin);
        for _ in 0..MOST / PAGE as usize {
            let mut last = None;
            let mut take = |entry: bailiwick_core::audit::Entry| {
                if entry.at >= earliest {
                    told.others.take(&entry);
                }
                last = Some(entry.mark);
            };
            let mark = told.mark.clone();
            let start = mark.as_deref().map_or(Start::Instant(begin), Start::Mark);
            match route.connector.audit(&line, start, PAGE, &mut take).await {
                Ok(()) if last.is_none() => {
                    told.whole = true;
                    break;
                }
                Ok(()) => told.mark = last,
                Err(_) => break,
            }
        }
        told
    }
}
