//! The statements that an integration may have executed, by name: the texts are here and nowhere else, so
//! that what a scope certifies by name is what the database is sent. Each says what operations it may be
//! executed for, so that a rule of a scope cannot have one that ends sessions stand behind `list`: a database
//! lets some of what changes the world be done also where nothing can be written.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::scope::Operation;
use serde_json::Value;

use super::text::Text;
use crate::{ConnectorError, ErrorKind, Result};

/// Statements by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statements(BTreeMap<String, Declared>);

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declared {
    /// What it may be executed for.
    pub(super) operations: BTreeSet<Operation>,
    /// What is executed, in this order.
    pub(super) texts: Vec<Text>,
}

/// What a statement looks like.
const FORM: &str = "write `{ operations = [\"get\"], text = \"SELECT …\" }`";

impl Statements {
    /// Reads a table of `NAME = { operations = [OPERATION, …], text = "…" }`, or with `text = ["…", …]` for
    /// texts that are executed in order in one transaction; the last one's rows are the answer. Parameters
    /// are written `:name`.
    ///
    /// # Errors
    /// `Settings`, naming `statements.NAME` and what is wrong with it.
    pub fn parse(table: &Value) -> Result<Self> {
        let table = match table {
            Value::Null => return Ok(Self::default()),
            Value::Object(table) => table,
            _ => return Err(ConnectorError::none(ErrorKind::Settings, "setting `statements`: not a table")),
        };
        let statement = |(name, said): (&String, &Value)| {
            let read = declared(name, said).map_err(|why| {
                ConnectorError::none(ErrorKind::Settings, format!("setting `statements.{name}`: {why}"))
            })?;
            Ok((name.clone(), read))
        };
        table.iter().map(statement).collect::<Result<_>>().map(Self)
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The parameters that a statement has; `None` when there is no such statement.
    pub fn parameters(&self, name: &str) -> Option<BTreeSet<&str>> {
        let Declared { texts, .. } = self.0.get(name)?;
        Some(texts.iter().flat_map(|text| text.parameters.iter().map(String::as_str)).collect())
    }

    /// The operations that a statement may be executed for; `None` when there is no such statement.
    pub fn operations(&self, name: &str) -> Option<&BTreeSet<Operation>> {
        self.0.get(name).map(|declared| &declared.operations)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Declared> {
        self.0.get(name)
    }
}

/// Operations, as people read them.
pub(super) fn listed(operations: &BTreeSet<Operation>) -> String {
    operations.iter().map(|operation| operation.as_str()).collect::<Vec<_>>().join(", ")
}

fn declared(name: &str, said: &Value) -> Result<Declared, String> {
    // What a scope rule can name.
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_:".contains(&b)) {
        return Err("a name is letters, digits, `-`, `_` and `:`".to_owned());
    }
    let table = said.as_object().ok_or_else(|| format!("it does not say what it is for; {FORM}"))?;
    if let Some(unknown) = table.keys().find(|key| !matches!(key.as_str(), "operations" | "text")) {
        return Err(format!("there is no `{unknown}`; {FORM}"));
    }
    let operation = |value: &Value| {
        let known = Operation::ALL.into_iter().find(|known| Some(known.as_str()) == value.as_str());
        let names = || Operation::ALL.map(Operation::as_str).join(", ");
        known.ok_or_else(|| format!("`operations`: {value} is not one of {}", names()))
    };
    let operations = table.get("operations").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let operations = operations.iter().map(operation).collect::<Result<BTreeSet<_>, _>>()?;
    if operations.is_empty() {
        return Err(format!("it does not say what it is for; {FORM}"));
    }
    if operations.iter().any(|operation| operation.reads())
        && operations.iter().any(|operation| !operation.reads())
    {
        return Err(format!("it is for {}: what reads is a statement of its own", listed(&operations)));
    }
    let texts = match table.get("text") {
        Some(Value::Array(texts)) if !texts.is_empty() => &texts[..],
        Some(one) => std::slice::from_ref(one),
        None => return Err(format!("it has no `text`; {FORM}")),
    };
    let read = |text: &Value| match text.as_str() {
        Some(text) => Text::parse(text).map_err(str::to_owned),
        None => Err("`text` is a text, or a list of texts".to_owned()),
    };
    Ok(Declared { operations, texts: texts.iter().map(read).collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn statements_have_names_operations_and_parameters() {
        let table = json!({
            "get": {"operations": ["get", "list"], "text": "SELECT :id"},
            "create": {"operations": ["create"], "text": ["SELECT :name", "SELECT :id, :name"]},
        });
        let statements = Statements::parse(&table).unwrap();
        assert_eq!(statements.names().collect::<Vec<_>>(), ["create", "get"]);
        assert_eq!(statements.parameters("create"), Some(["id", "name"].into()));
        assert_eq!(statements.operations("get"), Some(&[Operation::List, Operation::Get].into()));
        assert_eq!((statements.parameters("drop"), statements.operations("drop")), (None, None));
        assert_eq!(Statements::parse(&Value::Null).unwrap(), Statements::default());
    }

    #[test]
    fn every_error_names_the_statement() {
        let of = |operations: Value, text: Value| json!({"get": {"operations": operations, "text": text}});
        let get = || json!(["get"]);
        for (table, names, why) in [
            (json!([]), "`statements`", "not a table"),
            (json!({"a b": {"operations": ["get"], "text": "SELECT 1"}}), "`statements.a b`", "a name is"),
            (json!({"": {"operations": ["get"], "text": "SELECT 1"}}), "`statements.`", "a name is"),
            (json!({"get": "SELECT 1"}), "`statements.get`", "what it is for"),
            (json!({"get": {"text": "SELECT 1"}}), "`statements.get`", "what it is for"),
            (json!({"get": {"operations": ["get"]}}), "`statements.get`", "no `text`"),
            (of(json!([]), json!("SELECT 1")), "`statements.get`", "what it is for"),
            (of(json!("get"), json!("SELECT 1")), "`statements.get`", "what it is for"),
            (of(json!(["read"]), json!("SELECT 1")), "`statements.get`", "\"read\" is not one of"),
            (of(json!(["list", "revoke"]), json!("SELECT 1")), "`statements.get`", "what reads"),
            (of(get(), json!(1)), "`statements.get`", "`text` is"),
            (of(get(), json!([])), "`statements.get`", "`text` is"),
            (of(get(), json!(["SELECT 1", "SELECT 1; SELECT 2"])), "`statements.get`", "more than one"),
            (
                json!({"get": {"operations": ["get"], "text": "SELECT 1", "op": 1}}),
                "`statements.get`",
                "no `op`",
            ),
        ] {
            let error = Statements::parse(&table).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Settings);
            assert!(error.message.contains(names) && error.message.contains(why), "{table}: {error}");
        }
    }
}
