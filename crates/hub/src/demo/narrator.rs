//! Tells what happens, with timings, and keeps account of the promises.

use serde::Serialize;

use crate::{
    clock::Stopwatch,
    failure::{Failure, Result},
    render::{Output, Tone, count},
};

/// Tells the story.
pub struct Narrator {
    output: Output,
    watch: Stopwatch,
    acts: Vec<Act>,
}

/// What was told of one act.
#[derive(Serialize)]
struct Act {
    title: String,
    started_ms: i128,
    promises: Vec<String>,
}

impl Narrator {
    /// At the beginning.
    pub fn new(output: Output) -> Self {
        Self { output, watch: Stopwatch::start(), acts: Vec::new() }
    }

    /// How to print.
    pub fn output(&self) -> Output {
        self.output
    }

    /// Shows what a command prints.
    pub fn show(&self, print: impl FnOnce(Output)) {
        if !self.output.json {
            print(Output { quiet: true, ..self.output });
        }
    }

    /// Begins an act.
    pub fn act(&mut self, title: &str) {
        let elapsed = self.watch.elapsed();
        self.acts.push(Act {
            title: title.to_owned(),
            started_ms: elapsed.as_millis(),
            promises: Vec::new(),
        });
        if !self.output.json {
            let text = format!("\n[{:>4.1} s] {}. {title}", elapsed.as_secs_f64(), self.acts.len());
            self.output.line(&text);
        }
    }

    /// Tells something.
    pub fn tell(&self, text: &str) {
        self.toned(Tone::Plain, text);
    }

    /// Tells something in a tone; line by line.
    pub fn toned(&self, tone: Tone, text: &str) {
        if !self.output.json {
            for line in text.lines() {
                self.output.toned(tone, &format!("  {line}"));
            }
        }
    }

    /// Says that a promise is kept, or ends the demo.
    ///
    /// # Errors
    /// `promise-broken`, when it is not.
    pub fn promise(&mut self, kept: bool, promise: &str) -> Result<()> {
        if !kept {
            return Err(Failure::refused(
                "promise-broken",
                format!("this was promised and is not so: {promise}"),
            ));
        }
        self.toned(Tone::Good, &format!("✓ {promise}"));
        if let Some(act) = self.acts.last_mut() {
            act.promises.push(promise.to_owned());
        }
        Ok(())
    }

    /// A promise that is kept when there is nothing to say against it.
    ///
    /// # Errors
    /// `promise-broken`, with the first few of what there is.
    pub fn nothing_against(&mut self, against: &[String], promise: &str) -> Result<()> {
        let shown: Vec<&str> = against.iter().take(5).map(String::as_str).collect();
        let rest = against.len() - shown.len();
        let more = if rest > 0 { format!("; and {rest} more") } else { String::new() };
        match shown.is_empty() {
            true => self.promise(true, promise),
            false => self.promise(false, &format!("{promise} ({}{more})", shown.join("; "))),
        }
    }

    /// The end: how long it took and how much was promised.
    pub fn end(&self) {
        let elapsed = self.watch.elapsed();
        let promises: usize = self.acts.iter().map(|act| act.promises.len()).sum();
        let report =
            serde_json::json!({"acts": self.acts, "took_ms": elapsed.as_millis(), "promises": promises});
        self.output.result(&report, |output| {
            let kept = count(promises as u64, "promise", "promises");
            output.toned(
                Tone::Good,
                &format!("\n[{:>4.1} s] done: {kept} made, each of them kept", elapsed.as_secs_f64()),
            );
        });
    }
}
