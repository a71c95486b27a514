//! Signing in by a provider of identities: what it says, verified (OpenID Connect Core 1.0, Discovery 1.0).
//!
//! Promises: an ID token counts only when it is signed by a key that the provider publishes, with an algorithm of the list,
//! for this hub, for this attempt, now. Nothing that a provider or somebody in its place sends makes this panic.
//!
//! Pure: fetching, cookies and redirects are the hub's; who is meant by `iss` and `sub` is the engine's. Absent on purpose:
//! any claim but those two; encrypted tokens; symmetric signatures; flows without a code.

mod claims;
mod keys;
mod metadata;
mod token;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

pub use self::{
    claims::{Expected, Identified},
    keys::KeySet,
    metadata::{Metadata, is_safe},
};
use crate::digest::Digest;

/// Why what a provider said does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenIdRefusal {
    /// What it says of itself is not what it should be.
    #[error("what the provider publishes about itself cannot be used: {0}")]
    Metadata(String),
    /// Its keys cannot be read.
    #[error("the keys that the provider publishes cannot be read: {0}")]
    Keys(String),
    /// The token is not of the form that the standard says.
    #[error("the ID token is malformed: {0}")]
    Malformed(&'static str),
    /// It is signed in a way that is not taken.
    #[error("the ID token is signed with `{0}`; RS256, PS256, ES256 and EdDSA are taken")]
    Algorithm(String),
    /// It names a key that is not among those that are known.
    #[error("the ID token is signed with a key that the provider does not publish")]
    Key,
    /// The signature is wrong.
    #[error("the signature of the ID token is not the provider's")]
    Signature,
    /// It is of somebody else.
    #[error("the ID token is issued by `{0}`, which is not the provider")]
    Issuer(String),
    /// It is for somebody else.
    #[error("the ID token is for another client than this hub")]
    Audience,
    /// It is of another time.
    #[error("the ID token is too old, or not valid yet; compare the clocks")]
    Time,
    /// It is of another attempt.
    #[error("the ID token is of another attempt to sign in")]
    Nonce,
}

impl OpenIdRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Metadata(_) => "provider-metadata",
            Self::Keys(_) => "provider-keys",
            Self::Malformed(_) => "id-token-malformed",
            Self::Algorithm(_) => "id-token-algorithm",
            Self::Key => "id-token-key",
            Self::Signature => "id-token-signature",
            Self::Issuer(_) => "id-token-issuer",
            Self::Audience => "id-token-audience",
            Self::Time => "id-token-time",
            Self::Nonce => "id-token-nonce",
        }
    }
}

type Result<T> = std::result::Result<T, OpenIdRefusal>;

/// What goes with one attempt to sign in. All of it follows from a secret that only the browser has: whoever comes back
/// without it did not begin.
pub struct Attempt {
    /// `state` (RFC 6749 §10.12).
    pub state: String,
    /// `nonce` (Core §3.1.2.1).
    pub nonce: String,
    /// `code_verifier` (RFC 7636 §4.1).
    pub verifier: String,
    /// `code_challenge`, S256 of it (§4.2).
    pub challenge: String,
    /// What stands for it once it was used.
    pub flow: Digest,
}

impl Attempt {
    /// The one of this secret.
    pub fn of(secret: &str) -> Self {
        let part =
            |what: &[u8]| Digest::of_parts(&[b"bailiwick/attempt/v1\n", what, b"\n", secret.as_bytes()]);
        let text = |what: &[u8]| URL_SAFE_NO_PAD.encode(part(what).0);
        let verifier = text(b"verifier");
        let challenge = URL_SAFE_NO_PAD.encode(Digest::of(verifier.as_bytes()).0);
        Self { state: text(b"state"), nonce: text(b"nonce"), verifier, challenge, flow: part(b"flow") }
    }
}

/// Verifies an ID token; gives whom it means.
///
/// # Errors
/// Why it does not count. After [`OpenIdRefusal::Key`] newer keys may have it.
pub fn identify(token: &str, keys: &KeySet, expected: &Expected<'_>) -> Result<Identified> {
    let token = token::Token::read(token)?;
    keys.verify(&token)?;
    claims::check(&token.claims, expected)
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests;
