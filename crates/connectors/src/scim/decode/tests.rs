//! What is understood of the resources that systems send, and what is refused.

use super::*;
use crate::scim::settings::Settings;
use serde_json::json;

fn mapping(attributes: Value) -> Mapping {
    Settings::new(&json!({"attributes": attributes})).unwrap().mapping
}

/// One user, alone on a page, as it is shown; none if it is not.
fn shown(user: &str, mapping: &Mapping) -> Option<Object<'static>> {
    let bytes = format!(r#"{{"totalResults":1,"Resources":[{user}]}}"#);
    let mut seen = Vec::new();
    let info = page(bytes.as_bytes(), mapping, &mut |object| seen.push(object.into_owned())).unwrap();
    assert_eq!(info.resources, 1);
    assert_eq!(info.unreadable, u64::from(seen.is_empty()));
    seen.pop()
}

fn text(object: &Object<'_>, name: &str) -> Option<String> {
    match object.attribute(name)? {
        ObjectValue::Text(text) => Some(text.to_string()),
        other => panic!("{other:?}"),
    }
}

const FULL: &str = r#"{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "U-1", "externalId": "hr/7",
  "userName": "ann", "displayName": "Ann \"L\" Lee", "title": "Dr", "active": false,
  "name": {"formatted": "Ann Lee", "familyName": "Lee", "givenName": "Ann", "honorificPrefix": "Dr"},
  "emails": [{"value": "h@x", "type": "home"}, {"value": "w@x", "type": "Work", "primary": true}],
  "phoneNumbers": [{"value": "1"}, {"value": "2"}], "nickName": {"odd": [1, 2]},
  "groups": [{"value": "g1", "$ref": "…/g1", "display": "One"}, {"value": "g2"}],
  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "D1", "employeeNumber": 42},
  "meta": {"resourceType": "User", "version": "W/\"3\""}
}"#;

#[test]
fn a_user_is_shown_with_what_is_mapped() {
    let user = shown(FULL, &mapping(json!({}))).unwrap();
    assert_eq!((&*user.id, &*user.name, user.marker.as_deref()), ("U-1", "ann", Some("hr/7")));
    assert_eq!(user.state, ObjectState::Blocked);
    assert_eq!(user.version.as_deref(), Some("W/\"3\""));
    assert_eq!(user.links, ["g1", "g2"]);
    let attributes: Vec<_> =
        user.attributes.iter().map(|(name, _)| (name.to_string(), text(&user, name).unwrap())).collect();
    let expect = [
        ("department", "D1"),
        ("displayName", "Ann \"L\" Lee"),
        ("email", "w@x"),
        ("employeeNumber", "42"),
        ("familyName", "Lee"),
        ("givenName", "Ann"),
        ("title", "Dr"),
        ("userName", "ann"),
    ];
    assert_eq!(attributes, expect.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn names_of_members_compare_without_case() {
    for change in [str::to_uppercase as fn(&str) -> String, str::to_lowercase] {
        // Only the names: a value must come back as it was.
        let mut folded = String::new();
        for (at, part) in FULL.split('"').enumerate() {
            let is_name = FULL.split('"').nth(at + 1).is_some_and(|next| next.trim_start().starts_with(':'));
            folded.push_str(if at > 0 { "\"" } else { "" });
            folded.push_str(&if is_name { change(part) } else { part.to_owned() });
        }
        let mapping = mapping(json!({"phones": "phoneNumbers"}));
        assert_ne!(folded, FULL);
        assert_eq!(shown(&folded, &mapping), shown(FULL, &mapping));
    }
}

#[test]
fn a_text_that_needs_no_unescaping_is_borrowed() {
    let bytes = r#"{"Resources":[{"id":"1","userName":"ann","displayName":"a\u0062c"}]}"#.as_bytes();
    let list = parse_page(bytes).unwrap();
    let user = &list.resources.as_ref().unwrap()[0];
    assert!(matches!(user.user_name, Some(Cow::Borrowed("ann"))));
    assert!(matches!(&user.display_name, Some(Cow::Owned(text)) if text == "abc"));
}

#[test]
fn form_is_taken_as_it_comes() {
    let mapping = mapping(json!({}));
    for (active, state) in [
        ("true", ObjectState::Live),
        ("false", ObjectState::Blocked),
        ("\"True\"", ObjectState::Live),
        ("\"False\"", ObjectState::Blocked),
        ("\"false\"", ObjectState::Blocked),
        ("null", ObjectState::Live),
    ] {
        let user = shown(&format!(r#"{{"id":"1","userName":"a","active":{active}}}"#), &mapping).unwrap();
        assert_eq!(user.state, state, "{active}");
    }
    for (user, id) in [
        (r#"{"id":"1","userName":"a"}"#, "1"),
        (r#"{"id":17,"userName":"a"}"#, "17"),
        (r#"{"id":-17,"userName":5}"#, "-17"),
        (r#"{"id":"AbC é/%","userName":"a","name":"Ann","emails":"w@x","groups":null,"meta":[]}"#, "AbC é/%"),
        (
            r#"{"id":"1","userName":"a","title":{"x":1},"displayName":[1],"emails":{"value":"w@x","type":"work"}}"#,
            "1",
        ),
    ] {
        assert_eq!(shown(user, &mapping).unwrap().id, id, "{user}");
    }
    let lone =
        shown(r#"{"id":"1","userName":"a","emails":{"value":"w@x","type":"work"}}"#, &mapping).unwrap();
    assert_eq!(text(&lone, "email").as_deref(), Some("w@x"));
    assert_eq!(text(&lone, "title"), None);
}

#[test]
fn what_decides_access_is_not_guessed() {
    let mapping = mapping(json!({}));
    for user in [
        r#"{"userName":"a"}"#,
        r#"{"id":"","userName":"a"}"#,
        r#"{"id":null,"userName":"a"}"#,
        r#"{"id":12345678901234567890123,"userName":"a"}"#,
        r#"{"id":["1"],"userName":"a"}"#,
        r#"{"id":"1"}"#,
        r#"{"id":"1","userName":"a","active":"maybe"}"#,
        r#"{"id":"1","userName":"a","active":""}"#,
        r#"{"id":"1","userName":"a","active":0}"#,
        r#"{"id":"1","userName":"a","active":{"value":false}}"#,
        r#"{"id":"1","userName":"a","active":[]}"#,
        "null",
        "7",
        "\"x\"",
    ] {
        assert_eq!(shown(user, &mapping), None, "{user}");
    }
}

#[test]
fn attributes_that_are_not_common_come_from_a_tree() {
    let mapping = mapping(json!({
        "phones": "phoneNumbers",
        "badge": "urn:x:User:badge",
        "remote": "urn:x:User:remote",
        "home": "addresses[type eq \"home\"].locality",
        "boss": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
        "none": "urn:x:User:none",
    }));
    let user = r#"{"id":"1","userName":"a","phoneNumbers":[{"value":"1"},{"value":"2"}],
        "URN:X:USER":{"Badge":7,"remote":true,"none":null},
        "addresses":[{"type":"work","locality":"W"},{"type":"HOME","locality":"H"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"9"}}}"#;
    let user = shown(user, &mapping).unwrap();
    assert_eq!(user.attribute("phones"), Some(&ObjectValue::Many(vec!["1".into(), "2".into()])));
    assert_eq!(user.attribute("remote"), Some(&ObjectValue::Flag(true)));
    assert_eq!(user.attribute("none"), None);
    for (name, expect) in [("badge", "7"), ("home", "H"), ("boss", "9"), ("userName", "a")] {
        assert_eq!(text(&user, name).as_deref(), Some(expect), "{name}");
    }
}

#[test]
fn a_page_says_how_it_stands_in_its_list() {
    let mapping = mapping(json!({}));
    for (bytes, expect) in [
        (r#"{"totalResults":0}"#, PageInfo { total: Some(0), ..PageInfo::default() }),
        (r#"{"totalresults":"3","resources":[]}"#, PageInfo { total: Some(3), ..PageInfo::default() }),
        (
            r#"{"Resources":[{"id":"a","userName":"A"},{"id":"b"}],"nextCursor":"n"}"#,
            PageInfo {
                resources: 2,
                unreadable: 1,
                total: None,
                next_cursor: Some("n".into()),
                first: Some("a".into()),
            },
        ),
        (r#"{"Resources":[],"nextCursor":""}"#, PageInfo::default()),
    ] {
        assert_eq!(page(bytes.as_bytes(), &mapping, &mut |_| {}).unwrap(), expect, "{bytes}");
    }
}

#[test]
fn what_is_no_page_shows_nothing() {
    let mapping = mapping(json!({}));
    for bytes in [
        "",
        "{}",
        "[]",
        "<html>",
        r#"{"error":"x"}"#,
        r#"{"totalResults":2,"Resources":[{"id":"1","userName":"a"},"#,
        r#"{"totalResults":1,"Resources":[{"id":"1","userName":"a"}]} x"#,
    ] {
        let mut seen = 0;
        let error = page(bytes.as_bytes(), &mapping, &mut |_| seen += 1).unwrap_err();
        assert_eq!((error.kind, seen), (ErrorKind::Malformed, 0), "{bytes}");
    }
}

#[test]
fn a_group_shows_its_members_or_is_not_shown() {
    let group_of = |text: &str| {
        let mut typed: TypedGroup<'_> = parse(text.as_bytes()).unwrap();
        group(&mut typed).map(Object::into_owned)
    };
    let full = group_of(
        r#"{"id":"g","displayName":"G","externalId":"e","meta":{"version":"1"},"members":[{"value":"u1","type":"User"},{"VALUE":2}]}"#,
    )
    .unwrap();
    assert_eq!(
        (&*full.id, &*full.name, full.marker.as_deref(), full.version.as_deref()),
        ("g", "G", Some("e"), Some("1"))
    );
    assert_eq!(full.links, ["u1", "2"]);
    assert!(group_of(r#"{"id":"g"}"#).unwrap().links.is_empty());
    for text in [
        r#"{"displayName":"G"}"#,
        r#"{"id":"g","members":[{"display":"Ann"}]}"#,
        r#"{"id":"g","members":[{}]}"#,
    ] {
        assert_eq!(group_of(text), None, "{text}");
    }
}

#[test]
fn a_refusal_is_read_in_both_forms() {
    let scim = Said::of(br#"{"scimType":"invalidPath","detail":"d","status":"404"}"#);
    assert_eq!((scim.code.as_deref(), scim.detail.as_deref()), (Some("invalidPath"), Some("d")));
    assert!(scim.not_found());
    let vendor = Said::of(br#"{"error":"not-found","message":"m","status":404}"#);
    assert_eq!((vendor.code.as_deref(), vendor.detail.as_deref()), (Some("not-found"), Some("m")));
    assert!(vendor.not_found());
    assert_eq!(Said::of(b"<html>"), Said::default());
}
