//! Reviews of integrations: what is shown, and what is decided.
//!
//! The reviewer is a person who does not answer for the integration and does not act for anybody who does. To
//! keep one is to certify anew what it can do, by a plan and an approval like any other.

use std::collections::BTreeSet;

use bailiwick_core::{
    approval::Refusal,
    authority::Class,
    digest::Digest,
    event::Cause,
    factor::Proof,
    finding::Finding,
    gate::{Gate, HUB, Permit},
    govern::Declaration,
    id::{IntegrationName, ReviewId},
    integration::{Integration, Role},
    passkey::Purpose,
    person::Conflict,
    record::{Actor, Record, RecordKind},
    review::{
        self, BARS_AFTER, CallbackLine, Decision, FindingLine, NotNarrower, Outcome, Review, ReviewRefusal,
        Shown, Trigger, Watch, Whereabouts, days_after,
    },
    time::Timestamp,
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, entities::Operator, get, select};

use crate::{
    Catalogue, Engine, EngineError, Requester, Result,
    configure::{Declared, authorities},
    factor::Given,
    finding::Wrong,
};

/// The role that lets one review.
const REVIEWER: &str = "identity-approver";

impl Engine {
    /// The open review of an integration.
    pub(crate) async fn review_open(
        &self,
        tx: &mut dyn Tx,
        name: &IntegrationName,
    ) -> Result<Option<Stored<Review>>> {
        let asked = Select::from(Table::Reviews).filter(Filter::Is("open_key", name.as_str().into()));
        Ok(select(tx, self.tenant(), asked).await?.pop())
    }

    /// Opens a review, or adds a reason to the one that is open; its consequences are looked after.
    pub(crate) async fn open_review(
        &self,
        tx: &mut dyn Tx,
        name: &IntegrationName,
        trigger: Trigger,
        due: Timestamp,
    ) -> Result<()> {
        self.file_review(tx, name, trigger, due).await?;
        self.wake_watches(tx, [name.clone()]).await
    }

    /// The same for somebody who looks after its consequences.
    pub(crate) async fn file_review(
        &self,
        tx: &mut dyn Tx,
        name: &IntegrationName,
        trigger: Trigger,
        due: Timestamp,
    ) -> Result<()> {
        let now = self.now();
        if let Some(open) = self.review_open(tx, name).await? {
            let mut review = open.value;
            if !review.because.insert(trigger) {
                return Ok(());
            }
            let record = self.review_opened(tx, &review).await?;
            let update = Update::new(record).replace(&review, open.revision, self.entropy());
            return Ok(tx.write(self.tenant(), vec![update], self.entropy()).await?);
        }
        let review = Review {
            id: ReviewId::new(now, self.entropy()),
            integration: name.clone(),
            opened: now,
            due,
            because: BTreeSet::from([trigger]),
            outcome: None,
        };
        let record = self.review_opened(tx, &review).await?;
        let mut updates = vec![Update::new(record).insert(&review, self.entropy())];
        let wrong = Wrong {
            code: "review-due",
            subject: name.to_string(),
            identity: None,
            system: None,
            message: format!(
                "`{name}` is to be reviewed ({}) by somebody who does not answer for it: `bailiwick review show \
                 {name}`",
                trigger.as_str()
            ),
            owner: "operator".into(),
        };
        let time = days_after(due, BARS_AFTER).duration_since(now);
        updates.extend(self.open_finding_within(tx, wrong, time).await?);
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    async fn review_opened(&self, tx: &mut dyn Tx, review: &Review) -> Result<Record> {
        let record = self.record_of(tx, (RecordKind::ReviewOpened, "review"), &review.integration).await?;
        Ok(record.fact("because", &review.because).fact("due", review.due))
    }

    /// What a reviewer is shown of an integration, as it is now.
    pub async fn review_shown(&self, name: &IntegrationName) -> Result<Shown> {
        self.record_use().await?;
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let callbacks = catalogue.integration(name)?.register.callbacks.clone();
        drop(tx);
        let places = self.places(&callbacks).await;
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let integration = catalogue.integration(name)?;
        let watch = get::<Watch>(&mut *tx, self.tenant(), name.as_str()).await?;
        let watch = watch.map_or_else(|| Watch::new(name.clone(), self.now()), |known| known.value);
        let line = |(address, now): (String, Whereabouts)| {
            let pinned = watch.pins.get(&address).cloned();
            CallbackLine { resolves: review::resolves(pinned.as_ref(), &now), now, pinned, address }
        };
        let authority = catalogue.authority(name).cloned().unwrap_or_default();
        Ok(Shown {
            integration: name.clone(),
            purpose: integration.purpose.clone(),
            owner: integration.owner.clone(),
            backup: integration.backup.clone(),
            class: authority.class,
            authority: authority.explain(name),
            certifies: authority.digest(),
            rules: review::rule_lines(&integration.scope, &watch),
            callbacks: places.into_iter().map(line).collect(),
            findings: self.findings_about(&mut *tx, integration).await?,
            drill: watch.drill,
            reviewed: watch.reviewed,
        })
    }

    /// What is open about an integration, but that it is to be reviewed.
    async fn findings_about(&self, tx: &mut dyn Tx, integration: &Integration) -> Result<Vec<FindingLine>> {
        let name = integration.name.as_str();
        let open = Select::from(Table::Findings).filter(Filter::Is("state", "open".into()));
        let open = select::<Finding>(tx, self.tenant(), open).await?.into_iter().map(|s| s.value);
        let system = match &integration.role {
            Role::Target { system } | Role::Log { system } | Role::Partner { system: Some(system) } => {
                Some(system)
            }
            Role::Source { .. } | Role::Partner { system: None } => None,
        };
        let about = |finding: &Finding| {
            let named = finding.subject == name || finding.subject.starts_with(&format!("{name}/"));
            (named || (system.is_some() && finding.system.as_ref() == system))
                && !matches!(finding.code.as_str(), "review-due" | "review-overdue")
        };
        let line = |f: Finding| FindingLine { id: f.id, code: f.code, message: f.message };
        Ok(open.filter(about).map(line).collect())
    }

    /// Decides on an integration as it was shown; `seen` identifies that. To keep what decides over identities takes
    /// who decides to prove who they are: by a code of the moment, or by a passkey that signs for what was shown.
    pub async fn review(
        &self,
        name: &IntegrationName,
        decision: Decision,
        reason: &str,
        seen: Digest,
        by: &Operator,
        given: impl Into<Given<'_>>,
    ) -> Result<Review> {
        let now_shown = self.review_shown(name).await?;
        let shown = now_shown.digest();
        if shown != seen {
            return Err(ReviewRefusal::Changed(name.clone()).into());
        }
        if decision == Decision::Keep && reason.trim().is_empty() {
            return Err(ReviewRefusal::NoReason(name.clone()).into());
        }
        // A code that is not asked for is not used up.
        let proof = match (decision, now_shown.class) {
            (Decision::Keep, Class::Authoritative) => {
                self.prove(by, given.into(), Some(Purpose::Approve(by.id, seen))).await?
            }
            (Decision::Keep | Decision::Narrow | Decision::Revoke, _) => Proof::Missing,
        };
        let now = self.now();
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let integration = catalogue.integration(name)?;
        let person = self.reviewer(&mut *tx, integration, by).await?;
        if self.review_open(&mut *tx, name).await?.is_none() {
            self.open_review(&mut *tx, name, Trigger::Asked, now).await?;
        }
        match decision {
            Decision::Keep => self.certify_anew(&mut *tx, &catalogue, integration, by, proof).await?,
            Decision::Narrow => self.narrow(&mut *tx, &catalogue, integration, by).await?,
            Decision::Revoke => self.shut_gates(&mut *tx, &catalogue, integration, by).await?,
        }
        let Some(open) = self.review_open(&mut *tx, name).await? else {
            return Err(EngineError::NotFound { kind: "open review of", name: name.to_string() });
        };
        let reason = reason.trim().to_owned();
        let outcome = Outcome { decision, reviewer: by.name.clone(), person, at: now, reason, shown };
        let review = Review { outcome: Some(outcome), ..open.value };
        let update = self.review_decided(&mut *tx, &review, open.revision, by).await?;
        let mut updates = vec![update];
        let codes = ["review-due", "review-overdue"].map(|code| (code, name.to_string()));
        updates.extend(self.close_findings(&mut *tx, &codes).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        self.note_review(&mut *tx, name).await?;
        tx.commit().await?;
        Ok(review)
    }

    async fn review_decided(
        &self,
        tx: &mut dyn Tx,
        review: &Review,
        revision: i64,
        by: &Operator,
    ) -> Result<Update> {
        let mut record =
            self.record_of(tx, (RecordKind::ReviewDecided, "review"), &review.integration).await?;
        if let Some(outcome) = &review.outcome {
            record = record
                .fact("decision", outcome.decision)
                .fact("shown", outcome.shown)
                .personal("reason", &outcome.reason)
                .personal("reviewer", &outcome.person);
        }
        record.actor = Actor::Operator(by.name.clone());
        Ok(Update::new(record).replace(review, revision, self.entropy()))
    }

    /// From now on use counts anew, and what the review held is let go at once.
    async fn note_review(&self, tx: &mut dyn Tx, name: &IntegrationName) -> Result<()> {
        let now = self.now();
        self.wake_watches(tx, [name.clone()]).await?;
        if let Some(known) = get::<Watch>(tx, self.tenant(), name.as_str()).await? {
            let watch = Watch { reviewed: Some(now), ..known.value };
            let update = self.watched(tx, &watch, Some(known.revision)).await?;
            tx.write(self.tenant(), vec![update], self.entropy()).await?;
        }
        Ok(())
    }

    /// The person who reviews, if they may: with the role, and in no conflict.
    async fn reviewer(&self, tx: &mut dyn Tx, integration: &Integration, by: &Operator) -> Result<String> {
        if !by.roles.contains(REVIEWER) {
            return Err(Refusal::NotAllowed(by.name.clone()).into());
        }
        let persons = self.persons(tx).await?;
        let person = self.person_of(tx, &persons, by).await?.ok_or(Refusal::NoPerson)?;
        let own = format!("{HUB}/{}", integration.name);
        let conflicts = persons.conflicts([
            (integration.owner.as_str(), Conflict::Owner),
            (integration.backup.as_str(), Conflict::Owner),
            (own.as_str(), Conflict::Beneficiary),
        ]);
        match conflicts.get(&person) {
            Some(conflict) => Err(Refusal::from(*conflict).into()),
            None => Ok(person),
        }
    }

    /// The second gate anew, for what it can do now. What can change nothing has none.
    async fn certify_anew(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        integration: &Integration,
        by: &Operator,
        proof: Proof,
    ) -> Result<()> {
        let hub = Requester::from(Actor::Hub("review".into()));
        let make = |declaration: &Declaration<'_>, _: &Permit, id| declaration.certify(id, Cause::Review);
        let rows = self.amended(tx, catalogue, integration, Cause::Review, &hub, make).await?;
        for row in rows {
            self.approve_in(tx, row.plan.id, row.digest, by, proof).await?;
        }
        Ok(())
    }

    /// One step to the least scope that covers the use.
    async fn narrow(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        integration: &Integration,
        by: &Operator,
    ) -> Result<()> {
        let name = &integration.name;
        let watch = get::<Watch>(tx, self.tenant(), name.as_str()).await?;
        let watch = watch.map_or_else(|| Watch::new(name.clone(), self.now()), |known| known.value);
        let less = review::narrowed(integration, &watch).map_err(|why| match why {
            NotNarrower::NothingUsed => ReviewRefusal::NothingUsed(name.clone()),
            NotNarrower::AllUsed => ReviewRefusal::AllUsed(name.clone()),
        })?;
        let mut all = self.declared_now(tx).await?;
        all.integrations.iter_mut().filter(|i| i.name == *name).for_each(|i| *i = less.clone());
        let authority =
            authorities(self, &all, &all.entitlements, &catalogue.policies)?.remove(name).unwrap_or_default();
        let before = get::<Integration>(tx, self.tenant(), name.as_str()).await?;
        let declared = Declared { before, wanted: Some(less), authority };
        let by = Requester::from(by);
        let rows = self.draft_integration(tx, &declared, &catalogue.policies, &by).await?;
        self.decide_governed(tx, rows, &by).await.map(drop)
    }

    async fn shut_gates(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        integration: &Integration,
        by: &Operator,
    ) -> Result<()> {
        let by = Requester::from(by);
        let make = |declaration: &Declaration<'_>, _: &Permit, id| Some(declaration.withdraw(id, Gate::ALL));
        let rows = self.amended(tx, catalogue, integration, Cause::Withdrawal, &by, make).await?;
        self.decide_governed(tx, rows, &by).await.map(drop)
    }
}
