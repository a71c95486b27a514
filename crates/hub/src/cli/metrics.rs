//! `bailiwick metrics`

use bailiwick_core::metrics::{Figures, Measure, Measured, Spread};
use clap::Args;
use comfy_table::Cell;

use super::Context;
use crate::{
    failure::{Exit, Result},
    render::{Output, Tone},
    span,
};

/// How many cases are named.
const NAMED: usize = 5;

/// Arguments of `bailiwick metrics`.
#[derive(Args)]
#[command(
    after_help = "Everything is reckoned from the evidence log; anybody who has the log comes to the same figures.\n\n\
    first kill        until a system said that it had taken something away: 1 minute\n\
    credentials dead  until every session, token and key was read back as dead: 5 minutes\n\
    case complete     until the case was closed: 24 hours\n\n\
    Time is taken from when a departure was known and in effect. How long access outlived a departure is taken from\n\
    when that took effect, also where it was told late. Exit code 1 when a case was not in time.\n\n\
    The use of scopes is written down every quarter of an hour, and when somebody reviews.\n\n\
    The same for Prometheus: `GET /metrics`, with the token of an operator.\n\n\
    Examples:\n  bailiwick metrics --since 30d\n  bailiwick metrics --since 2026-03-01T00:00:00Z --json"
)]
pub struct MetricsArgs {
    /// Of what began since: so long ago, or an instant
    #[arg(long, default_value = "30d", value_name = "TIME")]
    since: String,
}

/// Shows figures.
pub async fn run(context: &Context<'_>, args: MetricsArgs) -> Result<Exit> {
    let figures: Figures = context.client()?.get(&["metrics"]).query("since", &args.since).send().await?;
    context.output.result(&figures, |output| show(output, &figures));
    Ok(if figures.kept() { Exit::Done } else { Exit::Refused })
}

fn show(output: Output, figures: &Figures) {
    output.line(&format!(
        "since {:.0}, as of {:.0}, from the log before entry #{}",
        figures.since, figures.now, figures.records
    ));
    departures(output, figures);
    reviews(output, figures);
    drills(output, figures);
    let outside = figures.outside;
    let tone = if outside.unexplained + outside.diverged > 0 { Tone::Warn } else { Tone::Plain };
    output.line("");
    output.toned(
        tone,
        &format!(
            "changes outside of the hub: {} that nobody explained; {} that a system said it did and did not",
            outside.unexplained, outside.diverged
        ),
    );
}

fn departures(output: Output, figures: &Figures) {
    let empty = match figures.empty {
        0 => String::new(),
        empty => format!(", {empty} of them with nothing to take away"),
    };
    output.line(&format!("departures: {}{empty}", figures.cases));
    if figures.cases == figures.empty {
        return;
    }
    output.line("");
    let header =
        ["from departure to", "target", "in time", "late", "waiting", "median", "95 of 100", "longest"];
    output.table(&header, figures.measures.iter().map(row).collect());
    for measured in &figures.measures {
        missed(output, measured);
    }
    let residual = &figures.residual;
    output.line("");
    output.line(&format!(
        "access outlived departures by {} in all, the longest by {}",
        span::show(residual.total_ms),
        span::show(residual.spread.map_or(0, |spread| spread.max_ms))
    ));
    if let Some(spread) = figures.late.spread {
        let (cases, longest) = (figures.late.cases, span::show(spread.max_ms));
        output.toned(
            Tone::Warn,
            &format!("told late: {cases}, the latest by {longest}; `case show` says what was open"),
        );
    }
    if !residual.still.is_empty() {
        output.toned(Tone::Warn, &format!("not known to be gone: {}", named(&residual.still)));
    }
}

const fn words(measure: Measure) -> &'static str {
    match measure {
        Measure::FirstKill => "first kill",
        Measure::CredentialsDead => "credentials dead",
        Measure::CaseComplete => "case complete",
    }
}

fn row(measured: &Measured) -> Vec<Cell> {
    let counted = |tone: Tone, n: usize| if n > 0 { tone.cell(n) } else { Tone::Dim.cell(n) };
    let took = |of: fn(Spread) -> i64| {
        Tone::Plain.cell(measured.took.map_or_else(String::new, |took| span::show(of(took))))
    };
    vec![
        Tone::Plain.cell(words(measured.measure)),
        Tone::Plain.cell(span::show(measured.target_s.saturating_mul(1_000))),
        counted(Tone::Good, measured.within),
        counted(Tone::Bad, measured.missed.len()),
        counted(Tone::Warn, measured.waiting),
        took(|took| took.p50_ms),
        took(|took| took.p95_ms),
        took(|took| took.max_ms),
    ]
}

fn missed(output: Output, measured: &Measured) {
    if measured.missed.is_empty() {
        return;
    }
    output.line("");
    output.toned(Tone::Bad, &format!("late: {}", words(measured.measure)));
    for missed in measured.missed.iter().take(NAMED) {
        let state = if missed.reached { "took" } else { "not yet, after" };
        output.line(&format!("  {}  {state} {}", missed.case, span::show(missed.took_ms)));
    }
    if measured.missed.len() > NAMED {
        output.line(&format!("  and {} more; `--json` names all", measured.missed.len() - NAMED));
    }
}

fn named<T: ToString>(all: &[T]) -> String {
    let some: Vec<String> = all.iter().take(NAMED).map(ToString::to_string).collect();
    match all.len().saturating_sub(NAMED) {
        0 => some.join(", "),
        more => format!("{} and {more} more", some.join(", ")),
    }
}

fn reviews(output: Output, figures: &Figures) {
    let reviews = &figures.reviews;
    output.line("");
    match reviews.overdue.is_empty() {
        true => output.line(&format!("reviews: {} open, none overdue", reviews.open)),
        false => output.toned(
            Tone::Bad,
            &format!("reviews: {} open, overdue: {}", reviews.open, named(&reviews.overdue)),
        ),
    }
    let scopes: Vec<_> = figures.scopes.iter().filter(|scope| scope.declared > 0).collect();
    if !scopes.is_empty() {
        output.line("");
        let rows = scopes.into_iter().map(|scope| {
            let tone = if scope.used < scope.declared { Tone::Warn } else { Tone::Plain };
            vec![
                Tone::Plain.cell(&scope.integration),
                tone.cell(format!("{} of {} rules", scope.used, scope.declared)),
            ]
        });
        output.table(&["integration", "used of its scope since its last review"], rows.collect());
    }
}

fn drills(output: Output, figures: &Figures) {
    if figures.drills.is_empty() {
        return;
    }
    output.line("");
    let rows = figures.drills.iter().map(|drill| {
        let (age, found) = match drill.last {
            Some((at, passed)) => {
                let age = figures.now.duration_since(at).as_millis();
                let age = format!("{} ago", span::show(i64::try_from(age).unwrap_or(i64::MAX)));
                (
                    Tone::Plain.cell(age),
                    if passed { Tone::Good.cell("nothing") } else { Tone::Bad.cell("something") },
                )
            }
            None => (Tone::Warn.cell("never"), Tone::Plain.cell("")),
        };
        vec![Tone::Plain.cell(&drill.system), age, found]
    });
    output.table(&["system", "leaving it was drilled", "left alive"], rows.collect());
}
