//! Who may call what: every operation of the table, asked by every role, does what the table says. A new operation is in
//! here by itself.

use std::collections::BTreeMap;

use bailiwick_core::{
    exception::Exception,
    id::Tenant,
    record::{Actor, Record, RecordKind},
};
use bailiwick_store::Update;
use serde_json::json;

use super::{
    DESCRIPTION, Described,
    operation::Access,
    stage_tests::{ROLES, Stage},
};

/// Somebody else's exception, under the id that examples have.
async fn exception_of_somebody(stage: &Stage) {
    let exception: Exception = serde_json::from_value(json!({
        "exception": format!("exc_{}", "0".repeat(26)), "identity": format!("idn_{}", "0".repeat(26)),
        "entitlements": ["chat/admins"], "minutes": 5, "because": { "kind": "asked", "reason": "a test" },
        "asked": "2026-01-01T00:00:00Z", "state": "asked", "lapses": "2026-01-02T00:00:00Z",
    }))
    .unwrap();
    let parts = stage.engine.parts();
    let record = Record::new(
        RecordKind::ExceptionAsked,
        stage.engine.now(),
        Actor::Operator("ada".into()),
        &*parts.entropy,
    );
    let mut tx = parts.store.begin().await.unwrap();
    let update = Update::new(record).insert(&exception, &*parts.entropy);
    tx.write(&Tenant::single(), vec![update], &*parts.entropy).await.unwrap();
    tx.commit().await.unwrap();
}

/// Whether the table lets the role call.
fn may(one: &Described, role: &str) -> bool {
    match one.access {
        Access::Open | Access::Token | Access::Decided => true,
        Access::Right(right) | Access::Own(right) => right.roles().contains(&role),
    }
}

#[tokio::test]
async fn every_operation_lets_in_whom_the_table_says_and_nobody_else() {
    let stage = Stage::start().await;
    exception_of_somebody(&stage).await;
    let mut wrong = Vec::new();
    for one in DESCRIPTION.operations() {
        let nobody = stage.example(one, &BTreeMap::new()).send().await;
        match one.access {
            Access::Open => {
                assert_ne!((nobody.status, nobody.code().as_str()), (401, "token-refused"), "{}", one.id)
            }
            Access::Token | Access::Right(_) | Access::Own(_) | Access::Decided => {
                assert_eq!((nobody.status, nobody.code().as_str()), (401, "token-refused"), "{}", one.id);
                assert_eq!(nobody.header("www-authenticate"), "Bearer", "{}", one.id);
            }
        }
        for role in ROLES {
            let reply = stage.example(one, &BTreeMap::new()).by(role).send().await;
            let refused = (reply.status, reply.code().as_str()) == (403, "not-allowed");
            let answered = (200..500).contains(&reply.status) && reply.status != 401;
            if refused == may(one, role) || !answered || reply.header("x-request-id").is_empty() {
                wrong.push(format!("{} by {role}: {} {}", one.id, reply.status, reply.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    stage.stop().await;
}

#[tokio::test]
async fn ones_own_takes_no_role() {
    let stage = Stage::start().await;
    let name = |name: &str| BTreeMap::from([("name", name.to_owned())]);
    for one in DESCRIPTION
        .operations()
        .filter(|one| matches!(one.access, Access::Own(_)) && one.path.contains("{name}"))
    {
        let others = stage.example(one, &name("admin")).by("viewer").send().await;
        assert_eq!((others.status, others.code().as_str()), (403, "not-allowed"), "{}", one.id);
        let own = stage.example(one, &name("viewer")).by("viewer").send().await;
        assert_eq!(own.status, 200, "{}: {}", one.id, own.text);
    }
    // The last one was the token.
    assert_eq!(stage.ask("GET", "/status").by("viewer").send().await.status, 401);
    stage.stop().await;
}

#[tokio::test]
async fn policies_give_rights_and_take_them_and_who_governs_can_mend_them() {
    let stage = Stage::start().await;
    let delivery = async |role: &str| {
        let asked = stage.ask("POST", "/sources/hr/readings").by(role).send().await;
        (asked.status, asked.code())
    };
    assert_eq!(delivery("viewer").await, (403, "not-allowed".to_owned()));
    assert_eq!(delivery("operator").await.0, 404);
    let rights = "rights.cedar";
    stage.policy(
        rights,
        r#"@id("viewers-read") permit(principal, action == Action::"exercise", resource == Right::"operate")
        when { principal.name == "viewer" };
        @id("operators-wait") forbid(principal, action == Action::"exercise", resource == Right::"operate")
        when { principal.roles.contains("operator") };
        @id("by-name") permit(principal, action == Action::"exercise", resource == Right::"terminate")
        when { principal.name == "terminator" };
        @id("nobody-governs") forbid(principal, action == Action::"exercise", resource == Right::"govern");"#,
    )
    .await;
    // What was so a tenth of a second ago may count for so long.
    let becomes = async |viewer: u16, operator: u16| {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            let seen = (delivery("viewer").await.0, delivery("operator").await.0);
            if seen == (viewer, operator) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{seen:?}");
        }
    };
    becomes(404, 403).await;
    let why = stage.ask("POST", "/sources/hr/readings").by("operator").send().await;
    assert!(why.text.contains("operators-wait"), "{}", why.text);
    // A token has what its operator has now, be it by a policy, and no more.
    let token = json!({ "name": "nightly", "rights": ["operate"], "days": 1 });
    for (role, expect) in [("viewer", 201), ("operator", 403)] {
        let made = stage.ask("POST", "/tokens").by(role).json(&token).send().await;
        assert_eq!(made.status, expect, "{role}: {}", made.text);
    }
    // Also where the policy goes by the name, and the engine looks for itself.
    let made = stage
        .ask("POST", "/tokens")
        .by("terminator")
        .json(&json!({ "name": "reads", "days": 1 }))
        .send()
        .await;
    let reads = made.json()["secret"].as_str().unwrap().to_owned();
    let who = async |token: &str| {
        stage.ask("GET", "/terminations").with("authorization", &format!("Bearer {token}")).send().await
    };
    assert_ne!(who(stage.token("terminator")).await.code(), "not-allowed");
    assert_eq!(who(&reads).await.code(), "not-allowed");
    // No policy locks out who can mend it.
    stage.policy(rights, "").await;
    becomes(403, 404).await;
    stage.stop().await;
}

#[tokio::test]
async fn what_was_held_is_let_go_by_who_governs_and_by_nobody_else() {
    let stage = Stage::start().await;
    let path = "/systems/chat/reconciliation?release=true";
    for (role, expect) in [("operator", 403), ("approver", 403), ("viewer", 403), ("admin", 404)] {
        assert_eq!(stage.ask("POST", path).by(role).send().await.status, expect, "{role}");
    }
    stage.stop().await;
}
