//! What an integration may do: operations on endpoint shapes, and budgets.
//!
//! A scope is a list of rules such as `update PATCH /scim/v2/Users/{id}`. A call is allowed only when a
//! rule matches its operation, method and path; everything else is outside. Nothing here sends.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a call is for; the connector says it with every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Read what the system can do.
    Discover,
    /// Read many.
    List,
    /// Read one.
    Get,
    /// Make an account.
    Create,
    /// Change attributes or the active state of an account.
    Update,
    /// Remove an account.
    Delete,
    /// Give an account an entitlement.
    Grant,
    /// Take an entitlement from an account.
    Revoke,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 8] = [
        Self::Discover,
        Self::List,
        Self::Get,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Grant,
        Self::Revoke,
    ];

    /// The name in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Discover => "discover",
            Self::List => "list",
            Self::Get => "get",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Grant => "grant",
            Self::Revoke => "revoke",
        }
    }

    /// Whether it only reads.
    pub const fn reads(self) -> bool {
        match self {
            Self::Discover | Self::List | Self::Get => true,
            Self::Create | Self::Update | Self::Delete | Self::Grant | Self::Revoke => false,
        }
    }
}

/// A path whose segments are literal or, as `{name}`, any one segment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathTemplate(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Segment {
    Literal(String),
    Any(String),
}

impl PathTemplate {
    /// Whether the path is of this shape. A path with empty segments, dot segments or an encoded slash
    /// is of no shape: what the server would make of it is not known.
    pub fn matches(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix('/') else { return false };
        let segments: Vec<&str> = rest.split('/').collect();
        segments.len() == self.0.len()
            && segments.iter().zip(&self.0).all(|(segment, shape)| {
                plain_segment(segment)
                    && match shape {
                        Segment::Literal(text) => text == segment,
                        Segment::Any(_) => true,
                    }
            })
    }
}

fn plain_segment(segment: &str) -> bool {
    let lower = segment.to_ascii_lowercase();
    !segment.is_empty()
        && segment.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'\\'))
        && !["%2f", "%5c", "%00"].iter().any(|bad| lower.contains(bad))
        && !matches!(lower.replace("%2e", ".").as_str(), "." | "..")
}

/// One allowed shape of call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeRule {
    /// What for.
    pub operation: Operation,
    /// The HTTP method, upper case; `READ` for a file.
    pub method: String,
    /// The shape of the path, below the integration's endpoint.
    pub path: PathTemplate,
}

/// Why a text is not a scope rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a scope rule: {problem}; write `OPERATION METHOD /path/{{any}}`, for example `get GET /Users/{{id}}`"
)]
pub struct BadRule {
    text: String,
    problem: &'static str,
}

impl FromStr for ScopeRule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let bad = |problem| BadRule { text: text.to_owned(), problem };
        let words: Vec<&str> = text.split_whitespace().collect();
        let [operation, method, path] = words[..] else { return Err(bad("it has three words")) };
        let operation = Operation::ALL.into_iter().find(|o| o.as_str() == operation).ok_or_else(|| {
            bad("the operation is one of discover, list, get, create, update, delete, grant, revoke")
        })?;
        if !["GET", "POST", "PUT", "PATCH", "DELETE", "READ"].contains(&method) {
            return Err(bad("the method is one of GET, POST, PUT, PATCH, DELETE, READ"));
        }
        if operation.reads() && !["GET", "READ", "POST"].contains(&method) {
            return Err(bad("an operation that reads cannot use a method that writes"));
        }
        let rest = path.strip_prefix('/').ok_or_else(|| bad("the path begins with `/`"))?;
        let segments = rest
            .split('/')
            .map(|s| match s.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                Some(name)
                    if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') =>
                {
                    Ok(Segment::Any(name.to_owned()))
                }
                None if plain_segment(s) && !s.contains(['{', '}']) => Ok(Segment::Literal(s.to_owned())),
                _ => Err(bad("a segment is text or `{name}`")),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { operation, method: method.to_owned(), path: PathTemplate(segments) })
    }
}

impl fmt::Display for ScopeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.operation.as_str(), self.method)?;
        self.path.0.iter().try_for_each(|s| match s {
            Segment::Literal(text) => write!(f, "/{text}"),
            Segment::Any(name) => write!(f, "/{{{name}}}"),
        })
    }
}
impl Serialize for ScopeRule {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for ScopeRule {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Everything an integration may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The allowed calls.
    #[serde(default)]
    pub rules: Vec<ScopeRule>,
    /// How many writes are allowed in a minute; without it, any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes_per_minute: Option<u32>,
}

impl Scope {
    /// Whether some rule allows the call.
    pub fn allows(&self, operation: Operation, method: &str, path: &str) -> bool {
        self.rules.iter().any(|r| r.operation == operation && r.method == method && r.path.matches(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_inside_only_when_a_rule_says_so() {
        let scope = Scope {
            rules: ["list GET /v2/Users", "get GET /v2/Users/{id}", "update PATCH /v2/Users/{id}"]
                .map(|r| r.parse().unwrap())
                .to_vec(),
            writes_per_minute: None,
        };
        let check = |operation, method, path, expect| {
            assert_eq!(scope.allows(operation, method, path), expect, "{method} {path}");
        };
        check(Operation::List, "GET", "/v2/Users", true);
        check(Operation::Get, "GET", "/v2/Users/42", true);
        check(Operation::Get, "GET", "/v2/Users/a%20b", true);
        check(Operation::Update, "PATCH", "/v2/Users/42", true);
        check(Operation::Get, "GET", "/v2/Groups/42", false);
        check(Operation::Delete, "PATCH", "/v2/Users/42", false);
        check(Operation::Update, "DELETE", "/v2/Users/42", false);
        for path in [
            "/v2/Users/",
            "/v2/Users/..",
            "/v2/Users/%2e%2E",
            "/v2/Users/1%2f2",
            "/v2/Users/1/x",
            "v2/Users/1",
            "/v2//1",
            "/v2/Users/1?x=1",
            "/v2/Users/1#x",
            "/v2/Users/a b",
            "/v2/Users/..",
        ] {
            check(Operation::Update, "PATCH", path, false);
        }
    }

    #[test]
    fn rules_print_as_they_are_written_and_bad_ones_say_why() {
        for text in ["list GET /Users", "revoke DELETE /api/users/{id}/tokens/{tid}", "list READ /{file}"] {
            assert_eq!(text.parse::<ScopeRule>().unwrap().to_string(), text);
        }
        for (text, why) in [
            ("GET /Users", "three words"),
            ("read GET /Users", "operation is one of"),
            ("list FETCH /Users", "method is one of"),
            ("get DELETE /Users/{id}", "cannot use a method that writes"),
            ("list GET Users", "begins with"),
            ("list GET /a//b", "segment"),
            ("list GET /a/{}", "segment"),
            ("list GET /a/..", "segment"),
        ] {
            let error = text.parse::<ScopeRule>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
