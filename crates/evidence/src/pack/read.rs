//! Verifying a pack from a stream, with no log at hand.

use std::{fmt, io::BufRead, io::Read as _};

use serde::de::DeserializeOwned;

use super::{
    FORMAT, HeaderLine, MAX_LINE, ManifestLine, PackError, PackFault, Record, RecordLine, SealLine,
    manifest_text,
};
use crate::{
    canonical,
    checkpoint::Checkpoint,
    entry::{self, Disclosure},
    error::EvidenceError,
    hash::{Hash, Running},
    key::{Algorithm, VerifierKey},
    merkle,
    note::Note,
};

/// On whose word a key is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTrust {
    /// The caller gave it as trusted.
    Trusted,
    /// Only the pack itself names it: compare its fingerprint by another way.
    SelfAsserted,
}

impl fmt::Display for KeyTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trusted => "trusted",
            Self::SelfAsserted => "self-asserted",
        })
    }
}

/// A key that signed the pack's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// The key.
    pub key: VerifierKey,
    /// On whose word.
    pub trust: KeyTrust,
    /// For a witness, when it cosigned, in seconds since the epoch.
    pub unix_seconds: Option<u64>,
}

/// What a valid pack shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackReport {
    /// Whom or what it is about.
    pub subject: String,
    /// The head that all records are proven against; its origin is the log's.
    pub checkpoint: Checkpoint,
    /// The log's key.
    pub log: SignedBy,
    /// The witnesses that cosigned.
    pub witnesses: Vec<SignedBy>,
    /// Number of records.
    pub records: u64,
    /// Number of opened commitments.
    pub disclosures: u64,
}

/// `log: <origin>`, `key: self-asserted`, its fingerprint, and so on; one line each.
impl fmt::Display for PackReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "subject: {}", self.subject)?;
        writeln!(f, "log: {}", self.checkpoint.origin())?;
        writeln!(f, "size: {}", self.checkpoint.size())?;
        writeln!(f, "key: {}", self.log.trust)?;
        writeln!(f, "fingerprint: sha256:{}", self.log.key.fingerprint())?;
        for witness in &self.witnesses {
            writeln!(f, "witness: {} ({})", witness.key.name(), witness.trust)?;
        }
        writeln!(f, "records: {}", self.records)?;
        writeln!(f, "disclosures: {}", self.disclosures)
    }
}

/// Verifies a pack. With `trusted` keys the log's key must be one of them; without, the key in the pack is
/// used and the report says so.
///
/// # Errors
/// The first fault and its line.
pub fn verify_pack(reader: impl BufRead, trusted: Option<&[VerifierKey]>) -> Result<PackReport, PackError> {
    read_pack(reader, trusted, |_| ())
}

/// As [`verify_pack`], and shows each record. A record is proven to be in the log when it is shown, but the
/// selection is not until this returns `Ok`: keep what you make of it until then.
///
/// # Errors
/// The first fault and its line.
pub fn read_pack(
    reader: impl BufRead,
    trusted: Option<&[VerifierKey]>,
    mut show: impl FnMut(Record),
) -> Result<PackReport, PackError> {
    let mut lines = Lines { reader, number: 0, bytes: Vec::new(), digest: Running::new() };
    lines.next()?;
    let header: HeaderLine = lines.parse()?;
    let mut report = lines.open(&header, trusted)?;
    let mut last = None;
    for _ in 0..header.records {
        lines.next()?;
        let record = lines.record(&report.checkpoint)?;
        if last.is_some_and(|last| record.index <= last) {
            return Err(lines.fault(PackFault::Order));
        }
        last = Some(record.index);
        report.records += 1;
        report.disclosures += record.disclosures.len() as u64;
        show(record);
    }
    let digest = lines.digest.so_far();
    lines.next()?;
    lines.manifest(&report, &digest)?;
    let digest = lines.digest.so_far();
    lines.next()?;
    let seal: SealLine = lines.parse()?;
    if seal.sha256 != digest.to_string() {
        return Err(lines.fault(PackFault::Seal));
    }
    lines.end()?;
    Ok(report)
}

struct Lines<R> {
    reader: R,
    number: u64,
    bytes: Vec<u8>,
    digest: Running,
}

impl<R: BufRead> Lines<R> {
    fn fault(&self, fault: PackFault) -> PackError {
        PackError { line: self.number, fault, source: None }
    }

    fn because(&self, fault: PackFault) -> impl FnOnce(EvidenceError) -> PackError + use<R> {
        let line = self.number;
        move |source| PackError { line, fault, source: Some(source) }
    }

    /// Reads the next line, without its newline, and counts it into the digest.
    fn next(&mut self) -> Result<(), PackError> {
        self.number += 1;
        self.bytes.clear();
        let read = self.reader.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut self.bytes);
        read.map_err(|error| self.unreadable(error))?;
        self.digest.update(&self.bytes);
        match self.bytes.pop() {
            Some(b'\n') => Ok(()),
            _ if self.bytes.len() + 1 >= MAX_LINE => Err(self.fault(PackFault::Malformed)),
            _ => Err(self.fault(PackFault::Truncated)),
        }
    }

    fn unreadable(&self, source: std::io::Error) -> PackError {
        let source = EvidenceError::Io { action: "read", path: "evidence pack".into(), source };
        PackError { line: self.number, fault: PackFault::Unreadable, source: Some(source) }
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, PackError> {
        canonical::scan(&self.bytes).map_err(self.because(PackFault::Malformed))?;
        serde_json::from_slice(&self.bytes).map_err(|_| self.fault(PackFault::Malformed))
    }

    /// Verifies the header; the report counts no records yet.
    fn open(&self, header: &HeaderLine, trusted: Option<&[VerifierKey]>) -> Result<PackReport, PackError> {
        if header.format != FORMAT {
            return Err(self.fault(PackFault::UnknownFormat));
        }
        let log = VerifierKey::parse(&header.log).map_err(self.because(PackFault::Malformed))?;
        let trust = |key: &VerifierKey| match trusted {
            Some(trusted) if trusted.contains(key) => KeyTrust::Trusted,
            _ => KeyTrust::SelfAsserted,
        };
        if trusted.is_some() && trust(&log) == KeyTrust::SelfAsserted {
            return Err(self.fault(PackFault::UntrustedKey));
        }
        let mut keys = vec![log.clone()];
        for witness in &header.witnesses {
            let key = VerifierKey::parse(witness).map_err(self.because(PackFault::Malformed))?;
            if key.algorithm() != Algorithm::CosignatureV1 || keys.contains(&key) {
                return Err(self.fault(PackFault::Malformed));
            }
            keys.push(key);
        }
        let checkpoint =
            Checkpoint::open(&header.checkpoint, &keys).map_err(self.because(PackFault::Checkpoint))?;
        let verified = checkpoint.verify(&keys).map_err(self.because(PackFault::Checkpoint))?;
        if verified.len() < keys.len() || checkpoint.origin() != log.name() {
            return Err(self.fault(PackFault::Checkpoint));
        }
        let signed_by = |key: &VerifierKey| SignedBy {
            key: key.clone(),
            trust: trust(key),
            unix_seconds: verified
                .iter()
                .find(|signed| signed.key == key)
                .and_then(|signed| signed.unix_seconds),
        };
        Ok(PackReport {
            subject: header.subject.clone(),
            log: signed_by(&log),
            witnesses: keys[1..].iter().map(signed_by).collect(),
            checkpoint,
            records: 0,
            disclosures: 0,
        })
    }

    fn record(&self, checkpoint: &Checkpoint) -> Result<Record, PackError> {
        if self.is::<ManifestLine>() {
            return Err(self.fault(PackFault::Count));
        }
        let RecordLine { disclosures, entry: value, index, proof } = self.parse()?;
        // The line is canonical, so encoding the member again gives the bytes that were logged.
        let entry = canonical::encode(&value).map_err(self.because(PackFault::Entry))?;
        entry::check(&entry).map_err(self.because(PackFault::Entry))?;
        let proof: Option<Vec<Hash>> = proof.iter().map(|hash| Hash::from_base64(hash)).collect();
        let proof = proof.ok_or_else(|| self.fault(PackFault::Malformed))?;
        let leaf = merkle::leaf_hash(&entry);
        merkle::verify_inclusion(&leaf, index, checkpoint.size(), &proof, &checkpoint.root())
            .map_err(self.because(PackFault::Proof))?;
        let disclosures: Option<Vec<Disclosure>> =
            disclosures.iter().map(|disclosure| Disclosure::from_json(index, disclosure)).collect();
        let disclosures = disclosures.ok_or_else(|| self.fault(PackFault::Malformed))?;
        for disclosure in &disclosures {
            disclosure.verify(&value).map_err(self.because(PackFault::Disclosure))?;
        }
        Ok(Record { index, entry, proof, disclosures })
    }

    fn manifest(&self, report: &PackReport, digest: &Hash) -> Result<(), PackError> {
        if self.is::<RecordLine>() {
            return Err(self.fault(PackFault::Count));
        }
        let ManifestLine { manifest } = self.parse()?;
        let note = Note::parse(&manifest).map_err(self.because(PackFault::Manifest))?;
        let text = manifest_text(&report.log.key, &report.subject, report.records, digest)
            .map_err(self.because(PackFault::Manifest))?;
        note.verify(std::slice::from_ref(&report.log.key)).map_err(self.because(PackFault::Manifest))?;
        if note.text() == text { Ok(()) } else { Err(self.fault(PackFault::Manifest)) }
    }

    fn is<T: DeserializeOwned>(&self) -> bool {
        serde_json::from_slice::<T>(&self.bytes).is_ok()
    }

    fn end(&mut self) -> Result<(), PackError> {
        self.number += 1;
        match self.reader.fill_buf() {
            Ok([]) => Ok(()),
            Ok(_) => Err(self.fault(PackFault::TrailingData)),
            Err(error) => Err(self.unreadable(error)),
        }
    }
}
