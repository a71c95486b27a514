//! SHA-256 values and their base64 text, the only hash of this crate.
//!
//! Absent: any other algorithm. C2SP `tlog-tiles` fixes SHA-256.

use std::fmt;

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A SHA-256 value: a leaf, a node, a root or a commitment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; Hash::LEN]);

impl Hash {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_digest(&digest::digest(&digest::SHA256, bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The hash that `text` encodes in standard base64 with padding, or `None`.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        from_base64(text)?.try_into().ok().map(Self)
    }

    fn from_digest(digest: &digest::Digest) -> Self {
        let mut bytes = [0; Self::LEN];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }
}

impl From<[u8; Hash::LEN]> for Hash {
    fn from(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }
}

/// Standard base64 with padding, as C2SP writes hashes.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_base64(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// SHA-256 over bytes that arrive in pieces.
pub(crate) struct Running(digest::Context);

impl Running {
    pub(crate) fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of what came so far; more may follow.
    pub(crate) fn so_far(&self) -> Hash {
        Hash::from_digest(&self.0.clone().finish())
    }
}

/// Lower-case hexadecimal.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Strict: padding is required and unused bits must be zero, so that one value has one text.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
