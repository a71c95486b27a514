//! `bailiwick review`

use bailiwick_core::{
    digest::Digest,
    review::{CallbackLine, Decision, Resolves, Review, Whereabouts},
};
use clap::{Args, Subcommand};

use super::{Context, list::ListArgs, plan::ask_for_code};
use crate::{
    api::{DecisionRequest, ReviewView},
    client::Client,
    failure::{Exit, Result},
    render::{Output, Tone},
};

/// `bailiwick review …`
#[derive(Subcommand)]
pub enum ReviewCommand {
    /// All reviews, open and done
    #[command(after_help = "Example:\n  bailiwick review list")]
    List {
        #[command(flatten)]
        list: ListArgs,
    },
    /// What an integration was given, what of it was used, and where its callbacks lead
    #[command(after_help = "Example:\n  bailiwick review show chat")]
    Show {
        /// The integration
        integration: String,
    },
    /// Certify anew what an integration can do, for a reason
    #[command(after_help = "Use alone is no reason: say what it is still needed for.\n\n\
        Example:\n  bailiwick review keep chat --because 'sales writes to customers with it'")]
    Keep(DecideArgs),
    /// Take everything from an integration that was not used since its last review
    #[command(after_help = "Example:\n  bailiwick review narrow chat")]
    Narrow(DecideArgs),
    /// Shut both gates of an integration
    #[command(after_help = "Example:\n  bailiwick review revoke chat --because 'nobody needs it'")]
    Revoke(DecideArgs),
}

/// What every decision takes.
#[derive(Args)]
pub struct DecideArgs {
    /// The integration
    integration: String,
    /// Why, in your words
    #[arg(long, value_name = "TEXT", default_value = "")]
    because: String,
    /// The digest that `review show` printed; without it, what is shown now is printed and decided on
    #[arg(long, value_name = "DIGEST")]
    shown: Option<Digest>,
    /// The code of the moment, to keep what decides over identities; on a terminal it is asked for
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
}

/// Shows and decides reviews.
pub async fn run(context: &Context<'_>, command: ReviewCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        ReviewCommand::List { list } => {
            let reviews = list.read::<Review>(|| client.get(&["reviews"])).await?;
            context.output.result(&reviews.items, |output| {
                if !reviews.items.is_empty() {
                    let rows = reviews.items.iter().map(row).collect();
                    output.table(&["integration", "due", "because", "decision", "reviewer"], rows);
                }
                reviews.remark(output, "no reviews");
            });
        }
        ReviewCommand::Show { integration } => {
            let view = look(&client, &integration).await?;
            context.output.result(&view, |output| describe(output, &view));
        }
        ReviewCommand::Keep(args) => decide(context, &client, Decision::Keep, args).await?,
        ReviewCommand::Narrow(args) => decide(context, &client, Decision::Narrow, args).await?,
        ReviewCommand::Revoke(args) => decide(context, &client, Decision::Revoke, args).await?,
    }
    Ok(Exit::Done)
}

async fn look(client: &Client, integration: &str) -> Result<ReviewView> {
    client.get(&["integrations", integration, "review"]).send().await
}

async fn decide(context: &Context<'_>, client: &Client, decision: Decision, args: DecideArgs) -> Result<()> {
    let DecideArgs { integration, because: reason, shown, code } = args;
    let shown = match shown {
        Some(shown) => shown,
        None => {
            let view = look(client, &integration).await?;
            if !context.output.json {
                describe(context.output, &view);
            }
            view.digest
        }
    };
    let mut request = DecisionRequest { decision, reason, shown, code, passkey: None };
    let path = ["integrations", &integration, "review"];
    let mut given = client.post(&path).json(&request).send().await;
    if given.as_ref().is_err_and(|failure| failure.code() == "step-up-needed")
        && let Some(code) = ask_for_code(context)
    {
        request.code = Some(code);
        given = client.post(&path).json(&request).send().await;
    }
    let review: Review = given?;
    context.output.result(&review, |output| {
        output.line(&format!("{integration} is reviewed: {}", decision.as_str()));
    });
    Ok(())
}

fn row(review: &Review) -> Vec<comfy_table::Cell> {
    let because: Vec<&str> = review.because.iter().map(|trigger| trigger.as_str()).collect();
    let (decision, reviewer) = match &review.outcome {
        Some(outcome) => (Tone::Good.cell(outcome.decision.as_str()), outcome.reviewer.as_str()),
        None => (Tone::Warn.cell("open"), ""),
    };
    vec![
        Tone::Plain.cell(&review.integration),
        Tone::Plain.cell(format!("{:.0}", review.due)),
        Tone::Plain.cell(because.join(", ")),
        decision,
        Tone::Plain.cell(reviewer),
    ]
}

fn describe(output: Output, view: &ReviewView) {
    let shown = &view.shown;
    output.line(&format!("{} ({}): {}", shown.integration, shown.class, shown.purpose));
    output.line(&format!("  owner     {}, backup {}", shown.owner, shown.backup));
    match &shown.reviewed {
        Some(at) => output.line(&format!("  reviewed  {at:.0}")),
        None => output.toned(Tone::Warn, "  reviewed  never"),
    }
    match &shown.drill {
        Some(drill) if drill.passed => output.line(&format!("  drilled   {:.0}, as it must", drill.at)),
        Some(drill) => output.toned(Tone::Bad, &format!("  drilled   {:.0}, failed", drill.at)),
        None => output.toned(Tone::Warn, "  drilled   never"),
    }
    output.line(&format!("  digest    {}", view.digest));
    shown.authority.iter().for_each(|line| output.line(&format!("  can {line}")));
    for rule in &shown.rules {
        let with = match &rule.with {
            Some(with) if rule.used => format!("{} calls, last {:.0}", with.calls, with.last),
            Some(with) => format!("not used since the last review: last {:.0}", with.last),
            None => "never used".to_owned(),
        };
        let tone = if rule.used { Tone::Plain } else { Tone::Warn };
        output.toned(tone, &format!("  {}  ({with})", rule.rule));
    }
    shown.callbacks.iter().for_each(|callback| describe_callback(output, callback));
    for finding in &shown.findings {
        output.toned(Tone::Warn, &format!("  {}: {}", finding.code, finding.message));
    }
}

fn describe_callback(output: Output, callback: &CallbackLine) {
    let (tone, what) = match callback.resolves {
        Resolves::Same => (Tone::Good, "where it led when it was certified"),
        Resolves::Elsewhere => (Tone::Bad, "leads to other hosts than when it was certified"),
        Resolves::OtherCertificate => (Tone::Warn, "shows another certificate than when it was certified"),
        Resolves::Nowhere => (Tone::Bad, "leads nowhere"),
        Resolves::NotPinned => (Tone::Warn, "where it led was never seen"),
    };
    let hosts = match &callback.now {
        Whereabouts::Found { hosts, .. } => hosts.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        Whereabouts::Lost { why } => why.clone(),
    };
    output.toned(tone, &format!("  callback {}: {what} ({hosts})", callback.address));
}
