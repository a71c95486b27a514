//! Plays a script: the feed is kept as the source would, and after each step the world becomes quiet.

use bailiwick_core::{
    id::SystemName,
    time::{SignedDuration, Timestamp},
};
use bailiwick_lab::Behaviour;
use serde_json::json;

use crate::{
    oracle::{self, Violation},
    script::{Given, SYSTEMS, Script, Step},
    world::{World, planted::Bug},
};

/// What the source says of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    pub engineering: bool,
    pub left: bool,
    /// The day after which they are gone.
    pub last: Option<Timestamp>,
}

impl Person {
    /// Whether policy gives them anything now.
    pub fn works(&self, now: Timestamp) -> bool {
        // A last day ends with the day.
        !self.left && self.last.is_none_or(|last| now < last + SignedDuration::from_hours(24))
    }
}

/// A script that is being played.
pub struct Play {
    pub script: Script,
    pub world: World,
    pub people: Vec<Option<Person>>,
    /// Whether Finance may be in Engineering.
    pub wide: bool,
}

/// How somebody signs in.
pub fn email(who: usize) -> String {
    format!("p{who}@x.test")
}

impl Play {
    /// Plays all of it, until nothing is left to do.
    pub async fn all(script: Script) -> Result<Self, Violation> {
        let systems: Vec<(&str, &[Behaviour])> =
            SYSTEMS.into_iter().zip(script.systems.iter().map(Vec::as_slice)).collect();
        let world = World::new(script.seed, &systems).await;
        let mut people = vec![None; script.people];
        people[0] = Some(Person { engineering: true, left: false, last: None });
        people[1] = Some(Person { engineering: false, left: false, last: None });
        let mut play = Self { people, world, wide: false, script };
        play.configure().await;
        play.world.quiet().await;
        play.deliver().await;
        play.world.quiet().await;
        for step in play.script.steps.clone() {
            play.step(step).await?;
            oracle::verdicts(&play).await?;
        }
        play.settle().await;
        Ok(play)
    }

    async fn step(&mut self, step: Step) -> Result<(), Violation> {
        let now = self.world.clock();
        match step {
            Step::Join(who) => {
                self.people[who] = Some(Person { left: false, last: None, ..self.person(who) })
            }
            Step::Move(who) => {
                if let Some(person) = &mut self.people[who] {
                    person.engineering = !person.engineering;
                }
            }
            Step::Leave(who) => {
                if let Some(person) = &mut self.people[who] {
                    person.left = true;
                }
            }
            Step::LeaveIn(who, days) => {
                if let Some(person) = self.people[who].as_mut().filter(|person| !person.left) {
                    let day = SignedDuration::from_hours(24);
                    let today = now.as_second().div_euclid(86_400) * 86_400;
                    person.last =
                        Some(Timestamp::from_second(today).unwrap() + day * i32::try_from(days).unwrap());
                }
            }
            Step::Truncated(lines) => return self.truncated(lines).await,
            Step::Behind(system, who, given) => return self.behind(SYSTEMS[system], who, given).await,
            Step::Policy => return self.policy().await,
            Step::Reconcile(system) => return self.reconcile(SYSTEMS[system]).await,
            Step::Pass(minutes) => self.world.pass(SignedDuration::from_mins(minutes)),
            Step::Crash(point) => {
                self.world.faults.die_at(point);
                return Ok(());
            }
            Step::Call(call, weather) => {
                self.world.faults.call(call, weather);
                return Ok(());
            }
            Step::Second(turns) => {
                self.deliver().await;
                let second = self.world.second();
                for _ in 0..turns {
                    match second.work().await {
                        Ok(_) => {}
                        Err(_) if self.world.faults.died() => break,
                        Err(error) => {
                            return Err(Violation::new("work", format!("{}: {error}", error.code())));
                        }
                    }
                }
            }
        }
        self.deliver().await;
        self.world.quiet().await;
        Ok(())
    }

    fn person(&self, who: usize) -> Person {
        self.people[who].unwrap_or(Person { engineering: who.is_multiple_of(2), left: false, last: None })
    }

    fn lines(&self) -> Vec<String> {
        let line = |(who, person): (usize, &Option<Person>)| {
            let person = (*person)?;
            let dept = if person.engineering { "Engineering" } else { "Finance" };
            let status = if person.left { "left" } else { "active" };
            let last = match (person.left, person.last) {
                (true, _) => "2026-01-01".to_owned(),
                (false, Some(last)) => last.to_string()[..10].to_owned(),
                (false, None) => String::new(),
            };
            Some(format!("{who},P {who},{},{dept},{last},{status}", email(who)))
        };
        self.people.iter().enumerate().filter_map(line).collect()
    }

    /// Delivers what the source has; a process that dies on the way is followed by one that is told again.
    async fn deliver(&mut self) {
        let lines = self.lines();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        for _ in 0..5 {
            match self.world.deliver(&lines).await {
                Ok(_) => return,
                Err(_) if self.world.faults.died() => self.again(),
                Err(error) => panic!("the feed is refused: {}: {error}", error.code()),
            }
        }
        panic!("the feed is not taken");
    }

    fn again(&mut self) {
        self.world.restart();
        self.world.pass(SignedDuration::from_secs(61));
    }

    /// Nobody loses anything by lines that are missing.
    async fn truncated(&mut self, lines: usize) -> Result<(), Violation> {
        self.world.faults.fair();
        self.deliver().await;
        self.world.quiet().await;
        let before = self.world.truth();
        let all = self.lines();
        let some: Vec<&str> = all.iter().take(lines).map(String::as_str).collect();
        // Whether it is held or taken: what is missing has not left.
        let _ = self.world.deliver(&some).await;
        self.world.quiet().await;
        let after = self.world.truth();
        if before != after {
            return Err(Violation::new("truncated", format!("before {before:#?}\nafter {after:#?}")));
        }
        self.deliver().await;
        self.world.quiet().await;
        Ok(())
    }

    async fn behind(&mut self, system: &str, who: usize, given: Given) -> Result<(), Violation> {
        let user = email(who);
        let there = self.world.lab.truth(system).unwrap();
        let works = self.people[who].is_some_and(|person| person.works(self.world.clock()));
        let Some(user) = there.user(&user).filter(|user| works && user.active).map(|_| user) else {
            return Ok(());
        };
        let seed = match given {
            Given::Finance => json!({ "groups": [{ "name": "Finance", "members": [user] }] }),
            Given::Admins => json!({ "groups": [{ "name": "Admins", "members": [user] }] }),
            Given::Token => json!({ "tokens": [{ "user": user, "name": "ci" }] }),
            Given::Session => json!({ "sessions": [user] }),
            Given::Licence => json!({ "licences": [{ "user": user, "sku": "pro" }] }),
            Given::Taken => {
                let member = there.group("Everyone").is_some_and(|group| {
                    there.user(&user).is_some_and(|user| group.users.contains(&user.id))
                });
                if !member {
                    return Ok(());
                }
                json!({ "leave": [["Everyone", user]] })
            }
        };
        self.world.behind(system, seed);
        Ok(())
    }

    async fn policy(&mut self) -> Result<(), Violation> {
        self.world.faults.fair();
        self.wide = !self.wide;
        self.configure().await;
        self.world.quiet().await;
        Ok(())
    }

    async fn configure(&self) {
        let change = |configuration: &mut bailiwick_engine::Configuration| {
            for system in self.world.systems.iter().filter(|_| self.wide) {
                configuration.policies[0].text.push_str(&format!(
                    "\n@id(\"{system}-wide\") permit(principal, action == Action::\"hold\", resource == \
                     Entitlement::\"{system}/engineering\") when {{ principal.department == \"Finance\" }};\n"
                ));
            }
            let Some(bug) = self.script.bug else { return };
            if bug == Bug::IgnoresLag {
                configuration.systems.iter_mut().for_each(|system| system.convergence_ms = 0);
            }
            for integration in configuration.integrations.iter_mut().filter(|i| i.connector == "scim") {
                integration.settings["planted"] = bug.name().into();
            }
        };
        self.world.configure_with(change).await;
    }

    async fn reconcile(&mut self, system: &str) -> Result<(), Violation> {
        let name = SystemName::new(system).unwrap();
        match self.world.engine.reconcile(&name, true).await {
            Ok(_) => {}
            Err(_) if self.world.faults.died() => self.again(),
            // The system was not reached; the schedule comes to it again.
            Err(_) => {}
        }
        self.world.quiet().await;
        Ok(())
    }

    /// Fair weather until everything that is going to happen has happened.
    async fn settle(&mut self) {
        self.world.faults.fair();
        if self.world.faults.died() {
            self.again();
        }
        self.deliver().await;
        for _ in 0..2 {
            self.world.quiet().await;
            self.world.pass(SignedDuration::from_mins(61));
        }
        self.world.quiet().await;
        for system in self.world.systems.clone() {
            let _ = self.reconcile(&system).await;
        }
        self.world.pass(SignedDuration::from_mins(61));
        self.world.quiet().await;
    }
}
