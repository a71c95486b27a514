//! Act: the case matrix, and whether it is true.

use bailiwick_core::{access::AccessClass, case::Cell, plan::Op, verify::Verdict};

use super::{Narrator, Stage, leavers::Leaver, truth};
use crate::{
    acme,
    api::{CaseView, FindingView, PlanView},
    cli::{self, ListArgs},
    failure::Result,
    render::Tone,
};

/// Shows the matrix, compares each cell with the truth, and shows what the hub did about the system that
/// lies.
pub async fn act(narrator: &mut Narrator, stage: &Stage, left: &[Leaver]) -> Result<()> {
    narrator.act("The leavers' cases: what is proven to be gone, and what is not");
    let mut cells = Vec::new();
    for leaver in left {
        let view = cli::case(&stage.hub, leaver.case).await?;
        if cells.is_empty() {
            narrator.tell(&format!("$ bailiwick case show {} --matrix        {}", leaver.case, leaver.name));
            narrator.tell(&cli::matrix(narrator.output(), &view.cells));
        }
        let against = against(stage, leaver, &view).await?;
        narrator.nothing_against(
            &against,
            &format!("every cell of {} is true, and nothing that works is missing", leaver.name),
        )?;
        cells.extend(view.cells);
    }
    let lies = of(&cells, acme::LIAR, AccessClass::PrimaryAccount)
        .all(|cell| matches!(cell.verdict, Verdict::Residual { .. }));
    narrator.promise(lies, "crm answered 200 and did nothing: reading back calls the account residual")?;
    let stripped =
        of(&cells, acme::KEEPER, AccessClass::DirectGroups).all(|cell| cell.verdict == Verdict::Removed);
    narrator.promise(stripped, "wiki kept the groups on deactivation: they were taken one by one")?;
    escalation(narrator, stage, left).await
}

async fn escalation(narrator: &mut Narrator, stage: &Stage, left: &[Leaver]) -> Result<()> {
    narrator.tell("what the hub did about crm:");
    let plans = ListArgs::ALL.read::<PlanView>(|| stage.hub.get(&["plans"])).await?.items;
    for leaver in left {
        let theirs = plans.iter().filter(|view| view.who.key == leaver.key);
        let on_crm =
            theirs.filter(|view| view.row.plan.changes.iter().any(|c| c.system.as_str() == acme::LIAR));
        let ops = |view: &PlanView| -> Vec<Op> {
            view.row
                .plan
                .changes
                .iter()
                .filter(|c| c.system.as_str() == acme::LIAR)
                .map(|c| c.op.clone())
                .collect()
        };
        let tried: Vec<(String, Vec<Op>)> =
            on_crm.map(|view| (view.row.state.name().to_owned(), ops(view))).collect();
        let way = |wanted: u8| tried.iter().any(|(_, ops)| ops.contains(&Op::Disable { way: wanted }));
        let drafted = tried.iter().any(|(state, ops)| state == "drafted" && ops.contains(&Op::Delete));
        narrator.promise(
            way(0) && way(1),
            &format!("{}: disabled by PATCH, then by PUT, each read back", leaver.name),
        )?;
        narrator.promise(
            drafted,
            &format!("{}: a plan to delete the account is drafted and waits for a person", leaver.name),
        )?;
    }
    let findings = ListArgs::ALL
        .read::<FindingView>(|| stage.hub.get(&["findings"]).query("state", "open"))
        .await?
        .items;
    let residual: Vec<&FindingView> =
        findings.iter().filter(|view| view.finding.code == "residual-access").collect();
    if let Some(FindingView { finding, .. }) = residual.first() {
        narrator.toned(Tone::Warn, &format!("finding: {}", finding.message));
        narrator
            .toned(Tone::Warn, &format!("         owner {}, until {:.0}", finding.owner, finding.deadline));
    }
    let owned = residual.len() == left.len() && residual.iter().all(|view| !view.finding.owner.is_empty());
    narrator.promise(owned, "each has a finding with an owner and a deadline")
}

/// What is not true in a case, and what works that it does not say.
pub async fn against(stage: &Stage, leaver: &Leaver, view: &CaseView) -> Result<Vec<String>> {
    let mut against = Vec::new();
    for (system, external_id) in &leaver.accounts {
        let truth = stage.truth.of(system).await?;
        let user = truth.users.iter().find(|user| user.id == *external_id);
        let cells = view.cells.iter().filter(|cell| cell.system.as_str() == system);
        against.extend(cells.filter_map(|cell| truth::against(cell, user)));
        against.extend(user.map(|user| truth::concealed(system, &view.cells, user)).unwrap_or_default());
    }
    Ok(against)
}

fn of<'c>(cells: &'c [Cell], system: &'c str, class: AccessClass) -> impl Iterator<Item = &'c Cell> {
    cells.iter().filter(move |cell| cell.system.as_str() == system && cell.class == class)
}
