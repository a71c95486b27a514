//! `bailiwick decide`

use clap::Args;
use serde_json::Value;

use super::Context;
use crate::{
    api::{DecisionAsked, DecisionView},
    failure::{Exit, Failure, Result},
};

/// Arguments of `bailiwick decide`.
#[derive(Args)]
#[command(
    after_help = "Says what would be answered to whoever asks at `/access/v1`: yes or no, by which policies, and what was\n\
    known. Nothing is written down. Exit code 1 when it is no.\n\n\
    With `--say` it is answered as if a caller had said that of the subject, the action, the resource or the\n\
    context; see docs/authzen.md.\n\n\
    Examples:\n  bailiwick decide --subject user/ann@acme.example --action read --resource record/record-1\n  \
    bailiwick decide --subject identity/hr/1001 --action use --resource entitlement/chat/engineering\n  \
    bailiwick decide --subject user/ann@acme.example --action delete --resource record/record-1 --say action.soft=true"
)]
pub struct DecideArgs {
    /// Who: `TYPE/ID`
    #[arg(long, value_name = "TYPE/ID")]
    subject: String,
    /// What is to be done
    #[arg(long, value_name = "NAME")]
    action: String,
    /// To what: `TYPE/ID`
    #[arg(long, value_name = "TYPE/ID")]
    resource: String,
    /// What a caller would say: `subject.NAME=VALUE`, or of `action`, `resource` or `context`
    #[arg(long, value_name = "OF.NAME=VALUE")]
    say: Vec<String>,
}

/// Asks and shows.
pub async fn run(context: &Context<'_>, args: DecideArgs) -> Result<Exit> {
    let mut asked = DecisionAsked::default();
    (asked.subject.kind, asked.subject.id) = typed(&args.subject)?;
    (asked.resource.kind, asked.resource.id) = typed(&args.resource)?;
    asked.action.name = args.action;
    for said in &args.say {
        let (of, name, value) = read(said)?;
        let properties = match of {
            "subject" => &mut asked.subject.properties,
            "action" => &mut asked.action.properties,
            "resource" => &mut asked.resource.properties,
            "context" => &mut asked.context,
            _ => return Err(wrong(said)),
        };
        properties.insert(name.to_owned(), value);
    }
    let client = context.client()?;
    let view: DecisionView = client.post(&["decisions"]).json(&asked).send().await?;
    context.output.result(&view, |output| {
        let word = if view.decision { "permitted" } else { "denied" };
        output.line(&format!("{word}: {} [{}]", view.message, view.because));
        let policies: Vec<&str> = view.policies.iter().map(|policy| policy.as_str()).collect();
        if !policies.is_empty() {
            output.line(&format!("  by {}", policies.join(", ")));
        }
        let known = view.known.iter().map(|(name, value)| format!("{name} = {value}"));
        let resource = view.resource.iter().map(|(name, value)| format!("{name} = {value}"));
        for (of, facts) in [("subject", known.collect::<Vec<_>>()), ("resource", resource.collect())] {
            if !facts.is_empty() {
                output.line(&format!("  known of the {of}: {}", facts.join(", ")));
            }
        }
        if let Some(identity) = view.identity {
            output.line(&format!("  it is about {identity}"));
        }
        output.line(&format!("  policies of version {}", view.policy_version.short()));
    });
    Ok(if view.decision { Exit::Done } else { Exit::Refused })
}

fn typed(text: &str) -> Result<(String, String)> {
    match text.split_once('/') {
        Some((kind, id)) if !kind.is_empty() && !id.is_empty() => Ok((kind.to_owned(), id.to_owned())),
        _ => Err(Failure::usage("usage", format!("`{text}` is no `TYPE/ID`, such as `record/record-1`"))),
    }
}

/// What is said, of what, by which name: JSON where it is some, else text.
fn read(said: &str) -> Result<(&str, &str, Value)> {
    let (of, rest) = said.split_once('.').ok_or_else(|| wrong(said))?;
    let (name, value) = rest.split_once('=').ok_or_else(|| wrong(said))?;
    Ok((of, name, serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

fn wrong(said: &str) -> Failure {
    let message = format!("`{said}` says nothing: write `OF.NAME=VALUE`, such as `subject.role=admin`");
    Failure::usage("usage", message)
}
