//! Lists over HTTP: pages in both ways, filters, orders, searches, bulk requests and discovery.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::stage_tests::{Reply, Stage, patch, user};

const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

fn names(reply: &Reply) -> Vec<&str> {
    let resources = reply.body["Resources"].as_array().into_iter().flatten();
    resources.map(|user| user["userName"].as_str().unwrap().split('@').next().unwrap()).collect()
}

async fn seven() -> Stage {
    let stage = Stage::start().await;
    for (at, name) in ["eve", "ann", "dan", "bob", "gus", "cat", "fay"].into_iter().enumerate() {
        let mut more = json!({ "externalId": format!("E-{at}"), "active": at % 2 == 0 });
        if at < 3 {
            more["nickName"] = format!("Nick{}", 3 - at).into();
        }
        stage.user(&format!("{name}@acme.example"), more).await;
    }
    stage
}

/// Query parameters as they stand in a URL.
fn encoded(query: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
    };
    query.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_paged_filtered_and_sorted() {
    let stage = seven().await;
    let get = async |query: &[(&str, &str)]| {
        stage.idp("GET", &format!("/Users?{}", encoded(query)), Value::Null).await
    };
    let check = async |query: &[(&str, &str)], total: i64, expect: &[&str]| {
        let reply = get(query).await;
        assert_eq!((reply.status, names(&reply)), (200, expect.to_vec()), "{query:?} {reply:?}");
        assert_eq!(reply.body["totalResults"], json!(total), "{query:?}");
        assert_eq!(reply.body["itemsPerPage"], json!(expect.len()), "{query:?}");
        assert_eq!(reply.body.get("Resources").is_none(), expect.is_empty(), "{query:?}");
        // The same by `.search`.
        let mut body: Value = query.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        body["schemas"] = json!([SEARCH]);
        let search = stage.idp("POST", "/Users/.search", body).await;
        assert_eq!(search.body, reply.body, "{query:?}");
    };
    let all = ["eve", "ann", "dan", "bob", "gus", "cat", "fay"];
    check(&[], 7, &all).await;
    check(&[("count", "0")], 7, &[]).await;
    check(&[("count", "3")], 7, &all[..3]).await;
    check(&[("startIndex", "6"), ("count", "3")], 7, &all[5..]).await;
    check(&[("startIndex", "99")], 7, &[]).await;
    check(&[("filter", "userName eq \"ANN@acme.example\"")], 1, &["ann"]).await;
    check(&[("filter", "externalId eq \"E-3\"")], 1, &["bob"]).await;
    check(&[("filter", "externalId eq \"e-3\"")], 0, &[]).await;
    check(&[("filter", "userName eq \"nobody\"")], 0, &[]).await;
    check(
        &[("filter", "active eq true and externalId pr"), ("count", "2"), ("startIndex", "2")],
        4,
        &["dan", "gus"],
    )
    .await;
    check(&[("filter", "userName sw \"a\" or userName sw \"f\"")], 2, &["ann", "fay"]).await;
    check(&[("filter", "emails[type eq \"work\" and value co \"cat\"]")], 1, &["cat"]).await;
    check(&[("filter", "meta.resourceType eq \"Group\"")], 0, &[]).await;
    check(&[("sortBy", "userName")], 7, &["ann", "bob", "cat", "dan", "eve", "fay", "gus"]).await;
    check(&[("sortBy", "userName"), ("sortOrder", "descending"), ("count", "2")], 7, &["gus", "fay"]).await;
    check(&[("sortBy", "nickName"), ("count", "4")], 7, &["dan", "ann", "eve", "bob"]).await;
    check(&[("sortBy", "emails"), ("filter", "active eq false")], 3, &["ann", "bob", "cat"]).await;
    for (query, code, scim_type) in [
        (vec![("filter", "userName eq")], "scim-filter", "invalidFilter"),
        (vec![("filter", "groups.value eq \"x\"")], "scim-filter", "invalidFilter"),
        (vec![("sortBy", "nothing")], "scim-path", "invalidPath"),
        (vec![("count", "x")], "scim-value", "invalidValue"),
        (vec![("cursor", "x")], "scim-cursor", "invalidCursor"),
        (vec![("cursor", ""), ("count", "-1")], "scim-count", "invalidCount"),
        (vec![("cursor", ""), ("startIndex", "1")], "scim-cursor", "invalidCursor"),
        (vec![("attributes", "id"), ("excludedAttributes", "name")], "scim-value", "invalidValue"),
    ] {
        let reply = get(&query).await;
        assert_eq!(
            (reply.status, reply.code(), reply.text("/scimType")),
            (400, code, scim_type),
            "{query:?}"
        );
    }
    let less = get(&[("attributes", "userName"), ("count", "1")]).await;
    let keys: Vec<&String> = less.body["Resources"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_visit_everybody_once_whatever_the_order() {
    let stage = seven().await;
    for extra in [
        vec![],
        vec![("sortBy", "userName")],
        vec![("sortBy", "nickName"), ("sortOrder", "descending")],
        vec![("filter", "userName co \"@\"")],
    ] {
        for count in ["1", "2", "3", "7", "100"] {
            let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
            loop {
                let mut query = extra.clone();
                query.extend([("cursor", cursor.as_str()), ("count", count)]);
                let reply = stage.idp("GET", &format!("/Users?{}", encoded(&query)), Value::Null).await;
                assert_eq!(reply.status, 200, "{reply:?}");
                assert!(reply.body.get("startIndex").is_none() && reply.body.get("previousCursor").is_none());
                seen.extend(names(&reply).into_iter().map(str::to_owned));
                pages += 1;
                match reply.body.get("nextCursor") {
                    Some(next) => cursor = next.as_str().unwrap().to_owned(),
                    None => break,
                }
            }
            assert_eq!(seen.len(), 7, "{extra:?} {count}: {seen:?}");
            assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 7, "{extra:?} {count}: {seen:?}");
            assert_eq!(pages, 7usize.div_ceil(count.parse().unwrap()), "{extra:?} {count}");
        }
    }
    // A cursor whose resource is gone cannot be gone on from in an order; without one it can.
    let first = stage.idp("GET", "/Users?cursor&count=1&sortBy=userName", Value::Null).await;
    let cursor = first.text("/nextCursor").to_owned();
    let id = first.text("/Resources/0/id").to_owned();
    assert_eq!(stage.idp("DELETE", &format!("/Users/{id}"), Value::Null).await.status, 204);
    let expired =
        stage.idp("GET", &format!("/Users?cursor={cursor}&count=1&sortBy=userName"), Value::Null).await;
    assert_eq!((expired.status, expired.text("/scimType")), (400, "expiredCursor"));
    let other = stage.idp("GET", &format!("/Users?cursor={cursor}&count=1"), Value::Null).await;
    assert_eq!((other.status, other.text("/scimType")), (400, "invalidCursor"));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_in_everything_has_users_and_groups() {
    let stage = seven().await;
    for name in ["Sales", "Support"] {
        let group =
            json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name });
        assert_eq!(stage.idp("POST", "/Groups", group).await.status, 201);
    }
    let search = async |more: Value| {
        let mut body = json!({ "schemas": [SEARCH] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let reply = stage.idp("POST", "/.search", body).await;
        let shown = reply.body["Resources"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|r| r["displayName"].as_str().unwrap().to_owned());
        (reply.body["totalResults"].as_i64().unwrap_or(-1), shown.collect::<Vec<_>>())
    };
    let (total, shown) = search(json!({})).await;
    assert_eq!((total, shown.len()), (9, 9));
    assert_eq!(
        search(json!({ "startIndex": 7, "count": 2 })).await,
        (9, vec!["fay@acme.example".into(), "Sales".into()])
    );
    assert_eq!(search(json!({ "startIndex": 9, "count": 5 })).await, (9, vec!["Support".into()]));
    assert_eq!(
        search(json!({ "filter": "displayName sw \"s\"", "attributes": ["displayName"] })).await,
        (2, vec!["Sales".into(), "Support".into()])
    );
    assert_eq!(search(json!({ "count": 0 })).await, (9, vec![]));
    assert_eq!(search(json!({ "cursor": "" })).await.0, -1);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_in_bulk_are_each_done_or_refused_by_themselves() {
    let stage = Stage::start().await;
    let bulk = async |fail: Option<u64>, operations: Value| {
        let mut body = json!({ "schemas": [BULK], "Operations": operations });
        if let Some(fail) = fail {
            body["failOnErrors"] = fail.into();
        }
        stage.idp("POST", "/Bulk", body).await
    };
    let statuses = |reply: &Reply| -> Vec<String> {
        let all = reply.body["Operations"].as_array().into_iter().flatten();
        all.map(|done| done["status"].as_str().unwrap().to_owned()).collect()
    };
    let group = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Painters",
        "members": [{ "value": "bulkId:ann" }] });
    // The group comes first and waits for who is in it.
    let reply = bulk(None, json!([
        { "method": "POST", "path": "/Groups", "bulkId": "g", "data": group },
        { "method": "post", "path": "/Users", "bulkId": "ann", "data": user("ann@acme.example", json!({})) },
        { "method": "PATCH", "path": "/Users/bulkId:ann", "data": patch(json!([{ "op": "replace", "path": "nickName", "value": "A" }])) },
        { "method": "POST", "path": "/Users", "bulkId": "again", "data": user("Ann@acme.example", json!({})) },
        { "method": "DELETE", "path": "/Users/usr_0000000000000000000000000a" },
        { "method": "POST", "path": "/Nothing", "bulkId": "n", "data": {} },
        { "method": "PUT", "path": "/Users", "data": {} },
    ]))
    .await;
    assert_eq!(statuses(&reply), ["201", "201", "200", "409", "404", "404", "405"], "{reply:?}");
    let done = &reply.body["Operations"];
    assert_eq!((&done[3]["response"]["scimType"], &done[1]["bulkId"]), (&json!("uniqueness"), &json!("ann")));
    let ann = done[1]["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let read = stage.idp("GET", &format!("/Users/{ann}?attributes=groups,nickName"), Value::Null).await;
    assert_eq!(
        (&read.body["nickName"], &read.body["groups"][0]["display"]),
        (&json!("A"), &json!("Painters"))
    );
    // A version that is not the right one, and what follows from errors.
    let stale =
        |version: &str| json!({ "method": "DELETE", "path": format!("/Users/{ann}"), "version": version });
    assert_eq!(statuses(&bulk(None, json!([stale("W/\"1\"")])).await), ["412"]);
    let three = json!([stale("W/\"1\""), stale("W/\"1\""), stale("W/\"2\"")]);
    assert_eq!(statuses(&bulk(Some(2), three).await), ["412", "412"]);
    assert_eq!(statuses(&bulk(Some(3), json!([stale("W/\"2\"")])).await), ["204"]);
    // A circle is nobody's.
    let member = |name: &str, of: &str| {
        json!({ "method": "POST", "path": "/Groups", "bulkId": name, "data":
        { "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "members": [{ "value": format!("bulkId:{of}") }] } })
    };
    let circle = bulk(None, json!([member("a", "b"), member("b", "a"), member("c", "nobody")])).await;
    assert_eq!(statuses(&circle), ["409", "409", "400"], "{circle:?}");
    // Bombs.
    let one = json!({ "method": "DELETE", "path": "/Users/x" });
    let many = bulk(None, Value::Array(vec![one; 1_001])).await;
    assert_eq!((many.status, many.code()), (413, "scim-bulk-too-large"));
    let long = bulk(
        None,
        json!([{ "method": "POST", "path": "/Users", "bulkId": "x".repeat(2 << 20), "data": {} }]),
    )
    .await;
    assert_eq!((long.status, long.code()), (413, "request-too-large"));
    for bad in [json!([{ "method": 7 }]), json!(["x"]), json!({}), Value::Null] {
        assert_eq!(bulk(None, bad.clone()).await.code(), "scim-syntax", "{bad}");
    }
    assert_eq!(bulk(Some(0), json!([])).await.code(), "scim-syntax");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spoken_is_said_and_cannot_be_written() {
    let stage = Stage::start().await;
    let get = async |path: &str| stage.idp("GET", path, Value::Null).await;
    let config = get("/ServiceProviderConfig").await.body;
    for (pointer, expect) in [
        ("/patch/supported", json!(true)),
        ("/bulk/maxOperations", json!(1000)),
        ("/filter/supported", json!(true)),
        ("/changePassword/supported", json!(false)),
        ("/sort/supported", json!(true)),
        ("/etag/supported", json!(true)),
        ("/pagination/cursor", json!(true)),
        ("/pagination/index", json!(true)),
        ("/pagination/defaultPaginationMethod", json!("index")),
        ("/authenticationSchemes/0/type", json!("oauthbearertoken")),
    ] {
        assert_eq!(config.pointer(pointer), Some(&expect), "{pointer}");
    }
    let types = get("/ResourceTypes").await.body;
    assert_eq!((&types["totalResults"], &types["Resources"][0]["endpoint"]), (&json!(2), &json!("/Users")));
    let schemas = get("/Schemas").await.body;
    assert_eq!(schemas["totalResults"], json!(3));
    for schema in schemas["Resources"].as_array().unwrap() {
        let one = get(&format!("/Schemas/{}", schema["id"].as_str().unwrap())).await;
        assert_eq!((one.status, &one.body), (200, schema));
    }
    assert_eq!(get("/ResourceTypes/User").await.body, types["Resources"][0]);
    for path in ["/Schemas/urn:nothing", "/ResourceTypes/Thing", "/Nothing", "/Users/x/y"] {
        assert_eq!(get(path).await.status, 404, "{path}");
    }
    assert_eq!((get("/Schemas?filter=id+pr").await.status, get("/Me").await.status), (403, 501));
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/User", "/Schemas", "/Schemas/x"]
    {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            assert_eq!(stage.idp(method, path, json!({})).await.status, 405, "{method} {path}");
        }
    }
    for (method, path) in [("DELETE", "/Users"), ("PUT", "/Groups"), ("POST", "/Users/x"), ("GET", "/Bulk")] {
        assert_eq!(stage.idp(method, path, json!({})).await.status, 405, "{method} {path}");
    }
    stage.stop().await;
}
