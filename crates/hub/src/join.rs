//! `bailiwick join`: a data folder for one more node on the PostgreSQL database of a hub.
//!
//! A node shares the database and both keys with the others, and has a log, deliveries and a name of its own. It is
//! refused unless both keys are those of the hub: nothing is left of the attempt then.

use std::{fs, path::PathBuf};

use bailiwick_store::{Select, Table, entities::Operator};
use clap::Args;
use serde::Serialize;

use crate::{
    cli::Context,
    environment::Environment,
    failure::{Exit, Failure, Result},
    folder::{Folder, read_secret, write_secret},
    node,
    open::{self, Opened},
};

/// Arguments of `bailiwick join`.
#[derive(Args)]
#[command(
    after_help = "Give every node the same two keys, and a folder that this command made: never a copy of another node's folder.\n\
    Whoever has a profile for one node has it for all.\n\n\
    Example:\n  bailiwick join ./bailiwick-data --store postgres://hub@db.example.com/hub --key ./key --log-key ./log-key\n  \
    bailiwick serve --data ./bailiwick-data --store postgres://hub@db.example.com/hub --listen 10.0.0.12:7460"
)]
pub struct JoinArgs {
    /// The new data folder
    #[arg(default_value = "./bailiwick-data", value_name = "DIR")]
    dir: PathBuf,
    /// The database of the hub, `postgres://…`
    #[arg(long, value_name = "STORE")]
    store: String,
    /// The hub's key, which is copied there [default: BAILIWICK_KEY_FILE, which is not]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The key of the hub's log, which is copied there
    #[arg(long, value_name = "FILE")]
    log_key: PathBuf,
}

/// What was made.
#[derive(Serialize)]
struct Made {
    data: PathBuf,
    log_key: String,
}

/// Joins, and says what to do next.
pub async fn run(context: &Context<'_>, args: JoinArgs) -> Result<Exit> {
    let there = args.dir.exists();
    let folder = Folder::make(&args.dir)?;
    for taken in [folder.database(), folder.log_key(), folder.log(), folder.key()] {
        if taken.exists() {
            let message = format!("`{}` is there already", taken.display());
            return Err(Failure::usage("already-initialised", message));
        }
    }
    let joined = joined(context.environment, &args, &folder).await;
    let opened = joined.inspect_err(|_| clear(&folder, there))?;
    let made = Made { data: folder.path().to_owned(), log_key: opened.log_key()? };
    context.output.result(&made, |output| {
        output.line(&format!("data folder  {}", made.data.display()));
        output.line(&format!("log key      {}", made.log_key));
        output.say("\nnext:");
        output.say(&format!(
            "  bailiwick serve --data {} --store STORE   with the store given here",
            args.dir.display()
        ));
    });
    Ok(Exit::Done)
}

async fn joined(environment: &Environment, args: &JoinArgs, folder: &Folder) -> Result<Opened> {
    if !args.store.starts_with("postgres://") && !args.store.starts_with("postgresql://") {
        let message = "the store is a file, which one hub has for itself";
        return Err(Failure::usage("store-not-shared", message));
    }
    // An empty database would be set up, and there would be nobody in it to join.
    if open::rehearse(folder, Some(&args.store)).await?.from == 0 {
        return Err(nobody());
    }
    let environment = match &args.key {
        Some(key) => {
            write_secret(&folder.key(), &read_secret(key)?)?;
            Environment { key_file: None, ..environment.clone() }
        }
        None => environment.clone(),
    };
    write_secret(&folder.log_key(), &read_secret(&args.log_key)?)?;
    let opened = open::open(folder.clone(), Some(&args.store), &environment).await?;
    let parts = opened.engine.parts();
    let mut tx = parts.store.read().await.map_err(open::unopened)?;
    let anybody = Select::from(Table::Operators).page(None, 1);
    let anybody = bailiwick_store::select::<Operator>(&mut *tx, &parts.tenant, anybody).await;
    if anybody.map_err(open::unopened)?.is_empty() {
        return Err(nobody());
    }
    opened.continues_the_log().await?;
    Ok(opened)
}

fn nobody() -> Failure {
    Failure::refused("nothing-to-join", "the database holds no hub")
}

fn clear(folder: &Folder, there: bool) {
    let own = [folder.log_key(), folder.key(), node::file(folder)];
    own.iter().for_each(|made| drop(fs::remove_file(made)));
    drop(fs::remove_dir_all(folder.log()));
    if !there {
        drop(fs::remove_dir(folder.path()));
    }
}
