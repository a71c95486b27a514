//! `bailiwick completions`

use clap::Args;
use clap_complete::Shell;

use super::{Context, definition};
use crate::failure::{Exit, Result};

/// Arguments of `bailiwick completions`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  bailiwick completions bash > ~/.local/share/bash-completion/completions/bailiwick"
)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the completions.
pub fn run(context: &Context<'_>, args: &CompletionsArgs) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut definition(), "bailiwick", &mut text);
    context.output.line(String::from_utf8_lossy(&text).trim_end());
    Ok(Exit::Done)
}
