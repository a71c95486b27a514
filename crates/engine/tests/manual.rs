//! Systems that have no interface: a person is asked, answers once, and is not believed forever.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    case::Cell,
    digest::Digest,
    id::{SystemName, Tenant},
    task::{Answer, Exhibit, Task, TaskState},
    time::SignedDuration,
    verify::Verdict,
};
use bailiwick_engine::Configuration;
use bailiwick_store::{Select, Table, select};
use serde_json::json;
use world::World;

const ANN: &str = "1,Ann Archer,ann@x.test,Engineering,,active";
const BOB: &str = "2,Bob Baker,bob@x.test,Finance,,active";
const ANN_LEFT: &str = "1,Ann Archer,ann@x.test,Engineering,2026-01-01,left";

/// Lets a person do what the connector to `badges` did.
fn by_person(configuration: &mut Configuration) {
    let badges = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "badges").unwrap();
    badges.connector = "manual".into();
    badges.endpoint = "person:".into();
    badges.settings = json!({ "assignee": "hr/2", "hours": 48, "remind_hours": 24, "stands_days": 60 });
    let rules = ["create ASK person", "update ASK person", "grant ASK person", "revoke ASK person"];
    badges.scope = serde_json::from_value(json!({ "rules": rules })).unwrap();
}

async fn tasks(world: &World) -> Vec<Task> {
    let mut tx = world.store.read().await.unwrap();
    let rows = select::<Task>(&mut *tx, &Tenant::single(), Select::from(Table::Tasks)).await.unwrap();
    rows.into_iter().map(|s| s.value).collect()
}

async fn open(world: &World) -> Vec<Task> {
    tasks(world).await.into_iter().filter(|task| task.state == TaskState::Open).collect()
}

async fn cells(world: &World) -> Vec<Cell> {
    let mut tx = world.store.read().await.unwrap();
    let rows = select::<Cell>(&mut *tx, &Tenant::single(), Select::from(Table::Cells)).await.unwrap();
    rows.into_iter().map(|s| s.value).collect()
}

async fn findings(world: &World) -> Vec<(String, String)> {
    let open = world.engine.open_findings().await.unwrap();
    // Months pass here, and reviews are not what this is about.
    open.into_iter().map(|f| (f.code, f.owner)).filter(|(code, _)| !code.starts_with("review-")).collect()
}

fn done(statement: &str) -> Answer {
    let exhibits = vec![Exhibit { name: "photo.jpg".into(), bytes: 3, digest: Digest::of(b"jpg") }];
    Answer::Done { statement: statement.into(), exhibits, account: None }
}

async fn answer_all(world: &mut World, by: &str, answer: &Answer) {
    let by = world.operator(by, None).await;
    for task in open(world).await {
        world.engine.answer_task(task.id, answer, &by).await.unwrap();
    }
    world.quiet().await;
}

async fn asked(seed: u64) -> World {
    let mut world = World::new(seed, &[("badges", &[])]).await;
    world.configure_with(by_person).await;
    world.quiet().await;
    world.deliver(&[ANN, BOB]).await.unwrap();
    world.quiet().await;
    world
}

#[tokio::test]
async fn a_person_is_asked_once_with_all_that_is_to_be_done() {
    let mut world = asked(1).await;
    let asked = open(&world).await;
    assert_eq!(asked.len(), 2);
    let ann = asked.iter().find(|task| format!("{:?}", task.steps).contains("ann@x.test")).unwrap();
    let words: Vec<&str> = ann.steps.iter().map(|step| step.instruction.as_str()).collect();
    assert_eq!(
        words,
        [
            "create account (displayName: Ann Archer, userName: ann@x.test)",
            "grant direct-groups `Engineering` (badges/engineering)",
            "grant direct-groups `Everyone` (badges/everyone)",
        ]
    );
    assert_eq!((ann.assignee.as_str(), ann.backup.as_str()), ("hr/2", "desk/2"));
    // Nothing of it reached a system, and asking again changes nothing.
    assert!(world.effects().is_empty());
    world.quiet().await;
    assert_eq!(tasks(&world).await, asked);

    answer_all(&mut world, "facilities", &done("made at the front desk")).await;
    assert!(open(&world).await.is_empty());
    assert_eq!(findings(&world).await, []);
    // What was attested is what is known: a second delivery has nothing to add.
    world.deliver(&[ANN, BOB]).await.unwrap();
    world.quiet().await;
    assert_eq!(tasks(&world).await.len(), 2);
}

#[tokio::test]
async fn silence_is_told_first_to_the_assignee_and_then_to_the_backup() {
    let mut world = asked(2).await;
    world.pass(SignedDuration::from_hours(24));
    world.quiet().await;
    // Nobody is asked to do something to themselves: of the two, one is the assignee.
    let of = |code: &str, owner: &str| (code.to_owned(), owner.to_owned());
    assert_eq!(findings(&world).await, [of("task-waiting", "hr/2"), of("task-waiting", "desk/2")]);
    world.pass(SignedDuration::from_hours(24));
    world.quiet().await;
    assert_eq!(findings(&world).await, [of("task-overdue", "desk/2"), of("task-overdue", "desk/2")]);
    answer_all(&mut world, "facilities", &done("made at the front desk")).await;
    assert_eq!(findings(&world).await, []);
}

#[tokio::test]
async fn a_case_closes_on_an_attestation_only_while_it_stands() {
    let mut world = asked(3).await;
    answer_all(&mut world, "facilities", &done("made at the front desk")).await;
    world.deliver(&[ANN_LEFT, BOB]).await.unwrap();
    world.quiet().await;
    assert_eq!(world.open_cases().await, 1);
    let task = open(&world).await.pop().unwrap();
    let herself = world.operator("herself", Some("hr/1")).await;
    let error = world.engine.answer_task(task.id, &done("gone"), &herself).await.unwrap_err();
    assert_eq!(error.code(), "task-own-access");

    answer_all(&mut world, "desk", &done("the badge is shredded")).await;
    assert_eq!(world.open_cases().await, 0, "{:?}", cells(&world).await);
    for cell in cells(&world).await {
        let Verdict::Unobservable { control: Some(control), .. } = &cell.verdict else { panic!("{cell:?}") };
        assert!(
            control.what.contains("desk attested it") && control.what.contains("1 file was shown (tsk_"),
            "{control:?}"
        );
        assert_eq!((cell.method.as_str(), cell.witness), ("attested", None));
    }
    // Its end: the case is open again, and somebody is asked to look.
    world.pass(SignedDuration::from_hours(24 * 60));
    world.quiet().await;
    assert_eq!(world.open_cases().await, 1);
    let again = open(&world).await.pop().unwrap();
    assert!(again.steps.iter().all(|step| step.instruction.starts_with("look whether this is still so")));
    answer_all(&mut world, "second-desk", &done("still shredded")).await;
    assert_eq!(world.open_cases().await, 0);
    // Attested twice, it ends once.
    world.pass(SignedDuration::from_hours(24 * 60));
    world.quiet().await;
    assert_eq!(open(&world).await.len(), 1);
    let by = world.operator("third-desk", None).await;
    let task = open(&world).await.pop().unwrap();
    world.engine.answer_task(task.id, &Answer::Declined { reason: "it opens".into() }, &by).await.unwrap();
    world.quiet().await;
    assert_eq!(world.open_cases().await, 1);
    assert_eq!(findings(&world).await, [("attestation-lapsed".to_owned(), "desk/2".to_owned())]);
}

#[tokio::test]
async fn what_came_before_the_answer_is_decided_after_it() {
    let mut world = asked(4).await;
    world.deliver(&[ANN_LEFT, BOB]).await.unwrap();
    world.quiet().await;
    assert_eq!(tasks(&world).await.len(), 2, "nobody is asked to undo what nobody said was done");
    answer_all(&mut world, "facilities", &done("made at the front desk")).await;
    let asked = open(&world).await;
    assert_eq!(asked.len(), 1);
    assert!(asked[0].steps.iter().any(|step| step.instruction.contains("disable account")), "{asked:?}");
}

#[tokio::test]
async fn what_cannot_be_done_or_may_not_be_asked_is_told() {
    let mut world = asked(5).await;
    answer_all(&mut world, "facilities", &Answer::Declined { reason: "no blanks left".into() }).await;
    assert!(findings(&world).await.iter().all(|(code, owner)| code == "change-refused" && owner == "desk/1"));
    assert!(!findings(&world).await.is_empty());

    let mut world = World::new(6, &[("badges", &[])]).await;
    world
        .configure_with(|configuration| {
            by_person(configuration);
            let badges = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "badges").unwrap();
            badges.scope = serde_json::from_value(json!({ "rules": ["create ASK person"] })).unwrap();
        })
        .await;
    world.quiet().await;
    world.deliver(&[ANN]).await.unwrap();
    world.quiet().await;
    assert_eq!(open(&world).await[0].steps.len(), 1);
    assert_eq!(findings(&world).await.len(), 2, "{:?}", findings(&world).await);
}

#[tokio::test]
async fn what_was_attested_is_read_as_soon_as_it_can_be() {
    let mut world = asked(7).await;
    // The person gives the account the name that it has on the system, and never disables it.
    let by = world.operator("facilities", None).await;
    world.behind(
        "badges",
        json!({ "users": [{ "userName": "ann@x.test", "externalId": "hr/1", "active": true }] }),
    );
    let id = world.lab.truth("badges").unwrap().users[0].id.clone();
    for task in open(&world).await {
        let mine = format!("{:?}", task.steps).contains("ann@x.test");
        let account = mine.then(|| id.clone());
        let answer = Answer::Done { statement: "made".into(), exhibits: Vec::new(), account };
        world.engine.answer_task(task.id, &answer, &by).await.unwrap();
    }
    world.quiet().await;
    world.deliver(&[ANN_LEFT, BOB]).await.unwrap();
    world.quiet().await;
    answer_all(&mut world, "desk", &done("taken away")).await;
    assert_eq!(world.open_cases().await, 0);
    // From now on the system can be read, and shows what the word was worth.
    world.configure().await;
    world.quiet().await;
    let cells = world.cells().await;
    assert_ne!(cells["badges/primary-account"], "unobservable", "{cells:?}");
    assert_eq!(cells["badges/api-tokens"], "removed");
    assert!(world.engine.check_system(&SystemName::new("badges").unwrap()).await.is_ok());
    assert_eq!(
        world.truth()["badges/ann@x.test"].contains("active=false"),
        cells["badges/primary-account"] == "blocked"
    );
}
