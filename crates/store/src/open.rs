//! From an address to a store.

use std::{path::Path, sync::Arc};

use crate::{
    Result, Store, StoreError,
    postgres::{PostgresStore, without_secrets},
    sqlite::{SqliteStore, Thread},
};

/// Opens the store at `address`: a file name, `sqlite:FILE`, `sqlite::memory:` or `postgres://…`
/// (parameters as in libpq's connection URIs). A new database is set up, an older one is brought up to
/// date, in one transaction.
///
/// # Errors
///
/// `Address` when the address is not understood, `Unavailable` when the server or file cannot be
/// reached, `Newer` and `Foreign` when what is there is not for this program.
pub async fn open(address: &str) -> Result<Arc<dyn Store>> {
    match address.split_once(':') {
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
            Ok(Arc::new(PostgresStore::open(address).await?))
        }
        Some(("sqlite", ":memory:")) => Ok(Arc::new(SqliteStore::in_memory(Thread::Another).await?)),
        Some(("sqlite", file)) => file_at(file.strip_prefix("//").unwrap_or(file), address).await,
        _ if address.contains("://") => Err(StoreError::Address(without_secrets(address))),
        _ => file_at(address, address).await,
    }
}

async fn file_at(file: &str, address: &str) -> Result<Arc<dyn Store>> {
    // `?` would start parameters, of which there are none; `:memory:` alone would make a file.
    if file.is_empty() || file.starts_with(':') || file.contains(['?', '\0']) {
        return Err(StoreError::Address(address.to_owned()));
    }
    Ok(Arc::new(SqliteStore::open(Path::new(file)).await?))
}
