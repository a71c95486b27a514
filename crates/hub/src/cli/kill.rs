//! `bailiwick kill` and `bailiwick sweep`: ends integrations, and shows whether that is proven.

use std::path::PathBuf;

use bailiwick_core::review::LastDrill;
use bailiwick_engine::{Killed, Sweep, Swept};
use clap::Args;

use super::{
    Context,
    apply::{confirmed, waits},
    import,
    integration::tell_tried,
    matrix::{matrix, reasons},
};
use crate::{
    client::Client,
    failure::{Exit, Result},
    render::{Output, Tone},
};

/// How long the proof is waited for, seconds.
const PROOF: u64 = 60;

/// Arguments of `bailiwick kill`.
#[derive(Args)]
#[command(
    visible_alias = "retire",
    after_help = "It ends at once and for good: nothing of it is sent or let in any more, its work is stopped, and \
        its credentials\nare ended at the provider. Then each is tried until the provider rejects it; until then the \
        case stays open\nand the exit code is 1. Asked again, it says how far that is.\n\nHow a grant is ended and \
        tried is declared with the integration:\n\n  [integration.chat.kill]\n  revoke = \"POST /oauth/revoke\"\n  \
        body = \"token={credential}\"\n  probe = \"GET /oauth/me\"\n\nA drill ends nothing of the integration's own. \
        It tries its credentials, and one that nobody issued; with\n`--spare` also that a credential can be ended.\n\n\
        Examples:\n  bailiwick kill chat\n  bailiwick kill chat --drill --spare second-token.txt"
)]
pub struct KillArgs {
    /// The integration
    integration: String,
    /// Show that it would work, and end nothing
    #[arg(long)]
    drill: bool,
    /// A file with the secret of a second credential, which the drill ends; `-` is standard input
    #[arg(long, value_name = "FILE", requires = "drill")]
    spare: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Arguments of `bailiwick sweep`.
#[derive(Args)]
#[command(
    after_help = "Everything of the vendor is to be reviewed, live, dormant or ended. The sweep is open until every \
        credential\nof it was set anew or is proven dead; until then the exit code is 1. Asked again, it says how far \
        it is.\n\nExamples:\n  bailiwick sweep vendor \"Chatterbox Ltd\"\n  \
        bailiwick sweep vendor \"Chatterbox Ltd\" --kill"
)]
pub struct SweepArgs {
    /// What is swept: `vendor`
    #[arg(value_parser = ["vendor"])]
    what: String,
    /// Its name, as the register of the integrations has it
    vendor: String,
    /// Kill every integration of it
    #[arg(long)]
    kill: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Kills or drills.
pub async fn run(context: &Context<'_>, args: KillArgs) -> Result<Exit> {
    let KillArgs { integration, drill, spare, yes } = args;
    let client = context.client()?;
    if drill {
        return rehearse(context, &client, &integration, spare).await;
    }
    let question = format!("end {integration} for good, here and at its provider?");
    if !yes && !confirmed(&question)? {
        context.output.say("nothing was changed");
        return Ok(Exit::Refused);
    }
    let waiting = context.output.waiting("trying what it had at its provider");
    let request = client.post(&["integrations", &integration, "kill"]).maybe("wait", Some(PROOF));
    let killed: Killed = request.send().await?;
    drop(waiting);
    context.output.result(&killed, |output| show(output, &integration, &killed));
    match killed.case.is_some_and(|case| case.closed.is_some()) {
        true => Ok(Exit::Done),
        false => Ok(Exit::Refused),
    }
}

fn show(output: Output, integration: &str, killed: &Killed) {
    let Some(case) = &killed.case else {
        waits(output, &killed.waiting);
        return;
    };
    output.line(&format!("{integration} ended {:.0}; its case is {}", case.opened, case.id));
    output.line(&matrix(output, &killed.cells));
    reasons(&killed.cells).iter().for_each(|line| output.prose(Tone::Plain, line));
    match case.closed {
        Some(at) => output.toned(Tone::Good, &format!("closed {at:.0}: nothing that it had works any more")),
        None => output.toned(
            Tone::Warn,
            "open: not everything that it had is proven dead; it is tried again by itself, and `bailiwick kill` says \
             how far it is",
        ),
    }
}

async fn rehearse(
    context: &Context<'_>,
    client: &Client,
    integration: &str,
    spare: Option<PathBuf>,
) -> Result<Exit> {
    let secret = spare.map(|file| import::read(&file)).transpose()?.unwrap_or_default();
    let drill: LastDrill = client.post(&["integrations", integration, "drill"]).bytes(secret).send().await?;
    context.output.result(&drill, |output| {
        tell_tried(output, &drill.tried);
        match drill.passed {
            true => output.toned(Tone::Good, "the kill of it would work, as far as was shown"),
            false => output.toned(Tone::Bad, "the kill of it would not work; a review was opened"),
        }
    });
    Ok(if drill.passed { Exit::Done } else { Exit::Refused })
}

/// Sweeps.
pub async fn sweep(context: &Context<'_>, args: SweepArgs) -> Result<Exit> {
    let SweepArgs { what: _, vendor, kill, yes } = args;
    let client = context.client()?;
    let question = format!("end every integration of {vendor} for good, here and at its provider?");
    if kill && !yes && !confirmed(&question)? {
        context.output.say("nothing was changed");
        return Ok(Exit::Refused);
    }
    let request = client.post(&["vendors", &vendor, "sweep"]).maybe("kill", kill.then_some("true"));
    let swept: Sweep = request.maybe("wait", kill.then_some(PROOF)).send().await?;
    context.output.result(&swept, |output| {
        let rows = swept.integrations.iter().map(|(name, how)| vec![Tone::Plain.cell(name), standing(*how)]);
        output.table(&["integration", "its credentials"], rows.collect());
        match swept.opened {
            Some(at) => output.toned(Tone::Warn, &format!("open since {at:.0}: not all is done")),
            None => output.toned(Tone::Good, "closed: each is dead, or another than it was"),
        }
    });
    Ok(if swept.opened.is_none() { Exit::Done } else { Exit::Refused })
}

fn standing(how: Swept) -> comfy_table::Cell {
    match how {
        Swept::Dead => Tone::Good.cell("dead: its provider rejects them"),
        Swept::Rotated => Tone::Good.cell("set anew since; that the old ones are dead is not tried"),
        Swept::Unproven => Tone::Bad.cell("ended; nothing proves yet that they are dead"),
        Swept::Unrotated => Tone::Bad.cell("what they were: set them anew, or kill it"),
        Swept::Unseen => Tone::Warn.cell("not known here: see to it there, or kill it"),
    }
}
