//! `bailiwick upgrade`: brings the store to the schema of this program, or rehearses it.

use clap::Args;
use serde::Serialize;

use crate::{
    cli::Context,
    failure::{Exit, Result},
    folder::Folder,
    open,
    serve::PlaceArgs,
};

/// Arguments of `bailiwick upgrade`.
#[derive(Args)]
#[command(
    after_help = "`serve` does the same when it starts. All of it or nothing is done, in one transaction; there is no way back\n\
    but a backup. A rehearsal does it on the store's own rows and takes it back: whoever writes waits meanwhile.\n\n\
    Example:\n  bailiwick upgrade --dry-run --data ./bailiwick-data"
)]
pub struct UpgradeArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Take it back at the end
    #[arg(long)]
    dry_run: bool,
}

/// What was done, or would be.
#[derive(Serialize)]
struct Report {
    from: i64,
    to: i64,
    done: bool,
}

/// Does or rehearses it.
pub async fn run(context: &Context<'_>, args: UpgradeArgs) -> Result<Exit> {
    let folder = Folder::existing(&args.place.data)?;
    let store = args.place.store.as_deref();
    let waiting = context.output.waiting("rehearsing");
    let would = open::rehearse(&folder, store).await?;
    if !args.dry_run && would.from < would.to {
        waiting.say("upgrading");
        drop(open::open(folder, store, context.environment).await?);
    }
    drop(waiting);
    let report = Report { from: would.from, to: would.to, done: !args.dry_run };
    context.output.result(&report, |output| match (would.from == would.to, args.dry_run) {
        (true, _) => output.line(&format!("the store has schema version {}, as this program", would.to)),
        (false, true) => {
            output
                .line(&format!("schema version {} can become {}; nothing was changed", would.from, would.to));
        }
        (false, false) => output.line(&format!("schema version {} became {}", would.from, would.to)),
    });
    Ok(Exit::Done)
}
