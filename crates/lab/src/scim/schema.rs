//! The schemas (RFC 7643 §4, §7): one table that the documents, filters, paths and discovery all follow.
//!
//! Absent on purpose: `password`, certificates, photos, roles and entitlements. An attribute that is not in the table
//! is refused, never dropped silently.

use serde_json::{Value, json};

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Flag,
    Instant,
    Reference,
    Complex,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) many: bool,
    pub(crate) case_exact: bool,
    pub(crate) required: bool,
    pub(crate) read_only: bool,
    pub(crate) unique: bool,
    pub(crate) parts: &'static [Attribute],
}

const fn plain(name: &'static str, kind: Kind) -> Attribute {
    Attribute {
        name,
        kind,
        many: false,
        case_exact: false,
        required: false,
        read_only: false,
        unique: false,
        parts: &[],
    }
}

const fn text(name: &'static str) -> Attribute {
    plain(name, Kind::Text)
}

const fn exact(name: &'static str) -> Attribute {
    Attribute { case_exact: true, ..text(name) }
}

const fn required(attribute: Attribute) -> Attribute {
    Attribute { required: true, ..attribute }
}

const fn read_only(attribute: Attribute) -> Attribute {
    Attribute { read_only: true, ..attribute }
}

const fn complex(name: &'static str, parts: &'static [Attribute]) -> Attribute {
    Attribute { parts, ..plain(name, Kind::Complex) }
}

const fn many(name: &'static str, parts: &'static [Attribute]) -> Attribute {
    Attribute { many: true, ..complex(name, parts) }
}

const REF: Attribute = Attribute { case_exact: true, ..plain("$ref", Kind::Reference) };

const PLURAL: &[Attribute] = &[text("value"), text("display"), text("type"), plain("primary", Kind::Flag)];

const NAME: &[Attribute] = &[
    text("formatted"),
    text("familyName"),
    text("givenName"),
    text("middleName"),
    text("honorificPrefix"),
    text("honorificSuffix"),
];

const ADDRESS: &[Attribute] = &[
    text("formatted"),
    text("streetAddress"),
    text("locality"),
    text("region"),
    text("postalCode"),
    text("country"),
    text("type"),
    plain("primary", Kind::Flag),
];

/// Attributes of every resource (RFC 7643 §3.1); not part of any schema.
pub(crate) const COMMON: &[Attribute] = &[
    read_only(exact("id")),
    exact("externalId"),
    read_only(complex(
        "meta",
        &[
            exact("resourceType"),
            plain("created", Kind::Instant),
            plain("lastModified", Kind::Instant),
            exact("location"),
            exact("version"),
        ],
    )),
];

const USER_ATTRIBUTES: &[Attribute] = &[
    Attribute { unique: true, ..required(text("userName")) },
    complex("name", NAME),
    text("displayName"),
    text("nickName"),
    plain("profileUrl", Kind::Reference),
    text("title"),
    text("userType"),
    text("preferredLanguage"),
    text("locale"),
    text("timezone"),
    plain("active", Kind::Flag),
    many("emails", PLURAL),
    many("phoneNumbers", PLURAL),
    many("addresses", ADDRESS),
    read_only(many("groups", &[exact("value"), REF, text("display"), text("type")])),
];

const ENTERPRISE_ATTRIBUTES: &[Attribute] = &[
    text("employeeNumber"),
    text("costCenter"),
    text("organization"),
    text("division"),
    text("department"),
    complex("manager", &[exact("value"), REF, read_only(text("displayName"))]),
];

const GROUP_ATTRIBUTES: &[Attribute] = &[
    required(text("displayName")),
    many("members", &[exact("value"), REF, read_only(text("display")), read_only(text("type"))]),
];

#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) urn: &'static str,
    pub(crate) name: &'static str,
    pub(crate) attributes: &'static [Attribute],
}

pub(crate) const SCHEMAS: [&Schema; 3] = [&USER_SCHEMA, &GROUP_SCHEMA, &ENTERPRISE_SCHEMA];
const USER_SCHEMA: Schema = Schema { urn: USER, name: "User", attributes: USER_ATTRIBUTES };
const GROUP_SCHEMA: Schema = Schema { urn: GROUP, name: "Group", attributes: GROUP_ATTRIBUTES };
const ENTERPRISE_SCHEMA: Schema =
    Schema { urn: ENTERPRISE, name: "EnterpriseUser", attributes: ENTERPRISE_ATTRIBUTES };

/// The two kinds of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResourceKind {
    User,
    Group,
}

impl ResourceKind {
    pub(crate) fn name(self) -> &'static str {
        self.core().name
    }

    /// Path segment of its endpoint.
    pub(crate) fn endpoint(self) -> &'static str {
        match self {
            ResourceKind::User => "Users",
            ResourceKind::Group => "Groups",
        }
    }

    pub(crate) fn core(self) -> &'static Schema {
        match self {
            ResourceKind::User => &USER_SCHEMA,
            ResourceKind::Group => &GROUP_SCHEMA,
        }
    }

    pub(crate) fn extension(self) -> Option<&'static Schema> {
        match self {
            ResourceKind::User => Some(&ENTERPRISE_SCHEMA),
            ResourceKind::Group => None,
        }
    }

    /// A common or core attribute; names compare without case (RFC 7643 §2.1).
    pub(crate) fn attribute(self, name: &str) -> Option<&'static Attribute> {
        named(COMMON, name).or_else(|| named(self.core().attributes, name))
    }
}

pub(crate) fn named(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// The schema as RFC 7643 §7 represents it.
pub(crate) fn represent(schema: &Schema, base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": schema.urn,
        "name": schema.name,
        "description": format!("Attributes of {}", schema.name),
        "attributes": schema.attributes.iter().map(represent_attribute).collect::<Vec<_>>(),
        "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{}", schema.urn)},
    })
}

fn represent_attribute(attribute: &Attribute) -> Value {
    let kind = match attribute.kind {
        Kind::Text => "string",
        Kind::Flag => "boolean",
        Kind::Instant => "dateTime",
        Kind::Reference => "reference",
        Kind::Complex => "complex",
    };
    let mut value = json!({
        "name": attribute.name,
        "type": kind,
        "multiValued": attribute.many,
        "description": attribute.name,
        "required": attribute.required,
        "caseExact": attribute.case_exact,
        "mutability": if attribute.read_only { "readOnly" } else { "readWrite" },
        "returned": "default",
        "uniqueness": if attribute.unique { "server" } else { "none" },
    });
    if attribute.kind == Kind::Reference {
        value["referenceTypes"] = json!(["User", "Group"]);
    }
    if !attribute.parts.is_empty() {
        value["subAttributes"] = attribute.parts.iter().map(represent_attribute).collect();
    }
    value
}
