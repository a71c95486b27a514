//! `/accounts`: what is known on the systems, whosoever it is.

use axum::{Json, extract::State};
use bailiwick_core::{
    account::Account,
    id::{IdentityId, SystemName},
};
use bailiwick_store::Filter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page, Who,
    answer::{Answer, Params},
    caller::Caller,
    operation::{Resource, get},
    page::{Wanted, is},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-accounts", "/accounts", list)
            .says("Accounts, of a system, of somebody, or of nobody known."),
    ];
    Resource::new("Accounts", "What is known on the systems, whosoever it is.", operations)
}

/// An account, and whose it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AccountView {
    /// Whose, once correlated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// The account.
    #[serde(flatten)]
    pub account: Account,
}

/// Which accounts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Which {
    pub(crate) system: Option<SystemName>,
    pub(crate) identity: Option<IdentityId>,
    #[serde(default)]
    pub(crate) unmanaged: bool,
}

pub async fn list(
    State(hub): State<Hub>,
    _: Caller,
    Params(which): Params<Which>,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<AccountView>> {
    let mut tx = hub.read().await?;
    let mut filters: Vec<Filter> = Vec::new();
    filters.extend(is("identity", which.identity.map(|id| id.to_string())));
    filters.extend(is("system", which.system.map(|name| name.to_string())));
    if which.unmanaged {
        filters.push(Filter::Is("identity", bailiwick_store::KeyValue::Null));
    }
    let page: Page<Account> = wanted.read(&hub, &mut *tx, filters).await?;
    let who = hub.who(&mut *tx, page.items.iter().filter_map(|account| account.identity)).await?;
    Ok(Json(page.map(|account| AccountView { who: account.identity.map(|id| Who::of(&who, id)), account })))
}
