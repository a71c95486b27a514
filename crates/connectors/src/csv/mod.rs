//! People from a delimited text file (RFC 4180) in a folder: what HR systems export.
//!
//! The file is read in windows, never as a whole: a cursor holds the offset of the next record, so that
//! all pages together cost one pass. A feed is read strictly or not at all: a missing column, a stray
//! quote, a row of another width, bytes that are not of the encoding, a date that is none are errors
//! with their line, because half a feed is worse than none. Each has a stable code of its own
//! (`feed-…`), and its message the file and the line.
//!
//! A record is a person: the key column is the id; the mapped columns are attributes; the attributes
//! `start`, `end` (days, `2026-11-21`), `zone` and `status` (`active`, `terminated`) have their
//! conventional meaning, and a terminated person is `Blocked`. Duplicate keys are passed on: judging a
//! delivery is intake's.
//!
//! All calls are `list READ /{file}`: one record of a file cannot be had without reading the file.
//! Absent on purpose: writing, and guessing an encoding, a delimiter or a format.

mod decode;
mod feed;
mod scan;
mod settings;

use std::ops::ControlFlow;

use async_trait::async_trait;
use bailiwick_connector::{
    Applied, Capability, Connector, ConnectorError, ErrorKind, Line, Listing, Locator, Object, Page, Result,
    Visit,
};
use bailiwick_core::plan::Op;

use decode::Layout;
use feed::{Feed, Place};
use settings::Settings;

/// Reads people from a file.
pub struct Csv {
    settings: Settings,
    capability: Capability,
}

/// What it can do.
pub(crate) fn most() -> Capability {
    Capability { people: true, max_page: 10_000, ..Capability::default() }
}

impl Csv {
    /// A connector with these settings. Fails with `Settings`, naming the setting.
    pub fn new(settings: &serde_json::Value) -> Result<Self> {
        Ok(Self { settings: Settings::read(settings)?, capability: most() })
    }

    /// Shows records from `cursor` on until `row` has had enough. Gives the place of the next record;
    /// `None` when there is none.
    async fn walk(
        &self,
        line: &Line,
        cursor: Option<&str>,
        wish: u32,
        row: &mut (dyn FnMut(Object<'_>) -> ControlFlow<()> + Send),
    ) -> Result<Option<Place>> {
        let mut feed = Feed::open(line, &self.settings, wish).await?;
        let Some(header) = feed.next().await? else { return Ok(None) };
        let layout = Layout::of(&header, &self.settings)?;
        if let Some(cursor) = cursor {
            feed.go_to(cursor)?;
        }
        while let Some(record) = feed.next().await? {
            if row(layout.person(&record)?).is_break() {
                return Ok(feed.place());
            }
        }
        Ok(None)
    }
}

fn unsupported(what: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Unsupported, format!("a file of people has no {what}"))
}

#[async_trait]
impl Connector for Csv {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn check(&self, line: &Line) -> Result<()> {
        self.walk(line, None, 1, &mut |_| ControlFlow::Break(())).await.map(drop)
    }

    async fn list(
        &self,
        line: &Line,
        listing: Listing<'_>,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        match listing {
            Listing::People => {}
            Listing::Accounts => return Err(unsupported("accounts")),
            Listing::Groups => return Err(unsupported("groups")),
            Listing::Held { .. } => return Err(unsupported("access that is held")),
        }
        let size = size.clamp(1, self.capability.max_page);
        let mut shown = 0;
        let mut row = |person: Object<'_>| {
            visit(person);
            shown += 1;
            if shown == size { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let next = self.walk(line, cursor, size, &mut row).await?;
        Ok(Page { next: next.map(|place| place.to_string()), complete: true })
    }

    async fn get(&self, line: &Line, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        let key = match locator {
            Locator::Person(key) => key,
            Locator::Account(_) | Locator::AccountNamed(_) | Locator::AccountMarked(_) => {
                return Err(unsupported("accounts"));
            }
            Locator::Group(_) => return Err(unsupported("groups")),
        };
        let mut found = None;
        let mut row = |person: Object<'_>| {
            if person.id == key {
                found = Some(person.into_owned());
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        self.walk(line, None, self.capability.max_page, &mut row).await?;
        Ok(found)
    }

    async fn apply(&self, _: &Line, _: Option<&str>, _: &Op, _: Option<&str>, _: &str) -> Result<Applied> {
        Err(unsupported("accounts that could be changed"))
    }
}
