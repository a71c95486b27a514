//! Keys of C2SP `signed-note` and `tlog-cosignature`: Ed25519 only.
//!
//! A [`Signer`] signs notes (type 0x01), a [`Cosigner`] countersigns checkpoints (type 0x04); they are two types
//! so that one key cannot be used for the other by mistake. Both come from a seed that the caller drew.
//!
//! Absent: ML-DSA-44 (type 0x06), and making seeds.

use aws_lc_rs::{
    aead::{self, UnboundKey},
    encoding::{AsBigEndian as _, Curve25519SeedBin},
    hkdf::{HKDF_SHA256, Salt},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};

use crate::{
    error::EvidenceError,
    hash::{Hash, from_base64, to_base64, to_hex},
    note::{Note, Signature},
};

/// What a key signs, and how: the signature type byte of C2SP `signed-note`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// Ed25519 over the note text, type 0x01.
    Ed25519,
    /// Ed25519 cosignature with a time over a checkpoint, type 0x04.
    CosignatureV1,
}

impl Algorithm {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Ed25519, Self::CosignatureV1].into_iter().find(|algorithm| algorithm.byte() == byte)
    }
}

/// A public key with its name: a C2SP vkey, `name+hex(key id)+base64(type || public key)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerifierKey {
    name: String,
    algorithm: Algorithm,
    id: [u8; 4],
    public: [u8; 32],
}

impl VerifierKey {
    fn new(name: &str, algorithm: Algorithm, public: [u8; 32]) -> Result<Self, EvidenceError> {
        if !is_key_name(name) {
            return Err(EvidenceError::KeyMalformed {
                why: "name is empty or has a space, a plus or a control character",
            });
        }
        let mut message = name.as_bytes().to_vec();
        message.extend_from_slice(&[b'\n', algorithm.byte()]);
        message.extend_from_slice(&public);
        let [a, b, c, d, ..] = *Hash::of(&message).as_bytes();
        Ok(Self { name: name.to_owned(), algorithm, id: [a, b, c, d], public })
    }

    /// The key that the vkey text encodes.
    ///
    /// # Errors
    /// `KeyMalformed`, also when the key id is not that of the name and key.
    pub fn parse(text: &str) -> Result<Self, EvidenceError> {
        let (name, id, algorithm, public) = split(text)?;
        let key = Self::new(name, algorithm, public)?;
        check_id(id, &key)?;
        Ok(key)
    }

    /// The key name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it verifies.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key id: the first bytes of SHA-256 of `name || 0x0A || type || public key`.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// SHA-256 of the public key in hexadecimal, to be compared by people.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        to_hex(Hash::of(&self.public).as_bytes())
    }

    /// Verifies `signature` (what follows the key id) over the note text. Gives the time of a cosignature back,
    /// in seconds since the epoch.
    pub(crate) fn verify(&self, text: &str, signature: &[u8]) -> Option<Option<u64>> {
        let public = UnparsedPublicKey::new(&ED25519, &self.public);
        match self.algorithm {
            Algorithm::Ed25519 => public.verify(text.as_bytes(), signature).ok().map(|()| None),
            Algorithm::CosignatureV1 => {
                let (time, signature) = signature.split_first_chunk()?;
                let time = u64::from_be_bytes(*time);
                public.verify(cosigned_message(text, time).as_bytes(), signature).ok().map(|()| Some(time))
            }
        }
    }
}

/// The vkey text.
impl std::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&join(self, &self.public))
    }
}

/// The log's private key. Has no `Debug`, so that it cannot reach a message.
pub struct Signer {
    pair: Ed25519KeyPair,
    key: VerifierKey,
}

impl Signer {
    /// The key of that name from 32 random bytes. The name of a log's key is the log's origin.
    ///
    /// # Errors
    /// `KeyMalformed` if the name is not one.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, EvidenceError> {
        let (pair, key) = pair_from_seed(name, Algorithm::Ed25519, seed)?;
        Ok(Self { pair, key })
    }

    /// The key of an skey text, `PRIVATE+KEY+name+hex(key id)+base64(type || seed)`.
    ///
    /// # Errors
    /// `KeyMalformed`, also if it is a cosigner's key.
    pub fn parse(skey: &str) -> Result<Self, EvidenceError> {
        let (pair, key) = pair_from_skey(skey, Algorithm::Ed25519)?;
        Ok(Self { pair, key })
    }

    /// The skey text. It is the secret: write it to a file that only the owner reads.
    ///
    /// # Errors
    /// `KeyMalformed` if the cryptographic library does not give the seed back.
    pub fn skey(&self) -> Result<String, EvidenceError> {
        skey(&self.pair, &self.key)
    }

    /// The public key.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.key
    }

    /// A secret that only who holds this key can derive, for a purpose of its own.
    pub(crate) fn derive(
        &self,
        purpose: &[u8],
        algorithm: &'static aead::Algorithm,
    ) -> Result<UnboundKey, EvidenceError> {
        let refused = |_| EvidenceError::KeyMalformed { why: "seed is not available" };
        let seed: Curve25519SeedBin<'_> =
            self.pair.seed().and_then(|seed| seed.as_be_bytes()).map_err(refused)?;
        let derived = Salt::new(HKDF_SHA256, purpose).extract(seed.as_ref());
        Ok(derived.expand(&[], algorithm).map_err(refused)?.into())
    }

    /// Signs a text that ends in a newline.
    ///
    /// # Errors
    /// `NoteMalformed` if the text cannot be a note.
    pub fn sign(&self, text: impl Into<String>) -> Result<Note, EvidenceError> {
        let text = text.into();
        let signature = self.pair.sign(text.as_bytes());
        Note::new(text, vec![Signature::new(&self.key, signature.as_ref())])
    }
}

/// A witness's private key. Has no `Debug`, so that it cannot reach a message.
pub struct Cosigner {
    pair: Ed25519KeyPair,
    key: VerifierKey,
}

impl Cosigner {
    /// The key of that name from 32 random bytes.
    ///
    /// # Errors
    /// `KeyMalformed` if the name is not one.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, EvidenceError> {
        let (pair, key) = pair_from_seed(name, Algorithm::CosignatureV1, seed)?;
        Ok(Self { pair, key })
    }

    /// The key of an skey text; see [`Signer::parse`].
    ///
    /// # Errors
    /// `KeyMalformed`, also if it is a signer's key.
    pub fn parse(skey: &str) -> Result<Self, EvidenceError> {
        let (pair, key) = pair_from_skey(skey, Algorithm::CosignatureV1)?;
        Ok(Self { pair, key })
    }

    /// The skey text; see [`Signer::skey`].
    ///
    /// # Errors
    /// `KeyMalformed` if the cryptographic library does not give the seed back.
    pub fn skey(&self) -> Result<String, EvidenceError> {
        skey(&self.pair, &self.key)
    }

    /// The public key.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.key
    }

    /// A cosignature/v1 on a checkpoint's text at `unix_seconds` (C2SP `tlog-cosignature`).
    pub(crate) fn cosign(&self, text: &str, unix_seconds: u64) -> Signature {
        let signature = self.pair.sign(cosigned_message(text, unix_seconds).as_bytes());
        let mut bytes = unix_seconds.to_be_bytes().to_vec();
        bytes.extend_from_slice(signature.as_ref());
        Signature::new(&self.key, &bytes)
    }
}

fn cosigned_message(text: &str, unix_seconds: u64) -> String {
    format!("cosignature/v1\ntime {unix_seconds}\n{text}")
}

/// C2SP `signed-note`: not empty, no Unicode space, no plus; and nothing that a note may not hold.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+' || c.is_control())
}

fn pair_from_seed(
    name: &str,
    algorithm: Algorithm,
    seed: &[u8; 32],
) -> Result<(Ed25519KeyPair, VerifierKey), EvidenceError> {
    let refused = |_| EvidenceError::KeyMalformed { why: "seed is not an Ed25519 seed" };
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(refused)?;
    let public = pair
        .public_key()
        .as_ref()
        .try_into()
        .map_err(|_| EvidenceError::KeyMalformed { why: "public key is not 32 bytes" })?;
    let key = VerifierKey::new(name, algorithm, public)?;
    Ok((pair, key))
}

fn pair_from_skey(text: &str, expected: Algorithm) -> Result<(Ed25519KeyPair, VerifierKey), EvidenceError> {
    let rest = text
        .strip_prefix(SKEY_PREFIX)
        .ok_or(EvidenceError::KeyMalformed { why: "private key does not start with `PRIVATE+KEY+`" })?;
    let (name, id, algorithm, seed) = split(rest)?;
    if algorithm != expected {
        return Err(EvidenceError::KeyMalformed { why: "key is of another type" });
    }
    let (pair, key) = pair_from_seed(name, algorithm, &seed)?;
    check_id(id, &key)?;
    Ok((pair, key))
}

const SKEY_PREFIX: &str = "PRIVATE+KEY+";

fn skey(pair: &Ed25519KeyPair, key: &VerifierKey) -> Result<String, EvidenceError> {
    let refused = |_| EvidenceError::KeyMalformed { why: "seed is not available" };
    let seed: Curve25519SeedBin<'_> = pair.seed().and_then(|seed| seed.as_be_bytes()).map_err(refused)?;
    Ok(format!("{SKEY_PREFIX}{}", join(key, seed.as_ref())))
}

fn join(key: &VerifierKey, material: &[u8]) -> String {
    let mut bytes = vec![key.algorithm.byte()];
    bytes.extend_from_slice(material);
    format!("{}+{}+{}", key.name, to_hex(&key.id), to_base64(&bytes))
}

/// Name, key id, algorithm and key material of `name+id+base64`; base64 may itself hold a plus.
fn split(text: &str) -> Result<(&str, &str, Algorithm, [u8; 32]), EvidenceError> {
    let malformed = |why| EvidenceError::KeyMalformed { why };
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(malformed("expected `name+id+key`"));
    };
    let material = from_base64(material).ok_or(malformed("key is not base64"))?;
    let (algorithm, material) = material.split_first().ok_or(malformed("key is empty"))?;
    let algorithm = Algorithm::from_byte(*algorithm).ok_or(malformed("algorithm is not known"))?;
    let material = material.try_into().map_err(|_| malformed("key is not 32 bytes"))?;
    Ok((name, id, algorithm, material))
}

fn check_id(id: &str, key: &VerifierKey) -> Result<(), EvidenceError> {
    if id == to_hex(&key.id) {
        Ok(())
    } else {
        Err(EvidenceError::KeyMalformed { why: "key id is not that of the name and key" })
    }
}
