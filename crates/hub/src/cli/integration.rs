//! `bailiwick integration`

use bailiwick_core::integration::{Role, Standing};
use clap::Subcommand;

use super::Context;
use crate::{
    api::IntegrationView,
    failure::{Exit, Result},
    render::{Output, Tone},
};

/// `bailiwick integration …`
#[derive(Subcommand)]
pub enum IntegrationCommand {
    /// What is connected, who answers for it, and whether it may be used
    #[command(after_help = "Example:\n  bailiwick integration list")]
    List,
    /// Lift a quarantine after its cause is mended
    #[command(after_help = "Example:\n  bailiwick integration release chat")]
    Release {
        /// The integration
        integration: String,
    },
}

/// Shows or releases integrations.
pub async fn run(context: &Context<'_>, command: IntegrationCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        IntegrationCommand::List => {
            let views: Vec<IntegrationView> = client.get(&["integrations"]).send().await?;
            context.output.result(&views, |output| show(output, &views));
        }
        IntegrationCommand::Release { integration } => {
            client.post(&["integrations", &integration, "release"]).done().await?;
            context.output.result(&true, |output| output.line(&format!("{integration} is released")));
        }
    }
    Ok(Exit::Done)
}

fn show(output: Output, views: &[IntegrationView]) {
    let rows = views.iter().map(|IntegrationView { integration, credentials }| {
        let serves = match &integration.role {
            Role::Source { source, .. } => format!("source {source}"),
            Role::Target { system } => format!("system {system}"),
            Role::Partner { system: Some(system) } => format!("partner on {system}"),
            Role::Partner { system: None } => "partner".to_owned(),
        };
        let credentials: Vec<&str> = credentials.iter().map(|line| line.purpose.as_str()).collect();
        let standing = match &integration.standing {
            Standing::Enabled => Tone::Good.cell("enabled"),
            Standing::Quarantined { reason, .. } => Tone::Bad.cell(format!("stopped: {reason}")),
            Standing::Paused { control, .. } => Tone::Bad.cell(format!("writes off: {}", control.code())),
            Standing::Ended { since } => Tone::Plain.cell(format!("ended {since}")),
        };
        let credentials = if credentials.is_empty() { "none".to_owned() } else { credentials.join(", ") };
        vec![
            Tone::Plain.cell(&integration.name),
            Tone::Plain.cell(serves),
            Tone::Plain.cell(&integration.connector),
            Tone::Plain.cell(&integration.owner),
            Tone::Plain.cell(credentials),
            standing,
        ]
    });
    output.table(&["integration", "serves", "connector", "owner", "credentials", "standing"], rows.collect());
    if views.is_empty() {
        output.say("nothing is connected yet: `bailiwick apply DIR`");
    }
}
