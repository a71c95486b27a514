//! `bailiwick credential`: a secret goes in, sealed; it never comes out again.

use std::{io::IsTerminal, path::PathBuf};

use bailiwick_connector::seal::CredentialScheme;
use clap::{Args, Subcommand, ValueEnum};

use super::{Context, import};
use crate::{
    api::CredentialSealed,
    client::Client,
    failure::{Exit, Failure, Result},
    render::Tone,
};

/// `bailiwick credential …`
#[derive(Subcommand)]
pub enum CredentialCommand {
    /// Set the credential of an integration, from a file or standard input
    #[command(after_help = "The secret is not taken from the command line: others could see it there.\n\n\
        Example:\n  bailiwick credential set chat write --file chat-token\n  pass show chat | bailiwick credential set chat verify\n  \
        bailiwick credential set sso write --client bailiwick --file client-secret")]
    Set {
        /// The integration
        integration: String,
        /// What for: `write` changes the system, `read` lists it, `verify` reads it back independently
        purpose: PurposeArg,
        /// The file with the secret; without it, standard input
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        shown: Shown,
    },
}

/// How a credential is shown to the system; without any, as a bearer token.
#[derive(Args)]
#[group(multiple = false)]
pub struct Shown {
    /// It is the password of this user: HTTP Basic, a directory's bind name, a database's role
    #[arg(long, value_name = "USER")]
    basic: Option<String>,
    /// It travels in this header
    #[arg(long, value_name = "NAME")]
    header: Option<String>,
    /// It is the secret of this access key (AWS), which signs and never travels
    #[arg(long, value_name = "ID")]
    access_key: Option<String>,
    /// It is the secret of this OAuth client, which gets itself tokens at `token_path`
    #[arg(long, value_name = "ID")]
    client: Option<String>,
}

impl Shown {
    fn scheme(self) -> CredentialScheme {
        match self {
            Self { basic: Some(user), .. } => CredentialScheme::Basic { user },
            Self { header: Some(name), .. } => CredentialScheme::Header { name },
            Self { access_key: Some(id), .. } => CredentialScheme::AccessKey { id },
            Self { client: Some(client_id), .. } => CredentialScheme::ClientCredentials { client_id },
            Self { basic: None, header: None, access_key: None, client: None } => CredentialScheme::Bearer,
        }
    }
}

/// What a credential is for.
#[derive(Clone, Copy, ValueEnum)]
pub enum PurposeArg {
    /// Changes the system.
    Write,
    /// Lists and looks.
    Read,
    /// Reads it back.
    Verify,
}

impl PurposeArg {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Verify => "verify",
        }
    }
}

/// Sets a credential.
pub async fn run(context: &Context<'_>, command: CredentialCommand) -> Result<Exit> {
    let CredentialCommand::Set { integration, purpose, file, shown } = command;
    if file.is_none() && std::io::stdin().is_terminal() {
        return Err(Failure::usage("no-secret", "give the secret with `--file FILE` or on standard input"));
    }
    let secret = import::read(&file.unwrap_or_else(|| PathBuf::from("-")))?;
    let (client, scheme) = (context.client()?, shown.scheme());
    let purpose = purpose.as_str();
    let sealed = put(&client, &integration, purpose, &scheme, secret).await?;
    context.output.result(&sealed, |output| {
        output.line(&format!("the credential of {integration} to {purpose} is sealed"));
        if let Some(since) = sealed.known_since {
            let text = format!(
                "the hub has had this secret since {since:.0}: it is none that is new, and nothing is rotated"
            );
            output.toned(Tone::Warn, &text);
        }
    });
    Ok(Exit::Done)
}

/// Seals a bearer token at the hub.
pub async fn set(client: &Client, integration: &str, purpose: &str, secret: Vec<u8>) -> Result<()> {
    put(client, integration, purpose, &CredentialScheme::Bearer, secret).await.map(drop)
}

async fn put(
    client: &Client,
    integration: &str,
    purpose: &str,
    scheme: &CredentialScheme,
    secret: Vec<u8>,
) -> Result<CredentialSealed> {
    let mut request = client.put(&["integrations", integration, "credentials", purpose]);
    // Each member of a scheme is a text.
    if let Ok(serde_json::Value::Object(members)) = serde_json::to_value(scheme) {
        for (name, value) in &members {
            request = request.maybe(name, value.as_str());
        }
    }
    request.bytes(secret).send().await
}
