//! `bailiwick init`: a data folder, its keys, and the first operator.
//!
//! Nothing is written before everything that can be in the way was looked at; what exists is never
//! overwritten.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf};

use bailiwick_core::{id::Entropy, record::Actor};
use bailiwick_evidence::Signer;
use clap::Args;
use serde::Serialize;

use crate::{
    cli::Context,
    clock::SystemEntropy,
    environment::Environment,
    failure::{Exit, Failure, Result},
    folder::{Folder, write_secret},
    open::{self, Opened},
    problem::Problem,
    profile::{self, Profile},
};

/// How long the first operator's token works, days.
const DAYS: u16 = 365;
/// What the first operator may do.
const ROLES: [&str; 3] = ["admin", "operator", "approver"];

/// Arguments of `bailiwick init`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  bailiwick init ./bailiwick-data\n  bailiwick serve --data ./bailiwick-data"
)]
pub struct InitArgs {
    /// The data folder
    #[arg(default_value = "./bailiwick-data", value_name = "DIR")]
    dir: PathBuf,
    /// The store: a SQLite file, or `postgres://…` [default: DIR/bailiwick.db]
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    /// Where the hub will listen, for the profile
    #[arg(long, default_value = "127.0.0.1:7460", value_name = "HOST:PORT")]
    listen: SocketAddr,
    /// How people reach the hub, for the profile [default: http://LISTEN]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Certificates, PEM, of which one has issued the hub's, for the profile [default: the machine's own]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The name of the first operator [default: your user name]
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// The person the first operator is, `source/key`, so that they cannot approve their own access
    #[arg(long, value_name = "PERSON")]
    person: Option<String>,
    /// The name of the evidence log, the same for its whole life, such as `bailiwick.example.com/log`
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// Print the token too
    #[arg(long)]
    show_token: bool,
}

/// What was made.
#[derive(Serialize)]
struct Made {
    data: PathBuf,
    profile: PathBuf,
    operator: String,
    log_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// What a hub starts with.
pub struct Start {
    /// The data folder.
    pub dir: PathBuf,
    /// The store, if it is not the SQLite file in the folder.
    pub store: Option<String>,
    /// The name of the first operator.
    pub operator: String,
    /// The person they are.
    pub person: Option<String>,
    /// The name of the log; without one, one that nobody else has.
    pub origin: Option<String>,
}

/// Sets it up and says what to do next.
pub async fn run(context: &Context<'_>, args: InitArgs) -> Result<Exit> {
    let path = context.profile_path()?;
    if path.exists() {
        return Err(Failure::usage("profile-exists", format!("there is a profile at `{}`", path.display())));
    }
    let operator =
        args.operator.or_else(|| context.environment.user.clone()).unwrap_or_else(|| "admin".into());
    let start = Start {
        dir: args.dir.clone(),
        store: args.store.clone(),
        operator,
        person: args.person,
        origin: args.origin,
    };
    let (opened, token) = set_up(start, context.environment).await?;
    let url = args.url.unwrap_or_else(|| format!("http://{}", args.listen));
    let profile = Profile {
        url,
        ca: profile::ca(args.ca),
        operator: token.operator.clone(),
        token: token.secret.clone(),
    };
    profile.write(&path)?;
    let log_key = opened.log_key()?;
    let made = Made {
        data: opened.folder.path().to_owned(),
        profile: path,
        operator: token.operator,
        log_key,
        token: args.show_token.then_some(token.secret),
    };
    context.output.result(&made, |output| {
        output.line(&format!("data folder  {}", made.data.display()));
        output.line(&format!("profile      {} (holds your token)", made.profile.display()));
        output.line(&format!("operator     {}", made.operator));
        output.line(&format!("log key      {}", made.log_key));
        if let Some(token) = &made.token {
            output.line(&format!("token        {token}"));
        }
        output.say(
            "\nkeep a copy of `key` and `log-key` of the data folder elsewhere: without them the credentials",
        );
        output.say("and the log are lost. Give the log key above to whoever verifies evidence.");
        output.say("\nnext:");
        // The address of a store may hold a password, so it is not repeated here.
        let store = if args.store.is_some() { " --store STORE   with the store given here" } else { "" };
        output.say(&format!("  bailiwick serve --data {}{store}", args.dir.display()));
        output.say("  bailiwick apply DIR            say what is connected, and who should hold what");
        output.say("  bailiwick import SOURCE FILE   deliver the people");
    });
    Ok(Exit::Done)
}

/// The first operator's token. No `Debug`: it is the secret.
pub struct FirstToken {
    /// The operator's name.
    pub operator: String,
    /// The token.
    pub secret: String,
}

/// Makes data folder, keys, store and the first operator.
///
/// # Errors
/// `already-initialised`; whatever opening the store says.
pub async fn set_up(start: Start, environment: &Environment) -> Result<(Opened, FirstToken)> {
    let folder = Folder::make(&start.dir)?;
    for taken in [folder.database(), folder.log_key(), folder.log()] {
        if taken.exists() {
            let message = format!("`{}` is there already", taken.display());
            return Err(Failure::usage("already-initialised", message));
        }
    }
    let entropy = SystemEntropy;
    let mut made = Vec::new();
    if environment.key_file.is_none() && !folder.key().exists() {
        open::make_key(&folder, &entropy)?;
        made.push(folder.key());
    }
    let origin = start.origin.unwrap_or_else(|| new_origin(&entropy));
    let log_key = new_log_key(&origin, &entropy);
    let done = match log_key.and_then(|key| write_secret(&folder.log_key(), &key)) {
        Ok(()) => first_operator(&folder, &start.store, start.operator, start.person, environment).await,
        Err(failure) => Err(failure),
    };
    if done.is_err() {
        // What was made for nothing would be in the way of the next try.
        made.extend([folder.log_key(), folder.database()]);
        made.iter().for_each(|path| drop(std::fs::remove_file(path)));
        drop(std::fs::remove_dir_all(folder.log()));
    }
    done
}

async fn first_operator(
    folder: &Folder,
    store: &Option<String>,
    name: String,
    person: Option<String>,
    environment: &Environment,
) -> Result<(Opened, FirstToken)> {
    let opened = open::open(folder.clone(), store.as_deref(), environment).await?;
    let by = Actor::Hub("init".into());
    let roles: BTreeSet<String> = ROLES.map(str::to_owned).into();
    let added = opened.engine.add_operator(&name, roles, person, DAYS, by).await;
    let (operator, secret) = added.map_err(Problem::from)?;
    Ok((opened, FirstToken { operator: operator.name, secret }))
}

/// A name for a log that no other has.
pub fn new_origin(entropy: &dyn Entropy) -> String {
    let mut random = [0; 4];
    entropy.fill(&mut random);
    format!("bailiwick.local/{}", random.map(|byte| format!("{byte:02x}")).concat())
}

/// A new key for the log with this name, as its file holds it.
///
/// # Errors
/// When the name cannot be one.
pub fn new_log_key(origin: &str, entropy: &dyn Entropy) -> Result<String> {
    let mut seed = [0; 32];
    entropy.fill(&mut seed);
    let key = Signer::from_seed(origin, &seed).and_then(|signer| signer.skey());
    key.map_err(|error| Failure::usage(error.code(), format!("`{origin}` cannot name a log")).because(&error))
}
