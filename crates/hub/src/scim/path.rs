//! Paths to what is in a resource (RFC 7644 §3.5.2, figure 7): `name.givenName`, `emails[type eq "work"].value`,
//! `urn:…:User:department`. A path that names nothing there is refused when it is read.

use serde_json::{Map, Value};

use super::{
    fault::{Fault, Result, Wrong},
    filter::{Filter, parse_values},
    schema::{Attribute, Schema, Schemas, is_urn},
};

/// The longest path, bytes.
const LONGEST: usize = 1_024;

/// Where something is in a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path<'s> {
    /// All of an extension.
    Extension(&'s Schema),
    /// An attribute, of it the values for which the filter holds, of these one part.
    Attribute {
        /// The attribute.
        of: Place<'s>,
        /// Which of its values.
        filter: Option<Filter<'s>>,
    },
}

/// An attribute or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'s> {
    /// The extension that it belongs to; `None` is the resource's own.
    pub extension: Option<&'s Schema>,
    /// The attribute.
    pub attribute: &'s Attribute,
    /// The part of it.
    pub part: Option<&'static Attribute>,
}

impl<'s> Place<'s> {
    /// Reads `attribute` or `attribute.part`, with or without the URN of its schema.
    pub fn parse(text: &str, schemas: &'s Schemas) -> Option<Self> {
        let (extension, names) = match schemas.split(text) {
            Some((_, "")) => return None,
            Some((extension, names)) => (extension, names),
            None => (None, text),
        };
        let (name, part) = match names.split_once('.') {
            Some((name, part)) => (name, Some(part)),
            None => (names, None),
        };
        let attribute = match extension {
            Some(schema) => schema.attribute(name)?,
            None => schemas.attribute(name)?,
        };
        let part = match part {
            Some(part) => Some(attribute.part(part)?),
            None => None,
        };
        Some(Self { extension, attribute, part })
    }

    /// The object in which the attribute is.
    pub fn home<'d>(&self, document: &'d Map<String, Value>) -> Option<&'d Map<String, Value>> {
        match self.extension {
            Some(schema) => document.get(&*schema.urn)?.as_object(),
            None => Some(document),
        }
    }

    /// What is compared and sorted by: the part, or the attribute itself. Of a complex attribute that is its `value`.
    pub fn leaf(&self) -> &'s Attribute {
        match self.part {
            Some(part) => part,
            None => self.attribute.part("value").unwrap_or(self.attribute),
        }
    }

    /// All its values in a document: of several complex ones the part of each, or their `value`.
    pub fn values<'d>(&self, document: &'d Map<String, Value>) -> Vec<&'d Value> {
        let Some(found) = self.home(document).and_then(|home| home.get(&*self.attribute.name)) else {
            return Vec::new();
        };
        each(found).filter_map(|value| self.within(value)).collect()
    }

    fn within<'d>(&self, value: &'d Value) -> Option<&'d Value> {
        match self.part {
            Some(part) => value.get(&*part.name),
            None => match value {
                Value::Object(map) => map.get("value").or(Some(value)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                    Some(value)
                }
            },
        }
    }

    /// The one value that stands for all: the primary one, or the one for work, or the first.
    pub fn preferred<'d>(&self, document: &'d Map<String, Value>) -> Option<&'d Value> {
        let found = self.home(document)?.get(&*self.attribute.name)?;
        let all: Vec<&Value> = each(found).collect();
        let primary = all.iter().find(|value| value.get("primary") == Some(&Value::Bool(true)));
        let for_work = || {
            let is = |value: &&&Value| {
                value
                    .get("type")
                    .and_then(Value::as_str)
                    .is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
            };
            all.iter().find(is)
        };
        self.within(primary.or_else(for_work).or(all.first())?)
    }
}

/// The single values of an attribute.
pub fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let (many, one) = match value {
        Value::Array(items) => (Some(items), None),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            (None, Some(value))
        }
    };
    many.into_iter().flatten().chain(one)
}

impl<'s> Path<'s> {
    /// Reads a path.
    ///
    /// # Errors
    /// `invalidPath` when it is none, or names nothing that a resource has.
    pub fn parse(text: &str, schemas: &'s Schemas) -> Result<Self> {
        let wrong = |why: &str| Fault::new(Wrong::Path, format!("the path `{}` {why}", shown(text)));
        if text.len() > LONGEST {
            return Err(wrong("is too long"));
        }
        if let Some((Some(schema), "")) = schemas.split(text) {
            return Ok(Self::Extension(schema));
        }
        let Some((before, rest)) = text.split_once('[') else {
            let of = Place::parse(text, schemas).ok_or_else(|| wrong(&unknown(text, schemas)))?;
            return Ok(Self::Attribute { of, filter: None });
        };
        let of = Place::parse(before, schemas).filter(|of| of.part.is_none());
        let of = of.ok_or_else(|| wrong(&unknown(before, schemas)))?;
        if !of.attribute.multi || of.attribute.parts().is_empty() {
            return Err(wrong("picks values of an attribute that has only one"));
        }
        // The last bracket: a text in the filter may have some too.
        let (condition, after) = rest.rsplit_once(']').ok_or_else(|| wrong("has no `]`"))?;
        let filter = parse_values(condition, of.attribute)
            .map_err(|fault| wrong(&format!("has a filter that is none: {}", fault.detail)))?;
        let part = match after {
            "" => None,
            _ => {
                let part = after.strip_prefix('.').and_then(|part| of.attribute.part(part));
                Some(part.ok_or_else(|| wrong("names a part that the attribute does not have"))?)
            }
        };
        Ok(Self::Attribute { of: Place { part, ..of }, filter: Some(filter) })
    }

    /// All values that it names in a document.
    pub fn values<'d>(&self, document: &'d Map<String, Value>) -> Vec<&'d Value> {
        match self {
            Self::Extension(schema) => document.get(&*schema.urn).into_iter().collect(),
            Self::Attribute { of, filter: None } => of.values(document),
            Self::Attribute { of, filter: Some(filter) } => {
                let found = of.home(document).and_then(|home| home.get(&*of.attribute.name));
                let picked = found.into_iter().flat_map(each).filter(|value| filter.holds_of(value));
                picked.filter_map(|value| of.within(value)).collect()
            }
        }
    }

    /// The one value that stands for what it names.
    pub fn preferred<'d>(&self, document: &'d Map<String, Value>) -> Option<&'d Value> {
        match self {
            Self::Attribute { of, filter: None } => of.preferred(document),
            Self::Extension(_) | Self::Attribute { .. } => self.values(document).into_iter().next(),
        }
    }
}

fn unknown(text: &str, schemas: &Schemas) -> String {
    let known_schema = schemas.split(text).is_some();
    match is_urn(text) && !known_schema {
        true => "is of a schema that this source does not have".to_owned(),
        false => format!("names nothing that a {} has", schemas.resource.name()),
    }
}

/// A text of the caller's as it is told back.
pub fn shown(text: &str) -> String {
    text.chars().take(80).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::schema::Resource;

    fn user() -> Schemas {
        Schemas::of(Resource::User).with([
            "urn:acme:hr:2.0:User:site",
            "userName",
            "emails[type eq \"x\"].value",
        ])
    }

    #[test]
    fn a_path_finds_what_it_names_whatever_its_case() {
        let document = json!({
            "userName": "ann", "active": true, "name": { "givenName": "Ann" },
            "emails": [{ "value": "a@home", "type": "home" }, { "value": "a@work", "type": "work" }],
            "phoneNumbers": [{ "value": "1" }, { "value": "2", "primary": true }],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Sales", "manager": { "value": "m" } },
            "urn:acme:hr:2.0:User": { "site": "ber" },
        });
        let document = document.as_object().unwrap();
        let schemas = user();
        let check = |text: &str, all: &[&str], preferred: Option<&str>| {
            let path = Path::parse(text, &schemas).unwrap();
            let found: Vec<String> = path
                .values(document)
                .iter()
                .map(|v| v.as_str().map_or(v.to_string(), str::to_owned))
                .collect();
            assert_eq!(found, all, "{text}");
            assert_eq!(path.preferred(document).and_then(Value::as_str), preferred, "{text}");
        };
        check("userName", &["ann"], Some("ann"));
        check("USERNAME", &["ann"], Some("ann"));
        check("Name.GivenName", &["Ann"], Some("Ann"));
        check("emails", &["a@home", "a@work"], Some("a@work"));
        check("emails.value", &["a@home", "a@work"], Some("a@work"));
        check("phoneNumbers", &["1", "2"], Some("2"));
        check("emails[type eq \"HOME\"].value", &["a@home"], Some("a@home"));
        check("emails[type eq \"home\" and value co \"]\"].value", &[], None);
        check("urn:ietf:params:scim:schemas:core:2.0:User:userName", &["ann"], Some("ann"));
        check("URN:IETF:params:scim:schemas:core:2.0:user:Name.givenName", &["Ann"], Some("Ann"));
        check(
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            &["Sales"],
            Some("Sales"),
        );
        check("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", &["m"], Some("m"));
        check("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", &["m"], Some("m"));
        check("urn:acme:hr:2.0:User:site", &["ber"], Some("ber"));
        check("externalId", &[], None);
        assert!(matches!(Path::parse("urn:acme:HR:2.0:User", &schemas), Ok(Path::Extension(_))));
    }

    #[test]
    fn a_path_that_names_nothing_is_refused() {
        for text in [
            "",
            ".",
            "[",
            "]",
            "enabled",
            "name.first",
            "userName.value",
            "emails.nothing",
            "emails[",
            "emails[]",
            "emails[type eq \"work\"",
            "emails[type eq \"work\"]value",
            "emails[type eq \"work\"].nothing",
            "emails[kind eq \"work\"]",
            "emails.value[type eq \"work\"]",
            "name[givenName eq \"x\"]",
            "userName[value eq \"x\"]",
            "urn:foo:bar:active",
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:core:2.0:User:",
            "urn:ietf:params:scim:schemas:core:2.0:Group:members",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:active",
            "members",
            "active ",
            "a\u{0}b",
        ] {
            let fault = Path::parse(text, &user()).unwrap_err();
            assert_eq!(fault.code, "scim-path", "{text}");
        }
        assert!(Path::parse(&"a".repeat(5_000), &user()).is_err());
    }
}
