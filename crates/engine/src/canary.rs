//! Canaries: accounts that belong to nobody, on which a system is probed and tried.
//!
//! That a canary is there is recorded before it is made, so that one which a dead process left behind is
//! removed by the next. Nothing here touches an account that is not a canary.

use std::sync::Arc;

use bailiwick_connector::{
    AccountWrite, Connector, ConnectorError, ErrorKind, Line, Locator, ObjectState, Pause,
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
use bailiwick_store::{Stored, Update};

use crate::{Catalogue, Engine, EngineError, Result, alone::Alone, apply::on_canary, probe::blank};

/// What the markers of canaries begin with.
pub(crate) const MARKER: &str = "bailiwick/canary-";

/// The marker of the second canary that a trial may make.
pub(crate) fn second(marker: &str) -> String {
    format!("{marker}-2")
}

/// What a canary is made and changed with.
#[derive(Clone)]
pub(crate) struct Bench<'a> {
    pub integration: &'a Integration,
    pub system: &'a System,
    pub connector: Arc<dyn Connector>,
    pub line: Line,
    pub reader: Line,
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
            group: ordinary_group(catalogue, system),
            pause,
            engine: self,
            alone,
        })
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
