//! The HTTP API, `/api/v1/…`: what every command and every other client goes through; and the door,
//! `/door/v1/…`, for integrations.
//!
//! Bearer tokens of operators; JSON in and out; problems as RFC 9457 with stable codes. One file for each
//! resource: what can be done, what it looks like, then its handlers. The table of what can be done makes the router and the
//! description (`operation.rs`), and everybody is held to that (`contract.rs`). A handler translates; what is decided is decided by
//! the engine. Deliberately absent: any way to change state that is not a call of the engine.

pub mod access;
pub mod accounts;
pub mod alignments;
pub mod answer;
pub mod authority;
pub mod batches;
pub mod body;
mod break_glass;
pub mod caller;
pub mod cases;
pub mod configuration;
mod contract;
mod decisions;
pub mod departures;
pub mod description;
mod door;
mod etag;
pub mod evidence;
pub mod example;
mod exposition;
pub mod findings;
mod health;
mod hooks;
mod idempotency;
pub mod identities;
pub mod integrations;
pub mod kill;
pub mod metrics;
pub mod names;
pub mod openapi;
pub mod operation;
pub mod operators;
mod pace;
pub mod page;
pub mod passkeys;
pub mod plans;
mod programs;
pub mod reconciliations;
pub mod recovery;
mod request;
pub mod reviews;
pub mod sessions;
mod signature;
pub mod sources;
pub mod status;
mod strict;
pub mod systems;
pub mod tasks;
pub mod terminations;
pub mod tokens;
pub mod traces;
pub mod undo;
pub mod wait;

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    routing::{MethodRouter, get, patch, post},
};
use bailiwick_engine::{Engine, Sequencer};
use tokio::sync::{Semaphore, watch};

pub use self::{
    access::{Asked, Asking, ExceptionView},
    accounts::AccountView,
    alignments::AlignmentView,
    answer::{ApiError, Raw},
    authority::AuthorityView,
    batches::{BatchView, ReleaseRequest},
    break_glass::{GlassOpen, GlassOpened, GlassView, ReviewRequest},
    caller::{Caller, bearer, token_refused},
    cases::{Accepted, CaseLine, CaseView},
    configuration::Bundle,
    decisions::{DecisionAsked, DecisionView},
    departures::{DepartureView, StayRequest},
    description::{Described, Description, Section},
    evidence::{CheckRequest, CheckView, EraseRequest, EraseView, RecordView},
    findings::FindingView,
    hooks::HookMade,
    idempotency::{HEADER as KEY, UnderWay},
    identities::{HolderView, HoldersView, IdentityView, JoinRequest, SplitRequest, Who, WhyView},
    integrations::{CallerMade, CredentialSealed, IntegrationView, NewCaller, Withdrawal},
    names::{NameRelease, NameView},
    operation::{Access, Operation, Resource, Verb},
    operators::{
        AskedFor, EnrolRequest, Enrolled, InvitationHalf, Joining, NewOperator, OperatorMade, OperatorView,
    },
    pace::Pace,
    page::Page,
    passkeys::{PasskeyView, Proving, party},
    plans::{ApprovalRequest, PlanView},
    reconciliations::{DriftView, ReconciliationView, ReconciliationsView},
    recovery::RecoveryRelease,
    reviews::{Acceptance, DecisionRequest, Proposal, ReviewView},
    sessions::{Offered, SessionView},
    sources::{Delivered, SourceState, SourceView},
    status::{Status, SystemStatus},
    systems::{CheckedView, DifferenceView, ProfileView, ProgressView, ReconciledView},
    tasks::TaskView,
    terminations::{Arming, Because, FiredView, TerminationView, These},
    tokens::{NewToken, TokenMade, TokenView},
    traces::TraceView,
    undo::{Undoing, UndoneView},
};
use crate::{
    console::{self, TurnedAway},
    entrance::Entrance,
    folder::Folder,
    problem::Problem,
    worker::Worker,
};

/// Where the API begins.
const BASE: &str = "/api/v1";

/// The largest delivery of a feed, bytes.
const DELIVERY: usize = 256 * 1024 * 1024;
/// The largest configuration, bytes.
const CONFIGURATION: usize = 8 * 1024 * 1024;

/// The largest body of a call at the door, bytes.
const AT_THE_DOOR: usize = 16 * 1024;

/// The largest hint, bytes: it is signed as a whole, and not read.
const HINT: usize = 256 * 1024;

/// What the handlers work with.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

/// See [`Hub`].
pub struct Inner {
    /// Decides and does.
    pub engine: Arc<Engine>,
    /// Publishes the evidence.
    pub sequencer: Arc<Sequencer>,
    /// The loop.
    pub worker: Arc<Worker>,
    /// Where feeds are put.
    pub folder: Folder,
    /// Held while a delivery is put there and read.
    pub delivering: tokio::sync::Mutex<()>,
    /// The requests with a key that are under way.
    pub under_way: UnderWay,
    /// How often operators call.
    pub pace: Pace,
    /// Who was turned away.
    pub turned_away: TurnedAway,
    /// How people come.
    pub entrance: Entrance,
    /// How many more may watch what happens.
    pub watching: Arc<Semaphore>,
    /// Whether the hub stops.
    pub stopping: watch::Receiver<bool>,
}

impl Hub {
    /// A hub of these parts.
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

impl std::ops::Deref for Hub {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// What the API offers, in the order in which people meet it.
fn resources() -> Vec<Resource> {
    vec![
        status::routes(),
        configuration::routes(),
        sources::routes(),
        batches::routes(),
        plans::routes(),
        undo::routes(),
        recovery::routes(),
        identities::routes(),
        departures::routes(),
        names::routes(),
        accounts::routes(),
        alignments::routes(),
        cases::routes(),
        findings::routes(),
        tasks::routes(),
        systems::routes(),
        reconciliations::routes(),
        integrations::routes(),
        hooks::routes(),
        authority::routes(),
        decisions::routes(),
        reviews::routes(),
        kill::routes(),
        access::routes(),
        break_glass::routes(),
        terminations::routes(),
        door::routes(),
        operators::routes(),
        sessions::routes(),
        passkeys::routes(),
        tokens::routes(),
        metrics::routes(),
        traces::routes(),
        evidence::routes(),
    ]
}

/// What the API offers, described.
pub static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| Description::of(&resources()));

/// The operations of the table, each behind what keeps it; those that take a token behind that.
fn offered(hub: &Hub) -> Router<Hub> {
    let operations: Vec<Operation> = resources().into_iter().flat_map(|one| one.operations).collect();
    let mut views = Router::new();
    for one in operations.iter().filter(|one| operations.iter().any(|other| other.view == Some(one.path))) {
        if one.verb == Verb::Get {
            views = views.route(one.path, one.route.clone().route_layer(from_fn(etag::tag)));
        }
    }
    let views = views.with_state(hub.clone());
    let (mut closed, mut open) = (Router::new(), Router::new());
    for (operation, described) in operations.into_iter().zip(DESCRIPTION.operations()) {
        let Operation { path, access, .. } = operation;
        let route = kept(hub, operation, described, &views);
        match access {
            Access::Open => open = open.route(path, route),
            Access::Token | Access::Right(_) | Access::Own(_) | Access::Decided => {
                closed = closed.route(path, route);
            }
        }
    }
    closed.layer(from_fn_with_state(hub.clone(), caller::authenticate)).merge(open)
}

/// An operation behind what keeps it, from the inside out.
fn kept(hub: &Hub, operation: Operation, described: &Described, views: &Router) -> MethodRouter<Hub> {
    let Operation { id, path: _, route, limit, view, .. } = operation;
    let route = match (described.verb, described.keyed()) {
        (Verb::Get, _) => route.route_layer(from_fn(etag::tag)),
        (Verb::Post | Verb::Put | Verb::Delete, false) => route,
        (Verb::Post | Verb::Put | Verb::Delete, true) => {
            let parts = view.map(|view| view.split('/').count());
            let bound = Arc::new(etag::Bound { views: views.clone(), parts });
            let keyed = Arc::new(idempotency::Keyed { hub: hub.clone(), operation: id });
            route
                .route_layer(from_fn_with_state(bound, etag::bind))
                .route_layer(from_fn_with_state(keyed, idempotency::once))
        }
    };
    let kept = Arc::new(contract::Kept::from(described));
    let route = route.route_layer(from_fn_with_state(kept, contract::keep));
    match limit {
        Some(bytes) => route.route_layer(body::limit(bytes)),
        None => route,
    }
}

/// All routes.
pub fn router(hub: Hub) -> Router {
    let routes = offered(&hub).route("/openapi.json", get(openapi::show));
    let scraped = Router::new()
        .route("/metrics", get(exposition::show))
        .layer(from_fn_with_state(hub.clone(), caller::authenticate));
    let door = Router::new()
        .route("/signals", post(door::signal))
        .route("/identities/{source}/{key}", patch(door::write))
        .layer(body::limit(AT_THE_DOOR))
        .layer(from_fn_with_state(hub.clone(), door::authenticate));
    Router::new()
        .nest(BASE, routes)
        .nest("/door/v1", door)
        .route("/hooks/v1/{integration}", post(hooks::take).layer(body::limit(HINT)))
        .nest(crate::scim::BASE, crate::scim::router(hub.clone()))
        .nest(crate::authzen::BASE, crate::authzen::router(hub.clone()))
        .merge(crate::authzen::well_known())
        .merge(scraped)
        .merge(console::router(&hub))
        .route("/healthz", get(health::lives))
        .route("/readyz", get(health::ready))
        .fallback(|| async {
            answer::ApiError::from(Problem::new(404, "no-such-resource", "there is no such resource"))
        })
        .method_not_allowed_fallback(|| async {
            answer::ApiError::from(Problem::new(
                405,
                "method-not-allowed",
                "the resource does not have this method",
            ))
        })
        .layer(from_fn_with_state(hub.clone(), request::identify))
        .with_state(hub)
}

#[cfg(test)]
mod access_tests;
#[cfg(test)]
mod attack_tests;
#[cfg(test)]
mod condition_tests;
#[cfg(test)]
mod door_tests;
#[cfg(test)]
mod guide_tests;
#[cfg(test)]
mod once_tests;
#[cfg(test)]
mod openapi_tests;
#[cfg(test)]
mod stage_tests;
#[cfg(test)]
mod tenant_rooms_tests;
#[cfg(test)]
mod tenant_tests;
