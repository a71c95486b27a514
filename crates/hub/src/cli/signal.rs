//! `bailiwick signal`

use clap::Subcommand;

use bailiwick_core::signal::Signal;

use super::Context;
use crate::{
    failure::{Exit, Result},
    render::Tone,
};

/// `bailiwick signal …`
#[derive(Subcommand)]
pub enum SignalCommand {
    /// The notes that integrations left at the door; nothing follows from one by itself
    #[command(after_help = "Example:\n  bailiwick signal list")]
    List,
}

/// Shows signals.
pub async fn run(context: &Context<'_>, command: SignalCommand) -> Result<Exit> {
    let SignalCommand::List = command;
    let signals: Vec<Signal> = context.client()?.get(&["signals"]).send().await?;
    context.output.result(&signals, |output| {
        let rows = signals.iter().map(|signal| {
            vec![
                Tone::Plain.cell(format!("{:.0}", signal.at)),
                Tone::Plain.cell(&signal.integration),
                Tone::Plain.cell(&signal.note.kind),
                Tone::Plain.cell(signal.note.about.as_deref().unwrap_or("-")),
                Tone::Plain.cell(&signal.note.text),
            ]
        });
        output.table(&["at", "integration", "kind", "about", "note"], rows.collect());
        if signals.is_empty() {
            output.say("no integration has left a note");
        }
    });
    Ok(Exit::Done)
}
