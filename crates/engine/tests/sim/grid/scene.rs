//! A cell, played: a small world in which one thing goes wrong, and what was noticed of it.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use bailiwick_core::{
    event::{Event, EventKind},
    finding::Finding,
    id::SystemName,
    identity::Identity,
    integration::Role,
    record::Actor,
    system::System,
    time::{SignedDuration, Timestamp},
    trace::State,
};
use bailiwick_engine::Configuration;
use bailiwick_lab::Behaviour;
use bailiwick_store::Table;
use serde_json::json;
use sqlx::Connection;

use super::{
    Outcome,
    cells::{Cell, Feed, How},
    reading,
};
use crate::world::{Passing, Template, World, declared::audited, planted::Bug};

const ANN: &str = "0,Ann,ann@x.test,Engineering,,active";
const BOB: &str = "1,Bob,bob@x.test,Finance,,active";
const MOVED: &str = "1,Bob,bob@x.test,Engineering,,active";
const LEFT: &str = "1,Bob,bob@x.test,Finance,2026-01-01,left";
pub const SYSTEM: &str = "chat";

fn chat() -> SystemName {
    SystemName::new(SYSTEM).unwrap()
}

/// A canary may be given a token, and it is tried.
fn tryable(configuration: &mut Configuration) {
    let integration = configuration.integrations.iter_mut().find(|i| i.name.as_str() == SYSTEM).unwrap();
    let tokens = &mut integration.settings["held"]["api-tokens"];
    tokens["issue"] =
        json!({ "make": "POST /api/users/{id}/tokens", "body": { "name": "canary" }, "given": "secret" });
    tokens["try"] = json!("/api/whoami");
    for rule in ["issue POST /api/users/{id}/tokens", "try GET /api/whoami"] {
        integration.scope.rules.push(rule.parse().unwrap());
    }
}

/// The source promises a delivery each week.
fn promised(configuration: &mut Configuration) {
    for integration in &mut configuration.integrations {
        if let Role::Source { contract, .. } = &mut integration.role {
            contract.max_age_hours = Some(7 * 24);
        }
    }
}

thread_local! {
    /// What was set up once, by what is planted.
    static TEMPLATES: RefCell<BTreeMap<Set, Rc<Template>>> = RefCell::default();
}

/// The mistake that is planted, and whether the system's own log is read.
type Set = (Option<&'static str>, bool);

async fn template(bug: Option<Bug>, logged: bool) -> Rc<Template> {
    let key = (bug.map(Bug::name), logged);
    if let Some(known) = TEMPLATES.with_borrow(|all| all.get(&key).cloned()) {
        return known;
    }
    let template = Template::new(&[SYSTEM], |configuration| {
        tryable(configuration);
        promised(configuration);
        let scim = configuration.integrations.iter_mut().filter(|i| i.connector == "scim");
        scim.zip(key.0).for_each(|(integration, bug)| integration.settings["planted"] = bug.into());
        if logged {
            audited(configuration, SYSTEM);
            // As often as it is compared otherwise: a world is quiet only where nothing is due soon.
            configuration.systems.iter_mut().for_each(|s| s.audit_every_ms = System::usual_reconcile_every());
        }
    });
    let template = Rc::new(template.await);
    TEMPLATES.with_borrow_mut(|all| all.insert(key, template.clone()));
    template
}

/// A world with Ann and Bob, who has a token and a session, on a system that behaves so.
async fn scene(behaviours: &[Behaviour], bug: Option<Bug>) -> World {
    peopled(template(bug, false).await.world(7, &[behaviours.to_vec()]).await).await
}

async fn peopled(mut world: World) -> World {
    world.deliver_file(&[ANN, BOB]).await.unwrap();
    world.quiet().await;
    world.behind(
        SYSTEM,
        json!({ "tokens": [{ "user": "bob@x.test", "name": "ci" }], "sessions": ["bob@x.test"] }),
    );
    world
}

/// Whether Ann has what policy gives her and Bob nothing that lives.
fn right(world: &World) -> bool {
    let truth = world.lab.truth(SYSTEM).unwrap();
    let ann = truth.user("ann@x.test").is_some_and(|ann| ann.active && ann.groups.len() == 2);
    let bob = truth.user("bob@x.test").is_none_or(bailiwick_lab::TrueUser::is_stripped);
    ann && bob
}

/// What was said first since an instant, and when.
async fn noticed(world: &World, since: Timestamp) -> Option<(String, i64)> {
    let mut said: Vec<(Timestamp, String)> = Vec::new();
    let findings: Vec<Finding> = world.all(Table::Findings).await;
    // That an integration is to be reviewed has nothing to do with it.
    let findings = findings.into_iter().filter(|finding| finding.code != "review-due");
    said.extend(findings.map(|finding| (finding.opened, finding.code)));
    let events: Vec<Event> = world.all(Table::Events).await;
    for event in events {
        match event.kind {
            EventKind::Residue { class, .. } => said.push((event.accepted, format!("residue of {class}"))),
            EventKind::Drifted { .. } => said.push((event.accepted, "drift".into())),
            EventKind::Absent => said.push((event.accepted, "absent, with grace".into())),
            _ => {}
        }
    }
    said.retain(|(at, _)| *at >= since);
    said.sort();
    let first = said.into_iter().next().map(|(at, said)| (said, minutes(since, at)));
    match first {
        Some(first) => Some(first),
        None => late(world).await.map(|hop| (hop, minutes(since, world.clock()))),
    }
}

/// The first hop of Bob's last event that was late or is stuck.
async fn late(world: &World) -> Option<String> {
    let identities: Vec<Identity> = world.all(Table::Identities).await;
    let bob = identities.iter().find(|identity| identity.source_key.key == "1")?;
    let trace = world.engine.trace(&bob.id.to_string()).await.ok()?;
    let hop = trace.hops.into_iter().find(|hop| matches!(hop.state, State::Late | State::Stuck))?;
    Some(format!("trace: {} {}", hop.step.as_str(), hop.state.as_str()))
}

fn minutes(since: Timestamp, at: Timestamp) -> i64 {
    (at.as_second() - since.as_second() + 59) / 60
}

pub async fn judged(world: &World, since: Timestamp) -> Outcome {
    match (noticed(world, since).await, right(world)) {
        (Some((by, minutes)), mended) => Outcome::Detected { by, minutes, mended },
        (None, true) => Outcome::Harmless(String::new()),
        (None, false) => Outcome::Undetected,
    }
}

/// That somebody left is known later than it took effect, and said so.
pub async fn exposed(world: &World) -> Outcome {
    let case = world.cases().await.pop().unwrap();
    let (by, minutes) = ("a case opened after it took effect", minutes(case.effective, case.opened));
    match minutes > 60 {
        true => Outcome::Detected { by: by.into(), minutes, mended: right(world) },
        false => Outcome::Undetected,
    }
}

/// Ten people are said to have left, and all work on.
pub async fn spared(world: &World, since: Timestamp) -> Outcome {
    let truth = world.lab.truth(SYSTEM).unwrap();
    let working = truth.users.iter().filter(|user| user.active).count();
    match noticed(world, since).await {
        Some((by, minutes)) => Outcome::Detected { by, minutes, mended: working == 10 },
        None => Outcome::Undetected,
    }
}

/// Hours in which work goes on.
pub async fn hours(world: &mut World, hours: i64) {
    for _ in 0..hours {
        world.quiet().await;
        world.pass(SignedDuration::from_hours(1));
    }
    world.quiet().await;
}

/// Plays a cell.
pub async fn played(cell: &Cell) -> Outcome {
    match &cell.how {
        How::Never(why) => Outcome::Never(why),
        How::Feed(feed) => fed(*feed).await,
        How::Read(feed) => reading::read(*feed).await,
        How::Crash(behaviours) => died(behaviours).await,
        How::Engines(behaviours) => {
            let mut world = scene(behaviours, None).await;
            world.joined();
            world.joined();
            let since = left(&mut world).await;
            match behaviours {
                // Nothing is wrong there but that several work.
                [] => judged(&world, since).await,
                _ => same_as_alone(&world, behaviours).await,
            }
        }
        How::Overtaking => {
            let mut world = scene(&[], None).await;
            let since = world.clock();
            world.deliver_file(&[ANN, MOVED]).await.unwrap();
            left(&mut world).await;
            judged(&world, since).await
        }
        How::Weather { writes, weather } => {
            let mut world = scene(&[], None).await;
            world.faults.lasting(Some((*writes, *weather)));
            let since = world.clock();
            world.deliver_file(&[ANN, LEFT]).await.unwrap();
            world.quiet_for(SignedDuration::from_hours(3)).await;
            world.faults.lasting(None);
            hours(&mut world, 2).await;
            judged(&world, since).await
        }
        How::System(behaviours) => {
            let mut world = scene(behaviours, None).await;
            let since = left(&mut world).await;
            judged(&world, since).await
        }
        How::Drilled(behaviours) => drilled(scene(behaviours, None).await).await,
        How::Planted(bug, behaviours) => drilled(scene(behaviours, Some(*bug)).await).await,
        How::Logged(bug, behaviours) => {
            let world = template(Some(*bug), true).await.world(7, &[behaviours.to_vec()]).await;
            let mut world = peopled(world).await;
            // What was done to an account just before may be taken for what was done last: clocks differ.
            world.pass(SignedDuration::from_mins(10));
            let since = left(&mut world).await;
            hours(&mut world, 22).await;
            judged(&world, since).await
        }
        How::Altered(statement) => altered(statement).await,
    }
}

/// Bob leaves, and all is done about it.
async fn left(world: &mut World) -> Timestamp {
    let since = world.clock();
    world.deliver_file(&[ANN, LEFT]).await.unwrap();
    world.quiet().await;
    hours(world, 2).await;
    since
}

async fn drilled(mut world: World) -> Outcome {
    let since = left(&mut world).await;
    if noticed(&world, since).await.is_none() && !right(&world) {
        hours(&mut world, 22).await;
        let by = Actor::Operator("test".into());
        let _ = world.engine.drill(&chat(), by, &Passing(world.hands.clone())).await;
        world.quiet().await;
    }
    judged(&world, since).await
}

async fn same_as_alone(world: &World, behaviours: &[Behaviour]) -> Outcome {
    let mut alone = scene(behaviours, None).await;
    left(&mut alone).await;
    let findings = async |world: &World| {
        let all: Vec<Finding> = world.all(Table::Findings).await;
        all.into_iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    let same = world.truth() == alone.truth() && findings(world).await == findings(&alone).await;
    if same { Outcome::Harmless("and the same was said".into()) } else { Outcome::Undetected }
}

/// The process dies at each point.
async fn died(behaviours: &[Behaviour]) -> Outcome {
    let mut alone = scene(behaviours, None).await;
    let before = alone.faults.passed();
    left(&mut alone).await;
    let points = alone.faults.passed() - before;
    for point in 1..=points {
        let mut world = scene(behaviours, None).await;
        world.faults.die_at(point);
        while world.deliver_file(&[ANN, LEFT]).await.is_err() {
            assert!(world.faults.died());
            world.restart();
            world.pass(SignedDuration::from_secs(61));
        }
        world.quiet().await;
        hours(&mut world, 2).await;
        if world.truth() != alone.truth() {
            return Outcome::Undetected;
        }
    }
    Outcome::Harmless(format!("at each of {points} points"))
}

async fn altered(statement: &'static str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let store = bailiwick_store::open(&file.display().to_string()).await.unwrap();
    let mut world = World::on(store, 7, &[(SYSTEM, &[Behaviour::DormantToken])]).await;
    world.configure_with(tryable).await;
    world.quiet().await;
    let mut world = peopled(world).await;
    left(&mut world).await;
    let address = format!("sqlite://{}", file.display());
    let mut connection = sqlx::SqliteConnection::connect(&address).await.unwrap();
    let done = sqlx::query(statement).execute(&mut connection).await.unwrap();
    assert!(done.rows_affected() > 0, "`{statement}` changed nothing");
    connection.close().await.unwrap();
    let report = world.engine.check_evidence(&world.sequencer(), None).await.unwrap();
    match report.damage {
        Some(damage) => Outcome::Checked(damage.code),
        None => Outcome::Undetected,
    }
}

async fn fed(feed: Feed) -> Outcome {
    let mut world = scene(&[], None).await;
    let since = world.clock();
    let month = 24 * 30;
    match feed {
        Feed::Lost => hours(&mut world, month).await,
        Feed::Same => {
            for _ in 0..30 {
                let _ = world.deliver_file(&[ANN, BOB]).await;
                hours(&mut world, 24).await;
            }
        }
        Feed::Late => {
            let today = world.clock().to_string();
            let last = format!("1,Bob,bob@x.test,Finance,{},active", &today[..10]);
            world.pass(SignedDuration::from_hours(72));
            world.deliver_file(&[ANN, &last]).await.unwrap();
            hours(&mut world, 2).await;
            return exposed(&world).await;
        }
        Feed::Twice => {
            left(&mut world).await;
            left(&mut world).await;
        }
        Feed::Older => {
            left(&mut world).await;
            let _ = world.deliver_file(&[ANN, BOB]).await;
            hours(&mut world, 24).await;
        }
        Feed::Part => {
            let _ = world.deliver_file(&[ANN]).await;
            hours(&mut world, 2).await;
            // Who is missing keeps everything.
            let truth = world.lab.truth(SYSTEM).unwrap();
            assert!(truth.user("bob@x.test").is_some_and(|bob| bob.active && bob.groups.len() == 2));
        }
        Feed::AllLeft => {
            let people = |status: &str| -> Vec<String> {
                (0..10).map(|who| format!("{who},P {who},p{who}@y.test,Finance,{status}")).collect()
            };
            let mut world = template(None, false).await.world(8, &[vec![]]).await;
            let as_lines = |lines: &[String]| lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
            let before = as_lines(&people(",active"));
            world.deliver_file(&before.split('\n').collect::<Vec<_>>()).await.unwrap();
            world.quiet().await;
            let since = world.clock();
            let after = as_lines(&people("2026-01-01,left"));
            let _ = world.deliver_file(&after.split('\n').collect::<Vec<_>>()).await;
            world.quiet().await;
            return spared(&world, since).await;
        }
    }
    judged(&world, since).await
}
