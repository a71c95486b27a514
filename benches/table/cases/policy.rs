//! Policy over many identities, against evaluating each different question once; and a change of one rule.
//!
//! 200 rules over 8 attributes give 300 entitlements of 30 systems. Ours decides for one identity after the other, as
//! when everybody is decided again; the floor evaluates each distinct tuple of what the rules read, once, already sliced,
//! with the tuples at hand. CPU time of the thread; making the identities is not counted.
//!
//! Then one rule of a whole hub changes, with identities in a store. The goal is about who is decided again: whom the rule
//! can touch, and nobody else. How many are looked at for that is a figure: today all of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bailiwick_core::{
    access::AccessClass,
    event::{Event, EventKind},
    id::EntitlementName,
    policy::{AttributeType, Attributes, EntitlementFacts, PolicyFile, PolicySet, Vocabulary},
    record::Actor,
};
use bailiwick_engine::Configuration;
use bailiwick_store::Table;

use super::folder;
use crate::{
    Size,
    measure::{Pairs, Process, Spread, Watch, cpu},
    population::{Dice, JOBS, SYSTEMS, attributes_of},
    row::{Goal, Row, time},
    world::World,
};

const PAIRS: usize = 5;
const RULES: usize = 200;
/// How many entitlements a system has.
const EACH: usize = 10;
/// How many identities are at hand at a time.
const BLOCK: usize = 10_000;
/// One of so many is in the department that a rule begins to be about.
const RARE: usize = 200;

/// The case.
pub fn run(size: Size) -> Vec<Row> {
    let people = size.of(1_000_000);
    let policies = policies();
    let mut distinct = 0;
    let pairs = Pairs::of(
        PAIRS,
        |_| {
            let questions = questions(people);
            distinct = questions.len();
            cpu(|| {
                for question in &questions {
                    std::hint::black_box(policies.holds("person", question).unwrap());
                }
            })
        },
        |_| {
            let (mut bulk, mut dice, mut seconds, mut held) = (policies.bulk(), Dice(7), 0.0, 0);
            for _ in 0..people / BLOCK {
                let block: Vec<Attributes> = (0..BLOCK).map(|_| attributes_of(&mut dice).1).collect();
                seconds += cpu(|| {
                    for attributes in &block {
                        held += bulk.holds("person", attributes).unwrap().held.len();
                    }
                });
            }
            assert!(held > 0);
            seconds
        },
    );
    proven(&policies, people);
    let work = format!("policy over {people} identities, {RULES} rules over 8 attributes");
    let figures = format!(
        "{distinct} distinct questions; floor {}, ours {}, {} an identity",
        time(pairs.floor().median),
        time(pairs.ours().median),
        time(pairs.ours().median / people as f64)
    );
    vec![
        Row::ratio(work, "each distinct question evaluated once, CPU", Goal::AtMost(1.5), &pairs)
            .with(figures),
        one_rule(size.of(200_000)),
    ]
}

/// The different questions that so many identities are.
fn questions(people: usize) -> Vec<Attributes> {
    let (mut dice, mut seen, mut questions) = (Dice(7), HashSet::new(), Vec::new());
    for _ in 0..people / BLOCK * BLOCK {
        let (question, attributes) = attributes_of(&mut dice);
        if seen.insert(question) {
            questions.push(attributes);
        }
    }
    questions
}

/// What is remembered is what evaluating gives.
fn proven(policies: &PolicySet, people: usize) {
    let (mut bulk, mut dice) = (policies.bulk(), Dice(7));
    let (mut held, mut seen) = (BTreeSet::new(), HashSet::new());
    for _ in 0..people.min(BLOCK) {
        let (question, attributes) = attributes_of(&mut dice);
        let holding = bulk.holds("person", &attributes).unwrap();
        assert_eq!(*holding, policies.holds("person", &attributes).unwrap());
        held.insert(holding.held.len());
        seen.insert(question);
    }
    // A rule reads all that makes a question another one, and they are not all answered alike.
    assert_eq!(bulk.distinct(), seen.len());
    assert!(held.len() > 3, "{held:?}");
}

fn entitlement(n: usize) -> EntitlementName {
    EntitlementName::new(&format!("system{}/group{}", n / EACH, n % EACH)).unwrap()
}

fn policies() -> PolicySet {
    let (_, example) = attributes_of(&mut Dice(1));
    let names: Vec<&String> = example.keys().collect();
    let vocabulary = Vocabulary {
        identity: names.iter().map(|name| ((*name).clone(), AttributeType::Text)).collect(),
        required: names.iter().map(|name| (*name).clone()).collect(),
        entitlements: (0..SYSTEMS * EACH)
            .map(|n| EntitlementFacts {
                name: entitlement(n),
                class: AccessClass::DirectGroups,
                privileged: false,
                labels: BTreeSet::new(),
            })
            .collect(),
        ..Vocabulary::default()
    };
    // What each attribute can be, from those who have it.
    let mut values: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
    let mut dice = Dice(3);
    for _ in 0..JOBS {
        for (name, value) in attributes_of(&mut dice).1 {
            let known = names.iter().find(|known| ***known == name).unwrap();
            values.entry(known).or_default().insert(value.to_string());
        }
    }
    let mut text = String::new();
    for rule in 0..RULES {
        let condition = |at: usize| {
            let name = names[at % names.len()];
            let all = &values[name];
            format!("principal.{name} == \"{}\"", all.iter().nth(rule % all.len()).unwrap())
        };
        let when = match rule % 3 {
            0 => condition(rule),
            1 => format!("{} || {}", condition(rule), condition(rule + 3)),
            _ => format!("{} && {}", condition(rule), condition(rule + 5)),
        };
        text.push_str(&format!(
            "@id(\"r{rule}\") permit(principal, action == Action::\"hold\", resource == Entitlement::\"{}\") when {{ {when} }};\n",
            entitlement(rule * 7 % (SYSTEMS * EACH))
        ));
    }
    let file = PolicyFile { path: "rules.cedar".into(), text };
    PolicySet::load(&[file], &vocabulary).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]))
}

/// A rule of a hub begins to be about some of its people.
fn one_rule(people: usize) -> Row {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = folder();
    runtime.block_on(async {
        let store = bailiwick_store::open(&folder.path().join("hub.db").display().to_string()).await.unwrap();
        let world = World::on(store, 1, &[("chat", &[])]).await;
        configured(&world, &with_one_rule(&world, "Nowhere")).await;
        let lines: Vec<String> = (0..people)
            .map(|n| {
                let department = if n % RARE == 0 { "Rare" } else { ["Engineering", "Sales"][n % 2] };
                format!("{n},Person Number {n},person{n}@example.test,{department},,active")
            })
            .collect();
        world.deliver(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        while world.engine.work().await.unwrap().taken > 0 {}
        let rare = with_one_rule(&world, "Rare");
        configured(&world, &rare).await;
        let (watch, processor) = (Watch::start(), Process::ME.seconds());
        while world.engine.work().await.unwrap().taken > 0 {}
        let (seconds, processor) = (watch.seconds(), Process::ME.seconds() - processor);
        let events: Vec<Event> = world.all(Table::Events).await;
        let decided = events.iter().filter(|event| event.kind == EventKind::PolicyChanged).count() as f64;
        let touched = people.div_ceil(RARE);
        Row::value(
            format!("one rule changes, over {people} identities: who is decided again"),
            format!("the {touched} whom it can touch"),
            Goal::AtMost(1.0),
            "×",
            Spread::one(decided / touched as f64),
        )
        .with(format!(
            "everybody was looked at in {}, {} of the processor each",
            time(seconds),
            time(processor / people as f64)
        ))
    })
}

/// A configuration with one rule of who holds what, about a department; nobody approves anything.
fn with_one_rule(world: &World, department: &str) -> Configuration {
    let mut configuration = world.configuration();
    configuration.policies[0].text = format!(
        "@id(\"all\") permit(principal, action == Action::\"hold\", resource == Entitlement::\"chat/account\") \
         when {{ principal.department == \"{department}\" }};"
    );
    configuration
}

async fn configured(world: &World, configuration: &Configuration) {
    let digest = world.engine.configuration_change(configuration).await.unwrap().digest;
    world.engine.configure(configuration, digest, Actor::Operator("bench".into())).await.unwrap();
}
