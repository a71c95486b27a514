//! What configuration may say. Every error names the setting.

use std::{collections::BTreeMap, fmt::Display};

use bailiwick_connector::{ConnectorError, ErrorKind, Result};
use bailiwick_core::access::AccessClass;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    decode::Mapping,
    held::{HeldApi, HeldSetting},
    path::{ENTERPRISE, ScimPath},
    people::{self, People, PeopleSetting},
};
use crate::audit::AuditApi;

/// How lists are paged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PagingSetting {
    /// By cursor if the system declares it, else by index.
    #[default]
    Auto,
    /// `startIndex` and `count` (RFC 7644 §3.4.2.4).
    Index,
    /// `cursor` and `count` (RFC 9865).
    Cursor,
}

/// How users are changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum UpdateSetting {
    /// By PATCH unless the system declares that it has none.
    #[default]
    Auto,
    /// By PATCH.
    Patch,
    /// By GET and PUT of the whole resource.
    Put,
}

/// The settings of a SCIM integration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    /// Path of the SCIM interface below the endpoint; empty or `/…` without a slash at the end.
    pub(super) base: String,
    pub(super) paging: PagingSetting,
    /// The largest page to ask for.
    pub(super) page_size: Option<u32>,
    pub(super) update: UpdateSetting,
    /// The header that carries the idempotency key, if the system honours one.
    pub(super) idempotency_header: Option<&'static str>,
    pub(super) mapping: Mapping,
    /// The attributes that the configuration names itself.
    pub(super) configured: Vec<String>,
    pub(super) read_lag_ms: u64,
    /// Whether the system has groups at all.
    pub(super) groups: bool,
    /// Access that SCIM has no words for.
    pub(super) held: BTreeMap<AccessClass, HeldApi>,
    /// The vendor's audit log.
    pub(super) audit: Option<AuditApi>,
    /// How its users are the people of a source; none where they are accounts.
    pub(super) people: Option<People>,
}

/// The attributes that are known without being configured.
const DEFAULTS: [(&str, &str); 6] = [
    ("userName", "userName"),
    ("displayName", "displayName"),
    ("givenName", "name.givenName"),
    ("familyName", "name.familyName"),
    ("email", "emails[type eq \"work\"].value"),
    ("title", "title"),
];

/// The same, of the enterprise extension.
const ENTERPRISE_DEFAULTS: [&str; 2] = ["department", "employeeNumber"];

/// The headers that an idempotency key may travel in; the wire wants a name that lives long enough.
const HEADERS: [&str; 2] = ["Idempotency-Key", "X-Idempotency-Key"];

fn wrong(setting: &str, why: impl Display) -> ConnectorError {
    ConnectorError::none(ErrorKind::Settings, format!("setting `{setting}`: {why}"))
}

fn take<T: DeserializeOwned>(settings: &mut Map<String, Value>, name: &str) -> Result<Option<T>> {
    let value = settings.remove(name);
    value.map(|value| serde_json::from_value(value).map_err(|error| wrong(name, error))).transpose()
}

impl Settings {
    /// Reads settings.
    ///
    /// # Errors
    /// `Settings`, naming the setting.
    pub(super) fn new(settings: &Value) -> Result<Self> {
        let mut settings = match settings {
            Value::Null => Map::new(),
            Value::Object(settings) => settings.clone(),
            _ => return Err(ConnectorError::none(ErrorKind::Settings, "the settings are not a table")),
        };
        let base: String = take(&mut settings, "base")?.unwrap_or_default();
        if !base.is_empty() && (!base.starts_with('/') || base.ends_with('/') || base.contains("//")) {
            return Err(wrong("base", format!("`{base}` must begin with `/` and not end with one")));
        }
        let page_size: Option<u32> = take(&mut settings, "page_size")?;
        if page_size == Some(0) {
            return Err(wrong("page_size", "a page has at least one object"));
        }
        let attributes: BTreeMap<String, String> = take(&mut settings, "attributes")?.unwrap_or_default();
        let configured = paths(attributes)?;
        let read = Self {
            base,
            paging: take(&mut settings, "paging")?.unwrap_or_default(),
            page_size,
            update: take(&mut settings, "update")?.unwrap_or_default(),
            idempotency_header: idempotency_header(take(&mut settings, "idempotency_header")?)?,
            configured: configured.keys().cloned().collect(),
            people: take(&mut settings, "people")?.map(|setting| people(setting, &configured)).transpose()?,
            mapping: mapping(configured)?,
            read_lag_ms: take(&mut settings, "read_lag_ms")?.unwrap_or_default(),
            groups: take(&mut settings, "groups")?.unwrap_or(true),
            held: held(take(&mut settings, "held")?.unwrap_or_default())?,
            audit: take(&mut settings, "audit")?.map(audit).transpose()?,
        };
        if read.people.is_some() && (!read.held.is_empty() || read.audit.is_some()) {
            return Err(wrong(
                "people",
                "where users are the people of a source, no `held` and no `audit` is read",
            ));
        }
        match settings.keys().next() {
            None => Ok(read),
            Some(unknown) => Err(wrong(
                unknown,
                "there is none of this name; there are base, paging, page_size, update, idempotency_header, \
                 attributes, read_lag_ms, groups, people, held and audit",
            )),
        }
    }
}

fn idempotency_header(name: Option<String>) -> Result<Option<&'static str>> {
    let Some(name) = name else { return Ok(None) };
    let known = HEADERS.into_iter().find(|known| known.eq_ignore_ascii_case(&name));
    known
        .map(Some)
        .ok_or_else(|| wrong("idempotency_header", format!("`{name}` is not one of {}", HEADERS.join(", "))))
}

/// Where attributes lie, by their names.
fn paths(texts: BTreeMap<String, String>) -> Result<BTreeMap<String, ScimPath>> {
    let path = |(name, text): (String, String)| {
        let setting = format!("attributes.{name}");
        if name == "active" {
            return Err(wrong(&setting, "an account is made usable and unusable, not given this attribute"));
        }
        let path: ScimPath = text.parse().map_err(|error| wrong(&setting, error))?;
        Ok((name, path))
    };
    texts.into_iter().map(path).collect()
}

fn people(setting: PeopleSetting, configured: &BTreeMap<String, ScimPath>) -> Result<People> {
    let mut all = paths(people::usual())?;
    all.extend(configured.clone());
    People::new(setting, all).map_err(|why| wrong("people.key", why))
}

fn mapping(configured: BTreeMap<String, ScimPath>) -> Result<Mapping> {
    let core = DEFAULTS.map(|(name, path)| (name.to_owned(), path.to_owned()));
    let extension = ENTERPRISE_DEFAULTS.map(|name| (name.to_owned(), format!("{ENTERPRISE}:{name}")));
    let mut all = paths(core.into_iter().chain(extension).collect())?;
    all.extend(configured);
    let mapping = Mapping::new(all);
    match mapping.user_name() {
        Some(_) => Ok(mapping),
        None => Err(wrong("attributes", "none of them is `userName`, which every account needs")),
    }
}

fn held(table: BTreeMap<String, Value>) -> Result<BTreeMap<AccessClass, HeldApi>> {
    let entry = |(name, value): (String, Value)| {
        let setting = format!("held.{name}");
        let class: AccessClass = name.parse().map_err(|error| wrong(&setting, error))?;
        if matches!(
            class,
            AccessClass::PrimaryAccount | AccessClass::DirectGroups | AccessClass::NestedGroups
        ) {
            return Err(wrong(&setting, "SCIM itself has this class"));
        }
        let read: HeldSetting = serde_json::from_value(value).map_err(|error| wrong(&setting, error))?;
        Ok((
            class,
            HeldApi::new(class, read).map_err(|(part, why)| wrong(&format!("{setting}.{part}"), why))?,
        ))
    };
    table.into_iter().map(entry).collect()
}

fn audit(setting: Value) -> Result<AuditApi> {
    AuditApi::new(setting).map_err(|(part, why)| wrong(&format!("audit{part}"), why))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_needed_and_the_common_attributes_are_there() {
        let settings = Settings::new(&Value::Null).unwrap();
        let names: Vec<_> = settings.mapping.names().collect();
        assert_eq!(
            names,
            [
                "department",
                "displayName",
                "email",
                "employeeNumber",
                "familyName",
                "givenName",
                "title",
                "userName"
            ]
        );
        assert_eq!(settings, Settings::new(&json!({})).unwrap());
    }

    #[test]
    fn everything_can_be_said() {
        let settings = Settings::new(&json!({
            "base": "/scim/v2",
            "paging": "cursor",
            "page_size": 50,
            "update": "put",
            "idempotency_header": "idempotency-key",
            "attributes": {"given_name": "name.givenName", "title": "userType"},
            "read_lag_ms": 250,
            "held": {"api-tokens": {"list": "/api/users/{id}/tokens"}},
        }))
        .unwrap();
        assert_eq!(settings.idempotency_header, Some("Idempotency-Key"));
        assert_eq!(settings.mapping.path("title").unwrap().to_string(), "userType");
        assert_eq!(settings.configured, ["given_name", "title"]);
        assert!(settings.held.contains_key(&AccessClass::ApiTokens));
    }

    #[test]
    fn every_error_names_its_setting() {
        for (settings, names) in [
            (json!([]), "settings are not a table"),
            (json!({"bas": ""}), "`bas`"),
            (json!({"base": 3}), "`base`"),
            (json!({"base": "scim/v2"}), "`base`"),
            (json!({"base": "/scim/v2/"}), "`base`"),
            (json!({"page_size": 0}), "`page_size`"),
            (json!({"page_size": "x"}), "`page_size`"),
            (json!({"paging": "pages"}), "`paging`"),
            (json!({"update": "post"}), "`update`"),
            (json!({"idempotency_header": "X-Key"}), "`idempotency_header`"),
            (json!({"attributes": {"x": "a b"}}), "`attributes.x`"),
            (json!({"attributes": {"x": "active"}}), "`attributes.x`"),
            (json!({"attributes": {"active": "title"}}), "`attributes.active`"),
            (json!({"attributes": {"userName": "title"}}), "`attributes`"),
            (json!({"held": {"tokens": {}}}), "`held.tokens`"),
            (json!({"held": {"direct-groups": {"list": "/x/{id}"}}}), "`held.direct-groups`"),
            (json!({"held": {"api-tokens": {}}}), "`held.api-tokens`"),
            (json!({"held": {"api-tokens": {"list": "/x/{id}", "lst": ""}}}), "`held.api-tokens`"),
            (json!({"held": {"api-tokens": {"list": "/x"}}}), "`held.api-tokens.list`"),
            (
                json!({"held": {"sessions": {"list": "/x/{id}", "revoke": "/x/{id}"}}}),
                "`held.sessions.revoke`",
            ),
            (
                json!({"held": {"sessions": {"list": "/x/{id}", "revoke": "GET /x/{id}/{item}"}}}),
                "`held.sessions.revoke`",
            ),
            (json!({"held": {"sessions": {"list": "/x/{id}", "try": "x"}}}), "`held.sessions.try`"),
            (
                json!({"held": {"sessions": {"list": "/x/{id}", "issue": {"make": "/x", "given": "s"}}}}),
                "`held.sessions.issue.make`",
            ),
            (json!({"groups": "no"}), "`groups`"),
            (json!({"people": {"key": "badge"}}), "`people.key`"),
            (json!({"people": {"by": "id"}}), "`people`"),
            (json!({"people": {}, "held": {"sessions": {"list": "/x/{id}"}}}), "`people`"),
        ] {
            let error = Settings::new(&settings).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Settings, "{settings}");
            assert!(error.message.contains(names), "{settings}: {}", error.message);
        }
    }
}
