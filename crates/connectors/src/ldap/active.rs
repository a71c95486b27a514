//! What is particular to Active Directory: news by update sequence numbers, and protected accounts.
//!
//! Every change gives an object the domain controller's next number, deleting and moving too (MS-ADTS
//! §3.1.1.1.9). So the ids of all that changed in the domain, deleted objects included, say what may be gone,
//! and what of them the listing still has says what is shown. The numbers are one controller's: a token of
//! another one is as none. Deleted objects have to be readable, or nothing is said.
//! Absent on purpose: DirSync. It shows parts of objects, wants more rights, and knows no filter.

use std::collections::BTreeSet;

use bailiwick_connector::{
    ConnectorError, ErrorKind, Hear, Listing, News, Object, Page, Result, Since, Visit,
    broker::ldap::{Base, Control, Depth, Entry, Filter, Search, Shown},
};
use bailiwick_core::{digest::Digest, dn::Dn, scope::Operation};

use super::{
    ask::{Query, refusal, stopped_early, unsearched},
    decode::id_of,
    groups::{Group, IN_CHAIN},
    read::Reader,
    settings::Dialect,
};

/// Where a controller stands.
struct Controller {
    domain: Dn,
    /// Its highest number so far.
    number: u64,
    /// Which controller it is.
    print: String,
}

/// Where news ends: the number, and whose it is.
fn token(number: u64, print: &str) -> String {
    format!("{number}.{print}")
}

/// The number in a token; none if it is not of this controller, or of a time that it has gone back behind.
fn number_in(token: &str, controller: &Controller) -> Result<Option<u64>> {
    let foreign = || {
        let message = format!("`{token}` is not a token of this directory");
        ConnectorError::none(ErrorKind::Invalid, message)
    };
    let (number, print) = token.split_once('.').ok_or_else(foreign)?;
    let number: u64 = number.parse().map_err(|_| foreign())?;
    Ok((print == controller.print && number <= controller.number).then_some(number))
}

/// Shows what is new.
pub(super) async fn changes(
    reader: &Reader<'_>,
    listing: Listing<'_>,
    since: Option<&str>,
    hear: Hear<'_>,
) -> Result<Since> {
    let shape = reader.shape();
    let (base, filter) = match listing {
        Listing::Accounts => (&shape.accounts.base, &shape.accounts.filter),
        Listing::Groups => {
            let groups = reader.grouping()?;
            (&groups.base, &groups.filter)
        }
        Listing::People => return Err(super::unsupported("news of people")),
        Listing::Held { class, .. } => return Err(super::unsupported(&format!("news of {class}"))),
    };
    // What happens from here on is news of the next time too.
    let controller = controller(reader).await?;
    let next = token(controller.number, &controller.print);
    let from = since.map(|token| number_in(token, &controller)).transpose()?.flatten();
    let Some(from) = from else {
        let complete = show(reader, listing, base, filter, &mut |_| {}, hear).await?;
        return Ok(Since { next, rest_is_gone: true, complete });
    };
    let newer = Filter::AtLeast("uSNChanged".to_owned(), (from + 1).to_string().into_bytes());
    let mut gone = touched(reader, &controller.domain, &newer).await?;
    let newer = filter.clone().and(newer);
    let mut here = |id: &str| {
        gone.remove(id);
    };
    let complete = show(reader, listing, base, &newer, &mut here, hear).await?;
    if complete {
        gone.into_iter().for_each(|id| hear(News::Gone(id.into())));
    }
    Ok(Since { next, rest_is_gone: false, complete })
}

/// Shows all that a filter picks, as the listing would, and says which ids they have. Whether it was complete.
async fn show(
    reader: &Reader<'_>,
    listing: Listing<'_>,
    base: &Dn,
    filter: &Filter,
    here: &mut (dyn FnMut(&str) + Send),
    hear: Hear<'_>,
) -> Result<bool> {
    let operation = Operation::List;
    if listing == Listing::Groups {
        let groups = reader.grouping()?;
        let attributes = reader.group_attributes(groups);
        let mut came = Vec::new();
        let mut look = |entry: &Entry<'_>| {
            let group = Group::read(reader.shape(), groups, entry);
            let understood = group.is_some();
            came.extend(group);
            understood
        };
        let query = Query { operation, base, filter, attributes: &attributes };
        let complete = reader.ask().all(query, &mut look).await?;
        for group in came {
            here(&group.id);
            hear(News::Shown(reader.whole(groups, group, operation).await?));
        }
        return Ok(complete);
    }
    let reading = reader.now.reading();
    let judge = reader.judge(reading);
    let mut look = |entry: &Entry<'_>| match judge.read(entry) {
        Some((object, _)) => {
            here(&object.id);
            hear(News::Shown(object));
            true
        }
        None => false,
    };
    let query = Query { operation, base, filter, attributes: &reading.attributes() };
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

/// Asks where the controller stands, and whether it shows deleted objects.
async fn controller(reader: &Reader<'_>) -> Result<Controller> {
    let filter = Filter::Present("objectClass".to_owned());
    let (mut domain, mut number, mut name) = (None, None, None);
    let search = Search {
        operation: Operation::Discover,
        base: Base::RootDse,
        depth: Depth::Base,
        filter: &filter,
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
    let print = Digest::of(name.as_bytes()).short();
    let deleted: Option<Dn> = format!("CN=Deleted Objects,{domain}").parse().ok();
    let mut seen = false;
    if let Some(deleted) = &deleted {
        let search = Search {
            operation: Operation::List,
            base: Base::Entry(deleted),
            attributes: &["1.1"],
            controls: &[Control::ShowDeleted],
            ..search
        };
        reader.line.search(&search, &mut |shown| seen |= matches!(shown, Shown::Entry(_))).await?;
    }
    match seen {
        true => Ok(Controller { domain, number, print }),
        false => {
            let message = "the integration may not see deleted objects, so it cannot hear of what is gone: let it list `CN=Deleted Objects`";
            Err(ConnectorError::none(ErrorKind::Forbidden, message).with_detail("deleted-objects-hidden"))
        }
    }
}

/// The id of what an account holds that is still marked as protected and is in no protected group any more.
pub(super) const ORPHAN: &str = "adminCount";

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
    fn a_token_counts_on_its_own_controller_and_not_in_the_future() {
        let controller = Controller { domain: Dn::ROOT, number: 50, print: "aa".into() };
        let kinds = |token: &str| number_in(token, &controller).map_err(|error| error.kind);
        assert_eq!(kinds(&token(50, "aa")), Ok(Some(50)));
        assert_eq!(kinds(&token(51, "aa")), Ok(None));
        assert_eq!(kinds(&token(7, "bb")), Ok(None));
        for bad in ["", "7", "x.aa"] {
            assert_eq!(kinds(bad), Err(ErrorKind::Invalid), "{bad}");
        }
    }
}
