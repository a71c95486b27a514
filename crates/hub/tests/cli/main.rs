//! The program as people run it: the real binary, real processes, golden output.
//!
//! Each case of bad input asserts on exit code, stable code and place, and that the state is as before.
//! `BAILIWICK_BLESS=1` writes the golden files anew; look at the difference before committing it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod authority;
mod backup;
mod configuration;
mod connectors;
mod console;
mod control;
mod demo;
mod evidence;
mod feeds;
mod fuzz;
mod golden;
mod hints;
mod manual;
mod metrics;
mod nodes;
mod operating;
mod probe;
mod scenario;
mod scim;
mod sources;
mod surroundings;
mod tour;
mod world;
