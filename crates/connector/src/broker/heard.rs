//! What a system answered in a reading, as one digest: of what came, not of what a connector made of it.
//!
//! Every wire tells `Line::ended` what came of a call, so no answer is left out. Of HTTP and of files the status and the
//! bytes of the body are digested, of a directory the bytes of each entry and of the result. What an entry is wrapped in is
//! not: its number is another with each request. The driver of databases gives rows and not bytes, so of a database those
//! are digested, in its order, with the names of the columns. What was asked to sign in is no answer of the reading.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bailiwick_core::digest::{Digest, Digesting};

use super::line::Line;

/// Takes in what was answered on a line, in the order in which it came.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Digesting>>);

impl Heard {
    /// The digest of the digests of all answers until now.
    pub fn digest(&self) -> Digest {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().finish()
    }

    pub(super) fn take(&self, answer: &Digest) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).update(&answer.0);
    }
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Heard").field(&self.digest()).finish()
    }
}

impl Line {
    /// The same line for one reading, and what it hears from now on.
    pub fn heard(&self) -> (Self, Heard) {
        let (mut line, heard) = (self.clone(), Heard::default());
        line.heard = Some(heard.clone());
        (line, heard)
    }
}
