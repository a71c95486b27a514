//! The witness side of C2SP `tlog-witness`, `add-checkpoint`, as a state machine without transport.
//!
//! A witness cosigns a checkpoint only if it continues what it cosigned before. What it remembers sits behind
//! [`Memory`], whose `swap` must be atomic and durable before it returns: that is what makes a cosignature
//! worth something.
//!
//! Absent: HTTP, the monitoring interface, and `sign-subtree`.

use std::collections::BTreeMap;

use crate::{
    checkpoint::{Checkpoint, decimal},
    error::EvidenceError,
    hash::Hash,
    key::{Cosigner, VerifierKey},
    merkle,
};

/// Most consistency proof lines in a request (C2SP `tlog-witness`).
pub const MAX_PROOF: usize = 63;

/// The latest head that the witness cosigned for a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Tree size.
    pub size: u64,
    /// Root at that size.
    pub root: Hash,
}

/// What a witness remembers for each origin.
pub trait Memory {
    /// Why it cannot answer.
    type Error;

    /// The latest cosigned head of that log, if any.
    ///
    /// # Errors
    /// If it cannot be read.
    fn latest(&self, origin: &str) -> Result<Option<Seen>, Self::Error>;

    /// Replaces `old` by `new`, durably, if `old` is still the latest; says whether it did.
    ///
    /// # Errors
    /// If it cannot be written.
    fn swap(&mut self, origin: &str, old: Option<Seen>, new: Seen) -> Result<bool, Self::Error>;
}

/// The answer to `add-checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200: cosigned; the body is signature lines.
    Cosigned {
        /// Each with its newline.
        lines: String,
    },
    /// 400: the request is not of the protocol's form, or its old size is above the checkpoint's.
    BadRequest {
        /// The rule that it breaks.
        why: &'static str,
    },
    /// 403: no key that is trusted for the origin signed.
    NotSigned,
    /// 404: the origin is not one that this witness follows.
    UnknownOrigin,
    /// 409: the witness stands at another size, or has seen another root at this size.
    Conflict {
        /// Size of the latest cosigned checkpoint.
        size: u64,
    },
    /// 422: the consistency proof does not verify.
    BadProof,
}

impl Answer {
    /// The HTTP status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Cosigned { .. } => 200,
            Self::BadRequest { .. } => 400,
            Self::NotSigned => 403,
            Self::UnknownOrigin => 404,
            Self::Conflict { .. } => 409,
            Self::BadProof => 422,
        }
    }

    /// The media type of the body.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "text/x.tlog.size",
            Self::Cosigned { .. }
            | Self::BadRequest { .. }
            | Self::NotSigned
            | Self::UnknownOrigin
            | Self::BadProof => "text/plain; charset=utf-8",
        }
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> String {
        match self {
            Self::Cosigned { lines } => lines.clone(),
            Self::BadRequest { why } => format!("{why}\n"),
            Self::NotSigned => "no signature by a trusted key\n".to_owned(),
            Self::UnknownOrigin => "unknown origin\n".to_owned(),
            Self::Conflict { size } => format!("{size}\n"),
            Self::BadProof => "consistency proof does not verify\n".to_owned(),
        }
    }
}

/// The body of an `add-checkpoint` request. `Display` writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Size of the checkpoint that the witness cosigned last.
    pub old: u64,
    /// Consistency proof from `old` to the checkpoint.
    pub proof: Vec<Hash>,
    /// The new checkpoint.
    pub checkpoint: Checkpoint,
}

impl Request {
    /// The request of a body.
    ///
    /// # Errors
    /// `ProofMalformed`, or as [`Checkpoint::parse`].
    pub fn parse(body: &str) -> Result<Self, EvidenceError> {
        let malformed = |why| EvidenceError::ProofMalformed { why };
        let (head, checkpoint) = body.split_once("\n\n").ok_or(malformed("there is no blank line"))?;
        let mut lines = head.split('\n');
        let old = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .and_then(decimal)
            .ok_or(malformed("there is no old size line"))?;
        let proof: Vec<_> = lines
            .take(MAX_PROOF + 1)
            .map(|line| Hash::from_base64(line).ok_or(malformed("proof line is not a base64 hash")))
            .collect::<Result<_, _>>()?;
        if proof.len() > MAX_PROOF {
            return Err(malformed("there are too many proof lines"));
        }
        Ok(Self { old, proof, checkpoint: Checkpoint::parse(checkpoint)? })
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// A witness: its key and the logs it follows.
pub struct Witness {
    cosigner: Cosigner,
    logs: BTreeMap<String, Vec<VerifierKey>>,
}

impl Witness {
    /// A witness that follows the given logs: origin and the keys trusted for it.
    #[must_use]
    pub fn new(cosigner: Cosigner, logs: BTreeMap<String, Vec<VerifierKey>>) -> Self {
        Self { cosigner, logs }
    }

    /// The witness's public key.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        self.cosigner.verifier()
    }

    /// Answers one `add-checkpoint` request at `unix_seconds`.
    ///
    /// # Errors
    /// What the memory fails with; then nothing was cosigned.
    pub fn add_checkpoint<M: Memory>(
        &self,
        memory: &mut M,
        body: &str,
        unix_seconds: u64,
    ) -> Result<Answer, M::Error> {
        let Ok(request) = Request::parse(body) else {
            return Ok(Answer::BadRequest { why: "body is not an add-checkpoint request" });
        };
        let Request { old, proof, checkpoint } = request;
        let Some(keys) = self.logs.get(checkpoint.origin()) else { return Ok(Answer::UnknownOrigin) };
        if checkpoint.verify(keys).is_err() {
            return Ok(Answer::NotSigned);
        }
        if old > checkpoint.size() {
            return Ok(Answer::BadRequest { why: "old size is above the size of the checkpoint" });
        }
        let latest = memory.latest(checkpoint.origin())?;
        let seen = latest.unwrap_or(Seen { size: 0, root: merkle::empty_root() });
        let new = Seen { size: checkpoint.size(), root: checkpoint.root() };
        if old != seen.size || (old == new.size && seen.root != new.root) {
            return Ok(Answer::Conflict { size: seen.size });
        }
        if merkle::verify_consistency((old, &seen.root), (new.size, &new.root), &proof).is_err() {
            return Ok(Answer::BadProof);
        }
        if !memory.swap(checkpoint.origin(), latest, new)? {
            let size = memory.latest(checkpoint.origin())?.map_or(0, |seen| seen.size);
            return Ok(Answer::Conflict { size });
        }
        Ok(Answer::Cosigned { lines: format!("{}\n", checkpoint.cosign(&self.cosigner, unix_seconds)) })
    }
}
