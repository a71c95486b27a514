//! `bailiwick name`

use bailiwick_core::{
    id::ReservedId,
    reserved::{Reserved, ReservedState},
};
use clap::Subcommand;

use super::Context;
use crate::{
    api::{NameRelease, NameView},
    failure::{Exit, Result},
    render::Tone,
};

/// `bailiwick name …`
#[derive(Subcommand)]
pub enum NameCommand {
    /// The names that are kept, and whose they were
    #[command(
        after_help = "What is kept is a digest: the names themselves are not shown.\n\nExample:\n  bailiwick name list"
    )]
    List,
    /// Let a name be given again: one asks, and another says the same
    #[command(
        after_help = "Neither may be the person who waits for the name. It takes the role `approver` or `admin`.\n\n\
        Example:\n  bailiwick name release nam_01jd3v8k5mfa8rsw1r2q9n6x4e --reason \"the mailbox is gone since May\""
    )]
    Release {
        /// The name, by its id; the finding `name-reserved` has it
        name: ReservedId,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// Shows names, and releases one.
pub async fn run(context: &Context<'_>, command: NameCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        NameCommand::List => {
            let all: Vec<NameView> = client.get(&["names"]).send().await?;
            context.output.result(&all, |output| {
                if all.is_empty() {
                    return output.say("no names are kept");
                }
                let rows = all.iter().map(|NameView { who, name }| {
                    let until = name.until.map_or("for ever".to_owned(), |until| format!("{until:.0}"));
                    vec![
                        Tone::Plain.cell(name.id),
                        Tone::Plain.cell(format!("{} on {}", name.attribute, name.system)),
                        Tone::Plain.cell(&who.name),
                        Tone::Plain.cell(until),
                        Tone::Plain.cell(name.state.name()),
                    ]
                });
                output.table(&["name", "what", "was of", "until", "state"], rows.collect());
            });
        }
        NameCommand::Release { name, reason } => {
            let asked = NameRelease { reason };
            let released: Reserved =
                client.post(&["names", &name.to_string(), "release"]).json(&asked).send().await?;
            context.output.result(&released, |output| match released.state {
                ReservedState::ReleaseAsked { lapses, .. } => output.line(&format!(
                    "asked for; it is released when somebody else says the same before {lapses:.0}"
                )),
                ReservedState::Released { .. } => {
                    output.toned(Tone::Good, &format!("{name} is released; who waits for it gets it"));
                }
                ReservedState::Kept => output.line("it is kept"),
            });
        }
    }
    Ok(Exit::Done)
}
