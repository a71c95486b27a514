//! Reading values instead of rows.

use bailiwick_core::id::Tenant;

use crate::{Entity, Result, Select, Tx};

/// A value together with the revision that a replacement has to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// The value.
    pub value: T,
    /// Its revision.
    pub revision: i64,
}

/// The value with the given id, if there is one.
pub async fn get<T: Entity>(tx: &mut dyn Tx, tenant: &Tenant, id: &str) -> Result<Option<Stored<T>>> {
    let Some(row) = tx.get(tenant, T::TABLE, id).await? else { return Ok(None) };
    Ok(Some(Stored { value: T::from_row(&row)?, revision: row.revision }))
}

/// The values that `select` finds; its table is `T`'s.
pub async fn select<T: Entity>(tx: &mut dyn Tx, tenant: &Tenant, select: Select) -> Result<Vec<Stored<T>>> {
    debug_assert!(select.table == T::TABLE, "a select names the table of its type");
    let rows = tx.select(tenant, select).await?;
    rows.iter().map(|row| Ok(Stored { value: T::from_row(row)?, revision: row.revision })).collect()
}
