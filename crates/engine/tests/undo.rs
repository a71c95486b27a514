//! Undoing what plans did: judged by what people hold on the system, in truth.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    id::{BatchId, PlanId, SystemName},
    integration::Role,
    policy::PolicyFile,
    time::SignedDuration,
    undo::Fate,
};
use bailiwick_engine::{UndoRequest, Undone};
use bailiwick_store::entities::Operator;
use serde_json::json;
use world::{Phone, World};

const ANN: &str = "1,Ann,ann@x.test,Engineering,,active";
const ANN_MOVED: &str = "1,Ann,ann@x.test,Finance,,active";
const BO: &str = "2,Bo,bo@x.test,Finance,,active";
const CY: &str = "3,Cy,cy@x.test,Finance,,active";
const DEE: &str = "4,Dee,dee@x.test,Admins,,active";
const EVE: &str = "5,Eve,eve@x.test,Engineering,,active";

/// Admins administer the chat, and the rules approve whatever may be approved by a rule.
const POWER: &str = r#"
@id("chat-admins") permit(principal, action == Action::"hold", resource == Entitlement::"chat/admins")
  when { principal.department == "Admins" };
@id("rule-all") permit(principal is Rule, action == Action::"approve", resource);
"#;

/// Who is in finance may not be in engineering.
const DUTIES: &str = r#"
@id("not-both")
forbid (principal, action == Action::"hold", resource == Entitlement::"chat/engineering")
when { context.holding.contains("chat/finance") };
"#;

struct Scene {
    world: World,
    asker: Operator,
    approver: Operator,
    phone: Phone,
}

impl Scene {
    async fn new(seed: u64, more: &str, people: &[&str]) -> Self {
        let mut world = World::new(seed, &[("chat", &[])]).await;
        world
            .configure_with(|c| {
                c.policies.push(PolicyFile { path: "more.cedar".into(), text: more.to_owned() });
                let hr = c.integrations.iter_mut().find(|i| i.name.as_str() == "hr").unwrap();
                let Role::Source { contract, .. } = &mut hr.role else { panic!("hr is a source") };
                contract.always_allowed = 10;
            })
            .await;
        world.deliver(people).await.unwrap();
        world.quiet().await;
        let (asker, approver, phone) = world.asker_and_approver().await;
        Self { world, asker, approver, phone }
    }

    /// A delivery, and all that follows; gives it.
    async fn deliver(&mut self, people: &[&str]) -> BatchId {
        self.world.pass(SignedDuration::from_secs(1));
        let batch = self.world.deliver(people).await.unwrap().batch;
        self.world.quiet().await;
        batch
    }

    /// The last plan of a cause.
    async fn plan(&self, cause: &str) -> PlanId {
        let plans = self.world.plans().await;
        plans.into_iter().rfind(|row| row.plan.cause == cause).unwrap().plan.id
    }

    fn request(&self, plans: &[PlanId], batch: Option<BatchId>) -> UndoRequest {
        let (plans, reason) = (plans.iter().copied().collect(), "the feed was wrong".into());
        UndoRequest { plans, batch, minutes: 120, reason }
    }

    async fn undo(&self, plan: PlanId) -> Result<Undone, &'static str> {
        let done = self.world.engine.undo(self.request(&[plan], None), &self.asker).await;
        done.map(|mut all| all.pop().unwrap()).map_err(|error| error.code())
    }

    async fn approve(&self, plan: PlanId, by: &Operator) -> Result<(), &'static str> {
        let row = self.world.plans().await.into_iter().find(|row| row.plan.id == plan).unwrap();
        self.world.pass(SignedDuration::from_secs(30));
        let code = self.phone.code(self.world.engine.now());
        let done = self.world.engine.approve_with(plan, row.digest, by, Some(&code)).await;
        done.map(drop).map_err(|error| error.code())
    }

    async fn settle(&mut self) {
        self.world.quiet_before(SignedDuration::from_mins(2)).await;
    }

    /// The groups of somebody, in truth.
    fn is_in(&self, who: &str, group: &str) -> bool {
        self.world.truth()[&format!("chat/{who}@x.test")].contains(group)
    }
}

/// What becomes of the change that is about something.
fn fate<'u>(undone: &'u Undone, did: &str) -> &'u Fate {
    &undone.lines.iter().find(|line| line.did == did).unwrap_or_else(|| panic!("{did}: {undone:?}")).fate
}

#[tokio::test]
async fn what_a_move_took_comes_back_by_two_people_and_until_an_end() {
    let mut scene = Scene::new(1, "", &[ANN, BO, CY]).await;
    scene.deliver(&[ANN_MOVED, BO, CY]).await;
    assert!(!scene.is_in("ann", "Engineering") && scene.is_in("ann", "Finance"));
    let moved = scene.plan("mover").await;
    let kept = scene.world.plans().await.into_iter().find(|row| row.plan.id == moved).unwrap().plan.before;
    let held: Vec<&str> =
        kept.values().flat_map(|state| state.entitlements.iter().map(|name| name.as_str())).collect();
    assert!(held.contains(&"chat/engineering") && !held.contains(&"chat/finance"), "{held:?}");

    let undone = scene.undo(moved).await.unwrap();
    assert_eq!(fate(&undone, "revoke chat/engineering"), &Fate::Back);
    assert!(matches!(fate(&undone, "grant chat/finance"), Fate::Given { .. }), "{undone:?}");
    let (_, plan) = undone.asked.unwrap();
    scene.settle().await;
    assert!(!scene.is_in("ann", "Engineering"), "nothing before a second person");
    assert_eq!(scene.approve(plan, &scene.asker).await, Err("approval-by-requester"));
    assert_eq!(scene.undo(moved).await.map(drop), Err("access-asked-already"));
    scene.approve(plan, &scene.approver).await.unwrap();
    scene.settle().await;
    assert!(scene.is_in("ann", "Engineering") && scene.is_in("ann", "Finance"));
    assert_eq!(scene.undo(plan).await.map(drop), Err("undo-of-exception"));

    // Its end comes by itself. The end can be undone as well; the move cannot, because the end came after it.
    scene.world.pass(SignedDuration::from_mins(121));
    scene.settle().await;
    assert!(!scene.is_in("ann", "Engineering") && scene.is_in("ann", "Finance"));
    let end = scene.plan("exception-end").await;
    let again = scene.undo(moved).await.unwrap();
    assert_eq!(fate(&again, "revoke chat/engineering"), &Fate::Later { plan: end });
    assert_eq!(again.asked, None);
    let (_, plan) = scene.undo(end).await.unwrap().asked.unwrap();
    scene.approve(plan, &scene.approver).await.unwrap();
    scene.settle().await;
    assert!(scene.is_in("ann", "Engineering"));
}

#[tokio::test]
async fn a_forbid_wins_and_nothing_is_written() {
    let mut scene = Scene::new(2, DUTIES, &[ANN, BO, CY]).await;
    scene.deliver(&[ANN_MOVED, BO, CY]).await;
    let before = scene.world.plans().await.len();
    let undone = scene.undo(scene.plan("mover").await).await.unwrap();
    assert!(matches!(fate(&undone, "revoke chat/engineering"), Fate::Forbidden { .. }), "{undone:?}");
    assert_eq!((undone.asked, scene.world.plans().await.len()), (None, before));
    assert!(scene.world.engine.exceptions().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_somebody_did_since_is_shown_and_left_alone() {
    let mut scene = Scene::new(3, "", &[ANN, BO, CY]).await;
    scene.deliver(&[ANN_MOVED, BO, CY]).await;
    let moved = scene.plan("mover").await;
    scene.world.behind("chat", json!({ "groups": [{ "name": "Admins", "members": ["ann@x.test"] }] }));
    scene.world.pass(SignedDuration::from_secs(60));
    scene.world.engine.reconcile(&SystemName::new("chat").unwrap(), false).await.unwrap();
    let undone = scene.undo(moved).await.unwrap();
    assert_eq!(fate(&undone, "revoke chat/engineering"), &Fate::Touched);
    assert_eq!(undone.asked, None);
    assert!(scene.is_in("ann", "Admins") && !scene.is_in("ann", "Engineering"));
}

#[tokio::test]
async fn a_whole_delivery_is_undone_without_power_and_without_raising_the_dead() {
    let mut scene = Scene::new(4, POWER, &[ANN, BO, CY, DEE, EVE]).await;
    assert!(scene.is_in("dee", "Admins") && scene.is_in("eve", "Engineering"));
    let batch = scene
        .deliver(&[
            ANN_MOVED,
            BO,
            CY,
            "4,Dee,dee@x.test,Finance,,active",
            "5,Eve,eve@x.test,Engineering,,left",
        ])
        .await;
    let all = scene.world.engine.undo(scene.request(&[], Some(batch)), &scene.asker).await.unwrap();
    assert_eq!(all.len(), 3, "{all:?}");
    let power = all.iter().find(|u| u.lines.iter().any(|line| line.did == "revoke chat/admins")).unwrap();
    assert_eq!((fate(power, "revoke chat/admins"), power.asked), (&Fate::Power, None));
    let refused: Vec<&str> = all.iter().filter_map(|u| u.refused.as_ref()).map(|(code, _)| *code).collect();
    assert_eq!(refused, ["undo-of-leaver"]);
    let asked: Vec<PlanId> = all.iter().filter_map(|u| u.asked).map(|(_, plan)| plan).collect();
    assert_eq!(asked.len(), 1, "{all:?}");
    scene.approve(asked[0], &scene.approver).await.unwrap();
    scene.settle().await;
    assert!(scene.is_in("ann", "Engineering") && !scene.is_in("dee", "Admins"));
    assert!(scene.is_in("eve", "active=false") && !scene.is_in("eve", "Engineering"));

    // By itself, the one who held power is asked for, for a day at most.
    let dee = scene.undo(power.of).await.unwrap();
    let (_, plan) = dee.asked.unwrap();
    scene.approve(plan, &scene.approver).await.unwrap();
    scene.settle().await;
    assert!(scene.is_in("dee", "Admins"));
}

#[tokio::test]
async fn what_was_not_done_gave_something_or_ended_somebody_is_refused() {
    let mut scene = Scene::new(5, "", &[ANN, BO, CY]).await;
    let nothing = scene.world.engine.undo(scene.request(&[], None), &scene.asker).await;
    assert_eq!(nothing.unwrap_err().code(), "undo-nothing");
    assert_eq!(scene.undo(PlanId::from_bytes([9; 16])).await.map(drop), Err("not-found"));
    // What a joiner was given stays as long as policies give it.
    let joined = scene.undo(scene.plan("joiner").await).await.unwrap();
    assert_eq!(joined.asked, None);
    assert!(joined.lines.iter().all(|line| line.fate != Fate::Back), "{joined:?}");
    scene.world.deliver(&[ANN_MOVED, BO, CY]).await.unwrap();
    let moved = scene.plan("mover").await;
    assert_eq!(scene.undo(moved).await.map(drop), Err("undo-under-way"));
    scene.world.quiet().await;
    scene.deliver(&["1,Ann,ann@x.test,Finance,,left", BO, CY]).await;
    assert_eq!(scene.undo(scene.plan("leaver").await).await.map(drop), Err("undo-of-leaver"));
    // Nor does the way round by what they held before bring anything back to who left.
    let undone = scene.undo(moved).await;
    assert!(!matches!(&undone, Ok(undone) if undone.asked.is_some()), "{undone:?}");
    assert!(scene.is_in("ann", "active=false") && !scene.is_in("ann", "Engineering"));
}
