//! The tamper-evident log: entries in a Merkle tree, signed heads, proofs, and what verifies them offline.
//!
//! The formats are those of C2SP: `tlog-tiles` on disk, `tlog-checkpoint` and `signed-note` for heads,
//! `tlog-cosignature` and `tlog-witness` for witnesses, `tlog-proof` for one entry; hashing is RFC 6962. So
//! other tools verify the log without this crate. Its own are the [`entry`] encoding, salted commitments, the
//! [`pack`] and the journal.
//!
//! Deliberately absent: identity (an entry is any canonical JSON object), clocks, randomness and the network.
//! Seeds, salts and times are arguments. Calls block; run them off an async thread.
//!
//! ```
//! use bailiwick_evidence::{Log, Signer, entry, merkle};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! // The seed comes from a random source of the caller.
//! let signer = Signer::from_seed("log.example/demo", &[7; 32])?;
//! let mut log = Log::open(dir.path(), signer)?;
//!
//! let first = entry::canonical(&serde_json::json!({ "type": "started" }))?;
//! let second = entry::canonical(&serde_json::json!({ "type": "stopped", "after": 3 }))?;
//! log.append(&[&first, &second])?; // durable
//! let head = log.publish()?.clone(); // for all to see
//! assert_eq!(head.size(), 2);
//!
//! // Anyone with the public key can check the head, and with a proof that an entry is below it.
//! head.verify(&[log.verifier().clone()])?;
//! let proof = log.prove_inclusion(1, head.size())?;
//! merkle::verify_inclusion(&merkle::leaf_hash(&second), 1, head.size(), &proof, &head.root())?;
//!
//! // Another entry is not.
//! assert!(merkle::verify_inclusion(&merkle::leaf_hash(b"{}"), 1, head.size(), &proof, &head.root()).is_err());
//! # Ok(())
//! # }
//! ```

mod behind;
mod canonical;
pub mod checkpoint;
mod edge;
pub mod entry;
pub mod error;
mod files;
pub mod fsck;
pub mod hash;
mod journal;
pub mod key;
pub mod log;
pub mod merkle;
pub mod note;
pub mod pack;
pub mod proof;
pub mod reader;
pub mod tile;
mod whole;
pub mod witness;

#[cfg(test)]
mod crash;

pub use checkpoint::Checkpoint;
pub use entry::Disclosure;
pub use error::EvidenceError;
pub use fsck::fsck;
pub use hash::Hash;
pub use key::{Cosigner, Signer, VerifierKey};
pub use log::{JOURNAL_BYTES, Log};
pub use pack::{PackError, PackReport, PackRequest, verify_pack, write_pack};
pub use proof::Proof;
pub use reader::{Reader, View};
