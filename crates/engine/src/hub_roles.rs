//! What a leaver could do in the hub itself: their tokens end with the event, and the case says so.

use std::collections::BTreeSet;

use bailiwick_core::{
    access::AccessClass,
    case::{Case, Cell},
    id::{AccountId, CaseId, IdentityId, OperatorId},
    identity::Identity,
    record::{Record, RecordKind},
    verify::{Verdict, Witness},
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, entities::Operator, get, select};

use crate::{
    Engine, Result,
    activate::hub_system,
    decide::{Known, Outcome},
    finding::Wrong,
    turn::GOVERN,
};

/// The finding that the only administrator has left.
const LAST: &str = "hub-last-admin-left";

impl Engine {
    /// Takes the turn of whoever ends an operator, if one of those who leave is one: which administrator is the last is
    /// decided from all of them.
    pub(crate) async fn take_turn_of_operators(
        &self,
        tx: &mut dyn Tx,
        leave: impl Iterator<Item = &Identity>,
    ) -> Result<()> {
        let keys: BTreeSet<String> =
            leave.flat_map(Identity::source_keys).map(|key| key.to_string()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let all = select::<Operator>(tx, self.tenant(), Select::from(Table::Operators)).await?;
        match all.iter().any(|o| o.value.person.as_ref().is_some_and(|person| keys.contains(person))) {
            true => self.take_turn(tx, GOVERN).await,
            false => Ok(()),
        }
    }

    /// Ends the tokens of somebody who left, in the transaction that opens their case. The last administrator keeps
    /// theirs, and that is loud: nobody could govern the hub otherwise. Gives whether all of it has ended.
    pub(crate) fn end_hub_roles(
        &self,
        known: &Known,
        identity: &Identity,
        case: CaseId,
        out: &mut Outcome,
    ) -> bool {
        let keys: Vec<String> = identity.source_keys().iter().map(ToString::to_string).collect();
        let is_theirs = |o: &&Stored<Operator>| o.value.person.as_ref().is_some_and(|key| keys.contains(key));
        let mut mine = known.operators.iter().filter(is_theirs).peekable();
        if mine.peek().is_none() {
            return true;
        }
        let mut kept = Vec::new();
        for stored in mine {
            // Of several who leave at once the last one is the last.
            let others = known.operators.iter().filter(|o| !out.ended.contains(&o.value.id));
            if self.is_last_admin(others, &stored.value) {
                kept.push(stored.value.name.clone());
                out.wrongs.push(last_admin(&stored.value));
                continue;
            }
            let ended = self.ended_operator(&stored.value);
            let record = self
                .record(RecordKind::OperatorRevoked, "decide")
                .identity(identity.id)
                .case(case)
                .fact("operator", ended.id);
            out.updates.push(Update::new(record).replace(&ended, stored.revision, self.entropy()));
            out.ended.insert(ended.id);
        }
        let cell = self.hub_roles(case, kept);
        let ended = cell.verdict == Verdict::Removed;
        let judged = Update::new(self.judged_here("decide", identity.id, &cell));
        out.updates.push(judged.insert(&cell, self.entropy()));
        ended
    }

    /// The operator without anything that works: token, invitation, provider, and whatever they made themselves.
    pub(crate) fn ended_operator(&self, operator: &Operator) -> Operator {
        let now = self.now();
        let (expires, ended) = (now.min(operator.expires), Some(now));
        self.sealed_operator(Operator { expires, invited: None, subject: None, ended, ..operator.clone() })
    }

    /// Whether nobody else has the role of an administrator and a token that has not expired.
    pub(crate) fn is_last_admin<'o>(
        &self,
        all: impl IntoIterator<Item = &'o Stored<Operator>>,
        operator: &Operator,
    ) -> bool {
        let now = self.now();
        let admin = |o: &Operator| o.roles.contains("admin") && o.until() > now;
        admin(operator) && !all.into_iter().any(|other| other.value.id != operator.id && admin(&other.value))
    }

    fn hub_roles(&self, case: CaseId, kept: Vec<String>) -> Cell {
        self.cell_here(case, AccessClass::HubRoles, kept, "the hub's own operators")
    }

    /// A cell of a case on the hub's own system: of the class so much is left.
    pub(crate) fn cell_here(
        &self,
        case: CaseId,
        class: AccessClass,
        left: Vec<String>,
        method: &str,
    ) -> Cell {
        Cell {
            case,
            system: hub_system(),
            class,
            account: AccountId::from_bytes([0; 16]),
            verdict: if left.is_empty() { Verdict::Removed } else { Verdict::Residual { what: left } },
            at: self.now(),
            method: method.to_owned(),
            witness: Some(Witness::Independent),
            answer: None,
            tried: 1,
        }
    }

    /// The record of a cell that the hub judges by its own register.
    pub(crate) fn judged_here(&self, step: &str, person: IdentityId, cell: &Cell) -> Record {
        self.record(RecordKind::Verified, step)
            .identity(person)
            .case(cell.case)
            .fact("class", cell.class)
            .fact("system", &cell.system)
            .fact("verdict", cell.verdict.name())
    }

    /// What the end of an operator's token means for the case of the person, if they have one that is open.
    pub(crate) async fn ended_in_case(
        &self,
        tx: &mut dyn Tx,
        ended: OperatorId,
        person: IdentityId,
    ) -> Result<()> {
        let open = Select::from(Table::Cases)
            .filter(Filter::Is("identity", person.to_string().into()))
            .filter(Filter::Is("state", "open".into()));
        let Some(case) = select::<Case>(tx, self.tenant(), open).await?.pop() else { return Ok(()) };
        let cell = self.hub_roles(case.value.id, Vec::new());
        let Some(before) = get::<Cell>(tx, self.tenant(), &cell.key()).await? else { return Ok(()) };
        let judged = Update::new(self.judged_here("operator", person, &cell));
        let mut updates = vec![judged.replace(&cell, before.revision, self.entropy())];
        updates.extend(self.close_finding(tx, LAST, &ended.to_string()).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        self.settle_case(tx, case.value.id).await
    }
}

fn last_admin(operator: &Operator) -> Wrong {
    Wrong {
        code: LAST,
        subject: operator.id.to_string(),
        identity: None,
        system: None,
        message: format!(
            "`{0}` is the only administrator and has left: add another one with `bailiwick operator add NAME --role \
             admin`, then end this one with `bailiwick operator revoke {0}`",
            operator.name
        ),
        owner: "operator".into(),
    }
}
