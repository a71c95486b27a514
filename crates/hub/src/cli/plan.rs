//! `bailiwick plan`, `bailiwick approve`

use std::{collections::BTreeMap, io::IsTerminal};

use bailiwick_core::{
    digest::Digest,
    id::PlanId,
    plan::{Change, Op},
};
use bailiwick_store::entities::{PlanState, Step};
use clap::{Args, Subcommand};

use super::{Context, asked, list::ListArgs};
use crate::{
    api::{ApprovalRequest, PlanView},
    client::Client,
    failure::{Exit, Result},
    render::{Output, Tone},
};

/// `bailiwick plan …`
#[derive(Subcommand)]
pub enum PlanCommand {
    /// The plans, newest last
    #[command(after_help = "Example:\n  bailiwick plan list --state drafted")]
    List {
        /// Only those in this state: drafted, waiting, approved, done, superseded
        #[arg(long, value_parser = ["drafted", "waiting", "approved", "done", "superseded"])]
        state: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// A plan with all its changes
    #[command(after_help = "Example:\n  bailiwick plan show pln_01jd3v8k5mfa8rsw1r2q9n6x4e")]
    Show {
        /// The plan
        plan: PlanId,
    },
}

/// Arguments of `bailiwick approve`.
#[derive(Args)]
#[command(
    after_help = "The approval is bound to the digest: if the plan is not what you saw, it is refused. \
    Without\n`--digest` the plan is shown and its digest taken.\n\n\
    Example:\n  bailiwick approve pln_01jd3v8k5mfa8rsw1r2q9n6x4e --digest 9f86d081884c7d65…"
)]
pub struct ApproveArgs {
    /// The plan
    plan: PlanId,
    /// The digest of the plan that you saw
    #[arg(long)]
    digest: Option<Digest>,
    /// The code of the moment, for a plan that takes one; on a terminal it is asked for
    #[arg(long)]
    code: Option<String>,
}

/// Shows plans.
pub async fn run(context: &Context<'_>, command: PlanCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        PlanCommand::List { state, list } => {
            let plans =
                list.read::<PlanView>(|| client.get(&["plans"]).maybe("state", state.as_ref())).await?;
            context.output.result(&plans.items, |output| {
                let rows = plans.items.iter().map(|view| {
                    let plan = &view.row.plan;
                    vec![
                        Tone::Plain.cell(plan.id),
                        Tone::Plain.cell(&view.who.name),
                        Tone::Plain.cell(&plan.cause),
                        Tone::Plain.cell(plan.changes.len()),
                        state_tone(&view.row.state).cell(view.row.state.name()),
                    ]
                });
                if !plans.items.is_empty() {
                    output.table(&["plan", "for", "cause", "changes", "state"], rows.collect());
                }
                plans.remark(output, "no plans");
            });
        }
        PlanCommand::Show { plan } => {
            let view = get(&client, plan).await?;
            context.output.result(&view, |output| {
                describe(output, &view);
                if view.row.state == PlanState::Drafted {
                    output.say(&format!(
                        "it waits for an approval: `bailiwick approve {} --digest {}`",
                        view.row.plan.id, view.row.digest
                    ));
                }
            });
        }
    }
    Ok(Exit::Done)
}

/// Approves a plan.
pub async fn approve(context: &Context<'_>, args: ApproveArgs) -> Result<Exit> {
    let client = context.client()?;
    let digest = match args.digest {
        Some(digest) => digest,
        None => {
            let view = get(&client, args.plan).await?;
            if !context.output.json {
                describe(context.output, &view);
            }
            view.row.digest
        }
    };
    let mut request = ApprovalRequest { digest, code: args.code, passkey: None };
    let mut given = give_with(&client, args.plan, &request).await;
    if given.as_ref().is_err_and(|failure| failure.code() == "step-up-needed")
        && let Some(code) = ask_for_code(context)
    {
        request.code = Some(code);
        given = give_with(&client, args.plan, &request).await;
    }
    given?;
    // The code is used up, and nobody else's to see.
    let request = ApprovalRequest { digest, code: None, passkey: None };
    context
        .output
        .result(&request, |output| output.line(&format!("approved {} as {}", args.plan, digest.short())));
    Ok(Exit::Done)
}

/// The plan.
pub async fn get(client: &Client, plan: PlanId) -> Result<PlanView> {
    client.get(&["plans", &plan.to_string()]).send().await
}

/// Gives an approval.
pub async fn give(client: &Client, plan: PlanId, digest: Digest) -> Result<()> {
    give_with(client, plan, &ApprovalRequest { digest, code: None, passkey: None }).await
}

/// Gives an approval with a code of the moment.
pub async fn give_proved(client: &Client, plan: PlanId, digest: Digest, code: &str) -> Result<()> {
    give_with(client, plan, &ApprovalRequest { digest, code: Some(code.to_owned()), passkey: None }).await
}

async fn give_with(client: &Client, plan: PlanId, request: &ApprovalRequest) -> Result<()> {
    client.post(&["plans", &plan.to_string(), "approval"]).json(request).done().await
}

/// The code that somebody at a terminal types; `None` where there is no terminal.
pub(super) fn ask_for_code(context: &Context<'_>) -> Option<String> {
    if context.output.json || !std::io::stdin().is_terminal() {
        return None;
    }
    eprint!("code of the moment: ");
    let mut code = String::new();
    std::io::stdin().read_line(&mut code).ok()?;
    Some(code.trim().to_owned()).filter(|code| !code.is_empty())
}

/// Prints a plan as a diff that a person can read.
pub fn describe(output: Output, view: &PlanView) {
    let (plan, state) = (&view.row.plan, &view.row.state);
    output.line(&format!("plan {} for {} ({}), {}", plan.id, view.who.name, view.who.key, plan.cause));
    output.line(&format!("  state   {}", output.paint(state_tone(state), state.name())));
    output.line(&format!("  digest  {}", view.row.digest));
    if let Some(question) = asked::question(plan) {
        output.line(&format!("  asks    {question}"));
    }
    for line in plan.joint.iter().flat_map(|joint| asked::joint(plan, joint)) {
        output.line(&format!("  {line}"));
    }
    if plan.privileged {
        output.toned(Tone::Warn, "  it gives power over other access");
    }
    let steps: BTreeMap<u16, &Step> =
        view.runs.iter().flat_map(|run| &run.steps).map(|(seq, step)| (*seq, step)).collect();
    for change in &plan.changes {
        let (sign, tone) = sign(&change.op);
        let step = steps.get(&change.seq).map_or(String::new(), |step| format!("  [{}]", step_words(step)));
        output.line(&format!("{}{step}", output.paint(tone, &format!("{sign} {}", words(change)))));
        for line in asked::declared(plan, &change.op) {
            output.toned(Tone::Dim, &format!("    {line}"));
        }
    }
    if plan.changes.is_empty() {
        output.line("  nothing to change");
    }
    for name in &plan.missing {
        output.toned(Tone::Warn, &format!("! {name} is wanted, but the system has no such thing"));
    }
    for (name, policies) in &plan.decision.forbidden {
        let policies: Vec<String> = policies.iter().map(ToString::to_string).collect();
        output.toned(Tone::Warn, &format!("! {name} is forbidden by {}", policies.join(", ")));
    }
}

fn sign(op: &Op) -> (char, Tone) {
    match op {
        Op::CreateAccount { .. } | Op::Enable | Op::Grant { .. } => ('+', Tone::Good),
        Op::SetAttributes { .. } => ('~', Tone::Warn),
        Op::Disable { .. } | Op::Delete | Op::Revoke { .. } | Op::RevokeAll { .. } => ('-', Tone::Bad),
    }
}

/// `grant chat/engineering because policy eng-chat`
fn words(change: &Change) -> String {
    let what = match (&change.entitlement, &change.op) {
        (Some(name), Op::Grant { .. }) => format!("grant {name}"),
        (Some(name), Op::Revoke { .. }) => format!("revoke {name}"),
        _ => format!("{} on {}", change.op.words(), change.system),
    };
    let because: Vec<String> = change.because.iter().map(ToString::to_string).collect();
    match because.as_slice() {
        [] => what,
        [policy] => format!("{what} because policy {policy}"),
        policies => format!("{what} because policies {}", policies.join(", ")),
    }
}

fn step_words(step: &Step) -> String {
    match step {
        Step::Waiting => "waiting".into(),
        Step::Sent { .. } => "sent".into(),
        Step::Asked { .. } => "a person was asked".into(),
        Step::Unknown { .. } => "answer lost, reading".into(),
        Step::Applied { already: true, .. } => "was so already".into(),
        Step::Applied { already: false, .. } => "applied".into(),
        Step::Refused { code, .. } => format!("refused: {code}"),
        Step::Dropped => "dropped".into(),
    }
}

pub(super) fn state_tone(state: &PlanState) -> Tone {
    match state {
        PlanState::Drafted => Tone::Warn,
        PlanState::Waiting { .. } | PlanState::Approved { .. } => Tone::Plain,
        PlanState::Done { .. } => Tone::Good,
        PlanState::Superseded { .. } => Tone::Dim,
    }
}
