//! Reads JSON that nobody can read in two ways: a name stands once in an object, whatever its case, and nothing is
//! nested deeper than a resource ever is.

use std::{collections::BTreeSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::fault::{Fault, Result, Wrong};

/// How deep a body may be nested; the deepest resource in a bulk request needs 9.
const DEEPEST: usize = 24;

/// Reads a body.
pub fn read(bytes: &[u8]) -> Result<Value> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict(DEEPEST).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| Fault::new(Wrong::Syntax, format!("the body cannot be read: {error}")))
}

/// Reads a body that is an object.
pub fn read_object(bytes: &[u8]) -> Result<Map<String, Value>> {
    object(read(bytes)?).ok_or_else(|| Fault::new(Wrong::Syntax, "the body is not an object"))
}

/// The object that a value is.
pub fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// Takes what is called so, whatever the case, out of an object.
pub fn take(map: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let key = map.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    map.remove(&key)
}

/// How many levels there may be yet.
struct Strict(usize);

impl Strict {
    fn below<E: Error>(&self) -> Result<Self, E> {
        let deep = || E::custom(format_args!("it is nested deeper than {DEEPEST} levels"));
        self.0.checked_sub(1).map(Self).ok_or_else(deep)
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value, E> {
        Err(E::custom("a number has a fraction, and no attribute here takes one"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        match text.contains('\0') {
            true => Err(E::custom("a text has a NUL character")),
            false => Ok(text.into()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(self.below()?)? {
            read.push(item);
        }
        Ok(Value::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let (mut read, mut names) = (Map::new(), BTreeSet::new());
        while let Some(name) = entries.next_key::<String>()? {
            if name.contains('\0') {
                return Err(A::Error::custom("a name has a NUL character"));
            }
            if !names.insert(name.to_lowercase()) {
                return Err(A::Error::custom(format_args!("`{name}` stands in one object twice")));
            }
            read.insert(name, entries.next_value_seed(self.below()?)?);
        }
        Ok(Value::Object(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_in_two_ways_is_not_read() {
        let check = |text: &str, good: bool| {
            let got = read(text.as_bytes());
            assert_eq!(got.is_ok(), good, "{text}: {got:?}");
            if good {
                assert_eq!(got.unwrap(), serde_json::from_str::<Value>(text).unwrap());
            }
        };
        check(r#"{"a":[1,-2,"x",null,true,{"b":{}}]}"#, true);
        check(r#"{"a":1,"a":2}"#, false);
        check(r#"{"active":false,"Active":true}"#, false);
        check(r#"{"a":{"x":1},"b":{"x":1}}"#, true);
        check(r#"{"a":"\u0000"}"#, false);
        check("1.5", false);
        check("{} {}", false);
        check("{", false);
        let nest = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
        check(&nest(DEEPEST), true);
        check(&nest(DEEPEST + 1), false);
        check(&nest(100_000), false);
        check(&format!("{}1{}", "{\"a\":".repeat(30), "}".repeat(30)), false);
    }
}
