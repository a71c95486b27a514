//! What somebody who means harm would try at the console.

use std::path::{Path, PathBuf};

use reqwest::{StatusCode, header};

use super::{visitor::Visitor, work::company};
use crate::world::World;

#[test]
fn a_session_is_nobodys_but_who_opened_it() {
    let world = World::with_hub();
    let mut visitor = Visitor::of(&world.url());

    // A secret that was known before is not taken over (session fixation).
    visitor.cookie = "bailiwick=bws_known".into();
    let first = visitor.sign_in(&world);
    assert_ne!(first, "bws_known");
    assert_eq!(visitor.get("/").0, StatusCode::OK);

    // A form that does not come from a page of this session does nothing (CSRF).
    let (origin, token) = (visitor.hub.clone(), visitor.token.clone());
    let good = format!("token={token}");
    for (what, request) in [
        ("no token", visitor.post("/sign-out", "")),
        ("another token", visitor.post("/sign-out", "token=0000")),
        ("another origin", visitor.post("/sign-out", &good).header(header::ORIGIN, "https://evil.example")),
        ("no origin that can be named", visitor.post("/sign-out", &good).header(header::ORIGIN, "null")),
        ("another site", visitor.post("/sign-out", &good).header("sec-fetch-site", "cross-site")),
    ] {
        let (status, _, page) = visitor.send(request);
        assert_eq!(status, StatusCode::FORBIDDEN, "{what}: {page}");
        assert!(page.contains("form-foreign"), "{what}: {page}");
    }
    assert_eq!(visitor.get("/").0, StatusCode::OK, "it is still open");

    // The token of an operator opens no page, and the secret of a session nothing of the API.
    let (status, ..) = visitor.send(visitor.http.get(format!("{origin}/")).bearer_auth(&first));
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (status, ..) = visitor.send(visitor.http.get(format!("{origin}/api/v1/status")).bearer_auth(&first));
    assert_eq!(status, StatusCode::UNAUTHORIZED);

    // What is over is over, wherever the secret is kept.
    let (status, headers, _) = visitor.send(visitor.post("/sign-out", &good).header(header::ORIGIN, &origin));
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    let (status, headers, _) = visitor.get("/plans?state=drafted");
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(headers[header::LOCATION], "/sign-in?next=/plans%3Fstate%3Ddrafted");
    let (status, ..) = visitor.send(visitor.post("/sign-out", &good));
    assert_eq!(status, StatusCode::UNAUTHORIZED);

    // An administrator ends somebody's session from elsewhere.
    let second = visitor.sign_in(&world);
    let listed = world.run(&["sign-in", "--list", "--json"]).well().json();
    let session = listed[0]["session"].as_str().unwrap();
    world.run(&["sign-in", "--end", session]).well();
    assert_eq!(visitor.get("/").0, StatusCode::SEE_OTHER);
    world.run(&["sign-in", "--end", session]).refused(1, "not-found", session);

    // Neither a secret that works nor one that did is in the database or in the log, in whichever file.
    let kept = files(&world.path("data"));
    assert!(kept.len() > 3, "{kept:?}");
    for file in kept {
        let bytes = std::fs::read(&file).unwrap();
        for secret in [&first, &second] {
            let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "the secret of a session is in {}", file.display());
        }
    }
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn whoever_tries_codes_is_slowed_and_shuts_nobody_out() {
    let world = World::with_hub();
    let mut visitor = Visitor::of(&world.url());
    let tries: Vec<StatusCode> =
        (0..12).map(|n| visitor.send(visitor.post("/sign-in", &format!("code=bws_{n}"))).0).collect();
    assert_eq!(tries[..10], [StatusCode::UNAUTHORIZED; 10]);
    assert_eq!(tries[10..], [StatusCode::TOO_MANY_REQUESTS; 2]);
    let (_, headers, _) = visitor.send(visitor.post("/sign-in", "code=x"));
    assert_eq!(headers[header::RETRY_AFTER], "60");
    visitor.sign_in(&world);
    assert_eq!(visitor.get("/").0, StatusCode::OK);
}

/// Every page that there is, as the routes say it.
#[test]
fn no_page_is_made_and_nothing_is_done_without_a_session() {
    let world = World::with_hub();
    let visitor = Visitor::of(&world.url());
    let routes: Vec<&str> = include_str!("../../../src/console/mod.rs")
        .split('"')
        .filter(|text| text.starts_with('/') && !text.contains(char::is_whitespace))
        // What the API is, is for everybody to read; what it keeps is not there.
        .filter(|text| !["/assets", "/sign-in", "/api"].iter().any(|open| text.starts_with(open)))
        .collect();
    assert!(routes.len() > 30 && routes.contains(&"/integrations/{integration}/kill"), "{routes:?}");
    for route in routes {
        let parts = route.split('/').skip(1).map(|part| if part.starts_with('{') { "chat" } else { part });
        let path = parts.fold(String::new(), |path, part| path + "/" + part);
        let (status, _, page) = visitor.get(&path);
        let refused = matches!(status, StatusCode::SEE_OTHER | StatusCode::METHOD_NOT_ALLOWED);
        assert!(
            refused && page.is_empty() || status == StatusCode::METHOD_NOT_ALLOWED,
            "GET {path}: {status}"
        );
        let (status, ..) = visitor.send(visitor.post(&path, "token=&confirm=chat"));
        assert!(matches!(status.as_u16(), 401 | 405), "POST {path}: {status}");
    }
}

#[test]
fn every_page_says_what_the_browser_must_not_do_and_bad_requests_are_refused_in_words() {
    let world = World::with_hub();
    let mut visitor = Visitor::of(&world.url());
    visitor.sign_in(&world);
    let token = visitor.token.clone();
    for path in [
        "/",
        "/plans",
        "/identities?has=x",
        "/search?q=%3Cscript%3E",
        "/sign-in",
        "/policies",
        "/nothing",
        "/plans/x",
    ] {
        let (status, headers, page) = visitor.get(path);
        assert!(!status.is_server_error(), "{path}: {status}");
        if path == "/nothing" {
            continue;
        }
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{path}");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY", "{path}");
        assert!(
            !page.contains("<script>") && !page.contains(" style=") && !page.contains("onclick"),
            "{path}"
        );
        assert!(page.len() < 100_000, "{path} is {} bytes", page.len());
    }
    for (what, expect, request) in [
        (
            "a plan that is none",
            404,
            visitor.post(
                "/plans/pln_00000000000000000000000000/approve",
                &format!("token={token}&digest={}", "0".repeat(64)),
            ),
        ),
        (
            "a digest that is none",
            400,
            visitor.post("/plans/pln_00000000000000000000000000/approve", &format!("token={token}&digest=1")),
        ),
        (
            "a form that is too long",
            413,
            visitor.post("/policies/x", &format!("token={token}&text={}", "x".repeat(3 * 1024 * 1024))),
        ),
        (
            "the hub itself",
            409,
            visitor.post("/integrations/bailiwick/kill", &format!("token={token}&confirm=bailiwick")),
        ),
        (
            "what is no form of ours",
            403,
            visitor.post("/sign-out", "%zz=%ff").header(header::ORIGIN, &visitor.hub),
        ),
        (
            "a path out of the folder",
            404,
            visitor.post("/policies/..%2f..%2fetc%2fpasswd", &format!("token={token}&text=x")),
        ),
    ] {
        let (status, _, page) = visitor.send(request);
        assert_eq!(status.as_u16(), expect, "{what}: {page}");
        assert!(page.contains("code <code>") || page.contains("role=\"alert\""), "{what}: {page}");
    }
    assert_eq!(visitor.get("/assets/0/../../Cargo.toml").0, StatusCode::NOT_FOUND);
    assert_eq!(visitor.get("/assets/000000000000/console.css").0, StatusCode::NOT_FOUND);
}

#[test]
fn what_a_source_or_a_system_calls_things_is_text_on_every_page() {
    const EVIL: &str = "<img src=x onerror=alert(1)>\"'`";
    let mut world = World::with_hub();
    world.start_lab();
    let config = world.acme();
    world.run(&["apply", &config, "--yes"]).well();
    let feed = std::fs::read_to_string(world.path("acme/hr.csv")).unwrap();
    // The title and the name of somebody, as their source has them.
    let quoted = format!("\"{}\"", EVIL.replace('"', "\"\""));
    let feed = feed.replace("Vera Đorđević", &quoted).replace("Account executive", &quoted);
    assert!(feed.contains("onerror"));
    world.write("evil.csv", feed);
    world.run(&["import", "hr", "evil.csv"]).well();
    world.run(&["status", "--wait", "60"]).well();
    let mut visitor = Visitor::of(&world.url());
    visitor.sign_in(&world);
    let list = world.run(&["identity", "show", "hr/1042", "--json"]).well().json();
    let id = list["identity"]["id"].as_str().unwrap();
    assert!(list["identity"].to_string().contains("onerror"), "{list}");
    let mut told = Vec::new();
    for path in [
        "/identities".to_owned(),
        format!("/identities/{id}"),
        "/identities/hr%2F1002".to_owned(),
        "/plans".to_owned(),
        "/search?q=%3Cimg".to_owned(),
        format!("/evidence?subject={id}"),
        format!("/identities/{id}/why/chat/finance"),
        "/identities?format=csv".to_owned(),
    ] {
        let (status, headers, page) = visitor.get(&path);
        assert_eq!(status, StatusCode::OK, "{path}: {page}");
        let html = headers[header::CONTENT_TYPE].to_str().unwrap().contains("html");
        assert!(!html || !page.contains("<img src=x"), "{path} has it as markup");
        told.extend(page.contains("img src=x").then_some(path));
    }
    assert!(told.len() >= 4, "it is told as text on {told:?}");
}

/// What nobody should be called: markup, the ends of attributes, and what sets a message's words as code.
const CALLED: &str = "<img src=x onerror=alert(1)>\"'`";

#[test]
fn what_a_system_holds_and_what_operators_say_is_text_on_every_page() {
    let world = company();
    let mut visitor = Visitor::of(&world.url());
    visitor.sign_in(&world);
    // Somebody makes an account and a group on the chat that are called so, and puts the group in with its administrators.
    let user = serde_json::json!({ "userName": CALLED, "displayName": CALLED, "externalId": CALLED, "active": true });
    let group = serde_json::json!({ "name": CALLED, "members": [CALLED] });
    let admins = serde_json::json!({ "name": "Workspace admins", "members": [CALLED] });
    let seed = serde_json::json!({ "users": [user], "groups": [group, admins] }).to_string();
    let behind = visitor.http.post(format!("http://{}/truth/chat/seed", world.lab())).body(seed);
    let (status, _, answer) = visitor.send(behind.header(header::CONTENT_TYPE, "application/json"));
    assert_eq!(status, StatusCode::OK, "{answer}");
    // Operators call their tokens and their reasons so.
    world.run(&["token", "create", CALLED, "--days", "30"]).well();
    let ask = ["access", "ask", "hr/1042", "chat/finance", "--for", "4h", "--reason", CALLED, "--json"];
    let plan = world.run(&ask).well().json()["plan"].as_str().unwrap().to_owned();
    let (status, _, compared) = visitor.act("/systems/chat/compare", &[("full", "true")]);
    assert_eq!(status, StatusCode::OK, "{compared}");
    world.run(&["status", "--wait", "60"]).well();
    let mut told = Vec::new();
    let mut check = |path: &str, page: &str| {
        assert!(
            !page.contains("<img src=x") && !page.contains("onerror=alert(1)>"),
            "{path} has it as markup: {page}"
        );
        for href in page.split(" href=\"").skip(1) {
            assert!(
                href.starts_with(['/', '?', '#']) && !href.starts_with("//"),
                "{path} leads elsewhere: {}",
                &href[..href.len().min(80)]
            );
        }
        told.extend(page.contains("img src=x").then(|| path.to_owned()));
    };
    check("what differs", &compared);
    for path in [
        "/".to_owned(),
        format!("/plans/{plan}"),
        "/plans?state=drafted".to_owned(),
        "/identities/hr%2F1042".to_owned(),
        "/access".to_owned(),
        "/operators".to_owned(),
        "/signed-in".to_owned(),
        "/findings".to_owned(),
        "/systems/chat".to_owned(),
        "/integrations".to_owned(),
        "/integrations/chat".to_owned(),
        "/alignment".to_owned(),
        "/evidence".to_owned(),
        "/search?q=%3Cimg".to_owned(),
    ] {
        let (status, _, page) = visitor.get(&path);
        assert_eq!(status, StatusCode::OK, "{path}: {page}");
        check(&path, &page);
    }
    for path in ["what differs", "/signed-in", "/access"] {
        assert!(told.iter().any(|one| one == path), "{path} does not tell it: {told:?}");
    }
    assert!(told.iter().any(|path| path.starts_with("/plans/")), "{told:?}");
    let (_, _, csv) = visitor.get("/findings?format=csv");
    assert!(!csv.lines().any(|line| line.starts_with(['=', '+', '-', '@'])), "{csv}");
}
