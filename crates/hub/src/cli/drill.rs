//! `bailiwick drill`

use bailiwick_core::{
    drill::{Drill, Drilled, Finding, Tried},
    id::SystemName,
    verify::Verdict,
};
use clap::Args;

use super::{Context, matrix};
use crate::{
    api::Status,
    client::Client,
    failure::{Exit, Failure, Result},
    render::{Output, Tone},
};

/// What a system says that has no canaries.
const NO_CANARY: &str = "unsupported";

/// Arguments of `bailiwick drill`.
#[derive(Args)]
#[command(
    after_help = "An account that belongs to nobody is made, gets an ordinary group and a real credential of every class\n\
    that the connector can give, and leaves as a person would. Then every class is read back, and every\n\
    credential is tried.\n\n\
    proven     a credential worked, and is turned away now\n\
    read       it reads as gone; there was no credential to try\n\
    unseen     neither reading nor trying says anything\n\
    alive      something was left, and reading shows it\n\
    untrusted  a credential gets in though it reads as gone: what is read of that class is not believed any\n           \
    more, and cases of people who left are open again\n\n\
    Below stands what was not tried, and why: of that a drill shows no more than reading back does.\n\n\
    From the first drill on a system is drilled every so often (`probe_every`), and again whenever its\n\
    connector or the version of it, its endpoint or its settings change. Exit code 1 when something was alive or untrusted.\n\n\
    Examples:\n  bailiwick drill chat\n  bailiwick drill --all"
)]
pub struct DrillArgs {
    /// The system, as the configuration names it
    #[arg(required_unless_present = "all")]
    system: Option<SystemName>,
    /// Every system on which canaries can be made, one after the other
    #[arg(long, conflicts_with = "system")]
    all: bool,
    /// Show what the last drill found, and touch nothing
    #[arg(long)]
    show: bool,
}

/// Drills.
pub async fn run(context: &Context<'_>, args: DrillArgs) -> Result<Exit> {
    let client = context.client()?;
    let one = async |system: &SystemName| {
        let waiting = context.output.waiting(&format!("drilling {system} on a canary"));
        let drill = of(&client, system, args.show).await;
        drop(waiting);
        drill
    };
    let mut drills = Vec::new();
    match &args.system {
        Some(system) => drills.push(one(system).await?),
        None => {
            let status: Status = client.get(&["status"]).send().await?;
            for system in status.schedule {
                match one(&system.system).await {
                    Ok(drill) => drills.push(drill),
                    Err(failure) if says_nothing(&failure) => {
                        context.output.say(&format!("{}: {failure}", system.system));
                    }
                    Err(failure) => return Err(failure),
                }
            }
        }
    }
    let passed = drills.iter().all(Drill::passed);
    match args.system {
        Some(_) => {
            context.output.result(&drills.first(), |output| drills.iter().for_each(|d| describe(output, d)))
        }
        None => context.output.result(&drills, |output| drills.iter().for_each(|d| describe(output, d))),
    }
    Ok(if passed { Exit::Done } else { Exit::Refused })
}

async fn of(client: &Client, system: &SystemName, show: bool) -> Result<Drill> {
    let path = ["systems", system.as_str(), "drill"];
    match show {
        true => client.get(&path).send().await,
        false => client.post(&path).send().await,
    }
}

/// Whether the failure only says that there is nothing to drill, or nothing to show.
fn says_nothing(failure: &Failure) -> bool {
    [NO_CANARY, "not-drilled"].contains(&failure.code())
}

fn describe(output: Output, drill: &Drill) {
    let ways = match drill.ways {
        1 => "the first way of removing it was enough".to_owned(),
        ways => format!("it took {ways} ways of removing it"),
    };
    let version = match drill.version.as_str() {
        "" => String::new(),
        version => format!(", with version {version}"),
    };
    output.line(&format!("{}, drilled {:.0} by {}{version}; {ways}", drill.system, drill.at, drill.by));
    let rows = drill.drilled.iter().map(|drilled| {
        let finding = drilled.finding();
        vec![
            Tone::Plain.cell(drilled.class),
            matrix::tone(&drilled.read).cell(drilled.read.name()),
            tried(drilled),
            tone(finding).cell(finding.as_str()),
        ]
    });
    output.table(&["access class", "reads as", "the credential", "so it is"], rows.collect());
    for (class, why) in drill.untried() {
        output.prose(Tone::Dim, &format!("  {class} was not tried: {why}"));
    }
    for drilled in &drill.drilled {
        if let Verdict::Residual { what } = &drilled.read {
            output.toned(Tone::Bad, &format!("  {}: still there: {}", drilled.class, what.join(", ")));
        }
    }
    if let Some(marker) = &drill.canary {
        output
            .toned(Tone::Bad, &format!("  the canary `{marker}` is still there; the next drill removes it"));
    }
}

fn tried(drilled: &Drilled) -> comfy_table::Cell {
    match &drilled.tried {
        Tried::TurnedAway => Tone::Good.cell("is turned away"),
        Tried::LetIn => Tone::Bad.cell("gets in"),
        Tried::Not { .. } => Tone::Dim.cell("was not tried"),
    }
}

const fn tone(finding: Finding) -> Tone {
    match finding {
        Finding::Proven => Tone::Good,
        Finding::Read => Tone::Plain,
        Finding::Unseen => Tone::Warn,
        Finding::Alive | Finding::Untrusted => Tone::Bad,
    }
}
