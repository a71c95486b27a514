//! The console: pages for people, made here, on the same port as the API.
//!
//! Promises: what is read and done here is read and done by the handlers of the API, with the same rights; a page says
//! nothing that its text does not say without colours, scripts and pictures; everything can be read without a script. No
//! page loads anything from elsewhere, and none runs what is written in it (`content-security-policy`). One file for
//! each part of the console, with its template of the same name.
//!
//! Absent: state of its own but sessions; a second copy of any rule.

mod access;
mod act;
mod alignment;
mod assets;
mod cases;
mod configuration;
mod cookies;
mod departures;
mod ending;
mod evidence;
mod feeds;
mod findings;
mod frame;
mod graph;
mod headers;
mod home;
mod identities;
mod integrations;
mod join;
mod list;
mod live;
mod mine;
mod names;
mod operators;
mod passkeys;
mod plans;
mod policies;
mod provider;
mod reconciling;
mod records;
mod recovery;
mod reference;
mod reviews;
mod search;
mod show;
mod sign_in;
mod signed_in;
mod systems;
mod table;
mod tasks;
mod terminations;
mod trouble;
mod turned_away;
mod undo;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    routing::{get, post},
};

pub use self::turned_away::TurnedAway;
use crate::api::{Hub, body};

/// The largest form, bytes: the text of a policy file.
const FORM: usize = 256 * 1024;

/// All pages.
pub fn router(hub: &Hub) -> Router<Hub> {
    let pages = Router::new()
        .route("/", get(home::show))
        .route("/plans", get(plans::list))
        .route("/plans/{plan}", get(plans::show))
        .route("/plans/{plan}/approve", post(plans::approve))
        .route("/plans/{plan}/undo", post(undo::ask))
        .route("/cases", get(cases::list))
        .route("/cases/{case}", get(cases::show))
        .route("/cases/{case}/accept", post(cases::accept))
        .route("/findings", get(findings::list))
        .route("/tasks", get(tasks::list))
        .route("/tasks/{task}", get(tasks::show))
        .route("/tasks/{task}/answer", post(tasks::answer))
        .route("/integrations", get(integrations::list))
        .route("/integrations/{integration}", get(integrations::show))
        .route("/integrations/{integration}/drill", post(ending::drill))
        .route("/integrations/{integration}/kill", post(integrations::kill))
        .route("/integrations/{integration}/release", post(integrations::release))
        .route("/integrations/{integration}/withdraw", post(integrations::withdraw))
        .route("/integrations/{integration}/review", post(integrations::review))
        .route("/reviews", get(reviews::list))
        .route("/identities", get(identities::list))
        .route("/identities/{identity}", get(identities::show))
        .route("/identities/{identity}/why/{system}/{entitlement}", get(identities::why))
        .route("/identities/{identity}/access", post(access::ask))
        .route("/identities/{identity}/alignment", post(alignment::look))
        .route("/identities/{identity}/join", post(join::join))
        .route("/identities/{identity}/split", post(join::split))
        .route("/identities/{identity}/stay", post(departures::stay))
        .route("/access", get(access::list))
        .route("/access/{exception}/end", post(access::end))
        .route("/departures", get(departures::list))
        .route("/alignment", get(alignment::list))
        .route("/names", get(names::list))
        .route("/names/{name}", get(names::show))
        .route("/names/{name}/release", post(names::release))
        .route("/terminations", get(terminations::list).post(terminations::arm))
        .route("/terminations/fire", post(terminations::fire))
        .route("/terminations/{termination}", get(terminations::show))
        .route("/terminations/{termination}/disarm", post(terminations::disarm))
        .route("/terminations/{termination}/lift", post(terminations::lift))
        .route("/systems", get(systems::list))
        .route("/systems/{system}", get(systems::show))
        .route("/systems/{system}/compare", post(systems::compare))
        .route("/systems/{system}/drill", post(systems::drill))
        .route("/systems/{system}/probe", post(systems::probe))
        .route("/reconciling", get(reconciling::show))
        .route("/feeds", get(feeds::list))
        .route("/feeds/sources/{source}/read", post(feeds::read))
        .route("/feeds/{batch}", get(feeds::show))
        .route("/feeds/{batch}/release", post(feeds::release))
        .route("/policies", get(policies::list))
        .route("/policies/{*path}", get(policies::show).post(policies::simulate))
        .route("/configuration", get(configuration::show).post(configuration::preview))
        .route("/configuration/propose", post(configuration::propose))
        .route("/operators", get(operators::list))
        .route("/evidence", get(evidence::show))
        .route("/evidence/packs/{subject}", get(evidence::pack))
        .route("/recovery", get(recovery::show))
        .route("/recovery/release", post(recovery::release))
        .route("/search", get(search::show))
        .route("/live", get(live::show))
        .route("/sign-out", post(sign_in::leave))
        .route("/signed-in", get(mine::show))
        .route("/signed-in/challenge", get(passkeys::asked))
        .route("/signed-in/code", post(mine::code))
        .route("/signed-in/passkeys", post(mine::enrol))
        .route("/signed-in/passkeys/{passkey}/remove", post(mine::remove))
        .route("/signed-in/sessions/{session}/end", post(mine::end))
        .route("/signed-in/tokens", post(mine::make))
        .route("/signed-in/tokens/{token}/revoke", post(mine::revoke))
        .layer(from_fn_with_state(hub.clone(), signed_in::require));
    Router::new()
        .merge(pages)
        .route("/api", get(reference::show))
        .route("/api/{part}", get(reference::show_part))
        .route("/api/types/{name}", get(reference::show_type))
        .route("/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/sign-in/challenge", get(passkeys::challenge))
        .route("/sign-in/passkey", post(passkeys::enter))
        .route("/sign-in/provider", get(provider::begin))
        .route("/sign-in/callback", get(provider::arrive))
        .layer(from_fn(headers::guard))
        .route("/assets/{version}/{name}", get(assets::show))
        .layer(body::limit(FORM))
}

#[cfg(test)]
mod markup_tests;
