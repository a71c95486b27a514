//! The key that seals credentials, and its file.
//!
//! The file holds 32 bytes as 64 hexadecimal digits or as base64, belongs to the user who runs the hub,
//! and nobody else can read it. A file that others could read is refused: the key may be known already.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use bailiwick_core::{digest::Digest, id::Entropy};
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// A key file is a line of text; what is longer is something else.
const LONGEST: u64 = 1024;

/// Sets the key for attesting apart from the one that seals.
const ATTEST: &[u8] = b"bailiwick/attest/v1\n";

/// The key that seals credentials; wiped when dropped, never printed.
pub struct SealKey(Zeroizing<[u8; 32]>);

/// The key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Others may read it, or it belongs to somebody else.
    #[error("the key file `{}` {problem}; make it yours alone: `chmod 600` and `chown` to the user who runs the hub, and if others could read it, make a new key", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// It does not hold a key.
    #[error("the key file `{}` {problem}; it holds 32 bytes, as 64 hexadecimal digits or as base64", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without its content.
        problem: String,
    },
    /// There is one already.
    #[error("the key file `{}` exists already, and what it sealed opens with it only; choose another path", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("the key file `{}` cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl KeyFileError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Mode { .. } => "key-file-mode",
            Self::Format { .. } => "key-file-format",
            Self::Exists { .. } => "key-file-exists",
            Self::Io { .. } => "key-file-unreadable",
        }
    }
}

impl SealKey {
    /// A new key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes);
        Self(bytes)
    }

    /// A seal over `bytes`, hexadecimal: HMAC-SHA-256 (RFC 2104) under a key of its own that is derived from this
    /// one.
    pub fn attest(&self, bytes: &[u8]) -> String {
        let tag = hmac::sign(&self.attesting(), bytes);
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether `seal` is what [`attest`](Self::attest) makes of `bytes`.
    pub fn attested(&self, bytes: &[u8], seal: &str) -> bool {
        verify_slices_are_equal(self.attest(bytes).as_bytes(), seal.as_bytes()).is_ok()
    }

    pub(super) fn attesting(&self) -> hmac::Key {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*self.0), ATTEST);
        hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
    }

    /// Reads the key from its file, which must be a file of ours with mode 0600 or stricter.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let io = |source| KeyFileError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let about = file.metadata().map_err(io)?;
        let problem = if !about.is_file() {
            return Err(KeyFileError::Format { path: path.to_owned(), problem: "is not a file".into() });
        } else if about.mode() & 0o177 != 0 {
            Some(format!("has the mode {:04o}", about.mode() & 0o7777))
        } else {
            our_user()
                .filter(|us| *us != about.uid())
                .map(|us| format!("belongs to user {}, the hub runs as {us}", about.uid()))
        };
        if let Some(problem) = problem {
            return Err(KeyFileError::Mode { path: path.to_owned(), problem });
        }
        let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(LONGEST).unwrap_or(1024)));
        file.take(LONGEST).read_to_end(&mut text).map_err(io)?;
        let text: &[u8] = text.trim_ascii();
        decode(text).map(Self).ok_or_else(|| KeyFileError::Format {
            path: path.to_owned(),
            problem: match text.len() {
                0 => "is empty".into(),
                n => format!("holds {n} characters that are not a key"),
            },
        })
    }

    /// Writes the key to a new file with mode 0600. Fails when there is a file already.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyFileError> {
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.to_owned() },
            _ => KeyFileError::Io { path: path.to_owned(), source },
        };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
        let text = Zeroizing::new(STANDARD.encode(*self.0) + "\n");
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)
    }

    /// Tells keys apart without telling anything about them: 16 hexadecimal digits.
    pub fn id(&self) -> String {
        Digest::of_parts(&[b"bailiwick/seal-key/v1\n", &*self.0]).to_string()[..16].to_owned()
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn decode(text: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    if text.len() == 64 {
        for (slot, pair) in key.iter_mut().zip(text.chunks(2)) {
            let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
            *slot = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        return Some(key);
    }
    let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
    (bytes.len() == 32).then(|| key.copy_from_slice(&bytes))?;
    Some(key)
}

/// The user this process acts as, where the kernel says it (proc(5), `Uid:` in `/proc/self/status`).
fn our_user() -> Option<u32> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|l| l.strip_prefix("Uid:"))?.split_whitespace().nth(1)?.parse().ok()
}
