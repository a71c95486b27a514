//! A part of the console as a list: one page for all of them.

use askama::Template;
use axum::response::Response;

use super::{
    assets,
    frame::{Frame, Notice, Place, page},
    show::Tone,
    table::{Cell, Table, View},
    trouble::Trouble,
};
use crate::{
    api::{
        Page,
        answer::{Answer, Params},
        page::Wanted,
    },
    problem::Problem,
};

/// How many rows a page has.
pub const ROWS: u32 = 100;
/// How many rows leave at once as a file.
const MOST: usize = 50_000;
/// How many are read at once for it.
const AT_ONCE: u32 = 1_000;

/// A list.
#[derive(Template)]
#[template(path = "list.html")]
pub struct List {
    /// The frame.
    pub frame: Frame,
    /// What it is called.
    pub title: &'static str,
    /// What it is, in a sentence.
    pub lead: &'static str,
    /// The states that it can be narrowed to, with their names.
    pub states: &'static [(&'static str, &'static str)],
    /// The rows.
    pub table: Table,
    /// Whether it is read again when something happened.
    pub live: bool,
}

impl List {
    /// The list as a page, or as a file if that is wanted.
    pub fn answer(mut self, view: &View, file: &str) -> Result<Response, Trouble> {
        if view.is_csv() {
            return Ok(self.table.download(file));
        }
        self.frame.notice = view.notice();
        page(&self)
    }
}

impl View {
    /// What is said of what was just done.
    pub fn notice(&self) -> Option<Notice> {
        (!self.done.is_empty()).then(|| Notice::done(done(&self.done)))
    }
}

/// What is said after something was done; a word that is none of ours says nothing of its own.
pub fn done(word: &str) -> &'static str {
    match word {
        "approved" => "Approved. It is being carried out.",
        "accepted" => "The control is accepted, and stands until its end.",
        "released" => "Released.",
        "asked" => "Asked for. Somebody else has to agree.",
        "killed" => "Ended. The case shows how far that is proven.",
        "answered" => "The answer is recorded.",
        "reviewed" => "The review is decided.",
        "read" => "Read, just now. What it said is the last delivery of it below.",
        "compared" => "Compared.",
        "drilled" => "Drilled.",
        "enrolled" => "The passkey is enrolled. It signs you in, and approves what takes a proof.",
        "removed" => "The passkey is removed, and what it opened is over.",
        "ended" => "The session is over.",
        "revoked" => "The token opens nothing any more.",
        "withdrawn" => "Withdrawn, and in force.",
        "over" => "It is over. That nothing is left is read back.",
        "looked" => "Looked at, just now.",
        "probed" => "Probed. What was learned is below.",
        "rehearsed" => "Its end was drilled, and nothing was ended. What was tried is below.",
        "armed" => "Armed, in silence. Nothing is changed.",
        "disarmed" => "Taken back.",
        "fired" => "Fired. Cases follow what becomes of their access.",
        "lifted" => "What the source says counts again.",
        _ => "Done.",
    }
}

/// Reads the page that is looked at; or, as a file, all pages.
pub async fn gather<T, F>(view: &View, read: impl Fn(Params<Wanted>) -> F) -> Result<Page<T>, Trouble>
where
    F: Future<Output = Answer<Page<T>>>,
{
    let read = async |limit, after| Ok::<_, Trouble>(read(Params(Wanted::of(limit, after))).await?.0);
    if !view.is_csv() {
        return read(ROWS, view.after.clone()).await;
    }
    let mut all = Page { items: Vec::new(), next: None };
    let mut after = None;
    loop {
        let part = read(AT_ONCE, after).await?;
        all.items.extend(part.items);
        if all.items.len() > MOST {
            let detail = format!(
                "there are more than {MOST} rows; narrow them, or take them page by page from the API"
            );
            return Err(Problem::new(413, "list-too-long", detail).into());
        }
        after = part.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

impl View {
    /// The page that is looked at of a list that comes whole, and where the next one begins; as a file, all of it.
    pub fn part<T>(&self, mut all: Vec<T>, id: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        if self.is_csv() {
            return (all, None);
        }
        let begin = self.after.as_ref().and_then(|after| all.iter().position(|one| id(one) == *after));
        let mut part = all.split_off(begin.map_or(0, |at| at + 1));
        let more = part.len() > ROWS as usize;
        part.truncate(ROWS as usize);
        let next = part.last().map(id).filter(|_| more);
        (part, next)
    }
}

/// The state that is asked for, if one is.
pub fn state(view: &View) -> Option<String> {
    Some(view.state.clone()).filter(|state| !state.is_empty())
}
