//! `bailiwick recovery`

use bailiwick_engine::RecoveryView;
use bailiwick_store::entities::Recovery;
use clap::Subcommand;

use super::Context;
use crate::{
    api::RecoveryRelease,
    failure::{Exit, Result},
    render::{Tone, count},
};

/// `bailiwick recovery …`
#[derive(Subcommand)]
pub enum RecoveryCommand {
    /// Whether a restore keeps changes back, and what was not looked at since
    #[command(after_help = "Example:\n  bailiwick recovery show")]
    Show,
    /// Let changes go out to systems again
    #[command(after_help = "Look at `bailiwick plan list` before. It takes the role `admin`.\n\n\
        Example:\n  bailiwick recovery release --reason \"every system compared, HR of today delivered\"")]
    Release {
        /// Why
        #[arg(long)]
        reason: String,
        /// Though something was not looked at since the restore
        #[arg(long)]
        anyway: bool,
    },
}

/// Shows and releases a restore.
pub async fn run(context: &Context<'_>, command: RecoveryCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        RecoveryCommand::Show => {
            let view: Option<RecoveryView> = client.get(&["recovery"]).send().await?;
            context.output.result(&view, |output| {
                let Some(view) = &view else { return output.line("nothing is kept back by a restore") };
                output.toned(
                    Tone::Warn,
                    &format!(
                        "restored at {:.0} from what was known at {:.0}: no system is changed",
                        view.recovery.at, view.recovery.of
                    ),
                );
                for system in &view.systems {
                    output.line(&format!("  system {system} was not compared as a whole since"));
                }
                for source in &view.sources {
                    output.line(&format!("  source {source} delivered nothing since"));
                }
                for caller in &view.callers {
                    output.line(&format!("  the token of {caller} is of before: renew it, or end it"));
                }
                output.line(&format!("  {} open", count(view.plans, "plan is", "plans are")));
            });
        }
        RecoveryCommand::Release { reason, anyway } => {
            let asked = RecoveryRelease { reason, anyway };
            let released: Recovery = client.post(&["recovery", "release"]).json(&asked).send().await?;
            context.output.result(&released, |output| {
                output.toned(Tone::Good, "released: changes go out to systems again");
            });
        }
    }
    Ok(Exit::Done)
}
