//! What an integration can in effect do, and whether a scope is inside another.

#![allow(clippy::unwrap_used, reason = "a test")]

mod blasting;
mod comparing;
mod computing;
mod generated;
mod properties;
