//! What changed in a domain since a cookie, by DirSync (MS-ADTS §3.1.1.3.4.1.3).
//!
//! It is asked only which objects changed in what is read of them, deleted and moved ones included; what they
//! are now is read as the listing reads it. A cookie is good on every controller of the domain, and nothing
//! has to be readable but the domain itself. It needs the right to replicate directory changes: without it the
//! server could be asked to show what the account may see, but then says nothing of what is deleted, so that
//! way is not taken.
//! Absent on purpose: passwords and other secrets. They are not among the attributes that are asked for, and
//! a flag says so too.

use std::collections::BTreeSet;

use bailiwick_connector::{
    ConnectorError, ErrorKind, Result,
    broker::ldap::{Base, Control, Depth, Filter, Search, Shown},
};
use bailiwick_core::{dn::Dn, scope::Operation};

use super::{ask::unsearched, decode::id_of, read::Reader, settings::Dialect};

/// No secrets.
const PUBLIC_DATA_ONLY: i32 = 0x2000;
/// Of many values only those that changed.
const INCREMENTAL_VALUES: i32 = i32::MIN;
/// What changes with an object that is moved, renamed or deleted.
const MOVES: [&str; 2] = ["name", "isDeleted"];

/// What the directory says to a request that it does not know, or does not let this account make, or whose
/// cookie it cannot read.
const fn refuses(code: u32) -> bool {
    matches!(code, 2 | 12 | 50 | 53)
}

/// What changed.
pub(super) struct Changed {
    /// The ids of the objects.
    pub(super) ids: BTreeSet<String>,
    /// Where the next reading begins.
    pub(super) cookie: Vec<u8>,
}

/// The cookie of this moment; none if the account may not ask so.
pub(super) async fn begin(reader: &Reader<'_>, domain: &Dn) -> Result<Option<Vec<u8>>> {
    let nothing = Filter::Not(Box::new(Filter::Present("objectClass".to_owned())));
    let changed = walk(reader, domain, &nothing, &MOVES, Vec::new()).await?;
    Ok(changed.map(|changed| changed.cookie))
}

/// What changed since the cookie in these attributes, or in what an object is called, or in what `filter` looks
/// at; none if the directory does not know the cookie any more, or does not let the account ask any more.
pub(super) async fn since(
    reader: &Reader<'_>,
    domain: &Dn,
    (filter, attributes): (&Filter, &[&str]),
    cookie: Vec<u8>,
) -> Result<Option<Changed>> {
    // What is not of the listing any more has to be heard of too, so the filter itself picks nothing here.
    let all = Filter::Present("objectClass".to_owned());
    let mut asked: BTreeSet<&str> = attributes.iter().copied().chain(MOVES).collect();
    filter.attributes(&mut |attribute| asked.extend([attribute]));
    walk(reader, domain, &all, &Vec::from_iter(asked), cookie).await
}

async fn walk(
    reader: &Reader<'_>,
    domain: &Dn,
    filter: &Filter,
    attributes: &[&str],
    mut cookie: Vec<u8>,
) -> Result<Option<Changed>> {
    let id = reader.shape().id();
    let mut ids = BTreeSet::new();
    loop {
        let flags = PUBLIC_DATA_ONLY | INCREMENTAL_VALUES;
        let controls = [Control::DirSync { flags, most: 0, cookie: &cookie }, Control::NoReferrals];
        let search = Search {
            operation: Operation::List,
            base: Base::Entry(domain),
            depth: Depth::Subtree,
            filter,
            attributes,
            controls: &controls,
            connection: None,
        };
        let (mut nameless, before) = (false, ids.len());
        let mut show = |shown: Shown<'_>| {
            if let Shown::Entry(entry) = shown {
                let value = entry.values(id).and_then(|mut values| values.next());
                match value.and_then(|value| id_of(Dialect::ActiveDirectory, value)) {
                    Some(id) => ids.extend([id.into_owned()]),
                    None => nameless = true,
                }
            }
        };
        let answered = reader.line.search(&search, &mut show).await?;
        if refuses(answered.code) {
            return Ok(None);
        }
        if answered.code != 0 {
            return Err(unsearched(&answered, domain));
        }
        let stuck = answered.more && answered.sync_cookie.as_ref() == Some(&cookie) && ids.len() == before;
        let next = answered.sync_cookie.filter(|next| !nameless && !stuck && !next.is_empty());
        cookie = next.ok_or_else(|| {
            let message = "the directory does not say what changed or where it stands, so nothing can be said to be gone";
            ConnectorError::none(ErrorKind::Malformed, message).with_detail("answer-incomplete")
        })?;
        if !answered.more {
            return Ok(Some(Changed { ids, cookie }));
        }
    }
}
