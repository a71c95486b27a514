//! What a row says of a person.

use std::{borrow::Cow, collections::BTreeSet};

use bailiwick_connector::{ConnectorError, ErrorKind, Object, ObjectState, ObjectValue, Result};
use bailiwick_core::{policy::AttributeType, time::Date};

use super::{feed::Row, settings::Settings};

/// Which column is what.
pub(super) struct Layout<'s> {
    settings: &'s Settings,
    width: usize,
    key: usize,
    name: Option<usize>,
    columns: Vec<(&'s str, usize, AttributeType)>,
    start: Option<usize>,
    end: Option<usize>,
    zone: Option<usize>,
    status: Option<usize>,
}

impl<'s> Layout<'s> {
    /// Finds the columns that the settings name in the header.
    pub(super) fn of(header: &Row<'_>, settings: &'s Settings) -> Result<Self> {
        let heads: Vec<&str> = header.cells.iter().map(|cell| cell.trim()).collect();
        let find = |column: &str| {
            let mut places =
                heads.iter().enumerate().filter(|(_, head)| **head == column).map(|(place, _)| place);
            let (code, problem) = match (places.next(), places.next()) {
                (Some(place), None) => return Ok(place),
                (Some(_), Some(_)) => {
                    ("feed-double-column", format!("has the column `{column}` more than once"))
                }
                (None, _) => ("feed-missing-column", format!("has no column `{column}`")),
            };
            let shown: Vec<String> = heads.iter().map(|head| format!("`{head}`")).collect();
            let message =
                format!("`{}`: the header {problem}; its columns are {}", settings.file, shown.join(", "));
            Err(ConnectorError::none(ErrorKind::Malformed, message).with_detail(code))
        };
        let maybe = |column: &Option<String>| column.as_deref().map(find).transpose();
        let columns =
            settings.columns.iter().map(|(name, (column, kind))| Ok((name.as_str(), find(column)?, *kind)));
        Ok(Self {
            settings,
            width: heads.len(),
            key: find(&settings.key)?,
            name: maybe(&settings.name)?,
            columns: columns.collect::<Result<_>>()?,
            start: maybe(&settings.start)?,
            end: maybe(&settings.end)?,
            zone: maybe(&settings.zone_column)?,
            status: maybe(&settings.status)?,
        })
    }

    /// The person that a row describes.
    pub(super) fn person<'r>(&self, row: &'r Row<'_>) -> Result<Object<'r>> {
        if row.cells.len() != self.width {
            let problem = format!("has {} cells, and the header has {}", row.cells.len(), self.width);
            return Err(self.fault(row, "feed-ragged-row", &problem));
        }
        let cell = |at: usize| {
            Some(row.cells[at].as_ref()).filter(|text| !self.settings.null_values.contains(*text))
        };
        let key = cell(self.key).unwrap_or_default();
        let mut attributes: Vec<(Cow<'r, str>, ObjectValue<'r>)> = Vec::with_capacity(self.columns.len() + 4);
        for (name, at, kind) in &self.columns {
            let value = match cell(*at) {
                Some(text) => self.value(text, *kind).map_err(|what| self.misfit(row, name, text, what))?,
                None => ObjectValue::Null,
            };
            attributes.push((Cow::Owned((*name).to_owned()), value));
        }
        for (name, at) in [("start", self.start), ("end", self.end)] {
            let Some(at) = at else { continue };
            let value = match cell(at) {
                Some(text) => self.day(text).map_err(|what| self.misfit(row, name, text, what))?,
                None => ObjectValue::Null,
            };
            attributes.push((Cow::Borrowed(name), value));
        }
        let zone = self.zone.and_then(cell).map(Cow::Borrowed);
        if let Some(zone) = zone.or_else(|| self.settings.zone.clone().map(Cow::Owned)) {
            attributes.push((Cow::Borrowed("zone"), ObjectValue::Text(zone)));
        }
        let mut state = ObjectState::Live;
        if let Some(at) = self.status {
            let text = row.cells[at].as_ref();
            if self.terminated(text).map_err(|what| self.misfit(row, "status", text, what))? {
                state = ObjectState::Blocked;
            }
            let status = if state == ObjectState::Blocked { "terminated" } else { "active" };
            attributes.push((Cow::Borrowed("status"), ObjectValue::Text(Cow::Borrowed(status))));
        }
        let name = self.name.and_then(cell).unwrap_or(key);
        Ok(Object {
            id: Cow::Borrowed(key),
            name: Cow::Borrowed(name),
            state,
            attributes,
            ..Object::default()
        })
    }

    fn value<'r>(&self, text: &'r str, kind: AttributeType) -> Result<ObjectValue<'r>, String> {
        Ok(match kind {
            AttributeType::Text => ObjectValue::Text(Cow::Borrowed(text)),
            AttributeType::Number => {
                let number: i64 = text.trim().parse().map_err(|_| "is not a whole number")?;
                ObjectValue::Text(Cow::Owned(number.to_string()))
            }
            AttributeType::Flag => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "y" | "1" => ObjectValue::Flag(true),
                "false" | "no" | "n" | "0" => ObjectValue::Flag(false),
                _ => return Err("is neither yes nor no".into()),
            },
            AttributeType::TextSet => {
                let parts =
                    text.split(self.settings.separator).map(str::trim).filter(|part| !part.is_empty());
                let set: BTreeSet<&str> = parts.collect();
                ObjectValue::Many(set.into_iter().map(Cow::Borrowed).collect())
            }
            AttributeType::Date => self.day(text)?,
        })
    }

    fn day<'r>(&self, text: &str) -> Result<ObjectValue<'r>, String> {
        let day = Date::strptime(&self.settings.date_format, text.trim());
        let day = day.map_err(|_| format!("is not a date of the form `{}`", self.settings.date_format))?;
        Ok(ObjectValue::Text(Cow::Owned(day.to_string())))
    }

    fn terminated(&self, text: &str) -> Result<bool, String> {
        let text = text.trim();
        if self.settings.terminated.contains(text) {
            return Ok(true);
        }
        match &self.settings.active {
            Some(active) if !active.contains(text) => {
                Err("is neither one of `active` nor one of `terminated`".into())
            }
            Some(_) | None => Ok(false),
        }
    }

    fn misfit(&self, row: &Row<'_>, name: &str, text: &str, problem: String) -> ConnectorError {
        self.fault(row, "feed-bad-value", &format!("has `{text}` for `{name}`, which {problem}"))
    }

    fn fault(&self, row: &Row<'_>, code: &'static str, problem: &str) -> ConnectorError {
        let message = format!("`{}`: line {} {problem}", self.settings.file, row.line);
        ConnectorError::none(ErrorKind::Malformed, message).with_detail(code)
    }
}
