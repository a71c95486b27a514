//! What is true and what should change.
//!
//! Values of the pipeline and the pure functions between them:
//! `intake → decide → plan → approve → (apply) → verify`. Everything here is synchronous and total:
//! no I/O, no clock, no randomness, no environment, no async; ordered maps only. Time and chance come
//! in as [`time::Clock`] and [`id::Entropy`], or better, as plain values.

pub mod access;
pub mod account;
pub mod alignment;
pub mod approval;
pub mod audit;
pub mod authority;
pub mod automation;
pub mod budget;
pub mod case;
pub mod contract;
pub mod control;
pub mod decide;
pub mod difference;
pub mod digest;
pub mod dn;
pub mod drill;
pub mod effective;
pub mod engagement;
pub mod event;
pub mod exception;
pub mod exposure;
pub mod factor;
pub mod finding;
pub mod gate;
pub mod govern;
pub mod guard;
pub mod id;
pub mod identity;
pub mod index;
pub mod integration;
pub mod join;
pub mod kill;
pub mod limit;
pub mod metrics;
pub mod nesting;
pub mod openid;
pub mod passkey;
pub mod past;
pub mod perform;
pub mod person;
pub mod plan;
pub mod policy;
pub mod profile;
pub mod record;
pub mod reserved;
pub mod resource;
pub mod review;
pub mod right;
pub mod said;
mod schema;
pub mod scope;
pub mod scope_test;
pub mod signal;
pub mod stay;
pub mod system;
pub mod task;
pub mod termination;
pub mod then;
pub mod time;
pub mod trace;
pub mod transfer;
pub mod undo;
pub mod verify;
pub mod writer;
