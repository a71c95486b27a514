//! The access log of OpenLDAP (slapo-accesslog(5)): who changed which entry, and how.
//!
//! What is done to an entry that is an account is about that account; what is done to the members of a group is about
//! each of them. Of a group that is deleted the log does not say who was in it.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_connector::{
    ConnectorError, ErrorKind, Read, Result, Start,
    broker::ldap::{Entry, Filter},
};
use bailiwick_core::{
    access::AccessClass,
    audit::{self, About},
    dn::Dn,
    scope::Operation,
    time::Timestamp,
};

use super::{ask::Query, decode::id_of, groups::NAMES, read::Reader, settings::Log};

/// What of an entry of the log is read.
const ATTRIBUTES: [&str; 6] = ["reqStart", "reqType", "reqDN", "reqAuthzID", "reqEntryUUID", "reqMod"];

/// One entry of the log, as it came.
struct Logged {
    start: String,
    at: Timestamp,
    actor: String,
    deed: String,
    dn: Option<Dn>,
    id: Option<String>,
    changes: Vec<String>,
}

impl Logged {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        let text = |name: &str| entry.text(name).map(str::to_owned);
        let changes = entry.values("reqMod").into_iter().flatten();
        Some(Self {
            start: text("reqStart")?,
            at: instant(entry.text("reqStart")?)?,
            actor: text("reqAuthzID").unwrap_or_default(),
            deed: text("reqType")?,
            dn: entry.text("reqDN")?.parse().ok(),
            id: text("reqEntryUUID"),
            changes: changes.map(|value| String::from_utf8_lossy(value).into_owned()).collect(),
        })
    }
}

/// Whom something was done to.
enum Whom<'l> {
    /// The account with this id, or with this name.
    Account(Option<&'l str>, Option<&'l Dn>),
    /// The member of a group with this name.
    Member(&'l str),
    /// No account.
    Nobody,
}

/// Shows what the log has.
pub(super) async fn read(
    reader: &Reader<'_>,
    log: &Log,
    from: Start<'_>,
    size: u32,
    read: Read<'_>,
) -> Result<()> {
    let (since, known) = match from {
        Start::Mark(mark) => (mark.to_owned(), Some(mark)),
        Start::Instant(at) => (at.strftime("%Y%m%d%H%M%S.000000Z").to_string(), None),
    };
    let kinds = ["auditAdd", "auditModify", "auditDelete", "auditModRDN"];
    let kinds = kinds.map(|kind| Filter::equal("objectClass", kind)).into();
    let filter = Filter::And(vec![
        Filter::AtLeast("reqStart".to_owned(), since.into_bytes()),
        Filter::Or(kinds),
        Filter::equal("reqResult", "0"),
    ]);
    let query =
        Query { operation: Operation::List, base: &log.base, filter: &filter, attributes: &ATTRIBUTES };
    let (mut came, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut look = |entry: &Entry<'_>| match Logged::read(entry) {
            Some(logged) => {
                came.extend(Some(logged).filter(|logged| known != Some(&*logged.start)));
                true
            }
            None => false,
        };
        let page = reader.ask().page(query, cursor.as_deref(), size.saturating_add(1), &mut look).await?;
        if !page.complete {
            let why = "the directory did not show all of its access log";
            return Err(ConnectorError::none(ErrorKind::Malformed, why).with_detail("answer-incomplete"));
        }
        match page.next {
            Some(next) if came.is_empty() => cursor = Some(next),
            Some(_) | None => break,
        }
    }
    // An operation that took long is written after a later one.
    came.sort_by(|one, other| one.start.cmp(&other.start));
    let told: Vec<_> = came.iter().flat_map(|logged| about(reader, logged)).collect();
    let ids = ids(reader, told.iter().map(|(_, whom, _)| whom)).await?;
    for (logged, whom, about) in told {
        let named = |name: Option<Dn>| name.and_then(|name| ids.get(&name.to_string()).cloned());
        let account = match whom {
            Whom::Account(Some(id), _) => Some(id.to_owned()),
            Whom::Account(None, dn) => named(dn.cloned()),
            Whom::Member(name) => ids.get(name).cloned().or_else(|| named(name.parse().ok())),
            Whom::Nobody => None,
        };
        read(audit::Entry {
            mark: logged.start.clone(),
            at: logged.at,
            actor: logged.actor.clone(),
            ours: log.ours.iter().any(|ours| logged.actor.parse::<Dn>().as_ref() == Ok(ours)),
            deed: logged.deed.clone(),
            account,
            name: None,
            group: None,
            about,
        });
    }
    Ok(())
}

/// Whom and what an entry of the log is about.
fn about<'l>(reader: &Reader<'_>, logged: &'l Logged) -> Vec<(&'l Logged, Whom<'l>, About)> {
    let shape = reader.shape();
    let nobody = || vec![(logged, Whom::Nobody, About::Anything)];
    let Some(dn) = &logged.dn else { return nobody() };
    let groups = shape.groups.as_ref();
    if groups.is_some_and(|groups| dn.within(&groups.base)) {
        let member = groups.map(|groups| groups.member.as_str()).unwrap_or_default();
        let told: Vec<_> = logged.changes.iter().filter_map(|change| membership(change, member)).collect();
        return match told.is_empty() {
            true => nobody(),
            false => told.into_iter().map(|(name, about)| (logged, Whom::Member(name), about)).collect(),
        };
    }
    if !dn.within(&shape.accounts.base) {
        return nobody();
    }
    let account = AccessClass::PrimaryAccount;
    let about = match logged.deed.as_str() {
        "add" => About::Given(account),
        "delete" => About::End,
        _ => About::Changed(account),
    };
    vec![(logged, Whom::Account(logged.id.as_deref(), Some(dn)), about)]
}

/// A change of who is in a group: `member:+ NAME`, `member:- NAME`, `member:= NAME`.
fn membership<'l>(change: &'l str, member: &str) -> Option<(&'l str, About)> {
    let (attribute, rest) = change.split_once(':')?;
    if !attribute.eq_ignore_ascii_case(member) {
        return None;
    }
    let (how, name) = rest.split_at_checked(1)?;
    let class = AccessClass::DirectGroups;
    let about = match how {
        "+" => About::Given(class),
        "-" => About::Taken(class),
        _ => About::Changed(class),
    };
    Some((name.strip_prefix(' ').unwrap_or(name), about)).filter(|(name, _)| !name.is_empty())
}

/// Name, as it came and as this code writes it → the id of the account that has it now.
async fn ids<'l>(
    reader: &Reader<'_>,
    whom: impl Iterator<Item = &'l Whom<'l>>,
) -> Result<BTreeMap<String, String>> {
    let shape = reader.shape();
    let by_name = shape.groups.as_ref().is_some_and(|groups| groups.by_name);
    let names: BTreeSet<(bool, String)> = whom
        .filter_map(|whom| match whom {
            Whom::Account(None, Some(dn)) => Some((false, dn.to_string())),
            Whom::Member(name) => Some((by_name, (*name).to_owned())),
            Whom::Account(..) | Whom::Nobody => None,
        })
        .collect();
    let names: Vec<_> = names.into_iter().collect();
    let mut ids = BTreeMap::new();
    for some in names.chunks(NAMES) {
        let picks = some.iter().map(|(by_name, name)| {
            Filter::equal(if *by_name { &shape.accounts.name } else { shape.own_name() }, name)
        });
        let filter = Filter::Or(picks.collect());
        let attributes = [shape.id(), shape.accounts.name.as_str()];
        let query = Query {
            operation: Operation::List,
            base: &shape.accounts.base,
            filter: &filter,
            attributes: &attributes,
        };
        let mut look = |entry: &Entry<'_>| {
            let id = entry.values(shape.id()).and_then(|mut values| values.next());
            let Some(id) = id.and_then(|id| id_of(shape.dialect, id)) else { return false };
            let names = [entry.name.parse::<Dn>().ok().map(|dn| dn.to_string()), Some(entry.name.to_owned())];
            let sign_in = entry.text(&shape.accounts.name).map(str::to_owned);
            for name in names.into_iter().flatten().chain(sign_in) {
                ids.insert(name, id.clone().into_owned());
            }
            true
        };
        reader.ask().all(query, &mut look).await?;
    }
    Ok(ids)
}

/// A generalized time as the log has it (RFC 4517 §3.3.13): `20261128090000.000001Z`.
fn instant(text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z')?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let part = |from: usize, to: usize| whole.get(from..to);
    let (date, time) =
        ((part(0, 4)?, part(4, 6)?, part(6, 8)?), (part(8, 10)?, part(10, 12)?, part(12, 14)?));
    format!("{}-{}-{}T{}:{}:{}.{fraction}Z", date.0, date.1, date.2, time.0, time.1, time.2).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_of_the_log_is_read() {
        let expect: Timestamp = "2026-11-28T09:00:01.000002Z".parse().unwrap();
        assert_eq!(instant("20261128090001.000002Z"), Some(expect));
        assert_eq!(instant("20261128090001Z").map(|at| at.as_second()), Some(expect.as_second()));
        for wrong in ["", "2026", "20261128090001", "2026112809000Z", "20261328090001Z"] {
            assert_eq!(instant(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_change_of_members_says_whom_and_how() {
        let class = AccessClass::DirectGroups;
        let check = |change, expect| assert_eq!(membership(change, "member"), expect, "{change}");
        check("member:+ uid=ann,dc=x", Some(("uid=ann,dc=x", About::Given(class))));
        check("member:- uid=ann,dc=x", Some(("uid=ann,dc=x", About::Taken(class))));
        check("Member:= uid=ann,dc=x", Some(("uid=ann,dc=x", About::Changed(class))));
        check("member:-", None);
        check("memberOf:+ cn=g", None);
        check("entryCSN:= 2026", None);
    }
}
