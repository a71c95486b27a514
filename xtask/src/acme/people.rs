//! The people of the company: most by chance, some on purpose.

use std::collections::BTreeSet;

use super::{
    names::{FIRST, LAST},
    random::Random,
};

/// One person as HR knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub key: u32,
    pub first: String,
    pub last: String,
    pub display: String,
    pub email: String,
    pub department: &'static str,
    pub title: &'static str,
    /// The place and its time zone.
    pub place: (&'static str, &'static str),
    pub manager: Option<u32>,
    pub employment: &'static str,
    pub start: String,
    pub last_day: String,
    pub status: &'static str,
}

const FIRST_KEY: u32 = 1001;

struct Department {
    name: &'static str,
    size: u32,
    head: u32,
    head_title: &'static str,
    titles: &'static [&'static str],
}

const fn department(
    name: &'static str,
    size: u32,
    head: u32,
    head_title: &'static str,
    titles: &'static [&'static str],
) -> Department {
    Department { name, size, head, head_title, titles }
}

const DEPARTMENTS: [Department; 8] = [
    department(
        "Engineering",
        150,
        1006,
        "Head of Engineering",
        &[
            "Software engineer",
            "Senior software engineer",
            "Site reliability engineer",
            "Quality engineer",
            "Engineering lead",
        ],
    ),
    department(
        "Sales",
        90,
        1008,
        "Head of Sales",
        &["Account executive", "Sales development representative", "Sales engineer", "Regional sales lead"],
    ),
    department(
        "Support",
        80,
        1009,
        "Head of Support",
        &["Support agent", "Senior support agent", "Support lead"],
    ),
    department("Marketing", 50, 1010, "Head of Marketing", &["Campaign planner", "Copywriter", "Designer"]),
    department("Finance", 40, 1011, "Head of Finance", &["Accountant", "Controller", "Financial analyst"]),
    department(
        "IT",
        40,
        1002,
        "Head of IT",
        &["IT support specialist", "Network engineer", "Workplace engineer"],
    ),
    department("People", 30, 1004, "Head of People", &["Recruiter", "People partner", "Payroll specialist"]),
    department("Legal", 20, 1012, "Head of Legal", &["Counsel", "Paralegal", "Privacy officer"]),
];

const PLACES: [(&str, &str); 8] = [
    ("Berlin", "Europe/Berlin"),
    ("London", "Europe/London"),
    ("New York", "America/New_York"),
    ("San Francisco", "America/Los_Angeles"),
    ("São Paulo", "America/Sao_Paulo"),
    ("Bengaluru", "Asia/Kolkata"),
    ("Singapore", "Asia/Singapore"),
    ("Auckland", "Pacific/Auckland"),
];

/// All 500 people, in the order of their keys.
pub(super) fn company(seed: u64) -> Vec<Person> {
    let mut random = Random::new(seed);
    let mut taken = BTreeSet::new();
    let mut people: Vec<Person> = desks()
        .into_iter()
        .map(|(key, department)| by_chance(key, department, &mut random, &mut taken))
        .collect();
    for change in [leaders, odd_names, twins, troubles] {
        change(&mut people);
    }
    people
}

/// Which key sits in which department: the heads where they belong, the rest in turns by size.
fn desks() -> Vec<(u32, &'static Department)> {
    let total: u32 = DEPARTMENTS.iter().map(|d| d.size).sum();
    let mut left: Vec<u32> = DEPARTMENTS.iter().map(|d| d.size).collect();
    let fixed = |key: u32| match key {
        1001 => Some(7), // the managing director sits with Legal
        1003 | 1013..=1015 => Some(5),
        1005 => Some(6),
        1007 => Some(0),
        1042 => Some(1),
        1123 => Some(4),
        _ => DEPARTMENTS.iter().position(|d| d.head == key),
    };
    let keys = FIRST_KEY..FIRST_KEY + total;
    for seat in keys.clone().filter_map(fixed) {
        left[seat] -= 1;
    }
    let mut desks = Vec::new();
    for key in keys {
        let seat = fixed(key).unwrap_or_else(|| {
            // Who has most seats left in proportion, so that departments are mixed over the keys.
            let share = |i: usize| u64::from(left[i]) * 1_000 / u64::from(DEPARTMENTS[i].size);
            let seat = (0..DEPARTMENTS.len()).max_by_key(|i| (share(*i), std::cmp::Reverse(*i))).unwrap_or(0);
            left[seat] -= 1;
            seat
        });
        desks.push((key, &DEPARTMENTS[seat]));
    }
    desks
}

fn by_chance(key: u32, of: &'static Department, random: &mut Random, taken: &mut BTreeSet<String>) -> Person {
    let ((first, first_mail), (last, last_mail)) = (*random.pick(&FIRST), *random.pick(&LAST));
    let mut email = format!("{first_mail}.{last_mail}@acme.example");
    for number in 2.. {
        if taken.insert(email.clone()) {
            break;
        }
        email = format!("{first_mail}.{last_mail}{number}@acme.example");
    }
    let contractor = key > 1100 && random.below(12) == 0;
    let year = if contractor { 2025 } else { 2008 + random.below(18) };
    let start = date(year, random);
    let last_day = if contractor { date(2030 + random.below(3), random) } else { String::new() };
    Person {
        key,
        first: first.to_owned(),
        last: last.to_owned(),
        display: format!("{first} {last}"),
        email,
        department: of.name,
        title: random.pick::<&str>(of.titles),
        place: *random.pick(&PLACES),
        manager: Some(of.head),
        employment: if contractor { "contractor" } else { "employee" },
        start,
        last_day,
        status: "active",
    }
}

fn date(year: u32, random: &mut Random) -> String {
    format!("{year}-{:02}-{:02}", 1 + random.below(12), 1 + random.below(28))
}

fn person(people: &mut [Person], key: u32) -> &mut Person {
    &mut people[(key - FIRST_KEY) as usize]
}

/// Those who answer for something.
fn leaders(people: &mut [Person]) {
    for department in &DEPARTMENTS {
        let head = person(people, department.head);
        (head.title, head.manager) = (department.head_title, Some(1001));
    }
    let director = person(people, 1001);
    (director.title, director.manager) = ("Managing director", None);
    person(people, 1003).title = "IT operations lead";
    person(people, 1005).title = "People operations lead";
    for key in 1013..=1015 {
        person(people, key).title = "Systems administrator";
    }
    let controller = person(people, 1123);
    (controller.employment, controller.last_day) = ("employee", String::new());
    (controller.first, controller.last) = ("Ines".into(), "Marchetti".into());
    (controller.display, controller.email) = ("Ines Marchetti".into(), "ines.marchetti@acme.example".into());
    // The engineer who will leave, and the two in sales and finance who will move and leave.
    person(people, 1007).title = "Staff engineer";
    person(people, 1042).title = "Account executive";
    person(people, 1123).title = "Controller";
}

/// Names that programs stumble over. The key, given name, family name, display name, local part.
fn odd_names(people: &mut [Person]) {
    for (key, first, last, display, local) in [
        (1020, "Siobhán", "O'Brien", "Siobhán O'Brien", "siobhan.o.brien"),
        (1033, "Thị Minh Khai", "Nguyễn", "Nguyễn Thị Minh Khai", "khai.nguyen"),
        (1047, "娜", "李", "李娜 (Li Na)", "li.na"),
        (1058, "Ðorđe", "Ðorđević", "Ðorđe Ðorđević", "dorde.dordevic"),
        (1066, "", "Suharto", "Suharto", "suharto"),
        (1071, "", "Björk", "Björk", "bjork"),
        (1088, "Robert \"Bob\"", "Tables", "Robert \"Bob\" Tables", "bob.tables"),
        (1095, "Martin", "King, Jr.", "Martin King, Jr.", "martin.king.jr"),
        (1102, "Hubert Blaine", LONG, "Hubert Blaine Wolfeschlegelsteinhausenbergerdorff", "hubert.w"),
        (1134, "Anne-Marie  ", "Saint-John ", "Anne-Marie Saint-John", "anne-marie.saint-john"),
        (1156, "Null", "Null", "Null Null", "null.null"),
        (1177, "=SUM(A1)", "Semi;colon", "Sam Semi;colon", "sam.semicolon"),
        (1190, "عمر", "الخطيب", "عمر الخطيب", "omar.alkhatib"),
        (1203, "Zoe\u{308}", "Nun\u{303}ez", "Zoe\u{308} Nun\u{303}ez", "zoe.nunez"),
    ] {
        let odd = person(people, key);
        (odd.first, odd.last, odd.display) = (first.into(), last.into(), display.into());
        odd.email = format!("{local}@acme.example");
    }
    // Capitals in an address are the same address.
    let capital = person(people, 1222);
    capital.email = format!("{}.Marked@Acme.example", "McKenna");
    (capital.first, capital.last, capital.display) =
        ("McKenna".into(), "Marked".into(), "McKenna Marked".into());
}

const LONG: &str = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessenschafewarenwohlgepflege";

/// Different people who look the same, and people who are in the feed twice under different keys.
fn twins(people: &mut [Person]) {
    for (key, email) in [(1301, "maria.garcia@acme.example"), (1302, "maria.garcia2@acme.example")] {
        let twin = person(people, key);
        (twin.first, twin.last, twin.display) = ("María".into(), "García".into(), "María García".into());
        twin.email = email.into();
    }
    let (employee, place) = (person(people, 1310).clone(), PLACES[2]);
    let other = person(people, 1311);
    (other.first, other.last) = (employee.first.clone(), employee.last.clone());
    other.display = employee.display.clone();
    other.email = employee.email.replace("@acme.example", "@contractors.acme.example");
    (other.employment, other.last_day, other.place) = ("contractor", "2031-03-31".into(), place);
}

/// What the rest of the company is like.
fn troubles(people: &mut [Person]) {
    person(people, 1210).manager = Some(1211);
    person(people, 1211).manager = Some(1210);
    person(people, 1240).manager = Some(1240);
    let pending = person(people, 1498);
    (pending.start, pending.employment, pending.last_day) = ("2031-02-03".into(), "employee", String::new());
    let ending = person(people, 1499);
    (ending.employment, ending.place) = ("employee", PLACES[7]);
    (ending.status, ending.last_day) = ("terminated", "2030-06-30".into());
    let gone = person(people, 1500);
    (gone.employment, gone.start) = ("employee", "2011-05-02".into());
    (gone.status, gone.last_day) = ("terminated", "2019-08-30".into());
    for key in [1150, 1260, 1370] {
        let intern = person(people, key);
        (intern.employment, intern.last_day) = ("intern", "2030-09-30".into());
    }
}

/// The next delivery: one moves, two leave.
pub(super) fn day_2(people: &[Person]) -> Vec<Person> {
    let mut people = people.to_vec();
    let mover = person(&mut people, 1042);
    (mover.department, mover.title, mover.manager) = ("Finance", "Financial analyst", Some(1011));
    let engineer = person(&mut people, 1007);
    (engineer.status, engineer.last_day) = ("terminated", "2026-11-18".into());
    let controller = person(&mut people, 1123);
    (controller.status, controller.last_day) = ("terminated", "2026-11-19".into());
    people
}

/// The company, with two people in it twice.
pub(super) fn with_duplicates(people: &[Person]) -> Vec<Person> {
    let mut people = people.to_vec();
    let mut again = people[99].clone();
    again.title = "Paralegal";
    people.insert(250, again);
    people.push(people[149].clone());
    people
}
