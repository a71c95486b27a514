//! What an integration may do: operations on shapes of calls, and budgets.
//!
//! A scope is a list of rules: what for, the verb of the wire, and what the verb may be pointed at:
//!
//! | wire | example |
//! |---|---|
//! | HTTP | `update PATCH /scim/v2/Users/{id}` |
//! | file | `list READ /{file}` |
//! | directory | `update MODIFY ou=people,dc=acme,dc=example`: the entry and all below it |
//! | database | `grant EXEC grant-role`: the statement of that name |
//! | action API | `create CALL CreateUser` |
//! | a person | `revoke ASK person` |
//!
//! A call is allowed only when a rule matches its operation, verb and target; everything else is outside.
//! Nothing here sends.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    authority::Touch,
    dn::{Dn, Rdn},
    id::EntitlementName,
    limit::{Limit, Population},
};

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
    fn matches(&self, target: &str) -> bool {
        match self {
            Self::Path(template) => template.matches(target),
            Self::Subtree(base) => target.parse::<Dn>().is_ok_and(|dn| dn.within(base)),
            Self::RootDse => target == ROOT_DSE,
            Self::Name(name) => name == target,
        }
    }

    /// Whether it has this path segment in clear.
    fn says(&self, segment: &str) -> bool {
        match self {
            Self::Path(template) => template.0.iter().any(|s| match s {
                Segment::Literal(text) => text == segment,
                Segment::Any(_) => false,
            }),
            Self::Subtree(_) | Self::RootDse | Self::Name(_) => false,
        }
    }

    fn subtree(&self) -> Option<&Dn> {
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
enum Wire {
    Path,
    Directory,
    Name,
}

/// The verbs, and whether one that is for reading may stand behind an operation that reads.
const VERBS: [(&str, Wire, bool); 15] = [
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

/// Everything an integration may do. What it says is narrowed further by every limit that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The calls that it makes, or that the hub makes on its line.
    #[serde(default)]
    pub rules: Vec<ScopeRule>,
    /// What it does by itself: at the hub's door, or on systems where it has a grant of its own.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub acts: BTreeSet<Touch>,
    /// The attributes of accounts and identities that it may write.
    #[serde(default, skip_serializing_if = "Limit::is_any")]
    pub attributes: Limit<String>,
    /// The entitlements that it may give and take.
    #[serde(default, skip_serializing_if = "Limit::is_any")]
    pub entitlements: Limit<EntitlementName>,
    /// The identities whose access it may change.
    #[serde(default, skip_serializing_if = "Population::is_everybody")]
    pub population: Population,
    /// How many writes are allowed in a minute; without it, any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes_per_minute: Option<u32>,
    /// How many accounts one piece of work may change; without it, any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects_per_run: Option<u32>,
    /// The share of the known accounts of its system that may be changed in a day, percent; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub population_percent: Option<u8>,
    /// How many privileged entitlements it may give in a day; without it, any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privileged_per_day: Option<u32>,
}

impl Scope {
    /// Whether some rule allows the call.
    pub fn allows(&self, operation: Operation, verb: &str, target: &str) -> bool {
        let allows = |r: &ScopeRule| r.operation == operation && r.verb == verb && r.target.matches(target);
        self.rules.iter().any(allows)
    }

    /// What a call was pointed at, with everything hidden that no rule has in clear, so that nothing
    /// personal is in it. Names of statements and actions are the connector's own and stay.
    pub fn shape(&self, verb: &str, target: &str) -> String {
        let wire = VERBS.into_iter().find(|(name, ..)| *name == verb).map(|(_, wire, _)| wire);
        match wire {
            Some(Wire::Path) => {
                let known = |segment: &str| self.rules.iter().any(|rule| rule.target.says(segment));
                let path = target.split(['?', '#']).next().unwrap_or_default();
                let shown = path.split('/').skip(1).map(|s| if known(s) { s } else { "{}" });
                shown.fold(String::new(), |path, segment| path + "/" + segment)
            }
            Some(Wire::Directory) if target != ROOT_DSE => {
                let bases = || self.rules.iter().filter_map(|rule| rule.target.subtree());
                let known = |rdn: &Rdn| bases().any(|base| base.rdns().contains(rdn));
                target.parse().map_or_else(|_| "{}".to_owned(), |dn: Dn| dn.shape(known))
            }
            Some(Wire::Directory | Wire::Name) => target.to_owned(),
            None => "{}".into(),
        }
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

    #[test]
    fn a_subtree_and_a_name_allow_what_is_in_them() {
        let rules = ["list SEARCH ou=people,dc=acme", "update MODIFY ou=people,dc=acme", "grant EXEC grant"];
        let scope = Scope { rules: rules.map(|r| r.parse().unwrap()).to_vec(), writes_per_minute: None };
        for (operation, verb, target, expect) in [
            (Operation::List, "SEARCH", "OU=People,dc=acme", true),
            (Operation::Update, "MODIFY", "uid=ann,ou=people,dc=acme", true),
            (Operation::Update, "MODIFY", "uid=ann\\,ou=people,dc=acme", false),
            (Operation::Update, "MODIFY", "dc=acme", false),
            (Operation::Update, "REMOVE", "uid=ann,ou=people,dc=acme", false),
            (Operation::List, "SEARCH", "rootDSE", false),
            (Operation::List, "SEARCH", "", false),
            (Operation::Grant, "EXEC", "grant", true),
            (Operation::Grant, "EXEC", "grant-all", false),
            (Operation::Revoke, "EXEC", "grant", false),
        ] {
            assert_eq!(scope.allows(operation, verb, target), expect, "{verb} {target}");
        }
        for (verb, target, expect) in [
            ("MODIFY", "uid=ann,ou=secret,dc=acme", "uid={},ou={},dc=acme"),
            ("MODIFY", "not a name", "{}"),
            ("EXEC", "drop", "drop"),
            ("GET", "/people/7", "/{}/{}"),
        ] {
            assert_eq!(scope.shape(verb, target), expect);
        }
    }
}
