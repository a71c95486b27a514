//! Small things as people read them: instants, durations, and words with a tone.

use std::fmt;

use askama::filters::HtmlSafe;
use bailiwick_core::{
    case::Case,
    gate::HUB,
    identity::Lifecycle,
    plan::Op,
    time::{SignedDuration, Timestamp},
    verify::Verdict,
};
use bailiwick_store::entities::{PlanState, Step};

use crate::{api::Who, render::count, span};

/// An instant as a page shows it: how far away it is, and on closer look which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The instant.
    pub at: Timestamp,
    /// When the page was made.
    pub now: Timestamp,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        let day = at.strftime("%Y-%m-%d %H:%M:%S UTC");
        write!(f, r#"<time datetime="{at:.0}" title="{day}">{}</time>"#, self.words())
    }
}

impl HtmlSafe for Moment {}

impl Moment {
    /// `3h 20m ago`, `in 5d`.
    pub fn words(&self) -> String {
        let span = self.at.duration_since(self.now);
        let words = span::show(i64::try_from(span.abs().as_millis()).unwrap_or(i64::MAX));
        match span.is_negative() {
            _ if span.abs() < SignedDuration::from_secs(1) => "now".into(),
            true => format!("{words} ago"),
            false => format!("in {words}"),
        }
    }
}

/// A message as a page shows it: what stands in backticks is set as code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prose(pub String);

impl fmt::Display for Prose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, part) in self.0.split('`').enumerate() {
            let part = askama::filters::escape(part, askama::filters::Html).map_err(|_| fmt::Error)?;
            match n % 2 {
                0 => write!(f, "{part}")?,
                _ => write!(f, "<code>{part}</code>")?,
            }
        }
        Ok(())
    }
}

impl HtmlSafe for Prose {}

/// A message as a page shows it.
pub fn prose(text: &str) -> Prose {
    Prose(text.to_owned())
}

/// A code as the beginning of a sentence: `feed-held` → `Feed held`.
pub fn title(code: &str) -> String {
    let words = code.replace('-', " ");
    let mut letters = words.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// What to call who it is; an integration by its own name.
pub fn name_of(who: &Who) -> String {
    match who.key.strip_prefix(HUB).and_then(|rest| rest.strip_prefix('/')) {
        Some(integration) => format!("{integration} (integration)"),
        None => who.name.clone(),
    }
}

/// How something is meant; it is never said by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Somebody has to look.
    Warn,
    /// Wrong.
    Bad,
    /// Nothing special.
    #[default]
    Calm,
}

impl fmt::Display for Tone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Calm => "calm",
        })
    }
}

impl HtmlSafe for Tone {}

/// A word with a tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// How it is meant.
    pub tone: Tone,
    /// The word.
    pub text: String,
}

impl Badge {
    /// One.
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into() }
    }

    /// Of a plan's state.
    pub fn plan(state: &PlanState) -> Self {
        match state {
            PlanState::Drafted => Self::new(Tone::Warn, "waits for approval"),
            PlanState::Waiting { .. } => Self::new(Tone::Calm, "waits"),
            PlanState::Approved { .. } => Self::new(Tone::Calm, "under way"),
            PlanState::Done { .. } => Self::new(Tone::Good, "done"),
            PlanState::Superseded { .. } => Self::new(Tone::Calm, "superseded"),
        }
    }

    /// Of where somebody is in their life.
    pub fn life(state: &str) -> Self {
        let tone = match state {
            "active" => Tone::Good,
            "absent" | "leave" | Lifecycle::GARDEN_LEAVE => Tone::Warn,
            _ => Tone::Calm,
        };
        Self::new(tone, state)
    }

    /// Of a verdict, with its sign.
    pub fn verdict(verdict: &Verdict) -> Self {
        Self::new(tone_of(verdict), format!("{} {}", sign_of(verdict), verdict.name()))
    }

    /// Of a case.
    pub fn case(case: &Case) -> Self {
        match (case.followed, case.closed) {
            (Some(_), _) => Self::new(Tone::Calm, "followed by another"),
            (None, Some(_)) => Self::new(Tone::Good, "closed: proven"),
            (None, None) => Self::new(Tone::Warn, "open"),
        }
    }
}

/// The tone of a verdict.
pub const fn tone_of(verdict: &Verdict) -> Tone {
    match verdict {
        Verdict::Removed | Verdict::Blocked { purges_at: Some(_) } => Tone::Good,
        Verdict::Blocked { purges_at: None } | Verdict::Pending { .. } => Tone::Warn,
        Verdict::Unobservable { control: Some(_), .. } => Tone::Calm,
        Verdict::Unobservable { control: None, .. } => Tone::Warn,
        Verdict::Residual { .. } => Tone::Bad,
    }
}

/// A sign that says the same as the tone.
pub const fn sign_of(verdict: &Verdict) -> char {
    match verdict {
        Verdict::Removed => '✓',
        Verdict::Blocked { .. } => '◐',
        Verdict::Residual { .. } => '✗',
        Verdict::Pending { .. } => '…',
        Verdict::Unobservable { .. } => '?',
    }
}

/// How a change is marked in a diff: its sign and its class.
pub const fn mark(op: &Op) -> (char, &'static str) {
    match op {
        Op::CreateAccount { .. } | Op::Enable | Op::Grant { .. } => ('+', "give"),
        Op::SetAttributes { .. } => ('~', "set"),
        Op::Disable { .. } | Op::Delete | Op::Revoke { .. } | Op::RevokeAll { .. } => ('−', "take"),
    }
}

/// How far a change is.
pub fn step(step: &Step) -> Badge {
    match step {
        Step::Waiting => Badge::new(Tone::Calm, "waiting"),
        Step::Sent { .. } => Badge::new(Tone::Calm, "sent"),
        Step::Asked { .. } => Badge::new(Tone::Warn, "a person was asked"),
        Step::Unknown { .. } => Badge::new(Tone::Warn, "answer lost, reading"),
        Step::Applied { already: true, .. } => Badge::new(Tone::Good, "was so already"),
        Step::Applied { already: false, .. } => Badge::new(Tone::Good, "applied"),
        Step::Refused { code, .. } => Badge::new(Tone::Bad, format!("refused: {code}")),
        Step::Dropped => Badge::new(Tone::Calm, "dropped"),
    }
}

/// `3 changes`.
pub fn counted(number: usize, one: &str, many: &str) -> String {
    count(number as u64, one, many)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_backticks_is_code_and_all_of_it_is_escaped() {
        let shown = prose("`<b>` of `x` & <i>").to_string();
        assert_eq!(shown, "<code>&#60;b&#62;</code> of <code>x</code> &#38; &#60;i&#62;");
        assert_eq!(title("feed-held"), "Feed held");
    }

    #[test]
    fn an_instant_is_said_as_people_say_it() {
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        let check = |seconds: i64, expect: &str| {
            let at = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
            assert_eq!(Moment { at, now }.words(), expect);
        };
        check(0, "now");
        check(-1, "1s ago");
        check(-119, "1m 59s ago");
        check(-7_200, "2h ago");
        check(172_800, "in 2d");
        let page = Moment { at: now, now }.to_string();
        assert_eq!(
            page,
            r#"<time datetime="2001-09-09T01:46:40Z" title="2001-09-09 01:46:40 UTC">now</time>"#
        );
    }
}
