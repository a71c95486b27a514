//! The statements that an integration may have executed, by name: the texts are here and nowhere else, so
//! that what a scope certifies by name is what the database is sent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::text::Text;
use crate::{ConnectorError, ErrorKind, Result};

/// Statements by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statements(BTreeMap<String, Vec<Text>>);

impl Statements {
    /// Reads a table of `NAME = "text"`, or `NAME = ["text", …]` for texts that are executed in order in
    /// one transaction; the last one's rows are the answer. Parameters are written `:name`.
    ///
    /// # Errors
    /// `Settings`, naming `statements.NAME` and what is wrong with it.
    pub fn parse(table: &Value) -> Result<Self> {
        let wrong = |name: &str, why: &str| {
            ConnectorError::none(ErrorKind::Settings, format!("setting `statements.{name}`: {why}"))
        };
        let table = match table {
            Value::Null => return Ok(Self::default()),
            Value::Object(table) => table,
            _ => return Err(ConnectorError::none(ErrorKind::Settings, "setting `statements`: not a table")),
        };
        let statement = |(name, texts): (&String, &Value)| {
            // What a scope rule can name.
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_:".contains(&b)) {
                return Err(wrong(name, "a name is letters, digits, `-`, `_` and `:`"));
            }
            let texts = match texts {
                Value::Array(texts) if !texts.is_empty() => &texts[..],
                one => std::slice::from_ref(one),
            };
            let read = |text: &Value| {
                let text = text.as_str().ok_or_else(|| wrong(name, "it is a text, or a list of texts"))?;
                Text::parse(text).map_err(|why| wrong(name, why))
            };
            Ok((name.clone(), texts.iter().map(read).collect::<Result<_>>()?))
        };
        table.iter().map(statement).collect::<Result<_>>().map(Self)
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The parameters that a statement has; `None` when there is no such statement.
    pub fn parameters(&self, name: &str) -> Option<BTreeSet<&str>> {
        let texts = self.0.get(name)?;
        Some(texts.iter().flat_map(|text| text.parameters.iter().map(String::as_str)).collect())
    }

    pub(super) fn texts(&self, name: &str) -> Option<&[Text]> {
        self.0.get(name).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_have_names_and_parameters() {
        let table = json!({"get": "SELECT :id", "create": ["SELECT :name", "SELECT :id, :name"]});
        let statements = Statements::parse(&table).unwrap();
        assert_eq!(statements.names().collect::<Vec<_>>(), ["create", "get"]);
        assert_eq!(statements.parameters("create"), Some(["id", "name"].into()));
        assert_eq!(statements.parameters("drop"), None);
        assert_eq!(Statements::parse(&Value::Null).unwrap(), Statements::default());
    }

    #[test]
    fn every_error_names_the_statement() {
        for (table, names) in [
            (json!([]), "`statements`"),
            (json!({"a b": "SELECT 1"}), "`statements.a b`"),
            (json!({"": "SELECT 1"}), "`statements.`"),
            (json!({"get": 1}), "`statements.get`"),
            (json!({"get": []}), "`statements.get`"),
            (json!({"get": ["SELECT 1", "SELECT 1; SELECT 2"]}), "`statements.get`"),
        ] {
            let error = Statements::parse(&table).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Settings);
            assert!(error.message.contains(names), "{table}: {error}");
        }
    }
}
