//! A store in memory as it was at some moment, to begin from many times: what took long to set up is set up once.
//! What is asked of one is done at once, on the thread that asks.

use std::sync::Arc;

use crate::{
    Result, Store,
    sqlite::{SqliteStore, Thread},
};

/// What a store in memory held.
pub struct Image(Vec<u8>);

/// A store in memory of which an image can be taken.
pub struct Sitter(Arc<SqliteStore>);

impl Sitter {
    /// An empty one.
    pub async fn new() -> Result<Self> {
        Ok(Self(Arc::new(SqliteStore::in_memory(Thread::Own).await?)))
    }

    /// The store.
    pub fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }

    /// What is in it now.
    pub async fn image(&self) -> Result<Image> {
        Ok(Image(self.0.image().await?))
    }
}

impl Image {
    /// A new store in memory that holds the same.
    pub fn store(&self) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(SqliteStore::of_image(&self.0, Thread::Own)?))
    }
}
