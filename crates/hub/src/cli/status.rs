//! `bailiwick status`

use std::collections::BTreeMap;

use bailiwick_core::time::Timestamp;
use clap::Args;

use super::Context;
use crate::{
    api::{Status, SystemStatus},
    failure::{Exit, Result},
    render::{Output, Tone, count},
};

/// Arguments of `bailiwick status`.
#[derive(Args, Default)]
#[command(after_help = "Example:\n  bailiwick status --wait 30")]
pub struct StatusArgs {
    /// Wait until nothing is left to do, at most so many seconds
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
}

/// Shows it.
pub async fn run(context: &Context<'_>, args: StatusArgs) -> Result<Exit> {
    let waiting = args.wait.map(|_| context.output.waiting("waiting for the hub to finish"));
    let status: Status = context.client()?.get(&["status"]).maybe("wait", args.wait).send().await?;
    drop(waiting);
    context.output.result(&status, |output| show(output, &status));
    Ok(Exit::Done)
}

fn show(output: Output, status: &Status) {
    let line = |name: &str, text: String| output.line(&format!("{name:<12} {text}"));
    line("hub", format!("{}, {} store, as operator {}", status.version, status.store, status.operator));
    line("systems", status.systems.to_string());
    line("integrations", status.integrations.to_string());
    line("identities", parts(&status.identities));
    line("accounts", status.accounts.to_string());
    line("plans", parts(&status.plans));
    line("cases", parts(&status.cases));
    let findings = format!("{} open", status.findings);
    line("findings", output.paint(if status.findings > 0 { Tone::Warn } else { Tone::Plain }, &findings));
    let queue = &status.queue;
    let next = queue.next.map_or(String::new(), |next| format!(", the next is due {next:.0}"));
    line("queue", format!("{}{next}", count(queue.queued, "item", "items")));
    line(
        "evidence",
        format!("{} in the log, {} written", count(status.log.size, "record", "records"), status.log.written),
    );
    if let Some(at) = status.restored {
        let text = format!("restored     {at:.0}: no system is changed; see `bailiwick recovery show`");
        output.toned(Tone::Bad, &text);
    }
    for (name, code) in status.shut.iter().filter(|(name, _)| !status.quarantined.contains(name)) {
        output.toned(Tone::Warn, &format!("shut         {name}: {code}; see `bailiwick finding list`"));
    }
    schedule(output, &status.schedule);
    for name in &status.quarantined {
        output.toned(
            Tone::Bad,
            &format!("stopped      {name}: nothing goes out; see `bailiwick finding list`"),
        );
    }
    if let Some(failing) = &queue.failing {
        output.toned(Tone::Bad, &format!("failing      {failing}"));
    }
    let drafted = status.plans.get("drafted").copied().unwrap_or_default();
    if status.systems == 0 {
        output.say("\nnothing is configured yet: `bailiwick apply DIR`, then `bailiwick import SOURCE FILE`");
    } else if status.identities.values().sum::<i64>() == 0 {
        output.say("\nnobody is known yet: `bailiwick import SOURCE FILE`");
    } else if drafted > 0 {
        output.say("\nplans wait for an approval: `bailiwick plan list --state drafted`");
    }
}

/// When each system was looked at, and when it will be.
fn schedule(output: Output, systems: &[SystemStatus]) {
    if systems.is_empty() {
        return;
    }
    let at = |at: Option<Timestamp>, never: &str| match at {
        Some(at) => Tone::Plain.cell(format!("{at:.0}")),
        None => Tone::Dim.cell(never),
    };
    let rows = systems.iter().map(|one| {
        let mut reconciled = at(one.reconciled, "never");
        if one.in_part {
            reconciled = Tone::Warn.cell(format!("{:.0} in part", one.reconciled.unwrap_or_default()));
        }
        let next = at(one.reconcile_next, "");
        vec![
            Tone::Plain.cell(&one.system),
            reconciled,
            next,
            at(one.probed, "never"),
            at(one.probe_next, "when asked"),
            at(one.drilled, "never"),
        ]
    });
    output.line("");
    output.table(&["system", "reconciled", "next", "probed", "next", "drilled"], rows.collect());
}

/// `500 active, 2 left`, without what there is none of.
fn parts(counts: &BTreeMap<String, i64>) -> String {
    let parts: Vec<String> =
        counts.iter().filter(|(_, n)| **n > 0).map(|(state, n)| format!("{n} {state}")).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}
