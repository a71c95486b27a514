//! The public keys of passkeys (RFC 9052 §7, RFC 9053), and whether one signed something.

use aws_lc_rs::{
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    PasskeyRefusal,
    cbor::{self, Value},
};

/// The largest exponent of an RSA key that is worth verifying with, bytes.
const EXPONENT: usize = 4;
/// The largest modulus, bytes: 4096 bits.
const MODULUS: usize = 512;

/// What a passkey signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// EdDSA on Curve25519 (RFC 8032).
    #[serde(rename = "Ed25519")]
    Ed25519,
    /// RSA with PKCS #1 v1.5 and SHA-256, 2048 bits or more.
    #[serde(rename = "RS256")]
    Rs256,
}

impl Algorithm {
    /// All, the better ones first.
    pub const ALL: [Self; 3] = [Self::Ed25519, Self::Es256, Self::Rs256];

    /// Its number at IANA.
    pub const fn number(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::Ed25519 => -8,
            Self::Rs256 => -257,
        }
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// A point of P-256, uncompressed.
    Es256([u8; 65]),
    Ed25519([u8; 32]),
    Rs256 {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
}

impl Key {
    /// Reads a COSE key: exactly the parameters that its kind has, and a point of its curve.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PasskeyRefusal> {
        let Value::Map(entries) = cbor::read(bytes)? else {
            return Err(PasskeyRefusal::Malformed("the key is no map"));
        };
        let number = |label: i64| {
            entries.iter().find_map(|(name, value)| match value {
                Value::Int(number) if *name == Value::Int(label) => Some(*number),
                _ => None,
            })
        };
        let run = |label: i64| {
            entries.iter().find_map(|(name, value)| match value {
                Value::Bytes(run) if *name == Value::Int(label) => Some(*run),
                _ => None,
            })
        };
        // kty, alg, crv: RFC 9052 §7.1, RFC 9053 §7.1.1 and §7.2, RFC 8230 §4.
        let key = match (number(1), number(3), number(-1), entries.len()) {
            (Some(2), Some(-7), Some(1), 5) => Self::p256(run(-2), run(-3)),
            (Some(1), Some(-8), Some(6), 4) => run(-2).and_then(|x| x.try_into().ok()).map(Self::Ed25519),
            (Some(3), Some(-257), None, 4) => Self::rsa(run(-1), run(-2)),
            _ => return Err(PasskeyRefusal::Algorithm),
        };
        key.filter(Self::is_one).ok_or(PasskeyRefusal::Algorithm)
    }

    fn p256(x: Option<&[u8]>, y: Option<&[u8]>) -> Option<Self> {
        let (x, y) = (x.filter(|x| x.len() == 32)?, y.filter(|y| y.len() == 32)?);
        [&[4], x, y].concat().try_into().ok().map(Self::Es256)
    }

    fn rsa(modulus: Option<&[u8]>, exponent: Option<&[u8]>) -> Option<Self> {
        let (modulus, exponent) = (modulus?, exponent?);
        let fits = (256..=MODULUS).contains(&modulus.len()) && exponent.len() <= EXPONENT;
        // Both without zeros in front, as RFC 8230 §4 has them.
        let well =
            fits && [modulus, exponent].iter().all(|number| number.first().is_some_and(|byte| *byte != 0));
        well.then(|| Self::Rs256 { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    /// Whether the point is on its curve.
    fn is_one(&self) -> bool {
        match self {
            Self::Es256(point) => ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).is_ok(),
            Self::Ed25519(point) => ParsedPublicKey::new(&ED25519, point).is_ok(),
            Self::Rs256 { .. } => true,
        }
    }

    /// What it signs with.
    pub(super) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Es256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::Ed25519,
            Self::Rs256 { .. } => Algorithm::Rs256,
        }
    }

    /// Whether it signed the message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
            }
            Self::Ed25519(point) => {
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature).is_ok()
            }
            Self::Rs256 { modulus, exponent } => PublicKeyComponents { n: modulus, e: exponent }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
        }
    }
}
