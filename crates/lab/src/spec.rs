//! What a simulated system is like: its name, its credentials, its limits, and how it deviates.

use crate::Behaviour;

/// Bearer tokens of the integration. No `Debug`, so that a dump of a spec cannot leak them.
#[derive(Clone)]
pub struct Tokens {
    /// May read and write.
    pub write: String,
    /// May GET only; anything else answers 403.
    pub read: String,
}

/// How lists are paged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// `startIndex` and `count` (RFC 7644 §3.4.2.4). A `cursor` parameter is ignored, as servers from before
    /// RFC 9865 do.
    Index,
    /// `cursor` and `count` (RFC 9865). A request with neither cursor nor index gets the first page and a cursor.
    Cursor,
    /// Both; index is the default (RFC 9865 §4).
    Both,
}

/// A limit on authenticated requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests in each minute of the lab's clock, counted from full minutes. The rest answer 429 with
    /// `Retry-After` in seconds.
    pub per_minute: u32,
}

/// Delays and counts of the behaviours that have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// `async-members`: how long a change of membership takes, in ms.
    pub async_members_ms: i64,
    /// `stale-read`: how far reads lie behind, in ms.
    pub stale_read_ms: i64,
    /// `timeout-after-commit`: every how many successful writes the answer is lost; at least 1.
    pub timeout_every: u64,
    /// `dormant-token`: how long a suspended token lives before it is revoked for good, in ms.
    pub purge_after_ms: i64,
    /// `retaining-sync`: how long until what was told is done, in ms.
    pub retain_ms: i64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            async_members_ms: 3_000,
            stale_read_ms: 2_000,
            timeout_every: 5,
            purge_after_ms: 30 * 24 * 3_600 * 1_000,
            retain_ms: 24 * 3_600 * 1_000,
        }
    }
}

/// One simulated system.
#[derive(Clone)]
pub struct SystemSpec {
    /// First segment of its paths: ASCII letters, digits, `-`, `_`; not `truth`; unique in a lab.
    pub name: String,
    /// How it deviates; empty is faithful.
    pub behaviours: Vec<Behaviour>,
    /// What ids, secrets and phases are derived from.
    pub seed: u64,
    /// Credentials of the integration.
    pub tokens: Tokens,
    /// How lists are paged.
    pub paging: Paging,
    /// Most resources in one page, and the default; at least 1.
    pub max_page: usize,
    /// Limit on requests, if any.
    pub rate: Option<Rate>,
    /// Whether `Idempotency-Key` is honoured.
    pub idempotency_keys: bool,
    /// Delays of the behaviours.
    pub timing: Timing,
}

impl SystemSpec {
    /// A faithful system with index paging in pages of 100, no rate limit, and idempotency keys.
    pub fn new(name: impl Into<String>, seed: u64, tokens: Tokens) -> Self {
        Self {
            name: name.into(),
            behaviours: Vec::new(),
            seed,
            tokens,
            paging: Paging::Index,
            max_page: 100,
            rate: None,
            idempotency_keys: true,
            timing: Timing::default(),
        }
    }

    /// The same system with these behaviours.
    #[must_use]
    pub fn with(mut self, behaviours: impl IntoIterator<Item = Behaviour>) -> Self {
        self.behaviours = behaviours.into_iter().collect();
        self
    }

    /// The same system paging this way, at most `max_page` resources a page.
    #[must_use]
    pub fn paged(mut self, paging: Paging, max_page: usize) -> Self {
        self.paging = paging;
        self.max_page = max_page;
        self
    }

    pub(crate) fn check(&self) -> Result<(), LabError> {
        let refuse = |reason| Err(LabError::BadSpec { system: self.name.clone(), reason });
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return refuse("use ASCII letters, digits, `-` and `_` in the name");
        }
        if self.name == "truth" {
            return refuse("the name is taken by the back door");
        }
        if self.max_page == 0 {
            return refuse("a page must hold at least one resource");
        }
        if self.timing.timeout_every == 0 {
            return refuse("`timeout_every` must be at least 1");
        }
        if self.tokens.write.is_empty()
            || self.tokens.read.is_empty()
            || self.tokens.write == self.tokens.read
        {
            return refuse("give two different tokens that are not empty");
        }
        Ok(())
    }
}

/// What can be wrong with a lab or a request at its back door.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// A specification that cannot be served.
    #[error("system `{system}` cannot be simulated: {reason}")]
    BadSpec {
        /// Its name.
        system: String,
        /// What to do.
        reason: &'static str,
    },
    /// Two systems of the same name.
    #[error("system `{0}` is given twice: rename one")]
    Twice(String),
    /// No system of that name.
    #[error("the lab has no system `{0}`")]
    NoSystem(String),
    /// A seed that names something that does not exist, or has the wrong shape.
    #[error("seed cannot be applied: {0}")]
    BadSeed(String),
}

impl LabError {
    /// Stable code of the error.
    pub const fn code(&self) -> &'static str {
        match self {
            LabError::BadSpec { .. } => "lab-bad-spec",
            LabError::Twice(_) => "lab-duplicate-system",
            LabError::NoSystem(_) => "lab-no-such-system",
            LabError::BadSeed(_) => "lab-bad-seed",
        }
    }
}
