//! Joining two identities that are one person, and splitting them again: one asks, another approves.
//!
//! What is asked is a plan like others. It shows what the one that stays is to have and what becomes of every account; its
//! approval puts that in force, and both are decided anew in the same transaction. Their plans are approved with it
//! where they are what was shown, and by the rules there are where they are not.

use std::collections::BTreeMap;

use bailiwick_core::{
    account::Account,
    approval::{Approval, Refusal},
    engagement,
    event::{Event, EventKind},
    id::{AccountId, EventId, IdentityId, PlanId},
    identity::{Identity, IdentityKind, Lifecycle, SourceKey},
    join::{self, Act, Fate, JoinRefusal, Joint, Line},
    plan::{self, Inputs, Plan},
    record::{Actor, RecordKind},
    stay::Cancelled,
    time::Effective,
};
use bailiwick_store::{
    Ready, Select, Stored, Table, Tx, Update,
    entities::{Operator, PlanRow, PlanState},
    get, select,
};

use crate::{
    Catalogue, Engine, EngineError, Result,
    accept::Accepted,
    decide::{Known, Outcome, judge, standpoints},
    engagement::{AMBIGUOUS, rank_of},
    exception::counting,
};

/// The two identities, as they are and as they would be.
struct Both {
    who: Stored<Identity>,
    other: Stored<Identity>,
    after: Identity,
    other_after: Identity,
    lines: Vec<Line>,
}

impl Engine {
    /// Asks that two identities become one: the first stays. Gives the plan that a second person approves.
    ///
    /// # Errors
    /// When one of them is not known, and when [`JoinRefusal`] says why.
    pub async fn ask_join(&self, who: &str, other: &str, reason: &str, by: &Operator) -> Result<Plan> {
        let stays = self.find_identity(who).await?;
        let goes = self.find_identity(other).await?;
        if stays.value.id == goes.value.id {
            return Err(JoinRefusal::Same(who.to_owned(), other.to_owned()).into());
        }
        self.ask_joint(Act::Join, (stays.value.id, who), (goes.value.id, other), reason, by).await
    }

    /// Asks that a key goes from an identity again. Gives the plan that a second person approves.
    ///
    /// # Errors
    /// As [`Engine::ask_join`].
    pub async fn ask_split(&self, who: &str, key: &str, reason: &str, by: &Operator) -> Result<Plan> {
        let stays = self.find_identity(who).await?;
        if stays.value.source_key.to_string() == key {
            return Err(JoinRefusal::Own(key.to_owned()).into());
        }
        let mut tx = self.read().await?;
        let others = self.forwards(&mut *tx, &stays.value).await?;
        drop(tx);
        let goes = others.into_iter().find(|other| other.value.source_key.to_string() == key);
        let goes = goes.ok_or_else(|| JoinRefusal::NotJoined { who: who.to_owned(), key: key.to_owned() })?;
        self.ask_joint(Act::Split, (stays.value.id, who), (goes.value.id, key), reason, by).await
    }

    async fn ask_joint(
        &self,
        act: Act,
        (who, who_name): (IdentityId, &str),
        (other, other_name): (IdentityId, &str),
        reason: &str,
        by: &Operator,
    ) -> Result<Plan> {
        if reason.trim().is_empty() {
            return Err(JoinRefusal::NoReason.into());
        }
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let known = self.know(&mut *tx, [who, other].into()).await?;
        let mut both = self.both(&mut *tx, &catalogue, act, &known, (who, other)).await?;
        for (person, name) in [(&both.who.value, who_name), (&both.other.value, other_name)] {
            if person.kind != IdentityKind::Person {
                return Err(JoinRefusal::NoPerson(name.to_owned()).into());
            }
            if known.is_unsettled(person.id) {
                return Err(JoinRefusal::Unsettled(name.to_owned()).into());
            }
            if known.has_exceptions(person.id) {
                return Err(JoinRefusal::Excepted(name.to_owned()).into());
            }
        }
        // The asking is an event of the one that stays; a later one makes it void.
        both.after.generation = both.who.value.generation + 1;
        let what = format!("{} {other_name}", act.as_str());
        let event = self.asking(&both.after, EventKind::Requested { what });
        let beside = self.imagined_plan(&catalogue, &known, &both, Side::Other, &event)?;
        let mut plan = self.imagined_plan(&catalogue, &known, &both, Side::Stays, &event)?;
        plan.joint = Some(Joint {
            act,
            other,
            key: both.other.value.source_key.clone(),
            generation: both.other.value.generation,
            requester: by.id,
            reason: reason.to_owned(),
            accounts: both.lines.clone(),
            beside: beside.changes.iter().map(|c| format!("{} on {}", c.op.words(), c.system)).collect(),
            shown: beside.shown(),
        });
        let asked = Identity { generation: both.after.generation, ..both.who.value.clone() };
        let actor = Actor::Operator(by.name.clone());
        let mut out = Outcome::default();
        out.updates.push(self.accepted(actor, &event, &asked, Some(both.who.revision)));
        let mut bulk = catalogue.policies.bulk();
        self.plan_row(&mut bulk, plan.clone(), None, &event, &mut out);
        let ready = Ready::new(self.tenant(), std::mem::take(&mut out.updates), self.entropy())?;
        self.write_outcome(&mut *tx, out, ready).await?;
        tx.commit().await?;
        Ok(plan)
    }

    pub(crate) fn asking(&self, of: &Identity, kind: EventKind) -> Event {
        let now = self.now();
        Event {
            id: EventId::new(now, self.entropy()),
            source: "hub".into(),
            key: format!("{}/{}#{}", kind.name(), of.id, of.generation),
            identity: of.id,
            kind,
            effective: Effective::at(now),
            accepted: now,
        }
    }

    /// Both of them, as they are and as they would be now.
    async fn both(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        act: Act,
        known: &Known,
        (who, other): (IdentityId, IdentityId),
    ) -> Result<Both> {
        let missing = |id: IdentityId| EngineError::NotFound { kind: "identity", name: id.to_string() };
        let get = |found: Option<Stored<Identity>>, id| found.ok_or_else(|| missing(id));
        let stays = get(get_identity(self, tx, who).await?, who)?;
        let goes = get(get_identity(self, tx, other).await?, other)?;
        let accounts = |id| known.accounts.get(&id).map(Vec::as_slice).unwrap_or_default();
        let rank = |of: &Identity| rank_of(catalogue, &of.source_key.source);
        let now = self.now();
        let (mut after, mut other_after) = (stays.value.clone(), goes.value.clone());
        let lines = match act {
            Act::Join => {
                let mut records = stays.value.records(rank(&stays.value));
                records.extend(goes.value.records(rank(&goes.value)));
                after = after.of_records(records, now);
                after.cancelled.append(&mut other_after.cancelled);
                other_after.lifecycle = Lifecycle::Merged { into: who, since: now };
                other_after.attributes.clear();
                other_after.engagements.clear();
                let leads = after.leading_key();
                let other_leads = goes.value.source_keys().contains(&leads);
                join::joining(accounts(who), accounts(other), other_leads)
            }
            Act::Split => {
                let key = &goes.value.source_key;
                let (gone, kept): (Vec<_>, Vec<_>) =
                    stays.value.records(rank(&stays.value)).into_iter().partition(|r| r.key == *key);
                after = after.of_records(kept, now);
                let theirs = |cancelled: &Cancelled| cancelled.key == *key;
                (other_after.cancelled, after.cancelled) = after.cancelled.into_iter().partition(theirs);
                // What of it is there decides; it is not led back anywhere.
                other_after.lifecycle = Lifecycle::Left { at: Effective::at(now), kept_out: None };
                other_after = other_after.of_records(gone, now);
                join::splitting(accounts(who), accounts(other), key)
            }
        };
        Ok(Both { who: stays, other: goes, after, other_after, lines })
    }

    /// The plan that one of them would get by what is known now.
    fn imagined_plan(
        &self,
        catalogue: &Catalogue,
        known: &Known,
        both: &Both,
        side: Side,
        event: &Event,
    ) -> Result<Plan> {
        let person = match side {
            Side::Stays => &both.after,
            Side::Other => &both.other_after,
        };
        let accounts = side.accounts(known, both);
        let mut bulk = catalogue.policies.bulk();
        let excepted = counting(known.exceptions_of(person.id), None, self.now());
        let decision =
            judge(catalogue, &mut bulk, person, event, &excepted).map_err(EngineError::Undecidable)?;
        // Where the gates for coming back hold, nothing is planned here either.
        let mut unsettled = self.not_yet_back(catalogue, known, &decision, &mut Outcome::default());
        let concerned = accounts.iter().map(|account| &account.system).chain(decision.desired.keys());
        unsettled.extend(concerned.filter(|s| catalogue.standing_still(s).is_some()).cloned());
        let standpoints = standpoints(catalogue, &decision, &accounts, &unsettled);
        let now = self.now();
        let sweep = crate::decide::sweep(person, event, catalogue);
        Ok(plan::make(Inputs {
            id: PlanId::new(now, self.entropy()),
            event,
            decision,
            marker: person.source_key.to_string(),
            known: &standpoints,
            rules: &catalogue.rules,
            sweep,
            new_account: &mut || bailiwick_core::id::AccountId::new(now, self.entropy()),
            now,
        }))
    }

    /// Puts in force what two people said, if it is still what they saw.
    pub(crate) async fn joint_approved(
        &self,
        tx: &mut dyn Tx,
        stored: Stored<PlanRow>,
        approval: Approval,
    ) -> Result<()> {
        let plan = stored.value.plan.clone();
        let Some(joint) = plan.joint.clone() else { return Ok(()) };
        let who = plan.decision.identity;
        let catalogue = self.catalogue(tx).await?;
        let known = self.know(tx, [who, joint.other].into()).await?;
        let mut both = self.both(tx, &catalogue, joint.act, &known, (who, joint.other)).await?;
        if both.who.value.generation != plan.decision.generation
            || both.other.value.generation != joint.generation
        {
            return Err(Refusal::Superseded.into());
        }
        let event = self.asking(&both.after, EventKind::PolicyChanged);
        let fresh = self.imagined_plan(&catalogue, &known, &both, Side::Stays, &event)?;
        let beside = self.imagined_plan(&catalogue, &known, &both, Side::Other, &event)?;
        let seen = fresh.shown() == plan.shown() && beside.shown() == joint.shown;
        let settled = !known.is_unsettled(who) && !known.is_unsettled(joint.other);
        if !seen || !settled || both.lines != joint.accounts {
            return Err(JoinRefusal::Changed.into());
        }
        let approval = self.sealed(approval.consume(&plan, self.now())?);
        let row = PlanRow { state: PlanState::Done { approval: approval.id }, ..stored.value };
        let given = Update::new(self.approval_record(&plan, &approval)).insert(&approval, self.entropy());
        let record = self.joint_record(&joint, &plan);
        let mut updates = vec![
            given.replace(&row, stored.revision, self.entropy()),
            self.move_accounts(tx, &joint, &both.who.value, Update::new(record)).await?,
        ];
        updates.extend(self.lead_on(tx, &joint, &both).await?);
        updates.extend(self.close_findings(tx, &told_of(&both)).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        both.after.generation = both.who.value.generation + 1;
        both.other_after.generation = both.other.value.generation + 1;
        let accepted = [(both.who, both.after, plan.shown()), (both.other, both.other_after, joint.shown)];
        let actor = Actor::Hub("join".into());
        let accepted = accepted.map(|(before, after, seen)| {
            let kind = match engagement::change(&before.value, &after) {
                EventKind::Left if !matches!(after.lifecycle, Lifecycle::Merged { .. }) => EventKind::Left,
                _ => EventKind::Merged { act: joint.act, seen },
            };
            let event = self.asking(&after, kind);
            Accepted { identity: after, revision: Some(before.revision), event, actor: actor.clone() }
        });
        self.accept(tx, accepted.into()).await
    }

    fn joint_record(&self, joint: &Joint, plan: &Plan) -> bailiwick_core::record::Record {
        let kind = match joint.act {
            Act::Join => RecordKind::IdentityJoined,
            Act::Split => RecordKind::IdentitySplit,
        };
        let who = plan.decision.identity;
        let owner = |line: &Line| match line.fate {
            Fate::Comes => Some((line.account, who)),
            Fate::Yields | Fate::Goes => Some((line.account, joint.other)),
            Fate::Ends | Fate::Rests | Fate::Stays | Fate::Theirs => None,
        };
        let moved: BTreeMap<AccountId, IdentityId> = joint.accounts.iter().filter_map(owner).collect();
        self.record(kind, "join")
            .identity(who)
            .plan(plan.id)
            .fact("accounts", moved)
            .fact("other", joint.other)
            .fact("requester", joint.requester)
            .personal("key", &joint.key)
            .personal("reason", &joint.reason)
    }

    async fn move_accounts(
        &self,
        tx: &mut dyn Tx,
        joint: &Joint,
        who: &Identity,
        mut update: Update,
    ) -> Result<Update> {
        for line in &joint.accounts {
            let Some(stored) = get::<Account>(tx, self.tenant(), &line.account.to_string()).await? else {
                continue;
            };
            let known = stored.value.for_key.clone();
            let (to, for_key) = match (line.fate, joint.act) {
                (Fate::Comes, Act::Join) => (who.id, known.or_else(|| Some(joint.key.clone()))),
                (Fate::Comes, Act::Split) => (who.id, known.filter(|key| *key != who.source_key)),
                (Fate::Yields, _) => (joint.other, known.or_else(|| Some(who.source_key.clone()))),
                (Fate::Goes, _) => (joint.other, None),
                (Fate::Ends | Fate::Rests | Fate::Stays | Fate::Theirs, _) => continue,
            };
            let moved = Account { identity: Some(to), for_key, ..stored.value };
            update = update.replace(&moved, stored.revision, self.entropy());
        }
        Ok(update)
    }

    /// What led to the one that goes leads to the one that stays.
    async fn lead_on(&self, tx: &mut dyn Tx, joint: &Joint, both: &Both) -> Result<Vec<Update>> {
        if joint.act == Act::Split {
            return Ok(Vec::new());
        }
        let (since, into) = (self.now(), both.who.value.id);
        let mut updates = Vec::new();
        for led in self.forwards(tx, &both.other.value).await? {
            let record =
                self.record(RecordKind::IdentityJoined, "join").identity(into).fact("other", led.value.id);
            let next = Identity { lifecycle: Lifecycle::Merged { into, since }, ..led.value };
            updates.push(Update::new(record).replace(&next, led.revision, self.entropy()));
        }
        Ok(updates)
    }

    /// The other keys of somebody and the ids that led to them, for callers that show them.
    pub async fn joined_ids(&self, of: &Identity) -> Result<Vec<Identity>> {
        let mut tx = self.read().await?;
        Ok(self.forwards(&mut *tx, of).await?.into_iter().map(|stored| stored.value).collect())
    }

    /// The plans that ask to join or split and wait.
    pub async fn joints(&self) -> Result<Vec<Plan>> {
        let mut tx = self.read().await?;
        let drafted =
            Select::from(Table::Plans).filter(bailiwick_store::Filter::Is("state", "drafted".into()));
        let rows = select::<PlanRow>(&mut *tx, self.tenant(), drafted).await?;
        Ok(rows.into_iter().map(|s| s.value.plan).filter(|plan| plan.joint.is_some()).collect())
    }
}

async fn get_identity(engine: &Engine, tx: &mut dyn Tx, id: IdentityId) -> Result<Option<Stored<Identity>>> {
    Ok(get(tx, engine.tenant(), &id.to_string()).await?)
}

/// Which of both.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Stays,
    Other,
}

impl Side {
    /// The accounts that this one would have.
    fn accounts(self, known: &Known, both: &Both) -> Vec<Account> {
        let of = |id: IdentityId| known.accounts.get(&id).map(Vec::as_slice).unwrap_or_default();
        let (who, other) = (of(both.who.value.id), of(both.other.value.id));
        let fate = |account: &Account| {
            both.lines.iter().find(|line| line.account == account.id).map(|line| line.fate)
        };
        let moves = |account: &&Account| fate(account).is_some_and(Fate::moves);
        let (own, foreign) = match self {
            Self::Stays => (who, other),
            Self::Other => (other, who),
        };
        let kept = own.iter().filter(|account| !moves(account));
        kept.chain(foreign.iter().filter(|account| moves(account))).cloned().collect()
    }
}

/// The findings that say that they may be one person.
fn told_of(both: &Both) -> Vec<(&'static str, String)> {
    let (who, other) = (&both.who.value, &both.other.value);
    let pair = if who.id <= other.id { (who.id, other.id) } else { (other.id, who.id) };
    let keys = |key: &SourceKey, id: IdentityId| (AMBIGUOUS, format!("{key}+{id}"));
    vec![
        (AMBIGUOUS, format!("{}+{}", pair.0, pair.1)),
        keys(&other.source_key, who.id),
        keys(&who.source_key, other.id),
    ]
}
