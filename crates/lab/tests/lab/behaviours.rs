//! Each behaviour deviates as documented, and a faithful system put through the same calls does not.

use bailiwick_lab::{Behaviour, Effect};
use serde_json::{Value, json};

use crate::harness::{Ada, GROUP, Rig, USER, ada, patch, state};

const WHOLE: &str = "active groups=1/2 licences=1 tokens=Active sessions=1";
const STRIPPED: &str = "inactive groups=0/0 licences=0 tokens=Revoked sessions=0";

/// Acts on Ada through the API of a faithful and of a deviating system, and compares what each act tells.
fn check(behaviour: Behaviour, act: fn(&Rig, &Ada) -> Vec<String>, faithful: &[&str], deviating: &[&str]) {
    for (behaviours, expect) in [(&[][..], faithful), (&[behaviour][..], deviating)] {
        let rig = Rig::with(behaviours);
        let ada = ada(&rig);
        assert_eq!(state(&rig), WHOLE, "seeded");
        assert_eq!(act(&rig, &ada), expect, "on a system that is {behaviours:?}");
    }
}

fn deactivate(rig: &Rig, ada: &Ada) -> Value {
    let answer = rig.patch_user(&ada.id, json!([{"op": "replace", "path": "active", "value": false}]));
    assert_eq!(answer.status, 200);
    answer.body["active"].clone()
}

fn reactivate(rig: &Rig, ada: &Ada) {
    assert_eq!(rig.patch_user(&ada.id, json!([{"op": "replace", "value": {"active": true}}])).status, 200);
}

fn put_inactive(rig: &Rig, ada: &Ada) -> Value {
    let body = json!({"schemas": [USER], "userName": "ada", "displayName": "Ada", "active": false});
    let answer = rig.call("PUT", &format!("/scim/v2/Users/{}", ada.id), body);
    assert_eq!(answer.status, 200);
    answer.body["active"].clone()
}

fn delete(rig: &Rig, ada: &Ada) {
    assert_eq!(rig.call("DELETE", &format!("/scim/v2/Users/{}", ada.id), Value::Null).status, 204);
}

fn shown(rig: &Rig, ada: &Ada) -> String {
    let answer = rig.get(&format!("/scim/v2/Users/{}", ada.id));
    format!("{} {}", answer.status.as_u16(), answer.body["active"])
}

#[test]
fn noop_200_claims_a_deactivation_by_patch() {
    let act = |rig: &Rig, ada: &Ada| {
        vec![deactivate(rig, ada).to_string(), state(rig), shown(rig, ada), rig.opens(&ada.token).to_string()]
    };
    check(
        Behaviour::Noop200,
        act,
        &["false", STRIPPED, "200 false", "false"],
        &["false", WHOLE, "200 true", "true"],
    );
}

#[test]
fn noop_200_claims_a_deactivation_by_put() {
    let act = |rig: &Rig, ada: &Ada| vec![put_inactive(rig, ada).to_string(), state(rig), shown(rig, ada)];
    check(Behaviour::Noop200, act, &["false", STRIPPED, "200 false"], &["false", WHOLE, "200 true"]);
}

#[test]
fn noop_200_leaves_no_trace_in_the_ledger_and_still_deletes() {
    let act = |rig: &Rig, ada: &Ada| {
        let before = rig.lab.ledger("acme").unwrap().len();
        deactivate(rig, ada);
        let effects = rig.lab.ledger("acme").unwrap().len() - before;
        delete(rig, ada);
        vec![(effects > 0).to_string(), state(rig), rig.opens(&ada.token).to_string()]
    };
    check(Behaviour::Noop200, act, &["true", "gone", "false"], &["false", "gone", "false"]);
}

#[test]
fn noop_200_does_other_patches() {
    let rig = Rig::with(&[Behaviour::Noop200]);
    let ada = ada(&rig);
    rig.patch_user(&ada.id, json!([{"op": "replace", "path": "title", "value": "Mathematician"}]));
    assert_eq!(rig.true_user("ada").attributes["title"], "Mathematician");
}

#[test]
fn put_only_ignores_patch_and_honours_put() {
    let act = |rig: &Rig, ada: &Ada| {
        let answered = deactivate(rig, ada).to_string();
        rig.patch_user(&ada.id, json!([{"op": "replace", "path": "title", "value": "Mathematician"}]));
        let title = rig.true_user("ada").attributes["title"].to_string();
        let patched = state(rig);
        put_inactive(rig, ada);
        vec![answered, title, patched, state(rig)]
    };
    check(
        Behaviour::PutOnly,
        act,
        &["false", "\"Mathematician\"", STRIPPED, STRIPPED],
        &["true", "\"Countess\"", WHOLE, STRIPPED],
    );
}

#[test]
fn limited_patch_honours_the_form_of_old_services_alone() {
    let rig = Rig::with(&[Behaviour::LimitedPatch]);
    let ada = ada(&rig);
    let title = |rig: &Rig| rig.true_user("ada").attributes["title"].as_str().unwrap_or_default().to_owned();
    let before = (title(&rig), state(&rig));
    for ignored in [
        json!([{"op": "replace", "path": "title", "value": "Mathematician"}]),
        json!([{"op": "replace", "path": "active", "value": "False"}]),
        json!([{"op": "replace", "value": {"active": false}}]),
        json!([{"op": "replace", "value": {"active": "off"}}]),
        json!([{"op": "replace", "value": {"title": "x"}}, {"op": "replace", "path": "title", "value": "x"}]),
    ] {
        let answered = rig.call("PATCH", &format!("/scim/v2/Users/{}", ada.id), patch(ignored.clone()));
        assert_eq!(answered.status, 200, "{ignored}");
        assert_eq!((title(&rig), state(&rig)), before, "{ignored}");
    }
    rig.patch_user(&ada.id, json!([{"op": "Replace", "value": {"title": "Mathematician"}}]));
    assert_eq!(title(&rig), "Mathematician");
    rig.patch_user(&ada.id, json!([{"op": "replace", "value": {"active": "False"}}]));
    assert_eq!(state(&rig), STRIPPED);
    let whole = json!({"schemas": [USER], "userName": "ada", "active": true});
    assert_eq!(rig.call("PUT", &format!("/scim/v2/Users/{}", ada.id), whole).status, 501);
    assert_eq!(state(&rig), STRIPPED);
}

#[test]
fn keeps_groups_until_they_are_removed_one_by_one() {
    let act = |rig: &Rig, ada: &Ada| {
        deactivate(rig, ada);
        let deactivated = state(rig);
        let leave = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", ada.id)}]);
        assert_eq!(rig.call("PATCH", &format!("/scim/v2/Groups/{}", ada.staff), patch(leave)).status, 200);
        rig.call("DELETE", &format!("/api/users/{}/licences/pro", ada.id), Value::Null);
        vec![deactivated, state(rig)]
    };
    let kept = "inactive groups=1/2 licences=1 tokens=Revoked sessions=0";
    check(Behaviour::KeepsGroups, act, &[STRIPPED, STRIPPED], &[kept, STRIPPED]);
}

#[test]
fn soft_delete_hides_and_keeps_name_and_tokens() {
    let act = |rig: &Rig, ada: &Ada| {
        delete(rig, ada);
        let again = rig.call("POST", "/scim/v2/Users", json!({"schemas": [USER], "userName": "ADA"}));
        let tokens = rig.get(&format!("/api/users/{}/tokens", ada.id));
        let listed = rig.get("/scim/v2/Users?filter=userName%20eq%20%22ada%22");
        vec![
            shown(rig, ada),
            rig.opens(&ada.token).to_string(),
            rig.opens(&ada.session).to_string(),
            again.status.as_str().to_owned(),
            again.body["scimType"].to_string(),
            tokens.status.as_str().to_owned(),
            listed.body["totalResults"].to_string(),
            rig.truth().users.iter().filter(|user| user.hidden).count().to_string(),
        ]
    };
    check(
        Behaviour::SoftDelete,
        act,
        &["404 null", "false", "false", "201", "null", "404", "1", "0"],
        &["404 null", "true", "false", "409", "\"uniqueness\"", "404", "0", "1"],
    );
}

#[test]
fn soft_delete_leaves_nothing_to_whoever_revokes_first() {
    let act = |rig: &Rig, ada: &Ada| {
        rig.call("DELETE", &format!("/api/users/{}/tokens/{}", ada.id, ada.token_id), Value::Null);
        delete(rig, ada);
        vec![state(rig), rig.opens(&ada.token).to_string()]
    };
    let hidden = "inactive hidden groups=0/0 licences=0 tokens=Revoked sessions=0";
    check(Behaviour::SoftDelete, act, &["gone", "false"], &[hidden, "false"]);
}

#[test]
fn async_members_change_later() {
    let act = |rig: &Rig, ada: &Ada| {
        let leave = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", ada.id)}]);
        let answer = rig.call("PATCH", &format!("/scim/v2/Groups/{}", ada.staff), patch(leave));
        assert_eq!(answer.status, 200);
        let mut seen = vec![answer.body["members"].to_string()];
        for wait in [0, 2_999, 1] {
            rig.clock.advance(wait);
            let shown = rig.get(&format!("/scim/v2/Groups/{}", ada.staff));
            let shown = shown.body["members"].as_array().unwrap().len();
            let truth = rig.truth();
            seen.push(format!("{shown} {} {}", truth.group("staff").unwrap().users.len(), truth.pending));
        }
        let entry = rig.lab.ledger("acme").unwrap().pop().unwrap();
        assert_eq!((entry.effect, entry.cause.method.as_str()), (Effect::MemberRemoved, "PATCH"));
        seen.push((entry.at_ms - rig.truth().at_ms).to_string());
        seen
    };
    check(
        Behaviour::AsyncMembers,
        act,
        &["[]", "0 0 0", "0 0 0", "0 0 0", "-3000"],
        &["[]", "1 1 1", "1 1 1", "0 0 0", "0"],
    );
}

#[test]
fn async_members_keep_the_last_word() {
    let rig = Rig::with(&[Behaviour::AsyncMembers]);
    let id = rig.create_user("bob");
    let group = rig.call("POST", "/scim/v2/Groups", json!({"schemas": [GROUP], "displayName": "g"})).id();
    let member = |op: &str| match op {
        "add" => json!([{"op": "add", "path": "members", "value": [{"value": id}]}]),
        _ => json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]),
    };
    for op in ["add", "remove", "add", "remove"] {
        rig.call("PATCH", &format!("/scim/v2/Groups/{group}"), patch(member(op)));
        rig.clock.advance(100);
    }
    rig.clock.advance(10_000);
    assert!(rig.true_user("bob").groups.is_empty());
    assert_eq!(rig.truth().pending, 0);
}

#[test]
fn stale_reads_lag_behind_the_truth() {
    let act = |rig: &Rig, ada: &Ada| {
        deactivate(rig, ada);
        rig.create_user("bob");
        let mut seen = Vec::new();
        for wait in [0, 1_999, 1] {
            rig.clock.advance(wait);
            let total = rig.get("/scim/v2/Users").body["totalResults"].to_string();
            let tokens = rig.get(&format!("/api/users/{}/tokens", ada.id));
            let status = tokens.body["tokens"][0]["status"].as_str().unwrap().to_owned();
            seen.push(format!("{} {total} {status}", shown(rig, ada)));
            assert_eq!(state(rig), STRIPPED, "the truth never lags");
            assert!(!rig.opens(&ada.token), "credentials never lag");
        }
        seen
    };
    let now = "200 false 2 revoked";
    let past = "200 true 1 active";
    check(Behaviour::StaleRead, act, &[now, now, now], &[past, past, now]);
}

#[test]
fn stale_writes_see_the_present() {
    let rig = Rig::with(&[Behaviour::StaleRead]);
    rig.create_user("bob");
    let again = rig.call("POST", "/scim/v2/Users", json!({"schemas": [USER], "userName": "bob"}));
    assert_eq!(again.status, 409);
}

#[test]
fn timeouts_come_after_the_commit() {
    let names: Vec<String> = (0..10).map(|number| format!("user-{number}")).collect();
    for (behaviours, lost) in [(&[][..], 0), (&[Behaviour::TimeoutAfterCommit][..], 2)] {
        let rig = Rig::with(behaviours);
        let mut dropped = Vec::new();
        for name in &names {
            let body = json!({"schemas": [USER], "userName": name});
            let headers = [("authorization", "Bearer w"), ("idempotency-key", name.as_str())];
            let answer = rig.call_with("POST", "/scim/v2/Users", body.clone(), &headers);
            if answer.dropped {
                assert_eq!(answer.body, Value::Null, "nothing of the answer is told");
                dropped.push(name);
                let again = rig.call_with("POST", "/scim/v2/Users", body, &headers);
                assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, "true"));
                assert_eq!(again.id(), rig.true_user(name).id);
            }
        }
        assert_eq!(dropped.len(), lost, "of ten writes on {behaviours:?}");
        assert_eq!(rig.truth().users.len(), 10, "each write is committed once");
        assert_eq!(rig.lab.ledger("acme").unwrap().len(), 10);
    }
}

#[test]
fn dormant_tokens_wake_with_their_user() {
    let act = |rig: &Rig, ada: &Ada| {
        let mut seen = Vec::new();
        let mut look = || {
            let token = &rig.true_user("ada").tokens[0];
            let purge = token.purges_at_ms.map(|at| at - rig.truth().at_ms);
            seen.push(format!("{:?} {} {purge:?}", token.status, rig.opens(&ada.token)));
        };
        deactivate(rig, ada);
        look();
        reactivate(rig, ada);
        look();
        seen
    };
    check(
        Behaviour::DormantToken,
        act,
        &["Revoked false None", "Revoked false None"],
        &["Suspended false Some(2592000000)", "Active true None"],
    );
}

#[test]
fn dormant_tokens_die_when_purged_or_revoked() {
    let purge = |rig: &Rig, _: &Ada| rig.clock.advance(2_592_000_000);
    let revoke = |rig: &Rig, ada: &Ada| {
        let path = format!("/api/users/{}/tokens/{}", ada.id, ada.token_id);
        assert_eq!(rig.call("DELETE", &path, Value::Null).status, 204);
    };
    let wait = |rig: &Rig, _: &Ada| rig.clock.advance(2_591_999_999);
    for (what, kill, works) in
        [("purge", &purge as &dyn Fn(&Rig, &Ada), false), ("revoke", &revoke, false), ("wait", &wait, true)]
    {
        let rig = Rig::with(&[Behaviour::DormantToken]);
        let ada = ada(&rig);
        deactivate(&rig, &ada);
        let listed = rig.get(&format!("/api/users/{}/tokens", ada.id));
        assert_eq!(listed.body["tokens"][0]["status"], "suspended");
        assert!(listed.body["tokens"][0]["purges_at"].is_string());
        kill(&rig, &ada);
        reactivate(&rig, &ada);
        assert_eq!(rig.opens(&ada.token), works, "after {what}");
    }
}

#[test]
fn an_early_reactivation_cancels_the_purge() {
    let rig = Rig::with(&[Behaviour::DormantToken]);
    let ada = ada(&rig);
    deactivate(&rig, &ada);
    reactivate(&rig, &ada);
    rig.clock.advance(1_000);
    deactivate(&rig, &ada);
    rig.clock.advance(2_592_000_000 - 1_000);
    assert_eq!(rig.true_user("ada").tokens[0].status, bailiwick_lab::TokenStatus::Suspended);
    rig.clock.advance(1_000);
    assert_eq!(rig.true_user("ada").tokens[0].status, bailiwick_lab::TokenStatus::Revoked);
}

#[test]
fn behaviours_combine() {
    let rig = Rig::with(&[Behaviour::KeepsGroups, Behaviour::DormantToken, Behaviour::SoftDelete]);
    let ada = ada(&rig);
    deactivate(&rig, &ada);
    assert_eq!(state(&rig), "inactive groups=1/2 licences=1 tokens=Suspended sessions=0");
    delete(&rig, &ada);
    assert_eq!(state(&rig), "inactive hidden groups=0/0 licences=0 tokens=Suspended sessions=0");
}

#[test]
fn faithful_reactivation_restores_nothing() {
    let rig = Rig::with(&[Behaviour::Faithful]);
    let ada = ada(&rig);
    deactivate(&rig, &ada);
    reactivate(&rig, &ada);
    assert_eq!(state(&rig), "active groups=0/0 licences=0 tokens=Revoked sessions=0");
    assert!(!rig.opens(&ada.token) && !rig.opens(&ada.session));
}

#[test]
fn a_system_can_start_to_lie() {
    let rig = Rig::with(&[]);
    let ada = ada(&rig);
    let put = rig.raw("PUT", "/truth/acme/behaviours", json!(["noop-200"]), &[]);
    assert_eq!(put.status, 204);
    deactivate(&rig, &ada);
    assert_eq!(state(&rig), WHOLE);
}

#[test]
fn names_round_trip() {
    for behaviour in Behaviour::ALL {
        assert_eq!(behaviour.to_string().parse(), Ok(behaviour));
        assert_eq!(serde_json::to_value(behaviour).unwrap(), json!(behaviour.name()));
    }
    let error = "noop".parse::<Behaviour>().unwrap_err().to_string();
    assert!(error.starts_with("`noop` is not a behaviour: use one of faithful, noop-200"), "{error}");
}
