//! `/alignments`: about whom systems disagree.

use axum::{Json, extract::State};
use bailiwick_core::{
    alignment::{Alignment, Claim, Violation},
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page, Who,
    answer::{Answer, Params, Segment},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
    page::{Wanted, is},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-alignments", "/alignments", list).says("Everybody about whom systems disagree."),
        post("look-at-alignment", "/identities/{identity}/alignment", Access::Right(Right::Operate), look)
            .for_programs(Right::Operate)
            .says("Looks at how the systems agree about somebody, now.")
            .fails(&[502]),
    ];
    Resource::new("Alignments", "About whom systems disagree.", operations)
}

/// How the systems agree about somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlignmentView {
    /// Who.
    pub who: Who,
    /// When it was judged.
    pub at: Timestamp,
    /// Who says that they are inactive; nobody: there is nothing to agree about.
    pub claims: Vec<Claim>,
    /// What disagrees.
    pub violations: Vec<Violation>,
}

impl AlignmentView {
    fn new(who: Who, alignment: Alignment) -> Self {
        let Alignment { at, claims, violations, .. } = alignment;
        Self { who, at, claims, violations }
    }
}

pub async fn list(
    State(hub): State<Hub>,
    _: Caller,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<AlignmentView>> {
    let mut tx = hub.read().await?;
    let violated = is("state", Some("violated".to_owned())).into_iter().collect();
    let page: Page<Alignment> = wanted.read(&hub, &mut *tx, violated).await?;
    let who = hub.who(&mut *tx, page.items.iter().map(|one| one.identity)).await?;
    Ok(Json(page.map(|one| AlignmentView::new(Who::of(&who, one.identity), one))))
}

pub async fn look(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(identity): Segment<String>,
) -> Answer<AlignmentView> {
    caller.may(Right::Operate)?;
    let person = hub.engine.find_identity(&identity).await?.value;
    let alignment = hub.engine.align(person.id).await?;
    Ok(Json(AlignmentView::new(Who::from(&person), alignment)))
}
