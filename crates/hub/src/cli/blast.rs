//! `bailiwick blast`

use std::collections::BTreeMap;

use bailiwick_core::authority::blast::{BadSubject, Blast, Can, Subject};
use clap::Args;

use super::Context;
use crate::{
    failure::{Exit, Failure, Result},
    render::{Output, Tone},
};

/// How many ways are printed for people; JSON has all.
const WAYS: usize = 12;

/// Arguments of `bailiwick blast`.
#[derive(Args)]
#[command(after_help = "Examples:\n  bailiwick blast chat\n  bailiwick blast credential chat/write\n  \
                  bailiwick blast vendor \"Chatterbox Ltd\"")]
pub struct BlastArgs {
    /// What was taken over: an integration, `credential NAME/PURPOSE`, or `vendor NAME`
    #[arg(required = true, num_args = 1..)]
    what: Vec<String>,
}

/// Shows it.
pub async fn run(context: &Context<'_>, args: BlastArgs) -> Result<Exit> {
    let subject: Subject = args
        .what
        .join(" ")
        .parse()
        .map_err(|error: BadSubject| Failure::usage("blast-subject", error.to_string()))?;
    let client = context.client()?;
    let request = match &subject {
        Subject::Integration(name) => client.get(&["integrations", name.as_str(), "blast"]),
        Subject::Credential(name, purpose) => {
            client.get(&["integrations", name.as_str(), "credentials", purpose.as_str(), "blast"])
        }
        Subject::Vendor(vendor) => client.get(&["vendors", vendor, "blast"]),
    };
    let blast: Blast = request.send().await?;
    context.output.result(&blast, |output| show(output, &blast));
    Ok(Exit::Done)
}

fn show(output: Output, blast: &Blast) {
    output.line(&format!("{} ({})\n", blast.subject, blast.class));
    let rows = rows(blast).into_iter().map(|row| row.map(|text| Tone::Plain.cell(text)).into());
    output.table(&["can", "what", "by", "limit"], rows.collect());
    output.line("\nIt approves nothing: integrations never do.\n");
    let rows = blast.persistence.iter().map(|way| {
        let possible = if way.possible { Tone::Bad.cell("yes") } else { Tone::Good.cell("no") };
        vec![Tone::Plain.cell(way.primitive.title()), possible, Tone::Plain.cell(shortened(&way.by))]
    });
    output.table(&["to stay, it could", "", "by"], rows.collect());
    output.line(
        "\nIf this were compromised, could it create or preserve access beyond the intended lifecycle?",
    );
    match blast.beyond.possible {
        true => output.toned(Tone::Bad, "Yes:"),
        false => output.toned(Tone::Good, "No."),
    }
    ways(output, &blast.beyond.paths);
    if !blast.beyond.only_with_a_person.is_empty() {
        output.line("Only if a person agrees:");
        ways(output, &blast.beyond.only_with_a_person);
    }
}

/// What can be done, with what, by what, and how far: a row for everything that the same thing can do the
/// same way, and for everything by which the same can be done.
fn rows(blast: &Blast) -> Vec<[String; 4]> {
    let many = blast.integrations.len() > 1;
    let mut things: BTreeMap<(Can, String, String), Vec<String>> = BTreeMap::new();
    for power in &blast.powers {
        let by = match many && power.call.is_some() {
            true => format!("{}: {}", power.integration, power.by),
            false => power.by.clone(),
        };
        let limits = match &power.limits[..] {
            _ if power.can == Can::Read => String::new(),
            [] => "none".to_owned(),
            limits => limits.join("; "),
        };
        things.entry((power.can, limits, by)).or_default().push(power.thing.to_string());
    }
    let mut bys: BTreeMap<(Can, String, String), Vec<String>> = BTreeMap::new();
    for ((can, limits, by), things) in things {
        bys.entry((can, things.join(", "), limits)).or_default().push(by);
    }
    let row = |((can, things, limits), by): ((Can, String, String), Vec<String>)| {
        [can.as_str().to_owned(), things, by.join("\n"), limits]
    };
    bys.into_iter().map(row).collect()
}

fn ways(output: Output, paths: &[String]) {
    paths.iter().take(WAYS).for_each(|path| output.line(&format!("  {path}")));
    if paths.len() > WAYS {
        output.line(&format!("  and {} more; `--json` shows all", paths.len() - WAYS));
    }
}

fn shortened(by: &[String]) -> String {
    match by {
        [first, rest @ ..] if !rest.is_empty() => format!("{first} and {} more", rest.len()),
        _ => by.join(""),
    }
}
