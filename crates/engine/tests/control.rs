//! What stands in for seeing: accepted by somebody else, with an owner and an end.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    access::AccessClass,
    case::Case,
    control::Acceptance,
    id::{CaseId, SystemName},
    record::Actor,
    time::SignedDuration,
};
use bailiwick_store::entities::Operator;
use world::World;

const BOB: &str = "2,Bob Baker,bob@x.test,Finance,,active";
const CYD: &str = "3,Cyd Cole,cyd@x.test,Engineering,,active";

/// A world with a leaver, one class of whose access nothing can see.
async fn world(seed: u64) -> (World, CaseId) {
    let mut world = World::new(seed, &[("chat", &[])]).await;
    world
        .configure_with(|c| {
            c.systems[0].classes.insert(AccessClass::OauthConsents);
        })
        .await;
    world.quiet().await;
    world.deliver(&["1,Ann Archer,ann@x.test,Finance,,active", BOB, CYD]).await.unwrap();
    world.quiet().await;
    world.deliver(&["1,Ann Archer,ann@x.test,Finance,2026-01-01,left", BOB, CYD]).await.unwrap();
    world.quiet().await;
    assert_eq!(world.open_cases().await, 1);
    let cases: Vec<Case> = world.cases().await;
    (world, cases[0].id)
}

fn acceptance(until: &str) -> Acceptance {
    Acceptance {
        owner: "hr/2".into(),
        until: until.parse().unwrap(),
        reason: "Ann's consents are in the vendor's report".into(),
    }
}

async fn accept(world: &World, case: CaseId, until: &str, by: &Operator) -> Result<bool, &'static str> {
    let (chat, class) = (SystemName::new("chat").unwrap(), AccessClass::OauthConsents);
    let accepted = world.engine.accept_control(case, &chat, class, &acceptance(until), by).await;
    accepted.map(|(_, closed)| closed).map_err(|error| error.code())
}

async fn codes(world: &World) -> Vec<(String, String)> {
    world.engine.open_findings().await.unwrap().into_iter().map(|f| (f.code, f.owner)).collect()
}

#[tokio::test]
async fn a_case_closes_with_a_control_and_is_open_again_at_its_end() {
    let (mut world, case) = world(400).await;
    let day = |days: i64| {
        let at = world.clock().saturating_add(SignedDuration::from_hours(24 * days)).unwrap();
        at.to_string()[..10].to_owned()
    };
    let (soon, later, over) = (day(10), day(20), day(-1));
    let ann = world.operator("approver", Some("hr/1")).await;
    let owner = world.operator("approver", Some("hr/1")).await;
    let other = world.operator("approver", Some("hr/3")).await;
    // hr/1 both left and owns the integration.
    assert_eq!(accept(&world, case, &soon, &ann).await, Err("control-own-access"));
    assert_eq!(accept(&world, case, &soon, &owner).await, Err("control-own-access"));
    assert_eq!(accept(&world, case, &over, &other).await, Err("control-over"));
    assert_eq!(world.open_cases().await, 1);

    assert_eq!(accept(&world, case, &soon, &other).await, Ok(true));
    assert_eq!(world.open_cases().await, 0);
    assert!(world.record_kinds().await.contains("control-accepted"));
    // Reading back again changes nothing of it.
    world.pass(SignedDuration::from_hours(24 * 9));
    world.quiet().await;
    assert_eq!((world.open_cases().await, codes(&world).await.len()), (0, 0));
    world.pass(SignedDuration::from_hours(24 * 2));
    world.quiet().await;
    assert_eq!(world.open_cases().await, 1, "its end is the end of the closing");
    assert_eq!(codes(&world).await, [("control-lapsed".to_owned(), "hr/2".to_owned())]);

    assert_eq!(accept(&world, case, &later, &other).await, Ok(true));
    assert_eq!((world.open_cases().await, codes(&world).await.len()), (0, 0));
    let sequencer = world.sequencer();
    let report = world.engine.check_evidence(&sequencer, None).await.unwrap();
    assert_eq!(report.damage, None);
}

#[tokio::test]
async fn the_words_of_an_acceptance_are_erased_with_the_person() {
    let (world, case) = world(401).await;
    let by = world.operator("approver", Some("hr/3")).await;
    let until = world.clock().saturating_add(SignedDuration::from_hours(24 * 30)).unwrap();
    accept(&world, case, &until.to_string()[..10], &by).await.unwrap();
    let told = async |world: &World| format!("{:?}", world.all_cells().await);
    assert!(told(&world).await.contains("Ann's consents"));
    let identity = world.cases().await[0].identity;
    world.engine.erase(identity, Actor::Operator("test".into())).await.unwrap();
    assert!(!told(&world).await.contains("Ann's consents") && told(&world).await.contains("(erased)"));
    assert_eq!(world.open_cases().await, 0);
}
