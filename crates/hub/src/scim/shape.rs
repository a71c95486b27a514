//! From what a caller sends to a document: names as the schemas write them, values of their types, nothing that a
//! resource does not have. A name that nothing is called is refused and not dropped: `"enabled": false` must not be
//! answered with a 200 that did nothing.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    fault::{Fault, Result, Wrong},
    json::object,
    path::{Place, each, shown},
    schema::{Attribute, IGNORED, Kind, Mutability, Resource, Schemas},
};

/// The longest document, bytes.
const LONGEST: usize = 64 * 1024;
/// The attribute that says whether somebody is there.
pub const ACTIVE: &str = "active";

/// What was sent, in shape.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shaped {
    pub document: Map<String, Value>,
    /// Who is in the group, where that was said.
    pub members: Option<BTreeSet<String>>,
    /// What nobody takes from a caller, by name.
    pub ignored: BTreeSet<String>,
}

fn wrong(detail: String) -> Fault {
    Fault::new(Wrong::Value, detail)
}

/// What is ignored when a user is written, as its schema would write it.
pub fn ignored(name: &str, schemas: &Schemas) -> Option<&'static str> {
    let own = match schemas.split(name) {
        Some((None, rest)) => rest,
        Some((Some(_), _)) | None => name,
    };
    let first = own.split(['.', '[']).next().unwrap_or_default();
    let found = IGNORED.into_iter().find(|known| known.eq_ignore_ascii_case(first));
    found.filter(|_| schemas.resource == Resource::User)
}

/// Brings a whole resource into shape.
pub fn resource(body: Map<String, Value>, schemas: &Schemas) -> Result<Shaped> {
    let mut shaped = Shaped::default();
    for (name, value) in body {
        if name.eq_ignore_ascii_case("schemas") {
            check_schemas(&value, schemas)?;
        } else {
            shaped.entry(&name, value, schemas)?;
        }
    }
    Ok(shaped)
}

fn check_schemas(value: &Value, schemas: &Schemas) -> Result<()> {
    let named: Vec<&str> = each(value).filter_map(Value::as_str).collect();
    let own = &schemas.resource.core().urn;
    match named.iter().any(|urn| urn.eq_ignore_ascii_case(own)) {
        true => Ok(()),
        false => Err(Fault::new(Wrong::Syntax, format!("`schemas` does not name `{own}`"))),
    }
}

impl Shaped {
    fn entry(&mut self, name: &str, value: Value, schemas: &Schemas) -> Result<()> {
        if let Some(ignored) = ignored(name, schemas) {
            self.ignored.insert(ignored.to_owned());
            return Ok(());
        }
        if let Some((schema, "")) = schemas.split(name) {
            let urn = schema.map_or(&schemas.resource.core().urn, |schema| &schema.urn);
            let Some(entries) = object(value) else {
                return Err(wrong(format!("what is below `{urn}` is not an object")));
            };
            // Below a schema names are plain, so this goes no deeper.
            return entries
                .into_iter()
                .try_for_each(|(name, value)| self.entry(&format!("{urn}:{name}"), value, schemas));
        }
        let place = Place::parse(name, schemas).filter(|place| place.part.is_none());
        let Some(Place { extension, attribute, .. }) = place else {
            let what = schemas.resource.name();
            let detail = format!("a {what} of this source has no attribute `{}`", shown(name));
            return Err(Fault::new(Wrong::Syntax, detail));
        };
        if attribute.mutability == Mutability::ReadOnly {
            return Ok(());
        }
        if schemas.resource == Resource::Group && attribute.name == "members" {
            self.members = Some(members(&value)?);
            return Ok(());
        }
        let Some(value) = self::value(attribute, value)? else { return Ok(()) };
        let insert = |home: &mut Map<String, Value>| {
            home.insert(attribute.name.clone().into_owned(), value);
        };
        match extension {
            Some(schema) => within(&mut self.document, &schema.urn, insert),
            None => insert(&mut self.document),
        }
        Ok(())
    }
}

/// Does something to the object below a name, which is there while there is something in it.
pub fn within<T>(
    document: &mut Map<String, Value>,
    name: &str,
    what: impl FnOnce(&mut Map<String, Value>) -> T,
) -> T {
    let mut below = document.remove(name).and_then(object).unwrap_or_default();
    let done = what(&mut below);
    if !below.is_empty() {
        document.insert(name.to_owned(), Value::Object(below));
    }
    done
}

/// A value of an attribute in shape; `None` is no value.
pub fn value(of: &Attribute, value: Value) -> Result<Option<Value>> {
    if !of.multi {
        return single(of, value);
    }
    let items = match value {
        Value::Array(items) => items,
        Value::Null => return Ok(None),
        one @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => vec![one],
    };
    let mut shaped = Vec::with_capacity(items.len());
    for item in items {
        shaped.extend(single(of, item)?);
    }
    Ok((!shaped.is_empty()).then_some(Value::Array(shaped)))
}

/// One value of an attribute in shape; `None` is no value.
pub fn single(of: &Attribute, value: Value) -> Result<Option<Value>> {
    let name = &of.name;
    match (&of.kind, value) {
        (Kind::Flag, Value::Null) if *name == ACTIVE => {
            Err(wrong(format!("`{name}` is `true` or `false`; without a word about it nothing changes")))
        }
        (_, Value::Null) => Ok(None),
        (Kind::Flag, Value::Bool(flag)) => Ok(Some(flag.into())),
        (Kind::Flag, Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true.into())),
            "false" => Ok(Some(false.into())),
            _ => Err(wrong(format!("`{name}` is `true` or `false`"))),
        },
        (Kind::Flag, _) => Err(wrong(format!("`{name}` is `true` or `false`"))),
        (Kind::Text | Kind::Instant | Kind::Reference(_), text @ Value::String(_)) => Ok(Some(text)),
        (Kind::Text | Kind::Instant | Kind::Reference(_), _) => Err(wrong(format!("`{name}` is a text"))),
        (Kind::Complex(_), Value::Object(parts)) => complex(of, parts),
        // Some say who the manager is, or what the address, without its part.
        (Kind::Complex(_), text @ Value::String(_)) => match of.part("value") {
            Some(part) => {
                Ok(Some(Value::Object([(part.name.clone().into_owned(), text)].into_iter().collect())))
            }
            None => Err(wrong(format!("`{name}` is an object"))),
        },
        (Kind::Complex(_), _) => Err(wrong(format!("`{name}` is an object"))),
    }
}

fn complex(of: &Attribute, parts: Map<String, Value>) -> Result<Option<Value>> {
    let mut shaped = Map::new();
    for (name, value) in parts {
        match of.part(&name) {
            Some(part) if part.mutability == Mutability::ReadOnly => {}
            Some(part) => {
                if let Some(value) = single(part, value)? {
                    shaped.insert(part.name.clone().into_owned(), value);
                }
            }
            None => {
                let detail = format!("`{}` has no part `{}`", of.name, shown(&name));
                return Err(Fault::new(Wrong::Syntax, detail));
            }
        }
    }
    Ok((!shaped.is_empty()).then_some(Value::Object(shaped)))
}

/// The ids of members: texts, or objects with a `value`.
pub fn members(value: &Value) -> Result<BTreeSet<String>> {
    let id = |member: &Value| {
        let id = member.as_str().or_else(|| {
            let parts = member.as_object()?;
            parts.iter().find(|(name, _)| name.eq_ignore_ascii_case("value"))?.1.as_str()
        });
        id.map(str::to_owned).ok_or_else(|| wrong("a member is an object with its id as `value`".into()))
    };
    each(value).filter(|member| !member.is_null()).map(id).collect()
}

/// Looks at a document as a whole: what must be there is, and one value at most is the primary one.
pub fn whole(document: &Map<String, Value>, schemas: &Schemas) -> Result<()> {
    for attribute in schemas.resource.core().attributes.iter().filter(|attribute| attribute.required) {
        let said = match document.get(&*attribute.name) {
            Some(Value::String(text)) => !text.trim().is_empty(),
            Some(Value::Bool(_)) => true,
            Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => false,
        };
        if !said {
            return Err(wrong(format!("`{}` must be there and not be empty", attribute.name)));
        }
    }
    for (name, value) in document {
        let primary = each(value).filter(|value| value.get("primary") == Some(&Value::Bool(true)));
        if primary.count() > 1 {
            return Err(wrong(format!("more than one value of `{name}` is the primary one")));
        }
    }
    match serde_json::to_vec(document).map_or(0, |bytes| bytes.len()) > LONGEST {
        true => Err(wrong(format!("the resource is longer than {LONGEST} bytes"))),
        false => Ok(()),
    }
}
