//! Evidence: the log as it is, the chain of one thing in it, and a proof that the browser checks itself.

use askama::Template;
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    assets,
    frame::{Frame, Place, page},
    records::{Line, lines},
    show::Tone,
    signed_in::SignedIn,
    trouble::Trouble,
};
use crate::api::{
    Hub, RecordView,
    answer::{Params, Segment},
    evidence,
    page::Wanted,
};

/// How many of the newest records of the log are shown.
const NEWEST: i64 = 40;
/// How many about one thing a page has.
const ABOUT: u32 = 100;

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
    /// Where older ones about it begin.
    older: Option<String>,
}

/// Of what.
#[derive(Default, Deserialize)]
pub struct Of {
    /// An identity, a case, or what names one.
    #[serde(default)]
    subject: String,
    /// Only what is older than this.
    after: Option<String>,
}

/// `GET /evidence?subject=`: the newest records, or those of one identity or case.
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(Of { subject, after }): Params<Of>,
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
    let newest = match subject.is_empty() {
        true => tx.entries((published - NEWEST).max(0), NEWEST as u32).await?,
        false => Vec::new(),
    };
    drop(tx);
    let (records, older) = match subject.is_empty() {
        true => (newest.iter().rev().filter_map(RecordView::of).collect(), None),
        false => {
            let (about, wanted) = (Segment(subject.clone()), Params(Wanted::of(ABOUT, after)));
            let found = evidence::records(State(hub.clone()), signed_in.caller, about, wanted).await?.0;
            (found.items, found.next)
        }
    };
    let lines = lines(&hub, &frame, &records).await?;
    let key = hub.sequencer.log().map_err(crate::problem::Problem::from)?.verifier().to_string();
    page(&Shown { lines, published, written, root, key, subject, older, frame })
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
