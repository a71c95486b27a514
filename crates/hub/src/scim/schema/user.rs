//! `urn:ietf:params:scim:schemas:core:2.0:User` (RFC 7643 §4.1), without the attributes that nobody here takes from a
//! caller: passwords, certificates, and what would give rights.

use std::borrow::Cow;

use super::{Attribute, Kind, Returned, Schema};

pub static SCHEMA: Schema = Schema {
    urn: Cow::Borrowed("urn:ietf:params:scim:schemas:core:2.0:User"),
    name: "User",
    what: "A person",
    attributes: Cow::Borrowed(&ATTRIBUTES),
};

/// What is ignored on a user and written down as evidence: nobody gives rights to somebody by saying that they have
/// them, and nobody keeps passwords here.
pub const IGNORED: [&str; 5] = ["roles", "entitlements", "groups", "password", "x509Certificates"];

static ATTRIBUTES: [Attribute; 17] = [
    Attribute::text("userName", "The name by which the person signs in; unique whatever its case")
        .required()
        .unique(),
    Attribute::complex("name", &NAME, "The parts of the name"),
    Attribute::text("displayName", "What to call the person"),
    Attribute::text("nickName", "What friends call the person"),
    Attribute::new("profileUrl", Kind::Reference(&["external"]), "A page about the person").exact(),
    Attribute::text("title", "The title, such as `Vice President`"),
    Attribute::text("userType", "The relation to the organization, such as `Contractor`"),
    Attribute::text("preferredLanguage", "The preferred language (RFC 7231 §5.3.5)"),
    Attribute::text("locale", "The locale, such as `en-US`"),
    Attribute::text("timezone", "The time zone, such as `Europe/Berlin`"),
    Attribute::new("active", Kind::Flag, "Whether the person is there; `false` has them leave").required(),
    Attribute::complex("emails", &EMAIL, "E-mail addresses").multi(),
    Attribute::complex("phoneNumbers", &PHONE, "Telephone numbers").multi(),
    Attribute::complex("ims", &IM, "Instant messaging addresses").multi(),
    Attribute::complex("photos", &PHOTO, "Addresses of photos").multi(),
    Attribute::complex("addresses", &ADDRESS, "Postal addresses").multi(),
    Attribute::complex("groups", &GROUP, "The groups that the person is in")
        .multi()
        .read_only()
        .returned(Returned::Request),
];

static NAME: [Attribute; 6] = [
    Attribute::text("formatted", "The full name"),
    Attribute::text("familyName", "The family name"),
    Attribute::text("givenName", "The given name"),
    Attribute::text("middleName", "The middle names"),
    Attribute::text("honorificPrefix", "What stands before the name"),
    Attribute::text("honorificSuffix", "What stands after the name"),
];

const PRIMARY: Attribute = Attribute::new("primary", Kind::Flag, "Whether it is the preferred one");
const DISPLAY: Attribute = Attribute::text("display", "How to show it");

static EMAIL: [Attribute; 4] = [
    Attribute::text("value", "The address"),
    DISPLAY,
    Attribute::text("type", "What it is for").canonical(&["work", "home", "other"]),
    PRIMARY,
];

static PHONE: [Attribute; 4] = [
    Attribute::text("value", "The number"),
    DISPLAY,
    Attribute::text("type", "What it is for").canonical(&["work", "home", "mobile", "fax", "pager", "other"]),
    PRIMARY,
];

static IM: [Attribute; 4] =
    [Attribute::text("value", "The address"), DISPLAY, Attribute::text("type", "The service"), PRIMARY];

static PHOTO: [Attribute; 4] = [
    Attribute::new("value", Kind::Reference(&["external"]), "The address").exact(),
    DISPLAY,
    Attribute::text("type", "Its size").canonical(&["photo", "thumbnail"]),
    PRIMARY,
];

static ADDRESS: [Attribute; 8] = [
    Attribute::text("formatted", "The whole address"),
    Attribute::text("streetAddress", "The street and the number"),
    Attribute::text("locality", "The city"),
    Attribute::text("region", "The state or region"),
    Attribute::text("postalCode", "The postal code"),
    Attribute::text("country", "The country (ISO 3166-1)"),
    Attribute::text("type", "What it is for").canonical(&["work", "home", "other"]),
    PRIMARY,
];

static GROUP: [Attribute; 4] = [
    Attribute::text("value", "The id of the group").exact().read_only(),
    Attribute::new("$ref", Kind::Reference(&["Group"]), "The address of the group").exact().read_only(),
    Attribute::text("display", "What the group is called").read_only(),
    Attribute::text("type", "How").canonical(&["direct"]).read_only(),
];
