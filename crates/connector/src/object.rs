//! Things on a system as a connector shows them, borrowed from the page they came in.

use std::borrow::Cow;

use bailiwick_core::time::Timestamp;

/// Whether a thing works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ObjectState {
    /// It can be used now.
    #[default]
    Live,
    /// It is there and cannot be used now.
    Blocked,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectValue<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    Many(Vec<Cow<'a, str>>),
    /// Said to be empty, as opposed to not said at all.
    Null,
}

/// A person, an account, a group, or something that an account holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object<'a> {
    /// The system's id; bytes and case are kept.
    pub id: Cow<'a, str>,
    /// The name people use: sign-in name, display name of a group, SKU of a licence.
    pub name: Cow<'a, str>,
    /// The hub's marker on it, if it bears one (SCIM: `externalId`).
    pub marker: Option<Cow<'a, str>>,
    /// Whether it works.
    pub state: ObjectState,
    /// The version for conditional writes.
    pub version: Option<Cow<'a, str>>,
    /// When the system will purge it, if it is only blocked.
    pub purges_at: Option<Timestamp>,
    /// Its attributes, in the connector's names.
    pub attributes: Vec<(Cow<'a, str>, ObjectValue<'a>)>,
    /// For a group, the ids of its members, accounts and groups. For an account, the ids of the groups
    /// it says to be in directly; the groups themselves are the better witness.
    pub links: Vec<Cow<'a, str>>,
}

impl Object<'_> {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&ObjectValue<'_>> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// A copy that owns all it says.
    pub fn into_owned(self) -> Object<'static> {
        let own = |c: Cow<'_, str>| Cow::Owned(c.into_owned());
        Object {
            id: own(self.id),
            name: own(self.name),
            marker: self.marker.map(own),
            state: self.state,
            version: self.version.map(own),
            purges_at: self.purges_at,
            attributes: self.attributes.into_iter().map(|(n, v)| (own(n), v.into_owned())).collect(),
            links: self.links.into_iter().map(own).collect(),
        }
    }
}

impl ObjectValue<'_> {
    /// A copy that owns all it says.
    pub fn into_owned(self) -> ObjectValue<'static> {
        match self {
            Self::Text(t) => ObjectValue::Text(Cow::Owned(t.into_owned())),
            Self::Flag(f) => ObjectValue::Flag(f),
            Self::Many(m) => ObjectValue::Many(m.into_iter().map(|t| Cow::Owned(t.into_owned())).collect()),
            Self::Null => ObjectValue::Null,
        }
    }
}
