//! What a delivery says happened, and what holds it.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    contract::{Breach, Intake, Known, OfFired, Sifted, SourceContract, SourceRecord, StatusRule, intake},
    guard,
    identity::Lifecycle,
    policy::AttributeValue,
    time::{Effective, Timestamp},
};

fn now() -> Timestamp {
    "2026-06-15T12:00:00Z".parse().unwrap()
}

fn contract() -> SourceContract {
    serde_json::from_str(
        r#"{ "attributes": {
               "name": { "type": "text", "required": true },
               "phone": { "type": "text" },
               "badge": { "type": "text", "null": "ignore" },
               "grade": { "type": "number", "null": "reject" } },
             "min_rows": 2, "always_allowed": 1, "max_loss_percent": 10, "max_change_percent": 50,
             "zone": "Europe/Berlin" }"#,
    )
    .unwrap()
}

/// `key name [field=value …]`; an empty value is `field=`.
fn record(line: usize, text: &str) -> SourceRecord {
    let mut words = text.split(' ');
    let key = words.next().unwrap().replace('-', "");
    let mut record = SourceRecord { key, line: line as u64, ..SourceRecord::default() };
    if let Some(name) = words.next() {
        let name = (name != "-").then(|| AttributeValue::Text(name.into()));
        record.values.insert("name".into(), name);
    }
    for word in words {
        let (field, value) = word.split_once('=').unwrap();
        match field {
            "starts" => record.starts = Some(value.parse().unwrap()),
            "ends" => record.ends = Some(value.parse().unwrap()),
            "zone" => record.zone = Some(value.into()),
            "gone" => record.terminated = true,
            _ => {
                let value = (!value.is_empty()).then(|| AttributeValue::Text(value.into()));
                record.values.insert(field.into(), value);
            }
        }
    }
    record
}

fn known(keys: &[(&str, &str)]) -> BTreeMap<String, Known> {
    let at = || Effective::at(now());
    let one = |(key, state): &(&str, &str)| {
        let lifecycle = match *state {
            "active" => Lifecycle::Active { ends: None },
            "left" => Lifecycle::Left { at: at(), kept_out: None },
            "absent" => Lifecycle::Absent { since: now(), grace_until: now() },
            "leave" => Lifecycle::Leave { ends: None },
            "garden" => Lifecycle::GardenLeave { since: at(), ends: None },
            _ => Lifecycle::Pending {
                starts: Effective::at("2027-01-01T00:00:00Z".parse().unwrap()),
                ends: None,
            },
        };
        let attributes = BTreeMap::from([
            ("name".into(), AttributeValue::Text((*key).into())),
            ("phone".into(), AttributeValue::Text("1".into())),
            ("badge".into(), AttributeValue::Text("b".into())),
        ]);
        ((*key).to_owned(), Known { attributes, lifecycle, fired: None, cancelled: None })
    };
    keys.iter().map(one).collect()
}

#[test]
fn what_others_write_stays() {
    let mut before = known(&[("a", "active")]);
    let mut give = |name: &str| {
        let a = before.get_mut("a").unwrap();
        a.attributes.insert(name.into(), AttributeValue::Text("x".into()));
    };
    // One that another is certified for, one that nobody writes any more, one that the contract promises.
    give("desk");
    give("old");
    let kept = ["desk", "phone"].map(str::to_owned).into();
    let records = [record(2, "a new-name phone="), record(3, "b b")];
    let Intake { arrivals, breaches, .. } =
        intake(Sifted::whole(&records, &contract()), &contract(), &before, &kept, now());
    assert_eq!(breaches, []);
    let names: Vec<Vec<&str>> =
        arrivals.iter().map(|a| a.attributes.keys().map(String::as_str).collect()).collect();
    assert_eq!(names, [vec!["badge", "desk", "name"], vec!["name"]]);
}

#[test]
fn each_record_says_what_happened() {
    let check = |before: &[(&str, &str)], lines: &[&str], expect: &str| {
        let records: Vec<SourceRecord> = lines.iter().enumerate().map(|(n, l)| record(n + 2, l)).collect();
        let told = intake(
            Sifted::whole(&records, &contract()),
            &contract(),
            &known(before),
            &BTreeSet::new(),
            now(),
        );
        let told = match told.breaches.is_empty() {
            true => {
                let arrivals: Vec<String> = told
                    .arrivals
                    .iter()
                    .map(|a| format!("{}:{}:{}", a.key, a.kind.name(), a.lifecycle.name()))
                    .collect();
                format!("{} +{}", arrivals.join(" "), told.unchanged)
            }
            false => {
                let codes: Vec<&str> = told.breaches.iter().map(Breach::code).collect();
                let codes = codes.join(" ");
                format!("held {codes} +{}", told.held().arrivals.len())
            }
        };
        assert_eq!(told, expect, "{lines:?}");
    };
    let two = &[("a", "active"), ("b", "active")];
    let same = ["a a phone=1", "b b phone=1"];
    check(&[], &["a x", "b y"], "a:joined:active b:joined:active +0");
    check(&[], &["a x starts=2026-07-01", "b y ends=2026-01-01"], "a:joined:pending +1");
    check(two, &same, " +2");
    check(two, &["a z phone=1", "b b phone=1"], "a:changed:active +1");
    // Null policies: cleared, kept, not delivered.
    check(two, &["a a phone=", "b b phone=1"], "a:changed:active +1");
    check(two, &["a a phone=1 badge=", "b b phone=1"], " +2");
    check(two, &["a a", "b b"], " +2");
    // Endings: a word, a date that came, a date to come; and a day that ends in its zone.
    check(two, &["a a gone=1", "b b"], "a:left:left +1");
    check(two, &["a a gone=1 ends=2026-12-31", "b b"], "a:changed:active +1");
    check(two, &["a a ends=2026-06-14", "b b"], "a:left:left +1");
    check(two, &["a a ends=2026-06-15", "b b"], "a:changed:active +1");
    check(two, &["a a ends=2026-06-15 zone=Pacific/Kiritimati", "b b"], "a:left:left +1");
    // A day that stands for no end; no first day stands for none.
    check(two, &["a a ends=9999-12-31", "b b ends=9999-01-01 zone=Pacific/Kiritimati"], " +2");
    check(two, &["a a gone=1 ends=9999-12-31", "b b"], "a:left:left +1");
    check(two, &["a a starts=9999-12-31", "b b"], "held feed-bad-day +0");
    // Missing is absent, never left; and back is back.
    check(&[("a", "active"), ("b", "active"), ("c", "active")], &same, "c:absent:absent +2");
    check(&[("a", "absent"), ("b", "active")], &same, "a:returned:active +1");
    check(&[("a", "left"), ("b", "active")], &same, "a:joined:active +1");
    check(&[("a", "left"), ("b", "active")], &["a a gone=1", "b b"], " +2");
    check(&[("a", "left"), ("b", "active"), ("c", "active")], &["b b", "c c"], " +2");
    // What holds all of it.
    check(two, &["a a"], "held feed-too-few-rows +0");
    check(
        &[("a", "active"), ("b", "active"), ("c", "active"), ("d", "pending")],
        &same,
        "held feed-too-much-loss +0",
    );
    check(
        &[("a", "active"), ("b", "active"), ("c", "active")],
        &["a x", "b y", "c c"],
        "held feed-too-much-change +0",
    );
    check(two, &["a a", "a b"], "held feed-duplicate-key +0");
    check(two, &["- a", "b b"], "held feed-no-key +0");
    check(two, &["a -", "b b"], "held feed-empty-value +0");
    check(two, &["a a grade=", "b b"], "held feed-empty-value +0");
    check(two, &["a a grade=x", "b b"], "held feed-wrong-type +0");
    check(two, &["a a ends=2026-01-01 zone=Mars/Base", "b b"], "held feed-bad-day +0");
    // A positive leaver flows although the batch is held for its quantity; not when it is held for its form.
    check(two, &["a a gone=1"], "held feed-too-few-rows feed-too-much-loss +1");
    check(two, &["a a gone=1", "b -"], "held feed-empty-value +0");
}

#[test]
fn who_was_fired_is_hired_by_a_later_first_day_and_by_nothing_else() {
    let fired: Timestamp = "2026-06-14T09:00:00Z".parse().unwrap();
    let check = |lines: &[&str], expect: &str| {
        let mut before = known(&[("a", "left"), ("b", "active"), ("c", "active"), ("d", "active")]);
        before.get_mut("a").unwrap().fired = Some(fired);
        let records: Vec<SourceRecord> = lines.iter().enumerate().map(|(n, l)| record(n + 2, l)).collect();
        let kinds = |arrivals: &[bailiwick_core::contract::Arrival]| {
            arrivals.iter().map(|a| format!("{}:{}", a.key, a.kind.name())).collect::<Vec<_>>().join(" ")
        };
        let told =
            intake(Sifted::whole(&records, &contract()), &contract(), &before, &BTreeSet::new(), now());
        let told = match told.breaches.is_empty() {
            true => {
                let OfFired { gone, here, anew } = &told.fired;
                format!("[{}] gone {gone:?} here {here:?} anew {anew:?}", kinds(&told.arrivals))
            }
            false => {
                let held = told.held();
                format!("held [{}] gone {:?}", kinds(&held.arrivals), held.fired.gone)
            }
        };
        assert_eq!(told, expect.replace('_', "{}"), "{lines:?}");
    };
    let rest = ["b b phone=1", "c c phone=1", "d d phone=1"];
    let with = |line: &'static str| [&[line][..], &rest[..]].concat();
    // Whatever it says of their being here, and of what else is new of them.
    check(&with("a a phone=1"), r#"[] gone _ here {"a"} anew _"#);
    check(&with("a z phone=2"), r#"[] gone _ here {"a"} anew _"#);
    check(&with("a a starts=2019-01-01"), r#"[] gone _ here {"a"} anew _"#);
    check(&with("a a gone=1 ends=2026-12-31"), r#"[] gone _ here {"a"} anew _"#);
    // The day of the firing began before it.
    check(&with("a a starts=2026-06-14"), r#"[] gone _ here {"a"} anew _"#);
    check(&with("a a starts=2026-06-15"), r#"[a:joined] gone _ here _ anew {"a"}"#);
    check(&with("a a starts=2026-09-01"), r#"[a:joined] gone _ here _ anew {"a"}"#);
    check(&with("a a gone=1"), r#"[] gone {"a"} here _ anew _"#);
    check(&with("a a ends=2026-06-14"), r#"[] gone {"a"} here _ anew _"#);
    check(&rest, "[] gone _ here _ anew _");
    // A batch that is held says that somebody left all the same; a day that it says later waits for the next one.
    check(&["a a gone=1", "b b gone=1"], r#"held [b:left] gone {"a"}"#);
    check(&["a a starts=2026-09-01", "b b gone=1"], "held [b:left] gone _");
}

#[test]
fn a_cohort_keeps_the_limits_by_itself() {
    let contract = SourceContract {
        cohorts: ["phone".to_owned()].into(),
        min_rows: 1,
        max_loss_percent: 50,
        max_change_percent: 50,
        ..contract()
    };
    // Eight with phone 1 and two with phone 2: less than a half, and all of a small cohort.
    let keys = ["a", "b", "c", "d", "e", "f", "g", "h", "x", "y"];
    let mut before = known(&keys.map(|key| (key, "active")));
    for key in ["x", "y"] {
        before.get_mut(key).unwrap().attributes.insert("phone".into(), AttributeValue::Text("2".into()));
    }
    let check = |lines: &[&str], expect: &[&str]| {
        let records: Vec<SourceRecord> = lines.iter().enumerate().map(|(n, l)| record(n + 2, l)).collect();
        let told = intake(Sifted::whole(&records, &contract), &contract, &before, &BTreeSet::new(), now());
        assert_eq!(told.breaches, []);
        let mut of = BTreeMap::new();
        before
            .values()
            .flat_map(|k| guard::cohorts_of(&contract, k))
            .for_each(|c| *of.entry(c).or_default() += 1);
        let told = guard::cohorts(&contract, guard::hit(&contract, &before, &told.arrivals), &of);
        let told: Vec<String> = told.iter().map(|b| format!("{}: {b}", b.code())).collect();
        assert!(
            told.len() == expect.len() && told.iter().zip(expect).all(|(t, e)| t.contains(e)),
            "{told:?}"
        );
    };
    let eight: Vec<String> = keys[..8].iter().map(|key| format!("{key} {key}")).collect();
    let eight: Vec<&str> = eight.iter().map(String::as_str).collect();
    check(&[&eight[..], &["x x", "y y"]].concat(), &[]);
    check(&[&eight[..], &["y y"]].concat(), &[]);
    let lost = "feed-cohort-loss: 2 of 2 people whose `phone` is `2` would be missing or leave, at most 1 are allowed";
    check(&eight, &[lost]);
    check(&[&eight[..], &["x x gone=1", "y y gone=1"]].concat(), &[lost]);
    check(
        &[&eight[..], &["x new", "y new"]].concat(),
        &["feed-cohort-change: 2 of 2 people whose `phone` is `2` would change, at most 1 are allowed"],
    );
}

#[test]
fn what_is_one_persons_alone_is_no_others() {
    let mut contract = contract();
    contract.attributes.get_mut("name").unwrap().unique = true;
    let check = |lines: &[&str], expect: &[&str]| {
        let records: Vec<SourceRecord> = lines.iter().enumerate().map(|(n, l)| record(n + 2, l)).collect();
        let told =
            intake(Sifted::whole(&records, &contract), &contract, &BTreeMap::new(), &BTreeSet::new(), now());
        let told: Vec<String> = told.breaches.iter().map(ToString::to_string).collect();
        assert_eq!(told, expect);
    };
    check(&["a ann", "b bob"], &[]);
    check(
        &["a ann", "b Ann", "c ann"],
        &["lines 2 and 3 have the same `name`", "lines 3 and 4 have the same `name`"],
    );
}

#[test]
fn who_is_as_before_counts_and_is_not_read() {
    let before = known(&[("a", "active"), ("b", "active"), ("c", "left")]);
    let records = [record(2, "a a phone=2")];
    let sifted = |here| Sifted { records: &records, as_before: 20, here, ..Sifted::default() };
    let told = |here| intake(sifted(here), &contract(), &before, &BTreeSet::new(), now());
    // `b` is missing, one in twenty: a tenth may be.
    assert_eq!((told(18).unchanged, told(18).arrivals.len()), (20, 2));
    assert_eq!(told(18).breaches, []);
    let strict = SourceContract { always_allowed: 0, min_rows: 22, ..contract() };
    let told = intake(sifted(7), &strict, &before, &BTreeSet::new(), now());
    assert_eq!(
        told.breaches,
        [Breach::TooFewRows { rows: 21, least: 22 }, Breach::TooMuchLoss { lost: 1, known: 9, allowed: 0 },]
    );
}

/// PRODUCT F36: who is away keeps what policy gives, who is kept out holds nothing, and neither is absent or has left.
#[test]
fn leave_and_garden_leave_are_states_of_their_own() {
    let rule = StatusRule {
        attribute: "phone".into(),
        at_work: ["1".into(), "Works".into()].into(),
        leave: ["parental".into()].into(),
        garden_leave: ["garden".into()].into(),
    };
    let contract = SourceContract { status: Some(Box::new(rule)), min_rows: 0, ..contract() };
    let check = |before: &str, line: &str, expect: &str| {
        let before = known(&[("a", before)]);
        let records = [record(2, line)];
        let told = intake(Sifted::whole(&records, &contract), &contract, &before, &BTreeSet::new(), now());
        let codes: Vec<&str> = told.breaches.iter().map(Breach::code).collect();
        let arrivals = told.arrivals.iter().map(|a| format!("{} {}", a.kind.name(), a.lifecycle.name()));
        assert_eq!(
            arrivals.chain(codes.iter().map(ToString::to_string)).collect::<Vec<_>>(),
            [expect],
            "{line}"
        );
    };
    check("active", "a a phone=parental", "changed leave");
    check("leave", "a a phone=works", "changed active");
    check("absent", "a a phone=parental", "returned leave");
    check("left", "a a phone=parental", "joined leave");
    // In their access they leave and come back; of somebody who had left already nothing is left to take.
    check("active", "a a phone=GARDEN", "left garden-leave");
    check("leave", "a a phone=garden ends=2026-12-31", "left garden-leave");
    check("absent", "a a phone=garden", "left garden-leave");
    check("left", "a a phone=garden", "changed garden-leave");
    check("garden", "a a phone=garden ends=2026-12-31", "changed garden-leave");
    check("garden", "a a phone=1", "joined active");
    // They leave for good by a word or by the day.
    check("garden", "a a phone=garden gone=1", "left left");
    check("active", "a a phone=dismissed gone=1", "left left");
    check("garden", "a a phone=garden ends=2026-06-14", "left left");
    check("leave", "a a phone=parental gone=1 ends=2026-12-31", "changed leave");
    // What nobody listed could mean that somebody is to be kept out.
    check("active", "a a phone=gardening", "feed-unknown-status");

    // Of who has left already it counts whether they are under legal hold, and nothing else.
    let attribute = serde_json::from_str(r#"{ "type": "text" }"#).unwrap();
    let mut held = contract.clone();
    held.attributes.insert("legal_hold".into(), attribute);
    let before = known(&[("a", "left")]);
    let records = [record(2, "a other phone=1 legal_hold=yes gone=1")];
    let told = intake(Sifted::whole(&records, &held), &held, &before, &BTreeSet::new(), now());
    let [arrival] = told.arrivals.as_slice() else { panic!("{:?}", told.arrivals) };
    assert_eq!((arrival.kind.name(), arrival.lifecycle.name()), ("changed", "left"));
    assert_eq!(arrival.attributes["name"], before["a"].attributes["name"]);
    assert!(arrival.attributes.contains_key("legal_hold"));

    // Who is missing while away is absent; who is kept out has nothing to lose by it.
    let missing = |before: &str| {
        let before = known(&[("a", before)]);
        let told = intake(Sifted::whole(&[], &contract), &contract, &before, &BTreeSet::new(), now());
        told.arrivals.into_iter().map(|a| a.lifecycle.name()).collect::<Vec<_>>()
    };
    assert_eq!((missing("leave"), missing("garden")), (vec!["absent"], vec![]));
}
