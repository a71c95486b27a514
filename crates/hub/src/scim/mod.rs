//! SCIM 2.0 at `/scim/v2` (RFC 7643, RFC 7644, RFC 9865): who knows people pushes them to the hub.
//!
//! A caller has the token of an integration that is declared as a source with the connector `scim-push`; the token says
//! whose users and groups these are, and there are no others for it. What is sent is kept as it was sent and reads back
//! so; what it says to the hub is an event of the source, and goes the way of all events. This room speaks the protocol
//! and decides nothing: what is taken, refused or held is up to the engine. Absent: passwords, rights of users, and any
//! way to reach an identity of another source.

mod answer;
mod bulk;
mod call;
mod discovery;
mod etag;
mod fault;
mod filter;
mod find;
mod group;
mod json;
mod mapping;
mod patch;
mod path;
mod project;
mod query;
mod routes;
mod rows;
mod schema;
mod shape;
mod user;
mod write;

pub use self::{call::BASE, mapping::misfits, routes::router};

#[cfg(test)]
mod attacker_tests;
#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod list_tests;
#[cfg(test)]
pub mod stage_tests;
#[cfg(test)]
mod user_tests;
