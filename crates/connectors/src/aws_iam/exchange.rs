//! One action and its answer, and lists over all their pages.

use bailiwick_connector::{Action, Answer, ErrorKind, Line, Page, Result};

use super::{
    decode::{self, Element, refusal},
    encode::sayable,
};

/// Asks a system.
#[derive(Clone, Copy)]
pub(super) struct Exchange<'a> {
    pub(super) line: &'a Line,
}

/// A successful answer.
pub(super) struct Answered {
    pub(super) answer: Answer,
    action: &'static str,
    writes: bool,
}

impl Answered {
    /// Reads the result of the action.
    pub(super) fn read<T>(&self, read: impl FnOnce(Element<'_>) -> Result<T>) -> Result<T> {
        decode::result(self.action, self.writes, &self.answer, read)
    }
}

impl Exchange<'_> {
    /// Has an action taken. A refusal is an error.
    pub(super) async fn ask(self, action: Action) -> Result<Answered> {
        sayable(&action)?;
        let (name, writes) = (action.name, !action.operation.reads());
        let answer = self.line.call(action).await?;
        match answer.status {
            200..=299 => Ok(Answered { answer, action: name, writes }),
            _ => Err(refusal(name, writes, &answer, self.line.now())),
        }
    }

    /// The same; `None` when there is no such thing.
    pub(super) async fn find(self, action: Action) -> Result<Option<Answered>> {
        match self.ask(action).await {
            Ok(answered) => Ok(Some(answered)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One page of a list; `each` is shown the result.
    pub(super) async fn page(
        self,
        action: Action,
        cursor: Option<&str>,
        size: u32,
        each: impl FnOnce(Element<'_>) -> Result<()>,
    ) -> Result<Page> {
        let mut action = action.with("MaxItems", size.to_string());
        if let Some(marker) = cursor {
            action = action.with("Marker", marker);
        }
        self.ask(action).await?.read(|result| {
            each(result)?;
            let truncated = result.text("IsTruncated") == Some("true");
            let marker = result.text("Marker").filter(|marker| truncated && !marker.is_empty());
            // A list that was cut and does not say where it goes on was not shown in full.
            Ok(Page { next: marker.map(str::to_owned), complete: marker.is_some() || !truncated })
        })
    }

    /// All pages of a list, up to the first result for which `each` says that it has seen enough. Gives back
    /// whether nothing was held back.
    pub(super) async fn pages(
        self,
        action: Action,
        size: u32,
        mut each: impl FnMut(Element<'_>) -> Result<bool>,
    ) -> Result<bool> {
        let (mut cursor, mut complete) = (None::<String>, true);
        loop {
            let mut enough = false;
            let page = self
                .page(action.clone(), cursor.as_deref(), size, |result| {
                    enough = each(result)?;
                    Ok(())
                })
                .await?;
            complete &= page.complete;
            match page.next {
                // A marker that leads back to where it came from would never end.
                Some(next) if !enough && Some(&next) != cursor.as_ref() => cursor = Some(next),
                Some(_) if !enough => return Ok(false),
                Some(_) | None => return Ok(complete),
            }
        }
    }
}
