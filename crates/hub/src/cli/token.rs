//! `bailiwick token`

use bailiwick_core::{id::TokenId, right::Right};
use clap::{Args, Subcommand, ValueEnum};

use super::Context;
use crate::{
    api::{NewToken, TokenMade, TokenView},
    failure::{Exit, Result},
    render::Tone,
};

/// `bailiwick token …`
#[derive(Subcommand)]
pub enum TokenCommand {
    /// Make a token for a program; it is shown this once
    #[command(
        after_help = "A token reads. With `--may` it does a little more, and never more than you may at that moment:\n  \
        operate  deliver feeds, compare and check systems\n  govern   apply configuration, set credentials, probe, drill and \
        try systems\n\nIt approves nothing and makes no secrets: that takes a person. It ends by itself.\n\n\
        Example:\n  bailiwick token create nightly-feed --may operate --days 90"
    )]
    Create(CreateArgs),
    /// Your tokens; those of everybody for administrators
    #[command(after_help = "Example:\n  bailiwick token list")]
    List,
    /// Revoke a token: it opens nothing from then on
    #[command(after_help = "Example:\n  bailiwick token revoke tok_01jd3v8k5mfa8rsw1r2q9n6x4e")]
    Revoke {
        /// Which
        token: TokenId,
    },
}

/// Arguments of `bailiwick token create`.
#[derive(Args)]
pub struct CreateArgs {
    /// What to call it
    name: String,
    /// What it may do besides reading; may be given several times
    #[arg(long = "may", value_enum)]
    may: Vec<May>,
    /// How many days it works, a year at most
    #[arg(long)]
    days: u16,
}

/// What a token may do besides reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum May {
    Operate,
    Govern,
}

impl From<May> for Right {
    fn from(may: May) -> Self {
        match may {
            May::Operate => Self::Operate,
            May::Govern => Self::Govern,
        }
    }
}

/// Makes, shows or revokes tokens.
pub async fn run(context: &Context<'_>, command: TokenCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        TokenCommand::Create(CreateArgs { name, may, days }) => {
            let new = NewToken { name, rights: may.into_iter().map(Right::from).collect(), days };
            let made: TokenMade = client.post(&["tokens"]).json(&new).send().await?;
            context.output.result(&made, |output| {
                output.line(&made.secret);
                output.say(&format!(
                    "this is not shown again; it works until {:.0} and is `{}`",
                    made.token.expires, made.token.token
                ));
            });
        }
        TokenCommand::List => {
            let tokens: Vec<TokenView> = client.get(&["tokens"]).send().await?;
            context.output.result(&tokens, |output| {
                let row = |one: &TokenView| {
                    vec![
                        Tone::Plain.cell(one.token),
                        Tone::Plain.cell(&one.name),
                        Tone::Plain.cell(rights(one)),
                        Tone::Plain.cell(format!("{:.0}", one.expires)),
                        Tone::Plain.cell(one.used.map_or("never".into(), |used| format!("{used:.0}"))),
                    ]
                };
                if tokens.is_empty() {
                    output.say("there are no tokens of programs");
                } else {
                    let headings = ["token", "name", "may", "until", "last used"];
                    output.table(&headings, tokens.iter().map(row).collect());
                }
            });
        }
        TokenCommand::Revoke { token } => {
            client.delete(&["tokens", &token.to_string()]).done().await?;
            context.output.result(&token, |output| output.line(&format!("{token} opens nothing any more")));
        }
    }
    Ok(Exit::Done)
}

/// `read, operate`
fn rights(token: &TokenView) -> String {
    let rights = token.rights.iter().map(|right| right.as_str());
    std::iter::once("read").chain(rights).collect::<Vec<_>>().join(", ")
}
