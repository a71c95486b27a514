//! What is asked at request time: may this subject do this to this resource, now?
//!
//! Who asks is an integration with a token of its own, whose certified scope has `decide TYPE`; with a gate shut it is
//! not answered. Deny is the default, and hard rules come before any policy: who is not known, not here, or more than one
//! is denied; an integration that is stopped or not approved is denied. What cannot be answered is denied, never permitted.
//! What is known is what stands in the store, seen at most a tenth of a second ago ([`live`]). Every denial is a record, and of the
//! permits as many as the resource type says ([`ledger`]).
//!
//! Absent on purpose: any protocol, and any way by which what a caller says replaces what is known.

mod held;
mod judge;
mod ledger;
mod live;
mod page;
mod search;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bailiwick_core::{
    authority::Touch,
    digest::Digest,
    gate::Shut,
    id::{DecisionId, IdentityId, IntegrationName, ResourceTypeName},
    policy::{Attributes, PolicyId},
    record::{Actor, Record, RecordKind, sorted},
    resource::ResourceType,
    time::{SignedDuration, Timestamp},
};
use serde::Serialize;
use serde_json::{Map, Value};

use self::live::{Seen, View};
pub(crate) use self::{ledger::Ledger, live::Live};
pub use self::{
    ledger::Written,
    search::{Found, PageRequest},
};
use crate::{DoorRefusal, Engine, EngineError, Result, door::calling};

/// How often an integration asks in a minute, when its scope says nothing.
const PER_MINUTE: u32 = 3_000_000;

/// Something that is asked about.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Entity {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub id: String,
    /// What the caller says of it.
    pub properties: Map<String, Value>,
}

/// A question, as the caller put it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Question {
    /// Who.
    pub subject: Entity,
    /// What is to be done: its name, and what the caller says of it.
    pub action: (String, Map<String, Value>),
    /// To what.
    pub resource: Entity,
    /// What the caller says of the request.
    pub context: Map<String, Value>,
}

impl Question {
    /// Identifies everything that was put in: SHA-256 over its canonical JSON.
    pub fn digest(&self) -> Digest {
        let said = [&self.subject.properties, &self.action.1, &self.resource.properties, &self.context];
        if said.iter().all(|of| of.is_empty()) {
            return Digest::of_value(self);
        }
        Digest::of_value(&sorted(serde_json::to_value(self).unwrap_or(Value::Null)))
    }
}

/// Why something is permitted, or denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A policy permits it, or it is held.
    Permitted,
    /// Nothing declares the type of the subject.
    SubjectTypeUnknown,
    /// There is no such subject.
    SubjectUnknown,
    /// There is more than one.
    SubjectAmbiguous,
    /// It is not here: the state of its life.
    SubjectNotActive(&'static str),
    /// It is an integration that may not be used.
    SubjectShut(Shut),
    /// Nothing declares the type of the resource.
    ResourceTypeUnknown,
    /// There is no such resource.
    ResourceUnknown,
    /// It cannot be done to such a resource.
    ActionUnknown,
    /// The caller says something of another type than declared.
    PropertyWrongType(String),
    /// No policy permits it.
    NoPermit,
    /// A policy forbids it.
    Forbidden,
    /// It is not held.
    NotHeld,
    /// It cannot be answered.
    Undecidable(String),
}

impl Reason {
    /// The name, kebab-case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::SubjectTypeUnknown => "subject-type-unknown",
            Self::SubjectUnknown => "subject-unknown",
            Self::SubjectAmbiguous => "subject-ambiguous",
            Self::SubjectNotActive(_) => "subject-not-active",
            Self::SubjectShut(_) => "subject-shut",
            Self::ResourceTypeUnknown => "resource-type-unknown",
            Self::ResourceUnknown => "resource-unknown",
            Self::ActionUnknown => "action-unknown",
            Self::PropertyWrongType(_) => "property-wrong-type",
            Self::NoPermit => "no-permit",
            Self::Forbidden => "forbidden",
            Self::NotHeld => "not-held",
            Self::Undecidable(_) => "undecidable",
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Permitted => "it is permitted".into(),
            Self::SubjectTypeUnknown => "nothing declares this type of subject".into(),
            Self::SubjectUnknown => "there is no such subject".into(),
            Self::SubjectAmbiguous => "more than one subject has this id".into(),
            Self::SubjectNotActive("left") => "the subject has left".into(),
            Self::SubjectNotActive("pending") => "the subject has not begun yet".into(),
            Self::SubjectNotActive(state) => format!("the subject is {state}"),
            Self::SubjectShut(shut) => format!("the integration may not be used: {shut}"),
            Self::ResourceTypeUnknown => "nothing declares this type of resource".into(),
            Self::ResourceUnknown => "there is no such resource".into(),
            Self::ActionUnknown => "nothing declares this action for such a resource".into(),
            Self::PropertyWrongType(name) => format!("`{name}` is not of the type that is declared"),
            Self::NoPermit => "no policy permits it".into(),
            Self::Forbidden => "a policy forbids it".into(),
            Self::NotHeld => "the subject does not hold it now".into(),
            Self::Undecidable(why) => format!("it cannot be answered: {why}"),
        }
    }
}

/// What became of a question, before it has an id.
pub(crate) struct Judged {
    pub reason: Reason,
    /// The policies that permit or forbid it.
    pub policies: Vec<PolicyId>,
    /// Whom it is about.
    pub identity: Option<IdentityId>,
    /// What policies see of the subject, if it is here.
    pub seen: Option<Arc<Seen>>,
}

impl Judged {
    fn because(reason: Reason) -> Self {
        Self { reason, policies: Vec::new(), identity: None, seen: None }
    }

    fn about(self, identity: IdentityId) -> Self {
        Self { identity: Some(identity), ..self }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Its id; evidence names it.
    pub id: DecisionId,
    /// Why.
    pub reason: Reason,
    /// The policies that permit or forbid it.
    pub policies: Vec<PolicyId>,
    /// The version of the policies.
    pub version: Digest,
    /// Identifies the question.
    pub input: Digest,
    /// Whether the caller is told the reason.
    pub tells: bool,
}

impl Verdict {
    /// Whether it is permitted.
    pub fn permits(&self) -> bool {
        self.reason == Reason::Permitted
    }
}

/// What an operator is shown of a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// Why.
    pub reason: Reason,
    /// The policies that permit or forbid it.
    pub policies: Vec<PolicyId>,
    /// The version of the policies.
    pub version: Digest,
    /// Whom it is about.
    pub identity: Option<IdentityId>,
    /// What policies see of the subject.
    pub known: Attributes,
    /// What is known of the resource.
    pub resource: Attributes,
    /// When all that was known.
    pub at: Timestamp,
}

/// Why a caller gets no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskRefusal {
    /// It asks about what its scope does not have.
    #[error("`{0}` may not ask about `{1}`: its scope has no `{2} {1}`")]
    Outside(IntegrationName, ResourceTypeName, &'static str),
    /// More is to be written down than can be.
    #[error("more decisions wait to be written down than are kept; ask again in a moment")]
    Full,
    /// The token of a page is not one that was given for this search.
    #[error("`next_token` was not given for this search")]
    Page,
}

impl AskRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Outside(..) => "ask-out-of-scope",
            Self::Full => "decisions-waiting",
            Self::Page => "page-token-refused",
        }
    }
}

/// Who asks, and what is known at this moment. No `Debug`.
#[derive(Clone)]
pub struct Asker {
    view: Arc<View>,
    name: IntegrationName,
}

impl Asker {
    /// The integration.
    pub const fn name(&self) -> &IntegrationName {
        &self.name
    }

    /// The version of the policies that it is answered by.
    pub fn version(&self) -> Digest {
        self.view.catalogue.policies.version()
    }
}

/// How often integrations asked in this minute, by caller.
pub(crate) type Asked = Mutex<BTreeMap<IntegrationName, (Timestamp, u32)>>;

impl Engine {
    /// Who asks with a token, if it is one that is valid and its integration is declared and has not ended.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn asker(&self, token: &str) -> Result<Option<Asker>> {
        let view = self.view().await?;
        let caller = self.known_caller(&view, token).await?;
        Ok(caller.map(|caller| Asker { view, name: caller.integration }))
    }

    /// Whether a caller may ask anything now; takes `questions` out of its minute.
    ///
    /// # Errors
    /// [`DoorRefusal`]: it asks too often, a gate of it is shut.
    pub fn may_ask(&self, asker: &Asker, questions: u32) -> Result<()> {
        let integration = calling(&asker.view.catalogue, &asker.name)?;
        let limit = integration.scope.writes_per_minute.unwrap_or(PER_MINUTE);
        let now = self.now();
        let after = {
            let disorder = |_| EngineError::Inconsistent("the pace is in disorder".into());
            let mut asked = self.asked.lock().map_err(disorder)?;
            let minute = asked.entry(asker.name.clone()).or_insert((now, 0));
            let gone = now.duration_since(minute.0);
            if !(SignedDuration::ZERO..SignedDuration::from_mins(1)).contains(&gone) {
                *minute = (now, 0);
            }
            let more = minute.1.saturating_add(questions);
            let fits = more <= limit || minute.1 == 0;
            if fits {
                minute.1 = more;
            }
            (!fits).then(|| 60 - u64::try_from(now.duration_since(minute.0).as_secs()).unwrap_or(0).min(59))
        };
        if let Some(after) = after {
            return Err(DoorRefusal::Busy { integration: asker.name.clone(), limit, after }.into());
        }
        // A backup does not know who has left since.
        if let Some(at) = asker.view.catalogue.restored {
            return Err(DoorRefusal::Shut(asker.name.clone(), Shut::Restored(at)).into());
        }
        let permit = asker.view.catalogue.permit(&asker.name);
        Ok(permit.writes.map_err(|shut| DoorRefusal::Shut(asker.name.clone(), shut))?)
    }

    /// Answers a question, and writes down what is to be. [`Written`] says when that is so.
    ///
    /// # Errors
    /// [`AskRefusal`]: the type of the resource is declared and not in the caller's scope; too much waits to be written.
    pub async fn answer(&self, asker: &Asker, question: &Question) -> Result<(Verdict, Written)> {
        let kind = declared(asker, &question.resource.kind);
        let act = kind.map(|kind| Touch::Decide(kind.name.clone()));
        if let (Some(kind), Some(act)) = (kind, &act)
            && !self.acts(asker, act)?
        {
            return Err(self.asked_outside(asker, kind, "decide"));
        }
        let judged = self.judge(&asker.view, question).await;
        let verdict = Verdict {
            id: DecisionId::new(self.now(), self.entropy()),
            reason: judged.reason,
            policies: judged.policies,
            version: asker.version(),
            input: question.digest(),
            tells: kind.is_some_and(|kind| kind.reasons),
        };
        let written = match verdict.permits() && !ledger::sampled(verdict.id, kind.map_or(1, |k| k.sample)) {
            true => Written::nothing(),
            false => {
                self.write_down(self.decision_record(asker, (question, kind), &verdict, judged.identity))?
            }
        };
        Ok((verdict, written))
    }

    /// What would be answered, and from what; nothing is written down.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn explain(&self, question: &Question) -> Result<Explained> {
        let view = self.view().await?;
        let judged = self.judge(&view, question).await;
        let kind = ResourceTypeName::new(&question.resource.kind).ok();
        let kind = kind.and_then(|name| view.catalogue.resources.get(&name));
        Ok(Explained {
            reason: judged.reason,
            policies: judged.policies,
            version: view.catalogue.policies.version(),
            identity: judged.identity,
            known: judged.seen.map(|seen| seen.principal.known().clone()).unwrap_or_default(),
            resource: kind
                .and_then(|kind| kind.known.get(&question.resource.id))
                .cloned()
                .unwrap_or_default(),
            at: view.at,
        })
    }

    /// Writes down that a caller asks outside of its scope; gives the refusal. It is not stopped for that: others wait
    /// for what it may ask.
    fn asked_outside(&self, asker: &Asker, kind: &ResourceType, what: &'static str) -> EngineError {
        let refusal = AskRefusal::Outside(asker.name.clone(), kind.name.clone(), what);
        let actor = Actor::Integration(asker.name.to_string());
        let record = Record::new(RecordKind::OutOfScope, self.now(), actor, self.entropy())
            .fact("integration", &asker.name)
            .fact("reason", refusal.to_string());
        match self.write_down(record) {
            // Nobody waits for it.
            Ok(_written) => refusal.into(),
            Err(full) => full,
        }
    }

    fn acts(&self, asker: &Asker, act: &Touch) -> Result<bool> {
        let integration = asker.view.catalogue.integration(&asker.name)?;
        Ok(integration.scope.acts().any(|has| has == act))
    }
}

fn declared<'a>(asker: &'a Asker, kind: &str) -> Option<&'a ResourceType> {
    asker.view.catalogue.resources.get(&ResourceTypeName::new(kind).ok()?)
}
