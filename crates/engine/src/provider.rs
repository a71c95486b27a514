//! Operators who sign in by a provider of identities: it says who they are, and nothing else.
//!
//! Promises: only who was bound to that provider and that `sub` by an approved configuration is let in, and as the operator
//! that was approved; what they may do is governed here. One answer of the provider opens one session.

use bailiwick_core::{digest::Digest, time::Timestamp};
use bailiwick_store::{
    Select, Table,
    entities::{Operator, Spent, Way},
    get, select,
};

use crate::{Engine, Opened, Result};

/// What a provider vouched for, after all of it was verified.
#[derive(Debug, Clone, Copy)]
pub struct Vouched<'a> {
    /// The provider, `iss`.
    pub issuer: &'a str,
    /// Whom it means, `sub`.
    pub subject: &'a str,
    /// What stands for the way through the browser that led here.
    pub flow: Digest,
    /// Until when the same could come again.
    pub until: Timestamp,
}

/// What came of it.
pub enum Told {
    /// The session is open.
    Opened(Box<Opened>),
    /// Nobody here is meant by that.
    Unknown,
    /// It was used before.
    Used,
}

impl Engine {
    /// Opens a session for whom the provider means.
    ///
    /// # Errors
    /// When the store does not do it.
    pub async fn open_session_by_provider(&self, vouched: Vouched<'_>) -> Result<Told> {
        let mut tx = self.begin().await?;
        if get::<Spent>(&mut *tx, self.tenant(), &vouched.flow.to_string()).await?.is_some() {
            return Ok(Told::Used);
        }
        let all = select::<Operator>(&mut *tx, self.tenant(), Select::from(Table::Operators)).await?;
        let now = self.now();
        let means = |operator: &Operator| {
            operator.subject.as_ref().is_some_and(|known| {
                known.issuer == vouched.issuer && known.subject == vouched.subject && known.until > now
            })
        };
        let mut meant = all.into_iter().map(|stored| stored.value).filter(means);
        // Of two of whom one may be meant neither is.
        let (Some(operator), None) = (meant.next(), meant.next()) else { return Ok(Told::Unknown) };
        if !self.counts(&mut *tx, &operator).await? {
            return Ok(Told::Unknown);
        }
        let (session, secret, update) = self.begin_session(&operator, Way::Provider);
        let update = self.spend(&mut *tx, update, vouched.flow, vouched.until).await?;
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(Told::Opened(Box::new(Opened { session, secret })))
    }
}
