//! Undoing a plan from its page: what it took is asked back, until an end; somebody else approves that.

use std::collections::BTreeSet;

use axum::{extract::State, response::Response};
use bailiwick_core::{
    id::PlanId,
    undo::{Done, Fate, UndoRefusal, undoable},
};
use bailiwick_store::entities::{PlanState, Step};
use serde::Deserialize;

use super::{
    act::refused,
    frame::{Notice, page},
    list::done,
    plans::shown,
    signed_in::{Posted, SignedIn},
    trouble::Trouble,
};
use crate::{
    api::{
        Hub, PlanView, Undoing, UndoneView,
        answer::{Body, Segment, malformed},
        undo,
    },
    cli::{becomes, minutes},
};

/// What the page of a plan says of undoing it.
pub enum Undo {
    /// Nothing: it was not carried out.
    Nothing,
    /// It can be asked for.
    Offered,
    /// It cannot be, and why.
    Refused(String),
    /// It was asked for just now.
    Asked {
        /// What becomes of each change, and whether it comes back.
        lines: Vec<(bool, String)>,
        /// The plan that waits for somebody else; none when nothing comes back.
        plan: Option<PlanId>,
    },
}

impl Undo {
    /// Of a plan as it stands.
    pub fn of(view: &PlanView) -> Self {
        match &view.row.state {
            PlanState::Drafted
            | PlanState::Waiting { .. }
            | PlanState::Approved { .. }
            | PlanState::Superseded { .. } => return Self::Nothing,
            PlanState::Done { .. } => {}
        }
        let steps = view.runs.iter().flat_map(|run| &run.steps);
        let applied = steps.filter(|(_, step)| matches!(step, Step::Applied { .. })).map(|(seq, _)| *seq);
        match undoable(&view.row.plan, &applied.collect::<Done>(), false) {
            Ok(()) => Self::Offered,
            Err(UndoRefusal::NotDone(_)) => Self::Nothing,
            Err(refusal) => Self::Refused(refusal.to_string()),
        }
    }
}

/// For how long, and why.
#[derive(Deserialize)]
pub struct Given {
    time: String,
    reason: String,
}

/// `POST /plans/{plan}/undo`
pub async fn ask(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(plan): Segment<PlanId>,
    Posted(Given { time, reason }): Posted<Given>,
) -> Result<Response, Trouble> {
    let asked = match minutes(time.trim()) {
        Ok(minutes) => {
            let undoing = Undoing { plans: BTreeSet::from([plan]), batch: None, minutes, reason };
            undo::ask(State(hub.clone()), signed_in.caller.clone(), Body(undoing)).await
        }
        Err(what) => Err(malformed(what)),
    };
    match asked {
        Ok(all) => {
            let notice = all.0.iter().any(|one| one.plan.is_some()).then(|| Notice::done(done("asked")));
            let mut shown = shown(&hub, &signed_in, plan, notice).await?;
            if let Some(one) = all.0.into_iter().next() {
                shown.undo = came(one);
            }
            page(&shown)
        }
        Err(error) => refused(error, |notice| shown(&hub, &signed_in, plan, notice)).await,
    }
}

fn came(one: UndoneView) -> Undo {
    let lines = one.lines.iter().map(|line| (line.fate == Fate::Back, becomes(line))).collect();
    Undo::Asked { lines, plan: one.plan }
}
