//! Trying the contract on a live system, as far as that touches nobody else.
//!
//! Each sentence that connectors promise is shown on a canary and by reading, or it is said why it cannot be
//! shown. The kit shows more, because there the system can be filled, broken and looked into from behind.
//! The canary is recorded before it is made and removed at the end, or by the next probe or trial.

mod reading;
mod writing;

use bailiwick_connector::{ConnectorError, ErrorKind, Sentence};
use bailiwick_core::{
    id::SystemName,
    profile::Profile,
    record::{Actor, RecordKind},
};
use bailiwick_store::{Stored, Update, get};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Engine, Result,
    alone::Alone,
    canary::{Bench, MARKER, suffix},
};

/// These end the canary, and look at all that was said.
const LAST: [Sentence; 4] =
    [Sentence::AlreadySo, Sentence::NewsTells, Sentence::AuditTells, Sentence::NothingSecretInDebug];

/// What came of one sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TriedVerdict {
    /// It was shown to hold.
    Holds,
    /// It was shown not to.
    Broken,
    /// It cannot be shown here.
    NotShown,
}

/// One sentence of the contract, tried on a live system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ContractTried")]
pub struct Tried {
    /// The sentence.
    pub sentence: String,
    /// What came of it.
    pub verdict: TriedVerdict,
    /// How it was shown, how it is broken, or why it cannot be shown.
    pub told: String,
}

/// Why a sentence was not shown to hold.
enum Failing {
    Broken(String),
    NotShown(String),
}

impl From<ConnectorError> for Failing {
    /// What is not allowed or not reached says nothing about the sentence.
    fn from(error: ConnectorError) -> Self {
        let told = format!("{}: {error}", error.code());
        match error.kind {
            ErrorKind::OutOfScope
            | ErrorKind::NoCredential
            | ErrorKind::Unauthorized
            | ErrorKind::Forbidden
            | ErrorKind::RateLimited
            | ErrorKind::OverBudget
            | ErrorKind::Quarantined
            | ErrorKind::Shut
            | ErrorKind::Unreachable
            | ErrorKind::Timeout => Self::NotShown(told),
            ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::Stale
            | ErrorKind::Invalid
            | ErrorKind::Unsupported
            | ErrorKind::SystemFault
            | ErrorKind::Malformed
            | ErrorKind::Settings => Self::Broken(told),
        }
    }
}

impl From<crate::EngineError> for Failing {
    fn from(error: crate::EngineError) -> Self {
        match error {
            crate::EngineError::Connector(error) => error.into(),
            other => Self::NotShown(format!("{}: {other}", other.code())),
        }
    }
}

/// How a sentence was shown to hold, in words.
type Shown = std::result::Result<String, Failing>;

/// Fails with `problem` unless `so`.
fn ensure(so: bool, problem: impl FnOnce() -> String) -> std::result::Result<(), Failing> {
    if so { Ok(()) } else { Err(Failing::Broken(problem())) }
}

fn not_shown(why: &str) -> Shown {
    Err(Failing::NotShown(why.to_owned()))
}

fn tried(sentence: Sentence, shown: Shown) -> Tried {
    let (verdict, told) = match shown {
        Ok(told) => (TriedVerdict::Holds, told),
        Err(Failing::Broken(told)) => (TriedVerdict::Broken, told),
        Err(Failing::NotShown(told)) => (TriedVerdict::NotShown, told),
    };
    Tried { sentence: sentence.text().to_owned(), verdict, told }
}

/// A canary that is there, and what was seen on the way to it.
struct Canary {
    marker: String,
    /// What stands for it in names.
    name: String,
    id: String,
    /// Everything that was said in `Debug`, where no secret may be.
    said: String,
    /// The secrets that it was given.
    secrets: Vec<String>,
}

impl Engine {
    /// Tries every sentence of the contract on the system, in the order of the kit. It takes as long as the
    /// system needs to show each change.
    ///
    /// # Errors
    /// When the system cannot be reached or is done by a person, when somebody is at it, and when what was left
    /// of an earlier canary cannot be removed.
    pub async fn try_contract(
        &self,
        system: &SystemName,
        by: Actor,
        pause: &dyn bailiwick_connector::Pause,
    ) -> Result<Vec<Tried>> {
        // A probe and a trial have their canary recorded in one place: only one of them at a time.
        let alone = self.alone("probe", system).await?;
        let outcome = self.try_alone(system, by, pause, &alone).await;
        let freed = self.let_go(alone).await;
        self.record_incidents().await?;
        let tried = outcome?;
        freed?;
        Ok(tried)
    }

    async fn try_alone(
        &self,
        system: &SystemName,
        by: Actor,
        pause: &dyn bailiwick_connector::Pause,
        alone: &Alone,
    ) -> Result<Vec<Tried>> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let before = get::<Profile>(&mut *tx, self.tenant(), system.as_str()).await?;
        drop(tx);
        let bench = self.bench(&catalogue, system, pause, alone)?;
        // Also lets a connector learn what the system can do.
        bench.connector.check(&bench.reader).await?;
        if let Some(left) = before.as_ref().and_then(|stored| stored.value.canary.clone()) {
            bench.remove(&left).await?;
        }
        // Upper and lower case, so that a system which bends them is found.
        let marker = format!("{MARKER}Try-{}", suffix(self.entropy()));
        let begun = self.note(&bench, before.clone(), &marker, &by).await?;
        let tried = self.try_all(&bench, &marker).await;
        let kept = bench.remove(&marker).await.is_err().then_some(marker);
        self.conclude_trial(&bench, before, begun, kept, &by, &tried).await?;
        Ok(tried)
    }

    async fn try_all(&self, bench: &Bench<'_>, marker: &str) -> Vec<Tried> {
        let before_news = bench.news_begin().await;
        let log_begin = self.now();
        let made = bench.make(marker).await;
        let mut canary = match made {
            Ok(canary) => canary,
            Err(failing) => {
                let why = match failing {
                    Failing::Broken(told) | Failing::NotShown(told) => told,
                };
                let told = format!("no canary can be made: {why}");
                let all = Sentence::ALL.into_iter();
                return all.map(|s| tried(s, Err(Failing::NotShown(told.clone())))).collect();
            }
        };
        let mut out = Vec::new();
        let first = Sentence::ALL.into_iter().filter(|sentence| !LAST.contains(sentence));
        for sentence in first.chain(LAST) {
            let shown = match sentence {
                Sentence::DeclaredIsImplemented => bench.declared(&canary).await,
                Sentence::CheckChangesNothing => bench.check_changes_nothing(&canary).await,
                Sentence::ListVisitsEachOnce => bench.each_once(&canary).await,
                Sentence::SaysWhenPartial => not_shown("nothing is hidden on a live system on purpose"),
                Sentence::GetAgreesWithList => bench.get_agrees(&canary).await,
                Sentence::ApplyThenGetHolds => bench.apply_then_get(&canary).await,
                Sentence::SameKeyOnce => bench.same_key_once(&canary).await,
                Sentence::StaleIsRefused => bench.stale_is_refused(&canary).await,
                Sentence::AlreadySo => bench.already_so(&canary).await,
                Sentence::UnknownAttributeRefused => bench.unknown_attribute(&canary).await,
                Sentence::LostAnswerIsUnknown | Sentence::NeverWritesAgain => {
                    not_shown("no answer of a live system is lost on purpose")
                }
                Sentence::RefusalHasNoEffect => bench.refusals(&canary).await,
                Sentence::IdentifiersAreKept => bench.identifiers(&canary).await,
                Sentence::TriedTells => bench.tried_tells(&mut canary, self.entropy()).await,
                Sentence::NewsTells => bench.news_tell(&canary, &before_news).await,
                Sentence::AuditTells => bench.audit_tells(&canary, log_begin).await,
                Sentence::NothingSecretInDebug => canary.nothing_secret(),
            };
            canary.hear(bench, &shown);
            out.push((sentence, tried(sentence, shown)));
        }
        out.sort_by_key(|(sentence, _)| *sentence);
        out.into_iter().map(|(_, tried)| tried).collect()
    }

    /// Records what came of it, and that the canary is gone, or is not.
    async fn conclude_trial(
        &self,
        bench: &Bench<'_>,
        before: Option<Stored<Profile>>,
        begun: Stored<Profile>,
        kept: Option<String>,
        by: &Actor,
        tried: &[Tried],
    ) -> Result<()> {
        let of =
            |verdict| tried.iter().filter(|t| t.verdict == verdict).map(|t| &t.sentence).collect::<Vec<_>>();
        let mut record = self
            .record(RecordKind::Tried, "trial")
            .fact("broken", of(TriedVerdict::Broken))
            .fact("holds", of(TriedVerdict::Holds))
            .fact("not_shown", of(TriedVerdict::NotShown))
            .fact("system", &bench.system.name);
        record.actor = by.clone();
        let update = Update::new(record);
        // What was learned by a probe stays as it is; without one there is nothing to keep but a canary.
        let update = match (before, kept) {
            (None, None) => update.delete::<Profile>(bench.system.name.as_str(), begun.revision),
            (_, kept) => {
                let profile = Profile { canary: kept, ..begun.value };
                update.replace(&profile, begun.revision, self.entropy())
            }
        };
        let mut tx = self.begin().await?;
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        Ok(tx.commit().await?)
    }
}
