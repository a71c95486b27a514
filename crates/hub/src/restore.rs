//! `bailiwick restore`: a new data folder that goes on from a backup, and changes no system until it is released.
//!
//! The log goes on under a new key and name: what was published after the backup is not in it, so under the old name it
//! would be another history. Its first entries are those of the old log, so that what was proven before stays so, and
//! its next one says where the old one ended.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bailiwick_store::entities::Recovery;
use clap::Args;
use serde::Serialize;

use crate::{
    backup::{DATABASE, Manifest, copied, damaged},
    cli::Context,
    clock::SystemEntropy,
    environment::Environment,
    failure::{Exit, Failure, Result},
    folder::{Folder, write_secret},
    init::{new_log_key, new_origin},
    open::{self, Opened},
    problem::Problem,
    profile::{self, Profile},
};

/// Arguments of `bailiwick restore`.
#[derive(Args)]
#[command(
    after_help = "What it makes decides and plans, and changes no system until `bailiwick recovery release`. Every token of an\n\
    operator and every session has ended but the new token of --operator. Stop the old hub first, if it runs.\n\n\
    With --store and without a backup it takes a PostgreSQL database that PostgreSQL's own tools restored.\n\n\
    Example:\n  bailiwick restore /var/backups/bailiwick/2026-11-29 --data ./restored --key ./key --operator ada\n  \
    bailiwick serve --data ./restored"
)]
pub struct RestoreArgs {
    /// The backup
    #[arg(value_name = "BACKUP", required_unless_present = "store")]
    backup: Option<PathBuf>,
    /// The new data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The key of the hub that was backed up, which is copied there [default: BAILIWICK_KEY_FILE]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The administrator who gets a new token
    #[arg(long, value_name = "NAME")]
    operator: String,
    /// A database that was restored by its server, `postgres://…`
    #[arg(long, value_name = "STORE", conflicts_with = "backup")]
    store: Option<String>,
    /// Where the hub will listen, for the profile
    #[arg(long, default_value = "http://127.0.0.1:7460", value_name = "URL")]
    url: String,
    /// Certificates, PEM, of which one has issued the hub's, for the profile [default: the machine's own]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The name of the log from now on [default: the old one with a number]
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
}

/// What was made.
#[derive(Serialize)]
struct Made {
    data: PathBuf,
    profile: PathBuf,
    operator: String,
    log_key: String,
    recovery: Recovery,
}

/// Restores, and says what to do next.
pub async fn run(context: &Context<'_>, args: RestoreArgs) -> Result<Exit> {
    let path = context.profile_path()?;
    if path.exists() {
        return Err(Failure::usage("profile-exists", format!("there is a profile at `{}`", path.display())));
    }
    let there = args.data.exists();
    let folder = Folder::make(&args.data)?;
    for taken in [folder.database(), folder.log_key(), folder.log(), folder.key()] {
        if taken.exists() {
            let message = format!("`{}` is there already", taken.display());
            return Err(Failure::usage("already-initialised", message));
        }
    }
    let waiting = context.output.waiting("reading the backup");
    let done = restored(context.environment, &args, &folder).await;
    drop(waiting);
    let (opened, recovery, token) = match done {
        Ok(done) => done,
        Err(failure) => {
            // The next try finds nothing in its way.
            clear(&folder, there);
            return Err(failure);
        }
    };
    let ca = profile::ca(args.ca.clone());
    Profile { url: args.url.clone(), ca, operator: args.operator.clone(), token }.write(&path)?;
    let log_key = opened.log_key()?;
    let made = Made {
        data: folder.path().to_owned(),
        profile: path,
        operator: args.operator.clone(),
        log_key,
        recovery,
    };
    context.output.result(&made, |output| {
        output.line(&format!("data folder  {}", made.data.display()));
        output.line(&format!("as of        {:.0}", made.recovery.of));
        output.line(&format!(
            "operator     {} (their new token is in {})",
            made.operator,
            made.profile.display()
        ));
        output.line(&format!("log key      {}", made.log_key));
        output.say(
            "\nGive the log key above to whoever verifies evidence. Every other token and session has ended.",
        );
        output.say("\nnext:");
        let store = if args.store.is_some() { " --store STORE   with the store given here" } else { "" };
        output.say(&format!("  bailiwick serve --data {}{store}", args.data.display()));
        output.say("  bailiwick recovery show        what was not looked at since");
        output.say("  bailiwick import SOURCE FILE   what the sources say today");
        output.say("  bailiwick plan list            what it would do");
        output.say("  bailiwick recovery release --reason TEXT");
    });
    Ok(Exit::Done)
}

async fn restored(
    environment: &Environment,
    args: &RestoreArgs,
    folder: &Folder,
) -> Result<(Opened, Recovery, String)> {
    if let Some(key) = &args.key {
        copied(key, &folder.key())?;
    }
    let environment = match args.key {
        Some(_) => Environment { key_file: None, ..environment.clone() },
        None => environment.clone(),
    };
    if let Some(backup) = &args.backup {
        let key = open::key(folder, &environment)?;
        let manifest = Manifest::read(backup)?;
        manifest.is_of(backup, &key)?;
        for file in &manifest.files {
            let target = if file.path == DATABASE { folder.database() } else { below(folder, &file.path)? };
            // What was copied is what is compared: nobody changes it in between.
            if copied(&backup.join(&file.path), &target)? != (file.bytes, file.digest) {
                return Err(damaged(backup, &file.path));
            }
        }
    }
    let database = folder.database().display().to_string();
    let store = args.store.as_deref().unwrap_or(&database);
    let origin = match &args.origin {
        Some(origin) => origin.clone(),
        None => {
            open::log_origin(store).await?.map_or_else(|| new_origin(&SystemEntropy), |old| next_origin(&old))
        }
    };
    write_secret(&folder.log_key(), &new_log_key(&origin, &SystemEntropy)?)?;
    let opened = open::open(folder.clone(), args.store.as_deref(), &environment).await?;
    let (recovery, token) = opened.engine.recover(&args.operator).await.map_err(Problem::from)?;
    // The log is written when the hub starts: who held its lease at the backup has it here for half a minute more.
    Ok((opened, recovery, token))
}

/// A file of a backup in the data folder: only deliveries, whatever a manifest says.
fn below(folder: &Folder, name: &str) -> Result<PathBuf> {
    let parts: Vec<_> = Path::new(name).components().collect();
    let plain = parts.iter().all(|part| matches!(part, std::path::Component::Normal(_)));
    if plain && parts.len() == 3 && name.starts_with("feeds/") {
        return Ok(folder.path().join(name));
    }
    Err(Failure::refused("backup-form", format!("`{name}` is no file of a backup")))
}

/// The name of the log that goes on from one with this name: `NAME/2`, then `NAME/3`.
fn next_origin(before: &str) -> String {
    match before.rsplit_once('/').and_then(|(name, last)| Some((name, last.parse::<u32>().ok()?))) {
        Some((name, number)) => format!("{name}/{}", number.saturating_add(1)),
        None => format!("{before}/2"),
    }
}

fn clear(folder: &Folder, there: bool) {
    if !there {
        drop(fs::remove_dir_all(folder.path()));
        return;
    }
    for made in [folder.database(), folder.log_key(), folder.key()] {
        drop(fs::remove_file(made));
    }
    for made in [folder.log(), folder.path().join("feeds")] {
        drop(fs::remove_dir_all(made));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_goes_on_has_the_next_name() {
        for (before, next) in [
            ("bailiwick.local/1a2b3c4d", "bailiwick.local/1a2b3c4d/2"),
            ("bailiwick.local/1a2b3c4d/2", "bailiwick.local/1a2b3c4d/3"),
            ("log.example.com", "log.example.com/2"),
        ] {
            assert_eq!(next_origin(before), next, "{before}");
        }
    }

    #[test]
    fn a_manifest_leads_to_deliveries_only() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = Folder::existing(home.path()).expect("it is there");
        assert!(below(&folder, "feeds/hr/current.csv").is_ok());
        for name in ["feeds/../key", "/etc/passwd", "key", "feeds/hr", "feeds/hr/../../key", "feeds//x/./y/z"]
        {
            assert!(below(&folder, name).is_err(), "{name}");
        }
    }
}
