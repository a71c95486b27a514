//! What configuration may say. Every error names the setting.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use bailiwick_connector::{ConnectorError, ErrorKind, Result, broker::Statements};
use bailiwick_core::{
    access::AccessClass,
    scope::{Operation, ScopeRule, Target},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::audit::{AUDIT, of_roles};
use crate::audit::Deeds;

/// The dialect that comes with the product.
pub(super) const ROLES: &str = "postgresql-roles";
/// Its texts.
const ROLES_TEXTS: &str = include_str!("postgresql.toml");
/// The other dialect: statements in the settings.
const TABLES: &str = "tables";

/// What a page of a listing may hold when nothing else is said.
const PAGE: u32 = 500;
const MOST_PAGE: u32 = 10_000;

/// What an attribute holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// A text.
    Text,
    /// Yes or no.
    Flag,
    /// Several texts.
    Many,
}

/// The settings of an integration with a database.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    /// Whether the accounts are roles of the server, and not rows of tables.
    pub(super) roles: bool,
    /// The names and parameters of what may be executed.
    pub(super) statements: Statements,
    /// The attributes that can be given to a new account.
    pub(super) given: BTreeMap<String, Kind>,
    /// The attributes that can be changed.
    pub(super) changed: BTreeMap<String, Kind>,
    /// What attributes hold that are not texts.
    pub(super) kinds: BTreeMap<String, Kind>,
    /// Roles that are neither shown nor touched.
    pub(super) ignore: Vec<String>,
    /// The role that gets what a role owns that is dropped.
    pub(super) heir: Option<String>,
    /// What the deeds in the system's log mean, where it is read.
    pub(super) audit: Option<Deeds>,
    pub(super) page_size: u32,
}

/// The statements with what each is executed for, the parameters that it may have, and those that it must
/// have. A class stands for any; an account's attributes come on top for `create` and `update`.
const KNOWN: [(&str, Operation, &[&str], &[&str]); 22] = {
    use Operation::{Create, Delete, Discover, Get, Grant, Issue, List, Revoke, Update};
    [
        ("check", Discover, &[], &[]),
        ("list", List, &["after", "limit", "ignore"], &["after", "limit"]),
        ("get", Get, &["id", "name", "marker", "ignore"], &["id"]),
        ("get-named", Get, &["name", "ignore"], &["name"]),
        ("get-marked", Get, &["marker", "ignore"], &["marker"]),
        ("list-groups", List, &["after", "limit", "ignore"], &["after", "limit"]),
        ("get-group", Get, &["id", "ignore"], &["id"]),
        (PEOPLE, List, &["after", "limit"], &["after", "limit"]),
        ("get-person", Get, &["id"], &["id"]),
        ("ways-in", Discover, &["ignore"], &[]),
        ("owned", Get, &["id"], &["id"]),
        (AUDIT, List, &["after", "since", "limit"], &["after", "limit"]),
        ("create", Create, &["name", "marker"], &["name", "marker"]),
        ("update", Update, &["id", "version", "ignore"], &["id"]),
        ("enable", Update, &["id", "version", "ignore"], &["id"]),
        ("disable", Update, &["id", "version", "ignore"], &["id"]),
        ("disable-otherwise", Update, &["id", "version", "ignore"], &["id"]),
        ("delete", Delete, &["id", "version", "heir", "ignore"], &["id"]),
        ("set-password", Issue, &["id", "verifier", "ignore"], &["id", "verifier"]),
        ("list-CLASS", List, &["id", "after", "limit"], &["id"]),
        ("grant-CLASS", Grant, &["id", "item", "ignore"], &["id", "item"]),
        ("revoke-CLASS", Revoke, &["id", "item", "ignore"], &["id", "item"]),
    ]
};

/// The people of a source.
const PEOPLE: &str = "list-people";

/// Signing in as a canary: what a scope calls it, though it is no statement.
pub(super) const SIGN_IN: &str = "sign-in";

/// What comes with the dialect alone.
const ROLES_ONLY: [&str; 4] = ["ways-in", "set-password", "check", "disable-otherwise"];
/// Without all of them an account cannot be managed, with one of the first four all are needed.
const MANAGE: [&str; 5] = ["create", "update", "enable", "delete", "disable"];

pub(super) fn wrong(setting: &str, why: impl Display) -> ConnectorError {
    ConnectorError::none(ErrorKind::Settings, format!("setting `{setting}`: {why}"))
}

/// What the deeds of the system's log mean, if it is to be read.
fn deeds(settings: &mut Map<String, Value>) -> Result<Option<Deeds>> {
    let Some(mut setting) = take::<Map<String, Value>>(settings, AUDIT)? else { return Ok(None) };
    let deeds = Deeds::take(&mut setting).map_err(|(part, why)| wrong(&format!("{AUDIT}{part}"), why))?;
    match setting.keys().next() {
        None => Ok(Some(deeds)),
        Some(unknown) => {
            let why = "there is none of this name; there are ours, given, taken, changed and ends";
            Err(wrong(&format!("{AUDIT}.{unknown}"), why))
        }
    }
}

fn take<T: DeserializeOwned>(settings: &mut Map<String, Value>, name: &str) -> Result<Option<T>> {
    let value = settings.remove(name);
    value.map(|value| serde_json::from_value(value).map_err(|error| wrong(name, error))).transpose()
}

/// The statements of the dialect that comes with the product.
pub(super) fn roles() -> Result<Statements> {
    let texts: Value = toml::from_str(ROLES_TEXTS).map_err(|error| wrong("dialect", error))?;
    Statements::parse(&texts)
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
        let dialect: String = take(&mut settings, "dialect")?
            .ok_or_else(|| wrong("dialect", format!("it is missing; it is `{ROLES}` or `{TABLES}`")))?;
        let page_size = take(&mut settings, "page_size")?.unwrap_or(PAGE);
        if !(1..=MOST_PAGE).contains(&page_size) {
            return Err(wrong("page_size", format!("it is 1 to {MOST_PAGE}")));
        }
        let read = match dialect.as_str() {
            ROLES => Self::of_roles(&mut settings, page_size)?,
            TABLES => Self::of_tables(&mut settings, page_size)?,
            other => return Err(wrong("dialect", format!("`{other}` is neither `{ROLES}` nor `{TABLES}`"))),
        };
        match settings.keys().next() {
            None => Ok(read),
            Some(unknown) if read.roles => Err(wrong(
                unknown,
                format!(
                    "with `{ROLES}` there are dialect, ignore_roles, reassign_owned_to, audit and page_size, and the \
                     statements come with the product"
                ),
            )),
            Some(unknown) => Err(wrong(
                unknown,
                format!("with `{TABLES}` there are dialect, statements, attributes, audit and page_size"),
            )),
        }
    }

    fn of_roles(settings: &mut Map<String, Value>, page_size: u32) -> Result<Self> {
        let heir: Option<String> = take(settings, "reassign_owned_to")?;
        if heir.as_deref() == Some("") {
            return Err(wrong("reassign_owned_to", "it is the name of a role"));
        }
        let attributes = ["name", "connectionLimit", "validUntil"].map(|name| (name.to_owned(), Kind::Text));
        Ok(Self {
            roles: true,
            statements: roles()?,
            given: attributes.clone().into(),
            changed: attributes.into(),
            kinds: BTreeMap::new(),
            ignore: take(settings, "ignore_roles")?.unwrap_or_default(),
            heir,
            audit: deeds(settings)?.map(of_roles),
            page_size,
        })
    }

    fn of_tables(settings: &mut Map<String, Value>, page_size: u32) -> Result<Self> {
        let statements = Statements::parse(&settings.remove("statements").unwrap_or_default())?;
        let kinds: BTreeMap<String, Kind> = take(settings, "attributes")?.unwrap_or_default();
        let attributes = |name: &str, reserved: &[&str]| -> BTreeMap<String, Kind> {
            let parameters = statements.parameters(name).unwrap_or_default();
            let ours = parameters.into_iter().filter(|parameter| !reserved.contains(parameter));
            ours.map(|name| (name.to_owned(), kinds.get(name).copied().unwrap_or(Kind::Text))).collect()
        };
        let given = attributes("create", &["marker"]);
        let changed = attributes("update", &["id", "version"]);
        // The attributes of people are columns, whatever they are called.
        let of_people = statements.parameters(PEOPLE).is_some();
        for name in kinds.keys().filter(|_| !of_people) {
            if !given.contains_key(name) && !changed.contains_key(name) {
                let why = "it is a parameter of neither `statements.create` nor `statements.update`";
                return Err(wrong(&format!("attributes.{name}"), why));
            }
        }
        known(&statements)?;
        together(&statements)?;
        let audit = deeds(settings)?;
        match (&audit, statements.parameters(AUDIT)) {
            (Some(_), None) => return Err(wrong("statements.audit", "it is missing: the log is read")),
            (None, Some(_)) => return Err(wrong(AUDIT, "it is missing: whose deeds are this integration's")),
            (Some(_), Some(_)) | (None, None) => {}
        }
        Ok(Self {
            roles: false,
            statements,
            given,
            changed,
            kinds,
            ignore: Vec::new(),
            heir: None,
            audit,
            page_size,
        })
    }

    /// The parameters of a statement; none when it is not there.
    pub(super) fn parameters(&self, name: &str) -> Option<BTreeSet<&str>> {
        self.statements.parameters(name)
    }

    /// Whether a rule of a scope has a statement stand behind an operation that it is for.
    ///
    /// # Errors
    /// `Settings`, saying what it is for.
    pub(super) fn serves(&self, rule: &ScopeRule) -> Result<()> {
        let Target::Name(name) = &rule.target else { return Ok(()) };
        let operation = rule.operation;
        if (name, operation) == (&SIGN_IN.to_owned(), Operation::Try) && self.roles {
            return Ok(());
        }
        let why = match self.statements.operations(name) {
            Some(operations) if operations.contains(&operation) => return Ok(()),
            Some(operations) => {
                let names: Vec<&str> = operations.iter().map(|known| known.as_str()).collect();
                format!("`{name}` is for {}, not for {}", names.join(", "), operation.as_str())
            }
            None => {
                let names: Vec<&str> = self.statements.names().collect();
                format!("there is no statement `{name}`; there are {}", names.join(", "))
            }
        };
        Err(ConnectorError::none(ErrorKind::Settings, format!("`{rule}`: {why}")))
    }

    /// Whether there is a statement of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.parameters(name).is_some()
    }

    /// The classes for which there is a statement `PREFIX-CLASS`.
    pub(super) fn classes(&self, prefix: &str) -> BTreeSet<AccessClass> {
        let of = |name: &str| name.strip_prefix(prefix)?.strip_prefix('-')?.parse().ok();
        self.statements.names().filter_map(of).collect()
    }
}

/// Every statement is one that is known, for what it is executed for, with parameters that it gets.
fn known(statements: &Statements) -> Result<()> {
    for name in statements.names() {
        let setting = format!("statements.{name}");
        let class = ["list-", "grant-", "revoke-"].into_iter().find_map(|prefix| {
            let class = name.strip_prefix(prefix)?.parse::<AccessClass>().ok()?;
            Some((class, format!("{prefix}CLASS")))
        });
        if matches!(class, Some((AccessClass::PrimaryAccount, _))) {
            return Err(wrong(&setting, "the account itself is what `list` and `get` show"));
        }
        let pattern = class.map_or_else(|| name.to_owned(), |(_, pattern)| pattern);
        let found = KNOWN.iter().find(|(known, ..)| *known == pattern && !ROLES_ONLY.contains(known));
        let Some((_, operation, may, must)) = found else {
            let names: Vec<_> =
                KNOWN.iter().map(|(name, ..)| *name).filter(|name| !ROLES_ONLY.contains(name)).collect();
            let why = format!("there is no such statement; there are {}", names.join(", "));
            return Err(wrong(&setting, why));
        };
        let operations = statements.operations(name);
        if operations.is_none_or(|all| all.len() > 1 || !all.contains(operation)) {
            let only = operation.as_str();
            return Err(wrong(
                &setting,
                format!("`operations` is `[\"{only}\"]`: it is executed for nothing else"),
            ));
        }
        let parameters = statements.parameters(name).unwrap_or_default();
        if let Some(missing) = must.iter().find(|parameter| !parameters.contains(**parameter)) {
            return Err(wrong(&setting, format!("it needs the parameter `:{missing}`")));
        }
        let free = matches!(name, "create" | "update");
        let other = parameters.iter().find(|parameter| {
            !free && (!may.contains(parameter) || matches!(**parameter, "ignore" | "heir"))
        });
        if let Some(other) = other {
            return Err(wrong(&setting, format!("it does not get a parameter `:{other}`")));
        }
        if parameters.contains("after") != parameters.contains("limit") {
            return Err(wrong(&setting, "it has both `:after` and `:limit`, or neither"));
        }
    }
    Ok(())
}

/// What needs another statement has it.
fn together(statements: &Statements) -> Result<()> {
    let has = |name: &str| statements.parameters(name).is_some();
    let need = |name: &str, why: &str| match has(name) {
        true => Ok(()),
        false => Err(wrong(&format!("statements.{name}"), format!("it is missing: {why}"))),
    };
    if has("get-person") {
        need(PEOPLE, "people are listed")?;
    }
    // A source has people, and need not have accounts.
    if has(PEOPLE) && statements.names().all(|name| matches!(name, PEOPLE | "get-person" | AUDIT)) {
        return Ok(());
    }
    need("list", "accounts are listed")?;
    need("get", "one account is read by its id")?;
    let gets = |parameter| statements.parameters("get").unwrap_or_default().contains(parameter);
    if !gets("name") {
        need("get-named", "`statements.get` has no `:name`")?;
    }
    if let Some(one) = MANAGE[..4].iter().find(|name| has(name)) {
        for other in MANAGE {
            need(other, &format!("with `{one}` an account is managed from beginning to end"))?;
        }
        if !gets("marker") {
            need(
                "get-marked",
                "a new account is found again by its marker, and `statements.get` has no `:marker`",
            )?;
        }
    }
    if has("list-groups") || has("get-group") {
        need("list-groups", "groups are listed")?;
        need("get-group", "one group is read by its id")?;
    }
    for name in statements.names() {
        for prefix in ["grant-", "revoke-"] {
            if let Some(class) = name.strip_prefix(prefix) {
                need(&format!("list-{class}"), &format!("what `{name}` does is seen by listing"))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tables() -> Value {
        with(json!({"list": "SELECT :after, :limit", "get": "SELECT :id, :name, :marker"}))
    }

    /// The two that are needed, and these; what each is for is what its name begins with.
    fn with(texts: Value) -> Value {
        let mut statements = json!({});
        let needed = json!({"list": "SELECT :after, :limit", "get": "SELECT :id, :name, :marker"});
        for (name, text) in needed.as_object().unwrap().iter().chain(texts.as_object().unwrap()) {
            let operation = match name.split('-').next().unwrap() {
                "enable" | "disable" => "update",
                "owned" => "get",
                "audit" => "list",
                begins if Operation::ALL.iter().any(|known| known.as_str() == begins) => begins,
                _ => "discover",
            };
            statements[name] = json!({"operations": [operation], "text": text});
        }
        json!({"dialect": "tables", "statements": statements})
    }

    #[test]
    fn a_scope_has_no_statement_stand_behind_what_it_is_not_for() {
        let roles = Settings::new(&json!({"dialect": ROLES})).unwrap();
        let tables = Settings::new(&tables()).unwrap();
        for (settings, rule, why) in [
            (&roles, "revoke EXEC revoke-sessions", ""),
            (&roles, "list EXEC list-sessions", ""),
            (&roles, "try EXEC sign-in", ""),
            (&roles, "list EXEC revoke-sessions", "is for revoke, not for list"),
            (&roles, "get EXEC delete", "is for delete, not for get"),
            (&roles, "update EXEC set-password", "is for issue, not for update"),
            (&roles, "list EXEC sign-in", "no statement"),
            (&roles, "list EXEC drop", "no statement `drop`; there are audit, check, create"),
            (&tables, "list EXEC list", ""),
            (&tables, "get EXEC list", "is for list, not for get"),
            (&tables, "try EXEC sign-in", "no statement"),
        ] {
            match settings.serves(&rule.parse().unwrap()) {
                Ok(()) => assert_eq!(why, "", "{rule}"),
                Err(error) => assert!(!why.is_empty() && error.message.contains(why), "{rule}: {error}"),
            }
        }
    }

    #[test]
    fn the_texts_of_the_dialect_are_what_a_dialect_may_have() {
        let roles = Settings::new(&json!({"dialect": ROLES})).unwrap();
        for name in roles.statements.names() {
            let class = ["list-", "grant-", "revoke-"].into_iter().find_map(|prefix| {
                let class: AccessClass = name.strip_prefix(prefix)?.parse().ok()?;
                Some(name.replace(class.as_str(), "CLASS"))
            });
            let pattern = class.unwrap_or_else(|| name.to_owned());
            let (_, operation, may, must) = KNOWN.iter().find(|(known, ..)| *known == pattern).unwrap();
            assert_eq!(roles.statements.operations(name), Some(&[*operation].into()), "{name}");
            let parameters = roles.parameters(name).unwrap();
            assert!(must.iter().all(|parameter| parameters.contains(parameter)), "{name}");
            let attribute =
                |parameter: &str| matches!(name, "create" | "update") && roles.given.contains_key(parameter);
            assert!(parameters.iter().all(|p| may.contains(p) || attribute(p)), "{name}: {parameters:?}");
        }
    }

    #[test]
    fn a_source_has_people_and_needs_no_accounts() {
        let statement = |operation: &str, text: &str| json!({"operations": [operation], "text": text});
        let people = statement("list", "SELECT :after, :limit");
        for (statements, why) in [
            (json!({"list-people": people}), ""),
            (json!({"list-people": people, "get-person": statement("get", "SELECT :id")}), ""),
            (json!({"get-person": statement("get", "SELECT :id")}), "`statements.list-people`"),
            (json!({"list-people": statement("list", "SELECT 1")}), "`:after`"),
            (json!({"list-people": people, "list-groups": people}), "`statements.list`"),
        ] {
            let read = Settings::new(&json!({"dialect": "tables", "statements": statements}));
            match read {
                Ok(_) => assert_eq!(why, "", "{statements}"),
                Err(error) => {
                    assert!(!why.is_empty() && error.message.contains(why), "{statements}: {error}")
                }
            }
        }
    }

    #[test]
    fn attributes_are_the_parameters_of_create_and_update() {
        let settings = Settings::new(&{
            let mut settings = with(json!({
                "create": "SELECT :name, :marker, :email, :admin", "update": "SELECT :id, :version, :email",
                "enable": "SELECT :id", "disable": "SELECT :id", "delete": "SELECT :id",
            }));
            settings["attributes"] = json!({"admin": "flag"});
            settings
        })
        .unwrap();
        let names = |map: &BTreeMap<String, Kind>| map.keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(
            (names(&settings.given), names(&settings.changed)),
            ("admin email name".into(), "email".into())
        );
        assert_eq!(settings.given["admin"], Kind::Flag);
    }

    #[test]
    fn every_error_names_its_setting() {
        let roles = |name: &str, value: Value| json!({"dialect": ROLES, name: value});
        for (settings, names) in [
            (json!([]), "settings are not a table"),
            (json!({}), "`dialect`"),
            (json!({"dialect": "oracle"}), "`dialect`"),
            (roles("statements", json!({})), "`statements`"),
            (roles("ignore_roles", json!("postgres")), "`ignore_roles`"),
            (roles("reassign_owned_to", json!("")), "`reassign_owned_to`"),
            (roles("page_size", json!(0)), "`page_size`"),
            (roles("audit", json!({})), "`audit`"),
            (roles("audit", json!({"ours": []})), "`audit.ours`"),
            (roles("audit", json!({"ours": ["hub"], "list": "/"})), "`audit.list`"),
            (with(json!({"audit": "SELECT :after, :limit"})), "`audit`"),
            (with(json!({"audit": "SELECT :limit"})), "`:after`"),
            (
                {
                    let mut s = tables();
                    s["audit"] = json!({"ours": ["hub"]});
                    s
                },
                "`statements.audit`",
            ),
            (json!({"dialect": "tables"}), "`statements.list`"),
            (with(json!({"list": "SELECT 1"})), "`:after`"),
            (json!({"dialect": "tables", "statements": {"list": "SELECT :after, :limit"}}), "what it is for"),
            (
                {
                    let mut s = tables();
                    s["statements"]["get"]["operations"] = json!(["get", "list"]);
                    s
                },
                "`operations` is `[\"get\"]`",
            ),
            (
                {
                    let mut s =
                        with(json!({"list-sessions": "SELECT :id", "revoke-sessions": "SELECT :id, :item"}));
                    s["statements"]["revoke-sessions"]["operations"] = json!(["list"]);
                    s
                },
                "`statements.revoke-sessions`: `operations` is `[\"revoke\"]`",
            ),
            (with(json!({"drop": "SELECT 1"})), "`statements.drop`"),
            (with(json!({"list-shoes": "SELECT :id"})), "`statements.list-shoes`"),
            (with(json!({"set-password": "SELECT :id, :verifier"})), "`statements.set-password`"),
            (with(json!({"list-primary-account": "SELECT :id"})), "`statements.list-primary-account`"),
            (with(json!({"get": "SELECT :id"})), "`statements.get-named`"),
            (with(json!({"get": "SELECT :id, :colour"})), "`:colour`"),
            (with(json!({"get": "SELECT :id; SELECT 1"})), "`statements.get`"),
            (with(json!({"owned": "SELECT :id, :ignore"})), "`statements.owned`"),
            (with(json!({"enable": "SELECT :id"})), "`statements.create`"),
            (with(json!({"list-groups": "SELECT :after, :limit"})), "`statements.get-group`"),
            (with(json!({"revoke-sessions": "SELECT :id, :item"})), "`statements.list-sessions`"),
            (with(json!({"list-sessions": "SELECT :id, :after"})), "`statements.list-sessions`"),
            (
                {
                    let mut s = tables();
                    s["attributes"] = json!({"x": "flag"});
                    s
                },
                "`attributes.x`",
            ),
            (
                {
                    let mut s = tables();
                    s["ignore_roles"] = json!([]);
                    s
                },
                "`ignore_roles`",
            ),
        ] {
            let error = Settings::new(&settings).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Settings, "{settings}");
            assert!(error.message.contains(names), "{settings}: {}", error.message);
        }
    }
}
