//! The people, what HR says of them, and numbers from seeds.

/// Where people work; the groups are called so.
pub const DEPARTMENTS: [&str; 2] = ["Engineering", "Finance"];

/// The numbers of a seed (Steele, Lea, Flood: SplitMix64, 2014).
pub struct Numbers(u64);

impl Numbers {
    /// Those of a seed.
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The next below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// One person of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The number they have.
    pub number: usize,
    /// An index of [`DEPARTMENTS`].
    pub department: usize,
    /// Whether they have left.
    pub left: bool,
}

impl Person {
    /// How they sign in.
    pub fn email(&self) -> String {
        format!("p{}@acme.example", self.number)
    }

    /// Their line of a feed, the last day of those who left being this.
    fn line(&self, last_day: &str) -> String {
        let (number, department) = (self.number, DEPARTMENTS[self.department]);
        let (last, status) = if self.left { (last_day, "terminated") } else { ("", "active") };
        let email = self.email();
        format!(
            "{number};P;{number};P {number};{email};{department};Clerk;Berlin;Europe/Berlin;;employee;01.05.2021;{last};{status}\n"
        )
    }
}

/// What HR delivers about these people. Whoever left did so on this day; when it is empty, as soon as that is read.
pub fn feed<'p>(people: impl IntoIterator<Item = &'p Person>, last_day: &str) -> String {
    let mut text = String::from(
        "Employee ID;First name;Last name;Preferred name;E-mail;Department;Title;Location;Time zone;Manager ID;Employment;Start date;Last day;Status\n",
    );
    text.extend(people.into_iter().map(|person| person.line(last_day)));
    text
}
