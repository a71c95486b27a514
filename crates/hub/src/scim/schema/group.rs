//! `urn:ietf:params:scim:schemas:core:2.0:Group` (RFC 7643 §4.2).

use std::borrow::Cow;

use super::{Attribute, Kind, Schema};

pub static SCHEMA: Schema = Schema {
    urn: Cow::Borrowed("urn:ietf:params:scim:schemas:core:2.0:Group"),
    name: "Group",
    what: "A group",
    attributes: Cow::Borrowed(&ATTRIBUTES),
};

static ATTRIBUTES: [Attribute; 2] = [
    Attribute::text("displayName", "What the group is called").required(),
    Attribute::complex("members", &MEMBER, "Who and what is in the group").multi(),
];

static MEMBER: [Attribute; 3] = [
    Attribute::text("value", "The id of the member").exact().immutable(),
    Attribute::new("$ref", Kind::Reference(&["User", "Group"]), "The address of the member")
        .exact()
        .immutable(),
    Attribute::text("type", "What the member is").canonical(&["User", "Group"]).immutable(),
];
