//! Passkeys in the browser: challenges for its pages, and signing in.
//!
//! A challenge is given to a browser and counts in that browser alone: an answer that somebody else got, put into this
//! one, signs nobody in.

use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use bailiwick_core::{
    digest::Digest,
    passkey::{self, Algorithm, Party, Purpose, Using},
};
use bailiwick_engine::{Entered, TurnedAway};
use serde::{Deserialize, Serialize};

use super::{
    cookies::Jar,
    sign_in::{door, let_in},
    signed_in::{SignedIn, fields, from_here, local},
    trouble::Trouble,
    turned_away::turn_away,
};
use crate::{
    api::{ApiError, Hub, Raw, answer::Params, party},
    problem::Problem,
};

/// How long a browser keeps its secret, seconds: a challenge does not last longer.
const KEPT: i64 = 600;

/// What a page gives to the browser's own question.
#[derive(Serialize)]
pub struct Question {
    challenge: String,
    /// The domain that passkeys are bound to.
    party: String,
    /// The credentials that may answer; any where there are none.
    credentials: Vec<String>,
    /// For a new one: whose it is, and what is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    making: Option<Making>,
}

#[derive(Serialize)]
struct Making {
    user: String,
    name: String,
    algorithms: [i64; 3],
}

/// Who says who they are first.
#[derive(Deserialize)]
pub struct Named {
    #[serde(default)]
    name: String,
}

/// `GET /sign-in/challenge?name=`: writes nothing.
pub async fn challenge(
    State(hub): State<Hub>,
    headers: HeaderMap,
    Query(Named { name }): Query<Named>,
) -> Result<Response, ApiError> {
    let party = party(&hub)?;
    let name = name.trim();
    let credentials = if name.is_empty() { Vec::new() } else { hub.engine.passkey_ids_of(name).await? };
    let (secret, fresh) = match Jar::Door.read(&hub, &headers) {
        Some(secret) => (secret, false),
        None => (hub.engine.fresh_secret(), true),
    };
    let purpose = Purpose::SignIn(Digest::of(secret.as_bytes()));
    let mut response = Json(question(&hub, party, purpose, credentials)).into_response();
    if fresh && let Some(cookie) = Jar::Door.set(&hub, &headers, &secret, KEPT) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn question(hub: &Hub, party: &Party, purpose: Purpose, credentials: Vec<String>) -> Question {
    let challenge = hub.engine.challenge(purpose);
    Question { challenge, party: party.id.clone(), credentials, making: None }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    passkey: String,
    #[serde(default)]
    next: String,
}

/// Reads what a script put into a form.
pub fn using(text: &str) -> Result<Using, ApiError> {
    serde_json::from_str(text).map_err(|error| {
        Problem::new(
            400,
            "request-malformed",
            format!("the answer of the passkey is not what it should be: {error}"),
        )
        .into()
    })
}

/// `POST /sign-in/passkey`: opens a session for whose passkey answered.
pub async fn enter(State(hub): State<Hub>, headers: HeaderMap, Raw(bytes): Raw) -> Result<Response, Trouble> {
    from_here(&headers)?;
    let Answer { passkey, next } = fields(&bytes)?;
    let (party, using) = (party(&hub)?, using(&passkey)?);
    let secret = Jar::Door.read(&hub, &headers).unwrap_or_default();
    let browser = Digest::of(secret.as_bytes());
    let entered = hub.engine.open_session_by_passkey(browser, &using, party).await?;
    let mut response = match entered {
        Entered::Opened(opened) => {
            let mut response = Redirect::to(local(&next)).into_response();
            let_in(&hub, &headers, &opened, &mut response);
            response
        }
        Entered::Refused { why, operator, told } => {
            let turned = TurnedAway { by: "passkey", code: why.code(), operator };
            if !told && let Some(waits) = turn_away(&hub, turned).await? {
                return Ok(waits);
            }
            // Whoever tries learns no more than that: not whose it is, and not what was wrong with it.
            let trouble = "That passkey opens nothing here. Try again, or sign in by a link.";
            (StatusCode::UNAUTHORIZED, door(&hub, &next, Some(trouble.into()))?).into_response()
        }
    };
    if let Some(cookie) = Jar::Door.set(&hub, &headers, "", 0) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// What somebody who is signed in is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", tag = "to", deny_unknown_fields)]
pub enum Wanted {
    /// To approve what has this digest.
    Approve {
        /// It.
        digest: Digest,
    },
    /// To prove who they are.
    Prove,
    /// To make a passkey.
    Enrol,
}

/// `GET /signed-in/challenge?to=approve&digest=…`: writes nothing.
pub async fn asked(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Question>, ApiError> {
    let party = party(&hub)?;
    let (operator, session) = (&signed_in.caller.0, signed_in.session.id);
    let theirs =
        hub.engine.passkeys_of(operator).await?.into_iter().map(|passkey| passkey.credential).collect();
    let purpose = match wanted {
        Wanted::Approve { digest } => Purpose::Approve(operator.id, digest),
        Wanted::Prove => Purpose::Prove(operator.id, session),
        Wanted::Enrol => Purpose::Enrol(operator.id, session),
    };
    let making = matches!(wanted, Wanted::Enrol).then(|| Making {
        user: passkey::text(operator.id.as_bytes()),
        name: operator.name.clone(),
        algorithms: Algorithm::ALL.map(Algorithm::number),
    });
    Ok(Json(Question { making, ..question(&hub, party, purpose, theirs) }))
}
