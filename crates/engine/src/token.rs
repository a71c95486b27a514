//! Tokens that operators make for their programs.
//!
//! Promises: a token is shown once and kept as a digest, under the hub's seal; it ends by itself; it does no more than was
//! said when it was made, and never more than its operator may do at the moment of the call. It approves nothing: that takes
//! a person. Making, first use in an hour and revoking are records.

use std::collections::BTreeSet;

use bailiwick_core::{
    digest::Digest,
    id::TokenId,
    record::{Actor, RecordKind},
    right::Right,
    time::SignedDuration,
};
use bailiwick_store::{
    Filter, Select, Stored, Table, Tx, Update,
    entities::{ApiToken, Operator},
    get, select,
};

use crate::{Engine, EngineError, Result, operator::in_days};

/// The longest life of one, days.
pub const LONGEST_DAYS: u16 = 365;
/// The longest name of one, letters.
const LONGEST: usize = 60;
/// How many an operator may have.
const MOST: usize = 50;
/// How exactly it is written down when one was used.
const COARSE: SignedDuration = SignedDuration::from_hours(1);

/// A token that was made. No `Debug`: it holds the secret, this once.
pub struct MadeToken {
    /// The token.
    pub token: ApiToken,
    /// What the program sends along.
    pub secret: String,
}

impl Engine {
    /// Makes a token; what was theirs and is over goes.
    ///
    /// # Errors
    /// [`EngineError::TokenTerms`], [`EngineError::TokenWider`], [`EngineError::TooMany`].
    pub async fn make_token(
        &self,
        name: &str,
        rights: BTreeSet<Right>,
        days: u16,
        by: &Operator,
    ) -> Result<MadeToken> {
        let name = name.trim();
        let named = !name.is_empty() && name.chars().count() <= LONGEST && !name.contains(char::is_control);
        if !named || !(1..=LONGEST_DAYS).contains(&days) {
            return Err(EngineError::TokenTerms { letters: LONGEST, days: LONGEST_DAYS });
        }
        if rights.contains(&Right::Accept) || rights.contains(&Right::Terminate) {
            return Err(EngineError::TokenAccepts);
        }
        let own = self.rights(by).await;
        if let Some(wider) = rights.iter().find(|right| !own.has(**right)) {
            return Err(EngineError::TokenWider(*wider));
        }
        let now = self.now();
        let mut random = [0u8; 32];
        self.entropy().fill(&mut random);
        let secret = format!("bwt_{}", Digest(random));
        let token = self.sealed_token(ApiToken {
            id: TokenId::new(now, self.entropy()),
            operator: by.id,
            name: name.to_owned(),
            secret: Digest::of(secret.as_bytes()),
            rights,
            made: now,
            expires: in_days(now, days),
            used: None,
            seal: String::new(),
        });
        let mut record = self
            .record(RecordKind::TokenMade, "token")
            .fact("operator", by.id)
            .fact("token", token.id)
            .fact("rights", &token.rights)
            .fact("expires", token.expires)
            .personal("name", &token.name);
        record.actor = Actor::Operator(by.name.clone());
        let mut update = Update::new(record).insert(&token, self.entropy());
        let mut tx = self.begin().await?;
        let theirs = Select::from(Table::ApiTokens).filter(Filter::Is("operator", by.id.to_string().into()));
        let theirs = select::<ApiToken>(&mut *tx, self.tenant(), theirs).await?;
        let (live, over): (Vec<_>, Vec<_>) =
            theirs.into_iter().partition(|one| one.value.expires > now && !by.voids(one.value.made));
        if live.len() >= MOST {
            return Err(EngineError::TooMany { what: "tokens", most: MOST });
        }
        for over in over {
            update = update.delete::<ApiToken>(&over.value.id.to_string(), over.revision);
        }
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(MadeToken { token, secret })
    }

    /// Whose token it is, if it is one that works and they may do anything. Looked up by a digest, so that the time it takes
    /// says nothing about tokens.
    ///
    /// # Errors
    /// When the store does not do it.
    pub async fn operator_by_api_token(&self, secret: &str) -> Result<Option<(Operator, ApiToken)>> {
        let mut tx = self.read().await?;
        let digest = Digest::of(secret.as_bytes()).to_string();
        let asked = Select::from(Table::ApiTokens).filter(Filter::Is("secret_digest", digest.into()));
        let found = select::<ApiToken>(&mut *tx, self.tenant(), asked).await?.pop();
        let now = self.now();
        let works = |token: &ApiToken| {
            token.expires > now && self.parts.broker.attested(&token.sealed_bytes(), &token.seal)
        };
        let Some(stored) = found.filter(|found| works(&found.value)) else { return Ok(None) };
        let operator = self.operator_with(&mut *tx, stored.value.operator).await?;
        let Some(operator) = operator.filter(|operator| !operator.voids(stored.value.made)) else {
            return Ok(None);
        };
        drop(tx);
        let token = stored.value.clone();
        if token.used.is_none_or(|used| now.duration_since(used) >= COARSE) {
            self.token_used(stored).await?;
        }
        Ok(Some((operator, token)))
    }

    async fn token_used(&self, seen: Stored<ApiToken>) -> Result<()> {
        let mut tx = self.begin().await?;
        let id = seen.value.id.to_string();
        let found = get::<ApiToken>(&mut *tx, self.tenant(), &id).await?;
        // Another call wrote it meanwhile, or it was revoked.
        if found.is_none_or(|found| found.revision != seen.revision) {
            return Ok(());
        }
        let record = self
            .record(RecordKind::TokenUsed, "token")
            .fact("operator", seen.value.operator)
            .fact("token", seen.value.id);
        let used = self.sealed_token(ApiToken { used: Some(self.now()), ..seen.value });
        let update = Update::new(record).replace(&used, seen.revision, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        Ok(tx.commit().await?)
    }

    /// Revokes a token: from the next call on it opens nothing.
    ///
    /// # Errors
    /// `NotFound` when there is no such token.
    pub async fn revoke_token(&self, id: TokenId, by: &Operator) -> Result<()> {
        let mut tx = self.begin().await?;
        let found = self.token_in(&mut *tx, id).await?;
        let mut record = self
            .record(RecordKind::TokenRevoked, "token")
            .fact("operator", found.value.operator)
            .fact("token", id);
        record.actor = Actor::Operator(by.name.clone());
        let update = Update::new(record).delete::<ApiToken>(&id.to_string(), found.revision);
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        Ok(tx.commit().await?)
    }

    async fn token_in(&self, tx: &mut dyn Tx, id: TokenId) -> Result<Stored<ApiToken>> {
        let found = get::<ApiToken>(tx, self.tenant(), &id.to_string()).await?;
        found.ok_or_else(|| EngineError::NotFound { kind: "token", name: id.to_string() })
    }

    fn sealed_token(&self, token: ApiToken) -> ApiToken {
        let seal = self.parts.broker.attest(&token.sealed_bytes());
        ApiToken { seal, ..token }
    }
}
