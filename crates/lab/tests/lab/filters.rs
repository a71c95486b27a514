//! What filters find, and which are refused.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{ENTERPRISE, GROUP, Rig, USER};

fn people(rig: &Rig) {
    for user in [
        json!({"userName": "ada@acme.test", "externalId": "E1", "displayName": "Ada Lovelace", "active": true,
            "name": {"familyName": "Lovelace"},
            "emails": [{"value": "ada@acme.test", "type": "work", "primary": true},
                       {"value": "ada@home.test", "type": "home"}],
            ENTERPRISE: {"department": "Engines", "manager": {"value": "m1"}}}),
        json!({"userName": "Bob", "externalId": "e1", "displayName": "Bob \"Q\" O'Neil", "active": false,
            "emails": [{"value": "bob@acme.test", "type": "home"}]}),
        json!({"userName": "cyd", "active": true}),
    ] {
        let mut user = user;
        user["schemas"] = json!([USER]);
        let answer = rig.call("POST", "/scim/v2/Users", user);
        assert_eq!(answer.status, 201, "{}", answer.body);
        rig.clock.advance(1_000);
    }
}

fn query(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn filters_find() {
    let rig = Rig::with(&[]);
    people(&rig);
    let cyd = rig.true_user("cyd").id;
    let by_id = format!("id eq \"{cyd}\"");
    let (a, b, c) = ("ada@acme.test", "Bob", "cyd");
    let table: &[(&str, &[&str])] = &[
        ("userName eq \"bob\"", &[b]),
        ("USERNAME EQ \"BOB\"", &[b]),
        ("userName ne \"bob\"", &[a, c]),
        ("userName sw \"ADA\"", &[a]),
        ("userName co \"@\"", &[a]),
        ("userName ew \".test\"", &[a]),
        ("userName gt \"bob\"", &[c]),
        ("userName ge \"bob\"", &[b, c]),
        ("userName lt \"bob\"", &[a]),
        ("userName le \"bob\"", &[a, b]),
        ("externalId eq \"E1\"", &[a]),
        ("externalId eq \"e1\"", &[b]),
        ("externalId eq \"e2\"", &[]),
        ("externalId pr", &[a, b]),
        ("not (externalId pr)", &[c]),
        ("externalId eq null", &[c]),
        ("active eq true", &[a, c]),
        ("active ne true", &[b]),
        ("active eq false", &[b]),
        (&by_id, &[c]),
        ("id eq \"nobody\"", &[]),
        ("displayName eq \"bob \\\"q\\\" o'neil\"", &[b]),
        ("name.familyName eq \"lovelace\"", &[a]),
        ("emails.value eq \"ADA@HOME.TEST\"", &[a]),
        ("emails co \"acme\"", &[a, b]),
        ("emails.type eq \"home\" and emails.value co \"acme\"", &[a, b]),
        ("emails[type eq \"home\" and value co \"acme\"]", &[b]),
        ("emails[type eq \"work\" and not (value co \"home\")]", &[a]),
        ("emails[primary eq true]", &[a]),
        ("emails pr", &[a, b]),
        ("active eq true and userName eq \"cyd\"", &[c]),
        ("userName eq \"bob\" and active eq true", &[]),
        ("userName eq \"bob\" or userName eq \"cyd\"", &[b, c]),
        ("userName eq \"cyd\" or active eq false and externalId eq \"e1\"", &[b, c]),
        ("(userName eq \"cyd\" or active eq false) and externalId eq \"e1\"", &[b]),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"cyd\"", &[c]),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"engines\"", &[a]),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:manager.value pr", &[a]),
        ("meta.created gt \"2026-09-21T14:13:20Z\"", &[b, c]),
        ("meta.created le \"2026-09-21T16:13:21.000+02:00\"", &[a, b]),
        ("meta.resourceType eq \"User\"", &[a, b, c]),
    ];
    for (filter, expect) in table {
        let answer = rig.get(&format!("/scim/v2/Users?filter={}", query(filter)));
        assert_eq!(answer.status, 200, "{filter}: {}", answer.body);
        let resources = answer.body["Resources"].as_array().unwrap();
        let found: BTreeSet<&str> = resources.iter().map(|user| user["userName"].as_str().unwrap()).collect();
        assert_eq!(found, expect.iter().copied().collect(), "{filter}");
        assert_eq!(answer.body["totalResults"], expect.len(), "{filter}");
    }
}

#[test]
fn filters_are_refused() {
    let rig = Rig::with(&[]);
    people(&rig);
    let deep = format!("{}active eq true{}", "(".repeat(50), ")".repeat(50));
    let long = format!("active eq true{}", " and active eq true".repeat(1_000));
    for filter in [
        "",
        "userName",
        "userName eq",
        "userName eq bob",
        "userName eq \"bob",
        "userName like \"bob\"",
        "eq \"bob\"",
        "shoeSize eq \"44\"",
        "name.shoeSize eq \"44\"",
        "userName eq \"bob\" and",
        "userName eq \"bob\" userName pr",
        "(userName eq \"bob\"",
        "not userName pr",
        "active eq \"true\"",
        "active gt true",
        "userName eq true",
        "name eq \"x\"",
        "emails[type eq \"work\"",
        "name[familyName eq \"x\"]",
        "meta.created gt \"yesterday\"",
        "userName eq 3",
        &deep,
        &long,
    ] {
        let answer = rig.get(&format!("/scim/v2/Users?filter={}", query(filter)));
        assert_eq!(
            (answer.status.as_u16(), answer.body["scimType"].as_str()),
            (400, Some("invalidFilter")),
            "{filter}"
        );
    }
}

#[test]
fn groups_are_found_by_their_members() {
    let rig = Rig::with(&[]);
    let ada = rig.create_user("ada");
    let group = |name: &str, members: Value| {
        let body = json!({"schemas": [GROUP], "displayName": name, "members": members});
        rig.call("POST", "/scim/v2/Groups", body).id()
    };
    let inner = group("inner", json!([{"value": ada}]));
    let outer = group("outer", json!([{"value": inner}]));
    group("empty", json!([]));
    for (filter, expect) in [
        (format!("members.value eq \"{ada}\""), vec![&inner]),
        (format!("members eq \"{ada}\""), vec![&inner]),
        (format!("members[value eq \"{inner}\"]"), vec![&outer]),
        (format!("members[value eq \"{inner}\" and type eq \"User\"]"), vec![]),
        (format!("members.value eq \"{ada}\" and displayName eq \"outer\""), vec![]),
        ("displayName sw \"IN\"".into(), vec![&inner]),
    ] {
        let answer = rig.get(&format!("/scim/v2/Groups?filter={}", query(&filter)));
        assert_eq!(answer.ids().iter().collect::<Vec<_>>(), expect, "{filter}");
    }
}

#[test]
fn a_search_request_is_a_query() {
    let rig = Rig::with(&[]);
    people(&rig);
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "active eq true", "attributes": ["userName"], "count": 1, "startIndex": 2});
    let answer = rig.call("POST", "/scim/v2/Users/.search", body);
    assert_eq!((&answer.body["totalResults"], answer.ids().len()), (&json!(2), 1));
    assert!(answer.body["Resources"][0].get("active").is_none());
}
