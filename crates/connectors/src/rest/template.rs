//! Texts with holes, as paths, queries and JSON bodies are written in a description.
//!
//! `{name}` is a hole, `{name:int}` one that becomes a number in JSON, `{name:quoted}` one that is put in double
//! quotes with `\\` before quotes and backslashes, for query languages; `{{` and `}}` are braces. A text that
//! begins with `?` is left out, with its key, where a hole of it has no value. A hole that is a whole text of a
//! body takes the value as it is, with its type; one in a path is a whole segment. What is filled in is always
//! encoded for the place: it can become no other segment, parameter or member.

use std::{collections::BTreeMap, fmt};

use bailiwick_connector::{ConnectorError, ErrorKind, Result};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Number, Value};

use crate::http::segment;

/// The methods that a call can have.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// The values of the holes; a hole without one is not in it.
pub(super) type Holes = BTreeMap<String, Value>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Hole { name: String, form: Form },
}

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Int,
    Quoted,
}

/// A text with holes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Text {
    optional: bool,
    parts: Vec<Part>,
}

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (optional, rest) = match text.strip_prefix('?') {
            Some(rest) if rest.contains('{') => (true, rest),
            _ => (false, text.as_str()),
        };
        Ok(Self { optional, parts: parts(rest)? })
    }
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix(brace) {
            literal.push_str(brace);
            rest = after;
            continue;
        }
        let inner = after.split_once('}').filter(|_| brace == "{");
        let (inner, after) =
            inner.ok_or_else(|| format!("`{text}` has a single brace; write it twice, or `{{name}}`"))?;
        let (name, form) = match inner.split_once(':') {
            None => (inner, Form::Plain),
            Some((name, "int")) => (name, Form::Int),
            Some((name, "quoted")) => (name, Form::Quoted),
            Some((_, form)) => {
                return Err(format!("`{{{inner}}}`: the form of a hole is `int` or `quoted`, not `{form}`"));
            }
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(format!(
                "`{{{inner}}}` is not a hole; its name is letters, digits, `_`, `.` and `-`"
            ));
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(Part::Hole { name: name.to_owned(), form });
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() || parts.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

impl Text {
    /// The names of its holes.
    pub(super) fn holes(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Hole { name, .. } => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The value, none if it is to be left out.
    ///
    /// # Errors
    /// `Invalid`, naming the hole that has no value, or one that cannot be what it must.
    pub(super) fn fill(&self, holes: &Holes) -> Result<Option<Value>> {
        if self.optional && self.holes().any(|name| !holes.contains_key(name)) {
            return Ok(None);
        }
        if let [Part::Hole { name, form }] = &self.parts[..] {
            let value = value(holes, name)?;
            return Ok(Some(match form {
                Form::Plain => value.clone(),
                Form::Int => number(name, value)?,
                Form::Quoted => quoted(name, value)?.into(),
            }));
        }
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Hole { name, form: Form::Quoted } => text.push_str(&quoted(name, value(holes, name)?)?),
                Part::Hole { name, form: Form::Plain | Form::Int } => {
                    text.push_str(&plain(name, value(holes, name)?)?)
                }
            }
        }
        Ok(Some(text.into()))
    }
}

fn value<'h>(holes: &'h Holes, name: &str) -> Result<&'h Value> {
    let what = name.strip_prefix("attributes.").map_or_else(|| name.to_owned(), |a| format!("attribute {a}"));
    holes.get(name).ok_or_else(|| invalid(format!("the call needs `{what}`, which is not given")))
}

fn number(name: &str, value: &Value) -> Result<Value> {
    let number = match value {
        Value::String(text) => text.parse::<i64>().ok().map(Number::from),
        Value::Number(number) => Some(number.clone()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.map(Value::Number).ok_or_else(|| invalid(format!("`{name}` must be a number and is `{value}`")))
}

fn quoted(name: &str, value: &Value) -> Result<String> {
    let escaped = plain(name, value)?.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{escaped}\""))
}

/// A value where only text can be.
pub(super) fn plain(name: &str, value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(invalid(format!("`{name}` is not one text and cannot stand there")))
        }
    }
}

pub(super) fn invalid(message: String) -> ConnectorError {
    ConnectorError::none(ErrorKind::Invalid, message)
}

/// A method, and a path below the endpoint of which each segment is text or a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method, upper case.
    pub(super) method: &'static str,
    segments: Vec<Part>,
}

impl<'de> Deserialize<'de> for Route {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl TryFrom<String> for Route {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let shape =
            || format!("`{text}` is not a call; write a method and a path, such as `GET /users/{{id}}`");
        let (method, path) = text.split_once(' ').ok_or_else(shape)?;
        let method = METHODS.into_iter().find(|known| *known == method);
        let method = method.ok_or_else(|| format!("the method is one of {}", METHODS.join(", ")))?;
        let rest = path.strip_prefix('/').ok_or_else(shape)?;
        let segments = rest.split('/').map(|segment| match &parts(segment)?[..] {
            [Part::Hole { name, form: Form::Plain }] => {
                Ok(Part::Hole { name: name.clone(), form: Form::Plain })
            }
            [Part::Literal(text)] if is_plain(text) => Ok(Part::Literal(text.clone())),
            _ => Err(format!(
                "`{segment}` is not a segment of a path; it is plain text or one hole, and a query goes to `query`"
            )),
        });
        Ok(Self { method, segments: segments.collect::<Result<_, String>>()? })
    }
}

fn is_plain(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    !matches!(text, "" | "." | "..") && text.bytes().all(plain)
}

impl Route {
    /// The names of its holes.
    pub(super) fn holes(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|part| match part {
            Part::Hole { name, .. } => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The path.
    ///
    /// # Errors
    /// `Invalid` for a value that no segment can carry safely.
    pub(super) fn fill(&self, holes: &Holes) -> Result<String> {
        let mut path = String::new();
        for part in &self.segments {
            path.push('/');
            match part {
                Part::Literal(text) => path.push_str(text),
                Part::Hole { name, .. } => path.push_str(&segment(&plain(name, value(holes, name)?)?)?),
            }
        }
        Ok(path)
    }

    /// The path as a scope rule has it: what the integration itself fills in is text, the rest stays open.
    pub(super) fn shape(&self, parameters: &Holes) -> String {
        let shown = |part: &Part| match part {
            Part::Literal(text) => text.clone(),
            Part::Hole { name, .. } => match parameters.get(name).and_then(Value::as_str).map(segment) {
                Some(Ok(text)) => text,
                Some(Err(_)) | None => format!("{{{}}}", name.replace(['.', '-'], "_")),
            },
        };
        self.segments.iter().map(shown).fold(String::new(), |path, segment| path + "/" + &segment)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.shape(&Holes::new()))
    }
}

/// A JSON body with holes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Body(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Text(Text),
    Plain(Value),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
}

impl TryFrom<Value> for Body {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        node(value).map(Self)
    }
}

fn node(value: Value) -> Result<Node, String> {
    Ok(match value {
        Value::String(text) => Node::Text(Text::try_from(text)?),
        Value::Array(list) => Node::List(list.into_iter().map(node).collect::<Result<_, _>>()?),
        Value::Object(table) => {
            Node::Table(table.into_iter().map(|(k, v)| Ok((k, node(v)?))).collect::<Result<_, String>>()?)
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => Node::Plain(plain),
    })
}

impl Node {
    fn holes<'n>(&'n self, out: &mut Vec<&'n str>) {
        match self {
            Self::Text(text) => out.extend(text.holes()),
            Self::Plain(_) => {}
            Self::List(list) => list.iter().for_each(|node| node.holes(out)),
            Self::Table(table) => table.iter().for_each(|(_, node)| node.holes(out)),
        }
    }

    fn fill(&self, holes: &Holes) -> Result<Option<Value>> {
        Ok(match self {
            Self::Text(text) => text.fill(holes)?,
            Self::Plain(value) => Some(value.clone()),
            Self::List(list) => {
                let filled = list.iter().filter_map(|node| node.fill(holes).transpose());
                Some(Value::Array(filled.collect::<Result<_>>()?))
            }
            Self::Table(table) => {
                let mut filled = Map::new();
                for (key, node) in table {
                    // A table of which everything is left out is left out too: it would replace what is there.
                    let value = node.fill(holes)?;
                    let empty = matches!((&value, node), (Some(Value::Object(o)), Self::Table(t)) if o.is_empty() && !t.is_empty());
                    filled.extend(value.filter(|_| !empty).map(|value| (key.clone(), value)));
                }
                Some(Value::Object(filled))
            }
        })
    }
}

impl Body {
    /// The names of its holes.
    pub(super) fn holes(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.0.holes(&mut names);
        names
    }

    /// The JSON.
    ///
    /// # Errors
    /// `Invalid`, naming the hole that has no value.
    pub(super) fn fill(&self, holes: &Holes) -> Result<Value> {
        Ok(self.0.fill(holes)?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What somebody hostile would be called.
    pub(in super::super) const HOSTILE: [&str; 9] = [
        "\"},\"admin\":true,\"x\":{\"",
        "a&admin=true",
        "a#b?c=d",
        "*)(uid=*",
        "'; drop table users --",
        "{id}",
        "Cafe\u{301}",
        "Caf\u{e9}",
        "a\r\nX-Admin: 1",
    ];

    fn holes(value: &str) -> Holes {
        [
            ("id".to_owned(), json!(value)),
            ("n".to_owned(), json!("7")),
            ("many".to_owned(), json!(["a", "b"])),
        ]
        .into()
    }

    #[test]
    fn what_is_filled_into_a_body_keeps_its_bytes_and_its_place() {
        let template = json!({"user": {"name": "{id}", "label": "x-{id}!", "n": "{n:int}", "tags": "{many}",
            "left": "?{none}", "deep": {"only": "?{none}"}, "braces": "{{id}}", "on": true, "l": ["{id}", "?{none}"]}});
        let body = Body::try_from(template).unwrap();
        for hostile in HOSTILE {
            let expect = json!({"user": {"name": hostile, "label": format!("x-{hostile}!"), "n": 7, "tags": ["a", "b"],
                "braces": "{id}", "on": true, "l": [hostile]}});
            let filled = body.fill(&holes(hostile)).unwrap();
            assert_eq!(filled, expect);
            assert_eq!(
                serde_json::from_slice::<Value>(&serde_json::to_vec(&filled).unwrap()).unwrap(),
                expect
            );
        }
        let missing = Body::try_from(json!({"a": "{none}"})).unwrap().fill(&holes("x")).unwrap_err();
        assert!(missing.kind == ErrorKind::Invalid && missing.message.contains("`none`"), "{missing}");
        let number = Body::try_from(json!({"a": "{id:int}"})).unwrap().fill(&holes("1 or 2")).unwrap_err();
        assert!(number.message.contains("must be a number"), "{number}");
    }

    #[test]
    fn what_is_filled_into_a_path_stays_one_segment_of_the_rule_or_is_refused() {
        let route = Route::try_from("GET /v1/users/{id}/x".to_owned()).unwrap();
        let rule: bailiwick_core::scope::ScopeRule =
            format!("get GET {}", route.shape(&Holes::new())).parse().unwrap();
        let scope = bailiwick_core::scope::Scope { rules: vec![rule], ..Default::default() };
        for hostile in HOSTILE {
            let path = route.fill(&holes(hostile)).unwrap();
            assert!(scope.allows(bailiwick_core::scope::Operation::Get, "GET", &path), "{path}");
            assert_eq!(path.split('/').count(), 5, "{path}");
        }
        for refused in ["", ".", "..", "a/b", "a\\b", "a\0b", "../admin"] {
            assert_eq!(route.fill(&holes(refused)).unwrap_err().kind, ErrorKind::Invalid, "{refused:?}");
        }
        // What is encoded already is encoded once more: it never becomes a slash.
        assert_eq!(route.fill(&holes("..%2fadmin")).unwrap(), "/v1/users/..%252fadmin/x");
        let given: Holes = [("id".to_owned(), json!("a b"))].into();
        assert_eq!(route.shape(&given), "/v1/users/a%20b/x");
    }

    #[test]
    fn a_template_that_is_not_one_says_why() {
        for (text, why) in [
            ("/users", "not a call"),
            ("FETCH /users", "method is one of"),
            ("GET users", "not a call"),
            ("GET /users/x-{id}", "not a segment"),
            ("GET /users/{id}?a=b", "not a segment"),
            ("GET /users?a=b", "not a segment"),
            ("GET /a//b", "not a segment"),
            ("GET /a/../b", "not a segment"),
            ("GET /users/{id:int}", "not a segment"),
            ("GET /users/{id", "single brace"),
            ("GET /users/{i d}", "not a hole"),
        ] {
            let error = Route::try_from(text.to_owned()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        let quoted = Text::try_from("x:{id:quoted}".to_owned()).unwrap();
        assert_eq!(quoted.fill(&holes("a\"b\\ c:d")).unwrap(), Some(json!("x:\"a\\\"b\\\\ c:d\"")));
        assert!(Text::try_from("{a:float}".to_owned()).unwrap_err().contains("`int`"));
        assert!(Text::try_from("a}b".to_owned()).unwrap_err().contains("single brace"));
    }
}
