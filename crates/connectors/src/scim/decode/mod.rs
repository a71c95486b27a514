//! What a system says, as objects that borrow from the page.
//!
//! A page is parsed as a whole before the first object is shown, so a page that breaks off shows nothing.
//! An object that cannot be read (no `id`, an `active` that is neither yes nor no, a member without
//! `value`) is not shown but counted: whoever lists then knows that the page is not complete.
//!
//! Attributes that [`TypedUser`] has cost no generic tree; a mapping that names others is read a second
//! time into one, and is slower by it.

use std::{borrow::Cow, collections::BTreeMap};

use bailiwick_connector::{ConnectorError, ErrorKind, Object, ObjectState, ObjectValue, Result, Visit};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

pub use super::wire::{
    Flag, Text, TypedElement, TypedEnterprise, TypedGroup, TypedList, TypedName, TypedPage, TypedUser,
};
use super::{
    path::{ENTERPRISE, ScimPath},
    wire::{As, Record},
};

/// Which attributes of a user are shown, under which names, and where they lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    path: ScimPath,
    slot: Slot,
}

/// Where in a [`TypedUser`] the value is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Slot {
    UserName,
    DisplayName,
    Title,
    UserType,
    Formatted,
    FamilyName,
    GivenName,
    /// The first e-mail address of this type.
    Email(String),
    EmployeeNumber,
    Department,
    CostCenter,
    Organization,
    Division,
    /// Nowhere: only the generic tree has it.
    Tree,
}

impl Mapping {
    /// A mapping from attribute names to paths.
    pub(super) fn new(paths: BTreeMap<String, ScimPath>) -> Self {
        let entry = |(name, path): (String, ScimPath)| Entry { slot: Slot::of(&path), name, path };
        Self { entries: paths.into_iter().map(entry).collect() }
    }

    /// The path of an attribute.
    pub(super) fn path(&self, name: &str) -> Option<&ScimPath> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| &entry.path)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// The name under which sign-in names are mapped.
    pub(super) fn user_name(&self) -> Option<&str> {
        self.entries.iter().find(|entry| entry.slot == Slot::UserName).map(|entry| entry.name.as_str())
    }

    pub(super) fn needs_tree(&self) -> bool {
        self.entries.iter().any(|entry| entry.slot == Slot::Tree)
    }
}

impl Slot {
    fn of(path: &ScimPath) -> Self {
        if let Some((by, kind)) = &path.pick {
            let email = path.is(None, "emails", Some("value")) && by.eq_ignore_ascii_case("type");
            return if email { Self::Email(kind.clone()) } else { Self::Tree };
        }
        [
            (None, "userName", None, Self::UserName),
            (None, "displayName", None, Self::DisplayName),
            (None, "title", None, Self::Title),
            (None, "userType", None, Self::UserType),
            (None, "name", Some("formatted"), Self::Formatted),
            (None, "name", Some("familyName"), Self::FamilyName),
            (None, "name", Some("givenName"), Self::GivenName),
            (Some(ENTERPRISE), "employeeNumber", None, Self::EmployeeNumber),
            (Some(ENTERPRISE), "department", None, Self::Department),
            (Some(ENTERPRISE), "costCenter", None, Self::CostCenter),
            (Some(ENTERPRISE), "organization", None, Self::Organization),
            (Some(ENTERPRISE), "division", None, Self::Division),
        ]
        .into_iter()
        .find(|(schema, attribute, part, _)| path.is(*schema, attribute, *part))
        .map_or(Self::Tree, |(.., slot)| slot)
    }

    fn value<'u>(&self, user: &'u TypedUser<'_>) -> Option<&'u str> {
        match self {
            Self::UserName => &user.user_name,
            Self::DisplayName => &user.display_name,
            Self::Title => &user.title,
            Self::UserType => &user.user_type,
            Self::Formatted => &user.name.formatted,
            Self::FamilyName => &user.name.family_name,
            Self::GivenName => &user.name.given_name,
            Self::EmployeeNumber => &user.enterprise.employee_number,
            Self::Department => &user.enterprise.department,
            Self::CostCenter => &user.enterprise.cost_center,
            Self::Organization => &user.enterprise.organization,
            Self::Division => &user.enterprise.division,
            Self::Email(wanted) => {
                let is = |kind: &Text<'_>| kind.eq_ignore_ascii_case(wanted);
                &user.emails.iter().find(|email| email.kind.as_ref().is_some_and(is))?.value
            }
            Self::Tree => return None,
        }
        .as_deref()
    }
}

/// What a page says of the list it is a page of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageInfo {
    /// How many resources were in it.
    pub resources: u64,
    /// How many of them could not be read and were not shown.
    pub unreadable: u64,
    /// `totalResults`, if it was said.
    pub total: Option<u64>,
    /// `nextCursor` (RFC 9865 §2.1), if there is one.
    pub next_cursor: Option<String>,
    /// The id of the first resource.
    pub first: Option<String>,
}

/// Parses a page of users, and does no more.
///
/// # Errors
/// `Malformed` if it is not JSON, or not a list (RFC 7644 §3.4.2).
pub fn parse_page(bytes: &[u8]) -> Result<TypedPage<'_>> {
    parse_list(bytes)
}

/// Parses a page of users and shows each that can be read, with the attributes of the mapping.
///
/// # Errors
/// `Malformed`, with nothing shown, if it is not JSON, or not a list.
pub fn page(bytes: &[u8], mapping: &Mapping, visit: Visit<'_>) -> Result<PageInfo> {
    let mut list = parse_page(bytes)?;
    let mut found = info(&list);
    found.unreadable = show_users(bytes, &mut list, mapping, visit)?;
    Ok(found)
}

/// Shows the users of a page that was parsed from `bytes`; says how many could not be read.
pub(super) fn show_users(
    bytes: &[u8],
    list: &mut TypedPage<'_>,
    mapping: &Mapping,
    visit: Visit<'_>,
) -> Result<u64> {
    let trees = if mapping.needs_tree() { trees(bytes)? } else { Vec::new() };
    let mut unreadable = 0;
    for (at, user) in list.resources.iter_mut().flatten().enumerate() {
        match account(user, trees.get(at), mapping) {
            Some(object) => visit(object),
            None => unreadable += 1,
        }
    }
    Ok(unreadable)
}

/// Shows the groups of a page; says how many could not be read.
pub(super) fn show_groups(list: &mut TypedList<'_, TypedGroup<'_>>, visit: Visit<'_>) -> u64 {
    let mut unreadable = 0;
    for one in list.resources.iter_mut().flatten() {
        match group(one) {
            Some(object) => visit(object),
            None => unreadable += 1,
        }
    }
    unreadable
}

pub(super) fn parse_list<'a, T: Record<'a>>(bytes: &'a [u8]) -> Result<TypedList<'a, T>> {
    let list: TypedList<'a, T> = parse(bytes)?;
    match list.resources.is_some() || list.total.is_some() {
        true => Ok(list),
        false => Err(malformed("it is not a SCIM list")),
    }
}

pub(super) fn parse<'a, T: Record<'a>>(bytes: &'a [u8]) -> Result<T> {
    let As(record) = serde_json::from_slice(bytes).map_err(|error| malformed(&error.to_string()))?;
    Ok(record)
}

fn trees(bytes: &[u8]) -> Result<Vec<Value>> {
    let page: Value = json(bytes)?;
    Ok(match member(&page, "Resources") {
        Some(Value::Array(all)) => all.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => Vec::new(),
    })
}

/// Any JSON document.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| malformed(&error.to_string()))
}

pub(super) fn malformed(what: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Malformed, format!("the answer is not understood: {what}"))
}

/// What a page says of its list; how many are unreadable is not known yet.
pub(super) fn info<T: Identified>(list: &TypedList<'_, T>) -> PageInfo {
    let all = list.resources.as_deref().unwrap_or_default();
    PageInfo {
        resources: all.len() as u64,
        unreadable: 0,
        total: list.total,
        next_cursor: list.next_cursor.as_deref().filter(|c| !c.is_empty()).map(str::to_owned),
        first: all.first().and_then(Identified::id).map(str::to_owned),
    }
}

/// A resource that has an id.
pub(super) trait Identified {
    fn id(&self) -> Option<&str>;
}
impl Identified for TypedUser<'_> {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}
impl Identified for TypedGroup<'_> {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// A user as an object; none if it cannot be read. Takes its list of groups.
pub(super) fn account<'o>(
    user: &'o mut TypedUser<'_>,
    tree: Option<&'o Value>,
    mapping: &'o Mapping,
) -> Option<Object<'o>> {
    let links = std::mem::take(&mut user.groups);
    let user = &*user;
    let mut attributes = Vec::with_capacity(mapping.entries.len());
    for entry in &mapping.entries {
        let value = match (&entry.slot, tree) {
            (Slot::Tree, Some(tree)) => value_at(tree, &entry.path),
            (slot, _) => slot.value(user).map(|text| ObjectValue::Text(Cow::Borrowed(text))),
        };
        attributes.extend(value.map(|value| (Cow::Borrowed(entry.name.as_str()), value)));
    }
    let state = match user.active {
        Flag::Yes | Flag::Absent => ObjectState::Live,
        Flag::No => ObjectState::Blocked,
        Flag::Unreadable => return None,
    };
    Some(Object {
        id: Cow::Borrowed(user.id.as_deref().filter(|id| !id.is_empty())?),
        name: Cow::Borrowed(user.user_name.as_deref()?),
        marker: user.external_id.as_deref().map(Cow::Borrowed),
        state,
        version: user.version.as_deref().map(Cow::Borrowed),
        purges_at: None,
        attributes,
        links,
    })
}

/// A group as an object; none if it cannot be read. Takes its list of members.
pub(super) fn group<'o>(group: &'o mut TypedGroup<'_>) -> Option<Object<'o>> {
    let links = group.members.take().unwrap_or_default();
    let group = &*group;
    if links.iter().any(|member| member.is_empty()) {
        return None;
    }
    Some(Object {
        id: Cow::Borrowed(group.id.as_deref().filter(|id| !id.is_empty())?),
        name: Cow::Borrowed(group.display_name.as_deref().unwrap_or_default()),
        marker: group.external_id.as_deref().map(Cow::Borrowed),
        state: ObjectState::Live,
        version: group.version.as_deref().map(Cow::Borrowed),
        purges_at: None,
        attributes: Vec::new(),
        links,
    })
}

/// A member of a JSON object; names compare without case.
pub(super) fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let object = value.as_object()?;
    object.get(name).or_else(|| object.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v))
}

/// The value at a path of a user that is a generic tree.
pub(super) fn value_at<'v>(user: &'v Value, path: &ScimPath) -> Option<ObjectValue<'v>> {
    let parent = match &path.schema {
        Some(schema) => member(user, schema)?,
        None => user,
    };
    let attribute = member(parent, &path.attribute)?;
    let part = path.part.as_deref();
    match (attribute, &path.pick) {
        (Value::Array(all), Some((by, operand))) => {
            let is = |e: &&Value| {
                member(e, by).and_then(Value::as_str).is_some_and(|text| text.eq_ignore_ascii_case(operand))
            };
            scalar(member(all.iter().find(is)?, part.unwrap_or("value"))?)
        }
        (_, Some(_)) => None,
        (Value::Array(all), None) => {
            let text = |e: &'v Value| match e {
                Value::Object(_) => text_of(member(e, part.unwrap_or("value"))?),
                one => text_of(one),
            };
            let all: Vec<_> = all.iter().filter_map(text).collect();
            (!all.is_empty()).then_some(ObjectValue::Many(all))
        }
        (one, None) => match part {
            Some(part) => scalar(member(one, part)?),
            None => scalar(one),
        },
    }
}

fn scalar(value: &Value) -> Option<ObjectValue<'_>> {
    match value {
        Value::Bool(flag) => Some(ObjectValue::Flag(*flag)),
        one => text_of(one).map(ObjectValue::Text),
    }
}

fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What a system says when it refuses (RFC 7644 §3.12), also in the form of a vendor's own API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    #[serde(rename = "scimType", alias = "error")]
    pub(super) code: Option<String>,
    #[serde(alias = "message")]
    pub(super) detail: Option<String>,
    /// A number in a text, or a number.
    status: Option<Value>,
}

impl Said {
    /// What an answer says; nothing if it is no such document.
    pub(super) fn of(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    /// Whether it says that there is no such thing, whatever the status of the answer.
    pub(super) fn not_found(&self) -> bool {
        match &self.status {
            Some(Value::String(text)) => text == "404",
            Some(Value::Number(number)) => number.as_u64() == Some(404),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
