//! What a run comes to: a line now and then, a table in the end, and the judgement.

use std::time::Duration;

use crate::{
    company::oracle::Violation,
    judge::{Bounds, Delivery, MEASURES, Sample, thirds},
    leavers::Leavers,
    load::{Carried, Offered},
};

/// Everything that was seen.
pub struct Report<'r> {
    /// What the hub carries.
    pub carried: Carried,
    /// What it was offered.
    pub offered: &'r Offered,
    /// How long it took until nothing was left to do after that.
    pub drained: Duration,
    /// How it was, moment by moment.
    pub samples: &'r [Sample],
    /// Who left.
    pub leavers: &'r Leavers,
    /// What others were given meanwhile.
    pub visits: &'r [(&'static str, u64)],
}

/// What was seen in the last `span`.
pub fn line(samples: &[Sample], leavers: &Leavers, span: Duration) {
    let Some(last) = samples.last() else { return };
    let since = |sample: &&Sample| last.at - sample.at <= span.as_secs_f64();
    let first = samples.iter().rev().take_while(since).last().unwrap_or(last);
    let seconds = (last.at - first.at).max(f64::MIN_POSITIVE);
    let figures = MEASURES.iter().map(|measure| {
        let (value, digits) = ((measure.of)(last), measure.digits);
        format!("{} {value:.digits$}", measure.name)
    });
    println!(
        "{:6.0} s: {}; {:.0} read back a second, {:.0} % of a processor; of those who left, the cases of {} are closed, \
         half of them within {:.1} s, and {} are open",
        last.at,
        figures.collect::<Vec<_>>().join(", "),
        (last.verified - first.verified) / seconds,
        100.0 * (last.process.processor - first.process.processor) / seconds,
        leavers.took().len(),
        rank(&leavers.took(), 50),
        leavers.open().len(),
    );
}

/// The value below which so many of a hundred are, of sorted ones.
fn rank(sorted: &[f64], percent: usize) -> f64 {
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(at).copied().unwrap_or_default()
}

impl Report<'_> {
    /// The table.
    pub fn print(&self) {
        let row = |name: &str, values: [String; 4]| {
            let [first, second, last, most] = values;
            println!("{name:24}{first:>10}{second:>10}{last:>10}{most:>10}");
        };
        row("median of", ["1st third", "2nd third", "3rd third", "most"].map(str::to_owned));
        for measure in &MEASURES {
            let digits = measure.digits;
            let [first, second, last] = thirds(self.samples, measure.of);
            let most = self.samples.iter().map(measure.of).fold(0.0, f64::max);
            row(measure.name, [first, second, last, most].map(|value| format!("{value:.digits$}")));
        }
        let Offered { events, deliveries, waited, took } = self.offered;
        println!(
            "carried {:.1} events a second; offered {events} in {deliveries} deliveries, of which one waited {waited:.1} s for \
             the one before and one took {took:.1} s; nothing was left {:.1} s after",
            self.carried.events,
            self.drained.as_secs_f64()
        );
        let took = self.leavers.took();
        println!(
            "of those who left, {} cases were closed: half within {:.1} s, 95 of 100 within {:.1} s, all within {:.1} s",
            took.len(),
            rank(&took, 50),
            rank(&took, 95),
            rank(&took, 100)
        );
        let visits: Vec<String> = self.visits.iter().map(|(name, count)| format!("{count} {name}")).collect();
        println!("meanwhile: {}", visits.join(", "));
    }

    /// Refuses what must not be.
    pub fn judged(&self, bounds: &Bounds, every: Duration) -> Result<(), Violation> {
        let events = self.offered.events as f64 / self.offered.deliveries.max(1) as f64;
        bounds.judge(self.samples, Delivery { events, every: every.as_secs_f64() })?;
        let open = self.leavers.open();
        if let [first, ..] = &open[..] {
            let what = format!("{} cases are not closed, that of {first} among them", open.len());
            return Err(Violation { oracle: "leavers", what });
        }
        match self.leavers.took().is_empty() {
            true => Err(Violation { oracle: "leavers", what: "nobody left".into() }),
            false => Ok(()),
        }
    }
}
