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
use bailiwick_engine::{Holder, Holders, Unrecorded, Why};
use bailiwick_store::{Filter, KeyValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page,
    answer::{Answer, Body, Params, Segment},
    caller::Caller,
    operation::{Access, Resource, get, post},
    page::{Wanted, is},
    plans::{self, PlanView},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-identities", "/identities", list).says("Identities, oldest first."),
        get("show-identity", "/identities/{identity}", show)
            .says("One identity by its id, `source/key` or e-mail address, with its accounts and cases.")
            .fails(&[409]),
        post("join-identities", "/identities/{identity}/join", Access::Decided, join)
            .says("Asks that another record becomes this person's; a second person approves the plan.")
            .of("/identities/{identity}"),
        post("split-identity", "/identities/{identity}/split", Access::Decided, split)
            .says("Asks that a record is its own person again; a second person approves the plan.")
            .of("/identities/{identity}"),
        get("show-why", "/identities/{identity}/entitlements/{entitlement}", why)
            .says("Whether somebody has an entitlement, or had it, and why.")
            .fails(&[409, 422]),
        get("list-holders", "/entitlements/{entitlement}/holders", holders)
            .says("Who holds an entitlement, or held it at a time, and by what.")
            .fails(&[409]),
    ];
    Resource::new("Identities", "Who is known, what they hold, and why.", operations)
}

/// What people call an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// An id that leads to somebody, with its own key and their name.
    fn of_key(other: &Identity, to: &Identity) -> Self {
        Self { id: other.id, key: other.source_key.to_string(), name: to.display_name() }
    }

    /// One of those that were looked up; who is not among them has only the id.
    pub fn of(known: &BTreeMap<IdentityId, Self>, id: IdentityId) -> Self {
        known.get(&id).cloned().unwrap_or_else(|| Self { id, key: String::new(), name: id.to_string() })
    }
}

/// An identity and what belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IdentityView {
    /// The identity.
    pub identity: Identity,
    /// Its accounts.
    pub accounts: Vec<Account>,
    /// Its cases, and those of the ids that were joined to it.
    pub cases: Vec<Case>,
    /// The ids that lead to it, with their keys: it has their records now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<Who>,
    /// The one of them that was asked for, where it was not this identity's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Who>,
}

/// What is to be joined to an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The other one: id, `source/key` or e-mail address.
    pub other: String,
    /// Why.
    pub reason: String,
}

/// What is to be split off an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitRequest {
    /// The key, `source/key`.
    pub key: String,
    /// Why.
    pub reason: String,
}

/// Why somebody has an entitlement, or has it not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyView {
    /// In words.
    pub text: String,
    /// The same as a value.
    #[schemars(with = "Why")]
    pub why: serde_json::Value,
}

/// Which identities.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Which {
    pub(crate) state: Option<String>,
}

pub async fn list(
    State(hub): State<Hub>,
    _: Caller,
    Params(which): Params<Which>,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<Identity>> {
    let mut tx = hub.read().await?;
    Ok(Json(wanted.read(&hub, &mut *tx, is("state", which.state).into_iter().collect()).await?))
}

pub async fn show(
    State(hub): State<Hub>,
    _: Caller,
    Segment(identity): Segment<String>,
) -> Answer<IdentityView> {
    let (asked, identity) = (identity.clone(), hub.engine.find_identity(&identity).await?.value);
    let joined: Vec<Who> =
        hub.engine.joined_ids(&identity).await?.iter().map(|other| Who::of_key(other, &identity)).collect();
    let asked = joined.iter().find(|other| other.key == asked || other.id.to_string() == asked).cloned();
    let mut tx = hub.read().await?;
    let of = KeyValue::from(identity.id.to_string());
    let mut accounts: Vec<Account> = hub.all(&mut *tx, vec![Filter::Is("identity", of.clone())]).await?;
    let ids = joined.iter().map(|other| other.id.to_string().into()).chain([of]).collect();
    let cases = hub.all(&mut *tx, vec![Filter::In("identity", ids)]).await?;
    accounts.sort_by(|a, b| a.system.cmp(&b.system));
    Ok(Json(IdentityView { identity, accounts, cases, joined, asked }))
}

pub async fn join(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(identity): Segment<String>,
    Body(asked): Body<JoinRequest>,
) -> Answer<PlanView> {
    let plan = hub.engine.ask_join(&identity, &asked.other, &asked.reason, &caller.0).await?;
    hub.worker.nudge();
    plans::show(State(hub), caller, Segment(plan.id)).await
}

pub async fn split(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(identity): Segment<String>,
    Body(asked): Body<SplitRequest>,
) -> Answer<PlanView> {
    let plan = hub.engine.ask_split(&identity, &asked.key, &asked.reason, &caller.0).await?;
    hub.worker.nudge();
    plans::show(State(hub), caller, Segment(plan.id)).await
}

/// For which time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct When {
    pub(crate) at: Option<Timestamp>,
}

/// Somebody who holds an entitlement, and who that is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HolderView {
    /// Who it is; absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// What they hold it by.
    #[serde(flatten)]
    pub holder: Holder,
}

/// Part of those who hold an entitlement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HoldersView {
    /// They, by the ids of their accounts.
    pub items: Vec<HolderView>,
    /// Give it back as `after` for the next part; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The groups that lay in it at the time that was asked for, and of which the log does not say who was in them then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unrecorded: Vec<Unrecorded>,
}

pub async fn holders(
    State(hub): State<Hub>,
    _: Caller,
    Segment(entitlement): Segment<EntitlementName>,
    Params(when): Params<When>,
    Params(wanted): Params<Wanted>,
) -> Answer<HoldersView> {
    let (limit, after) = wanted.parts();
    let limit = limit as usize;
    let Holders { items, next, unrecorded } = match when.at {
        Some(at) => hub.engine.holders_then(&entitlement, at, after, limit).await?,
        None => hub.engine.holders(&entitlement, after, limit).await?,
    };
    let known = hub.who(&mut *hub.read().await?, items.iter().filter_map(|holder| holder.identity)).await?;
    let view = |holder: Holder| HolderView { who: holder.identity.map(|id| Who::of(&known, id)), holder };
    Ok(Json(HoldersView { items: items.into_iter().map(view).collect(), next, unrecorded }))
}

pub async fn why(
    State(hub): State<Hub>,
    _: Caller,
    Segment((identity, entitlement)): Segment<(String, EntitlementName)>,
    Params(when): Params<When>,
) -> Answer<WhyView> {
    let why = hub.engine.why(&identity, &entitlement, when.at).await?;
    Ok(Json(WhyView { text: why.to_string(), why: serde_json::to_value(&why).unwrap_or_default() }))
}
