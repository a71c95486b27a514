//! Leave, garden leave and legal hold (PRODUCT F36): judged by what people have on the systems, in truth.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    access::AccessClass, contract::StatusRule, integration::Role, record::Actor, system::OnLeave,
    time::SignedDuration, verify::Verdict,
};
use bailiwick_engine::Configuration;
use serde_json::json;
use world::World;

const BO: &str = "2,Bo,bo@x.test,Finance,,active,";

/// A source that says who is away and who is under legal hold. The chat deletes the accounts of leavers, the wiki keeps them
/// for a week.
fn declared(configuration: &mut Configuration) {
    configuration.systems.iter_mut().find(|s| s.name.as_str() == "chat").unwrap().on_leave = OnLeave::Delete;
    configuration.systems.iter_mut().find(|s| s.name.as_str() == "wiki").unwrap().retention_days = 7;
    let hr = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "hr").unwrap();
    hr.settings = json!({
        "file": "current.csv", "key": "id",
        "columns": {
            "email": "email", "display_name": "name", "department": "dept", "employment": "status", "legal_hold": "hold"
        },
        "types": { "legal_hold": "flag" },
        "end": "last_day",
        "status": "status", "active": ["active", "parental", "garden"], "terminated": ["left"]
    });
    let Role::Source { contract, .. } = &mut hr.role else { panic!("hr is a source") };
    let attribute = |kind: &str| serde_json::from_value(json!({ "type": kind })).unwrap();
    contract.attributes.insert("employment".into(), attribute("text"));
    contract.attributes.insert("legal_hold".into(), attribute("flag"));
    let status = StatusRule {
        attribute: "employment".into(),
        at_work: ["active".into()].into(),
        leave: ["parental".into()].into(),
        garden_leave: ["garden".into()].into(),
    };
    contract.status = Some(Box::new(status));
    // Who is away keeps the chat and loses what power there is in it: what a policy says of it.
    configuration.policies[0].text += r#"
@id("away") forbid(principal, action == Action::"hold", resource == Entitlement::"chat/engineering")
  when { principal has employment && principal.employment == "parental" };
"#;
}

struct Scene {
    world: World,
}

impl Scene {
    async fn new(seed: u64) -> Self {
        let mut world = World::new(seed, &[("chat", &[]), ("wiki", &[])]).await;
        world.header = "id,name,email,dept,last_day,status,hold";
        world.configure_with(declared).await;
        let mut scene = Self { world };
        scene.ann("", "active", "").await;
        assert_eq!(scene.state().await, ("active", true, true));
        scene
    }

    /// The source says this of Ann.
    async fn ann(&mut self, last_day: &str, status: &str, hold: &str) {
        self.world.pass(SignedDuration::from_secs(1));
        let ann = format!("1,Ann,ann@x.test,Engineering,{last_day},{status},{hold}");
        self.world.deliver(&[&ann, BO]).await.unwrap();
        self.world.quiet().await;
    }

    /// Ann's state, and whether she gets in at the chat and at the wiki.
    async fn state(&self) -> (&'static str, bool, bool) {
        let who = self.world.engine.find_identity("hr/1").await.unwrap().value;
        (
            who.lifecycle.name(),
            self.line("chat").contains("active=true"),
            self.line("wiki").contains("active=true"),
        )
    }

    fn line(&self, system: &str) -> String {
        self.world.truth().get(&format!("{system}/ann@x.test")).cloned().unwrap_or_default()
    }

    fn is_there(&self, system: &str) -> bool {
        !self.line(system).is_empty()
    }

    async fn verdict(&self, system: &str) -> Verdict {
        let is = |cell: &&bailiwick_core::case::Cell| {
            cell.system.as_str() == system && cell.class == AccessClass::PrimaryAccount
        };
        self.world.all_cells().await.iter().rfind(is).unwrap().verdict.clone()
    }

    async fn approve_deletion(&mut self) {
        let plans = self.world.drafted().await;
        assert_eq!(plans.len(), 1, "one plan waits for a person");
        let approver = self.world.operator("approver", None).await;
        self.world.engine.approve(plans[0].plan.id, plans[0].digest, &approver).await.unwrap();
        self.world.quiet().await;
    }

    async fn pass_days(&mut self, days: i64) {
        self.world.pass(SignedDuration::from_hours(24 * days));
        self.world.quiet_for(SignedDuration::from_hours(48)).await;
    }
}

#[tokio::test]
async fn who_is_away_holds_what_policies_give_to_who_is_away() {
    let mut scene = Scene::new(1).await;
    assert!(scene.line("chat").contains("Engineering"));
    scene.ann("", "parental", "").await;
    assert_eq!(scene.state().await, ("leave", true, true));
    assert!(!scene.line("chat").contains("Engineering") && scene.line("wiki").contains("Engineering"));
    assert_eq!(scene.world.cases().await.len(), 0, "who is away has not left");
    scene.ann("", "active", "").await;
    assert_eq!(scene.state().await, ("active", true, true));
    assert!(scene.line("chat").contains("Engineering"));
}

#[tokio::test]
async fn who_is_kept_out_holds_nothing_and_nothing_is_deleted_before_they_leave() {
    let mut scene = Scene::new(2).await;
    scene.ann("", "garden", "").await;
    assert_eq!(scene.state().await, ("garden-leave", false, false));
    assert!(scene.is_there("chat") && scene.is_there("wiki"));
    assert_eq!(scene.world.drafted().await.len(), 0, "nothing is to be deleted that somebody had to approve");
    let cases = scene.world.cases().await;
    assert_eq!((cases.len(), cases[0].closed.is_some()), (1, true), "it is proven");
    // Longer than accounts are kept: theirs are all the same.
    scene.pass_days(10).await;
    assert!(scene.is_there("chat") && scene.is_there("wiki"));
    assert_eq!(scene.world.drafted().await.len(), 0);
    // Then they leave, and what is deleted of leavers is.
    scene.ann("", "left", "").await;
    assert_eq!(scene.state().await.0, "left");
    scene.approve_deletion().await;
    assert!(!scene.is_there("chat"));
    assert_eq!(scene.verdict("chat").await, Verdict::Removed);
    assert_eq!((scene.world.cases().await.len(), scene.world.open_cases().await), (1, 0), "one departure");
}

#[tokio::test]
async fn garden_leave_ends_by_the_day_that_was_said_or_by_a_return() {
    let mut scene = Scene::new(3).await;
    let begin = scene.world.clock().to_string()[..10].to_owned();
    scene.ann("", "garden", "").await;
    scene.ann("", "active", "").await;
    assert_eq!(scene.state().await, ("active", true, true));
    scene.ann(&begin, "garden", "").await;
    assert_eq!(scene.state().await, ("garden-leave", false, false));
    scene.pass_days(2).await;
    assert_eq!(scene.state().await, ("left", false, false));
    assert_eq!(scene.world.drafted().await.len(), 1, "now the chat's account is to be deleted");
}

#[tokio::test]
async fn nothing_is_deleted_of_who_is_under_legal_hold_until_it_is_over() {
    let mut scene = Scene::new(4).await;
    scene.ann("", "active", "true").await;
    assert_eq!(scene.state().await, ("active", true, true), "a hold takes nothing and gives nothing");
    scene.ann("", "left", "true").await;
    assert_eq!(scene.state().await, ("left", false, false));
    scene.pass_days(10).await;
    assert!(scene.is_there("chat") && scene.is_there("wiki"));
    assert_eq!((scene.world.drafted().await.len(), scene.world.open_cases().await), (0, 0));
    let id = scene.world.engine.find_identity("hr/1").await.unwrap().value.id;
    let refused = scene.world.engine.erase(id, Actor::Operator("test".into())).await.unwrap_err();
    assert_eq!(refused.code(), "identity-preserved");
    // It is over: the one system deletes at once, the other when it is looked at again.
    scene.ann("", "left", "").await;
    scene.approve_deletion().await;
    assert!(!scene.is_there("chat") && scene.is_there("wiki"));
    // What overtakes that plan, that the other account is seen to be gone, puts it off and does not end it.
    scene.pass_days(2).await;
    scene.pass_days(1).await;
    scene.approve_deletion().await;
    assert!(!scene.is_there("wiki"));
    assert_eq!(scene.world.findings("diverged").await, [""; 0]);
    scene.world.engine.erase(id, Actor::Operator("test".into())).await.unwrap();
}
