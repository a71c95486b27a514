//! The store seam: one way to keep state, for SQLite and PostgreSQL.
//!
//! State is kept as typed documents in tables with typed key columns. A row changes only through
//! [`Tx::write`], which takes the evidence record with the rows that it explains: a change of state
//! without evidence does not compile. Every replaced row names the revision it replaces.
//!
//! Absent on purpose: joins across documents, any SQL outside this crate, any in-memory stand-in
//! (the test store is SQLite in memory).

mod asked;
mod batch;
mod derived;
pub mod entities;
mod entity;
mod error;
mod evidence;
mod gathered;
mod migrate;
mod open;
mod postgres;
mod queue;
mod reading;
mod rows;
mod seam;
mod sql;
mod sqlite;
mod state;
mod table;
#[cfg(feature = "testkit")]
pub mod testkit;
mod transaction;
mod typed;
mod update;

pub use entity::Entity;
pub use error::{Result, StoreError};
pub use gathered::Gathered;
pub use migrate::Upgrade;
pub use open::{open, rehearse};
pub use seam::{Bell, Entry, Filter, LogHead, NewWork, Outline, Outlines, Select, Store, Tx, Work};
pub use sqlite::snapshot;
pub use state::{Deviation, How, deviations, deviations_by, row_count};
pub use table::{KeyKind, KeyValue, Row, Table, as_key};
pub use typed::{Pages, Stored, get, select};
pub use update::{Ready, Update, Write};
