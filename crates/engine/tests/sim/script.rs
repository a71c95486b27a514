//! What happens in a world, drawn from a seed: systems with their behaviours, people, and steps.

use bailiwick_lab::Behaviour;

use crate::world::{Weather, planted::Bug};

/// A stream of numbers that follows from a seed (SplitMix64).
pub struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..n`.
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }
}

/// What somebody is given behind the hub's back.
#[derive(Debug, Clone, Copy)]
pub enum Given {
    Finance,
    Admins,
    Token,
    Session,
    Licence,
    /// Something of a further class.
    Thing(usize),
    /// Not given but taken: out of everyone.
    Taken,
    /// A second account that bears their mark.
    Double,
}

/// A further class of access, as the simulated systems have it.
#[derive(Debug, Clone, Copy)]
pub struct Further {
    /// What the hub calls it.
    pub class: &'static str,
    /// What the system calls it.
    pub thing: &'static str,
    /// The behaviour that lets it outlive its user.
    pub outlives: Behaviour,
    /// Whether the system ends one of them when told.
    pub ends: bool,
    /// After how many minutes one ends by itself.
    pub minutes: Option<i64>,
}

/// All of them.
pub const FURTHER: [Further; 6] = [
    Further {
        class: "automations",
        thing: "automations",
        outlives: Behaviour::BotSurvivor,
        ends: true,
        minutes: None,
    },
    Further {
        class: "vault-tokens",
        thing: "vault-tokens",
        outlives: Behaviour::LeasingVault,
        ends: true,
        minutes: Some(600),
    },
    Further {
        class: "owned-nhis",
        thing: "owned-nhis",
        outlives: Behaviour::OwnerInherits,
        ends: true,
        minutes: None,
    },
    Further {
        class: "mailbox-rights-held",
        thing: "mailbox-rights",
        outlives: Behaviour::Mailbox,
        ends: true,
        minutes: None,
    },
    Further {
        class: "device-trust",
        thing: "device-trust",
        outlives: Behaviour::Ad,
        ends: false,
        minutes: Some(600),
    },
    Further {
        class: "pam-sessions",
        thing: "pam-sessions",
        outlives: Behaviour::Pam,
        ends: true,
        minutes: Some(600),
    },
];

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    Join(usize),
    /// Into the other department.
    Move(usize),
    Leave(usize),
    /// Is kept out until they leave, or comes back.
    KeepOut(usize),
    /// Leaves in so many days.
    LeaveIn(usize, i64),
    /// The source has a second record of somebody, in the other department.
    Again(usize),
    /// The feed has the first so many lines only.
    Truncated(usize),
    /// Something is done to somebody behind the hub's back.
    Behind(usize, usize, Given),
    /// Everybody in Finance may be in Engineering too, or no longer.
    Policy,
    Reconcile(usize),
    /// Minutes go by.
    Pass(i64),
    /// The process dies at the n-th point from here.
    Crash(u64),
    /// What becomes of the n-th call from here.
    Call(u64, Weather),
    /// Another engine takes so many turns before this one does.
    Second(usize),
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Script {
    pub seed: u64,
    pub systems: Vec<Vec<Behaviour>>,
    pub people: usize,
    /// How many engines work on the store; the first is the one that dies.
    pub engines: usize,
    /// The hub reads the source by itself; else what it says is delivered.
    pub reads: bool,
    /// A mistake of the connectors, for the oracles to catch.
    pub bug: Option<Bug>,
    pub steps: Vec<Step>,
}

/// The names of the systems.
pub const SYSTEMS: [&str; 3] = ["chat", "wiki", "desk"];

impl Script {
    /// The script of a seed.
    pub fn of(seed: u64) -> Self {
        let mut draw = Draw(seed);
        // Many small worlds find more than a few large ones.
        let systems = (0..[1, 1, 1, 2, 2, 3][draw.below(6)])
            .map(|_| (0..draw.below(3)).map(|_| Behaviour::ALL[draw.below(Behaviour::ALL.len())]).collect())
            .collect::<Vec<Vec<Behaviour>>>();
        let people = 2 + draw.below(3);
        let engines = [1, 1, 1, 2, 2, 3][draw.below(6)];
        let steps = (0..2 + draw.below(5)).map(|_| step(&mut draw, people, systems.len())).collect();
        let reads = draw.below(3) == 0;
        Self { seed, systems, people, engines, reads, bug: None, steps }
    }

    /// The same with a mistake planted, on one system where it can do harm; at the end somebody leaves.
    pub fn with(mut self, bug: Bug) -> Self {
        let (behaviours, given) = match bug {
            Bug::RetriesBlindly | Bug::ResumesBlindly => (vec![Behaviour::TimeoutAfterCommit], None),
            Bug::IgnoresLag => (vec![Behaviour::StaleRead, Behaviour::KeepsGroups], Some(Given::Licence)),
            Bug::TrustsPartial | Bug::DoesHalf | Bug::ShowsPart => (vec![Behaviour::KeepsGroups], None),
            Bug::BelievesOk | Bug::DoesNothing => (vec![Behaviour::Noop200], None),
            Bug::Unapproved | Bug::Overtaken => (vec![Behaviour::Faithful], None),
        };
        let here = |step: &Step| !matches!(step, Step::Behind(1.., ..) | Step::Reconcile(1..));
        self.steps.retain(here);
        self.steps.extend(given.map(|given| Step::Behind(0, 0, given)));
        self.steps.push(Step::Leave(0));
        Self { bug: Some(bug), systems: vec![behaviours], engines: 1, ..self }
    }

    /// The same without what can only disturb: nobody dies and every call is answered.
    pub fn undisturbed(&self) -> Self {
        let disturbs = |step: &Step| matches!(step, Step::Crash(_) | Step::Call(..) | Step::Second(_));
        let steps = self.steps.iter().copied().filter(|step| !disturbs(step)).collect();
        Self { steps, engines: 1, ..self.clone() }
    }

    /// Whether nothing in it depends on when it happens, so that it ends the same whatever disturbs it.
    pub fn is_timeless(&self) -> bool {
        !self.steps.iter().any(|step| matches!(step, Step::LeaveIn(..) | Step::Behind(..)))
            && self.systems.iter().flatten().all(|behaviour| match behaviour {
                Behaviour::Faithful
                | Behaviour::PutOnly
                | Behaviour::LimitedPatch
                | Behaviour::KeepsGroups
                | Behaviour::AsyncMembers
                | Behaviour::StaleRead
                | Behaviour::TimeoutAfterCommit => true,
                Behaviour::Noop200
                | Behaviour::SoftDelete
                | Behaviour::DormantToken
                | Behaviour::BotSurvivor
                | Behaviour::UnaffiliatedSeat
                | Behaviour::HalfScim
                | Behaviour::LeasingVault
                | Behaviour::RetainingSync
                | Behaviour::OwnerInherits
                | Behaviour::Mailbox
                | Behaviour::Ad
                | Behaviour::Pam
                | Behaviour::Liar
                | Behaviour::Down => false,
            })
    }

    /// Which systems have access of the further classes.
    pub fn further(&self) -> Vec<bool> {
        let outlives = |behaviour: &Behaviour| FURTHER.iter().any(|further| further.outlives == *behaviour);
        self.systems.iter().map(|behaviours| behaviours.iter().any(outlives)).collect()
    }

    /// Whether a system has a behaviour.
    pub fn has(&self, system: &str, behaviour: Behaviour) -> bool {
        let at = SYSTEMS.iter().position(|name| *name == system).unwrap();
        self.systems[at].contains(&behaviour)
    }
}

fn step(draw: &mut Draw, people: usize, systems: usize) -> Step {
    let who = draw.below(people);
    match draw.below(20) {
        0 | 1 => Step::Join(who),
        2 | 3 => Step::Move(who),
        4 | 5 => Step::Leave(who),
        6 => Step::LeaveIn(who, 1 + i64::try_from(draw.below(3)).unwrap()),
        7 => Step::Truncated(draw.below(people)),
        8 | 9 => {
            let given = [
                Given::Finance,
                Given::Admins,
                Given::Token,
                Given::Session,
                Given::Licence,
                Given::Taken,
                Given::Double,
            ];
            let given = match draw.below(given.len() + 3) {
                at if at < given.len() => given[at],
                _ => Given::Thing(draw.below(FURTHER.len())),
            };
            Step::Behind(draw.below(systems), who, given)
        }
        10 => Step::Policy,
        11 => Step::Reconcile(draw.below(systems)),
        12 => Step::Pass([1, 30, 90, 1_500][draw.below(4)]),
        13 | 14 => Step::Crash(1 + draw.next() % 40),
        15 | 16 => {
            let weather = [
                Weather::Unreached,
                Weather::AnswerLost,
                Weather::TooMany,
                Weather::Unavailable,
                Weather::Twice,
            ];
            Step::Call(1 + draw.next() % 12, weather[draw.below(5)])
        }
        17 => Step::Second(1 + draw.below(3)),
        18 => Step::KeepOut(who),
        _ => Step::Again(who),
    }
}
