//! Systems' own audit logs against the hub's, and systems that disagree about somebody; judged by what the lab did.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::BTreeSet;

use axum::http::Request;
use bailiwick_core::{
    access::AccessClass,
    alignment::{Alignment, Claimant, Invariant},
    id::SystemName,
    integration::Purpose,
    record::Actor,
    time::SignedDuration,
};
use bailiwick_engine::{Audited, TriedVerdict};
use bailiwick_lab::Behaviour;
use bailiwick_store::Table;
use serde_json::json;
use tower::ServiceExt as _;
use world::{Passing, World, declared::audited};

const ANN: &str = "1,Ann,ann@x.test,Engineering,,active";
const BO: &str = "2,Bo,bo@x.test,Finance,,active";

fn name(system: &str) -> SystemName {
    SystemName::new(system).unwrap()
}

fn left(line: &str) -> String {
    line.replace(",,active", ",2026-01-01,left")
}

async fn world(seed: u64, behaviours: &[Behaviour]) -> World {
    let mut world = World::new(seed, &[("chat", behaviours)]).await;
    world.configure_with(|configuration| audited(configuration, "chat")).await;
    world.deliver(&[ANN, BO]).await.unwrap();
    world.quiet().await;
    world.pass(SignedDuration::from_mins(10));
    world
}

async fn audit(world: &World) -> Audited {
    world.engine.audit(&name("chat")).await.unwrap()
}

/// What is in the lab's ledger of one user, by others than the hub or by it.
fn token_works(world: &World, user: &str) -> bool {
    world.lab.truth("chat").unwrap().user(user).unwrap().tokens.iter().any(|token| token.works)
}

#[tokio::test]
async fn what_the_hub_did_is_in_the_log_of_a_faithful_system() {
    let mut world = world(1, &[]).await;
    let joined = audit(&world).await;
    assert_eq!((joined.silent, joined.foreign.len()), (0, 0), "{joined:?}");
    world.behind(
        "chat",
        json!({ "tokens": [{ "user": "ann@x.test", "name": "ci" }], "sessions": ["ann@x.test"] }),
    );
    world.deliver(&[&left(ANN), BO]).await.unwrap();
    world.quiet().await;
    world.pass(SignedDuration::from_mins(10));
    let gone = audit(&world).await;
    assert!(gone.found >= 3, "{gone:?}");
    assert_eq!((gone.silent, gone.foreign.len(), gone.others), (0, 0, 2), "{gone:?}");
    assert_eq!(world.open_cases().await, 0);
    let again = audit(&world).await;
    assert_eq!(
        (again.found, again.silent, again.foreign.len()),
        (0, 0, 0),
        "nothing is compared twice: {again:?}"
    );
}

#[tokio::test]
async fn a_liar_is_caught_by_what_its_log_omits_and_the_leaver_is_open_again() {
    let mut world = world(2, &[Behaviour::Liar]).await;
    audit(&world).await;
    world.behind("chat", json!({ "tokens": [{ "user": "ann@x.test", "name": "ci" }] }));
    world.deliver(&[&left(ANN), BO]).await.unwrap();
    world.quiet().await;
    assert_eq!((world.open_cases().await, &world.cells().await["chat/api-tokens"][..]), (0, "removed"));
    assert!(token_works(&world, "ann@x.test"), "the token works behind the clean read");

    world.pass(SignedDuration::from_mins(10));
    let found = audit(&world).await;
    assert_eq!((found.silent, found.foreign.len()), (1, 0), "{found:?}");
    assert_eq!(world.findings("audit-silent").await.len(), 1);
    world.quiet().await;
    assert_eq!((world.open_cases().await, &world.cells().await["chat/api-tokens"][..]), (1, "unobservable"));
    assert_eq!(world.cells().await["chat/sessions"], "removed", "of the rest the log has a word");

    // It is read again and again, and stays what it is.
    world.pass(SignedDuration::from_hours(7));
    world.quiet().await;
    assert_eq!(world.cells().await["chat/api-tokens"], "unobservable");
    let disagree: Vec<Alignment> = world.all(Table::Alignments).await;
    let violation = &disagree[0].violations[0];
    assert_eq!((violation.invariant, violation.class), (Invariant::Logged, AccessClass::ApiTokens));
    assert_eq!(world.findings("misaligned").await, Vec::<String>::new(), "`audit-silent` says it");
}

#[tokio::test]
async fn a_hub_credential_in_other_hands_is_found_and_the_finding_ends_with_a_new_one() {
    let world = world(3, &[]).await;
    audit(&world).await;
    // Canaries are the hub's own doing.
    let by = Actor::Operator("ada".into());
    world.engine.probe(&name("chat"), by, &Passing(world.hands.clone())).await.unwrap();
    world.pass(SignedDuration::from_mins(10));
    assert_eq!(audit(&world).await.foreign, []);

    world.pass(SignedDuration::from_hours(1));
    let bo = world.lab.truth("chat").unwrap().user("bo@x.test").unwrap().id.clone();
    stolen(&world, &bo, "g-admins").await;
    world.pass(SignedDuration::from_mins(10));
    let found = audit(&world).await;
    assert_eq!((found.silent, found.foreign.len()), (0, 1), "{found:?}");
    assert_eq!((found.foreign[0].account.as_ref(), &found.foreign[0].deed[..]), (Some(&bo), "member-added"));
    assert_eq!(world.findings("credential-used-elsewhere").await.len(), 1);

    world.pass(SignedDuration::from_hours(1));
    audit(&world).await;
    assert_eq!(world.findings("credential-used-elsewhere").await.len(), 1, "whoever has it has it still");
    // The same once more is not another one.
    world.pass(SignedDuration::from_mins(1));
    world.seal("chat", Purpose::Write, "chat-write").await;
    world.pass(SignedDuration::from_mins(1));
    audit(&world).await;
    assert_eq!(world.findings("credential-used-elsewhere").await.len(), 1);
    world.behind("chat", json!({ "grants": [["another", "chat-another"]] }));
    world.seal("chat", Purpose::Write, "chat-another").await;
    world.pass(SignedDuration::from_mins(1));
    audit(&world).await;
    assert_eq!(world.findings("credential-used-elsewhere").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_difference_says_who_made_it_by_the_system_s_own_log() {
    let mut world = world(4, &[]).await;
    world.engine.reconcile(&name("chat"), true).await.unwrap();
    world.pass(SignedDuration::from_mins(1));
    world.behind("chat", json!({ "groups": [{ "name": "Finance", "members": ["ann@x.test"] }] }));
    world.pass(SignedDuration::from_mins(1));
    let found = world.engine.reconcile(&name("chat"), true).await.unwrap();
    let [difference] = &found.classes.differences[..] else { panic!("{found:?}") };
    let by = difference.by.as_ref().unwrap();
    assert_eq!((&by.actor[..], &by.deed[..]), ("administrator", "member-added"));
    assert_eq!(found.unexplained, []);
    world.quiet().await;
    let again = world.engine.reconcile(&name("chat"), true).await.unwrap();
    assert_eq!(again.classes.differences, [], "put back, and nobody's doing but the hub's");
    assert_eq!(world.findings("change-unexplained").await, Vec::<String>::new());
}

/// Somebody else uses the hub's credential: puts a user into a group.
async fn stolen(world: &World, user: &str, group: &str) {
    let stolen = Request::patch(format!("/chat/scim/v2/Groups/{group}"))
        .header("Authorization", "Bearer chat-write")
        .header("Content-Type", "application/scim+json")
        .body(axum::body::Body::from(
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "add", "path": "members", "value": [{"value": user}]}]})
            .to_string(),
        ))
        .unwrap();
    assert!(world.lab.router().oneshot(stolen).await.unwrap().status().is_success());
}

#[tokio::test]
async fn what_a_log_shows_of_long_ago_explains_nothing_of_now() {
    let mut world = World::new(10, &[("chat", &[])]).await;
    world.configure().await;
    world.deliver(&[ANN, BO]).await.unwrap();
    world.quiet().await;
    world.behind("chat", json!({ "groups": [{ "name": "Finance", "members": ["ann@x.test"] }] }));
    world.pass(SignedDuration::from_mins(1));
    world.engine.reconcile(&name("chat"), true).await.unwrap();
    world.quiet().await;
    world.pass(SignedDuration::from_hours(2));
    world.engine.reconcile(&name("chat"), true).await.unwrap();
    world.pass(SignedDuration::from_hours(2));
    // From now on the log is read, which still has the deed of the morning.
    let ann = world.lab.truth("chat").unwrap().user("ann@x.test").unwrap().id.clone();
    stolen(&world, &ann, "g-admins").await;
    world.reconfigure(|configuration| audited(configuration, "chat")).await;
    world.pass(SignedDuration::from_mins(1));
    let found = world.engine.reconcile(&name("chat"), true).await.unwrap();
    let [difference] = &found.classes.differences[..] else { panic!("{found:?}") };
    assert_eq!((&difference.by, &found.unexplained[..]), (&None, &[][..]), "it is under the hub's name");
}

#[tokio::test]
async fn a_live_system_shows_whether_its_log_tells_who_did_what() {
    for (ours, expect) in [("integration", TriedVerdict::Holds), ("somebody", TriedVerdict::Broken)] {
        let mut world = World::new(11, &[("chat", &[])]).await;
        world
            .configure_with(|configuration| {
                audited(configuration, "chat");
                let chat = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
                chat.settings["audit"]["ours"] = json!([ours]);
            })
            .await;
        world.deliver(&[ANN]).await.unwrap();
        world.quiet().await;
        let by = Actor::Operator("ada".into());
        let tried =
            world.engine.try_contract(&name("chat"), by, &Passing(world.hands.clone())).await.unwrap();
        let one = tried.iter().find(|one| one.sentence == "the audit log tells who changed what").unwrap();
        assert_eq!(one.verdict, expect, "{one:?}");
    }
}

#[tokio::test]
async fn the_comparison_runs_by_itself_and_goes_on_after_a_restart() {
    let mut world = World::new(5, &[("chat", &[Behaviour::Liar])]).await;
    world
        .configure_with(|configuration| {
            audited(configuration, "chat");
            configuration.systems[0].audit_every_ms = 15 * 60_000;
        })
        .await;
    world.deliver(&[ANN, BO]).await.unwrap();
    world.quiet_for(SignedDuration::from_mins(40)).await;
    world.behind("chat", json!({ "tokens": [{ "user": "ann@x.test", "name": "ci" }] }));
    world.deliver(&[&left(ANN), BO]).await.unwrap();
    world.quiet_for(SignedDuration::from_mins(5)).await;
    world.restart();
    world.pass(SignedDuration::from_mins(20));
    world.quiet_for(SignedDuration::from_mins(30)).await;
    assert_eq!(world.findings("audit-silent").await.len(), 1);
    assert!(world.records("audit-compared").await >= 2);
}

/// What disagrees about the only person about whom something does: the system, and what does not hold.
async fn disagrees(world: &World) -> BTreeSet<(String, Invariant)> {
    let all: Vec<Alignment> = world.all(Table::Alignments).await;
    all.iter().flat_map(|one| &one.violations).map(|v| (v.system.to_string(), v.invariant)).collect()
}

/// A directory, which is an anchor, a vault and a bastion that end nothing with the account.
async fn three_systems(seed: u64) -> World {
    let systems: [(&str, &[Behaviour]); 4] = [
        ("directory", &[]),
        ("vault", &[Behaviour::LeasingVault]),
        ("pam", &[Behaviour::Pam]),
        ("chat", &[Behaviour::Liar]),
    ];
    let mut world = World::new(seed, &systems).await;
    world
        .configure_with(|configuration| {
            audited(configuration, "chat");
            for (system, class) in [("vault", "vault-tokens"), ("pam", "pam-sessions")] {
                let declared = configuration.systems.iter_mut().find(|s| s.name.as_str() == system).unwrap();
                declared.classes.insert(class.parse().unwrap());
                let list = format!("/api/held/{class}/by/{{id}}");
                let integration =
                    configuration.integrations.iter_mut().find(|i| i.name.as_str() == system).unwrap();
                integration.settings["held"][class] = json!({ "list": list, "name": "name" });
                integration.scope.rules.push(format!("list GET {list}").parse().unwrap());
            }
            let directory =
                configuration.systems.iter_mut().find(|s| s.name.as_str() == "directory").unwrap();
            directory.anchor = true;
        })
        .await;
    world.deliver(&[ANN, BO]).await.unwrap();
    world.quiet().await;
    for (system, class) in [("vault", "vault-tokens"), ("pam", "pam-sessions")] {
        let thing = json!({ "class": class, "holder": "ann@x.test", "name": class, "maker": "ann@x.test",
            "on": null, "minutes": 60 * 24 * 30 });
        world.behind(system, json!({ "held": [thing] }));
    }
    world.behind("chat", json!({ "tokens": [{ "user": "ann@x.test", "name": "ci" }] }));
    world.pass(SignedDuration::from_mins(10));
    world.engine.audit(&name("chat")).await.unwrap();
    world
}

#[tokio::test]
async fn inactive_in_the_directory_and_three_systems_disagree_of_whoever_left() {
    let mut world = three_systems(6).await;
    world.deliver(&[&left(ANN), BO]).await.unwrap();
    world.quiet().await;
    world.pass(SignedDuration::from_mins(20));
    world.engine.audit(&name("chat")).await.unwrap();
    world.quiet().await;
    let named = |pairs: &[(&str, Invariant)]| -> BTreeSet<(String, Invariant)> {
        pairs.iter().map(|(system, invariant)| ((*system).to_owned(), *invariant)).collect()
    };
    assert_eq!(
        disagrees(&world).await,
        named(&[
            ("vault", Invariant::NoCredential),
            ("pam", Invariant::NoSession),
            ("chat", Invariant::Logged)
        ])
    );
    let [one] = &world.all::<Alignment>(Table::Alignments).await[..] else { panic!("one person") };
    let claims: Vec<&Claimant> = one.claims.iter().map(|claim| &claim.claimant).collect();
    assert_eq!(claims, [&Claimant::Departure, &Claimant::Anchor(name("directory"))]);
    assert!(one.violations.iter().all(|v| v.acts == "desk/1" && v.since > one.claims[0].since), "{one:?}");
    // Each of them has a finding of its own kind already.
    let told = [world.findings("residual-access").await.len(), world.findings("audit-silent").await.len()];
    assert_eq!((told, world.findings("misaligned").await.len()), ([2, 1], 0));
}

#[tokio::test]
async fn an_account_that_others_disabled_in_the_directory_is_left_and_the_rest_is_named() {
    let mut world = three_systems(7).await;
    world.behind("directory", json!({ "users": [{ "userName": "ann@x.test", "active": false }] }));
    world.pass(SignedDuration::from_mins(1));
    world.engine.reconcile(&name("directory"), true).await.unwrap();
    world.quiet().await;
    let active =
        |world: &World, system: &str| world.lab.truth(system).unwrap().user("ann@x.test").unwrap().active;
    assert!(!active(&world, "directory"), "nobody is let in again by a program");
    let found = disagrees(&world).await;
    for expected in [
        ("vault", Invariant::NoCredential),
        ("pam", Invariant::NoSession),
        ("chat", Invariant::NoCredential),
        ("chat", Invariant::NoEntitlement),
    ] {
        assert!(found.contains(&(expected.0.to_owned(), expected.1)), "{expected:?} in {found:?}");
    }
    // She moves: still nobody lets her in, and the rest follows.
    world.deliver(&[&ANN.replace("Engineering", "Finance"), BO]).await.unwrap();
    world.quiet().await;
    assert!(!active(&world, "directory") && active(&world, "vault"));

    // Whoever disabled her lets her in again: nothing disagrees any more.
    world.behind("directory", json!({ "users": [{ "userName": "ann@x.test", "active": true }] }));
    world.pass(SignedDuration::from_mins(1));
    world.engine.reconcile(&name("directory"), true).await.unwrap();
    world.quiet().await;
    assert_eq!((disagrees(&world).await, world.findings("misaligned").await.len()), (BTreeSet::new(), 0));
}

#[tokio::test]
async fn an_account_that_no_policy_gives_any_more_says_nothing_of_its_person() {
    let mut world = World::new(9, &[("directory", &[]), ("chat", &[])]).await;
    world
        .configure_with(|configuration| {
            configuration.systems[0].anchor = true;
            for name in ["account", "everyone"] {
                let all = format!("resource == Entitlement::\"directory/{name}\");");
                let some = all.replace(");", ")\n  when { principal.department == \"Engineering\" };");
                configuration.policies[0].text = configuration.policies[0].text.replace(&all, &some);
            }
        })
        .await;
    world.deliver(&[ANN, BO]).await.unwrap();
    world.quiet().await;
    world.deliver(&[&ANN.replace("Engineering", "Sales"), BO]).await.unwrap();
    world.quiet().await;
    world.pass(SignedDuration::from_mins(1));
    world.engine.reconcile(&name("directory"), true).await.unwrap();
    world.quiet().await;
    let active = |system: &str| world.lab.truth(system).unwrap().user("ann@x.test").unwrap().active;
    assert!(!active("directory") && active("chat"));
    assert_eq!((disagrees(&world).await, world.findings("misaligned").await.len()), (BTreeSet::new(), 0));
    let ann = world.engine.find_identity("hr/1").await.unwrap().value.id;
    assert_eq!(world.engine.align(ann).await.unwrap().claims, []);
}

#[tokio::test]
async fn a_log_that_is_late_takes_back_what_was_said_of_it() {
    let mut world = world(8, &[Behaviour::Liar]).await;
    audit(&world).await;
    world.behind("chat", json!({ "tokens": [{ "user": "ann@x.test", "name": "ci" }] }));
    world.deliver(&[&left(ANN), BO]).await.unwrap();
    world.quiet().await;
    world.pass(SignedDuration::from_mins(10));
    assert_eq!(audit(&world).await.silent, 1);
    world.quiet().await;
    assert_eq!(world.open_cases().await, 1);
    // The vendor mends it: the token is ended, and its log says so at last.
    world.lab.behave("chat", []).unwrap();
    let ann = world.lab.truth("chat").unwrap().user("ann@x.test").unwrap().clone();
    let path = format!("/chat/api/users/{}/tokens/{}", ann.id, ann.tokens[0].id);
    let ended = Request::delete(path).header("Authorization", "Bearer chat-write");
    let ended = ended.body(axum::body::Body::empty()).unwrap();
    assert!(world.lab.router().oneshot(ended).await.unwrap().status().is_success());
    world.pass(SignedDuration::from_mins(10));
    let mended = audit(&world).await;
    assert_eq!((mended.late, mended.missing), (1, 0), "{mended:?}");
    world.quiet().await;
    assert_eq!(world.cells().await["chat/api-tokens"], "removed");
    assert_eq!((world.open_cases().await, world.findings("audit-silent").await.len()), (0, 0));
}
