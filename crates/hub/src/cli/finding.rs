//! `bailiwick finding`

use clap::Subcommand;

use super::{Context, list::ListArgs};
use crate::{
    api::FindingView,
    failure::{Exit, Result},
    render::Tone,
};

/// `bailiwick finding …`
#[derive(Subcommand)]
pub enum FindingCommand {
    /// What is wrong; the open ones
    #[command(after_help = "Example:\n  bailiwick finding list")]
    List {
        /// The closed ones
        #[arg(long)]
        closed: bool,
        #[command(flatten)]
        list: ListArgs,
    },
}

/// Shows findings.
pub async fn run(context: &Context<'_>, command: FindingCommand) -> Result<Exit> {
    let FindingCommand::List { closed, list } = command;
    let client = context.client()?;
    let state = if closed { "closed" } else { "open" };
    let findings = list.read::<FindingView>(|| client.get(&["findings"]).query("state", state)).await?;
    context.output.result(&findings.items, |output| {
        for FindingView { who, finding } in &findings.items {
            let place = finding.system.as_ref().map_or(String::new(), |system| format!(" on {system}"));
            let who = who.as_ref().map_or(String::new(), |who| format!(", {} ({})", who.name, who.key));
            output.toned(Tone::Warn, &format!("{}{place}{who}", finding.code));
            output.line(&format!("  {}", finding.message));
            output.line(&format!(
                "  owner {}, opened {:.0}, until {:.0}",
                finding.owner, finding.opened, finding.deadline
            ));
        }
        findings.remark(output, &format!("no {state} findings"));
    });
    Ok(Exit::Done)
}
