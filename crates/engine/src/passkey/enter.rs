//! Signing in with a passkey: by one that knows whose it is, or by a name first.

use bailiwick_core::{
    digest::{Digest, canonical},
    id::OperatorId,
    passkey::{self, Party, PasskeyRefusal, Purpose, Using},
    record::RecordKind,
};
use bailiwick_store::{
    Select, Table,
    entities::{Operator, Passkey, Way},
    select,
};

use super::{key_of, known};
use crate::{Engine, Opened, Result};

/// What came of it.
pub enum Entered {
    /// The session is open.
    Opened(Box<Opened>),
    /// Somebody was turned away.
    Refused {
        /// Why; not for who tried.
        why: PasskeyRefusal,
        /// Whose passkey it was, if anybody's.
        operator: Option<OperatorId>,
        /// Whether that is written down already.
        told: bool,
    },
}

impl Engine {
    /// The credentials that somebody of this name may sign in with. A name that nobody has gets one that nobody has, the
    /// same each time, so that nobody learns which names there are.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn passkey_ids_of(&self, name: &str) -> Result<Vec<String>> {
        let mut tx = self.read().await?;
        let all = select::<Operator>(&mut *tx, self.tenant(), Select::from(Table::Operators)).await?;
        let mut found = Vec::new();
        for operator in all.iter().filter(|stored| stored.value.name == name) {
            let theirs = self.passkeys_in(&mut *tx, &operator.value).await?;
            found.extend(theirs.into_iter().map(|stored| stored.value.credential));
        }
        if found.is_empty() {
            let none = self.parts.broker.attest(&canonical(&("passkey-of-nobody-v1", name)));
            found.push(passkey::text(&Digest::of(none.as_bytes()).0));
        }
        Ok(found)
    }

    /// Opens a session for who has the passkey; `door` is the digest of the secret of the browser that asked.
    ///
    /// # Errors
    /// When the store does not do it.
    pub async fn open_session_by_passkey(
        &self,
        door: Digest,
        using: &Using,
        party: &Party,
    ) -> Result<Entered> {
        let refused = |why, operator| Ok(Entered::Refused { why, operator, told: false });
        // Whoever tries is not to keep those who write waiting: looked at first, then done.
        let mut tx = self.read().await?;
        let purpose = Purpose::SignIn(door);
        let Some(found) = self.passkey_with(&mut *tx, &using.id).await? else {
            return refused(PasskeyRefusal::Unknown, None);
        };
        let whose = Some(found.value.operator);
        if let Err(why) = self.good(&mut *tx, &using.client, purpose).await? {
            return refused(why, whose);
        }
        drop(tx);
        let mut tx = self.begin().await?;
        let good = match self.good(&mut *tx, &using.client, purpose).await? {
            Ok(good) => good,
            Err(why) => return refused(why, whose),
        };
        let Some(stored) = self.passkey_with(&mut *tx, &using.id).await? else {
            return refused(PasskeyRefusal::Unknown, None);
        };
        let key = key_of(&stored.value);
        let counter = match passkey::used(using, good.bytes(), party, known(&stored.value, &key)) {
            Ok(counter) => counter,
            Err(PasskeyRefusal::Counter) => {
                drop(tx);
                self.copy_refused(&stored.value, RecordKind::SignInRefused).await?;
                return Ok(Entered::Refused { why: PasskeyRefusal::Counter, operator: whose, told: true });
            }
            Err(why) => return refused(why, whose),
        };
        let operator = self.operator_with(&mut *tx, stored.value.operator).await?;
        let Some(operator) = operator.filter(|operator| !operator.voids(stored.value.made)) else {
            return refused(PasskeyRefusal::Unknown, whose);
        };
        let passkey = Passkey { counter, used: Some(self.now()), ..stored.value };
        let passkey = self.sealed_passkey(passkey);
        let (session, secret, update) = self.begin_session(&operator, Way::Passkey(passkey.id));
        let update = update.replace(&passkey, stored.revision, self.entropy());
        let update = self.spend(&mut *tx, update, good.digest(), good.until()).await?;
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(Entered::Opened(Box::new(Opened { session, secret })))
    }
}
