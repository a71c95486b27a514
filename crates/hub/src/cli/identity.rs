//! `bailiwick identity`

use bailiwick_core::{
    identity::{Identity, Lifecycle},
    stay::Leaving,
};
use clap::Subcommand;

use super::{Context, list::ListArgs, plan};
use crate::{
    api::{DepartureView, IdentityView, JoinRequest, PlanView, SplitRequest, StayRequest},
    failure::{Exit, Result},
    render::{Output, Tone},
};

/// `bailiwick identity …`
#[derive(Subcommand)]
pub enum IdentityCommand {
    /// The identities
    #[command(after_help = "Example:\n  bailiwick identity list --state left")]
    List {
        /// Only those in this state: pending, active, absent, left, merged
        #[arg(long, value_parser = ["pending", "active", "leave", "garden-leave", "absent", "left", "merged"])]
        state: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// One identity with its accounts and cases
    #[command(after_help = "Example:\n  bailiwick identity show hr/1001")]
    Show {
        /// The id, `source/key`, or the e-mail address
        identity: String,
    },
    /// Who leaves when, as far as that is known ahead
    #[command(after_help = "Example:\n  bailiwick identity leaving --within 14d")]
    Leaving {
        /// So far ahead
        #[arg(long, value_name = "TIME", default_value = "30d")]
        within: String,
    },
    /// Ask that somebody stays, although a source says when they leave
    #[command(
        after_help = "It holds until the source says something else about the end. Somebody else approves it.\n\n\
        Example:\n  bailiwick identity stays hr/1009 --reason \"her contract was prolonged; HR enters it on Monday\""
    )]
    Stays {
        /// The id, `source/key`, or the e-mail address
        identity: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Ask that two identities become one, because they are one person
    #[command(
        after_help = "The first stays, with its id; the second leads to it from then on. Somebody else approves the plan, which shows \
        what\nthe joined person is to have and what becomes of each account.\n\n\
        Example:\n  bailiwick identity join contractors/C17 hr/1009 --reason \"she was hired; HR has no earlier key\""
    )]
    Join {
        /// The one that stays: id, `source/key`, or the e-mail address
        identity: String,
        /// The other one
        other: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Ask that a key which was joined to an identity is somebody else's again
    #[command(
        after_help = "Each gets what came with their key or was made for it. Somebody else approves the plan.\n\n\
        Example:\n  bailiwick identity split contractors/C17 hr/1009 --reason \"they share a name and nothing else\""
    )]
    Split {
        /// The identity: id, `source/key`, or the e-mail address
        identity: String,
        /// The key that goes from it, `source/key`
        key: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// Shows identities.
pub async fn run(context: &Context<'_>, command: IdentityCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        IdentityCommand::List { state, list } => {
            let found =
                list.read::<Identity>(|| client.get(&["identities"]).maybe("state", state.as_ref())).await?;
            context.output.result(&found.items, |output| {
                let rows = found.items.iter().map(|identity| {
                    vec![
                        Tone::Plain.cell(&identity.source_key),
                        Tone::Plain.cell(identity.display_name()),
                        tone(&identity.lifecycle).cell(identity.lifecycle.name()),
                        Tone::Dim.cell(identity.id),
                    ]
                });
                if !found.items.is_empty() {
                    output.table(&["key", "name", "state", "id"], rows.collect());
                }
                found.remark(output, "nobody");
            });
        }
        IdentityCommand::Show { identity } => {
            let view: IdentityView = client.get(&["identities", &identity]).send().await?;
            context.output.result(&view, |output| show(output, &view));
        }
        IdentityCommand::Leaving { within } => {
            let all: Vec<DepartureView> = client.get(&["departures"]).query("within", &within).send().await?;
            context.output.result(&all, |output| leaving(output, &all));
        }
        IdentityCommand::Stays { identity, reason } => {
            let asked = StayRequest { reason };
            let view: PlanView = client.post(&["identities", &identity, "stay"]).json(&asked).send().await?;
            context.output.result(&view, |output| waits(output, &view));
        }
        IdentityCommand::Join { identity, other, reason } => {
            let asked = JoinRequest { other, reason };
            let view: PlanView = client.post(&["identities", &identity, "join"]).json(&asked).send().await?;
            context.output.result(&view, |output| waits(output, &view));
        }
        IdentityCommand::Split { identity, key, reason } => {
            let asked = SplitRequest { key, reason };
            let view: PlanView = client.post(&["identities", &identity, "split"]).json(&asked).send().await?;
            context.output.result(&view, |output| waits(output, &view));
        }
    }
    Ok(Exit::Done)
}

fn leaving(output: Output, all: &[DepartureView]) {
    if all.is_empty() {
        return output.say("nobody leaves in that time, as far as is known");
    }
    let rows = all.iter().map(|one| {
        let Leaving { end, said_by, cancelled, .. } = &one.leaving;
        let day = end.meant.as_ref().map_or_else(String::new, |day| format!("{} {}", day.date, day.zone));
        let by: Vec<String> = said_by.iter().map(ToString::to_string).collect();
        let state = match cancelled {
            Some(plan) => Tone::Warn.cell(format!("stays by {plan}")),
            None => Tone::Plain.cell("leaves"),
        };
        vec![
            Tone::Plain.cell(&one.who.name),
            Tone::Plain.cell(day),
            Tone::Plain.cell(format!("{:.0}", end.at)),
            Tone::Plain.cell(by.join(", ")),
            state,
        ]
    });
    output.table(&["who", "last day", "ends", "said by", "state"], rows.collect());
}

/// What is asked for, and who goes on from there.
fn waits(output: Output, view: &PlanView) {
    plan::describe(output, view);
    output.say(&format!("somebody else approves it: `bailiwick approve {}`", view.row.plan.id));
}

fn show(output: Output, view: &IdentityView) {
    let IdentityView { identity, accounts, cases, joined, asked } = view;
    if let Some(asked) = asked {
        output.line(&format!("{} ({}) was joined to this identity:", asked.key, asked.id));
    }
    output.line(&format!("{} ({})", identity.display_name(), identity.source_key));
    output.line(&format!("  id          {}", identity.id));
    output.line(&format!(
        "  state       {}",
        output.paint(tone(&identity.lifecycle), &state(&identity.lifecycle))
    ));
    if let Some(why) = identity.preserved() {
        output.line(&format!("  preserved   {why}: nothing of theirs is deleted"));
    }
    output.line(&format!("  generation  {}", identity.generation));
    for record in &identity.engagements {
        let leads = if record.key == *identity.leading_key() { ", leads" } else { "" };
        let state = output.paint(tone(&record.lifecycle), &state(&record.lifecycle));
        output.line(&format!("  record      {} {state}{leads}", record.key));
    }
    for other in joined {
        output.line(&format!("  joined      {} ({})", other.id, other.key));
    }
    for (name, value) in &identity.attributes {
        output.line(&format!("  {name:<11} {value}"));
    }
    if !accounts.is_empty() {
        let rows = accounts.iter().map(|account| {
            let held: Vec<String> = account.state.entitlements.iter().map(ToString::to_string).collect();
            let active =
                if account.state.active { Tone::Good.cell("active") } else { Tone::Dim.cell("disabled") };
            vec![
                Tone::Plain.cell(&account.system),
                Tone::Plain.cell(&account.username),
                active,
                Tone::Plain.cell(held.join("\n")),
            ]
        });
        output.table(&["system", "account", "state", "holds"], rows.collect());
    }
    for case in cases {
        let state = case.closed.map_or("open".to_owned(), |at| format!("closed {at:.0}"));
        output.line(&format!("case {} opened {:.0}, {state}", case.id, case.opened));
    }
}

fn state(lifecycle: &Lifecycle) -> String {
    let until = |ends: &Option<_>| match ends {
        Some(bailiwick_core::time::Effective { at, .. }) => format!(" until {at:.0}"),
        None => String::new(),
    };
    match lifecycle {
        Lifecycle::Pending { starts, ends } => format!("pending, starts {:.0}{}", starts.at, until(ends)),
        Lifecycle::Active { ends } => format!("active{}", until(ends)),
        Lifecycle::Leave { ends } => format!("on leave{}", until(ends)),
        Lifecycle::GardenLeave { since, ends } => {
            format!("on garden leave since {:.0}{}", since.at, until(ends))
        }
        Lifecycle::Absent { since, grace_until } => {
            format!("absent since {since:.0}, grace until {grace_until:.0}")
        }
        Lifecycle::Left { at, .. } => format!("left {:.0}", at.at),
        Lifecycle::Merged { into, since } => format!("joined into {into} {since:.0}"),
    }
}

fn tone(lifecycle: &Lifecycle) -> Tone {
    match lifecycle {
        Lifecycle::Pending { .. } => Tone::Plain,
        Lifecycle::Active { .. } => Tone::Good,
        Lifecycle::Leave { .. } | Lifecycle::GardenLeave { .. } | Lifecycle::Absent { .. } => Tone::Warn,
        Lifecycle::Left { .. } | Lifecycle::Merged { .. } => Tone::Dim,
    }
}
