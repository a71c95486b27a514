//! What can go wrong in the log, and what the caller can do about it.
//!
//! Every variant has a stable code (`EvidenceError::code`). Faults of an evidence pack are
//! `pack::PackError`, because they also name a line of the pack.

use std::{io, path::PathBuf};

use crate::fsck::Broken;

/// A failure of the log or of one of its formats.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The bytes are not canonical JSON: encode the value with `entry::canonical`.
    #[error("not canonical JSON at byte {at}: {why}")]
    NotCanonical {
        /// Offset of the first byte that breaks the form.
        at: usize,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// The entry does not fit the 16-bit length of an entry bundle: commit to a hash of the bulk instead.
    #[error("entry of {len} bytes is longer than {max}", max = crate::entry::MAX_LEN)]
    EntryTooLarge {
        /// Its length in bytes.
        len: usize,
    },
    /// The disclosed salt and value do not open the commitment of that field.
    #[error("disclosure does not open the commitment `{field}`")]
    DisclosureMismatch {
        /// The committed field.
        field: String,
    },
    /// The key text is not a C2SP vkey or skey: copy it whole.
    #[error("malformed key: {why}")]
    KeyMalformed {
        /// The rule that it breaks.
        why: &'static str,
    },
    /// The text is not a C2SP signed note.
    #[error("malformed signed note: {why}")]
    NoteMalformed {
        /// The rule that it breaks.
        why: &'static str,
    },
    /// None of the given keys signed the note.
    #[error("no signature by a trusted key")]
    NoTrustedSignature,
    /// A signature claims a trusted key and does not verify: the note was changed.
    #[error("signature by `{name}` does not verify")]
    BadSignature {
        /// The key name on the signature line.
        name: String,
    },
    /// The note text is not a C2SP checkpoint.
    #[error("malformed checkpoint: {why}")]
    CheckpointMalformed {
        /// The rule that it breaks.
        why: &'static str,
    },
    /// The text is not a C2SP tlog-proof, or its parts are not of the right form.
    #[error("malformed proof: {why}")]
    ProofMalformed {
        /// The rule that it breaks.
        why: &'static str,
    },
    /// The Merkle proof does not lead to the root.
    #[error("proof does not verify: {why}")]
    ProofInvalid {
        /// What failed.
        why: &'static str,
    },
    /// The index or size lies outside of the tree.
    #[error("{index} is outside of a log of size {size}")]
    OutOfRange {
        /// The index or size asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A tile or bundle is absent or not as long as the tree needs: run the check, restore the file.
    #[error("{path} is damaged: {why}", path = path.display())]
    FileDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Another process has the log open for writing.
    #[error("log {dir} is open in another process", dir = dir.display())]
    Locked {
        /// The directory of the log.
        dir: PathBuf,
    },
    /// The directory holds a checkpoint but no journal: restore the journal from the same moment.
    #[error("log {dir} has a checkpoint but no journal", dir = dir.display())]
    JournalMissing {
        /// The directory of the log.
        dir: PathBuf,
    },
    /// The journal has no readable start, or was written with another key or origin.
    #[error("journal {path} is not readable with this key: {why}", path = path.display())]
    JournalDamaged {
        /// The journal file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The published checkpoint is larger than what the journal and tiles prove. Signing on would fork the
    /// log, so it does not open: restore the directory from the newest copy.
    #[error("checkpoint of size {published} was published, but the log holds {held} entries")]
    Behind {
        /// Size of the published checkpoint.
        published: u64,
        /// Entries that are durable here.
        held: u64,
    },
    /// An earlier write failed, so what is durable is unknown: open the log again.
    #[error("log is closed after a failed write; open it again")]
    Closed,
    /// The check found a damaged record.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The operating system refused.
    #[error("cannot {action} {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl EvidenceError {
    /// The stable kebab-case code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotCanonical { .. } => "entry-not-canonical",
            Self::EntryTooLarge { .. } => "entry-too-large",
            Self::DisclosureMismatch { .. } => "disclosure-mismatch",
            Self::KeyMalformed { .. } => "key-malformed",
            Self::NoteMalformed { .. } => "note-malformed",
            Self::NoTrustedSignature => "note-not-signed",
            Self::BadSignature { .. } => "note-signature-invalid",
            Self::CheckpointMalformed { .. } => "checkpoint-malformed",
            Self::ProofMalformed { .. } => "proof-malformed",
            Self::ProofInvalid { .. } => "proof-invalid",
            Self::OutOfRange { .. } => "log-out-of-range",
            Self::FileDamaged { .. } => "log-file-damaged",
            Self::Locked { .. } => "log-locked",
            Self::JournalMissing { .. } => "journal-missing",
            Self::JournalDamaged { .. } => "journal-damaged",
            Self::Behind { .. } => "log-behind-checkpoint",
            Self::Closed => "log-closed",
            Self::Broken(broken) => broken.code(),
            Self::Io { .. } => "log-io",
        }
    }
}
