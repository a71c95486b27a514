//! Tests of the lab through its router and its back door.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod behaviours;
mod credentials;
mod determinism;
mod filters;
mod groups;
mod harness;
mod pages;
mod patches;
mod requests;
mod socket;
mod survivors;
