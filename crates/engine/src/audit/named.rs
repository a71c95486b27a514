//! Whose accounts they are that a log knows by name alone.

use std::collections::BTreeMap;

use bailiwick_core::{account::Account, audit::Entry, id::SystemName};
use bailiwick_store::{Filter, Select, Table, select};

use crate::{Engine, Result};

/// How many accounts are read at a time.
const PAGE: u32 = 2_048;

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
        let mut after = None;
        loop {
            let asked = Select::from(Table::Accounts).filter(Filter::Is("system", system.as_str().into()));
            let page = select::<Account>(&mut *tx, self.tenant(), asked.page(after, PAGE)).await?;
            for account in page.iter().map(|stored| &stored.value) {
                if let Some(ids) = wanted.get_mut(&account.username) {
                    ids.push(account.external_id.clone());
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE as usize => after = Some(last.value.id.to_string()),
                Some(_) | None => break,
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
