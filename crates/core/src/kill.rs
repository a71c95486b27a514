//! Ending the grant of an integration at its provider: the call that ends it, and the call that proves it.
//!
//! Both are declared with the integration and are part of what its approvers look at. Once it has ended, they
//! are all that may still be sent for it, and the old credential is all that they are sent with.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    access::AccessClass,
    gate::{Permit, Shut},
    integration::{Integration, Standing},
    scope::ScopeRule,
};

/// What the broker replaces by the credential in the body of the call that ends it.
pub const HOLE: &str = "{credential}";

/// The methods that may end a credential.
const ENDING: [&str; 4] = ["POST", "DELETE", "PUT", "PATCH"];

/// A call with nothing open in it: `POST /oauth/revoke`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCall {
    /// The method.
    pub method: &'static str,
    /// The path below the endpoint.
    pub path: String,
}

impl LastCall {
    fn read(text: &str, operation: &str, methods: &[&'static str]) -> Result<Self, BadKill> {
        let bad = |why: String| BadKill { text: text.to_owned(), why };
        let rule: ScopeRule =
            format!("{operation} {text}").parse().map_err(|error| bad(format!("{error}")))?;
        let Some(method) = methods.iter().copied().find(|method| *method == rule.verb) else {
            return Err(bad(format!("its method is none of {}", methods.join(", "))));
        };
        let path = text.split_once(' ').map_or("", |(_, path)| path.trim());
        // The path goes out as it stands here, and so it must be a path that it allows itself.
        if path.contains(['{', '}']) || !rule.allows(rule.operation, method, path) {
            return Err(bad("its path is not one path; write it in full, without holes".into()));
        }
        Ok(Self { method, path: path.to_owned() })
    }
}

impl fmt::Display for LastCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// How the grant of an integration is ended, and how that is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kill {
    /// Ends the credential that it is sent with.
    pub revoke: LastCall,
    /// The body of that call; [`HOLE`] in it becomes the credential.
    pub body: Option<String>,
    /// Tries the credential; changes nothing.
    pub probe: LastCall,
    /// What kind of access the credential is: OAuth consents or API tokens.
    pub class: AccessClass,
}

/// The text does not say how a grant is ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be a call that ends or tries a credential: {why}")]
pub struct BadKill {
    text: String,
    why: String,
}

impl BadKill {
    /// The text that is not understood.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Kill {
    /// Reads `revoke`, `body`, `probe` and `class` as configuration writes them.
    pub fn new(revoke: &str, body: Option<&str>, probe: &str, class: Option<&str>) -> Result<Self, BadKill> {
        let bad = |text: &str, why: &str| BadKill { text: text.to_owned(), why: why.to_owned() };
        let body = body.map(str::to_owned);
        if let Some(text) = body.as_deref().filter(|text| !text.contains(HOLE)) {
            return Err(bad(text, "the body says nothing of `{credential}`"));
        }
        let named = class.unwrap_or(AccessClass::ApiTokens.as_str());
        let class = AccessClass::from_str(named)
            .ok()
            .filter(|class| matches!(class, AccessClass::ApiTokens | AccessClass::OauthConsents))
            .ok_or_else(|| bad(named, "the class is `oauth-consents` or `api-tokens`"))?;
        Ok(Self {
            revoke: LastCall::read(revoke, "revoke", &ENDING)?,
            body,
            probe: LastCall::read(probe, "get", &["GET"])?,
            class,
        })
    }
}

/// How the grant of an integration is ended, and how that is proven.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    revoke: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    probe: String,
    class: AccessClass,
}

impl Serialize for Kill {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let Self { revoke, body, probe, class } = self;
        let (revoke, probe) = (revoke.to_string(), probe.to_string());
        Written { revoke, body: body.clone(), probe, class: *class }.serialize(s)
    }
}

impl JsonSchema for Kill {
    fn schema_name() -> Cow<'static, str> {
        "Kill".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for Kill {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let Written { revoke, body, probe, class } = Written::deserialize(d)?;
        Self::new(&revoke, body.as_deref(), &probe, Some(class.as_str())).map_err(serde::de::Error::custom)
    }
}

/// That the two calls may be sent, and nothing else. Only [`last_calls`], [`drill_calls`] and [`rotated_calls`] make
/// one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillPermit {
    kill: Kill,
    rehearsal: bool,
}

impl KillPermit {
    /// The two calls.
    pub const fn kill(&self) -> &Kill {
        &self.kill
    }

    /// Whether it is a drill: then nothing may end the integration's own credential.
    pub const fn rehearsal(&self) -> bool {
        self.rehearsal
    }
}

/// Why the two calls may not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoKill {
    /// It has not ended.
    #[error("it has not ended; only of an integration that has may the grant be ended")]
    NotEnded,
    /// Nothing is declared.
    #[error("nothing declares how its grant is ended and tried: `[integration.NAME.kill]`")]
    Undeclared,
    /// For a drill it must be in use.
    #[error(transparent)]
    Shut(Shut),
}

impl NoKill {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotEnded => "integration-not-ended",
            Self::Undeclared => "kill-undeclared",
            Self::Shut(shut) => shut.code(),
        }
    }
}

/// What may still be sent for an integration that has ended.
pub fn last_calls(integration: &Integration) -> Result<KillPermit, NoKill> {
    match &integration.standing {
        Standing::Ended { .. } => {}
        Standing::Enabled | Standing::Quarantined { .. } | Standing::Paused { .. } => {
            return Err(NoKill::NotEnded);
        }
    }
    let kill = integration.kill.clone().ok_or(NoKill::Undeclared)?;
    Ok(KillPermit { kill, rehearsal: false })
}

/// What a drill may send for an integration that is in use.
pub fn drill_calls(integration: &Integration, permit: &Permit) -> Result<KillPermit, NoKill> {
    permit.reads.clone().map_err(NoKill::Shut)?;
    let kill = integration.kill.clone().ok_or(NoKill::Undeclared)?;
    Ok(KillPermit { kill, rehearsal: true })
}

/// What may be sent for an integration that is in use with a credential that another has taken the place of.
pub fn rotated_calls(integration: &Integration, permit: &Permit) -> Result<KillPermit, NoKill> {
    drill_calls(integration, permit).map(|permit| KillPermit { rehearsal: false, ..permit })
}

/// What the answer to a probe says of the credential that it was sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// The provider still lets it in.
    Accepted,
    /// The provider turns it away.
    Rejected,
    /// The provider forbids the call, and was never seen to allow it: a living credential that may not make
    /// the call would be answered the same.
    Forbidden,
    /// The answer is about something else.
    Unclear,
}

/// Judges the status of a probe. `accepted` says whether the same credential was let in before.
pub const fn judge(status: u16, accepted: bool) -> Tried {
    match (status, accepted) {
        (200..=299, _) => Tried::Accepted,
        (401, _) | (403, true) => Tried::Rejected,
        (403, false) => Tried::Forbidden,
        _ => Tried::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_two_whole_calls_and_a_class() {
        let check = |revoke, body, probe, class, expect: Result<&str, &str>| {
            let got = Kill::new(revoke, body, probe, class);
            match (&got, expect) {
                (Ok(kill), Ok(text)) => {
                    assert_eq!(serde_json::to_string(kill).unwrap(), text);
                    assert_eq!(&serde_json::from_str::<Kill>(text).unwrap(), kill);
                }
                (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{error}"),
                _ => panic!("{got:?}, expected {expect:?}"),
            }
        };
        let form = Some("token={credential}");
        check(
            "POST /oauth/revoke",
            form,
            "GET /oauth/me",
            Some("oauth-consents"),
            Ok(
                r#"{"revoke":"POST /oauth/revoke","body":"token={credential}","probe":"GET /oauth/me","class":"oauth-consents"}"#,
            ),
        );
        check(
            "DELETE /tokens/current",
            None,
            "GET /me",
            None,
            Ok(r#"{"revoke":"DELETE /tokens/current","probe":"GET /me","class":"api-tokens"}"#),
        );
        check("GET /oauth/revoke", form, "GET /me", None, Err("method"));
        check("POST /oauth/revoke", form, "POST /me", None, Err("method"));
        check("POST /tokens/{id}", form, "GET /me", None, Err("one path"));
        check("POST oauth", form, "GET /me", None, Err("cannot be"));
        check("POST /a/../b", form, "GET /me", None, Err("cannot be"));
        check("POST https://evil.example/x", form, "GET /me", None, Err("cannot be"));
        check("POST /oauth/revoke", Some("token=x"), "GET /me", None, Err("says nothing"));
        check("POST /oauth/revoke", form, "GET /me", Some("sessions"), Err("class"));
    }

    #[test]
    fn only_a_clear_answer_says_that_a_credential_is_dead() {
        let check = |status, accepted, expect| assert_eq!(judge(status, accepted), expect, "{status}");
        check(200, false, Tried::Accepted);
        check(204, true, Tried::Accepted);
        check(401, false, Tried::Rejected);
        check(401, true, Tried::Rejected);
        check(403, true, Tried::Rejected);
        check(403, false, Tried::Forbidden);
        for status in [302, 400, 404, 405, 429, 500, 503] {
            check(status, true, Tried::Unclear);
        }
    }
}
