//! Somebody leaves on a system of each of the behaviours that PRODUCT names. Truth says what is left of them; the case
//! must say nothing else, and close no sooner than that is allowed.

#![allow(clippy::unwrap_used, reason = "a test")]

mod survivors;
mod world;

use bailiwick_core::{
    access::AccessClass, case::Cell, control::Acceptance, profile::WayEffect, system::OnLeave,
    time::SignedDuration, verify::Verdict,
};
use bailiwick_lab::Behaviour;
use survivors::{ANN, Held, LEFT, Scene};
use world::World;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[tokio::test]
async fn faithful_nothing_is_left() {
    let mut scene = Scene::new(&[], &[Held::by("automations"), Held::given("mailbox-rights-given")]).await;
    scene.leave().await;
    assert_eq!(scene.alive(), [""; 0]);
    assert_eq!(scene.disagreements().await, [""; 0]);
    assert_eq!((scene.verdict("primary-account").await, scene.open().await), ("blocked".into(), 0));
}

#[tokio::test]
async fn noop_200_is_residual_until_a_person_approves_the_deletion() {
    let mut scene = Scene::new(&[Behaviour::Noop200], &[]).await;
    scene.leave().await;
    assert_eq!(scene.alive(), ["account"]);
    assert_eq!((scene.verdict("primary-account").await, scene.open().await), ("residual".into(), 1));
    assert_eq!(scene.disagreements().await, [""; 0]);
    scene.approve_deletion().await;
    assert_eq!(scene.alive(), [""; 0]);
    assert_eq!(scene.disagreements().await, [""; 0]);
    assert_eq!((scene.verdict("primary-account").await, scene.open().await), ("removed".into(), 0));
    // What was seen to be gone while the account was there stays so.
    assert_eq!(scene.verdict("api-tokens").await, "removed");
}

#[tokio::test]
async fn put_only_and_limited_patch_are_disabled_by_the_way_that_works() {
    for (behaviour, probed) in
        [(Behaviour::PutOnly, false), (Behaviour::PutOnly, true), (Behaviour::LimitedPatch, true)]
    {
        let mut scene = Scene::new(&[behaviour], &[]).await;
        if probed {
            scene.probe().await;
        }
        scene.leave().await;
        assert_eq!(scene.alive(), [""; 0], "{behaviour}");
        assert_eq!(scene.disagreements().await, [""; 0], "{behaviour}");
        assert_eq!((scene.verdict("primary-account").await, scene.open().await), ("blocked".into(), 0));
    }
    // Nobody knows of the old form without a probe, and it is said that nothing was done.
    let mut scene = Scene::new(&[Behaviour::LimitedPatch], &[]).await;
    scene.leave().await;
    assert_eq!(scene.alive(), ["account"]);
    assert_eq!((scene.verdict("primary-account").await, scene.open().await), ("residual".into(), 1));
}

#[tokio::test]
async fn keeps_groups_is_stripped_explicitly() {
    let mut scene = Scene::new(&[Behaviour::KeepsGroups], &[]).await;
    scene.leave().await;
    assert_eq!((scene.alive(), scene.open().await), (vec![], 0));
    for class in ["direct-groups", "nested-groups", "licences"] {
        assert_eq!(scene.verdict(class).await, "removed", "{class}");
    }
    assert_eq!(scene.disagreements().await, [""; 0]);
}

#[tokio::test]
async fn soft_delete_proves_nothing_of_tokens_that_nobody_could_revoke() {
    let mut scene = Scene::with(&[Behaviour::SoftDelete], &[], |configuration| {
        configuration.systems[0].on_leave = OnLeave::Delete;
        survivors::cannot_revoke(configuration, "api-tokens");
    })
    .await;
    scene.leave().await;
    scene.approve_deletion().await;
    assert_eq!(scene.alive(), ["token"], "the account is hidden, its token works");
    assert_eq!(scene.verdict("primary-account").await, "removed");
    assert_eq!((scene.verdict("api-tokens").await, scene.open().await), ("unobservable".into(), 1));
    assert_eq!(scene.disagreements().await, [""; 0]);
}

#[tokio::test]
async fn async_members_are_pending_inside_of_the_window() {
    let mut scene = Scene::new(&[Behaviour::AsyncMembers], &[]).await;
    scene.deliver(LEFT).await;
    while scene.world.engine.work().await.unwrap().taken > 0 {}
    assert_eq!(scene.alive(), ["groups"]);
    assert_eq!((scene.verdict("direct-groups").await, scene.open().await), ("pending".into(), 1));
    scene.world.quiet().await;
    assert_eq!((scene.alive(), scene.open().await), (vec![], 0));
    assert_eq!(scene.verdict("direct-groups").await, "removed");
    assert_eq!(scene.disagreements().await, [""; 0]);
}

#[tokio::test]
async fn a_bot_that_survives_is_ended_or_said_to_live() {
    // Looked for by its maker, and ended.
    let mut scene = Scene::new(&[Behaviour::BotSurvivor], &[Held::by("automations")]).await;
    scene.leave().await;
    assert_eq!((scene.alive(), scene.verdict("automations").await), (vec![], "removed".into()));
    assert_eq!((scene.disagreements().await, scene.open().await), (vec![], 0));
    // Where the vendor ends none it is residual, and deleting the account makes it somebody else's.
    let held = Held::by("automations").kept();
    let mut scene = Scene::new(&[Behaviour::BotSurvivor], &[held]).await;
    scene.leave().await;
    assert_eq!((scene.alive(), scene.verdict("automations").await), (vec!["automations"], "residual".into()));
    scene.approve_deletion().await;
    assert_eq!(scene.alive(), ["automations"]);
    assert_eq!(scene.verdict("automations").await, "residual", "it is listed by who made it");
    assert_eq!((scene.disagreements().await, scene.open().await), (vec![], 1));
    // Where the vendor shows it only as long as there is the user, nothing is proven by the user's end.
    let held = Held::of("automations").kept();
    let mut scene = Scene::new(&[Behaviour::BotSurvivor], &[held]).await;
    scene.leave().await;
    assert_eq!(scene.verdict("automations").await, "residual");
    scene.approve_deletion().await;
    assert_eq!(scene.alive(), ["automations"]);
    assert_eq!((scene.verdict("automations").await, scene.open().await), ("unobservable".into(), 1));
    assert_eq!(scene.disagreements().await, [""; 0]);
}

#[tokio::test]
async fn a_seat_that_stays_is_its_own_verdict() {
    let mut scene = Scene::new(&[Behaviour::UnaffiliatedSeat], &[]).await;
    scene.leave().await;
    assert_eq!(scene.alive(), ["licence"]);
    assert_eq!(
        (scene.verdict("licences").await, scene.verdict("direct-groups").await),
        ("residual".into(), "removed".into())
    );
    assert_eq!((scene.disagreements().await, scene.open().await), (vec![], 1));
    scene.approve_deletion().await;
    assert_eq!((scene.alive(), scene.verdict("licences").await), (vec![], "removed".into()));
    assert_eq!((scene.disagreements().await, scene.open().await), (vec![], 0));
}

#[tokio::test]
async fn half_of_scim_shows_no_groups_and_nobody_says_that_there_are_none() {
    for behaviours in [&[Behaviour::HalfScim][..], &[Behaviour::HalfScim, Behaviour::KeepsGroups]] {
        let mut scene = Scene::new(behaviours, &[]).await;
        scene.leave().await;
        let kept = behaviours.contains(&Behaviour::KeepsGroups);
        assert_eq!(scene.alive(), if kept { vec!["groups"] } else { vec![] });
        for class in ["direct-groups", "nested-groups"] {
            assert_eq!(scene.verdict(class).await, "unobservable", "{class} {behaviours:?}");
        }
        assert_eq!(scene.verdict("primary-account").await, "blocked", "by PUT");
        assert_eq!((scene.disagreements().await, scene.open().await), (vec![], 1));
        // A person looks, and answers for it.
        let case = scene.world.cases().await[0].id;
        let by = scene.world.operator("admin", Some("hr/3")).await;
        let answered = Acceptance {
            owner: "hr/2".into(),
            until: "2026-12-01".parse().unwrap(),
            reason: "looked at by hand in the console".into(),
        };
        for class in [AccessClass::DirectGroups, AccessClass::NestedGroups] {
            let (engine, app) = (&scene.world.engine, survivors::app());
            engine.accept_control(case, &app, class, &answered, &by).await.unwrap();
        }
        assert_eq!(scene.open().await, 0);
    }
}

#[tokio::test]
async fn what_ends_by_itself_is_residual_until_then() {
    for (behaviour, class, minutes) in [
        (Behaviour::LeasingVault, "vault-tokens", 180),
        (Behaviour::Pam, "pam-sessions", 180),
        (Behaviour::Ad, "device-trust", 600),
    ] {
        let mut scene = Scene::new(&[behaviour], &[Held::by(class).kept().minutes(minutes)]).await;
        scene.leave().await;
        assert_eq!(
            (scene.alive(), scene.verdict(class).await),
            (vec![class], "residual".into()),
            "{behaviour}"
        );
        assert_eq!((scene.disagreements().await, scene.open().await), (vec![], 1), "{behaviour}");
        assert!(scene.findings().await.contains(&"residual-access".to_owned()), "{behaviour}");
        scene.world.pass(SignedDuration::from_mins(minutes));
        for _ in 0..2 {
            scene.world.quiet().await;
            scene.world.pass(HOUR);
        }
        scene.world.quiet().await;
        assert_eq!((scene.alive(), scene.verdict(class).await), (vec![], "removed".into()), "{behaviour}");
        assert_eq!((scene.disagreements().await, scene.open().await), (vec![], 0), "{behaviour}");
        assert_eq!(scene.findings().await, [""; 0], "{behaviour}");
    }
}

#[tokio::test]
async fn leases_and_live_sessions_are_ended_with_the_tokens() {
    for (behaviour, class) in [(Behaviour::LeasingVault, "vault-tokens"), (Behaviour::Pam, "pam-sessions")] {
        let mut scene = Scene::new(&[behaviour], &[Held::by(class).minutes(600)]).await;
        scene.leave().await;
        assert_eq!((scene.alive(), scene.verdict(class).await), (vec![], "removed".into()), "{behaviour}");
        assert_eq!((scene.disagreements().await, scene.open().await), (vec![], 0), "{behaviour}");
    }
}

#[tokio::test]
async fn a_directory_loses_its_groups_explicitly_and_a_ticket_that_nobody_recalls_is_residual() {
    let mut scene = Scene::new(&[Behaviour::Ad], &[Held::by("device-trust").minutes(600)]).await;
    scene.leave().await;
    assert_eq!(scene.alive(), ["device-trust"], "recalling it was refused");
    assert!(scene.findings().await.contains(&"change-refused".to_owned()));
    for class in ["direct-groups", "nested-groups"] {
        assert_eq!(scene.verdict(class).await, "removed", "{class}");
    }
    assert_eq!((scene.verdict("device-trust").await, scene.open().await), ("residual".into(), 1));
    assert_eq!(scene.disagreements().await, [""; 0]);
}

#[tokio::test]
async fn a_sync_that_retains_is_residual_or_pending_where_it_is_declared() {
    for (declared, verdict, findings) in [(5_000, "residual", 1), (25 * 3_600_000, "pending", 0)] {
        let mut scene = Scene::with(&[Behaviour::RetainingSync], &[], |configuration| {
            configuration.systems[0].convergence_ms = declared;
        })
        .await;
        scene.leave().await;
        assert!(scene.alive().contains(&"account"), "{:?}", scene.alive());
        assert_eq!((scene.verdict("primary-account").await, scene.open().await), (verdict.into(), 1));
        assert_eq!((scene.disagreements().await, scene.findings().await.len()), (vec![], findings));
        // The next day it is found active, and told once more: the window begins anew.
        for _ in 0..52 {
            scene.world.pass(HOUR);
            scene.world.quiet().await;
        }
        assert_eq!((scene.alive(), scene.open().await), (vec![], 0));
        assert_eq!(scene.verdict("primary-account").await, "blocked");
        assert_eq!((scene.disagreements().await, scene.findings().await), (vec![], vec![]));
    }
}

#[tokio::test]
async fn an_owner_gives_away_what_is_owned_and_is_deactivated_then() {
    let mut scene = Scene::new(&[Behaviour::OwnerInherits], &[Held::of("owned-nhis").passed()]).await;
    scene.leave().await;
    assert_eq!(scene.alive(), [""; 0], "whoever knew the secret is shut out");
    let truth = scene.world.lab.truth("app").unwrap();
    let robot = truth.held.iter().find(|held| held.class == "owned-nhis").unwrap();
    assert_eq!(Some(&robot.holder), truth.user("bob@x.test").map(|bob| &bob.id), "it goes on under Bob");
    assert_eq!(scene.verdict("owned-nhis").await, "removed");
    assert_eq!((scene.verdict("primary-account").await, scene.open().await), ("blocked".into(), 0));
    assert_eq!(scene.disagreements().await, [""; 0]);
}

#[tokio::test]
async fn an_owner_is_suspended_as_far_as_goes_until_somebody_else_owns_it() {
    let mut scene = Scene::new(&[Behaviour::OwnerInherits], &[Held::of("owned-nhis").kept()]).await;
    scene.deliver(LEFT).await;
    scene.world.quiet_before(SignedDuration::from_mins(4)).await;
    assert_eq!(scene.alive(), ["account", "owned-nhis"], "sessions, tokens and groups are gone");
    assert_eq!(scene.open().await, 1);
    let findings = scene.world.engine.open_findings().await.unwrap();
    let told = findings.iter().find(|finding| finding.code == "system-stuck").unwrap();
    assert!(told.message.contains("give them to somebody else first"), "{}", told.message);
    // Somebody gives it to somebody else; the rest follows by itself.
    scene.by_hand("POST", &format!("held/owned-nhis/{}/pass", scene.id("owned-nhis"))).await;
    scene.world.pass(SignedDuration::from_mins(16));
    scene.world.quiet().await;
    assert_eq!(scene.alive(), [""; 0]);
    assert_eq!((scene.verdict("primary-account").await, scene.open().await), ("blocked".into(), 0));
    assert_eq!(scene.verdict("owned-nhis").await, "removed");
    assert_eq!(scene.disagreements().await, [""; 0]);
}

#[tokio::test]
async fn rights_on_mailboxes_are_found_from_both_sides() {
    let rights = [Held::reaching("mailbox-rights-held"), Held::given("mailbox-rights-given")];
    let mut scene = Scene::new(&[Behaviour::Mailbox], &rights).await;
    scene.leave().await;
    assert_eq!((scene.alive(), scene.open().await), (vec![], 0));
    assert_eq!(scene.disagreements().await, [""; 0]);
    // Where they cannot be ended they are residual, also when the account is gone.
    let mut scene = Scene::new(&[Behaviour::Mailbox], &rights.map(Held::kept)).await;
    scene.leave().await;
    let both = ["mailbox-rights-given", "mailbox-rights-held"];
    assert_eq!(scene.alive(), both);
    scene.approve_deletion().await;
    assert_eq!(scene.alive(), both);
    for class in both {
        assert_eq!(scene.verdict(class).await, "residual", "{class}");
    }
    assert_eq!((scene.disagreements().await, scene.open().await), (vec![], 1));
}

/// On a system that only suspends tokens, and where nobody can revoke them.
async fn dormant() -> Scene {
    let mut scene = Scene::with(&[Behaviour::DormantToken], &[], |configuration| {
        survivors::cannot_revoke(configuration, "api-tokens");
        configuration.systems[0].retention_days = 365;
    })
    .await;
    scene.leave().await;
    scene
}

#[tokio::test]
async fn a_dormant_token_is_blocked_with_a_date_and_the_date_is_looked_at() {
    let mut scene = dormant().await;
    let left = scene.world.clock();
    assert_eq!((scene.alive(), scene.open().await), (vec![], 0));
    let Verdict::Blocked { purges_at: Some(date) } = scene.cell("api-tokens").await.verdict else {
        panic!("{:?}", scene.cell("api-tokens").await)
    };
    let days = date.duration_since(left);
    assert!((719..=720).contains(&days.as_hours()), "{days}");
    assert_eq!(scene.disagreements().await, [""; 0]);
    scene.world.pass(SignedDuration::from_hours(24 * 30 + 1));
    scene.world.quiet().await;
    assert_eq!(scene.verdict("api-tokens").await, "removed");
    assert_eq!((scene.disagreements().await, scene.open().await), (vec![], 0));
}

#[tokio::test]
async fn whoever_is_back_waits_until_nothing_would_wake_with_the_account() {
    let mut scene = dormant().await;
    scene.world.pass(SignedDuration::from_hours(24));
    scene.deliver(ANN).await;
    scene.world.quiet().await;
    assert_eq!(scene.alive(), [""; 0], "neither the account nor the token");
    let findings = scene.world.engine.open_findings().await.unwrap();
    let held: Vec<_> = findings.iter().filter(|finding| finding.code == "rehire-held").collect();
    assert_eq!((held.len(), held[0].owner.as_str()), (1, "desk/1"));
    let Verdict::Blocked { purges_at: Some(date) } = scene.cell("api-tokens").await.verdict else { panic!() };
    assert!(held[0].message.contains(&format!("{date:.0}")), "{}", held[0].message);
    // Nothing else makes it go on: not a mover, not a change of the rules, not another day.
    scene.deliver("1,Ann Archer,ann@x.test,Finance,,active").await;
    for _ in 0..28 {
        scene.world.pass(SignedDuration::from_hours(24));
        scene.world.quiet().await;
        assert_eq!(scene.alive(), [""; 0]);
    }
    // The purge is verified, and it goes on by itself, with what policy gives now.
    scene.world.pass(SignedDuration::from_hours(49));
    scene.world.quiet().await;
    let ann = &scene.world.truth()["app/ann@x.test"];
    assert!(ann.contains("active=true") && ann.contains("tokens=0"), "{ann}");
    assert!(ann.contains(r#"{"Everyone", "Finance"}"#), "{ann}");
    assert_eq!(scene.verdict("api-tokens").await, "removed");
    assert!(!scene.works("token"));
    assert!(!scene.findings().await.contains(&"rehire-held".to_owned()));
}

#[tokio::test]
async fn whoever_is_back_goes_on_within_the_hour_when_somebody_ends_what_was_blocked() {
    let mut scene = dormant().await;
    scene.deliver(ANN).await;
    scene.world.quiet().await;
    assert_eq!(scene.alive(), [""; 0]);
    // Somebody has the vendor revoke it.
    let token = scene.world.lab.truth("app").unwrap().user("ann@x.test").unwrap().tokens[0].id.clone();
    scene.by_hand("DELETE", &format!("tokens/{token}")).await;
    scene.world.pass(HOUR);
    scene.world.quiet().await;
    assert!(
        scene.world.truth()["app/ann@x.test"].contains("active=true tokens=0")
            || scene.alive() == ["account", "groups"]
    );
    assert!(!scene.works("token"));
    assert_eq!(scene.findings().await, [""; 0]);
}

#[tokio::test]
async fn whoever_is_back_before_anybody_looked_waits_for_the_look() {
    let mut scene = Scene::with(&[Behaviour::DormantToken], &[], |configuration| {
        survivors::cannot_revoke(configuration, "api-tokens");
    })
    .await;
    scene.deliver(LEFT).await;
    // Disabled, and nothing is read back yet.
    for _ in 0..2 {
        scene.world.engine.work().await.unwrap();
    }
    scene.deliver(ANN).await;
    scene.world.quiet().await;
    assert_eq!(scene.alive(), [""; 0], "{:?}", scene.world.truth());
    assert!(scene.findings().await.contains(&"rehire-held".to_owned()));
    // And whoever leaves again while waiting is gone as before.
    scene.deliver(LEFT).await;
    scene.world.quiet().await;
    scene.world.pass(SignedDuration::from_hours(24 * 32));
    scene.world.quiet().await;
    assert_eq!(scene.alive(), [""; 0]);
    assert!(!scene.works("token"));
}

#[tokio::test]
async fn kill_the_process_anywhere_while_somebody_waits_and_the_end_is_the_same() {
    async fn deliver(scene: &mut Scene, ann: &str) {
        while scene.world.deliver(&[ann, survivors::BOB]).await.is_err() {
            assert!(scene.world.faults.died());
            scene.world.restart();
        }
    }
    async fn story(scene: &mut Scene) {
        deliver(scene, ANN).await;
        scene.world.quiet().await;
        assert!(!scene.works("token") && !scene.world.truth()["app/ann@x.test"].contains("active=true"));
        scene.world.pass(SignedDuration::from_hours(24 * 31));
        scene.world.quiet().await;
    }
    let mut calm = dormant().await;
    let begin = calm.world.faults.passed();
    story(&mut calm).await;
    let points = calm.world.faults.passed() - begin;
    let (truth, effects) = (calm.world.truth(), calm.world.effects());
    assert!(truth["app/ann@x.test"].contains("active=true"), "{truth:?}");
    assert!(points > 20, "{points}");
    for point in 1..=points {
        let mut scene = dormant().await;
        scene.world.faults.die_at(point);
        story(&mut scene).await;
        assert_eq!((scene.world.truth(), scene.world.effects()), (truth.clone(), effects.clone()), "{point}");
        let waits = scene.findings().await.contains(&"rehire-held".to_owned());
        assert!(!waits, "point {point} of {points}");
    }
}

#[tokio::test]
async fn a_liar_is_found_by_whoever_tries() {
    let mut scene = Scene::with(&[Behaviour::Liar], &[], survivors::tries_tokens).await;
    scene.leave().await;
    // Read back it is clean, and the case is closed. Only truth knows better.
    assert_eq!((scene.verdict("api-tokens").await, scene.open().await), ("removed".into(), 0));
    assert_eq!((scene.alive(), scene.disagreements().await), (vec!["token"], vec!["api-tokens".to_owned()]));
    // A canary that leaves and is tried shows it: a way of disabling lets in, and what is shown is not so.
    let profile = scene.probe().await;
    let lets_in = WayEffect::LetsIn { classes: [AccessClass::ApiTokens].into() };
    assert!(profile.ways.iter().all(|way| way.effect == lets_in), "{profile:?}");
    assert_eq!(scene.drill().await, [AccessClass::ApiTokens].into());
    scene.world.quiet().await;
    // What was taken for proof is none any more.
    assert_eq!((scene.verdict("api-tokens").await, scene.open().await), ("unobservable".into(), 1));
    assert!(scene.findings().await.contains(&"verification-untrusted".to_owned()));
    assert_eq!(scene.disagreements().await, [""; 0]);
    let faithful = Scene::with(&[], &[], survivors::tries_tokens).await;
    assert!(faithful.probe().await.ways.iter().all(|way| way.effect == WayEffect::Blocks));
    assert_eq!(faithful.drill().await, [].into());
    assert_eq!(faithful.findings().await, [""; 0]);
}

/// Ann comes, leaves and is back.
async fn left_and_back(world: &mut World) {
    for end in [",active", "2026-01-01,left", ",active"] {
        world.pass(SignedDuration::from_secs(1));
        world.deliver(&[&format!("1,Ann,ann@x.test,Engineering,{end}")]).await.unwrap();
        world.quiet().await;
    }
}

/// Somebody is back while their case is still open: a system that does not let them in again, and says that it did, is told of.
#[tokio::test]
async fn who_is_back_before_their_case_is_closed_has_what_is_given_verified() {
    let mut world = World::new(
        71,
        &[("chat", &[Behaviour::HalfScim, Behaviour::UnaffiliatedSeat][..]), ("wiki", &[Behaviour::PutOnly])],
    )
    .await;
    world.configure().await;
    left_and_back(&mut world).await;
    assert_eq!(world.open_cases().await, 1, "{:?}", world.cells().await);
    let there = world.lab.truth("wiki").unwrap().user("ann@x.test").unwrap().active;
    let told = world.findings("diverged").await;
    assert!(!there && told.iter().any(|message| message.contains("`wiki`")), "{there} {told:?}");
    assert!(world.findings("residual-access").await.iter().all(|message| !message.contains("`wiki`")));
}

/// Somebody leaves, is back before that is proven, and leaves again: what was proven the first time proves nothing now.
#[tokio::test]
async fn who_leaves_again_has_a_case_of_their_own_and_the_one_before_closes_nothing() {
    let mut world = World::new(72, &[("chat", &[]), ("wiki", &[Behaviour::Noop200])]).await;
    world.configure().await;
    left_and_back(&mut world).await;
    assert_eq!(world.cells().await["chat/primary-account"], "blocked");
    assert!(world.lab.truth("chat").unwrap().user("ann@x.test").unwrap().active, "she is back");
    // The wiki does what it is told from now on, and the chat does not answer.
    world.lab.behave("wiki", []).unwrap();
    world.lab.behave("chat", [Behaviour::Down]).unwrap();
    world.deliver(&["1,Ann,ann@x.test,Engineering,2026-01-02,left"]).await.unwrap();
    world.quiet_for(SignedDuration::from_mins(20)).await;
    let cases = world.cases().await;
    let (first, second) = match &cases[..] {
        [one, other] if one.opened < other.opened => (one, other),
        [one, other] => (other, one),
        _ => panic!("{cases:?}"),
    };
    assert_eq!((first.followed, second.closed), (Some(second.id), None), "{cases:?}");
    assert!(world.lab.truth("chat").unwrap().user("ann@x.test").unwrap().active, "nobody has ended it yet");

    world.lab.behave("chat", []).unwrap();
    world.pass(SignedDuration::from_hours(7));
    world.quiet().await;
    let cases = world.cases().await;
    assert!(cases.iter().all(|case| case.closed.is_some()), "{cases:?} {:?}", world.cells().await);
    let cells = world.all_cells().await;
    let proven = |cell: &&Cell| cell.case == second.id && cell.system.as_str() == "chat";
    assert!(cells.iter().filter(proven).count() > 1, "{cells:?}");
    assert!(!world.lab.truth("chat").unwrap().user("ann@x.test").unwrap().active);
    assert_eq!(world.findings("cannot-verify").await, [""; 0]);
}

/// Of a leaver whose access cannot be read back somebody is told, until it can.
#[tokio::test]
async fn what_cannot_be_read_back_of_a_leaver_is_told_until_it_can() {
    let mut world = World::new(73, &[("chat", &[])]).await;
    world.configure().await;
    world.deliver(&["1,Ann,ann@x.test,Engineering,,active"]).await.unwrap();
    world.quiet().await;
    // The credential that reads is no good any more; the one that writes is.
    world.seal("chat", bailiwick_core::integration::Purpose::Verify, "chat-ended").await;
    world.deliver(&["1,Ann,ann@x.test,Engineering,2026-01-01,left"]).await.unwrap();
    world.quiet_for(SignedDuration::from_mins(20)).await;
    let told = world.findings("cannot-verify").await;
    assert!(told.iter().any(|message| message.starts_with("`primary-account` of `chat`")), "{told:?}");
    assert_eq!(world.open_cases().await, 1);
    world.seal("chat", bailiwick_core::integration::Purpose::Verify, "chat-read").await;
    world.pass(SignedDuration::from_hours(1));
    world.quiet().await;
    assert_eq!(world.findings("cannot-verify").await, [""; 0]);
    assert_eq!(world.open_cases().await, 0, "{:?}", world.cells().await);
}
