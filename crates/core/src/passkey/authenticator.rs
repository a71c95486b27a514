//! What an authenticator says of itself and of the moment (§6.1).

use super::{
    Party, PasskeyRefusal,
    cbor::{self, Value},
};
use crate::digest::Digest;

/// What happened at the authenticator (§6.1, flags).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags {
    /// Somebody was there.
    pub present: bool,
    /// It was made sure who.
    pub verified: bool,
    /// The key may be copied to other devices of its owner.
    pub shareable: bool,
}

/// A credential that was made (§6.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Credential<'a> {
    pub id: &'a [u8],
    /// Its public key, as COSE has it.
    pub key: &'a [u8],
}

/// The authenticator's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Data<'a> {
    /// SHA-256 of the domain that it is for.
    party: [u8; 32],
    pub flags: Flags,
    pub counter: u32,
    /// When one was made.
    pub credential: Option<Credential<'a>>,
}

const SHORT: PasskeyRefusal = PasskeyRefusal::Malformed("the data of the authenticator ends too early");

impl<'a> Data<'a> {
    /// Reads it, to the last byte.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, PasskeyRefusal> {
        let (party, rest) = bytes.split_first_chunk::<32>().ok_or(SHORT)?;
        let (&[bits], rest) = rest.split_first_chunk::<1>().ok_or(SHORT)?;
        let (counter, mut rest) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
        let is = |bit: u8| bits & 1 << bit != 0;
        if is(4) && !is(3) {
            return Err(PasskeyRefusal::Malformed("it is copied and may not be"));
        }
        let mut credential = None;
        if is(6) {
            let (read, after) = Credential::read(rest)?;
            (credential, rest) = (Some(read), after);
        }
        // What extensions say is not asked for and not looked at, but it has its form.
        if is(7) {
            let (extensions, after) = cbor::first(rest)?;
            if !matches!(extensions, Value::Map(_)) {
                return Err(PasskeyRefusal::Malformed("the extensions are no map"));
            }
            rest = after;
        }
        if !rest.is_empty() {
            return Err(PasskeyRefusal::Malformed("something follows the data of the authenticator"));
        }
        let flags = Flags { present: is(0), verified: is(2), shareable: is(3) };
        Ok(Self { party: *party, flags, counter: u32::from_be_bytes(*counter), credential })
    }

    /// Fails unless it is for this domain.
    pub(super) fn is_for(&self, party: &Party) -> Result<(), PasskeyRefusal> {
        let ours = Digest::of(party.id.as_bytes()).0 == self.party;
        ours.then_some(()).ok_or(PasskeyRefusal::Origin)
    }

    /// Fails unless somebody was there, and it was made sure who.
    pub(super) fn is_verified(&self) -> Result<(), PasskeyRefusal> {
        let sure = self.flags.present && self.flags.verified;
        sure.then_some(()).ok_or(PasskeyRefusal::Unverified)
    }
}

impl<'a> Credential<'a> {
    fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), PasskeyRefusal> {
        // The model of the authenticator says nothing that anything would follow from.
        let (_model, rest) = bytes.split_first_chunk::<16>().ok_or(SHORT)?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
        let (id, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(SHORT)?;
        let (_, after) = cbor::first(rest)?;
        let key = &rest[..rest.len() - after.len()];
        Ok((Self { id, key }, after))
    }
}
