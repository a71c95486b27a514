//! Probing: learns on a canary how a system really behaves, and keeps it.
//!
//! The canary is an account that belongs to nobody. It is made, changed, given an ordinary group and the
//! credentials that the connector can try; then each way of disabling is tried, read back and, where there
//! is a credential, tried from outside; at last it is deleted. That a canary is there is recorded before it
//! is made, so that one which a dead process left behind is removed by the next probe.
//!
//! A call outside of the integration's scope is not sent and does not stop the integration here: that a way
//! is not allowed is a thing to learn. Nothing here touches an account that is not the canary.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_connector::{
    Connector, ConnectorError, Entry, ErrorKind, Issued, Line, Locator, ObjectState, Pause, seal::Secret,
};
use bailiwick_core::{
    access::AccessClass,
    account::{AccountAttributes, AccountValue},
    digest::Digest,
    id::{Entropy, SystemName},
    integration::Integration,
    plan::Op,
    profile::{Deletion, Profile, Way, WayEffect},
    record::{Actor, RecordKind},
    system::System,
    time::Timestamp,
    verify::Witness,
};
use bailiwick_store::{Stored, Update, get};

use crate::{
    Catalogue, Engine, EngineError, Result,
    apply::on_canary,
    observe::{bears, held},
};

/// What the markers of canaries begin with.
const MARKER: &str = "bailiwick/canary-";

impl Engine {
    /// Learns how a system behaves. It takes as long as the system needs to show each change; `pause` waits.
    ///
    /// # Errors
    /// When the system cannot be reached, when the connector makes no accounts there, and when not even the
    /// canary can be made.
    pub async fn probe(&self, system: &SystemName, by: Actor, pause: &dyn Pause) -> Result<Profile> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let before = get::<Profile>(&mut *tx, self.tenant(), system.as_str()).await?;
        drop(tx);
        let bench = self.bench(&catalogue, system, pause)?;
        if let Some(left) = before.as_ref().and_then(|stored| stored.value.canary.clone()) {
            bench.remove(&left).await?;
        }
        let marker = format!("{MARKER}{}", suffix(self.entropy()));
        let begun = self.note(&bench, before, &marker, &by).await?;
        let learned = bench.learn(&marker, self.entropy()).await;
        // Whatever was learned, the canary goes.
        let gone = bench.remove(&marker).await;
        let kept = match gone {
            Ok(()) => None,
            Err(_) => Some(marker),
        };
        let (learned, failed) = match learned {
            Ok(learned) => (learned, None),
            Err(error) => (Learned::default(), Some(error)),
        };
        let profile = self.conclude_probe(&bench, begun, learned, kept, &by, failed.as_ref()).await?;
        match failed {
            Some(error) => Err(error),
            None => Ok(profile),
        }
    }

    /// What the last probe of a system found, and whether it still speaks of what is configured.
    pub async fn profile(&self, system: &SystemName) -> Result<Option<(Profile, bool)>> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let stored = get::<Profile>(&mut *tx, self.tenant(), system.as_str()).await?;
        Ok(stored.map(|stored| {
            let route = catalogue.route(system).ok();
            let current = route.is_some_and(|route| stored.value.is_of(basis(route.integration)));
            (stored.value, current)
        }))
    }

    fn bench<'a>(
        &self,
        catalogue: &'a Catalogue,
        system: &SystemName,
        pause: &'a dyn Pause,
    ) -> Result<Bench<'a>> {
        let route = catalogue.route(system)?;
        let declared = catalogue
            .systems
            .get(system)
            .ok_or_else(|| EngineError::NotFound { kind: "system", name: system.to_string() })?;
        let capability = route.connector.capability();
        if !capability.writes_accounts || capability.by_person.is_some() {
            let message =
                format!("`{system}` has no accounts that a program can make; there is nothing to probe");
            return Err(ConnectorError::none(ErrorKind::Unsupported, message).into());
        }
        let group = catalogue.entitlements.values().find_map(|e| {
            let ordinary =
                e.name.system() == *system && e.class == AccessClass::DirectGroups && !e.privileged;
            e.external_id.clone().filter(|_| ordinary)
        });
        Ok(Bench {
            integration: route.integration,
            system: declared,
            connector: &**route.connector,
            line: self.writing(catalogue, route.integration).lenient(),
            reader: self.witnessing(catalogue, route.integration).0,
            group,
            pause,
        })
    }

    /// Records that a canary is about to be made.
    async fn note(
        &self,
        bench: &Bench<'_>,
        before: Option<Stored<Profile>>,
        marker: &str,
        by: &Actor,
    ) -> Result<Stored<Profile>> {
        let profile = match &before {
            Some(stored) => Profile { canary: Some(marker.to_owned()), ..stored.value.clone() },
            None => bench.profile(Learned::default(), self.now(), by, Some(marker.to_owned())),
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

    async fn conclude_probe(
        &self,
        bench: &Bench<'_>,
        begun: Stored<Profile>,
        learned: Learned,
        kept: Option<String>,
        by: &Actor,
        failed: Option<&EngineError>,
    ) -> Result<Profile> {
        let profile = match failed {
            None => bench.profile(learned, self.now(), by, kept),
            // What was known before is still the best that is known.
            Some(_) => Profile { canary: kept, ..begun.value },
        };
        let mut record = self
            .record(RecordKind::Probed, "probe")
            .fact("outcome", failed.map_or("learned", EngineError::code))
            .fact("profile", Digest::of_value(&profile))
            .fact("system", &bench.system.name);
        record.actor = by.clone();
        let update = Update::new(record).replace(&profile, begun.revision, self.entropy());
        let mut tx = self.begin().await?;
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(profile)
    }
}

/// Identifies what a profile was learned with.
pub(crate) fn basis(integration: &Integration) -> Digest {
    Digest::of_value(&(&integration.connector, &integration.endpoint, &integration.settings))
}

fn suffix(entropy: &dyn Entropy) -> String {
    let salt = entropy.salt();
    salt[..6].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// What a probe works with.
struct Bench<'a> {
    integration: &'a Integration,
    system: &'a System,
    connector: &'a dyn Connector,
    line: Line,
    reader: Line,
    /// The system's id of an ordinary group.
    group: Option<String>,
    pause: &'a dyn Pause,
}

/// What was learned.
struct Learned {
    ways: Vec<Way>,
    honours: BTreeMap<String, bool>,
    keeps: BTreeSet<AccessClass>,
    deletes: Deletion,
}

impl Default for Learned {
    fn default() -> Self {
        let deletes = Deletion::Refused { code: "not-probed".into() };
        Self { ways: Vec::new(), honours: BTreeMap::new(), keeps: BTreeSet::new(), deletes }
    }
}

impl Bench<'_> {
    fn profile(&self, learned: Learned, at: Timestamp, by: &Actor, canary: Option<String>) -> Profile {
        let by = match by {
            Actor::Hub(name)
            | Actor::Operator(name)
            | Actor::Source(name)
            | Actor::Policy(name)
            | Actor::Integration(name) => name,
        };
        Profile {
            system: self.system.name.clone(),
            integration: self.integration.name.clone(),
            basis: basis(self.integration),
            at,
            by: by.clone(),
            canary,
            ways: learned.ways,
            honours: learned.honours,
            keeps: learned.keeps,
            deletes: learned.deletes,
        }
    }

    /// Waits until a reader sees what was changed.
    async fn settle(&self) {
        let lag = self.connector.capability().read_lag_ms;
        let window = u64::try_from(self.system.convergence_ms).unwrap_or(0);
        self.pause.pause(std::time::Duration::from_millis(lag.max(window))).await;
    }

    async fn change(
        &self,
        account: Option<&str>,
        op: &Op,
        key: &str,
    ) -> Result<Option<String>, ConnectorError> {
        on_canary(self.connector, &self.line, account, op, key).await
    }

    async fn state(&self, account: &str) -> Result<Option<ObjectState>, ConnectorError> {
        let found = self.connector.get(&self.reader, Locator::Account(account)).await?;
        Ok(found.map(|object| object.state))
    }

    async fn learn(&self, marker: &str, entropy: &dyn Entropy) -> Result<Learned> {
        let name = marker.trim_start_matches("bailiwick/");
        let attributes = canary_attributes(self.system, name);
        let create = Op::CreateAccount { marker: marker.to_owned(), attributes: attributes.clone() };
        let made = self.change(None, &create, &format!("{name}.create")).await?;
        self.settle().await;
        let account = match made {
            Some(id) => id,
            None => {
                let found = self.connector.get(&self.reader, Locator::AccountMarked(marker)).await?;
                let lost =
                    || ConnectorError::none(ErrorKind::NotFound, "the canary was made and is not there");
                found.ok_or_else(lost)?.id.into_owned()
            }
        };
        let honours = self.attributes(&account, name, &attributes).await?;
        if let Some(group) = &self.group {
            let grant = Op::Grant { class: AccessClass::DirectGroups, external_id: group.clone() };
            // That no group can be given is not what is probed.
            let _ = self.change(Some(&account), &grant, &format!("{name}.grant")).await;
        }
        let issued = self.credentials(&account, entropy).await?;
        let (ways, keeps) = self.ways(&account, name, &issued).await?;
        let deletes = match self.change(Some(&account), &Op::Delete, &format!("{name}.delete")).await {
            Err(error) => Deletion::Refused { code: refusal(error)? },
            Ok(_) => {
                self.settle().await;
                match self.state(&account).await? {
                    None => Deletion::Gone,
                    Some(ObjectState::Blocked) => Deletion::Blocked,
                    Some(ObjectState::Live) => Deletion::Nothing,
                }
            }
        };
        Ok(Learned { ways, honours, keeps, deletes })
    }

    /// Changes each attribute but the sign-in name, and looks.
    async fn attributes(
        &self,
        account: &str,
        name: &str,
        attributes: &AccountAttributes,
    ) -> Result<BTreeMap<String, bool>> {
        let mut sent = BTreeMap::new();
        for (attribute, value) in attributes.iter().filter(|(attribute, _)| *attribute != "userName") {
            let AccountValue::Text(text) = value else { continue };
            let changed: AccountAttributes =
                [(attribute.clone(), AccountValue::Text(format!("x{text}")))].into();
            let set = Op::SetAttributes { attributes: changed.clone() };
            match self.change(Some(account), &set, &format!("{name}.set.{attribute}")).await {
                Ok(_) => drop(sent.insert(attribute.clone(), Some(changed))),
                Err(error) => {
                    refusal(error)?;
                    sent.insert(attribute.clone(), None);
                }
            }
        }
        self.settle().await;
        let found = self.connector.get(&self.reader, Locator::Account(account)).await?;
        let there = |changed: Option<AccountAttributes>| {
            changed.zip(found.as_ref()).is_some_and(|(changed, object)| bears(object, &changed))
        };
        Ok(sent.into_iter().map(|(attribute, changed)| (attribute, there(changed))).collect())
    }

    /// Gives the canary a credential of each class that can be tried, and keeps those that work.
    async fn credentials(&self, account: &str, entropy: &dyn Entropy) -> Result<Vec<Issued>> {
        let mut issued = Vec::new();
        for class in self.connector.capability().tries.clone() {
            // Long, with every kind of sign: what policies on passwords ask for.
            let secret = Secret::new(format!("Canary-{}-{}", suffix(entropy), suffix(entropy)));
            match self.connector.issue(&self.line, account, class, secret).await {
                Ok(one) => issued.push(one),
                Err(error) => drop(refusal(error)?),
            }
        }
        self.settle().await;
        let mut working = Vec::new();
        for one in issued {
            if self.connector.attempt(&self.line, &one).await? == Entry::Accepted {
                working.push(one);
            }
        }
        Ok(working)
    }

    async fn ways(
        &self,
        account: &str,
        name: &str,
        issued: &[Issued],
    ) -> Result<(Vec<Way>, BTreeSet<AccessClass>)> {
        let (mut ways, mut keeps) = (Vec::new(), BTreeSet::new());
        let titles = self.connector.capability().disable_ways.clone();
        for (place, title) in titles.iter().enumerate() {
            let way = u8::try_from(place).unwrap_or(u8::MAX);
            let mut turned_away = BTreeSet::new();
            let disable = Op::Disable { way };
            let effect = match self.change(Some(account), &disable, &format!("{name}.way{way}")).await {
                Err(error) => WayEffect::Refused { code: refusal(error)? },
                Ok(_) => {
                    self.settle().await;
                    let mut let_in = BTreeSet::new();
                    for one in issued {
                        match self.connector.attempt(&self.line, one).await? {
                            Entry::Accepted => let_in.insert(one.class),
                            Entry::Rejected => turned_away.insert(one.class),
                        };
                    }
                    match self.state(account).await? {
                        Some(ObjectState::Live) => WayEffect::Nothing,
                        Some(ObjectState::Blocked) | None if let_in.is_empty() => WayEffect::Blocks,
                        Some(ObjectState::Blocked) | None => WayEffect::LetsIn { classes: let_in },
                    }
                }
            };
            if effect == WayEffect::Blocks {
                keeps.extend(self.kept(account).await?);
            }
            ways.push(Way { name: (*title).to_owned(), effect, turned_away });
            if place + 1 == titles.len() {
                break;
            }
            // So that the next way has something to do. A refusal shows as an account that reads as blocked.
            let _ = self.change(Some(account), &Op::Enable, &format!("{name}.enable{way}")).await;
            self.settle().await;
        }
        Ok((ways, keeps))
    }

    /// The classes of which the disabled canary still holds something that works.
    async fn kept(&self, account: &str) -> Result<BTreeSet<AccessClass>> {
        let mut kept = BTreeSet::new();
        for class in self.connector.capability().observes.clone() {
            if class == AccessClass::PrimaryAccount || !self.system.classes.contains(&class) {
                continue;
            }
            let at = self.reader.now();
            let seen = held(self.connector, &self.reader, Witness::Writer, account, class, at).await?;
            if seen.held.iter().any(|thing| thing.live) {
                kept.insert(class);
            }
        }
        Ok(kept)
    }

    /// Removes the canary with this marker, if it is there.
    async fn remove(&self, marker: &str) -> Result<()> {
        let Some(found) = self.connector.get(&self.reader, Locator::AccountMarked(marker)).await? else {
            return Ok(());
        };
        let key = format!("{}.remove", marker.trim_start_matches("bailiwick/"));
        self.change(Some(&found.id), &Op::Delete, &key).await?;
        self.settle().await;
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

/// The code of a refusal; anything that says nothing about the system's mind goes up.
fn refusal(error: ConnectorError) -> Result<String, ConnectorError> {
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

/// What the canary is given for each attribute that accounts of the system have.
fn canary_attributes(system: &System, name: &str) -> AccountAttributes {
    let filled = system.account.iter().map(|(attribute, template)| {
        let wants_mail = template.contains("mail") || attribute.to_ascii_lowercase().contains("mail");
        let value = if wants_mail { format!("{name}@canary.invalid") } else { name.to_owned() };
        (attribute.clone(), AccountValue::Text(value))
    });
    filled.collect()
}
