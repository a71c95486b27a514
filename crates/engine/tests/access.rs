//! Access for a time that no policy gives: judged by what people hold on the system, in truth.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    exception::{Exception, ExceptionState},
    id::{EntitlementName, PlanId},
    policy::PolicyFile,
    time::SignedDuration,
};
use bailiwick_engine::AccessRequest;
use bailiwick_store::entities::Operator;
use world::{Phone, World};

const ANN: &str = "1,Ann,ann@x.test,Engineering,,active";
const BO: &str = "2,Bo,bo@x.test,Finance,,active";
const CY: &str = "3,Cy,cy@x.test,Finance,,active";

/// Engineering and finance at once are forbidden to whoever is Bo, and whoever holds one may not get the other.
const DUTIES: &str = r#"
@id("not-both")
forbid (principal, action == Action::"hold", resource == Entitlement::"chat/finance")
when { context.holding.contains("chat/engineering") };
@id("nobody-holds-admins")
forbid (principal, action == Action::"hold", resource == Entitlement::"chat/admins")
when { principal.department == "Finance" };
"#;

struct Scene {
    world: World,
    asker: Operator,
    approver: Operator,
    /// The approver's device.
    phone: Phone,
}

impl Scene {
    async fn new(seed: u64, duties: &str) -> Self {
        let mut world = World::new(seed, &[("chat", &[])]).await;
        world
            .configure_with(|c| {
                c.policies.push(PolicyFile { path: "duties.cedar".into(), text: duties.to_owned() });
            })
            .await;
        world.deliver(&[ANN, BO, CY]).await.unwrap();
        world.quiet().await;
        let (asker, approver, phone) = world.asker_and_approver().await;
        Self { world, asker, approver, phone }
    }

    async fn ask(
        &self,
        who: &str,
        what: &str,
        minutes: u32,
        by: &Operator,
    ) -> Result<(Exception, PlanId), &'static str> {
        let request = AccessRequest {
            identity: who.into(),
            entitlements: what.split(' ').map(|name| EntitlementName::new(name).unwrap()).collect(),
            minutes,
            reason: "hands over".into(),
        };
        self.world.engine.ask_access(request, by).await.map_err(|error| error.code())
    }

    async fn approve(&self, plan: PlanId, by: &Operator) -> Result<(), &'static str> {
        let row = self.world.plans().await.into_iter().find(|row| row.plan.id == plan).unwrap();
        self.world.pass(SignedDuration::from_secs(30));
        let code = self.phone.code(self.world.engine.now());
        let done = self.world.engine.approve_with(plan, row.digest, by, Some(&code)).await;
        done.map(drop).map_err(|error| error.code())
    }

    /// Whether somebody is in a group, in truth.
    fn in_group(&self, who: &str, group: &str) -> bool {
        self.world.truth()[&format!("chat/{who}@x.test")].contains(group)
    }

    async fn state(&self) -> ExceptionState {
        self.world.engine.exceptions().await.unwrap().pop().unwrap().state
    }

    async fn settle(&mut self) {
        self.world.quiet_before(SignedDuration::from_mins(2)).await;
    }
}

#[tokio::test]
async fn it_takes_two_people_and_ends_by_itself_though_the_hub_died() {
    let mut scene = Scene::new(1, "").await;
    let (_, plan) = scene.ask("hr/1", "chat/finance", 120, &scene.asker).await.unwrap();
    scene.settle().await;
    assert!(!scene.in_group("ann", "Finance"), "nothing before a second person");
    assert_eq!(scene.approve(plan, &scene.asker).await, Err("approval-by-requester"));
    scene.approve(plan, &scene.approver).await.unwrap();
    scene.settle().await;
    assert!(scene.in_group("ann", "Finance") && scene.in_group("ann", "Engineering"));
    scene.world.restart();
    scene.world.pass(SignedDuration::from_mins(121));
    scene.settle().await;
    assert!(!scene.in_group("ann", "Finance") && scene.in_group("ann", "Engineering"));
    assert!(matches!(scene.state().await, ExceptionState::Ended { .. }), "{:?}", scene.state().await);
}

#[tokio::test]
async fn what_is_kept_beyond_a_move_stays_until_its_end() {
    let mut scene = Scene::new(2, "").await;
    // She holds it by policy now, so the approval changes nothing on the system.
    let (_, plan) = scene.ask("hr/1", "chat/engineering", 14 * 24 * 60, &scene.asker).await.unwrap();
    scene.approve(plan, &scene.approver).await.unwrap();
    scene.settle().await;
    scene.world.deliver(&[&ANN.replace("Engineering", "Finance"), BO, CY]).await.unwrap();
    scene.world.quiet().await;
    assert!(scene.in_group("ann", "Finance") && scene.in_group("ann", "Engineering"));
    scene.world.pass(SignedDuration::from_hours(14 * 24 + 1));
    scene.settle().await;
    assert!(scene.in_group("ann", "Finance") && !scene.in_group("ann", "Engineering"));
    assert!(matches!(scene.state().await, ExceptionState::Ended { .. }));
}

#[tokio::test]
async fn one_person_ends_it_before_its_time() {
    let mut scene = Scene::new(3, "").await;
    let (exception, plan) = scene.ask("hr/1", "chat/finance", 240, &scene.asker).await.unwrap();
    let id = exception.terms.exception;
    let early = scene.world.engine.end_exception(id, &scene.asker).await;
    assert_eq!(early.unwrap_err().code(), "access-not-open");
    scene.approve(plan, &scene.approver).await.unwrap();
    scene.settle().await;
    assert!(scene.in_group("ann", "Finance"));
    scene.world.engine.end_exception(id, &scene.asker).await.unwrap();
    scene.settle().await;
    assert!(!scene.in_group("ann", "Finance"));
    assert!(matches!(scene.state().await, ExceptionState::Ended { .. }), "{:?}", scene.state().await);
    let again = scene.world.engine.end_exception(id, &scene.asker).await;
    assert_eq!(again.unwrap_err().code(), "access-not-open");
}

#[tokio::test]
async fn what_is_forbidden_too_long_or_for_nobody_is_refused() {
    let scene = Scene::new(5, DUTIES).await;
    let asked = async |who, what, minutes| scene.ask(who, what, minutes, &scene.asker).await.map(drop);
    // Nobody gives it to her by a policy, and what she holds forbids it all the same.
    assert_eq!(asked("hr/1", "chat/finance", 60).await, Err("access-forbidden"));
    // No policy gives it to anybody.
    assert_eq!(asked("hr/2", "chat/admins", 60).await, Err("access-forbidden"));
    assert_eq!(asked("hr/1", "chat/admins", 24 * 60 + 1).await, Err("access-too-long"));
    assert_eq!(asked("hr/2", "chat/engineering", 91 * 24 * 60).await, Err("access-too-long"));
    assert_eq!(asked("hr/2", "chat/engineering", 0).await, Err("access-too-long"));
    assert_eq!(asked("hr/1", "chat/none", 60).await, Err("not-found"));
    assert_eq!(asked("hr/9", "chat/admins", 60).await, Err("not-found"));
    // Who gets it does not approve it.
    let (_, plan) = scene.ask("hr/3", "chat/engineering", 60, &scene.asker).await.unwrap();
    assert_eq!(scene.approve(plan, &scene.approver).await, Err("approval-by-beneficiary"));
    assert_eq!(asked("hr/3", "chat/engineering", 60).await, Err("access-asked-already"));
}

#[tokio::test]
async fn who_leaves_keeps_nothing_of_it() {
    let mut scene = Scene::new(6, "").await;
    let (_, plan) = scene.ask("hr/1", "chat/finance", 240, &scene.asker).await.unwrap();
    scene.approve(plan, &scene.approver).await.unwrap();
    scene.settle().await;
    assert!(scene.in_group("ann", "Finance"));
    scene.world.deliver(&["1,Ann,ann@x.test,Engineering,,left", BO, CY]).await.unwrap();
    scene.world.quiet().await;
    assert!(
        !scene.in_group("ann", "Finance") && scene.world.truth()["chat/ann@x.test"].contains("active=false")
    );
    let asked = scene.ask("hr/1", "chat/finance", 60, &scene.asker).await;
    assert_eq!(asked.map(drop), Err("identity-not-active"));
}
