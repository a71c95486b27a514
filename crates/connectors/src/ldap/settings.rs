//! What configuration may say. Every error names the setting.

use std::{collections::BTreeMap, fmt::Display, sync::Arc};

use bailiwick_connector::{ConnectorError, ErrorKind, Result, broker::ldap::Filter};
use bailiwick_core::dn::Dn;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Whose directory it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Dialect {
    /// OpenLDAP, and what keeps to the RFCs as it does.
    OpenLdap,
    /// Active Directory, and Samba in its place.
    #[serde(rename = "active-directory")]
    ActiveDirectory,
}

/// A way to make an account unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// `pwdAccountLockedTime`; works only where a password policy says so.
    Lock,
    /// An attribute of the configuration's choice.
    Switch,
    /// A password that no input matches. The old one is lost.
    Password,
    /// The bit of Active Directory.
    AccountControl,
}

impl Way {
    const ALL: [Self; 4] = [Self::Lock, Self::Switch, Self::Password, Self::AccountControl];

    /// Its name in configuration and in [`Capability`](bailiwick_connector::Capability).
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Lock => "ppolicy-lock",
            Self::Switch => "switch",
            Self::Password => "unusable-password",
            Self::AccountControl => "userAccountControl",
        }
    }

    const fn dialect(self) -> Dialect {
        match self {
            Self::Lock | Self::Switch | Self::Password => Dialect::OpenLdap,
            Self::AccountControl => Dialect::ActiveDirectory,
        }
    }
}

/// What the values of an attribute are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// One text.
    #[default]
    Text,
    /// `TRUE` or `FALSE`.
    Flag,
    /// Any number of texts.
    Many,
}

/// An attribute of accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapped {
    /// The name here.
    pub(super) name: String,
    /// The name there.
    pub(super) attribute: String,
    pub(super) kind: Kind,
}

/// Where accounts are and what they are like.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Accounts {
    pub(super) base: Dn,
    pub(super) filter: Filter,
    /// The attribute with the sign-in name.
    pub(super) name: String,
    /// The attribute that a new entry is named by.
    pub(super) rdn: String,
    /// The object classes of a new entry.
    pub(super) classes: Vec<String>,
}

/// Where groups are and what they are like.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Groups {
    pub(super) base: Dn,
    pub(super) filter: Filter,
    pub(super) name: String,
    /// The attribute with the members.
    pub(super) member: String,
    /// Members are sign-in names, not distinguished names.
    pub(super) by_name: bool,
    /// Stands in a group that has nobody, where the schema wants somebody.
    pub(super) placeholder: Option<Dn>,
}

/// Where the people of a source are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct People {
    pub(super) base: Dn,
    pub(super) filter: Filter,
    pub(super) key: String,
    pub(super) name: String,
    /// The attribute that says who has left, and its values that say so.
    pub(super) status: Option<String>,
    pub(super) left: Vec<String>,
    /// Whose account of Active Directory is disabled has left.
    pub(super) disabled_left: bool,
}

/// An attribute that says whether an account can be used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    pub(super) attribute: String,
    /// Its value where the account cannot be used.
    pub(super) off: String,
    /// Its value where it can be; without one, it has none.
    pub(super) on: Option<String>,
}

/// Where the password policies are (draft-behera-ldap-password-policy).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Policies {
    pub(super) base: Dn,
    /// The one that is for accounts without one of their own.
    pub(super) default: Dn,
}

/// Where the access log is (slapo-accesslog(5)).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Log {
    pub(super) base: Dn,
    /// As whom the integration changes things, and so the log has it.
    pub(super) ours: Vec<Dn>,
}

/// How one directory is read and written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    pub(super) dialect: Dialect,
    pub(super) accounts: Accounts,
    pub(super) groups: Option<Groups>,
    pub(super) people: Option<People>,
    pub(super) marker: String,
    pub(super) mapped: Vec<Mapped>,
    pub(super) switch: Option<Switch>,
    pub(super) policies: Option<Policies>,
    pub(super) log: Option<Log>,
    /// The ways to disable, best first, whether they work or not.
    pub(super) ways: Vec<Way>,
    /// Whether the configuration chose them.
    pub(super) ways_chosen: bool,
    pub(super) page_size: u32,
    pub(super) read_lag_ms: u64,
}

/// The settings of a directory.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// What the configuration says; otherwise the directory is asked.
    pub(super) dialect: Option<Dialect>,
    pub(super) openldap: Arc<Shape>,
    pub(super) active_directory: Arc<Shape>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountsTable {
    base: String,
    filter: Option<String>,
    name: Option<String>,
    rdn: Option<String>,
    classes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupsTable {
    base: String,
    filter: Option<String>,
    name: Option<String>,
    member: Option<String>,
    placeholder: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogTable {
    base: String,
    ours: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeopleTable {
    base: String,
    filter: Option<String>,
    key: Option<String>,
    name: Option<String>,
    status: Option<String>,
    #[serde(default)]
    left: Vec<String>,
    #[serde(default)]
    disabled_left: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PoliciesTable {
    base: String,
    default: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum MappedSetting {
    Name(String),
    Table {
        attribute: String,
        #[serde(default)]
        is: Kind,
    },
}

/// The attributes that are known without being configured: here, and there.
const DEFAULTS: [(&str, &str); 8] = [
    ("department", "departmentNumber"),
    ("displayName", "displayName"),
    ("email", "mail"),
    ("familyName", "sn"),
    ("fullName", "cn"),
    ("givenName", "givenName"),
    ("title", "title"),
    ("userName", ""),
];

/// The page that is asked for when nothing else is said.
const PAGE: u32 = 500;

/// What there is, for people.
const NAMES: &str = "dialect, accounts, groups, people, marker, attributes, disable, switch, policies, audit, page_size and read_lag_ms";

pub(super) fn wrong(setting: &str, why: impl Display) -> ConnectorError {
    ConnectorError::none(ErrorKind::Settings, format!("setting `{setting}`: {why}"))
}

fn take<T: DeserializeOwned>(settings: &mut Map<String, Value>, name: &str) -> Result<Option<T>> {
    let value = settings.remove(name);
    value.map(|value| serde_json::from_value(value).map_err(|error| wrong(name, error))).transpose()
}

fn dn(setting: &str, text: &str) -> Result<Dn> {
    let name: Dn = text.parse().map_err(|error| wrong(setting, error))?;
    match name.rdns() {
        [] => Err(wrong(setting, "the root of all names is no place for anybody")),
        _ => Ok(name),
    }
}

fn filter(setting: &str, text: Option<&str>, usual: &str) -> Result<Filter> {
    text.unwrap_or(usual).parse().map_err(|error| wrong(setting, error))
}

/// The name of an attribute, without options (RFC 4512 §2.5).
fn attribute(setting: &str, text: String) -> Result<String> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    match text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && text.bytes().all(fine) {
        true => Ok(text),
        false => Err(wrong(setting, format!("`{text}` is not the name of an attribute"))),
    }
}

impl Settings {
    /// Reads settings.
    ///
    /// # Errors
    /// `Settings`, naming the setting.
    pub(super) fn new(settings: &Value) -> Result<Self> {
        let Value::Object(settings) = settings else {
            return Err(wrong(
                "accounts",
                "a directory needs at least `accounts.base`, where its accounts are",
            ));
        };
        let name: Option<String> = settings.get("dialect").and_then(Value::as_str).map(str::to_owned);
        let dialect = match (settings.get("dialect"), name.as_deref()) {
            (None, _) | (_, Some("auto")) => None,
            (_, Some("openldap")) => Some(Dialect::OpenLdap),
            (_, Some("active-directory")) => Some(Dialect::ActiveDirectory),
            _ => return Err(wrong("dialect", "it is one of `auto`, `openldap` and `active-directory`")),
        };
        let shape = |dialect| Shape::new(settings.clone(), dialect).map(Arc::new);
        Ok(Self {
            dialect,
            openldap: shape(Dialect::OpenLdap)?,
            active_directory: shape(Dialect::ActiveDirectory)?,
        })
    }

    pub(super) fn shape(&self, dialect: Dialect) -> &Arc<Shape> {
        match dialect {
            Dialect::OpenLdap => &self.openldap,
            Dialect::ActiveDirectory => &self.active_directory,
        }
    }
}

impl Shape {
    fn new(mut settings: Map<String, Value>, dialect: Dialect) -> Result<Self> {
        settings.remove("dialect");
        let table: Option<AccountsTable> = take(&mut settings, "accounts")?;
        let Some(table) = table else {
            return Err(wrong(
                "accounts",
                "a directory needs at least `accounts.base`, where its accounts are",
            ));
        };
        let accounts = accounts(table, dialect)?;
        let switch: Option<Switch> = take(&mut settings, "switch")?;
        if let Some(switch) = &switch {
            attribute("switch.attribute", switch.attribute.clone())?;
            if switch.off.is_empty() || switch.on.as_deref() == Some(&switch.off) {
                return Err(wrong("switch", "`off` is a value, and another one than `on`"));
            }
        }
        let disable: Option<Vec<String>> = take(&mut settings, "disable")?;
        let page_size = take(&mut settings, "page_size")?.unwrap_or(PAGE);
        if page_size == 0 {
            return Err(wrong("page_size", "a page has at least one object"));
        }
        let marker = take(&mut settings, "marker")?.unwrap_or_else(|| "employeeNumber".to_owned());
        let read = Self {
            dialect,
            groups: take(&mut settings, "groups")?.map(|table| groups(table, dialect)).transpose()?,
            people: take(&mut settings, "people")?.map(people).transpose()?,
            marker: attribute("marker", marker)?,
            mapped: mapped(take(&mut settings, "attributes")?.unwrap_or_default(), &accounts.name, dialect)?,
            policies: take(&mut settings, "policies")?.map(policies).transpose()?,
            log: take(&mut settings, "audit")?.map(|table| log(table, dialect)).transpose()?.flatten(),
            ways_chosen: disable.is_some(),
            ways: ways(disable, switch.is_some(), dialect)?,
            switch,
            accounts,
            page_size,
            read_lag_ms: take(&mut settings, "read_lag_ms")?.unwrap_or_default(),
        };
        match settings.keys().next() {
            None => Ok(read),
            Some(unknown) => Err(wrong(unknown, format!("there is none of this name; there are {NAMES}"))),
        }
    }

    /// The attribute that tells entries apart for ever.
    pub(super) const fn id(&self) -> &'static str {
        match self.dialect {
            Dialect::OpenLdap => "entryUUID",
            Dialect::ActiveDirectory => "objectGUID",
        }
    }

    /// The attribute that changes with every change.
    pub(super) const fn version(&self) -> &'static str {
        match self.dialect {
            Dialect::OpenLdap => "entryCSN",
            Dialect::ActiveDirectory => "uSNChanged",
        }
    }

    /// Whether all groups of a domain are within reach, so that nobody's protected group is overlooked.
    pub(super) fn sees_roles(&self) -> bool {
        let domain = |dn: &Dn| {
            let mut kinds = dn.rdns().iter().flat_map(|rdn| rdn.attributes()).map(|(kind, _)| kind);
            kinds.all(|kind| kind.eq_ignore_ascii_case("dc"))
        };
        let groups = self.groups.as_ref();
        self.dialect == Dialect::ActiveDirectory && groups.is_some_and(|groups| domain(&groups.base))
    }

    /// The attribute by which an entry is picked by its distinguished name.
    pub(super) const fn own_name(&self) -> &'static str {
        match self.dialect {
            Dialect::OpenLdap => "entryDN",
            Dialect::ActiveDirectory => "distinguishedName",
        }
    }
}

fn accounts(table: AccountsTable, dialect: Dialect) -> Result<Accounts> {
    let (usual, name, classes) = match dialect {
        Dialect::OpenLdap => ("(objectClass=inetOrgPerson)", "uid", &["inetOrgPerson"][..]),
        Dialect::ActiveDirectory => {
            ("(&(objectClass=user)(!(objectClass=computer)))", "sAMAccountName", &["user"][..])
        }
    };
    let name = attribute("accounts.name", table.name.unwrap_or_else(|| name.to_owned()))?;
    let rdn = table.rdn.unwrap_or_else(|| match dialect {
        Dialect::OpenLdap => name.clone(),
        Dialect::ActiveDirectory => "cn".to_owned(),
    });
    let classes = table.classes.unwrap_or_else(|| classes.iter().map(|class| (*class).to_owned()).collect());
    if classes.is_empty() {
        return Err(wrong("accounts.classes", "an entry has at least one object class"));
    }
    Ok(Accounts {
        base: dn("accounts.base", &table.base)?,
        filter: filter("accounts.filter", table.filter.as_deref(), usual)?,
        name,
        rdn: attribute("accounts.rdn", rdn)?,
        classes,
    })
}

fn groups(table: GroupsTable, dialect: Dialect) -> Result<Groups> {
    let member = attribute("groups.member", table.member.unwrap_or_else(|| "member".to_owned()))?;
    let by_name = member.eq_ignore_ascii_case("memberUid");
    let usual = match (dialect, member.to_ascii_lowercase().as_str()) {
        (Dialect::ActiveDirectory, _) => "(objectClass=group)",
        (Dialect::OpenLdap, "memberuid") => "(objectClass=posixGroup)",
        (Dialect::OpenLdap, "uniquemember") => "(objectClass=groupOfUniqueNames)",
        (Dialect::OpenLdap, _) => "(objectClass=groupOfNames)",
    };
    let placeholder = table.placeholder.map(|text| dn("groups.placeholder", &text)).transpose()?;
    Ok(Groups {
        base: dn("groups.base", &table.base)?,
        filter: filter("groups.filter", table.filter.as_deref(), usual)?,
        name: attribute("groups.name", table.name.unwrap_or_else(|| "cn".to_owned()))?,
        member,
        by_name,
        placeholder,
    })
}

/// Active Directory keeps no log that can be searched; then there is none.
fn log(table: LogTable, dialect: Dialect) -> Result<Option<Log>> {
    if table.ours.is_empty() {
        return Err(wrong(
            "audit.ours",
            "without the name that this integration signs in with, nobody's deeds can be told apart",
        ));
    }
    let base = dn("audit.base", &table.base)?;
    let ours = table.ours.iter().map(|name| dn("audit.ours", name)).collect::<Result<_>>()?;
    Ok((dialect == Dialect::OpenLdap).then_some(Log { base, ours }))
}

fn people(table: PeopleTable) -> Result<People> {
    if table.status.is_some() == table.left.is_empty() {
        let why = "an attribute and its values of who has left come together: `status` and `left`";
        return Err(wrong("people.left", why));
    }
    Ok(People {
        status: table.status.map(|name| attribute("people.status", name)).transpose()?,
        left: table.left,
        disabled_left: table.disabled_left,
        base: dn("people.base", &table.base)?,
        filter: filter("people.filter", table.filter.as_deref(), "(objectClass=person)")?,
        key: attribute("people.key", table.key.unwrap_or_else(|| "employeeNumber".to_owned()))?,
        name: attribute("people.name", table.name.unwrap_or_else(|| "cn".to_owned()))?,
    })
}

fn policies(table: PoliciesTable) -> Result<Policies> {
    let (base, default) = (dn("policies.base", &table.base)?, dn("policies.default", &table.default)?);
    match default.within(&base) {
        true => Ok(Policies { base, default }),
        false => Err(wrong("policies.default", "it is not below `policies.base`")),
    }
}

fn mapped(table: BTreeMap<String, MappedSetting>, name: &str, dialect: Dialect) -> Result<Vec<Mapped>> {
    let usual = DEFAULTS.map(|(here, there)| {
        let there = match (there, dialect) {
            ("", _) => name,
            ("departmentNumber", Dialect::ActiveDirectory) => "department",
            (there, _) => there,
        };
        (here.to_owned(), (there.to_owned(), Kind::Text))
    });
    let mut all = BTreeMap::from(usual);
    for (here, setting) in table {
        let setting_name = format!("attributes.{here}");
        if here == "userName" {
            return Err(wrong(&setting_name, "the sign-in name is set by `accounts.name`"));
        }
        let (there, kind) = match setting {
            MappedSetting::Name(attribute) => (attribute, Kind::Text),
            MappedSetting::Table { attribute, is } => (attribute, is),
        };
        let there = attribute(&setting_name, there)?;
        const SECRET: [&str; 4] = ["userPassword", "unicodePwd", "sambaNTPassword", "krbPrincipalKey"];
        if SECRET.iter().any(|secret| secret.eq_ignore_ascii_case(&there)) {
            return Err(wrong(&setting_name, format!("`{there}` is a secret, not an attribute to show")));
        }
        all.insert(here, (there, kind));
    }
    Ok(all.into_iter().map(|(name, (attribute, kind))| Mapped { name, attribute, kind }).collect())
}

fn ways(chosen: Option<Vec<String>>, switch: bool, dialect: Dialect) -> Result<Vec<Way>> {
    let all = match chosen {
        None => Way::ALL.into_iter().filter(|way| switch || *way != Way::Switch).collect(),
        Some(names) => {
            let find = |name: &String| {
                let known = || Way::ALL.map(Way::name).join(", ");
                let way = Way::ALL.into_iter().find(|way| way.name() == name);
                way.ok_or_else(|| wrong("disable", format!("`{name}` is not one of {}", known())))
            };
            names.iter().map(find).collect::<Result<Vec<Way>>>()?
        }
    };
    if all.contains(&Way::Switch) && !switch {
        return Err(wrong("disable", "`switch` needs the setting `switch`, which says what to switch"));
    }
    Ok(all.into_iter().filter(|way| way.dialect() == dialect).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_base_is_enough_and_the_rest_follows_from_the_dialect() {
        let settings = Settings::new(&json!({"accounts": {"base": "ou=people,dc=x"}})).unwrap();
        assert_eq!(settings.dialect, None);
        let (open, active) = (&settings.openldap, &settings.active_directory);
        assert_eq!((&open.accounts.name[..], &active.accounts.name[..]), ("uid", "sAMAccountName"));
        assert_eq!(
            (&open.ways[..], &active.ways[..]),
            (&[Way::Lock, Way::Password][..], &[Way::AccountControl][..])
        );
        let names: Vec<&str> = open.mapped.iter().map(|mapped| &mapped.name[..]).collect();
        assert!(names.is_sorted() && names.contains(&"userName"));
    }

    #[test]
    fn every_error_names_its_setting() {
        let with = |name: &str, value: Value| {
            let mut settings = json!({"accounts": {"base": "ou=people,dc=x"}});
            settings[name] = value;
            settings
        };
        for (settings, names) in [
            (Value::Null, "`accounts`"),
            (json!({}), "`accounts`"),
            (json!({"accounts": {}}), "`base`"),
            (json!({"accounts": {"base": "people"}}), "`accounts.base`"),
            (json!({"accounts": {"base": ""}}), "`accounts.base`"),
            (json!({"accounts": {"base": "dc=x", "filter": "x=y"}}), "`accounts.filter`"),
            (json!({"accounts": {"base": "dc=x", "name": "a;b"}}), "`accounts.name`"),
            (json!({"accounts": {"base": "dc=x", "classes": []}}), "`accounts.classes`"),
            (json!({"accounts": {"base": "dc=x", "bas": 1}}), "`bas`"),
            (with("colour", json!("red")), "`colour`"),
            (with("dialect", json!("netscape")), "`dialect`"),
            (with("dialect", json!(7)), "`dialect`"),
            (with("marker", json!("a b")), "`marker`"),
            (with("page_size", json!(0)), "`page_size`"),
            (with("attributes", json!({"userName": "cn"})), "`attributes.userName`"),
            (with("attributes", json!({"pw": "userpassword"})), "`attributes.pw`"),
            (with("attributes", json!({"x": {"attribute": "y", "is": "number"}})), "`attributes`"),
            (with("disable", json!(["magic"])), "`disable`"),
            (with("disable", json!(["switch"])), "`disable`"),
            (with("switch", json!({"attribute": "x", "off": "1", "on": "1"})), "`switch`"),
            (with("groups", json!({"base": "x"})), "`groups.base`"),
            (with("groups", json!({"base": "dc=x", "placeholder": "x"})), "`groups.placeholder`"),
            (with("people", json!({"base": "dc=x", "key": ""})), "`people.key`"),
            (with("people", json!({"base": "dc=x", "status": "employeeType"})), "`people.left`"),
            (with("people", json!({"base": "dc=x", "left": ["former"]})), "`people.left`"),
            (with("policies", json!({"base": "dc=x", "default": "dc=y"})), "`policies.default`"),
        ] {
            let error = Settings::new(&settings).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Settings, "{settings}");
            assert!(error.message.contains(names), "{settings}: {}", error.message);
        }
    }
}
