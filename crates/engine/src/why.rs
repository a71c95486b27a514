//! Why somebody has an entitlement, or has it not: from policies, plans and evidence.

use std::fmt;

use bailiwick_core::{
    account::Account,
    id::{EntitlementName, IdentityId},
    policy::PolicyId,
    record::{Actor, Logged, RecordKind},
    time::Timestamp,
};
use bailiwick_store::{Filter, Select, Table, select};
use serde::Serialize;

use crate::{Engine, EngineError, Result, exception::counting};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Why {
    /// Whom it is about.
    pub identity: IdentityId,
    /// What it is about.
    pub entitlement: EntitlementName,
    /// Whether policy gives it now.
    pub wanted: bool,
    /// The policies that give it.
    pub because: Vec<PolicyId>,
    /// The policies that forbid it.
    pub forbidden_by: Vec<PolicyId>,
    /// The state of life, when that alone decides.
    pub lifecycle: String,
    /// Whether the account was last seen to hold it, and when.
    pub seen: Option<(bool, Timestamp)>,
    /// The decisions about the identity's changes, oldest first.
    pub history: Vec<Moment>,
}

/// One moment of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// The index in the log, once it has one.
    pub entry: Option<i64>,
    /// What happened.
    pub what: String,
}

impl Engine {
    /// Why `identity` has `entitlement`, or has it not.
    pub async fn why(&self, identity: &str, entitlement: &EntitlementName) -> Result<Why> {
        let identity = self.find_identity(identity).await?.value;
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        if !catalogue.entitlements.contains_key(entitlement) {
            return Err(EngineError::NotFound { kind: "entitlement", name: entitlement.to_string() });
        }
        let holding = catalogue
            .policies
            .holds(identity.kind.as_str(), &identity.attributes)
            .map_err(|fault| EngineError::Undecidable(fault.to_string()))?;
        let mut because = holding.held.get(entitlement).cloned().unwrap_or_default();
        let forbidden_by = holding.forbidden.get(entitlement).cloned().unwrap_or_default();
        if forbidden_by.is_empty() {
            let excepted = self.exceptions_of(&mut *tx, [identity.id]).await?;
            let excepted = counting(excepted.get(&identity.id), None, self.now());
            let gives = excepted.iter().filter(|terms| terms.entitlements.contains(entitlement));
            because.extend(gives.map(|terms| terms.because.policy()));
        }
        let theirs =
            Select::from(Table::Accounts).filter(Filter::Is("identity", identity.id.to_string().into()));
        let seen = select::<Account>(&mut *tx, self.tenant(), theirs)
            .await?
            .into_iter()
            .find(|s| s.value.system == entitlement.system())
            .map(|s| (s.value.state.entitlements.contains(entitlement), s.value.seen));
        let mut history = Vec::new();
        for entry in tx.entries_about(self.tenant(), &identity.id.to_string()).await? {
            if let Ok(logged) = Logged::parse(&entry.bytes)
                && let Some(what) = told(&logged, entitlement)
            {
                history.push(Moment { at: logged.at, entry: entry.index, what });
            }
        }
        Ok(Why {
            identity: identity.id,
            entitlement: entitlement.clone(),
            wanted: identity.lifecycle.may_hold() && !because.is_empty(),
            because,
            forbidden_by,
            lifecycle: identity.lifecycle.name().to_owned(),
            seen,
            history,
        })
    }
}

/// What a record tells about the entitlement, if anything.
fn told(logged: &Logged, entitlement: &EntitlementName) -> Option<String> {
    let fact =
        |name: &str| logged.facts.get(name).map(|v| v.to_string().replace('"', "")).unwrap_or_default();
    let by = match &logged.actor {
        Actor::Hub(step) => step.clone(),
        Actor::Operator(name) => format!("operator {name}"),
        Actor::Source(name) => format!("source {name}"),
        Actor::Policy(id) => format!("policy {id}"),
        Actor::Integration(name) => format!("integration {name}"),
    };
    let system = entitlement.system();
    match logged.kind {
        RecordKind::EventAccepted => Some(format!("{} ({by})", fact("kind"))),
        RecordKind::Decided => {
            let wanted = logged.facts.get("desired")?.get(system.as_str())?.as_array()?;
            let given =
                wanted.iter().any(|pair| pair.get(0).and_then(|n| n.as_str()) == Some(entitlement.as_str()));
            Some(if given { "decided: wanted".to_owned() } else { "decided: not wanted".to_owned() })
        }
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

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ids: &[PolicyId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let name = &self.entitlement;
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
        match &self.seen {
            Some((true, at)) => writeln!(f, "the account was seen to hold it at {at:.0}")?,
            Some((false, at)) => writeln!(f, "the account was seen not to hold it at {at:.0}")?,
            None => writeln!(f, "there is no account on {}", name.system())?,
        }
        for moment in &self.history {
            let entry = moment.entry.map_or_else(|| "-".to_owned(), |e| e.to_string());
            writeln!(f, "  {:.0}  #{entry:<6} {}", moment.at, moment.what)?;
        }
        Ok(())
    }
}
