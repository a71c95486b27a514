//! Proposing configuration: a file is changed here, held to the rules, shown as a difference with who would gain or lose, and
//! asked for on the same way as `bailiwick apply`: events and plans that people approve.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};
use bailiwick_core::{digest::Digest, plan::Question, policy::PolicyFile};
use bailiwick_engine::{ConfigChange, Waiting};
use serde::Deserialize;

use super::{
    assets,
    frame::{Frame, Notice, Place, page},
    policies::{Would, would},
    show::{Tone, counted},
    signed_in::{Posted, SignedIn},
    table::Cell,
    trouble::Trouble,
};
use crate::{
    api::{
        ApiError, Bundle, Hub,
        answer::{Body, Params},
        caller::Right,
        configuration,
    },
    problem::Fault,
};

/// How many lines are shown of what differs.
const LINES: usize = 200;

/// The page.
#[derive(Template)]
#[template(path = "configuration.html")]
struct Shown {
    frame: Frame,
    /// The files that can be changed here.
    files: Vec<PolicyFile>,
    /// How many of what is declared.
    declared: Vec<String>,
    path: String,
    text: String,
    /// What is wrong with it, by place.
    faults: Vec<Fault>,
    /// What it would change.
    change: Option<ConfigChange>,
    /// The lines of a policy file that go and come.
    differs: Vec<(char, String)>,
    /// Who would gain or lose access by its policies.
    would: Option<Would>,
    /// What came of it, once it was asked for.
    asked: Option<Vec<Waiting>>,
    may: bool,
}

/// Which file to begin with.
#[derive(Default, Deserialize)]
pub struct Which {
    #[serde(default)]
    file: String,
}

/// `GET /configuration?file=`
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(Which { file }): Params<Which>,
) -> Result<Response, Trouble> {
    page(&shown(&hub, &signed_in, Wanted { path: file, text: String::new() }).await?)
}

async fn shown(hub: &Hub, signed_in: &SignedIn, wanted: Wanted) -> Result<Shown, Trouble> {
    let view = configuration::show(State(hub.clone()), signed_in.caller.clone()).await?.0;
    let Wanted { path, mut text } = wanted;
    if let Some(known) = view.policies.iter().find(|file| file.path == path && text.is_empty()) {
        text = known.text.clone();
    }
    let declared = vec![
        counted(view.systems.len(), "system", "systems"),
        counted(view.entitlements.len(), "entitlement", "entitlements"),
        counted(view.integrations.len(), "integration", "integrations"),
        counted(view.automations.len(), "automation", "automations"),
        counted(view.policies.len(), "file of policies", "files of policies"),
    ];
    Ok(Shown {
        frame: Frame::of(hub, signed_in, Place::Configuration).await?,
        files: view.policies,
        declared,
        path,
        text,
        faults: Vec::new(),
        change: None,
        differs: Vec::new(),
        would: None,
        asked: None,
        may: signed_in.caller.may(Right::Govern).is_ok(),
    })
}

/// A file as it is to be.
#[derive(Deserialize)]
pub struct Wanted {
    path: String,
    text: String,
}

impl Wanted {
    /// The same with line ends as files have them; browsers send `\r\n`.
    fn read(self) -> Self {
        Self { path: self.path.trim().to_owned(), text: self.text.replace("\r\n", "\n") }
    }

    fn bundle(&self, seen: Option<Digest>) -> Bundle {
        Bundle { files: BTreeMap::from([(self.path.clone(), self.text.clone())]), keep: true, seen }
    }
}

/// `POST /configuration`: what the file would change, with everything that is wrong with it. Writes nothing.
pub async fn preview(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Posted(wanted): Posted<Wanted>,
) -> Result<Response, Trouble> {
    let wanted = wanted.read();
    let bundle = wanted.bundle(None);
    let mut shown = shown(&hub, &signed_in, wanted).await?;
    match configuration::change(State(hub.clone()), signed_in.caller.clone(), Body(bundle.clone())).await {
        Ok(change) => {
            let wanted = configuration::parsed(&hub, &bundle).await?;
            if change.0.lines.iter().any(|line| line.kind == "policy") {
                let before = shown.files.iter().find(|file| file.path == shown.path);
                shown.differs = differs(before.map_or("", |file| &file.text), &shown.text);
                shown.would = Some(would(hub.engine.simulate(&wanted.policies).await?));
            }
            shown.change = Some(change.0);
        }
        Err(error) => shown.refused(error),
    }
    page(&shown)
}

impl Shown {
    /// What is wrong stands beside the text, by place; anything else on top.
    fn refused(&mut self, error: ApiError) {
        let mut problem = error.into_problem();
        self.faults = std::mem::take(&mut problem.errors);
        self.frame.notice = Some(Notice::refused(&problem));
    }
}

/// The same file, and the change that was seen.
#[derive(Deserialize)]
pub struct Seen {
    path: String,
    text: String,
    seen: Digest,
}

/// `POST /configuration/propose`: asks for the change that was seen.
pub async fn propose(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Posted(Seen { path, text, seen }): Posted<Seen>,
) -> Result<Response, Trouble> {
    let wanted = Wanted { path, text }.read();
    let bundle = wanted.bundle(Some(seen));
    let done = configuration::replace(State(hub.clone()), signed_in.caller.clone(), Body(bundle)).await;
    let mut shown = shown(&hub, &signed_in, wanted).await?;
    match done {
        Ok(change) => {
            let said = match change.0.waiting.is_empty() {
                true => "It is in force.",
                false => "Asked for. It takes effect with these approvals.",
            };
            shown.frame.notice = Some(Notice::done(said));
            shown.asked = Some(change.0.waiting);
        }
        Err(error) => shown.refused(error),
    }
    page(&shown)
}

/// The lines that go and come, from the first that differs to the last.
fn differs(before: &str, after: &str) -> Vec<(char, String)> {
    let (mut gone, mut come): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    while gone.last().is_some_and(|line| come.last() == Some(line)) {
        gone.pop();
        come.pop();
    }
    let same = gone.iter().zip(&come).take_while(|(gone, come)| gone == come).count();
    let signed = |sign: char| move |line: &&str| (sign, (*line).to_owned());
    let mut lines: Vec<(char, String)> = gone[same..].iter().map(signed('-')).collect();
    lines.extend(come[same..].iter().map(signed('+')));
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    lines.extend((more > 0).then(|| ('~', format!("and {more} lines more"))));
    lines
}

/// Who approves what is asked.
const fn takes(question: Question) -> &'static str {
    match question {
        Question::IntegrationApproved => "an integration-approver",
        Question::IdentityAuthorityApproved => "an identity-approver",
        Question::Configuration | Question::Less => "an admin",
    }
}

/// The class of a sign in a difference.
const fn class(sign: char) -> &'static str {
    match sign {
        '+' => "give",
        '-' => "take",
        _ => "set",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_differ_are_shown_and_no_others() {
        let check = |before: &str, after: &str, expect: &[&str]| {
            let lines: Vec<String> =
                differs(before, after).into_iter().map(|(sign, line)| format!("{sign}{line}")).collect();
            assert_eq!(lines, expect, "{before:?} {after:?}");
        };
        check("a\nb\nc\n", "a\nb\nc\n", &[]);
        check("a\nb\nc\n", "a\nx\nc\n", &["-b", "+x"]);
        check("", "a\n", &["+a"]);
        check("a\na\n", "a\n", &["-a"]);
        check("a\nb\n", "a\nb\nc\n", &["+c"]);
        let long: String = (0..300).map(|n| format!("{n}\n")).collect();
        let lines = differs("", &long);
        assert_eq!((lines.len(), lines.last().unwrap().1.as_str()), (LINES + 1, "and 100 lines more"));
    }
}
