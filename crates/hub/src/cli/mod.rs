//! The command line. One file for each group of commands: its arguments, then what it does.
//!
//! Every command but `init`, `serve`, `backup`, `restore`, `upgrade`, `lab`, `demo`, `connector list` and `check`, `evidence verify` and
//! `completions` talks to a running hub over its HTTP API.

mod access;
mod account;
mod alignment;
mod apply;
pub mod asked;
mod audit;
mod authority;
mod batch;
mod blast;
mod break_glass;
mod case;
mod completions;
mod connector;
mod credential;
mod decide;
mod drill;
mod evidence;
mod finding;
mod identity;
mod import;
mod integration;
mod kill;
mod list;
mod matrix;
mod metrics;
mod name;
mod operator;
mod passkey;
mod plan;
mod probe;
mod reconcile;
mod recovery;
mod review;
mod sign_in;
mod signal;
mod source;
mod status;
mod task;
mod termination;
mod token;
mod trace;
mod undo;
mod welcome;
mod why;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, error::ErrorKind};

pub use self::{
    access::{because, minutes},
    apply::{make, preview},
    case::{accept as accept_control, get as case, uses as uses_of},
    credential::set as set_credential,
    evidence::{check as check_evidence, export, verify, write as write_file},
    import::{deliver, read as read_file},
    list::ListArgs,
    matrix::{matrix, reasons, verifier},
    operator::ask as ask_operator,
    plan::{describe as describe_plan, get as plan, give as approve, give_proved as approve_proved},
    probe::{deletes, described as does},
    reconcile::reconcile,
    undo::words as becomes,
};
use crate::{
    client::Client,
    environment::Environment,
    failure::{Exit, Failure, Result},
    profile::{self, Profile},
    render::Output,
};

/// How long commands that change something wait for the hub to have done it, seconds.
pub const PATIENCE: u64 = 30;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  a problem was found, or the request was refused
  2  the command line or the surroundings are not right
  3  the hub or the store cannot be reached or opened

Example:
  bailiwick init && bailiwick serve";

/// Carries identity state to the systems that hold access, and proves what became of it.
#[derive(Parser)]
#[command(name = "bailiwick", version, after_help = EXIT_CODES, max_term_width = 100, disable_help_subcommand = true)]
struct Line {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every command takes.
#[derive(Args)]
struct Global {
    /// The profile file: which hub, and the token [env: BAILIWICK_PROFILE] [default:
    /// ~/.config/bailiwick/profile.toml]
    #[arg(long, global = true, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Print one JSON value instead of text; errors as problem+json on standard error
    #[arg(long, global = true)]
    json: bool,
    /// Print results only
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Set up a data folder: database, keys, first operator
    Init(crate::init::InitArgs),
    /// Make a data folder for one more node of a hub on PostgreSQL
    Join(crate::join::JoinArgs),
    /// Run the hub: API and workers
    Serve(crate::serve::ServeArgs),
    /// Copy what the hub knows, while it works
    Backup(crate::backup::BackupArgs),
    /// Go on from a backup; plans only until it is released
    Restore(crate::restore::RestoreArgs),
    /// Bring the store up to date, or rehearse it
    Upgrade(crate::upgrade::UpgradeArgs),
    /// See it all at work on simulated systems, in half a minute
    Demo(crate::demo::DemoArgs),
    /// Run simulated systems with a back door to their truth
    Lab(crate::lab::LabArgs),
    /// A link that signs you in at the console, once
    SignIn(sign_in::SignInArgs),
    /// How the hub is doing
    Status(status::StatusArgs),
    /// Apply a folder of configuration; shows what would change and asks
    Apply(apply::ApplyArgs),
    /// Deliver a feed of a source
    Import(import::ImportArgs),
    /// Where people come from, and reading it
    #[command(subcommand)]
    Source(source::SourceCommand),
    /// What was delivered, why a delivery is held, and letting it go
    #[command(subcommand)]
    Batch(batch::BatchCommand),
    /// What is to be changed for whom
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// Approve a plan as it was seen
    Approve(plan::ApproveArgs),
    /// Who is known
    #[command(subcommand)]
    Identity(identity::IdentityCommand),
    /// Accounts on the systems
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Why somebody has an entitlement, or has not
    #[command(visible_alias = "why-not")]
    Why(why::WhyArgs),
    /// Who holds an entitlement, by which way, and what gives it to them
    WhoCan(why::WhoCanArgs),
    /// What would be answered to whoever asks whether somebody may do something
    Decide(decide::DecideArgs),
    /// Every hop of an event from its source to the proof, and what is late or stuck
    Trace(trace::TraceArgs),
    /// How fast access ends, how long it outlives people, what is overdue; from the log
    Metrics(metrics::MetricsArgs),
    /// Leavers, cell by cell
    #[command(subcommand)]
    Case(case::CaseCommand),
    /// What is wrong, and who must act
    #[command(subcommand)]
    Finding(finding::FindingCommand),
    /// Names of those who left, which nobody else is given
    #[command(subcommand)]
    Name(name::NameCommand),
    /// What integrations want people to know
    #[command(subcommand)]
    Signal(signal::SignalCommand),
    /// What people are asked to do, and their answers
    #[command(subcommand)]
    Task(task::TaskCommand),
    /// People who are made ready to go, and are made to go at once
    #[command(subcommand)]
    Termination(termination::TerminationCommand),
    /// Compare a system with what is known of it
    Reconcile(reconcile::ReconcileArgs),
    /// Learn on a canary how a system really behaves
    Probe(probe::ProbeArgs),
    /// Compare a system's own audit log with the hub's, both ways
    Audit(audit::AuditArgs),
    /// About whom systems disagree: somebody is inactive, and something of theirs works
    Alignment(alignment::AlignmentArgs),
    /// Show with a canary that leavers lose what they had
    Drill(drill::DrillArgs),
    /// What is connected
    #[command(subcommand)]
    Integration(integration::IntegrationCommand),
    /// Looking at integrations anew: what they were given and what they used
    #[command(subcommand)]
    Review(review::ReviewCommand),
    /// What can be connected, and descriptions of HTTP APIs
    #[command(subcommand)]
    Connector(connector::ConnectorCommand),
    /// What an integration can in effect do
    #[command(subcommand)]
    Authority(authority::AuthorityCommand),
    /// End an integration for good, and prove that its grant is dead
    Kill(kill::KillArgs),
    /// Everything of a vendor that had an incident, until none of its credentials is what it was
    Sweep(kill::SweepArgs),
    /// What could be done with something that was taken over
    Blast(blast::BlastArgs),
    /// Bring back what a plan took, by a plan that somebody else approves
    Undo(undo::UndoArgs),
    /// After a restore: what was not looked at since, and letting changes go out again
    #[command(subcommand)]
    Recovery(recovery::RecoveryCommand),
    /// Access for a time that no policy gives: asked for, approved, ended
    #[command(subcommand)]
    Access(access::AccessCommand),
    /// Access for an emergency: two people, an end, a review
    #[command(subcommand)]
    BreakGlass(break_glass::GlassCommand),
    /// Credentials of integrations
    #[command(subcommand)]
    Credential(credential::CredentialCommand),
    /// People who work with the hub
    #[command(subcommand)]
    Operator(operator::OperatorCommand),
    /// What you sign in with at the console
    #[command(subcommand)]
    Passkey(passkey::PasskeyCommand),
    /// Tokens for your programs
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Evidence: export, verify, check
    #[command(subcommand)]
    Evidence(evidence::EvidenceCommand),
    /// Completions for a shell
    Completions(completions::CompletionsArgs),
}

/// What a command has at hand.
pub struct Context<'e> {
    /// How to print.
    pub output: Output,
    /// The environment.
    pub environment: &'e Environment,
    /// The profile file as named on the command line.
    profile: Option<PathBuf>,
}

impl Context<'_> {
    /// Where the profile is.
    pub fn profile_path(&self) -> Result<PathBuf> {
        profile::path(self.profile.as_deref(), self.environment)
    }

    /// The hub of the profile.
    pub fn client(&self) -> Result<Client> {
        Client::new(&Profile::read(&self.profile_path()?)?)
    }
}

/// Runs the command line; says itself what went wrong.
pub fn run(environment: &Environment) -> Exit {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => {
            // Help that was asked for is not an error. A closed pipe is nobody's concern.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
                _ => Exit::Usage,
            };
        }
    };
    let Global { profile, json, quiet } = line.global;
    let output = Output::new(json, quiet, environment.no_color);
    let context = Context { output, environment, profile };
    let done = runtime().and_then(|runtime| runtime.block_on(dispatch(&context, line.command)));
    match done {
        Ok(exit) => exit,
        Err(failure) => {
            complain(output, &failure);
            failure.exit
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let made = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    made.map_err(|error| Failure::unreachable("internal", "cannot start the runtime").because(&error))
}

fn complain(output: Output, failure: &Failure) {
    if output.json {
        eprintln!("{}", serde_json::to_string_pretty(failure).unwrap_or_default());
    } else {
        eprintln!("{failure}");
    }
}

async fn dispatch(context: &Context<'_>, command: Option<Command>) -> Result<Exit> {
    let Some(command) = command else { return welcome::run(context).await };
    match command {
        Command::Init(args) => crate::init::run(context, args).await,
        Command::Join(args) => crate::join::run(context, args).await,
        Command::Serve(args) => crate::serve::run(context, args).await,
        Command::Backup(args) => crate::backup::run(context, args).await,
        Command::Restore(args) => crate::restore::run(context, args).await,
        Command::Upgrade(args) => crate::upgrade::run(context, args).await,
        Command::Recovery(command) => recovery::run(context, command).await,
        Command::Demo(args) => crate::demo::run(context, args).await,
        Command::Lab(args) => crate::lab::run(context, args).await,
        Command::SignIn(args) => sign_in::run(context, args).await,
        Command::Status(args) => status::run(context, args).await,
        Command::Apply(args) => apply::run(context, args).await,
        Command::Import(args) => import::run(context, args).await,
        Command::Source(command) => source::run(context, command).await,
        Command::Batch(command) => batch::run(context, command).await,
        Command::Plan(command) => plan::run(context, command).await,
        Command::Approve(args) => plan::approve(context, args).await,
        Command::Identity(command) => identity::run(context, command).await,
        Command::Account(command) => account::run(context, command).await,
        Command::Why(args) => why::run(context, args).await,
        Command::Decide(args) => decide::run(context, args).await,
        Command::WhoCan(args) => why::who_can(context, args).await,
        Command::Trace(args) => trace::run(context, args).await,
        Command::Metrics(args) => metrics::run(context, args).await,
        Command::Case(command) => case::run(context, command).await,
        Command::Finding(command) => finding::run(context, command).await,
        Command::Signal(command) => signal::run(context, command).await,
        Command::Task(command) => task::run(context, command).await,
        Command::Termination(command) => termination::run(context, command).await,
        Command::Reconcile(args) => reconcile::run(context, args).await,
        Command::Probe(args) => probe::run(context, args).await,
        Command::Drill(args) => drill::run(context, args).await,
        Command::Audit(args) => audit::run(context, args).await,
        Command::Alignment(args) => alignment::run(context, args).await,
        Command::Integration(command) => integration::run(context, command).await,
        Command::Authority(command) => authority::run(context, command).await,
        Command::Blast(args) => blast::run(context, args).await,
        Command::Kill(args) => kill::run(context, args).await,
        Command::Sweep(args) => kill::sweep(context, args).await,
        Command::Review(command) => review::run(context, command).await,
        Command::Connector(command) => connector::run(context, command).await,
        Command::Name(command) => name::run(context, command).await,
        Command::Undo(args) => undo::run(context, args).await,
        Command::Access(command) => access::run(context, command).await,
        Command::BreakGlass(command) => break_glass::run(context, command).await,
        Command::Credential(command) => credential::run(context, command).await,
        Command::Operator(command) => operator::run(context, command).await,
        Command::Passkey(command) => passkey::run(context, command).await,
        Command::Token(command) => token::run(context, command).await,
        Command::Evidence(command) => evidence::run(context, command).await,
        Command::Completions(args) => completions::run(context, &args),
    }
}

/// The whole command line, for completions and the tests of its help.
pub fn definition() -> clap::Command {
    <Line as clap::CommandFactory>::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_help_with_an_example() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "{path} says what it does");
            if command.has_subcommands() && path.contains(' ') {
                command.get_subcommands().for_each(|inner| check(inner, &path));
            }
            if !command.has_subcommands() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(
                    help.contains("Example") && help.contains("bailiwick "),
                    "{path} has an example: {help}"
                );
                // A line that is broken in the source has no gap on the screen.
                let gap = " ".repeat(9);
                let gaps: Vec<&str> = help.lines().filter(|line| line.trim_start().contains(&gap)).collect();
                assert!(gaps.is_empty(), "{path}: {gaps:?}");
                // A command may go on in another line; what is said before the example may not.
                let said = help.split("Example").next().unwrap_or_default();
                let stray: Vec<&str> = said.lines().filter(|line| line.trim_end().ends_with('\\')).collect();
                assert!(stray.is_empty(), "{path}: {stray:?}");
            }
        }
        let line = definition();
        line.clone().debug_assert();
        line.get_subcommands().for_each(|command| check(command, "bailiwick"));
    }
}
