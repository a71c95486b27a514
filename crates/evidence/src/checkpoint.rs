//! C2SP `tlog-checkpoint`: a signed note whose text is origin, size and root.
//!
//! Absent: extension lines. This log writes none, and a checkpoint that has some is refused, because nothing
//! here could audit them.

use std::fmt;

use crate::{
    error::EvidenceError,
    hash::Hash,
    key::{Algorithm, Cosigner, Signer, VerifierKey},
    note::{Note, Signature, Verified},
};

/// The head of a log at a size, with its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    note: Note,
}

impl Checkpoint {
    /// Signs the head of the log whose origin is the signer's name.
    ///
    /// # Errors
    /// `NoteMalformed` if the origin cannot stand in a note.
    pub fn sign(signer: &Signer, size: u64, root: Hash) -> Result<Self, EvidenceError> {
        let origin = signer.verifier().name().to_owned();
        let note = signer.sign(format!("{origin}\n{size}\n{root}\n"))?;
        Ok(Self { origin, size, root, note })
    }

    /// The checkpoint of a note. Nothing is verified.
    ///
    /// # Errors
    /// `NoteMalformed` or `CheckpointMalformed`.
    pub fn parse(text: &str) -> Result<Self, EvidenceError> {
        let malformed = |why| EvidenceError::CheckpointMalformed { why };
        let note = Note::parse(text)?;
        let mut lines = note.text().split('\n');
        let (Some(origin), Some(size), Some(root), Some(""), None) =
            (lines.next(), lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(malformed("text is not origin, size and root"));
        };
        if origin.is_empty() {
            return Err(malformed("origin is empty"));
        }
        let origin = origin.to_owned();
        let size = decimal(size).ok_or(malformed("size is not a decimal number"))?;
        let root = Hash::from_base64(root).ok_or(malformed("root is not a base64 hash"))?;
        Ok(Self { origin, size, root, note })
    }

    /// The checkpoint of a note that one of `keys` signed as the log.
    ///
    /// # Errors
    /// As [`Checkpoint::parse`] and [`Checkpoint::verify`].
    pub fn open(text: &str, keys: &[VerifierKey]) -> Result<Self, EvidenceError> {
        let checkpoint = Self::parse(text)?;
        checkpoint.verify(keys)?;
        Ok(checkpoint)
    }

    /// Checks that the log signed: a key of type 0x01 whose name is the origin. Gives all signatures by `keys` back.
    ///
    /// # Errors
    /// `BadSignature` or `NoTrustedSignature`.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<Verified<'k>>, EvidenceError> {
        let verified = self.note.verify(keys)?;
        let by_log = |signed: &Verified<'_>| {
            signed.key.algorithm() == Algorithm::Ed25519 && signed.key.name() == self.origin
        };
        if verified.iter().any(by_log) { Ok(verified) } else { Err(EvidenceError::NoTrustedSignature) }
    }

    /// A cosignature/v1 on this checkpoint. The witness protocol is [`crate::witness`]; this alone checks nothing.
    #[must_use]
    pub fn cosign(&self, cosigner: &Cosigner, unix_seconds: u64) -> Signature {
        cosigner.cosign(self.note.text(), unix_seconds)
    }

    /// Adds the cosignatures of a witness's answer that `witnesses` verify; ignores the others. Gives back how many
    /// signatures by `witnesses` the checkpoint then carries.
    ///
    /// # Errors
    /// `NoteMalformed` for a line that is no signature, `BadSignature`, `NoTrustedSignature` if none is left.
    pub fn add_cosignatures(
        &mut self,
        lines: &str,
        witnesses: &[VerifierKey],
    ) -> Result<usize, EvidenceError> {
        let mut note = self.note.clone();
        for line in lines.lines() {
            let signature = Signature::parse(line)?;
            let alone = Note::new(self.note.text().to_owned(), vec![signature.clone()])?;
            match alone.verify(witnesses) {
                Ok(_) => note.add(signature)?,
                Err(EvidenceError::NoTrustedSignature) => {}
                Err(error) => return Err(error),
            }
        }
        let count = note.verify(witnesses)?.len();
        self.note = note;
        Ok(count)
    }

    /// The log's identity.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree over them.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The signed note.
    #[must_use]
    pub fn note(&self) -> &Note {
        &self.note
    }
}

/// The signed note's text form.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

/// An ASCII decimal without sign or leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
