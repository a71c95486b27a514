//! `bailiwick import`: delivers a feed, byte for byte, and says what was in it.

use std::path::PathBuf;

use clap::Args;

use super::{Context, PATIENCE};
use crate::{
    api::{Delivered, Status},
    client::Client,
    failure::{Exit, Failure, Result},
    render::{Output, Waiting, count},
};

/// Arguments of `bailiwick import`.
#[derive(Args)]
#[command(after_help = "A delivery that breaks the contract of its source is held whole: exit code 1, all \
    breaches are listed.\n\nExample:\n  bailiwick import hr people.csv")]
pub struct ImportArgs {
    /// The source, as the configuration names it
    source: String,
    /// The file; `-` is standard input
    file: PathBuf,
    /// Do not wait until everything that follows is done
    #[arg(long)]
    no_wait: bool,
}

/// Delivers it.
pub async fn run(context: &Context<'_>, args: ImportArgs) -> Result<Exit> {
    let bytes = read(&args.file)?;
    let client = context.client()?;
    let waiting = context.output.waiting(&format!("delivering {} to {}", args.file.display(), args.source));
    let delivery = deliver(&client, &args.source, bytes, (!args.no_wait).then_some(PATIENCE));
    let delivered = followed(&client, &waiting, delivery).await?;
    drop(waiting);
    context.output.result(&delivered, |output| show(output, &delivered));
    Ok(Exit::Done)
}

/// Waits for a delivery, and says meanwhile what is still to be done for it.
pub async fn followed(
    client: &Client,
    waiting: &Waiting,
    delivery: impl Future<Output = Result<Delivered>>,
) -> Result<Delivered> {
    let ask = async || {
        let queued = client.get(&["status"]).send::<Status>().await.ok()?.queue.queued;
        (queued > 0).then(|| format!("{} still to do", count(queued, "item", "items")))
    };
    waiting.watching(delivery, ask).await
}

/// Delivers a feed; waits until what follows is done, at most for so many seconds.
pub async fn deliver(client: &Client, source: &str, bytes: Vec<u8>, wait: Option<u64>) -> Result<Delivered> {
    client.post(&["sources", source, "deliveries"]).maybe("wait", wait).bytes(bytes).send().await
}

/// The bytes of a file, or of standard input for `-`.
pub fn read(file: &std::path::Path) -> Result<Vec<u8>> {
    let read = if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    read.map_err(|error| {
        Failure::usage("file-unreadable", format!("cannot read `{}`", file.display())).because(&error)
    })
}

/// Shows what came of it.
pub fn show(output: Output, delivered: &Delivered) {
    let Delivered { rows, events, unchanged, queue, .. } = delivered;
    let events: Vec<String> = events.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    let events = if events.is_empty() { "nothing new".to_owned() } else { events.join(", ") };
    output.line(&format!("{}: {events}, {unchanged} unchanged", count(*rows, "record", "records")));
    if !queue.quiet {
        output.say(&format!(
            "the hub is at work ({} queued); `bailiwick status --wait 60` follows it",
            queue.queued
        ));
    }
}
