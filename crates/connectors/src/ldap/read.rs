//! Reading accounts and people: pages of listings, and one by its id, name or marker.

use bailiwick_connector::{
    ConnectorError, Entry as Let, ErrorKind, Issued, Line, Locator, Object, Page, Result, Visit,
    broker::ldap::{Base, Depth, Entry, Filter, Search, Shown},
    seal::CredentialScheme,
};
use bailiwick_core::{dn::Dn, scope::Operation};

use super::{
    Ldap,
    ask::{Ask, Query, refusal},
    decode::{Judge, Reading, Signs},
    known::Now,
    paging::{guid_bytes, uuid_bytes},
    policy::{FOR_EVER, LOCKED},
    settings::{Dialect, People, Shape, Way},
};

/// What is needed to read.
pub(super) struct Reader<'a> {
    ldap: &'a Ldap,
    pub(super) line: &'a Line,
    pub(super) now: Now,
}

/// An account, as it is needed to change it.
pub(super) struct Found {
    pub(super) dn: Dn,
    pub(super) object: Object<'static>,
    pub(super) signs: Signs,
}

impl<'a> Reader<'a> {
    /// A reader, after what is not known of the directory was asked.
    pub(super) async fn new(ldap: &'a Ldap, line: &'a Line) -> Result<Self> {
        Ok(Self { ldap, line, now: ldap.memory.now(&ldap.settings, line).await? })
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.now.known.shape
    }

    pub(super) fn ask(&self) -> Ask<'_> {
        Ask { line: self.line, shape: self.shape() }
    }

    pub(super) fn judge<'j>(&'j self, reading: &'j Reading) -> Judge<'j> {
        Judge {
            shape: self.shape(),
            reading,
            book: &self.now.book,
            locks: self.now.trust != super::policy::Trust::Refuted,
            now: self.line.now(),
        }
    }

    /// Reads one entry of each listing, and says what of the settings cannot be.
    pub(super) async fn check(&self) -> Result<()> {
        let shape = self.shape();
        if shape.ways_chosen
            && shape.ways.contains(&Way::Lock)
            && self.now.way(0).is_none()
            && let Some(remark) = self.now.trust.remark()
        {
            let message = format!("setting `disable`: no account can be disabled: {remark}");
            return Err(ConnectorError::none(ErrorKind::Settings, message).with_detail("lock-without-effect"));
        }
        let mut places = vec![(&shape.accounts.base, &shape.accounts.filter)];
        places.extend(shape.groups.iter().map(|groups| (&groups.base, &groups.filter)));
        places.extend(shape.people.iter().map(|people| (&people.base, &people.filter)));
        for (base, filter) in places {
            let query = Query { operation: Operation::List, base, filter, attributes: &["1.1"] };
            self.ask().page(query, None, 1, &mut |_| true).await?;
        }
        Ok(())
    }

    /// One page of all accounts.
    pub(super) async fn accounts(&self, cursor: Option<&str>, size: u32, visit: Visit<'_>) -> Result<Page> {
        let (reading, accounts) = (self.now.reading(), &self.shape().accounts);
        let judge = self.judge(reading);
        let query = Query {
            operation: Operation::List,
            base: &accounts.base,
            filter: &accounts.filter,
            attributes: &reading.attributes(),
        };
        let mut look = |entry: &Entry<'_>| match judge.read(entry) {
            Some((object, _)) => {
                visit(object);
                true
            }
            None => false,
        };
        self.ask().page(query, cursor, size, &mut look).await
    }

    pub(super) fn source(&self) -> Result<&People> {
        self.shape().people.as_ref().ok_or_else(|| super::unsupported("people"))
    }

    /// Which entries are people. Who has no key cannot be told apart from others and is nobody's person.
    pub(super) fn people_filter(people: &People) -> Filter {
        people.filter.clone().and(Filter::Present(people.key.clone()))
    }

    /// One page of all people.
    pub(super) async fn people(&self, cursor: Option<&str>, size: u32, visit: Visit<'_>) -> Result<Page> {
        let people = self.source()?;
        let reading = Reading::people(self.shape(), people);
        let judge = self.judge(&reading);
        let query = Query {
            operation: Operation::List,
            base: &people.base,
            filter: &Self::people_filter(people),
            attributes: &reading.attributes(),
        };
        let mut look = |entry: &Entry<'_>| match judge.read(entry) {
            Some((object, _)) => {
                visit(object);
                true
            }
            None => false,
        };
        self.ask().page(query, cursor, size, &mut look).await
    }

    /// One thing.
    pub(super) async fn get(&self, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        match locator {
            Locator::Account(id) => self.account(id).await,
            Locator::AccountNamed(name) => Ok(self.named(name).await?.map(|found| found.object)),
            Locator::AccountMarked(marker) => Ok(self.marked(marker).await?.map(|found| found.object)),
            Locator::Group(id) => self.group(id).await,
            Locator::Person(key) => self.person(key).await,
        }
    }

    /// The account with this id.
    pub(super) async fn account(&self, id: &str) -> Result<Option<Object<'static>>> {
        Ok(self.find(id).await?.map(|found| found.object))
    }

    /// The account with this id, and what is needed to change it.
    pub(super) async fn find(&self, id: &str) -> Result<Option<Found>> {
        let Some(filter) = id_filter(self.shape(), id) else { return Ok(None) };
        only(self.matching(filter, |object| object.id == id).await?, "id", id)
    }

    /// The account that bears the marker. Markers compare byte for byte, whatever the directory's schema says.
    pub(super) async fn marked(&self, marker: &str) -> Result<Option<Found>> {
        let filter = Filter::equal(&self.shape().marker, marker);
        let is = |object: &Object<'_>| object.marker.as_deref() == Some(marker);
        only(self.matching(filter, is).await?, "marker", marker)
    }

    /// The account with the sign-in name. These compare as the directory's schema says, mostly without case,
    /// unless there are several that way and one in exactly this spelling. A server that takes U+0000 for the end
    /// of a text, as Samba does, would give somebody else: with that, names compare byte for byte.
    pub(super) async fn named(&self, name: &str) -> Result<Option<Found>> {
        let filter = Filter::equal(&self.shape().accounts.name, name);
        let exact = |object: &Object<'_>| object.name == name;
        let cut = |object: &Object<'_>| name.contains('\0') || object.name.contains('\0');
        let mut found = self.matching(filter, |object| exact(object) || !cut(object)).await?;
        if found.len() > 1 && found.iter().any(|one| exact(&one.object)) {
            found.retain(|one| exact(&one.object));
        }
        only(found, "name", name)
    }

    async fn person(&self, key: &str) -> Result<Option<Object<'static>>> {
        let people = self.source()?;
        let reading = Reading::people(self.shape(), people);
        let judge = self.judge(&reading);
        let filter = people.filter.clone().and(Filter::equal(&people.key, key));
        let query = Query {
            operation: Operation::Get,
            base: &people.base,
            filter: &filter,
            attributes: &reading.attributes(),
        };
        let mut found = Vec::new();
        let mut look = |entry: &Entry<'_>| match judge.read(entry) {
            Some((object, _)) => {
                found.extend((object.id == key).then(|| object.into_owned()));
                true
            }
            None => false,
        };
        let whole = self.ask().all(query, &mut look).await?;
        only(nothing_hidden(found, whole)?, "key", key)
    }

    /// All accounts that a filter picks and for which `is` holds.
    pub(super) async fn matching(
        &self,
        filter: Filter,
        is: impl Fn(&Object<'_>) -> bool + Send + Sync,
    ) -> Result<Vec<Found>> {
        let (reading, accounts) = (self.now.reading(), &self.shape().accounts);
        let judge = self.judge(reading);
        let filter = accounts.filter.clone().and(filter);
        let query = Query {
            operation: Operation::Get,
            base: &accounts.base,
            filter: &filter,
            attributes: &reading.attributes(),
        };
        let mut found = Vec::new();
        let mut look = |entry: &Entry<'_>| {
            let (Some((object, signs)), Ok(dn)) = (judge.read(entry), entry.name.parse()) else {
                return false;
            };
            if is(&object) {
                found.push(Found { dn, object: object.into_owned(), signs });
            }
            true
        };
        let whole = self.ask().all(query, &mut look).await?;
        nothing_hidden(found, whole)
    }

    /// Signs in as the canary, and learns from it.
    pub(super) async fn attempt(&self, issued: &Issued) -> Result<Let> {
        let answered = self.line.bind_as(&issued.credential).await?;
        match answered.code {
            0 => {}
            // No password, or not this one. A directory also says so of who is locked or disabled.
            48 | 49 => return Ok(Let::Rejected),
            _ => return Err(refusal(&answered, "sign in as the canary")),
        }
        if let CredentialScheme::Basic { user } = &issued.credential.scheme
            && self.shape().dialect == Dialect::OpenLdap
            && let Ok(dn) = user.parse::<Dn>()
            && self.bears_lock(&dn).await?
        {
            tracing::warn!("an account that is locked for ever was let in");
            self.ldap.memory.refute();
        }
        Ok(Let::Accepted)
    }

    async fn bears_lock(&self, dn: &Dn) -> Result<bool> {
        let filter = Filter::equal(LOCKED, FOR_EVER);
        let search = Search {
            operation: Operation::Get,
            base: Base::Entry(dn),
            depth: Depth::Base,
            filter: &filter,
            attributes: &["1.1"],
            controls: &[],
            connection: None,
        };
        let mut bears = false;
        let mut show = |shown: Shown<'_>| bears |= matches!(shown, Shown::Entry(_));
        let answered = self.line.search(&search, &mut show).await?;
        // Servers without password policies do not know the attribute, and nobody bears it.
        Ok(answered.code == 0 && bears)
    }
}

/// Picks the entry with this id; none if no entry can have it.
pub(super) fn id_filter(shape: &Shape, id: &str) -> Option<Filter> {
    match shape.dialect {
        Dialect::OpenLdap => uuid_bytes(id).map(|_| Filter::equal(shape.id(), id)),
        Dialect::ActiveDirectory => guid_bytes(id).map(|stored| Filter::equal(shape.id(), stored)),
    }
}

/// Who was not shown cannot be said to be missing.
fn nothing_hidden<T>(found: Vec<T>, whole: bool) -> Result<Vec<T>> {
    match found.is_empty() && !whole {
        true => {
            let message = "the directory did not show everything, so nobody can be said to be missing";
            Err(ConnectorError::none(ErrorKind::Malformed, message).with_detail("answer-incomplete"))
        }
        false => Ok(found),
    }
}

fn only<T>(found: Vec<T>, what: &str, text: &str) -> Result<Option<T>> {
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (one, None) => Ok(one),
        (_, Some(_)) => {
            let message = format!("the {what} `{text}` is ambiguous: several entries have it");
            Err(ConnectorError::none(ErrorKind::Malformed, message).with_detail("answer-ambiguous"))
        }
    }
}
