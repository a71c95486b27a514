//! People with several records: judged by what they have on the systems, in truth.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    access::AccessClass,
    account::Account,
    digest::Digest,
    exposure::Uses,
    id::{IntegrationName, PlanId, SourceName, SystemName},
    identity::Identity,
    integration::{Integration, Role},
    record::Actor,
    time::{SignedDuration, Timestamp},
    verify::Verdict,
};
use bailiwick_engine::{ArmRequest, Configuration, EngineError, Imported};
use bailiwick_store::{Table, entities::Operator};
use serde_json::json;
use world::{BEGIN, Phone, World};

const CAT: &str = "C1,Cat,cat@x.test,Engineering,,,active";
const BO: &str = "2,Bo,bo@x.test,Finance,,,active,";
const CY: &str = "3,Cy,cy@x.test,Finance,,,active,";

struct Scene {
    world: World,
    asker: Operator,
    approver: Operator,
    phone: Phone,
}

/// A day so many days after the world began.
fn day(after: i64) -> String {
    let begin = Timestamp::from_millisecond(BEGIN).unwrap();
    let day = begin + SignedDuration::from_hours(24 * after);
    day.to_string()[..10].to_owned()
}

/// Two sources: employees, who say which contractor they were, and contractors.
fn sources(configuration: &mut Configuration) {
    let hr = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "hr").unwrap();
    let contractors = Integration {
        name: IntegrationName::new("contractors").unwrap(),
        settings: json!({
            "file": "contractors.csv", "key": "id",
            "columns": { "email": "email", "display_name": "name", "department": "dept" },
            "start": "first_day", "end": "last_day",
            "status": "status", "active": ["active"], "terminated": ["left"]
        }),
        ..hr.clone()
    };
    hr.settings = json!({
        "file": "current.csv", "key": "id",
        "columns": { "email": "email", "display_name": "name", "department": "dept", "was": "was" },
        "start": "first_day", "end": "last_day",
        "status": "status", "active": ["active"], "terminated": ["left"]
    });
    let Role::Source { contract, .. } = &mut hr.role else { panic!("hr is a source") };
    contract.rank = 1;
    contract.previous_key =
        serde_json::from_value(json!({ "attribute": "was", "source": "contractors" })).unwrap();
    contract.attributes.get_mut("email").unwrap().unique = true;
    let Role::Source { contract, .. } = &hr.role else { panic!("hr is a source") };
    let contract =
        bailiwick_core::contract::SourceContract { rank: 100, previous_key: None, ..contract.clone() };
    let source = SourceName::new("contractors").unwrap();
    configuration.integrations.push(Integration { role: Role::Source { source, contract }, ..contractors });
}

impl Scene {
    async fn new(seed: u64) -> Self {
        Self::with(seed, sources).await
    }

    async fn with(seed: u64, change: impl FnOnce(&mut Configuration)) -> Self {
        let mut world = World::new(seed, &[("chat", &[]), ("wiki", &[])]).await;
        world.configure_with(change).await;
        hr(&world, &[BO, CY]).await.unwrap();
        contractors(&world, &[CAT]).await.unwrap();
        world.quiet().await;
        let (asker, approver, phone) = world.asker_and_approver().await;
        Self { world, asker, approver, phone }
    }

    async fn hr(&mut self, lines: &[&str]) -> Imported {
        self.world.pass(SignedDuration::from_secs(1));
        let all: Vec<&str> = [BO, CY].into_iter().chain(lines.iter().copied()).collect();
        let done = hr(&self.world, &all).await.unwrap();
        self.world.quiet().await;
        done
    }

    async fn contractors(&mut self, lines: &[&str]) {
        self.world.pass(SignedDuration::from_secs(1));
        contractors(&self.world, lines).await.unwrap();
        self.world.quiet().await;
    }

    async fn who(&self, text: &str) -> Identity {
        self.world.engine.find_identity(text).await.unwrap().value
    }

    async fn join(&self, who: &str, other: &str) -> Result<PlanId, &'static str> {
        let asked = self.world.engine.ask_join(who, other, "one person", &self.asker).await;
        asked.map(|plan| plan.id).map_err(|error| error.code())
    }

    async fn split(&self, who: &str, key: &str) -> Result<PlanId, &'static str> {
        let asked = self.world.engine.ask_split(who, key, "two people", &self.asker).await;
        asked.map(|plan| plan.id).map_err(|error| error.code())
    }

    async fn approve(&mut self, plan: PlanId) -> Result<(), &'static str> {
        self.approve_as(plan, self.approver.clone()).await
    }

    async fn approve_as(&mut self, plan: PlanId, by: Operator) -> Result<(), &'static str> {
        let row = self.world.plans().await.into_iter().find(|row| row.plan.id == plan).unwrap();
        self.world.pass(SignedDuration::from_secs(30));
        let code = self.phone.code(self.world.engine.now());
        let done = self.world.engine.approve_with(plan, row.digest, &by, Some(&code)).await;
        let done = done.map(drop).map_err(|error| error.code());
        self.world.quiet().await;
        done
    }

    /// What somebody has on a system: nothing, or whether the account works and in which groups it is.
    fn has(&self, system: &str, user: &str) -> Option<(bool, Vec<&'static str>)> {
        let line = self.world.truth().get(&format!("{system}/{user}@x.test"))?.clone();
        let groups = ["Everyone", "Engineering", "Finance", "Admins"];
        let held = groups.into_iter().filter(|group| line.contains(&format!("\"{group}\""))).collect();
        Some((line.contains("active=true"), held))
    }
}

async fn hr(world: &World, lines: &[&str]) -> Result<Imported, EngineError> {
    deliver(world, "hr", "current.csv", ",was", lines).await
}

async fn contractors(world: &World, lines: &[&str]) -> Result<Imported, EngineError> {
    deliver(world, "contractors", "contractors.csv", "", lines).await
}

async fn deliver(
    world: &World,
    source: &str,
    file: &str,
    more: &str,
    lines: &[&str],
) -> Result<Imported, EngineError> {
    let text = format!("id,name,email,dept,first_day,last_day,status{more}\n{}\n", lines.join("\n"));
    std::fs::write(world.folder.path().join(file), &text).unwrap();
    // No two files are alike: each says when it was made.
    let digest = Digest::of_value(&(text, world.clock()));
    world.engine.import(&SourceName::new(source).unwrap(), digest).await
}

const ENGINEER: (bool, [&str; 2]) = (true, ["Everyone", "Engineering"]);
const FINANCIER: (bool, [&str; 2]) = (true, ["Everyone", "Finance"]);

#[track_caller]
fn has(of: Option<(bool, Vec<&'static str>)>, expect: (bool, [&str; 2])) {
    assert_eq!(of, Some((expect.0, expect.1.to_vec())));
}

#[tokio::test]
async fn a_contractor_becomes_an_employee_without_a_gap_and_without_a_leftover() {
    let mut scene = Scene::new(1).await;
    has(scene.has("chat", "cat"), ENGINEER);
    let before = scene.who("contractors/C1").await;
    // Their last day as a contractor is the day before their first as an employee.
    let (last, first) = (day(9), day(10));
    scene.contractors(&[&format!("C1,Cat,cat@x.test,Engineering,,{last},active")]).await;
    scene.hr(&[&format!("9,Cat,cat@x.test,Finance,{first},,active,C1")]).await;
    let both = scene.who("hr/9").await;
    assert_eq!((both.id, both.engagements.len()), (before.id, 2));
    has(scene.has("chat", "cat"), ENGINEER);
    scene.world.pass(SignedDuration::from_hours(24 * 10));
    scene.world.quiet().await;
    has(scene.has("chat", "cat"), FINANCIER);
    let effects = scene.world.effects();
    let did =
        |what: &str| effects.iter().filter(|(key, _)| key.contains(what) && key.contains("cat@")).count();
    assert_eq!(did("Disabled") + did("Deleted") + did("Blocked"), 0, "{effects:?}");
    assert_eq!(
        scene
            .world
            .all::<Account>(Table::Accounts)
            .await
            .iter()
            .filter(|a| a.username == "cat@x.test")
            .count(),
        2
    );
    // That the contractor's record is terminated now is not the person's departure.
    scene.contractors(&[&format!("C1,Cat,cat@x.test,Engineering,,{last},left")]).await;
    has(scene.has("chat", "cat"), FINANCIER);
    assert_eq!(scene.world.cases().await.len(), 0);
    // That the last one ends is.
    scene.hr(&[&format!("9,Cat,cat@x.test,Finance,{first},,left,C1")]).await;
    assert!(!scene.has("chat", "cat").unwrap().0);
    assert_eq!(
        (scene.world.cases().await.len(), scene.who("contractors/C1").await.lifecycle.name()),
        (1, "left")
    );
}

#[tokio::test]
async fn a_gap_between_two_engagements_is_a_departure_and_a_return() {
    let mut scene = Scene::new(2).await;
    let (last, first) = (day(9), day(15));
    scene.contractors(&[&format!("C1,Cat,cat@x.test,Engineering,,{last},active")]).await;
    scene.hr(&[&format!("9,Cat,cat@x.test,Finance,{first},,active,C1")]).await;
    scene.world.pass(SignedDuration::from_hours(24 * 11));
    scene.world.quiet().await;
    assert_eq!((scene.has("chat", "cat").unwrap().0, scene.world.cases().await.len()), (false, 1));
    scene.world.pass(SignedDuration::from_hours(24 * 5));
    scene.world.quiet().await;
    has(scene.has("chat", "cat"), FINANCIER);
}

#[tokio::test]
async fn whoever_is_inactive_or_powerful_is_not_joined_by_a_source_alone() {
    let mut scene = Scene::new(3).await;
    scene.contractors(&["C1,Cat,cat@x.test,Engineering,,,left"]).await;
    scene.hr(&["9,Cat,cat9@x.test,Finance,,,active,C1", "8,Dee,dee@x.test,Finance,,,active,C77"]).await;
    assert_ne!(scene.who("hr/9").await.id, scene.who("contractors/C1").await.id);
    let told = scene.world.findings("identity-ambiguous").await;
    assert!(told.iter().any(|m| m.contains("identity join contractors/C1 hr/9")), "{told:?}");
    let told = scene.world.findings("previous-key-unknown").await;
    assert!(told.iter().any(|m| m.contains("contractors/C77")), "{told:?}");
    assert!(!scene.has("chat", "cat").unwrap().0);
}

#[tokio::test]
async fn a_wrong_join_is_split_and_each_has_what_was_theirs() {
    let mut scene = Scene::new(4).await;
    scene.hr(&["9,Eve,eve@x.test,Finance,,,active,"]).await;
    let (cat, eve) = (scene.who("contractors/C1").await, scene.who("hr/9").await);
    let plan = scene.join("contractors/C1", "hr/9").await.unwrap();
    // Who asked does not approve, and nothing happens until then.
    assert_eq!(scene.approve_as(plan, scene.asker.clone()).await, Err("approval-by-requester"));
    has(scene.has("chat", "eve"), FINANCIER);
    scene.world.behind("chat", json!({ "tokens": [{ "user": "cat@x.test", "name": "ci" }] }));
    scene.approve(plan).await.unwrap();
    // The employee's record leads, so its account is kept; the other one is ended.
    let joined = scene.who("hr/9").await;
    assert_eq!((joined.id, joined.engagements.len()), (cat.id, 2));
    assert_eq!(scene.who(&eve.id.to_string()).await.id, cat.id);
    has(scene.has("chat", "eve"), FINANCIER);
    assert_eq!(scene.has("chat", "cat"), Some((false, vec![])));
    // That it is ended, and the token with it, is proven as of a leaver; nothing is to be proven of who stays.
    let cat_there = scene.world.lab.truth("chat").unwrap().user("cat@x.test").unwrap().clone();
    assert!(cat_there.is_stripped() && cat_there.tokens.len() == 1, "{cat_there:?}");
    let cases = scene.world.cases().await;
    let case = cases.iter().find(|case| case.identity == eve.id).unwrap();
    assert!(case.closed.is_some(), "{:?}", scene.world.all_cells().await);
    assert!(cases.iter().all(|case| case.identity != cat.id), "{cases:?}");
    let cells = scene.world.all_cells().await;
    let proven =
        cells.iter().find(|cell| cell.class == AccessClass::ApiTokens && cell.system.as_str() == "chat");
    assert!(matches!(proven.map(|cell| &cell.verdict), Some(Verdict::Removed)), "{cells:?}");
    // A comparison finds nothing to do and nobody to ask.
    for system in ["chat", "wiki"] {
        let found = scene.world.engine.reconcile(&SystemName::new(system).unwrap(), true).await.unwrap();
        assert!(
            found.classes.differences.iter().all(|d| d.difference.class.as_str() != "duplicate"),
            "{found:?}"
        );
    }
    scene.world.quiet().await;
    has(scene.has("chat", "eve"), FINANCIER);
    // They are two people after all.
    assert_eq!(scene.split("contractors/C1", "contractors/C1").await, Err("split-own-key"));
    assert_eq!(scene.split("contractors/C1", "hr/2").await, Err("split-not-joined"));
    let plan = scene.split("contractors/C1", "hr/9").await.unwrap();
    scene.approve(plan).await.unwrap();
    let (cat_now, eve_now) = (scene.who("contractors/C1").await, scene.who("hr/9").await);
    assert_eq!((cat_now.id, eve_now.id), (cat.id, eve.id));
    assert_eq!((&cat_now.attributes, &eve_now.attributes), (&cat.attributes, &eve.attributes));
    for system in ["chat", "wiki"] {
        has(scene.has(system, "cat"), ENGINEER);
        has(scene.has(system, "eve"), FINANCIER);
    }
    // Each leaves for themselves.
    scene.hr(&["9,Eve,eve@x.test,Finance,,,left,"]).await;
    has(scene.has("chat", "cat"), ENGINEER);
    assert!(!scene.has("chat", "eve").unwrap().0);
    let bare = |accounts: Vec<Account>| accounts.iter().filter(|a| a.for_key.is_some()).count();
    assert_eq!(bare(scene.world.all(Table::Accounts).await), 0);
}

#[tokio::test]
async fn a_record_that_goes_missing_takes_nothing_and_in_the_end_somebody_decides() {
    let mut scene = Scene::new(16).await;
    let both = |status: &str| format!("4,Cat,cat@x.test,Finance,,,{status},C1");
    scene.hr(&[&both("active")]).await;
    has(scene.has("chat", "cat"), FINANCIER);
    // The record that leads is missing, and leads as it did.
    scene.hr(&[]).await;
    has(scene.has("chat", "cat"), FINANCIER);
    const TOLD: &str = "absent-grace-over";
    assert!(scene.world.findings(TOLD).await.is_empty());
    scene.world.pass(SignedDuration::from_hours(24 * 15));
    scene.world.quiet().await;
    has(scene.has("chat", "cat"), FINANCIER);
    assert_eq!(scene.world.findings(TOLD).await.len(), 1);
    // The source says that it ended: the other one leads, and nobody has to decide any more.
    scene.hr(&[&both("left")]).await;
    has(scene.has("chat", "cat"), ENGINEER);
    assert!(scene.world.findings(TOLD).await.is_empty());
}

#[tokio::test]
async fn what_is_under_way_or_changed_since_is_not_joined_and_both_are_beneficiaries() {
    let mut scene = Scene::new(5).await;
    scene.hr(&["9,Eve,eve@x.test,Finance,,,active,"]).await;
    assert_eq!(scene.join("hr/9", "hr/9").await, Err("join-same"));
    let own = scene.world.operator_with("eve", &["approver"], Some("hr/9"), 9).await;
    let plan = scene.join("contractors/C1", "hr/9").await.unwrap();
    assert_eq!(scene.approve_as(plan, own).await, Err("approval-by-beneficiary"));
    // What was shown is not so any more.
    scene.hr(&["9,Eve,eve@x.test,Engineering,,,active,"]).await;
    assert_eq!(scene.approve(plan).await, Err("plan-superseded"));
    assert_ne!(scene.who("hr/9").await.id, scene.who("contractors/C1").await.id);
    // A second asking takes the place of the first.
    let plan = scene.join("contractors/C1", "hr/9").await.unwrap();
    let second = scene.join("contractors/C1", "hr/9").await.unwrap();
    assert_eq!(scene.approve(plan).await, Err("plan-superseded"));
    scene.approve(second).await.unwrap();
    assert_eq!(scene.who("hr/9").await.id, scene.who("contractors/C1").await.id);
}

#[tokio::test]
async fn whoever_was_fired_is_gone_until_each_source_has_said_so() {
    let mut scene = Scene::new(6).await;
    scene.hr(&["9,Cat,cat@x.test,Finance,,,active,C1"]).await;
    has(scene.has("chat", "cat"), FINANCIER);
    let boss = scene.world.operator_with("boss", &["terminator"], Some("hr/2"), 9).await;
    let asked = ArmRequest { persons: vec!["hr/9".into()], reason: "fraud".into(), hours: 4 };
    let armed = scene.world.engine.arm(asked, &boss).await.unwrap();
    scene.world.engine.fire(&[armed[0].id.to_string()], &boss).await.unwrap();
    scene.world.quiet().await;
    assert!(!scene.has("chat", "cat").unwrap().0);
    // One source has heard of it; the other goes on saying that they are here.
    scene.hr(&["9,Cat,cat@x.test,Finance,,,left,C1"]).await;
    scene.contractors(&[CAT]).await;
    scene.contractors(&["C1,Cat,cat@x.test,Sales,,,active"]).await;
    assert!(!scene.has("chat", "cat").unwrap().0);
    assert_eq!(scene.world.findings("fired-still-here").await.len(), 1);
    // Now both have, and what they say counts again.
    scene.contractors(&["C1,Cat,cat@x.test,Sales,,,left"]).await;
    assert_eq!(scene.world.findings("fired-still-here").await.len(), 0);
    scene.hr(&["9,Cat,cat@x.test,Finance,,,active,C1"]).await;
    has(scene.has("chat", "cat"), FINANCIER);
}

#[tokio::test]
async fn the_same_address_on_two_identities_is_for_people_to_judge() {
    let mut scene = Scene::new(7).await;
    scene.hr(&["9,Cat,CAT@x.test,Finance,,,active,"]).await;
    let told = scene.world.findings("identity-ambiguous").await;
    assert!(told.len() == 1 && told[0].contains("they have the same `email`"), "{told:?}");
    assert!(told[0].contains("identity join contractors/C1 hr/9"), "{told:?}");
    assert_ne!(scene.who("hr/9").await.id, scene.who("contractors/C1").await.id);
    scene.hr(&["9,Cat,cat9@x.test,Finance,,,active,"]).await;
    assert_eq!(scene.world.findings("identity-ambiguous").await.len(), 0);
}

#[tokio::test]
async fn an_end_that_two_people_took_back_counts_again_when_the_source_says_something_new() {
    let mut scene = Scene::new(8).await;
    let last = day(9);
    let line = |last: &str, status: &str| format!("9,Eve,eve@x.test,Finance,,{last},{status},");
    scene.hr(&[&line(&last, "active")]).await;
    let until = scene.world.clock() + SignedDuration::from_hours(24 * 30);
    let leaving = scene.world.engine.leaving(until).await.unwrap();
    assert_eq!((leaving.len(), leaving[0].said_by[0].to_string()), (1, "hr/9".to_owned()));
    assert_eq!(leaving[0].end.meant.as_ref().map(|day| day.date.to_string()), Some(last.clone()));
    let soon = scene.world.clock() + SignedDuration::from_hours(24 * 2);
    assert_eq!(scene.world.engine.leaving(soon).await.unwrap().len(), 0);
    let engine = scene.world.engine.clone();
    let stay =
        async |who: &str, by: &Operator| engine.ask_stay(who, "prolonged", by).await.map(|plan| plan.id);
    assert_eq!(stay("hr/2", &scene.asker).await.unwrap_err().code(), "stay-no-end");
    let plan = stay("hr/9", &scene.asker).await.unwrap();
    assert_eq!(scene.approve_as(plan, scene.asker.clone()).await, Err("approval-by-requester"));
    scene.approve(plan).await.unwrap();
    assert_eq!(scene.world.engine.leaving(until).await.unwrap()[0].cancelled, Some(plan));
    // The same word again is nothing new, also when the day is over.
    scene.hr(&[&line(&last, "active")]).await;
    scene.world.pass(SignedDuration::from_hours(24 * 20));
    scene.world.quiet().await;
    scene.hr(&[&line(&last, "active")]).await;
    has(scene.has("chat", "eve"), FINANCIER);
    // That they are terminated is.
    scene.hr(&[&line(&last, "left")]).await;
    assert!(!scene.has("chat", "eve").unwrap().0);
    assert_eq!(stay("hr/9", &scene.asker).await.unwrap_err().code(), "stay-gone");
}

#[tokio::test]
async fn another_day_is_a_new_word_and_asking_twice_or_too_late_is_void() {
    let mut scene = Scene::new(9).await;
    let line = |last: &str| format!("9,Eve,eve@x.test,Finance,,{last},active,");
    scene.hr(&[&line(&day(9))]).await;
    let engine = scene.world.engine.clone();
    let plan = engine.ask_stay("hr/9", "prolonged", &scene.asker).await.unwrap().id;
    // The source says another day before anybody approves.
    scene.hr(&[&line(&day(8))]).await;
    assert_eq!(scene.approve(plan).await, Err("plan-superseded"));
    let plan = engine.ask_stay("hr/9", "prolonged", &scene.asker).await.unwrap().id;
    scene.approve(plan).await.unwrap();
    scene.hr(&[&line(&day(7))]).await;
    scene.world.pass(SignedDuration::from_hours(24 * 8));
    scene.world.quiet().await;
    assert!(!scene.has("chat", "eve").unwrap().0, "another day is something new");
}

#[tokio::test]
async fn a_departure_that_is_told_late_says_what_was_open_and_what_logs_have_of_it() {
    // The log of the lab calls whoever comes by its back door the administrator.
    let mut world = World::new(10, &[("chat", &[]), ("wiki", &[])]).await;
    world
        .configure_with(|configuration| {
            sources(configuration);
            let chat = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
            chat.settings["audit"] = json!({
                "list": "/api/audit", "after": "after", "items": "entries", "mark": "seq", "at": "at",
                "actor": "actor", "ours": ["integration"], "deed": "effect", "account": "user"
            });
            chat.scope.rules.push("list GET /api/audit".parse().unwrap());
        })
        .await;
    let line = |dept: &str, last: &str, status: &str| format!("9,Eve,administrator,{dept},,{last},{status},");
    hr(&world, &[BO, CY, &line("Engineering", "", "active")]).await.unwrap();
    world.quiet().await;
    world.pass(SignedDuration::from_hours(24 * 3));
    hr(&world, &[BO, CY, &line("Finance", "", "active")]).await.unwrap();
    world.quiet().await;
    world.behind("chat", json!({ "sessions": ["administrator"] }));
    world.pass(SignedDuration::from_hours(24 * 3));
    // Her last day was before she moved.
    hr(&world, &[BO, CY, &line("Finance", &day(1), "left")]).await.unwrap();
    world.quiet().await;
    let case = world.cases().await.pop().unwrap();
    let exposure = case.exposure.unwrap();
    assert_eq!((exposure.from, exposure.heard), (case.effective, case.opened));
    let names = |system: &str| {
        let open = &exposure.access[&SystemName::new(system).unwrap()];
        open.entitlements.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("chat"), ["chat/engineering", "chat/everyone", "chat/finance"]);
    assert_eq!(names("wiki"), ["wiki/engineering", "wiki/everyone", "wiki/finance"]);
    let uses = |system: &str| exposure.access[&SystemName::new(system).unwrap()].uses.clone();
    assert!(matches!(uses("chat"), Uses::Read { count: 1.., whole: true, .. }), "{:?}", uses("chat"));
    assert_eq!(uses("wiki"), Uses::None);
    assert_eq!(world.records("exposed").await, 1);
    world.sequencer().publish(world.clock()).await.unwrap();
    let figures = world.engine.metrics(Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(figures.late.cases, 1);
    assert_eq!(figures.late.spread.unwrap().max_ms, exposure.millis());
    // Who leaves on a day that was known is not told late.
    hr(&world, &[BO, &format!("3,Cy,cy@x.test,Finance,,{},active,", day(8))]).await.unwrap();
    world.pass(SignedDuration::from_hours(24 * 5));
    world.quiet().await;
    let cases = world.cases().await;
    assert_eq!(cases.iter().map(|case| case.exposure.is_some()).collect::<Vec<_>>(), [true, false]);
}

/// A system where the sign-in name is nobody else's.
fn named(configuration: &mut Configuration) {
    sources(configuration);
    for system in &mut configuration.systems {
        system.unique = ["userName".to_owned()].into();
        system.reserved_days = (system.name.as_str() == "wiki").then_some(90);
    }
}

#[tokio::test]
async fn the_name_of_a_leaver_is_given_to_nobody_else_until_two_people_release_it() {
    let mut scene = Scene::with(11, named).await;
    let cat = scene.who("contractors/C1").await.id;
    let before = scene.world.truth()["chat/cat@x.test"].clone();
    scene.contractors(&["C1,Cat,cat@x.test,Engineering,,,left"]).await;
    let left = scene.world.truth()["chat/cat@x.test"].clone();
    assert_ne!(before, left);
    // Another Cat, who would get her address; upper case is no other name.
    scene.hr(&["9,Cat Coe,CAT@x.test,Finance,,,active,"]).await;
    for system in ["chat", "wiki"] {
        assert_eq!(scene.world.lab.truth(system).unwrap().users.len(), 3, "nobody got it on {system}");
    }
    let told = scene.world.findings("name-reserved").await;
    assert!(told.len() == 2 && told.iter().all(|m| m.contains(&cat.to_string())), "{told:?}");
    assert_eq!(told.iter().filter(|m| m.contains("for ever")).count(), 1, "{told:?}");
    let names = scene.world.engine.reserved_names().await.unwrap();
    assert!(!serde_json::to_string(&names).unwrap().to_lowercase().contains("cat@"), "{names:?}");
    let chat = names.iter().find(|name| name.system.as_str() == "chat").unwrap().id;
    // Who waits for it does not release it, and nobody does alone.
    let own = scene.world.operator_with("cat", &["approver"], Some("hr/9"), 9).await;
    let engine = scene.world.engine.clone();
    let release = async |by: &Operator| {
        let done = engine.release_name(chat, "the mailbox is gone", by).await;
        done.map(|name| name.state.name()).map_err(|error| error.code())
    };
    assert_eq!(release(&own).await, Err("name-release-beneficiary"));
    assert_eq!(release(&scene.asker).await, Ok("release-asked"));
    assert_eq!(release(&scene.asker).await, Err("name-release-same-person"));
    assert_eq!(scene.world.lab.truth("chat").unwrap().users.len(), 3);
    assert_eq!(release(&scene.approver).await, Ok("released"));
    scene.world.quiet().await;
    // The system has the disabled account of that name still: it is not taken over.
    assert_eq!(scene.world.truth()["chat/cat@x.test"], left);
    let refused = scene.world.findings("change-refused").await;
    assert!(refused.iter().any(|m| m.contains("a disabled account of this name")), "{refused:?}");
    // Erasing what is personal of her leaves the names as they are.
    scene.world.engine.erase(cat, Actor::Operator("test".into())).await.unwrap();
    assert_eq!(scene.world.engine.reserved_names().await.unwrap().len(), 2);
}

#[tokio::test]
async fn another_name_lets_somebody_go_on() {
    let mut scene = Scene::with(12, named).await;
    scene.contractors(&["C1,Cat,cat@x.test,Engineering,,,left"]).await;
    scene.hr(&["9,Cat Coe,cat@x.test,Finance,,,active,"]).await;
    assert_eq!(scene.world.findings("name-reserved").await.len(), 2);
    scene.hr(&["9,Cat Coe,coe@x.test,Finance,,,active,"]).await;
    assert_eq!(scene.world.findings("name-reserved").await.len(), 0);
    has(scene.has("chat", "coe"), FINANCIER);
    // Nor is the name given to her later, by a change of it.
    scene.hr(&["9,Cat Coe,cat@x.test,Finance,,,active,"]).await;
    has(scene.has("chat", "coe"), FINANCIER);
    assert_eq!(scene.world.findings("name-reserved").await.len(), 2);
    // Whoever comes back has their own name.
    scene.contractors(&[CAT]).await;
    has(scene.has("chat", "cat"), ENGINEER);
}

#[tokio::test]
async fn an_account_of_that_name_which_is_nobodys_is_not_taken_over() {
    let mut scene = Scene::with(13, named).await;
    scene.world.behind("chat", json!({ "users": [{ "userName": "eve@x.test", "active": false }] }));
    let before = scene.world.truth()["chat/eve@x.test"].clone();
    scene.hr(&["9,Eve,eve@x.test,Finance,,,active,"]).await;
    assert_eq!(scene.world.truth()["chat/eve@x.test"], before);
    let refused = scene.world.findings("change-refused").await;
    assert!(refused.iter().any(|m| m.contains("of this name is there")), "{refused:?}");
    has(scene.has("wiki", "eve"), FINANCIER);
}

#[tokio::test]
async fn a_name_that_is_kept_for_a_time_is_given_after_it() {
    let mut scene = Scene::with(14, named).await;
    scene.contractors(&["C1,Cat,cat@x.test,Engineering,,,left"]).await;
    scene.hr(&["9,Cat Coe,cat@x.test,Finance,,,active,"]).await;
    let waits = async |world: &World| {
        let open = world.engine.open_findings().await.unwrap().into_iter();
        let waits = open.filter(|finding| finding.code == "name-reserved");
        waits.map(|finding| finding.system.unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(waits(&scene.world).await.len(), 2);
    scene.world.pass(SignedDuration::from_hours(24 * 89));
    scene.world.quiet().await;
    assert_eq!(waits(&scene.world).await.len(), 2);
    scene.world.pass(SignedDuration::from_hours(24 * 2));
    scene.world.quiet().await;
    assert_eq!(waits(&scene.world).await, ["chat"]);
}

#[tokio::test]
async fn whoever_was_armed_by_one_id_is_fired_as_the_one_they_are_and_loses_tokens_of_every_key() {
    let mut scene = Scene::new(15).await;
    scene.hr(&["9,Cat Coe,coe@x.test,Finance,,,active,"]).await;
    let boss = scene.world.operator_with("boss", &["terminator"], Some("hr/2"), 9).await;
    let asked = ArmRequest { persons: vec!["hr/9".into()], reason: "fraud".into(), hours: 4 };
    let armed = scene.world.engine.arm(asked, &boss).await.unwrap();
    let plan = scene.join("contractors/C1", "hr/9").await.unwrap();
    scene.approve(plan).await.unwrap();
    scene.world.operator_with("cat", &["operator"], Some("hr/9"), 9).await;
    has(scene.has("chat", "coe"), FINANCIER);
    scene.world.engine.fire(&[armed[0].id.to_string()], &boss).await.unwrap();
    scene.world.quiet().await;
    for system in ["chat", "wiki"] {
        assert!(!scene.has(system, "coe").unwrap().0 && !scene.has(system, "cat").unwrap().0, "{system}");
    }
    let who = scene.who("contractors/C1").await;
    assert_eq!(who.lifecycle.name(), "left");
    let operators: Vec<Operator> = scene.world.all(Table::Operators).await;
    let cat = operators.iter().find(|operator| operator.name == "cat").unwrap();
    assert!(cat.expires <= scene.world.clock());
    // Both sources say so, and then nothing personal stays under either key.
    scene.contractors(&["C1,Cat,cat@x.test,Engineering,,,left"]).await;
    scene.hr(&["9,Cat Coe,coe@x.test,Finance,,,left,"]).await;
    scene.world.engine.erase(who.id, Actor::Operator("test".into())).await.unwrap();
    let bare = scene.who("hr/9").await;
    assert!(bare.attributes.is_empty() && bare.engagements.iter().all(|record| record.attributes.is_empty()));
}
