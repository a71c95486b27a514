//! `bailiwick demo`: the whole pipeline on simulated systems, in half a minute.
//!
//! Everything goes the way a person would go: the hub's HTTP API, the command line's own client. What the
//! hub says is compared with the systems' truth, read through a back door that the hub does not know.
//! Every promise that is not kept ends the demo with exit code 1. One file for each act.

mod approval;
mod configuration;
mod curtain;
mod endings;
mod evidence;
mod governance;
mod joiners;
mod leavers;
mod matrix;
mod narrator;
mod stage;
mod truncated;
mod truth;

use std::path::PathBuf;

use clap::Args;

use self::{narrator::Narrator, stage::Stage};
use crate::{
    cli::Context,
    failure::{Exit, Result},
    telemetry,
};

/// Arguments of `bailiwick demo`.
#[derive(Args)]
#[command(after_help = "Example:\n  bailiwick demo\n  bailiwick demo --keep ./demo")]
pub struct DemoArgs {
    /// Leave data folder, profile, configuration and the state of the systems in this folder, which is made
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Plays all acts.
pub async fn run(context: &Context<'_>, args: DemoArgs) -> Result<Exit> {
    let logged = context.environment.log.is_some();
    let _telemetry = logged.then(|| telemetry::start(context.environment)).transpose()?;
    let mut narrator = Narrator::new(context.output);
    let stage = Stage::set(&mut narrator, args.keep, context.environment).await?;
    let played = play(&mut narrator, &stage).await;
    // What was kept is of use after a broken promise most of all.
    let left = curtain::fall(&mut narrator, stage, played.is_ok()).await;
    played?;
    left?;
    narrator.end();
    Ok(Exit::Done)
}

async fn play(narrator: &mut Narrator, stage: &Stage) -> Result<()> {
    configuration::act(narrator, stage).await?;
    let approver = governance::act(narrator, stage).await?;
    joiners::act(narrator, stage).await?;
    let left = leavers::act(narrator, stage).await?;
    matrix::act(narrator, stage, &left).await?;
    approval::act(narrator, stage, &left, &approver).await?;
    evidence::act(narrator, stage, &left).await?;
    truncated::act(narrator, stage).await?;
    endings::act(narrator, stage).await
}
