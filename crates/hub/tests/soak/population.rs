//! A company whose size stays: in each delivery as many join as leave, and some move.

use std::collections::VecDeque;

use crate::company::people::{self, DEPARTMENTS, Numbers, Person};

/// Who answers for integrations: they stay as they are.
const STAYING: usize = 12;
/// The number of the first person.
const FIRST: usize = 1001;
/// How many of those who left HR goes on telling of.
const TOLD: usize = 500;

/// In how many deliveries nothing is said of whoever has just joined: who leaves before they have an account gets none.
const SETTLING: usize = 4;

/// Everybody who ever was there.
pub struct Population {
    numbers: Numbers,
    people: Vec<Person>,
    /// Who joined in the last deliveries, the latest last.
    settling: VecDeque<Vec<usize>>,
    /// Who may move, and then may leave, by index: nobody moves twice, so that no effect comes twice.
    moving: Vec<usize>,
    moved: Vec<usize>,
    left: VecDeque<usize>,
}

/// What HR delivers at one moment.
pub struct Turn {
    /// The file.
    pub feed: String,
    /// How many events it is.
    pub events: usize,
    /// The numbers of those who leave by it.
    pub leaving: Vec<usize>,
}

impl Population {
    /// So many people, as a seed has them.
    pub fn of(seed: u64, size: usize) -> Self {
        let mut population = Self {
            numbers: Numbers::of(seed),
            people: Vec::new(),
            settling: VecDeque::new(),
            moving: Vec::new(),
            moved: Vec::new(),
            left: VecDeque::new(),
        };
        population.moving = (0..size.max(4 * STAYING)).map(|_| population.join()).skip(STAYING).collect();
        population
    }

    /// Everybody, also who has left.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// Everybody who works there.
    pub fn feed(&self) -> String {
        let told = self.left.iter().rev().take(TOLD).map(|index| &self.people[*index]);
        people::feed(self.people.iter().filter(|person| !person.left).chain(told), "")
    }

    /// The next delivery, with so many events, as far as there are people: of five, two join, one moves and two leave.
    pub fn next(&mut self, events: usize) -> Turn {
        let turning = 2 * events / 5;
        let moved: Vec<usize> =
            (2 * turning..events).map_while(|_| taken(&mut self.moving, &mut self.numbers)).collect();
        for index in &moved {
            let department = &mut self.people[*index].department;
            *department = (*department + 1) % DEPARTMENTS.len();
        }
        // Whoever moves in a delivery does not leave in it.
        let left: Vec<usize> = (0..turning).map_while(|_| self.leave()).collect();
        let leaving = left.iter().map(|index| self.people[*index].number).collect();
        let joined: Vec<usize> = left.iter().map(|_| self.join()).collect();
        let events = moved.len() + left.len() + joined.len();
        self.moved.extend(moved);
        self.settling.push_back(joined);
        if self.settling.len() > SETTLING {
            self.moving.extend(self.settling.pop_front().into_iter().flatten());
        }
        Turn { feed: self.feed(), events, leaving }
    }

    fn join(&mut self) -> usize {
        let index = self.people.len();
        let department = self.numbers.below(DEPARTMENTS.len() as u64) as usize;
        self.people.push(Person { number: FIRST + index, department, left: false });
        index
    }

    fn leave(&mut self) -> Option<usize> {
        let (moving, moved) = (self.moving.len() as u64, self.moved.len() as u64);
        let from_moving = moving > 0 && self.numbers.below(moving + moved) < moving;
        let index = taken(if from_moving { &mut self.moving } else { &mut self.moved }, &mut self.numbers)?;
        self.people[index].left = true;
        self.left.push_back(index);
        Some(index)
    }
}

/// Takes one of them out, if there is any.
fn taken(from: &mut Vec<usize>, numbers: &mut Numbers) -> Option<usize> {
    let end = from.len() as u64;
    (end > 0).then(|| from.swap_remove(numbers.below(end) as usize))
}
