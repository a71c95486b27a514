//! `bailiwick credential`: a secret goes in, sealed; it never comes out again.

use std::{io::IsTerminal, path::PathBuf};

use clap::{Subcommand, ValueEnum};

use super::{Context, import};
use crate::{
    client::Client,
    failure::{Exit, Failure, Result},
};

/// `bailiwick credential …`
#[derive(Subcommand)]
pub enum CredentialCommand {
    /// Set the credential of an integration, from a file or standard input
    #[command(after_help = "The secret is not taken from the command line: others could see it there.\n\n\
        Example:\n  bailiwick credential set chat write --file chat-token\n  pass show chat | bailiwick credential set chat verify")]
    Set {
        /// The integration
        integration: String,
        /// What for: `write` changes the system, `verify` reads it back independently
        purpose: PurposeArg,
        /// The file with the secret; without it, standard input
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// What a credential is for.
#[derive(Clone, Copy, ValueEnum)]
pub enum PurposeArg {
    /// Changes the system.
    Write,
    /// Reads it back.
    Verify,
}

impl PurposeArg {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Verify => "verify",
        }
    }
}

/// Sets a credential.
pub async fn run(context: &Context<'_>, command: CredentialCommand) -> Result<Exit> {
    let CredentialCommand::Set { integration, purpose, file } = command;
    if file.is_none() && std::io::stdin().is_terminal() {
        return Err(Failure::usage("no-secret", "give the secret with `--file FILE` or on standard input"));
    }
    let secret = import::read(&file.unwrap_or_else(|| PathBuf::from("-")))?;
    set(&context.client()?, &integration, purpose.as_str(), secret).await?;
    let purpose = purpose.as_str();
    context.output.result(&true, |output| {
        output.line(&format!("the credential of {integration} to {purpose} is sealed"))
    });
    Ok(Exit::Done)
}

/// Seals a secret at the hub.
pub async fn set(client: &Client, integration: &str, purpose: &str, secret: Vec<u8>) -> Result<()> {
    client.put(&["integrations", integration, "credentials", purpose]).bytes(secret).done().await
}
