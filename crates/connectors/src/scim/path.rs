//! Attribute paths (RFC 7644 §3.10, Figure 7), as far as a mapping needs them: an attribute, one of its
//! parts, or the part of the element that a single `eq` picks. Absent on purpose: every other filter,
//! because a value that is written must be read back from the one place it was written to.

use std::{fmt, str::FromStr};

/// The core schema of users; a path may name it or leave it out.
pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The enterprise extension (RFC 7643 §4.3).
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Attributes that are not for a mapping: the connector itself reads and writes them, or nobody may.
const RESERVED: [&str; 8] =
    ["id", "externalId", "active", "groups", "meta", "schemas", "password", "members"];

/// Where an attribute lies in a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScimPath {
    /// The URN of the extension; none for the core schema.
    pub(super) schema: Option<String>,
    /// The attribute.
    pub(super) attribute: String,
    /// The part by which an element of a multi-valued attribute is picked, and the text it must equal.
    pub(super) pick: Option<(String, String)>,
    /// The part of the attribute, or of the element.
    pub(super) part: Option<String>,
}

impl ScimPath {
    /// Whether the two lie at the same place; names compare without case (RFC 7643 §2.1).
    pub(super) fn is(&self, schema: Option<&str>, attribute: &str, part: Option<&str>) -> bool {
        let same = |a: Option<&str>, b: Option<&str>| match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            (None, Some(_)) | (Some(_), None) => false,
        };
        same(self.schema.as_deref(), schema)
            && self.attribute.eq_ignore_ascii_case(attribute)
            && same(self.part.as_deref(), part)
    }

    /// The attribute with its schema, without element and part.
    pub(super) fn top(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}:{}", self.attribute),
            None => self.attribute.clone(),
        }
    }
}

/// Why a text is no path of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadPath {
    #[error(
        "`{0}` is not an attribute path; write for example `title`, `name.givenName`, `emails[type eq \"work\"].value` or `urn:…:User:department`"
    )]
    Form(String),
    #[error("`{0}` is read and written by the connector itself and cannot be mapped")]
    Reserved(String),
}

impl FromStr for ScimPath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let bad = || BadPath::Form(text.to_owned());
        let (head, pick, tail) = match text.split_once('[') {
            None => (text, None, None),
            Some((head, rest)) => {
                // The text of the filter may hold brackets; a path ends with at most one part after it.
                let (inside, tail) = rest.rsplit_once(']').ok_or_else(bad)?;
                let tail = match tail {
                    "" => None,
                    tail => Some(tail.strip_prefix('.').ok_or_else(bad)?),
                };
                (head, Some(parse_pick(inside).ok_or_else(bad)?), tail)
            }
        };
        let (schema, name) = match head.get(..4).is_some_and(|urn| urn.eq_ignore_ascii_case("urn:")) {
            true => head.rsplit_once(':').map(|(urn, name)| (Some(urn), name)).ok_or_else(bad)?,
            false => (None, head),
        };
        let (attribute, part) = match (name.split_once('.'), tail) {
            (None, tail) => (name, tail),
            (Some((attribute, part)), None) if pick.is_none() => (attribute, Some(part)),
            (Some(_), _) => return Err(bad()),
        };
        if !is_name(attribute) || !part.is_none_or(is_name) || (pick.is_some() && part.is_none()) {
            return Err(bad());
        }
        let schema = schema.filter(|urn| !urn.eq_ignore_ascii_case(USER)).map(str::to_owned);
        if schema.is_none() && RESERVED.iter().any(|name| attribute.eq_ignore_ascii_case(name)) {
            return Err(BadPath::Reserved(text.to_owned()));
        }
        Ok(Self { schema, attribute: attribute.to_owned(), pick, part: part.map(str::to_owned) })
    }
}

/// `part eq "text"`.
fn parse_pick(inside: &str) -> Option<(String, String)> {
    let mut words = inside.trim().splitn(3, ' ');
    let (part, operator, operand) = (words.next()?, words.next()?, words.next()?);
    let operand: String = serde_json::from_str(operand.trim()).ok()?;
    (is_name(part) && operator.eq_ignore_ascii_case("eq")).then(|| (part.to_owned(), operand))
}

/// `ALPHA *( "-" / "_" / DIGIT / ALPHA )` (RFC 7643 §2.1).
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// A text as an operand of a filter: a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl fmt::Display for ScimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.top())?;
        if let Some((part, operand)) = &self.pick {
            write!(f, "[{part} eq {}]", quoted(operand))?;
        }
        match &self.part {
            Some(part) => write!(f, ".{part}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_prints_as_it_is_written() {
        let department = format!("{ENTERPRISE}:department");
        let manager = format!("{ENTERPRISE}:manager.value");
        for text in [
            "userName",
            "name.givenName",
            "emails[type eq \"work\"].value",
            "emails[type eq \"a ] b\"].value",
            &department,
            &manager,
        ] {
            assert_eq!(text.parse::<ScimPath>().unwrap().to_string(), text);
        }
        let core: ScimPath = format!("{USER}:userName").parse().unwrap();
        assert_eq!(core.to_string(), "userName");
        assert!(core.is(None, "USERNAME", None));
    }

    #[test]
    fn what_is_no_path_and_what_is_reserved_is_refused() {
        for text in [
            "",
            ".",
            "a.b.c",
            "a b",
            "emails[type eq work].value",
            "emails[type eq \"work\"]",
            "emails[type ne \"work\"].value",
            "emails[",
            "emails[type eq \"x\"]value",
            "1st",
            "urn:x:",
        ] {
            assert_eq!(text.parse::<ScimPath>(), Err(BadPath::Form(text.into())), "{text}");
        }
        for text in [
            "active",
            "externalId",
            "password",
            "meta.version",
            "urn:ietf:params:scim:schemas:core:2.0:User:id",
        ] {
            assert_eq!(text.parse::<ScimPath>(), Err(BadPath::Reserved(text.into())), "{text}");
        }
    }
}
