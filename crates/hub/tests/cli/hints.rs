//! Webhooks in, and what whoever runs the process asks it: over the wire.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Client, RequestBuilder, StatusCode, header::HeaderMap};

use crate::world::World;

struct Wire {
    http: Client,
    runtime: tokio::runtime::Runtime,
    hub: String,
}

impl Wire {
    fn to(world: &World) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { http: Client::builder().no_proxy().build().unwrap(), runtime, hub: world.url() }
    }

    fn send(&self, request: RequestBuilder) -> (StatusCode, HeaderMap, String) {
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status(), answer.headers().clone(), answer.text().await.unwrap())
        })
    }

    /// A hint, signed with this secret.
    #[allow(clippy::disallowed_methods, reason = "the clock of the sender is another one than the hub's")]
    fn hint(&self, to: &str, secret: &str, id: &str, body: &str) -> RequestBuilder {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let tag =
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), format!("{id}.{now}.{body}").as_bytes());
        let request = self.http.post(format!("{}/hooks/v1/{to}", self.hub)).body(body.to_owned());
        let request = request.header("webhook-id", id).header("webhook-timestamp", now.to_string());
        request.header("webhook-signature", format!("v1,{}", STANDARD.encode(tag)))
    }
}

#[test]
fn a_system_sends_a_hint_and_is_looked_at() {
    let world = World::with_acme();
    let made = world.run(&["integration", "hook", "chat", "--json"]).well().json();
    let (path, secret) = (made["path"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert_eq!(path, "/hooks/v1/chat");
    let wire = Wire::to(&world);
    let (status, _, answer) = wire.send(wire.hint("chat", secret, "msg_1", "{}"));
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let long = "x".repeat(3 * 1024 * 1024);
    for (what, expect, code, request) in [
        ("another secret", 401, "hint-unsigned", wire.hint("chat", other, "msg_2", "{}")),
        ("an integration without a hook", 401, "hint-unsigned", wire.hint("crm", secret, "msg_2", "{}")),
        ("nobody", 401, "hint-unsigned", wire.hint("nobody", secret, "msg_2", "{}")),
        ("a body that is too long", 413, "request-too-large", wire.hint("chat", secret, "msg_2", &long)),
        ("no header", 400, "request-malformed", wire.http.post(format!("{}{path}", wire.hub))),
    ] {
        let (status, _, answer) = wire.send(request);
        assert_eq!(status.as_u16(), expect, "{what}: {answer}");
        assert!(answer.contains(code), "{what}: {answer}");
    }
    let (status, ..) = wire.send(wire.http.get(format!("{}{path}", wire.hub)));
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    world.run(&["status", "--wait", "60"]).well();
    world.run(&["integration", "hook", "hr"]).refused(1, "hint-reads-nothing", "hr");
    world.run(&["integration", "hook", "chat", "--end"]).well();
    let (status, ..) = wire.send(wire.hint("chat", secret, "msg_3", "{}"));
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    world.run(&["integration", "hook", "chat", "--end"]).refused(1, "not-found", "chat");
}

#[test]
fn whoever_runs_it_learns_whether_it_works_and_every_answer_has_an_id() {
    let world = World::with_hub();
    let wire = Wire::to(&world);
    for path in ["/healthz", "/readyz"] {
        let (status, headers, body) = wire.send(wire.http.get(format!("{}{path}", wire.hub)));
        assert_eq!((status, body.as_str()), (StatusCode::NO_CONTENT, ""), "{path}");
        assert_eq!(headers["x-request-id"].len(), 32, "{path}");
    }
    let asked =
        |id: &str| wire.send(wire.http.get(format!("{}/api/v1/status", wire.hub)).header("x-request-id", id));
    assert_eq!(asked("deploy-7.a").1["x-request-id"], "deploy-7.a");
    assert_ne!(asked("a b").1["x-request-id"], "a b");
    assert_eq!(asked("x").0, StatusCode::UNAUTHORIZED, "an id is no token");
}
