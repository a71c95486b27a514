//! What configuration declares, read once and kept until it changes.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};

use bailiwick_connector::{Capability, Connector, ConnectorError, ErrorKind, Line, seal::Sealed};
use bailiwick_core::{
    approval::Approval,
    authority::{self, Authority, World},
    automation::Automation,
    digest::Digest,
    gate::{Certificate, Gate, HUB, Permit, Shut, permit},
    govern,
    id::{
        ActionName, ApprovalId, EntitlementName, IntegrationName, ResourceTypeName, SourceName,
        SubjectTypeName, SystemName,
    },
    integration::{Integration, Purpose, Role, Standing},
    plan::{EntitlementRule, Rules},
    policy::{AttributeType, EntitlementFacts, PolicyFile, PolicySet, Vocabulary},
    profile::Profile,
    resource::{self, ResourceType, SubjectType},
    system::{Entitlement, System},
    time::Timestamp,
    verify::Witness,
    writer::writers,
};
use bailiwick_store::{
    Entity, Row, Select, Table, Tx,
    entities::{Credential, Recovery},
    get,
};

use crate::{Configuration, Engine, EngineError, Result, configure::semantics, probe::basis};

/// The tables that declare.
const DECLARING: [Table; 10] = [
    Table::Systems,
    Table::Entitlements,
    Table::Integrations,
    Table::Policies,
    Table::Credentials,
    Table::Profiles,
    Table::Automations,
    Table::Recoveries,
    Table::SubjectTypes,
    Table::ResourceTypes,
];

/// Policies that were compiled, by what they were compiled from: what is looked at before a change is put in force
/// is not compiled again when it is. Engines of one process may share it.
#[derive(Default)]
pub struct Compiled(Mutex<VecDeque<(Digest, Arc<PolicySet>)>>);

impl Compiled {
    /// How many are kept: what is in force, and what somebody wants.
    const KEPT: usize = 8;

    fn load(&self, files: &[PolicyFile], vocabulary: &Vocabulary) -> Result<Arc<PolicySet>> {
        let from = Digest::of_value(&(files, vocabulary));
        let known = self.0.lock().map_err(|_| poisoned())?.iter().find(|(of, _)| *of == from).cloned();
        if let Some((_, known)) = known {
            return Ok(known);
        }
        let fresh = Arc::new(PolicySet::load(files, vocabulary).map_err(EngineError::Policy)?);
        let mut kept = self.0.lock().map_err(|_| poisoned())?;
        kept.truncate(Self::KEPT - 1);
        kept.push_front((from, Arc::clone(&fresh)));
        Ok(fresh)
    }
}

/// Everything that is declared, ready for use.
pub struct Catalogue {
    /// Changes when anything in it does.
    pub version: Digest,
    /// All systems.
    pub systems: BTreeMap<SystemName, System>,
    /// All entitlements.
    pub entitlements: BTreeMap<EntitlementName, Entitlement>,
    /// All integrations that have not ended.
    pub integrations: BTreeMap<IntegrationName, Integration>,
    /// Why the connector of some cannot be made: they were approved, and this program does not take their settings.
    /// Nothing is planned for their systems meanwhile.
    unusable: BTreeMap<IntegrationName, String>,
    /// When the others ended.
    ended: BTreeMap<IntegrationName, Timestamp>,
    /// When the hub was restored from a backup, while nobody has released it since.
    pub restored: Option<Timestamp>,
    /// The policies.
    pub policies: Arc<PolicySet>,
    /// The kinds of subjects that may be asked about, those among them that nobody declares.
    pub subjects: BTreeMap<SubjectTypeName, SubjectType>,
    /// The kinds of resources, the same.
    pub resources: BTreeMap<ResourceTypeName, ResourceType>,
    /// What a plan needs to know of each system.
    pub rules: BTreeMap<SystemName, Rules>,
    /// What each integration can in effect do.
    authorities: BTreeMap<IntegrationName, Authority>,
    /// What was approved of each.
    permits: BTreeMap<IntegrationName, Permit>,
    connectors: BTreeMap<IntegrationName, Arc<dyn Connector>>,
    credentials: BTreeMap<String, Sealed>,
}

/// A connector with the integration that it serves.
pub(crate) struct Route<'a> {
    pub integration: &'a Integration,
    pub connector: &'a Arc<dyn Connector>,
}

impl Catalogue {
    /// The integration through which a system is reached.
    pub(crate) fn route(&self, system: &SystemName) -> Result<Route<'_>> {
        self.find(|role| matches!(role, Role::Target { system: s } if s == system))
            .ok_or_else(|| EngineError::NotFound { kind: "integration to system", name: system.to_string() })
    }

    /// The integration, if it is declared and has not ended.
    pub(crate) fn integration(&self, name: &IntegrationName) -> Result<&Integration> {
        let known = self.integrations.get(name);
        known.ok_or_else(|| EngineError::NotFound { kind: "integration", name: name.to_string() })
    }

    /// Whether a system is declared and an integration to it is there.
    pub(crate) fn reaches(&self, system: &SystemName) -> bool {
        self.systems.contains_key(system) && self.route(system).is_ok()
    }

    /// The integration through which the audit log of a system is read: the one that is there for it, or else the one to the
    /// system. Where there is one for it that cannot be used, no other is asked.
    pub(crate) fn log(&self, system: &SystemName) -> Result<Route<'_>> {
        let of = |role: &Role| matches!(role, Role::Log { system: s } if s == system);
        let route = match self.integrations.values().any(|integration| of(&integration.role)) {
            true => self.find(of),
            false => self.route(system).ok(),
        };
        route.filter(|route| route.connector.capability().audits).ok_or_else(|| no_log(system).into())
    }

    /// Whether the audit log of the system is to be read.
    pub(crate) fn audits(&self, system: &SystemName) -> bool {
        self.log(system).is_ok()
    }

    /// Why the connector to a system cannot be made, if it is declared and cannot: it stands still meanwhile.
    pub(crate) fn standing_still(&self, system: &SystemName) -> Option<&str> {
        let to = |role: &Role| matches!(role, Role::Target { system: s } if s == system);
        let (name, _) = self.integrations.iter().find(|(_, integration)| to(&integration.role))?;
        self.unusable.get(name).map(String::as_str)
    }

    /// The integration through which a source is read.
    pub(crate) fn source(&self, source: &SourceName) -> Result<Route<'_>> {
        self.find(|role| matches!(role, Role::Source { source: s, .. } if s == source))
            .ok_or_else(|| EngineError::NotFound { kind: "source", name: source.to_string() })
    }

    fn find(&self, fits: impl Fn(&Role) -> bool) -> Option<Route<'_>> {
        let (name, integration) = self.integrations.iter().find(|(_, i)| fits(&i.role))?;
        Some(Route { integration, connector: self.connectors.get(name)? })
    }

    /// What an integration can in effect do.
    pub fn authority(&self, integration: &IntegrationName) -> Option<&Authority> {
        self.authorities.get(integration)
    }

    /// What was approved of an integration; of one that is not known, nothing.
    pub fn permit(&self, integration: &IntegrationName) -> Permit {
        let shut = match (self.ended.get(integration), self.unusable.get(integration)) {
            (Some(since), _) => Shut::Ended(*since),
            (None, Some(why)) => Shut::Unusable(why.clone()),
            (None, None) => Shut::NotApproved,
        };
        let nothing = Permit { reads: Err(shut.clone()), writes: Err(shut) };
        self.permits.get(integration).cloned().unwrap_or(nothing)
    }

    /// What the connector of an integration can do.
    pub(crate) fn capability(&self, integration: &IntegrationName) -> Option<&Capability> {
        self.connectors.get(integration).map(|connector| connector.capability())
    }

    /// The attributes of identities that integrations write at the door.
    pub(crate) fn written_at_the_door(&self) -> BTreeSet<String> {
        let integrations: Vec<Integration> = self.integrations.values().cloned().collect();
        // There are no two writers: such a configuration is not taken.
        writers(&integrations).unwrap_or_default().into_keys().cloned().collect()
    }

    pub(crate) fn sealed(&self, integration: &IntegrationName, purpose: Purpose) -> Option<&Sealed> {
        self.credentials.get(&Credential::key_of(integration, purpose))
    }
}

/// The attributes that the sources' contracts declare, and the entitlements, as policies may use them.
pub(crate) fn compile(
    kept: &Compiled,
    integrations: &[Integration],
    entitlements: &[Entitlement],
    policies: &[PolicyFile],
    (subjects, resources): (&[SubjectType], &[ResourceType]),
) -> Result<Arc<PolicySet>> {
    let mut vocabulary = Vocabulary {
        identity: BTreeMap::new(),
        required: BTreeSet::new(),
        entitlements: entitlements
            .iter()
            .map(|e| EntitlementFacts {
                name: e.name.clone(),
                class: e.class,
                privileged: e.privileged,
                labels: BTreeSet::new(),
            })
            .collect(),
        subjects: subjects.to_vec(),
        resources: resources.to_vec(),
    };
    let promised = |ended: bool| {
        integrations.iter().filter(move |i| i.has_ended() == ended).filter_map(|i| match &i.role {
            Role::Source { contract, .. } => Some(contract),
            Role::Target { .. } | Role::Log { .. } | Role::Partner { .. } => None,
        })
    };
    for (name, rule) in promised(false).flat_map(|c| &c.attributes) {
        match vocabulary.identity.insert(name.clone(), rule.kind) {
            Some(other) if other != rule.kind => {
                let problem = format!("two sources declare `{name}` with different types");
                return Err(EngineError::Configuration(vec![problem]));
            }
            Some(_) | None => {}
        }
    }
    // Who came from a source that has ended is still known from it: that it ends invalidates no policy.
    for (name, rule) in promised(true).flat_map(|c| &c.attributes) {
        vocabulary.identity.entry(name.clone()).or_insert(rule.kind);
    }
    // Policies may rely on an attribute only when every source promises it.
    let promises = |name: &String| {
        let mut all = promised(false).chain(promised(true));
        all.all(|c| c.attributes.get(name).is_some_and(|r| r.required))
    };
    vocabulary.required = vocabulary.identity.keys().filter(|name| promises(name)).cloned().collect();
    // What is written at the door is text, and nobody promises it of everybody.
    for name in writers(integrations).map_err(EngineError::Configuration)?.into_keys() {
        vocabulary.identity.entry(name.clone()).or_insert(AttributeType::Text);
    }
    let built_in = PolicyFile { path: "built-in/gates.cedar".into(), text: govern::BUILT_IN.into() };
    let all: Vec<PolicyFile> = policies.iter().cloned().chain([built_in]).collect();
    kept.load(&all, &vocabulary)
}

/// With which credentials systems are listed, the first that there is.
const LISTING: [Purpose; 3] = [Purpose::Read, Purpose::Verify, Purpose::Write];

const fn witness(purpose: Purpose) -> Witness {
    match purpose {
        Purpose::Verify => Witness::Independent,
        Purpose::Read => Witness::Reader,
        Purpose::Write | Purpose::KillWrite | Purpose::KillRead | Purpose::KillVerify => Witness::Writer,
    }
}

impl Engine {
    /// What is declared now. Reads the declaring tables and compiles them only when they differ from the last time.
    pub async fn catalogue(&self, tx: &mut dyn Tx) -> Result<Arc<Catalogue>> {
        let kept = self.catalogue.lock().map_err(|_| poisoned())?.clone();
        if let Some(kept) = kept {
            let stamps = tx.stamps(self.tenant(), &DECLARING).await?;
            if kept.version == Digest::of_value(&stamps) {
                return Ok(kept);
            }
        }
        let mut rows: Vec<Vec<Row>> = Vec::with_capacity(DECLARING.len());
        for table in DECLARING {
            rows.push(tx.select(self.tenant(), Select::from(table)).await?);
        }
        // Of the rows that were read: somebody may have changed one since the stamps were.
        let stamps: Vec<(&str, i64)> = rows.iter().flatten().map(|r| (r.id.as_str(), r.revision)).collect();
        let version = Digest::of_value(&stamps);
        let approved = self.gate_approvals(tx, &values(&rows[2])?).await?;
        let fresh = Arc::new(self.build_catalogue(version, &rows, &approved)?);
        *self.catalogue.lock().map_err(|_| poisoned())? = Some(fresh.clone());
        Ok(fresh)
    }

    /// The genuine approvals that certificates of integrations name, with what they cover.
    async fn gate_approvals(
        &self,
        tx: &mut dyn Tx,
        integrations: &[Integration],
    ) -> Result<BTreeSet<(ApprovalId, Digest)>> {
        let mut counting = BTreeSet::new();
        let gates = integrations.iter().flat_map(|i| Gate::ALL.map(|gate| i.gates.of(gate)));
        let named: BTreeSet<ApprovalId> = gates.flatten().map(|certificate| certificate.approval).collect();
        for id in named {
            let kept = get::<Approval>(tx, self.tenant(), &id.to_string()).await?;
            let genuine = kept.map(|k| k.value).filter(|approval| self.genuine(approval));
            counting.extend(genuine.into_iter().flat_map(|a| a.covers.into_iter().map(move |c| (a.id, c))));
        }
        Ok(counting)
    }

    fn build_catalogue(
        &self,
        version: Digest,
        rows: &[Vec<Row>],
        approved: &BTreeSet<(ApprovalId, Digest)>,
    ) -> Result<Catalogue> {
        let [systems, entitlements, integrations, policies, credentials, profiles, automations, rest @ ..] =
            rows
        else {
            return Err(poisoned());
        };
        let [recoveries, subjects, resources] = rest else { return Err(poisoned()) };
        let subjects: Vec<SubjectType> = values(subjects)?;
        let resources: Vec<ResourceType> = values(resources)?;
        let systems: Vec<System> = values(systems)?;
        let entitlements: Vec<Entitlement> = values(entitlements)?;
        let integrations: Vec<Integration> = values(integrations)?;
        let policies: Vec<PolicyFile> = values(policies)?;
        let credentials: Vec<Credential> = values(credentials)?;
        let profiles: Vec<Profile> = values(profiles)?;
        let automations: Vec<Automation> = values(automations)?;
        let recoveries: Vec<Recovery> = values(recoveries)?;
        let restored = recoveries.iter().find(|of| of.released.is_none()).map(|of| of.at);
        let asked = (subjects.as_slice(), resources.as_slice());
        let compiled = compile(&self.parts.compiled, &integrations, &entitlements, &policies, asked)?;
        let ended = integrations.iter().filter_map(|integration| match &integration.standing {
            Standing::Ended { since } => Some((integration.name.clone(), *since)),
            Standing::Enabled | Standing::Quarantined { .. } | Standing::Paused { .. } => None,
        });
        let ended: BTreeMap<_, _> = ended.collect();
        let integrations: Vec<Integration> =
            integrations.into_iter().filter(|integration| !integration.has_ended()).collect();
        let (mut connectors, mut unusable) = (BTreeMap::new(), BTreeMap::new());
        for integration in &integrations {
            let connector = match (self.parts.build)(&integration.connector, &integration.settings) {
                Ok(connector) => connector,
                // It stands still by itself: the others go on, and each of them can be ended.
                Err(error) => {
                    unusable.insert(integration.name.clone(), error.to_string());
                    continue;
                }
            };
            if let Some(profile) = profiles
                .iter()
                .find(|profile| profile.integration == integration.name && profile.is_of(basis(integration)))
            {
                connector.adopt(&profile.adopted());
            }
            connectors.insert(integration.name.clone(), connector);
        }
        let mut authorities = BTreeMap::new();
        let mut permits = BTreeMap::new();
        for integration in &integrations {
            let Some(connector) = connectors.get(&integration.name) else { continue };
            let semantics = semantics(connector.capability());
            // What follows from what the hub itself decides is configuration, which has approvals of its own.
            let own = integration.name.as_str() == HUB;
            let world = World {
                semantics: &semantics,
                entitlements: if own { &[] } else { &entitlements },
                policies: if own { &[] } else { compiled.reads() },
                automations: if own { &[] } else { &automations },
            };
            let authority = authority::compute(integration, world);
            let counts = |c: &Certificate| approved.contains(&(c.approval, c.covers));
            permits.insert(
                integration.name.clone(),
                permit(integration, &authority, counts).held(integration, restored),
            );
            authorities.insert(integration.name.clone(), authority);
        }
        let mut sealed = BTreeMap::new();
        for credential in credentials {
            let value = serde_json::from_value(credential.sealed.clone())
                .map_err(|e| EngineError::Inconsistent(format!("credential {}: {e}", credential.key())))?;
            sealed.insert(credential.key(), value);
        }
        let rules = systems
            .iter()
            .map(|system| {
                (system.name.clone(), rules_of(system, &entitlements, &integrations, &connectors, &profiles))
            })
            .collect();
        Ok(Catalogue {
            version,
            systems: systems.into_iter().map(|s| (s.name.clone(), s)).collect(),
            entitlements: entitlements.into_iter().map(|e| (e.name.clone(), e)).collect(),
            integrations: integrations.into_iter().map(|i| (i.name.clone(), i)).collect(),
            unusable,
            ended,
            restored,
            policies: compiled,
            subjects: subjects.into_iter().chain(identities()).map(|s| (s.name.clone(), s)).collect(),
            resources: resources.into_iter().chain(used()).map(|r| (r.name.clone(), r)).collect(),
            rules,
            authorities,
            permits,
            connectors,
            credentials: sealed,
        })
    }

    /// A line for writing to the integration's system.
    pub(crate) fn writing(&self, catalogue: &Catalogue, integration: &Integration) -> Line {
        let sealed = catalogue.sealed(&integration.name, Purpose::Write);
        self.parts.broker.line(integration, Purpose::Write, sealed).under(catalogue.permit(&integration.name))
    }

    /// A line for listing and looking: with the reader's credential, or else the verifier's, or else the
    /// writer's, on which nothing is written all the same.
    pub(crate) fn reading(&self, catalogue: &Catalogue, integration: &Integration) -> Line {
        self.first_of(catalogue, integration, LISTING).0
    }

    /// The connector that reads the audit log of a system, and its line.
    pub(crate) fn log_of(
        &self,
        catalogue: &Catalogue,
        system: &SystemName,
    ) -> Option<(Arc<dyn Connector>, Line)> {
        let route = catalogue.log(system).ok()?;
        Some((Arc::clone(route.connector), self.reading(catalogue, route.integration)))
    }

    /// With whose credential systems are listed.
    pub(crate) fn listing_witness(&self, catalogue: &Catalogue, integration: &Integration) -> Witness {
        witness(self.first_of(catalogue, integration, LISTING).1)
    }

    /// A line for reading back, with the verifier's own credential where there is one, and whose it is.
    pub(crate) fn witnessing(&self, catalogue: &Catalogue, integration: &Integration) -> (Line, Witness) {
        let (line, purpose) =
            self.first_of(catalogue, integration, [Purpose::Verify, Purpose::Read, Purpose::Write]);
        (line, witness(purpose))
    }

    /// A line for reading with the first of the credentials that there is.
    fn first_of(
        &self,
        catalogue: &Catalogue,
        integration: &Integration,
        purposes: [Purpose; 3],
    ) -> (Line, Purpose) {
        let sealed = |purpose| catalogue.sealed(&integration.name, purpose);
        // Without any, the one that is missing is told: of a source or a log, which nobody writes to, that for reading.
        let usual = match integration.role {
            Role::Source { .. } | Role::Log { .. } => Purpose::Read,
            Role::Target { .. } | Role::Partner { .. } => Purpose::Write,
        };
        let purpose = purposes.into_iter().find(|p| sealed(*p).is_some()).unwrap_or(usual);
        let line = self.parts.broker.line(integration, purpose, sealed(purpose)).reading();
        (line.under(catalogue.permit(&integration.name)), purpose)
    }
}

/// Checks what can be checked of a configuration before it is written.
pub(crate) fn validate(engine: &Engine, configuration: &Configuration) -> Result<Arc<PolicySet>> {
    let mut problems = Vec::new();
    for integration in &configuration.integrations {
        if integration.name.as_str().starts_with(HUB) {
            problems.push(format!(
                "names that begin with `{HUB}` are the hub's own; call integration `{}` something else",
                integration.name
            ));
        }
        if let Err(error) = (engine.parts.build)(&integration.connector, &integration.settings) {
            problems.push(format!("integration `{}`: {error}", integration.name));
        }
    }
    let reserved = |name: &str| {
        (name == resource::INTEGRATION || name == resource::IDENTITY)
            .then(|| format!("every hub has the subject type `{name}` already; call yours something else"))
    };
    problems.extend(configuration.subjects.iter().filter_map(|subject| reserved(subject.name.as_str())));
    if configuration.resources.iter().any(|r| r.name.as_str() == resource::ENTITLEMENT) {
        let name = resource::ENTITLEMENT;
        problems.push(format!("every hub has the resource type `{name}` already; call yours something else"));
    }
    let known = |name: &EntitlementName| configuration.entitlements.iter().any(|e| e.name == *name);
    problems.extend(configuration.glass_cases.iter().flat_map(|case| case.wrongs(known)));
    if !problems.is_empty() {
        return Err(EngineError::Configuration(problems));
    }
    compile(
        &engine.parts.compiled,
        &configuration.integrations,
        &configuration.entitlements,
        &configuration.policies,
        (&configuration.subjects, &configuration.resources),
    )
}

fn values<T: Entity>(rows: &[Row]) -> Result<Vec<T>> {
    Ok(rows.iter().map(T::from_row).collect::<Result<_, _>>()?)
}

fn rules_of(
    system: &System,
    entitlements: &[Entitlement],
    integrations: &[Integration],
    connectors: &BTreeMap<IntegrationName, Arc<dyn Connector>>,
    profiles: &[Profile],
) -> Rules {
    use bailiwick_core::access::Stage;
    let integration =
        integrations.iter().find(|i| matches!(&i.role, Role::Target { system: s } if *s == system.name));
    let connector = integration.and_then(|i| connectors.get(&i.name));
    // A profile that was learned with another configuration says nothing.
    let profile = integration.and_then(|i| {
        profiles.iter().find(|profile| profile.system == system.name && profile.is_of(basis(i)))
    });
    let removable: BTreeSet<_> = connector
        .map(|c| system.classes.intersection(&c.capability().removes).copied().collect())
        .unwrap_or_default();
    let of_stage = |stage| removable.iter().copied().filter(|c| c.stage() == stage).collect();
    Rules {
        on_leave: system.on_leave,
        first_way: profile.and_then(Profile::first_way).unwrap_or(0),
        kill: of_stage(Stage::Kill),
        strip: of_stage(Stage::Strip),
        entitlements: entitlements
            .iter()
            .filter(|e| e.name.system() == system.name)
            .map(|e| {
                let rule = EntitlementRule {
                    class: e.class,
                    external_id: e.external_id.clone(),
                    privileged: e.privileged,
                };
                (e.name.clone(), rule)
            })
            .collect(),
    }
}

/// The kind of subject that nobody declares.
fn identities() -> Option<SubjectType> {
    SubjectTypeName::new(resource::IDENTITY).ok().map(SubjectType::identities)
}

/// The kind of resource that nobody declares.
fn used() -> Option<ResourceType> {
    let name = ResourceTypeName::new(resource::ENTITLEMENT).ok()?;
    Some(ResourceType::entitlements(name, ActionName::new(resource::USE).ok()?))
}

fn no_log(system: &SystemName) -> ConnectorError {
    let why = format!(
        "no audit log of `{system}` is read: its connector is not told where it is or reads none, and no integration with \
         `log_of = \"{system}\"` can be used"
    );
    ConnectorError::none(ErrorKind::Unsupported, why)
}

fn poisoned() -> EngineError {
    EngineError::Inconsistent("the catalogue is in disorder".into())
}
