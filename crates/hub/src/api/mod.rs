//! The HTTP API, `/api/v1/…`: what every command and every other client goes through; and the door,
//! `/door/v1/…`, for integrations.
//!
//! Bearer tokens of operators; JSON in and out; problems as RFC 9457 with stable codes. One file for each
//! resource: what it looks like, then its handlers. A handler translates; what is decided is decided by
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
mod decisions;
pub mod departures;
mod door;
pub mod evidence;
mod exposition;
pub mod findings;
mod health;
mod hooks;
pub mod identities;
pub mod integrations;
pub mod kill;
pub mod metrics;
pub mod names;
mod operators;
mod pace;
pub mod page;
pub mod passkeys;
pub mod plans;
mod programs;
pub mod recovery;
mod request;
pub mod reviews;
pub mod sessions;
mod sources;
pub mod status;
pub mod systems;
pub mod tasks;
mod terminations;
pub mod tokens;
pub mod traces;
mod undo;
pub mod wait;

use std::sync::Arc;

use axum::{
    Router,
    routing::{delete, get, patch, post, put},
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
    caller::{Caller, bearer},
    cases::{Accepted, CaseLine, CaseView},
    configuration::Bundle,
    decisions::{DecisionAsked, DecisionView},
    departures::{DepartureView, StayRequest},
    evidence::{CheckRequest, CheckView, EraseRequest, EraseView},
    findings::FindingView,
    hooks::HookMade,
    identities::{HolderView, IdentityView, JoinRequest, SplitRequest, Who, WhyView},
    integrations::{CallerMade, IntegrationView, NewCaller, Withdrawal},
    names::{NameRelease, NameView},
    operators::{
        AskedFor, EnrolRequest, Enrolled, InvitationHalf, Joining, NewOperator, OperatorMade, OperatorView,
    },
    pace::Pace,
    page::Page,
    passkeys::{PasskeyView, Proving, party},
    plans::{ApprovalRequest, PlanView},
    recovery::RecoveryRelease,
    reviews::{Acceptance, DecisionRequest, Proposal, ReviewView},
    sessions::{Offered, SessionView},
    sources::Delivered,
    status::{Status, SystemStatus},
    systems::{DifferenceView, ProfileView, ProgressView, ReconciledView},
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

/// All routes.
pub fn router(hub: Hub) -> Router {
    let routes = Router::new()
        .route("/status", get(status::show))
        .route("/configuration/change", post(configuration::change).layer(body::limit(CONFIGURATION)))
        .route("/configuration", put(configuration::replace).layer(body::limit(CONFIGURATION)))
        .route("/sources/{source}/deliveries", post(sources::deliver).layer(body::limit(DELIVERY)))
        .route("/batches", get(batches::list))
        .route("/batches/{batch}", get(batches::show))
        .route("/batches/{batch}/release", post(batches::release))
        .route("/plans", get(plans::list))
        .route("/plans/{plan}", get(plans::show))
        .route("/plans/{plan}/approval", post(plans::approve))
        .route("/plans/{plan}/invitation", get(operators::invitation))
        .route("/undo", post(undo::ask))
        .route("/recovery", get(recovery::show))
        .route("/recovery/release", post(recovery::release))
        .route("/identities", get(identities::list))
        .route("/identities/{identity}", get(identities::show))
        .route("/identities/{identity}/stay", post(departures::stay))
        .route("/departures", get(departures::list))
        .route("/names", get(names::list))
        .route("/names/{name}/release", post(names::release))
        .route("/identities/{identity}/join", post(identities::join))
        .route("/identities/{identity}/split", post(identities::split))
        .route("/identities/{identity}/entitlements/{entitlement}", get(identities::why))
        .route("/entitlements/{entitlement}/holders", get(identities::holders))
        .route("/accounts", get(accounts::list))
        .route("/alignments", get(alignments::list))
        .route("/identities/{identity}/alignment", post(alignments::look))
        .route("/cases", get(cases::list))
        .route("/cases/{case}", get(cases::show))
        .route("/cases/{case}/cells/{system}/{class}/control", post(cases::accept))
        .route("/findings", get(findings::list))
        .route("/tasks", get(tasks::list))
        .route("/tasks/{task}", get(tasks::show))
        .route("/tasks/{task}/answer", post(tasks::answer))
        .route("/systems/{system}/check", post(systems::check))
        .route("/systems/{system}/profile", get(systems::profile).post(systems::probe))
        .route("/systems/{system}/drill", get(systems::drilled).post(systems::drill))
        .route("/systems/{system}/trial", post(systems::trial))
        .route("/systems/{system}/audit", post(systems::audit))
        .route("/systems/{system}/reconciliation", get(systems::progress).post(systems::reconcile))
        .route("/integrations", get(integrations::list))
        .route("/integrations/{integration}/authority", get(authority::show))
        .route("/integrations/{integration}/blast", get(authority::of_integration))
        .route("/integrations/{integration}/credentials/{purpose}/blast", get(authority::of_credential))
        .route("/vendors/{vendor}/blast", get(authority::of_vendor))
        .route("/integrations/{integration}/release", post(integrations::release))
        .route("/integrations/{integration}/withdrawal", post(integrations::withdraw))
        .route("/integrations/{integration}/certification", post(integrations::certify))
        .route("/integrations/{integration}/held", get(integrations::held))
        .route("/integrations/{integration}/token", post(integrations::admit).delete(integrations::dismiss))
        .route("/integrations/{integration}/hook", post(hooks::make).delete(hooks::end))
        .route("/signals", get(door::list))
        .route("/integrations/{integration}/credentials/{purpose}", put(integrations::seal))
        .route("/integrations/{integration}/test", post(integrations::test))
        .route("/exceptions", get(access::list).post(access::ask))
        .route("/exceptions/{exception}/end", post(access::end))
        .route("/break-glass", get(break_glass::list))
        .route("/break-glass/{case}", post(break_glass::open))
        .route("/break-glass/exceptions/{exception}/review", post(break_glass::review))
        .route("/terminations", get(terminations::list).post(terminations::arm))
        .route("/terminations/fire", post(terminations::fire))
        .route("/terminations/disarm", post(terminations::disarm))
        .route("/terminations/{termination}", get(terminations::show))
        .route("/terminations/{termination}/lift", post(terminations::lift))
        .route("/operators/{name}/factor", post(operators::enrol))
        .route("/operators/{name}/token", delete(operators::revoke))
        .route("/integrations/{integration}/transfer", post(reviews::propose))
        .route("/integrations/{integration}/acceptance", post(reviews::accept))
        .route("/integrations/{integration}/review", get(reviews::show).post(reviews::decide))
        .route("/reviews", get(reviews::list))
        .route("/transfers", get(reviews::transfers))
        .route("/integrations/{integration}/kill", get(kill::show).post(kill::kill))
        .route("/integrations/{integration}/drill", post(kill::drill))
        .route("/vendors/{vendor}/sweep", get(kill::swept).post(kill::sweep))
        .route("/operators", get(operators::list).post(operators::add))
        .route("/sessions", get(sessions::list).post(sessions::offer))
        .route("/sessions/{session}", delete(sessions::end))
        .route("/decisions", post(decisions::explain))
        .route("/passkeys", get(passkeys::list))
        .route("/passkeys/{passkey}/removal", post(passkeys::remove))
        .route("/tokens", get(tokens::list).post(tokens::make))
        .route("/tokens/{token}", delete(tokens::revoke))
        .route("/metrics", get(metrics::show))
        .route("/traces", get(traces::list))
        .route("/traces/{event}", get(traces::show))
        .route("/evidence/checkpoint", get(evidence::checkpoint))
        .route("/evidence/packs/{subject}", get(evidence::export))
        .route("/evidence/check", post(evidence::check))
        .route("/evidence/erasures", post(evidence::erase))
        .layer(axum::middleware::from_fn_with_state(hub.clone(), caller::authenticate))
        // Whoever joins has no token yet.
        .route("/operators/{name}/joining", post(operators::join));
    let scraped = Router::new()
        .route("/metrics", get(exposition::show))
        .layer(axum::middleware::from_fn_with_state(hub.clone(), caller::authenticate));
    let door = Router::new()
        .route("/signals", post(door::signal))
        .route("/identities/{source}/{key}", patch(door::write))
        .layer(body::limit(AT_THE_DOOR))
        .layer(axum::middleware::from_fn_with_state(hub.clone(), door::authenticate));
    Router::new()
        .nest("/api/v1", routes)
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
        .layer(axum::middleware::from_fn_with_state(hub.clone(), request::identify))
        .with_state(hub)
}

#[cfg(test)]
mod door_tests;
