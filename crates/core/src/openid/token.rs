//! The form of a signed token (RFC 7515 §7.1): three parts, the first of which says how it is signed.

use serde::Deserialize;

use super::{OpenIdRefusal, Result, bytes};

/// The longest token that is looked at, bytes.
const LONGEST: usize = 16 * 1024;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

/// A token that was taken apart, and not believed yet.
pub(super) struct Token<'t> {
    pub algorithm: Algorithm,
    pub key: Option<String>,
    pub signed: &'t str,
    pub signature: Vec<u8>,
    pub claims: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    /// What must be understood (RFC 7515 §4.1.11); nothing is.
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

impl<'t> Token<'t> {
    /// Takes it apart.
    pub(super) fn read(text: &'t str) -> Result<Self> {
        let bad = OpenIdRefusal::Malformed;
        if text.len() > LONGEST {
            return Err(bad("it is too long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(bad("it has not three parts"))?;
        let (header, claims) = signed.split_once('.').ok_or(bad("it has not three parts"))?;
        let part = |text| bytes(text).ok_or(bad("a part is not base64url"));
        let header: Header =
            serde_json::from_slice(&part(header)?).map_err(|_| bad("its header is not what it should be"))?;
        if header.crit.is_some() {
            return Err(bad("its header wants something that is not understood"));
        }
        let algorithm = match header.alg.as_str() {
            "RS256" => Algorithm::Rs256,
            "PS256" => Algorithm::Ps256,
            "ES256" => Algorithm::Es256,
            "EdDSA" | "Ed25519" => Algorithm::EdDsa,
            other => return Err(OpenIdRefusal::Algorithm(other.chars().take(20).collect())),
        };
        Ok(Self { algorithm, key: header.kid, signed, signature: part(signature)?, claims: part(claims)? })
    }
}
