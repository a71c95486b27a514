//! Lists: by index or by cursor, filtered and sorted. What a filter pins to a name or an id is looked up; everything
//! else reads the resources of the source, up to so many.

use std::{cmp::Ordering, collections::BTreeSet};

use bailiwick_core::id::SourceName;
use bailiwick_store::{
    Filter as Where, Select, Stored, Table, Tx,
    entities::{PushedMember, PushedUser},
    select,
};
use serde_json::{Map, Value};

use super::{
    fault::{Fault, Result, Wrong},
    filter::{Filter, folded, parse},
    path::Place,
    project::Projection,
    query::{Page, Query},
    rows::{Kept, complete, rendered},
    schema::{Resource, Schemas},
};
use crate::api::Hub;

/// How many resources a filter that pins nothing is held against, at most.
const SCANNED: usize = 100_000;
/// How many are read at a time.
const READ: u32 = 500;

/// A page of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listed {
    /// How many there are in all, if that is known.
    pub total: Option<u64>,
    pub items: Vec<Map<String, Value>>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

/// A resource that was found: its id, what it is sorted by, and itself.
type Found<T> = (Option<String>, Stored<T>);

/// A page of rows, how many there are in all, and the cursor of the next page.
type Paged<T> = (Vec<Stored<T>>, Option<u64>, Option<String>);

/// Lists resources of one kind of one source.
pub struct Finder<'a> {
    pub hub: &'a Hub,
    pub tx: &'a mut dyn Tx,
    pub source: &'a SourceName,
    pub base: &'a str,
    pub schemas: &'a Schemas,
    pub query: &'a Query,
}

impl Finder<'_> {
    /// The page that is asked for.
    pub async fn list<T: Kept>(&mut self) -> Result<Listed> {
        let query = self.query;
        let filter = query.filter.as_deref().map(|text| parse(text, self.schemas)).transpose()?;
        let wanted = Projection::parse(query.attributes.as_deref(), query.excluded.as_deref(), self.schemas)?;
        let sort = match query.sort_by.as_deref() {
            Some(text) => {
                let place = Place::parse(text, self.schemas);
                let none = || Fault::new(Wrong::Path, "`sortBy` names nothing that resources are sorted by");
                Some(place.filter(|place| place.leaf().parts().is_empty()).ok_or_else(none)?)
            }
            None => None,
        };
        let (found, total, next) = match (&filter, &sort) {
            (None, None) => self.plain::<T>().await?,
            (filter, sort) => self.picked::<T>(filter.as_ref(), sort.as_ref()).await?,
        };
        let mut items: Vec<_> = found.iter().map(|stored| rendered(stored, self.base)).collect();
        complete::<T>(self.hub, self.tx, (self.source, self.base), &mut items, &wanted).await?;
        let items = items.into_iter().map(|resource| wanted.of(resource)).collect();
        Ok(Listed { total, items, next })
    }

    fn all<T: Kept>(&self) -> Select {
        Select::from(T::TABLE).filter(Where::Is("source", self.source.as_str().into()))
    }

    async fn rows<T: Kept>(&mut self, wanted: Select) -> Result<Vec<Stored<T>>> {
        Ok(select(self.tx, self.hub.tenant(), wanted).await?)
    }

    fn key(&self, id: &str) -> String {
        format!("{}/{id}", self.source)
    }

    fn after<T: Kept>(&self, cursor: Option<&String>) -> Result<Option<String>> {
        cursor.map(|cursor| self.query.after(self.source, T::RESOURCE.name(), cursor)).transpose()
    }

    fn cursor<T: Kept>(&self, last: Option<&Stored<T>>) -> Option<String> {
        last.map(|last| self.query.cursor(self.source, T::RESOURCE.name(), &last.value.id()))
    }

    /// All resources in the order in which they were made.
    async fn plain<T: Kept>(&mut self) -> Result<Paged<T>> {
        let total = self.tx.count(self.hub.tenant(), self.all::<T>()).await?;
        let total = u64::try_from(total).ok();
        match &self.query.page {
            Page::Index { count: 0, .. } | Page::Cursor { count: 0, .. } => Ok((Vec::new(), total, None)),
            Page::Index { start, count } => {
                let found = self.rows(self.all::<T>().from_place(start - 1, *count)).await?;
                Ok((found, total, None))
            }
            Page::Cursor { cursor, count } => {
                let after = self.after::<T>(cursor.as_ref())?.map(|id| self.key(&id));
                let found = self.rows(self.all::<T>().page(after, count + 1)).await?;
                let (found, next) = self.cut(found, *count);
                Ok((found, total, next))
            }
        }
    }

    /// A page out of what was found and one more, and the cursor of the next.
    fn cut<T: Kept>(&self, mut found: Vec<Stored<T>>, count: u32) -> (Vec<Stored<T>>, Option<String>) {
        let more = found.len() > count as usize;
        found.truncate(count as usize);
        let next = self.cursor(found.last().filter(|_| more));
        (found, next)
    }

    /// The resources of which a filter holds, sorted if that is asked for.
    async fn picked<T: Kept>(
        &mut self,
        filter: Option<&Filter<'_>>,
        sort: Option<&Place<'_>>,
    ) -> Result<Paged<T>> {
        let memberships = self.memberships::<T>(filter).await?;
        let pinned = filter.and_then(|filter| self.pinned::<T>(filter));
        // A cursor that is not sorted goes on where it was, and reads no more than a page needs.
        let (mut from, enough) = match (&self.query.page, sort) {
            (Page::Cursor { cursor, count }, None) => {
                (self.after::<T>(cursor.as_ref())?.map(|id| self.key(&id)), Some(*count as usize + 1))
            }
            (Page::Cursor { .. } | Page::Index { .. }, _) => (None, None),
        };
        let (mut found, mut read): (Vec<Found<T>>, usize) = (Vec::new(), 0);
        loop {
            let wanted = pinned.clone().unwrap_or_else(|| self.all::<T>()).page(from.take(), READ);
            let rows = self.rows::<T>(wanted).await?;
            read += rows.len();
            let last = rows.last().filter(|_| rows.len() == READ as usize).map(|row| row.value.key());
            for row in rows {
                let resource = with_members(rendered(&row, self.base), &memberships);
                if filter.is_none_or(|filter| filter.holds(&resource)) {
                    found.push((sort.and_then(|place| sort_key(place, &resource)), row));
                }
            }
            match last {
                Some(last) if enough.is_none_or(|enough| found.len() < enough) => from = Some(last),
                Some(_) | None => break,
            }
            if read >= SCANNED {
                let detail = format!(
                    "more than {SCANNED} resources would have to be looked at; ask for an id or a name, or page by cursor"
                );
                return Err(Fault::new(Wrong::TooMany, detail));
            }
        }
        if sort.is_some() {
            sorted(&mut found, self.query.descending);
        }
        self.page_of(found, enough.is_some())
    }

    fn page_of<T: Kept>(&self, found: Vec<Found<T>>, began_after: bool) -> Result<Paged<T>> {
        let total = u64::try_from(found.len()).ok().filter(|_| !began_after);
        let rows = found.into_iter().map(|(_, row)| row);
        match &self.query.page {
            Page::Index { start, count } => {
                let page = rows.skip(*start as usize - 1).take(*count as usize).collect();
                Ok((page, total, None))
            }
            Page::Cursor { cursor, count } => {
                let after = if began_after { None } else { self.after::<T>(cursor.as_ref())? };
                let mut rows: Vec<Stored<T>> = rows.collect();
                if let Some(after) = after {
                    let gone =
                        || Fault::new(Wrong::CursorExpired, "where the cursor stood is nothing any more");
                    let at = rows.iter().position(|row| row.value.id() == after).ok_or_else(gone)?;
                    rows.drain(..=at);
                }
                rows.truncate(*count as usize + 1);
                let (page, next) = self.cut(rows, *count);
                Ok((page, total, next))
            }
        }
    }

    /// Where a filter leaves only a few to be looked at, these.
    fn pinned<T: Kept>(&self, filter: &Filter<'_>) -> Option<Select> {
        let theirs = Where::Is("source", self.source.as_str().into());
        let of = |column, value: String| {
            let named = Select::from(T::TABLE).filter(Where::Is(column, value.into()));
            Some(named.filter(theirs.clone()))
        };
        let (name, column) = T::NAME;
        if let Some(id) = filter.pins("id") {
            return of("id", self.key(id));
        }
        if let Some(text) = filter.pins(name) {
            return of(column, PushedUser::name_key(self.source, text));
        }
        filter.pins("externalId").and_then(|text| of("external", self.key(text)))
    }

    /// Which groups have the members that a filter compares with, so that nobody reads all members of all groups.
    async fn memberships<T: Kept>(&mut self, filter: Option<&Filter<'_>>) -> Result<Vec<(String, String)>> {
        let mut compared = Vec::new();
        match (T::RESOURCE, filter) {
            (_, None) => {}
            (Resource::Group, Some(filter)) => filter.comparisons("members", &mut compared),
            (Resource::User, Some(filter)) => filter.comparisons("groups", &mut compared),
        }
        let by_eq = || {
            Fault::new(
                Wrong::Filter,
                "members can be compared by `members.value eq \"…\"` only, and `groups` not at all",
            )
        };
        let ids: Option<BTreeSet<&str>> = compared.into_iter().collect();
        let ids = ids.filter(|ids| ids.is_empty() || T::RESOURCE == Resource::Group).ok_or_else(by_eq)?;
        let mut memberships = Vec::new();
        for id in ids {
            let of = Where::Is("member", self.key(id).into());
            let rows: Vec<Stored<PushedMember>> =
                select(self.tx, self.hub.tenant(), Select::from(Table::PushedMembers).filter(of)).await?;
            memberships.extend(rows.into_iter().map(|row| (row.value.group.to_string(), row.value.member)));
        }
        Ok(memberships)
    }
}

/// The resource with those of its members that are compared with.
fn with_members(mut resource: Map<String, Value>, memberships: &[(String, String)]) -> Map<String, Value> {
    let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
    let here = memberships.iter().filter(|(group, _)| group == id);
    let here: Vec<Value> = here.map(|(_, member)| serde_json::json!({ "value": member })).collect();
    if !here.is_empty() {
        resource.insert("members".into(), Value::Array(here));
    }
    resource
}

fn sort_key(place: &Place<'_>, resource: &Map<String, Value>) -> Option<String> {
    match place.preferred(resource)? {
        Value::String(text) => Some(folded(text, place.leaf())),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Sorts; what has no value is last, or first when the order is descending (RFC 7644 §3.4.2.3).
fn sorted<T: Kept>(found: &mut [Found<T>], descending: bool) {
    found.sort_by(|(a, one), (b, other)| {
        let order = match (a, b) {
            (Some(a), Some(b)) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        let order = if descending { order.reverse() } else { order };
        order.then_with(|| one.value.id().cmp(&other.value.id()))
    });
}
