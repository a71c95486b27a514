//! Secrets, and how they are shown to a system.

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::broker::encode;

/// Bytes that nobody may see: no `Debug`, no `Display`, no `Serialize`, no `Clone`; wiped when dropped.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes `bytes` over; the caller has no copy left.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// Whether both are the same, in a time that does not depend on where they differ.
    pub fn same(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }

    /// The bytes, for the broker to show them to a system.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How a secret is shown to a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "scheme", deny_unknown_fields)]
pub enum CredentialScheme {
    /// `Authorization: Bearer` (RFC 6750 §2.1).
    Bearer,
    /// `Authorization: Basic` (RFC 7617).
    Basic {
        /// The user name.
        user: String,
    },
    /// A header of its own, such as `x-api-key`.
    Header {
        /// The name of the header.
        name: String,
    },
    /// A signature over each call (AWS Signature Version 4); the secret is the secret access key. It never
    /// travels.
    AccessKey {
        /// The key's id, such as `AKIA…`.
        id: String,
    },
    /// The secret of a client that gets itself a token for each short while (RFC 6749 §4.4). It is shown to
    /// the token endpoint alone.
    ClientCredentials {
        /// The client's id.
        client_id: String,
    },
}

/// A secret with the way of showing it; what is inside of a sealed credential.
pub struct Credential {
    /// How it is shown.
    pub scheme: CredentialScheme,
    /// The secret.
    pub secret: Secret,
}

impl Credential {
    /// A bearer token.
    pub fn bearer(secret: Secret) -> Self {
        Self { scheme: CredentialScheme::Bearer, secret }
    }

    /// Length of the scheme (two bytes), scheme as JSON, secret.
    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let scheme = serde_json::to_vec(&self.scheme).unwrap_or_default();
        let length = u16::try_from(scheme.len()).unwrap_or(u16::MAX);
        // Room for the tag too: a buffer that grows leaves a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 + scheme.len() + self.secret.0.len() + 16));
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&scheme);
        bytes.extend_from_slice(&self.secret.0);
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (scheme, secret) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        Some(Self { scheme: serde_json::from_slice(scheme).ok()?, secret: Secret::new(secret) })
    }

    /// An access key's id, and the first of the keys derived from its secret: the one for a day (`20261121`).
    /// `None` for any other scheme.
    pub(crate) fn day_key(&self, day: &str) -> Option<(&str, hmac::Tag)> {
        let CredentialScheme::AccessKey { id } = &self.scheme else { return None };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &joined(b"AWS4", &self.secret.0));
        Some((id, hmac::sign(&key, day.as_bytes())))
    }

    /// The client's id and secret as they are shown to a token endpoint (RFC 6749 §2.3.1), each in the form
    /// encoding; `None` for any other scheme, and for a secret that is not text.
    pub(crate) fn client(&self) -> Option<Self> {
        let CredentialScheme::ClientCredentials { client_id } = &self.scheme else { return None };
        let mut user = String::new();
        encode(client_id, &mut user);
        // Room for all of it: a buffer that grows leaves a copy behind.
        let mut secret = Zeroizing::new(String::with_capacity(3 * self.secret.0.len()));
        encode(std::str::from_utf8(&self.secret.0).ok()?, &mut secret);
        let scheme = CredentialScheme::Basic { user };
        Some(Self { scheme, secret: Secret::new(secret.as_bytes()) })
    }

    /// The header that shows it, marked sensitive. `None` when name or value cannot stand in a header, and
    /// for what never does: an access key, client credentials.
    pub(crate) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let secret: &[u8] = &self.secret.0;
        let (name, value) = match &self.scheme {
            CredentialScheme::Bearer => (AUTHORIZATION, joined(b"Bearer ", secret)),
            CredentialScheme::Basic { user } => {
                let pair = joined(format!("{user}:").as_bytes(), secret);
                let encoded = Zeroizing::new(STANDARD.encode(&*pair));
                (AUTHORIZATION, joined(b"Basic ", encoded.as_bytes()))
            }
            CredentialScheme::Header { name } => {
                (HeaderName::from_bytes(name.as_bytes()).ok()?, joined(b"", secret))
            }
            CredentialScheme::AccessKey { .. } | CredentialScheme::ClientCredentials { .. } => return None,
        };
        // The bytes stay in the buffer that wipes itself; the header only refers to it.
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(value)).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    }
}

fn joined(first: &[u8], second: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(first.len() + second.len()));
    bytes.extend_from_slice(first);
    bytes.extend_from_slice(second);
    bytes
}
