//! `bailiwick source`

use bailiwick_core::guard::Fate;
use bailiwick_engine::Comes;
use clap::Subcommand;

use super::{
    Context, PATIENCE,
    import::{followed, show},
};
use crate::{
    api::{Delivered, SourceView},
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

fn row(one: &SourceView) -> Vec<comfy_table::Cell> {
    let every = one.read_every_minutes.map(|minutes| match (minutes % (24 * 60), minutes % 60) {
        (0, _) if minutes > 0 => format!("read every {} d", minutes / (24 * 60)),
        (_, 0) if minutes > 0 => format!("read every {} h", minutes / 60),
        _ => format!("read every {minutes} min"),
    });
    let comes = match one.comes {
        Comes::Delivered => "delivered".to_owned(),
        Comes::Pushed => "pushed".to_owned(),
        Comes::Read => every.unwrap_or_else(|| "read when asked for".to_owned()),
    };
    let batch = one.batch.as_ref().map(|view| &view.batch);
    let last = one.read.or_else(|| batch.map(|batch| batch.at));
    let (tone, state) = match batch.map(|batch| &batch.fate) {
        None | Some(Fate::Accepted | Fate::Released { .. } | Fate::Corrected { .. })
            if one.problem.is_some() =>
        {
            (Tone::Bad, "cannot be read")
        }
        None => (Tone::Warn, "nothing came yet"),
        Some(Fate::Accepted) => (Tone::Good, "accepted"),
        Some(Fate::Released { .. }) => (Tone::Good, "released by two people"),
        Some(Fate::Held) => (Tone::Bad, "held"),
        Some(Fate::ReleaseAsked { .. }) => (Tone::Warn, "held: one wants it released"),
        Some(Fate::Corrected { .. }) => (Tone::Plain, "corrected by a later one"),
    };
    vec![
        Tone::Plain.cell(&one.source),
        Tone::Plain.cell(comes),
        Tone::Plain.cell(last.map_or("never".into(), |last| format!("{last:.0}"))),
        Tone::Plain.cell(batch.map_or(String::new(), |batch| batch.rows.to_string())),
        tone.cell(state),
    ]
}
