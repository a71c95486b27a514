//! The program as people run it: the real binary, real processes, golden output.
//!
//! Each case of bad input asserts on exit code, stable code and place, and that the state is as before.
//! `BAILIWICK_BLESS=1` writes the golden files anew; look at the difference before committing it.

mod configuration;
mod evidence;
mod feeds;
mod golden;
mod surroundings;
mod tour;
mod world;
