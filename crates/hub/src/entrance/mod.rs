//! How people come to this hub: under which address browsers know it, how long a session may lie idle, and which provider
//! says who somebody is.
//!
//! The address is said by whoever runs the hub, and never taken from a request: what a passkey is bound to, and where a
//! provider sends people back to, must not be for a stranger to choose.

mod provider;

use std::{net::SocketAddr, path::PathBuf};

use bailiwick_core::{passkey::Party, time::SignedDuration};
use clap::Args;
use reqwest::Url;

pub use self::provider::{Provider, word};
use crate::{
    environment::Environment,
    failure::{Failure, Result},
    folder::read_secret,
};

/// How people come.
pub struct Entrance {
    /// As browsers know the hub; without it there are neither passkeys nor a provider.
    pub party: Option<Party>,
    /// Its address, if it was said: links lead there.
    pub url: Option<String>,
    /// How long a session lasts without being used.
    pub idle: SignedDuration,
    /// Who says who somebody is.
    pub provider: Option<Provider>,
    /// Whether the hub itself speaks TLS.
    tls: bool,
}

/// Arguments of `bailiwick serve` about it.
#[derive(Args, Clone, Default)]
pub struct EntranceArgs {
    /// Under which address browsers reach the hub, such as https://hub.example; passkeys are bound to it [env:
    /// BAILIWICK_URL] [default: http://localhost:PORT where only this machine is listened to]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// After how many minutes without use a session at the console ends
    #[arg(long, default_value_t = 30, value_name = "MINUTES", value_parser = clap::value_parser!(u16).range(1..=600))]
    idle: u16,
    /// The OpenID Connect provider that operators sign in by, such as https://idp.example [env: BAILIWICK_ISSUER]
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Who the hub is for the provider [env: BAILIWICK_CLIENT_ID]
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The file with the hub's secret for the provider; without one the hub is a public client [env:
    /// BAILIWICK_CLIENT_SECRET_FILE]
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// What the provider is called on the page where people sign in
    #[arg(long, value_name = "NAME")]
    provider_name: Option<String>,
}

impl Default for Entrance {
    fn default() -> Self {
        Self { party: None, url: None, idle: bailiwick_engine::IDLE, provider: None, tls: false }
    }
}

impl Entrance {
    /// As the command line and the environment say it.
    ///
    /// # Errors
    /// `url-unusable`, `provider-settings`, and what reading the secret says.
    pub fn of(args: &EntranceArgs, environment: &Environment) -> Result<Self> {
        let url = args.url.clone().or_else(|| environment.url.clone());
        let party = url.as_deref().map(party).transpose()?;
        let issuer = args.issuer.clone().or_else(|| environment.issuer.clone());
        let client = args.client_id.clone().or_else(|| environment.client_id.clone());
        let file = args.client_secret_file.clone().or_else(|| environment.client_secret_file.clone());
        let provider = match (issuer, client) {
            (None, None) => None,
            (Some(issuer), Some(client)) => {
                let secret = file.as_deref().map(read_secret).transpose()?;
                Some(Provider::new(issuer, client, secret, args.provider_name.clone())?)
            }
            (Some(_), None) | (None, Some(_)) => {
                let message = "a provider is said with both `--issuer` and `--client-id`";
                return Err(Failure::usage("provider-settings", message));
            }
        };
        let idle = SignedDuration::from_mins(args.idle.into());
        let url = party.as_ref().map(|party| party.origin.clone());
        Ok(Self { party, url, idle, provider, tls: false })
    }

    /// The same, once it is known where the hub listens: a hub that only this machine reaches is `localhost` to browsers,
    /// because passkeys are bound to names and not to numbers.
    #[must_use]
    pub fn at(mut self, address: SocketAddr, tls: bool) -> Self {
        self.tls = tls;
        if self.party.is_none() && address.ip().is_loopback() {
            let scheme = if tls { "https" } else { "http" };
            let origin = format!("{scheme}://localhost:{}", address.port());
            self.party = Some(Party { origin, id: "localhost".into() });
        }
        self
    }

    /// Whether browsers are known to come by TLS.
    pub fn is_tls(&self) -> bool {
        self.tls || self.url.as_ref().is_some_and(|url| url.starts_with("https://"))
    }

    /// The provider, and the address that it sends people back to; there is one only where both are known.
    pub fn provider(&self) -> Option<(&Provider, String)> {
        let (provider, party) = (self.provider.as_ref()?, self.party.as_ref()?);
        Some((provider, format!("{}/sign-in/callback", party.origin)))
    }
}

/// The hub as browsers know it under this address.
fn party(text: &str) -> Result<Party> {
    let unusable =
        |why: &str| Failure::usage("url-unusable", format!("`{text}` cannot be the hub's address: {why}"));
    let url = Url::parse(text).map_err(|error| unusable(&error.to_string()))?;
    let Some(name) = url.domain() else {
        return Err(unusable(
            "browsers bind passkeys to names, and it has a number; on this machine say `localhost`",
        ));
    };
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(unusable("it has more than a name and a port"));
    }
    let local = name == "localhost" || name.ends_with(".localhost");
    match (url.scheme(), local) {
        ("https", _) | ("http", true) => {
            Ok(Party { origin: url.origin().ascii_serialization(), id: name.to_owned() })
        }
        _ => Err(unusable("browsers give secrets to https alone, and to `http://localhost`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_one_that_browsers_bind_passkeys_to() {
        let check = |text: &str, expect: Option<(&str, &str)>| {
            let found = party(text).ok().map(|party| (party.origin, party.id));
            assert_eq!(found, expect.map(|(origin, id)| (origin.to_owned(), id.to_owned())), "{text}");
        };
        check("https://hub.example", Some(("https://hub.example", "hub.example")));
        check("https://hub.example/", Some(("https://hub.example", "hub.example")));
        check("https://HUB.example:8443", Some(("https://hub.example:8443", "hub.example")));
        check("https://hub.example:443", Some(("https://hub.example", "hub.example")));
        check("http://localhost:7460", Some(("http://localhost:7460", "localhost")));
        check("http://hub.example", None);
        check("http://127.0.0.1:7460", None);
        check("https://10.0.0.1", None);
        check("https://hub.example/console", None);
        check("https://user@hub.example", None);
        check("hub.example", None);
        check("file:///hub", None);
    }

    #[test]
    fn a_hub_for_this_machine_alone_is_localhost_and_another_is_nobody() {
        let origin =
            |address: &str| Entrance::default().at(address.parse().unwrap(), false).party.map(|p| p.origin);
        assert_eq!(origin("127.0.0.1:7460").as_deref(), Some("http://localhost:7460"));
        assert_eq!(origin("[::1]:80").as_deref(), Some("http://localhost:80"));
        assert_eq!(origin("0.0.0.0:7460"), None);
        assert_eq!(origin("10.1.2.3:7460"), None);
    }
}
