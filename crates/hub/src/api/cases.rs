//! `/cases`: leavers, cell by cell.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use bailiwick_core::{
    access::AccessClass,
    case::{Case, Cell},
    control::Acceptance,
    finding::Finding,
    id::{CaseId, SystemName},
};
use bailiwick_store::{Filter, KeyValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page, Who,
    answer::{Answer, Body, Params, Segment},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
    page::{Wanted, is},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-cases", "/cases", list).says("Cases, oldest first."),
        get("show-case", "/cases/{case}", show).says("One case with its cells and the open findings."),
        post(
            "accept-control",
            "/cases/{case}/cells/{system}/{class}/control",
            Access::Right(Right::Accept),
            accept,
        )
        .says("Accepts what stands in for seeing, with an owner and an end.")
        .of("/cases/{case}"),
    ];
    Resource::new("Cases", "Leavers, cell by cell.", operations)
}

/// A case in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaseLine {
    /// Who left.
    pub who: Who,
    /// The case.
    #[serde(flatten)]
    pub case: Case,
    /// Verdict → cells.
    pub verdicts: BTreeMap<String, u64>,
}

/// A case with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaseView {
    /// Who left.
    pub who: Who,
    /// The case.
    #[serde(flatten)]
    pub case: Case,
    /// Its cells.
    pub cells: Vec<Cell>,
    /// The open findings about who left.
    pub findings: Vec<Finding>,
}

/// A cell with its control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// The cell.
    pub cell: Cell,
    /// Whether the case is closed with it.
    pub closed: bool,
}

/// Which cases.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Which {
    pub(crate) state: Option<String>,
}

pub async fn list(
    State(hub): State<Hub>,
    _: Caller,
    Params(which): Params<Which>,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<CaseLine>> {
    let mut tx = hub.read().await?;
    let page: Page<Case> =
        wanted.read(&hub, &mut *tx, is("state", which.state).into_iter().collect()).await?;
    let who = hub.who(&mut *tx, page.items.iter().map(|case| case.identity)).await?;
    let ids = page.items.iter().map(|case| KeyValue::from(case.id.to_string())).collect();
    let cells: Vec<Cell> = hub.all(&mut *tx, vec![Filter::In("case_id", ids)]).await?;
    let mut verdicts: BTreeMap<CaseId, BTreeMap<String, u64>> = BTreeMap::new();
    for cell in cells {
        *verdicts.entry(cell.case).or_default().entry(cell.verdict.name().to_owned()).or_default() += 1;
    }
    Ok(Json(page.map(|case| CaseLine {
        who: Who::of(&who, case.identity),
        verdicts: verdicts.remove(&case.id).unwrap_or_default(),
        case,
    })))
}

pub async fn show(State(hub): State<Hub>, _: Caller, Segment(case): Segment<CaseId>) -> Answer<CaseView> {
    let mut tx = hub.read().await?;
    let case: Case = hub.find(&mut *tx, "case", &case.to_string()).await?;
    let cells = hub.all(&mut *tx, vec![Filter::Is("case_id", case.id.to_string().into())]).await?;
    let about = Filter::Is("identity", case.identity.to_string().into());
    let findings = hub.all(&mut *tx, vec![about, Filter::Is("state", "open".into())]).await?;
    let who = Who::of(&hub.who(&mut *tx, [case.identity]).await?, case.identity);
    Ok(Json(CaseView { who, case, cells, findings }))
}

pub async fn accept(
    State(hub): State<Hub>,
    caller: Caller,
    Segment((case, system, class)): Segment<(CaseId, SystemName, AccessClass)>,
    Body(acceptance): Body<Acceptance>,
) -> Answer<Accepted> {
    caller.may(Right::Accept)?;
    let (cell, closed) = hub.engine.accept_control(case, &system, class, &acceptance, &caller.0).await?;
    hub.worker.nudge();
    Ok(Json(Accepted { cell, closed }))
}
