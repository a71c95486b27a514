//! What systems say: objects out of answers, as a description reads them.

use std::{borrow::Cow, collections::BTreeMap};

use bailiwick_connector::{Object, ObjectState, ObjectValue};
use serde_json::Value;

use super::{
    description::{Accounts, Groups, Held, Ids, People, Test},
    pointer::{Pointer, text},
};

/// An account; none if it cannot be read.
pub(super) fn account<'v>(api: &Accounts, item: &'v Value) -> Option<Object<'v>> {
    Some(Object {
        id: there(&api.id, item)?,
        name: there(&api.name, item)?,
        marker: api.marker.as_ref().and_then(|at| there(at, item)),
        state: state(api.live.as_ref(), item),
        version: api.version.as_ref().and_then(|at| at.text(item)),
        attributes: attributes(&api.attributes, item),
        ..Object::default()
    })
}

/// A person; none if they cannot be read.
pub(super) fn person<'v>(api: &People, item: &'v Value) -> Option<Object<'v>> {
    let id = there(&api.id, item)?;
    let name = api.name.as_ref().and_then(|at| there(at, item)).unwrap_or_else(|| id.clone());
    Some(Object {
        id,
        name,
        state: state(api.live.as_ref(), item),
        attributes: attributes(&api.attributes, item),
        ..Object::default()
    })
}

/// A group, with the members that it has in itself; none if it cannot be read.
pub(super) fn group<'v>(api: &Groups, item: &'v Value) -> Option<Object<'v>> {
    let mut members = api.members.as_ref().map(|at| at.all(item)).unwrap_or_default();
    if let [Value::Array(list)] = members[..] {
        members = list.iter().collect();
    }
    let links = members.into_iter().map(|member| text(member).filter(|id| !id.is_empty()));
    let links = links.collect::<Option<Vec<_>>>()?;
    Some(Object { id: there(&api.id, item)?, name: api.name.text(item)?, links, ..Object::default() })
}

/// Something that an account holds; none if it cannot be read.
pub(super) fn held<'v>(api: &Held, item: &'v Value) -> Option<Object<'v>> {
    let id = match &api.id {
        Ids::One(at) => there(at, item)?,
        Ids::Several(_) => {
            let parts = api.id.places().iter().map(|at| there(at, item).map(|part| escape(&part)));
            Cow::Owned(parts.collect::<Option<Vec<_>>>()?.join(":"))
        }
    };
    let name = api.name.as_ref().and_then(|at| at.text(item)).unwrap_or_else(|| id.clone());
    let purges_at = api.purges.as_ref().and_then(|at| at.text(item)?.parse().ok());
    Some(Object { id, name, state: state(api.live.as_ref(), item), purges_at, ..Object::default() })
}

/// Whether all tests hold for an item.
pub(super) fn among(only: &[Test], item: &Value) -> bool {
    only.iter().all(|test| test.holds(item))
}

/// The parts of an id of several.
pub(super) fn parts(id: &str) -> Vec<String> {
    id.split(':').map(|part| part.replace("%3A", ":").replace("%25", "%")).collect()
}

fn escape(part: &str) -> String {
    part.replace('%', "%25").replace(':', "%3A")
}

fn there<'v>(at: &Pointer, item: &'v Value) -> Option<Cow<'v, str>> {
    at.text(item).filter(|text| !text.is_empty())
}

fn state(live: Option<&Test>, item: &Value) -> ObjectState {
    if live.is_none_or(|live| live.holds(item)) { ObjectState::Live } else { ObjectState::Blocked }
}

fn attributes<'v>(api: &BTreeMap<String, Pointer>, item: &'v Value) -> Vec<(Cow<'v, str>, ObjectValue<'v>)> {
    let read = |(name, at): (&String, &Pointer)| Some((Cow::Owned(name.clone()), attribute(at, item)?));
    api.iter().filter_map(read).collect()
}

fn attribute<'v>(at: &Pointer, item: &'v Value) -> Option<ObjectValue<'v>> {
    Some(match at.get(item)? {
        Value::Null => ObjectValue::Null,
        Value::Bool(flag) => ObjectValue::Flag(*flag),
        Value::Array(list) => ObjectValue::Many(list.iter().map(text).collect::<Option<_>>()?),
        one @ (Value::String(_) | Value::Number(_)) => ObjectValue::Text(text(one)?),
        Value::Object(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_account_is_read_as_described_or_not_at_all() {
        let api: Accounts = serde_json::from_value(json!({
            "id": "/id", "name": "/login", "marker": "/ids/0/uid", "live": {"at": "/state", "is": ["active", "new"]},
            "attributes": {"mail": "/mail", "admin": "/admin", "tags": "/tags", "none": "/none"},
            "list": {"call": "GET /users"},
        }))
        .unwrap();
        let item = json!({"id": 7, "login": "Ann", "ids": [{"uid": "hr/1"}], "state": "blocked",
            "mail": null, "admin": true, "tags": ["a"]});
        let seen = account(&api, &item).unwrap();
        assert_eq!(
            (&*seen.id, &*seen.name, seen.marker.as_deref(), seen.state),
            ("7", "Ann", Some("hr/1"), ObjectState::Blocked)
        );
        assert_eq!(seen.attribute("mail"), Some(&ObjectValue::Null));
        assert_eq!(seen.attribute("admin"), Some(&ObjectValue::Flag(true)));
        assert_eq!(seen.attribute("tags"), Some(&ObjectValue::Many(vec!["a".into()])));
        assert_eq!(seen.attribute("none"), None);
        for bad in [
            json!({"login": "x"}),
            json!({"id": "", "login": "x"}),
            json!({"id": 1}),
            json!({"id": true, "login": "x"}),
            json!("x"),
        ] {
            assert_eq!(account(&api, &bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_missing_is_neither_this_nor_that() {
        let test = |text: Value| serde_json::from_value::<Test>(text).unwrap();
        for (rule, item, holds) in [
            (json!({"at": "/a", "is": true}), json!({"a": true}), true),
            (json!({"at": "/a", "is": true}), json!({}), false),
            (json!({"at": "/a", "is_not": true}), json!({}), true),
            (json!({"at": "/a", "is_not": [1, 2]}), json!({"a": 2}), false),
            (json!({"at": "/a", "is": 1}), json!({"a": "1"}), true),
            (json!({"at": "/a", "there": true}), json!({"a": null}), false),
            (json!({"at": "/a", "there": false}), json!({}), true),
        ] {
            assert_eq!(test(rule.clone()).holds(&item), holds, "{rule} {item}");
        }
    }

    #[test]
    fn an_id_of_several_parts_comes_apart_as_it_was_put_together() {
        let api: Held = serde_json::from_value(json!({"id": ["/a", "/b"]})).unwrap();
        for (a, b) in [("1", "2"), ("a:b", "c"), ("%3A", ":%"), ("p/q", "r s")] {
            let item = json!({"a": a, "b": b});
            assert_eq!(parts(&held(&api, &item).unwrap().id), [a, b]);
        }
        assert_eq!(held(&api, &json!({"a": "1"})), None);
    }
}
