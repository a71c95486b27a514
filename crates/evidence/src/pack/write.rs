//! Writing a pack. Promise: what it writes verifies; a log that is damaged gives an error instead.

use std::{collections::BTreeMap, io::Write, path::PathBuf};

use serde::Serialize;

use super::{FORMAT, HeaderLine, MAX_LINE, ManifestLine, RecordLine, SealLine, manifest_text};
use crate::{
    canonical, entry::Disclosure, error::EvidenceError, hash::Running, key::VerifierKey, log::Log, merkle,
};

/// What goes into a pack.
#[derive(Clone, Copy, Debug)]
pub struct PackRequest<'a> {
    /// Whom or what the pack is about, in the caller's words.
    pub subject: &'a str,
    /// The entries; order and repetition do not matter.
    pub indices: &'a [u64],
    /// What opens commitments of these entries; those of other entries are left out.
    pub disclosures: &'a [Disclosure],
    /// Witnesses whose cosignatures on the head the reader should find; those that did not cosign are left out.
    pub witnesses: &'a [VerifierKey],
}

/// Writes a pack against the log's head. Gives the number of records back.
///
/// # Errors
/// `OutOfRange` for an index the log does not have, `ProofInvalid` if the stored tree does not lead to the head,
/// `DisclosureMismatch`, `Io`.
pub fn write_pack(log: &Log, request: &PackRequest<'_>, out: &mut dyn Write) -> Result<u64, EvidenceError> {
    let mut disclosures: BTreeMap<u64, Vec<&Disclosure>> =
        request.indices.iter().map(|i| (*i, Vec::new())).collect();
    for disclosure in request.disclosures {
        if let Some(of_entry) = disclosures.get_mut(&disclosure.index) {
            of_entry.push(disclosure);
        }
    }
    let records = disclosures.len() as u64;
    let head = log.checkpoint();
    let cosigned = head.note().verify(request.witnesses).unwrap_or_default();
    let mut lines = Lines { out, digest: Running::new() };
    lines.write(&HeaderLine {
        checkpoint: head.to_string(),
        format: FORMAT.to_owned(),
        log: log.verifier().to_string(),
        records,
        subject: request.subject.to_owned(),
        witnesses: cosigned.iter().map(|signed| signed.key.to_string()).collect(),
    })?;
    let view = log.view();
    for (index, disclosures) in disclosures {
        let bytes = view.entry(index)?;
        let proof = view.prove_inclusion(index)?;
        merkle::verify_inclusion(&merkle::leaf_hash(&bytes), index, head.size(), &proof, &head.root())?;
        canonical::scan(&bytes)?;
        let entry = serde_json::from_slice(&bytes)
            .map_err(|_| EvidenceError::NotCanonical { at: 0, why: "entry is not JSON" })?;
        disclosures.iter().try_for_each(|disclosure| disclosure.verify(&entry))?;
        lines.write(&RecordLine {
            disclosures: disclosures.iter().map(|disclosure| disclosure.to_json()).collect(),
            entry,
            index,
            proof: proof.iter().map(ToString::to_string).collect(),
        })?;
    }
    let text = manifest_text(log.verifier(), request.subject, records, &lines.digest.so_far())?;
    lines.write(&ManifestLine { manifest: log.signer().sign(text)?.to_string() })?;
    let sha256 = lines.digest.so_far().to_string();
    lines.write(&SealLine { sha256 })?;
    lines.out.flush().map_err(Lines::failed)?;
    Ok(records)
}

struct Lines<'a> {
    out: &'a mut dyn Write,
    digest: Running,
}

impl Lines<'_> {
    fn write(&mut self, line: &impl Serialize) -> Result<(), EvidenceError> {
        let value = serde_json::to_value(line)
            .map_err(|_| EvidenceError::NotCanonical { at: 0, why: "line has no JSON form" })?;
        let mut bytes = canonical::encode(&value)?;
        bytes.push(b'\n');
        if bytes.len() > MAX_LINE {
            return Err(EvidenceError::EntryTooLarge { len: bytes.len() });
        }
        self.digest.update(&bytes);
        self.out.write_all(&bytes).map_err(Self::failed)
    }

    fn failed(source: std::io::Error) -> EvidenceError {
        EvidenceError::Io { action: "write", path: PathBuf::from("evidence pack"), source }
    }
}
