//! What the browser says of the moment (§5.8.1): what was asked, by whom, on which page.

use serde::Deserialize;

use super::{Party, PasskeyRefusal, bytes};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ceremony {
    Create,
    Get,
}

/// The browser's data. It may say more, which is not looked at (§5.8.1.2).
#[derive(Debug, Deserialize)]
pub(super) struct Said {
    #[serde(rename = "type")]
    kind: String,
    pub challenge: String,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    framed: bool,
    #[serde(default, rename = "topOrigin")]
    frame: Option<String>,
}

/// Reads it.
pub(super) fn read(client: &[u8]) -> Result<Said, PasskeyRefusal> {
    serde_json::from_slice(client)
        .map_err(|_| PasskeyRefusal::Malformed("the data of the browser is not what it should be"))
}

/// Fails unless it was done for this challenge, on a page of this hub that lies in nobody's frame.
pub(super) fn check(
    client: &[u8],
    ceremony: Ceremony,
    challenge: &[u8],
    party: &Party,
) -> Result<(), PasskeyRefusal> {
    let Said { kind, challenge: given, origin, framed, frame } = read(client)?;
    let expected = match ceremony {
        Ceremony::Create => "webauthn.create",
        Ceremony::Get => "webauthn.get",
    };
    if kind != expected {
        return Err(PasskeyRefusal::Malformed("it is of another ceremony"));
    }
    if !crate::digest::same(&bytes(&given)?, challenge) {
        return Err(PasskeyRefusal::Challenge);
    }
    if origin != party.origin || framed || frame.is_some() {
        return Err(PasskeyRefusal::Origin);
    }
    Ok(())
}
