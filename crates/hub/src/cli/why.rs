//! `bailiwick why`

use clap::Args;

use super::Context;
use crate::{
    api::WhyView,
    failure::{Exit, Result},
};

/// Arguments of `bailiwick why`.
#[derive(Args)]
#[command(after_help = "Example:\n  bailiwick why hr/1001 chat/engineering")]
pub struct WhyArgs {
    /// The id, `source/key`, or the e-mail address
    identity: String,
    /// `system/name`
    entitlement: String,
}

/// Shows it.
pub async fn run(context: &Context<'_>, args: WhyArgs) -> Result<Exit> {
    let client = context.client()?;
    let view: WhyView =
        client.get(&["identities", &args.identity, "entitlements", &args.entitlement]).send().await?;
    context.output.result(&view.why, |output| output.line(view.text.trim_end()));
    Ok(Exit::Done)
}
