//! Asking for accounts, groups and what an account holds.
//!
//! Pages go on after the last id of the one before. A statement that gives more than it was asked for, or
//! what was there before, is not believed: its answer is an error and no page.

use bailiwick_connector::{
    ConnectorError, ErrorKind, Line, Locator, Object, ObjectState, Page, Result, Visit,
    broker::{Rows, Statement},
};
use bailiwick_core::{access::AccessClass, scope::Operation};

use super::{
    Sql,
    decode::{Seen, malformed, objects},
    settings::wrong,
};

/// Asks on one line.
pub(super) struct Reader<'a> {
    pub(super) sql: &'a Sql,
    pub(super) line: &'a Line,
}

/// Where a page begins and how long it is.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) after: Option<&'p str>,
    pub(super) size: u32,
}

impl Reader<'_> {
    pub(super) async fn rows(&self, statement: Statement<'_>) -> Result<Rows> {
        self.line.execute(statement.many("ignore", self.sql.settings.ignore.as_slice())).await
    }

    async fn page(
        &self,
        statement: Statement<'_>,
        name: &str,
        place: Place<'_>,
    ) -> Result<(Vec<Seen>, Page)> {
        let size = place.size.clamp(1, self.sql.settings.page_size);
        let statement = statement.text("after", place.after).number("limit", i64::from(size));
        let rows = self.rows(statement).await?;
        let seen = objects(&rows, &self.sql.settings.kinds, name)?;
        let paged = self.sql.settings.parameters(name).is_some_and(|has| has.contains("after"));
        if !paged {
            return Ok((seen, Page { next: None, complete: true }));
        }
        if seen.len() > size as usize {
            return Err(malformed(format!("`{name}` gave {} rows, and `:limit` was {size}", seen.len())));
        }
        if place.after.is_some_and(|after| seen.iter().any(|one| one.object.id == after)) {
            return Err(malformed(format!("`{name}` does not go on behind `:after`")));
        }
        let full = seen.len() == size as usize;
        let next = seen.last().filter(|_| full).map(|last| last.object.id.to_string());
        Ok((seen, Page { next, complete: true }))
    }

    /// Shows a page of accounts.
    pub(super) async fn accounts(&self, place: Place<'_>, visit: Visit<'_>) -> Result<Page> {
        let (seen, page) = self.page(Statement::new(Operation::List, "list"), "list", place).await?;
        self.judged(seen).await?.into_iter().for_each(visit);
        Ok(page)
    }

    /// Shows a page of what a statement lists that is no account: nothing is judged by a password there.
    pub(super) async fn listed(&self, name: &str, place: Place<'_>, visit: Visit<'_>) -> Result<Page> {
        let (seen, page) = self.page(Statement::new(Operation::List, name), name, place).await?;
        seen.into_iter().map(|one| one.object).for_each(visit);
        Ok(page)
    }

    /// Shows a page of what an account holds.
    pub(super) async fn held(
        &self,
        account: &str,
        class: AccessClass,
        place: Place<'_>,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let name = format!("list-{class}");
        let statement = Statement::new(Operation::List, &name).text("id", account);
        let (seen, page) = self.page(statement, &name, place).await?;
        seen.into_iter().map(|one| one.object).for_each(visit);
        Ok(page)
    }

    /// Everything of a class that an account holds, over all pages.
    pub(super) async fn all_held(&self, account: &str, class: AccessClass) -> Result<Vec<Object<'static>>> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let place = Place { after: after.as_deref(), size: self.sql.settings.page_size };
            let mut visit = |object: Object<'_>| all.push(object.into_owned());
            match self.held(account, class, place, &mut visit).await?.next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// One thing; `None` when it is certainly not there.
    pub(super) async fn get(&self, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        let (special, id, name, marker) = match locator {
            Locator::Account(id) => ("get", Some(id), None, None),
            Locator::AccountNamed(name) => ("get-named", None, Some(name), None),
            Locator::AccountMarked(marker) => ("get-marked", None, None, Some(marker)),
            Locator::Group(id) if self.sql.capability.groups => ("get-group", Some(id), None, None),
            Locator::Group(_) => return Err(super::unsupported("groups")),
            Locator::Person(id) if self.sql.settings.has("get-person") => {
                ("get-person", Some(id), None, None)
            }
            Locator::Person(_) => return Err(super::unsupported("people")),
        };
        let settings = &self.sql.settings;
        let usual = settings.parameters("get").unwrap_or_default();
        let statement = match settings.has(special) {
            true => special,
            // A table without markers has nobody who bears one.
            false if marker.is_some() && !usual.contains("marker") => return Ok(None),
            false => "get",
        };
        let asked = Statement::new(Operation::Get, statement).text("id", id).text("name", name);
        let rows = self.rows(asked.text("marker", marker)).await?;
        let mut seen = objects(&rows, &settings.kinds, statement)?;
        if seen.len() > 1 {
            return Err(malformed(format!(
                "`{statement}` gives {} things where one was asked for",
                seen.len()
            )));
        }
        if let Some(one) = seen.first() {
            let object = &one.object;
            let asked = id.is_none_or(|id| object.id == id)
                && marker.is_none_or(|marker| object.marker.as_deref() == Some(marker));
            if !asked {
                return Err(malformed(format!("`{statement}` gives something else than was asked for")));
            }
        }
        if matches!(special, "get-group" | "get-person") {
            return Ok(seen.pop().map(|one| one.object));
        }
        Ok(self.judged(seen).await?.pop())
    }

    /// The accounts, each with whether it works. An account whose password is not accepted any more is
    /// blocked only when nobody gets in without one, and when the system shows that.
    async fn judged(&self, seen: Vec<Seen>) -> Result<Vec<Object<'static>>> {
        let judge = |seen: Vec<Seen>, password_only: bool| {
            let block = move |one: Seen| match one.expired && password_only {
                true => Object { state: ObjectState::Blocked, ..one.object },
                false => one.object,
            };
            seen.into_iter().map(block).collect()
        };
        if !self.sql.settings.has("ways-in") {
            return Ok(judge(seen, true));
        }
        let asks = seen.iter().any(|one| one.expired && one.object.state == ObjectState::Live);
        let password_only = asks && self.password_only().await?;
        Ok(judge(seen, password_only))
    }

    async fn password_only(&self) -> Result<bool> {
        match self.rows(Statement::new(Operation::Discover, "ways-in")).await {
            Ok(rows) => Ok(rows.cell(0, "others") == Some(&bailiwick_connector::broker::Cell::Number(0))),
            // What may not be looked at proves nothing.
            Err(error) if error.kind == ErrorKind::Forbidden => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reaches the system, tries the credential, and asks whether the system will do.
    pub(super) async fn check(&self) -> Result<()> {
        if self.sql.settings.has("check") {
            let rows = self.rows(Statement::new(Operation::Discover, "check")).await?;
            if let Some(bailiwick_connector::broker::Cell::Text(problem)) = rows.cell(0, "problem") {
                return Err(wrong("dialect", problem));
            }
        }
        let place = Place { after: None, size: 1 };
        let list = if self.sql.capability.accounts { "list" } else { "list-people" };
        self.page(Statement::new(Operation::List, list), list, place).await.map(drop)
    }

    /// What keeps an account from being deleted, for people; and whether all of it can be handed over.
    pub(super) async fn owned(&self, account: &str) -> Result<(Vec<String>, bool)> {
        let rows = self.rows(Statement::new(Operation::Get, "owned").text("id", account)).await?;
        let (mut owned, mut here) = (Vec::new(), true);
        for row in rows.iter() {
            for (column, cell) in row {
                match column {
                    "what" => owned.extend(super::decode::text(cell).map(|what| what.into_owned())),
                    "elsewhere" => here &= super::decode::flag(cell) == Some(false),
                    _ => {}
                }
            }
        }
        if owned.len() < rows.len() {
            return Err(ConnectorError::none(
                ErrorKind::Malformed,
                "`owned` needs a column `what` with text",
            ));
        }
        Ok((owned, here))
    }
}
