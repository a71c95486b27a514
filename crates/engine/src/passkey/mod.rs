//! Passkeys of operators: enrolling, signing in, proving anew who somebody is, removing.
//!
//! Promises: a challenge is this hub's, of the last minutes, for one purpose, and counts once; the public key that is
//! believed bears the hub's seal; each enrolment, use, refusal and removal is a record. What is approved with a passkey is
//! signed for exactly that plan, and the record holds what was signed, so that anybody can verify it later.

mod challenge;
mod enrol;
mod enter;
mod prove;

use bailiwick_core::{
    passkey::{self, Known, PasskeyRefusal},
    record::RecordKind,
};
use bailiwick_store::{
    Filter, Select, Stored, Table, Tx, Update,
    entities::{Operator, Passkey},
    select,
};

pub use self::{enrol::NewPasskey, enter::Entered};
use crate::{Engine, Result, finding::Wrong};

/// The finding about a passkey of which there seem to be two.
const COPIED: &str = "passkey-counter";

impl Engine {
    /// The passkeys of an operator that bear the hub's seal and were not voided.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn passkeys_of(&self, operator: &Operator) -> Result<Vec<Passkey>> {
        let mut tx = self.read().await?;
        Ok(self.passkeys_in(&mut *tx, operator).await?.into_iter().map(|stored| stored.value).collect())
    }

    pub(crate) async fn passkeys_in(
        &self,
        tx: &mut dyn Tx,
        operator: &Operator,
    ) -> Result<Vec<Stored<Passkey>>> {
        let theirs = Filter::Is("operator", operator.id.to_string().into());
        let mut found =
            select::<Passkey>(tx, self.tenant(), Select::from(Table::Passkeys).filter(theirs)).await?;
        found.retain(|stored| self.is_ours(&stored.value) && !operator.voids(stored.value.made));
        Ok(found)
    }

    /// The passkey with this credential, if it bears the hub's seal.
    async fn passkey_with(&self, tx: &mut dyn Tx, credential: &str) -> Result<Option<Stored<Passkey>>> {
        let asked = Filter::Is("credential", Passkey::lookup(credential).into());
        let found = select::<Passkey>(tx, self.tenant(), Select::from(Table::Passkeys).filter(asked)).await?;
        Ok(found.into_iter().find(|stored| self.is_ours(&stored.value)))
    }

    fn is_ours(&self, passkey: &Passkey) -> bool {
        self.parts.broker.attested(&passkey.sealed_bytes(), &passkey.seal)
    }

    fn sealed_passkey(&self, passkey: Passkey) -> Passkey {
        let seal = self.parts.broker.attest(&passkey.sealed_bytes());
        Passkey { seal, ..passkey }
    }

    /// What a use is written down as besides: the passkey was copied, it seems.
    async fn copied(&self, tx: &mut dyn Tx, passkey: &Passkey) -> Result<Option<Update>> {
        let message = format!(
            "the passkey `{}` was used and counts less uses than are known: somebody may have copied it; it was refused. \
             Ask its owner, and remove it with `bailiwick passkey remove {}`",
            passkey.name, passkey.id
        );
        let subject = passkey.id.to_string();
        let owner = "operator".into();
        let wrong = Wrong { code: COPIED, subject, identity: None, system: None, message, owner };
        self.open_finding(tx, wrong).await
    }

    /// The record of a refusal that has its own: nothing is left out, because each takes the passkey itself.
    async fn copy_refused(&self, passkey: &Passkey, kind: RecordKind) -> Result<()> {
        let mut tx = self.begin().await?;
        let record = self
            .record(kind, "passkey")
            .fact("code", PasskeyRefusal::Counter.code())
            .fact("operator", passkey.operator)
            .fact("passkey", passkey.id);
        let mut updates = vec![Update::new(record)];
        updates.extend(self.copied(&mut *tx, passkey).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        Ok(tx.commit().await?)
    }
}

/// The key of a passkey, as bytes.
fn key_of(passkey: &Passkey) -> Vec<u8> {
    passkey::bytes(&passkey.key).unwrap_or_default()
}

/// What is known of a passkey, with its key.
fn known<'a>(stored: &Passkey, key: &'a [u8]) -> Known<'a> {
    Known { key, counter: stored.counter, shared: stored.shared, operator: stored.operator }
}
