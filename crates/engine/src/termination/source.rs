//! What sources say of those who were fired: it counts again once the source has said that they left, or that they
//! begin anew, or when two people say so. Until then that it says they are here is told to its owner, and nothing follows.

use std::collections::BTreeMap;

use bailiwick_core::{
    contract::OfFired,
    id::{IdentityId, SourceName},
    identity::Identity,
    person::Conflict,
    record::{Actor, Record, RecordKind},
    termination::{SourceWord, Termination, TerminationRefusal, TerminationState},
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, entities::Operator, get, select};

use crate::{Engine, Result, finding::Wrong};

/// The finding that a source goes on saying that somebody is here who was fired.
const HERE_STILL: &str = "fired-still-here";

impl Engine {
    /// Those who were fired and of whom their source has not said that they left.
    pub(crate) async fn owed(&self, tx: &mut dyn Tx) -> Result<BTreeMap<IdentityId, Stored<Termination>>> {
        let owed = Select::from(Table::Terminations).filter(Filter::Is("state", "owed".into()));
        let mut out = BTreeMap::new();
        for stored in select::<Termination>(tx, self.tenant(), owed).await? {
            let id = stored.value.identity;
            let who = get::<Identity>(tx, self.tenant(), &id.to_string()).await?;
            let who = match who {
                Some(who) => self.followed(tx, who).await?.map(|who| who.value.id),
                None => None,
            };
            out.insert(who.unwrap_or(id), stored);
        }
        Ok(out)
    }

    /// What a delivery says of those who were fired.
    pub(crate) async fn hear_of_fired(
        &self,
        tx: &mut dyn Tx,
        (source, owner): (&SourceName, &str),
        said: &OfFired,
        identities: &BTreeMap<String, Stored<Identity>>,
        mut owed: BTreeMap<IdentityId, Stored<Termination>>,
    ) -> Result<()> {
        let now = self.now();
        let actor = Actor::Source(source.to_string());
        let mut updates = Vec::new();
        let mut wrongs = Vec::new();
        let words = [
            (&said.gone, Some(SourceWord::Given { at: now })),
            (&said.anew, Some(SourceWord::HiredAnew { at: now })),
            (&said.here, None),
        ];
        for (keys, word) in words {
            for key in keys {
                let Some(identity) = identities.get(key).map(|stored| &stored.value) else { continue };
                if word.is_some() && others_owe(identity, source, key, said) {
                    continue;
                }
                let Some(stored) = owed.remove(&identity.id) else { continue };
                let Some(word) = word.clone() else {
                    wrongs.push(here_still(&stored.value, (source, owner), key));
                    continue;
                };
                let told = stored.value.told(word);
                let record = self.answered(&told, actor.clone());
                updates.push(Update::new(record).replace(&told, stored.revision, self.entropy()));
                updates.extend(self.close_finding(tx, HERE_STILL, &told.id.to_string()).await?);
            }
        }
        updates.extend(self.open_all(tx, wrongs).await?);
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    /// Somebody wants that what the source says of somebody who was fired counts again. The first one asks; it does
    /// when a second person says the same. What follows then is up to the source's next delivery.
    ///
    /// # Errors
    /// When there is no such termination for the caller, and when [`TerminationRefusal`] says why.
    pub async fn lift_termination(&self, which: &str, reason: &str, by: &Operator) -> Result<Termination> {
        if reason.trim().is_empty() {
            return Err(TerminationRefusal::NoReason.into());
        }
        let found = self.find_all(&[which.to_owned()], by).await?;
        let mut tx = self.begin().await?;
        let terminator = self.terminator(&mut *tx, by).await?;
        let Some(Stored { value, revision }) = found.into_iter().next() else {
            return Err(TerminationRefusal::NotAllowed(by.name.clone()).into());
        };
        let asked = match &value.state {
            TerminationState::Fired { word: SourceWord::LiftAsked { by, .. }, .. } => Some(*by),
            TerminationState::Fired { .. }
            | TerminationState::Armed { .. }
            | TerminationState::Disarmed { .. }
            | TerminationState::Lapsed { .. }
            | TerminationState::Overtaken { .. } => None,
        };
        let first = self.part_of(&mut *tx, asked, Conflict::Requester).await?;
        let conflicts = terminator.persons.conflicts(first.iter().map(|(who, why)| (who.as_str(), *why)));
        let lifted = value.lift(by.id, Some(&terminator.person), &conflicts, self.now())?;
        let actor = Actor::Operator(by.name.clone());
        let record = self.answered(&lifted, actor).personal("reason", reason);
        let mut updates = vec![Update::new(record).replace(&lifted, revision, self.entropy())];
        let lift = lifted.owed().is_none();
        if lift {
            updates.extend(self.close_finding(&mut *tx, HERE_STILL, &lifted.id.to_string()).await?);
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        if lift {
            self.heard_of(&mut *tx, lifted.identity, |_| true, Actor::Operator(by.name.clone())).await?;
        }
        tx.commit().await?;
        Ok(lifted)
    }

    fn answered(&self, of: &Termination, actor: Actor) -> Record {
        let word = match &of.state {
            TerminationState::Fired { word, .. } => serde_json::to_value(word).ok(),
            TerminationState::Armed { .. }
            | TerminationState::Disarmed { .. }
            | TerminationState::Lapsed { .. }
            | TerminationState::Overtaken { .. } => None,
        };
        let mut record = self
            .record(RecordKind::TerminationAnswered, "termination")
            .identity(of.identity)
            .fact("said", word)
            .fact("termination", of.id);
        record.actor = actor;
        record
    }
}

/// Whether another record of the same person was fired and its source has not said, nor says now, that it ended.
fn others_owe(of: &Identity, source: &SourceName, key: &str, said: &OfFired) -> bool {
    let says = |key: &String| said.gone.contains(key) || said.anew.contains(key);
    of.engagements.iter().any(|record| {
        let here = record.key.source == *source;
        record.fired.is_some() && !(here && (record.key.key == key || says(&record.key.key)))
    })
}

fn here_still(of: &Termination, (source, owner): (&SourceName, &str), key: &str) -> Wrong {
    Wrong {
        code: HERE_STILL,
        subject: of.id.to_string(),
        identity: Some(of.identity),
        system: None,
        message: format!(
            "`{source}` still says that `{source}/{key}` is here, who was fired: nothing follows from it; have the record \
             ended at the source, or, if they are to be here, give it a first day after that, or let two people say \
             `bailiwick termination lift {}`",
            of.id
        ),
        owner: owner.to_owned(),
    }
}
