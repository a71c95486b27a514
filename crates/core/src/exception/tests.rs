//! Exceptions: what is asked, given and withheld, for how long, and who may review it.

use super::*;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

fn case(entitlements: &[&str], longest_minutes: u32) -> GlassCase {
    let entitlements = entitlements.iter().map(|e| EntitlementName::new(e).unwrap()).collect();
    let name = GlassName::new("outage").unwrap();
    GlassCase { name, purpose: "an outage".into(), entitlements, longest_minutes }
}

fn terms(minutes: u32, reason: &str) -> Terms {
    let case = case(&["chat/admins"], 60);
    Terms {
        exception: ExceptionId::from_bytes([1; 16]),
        identity: IdentityId::from_bytes([2; 16]),
        entitlements: case.entitlements,
        minutes,
        because: Because::BreakGlass { case: case.name, reason: reason.into() },
        requester: Some(OperatorId::from_bytes([3; 16])),
    }
}

fn asked() -> Exception {
    let active = Lifecycle::Active { ends: None };
    ask(&case(&["chat/admins"], 60), terms(30, "mail is down"), &active, at(0), at(60)).unwrap()
}

#[test]
fn a_case_reaches_nothing_of_the_hub_and_has_an_end() {
    let check = |case: GlassCase, expect: &str| {
        let wrongs = case.wrongs(|name| name.as_str() == "chat/admins").join("; ");
        assert!(if expect.is_empty() { wrongs.is_empty() } else { wrongs.contains(expect) }, "{wrongs}");
    };
    check(case(&["chat/admins"], 60), "");
    check(case(&[], 60), "gives nothing");
    check(case(&["bailiwick/integration-approved"], 60), "out of its reach");
    check(case(&["chat/other"], 60), "no entitlement `chat/other`");
    check(case(&["chat/admins"], 0), "minutes");
    check(case(&["chat/admins"], 1_441), "minutes");
}

#[test]
fn what_is_asked_is_within_the_case_and_for_somebody_who_is_here() {
    let check = |minutes: u32, reason: &str, lifecycle: Lifecycle, expect: Result<(), &str>| {
        let told = ask(&case(&["chat/admins"], 60), terms(minutes, reason), &lifecycle, at(0), at(60));
        assert_eq!(told.map(|_| ()).map_err(|r| r.code()), expect);
    };
    let active = || Lifecycle::Active { ends: None };
    check(60, "down", active(), Ok(()));
    check(0, "down", active(), Err("break-glass-too-long"));
    check(61, "down", active(), Err("break-glass-too-long"));
    check(60, " ", active(), Err("reason-missing"));
    let left = Lifecycle::Left { at: crate::time::Effective::at(at(0)), kept_out: None };
    check(60, "down", left, Err("identity-not-active"));
}

#[test]
fn it_counts_from_its_approval_to_its_end() {
    let given =
        |minute| asked().give(ApprovalId::from_bytes([4; 16]), OperatorId::from_bytes([5; 16]), at(minute));
    assert!(asked().live(at(1)).is_none());
    assert_eq!(given(60).unwrap_err().code(), "access-asked-over");
    let open = given(10).unwrap();
    assert!(open.live(at(39)).is_some());
    assert!(open.live(at(40)).is_none());
    let again = open.give(ApprovalId::from_bytes([6; 16]), OperatorId::from_bytes([5; 16]), at(11));
    assert_eq!(again.unwrap_err().code(), "access-asked-over");
}

#[test]
fn terms_are_bound_to_every_byte() {
    let base = terms(30, "down").digest();
    let altered: [fn(&mut Terms); 4] = [
        |t| t.minutes = 31,
        |t| t.identity = IdentityId::from_bytes([9; 16]),
        |t| t.entitlements.clear(),
        |t| t.requester = Some(OperatorId::from_bytes([9; 16])),
    ];
    for alter in altered {
        let mut other = terms(30, "down");
        alter(&mut other);
        assert_ne!(other.digest(), base, "{other:?}");
    }
}

#[test]
fn a_third_person_reviews_it_once_after_its_end() {
    let open = asked().give(ApprovalId::from_bytes([4; 16]), OperatorId::from_bytes([5; 16]), at(1)).unwrap();
    let given = open.state.given().unwrap().clone();
    let ended = Exception { state: ExceptionState::Ended { given, ended: at(50) }, ..open.clone() };
    let conflicts = BTreeMap::from([("hr/1".to_owned(), Conflict::Beneficiary)]);
    let check = |of: &Exception, by: u8, person: Option<&str>, reason: &str, expect: Result<(), &str>| {
        let by = OperatorId::from_bytes([by; 16]);
        let told = of.clone().review(by, person, &conflicts, reason, at(60));
        assert_eq!(told.map(|_| ()).map_err(|r| r.code()), expect);
    };
    check(&open, 7, Some("hr/7"), "fine", Err("break-glass-running"));
    check(&ended, 3, Some("hr/7"), "fine", Err("review-by-involved"));
    check(&ended, 5, Some("hr/7"), "fine", Err("review-by-involved"));
    check(&ended, 7, Some("hr/1"), "fine", Err("review-by-involved"));
    check(&ended, 7, None, "fine", Err("reviewer-unknown"));
    check(&ended, 7, Some("hr/7"), " ", Err("reason-missing"));
    check(&ended, 7, Some("hr/7"), "fine", Ok(()));
    let done =
        ended.review(OperatorId::from_bytes([7; 16]), Some("hr/7"), &conflicts, "fine", at(60)).unwrap();
    check(&done, 8, Some("hr/8"), "fine", Err("review-done"));
}

#[test]
fn what_exceptions_give_and_withhold_beside_policies() {
    let name = |name: &str| EntitlementName::new(name).unwrap();
    let because =
        |policies: &[&str]| policies.iter().map(|policy| PolicyId::new(*policy)).collect::<Vec<_>>();
    let holding = || Holding {
        held: BTreeMap::from([
            (name("chat/account"), because(&["all"])),
            (name("chat/sales"), because(&["sales-talk"])),
            (name("wiki/account"), because(&["all"])),
        ]),
        forbidden: BTreeMap::from([(name("chat/audit"), because(&["apart"]))]),
    };
    let of = |entitlements: &[&str], because: Because| Terms {
        entitlements: entitlements.iter().map(|e| name(e)).collect(),
        because,
        ..terms(30, "")
    };
    let chat = || SystemName::new("chat").unwrap();
    let lost = |whole| Because::Lost { system: chat(), whole };
    let check = |all: &[Terms], held: &[&str], forbidden: &[(&str, &[&str])]| {
        let beside = beside(holding(), all);
        let names: Vec<&str> = beside.held.keys().map(|name| name.as_str()).collect();
        assert_eq!(names, held);
        let all: BTreeMap<EntitlementName, Vec<PolicyId>> =
            forbidden.iter().map(|(of, policies)| (name(of), because(policies))).collect();
        assert_eq!(beside.forbidden, all);
    };
    let apart: (&str, &[&str]) = ("chat/audit", &["apart"]);
    check(&[], &["chat/account", "chat/sales", "wiki/account"], &[apart]);
    let found = of(&["chat/admins", "chat/audit"], Because::Found { system: chat() });
    check(
        std::slice::from_ref(&found),
        &["chat/account", "chat/admins", "chat/sales", "wiki/account"],
        &[apart],
    );
    let one = of(&["chat/sales"], lost(false));
    check(&[one], &["chat/account", "wiki/account"], &[apart, ("chat/sales", &["lost-on:chat"])]);
    // Nothing is wanted on a system where the account was taken, whatever gives it, and whatever was named.
    check(
        &[of(&["chat/account"], lost(true)), found],
        &["wiki/account"],
        &[
            ("chat/account", &["lost-on:chat"]),
            ("chat/admins", &["lost-on:chat"]),
            apart,
            ("chat/sales", &["lost-on:chat"]),
        ],
    );
    assert!(given_by(&[of(&["chat/sales"], lost(false))]).is_empty());
}
