//! `bailiwick why` and `bailiwick who-can`

use bailiwick_core::{id::EntitlementName, time::Timestamp};
use clap::Args;

use super::{Context, list::ListArgs};
use crate::{
    api::{HolderView, WhyView},
    failure::{Exit, Result},
    render::Tone,
};

/// Arguments of `bailiwick why`.
#[derive(Args)]
#[command(
    after_help = "Says which policy gives it and who approved that, or which policies could give it and what they\n\
    look at; whether it was seen on the system, and by which groups; and what the log says, oldest first.\n\n\
    With `--at` it is answered from the log alone, as it was then.\n\n\
    Examples:\n  bailiwick why hr/1001 chat/engineering\n  bailiwick why-not hr/1001 chat/admins\n  \
    bailiwick why hr/1001 chat/engineering --at 2026-03-01T12:00:00Z"
)]
pub struct WhyArgs {
    /// The id, `source/key`, or the e-mail address
    identity: String,
    /// `system/name`
    entitlement: String,
    /// As it was at this time, such as `2026-03-01T12:00:00Z`
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

/// Arguments of `bailiwick who-can`.
#[derive(Args)]
#[command(
    after_help = "Everybody whose account was seen to hold it, directly or by a declared group that was seen in it, and\n\
    what gives it to them. Exit code 1 when nothing gives it to one of them.\n\n\
    Example:\n  bailiwick who-can chat/admins"
)]
pub struct WhoCanArgs {
    /// `system/name`
    entitlement: EntitlementName,
    #[command(flatten)]
    list: ListArgs,
}

/// Shows why.
pub async fn run(context: &Context<'_>, args: WhyArgs) -> Result<Exit> {
    let client = context.client()?;
    let path = ["identities", &args.identity, "entitlements", &args.entitlement];
    let view: WhyView = client.get(&path).maybe("at", args.at).send().await?;
    context.output.result(&view.why, |output| output.line(view.text.trim_end()));
    Ok(Exit::Done)
}

/// Shows who.
pub async fn who_can(context: &Context<'_>, args: WhoCanArgs) -> Result<Exit> {
    let client = context.client()?;
    let path = ["entitlements", args.entitlement.as_str(), "holders"];
    let mut holders = args.list.read::<HolderView>(|| client.get(&path)).await?;
    let key = |one: &HolderView| (one.who.as_ref().map(|who| who.key.clone()), one.holder.username.clone());
    holders.items.sort_by_key(key);
    let given = holders.items.iter().all(|one| !one.holder.because.is_empty());
    context.output.result(&holders.items, |output| {
        let rows = holders.items.iter().map(|HolderView { who, holder }| {
            let because: Vec<String> = holder.because.iter().map(ToString::to_string).collect();
            vec![
                match who {
                    Some(who) => Tone::Plain.cell(format!("{} ({})", who.name, who.key)),
                    None => Tone::Warn.cell("nobody known"),
                },
                Tone::Plain.cell(&holder.username),
                if holder.active { Tone::Good.cell("active") } else { Tone::Dim.cell("disabled") },
                match holder.through.is_empty() {
                    true => Tone::Plain.cell("directly"),
                    false => Tone::Warn.cell(holder.through.join(" → ")),
                },
                match because.is_empty() {
                    true => Tone::Bad.cell("nothing"),
                    false => Tone::Plain.cell(because.join(", ")),
                },
            ]
        });
        if !holders.items.is_empty() {
            output.table(&["who", "account", "state", "holds it", "given by"], rows.collect());
        }
        holders.remark(output, "nobody was seen to hold it");
    });
    Ok(if given { Exit::Done } else { Exit::Refused })
}
