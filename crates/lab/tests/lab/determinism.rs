//! The same specs, calls and times give the same bytes.

use bailiwick_lab::Behaviour;
use serde_json::json;

use crate::harness::{Rig, USER, ada, patch, spec};

/// A little life of a system with every behaviour in which anything happens, in bytes.
fn life(seed: u64) -> (String, String) {
    let silent = [Behaviour::Down, Behaviour::HalfScim];
    let all = Behaviour::ALL.into_iter().filter(|behaviour| !silent.contains(behaviour));
    let mut spec = spec(&all.collect::<Vec<_>>());
    spec.seed = seed;
    let rig = Rig::new(spec);
    let ada = ada(&rig);
    let mut answers = String::new();
    for number in 0..20 {
        let body = json!({"schemas": [USER], "userName": format!("user-{number}")});
        let made = rig.call("POST", "/scim/v2/Users", body);
        answers += &format!("{} {} {}\n", made.status, made.dropped, made.body);
        rig.clock.advance(777);
        let user = rig.true_user(&format!("user-{number}")).id;
        let add = json!([{"op": "add", "path": "members", "value": [{"value": user}]}]);
        rig.call("PATCH", &format!("/scim/v2/Groups/{}", ada.staff), patch(add));
        let token = rig.call("POST", &format!("/api/users/{user}/tokens"), json!({"name": "ci"}));
        answers += &format!("{} {}\n", token.dropped, token.body);
        let bot = json!({"name": "bot", "minutes": 3 + number});
        let bot = rig.call("POST", &format!("/api/users/{user}/held/pam-sessions"), bot);
        answers += &format!("{} {}\n", bot.dropped, bot.body);
        rig.patch_user(&user, json!([{"op": "replace", "path": "active", "value": number % 2 == 0}]));
        answers += &format!("{}\n", rig.get("/scim/v2/Users?count=3").body);
    }
    let truth = serde_json::to_string(&rig.truth()).unwrap();
    (answers, truth + &serde_json::to_string(&rig.lab.ledger("acme").unwrap()).unwrap())
}

#[test]
fn the_same_seed_lives_the_same_life() {
    assert_eq!(life(7), life(7));
    assert_ne!(life(7).1, life(8).1);
}

#[test]
fn a_reset_starts_the_same_life_again() {
    let rig = Rig::with(&[]);
    let first = rig.create_user("bob");
    rig.lab.reset("acme").unwrap();
    assert_eq!(rig.create_user("bob"), first);
    assert!(first.len() == 36 && &first[14..15] == "4", "{first} looks like a UUID");
}
