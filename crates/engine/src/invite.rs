//! Operators are part of the hub's own configuration: who may approve is as much as what is approved.
//!
//! Once a second administrator exists, adding one takes two. What is approved is an invitation. The secret that
//! takes it over has two halves, one for who asked and one for who approved, so that neither alone can become
//! whom they added. Nothing of it is kept: a half is what only the hub can make of the plan.

use std::collections::BTreeSet;

use bailiwick_core::{
    approval::{Approval, Approver},
    digest::{Digest, canonical},
    event::Cause,
    gate::HUB,
    govern::{self, Entries},
    id::{IntegrationName, OperatorId, PlanId},
    plan::Question,
    record::{Actor, RecordKind},
};
use bailiwick_store::{
    Select, Stored, Table, Tx, Update,
    entities::{Invitation, Operator, PlanRow, PlanState, Subject},
    get, select,
};
use serde::{Deserialize, Serialize};

use crate::{Engine, EngineError, Requester, Result, Waiting, operator::in_days};

/// The kind of entry that an operator is in a plan about the hub's configuration.
pub(crate) const OPERATOR: &str = "operator";

/// Which half of an invitation.
#[derive(Clone, Copy)]
enum Half {
    /// For who asked.
    Asked,
    /// For who approved.
    Approved,
}

/// An operator as a plan says it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedOperator {
    pub roles: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The provider and whom it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<(String, String)>,
    pub days: u16,
}

/// An operator as somebody wants them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorRequest {
    /// What they may do.
    pub roles: BTreeSet<String>,
    /// `source/key` of the person they are.
    pub person: Option<String>,
    /// Who they are for a provider of identities: its `iss`, their `sub`. Nothing else names anybody, least of all an
    /// address that a provider lets people choose.
    pub subject: Option<(String, String)>,
}

impl From<(BTreeSet<String>, Option<String>)> for OperatorRequest {
    fn from((roles, person): (BTreeSet<String>, Option<String>)) -> Self {
        Self { roles, person, subject: None }
    }
}

/// What came of asking for an operator.
pub enum OperatorAsked {
    /// They are added, and this is their token.
    Added(Box<Operator>, String),
    /// It waits for another administrator.
    Waiting(Vec<Waiting>),
}

impl Engine {
    /// Asks for an operator, or for other roles or a new token of one that there is. While a single administrator
    /// sets the hub up it is done at once, and a second administrator can always be added by the only one, also when
    /// the others have left.
    ///
    /// # Errors
    /// When the name is none that a plan can be about.
    pub async fn ask_operator(
        &self,
        name: &str,
        wanted: impl Into<OperatorRequest>,
        days: u16,
        by: &Operator,
    ) -> Result<OperatorAsked> {
        let wanted = wanted.into();
        let subject = IntegrationName::new(&format!("{HUB}-{OPERATOR}-{name}"))
            .map_err(|error| EngineError::OperatorName(error.to_string()))?;
        let mut tx = self.begin().await?;
        let all = select::<Operator>(&mut *tx, self.tenant(), Select::from(Table::Operators)).await?;
        self.subject_is_free(&all, name, wanted.subject.as_ref())?;
        let admins = self.admins_here(&mut *tx, &all).await?;
        let known = all.into_iter().map(|s| s.value).find(|o| o.name == name);
        let second = admins <= 1 && wanted.roles.contains("admin") && known.is_none();
        if second || (known.is_none() && self.bootstrapping(&mut *tx).await?) {
            let by = Actor::Operator(by.name.clone());
            let (operator, token) = self.add_operator_in(&mut *tx, name, wanted, days, by).await?;
            tx.commit().await?;
            return Ok(OperatorAsked::Added(Box::new(operator), token));
        }
        let text = |OperatorRequest { roles, person, subject }, days| {
            serde_json::to_string(&WantedOperator { roles, person, subject, days }).ok()
        };
        let key = format!("{OPERATOR}/{name}");
        let before = known.map(|Operator { roles, person, subject, .. }| {
            let subject = subject.map(|subject| (subject.issuer, subject.subject));
            text(OperatorRequest { roles, person, subject }, 0)
        });
        let before = Entries::from([(key.clone(), before.flatten())]);
        let wanted = Entries::from([(key, text(wanted, days))]);
        let by = Requester::from(by);
        let (now, version) = (self.now(), self.catalogue(&mut *tx).await?.policies.version());
        let id = PlanId::new(now, self.entropy());
        let rows = self
            .draft(&mut *tx, &subject, Cause::Configuration, None, &by, |event, identity| {
                let who = (identity.id, identity.generation, version);
                vec![govern::configuration(id, event, who, &before, &wanted, now)]
            })
            .await?;
        let waiting = self.decide_governed(&mut *tx, rows, &by).await?;
        tx.commit().await?;
        Ok(OperatorAsked::Waiting(waiting))
    }

    /// Fails when what is to mean the operator is nothing that a provider says, or means somebody else.
    fn subject_is_free(
        &self,
        all: &[Stored<Operator>],
        name: &str,
        wanted: Option<&(String, String)>,
    ) -> Result<()> {
        let Some((issuer, subject)) = wanted else { return Ok(()) };
        let plain = |text: &str, most| text.len() <= most && text.bytes().all(|b| b.is_ascii_graphic());
        let address = issuer.starts_with("https://") || issuer.starts_with("http://");
        if !address || !plain(issuer, 300) || !plain(subject, 255) || subject.is_empty() {
            return Err(EngineError::Subject(format!("{issuer} {subject}")));
        }
        let means = |other: &Operator| {
            other.subject.as_ref().is_some_and(|known| known.issuer == *issuer && known.subject == *subject)
        };
        match all.iter().find(|other| other.value.name != name && means(&other.value)) {
            Some(other) => Err(EngineError::SubjectTaken(other.value.name.clone())),
            None => Ok(()),
        }
    }

    /// How many administrators there are, those not counted of whom a source says that they have left. One who was
    /// only revoked counts: nobody gets to decide alone by revoking the other.
    async fn admins_here(&self, tx: &mut dyn Tx, all: &[Stored<Operator>]) -> Result<usize> {
        let mut here = 0;
        for admin in all.iter().map(|stored| &stored.value).filter(|o| o.roles.contains("admin")) {
            let person = match &admin.person {
                Some(person) => self.by_source_key(tx, person).await?,
                None => None,
            };
            here += usize::from(person.is_none_or(|p| p.value.lifecycle.gone().is_none()));
        }
        Ok(here)
    }

    /// The half of an invitation that belongs to the operator: to who asked for it, or who approved it.
    ///
    /// # Errors
    /// When the plan is about no operator, and for everybody else.
    pub async fn invitation(&self, plan: PlanId, by: &Operator) -> Result<String> {
        let mut tx = self.read().await?;
        let missing = || EngineError::NotFound { kind: "plan about an operator", name: plan.to_string() };
        let row =
            get::<PlanRow>(&mut *tx, self.tenant(), &plan.to_string()).await?.ok_or_else(missing)?.value;
        if operators_in(&row.plan).is_empty() {
            return Err(missing());
        }
        if row.requester == Some(by.id) {
            return Ok(self.half(plan, Half::Asked));
        }
        let approval = match row.state {
            PlanState::Done { approval } => {
                get::<Approval>(&mut *tx, self.tenant(), &approval.to_string()).await?.map(|s| s.value)
            }
            PlanState::Drafted
            | PlanState::Waiting { .. }
            | PlanState::Approved { .. }
            | PlanState::Superseded { .. } => None,
        };
        match approval.filter(|a| self.genuine(a)).map(|a| a.by) {
            Some(Approver::Operator { id, .. }) if id == by.id => Ok(self.half(plan, Half::Approved)),
            Some(_) | None => Err(EngineError::NoHalf),
        }
    }

    /// Takes an invitation over with both of its halves, in any order; gives the token, this once.
    ///
    /// # Errors
    /// [`EngineError::Invitation`] whatever is wrong: nobody learns which.
    pub async fn join(&self, name: &str, halves: [&str; 2]) -> Result<(Operator, String)> {
        // Whoever tries halves is not to keep those who write waiting.
        self.invited(&mut *self.read().await?, name, halves).await?;
        let mut tx = self.begin().await?;
        let (invitation, known) = self.invited(&mut *tx, name, halves).await?;
        let token = self.new_token();
        let operator = self.sealed_operator(Operator {
            token: Digest::of(token.as_bytes()),
            expires: in_days(self.now(), invitation.days),
            invited: None,
            ..known.value
        });
        let mut record = self
            .record(RecordKind::OperatorAdded, "join")
            .plan(invitation.plan)
            .fact("operator", operator.id)
            .fact("roles", &operator.roles)
            .personal("name", name);
        record.actor = Actor::Operator(name.to_owned());
        let update = Update::new(record).replace(&operator, known.revision, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok((operator, token))
    }

    /// The invitation of an operator that these are both halves of, and the operator as they are.
    async fn invited(
        &self,
        tx: &mut dyn Tx,
        name: &str,
        halves: [&str; 2],
    ) -> Result<(Invitation, Stored<Operator>)> {
        let known = self.operator_called(tx, name).await?;
        let invited = known.and_then(|known| Some((known.value.invited.clone()?, known)));
        let (invitation, known) = invited.ok_or(EngineError::Invitation)?;
        let is = |half, text: &str| {
            let text = text.trim().strip_prefix("bwj_").unwrap_or_default();
            self.parts.broker.attested(&half_bytes(invitation.plan, half), text)
        };
        let [one, other] = halves;
        let straight = is(Half::Asked, one) & is(Half::Approved, other);
        let crossed = is(Half::Asked, other) & is(Half::Approved, one);
        match straight | crossed {
            true => Ok((invitation, known)),
            false => Err(EngineError::Invitation),
        }
    }

    /// The operator as an approved plan makes them: known, and with a token only once they have joined.
    pub(crate) fn invite(
        &self,
        before: Option<&Operator>,
        name: &str,
        text: &str,
        plan: PlanId,
    ) -> Result<Operator> {
        let wanted: WantedOperator = serde_json::from_str(text)
            .map_err(|error| EngineError::Inconsistent(format!("operator `{name}`: {error}")))?;
        let WantedOperator { roles, person, subject, days } = wanted;
        let now = self.now();
        let invited = Some(Invitation { plan, days });
        let (id, token, expires, ended) = match before {
            Some(before) => (before.id, before.token, before.expires, before.ended),
            // Nobody has a token with this digest.
            None => {
                (OperatorId::new(now, self.entropy()), Digest::of(self.new_token().as_bytes()), now, None)
            }
        };
        // Whom the provider means is approved by that: there is no secret to be handed over.
        let until = in_days(now, days);
        let subject = subject.map(|(issuer, subject)| Subject { issuer, subject, until });
        let (name, seal) = (name.to_owned(), String::new());
        Ok(self.sealed_operator(Operator {
            id,
            name,
            roles,
            person,
            token,
            expires,
            invited,
            subject,
            ended,
            seal,
        }))
    }

    async fn operator_called(&self, tx: &mut dyn Tx, name: &str) -> Result<Option<Stored<Operator>>> {
        let all = select::<Operator>(tx, self.tenant(), Select::from(Table::Operators)).await?;
        let genuine = |o: &Operator| self.parts.broker.attested(&o.sealed_bytes(), &o.seal);
        Ok(all.into_iter().find(|stored| stored.value.name == name && genuine(&stored.value)))
    }

    fn half(&self, plan: PlanId, half: Half) -> String {
        format!("bwj_{}", self.parts.broker.attest(&half_bytes(plan, half)))
    }
}

fn half_bytes(plan: PlanId, half: Half) -> Vec<u8> {
    let which = match half {
        Half::Asked => "asked",
        Half::Approved => "approved",
    };
    canonical(&("operator-invitation-v1", plan, which))
}

/// The persons whom a plan makes operators.
pub(crate) fn persons_in(plan: &bailiwick_core::plan::Plan) -> Vec<String> {
    operators_in(plan).into_iter().filter_map(|wanted| wanted.person).collect()
}

fn operators_in(plan: &bailiwick_core::plan::Plan) -> Vec<WantedOperator> {
    if plan.governs.as_ref().is_none_or(|g| g.question != Question::Configuration) {
        return Vec::new();
    }
    let entries = govern::entries(plan).into_iter().filter(|(kind, ..)| kind == OPERATOR);
    entries.filter_map(|(_, _, text)| serde_json::from_str(&text?).ok()).collect()
}
