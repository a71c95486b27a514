//! Configuration as code: what would change, and changing it.

use std::collections::BTreeMap;

use bailiwick_core::{
    automation::Automation,
    digest::Digest,
    id::{SystemName, Tenant},
    integration::{Integration, Role},
    policy::PolicyFile,
    record::{Actor, Record, RecordKind},
    system::{Entitlement, System},
};
use bailiwick_store::{Entity, Row, Select, Stored, Tx, Update, select};
use serde::{Deserialize, Serialize};

use crate::{Catalogue, Engine, EngineError, Job, Result, catalogue::validate};

/// Everything that is declared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Configuration {
    /// The systems.
    pub systems: Vec<System>,
    /// The entitlements.
    pub entitlements: Vec<Entitlement>,
    /// The integrations.
    pub integrations: Vec<Integration>,
    /// What systems do by themselves.
    pub automations: Vec<Automation>,
    /// The policies.
    pub policies: Vec<PolicyFile>,
}

/// One line of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffLine {
    /// `+`, `-` or `~`.
    pub sign: char,
    /// `system`, `entitlement`, `integration`, `automation` or `policy`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What changes in it, a line each.
    pub detail: Vec<String>,
}

/// What a configuration would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChange {
    /// The difference; empty when nothing would change.
    pub lines: Vec<DiffLine>,
    /// Identifies the change: what is applied is what was seen.
    pub digest: Digest,
}

impl Engine {
    /// What the configuration would change. Writes nothing. Fails when the configuration is not valid.
    pub async fn configuration_change(&self, wanted: &Configuration) -> Result<ConfigChange> {
        validate(self, wanted)?;
        let mut tx = self.read().await?;
        Ok(self.difference(&mut *tx, wanted).await?.0)
    }

    /// Makes the configuration so. Fails with `configuration-changed` when the change is not the one that was
    /// `seen`. A change of what should be held is decided for everybody; new systems are reconciled.
    pub async fn configure(&self, wanted: &Configuration, seen: Digest, by: Actor) -> Result<ConfigChange> {
        validate(self, wanted)?;
        let mut tx = self.begin().await?;
        let (change, updates) = self.difference(&mut *tx, wanted).await?;
        if change.digest != seen {
            return Err(EngineError::ConfigurationChanged);
        }
        if change.lines.is_empty() {
            return Ok(change);
        }
        let touches = |kinds: &[&str]| change.lines.iter().any(|l| kinds.contains(&l.kind.as_str()));
        let updates = updates.into_iter().map(|mut u| {
            u.record.actor = by.clone();
            u
        });
        let before = self.catalogue(&mut *tx).await?;
        tx.write(self.tenant(), updates.collect(), self.entropy()).await?;
        for system in now_readable(self, &before, wanted)? {
            self.read_what_was_attested(&mut *tx, &system).await?;
        }
        let mut jobs = Vec::new();
        if touches(&["system", "entitlement", "integration"]) {
            for system in &wanted.systems {
                jobs.push(Job::Reconcile { system: system.name.clone() }.work(None, None, false, self.now()));
            }
        }
        jobs.push(Job::Redecide { cause: change.digest.short(), after: None }.work(
            None,
            None,
            false,
            self.now(),
        ));
        self.enqueue(&mut *tx, jobs).await?;
        tx.commit().await?;
        Ok(change)
    }

    async fn difference(
        &self,
        tx: &mut dyn Tx,
        wanted: &Configuration,
    ) -> Result<(ConfigChange, Vec<Update>)> {
        let mut out = Difference { engine: self, lines: Vec::new(), updates: Vec::new() };
        let tenant = self.tenant();
        let before = current::<System>(tx, tenant).await?;
        out.compare("system", before, &wanted.systems, |_, wanted| wanted.clone());
        let before = current::<Entitlement>(tx, tenant).await?;
        // What the system called it is not configuration; a new label has to be found again.
        out.compare("entitlement", before, &wanted.entitlements, |before, wanted| Entitlement {
            external_id: before.external_id.clone().filter(|_| before.label == wanted.label),
            ..wanted.clone()
        });
        let before = current::<Integration>(tx, tenant).await?;
        // Applying a file does not lift a quarantine.
        out.compare("integration", before, &wanted.integrations, |before, wanted| Integration {
            standing: before.standing.clone(),
            ..wanted.clone()
        });
        let before = current::<Automation>(tx, tenant).await?;
        out.compare("automation", before, &wanted.automations, |_, wanted| wanted.clone());
        let before = current::<PolicyFile>(tx, tenant).await?;
        out.compare("policy", before, &wanted.policies, |_, wanted| wanted.clone());
        let digest = Digest::of_value(&(&out.lines, out.updates.iter().map(bodies).collect::<Vec<_>>()));
        Ok((ConfigChange { lines: out.lines, digest }, out.updates))
    }
}

/// The systems that only a person could look at, and that a program reads from now on.
fn now_readable(engine: &Engine, before: &Catalogue, wanted: &Configuration) -> Result<Vec<SystemName>> {
    let mut out = Vec::new();
    for integration in &wanted.integrations {
        let Role::Target { system } = &integration.role else { continue };
        let asked = before.route(system).is_ok_and(|r| r.connector.capability().by_person.is_some());
        let connector = (engine.parts.build)(&integration.connector, &integration.settings)?;
        if asked && connector.capability().by_person.is_none() {
            out.push(system.clone());
        }
    }
    Ok(out)
}

/// What an update writes, without ids and salts that differ each time.
fn bodies(update: &Update) -> Vec<String> {
    let body = |row: &Row| String::from_utf8_lossy(&row.body).into_owned();
    update
        .writes
        .iter()
        .map(|w| match w {
            bailiwick_store::Write::Insert(_, row) | bailiwick_store::Write::Replace(_, row) => body(row),
            bailiwick_store::Write::Delete(_, id, _) => id.clone(),
        })
        .collect()
}

async fn current<T: Entity>(tx: &mut dyn Tx, tenant: &Tenant) -> Result<BTreeMap<String, Stored<T>>> {
    let all = select::<T>(tx, tenant, Select::from(T::TABLE)).await?;
    Ok(all.into_iter().map(|s| (s.value.key(), s)).collect())
}

struct Difference<'a> {
    engine: &'a Engine,
    lines: Vec<DiffLine>,
    updates: Vec<Update>,
}

impl Difference<'_> {
    fn compare<T: Entity + PartialEq>(
        &mut self,
        kind: &'static str,
        mut before: BTreeMap<String, Stored<T>>,
        wanted: &[T],
        merge: impl Fn(&T, &T) -> T,
    ) {
        let entropy = self.engine.entropy();
        for value in wanted {
            let name = value.key();
            match before.remove(&name) {
                None => {
                    let detail = detail(&serde_json::Value::Null, value);
                    let record = self.note(kind, &name, '+', detail);
                    self.updates.push(Update::new(record).insert(value, entropy));
                }
                Some(stored) => {
                    let merged = merge(&stored.value, value);
                    if merged != stored.value {
                        let old = serde_json::to_value(&stored.value).unwrap_or_default();
                        let detail = detail(&old, &merged);
                        let record = self.note(kind, &name, '~', detail);
                        self.updates.push(Update::new(record).replace(&merged, stored.revision, entropy));
                    }
                }
            }
        }
        for (name, stored) in before {
            let record = self.note(kind, &name, '-', Vec::new());
            self.updates.push(Update::new(record).delete::<T>(&name, stored.revision));
        }
    }

    fn note(&mut self, kind: &'static str, name: &str, sign: char, detail: Vec<String>) -> Record {
        let record = self
            .engine
            .record(RecordKind::Configured, "configure")
            .fact("change", sign.to_string())
            .fact("kind", kind)
            .fact("name", name);
        self.lines.push(DiffLine { sign, kind: kind.to_owned(), name: name.to_owned(), detail });
        record
    }
}

/// The fields of `value` that differ from `before`, as `name: old → new`.
fn detail<T: Serialize>(before: &serde_json::Value, value: &T) -> Vec<String> {
    let Ok(serde_json::Value::Object(after)) = serde_json::to_value(value) else { return Vec::new() };
    after
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "name" | "path"))
        .filter_map(|(name, new)| match before.get(name) {
            Some(old) if old == new => None,
            Some(old) => Some(format!("{name}: {} → {}", brief(old), brief(new))),
            None if new.is_null() => None,
            None => Some(format!("{name}: {}", brief(new))),
        })
        .collect()
}

fn brief(value: &serde_json::Value) -> String {
    let text = match value {
        serde_json::Value::String(text) if text.contains('\n') => format!("{} lines", text.lines().count()),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= 80 { text } else { text.chars().take(79).chain(['…']).collect() }
}
