//! An authenticator of a test's own: it answers as one does, or as one must not. Keys are Ed25519, from a seed.

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use serde_json::json;

/// Somebody is there, and it was made sure who.
pub const VERIFIED: u8 = 0b101;
/// Somebody is there.
pub const PRESENT: u8 = 0b001;

/// One passkey.
pub struct Soft {
    key: Ed25519KeyPair,
    /// The id of its credential.
    pub id: Vec<u8>,
    /// What `userHandle` says.
    pub user: Vec<u8>,
    /// How often it has signed; 0 stays 0.
    pub counter: u32,
    /// What it says of the moment.
    pub flags: u8,
    /// The page that it is used on.
    pub origin: String,
    /// The domain that it is for.
    pub party: String,
}

impl Soft {
    /// One of this seed, for an operator.
    pub fn new(seed: u8, user: &[u8], origin: &str, party: &str) -> Self {
        Self {
            key: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(),
            id: vec![seed; 20],
            user: user.to_vec(),
            counter: 1,
            flags: VERIFIED,
            origin: origin.to_owned(),
            party: party.to_owned(),
        }
    }

    fn client(&self, kind: &str, challenge: &str) -> Vec<u8> {
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false })
            .to_string()
            .into_bytes()
    }

    fn data(&self, more: u8) -> Vec<u8> {
        let party = digest(&SHA256, self.party.as_bytes());
        [party.as_ref(), &[self.flags | more], &self.counter.to_be_bytes()].concat()
    }

    /// The public key, as COSE has it.
    pub fn cose(&self) -> Vec<u8> {
        [&[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20], self.key.public_key().as_ref()]
            .concat()
    }

    /// What a browser answers when it was made: `client` and `attestation`.
    pub fn make(&self, challenge: &str) -> [String; 2] {
        let length = u16::try_from(self.id.len()).unwrap().to_be_bytes();
        let data = [&*self.data(0x40), &[0; 16], &length, &self.id, &self.cose()].concat();
        let size = u8::try_from(data.len()).unwrap();
        let object =
            [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".as_slice(), &[size], &data].concat();
        [self.client("webauthn.create", challenge), object].map(|part| B64.encode(part))
    }

    /// What a browser answers when it is used, as a JSON value.
    pub fn sign(&mut self, challenge: &str) -> serde_json::Value {
        self.counter += u32::from(self.counter != 0);
        let (client, data) = (self.client("webauthn.get", challenge), self.data(0));
        let signature = self.key.sign(&[&*data, digest(&SHA256, &client).as_ref()].concat());
        json!({
            "id": B64.encode(&self.id),
            "client": B64.encode(client),
            "authenticator": B64.encode(data),
            "signature": B64.encode(signature),
            "user": B64.encode(&self.user),
        })
    }
}
