//! `bailiwick integration`

use bailiwick_core::{
    gate::{Gate, HUB},
    integration::{Role, Standing},
    scope_test::{ScopeTest, Shown, Tried},
    transfer::{Post, Transfer},
};
use bailiwick_engine::{Spending, Waiting};
use clap::Subcommand;

use super::Context;
use crate::{
    api::{Acceptance, CallerMade, HookMade, IntegrationView, NewCaller, Proposal, Withdrawal},
    failure::{Exit, Result},
    render::{Output, Tone},
};

/// `bailiwick integration …`
#[derive(Subcommand)]
pub enum IntegrationCommand {
    /// What is connected, who answers for it, and whether it may be used
    #[command(after_help = "Example:\n  bailiwick integration list")]
    List,
    /// Try what is new in a scope before its second gate is opened for it
    #[command(
        after_help = "Reading is tried on what is there, writing on an account that belongs to nobody and goes again.\n\
        Its first gate must have been approved.\n\nExample:\n  bailiwick integration test chat"
    )]
    Test {
        /// The integration
        integration: String,
    },
    /// Show what an integration has used of its budgets, and the changes that are held
    #[command(after_help = "Example:\n  bailiwick integration held chat")]
    Held {
        /// The integration
        integration: String,
    },
    /// Give an integration a token to call with; it is shown this once, and one before it ends
    #[command(
        after_help = "The integration calls `/door/v1/signals` and `/door/v1/identities/SOURCE/KEY` with it, and a source that\n\
        pushes people `/scim/v2`.\n\n\
        Example:\n  bailiwick integration token badges --days 90\n  bailiwick integration token badges --revoke"
    )]
    Token {
        /// The integration
        integration: String,
        /// How many days the token works
        #[arg(long, default_value_t = 90)]
        days: u16,
        /// Take the token back instead: it does not work any more
        #[arg(long, conflicts_with = "days")]
        revoke: bool,
    },
    /// Let the system of an integration send hints (webhooks); the secret is shown this once
    #[command(
        after_help = "Hints are signed as Standard Webhooks 1.0.0 says. What they say is not read: the system is compared, within\n\
        seconds, as it would be later anyway. A new secret works at once, and the one before for a day more.\n\n\
        Example:\n  bailiwick integration hook chat\n  bailiwick integration hook chat --end"
    )]
    Hook {
        /// The integration
        integration: String,
        /// Take the secret back instead: no hint is taken any more
        #[arg(long)]
        end: bool,
    },
    /// Lift a quarantine after its cause is mended, and let go once what a budget holds
    #[command(after_help = "Example:\n  bailiwick integration release chat")]
    Release {
        /// The integration
        integration: String,
    },
    /// Ask anew for the gate that is shut: the first, or else the second with the authority as it is now
    #[command(after_help = "Example:\n  bailiwick integration certify chat")]
    Certify {
        /// The integration
        integration: String,
    },
    /// Propose somebody else to answer for an integration; they must accept
    #[command(after_help = "Example:\n  bailiwick integration transfer chat --to hr/2")]
    Transfer {
        /// The integration
        integration: String,
        /// Who is proposed
        #[arg(long, value_name = "SOURCE/KEY")]
        to: String,
        /// In which place: owner or backup
        #[arg(long, value_parser = ["owner", "backup"], default_value = "owner")]
        post: String,
    },
    /// Say that you answer for an integration from now on; its credentials must then be set anew
    #[command(after_help = "You must be proposed. What follows is a change with the usual approvals.\n\n\
        Example:\n  bailiwick integration accept chat --backup hr/6")]
    Accept {
        /// The integration
        integration: String,
        /// Who is the backup, when you were it
        #[arg(long, value_name = "SOURCE/KEY")]
        backup: Option<String>,
    },
    /// Take approvals back: one gate alone, or both; in force at once
    #[command(after_help = "Without the gate `identity-authority-approved` an integration reads and writes \
        nothing;\nwithout `integration-approved` nothing is sent.\n\n\
        Example:\n  bailiwick integration withdraw chat --gate identity-authority-approved")]
    Withdraw {
        /// The integration
        integration: String,
        /// The gate; without it, both
        #[arg(long, value_parser = gate)]
        gate: Option<Gate>,
    },
}

fn gate(text: &str) -> Result<Gate, String> {
    let names = Gate::ALL.map(Gate::as_str).join(" and ");
    let found = Gate::ALL.into_iter().find(|gate| gate.as_str() == text);
    found.ok_or_else(|| format!("the gates are {names}"))
}

/// Shows or releases integrations.
pub async fn run(context: &Context<'_>, command: IntegrationCommand) -> Result<Exit> {
    let client = context.client()?;
    match command {
        IntegrationCommand::List => {
            let views: Vec<IntegrationView> = client.get(&["integrations"]).send().await?;
            context.output.result(&views, |output| show(output, &views));
        }
        IntegrationCommand::Test { integration } => {
            let test: ScopeTest = client.post(&["integrations", &integration, "test"]).send().await?;
            context.output.result(&test, |output| tell(output, &test));
            return Ok(if test.passed() { Exit::Done } else { Exit::Refused });
        }
        IntegrationCommand::Held { integration } => {
            let spending: Spending = client.get(&["integrations", &integration, "held"]).send().await?;
            context.output.result(&spending, |output| held(output, &integration, &spending));
        }
        IntegrationCommand::Hook { integration, end: true } => {
            client.delete(&["integrations", &integration, "hook"]).done().await?;
            let ended = serde_json::json!({ "integration": integration });
            let told = format!("no hint of {integration} is taken any more");
            context.output.result(&ended, |output| output.line(&told));
        }
        IntegrationCommand::Hook { integration, end: false } => {
            let made: HookMade = client.post(&["integrations", &integration, "hook"]).send().await?;
            let address = client.page(&made.path);
            context.output.result(&made, |output| {
                output.line(&format!("address  {address}"));
                output.line(&format!("secret   {}", made.secret));
                output.say("give both to the system's settings for webhooks; the secret is not shown again");
            });
        }
        IntegrationCommand::Token { integration, revoke: true, .. } => {
            client.delete(&["integrations", &integration, "token"]).done().await?;
            context
                .output
                .result(&true, |output| output.line(&format!("the token of {integration} has ended")));
        }
        IntegrationCommand::Token { integration, days, revoke: false } => {
            let made: CallerMade = client
                .post(&["integrations", &integration, "token"])
                .json(&NewCaller { days })
                .send()
                .await?;
            context.output.result(&made, |output| output.line(&made.token));
        }
        IntegrationCommand::Release { integration } => {
            client.post(&["integrations", &integration, "release"]).done().await?;
            context.output.result(&true, |output| output.line(&format!("{integration} is released")));
        }
        IntegrationCommand::Certify { integration } => {
            let waiting: Vec<Waiting> =
                client.post(&["integrations", &integration, "certification"]).send().await?;
            context.output.result(&waiting, |output| super::apply::waits(output, &waiting));
        }
        IntegrationCommand::Transfer { integration, to, post } => {
            let post = if post == "backup" { Post::Backup } else { Post::Owner };
            let asked = Proposal { to, post };
            let transfer: Transfer =
                client.post(&["integrations", &integration, "transfer"]).json(&asked).send().await?;
            context.output.result(&transfer, |output| {
                let to = transfer.to.as_deref().unwrap_or("nobody");
                output.line(&format!("{to} is proposed as {} of {integration}", transfer.post));
                output.say(&format!("they accept with `bailiwick integration accept {integration}`"));
            });
        }
        IntegrationCommand::Accept { integration, backup } => {
            let asked = Acceptance { backup };
            let waiting: Vec<Waiting> =
                client.post(&["integrations", &integration, "acceptance"]).json(&asked).send().await?;
            context.output.result(&waiting, |output| {
                output.line(&format!(
                    "accepted; set each credential of {integration} anew within five working days"
                ));
                super::apply::waits(output, &waiting);
            });
        }
        IntegrationCommand::Withdraw { integration, gate } => {
            let gates = gate.map_or(Gate::ALL.to_vec(), |gate| vec![gate]);
            let asked = Withdrawal { gates };
            let waiting: Vec<Waiting> =
                client.post(&["integrations", &integration, "withdrawal"]).json(&asked).send().await?;
            context.output.result(&waiting, |output| super::apply::waits(output, &waiting));
        }
    }
    Ok(Exit::Done)
}

fn held(output: Output, name: &str, spending: &Spending) {
    let Some(ledger) = &spending.ledger else {
        output.say(&format!("nothing of {name} was counted yet"));
        return;
    };
    output.line(&format!(
        "{}: {} known accounts changed, {} privileged entitlements given",
        ledger.day, ledger.accounts, ledger.privileged
    ));
    let Some(breach) = &ledger.held else { return };
    let budget = breach.budget.as_str();
    output.line(&format!(
        "stopped since {:.0}: {} of {} of `{budget}` are used",
        breach.since, breach.used, breach.limit
    ));
    let rows = spending.held.iter().map(|change| {
        vec![
            Tone::Plain.cell(change.identity),
            Tone::Plain.cell(&change.system),
            Tone::Plain.cell(&change.what),
            Tone::Plain.cell(change.plan),
        ]
    });
    output.table(&["identity", "system", "held", "plan"], rows.collect());
}

/// What was tried, line by line.
pub(super) fn tell_tried(output: Output, tried: &[Tried]) {
    for Tried { what, shown } in tried {
        match shown {
            Shown::Works => output.toned(Tone::Good, &format!("{what}: works")),
            Shown::Fails { code, message } => {
                output.toned(Tone::Bad, &format!("{what}: fails [{code}]: {message}"));
            }
            Shown::CannotBeShown { why } => {
                output.toned(Tone::Warn, &format!("{what}: cannot be shown: {why}"));
            }
        }
    }
}

fn tell(output: Output, test: &ScopeTest) {
    tell_tried(output, &test.tried);
    if let Some(canary) = &test.canary {
        output.toned(Tone::Warn, &format!("the account `{canary}` is still there; the next test removes it"));
    }
}

fn show(output: Output, views: &[IntegrationView]) {
    let rows = views.iter().map(|view| {
        let IntegrationView { integration, credentials, class, reads_shut, writes_shut } = view;
        let serves = match &integration.role {
            Role::Source { source, .. } => format!("source {source}"),
            Role::Target { system } => format!("system {system}"),
            Role::Log { system } => format!("log of {system}"),
            Role::Partner { system: Some(system) } => format!("partner on {system}"),
            Role::Partner { system: None } if integration.name.as_str() == HUB => "the hub itself".to_owned(),
            Role::Partner { system: None } => "partner".to_owned(),
        };
        let credentials: Vec<&str> = credentials.iter().map(|line| line.purpose.as_str()).collect();
        let standing = match &integration.standing {
            Standing::Enabled => match (reads_shut, writes_shut) {
                (Some(code), _) => Tone::Bad.cell(format!("shut: {code}")),
                (None, Some(code)) => Tone::Warn.cell(format!("reads only: {code}")),
                (None, None) => Tone::Good.cell("enabled"),
            },
            Standing::Quarantined { reason, .. } => Tone::Bad.cell(format!("stopped: {reason}")),
            Standing::Paused { control, .. } => Tone::Bad.cell(format!("writes off: {}", control.code())),
            Standing::Ended { since } => Tone::Plain.cell(format!("ended {since:.0}")),
        };
        let credentials = if credentials.is_empty() { "none".to_owned() } else { credentials.join(", ") };
        vec![
            Tone::Plain.cell(&integration.name),
            Tone::Plain.cell(serves),
            Tone::Plain.cell(class),
            Tone::Plain.cell(&integration.owner),
            Tone::Plain.cell(credentials),
            standing,
        ]
    });
    output.table(&["integration", "serves", "class", "owner", "credentials", "standing"], rows.collect());
    if views.is_empty() {
        output.say("nothing is connected yet: `bailiwick apply DIR`");
    }
}
