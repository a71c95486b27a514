//! `bailiwick evidence`: packs and checks. `verify` needs the pack and a public key, no hub and no store.

use std::{
    io::{BufReader, Cursor},
    path::{Path, PathBuf},
};

use bailiwick_core::id::CaseId;
use bailiwick_evidence::{PackError, PackReport, VerifierKey, verify_pack};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Context, apply::confirmed, import};
use crate::{
    api::{CheckRequest, CheckView, EraseRequest, EraseView, IdentityView},
    client::Client,
    failure::{Exit, Failure, Result},
    problem::{Fault, chain},
    render::{Output, Tone, count},
};

/// `bailiwick evidence …`
#[derive(Subcommand)]
pub enum EvidenceCommand {
    /// Everything about an identity or a case, in one file that verifies offline
    #[command(
        after_help = "Example:\n  bailiwick evidence export --case cas_01jd3v8k5mfa8rsw1r2q9n6x4e -o case.pack"
    )]
    Export(ExportArgs),
    /// Verify a pack offline: no hub, no store
    #[command(
        after_help = "Without `--key` the key in the pack is used, and the report says so: compare its \
        fingerprint by another way.\n\nExample:\n  bailiwick evidence verify case.pack --key log.vkey"
    )]
    Verify(VerifyArgs),
    /// Derive the whole log again and compare it with the database
    #[command(
        after_help = "Keep a checkpoint elsewhere now and then: with it, a log that was rewritten as a whole \
        is found too.\n\nExample:\n  bailiwick evidence check --earlier checkpoint.txt"
    )]
    Check {
        /// An earlier checkpoint, from `bailiwick evidence checkpoint`
        #[arg(long, value_name = "CHECKPOINT_FILE")]
        earlier: Option<PathBuf>,
    },
    /// Erase what is personal about somebody who has left; the proofs stay whole
    #[command(
        after_help = "The records stay in the log; what opens their commitments, and the attributes of the \
        identity, are gone for good.\n\nExample:\n  bailiwick evidence erase hr/1007 --yes"
    )]
    Erase {
        /// The id, `source/key`, or the e-mail address
        identity: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// The signed checkpoint of the log, to be kept elsewhere
    #[command(after_help = "Example:\n  bailiwick evidence checkpoint -o checkpoint.txt")]
    Checkpoint {
        /// The file to write; without it, standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Arguments of `bailiwick evidence export`.
#[derive(Args)]
pub struct ExportArgs {
    #[command(flatten)]
    subject: Subject,
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

/// What a pack is about.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Subject {
    /// The id, `source/key`, or the e-mail address
    #[arg(long)]
    identity: Option<String>,
    /// The case
    #[arg(long)]
    case: Option<CaseId>,
}

/// Arguments of `bailiwick evidence verify`.
#[derive(Args)]
pub struct VerifyArgs {
    /// The pack
    file: PathBuf,
    /// The log's public key: a C2SP vkey, or a file that holds one; may be given several times
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<String>,
}

/// Runs it.
pub async fn run(context: &Context<'_>, command: EvidenceCommand) -> Result<Exit> {
    match command {
        EvidenceCommand::Verify(args) => verify_file(context.output, &args),
        EvidenceCommand::Export(args) => {
            let client = context.client()?;
            let subject = subject(&client, &args.subject).await?;
            let pack = export(&client, &subject).await?;
            write(&args.output, &pack)?;
            let (file, bytes) = (args.output.display().to_string(), pack.len());
            context.output.result(&json!({"file": file, "subject": subject, "bytes": bytes}), |output| {
                output.line(&format!("the evidence about {subject} is in `{file}`, {bytes} bytes"));
            });
            Ok(Exit::Done)
        }
        EvidenceCommand::Check { earlier } => {
            let earlier = earlier.map(|file| text(&file)).transpose()?;
            let waiting = context.output.waiting("deriving the log again");
            let report = check(&context.client()?, earlier).await?;
            drop(waiting);
            let sound = report.damage.is_none();
            context.output.result(&report, |output| show(output, &report));
            Ok(if sound { Exit::Done } else { Exit::Refused })
        }
        EvidenceCommand::Erase { identity, yes } => {
            if !yes && !confirmed("erase this for good?")? {
                context.output.say("nothing was erased");
                return Ok(Exit::Refused);
            }
            let request = EraseRequest { identity };
            let client = context.client()?;
            let done: EraseView = client.post(&["evidence", "erasures"]).json(&request).send().await?;
            context.output.result(&done, |output| {
                let values = count(u64::try_from(done.erased).unwrap_or(0), "value", "values");
                output.line(&format!("{values} of {} erased; every proof still verifies", done.identity));
            });
            Ok(Exit::Done)
        }
        EvidenceCommand::Checkpoint { output } => {
            let checkpoint = context.client()?.get(&["evidence", "checkpoint"]).fetch().await?;
            match output {
                Some(file) => write(&file, &checkpoint)?,
                None => context.output.line(String::from_utf8_lossy(&checkpoint).trim_end()),
            }
            Ok(Exit::Done)
        }
    }
}

/// The pack about an identity or case, by id.
pub async fn export(client: &Client, subject: &str) -> Result<Vec<u8>> {
    client.get(&["evidence", "packs", subject]).fetch().await
}

/// Checks the log against the database.
pub async fn check(client: &Client, earlier: Option<String>) -> Result<CheckView> {
    client.post(&["evidence", "check"]).json(&CheckRequest { earlier }).send().await
}

/// Verifies the bytes of a pack.
pub fn verify(pack: &[u8], trusted: Option<&[VerifierKey]>) -> Result<PackReport> {
    verify_pack(BufReader::new(Cursor::new(pack)), trusted).map_err(|error| {
        let code = error.code();
        let PackError { line, fault, source } = error;
        let message = match &source {
            Some(source) => format!("{fault}: {}", chain(source)),
            None => fault.to_string(),
        };
        let fault = Fault::new(code, message).at(format!("line {line}"));
        Failure::refused(code, "the pack does not verify").faults(vec![fault])
    })
}

async fn subject(client: &Client, subject: &Subject) -> Result<String> {
    match (&subject.case, &subject.identity) {
        (Some(case), _) => Ok(case.to_string()),
        (None, Some(name)) => {
            let view: IdentityView = client.get(&["identities", name]).send().await?;
            Ok(view.identity.id.to_string())
        }
        (None, None) => Err(Failure::usage("usage", "name an identity or a case")),
    }
}

fn verify_file(output: Output, args: &VerifyArgs) -> Result<Exit> {
    let keys: Vec<VerifierKey> = args.keys.iter().map(|key| trusted(key)).collect::<Result<_>>()?;
    let pack = import::read(&args.file)?;
    let report = verify(&pack, (!keys.is_empty()).then_some(&keys))?;
    let value = json!({
        "subject": report.subject,
        "origin": report.checkpoint.origin(),
        "size": report.checkpoint.size(),
        "key": report.log.key.to_string(),
        "key_trust": report.log.trust.to_string(),
        "records": report.records,
        "disclosures": report.disclosures,
    });
    output.result(&value, |output| {
        output
            .toned(Tone::Good, &format!("the pack verifies: {}", count(report.records, "record", "records")));
        output.line(report.to_string().trim_end());
    });
    Ok(Exit::Done)
}

/// A vkey as given, or from a file.
fn trusted(given: &str) -> Result<VerifierKey> {
    let held = if Path::new(given).is_file() { text(Path::new(given))? } else { given.to_owned() };
    VerifierKey::parse(held.trim()).map_err(|error| {
        Failure::usage(error.code(), "`--key` takes a vkey, or a file that holds one").because(&error)
    })
}

fn show(output: Output, report: &CheckView) {
    match &report.damage {
        None => {
            let entries = count(report.entries, "entry", "entries");
            output.toned(
                Tone::Good,
                &format!("log and database agree: {entries}, {} rows compared", report.rows),
            );
        }
        Some(Fault { code, place, message }) => {
            let place = place.as_ref().map_or(String::new(), |place| format!(" at {place}"));
            output.toned(Tone::Bad, &format!("damage{place} [{code}]: {message}"));
        }
    }
    output.line(&format!("root {}", report.root));
}

fn text(file: &Path) -> Result<String> {
    String::from_utf8(import::read(file)?)
        .map_err(|_| Failure::usage("file-unreadable", format!("`{}` is not text", file.display())))
}

/// Writes a file.
pub fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(file, bytes).map_err(|error| {
        Failure::usage("file-unwritable", format!("cannot write `{}`", file.display())).because(&error)
    })
}
