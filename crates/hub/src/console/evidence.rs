//! Evidence: the log as it is, the chain of one thing in it, and a proof that the browser checks itself.

use askama::Template;
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bailiwick_core::record::{Actor, Logged};
use serde::Deserialize;

use super::{
    assets,
    frame::{Frame, Place, page},
    show::{Moment, Tone},
    signed_in::SignedIn,
    trouble::Trouble,
};
use crate::api::{
    Hub,
    answer::{Params, Segment},
    evidence,
};

/// How many of the newest records are shown.
const NEWEST: i64 = 40;

/// One record as the page shows it.
struct Line {
    index: Option<i64>,
    kind: String,
    at: Moment,
    by: String,
    facts: String,
}

#[derive(Template)]
#[template(path = "evidence.html")]
struct Shown {
    frame: Frame,
    lines: Vec<Line>,
    published: i64,
    written: i64,
    root: String,
    key: String,
    subject: String,
}

/// Of what.
#[derive(Default, Deserialize)]
pub struct Of {
    /// An identity, a case, or what names one.
    #[serde(default)]
    subject: String,
}

/// `GET /evidence?subject=`: the newest records, or those of one identity or case.
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(Of { subject }): Params<Of>,
) -> Result<Response, Trouble> {
    let frame = Frame::of(&hub, &signed_in, Place::Evidence).await?;
    let subject = match subject.trim() {
        "" => String::new(),
        case if case.starts_with("cas_") => case.to_owned(),
        who => hub.engine.find_identity(who).await?.value.id.to_string(),
    };
    let mut tx = hub.read().await?;
    let (published, written) = tx.entry_counts().await?;
    let root = tx
        .log_head()
        .await?
        .map_or(String::new(), |head| bailiwick_evidence::Hash::from(head.root).to_string());
    let mut entries = match subject.is_empty() {
        true => tx.entries((published - NEWEST).max(0), NEWEST as u32).await?,
        false => tx.entries_about(hub.tenant(), &subject).await?,
    };
    entries.reverse();
    let line = |entry: &bailiwick_store::Entry| {
        let logged = Logged::parse(&entry.bytes).ok()?;
        let kind = serde_json::to_value(logged.kind).ok()?;
        let facts = logged.facts.iter().map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            // Of a digest the beginning says enough here; the pack has it whole.
            let digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            format!("{} {}", name.replace('_', " "), if digest { &text[..8] } else { &text })
        });
        Some(Line {
            index: entry.index,
            kind: kind.as_str().unwrap_or_default().replace('-', " "),
            at: frame.at(&logged.at),
            by: by(&logged.actor),
            facts: shortened(&facts.collect::<Vec<_>>().join(" · ")),
        })
    };
    let lines = entries.iter().filter_map(line).collect();
    let key = hub.sequencer.log().map_err(crate::problem::Problem::from)?.verifier().to_string();
    page(&Shown { lines, published, written, root, key, subject, frame })
}

fn by(actor: &Actor) -> String {
    match actor {
        Actor::Hub(step) => format!("the hub, {step}"),
        Actor::Operator(name) => format!("operator {name}"),
        Actor::Source(name) => format!("source {name}"),
        Actor::Policy(id) => format!("policy {id}"),
        Actor::Integration(name) => format!("integration {name}"),
    }
}

fn shortened(text: &str) -> String {
    const LETTERS: usize = 220;
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `GET /evidence/packs/{subject}`: everything about an identity or a case, to be verified anywhere.
pub async fn pack(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(subject): Segment<String>,
) -> Result<Response, Trouble> {
    let pack = evidence::export(State(hub), signed_in.caller, Segment(subject)).await?;
    let mut response = pack.into_response();
    let name = header::HeaderValue::from_static("attachment; filename=\"evidence.pack\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}
