//! Reading a system's own audit log to its end.

use bailiwick_connector::{Connector, ConnectorError, Line, Start};
use bailiwick_core::{
    audit::{Entry, LOST},
    time::Timestamp,
};

/// How many entries are asked for at a time.
const PAGE: u32 = 500;

/// How far a log was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Read {
    /// The mark of the last entry that is known.
    pub mark: Option<String>,
    /// Whether that is its end.
    pub whole: bool,
    /// Whether it did not go back any more to the mark that was known: what it had of then is not known.
    pub lost: bool,
}

/// Where a log is.
#[derive(Clone, Copy)]
pub(crate) struct Log<'a> {
    pub connector: &'a dyn Connector,
    pub line: &'a Line,
}

impl Log<'_> {
    /// Shows what comes after the mark that `read` has, or without one what was done since `begin`, until its end or until
    /// `most` entries were shown. A log that does not go back to the mark any more is read as without one. `read` says how
    /// far it came, also where that ended with an error.
    pub async fn follow(
        &self,
        read: &mut Read,
        begin: Timestamp,
        most: usize,
        show: &mut (dyn FnMut(Entry) + Send),
    ) -> Result<(), ConnectorError> {
        let mut shown = 0;
        while shown < most {
            let (before, known) = (shown, read.mark.clone());
            let start = known.as_deref().map_or(Start::Instant(begin), Start::Mark);
            let mut take = |entry: Entry| {
                shown += 1;
                read.mark = Some(entry.mark.clone());
                show(entry);
            };
            match self.connector.audit(self.line, start, PAGE, &mut take).await {
                Err(error) if error.code() == LOST && known.is_some() && !read.lost => {
                    *read = Read { lost: true, ..Read::default() };
                    continue;
                }
                other => other?,
            }
            if shown == before {
                read.whole = true;
                return Ok(());
            }
        }
        Ok(())
    }
}
