//! `bailiwick passkey`

use bailiwick_core::id::PasskeyId;
use clap::Subcommand;

use super::Context;
use crate::{
    api::{PasskeyView, Proving},
    failure::{Exit, Result},
    render::Tone,
};

/// `bailiwick passkey …`
#[derive(Subcommand)]
pub enum PasskeyCommand {
    /// Your passkeys; those of everybody for administrators
    #[command(
        after_help = "They are enrolled at the console, under \"Signed in\".\n\nExample:\n  bailiwick passkey list"
    )]
    List,
    /// Remove a passkey, and end the sessions that it opened
    #[command(
        after_help = "One's own takes a code of the moment, or is removed at the console with a passkey. An administrator \
        removes\nsomebody else's, such as one that was lost or copied; they then sign in by a link and enrol another.\n\n\
        Example:\n  bailiwick passkey remove pky_01jd3v8k5mfa8rsw1r2q9n6x4e"
    )]
    Remove {
        /// Which
        passkey: PasskeyId,
        /// Your code of the moment, for one of your own
        #[arg(long)]
        code: Option<String>,
    },
}

/// Shows or removes passkeys.
pub async fn run(context: &Context<'_>, command: PasskeyCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        PasskeyCommand::List => {
            let passkeys: Vec<PasskeyView> = client.get(&["passkeys"]).send().await?;
            context.output.result(&passkeys, |output| {
                let row = |one: &PasskeyView| {
                    vec![
                        Tone::Plain.cell(one.passkey),
                        Tone::Plain.cell(&one.name),
                        Tone::Plain.cell(one.operator),
                        Tone::Plain.cell(one.used.map_or("never".into(), |used| format!("{used:.0}"))),
                    ]
                };
                if passkeys.is_empty() {
                    output.say("there are no passkeys; they are enrolled at the console");
                } else {
                    output.table(
                        &["passkey", "name", "operator", "last used"],
                        passkeys.iter().map(row).collect(),
                    );
                }
            });
        }
        PasskeyCommand::Remove { passkey, code } => {
            let path = ["passkeys", &passkey.to_string(), "removal"];
            client.post(&path).json(&Proving { code }).done().await?;
            context.output.result(&passkey, |output| output.line(&format!("{passkey} is removed")));
        }
    }
    Ok(Exit::Done)
}
