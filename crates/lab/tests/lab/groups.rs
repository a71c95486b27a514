//! Membership: users and groups, one by one and all at once, direct and through nesting.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{GROUP, Rig, patch};

struct Cast {
    rig: Rig,
    group: String,
    users: Vec<String>,
}

fn cast() -> Cast {
    let rig = Rig::with(&[]);
    let users: Vec<String> = ["u0", "u1", "u2"].iter().map(|name| rig.create_user(name)).collect();
    let members = json!([{"value": users[0]}, {"value": users[1], "type": "User"}]);
    let body = json!({"schemas": [GROUP], "displayName": "g", "members": members});
    let group = rig.call("POST", "/scim/v2/Groups", body).id();
    Cast { rig, group, users }
}

#[test]
fn members_become_as_asked() {
    let Cast { users, .. } = cast();
    let [a, b, c] = [&users[0], &users[1], &users[2]];
    let of = |id: &str| format!("members[value eq \"{id}\"]");
    let table = [
        (json!([{"op": "add", "path": "members", "value": [{"value": c}]}]), vec![a, b, c]),
        (json!([{"op": "add", "path": "members", "value": {"value": c}}]), vec![a, b, c]),
        (json!([{"op": "add", "path": "members", "value": [{"value": a}]}]), vec![a, b]),
        (json!([{"op": "add", "value": {"members": [{"value": c}]}}]), vec![a, b, c]),
        (json!([{"op": "remove", "path": of(a)}]), vec![b]),
        (json!([{"op": "remove", "path": of(c)}]), vec![a, b]),
        (json!([{"op": "remove", "path": of("nobody")}]), vec![a, b]),
        (json!([{"op": "remove", "path": "members", "value": [{"value": a}]}]), vec![b]),
        (json!([{"op": "remove", "path": "members[type eq \"User\"]"}]), vec![]),
        (
            json!([{"op": "remove", "path": "members[not (value eq \"x\") and type eq \"Group\"]"}]),
            vec![a, b],
        ),
        (json!([{"op": "remove", "path": "members"}]), vec![]),
        (json!([{"op": "replace", "path": "members", "value": [{"value": c}]}]), vec![c]),
        (
            json!([{"op": "remove", "path": "members"}, {"op": "add", "path": "members", "value": [{"value": a}]}]),
            vec![a],
        ),
    ];
    for (operations, expect) in table {
        let Cast { rig, group, .. } = cast();
        let answer = rig.call("PATCH", &format!("/scim/v2/Groups/{group}"), patch(operations.clone()));
        assert_eq!(answer.status, 200, "{operations}: {}", answer.body);
        let expect: BTreeSet<String> = expect.into_iter().cloned().collect();
        assert_eq!(rig.truth().group("g").unwrap().users, expect, "{operations}");
        let answered = answer.body["members"].as_array().unwrap().iter();
        assert_eq!(
            answered.map(|m| m["value"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>(),
            expect
        );
    }
}

#[test]
fn only_real_changes_are_in_the_ledger() {
    let Cast { rig, group, users } = cast();
    let before = rig.lab.ledger("acme").unwrap().len();
    let replace =
        json!([{"op": "replace", "path": "members", "value": [{"value": users[1]}, {"value": users[2]}]}]);
    rig.call("PATCH", &format!("/scim/v2/Groups/{group}"), patch(replace));
    let ledger = rig.lab.ledger("acme").unwrap();
    let effects: BTreeSet<String> = ledger[before..]
        .iter()
        .map(|entry| format!("{:?} {}", entry.effect, entry.user.clone().unwrap()))
        .collect();
    let expect = [format!("MemberRemoved {}", users[0]), format!("MemberAdded {}", users[2])];
    assert_eq!(effects, expect.into_iter().collect());
    assert_eq!(ledger[before].cause.request, ledger[before + 1].cause.request);
}

#[test]
fn refused_members_change_nothing() {
    for operation in [
        json!({"op": "add", "path": "members", "value": [{"value": "nobody"}]}),
        json!({"op": "add", "path": "members", "value": [{"display": "x"}]}),
        json!({"op": "add", "path": "members", "value": ["x"]}),
        json!({"op": "replace", "path": "members[value eq \"x\"].value", "value": "y"}),
        json!({"op": "remove", "path": "displayName"}),
    ] {
        let Cast { rig, group, .. } = cast();
        let before = rig.truth();
        let operations = json!([{"op": "remove", "path": "members"}, operation]);
        let answer = rig.call("PATCH", &format!("/scim/v2/Groups/{group}"), patch(operations));
        assert_eq!(answer.status, 400, "{operation}");
        assert_eq!(rig.truth(), before, "{operation}");
    }
}

#[test]
fn nesting_counts_as_effective_and_never_loops() {
    let Cast { rig, group, users } = cast();
    let body = json!({"schemas": [GROUP], "displayName": "outer", "members": [{"value": group}]});
    let outer = rig.call("POST", "/scim/v2/Groups", body);
    assert_eq!(outer.body["members"][0]["type"], "Group");
    let outer = outer.id();
    let effective = rig.get(&format!("/api/users/{}/effective", users[0])).body["groups"].clone();
    let direct: BTreeSet<(String, bool)> = effective
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["displayName"].as_str().unwrap().to_owned(), entry["direct"].as_bool().unwrap()))
        .collect();
    assert_eq!(direct, [("g".to_owned(), true), ("outer".to_owned(), false)].into());
    assert_eq!(rig.true_user("u0").effective_groups, [group.clone(), outer.clone()].into());
    let shown = rig.get(&format!("/scim/v2/Users/{}", users[0])).body["groups"].clone();
    assert_eq!(shown.as_array().unwrap().len(), 1, "SCIM shows direct membership");
    for member in [&outer, &group] {
        let add = json!([{"op": "add", "path": "members", "value": [{"value": member}]}]);
        assert_eq!(rig.call("PATCH", &format!("/scim/v2/Groups/{group}"), patch(add)).status, 400);
    }
    rig.call("DELETE", &format!("/scim/v2/Groups/{group}"), Value::Null);
    assert!(rig.true_user("u0").effective_groups.is_empty());
    assert!(rig.truth().group("outer").unwrap().groups.is_empty());
}

#[test]
fn a_deleted_user_is_in_no_group() {
    let Cast { rig, users, .. } = cast();
    rig.call("DELETE", &format!("/scim/v2/Users/{}", users[0]), Value::Null);
    assert_eq!(rig.truth().group("g").unwrap().users, [users[1].clone()].into());
}

#[test]
fn membership_changes_both_versions() {
    let Cast { rig, group, users } = cast();
    let tag = |path: &str| rig.get(path).header("etag").to_owned();
    let (user_path, group_path) =
        (format!("/scim/v2/Users/{}", users[2]), format!("/scim/v2/Groups/{group}"));
    let before = (tag(&user_path), tag(&group_path));
    let add = json!([{"op": "add", "path": "members", "value": [{"value": users[2]}]}]);
    rig.call("PATCH", &group_path, patch(add));
    let after = (tag(&user_path), tag(&group_path));
    assert!(before.0 != after.0 && before.1 != after.1, "{before:?} {after:?}");
}

#[test]
fn members_can_be_left_out() {
    let Cast { rig, group, .. } = cast();
    let answer = rig.get(&format!("/scim/v2/Groups/{group}?excludedAttributes=members"));
    assert_eq!((answer.body.get("members"), &answer.body["displayName"]), (None, &json!("g")));
}
