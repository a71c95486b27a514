//! `bailiwick` alone: how it is doing, or what to do first.

use super::{Context, status};
use crate::{
    failure::{Exit, Result},
    render::Tone,
};

/// The way from nothing to proven access.
pub const FIRST_STEPS: &str = "  bailiwick demo                 see it all at work on simulated systems
  bailiwick init                 set up a data folder and the first operator
  bailiwick serve                run the hub
  bailiwick apply DIR            say what is connected, and who should hold what
  bailiwick import SOURCE FILE   deliver the people";

/// Shows the status of the hub that the profile names, or the first steps.
pub async fn run(context: &Context<'_>) -> Result<Exit> {
    if context.profile_path().is_ok_and(|path| path.exists()) {
        return status::run(context, status::StatusArgs::default()).await;
    }
    let output = context.output;
    output.line(&format!(
        "bailiwick {}: no hub is set up for you yet. What to do, in order:\n",
        env!("CARGO_PKG_VERSION")
    ));
    output.line(FIRST_STEPS);
    output.toned(Tone::Dim, "\n`bailiwick --help` shows all commands");
    Ok(Exit::Done)
}
