//! Why somebody has an entitlement, or has it not: from policies, plans and evidence.

use std::{collections::BTreeMap, fmt};

use bailiwick_core::{
    access::AccessClass,
    account::Account,
    id::{EntitlementName, IdentityId},
    identity::Identity,
    past::{Decided, Past, Sought},
    policy::{Action, PolicyId, PolicyReads},
    record::{Actor, Logged, RecordKind},
    time::Timestamp,
};
use bailiwick_store::{Filter, Select, Table, Tx, select};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Catalogue, Engine, EngineError, Result,
    exception::counting,
    holders::Ways,
    then::{Held, Unrecorded},
};

/// A policy that could give the entitlement and does not, and what it looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Might {
    /// The policy.
    pub policy: PolicyId,
    /// The attributes that it reads, with what the identity has there.
    pub reads: BTreeMap<String, Option<String>>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Why {
    /// Whom it is about.
    pub identity: IdentityId,
    /// What it is about.
    pub entitlement: EntitlementName,
    /// For which time, if not for now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Whether policy gives it.
    pub wanted: bool,
    /// The policies that give it.
    pub because: Vec<PolicyId>,
    /// The policies that forbid it.
    pub forbidden_by: Vec<PolicyId>,
    /// The state of life, when that alone decides.
    pub lifecycle: String,
    /// The policies that could give it and do not; of a time in the past that is not known any more.
    pub might: Vec<Might>,
    /// Whether the account was last seen to hold it, and when.
    pub seen: Option<(bool, Timestamp)>,
    /// The groups by which it is held though not directly, from the one that the account is in.
    pub through: Vec<String>,
    /// The groups that lay in it at the time and of which the log does not say who was in them then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unrecorded: Vec<Unrecorded>,
    /// The decisions about the identity's changes, oldest first.
    pub history: Vec<Moment>,
}

/// One moment of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// The index in the log, once it has one.
    pub entry: Option<i64>,
    /// What happened.
    pub what: String,
}

impl Engine {
    /// Why `identity` has `entitlement`, or has it not: now, or `at` a time in the past, as the log tells it.
    pub async fn why(
        &self,
        identity: &str,
        entitlement: &EntitlementName,
        at: Option<Timestamp>,
    ) -> Result<Why> {
        let identity = self.find_identity(identity).await?.value;
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let declared = catalogue.entitlements.get(entitlement);
        let declared = declared
            .ok_or_else(|| EngineError::NotFound { kind: "entitlement", name: entitlement.to_string() })?;
        let sought = Sought { name: entitlement, account: declared.class == AccessClass::PrimaryAccount };
        let mut history = Vec::new();
        let mut records = Vec::new();
        for (index, logged) in self.logged_about(&mut *tx, identity.id).await? {
            if at.is_some_and(|at| logged.at > at) {
                continue;
            }
            if let Some(what) = told(&logged, sought) {
                history.push(Moment { at: logged.at, entry: index, what });
            }
            records.push(logged);
        }
        match at {
            Some(at) => {
                let mut why = then(&identity, sought, at, &records, history);
                // What it held directly is in the records about them; by which groups it is in others is not.
                if matches!(why.seen, Some((false, _))) {
                    let asked = (identity.id, at);
                    let (held, unrecorded) = self.held_then(&mut *tx, &catalogue, entitlement, asked).await?;
                    why.unrecorded = unrecorded;
                    if let Some(Held { seen, through }) = held {
                        (why.seen, why.through) = (Some((true, seen)), through);
                    }
                }
                Ok(why)
            }
            None => self.now_and_why(&mut *tx, &catalogue, &identity, entitlement, history).await,
        }
    }

    async fn now_and_why(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        identity: &Identity,
        entitlement: &EntitlementName,
        history: Vec<Moment>,
    ) -> Result<Why> {
        let excepted = self.exceptions_of(tx, [identity.id]).await?;
        let excepted = counting(excepted.get(&identity.id), None, self.now());
        let holding = catalogue
            .policies
            .holds_with(identity.kind.as_str(), &identity.attributes, &excepted)
            .map_err(|fault| EngineError::Undecidable(fault.to_string()))?;
        let because = holding.held.get(entitlement).cloned().unwrap_or_default();
        let forbidden_by = holding.forbidden.get(entitlement).cloned().unwrap_or_default();
        let might = might(catalogue, identity, entitlement, &because);
        let theirs =
            Select::from(Table::Accounts).filter(Filter::Is("identity", identity.id.to_string().into()));
        let account = select::<Account>(tx, self.tenant(), theirs)
            .await?
            .into_iter()
            .map(|stored| stored.value)
            .find(|account| account.system == entitlement.system());
        let nested = self.nested_in(tx, entitlement).await?;
        let ways = Ways::to(catalogue, entitlement, &nested);
        let way = account.as_ref().and_then(|account| ways.of(account));
        Ok(Why {
            identity: identity.id,
            entitlement: entitlement.clone(),
            at: None,
            wanted: identity.lifecycle.may_hold() && !because.is_empty(),
            because,
            forbidden_by,
            might,
            lifecycle: identity.lifecycle.name().to_owned(),
            seen: account.as_ref().map(|account| (way.is_some(), account.seen)),
            through: way.unwrap_or_default().to_vec(),
            unrecorded: Vec::new(),
            history,
        })
    }
}

/// How it was at a time, as the log tells it.
fn then(
    identity: &Identity,
    sought: Sought<'_>,
    at: Timestamp,
    records: &[Logged],
    history: Vec<Moment>,
) -> Why {
    let Past { decided, seen } = Past::read(records, sought, at);
    let (wanted, because, forbidden_by) =
        decided.map(|d| (d.wanted, d.because, d.forbidden_by)).unwrap_or_default();
    Why {
        identity: identity.id,
        entitlement: sought.name.clone(),
        at: Some(at),
        wanted,
        because,
        forbidden_by,
        might: Vec::new(),
        lifecycle: String::new(),
        seen,
        through: Vec::new(),
        unrecorded: Vec::new(),
        history,
    }
}

/// The policies that could give the entitlement and do not.
fn might(
    catalogue: &Catalogue,
    identity: &Identity,
    entitlement: &EntitlementName,
    because: &[PolicyId],
) -> Vec<Might> {
    let gives = |reads: &&PolicyReads| {
        reads.action == Action::Hold
            && !reads.forbids
            && reads.entitlements.contains(entitlement)
            && !because.contains(&reads.policy)
    };
    let has = |name: &String| (name.clone(), identity.attributes.get(name).map(ToString::to_string));
    let might = catalogue.policies.reads().iter().filter(gives).map(|reads| Might {
        policy: reads.policy.clone(),
        reads: reads.attributes.iter().map(has).collect(),
    });
    might.collect()
}

/// What a record tells about the entitlement, if anything.
fn told(logged: &Logged, sought: Sought<'_>) -> Option<String> {
    let fact =
        |name: &str| logged.facts.get(name).map(|v| v.to_string().replace('"', "")).unwrap_or_default();
    let by = match &logged.actor {
        Actor::Hub(step) => step.clone(),
        Actor::Operator(name) => format!("operator {name}"),
        Actor::Source(name) => format!("source {name}"),
        Actor::Policy(id) => format!("policy {id}"),
        Actor::Integration(name) => format!("integration {name}"),
    };
    let system = sought.name.system();
    match logged.kind {
        RecordKind::EventAccepted => Some(format!("{} ({by})", fact("kind"))),
        RecordKind::Decided => Some(match Decided::read(logged, sought)? {
            Decided { wanted: true, .. } => "decided: wanted".into(),
            Decided { forbidden_by, .. } if !forbidden_by.is_empty() => {
                format!("decided: not wanted, forbidden by {}", list(&forbidden_by))
            }
            Decided { .. } => "decided: not wanted".into(),
        }),
        RecordKind::Approved => Some(format!("approved by {by}")),
        RecordKind::Applied if fact("system") == system.as_str() => Some(format!("applied on {system}")),
        RecordKind::Verified if fact("system") == system.as_str() => {
            let class = fact("class");
            Some(if class.is_empty() {
                format!("read back on {system}: {}", fact("outcome"))
            } else {
                format!("read back {class} on {system}: {}", fact("verdict"))
            })
        }
        RecordKind::CaseOpened => Some("case opened".into()),
        RecordKind::CaseClosed => Some("case closed".into()),
        _ => None,
    }
}

fn list(policies: &[PolicyId]) -> String {
    policies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.entitlement;
        if let Some(at) = self.at {
            writeln!(f, "as it was at {at:.0}:")?;
        }
        if self.wanted {
            writeln!(f, "policy gives {name}: {}", list(&self.because))?;
        } else if !self.forbidden_by.is_empty() {
            writeln!(f, "policy forbids {name}: {}", list(&self.forbidden_by))?;
        } else if !self.because.is_empty() {
            writeln!(
                f,
                "the identity is {}: nothing is given, though {} would",
                self.lifecycle,
                list(&self.because)
            )?;
        } else {
            writeln!(f, "no policy gives {name}")?;
        }
        for Might { policy, reads } in &self.might {
            let has = |(name, value): (&String, &Option<String>)| match value {
                Some(value) => format!("{name} is {value}"),
                None => format!("{name} is not known"),
            };
            let reads: Vec<String> = reads.iter().map(has).collect();
            let reads = if reads.is_empty() { String::new() } else { format!(": {}", reads.join(", ")) };
            writeln!(f, "{policy} would give it, and does not{reads}")?;
        }
        if !self.through.is_empty() {
            writeln!(f, "it is held through {}", self.through.join(" → "))?;
        }
        match &self.seen {
            Some((true, at)) => writeln!(f, "the account was seen to hold it at {at:.0}")?,
            Some((false, at)) => writeln!(f, "the account was seen not to hold it at {at:.0}")?,
            None => writeln!(f, "there is no account on {}", name.system())?,
        }
        for unrecorded in &self.unrecorded {
            writeln!(f, "{unrecorded}")?;
        }
        for moment in &self.history {
            let entry = moment.entry.map_or_else(|| "-".to_owned(), |e| e.to_string());
            writeln!(f, "  {:.0}  #{entry:<6} {}", moment.at, moment.what)?;
        }
        Ok(())
    }
}
