//! `bailiwick case`

use bailiwick_core::{id::CaseId, verify::Verdict};
use clap::Subcommand;

use super::{
    Context,
    list::ListArgs,
    matrix::{matrix, reasons},
};
use crate::{
    api::{CaseLine, CaseView},
    client::Client,
    failure::{Exit, Result},
    render::{Output, Tone},
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
    #[command(after_help = "Example:\n  bailiwick case show cas_01jd3v8k5mfa8rsw1r2q9n6x4e --matrix")]
    Show {
        /// The case
        case: CaseId,
        /// As a matrix: access classes × systems
        #[arg(long)]
        matrix: bool,
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
                        if line.case.closed.is_some() {
                            Tone::Good.cell("closed")
                        } else {
                            Tone::Warn.cell("open")
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
    }
    Ok(Exit::Done)
}

/// The case.
pub async fn get(client: &Client, case: CaseId) -> Result<CaseView> {
    client.get(&["cases", &case.to_string()]).send().await
}

fn show(output: Output, view: &CaseView, as_matrix: bool) {
    let CaseView { who, case, cells, findings } = view;
    output.line(&format!("case {}: {} ({}) left {:.0}", case.id, who.name, who.key, case.effective));
    match case.closed {
        Some(at) if cells.iter().any(|cell| matches!(cell.verdict, Verdict::Unobservable { .. })) => {
            output.toned(Tone::Good, &format!("closed {at:.0}: every cell is proven, or has an accepted control"));
        }
        Some(at) => output.toned(Tone::Good, &format!("closed {at:.0}: every cell is proven")),
        None => output.toned(Tone::Warn, "open: it closes when every cell is removed, blocked with a purge date, or unobservable with an accepted control"),
    }
    if as_matrix {
        output.line(&matrix(output, cells));
        for line in reasons(cells) {
            output.line(&line);
        }
    } else {
        let rows = cells.iter().map(|cell| {
            vec![
                Tone::Plain.cell(&cell.system),
                Tone::Plain.cell(cell.class),
                super::matrix::tone(&cell.verdict).cell(cell.verdict.name()),
                Tone::Plain.cell(&cell.method),
                Tone::Dim.cell(format!("{:.0}", cell.at)),
            ]
        });
        output.table(&["system", "class", "verdict", "read by", "at"], rows.collect());
    }
    for finding in findings {
        output.toned(
            Tone::Warn,
            &format!(
                "finding {}: {} (owner {}, until {:.0})",
                finding.code, finding.message, finding.owner, finding.deadline
            ),
        );
    }
}
