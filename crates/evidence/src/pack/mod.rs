//! Evidence packs: chosen entries of a log in one file that verifies offline with public keys only.
//!
//! A pack is UTF-8 lines, each one canonical JSON object and a newline:
//!
//! 1. the header: format, subject, number of records, the log's vkey, witness vkeys, the signed checkpoint;
//! 2. one record for each entry, by ascending index: index, entry, inclusion proof, disclosures;
//! 3. the manifest: a note signed by the log's key over origin, subject, number of records and the SHA-256 of
//!    all bytes before this line, so that the set is bound, not only its members;
//! 4. the seal: SHA-256 of all bytes before this line, so that a torn copy is told from a forged one.
//!
//! Every byte matters: one value has one text, and nothing may follow. Both writing and reading stream.
//!
//! Absent: choosing the entries of a subject, and what they mean. A pack shows that its entries are in the
//! log and that the log's key made this selection; that nothing else belongs to the subject is the word of
//! the log's owner.

mod read;
mod write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{entry::Disclosure, error::EvidenceError, hash::Hash, key::VerifierKey};

pub use read::{KeyTrust, PackReport, SignedBy, read_pack, verify_pack};
pub use write::{PackRequest, write_pack};

/// The format id in the header.
pub const FORMAT: &str = "bailiwick-evidence-pack/v1";

/// The longest line in bytes, newline included.
pub const MAX_LINE: usize = 4 * 1024 * 1024;

/// One record of a pack.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Index of the entry in the log.
    pub index: u64,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// Inclusion proof against the pack's checkpoint.
    pub proof: Vec<Hash>,
    /// What opens commitments of the entry.
    pub disclosures: Vec<Disclosure>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine {
    checkpoint: String,
    format: String,
    log: String,
    records: u64,
    subject: String,
    witnesses: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordLine {
    disclosures: Vec<Value>,
    entry: Value,
    index: u64,
    proof: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestLine {
    manifest: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealLine {
    sha256: String,
}

/// The text that the manifest signs. It cannot be taken for a checkpoint, whose third line is a hash.
fn manifest_text(
    log: &VerifierKey,
    subject: &str,
    records: u64,
    digest: &Hash,
) -> Result<String, EvidenceError> {
    let subject = crate::canonical::encode(&Value::String(subject.to_owned()))?;
    let subject = String::from_utf8_lossy(&subject);
    Ok(format!("{FORMAT}\n{}\nsubject {subject}\nrecords {records}\nsha256 {digest}\n", log.name()))
}

/// Why a pack does not verify, and where.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the pack: {fault}")]
pub struct PackError {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: PackFault,
    /// The failure below, if there is one.
    #[source]
    pub source: Option<EvidenceError>,
}

impl PackError {
    /// The stable kebab-case code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }
}

/// What is wrong with a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackFault {
    /// The file could not be read.
    Unreadable,
    /// The file ends before the pack does: fetch it again.
    Truncated,
    /// The line is not one canonical JSON object, or not of the expected form.
    Malformed,
    /// The format is not one that this version reads.
    UnknownFormat,
    /// The log's key is not among the trusted keys.
    UntrustedKey,
    /// The checkpoint is not signed by the log's key, or a listed witness did not cosign it.
    Checkpoint,
    /// The entry is not a valid entry.
    Entry,
    /// Indices do not ascend.
    Order,
    /// The pack holds another number of records than its header says.
    Count,
    /// The entry is not in the log at this index.
    Proof,
    /// A disclosure does not open its commitment.
    Disclosure,
    /// The manifest is not signed by the log's key over this header and these records.
    Manifest,
    /// The bytes are not those that were sealed.
    Seal,
    /// Something follows the seal.
    TrailingData,
}

impl PackFault {
    /// The stable kebab-case code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "pack-unreadable",
            Self::Truncated => "pack-truncated",
            Self::Malformed => "pack-malformed",
            Self::UnknownFormat => "pack-format-unknown",
            Self::UntrustedKey => "pack-key-untrusted",
            Self::Checkpoint => "pack-checkpoint-invalid",
            Self::Entry => "pack-entry-invalid",
            Self::Order => "pack-order",
            Self::Count => "pack-record-count",
            Self::Proof => "pack-proof-invalid",
            Self::Disclosure => "pack-disclosure-invalid",
            Self::Manifest => "pack-manifest-invalid",
            Self::Seal => "pack-seal-mismatch",
            Self::TrailingData => "pack-trailing-data",
        }
    }
}

impl std::fmt::Display for PackFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "the file cannot be read",
            Self::Truncated => "the file ends too early",
            Self::Malformed => "not the canonical line that belongs here",
            Self::UnknownFormat => "the format is not known to this version",
            Self::UntrustedKey => "the key of the log is not among the trusted keys",
            Self::Checkpoint => "the checkpoint is not signed as the header says",
            Self::Entry => "the entry is not a valid entry",
            Self::Order => "the index does not ascend",
            Self::Count => "the number of records is not that of the header",
            Self::Proof => "the entry is not in the log at this index",
            Self::Disclosure => "a disclosure does not open its commitment",
            Self::Manifest => "the log did not sign this selection of records",
            Self::Seal => "the bytes are not those that were sealed",
            Self::TrailingData => "something follows the end of the pack",
        })
    }
}
