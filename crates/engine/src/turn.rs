//! Turns: what is decided from several rows is decided one after the other.
//!
//! Two nodes may write different rows at the same time, and neither sees what the other writes. Where a rule is about all of
//! them together, whoever decides by it takes the turn first: the second waits for the end of the first, and reads after that.

use bailiwick_core::id::CaseId;
use bailiwick_store::Tx;

use crate::{Engine, Result};

/// The turn of whoever approves a plan about the hub, puts something in force or ends an operator: who opened one gate may not
/// open the other, what is valid alone need not be valid together, and one administrator stays.
pub(crate) const GOVERN: &str = "govern";

/// The turn of whoever settles a case. Many cases share one; whoever takes several takes them in this order.
pub(crate) fn of_case(case: CaseId) -> String {
    format!("case/{:02x}", case.as_bytes()[15])
}

impl Engine {
    /// Takes a turn until the end of the transaction. What was read before may be old.
    pub(crate) async fn take_turn(&self, tx: &mut dyn Tx, turn: &str) -> Result<()> {
        tx.lock(turn, "turn", self.now().as_millisecond(), 0).await?;
        Ok(())
    }
}
