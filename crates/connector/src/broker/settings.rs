//! The settings of an integration that are the broker's, not the connector's.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::network::Network;
use crate::{ConnectorError, ErrorKind, Result};

/// Whether calls carry a credential.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// Every call carries the sealed credential; without one nothing is sent.
    #[default]
    Sealed,
    /// The system wants none.
    None,
}

/// What an integration's settings say to the broker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineSettings {
    /// `auth = "none"`: calls go without a credential.
    #[serde(default)]
    pub auth: Auth,
    /// `allow_plaintext = true`: the credential may travel unencrypted to another machine.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// `start_tls = true`: a directory is asked for TLS before anything else is said (RFC 4511 §4.14).
    #[serde(default)]
    pub start_tls: bool,
    /// `ca_file = "/etc/…/ca.pem"`: the authority, in PEM, that vouches for the system, instead of the
    /// public ones.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// `region = "us-east-1"`: the region that an action is signed for; without it, that one.
    #[serde(default)]
    pub region: Option<String>,
    /// `token_path = "/oauth/token"`: where client credentials get a token, from the root of the endpoint's
    /// own host (RFC 6749 §3.2).
    #[serde(default)]
    pub token_path: Option<String>,
    /// `token_scope = "…"`: the scope that is asked for with it (RFC 6749 §3.3).
    #[serde(default)]
    pub token_scope: Option<String>,
    /// `token_header = "X-Auth-Token"`: the header that the token travels in, where it is not
    /// `Authorization: Bearer`.
    #[serde(default)]
    pub token_header: Option<String>,
    /// `networks = ["10.0.0.0/8"]`: the ranges inside of one's own networks that the name of the endpoint may
    /// lead to; without it, to none.
    #[serde(default)]
    pub networks: Vec<Network>,
}

impl LineSettings {
    const NAMES: [&str; 9] = [
        "auth",
        "allow_plaintext",
        "start_tls",
        "ca_file",
        "region",
        "token_path",
        "token_scope",
        "token_header",
        "networks",
    ];

    /// Takes the broker's settings out of all settings; gives them and the rest, which is the
    /// connector's. Fails with `Settings`, naming the setting.
    pub fn split(settings: &Value) -> Result<(Self, Value)> {
        let mut ours = serde_json::Map::new();
        let mut rest = settings.clone();
        if let Some(map) = rest.as_object_mut() {
            for name in Self::NAMES {
                ours.extend(map.remove(name).map(|value| (name.to_owned(), value)));
            }
        }
        let read = |map| serde_json::from_value::<Self>(Value::Object(map));
        if let Some((name, error)) = ours.iter().find_map(|(name, value)| {
            let alone = [(name.clone(), value.clone())].into_iter().collect();
            Some((name, read(alone).err()?))
        }) {
            return Err(ConnectorError::none(ErrorKind::Settings, format!("setting `{name}`: {error}")));
        }
        // Each setting reads well alone, and none depends on another.
        let ours = read(ours).unwrap_or_default();
        Ok((ours, rest))
    }
}
