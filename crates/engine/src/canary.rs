//! Canaries: accounts that belong to nobody, on which a system is probed and tried.
//!
//! That a canary is there is recorded before it is made, so that one which a dead process left behind is
//! removed by the next. Nothing here touches an account that is not a canary.

use std::sync::Arc;

use bailiwick_connector::{
    AccountWrite, Connector, ConnectorError, Entry, ErrorKind, Issued, Line, Locator, ObjectState, Pause,
    seal::Secret,
};
use bailiwick_core::{
    access::AccessClass,
    account::{AccountAttributes, AccountValue},
    id::{Entropy, SystemName},
    integration::Integration,
    plan::Op,
    profile::Profile,
    record::{Actor, RecordKind},
    system::System,
};
use bailiwick_store::{Stored, Update, Work};

use crate::{Catalogue, Engine, EngineError, Result, alone::Alone, apply::on_canary, probe::blank};

/// What the markers of canaries begin with.
pub(crate) const MARKER: &str = "bailiwick/canary-";

/// The marker of the second canary that a trial may make.
pub(crate) fn second(marker: &str) -> String {
    format!("{marker}-2")
}

/// The credentials that a canary was given.
#[derive(Default)]
pub(crate) struct Given {
    /// Those that got in.
    pub working: Vec<Issued>,
    /// Why of other classes there is none.
    pub not: Vec<(AccessClass, String)>,
}

/// What is said where a canary cannot be made on schedule.
pub(crate) struct Cannot {
    /// The code of the finding.
    pub code: &'static str,
    /// What cannot be done to the system.
    pub done: &'static str,
    /// When it is tried again, milliseconds.
    pub again_ms: i64,
}

/// When to try again after what was done on schedule failed, milliseconds: each try makes a canary.
pub(crate) const FAILED_MS: i64 = 6 * 3_600_000;
/// When to ask again for a system that somebody is at, milliseconds.
const BUSY_MS: i64 = 60_000;

/// What a canary is made and changed with.
#[derive(Clone)]
pub(crate) struct Bench<'a> {
    pub integration: &'a Integration,
    pub system: &'a System,
    pub connector: Arc<dyn Connector>,
    pub line: Line,
    pub reader: Line,
    /// Whoever reads the system's audit log, if somebody does.
    pub log: Option<(Arc<dyn Connector>, Line)>,
    /// The system's id of an ordinary group.
    pub group: Option<String>,
    pub pause: &'a dyn Pause,
    pub engine: &'a Engine,
    pub alone: &'a Alone,
}

impl Engine {
    /// What a canary is made and changed with.
    ///
    /// # Errors
    /// When the connector makes no accounts there.
    pub(crate) fn bench<'a>(
        &'a self,
        catalogue: &'a Catalogue,
        system: &SystemName,
        pause: &'a dyn Pause,
        alone: &'a Alone,
    ) -> Result<Bench<'a>> {
        let route = catalogue.route(system)?;
        let declared = catalogue
            .systems
            .get(system)
            .ok_or_else(|| EngineError::NotFound { kind: "system", name: system.to_string() })?;
        if !makes_canaries(&**route.connector) {
            let message = format!(
                "`{system}` has no accounts that a program can make and remove; there is nothing to probe"
            );
            return Err(ConnectorError::none(ErrorKind::Unsupported, message).into());
        }
        Ok(Bench {
            integration: route.integration,
            system: declared,
            // One that knows of no profile.
            connector: self.fresh(route.integration, &[])?,
            line: self.writing(catalogue, route.integration).lenient(),
            reader: self.witnessing(catalogue, route.integration).0,
            log: self.log_of(catalogue, system),
            group: ordinary_group(catalogue, system),
            pause,
            engine: self,
            alone,
        })
    }

    /// Does on schedule what makes a canary, unless it is not wanted any more or the system is not reached.
    pub(crate) async fn on_schedule(
        &self,
        item: &Work,
        system: &SystemName,
        cannot: Cannot,
        wanted: bool,
        run: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<()> {
        let catalogue = self.catalogue(&mut *self.read().await?).await?;
        if catalogue.standing_still(system).is_some() {
            return self.stands_still(item, &catalogue, system).await;
        }
        let outcome = if wanted && catalogue.reaches(system) { run().await } else { Ok(()) };
        self.record_incidents().await?;
        let mut tx = self.begin().await?;
        let later = |ms| self.now().as_millisecond().saturating_add(ms);
        let updates = match outcome {
            Ok(()) => self.close_findings(&mut *tx, &[(cannot.code, system.to_string())]).await?,
            Err(EngineError::Busy { .. }) => {
                tx.postpone(self.tenant(), item, later(BUSY_MS), false).await?;
                return Ok(tx.commit().await?);
            }
            // There is nothing (any more) that a canary could show there.
            Err(EngineError::Connector(error)) if error.kind == ErrorKind::Unsupported => Vec::new(),
            Err(error @ EngineError::Store(_)) => return Err(error),
            Err(error) => {
                let message = format!("`{system}` cannot be {}: {}: {error:#}", cannot.done, error.code());
                let wrong = self.about(&mut *tx, system, cannot.code, message).await?;
                let opened = self.open_finding(&mut *tx, wrong).await?.into_iter().collect();
                tx.write(self.tenant(), opened, self.entropy()).await?;
                tx.postpone(self.tenant(), item, later(cannot.again_ms), true).await?;
                return Ok(tx.commit().await?);
            }
        };
        tx.write(self.tenant(), updates, self.entropy()).await?;
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }

    /// Records that a canary is about to be made.
    pub(crate) async fn note(
        &self,
        bench: &Bench<'_>,
        before: Option<Stored<Profile>>,
        marker: &str,
        by: &Actor,
    ) -> Result<Stored<Profile>> {
        let profile = match &before {
            Some(stored) => Profile { canary: Some(marker.to_owned()), ..stored.value.clone() },
            None => blank(bench, self.now(), by, Some(marker.to_owned())),
        };
        let mut record = self
            .record(RecordKind::ProbeBegun, "probe")
            .fact("canary", marker)
            .fact("system", &bench.system.name);
        record.actor = by.clone();
        let update = match &before {
            Some(stored) => Update::new(record).replace(&profile, stored.revision, self.entropy()),
            None => Update::new(record).insert(&profile, self.entropy()),
        };
        let revision = before.map_or(1, |stored| stored.revision + 1);
        let mut tx = self.begin().await?;
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(Stored { value: profile, revision })
    }
}

impl Bench<'_> {
    /// Whether this is the attribute that people sign in with.
    pub(crate) fn is_name(&self, attribute: &str) -> bool {
        self.connector.sign_in() == Some(attribute)
    }

    /// Waits until a reader sees what was changed.
    pub async fn settle(&self) -> Result<()> {
        let lag = self.connector.capability().read_lag_ms;
        let window = lag.max(u64::try_from(self.system.convergence_ms).unwrap_or(0));
        self.engine.hold(self.alone, i64::try_from(window).unwrap_or(i64::MAX)).await?;
        self.pause.pause(std::time::Duration::from_millis(window)).await;
        Ok(())
    }

    /// Changes the canary; gives its id if it was made or found.
    pub async fn change(
        &self,
        account: Option<&str>,
        op: &Op,
        key: &str,
    ) -> Result<Option<String>, ConnectorError> {
        Ok(on_canary(&*self.connector, &self.line, account, op, None, key).await?.external_id)
    }

    /// Whether it can be used; `None` when it is not there.
    pub async fn state(&self, account: &str) -> Result<Option<ObjectState>, ConnectorError> {
        let found = self.connector.get(&self.reader, Locator::Account(account)).await?;
        Ok(found.map(|object| object.state))
    }

    /// Removes the canary with this marker, and the second one that a trial may have made, if they are there.
    pub async fn remove(&self, marker: &str) -> Result<()> {
        self.remove_one(marker).await?;
        self.remove_one(&second(marker)).await
    }

    async fn remove_one(&self, marker: &str) -> Result<()> {
        let Some(found) = self.connector.get(&self.reader, Locator::AccountMarked(marker)).await? else {
            return Ok(());
        };
        let key = format!("{}.remove", marker.trim_start_matches("bailiwick/"));
        self.change(Some(&found.id), &Op::Delete, &key).await?;
        self.settle().await?;
        match self.state(&found.id).await? {
            None | Some(ObjectState::Blocked) => Ok(()),
            Some(ObjectState::Live) => {
                let message =
                    format!("the canary `{marker}` is still there and works; delete it on the system");
                Err(ConnectorError::none(ErrorKind::SystemFault, message).into())
            }
        }
    }

    /// Gives the canary a credential of each class that can be tried, and says which of them work.
    pub async fn credentials(&self, account: &str, entropy: &dyn Entropy) -> Result<Given> {
        let (mut given, mut issued) = (Given::default(), Vec::new());
        for class in self.connector.capability().tries.clone() {
            // Long, with every kind of sign: what policies on passwords ask for.
            let secret = Secret::new(format!("Canary-{}-{}", suffix(entropy), suffix(entropy)));
            match self.connector.issue(&self.line, account, class, secret).await {
                Ok(one) => issued.push(one),
                Err(error) => given.not.push((class, refusal(error)?)),
            }
        }
        self.settle().await?;
        for one in issued {
            match self.connector.attempt(&self.line, &one).await? {
                Entry::Accepted => given.working.push(one),
                Entry::Rejected => given.not.push((one.class, "it did not work when it was new".into())),
            }
        }
        Ok(given)
    }
}

/// Whether a canary can be made, and goes again.
pub(crate) fn makes_canaries(connector: &dyn Connector) -> bool {
    let capability = connector.capability();
    let goes = [AccountWrite::Create, AccountWrite::Delete].iter().all(|w| capability.writes.contains(w));
    goes && capability.by_person.is_none()
}

/// The system's id of a group that is not privileged.
pub(crate) fn ordinary_group(catalogue: &Catalogue, system: &SystemName) -> Option<String> {
    catalogue.entitlements.values().find_map(|e| {
        let ordinary = e.name.system() == *system && e.class == AccessClass::DirectGroups && !e.privileged;
        e.external_id.clone().filter(|_| ordinary)
    })
}

/// Twelve signs that nobody has.
pub(crate) fn suffix(entropy: &dyn Entropy) -> String {
    let salt = entropy.salt();
    salt[..6].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// What the canary is given for each attribute that accounts of the system have.
pub(crate) fn canary_attributes(system: &System, name: &str) -> AccountAttributes {
    let filled = system.account.iter().map(|(attribute, template)| {
        let wants_mail = template.contains("mail") || attribute.to_ascii_lowercase().contains("mail");
        let value = if wants_mail { format!("{name}@canary.invalid") } else { name.to_owned() };
        (attribute.clone(), AccountValue::Text(value))
    });
    filled.collect()
}

/// The code of a refusal; anything that says nothing about the system's mind goes up.
pub(crate) fn refusal(error: ConnectorError) -> Result<String, ConnectorError> {
    match error.kind {
        ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::Stale
        | ErrorKind::Invalid
        | ErrorKind::Unsupported
        | ErrorKind::OutOfScope => Ok(error.code().to_owned()),
        ErrorKind::Unreachable
        | ErrorKind::Timeout
        | ErrorKind::Unauthorized
        | ErrorKind::RateLimited
        | ErrorKind::SystemFault
        | ErrorKind::Malformed
        | ErrorKind::OverBudget
        | ErrorKind::Quarantined
        | ErrorKind::Shut
        | ErrorKind::NoCredential
        | ErrorKind::Settings => Err(error),
    }
}
