//! Arguments and pages that all lists share.

use clap::Args;
use serde::de::DeserializeOwned;

use crate::{api::Page, client::Request, failure::Result, render::Output};

/// The longest page that the hub gives.
const PAGE: u32 = 1000;

/// How much of a list.
#[derive(Args, Clone, Copy)]
pub struct ListArgs {
    /// Show at most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Show all
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// A list as far as it was asked for.
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether there are more.
    pub more: bool,
}

impl ListArgs {
    /// Everything.
    pub const ALL: Self = Self { limit: PAGE, all: true };

    /// Reads page after page. `request` makes the request for the list.
    pub async fn read<'c, T: DeserializeOwned>(self, request: impl Fn() -> Request<'c>) -> Result<Listed<T>> {
        self.read_of(request, |page: Page<T>| page).await
    }

    /// The same of a list whose pages say more than what is in them; `page` takes that out.
    pub async fn read_of<'c, P: DeserializeOwned, T>(
        self,
        request: impl Fn() -> Request<'c>,
        mut page: impl FnMut(P) -> Page<T>,
    ) -> Result<Listed<T>> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let left = if self.all {
                PAGE
            } else {
                self.limit - u32::try_from(items.len()).unwrap_or(u32::MAX).min(self.limit)
            };
            if left == 0 {
                return Ok(Listed { items, more: true });
            }
            let read: P = request().query("limit", left.min(PAGE)).maybe("after", after).send().await?;
            let read = page(read);
            items.extend(read.items);
            match read.next {
                Some(next) => after = Some(next),
                None => return Ok(Listed { items, more: false }),
            }
        }
    }
}

impl<T> Listed<T> {
    /// Says when there are more, and when there is nothing.
    pub fn remark(&self, output: Output, nothing: &str) {
        if self.items.is_empty() {
            output.say(nothing);
        } else if self.more {
            output.say(&format!("the first {}; `--all` shows all", self.items.len()));
        }
    }
}
