//! Entries of the log and the commitments in them.
//!
//! An entry is one canonical JSON object of at most 65,535 bytes. Personal fields enter as salted
//! commitments under the member `commitments`; what opens one, a [`Disclosure`], lives beside the log and can
//! be erased: the entry's bytes, and so every proof, stay as they are.
//!
//! Absent: the meaning of an entry. The log knows nothing of identity.

use std::fmt;

use serde_json::Value;

use crate::{
    canonical,
    error::EvidenceError,
    hash::{Hash, from_base64, to_base64},
};

pub use crate::canonical::encode as canonical;

/// The longest entry, in bytes: C2SP `tlog-tiles` bundles have 16-bit lengths.
pub const MAX_LEN: usize = 65_535;

/// The top-level member that holds commitments: `{"<field>": "<base64 SHA-256>"}`.
pub const COMMITMENTS: &str = "commitments";

const COMMIT_CONTEXT: &[u8] = b"bailiwick/commit/v1\n";

/// Checks that `bytes` may be appended: a canonical JSON object within [`MAX_LEN`].
///
/// # Errors
/// `EntryTooLarge` or `NotCanonical`.
pub fn check(bytes: &[u8]) -> Result<(), EvidenceError> {
    if bytes.len() > MAX_LEN {
        return Err(EvidenceError::EntryTooLarge { len: bytes.len() });
    }
    if bytes.first() != Some(&b'{') {
        return Err(EvidenceError::NotCanonical { at: 0, why: "entry is not an object" });
    }
    canonical::scan(bytes)
}

/// Whether `bytes` may be appended; see [`check`].
#[must_use]
pub fn is_canonical(bytes: &[u8]) -> bool {
    check(bytes).is_ok()
}

/// SHA-256 of `"bailiwick/commit/v1\n" || salt || canonical(value)`.
///
/// The salt must be random and used once: with a known salt, a value that can be guessed can be confirmed.
///
/// # Errors
/// `NotCanonical` if the value has no canonical form.
pub fn commit(salt: &[u8; 16], value: &Value) -> Result<Hash, EvidenceError> {
    let mut message = COMMIT_CONTEXT.to_vec();
    message.extend_from_slice(salt);
    message.extend_from_slice(&canonical(value)?);
    Ok(Hash::of(&message))
}

/// What opens one commitment of one entry. Personal data: its `Debug` shows neither salt nor value.
#[derive(Clone, PartialEq)]
pub struct Disclosure {
    /// Index of the entry in the log.
    pub index: u64,
    /// The committed field, a member of `commitments` in that entry.
    pub field: String,
    /// The salt of the commitment.
    pub salt: [u8; 16],
    /// The value that was committed to.
    pub value: Value,
}

impl Disclosure {
    /// Checks that this opens the commitment in `entry`, the value of the entry at `index`.
    ///
    /// # Errors
    /// `DisclosureMismatch` if the entry has no such commitment or salt and value do not open it.
    pub fn verify(&self, entry: &Value) -> Result<(), EvidenceError> {
        let mismatch = || EvidenceError::DisclosureMismatch { field: self.field.clone() };
        let committed = entry
            .get(COMMITMENTS)
            .and_then(|commitments| commitments.get(&self.field))
            .and_then(Value::as_str)
            .and_then(Hash::from_base64)
            .ok_or_else(mismatch)?;
        if commit(&self.salt, &self.value)? == committed { Ok(()) } else { Err(mismatch()) }
    }

    /// The JSON form in an evidence pack; the index is that of the record around it.
    pub(crate) fn to_json(&self) -> Value {
        serde_json::json!({ "field": self.field, "salt": to_base64(&self.salt), "value": self.value })
    }

    pub(crate) fn from_json(index: u64, value: &Value) -> Option<Self> {
        let members = value.as_object().filter(|members| members.len() == 3)?;
        Some(Self {
            index,
            field: members.get("field")?.as_str()?.to_owned(),
            salt: from_base64(members.get("salt")?.as_str()?)?.try_into().ok()?,
            value: members.get("value")?.clone(),
        })
    }
}

impl fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disclosure")
            .field("index", &self.index)
            .field("field", &self.field)
            .finish_non_exhaustive()
    }
}
