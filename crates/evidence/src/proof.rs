//! C2SP `tlog-proof`: one entry's inclusion proof with the checkpoint that it leads to, as text.

use std::fmt;

use crate::{
    checkpoint::{Checkpoint, decimal},
    error::EvidenceError,
    hash::{Hash, from_base64, to_base64},
    key::VerifierKey,
    merkle,
};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A proof that an entry is in a log. `Display` writes the file, by convention `*.tlog-proof`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Index of the entry.
    pub index: u64,
    /// Inclusion proof, from the leaf's sibling to the root's child.
    pub hashes: Vec<Hash>,
    /// The head that it leads to.
    pub checkpoint: Checkpoint,
    /// Opaque data of the application; nothing authenticates it.
    pub extra: Option<Vec<u8>>,
}

impl Proof {
    /// The proof of a text. Nothing is verified.
    ///
    /// # Errors
    /// `ProofMalformed`, or as [`Checkpoint::parse`].
    pub fn parse(text: &str) -> Result<Self, EvidenceError> {
        let malformed = |why| EvidenceError::ProofMalformed { why };
        let rest = text
            .strip_prefix(HEADER)
            .and_then(|rest| rest.strip_prefix('\n'))
            .ok_or(malformed("first line is not `c2sp.org/tlog-proof@v1`"))?;
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(malformed("there is no blank line"))?;
        let mut lines = head.split('\n').peekable();
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => {
                Some(from_base64(&line["extra ".len()..]).ok_or(malformed("extra data is not base64"))?)
            }
            None => None,
        };
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(decimal)
            .ok_or(malformed("there is no index line"))?;
        let hashes = lines
            .map(|line| Hash::from_base64(line).ok_or(malformed("proof line is not a base64 hash")))
            .collect::<Result<_, _>>()?;
        Ok(Self { index, hashes, checkpoint: Checkpoint::parse(checkpoint)?, extra })
    }

    /// Checks that the log (one of `keys`) has `entry` at this index.
    ///
    /// # Errors
    /// As [`Checkpoint::verify`] and [`merkle::verify_inclusion`].
    pub fn verify(&self, entry: &[u8], keys: &[VerifierKey]) -> Result<(), EvidenceError> {
        self.checkpoint.verify(keys)?;
        let (size, root) = (self.checkpoint.size(), self.checkpoint.root());
        merkle::verify_inclusion(&merkle::leaf_hash(entry), self.index, size, &self.hashes, &root)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", to_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
