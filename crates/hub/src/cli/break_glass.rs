//! `bailiwick break-glass`

use bailiwick_core::{
    exception::Exception,
    id::{ExceptionId, GlassName},
};
use clap::{Args, Subcommand};

use super::{
    Context,
    access::{because, stands},
};
use crate::{
    api::{GlassOpen, GlassOpened, GlassView, ReviewRequest},
    failure::{Exit, Result},
    render::{Output, Tone},
};

/// `bailiwick break-glass …`
#[derive(Subcommand)]
pub enum GlassCommand {
    /// The cases, and what was opened
    #[command(after_help = "Example:\n  bailiwick break-glass list")]
    List,
    /// Ask for a case to be opened for somebody; a second person approves it
    #[command(
        after_help = "Whoever approves it has the role `break-glass-approver`, is neither the one who asks nor the one\n\
        who gets it nor acts for either, and gives a code of the moment. It ends by itself.\n\n\
        Example:\n  bailiwick break-glass open outage --for hr/1002 --minutes 30 --reason \"mail is down\""
    )]
    Open(OpenArgs),
    /// Say, as somebody who had no part in it, what you make of it once it is over
    #[command(
        after_help = "Example:\n  bailiwick break-glass review exc_01jd3v8k5mfa8rsw1r2q9n6x4e --reason \"only the mail server was touched\""
    )]
    Review {
        /// What was opened
        exception: ExceptionId,
        /// What you make of it
        #[arg(long)]
        reason: String,
    },
}

/// Arguments of `bailiwick break-glass open`.
#[derive(Args)]
pub struct OpenArgs {
    /// The case
    case: GlassName,
    /// Who gets it: `source/key`, id or e-mail address
    #[arg(long = "for", value_name = "PERSON")]
    person: String,
    /// For how long, from the approval
    #[arg(long)]
    minutes: u32,
    /// Why
    #[arg(long)]
    reason: String,
}

/// Lists, opens and reviews.
pub async fn run(context: &Context<'_>, command: GlassCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        GlassCommand::List => {
            let view: GlassView = client.get(&["break-glass"]).send().await?;
            context.output.result(&view, |output| show(output, &view));
        }
        GlassCommand::Open(args) => {
            let OpenArgs { case, person, minutes, reason } = args;
            let asked = GlassOpen { identity: person, minutes, reason };
            let opened: GlassOpened =
                client.post(&["break-glass", case.as_str()]).json(&asked).send().await?;
            context.output.result(&opened, |output| {
                output.line(&format!("{} is asked for", opened.exception.terms.exception));
                output.say(&format!(
                    "somebody else approves it within an hour: `bailiwick approve {}`",
                    opened.plan
                ));
            });
        }
        GlassCommand::Review { exception, reason } => {
            let path = ["break-glass", "exceptions", &exception.to_string(), "review"];
            let done: Exception = client.post(&path).json(&ReviewRequest { reason }).send().await?;
            context.output.result(&done, |output| output.line(&format!("{exception} is reviewed")));
        }
    }
    Ok(Exit::Done)
}

fn show(output: Output, view: &GlassView) {
    let cases = view.cases.iter().map(|case| {
        let gives: Vec<&str> = case.entitlements.iter().map(|name| name.as_str()).collect();
        vec![
            Tone::Plain.cell(&case.name),
            Tone::Plain.cell(gives.join(", ")),
            Tone::Plain.cell(format!("{} min", case.longest_minutes)),
            Tone::Plain.cell(&case.purpose),
        ]
    });
    if view.cases.is_empty() {
        output.say("no case is declared: `[break-glass.NAME]` in the configuration does");
    } else {
        output.table(&["case", "gives", "at most", "for"], cases.collect());
    }
    let opened = view.exceptions.iter().map(|view| {
        let Exception { terms, state, review, .. } = &view.exception;
        vec![
            Tone::Plain.cell(terms.exception),
            Tone::Plain.cell(because(&terms.because)),
            Tone::Plain.cell(&view.who.name),
            stands(state),
            if review.is_some() { Tone::Good.cell("reviewed") } else { Tone::Plain.cell("-") },
        ]
    });
    if !view.exceptions.is_empty() {
        output.line("");
        output.table(&["exception", "case", "for", "state", "review"], opened.collect());
    }
}
