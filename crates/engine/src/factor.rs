//! Second factors of operators: enrolling, and proving anew who somebody is.
//!
//! What came of a code is written in a transaction of its own before anything is decided with it: a code
//! that was right is used up even when the approval is then refused, and a wrong one is counted.

use bailiwick_connector::seal::{Enrolment, Sealed};
use bailiwick_core::{
    factor::{Factor, Proof},
    id::{OperatorId, SessionId},
    passkey::{Party, PasskeyRefusal, Purpose, Using},
    record::RecordKind,
};
use bailiwick_store::{Select, Table, Update, entities::Operator, get, select};

use crate::{Engine, EngineError, Result, finding::Wrong};

/// What somebody gives to prove who they are.
#[derive(Debug, Clone, Copy)]
pub enum Given<'a> {
    /// Nothing.
    Nothing,
    /// A code of the moment.
    Code(&'a str),
    /// What their passkey answered, on a page of the hub.
    Passkey(&'a Using, &'a Party),
}

impl<'a> From<Option<&'a str>> for Given<'a> {
    fn from(code: Option<&'a str>) -> Self {
        code.map_or(Self::Nothing, Self::Code)
    }
}

/// The finding about somebody who gives wrong codes.
const GUESSED: &str = "step-up-guessed";

impl Engine {
    /// Gives an operator a second factor; the address is shown this once. Whoever replaces one, their own or
    /// somebody else's, or has a passkey already, proves who they are.
    pub async fn enrol(&self, name: &str, by: &Operator, code: Option<&str>) -> Result<Enrolment> {
        self.enrol_given(name, by, code.into(), None).await
    }

    /// The same with whatever proves who asks, in this session.
    pub async fn enrol_given(
        &self,
        name: &str,
        by: &Operator,
        given: Given<'_>,
        session: Option<SessionId>,
    ) -> Result<Enrolment> {
        let operator = self.operator_named(name).await?;
        let before = self.factor_of(operator.id).await?;
        let mut tx = self.read().await?;
        // Whoever knows the secret of somebody's first factor could prove to be them.
        if before.is_none() && operator.id != by.id && !self.bootstrapping(&mut *tx).await? {
            return Err(EngineError::OwnFactor(operator.name));
        }
        drop(tx);
        if before.is_some() || !self.passkeys_of(&operator).await?.is_empty() {
            let purpose = session.map(|session| Purpose::Prove(by.id, session));
            bailiwick_core::approval::proved(self.prove(by, given, purpose).await?, &by.name)?;
        }
        let mut tx = self.begin().await?;
        let before = get::<Factor>(&mut *tx, self.tenant(), &operator.id.to_string()).await?;
        let (sealed, enrolment) = self.parts.broker.enrol(operator.id, &operator.name, self.entropy());
        let sealed = serde_json::to_value(&sealed).unwrap_or_default();
        let factor = Factor::new(operator.id, sealed, self.now());
        let mut record = self.record(RecordKind::FactorEnrolled, "factor").fact("operator", operator.id);
        record.actor = bailiwick_core::record::Actor::Operator(by.name.clone());
        let update = Update::new(record);
        let update = match before {
            Some(b) => update.replace(&factor, b.revision, self.entropy()),
            None => update.insert(&factor, self.entropy()),
        };
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(enrolment)
    }

    async fn operator_named(&self, name: &str) -> Result<Operator> {
        let mut tx = self.read().await?;
        let all = select::<Operator>(&mut *tx, self.tenant(), Select::from(Table::Operators)).await?;
        let mut named: Vec<Operator> = all.into_iter().map(|s| s.value).filter(|o| o.name == name).collect();
        match (named.pop(), named.len()) {
            (Some(one), 0) => Ok(one),
            (Some(_), more) => Err(EngineError::Ambiguous { name: name.to_owned(), count: more + 1 }),
            (None, _) => Err(EngineError::NotFound { kind: "operator", name: name.to_owned() }),
        }
    }

    async fn factor_of(&self, operator: OperatorId) -> Result<Option<Factor>> {
        let mut tx = self.read().await?;
        Ok(get::<Factor>(&mut *tx, self.tenant(), &operator.to_string()).await?.map(|s| s.value))
    }

    /// Whether what is given proves that `by` is who they are. A passkey does so for a purpose, and for nothing else.
    pub(crate) async fn prove(
        &self,
        by: &Operator,
        given: Given<'_>,
        purpose: Option<Purpose>,
    ) -> Result<Proof> {
        match (given, purpose) {
            (Given::Nothing, _) if self.can_prove(by).await? => Ok(Proof::Missing),
            (Given::Nothing, _) => Ok(Proof::NotEnrolled),
            (Given::Code(code), _) => self.prove_by_code(by, code).await,
            (Given::Passkey(using, party), Some(purpose)) => {
                self.prove_by_passkey(by, using, party, purpose).await
            }
            (Given::Passkey(..), None) => Ok(Proof::Passkey(PasskeyRefusal::Challenge)),
        }
    }

    /// Whether the code is the one of the moment. Two who use one code at the same time: one does.
    async fn prove_by_code(&self, by: &Operator, code: &str) -> Result<Proof> {
        let mut tx = self.begin().await?;
        let Some(stored) = get::<Factor>(&mut *tx, self.tenant(), &by.id.to_string()).await? else {
            drop(tx);
            let other = self.can_prove(by).await?;
            return Ok(if other { Proof::Missing } else { Proof::NotEnrolled });
        };
        let sealed: Option<Sealed> = serde_json::from_value(stored.value.sealed.clone()).ok();
        let is_of = |step| {
            let told = sealed.as_ref().and_then(|s| self.parts.broker.is_code(by.id, s, step, code.trim()));
            told.unwrap_or(false)
        };
        let (factor, proof) = stored.value.attempt(self.now(), is_of);
        let (kind, outcome) = match proof {
            Proof::Fresh => (RecordKind::Proved, "fresh"),
            Proof::Wrong => (RecordKind::Refused, "step-up-wrong"),
            // Nothing was looked at, and nothing changed.
            Proof::Slowed(_) | Proof::Missing | Proof::NotEnrolled | Proof::Passkey(_) => return Ok(proof),
        };
        let record = self
            .record(kind, "factor")
            .fact("code", outcome)
            .fact("operator", by.id)
            .fact("wrong", factor.wrong);
        let mut updates = vec![Update::new(record).replace(&factor, stored.revision, self.entropy())];
        if factor.is_guessed() {
            updates.extend(self.open_finding(&mut *tx, guessed(by, factor.wrong)).await?);
        } else if proof == Proof::Fresh {
            updates.extend(self.close_finding(&mut *tx, GUESSED, &by.id.to_string()).await?);
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        tx.commit().await?;
        Ok(proof)
    }
}

fn guessed(by: &Operator, wrong: u32) -> Wrong {
    Wrong {
        code: "step-up-guessed",
        subject: by.id.to_string(),
        identity: None,
        system: None,
        message: format!(
            "`{}` gave {wrong} wrong codes in a row: ask them whether it was they; if not, their token is \
             known to somebody else",
            by.name
        ),
        owner: "operator".into(),
    }
}
