//! The audit log of an OpenBao or HashiCorp Vault, from a file that its audit device `file` writes and somebody ships to a
//! folder of the hub.
//!
//! The server has no call that reads it, so it is an integration of its own: it says who did what on the system that
//! `log_of` names, and reads and writes nothing else. Whoever ships the file is the witness.
//!
//! * A mark is a place in bytes and the digest of how the file begins. A file that begins otherwise is another one: if the
//!   one before it is kept (`rotated`), the log goes on in it and then in the new one; if not, it is lost.
//! * A line without an end is not read yet. One that is none of the device's is an error and not passed over: what stood
//!   there is not known, and a file that somebody edits is no witness. Lines of other types than `response` are no deeds: what
//!   was only asked for was perhaps not done.
//! * What an account does for itself, a login, a renewal, a lease, the end of its own token, is no entry: that is what access is
//!   for, and there are too many.
//!
//! All calls are `list READ /{file}`. Absent on purpose: the server's oracle for hashed values (`sys/audit-hash`).

mod decode;
mod settings;
mod tail;

use async_trait::async_trait;
use bailiwick_connector::{
    Applied, Capability, Connector, ConnectorError, ErrorKind, Line, Listing, Locator, Object, Page, Read,
    Result, Start, Visit,
};
use bailiwick_core::{
    audit::{About, Entry},
    plan::Op,
    time::Timestamp,
};
use serde_json::Value;

use self::{settings::Settings, tail::Tail};

/// So many bytes without a deed are read again rather than marked, or a server that is always asked something would have a
/// log without an end.
const MARKED: u64 = 1 << 20;

/// Reads the log of one namespace.
pub struct VaultLog {
    settings: Settings,
    capability: Capability,
}

impl VaultLog {
    /// A connector with these settings, see [`settings`].
    ///
    /// # Errors
    /// `Settings`, naming the setting.
    pub fn new(settings: &Value) -> Result<Self> {
        Ok(Self { settings: Settings::new(settings)?, capability: most() })
    }
}

/// What it can do.
pub(crate) fn most() -> Capability {
    Capability { audits: true, ..Capability::default() }
}

fn unsupported() -> ConnectorError {
    ConnectorError::none(
        ErrorKind::Unsupported,
        "this is the log of a system, and says who did what there alone",
    )
}

#[async_trait]
impl Connector for VaultLog {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    /// Reads the first line, if there is one.
    async fn check(&self, line: &Line) -> Result<()> {
        let mut tail = Tail::open(line, &self.settings, Start::Instant(Timestamp::MIN)).await?;
        let read = tail.next().await?.map(|text| decode::told(text, &self.settings).map(drop));
        read.unwrap_or(Ok(())).map_err(|why| tail.unreadable(&why))
    }

    async fn audit(&self, line: &Line, from: Start<'_>, size: u32, read: Read<'_>) -> Result<()> {
        let mut tail = Tail::open(line, &self.settings, from).await?;
        let (mut shown, mut passed) = (0, None);
        while shown < size.max(1) {
            let told = match tail.next().await? {
                Some(text) => decode::told(text, &self.settings),
                None => break,
            };
            let (at, deeds) = told.map_err(|why| tail.unreadable(&why))?;
            passed = Some(at);
            let mark = tail.mark();
            for deed in deeds {
                (shown, passed) = (shown + 1, None);
                read(Entry { mark: mark.clone(), ..deed });
            }
        }
        // How far it has nothing of accounts.
        match passed {
            Some(at) if tail.passed() >= MARKED => read(nothing(tail.mark(), at)),
            Some(_) | None => {}
        }
        Ok(())
    }

    async fn list(&self, _: &Line, _: Listing<'_>, _: Option<&str>, _: u32, _: Visit<'_>) -> Result<Page> {
        Err(unsupported())
    }

    async fn get(&self, _: &Line, _: Locator<'_>) -> Result<Option<Object<'static>>> {
        Err(unsupported())
    }

    async fn apply(&self, _: &Line, _: Option<&str>, _: &Op, _: Option<&str>, _: &str) -> Result<Applied> {
        Err(unsupported())
    }
}

fn nothing(mark: String, at: Timestamp) -> Entry {
    let dash = || "-".to_owned();
    Entry {
        mark,
        at,
        actor: dash(),
        ours: false,
        deed: dash(),
        account: None,
        name: None,
        group: None,
        about: About::Anything,
    }
}
