//! `bailiwick audit`

use bailiwick_core::audit::Entry;
use bailiwick_engine::Audited;
use clap::Args;

use super::Context;
use crate::{
    failure::{Exit, Result},
    render::{Tone, count},
};

/// Arguments of `bailiwick audit`.
#[derive(Args)]
#[command(
    after_help = "A system keeps a log of what was done there. It is compared with what the hub's own log says, since the\n\
    last time, both ways:\n\n\
    in both    what the hub did is in the system's log\n\
    silent     the system answered that it did it, and its log has no word of that: what is read of it is not\n           \
    believed\n\
    late       it was missing before, and is there now\n\
    foreign    it was done under the hub's name, and the hub never sent it: somebody else has the credential\n\n\
    It runs by itself (`audit_every`). What was done in the last minutes (`audit_lag`) is compared the next\n\
    time. Exit code 1 when something was silent or foreign.\n\n\
    Example:\n  bailiwick audit chat"
)]
pub struct AuditArgs {
    /// The system, as the configuration names it
    system: String,
}

/// Whose account an entry is about, as far as the log says that.
fn whom(entry: &Entry) -> String {
    let group = || entry.group.as_ref().map(|group| format!("in the group {group}"));
    let known = entry.account.as_ref().or(entry.name.as_ref()).cloned();
    known.or_else(group).unwrap_or_else(|| "not said".to_owned())
}

/// Compares the logs.
pub async fn run(context: &Context<'_>, args: AuditArgs) -> Result<Exit> {
    let client = context.client()?;
    let waiting = context.output.waiting(&format!("reading the audit log of {}", args.system));
    let audited: Audited = client.post(&["systems", &args.system, "audit"]).send().await?;
    drop(waiting);
    context.output.result(&audited, |output| {
        let Audited { entries, found, silent, late, missing, foreign, others, .. } = &audited;
        output.line(&format!(
            "{}: {found} changes of the hub in both logs, {silent} silent, {late} late, {missing} still missing, {} foreign; \
             {} by others",
            count(*entries, "entry", "entries"),
            foreign.len(),
            count(*others, "deed", "deeds"),
        ));
        if !foreign.is_empty() {
            let rows = foreign.iter().map(|entry| {
                vec![
                    Tone::Plain.cell(format!("{:.0}", entry.at)),
                    Tone::Bad.cell(&entry.actor),
                    Tone::Plain.cell(&entry.deed),
                    Tone::Plain.cell(whom(entry)),
                ]
            });
            output.table(&["when", "under the name", "what", "account"], rows.collect());
        }
    });
    Ok(if audited.silent == 0 && audited.foreign.is_empty() { Exit::Done } else { Exit::Refused })
}
