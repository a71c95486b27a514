//! Reading systems: what an account holds, and whether a change is so.

use bailiwick_connector::{
    Connector, ConnectorError, ErrorKind, Line, Listing, Locator, Object, ObjectState, ObjectValue,
};
use bailiwick_core::{
    access::AccessClass,
    account::{AccountAttributes, AccountValue, Held, StateDigest},
    digest::Digest,
    id::EntitlementName,
    plan::Op,
    time::Timestamp,
    verify::{Coverage, Observation, Witness},
};

/// The size of a page when everything an account holds is listed.
const PAGE: u32 = 200;

/// Everything of one class that an account holds, read over all pages. A page that is not complete, and
/// an error after the first page, make the observation partial. Its digest is of what the system answered.
pub(crate) async fn held(
    connector: &dyn Connector,
    line: &Line,
    witness: Witness,
    account: &str,
    class: AccessClass,
    at: Timestamp,
) -> Result<Observation, ConnectorError> {
    let (line, heard) = line.heard();
    let mut held = Vec::new();
    let mut coverage = Coverage::Complete;
    let mut cursor: Option<String> = None;
    loop {
        let mut visit = |object: Object<'_>| {
            held.push(Held {
                class,
                external_id: object.id.to_string(),
                name: object.name.to_string(),
                live: object.state == ObjectState::Live,
                purges_at: object.purges_at,
            });
        };
        let listing = Listing::Held { account, class };
        match connector.list(&line, listing, cursor.as_deref(), PAGE, &mut visit).await {
            Ok(page) => {
                if !page.complete {
                    coverage = Coverage::Partial("the system did not show everything".into());
                }
                match page.next {
                    Some(next) => cursor = Some(next),
                    None => break,
                }
            }
            // The account itself is gone, and what it held with it.
            Err(error) if error.kind == ErrorKind::NotFound && cursor.is_none() => break,
            Err(error) if cursor.is_none() => return Err(error),
            Err(error) => {
                coverage = Coverage::Partial(error.to_string());
                break;
            }
        }
    }
    held.sort();
    let method = format!("list {class}");
    Ok(Observation { at, coverage, held, method, witness, digest: heard.digest() })
}

/// Whether the effect of a change can be read on the system. `marker` finds an account whose id is not
/// known yet. Gives the account's id when the effect is there (or an empty text when it is gone).
pub async fn is_so(
    connector: &dyn Connector,
    line: &Line,
    account: Option<&str>,
    op: &Op,
) -> Result<Option<String>, ConnectorError> {
    let here = || account.unwrap_or_default().to_owned();
    let by_id = async || match account {
        Some(id) => connector.get(line, Locator::Account(id)).await,
        None => Ok(None),
    };
    let yes = |so: bool| so.then(here);
    match op {
        Op::CreateAccount { marker, .. } => {
            let found = connector.get(line, Locator::AccountMarked(marker)).await?;
            Ok(found.map(|object| object.id.into_owned()))
        }
        Op::SetAttributes { attributes } => {
            Ok(yes(by_id().await?.is_some_and(|object| bears(&object, attributes))))
        }
        Op::Enable => Ok(yes(by_id().await?.is_some_and(|object| object.state == ObjectState::Live))),
        Op::Disable { .. } => {
            Ok(yes(by_id().await?.is_none_or(|object| object.state == ObjectState::Blocked)))
        }
        Op::Delete => Ok(yes(by_id().await?.is_none())),
        Op::Grant { class, external_id } => {
            let seen = held(connector, line, Witness::Writer, &here(), *class, Timestamp::UNIX_EPOCH).await?;
            Ok(yes(seen.held.iter().any(|h| h.external_id == *external_id)))
        }
        Op::Revoke { class, external_id } => {
            let seen = held(connector, line, Witness::Writer, &here(), *class, Timestamp::UNIX_EPOCH).await?;
            let gone = seen.held.iter().all(|h| h.external_id != *external_id);
            Ok(yes(gone && seen.coverage == Coverage::Complete))
        }
        Op::RevokeAll { class } => {
            let seen = held(connector, line, Witness::Writer, &here(), *class, Timestamp::UNIX_EPOCH).await?;
            Ok(yes(seen.held.iter().all(|h| !h.live) && seen.coverage == Coverage::Complete))
        }
    }
}

/// Whether the object has all the attributes.
pub(crate) fn bears(object: &Object<'_>, attributes: &AccountAttributes) -> bool {
    attributes.iter().all(|(name, wanted)| object.attribute(name).is_some_and(|seen| same(seen, wanted)))
}

fn same(seen: &ObjectValue<'_>, wanted: &AccountValue) -> bool {
    match (seen, wanted) {
        (ObjectValue::Text(a), AccountValue::Text(b)) => a == b,
        (ObjectValue::Flag(a), AccountValue::Flag(b)) => a == b,
        (ObjectValue::Many(a), AccountValue::Many(b)) => a.iter().eq(b.iter()),
        (ObjectValue::Text(_) | ObjectValue::Flag(_) | ObjectValue::Many(_) | ObjectValue::Null, _) => false,
    }
}

/// The digest of the state in which an account is shown, as [`AccountState::digest`] makes it: of the
/// attributes that the hub manages (`names`, ascending) and the entitlements held (ascending). Makes no
/// state of its own, because most accounts are as they were; `scratch` is its only memory.
///
/// [`AccountState::digest`]: bailiwick_core::account::AccountState::digest
pub fn shown_digest<'n>(
    scratch: &mut Vec<u8>,
    object: &Object<'_>,
    names: impl Iterator<Item = &'n String>,
    entitlements: impl Iterator<Item = &'n EntitlementName>,
) -> Digest {
    let mut digest = StateDigest::new(scratch, object.state == ObjectState::Live);
    for name in names {
        let Some(value) = object.attribute(name) else { continue };
        if *value == ObjectValue::Null {
            continue;
        }
        digest.attribute(name);
        match value {
            ObjectValue::Text(text) => digest.text(text),
            ObjectValue::Flag(flag) => digest.flag(*flag),
            ObjectValue::Many(many) => many.iter().for_each(|text| digest.text(text)),
            ObjectValue::Null => {}
        }
    }
    entitlements.for_each(|name| digest.entitlement(name));
    digest.finish()
}

/// The attributes of an object that the hub manages on that system.
pub(crate) fn managed<'n>(object: &Object<'_>, names: impl Iterator<Item = &'n String>) -> AccountAttributes {
    names
        .filter_map(|name| {
            let value = match object.attribute(name)? {
                ObjectValue::Text(text) => AccountValue::Text(text.to_string()),
                ObjectValue::Flag(flag) => AccountValue::Flag(*flag),
                ObjectValue::Many(many) => AccountValue::Many(many.iter().map(ToString::to_string).collect()),
                ObjectValue::Null => return None,
            };
            Some((name.clone(), value))
        })
        .collect()
}

/// Refuses to make an account of a name that another one bears there, also one that is disabled: it is nobody's to take
/// over unless it bears the marker.
pub(crate) async fn not_somebody_elses(
    connector: &dyn Connector,
    line: &Line,
    op: &Op,
    name: &str,
) -> Result<(), ConnectorError> {
    let Op::CreateAccount { marker, .. } = op else { return Ok(()) };
    let found = match connector.get(line, Locator::AccountNamed(name)).await {
        Ok(found) => found,
        Err(error) if error.kind == ErrorKind::Unsupported => None,
        Err(error) => return Err(error),
    };
    let Some(found) = found.filter(|found| found.marker.as_deref() != Some(marker)) else { return Ok(()) };
    let state = match found.state {
        ObjectState::Live => "an account",
        ObjectState::Blocked => "a disabled account",
    };
    Err(ConnectorError::none(
        ErrorKind::AlreadyExists,
        format!("{state} of this name is there and does not bear the hub's marker; it is not taken over"),
    ))
}
