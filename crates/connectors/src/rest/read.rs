//! Reading: pages of lists, and one thing by its id, name or marker.

use bailiwick_connector::{Answer, Locator, Object, Page, Result, Visit};
use bailiwick_core::scope::Operation;
use serde_json::Value;

use super::{
    decode,
    description::{Accounts, Description, Groups, Paging, People, Request, Test},
    exchange::{Aim, Answered, Exchange, Extra, json, malformed, succeeded},
    paging::{Came, Place, Verdict, next_link},
    pointer::Pointer,
    template::Holes,
    unsupported,
};

/// The size of a page when the connector itself looks for something.
pub(super) const LOOK: u32 = 100;

/// What is needed to read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) exchange: Exchange<'a>,
    /// The largest page to ask for.
    pub(super) most: u32,
}

/// A list of a description.
#[derive(Clone, Copy)]
pub(super) struct Source<'d> {
    pub(super) request: &'d Request,
    pub(super) items: &'d Pointer,
    pub(super) only: &'d [Test],
}

impl<'a> Reader<'a> {
    pub(super) fn api(&self) -> &'a Description {
        self.exchange.api
    }

    /// The accounts.
    ///
    /// # Errors
    /// `Unsupported` if there are none.
    pub(super) fn accounts(&self) -> Result<&'a Accounts> {
        self.api().accounts.as_ref().ok_or_else(|| unsupported("accounts"))
    }

    fn people(&self) -> Result<&'a People> {
        self.api().people.as_ref().ok_or_else(|| unsupported("people"))
    }

    fn groups(&self) -> Result<&'a Groups> {
        self.api().groups.as_ref().ok_or_else(|| unsupported("groups"))
    }

    /// Where a listing stands; at its beginning without a cursor.
    pub(super) fn place(&self, cursor: Option<&str>, size: u32) -> Result<Place> {
        match cursor {
            Some(cursor) => Place::parse(cursor),
            None => Ok(Place::start(size.min(self.most))),
        }
    }

    /// Shows the items of one page; `show` says whether it could read one.
    pub(super) async fn page(
        &self,
        source: Source<'_>,
        holes: &Holes,
        place: &Place,
        show: &mut (dyn FnMut(&Value) -> bool + Send),
    ) -> Result<Page> {
        let paging = self.api().paging(source.request);
        let query = place.query(paging);
        let (answer, body) = self.exchange.read(Operation::List, source.request, holes, query).await?;
        let at = source.request.items.as_ref().unwrap_or(source.items);
        let items = at.list(&body).ok_or_else(|| malformed(&format!("there is no list at `{at}`")))?;
        let came = self.came(source.request, holes, &answer, &body, &items)?;
        let Verdict { fresh, page } = place.judge(paging, &came);
        if !fresh {
            return Ok(page);
        }
        let mut readable = true;
        for item in items.into_iter().filter(|item| decode::among(source.only, item)) {
            readable &= show(item);
        }
        Ok(if readable { page } else { Place::unreadable(page) })
    }

    fn came(
        &self,
        request: &Request,
        holes: &Holes,
        answer: &Answer,
        body: &Value,
        items: &[&Value],
    ) -> Result<Came> {
        let (next, total) = match self.api().paging(request) {
            Paging::None => (None, None),
            Paging::Page { total, .. } | Paging::Offset { total, .. } => (None, total.as_ref()),
            Paging::Cursor { next, total, .. } => (next.text(answer, body), total.as_ref()),
            Paging::Link { next, total, any_path, .. } => {
                let address = match next {
                    Some(next) => next.text(answer, body),
                    None => {
                        let links = answer.headers.iter().filter(|(name, _)| name == "link");
                        links.filter_map(|(_, value)| next_link(value)).next().map(str::to_owned)
                    }
                };
                let path = request.call.fill(holes)?;
                let query = address.map(|address| self.followed(&address, &path, *any_path)).transpose()?;
                (query, total.as_ref())
            }
        };
        let total = total.and_then(|total| total.text(answer, body)?.parse().ok());
        let cut = request.cut.as_ref().and_then(|at| at.get(body)) == Some(&Value::Bool(true));
        let first = items.first().map(|item| item.to_string());
        Ok(Came { items: items.len() as u64, first, total, cut: cut && next.is_none(), next })
    }

    /// The query of the next page's address, which must be of the same list.
    fn followed(&self, address: &str, path: &str, any_path: bool) -> Result<String> {
        match self.exchange.line.below(address) {
            Some((same, query)) if any_path || same == path => Ok(query),
            Some(_) => Err(malformed("the address of its next page is of another list; it is not followed")),
            None => Err(malformed("the address of its next page is on another host; it is not followed")),
        }
    }

    /// Shows all items of a list, over all pages; says whether these are all.
    pub(super) async fn walk(
        &self,
        source: Source<'_>,
        holes: &Holes,
        show: &mut (dyn FnMut(&Value) -> bool + Send),
    ) -> Result<bool> {
        let mut place = self.place(None, LOOK)?;
        loop {
            match self.page(source, holes, &place, show).await? {
                Page { next: Some(next), .. } => place = Place::parse(&next)?,
                Page { next: None, complete } => return Ok(complete),
            }
        }
    }

    /// One page of all accounts.
    pub(super) async fn list_accounts(
        &self,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let api = self.accounts()?;
        let source = Source { request: &api.list, items: &api.items, only: &api.only };
        let mut show = |item: &Value| decode::account(api, item).map(&mut *visit).is_some();
        self.page(source, self.exchange.parameters, &self.place(cursor, size)?, &mut show).await
    }

    /// One page of all people.
    pub(super) async fn list_people(
        &self,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let api = self.people()?;
        let source = Source { request: &api.list, items: &api.items, only: &api.only };
        let mut show = |item: &Value| decode::person(api, item).map(&mut *visit).is_some();
        self.page(source, self.exchange.parameters, &self.place(cursor, size)?, &mut show).await
    }

    /// The person with this key.
    async fn person(&self, key: &str) -> Result<Option<Object<'static>>> {
        let api = self.people()?;
        let request = api.get.as_ref().ok_or_else(|| unsupported("people one by one"))?;
        let Some(body) = self.one(request, key).await? else { return Ok(None) };
        let item = thing(&api.item, &body)?;
        match decode::among(&api.only, item) {
            true => exactly(decode::person(api, item), key).map(Some),
            false => Ok(None),
        }
    }

    /// One page of all groups, with their members.
    pub(super) async fn list_groups(
        &self,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let api = self.groups()?;
        let source = Source { request: &api.list, items: &api.items, only: &[] };
        let mut groups = Vec::new();
        let mut show =
            |item: &Value| decode::group(api, item).map(|group| groups.push(group.into_owned())).is_some();
        let mut page =
            self.page(source, self.exchange.parameters, &self.place(cursor, size)?, &mut show).await?;
        for mut group in groups {
            if !self.fill_members(api, &mut group).await? {
                page = Place::unreadable(page);
            }
            visit(group);
        }
        Ok(page)
    }

    /// Adds the members that a group does not have in itself; says whether these are all.
    async fn fill_members(&self, api: &Groups, group: &mut Object<'static>) -> Result<bool> {
        let Some(request) = &api.list_members else { return Ok(true) };
        let (whole, id) = (Pointer::default(), api.member.clone().unwrap_or_default());
        let source = Source { request, items: &whole, only: &[] };
        let holes = self.exchange.holes([("id", &*group.id)]);
        let links = &mut group.links;
        let mut show = |item: &Value| id.text(item).map(|id| links.push(id.into_owned().into())).is_some();
        self.walk(source, &holes, &mut show).await
    }

    /// All groups in which an account is directly; says whether these are all.
    pub(super) async fn groups_of(&self, account: &str) -> Result<(Vec<Object<'static>>, bool)> {
        let (mut found, mut complete, mut cursor) = (Vec::new(), true, None);
        loop {
            let mut visit = |group: Object<'_>| {
                found.extend(group.links.iter().any(|id| id == account).then(|| group.into_owned()))
            };
            let page = self.list_groups(cursor.as_deref(), LOOK, &mut visit).await?;
            complete &= page.complete;
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok((found, complete)),
            }
        }
    }

    /// One thing.
    pub(super) async fn get(&self, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        match locator {
            Locator::Account(id) => self.account(id).await,
            Locator::AccountNamed(name) => self.named(name).await,
            Locator::AccountMarked(marker) => self.marked(marker).await,
            Locator::Group(id) => self.group(id).await,
            Locator::Person(key) => self.person(key).await,
        }
    }

    /// The body of an answer about one thing; none if it is not there.
    pub(super) async fn one(&self, request: &Request, id: &str) -> Result<Option<Value>> {
        let holes = self.exchange.holes([("id", id)]);
        let Answered { answer, label } =
            self.exchange.send(Operation::Get, request, &holes, Extra::default()).await?;
        match answer.status {
            404 | 410 => Ok(None),
            status if succeeded(request, status) => json(&answer).map(Some),
            _ => Err(self.exchange.refusal(&label, Aim::Read, &answer)),
        }
    }

    /// The account with this id.
    pub(super) async fn account(&self, id: &str) -> Result<Option<Object<'static>>> {
        let api = self.accounts()?;
        let Some(request) = &api.get else {
            let found = self.find(&Look { request: None, name: "id", value: id }, |a| a.id == id).await?;
            return only(found, "id", id);
        };
        let Some(body) = self.one(request, id).await? else { return Ok(None) };
        if request.bare {
            let own = || id.to_owned().into();
            return Ok(Some(Object { id: own(), name: own(), ..Object::default() }));
        }
        let item = thing(&api.item, &body)?;
        if !decode::among(&api.only, item) {
            return Ok(None);
        }
        exactly(decode::account(api, item), id).map(Some)
    }

    async fn group(&self, id: &str) -> Result<Option<Object<'static>>> {
        let api = self.groups()?;
        let mut group = match &api.get {
            Some(request) => {
                let Some(body) = self.one(request, id).await? else { return Ok(None) };
                let item = thing(&api.item, &body)?;
                exactly(decode::group(api, item), id)?
            }
            None => {
                let mut found = Vec::new();
                let mut show = |item: &Value| {
                    let group = decode::group(api, item);
                    let readable = group.is_some();
                    found.extend(group.filter(|group| group.id == id).map(Object::into_owned));
                    readable
                };
                let source = Source { request: &api.list, items: &api.items, only: &[] };
                let complete = self.walk(source, self.exchange.parameters, &mut show).await?;
                match found.pop() {
                    Some(group) => group,
                    None if complete => return Ok(None),
                    None => return Err(not_all()),
                }
            }
        };
        match self.fill_members(api, &mut group).await? {
            true => Ok(Some(group)),
            false => Err(malformed("the system did not show all members of the group")),
        }
    }

    /// The account that bears the marker. Markers compare byte for byte.
    pub(super) async fn marked(&self, marker: &str) -> Result<Option<Object<'static>>> {
        let api = self.accounts()?;
        if api.marker.is_none() {
            return Ok(None);
        }
        let look = Look { request: api.marked.as_ref(), name: "marker", value: marker };
        only(self.find(&look, |account| account.marker.as_deref() == Some(marker)).await?, "marker", marker)
    }

    /// The account with the sign-in name: the one in exactly this spelling or, without one, the only one that
    /// differs in case alone.
    pub(super) async fn named(&self, name: &str) -> Result<Option<Object<'static>>> {
        let look = Look { request: self.accounts()?.named.as_ref(), name: "name", value: name };
        let lower = name.to_lowercase();
        let mut found = self.find(&look, |account| account.name.to_lowercase() == lower).await?;
        if found.len() > 1 && found.iter().any(|account| account.name == name) {
            found.retain(|account| account.name == name);
        }
        only(found, "name", name)
    }

    /// All accounts that `matches` holds for. What a call picks only narrows what is looked at: a system that
    /// ignores its parameter shows everybody, and is looked through.
    async fn find(
        &self,
        look: &Look<'_>,
        matches: impl Fn(&Object<'_>) -> bool + Send + Sync,
    ) -> Result<Vec<Object<'static>>> {
        let api = self.accounts()?;
        let holes = self.exchange.holes([(look.name, look.value)]);
        if let Some(request) = look.request.filter(|request| request.one) {
            let Answered { answer, label } =
                self.exchange.send(Operation::List, request, &holes, Extra::default()).await?;
            return match answer.status {
                404 | 410 => Ok(Vec::new()),
                status if succeeded(request, status) => {
                    let body = json(&answer)?;
                    let item = api.item.get(&body).filter(|item| decode::among(&api.only, item));
                    let found = item.map(|item| {
                        decode::account(api, item)
                            .map(Object::into_owned)
                            .ok_or_else(|| malformed("it cannot be read"))
                    });
                    Ok(found.transpose()?.filter(|account| matches(account)).into_iter().collect())
                }
                _ => Err(self.exchange.refusal(&label, Aim::Read, &answer)),
            };
        }
        let mut found = Vec::new();
        let mut show = |item: &Value| {
            let account = decode::account(api, item);
            let readable = account.is_some();
            found.extend(account.filter(|account| matches(account)).map(Object::into_owned));
            readable
        };
        let (request, holes) = match look.request {
            Some(request) => (request, &holes),
            None => (&api.list, self.exchange.parameters),
        };
        let source = Source { request, items: &api.items, only: &api.only };
        let complete = self.walk(source, holes, &mut show).await?;
        if found.is_empty() && !complete { Err(not_all()) } else { Ok(found) }
    }
}

/// What is looked for among accounts.
struct Look<'l> {
    request: Option<&'l Request>,
    name: &'static str,
    value: &'l str,
}

/// What an answer about one thing has of it.
fn thing<'b>(at: &Pointer, body: &'b Value) -> Result<&'b Value> {
    at.get(body).ok_or_else(|| malformed(&format!("there is nothing at `{at}`")))
}

fn not_all() -> bailiwick_connector::ConnectorError {
    malformed("the system did not show everything, so nothing can be said to be missing")
}

fn only(found: Vec<Object<'static>>, what: &str, text: &str) -> Result<Option<Object<'static>>> {
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (one, None) => Ok(one),
        (_, Some(_)) => {
            Err(malformed(&format!("the {what} `{text}` is ambiguous: several accounts have it")))
        }
    }
}

fn exactly(object: Option<Object<'_>>, id: &str) -> Result<Object<'static>> {
    let object = object.ok_or_else(|| malformed(&format!("`{id}` cannot be read")))?;
    match object.id == id {
        true => Ok(object.into_owned()),
        false => Err(malformed(&format!("`{}` came when `{id}` was asked for", object.id))),
    }
}
