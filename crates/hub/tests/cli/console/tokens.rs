//! Tokens for programs: what they open, and what they never do.

use reqwest::{Method, StatusCode};

use super::visitor::Visitor;
use crate::world::World;

#[test]
fn a_program_does_what_was_said_and_a_person_ends_it() {
    let world = World::with_hub();
    let made = world
        .run(&["token", "create", "nightly", "--may", "operate", "--days", "30", "--json"])
        .well()
        .json();
    let (secret, token) = (made["secret"].as_str().unwrap(), made["token"].as_str().unwrap());
    let visitor = Visitor::of(&world.url());
    let call = |method: Method, path: &str, body: &'static str| {
        let request = visitor.http.request(method, format!("{}{path}", visitor.hub)).bearer_auth(secret);
        let (status, _, text) = visitor.send(request.header("content-type", "application/json").body(body));
        let code = serde_json::from_str::<serde_json::Value>(&text).ok();
        (
            status.as_u16(),
            code.and_then(|problem| problem["code"].as_str().map(str::to_owned)).unwrap_or_default(),
        )
    };
    use Method as M;
    let is = |found: (u16, String), status: u16, code: &str| assert_eq!(found, (status, code.to_owned()));
    is(call(M::GET, "/api/v1/status", ""), 200, "");
    is(call(M::GET, "/metrics", ""), 200, "");
    // There is no such source; but it may ask.
    is(call(M::POST, "/api/v1/sources/hr/deliveries", ""), 404, "not-found");
    is(call(M::PUT, "/api/v1/configuration", "{}"), 403, "token-scope");
    for (method, path) in [
        (M::POST, "/api/v1/plans/pln_00000000000000000000000000/approval"),
        (M::GET, "/api/v1/plans/pln_00000000000000000000000000/invitation"),
        (M::POST, "/api/v1/tokens"),
        (M::DELETE, "/api/v1/tokens/tok_00000000000000000000000000"),
        (M::POST, "/api/v1/sessions"),
        (M::POST, "/api/v1/operators"),
        (M::POST, "/api/v1/operators/ada/factor"),
        (M::DELETE, "/api/v1/operators/ada/token"),
        (M::POST, "/api/v1/terminations/fire"),
    ] {
        is(call(method, path, "{}"), 403, "token-approves-nothing");
    }
    // In an address it opens nothing, and it is no cookie.
    let (status, ..) = visitor.get(&format!("/api/v1/status?access_token={secret}&token={secret}"));
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let mut thief = Visitor::of(&world.url());
    thief.cookie = format!("bailiwick={secret}");
    assert_eq!(thief.get("/").0, StatusCode::SEE_OTHER);

    // It is listed without what it is, and kept nowhere.
    let listed = world.run(&["token", "list", "--json"]).well();
    assert!(
        listed.stdout.contains("nightly")
            && listed.stdout.contains("used")
            && !listed.stdout.contains("bwt_")
    );
    for file in super::attacks::files(&world.path("data")) {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!found, "the token is in {}", file.display());
    }
    world.run(&["token", "revoke", token]).well();
    is(call(M::GET, "/api/v1/status", ""), 401, "token-refused");
    world.run(&["token", "revoke", token]).refused(1, "not-found", token);
    world.run(&["token", "create", "x", "--days", "366"]).refused(1, "token-terms", "365");
}

#[test]
fn whoever_tries_tokens_halves_and_hints_is_noticed() {
    let world = World::with_hub();
    let visitor = Visitor::of(&world.url());
    // Three at each of four doors, of which ten within a minute are written down: not if one door wrote none.
    for n in 0..3 {
        for (method, path, prefix) in [
            (Method::GET, "/api/v1/status", "bwt"),
            (Method::GET, "/scim/v2/Users", "bwc"),
            (Method::POST, "/access/v1/evaluation", "bwc"),
            (Method::POST, "/door/v1/signals", "bwc"),
        ] {
            let request = || visitor.http.request(method.clone(), format!("{}{path}", visitor.hub));
            let tried = visitor.send(request().bearer_auth(format!("{prefix}_{n}")));
            assert_eq!(tried.0, StatusCode::UNAUTHORIZED, "{path}");
            // Who brings none has not tried any.
            assert_eq!(visitor.send(request()).0, StatusCode::UNAUTHORIZED, "{path}");
        }
        // So is a hint that is not signed, and so are halves of no invitation; each way has room of its own.
        let hint = visitor.http.post(format!("{}/hooks/v1/chat", visitor.hub)).body("{}");
        let hint = hint.header("webhook-id", format!("msg_{n}")).header("webhook-timestamp", "1");
        let hint = visitor.send(hint.header("webhook-signature", "v1,AAAA"));
        assert!(hint.0 == StatusCode::UNAUTHORIZED && hint.2.contains("hint-unsigned"), "{}", hint.2);
        let halves = visitor.http.post(format!("{}/api/v1/operators/nobody/joining", visitor.hub));
        let halves =
            halves.header("content-type", "application/json").body(r#"{"halves":["bwj_a","bwj_b"]}"#);
        let joined = visitor.send(halves);
        assert!(joined.0.is_client_error() && joined.2.contains("invitation-refused"), "{}", joined.2);
    }
    // Who is right is let in all the time; quiet is when all of it is published, on which the figures rest.
    world.run(&["status", "--wait", "60"]).well();
    let figures = String::from_utf8(world.fetch("/metrics")).unwrap();
    let sample = "bailiwick_records_total{kind=\"sign-in-refused\"} ";
    let noticed = figures.lines().find_map(|line| line.strip_prefix(sample));
    let noticed: u32 = noticed.unwrap_or_else(|| panic!("nobody is noticed: {figures}")).parse().unwrap();
    assert!((16..=18).contains(&noticed), "{noticed}");
    world.run(&["evidence", "check"]).well();
}

#[test]
fn a_token_is_shown_once_at_the_console_too() {
    let world = World::with_hub();
    let mut visitor = Visitor::of(&world.url());
    visitor.sign_in(&world);
    let sent = format!("token={}&name=feed&days=30&operate=on", visitor.token);
    let (status, _, page) = visitor.send(visitor.post("/signed-in/tokens", &sent));
    assert_eq!(status, StatusCode::OK, "{page}");
    let (_, rest) = page.split_once("bwt_").unwrap();
    let secret = format!("bwt_{}", rest.split('<').next().unwrap());
    let request = visitor.http.get(format!("{}/api/v1/status", visitor.hub)).bearer_auth(&secret);
    assert_eq!(visitor.send(request).0, StatusCode::OK);
    let (_, _, page) = visitor.get("/signed-in");
    assert!(page.contains("feed") && page.contains("read, operate") && !page.contains("bwt_"), "{page}");
    let sent = format!("token={}&name=feed&days=0", visitor.token);
    let (status, _, page) = visitor.send(visitor.post("/signed-in/tokens", &sent));
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("token-terms"), "{status}");
}
