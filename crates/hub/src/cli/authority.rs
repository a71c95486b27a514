//! `bailiwick authority`

use clap::Subcommand;

use super::Context;
use crate::{
    api::AuthorityView,
    failure::{Exit, Result},
    render::count,
};

/// `bailiwick authority …`
#[derive(Subcommand)]
pub enum AuthorityCommand {
    /// Every way from an integration to an effect, with the policies and automations in between
    #[command(after_help = "Examples:\n  bailiwick authority explain helpdesk\n  \
                      bailiwick authority explain hr --json")]
    Explain {
        /// The integration
        integration: String,
    },
}

/// Explains it.
pub async fn run(context: &Context<'_>, command: AuthorityCommand) -> Result<Exit> {
    let AuthorityCommand::Explain { integration } = command;
    let client = context.client()?;
    let view: AuthorityView = client.get(&["integrations", &integration, "authority"]).send().await?;
    context.output.result(&view, |output| {
        let paths = count(view.words.len(), "path", "paths");
        let declared = view.declared.map(|class| format!(" (declared {class})")).unwrap_or_default();
        output.line(&format!("{} is {}{declared}: {paths}", view.integration, view.authority.class));
        view.words.iter().for_each(|line| output.line(&format!("  {line}")));
    });
    Ok(Exit::Done)
}
