//! `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User` (RFC 7643 §4.3).

use std::borrow::Cow;

use super::{Attribute, Kind, Schema};

pub static SCHEMA: Schema = Schema {
    urn: Cow::Borrowed("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"),
    name: "EnterpriseUser",
    what: "What an enterprise knows of a person",
    attributes: Cow::Borrowed(&ATTRIBUTES),
};

static ATTRIBUTES: [Attribute; 6] = [
    Attribute::text("employeeNumber", "The number of the employee"),
    Attribute::text("costCenter", "The cost center"),
    Attribute::text("organization", "The organization"),
    Attribute::text("division", "The division"),
    Attribute::text("department", "The department"),
    Attribute::complex("manager", &MANAGER, "Who the person reports to"),
];

static MANAGER: [Attribute; 3] = [
    Attribute::text("value", "The id of the manager").exact(),
    Attribute::new("$ref", Kind::Reference(&["User"]), "The address of the manager").exact(),
    Attribute::text("displayName", "What the manager is called").read_only(),
];
