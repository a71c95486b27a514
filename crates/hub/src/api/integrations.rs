//! `/integrations`: what is connected, whether it may be used, and its credentials.

use axum::{Json, extract::State};
use bailiwick_connector::{Sleep, seal::CredentialScheme};
use bailiwick_core::{
    authority::Class,
    gate::{Gate, Shut},
    govern,
    id::IntegrationName,
    integration::{Integration, Purpose},
    scope_test::ScopeTest,
    time::Timestamp,
};
use bailiwick_engine::{Spending, Waiting};
use bailiwick_store::entities::Credential;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, ApiError, Body, Done, Params, Raw, Segment, ShownOnce, malformed},
    caller::{Caller, Right},
    operation::{Access, Resource, delete, get, post, put},
};
use crate::problem::Problem;

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-integrations", "/integrations", list)
            .says("All integrations, by name."),
        post("release-integration", "/integrations/{integration}/release", Access::Right(Right::Govern), release)
            .says("Lifts a quarantine."),
        post("withdraw-gates", "/integrations/{integration}/withdrawal", Access::Right(Right::Govern), withdraw)
            .says("Takes gates back, in force at once; gives the plans that wait."),
        post("certify-integration", "/integrations/{integration}/certification", Access::Right(Right::Govern), certify)
            .says("Asks for the gate that is shut; gives the plans that wait."),
        get("show-held-changes", "/integrations/{integration}/held", held)
            .says("What a budget held, and what is spent of it."),
        post("make-caller-token", "/integrations/{integration}/token", Access::Right(Right::Govern), admit)
            .says("Makes a token to call with at the door; one before it ends."),
        delete("end-caller-token", "/integrations/{integration}/token", Access::Right(Right::Govern), dismiss)
            .says("Ends the token that calls at the door."),
        put("seal-credential", "/integrations/{integration}/credentials/{purpose}", Access::Right(Right::Govern), seal)
            .for_programs(Right::Govern)
            .says("Seals a credential: the body is the secret, the query says how it is shown. It is never given back."),
        post("test-scope", "/integrations/{integration}/test", Access::Right(Right::Govern), test)
            .for_programs(Right::Govern)
            .says("Tries on a canary what is declared and waits for its second gate.")
            .fails(&[502]),
    ];
    Resource::new(
        "Integrations",
        "What is connected, whether it may be used, and its credentials.",
        operations,
    )
}

/// The longest life of a caller's token, days.
const LONGEST_DAYS: u16 = 366;

/// An integration and what is known of its credentials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IntegrationView {
    /// The integration.
    #[serde(flatten)]
    pub integration: Integration,
    /// Its credentials; never what is in them.
    pub credentials: Vec<CredentialLine>,
    /// The class that it is.
    pub class: Class,
    /// Why it may not be read; absent when it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads_shut: Option<String>,
    /// Why it may not write; absent when it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes_shut: Option<String>,
}

/// Which gates are to be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    /// The gates; at least one.
    pub gates: Vec<Gate>,
}

/// That there is a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialLine {
    /// What for.
    pub purpose: Purpose,
    /// When it was set.
    pub at: Timestamp,
}

pub async fn list(State(hub): State<Hub>, _: Caller) -> Answer<Vec<IntegrationView>> {
    let mut tx = hub.read().await?;
    let integrations: Vec<Integration> = hub.all(&mut *tx, vec![]).await?;
    let credentials: Vec<Credential> = hub.all(&mut *tx, vec![]).await?;
    let of = |name: &IntegrationName| {
        // What was replaced is kept for its end alone, and is nothing that it has.
        let mine = credentials.iter().filter(|c| c.integration == *name && c.retired.is_none());
        mine.map(|credential| CredentialLine { purpose: credential.purpose, at: credential.at }).collect()
    };
    let catalogue = hub.engine.catalogue(&mut *tx).await?;
    let code = |shut: Result<(), Shut>| shut.err().map(|shut| shut.code().to_owned());
    let view = |integration: Integration| {
        let permit = catalogue.permit(&integration.name);
        let authority = catalogue.authority(&integration.name).cloned().unwrap_or_default();
        // Where there is nothing to write, that writing is not approved is no news.
        let idle = permit.writes == Err(Shut::NoAuthority) && !govern::can_write(&integration, &authority);
        IntegrationView {
            credentials: of(&integration.name),
            class: authority.class,
            reads_shut: code(permit.reads),
            writes_shut: code(permit.writes).filter(|_| !idle),
            integration,
        }
    };
    Ok(Json(integrations.into_iter().map(view).collect()))
}

pub async fn release(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<IntegrationName>,
) -> Result<Done, ApiError> {
    caller.may(Right::Govern)?;
    hub.engine.release(&name, caller.actor()).await?;
    hub.worker.nudge();
    Ok(Done)
}

pub async fn withdraw(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<IntegrationName>,
    Body(asked): Body<Withdrawal>,
) -> Answer<Vec<Waiting>> {
    caller.may(Right::Govern)?;
    if asked.gates.is_empty() {
        return Err(malformed("`gates` names at least one gate"));
    }
    let waiting = hub.engine.withdraw(&name, &asked.gates, &caller.0).await?;
    hub.worker.nudge();
    Ok(Json(waiting))
}

pub async fn certify(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<IntegrationName>,
) -> Answer<Vec<Waiting>> {
    caller.may(Right::Govern)?;
    let waiting = hub.engine.recertify(&name, &caller.0).await?;
    hub.worker.nudge();
    Ok(Json(waiting))
}

/// How long a caller's token is to work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCaller {
    /// Days.
    pub days: u16,
}

/// A caller that was admitted.
// No `Debug`: it holds the token, this once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct CallerMade {
    /// The integration.
    pub integration: IntegrationName,
    /// Until when the token works.
    pub expires: Timestamp,
    /// The token; it is not kept and not shown again.
    pub token: String,
}

pub async fn held(
    State(hub): State<Hub>,
    _: Caller,
    Segment(name): Segment<IntegrationName>,
) -> Answer<Spending> {
    Ok(Json(hub.engine.spending(&name).await?))
}

pub async fn admit(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<IntegrationName>,
    Body(NewCaller { days }): Body<NewCaller>,
) -> Result<ShownOnce<CallerMade>, ApiError> {
    caller.may(Right::Govern)?;
    if !(1..=LONGEST_DAYS).contains(&days) {
        return Err(malformed(format!("a token works for 1 to {LONGEST_DAYS} days")));
    }
    let (admitted, token) = hub.engine.admit_caller(&name, days, caller.actor()).await?;
    hub.worker.nudge();
    Ok(ShownOnce(CallerMade { integration: admitted.integration, expires: admitted.expires, token }))
}

pub async fn dismiss(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<IntegrationName>,
) -> Result<Done, ApiError> {
    caller.may(Right::Govern)?;
    if !hub.engine.dismiss_caller(&name, caller.actor()).await? {
        return Err(Problem::new(404, "not-found", format!("`{name}` has no token")).into());
    }
    hub.worker.nudge();
    Ok(Done)
}

pub async fn test(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<IntegrationName>,
) -> Answer<ScopeTest> {
    caller.may(Right::Govern)?;
    Ok(Json(hub.engine.test_scope(&name, caller.actor(), &Sleep).await?))
}

/// How a credential is shown to its system; nothing said is as a bearer token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShownAs {
    /// `bearer`, `basic` with `user`, `header` with `name`, `access-key` with `id`, or `client-credentials` with `client_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scheme: Option<String>,
    /// The user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The name of the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The id of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The id of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
}

/// A credential that was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialSealed {
    /// Since when the hub has had this secret, where it is none that is new: then nothing was rotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_since: Option<Timestamp>,
}

pub async fn seal(
    State(hub): State<Hub>,
    caller: Caller,
    Segment((name, purpose)): Segment<(IntegrationName, Purpose)>,
    Params(shown): Params<ShownAs>,
    Raw(bytes): Raw,
) -> Answer<CredentialSealed> {
    caller.may(Right::Govern)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed("the credential is not text"))?.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(malformed("the credential is empty or has control characters in it"));
    }
    let scheme = match shown == ShownAs::default() {
        true => CredentialScheme::Bearer,
        false => serde_json::to_value(shown).and_then(serde_json::from_value).map_err(|error| {
            malformed(format!("the query does not say how the credential is shown: {error}"))
        })?,
    };
    let credential = crate::open::credential(scheme, text);
    let known_since = hub.engine.seal_credential(&name, purpose, credential, caller.actor()).await?;
    hub.worker.nudge();
    Ok(Json(CredentialSealed { known_since }))
}
