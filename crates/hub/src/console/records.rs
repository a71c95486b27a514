//! Records of the log as people read them: a line for each, with what it led to.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    id::{CaseId, PlanId},
    plan::{Governs, Question},
    record::Actor,
};
use bailiwick_store::{Filter, KeyValue, entities::PlanRow};

use super::{frame::Frame, show::Moment, trouble::Trouble};
use crate::api::{Hub, RecordView};

/// One record as a page shows it.
pub struct Line {
    /// Its place in the log, once it is published.
    pub index: Option<i64>,
    /// What it says.
    pub kind: String,
    /// When.
    pub at: Moment,
    /// By whom.
    pub by: String,
    /// Its facts, as far as there is room.
    pub facts: String,
    /// The plan it belongs to, and what that asks about an integration.
    pub plan: Option<(PlanId, String)>,
    /// The case it belongs to.
    pub case: Option<CaseId>,
}

/// A line for each record.
pub async fn lines(hub: &Hub, frame: &Frame, records: &[RecordView]) -> Result<Vec<Line>, Trouble> {
    let plans: BTreeSet<PlanId> = records.iter().filter_map(|record| record.plan).collect();
    let plans = plans.iter().map(|plan| KeyValue::from(plan.to_string())).collect();
    let rows: Vec<PlanRow> = hub.all(&mut *hub.read().await?, vec![Filter::In("id", plans)]).await?;
    let asked = rows.iter().filter_map(|row| Some((row.plan.id, asks(row.plan.governs.as_ref()?))));
    let asked: BTreeMap<PlanId, String> = asked.collect();
    let line = |record: &RecordView| Line {
        index: record.index,
        kind: kind(record),
        at: frame.at(&record.at),
        by: by(&record.actor),
        facts: facts(record),
        plan: record.plan.map(|plan| (plan, asked.get(&plan).cloned().unwrap_or_default())),
        case: record.case,
    };
    Ok(records.iter().map(line).collect())
}

fn kind(record: &RecordView) -> String {
    let kind = serde_json::to_value(record.kind).unwrap_or_default();
    kind.as_str().unwrap_or_default().replace('-', " ")
}

fn asks(governs: &Governs) -> String {
    let what = match governs.question {
        Question::IntegrationApproved => "may it be connected?",
        Question::IdentityAuthorityApproved => "may it change who has access?",
        Question::Configuration => "may the configuration be so?",
        Question::Less => "may it do less?",
    };
    if governs.widens { format!("{what} It gives more than before") } else { what.to_owned() }
}

fn by(actor: &Actor) -> String {
    match actor {
        Actor::Hub(step) => format!("the hub, {step}"),
        Actor::Operator(name) => format!("operator {name}"),
        Actor::Source(name) => format!("source {name}"),
        Actor::Policy(id) => format!("policy {id}"),
        Actor::Integration(name) => format!("integration {name}"),
    }
}

fn facts(record: &RecordView) -> String {
    let facts = record.facts.iter().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // Of a digest the beginning says enough here; the pack has it whole.
        let digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        format!("{} {}", name.replace('_', " "), if digest { &text[..8] } else { &text })
    });
    shortened(&facts.collect::<Vec<_>>().join(" · "))
}

fn shortened(text: &str) -> String {
    const LETTERS: usize = 220;
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
