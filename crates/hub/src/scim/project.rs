//! Which attributes of a resource an answer has (RFC 7644 §3.9).

use serde_json::{Map, Value};

use super::{
    fault::{Fault, Result, Wrong},
    path::Place,
    schema::{Returned, Schemas},
    shape::within,
};

/// A part of a resource that is wanted or not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    urn: Option<String>,
    name: Option<String>,
    part: Option<String>,
}

/// What is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projection {
    only: Option<Vec<Part>>,
    without: Vec<Part>,
}

impl Projection {
    /// Reads names that stand between commas. Names of nothing are passed over: nothing is called so.
    ///
    /// # Errors
    /// `invalidValue` when both are given.
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>, schemas: &Schemas) -> Result<Self> {
        let names = |text: &str| -> Vec<Part> {
            text.split(',').filter_map(|name| part(name.trim(), schemas)).collect()
        };
        match (attributes, excluded) {
            (Some(_), Some(_)) => {
                let detail = "`attributes` and `excludedAttributes` exclude each other";
                Err(Fault::new(Wrong::Value, detail))
            }
            (only, without) => {
                let mut without = without.map(names).unwrap_or_default();
                without.retain(|part| !always(part, schemas));
                Ok(Self { only: only.map(names), without })
            }
        }
    }

    /// Whether anything was said.
    pub fn is_said(&self) -> bool {
        self.only.is_some() || !self.without.is_empty()
    }

    /// Whether an attribute of the resource itself is wanted at all.
    pub fn wants(&self, name: &str, returned: Returned) -> bool {
        let of = |part: &Part| part.urn.is_none() && part.name.as_deref() == Some(name);
        match &self.only {
            Some(only) => only.iter().any(of),
            None => {
                returned != Returned::Request
                    && !self.without.iter().any(|part| of(part) && part.part.is_none())
            }
        }
    }

    /// What is wanted of a resource.
    pub fn of(&self, mut resource: Map<String, Value>) -> Map<String, Value> {
        if let Some(only) = &self.only {
            let mut kept = Map::new();
            for name in ["schemas", "id"] {
                kept.extend(resource.get(name).map(|value| (name.to_owned(), value.clone())));
            }
            only.iter().for_each(|part| keep(&resource, &mut kept, part));
            return kept;
        }
        self.without.iter().for_each(|part| leave_out(&mut resource, part));
        resource
    }
}

fn part(name: &str, schemas: &Schemas) -> Option<Part> {
    if let Some((Some(schema), "")) = schemas.split(name) {
        return Some(Part { urn: Some(schema.urn.clone().into_owned()), name: None, part: None });
    }
    let place = Place::parse(name, schemas)?;
    Some(Part {
        urn: place.extension.map(|schema| schema.urn.clone().into_owned()),
        name: Some(place.attribute.name.clone().into_owned()),
        part: place.part.map(|part| part.name.clone().into_owned()),
    })
}

fn always(part: &Part, schemas: &Schemas) -> bool {
    let attribute =
        part.name.as_deref().filter(|_| part.urn.is_none()).and_then(|name| schemas.attribute(name));
    attribute.is_some_and(|attribute| attribute.returned == Returned::Always)
}

fn keep(from: &Map<String, Value>, kept: &mut Map<String, Value>, part: &Part) {
    match &part.urn {
        None => keep_of(from, kept, part),
        Some(urn) => {
            if let Some(Value::Object(below)) = from.get(urn) {
                within(kept, urn, |kept| keep_of(below, kept, part));
            }
        }
    }
}

fn keep_of(from: &Map<String, Value>, kept: &mut Map<String, Value>, part: &Part) {
    let Some(name) = &part.name else {
        kept.extend(from.clone());
        return;
    };
    let Some(value) = from.get(name) else { return };
    let Some(sub) = &part.part else {
        kept.insert(name.clone(), value.clone());
        return;
    };
    match (value, kept.get_mut(name)) {
        (Value::Object(parts), _) => {
            let found = parts.get(sub).map(|value| (sub.clone(), value.clone()));
            within(kept, name, |kept| kept.extend(found));
        }
        // Two parts of the same values lie side by side.
        (Value::Array(items), Some(Value::Array(kept))) => {
            for (item, kept) in items.iter().zip(kept) {
                if let (Some(value), Value::Object(kept)) = (item.get(sub), kept) {
                    kept.insert(sub.clone(), value.clone());
                }
            }
        }
        (Value::Array(items), _) => {
            let cut = items.iter().map(|item| {
                let found = item.get(sub).map(|value| (sub.clone(), value.clone()));
                Value::Object(found.into_iter().collect())
            });
            kept.insert(name.clone(), cut.collect());
        }
        (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _) => {}
    }
}

fn leave_out(resource: &mut Map<String, Value>, part: &Part) {
    let home = match &part.urn {
        None => resource,
        Some(urn) => match (&part.name, resource.get_mut(urn)) {
            (None, _) => {
                resource.remove(urn);
                return;
            }
            (Some(_), Some(Value::Object(below))) => below,
            (Some(_), _) => return,
        },
    };
    match (&part.name, &part.part) {
        (Some(name), None) => drop(home.remove(name)),
        (Some(name), Some(sub)) => match home.get_mut(name) {
            Some(Value::Object(parts)) => drop(parts.remove(sub)),
            Some(Value::Array(items)) => {
                items.iter_mut().filter_map(Value::as_object_mut).for_each(|item| drop(item.remove(sub)));
            }
            Some(_) | None => {}
        },
        (None, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::schema::Resource;

    #[test]
    fn an_answer_has_what_was_asked_for() {
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let ann = json!({
            "schemas": ["s"], "id": "1", "userName": "ann", "name": { "givenName": "Ann", "familyName": "Archer" },
            "emails": [{ "value": "a", "type": "work" }], enterprise: { "department": "Sales", "division": "D" },
            "meta": { "version": "v", "location": "l" },
        });
        let schemas = Schemas::of(Resource::User);
        let check = |only: Option<&str>, without: Option<&str>, expect: Value| {
            let wanted = Projection::parse(only, without, &schemas).unwrap();
            let got = wanted.of(ann.as_object().unwrap().clone());
            assert_eq!(Value::Object(got), expect, "{only:?} {without:?}");
        };
        check(None, None, ann.clone());
        check(Some("USERNAME"), None, json!({ "schemas": ["s"], "id": "1", "userName": "ann" }));
        check(Some("nothing"), None, json!({ "schemas": ["s"], "id": "1" }));
        check(Some(""), None, json!({ "schemas": ["s"], "id": "1" }));
        check(
            Some("name.givenName, emails.value,emails.type"),
            None,
            json!({ "schemas": ["s"], "id": "1", "name": { "givenName": "Ann" }, "emails": [{ "value": "a", "type": "work" }] }),
        );
        let department = format!("{enterprise}:department");
        check(
            Some(&department),
            None,
            json!({ "schemas": ["s"], "id": "1", enterprise: { "department": "Sales" } }),
        );
        check(
            Some(enterprise),
            None,
            json!({ "schemas": ["s"], "id": "1", enterprise: { "department": "Sales", "division": "D" } }),
        );
        let mut less = ann.clone();
        let map = less.as_object_mut().unwrap();
        map.remove("meta");
        map.remove(enterprise);
        map["name"] = json!({ "familyName": "Archer" });
        map["emails"] = json!([{ "value": "a" }]);
        let without = format!("meta,{enterprise},name.givenName,emails.type,id,schemas,nothing");
        check(None, Some(&without), less);
        assert_eq!(Projection::parse(Some("id"), Some("meta"), &schemas).unwrap_err().code, "scim-value");
    }

    #[test]
    fn what_costs_to_be_looked_up_is_looked_up_when_it_is_wanted() {
        let schemas = Schemas::of(Resource::User);
        let wants = |only, without, returned| {
            Projection::parse(only, without, &schemas).unwrap().wants("groups", returned)
        };
        assert!(!wants(None, None, Returned::Request));
        assert!(wants(Some("groups.value"), None, Returned::Request));
        assert!(wants(None, None, Returned::Default));
        assert!(!wants(None, Some("groups"), Returned::Default));
        assert!(!wants(Some("userName"), None, Returned::Default));
    }
}
