//! What operations make of a document, in every dialect, and what they refuse.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{MemberChange, Patched, apply, read};
use crate::scim::{
    fault::Result,
    schema::{Resource, Schemas},
    shape,
};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn ann() -> Value {
    json!({
        "userName": "ann", "active": true, "title": "Boss", "name": { "givenName": "Ann", "familyName": "Archer" },
        "emails": [{ "value": "a@work", "type": "work", "primary": true }, { "value": "a@home", "type": "home" }],
        ENTERPRISE: { "department": "Sales", "manager": { "value": "m1" } },
    })
}

fn done(resource: Resource, before: Value, operations: &Value) -> Result<(Value, Patched)> {
    let schemas = Schemas::of(resource);
    let Value::Object(mut document) = before else { panic!() };
    let body: Map<String, Value> = [("Operations".to_owned(), operations.clone())].into_iter().collect();
    let patched = apply(&mut document, read(body)?, &schemas)?;
    shape::whole(&document, &schemas)?;
    Ok((Value::Object(document), patched))
}

fn user(operations: &Value) -> Result<Value> {
    done(Resource::User, ann(), operations).map(|(document, _)| document)
}

/// What becomes of Ann by one operation; `change` is what differs of her afterwards, with null for what is gone.
#[track_caller]
fn check(op: &str, path: &str, value: Value, change: Value) {
    let mut operation = json!({ "op": op });
    if !path.is_empty() {
        operation["path"] = path.into();
    }
    if !value.is_null() {
        operation["value"] = value;
    }
    let mut expect = ann();
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(expect.as_object_mut().unwrap().remove(name)),
            value => expect[name] = value.clone(),
        }
    }
    let got = user(&json!([operation])).unwrap_or_else(|fault| panic!("{operation}: {}", fault.detail));
    assert_eq!(got, expect, "{operation}");
}

#[test]
fn single_values_are_set_and_removed() {
    check("replace", "title", json!("Chief"), json!({ "title": "Chief" }));
    check("ADD", "Title", json!("Chief"), json!({ "title": "Chief" }));
}

#[test]
fn to_be_replaced_by_nothing_is_to_be_removed() {
    let removed = user(&json!([{ "op": "replace", "path": "title", "value": null }])).unwrap();
    assert_eq!(removed.get("title"), None);
    check("remove", "title", json!(null), json!({ "title": null }));
    check("remove", "nickName", json!(null), json!({}));
    check("remove", "name.givenName", json!(null), json!({ "name": { "familyName": "Archer" } }));
    check("remove", "name", json!(null), json!({ "name": null }));
    check("remove", ENTERPRISE, json!(null), json!({ ENTERPRISE: null }));
    let department = format!("{ENTERPRISE}:department");
    check("remove", &department, json!(null), json!({ ENTERPRISE: { "manager": { "value": "m1" } } }));
}

#[test]
fn parts_that_are_not_named_stay() {
    let name = |given: &str| json!({ "name": { "givenName": given, "familyName": "Archer" } });
    check("replace", "name.givenName", json!("Anna"), name("Anna"));
    check("replace", "name", json!({ "givenName": "Anna" }), name("Anna"));
    check("replace", "", json!({ "name": { "givenName": "Anna" } }), name("Anna"));
    check("Replace", "", json!({ "name.givenName": "Anna", "TITLE": "Chief" }), {
        let mut both = name("Anna");
        both["title"] = "Chief".into();
        both
    });
}

#[test]
fn an_extension_is_named_in_every_way() {
    let department = |text: &str| json!({ ENTERPRISE: { "department": text, "manager": { "value": "m1" } } });
    let path = format!("{ENTERPRISE}:department");
    check("replace", &path, json!("IT"), department("IT"));
    check("replace", &path.to_uppercase(), json!("IT"), department("IT"));
    check("add", "", json!({ path.clone(): "IT" }), department("IT"));
    check("add", "", json!({ ENTERPRISE: { "Department": "IT" } }), department("IT"));
    check("replace", ENTERPRISE, json!({ "department": "IT" }), department("IT"));
    let manager = |id: &str| json!({ ENTERPRISE: { "department": "Sales", "manager": { "value": id } } });
    let path = format!("{ENTERPRISE}:manager");
    check("replace", &path, json!("m2"), manager("m2"));
    check("replace", &path, json!({ "value": "m2" }), manager("m2"));
    check("add", &format!("{path}.value"), json!("m2"), manager("m2"));
    check("add", "", json!({ path: "m2" }), manager("m2"));
}

#[test]
fn values_of_many_are_added_replaced_and_removed() {
    let (work, home) = (
        json!({ "value": "a@work", "type": "work", "primary": true }),
        json!({ "value": "a@home", "type": "home" }),
    );
    let emails = |all: &[&Value]| json!({ "emails": all });
    let new = json!({ "value": "a@new", "type": "other" });
    check("add", "emails", json!([new]), emails(&[&work, &home, &new]));
    check("add", "emails", new.clone(), emails(&[&work, &home, &new]));
    check("add", "", json!({ "emails": [new] }), emails(&[&work, &home, &new]));
    check("add", "emails", json!([home]), emails(&[&work, &home]));
    check(
        "add",
        "emails",
        json!([{ "value": "A@HOME" }]),
        emails(&[&work, &json!({ "value": "A@HOME", "type": "home" })]),
    );
    check("replace", "emails", json!([new]), emails(&[&new]));
    check("remove", "emails", json!(null), json!({ "emails": null }));
    check("remove", "emails", json!([{ "value": "a@home" }]), emails(&[&work]));
    check("remove", "emails[type eq \"home\"]", json!(null), emails(&[&work]));
    check(
        "remove",
        "emails[type eq \"HOME\"].type",
        json!(null),
        emails(&[&work, &json!({ "value": "a@home" })]),
    );
    let changed = json!({ "value": "a@new", "type": "work", "primary": true });
    check("replace", "emails[type eq \"work\"].value", json!("a@new"), emails(&[&changed, &home]));
    check("Add", "emails[type eq \"work\"].value", json!("a@new"), emails(&[&changed, &home]));
    check("add", "emails[type eq \"work\"]", json!({ "value": "a@new" }), emails(&[&changed, &home]));
    check(
        "replace",
        "emails[type eq \"work\"]",
        json!({ "value": "a@new" }),
        emails(&[&json!({ "value": "a@new" }), &home]),
    );
    // What is not there is made by adding to it, of what its filter says.
    let other = json!({ "value": "a@new", "type": "other" });
    check("Add", "emails[type eq \"other\"].value", json!("a@new"), emails(&[&work, &home, &other]));
    let phone = json!({ "phoneNumbers": [{ "type": "mobile", "value": "7" }] });
    check("add", "phoneNumbers[type eq \"mobile\"].value", json!("7"), phone);
    // One primary value at most: the new one.
    let (less, more) = (
        json!({ "value": "a@work", "type": "work", "primary": false }),
        json!({ "value": "a@home", "type": "home", "primary": true }),
    );
    check("replace", "emails[type eq \"home\"].primary", json!("True"), emails(&[&less, &more]));
    check(
        "add",
        "emails",
        json!([{ "value": "a@home", "type": "home", "primary": true }]),
        emails(&[&less, &more]),
    );
}

#[test]
fn what_cannot_be_done_is_refused_and_says_how() {
    let refused = |operations: Value, code: &str| {
        let fault = user(&operations).unwrap_err();
        assert_eq!(fault.code, code, "{operations}: {}", fault.detail);
    };
    let one = |op: &str, path: &str, value: Value| json!([{ "op": op, "path": path, "value": value }]);
    refused(one("replace", "emails[type eq \"other\"].value", json!("x")), "scim-no-target");
    refused(one("remove", "emails[type eq \"other\"]", json!(null)), "scim-no-target");
    refused(one("add", "emails[type ne \"work\" or value pr].primary", json!("x")), "scim-value");
    refused(one("add", "phoneNumbers[type sw \"m\"].value", json!("x")), "scim-no-target");
    refused(json!([{ "op": "remove" }]), "scim-no-target");
    refused(json!([{ "op": "remove", "value": { "title": "Boss" } }]), "scim-no-target");
    for path in ["userName", "active"] {
        refused(one("remove", path, json!(null)), "scim-mutability");
    }
    for path in ["id", "meta", "meta.created", "schemas", &format!("{ENTERPRISE}:manager.displayName")] {
        refused(one("replace", path, json!("x")), "scim-mutability");
    }
    for (path, value) in [
        ("userName", json!("")),
        ("userName", json!(7)),
        ("title", json!({ "value": "x" })),
        ("title", json!(["x"])),
        ("name", json!("Ann")),
        ("name", json!({})),
        ("emails", json!([])),
        ("emails", json!([7])),
        ("emails", json!([{ "value": "1", "primary": true }, { "value": "2", "primary": true }])),
        ("active", json!("maybe")),
    ] {
        refused(one("replace", path, value), "scim-value");
    }
    refused(one("replace", "emails", json!([{ "nothing": "x" }])), "scim-syntax");
    refused(one("replace", "", json!("x")), "scim-value");
    refused(json!([{ "op": "replace", "path": 7, "value": "x" }]), "scim-path");
    refused(json!([{ "path": "title", "value": "x" }]), "scim-syntax");
    refused(json!(["x"]), "scim-syntax");
    refused(json!(vec![json!({ "op": "replace", "path": "title", "value": "x" }); 1_001]), "scim-syntax");
}

#[test]
fn rights_and_passwords_are_nobodys_to_say_here() {
    let operations = json!([
        { "op": "add", "path": "roles", "value": [{ "value": "admin" }] },
        { "op": "add", "path": "Roles[primary eq \"True\"].value", "value": "admin" },
        { "op": "replace", "value": { "password": "hunter2", "entitlements": ["all"], "title": "Chief" } },
        { "op": "add", "path": "groups", "value": [{ "value": "grp_1" }] },
    ]);
    let (document, patched) = done(Resource::User, ann(), &operations).unwrap();
    let mut expect = ann();
    expect["title"] = "Chief".into();
    assert_eq!(document, expect);
    let ignored: Vec<&str> = patched.ignored.iter().map(String::as_str).collect();
    assert_eq!(ignored, ["entitlements", "groups", "password", "roles"]);
}

#[test]
fn members_come_and_go_without_being_read() {
    let set = |ids: &[&str]| -> BTreeSet<String> { ids.iter().map(|id| (*id).to_owned()).collect() };
    let check = |operations: Value, expect: Result<(&[&str], &[&str], bool), &str>| {
        let got = done(Resource::Group, json!({ "displayName": "G" }), &operations);
        match (got, expect) {
            (Ok((document, patched)), Ok((added, removed, others))) => {
                assert_eq!(document, json!({ "displayName": "G" }));
                let expect = MemberChange { added: set(added), removed: set(removed), others };
                assert_eq!(patched.members, expect, "{operations}");
            }
            (Err(fault), Err(code)) => assert_eq!(fault.code, code, "{operations}"),
            (got, expect) => panic!("{operations}: {got:?}, expected {expect:?}"),
        }
    };
    let op = |op: &str, path: &str, value: Value| json!({ "op": op, "path": path, "value": value });
    let two = json!([{ "value": "1" }, { "Value": "2", "$ref": null, "display": "x" }]);
    check(json!([op("Add", "members", two.clone())]), Ok((&["1", "2"], &[], false)));
    check(json!([{ "op": "add", "value": { "members": [{ "value": "1" }] } }]), Ok((&["1"], &[], false)));
    check(json!([op("add", "members", json!({ "value": "1" }))]), Ok((&["1"], &[], false)));
    check(json!([op("add", "MEMBERS", json!("1"))]), Ok((&["1"], &[], false)));
    check(json!([op("remove", "members[value eq \"1\"]", json!(null))]), Ok((&[], &["1"], false)));
    check(
        json!([op("remove", "members[value eq \"1\" or value eq \"2\"]", json!(null))]),
        Ok((&[], &["1", "2"], false)),
    );
    check(json!([op("Remove", "members", two.clone())]), Ok((&[], &["1", "2"], false)));
    check(json!([op("remove", "members", json!(null))]), Ok((&[], &[], true)));
    check(json!([op("replace", "members", two.clone())]), Ok((&["1", "2"], &[], true)));
    check(json!([op("replace", "members", json!([]))]), Ok((&[], &[], true)));
    check(
        json!([op("add", "members", two.clone()), op("remove", "members[value eq \"1\"]", json!(null))]),
        Ok((&["2"], &["1"], false)),
    );
    check(
        json!([op("remove", "members", two), op("add", "members", json!([{ "value": "1" }]))]),
        Ok((&["1"], &["2"], false)),
    );
    check(json!([op("remove", "members[type eq \"User\"]", json!(null))]), Err("scim-path"));
    check(json!([op("replace", "members[value eq \"1\"]", json!({ "value": "2" }))]), Err("scim-path"));
    check(json!([op("replace", "members[value eq \"1\"].value", json!("2"))]), Err("scim-mutability"));
    check(json!([op("add", "members", json!([{ "id": "1" }]))]), Err("scim-value"));
    check(json!([op("add", "members", json!(null))]), Err("scim-value"));
    check(json!([op("remove", "displayName", json!(null))]), Err("scim-mutability"));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0i64..9).prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(
                prop_oneof![
                    Just("value".to_owned()),
                    Just("type".to_owned()),
                    Just("primary".to_owned()),
                    Just("title".to_owned()),
                    Just("emails".to_owned()),
                    Just("active".to_owned()),
                    Just(ENTERPRISE.to_owned())
                ],
                inner,
                0..3
            )
            .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Whatever is sent, the document that comes out is one that could have been sent whole, and reads back as itself.
    #[test]
    fn what_comes_out_is_a_resource(
        operations in prop::collection::vec((
            prop_oneof![Just("add"), Just("replace"), Just("remove")],
            prop_oneof![Just(""), Just("title"), Just("active"), Just("emails"), Just("emails.value"),
                Just("emails[type eq \"work\"]"), Just("emails[value sw \"a\"].primary"), Just("name"), Just("name.givenName"),
                Just("roles"), Just(ENTERPRISE), Just("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager")],
            values(),
        ), 1..4)
    ) {
        let operations: Vec<Value> = operations
            .into_iter()
            .map(|(op, path, value)| json!({ "op": op, "path": path, "value": value }))
            .collect();
        if let Ok(document) = user(&Value::Array(operations)) {
            prop_assert!(document["active"].is_boolean());
            let Value::Object(body) = document.clone() else { unreachable!() };
            let again = shape::resource(body, &Schemas::of(Resource::User)).unwrap();
            prop_assert_eq!(Value::Object(again.document), document);
        }
    }
}
