//! A resource for PUT (RFC 7644 §3.5.1): what is not changed keeps its bytes, also what nobody here knows.
//!
//! Members are kept as raw JSON in their order; only what a change touches is taken apart. Read-only
//! members that the connector knows (`meta`, `groups`) are left out.

use std::fmt;

use bailiwick_connector::{ConnectorError, ErrorKind, Result};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use super::{decode::malformed, path::ScimPath};

/// A JSON object as raw members in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Document(Vec<(String, Box<RawValue>)>);

impl Document {
    /// Parses a resource and drops its read-only members.
    ///
    /// # Errors
    /// `Malformed` if it is no JSON object.
    pub(super) fn resource(bytes: &[u8]) -> Result<Self> {
        let mut document: Self =
            serde_json::from_slice(bytes).map_err(|error| malformed(&error.to_string()))?;
        document.0.retain(|(name, _)| {
            !["meta", "groups"].iter().any(|read_only| name.eq_ignore_ascii_case(read_only))
        });
        Ok(document)
    }

    /// The bytes to send.
    ///
    /// # Errors
    /// None that can happen: names are texts and values are JSON.
    pub(super) fn bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| malformed(&error.to_string()))
    }

    /// A member, parsed; names compare without case.
    pub(super) fn member(&self, name: &str) -> Option<Value> {
        let (_, raw) = self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
        serde_json::from_str(raw.get()).ok()
    }

    fn raw(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, raw)| &**raw)
    }

    fn put(&mut self, name: &str, raw: Box<RawValue>) {
        match self.0.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some((_, slot)) => *slot = raw,
            None => self.0.push((name.to_owned(), raw)),
        }
    }

    /// Gives a member a value; what has it already keeps its bytes. Says whether anything changed.
    pub(super) fn set(&mut self, name: &str, value: &Value) -> Result<bool> {
        if self.member(name).as_ref() == Some(value) {
            return Ok(false);
        }
        self.put(name, raw(value)?);
        Ok(true)
    }

    /// Gives the place at a path of a user a value. Says whether anything changed.
    ///
    /// # Errors
    /// `Invalid` if the resource has something else there than the path expects.
    pub(super) fn set_path(&mut self, path: &ScimPath, value: &Value) -> Result<bool> {
        let Some(schema) = &path.schema else { return self.set_attribute(path, value) };
        let mut extension = self.child(schema, path)?;
        let changed = extension.set_attribute(path, value)?;
        if changed {
            self.put(schema, raw(&extension)?);
            self.declare(schema)?;
        }
        Ok(changed)
    }

    fn set_attribute(&mut self, path: &ScimPath, value: &Value) -> Result<bool> {
        let name = path.attribute.as_str();
        let changed = match (&path.pick, &path.part) {
            (None, None) => return self.set(name, value),
            (None, Some(part)) => {
                let mut child = self.child(name, path)?;
                let changed = child.set(part, value)?;
                changed.then(|| raw(&child)).transpose()?
            }
            (Some((by, operand)), part) => {
                let part = part.as_deref().unwrap_or("value");
                let mut elements = self.elements(name, path)?;
                match elements.iter().position(|element| element.is(by, operand)) {
                    Some(at) => elements[at].set(part, value)?.then(|| raw(&elements)).transpose()?,
                    None => {
                        let mut element = Self::default();
                        element.set(by, &operand.as_str().into())?;
                        element.set(part, value)?;
                        elements.push(element);
                        Some(raw(&elements)?)
                    }
                }
            }
        };
        let Some(changed) = changed else { return Ok(false) };
        self.put(name, changed);
        Ok(true)
    }

    fn is(&self, part: &str, text: &str) -> bool {
        self.member(part)
            .is_some_and(|value| value.as_str().is_some_and(|held| held.eq_ignore_ascii_case(text)))
    }

    /// A member that is an object, or an empty one where there is none.
    fn child(&self, name: &str, path: &ScimPath) -> Result<Self> {
        self.inner(name, path)
    }

    /// A member that is a list of objects, or an empty one where there is none.
    fn elements(&self, name: &str, path: &ScimPath) -> Result<Vec<Self>> {
        self.inner(name, path)
    }

    fn inner<T: Default + for<'de> Deserialize<'de>>(&self, name: &str, path: &ScimPath) -> Result<T> {
        match self.raw(name) {
            None => Ok(T::default()),
            Some(raw) if raw.get() == "null" => Ok(T::default()),
            Some(raw) => serde_json::from_str(raw.get()).map_err(|_| {
                let message =
                    format!("the system has something at `{name}` that `{path}` does not lead into");
                ConnectorError::none(ErrorKind::Invalid, message)
            }),
        }
    }

    /// Names an extension in `schemas`.
    fn declare(&mut self, schema: &str) -> Result<()> {
        let mut schemas = match self.member("schemas") {
            Some(Value::Array(schemas)) => schemas,
            _ => Vec::new(),
        };
        if schemas.iter().filter_map(Value::as_str).all(|held| !held.eq_ignore_ascii_case(schema)) {
            schemas.push(schema.into());
            self.put("schemas", raw(&schemas)?);
        }
        Ok(())
    }
}

fn raw<T: Serialize>(value: &T) -> Result<Box<RawValue>> {
    to_raw_value(value).map_err(|error| malformed(&error.to_string()))
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Document;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Document(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, raw)| (name, raw)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const USER: &str = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","Title":"A","x":{"n":1.50,"u":"\u00e9"},"name":{"givenName":"G","z":1e2},"emails":[{"type":"home","value":"h"},{"TYPE":"Work","value":"w","primary":true}],"active":true,"groups":[{"value":"g"}],"meta":{"version":"W/\"1\""}}"#;

    fn after(path: &str, value: Value) -> (bool, String) {
        let mut document = Document::resource(USER.as_bytes()).unwrap();
        let changed = document.set_path(&path.parse().unwrap(), &value).unwrap();
        (changed, String::from_utf8(document.bytes().unwrap()).unwrap())
    }

    #[test]
    fn what_is_not_changed_keeps_its_bytes() {
        let kept = USER.split_once(r#","groups""#).unwrap().0.to_owned() + "}";
        for (path, value, from, to) in [
            ("title", json!("A"), "", ""),
            ("title", json!("B"), r#""Title":"A""#, r#""Title":"B""#),
            ("nickName", json!("N"), r#""active":true"#, r#""active":true,"nickName":"N""#),
            ("name.givenName", json!("H"), r#""givenName":"G""#, r#""givenName":"H""#),
            ("name.familyName", json!("F"), r#""z":1e2"#, r#""z":1e2,"familyName":"F""#),
            ("emails[type eq \"work\"].value", json!("v"), r#""value":"w""#, r#""value":"v""#),
            ("emails[type eq \"work\"].value", json!("w"), "", ""),
            (
                "emails[type eq \"other\"].value",
                json!("o"),
                r#""primary":true}"#,
                r#""primary":true},{"type":"other","value":"o"}"#,
            ),
            (
                "phoneNumbers[type eq \"work\"].value",
                json!("1"),
                r#""active":true"#,
                r#""active":true,"phoneNumbers":[{"type":"work","value":"1"}]"#,
            ),
        ] {
            let (changed, bytes) = after(path, value);
            assert_eq!(bytes, kept.replacen(from, to, usize::from(from != to)), "{path}");
            assert_eq!(changed, from != to, "{path}");
        }
    }

    #[test]
    fn a_new_extension_is_declared() {
        let (changed, bytes) = after("urn:x:User:badge", json!("7"));
        assert!(changed);
        assert!(
            bytes.contains(r#""schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:x:User"]"#),
            "{bytes}"
        );
        assert!(bytes.ends_with(r#","urn:x:User":{"badge":"7"}}"#), "{bytes}");
    }

    #[test]
    fn a_path_into_something_else_is_refused() {
        let mut document = Document::resource(USER.as_bytes()).unwrap();
        for path in ["title.x", "name[type eq \"work\"].value", "emails.value"] {
            let error = document.set_path(&path.parse().unwrap(), &json!("x")).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid, "{path}");
        }
        assert_eq!(Document::resource(b"[]").unwrap_err().kind, ErrorKind::Malformed);
    }
}
