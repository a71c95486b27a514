//! What every request meets: tokens, limits, preconditions, keys, errors, discovery.

use bailiwick_lab::{Lab, LabError, ManualClock, Rate};
use serde_json::{Value, json};

use crate::harness::{Rig, USER, spec};

#[test]
fn tokens_open_what_they_may() {
    let rig = Rig::with(&[]);
    let id = rig.create_user("bob");
    let user = format!("/scim/v2/Users/{id}");
    let before = rig.truth();
    for (method, path, token, status) in [
        ("GET", "/scim/v2/Users", "Bearer r", 200),
        ("GET", "/scim/v2/Users", "bearer w", 200),
        ("GET", "/scim/v2/Users", "Bearer x", 401),
        ("GET", "/scim/v2/Users", "Basic w", 401),
        ("GET", "/scim/v2/ServiceProviderConfig", "Bearer x", 401),
        ("DELETE", user.as_str(), "Bearer r", 403),
        ("DELETE", user.as_str(), "Bearer x", 401),
        ("POST", "/scim/v2/Users", "Bearer r", 403),
        ("GET", "/api/whoami", "Bearer w", 401),
    ] {
        let answer = rig.call_with(method, path, Value::Null, &[("authorization", token)]);
        assert_eq!(answer.status, status, "{method} {path} {token}");
    }
    let bare = rig.call_with("GET", "/scim/v2/Users", Value::Null, &[]);
    assert_eq!((bare.status.as_u16(), bare.header("www-authenticate")), (401, "Bearer"));
    assert_eq!(rig.truth(), before);
}

#[test]
fn errors_are_scim_errors() {
    let rig = Rig::with(&[]);
    rig.create_user("bob");
    let taken = rig.call("POST", "/scim/v2/Users", json!({"schemas": [USER], "userName": "BOB"}));
    assert_eq!(taken.header("content-type"), "application/scim+json");
    assert_eq!(
        taken.body,
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "409", "scimType": "uniqueness",
            "detail": "`userName` `BOB` is taken"})
    );
    for (method, path, body, status) in [
        ("GET", "/scim/v2/Users/none", Value::Null, 404),
        ("GET", "/scim/v2/Nonsense", Value::Null, 404),
        ("DELETE", "/scim/v2/Users", Value::Null, 405),
        ("POST", "/scim/v2/Bulk", Value::Null, 501),
        ("POST", "/scim/v2/Users", json!({"userName": "x"}), 400),
        ("POST", "/scim/v2/Users", json!({"schemas": [USER]}), 400),
        ("POST", "/scim/v2/Users", json!({"schemas": [USER], "userName": "x", "shoeSize": 44}), 400),
        ("POST", "/scim/v2/Users", json!([]), 400),
    ] {
        let answer = rig.call(method, path, body.clone());
        assert_eq!(answer.status, status, "{method} {path} {body}");
        assert_eq!(answer.body["status"], status.to_string(), "{method} {path}");
    }
    assert_eq!(rig.truth().users.len(), 1);
    let headers = [("authorization", "Bearer w"), ("content-type", "text/plain")];
    assert_eq!(rig.call_with("POST", "/scim/v2/Users", json!({}), &headers).status, 415);
    assert_eq!(rig.raw("GET", "/nobody/scim/v2/Users", Value::Null, &[]).status, 404);
}

#[test]
fn discovery_is_read_only() {
    let rig = Rig::with(&[]);
    let schemas = rig.get("/scim/v2/Schemas").body;
    assert_eq!(schemas["totalResults"], 3);
    let mut paths = vec!["/scim/v2/ServiceProviderConfig".to_owned(), "/scim/v2/ResourceTypes".to_owned()];
    paths.extend(["User", "Group"].map(|name| format!("/scim/v2/ResourceTypes/{name}")));
    paths.push("/scim/v2/Schemas".into());
    for schema in schemas["Resources"].as_array().unwrap() {
        paths.push(format!("/scim/v2/Schemas/{}", schema["id"].as_str().unwrap()));
    }
    for path in paths {
        assert_eq!(rig.get(&path).status, 200, "{path}");
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            assert_eq!(rig.call(method, &path, Value::Null).status, 405, "{method} {path}");
        }
        assert_eq!(rig.get(&format!("{path}?filter=id%20pr")).status, 403);
    }
    assert_eq!(rig.get("/scim/v2/Schemas/urn:none").status, 404);
}

#[test]
fn a_new_resource_says_where_it_is() {
    let rig = Rig::with(&[]);
    let headers = [("authorization", "Bearer w"), ("host", "lab.test:9")];
    let made =
        rig.call_with("POST", "/scim/v2/Users", json!({"schemas": [USER], "USERNAME": "bob"}), &headers);
    let location = format!("http://lab.test:9/acme/scim/v2/Users/{}", made.id());
    assert_eq!(made.header("location"), location);
    assert_eq!(made.body["meta"]["location"], location.as_str());
    assert_eq!(made.body["meta"]["version"], made.header("etag"));
    assert_eq!(made.body["meta"]["created"], "2026-09-21T14:13:20.000Z");
    assert_eq!(made.body["userName"], "bob");
}

#[test]
fn projections_choose() {
    let rig = Rig::with(&[]);
    let id = rig.create_user("bob");
    let keys = |query: &str| {
        let body = rig.get(&format!("/scim/v2/Users/{id}?{query}")).body;
        let mut keys: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys.join(" ")
    };
    assert_eq!(keys(""), "active groups id meta schemas userName");
    assert_eq!(keys("attributes=USERNAME,meta.version"), "id meta schemas userName");
    assert_eq!(keys("excludedAttributes=groups,meta,id"), "active id schemas userName");
    let part = rig.get(&format!("/scim/v2/Users/{id}?attributes=meta.version")).body;
    assert_eq!(part["meta"], json!({"version": "W/\"1\""}));
    assert_eq!(rig.get("/scim/v2/Users?attributes=shoeSize").status, 400);
}

#[test]
fn versions_guard_writes() {
    let rig = Rig::with(&[]);
    let path = format!("/scim/v2/Users/{}", rig.create_user("bob"));
    let body = |title: &str| json!({"schemas": [USER], "userName": "bob", "title": title});
    let put = |tag: &str, title: &str| {
        let headers = [("authorization", "Bearer w"), ("if-match", tag)];
        rig.call_with("PUT", &path, body(title), &headers)
    };
    let first = rig.get(&path).header("etag").to_owned();
    assert_eq!(first, "W/\"1\"");
    let second = put(&first, "a");
    assert_eq!((second.status.as_u16(), second.header("etag")), (200, "W/\"2\""));
    assert_eq!(put(&first, "b").status, 412);
    assert_eq!(rig.true_user("bob").attributes["title"], "a");
    assert_eq!(put("*", "c").status, 200);
    assert_eq!(put("W/\"9\", W/\"3\"", "d").status, 200);
    assert_eq!(rig.true_user("bob").attributes["title"], "d");
    for (method, tag, status) in
        [("PATCH", "W/\"1\"", 412), ("DELETE", "W/\"1\"", 412), ("DELETE", "W/\"4\"", 204)]
    {
        let headers = [("authorization", "Bearer w"), ("if-match", tag)];
        assert_eq!(rig.call_with(method, &path, Value::Null, &headers).status, status, "{method} {tag}");
    }
}

#[test]
fn versions_spare_reads() {
    let rig = Rig::with(&[]);
    let id = rig.create_user("bob");
    let read = |tag: &str| {
        let headers = [("authorization", "Bearer r"), ("if-none-match", tag)];
        rig.call_with("GET", &format!("/scim/v2/Users/{id}"), Value::Null, &headers)
    };
    assert_eq!((read("W/\"1\"").status.as_u16(), read("W/\"1\"").body), (304, Value::Null));
    assert_eq!(read("W/\"2\"").status, 200);
    rig.patch_user(&id, json!([{"op": "add", "path": "title", "value": "x"}]));
    assert_eq!(read("W/\"1\"").status, 200);
}

#[test]
fn a_key_has_one_effect() {
    let rig = Rig::with(&[]);
    let id = rig.create_user("bob");
    let path = format!("/api/users/{id}/tokens");
    let post = |key: &str, name: &str| {
        let headers = [("authorization", "Bearer w"), ("idempotency-key", key)];
        rig.call_with("POST", &path, json!({"name": name}), &headers)
    };
    let first = post("k1", "ci");
    let again = post("k1", "ci");
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    let other = post("k1", "cd");
    assert_eq!((other.status.as_u16(), other.body["error"].as_str()), (422, Some("idempotency-key-reused")));
    assert_eq!(rig.true_user("bob").tokens.len(), 1);
    assert_eq!(post("k2", "ci").status, 201);
    assert_eq!(rig.true_user("bob").tokens.len(), 2);
    let keys: Vec<_> =
        rig.lab.ledger("acme").unwrap().into_iter().filter_map(|entry| entry.cause.idempotency_key).collect();
    assert_eq!(keys, ["k1", "k2"]);
}

#[test]
fn a_key_covers_every_write_but_not_a_refusal() {
    let rig = Rig::with(&[]);
    let id = rig.create_user("bob");
    let path = format!("/scim/v2/Users/{id}");
    let delete = || {
        let headers = [("authorization", "Bearer w"), ("idempotency-key", "d")];
        rig.call_with("DELETE", &path, Value::Null, &headers).status.as_u16()
    };
    assert_eq!([delete(), delete()], [204, 204], "the second is the first's answer, not a 404");
    let create = |name: &str| {
        let headers = [("authorization", "Bearer w"), ("idempotency-key", "c")];
        let body = json!({"schemas": [USER], "userName": name});
        rig.call_with("POST", "/scim/v2/Users", body, &headers).status.as_u16()
    };
    let blocker = rig.create_user("cyd");
    assert_eq!(create("cyd"), 409);
    rig.call("DELETE", &format!("/scim/v2/Users/{blocker}"), Value::Null);
    assert_eq!(create("cyd"), 201, "a refusal is not kept");
}

#[test]
fn keys_can_be_unknown_to_a_system() {
    let mut spec = spec(&[]);
    spec.idempotency_keys = false;
    let rig = Rig::new(spec);
    let path = format!("/api/users/{}/tokens", rig.create_user("bob"));
    let headers = [("authorization", "Bearer w"), ("idempotency-key", "k")];
    for _ in 0..2 {
        rig.call_with("POST", &path, json!({"name": "ci"}), &headers);
    }
    assert_eq!(rig.true_user("bob").tokens.len(), 2);
}

#[test]
fn a_minute_has_room_for_so_many() {
    let mut spec = spec(&[]);
    spec.rate = Some(Rate { per_minute: 2 });
    let rig = Rig::new(spec);
    let create =
        |name: &str| rig.call("POST", "/scim/v2/Users", json!({"schemas": [USER], "userName": name}));
    assert_eq!([create("a").status, create("b").status].map(|status| status.as_u16()), [201, 201]);
    rig.clock.advance(500);
    let refused = create("c");
    assert_eq!(refused.status, 429);
    assert_eq!(rig.truth().users.len(), 2);
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait));
    rig.clock.advance(wait * 1_000);
    assert_eq!(create("c").status, 201, "whoever waits as told gets in");
}

#[test]
fn bad_specs_are_refused() {
    let lab =
        |specs| Lab::new(std::sync::Arc::new(ManualClock::default()), specs).err().map(|error| error.code());
    let named = |name: &str| {
        let mut spec = spec(&[]);
        spec.name = name.into();
        spec
    };
    assert_eq!(lab(vec![named("a"), named("b")]), None);
    assert_eq!(lab(vec![named("a"), named("a")]), Some("lab-duplicate-system"));
    for name in ["", "truth", "a/b", "ä"] {
        assert_eq!(lab(vec![named(name)]), Some("lab-bad-spec"), "{name}");
    }
    let mut same = spec(&[]);
    same.tokens.read = same.tokens.write.clone();
    assert_eq!(lab(vec![same]), Some("lab-bad-spec"));
    assert_eq!(LabError::NoSystem("x".into()).to_string(), "the lab has no system `x`");
}
