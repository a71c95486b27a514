//! `bailiwick batch`: deliveries of sources, why one is held, and letting it go.

use bailiwick_core::{digest::Digest, guard::Fate, id::BatchId};
use clap::{Args, Subcommand};

use super::{Context, list::ListArgs};
use crate::{
    api::{BatchView, ReleaseRequest},
    failure::{Exit, Result},
    render::{Output, Tone, count},
};

/// `bailiwick batch …`
#[derive(Subcommand)]
pub enum BatchCommand {
    /// What was delivered, newest last
    #[command(after_help = "Example:\n  bailiwick batch list --state held")]
    List {
        /// Only those in this state: accepted, held, released, corrected
        #[arg(long, value_parser = ["accepted", "held", "released", "corrected"])]
        state: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Why a delivery is held, and what it would have done
    #[command(after_help = "Example:\n  bailiwick batch show bat_01jd3v8k5mfa8rsw1r2q9n6x4e")]
    Show {
        /// The delivery
        batch: BatchId,
    },
    /// Let a held delivery go, as it was seen; it takes two people
    #[command(
        after_help = "The first one asks, and it goes when a second person says the same within eight hours. Only the reasons \
        that\nare shown are passed over: if it is held for another one by now, it stays held. What is wrong with its\nrecords \
        is mended at the source. It takes the role `admin` or `approver`.\n\nExample:\n  \
        bailiwick batch release bat_01jd3v8k5mfa8rsw1r2q9n6x4e --shown 9f86d081884c7d65…"
    )]
    Release(ReleaseArgs),
}

/// Arguments of `bailiwick batch release`.
#[derive(Args)]
pub struct ReleaseArgs {
    /// The delivery
    batch: BatchId,
    /// The digest of what you saw, from `bailiwick batch show`
    #[arg(long)]
    shown: Digest,
}

/// Lists, shows and lets go.
pub async fn run(context: &Context<'_>, command: BatchCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        BatchCommand::List { state, list } => {
            let all =
                list.read::<BatchView>(|| client.get(&["batches"]).maybe("state", state.as_ref())).await?;
            context.output.result(&all.items, |output| {
                let rows = all.items.iter().map(|view| {
                    let batch = &view.batch;
                    vec![
                        Tone::Plain.cell(batch.id),
                        Tone::Plain.cell(&batch.source),
                        Tone::Plain.cell(batch.rows),
                        tone(&batch.fate).cell(batch.fate.name()),
                        Tone::Plain.cell(view.reasons.first().map_or("-", |(code, _)| code)),
                    ]
                });
                if !all.items.is_empty() {
                    output.table(&["delivery", "source", "records", "state", "because"], rows.collect());
                }
                all.remark(output, "no deliveries");
            });
        }
        BatchCommand::Show { batch } => {
            let view: BatchView = client.get(&["batches", &batch.to_string()]).send().await?;
            context.output.result(&view, |output| show(output, &view));
        }
        BatchCommand::Release(ReleaseArgs { batch, shown }) => {
            let path = ["batches", &batch.to_string(), "release"];
            let view: BatchView = client.post(&path).json(&ReleaseRequest { shown }).send().await?;
            context.output.result(&view, |output| match &view.batch.fate {
                Fate::Released { .. } => output.line(&format!("{batch} is released, and accepted as it is")),
                Fate::Accepted | Fate::Held | Fate::ReleaseAsked { .. } | Fate::Corrected { .. } => {
                    output.line(&format!("{batch} is released when a second person says so too"));
                }
            });
        }
    }
    Ok(Exit::Done)
}

const fn tone(fate: &Fate) -> Tone {
    match fate {
        Fate::Accepted | Fate::Released { .. } => Tone::Good,
        Fate::Held | Fate::ReleaseAsked { .. } => Tone::Bad,
        Fate::Corrected { .. } => Tone::Plain,
    }
}

fn show(output: Output, view: &BatchView) {
    let batch = &view.batch;
    output.line(&format!("{} of {}, {}", batch.id, batch.source, count(batch.rows, "record", "records")));
    output.line(&format!("  state   {}", output.paint(tone(&batch.fate), batch.fate.name())));
    output.line(&format!("  came    {:.0}", batch.at));
    output.line(&format!("  shown   {}", view.shown));
    for (code, message) in &view.reasons {
        output.toned(Tone::Bad, &format!("! {message} [{code}]"));
    }
    let Some(would) = &batch.would else {
        if batch.fate == Fate::Held {
            output.say("its records cannot be trusted, so nothing can be said of what it would do");
        }
        return;
    };
    let events: Vec<String> = would.events.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    output.line(&format!("it would have been: {}", events.join(", ")));
    for (name, n) in &would.gets {
        output.toned(Tone::Good, &format!("+ {name} for {}", count(*n, "person", "people")));
    }
    for (name, n) in &would.loses {
        output.toned(Tone::Bad, &format!("- {name} from {}", count(*n, "person", "people")));
    }
    for (key, kind) in &would.people {
        output.toned(Tone::Dim, &format!("  {}/{key} {kind}", batch.source));
    }
    let named = would.people.len() as u64;
    let all: u64 = would.events.values().sum();
    if all > named {
        output.toned(Tone::Dim, &format!("  and {} more", all - named));
    }
    if matches!(batch.fate, Fate::Held | Fate::ReleaseAsked { .. }) {
        output.say(&format!(
            "deliver it corrected, or let two people release it: `bailiwick batch release {} --shown {}`",
            batch.id, view.shown
        ));
    }
}
