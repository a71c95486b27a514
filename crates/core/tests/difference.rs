//! The classes of differences: every combination of what should be, what was applied and what is.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use bailiwick_core::{
    account::{AccountState, AccountValue},
    difference::{Answer, Class, Compared, Owner, Reconciling, classify},
    id::EntitlementName,
    plan::Desired,
};

fn state(active: bool, title: Option<&str>, held: bool) -> AccountState {
    let title = title.map(|title| ("title".to_owned(), AccountValue::from(title)));
    let entitlements = held.then(group).into_iter().collect();
    AccountState { active, attributes: title.into_iter().collect(), entitlements }
}

fn desired(title: Option<&str>, held: bool) -> Desired {
    let state = state(true, title, held);
    let entitlements = state.entitlements.into_iter().map(|name| (name, Vec::new())).collect();
    Desired { attributes: state.attributes, entitlements, because: Vec::new() }
}

fn group() -> EntitlementName {
    EntitlementName::new("chat/group").unwrap()
}

fn told(compared: &Compared<'_>) -> String {
    let told: Vec<String> =
        classify(compared).iter().map(|one| format!("{} {}", one.class, one.aspect)).collect();
    told.join(", ")
}

/// What follows for one entitlement of an account that is wanted otherwise. `0`, `1`: should not, should be; `-`:
/// never applied.
#[test]
fn each_combination_of_what_should_be_held_what_was_given_and_what_is_held() {
    let check = |case: &str, expect: &str| {
        let of: Vec<char> = case.chars().filter(|c| *c != ' ').collect();
        let (wanted, given, known, seen) = (of[0] == '1', of[1], of[2] == '1', of[3] == '1');
        let wanted = desired(None, wanted);
        let applied = (given != '-').then(|| state(true, None, given == '1'));
        let (known, observed) = (state(true, None, known), state(true, None, seen));
        let compared = Compared {
            owner: Owner::Known,
            desired: Some(&wanted),
            applied: applied.as_ref(),
            known: Some(&known),
            observed: Some(&observed),
        };
        let expect = if expect.is_empty() { String::new() } else { format!("{expect} chat/group") };
        assert_eq!(told(&compared), expect, "{case}");
    };
    for known in ["0", "1"] {
        let with = |wanted, given, seen| format!("{wanted}{given}{known}{seen}");
        check(&with("0", "-", "0"), "");
        check(&with("0", "-", "1"), "rogue");
        check(&with("0", "0", "0"), "");
        check(&with("0", "0", "1"), "rogue");
        // The flow takes it.
        check(&with("0", "1", "1"), "");
        // The flow gives it.
        check(&with("1", "-", "0"), "");
        check(&with("1", "0", "0"), "");
        check(&with("1", "-", "1"), "");
        check(&with("1", "1", "0"), "missing");
        check(&with("1", "1", "1"), "");
    }
    // As it should be, by somebody else; told when it is seen for the first time.
    check("0110", "out-of-band");
    check("0100", "");
    check("1001", "out-of-band");
    check("1011", "");
}

/// What follows for an account: whether it is wanted, what was applied and known (`-` never, `0` blocked, `1` usable),
/// and what is seen (`-` absent).
#[test]
fn each_combination_of_whether_there_should_be_an_account_was_and_is() {
    let account = |text: char| (text != '-').then(|| state(text == '1', None, false));
    let check = |owner, case: &str, expect: &str| {
        let of: Vec<char> = case.chars().collect();
        let wanted = desired(None, false);
        let (applied, known, observed) = (account(of[1]), account(of[2]), account(of[3]));
        let compared = Compared {
            owner,
            desired: (of[0] == '1').then_some(&wanted),
            applied: applied.as_ref(),
            known: known.as_ref(),
            observed: observed.as_ref(),
        };
        assert_eq!(told(&compared), expect, "{owner:?} {case}");
    };
    let mut seen = 0;
    for known in ['-', '0', '1'] {
        for applied in ['-', '0', '1'] {
            for observed in ['-', '0', '1'] {
                let new = match (known, observed) {
                    ('1', '1') | ('-' | '0', '-' | '0') => "",
                    ('1', '-' | '0') => "gone",
                    _ => "came",
                };
                let unwanted = match (applied, observed) {
                    ('-' | '0', '1') => "rogue the account",
                    ('1', '-') if new == "gone" => "out-of-band the account",
                    ('1', '0') if new == "gone" => "out-of-band whether it can be used",
                    _ => "",
                };
                let case = format!("0{applied}{known}{observed}");
                check(Owner::Known, &case, unwanted);
                // What was found of somebody who has left is looked at, also where it cannot be used.
                let left = match (applied, known, observed) {
                    ('-', '-', '0') => "ghost the account".to_owned(),
                    _ => unwanted.replace("rogue", "ghost"),
                };
                check(Owner::Left, &case, &left);
                let wanted = match (applied, observed) {
                    ('0' | '1', '-') => "missing the account",
                    ('1', '0') => "drifted whether it can be used",
                    ('0', '1') if new == "came" => "out-of-band whether it can be used",
                    _ => "",
                };
                check(Owner::Known, &format!("1{applied}{known}{observed}"), wanted);
                let absent = observed == '-';
                for (owner, told) in [
                    (Owner::Nobody, "unmanaged the account"),
                    (Owner::Stranger, "ghost the account"),
                    (Owner::Shared, "shared the account"),
                ] {
                    let said = if absent { unwanted.replace("rogue the account", "") } else { told.into() };
                    check(owner, &case, &said);
                }
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 27);
    // Of an account that two claim, what differs is told as well.
    check(Owner::Several, "0--1", "rogue the account, shared the account");
}

/// What follows for one attribute that should be `a`: what was applied (`-` never, `.` not set), what is seen.
#[test]
fn each_combination_of_what_an_attribute_should_be_was_and_is() {
    let value = |text: char| match text {
        '.' => None,
        'a' => Some("a"),
        _ => Some("b"),
    };
    let check = |case: &str, expect: &str| {
        let of: Vec<char> = case.chars().collect();
        let wanted = desired(Some("a"), false);
        let applied = (of[0] != '-').then(|| state(true, value(of[0]), false));
        let (known, observed) = (state(true, value(of[1]), false), state(true, value(of[2]), false));
        let compared = Compared {
            owner: Owner::Known,
            desired: Some(&wanted),
            applied: applied.as_ref(),
            known: Some(&known),
            observed: Some(&observed),
        };
        let expect = if expect.is_empty() { String::new() } else { format!("{expect} title") };
        assert_eq!(told(&compared), expect, "{case}");
    };
    for known in ['.', 'a', 'b'] {
        let with = |applied, seen| format!("{applied}{known}{seen}");
        // Never applied, though perhaps the account was: the flow sets it.
        for applied in ['-', '.'] {
            ['.', 'a', 'b'].iter().for_each(|seen| check(&with(applied, *seen), ""));
        }
        ['.', 'b'].iter().for_each(|seen| check(&with('a', *seen), "drifted"));
        check(&with('a', 'a'), "");
        check(&with('b', '.'), "drifted");
        // As it was applied and should not be any more: the flow sets it.
        check(&with('b', 'b'), "");
        check(&with('b', 'a'), if known == 'a' { "" } else { "out-of-band" });
    }
}

#[test]
fn what_is_not_wanted_as_an_attribute_is_nobodys_business() {
    let wanted = desired(None, false);
    let (applied, observed) = (state(true, Some("a"), false), state(true, Some("b"), false));
    let compared = Compared {
        owner: Owner::Known,
        desired: Some(&wanted),
        applied: Some(&applied),
        known: Some(&applied),
        observed: Some(&observed),
    };
    assert_eq!(told(&compared), "");
}

#[test]
fn each_class_has_an_answer_that_it_may_have_and_a_reason_against_the_others() {
    let answers = [Answer::Revert, Answer::Adopt, Answer::Except { days: 7 }, Answer::Tell];
    for class in Class::ALL {
        assert_eq!(class.refuses(class.usual()), None, "{class}");
        let may = answers.iter().filter(|answer| class.refuses(**answer).is_none()).count();
        let asked = matches!(class, Class::Rogue | Class::Missing | Class::Drifted);
        assert_eq!(may, if asked { 3 } else { 1 }, "{class}");
    }
    let asked =
        Reconciling { answers: BTreeMap::from([(Class::Rogue, Answer::Adopt)]), ..Default::default() };
    assert_eq!((asked.answer(Class::Rogue), asked.answer(Class::Ghost)), (Answer::Adopt, Answer::Revert));
    for (known, allowed) in [(0, 25), (83, 25), (84, 26), (1_000, 300), (1_001, 301)] {
        assert_eq!(Reconciling::default().allowed(known), allowed, "{known}");
    }
}
