//! One at a time: a system is compared, probed or tried, and a source read, by one engine at a time.
//!
//! A hold is a lease in the store. One that ran out is taken by the next who asks; what the one before still
//! writes then meets revisions that are not as it knew them.

use std::fmt::Display;

use crate::{Engine, EngineError, Result};

/// How long a hold lasts without being renewed, milliseconds.
const HOLD_MS: i64 = 60_000;

/// A hold on one system or source.
pub(crate) struct Alone {
    name: String,
    holder: String,
}

impl Engine {
    /// Takes the hold for `doing` something with a system or source.
    ///
    /// # Errors
    /// [`EngineError::Busy`] while somebody else has it.
    pub(crate) async fn alone(&self, doing: &'static str, name: &impl Display) -> Result<Alone> {
        let salt = self.entropy().salt();
        let random = salt[..6].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let alone = Alone {
            name: format!("{}/{doing}/{name}", self.tenant()),
            holder: format!("{}/{random}", self.parts.name),
        };
        match self.hold(&alone, 0).await? {
            true => Ok(alone),
            false => Err(EngineError::Busy { doing, name: name.to_string() }),
        }
    }

    /// Renews the hold, for so many milliseconds more than usual; `false` when somebody else has it.
    pub(crate) async fn hold(&self, alone: &Alone, more_ms: i64) -> Result<bool> {
        let mut tx = self.begin().await?;
        let (now, ttl) = (self.now().as_millisecond(), HOLD_MS.saturating_add(more_ms));
        let fence = tx.lock(&alone.name, &alone.holder, now, ttl).await?;
        tx.commit().await?;
        Ok(fence.is_some())
    }

    /// Ends the hold.
    pub(crate) async fn let_go(&self, alone: Alone) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.lock(&alone.name, &alone.holder, self.now().as_millisecond(), 0).await?;
        Ok(tx.commit().await?)
    }
}
