//! Whose accounts they are that a log knows by name alone.

use std::collections::BTreeMap;

use bailiwick_core::{audit::Entry, id::SystemName};

use crate::{Engine, Result, reconcile::accounts_on};

impl Engine {
    /// Gives entries with a name and no id the id of the account that the hub knows by that name, if it knows one alone.
    /// That takes reading all accounts of the system, and is done only where there is such an entry: a log that says ids
    /// is to have names only of what is gone.
    pub(super) async fn find_named(&self, system: &SystemName, entries: &mut [Entry]) -> Result<()> {
        let named = |entry: &&mut Entry| entry.account.is_none() && entry.name.is_some();
        let mut wanted: BTreeMap<String, Vec<String>> = entries
            .iter_mut()
            .filter(named)
            .filter_map(|entry| Some((entry.name.clone()?, Vec::new())))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let mut tx = self.read().await?;
        let mut pages = accounts_on(system);
        while let Some(page) = pages.next(&mut *tx, self.tenant()).await? {
            for account in page.iter().map(|stored| &stored.value) {
                if let Some(ids) = wanted.get_mut(&account.username) {
                    ids.push(account.external_id.clone());
                }
            }
        }
        for entry in entries.iter_mut().filter(named) {
            if let Some([one]) = entry.name.as_ref().and_then(|name| wanted.get(name)).map(Vec::as_slice) {
                entry.account = Some(one.clone());
            }
        }
        Ok(())
    }
}
