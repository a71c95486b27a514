//! `bailiwick reconcile`

use clap::Args;

use super::{Context, PATIENCE};
use crate::{
    api::ReconciledView,
    client::Client,
    failure::{Exit, Result},
    render::{Output, Tone, count},
};

/// Arguments of `bailiwick reconcile`.
#[derive(Args)]
#[command(after_help = "Exit code 1 when the system could be seen only in part: that proves no absence.\n\n\
    Example:\n  bailiwick reconcile chat")]
pub struct ReconcileArgs {
    /// The system, as the configuration names it
    system: String,
    /// Only reach the system and try the credential
    #[arg(long)]
    check: bool,
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
    let waiting = context.output.waiting(&format!("reading {}", args.system));
    let found = reconcile(&client, &args.system).await?;
    drop(waiting);
    context.output.result(&found, |output| show(output, &found));
    Ok(if found.partial.is_some() { Exit::Refused } else { Exit::Done })
}

/// Compares a system and waits until what follows is done.
pub async fn reconcile(client: &Client, system: &str) -> Result<ReconciledView> {
    client.post(&["systems", system, "reconciliation"]).query("wait", PATIENCE).send().await
}

fn show(output: Output, found: &ReconciledView) {
    output.line(&format!(
        "{}: {} unchanged, {} changed, {} new, {} gone, {} that belong to nobody known; {}",
        count(found.accounts, "account", "accounts"),
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
