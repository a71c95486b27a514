//! `bailiwick access`

use std::collections::BTreeSet;

use bailiwick_core::{
    exception::{Because, Exception, ExceptionState},
    id::{EntitlementName, ExceptionId},
};
use clap::{Args, Subcommand};

use super::{Context, list::ListArgs};
use crate::{
    api::{Asked, Asking, ExceptionView},
    failure::{Exit, Result},
    render::Tone,
    span,
};

/// `bailiwick access …`
#[derive(Subcommand)]
pub enum AccessCommand {
    /// Access that no policy gives, and until when
    #[command(after_help = "Example:\n  bailiwick access list --state given")]
    List {
        /// Only what stands so: asked, given, ending, ended, lapsed
        #[arg(long, value_parser = ["asked", "given", "ending", "ended", "lapsed"])]
        state: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Ask that somebody holds something for a time; somebody else approves it
    #[command(
        after_help = "For a task, or to keep something beyond a change of the job: what is held already stays, and ends by itself.\n\
        At most 90 days; power over other access at most a day. What a policy forbids is never given.\n\n\
        Examples:\n  bailiwick access ask hr/1002 chat/admins --for 4h --reason \"moving the channels, ticket 4711\"\n  \
        bailiwick access ask hr/1001 crm/finance --for 14d --reason \"hands over to her successor\""
    )]
    Ask(AskArgs),
    /// End it before its time
    #[command(after_help = "Example:\n  bailiwick access end exc_01jd3v8k5mfa8rsw1r2q9n6x4e")]
    End {
        /// What was given
        exception: ExceptionId,
    },
}

/// Arguments of `bailiwick access ask`.
#[derive(Args)]
pub struct AskArgs {
    /// Who gets it: `source/key`, id or e-mail address
    person: String,
    /// What, `system/name`
    #[arg(required = true)]
    entitlements: Vec<EntitlementName>,
    /// For how long from the approval on, such as `4h` or `14d`
    #[arg(long = "for", value_name = "TIME", value_parser = minutes)]
    minutes: u32,
    /// Why
    #[arg(long)]
    reason: String,
}

/// Lists, asks and ends.
pub async fn run(context: &Context<'_>, command: AccessCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        AccessCommand::List { state, list } => {
            let request = || client.get(&["exceptions"]).maybe("state", state.as_ref());
            let all = list.read::<ExceptionView>(request).await?;
            context.output.result(&all.items, |output| {
                if !all.items.is_empty() {
                    let header = ["exception", "what", "for", "state"];
                    output.table(&header, all.items.iter().map(row).collect());
                }
                for ExceptionView { exception: Exception { terms, .. }, .. } in &all.items {
                    output.line(&format!("  {}: {}", terms.exception, because(&terms.because)));
                }
                all.remark(output, "nothing is given that no policy gives");
            });
        }
        AccessCommand::Ask(AskArgs { person, entitlements, minutes, reason }) => {
            let entitlements: BTreeSet<EntitlementName> = entitlements.into_iter().collect();
            let asking = Asking { identity: person, entitlements, minutes, reason };
            let asked: Asked = client.post(&["exceptions"]).json(&asking).send().await?;
            context.output.result(&asked, |output| {
                output.line(&format!("{} is asked for", asked.exception.terms.exception));
                output.say(&format!(
                    "somebody else approves it within three days: `bailiwick approve {}`",
                    asked.plan
                ));
            });
        }
        AccessCommand::End { exception } => {
            let path = ["exceptions", &exception.to_string(), "end"];
            let over: Exception = client.post(&path).send().await?;
            context.output.result(&over, |output| {
                output.line(&format!("{exception} is over; that nothing is left is read back"));
            });
        }
    }
    Ok(Exit::Done)
}

/// A time on the command line, minutes.
pub fn minutes(time: &str) -> std::result::Result<u32, String> {
    let minutes = span::read(time).and_then(|ms| u32::try_from(ms / 60_000).ok());
    minutes.filter(|minutes| *minutes > 0).ok_or_else(|| "write a time such as `30m`, `4h` or `14d`".into())
}

fn row(view: &ExceptionView) -> Vec<comfy_table::Cell> {
    let Exception { terms, state, .. } = &view.exception;
    let names: Vec<&str> = terms.entitlements.iter().map(|name| name.as_str()).collect();
    vec![
        Tone::Plain.cell(terms.exception),
        Tone::Plain.cell(names.join("\n")),
        Tone::Plain.cell(&view.who.name),
        stands(state),
    ]
}

/// Why, in few words.
pub fn because(because: &Because) -> String {
    match because {
        Because::BreakGlass { case, .. } => case.to_string(),
        Because::Asked { reason } => reason.clone(),
        Because::Undo { plan, reason } => format!("undoes {plan}: {reason}"),
        Because::Found { system } => format!("found on {system}"),
        Because::Lost { system, whole: true } => format!("blocked or gone on {system}"),
        Because::Lost { system, whole: false } => format!("taken away on {system}"),
    }
}

/// Where it stands.
pub fn stands(state: &ExceptionState) -> comfy_table::Cell {
    match state {
        ExceptionState::Asked { lapses } => Tone::Warn.cell(format!("asked, lapses {lapses:.0}")),
        ExceptionState::Given(given) => Tone::Warn.cell(format!("open until {:.0}", given.until)),
        ExceptionState::Ending(given) => {
            Tone::Bad.cell(format!("over since {:.0}, end not proven", given.until))
        }
        ExceptionState::Ended { ended, .. } => Tone::Good.cell(format!("ended, proven {ended:.0}")),
        ExceptionState::Lapsed { lapsed } => Tone::Plain.cell(format!("lapsed {lapsed:.0}")),
    }
}
