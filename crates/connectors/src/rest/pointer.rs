//! Where something is in an answer: a JSON pointer (RFC 6901), in which `*` stands for every element of a list or
//! value of a table, or `header:NAME`.

use std::{borrow::Cow, fmt};

use bailiwick_connector::Answer;
use serde::Deserialize;
use serde_json::Value;

/// A place in a JSON document; the empty pointer is all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(Vec<String>);

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let rest = text.strip_prefix('/').ok_or_else(|| {
            format!(
                "`{text}` is not a JSON pointer; write `/name/inner`, or an empty text for the whole answer"
            )
        })?;
        Ok(Self(rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect()))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| write!(f, "/{}", part.replace('~', "~0").replace('/', "~1")))
    }
}

impl Pointer {
    /// What is there; of several, the first.
    pub(super) fn get<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        self.all(document).into_iter().next()
    }

    /// Everything that is there.
    pub(super) fn all<'v>(&self, document: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![document];
        for part in &self.0 {
            found = found.into_iter().flat_map(|value| step(value, part)).collect();
        }
        found
    }

    /// The text there; none if there is nothing, or something else.
    pub(super) fn text<'v>(&self, document: &'v Value) -> Option<Cow<'v, str>> {
        text(self.get(document)?)
    }
}

fn step<'v>(value: &'v Value, part: &str) -> Vec<&'v Value> {
    match value {
        Value::Object(members) if part == "*" && !members.contains_key("*") => members.values().collect(),
        Value::Object(members) => members.get(part).into_iter().collect(),
        Value::Array(elements) if part == "*" => elements.iter().collect(),
        Value::Array(elements) => {
            part.parse::<usize>().ok().and_then(|at| elements.get(at)).into_iter().collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

impl Pointer {
    /// The elements of the list there; none if there is no list. A pointer that ends in `*` is a list itself.
    pub(super) fn list<'v>(&self, document: &'v Value) -> Option<Vec<&'v Value>> {
        match self.0.last() {
            Some(last) if last == "*" => Some(self.all(document)),
            _ => Some(self.get(document)?.as_array()?.iter().collect()),
        }
    }
}

/// A text or a whole number as text.
pub(super) fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(Cow::Owned(number.to_string())),
        Value::Number(_) | Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A place in an answer: in its body or, as `header:NAME`, in its head.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Spot {
    /// In the body.
    Body(Pointer),
    /// A header, its name in lower case.
    Header(String),
}

impl TryFrom<String> for Spot {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.strip_prefix("header:") {
            Some(name) if !name.is_empty() => Ok(Self::Header(name.to_ascii_lowercase())),
            Some(_) => Err("`header:` needs the name of a header".into()),
            None => Pointer::try_from(text).map(Self::Body),
        }
    }
}

impl Spot {
    /// The text there; none if there is nothing, or an empty text.
    pub(super) fn text(&self, answer: &Answer, body: &Value) -> Option<String> {
        let found = match self {
            Self::Body(pointer) => pointer.text(body).map(Cow::into_owned),
            Self::Header(name) => answer.header(name).map(str::to_owned),
        };
        found.filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_finds_what_the_standard_says_and_every_element_by_a_star() {
        let document =
            json!({"a/b": 1, "m~n": 2, "": 3, "l": [{"id": "x"}, {"id": 7}, {"no": true}], "u": {"v": null}});
        for (pointer, expect) in [
            ("/a~1b", vec![json!(1)]),
            ("/m~0n", vec![json!(2)]),
            ("/", vec![json!(3)]),
            ("/l/1/id", vec![json!(7)]),
            ("/l/*/id", vec![json!("x"), json!(7)]),
            ("/l/9", vec![]),
            ("/u/v", vec![json!(null)]),
            ("/u/v/w", vec![]),
            ("", vec![document.clone()]),
        ] {
            let parsed = Pointer::try_from(pointer.to_owned()).unwrap();
            assert_eq!(parsed.all(&document).into_iter().cloned().collect::<Vec<_>>(), expect, "{pointer}");
            assert_eq!(parsed.to_string(), pointer);
        }
        assert!(Pointer::try_from("a".to_owned()).unwrap_err().contains("JSON pointer"));
        assert!(Spot::try_from("header:".to_owned()).is_err());
    }
}
