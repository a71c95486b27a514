//! `/metrics`: the figures as Prometheus reads them (text exposition format 0.0.4).
//!
//! Names of integrations, systems and kinds of records are labels; people are none.

use std::fmt::Write as _;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bailiwick_core::{
    metrics::{Figures, Fold},
    record::RecordKind,
    time::SignedDuration,
};

use super::{Hub, answer::ApiError, caller::Caller, metrics::Window};
use crate::worker::Pulse;

/// The media type.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`
pub async fn show(State(hub): State<Hub>, _: Caller) -> Result<Response, ApiError> {
    let now = hub.engine.now();
    // The window that the API has when none is asked for, of what is no counter.
    let since = Window::default().begins(now)?;
    let text = hub.engine.measured(|fold| exposed(fold, &fold.figures(since, now))).await?;
    let text = text + &pulse(&hub.worker.pulse(), hub.engine.queued().await?, hub.engine.behind().await?);
    Ok(([(header::CONTENT_TYPE, TEXT)], text).into_response())
}

/// Families of samples, one after the other.
#[derive(Default)]
struct Families(String);

impl Families {
    /// Begins a family.
    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Family { out: &mut self.0, name }
    }

    /// A family of one sample without labels.
    fn one(&mut self, name: &'static str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help).sample(&[], value);
    }
}

/// One family.
struct Family<'o> {
    out: &'o mut String,
    name: &'static str,
}

impl Family<'_> {
    fn sample(&mut self, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.named("", labels, value);
    }

    /// A sample of a histogram, whose names have an ending.
    fn named(&mut self, ending: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.out, "{}{ending}{labels} {value}", self.name);
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The name of a kind, as its records have it.
fn named(kind: RecordKind) -> String {
    serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
}

fn exposed(fold: &Fold, figures: &Figures) -> String {
    let mut out = Families::default();
    let mut records =
        out.family("bailiwick_records_total", "counter", "Records of the evidence log, by what they say.");
    for (kind, count) in fold.kinds() {
        records.sample(&[("kind", &named(*kind))], count);
    }
    departures(&mut out, fold, figures);
    let reviews = &figures.reviews;
    out.one("bailiwick_reviews_open", "gauge", "Reviews of integrations that are open.", reviews.open);
    out.one("bailiwick_reviews_overdue", "gauge", "Those that were due before now.", reviews.overdue.len());
    let mut rules = out.family("bailiwick_scope_rules", "gauge", "Rules of the scope of an integration.");
    for scope in &figures.scopes {
        rules.sample(&[("integration", &scope.integration)], scope.declared);
    }
    let mut used =
        out.family("bailiwick_scope_rules_used", "gauge", "Those that it used since its last review.");
    for scope in &figures.scopes {
        used.sample(&[("integration", &scope.integration)], scope.used);
    }
    let mut at = out.family(
        "bailiwick_drill_timestamp_seconds",
        "gauge",
        "When leaving a system was drilled last; absent when it never was.",
    );
    let drilled = || figures.drills.iter().filter_map(|drill| Some((&drill.system, drill.last?)));
    for (system, (last, _)) in drilled() {
        at.sample(&[("system", system)], last.as_second());
    }
    let mut passed = out.family("bailiwick_drill_passed", "gauge", "1 when that left nothing alive.");
    for (system, (_, well)) in drilled() {
        passed.sample(&[("system", system)], u8::from(well));
    }
    out.one(
        "bailiwick_systems_never_drilled",
        "gauge",
        "Systems that changes were sent to and that were never drilled.",
        figures.drills.iter().filter(|drill| drill.last.is_none()).count(),
    );
    let mut outside = out.family(
        "bailiwick_changes_outside",
        "gauge",
        "Changes of the last 30 days that the hub did not make (unexplained), and changes that a system said it \
         did and did not (diverged).",
    );
    outside.sample(&[("kind", "unexplained")], figures.outside.unexplained);
    outside.sample(&[("kind", "diverged")], figures.outside.diverged);
    out.0
}

fn departures(out: &mut Families, fold: &Fold, figures: &Figures) {
    let mut took = out.family(
        "bailiwick_departure_seconds",
        "histogram",
        "From when a departure was known and in effect, of cases that were closed.",
    );
    for (measure, histogram) in fold.histograms() {
        let measure = ("measure", measure.as_str());
        for (bound, count) in histogram.buckets() {
            took.named("_bucket", &[measure, ("le", &bound.to_string())], count);
        }
        took.named("_bucket", &[measure, ("le", "+Inf")], histogram.count());
        took.named("_sum", &[measure], histogram.sum().as_secs_f64());
        took.named("_count", &[measure], histogram.count());
    }
    let mut target = out.family("bailiwick_departure_target_seconds", "gauge", "How long each may take.");
    for measured in &figures.measures {
        target.sample(&[("measure", measured.measure.as_str())], measured.target_s);
    }
    let mut standing = out.family(
        "bailiwick_departures",
        "gauge",
        "Departures of the last 30 days: in time, late, or still with time.",
    );
    for measured in &figures.measures {
        let measure = ("measure", measured.measure.as_str());
        standing.sample(&[measure, ("state", "in-time")], measured.within);
        standing.sample(&[measure, ("state", "late")], measured.missed.len());
        standing.sample(&[measure, ("state", "waiting")], measured.waiting);
    }
    out.one(
        "bailiwick_departures_told_late",
        "gauge",
        "Departures of the last 30 days that had taken effect before they were heard of.",
        figures.late.cases,
    );
    out.one(
        "bailiwick_departures_told_late_max_seconds",
        "gauge",
        "The longest time until one of them was heard of.",
        figures.late.spread.map_or(0, |spread| spread.max_ms / 1_000),
    );
    let residual = &figures.residual;
    out.one(
        "bailiwick_residual_seconds",
        "gauge",
        "How long access outlived the departures of the last 30 days, all together.",
        residual.total_ms / 1_000,
    );
    out.one(
        "bailiwick_residual_cases",
        "gauge",
        "Cases of the last 30 days in which something is not known to be gone.",
        residual.still.len(),
    );
}

/// What this process is doing.
fn pulse(pulse: &Pulse, queued: i64, behind: SignedDuration) -> String {
    let mut out = Families::default();
    out.one("bailiwick_work_queued", "gauge", "Items of work that are queued.", queued);
    out.one(
        "bailiwick_work_behind_seconds",
        "gauge",
        "How long the work that waits longest has been due; 0 while the hub keeps up.",
        behind.as_secs_f64(),
    );
    out.one(
        "bailiwick_work_failing",
        "gauge",
        "1 while the work of this process fails as a whole.",
        u8::from(pulse.failing.is_some()),
    );
    out.0
}
