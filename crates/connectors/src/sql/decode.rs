//! Rows as objects.
//!
//! A column is known by its name: `id`, `name`, `marker`, `active`, `expired`, `version`, `groups`,
//! `members`; every other is an attribute of its name, and so is `name`. An id is text or a whole number.
//! In SQLite 0 and 1 are no and yes, and a JSON list of texts is several texts, where that is expected.

use std::{borrow::Cow, collections::BTreeMap};

use bailiwick_connector::{
    ConnectorError, ErrorKind, Object, ObjectState, ObjectValue, Result,
    broker::{Cell, Rows},
};

use super::settings::Kind;

/// A row that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) object: Object<'static>,
    /// Its password is not accepted any more; other ways in may be.
    pub(super) expired: bool,
}

pub(super) fn malformed(why: impl Into<String>) -> ConnectorError {
    ConnectorError::none(ErrorKind::Malformed, why.into())
}

/// All rows of an answer. No id may be there twice.
pub(super) fn objects(rows: &Rows, kinds: &BTreeMap<String, Kind>, what: &str) -> Result<Vec<Seen>> {
    let mut seen: Vec<Seen> = Vec::with_capacity(rows.len());
    let mut ids = std::collections::BTreeSet::new();
    for row in rows.iter() {
        let one = object(row, kinds).map_err(|why| malformed(format!("`{what}`: {why}")))?;
        if !ids.insert(one.object.id.to_string()) {
            return Err(malformed(format!("`{what}`: the id `{}` is there twice", one.object.id)));
        }
        seen.push(one);
    }
    Ok(seen)
}

fn object<'r>(
    row: impl Iterator<Item = (&'r str, &'r Cell)>,
    kinds: &BTreeMap<String, Kind>,
) -> Result<Seen, String> {
    let mut object = Object::default();
    let mut expired = false;
    for (column, cell) in row {
        let bad = |expected: &str| Err(format!("column `{column}` is not {expected}: {}", kind(cell)));
        match column {
            "id" => match text(cell) {
                Some(id) if !id.is_empty() => object.id = id,
                _ => return bad("an id"),
            },
            "marker" => match cell {
                Cell::Null => {}
                Cell::Text(marker) => object.marker = Some(Cow::Owned(marker.clone())),
                Cell::Number(_) | Cell::Flag(_) | Cell::Many(_) => return bad("a text"),
            },
            "version" => match (cell, text(cell)) {
                (Cell::Null, _) => {}
                (_, Some(version)) => object.version = Some(version),
                (_, None) => return bad("a text or a whole number"),
            },
            "active" => match flag(cell) {
                Some(true) => {}
                Some(false) => object.state = ObjectState::Blocked,
                None => return bad("yes or no"),
            },
            "expired" => match flag(cell) {
                Some(is) => expired = is,
                None => return bad("yes or no"),
            },
            "groups" | "members" => match many(cell) {
                Some(links) => object.links = links.into_iter().map(Cow::Owned).collect(),
                None => return bad("several texts"),
            },
            _ => {
                if column == "name" {
                    match text(cell) {
                        Some(name) => object.name = name,
                        None => return bad("a name"),
                    }
                }
                let value = value(cell, kinds.get(column).copied().unwrap_or(Kind::Text));
                match value {
                    Some(value) => object.attributes.push((Cow::Owned(column.to_owned()), value)),
                    None => return bad("what `attributes` says"),
                }
            }
        }
    }
    if object.id.is_empty() {
        return Err("there is no column `id`".to_owned());
    }
    if object.name.is_empty() {
        object.name = object.id.clone();
    }
    Ok(Seen { object, expired })
}

fn kind(cell: &Cell) -> &'static str {
    match cell {
        Cell::Null => "nothing",
        Cell::Text(_) => "a text",
        Cell::Number(_) => "a number",
        Cell::Flag(_) => "yes or no",
        Cell::Many(_) => "several texts",
    }
}

/// An id or a name; `None` for what cannot be one.
pub(super) fn text(cell: &Cell) -> Option<Cow<'static, str>> {
    match cell {
        Cell::Text(text) => Some(Cow::Owned(text.clone())),
        Cell::Number(number) => Some(Cow::Owned(number.to_string())),
        Cell::Null | Cell::Flag(_) | Cell::Many(_) => None,
    }
}

pub(super) fn flag(cell: &Cell) -> Option<bool> {
    match cell {
        Cell::Flag(flag) => Some(*flag),
        Cell::Number(0) => Some(false),
        Cell::Number(1) => Some(true),
        Cell::Null | Cell::Text(_) | Cell::Number(_) | Cell::Many(_) => None,
    }
}

fn many(cell: &Cell) -> Option<Vec<String>> {
    match cell {
        Cell::Null => Some(Vec::new()),
        Cell::Many(many) => Some(many.clone()),
        Cell::Text(list) => {
            let items: Vec<serde_json::Value> = serde_json::from_str(list).ok()?;
            let item = |item| match item {
                serde_json::Value::String(text) => Some(text),
                serde_json::Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
            items.into_iter().map(item).collect()
        }
        Cell::Number(_) | Cell::Flag(_) => None,
    }
}

fn value(cell: &Cell, kind: Kind) -> Option<ObjectValue<'static>> {
    match (cell, kind) {
        (Cell::Null, _) => Some(ObjectValue::Null),
        (Cell::Flag(flag), _) => Some(ObjectValue::Flag(*flag)),
        (cell, Kind::Flag) => flag(cell).map(ObjectValue::Flag),
        (Cell::Many(_), _) | (_, Kind::Many) => {
            many(cell).map(|many| ObjectValue::Many(many.into_iter().map(Cow::Owned).collect()))
        }
        (cell, Kind::Text) => text(cell).map(ObjectValue::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(row: &[(&str, Cell)]) -> Result<Seen, String> {
        let kinds = [("admin".to_owned(), Kind::Flag), ("tags".to_owned(), Kind::Many)].into();
        object(row.iter().map(|(name, cell)| (*name, cell)), &kinds)
    }

    fn t(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn columns_are_known_by_their_names() {
        let seen = read(&[
            ("id", Cell::Number(7)),
            ("name", t("ann")),
            ("marker", t("hr/1")),
            ("active", Cell::Number(0)),
            ("expired", Cell::Flag(true)),
            ("version", Cell::Number(3)),
            ("groups", t("[1,\"b\"]")),
            ("email", Cell::Null),
            ("admin", Cell::Number(1)),
            ("tags", t("[\"x\"]")),
            ("floor", Cell::Number(4)),
        ])
        .unwrap();
        let object = Object {
            id: "7".into(),
            name: "ann".into(),
            marker: Some("hr/1".into()),
            state: ObjectState::Blocked,
            version: Some("3".into()),
            purges_at: None,
            attributes: vec![
                ("name".into(), ObjectValue::Text("ann".into())),
                ("email".into(), ObjectValue::Null),
                ("admin".into(), ObjectValue::Flag(true)),
                ("tags".into(), ObjectValue::Many(vec!["x".into()])),
                ("floor".into(), ObjectValue::Text("4".into())),
            ],
            links: vec!["1".into(), "b".into()],
        };
        assert_eq!(seen, Seen { object, expired: true });
        assert_eq!(read(&[("id", t("x"))]).unwrap().object.name, "x");
    }

    #[test]
    fn a_row_that_is_not_understood_names_its_column() {
        for (row, names) in [
            (vec![], "`id`"),
            (vec![("id", Cell::Null)], "`id`"),
            (vec![("id", t(""))], "`id`"),
            (vec![("id", t("1")), ("name", Cell::Null)], "`name`"),
            (vec![("id", t("1")), ("active", t("yes"))], "`active`"),
            (vec![("id", t("1")), ("active", Cell::Null)], "`active`"),
            (vec![("id", t("1")), ("active", Cell::Number(2))], "`active`"),
            (vec![("id", t("1")), ("members", t("a,b"))], "`members`"),
            (vec![("id", t("1")), ("members", t("[{}]"))], "`members`"),
            (vec![("id", t("1")), ("marker", Cell::Number(1))], "`marker`"),
            (vec![("id", t("1")), ("admin", t("x"))], "`admin`"),
        ] {
            let error = read(&row).unwrap_err();
            assert!(error.contains(names), "{row:?}: {error}");
        }
    }
}
