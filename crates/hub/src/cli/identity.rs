//! `bailiwick identity`

use bailiwick_core::identity::{Identity, Lifecycle};
use clap::Subcommand;

use super::{Context, list::ListArgs};
use crate::{
    api::IdentityView,
    failure::{Exit, Result},
    render::{Output, Tone},
};

/// `bailiwick identity …`
#[derive(Subcommand)]
pub enum IdentityCommand {
    /// The identities
    #[command(after_help = "Example:\n  bailiwick identity list --state left")]
    List {
        /// Only those in this state: pending, active, absent, left
        #[arg(long, value_parser = ["pending", "active", "absent", "left"])]
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
    }
    Ok(Exit::Done)
}

fn show(output: Output, view: &IdentityView) {
    let IdentityView { identity, accounts, cases } = view;
    output.line(&format!("{} ({})", identity.display_name(), identity.source_key));
    output.line(&format!("  id          {}", identity.id));
    output.line(&format!(
        "  state       {}",
        output.paint(tone(&identity.lifecycle), &state(&identity.lifecycle))
    ));
    output.line(&format!("  generation  {}", identity.generation));
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
        Lifecycle::Absent { since, grace_until } => {
            format!("absent since {since:.0}, grace until {grace_until:.0}")
        }
        Lifecycle::Left { at } => format!("left {:.0}", at.at),
    }
}

fn tone(lifecycle: &Lifecycle) -> Tone {
    match lifecycle {
        Lifecycle::Pending { .. } => Tone::Plain,
        Lifecycle::Active { .. } => Tone::Good,
        Lifecycle::Absent { .. } => Tone::Warn,
        Lifecycle::Left { .. } => Tone::Dim,
    }
}
