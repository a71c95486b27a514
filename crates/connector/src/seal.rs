//! Credentials at rest: sealed with a key that the database does not hold.
//!
//! A sealed credential opens only with the key that sealed it and only for the tenant, integration,
//! purpose and destination that it was sealed for: these are the associated data of the AEAD
//! (AES-256-GCM, NIST SP 800-38D), so moving the bytes to another row makes them worthless.
//! Absent on purpose: any way for a connector to read a [`Secret`], and any way to print one.

mod factor;
mod hook;
mod key;
mod secret;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bailiwick_core::{
    digest::{Digest, canonical},
    id::{Entropy, IntegrationName, Tenant},
    integration::{Integration, Purpose},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

pub use factor::{Enrolment, code_at};
pub use hook::{HookSecret, Signed};
pub use key::{KeyFileError, SealKey};
pub use secret::{Credential, CredentialScheme, Secret};

use crate::broker::Destination;

const LABEL: &[u8] = b"bailiwick/seal/v1\n";

/// What a sealed credential is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SealContext {
    /// Whose it is.
    pub tenant: Tenant,
    /// The integration that may use it.
    pub integration: IntegrationName,
    /// What for.
    pub purpose: Purpose,
    /// Scheme, host and port it may be sent to, such as `https://chat.example:443`.
    pub origin: String,
    /// Identifies the two calls that one may still be used for whose integration has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_calls: Option<Digest>,
}

impl SealContext {
    /// The context of a credential of `integration` as it is configured now. Fails with `Settings` when
    /// its endpoint is not an address that a credential can be sent to.
    pub fn of(tenant: &Tenant, integration: &Integration, purpose: Purpose) -> crate::Result<Self> {
        Ok(Self::at(tenant, integration, purpose, Destination::parse(integration)?.origin()))
    }

    /// The context of one that goes to `origin`.
    pub(crate) fn at(tenant: &Tenant, integration: &Integration, purpose: Purpose, origin: String) -> Self {
        let last_calls = purpose.is_last().then(|| Digest::of_value(&integration.kill));
        Self { tenant: tenant.clone(), integration: integration.name.clone(), purpose, origin, last_calls }
    }

    fn associated(&self) -> Vec<u8> {
        [LABEL, &canonical(self)].concat()
    }
}

/// A credential as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Which key opens it.
    pub key_id: String,
    #[serde(with = "text")]
    nonce: Vec<u8>,
    #[serde(with = "text")]
    ciphertext: Vec<u8>,
}

/// A credential cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was sealed with another key.
    #[error(
        "the credential is sealed with the key `{needed}` and this is the key `{have}`; use the key file that it was sealed with, or seal the credential again"
    )]
    WrongKey {
        /// The id of the key that opens it.
        needed: String,
        /// The id of the key at hand.
        have: String,
    },
    /// It was sealed for something else, or altered.
    #[error(
        "the credential does not open for `{integration}` ({purpose}) at `{origin}`: it was sealed for another integration, purpose or address, or it was altered; seal it again"
    )]
    Context {
        /// The integration it was tried for.
        integration: IntegrationName,
        /// The purpose it was tried for.
        purpose: &'static str,
        /// The address it was tried for.
        origin: String,
    },
    /// It opens, and what is inside is not a credential.
    #[error(
        "the sealed credential is of a newer form; use the version of the hub that sealed it, or seal it again"
    )]
    Form,
}

impl SealError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::WrongKey { .. } => "seal-wrong-key",
            Self::Context { .. } => "seal-context",
            Self::Form => "seal-form",
        }
    }
}

impl SealKey {
    /// Seals `credential` so that it opens only for `context`.
    pub fn seal(&self, context: &SealContext, credential: &Credential, entropy: &dyn Entropy) -> Sealed {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut bytes = credential.to_bytes();
        let aad = Aad::from(context.associated());
        // Fails only above 64 GiB of plaintext; what could not be sealed must not be kept in clear.
        if self.cipher().seal_in_place_append_tag(Nonce::from(&nonce), aad, &mut *bytes).is_err() {
            bytes = Zeroizing::new(Vec::new());
        }
        Sealed { key_id: self.id(), nonce: nonce.to_vec(), ciphertext: bytes.to_vec() }
    }

    /// Opens what was sealed for `context`.
    pub fn unseal(&self, context: &SealContext, sealed: &Sealed) -> Result<Credential, SealError> {
        let have = self.id();
        if sealed.key_id != have {
            return Err(SealError::WrongKey { needed: sealed.key_id.clone(), have });
        }
        let wrong = || SealError::Context {
            integration: context.integration.clone(),
            purpose: context.purpose.as_str(),
            origin: context.origin.clone(),
        };
        let nonce = Nonce::try_assume_unique_for_key(&sealed.nonce).map_err(|_| wrong())?;
        let mut bytes = Zeroizing::new(sealed.ciphertext.clone());
        let aad = Aad::from(context.associated());
        let plain = self.cipher().open_in_place(nonce, aad, &mut bytes).map_err(|_| wrong())?;
        Credential::from_bytes(plain).ok_or(SealError::Form)
    }

    fn cipher(&self) -> LessSafeKey {
        // The key has the length that the algorithm wants, by its type.
        #[expect(clippy::expect_used, reason = "32 bytes are an AES-256 key")]
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, self.bytes()).expect("32 bytes are an AES-256 key"))
    }
}

mod text {
    use super::{Deserialize, Deserializer, Engine, STANDARD, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        use serde::de::Error as _;
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        STANDARD.decode(text.as_bytes()).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
