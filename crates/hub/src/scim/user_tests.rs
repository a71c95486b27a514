//! Users over HTTP: what is sent reads back, and what it says becomes true of accounts, or is refused.

use bailiwick_core::{identity::Identity, record::Actor};
use bailiwick_store::entities::{Batch, PushedUser};
use reqwest::Method;
use serde_json::{Value, json};

use super::stage_tests::{Stage, patch, user};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn set(path: &str, value: Value) -> Value {
    patch(json!([{ "op": "replace", "path": path, "value": value }]))
}

async fn identity(stage: &Stage, id: &str) -> Option<Identity> {
    stage.all::<Identity>().await.into_iter().find(|identity| identity.source_key.key == id)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_reads_back_exactly() {
    let stage = Stage::start().await;
    let sent = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE, "urn:acme:hr:2.0:User"],
        "externalId": "E-1", "userName": "Ann@Acme.example", "displayName": "Ann Ärcher", "active": true, "nickName": "A",
        "name": { "givenName": "Ann", "familyName": "Archer", "formatted": "Ann Archer" }, "title": "Boss",
        "emails": [{ "value": "ann@acme.example", "type": "work", "primary": true }, { "value": "a@home.example", "type": "home" }],
        "phoneNumbers": [{ "value": "+49 30 1", "type": "mobile" }], "locale": "de-DE", "timezone": "Europe/Berlin",
        "addresses": [{ "type": "work", "locality": "Berlin", "country": "DE" }], "userType": "Employee",
        "urn:acme:hr:2.0:User": { "site": "ber" }, ENTERPRISE: { "employeeNumber": "42", "department": "Sales" },
    });
    // `title` is in the contract, and nobody certified that this source says it.
    let refused = stage.idp("POST", "/Users", sent.clone()).await;
    assert_eq!((refused.status, refused.code()), (403, "out-of-scope"), "{refused:?}");
    assert!(refused.text("/detail").contains("`title`"), "{refused:?}");
    let mut sent = sent;
    sent.as_object_mut().unwrap().remove("title");
    let made = stage.idp("POST", "/Users", sent.clone()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.id();
    let location = format!("{}/scim/v2/Users/{id}", stage.url);
    assert_eq!(made.headers["location"], location.as_str());
    assert_eq!(made.headers["etag"], "W/\"1\"");
    let read = stage.idp("GET", &format!("/Users/{id}"), Value::Null).await;
    assert_eq!((read.status, &read.body), (200, &made.body));
    let mut body = read.body;
    let meta = body.as_object_mut().unwrap().remove("meta").unwrap();
    body.as_object_mut().unwrap().remove("id");
    assert_eq!(body, sent);
    assert_eq!(
        (&meta["resourceType"], &meta["version"], &meta["location"]),
        (&json!("User"), &json!("W/\"1\""), &json!(location))
    );
    assert!(meta["created"].as_str().unwrap().ends_with('Z') && meta["created"] == meta["lastModified"]);

    let known = identity(&stage, &id).await.unwrap();
    let says = |name: &str| known.text(name).unwrap_or_default().to_owned();
    assert_eq!(
        [says("email"), says("display_name"), says("department"), says("site"), says("clearance")],
        ["ann@acme.example", "Ann Ärcher", "Sales", "ber", "A"]
    );
    // Whoever is asked for by a name in any case is found, and by nobody else.
    for (name, status) in [("ann@acme.EXAMPLE", 409), ("bob@acme.example", 201)] {
        let again = stage.idp("POST", "/Users", user(name, json!({}))).await;
        assert_eq!(again.status, status, "{again:?}");
        if status == 409 {
            assert_eq!((again.text("/scimType"), again.code()), ("uniqueness", "push-not-unique"));
        }
    }
    // The contract has one person for each address.
    let taken = json!({ "emails": [{ "value": "ANN@acme.example" }] });
    let taken = stage.idp("POST", "/Users", user("other@acme.example", taken)).await;
    assert_eq!((taken.status, taken.text("/scimType")), (409, "uniqueness"));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joiner_mover_leaver_and_back_again_are_what_the_chat_sees() {
    let stage = Stage::start().await;
    let ann = stage.user("ann@acme.example", json!({ ENTERPRISE: { "department": "Sales" } })).await;
    let off = stage.user("off@acme.example", json!({ "active": false })).await;
    stage.quiet().await;
    assert_eq!((stage.active("ann@acme.example"), stage.active("off@acme.example")), (Some(true), None));
    assert!(identity(&stage, &off).await.is_none(), "who was never active is nobody yet");

    let path = format!("/Users/{ann}");
    let moved = stage.idp("PATCH", &path, set(&format!("{ENTERPRISE}:department"), json!("Support"))).await;
    assert_eq!((moved.status, &moved.body[ENTERPRISE]["department"]), (200, &json!("Support")));
    assert_eq!(moved.headers["etag"], "W/\"2\"");
    stage.quiet().await;
    assert_eq!(identity(&stage, &ann).await.unwrap().text("department"), Some("Support"));
    // The same once more is nothing new.
    let same = stage.idp("PATCH", &path, set(&format!("{ENTERPRISE}:department"), json!("Support"))).await;
    assert_eq!((same.status, &same.headers["etag"]), (200, &moved.headers["etag"]));

    for (body, active) in [(json!("False"), false), (json!(true), true), (json!(false), false)] {
        assert_eq!(stage.idp("PATCH", &path, set("active", body)).await.status, 200);
        stage.quiet().await;
        assert_eq!(stage.active("ann@acme.example"), Some(active));
    }
    // A word about something else, or a whole resource without one about this, brings nobody back.
    assert_eq!(stage.idp("PATCH", &path, set("nickName", json!("Annie"))).await.status, 200);
    let mut whole = user("ann@acme.example", json!({}));
    whole.as_object_mut().unwrap().remove("active");
    let put = stage.idp("PUT", &path, whole).await;
    assert_eq!((put.status, &put.body["active"], put.body.get("nickName")), (200, &json!(false), None));
    stage.quiet().await;
    assert_eq!(stage.active("ann@acme.example"), Some(false));

    // A day that comes is an end too, and one that is none is refused.
    let day = "urn:acme:hr:2.0:User:lastDay";
    assert_eq!(
        stage.idp("PATCH", &format!("/Users/{off}"), set(day, json!("soon"))).await.code(),
        "scim-value"
    );
    let ended = patch(
        json!([{ "op": "add", "path": day, "value": "2020-01-31T00:00:00Z" }, { "op": "replace", "path": "active", "value": true }]),
    );
    assert_eq!(stage.idp("PATCH", &format!("/Users/{off}"), ended).await.status, 200);
    stage.quiet().await;
    assert_eq!(stage.active("off@acme.example"), None, "their last day is over");
    let onwards = patch(json!([{ "op": "remove", "path": day }]));
    assert_eq!(stage.idp("PATCH", &format!("/Users/{off}"), onwards).await.status, 200);
    stage.quiet().await;
    assert_eq!(stage.active("off@acme.example"), Some(true));

    let gone = stage.idp("DELETE", &format!("/Users/{off}"), Value::Null).await;
    assert_eq!(gone.status, 204);
    for (method, body) in
        [("GET", Value::Null), ("DELETE", Value::Null), ("PUT", user("off@acme.example", json!({})))]
    {
        assert_eq!(stage.idp(method, &format!("/Users/{off}"), body).await.code(), "not-found", "{method}");
    }
    stage.quiet().await;
    assert_eq!(stage.active("off@acme.example"), Some(false));
    // The name is free again, and whoever has it is somebody new.
    assert_ne!(stage.user("off@acme.example", json!({})).await, off);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_named_is_the_one_that_is_changed() {
    let stage = Stage::start().await;
    let id = stage.user("ann@acme.example", json!({})).await;
    let path = format!("/scim/v2/Users/{id}");
    let call = async |method: Method, header: (&str, &str), body: Value| {
        let headers = [("content-type", "application/json; charset=utf-8"), header];
        stage.call_with((method, &path), &stage.idp, &headers, body.to_string().into()).await
    };
    let nick = |name: &str| set("nickName", json!(name));
    assert_eq!(call(Method::GET, ("if-none-match", "W/\"1\""), Value::Null).await.status, 304);
    assert_eq!(call(Method::GET, ("if-none-match", "W/\"9\""), Value::Null).await.status, 200);
    assert_eq!(call(Method::PATCH, ("if-match", "W/\"1\""), nick("A")).await.status, 200);
    for (method, body) in [
        (Method::PATCH, nick("B")),
        (Method::PUT, user("ann@acme.example", json!({}))),
        (Method::DELETE, Value::Null),
    ] {
        let stale = call(method.clone(), ("if-match", "W/\"1\""), body).await;
        assert_eq!((stale.status, stale.code()), (412, "scim-version"), "{method}");
    }
    assert_eq!(call(Method::PATCH, ("if-match", "*"), nick("C")).await.body["nickName"], json!("C"));
    // Without a version whoever writes at the same time is read again: nothing is lost.
    let all = (0..8).map(|n| {
        let (stage, id) = (&stage, &id);
        async move {
            let value = json!([{ "value": format!("{n}@acme.example"), "type": "other" }]);
            let add = patch(json!([{ "op": "add", "path": "emails", "value": value }]));
            stage.idp("PATCH", &format!("/Users/{id}"), add).await.status
        }
    });
    let mut tasks = Vec::new();
    for one in all {
        tasks.push(one);
    }
    let statuses = join(tasks).await;
    assert_eq!(statuses, [200; 8]);
    let read = stage.idp("GET", &format!("/Users/{id}"), Value::Null).await;
    assert_eq!(read.body["emails"].as_array().unwrap().len(), 9);
    stage.stop().await;
}

/// Polls all of them until all are done.
async fn join<T>(tasks: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut tasks: Vec<_> = tasks.into_iter().map(|task| (Box::pin(task), None)).collect();
    std::future::poll_fn(|cx| {
        for (task, done) in tasks.iter_mut().filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(value) = task.as_mut().poll(cx) {
                *done = Some(value);
            }
        }
        match tasks.iter().all(|(_, done)| done.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    tasks.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn power_over_others_by_an_attribute_is_held_until_two_people_let_it_go() {
    let stage = Stage::start().await;
    let id = stage.user("ann@acme.example", json!({})).await;
    stage.quiet().await;
    let path = format!("/Users/{id}");
    for _ in 0..2 {
        let held = stage.idp("PATCH", &path, set("nickName", json!("root"))).await;
        assert_eq!((held.status, held.code()), (403, "feed-privileged-change"), "{held:?}");
    }
    stage.quiet().await;
    assert!(!stage.is_in("ann@acme.example", "admins"));
    let read = stage.idp("GET", &path, Value::Null).await;
    assert_eq!((read.body.get("nickName"), &read.body["meta"]["version"]), (None, &json!("W/\"1\"")));
    let held: Vec<Batch> = stage.all().await;
    assert_eq!(held.len(), 1, "the same is held once");
    // Two people let exactly this go, over the API.
    let mut operators = Vec::new();
    for (name, person) in [("bo", "hr/8"), ("cy", "hr/9")] {
        let roles = ["approver".to_owned()].into();
        let by = Actor::Operator("test".into());
        operators.push(stage.engine.add_operator(name, roles, Some(person.into()), 1, by).await.unwrap().1);
    }
    for token in &operators {
        let path = format!("/api/v1/batches/{}/release", held[0].id);
        let body = json!({ "shown": held[0].shown() }).to_string().into();
        let headers = [("content-type", "application/json")];
        let reply = stage.call_with((Method::POST, &path), token, &headers, body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    assert!(!stage.is_in("ann@acme.example", "admins"), "it waits until it is said again");
    // Something else is not what they saw.
    let other = patch(json!([{ "op": "replace", "value": { "nickName": "root", "displayName": "Eve" } }]));
    assert_eq!(stage.idp("PATCH", &path, other).await.code(), "feed-privileged-change");
    assert_eq!(stage.idp("PATCH", &path, set("nickName", json!("root"))).await.status, 200);
    // It is used up: taken away and said once more it is held anew.
    assert_eq!(stage.idp("PATCH", &path, set("nickName", json!("none"))).await.status, 200);
    assert_eq!(
        stage.idp("PATCH", &path, set("nickName", json!("root"))).await.code(),
        "feed-privileged-change"
    );
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_too_much_is_refused_recorded_and_still_heard() {
    let stage = Stage::start().await;
    let headers = [("content-type", "application/json")];
    let agency = async |method: Method, path: &str, body: Value| {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        stage.call_with((method, &format!("/scim/v2{path}")), &stage.agency, &headers, body).await
    };
    let of =
        |department: &str| user("sue@agency.example", json!({ ENTERPRISE: { "department": department } }));
    // The population of its scope: nobody is pushed into it from outside, or out of it.
    let refused = agency(Method::POST, "/Users", of("Engineering")).await;
    assert_eq!((refused.status, refused.code()), (403, "out-of-scope"), "{refused:?}");
    let made = agency(Method::POST, "/Users", of("Sales")).await;
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("/Users/{}", made.id());
    let out =
        agency(Method::PATCH, &path, set(&format!("{ENTERPRISE}:department"), json!("Engineering"))).await;
    assert_eq!(out.code(), "out-of-scope");
    // Rights are not a caller's to say: passed over, and written down.
    let roles = json!([{ "op": "add", "path": "roles", "value": [{ "value": "admin" }] }, { "op": "replace", "path": "nickName", "value": "S" }]);
    let ignored = agency(Method::PATCH, &path, patch(roles)).await;
    assert_eq!(
        (ignored.status, ignored.body.get("roles"), &ignored.body["nickName"]),
        (200, None, &json!("S"))
    );
    let only = json!([{ "op": "add", "path": "entitlements", "value": [{ "value": "all" }] }]);
    assert_eq!(agency(Method::PATCH, &path, patch(only)).await.headers["etag"], ignored.headers["etag"]);
    let mut tx = stage.engine.parts().store.read().await.unwrap();
    let log: Vec<String> = tx
        .written(0, 10_000)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| String::from_utf8(entry.bytes).unwrap())
        .collect();
    drop(tx);
    for name in ["roles", "entitlements"] {
        assert!(log.iter().any(|entry| entry.contains(&format!(r#""ignored":["{name}"]"#))), "{name}");
    }
    assert_eq!(log.iter().filter(|entry| entry.contains(r#""kind":"out-of-scope""#)).count(), 2);
    assert!(!log.iter().any(|entry| entry.contains("sue@agency")), "nobody is in the log by name");
    let findings = stage.engine.open_findings().await.unwrap();
    assert!(findings.iter().any(|finding| finding.code == "out-of-scope" && finding.subject == "agency"));
    // It is not stopped: a leaver is heard.
    stage.quiet().await;
    assert_eq!(agency(Method::PATCH, &path, set("active", json!(false))).await.status, 200);
    stage.quiet().await;
    assert_eq!(stage.active("sue@agency.example"), Some(false));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_of_somebody_who_is_gone_can_be_erased() {
    let stage = Stage::start().await;
    let id = stage.user("ann@acme.example", json!({ "nickName": "Annie" })).await;
    assert_eq!(stage.idp("PATCH", &format!("/Users/{id}"), set("active", json!(false))).await.status, 200);
    let who = identity(&stage, &id).await.unwrap().id;
    stage.engine.erase(who, Actor::Operator("ada".into())).await.unwrap();
    assert!(stage.all::<PushedUser>().await.is_empty());
    assert_eq!(stage.idp("GET", &format!("/Users/{id}"), Value::Null).await.code(), "not-found");
    let mut tx = stage.engine.parts().store.read().await.unwrap();
    assert!(bailiwick_store::deviations(&mut *tx).await.unwrap().is_empty(), "evidence explains every row");
    stage.stop().await;
}
