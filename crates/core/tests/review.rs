//! Reviews and transfers: the days at which something comes of them.

#![allow(clippy::unwrap_used, reason = "a test")]

use bailiwick_core::{
    authority::{Authority, Class},
    digest::Digest,
    gate::{Certificate, Gate},
    id::ApprovalId,
    integration::{Control, Integration, Standing},
    review::{
        Consequence, NotNarrower, Resolves, Trigger, Use, Watch, Whereabouts, cadence, consequence,
        days_after, due, narrowed, resolves, rule_of, triggers,
    },
    scope::{Comparison, Operation},
    time::{SignedDuration, Timestamp},
    transfer::{Departure, Post, Step, Transfer, TransferState, standing_with},
};
use serde_json::json;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn chat(rules: &[&str]) -> Integration {
    serde_json::from_value(json!({
        "name": "chat", "purpose": "accounts", "owner": "hr/1", "backup": "hr/2", "connector": "scim",
        "endpoint": "https://chat.example", "standing": {"state": "enabled"}, "role": "target",
        "system": "chat", "scope": {"rules": rules},
        "register": {"boundary": "b", "data_flows": ["d"], "privilege_flows": ["p"], "vendor": "v",
                     "callbacks": ["https://a.example"]},
    }))
    .unwrap()
}

#[test]
fn the_cadence_counts_from_the_later_of_certificates_and_review() {
    let mut integration = chat(&[]);
    let check = |integration: &Integration, class, reviewed: Option<&str>, expect: Option<&str>| {
        let got = due(integration, class, reviewed.map(at)).map(|due| due.to_string());
        assert_eq!(got.as_deref(), expect, "{class} {reviewed:?}");
    };
    check(&integration, Class::Authoritative, Some("2026-01-01T00:00:00Z"), None);
    for (gate, when) in Gate::ALL.into_iter().zip(["2026-01-01T10:00:00Z", "2026-01-02T10:00:00Z"]) {
        let covers = Digest::of(b"x");
        let certificate = Certificate {
            approval: ApprovalId::from_bytes([1; 16]),
            covers,
            authority: Authority::default(),
            at: at(when),
        };
        integration.gates.set(gate, Some(certificate));
    }
    check(&integration, Class::Authoritative, None, Some("2026-02-01T10:00:00Z"));
    check(&integration, Class::Operational, None, Some("2026-04-02T10:00:00Z"));
    check(&integration, Class::Advisory, None, Some("2026-07-01T10:00:00Z"));
    check(&integration, Class::Authoritative, Some("2026-01-01T12:00:00Z"), Some("2026-02-01T10:00:00Z"));
    check(&integration, Class::Authoritative, Some("2026-01-20T00:00:00Z"), Some("2026-02-19T00:00:00Z"));
    assert_eq!([Class::Authoritative, Class::Operational, Class::Advisory].map(cadence), [30, 90, 180]);
}

#[test]
fn a_late_review_bars_on_the_first_day_and_pauses_on_the_eighth() {
    let due = at("2026-03-01T10:00:00Z");
    for (now, expect) in [
        ("2026-03-01T10:00:00Z", Consequence::None),
        ("2026-03-02T09:59:59Z", Consequence::None),
        ("2026-03-02T10:00:00Z", Consequence::Barred),
        ("2026-03-09T09:59:59Z", Consequence::Barred),
        ("2026-03-09T10:00:00Z", Consequence::Paused),
        ("2027-03-09T10:00:00Z", Consequence::Paused),
    ] {
        assert_eq!(consequence(due, at(now)), expect, "{now}");
    }
}

#[test]
fn what_gives_more_or_another_owner_is_a_reason_and_what_takes_is_none() {
    let before = chat(&["get GET /Users/{id}", "delete DELETE /Users/{id}"]);
    let check = |change: &dyn Fn(&mut Integration), expect: &[Trigger]| {
        let mut after = before.clone();
        change(&mut after);
        assert_eq!(triggers(&before, &after).into_iter().collect::<Vec<_>>(), expect);
    };
    check(&|_| {}, &[]);
    check(&|i| i.purpose = "other".into(), &[]);
    check(&|i| drop(i.scope.rules.pop()), &[]);
    check(&|i| i.register.callbacks.clear(), &[]);
    check(&|i| i.scope.rules.push("list GET /Users".parse().unwrap()), &[Trigger::Scope]);
    check(&|i| i.owner = "hr/9".into(), &[Trigger::Owner]);
    check(&|i| i.backup = "hr/9".into(), &[Trigger::Owner]);
    check(&|i| i.register.callbacks.push("https://b.example".into()), &[Trigger::Callback]);
}

#[test]
fn narrowing_leaves_what_was_used_since_the_last_review_and_is_proven_narrower() {
    let integration = chat(&["get GET /Users/{id}", "delete DELETE /Users/{id}"]);
    let mut watch = Watch::new(integration.name.clone(), at("2026-01-01T00:00:00Z"));
    assert_eq!(narrowed(&integration, &watch), Err(NotNarrower::NothingUsed));
    let used = |when| Use { calls: 2, last: at(when) };
    watch.add(&integration.scope.rules[0], &used("2026-01-05T00:00:00Z"));
    watch.add(&integration.scope.rules[0], &used("2026-01-03T00:00:00Z"));
    assert_eq!(watch.used["get GET /Users/{id}"], Use { calls: 4, last: at("2026-01-05T00:00:00Z") });
    let less = narrowed(&integration, &watch).unwrap();
    assert_eq!(less.scope.rules, integration.scope.rules[..1]);
    assert_eq!(less.scope.compare(&integration.scope), Comparison::Narrower);
    watch.add(&integration.scope.rules[1], &used("2026-01-06T00:00:00Z"));
    assert_eq!(narrowed(&integration, &watch), Err(NotNarrower::AllUsed));
    watch.reviewed = Some(at("2026-01-06T00:00:00Z"));
    assert_eq!(narrowed(&integration, &watch).unwrap().scope.rules, integration.scope.rules[1..]);
    watch.reviewed = Some(at("2026-01-06T00:00:01Z"));
    assert_eq!(narrowed(&integration, &watch), Err(NotNarrower::NothingUsed));
}

#[test]
fn a_call_uses_the_narrowest_rule_that_allows_it() {
    let scope = chat(&["get GET /{kind}/{id}", "get GET /Users/{id}", "get GET /Users/me"]).scope;
    let check = |path, expect: Option<&str>| {
        let rule = rule_of(&scope, Operation::Get, "GET", path).map(ToString::to_string);
        assert_eq!(rule.as_deref(), expect, "{path}");
    };
    check("/Users/me", Some("get GET /Users/me"));
    check("/Users/7", Some("get GET /Users/{id}"));
    check("/Groups/7", Some("get GET /{kind}/{id}"));
    check("/Groups", None);
}

#[test]
fn a_callback_is_compared_with_where_it_led() {
    let found = |hosts: &[&str], certificate: Option<&[u8]>| Whereabouts::Found {
        hosts: hosts.iter().map(ToString::to_string).collect(),
        certificate: certificate.map(Digest::of),
    };
    let lost = Whereabouts::Lost { why: "gone".into() };
    let pinned = found(&["1.1.1.1", "1.1.1.2"], Some(b"a"));
    for (now, expect) in [
        (found(&["1.1.1.1", "1.1.1.2"], Some(b"a")), Resolves::Same),
        (found(&["1.1.1.1"], Some(b"a")), Resolves::Same),
        (found(&["1.1.1.1"], Some(b"b")), Resolves::OtherCertificate),
        (found(&["1.1.1.1"], None), Resolves::OtherCertificate),
        (found(&["1.1.1.3"], Some(b"a")), Resolves::Elsewhere),
        (lost.clone(), Resolves::Nowhere),
    ] {
        assert_eq!(resolves(Some(&pinned), &now), expect, "{now:?}");
    }
    assert_eq!(resolves(None, &pinned), Resolves::NotPinned);
    assert_eq!(resolves(Some(&lost), &pinned), Resolves::NotPinned);
}

#[test]
fn a_transfer_takes_the_steps_that_time_and_people_take() {
    let opened = at("2026-11-30T10:00:00Z");
    let transfer = |because, state| Transfer {
        id: bailiwick_core::id::TransferId::from_bytes([1; 16]),
        integration: "chat".parse().unwrap(),
        post: Post::Owner,
        from: "hr/1".into(),
        to: Some("hr/2".into()),
        because,
        opened,
        deadline: Transfer::deadline(opened),
        state,
    };
    let accepted = TransferState::Accepted {
        by: "bo".into(),
        at: at("2026-12-01T00:00:00Z"),
        rotate_by: at("2026-12-08T00:00:00Z"),
    };
    let deadline = at("2026-12-07T10:00:00Z");
    let rotate_by = at("2026-12-08T00:00:00Z");
    let (old, new) = (chat(&[]), Integration { owner: "hr/2".into(), ..chat(&[]) });
    let ended = Integration { standing: Standing::Ended { since: opened }, ..chat(&[]) };
    let (left, asked) = (Departure::Left, Departure::Asked);
    let open = TransferState::Open;
    let early = deadline.saturating_sub(SignedDuration::from_secs(1)).unwrap();
    let (before, after) = (Some(at("2026-11-01T00:00:00Z")), Some(at("2026-12-01T00:00:00Z")));
    for (because, state, integration, oldest, now, expect) in [
        (left, &open, Some(&old), None, early, Step::Wait(deadline)),
        (left, &open, Some(&old), None, deadline, Step::Missing(Control::Owner)),
        (Departure::Moved, &open, Some(&old), None, deadline, Step::Missing(Control::Owner)),
        (asked, &open, Some(&old), None, deadline, Step::Drop),
        (left, &open, Some(&ended), None, early, Step::Drop),
        (left, &open, None, None, early, Step::Drop),
        (left, &accepted, Some(&old), after, early, Step::Wait(rotate_by)),
        (left, &accepted, Some(&old), after, rotate_by, Step::Missing(Control::Owner)),
        (left, &accepted, Some(&new), before, early, Step::Wait(rotate_by)),
        (left, &accepted, Some(&new), before, rotate_by, Step::Missing(Control::Rotation)),
        (left, &accepted, Some(&new), after, early, Step::Finish),
        (left, &accepted, Some(&new), after, rotate_by, Step::Finish),
        (left, &accepted, Some(&new), None, early, Step::Finish),
    ] {
        let step = transfer(because, state.clone()).step(integration, oldest, now);
        assert_eq!(step, expect, "{because:?} {state:?} {oldest:?} {now}");
    }
}

#[test]
fn a_missing_control_pauses_and_lets_go_and_lifts_nothing_else() {
    let now = at("2026-12-01T00:00:00Z");
    let since = days_after(now, -1);
    let paused = |control| Standing::Paused { since, control };
    let fresh = |control| Some(Standing::Paused { since: now, control });
    let stopped = Standing::Quarantined { since, reason: "x".into() };
    for (current, missing, expect) in [
        (Standing::Enabled, None, None),
        (Standing::Enabled, Some(Control::Review), fresh(Control::Review)),
        (paused(Control::Review), Some(Control::Review), None),
        (paused(Control::Review), Some(Control::Owner), fresh(Control::Owner)),
        (paused(Control::Owner), None, Some(Standing::Enabled)),
        (paused(Control::Drill), None, Some(Standing::Enabled)),
        (stopped, Some(Control::Owner), None),
        (Standing::Ended { since }, None, None),
    ] {
        assert_eq!(standing_with(&current, missing, now), expect, "{current:?} {missing:?}");
    }
}
