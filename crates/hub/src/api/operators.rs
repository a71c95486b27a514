//! `/operators`: who works with the hub.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Json, extract::State};
use bailiwick_core::{
    id::{OperatorId, PlanId},
    policy::PolicyId,
    right::Rights,
    time::Timestamp,
};
use bailiwick_engine::{EngineError, OperatorAsked, OperatorRequest, Waiting};
use bailiwick_store::entities::Operator;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, ApiError, Body, Segment, ShownOnce, malformed},
    caller::{Caller, Right, guess_refused},
    operation::{Access, Resource, delete, get, post},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-operators", "/operators", list).says("All operators, by id."),
        post("add-operator", "/operators", Access::Right(Right::Govern), add)
            .says("Adds an operator, or asks for that.")
            .fails(&[404]),
        post("enrol-factor", "/operators/{name}/factor", Access::Own(Right::Govern), enrol)
            .says("Makes a second factor, in the place of the one there is. One's own needs no role."),
        delete("revoke-operator", "/operators/{name}/token", Access::Own(Right::Govern), revoke)
            .says("Ends the token of an operator. One's own needs no role."),
        get("show-invitation-half", "/plans/{plan}/invitation", invitation)
            .for_people()
            .says("The half of an invitation that the caller may hand over.")
            .fails(&[403, 409]),
        post("join-operator", "/operators/{name}/joining", Access::Open, join)
            .says("Takes an invitation over. Both halves of it are the proof.")
            .fails(&[403, 404, 409, 422]),
    ];
    Resource::new("Operators", "Who works with the hub.", operations)
}

/// The longest life of a token, days.
const LONGEST_DAYS: u16 = 366;

/// An operator, without the digest of their token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperatorView {
    /// Their id.
    pub id: OperatorId,
    /// Their name.
    pub name: String,
    /// Their roles, which policies are asked about.
    pub roles: BTreeSet<String>,
    /// What they may do now besides reading, by their roles and by policies. Whether they may approve a plan, policies say
    /// for each.
    pub rights: BTreeSet<Right>,
    /// What their roles give and policies take, with the policies.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub taken: BTreeMap<Right, Vec<PolicyId>>,
    /// `source/key` of the person they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Until when their token works.
    pub expires: Timestamp,
    /// Who they are for the provider that they sign in by: its address, their `sub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<(String, String)>,
    /// The plan whose invitation they have not taken over yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited: Option<PlanId>,
}

impl OperatorView {
    /// As others see them now.
    pub async fn of(hub: &Hub, operator: Operator) -> Self {
        // Who has ended, or is not here yet, does nothing.
        let rights = match operator.ended.is_some() || operator.invited.is_some() {
            true => Rights::default(),
            false => hub.engine.rights(&operator).await,
        };
        let Operator { id, name, roles, person, token: _, expires, invited, subject, ended: _, seal: _ } =
            operator;
        let subject = subject.map(|subject| (subject.issuer, subject.subject));
        let invited = invited.map(|invitation| invitation.plan);
        let taken = rights.taken().iter().filter(|(right, _)| right.is_given_by(&roles));
        let taken = taken.map(|(right, by)| (*right, by.clone())).collect();
        Self { id, name, roles, rights: rights.given().clone(), taken, person, expires, subject, invited }
    }

    /// `read, operate`, and what policies take.
    pub fn may(&self) -> String {
        let rights = self.rights.iter().map(|right| right.as_str());
        let may = std::iter::once("read").chain(rights).collect::<Vec<_>>().join(", ");
        let taken = self.taken.iter().map(|(right, policies)| {
            let by: Vec<&str> = policies.iter().map(PolicyId::as_str).collect();
            format!("; {} is taken by {}", right.as_str(), by.join(", "))
        });
        std::iter::once(may).chain(taken).collect()
    }
}

/// An operator to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOperator {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub roles: BTreeSet<String>,
    /// `source/key` of the person they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Who they are for the provider that they sign in by: its address, their `sub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<(String, String)>,
    /// How long the token works, and the provider is believed, days.
    pub days: u16,
}

/// An operator that was added.
// No `Debug`: it holds the token, this once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct OperatorMade {
    /// The operator.
    #[serde(flatten)]
    pub operator: OperatorView,
    /// The token; it is not kept and not shown again.
    pub token: String,
}

/// What came of asking for an operator.
// No `Debug`: it may hold the token.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum AskedFor {
    /// They are added.
    Added(Box<OperatorMade>),
    /// It waits for another administrator.
    Waiting {
        /// The plans.
        waiting: Vec<Waiting>,
    },
}

/// One half of an invitation.
// No `Debug`: both halves together are a secret.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct InvitationHalf {
    /// It, for the invited person alone.
    pub half: String,
}

/// Both halves of an invitation.
// No `Debug`: they are a secret.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Joining {
    /// The halves, in any order.
    pub halves: [String; 2],
}

/// Who is to have a second factor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// A code of the caller, when a factor is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A second factor that was made.
// No `Debug`: it holds the secret, this once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Enrolled {
    /// Whose.
    pub operator: String,
    /// The `otpauth://` address; its secret is not shown again.
    pub address: String,
}

pub async fn enrol(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<String>,
    Body(request): Body<EnrolRequest>,
) -> Result<ShownOnce<Enrolled>, ApiError> {
    // One's own needs no right; the engine says who may give one to somebody else.
    if caller.0.name != name {
        caller.may(Right::Govern)?;
    }
    let made = hub.engine.enrol(&name, &caller.0, request.code.as_deref()).await?;
    Ok(ShownOnce(Enrolled { operator: name, address: made.address().to_owned() }))
}

pub async fn list(State(hub): State<Hub>, _: Caller) -> Answer<Vec<OperatorView>> {
    let mut tx = hub.read().await?;
    let operators: Vec<Operator> = hub.all(&mut *tx, vec![]).await?;
    drop(tx);
    let mut views = Vec::with_capacity(operators.len());
    for operator in operators {
        views.push(OperatorView::of(&hub, operator).await);
    }
    Ok(Json(views))
}

pub async fn add(
    State(hub): State<Hub>,
    caller: Caller,
    Body(new): Body<NewOperator>,
) -> Result<ShownOnce<AskedFor>, ApiError> {
    caller.may(Right::Govern)?;
    let NewOperator { name, roles, person, subject, days } = new;
    if name.trim().is_empty() || roles.is_empty() || !(1..=LONGEST_DAYS).contains(&days) {
        return Err(malformed(format!(
            "an operator has a name, at least one role, and 1 to {LONGEST_DAYS} days"
        )));
    }
    let asked =
        hub.engine.ask_operator(&name, OperatorRequest { roles, person, subject }, days, &caller.0).await?;
    hub.worker.nudge();
    Ok(ShownOnce(match asked {
        OperatorAsked::Added(operator, token) => {
            let operator = OperatorView::of(&hub, *operator).await;
            AskedFor::Added(Box::new(OperatorMade { operator, token }))
        }
        OperatorAsked::Waiting(waiting) => AskedFor::Waiting { waiting },
    }))
}

pub async fn revoke(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<String>,
) -> Answer<OperatorView> {
    // One's own needs no right.
    if caller.0.name != name {
        caller.may(Right::Govern)?;
    }
    let ended = hub.engine.revoke_operator(&name, &caller.0).await?;
    Ok(Json(OperatorView::of(&hub, ended).await))
}

pub async fn invitation(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(plan): Segment<PlanId>,
) -> Result<ShownOnce<InvitationHalf>, ApiError> {
    Ok(ShownOnce(InvitationHalf { half: hub.engine.invitation(plan, &caller.0).await? }))
}

pub async fn join(
    State(hub): State<Hub>,
    Segment(name): Segment<String>,
    Body(joining): Body<Joining>,
) -> Result<ShownOnce<OperatorMade>, ApiError> {
    let [one, other] = &joining.halves;
    let joined = hub.engine.join(&name, [one, other]).await;
    if let Err(refused @ EngineError::Invitation) = &joined {
        guess_refused(&hub, "invitation", refused.code()).await;
    }
    let (operator, token) = joined?;
    Ok(ShownOnce(OperatorMade { operator: OperatorView::of(&hub, operator).await, token }))
}
