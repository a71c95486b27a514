//! Of most records of a delivery it is known from their digest that they say nothing new. Two worlds live through the same
//! story; in one of them every record is read, and everything becomes the same in both.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::BTreeMap;

use bailiwick_core::{
    authority::Touch,
    gate::Gate,
    id::{IntegrationName, SourceName},
    identity::Identity,
    integration::Role,
    policy::AttributeValue,
    termination::ROLE,
    time::SignedDuration,
};
use bailiwick_engine::{ArmRequest, EngineError, Imported};
use bailiwick_store::{Table, entities::Operator};
use serde_json::json;
use world::World;

/// A few numbers that follow from a seed.
struct Lot(u64);

impl Lot {
    fn of(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % most
    }
}

/// What the file says, by its keys.
struct File(BTreeMap<usize, [String; 4]>);

impl File {
    fn new() -> Self {
        Self((1..=12).map(|n| (n, Self::person(n))).collect())
    }

    fn person(n: usize) -> [String; 4] {
        [format!("Person {n}"), "Finance".into(), String::new(), "active".into()]
    }

    /// Somebody edits one line.
    fn edit(&mut self, lot: &mut Lot, today: &str, later: &str) {
        let n = 1 + lot.of(14);
        if lot.of(5) == 0 && self.0.remove(&n).is_some() {
            return;
        }
        let person = self.0.entry(n).or_insert_with(|| Self::person(n));
        match lot.of(6) {
            0 => person[0].push('x'),
            1 => person[1] = ["Finance", "Engineering", "Sales"][lot.of(3)].into(),
            2 => person[2] = [today, later, ""][lot.of(3)].into(),
            3 => person[3] = ["active", "left"][lot.of(2)].into(),
            _ => *person = Self::person(n),
        }
    }

    fn lines(&self, lot: &mut Lot) -> Vec<String> {
        let line = |(n, [name, dept, end, status]): (&usize, &[String; 4])| {
            format!("{n},{name},p{n}@x.test,{dept},{end},{status}")
        };
        let mut lines: Vec<String> = self.0.iter().map(line).collect();
        // In another order, and now and then with a record that is there twice.
        let turn = lot.of(lines.len());
        lines.rotate_left(turn);
        if lot.of(12) == 0 {
            let twice = lines[lot.of(lines.len())].clone();
            lines.push(if lot.of(2) == 0 { twice } else { twice.replace("Finance", "Sales") });
        }
        lines
    }
}

struct Twin {
    world: World,
    legal: Operator,
}

impl Twin {
    async fn new(seed: u64) -> Self {
        let mut world = World::new(seed, &[("chat", &[])]).await;
        let badges = serde_json::from_value(json!({
            "name": "badges", "purpose": "badges", "owner": "hr/1", "backup": "hr/2", "connector": "manual",
            "endpoint": "person:", "role": "partner", "scope": { "acts": [Touch::Attribute("badge".into())] },
            "standing": { "state": "enabled" },
            "register": { "boundary": "outside", "data_flows": ["badges"], "privilege_flows": ["doors"], "vendor": "B" },
        }))
        .unwrap();
        world
            .configure_with(|configuration| {
                configuration.integrations.push(badges);
                let hr = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "hr").unwrap();
                let Role::Source { contract, .. } = &mut hr.role else { panic!("hr is a source") };
                contract.always_allowed = 4;
                contract.cohorts = ["department".to_owned()].into();
                contract.attributes.get_mut("email").unwrap().unique = true;
            })
            .await;
        world.certify(&IntegrationName::new("badges").unwrap(), &Gate::ALL).await;
        world.quiet().await;
        let legal = world.operator_with("legal", &[ROLE], Some("hr/1"), 30).await;
        Self { world, legal }
    }

    /// Whether they are fired by this: nobody is who is not known or gone already.
    async fn fire(&self, who: &str) -> bool {
        let asked = ArmRequest { persons: vec![who.to_owned()], reason: "a reason".into(), hours: 24 };
        let Ok(armed) = self.world.engine.arm(asked, &self.legal).await else { return false };
        let which: Vec<String> = armed.iter().map(|one| one.id.to_string()).collect();
        self.world.engine.fire(&which, &self.legal).await.is_ok()
    }

    /// Whether they have the badge by this.
    async fn badge(&self, who: &str, badge: &str) -> bool {
        let badge = [("badge".to_owned(), Some(AttributeValue::Text(badge.to_owned())))].into();
        let (caller, hr) = (IntegrationName::new("badges").unwrap(), SourceName::new("hr").unwrap());
        self.world.engine.write_attributes(&caller, &hr, who, badge).await.is_ok()
    }

    /// Everybody, but for what they are as of.
    async fn people(&self) -> Vec<Identity> {
        let all = self.world.all::<Identity>(Table::Identities).await;
        all.into_iter().map(|identity| Identity { said: None, ..identity }).collect()
    }
}

fn told(said: &Result<Imported, EngineError>) -> String {
    match said {
        Ok(imported) => format!("{:?} {}", imported.events, imported.unchanged),
        Err(EngineError::Held(breaches)) => format!("{breaches:?}"),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn what_is_not_read_says_nothing_new() {
    let (mut skipped, mut held, mut fired, mut badged) = (0, 0, 0, 0);
    for seed in 0..8 {
        let (mut quick, mut slow) = (Twin::new(seed).await, Twin::new(seed).await);
        slow.world.faults.read_all();
        let (mut lot, mut file) = (Lot(seed), File::new());
        for step in 0..25 {
            let who = 1 + lot.of(14);
            let (today, later) = (quick.world.clock(), quick.world.clock() + SignedDuration::from_hours(30));
            let day = |at: bailiwick_core::time::Timestamp| at.strftime("%Y-%m-%d").to_string();
            (0..lot.of(3)).for_each(|_| file.edit(&mut lot, &day(today), &day(later)));
            let lines = file.lines(&mut lot);
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let (deed, hours) = (lot.of(8), [1, 20, 40][lot.of(3)]);
            let mut said = Vec::new();
            for twin in [&mut quick, &mut slow] {
                match deed {
                    0 if step > 3 => fired += usize::from(twin.fire(&format!("hr/{who}")).await),
                    1 => badged += usize::from(twin.badge(&who.to_string(), &format!("b{step}")).await),
                    2 => twin.world.pass(SignedDuration::from_hours(hours)),
                    _ => {}
                }
                let imported = twin.world.deliver_file(&lines).await;
                said.push(told(&imported));
                if deed != 3 {
                    twin.world.quiet().await;
                }
            }
            assert_eq!(said[0], said[1], "seed {seed}, step {step}: {lines:#?}");
            assert_eq!(quick.people().await, slow.people().await, "seed {seed}, step {step}: {lines:#?}");
            held += usize::from(said[0].starts_with('['));
        }
        assert_eq!(quick.world.truth(), slow.world.truth());
        skipped += slow.world.faults.people_read() - quick.world.faults.people_read();
    }
    let all = (skipped, held, fired, badged);
    assert!(skipped > 1_000 && held > 10 && fired > 10 && badged > 10, "{all:?}");
}

/// How many people a delivery reads that says nothing new, after so many others have left.
async fn read_beside(leavers: usize) -> u64 {
    let mut world = World::new(41, &[("chat", &[])]).await;
    world.configure().await;
    let ann = "1,Ann,ann@x.test,Finance,,active".to_owned();
    for end in [",active", "2026-01-01,left"] {
        let others = (2..2 + leavers).map(|n| format!("{n},P {n},p{n}@x.test,Finance,{end}"));
        let all: Vec<String> = [ann.clone()].into_iter().chain(others).collect();
        world.deliver(&all.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        world.quiet().await;
    }
    let before = world.faults.people_read();
    assert_eq!(world.deliver(&[&ann]).await.unwrap().unchanged, 1);
    world.faults.people_read() - before
}

/// Whoever has left and is not told of any more costs a delivery nothing but their line in the index.
#[tokio::test]
async fn who_has_left_and_is_not_told_of_is_not_read() {
    assert_eq!(read_beside(1).await, read_beside(5).await);
}
