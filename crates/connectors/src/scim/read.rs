//! Reading users and groups: pages of lists, and one by its id, name or marker.

use std::sync::Arc;

use bailiwick_connector::{Answer, ErrorKind, Line, Locator, Object, Page, Result, Visit};
use bailiwick_core::scope::Operation;
use serde_json::Value;

use super::{
    Scim,
    decode::{
        self, Mapping, TypedGroup, TypedUser, info, json, malformed, parse, parse_list, parse_page,
        show_groups, show_users,
    },
    discover::Learned,
    exchange::{Exchange, Kind, refusal},
    paging::{Method, Place},
    path::quoted,
    settings::{PagingSetting, Settings},
};

pub(super) const USERS: &str = "Users";
pub(super) const GROUPS: &str = "Groups";
/// The size of a page when the connector itself looks for something.
pub(super) const LOOK: u32 = 100;

/// What is needed to read.
pub(super) struct Reader<'a> {
    pub(super) exchange: Exchange<'a>,
    pub(super) settings: &'a Settings,
    pub(super) learned: Arc<Learned>,
}

impl<'a> Reader<'a> {
    /// A reader, after what the system says about itself was learned.
    pub(super) async fn new(scim: &'a Scim, line: &'a Line) -> Result<Self> {
        let learned = scim.learned(line).await?;
        Ok(Self { exchange: scim.exchange(line), settings: &scim.settings, learned })
    }

    fn mapping(&self) -> &Mapping {
        &self.settings.mapping
    }

    /// Where a listing stands; at its beginning without a cursor.
    pub(super) fn place(&self, cursor: Option<&str>, size: u32) -> Result<Place> {
        if let Some(cursor) = cursor {
            return cursor.parse();
        }
        let method = match self.settings.paging {
            PagingSetting::Cursor => Method::Cursor,
            PagingSetting::Index => Method::Index,
            PagingSetting::Auto if self.learned.cursor => Method::Cursor,
            PagingSetting::Auto => Method::Index,
        };
        let most = self.settings.page_size.into_iter().chain(self.learned.max_page).min();
        Ok(Place::start(method, size.min(most.unwrap_or(u32::MAX))))
    }

    /// One page of a list, whatever the status of the answer.
    async fn ask_page(
        &self,
        endpoint: &str,
        filter: Option<&str>,
        place: &Place,
    ) -> Result<(String, Answer)> {
        let path = format!("{}/{endpoint}", self.exchange.base);
        let mut query = place.query();
        query.extend(filter.map(|filter| ("filter", filter.to_owned())));
        let answer = self.exchange.ask(Operation::List, path.clone(), query).await?;
        Ok((format!("GET {path}"), answer))
    }

    /// One page of a list.
    pub(super) async fn page(&self, endpoint: &str, filter: Option<&str>, place: &Place) -> Result<Answer> {
        let (label, answer) = self.ask_page(endpoint, filter, place).await?;
        match answer.status {
            200..=299 => Ok(answer),
            _ => Err(refusal(&label, Kind::Read, &answer)),
        }
    }

    /// The first page of what a filter picks; the page of everything if the system cannot filter so, and
    /// whether it was filtered.
    pub(super) async fn first_page(
        &self,
        endpoint: &str,
        filter: &str,
        place: &Place,
    ) -> Result<(bool, Answer)> {
        if self.learned.filter {
            let (label, answer) = self.ask_page(endpoint, Some(filter), place).await?;
            match answer.status {
                200..=299 => return Ok((true, answer)),
                400 | 501 => {}
                _ => return Err(refusal(&label, Kind::Read, &answer)),
            }
        }
        Ok((false, self.page(endpoint, None, place).await?))
    }

    /// One page of all users, with the attributes of a mapping.
    pub(super) async fn users(
        &self,
        mapping: &Mapping,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let place = self.place(cursor, size)?;
        let answer = self.page(USERS, None, &place).await?;
        let mut list = parse_page(&answer.body)?;
        let verdict = place.judge(&info(&list));
        if !verdict.fresh {
            return Ok(verdict.page);
        }
        match show_users(&answer.body, &mut list, mapping, visit)? {
            0 => Ok(verdict.page),
            _ => Ok(Place::unreadable(verdict.page)),
        }
    }

    /// One page of all groups.
    pub(super) async fn groups(&self, cursor: Option<&str>, size: u32, visit: Visit<'_>) -> Result<Page> {
        let place = self.place(cursor, size)?;
        let answer = match self.page(GROUPS, None, &place).await {
            // What a system does not show at all is not shown to be empty.
            Err(error) if error.kind == ErrorKind::NotFound => {
                return Ok(Page { next: None, complete: false });
            }
            answer => answer?,
        };
        let mut list = parse_list::<TypedGroup<'_>>(&answer.body)?;
        let verdict = place.judge(&info(&list));
        if !verdict.fresh {
            return Ok(verdict.page);
        }
        match show_groups(&mut list, visit) {
            0 => Ok(verdict.page),
            _ => Ok(Place::unreadable(verdict.page)),
        }
    }

    /// One thing.
    pub(super) async fn get(&self, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        match locator {
            Locator::Account(id) => self.account(id).await,
            Locator::AccountNamed(name) => self.named(name).await,
            Locator::AccountMarked(marker) => self.marked(marker).await,
            Locator::Group(id) => self.group(id).await,
            Locator::Person(_) => Err(super::unsupported("people")),
        }
    }

    /// The account with this id.
    pub(super) async fn account(&self, id: &str) -> Result<Option<Object<'static>>> {
        self.user(id, self.mapping()).await
    }

    /// The user with this id, with the attributes of a mapping.
    pub(super) async fn user(&self, id: &str, mapping: &Mapping) -> Result<Option<Object<'static>>> {
        match self.exchange.read_one(USERS, id).await? {
            None => Ok(None),
            Some(answer) => user_of(&answer, id, mapping).map(Some),
        }
    }

    async fn group(&self, id: &str) -> Result<Option<Object<'static>>> {
        match self.exchange.read_one(GROUPS, id).await? {
            None => Ok(None),
            Some(answer) => group_of(&answer, id).map(Some),
        }
    }

    /// The user who bears the marker. Markers compare byte for byte.
    pub(super) async fn marked(&self, marker: &str) -> Result<Option<Object<'static>>> {
        let filter = format!("externalId eq {}", quoted(marker));
        let is = |user: &Object<'_>| user.marker.as_deref() == Some(marker);
        let found = self.find(&filter, self.mapping(), is).await?;
        only(found, "marker", marker)
    }

    /// The user with the sign-in name. These compare without case (RFC 7643 §4.1.1), unless there are
    /// several that way and one in exactly this spelling.
    pub(super) async fn named(&self, name: &str) -> Result<Option<Object<'static>>> {
        let filter = format!("userName eq {}", quoted(name));
        let lower = name.to_lowercase();
        let is = |user: &Object<'_>| user.name.to_lowercase() == lower;
        let mut found = self.find(&filter, self.mapping(), is).await?;
        if found.len() > 1 && found.iter().any(|user| user.name == name) {
            found.retain(|user| user.name == name);
        }
        only(found, "name", name)
    }

    /// All users for whom `matches` holds. The filter only narrows what is looked at: a system that
    /// ignores it shows everybody, and is looked through.
    pub(super) async fn find(
        &self,
        filter: &str,
        mapping: &Mapping,
        matches: impl Fn(&Object<'_>) -> bool + Send + Sync,
    ) -> Result<Vec<Object<'static>>> {
        let mut place = self.place(None, LOOK)?;
        let (filtered, mut answer) = self.first_page(USERS, filter, &place).await?;
        let mut found = Vec::new();
        loop {
            let mut list = parse_page(&answer.body)?;
            let mut verdict = place.judge(&info(&list));
            if verdict.fresh {
                let mut visit = |user: Object<'_>| found.extend(matches(&user).then(|| user.into_owned()));
                if show_users(&answer.body, &mut list, mapping, &mut visit)? > 0 {
                    verdict.page = Place::unreadable(verdict.page);
                }
            }
            match verdict.page {
                Page { next: Some(next), .. } => place = next.parse()?,
                Page { next: None, complete: false } if found.is_empty() => {
                    return Err(malformed(
                        "the system did not show everybody, so nobody can be said to be missing",
                    ));
                }
                Page { next: None, .. } => return Ok(found),
            }
            answer = self.page(USERS, filtered.then_some(filter), &place).await?;
        }
    }
}

pub(super) fn only(found: Vec<Object<'static>>, what: &str, text: &str) -> Result<Option<Object<'static>>> {
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (one, None) => Ok(one),
        (_, Some(_)) => {
            Err(malformed(&format!("the {what} `{text}` is ambiguous: several accounts have it")))
        }
    }
}

/// The user in an answer, who must be the one with this id.
pub(super) fn user_of(answer: &Answer, id: &str, mapping: &Mapping) -> Result<Object<'static>> {
    let mut user: TypedUser<'_> = parse(&answer.body)?;
    let tree: Option<Value> = mapping.needs_tree().then(|| json(&answer.body)).transpose()?;
    let object = decode::account(&mut user, tree.as_ref(), mapping);
    with_version(object, answer, id)
}

/// The group in an answer, which must be the one with this id.
pub(super) fn group_of(answer: &Answer, id: &str) -> Result<Object<'static>> {
    let mut group: TypedGroup<'_> = parse(&answer.body)?;
    with_version(decode::group(&mut group), answer, id)
}

fn with_version(object: Option<Object<'_>>, answer: &Answer, id: &str) -> Result<Object<'static>> {
    let mut object = object.ok_or_else(|| malformed(&format!("`{id}` cannot be read")))?.into_owned();
    if object.id != id {
        return Err(malformed(&format!("`{}` came when `{id}` was asked for", object.id)));
    }
    if object.version.is_none() {
        object.version = answer.header("etag").map(|etag| etag.to_owned().into());
    }
    Ok(object)
}
