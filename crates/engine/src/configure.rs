//! Configuration as code: what would change, and changing it.

use std::collections::BTreeMap;

use bailiwick_connector::Capability;
use bailiwick_core::{
    authority::{self, Authority, Class, Semantics, World},
    automation::Automation,
    digest::{Digest, canonical},
    exception::GlassCase,
    gate::HUB,
    govern::{Entries, attributes, cause, declared_value},
    id::{IntegrationName, PlanId, Tenant},
    integration::{self, Integration, Role},
    person::Ties,
    plan::Question,
    policy::{PolicyFile, PolicySet},
    record::Actor,
    resource::{ResourceType, SubjectType},
    scope::Comparison,
    system::{Entitlement, System},
};
use bailiwick_store::{Entity, Select, Stored, Tx, entities::Operator, select};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Catalogue, Doing, Engine, EngineError, Result, catalogue::validate};

/// The widest that a value is shown in a diff.
const WIDTH: usize = 80;

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
    /// Who is the same person as whom, and who acts for whom.
    pub ties: Vec<Ties>,
    /// The cases in which the glass may be broken.
    pub glass_cases: Vec<GlassCase>,
    /// The kinds of subjects that may be asked about at request time.
    pub subjects: Vec<SubjectType>,
    /// The kinds of resources that may be asked about at request time.
    pub resources: Vec<ResourceType>,
}

/// One line of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiffLine {
    /// `+`, `-`, `~`, or `!` for an integration that is declared as before and can do more.
    pub sign: char,
    /// `system`, `entitlement`, `integration`, `automation`, `policy`, `ties`, `break-glass`, `subject` or `resource`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What changes in it, a line each.
    pub detail: Vec<String>,
}

/// What a configuration would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigChange {
    /// The difference; empty when nothing would change.
    pub lines: Vec<DiffLine>,
    /// Identifies the change: what is applied is what was seen.
    pub digest: Digest,
    /// The plans that wait for people; everything else has taken effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
}

/// A plan about the hub itself that waits for an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// The plan.
    pub plan: PlanId,
    /// The integration that it is about, or the hub.
    pub subject: IntegrationName,
    /// What it asks.
    pub question: Question,
}

/// Who asks for a change.
#[derive(Debug, Clone)]
pub struct Requester {
    /// As evidence names them.
    pub actor: Actor,
    /// The operator, if a person asks.
    pub operator: Option<Operator>,
}

impl From<Actor> for Requester {
    fn from(actor: Actor) -> Self {
        Self { actor, operator: None }
    }
}

impl From<&Operator> for Requester {
    fn from(operator: &Operator) -> Self {
        Self { actor: Actor::Operator(operator.name.clone()), operator: Some(operator.clone()) }
    }
}

impl Engine {
    /// What is declared and in force. What an integration that has ended left behind is not declared any more.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn configuration(&self) -> Result<Configuration> {
        let mut tx = self.read().await?;
        let mut integrations = declared::<Integration>(&mut *tx, self.tenant()).await?;
        integrations.retain(|one| one.name.as_str() != HUB && !one.has_ended());
        Ok(Configuration {
            systems: declared(&mut *tx, self.tenant()).await?,
            entitlements: declared(&mut *tx, self.tenant()).await?,
            integrations,
            automations: declared(&mut *tx, self.tenant()).await?,
            policies: declared(&mut *tx, self.tenant()).await?,
            ties: declared(&mut *tx, self.tenant()).await?,
            glass_cases: declared(&mut *tx, self.tenant()).await?,
            subjects: declared(&mut *tx, self.tenant()).await?,
            resources: declared(&mut *tx, self.tenant()).await?,
        })
    }

    /// What the configuration would change, and what that does to the authority of integrations. Writes
    /// nothing. Fails when the configuration is not valid.
    pub fn configuration_change<'a>(&'a self, wanted: &'a Configuration) -> Doing<'a, ConfigChange> {
        Box::pin(async {
            let policies = validate(self, wanted)?;
            let mut tx = self.read().await?;
            Ok(self.difference(&mut *tx, wanted, &policies).await?.change())
        })
    }

    /// Asks for the configuration: a plan for each thing that changes. What the rules approve takes
    /// effect at once; what takes people waits for them. Fails with `configuration-changed` when the
    /// change is not the one that was `seen`.
    pub fn configure<'a>(
        &'a self,
        wanted: &'a Configuration,
        seen: Digest,
        by: impl Into<Requester>,
    ) -> Doing<'a, ConfigChange> {
        Box::pin(self.configure_as(wanted, seen, by.into()))
    }

    async fn configure_as(
        &self,
        wanted: &Configuration,
        seen: Digest,
        by: Requester,
    ) -> Result<ConfigChange> {
        let policies = validate(self, wanted)?;
        let mut tx = self.begin().await?;
        let difference = self.difference(&mut *tx, wanted, &policies).await?;
        let mut change = difference.change();
        if change.digest != seen {
            return Err(EngineError::ConfigurationChanged);
        }
        if difference.is_empty() {
            return Ok(change);
        }
        change.waiting = self.propose(&mut *tx, difference, &policies, &by).await?;
        tx.commit().await?;
        Ok(change)
    }

    async fn difference(
        &self,
        tx: &mut dyn Tx,
        wanted: &Configuration,
        policies: &PolicySet,
    ) -> Result<Difference> {
        let mut out = Difference::default();
        let tenant = self.tenant();
        out.compare("system", current::<System>(tx, tenant).await?, &wanted.systems, |_, wanted| {
            wanted.clone()
        });
        // What the system called it is not configuration; a new label has to be found again.
        let known = current::<Entitlement>(tx, tenant).await?;
        let learned = |wanted: &Entitlement| match known.get(wanted.name.as_str()) {
            Some(before) => wanted.knowing(&before.value),
            None => wanted.clone(),
        };
        let entitlements: Vec<Entitlement> = wanted.entitlements.iter().map(learned).collect();
        out.compare("entitlement", known, &entitlements, |_, wanted| wanted.clone());
        out.compare("policy", current::<PolicyFile>(tx, tenant).await?, &wanted.policies, |_, w| w.clone());
        let known = current::<Automation>(tx, tenant).await?;
        out.compare("automation", known, &wanted.automations, |_, wanted| wanted.clone());
        out.compare("ties", current::<Ties>(tx, tenant).await?, &wanted.ties, |_, wanted| wanted.clone());
        let known = current::<GlassCase>(tx, tenant).await?;
        out.compare("break-glass", known, &wanted.glass_cases, |_, wanted| wanted.clone());
        let known = current::<SubjectType>(tx, tenant).await?;
        out.compare("subject", known, &wanted.subjects, |_, wanted| wanted.clone());
        let known = current::<ResourceType>(tx, tenant).await?;
        out.compare("resource", known, &wanted.resources, |_, wanted| wanted.clone());
        let authorities = authorities(self, wanted, &entitlements, policies)?;
        let before = self.catalogue(tx).await?;
        let mut current = current::<Integration>(tx, tenant).await?;
        current.remove(HUB);
        for integration in &wanted.integrations {
            let mut stored = current.remove(integration.name.as_str());
            if stored.as_ref().is_some_and(|stored| stored.value.has_ended()) {
                if !self.proven_dead(tx, &integration.name).await? {
                    return Err(EngineError::Unproven(integration.name.clone()));
                }
                stored = None;
            }
            let authority = authorities.get(&integration.name).cloned().unwrap_or_default();
            out.integration(&before, stored, Some(integration.clone()), authority);
        }
        for (_, stored) in current.into_iter().filter(|(_, stored)| !stored.value.has_ended()) {
            out.integration(&before, Some(stored), None, Authority::default());
        }
        Ok(out)
    }
}

/// What every integration of a configuration can in effect do; `entitlements` are its own, with what was learned
/// of them.
pub(crate) fn authorities(
    engine: &Engine,
    configuration: &Configuration,
    entitlements: &[Entitlement],
    policies: &PolicySet,
) -> Result<BTreeMap<IntegrationName, Authority>> {
    let mut out = BTreeMap::new();
    for integration in &configuration.integrations {
        let connector = (engine.parts.build)(&integration.connector, &integration.settings)?;
        says_people(integration, connector.capability())?;
        says_who(integration, connector.capability())?;
        let semantics = semantics(connector.capability());
        let world = World {
            semantics: &semantics,
            entitlements,
            policies: policies.reads(),
            automations: &configuration.automations,
        };
        out.insert(integration.name.clone(), authority::compute(integration, world));
    }
    Ok(out)
}

/// A source says who is there: its connector lists people, or takes those that are pushed.
fn says_people(integration: &Integration, capability: &Capability) -> Result<()> {
    let Role::Source { contract, .. } = &integration.role else { return Ok(()) };
    let Integration { name, connector, .. } = integration;
    let wrong = match (capability.people, capability.pushed) {
        (false, false) => {
            format!("`{name}` is a source, and `{connector}` with these settings lists no people")
        }
        (_, true) if contract.read_every_minutes.is_some() => {
            format!("`{name}` pushes its people, so it has no `read_every_minutes`: nothing is read")
        }
        (true, _) | (_, true) => return Ok(()),
    };
    Err(EngineError::Configuration(vec![wrong]))
}

/// The log of a system says who did what: its connector reads one.
fn says_who(integration: &Integration, capability: &Capability) -> Result<()> {
    let Integration { name, connector, .. } = integration;
    match integration.role {
        Role::Log { .. } if !capability.audits => Err(EngineError::Configuration(vec![format!(
            "`{name}` is the log of a system, and `{connector}` with these settings reads none"
        )])),
        Role::Log { .. } | Role::Source { .. } | Role::Target { .. } | Role::Partner { .. } => Ok(()),
    }
}

pub(crate) fn semantics(capability: &Capability) -> Semantics {
    Semantics {
        writes_accounts: !capability.writes.is_empty(),
        grants: capability.grants.clone(),
        removes: capability.removes.clone(),
        issues: capability.tries.clone(),
    }
}

pub(crate) async fn current<T: Entity>(
    tx: &mut dyn Tx,
    tenant: &Tenant,
) -> Result<BTreeMap<String, Stored<T>>> {
    let all = select::<T>(tx, tenant, Select::from(T::TABLE)).await?;
    Ok(all.into_iter().map(|s| (s.value.key(), s)).collect())
}

async fn declared<T: Entity>(tx: &mut dyn Tx, tenant: &Tenant) -> Result<Vec<T>> {
    Ok(current::<T>(tx, tenant).await?.into_values().map(|stored| stored.value).collect())
}

/// One integration whose declaration differs from what is in force.
pub(crate) struct Declared {
    pub before: Option<Stored<Integration>>,
    pub wanted: Option<Integration>,
    pub authority: Authority,
}

/// What differs between a configuration and what is in force.
#[derive(Default)]
pub(crate) struct Difference {
    lines: Vec<DiffLine>,
    /// The hub's own parts that differ: what they are, and what they are to be.
    pub before: Entries,
    pub wanted: Entries,
    pub integrations: Vec<Declared>,
}

impl Difference {
    fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.integrations.is_empty()
    }

    fn change(&self) -> ConfigChange {
        let declared = self.integrations.iter().map(|d| d.wanted.as_ref().map(Integration::declared));
        let digest = Digest::of_value(&(&self.lines, &self.wanted, declared.collect::<Vec<_>>()));
        ConfigChange { lines: self.lines.clone(), digest, waiting: Vec::new() }
    }

    fn compare<T: Entity + PartialEq>(
        &mut self,
        kind: &'static str,
        mut before: BTreeMap<String, Stored<T>>,
        wanted: &[T],
        merge: impl Fn(&T, &T) -> T,
    ) {
        for value in wanted {
            let name = value.key();
            match before.remove(&name) {
                None => {
                    self.line(kind, &name, '+', detail(&Value::Null, value));
                    self.part(kind, &name, None, Some(value));
                }
                Some(stored) => {
                    let merged = merge(&stored.value, value);
                    if merged != stored.value {
                        let old = serde_json::to_value(&stored.value).unwrap_or_default();
                        self.line(kind, &name, '~', detail(&old, &merged));
                        self.part(kind, &name, Some(&stored.value), Some(&merged));
                    }
                }
            }
        }
        for (name, stored) in before {
            self.line(kind, &name, '-', Vec::new());
            self.part::<T>(kind, &name, Some(&stored.value), None);
        }
    }

    fn part<T: Entity>(&mut self, kind: &str, name: &str, before: Option<&T>, wanted: Option<&T>) {
        let text = |value: &T| String::from_utf8_lossy(&canonical(value)).into_owned();
        let key = format!("{kind}/{name}");
        self.before.insert(key.clone(), before.map(text));
        self.wanted.insert(key, wanted.map(text));
    }

    fn integration(
        &mut self,
        catalogue: &Catalogue,
        before: Option<Stored<Integration>>,
        wanted: Option<Integration>,
        authority: Authority,
    ) {
        let name = wanted.as_ref().or(before.as_ref().map(|b| &b.value)).map(|i| i.name.to_string());
        let Some(name) = name else { return };
        let (old, new) = (before.as_ref().map(|b| &b.value), wanted.as_ref());
        let known = old.and_then(|i| catalogue.authority(&i.name)).cloned().unwrap_or_default();
        let sign = match (old, new) {
            (None, _) => '+',
            (Some(_), None) => '-',
            (Some(_), Some(_)) => '~',
        };
        if cause(old, new).is_some() {
            let mut lines = new.map(|new| declared_detail(old, new)).unwrap_or_default();
            lines.extend(effect(&name, &known, &authority, new.is_some()));
            self.line("integration", &name, sign, lines);
            self.integrations.push(Declared { before, wanted, authority });
        } else if !authority.within(&known) {
            // Nothing of it changes, and yet it can do more: a rule elsewhere leads on from what it writes.
            self.line("integration", &name, '!', effect(&name, &known, &authority, true));
        }
    }

    fn line(&mut self, kind: &str, name: &str, sign: char, detail: Vec<String>) {
        self.lines.push(DiffLine { sign, kind: kind.to_owned(), name: name.to_owned(), detail });
    }
}

/// The fields of a declaration that differ.
fn declared_detail(before: Option<&Integration>, wanted: &Integration) -> Vec<String> {
    let old = before.map(attributes).unwrap_or_default();
    let mut out = Vec::new();
    for (field, value) in attributes(wanted) {
        let old = old.get(&field).map(|old| declared_value(&old.to_string()));
        differs(&field, old.as_ref(), &declared_value(&value.to_string()), &mut out);
    }
    if let Some(before) = before
        && let Comparison::Wider { beyond } = integration::compare(wanted, before)
    {
        out.extend(beyond.into_iter().map(|what| format!("beyond what was certified: {what}")));
    }
    out
}

/// What is another in a field, down to the member of an object and the item of a list.
fn differs(field: &str, old: Option<&Value>, new: &Value, out: &mut Vec<String>) {
    match (old, new) {
        (Some(old), new) if old == new => {}
        (Some(Value::Array(old)), Value::Array(new)) => {
            let of = |sign: char, these: &[Value], others: &[Value]| -> Vec<String> {
                let only = these.iter().filter(|item| !others.contains(item));
                only.map(|item| format!("{field}: {sign} {}", brief(item))).collect()
            };
            out.extend(of('-', old, new));
            out.extend(of('+', new, old));
        }
        (Some(Value::Object(old)), Value::Object(new)) => {
            for (name, value) in new {
                differs(&format!("{field}.{name}"), old.get(name), value, out);
            }
            let gone = old.iter().filter(|(name, _)| !new.contains_key(*name));
            out.extend(gone.map(|(name, value)| format!("{field}.{name}: {} → nothing", brief(value))));
        }
        (Some(old), new) => out.push(format!("{field}: {} → {}", brief(old), brief(new))),
        (None, Value::Array(items)) if new.to_string().chars().count() > WIDTH => {
            out.extend(items.iter().map(|item| format!("{field}: + {}", brief(item))));
        }
        (None, Value::Object(members)) if new.to_string().chars().count() > WIDTH => {
            for (name, value) in members {
                differs(&format!("{field}.{name}"), None, value, out);
            }
        }
        (None, new) => out.push(format!("{field}: {}", brief(new))),
    }
}

/// What a change does to the authority of an integration, in words.
fn effect(name: &str, before: &Authority, after: &Authority, stays: bool) -> Vec<String> {
    let mut out = Vec::new();
    if stays && (before.class != after.class || before.paths.is_empty()) {
        out.push(match before.paths.is_empty() && before.class == Class::Advisory {
            true => format!("class: {}", after.class),
            false => format!("class: {} → {}", before.class, after.class),
        });
    }
    let Ok(name) = IntegrationName::new(name) else { return out };
    let told = |authority: &Authority, others: &Authority, sign: &str| {
        let paths = authority.paths.difference(&others.paths).cloned().collect();
        let only = Authority { class: authority.class, paths };
        only.explain(&name).into_iter().map(|line| format!("{sign} can {line}")).collect::<Vec<_>>()
    };
    out.extend(told(after, before, "+"));
    out.extend(told(before, after, "-"));
    out
}

/// The fields of `value` that differ from `before`, as `name: old → new`; of objects, their members.
fn detail<T: Serialize>(before: &Value, value: &T) -> Vec<String> {
    let Ok(Value::Object(after)) = serde_json::to_value(value) else { return Vec::new() };
    let mut out = Vec::new();
    for (name, new) in after.iter().filter(|(name, _)| !matches!(name.as_str(), "name" | "path")) {
        match (before.get(name), new) {
            (Some(old), new) if old == new => {}
            (old, Value::Object(_)) => differs(name, old, new, &mut out),
            (Some(old), new) => out.push(format!("{name}: {} → {}", brief(old), brief(new))),
            (None, Value::Null) => {}
            (None, new) => out.push(format!("{name}: {}", brief(new))),
        }
    }
    let gone = before.as_object().into_iter().flatten().filter(|(name, _)| !after.contains_key(*name));
    let gone = gone.filter(|(_, old)| old.is_object());
    out.extend(gone.map(|(name, old)| format!("{name}: {} → nothing", brief(old))));
    out
}

fn brief(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains('\n') => format!("{} lines", text.lines().count()),
        Value::String(text) => cut(text),
        other => cut(&other.to_string()),
    }
}

fn cut(text: &str) -> String {
    match text.chars().count() <= WIDTH {
        true => text.to_owned(),
        false => text.chars().take(WIDTH - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_goes_down_to_the_item_that_is_another() {
        let check = |old: &str, new: &str, expect: &[&str]| {
            let mut out = Vec::new();
            differs(
                "x",
                (!old.is_empty()).then(|| declared_value(old)).as_ref(),
                &declared_value(new),
                &mut out,
            );
            assert_eq!(out, expect, "{old} → {new}");
        };
        check("hr/1", "hr/1", &[]);
        check("hr/1", "hr/2", &["x: hr/1 → hr/2"]);
        check(
            r#"{"a":["b","c"],"d":1}"#,
            r#"{"a":["c","e"]}"#,
            &["x.a: - b", "x.a: + e", "x.d: 1 → nothing"],
        );
        check(r#"{"a":1}"#, r#"{"a":1,"b":{"c":true}}"#, &[r#"x.b: {"c":true}"#]);
        check("", r#"{"a":"b"}"#, &[r#"x: {"a":"b"}"#]);
        let long = "y".repeat(WIDTH - 2);
        check("", &format!(r#"{{"a":["{long}","z"]}}"#), &[&format!("x.a: + {long}"), "x.a: + z"]);
    }
}
