//! What each PATCH makes of a user, as the truth has it, and which are refused whole.

use serde_json::{Value, json};

use crate::harness::{ENTERPRISE, Rig, USER};

fn ada(rig: &Rig) -> String {
    let body = json!({"schemas": [USER], "userName": "ada", "title": "Countess",
        "name": {"givenName": "Ada", "familyName": "Byron"},
        "emails": [{"value": "w@x", "type": "work", "primary": true}, {"value": "h@x", "type": "home"}],
        ENTERPRISE: {"department": "Engines", "costCenter": "7"}});
    rig.call("POST", "/scim/v2/Users", body).id()
}

/// Applies operations and compares one attribute of the truth.
#[test]
fn patches_do_what_they_say() {
    let department = format!("{ENTERPRISE}:department");
    let work = "emails[type eq \"work\"]";
    let table = [
        ("replace", json!([{"op": "replace", "path": "title", "value": "Dr"}]), "title", json!("Dr")),
        (
            "names without case",
            json!([{"op": "Replace", "path": "TITLE", "value": "Dr"}]),
            "title",
            json!("Dr"),
        ),
        (
            "no path",
            json!([{"op": "add", "value": {"title": "Dr", "nickName": "A"}}]),
            "nickName",
            json!("A"),
        ),
        ("remove", json!([{"op": "remove", "path": "title"}]), "title", Value::Null),
        ("null clears", json!([{"op": "replace", "path": "title", "value": null}]), "title", Value::Null),
        (
            "a part",
            json!([{"op": "replace", "path": "name.familyName", "value": "Lovelace"}]),
            "name",
            json!({"givenName": "Ada", "familyName": "Lovelace"}),
        ),
        (
            "a complex value is merged",
            json!([{"op": "replace", "path": "name", "value": {"familyName": "Lovelace"}}]),
            "name",
            json!({"givenName": "Ada", "familyName": "Lovelace"}),
        ),
        (
            "a part by key",
            json!([{"op": "replace", "value": {"name.familyName": "Lovelace"}}]),
            "name",
            json!({"givenName": "Ada", "familyName": "Lovelace"}),
        ),
        (
            "a value path",
            json!([{"op": "replace", "path": format!("{work}.value"), "value": "new@x"}]),
            "emails",
            json!([{"value": "new@x", "type": "work", "primary": true}, {"value": "h@x", "type": "home"}]),
        ),
        (
            "a whole element",
            json!([{"op": "replace", "path": work, "value": {"value": "n@x", "type": "other"}}]),
            "emails",
            json!([{"value": "n@x", "type": "other"}, {"value": "h@x", "type": "home"}]),
        ),
        (
            "remove an element",
            json!([{"op": "remove", "path": work}]),
            "emails",
            json!([{"value": "h@x", "type": "home"}]),
        ),
        ("remove all", json!([{"op": "remove", "path": "emails"}]), "emails", Value::Null),
        (
            "remove what the value names",
            json!([{"op": "remove", "path": "emails", "value": [{"value": "w@x"}]}]),
            "emails",
            json!([{"value": "h@x", "type": "home"}]),
        ),
        (
            "append, and primary moves",
            json!([{"op": "add", "path": "emails", "value": [{"value": "p@x", "primary": true}]}]),
            "emails",
            json!([{"value": "w@x", "type": "work"}, {"value": "h@x", "type": "home"},
                {"value": "p@x", "primary": true}]),
        ),
        (
            "primary moves within",
            json!([{"op": "replace", "path": "emails[value eq \"h@x\"].primary", "value": true}]),
            "emails",
            json!([{"value": "w@x", "type": "work"}, {"value": "h@x", "type": "home", "primary": true}]),
        ),
        (
            "replace all",
            json!([{"op": "replace", "path": "emails", "value": [{"value": "o@x"}]}]),
            "emails",
            json!([{"value": "o@x"}]),
        ),
        (
            "an extension by path",
            json!([{"op": "replace", "path": department, "value": "Poetry"}]),
            ENTERPRISE,
            json!({"department": "Poetry", "costCenter": "7"}),
        ),
        (
            "an extension by key",
            json!([{"op": "add", "value": {ENTERPRISE: {"department": "Poetry"}}}]),
            ENTERPRISE,
            json!({"department": "Poetry", "costCenter": "7"}),
        ),
        ("an extension goes", json!([{"op": "remove", "path": ENTERPRISE}]), ENTERPRISE, Value::Null),
        (
            "in order",
            json!([{"op": "remove", "path": "title"}, {"op": "add", "path": "title", "value": "Dr"}]),
            "title",
            json!("Dr"),
        ),
    ];
    for (what, operations, attribute, expect) in table {
        let rig = Rig::with(&[]);
        let id = ada(&rig);
        let answer = rig.patch_user(&id, operations);
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
        let truth = rig.true_user("ada").attributes;
        assert_eq!(truth.get(attribute).cloned().unwrap_or_default(), expect, "{what}");
        assert_eq!(answer.body.get(attribute).cloned().unwrap_or_default(), expect, "{what}, answered");
    }
}

#[test]
fn refused_patches_change_nothing() {
    let first = json!({"op": "replace", "path": "title", "value": "Dr"});
    for (operation, scim_type) in [
        (json!({"op": "replace", "path": "shoeSize", "value": "44"}), "invalidPath"),
        (json!({"op": "replace", "path": "name[familyName eq \"x\"]", "value": "44"}), "invalidPath"),
        (json!({"op": "replace", "path": "emails[type eq \"work\"]value", "value": "x"}), "invalidPath"),
        (json!({"op": "replace", "path": "emails[colour eq \"red\"].value", "value": "x"}), "invalidFilter"),
        (json!({"op": "replace", "path": "emails[type eq \"fax\"].value", "value": "x"}), "noTarget"),
        (json!({"op": "remove"}), "noTarget"),
        (json!({"op": "replace", "path": "id", "value": "x"}), "mutability"),
        (json!({"op": "add", "value": {"groups": [{"value": "g"}]}}), "mutability"),
        (json!({"op": "replace", "path": "active", "value": "False"}), "invalidValue"),
        (json!({"op": "replace", "path": "title"}), "invalidValue"),
        (json!({"op": "remove", "path": "userName"}), "invalidValue"),
        (json!({"op": "move", "path": "title"}), "invalidSyntax"),
        (json!({"op": "add", "path": "emails", "value": [{"colour": "red"}]}), "invalidSyntax"),
    ] {
        let rig = Rig::with(&[]);
        let id = ada(&rig);
        let before = rig.truth();
        let answer = rig.patch_user(&id, json!([first, operation]));
        assert_eq!(
            (answer.status.as_u16(), answer.body["scimType"].as_str()),
            (400, Some(scim_type)),
            "{operation}: {}",
            answer.body
        );
        assert_eq!(rig.truth(), before, "{operation}");
    }
}

#[test]
fn a_patch_that_changes_nothing_has_no_effect() {
    let rig = Rig::with(&[]);
    let id = ada(&rig);
    let before = rig.lab.ledger("acme").unwrap();
    rig.clock.advance(1_000);
    let answer = rig.patch_user(&id, json!([{"op": "replace", "path": "title", "value": "Countess"}]));
    assert_eq!(answer.header("etag"), "W/\"1\"");
    assert_eq!(answer.body["meta"]["created"], answer.body["meta"]["lastModified"]);
    assert_eq!(rig.lab.ledger("acme").unwrap(), before);
}

#[test]
fn put_replaces_everything() {
    let rig = Rig::with(&[]);
    let id = ada(&rig);
    let body = json!({"schemas": [USER], "id": "ignored", "userName": "ada.l", "groups": [{"value": "x"}]});
    assert_eq!(rig.call("PUT", &format!("/scim/v2/Users/{id}"), body).status, 200);
    let user = rig.true_user("ada.l");
    assert_eq!((user.id, user.attributes.len(), user.active), (id, 2, true));
    rig.create_user("ada");
}
