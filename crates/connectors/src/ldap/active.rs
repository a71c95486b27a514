//! What is particular to Active Directory: news by DirSync or by update sequence numbers, and protected
//! accounts.
//!
//! Either way tells the ids of all that changed in the domain, deleted objects included, and so what may be
//! gone; what of them the listing still has says what is shown. DirSync is taken where the account may use it
//! (see [`dirsync`]). Otherwise every change gives an object the domain controller's next number, deleting and
//! moving too (MS-ADTS §3.1.1.1.9). The numbers are one controller's: a token of another one is as none. Deleted
//! objects have to be readable, or nothing is said. A reading that began one way goes on that way.

use std::{collections::BTreeSet, fmt, str::FromStr};

use bailiwick_connector::{
    ConnectorError, ErrorKind, Hear, Listing, News, Object, Page, Result, Since, Visit,
    broker::ldap::{Base, Control, Depth, Entry, Filter, Search, Shown},
};
use bailiwick_core::{digest::Digest, dn::Dn, scope::Operation};

use super::{
    ask::{Query, refusal, stopped_early, unsearched},
    decode::id_of,
    dirsync,
    groups::{Group, IN_CHAIN, NAMES},
    paging::{guid_bytes, hex, unhex},
    read::Reader,
    settings::Dialect,
};

/// Where news ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// At this number of this controller.
    Number(u64, String),
    /// At this cookie of DirSync.
    Cookie(Vec<u8>),
}

const COOKIE: &str = "dirsync";

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number, controller) => write!(f, "{number}.{controller}"),
            Self::Cookie(cookie) => write!(f, "{COOKIE}.{}", hex(cookie)),
        }
    }
}

impl FromStr for Token {
    type Err = ConnectorError;

    fn from_str(text: &str) -> Result<Self> {
        let read = || match text.split_once('.')? {
            (COOKIE, rest) => unhex(rest).filter(|cookie| !cookie.is_empty()).map(Self::Cookie),
            (number, controller) => Some(Self::Number(number.parse().ok()?, controller.to_owned())),
        };
        read().ok_or_else(|| {
            let message = format!("`{text}` is not a token of this directory");
            ConnectorError::none(ErrorKind::Invalid, message)
        })
    }
}

/// Where a controller stands.
struct Controller {
    domain: Dn,
    /// Its highest number so far.
    number: u64,
    /// Which controller it is.
    print: String,
}

/// What is listed: where, and what is read of it.
struct Place<'p> {
    listing: Listing<'p>,
    base: &'p Dn,
    filter: &'p Filter,
    attributes: Vec<&'p str>,
}

impl<'p> Place<'p> {
    fn of(reader: &'p Reader<'_>, listing: Listing<'p>) -> Result<Self> {
        match listing {
            Listing::Accounts => {
                let accounts = &reader.shape().accounts;
                let attributes = reader.now.reading().attributes();
                Ok(Self { listing, base: &accounts.base, filter: &accounts.filter, attributes })
            }
            Listing::Groups => {
                let groups = reader.grouping()?;
                let attributes = reader.group_attributes(groups).to_vec();
                Ok(Self { listing, base: &groups.base, filter: &groups.filter, attributes })
            }
            Listing::People => Err(super::unsupported("news of people")),
            Listing::Held { class, .. } => Err(super::unsupported(&format!("news of {class}"))),
        }
    }
}

/// What changed in the domain, as far as its ids go.
struct Changed {
    ids: BTreeSet<String>,
    /// These together pick what of it the listing has.
    newer: Vec<Filter>,
    next: Token,
}

/// Shows what is new.
pub(super) async fn changes(
    reader: &Reader<'_>,
    listing: Listing<'_>,
    since: Option<&str>,
    hear: Hear<'_>,
) -> Result<Since> {
    let place = Place::of(reader, listing)?;
    let since = since.map(str::parse).transpose()?;
    // What happens from here on is news of the next time too.
    let controller = Controller::ask(reader).await?;
    if !reader.line.may_search(Operation::List, &controller.domain) {
        let message = format!(
            "news needs `list SEARCH {}` in the scope: what left the listed places is seen from there",
            controller.domain
        );
        return Err(ConnectorError::none(ErrorKind::Unsupported, message));
    }
    let changed = match since {
        Some(Token::Cookie(cookie)) => by_cookie(reader, &controller, &place, cookie).await?,
        Some(Token::Number(number, print)) => by_number(reader, &controller, number, &print).await?,
        None => None,
    };
    let since = match changed {
        Some(Changed { mut ids, newer, next }) => {
            let mut complete = true;
            for newer in newer {
                let mut here = |id: &str| {
                    ids.remove(id);
                };
                complete &= show(reader, &place, &place.filter.clone().and(newer), &mut here, hear).await?;
            }
            if complete {
                ids.into_iter().for_each(|id| hear(News::Gone(id.into())));
            }
            Since { next: next.to_string(), rest_is_gone: false, complete }
        }
        None => {
            let next = match dirsync::begin(reader, &controller.domain).await? {
                Some(cookie) => Token::Cookie(cookie),
                None => {
                    shows_deleted(reader, &controller.domain).await?;
                    Token::Number(controller.number, controller.print.clone())
                }
            };
            let complete = show(reader, &place, place.filter, &mut |_| {}, hear).await?;
            Since { next: next.to_string(), rest_is_gone: true, complete }
        }
    };
    // What one controller knows to have changed, another may not have yet, and would never be asked again.
    match Controller::ask(reader).await?.print == controller.print {
        true => Ok(since),
        false => {
            let message = "another controller of the domain answered in between; ask again";
            Err(ConnectorError::none(ErrorKind::Unreachable, message).with_detail("listing-interrupted"))
        }
    }
}

/// What changed since a cookie; none if the directory does not go on from it.
async fn by_cookie(
    reader: &Reader<'_>,
    controller: &Controller,
    place: &Place<'_>,
    cookie: Vec<u8>,
) -> Result<Option<Changed>> {
    let asked = (place.filter, &place.attributes[..]);
    let Some(changed) = dirsync::since(reader, &controller.domain, asked, cookie).await? else {
        return Ok(None);
    };
    let id = reader.shape().id();
    let dirsync::Changed { ids, cookie } = changed;
    let stored: Vec<Filter> =
        ids.iter().filter_map(|text| guid_bytes(text)).map(|stored| Filter::equal(id, stored)).collect();
    let newer = stored.chunks(NAMES).map(|some| Filter::Or(some.to_vec())).collect();
    Ok(Some(Changed { ids, newer, next: Token::Cookie(cookie) }))
}

/// What changed since a number; none if it is not of this controller, or of a time that it has gone back behind.
async fn by_number(
    reader: &Reader<'_>,
    controller: &Controller,
    number: u64,
    print: &str,
) -> Result<Option<Changed>> {
    if print != controller.print || number > controller.number {
        return Ok(None);
    }
    shows_deleted(reader, &controller.domain).await?;
    let newer = Filter::AtLeast("uSNChanged".to_owned(), (number + 1).to_string().into_bytes());
    let ids = touched(reader, &controller.domain, &newer).await?;
    let next = Token::Number(controller.number, controller.print.clone());
    Ok(Some(Changed { ids, newer: vec![newer], next }))
}

/// Shows all that a filter picks, as the listing would, and says which ids they have. Whether it was complete.
async fn show(
    reader: &Reader<'_>,
    place: &Place<'_>,
    filter: &Filter,
    here: &mut (dyn FnMut(&str) + Send),
    hear: Hear<'_>,
) -> Result<bool> {
    let operation = Operation::List;
    let query = Query { operation, base: place.base, filter, attributes: &place.attributes };
    if place.listing == Listing::Groups {
        let groups = reader.grouping()?;
        let mut came = Vec::new();
        let mut look = |entry: &Entry<'_>| {
            let group = Group::read(reader.shape(), groups, entry);
            let understood = group.is_some();
            came.extend(group);
            understood
        };
        let complete = reader.ask().all(query, &mut look).await?;
        for group in came {
            here(&group.id);
            hear(News::Shown(reader.whole(groups, group, operation).await?));
        }
        return Ok(complete);
    }
    let judge = reader.judge(reader.now.reading());
    let mut look = |entry: &Entry<'_>| match judge.read(entry) {
        Some((object, _)) => {
            here(&object.id);
            hear(News::Shown(object));
            true
        }
        None => false,
    };
    reader.ask().all(query, &mut look).await
}

/// The ids of everything in the domain that a filter picks, also of what is deleted.
async fn touched(reader: &Reader<'_>, domain: &Dn, filter: &Filter) -> Result<BTreeSet<String>> {
    let id = reader.shape().id();
    let mut ids = BTreeSet::new();
    let mut cookie = Vec::new();
    let mut connection = None;
    loop {
        let size = reader.shape().page_size;
        let page = [Control::Page { size, cookie: &cookie }, Control::ShowDeleted, Control::NoReferrals];
        let search = Search {
            operation: Operation::List,
            base: Base::Entry(domain),
            depth: Depth::Subtree,
            filter,
            attributes: &[id],
            controls: &page,
            connection,
        };
        let mut show = |shown: Shown<'_>| {
            if let Shown::Entry(entry) = shown {
                let value = entry.values(id).and_then(|mut values| values.next());
                ids.extend(
                    value.and_then(|value| id_of(Dialect::ActiveDirectory, value)).map(|id| id.into_owned()),
                );
            }
        };
        let answered = reader.line.search(&search, &mut show).await?;
        if stopped_early(answered.code) {
            let message = "the directory did not show all that changed, so nothing can be said to be gone";
            return Err(ConnectorError::none(ErrorKind::Malformed, message).with_detail("answer-incomplete"));
        }
        if answered.code != 0 {
            return Err(unsearched(&answered, domain));
        }
        connection = Some(answered.connection);
        match answered.next_page {
            Some(next) => cookie = next,
            None => return Ok(ids),
        }
    }
}

impl Controller {
    /// Asks where the controller stands.
    async fn ask(reader: &Reader<'_>) -> Result<Self> {
        let (mut domain, mut number, mut name) = (None, None, None);
        let search = Search {
            operation: Operation::Discover,
            base: Base::RootDse,
            depth: Depth::Base,
            filter: &Filter::Present("objectClass".to_owned()),
            attributes: &["defaultNamingContext", "highestCommittedUSN", "dsServiceName"],
            controls: &[],
            connection: None,
        };
        let mut show = |shown: Shown<'_>| {
            if let Shown::Entry(entry) = shown {
                domain = entry.text("defaultNamingContext").and_then(|text| text.parse::<Dn>().ok());
                number = entry.text("highestCommittedUSN").and_then(|text| text.parse().ok());
                name = entry.text("dsServiceName").map(str::to_owned);
            }
        };
        let answered = reader.line.search(&search, &mut show).await?;
        let (Some(domain), Some(number), Some(name)) = (domain, number, name) else {
            return Err(refusal(&answered, "the directory does not say where it stands"));
        };
        Ok(Self { domain, number, print: Digest::of(name.as_bytes()).short() })
    }
}

/// Fails with `Unsupported`, so that everything is listed instead, where the integration is not shown deleted
/// objects. That their container is there is shown to everybody;
/// something about it only to whom it was opened, which is done together with what is in it.
async fn shows_deleted(reader: &Reader<'_>, domain: &Dn) -> Result<()> {
    const MARK: &str = "isDeleted";
    let deleted: Option<Dn> = format!("CN=Deleted Objects,{domain}").parse().ok();
    let mut seen = false;
    if let Some(deleted) = &deleted {
        let search = Search {
            operation: Operation::List,
            base: Base::Entry(deleted),
            depth: Depth::Base,
            filter: &Filter::Present("objectClass".to_owned()),
            attributes: &[MARK],
            controls: &[Control::ShowDeleted],
            connection: None,
        };
        let mut show = |shown: Shown<'_>| {
            seen |= matches!(shown, Shown::Entry(entry) if entry.text(MARK).is_some());
        };
        reader.line.search(&search, &mut show).await?;
    }
    match seen {
        true => Ok(()),
        false => {
            let message = "the integration may neither use DirSync nor see deleted objects, so it cannot hear of what is gone: give it `Replicating Directory Changes` on the domain, or let it list and read `CN=Deleted Objects`";
            Err(ConnectorError::none(ErrorKind::Unsupported, message).with_detail("deleted-objects-hidden"))
        }
    }
}

/// The id of what an account holds that is still marked as protected and is in no protected group any more.
pub(super) const ORPHAN: &str = "adminCount";

/// The most accounts that are named in a sentence.
const NAMED: usize = 5;

/// The accounts that are still marked as protected, and are not any more, in a sentence; none where there are none. Who is
/// in doubt, because not every group was shown, is not called so.
pub(super) async fn left_behind(reader: &Reader<'_>) -> Result<Option<String>> {
    let mut left: Vec<String> = Vec::new();
    for marked in reader.matching(Filter::equal("adminCount", "1"), |_| true).await? {
        let mut orphan = false;
        let mut visit = |role: Object<'_>| orphan |= role.id == ORPHAN;
        let page = roles(reader, &marked.object.id, &mut visit).await?;
        left.extend((orphan && page.complete).then(|| marked.object.name.into_owned()));
    }
    left.sort();
    let named = left[..left.len().min(NAMED)].join("`, `");
    let more = match left.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Ok((!left.is_empty()).then(|| {
        format!(
            "`{named}`{more} still bear `adminCount=1` and are in no protected group any more: rights that were delegated over \
             their place do not reach them; clear the attribute, and let them inherit rights again"
        )
    }))
}

/// The protected groups (MS-ADTS §3.1.1.6.1) that an account is in, at any depth. Without any, its own mark
/// left behind: who bears it is out of reach of the rights that others are given over it.
pub(super) async fn roles(reader: &Reader<'_>, account: &str, visit: Visit<'_>) -> Result<Page> {
    let groups = reader.grouping()?;
    let found = reader.holder(account).await?;
    let marked = Filter::equal("adminCount", "1");
    let member = Filter::By {
        attribute: groups.member.clone(),
        rule: IN_CHAIN.to_owned(),
        value: found.dn.to_string().into_bytes(),
    };
    let (mut protected, mut complete) = reader.groups_where(groups, marked.clone().and(member)).await?;
    // The primary group has no value for its members; what it is in counts too.
    let (direct, whole) = reader.all_holding(&found).await?;
    complete &= whole;
    for group in &direct {
        let value = group.dn.to_string().into_bytes();
        let above = Filter::By { attribute: groups.member.clone(), rule: IN_CHAIN.to_owned(), value };
        let itself = Filter::equal(reader.shape().own_name(), group.dn.to_string());
        let either = marked.clone().and(Filter::Or(vec![above, itself]));
        let (more, whole) = reader.groups_where(groups, either).await?;
        complete &= whole;
        protected.extend(more);
    }
    let mut seen = BTreeSet::new();
    protected.retain(|group| seen.insert(group.id.clone()));
    if protected.is_empty() && found.signs.protected {
        visit(Object {
            id: ORPHAN.into(),
            name: "adminCount=1 without a protected group".into(),
            ..Object::default()
        });
    }
    protected.into_iter().map(super::groups::shown).for_each(visit);
    Ok(Page { next: None, complete })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_back_and_nothing_else_is_one() {
        for (token, text) in
            [(Token::Number(50, "aa".into()), "50.aa"), (Token::Cookie(vec![0, 255, 16]), "dirsync.00ff10")]
        {
            assert_eq!(token.to_string(), text);
            assert_eq!(text.parse(), Ok(token));
        }
        for bad in ["", "7", "x.aa", "dirsync", "dirsync.", "dirsync.0", "dirsync.xx", "-1.aa"] {
            assert_eq!(bad.parse::<Token>().unwrap_err().kind, ErrorKind::Invalid, "{bad}");
        }
    }
}
