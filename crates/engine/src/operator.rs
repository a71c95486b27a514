//! Operators, credentials, and lifting a quarantine.

use std::collections::BTreeSet;

use bailiwick_connector::seal::{Credential as Secret, SealContext};
use bailiwick_core::{
    digest::Digest,
    gate::Shut,
    id::{IntegrationName, OperatorId},
    identity::Identity,
    integration::{Integration, Purpose, Standing},
    record::{Actor, RecordKind},
    right::{Right, Rights},
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{
    Entity, Filter, Select, StoreError, Stored, Table, Tx, Update,
    entities::{Credential, Operator, Subject},
    get, select,
};

use crate::{Engine, EngineError, OperatorRequest, Result, turn::GOVERN};

/// How often a credential is put in its place where other nodes are at the same rows.
const SEALING: u32 = 8;

impl Engine {
    /// What an operator may do here, by their roles and by the policies as they were a tenth of a second ago at most. Where
    /// the configuration cannot be read, only what no policy takes.
    pub async fn rights(&self, operator: &Operator) -> Rights {
        let Operator { name, roles, .. } = operator;
        match self.view().await {
            Ok(view) => view.catalogue.policies.rights(name, roles),
            Err(_) => Rights::of_roles(roles).within(&[Right::Govern].into()),
        }
    }

    /// Adds an operator and gives their token, which is shown this once and kept only as a digest.
    pub async fn add_operator(
        &self,
        name: &str,
        roles: BTreeSet<String>,
        person: Option<String>,
        days: u16,
        by: Actor,
    ) -> Result<(Operator, String)> {
        let mut tx = self.begin().await?;
        let wanted = OperatorRequest::from((roles, person));
        let added = self.add_operator_in(&mut *tx, name, wanted, days, by).await?;
        tx.commit().await?;
        Ok(added)
    }

    /// The same in a transaction that does more.
    pub(crate) async fn add_operator_in(
        &self,
        tx: &mut dyn Tx,
        name: &str,
        wanted: OperatorRequest,
        days: u16,
        by: Actor,
    ) -> Result<(Operator, String)> {
        let OperatorRequest { roles, person, subject } = wanted;
        let now = self.now();
        let token = self.new_token();
        let operator = self.sealed_operator(Operator {
            id: OperatorId::new(now, self.entropy()),
            name: name.to_owned(),
            roles,
            person,
            token: Digest::of(token.as_bytes()),
            expires: in_days(now, days),
            invited: None,
            subject: subject.map(|(issuer, subject)| Subject { issuer, subject, until: in_days(now, days) }),
            ended: None,
            seal: String::new(),
        });
        let mut record = self
            .record(RecordKind::OperatorAdded, "operator")
            .fact("operator", operator.id)
            .fact("roles", &operator.roles)
            .personal("name", name);
        record.actor = by;
        let mut updates = vec![Update::new(record).insert(&operator, self.entropy())];
        updates.extend(self.note_bootstrap(tx, &operator).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        self.register_hub(tx, &operator).await?;
        Ok((operator, token))
    }

    /// A token that nobody has.
    pub(crate) fn new_token(&self) -> String {
        let mut random = [0u8; 32];
        self.entropy().fill(&mut random);
        format!("bwk_{}", Digest(random))
    }

    /// The operator with the hub's seal: a row that somebody else writes opens nothing.
    pub(crate) fn sealed_operator(&self, operator: Operator) -> Operator {
        let seal = self.parts.broker.attest(&operator.sealed_bytes());
        Operator { seal, ..operator }
    }

    /// Ends the token of an operator, and an invitation that they have not taken over; their name and roles stay, so
    /// that ending one of two administrators leaves nobody who decides alone. One authorised person is enough.
    ///
    /// # Errors
    /// When there is no such operator, and [`EngineError::LastAdmin`] when nobody else could govern the hub then.
    pub async fn revoke_operator(&self, name: &str, by: &Operator) -> Result<Operator> {
        let mut tx = self.begin().await?;
        self.take_turn(&mut *tx, GOVERN).await?;
        let all = select::<Operator>(&mut *tx, self.tenant(), Select::from(Table::Operators)).await?;
        let known = all.iter().find(|stored| stored.value.name == name);
        let known = known.ok_or_else(|| EngineError::NotFound { kind: "operator", name: name.into() })?;
        let mut others = false;
        for other in all.iter().map(|stored| &stored.value).filter(|o| o.name != name) {
            others |= other.roles.contains("admin") && self.counts(&mut *tx, other).await?;
        }
        if !others {
            return Err(EngineError::LastAdmin(name.into()));
        }
        let ended = self.ended_operator(&known.value);
        let mut record = self
            .record(RecordKind::OperatorRevoked, "operator")
            .fact("operator", ended.id)
            .personal("name", name);
        record.actor = Actor::Operator(by.name.clone());
        let update = Update::new(record).replace(&ended, known.revision, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        let person = match &ended.person {
            Some(person) => self.by_source_key(&mut *tx, person).await?,
            None => None,
        };
        if let Some(person) = person {
            self.ended_in_case(&mut *tx, ended.id, person.value.id).await?;
        }
        tx.commit().await?;
        Ok(ended)
    }

    /// Whether an operator may do anything: the hub's seal is on the row, the token has not expired, and the person
    /// whom they are, if that is known, has not left. The last administrator may all the same.
    pub(crate) async fn counts(&self, tx: &mut dyn Tx, operator: &Operator) -> Result<bool> {
        if operator.until() <= self.now()
            || !self.parts.broker.attested(&operator.sealed_bytes(), &operator.seal)
        {
            return Ok(false);
        }
        let Some(person) = &operator.person else { return Ok(true) };
        let person = self.by_source_key(tx, person).await?;
        if person.is_none_or(|person| person.value.lifecycle.gone().is_none()) {
            return Ok(true);
        }
        let all = select::<Operator>(tx, self.tenant(), Select::from(Table::Operators)).await?;
        Ok(self.is_last_admin(&all, operator))
    }

    /// Who holds the token, if it is one and they may do anything. Looks up a digest, so that the time it
    /// takes says nothing about tokens.
    pub async fn operator_by_token(&self, token: &str) -> Result<Option<Operator>> {
        let digest = Digest::of(token.as_bytes()).to_string();
        let mut tx = self.read().await?;
        let asked = Select::from(Table::Operators).filter(Filter::Is("token_digest", digest.into()));
        let Some(found) = select::<Operator>(&mut *tx, self.tenant(), asked).await?.pop() else {
            return Ok(None);
        };
        // Who signs in by the provider has a token only as long as it was given for.
        let works = found.value.expires > self.now() && self.counts(&mut *tx, &found.value).await?;
        Ok(works.then_some(found.value))
    }

    /// Seals a credential for an integration, bound to it, its purpose and its endpoint. Gives since when the hub has had
    /// the secret, if it is none that is new: that is no rotation, and it is as old as it was.
    pub async fn seal_credential(
        &self,
        integration: &IntegrationName,
        purpose: Purpose,
        secret: Secret,
        by: Actor,
    ) -> Result<Option<Timestamp>> {
        for _ in 1..SEALING {
            match self.seal_now(integration, purpose, &secret, by.clone()).await {
                // Another node has written a row that this one would have: nothing was done.
                Err(EngineError::Store(StoreError::Conflict { .. })) => {}
                done => return done,
            }
        }
        self.seal_now(integration, purpose, &secret, by).await
    }

    async fn seal_now(
        &self,
        integration: &IntegrationName,
        purpose: Purpose,
        secret: &Secret,
        by: Actor,
    ) -> Result<Option<Timestamp>> {
        let mut tx = self.begin().await?;
        let stored = get::<Integration>(&mut *tx, self.tenant(), integration.as_str())
            .await?
            .ok_or_else(|| EngineError::NotFound { kind: "integration", name: integration.to_string() })?;
        if let Standing::Ended { since } = &stored.value.standing {
            return Err(EngineError::Shut(integration.clone(), Shut::Ended(*since)));
        }
        if purpose.is_last() {
            return Err(EngineError::NotFound { kind: "purpose to set", name: purpose.as_str().into() });
        }
        let context = SealContext::of(self.tenant(), &stored.value, purpose)?;
        let sealed = self.parts.broker.seal(&context, secret, self.entropy());
        let known = self.known_since(&mut *tx, &stored.value, purpose, &sealed).await?;
        let credential = Credential {
            integration: integration.clone(),
            purpose,
            sealed: serde_json::to_value(&sealed).unwrap_or_default(),
            at: known.unwrap_or_else(|| self.now()),
            accepted: None,
            retired: None,
        };
        let record =
            self.record_of(&mut *tx, (RecordKind::CredentialSealed, "credential"), integration).await?;
        let mut record = record.fact_if("known_since", known).fact("purpose", purpose);
        record.actor = by;
        let before = get::<Credential>(&mut *tx, self.tenant(), &credential.key()).await?;
        let update = Update::new(record);
        let replaced = before.as_ref().map(|before| before.value.clone());
        let update = match before {
            Some(b) => update.replace(&credential, b.revision, self.entropy()),
            None => update.insert(&credential, self.entropy()),
        };
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        if let Some(old) = replaced {
            self.retire_credential(&mut *tx, &stored.value, old).await?;
        }
        self.wake_watches(&mut *tx, [integration.clone()]).await?;
        self.wake_work(&mut *tx, &stored.value).await?;
        self.end_sweep(&mut *tx, &stored.value.register.vendor).await?;
        tx.commit().await?;
        Ok(known)
    }

    /// Lets a stopped integration work again, and lets go, once, what its budgets hold. What was ended stays
    /// ended, and what lacks a control stays paused.
    pub async fn release(&self, integration: &IntegrationName, by: Actor) -> Result<()> {
        let mut tx = self.begin().await?;
        let stored = get::<Integration>(&mut *tx, self.tenant(), integration.as_str())
            .await?
            .ok_or_else(|| EngineError::NotFound { kind: "integration", name: integration.to_string() })?;
        if let Standing::Ended { since } = &stored.value.standing {
            return Err(EngineError::Shut(integration.clone(), Shut::Ended(*since)));
        }
        let mut updates = self.release_held(&mut *tx, &stored.value, &by).await?;
        self.wake_work(&mut *tx, &stored.value).await?;
        if matches!(stored.value.standing, Standing::Quarantined { .. }) {
            let mut record =
                self.record_of(&mut *tx, (RecordKind::Configured, "release"), integration).await?;
            record.actor = by;
            let released = Integration { standing: Standing::Enabled, ..stored.value };
            updates.push(Update::new(record).replace(&released, stored.revision, self.entropy()));
        }
        updates.extend(self.close_finding(&mut *tx, "integration-quarantined", integration.as_str()).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        self.wake_watches(&mut *tx, [integration.clone()]).await?;
        tx.commit().await?;
        self.parts.broker.release(integration);
        Ok(())
    }

    /// The identity with this id, source key or e-mail address; of one that was joined to another, that one.
    pub async fn find_identity(&self, text: &str) -> Result<Stored<Identity>> {
        let mut tx = self.read().await?;
        if text.starts_with("idn_")
            && let Some(found) = get::<Identity>(&mut *tx, self.tenant(), text).await?
            && let Some(found) = self.followed(&mut *tx, found).await?
        {
            return Ok(found);
        }
        for (column, value) in [("source_key", text.to_owned()), ("lookup", text.to_lowercase())] {
            let asked = Select::from(Table::Identities).filter(Filter::Is(column, value.into()));
            let mut found = select::<Identity>(&mut *tx, self.tenant(), asked).await?;
            if found.len() > 1 {
                return Err(EngineError::Ambiguous { name: text.to_owned(), count: found.len() });
            }
            if let Some(one) = found.pop()
                && let Some(one) = self.followed(&mut *tx, one).await?
            {
                return Ok(one);
            }
        }
        Err(EngineError::NotFound { kind: "identity", name: text.to_owned() })
    }
}

/// So many days from an instant.
pub(crate) fn in_days(from: Timestamp, days: u16) -> Timestamp {
    from.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(from)
}
