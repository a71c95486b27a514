//! What is new since a reading before, by content synchronisation (RFC 4533, refreshOnly).
//!
//! A server that remembers what was deleted names it (the delete phase, with a session log). One that does not
//! names all that is as it was (the present phase), so that the rest is gone. Both are passed on as they are:
//! it is the caller who knows what there was.

use bailiwick_connector::{
    ConnectorError, ErrorKind, Hear, Listing, News, Result, Since,
    broker::ldap::{Answered, Base, Became, Control, Depth, Entry, Filter, Search, Shown, SyncInfo},
};
use bailiwick_core::{dn::Dn, scope::Operation};

use super::{
    ask::{stopped_early, unsearched},
    groups::Group,
    paging::{hex, unhex, uuid},
    read::Reader,
};

/// The cookie is too old: everything has to be read again (RFC 4533 §2.6).
const REFRESH_REQUIRED: u32 = 4096;

/// Shows what is new.
pub(super) async fn changes(
    reader: &Reader<'_>,
    listing: Listing<'_>,
    since: Option<&str>,
    hear: Hear<'_>,
) -> Result<Since> {
    if !reader.now.known.supported.refresh {
        return Err(super::unsupported("news since a reading before, which the server does not give"));
    }
    let cookie =
        since.map(|text| unhex(text).filter(|cookie| !cookie.is_empty()).ok_or_else(|| foreign(text)));
    let cookie = cookie.transpose()?;
    match once(reader, listing, cookie.as_deref(), hear).await? {
        Some(since) => Ok(since),
        None => {
            let again = once(reader, listing, None, hear).await?;
            again.ok_or_else(|| {
                ConnectorError::none(ErrorKind::SystemFault, "the directory wants to begin again, again")
            })
        }
    }
}

fn foreign(text: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Invalid, format!("`{text}` is not a token of this directory"))
}

/// One synchronisation; none if the directory does not know the cookie any more. It showed nothing then.
async fn once(
    reader: &Reader<'_>,
    listing: Listing<'_>,
    cookie: Option<&[u8]>,
    hear: Hear<'_>,
) -> Result<Option<Since>> {
    let shape = reader.shape();
    match listing {
        Listing::Accounts => {
            let (reading, accounts) = (reader.now.reading(), &shape.accounts);
            let judge = reader.judge(reading);
            let mut entry = |entry: &Entry<'_>, hear: Hear<'_>| match judge.read(entry) {
                Some((object, _)) => {
                    hear(News::Shown(object));
                    true
                }
                None => false,
            };
            let place = (&accounts.base, &accounts.filter, &reading.attributes()[..]);
            synchronise(reader, place, cookie, &mut entry, hear).await
        }
        Listing::Groups => {
            let groups = reader.grouping()?;
            let mut came = Vec::new();
            let mut entry = |entry: &Entry<'_>, _: Hear<'_>| {
                let group = Group::read(shape, groups, entry);
                let understood = group.is_some();
                came.extend(group);
                understood
            };
            let place = (&groups.base, &groups.filter, &reader.group_attributes(groups)[..]);
            let since = synchronise(reader, place, cookie, &mut entry, hear).await?;
            for group in came {
                hear(News::Shown(reader.whole(groups, group, Operation::List).await?));
            }
            Ok(since)
        }
        // Who is gone is named by the entry's id, and a person's id is another one.
        Listing::People => Err(super::unsupported("news of people")),
        Listing::Held { class, .. } => Err(super::unsupported(&format!("news of {class}"))),
    }
}

type Place<'p> = (&'p Dn, &'p Filter, &'p [&'p str]);

/// Looks at an entry and tells what it is; `false` when it cannot be understood.
type Tell<'t> = &'t mut (dyn FnMut(&Entry<'_>, Hear<'_>) -> bool + Send);

async fn synchronise(
    reader: &Reader<'_>,
    (base, filter, attributes): Place<'_>,
    cookie: Option<&[u8]>,
    tell: Tell<'_>,
    hear: Hear<'_>,
) -> Result<Option<Since>> {
    let search = Search {
        operation: Operation::List,
        base: Base::Entry(base),
        depth: Depth::Subtree,
        filter,
        attributes,
        controls: &[Control::Refresh { cookie }],
        connection: None,
    };
    let (mut whole, mut heard) = (true, false);
    let mut show = |shown: Shown<'_>| {
        heard = true;
        match shown {
            Shown::Entry(entry) => match entry.sync.map(|sync| (sync.state, uuid(sync.id))) {
                Some((Became::Present, id)) => hear(News::Same(id.into())),
                Some((Became::Deleted, id)) => hear(News::Gone(id.into())),
                Some((Became::Added | Became::Modified, _)) => whole &= tell(&entry, hear),
                None => whole = false,
            },
            Shown::Sync(SyncInfo::Ids { gone, ids }) => {
                for id in ids.map(uuid) {
                    hear(if gone { News::Gone(id.into()) } else { News::Same(id.into()) });
                }
            }
            Shown::Sync(SyncInfo::Phase) | Shown::Reference => {}
        }
    };
    let answered = reader.line.search(&search, &mut show).await?;
    if answered.code == REFRESH_REQUIRED && cookie.is_some() && !heard {
        return Ok(None);
    }
    let stopped = stopped_early(answered.code);
    if answered.code != 0 && !stopped {
        return Err(unsearched(&answered, base));
    }
    let Answered { sync_cookie, sync_deletes, references, .. } = answered;
    // Without a cookie of its own, the next synchronisation begins where this one did.
    let next = sync_cookie.as_deref().or(cookie).map(hex).filter(|_| !stopped);
    let next = next.ok_or_else(|| {
        let message = "the directory stopped before the end of a synchronisation, so it says nothing";
        ConnectorError::none(ErrorKind::Malformed, message).with_detail("answer-incomplete")
    })?;
    let complete = whole && references == 0;
    // Where everything was asked for, what was not shown is not there.
    let rest_is_gone = cookie.is_none() || !sync_deletes;
    Ok(Some(Since { next, rest_is_gone, complete }))
}
