//! What somebody tries who wants more than is theirs: tokens that are none, ids of others, bodies that are bombs.

use bailiwick_core::{
    id::IntegrationName,
    identity::Identity,
    integration::{Integration, Standing},
    record::Actor,
};
use bailiwick_store::{Update, entities::PushedUser, get};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::stage_tests::{Stage, patch, user};

const JSON: [(&str, &str); 1] = [("content-type", "application/scim+json")];

/// Every route, with a body that would do something.
fn routes(user_id: &str, group_id: &str) -> Vec<(Method, String, Value)> {
    let group = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "G" });
    let off = patch(json!([{ "op": "replace", "path": "active", "value": false }]));
    let rename = patch(json!([{ "op": "replace", "path": "displayName", "value": "Mine" }]));
    let search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"] });
    let bulk = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [] });
    let (users, groups) = (format!("/Users/{user_id}"), format!("/Groups/{group_id}"));
    vec![
        (Method::GET, "/ServiceProviderConfig".into(), Value::Null),
        (Method::GET, "/ResourceTypes".into(), Value::Null),
        (Method::GET, "/Schemas".into(), Value::Null),
        (Method::GET, "/Users".into(), Value::Null),
        (Method::POST, "/Users".into(), user("eve@acme.example", json!({}))),
        (Method::POST, "/Users/.search".into(), search.clone()),
        (Method::GET, users.clone(), Value::Null),
        (Method::PUT, users.clone(), user("eve@acme.example", json!({}))),
        (Method::PATCH, users.clone(), off),
        (Method::DELETE, users, Value::Null),
        (Method::GET, "/Groups".into(), Value::Null),
        (Method::POST, "/Groups".into(), group.clone()),
        (Method::POST, "/Groups/.search".into(), search.clone()),
        (Method::GET, groups.clone(), Value::Null),
        (Method::PUT, groups.clone(), group),
        (Method::PATCH, groups.clone(), rename),
        (Method::DELETE, groups, Value::Null),
        (Method::POST, "/.search".into(), search),
        (Method::POST, "/Bulk".into(), bulk),
        (Method::GET, "/Nothing".into(), Value::Null),
    ]
}

async fn call(stage: &Stage, token: &str, (method, path, body): &(Method, String, Value)) -> (u16, String) {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let reply = stage.call_with((method.clone(), &format!("/scim/v2{path}")), token, &JSON, body).await;
    (reply.status, reply.code().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_but_that_of_a_source_that_pushes_opens_anything() {
    let stage = Stage::start().await;
    let ann = stage.user("ann@acme.example", json!({})).await;
    let (operator, unknown) = (stage.operator.clone(), format!("bwc_{}", "0".repeat(64)));
    let routes = routes(&ann, "grp_0000000000000000000000000a");
    for token in ["", "bwc_", &unknown, &operator, &stage.idp[..60], &stage.idp.to_uppercase()] {
        for route in &routes {
            let refused = call(&stage, token, route).await;
            assert_eq!(refused, (401, "caller-token-refused".into()), "{token} {route:?}");
        }
    }
    // A body is not read before it is known whose it is: the answer comes though nothing of it was sent.
    let host = stage.url.trim_start_matches("http://");
    let head = format!(
        "POST /scim/v2/Users HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {unknown}\r\n\
         Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n",
        16 << 20
    );
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).to_lowercase();
    assert!(answer.starts_with("http/1.1 401") && answer.contains("www-authenticate: bearer"), "{answer}");
    // A source that is read and a partner have tokens, and push nothing.
    let (hr, helpdesk) = (stage.admit("hr").await, stage.admit("helpdesk").await);
    for token in [&hr, &helpdesk] {
        for route in routes.iter().filter(|(_, path, _)| path.contains("Users") || path.contains("Groups")) {
            let refused = call(&stage, token, route).await;
            assert_eq!(refused, (403, "integration-not-pushing".into()), "{route:?}");
        }
    }
    // Nor does its own token open anything else.
    let other = stage.call_with((Method::GET, "/api/v1/status"), &stage.idp, &[], Vec::new()).await;
    assert_eq!(other.status, 401);
    // A new token ends the one before.
    let before = stage.idp.clone();
    let now = stage.admit("idp").await;
    let read = (Method::GET, "/Users".to_owned(), Value::Null);
    assert_eq!((call(&stage, &before, &read).await.0, call(&stage, &now, &read).await.0), (401, 200));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_another_source_is_nobodys() {
    let stage = Stage::start().await;
    let ann = stage.user("ann@acme.example", json!({})).await;
    let group = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "G" });
    let group = stage.idp("POST", "/Groups", group).await.id();
    stage.quiet().await;
    let internal = identity_of(&stage, &ann).await;
    let traversal = format!("..%2Fidp%2F{ann}");
    for (user_id, group_id) in [
        (ann.as_str(), group.as_str()),
        (&internal, &internal),
        (&traversal, &traversal),
        (&group, &ann),
        ("%00", "%00"),
        ("idp%2Fx", "%F0%9F%98%80"),
    ] {
        let of_one = |(_, path, _): &&(Method, String, Value)| {
            path.matches('/').count() == 2 && !path.contains(".search")
        };
        for route in routes(user_id, group_id).iter().filter(of_one) {
            let refused = call(&stage, &stage.agency, route).await;
            assert!(matches!(refused, (404, ref code) if code == "not-found"), "{route:?}: {refused:?}");
        }
    }
    for own in [internal.as_str(), group.as_str()] {
        assert_eq!(stage.idp("GET", &format!("/Users/{own}"), Value::Null).await.status, 404);
    }
    // It sees nobody, finds nobody, and names nobody as a member.
    let agency = async |method: Method, path: &str, body: Value| {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        stage.call_with((method, &format!("/scim/v2{path}")), &stage.agency, &JSON, body).await
    };
    for path in ["/Users", "/Groups", "/Users?cursor=", "/Users?sortBy=userName", "/Users?filter=userName+pr"]
    {
        let listed = agency(Method::GET, path, Value::Null).await;
        assert_eq!((listed.status, listed.body.get("Resources")), (200, None), "{path}");
    }
    for filter in [
        format!("id eq \"{ann}\""),
        "userName eq \"ann@acme.example\"".into(),
        format!("members eq \"{ann}\""),
    ] {
        let search =
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter });
        let at = if filter.starts_with("members") { "/Groups/.search" } else { "/Users/.search" };
        assert_eq!(agency(Method::POST, at, search).await.body["totalResults"], json!(0), "{filter}");
    }
    let with_ann = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "G", "members": [{ "value": ann }] });
    assert_eq!(agency(Method::POST, "/Groups", with_ann).await.code(), "push-member-unknown");
    // The same name is another person there.
    let same = user(
        "ann@acme.example",
        json!({ "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Sales" } }),
    );
    let twin = agency(Method::POST, "/Users", same).await;
    assert_eq!(twin.status, 201, "{twin:?}");
    let delete = json!([{ "method": "DELETE", "path": format!("/Users/{ann}") }]);
    let bulk =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": delete });
    assert_eq!(agency(Method::POST, "/Bulk", bulk).await.body["Operations"][0]["status"], json!("404"));
    assert_eq!(stage.idp("GET", &format!("/Users/{ann}"), Value::Null).await.status, 200);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_refused_and_do_nothing() {
    let stage = Stage::start().await;
    let post = async |kind: &str, body: Vec<u8>| {
        stage.call_with((Method::POST, "/scim/v2/Users"), &stage.idp, &[("content-type", kind)], body).await
    };
    let scim = "application/scim+json";
    let nested = |n: usize| format!("{{\"schemas\":{}{}}}", "[".repeat(n), "]".repeat(n)).into_bytes();
    let good = user("ann@acme.example", json!({})).to_string();
    for (kind, body, expect) in [
        (scim, vec![b' '; 5 << 20], (413, "request-too-large")),
        (scim, nested(100), (400, "scim-syntax")),
        (scim, nested(1_000_000), (400, "scim-syntax")),
        (scim, b"{\"schemas\":".to_vec(), (400, "scim-syntax")),
        (scim, b"\xff\xfe".to_vec(), (400, "scim-syntax")),
        (scim, Vec::new(), (400, "scim-syntax")),
        (scim, b"[]".to_vec(), (400, "scim-syntax")),
        (scim, good.replacen('{', "{\"userName\":\"eve\",", 1).into_bytes(), (400, "scim-syntax")),
        (scim, good.replace("ann@", "ann\\u0000@").into_bytes(), (400, "scim-syntax")),
        (scim, good.replace("true", "1.5").into_bytes(), (400, "scim-syntax")),
        (
            scim,
            user("ann", json!({ "nickName": "x".repeat(70_000) })).to_string().into_bytes(),
            (400, "scim-value"),
        ),
        (scim, user(" ", json!({})).to_string().into_bytes(), (400, "scim-value")),
        (
            scim,
            json!({ "userName": "ann", "schemas": ["urn:other"] }).to_string().into_bytes(),
            (400, "scim-syntax"),
        ),
        (scim, user("ann", json!({ "is_admin": true })).to_string().into_bytes(), (400, "scim-syntax")),
        (scim, user("ann", json!({ "emails": [] })).to_string().into_bytes(), (400, "feed-empty-value")),
        ("text/plain", good.clone().into_bytes(), (415, "scim-media-type")),
        ("application/x-www-form-urlencoded", good.clone().into_bytes(), (415, "scim-media-type")),
    ] {
        let reply = post(kind, body.clone()).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        assert_eq!((reply.status, reply.code()), expect, "{kind} {shown} {reply:?}");
    }
    assert!(stage.all::<PushedUser>().await.is_empty());
    // What is said back of what was sent is short and cannot be cut into headers.
    let evil = "x\r\nSet-Cookie: a=b\r\n".repeat(50);
    let refused = stage.idp("POST", "/Users", user("ann", json!({ evil.clone(): true }))).await;
    assert!(refused.status == 400 && refused.text("/detail").len() < 300, "{refused:?}");
    assert!(refused.headers.get("set-cookie").is_none());
    let headers = [JSON[0], ("host", "evil.example\u{9}x"), ("x-forwarded-proto", "https")];
    let made =
        stage.call_with((Method::POST, "/scim/v2/Users"), &stage.idp, &headers[..1], good.into()).await;
    assert_eq!(made.headers["location"], format!("{}/scim/v2/Users/{}", stage.url, made.id()).as_str());
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_stopped_or_calls_too_often_is_told_so() {
    let stage = Stage::start().await;
    let ann = stage.user("ann@acme.example", json!({})).await;
    // The agency has a pace of its own, and the certified one is narrow.
    change(&stage, "agency", |agency| agency.scope.writes_per_minute = Some(2)).await;
    let read = (Method::GET, "/Users".to_owned(), Value::Null);
    let write = (Method::POST, "/Users".to_owned(), user("sue@agency.example", json!({})));
    // What is declared is not what was certified any more: it may be looked at no more.
    assert_eq!(call(&stage, &stage.agency, &write).await, (403, "integration-approval-missing".into()));
    change(&stage, "idp", |idp| {
        idp.standing = Standing::Quarantined { since: stage.engine.now(), reason: "a test".into() };
    })
    .await;
    // Who only looks is known as of a tenth of a second ago.
    let refused = async { while call(&stage, &stage.idp, &read).await.0 == 200 {} };
    tokio::time::timeout(std::time::Duration::from_secs(5), refused).await.unwrap();
    for route in routes(&ann, "grp_0000000000000000000000000a") {
        let (_, path, _) = &route;
        if path.starts_with("/Users") || path.starts_with("/Groups") || path == "/.search" {
            let refused = call(&stage, &stage.idp, &route).await;
            assert_eq!(refused, (403, "integration-quarantined".into()), "{route:?}");
        }
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_ended_writes_nothing_from_then_on() {
    let stage = Stage::start().await;
    let ann = stage.user("ann@acme.example", json!({})).await;
    let (by, idp) = (|| Actor::Operator("ada".into()), IntegrationName::new("idp").unwrap());
    // What was asked just before is remembered for a moment; that must not let a write through.
    let read = (Method::GET, format!("/Users/{ann}"), Value::Null);
    assert_eq!(call(&stage, &stage.idp, &read).await.0, 200);
    let (_, next) = stage.engine.admit_caller(&idp, 1, by()).await.unwrap();
    for route in routes(&ann, "grp_0000000000000000000000000a") {
        if route.0 != Method::GET && route.1 != "/.search" {
            assert_eq!(call(&stage, &stage.idp, &route).await.0, 401, "{route:?} with the token of before");
        }
    }
    assert_eq!(call(&stage, &next, &read).await.0, 200);
    assert!(stage.engine.dismiss_caller(&idp, by()).await.unwrap());
    let write = (Method::DELETE, format!("/Users/{ann}"), Value::Null);
    assert_eq!(call(&stage, &next, &write).await.0, 401);
    stage.quiet().await;
    assert_eq!(stage.active("ann@acme.example"), Some(true));
    stage.stop().await;
}

/// Changes an integration in the store.
async fn change(stage: &Stage, name: &str, what: impl FnOnce(&mut Integration)) {
    let parts = stage.engine.parts();
    let name = IntegrationName::new(name).unwrap();
    let mut tx = parts.store.begin().await.unwrap();
    let mut stored = get::<Integration>(&mut *tx, &parts.tenant, name.as_str()).await.unwrap().unwrap();
    what(&mut stored.value);
    let record = bailiwick_core::record::Record::new(
        bailiwick_core::record::RecordKind::Configured,
        stage.engine.now(),
        Actor::Operator("ada".into()),
        &*parts.entropy,
    );
    let update = Update::new(record).replace(&stored.value, stored.revision, &*parts.entropy);
    tx.write(&parts.tenant, vec![update], &*parts.entropy).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pushes_too_often_waits() {
    let stage = Stage::start().await;
    let pace = async |n: usize| {
        let sales = json!({ "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Sales" } });
        let body = user(&format!("p{n}@agency.example"), sales).to_string().into_bytes();
        stage.call_with((Method::POST, "/scim/v2/Users"), &stage.agency, &JSON, body).await
    };
    // The agency is certified for a hundred writes in a minute.
    for n in 0..100 {
        assert_eq!(pace(n).await.status, 201);
    }
    let busy = pace(100).await;
    assert_eq!((busy.status, busy.code()), (429, "too-many-calls"));
    let after: u64 = busy.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&after), "{after}");
    // What is refused counts too, and so does each operation of many; looking has a minute of its own.
    let operations = json!([{ "method": "DELETE", "path": "/Users/x" }]);
    let bulk =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    let reply =
        stage.call_with((Method::POST, "/scim/v2/Bulk"), &stage.agency, &JSON, bulk.to_string().into()).await;
    assert_eq!(reply.body["Operations"][0]["status"], json!("429"));
    assert_eq!(call(&stage, &stage.agency, &(Method::GET, "/Users".into(), Value::Null)).await.0, 200);
    stage.stop().await;
}

/// The hub's own id of somebody.
async fn identity_of(stage: &Stage, user: &str) -> String {
    let all = stage.all::<Identity>().await;
    all.iter().find(|identity| identity.source_key.key == user).unwrap().id.to_string()
}
