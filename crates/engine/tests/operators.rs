//! Who may approve is as much as what is approved: adding an operator takes two once there are two.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::BTreeSet;

use bailiwick_core::{
    digest::Digest,
    id::{OperatorId, PlanId},
    record::{Actor, Record, RecordKind},
    time::SignedDuration,
};
use bailiwick_engine::OperatorAsked;
use bailiwick_store::{Update, entities::Operator};
use world::{Phone, World};

const PEOPLE: [&str; 3] =
    ["3,Cy,cy@x.test,Finance,,active", "4,Di,di@x.test,Finance,,active", "5,Ed,ed@x.test,Finance,,active"];

fn roles(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(ToString::to_string).collect()
}

/// A hub with two administrators who have a second factor.
struct Scene {
    world: World,
    first: Operator,
    second: Operator,
    phone: Phone,
}

impl Scene {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed, &[("chat", &[])]).await;
        world.configure().await;
        world.deliver(&PEOPLE).await.unwrap();
        let by = || Actor::Hub("init".into());
        let (first, _) = world
            .engine
            .add_operator("first", roles(&["admin"]), Some("hr/3".into()), 90, by())
            .await
            .unwrap();
        let asked = world.engine.ask_operator("second", (roles(&["admin"]), Some("hr/4".into())), 90, &first);
        let OperatorAsked::Added(second, _) = asked.await.unwrap() else { panic!("the second one waits") };
        let address = world.engine.enrol("second", &second, None).await.unwrap();
        let phone = Phone::reads(address.address());
        Self { world, first, second: *second, phone }
    }

    /// Asks for an operator, who then waits for the second administrator.
    async fn ask(&self, name: &str, all: &[&str], person: &str) -> PlanId {
        let wanted = (roles(all), Some(person.to_owned()));
        match self.world.engine.ask_operator(name, wanted, 30, &self.first).await.unwrap() {
            OperatorAsked::Waiting(waiting) => waiting[0].plan,
            OperatorAsked::Added(..) => panic!("`{name}` was added by one person alone"),
        }
    }

    async fn approve(&self, plan: PlanId, by: &Operator) -> Result<(), &'static str> {
        self.world.pass(SignedDuration::from_secs(30));
        let row = self.world.plans().await.into_iter().find(|row| row.plan.id == plan).unwrap();
        let code = (by.id == self.second.id).then(|| self.phone.code(self.world.engine.now()));
        let given = self.world.engine.approve_with(plan, row.digest, by, code.as_deref()).await;
        given.map(drop).map_err(|error| error.code())
    }

    async fn half(&self, plan: PlanId, by: &Operator) -> Result<String, &'static str> {
        self.world.engine.invitation(plan, by).await.map_err(|error| error.code())
    }

    async fn join(&self, name: &str, one: &str, other: &str) -> Result<(Operator, String), &'static str> {
        self.world.engine.join(name, [one, other]).await.map_err(|error| error.code())
    }
}

#[tokio::test]
async fn adding_an_operator_takes_two_and_neither_can_become_them() {
    let scene = Scene::new(1).await;
    let plan = scene.ask("noor", &["identity-approver"], "hr/5").await;
    let asked = scene.half(plan, &scene.first).await.unwrap();
    assert_eq!(scene.half(plan, &scene.second).await, Err("invitation-not-yours"), "nothing is approved yet");
    assert_eq!(scene.join("noor", &asked, &asked).await.err(), Some("invitation-refused"));
    assert_eq!(scene.approve(plan, &scene.first).await, Err("approval-by-requester"));
    scene.approve(plan, &scene.second).await.unwrap();
    let approved = scene.half(plan, &scene.second).await.unwrap();
    assert_ne!(asked, approved);

    // One half twice, a half of another invitation, and another name open nothing.
    assert_eq!(scene.join("noor", &asked, &asked).await.err(), Some("invitation-refused"));
    assert_eq!(scene.join("noor", &approved, &approved).await.err(), Some("invitation-refused"));
    assert_eq!(scene.join("first", &asked, &approved).await.err(), Some("invitation-refused"));
    let other = scene.ask("kim", &["approver"], "hr/5").await;
    let foreign = scene.half(other, &scene.first).await.unwrap();
    assert_eq!(scene.join("noor", &foreign, &approved).await.err(), Some("invitation-refused"));

    let (noor, token) = scene.join("noor", &approved, &asked).await.unwrap();
    assert_eq!(noor.roles, roles(&["identity-approver"]));
    assert_eq!(scene.world.engine.operator_by_token(&token).await.unwrap().unwrap().id, noor.id);
    assert_eq!(scene.join("noor", &asked, &approved).await.err(), Some("invitation-refused"), "once");
}

#[tokio::test]
async fn whoever_tries_halves_keeps_nobody_waiting_who_writes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db").display().to_string();
    let store = bailiwick_store::open(&file).await.unwrap();
    let world = World::on(store, 21, &[("chat", &[])]).await;
    // Another process writes: whoever would write as well is told after a while that the store is busy.
    let other = bailiwick_store::open(&file).await.unwrap();
    let _writing = other.begin().await.unwrap();
    let joined = world.engine.join("noor", ["bwj_one", "bwj_other"]).await;
    assert_eq!(joined.err().map(|error| error.code()), Some("invitation-refused"));
}

#[tokio::test]
async fn other_roles_take_two_as_well_and_nobody_approves_their_own() {
    let scene = Scene::new(2).await;
    let plan = scene.ask("second", &["admin", "identity-approver"], "hr/4").await;
    assert_eq!(scene.approve(plan, &scene.second).await, Err("approval-by-beneficiary"));
    // One who is to be somebody else's second self does not approve it either.
    let plan = scene.ask("shadow", &["admin"], "hr/4").await;
    assert_eq!(scene.approve(plan, &scene.second).await, Err("approval-by-beneficiary"));
    let plan = scene.ask("first", &["admin", "operator"], "hr/3").await;
    scene.approve(plan, &scene.second).await.unwrap();
    let changed = scene.world.engine.invitation(plan, &scene.first).await.unwrap();
    let (first, _) =
        scene.join("first", &changed, &scene.half(plan, &scene.second).await.unwrap()).await.unwrap();
    assert_eq!((first.id, first.roles), (scene.first.id, roles(&["admin", "operator"])));
}

#[tokio::test]
async fn a_name_must_be_one_and_the_only_administrator_can_always_get_a_second() {
    let world = World::new(3, &[("chat", &[])]).await;
    let by = Actor::Hub("init".into());
    let (first, _) =
        world.engine.add_operator("first", roles(&["admin"]), Some("hr/3".into()), 90, by).await.unwrap();
    let bad = world.engine.ask_operator("No Name", (roles(&["admin"]), None), 1, &first).await;
    assert_eq!(bad.err().unwrap().code(), "operator-name");
    // After the deadline one alone adds nobody but a second administrator.
    world.pass(SignedDuration::from_hours(15 * 24));
    let wanted = (roles(&["approver"]), Some("hr/5".to_owned()));
    let asked = world.engine.ask_operator("helper", wanted, 30, &first).await.unwrap();
    assert!(matches!(asked, OperatorAsked::Waiting(_)));
    let wanted = (roles(&["admin"]), Some("hr/4".to_owned()));
    let asked = world.engine.ask_operator("second", wanted.clone(), 30, &first).await.unwrap();
    assert!(matches!(asked, OperatorAsked::Added(..)));
    let asked = world.engine.ask_operator("third", wanted, 30, &first).await.unwrap();
    assert!(matches!(asked, OperatorAsked::Waiting(_)));
}

#[tokio::test]
async fn who_is_revoked_or_has_left_may_do_nothing_and_the_last_administrator_stays() {
    let mut scene = Scene::new(5).await;
    let plan = scene.ask("noor", &["approver"], "hr/5").await;
    scene.approve(plan, &scene.second).await.unwrap();
    let asked = scene.half(plan, &scene.first).await.unwrap();
    let approved = scene.half(plan, &scene.second).await.unwrap();
    let (_, token) = scene.join("noor", &asked, &approved).await.unwrap();
    let known = async |scene: &Scene| scene.world.engine.operator_by_token(&token).await.unwrap().is_some();
    assert!(known(&scene).await);
    // HR says that Ed has left.
    let left = [PEOPLE[0], PEOPLE[1], "5,Ed,ed@x.test,Finance,2026-01-01,left"];
    scene.world.deliver(&left).await.unwrap();
    scene.world.quiet().await;
    assert!(!known(&scene).await, "whoever has left opens nothing");
    assert_eq!(scene.world.cells().await["bailiwick/hub-roles"], "removed");
    assert_eq!(scene.world.open_cases().await, 0);
    // Whoever is back is no operator again.
    scene.world.deliver(&PEOPLE).await.unwrap();
    scene.world.quiet().await;
    assert!(!known(&scene).await);

    let revoke = async |scene: &Scene, name: &str| {
        let ended = scene.world.engine.revoke_operator(name, &scene.first).await;
        ended.map(drop).map_err(|error| error.code())
    };
    assert_eq!(revoke(&scene, "nobody").await, Err("not-found"));
    revoke(&scene, "second").await.unwrap();
    assert_eq!(revoke(&scene, "first").await, Err("operator-last-admin"));
    // One of two is gone, and the other still decides nothing alone.
    let wanted = (roles(&["admin"]), Some("hr/5".to_owned()));
    let asked = scene.world.engine.ask_operator("third", wanted, 30, &scene.first).await.unwrap();
    assert!(matches!(asked, OperatorAsked::Waiting(_)));
    // An invitation that nobody took over ends with it.
    let plan = match asked {
        OperatorAsked::Waiting(waiting) => waiting[0].plan,
        OperatorAsked::Added(..) => unreachable!(),
    };
    assert!(scene.half(plan, &scene.first).await.is_ok());
    assert_eq!(revoke(&scene, "third").await, Err("not-found"));
}

#[tokio::test]
async fn when_the_other_administrator_has_left_a_second_one_can_be_added_and_still_nobody_decides_alone() {
    let mut scene = Scene::new(7).await;
    let gone = [PEOPLE[0], "4,Di,di@x.test,Finance,2026-01-01,left", PEOPLE[2]];
    scene.world.deliver(&gone).await.unwrap();
    scene.world.quiet().await;
    let plan = scene.ask("helper", &["approver"], "hr/5").await;
    assert_eq!(scene.approve(plan, &scene.first).await, Err("approval-by-requester"));
    let wanted = (roles(&["admin"]), Some("hr/5".to_owned()));
    let asked = scene.world.engine.ask_operator("third", wanted.clone(), 30, &scene.first).await.unwrap();
    assert!(matches!(asked, OperatorAsked::Added(..)));
    let asked = scene.world.engine.ask_operator("fourth", wanted, 30, &scene.first).await.unwrap();
    assert!(matches!(asked, OperatorAsked::Waiting(_)), "now there are two again");
}

#[tokio::test]
async fn the_only_administrator_who_leaves_is_told_of_and_stays_until_there_is_another() {
    let mut world = World::new(6, &[("chat", &[])]).await;
    world.configure().await;
    world.deliver(&PEOPLE).await.unwrap();
    let by = Actor::Hub("init".into());
    let admin = (roles(&["admin"]), Some("hr/3".to_owned()));
    let (first, token) = world.engine.add_operator("first", admin.0, admin.1, 90, by).await.unwrap();
    world.deliver(&["3,Cy,cy@x.test,Finance,2026-01-01,left", PEOPLE[1], PEOPLE[2]]).await.unwrap();
    world.quiet().await;
    assert!(world.engine.operator_by_token(&token).await.unwrap().is_some());
    assert_eq!(world.findings("hub-last-admin-left").await.len(), 1);
    assert_eq!((&world.cells().await["bailiwick/hub-roles"][..], world.open_cases().await), ("residual", 1));
    let wanted = (roles(&["admin"]), Some("hr/4".to_owned()));
    let asked = world.engine.ask_operator("second", wanted, 90, &first).await.unwrap();
    let OperatorAsked::Added(second, _) = asked else { panic!("the second one waits") };
    assert!(world.engine.operator_by_token(&token).await.unwrap().is_none(), "there is another one now");
    world.engine.revoke_operator("first", &second).await.unwrap();
    assert_eq!(world.findings("hub-last-admin-left").await, Vec::<String>::new());
    world.quiet().await;
    let cells = world.cells().await;
    assert_eq!(cells["bailiwick/hub-roles"], "removed");
    // The hub itself is theirs until somebody accepts it.
    assert_eq!((&cells["bailiwick/owned-nhis"][..], world.open_cases().await), ("residual", 1));
}

#[tokio::test]
async fn of_two_administrators_who_leave_at_once_one_stays_until_there_is_another() {
    let mut scene = Scene::new(8).await;
    let left =
        ["3,Cy,cy@x.test,Finance,2026-01-01,left", "4,Di,di@x.test,Finance,2026-01-01,left", PEOPLE[2]];
    scene.world.deliver(&left).await.unwrap();
    scene.world.quiet().await;
    let cells = scene.world.all_cells().await;
    let roles: Vec<&str> =
        cells.iter().filter(|c| c.class.as_str() == "hub-roles").map(|c| c.verdict.name()).collect();
    assert!(roles.contains(&"removed") && roles.contains(&"residual"), "{roles:?}");
    assert_eq!(scene.world.findings("hub-last-admin-left").await.len(), 1);
}

#[tokio::test]
async fn an_operator_whom_somebody_wrote_into_the_database_is_nobody() {
    let scene = Scene::new(4).await;
    let token = "bwk_of-an-attacker";
    let now = scene.world.clock();
    let forged = Operator {
        id: OperatorId::new(now, &*scene.world.dice),
        name: "mallory".into(),
        roles: roles(&["admin", "identity-approver"]),
        person: Some("hr/5".into()),
        token: Digest::of(token.as_bytes()),
        expires: now.saturating_add(SignedDuration::from_hours(24)).unwrap(),
        invited: None,
        subject: None,
        ended: None,
        seal: scene.second.seal.clone(),
    };
    let by = Actor::Operator("mallory".into());
    let record = Record::new(RecordKind::OperatorAdded, now, by, &*scene.world.dice);
    scene.world.tamper(Update::new(record).insert(&forged, &*scene.world.dice)).await;
    assert!(scene.world.engine.operator_by_token(token).await.unwrap().is_none());
}

/// Another node ends an operator at the moment at which the first is about to decide in its turn.
fn ended_meanwhile<'w>(
    world: &'w World,
    name: &'w str,
    by: &'w Operator,
) -> impl Future<Output = Result<String, &'static str>> + 'w {
    let second = world.second();
    let (reached, open) = world.faults.before_turn("govern");
    async move {
        reached.acquire().await.unwrap().forget();
        let ended = second.revoke_operator(name, by).await;
        open.close();
        ended.map(|ended| ended.name).map_err(|error| error.code())
    }
}

/// Two administrators end each other at the same moment on two nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_administrator_stays_whoever_else_is_ended_at_the_same_moment() {
    let Some(address) = bailiwick_store::testkit::postgres::database().await else { return };
    let store = bailiwick_store::open(&address).await.unwrap();
    let world = World::on(store, 9, &[]).await;
    let ada = world.operator_with("ada", &["admin"], None, 365).await;
    let bo = world.operator_with("bo", &["admin"], None, 365).await;
    let other = ended_meanwhile(&world, "ada", &bo);
    let (first, other) = tokio::join!(world.engine.revoke_operator("bo", &ada), other);
    let first = first.map(|ended| ended.name).map_err(|error| error.code());
    assert_eq!((first, other), (Err("operator-last-admin"), Ok("ada".to_owned())));
}

/// The one who would stay is ended at the same moment on another node.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_leaver_who_is_the_last_administrator_by_then_keeps_their_token_and_it_is_told() {
    let Some(address) = bailiwick_store::testkit::postgres::database().await else { return };
    let store = bailiwick_store::open(&address).await.unwrap();
    let mut world = World::on(store, 10, &[]).await;
    world.configure().await;
    world.quiet().await;
    world.deliver(&["1,Bo,bo@x.test,Finance,,active"]).await.unwrap();
    let _ada = world.operator_with("ada", &["admin"], None, 365).await;
    let bo = world.operator_with("bo", &["admin"], Some("hr/1"), 365).await;
    let other = ended_meanwhile(&world, "ada", &bo);
    let (left, other) = tokio::join!(world.deliver(&["1,Bo,bo@x.test,Finance,2026-01-01,left"]), other);
    assert_eq!((left.unwrap().events["left"], other), (1, Ok("ada".to_owned())));
    assert_eq!(world.findings("hub-last-admin-left").await.len(), 1);
}

/// Two administrators leave in one delivery, so far from each other that it is decided of the one before the end of the other
/// is written.
#[tokio::test]
async fn of_two_administrators_who_leave_in_a_long_delivery_one_keeps_their_token() {
    let mut world = World::new(11, &[]).await;
    world.configure().await;
    world.quiet().await;
    let all = |who: std::ops::Range<usize>, end: &str| -> Vec<String> {
        who.map(|n| format!("{n},P {n},p{n}@x.test,Finance,{end}")).collect()
    };
    let here = all(0..9_000, ",active");
    world.deliver(&here.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    world.quiet().await;
    let (first, last) = (7, 8_000);
    for (name, person) in [("ada", first), ("bo", last)] {
        world.operator_with(name, &["admin"], Some(&format!("hr/{person}")), 365).await;
    }
    // A thousand and more leave besides; the two are far apart among them by key.
    let mut gone = here;
    for n in (7_000..8_100).chain([first]) {
        gone[n] = format!("{n},P {n},p{n}@x.test,Finance,2026-01-01,left");
    }
    let taken = world.deliver(&gone.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(taken.events["left"], 1_101);
    assert_eq!(world.findings("hub-last-admin-left").await.len(), 1);
}
