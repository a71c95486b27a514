//! The people of a made-up company, and what systems have of them: the same in every run.
//!
//! Each has an account on some of 30 systems, 5 entitlements for each, and groups lie in groups 5 deep; 0.5 % of them
//! have changed. They are told as pages of SCIM, as an LDAP tree, as a file of an HR system, and by their attributes,
//! which 200 rules are about.

use std::fmt::Write as _;

use bailiwick_core::{
    effective::{Account, Group},
    policy::{AttributeValue, Attributes},
};

/// How many systems there are.
pub const SYSTEMS: usize = 30;
/// How many entitlements an account has.
pub const HELD: usize = 5;
/// How many of a page.
pub const PAGE: usize = 200;
/// How many groups a system has, where they are flat.
pub const GROUPS: usize = 40;
/// One of so many has changed.
const STEADY: usize = 200;
/// How many jobs there are, from which most of what somebody is follows.
pub const JOBS: usize = 2_000;
/// How many groups are on each level, from below, where groups lie in groups.
pub const LEVELS: [u32; 5] = [10_000, 5_000, 3_000, 1_500, 500];
/// All of them.
pub const NESTED: u32 = 20_000;
/// How many pairs of them lie in each other.
const CIRCLES: u32 = 100;

/// Numbers that look thrown and are the same in every run (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below another.
    pub fn below(&mut self, count: u32) -> u32 {
        (((self.next() >> 32) * u64::from(count)) >> 32) as u32
    }
}

/// Whether something about this one differs from what was.
pub fn changed(n: usize) -> bool {
    n % STEADY == STEADY / 2
}

/// How many of the first `count` have changed.
pub fn changes(count: usize) -> usize {
    (0..count).filter(|n| changed(*n)).count()
}

/// What somebody is, by 8 attributes, and a number that is the same for those who are the same by all of them. Few jobs
/// have many people, and of one job they are in three places.
pub fn attributes_of(dice: &mut Dice) -> (u64, Attributes) {
    let jobs = JOBS as u32;
    let job = (u64::from(dice.below(jobs)) * u64::from(dice.below(jobs)) / u64::from(jobs)) as u32;
    let site = (job * 7 + dice.below(3)) % 12;
    let employment = match dice.below(100) {
        0..90 => "employee",
        90..98 => "contractor",
        _ => "intern",
    };
    let attributes = [
        ("cost_center", format!("cost center {}", job % 50)),
        ("department", format!("department {}", job % 40)),
        ("employment", employment.to_owned()),
        ("function", format!("function {}", job / 7 % 10)),
        ("level", format!("level {}", job / 40 % 6)),
        ("shift", format!("shift {}", job / 3 % 3)),
        ("site", format!("site {site}")),
        ("title", format!("title {job}")),
    ];
    let question = u64::from(job) << 32 | u64::from(site) << 16 | employment.len() as u64;
    (question, attributes.map(|(name, value)| (name.to_owned(), AttributeValue::Text(value))).into())
}

/// A user as SCIM shows it, of 1.3 KB; `news` is the name that it has instead.
pub fn scim_user(text: &mut String, n: usize, news: Option<&str>) {
    let id = format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        n.wrapping_mul(2_654_435_761) & 0xffff_ffff,
        n & 0xffff,
        n % 4096,
        n % 4095,
        n
    );
    let display = news.map_or_else(|| format!("Given{n} Family{n}"), str::to_owned);
    write!(
        text,
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"id":"{id}","externalId":"hr/{n}","userName":"person{n}@example.test","name":{{"formatted":"Given{n} Family{n}","familyName":"Family{n}","givenName":"Given{n}"}},"displayName":"{display}","title":"Engineer {}","active":true,"preferredLanguage":"en-GB","timezone":"Europe/Berlin","emails":[{{"value":"person{n}@example.test","type":"work","primary":true}},{{"value":"person{n}@home.test","type":"home"}}],"phoneNumbers":[{{"value":"+49 30 {n:07}","type":"work"}}],"groups":["#,
        n % 7
    )
    .unwrap();
    for g in 0..HELD {
        let group = (n * 7 + g * 8) % GROUPS;
        let comma = if g == 0 { "" } else { "," };
        write!(text, r#"{comma}{{"value":"9f8e7d6c-0000-4000-8000-{group:02}","display":"Group {group:02}","type":"direct"}}"#).unwrap();
    }
    write!(
        text,
        r#"],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"employeeNumber":"{n}","department":"Department {}","costCenter":"{}","manager":{{"value":"{id}","displayName":"Boss of {n}"}}}},"meta":{{"resourceType":"User","created":"2026-01-01T00:00:00Z","lastModified":"2026-06-01T00:00:00Z","version":"W/\"{n}\"","location":"https://big.example.test/scim/v2/Users/{id}"}}}}"#,
        n % 13,
        n % 101
    )
    .unwrap();
}

/// A page of SCIM that begins with this one. With `drift` some of them have another name.
pub fn scim_page(first: usize, accounts: usize, drift: bool) -> String {
    let mut text =
        String::from(r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":"#);
    write!(text, "{accounts},\"startIndex\":{},\"itemsPerPage\":{PAGE},\"Resources\":[", first + 1).unwrap();
    for n in first..first + PAGE {
        if n > first {
            text.push(',');
        }
        scim_user(&mut text, n, (drift && changed(n)).then_some("Somebody Else"));
    }
    text.push_str("]}");
    text
}

/// What a directory has of somebody, beside the names that every entry has.
pub fn directory_entry(n: usize) -> [(&'static str, String); 8] {
    [
        ("displayName", format!("Given{n} Family{n}")),
        ("givenName", format!("Given{n}")),
        ("mail", format!("person{n}@acme.example")),
        ("title", format!("Engineer {}", n % 7)),
        ("departmentNumber", format!("Department {}", n % 13)),
        ("employeeNumber", format!("hr/{n}")),
        ("telephoneNumber", format!("+49 30 {n:07}")),
        ("description", format!("A person of the tests, number {n} of many")),
    ]
}

/// Who is in which group, as a listing of groups shows them: group after group, the members of each in no order.
pub fn memberships(accounts: u32, dice: &mut Dice) -> Vec<(Account, Group)> {
    let mut all: Vec<(Account, Group)> = Vec::new();
    for account in (0..accounts).map(Account) {
        let first = all.len();
        while all.len() < first + HELD {
            let group = Group(dice.below(LEVELS[0]));
            if !all[first..].contains(&(account, group)) {
                all.push((account, group));
            }
        }
    }
    for at in (1..all.len()).rev() {
        all.swap(at, dice.below(at as u32 + 1) as usize);
    }
    all.sort_by_key(|(_, group)| *group);
    all
}

/// Which group lies in which: each in two of the next level, and some of the third in each other.
pub fn nestings(dice: &mut Dice) -> Vec<(Group, Group)> {
    let mut all = Vec::new();
    let mut first = 0;
    for (here, next) in LEVELS.into_iter().zip(LEVELS.into_iter().skip(1)) {
        for child in (first..first + here).map(Group) {
            let one = dice.below(next);
            let other = (one + 1 + dice.below(next - 1)) % next;
            all.extend([one, other].map(|parent| (child, Group(first + here + parent))));
        }
        first += here;
    }
    let third = LEVELS[0] + LEVELS[1];
    for (one, other) in (0..CIRCLES).map(|n| (Group(third + 2 * n), Group(third + 2 * n + 1))) {
        all.extend([(one, other), (other, one)]);
    }
    all
}
