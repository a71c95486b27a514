//! The keys that a provider publishes (RFC 7517), and whether one of them signed a token.

use aws_lc_rs::{
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
        UnparsedPublicKey,
    },
};
use serde::Deserialize;

use super::{
    OpenIdRefusal, Result, bytes,
    token::{Algorithm, Token},
};

/// How many keys are looked at.
const MOST: usize = 32;
/// The largest modulus of an RSA key, bytes: 4096 bits; and exponent.
const MODULUS: usize = 512;
const EXPONENT: usize = 4;

/// The keys of a provider that can sign an ID token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    /// The only algorithm that it is for, if it says so.
    only: Option<String>,
    public: Public,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Public {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256([u8; 65]),
    Ed25519([u8; 32]),
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

impl KeySet {
    /// Reads what is published. A key of a kind that is not taken is left out, as the standard wants it (§5).
    ///
    /// # Errors
    /// [`OpenIdRefusal::Keys`] when no key is left.
    pub fn read(document: &[u8]) -> Result<Self> {
        let Published { keys } = serde_json::from_slice(document)
            .map_err(|_| OpenIdRefusal::Keys("they are no set of keys".into()))?;
        let keys: Vec<Key> = keys.into_iter().take(MOST).filter_map(Key::read).collect();
        match keys.is_empty() {
            true => {
                Err(OpenIdRefusal::Keys("none of them is for signing with a method that is taken".into()))
            }
            false => Ok(Self(keys)),
        }
    }

    /// Fails unless one of them signed it.
    pub(super) fn verify(&self, token: &Token<'_>) -> Result<()> {
        let named = |key: &&Key| token.key.is_none() || key.id == token.key;
        let mut fitting = self.0.iter().filter(named).filter(|key| key.fits(token.algorithm)).peekable();
        if fitting.peek().is_none() {
            return Err(OpenIdRefusal::Key);
        }
        let signed = fitting.any(|key| key.public.verifies(token));
        signed.then_some(()).ok_or(OpenIdRefusal::Signature)
    }
}

impl Key {
    fn read(value: serde_json::Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        if jwk.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let part = |text: Option<String>| text.as_deref().and_then(bytes);
        let public = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", None) => Public::rsa(part(jwk.n)?, part(jwk.e)?)?,
            ("EC", Some("P-256")) => {
                let (x, y) = (part(jwk.x)?, part(jwk.y)?);
                let whole = x.len() == 32 && y.len() == 32;
                Public::P256(whole.then(|| [&[4], x.as_slice(), &y].concat())?.try_into().ok()?)
            }
            ("OKP", Some("Ed25519")) => Public::Ed25519(part(jwk.x)?.try_into().ok()?),
            _ => return None,
        };
        Some(Self { id: jwk.kid, only: jwk.alg, public })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        let names: &[&str] = match (&self.public, algorithm) {
            (Public::Rsa { .. }, Algorithm::Rs256) => &["RS256"],
            (Public::Rsa { .. }, Algorithm::Ps256) => &["PS256"],
            (Public::P256(_), Algorithm::Es256) => &["ES256"],
            (Public::Ed25519(_), Algorithm::EdDsa) => &["EdDSA", "Ed25519"],
            (Public::Rsa { .. }, Algorithm::Es256 | Algorithm::EdDsa)
            | (Public::P256(_), Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::EdDsa)
            | (Public::Ed25519(_), Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256) => &[],
        };
        !names.is_empty() && self.only.as_deref().is_none_or(|only| names.contains(&only))
    }
}

impl Public {
    fn rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Option<Self> {
        let fits = (256..=MODULUS).contains(&modulus.len()) && (1..=EXPONENT).contains(&exponent.len());
        fits.then_some(Self::Rsa { modulus, exponent })
    }

    fn verifies(&self, token: &Token<'_>) -> bool {
        let (message, signature) = (token.signed.as_bytes(), token.signature.as_slice());
        let verified = match self {
            Self::Rsa { modulus, exponent } => {
                let key = PublicKeyComponents { n: modulus, e: exponent };
                let way = match token.algorithm {
                    Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                    Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa => &RSA_PKCS1_2048_8192_SHA256,
                };
                key.verify(way, message, signature)
            }
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Self::Ed25519(point) => UnparsedPublicKey::new(&ED25519, point).verify(message, signature),
        };
        verified.is_ok()
    }
}
