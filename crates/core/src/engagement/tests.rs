//! Which record leads, and what follows from several.

use super::*;
use crate::{id::IdentityId, identity::IdentityKind, policy::AttributeValue};

fn t(s: i64) -> Timestamp {
    Timestamp::from_second(s).unwrap()
}

fn at(s: i64) -> Effective {
    Effective::at(t(s))
}

/// `active`, `active..20`, `pending10`, `pending10..20`, `absent5`, `left7`.
fn life(text: &str) -> Lifecycle {
    let number = |text: &str| text.parse::<i64>().unwrap();
    let ends = |text: &str| text.split_once("..").map(|(_, end)| at(number(end)));
    if let Some(rest) = text.strip_prefix("pending") {
        let starts = at(number(rest.split("..").next().unwrap()));
        return Lifecycle::Pending { starts, ends: ends(rest) };
    }
    if let Some(rest) = text.strip_prefix("absent") {
        return Lifecycle::Absent { since: t(number(rest)), grace_until: t(number(rest) + 100) };
    }
    if text.starts_with("leave") {
        return Lifecycle::Leave { ends: ends(text) };
    }
    if let Some(rest) = text.strip_prefix("garden") {
        let since = at(number(rest.split("..").next().unwrap()));
        return Lifecycle::GardenLeave { since, ends: ends(rest) };
    }
    match text.strip_prefix("left") {
        Some(rest) => Lifecycle::Left { at: at(number(rest)), kept_out: None },
        None => Lifecycle::Active { ends: ends(text) },
    }
}

fn record(key: &str, state: &str, rank: u16, began: Option<i64>) -> Engagement {
    let (source, key) = key.split_once('/').unwrap();
    Engagement {
        key: SourceKey { source: source.parse().unwrap(), key: key.into() },
        attributes: [("from".to_owned(), AttributeValue::Text(format!("{source}/{key}")))].into(),
        lifecycle: life(state),
        rank,
        began: began.map(t),
        fired: None,
    }
}

fn person(records: Vec<Engagement>, now: i64) -> Identity {
    let first = records[0].clone();
    let nobody = Identity {
        id: IdentityId::from_bytes([1; 16]),
        kind: IdentityKind::Person,
        source_key: first.key,
        attributes: Attributes::new(),
        lifecycle: first.lifecycle,
        owner: None,
        generation: 1,
        engagements: Vec::new(),
        cancelled: Vec::new(),
        said: None,
    };
    nobody.of_records(records, t(now))
}

#[test]
fn one_leads_by_state_then_rank_then_the_latest_then_key() {
    let check = |records: &[(&str, &str, u16, Option<i64>)], expect: &str| {
        let records: Vec<_> = records.iter().map(|(k, s, r, b)| record(k, s, *r, *b)).collect();
        assert_eq!(leading(&records).unwrap().key.to_string(), expect, "{records:?}");
    };
    check(&[("a/1", "pending9", 1, None), ("b/1", "active", 9, None)], "b/1");
    // One that is missing leads as it did.
    check(&[("a/1", "absent1", 1, None), ("b/1", "active", 9, None)], "a/1");
    check(&[("a/1", "active", 1, None), ("b/1", "absent1", 9, None)], "a/1");
    check(&[("a/1", "absent1", 5, Some(1)), ("b/1", "active", 5, Some(2))], "b/1");
    check(&[("a/1", "absent1", 9, None), ("b/1", "pending9", 1, None)], "a/1");
    check(&[("a/1", "left1", 1, None), ("b/1", "absent1", 9, None)], "b/1");
    check(&[("a/1", "garden1", 1, None), ("b/1", "leave", 9, None)], "b/1");
    check(&[("a/1", "pending9", 1, None), ("b/1", "garden1", 9, None)], "b/1");
    check(&[("a/1", "active", 9, Some(5)), ("b/1", "active", 1, Some(1))], "b/1");
    check(&[("a/1", "active", 5, Some(1)), ("b/1", "active", 5, Some(2))], "b/1");
    check(&[("a/1", "active", 5, None), ("b/1", "active", 5, Some(2))], "b/1");
    check(&[("b/1", "active", 5, Some(2)), ("a/1", "active", 5, Some(2))], "a/1");
}

#[test]
fn they_leave_when_the_last_one_ends() {
    let check = |records: &[&str], expect: &str| {
        let records: Vec<_> =
            records.iter().zip(1..).map(|(state, n)| record(&format!("a/{n}"), state, 1, None)).collect();
        assert_eq!(together(&records), Some(life(expect)), "{records:?}");
    };
    check(&["active", "left5"], "active");
    check(&["active..20", "active..30"], "active..30");
    check(&["active..20", "active"], "active");
    // What begins at the end or before it leaves no gap.
    check(&["active..20", "pending20"], "active");
    check(&["active..20", "pending19..40"], "active..40");
    check(&["active..20", "pending20..30", "pending30..50"], "active..50");
    // What begins later does.
    check(&["active..20", "pending21"], "active..20");
    check(&["active..20", "pending20..30", "pending31"], "active..30");
    check(&["left20", "pending21"], "left20");
    check(&["left5", "left9"], "left9");
    check(&["pending10", "pending7..9"], "pending7..9");
    check(&["pending7..10", "pending10"], "pending7");
    // Who is at work by one record is; who is away is not kept out; and who is kept out has not left yet.
    check(&["leave..20", "active..30"], "active..30");
    check(&["leave..20", "garden5..30"], "leave..20");
    check(&["garden5..20", "left9"], "garden5..20");
    check(&["garden5..20", "garden7"], "garden7");
    check(&["garden5..20", "pending30"], "garden5..20");
    check(&["garden5", "absent9"], "garden5");
    // Silence is no word against a positive one that came later, and no end of its own.
    check(&["absent5", "active..20"], "active..20");
    check(&["absent5", "left9"], "left9");
    check(&["absent5", "left3"], "absent5");
    check(&["absent5", "absent9"], "absent9");
}

#[test]
fn a_conversion_is_a_move_and_a_gap_is_a_departure() {
    let check = |records: &[(&str, &str)], now: i64, expect: &str, leads: &str| {
        let records: Vec<_> = records.iter().map(|(k, s)| record(k, s, 1, None)).collect();
        let (before, after) = (person(records.clone(), 0), person(records, 0).at(t(now)));
        assert_eq!(change(&before, &after).name(), expect, "{after:?}");
        assert_eq!(after.text("from"), Some(leads));
        assert_eq!(after.leading_key().to_string(), leads);
    };
    check(&[("c/1", "active..20"), ("hr/1", "pending20")], 20, "changed", "hr/1");
    check(&[("c/1", "active..20"), ("hr/1", "pending21")], 20, "left", "hr/1");
    check(&[("c/1", "left20"), ("hr/1", "pending21")], 21, "joined", "hr/1");
    check(&[("c/1", "active..20"), ("hr/1", "active..30")], 30, "left", "c/1");
    check(&[("c/1", "left1"), ("hr/1", "pending9")], 9, "joined", "hr/1");
    check(&[("c/1", "absent1"), ("hr/1", "pending9")], 9, "returned", "c/1");
}

#[test]
fn a_person_decides_once_the_record_that_leads_is_missing_for_long() {
    let check = |records: &[&str], expect: bool| {
        let records: Vec<_> =
            records.iter().zip(1..).map(|(state, n)| record(&format!("a/{n}"), state, 1, None)).collect();
        assert_eq!(person(records.clone(), 0).is_overdue(t(105)), expect, "{records:?}");
        assert!(!person(records.clone(), 0).is_overdue(t(104)), "{records:?}");
    };
    check(&["absent5"], true);
    check(&["absent5", "active"], true);
    check(&["absent5", "left3"], true);
    // They have left: nobody has to say so.
    check(&["absent5", "left9"], false);
    check(&["active", "absent5"], false);
    check(&["active"], false);
}

#[test]
fn what_is_due_is_the_next_of_all() {
    let check = |records: &[&str], now: i64, expect: Option<i64>| {
        let records: Vec<_> =
            records.iter().zip(1..).map(|(state, n)| record(&format!("a/{n}"), state, 1, None)).collect();
        assert_eq!(person(records, now).due(t(now)), expect.map(t));
    };
    check(&["active..20", "pending10"], 0, Some(10));
    check(&["active..20", "pending10"], 10, Some(20));
    check(&["left5", "pending30"], 6, Some(30));
    check(&["active", "left5"], 6, None);
    check(&["active..20"], 3, Some(20));
}

#[test]
fn whoever_is_known_by_one_record_alone_has_no_list_and_a_record_is_replaced_by_its_key() {
    let one = person(vec![record("c/1", "active", 1, None)], 0);
    assert!(one.engagements.is_empty());
    let own = one.source_key.clone();
    let two = one.clone().with_record(record("hr/1", "active", 0, Some(3)), 1, t(0));
    assert_eq!((two.engagements.len(), two.text("from")), (2, Some("hr/1")));
    assert_eq!(two.by_key(&own).unwrap().0, &one.attributes);
    let ended = two.clone().with_record(record("hr/1", "left9", 0, Some(3)), 1, t(9));
    assert_eq!(
        (ended.engagements.len(), ended.text("from"), ended.lifecycle.name()),
        (2, Some("c/1"), "active")
    );
    let back = two.records(1).into_iter().filter(|r| r.key == own).collect();
    assert_eq!(two.clone().of_records(back, t(9)), one);
    assert_eq!(two.source_keys().iter().map(ToString::to_string).collect::<Vec<_>>(), ["c/1", "hr/1"]);
}
