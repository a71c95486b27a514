//! A made-up company for programs that test whole hubs from outside: its people, its systems in a lab, the program as
//! somebody uses it, and what must be true of all of it in the end.

pub mod arguments;
pub mod oracle;
pub mod people;
pub mod program;
pub mod systems;
