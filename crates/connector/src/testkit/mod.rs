//! The contract kit.
mod surroundings;
pub use surroundings::{Hands, Seeded};
