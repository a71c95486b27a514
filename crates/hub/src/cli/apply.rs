//! `bailiwick apply`: configuration as code, shown as a diff before anything is written.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
};

use bailiwick_core::plan::Question;
use bailiwick_engine::{ConfigChange, Waiting};
use clap::Args;

use super::Context;
use crate::{
    api::Bundle,
    client::Client,
    config,
    failure::{Exit, Failure, Result},
    problem::chain,
    render::{Output, Tone},
};

/// Arguments of `bailiwick apply`.
#[derive(Args)]
#[command(after_help = "Example:\n  bailiwick apply examples/acme --yes")]
pub struct ApplyArgs {
    /// The folder with `*.toml` and `*.cedar` files
    dir: PathBuf,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Only show what would change
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

/// Shows the change, asks, and makes it.
pub async fn run(context: &Context<'_>, args: ApplyArgs) -> Result<Exit> {
    let files =
        config::read_folder(&args.dir).map_err(|error| Failure::refused(error.code(), chain(&error)))?;
    let client = context.client()?;
    let output = context.output;
    let mut bundle = Bundle { files, keep: false, seen: None };
    let change = preview(&client, &bundle).await?;
    if output.json && (args.dry_run || change.lines.is_empty()) {
        output.result(&change, |_| ());
        return Ok(Exit::Done);
    }
    if !output.json {
        show(output, &change);
    }
    if args.dry_run || change.lines.is_empty() {
        return Ok(Exit::Done);
    }
    if !args.yes && !confirmed("make this change?")? {
        output.say("nothing was changed");
        return Ok(Exit::Refused);
    }
    bundle.seen = Some(change.digest);
    let done = make(&client, &bundle).await?;
    output.result(&done, |output| told(output, &done));
    Ok(Exit::Done)
}

/// What would change.
pub async fn preview(client: &Client, bundle: &Bundle) -> Result<ConfigChange> {
    client.post(&["configuration", "change"]).json(bundle).send().await
}

/// Makes the change that was seen.
pub async fn make(client: &Client, bundle: &Bundle) -> Result<ConfigChange> {
    client.put(&["configuration"]).json(bundle).send().await
}

/// What has taken effect, and what waits for whom.
fn told(output: Output, done: &ConfigChange) {
    match done.waiting.is_empty() {
        true => output.line("applied"),
        false => waits(output, &done.waiting),
    }
}

/// The plans about the hub that wait, and for whom.
pub fn waits(output: Output, waiting: &[Waiting]) {
    if waiting.is_empty() {
        output.line("done; it is in force");
        return;
    }
    output.line("asked for; it takes effect with these approvals:");
    let rows = waiting.iter().map(|waiting| {
        let who = match waiting.question {
            Question::IntegrationApproved => "an integration-approver",
            Question::IdentityAuthorityApproved => "an identity-approver",
            Question::Configuration | Question::Less => "an admin",
        };
        vec![
            Tone::Plain.cell(waiting.plan),
            Tone::Plain.cell(&waiting.subject),
            Tone::Plain.cell(waiting.question.as_str()),
            Tone::Warn.cell(who),
        ]
    });
    output.table(&["plan", "for", "question", "takes"], rows.collect());
    output.say("each of them: `bailiwick approve PLAN`; not by you, nor by who answers for the integration");
}

fn show(output: Output, change: &ConfigChange) {
    if change.lines.is_empty() {
        output.line("nothing to change");
    }
    for line in &change.lines {
        let tone = match line.sign {
            '+' => Tone::Good,
            '-' => Tone::Bad,
            _ => Tone::Warn,
        };
        output.toned(tone, &format!("{} {} {}", line.sign, line.kind, line.name));
        for detail in &line.detail {
            output.toned(Tone::Dim, &format!("    {detail}"));
        }
    }
}

/// Asks a yes-or-no question on the terminal.
///
/// # Errors
/// `confirmation-needed` when nobody is there to be asked.
pub fn confirmed(question: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("confirmation-needed", "nobody can be asked here; nothing was changed"));
    }
    eprint!("{question} [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}
