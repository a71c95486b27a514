//! `bailiwick source`

use bailiwick_core::guard::Fate;
use clap::Subcommand;
use comfy_table::Cell;

use super::{
    Context, PATIENCE,
    import::{followed, show},
};
use crate::{
    api::{Delivered, SourceState, SourceView},
    failure::{Exit, Result},
    render::Tone,
};

/// `bailiwick source …`
#[derive(Subcommand)]
pub enum SourceCommand {
    /// Where people come from: how, and when last
    #[command(after_help = "Example:\n  bailiwick source list")]
    List,
    /// Read a source now that the hub reads by itself
    #[command(
        after_help = "What it says is a delivery: one that breaks the contract of its source is held whole, with exit code 1,\n\
        and all breaches are listed. `read_every_minutes` in the contract has it read by itself.\n\n\
        Example:\n  bailiwick source read directory"
    )]
    Read {
        /// The source, as the configuration names it
        source: String,
        /// Do not wait until everything that follows is done
        #[arg(long)]
        no_wait: bool,
    },
}

/// Shows sources, or reads one.
pub async fn run(context: &Context<'_>, command: SourceCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        SourceCommand::List => {
            let sources: Vec<SourceView> = client.get(&["sources"]).send().await?;
            context.output.result(&sources, |output| {
                if sources.is_empty() {
                    return output.say("no source is declared");
                }
                let headings = ["source", "how it comes", "last", "records", "state"];
                output.table(&headings, sources.iter().map(row).collect());
                for problem in sources.iter().filter_map(|one| one.problem.as_ref()) {
                    output.toned(Tone::Bad, problem);
                }
            });
        }
        SourceCommand::Read { source, no_wait } => {
            let waiting = context.output.waiting(&format!("reading {source}"));
            let asked = client.post(&["sources", &source, "readings"]);
            let reading = asked.maybe("wait", (!no_wait).then_some(PATIENCE)).send::<Delivered>();
            let read = followed(&client, &waiting, reading).await?;
            drop(waiting);
            context.output.result(&read, |output| show(output, &read));
        }
    }
    Ok(Exit::Done)
}

fn row(one: &SourceView) -> Vec<Cell> {
    let state = one.state();
    let tone = match state {
        SourceState::Silent | SourceState::Came(Fate::ReleaseAsked { .. }) => Tone::Warn,
        SourceState::Unreadable | SourceState::Came(Fate::Held) => Tone::Bad,
        SourceState::Came(Fate::Accepted | Fate::Released { .. }) => Tone::Good,
        SourceState::Came(Fate::Corrected { .. }) => Tone::Plain,
    };
    vec![
        Tone::Plain.cell(&one.source),
        Tone::Plain.cell(one.how()),
        Tone::Plain.cell(one.last().map_or("never".into(), |last| format!("{last:.0}"))),
        Tone::Plain.cell(one.batch.as_ref().map_or(String::new(), |view| view.batch.rows.to_string())),
        tone.cell(state.words()),
    ]
}
