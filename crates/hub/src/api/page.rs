//! Lists in pages, and the reads that all resources share.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{id::IdentityId, identity::Identity};
use bailiwick_store::{Entity, Filter, KeyValue, Select, Stored, Table, Tx, get, select};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Hub, Who, answer::ApiError};
use crate::problem::Problem;

/// The length of a page when none is asked for.
const LENGTH: u32 = 100;
/// The longest page.
const LONGEST: u32 = 1000;

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The items, by id.
    pub items: Vec<T>,
    /// Give it back as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Wanted {
    /// At most so many items.
    limit: Option<u32>,
    /// After this id.
    after: Option<String>,
}

impl Wanted {
    /// So many, after this id.
    pub const fn of(limit: u32, after: Option<String>) -> Self {
        Self { limit: Some(limit), after }
    }

    /// How many, and after which.
    pub fn parts(self) -> (u32, Option<String>) {
        (self.limit.unwrap_or(LENGTH).clamp(1, LONGEST), self.after)
    }

    /// Reads the page of `T` for which the filters hold.
    pub async fn read<T: Entity>(
        self,
        hub: &Hub,
        tx: &mut dyn Tx,
        filters: Vec<Filter>,
    ) -> Result<Page<T>, ApiError> {
        let (limit, after) = self.parts();
        let wanted = Select { filters, ..Select::from(T::TABLE).page(after, limit + 1) };
        let mut items: Vec<T> = values(select(tx, hub.tenant(), wanted).await?);
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next = if more { items.last().map(Entity::key) } else { None };
        Ok(Page { items, next })
    }
}

impl<T> Page<T> {
    /// The same with each item made into something else.
    pub fn map<U>(self, make: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(make).collect(), next: self.next }
    }
}

impl Hub {
    /// Whose state it is.
    pub fn tenant(&self) -> &bailiwick_core::id::Tenant {
        &self.engine.parts().tenant
    }

    /// Begins to read.
    pub async fn read(&self) -> Result<Box<dyn Tx>, ApiError> {
        Ok(self.engine.parts().store.read().await?)
    }

    /// The `T` with this id; `kind` names it in the problem.
    pub async fn find<T: Entity>(&self, tx: &mut dyn Tx, kind: &str, id: &str) -> Result<T, ApiError> {
        let found: Option<Stored<T>> = get(tx, self.tenant(), id).await?;
        found
            .map(|stored| stored.value)
            .ok_or_else(|| Problem::new(404, "not-found", format!("there is no {kind} `{id}`")).into())
    }

    /// All `T` for which the filters hold.
    pub async fn all<T: Entity>(&self, tx: &mut dyn Tx, filters: Vec<Filter>) -> Result<Vec<T>, ApiError> {
        Ok(values(select(tx, self.tenant(), Select { filters, ..Select::from(T::TABLE) }).await?))
    }

    /// Who these identities are.
    pub async fn who(
        &self,
        tx: &mut dyn Tx,
        ids: impl IntoIterator<Item = IdentityId>,
    ) -> Result<BTreeMap<IdentityId, Who>, ApiError> {
        let ids: BTreeSet<IdentityId> = ids.into_iter().collect();
        let ids = ids.iter().map(|id| KeyValue::from(id.to_string())).collect();
        let found: Vec<Identity> = self.all(tx, vec![Filter::In("id", ids)]).await?;
        Ok(found.iter().map(|identity| (identity.id, Who::from(identity))).collect())
    }

    /// How many rows of a table there are for which the filter holds.
    pub async fn count(
        &self,
        tx: &mut dyn Tx,
        table: Table,
        filter: Option<Filter>,
    ) -> Result<i64, ApiError> {
        let wanted = Select { filters: filter.into_iter().collect(), ..Select::from(table) };
        Ok(tx.count(self.tenant(), wanted).await?)
    }
}

fn values<T>(stored: Vec<Stored<T>>) -> Vec<T> {
    stored.into_iter().map(|stored| stored.value).collect()
}

/// Equality on a text column, if a value is asked for.
pub fn is(column: &'static str, value: Option<String>) -> Option<Filter> {
    value.map(|value| Filter::Is(column, value.into()))
}
