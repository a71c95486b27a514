//! Probing: learns on a canary how a system really behaves, and keeps it.
//!
//! The canary is an account that belongs to nobody. It is made, changed, given an ordinary group and the
//! credentials that the connector can try; then each way of disabling is tried, read back and, where there
//! is a credential, tried from outside; at last it is deleted. Where the connector can write a change in several
//! forms, they are tried in its order until one does all, and the best one is used for what follows. That a canary is there is recorded before it
//! is made, so that one which a dead process left behind is removed by the next probe.
//!
//! A call outside of the integration's scope is not sent and does not stop the integration here: that a way
//! is not allowed is a thing to learn. Nothing here touches an account that is not the canary.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bailiwick_connector::{
    AccountWrite, Connector, ConnectorError, Entry, ErrorKind, Issued, Line, Locator, ObjectState, Pause,
    seal::Secret,
};
use bailiwick_core::{
    access::AccessClass,
    account::{AccountAttributes, AccountValue},
    digest::Digest,
    id::{Entropy, SystemName},
    integration::Integration,
    plan::Op,
    profile::{self, Deletion, Form, Profile, Way, WayEffect},
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
        let mut bench = self.bench(&catalogue, system, pause)?;
        if let Some(left) = before.as_ref().and_then(|stored| stored.value.canary.clone()) {
            bench.remove(&left).await?;
        }
        let marker = format!("{MARKER}{}", suffix(self.entropy()));
        let begun = self.note(&bench, before, &marker, &by).await?;
        let learned = self.learn(&mut bench, &marker).await;
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
        // A canary is made, and goes again.
        let goes = [AccountWrite::Create, AccountWrite::Delete].iter().all(|w| capability.writes.contains(w));
        if !goes || capability.by_person.is_some() {
            let message = format!(
                "`{system}` has no accounts that a program can make and remove; there is nothing to probe"
            );
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
            // One that knows of no profile.
            connector: self.fresh(route.integration, &[])?,
            line: self.writing(catalogue, route.integration).lenient(),
            reader: self.reading(catalogue, route.integration).0,
            group,
            pause,
        })
    }

    /// A connector of the integration that writes in these forms.
    fn fresh(&self, integration: &Integration, forms: &[String]) -> Result<Arc<dyn Connector>> {
        let connector = (self.parts.build)(&integration.connector, &integration.settings)?;
        connector.adopt(forms);
        Ok(connector)
    }

    async fn learn(&self, bench: &mut Bench<'_>, marker: &str) -> Result<Learned> {
        let name = marker.trim_start_matches("bailiwick/");
        let attributes = canary_attributes(bench.system, name);
        let mut account = bench.make(marker, name, &attributes).await?;
        let forms = self.forms(bench, &account, name, &attributes).await?;
        let honours = match profile::best(&forms) {
            Some(best) => best.honours.clone(),
            None => bench.attributes(&account, name, &attributes, 0).await?,
        };
        if !forms.is_empty() {
            bench.connector = self.fresh(bench.integration, &profile::adopted(&forms))?;
            if bench.state(&account).await? != Some(ObjectState::Live) {
                // One that cannot be used shows of no way whether it disables.
                bench.remove(marker).await?;
                let other = format!("{name}b");
                account = bench.make(marker, &other, &canary_attributes(bench.system, &other)).await?;
            }
        }
        let Rest { ways, keeps, deletes } = bench.rest(&account, name, self.entropy()).await?;
        Ok(Learned { forms, ways, honours, keeps, deletes })
    }

    /// Writes changes in each form that the connector knows, until one does all.
    async fn forms(
        &self,
        bench: &Bench<'_>,
        account: &str,
        name: &str,
        attributes: &AccountAttributes,
    ) -> Result<Vec<Form>> {
        let mut seen = Vec::new();
        for (place, form) in bench.connector.capability().forms.clone().into_iter().enumerate() {
            let connector = self.fresh(bench.integration, &[form.name.to_owned()])?;
            let bench = Bench { connector, ..bench.clone() };
            let key = format!("{name}.form{place}");
            let honours = bench.attributes(account, &key, attributes, place).await?;
            let (disables, enables) = bench.turns(account, &key, form.way).await?;
            seen.push(Form { name: form.name.to_owned(), honours, disables, enables });
            if seen.last().is_some_and(Form::does_all) {
                break;
            }
        }
        Ok(seen)
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
#[derive(Clone)]
struct Bench<'a> {
    integration: &'a Integration,
    system: &'a System,
    connector: Arc<dyn Connector>,
    line: Line,
    reader: Line,
    /// The system's id of an ordinary group.
    group: Option<String>,
    pause: &'a dyn Pause,
}

/// What is learned after it is known in which form to write.
struct Rest {
    ways: Vec<Way>,
    keeps: BTreeSet<AccessClass>,
    deletes: Deletion,
}

/// What was learned.
struct Learned {
    forms: Vec<Form>,
    ways: Vec<Way>,
    honours: BTreeMap<String, bool>,
    keeps: BTreeSet<AccessClass>,
    deletes: Deletion,
}

impl Default for Learned {
    fn default() -> Self {
        let deletes = Deletion::Refused { code: "not-probed".into() };
        Self {
            forms: Vec::new(),
            ways: Vec::new(),
            honours: BTreeMap::new(),
            keeps: BTreeSet::new(),
            deletes,
        }
    }
}

impl Bench<'_> {
    fn profile(&self, learned: Learned, at: Timestamp, by: &Actor, canary: Option<String>) -> Profile {
        let by = match by {
            Actor::Hub(name) | Actor::Operator(name) | Actor::Source(name) | Actor::Policy(name) => name,
        };
        Profile {
            system: self.system.name.clone(),
            integration: self.integration.name.clone(),
            basis: basis(self.integration),
            at,
            by: by.clone(),
            canary,
            forms: learned.forms,
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
        on_canary(&*self.connector, &self.line, account, op, key).await
    }

    async fn state(&self, account: &str) -> Result<Option<ObjectState>, ConnectorError> {
        let found = self.connector.get(&self.reader, Locator::Account(account)).await?;
        Ok(found.map(|object| object.state))
    }

    /// Makes the canary, and gives its id.
    async fn make(&self, marker: &str, name: &str, attributes: &AccountAttributes) -> Result<String> {
        let create = Op::CreateAccount { marker: marker.to_owned(), attributes: attributes.clone() };
        let made = self.change(None, &create, &format!("{name}.create")).await?;
        self.settle().await;
        match made {
            Some(id) => Ok(id),
            None => {
                let found = self.connector.get(&self.reader, Locator::AccountMarked(marker)).await?;
                let lost =
                    || ConnectorError::none(ErrorKind::NotFound, "the canary was made and is not there");
                Ok(found.ok_or_else(lost)?.id.into_owned())
            }
        }
    }

    /// Disables the account and enables it again, by a way that acts in the form that is adopted. Whether it
    /// read as blocked, and as usable again.
    async fn turns(&self, account: &str, key: &str, way: u8) -> Result<(bool, bool)> {
        let turn = async |op: &Op, step: &str, wanted: ObjectState| -> Result<bool> {
            if let Err(error) = self.change(Some(account), op, &format!("{key}.{step}")).await {
                refusal(error)?;
                return Ok(false);
            }
            self.settle().await;
            Ok(self.state(account).await? == Some(wanted))
        };
        // A form before may have disabled it and not enabled it: one that does both says so of itself.
        let live = self.state(account).await? == Some(ObjectState::Live)
            || turn(&Op::Enable, "free", ObjectState::Live).await?;
        if !live || !turn(&Op::Disable { way }, "off", ObjectState::Blocked).await? {
            return Ok((false, false));
        }
        Ok((true, turn(&Op::Enable, "on", ObjectState::Live).await?))
    }

    /// Learns what disabling and deleting do.
    async fn rest(&self, account: &str, name: &str, entropy: &dyn Entropy) -> Result<Rest> {
        if let Some(group) = &self.group {
            let grant = Op::Grant { class: AccessClass::DirectGroups, external_id: group.clone() };
            // That no group can be given is not what is probed.
            let _ = self.change(Some(account), &grant, &format!("{name}.grant")).await;
        }
        let issued = self.credentials(account, entropy).await?;
        let (ways, keeps) = self.ways(account, name, &issued).await?;
        let deletes = match self.change(Some(account), &Op::Delete, &format!("{name}.delete")).await {
            Err(error) => Deletion::Refused { code: refusal(error)? },
            Ok(_) => {
                self.settle().await;
                match self.state(account).await? {
                    None => Deletion::Gone,
                    Some(ObjectState::Blocked) => Deletion::Blocked,
                    Some(ObjectState::Live) => Deletion::Nothing,
                }
            }
        };
        Ok(Rest { ways, keeps, deletes })
    }

    /// Changes each attribute but the sign-in name, and looks. At another `place` it becomes another value, so
    /// that what was there already is not taken for a change.
    async fn attributes(
        &self,
        account: &str,
        name: &str,
        attributes: &AccountAttributes,
        place: usize,
    ) -> Result<BTreeMap<String, bool>> {
        let mut sent = BTreeMap::new();
        for (attribute, value) in attributes.iter().filter(|(attribute, _)| *attribute != "userName") {
            let AccountValue::Text(text) = value else { continue };
            let changed: AccountAttributes =
                [(attribute.clone(), AccountValue::Text(format!("{}{text}", "x".repeat(place + 1))))].into();
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
            let seen = held(&*self.connector, &self.reader, Witness::Writer, account, class, at).await?;
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
