//! Proving with a passkey, anew and for one thing, who somebody is.

use bailiwick_core::{
    factor::Proof,
    passkey::{self, Party, PasskeyRefusal, Purpose, Using},
    record::{Actor, RecordKind},
};
use bailiwick_store::{
    Update,
    entities::{Operator, Passkey},
};

use super::{key_of, known};
use crate::{Engine, Result};

impl Engine {
    /// Whether the passkey proves that `by` is who they are, for this purpose. Used up even if what it is for is then
    /// refused. The record holds what was signed.
    pub(crate) async fn prove_by_passkey(
        &self,
        by: &Operator,
        using: &Using,
        party: &Party,
        purpose: Purpose,
    ) -> Result<Proof> {
        let mut tx = self.begin().await?;
        let found = self.passkey_with(&mut *tx, &using.id).await?;
        let Some(stored) = found.filter(|found| found.value.operator == by.id && !by.voids(found.value.made))
        else {
            drop(tx);
            return self.not_proved(by, PasskeyRefusal::Unknown).await;
        };
        let key = key_of(&stored.value);
        let good = self.good(&mut *tx, &using.client, purpose).await?;
        let judged = good.and_then(|good| {
            passkey::used(using, good.bytes(), party, known(&stored.value, &key))
                .map(|counter| (good, counter))
        });
        let (good, counter) = match judged {
            Ok(judged) => judged,
            Err(refusal) => {
                drop(tx);
                if refusal != PasskeyRefusal::Counter {
                    return self.not_proved(by, refusal).await;
                }
                self.copy_refused(&stored.value, RecordKind::Refused).await?;
                return Ok(Proof::Passkey(refusal));
            }
        };
        let passkey = self.sealed_passkey(Passkey { counter, used: Some(self.now()), ..stored.value });
        let mut record = self
            .record(RecordKind::Proved, "passkey")
            .fact("operator", by.id)
            .fact("passkey", passkey.id)
            .fact("purpose", purpose)
            .fact("client", &using.client)
            .fact("authenticator", &using.authenticator)
            .fact("signature", &using.signature);
        record.actor = Actor::Operator(by.name.clone());
        let update = Update::new(record).replace(&passkey, stored.revision, self.entropy());
        let update = self.spend(&mut *tx, update, good.digest(), good.until()).await?;
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(Proof::Fresh)
    }

    async fn not_proved(&self, by: &Operator, refusal: PasskeyRefusal) -> Result<Proof> {
        let mut tx = self.begin().await?;
        let record = self.record(RecordKind::Refused, "passkey");
        let record = record.fact("code", refusal.code()).fact("operator", by.id);
        tx.write(self.tenant(), vec![Update::new(record)], self.entropy()).await?;
        tx.commit().await?;
        Ok(Proof::Passkey(refusal))
    }
}
