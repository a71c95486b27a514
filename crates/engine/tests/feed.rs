//! The feed guard: what is held, what it would have done, and who lets it go. Judged by what the system holds.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    digest::Digest,
    guard::Fate,
    id::{BatchId, Tenant},
    identity::{Identity, IdentityKind},
    integration::Role,
    time::SignedDuration,
};
use bailiwick_engine::EngineError;
use bailiwick_store::{
    Select, Table,
    entities::{Batch, Operator},
    select,
};
use world::World;

const PEOPLE: [&str; 6] = [
    "1,Ann,ann@x.test,Engineering,,active",
    "2,Bob,bob@x.test,Finance,,active",
    "3,Cyd,cyd@x.test,Finance,,active",
    "4,Dan,dan@x.test,Sales,,active",
    "5,Eve,eve@x.test,Finance,,active",
    "6,Fay,fay@x.test,Finance,,active",
];

struct Scene {
    world: World,
    first: Operator,
    second: Operator,
}

impl Scene {
    /// A world where `Operations` administers the chat, whose source promises more than usual.
    async fn new(seed: u64) -> Self {
        let mut world = World::new(seed, &[("chat", &[])]).await;
        let more = |c: &mut bailiwick_engine::Configuration| {
            c.policies[0].text.push_str(
                r#"@id("ops") permit(principal, action == Action::"hold", resource == Entitlement::"chat/admins")
                   when { principal.department == "Operations" };"#,
            );
            let hr = c.integrations.iter_mut().find(|i| i.name.as_str() == "hr").unwrap();
            let Role::Source { contract, .. } = &mut hr.role else { panic!("hr is a source") };
            contract.always_allowed = 1;
            contract.cohorts = ["department".to_owned()].into();
            contract.max_age_hours = Some(26);
        };
        world.configure_with(more).await;
        world.deliver_file(&PEOPLE).await.unwrap();
        world.quiet().await;
        let first = world.operator_with("first", &["approver"], Some("hr/5"), 30).await;
        let second = world.operator_with("second", &["approver"], Some("hr/6"), 30).await;
        Self { world, first, second }
    }

    async fn batches(&self) -> Vec<Batch> {
        let mut tx = self.world.store.read().await.unwrap();
        let all = select::<Batch>(&mut *tx, &Tenant::single(), Select::from(Table::Batches)).await.unwrap();
        all.into_iter().map(|stored| stored.value).collect()
    }

    async fn last(&self) -> Batch {
        self.batches().await.pop().unwrap()
    }

    /// What lies in the feed.
    fn lying(&self) -> Digest {
        Digest::of(&std::fs::read(self.world.folder.path().join("current.csv")).unwrap())
    }

    async fn release(&self, batch: &Batch, by: &Operator) -> Result<Batch, EngineError> {
        self.world.engine.release_batch(batch.id, batch.shown(), Some(self.lying()), by).await
    }
}

/// A column that is wrong is wrong in each line: so much is said of it as somebody reads, and the evidence goes on.
#[tokio::test]
async fn of_a_column_that_is_wrong_everywhere_enough_is_told_and_the_log_goes_on() {
    let scene = Scene::new(9).await;
    let nameless: Vec<String> = (0..5_000).map(|n| format!("{n},,p{n}@x.test,Finance,,active")).collect();
    let lines: Vec<&str> = nameless.iter().map(String::as_str).collect();
    let refused = scene.world.deliver_file(&lines).await.unwrap_err();
    let EngineError::Held(breaches) = refused else { panic!("{refused:?}") };
    assert_eq!(breaches.len(), 21);
    assert_eq!(
        breaches[0].to_string(),
        "line 2: `display_name` of `0` is empty, and the contract says that it never is"
    );
    assert_eq!(
        breaches[20].to_string(),
        "4980 more of the same kind, the next: line 22: `display_name` of `20` is empty, and the contract says that it never is"
    );
    assert!(breaches.iter().all(|breach| breach.is_of_form() && breach.code() == "feed-empty-value"));
    assert_eq!(scene.last().await.breaches, breaches);
    let report = scene.world.engine.check_evidence(&scene.world.sequencer(), None).await.unwrap();
    assert!(report.damage.is_none(), "{:?}", report.damage);
}

/// People whom nobody knows are read as they are taken: what is wrong with one of them holds all of them.
#[tokio::test]
async fn newcomers_are_held_with_the_rest_and_come_with_it() {
    let world = World::new(10, &[("chat", &[])]).await;
    world.configure().await;
    let people = |n: usize| format!("{n},P {n},p{n}@x.test,Finance,,active");
    let many: Vec<String> = (0..1_200).map(people).collect();
    let wrong = [
        (people(7), "feed-duplicate-key"),
        (",No Key,nk@x.test,Finance,,active".into(), "feed-no-key"),
        ("9999,,x@x.test,Finance,,active".into(), "feed-empty-value"),
    ];
    for (wrong, why) in wrong {
        let all: Vec<&str> = many.iter().chain([&wrong]).map(String::as_str).collect();
        assert_eq!(code(world.deliver_file(&all).await), why, "{wrong}");
        assert_eq!(people_of(&world).await, 0);
    }
    // One who had left before anybody knew them is nobody here.
    let gone = "5000,Gone,gone@x.test,Finance,2026-01-01,left".to_owned();
    let all: Vec<&str> = many.iter().chain([&gone]).map(String::as_str).collect();
    let taken = world.deliver_file(&all).await.unwrap();
    assert_eq!((taken.rows, taken.events["joined"], taken.unchanged), (1_201, 1_200, 1));
    assert_eq!(people_of(&world).await, 1_200);
}

async fn people_of(world: &World) -> usize {
    let all: Vec<Identity> = world.all(Table::Identities).await;
    all.iter().filter(|one| one.kind == IdentityKind::Person).count()
}

fn code<T>(told: Result<T, EngineError>) -> &'static str {
    told.err().map_or("done", |error| error.code())
}

fn with(lines: &[(usize, &'static str)]) -> Vec<&'static str> {
    let mut all = PEOPLE.to_vec();
    for (n, line) in lines {
        all[n - 1] = line;
    }
    all
}

#[tokio::test]
async fn a_file_of_before_brings_nobody_back_until_two_people_say_so() {
    let mut scene = Scene::new(9).await;
    let left = with(&[(4, "4,Dan,dan@x.test,Sales,,left")]);
    scene.world.deliver_file(&left).await.unwrap();
    // What changes nothing for a leaver is delivered again as often as anybody likes.
    let moved = with(&[(4, left[3]), (1, "1,Ann,ann@x.test,Sales,,active")]);
    for again in [&left, &moved, &left] {
        scene.world.deliver_file(again).await.unwrap();
    }
    scene.world.quiet().await;
    let is_out = |scene: &Scene| scene.world.truth()["chat/dan@x.test"].contains("active=false");
    assert!(is_out(&scene));

    assert_eq!(code(scene.world.deliver_file(&PEOPLE).await), "feed-replayed");
    scene.world.quiet().await;
    assert!(is_out(&scene));
    let told = scene.world.findings("feed-held").await;
    assert!(
        told.len() == 1 && told[0].contains("4 after it") && told[0].contains("`4` among them"),
        "{told:?}"
    );
    // Another file that says he is here is no old one: he was hired again.
    let hired = with(&[(4, "4,Dan,dan@x.test,Finance,,active")]);
    scene.world.deliver_file(&hired).await.unwrap();
    scene.world.quiet().await;
    assert!(!is_out(&scene));

    scene.world.deliver_file(&moved).await.unwrap();
    scene.world.quiet().await;
    assert!(is_out(&scene));
    assert_eq!(code(scene.world.deliver_file(&hired).await), "feed-replayed");
    let batch = scene.last().await;
    scene.release(&batch, &scene.first).await.unwrap();
    assert!(is_out(&scene));
    scene.release(&batch, &scene.second).await.unwrap();
    scene.world.quiet().await;
    assert!(!is_out(&scene));
}

#[tokio::test]
async fn power_over_others_never_follows_from_an_attribute_and_leavers_flow_all_the_same() {
    let mut scene = Scene::new(1).await;
    let before = scene.world.truth();
    // One person gets an admin's department, which is within every limit; another one leaves.
    let poisoned = with(&[(2, "2,Bob,bob@x.test,Operations,,active"), (4, "4,Dan,dan@x.test,Sales,,left")]);
    assert_eq!(code(scene.world.deliver_file(&poisoned).await), "feed-privileged-change");
    scene.world.quiet().await;
    let truth = scene.world.truth();
    assert_eq!(truth["chat/bob@x.test"], before["chat/bob@x.test"]);
    assert!(truth["chat/dan@x.test"].contains("active=false"), "{}", truth["chat/dan@x.test"]);

    // It says who, why and what would have been.
    let told = scene.world.findings("feed-held").await;
    let says = "`2` would get `chat/admins`, which gives power over others, because of `department`";
    assert!(
        told.len() == 1 && told[0].contains(says) && told[0].contains("bailiwick batch show"),
        "{told:?}"
    );
    let batch = scene.last().await;
    let would = batch.would.clone().unwrap();
    let count = |of: &std::collections::BTreeMap<_, u64>| {
        of.iter()
            .map(|(name, n): (&bailiwick_core::id::EntitlementName, _)| format!("{name} {n}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(count(&would.gets), ["chat/admins 1"]);
    assert_eq!(count(&would.loses), ["chat/account 1", "chat/everyone 1", "chat/finance 1"]);
    assert_eq!((would.events["changed"], would.events["left"], would.people.len()), (1, 1, 2));

    // Two people let it go, neither of them Bob; then it is a plan that takes an approver, as any plan with power.
    let bob = scene.world.operator_with("bob", &["approver"], Some("hr/2"), 30).await;
    let nobody = scene.world.operator_with("nobody", &["approver"], None, 30).await;
    assert_eq!(code(scene.release(&batch, &bob).await), "feed-release-beneficiary");
    assert_eq!(code(scene.release(&batch, &nobody).await), "releaser-unknown");
    let other =
        scene.world.engine.release_batch(batch.id, Digest::of(b"x"), Some(scene.lying()), &scene.first).await;
    assert_eq!(code(other), "feed-not-seen");
    // It has waited for longer than a new one is promised in: that is not the source's fault.
    scene.world.pass(SignedDuration::from_hours(27));
    assert_eq!(code(scene.release(&batch, &scene.first).await), "done");
    assert_eq!(code(scene.release(&batch, &scene.first).await), "feed-release-same-person");
    scene.world.quiet().await;
    assert_eq!(scene.world.drafted().await.len(), 0, "one person alone releases nothing");
    scene.release(&batch, &scene.second).await.unwrap();
    scene.world.quiet().await;
    assert_eq!(scene.world.findings("feed-held").await, Vec::<String>::new());
    let drafted = scene.world.drafted().await;
    assert!(drafted.len() == 1 && drafted[0].plan.privileged);
    let (_, approver, phone) = scene.world.asker_and_approver().await;
    let (plan, digest) = (drafted[0].plan.id, drafted[0].digest);
    assert_eq!(code(scene.world.engine.approve(plan, digest, &approver).await), "step-up-needed");
    let shown = phone.code(scene.world.engine.now());
    scene.world.engine.approve_with(plan, digest, &approver, Some(&shown)).await.unwrap();
    scene.world.quiet().await;
    assert!(scene.world.truth()["chat/bob@x.test"].contains("Admins"));
    assert_eq!(code(scene.release(&batch, &scene.first).await), "feed-not-held");
    let fates: Vec<&str> = scene.batches().await.iter().map(|batch| batch.fate.name()).collect();
    assert_eq!(fates, ["accepted", "released", "accepted"]);
    assert!(scene.world.record_kinds().await.contains("batch-released"));
}

#[tokio::test]
async fn a_cohort_is_not_lost_in_the_crowd_and_a_later_delivery_corrects_it() {
    let mut scene = Scene::new(2).await;
    let before = scene.world.truth();
    // Two of the four in finance, which is a third of all: a half of a fifth is allowed of them.
    let cut = ["1,Ann,ann@x.test,Engineering,,active", PEOPLE[3], PEOPLE[1], PEOPLE[2]];
    assert_eq!(code(scene.world.deliver_file(&cut).await), "feed-too-much-loss");
    let batch = scene.last().await;
    let codes: Vec<&str> = batch.breaches.iter().map(bailiwick_core::contract::Breach::code).collect();
    assert_eq!(codes, ["feed-too-much-loss", "feed-cohort-loss"]);
    assert_eq!(batch.would.as_ref().unwrap().events["absent"], 2);
    scene.world.quiet().await;
    assert_eq!(scene.world.truth(), before);
    scene.release(&batch, &scene.first).await.unwrap();

    // Before the second one says so, the whole file comes.
    scene.world.deliver_file(&PEOPLE).await.unwrap();
    assert_eq!(code(scene.release(&batch, &scene.second).await), "feed-not-held");
    let fates: Vec<Fate> = scene.batches().await.into_iter().map(|batch| batch.fate).collect();
    let last = scene.last().await.id;
    assert_eq!(fates, [Fate::Accepted, Fate::Corrected { by: last }, Fate::Accepted]);
    scene.world.quiet().await;
    assert_eq!(scene.world.truth(), before);
}

#[tokio::test]
async fn a_release_is_of_what_was_seen_and_of_nothing_else() {
    let mut scene = Scene::new(3).await;
    let before = scene.world.truth();
    let poisoned = with(&[(2, "2,Bob,bob@x.test,Operations,,active")]);
    assert_eq!(code(scene.world.deliver_file(&poisoned).await), "feed-privileged-change");
    let batch = scene.last().await;
    scene.release(&batch, &scene.first).await.unwrap();
    // Somebody puts another file there.
    let worse =
        with(&[(2, "2,Bob,bob@x.test,Operations,,active"), (3, "3,Cyd,cyd@x.test,Operations,,active")]);
    assert_eq!(code(scene.world.deliver_file(&worse).await), "feed-privileged-change");
    assert_eq!(code(scene.release(&batch, &scene.second).await), "feed-replaced");
    // The first one is there again; meanwhile the rules give more for it.
    assert_eq!(code(scene.world.deliver_file(&poisoned).await), "feed-privileged-change");
    let again = scene.last().await;
    scene.release(&again, &scene.first).await.unwrap();
    scene.world.pass(SignedDuration::from_hours(9));
    scene.release(&again, &scene.second).await.unwrap();
    scene.world.quiet().await;
    assert_eq!(scene.world.truth(), before, "after eight hours it is a wish again, and not a release");
    // What is wrong with records is released by nobody.
    let twice = [&PEOPLE[..], &PEOPLE[..1]].concat();
    assert_eq!(code(scene.world.deliver_file(&twice).await), "feed-duplicate-key");
    let form = scene.last().await;
    assert!(form.would.is_none());
    // What is told is why the last one is held.
    let told = scene.world.findings("feed-held").await;
    assert!(told.len() == 1 && told[0].contains("the key `1` is on lines"), "{told:?}");
    assert_eq!(code(scene.release(&form, &scene.first).await), "feed-release-form");
    let none = scene.world.engine.release_batch(
        BatchId::from_bytes([1; 16]),
        form.shown(),
        Some(scene.lying()),
        &scene.first,
    );
    assert_eq!(code(none.await), "not-found");
}

#[tokio::test]
async fn an_old_delivery_is_no_news_and_silence_is_told() {
    let mut scene = Scene::new(4).await;
    // The same file within a day is nothing new; a source that is silent for longer is told about.
    scene.world.pass(SignedDuration::from_hours(20));
    scene.world.deliver_file(&PEOPLE).await.unwrap();
    scene.world.pass(SignedDuration::from_hours(25));
    scene.world.quiet().await;
    assert_eq!(scene.world.findings("feed-overdue").await, Vec::<String>::new());
    scene.world.pass(SignedDuration::from_hours(2));
    scene.world.quiet().await;
    assert_eq!(scene.world.findings("feed-overdue").await.len(), 1);

    // An export that stands still, or an old one that somebody puts there again, is held.
    assert_eq!(code(scene.world.deliver_file(&PEOPLE).await), "feed-stale");
    assert_eq!(scene.world.findings("feed-overdue").await.len(), 1);
    let fresh = with(&[(4, "4,Dan,dan@x.test,Sales,,left")]);
    scene.world.deliver_file(&fresh).await.unwrap();
    scene.world.quiet().await;
    assert_eq!(scene.world.findings("feed-overdue").await, Vec::<String>::new());
    assert_eq!(code(scene.world.deliver_file(&PEOPLE).await), "feed-replayed", "it would bring Dan back");
    scene.world.quiet().await;
    assert!(scene.world.truth()["chat/dan@x.test"].contains("active=false"));
}

#[tokio::test]
async fn nor_does_power_follow_for_whoever_was_missing_for_a_while_or_had_left() {
    let mut scene = Scene::new(19).await;
    let without: Vec<&str> = PEOPLE.iter().copied().filter(|line| !line.starts_with("2,")).collect();
    scene.world.deliver_file(&without).await.unwrap();
    scene.world.quiet().await;
    let back = "2,Bob,bob@x.test,Operations,,active";
    assert_eq!(code(scene.world.deliver_file(&with(&[(2, back)])).await), "feed-privileged-change");
    let gone = (4, "4,Dan,dan@x.test,Sales,,left");
    scene.world.deliver_file(&with(&[gone])).await.unwrap();
    scene.world.quiet().await;
    let back = "4,Dan,dan@x.test,Operations,,active";
    assert_eq!(code(scene.world.deliver_file(&with(&[(4, back)])).await), "feed-privileged-change");
    // Who comes back as they were is nobody's worry, and neither is who leaves with another department.
    let back = "4,Dan,dan@x.test,Sales,2027-01-31,active";
    scene.world.deliver_file(&with(&[(4, back)])).await.unwrap();
    scene.world.quiet().await;
    let gone = "4,Dan,dan@x.test,Operations,2026-01-31,left";
    scene.world.deliver_file(&with(&[(4, gone)])).await.unwrap();
}
