//! The answer to one question, from what is known.

use std::sync::Arc;

use bailiwick_core::{
    id::{IdentityId, IntegrationName, ResourceTypeName, SubjectTypeName},
    identity::Lifecycle,
    policy::{AccessQuestion, AttributeType, AttributeValue, Attributes, PolicyId, Said},
    resource::{ENTITLEMENT, INTEGRATION, ResourceType},
    time::Timestamp,
};
use serde_json::{Map, Value};

use super::{
    Judged, Question, Reason,
    live::{Seen, View, Who},
};
use crate::{Doing, Engine, EngineError, Result};

/// Names with their types.
type Types = std::collections::BTreeMap<String, AttributeType>;

/// A subject that may be asked about: it is here.
pub(super) struct Subject {
    pub seen: Arc<Seen>,
    /// The identity, of those that are no integration.
    pub identity: Option<IdentityId>,
}

impl Engine {
    /// What becomes of a question. What goes wrong on the way is an answer as well, and it is no.
    pub(super) async fn judge(&self, view: &View, question: &Question) -> Judged {
        match self.weigh(view, question).await {
            Ok(judged) => judged,
            Err(error) => {
                tracing::warn!(code = error.code(), "a question cannot be answered");
                Judged::because(Reason::Undecidable(error.code().to_owned()))
            }
        }
    }

    async fn weigh(&self, view: &View, question: &Question) -> Result<Judged> {
        let no = |reason| Ok(Judged::because(reason));
        let kind = ResourceTypeName::new(&question.resource.kind).ok();
        let Some(kind) = kind.and_then(|name| view.catalogue.resources.get(&name)) else {
            return no(Reason::ResourceTypeUnknown);
        };
        let said = match said(view, question, kind) {
            Ok(said) => said,
            Err(name) => return no(Reason::PropertyWrongType(name)),
        };
        let subject = match self.subject(view, &question.subject.kind, &question.subject.id).await? {
            Ok(subject) => subject,
            Err(judged) => return Ok(judged),
        };
        let Subject { seen, identity } = subject;
        let about =
            |reason, policies| Ok(Judged { reason, policies, identity, seen: Some(Arc::clone(&seen)) });
        if !kind.actions.iter().any(|action| action.as_str() == question.action.0) {
            return about(Reason::ActionUnknown, Vec::new());
        }
        let put = AccessQuestion {
            principal: &seen.principal,
            action: &question.action.0,
            resource_type: &kind.name,
            resource: &question.resource.id,
            said: &said,
        };
        if kind.name.as_str() == ENTITLEMENT {
            let (reason, policies) = self.used(view, identity, put).await?;
            return about(reason, policies);
        }
        match self.allows(view, &seen, put) {
            Ok(answer) if answer.allowed => about(Reason::Permitted, answer.policies),
            Ok(answer) if answer.policies.is_empty() => about(Reason::NoPermit, Vec::new()),
            Ok(answer) => about(Reason::Forbidden, answer.policies),
            Err(fault) => about(Reason::Undecidable(fault.code().to_owned()), Vec::new()),
        }
    }

    /// Whether somebody holds an entitlement, and no policy forbids that it is used.
    fn used<'a>(
        &'a self,
        view: &'a View,
        identity: Option<IdentityId>,
        put: AccessQuestion<'a>,
    ) -> Doing<'a, (Reason, Vec<PolicyId>)> {
        Box::pin(self.used_now(view, identity, put))
    }

    async fn used_now(
        &self,
        view: &View,
        identity: Option<IdentityId>,
        put: AccessQuestion<'_>,
    ) -> Result<(Reason, Vec<PolicyId>)> {
        let policies = &view.catalogue.policies;
        let Ok(entitlement) = put.resource.parse() else { return Ok((Reason::ResourceUnknown, Vec::new())) };
        if !view.catalogue.entitlements.contains_key(&entitlement) {
            return Ok((Reason::ResourceUnknown, Vec::new()));
        }
        let Some(identity) = identity else { return Ok((Reason::NotHeld, Vec::new())) };
        let mut tx = self.read().await?;
        let held = self.held_now(&mut *tx, &view.catalogue, identity, Some(&entitlement)).await?;
        let Some(because) = held.into_values().next() else { return Ok((Reason::NotHeld, Vec::new())) };
        let forbids = policies.forbids(put).map_err(|fault| EngineError::Undecidable(fault.to_string()))?;
        Ok(match forbids.is_empty() {
            true => (Reason::Permitted, because),
            false => (Reason::Forbidden, forbids),
        })
    }

    /// The subject, if it is here; else what is to be answered.
    pub(super) async fn subject(
        &self,
        view: &View,
        kind: &str,
        id: &str,
    ) -> Result<std::result::Result<Subject, Judged>> {
        let no = |reason| Ok(Err(Judged::because(reason)));
        if kind == INTEGRATION {
            return integration(view, id);
        }
        let kind = SubjectTypeName::new(kind).ok();
        let Some(kind) = kind.and_then(|name| view.catalogue.subjects.get(&name)) else {
            return no(Reason::SubjectTypeUnknown);
        };
        let person = match self.who(view, kind, id).await? {
            Who::Nobody => return no(Reason::SubjectUnknown),
            Who::Several => return no(Reason::SubjectAmbiguous),
            Who::One(person) => person,
        };
        if let Some(state) = not_here(&person.lifecycle, self.now()) {
            return Ok(Err(Judged::because(Reason::SubjectNotActive(state)).about(person.id)));
        }
        Ok(match &person.principal {
            Ok(seen) => Ok(Subject { seen: Arc::clone(seen), identity: Some(person.id) }),
            Err(fault) => Err(Judged::because(Reason::Undecidable(fault.code().to_owned())).about(person.id)),
        })
    }
}

/// The state of somebody who is not here at this moment, also where nobody has written that down yet.
pub(super) fn not_here(lifecycle: &Lifecycle, now: Timestamp) -> Option<&'static str> {
    let state = lifecycle.clone().at(now);
    (!state.may_hold()).then(|| state.name())
}

fn integration(view: &View, id: &str) -> Result<std::result::Result<Subject, Judged>> {
    let no = |reason| Ok(Err(Judged::because(reason)));
    let Ok(name) = IntegrationName::new(id) else { return no(Reason::SubjectUnknown) };
    let permit = view.catalogue.permit(&name);
    let Some(authority) = view.catalogue.authority(&name) else {
        // One that has ended, or whose connector cannot be made, is known for that.
        return match (permit.reads, view.catalogue.integrations.contains_key(&name)) {
            (Err(shut @ bailiwick_core::gate::Shut::Ended(_)), _) | (Err(shut), true) => {
                no(Reason::SubjectShut(shut))
            }
            (Ok(()) | Err(_), _) => no(Reason::SubjectUnknown),
        };
    };
    if let Err(shut) = permit.reads {
        return no(Reason::SubjectShut(shut));
    }
    match view.catalogue.policies.access_integration(&name, authority.class, permit.writes.is_ok()) {
        Ok(principal) => Ok(Ok(Subject { seen: Seen::passing(principal), identity: None })),
        Err(fault) => no(Reason::Undecidable(fault.code().to_owned())),
    }
}

/// What the caller says of a question about a declared type; `None` when something of it is of another type than declared.
pub(super) fn said_of(view: &View, question: &Question) -> Option<Said> {
    let kind = ResourceTypeName::new(&question.resource.kind).ok()?;
    said(view, question, view.catalogue.resources.get(&kind)?).ok()
}

/// What the caller says and what is declared that it may say; fails with the name of what is of another type.
fn said(view: &View, question: &Question, kind: &ResourceType) -> std::result::Result<Said, String> {
    let none = Types::new();
    let subject = SubjectTypeName::new(&question.subject.kind).ok();
    let subject = subject.and_then(|name| view.catalogue.subjects.get(&name));
    Ok(Said {
        subject: values(subject.map_or(&none, |s| &s.properties), &question.subject.properties)?,
        action: values(&kind.action_properties, &question.action.1)?,
        resource: values(&kind.properties, &question.resource.properties)?,
        request: values(&kind.context, &question.context)?,
    })
}

fn values(types: &Types, said: &Map<String, Value>) -> std::result::Result<Attributes, String> {
    let mut values = Attributes::new();
    for (name, kind) in types {
        let value = match said.get(name) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) => AttributeValue::Text(text.clone()),
            Some(Value::Bool(flag)) => AttributeValue::Flag(*flag),
            Some(Value::Number(number)) => match number.as_i64() {
                Some(number) => AttributeValue::Number(number),
                None => return Err(name.clone()),
            },
            Some(Value::Array(items)) => {
                let texts = items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>();
                AttributeValue::TextSet(texts.ok_or_else(|| name.clone())?)
            }
            Some(Value::Object(_)) => return Err(name.clone()),
        };
        if !kind.admits(&value) {
            return Err(name.clone());
        }
        values.insert(name.clone(), value);
    }
    Ok(values)
}
