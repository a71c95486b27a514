//! `POST /access/v1/search/…`: who may, to what, and what may be done.

use axum::{Json, extract::State};
use bailiwick_engine::PageRequest;
use serde::Serialize;
use serde_json::Value;

use super::{
    answer::Refused,
    call::Call,
    wire::{Body, Object, Parts, Sought, malformed, object},
};
use crate::api::Hub;

/// How many results a page has when nothing is said, and at most.
const USUAL: usize = 100;
const MOST: u64 = 1_000;

/// Something that was found.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Item {
    /// A subject or a resource.
    Entity {
        /// Its type.
        #[serde(rename = "type")]
        kind: String,
        /// Its id.
        id: String,
    },
    /// An action.
    Action {
        /// Its name.
        name: String,
    },
}

/// A page of what was found.
#[derive(Serialize)]
pub struct Results {
    results: Vec<Item>,
    page: Page,
}

#[derive(Serialize)]
struct Page {
    /// Empty at the end.
    next_token: String,
    count: usize,
}

/// Who may do it.
pub async fn subjects(hub: State<Hub>, call: Call, body: Body) -> Result<Json<Results>, Refused> {
    search(hub, call, body, Sought::Subject).await
}

/// To what it may be done.
pub async fn resources(hub: State<Hub>, call: Call, body: Body) -> Result<Json<Results>, Refused> {
    search(hub, call, body, Sought::Resource).await
}

/// What may be done.
pub async fn actions(hub: State<Hub>, call: Call, body: Body) -> Result<Json<Results>, Refused> {
    search(hub, call, body, Sought::Action).await
}

async fn search(
    State(hub): State<Hub>,
    Call(asker): Call,
    Body(mut body): Body,
    sought: Sought,
) -> Result<Json<Results>, Refused> {
    let page = page(&mut body).map_err(malformed)?;
    let question = Parts::take(&mut body).and_then(|parts| parts.search(sought)).map_err(malformed)?;
    hub.engine.may_ask(&asker, 1)?;
    let engine = &hub.engine;
    let found = match sought {
        Sought::Subject => engine.find_subjects(&asker, &question, &page).await?,
        Sought::Resource => engine.find_resources(&asker, &question, &page).await?,
        Sought::Action => engine.find_actions(&asker, &question, &page).await?,
    };
    let item = |text: String| match sought {
        Sought::Subject => Item::Entity { kind: question.subject.kind.clone(), id: text },
        Sought::Resource => Item::Entity { kind: question.resource.kind.clone(), id: text },
        Sought::Action => Item::Action { name: text },
    };
    let results: Vec<Item> = found.items.into_iter().map(item).collect();
    let page = Page { next_token: found.next.unwrap_or_default(), count: results.len() };
    Ok(Json(Results { results, page }))
}

/// What `page` says.
fn page(body: &mut Object) -> Result<PageRequest, String> {
    let usual = PageRequest { token: String::new(), limit: USUAL };
    let Some(mut page) = object(body, "page")? else { return Ok(usual) };
    let token = match page.remove("token") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(token)) => token,
        Some(_) => return Err("`token` of `page` is no text".into()),
    };
    let limit = match page.remove("limit") {
        None | Some(Value::Null) => USUAL,
        Some(limit) => match limit.as_u64() {
            Some(limit) if limit > 0 => usize::try_from(limit.min(MOST)).unwrap_or(USUAL),
            Some(_) | None => return Err("`limit` of `page` is no number of results".into()),
        },
    };
    Ok(PageRequest { token, limit })
}
