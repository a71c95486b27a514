//! Searches: who may do it, to what, and what may be done. Each candidate is judged as a question about it would be.
//!
//! A search ends after so many that were looked at, and says where to go on; a page may be short, or empty, before the
//! end. What is not known is not found, and nobody is found by an id that leads to several.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    authority::Touch,
    digest::Digest,
    id::{EntitlementName, IdentityId, IntegrationName, ResourceTypeName, SubjectTypeName},
    identity::{Identity, Lifecycle},
    policy::{AccessQuestion, Attributes, Said},
    record::{Actor, Record, RecordKind},
    resource::{ENTITLEMENT, FoundBy, INTEGRATION, ResourceType, SubjectType},
};
use bailiwick_store::{Filter, Select, Table, Tx, select};
use serde::Serialize;

use super::{Asker, Question, Reason, judge::not_here};
use crate::{Doing, Engine, EngineError, Result};

/// How many identities are read at a time.
const PART: u32 = 256;
/// How many one page looks at, at most.
const LOOKED_AT: usize = 8_192;

/// Which page is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// The token of the page before; empty for the first.
    pub token: String,
    /// How many, at most.
    pub limit: usize,
}

/// One page of what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The ids of subjects or resources, or the names of actions.
    pub items: Vec<String>,
    /// The token for the next page; `None` at the end.
    pub next: Option<String>,
}

/// Some of what was found, and after what to go on.
type Part = (Vec<String>, Option<String>);

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Sought {
    Subject,
    Resource,
    Action,
}

impl Engine {
    /// The subjects of the type that may do it. The id of the subject of the question does not matter.
    ///
    /// # Errors
    /// [`AskRefusal`]: the search is not in the caller's scope, the token is not one of it.
    pub fn find_subjects<'a>(
        &'a self,
        asker: &'a Asker,
        question: &'a Question,
        page: &'a PageRequest,
    ) -> Doing<'a, Found> {
        Box::pin(self.sought(asker, question, page, Sought::Subject))
    }

    /// The known resources of the type to which the subject may do it; of entitlements, those that it holds.
    ///
    /// # Errors
    /// As [`find_subjects`](Self::find_subjects).
    pub fn find_resources<'a>(
        &'a self,
        asker: &'a Asker,
        question: &'a Question,
        page: &'a PageRequest,
    ) -> Doing<'a, Found> {
        Box::pin(self.sought(asker, question, page, Sought::Resource))
    }

    /// What the subject may do to the resource.
    ///
    /// # Errors
    /// As [`find_subjects`](Self::find_subjects).
    pub fn find_actions<'a>(
        &'a self,
        asker: &'a Asker,
        question: &'a Question,
        page: &'a PageRequest,
    ) -> Doing<'a, Found> {
        Box::pin(self.sought(asker, question, page, Sought::Action))
    }

    async fn sought(
        &self,
        asker: &Asker,
        question: &Question,
        page: &PageRequest,
        sought: Sought,
    ) -> Result<Found> {
        let Some(kind) = super::declared(asker, &question.resource.kind) else { return Ok(Found::default()) };
        if !self.acts(asker, &Touch::Search(kind.name.clone()))? {
            return Err(self.asked_outside(asker, kind, "search"));
        }
        let mut question = question.clone();
        match sought {
            Sought::Subject => question.subject.id.clear(),
            Sought::Resource => question.resource.id.clear(),
            Sought::Action => question.action = Default::default(),
        }
        let search = Digest::of_value(&(sought, question.digest()));
        let after = match page.token.as_str() {
            "" => None,
            token => Some(self.page_after(asker, search, token)?),
        };
        let (items, next) = match sought {
            Sought::Subject => self.subjects(asker, kind, &question, after, page.limit).await?,
            Sought::Resource => self.resources(asker, kind, &question, after, page.limit).await?,
            Sought::Action => {
                let all = kind.actions.iter().map(ToString::to_string).collect();
                self.each(asker, &question, (sought, all), after, page.limit).await?
            }
        };
        let found = Found { next: next.map(|after| self.page_token(asker, search, &after)), items };
        // Who was told what is written down beside the answer.
        let actor = Actor::Integration(asker.name.to_string());
        let record = Record::new(RecordKind::AccessSearched, self.now(), actor, self.entropy())
            .fact("found", found.items.len())
            .fact("integration", &asker.name)
            .fact("policy", asker.version())
            .fact("resource_type", &kind.name)
            .fact("sought", sought)
            .personal("input", question.digest());
        drop(self.write_down(record)?);
        Ok(found)
    }

    /// Those of `all`, in order, about which the answer is yes.
    async fn each(
        &self,
        asker: &Asker,
        question: &Question,
        (sought, all): (Sought, Vec<String>),
        after: Option<String>,
        limit: usize,
    ) -> Result<Part> {
        let left: Vec<String> =
            all.into_iter().filter(|name| after.as_ref().is_none_or(|after| name > after)).collect();
        let (mut items, count) = (Vec::new(), left.len());
        for (at, name) in left.into_iter().enumerate() {
            let judged = self.judge(&asker.view, &with(question, sought, &name)).await;
            // Where policies cannot decide it is no; where the store is away nobody knows.
            if let Reason::Undecidable(why) = &judged.reason
                && !why.starts_with("policy-")
            {
                return Err(EngineError::Undecidable(why.clone()));
            }
            if judged.reason == Reason::Permitted {
                items.push(name.clone());
            }
            if (items.len() >= limit || at + 1 >= LOOKED_AT) && at + 1 < count {
                return Ok((items, Some(name)));
            }
        }
        Ok((items, None))
    }

    async fn resources(
        &self,
        asker: &Asker,
        kind: &ResourceType,
        question: &Question,
        after: Option<String>,
        limit: usize,
    ) -> Result<Part> {
        if kind.name.as_str() != ENTITLEMENT {
            let all = kind.known.keys().cloned().collect();
            return self.each(asker, question, (Sought::Resource, all), after, limit).await;
        }
        let subject = self.subject(&asker.view, &question.subject.kind, &question.subject.id).await?;
        let Ok(Some(identity)) = subject.map(|subject| subject.identity) else {
            return Ok((Vec::new(), None));
        };
        let held = {
            let mut tx = self.read().await?;
            self.held_now(&mut *tx, &asker.view.catalogue, identity, None).await?
        };
        let all = held.into_keys().map(|name| name.to_string()).collect();
        self.each(asker, question, (Sought::Resource, all), after, limit).await
    }

    async fn subjects(
        &self,
        asker: &Asker,
        kind: &ResourceType,
        question: &Question,
        after: Option<String>,
        limit: usize,
    ) -> Result<Part> {
        if question.subject.kind == INTEGRATION {
            let all = asker.view.catalogue.integrations.keys().map(IntegrationName::to_string).collect();
            return self.each(asker, question, (Sought::Subject, all), after, limit).await;
        }
        let subject = SubjectTypeName::new(&question.subject.kind).ok();
        let Some(subject) = subject.and_then(|name| asker.view.catalogue.subjects.get(&name)) else {
            return Ok((Vec::new(), None));
        };
        match kind.name.as_str() == ENTITLEMENT {
            true => self.users(asker, subject, question, after, limit).await,
            false => self.people(asker, subject, question, after, limit).await,
        }
    }

    /// Everybody of the type for whom the policies permit it, by the ids of their identities.
    async fn people(
        &self,
        asker: &Asker,
        subject: &SubjectType,
        question: &Question,
        mut after: Option<String>,
        limit: usize,
    ) -> Result<Part> {
        let mut items = Vec::new();
        let mut looked = 0;
        // Of whom the same is seen, the same is permitted.
        let mut same: BTreeMap<(&'static str, Attributes), bool> = BTreeMap::new();
        loop {
            let mut tx = self.read().await?;
            let states = Lifecycle::HERE.map(Into::into).to_vec();
            let asked =
                Select::from(Table::Identities).filter(Filter::In("state", states)).page(after.take(), PART);
            let part = select::<Identity>(&mut *tx, self.tenant(), asked).await?;
            let last = part.len() < PART as usize;
            let mut found = Vec::new();
            let mut at = None;
            for identity in part.into_iter().map(|stored| stored.value) {
                looked += 1;
                at = Some(identity.id.to_string());
                if self.permitted(asker, subject, question, &identity, &mut same).await? {
                    found.push(identity);
                }
                if items.len() + found.len() >= limit {
                    break;
                }
            }
            items.append(&mut self.ids(&mut *tx, subject, found).await?);
            let full = items.len() >= limit;
            if last && !full {
                return Ok((items, None));
            }
            if full || looked >= LOOKED_AT {
                return Ok((items, at));
            }
            after = at;
        }
    }

    async fn permitted(
        &self,
        asker: &Asker,
        subject: &SubjectType,
        question: &Question,
        identity: &Identity,
        same: &mut BTreeMap<(&'static str, Attributes), bool>,
    ) -> Result<bool> {
        let here = not_here(&identity.lifecycle, self.now()).is_none();
        if !here || subject.kind.is_some_and(|kind| kind != identity.kind) {
            return Ok(false);
        }
        let policies = &asker.view.catalogue.policies;
        // Who lacks what policies read is denied, and so not found.
        let Ok(known) = policies.access_known(identity.kind.as_str(), &identity.attributes) else {
            return Ok(false);
        };
        let key = (identity.kind.as_str(), known);
        if let Some(permits) = same.get(&key) {
            return Ok(*permits);
        }
        let Ok(principal) = policies.access_identity(identity.kind.as_str(), &identity.attributes) else {
            return Ok(false);
        };
        let Some(kind) = ResourceTypeName::new(&question.resource.kind).ok() else { return Ok(false) };
        let declared = asker.view.catalogue.resources.get(&kind);
        let can =
            declared.is_some_and(|d| d.actions.iter().any(|action| action.as_str() == question.action.0));
        let said = match super::judge::said_of(&asker.view, question) {
            Some(said) if can => said,
            Some(_) | None => return Ok(false),
        };
        let put = put(&principal, question, &kind, &said);
        let permits =
            policies.allows(put).map_err(|fault| EngineError::Undecidable(fault.to_string()))?.allowed;
        same.insert(key, permits);
        Ok(permits)
    }

    /// Everybody who holds an entitlement and may use it, by the ids of their accounts.
    async fn users(
        &self,
        asker: &Asker,
        subject: &SubjectType,
        question: &Question,
        after: Option<String>,
        limit: usize,
    ) -> Result<Part> {
        let Ok(entitlement) = EntitlementName::new(&question.resource.id) else {
            return Ok((Vec::new(), None));
        };
        if !asker.view.catalogue.entitlements.contains_key(&entitlement) {
            return Ok((Vec::new(), None));
        }
        let holders = self.holders(&entitlement, after, limit).await?;
        let active = holders.items.iter().filter(|holder| holder.active && !holder.because.is_empty());
        let ids: BTreeSet<IdentityId> = active.filter_map(|holder| holder.identity).collect();
        let mut tx = self.read().await?;
        let asked = ids.iter().map(|id| id.to_string().into()).collect();
        let asked = Select::from(Table::Identities).filter(Filter::In("id", asked));
        let people = select::<Identity>(&mut *tx, self.tenant(), asked).await?;
        let fits = |identity: &Identity| subject.kind.is_none_or(|kind| kind == identity.kind);
        let people = people.into_iter().map(|stored| stored.value).filter(fits).collect();
        let found = self.ids(&mut *tx, subject, people).await?;
        drop(tx);
        // A policy may forbid it to one who holds it.
        let mut items = Vec::new();
        for id in found {
            let put = with(question, Sought::Subject, &id);
            if self.judge(&asker.view, &put).await.reason == Reason::Permitted {
                items.push(id);
            }
        }
        Ok((items, holders.next))
    }

    /// The ids by which these are found, of those that lead to one only.
    async fn ids(
        &self,
        tx: &mut dyn Tx,
        subject: &SubjectType,
        people: Vec<Identity>,
    ) -> Result<Vec<String>> {
        let mut ids: Vec<String> =
            people.iter().filter_map(|identity| subject.found.id_of(identity)).collect();
        if subject.found == FoundBy::Email {
            let wanted = ids.iter().map(|id| id.to_lowercase().into()).collect();
            let asked = Select::from(Table::Identities).filter(Filter::In("lookup", wanted));
            let mut owners: BTreeMap<String, BTreeSet<IdentityId>> = BTreeMap::new();
            for stored in select::<Identity>(tx, self.tenant(), asked).await? {
                let email = stored.value.text("email").unwrap_or_default().to_lowercase();
                if let Some(found) = self.followed(tx, stored).await? {
                    owners.entry(email).or_default().insert(found.value.id);
                }
            }
            ids.retain(|id| owners.get(&id.to_lowercase()).is_some_and(|owners| owners.len() == 1));
        }
        Ok(ids)
    }
}

/// The question about one that was sought.
fn with(question: &Question, sought: Sought, name: &str) -> Question {
    let mut question = question.clone();
    match sought {
        Sought::Subject => name.clone_into(&mut question.subject.id),
        Sought::Resource => name.clone_into(&mut question.resource.id),
        Sought::Action => question.action = (name.to_owned(), Default::default()),
    }
    question
}

fn put<'a>(
    principal: &'a bailiwick_core::policy::AccessPrincipal,
    question: &'a Question,
    resource_type: &'a ResourceTypeName,
    said: &'a Said,
) -> AccessQuestion<'a> {
    AccessQuestion {
        principal,
        action: &question.action.0,
        resource_type,
        resource: &question.resource.id,
        said,
    }
}
