//! `/identities`: who is known, what they hold, and why.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use bailiwick_core::{
    account::Account,
    case::Case,
    id::{EntitlementName, IdentityId},
    identity::Identity,
    time::Timestamp,
};
use bailiwick_engine::{Holder, Holders};
use bailiwick_store::{Filter, KeyValue};
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page,
    answer::{Answer, Params, Segment},
    caller::Caller,
    page::{Wanted, is},
};

/// What people call an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Its id.
    pub id: IdentityId,
    /// `source/key`.
    pub key: String,
    /// Its name.
    pub name: String,
}

impl From<&Identity> for Who {
    fn from(identity: &Identity) -> Self {
        Self { id: identity.id, key: identity.source_key.to_string(), name: identity.display_name() }
    }
}

impl Who {
    /// One of those that were looked up; who is not among them has only the id.
    pub fn of(known: &BTreeMap<IdentityId, Self>, id: IdentityId) -> Self {
        known.get(&id).cloned().unwrap_or_else(|| Self { id, key: String::new(), name: id.to_string() })
    }
}

/// An identity and what belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdentityView {
    /// The identity.
    pub identity: Identity,
    /// Its accounts.
    pub accounts: Vec<Account>,
    /// Its cases.
    pub cases: Vec<Case>,
}

/// Why somebody has an entitlement, or has it not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyView {
    /// In words.
    pub text: String,
    /// The same as a value.
    pub why: serde_json::Value,
}

/// Which identities.
#[derive(Debug, Default, Deserialize)]
pub struct Which {
    pub(crate) state: Option<String>,
}

/// `GET /identities?state=&limit=&after=`
pub async fn list(
    State(hub): State<Hub>,
    _: Caller,
    Params(which): Params<Which>,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<Identity>> {
    let mut tx = hub.read().await?;
    Ok(Json(wanted.read(&hub, &mut *tx, is("state", which.state).into_iter().collect()).await?))
}

/// `GET /identities/{identity}`: by id, `source/key` or e-mail.
pub async fn show(
    State(hub): State<Hub>,
    _: Caller,
    Segment(identity): Segment<String>,
) -> Answer<IdentityView> {
    let identity = hub.engine.find_identity(&identity).await?.value;
    let mut tx = hub.read().await?;
    let of = KeyValue::from(identity.id.to_string());
    let mut accounts: Vec<Account> = hub.all(&mut *tx, vec![Filter::Is("identity", of.clone())]).await?;
    let cases = hub.all(&mut *tx, vec![Filter::Is("identity", of)]).await?;
    accounts.sort_by(|a, b| a.system.cmp(&b.system));
    Ok(Json(IdentityView { identity, accounts, cases }))
}

/// For which time.
#[derive(Debug, Default, Deserialize)]
pub struct When {
    at: Option<Timestamp>,
}

/// Somebody who holds an entitlement, and who that is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HolderView {
    /// Who it is; absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// What they hold it by.
    #[serde(flatten)]
    pub holder: Holder,
}

/// `GET /entitlements/{entitlement}/holders?limit=&after=`: who holds it.
pub async fn holders(
    State(hub): State<Hub>,
    _: Caller,
    Segment(entitlement): Segment<EntitlementName>,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<HolderView>> {
    let (limit, after) = wanted.parts();
    let Holders { items, next } = hub.engine.holders(&entitlement, after, limit as usize).await?;
    let known = hub.who(&mut *hub.read().await?, items.iter().filter_map(|holder| holder.identity)).await?;
    let view = |holder: Holder| HolderView { who: holder.identity.map(|id| Who::of(&known, id)), holder };
    Ok(Json(Page { items: items.into_iter().map(view).collect(), next }))
}

/// `GET /identities/{identity}/entitlements/{entitlement}?at=`: whether, and why.
pub async fn why(
    State(hub): State<Hub>,
    _: Caller,
    Segment((identity, entitlement)): Segment<(String, EntitlementName)>,
    Params(when): Params<When>,
) -> Answer<WhyView> {
    let why = hub.engine.why(&identity, &entitlement, when.at).await?;
    Ok(Json(WhyView { text: why.to_string(), why: serde_json::to_value(&why).unwrap_or_default() }))
}
