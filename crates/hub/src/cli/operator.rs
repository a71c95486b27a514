//! `bailiwick operator`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Context;
use crate::{
    api::{EnrolRequest, Enrolled, NewOperator, OperatorMade, OperatorView},
    client::Client,
    failure::{Exit, Failure, Result},
    profile::Profile,
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
        feeds and\nreconciles; others, such as `approver`, mean what the policies say. Reading takes any.\n\n\
        Example:\n  bailiwick operator add noor --role approver --person hr/1001 --to noor.toml"
    )]
    Add(AddArgs),
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
    /// How many days the token works
    #[arg(long, default_value_t = 90)]
    days: u16,
    /// The profile file to write [default: NAME.profile.toml]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Print the token instead of writing a profile file
    #[arg(long, conflicts_with = "to")]
    show_token: bool,
}

/// Shows or adds operators.
pub async fn run(context: &Context<'_>, command: OperatorCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        OperatorCommand::List => {
            let operators: Vec<OperatorView> = client.get(&["operators"]).send().await?;
            context.output.result(&operators, |output| {
                let rows = operators.iter().map(|operator| {
                    let roles: Vec<&str> = operator.roles.iter().map(String::as_str).collect();
                    vec![
                        Tone::Plain.cell(&operator.name),
                        Tone::Plain.cell(roles.join(", ")),
                        Tone::Plain.cell(operator.person.as_deref().unwrap_or("-")),
                        Tone::Plain.cell(format!("{:.0}", operator.expires)),
                    ]
                });
                output.table(&["operator", "roles", "is", "token expires"], rows.collect());
            });
        }
        OperatorCommand::Enrol { name, code } => {
            let made = enrol(&client, &name, code).await?;
            context.output.result(&made, |output| {
                output.say("add this to an authenticator program; it is not shown again:");
                output.line(&made.address);
            });
        }
        OperatorCommand::Add(args) => add_and_tell(context, &client, args).await?,
    }
    Ok(Exit::Done)
}

async fn add_and_tell(context: &Context<'_>, client: &Client, args: AddArgs) -> Result<()> {
    let AddArgs { name, roles, person, days, to, show_token } = args;
    let to = to.unwrap_or_else(|| PathBuf::from(format!("{name}.profile.toml")));
    if !show_token && to.exists() {
        return Err(Failure::usage("profile-exists", format!("there is a profile at `{}`", to.display())));
    }
    let url = Profile::read(&context.profile_path()?)?.url;
    let new = NewOperator { name, roles: roles.into_iter().collect(), person, days };
    let OperatorMade { operator, token } = add(client, &new).await?;
    if show_token {
        context.output.result(&OperatorMade { operator, token: token.clone() }, |output| output.line(&token));
        return Ok(());
    }
    Profile { url, operator: operator.name.clone(), token }.write(&to)?;
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

/// Adds an operator.
pub async fn add(client: &Client, new: &NewOperator) -> Result<OperatorMade> {
    client.post(&["operators"]).json(new).send().await
}
