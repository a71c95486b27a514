//! `bailiwick reconcile`

use std::collections::BTreeMap;

use bailiwick_core::difference::{Answer, Class};
use bailiwick_engine::{How, Overflow};
use clap::Args;

use super::{Context, PATIENCE, plan::state_tone};
use crate::{
    api::{CheckedView, DifferenceView, ProgressView, ReconciledView, ReconciliationsView},
    client::Client,
    failure::{Exit, Result},
    render::{Output, Tone, count},
};

/// How many differences the table shows; `--json` has more.
const ROWS: usize = 50;

/// Arguments of `bailiwick reconcile`.
#[derive(Args)]
#[command(
    after_help = "Each difference has a class, by what should be, what was last applied and what was observed: `ghost`,\n\
    `rogue`, `missing`, `drifted`, `shared`, `out-of-band`, `unmanaged`. What is done about a class is said in the\n\
    configuration of the system.\n\n\
    Exit code 1 when the system could be seen only in part, which proves no absence, and when differences are held.\n\n\
    Example:\n  bailiwick reconcile chat\n  bailiwick reconcile directory --full\n  bailiwick reconcile chat --release\n  \
    bailiwick reconcile --list"
)]
pub struct ReconcileArgs {
    /// The system, as the configuration names it
    #[arg(required_unless_present = "list")]
    system: Option<String>,
    /// Compare nothing, and show when each system was compared and what differed
    #[arg(long, conflicts_with_all = ["system", "check", "full", "release"])]
    list: bool,
    /// Only reach the system and try the credential
    #[arg(long, conflicts_with = "full")]
    check: bool,
    /// List everything, though the system can tell what is new
    #[arg(long)]
    full: bool,
    /// Let go, once, what the comparison before had no room for
    #[arg(long, conflicts_with = "check")]
    release: bool,
}

/// Compares it.
pub async fn run(context: &Context<'_>, args: ReconcileArgs) -> Result<Exit> {
    let client = context.client()?;
    let system = match args.system.as_deref() {
        Some(system) if !args.list => system,
        Some(_) | None => {
            let found: ReconciliationsView = client.get(&["reconciliations"]).send().await?;
            context.output.result(&found, |output| list(output, &found));
            return Ok(Exit::Done);
        }
    };
    if args.check {
        let checked: CheckedView = client.post(&["systems", system, "check"]).send().await?;
        context.output.result(&checked, |output| {
            output.line(&format!("{system} is reached and takes the credential"));
            remarks(output, &checked.remarks);
        });
        return Ok(Exit::Done);
    }
    let waiting = context.output.waiting(&format!("reading {system}"));
    let ask = async || {
        let progress = client.get(&["systems", system, "reconciliation"]).send::<ProgressView>().await;
        let accounts = progress.ok()?.accounts.filter(|accounts| *accounts > 0)?;
        Some(format!("reading {system}: {}", count(accounts, "account", "accounts")))
    };
    let found = waiting.watching(reconcile_as(&client, system, args.full, args.release), ask).await?;
    drop(waiting);
    context.output.result(&found, |output| show(output, &found));
    Ok(if found.partial.is_some() || found.held.is_some() { Exit::Refused } else { Exit::Done })
}

/// Compares a system and waits until what follows is done.
pub async fn reconcile(client: &Client, system: &str, full: bool) -> Result<ReconciledView> {
    reconcile_as(client, system, full, false).await
}

async fn reconcile_as(client: &Client, system: &str, full: bool, release: bool) -> Result<ReconciledView> {
    let path = ["systems", system, "reconciliation"];
    let asked = client.post(&path).query("full", full).maybe("release", release.then_some(true));
    asked.query("wait", PATIENCE).send().await
}

/// When each system was compared last, and what differed; and the drift that is open.
fn list(output: Output, found: &ReconciliationsView) {
    let rows = found.systems.iter().map(|one| match one.runs.first() {
        None => {
            let none = ["never", "", "", "", ""].map(|text| Tone::Dim.cell(text));
            [Tone::Plain.cell(&one.system)].into_iter().chain(none).collect()
        }
        Some(run) => vec![
            Tone::Plain.cell(&one.system),
            Tone::Plain.cell(format!("{:.0}", run.began)),
            Tone::Plain.cell(if run.listed { "everything" } else { "its news" }),
            Tone::Plain.cell(run.accounts),
            match run.classes.is_empty() {
                true => Tone::Dim.cell("nothing"),
                false => Tone::Warn.cell(counts(&run.classes)),
            },
            match (run.partial, one.held_since) {
                (true, _) => Tone::Warn.cell("seen in part"),
                (false, Some(since)) => Tone::Bad.cell(format!("held since {since:.0}")),
                (false, None) => Tone::Plain.cell(""),
            },
        ],
    });
    output.table(&["system", "compared", "by", "accounts", "differed", ""], rows.collect());
    if !found.open.is_empty() {
        let rows = found.open.iter().map(|one| {
            vec![
                Tone::Plain.cell(&one.who.name),
                Tone::Plain.cell(format!("{:.0}", one.at)),
                state_tone(&one.state).cell(one.state.name()),
                Tone::Plain.cell(one.plan),
            ]
        });
        output.table(&["open drift of", "planned", "state", "plan"], rows.collect());
    }
}

/// `2 rogue, 1 missing`.
fn counts(classes: &BTreeMap<Class, u64>) -> String {
    classes.iter().map(|(class, count)| format!("{count} {class}")).collect::<Vec<_>>().join(", ")
}

fn show(output: Output, found: &ReconciledView) {
    let what = match found.how {
        How::Listed => count(found.accounts, "account", "accounts"),
        How::News => format!("news of {}", count(found.accounts, "account", "accounts")),
    };
    output.line(&format!(
        "{}: {} unchanged, {} changed, {} new, {} gone, {} that belong to nobody known; {}",
        what,
        found.unchanged,
        found.changed,
        found.adopted,
        found.gone,
        found.unmanaged,
        count(found.groups, "group", "groups"),
    ));
    if let Some(why) = &found.partial {
        output.toned(Tone::Warn, &format!("seen only in part, which proves no absence: {why}"));
    }
    remarks(output, &found.remarks);
    differences(output, found);
    if !found.unexplained.is_empty() {
        let accounts = count(found.unexplained.len() as u64, "account was", "accounts were");
        output.toned(Tone::Bad, &format!("{accounts} changed, and the system's own log has no word of that"));
    }
    if let Some(Overflow { filed, held }) = found.held {
        output.toned(
            Tone::Bad,
            &format!(
                "{} held: only {filed} had room, and nothing is done about the rest; `--release` lets it go",
                count(held, "account is", "accounts are")
            ),
        );
    }
}

fn remarks(output: Output, remarks: &[String]) {
    remarks.iter().for_each(|remark| output.toned(Tone::Warn, remark));
}

/// How many of each class, and which.
fn differences(output: Output, found: &ReconciledView) {
    if found.classes.is_empty() {
        return;
    }
    let told = found.differences.iter().any(|one| one.differs.by.is_some());
    let rows = found.differences.iter().take(ROWS).map(|DifferenceView { who, differs }| {
        let class = differs.difference.class;
        let by = differs.by.as_ref().map_or("", |by| by.actor.as_str());
        let mut row = vec![
            tone(class).cell(class),
            Tone::Plain.cell(&differs.username),
            match who {
                Some(who) => Tone::Plain.cell(format!("{} ({})", who.name, who.key)),
                None => Tone::Dim.cell("nobody known"),
            },
            Tone::Plain.cell(&differs.difference.aspect),
            if differs.held { Tone::Bad.cell("held") } else { Tone::Plain.cell(done(differs.answer)) },
        ];
        row.extend(told.then(|| Tone::Plain.cell(by)));
        row
    });
    let mut head = vec!["class", "account", "whose", "what", "done"];
    head.extend(told.then_some("by, as its log says"));
    output.table(&head, rows.collect());
    output.line(&counts(&found.classes));
}

fn done(answer: Answer) -> String {
    match (answer, answer.days()) {
        (_, Some(days)) => format!("asked, for {}", count(u64::from(days), "day", "days")),
        (Answer::Tell, None) => "told".into(),
        (Answer::Revert | Answer::Adopt | Answer::Except { .. }, None) => "put back".into(),
    }
}

const fn tone(class: Class) -> Tone {
    match class {
        Class::Ghost | Class::Rogue => Tone::Bad,
        Class::Missing | Class::Drifted | Class::Unmanaged => Tone::Warn,
        Class::Shared | Class::OutOfBand => Tone::Dim,
    }
}
