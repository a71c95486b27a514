//! Asking a directory: whole searches over pages, and what its result codes mean.

use bailiwick_connector::{
    ConnectorError, Effect, ErrorKind, Line, Page, Result,
    broker::ldap::{Answered, Base, Control, Depth, Entry, Filter, Search, Shown},
};
use bailiwick_core::{dn::Dn, scope::Operation};

use super::{
    paging::Place,
    settings::{Dialect, Shape},
};

/// Looks at an entry; `false` when it cannot be understood.
pub(super) type Look<'l> = &'l mut (dyn FnMut(&Entry<'_>) -> bool + Send);

/// A search over pages.
#[derive(Clone, Copy)]
pub(super) struct Query<'q> {
    pub(super) operation: Operation,
    pub(super) base: &'q Dn,
    pub(super) filter: &'q Filter,
    pub(super) attributes: &'q [&'q str],
}

/// A directory that can be asked.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) line: &'a Line,
    pub(super) shape: &'a Shape,
}

impl Ask<'_> {
    /// One page. It is not complete when the directory stopped early, named other servers, or showed what
    /// cannot be understood, on this page or one before.
    pub(super) async fn page(
        &self,
        query: Query<'_>,
        cursor: Option<&str>,
        size: u32,
        look: Look<'_>,
    ) -> Result<Page> {
        let mut place: Place = cursor.map_or_else(|| Ok(Place::default()), str::parse)?;
        let size = size.clamp(1, self.shape.page_size);
        let controls = [Control::Page { size, cookie: &place.cookie }, Control::NoReferrals];
        let search = Search {
            operation: query.operation,
            base: Base::Entry(query.base),
            depth: Depth::Subtree,
            filter: query.filter,
            attributes: query.attributes,
            controls: self.allowed(&controls),
            connection: place.connection,
        };
        let mut understood = true;
        let mut show = |shown: Shown<'_>| match shown {
            Shown::Entry(entry) => understood &= look(&entry),
            Shown::Reference | Shown::Sync(_) => {}
        };
        let answered = self.line.search(&search, &mut show).await?;
        let stopped = stopped_early(answered.code);
        if answered.code != 0 && !stopped {
            return Err(unsearched(&answered, query.base));
        }
        place.whole &= understood && !stopped && answered.references == 0;
        place.connection = Some(answered.connection);
        place.cookie = answered.next_page.unwrap_or_default();
        let next = (!place.cookie.is_empty() && !stopped).then(|| place.to_string());
        Ok(Page { next, complete: place.whole })
    }

    /// All pages. Whether they are complete.
    pub(super) async fn all(&self, query: Query<'_>, look: Look<'_>) -> Result<bool> {
        let mut cursor = None;
        loop {
            let page = self.page(query, cursor.as_deref(), self.shape.page_size, look).await?;
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(page.complete),
            }
        }
    }

    /// The controls of a paged search that this directory takes.
    fn allowed<'c>(&self, controls: &'c [Control<'c>; 2]) -> &'c [Control<'c>] {
        match self.shape.dialect {
            Dialect::OpenLdap => &controls[..1],
            Dialect::ActiveDirectory => controls,
        }
    }
}

/// What was asked for is on another server (RFC 4511 §4.1.10).
const REFERRAL: u32 = 10;

/// Whether a search ended before its end: by a limit of time, of size or of the administrator. That a part of the
/// tree is elsewhere is counted instead, and that all of it is, is an error: see [`unsearched`].
pub(super) const fn stopped_early(code: u32) -> bool {
    matches!(code, 3 | 4 | 9 | 11)
}

/// What a refused search means.
pub(super) fn unsearched(answered: &Answered, base: &Dn) -> ConnectorError {
    let what = format!("search below `{base}`");
    // A base that is not there must not be taken for an account that is gone.
    if answered.code == 32 {
        let message =
            format!("there is no `{base}`, or the integration may not see it; is the setting right?");
        return ConnectorError::none(ErrorKind::Settings, message);
    }
    // Nothing of what was asked for is here, so this is no listing with gaps.
    if answered.code == REFERRAL {
        let message = format!(
            "`{base}` is on another server, and referrals are never followed: set `endpoint` to the server that has it"
        );
        return ConnectorError::none(ErrorKind::Settings, message).with_detail("base-elsewhere");
    }
    refusal(answered, &what)
}

/// What a result code other than success means (RFC 4511 appendix A). The effect is that of a read or a
/// refused write: none.
pub(super) fn refusal(answered: &Answered, what: &str) -> ConnectorError {
    let Answered { code, message, .. } = answered;
    let kind = match *code {
        3 => ErrorKind::Timeout,
        7 | 8 | 13 => ErrorKind::Settings,
        REFERRAL | 12 | 71 => ErrorKind::Unsupported,
        32 => ErrorKind::NotFound,
        48 | 49 => ErrorKind::Unauthorized,
        50 => ErrorKind::Forbidden,
        51 => ErrorKind::RateLimited,
        68 => ErrorKind::AlreadyExists,
        122 => ErrorKind::Stale,
        1 | 2 | 52 | 54 | 80 => ErrorKind::SystemFault,
        _ => ErrorKind::Invalid,
    };
    let said = if message.is_empty() { String::new() } else { format!(": {message}") };
    ConnectorError::none(kind, format!("{what}: result {code} ({}){said}", name_of(*code)))
}

/// What a result code other than success means for a write.
pub(super) fn unwritten(answered: &Answered, what: &str) -> ConnectorError {
    let error = refusal(answered, what);
    // An overlay can fail after the entry was written.
    match error.kind {
        ErrorKind::SystemFault => ConnectorError { effect: Effect::Unknown, ..error },
        _ => error,
    }
}

/// The name of a result code, as people look it up.
const fn name_of(code: u32) -> &'static str {
    match code {
        1 => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        4 => "sizeLimitExceeded",
        7 => "authMethodNotSupported",
        8 => "strongerAuthRequired",
        10 => "referral",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        16 => "noSuchAttribute",
        17 => "undefinedAttributeType",
        18 => "inappropriateMatching",
        19 => "constraintViolation",
        20 => "attributeOrValueExists",
        21 => "invalidAttributeSyntax",
        32 => "noSuchObject",
        34 => "invalidDNSyntax",
        48 => "inappropriateAuthentication",
        49 => "invalidCredentials",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        54 => "loopDetect",
        64 => "namingViolation",
        65 => "objectClassViolation",
        66 => "notAllowedOnNonLeaf",
        67 => "notAllowedOnRDN",
        68 => "entryAlreadyExists",
        69 => "objectClassModsProhibited",
        71 => "affectsMultipleDSAs",
        80 => "other",
        122 => "assertionFailed",
        4096 => "e-syncRefreshRequired",
        _ => "a code of its own",
    }
}
