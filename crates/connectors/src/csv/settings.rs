//! What configuration may say of a file.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `file` | its name in the endpoint's folder | `feed.csv` |
//! | `key` | the column with the immutable key | must be said |
//! | `name` | the column with what people are called | the key |
//! | `columns` | attribute → column | none |
//! | `types` | attribute → `text`, `number`, `flag`, `text-set`, `date` | `text` |
//! | `separator` | between the texts of a `text-set` | `;`, or `,` where `;` is the delimiter |
//! | `start`, `end` | the columns with the first and the last day | none |
//! | `zone_column` | the column with the IANA zone of the days | none |
//! | `zone` | the zone where the column is empty or absent | the source contract's |
//! | `date_format` | as in strftime, `%d.%m.%Y` | `%Y-%m-%d` |
//! | `status` | the column that says whether somebody has left | none |
//! | `terminated` | its values that say so | `terminated` |
//! | `active` | its values that say that not; when given, no others are accepted | any other |
//! | `encoding` | WHATWG label; a byte order mark overrules it | `utf-8` |
//! | `delimiter` | one ASCII character | `,` |
//! | `null_values` | cells that mean empty | the empty cell |

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_connector::{ConnectorError, ErrorKind, Result};
use bailiwick_core::policy::AttributeType;
use jiff::{civil::Date, tz::TimeZone};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::feed::Charset;

/// Attributes with a meaning of their own; `columns` cannot take their names.
pub(super) const CONVENTIONAL: [&str; 4] = ["start", "end", "zone", "status"];

const NAMES: [&str; 16] = [
    "file",
    "key",
    "name",
    "columns",
    "types",
    "separator",
    "start",
    "end",
    "zone_column",
    "zone",
    "date_format",
    "status",
    "terminated",
    "active",
    "encoding",
    "delimiter",
];

pub(super) struct Settings {
    pub(super) file: String,
    pub(super) key: String,
    pub(super) name: Option<String>,
    pub(super) columns: BTreeMap<String, (String, AttributeType)>,
    pub(super) separator: char,
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
    pub(super) zone_column: Option<String>,
    pub(super) zone: Option<String>,
    pub(super) date_format: String,
    pub(super) status: Option<String>,
    pub(super) terminated: BTreeSet<String>,
    pub(super) active: Option<BTreeSet<String>>,
    pub(super) charset: Charset,
    pub(super) delimiter: u8,
    pub(super) null_values: BTreeSet<String>,
}

impl Settings {
    pub(super) fn read(settings: &Value) -> Result<Self> {
        let mut given = match settings {
            Value::Object(map) => map.clone(),
            Value::Null => Map::new(),
            _ => return Err(bad("settings", "is not a table of settings")),
        };
        let delimiter =
            delimiter(&take::<Option<String>>(&mut given, "delimiter")?.unwrap_or_else(|| ",".into()))?;
        let label = take::<Option<String>>(&mut given, "encoding")?.unwrap_or_else(|| "utf-8".into());
        let charset = Charset::of(&label, delimiter).map_err(|problem| bad("encoding", &problem))?;
        let separator = take::<Option<char>>(&mut given, "separator")?;
        let this = Self {
            file: take::<Option<String>>(&mut given, "file")?.unwrap_or_else(|| "feed.csv".into()),
            key: take::<Option<String>>(&mut given, "key")?
                .ok_or_else(|| bad("key", "is missing; name the column with the immutable key"))?,
            name: take(&mut given, "name")?,
            columns: columns(&mut given)?,
            separator: separator.unwrap_or(if delimiter == b';' { ',' } else { ';' }),
            start: take(&mut given, "start")?,
            end: take(&mut given, "end")?,
            zone_column: take(&mut given, "zone_column")?,
            zone: take(&mut given, "zone")?,
            date_format: take::<Option<String>>(&mut given, "date_format")?
                .unwrap_or_else(|| "%Y-%m-%d".into()),
            status: take(&mut given, "status")?,
            terminated: take::<Option<_>>(&mut given, "terminated")?
                .unwrap_or_else(|| ["terminated".into()].into()),
            active: take(&mut given, "active")?,
            null_values: take::<Option<_>>(&mut given, "null_values")?
                .unwrap_or_else(|| [String::new()].into()),
            charset,
            delimiter,
        };
        if let Some(name) = given.keys().next() {
            let problem =
                format!("does not exist; the settings of `csv` are {}, null_values", NAMES.join(", "));
            return Err(bad(name, &problem));
        }
        this.check()?;
        Ok(this)
    }

    fn check(&self) -> Result<()> {
        if self.file.split('/').any(|part| matches!(part, "" | "." | "..")) || self.file.contains('\0') {
            return Err(bad("file", "is not the name of a file in the endpoint's folder"));
        }
        if let Some(zone) = &self.zone
            && TimeZone::get(zone).is_err()
        {
            return Err(bad(
                "zone",
                &format!("has `{zone}`, which is not a time zone; use an IANA name such as `Europe/Berlin`"),
            ));
        }
        // A format is good when a day that was printed with it reads back as the same day.
        let day = Date::constant(2026, 11, 21);
        let printed = jiff::fmt::strtime::format(&self.date_format, day);
        if printed.ok().and_then(|text| Date::strptime(&self.date_format, text).ok()) != Some(day) {
            let problem = format!(
                "has `{}`, which does not tell year, month and day; an example is `%d.%m.%Y`",
                self.date_format
            );
            return Err(bad("date_format", &problem));
        }
        if let Some(both) = self.active.iter().flatten().find(|value| self.terminated.contains(*value)) {
            return Err(bad("active", &format!("and `terminated` both have `{both}`")));
        }
        Ok(())
    }
}

fn columns(given: &mut Map<String, Value>) -> Result<BTreeMap<String, (String, AttributeType)>> {
    let columns: BTreeMap<String, String> = take::<Option<_>>(given, "columns")?.unwrap_or_default();
    let types: BTreeMap<String, AttributeType> = take::<Option<_>>(given, "types")?.unwrap_or_default();
    if let Some(name) = types.keys().find(|name| !columns.contains_key(*name)) {
        return Err(bad("types", &format!("has `{name}`, which `columns` has not")));
    }
    if let Some(name) = columns.keys().find(|name| CONVENTIONAL.contains(&name.as_str())) {
        return Err(bad("columns", &format!("has `{name}`, which has a setting of its own")));
    }
    let typed = |name: &str| types.get(name).copied().unwrap_or(AttributeType::Text);
    Ok(columns.into_iter().map(|(name, column)| (name.clone(), (column, typed(&name)))).collect())
}

fn delimiter(text: &str) -> Result<u8> {
    match text.as_bytes() {
        [one] if one.is_ascii_punctuation() && *one != b'"' || matches!(one, b'\t' | b' ') => Ok(*one),
        _ => Err(bad(
            "delimiter",
            &format!("has `{text}`; it is one ASCII character that is no letter, digit or quote"),
        )),
    }
}

fn take<T: DeserializeOwned>(given: &mut Map<String, Value>, name: &str) -> Result<T> {
    let value = given.remove(name).unwrap_or(Value::Null);
    serde_json::from_value(value).map_err(|e| bad(name, &format!("is not as expected: {e}")))
}

fn bad(name: &str, problem: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Settings, format!("csv: the setting `{name}` {problem}"))
}
