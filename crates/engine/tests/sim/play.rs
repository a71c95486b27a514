//! Plays a script: the feed is kept as the source would, and after each step the world becomes quiet.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use bailiwick_core::{
    contract::{AttributeRule, StatusRule},
    guard::Fate,
    id::SystemName,
    integration::Role,
    time::{SignedDuration, Timestamp},
};
use bailiwick_engine::Configuration;
use bailiwick_lab::Behaviour;
use bailiwick_store::{Table, entities::Batch};
use serde_json::json;

use crate::{
    oracle::{self, Violation},
    script::{FURTHER, Given, SYSTEMS, Script, Step},
    world::{Template, World, planted::Bug},
};

/// One record that the source has of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    pub engineering: bool,
    pub left: bool,
    pub kept_out: bool,
    /// The day after which they are gone.
    pub last: Option<Timestamp>,
}

impl Record {
    fn new(engineering: bool) -> Self {
        Self { engineering, left: false, kept_out: false, last: None }
    }

    fn lasts(&self, now: Timestamp) -> bool {
        // A last day ends with the day.
        !self.left
            && !self.kept_out
            && self.last.is_none_or(|last| now < last + SignedDuration::from_hours(24))
    }
}

/// What the source says of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    pub first: Record,
    /// It says whose it is by the key of the first.
    pub second: Option<Record>,
}

impl Person {
    /// Whether policy gives them anything now.
    pub fn works(&self, now: Timestamp) -> bool {
        self.leading(now).lasts(now)
    }

    /// Whether the record that leads says so: of those that last, the one that began last.
    pub fn engineering(&self, now: Timestamp) -> bool {
        self.leading(now).engineering
    }

    fn leading(&self, now: Timestamp) -> &Record {
        self.second.as_ref().filter(|second| second.lasts(now)).unwrap_or(&self.first)
    }

    fn leading_mut(&mut self, now: Timestamp) -> &mut Record {
        self.second.as_mut().filter(|second| second.lasts(now)).unwrap_or(&mut self.first)
    }
}

/// A script that is being played.
pub struct Play {
    pub script: Script,
    pub world: World,
    pub people: Vec<Option<Person>>,
    /// Whether Finance may be in Engineering.
    pub wide: bool,
    /// How somebody signs in, by system and id there, also when they are gone.
    pub names: BTreeMap<(String, String), String>,
    /// Of whom a source alone is not believed that a new record is theirs: they left once, or may have had power.
    doubtful: BTreeSet<usize>,
}

/// Which systems have further classes, and what is planted.
type SetUp = (Vec<bool>, Option<&'static str>);

thread_local! {
    /// What was set up once.
    static TEMPLATES: RefCell<BTreeMap<SetUp, Rc<Template>>> = RefCell::default();
}

async fn template(script: &Script) -> Rc<Template> {
    let key = (script.further(), script.bug.map(Bug::name));
    let known = TEMPLATES.with_borrow(|all| all.get(&key).cloned());
    if let Some(known) = known {
        return known;
    }
    // What is read is there only when somebody plays.
    let delivered = Script { reads: false, ..script.clone() };
    let change = |configuration: &mut Configuration| declare(configuration, &delivered, false);
    let template = Template::new(&SYSTEMS[..script.systems.len()], change).await;
    let template = Rc::new(template);
    TEMPLATES.with_borrow_mut(|all| all.insert(key, template.clone()));
    template
}

/// What a script changes of the usual configuration.
fn declare(configuration: &mut Configuration, script: &Script, wide: bool) {
    for (name, _) in SYSTEMS.iter().zip(&script.systems).filter(|_| wide) {
        configuration.policies[0].text.push_str(&format!(
            "\n@id(\"{name}-wide\") permit(principal, action == Action::\"hold\", resource == \
             Entitlement::\"{name}/engineering\") when {{ principal.department == \"Finance\" }};\n"
        ));
    }
    for (name, _) in SYSTEMS.iter().zip(script.further()).filter(|(_, further)| *further) {
        let system = configuration.systems.iter_mut().find(|s| s.name.as_str() == *name).unwrap();
        let integration = configuration.integrations.iter_mut().find(|i| i.name.as_str() == *name).unwrap();
        for further in FURTHER {
            let side = if further.class == further.thing { "by" } else { "for" };
            let list = format!("/api/held/{}/{side}/{{id}}", further.thing);
            system.classes.insert(further.class.parse().unwrap());
            let mut setting = json!({ "list": list, "name": "name" });
            integration.scope.rules.push(format!("list GET {list}").parse().unwrap());
            if further.ends {
                setting["revoke"] = format!("DELETE {list}/{{item}}").into();
                integration.scope.rules.push(format!("revoke DELETE {list}/{{item}}").parse().unwrap());
            }
            integration.settings["held"][further.class] = setting;
        }
    }
    for integration in &mut configuration.integrations {
        if let Role::Source { contract, .. } = &mut integration.role {
            integration.settings["columns"]["was"] = "was".into();
            integration.settings["columns"]["employment"] = "status".into();
            integration.settings["active"] = json!(["active", "garden"]);
            let email = &contract.attributes["email"];
            let text = AttributeRule { required: false, ..email.clone() };
            contract.attributes.insert("was".into(), text.clone());
            contract.attributes.insert("employment".into(), text);
            let status = StatusRule {
                attribute: "employment".into(),
                at_work: ["active".into()].into(),
                leave: BTreeSet::new(),
                garden_leave: ["garden".into()].into(),
            };
            contract.status = Some(Box::new(status));
            contract.previous_key =
                serde_json::from_value(json!({ "attribute": "was", "source": "hr" })).unwrap();
            contract.read_every_minutes = script.reads.then_some(READ_EVERY);
        }
    }
    let Some(bug) = script.bug else { return };
    if bug == Bug::IgnoresLag {
        configuration.systems.iter_mut().for_each(|system| system.convergence_ms = 0);
    }
    for integration in configuration.integrations.iter_mut().filter(|i| i.connector == "scim") {
        integration.settings["planted"] = bug.name().into();
    }
}

/// How often the hub reads the source, in minutes: less often than what is due soon.
const READ_EVERY: u32 = 61;

/// How somebody signs in.
pub fn email(who: usize) -> String {
    format!("p{who}@x.test")
}

impl Play {
    /// Plays all of it, until nothing is left to do.
    pub async fn all(script: Script) -> Result<Self, Violation> {
        let mut world = template(&script).await.world(script.seed, &script.systems).await;
        (1..script.engines).for_each(|_| world.joined());
        if script.bug == Some(Bug::ResumesBlindly) {
            world.faults.forget();
        }
        let mut people = vec![None; script.people];
        people[0] = Some(Person { first: Record::new(true), second: None });
        people[1] = Some(Person { first: Record::new(false), second: None });
        world.header = "id,name,email,dept,last_day,status,was";
        let (names, doubtful) = Default::default();
        let mut play = Self { people, world, wide: false, names, doubtful, script };
        if play.script.reads {
            play.lay(usize::MAX);
            play.world.reconfigure(|configuration| declare(configuration, &play.script, false)).await;
        }
        play.deliver().await;
        play.quiet().await;
        for step in play.script.steps.clone() {
            play.step(step).await?;
            play.note_names();
            oracle::verdicts(&play).await?;
        }
        play.settle().await;
        play.note_names();
        Ok(play)
    }

    /// Until nothing is due soon; with a system that is down, for twenty minutes.
    async fn quiet(&mut self) {
        if self.script.systems.iter().flatten().any(|behaviour| *behaviour == Behaviour::Down) {
            self.world.quiet_for(SignedDuration::from_mins(20)).await;
        } else {
            self.world.quiet().await;
        }
    }

    fn note_names(&mut self) {
        for system in &self.world.systems {
            for user in self.world.lab.truth(system).unwrap().users {
                self.names.insert((system.clone(), user.id), user.user_name);
            }
        }
    }

    async fn step(&mut self, step: Step) -> Result<(), Violation> {
        let now = self.world.clock();
        match step {
            Step::Join(who) => {
                let fresh = Person { first: Record::new(who.is_multiple_of(2)), second: None };
                let record = self.people[who].get_or_insert(fresh).leading_mut(now);
                *record = Record::new(record.engineering);
            }
            Step::Move(who) => {
                if let Some(person) = &mut self.people[who] {
                    let record = person.leading_mut(now);
                    record.engineering = !record.engineering;
                }
            }
            Step::Leave(who) => {
                if let Some(person) = &mut self.people[who] {
                    person.leading_mut(now).left = true;
                    self.doubtful.insert(who);
                }
            }
            Step::KeepOut(who) => {
                if let Some(person) = &mut self.people[who] {
                    let record = person.leading_mut(now);
                    record.kept_out = !record.kept_out;
                    self.doubtful.insert(who);
                }
            }
            Step::LeaveIn(who, days) => {
                let person = self.people[who].as_mut().filter(|person| !person.leading(now).left);
                if let Some(person) = person {
                    let day = SignedDuration::from_hours(24);
                    let today = now.as_second().div_euclid(86_400) * 86_400;
                    person.leading_mut(now).last =
                        Some(Timestamp::from_second(today).unwrap() + day * i32::try_from(days).unwrap());
                    self.doubtful.insert(who);
                }
            }
            Step::Again(who) => {
                if let Some(person) = self.people[who].as_mut().filter(|_| !self.doubtful.contains(&who)) {
                    person.second = person.second.or(Some(Record::new(!person.first.engineering)));
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
        self.quiet().await;
        Ok(())
    }

    fn lines(&self) -> Vec<String> {
        let line = |who: usize, key: String, record: &Record, was: &str| {
            let dept = if record.engineering { "Engineering" } else { "Finance" };
            let status = match (record.left, record.kept_out) {
                (true, _) => "left",
                (false, true) => "garden",
                (false, false) => "active",
            };
            let last = match (record.left, record.last) {
                (true, _) => "2026-01-01".to_owned(),
                (false, Some(last)) => last.to_string()[..10].to_owned(),
                (false, None) => String::new(),
            };
            format!("{key},P {who},{},{dept},{last},{status},{was}", email(who))
        };
        let lines = |(who, person): (usize, &Option<Person>)| {
            let Some(person) = person else { return Vec::new() };
            let (first, second) = (who.to_string(), format!("{who}-again"));
            let mut lines = vec![line(who, first.clone(), &person.first, "")];
            lines.extend(person.second.iter().map(|record| line(who, second.clone(), record, &first)));
            lines
        };
        self.people.iter().enumerate().flat_map(lines).collect()
    }

    /// The source shows so many of its lines.
    fn lay(&self, lines: usize) {
        let all = self.lines();
        let some: Vec<&str> = all.iter().take(lines).map(String::as_str).collect();
        self.world.lay(&some);
    }

    /// Delivers what the source has; a process that dies on the way is followed by one that is told again. What is read is
    /// read in its time.
    async fn deliver(&mut self) {
        if self.script.reads {
            self.lay(usize::MAX);
            self.world.pass(SignedDuration::from_mins(i64::from(READ_EVERY)));
            return;
        }
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

    /// Two people release what is held of a reading: it is as one before it was, and somebody is back who had left, which an
    /// old copy would show as well.
    async fn release(&mut self) {
        if !self.script.reads {
            return;
        }
        let all: Vec<Batch> = self.world.all(Table::Batches).await;
        for held in all.into_iter().filter(|batch| batch.fate == Fate::Held) {
            for (name, person) in [("first", "desk/7"), ("second", "desk/8")] {
                let name = format!("{name}-{}", held.id);
                let by = self.world.operator_with(&name, &["approver"], Some(person), 30).await;
                let released = self.world.engine.release_batch(held.id, held.shown(), None, &by).await;
                released.unwrap_or_else(|error| panic!("{held:?}: {}: {error}", error.code()));
            }
        }
        self.quiet().await;
    }

    /// What everybody has; where the source is read, those who work now: what is taken of leavers goes on while time passes
    /// to the next reading.
    fn held(&self) -> BTreeMap<String, String> {
        let now = self.world.clock();
        let at_work = |person: &&Option<Person>| person.is_some_and(|person| person.works(now));
        let names: BTreeSet<String> =
            self.people.iter().enumerate().filter(|(_, p)| at_work(p)).map(|(who, _)| email(who)).collect();
        let mut truth = self.world.truth();
        let at_work = |place: &str| place.split_once('/').is_some_and(|(_, user)| names.contains(user));
        truth.retain(|place, _| !self.script.reads || at_work(place));
        truth
    }

    /// Nobody loses anything by lines that are missing.
    async fn truncated(&mut self, lines: usize) -> Result<(), Violation> {
        self.world.faults.fair();
        self.deliver().await;
        self.quiet().await;
        // What is held of the reading before is not what this one does.
        self.release().await;
        let before = self.held();
        // Whether it is held or taken: what is missing has not left.
        if self.script.reads {
            self.lay(lines);
            self.world.pass(SignedDuration::from_mins(i64::from(READ_EVERY)));
        } else {
            let all = self.lines();
            let some: Vec<&str> = all.iter().take(lines).map(String::as_str).collect();
            let _ = self.world.deliver(&some).await;
        }
        self.quiet().await;
        let after = self.held();
        if before != after {
            return Err(Violation::new("truncated", format!("before {before:#?}\nafter {after:#?}")));
        }
        self.deliver().await;
        self.quiet().await;
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
            Given::Admins => {
                self.doubtful.insert(who);
                json!({ "groups": [{ "name": "Admins", "members": [user] }] })
            }
            Given::Token => json!({ "tokens": [{ "user": user, "name": "ci" }] }),
            Given::Session => json!({ "sessions": [user] }),
            Given::Licence => json!({ "licences": [{ "user": user, "sku": "pro" }] }),
            Given::Thing(at) => {
                let further = FURTHER[at];
                let others = there.users.iter().find(|other| other.user_name != user);
                let on =
                    others.map(|other| other.user_name.clone()).filter(|_| further.class != further.thing);
                if !self.script.further()[SYSTEMS.iter().position(|name| *name == system).unwrap()]
                    || (further.class != further.thing && on.is_none())
                {
                    return Ok(());
                }
                json!({ "held": [{ "class": further.thing, "holder": user, "name": further.class,
                    "maker": user, "on": on, "minutes": further.minutes }] })
            }
            Given::Taken => {
                let member = there.group("Everyone").is_some_and(|group| {
                    there.user(&user).is_some_and(|user| group.users.contains(&user.id))
                });
                if !member {
                    return Ok(());
                }
                json!({ "leave": [["Everyone", user]] })
            }
            Given::Double => json!({ "users": [{ "userName": format!("double-{user}"),
                "externalId": format!("hr/{who}"), "active": true }] }),
        };
        self.world.behind(system, seed);
        Ok(())
    }

    async fn policy(&mut self) -> Result<(), Violation> {
        self.world.faults.fair();
        self.wide = !self.wide;
        self.world.reconfigure(|configuration| declare(configuration, &self.script, self.wide)).await;
        self.quiet().await;
        Ok(())
    }

    async fn reconcile(&mut self, system: &str) -> Result<(), Violation> {
        let name = SystemName::new(system).unwrap();
        match self.world.engine.reconcile(&name, true).await {
            Ok(_) => {}
            Err(_) if self.world.faults.died() => self.again(),
            // The system was not reached; the schedule comes to it again.
            Err(_) => {}
        }
        self.quiet().await;
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
            self.quiet().await;
            self.release().await;
            self.world.pass(SignedDuration::from_mins(61));
        }
        self.quiet().await;
        for system in self.world.systems.clone() {
            let _ = self.reconcile(&system).await;
        }
        self.world.pass(SignedDuration::from_mins(61));
        self.quiet().await;
    }
}
