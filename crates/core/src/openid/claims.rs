//! What an ID token says, and whether that is for us, now (Core §2 and §3.1.3.7).

use serde::Deserialize;

use super::{OpenIdRefusal, Result};
use crate::time::{SignedDuration, Timestamp};

/// How far the clocks may differ.
const LEEWAY: SignedDuration = SignedDuration::from_mins(1);
/// How old a token may be: it was made while the browser waited.
const OLDEST: SignedDuration = SignedDuration::from_mins(10);
/// The longest `sub`, letters (Core §2).
const LONGEST: usize = 255;

/// What is expected of it.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// Who we are for it.
    pub client: &'a str,
    /// Which attempt it is.
    pub nonce: &'a str,
    /// The instant.
    pub now: Timestamp,
}

/// Whom the provider means. Nothing else that it says of them is looked at: names and addresses can be chosen, or pass on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// The provider.
    pub issuer: String,
    /// Their name there, which nobody else ever gets.
    pub subject: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    nonce: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    /// Whether it is for this client, and for others only if the token says that it was made for this one.
    fn is(&self, client: &str, party: Option<&str>) -> bool {
        let (named, alone) = match self {
            Self::One(one) => (one == client, true),
            Self::Several(all) => (all.iter().any(|one| one == client), all.len() == 1),
        };
        named && party.map_or(alone, |party| party == client)
    }
}

/// Fails unless the token is for us, now.
pub(super) fn check(claims: &[u8], expected: &Expected<'_>) -> Result<Identified> {
    let Claims { iss, sub, aud, azp, exp, iat, nbf, nonce } = serde_json::from_slice(claims)
        .map_err(|_| OpenIdRefusal::Malformed("a claim is missing or no claim"))?;
    if iss != expected.issuer {
        return Err(OpenIdRefusal::Issuer(iss.chars().take(200).collect()));
    }
    if !aud.is(expected.client, azp.as_deref()) {
        return Err(OpenIdRefusal::Audience);
    }
    if nonce.is_none_or(|nonce| !crate::digest::same(nonce.as_bytes(), expected.nonce.as_bytes())) {
        return Err(OpenIdRefusal::Nonce);
    }
    let at = |seconds: i64| Timestamp::from_second(seconds).map_err(|_| OpenIdRefusal::Time);
    let (now, exp, iat) = (expected.now, at(exp)?, at(iat)?);
    let before = |from: Timestamp, span| from.saturating_sub(span).unwrap_or(Timestamp::MIN);
    let soon = now.saturating_add(LEEWAY).unwrap_or(Timestamp::MAX);
    let begun = nbf.map(at).transpose()?.is_none_or(|nbf| nbf <= soon);
    if exp <= before(now, LEEWAY) || iat > soon || iat < before(now, OLDEST) || !begun {
        return Err(OpenIdRefusal::Time);
    }
    if sub.is_empty() || sub.len() > LONGEST || !sub.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(OpenIdRefusal::Malformed("`sub` is none"));
    }
    Ok(Identified { issuer: iss, subject: sub })
}
