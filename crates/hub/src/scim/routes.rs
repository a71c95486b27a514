//! The routes, and what each answers with.

use axum::{
    Router,
    extract::{Path, Query as Parameters, State},
    http::{HeaderMap, StatusCode, header},
    routing::{MethodRouter, any, get, post},
};
use bailiwick_core::id::SourceName;
use bailiwick_store::{
    Tx,
    entities::{PushedGroup, PushedUser},
};
use serde_json::{Map, Value};

use super::{
    answer::{Answer, Body, list},
    bulk,
    call::{Call, authenticate},
    discovery,
    etag::Condition,
    fault::{Fault, Result, Wrong},
    find::{Finder, Listed},
    group, mapping,
    project::Projection,
    query::{Page, Query},
    rows,
    schema::{Resource, Schemas},
    user,
    write::{Action, Done, run},
};
use crate::api::{Hub, body};

/// The longest body of one resource, bytes: a group may be sent with all of its members.
const BODY: usize = 4 * 1024 * 1024;
/// How many members a group is answered with after a PATCH; one with more is answered without a body (RFC 7644
/// §3.5.2), so that one more member costs the same in any group.
const SHOWN: u32 = 100;

type Pairs = Parameters<Vec<(String, String)>>;

/// All routes below the base.
pub fn router(hub: Hub) -> Router<Hub> {
    Router::new()
        .route("/ServiceProviderConfig", get(discovery::config))
        .route("/ResourceTypes", get(discovery::resource_types))
        .route("/ResourceTypes/{id}", get(discovery::one_resource_type))
        .route("/Schemas", get(discovery::schemas))
        .route("/Schemas/{id}", get(discovery::one_schema))
        .route("/Users", all(Resource::User))
        .route("/Users/.search", searched(Some(Resource::User)))
        .route("/Users/{id}", one(Resource::User))
        .route("/Groups", all(Resource::Group))
        .route("/Groups/.search", searched(Some(Resource::Group)))
        .route("/Groups/{id}", one(Resource::Group))
        .route("/.search", searched(None))
        .route("/Bulk", post(bulk::bulk).layer(body::limit(bulk::LONGEST)))
        .route(
            "/Me",
            any(|| async { Fault::new(Wrong::NotSpoken, "a caller is an integration and no user") }),
        )
        .fallback(|| async { Fault::new(Wrong::Nothing, "there is no such resource") })
        .method_not_allowed_fallback(|| async {
            Fault::new(Wrong::Method, "the resource does not have this method")
        })
        .layer(body::limit(BODY))
        .layer(axum::middleware::from_fn_with_state(hub, authenticate))
}

fn all(resource: Resource) -> MethodRouter<Hub> {
    get(move |State(hub): State<Hub>, call: Call, Parameters(pairs): Pairs| async move {
        let query = Query::of_pairs(pairs)?;
        found(&hub, &call, Some(resource), &query).await
    })
    .post(
        move |State(hub): State<Hub>, call: Call, Parameters(pairs): Pairs, Body(body): Body| async move {
            let cx = Request { hub, call, resource, condition: Condition::default(), pairs };
            cx.write(None, Action::Create(body)).await
        },
    )
}

fn searched(resource: Option<Resource>) -> MethodRouter<Hub> {
    post(move |State(hub): State<Hub>, call: Call, Body(body): Body| async move {
        let query = Query::of_body(body)?;
        found(&hub, &call, resource, &query).await
    })
}

fn one(resource: Resource) -> MethodRouter<Hub> {
    type Seen = (State<Hub>, Call, Path<String>, HeaderMap, Pairs);
    let request = move |(State(hub), call, Path(id), headers, Parameters(pairs)): Seen| {
        let condition = Condition::of(&headers);
        (Request { hub, call, resource, condition, pairs }, id)
    };
    get(move |a: State<Hub>, b: Call, c: Path<String>, d: HeaderMap, e: Pairs| async move {
        let (request, id) = request((a, b, c, d, e));
        request.read(&id).await
    })
    .put(
        move |a: State<Hub>, b: Call, c: Path<String>, d: HeaderMap, e: Pairs, Body(body): Body| async move {
            let (request, id) = request((a, b, c, d, e));
            request.write(Some(id), Action::Replace(body)).await
        },
    )
    .patch(
        move |a: State<Hub>, b: Call, c: Path<String>, d: HeaderMap, e: Pairs, Body(body): Body| async move {
            let (request, id) = request((a, b, c, d, e));
            request.write(Some(id), Action::Patch(body)).await
        },
    )
    .delete(move |a: State<Hub>, b: Call, c: Path<String>, d: HeaderMap, e: Pairs| async move {
        let (request, id) = request((a, b, c, d, e));
        request.write(Some(id), Action::Delete).await
    })
}

/// A request about one resource.
struct Request {
    hub: Hub,
    call: Call,
    resource: Resource,
    condition: Condition,
    pairs: Vec<(String, String)>,
}

impl Request {
    fn wanted(&self, schemas: &Schemas) -> Result<Projection> {
        let query = Query::of_pairs(self.pairs.clone())?;
        Projection::parse(query.attributes.as_deref(), query.excluded.as_deref(), schemas)
    }

    async fn read(&self, id: &str) -> Result<Answer> {
        let looking = self.hub.engine.looking(&self.call.caller)?;
        let source = looking.source();
        let mut tx = self.hub.engine.parts().store.read().await?;
        let (schemas, revision, resource) = match self.resource {
            Resource::User => {
                let found = user::find(&self.hub, &mut *tx, source, id).await?;
                let schemas = mapping::user_schemas(&user::settings(&looking)?);
                (schemas, found.revision, rows::rendered(&found, &self.call.base))
            }
            Resource::Group => {
                let found = group::find(&self.hub, &mut *tx, source, id).await?;
                (Schemas::of(Resource::Group), found.revision, rows::rendered(&found, &self.call.base))
            }
        };
        let tag = super::etag::tag(revision);
        if self.condition.has(revision) {
            return Ok(Answer::empty(StatusCode::NOT_MODIFIED).header(header::ETAG, tag));
        }
        let wanted = self.wanted(&schemas)?;
        let resource = self.completed(&mut *tx, source, resource, &wanted).await?;
        Ok(Answer::of(Value::Object(wanted.of(resource))).header(header::ETAG, tag))
    }

    /// The resource with what is kept apart of it, where that is wanted.
    async fn completed(
        &self,
        tx: &mut dyn Tx,
        source: &SourceName,
        resource: Map<String, Value>,
        wanted: &Projection,
    ) -> Result<Map<String, Value>> {
        let (hub, of, mut one) = (&self.hub, (source, self.call.base.as_str()), [resource]);
        match self.resource {
            Resource::User => rows::complete::<PushedUser>(hub, tx, of, &mut one, wanted).await?,
            Resource::Group => rows::complete::<PushedGroup>(hub, tx, of, &mut one, wanted).await?,
        }
        let [resource] = one;
        Ok(resource)
    }

    async fn write(self, id: Option<String>, action: Action) -> Result<Answer> {
        // What cannot be answered is not done.
        let pushing = self.hub.engine.looking(&self.call.caller)?;
        let schemas = match self.resource {
            Resource::User => mapping::user_schemas(&user::settings(&pushing)?),
            Resource::Group => Schemas::of(Resource::Group),
        };
        let wanted = self.wanted(&schemas)?;
        let of = (self.resource, id.as_deref());
        let done = run(&self.hub, &self.call, of, &action, &self.condition).await?;
        let Done { created, id, location, version, resource } = done;
        let Some(version) = version else { return Ok(Answer::empty(StatusCode::NO_CONTENT)) };
        let tagged = |answer: Answer| answer.header(header::ETAG, version.clone());
        if matches!(action, Action::Patch(_)) && !wanted.is_said() && self.is_large(&id).await? {
            return Ok(tagged(Answer::empty(StatusCode::NO_CONTENT)));
        }
        let mut tx = self.hub.engine.parts().store.read().await?;
        let resource = self.completed(&mut *tx, pushing.source(), resource, &wanted).await?;
        let answer = tagged(Answer::of(Value::Object(wanted.of(resource))));
        Ok(match created {
            true => Answer { status: StatusCode::CREATED, ..answer }.header(header::LOCATION, location),
            false => answer,
        })
    }

    async fn is_large(&self, id: &str) -> Result<bool> {
        match self.resource {
            Resource::User => Ok(false),
            Resource::Group => {
                let mut tx = self.hub.engine.parts().store.read().await?;
                let first = rows::members(&self.hub, &mut *tx, id, Some(SHOWN + 1)).await?;
                Ok(first.len() > SHOWN as usize)
            }
        }
    }
}

/// The page of a list, of one kind of resources or of all.
async fn found(hub: &Hub, call: &Call, resource: Option<Resource>, query: &Query) -> Result<Answer> {
    let looking = hub.engine.looking(&call.caller)?;
    let source = looking.source();
    let user_schemas = mapping::user_schemas(&user::settings(&looking)?);
    let group_schemas = Schemas::of(Resource::Group);
    let mut tx = hub.engine.parts().store.read().await?;
    let mut finder = Finder { hub, tx: &mut *tx, source, base: &call.base, schemas: &user_schemas, query };
    let listed = match resource {
        Some(Resource::User) => finder.list::<PushedUser>().await?,
        Some(Resource::Group) => {
            finder.schemas = &group_schemas;
            finder.list::<PushedGroup>().await?
        }
        None => {
            let Page::Index { start, count } = query.page else {
                return Err(Fault::new(Wrong::Cursor, "a search in everything is paged by `startIndex`"));
            };
            let users = finder.list::<PushedUser>().await?;
            let before = u32::try_from(users.total.unwrap_or(0)).unwrap_or(u32::MAX);
            let left = count.saturating_sub(u32::try_from(users.items.len()).unwrap_or(count));
            let page = Page::Index { start: start.saturating_sub(before).max(1), count: left };
            let rest = Query { page, ..query.clone() };
            (finder.schemas, finder.query) = (&group_schemas, &rest);
            let groups = finder.list::<PushedGroup>().await?;
            let total = users.total.zip(groups.total).map(|(users, groups)| users + groups);
            let items = users.items.into_iter().chain(groups.items).collect();
            Listed { total, items, next: None }
        }
    };
    let start = match query.page {
        Page::Index { start, .. } => Some(start),
        Page::Cursor { .. } => None,
    };
    Ok(list(listed, start))
}
