//! The tokens of pages: sealed by the hub, and good for one caller and one search only.

use bailiwick_core::digest::{Digest, canonical};

use super::{AskRefusal, Asker};
use crate::{Engine, Result};

/// The longest text that a search goes on after.
const LONGEST: usize = 4_096;

impl Engine {
    /// The token for what comes after `after` of this search.
    pub(super) fn page_token(&self, asker: &Asker, search: Digest, after: &str) -> String {
        let hex: String = after.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("{}{hex}", self.parts.broker.attest(&sealed(asker, search, after)))
    }

    /// What a token goes on after.
    ///
    /// # Errors
    /// [`AskRefusal::Page`] when it was not given to this caller for this search.
    pub(super) fn page_after(&self, asker: &Asker, search: Digest, token: &str) -> Result<String> {
        let read = || {
            let (seal, rest) = token.split_at_checked(64)?;
            let after = (rest.len() <= 2 * LONGEST).then(|| unhex(rest))??;
            self.parts.broker.attested(&sealed(asker, search, &after), seal).then_some(after)
        };
        Ok(read().ok_or(AskRefusal::Page)?)
    }
}

fn sealed(asker: &Asker, search: Digest, after: &str) -> Vec<u8> {
    canonical(&("ask-page-v1", &asker.name, search, after))
}

fn unhex(text: &str) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
    String::from_utf8(bytes?).ok()
}
