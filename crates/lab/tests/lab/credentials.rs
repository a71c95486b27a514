//! The vendor API: licences, tokens and sessions, given and taken, and tried as their holder would.

use serde_json::{Value, json};

use crate::harness::{Rig, ada};

#[test]
fn a_token_works_until_it_is_revoked() {
    let rig = Rig::with(&[]);
    let id = rig.create_user("bob");
    let made = rig.call("POST", &format!("/api/users/{id}/tokens"), json!({"name": "cli"}));
    assert_eq!((made.status.as_u16(), &made.body["status"]), (201, &json!("active")));
    let secret = made.body["secret"].as_str().unwrap().to_owned();
    assert!(rig.opens(&secret));
    assert!(rig.lab.works("acme", &made.id()).unwrap(), "by id too");
    let listed = rig.get(&format!("/api/users/{id}/tokens")).body["tokens"].clone();
    assert_eq!((listed[0]["name"].as_str(), listed[0].get("secret")), (Some("cli"), None));
    for _ in 0..2 {
        let gone = rig.call("DELETE", &format!("/api/users/{id}/tokens/{}", made.id()), Value::Null);
        assert_eq!(gone.status, 204);
    }
    assert!(!rig.opens(&secret));
    let revocations = rig.lab.ledger("acme").unwrap();
    assert_eq!(revocations.iter().filter(|e| e.effect == bailiwick_lab::Effect::TokenRevoked).count(), 1);
}

#[test]
fn sessions_end_one_by_one_and_together() {
    let rig = Rig::with(&[]);
    let id = rig.create_user("bob");
    let path = format!("/api/users/{id}/sessions");
    let open = || rig.call("POST", &path, Value::Null);
    let [a, b, c] = [open(), open(), open()];
    let works = || [&a, &b, &c].map(|made| rig.opens(made.body["secret"].as_str().unwrap()));
    assert_eq!(works(), [true, true, true]);
    assert_eq!(rig.call("DELETE", &format!("{path}/{}", a.id()), Value::Null).status, 204);
    assert_eq!(rig.call("DELETE", &format!("{path}/{}", a.id()), Value::Null).status, 404);
    assert_eq!(works(), [false, true, true]);
    assert_eq!(rig.call("DELETE", &path, Value::Null).body, json!({"ended": 2}));
    assert_eq!(works(), [false, false, false]);
}

#[test]
fn licences_are_held_once() {
    let rig = Rig::with(&[]);
    let id = rig.create_user("bob");
    let path = format!("/api/users/{id}/licences/pro");
    let statuses =
        ["PUT", "PUT", "DELETE", "DELETE"].map(|method| rig.call(method, &path, Value::Null).status);
    assert_eq!(statuses.map(|status| status.as_u16()), [201, 200, 204, 404]);
    assert!(rig.true_user("bob").licences.is_empty());
}

#[test]
fn an_inactive_user_is_given_nothing() {
    let rig = Rig::with(&[]);
    let ada = ada(&rig);
    rig.patch_user(&ada.id, json!([{"op": "replace", "path": "active", "value": false}]));
    let before = rig.truth();
    for (method, what, body) in [
        ("PUT", "licences/pro", Value::Null),
        ("POST", "tokens", json!({"name": "x"})),
        ("POST", "sessions", Value::Null),
    ] {
        let answer = rig.call(method, &format!("/api/users/{}/{what}", ada.id), body);
        assert_eq!(
            (answer.status.as_u16(), answer.body["error"].as_str()),
            (409, Some("user-inactive")),
            "{what}"
        );
    }
    assert_eq!(rig.truth(), before);
    assert!(rig.true_user("ada").is_stripped());
}

#[test]
fn the_back_door_sees_and_acts() {
    let rig = Rig::with(&[]);
    let ada = ada(&rig);
    let works =
        |credential: &str| rig.raw("GET", &format!("/truth/acme/try/{credential}"), Value::Null, &[]).body;
    assert_eq!(works(&ada.token), json!({"works": true}));
    assert_eq!(works("nothing"), json!({"works": false}));
    let user = rig.raw("GET", &format!("/truth/acme/users/{}", ada.id), Value::Null, &[]);
    assert_eq!(user.body["licences"], json!(["pro"]));
    let truth = rig.raw("GET", "/truth/acme", Value::Null, &[]).body;
    assert_eq!(truth, serde_json::to_value(rig.truth()).unwrap());
    assert!(!truth.to_string().contains(&ada.token), "no secrets in the truth");

    let seed = json!({"users": [{"userName": "ada", "active": false}], "leave": [["staff", "ada"]],
        "groups": [{"name": "ghosts", "members": ["ada"]}], "tokens": [{"user": "ada", "name": "backdoor"}]});
    let seeded = rig.raw("POST", "/truth/acme/seed", seed, &[]);
    assert_eq!(seeded.status, 200, "{}", seeded.body);
    let user = rig.true_user("ada");
    assert_eq!(
        (user.active, user.attributes["title"].as_str(), user.tokens.len()),
        (false, Some("Countess"), 2)
    );
    assert_eq!(user.groups, [rig.truth().group("ghosts").unwrap().id.clone()].into());
    assert!(rig.opens(&ada.token), "nothing follows from an act behind the hub's back");
    let ledger = rig.raw("GET", "/truth/acme/ledger", Value::Null, &[]).body;
    let last = ledger.as_array().unwrap().last().unwrap();
    assert_eq!(
        (last["effect"].as_str(), last["credential"].as_str()),
        (Some("member-removed"), Some("back-door"))
    );
    assert!(ledger.as_array().unwrap().iter().enumerate().all(|(at, entry)| entry["seq"] == at + 1));

    let bad = rig.raw("POST", "/truth/acme/seed", json!({"sessions": ["nobody"]}), &[]);
    assert_eq!((bad.status.as_u16(), bad.body["error"].as_str()), (400, Some("lab-bad-seed")));
    assert_eq!(rig.raw("GET", "/truth/other", Value::Null, &[]).status, 404);
    assert_eq!(rig.raw("POST", "/truth/acme/reset", Value::Null, &[]).status, 204);
    assert!(rig.truth().users.is_empty() && rig.lab.ledger("acme").unwrap().is_empty());
}
