//! JSON Schemas (2020-12) of the values that are written as texts: what the description of the API says of them is what
//! reading them refuses.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{
    authority::{Touch, blast::Subject},
    digest::Digest,
    id::{Id, Kind, Name, Named},
    scope::ScopeRule,
};

impl<K: Kind> JsonSchema for Id<K> {
    fn schema_name() -> Cow<'static, str> {
        K::NAME.into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // 26 digits of base 32 (Crockford's) are 130 bits; an id has 128.
        let pattern = format!("^{}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$", K::PREFIX);
        json_schema!({ "type": "string", "pattern": pattern })
    }
}

impl<K: Named> JsonSchema for Name<K> {
    fn schema_name() -> Cow<'static, str> {
        K::NAME.into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        const PART: &str = "[a-z0-9_.-]{1,64}";
        let pattern = if K::TWO_PARTS { format!("^{PART}/{PART}$") } else { format!("^{PART}$") };
        json_schema!({ "type": "string", "description": format!("The name of a {}.", K::WORD), "pattern": pattern })
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "SHA-256, hexadecimal.", "pattern": "^[0-9a-fA-F]{64}$" })
    }
}

macro_rules! written {
    ($($type:ident $says:literal;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $says })
            }
        }
    )*};
}

written! {
    Touch "What is touched: `identity`, `signal`, or `attribute`, `entitlement`, `account`, `credential` or `object` with a name.";
    Subject "What is looked at: the name of an integration, `credential NAME/PURPOSE` or `vendor NAME`.";
    ScopeRule "A rule of a scope: `OPERATION VERB TARGET`.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{EntitlementName, IdentityId, SystemName};

    fn pattern<T: JsonSchema>() -> String {
        let schema = SchemaGenerator::default().into_root_schema_for::<T>();
        schema.get("pattern").and_then(|pattern| pattern.as_str()).unwrap().to_owned()
    }

    #[test]
    fn a_pattern_says_what_is_read() {
        assert_eq!(pattern::<IdentityId>(), "^idn_[0-7][0-9a-hjkmnp-tv-z]{25}$");
        assert_eq!(pattern::<SystemName>(), "^[a-z0-9_.-]{1,64}$");
        assert_eq!(pattern::<EntitlementName>(), "^[a-z0-9_.-]{1,64}/[a-z0-9_.-]{1,64}$");
        assert_eq!(pattern::<Digest>(), "^[0-9a-fA-F]{64}$");
    }
}
