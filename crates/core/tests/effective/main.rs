//! Effective access against an oracle that knows nothing but edges.

#![allow(clippy::unwrap_used, reason = "a test")]

mod changing;
mod naming;
mod oracle;
mod properties;
