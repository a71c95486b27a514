//! Tokens of canaries: made by a token role for the entity, and tried as their holder would.

use bailiwick_connector::{
    ConnectorError, Effect, Entry, ErrorKind, Issued, Result,
    seal::{Credential, CredentialScheme, Secret},
};
use bailiwick_core::{access::AccessClass, scope::Operation};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    decode::{ACCESSOR, Alias},
    exchange::{Exchange, malformed, refusal, turned_away},
    read::Reader,
};

/// The header that shows a token.
const HEADER: &str = "X-Vault-Token";
/// The mount of tokens in the list of mounts.
const MOUNT: &str = "token/";

#[derive(Deserialize)]
struct Mount {
    accessor: String,
}

#[derive(Deserialize)]
struct Made {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
    accessor: String,
    #[serde(default)]
    entity_id: String,
}

/// Gives an entity a token of the role. It needs an alias at the mount of tokens, which leads no login to
/// it; one with the entity's id as its name is made where there is none.
pub(super) async fn issue(reader: &Reader<'_>, account: &str, role: &str) -> Result<Issued> {
    let exchange = &reader.exchange;
    let entity = reader.there(account).await?;
    let of_tokens = |alias: &Alias| alias.mount_type == "token";
    let alias = match entity.aliases.into_iter().flatten().find(of_tokens) {
        Some(alias) => alias.name,
        None => {
            let mounts: Option<Value> = exchange.read(Operation::Discover, "sys/auth").await?;
            let mount = mounts.and_then(|mut mounts| mounts.get_mut(MOUNT).map(Value::take));
            let mount = mount.and_then(|mount| serde_json::from_value::<Mount>(mount).ok());
            let mount = mount.ok_or_else(|| malformed("it does not say where its tokens are mounted"))?;
            let body = json!({"name": account, "canonical_id": account, "mount_accessor": mount.accessor});
            exchange.write(Operation::Issue, "POST", "identity/entity-alias", Some(&body)).await?;
            account.to_owned()
        }
    };
    let path = format!("auth/token/create/{role}");
    let body = json!({"entity_alias": alias, "display_name": "bailiwick-canary"});
    let answer = exchange.write(Operation::Issue, "POST", &path, Some(&body)).await?;
    let made: Made = serde_json::from_slice(&answer.body).map_err(|_| {
        ConnectorError::unknown(ErrorKind::Malformed, "a token was made, and the answer does not show it")
    })?;
    if made.auth.entity_id != account {
        let problem = format!("the role `{role}` made a token of another entity than `{account}`");
        return Err(ConnectorError::unknown(ErrorKind::Malformed, problem));
    }
    Ok(Issued {
        class: AccessClass::VaultTokens,
        external_id: Some(format!("{ACCESSOR}{}", made.auth.accessor)),
        credential: Credential {
            scheme: CredentialScheme::Header { name: HEADER.into() },
            secret: Secret::new(made.auth.client_token),
        },
    })
}

/// Looks the token up by itself. One that is known and may not look at itself is let in all the same.
pub(super) async fn attempt(exchange: &Exchange<'_>, issued: &Issued) -> Result<Entry> {
    let path = "auth/token/lookup-self";
    let call = exchange.call(Operation::Try, "GET", path);
    let answer = exchange.line.send_as(call, &issued.credential).await;
    let answer = answer.map_err(|error| ConnectorError { effect: Effect::None, ..error })?;
    match answer.status {
        200 => Ok(Entry::Accepted),
        403 if turned_away(&answer) => Ok(Entry::Rejected),
        403 => Ok(Entry::Accepted),
        _ => Err(refusal(&format!("GET {path}"), false, &answer)),
    }
}
