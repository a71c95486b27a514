//! Groups over HTTP: members that come and go, and what the names of some of them give on the chat.

use bailiwick_core::identity::Identity;
use bailiwick_store::entities::{PushedGroup, PushedMember};
use reqwest::Method;
use serde_json::{Value, json};

use super::stage_tests::{Stage, patch};

fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "members": members })
}

fn op(op: &str, path: &str, value: Value) -> Value {
    patch(json!([{ "op": op, "path": path, "value": value }]))
}

fn members(reply: &Value) -> Vec<&str> {
    reply["members"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|member| member["value"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_and_read_back() {
    let stage = Stage::start().await;
    let (ann, bob) =
        (stage.user("ann@acme.example", json!({})).await, stage.user("bob@acme.example", json!({})).await);
    let made = stage.idp("POST", "/Groups", group("Painters", &[&ann])).await;
    assert_eq!((made.status, members(&made.body)), (201, vec![ann.as_str()]), "{made:?}");
    let (id, of) = (made.id(), format!("{}/scim/v2", stage.url));
    assert_eq!(
        made.body["members"][0],
        json!({ "value": ann, "$ref": format!("{of}/Users/{ann}"), "type": "User" })
    );
    let path = format!("/Groups/{id}");
    let inner = stage.idp("POST", "/Groups", group("Inner", &[])).await.id();
    for (body, expect) in [
        (op("Add", "members", json!([{ "value": bob }])), vec![&ann, &bob]),
        (op("add", "members", json!([{ "value": bob }])), vec![&ann, &bob]),
        (op("remove", &format!("members[value eq \"{ann}\"]"), Value::Null), vec![&bob]),
        (op("Remove", "members", json!([{ "value": bob }])), vec![]),
        (op("replace", "members", json!([{ "value": ann }, { "value": inner }])), vec![&inner, &ann]),
        (op("remove", "members", Value::Null), vec![]),
        (op("add", "members", json!([{ "value": ann }])), vec![&ann]),
        // Nobody is removed who is not there.
        (op("remove", &format!("members[value eq \"{bob}\"]"), Value::Null), vec![&ann]),
    ] {
        let reply = stage.idp("PATCH", &path, body.clone()).await;
        assert_eq!(
            (reply.status, members(&reply.body)),
            (200, expect.iter().map(|id| id.as_str()).collect()),
            "{body}"
        );
        let read = stage.idp("GET", &path, Value::Null).await;
        assert_eq!(read.body, reply.body, "{body}");
    }
    // Only what is wanted is looked up, and whether somebody is in a group can be asked.
    let less = stage.idp("GET", &format!("{path}?excludedAttributes=members"), Value::Null).await;
    assert_eq!((less.status, less.body.get("members")), (200, None));
    for (filter, found) in [
        (format!("id eq \"{id}\" and members eq \"{ann}\""), 1),
        (format!("id eq \"{id}\" and members.value eq \"{bob}\""), 0),
        (format!("members[value eq \"{ann}\"]"), 1),
        (format!("not (members[value eq \"{ann}\"]) and displayName eq \"inner\""), 1),
        ("displayName eq \"PAINTERS\"".to_owned(), 1),
    ] {
        let search =
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter });
        let reply = stage.idp("POST", "/Groups/.search", search).await;
        assert_eq!(reply.body["totalResults"], json!(found), "{filter}: {reply:?}");
    }
    let of_ann = stage.idp("GET", &format!("/Users/{ann}?attributes=groups"), Value::Null).await;
    assert_eq!(of_ann.body["groups"][0]["display"], json!("Painters"));
    for (body, code) in [
        (op("add", "members", json!([{ "value": "usr_0000000000000000000000000a" }])), "push-member-unknown"),
        (op("add", "members", json!([{ "value": id }])), "push-member-unknown"),
        (op("add", "members", json!([{ "value": "../x" }])), "push-member-unknown"),
        (op("replace", "displayName", json!("")), "scim-value"),
    ] {
        let reply = stage.idp("PATCH", &path, body.clone()).await;
        assert_eq!((reply.status, reply.code()), (400, code), "{body}");
    }
    // Who is gone is in no group, and a group that is gone is nowhere.
    assert_eq!(stage.idp("DELETE", &format!("/Users/{ann}"), Value::Null).await.status, 204);
    assert_eq!(members(&stage.idp("GET", &path, Value::Null).await.body), Vec::<&str>::new());
    stage.idp("PATCH", &path, op("add", "members", json!([{ "value": inner }]))).await;
    for id in [&inner, &id] {
        assert_eq!(stage.idp("DELETE", &format!("/Groups/{id}"), Value::Null).await.status, 204);
        assert_eq!(stage.idp("GET", &format!("/Groups/{id}"), Value::Null).await.status, 404);
    }
    assert!(stage.all::<PushedGroup>().await.is_empty() && stage.all::<PushedMember>().await.is_empty());
    let mut tx = stage.engine.parts().store.read().await.unwrap();
    assert!(bailiwick_store::deviations(&mut *tx).await.unwrap().is_empty(), "evidence explains every row");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_declared_is_an_attribute_of_its_members() {
    let stage = Stage::start().await;
    let ann = stage.user("ann@acme.example", json!({})).await;
    stage.quiet().await;
    let is_builder = || stage.is_in("ann@acme.example", "builders");
    // A name that is not declared gives nothing, however it is called.
    let other = stage.idp("POST", "/Groups", group("builders", &[&ann])).await.id();
    stage.quiet().await;
    assert!(!is_builder());
    // With the declared name its members have it.
    let rename = |name: &str| op("replace", "displayName", json!(name));
    assert_eq!(stage.idp("PATCH", &format!("/Groups/{other}"), rename("Builders")).await.status, 200);
    stage.quiet().await;
    assert!(is_builder());
    // What is said of the person otherwise leaves it alone.
    assert_eq!(
        stage.idp("PATCH", &format!("/Users/{ann}"), op("replace", "nickName", json!("A"))).await.status,
        200
    );
    stage.quiet().await;
    assert!(is_builder());
    let teams = async || {
        let all = stage.all::<Identity>().await;
        all.iter().find(|identity| identity.source_key.key == ann).unwrap().attributes.get("teams").cloned()
    };
    let second = stage.idp("POST", "/Groups", group("Painters", &[&ann])).await.id();
    assert_eq!(serde_json::to_value(teams().await).unwrap(), json!(["Builders", "Painters"]));
    for (method, path, body, builder) in [
        (
            "PATCH",
            format!("/Groups/{other}"),
            op("remove", &format!("members[value eq \"{ann}\"]"), Value::Null),
            false,
        ),
        ("PUT", format!("/Groups/{other}"), group("Builders", &[&ann]), true),
        ("PATCH", format!("/Groups/{other}"), rename("Masons"), false),
        ("PATCH", format!("/Groups/{other}"), rename("Builders"), true),
        ("DELETE", format!("/Groups/{other}"), Value::Null, false),
    ] {
        let reply = stage.idp(method, &path, body).await;
        assert!(reply.status < 300, "{reply:?}");
        stage.quiet().await;
        assert_eq!(is_builder(), builder, "{method} {path}");
    }
    assert_eq!(serde_json::to_value(teams().await).unwrap(), json!(["Painters"]));
    // Who has left has nothing of it, and has it again when they are back.
    let back = stage.idp("POST", "/Groups", group("Builders", &[])).await.id();
    for (active, builder) in [(false, false), (true, true)] {
        stage.idp("PATCH", &format!("/Users/{ann}"), op("replace", "active", json!(active))).await;
        if !active {
            let add = op("add", "members", json!([{ "value": ann }]));
            assert_eq!(stage.idp("PATCH", &format!("/Groups/{back}"), add).await.status, 200);
        }
        stage.quiet().await;
        assert_eq!(is_builder(), builder);
    }
    drop(second);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_group_is_not_read_to_be_changed() {
    let stage = Stage::start().await;
    let mut ids = Vec::new();
    let operations: Vec<Value> = (0..120)
        .map(|n| {
            let data = super::stage_tests::user(&format!("p{n}@acme.example"), json!({ "active": false }));
            json!({ "method": "POST", "path": "/Users", "bulkId": format!("{n}"), "data": data })
        })
        .collect();
    let bulk =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    let reply = stage.idp("POST", "/Bulk", bulk).await;
    for done in reply.body["Operations"].as_array().unwrap() {
        assert_eq!(done["status"], json!("201"), "{done}");
        ids.push(done["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned());
    }
    let all: Vec<&str> = ids[1..].iter().map(String::as_str).collect();
    let made = stage.idp("POST", "/Groups", group("Crowd", &all)).await;
    assert_eq!((made.status, members(&made.body).len()), (201, 119));
    let path = format!("/Groups/{}", made.id());
    let add = op("add", "members", json!([{ "value": ids[0] }]));
    // Answered without what it would take to read it, unless that is wanted.
    let reply = stage.idp("PATCH", &path, add.clone()).await;
    assert_eq!((reply.status, reply.headers["etag"].to_str().unwrap()), (204, "W/\"2\""));
    let wanted = stage.idp("PATCH", &format!("{path}?attributes=displayName"), add).await;
    assert_eq!(
        (wanted.status, &wanted.body["displayName"], wanted.body.get("members")),
        (200, &json!("Crowd"), None)
    );
    assert_eq!(members(&stage.idp("GET", &path, Value::Null).await.body).len(), 120);
    // One replaced by a few: the others go.
    let few = stage.idp("PUT", &path, group("Crowd", &all[..2])).await;
    assert_eq!((few.status, members(&few.body).len()), (200, 2));
    let call = (Method::GET, "/scim/v2/Groups?count=1");
    let listed = stage.call_with(call, &stage.idp, &[], Vec::new()).await;
    assert_eq!(members(&listed.body["Resources"][0]).len(), 2);
    stage.stop().await;
}
