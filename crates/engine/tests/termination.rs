//! Terminations: prepared in silence, fired at once, ahead of everything, and not undone by a source that has not heard.
//! Judged by what the systems hold and by the order of what they were asked.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::BTreeSet;

use bailiwick_core::{
    id::{Tenant, TerminationId},
    record::Logged,
    system::OnLeave,
    termination::{ROLE, SourceWord, Termination, TerminationState},
    time::SignedDuration,
};
use bailiwick_engine::{ArmRequest, EngineError};
use bailiwick_lab::{Behaviour, Effect};
use bailiwick_store::entities::Operator;
use serde_json::json;
use world::World;

const PEOPLE: [&str; 6] = [
    "1,Ann,ann@x.test,Engineering,,active",
    "2,Bob,bob@x.test,Finance,,active",
    "3,Cyd,cyd@x.test,Finance,,active",
    "4,Dan,dan@x.test,Finance,,active",
    "5,Eve,eve@x.test,Finance,,active",
    "6,Fay,fay@x.test,Finance,,active",
];

/// Two who may arm, one of whom may approve, and people with access and sessions.
struct Scene {
    world: World,
    legal: Operator,
    chief: Operator,
}

impl Scene {
    async fn new(seed: u64, systems: &[(&str, &[Behaviour])]) -> Self {
        let mut world = World::new(seed, systems).await;
        world.configure().await;
        world.deliver(&PEOPLE).await.unwrap();
        world.quiet().await;
        for system in world.systems.clone() {
            for who in ["ann", "bob"] {
                world.behind(
                    &system,
                    json!({ "sessions": [format!("{who}@x.test")],
                            "tokens": [{ "user": format!("{who}@x.test"), "name": "ci" }] }),
                );
            }
        }
        let legal = world.operator_with("legal", &[ROLE], Some("hr/5"), 30).await;
        let chief = world.operator_with("chief", &[ROLE, "approver"], Some("hr/6"), 30).await;
        Self { world, legal, chief }
    }

    async fn arm(&self, who: &[&str]) -> Vec<Termination> {
        self.try_arm(who, &self.legal).await.unwrap()
    }

    async fn try_arm(&self, who: &[&str], by: &Operator) -> Result<Vec<Termination>, EngineError> {
        let persons = who.iter().map(ToString::to_string).collect();
        self.world
            .engine
            .arm(ArmRequest { persons, reason: "they sold the plans".into(), hours: 24 }, by)
            .await
    }

    async fn fire(&self, which: &[&str]) -> Result<Vec<bailiwick_engine::Fired>, EngineError> {
        let which: Vec<String> = which.iter().map(ToString::to_string).collect();
        self.world.engine.fire(&which, &self.legal).await
    }

    /// What is true of somebody on a system, in short.
    fn truth(&self, at: &str) -> String {
        self.world.truth().get(at).cloned().unwrap_or_else(|| "gone".into())
    }

    fn is_out(&self, at: &str) -> bool {
        let truth = self.truth(at);
        truth.contains("active=false")
            && truth.contains("groups={}")
            && truth.contains("tokens=0")
            && truth.contains("sessions=0")
    }

    async fn state(&self, id: TerminationId) -> TerminationState {
        self.world.engine.termination(&id.to_string(), &self.legal).await.unwrap().0.state
    }
}

fn code<T>(told: Result<T, EngineError>) -> &'static str {
    told.err().map_or("done", |error| error.code())
}

#[tokio::test]
async fn two_people_are_fired_at_once_with_live_sessions() {
    let mut scene = Scene::new(1, &[("chat", &[]), ("wiki", &[])]).await;
    let before = scene.world.truth();
    let armed = scene.arm(&["hr/1", "bob@x.test"]).await;
    scene.world.quiet().await;
    assert_eq!(scene.world.truth(), before, "arming changes nothing");
    assert!(
        before["chat/ann@x.test"].contains("sessions=1") && before["chat/ann@x.test"].contains("tokens=1")
    );
    let ids: Vec<String> = armed.iter().map(|t| t.id.to_string()).collect();
    let fired = scene.world.engine.fire(&ids, &scene.legal).await.unwrap();
    assert!(fired.len() == 2 && fired.iter().all(|f| f.event.is_some() && f.spared.is_empty()));
    // The first thing that either system is asked is to end what is live.
    scene.world.engine.work_on_leavers().await.unwrap();
    for system in ["chat", "wiki"] {
        for who in ["ann", "bob"] {
            assert!(
                scene.is_out(&format!("{system}/{who}@x.test")),
                "{}",
                scene.truth(&format!("{system}/{who}@x.test"))
            );
            let ledger = scene.world.lab.ledger(system).unwrap();
            let user = scene.world.lab.truth(system).unwrap();
            let user = user.users.iter().find(|u| u.user_name.starts_with(who)).unwrap().id.clone();
            let ended = |entry: &&bailiwick_lab::LedgerEntry| entry.user.as_deref() == Some(&user);
            let kinds: Vec<String> = ledger.iter().filter(ended).map(|e| format!("{:?}", e.effect)).collect();
            let place = |what: &str| kinds.iter().rposition(|kind| kind.contains(what)).unwrap();
            assert!(place("Session") < place("Deactivat"), "{kinds:?}");
        }
    }
    assert!(scene.truth("chat/cyd@x.test").contains("active=true"));
    scene.world.quiet().await;
    assert_eq!(scene.world.open_cases().await, 0, "{:?}", scene.world.cells().await);
    assert_eq!(scene.world.cases().await.len(), 2);
    assert!(matches!(scene.state(armed[0].id).await, TerminationState::Fired { word: SourceWord::Owed, .. }));
    assert_eq!(code(scene.fire(&[&ids[0]]).await), "termination-not-armed");
}

#[tokio::test]
async fn a_source_that_has_not_heard_neither_undoes_nor_repeats_it() {
    let mut scene = Scene::new(2, &[("chat", &[])]).await;
    let armed = scene.arm(&["hr/1", "hr/2"]).await;
    scene.fire(&["hr/1", "hr/2"]).await.unwrap();
    scene.world.quiet().await;
    assert!(scene.is_out("chat/ann@x.test") && scene.is_out("chat/bob@x.test"));
    let effects = scene.world.effects();

    // The next morning the file still says that both are here; the one with another department too.
    let mut lines = PEOPLE.to_vec();
    lines[0] = "1,Ann,ann@x.test,Finance,,active";
    scene.world.deliver(&lines).await.unwrap();
    scene.world.quiet().await;
    assert_eq!(scene.world.effects(), effects);
    assert!(scene.is_out("chat/ann@x.test") && scene.is_out("chat/bob@x.test"));
    assert_eq!(scene.world.findings("fired-still-here").await.len(), 2);

    // A record that is missing is no word either way; then it is back, and still nothing follows.
    scene.world.deliver(&lines[1..]).await.unwrap();
    scene.world.deliver(&lines).await.unwrap();
    scene.world.quiet().await;
    assert_eq!(scene.world.effects(), effects);

    // Then it has heard of one: nothing is done twice, and no second case is opened.
    lines[0] = "1,Ann,ann@x.test,Finance,,left";
    scene.world.deliver(&lines).await.unwrap();
    scene.world.quiet().await;
    assert_eq!(scene.world.effects(), effects);
    assert_eq!((scene.world.cases().await.len(), scene.world.open_cases().await), (2, 0));
    assert_eq!(scene.world.findings("fired-still-here").await.len(), 1);
    let word = |state| match state {
        TerminationState::Fired { word, .. } => word,
        other => panic!("{other:?}"),
    };
    assert!(matches!(word(scene.state(armed[0].id).await), SourceWord::Given { .. }));

    // From then on its word counts again: it hires her anew.
    lines[0] = "1,Ann,ann@x.test,Finance,,active";
    scene.world.deliver(&lines).await.unwrap();
    scene.world.quiet().await;
    assert!(scene.truth("chat/ann@x.test").contains("active=true"), "{}", scene.truth("chat/ann@x.test"));
    assert!(scene.is_out("chat/bob@x.test"));

    // Of the other one, two people say it; one alone does not, whoever asks again.
    let bob = armed.iter().find(|t| t.id != armed[0].id).unwrap().id.to_string();
    let lift = async |by| scene.world.engine.lift_termination(&bob, "a mistake", by).await;
    assert!(lift(&scene.legal).await.unwrap().owed().is_some());
    assert_eq!(code(lift(&scene.legal).await), "termination-same-person");
    scene.world.deliver(&lines).await.unwrap();
    assert!(scene.is_out("chat/bob@x.test"));
    assert!(lift(&scene.chief).await.unwrap().owed().is_none());
    scene.world.deliver(&lines).await.unwrap();
    scene.world.quiet().await;
    assert!(scene.truth("chat/bob@x.test").contains("active=true"));
    assert_eq!(scene.world.findings("fired-still-here").await, Vec::<String>::new());
}

#[tokio::test]
async fn it_works_beside_a_batch_that_is_held_and_acts_on_what_is_true_then() {
    let mut scene = Scene::new(3, &[("chat", &[])]).await;
    scene.arm(&["hr/1"]).await;
    // Since then she has another group, by a hand that the hub does not know of and by her department.
    let mut lines = PEOPLE.to_vec();
    lines[0] = "1,Ann,ann@x.test,Finance,,active";
    scene.world.deliver(&lines).await.unwrap();
    scene.world.quiet().await;
    assert!(scene.truth("chat/ann@x.test").contains("Finance"));
    assert_eq!(code(scene.world.deliver(&[]).await), "feed-too-few-rows");
    scene.fire(&["hr/1"]).await.unwrap();
    scene.world.quiet().await;
    assert!(scene.is_out("chat/ann@x.test"), "{}", scene.truth("chat/ann@x.test"));
}

#[tokio::test]
async fn nobody_learns_that_they_are_armed() {
    let scene = Scene::new(4, &[("chat", &[])]).await;
    let world = &scene.world;
    let bob = world.operator_with("bob", &[ROLE, "approver", "admin"], Some("hr/2"), 30).await;
    let other = world.operator_with("other", &["admin", "approver", "operator"], Some("hr/3"), 30).await;
    let nobody = world.operator_with("nobody", &[ROLE], None, 30).await;
    let armed = scene.arm(&["hr/1", "hr/2"]).await;
    let (ann, his) = (&armed[0], &armed[1]);
    assert_eq!(code(world.engine.terminations(&other).await), "not-allowed");
    assert_eq!(code(world.engine.terminations(&nobody).await), "terminator-unknown");
    assert_eq!(code(scene.try_arm(&["hr/1"], &other).await), "not-allowed");
    let ids = |seen: Vec<(Termination, _)>| seen.into_iter().map(|(t, _)| t.id).collect::<BTreeSet<_>>();
    assert_eq!(ids(world.engine.terminations(&bob).await.unwrap()), [ann.id].into());
    assert_eq!(ids(world.engine.terminations(&scene.chief).await.unwrap()).len(), 2);

    // What he is told of his own is what he is told of something that is not there, before and after.
    let of_his = [his.id.to_string()];
    assert_eq!(code(world.engine.termination(&of_his[0], &bob).await), "not-found");
    assert_eq!(code(world.engine.termination("hr/2", &bob).await), "not-found");
    assert_eq!(code(world.engine.termination("hr/4", &bob).await), "not-found");
    assert_eq!(code(world.engine.disarm(&of_his, &bob).await), "not-found");
    assert_eq!(code(world.engine.fire(&of_his, &bob).await), "not-found");
    assert_eq!(code(world.engine.prepared(his.plan.id, &bob).await), "not-found");
    assert_eq!(code(world.engine.approve(his.plan.id, his.digest, &bob).await), "not-found");
    assert_eq!(code(world.engine.approve(his.plan.id, his.digest, &other).await), "not-found");
    assert_eq!(code(scene.try_arm(&["hr/2"], &bob).await), "termination-own");
    world.engine.disarm(&of_his, &scene.chief).await.unwrap();
    assert_eq!(code(scene.try_arm(&["hr/2"], &bob).await), "termination-own");
    assert_eq!(code(scene.try_arm(&["hr/1"], &bob).await), "termination-armed");

    // Nothing that others can read names who is armed: no plan, no finding, no record.
    assert_eq!(world.drafted().await.len(), 0);
    let mut tx = world.store.read().await.unwrap();
    for entry in tx.written(0, 100_000).await.unwrap() {
        let text = String::from_utf8_lossy(&entry.bytes).into_owned();
        if text.contains("termination-") {
            let logged = Logged::parse(&entry.bytes).unwrap();
            assert!(logged.identity.is_none() && !text.contains(&ann.identity.to_string()), "{text}");
        }
    }
    let about = tx.entries_about(&Tenant::single(), &ann.identity.to_string()).await.unwrap();
    assert!(about.iter().all(|entry| !String::from_utf8_lossy(&entry.bytes).contains("trm_")));
}

#[tokio::test]
async fn what_cannot_be_taken_back_goes_at_once_only_if_two_people_said_so() {
    let scene = async |seed| {
        let scene = Scene::new(seed, &[("chat", &[]), ("wiki", &[])]).await;
        let delete = |c: &mut bailiwick_engine::Configuration| {
            c.systems.iter_mut().find(|s| s.name.as_str() == "chat").unwrap().on_leave = OnLeave::Delete;
        };
        scene.world.configure_with(delete).await;
        let mut scene = scene;
        scene.world.quiet().await;
        scene
    };
    // Nobody approved: everything that can be taken back goes at once, and the account waits, disabled.
    let mut alone = scene(5).await;
    let armed = alone.arm(&["hr/1"]).await;
    assert!(armed[0].asks);
    let fired = alone.fire(&["hr/1"]).await.unwrap();
    assert_eq!(fired[0].spared.iter().map(|s| s.as_str()).collect::<Vec<_>>(), ["chat"]);
    alone.world.quiet().await;
    assert!(alone.is_out("chat/ann@x.test") && alone.is_out("wiki/ann@x.test"));

    // Approved ahead: the account goes with the rest. The approval is bound, is another's, and is used once.
    let mut both = scene(6).await;
    let armed = both.arm(&["hr/1", "hr/2"]).await;
    let approve = async |plan, digest, by: &Operator| both.world.engine.approve(plan, digest, by).await;
    let (ann, bob) = (&armed[0], &armed[1]);
    assert_eq!(code(approve(ann.plan.id, bob.digest, &both.chief).await), "approval-digest-mismatch");
    assert_eq!(code(approve(ann.plan.id, ann.digest, &both.legal).await), "approval-by-requester");
    approve(ann.plan.id, ann.digest, &both.chief).await.unwrap();
    assert_eq!(code(approve(ann.plan.id, ann.digest, &both.chief).await), "approval-used");
    assert!(both.world.drafted().await.is_empty(), "an approval ahead carries nothing out");
    both.world.quiet().await;
    assert!(both.truth("chat/ann@x.test").contains("active=true"));
    both.fire(&["hr/1", "hr/2"]).await.unwrap();
    both.world.quiet().await;
    assert_eq!(both.truth("chat/ann@x.test"), "gone");
    assert!(both.is_out("chat/bob@x.test") && both.is_out("wiki/ann@x.test"));
    let (_, given) = both.world.engine.termination(&ann.id.to_string(), &both.legal).await.unwrap();
    assert!(given.unwrap().used.is_some());
}

#[tokio::test]
async fn it_is_armed_for_so_long_and_who_left_before_is_passed_over() {
    let mut scene = Scene::new(7, &[("chat", &[])]).await;
    let armed = scene.arm(&["hr/1", "hr/2", "hr/3"]).await;
    assert_eq!(code(scene.try_arm(&["hr/4", "hr/4"], &scene.legal).await), "done");
    let mut lines = PEOPLE.to_vec();
    lines[1] = "2,Bob,bob@x.test,Finance,,left";
    scene.world.deliver(&lines).await.unwrap();
    assert_eq!(code(scene.try_arm(&["hr/2"], &scene.legal).await), "termination-gone");
    let fired = scene.fire(&["hr/1", "hr/2"]).await.unwrap();
    assert_eq!(fired.iter().map(|f| f.event.is_some()).collect::<Vec<_>>(), [true, false]);
    scene.world.quiet().await;
    assert!(scene.is_out("chat/ann@x.test") && scene.is_out("chat/bob@x.test"));
    assert_eq!(scene.world.cases().await.len(), 2);
    assert_eq!(scene.state(armed[1].id).await.name(), "overtaken");
    scene.world.pass(SignedDuration::from_hours(25));
    assert_eq!(code(scene.fire(&["hr/3"]).await), "termination-expired");
    scene.world.quiet().await;
    assert_eq!(scene.state(armed[2].id).await.name(), "lapsed");
    assert!(scene.truth("chat/cyd@x.test").contains("active=true"));
    // The log says each step.
    let kinds = scene.world.record_kinds().await;
    for kind in ["termination-armed", "termination-fired", "termination-lapsed"] {
        assert!(kinds.contains(kind), "{kind} in {kinds:?}");
    }
}

#[tokio::test]
async fn an_administrator_who_is_fired_can_do_nothing_in_the_hub_any_more() {
    let mut scene = Scene::new(8, &[("chat", &[])]).await;
    let by = bailiwick_core::record::Actor::Operator("test".into());
    let roles = BTreeSet::from(["admin".to_owned(), ROLE.to_owned()]);
    let world = &scene.world;
    let (_, token) = world.engine.add_operator("ann", roles, Some("hr/1".into()), 30, by).await.unwrap();
    world.operator_with("boss", &["admin"], Some("hr/4"), 30).await;
    scene.arm(&["hr/1"]).await;
    assert!(scene.world.engine.operator_by_token(&token).await.unwrap().is_some());
    scene.fire(&["hr/1"]).await.unwrap();
    assert!(scene.world.engine.operator_by_token(&token).await.unwrap().is_none(), "with the event itself");
    scene.world.quiet().await;
    assert!(scene.is_out("chat/ann@x.test"));
}

/// So many joiners that their work takes a while.
fn flood(count: usize) -> Vec<String> {
    let joiners = (100..100 + count).map(|n| format!("{n},P {n},p{n}@x.test,Finance,,active"));
    PEOPLE.map(str::to_owned).into_iter().chain(joiners).collect()
}

async fn deliver(world: &World, lines: &[String]) {
    world.deliver(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
}

#[tokio::test]
async fn who_is_fired_does_not_wait_for_a_flood_that_is_under_way() {
    let mut scene = Scene::new(9, &[("chat", &[])]).await;
    scene.arm(&["hr/1", "hr/2"]).await;
    deliver(&scene.world, &flood(120)).await;
    // The system takes its time: of what it is asked to make it has made ten.
    scene.world.faults.make(10);
    let made = |world: &World| {
        let ledger = world.lab.ledger("chat").unwrap();
        ledger.iter().filter(|entry| entry.effect == Effect::UserCreated).count() - PEOPLE.len()
    };
    let engine = scene.world.engine.clone();
    let under_way = tokio::spawn(async move { engine.work().await });
    while made(&scene.world) < 10 {
        tokio::task::yield_now().await;
    }
    scene.fire(&["hr/1", "hr/2"]).await.unwrap();
    scene.world.engine.work_on_leavers().await.unwrap();
    let then = made(&scene.world);
    assert!(scene.is_out("chat/ann@x.test") && scene.is_out("chat/bob@x.test"));
    scene.world.faults.make(1_000);
    under_way.await.unwrap().unwrap();
    scene.world.quiet().await;
    assert_eq!(then, 10, "the others were still to come");
    assert_eq!(made(&scene.world), 120, "and nothing of the flood is lost");
}

#[tokio::test]
async fn what_is_kept_of_a_minute_for_leavers_is_there_when_a_flood_has_used_the_rest() {
    let mut scene = Scene::new(10, &[("chat", &[])]).await;
    let limit = |c: &mut bailiwick_engine::Configuration| {
        let chat = c.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
        chat.scope.writes_per_minute = Some(60);
    };
    scene.world.configure_with(limit).await;
    scene.world.quiet().await;
    scene.world.pass(SignedDuration::from_secs(61));
    let writes = |world: &World| {
        let ledger = world.lab.ledger("chat").unwrap();
        ledger.iter().filter(|e| e.cause.credential == bailiwick_lab::Credential::Write).count()
    };
    let before = writes(&scene.world);
    deliver(&scene.world, &flood(60)).await;
    scene.world.engine.work().await.unwrap();
    scene.world.engine.work().await.unwrap();
    assert_eq!(writes(&scene.world) - before, 48, "four fifths");
    assert_eq!(scene.world.findings("budget-exceeded").await.len(), 1);

    // Somebody is fired, and somebody leaves by the source, in the same minute and although all else is held.
    scene.arm(&["hr/1"]).await;
    scene.fire(&["hr/1"]).await.unwrap();
    let mut lines = flood(60);
    lines[1] = "2,Bob,bob@x.test,Finance,,left".into();
    deliver(&scene.world, &lines).await;
    scene.world.engine.work_on_leavers().await.unwrap();
    assert!(scene.is_out("chat/ann@x.test"), "{}", scene.truth("chat/ann@x.test"));
    assert!(scene.is_out("chat/bob@x.test"), "{}", scene.truth("chat/bob@x.test"));
    assert!(writes(&scene.world) - before <= 60);
    assert_eq!(scene.world.findings("budget-exceeded").await.len(), 1, "the rest is still held");
}
