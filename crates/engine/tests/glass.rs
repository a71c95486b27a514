//! Breaking the glass: two people, a code of the moment, an end that comes and is proven, a review.
//!
//! Judged by the truth of the simulated system: what somebody holds there, not what the hub says.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "world/mod.rs"]
mod world;

use std::collections::BTreeSet;

use bailiwick_core::{
    exception::{Exception, ExceptionState, Given, GlassCase},
    gate::Gate,
    id::{ApprovalId, EntitlementName, ExceptionId, GlassName, IntegrationName, PlanId, Tenant},
    person::Ties,
    record::{Actor, Record, RecordKind},
    time::SignedDuration,
};
use bailiwick_engine::{EngineError, GlassRequest};
use bailiwick_store::{Update, entities::Operator};
use world::{Phone, World};

const PEOPLE: [&str; 6] = [
    "1,Ann,ann@x.test,Engineering,,active",
    "2,Bo,bo@x.test,Finance,,active",
    "3,Cy,cy@x.test,Finance,,active",
    "4,Di,di@x.test,Finance,,active",
    "5,Ed,ed@x.test,Finance,,active",
    "6,Fi,fi@x.test,Finance,,active",
];

/// Somebody who works with the hub, and their device.
struct Somebody {
    operator: Operator,
    phone: Phone,
}

struct Scene {
    world: World,
    /// Asks; `hr/3`.
    asker: Operator,
    /// Approves; `hr/4`.
    approver: Somebody,
}

fn outage() -> GlassCase {
    GlassCase {
        name: GlassName::new("outage").unwrap(),
        purpose: "chat is down".into(),
        entitlements: [EntitlementName::new("chat/admins").unwrap()].into(),
        longest_minutes: 60,
    }
}

async fn enrolled(world: &World, name: &str, person: &str) -> Somebody {
    let operator = world.operator_with(name, &["break-glass-approver"], Some(person), 365).await;
    let address = world.engine.enrol(name, &operator, None).await.unwrap();
    Somebody { phone: Phone::reads(address.address()), operator }
}

impl Scene {
    async fn new(seed: u64) -> Self {
        let mut world = World::new(seed, &[("chat", &[])]).await;
        world
            .configure_with(|c| {
                c.glass_cases = vec![outage()];
                let (also, delegates) = (["hr/91".to_owned()].into(), ["hr/5".to_owned()].into());
                c.ties = vec![Ties { person: "hr/1".into(), also, delegates }];
            })
            .await;
        world.deliver(&PEOPLE).await.unwrap();
        world.quiet_before(SignedDuration::from_mins(2)).await;
        let asker = world.operator_with("asker", &["operator"], Some("hr/3"), 365).await;
        let approver = enrolled(&world, "approver", "hr/4").await;
        let scene = Self { world, asker, approver };
        assert!(!scene.holds());
        scene
    }

    async fn open(&self) -> Result<(Exception, PlanId), &'static str> {
        let request = GlassRequest {
            case: outage().name,
            identity: "hr/1".into(),
            minutes: 30,
            reason: "nobody can sign in".into(),
        };
        self.world.engine.open_glass(request, &self.asker).await.map_err(|e| e.code())
    }

    async fn approve(&self, plan: PlanId, by: &Operator, code: Option<&str>) -> Result<(), &'static str> {
        let row = self.world.plans().await.into_iter().find(|row| row.plan.id == plan).unwrap();
        let outcome = self.world.engine.approve_with(plan, row.digest, by, code).await;
        outcome.map(drop).map_err(|error| error.code())
    }

    /// Approves with the next code of the approver.
    async fn give(&self, plan: PlanId) -> Result<(), &'static str> {
        self.world.pass(SignedDuration::from_secs(30));
        let code = self.approver.phone.code(self.world.engine.now());
        self.approve(plan, &self.approver.operator, Some(&code)).await
    }

    /// Whether Ann is an administrator of the system, in truth.
    fn holds(&self) -> bool {
        self.world.truth()["chat/ann@x.test"].contains("Admins")
    }

    async fn state(&self) -> ExceptionState {
        self.world.engine.exceptions().await.unwrap().pop().unwrap().state
    }

    async fn codes(&self) -> BTreeSet<String> {
        self.world.engine.open_findings().await.unwrap().into_iter().map(|f| f.code).collect()
    }

    async fn review(&self, id: ExceptionId, by: &Operator) -> Result<(), &'static str> {
        self.world.engine.review_exception(id, "looked", by).await.map(drop).map_err(|e| e.code())
    }

    async fn settle(&mut self) {
        self.world.quiet_before(SignedDuration::from_mins(2)).await;
    }

    /// The glass is broken for 30 minutes.
    async fn broken(seed: u64) -> (Self, ExceptionId) {
        let mut scene = Self::new(seed).await;
        let (exception, plan) = scene.open().await.unwrap();
        scene.settle().await;
        assert!(!scene.holds(), "nothing before a second person");
        scene.give(plan).await.unwrap();
        scene.settle().await;
        assert!(scene.holds(), "{:?}", scene.world.truth());
        (scene, exception.terms.exception)
    }
}

#[tokio::test]
async fn it_takes_two_people_ends_by_itself_and_is_reviewed_by_a_third() {
    let (mut scene, id) = Scene::broken(1).await;
    assert!(scene.codes().await.contains("break-glass-review"));

    // What is decided meanwhile leaves it.
    let mut people = PEOPLE;
    people[0] = "1,Anna,ann@x.test,Finance,,active";
    scene.world.deliver(&people).await.unwrap();
    scene.settle().await;
    let truth = scene.world.truth()["chat/ann@x.test"].clone();
    assert!(truth.contains("Anna") && truth.contains("Finance") && scene.holds(), "{truth}");

    let third = scene.world.operator_with("third", &["auditor"], Some("hr/6"), 365).await;
    assert_eq!(scene.review(id, &third).await, Err("break-glass-running"));
    // The process dies, and nothing in memory knows of the end any more.
    scene.world.restart();
    scene.world.pass(SignedDuration::from_mins(31));
    scene.settle().await;
    assert!(!scene.holds(), "{:?}", scene.world.truth());
    assert!(scene.world.truth()["chat/ann@x.test"].contains("Finance"));
    assert!(matches!(scene.state().await, ExceptionState::Ended { .. }), "{:?}", scene.state().await);
    assert!(!scene.codes().await.contains("access-not-ended"));

    let delegate = scene.world.operator_with("delegate", &["auditor"], Some("hr/5"), 365).await;
    let beneficiary = scene.world.operator_with("beneficiary", &["auditor"], Some("hr/91"), 365).await;
    let asker_again = scene.world.operator_with("asker-again", &["auditor"], Some("hr/3"), 365).await;
    let unknown = scene.world.operator_with("unknown", &["auditor"], None, 365).await;
    for by in [&scene.asker, &scene.approver.operator, &delegate, &beneficiary, &asker_again] {
        assert_eq!(scene.review(id, by).await, Err("review-by-involved"), "{}", by.name);
    }
    assert_eq!(scene.review(id, &unknown).await, Err("reviewer-unknown"));
    assert!(scene.codes().await.contains("break-glass-review"));
    scene.review(id, &third).await.unwrap();
    assert!(!scene.codes().await.contains("break-glass-review"));
    let kinds = scene.world.record_kinds().await;
    for kind in ["exception-asked", "exception-given", "exception-ended", "exception-reviewed", "proved"] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
}

#[tokio::test]
async fn it_ends_wherever_the_process_dies_at_the_end() {
    for point in [1, 2, 3, 5, 8, 11, 15, 20] {
        let (mut scene, _) = Scene::broken(100 + point).await;
        scene.world.pass(SignedDuration::from_mins(31));
        scene.world.faults.die_at(point);
        scene.settle().await;
        scene.world.pass(SignedDuration::from_mins(2));
        scene.settle().await;
        assert!(!scene.holds(), "died at {point}");
        assert!(matches!(scene.state().await, ExceptionState::Ended { .. }), "died at {point}");
    }
}

#[tokio::test]
async fn an_end_that_does_not_come_in_truth_is_told() {
    let (mut scene, _) = Scene::broken(2).await;
    let chat = IntegrationName::new("chat").unwrap();
    // Nothing is written any more, so what was given cannot be taken.
    scene.world.engine.withdraw(&chat, &[Gate::IdentityAuthorityApproved], &scene.asker).await.unwrap();
    scene.world.pass(SignedDuration::from_mins(31));
    scene.settle().await;
    scene.world.pass(SignedDuration::from_mins(10));
    scene.settle().await;
    assert!(scene.holds());
    assert!(matches!(scene.state().await, ExceptionState::Ending(_)), "{:?}", scene.state().await);
    assert!(scene.codes().await.contains("access-not-ended"), "{:?}", scene.codes().await);
}

#[tokio::test]
async fn nobody_approves_what_they_asked_for_or_get() {
    let scene = Scene::new(3).await;
    let (_, plan) = scene.open().await.unwrap();
    for (name, person, expect) in [
        ("asker-again", "hr/3", "approval-by-requester"),
        ("beneficiary", "hr/1", "approval-by-beneficiary"),
        ("second-account", "hr/91", "approval-by-beneficiary"),
        ("delegate", "hr/5", "approval-by-delegate"),
    ] {
        let by = enrolled(&scene.world, name, person).await;
        let code = by.phone.code(scene.world.engine.now());
        assert_eq!(scene.approve(plan, &by.operator, Some(&code)).await, Err(expect), "{name}");
    }
    assert_eq!(scene.open().await.map(drop), Err("access-asked-already"));
    assert!(!scene.holds());
}

#[tokio::test]
async fn a_code_is_of_its_operator_of_the_moment_and_counts_once() {
    let mut scene = Scene::new(4).await;
    let (_, plan) = scene.open().await.unwrap();
    let by = &scene.approver.operator;
    let bare = scene.world.operator_with("bare", &["break-glass-approver"], Some("hr/6"), 365).await;
    let now = || scene.world.engine.now();
    assert_eq!(scene.approve(plan, by, None).await, Err("step-up-needed"));
    assert_eq!(scene.approve(plan, &bare, Some("123456")).await, Err("step-up-not-enrolled"));
    let other = enrolled(&scene.world, "other", "hr/6").await;
    let stranger = other.phone.code(now());
    assert_eq!(scene.approve(plan, by, Some(&stranger)).await, Err("step-up-wrong"));
    // A code that was right is used up, also when the approval is refused for another reason.
    let code = scene.approver.phone.code(now());
    let outcome =
        scene.world.engine.approve_with(plan, bailiwick_core::digest::Digest::of(b""), by, Some(&code));
    let outcome = outcome.await.map(drop).map_err(|e| e.code());
    assert_eq!(outcome, Err("approval-digest-mismatch"));
    assert_eq!(scene.approve(plan, by, Some(&code)).await, Err("step-up-wrong"));
    let old = scene.approver.phone.code(now());
    scene.world.pass(SignedDuration::from_secs(90));
    assert_eq!(scene.approve(plan, by, Some(&old)).await, Err("step-up-wrong"));
    assert!(!scene.codes().await.contains("step-up-guessed"));
    assert_eq!(scene.approve(plan, by, Some("000000")).await, Err("step-up-wrong"));
    assert!(scene.codes().await.contains("step-up-guessed"));
    let right = scene.approver.phone.code(now());
    assert_eq!(scene.approve(plan, by, Some(&right)).await, Err("step-up-slowed"));
    scene.give(plan).await.unwrap();
    assert!(!scene.codes().await.contains("step-up-guessed"));
    scene.settle().await;
    assert!(scene.holds());
}

#[tokio::test]
async fn a_factor_is_replaced_only_by_somebody_who_proves_who_they_are() {
    let scene = Scene::new(5).await;
    let admin = enrolled(&scene.world, "admin", "hr/6").await;
    let enrol = |code: Option<String>| {
        let (engine, by) = (scene.world.engine.clone(), admin.operator.clone());
        async move { engine.enrol("approver", &by, code.as_deref()).await.map_err(|e: EngineError| e.code()) }
    };
    assert_eq!(enrol(None).await.err(), Some("step-up-needed"));
    let code = admin.phone.code(scene.world.engine.now());
    let address = enrol(Some(code)).await.unwrap();
    let (_, plan) = scene.open().await.unwrap();
    assert_eq!(scene.give(plan).await, Err("step-up-wrong"));
    let phone = Phone::reads(address.address());
    let code = phone.code(scene.world.engine.now());
    scene.approve(plan, &scene.approver.operator, Some(&code)).await.unwrap();
}

#[tokio::test]
async fn what_nobody_approves_lapses() {
    let mut scene = Scene::new(6).await;
    let (_, plan) = scene.open().await.unwrap();
    scene.world.pass(SignedDuration::from_mins(61));
    scene.settle().await;
    assert!(matches!(scene.state().await, ExceptionState::Lapsed { .. }), "{:?}", scene.state().await);
    assert_eq!(scene.give(plan).await, Err("plan-superseded"));
    assert!(!scene.holds());
    scene.open().await.unwrap();
}

#[tokio::test]
async fn an_exception_put_into_the_database_by_hand_gives_nothing() {
    let mut scene = Scene::new(7).await;
    let (exception, plan) = scene.open().await.unwrap();
    let now = scene.world.engine.now();
    let given = Given {
        approval: ApprovalId::new(now, &*scene.world.dice),
        approver: scene.approver.operator.id,
        from: now,
        until: exception.terms.until(now),
    };
    let forged = Exception { state: ExceptionState::Given(given), ..exception };
    let record =
        Record::new(RecordKind::ExceptionGiven, now, Actor::Hub("nobody".into()), &*scene.world.dice);
    let mut tx = scene.world.store.begin().await.unwrap();
    let update = Update::new(record).replace(&forged, 1, &*scene.world.dice);
    tx.write(&Tenant::single(), vec![update], &*scene.world.dice).await.unwrap();
    tx.commit().await.unwrap();
    let mut people = PEOPLE;
    people[0] = "1,Anna,ann@x.test,Engineering,,active";
    scene.world.deliver(&people).await.unwrap();
    scene.settle().await;
    assert!(scene.world.truth()["chat/ann@x.test"].contains("Anna"));
    assert!(!scene.holds(), "{:?}", scene.world.truth());
    assert_eq!(scene.give(plan).await, Err("plan-superseded"));
}

#[tokio::test]
async fn no_case_reaches_the_hub_itself() {
    let scene = Scene::new(8).await;
    let mut configuration = scene.world.configuration();
    let mut case = outage();
    case.entitlements = [EntitlementName::new("bailiwick/identity-authority-approved").unwrap()].into();
    configuration.glass_cases = vec![case];
    let refused = scene.world.engine.configuration_change(&configuration).await.unwrap_err();
    assert_eq!(refused.code(), "configuration");
    assert!(refused.to_string().contains("out of its reach"), "{refused}");
}
