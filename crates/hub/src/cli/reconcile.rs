//! `bailiwick reconcile`

use bailiwick_engine::How;
use clap::Args;

use super::{Context, PATIENCE};
use crate::{
    api::{ProgressView, ReconciledView},
    client::Client,
    failure::{Exit, Result},
    render::{Output, Tone, count},
};

/// Arguments of `bailiwick reconcile`.
#[derive(Args)]
#[command(after_help = "Exit code 1 when the system could be seen only in part: that proves no absence.\n\n\
    Example:\n  bailiwick reconcile chat\n  bailiwick reconcile directory --full")]
pub struct ReconcileArgs {
    /// The system, as the configuration names it
    system: String,
    /// Only reach the system and try the credential
    #[arg(long, conflicts_with = "full")]
    check: bool,
    /// List everything, though the system can tell what is new
    #[arg(long)]
    full: bool,
}

/// Compares it.
pub async fn run(context: &Context<'_>, args: ReconcileArgs) -> Result<Exit> {
    let client = context.client()?;
    if args.check {
        client.post(&["systems", &args.system, "check"]).done().await?;
        context.output.result(&true, |output| {
            output.line(&format!("{} is reached and takes the credential", args.system))
        });
        return Ok(Exit::Done);
    }
    let system = args.system.as_str();
    let waiting = context.output.waiting(&format!("reading {system}"));
    let ask = async || {
        let progress = client.get(&["systems", system, "reconciliation"]).send::<ProgressView>().await;
        let accounts = progress.ok()?.accounts.filter(|accounts| *accounts > 0)?;
        Some(format!("reading {system}: {}", count(accounts, "account", "accounts")))
    };
    let found = waiting.watching(reconcile(&client, system, args.full), ask).await?;
    drop(waiting);
    context.output.result(&found, |output| show(output, &found));
    Ok(if found.partial.is_some() { Exit::Refused } else { Exit::Done })
}

/// Compares a system and waits until what follows is done.
pub async fn reconcile(client: &Client, system: &str, full: bool) -> Result<ReconciledView> {
    let path = ["systems", system, "reconciliation"];
    client.post(&path).query("full", full).query("wait", PATIENCE).send().await
}

fn show(output: Output, found: &ReconciledView) {
    let what = match found.how {
        How::Listed => count(found.accounts, "account", "accounts"),
        How::News => format!("news of {}", count(found.accounts, "account", "accounts")),
    };
    output.line(&format!(
        "{}: {} unchanged, {} changed, {} new, {} gone, {} that belong to nobody known; {}",
        what,
        found.unchanged,
        found.changed,
        found.adopted,
        found.gone,
        found.unmanaged,
        count(found.groups, "group", "groups"),
    ));
    if let Some(why) = &found.partial {
        output.toned(Tone::Warn, &format!("seen only in part, which proves no absence: {why}"));
    }
}
