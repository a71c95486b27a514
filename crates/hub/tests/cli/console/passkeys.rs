//! Passkeys at the console: in a real browser with an authenticator of its own, and in the hands of who means harm.

use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use super::{browser::Browser, by_name, sign_in_as, soft::Soft, visitor::Visitor};
use crate::world::World;

/// A company with two administrators, and a change of the policies by the first that waits for the second.
fn company() -> (World, String) {
    let world = World::with_acme();
    world.run(&["import", "hr", "acme/hr.csv"]).well();
    world.run(&["status", "--wait", "60"]).well();
    let add = ["operator", "add", "ines", "--role", "admin", "--person", "hr/1002", "--to", "ines.toml"];
    world.run(&add).well();
    let file = world.path("acme/policies/birthright.cedar");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n// Looked at once more.\n")).unwrap();
    let applied = world.run(&["apply", "acme", "--yes", "--json"]).well().json();
    let plan = applied["waiting"][0]["plan"].as_str().unwrap_or_else(|| panic!("{applied}")).to_owned();
    (world, plan)
}

#[test]
fn a_passkey_is_enrolled_signs_in_and_approves_exactly_what_was_seen() {
    let (world, plan) = company();
    let (browser, hub) = (Browser::start(), by_name(&world));
    let authenticator = browser.authenticator();
    sign_in_as(&world, &browser, "ines.toml");

    // What takes a proof is not approved without one.
    browser.open(&format!("{hub}/plans/{plan}"));
    browser.press("Approve these");
    browser.see("step-up-not-enrolled");

    // Enrolled where one sees all by which somebody can act as oneself.
    browser.open(&format!("{hub}/signed-in"));
    browser.see("You have no passkey.");
    browser.fill("#name", "Laptop");
    browser.press("Enrol a passkey");
    browser.see("The passkey is enrolled.");
    assert_eq!(browser.passkeys(&authenticator).len(), 1);

    // Without a link from now on.
    browser.press("Sign out");
    browser.see("or by a link");
    browser.press("Sign in with a passkey");
    browser.see("What needs you today");
    assert!(world.run(&["--profile", "ines.toml", "sign-in", "--list"]).well().stdout.contains("open since"));

    // An authenticator that does not make sure who is there approves nothing.
    browser.open(&format!("{hub}/plans/{plan}"));
    browser.verifies(&authenticator, false);
    browser.press("Approve with a passkey");
    browser.see("Nothing was chosen");
    browser.verifies(&authenticator, true);
    browser.press("Approve with a passkey");
    browser.see("Approved.");
    let shown = world.run(&["plan", "show", &plan, "--json"]).well().json();
    assert_eq!(shown["state"], "done", "{shown}");

    // One that was copied is refused once the copy is used, and that is found.
    let copy = browser.passkeys(&authenticator).remove(0);
    browser.press("Sign out");
    browser.see("or by a link");
    browser.press("Sign in with a passkey");
    browser.see("What needs you today");
    browser.press("Sign out");
    browser.see("or by a link");
    browser.take_passkeys(&authenticator);
    browser.put_passkey(&authenticator, &copy);
    browser.press("Sign in with a passkey");
    browser.see("That passkey opens nothing here.");
    let found = world.run(&["finding", "list", "--json"]).well().json();
    assert!(found.to_string().contains("passkey-counter"), "{found}");

    // It is taken away by somebody else, and opens nothing then.
    let listed = world.run(&["passkey", "list", "--json"]).well().json();
    let passkey = listed[0]["passkey"].as_str().unwrap();
    world.run(&["--profile", "ines.toml", "passkey", "remove", passkey]).refused(
        1,
        "step-up-needed",
        "passkey",
    );
    world.run(&["passkey", "remove", passkey]).well();
    let mut again = copy.clone();
    again["signCount"] = json!(1_000);
    browser.take_passkeys(&authenticator);
    browser.put_passkey(&authenticator, &again);
    browser.open(&format!("{hub}/sign-in"));
    browser.press("Sign in with a passkey");
    browser.see("That passkey opens nothing here.");
    world.run(&["evidence", "check"]).well();
    let refusals = |text: &String| text.contains("status of 401") || text.contains("status of 403");
    assert!(browser.complaints().iter().all(refusals), "{:?}", browser.complaints());
}

/// Somebody with an authenticator that is a program.
struct Held {
    visitor: Visitor,
    soft: Soft,
}

fn question(visitor: &Visitor, path: &str) -> (header::HeaderMap, Value) {
    let (status, headers, text) = visitor.get(path);
    assert_eq!(status, StatusCode::OK, "{path}: {text}");
    (headers, serde_json::from_str(&text).unwrap())
}

fn form(pairs: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(pairs).unwrap()
}

impl Held {
    /// Signs in by a link and enrols one.
    fn enrolled(world: &World) -> Self {
        let (mut visitor, origin) = (Visitor::of(&world.url()), by_name(world));
        visitor.sign_in(world);
        let (_, asked) = question(&visitor, "/signed-in/challenge?to=enrol");
        let user = asked["making"]["user"].as_str().unwrap();
        let user = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, user).unwrap();
        let soft = Soft::new(1, &user, &origin, "localhost");
        let [client, attestation] = soft.make(asked["challenge"].as_str().unwrap());
        let making = json!({ "client": client, "attestation": attestation }).to_string();
        let sent = form(&[("token", &visitor.token), ("name", "key"), ("making", &making)]);
        let (status, headers, page) = visitor.send(visitor.post("/signed-in/passkeys", &sent));
        assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
        assert_eq!(headers[header::LOCATION], "/signed-in?done=enrolled");
        Self { visitor, soft }
    }
}

/// Asks for a challenge in a browser that is nobody, and has it answered.
fn answered(visitor: &mut Visitor, soft: &mut Soft) -> String {
    let (headers, asked) = question(visitor, "/sign-in/challenge");
    visitor.keep(&headers);
    soft.sign(asked["challenge"].as_str().unwrap()).to_string()
}

#[test]
fn an_answer_counts_once_and_in_the_browser_that_asked() {
    let world = World::with_hub();
    let Held { visitor: owner, mut soft } = Held::enrolled(&world);
    let (mut mine, mut victim) = (Visitor::of(&world.url()), Visitor::of(&world.url()));

    // Somebody else's answer in a victim's browser signs nobody in there, with or without a challenge of its own.
    let answer = answered(&mut mine, &mut soft);
    let sent = form(&[("passkey", &answer), ("next", "/")]);
    assert_eq!(victim.send(victim.post("/sign-in/passkey", &sent)).0, StatusCode::UNAUTHORIZED);
    let (headers, _) = question(&victim, "/sign-in/challenge");
    victim.keep(&headers);
    assert_eq!(victim.send(victim.post("/sign-in/passkey", &sent)).0, StatusCode::UNAUTHORIZED);
    // And not from another site, whatever it brings along.
    let foreign = mine.post("/sign-in/passkey", &sent).header(header::ORIGIN, "https://evil.example");
    assert_eq!(mine.send(foreign).0, StatusCode::FORBIDDEN);

    // In its own it does, with a secret that is new, and not a second time.
    mine.cookie.push_str("; bailiwick=bws_known");
    let (status, headers, page) = mine.send(mine.post("/sign-in/passkey", &sent));
    assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
    let set: Vec<_> = headers.get_all(header::SET_COOKIE).iter().map(|set| set.to_str().unwrap()).collect();
    let session = set.iter().find(|set| set.starts_with("bailiwick=bws_")).unwrap();
    assert!(session.contains("HttpOnly") && session.contains("SameSite=Strict"), "{session}");
    assert!(!session.contains("bws_known"));
    let before = mine.cookie.clone();
    mine.keep(&headers);
    mine.is_in();
    let mut again = Visitor::of(&world.url());
    again.cookie = before;
    assert_eq!(again.send(again.post("/sign-in/passkey", &sent)).0, StatusCode::UNAUTHORIZED, "replayed");

    // What was answered to sign in proves nothing to who is in, and the other way round.
    let (_, asked) = question(&mine, "/signed-in/challenge?to=prove");
    let proof = soft.sign(asked["challenge"].as_str().unwrap()).to_string();
    let sent = form(&[("passkey", &proof), ("next", "/")]);
    assert_eq!(again.send(again.post("/sign-in/passkey", &sent)).0, StatusCode::UNAUTHORIZED);
    let answer = answered(&mut again, &mut soft);
    let sent = form(&[("token", &mine.token), ("passkey", &answer)]);
    let (status, _, page) = mine.send(mine.post("/signed-in/code", &sent));
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(page.contains("passkey-challenge"), "{page}");

    // A challenge says nothing of who there is, is cached nowhere, and is not to be read by other sites.
    let (headers, nobody) = question(&victim, "/sign-in/challenge?name=nobody");
    let (_, ada) = question(&victim, "/sign-in/challenge?name=ada");
    assert_eq!(nobody["credentials"].as_array().unwrap().len(), ada["credentials"].as_array().unwrap().len());
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    drop(owner);
}

#[test]
fn whoever_tries_passkeys_is_slowed_by_name_and_shuts_nobody_out() {
    let world = World::with_hub();
    let Held { visitor: _owner, mut soft } = Held::enrolled(&world);
    let mut visitor = Visitor::of(&world.url());
    let good = soft.flags;
    soft.flags = super::soft::PRESENT;
    let mut tries = Vec::new();
    for _ in 0..7 {
        let sent = form(&[("passkey", &answered(&mut visitor, &mut soft))]);
        tries.push(visitor.send(visitor.post("/sign-in/passkey", &sent)).0);
    }
    assert_eq!(tries[..5], [StatusCode::UNAUTHORIZED; 5]);
    assert_eq!(tries[5..], [StatusCode::TOO_MANY_REQUESTS; 2]);
    soft.flags = good;
    let sent = form(&[("passkey", &answered(&mut visitor, &mut soft))]);
    assert_eq!(
        visitor.send(visitor.post("/sign-in/passkey", &sent)).0,
        StatusCode::SEE_OTHER,
        "who is right gets in"
    );
    for bad in ["", "{}", "[]", "null", "{\"id\":1}", &"x".repeat(20_000)] {
        let (status, _, page) = visitor.send(visitor.post("/sign-in/passkey", &form(&[("passkey", bad)])));
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad:.30}: {page}");
    }
}
