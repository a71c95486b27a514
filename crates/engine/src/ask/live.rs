//! What is known of callers and people, at most a tenth of a second old, without asking the store each time.
//!
//! Ten times a second, and only while somebody asks, one transaction looks whether configuration changed and which rows were
//! written since the last time: nothing changes without a record that names its row. What is kept of those rows goes.
//! So whatever is kept is as the store had it that long ago or less, for as long as it is kept, on every node.
//!
//! What is read while that is going on is not kept: it may be older than what was just forgotten. Memory is bounded:
//! so many entries, and none of what whoever asks may make as long as they like.
//! Absent: any entry for somebody who is not there; whoever is new is seen at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bailiwick_core::{
    digest::Digest,
    id::{IdentityId, ResourceTypeName, SubjectTypeName},
    identity::{Identity, IdentityKind, Lifecycle},
    policy::{AccessAnswer, AccessPrincipal, AccessQuestion, AttributeValue, Attributes, PolicyFault, Said},
    record::Logged,
    resource::{FoundBy, SubjectType},
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{Filter, Select, Table, Tx, entities::Caller, select};

use crate::{Catalogue, Engine, Result};

/// For how long what was seen counts.
const FRESH: SignedDuration = SignedDuration::from_millis(100);
/// How many records are looked through for what changed; after more than that everything is forgotten.
const NEWS: u32 = 8_192;
/// How many changed identities are looked at one by one.
const CHANGED: usize = 512;
/// How many people are kept in one half of the memory, some 250 bytes each.
const KEPT: usize = 100_000;
/// How many kinds of people, as policies see them.
const KINDS: usize = 10_000;
/// How many answers of policies are kept in one half of the memory.
const ANSWERS: usize = 20_000;
/// How long what is said in a question may be whose answer is kept, bytes: whoever asks chooses it.
const SHORT: usize = 512;

/// What was seen at one moment.
pub(crate) struct View {
    /// When, at the latest.
    pub at: Timestamp,
    /// What is declared.
    pub catalogue: Arc<Catalogue>,
    /// The index in the log of what comes next.
    next: i64,
    /// Which turn it was.
    turn: u64,
}

/// A person as far as questions need to know.
pub(crate) struct Person {
    pub id: IdentityId,
    pub lifecycle: Lifecycle,
    /// What policies see, or why they cannot.
    pub principal: Result<Arc<Seen>, PolicyFault>,
    /// The rows that led here.
    rows: Vec<IdentityId>,
}

/// What policies see of somebody.
pub(crate) struct Seen {
    /// Another for each that is another, as long as the process lives; of none that is not kept.
    number: Option<u64>,
    pub principal: AccessPrincipal,
}

impl Seen {
    /// Of one that is not kept.
    pub(crate) fn passing(principal: AccessPrincipal) -> Arc<Self> {
        Arc::new(Self { number: None, principal })
    }
}

/// A question to policies: who, as they see them, does what to which resource, and what is said.
type Put = (u64, ResourceTypeName, String, String, Said);

/// Who was found.
pub(crate) enum Who {
    Nobody,
    Several,
    One(Arc<Person>),
}

/// A type of subject, and an id.
type Key = (SubjectTypeName, String);

#[derive(Default)]
struct Half {
    people: BTreeMap<Key, Arc<Person>>,
    /// By the rows that led to them.
    rows: BTreeMap<IdentityId, Vec<Key>>,
}

impl Half {
    fn forget(&mut self, row: IdentityId) {
        for key in self.rows.remove(&row).unwrap_or_default() {
            self.people.remove(&key);
        }
    }
}

#[derive(Default)]
struct Known {
    turn: u64,
    callers: BTreeMap<Digest, Caller>,
    /// What was used of late, and what was before.
    young: Half,
    old: Half,
    /// Many are the same to policies.
    same: BTreeMap<Attributes, Arc<Seen>>,
    /// How many were ever told apart.
    numbers: u64,
    /// What policies answered of late, and before: it follows from the question and the configuration alone.
    answered: BTreeMap<Put, AccessAnswer>,
    answered_before: BTreeMap<Put, AccessAnswer>,
}

impl Known {
    fn person(&self, key: &Key) -> Option<(Arc<Person>, bool)> {
        let young = self.young.people.get(key).map(|person| (Arc::clone(person), true));
        young.or_else(|| self.old.people.get(key).map(|person| (Arc::clone(person), false)))
    }

    fn keep(&mut self, key: Key, person: Arc<Person>) {
        if self.young.people.len() >= KEPT {
            self.old = std::mem::take(&mut self.young);
        }
        for row in &person.rows {
            self.young.rows.entry(*row).or_default().push(key.clone());
        }
        self.young.people.insert(key, person);
    }

    fn forget_all(&mut self) {
        // Numbers are never given twice.
        *self = Self { turn: self.turn, numbers: self.numbers, ..Self::default() };
    }
}

/// What an engine remembers; lost with the process.
#[derive(Default)]
pub(crate) struct Live {
    view: Mutex<Option<Arc<View>>>,
    known: Mutex<Known>,
    refreshing: tokio::sync::Mutex<()>,
}

impl Live {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> Option<Arc<View>> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fresh(&self, now: Timestamp) -> Option<Arc<View>> {
        // A clock that was set back makes nothing young again.
        let young = |view: &Arc<View>| (SignedDuration::ZERO..FRESH).contains(&now.duration_since(view.at));
        self.view().filter(young)
    }
}

/// What changed since the last time.
#[derive(Default)]
struct News {
    next: i64,
    /// Too much to look at one by one.
    all: bool,
    callers: bool,
    identities: BTreeSet<IdentityId>,
    /// What the changed identities are looked up by now.
    keys: BTreeSet<Key>,
}

impl Engine {
    /// What is known now.
    pub(crate) async fn view(&self) -> Result<Arc<View>> {
        if let Some(view) = self.live.fresh(self.now()) {
            return Ok(view);
        }
        let _turn = self.live.refreshing.lock().await;
        let at = self.now();
        if let Some(view) = self.live.fresh(at) {
            return Ok(view);
        }
        let before = self.live.view();
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let news = self.news(&mut *tx, before.as_deref(), &catalogue).await?;
        drop(tx);
        let mut known = self.live.known();
        known.turn += 1;
        if news.all {
            known.forget_all();
        }
        if news.callers {
            known.callers.clear();
        }
        for row in &news.identities {
            known.young.forget(*row);
            known.old.forget(*row);
        }
        for key in &news.keys {
            known.young.people.remove(key);
            known.old.people.remove(key);
        }
        let view = Arc::new(View { at, catalogue, next: news.next, turn: known.turn });
        *self.live.view.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&view));
        Ok(view)
    }

    async fn news(&self, tx: &mut dyn Tx, before: Option<&View>, now: &Catalogue) -> Result<News> {
        let size = tx.entry_counts().await?.0;
        let everything = News { next: size, all: true, ..News::default() };
        // Another configuration shows people in another way; a store that was put back knows nothing of what was seen.
        let Some(before) = before.filter(|b| b.next <= size && b.catalogue.version == now.version) else {
            return Ok(everything);
        };
        let entries = tx.news(before.next, NEWS).await?;
        if entries.len() >= NEWS as usize {
            return Ok(everything);
        }
        let mut news = News { next: before.next, ..News::default() };
        for entry in entries {
            news.next = news.next.max(entry.index.map_or(0, |index| index + 1));
            // What cannot be read may be about anybody.
            let Ok(logged) = Logged::parse(&entry.bytes) else { return Ok(everything) };
            for row in logged.state.iter().filter(|_| logged.tenant == *self.tenant()) {
                if row.table == Table::Callers.name() {
                    news.callers = true;
                } else if row.table == Table::Identities.name() {
                    let Ok(id) = row.id.parse() else { return Ok(everything) };
                    news.identities.insert(id);
                }
            }
        }
        if news.identities.len() > CHANGED {
            return Ok(everything);
        }
        if !news.identities.is_empty() {
            // Somebody else may have the e-mail address of one who is kept.
            let ids = news.identities.iter().map(|id| id.to_string().into()).collect();
            let asked = Select::from(Table::Identities).filter(Filter::In("id", ids));
            for stored in select::<Identity>(tx, self.tenant(), asked).await? {
                let subjects = now.subjects.values();
                news.keys.extend(subjects.filter_map(|s| Some(key(s, &s.found.id_of(&stored.value)?))));
            }
        }
        Ok(news)
    }

    /// The caller with a token that is valid, whose integration is declared and has not ended. Looks a digest up, so that
    /// the time it takes says nothing about tokens.
    pub(crate) async fn known_caller(&self, view: &View, token: &str) -> Result<Option<Caller>> {
        let digest = Digest::of(token.as_bytes());
        let kept = self.live.known().callers.get(&digest).cloned();
        let found = match kept {
            Some(caller) => Some(caller),
            None => {
                let found = self.caller_of(&mut *self.read().await?, token).await?;
                let mut known = self.live.known();
                if let Some(caller) = found.as_ref().filter(|_| known.turn == view.turn) {
                    known.callers.insert(digest, caller.clone());
                }
                found
            }
        };
        let declared = |caller: &Caller| view.catalogue.integrations.contains_key(&caller.integration);
        Ok(found.filter(|caller| caller.expires > self.now() && declared(caller)))
    }

    /// Who a subject is.
    pub(crate) async fn who(&self, view: &View, subject: &SubjectType, id: &str) -> Result<Who> {
        let key = key(subject, id);
        let kept = self.live.known().person(&key);
        if let Some((person, young)) = kept {
            if !young {
                self.keep(view, key, &person);
            }
            return Ok(Who::One(person));
        }
        let mut tx = self.read().await?;
        let (rows, found) = self.look_up(&mut *tx, subject, &key.1).await?;
        let identity = match found.as_slice() {
            [] => return Ok(Who::Nobody),
            [one] => one,
            [_, _, ..] => return Ok(Who::Several),
        };
        let person = Arc::new(Person {
            id: identity.id,
            lifecycle: identity.lifecycle.clone(),
            principal: self.principal(view, identity),
            rows,
        });
        self.keep(view, key, &person);
        Ok(Who::One(person))
    }

    /// What policies see of an identity.
    fn principal(&self, view: &View, identity: &Identity) -> Result<Arc<Seen>, PolicyFault> {
        let (policies, kind) = (&view.catalogue.policies, identity.kind.as_str());
        let seen = policies.access_known(kind, &identity.attributes)?;
        let kept = {
            let known = self.live.known();
            known.same.get(&seen).filter(|_| known.turn == view.turn).cloned()
        };
        if let Some(principal) = kept {
            return Ok(principal);
        }
        let principal = policies.access_identity(kind, &identity.attributes)?;
        let mut known = self.live.known();
        if known.turn != view.turn {
            return Ok(Seen::passing(principal));
        }
        if known.same.len() >= KINDS {
            known.same.clear();
        }
        known.numbers += 1;
        let principal = Arc::new(Seen { number: Some(known.numbers), principal });
        known.same.insert(seen, Arc::clone(&principal));
        Ok(principal)
    }

    /// What the policies answer; the same question is put to them once, if it is short.
    pub(crate) fn allows(
        &self,
        view: &View,
        seen: &Seen,
        question: AccessQuestion<'_>,
    ) -> Result<AccessAnswer, PolicyFault> {
        let AccessQuestion { action, resource_type, resource, said, .. } = question;
        let Some(number) = seen.number.filter(|_| is_short(resource, said)) else {
            return view.catalogue.policies.allows(question);
        };
        let put: Put = (number, resource_type.clone(), action.to_owned(), resource.to_owned(), said.clone());
        let kept = {
            let known = self.live.known();
            let kept = || known.answered.get(&put).or_else(|| known.answered_before.get(&put));
            // After another configuration numbers are others, and nothing of before is found.
            kept().cloned()
        };
        if let Some(answer) = kept {
            return Ok(answer);
        }
        let answer = view.catalogue.policies.allows(question)?;
        let mut known = self.live.known();
        if known.turn == view.turn {
            if known.answered.len() >= ANSWERS {
                known.answered_before = std::mem::take(&mut known.answered);
            }
            known.answered.insert(put, answer.clone());
        }
        Ok(answer)
    }

    fn keep(&self, view: &View, key: Key, person: &Arc<Person>) {
        let mut known = self.live.known();
        if known.turn == view.turn {
            known.keep(key, Arc::clone(person));
        }
    }

    /// Everybody whom an id leads to, and the rows by which it does.
    pub(crate) async fn look_up(
        &self,
        tx: &mut dyn Tx,
        subject: &SubjectType,
        id: &str,
    ) -> Result<(Vec<IdentityId>, Vec<Identity>)> {
        // No text of the store has such a character, and nobody is found by nothing.
        if id.is_empty() || id.contains('\0') {
            return Ok((Vec::new(), Vec::new()));
        }
        let (column, value) = match &subject.found {
            FoundBy::Email => ("lookup", id.to_lowercase()),
            FoundBy::SourceKey => ("source_key", id.to_owned()),
            FoundBy::Key { source } => ("source_key", format!("{source}/{id}")),
        };
        let asked = Select::from(Table::Identities).filter(Filter::Is(column, value.into()));
        let mut people: BTreeMap<IdentityId, Identity> = BTreeMap::new();
        let mut rows = Vec::new();
        for stored in select::<Identity>(tx, self.tenant(), asked).await? {
            rows.push(stored.value.id);
            if let Some(found) = self.followed(tx, stored).await?.map(|found| found.value) {
                rows.push(found.id);
                people.insert(found.id, found);
            }
        }
        let fits = |kind: IdentityKind| subject.kind.is_none_or(|wanted| wanted == kind);
        Ok((rows, people.into_values().filter(|identity| fits(identity.kind)).collect()))
    }
}

/// Whether what whoever asks has chosen freely is short. Names are declared, and so is the action.
fn is_short(resource: &str, said: &Said) -> bool {
    let length = |value: &AttributeValue| match value {
        AttributeValue::Text(text) => text.len(),
        // Each text of a set costs something, also an empty one.
        AttributeValue::TextSet(texts) => texts.iter().map(|text| text.len() + size_of::<String>()).sum(),
        AttributeValue::Number(_) | AttributeValue::Flag(_) => 0,
    };
    let Said { subject, action, resource: of_resource, request } = said;
    let values = [subject, action, of_resource, request].into_iter().flat_map(|part| part.values());
    resource.len() + values.map(length).sum::<usize>() <= SHORT
}

/// How an id of a subject is kept: an e-mail address has no case.
fn key(subject: &SubjectType, id: &str) -> Key {
    let id = match subject.found {
        FoundBy::Email => id.to_lowercase(),
        FoundBy::SourceKey | FoundBy::Key { .. } => id.to_owned(),
    };
    (subject.name.clone(), id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_whoever_asks_makes_long_is_not_kept() {
        let check = |resource: &str, value: AttributeValue, expect: bool| {
            let said = Said { request: Attributes::from([("x".to_owned(), value)]), ..Said::default() };
            assert_eq!(is_short(resource, &said), expect, "{} bytes, {said:?}", resource.len());
        };
        let texts = |many: u32| AttributeValue::TextSet((0..many).map(|n| n.to_string()).collect());
        check("record-1", AttributeValue::Number(i64::MAX), true);
        check("record-1", AttributeValue::Text("admin".into()), true);
        check(&"x".repeat(SHORT), AttributeValue::Flag(true), true);
        check(&"x".repeat(SHORT), AttributeValue::Text("y".into()), false);
        check(&"ü".repeat(SHORT), AttributeValue::Flag(true), false);
        check("", AttributeValue::Text("y".repeat(SHORT + 1)), false);
        check("", texts(5), true);
        check("", texts(1_000), false);
    }
}
