//! Policies: what decides, and what other policies would do, before anybody proposes them.

use askama::Template;
use axum::{extract::State, response::Response};
use bailiwick_core::policy::PolicyFile;
use bailiwick_engine::{EngineError, Simulation};
use serde::Deserialize;

use super::{
    assets,
    frame::{Frame, Notice, Place, page},
    show::Tone,
    signed_in::{Posted, SignedIn},
    table::{Cell, Table},
    trouble::Trouble,
};
use crate::{
    api::{Hub, answer::Segment, caller::Right},
    problem::Problem,
};

#[derive(Template)]
#[template(path = "policies.html")]
struct Shown {
    frame: Frame,
    files: Vec<PolicyFile>,
    open: PolicyFile,
    mistakes: Vec<(String, String, Option<String>)>,
    would: Option<Would>,
    may_try: bool,
}

/// What a change would do, as the page shows it.
pub struct Would {
    /// What was found.
    pub found: Simulation,
    /// Who would have more or less.
    pub people: Table,
}

/// `GET /policies`: the first file.
pub async fn list(State(hub): State<Hub>, signed_in: SignedIn) -> Result<Response, Trouble> {
    let files = hub.engine.policy_files().await?;
    let first = files.first().cloned().unwrap_or(PolicyFile { path: String::new(), text: String::new() });
    page(&shown(&hub, &signed_in, files, first).await?)
}

/// `GET /policies/{path}`
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(path): Segment<String>,
) -> Result<Response, Trouble> {
    let files = hub.engine.policy_files().await?;
    let open = named(&files, &path)?.clone();
    page(&shown(&hub, &signed_in, files, open).await?)
}

fn named<'f>(files: &'f [PolicyFile], path: &str) -> Result<&'f PolicyFile, Trouble> {
    let missing = || Problem::new(404, "not-found", format!("there is no policy file `{path}`")).into();
    files.iter().find(|file| file.path == path).ok_or_else(missing)
}

async fn shown(
    hub: &Hub,
    signed_in: &SignedIn,
    files: Vec<PolicyFile>,
    open: PolicyFile,
) -> Result<Shown, Trouble> {
    Ok(Shown {
        frame: Frame::of(hub, signed_in, Place::Policies).await?,
        may_try: signed_in.caller.may(Right::Govern).is_ok(),
        mistakes: Vec::new(),
        would: None,
        files,
        open,
    })
}

/// Another text of a file.
#[derive(Deserialize)]
pub struct Wanted {
    text: String,
}

/// `POST /policies/{path}`: what it would do, with its mistakes if it has any. Changes nothing.
pub async fn simulate(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(path): Segment<String>,
    Posted(Wanted { text }): Posted<Wanted>,
) -> Result<Response, Trouble> {
    signed_in.caller.may(Right::Govern)?;
    let files = hub.engine.policy_files().await?;
    // Browsers send line ends as `\r\n`.
    let open = PolicyFile { path: named(&files, &path)?.path.clone(), text: text.replace("\r\n", "\n") };
    let wanted = files.iter().map(|file| if file.path == path { open.clone() } else { file.clone() });
    let outcome = hub.engine.simulate(&wanted.collect::<Vec<_>>()).await;
    let mut shown = shown(&hub, &signed_in, files, open).await?;
    match outcome {
        Ok(found) => shown.would = Some(would(found)),
        Err(EngineError::Policy(errors)) => {
            let line = |error: &bailiwick_core::policy::PolicyError| {
                (
                    format!("line {}, column {}", error.line, error.column),
                    error.message.clone(),
                    error.help.clone(),
                )
            };
            shown.mistakes = errors.iter().map(line).collect();
            let text = "It is not valid, so nothing can be said of what it would do.";
            shown.frame.notice =
                Some(Notice { tone: Tone::Bad, text: text.into(), help: None, code: "policy-syntax".into() });
        }
        Err(error) => return Err(error.into()),
    }
    page(&shown)
}

/// What was found, for the page.
pub fn would(found: Simulation) -> Would {
    let names = |set: &std::collections::BTreeSet<bailiwick_core::id::EntitlementName>, sign: &str| {
        set.iter().map(|name| format!("{sign}{name}")).collect::<Vec<_>>().join(" ")
    };
    let rows = found.people.iter().map(|one| {
        vec![
            Cell::link(&one.name, format!("/identities/{}", one.identity)),
            Cell::text(names(&one.gets, "+")),
            Cell::text(names(&one.loses, "−")),
        ]
    });
    let people = Table::plain(
        &["who", "would get", "would lose"],
        rows.collect(),
        ("Nobody would have more or less.", ""),
    );
    Would { found, people }
}
