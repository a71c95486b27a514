//! `bailiwick account`

use clap::Subcommand;

use super::{Context, list::ListArgs};
use crate::{
    api::AccountView,
    failure::{Exit, Result},
    render::Tone,
};

/// `bailiwick account …`
#[derive(Subcommand)]
pub enum AccountCommand {
    /// The accounts that are known
    #[command(after_help = "Example:\n  bailiwick account list --system chat --unmanaged")]
    List {
        /// Only those on this system
        #[arg(long)]
        system: Option<String>,
        /// Only those that belong to nobody known
        #[arg(long)]
        unmanaged: bool,
        #[command(flatten)]
        list: ListArgs,
    },
}

/// Shows accounts.
pub async fn run(context: &Context<'_>, command: AccountCommand) -> Result<Exit> {
    let AccountCommand::List { system, unmanaged, list } = command;
    let client = context.client()?;
    let accounts = list
        .read::<AccountView>(|| {
            client
                .get(&["accounts"])
                .maybe("system", system.as_ref())
                .maybe("unmanaged", unmanaged.then_some(true))
        })
        .await?;
    context.output.result(&accounts.items, |output| {
        let rows = accounts.items.iter().map(|AccountView { who, account }| {
            let held: Vec<&str> = account.state.entitlements.iter().map(|name| name.as_str()).collect();
            vec![
                Tone::Plain.cell(&account.system),
                Tone::Plain.cell(&account.username),
                if account.state.active { Tone::Good.cell("active") } else { Tone::Dim.cell("disabled") },
                match who {
                    Some(who) => Tone::Plain.cell(&who.key),
                    None => Tone::Warn.cell("nobody"),
                },
                Tone::Plain.cell(held.join(" ")),
            ]
        });
        if !accounts.items.is_empty() {
            output.table(&["system", "account", "state", "belongs to", "holds"], rows.collect());
        }
        accounts.remark(output, "no accounts");
    });
    Ok(Exit::Done)
}
