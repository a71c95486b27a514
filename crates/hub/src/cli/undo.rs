//! `bailiwick undo`

use bailiwick_core::{
    id::{BatchId, PlanId},
    policy::PolicyId,
    undo::{Fate, Line},
};
use clap::Args;

use super::{Context, access};
use crate::{
    api::{Undoing, UndoneView},
    failure::{Exit, Result},
    render::{Output, Tone, count},
};

/// Arguments of `bailiwick undo`.
#[derive(Args)]
#[command(
    after_help = "What a plan took and no policy gives any more is asked for, until an end; somebody else approves it. What is so \
    today\ndecides: what a policy forbids does not come back, what a policy gives stays, and what somebody changed since\nis \
    shown and left alone. Credentials that were ended stay dead, and an account that was deleted comes back as a\nnew one. Of \
    several plans, or of a whole delivery, power over other access is left out: undo that plan by\nitself.\n\n\
    Examples:\n  bailiwick undo pln_01jd3v8k5mfa8rsw1r2q9n6x4e --for 14d --reason \"HR moved the wrong person\"\n  \
    bailiwick undo --batch bat_01jd3v8k5mfa8rsw1r2q9n6x4e --for 7d --reason \"the export was wrong\""
)]
pub struct UndoArgs {
    /// The plans
    #[arg(required_unless_present = "batch")]
    plans: Vec<PlanId>,
    /// All that followed from this delivery
    #[arg(long)]
    batch: Option<BatchId>,
    /// For how long it is to be back from the approval on, such as `4h` or `14d`
    #[arg(long = "for", value_name = "TIME", value_parser = access::minutes)]
    minutes: u32,
    /// Why
    #[arg(long)]
    reason: String,
}

/// Asks, and says what comes back and what does not.
pub async fn run(context: &Context<'_>, args: UndoArgs) -> Result<Exit> {
    let client = context.client()?;
    let UndoArgs { plans, batch, minutes, reason } = args;
    let undoing = Undoing { plans: plans.into_iter().collect(), batch, minutes, reason };
    let all: Vec<UndoneView> = client.post(&["undo"]).json(&undoing).send().await?;
    context.output.result(&all, |output| {
        all.iter().for_each(|view| describe(output, view));
        let left_out =
            all.iter().flat_map(|view| &view.lines).filter(|line| line.fate == Fate::Power).count();
        if left_out > 0 {
            let what = count(left_out, "entitlement", "entitlements");
            output.toned(Tone::Warn, &format!("{what} with power over other access left out"));
        }
    });
    Ok(Exit::Done)
}

fn describe(output: Output, view: &UndoneView) {
    output.line(&format!("{} for {} ({})", view.of, view.who.name, view.who.key));
    for line in &view.lines {
        let tone = if line.fate == Fate::Back { Tone::Good } else { Tone::Dim };
        output.toned(tone, &format!("  {}", words(line)));
    }
    match (&view.refused, view.plan) {
        (Some(refused), _) => output.toned(Tone::Warn, &format!("  not undone: {}", refused.message)),
        (None, Some(plan)) => {
            output
                .line(&format!("  somebody else approves it within three days: `bailiwick approve {plan}`"));
        }
        (None, None) => output.line("  nothing of it comes back"),
    }
}

/// `revoke chat/sales: comes back`
pub fn words(line: &Line) -> String {
    let Line { system, did, entitlement: _, fate } = line;
    let did = if did.contains('/') { did.clone() } else { format!("{did} on {system}") };
    let becomes = match fate {
        Fate::Back => "comes back".to_owned(),
        Fate::AsBefore => "is as before".to_owned(),
        Fate::Given { policies } => format!("stays with {}", names(policies)),
        Fate::Forbidden { policies } => format!("forbidden by {}", names(policies)),
        Fate::Power => "power over other access, left out".to_owned(),
        Fate::Dead => "ended for good; new ones are made where they are needed".to_owned(),
        Fate::Later { plan } => format!("changed by {plan} since; undo that one"),
        Fate::Touched => "left alone: somebody changed the account since".to_owned(),
        Fate::Unprovable => "left alone: its end could not be proven".to_owned(),
        Fate::Source => "follows the source; correct it there".to_owned(),
        Fate::Going => "nothing gives it any more; it goes by itself".to_owned(),
        Fate::Carried => "as long as something that it carries".to_owned(),
        Fate::Undeclared => "not declared any more".to_owned(),
        Fate::NotDone => "was not done".to_owned(),
    };
    format!("{did}: {becomes}")
}

fn names(policies: &[PolicyId]) -> String {
    let names: Vec<String> = policies.iter().map(ToString::to_string).collect();
    names.join(", ")
}
