//! `bailiwick why` and `bailiwick who-can`

use bailiwick_core::{id::EntitlementName, time::Timestamp};
use bailiwick_engine::Unrecorded;
use clap::Args;
use serde::Serialize;

use super::{Context, list::ListArgs};
use crate::{
    api::{HolderView, HoldersView, Page, WhyView},
    failure::{Exit, Result},
    render::Tone,
};

/// Arguments of `bailiwick why`.
#[derive(Args)]
#[command(
    after_help = "Says which policy gives it and who approved that, or which policies could give it and what they\n\
    look at; whether it was seen on the system, and by which groups; and what the log says, oldest first.\n\n\
    With `--at` it is answered from the log alone, as it was then, with the groups by which it was held.\n\n\
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
    after_help = "Everybody whose account was seen to hold it, directly or by groups that were seen in it, and what gives it\n\
    to them. Exit code 1 when nothing gives it to one of them.\n\n\
    With `--at` it is answered from the log, as it was then. Where it does not say who was in a group that lay in it, that\n\
    is said.\n\n\
    Examples:\n  bailiwick who-can chat/admins\n  bailiwick who-can chat/admins --at 2026-03-01T12:00:00Z"
)]
pub struct WhoCanArgs {
    /// `system/name`
    entitlement: EntitlementName,
    /// As it was at this time, such as `2026-03-01T12:00:00Z`
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    #[command(flatten)]
    list: ListArgs,
}

/// What is shown to programs.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Now(&'a [HolderView]),
    Then { at: Timestamp, holders: &'a [HolderView], unrecorded: &'a [Unrecorded] },
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
    let mut unrecorded = Vec::new();
    let part = |part: HoldersView| {
        unrecorded = part.unrecorded;
        Page { items: part.items, next: part.next }
    };
    let mut holders = args.list.read_of(|| client.get(&path).maybe("at", args.at), part).await?;
    let key = |one: &HolderView| (one.who.as_ref().map(|who| who.key.clone()), one.holder.username.clone());
    holders.items.sort_by_key(key);
    let given = holders.items.iter().all(|one| !one.holder.because.is_empty());
    let told = match args.at {
        Some(at) => Told::Then { at, holders: &holders.items, unrecorded: &unrecorded },
        None => Told::Now(&holders.items),
    };
    context.output.result(&told, |output| {
        if let Some(at) = args.at {
            output.line(&format!("as it was at {at:.0}:"));
        }
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
        for unrecorded in &unrecorded {
            output.prose(Tone::Warn, &unrecorded.to_string());
        }
        holders.remark(output, "nobody was seen to hold it");
    });
    Ok(if given { Exit::Done } else { Exit::Refused })
}
