//! What went wrong elsewhere, as it would go here; each judged by what is true of the systems.
//!
//! Those that another file shows already are named in [`SHOWN`], and must be there.

#![allow(clippy::unwrap_used, reason = "a test")]

mod survivors;
mod world;

use bailiwick_lab::Behaviour;
use survivors::{Held, LEFT, Scene};

/// What happened, the file, and the test that shows what becomes of it.
const SHOWN: [(&str, &str, &str); 6] = [
    (
        "a retired integration whose token is still alive",
        include_str!("kill.rs"),
        "what_is_taken_out_of_the_configuration_is_kept_until_its_grant_is_proven_dead",
    ),
    (
        "a rotation that misses one credential that nobody uses",
        include_str!("kill.rs"),
        "a_sweep_is_open_until_every_credential_of_the_vendor_is_dead_or_another",
    ),
    (
        "two people fired at once with live sessions",
        include_str!("termination.rs"),
        "two_people_are_fired_at_once_with_live_sessions",
    ),
    (
        "an integration whose owner left",
        include_str!("reviews.rs"),
        "a_leaving_owner_is_followed_by_who_accepts_and_changes_the_credentials",
    ),
    (
        "an app of a test tenant that can grant rights",
        include_str!("../../core/tests/authority/computing.rs"),
        "a_partner_decides_what_it_does_by_itself",
    ),
    (
        "a backup vendor that holds our client secret",
        include_str!("kill.rs"),
        "a_sweep_is_open_until_every_credential_of_the_vendor_is_dead_or_another",
    ),
];

#[test]
fn each_is_shown() {
    for (what, file, test) in SHOWN {
        assert!(file.contains(&format!("fn {test}(")), "{what}: there is no `{test}`");
    }
}

#[tokio::test]
async fn an_app_that_somebody_consented_to_survives_their_new_password_and_not_their_leaving() {
    let mut scene = Scene::new(&[], &[Held::by("oauth-consents")]).await;
    // A new password ends the sessions, and nothing of what was let in before.
    scene.end_sessions().await;
    assert!(!scene.works("session") && scene.works("oauth-consents"));
    scene.leave().await;
    assert_eq!(scene.alive(), [""; 0]);
    assert_eq!(scene.verdict("oauth-consents").await, "removed");
    assert_eq!(scene.disagreements().await, [""; 0]);
}

#[tokio::test]
async fn a_signing_key_that_a_leaver_had_read_is_another_before_the_case_closes() {
    // The vault says who could read what; another key takes the place of each.
    let mut scene = Scene::new(&[], &[Held::by("known-secrets")]).await;
    assert!(scene.works("known-secrets"));
    scene.leave().await;
    assert!(!scene.works("known-secrets"), "who copied it can do nothing with it");
    assert_eq!((scene.verdict("known-secrets").await, scene.open().await), ("removed".into(), 0));
}

#[tokio::test]
async fn a_service_account_of_who_left_goes_on_under_somebody_else_with_another_secret() {
    let mut scene = Scene::new(&[Behaviour::OwnerInherits], &[Held::of("owned-nhis").passed()]).await;
    scene.deliver(LEFT).await;
    scene.world.quiet().await;
    assert!(!scene.works("owned-nhis"), "who knew its secret is shut out");
    let truth = scene.world.lab.truth("app").unwrap();
    let robot = truth.held.iter().find(|held| held.class == "owned-nhis").unwrap();
    assert_eq!(Some(&robot.holder), truth.user("bob@x.test").map(|bob| &bob.id));
    assert_eq!((scene.verdict("owned-nhis").await, scene.open().await), ("removed".into(), 0));
}
