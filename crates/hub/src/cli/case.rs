//! `bailiwick case`

use bailiwick_core::{
    access::AccessClass,
    case::Cell,
    control::Acceptance,
    exposure::{Exposure, Uses},
    id::{CaseId, SystemName},
    time::Date,
    verify::Verdict,
};
use clap::Subcommand;

use super::{
    Context,
    list::ListArgs,
    matrix::{matrix, reasons, tone, verifier},
};
use crate::{
    api::{Accepted, CaseLine, CaseView},
    client::Client,
    failure::{Exit, Result},
    render::{Output, Tone},
    span,
};

/// `bailiwick case …`
#[derive(Subcommand)]
pub enum CaseCommand {
    /// The cases
    #[command(after_help = "Example:\n  bailiwick case list --state open")]
    List {
        /// Only those in this state: open, closed
        #[arg(long, value_parser = ["open", "closed"])]
        state: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// One case
    #[command(
        after_help = "Of each cell: the verdict, when and how it was read, by whose credential, and the beginning of the\n\
        digest of what the system answered. `--json` has the whole digest.\n\nExample:\n  \
        bailiwick case show cas_01jd3v8k5mfa8rsw1r2q9n6x4e --matrix"
    )]
    Show {
        /// The case
        case: CaseId,
        /// As a matrix: access classes × systems
        #[arg(long)]
        matrix: bool,
    },
    /// Accept what stands in where access cannot be seen
    #[command(
        after_help = "A case closes when every cell is proven, or cannot be seen and somebody answers for what stands \
        in.\nThat has an end; then the case is open again. Neither the leaver nor the owner of the integration\n\
        may accept it; it takes the role `approver` or `admin`.\n\nExample:\n  \
        bailiwick case accept cas_01jd3v8k5mfa8rsw1r2q9n6x4e --system crm --class oauth-consents \\\n    \
        --owner hr/1002 --until 2027-03-31 --reason 'the vendor confirmed in writing, ticket 4711'"
    )]
    Accept {
        /// The case
        case: CaseId,
        /// The system
        #[arg(long)]
        system: SystemName,
        /// The class of access that cannot be seen
        #[arg(long)]
        class: AccessClass,
        /// Who answers for it, `source/key` of somebody who is here
        #[arg(long, value_name = "SOURCE/KEY")]
        owner: String,
        /// The last day on which it stands
        #[arg(long, value_name = "DATE")]
        until: Date,
        /// What stands in, and why that is enough
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// Shows cases.
pub async fn run(context: &Context<'_>, command: CaseCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        CaseCommand::List { state, list } => {
            let cases =
                list.read::<CaseLine>(|| client.get(&["cases"]).maybe("state", state.as_ref())).await?;
            context.output.result(&cases.items, |output| {
                let rows = cases.items.iter().map(|line| {
                    let verdicts: Vec<String> =
                        line.verdicts.iter().map(|(verdict, n)| format!("{n} {verdict}")).collect();
                    vec![
                        Tone::Plain.cell(line.case.id),
                        Tone::Plain.cell(&line.who.name),
                        match (line.case.followed, line.case.closed) {
                            (Some(_), _) => Tone::Dim.cell("followed"),
                            (None, Some(_)) => Tone::Good.cell("closed"),
                            (None, None) => Tone::Warn.cell("open"),
                        },
                        Tone::Plain.cell(verdicts.join(", ")),
                    ]
                });
                if !cases.items.is_empty() {
                    output.table(&["case", "who left", "state", "cells"], rows.collect());
                }
                cases.remark(output, "no cases");
            });
        }
        CaseCommand::Show { case, matrix } => {
            let view = get(&client, case).await?;
            context.output.result(&view, |output| show(output, &view, matrix));
        }
        CaseCommand::Accept { case, system, class, owner, until, reason } => {
            let acceptance = Acceptance { owner, until, reason };
            let accepted = accept(&client, case, &system, class, &acceptance).await?;
            context.output.result(&accepted, |output| {
                for line in reasons(std::slice::from_ref(&accepted.cell)) {
                    output.prose(Tone::Plain, &line);
                }
                match accepted.closed {
                    true => output.toned(Tone::Good, "the case is closed with it"),
                    false => output.line("the case stays open: other cells are not proven"),
                }
            });
        }
    }
    Ok(Exit::Done)
}

/// Accepts a control.
pub async fn accept(
    client: &Client,
    case: CaseId,
    system: &SystemName,
    class: AccessClass,
    acceptance: &Acceptance,
) -> Result<Accepted> {
    let (case, class) = (case.to_string(), class.as_str());
    let path = ["cases", &case, "cells", system.as_str(), class, "control"];
    client.post(&path).json(acceptance).send().await
}

/// The case.
pub async fn get(client: &Client, case: CaseId) -> Result<CaseView> {
    client.get(&["cases", &case.to_string()]).send().await
}

/// What they could still do before anybody here heard of it.
fn exposed(output: Output, exposure: &Exposure, cells: &[Cell]) {
    output.prose(
        Tone::Warn,
        &format!("told late: heard of {:.0}, {} after it", exposure.heard, span::show(exposure.millis())),
    );
    for (system, open) in &exposure.access {
        let held: Vec<&str> = open.entitlements.iter().map(|name| name.as_str()).collect();
        let ended = cells
            .iter()
            .find(|cell| cell.system == *system && cell.class == AccessClass::PrimaryAccount)
            .filter(|cell| matches!(cell.verdict, Verdict::Removed | Verdict::Blocked { .. }))
            .map_or("not ended yet".to_owned(), |cell| format!("ended {:.0}", cell.at));
        let held = if held.is_empty() { "the account".to_owned() } else { held.join(", ") };
        output.prose(Tone::Plain, &format!("  could use {system}: {held}; {ended}; {}", uses(&open.uses)));
    }
    if exposure.access.is_empty() {
        output.line("  nothing was open to them");
    }
}

/// What a system's own log has of somebody.
pub fn uses(uses: &Uses) -> String {
    match uses {
        Uses::Unread => "its log was not looked at yet".into(),
        Uses::None => "no log of it is read here, so whether they did is not known".into(),
        Uses::Failed { code } => format!("its log could not be read ({code})"),
        Uses::Read { count: 0, whole: true, .. } => "its log has nothing of them".into(),
        Uses::Read { count, last, whole } => {
            let more = if *whole { "" } else { " as far as it was read" };
            let last =
                last.last().map_or(String::new(), |last| format!(", last {} at {:.0}", last.deed, last.at));
            format!("its log has {count} of theirs{more}{last}")
        }
    }
}

fn show(output: Output, view: &CaseView, as_matrix: bool) {
    let CaseView { who, case, cells, findings } = view;
    let left = format!("case {}: {} ({}) left {:.0}", case.id, who.name, who.key, case.effective);
    output.prose(Tone::Plain, &left);
    if let Some(next) = case.followed {
        let text = format!("they came back before it was proven, and left again: case {next} goes on");
        output.prose(Tone::Dim, &text);
    }
    match case.closed.filter(|_| case.followed.is_none()) {
        Some(at) if cells.iter().any(|cell| matches!(cell.verdict, Verdict::Unobservable { .. })) => {
            output.prose(Tone::Good, &format!("closed {at:.0}: every cell is proven, or has an accepted control"));
        }
        Some(at) => output.toned(Tone::Good, &format!("closed {at:.0}: every cell is proven")),
        None if case.followed.is_some() => {}
        None => output.prose(Tone::Warn, "open: it closes when every cell is removed, blocked with a purge date, or unobservable with an accepted control"),
    }
    if let Some(exposure) = &case.exposure {
        exposed(output, exposure, cells);
    }
    if as_matrix {
        output.line(&matrix(output, cells));
        for line in reasons(cells) {
            output.prose(Tone::Plain, &line);
        }
    } else {
        let rows = cells.iter().map(|cell| {
            vec![
                Tone::Plain.cell(&cell.system),
                Tone::Plain.cell(cell.class),
                tone(&cell.verdict).cell(cell.verdict.name()),
                Tone::Plain.cell(format!("{:.0}\n{}\n{}", cell.at, cell.method, verifier(cell))),
                Tone::Dim.cell(cell.answer.map_or_else(|| "-".to_owned(), |digest| digest.short())),
            ]
        });
        output.table(&["system", "class", "verdict", "when, how, by whom", "answer"], rows.collect());
    }
    for finding in findings {
        output.prose(
            Tone::Warn,
            &format!(
                "finding {}: {} (owner {}, until {:.0})",
                finding.code, finding.message, finding.owner, finding.deadline
            ),
        );
    }
}
