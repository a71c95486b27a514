//! The sentences that reading shows. Others' accounts are read and never changed.

use std::collections::BTreeSet;

use bailiwick_connector::{ConnectorError, Effect, ErrorKind, Listing, Locator, News, Object};
use bailiwick_core::{
    access::AccessClass,
    audit::{Entry, SKEW},
    digest::Digest,
    plan::Op,
    time::Timestamp,
};

use super::{Canary, Failing, Shown, ensure, not_shown};
use crate::{
    apply::on_canary,
    audit::{Log, Read},
    canary::Bench,
};

/// So much of a listing is looked at.
const LOOKED_AT: usize = 5_000;
/// So many pages are read one object at a time.
const SMALL_PAGES: usize = 20;
/// How many others are compared with what the list shows.
const COMPARED: usize = 5;
/// So much of an audit log is looked at.
const LOGGED: usize = 50_000;

/// A part of a listing.
struct Part {
    objects: Vec<Object<'static>>,
    /// Whether it is all there is.
    whole: bool,
}

/// Where the news begin: for accounts, where there are news.
pub(super) type NewsBegin = Result<Option<String>, ConnectorError>;

impl Bench<'_> {
    /// The beginning of a listing, in pages of `size`, at most so many.
    async fn part(&self, listing: Listing<'_>, size: u32, pages: usize) -> Result<Part, ConnectorError> {
        let (mut objects, mut cursor, mut complete) = (Vec::new(), None::<String>, true);
        for _ in 0..pages {
            let mut visit = |object: Object<'_>| objects.push(object.into_owned());
            let page =
                self.connector.list(&self.reader, listing, cursor.as_deref(), size, &mut visit).await?;
            complete &= page.complete;
            match page.next {
                Some(next) if objects.len() < LOOKED_AT => cursor = Some(next),
                Some(_) => break,
                None => return Ok(Part { objects, whole: complete }),
            }
        }
        Ok(Part { objects, whole: false })
    }

    fn listings(&self) -> Vec<Listing<'static>> {
        let capability = self.connector.capability();
        let all = [(capability.accounts, Listing::Accounts), (capability.groups, Listing::Groups)];
        all.into_iter().filter(|(declared, _)| *declared).map(|(_, listing)| listing).collect()
    }

    fn largest(&self) -> u32 {
        self.connector.capability().max_page.clamp(2, 500)
    }

    /// What is declared does not answer `Unsupported`, and everything else does.
    pub(super) async fn declared(&self, canary: &Canary) -> Shown {
        let capability = self.connector.capability();
        let account = canary.id.as_str();
        let mut listings = vec![
            (Listing::People, capability.people),
            (Listing::Accounts, capability.accounts),
            (Listing::Groups, capability.groups),
        ];
        let held = |class| (Listing::Held { account, class }, capability.observes.contains(&class));
        listings.extend(AccessClass::ALL.map(held));
        let mut declared = 0;
        for (listing, is_declared) in listings {
            declared += usize::from(is_declared);
            agrees(is_declared, self.part(listing, 10, 1).await.map(drop), &format!("list {listing:?}"))?;
        }
        let way = u8::try_from(capability.disable_ways.len()).unwrap_or(u8::MAX);
        let mut undeclared = vec![Op::Disable { way }];
        for class in AccessClass::ALL {
            let external_id = "1".to_owned();
            if !capability.grants.contains(&class) {
                undeclared.push(Op::Grant { class, external_id: external_id.clone() });
            }
            if !capability.removes.contains(&class) {
                undeclared.extend([Op::Revoke { class, external_id }, Op::RevokeAll { class }]);
            }
        }
        let count = undeclared.len();
        for (n, op) in undeclared.into_iter().enumerate() {
            let key = format!("{}.undeclared{n}", canary.name);
            let got = on_canary(&*self.connector, &self.line, Some(account), &op, None, &key).await;
            agrees(false, got.map(drop), &op.words())?;
        }
        Ok(format!("{declared} listings that are declared answer, {count} changes that are not are refused"))
    }

    /// Checking leaves the canary and what the lists show as it was.
    pub(super) async fn check_changes_nothing(&self, canary: &Canary) -> Shown {
        // Others change the system too; what differs twice in a row was not them.
        for _ in 0..3 {
            let before = self.print(canary).await?;
            self.connector.check(&self.line).await?;
            self.connector.check(&self.reader).await?;
            let after = self.print(canary).await?;
            ensure(before.0 == after.0, || "checking changed the canary".into())?;
            if before == after {
                return Ok("the canary and what the lists show are as before".into());
            }
        }
        not_shown("others change the system at the same time")
    }

    /// Digests of the canary and of the beginnings of all lists.
    async fn print(&self, canary: &Canary) -> Result<(Digest, Digest), Failing> {
        let one = self.connector.get(&self.reader, Locator::Account(&canary.id)).await?;
        let mut all = String::new();
        for listing in self.listings() {
            all += &format!("{:?}", self.part(listing, self.largest(), usize::MAX).await?.objects);
        }
        Ok((Digest::of(format!("{one:?}").as_bytes()), Digest::of(all.as_bytes())))
    }

    /// No id comes twice for any size of page, and the canary comes once.
    pub(super) async fn each_once(&self, canary: &Canary) -> Shown {
        let mut told = Vec::new();
        for listing in self.listings() {
            for (size, pages) in [(1, SMALL_PAGES), (2, SMALL_PAGES), (self.largest(), usize::MAX)] {
                let part = self.part(listing, size, pages).await?;
                let mut ids = BTreeSet::new();
                for object in &part.objects {
                    let fresh = ids.insert(object.id.as_ref());
                    ensure(fresh, || format!("{listing:?} by {size} shows `{}` twice", object.id))?;
                }
                let misses = listing == Listing::Accounts && part.whole && !ids.contains(canary.id.as_str());
                ensure(!misses, || format!("{listing:?} by {size} does not show the canary"))?;
                if pages == usize::MAX {
                    let more = if part.whole { "" } else { " and more" };
                    told.push(format!("{} {listing:?}{more}", ids.len()).to_lowercase());
                }
            }
        }
        Ok(format!("pages of 1, 2 and {}: {}", self.largest(), told.join(", ")))
    }

    /// What a list shows, a get shows too; what is nowhere is nowhere.
    pub(super) async fn get_agrees(&self, canary: &Canary) -> Shown {
        let mut compared = 0;
        for listing in self.listings() {
            let part = self.part(listing, self.largest(), usize::MAX).await?;
            let mine = |object: &&Object<'_>| object.id == canary.id;
            let some = part.objects.iter().find(mine).into_iter();
            for object in some.chain(part.objects.iter().filter(|o| !mine(o)).take(COMPARED)) {
                let id = object.id.as_ref();
                let locators = match listing {
                    Listing::Groups => vec![Locator::Group(id)],
                    Listing::Accounts => {
                        let marked = object.marker.as_deref().map(Locator::AccountMarked);
                        [Locator::Account(id), Locator::AccountNamed(&object.name)]
                            .into_iter()
                            .chain(marked)
                            .collect()
                    }
                    Listing::People | Listing::Held { .. } => Vec::new(),
                };
                for locator in locators {
                    let got = self.connector.get(&self.reader, locator).await?;
                    // Somebody else's may be changed between the list and the get.
                    let got = match got.as_ref() == Some(object) || object.id == canary.id {
                        true => got,
                        false => self.connector.get(&self.reader, locator).await?,
                    };
                    ensure(got.as_ref() == Some(object), || {
                        format!("{locator:?} gives {got:?}, the list {object:?}")
                    })?;
                    compared += 1;
                }
            }
        }
        let capability = self.connector.capability();
        let nowhere = [
            (capability.accounts, Locator::Account("bailiwick-no-such-account")),
            (capability.accounts, Locator::AccountMarked("bailiwick/no-such-marker")),
            (capability.groups, Locator::Group("bailiwick-no-such-group")),
        ];
        for (_, locator) in nowhere.into_iter().filter(|(declared, _)| *declared) {
            let got = self.connector.get(&self.reader, locator).await?;
            ensure(got.is_none(), || format!("{locator:?} gives {got:?}"))?;
        }
        Ok(format!("{compared} gets agree with the lists, what is not there is not found"))
    }

    /// Marker, id and name come back as they went in.
    pub(super) async fn identifiers(&self, canary: &Canary) -> Shown {
        let found = self.connector.get(&self.reader, Locator::AccountMarked(&canary.marker)).await?;
        let found = found.ok_or_else(|| Failing::Broken("the canary is not found by its marker".into()))?;
        ensure(found.id == canary.id, || format!("it was made as `{}` and is `{}`", canary.id, found.id))?;
        let marker = found.marker.as_deref();
        ensure(marker == Some(&*canary.marker), || format!("the marker `{}` is {marker:?}", canary.marker))?;
        let sent = crate::canary::canary_attributes(self.system, &canary.name);
        let name = match self.connector.sign_in().and_then(|name| sent.get(name)) {
            Some(bailiwick_core::account::AccountValue::Text(name)) => name.clone(),
            Some(_) | None => return Ok("id and marker, upper and lower case".into()),
        };
        ensure(found.name == name, || format!("the name `{name}` is `{}`", found.name))?;
        Ok("id, marker and name, upper and lower case".into())
    }

    /// A token from before the canary was made.
    pub(super) async fn news_begin(&self) -> NewsBegin {
        if !self.connector.capability().incremental {
            return Ok(None);
        }
        let since =
            self.connector.changes(&self.reader, Listing::Accounts, None, &mut |_: News<'_>| {}).await?;
        Ok(since.complete.then_some(since.next))
    }

    /// The news since before it was made told of the canary; now that it is deleted, they tell that too.
    pub(super) async fn news_tell(&self, canary: &Canary, begin: &NewsBegin) -> Shown {
        let token = match begin {
            Ok(Some(token)) => token,
            Ok(None) => return not_shown("it gives no news"),
            Err(error) => return Err(error.clone().into()),
        };
        self.remove(&canary.marker).await?;
        if self.state(&canary.id).await?.is_some() {
            return not_shown("what is deleted stays in the list here");
        }
        let mut shown = false;
        let mut hear = |news: News<'_>| {
            shown |= matches!(&news, News::Shown(object) if object.id == canary.id);
        };
        let after = self.connector.changes(&self.reader, Listing::Accounts, Some(token), &mut hear).await?;
        ensure(!shown, || "what was made and deleted since is shown as if it were there".into())?;
        let create = self.again(canary).await?;
        self.settle().await?;
        let (mut shown, mut gone) = (false, false);
        let mut hear = |news: News<'_>| shown |= matches!(&news, News::Shown(object) if object.id == create);
        let made =
            self.connector.changes(&self.reader, Listing::Accounts, Some(&after.next), &mut hear).await?;
        ensure(shown, || "what was made since is no news".into())?;
        self.remove(&canary.marker).await?;
        let mut hear = |news: News<'_>| match news {
            News::Gone(id) => gone |= id == create,
            News::Same(id) => shown &= id != create,
            News::Shown(_) => {}
        };
        let end =
            self.connector.changes(&self.reader, Listing::Accounts, Some(&made.next), &mut hear).await?;
        ensure(gone || (end.rest_is_gone && shown), || "what was deleted since is no news".into())?;
        Ok("what was made is news, and what was deleted".into())
    }

    /// The system's own log tells that the canary was made, and by whom; it has been removed by now.
    pub(super) async fn audit_tells(&self, canary: &Canary, since: Timestamp) -> Shown {
        let Some((connector, line)) = &self.log else { return not_shown("it reads no audit log") };
        self.settle().await?;
        let begin = since.saturating_sub(SKEW).unwrap_or(since);
        let (mut ours, mut others) = (0_u32, 0_u32);
        let mut count = |entry: Entry| {
            if entry.account.as_deref() == Some(canary.id.as_str()) {
                *(if entry.ours { &mut ours } else { &mut others }) += 1;
            }
        };
        let log = Log { connector: &**connector, line };
        log.follow(&mut Read::default(), begin, LOGGED, &mut count).await?;
        ensure(others == 0, || format!("{others} changes of the canary are under another name"))?;
        if ours == 0 && !self.connector.capability().audits {
            return not_shown("the log that is read for it has no word of the canary yet; it may come late");
        }
        ensure(ours > 0, || "it has no word of the canary".into())?;
        Ok(format!("{ours} changes of the canary, under the integration's name"))
    }
}

fn agrees(declared: bool, got: Result<(), ConnectorError>, what: &str) -> Result<(), Failing> {
    match (declared, got) {
        (true, Ok(())) => Ok(()),
        (true, Err(error)) if error.kind == ErrorKind::Unsupported => {
            Err(Failing::Broken(format!("{what} is declared and answers: {error}")))
        }
        (true, Err(error)) => Err(error.into()),
        (false, Ok(())) => Err(Failing::Broken(format!("{what} is not declared and works"))),
        (false, Err(error)) => {
            ensure(error.kind == ErrorKind::Unsupported && error.effect == Effect::None, || {
                format!("{what} is not declared and answers {} ({:?})", error.code(), error.effect)
            })
        }
    }
}
