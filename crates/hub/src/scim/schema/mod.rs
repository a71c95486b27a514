//! What resources have: the attributes of RFC 7643 that are spoken here, as values from which everything follows:
//! what is read, what is compared how, and what `/Schemas` says.

mod enterprise;
mod group;
mod render;
mod user;

use std::borrow::Cow;

pub use self::{
    render::{resource_type, schema},
    user::IGNORED,
};

/// The type of a value (RFC 7643 §2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Text,
    Flag,
    Instant,
    /// The types of what is referred to.
    Reference(&'static [&'static str]),
    Complex(&'static [Attribute]),
}

/// Who may change it (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    ReadWrite,
    ReadOnly,
    Immutable,
}

/// When it is in an answer (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    Always,
    Default,
    Request,
}

/// One attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub name: Cow<'static, str>,
    pub kind: Kind,
    /// Several values.
    pub multi: bool,
    pub required: bool,
    /// Its case matters.
    pub exact: bool,
    pub mutability: Mutability,
    pub returned: Returned,
    /// No two resources of a source have the same.
    pub unique: bool,
    pub canonical: &'static [&'static str],
    pub what: &'static str,
}

impl Attribute {
    const fn new(name: &'static str, kind: Kind, what: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            kind,
            multi: false,
            required: false,
            exact: false,
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            unique: false,
            canonical: &[],
            what,
        }
    }

    const fn text(name: &'static str, what: &'static str) -> Self {
        Self::new(name, Kind::Text, what)
    }

    const fn complex(name: &'static str, sub: &'static [Self], what: &'static str) -> Self {
        Self::new(name, Kind::Complex(sub), what)
    }

    const fn multi(mut self) -> Self {
        self.multi = true;
        self
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn exact(mut self) -> Self {
        self.exact = true;
        self
    }

    const fn read_only(mut self) -> Self {
        self.mutability = Mutability::ReadOnly;
        self
    }

    const fn immutable(mut self) -> Self {
        self.mutability = Mutability::Immutable;
        self
    }

    const fn returned(mut self, returned: Returned) -> Self {
        self.returned = returned;
        self
    }

    const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    const fn canonical(mut self, canonical: &'static [&'static str]) -> Self {
        self.canonical = canonical;
        self
    }

    /// Its parts; none of a simple one.
    pub const fn parts(&self) -> &'static [Self] {
        match self.kind {
            Kind::Complex(parts) => parts,
            Kind::Text | Kind::Flag | Kind::Instant | Kind::Reference(_) => &[],
        }
    }

    /// Its part that is called so, whatever the case.
    pub fn part(&self, name: &str) -> Option<&'static Self> {
        named(self.parts(), name)
    }
}

fn named<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// A schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    pub urn: Cow<'static, str>,
    pub name: &'static str,
    pub what: &'static str,
    pub attributes: Cow<'static, [Attribute]>,
}

impl Schema {
    /// The attribute that is called so, whatever the case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        named(&self.attributes, name)
    }

    /// Whether this is its URN; RFC 8141 §3.1 compares without case here.
    pub fn is(&self, urn: &str) -> bool {
        self.urn.eq_ignore_ascii_case(urn)
    }

    /// What follows in a text after this URN and a colon; empty where nothing does.
    fn after<'t>(&self, text: &'t str) -> Option<&'t str> {
        let (start, rest) = text.split_at_checked(self.urn.len())?;
        let rest = if rest.is_empty() { Some(rest) } else { rest.strip_prefix(':') };
        rest.filter(|_| self.is(start))
    }
}

/// What every resource has (RFC 7643 §3.1), besides `schemas`.
pub static COMMON: [Attribute; 4] = [
    Attribute::text("id", "The id of the resource here")
        .exact()
        .read_only()
        .returned(Returned::Always)
        .unique(),
    Attribute::text("externalId", "The id of the resource at the client").exact(),
    Attribute::complex("meta", &META, "What the hub knows of the resource").read_only(),
    Attribute::new("schemas", Kind::Reference(&["uri"]), "The schemas of the resource")
        .multi()
        .exact()
        .read_only()
        .returned(Returned::Always),
];

static META: [Attribute; 5] = [
    Attribute::text("resourceType", "The type of the resource").exact().read_only(),
    Attribute::new("created", Kind::Instant, "When it was made").read_only(),
    Attribute::new("lastModified", Kind::Instant, "When it was last changed").read_only(),
    Attribute::new("location", Kind::Reference(&["uri"]), "Its address").exact().read_only(),
    Attribute::text("version", "Its version, as an entity tag").exact().read_only(),
];

/// The types of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    User,
    Group,
}

impl Resource {
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// The name of the type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// Where it is, below the base.
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }

    /// Its own schema.
    pub fn core(self) -> &'static Schema {
        match self {
            Self::User => &user::SCHEMA,
            Self::Group => &group::SCHEMA,
        }
    }

    /// The extensions that it always may have.
    pub fn extensions(self) -> &'static [Schema] {
        match self {
            Self::User => std::slice::from_ref(&enterprise::SCHEMA),
            Self::Group => &[],
        }
    }
}

/// Every schema of RFC 7643 that is spoken.
pub fn all() -> [&'static Schema; 3] {
    [&user::SCHEMA, &enterprise::SCHEMA, &group::SCHEMA]
}

/// What a resource of one source may have: its type, and the extensions that the source's settings name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schemas {
    pub resource: Resource,
    custom: Vec<Schema>,
}

impl Schemas {
    /// Those of a type, without extensions of one's own.
    pub const fn of(resource: Resource) -> Self {
        Self { resource, custom: Vec::new() }
    }

    /// The same with the attributes that paths of unknown schemas name: texts.
    pub fn with<'p>(mut self, paths: impl IntoIterator<Item = &'p str>) -> Self {
        for path in paths {
            let known = |schema: &Schema| schema.after(path).is_some();
            let own = known(self.resource.core()) || self.resource.extensions().iter().any(known);
            let custom = is_urn(path) && !own && !path.contains('[');
            let Some((urn, name)) = path.rsplit_once(':').filter(|_| custom) else { continue };
            let attribute = Attribute { name: Cow::Owned(name.to_owned()), ..Attribute::text("", "") };
            match self.custom.iter_mut().find(|schema| schema.is(urn)) {
                Some(schema) if schema.attribute(name).is_none() => {
                    schema.attributes.to_mut().push(attribute)
                }
                Some(_) => {}
                None => self.custom.push(Schema {
                    urn: Cow::Owned(urn.to_owned()),
                    name: "Extension",
                    what: "Named by the settings of the source",
                    attributes: Cow::Owned(vec![attribute]),
                }),
            }
        }
        self
    }

    /// The extensions, those of one's own too.
    pub fn extensions(&self) -> impl Iterator<Item = &Schema> {
        self.resource.extensions().iter().chain(&self.custom)
    }

    /// The attribute of the resource itself that is called so.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        named(&COMMON, name).or_else(|| self.resource.core().attribute(name))
    }

    /// The schema with which a text begins, and what follows after the colon; empty where nothing does. The schema is
    /// `None` for the resource's own.
    pub fn split<'t>(&self, text: &'t str) -> Option<(Option<&Schema>, &'t str)> {
        let own = self.resource.core().after(text).map(|rest| (None, rest));
        own.or_else(|| self.extensions().find_map(|schema| Some((Some(schema), schema.after(text)?))))
    }
}

/// Whether a name is a URN and so of a schema.
pub fn is_urn(name: &str) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
}
