//! C2SP `signed-note`: a text, a blank line, signature lines.
//!
//! Parsing is strict: encoding a parsed note gives the same bytes back.

use std::fmt;

use crate::{
    error::EvidenceError,
    hash::{from_base64, to_base64},
    key::{VerifierKey, is_key_name},
};

/// Most signatures that a note may carry; C2SP asks for at least 16.
pub const MAX_SIGNATURES: usize = 64;

/// A text with signatures, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// One signature line: `— name base64(key id || signature)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

/// A signature that a given key made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified<'k> {
    /// The key.
    pub key: &'k VerifierKey,
    /// For a cosignature, when it was made, in seconds since the epoch.
    pub unix_seconds: Option<u64>,
}

impl Signature {
    pub(crate) fn new(key: &VerifierKey, bytes: &[u8]) -> Self {
        Self { name: key.name().to_owned(), id: key.id(), bytes: bytes.to_vec() }
    }

    /// The signature of one line, without its newline.
    ///
    /// # Errors
    /// `NoteMalformed`.
    pub fn parse(line: &str) -> Result<Self, EvidenceError> {
        let malformed = |why| EvidenceError::NoteMalformed { why };
        let (name, payload) = line
            .strip_prefix("\u{2014} ")
            .and_then(|rest| rest.split_once(' '))
            .ok_or(malformed("signature line is not `— name signature`"))?;
        if !is_key_name(name) {
            return Err(malformed("key name is not one"));
        }
        let payload = from_base64(payload).ok_or(malformed("signature is not base64"))?;
        match payload.split_first_chunk() {
            Some((id, bytes)) if !bytes.is_empty() => {
                Ok(Self { name: name.to_owned(), id: *id, bytes: bytes.to_vec() })
            }
            _ => Err(malformed("signature is too short")),
        }
    }

    fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }
}

/// The line without its newline.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut payload = self.id.to_vec();
        payload.extend_from_slice(&self.bytes);
        write!(f, "\u{2014} {} {}", self.name, to_base64(&payload))
    }
}

impl Note {
    pub(crate) fn new(text: String, signatures: Vec<Signature>) -> Result<Self, EvidenceError> {
        let malformed = |why| Err(EvidenceError::NoteMalformed { why });
        if !text.ends_with('\n') {
            return malformed("text does not end in a newline");
        }
        if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return malformed("text has a control character");
        }
        if signatures.is_empty() || signatures.len() > MAX_SIGNATURES {
            return malformed("there is no signature, or too many");
        }
        Ok(Self { text, signatures })
    }

    /// The note of a text with its signatures.
    ///
    /// # Errors
    /// `NoteMalformed`.
    pub fn parse(note: &str) -> Result<Self, EvidenceError> {
        let malformed = |why| EvidenceError::NoteMalformed { why };
        let split = note.rfind("\n\n").ok_or(malformed("there is no blank line"))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(malformed("last line does not end"))?;
        let signatures =
            lines.split('\n').take(MAX_SIGNATURES + 1).map(Signature::parse).collect::<Result<_, _>>()?;
        Self::new(text.to_owned(), signatures)
    }

    /// What was signed, with its final newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, in order.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature, unless that key's line is already there.
    ///
    /// # Errors
    /// `NoteMalformed` if there are too many.
    pub fn add(&mut self, signature: Signature) -> Result<(), EvidenceError> {
        if self.signatures.iter().any(|known| known.name == signature.name && known.id == signature.id) {
            return Ok(());
        }
        if self.signatures.len() >= MAX_SIGNATURES {
            return Err(EvidenceError::NoteMalformed { why: "there are too many signatures" });
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// The signatures by the given keys. Those of other keys are ignored, as C2SP asks.
    ///
    /// # Errors
    /// `BadSignature` if a line of a given key does not verify, `NoTrustedSignature` if none of them signed.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<Verified<'k>>, EvidenceError> {
        let mut verified: Vec<Verified<'k>> = Vec::new();
        for signature in &self.signatures {
            let Some(key) = keys.iter().find(|key| signature.is_by(key)) else { continue };
            let Some(unix_seconds) = key.verify(&self.text, &signature.bytes) else {
                return Err(EvidenceError::BadSignature { name: signature.name.clone() });
            };
            if !verified.iter().any(|known| known.key == key) {
                verified.push(Verified { key, unix_seconds });
            }
        }
        if verified.is_empty() { Err(EvidenceError::NoTrustedSignature) } else { Ok(verified) }
    }
}

/// The whole note.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}
