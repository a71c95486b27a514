//! `bailiwick operator`

use std::path::PathBuf;

use bailiwick_core::id::PlanId;
use bailiwick_engine::Waiting;
use clap::{Args, Subcommand};

use super::{Context, apply::waits};
use crate::{
    api::{
        AskedFor, EnrolRequest, Enrolled, InvitationHalf, Joining, NewOperator, OperatorMade, OperatorView,
    },
    client::Client,
    failure::{Exit, Failure, Result},
    profile::{self, Profile},
    render::Tone,
};

/// `bailiwick operator …`
#[derive(Subcommand)]
pub enum OperatorCommand {
    /// Who works with the hub
    #[command(after_help = "Example:\n  bailiwick operator list")]
    List,
    /// Add somebody; their token goes to a profile file, not to the terminal
    #[command(
        after_help = "Roles: `admin` governs configuration, credentials and operators; `operator` delivers \
        feeds and\nreconciles; `integration-approver` and `identity-approver` open the two gates of integrations; \
        `break-glass-approver`\nlets the glass be broken; others, such as `approver`, mean what the policies say. \
        Reading takes any.\n\nOnce there are two administrators, adding somebody takes both: one asks, the other \
        approves, and each hands the\ninvited person a half of the invitation (`bailiwick operator invitation PLAN`). \
        Neither can become them alone.\n\nWho signs in by the provider is bound to it by `--subject`: its address and their `sub` there, never an address \
        of mail.\nOnce that is approved they sign in, and need no invitation.\n\nExample:\n  bailiwick operator add noor --role approver --person hr/1001 --to noor.toml"
    )]
    Add(AddArgs),
    /// Your half of an invitation, to be handed to the invited person and nobody else
    #[command(after_help = "Who asked for an operator has one half, who approved it has the other.\n\n\
        Example:\n  bailiwick operator invitation pln_01jd3v8k5mfa8rsw1r2q9n6x4e")]
    Invitation {
        /// The plan that adds the operator
        plan: PlanId,
    },
    /// Take an invitation over with both of its halves; your token goes to a profile file
    #[command(after_help = "The halves come from the two administrators, by two ways.\n\n\
        Example:\n  bailiwick operator join noor --url http://127.0.0.1:7460 --halves bwj_… bwj_…")]
    Join(JoinArgs),
    /// End somebody's token at once; their name and roles stay on record
    #[command(
        after_help = "One administrator is enough, and everybody may end their own. Whoever has left, as a source \
        says, needs no\nending: their token opens nothing. One of two administrators who stays behind can change nothing \
        alone, so add a third\nbefore. To let somebody in again, run `bailiwick operator add` for them: that takes two.\n\n\
        Example:\n  bailiwick operator revoke noor"
    )]
    Revoke {
        /// Their name
        name: String,
    },
    /// Give somebody a second factor, or a new one; its secret is shown this once
    #[command(
        after_help = "Approving what gives an integration authority over identities takes a code of it, and so does\n\
        breaking the glass. Replacing a factor takes a code of your own.\n\n\
        Example:\n  bailiwick operator enrol noor"
    )]
    Enrol {
        /// Their name
        name: String,
        /// Your own code of the moment, to replace a factor
        #[arg(long)]
        code: Option<String>,
    },
}

/// Arguments of `bailiwick operator add`.
#[derive(Args)]
pub struct AddArgs {
    /// Their name
    name: String,
    /// A role; may be given several times
    #[arg(long = "role", required = true)]
    roles: Vec<String>,
    /// The person they are, `source/key`, so that they cannot approve their own access
    #[arg(long)]
    person: Option<String>,
    /// Who they are for the provider that operators sign in by: its address, their `sub`
    #[arg(long, num_args = 2, value_names = ["ISSUER", "SUB"])]
    subject: Vec<String>,
    /// How many days the token works, and the provider is believed
    #[arg(long, default_value_t = 90)]
    days: u16,
    /// The profile file to write [default: NAME.profile.toml]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Print the token instead of writing a profile file
    #[arg(long, conflicts_with = "to")]
    show_token: bool,
}

/// Arguments of `bailiwick operator join`.
#[derive(Args)]
pub struct JoinArgs {
    /// Your name, as the administrators gave it
    name: String,
    /// Where the hub is
    #[arg(long)]
    url: String,
    /// Certificates, PEM, of which one has issued the hub's [default: the machine's own]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Both halves, in any order
    #[arg(long, num_args = 2, required = true, value_name = "HALF")]
    halves: Vec<String>,
    /// The profile file to write [default: NAME.profile.toml]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// Shows or adds operators.
pub async fn run(context: &Context<'_>, command: OperatorCommand) -> Result<Exit> {
    if let OperatorCommand::Join(args) = command {
        return join(context, args).await;
    }
    let client = context.client()?;
    match command {
        OperatorCommand::Join(_) => {}
        OperatorCommand::Invitation { plan } => {
            let made: InvitationHalf = client.get(&["plans", &plan.to_string(), "invitation"]).send().await?;
            context.output.result(&made, |output| output.line(&made.half));
        }
        OperatorCommand::List => {
            let operators: Vec<OperatorView> = client.get(&["operators"]).send().await?;
            context.output.result(&operators, |output| {
                let rows = operators.iter().map(|operator| {
                    let roles: Vec<&str> = operator.roles.iter().map(String::as_str).collect();
                    vec![
                        Tone::Plain.cell(&operator.name),
                        Tone::Plain.cell(roles.join(", ")),
                        Tone::Plain.cell(operator.may()),
                        Tone::Plain.cell(operator.person.as_deref().unwrap_or("-")),
                        match operator.invited {
                            Some(_) => Tone::Warn.cell("invited"),
                            None => Tone::Plain.cell(format!("{:.0}", operator.expires)),
                        },
                    ]
                });
                output.table(&["operator", "roles", "may", "is", "token expires"], rows.collect());
            });
        }
        OperatorCommand::Enrol { name, code } => {
            let made = enrol(&client, &name, code).await?;
            context.output.result(&made, |output| {
                output.say("add this to an authenticator program; it is not shown again:");
                output.line(&made.address);
            });
        }
        OperatorCommand::Revoke { name } => {
            let ended: OperatorView = client.delete(&["operators", &name, "token"]).send().await?;
            context.output.result(&ended, |output| {
                output.line(&format!(
                    "{name} can do nothing any more; their token ended at {:.0}",
                    ended.expires
                ));
            });
        }
        OperatorCommand::Add(args) => add_and_tell(context, &client, args).await?,
    }
    Ok(Exit::Done)
}

async fn add_and_tell(context: &Context<'_>, client: &Client, args: AddArgs) -> Result<()> {
    let AddArgs { name, roles, person, subject, days, to, show_token } = args;
    let to = to.unwrap_or_else(|| PathBuf::from(format!("{name}.profile.toml")));
    if !show_token && to.exists() {
        return Err(Failure::usage("profile-exists", format!("there is a profile at `{}`", to.display())));
    }
    let Profile { url, ca, .. } = Profile::read(&context.profile_path()?)?;
    let subject = <[String; 2]>::try_from(subject).ok().map(|[issuer, subject]| (issuer, subject));
    let new = NewOperator { name, roles: roles.into_iter().collect(), person, subject, days };
    let OperatorMade { operator, token } = match ask(client, &new).await? {
        AskedFor::Added(made) => *made,
        AskedFor::Waiting { waiting } => {
            context.output.result(&waiting, |output| {
                waits(output, &waiting);
                for Waiting { plan, .. } in &waiting {
                    output.say(&format!(
                        "then you and who approved each hand {} a half: `bailiwick operator invitation {plan}`",
                        new.name
                    ));
                }
            });
            return Ok(());
        }
    };
    if show_token {
        context.output.result(&OperatorMade { operator, token: token.clone() }, |output| output.line(&token));
        return Ok(());
    }
    Profile { url, ca, operator: operator.name.clone(), token }.write(&to)?;
    context.output.result(&operator, |output| {
        output.line(&format!(
            "{} is added; their token is in `{}`, to be handed to them",
            operator.name,
            to.display()
        ));
    });
    Ok(())
}

/// Makes a second factor.
async fn enrol(client: &Client, name: &str, code: Option<String>) -> Result<Enrolled> {
    client.post(&["operators", name, "factor"]).json(&EnrolRequest { code }).send().await
}

/// Adds an operator, or asks for that.
pub async fn ask(client: &Client, new: &NewOperator) -> Result<AskedFor> {
    client.post(&["operators"]).json(new).send().await
}

async fn join(context: &Context<'_>, args: JoinArgs) -> Result<Exit> {
    let JoinArgs { name, url, ca, halves, to } = args;
    let to = to.unwrap_or_else(|| PathBuf::from(format!("{name}.profile.toml")));
    if to.exists() {
        return Err(Failure::usage("profile-exists", format!("there is a profile at `{}`", to.display())));
    }
    let Ok(halves) = <[String; 2]>::try_from(halves) else {
        return Err(Failure::usage("usage", "an invitation has two halves"));
    };
    let ca = profile::ca(ca);
    let nobody = Profile { url: url.clone(), ca: ca.clone(), operator: name.clone(), token: String::new() };
    let path = ["operators", &name, "joining"];
    let made: OperatorMade = Client::new(&nobody)?.post(&path).json(&Joining { halves }).send().await?;
    Profile { url, ca, operator: made.operator.name.clone(), token: made.token }.write(&to)?;
    context.output.result(&made.operator, |output| {
        output.line(&format!("you are {}; your token is in `{}`", made.operator.name, to.display()));
    });
    Ok(Exit::Done)
}
