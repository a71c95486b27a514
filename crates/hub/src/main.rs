//! `bailiwick`: hub, command line and laboratory in one program.

mod acme;
mod api;
mod authzen;
mod backup;
#[cfg(test)]
mod bare_tests;
mod cli;
mod client;
mod clock;
mod config;
mod connections;
mod console;
mod demo;
mod entrance;
mod environment;
mod failure;
mod folder;
mod help;
mod init;
mod join;
mod lab;
mod node;
mod open;
mod problem;
mod profile;
mod render;
mod restore;
mod scim;
mod serve;
mod span;
mod telemetry;
mod translate;
mod upgrade;
mod worker;

use std::process::ExitCode;

use crate::environment::Environment;

fn main() -> ExitCode {
    ExitCode::from(cli::run(&Environment::read()) as u8)
}
