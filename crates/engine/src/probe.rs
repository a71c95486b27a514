//! Probing: learns on a canary how a system really behaves, and keeps it.
//!
//! The canary is made, changed, given an ordinary group and the credentials that the connector can try; then
//! each way of disabling is tried, read back and, where there is a credential, tried from outside; at last it
//! is deleted. Where the connector can write a change in several forms, they are tried in its order until one
//! does all, and the best one is used for what follows.
//!
//! A call outside of the integration's scope is not sent and does not stop the integration here: that a way
//! is not allowed is a thing to learn.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bailiwick_connector::{Connector, ConnectorError, Entry, ErrorKind, Issued, Locator, ObjectState, Pause};
use bailiwick_core::{
    access::AccessClass,
    account::{AccountAttributes, AccountValue},
    digest::Digest,
    id::{Entropy, SystemName},
    integration::Integration,
    plan::Op,
    profile::{self, Deletion, Form, Profile, Way, WayEffect},
    record::{Actor, RecordKind},
    time::Timestamp,
    verify::Witness,
};
use bailiwick_store::{NewWork, Stored, Tx, Update, Work, get};

use crate::{
    Engine, EngineError, Haste, Job, Result,
    alone::Alone,
    canary::{Bench, Cannot, FAILED_MS, MARKER, canary_attributes, refusal, suffix},
    observe::{bears, held},
    reconcile::next,
};

impl Engine {
    /// Learns how a system behaves. It takes as long as the system needs to show each change; `pause` waits.
    ///
    /// # Errors
    /// When the system cannot be reached, when the connector makes no accounts there, and when not even the
    /// canary can be made.
    pub async fn probe(&self, system: &SystemName, by: Actor, pause: &dyn Pause) -> Result<Profile> {
        let alone = self.alone("probe", system).await?;
        let outcome = self.probe_alone(system, by, pause, &alone).await;
        // Whoever could not write before cannot do it now; the hold runs out by itself.
        let freed = self.let_go(alone).await;
        let profile = outcome?;
        freed?;
        Ok(profile)
    }

    async fn probe_alone(
        &self,
        system: &SystemName,
        by: Actor,
        pause: &dyn Pause,
        alone: &Alone,
    ) -> Result<Profile> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let before = get::<Profile>(&mut *tx, self.tenant(), system.as_str()).await?;
        drop(tx);
        let mut bench = self.bench(&catalogue, system, pause, alone)?;
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

    /// A connector of the integration that writes in these forms.
    pub(crate) fn fresh(&self, integration: &Integration, forms: &[String]) -> Result<Arc<dyn Connector>> {
        let connector = (self.parts.build)(&integration.connector, &integration.settings)?;
        connector.adopt(forms);
        Ok(connector)
    }

    async fn learn(&self, bench: &mut Bench<'_>, marker: &str) -> Result<Learned> {
        let name = marker.trim_start_matches("bailiwick/");
        let attributes = canary_attributes(bench.system, name);
        let mut account = bench.make_canary(marker, name, &attributes).await?;
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
                account = bench.make_canary(marker, &other, &canary_attributes(bench.system, &other)).await?;
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
        if failed.is_none() {
            let job = Job::Probe { system: bench.system.name.clone(), after: profile.at };
            let due = next(profile.at, bench.system.probe_every_ms);
            self.enqueue(&mut *tx, vec![job.work(None, None, Haste::Usual, due)]).await?;
        }
        tx.commit().await?;
        Ok(profile)
    }

    /// What there is to do about a profile that was learned with another connector, endpoint or settings.
    pub(crate) async fn stale_profile(
        &self,
        tx: &mut dyn Tx,
        integration: &Integration,
        system: &SystemName,
    ) -> Result<Option<NewWork>> {
        let profile = get::<Profile>(tx, self.tenant(), system.as_str()).await?.map(|stored| stored.value);
        let stale = profile.filter(|profile| !profile.is_of(basis(integration)));
        let job = stale.map(|profile| Job::Probe { system: system.clone(), after: profile.at });
        Ok(job.map(|job| job.work(None, None, Haste::Usual, self.now())))
    }

    /// Probes again, if no other probe was made since that one. A system that was never probed is not probed on
    /// schedule: that somebody may make accounts there is for a person to say.
    pub(crate) async fn probe_item(&self, item: &Work, system: &SystemName, after: Timestamp) -> Result<()> {
        let mut tx = self.read().await?;
        let last = get::<Profile>(&mut *tx, self.tenant(), system.as_str()).await?.map(|s| s.value.at);
        drop(tx);
        let probe =
            async || self.probe(system, Actor::Hub("probe".into()), &*self.parts.pause).await.map(drop);
        let cannot = Cannot { code: "cannot-probe", done: "probed", again_ms: FAILED_MS };
        self.on_schedule(item, system, cannot, last == Some(after), probe).await
    }
}

/// Why a way of disabling is not tried: the connector knows that it has no effect there.
const IDLE: &str = "way-without-effect";

/// Identifies what a profile was learned with.
pub(crate) fn basis(integration: &Integration) -> Digest {
    Digest::of_value(&(&integration.connector, &integration.endpoint, &integration.settings))
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

/// A profile that says nothing yet.
pub(crate) fn blank(bench: &Bench<'_>, at: Timestamp, by: &Actor, canary: Option<String>) -> Profile {
    bench.profile(Learned::default(), at, by, canary)
}

impl Bench<'_> {
    fn profile(&self, learned: Learned, at: Timestamp, by: &Actor, canary: Option<String>) -> Profile {
        Profile {
            system: self.system.name.clone(),
            integration: self.integration.name.clone(),
            basis: basis(self.integration),
            at,
            by: by.name().to_owned(),
            canary,
            forms: learned.forms,
            ways: learned.ways,
            honours: learned.honours,
            keeps: learned.keeps,
            deletes: learned.deletes,
        }
    }

    /// Makes the canary, and gives its id.
    pub(crate) async fn make_canary(
        &self,
        marker: &str,
        name: &str,
        attributes: &AccountAttributes,
    ) -> Result<String> {
        let create = Op::CreateAccount { marker: marker.to_owned(), attributes: attributes.clone() };
        let made = self.change(None, &create, &format!("{name}.create")).await?;
        self.settle().await?;
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
            self.settle().await?;
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
        let (ways, keeps) = self.ways(account, name, &issued.working).await?;
        let deletes = match self.change(Some(account), &Op::Delete, &format!("{name}.delete")).await {
            Err(error) => Deletion::Refused { code: refusal(error)? },
            Ok(_) => {
                self.settle().await?;
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
        for (attribute, value) in attributes.iter().filter(|(attribute, _)| !self.is_name(attribute)) {
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
        self.settle().await?;
        let found = self.connector.get(&self.reader, Locator::Account(account)).await?;
        let there = |changed: Option<AccountAttributes>| {
            changed.zip(found.as_ref()).is_some_and(|(changed, object)| bears(object, &changed))
        };
        Ok(sent.into_iter().map(|(attribute, changed)| (attribute, there(changed))).collect())
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
            if self.connector.capability().idle_ways.contains(&way) {
                let effect = WayEffect::Refused { code: IDLE.to_owned() };
                ways.push(Way { name: (*title).to_owned(), effect, turned_away: BTreeSet::new() });
                continue;
            }
            let mut turned_away = BTreeSet::new();
            let disable = Op::Disable { way };
            let effect = match self.change(Some(account), &disable, &format!("{name}.way{way}")).await {
                Err(error) => WayEffect::Refused { code: refusal(error)? },
                Ok(_) => {
                    self.settle().await?;
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
            self.settle().await?;
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
}
