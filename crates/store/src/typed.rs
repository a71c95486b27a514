//! Reading values instead of rows.

use std::marker::PhantomData;

use bailiwick_core::id::Tenant;

use crate::{Entity, Result, Row, Select, Tx};

/// A value together with the revision that a replacement has to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// The value.
    pub value: T,
    /// Its revision.
    pub revision: i64,
}

impl<T: Entity> Stored<T> {
    fn of(row: &Row) -> Result<Self> {
        Ok(Self { value: T::from_row(row)?, revision: row.revision })
    }
}

/// The value with the given id, if there is one.
pub async fn get<T: Entity>(tx: &mut dyn Tx, tenant: &Tenant, id: &str) -> Result<Option<Stored<T>>> {
    let Some(row) = tx.get(tenant, T::TABLE, id).await? else { return Ok(None) };
    Stored::of(&row).map(Some)
}

/// The values that `select` finds; its table is `T`'s.
pub async fn select<T: Entity>(tx: &mut dyn Tx, tenant: &Tenant, select: Select) -> Result<Vec<Stored<T>>> {
    debug_assert!(select.table == T::TABLE, "a select names the table of its type");
    let rows = tx.select(tenant, select).await?;
    rows.iter().map(Stored::of).collect()
}

/// The values that a [`Select`] finds, part by part and ascending by id: however many there are, one part is in memory.
pub struct Pages<T> {
    asked: Select,
    size: u32,
    over: bool,
    of: PhantomData<fn() -> T>,
}

impl<T: Entity> Pages<T> {
    /// All that `asked` finds, `size` at a time; its table is `T`'s.
    pub fn of(asked: Select, size: u32) -> Self {
        debug_assert!(asked.table == T::TABLE, "a select names the table of its type");
        Self { asked: asked.page(None, size), size, over: false, of: PhantomData }
    }

    /// The next part, if there is one. What was replaced or deleted since the one before is seen as it is now.
    pub async fn next(&mut self, tx: &mut dyn Tx, tenant: &Tenant) -> Result<Option<Vec<Stored<T>>>> {
        if self.over {
            return Ok(None);
        }
        let rows = tx.select(tenant, self.asked.clone()).await?;
        self.over = rows.len() < self.size as usize;
        let Some(last) = rows.last() else { return Ok(None) };
        self.asked.after = Some(last.id.clone());
        rows.iter().map(Stored::of).collect::<Result<_>>().map(Some)
    }
}
