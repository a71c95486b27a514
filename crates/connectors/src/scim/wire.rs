//! The JSON of RFC 7643 as it arrives: typed, borrowed from the page it came in, tolerant of form.
//!
//! Names of members compare without case (RFC 7643 §2.1), unknown members are skipped without being
//! built, a text may come as a number, a flag as a text, a list of one without brackets. Nothing is
//! guessed where it decides who has access: an `active` that is neither yes nor no is
//! [`Flag::Unreadable`], and a resource without `id` has none. Absent on purpose: a generic JSON tree.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::path::ENTERPRISE;

/// A text that lives as long as the page.
pub type Text<'a> = Cow<'a, str>;

/// A flag, as far as it can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flag {
    /// Not said.
    #[default]
    Absent,
    /// `true`, also as a text.
    Yes,
    /// `false`, also as a text.
    No,
    /// Something else.
    Unreadable,
}

/// One page of a list (RFC 7644 §3.4.2, RFC 9865 §2).
#[derive(Debug, Clone, PartialEq)]
pub struct TypedList<'a, T> {
    /// `totalResults`.
    pub total: Option<u64>,
    /// `nextCursor`.
    pub next_cursor: Option<Text<'a>>,
    /// `Resources`; none if the member is missing.
    pub resources: Option<Vec<T>>,
}

/// A page of users.
pub type TypedPage<'a> = TypedList<'a, TypedUser<'a>>;

impl<T> Default for TypedList<'_, T> {
    fn default() -> Self {
        Self { total: None, next_cursor: None, resources: None }
    }
}

/// A user, those attributes that most systems have (RFC 7643 §4.1, §4.3).
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the attribute of that name")]
pub struct TypedUser<'a> {
    pub id: Option<Text<'a>>,
    pub external_id: Option<Text<'a>>,
    pub user_name: Option<Text<'a>>,
    pub display_name: Option<Text<'a>>,
    pub title: Option<Text<'a>>,
    pub user_type: Option<Text<'a>>,
    pub active: Flag,
    pub name: TypedName<'a>,
    pub emails: Vec<TypedElement<'a>>,
    pub enterprise: TypedEnterprise<'a>,
    /// `meta.version`.
    pub version: Option<Text<'a>>,
    /// The ids of the groups the user is said to be in.
    pub groups: Vec<Text<'a>>,
}

/// `name`.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the part of that name")]
pub struct TypedName<'a> {
    pub formatted: Option<Text<'a>>,
    pub family_name: Option<Text<'a>>,
    pub given_name: Option<Text<'a>>,
}

/// The enterprise extension.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the attribute of that name")]
pub struct TypedEnterprise<'a> {
    pub employee_number: Option<Text<'a>>,
    pub department: Option<Text<'a>>,
    pub cost_center: Option<Text<'a>>,
    pub organization: Option<Text<'a>>,
    pub division: Option<Text<'a>>,
}

/// An element of a multi-valued attribute (RFC 7643 §2.4).
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the part of that name")]
pub struct TypedElement<'a> {
    pub value: Option<Text<'a>>,
    pub kind: Option<Text<'a>>,
}

/// A group (RFC 7643 §4.2).
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the attribute of that name")]
pub struct TypedGroup<'a> {
    pub id: Option<Text<'a>>,
    pub external_id: Option<Text<'a>>,
    pub display_name: Option<Text<'a>>,
    /// `meta.version`.
    pub version: Option<Text<'a>>,
    /// The ids of the members; none if the member is missing. An element without `value` is empty.
    pub members: Option<Vec<Text<'a>>>,
}

/// Something made of the members of a JSON object.
pub(super) trait Record<'de>: Default {
    /// The names in the spelling of the schema.
    const NAMES: &'static [&'static str];

    /// Takes the value of a member. False, with nothing taken, if there is no such name.
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error>;

    /// From a bare text, where an object is usual.
    fn of_text(_: Text<'de>) -> Self {
        Self::default()
    }
}

/// A record, read from anything: what is no object is an empty record.
pub(super) struct As<T>(pub(super) T);

impl<'de, T: Record<'de>> Deserialize<'de> for As<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Of::<Self>(PhantomData))
    }
}

struct Of<T>(PhantomData<T>);

/// The shapes that a visitor takes for "nothing usable here".
macro_rules! nothing {
    ($($visit:ident: $type:ty),*) => {$(
        fn $visit<E: Error>(self, _: $type) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    )*};
    (unit) => {
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
    (map) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
    (seq) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
}

impl<T: Default> Default for As<T> {
    fn default() -> Self {
        Self(T::default())
    }
}

impl<'de, T: Record<'de>> Visitor<'de> for Of<As<T>> {
    type Value = As<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<As<T>, A::Error> {
        let mut record = T::default();
        while let Some(Key(name)) = map.next_key()? {
            if record.take(&name, &mut map)? {
                continue;
            }
            let known = T::NAMES.iter().find(|known| known.eq_ignore_ascii_case(&name));
            let taken = match known {
                Some(known) => record.take(known, &mut map)?,
                None => false,
            };
            if !taken {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(As(record))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<As<T>, E> {
        Ok(As(T::of_text(Cow::Borrowed(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<As<T>, E> {
        Ok(As(T::of_text(Cow::Owned(text.to_owned()))))
    }

    nothing!(visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64);
    nothing!(unit);
    nothing!(seq);
}

/// The name of a member, borrowed if it can be.
struct Key<'a>(Text<'a>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

/// A text in any scalar form. A fraction is none: its digits would not survive.
#[derive(Default)]
struct Scalar<'a>(Option<Text<'a>>);

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Of::<Self>(PhantomData))
    }
}

impl<'de> Visitor<'de> for Of<Scalar<'de>> {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(Cow::Borrowed(text))))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(Cow::Owned(text.to_owned()))))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(Cow::Owned(number.to_string()))))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(Cow::Owned(number.to_string()))))
    }
    fn visit_bool<E: Error>(self, flag: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(Cow::Borrowed(if flag { "true" } else { "false" }))))
    }
    nothing!(visit_f64: f64);
    nothing!(unit);
    nothing!(map);
    nothing!(seq);
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Yes;
        impl<'de> Visitor<'de> for Yes {
            type Value = Flag;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a flag")
            }
            fn visit_bool<E: Error>(self, flag: bool) -> Result<Flag, E> {
                Ok(if flag { Flag::Yes } else { Flag::No })
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Flag, E> {
                Ok(match text {
                    text if text.eq_ignore_ascii_case("true") => Flag::Yes,
                    text if text.eq_ignore_ascii_case("false") => Flag::No,
                    _ => Flag::Unreadable,
                })
            }
            fn visit_unit<E: Error>(self) -> Result<Flag, E> {
                Ok(Flag::Absent)
            }
            fn visit_u64<E: Error>(self, _: u64) -> Result<Flag, E> {
                Ok(Flag::Unreadable)
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<Flag, E> {
                Ok(Flag::Unreadable)
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Flag, E> {
                Ok(Flag::Unreadable)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Flag, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Flag::Unreadable)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Flag, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Flag::Unreadable)
            }
        }
        deserializer.deserialize_any(Yes)
    }
}

/// A list of records; a lone record is a list of one.
struct Many<T>(Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Record<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Of::<Self>(PhantomData))
    }
}

impl<'de, T: Record<'de>> Visitor<'de> for Of<Many<T>> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Many<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(As(one)) = seq.next_element()? {
            all.push(one);
        }
        Ok(Many(all))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Many<T>, A::Error> {
        let As(one) = Of::<As<T>>(PhantomData).visit_map(map)?;
        Ok(Many(vec![one]))
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Many<T>, E> {
        Ok(Many(vec![T::of_text(Cow::Borrowed(text))]))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Many<T>, E> {
        Ok(Many(vec![T::of_text(Cow::Owned(text.to_owned()))]))
    }
    nothing!(visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64);
    nothing!(unit);
}

/// The `value`s of references to users and groups, and nothing else of them.
#[derive(Default)]
struct Refs<'a>(Vec<Text<'a>>);

impl<'de> Deserialize<'de> for Refs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Of::<Self>(PhantomData))
    }
}

impl<'de> Visitor<'de> for Of<Refs<'de>> {
    type Value = Refs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of references")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Refs<'de>, A::Error> {
        let mut all = Vec::new();
        while let Some(As(Ref(value))) = seq.next_element()? {
            all.push(value);
        }
        Ok(Refs(all))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Refs<'de>, A::Error> {
        let As(Ref(value)) = Of::<As<Ref<'de>>>(PhantomData).visit_map(map)?;
        Ok(Refs(vec![value]))
    }
    nothing!(visit_str: &str, visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64);
    nothing!(unit);
}

#[derive(Default)]
struct Ref<'a>(Text<'a>);

impl<'de> Record<'de> for Ref<'de> {
    const NAMES: &'static [&'static str] = &["value"];

    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "value" => self.0 = text(map)?.unwrap_or_default(),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn of_text(text: Text<'de>) -> Self {
        Self(text)
    }
}

fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Text<'de>>, A::Error> {
    map.next_value::<Scalar<'de>>().map(|scalar| scalar.0)
}

#[derive(Default)]
struct Meta<'a>(Option<Text<'a>>);

impl<'de> Record<'de> for Meta<'de> {
    const NAMES: &'static [&'static str] = &["version"];

    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "version" => self.0 = text(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'de> Record<'de> for TypedUser<'de> {
    const NAMES: &'static [&'static str] = &[
        "id",
        "externalId",
        "userName",
        "displayName",
        "title",
        "userType",
        "active",
        "name",
        "emails",
        ENTERPRISE,
        "meta",
        "groups",
    ];

    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "id" => self.id = text(map)?,
            "externalId" => self.external_id = text(map)?,
            "userName" => self.user_name = text(map)?,
            "displayName" => self.display_name = text(map)?,
            "title" => self.title = text(map)?,
            "userType" => self.user_type = text(map)?,
            "active" => self.active = map.next_value()?,
            "name" => As(self.name) = map.next_value()?,
            "emails" => Many(self.emails) = map.next_value()?,
            ENTERPRISE => As(self.enterprise) = map.next_value()?,
            "meta" => As(Meta(self.version)) = map.next_value()?,
            "groups" => Refs(self.groups) = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'de> Record<'de> for TypedName<'de> {
    const NAMES: &'static [&'static str] = &["formatted", "familyName", "givenName"];

    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "formatted" => self.formatted = text(map)?,
            "familyName" => self.family_name = text(map)?,
            "givenName" => self.given_name = text(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'de> Record<'de> for TypedEnterprise<'de> {
    const NAMES: &'static [&'static str] =
        &["employeeNumber", "department", "costCenter", "organization", "division"];

    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "employeeNumber" => self.employee_number = text(map)?,
            "department" => self.department = text(map)?,
            "costCenter" => self.cost_center = text(map)?,
            "organization" => self.organization = text(map)?,
            "division" => self.division = text(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'de> Record<'de> for TypedElement<'de> {
    const NAMES: &'static [&'static str] = &["value", "type"];

    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "value" => self.value = text(map)?,
            "type" => self.kind = text(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn of_text(text: Text<'de>) -> Self {
        Self { value: Some(text), kind: None }
    }
}

impl<'de> Record<'de> for TypedGroup<'de> {
    const NAMES: &'static [&'static str] = &["id", "externalId", "displayName", "meta", "members"];

    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "id" => self.id = text(map)?,
            "externalId" => self.external_id = text(map)?,
            "displayName" => self.display_name = text(map)?,
            "meta" => As(Meta(self.version)) = map.next_value()?,
            "members" => self.members = Some(map.next_value::<Refs<'de>>()?.0),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'de, T: Record<'de>> Record<'de> for TypedList<'de, T> {
    const NAMES: &'static [&'static str] = &["totalResults", "nextCursor", "Resources"];

    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "totalResults" => self.total = text(map)?.and_then(|total| total.parse().ok()),
            "nextCursor" => self.next_cursor = text(map)?,
            "Resources" => self.resources = Some(map.next_value::<Many<T>>()?.0),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
