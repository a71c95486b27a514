//! Enrolling a passkey, and removing one.

use bailiwick_core::{
    approval::proved,
    factor::Factor,
    id::{PasskeyId, SessionId},
    passkey::{self, Making, Party, PasskeyRefusal, Purpose},
    record::{Actor, RecordKind},
};
use bailiwick_store::{
    Filter, Select, Table, Update,
    entities::{Operator, Passkey, Session, Way},
    get, select,
};

use crate::{Engine, EngineError, Result, factor::Given};

/// How many passkeys an operator may have.
const MOST: usize = 10;
/// The longest name of one, letters.
const LONGEST: usize = 60;

/// A passkey that somebody wants to enrol.
pub struct NewPasskey<'a> {
    /// What they call it.
    pub name: &'a str,
    /// What the browser answered.
    pub making: &'a Making,
    /// The session in which it was asked for.
    pub session: SessionId,
}

impl Engine {
    /// Enrols a passkey. Whoever can already prove who they are by something, does: otherwise whoever found an open session
    /// could make themselves a way in that stays.
    ///
    /// # Errors
    /// [`EngineError::Passkey`] when the answer does not count, and what proving says.
    pub async fn enrol_passkey(
        &self,
        new: NewPasskey<'_>,
        by: &Operator,
        party: &Party,
        given: Given<'_>,
    ) -> Result<Passkey> {
        let name = new.name.trim();
        if name.is_empty() || name.chars().count() > LONGEST || name.contains(char::is_control) {
            return Err(EngineError::PasskeyName(LONGEST));
        }
        if self.can_prove(by).await? {
            let proof = self.prove(by, given, Some(Purpose::Prove(by.id, new.session))).await?;
            proved(proof, &by.name)?;
        }
        match self.enrolled(&new, by, party).await? {
            Ok(passkey) => Ok(passkey),
            Err(refusal) => {
                let mut tx = self.begin().await?;
                let record = self.record(RecordKind::Refused, "passkey");
                let record = record.fact("code", refusal.code()).fact("operator", by.id);
                tx.write(self.tenant(), vec![Update::new(record)], self.entropy()).await?;
                tx.commit().await?;
                Err(refusal.into())
            }
        }
    }

    async fn enrolled(
        &self,
        new: &NewPasskey<'_>,
        by: &Operator,
        party: &Party,
    ) -> Result<Result<Passkey, PasskeyRefusal>> {
        let purpose = Purpose::Enrol(by.id, new.session);
        let mut tx = self.begin().await?;
        let good = match self.good(&mut *tx, &new.making.client, purpose).await? {
            Ok(good) => good,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let made = match passkey::made(new.making, good.bytes(), party) {
            Ok(made) => made,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let credential = passkey::text(&made.id);
        let taken = Filter::Is("credential", Passkey::lookup(&credential).into());
        let taken =
            select::<Passkey>(&mut *tx, self.tenant(), Select::from(Table::Passkeys).filter(taken)).await?;
        if !taken.is_empty() {
            return Ok(Err(PasskeyRefusal::Taken));
        }
        if self.passkeys_in(&mut *tx, by).await?.len() >= MOST {
            return Err(EngineError::TooMany { what: "passkeys", most: MOST });
        }
        let now = self.now();
        let passkey = self.sealed_passkey(Passkey {
            id: PasskeyId::new(now, self.entropy()),
            operator: by.id,
            name: new.name.trim().to_owned(),
            credential,
            key: passkey::text(&made.key),
            algorithm: made.algorithm,
            counter: made.counter,
            shared: made.shared,
            made: now,
            used: None,
            seal: String::new(),
        });
        let mut record = self
            .record(RecordKind::PasskeyEnrolled, "passkey")
            .fact("operator", by.id)
            .fact("passkey", passkey.id)
            .fact("algorithm", passkey.algorithm)
            .fact("key", &passkey.key)
            .personal("name", &passkey.name);
        record.actor = Actor::Operator(by.name.clone());
        let update = Update::new(record).insert(&passkey, self.entropy());
        let update = self.spend(&mut *tx, update, good.digest(), good.until()).await?;
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(Ok(passkey))
    }

    /// Whether somebody can prove who they are by anything.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn can_prove(&self, operator: &Operator) -> Result<bool> {
        let mut tx = self.read().await?;
        let factor = get::<Factor>(&mut *tx, self.tenant(), &operator.id.to_string()).await?;
        Ok(factor.is_some() || !self.passkeys_in(&mut *tx, operator).await?.is_empty())
    }

    /// Removes a passkey, and ends the sessions that it opened. Of one's own it takes a proof; an administrator removes
    /// somebody else's, who then has to enrol another.
    ///
    /// # Errors
    /// `NotFound` when there is no such passkey, and what proving says.
    pub async fn remove_passkey(
        &self,
        id: PasskeyId,
        by: &Operator,
        session: Option<SessionId>,
        given: Given<'_>,
    ) -> Result<()> {
        let missing = || EngineError::NotFound { kind: "passkey", name: id.to_string() };
        let mut tx = self.read().await?;
        let found = get::<Passkey>(&mut *tx, self.tenant(), &id.to_string()).await?.ok_or_else(missing)?;
        drop(tx);
        if found.value.operator == by.id {
            let purpose = session.map(|session| Purpose::Prove(by.id, session));
            let proof = self.prove(by, given, purpose).await?;
            proved(proof, &by.name)?;
        }
        let mut tx = self.begin().await?;
        let found = get::<Passkey>(&mut *tx, self.tenant(), &id.to_string()).await?.ok_or_else(missing)?;
        let mut record = self
            .record(RecordKind::PasskeyRemoved, "passkey")
            .fact("operator", found.value.operator)
            .fact("passkey", id);
        record.actor = Actor::Operator(by.name.clone());
        let mut update = Update::new(record).delete::<Passkey>(&id.to_string(), found.revision);
        let theirs = Filter::Is("operator", found.value.operator.to_string().into());
        let open = Select::from(Table::Sessions).filter(theirs);
        for open in select::<Session>(&mut *tx, self.tenant(), open).await? {
            if open.value.way == Way::Passkey(id) {
                update = update.delete::<Session>(&open.value.id.to_string(), open.revision);
            }
        }
        let mut updates = vec![update];
        updates.extend(self.close_finding(&mut *tx, super::COPIED, &id.to_string()).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        Ok(tx.commit().await?)
    }
}
