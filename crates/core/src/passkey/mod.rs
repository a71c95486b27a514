//! Passkeys: what a browser and an authenticator answer, verified (Web Authentication Level 3, §7).
//!
//! Promises: an answer counts only for the challenge, the origin and the relying party that it was asked for, with the
//! person present and verified; nothing that an authenticator sends makes this panic or take much memory. A passkey is
//! what its public key says and no more: no statement of a maker is asked for, and none is believed.
//!
//! Pure: whether a challenge is ours and was not used before, who has which passkey, and what is written down, is the
//! engine's. Absent on purpose: attestation by certificates, extensions, algorithms that nobody needs.

mod authenticator;
mod cbor;
mod client;
mod cose;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::cose::Algorithm;
use self::{authenticator::Data, cbor::Value, client::Ceremony, cose::Key};
use crate::{
    digest::Digest,
    id::{OperatorId, SessionId},
};

/// The longest part of an answer, bytes.
const LONGEST: usize = 16 * 1024;
/// The longest id of a credential, bytes (§5.1.1).
const LONGEST_ID: usize = 1023;

/// Who asks: the hub, as browsers know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The origin of its pages, such as `https://hub.example`.
    pub origin: String,
    /// The domain that passkeys are bound to.
    pub id: String,
}

/// What an answer is wanted for. It is part of the challenge, so an answer for one thing counts for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Signing in, in the browser that has the secret with this digest.
    SignIn(Digest),
    /// Making a passkey, in this session.
    Enrol(OperatorId, SessionId),
    /// Approving the plan with this digest.
    Approve(OperatorId, Digest),
    /// Proving who one is, to change what one signs in with, in this session.
    Prove(OperatorId, SessionId),
}

/// What a browser answers when a passkey was made; all texts are base64url without padding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Making {
    /// `clientDataJSON`.
    pub client: String,
    /// `attestationObject`.
    pub attestation: String,
}

/// What a browser answers when a passkey was used; all texts are base64url without padding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Using {
    /// The id of the credential.
    pub id: String,
    /// `clientDataJSON`.
    pub client: String,
    /// `authenticatorData`.
    pub authenticator: String,
    /// `signature`.
    pub signature: String,
    /// `userHandle`, if the authenticator gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// A passkey that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The id of its credential.
    pub id: Vec<u8>,
    /// Its public key, as COSE has it.
    pub key: Vec<u8>,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// How often it has signed; 0 where the authenticator does not count.
    pub counter: u32,
    /// Whether it may be copied to other devices of its owner.
    pub shared: bool,
}

/// What is known of a passkey, to judge its use by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known<'a> {
    /// Its public key, as COSE has it.
    pub key: &'a [u8],
    /// How often it had signed.
    pub counter: u32,
    /// Whether it may be copied to other devices of its owner.
    pub shared: bool,
    /// Whose.
    pub operator: OperatorId,
}

/// Why an answer does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyRefusal {
    /// It is not of the form that the standard says.
    #[error("what the browser sent is no answer of a passkey: {0}")]
    Malformed(&'static str),
    /// The challenge is not ours, not for this, too old, or was used.
    #[error("the challenge is not one of this moment, or was used before; begin again")]
    Challenge,
    /// It was given to another site.
    #[error("the passkey was used on another site than this hub")]
    Origin,
    /// Nobody touched the authenticator, or it did not make sure who did.
    #[error("the authenticator did not verify who used it; use one that asks for a PIN, a finger or a face")]
    Unverified,
    /// The key is of a kind that is not taken.
    #[error(
        "the authenticator makes no key that is taken here: ES256, Ed25519 or RS256 with 2048 bits or more"
    )]
    Algorithm,
    /// There is a statement of its maker where none was asked for.
    #[error("the authenticator sent a statement of its maker, which was not asked for and is not taken")]
    Attestation,
    /// The signature is not the passkey's.
    #[error("the signature is not of this passkey")]
    Signature,
    /// It has signed less often than before: there are two of it.
    #[error("the passkey counts less uses than are known: somebody may have copied it")]
    Counter,
    /// Nobody has it.
    #[error("nobody here has this passkey")]
    Unknown,
    /// Somebody has it already.
    #[error("this passkey is enrolled already")]
    Taken,
}

impl PasskeyRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "passkey-malformed",
            Self::Challenge => "passkey-challenge",
            Self::Origin => "passkey-origin",
            Self::Unverified => "passkey-unverified",
            Self::Algorithm => "passkey-algorithm",
            Self::Attestation => "passkey-attestation",
            Self::Signature => "passkey-signature",
            Self::Counter => "passkey-counter",
            Self::Unknown => "passkey-unknown",
            Self::Taken => "passkey-taken",
        }
    }
}

type Result<T> = std::result::Result<T, PasskeyRefusal>;

/// The bytes of a text in base64url.
pub fn bytes(text: &str) -> Result<Vec<u8>> {
    if text.len() > LONGEST {
        return Err(PasskeyRefusal::Malformed("a part is too long"));
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| PasskeyRefusal::Malformed("a part is not base64url"))
}

/// Bytes as base64url.
pub fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The challenge that an answer says it is for; whether it is ours is for the engine to say.
pub fn challenge_of(client: &str) -> Result<Vec<u8>> {
    bytes(&client::read(&bytes(client)?)?.challenge)
}

/// Verifies that a passkey was made for this challenge (§7.1).
///
/// # Errors
/// Why it does not count.
pub fn made(making: &Making, challenge: &[u8], party: &Party) -> Result<Made> {
    let client = bytes(&making.client)?;
    client::check(&client, Ceremony::Create, challenge, party)?;
    let object = bytes(&making.attestation)?;
    let (format, statement, data) = attested(&object)?;
    let read = Data::read(data)?;
    read.is_for(party)?;
    let credential = read.credential.ok_or(PasskeyRefusal::Malformed("there is no key in it"))?;
    if credential.id.is_empty() || credential.id.len() > LONGEST_ID {
        return Err(PasskeyRefusal::Malformed("the id of the credential is empty or too long"));
    }
    let key = Key::read(credential.key)?;
    statement_is_own(format, &statement, &key, &signed(data, &client))?;
    read.is_verified()?;
    Ok(Made {
        id: credential.id.to_vec(),
        key: credential.key.to_vec(),
        algorithm: key.algorithm(),
        counter: read.counter,
        shared: read.flags.shareable,
    })
}

/// Verifies that a passkey was used for this challenge (§7.2); gives how often it has signed.
///
/// # Errors
/// Why it does not count. [`PasskeyRefusal::Counter`] only when everything else is right.
pub fn used(using: &Using, challenge: &[u8], party: &Party, known: Known<'_>) -> Result<u32> {
    if let Some(user) = &using.user
        && bytes(user)? != known.operator.as_bytes()
    {
        return Err(PasskeyRefusal::Unknown);
    }
    let client = bytes(&using.client)?;
    client::check(&client, Ceremony::Get, challenge, party)?;
    let data = bytes(&using.authenticator)?;
    let read = Data::read(&data)?;
    read.is_for(party)?;
    let key = Key::read(known.key)?;
    if !key.verifies(&signed(&data, &client), &bytes(&using.signature)?) {
        return Err(PasskeyRefusal::Signature);
    }
    read.is_verified()?;
    if read.flags.shareable != known.shared {
        return Err(PasskeyRefusal::Malformed("whether it may be copied has changed"));
    }
    // Where either counts, the next is always more (§6.1.1).
    if (read.counter, known.counter) != (0, 0) && read.counter <= known.counter {
        return Err(PasskeyRefusal::Counter);
    }
    Ok(read.counter)
}

/// What is signed: the authenticator's data and the digest of the client's.
fn signed(data: &[u8], client: &[u8]) -> Vec<u8> {
    [data, &Digest::of(client).0].concat()
}

/// The parts of an attestation object (§6.5.4): format, statement and the authenticator's data.
fn attested(object: &[u8]) -> Result<(&str, Value<'_>, &[u8])> {
    let Value::Map(entries) = cbor::read(object)? else {
        return Err(PasskeyRefusal::Malformed("the attestation object is no map"));
    };
    let (mut format, mut statement, mut data) = (None, None, None);
    for (name, value) in entries {
        match (name, value) {
            (Value::Text("fmt"), Value::Text(text)) => format = Some(text),
            (Value::Text("attStmt"), value @ Value::Map(_)) => statement = Some(value),
            (Value::Text("authData"), Value::Bytes(bytes)) => data = Some(bytes),
            _ => return Err(PasskeyRefusal::Malformed("the attestation object has an unknown part")),
        }
    }
    let missing = PasskeyRefusal::Malformed("a part of the attestation object is missing");
    Ok((format.ok_or(missing)?, statement.ok_or(missing)?, data.ok_or(missing)?))
}

/// Without a statement (§8.7), or with one by the key itself (§8.2, self attestation), which some browsers leave in.
fn statement_is_own(format: &str, statement: &Value<'_>, key: &Key, signed: &[u8]) -> Result<()> {
    let Value::Map(entries) = statement else { return Err(PasskeyRefusal::Attestation) };
    match (format, entries.as_slice()) {
        ("none", []) => Ok(()),
        (
            "packed",
            [(Value::Text("alg"), Value::Int(alg)), (Value::Text("sig"), Value::Bytes(signature))],
        ) => {
            if *alg != key.algorithm().number() {
                return Err(PasskeyRefusal::Attestation);
            }
            key.verifies(signed, signature).then_some(()).ok_or(PasskeyRefusal::Signature)
        }
        _ => Err(PasskeyRefusal::Attestation),
    }
}

#[cfg(test)]
pub mod soft;
#[cfg(test)]
mod tests;
