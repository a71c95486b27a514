//! `bailiwick sign-in`

use clap::Args;

use super::Context;
use crate::{
    api::{Offered, SessionView},
    failure::{Exit, Result},
    render::Tone,
};

/// Arguments of `bailiwick sign-in`.
#[derive(Args)]
#[command(
    after_help = "The link works once, within five minutes, and opens a session of at most ten hours, which ends after\nhalf an hour without use. Its code \
    stands behind `#`, which browsers send nowhere. Whoever has the link signs\nin as you: open it, and do not send \
    it on.\n\nExamples:\n  bailiwick sign-in\n  bailiwick sign-in --list\n  \
    bailiwick sign-in --end ses_01jd3v8k5mfa8rsw1r2q9n6x4e"
)]
pub struct SignInArgs {
    /// Show the sessions that are open or offered instead
    #[arg(long, conflicts_with = "end")]
    list: bool,
    /// End this session instead
    #[arg(long, value_name = "SESSION")]
    end: Option<String>,
}

/// Makes the link, or shows and ends sessions.
pub async fn run(context: &Context<'_>, args: SignInArgs) -> Result<Exit> {
    let client = context.client()?;
    if let Some(session) = args.end {
        client.delete(&["sessions", &session]).done().await?;
        context.output.result(&session, |output| output.line(&format!("{session} is over")));
        return Ok(Exit::Done);
    }
    if args.list {
        let sessions: Vec<SessionView> = client.get(&["sessions"]).send().await?;
        context.output.result(&sessions, |output| {
            let row = |one: &SessionView| {
                let state = match one.opened {
                    Some(at) => Tone::Good.cell(format!("open since {at:.0}")),
                    None => Tone::Warn.cell("offered, not used"),
                };
                vec![
                    Tone::Plain.cell(one.session),
                    Tone::Plain.cell(one.operator),
                    state,
                    Tone::Plain.cell(format!("{:.0}", one.until)),
                ]
            };
            if sessions.is_empty() {
                output.say("nobody is at the console");
            } else {
                output.table(&["session", "operator", "state", "until"], sessions.iter().map(row).collect());
            }
        });
        return Ok(Exit::Done);
    }
    let offered: Offered = client.post(&["sessions"]).send().await?;
    let page = format!("/sign-in#{}", offered.code);
    let link = offered.url.map_or_else(|| client.page(&page), |url| format!("{url}{page}"));
    context.output.result(&serde_json::json!({ "link": link, "until": offered.until }), |output| {
        output.line(&link);
        output.say("open it within five minutes; it works once");
    });
    Ok(Exit::Done)
}
