//! Signed in: the sessions, passkeys and tokens of who looks, and ending them.

use askama::Template;
use axum::{extract::State, response::Response};
use bailiwick_core::{
    id::{PasskeyId, SessionId, TokenId},
    passkey::Using,
    right::Right,
};
use bailiwick_engine::{Given, NewPasskey};
use bailiwick_store::{Filter, entities::Way};
use serde::Deserialize;

use super::{
    act::acted,
    assets,
    frame::{Frame, Notice, Place, page},
    passkeys::using,
    show::Tone,
    signed_in::{Nothing, Posted, SignedIn},
    table::View,
    trouble::Trouble,
};
use crate::{
    api::{
        ApiError, Hub, NewToken, OperatorView, PasskeyView, SessionView, TokenView,
        answer::{Body, Created, Params, Segment, ShownOnce},
        passkeys::{given, owned, party},
        sessions, tokens,
    },
    problem::Problem,
};

#[derive(Template)]
#[template(path = "mine.html")]
struct Shown {
    frame: Frame,
    /// What they may do, in words.
    may: String,
    /// Which of the sessions this is.
    here: SessionId,
    sessions: Vec<SessionView>,
    passkeys: Vec<PasskeyView>,
    tokens: Vec<TokenView>,
    /// The origin that passkeys work at.
    origin: Option<String>,
    /// Whether there are codes of the moment to prove with.
    codes: bool,
    /// What a token may be given.
    rights: Vec<Right>,
    /// A token that was made, this once: its name and itself.
    token: Option<(String, String)>,
    /// The address of new codes, this once.
    address: Option<String>,
}

impl Shown {
    /// Whether a change of what one signs in with takes a passkey, where no code is given.
    fn proves(&self) -> bool {
        !self.passkeys.is_empty()
    }
}

/// How a session was opened, as words.
fn way(session: &SessionView) -> &'static str {
    match session.way {
        Way::Link => "by a link",
        Way::Passkey(_) => "by a passkey",
        Way::Provider => "by the provider",
    }
}

/// `read, operate`
fn may(token: &TokenView) -> String {
    let rights = token.rights.iter().map(|right| right.as_str());
    std::iter::once("read").chain(rights).collect::<Vec<_>>().join(", ")
}

/// `GET /signed-in`
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(view): Params<View>,
) -> Result<Response, Trouble> {
    page(&shown(&hub, &signed_in, view.notice()).await?)
}

async fn shown(hub: &Hub, signed_in: &SignedIn, notice: Option<Notice>) -> Result<Shown, Trouble> {
    let operator = &signed_in.caller.0;
    let own = |whose| whose == operator.id;
    let mut sessions = sessions::list(State(hub.clone()), signed_in.caller.clone()).await?.0;
    sessions.retain(|session| own(session.operator) && session.opened.is_some());
    let mut tokens = tokens::list(State(hub.clone()), signed_in.caller.clone()).await?.0;
    let now = hub.engine.now();
    tokens.retain(|token| own(token.operator) && token.expires > now);
    let passkeys = hub.engine.passkeys_of(operator).await?.into_iter().map(PasskeyView::from).collect();
    let factor = Filter::Is("id", operator.id.to_string().into());
    let factors: Vec<bailiwick_core::factor::Factor> = hub.all(&mut *hub.read().await?, vec![factor]).await?;
    let given =
        |right: &Right| !matches!(right, Right::Accept | Right::Terminate) && signed_in.caller.1.has(*right);
    Ok(Shown {
        frame: Frame::of(hub, signed_in, Place::Mine).await?.say(notice),
        may: OperatorView::of(hub, operator.clone()).await.may(),
        here: signed_in.session.id,
        sessions,
        passkeys,
        tokens,
        origin: hub.entrance.party.as_ref().map(|party| party.origin.clone()),
        codes: !factors.is_empty(),
        rights: Right::ALL.into_iter().filter(given).collect(),
        token: None,
        address: None,
    })
}

/// Goes back to the page, with what was refused or what was done.
async fn back(
    hub: &Hub,
    signed_in: &SignedIn,
    done: Result<&'static str, ApiError>,
) -> Result<Response, Trouble> {
    acted(done, |word| format!("/signed-in?done={word}"), |notice| shown(hub, signed_in, notice)).await
}

/// What proves who asks, as forms bring it along.
#[derive(Deserialize)]
pub struct Proof {
    #[serde(default)]
    code: String,
    #[serde(default)]
    passkey: String,
}

impl Proof {
    /// What the passkey answered, if it did.
    fn using(&self) -> Result<Option<Using>, ApiError> {
        (!self.passkey.is_empty()).then(|| using(&self.passkey)).transpose()
    }

    fn given<'a>(&'a self, hub: &'a Hub, using: Option<&'a Using>) -> Result<Given<'a>, ApiError> {
        let code = Some(self.code.trim()).filter(|code| !code.is_empty());
        given(hub, code, using)
    }
}

/// A passkey that was made.
#[derive(Deserialize)]
pub struct Enrolled {
    #[serde(default)]
    name: String,
    #[serde(default)]
    making: String,
    #[serde(flatten)]
    proof: Proof,
}

/// `POST /signed-in/passkeys`
pub async fn enrol(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Posted(enrolled): Posted<Enrolled>,
) -> Result<Response, Trouble> {
    let done = enrol_for(&hub, &signed_in, &enrolled).await.map(|()| "enrolled");
    back(&hub, &signed_in, done).await
}

async fn enrol_for(hub: &Hub, signed_in: &SignedIn, enrolled: &Enrolled) -> Result<(), ApiError> {
    let Enrolled { name, making, proof } = enrolled;
    let party = party(hub)?;
    let making = serde_json::from_str(making).map_err(|error| {
        let detail = format!("the answer of the browser is not what it should be: {error}");
        Problem::new(400, "request-malformed", detail)
    })?;
    let using = proof.using()?;
    let given = proof.given(hub, using.as_ref())?;
    let new = NewPasskey { name, making: &making, session: signed_in.session.id };
    hub.engine.enrol_passkey(new, &signed_in.caller.0, party, given).await?;
    Ok(())
}

/// `POST /signed-in/passkeys/{passkey}/remove`
pub async fn remove(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(passkey): Segment<PasskeyId>,
    Posted(proof): Posted<Proof>,
) -> Result<Response, Trouble> {
    let done = remove_for(&hub, &signed_in, passkey, &proof).await.map(|()| "removed");
    // The session may have gone with it; then the page leads to the door.
    back(&hub, &signed_in, done).await
}

async fn remove_for(
    hub: &Hub,
    signed_in: &SignedIn,
    passkey: PasskeyId,
    proof: &Proof,
) -> Result<(), ApiError> {
    owned(hub, &signed_in.caller, passkey).await?;
    let using = proof.using()?;
    let given = proof.given(hub, using.as_ref())?;
    Ok(hub.engine.remove_passkey(passkey, &signed_in.caller.0, Some(signed_in.session.id), given).await?)
}

/// `POST /signed-in/code`: new codes of the moment, in the place of those that there are.
pub async fn code(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Posted(proof): Posted<Proof>,
) -> Result<Response, Trouble> {
    match code_for(&hub, &signed_in, &proof).await {
        Ok(address) => {
            let address = Some(address);
            page(&Shown { address, ..shown(&hub, &signed_in, None).await? })
        }
        Err(error) => back(&hub, &signed_in, Err(error)).await,
    }
}

async fn code_for(hub: &Hub, signed_in: &SignedIn, proof: &Proof) -> Result<String, ApiError> {
    let operator = &signed_in.caller.0;
    let using = proof.using()?;
    let given = proof.given(hub, using.as_ref())?;
    let made = hub.engine.enrol_given(&operator.name, operator, given, Some(signed_in.session.id)).await?;
    Ok(made.address().to_owned())
}

/// `POST /signed-in/sessions/{session}/end`
pub async fn end(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(session): Segment<SessionId>,
    _: Posted<Nothing>,
) -> Result<Response, Trouble> {
    let done = sessions::end(State(hub.clone()), signed_in.caller.clone(), Segment(session)).await;
    back(&hub, &signed_in, done.map(|_| "ended")).await
}

/// A token to be made.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    name: String,
    #[serde(default)]
    days: u16,
    /// A form says `on` of what was chosen.
    #[serde(default)]
    operate: String,
    #[serde(default)]
    govern: String,
}

/// `POST /signed-in/tokens`: shows it, this once.
pub async fn make(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Posted(wanted): Posted<Wanted>,
) -> Result<Response, Trouble> {
    let Wanted { name, days, operate, govern } = wanted;
    let chosen = [(Right::Operate, operate), (Right::Govern, govern)];
    let rights =
        chosen.into_iter().filter(|(_, chosen)| !chosen.is_empty()).map(|(right, _)| right).collect();
    let new = Body(NewToken { name, rights, days });
    match tokens::make(State(hub.clone()), signed_in.caller.clone(), new).await {
        Ok(Created(ShownOnce(made))) => {
            let token = Some((made.token.name, made.secret));
            page(&Shown { token, ..shown(&hub, &signed_in, None).await? })
        }
        Err(error) => back(&hub, &signed_in, Err(error)).await,
    }
}

/// `POST /signed-in/tokens/{token}/revoke`
pub async fn revoke(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(token): Segment<TokenId>,
    _: Posted<Nothing>,
) -> Result<Response, Trouble> {
    let done = tokens::revoke(State(hub.clone()), signed_in.caller.clone(), Segment(token)).await;
    back(&hub, &signed_in, done.map(|_| "revoked")).await
}
