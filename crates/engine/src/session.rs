//! Operators at the console: a link that works once opens a session, and a session ends.
//!
//! Promises: a link works once and for minutes; the secret of a session is a fresh one, made when the link is used, so
//! that nobody knows it beforehand; link and cookie are kept as digests, under the hub's seal. Whoever may do nothing any
//! more has no session either: who they are is looked up at each call. Each beginning, end and refusal is a record.

use bailiwick_core::{
    digest::Digest,
    id::{OperatorId, SessionId},
    record::{Actor, Record, RecordKind},
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{
    Filter, Select, Stored, Table, Tx, Update,
    entities::{Operator, Session, Way},
    get, select,
};

use crate::{Engine, EngineError, Result, finding::Wrong};

/// How long a link works.
const OFFERED: SignedDuration = SignedDuration::from_mins(5);
/// How long a session lasts: a working day.
const OPEN: SignedDuration = SignedDuration::from_hours(10);
/// How long a session lasts without being used, where nothing else is said.
pub const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// How exactly it is written down when a session was used, at most; a page more does not write.
const COARSE: SignedDuration = SignedDuration::from_mins(3);
/// The finding about many who were turned away.
const TURNED_AWAY: &str = "sign-ins-refused";

/// That somebody was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnedAway {
    /// By what they tried: `link`, `passkey`, `provider`, `token`, `invitation`, `hint`.
    pub by: &'static str,
    /// Why; a stable code.
    pub code: &'static str,
    /// As whom, if that is known.
    pub operator: Option<OperatorId>,
}

/// A secret that was made, which is shown this once. No `Debug`.
pub struct Opened {
    /// The session.
    pub session: Session,
    /// The code of its link, or the value of its cookie.
    pub secret: String,
}

impl Engine {
    /// Offers an operator a session: the code works once, within five minutes. What they had before and is over goes.
    ///
    /// # Errors
    /// When the store does not do it.
    pub async fn offer_session(&self, operator: &Operator) -> Result<Opened> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let (secret, digest) = self.new_secret();
        let offered = self.sealed_session(Session {
            id: SessionId::new(now, self.entropy()),
            operator: operator.id,
            secret: digest,
            offered: now,
            opened: None,
            until: now.saturating_add(OFFERED).unwrap_or(now),
            way: Way::Link,
            used: None,
            seal: String::new(),
        });
        let mut record = self
            .record(RecordKind::SignInOffered, "session")
            .fact("operator", operator.id)
            .fact("session", offered.id);
        record.actor = Actor::Operator(operator.name.clone());
        let mut update = Update::new(record).insert(&offered, self.entropy());
        let theirs =
            Select::from(Table::Sessions).filter(Filter::Is("operator", operator.id.to_string().into()));
        for over in select::<Session>(&mut *tx, self.tenant(), theirs).await? {
            if over.value.until <= now {
                update = update.delete::<Session>(&over.value.id.to_string(), over.revision);
            }
        }
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(Opened { session: offered, secret })
    }

    /// Uses the code of a link up and opens the session; `None` when there is no such code or not any more.
    ///
    /// # Errors
    /// When the store does not do it.
    pub async fn open_session(&self, code: &str) -> Result<Option<Opened>> {
        let now = self.now();
        // Whoever tries codes is not to keep those who write waiting.
        if self.session_by_secret(&mut *self.read().await?, code).await?.is_none() {
            return Ok(None);
        }
        let mut tx = self.begin().await?;
        let found = self.session_by_secret(&mut *tx, code).await?;
        let Some(Stored { value, revision, .. }) = found.filter(|found| found.value.opened.is_none()) else {
            return Ok(None);
        };
        let Some(operator) = self.operator_of(&mut *tx, &value).await? else { return Ok(None) };
        let (secret, digest) = self.new_secret();
        let (until, used) = (self.session_end(&operator), Some(now));
        let session =
            self.sealed_session(Session { secret: digest, opened: Some(now), until, used, ..value });
        let update = Update::new(self.signed_in(&operator, &session));
        let update = update.replace(&session, revision, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(Some(Opened { session, secret }))
    }

    /// A session that begins now, its secret, and what is to be written.
    pub(crate) fn begin_session(&self, operator: &Operator, way: Way) -> (Session, String, Update) {
        let now = self.now();
        let (secret, digest) = self.new_secret();
        let session = self.sealed_session(Session {
            id: SessionId::new(now, self.entropy()),
            operator: operator.id,
            secret: digest,
            offered: now,
            opened: Some(now),
            until: self.session_end(operator),
            way,
            used: Some(now),
            seal: String::new(),
        });
        let update = Update::new(self.signed_in(operator, &session)).insert(&session, self.entropy());
        (session, secret, update)
    }

    fn session_end(&self, operator: &Operator) -> Timestamp {
        let now = self.now();
        now.saturating_add(OPEN).unwrap_or(now).min(operator.until())
    }

    fn signed_in(&self, operator: &Operator, session: &Session) -> Record {
        let mut record = self
            .record(RecordKind::SignedIn, "session")
            .fact("operator", operator.id)
            .fact("session", session.id)
            .fact("by", session.way)
            .fact("until", session.until);
        record.actor = Actor::Operator(operator.name.clone());
        record
    }

    /// Whose session it is, if its secret opens one and they may do anything. It is looked up by a digest, so that the
    /// time it takes says nothing about secrets. One that was not used for `idle` is over.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn operator_in_session(
        &self,
        secret: &str,
        idle: SignedDuration,
    ) -> Result<Option<(Operator, Session)>> {
        let mut tx = self.read().await?;
        let found = self.session_by_secret(&mut *tx, secret).await?;
        let Some(session) = found.map(|found| found.value).filter(|session| session.opened.is_some()) else {
            return Ok(None);
        };
        if session.used.is_none_or(|used| self.now().duration_since(used) >= idle) {
            return Ok(None);
        }
        let operator = self.operator_of(&mut *tx, &session).await?;
        Ok(operator.map(|operator| (operator, session)))
    }

    /// Writes down that a session was used, at most once in a few minutes: it may then be taken for over that much too
    /// early, and never too late.
    ///
    /// # Errors
    /// When the store does not do it.
    pub async fn session_used(&self, session: &Session, idle: SignedDuration) -> Result<()> {
        let now = self.now();
        let exact =
            COARSE.min(SignedDuration::from_millis(i64::try_from(idle.as_millis() / 10).unwrap_or(0)));
        if session.used.is_some_and(|used| now.duration_since(used) < exact) {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let Some(found) = get::<Session>(&mut *tx, self.tenant(), &session.id.to_string()).await? else {
            return Ok(());
        };
        // Another page of the same session wrote it meanwhile, or the session was opened anew.
        if found.value != *session {
            return Ok(());
        }
        let record = self
            .record(RecordKind::SessionUsed, "session")
            .fact("operator", session.operator)
            .fact("session", session.id);
        let used = self.sealed_session(Session { used: Some(now), ..found.value });
        let update = Update::new(record).replace(&used, found.revision, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        Ok(tx.commit().await?)
    }

    /// Ends a session, one's own or, for administrators, anybody's.
    ///
    /// # Errors
    /// `NotFound` when there is no such session.
    pub async fn end_session(&self, session: SessionId, by: &Operator) -> Result<()> {
        let mut tx = self.begin().await?;
        let found = get::<Session>(&mut *tx, self.tenant(), &session.to_string()).await?;
        let missing = || EngineError::NotFound { kind: "session", name: session.to_string() };
        let found = found.ok_or_else(missing)?;
        let mut record = self
            .record(RecordKind::SignedOut, "session")
            .fact("operator", found.value.operator)
            .fact("session", session);
        record.actor = Actor::Operator(by.name.clone());
        let update = Update::new(record).delete::<Session>(&session.to_string(), found.revision);
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        Ok(tx.commit().await?)
    }

    /// Writes down that somebody was turned away; `many` when it was often of late, which is a finding.
    ///
    /// # Errors
    /// When the store does not do it.
    pub async fn refused_session(&self, turned: TurnedAway, many: bool) -> Result<()> {
        let TurnedAway { by, code, operator } = turned;
        let mut tx = self.begin().await?;
        let record = self.record(RecordKind::SignInRefused, "session").fact("by", by).fact("code", code);
        let record = match operator {
            Some(operator) => record.fact("operator", operator),
            None => record,
        };
        let mut updates = vec![Update::new(record)];
        if many {
            let wrong = Wrong {
                code: TURNED_AWAY,
                subject: "console".into(),
                identity: None,
                system: None,
                message: format!(
                    "many were turned away within minutes, the last of them by {by}: somebody may be trying to get in; \
                     look at where they come from, and let the hub be reached from fewer places"
                ),
                owner: "operator".into(),
            };
            updates.extend(self.open_finding(&mut *tx, wrong).await?);
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        Ok(tx.commit().await?)
    }

    /// A secret for a browser that is nobody yet.
    pub fn fresh_secret(&self) -> String {
        let mut random = [0u8; 32];
        self.entropy().fill(&mut random);
        format!("bwd_{}", Digest(random))
    }

    fn new_secret(&self) -> (String, Digest) {
        let mut random = [0u8; 32];
        self.entropy().fill(&mut random);
        let secret = format!("bws_{}", Digest(random));
        let digest = Digest::of(secret.as_bytes());
        (secret, digest)
    }

    fn sealed_session(&self, session: Session) -> Session {
        let seal = self.parts.broker.attest(&session.sealed_bytes());
        Session { seal, ..session }
    }

    /// The session with this secret, if it is the hub's and not over.
    async fn session_by_secret(&self, tx: &mut dyn Tx, secret: &str) -> Result<Option<Stored<Session>>> {
        let digest = Digest::of(secret.as_bytes()).to_string();
        let asked = Select::from(Table::Sessions).filter(Filter::Is("secret_digest", digest.into()));
        let found = select::<Session>(tx, self.tenant(), asked).await?.pop();
        let now: Timestamp = self.now();
        Ok(found.filter(|Stored { value, .. }| {
            value.until > now && self.parts.broker.attested(&value.sealed_bytes(), &value.seal)
        }))
    }

    async fn operator_of(&self, tx: &mut dyn Tx, session: &Session) -> Result<Option<Operator>> {
        let operator = self.operator_with(tx, session.operator).await?;
        Ok(operator.filter(|operator| !operator.voids(session.offered)))
    }

    /// The operator with this id, if they may do anything.
    pub(crate) async fn operator_with(&self, tx: &mut dyn Tx, id: OperatorId) -> Result<Option<Operator>> {
        let found = get::<Operator>(tx, self.tenant(), &id.to_string()).await?;
        match found {
            Some(found) if self.counts(tx, &found.value).await? => Ok(Some(found.value)),
            _ => Ok(None),
        }
    }
}
