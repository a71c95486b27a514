//! Challenges: made without keeping anything, used up by a row that stands for as long as they could come again.
//!
//! A challenge is the end of its time, random bytes, the digest of its purpose, and the hub's seal over them. Whoever asks
//! for one writes nothing into the store; whoever uses one does. The purpose stands in it, so that what was signed says by
//! itself what it was signed for.

use bailiwick_core::{
    digest::{Digest, canonical},
    passkey::{self, PasskeyRefusal, Purpose},
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{Filter, Select, Table, Tx, Update, entities::Spent, get, select};

use crate::{Engine, Result};

/// How long a challenge counts.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// How many that could not come again any more go with each that is used.
const SWEPT: u32 = 50;

/// The parts of a challenge, bytes: its end, random ones, its purpose, the seal.
const PARTS: [usize; 4] = [8, 16, 32, 32];
const LENGTH: usize = 88;

/// A challenge that is ours and was not used when it was looked at.
pub(super) struct Good {
    bytes: Vec<u8>,
    until: Timestamp,
}

impl Engine {
    /// A challenge for this purpose, base64url.
    pub fn challenge(&self, purpose: Purpose) -> String {
        let until = self.now().saturating_add(FRESH).unwrap_or(Timestamp::MAX);
        let mut bytes = until.as_millisecond().to_be_bytes().to_vec();
        bytes.extend(self.entropy().salt());
        bytes.extend(Digest::of_value(&purpose).0);
        let seal = self.challenge_seal(&bytes);
        bytes.extend(seal);
        passkey::text(&bytes)
    }

    fn challenge_seal(&self, bytes: &[u8]) -> [u8; 32] {
        Digest::of(self.parts.broker.attest(&canonical(&("passkey-challenge-v1", bytes))).as_bytes()).0
    }

    /// The challenge that an answer is for, if it is ours, for this purpose, of now, and was not used.
    pub(super) async fn good(
        &self,
        tx: &mut dyn Tx,
        client: &str,
        purpose: Purpose,
    ) -> Result<Result<Good, PasskeyRefusal>> {
        let bytes = match passkey::challenge_of(client) {
            Ok(bytes) if bytes.len() == LENGTH => bytes,
            Ok(_) => return Ok(Err(PasskeyRefusal::Challenge)),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let [end, random, wanted, _] = PARTS;
        let (said, seal) = bytes.split_at(end + random + wanted);
        let ours = bailiwick_core::digest::same(&self.challenge_seal(said), seal);
        let mut millis = [0; 8];
        millis.copy_from_slice(&said[..end]);
        let until = Timestamp::from_millisecond(i64::from_be_bytes(millis)).unwrap_or(Timestamp::MIN);
        let fits = said[end + random..] == Digest::of_value(&purpose).0;
        if !ours || !fits || until <= self.now() {
            return Ok(Err(PasskeyRefusal::Challenge));
        }
        let good = Good { bytes, until };
        let used = get::<Spent>(tx, self.tenant(), &good.digest().to_string()).await?.is_some();
        Ok(if used { Err(PasskeyRefusal::Challenge) } else { Ok(good) })
    }

    /// Adds to an update that something counted and does not again until then; what could not come again goes.
    pub(crate) async fn spend(
        &self,
        tx: &mut dyn Tx,
        mut update: Update,
        what: Digest,
        until: Timestamp,
    ) -> Result<Update> {
        let over = Filter::AtMost("until", self.now().as_millisecond());
        let over = Select::from(Table::Spent).filter(over).page(None, SWEPT);
        for gone in select::<Spent>(tx, self.tenant(), over).await? {
            update = update.delete::<Spent>(&gone.value.what.to_string(), gone.revision);
        }
        Ok(update.insert(&Spent { what, until }, self.entropy()))
    }
}

impl Good {
    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What stands for it once it was used.
    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// Until when it could come again.
    pub(super) const fn until(&self) -> Timestamp {
        self.until
    }
}
