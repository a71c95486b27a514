//! What a system holds when a test of the kit begins.

/// A person of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonFixture {
    /// The immutable key.
    pub key: String,
    /// What the person is called.
    pub name: String,
    /// A text attribute; empty for some.
    pub department: String,
    /// The first day, `2026-11-21`.
    pub start: String,
    /// Whether the source says that the person has left.
    pub terminated: bool,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFixture {
    /// The sign-in name.
    pub name: String,
    /// The hub's marker, if it bears one.
    pub marker: Option<String>,
    /// Whether it can be used.
    pub live: bool,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFixture {
    /// The display name.
    pub name: String,
    /// The places of its members in [`Fixtures::accounts`].
    pub members: Vec<usize>,
}

/// Everything that a system holds. A system without one of the three leaves it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixtures {
    /// The people.
    pub people: Vec<PersonFixture>,
    /// The accounts.
    pub accounts: Vec<AccountFixture>,
    /// The groups.
    pub groups: Vec<GroupFixture>,
}

/// The system's ids of the fixtures, in their order; empty for what the system has not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// Of the people.
    pub people: Vec<String>,
    /// Of the accounts.
    pub accounts: Vec<String>,
    /// Of the groups.
    pub groups: Vec<String>,
}

impl Fixtures {
    /// Seven of each that is paged, with names that are easily bent: case, leading zeros, quotes,
    /// delimiters, letters outside of ASCII, composed and decomposed.
    pub fn standard() -> Self {
        let person = |key: &str, name: &str, department: &str, terminated| PersonFixture {
            key: key.into(),
            name: name.into(),
            department: department.into(),
            start: "2024-02-29".into(),
            terminated,
        };
        let account = |name: &str, marker: Option<&str>, live| AccountFixture {
            name: name.into(),
            marker: marker.map(Into::into),
            live,
        };
        let group =
            |name: &str, members: &[usize]| GroupFixture { name: name.into(), members: members.to_vec() };
        Self {
            people: vec![
                person("1001", "Ann Smith", "Engineering", false),
                person("0012", "Bo \"Buzz\" O'Neil", "Sales, West", false),
                person("12", "Zoë Müller", "", false),
                person("A-7", "Chloë\u{301} Line\nBreak", "Engineering", false),
                person("a-7", "李 小龍", "R&D; East", false),
                person("Ünï/9", "Eve Gone", "Sales", true),
                person("x y", "Last One", "Engineering", false),
            ],
            accounts: vec![
                account("ann.smith", Some("hr/1001"), true),
                account("Bo.ONeil", Some("hr/0012"), true),
                account("zoë.müller", Some("hr/12"), true),
                account("chloe+x@acme.example", Some("HR/a-7"), true),
                account("o'brien", None, true),
                account("gone.eve", Some("hr/9"), false),
                account("svc_backup-01", None, true),
            ],
            groups: vec![
                group("Engineering", &[0, 1, 2]),
                group("everyone", &[0, 1, 2, 3, 4, 6]),
                group("Cafe\u{301} & Bar", &[]),
            ],
        }
    }
}
