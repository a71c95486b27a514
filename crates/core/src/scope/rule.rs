//! One allowed shape of call: reading, printing, matching, and whether one is inside another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dn::Dn;

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
    /// Give a canary a credential, so that it can be tried.
    Issue,
    /// Try a canary's credential: whether the system lets its holder in.
    Try,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 10] = [
        Self::Discover,
        Self::List,
        Self::Get,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Grant,
        Self::Revoke,
        Self::Issue,
        Self::Try,
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
            Self::Issue => "issue",
            Self::Try => "try",
        }
    }

    /// Whether it only reads.
    pub const fn reads(self) -> bool {
        match self {
            Self::Discover | Self::List | Self::Get | Self::Try => true,
            Self::Create | Self::Update | Self::Delete | Self::Grant | Self::Revoke | Self::Issue => false,
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
    /// Whether every path of this shape is of the shape `other`.
    fn within(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|(segment, shape)| match (segment, shape) {
                (_, Segment::Any(_)) => true,
                (Segment::Literal(text), Segment::Literal(shape)) => text == shape,
                (Segment::Any(_), Segment::Literal(_)) => false,
            })
    }

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

/// The target of a `SEARCH` that reads the directory's description of itself (RFC 4512 §5.1).
pub const ROOT_DSE: &str = "rootDSE";

/// What a verb may be pointed at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A path below the endpoint (HTTP, files).
    Path(PathTemplate),
    /// An entry of a directory and all below it.
    Subtree(Dn),
    /// A directory's description of itself.
    RootDse,
    /// A statement or an action of this name.
    Name(String),
}

impl Target {
    /// Whether everything here is in `other` too.
    fn within(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Path(path), Self::Path(shape)) => path.within(shape),
            (Self::Subtree(base), Self::Subtree(above)) => base.within(above),
            (Self::RootDse, Self::RootDse) => true,
            (Self::Name(name), Self::Name(other)) => name == other,
            (Self::Path(_) | Self::Subtree(_) | Self::RootDse | Self::Name(_), _) => false,
        }
    }

    fn matches(&self, target: &str) -> bool {
        match self {
            Self::Path(template) => template.matches(target),
            Self::Subtree(base) => target.parse::<Dn>().is_ok_and(|dn| dn.within(base)),
            Self::RootDse => target == ROOT_DSE,
            Self::Name(name) => name == target,
        }
    }

    /// Whether it has this path segment in clear.
    pub(super) fn says(&self, segment: &str) -> bool {
        match self {
            Self::Path(template) => template.0.iter().any(|s| match s {
                Segment::Literal(text) => text == segment,
                Segment::Any(_) => false,
            }),
            Self::Subtree(_) | Self::RootDse | Self::Name(_) => false,
        }
    }

    pub(super) fn subtree(&self) -> Option<&Dn> {
        match self {
            Self::Subtree(base) => Some(base),
            Self::Path(_) | Self::RootDse | Self::Name(_) => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(template) => template.0.iter().try_for_each(|s| match s {
                Segment::Literal(text) => write!(f, "/{text}"),
                Segment::Any(name) => write!(f, "/{{{name}}}"),
            }),
            Self::Subtree(base) => base.fmt(f),
            Self::RootDse => f.write_str(ROOT_DSE),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// What the third word of a rule is, by its verb.
#[derive(Clone, Copy)]
pub(super) enum Wire {
    Path,
    Directory,
    Name,
}

/// The verbs, and whether one that is for reading may stand behind an operation that reads.
pub(super) const VERBS: [(&str, Wire, bool); 15] = [
    ("GET", Wire::Path, true),
    ("POST", Wire::Path, true),
    ("PUT", Wire::Path, false),
    ("PATCH", Wire::Path, false),
    ("DELETE", Wire::Path, false),
    ("READ", Wire::Path, true),
    ("SEARCH", Wire::Directory, true),
    ("BIND", Wire::Directory, true),
    ("ADD", Wire::Directory, false),
    ("MODIFY", Wire::Directory, false),
    ("RENAME", Wire::Directory, false),
    ("REMOVE", Wire::Directory, false),
    ("EXEC", Wire::Name, true),
    ("CALL", Wire::Name, true),
    ("ASK", Wire::Name, false),
];

/// One allowed shape of call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeRule {
    /// What for.
    pub operation: Operation,
    /// The verb of the wire, upper case: an HTTP method; `READ` for a file; `SEARCH`, `BIND`, `ADD`,
    /// `MODIFY`, `RENAME`, `REMOVE` of a directory; `EXEC` of a database; `CALL` of an action API; `ASK` of a person.
    pub verb: String,
    /// What the verb may be pointed at.
    pub target: Target,
}

impl ScopeRule {
    /// Whether it allows the call.
    pub fn allows(&self, operation: Operation, verb: &str, target: &str) -> bool {
        self.operation == operation && self.verb == verb && self.target.matches(target)
    }

    /// Whether `other` allows every call that this one allows.
    pub fn within(&self, other: &Self) -> bool {
        self.operation == other.operation && self.verb == other.verb && self.target.within(&other.target)
    }
}

/// Why a text is not a scope rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a scope rule: {problem}; write `OPERATION VERB TARGET`, for example `get GET /Users/{{id}}`"
)]
pub struct BadRule {
    text: String,
    problem: String,
}

impl FromStr for ScopeRule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let bad = |problem: &str| BadRule { text: text.to_owned(), problem: problem.to_owned() };
        let three = || bad("it has three words");
        let (operation, rest) = text.trim().split_once(char::is_whitespace).ok_or_else(three)?;
        let (verb, target) = rest.trim_start().split_once(char::is_whitespace).ok_or_else(three)?;
        let operation = Operation::ALL.into_iter().find(|o| o.as_str() == operation).ok_or_else(|| {
            bad(&format!("the operation is one of {}", Operation::ALL.map(Operation::as_str).join(", ")))
        })?;
        let (_, wire, may_read) = VERBS
            .into_iter()
            .find(|(name, ..)| *name == verb)
            .ok_or_else(|| bad(&format!("the verb is one of {}", VERBS.map(|(name, ..)| name).join(", "))))?;
        if operation.reads() && !may_read {
            return Err(bad("an operation that reads cannot use a verb that writes"));
        }
        let target = target.trim_start();
        let target = match wire {
            Wire::Path => Target::Path(template(target).map_err(bad)?),
            Wire::Directory if target == ROOT_DSE && verb == "SEARCH" => Target::RootDse,
            Wire::Directory => Target::Subtree(target.parse().map_err(|e| bad(&format!("{e}")))?),
            Wire::Name if target.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_:".contains(&b)) => {
                Target::Name(target.to_owned())
            }
            Wire::Name => return Err(bad("a name is letters, digits, `-`, `_` and `:`")),
        };
        Ok(Self { operation, verb: verb.to_owned(), target })
    }
}

fn template(path: &str) -> Result<PathTemplate, &'static str> {
    if path.contains(char::is_whitespace) {
        return Err("it has three words");
    }
    let rest = path.strip_prefix('/').ok_or("the path begins with `/`")?;
    let segment = |s: &str| match s.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
        Some(name) if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
            Ok(Segment::Any(name.to_owned()))
        }
        None if plain_segment(s) && !s.contains(['{', '}']) => Ok(Segment::Literal(s.to_owned())),
        _ => Err("a segment is text or `{name}`"),
    };
    rest.split('/').map(segment).collect::<Result<_, _>>().map(PathTemplate)
}

impl fmt::Display for ScopeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.operation.as_str(), self.verb, self.target)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_print_as_they_are_written_and_bad_ones_say_why() {
        for text in [
            "list GET /Users",
            "revoke DELETE /api/users/{id}/tokens/{tid}",
            "list READ /{file}",
            "discover SEARCH rootDSE",
            "list SEARCH ou=Our People,dc=acme",
            "update MODIFY ou=a\\,b,dc=acme",
            "try BIND ou=canaries,dc=acme",
            "grant EXEC grant-role",
            "create CALL CreateUser",
        ] {
            assert_eq!(text.parse::<ScopeRule>().unwrap().to_string(), text);
        }
        for (text, why) in [
            ("GET /Users", "three words"),
            ("read GET /Users", "operation is one of"),
            ("list FETCH /Users", "verb is one of"),
            ("get DELETE /Users/{id}", "cannot use a verb that writes"),
            ("get MODIFY dc=x", "cannot use a verb that writes"),
            ("list SEARCH people", "distinguished name"),
            ("create ADD rootDSE", "distinguished name"),
            ("grant EXEC drop table", "a name is"),
            ("list GET /a b", "three words"),
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
