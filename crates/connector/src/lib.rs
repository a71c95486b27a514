//! The connector contract, and the broker that is the only way out.
//!
//! A connector speaks one protocol to one kind of system. It never holds a credential and never opens a
//! connection: it asks the [`Line`] that the broker gives it. What a connector promises is in
//! [`Connector`]; each sentence there is a test of the contract kit in [`testkit`].

pub mod broker;
mod capability;
mod contract;
mod error;
mod object;
mod patient;
pub mod seal;
mod sentence;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

pub use broker::{Action, Answer, Broker, Call, Line};
pub use capability::{AccountWrite, ByPerson, Capability, Form};
pub use contract::{
    Applied, Connector, Entry, Hear, Issued, Listing, Locator, News, Outcome, Page, Read, Since, Start, Visit,
};
pub use error::{ConnectorError, Effect, ErrorKind, Result};
pub use object::{Object, ObjectState, ObjectValue};
pub use patient::{Patience, Patient, Pause, Sleep};
pub use sentence::Sentence;
