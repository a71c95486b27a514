//! From an address to a store.

use std::{path::Path, sync::Arc};

use crate::{
    Result, Store, StoreError, Upgrade,
    postgres::{PostgresStore, without_secrets},
    sqlite::{self, SqliteStore, Thread},
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
    Ok(match Place::of(address)? {
        Place::Postgres => Arc::new(PostgresStore::open(address).await?),
        Place::Memory => Arc::new(SqliteStore::in_memory(Thread::Another).await?),
        Place::File(file) => Arc::new(SqliteStore::open(file).await?),
    })
}

/// Brings the store at `address` up to date and takes it back again: with its own rows, so that what would stop an
/// upgrade stops this. Who writes there waits meanwhile.
///
/// # Errors
///
/// As [`open`]; and `Unavailable` where there is nothing yet.
pub async fn rehearse(address: &str) -> Result<Upgrade> {
    match Place::of(address)? {
        Place::Postgres => PostgresStore::rehearse(address).await,
        Place::Memory => Err(StoreError::Address(address.to_owned())),
        Place::File(file) => sqlite::rehearse(file).await,
    }
}

/// What an address names.
enum Place<'a> {
    Postgres,
    Memory,
    File(&'a Path),
}

impl<'a> Place<'a> {
    fn of(address: &'a str) -> Result<Self> {
        let file = match address.split_once(':') {
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => return Ok(Self::Postgres),
            Some(("sqlite", ":memory:")) => return Ok(Self::Memory),
            Some(("sqlite", file)) => file.strip_prefix("//").unwrap_or(file),
            _ if address.contains("://") => return Err(StoreError::Address(without_secrets(address))),
            _ => address,
        };
        // `?` would start parameters, of which there are none; `:memory:` alone would make a file.
        if file.is_empty() || file.starts_with(':') || file.contains(['?', '\0']) {
            return Err(StoreError::Address(address.to_owned()));
        }
        Ok(Self::File(Path::new(file)))
    }
}
