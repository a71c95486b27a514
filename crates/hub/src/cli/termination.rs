//! `bailiwick termination`: people who are made ready to go, and are made to go at once.

use bailiwick_core::{
    id::TerminationId,
    termination::{SourceWord, Termination, TerminationState},
};
use bailiwick_store::entities::{PlanRow, PlanState};
use clap::{Args, Subcommand};

use super::{Context, PATIENCE, plan::describe};
use crate::{
    api::{Arming, Because, FiredView, PlanView, TerminationView, These},
    failure::{Exit, Result},
    render::{Output, Tone},
};

/// `bailiwick termination …`
#[derive(Subcommand)]
pub enum TerminationCommand {
    /// Make people ready to go; nothing changes for them, and nobody else is told
    #[command(
        after_help = "It takes the role `terminator`. Only who has it sees who is armed, and never their own. What would be \
        done is\nshown. Where an account is deleted and no rule approves that, somebody else with the role approves the \
        plan\nahead: `bailiwick approve PLAN`. Without it the account is disabled when it is fired, and nothing waits.\n\n\
        Example:\n  bailiwick termination arm hr/1002 hr/1003 --reason \"sold the plans\""
    )]
    Arm(ArmArgs),
    /// Make them go, now and all at once
    #[command(
        after_help = "One person is enough. It acts on what is true now: the plan is made anew, and goes before \
        everything else.\nWhatever their source goes on saying, they stay gone until it has said that they left.\n\n\
        Example:\n  bailiwick termination fire hr/1002 hr/1003"
    )]
    Fire(WhichArgs),
    /// Who is armed and who was fired, as far as you may see it
    #[command(after_help = "Example:\n  bailiwick termination list")]
    List,
    /// One of them, with what would be done
    #[command(after_help = "Example:\n  bailiwick termination show trm_01jd3v8k5mfa8rsw1r2q9n6x4e")]
    Show {
        /// Its id, or the person
        which: String,
    },
    /// Take it back before it is fired
    #[command(after_help = "Example:\n  bailiwick termination disarm hr/1002")]
    Disarm(WhichArgs),
    /// Let what the source says of who was fired count again; it takes two people
    #[command(
        after_help = "The first one asks, and it is done when a second person says the same within a day. The next delivery \
        of the source then\ndecides. Nobody needs it when the source says that they left, or gives them a first day after \
        that.\n\nExample:\n  bailiwick termination lift hr/1002 --reason \"it was the other Smith\""
    )]
    Lift {
        /// Its id, or the person
        which: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// Arguments of `bailiwick termination arm`.
#[derive(Args)]
pub struct ArmArgs {
    /// Who: `source/key`, id or e-mail address
    #[arg(required = true, value_name = "PERSON")]
    persons: Vec<String>,
    /// Why
    #[arg(long)]
    reason: String,
    /// For how long they stay armed
    #[arg(long, default_value_t = 24)]
    hours: u32,
}

/// Which terminations.
#[derive(Args)]
pub struct WhichArgs {
    /// Their ids, or the people
    #[arg(required = true, value_name = "ID|PERSON")]
    which: Vec<String>,
}

/// Arms, fires, shows and takes back.
pub async fn run(context: &Context<'_>, command: TerminationCommand) -> Result<Exit> {
    let client = context.client()?;
    let output = context.output;
    match command {
        TerminationCommand::Arm(ArmArgs { persons, reason, hours }) => {
            let asked = Arming { persons, reason, hours };
            let armed: Vec<TerminationView> = client.post(&["terminations"]).json(&asked).send().await?;
            output.result(&armed, |output| armed.iter().for_each(|view| show(output, view)));
        }
        TerminationCommand::Fire(WhichArgs { which }) => {
            let these = These { which };
            let fired: Vec<FiredView> = client
                .post(&["terminations", "fire"])
                .maybe("wait", Some(PATIENCE))
                .json(&these)
                .send()
                .await?;
            output.result(&fired, |output| fired.iter().for_each(|view| tell(output, view)));
        }
        TerminationCommand::List => {
            let all: Vec<TerminationView> = client.get(&["terminations"]).send().await?;
            output.result(&all, |output| list(output, &all));
        }
        TerminationCommand::Show { which } => {
            let view: TerminationView = client.get(&["terminations", &which]).send().await?;
            output.result(&view, |output| show(output, &view));
        }
        TerminationCommand::Disarm(WhichArgs { which }) => {
            let these = These { which };
            let gone: Vec<TerminationId> =
                client.post(&["terminations", "disarm"]).json(&these).send().await?;
            output.result(&gone, |output| {
                gone.iter().for_each(|id| output.line(&format!("{id} is taken back")))
            });
        }
        TerminationCommand::Lift { which, reason } => {
            let path = ["terminations", &which, "lift"];
            let lifted: Termination = client.post(&path).json(&Because { reason }).send().await?;
            output.result(&lifted, |output| match lifted.owed() {
                Some(_) => output.line(&format!("{} is lifted when a second person says so too", lifted.id)),
                None => output.line(&format!(
                    "{} is lifted: the next delivery of the source counts for them",
                    lifted.id
                )),
            });
        }
    }
    Ok(Exit::Done)
}

fn tell(output: Output, FiredView { who, fired }: &FiredView) {
    match fired.event {
        Some(_) => {
            output.line(&format!("{} ({}) is gone: `bailiwick case list` follows it", who.name, who.key))
        }
        None => output.line(&format!("{} ({}) had left before", who.name, who.key)),
    }
    for system in &fired.spared {
        output.toned(
            Tone::Warn,
            &format!("! the account on {system} is disabled and not deleted: nobody had approved that"),
        );
    }
}

fn list(output: Output, all: &[TerminationView]) {
    if all.is_empty() {
        output.say("nobody is armed, and nobody was fired");
        return;
    }
    let rows = all.iter().map(|view| {
        vec![
            Tone::Plain.cell(view.termination.id),
            Tone::Plain.cell(&view.who.name),
            state(&view.termination.state),
            Tone::Plain.cell(source(view)),
        ]
    });
    output.table(&["termination", "who", "state", "then"], rows.collect());
}

fn state(state: &TerminationState) -> comfy_table::Cell {
    match state {
        TerminationState::Armed { expires } => Tone::Warn.cell(format!("armed until {expires:.0}")),
        TerminationState::Fired { at, .. } => Tone::Good.cell(format!("fired {at:.0}")),
        TerminationState::Disarmed { at, .. } => Tone::Plain.cell(format!("taken back {at:.0}")),
        TerminationState::Lapsed { at } => Tone::Plain.cell(format!("lapsed {at:.0}")),
        TerminationState::Overtaken { at } => Tone::Plain.cell(format!("had left, seen {at:.0}")),
    }
}

/// What is still to be said: by an approver before, by the source after.
fn source(view: &TerminationView) -> String {
    match &view.termination.state {
        TerminationState::Armed { .. } => match (view.termination.asks, &view.approval) {
            (_, Some(_)) => "approved ahead".into(),
            (true, None) => format!("may be approved: {}", view.termination.plan.id),
            (false, None) => "-".into(),
        },
        TerminationState::Fired { word, .. } => match word {
            SourceWord::Owed => "source has not said so".into(),
            SourceWord::LiftAsked { .. } => "one person wants it lifted".into(),
            SourceWord::Given { .. } => "source says so too".into(),
            SourceWord::HiredAnew { .. } => "hired anew".into(),
            SourceWord::Lifted { .. } => "lifted".into(),
        },
        TerminationState::Disarmed { .. }
        | TerminationState::Lapsed { .. }
        | TerminationState::Overtaken { .. } => "-".into(),
    }
}

fn show(output: Output, view: &TerminationView) {
    let termination = &view.termination;
    let TerminationView { who, .. } = view;
    output.line(&format!("{} for {} ({})", termination.id, who.name, who.key));
    output.line(&format!("  reason  {}", termination.reason));
    output.line(&format!("  state   {}", words(&termination.state)));
    let state = match &view.approval {
        Some(approval) => PlanState::Waiting { approval: approval.id },
        None => PlanState::Drafted,
    };
    let row = PlanRow {
        plan: termination.plan.clone(),
        digest: termination.digest,
        requester: Some(termination.by),
        state,
    };
    if matches!(termination.state, TerminationState::Armed { .. }) {
        describe(output, &PlanView { who: who.clone(), row, runs: Vec::new() });
        if termination.asks && view.approval.is_none() {
            output.say(&format!(
                "accounts are deleted at once if somebody else approves it ahead: `bailiwick approve {} --digest {}`",
                termination.plan.id, termination.digest
            ));
        }
        output.say(&format!("nothing is changed; `bailiwick termination fire {}` does it", termination.id));
    }
}

fn words(state: &TerminationState) -> String {
    match state {
        TerminationState::Armed { expires } => format!("armed until {expires:.0}"),
        other => other.name().to_owned(),
    }
}
