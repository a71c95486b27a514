//! What somebody holds now: what policy or an exception gives, and an account was seen to have.

use std::collections::BTreeMap;

use bailiwick_core::{
    account::Account,
    id::{EntitlementName, IdentityId},
    identity::Identity,
    policy::PolicyId,
};
use bailiwick_store::{Filter, Select, Table, Tx, get, select};

use super::judge::not_here;
use crate::{Catalogue, Engine, EngineError, Result, exception::counting, holders::Ways};

impl Engine {
    /// The entitlements that somebody holds, with what gives them; of `only` one of them, if that is said. Not among
    /// them is what is decided and not done yet, what is to go and has not gone yet, and what only an end holds.
    pub(super) async fn held_now(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        identity: IdentityId,
        only: Option<&EntitlementName>,
    ) -> Result<BTreeMap<EntitlementName, Vec<PolicyId>>> {
        let key = identity.to_string();
        let found = get::<Identity>(tx, self.tenant(), &key).await?.map(|stored| stored.value);
        let Some(person) = found.filter(|person| not_here(&person.lifecycle, self.now()).is_none()) else {
            return Ok(BTreeMap::new());
        };
        let exceptions = self.exceptions_of(tx, [identity]).await?;
        let given = counting(exceptions.get(&identity), None, self.now());
        let holding = catalogue
            .policies
            .holds_with(person.kind.as_str(), &person.attributes, &given)
            .map_err(|fault| EngineError::Undecidable(fault.to_string()))?;
        let mut wanted = holding.held;
        wanted.retain(|name, _| only.is_none_or(|only| only == name));
        if wanted.is_empty() {
            return Ok(wanted);
        }
        let theirs = Select::from(Table::Accounts).filter(Filter::Is("identity", key.into()));
        let accounts = select::<Account>(tx, self.tenant(), theirs).await?;
        let accounts: Vec<Account> =
            accounts.into_iter().map(|stored| stored.value).filter(|account| account.state.active).collect();
        let mut held = BTreeMap::new();
        for (name, because) in wanted {
            let system = name.system();
            if accounts.iter().all(|account| account.system != system) {
                continue;
            }
            let nested = self.nested_in(tx, &name).await?;
            let ways = Ways::to(catalogue, &name, &nested);
            if accounts.iter().any(|account| account.system == system && ways.of(account).is_some()) {
                held.insert(name, because);
            }
        }
        Ok(held)
    }
}
