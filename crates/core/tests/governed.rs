//! What holds for every integration that is governed: gates, reviews, owners, kills.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;

use bailiwick_core::{
    authority::{Authority, Class},
    gate::{Certificate, Gate, covers, permit},
    id::{ApprovalId, TransferId},
    integration::{Control, Integration, Standing, compare},
    kill::{Kill, Tried, drill_calls, judge, last_calls},
    review::{Consequence, NotNarrower, Use, Watch, cadence, consequence, days_after, narrowed},
    scope::Comparison,
    time::{SignedDuration, Timestamp},
    transfer::{Departure, Post, Step, Transfer, TransferState, standing_with},
};
use proptest::prelude::*;
use serde_json::json;

const RULES: [&str; 6] = [
    "list GET /Users",
    "get GET /Users/{id}",
    "create POST /Users",
    "update PATCH /Users/{id}",
    "delete DELETE /Users/{id}",
    "grant PATCH /Groups/{id}",
];

fn at(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH.saturating_add(SignedDuration::from_hours(hours)).unwrap()
}

fn chat(standing: Standing) -> Integration {
    let mut made: Integration = serde_json::from_value(json!({
        "name": "chat", "purpose": "accounts", "owner": "hr/1", "backup": "hr/2", "connector": "scim",
        "endpoint": "https://chat.example", "standing": {"state": "enabled"}, "role": "target",
        "system": "chat", "scope": {"rules": RULES},
        "register": {"boundary": "b", "data_flows": ["d"], "privilege_flows": ["p"], "vendor": "v"},
    }))
    .unwrap();
    made.kill = Some(Kill::new("POST /revoke", None, "GET /me", None).unwrap());
    made.standing = standing;
    made
}

fn controls() -> impl Strategy<Value = Control> {
    prop::sample::select(vec![Control::Review, Control::Owner, Control::Rotation, Control::Drill])
}

fn standings() -> impl Strategy<Value = Standing> {
    let since = at(1);
    prop_oneof![
        Just(Standing::Enabled),
        Just(Standing::Quarantined { since, reason: "x".into() }),
        controls().prop_map(move |control| Standing::Paused { since, control }),
        Just(Standing::Ended { since }),
    ]
}

/// Both gates open, as far as `open` says so, for what it can do.
fn certified(standing: Standing, open: [bool; 2], authority: &Authority) -> Integration {
    let mut made = chat(standing);
    for (gate, open) in Gate::ALL.into_iter().zip(open) {
        let certificate = Certificate {
            approval: ApprovalId::from_bytes([1; 16]),
            covers: covers(gate, made.declared(), authority),
            authority: authority.clone(),
            at: at(0),
        };
        made.gates.set(gate, open.then_some(certificate));
    }
    made
}

proptest! {
    #[test]
    fn writing_takes_both_gates_genuine_and_nothing_missing(
        standing in standings(), first: bool, second: bool, genuine: bool,
    ) {
        let authority = Authority { class: Class::Operational, ..Authority::default() };
        let made = certified(standing.clone(), [first, second], &authority);
        let permit = permit(&made, &authority, |_| genuine);
        let runs = matches!(standing, Standing::Enabled | Standing::Paused { .. });
        prop_assert_eq!(permit.reads.is_ok(), runs && first && genuine);
        prop_assert_eq!(
            permit.writes.is_ok(),
            standing == Standing::Enabled && first && second && genuine
        );
    }

    #[test]
    fn narrowing_keeps_exactly_what_was_used_and_is_narrower(used in prop::collection::vec(any::<bool>(), RULES.len())) {
        let made = chat(Standing::Enabled);
        let mut watch = Watch::new(made.name.clone(), at(0));
        let mine: BTreeSet<String> = made
            .scope
            .rules
            .iter()
            .zip(&used)
            .filter(|(_, used)| **used)
            .map(|(rule, _)| {
                watch.add(rule, &Use { calls: 1, last: at(2) });
                rule.to_string()
            })
            .collect();
        match narrowed(&made, &watch) {
            Ok(less) => {
                let kept: BTreeSet<String> = less.scope.rules.iter().map(ToString::to_string).collect();
                prop_assert_eq!(&kept, &mine);
                prop_assert_eq!(compare(&less, &made), Comparison::Narrower);
            }
            Err(NotNarrower::NothingUsed) => prop_assert!(mine.is_empty()),
            Err(NotNarrower::AllUsed) => prop_assert_eq!(mine.len(), RULES.len()),
        }
    }

    #[test]
    fn a_late_review_never_gets_milder(due in 0_i64..10_000, one in 0_i64..20_000, more in 0_i64..1_000) {
        let (before, after) = (consequence(at(due), at(one)), consequence(at(due), at(one + more)));
        prop_assert!(before <= after);
        prop_assert!(before == Consequence::None || days_after(at(due), 1) <= at(one));
        prop_assert!(cadence(Class::Authoritative) < cadence(Class::Operational));
        prop_assert!(cadence(Class::Operational) < cadence(Class::Advisory));
    }

    #[test]
    fn nothing_goes_on_while_something_is_missing_and_what_was_stopped_stays_so(
        standing in standings(), missing in prop::option::of(controls()),
    ) {
        let next = standing_with(&standing, missing, at(9)).unwrap_or_else(|| standing.clone());
        match standing {
            Standing::Quarantined { .. } | Standing::Ended { .. } => prop_assert_eq!(next, standing),
            Standing::Enabled | Standing::Paused { .. } => match missing {
                None => prop_assert_eq!(next, Standing::Enabled),
                Some(control) => {
                    let paused = matches!(next, Standing::Paused { control: c, .. } if c == control);
                    prop_assert!(paused, "{:?}", next);
                }
            },
        }
    }

    #[test]
    fn nobody_becomes_an_owner_without_accepting_and_time_alone_ends_in_writes_off(
        hours in 0_i64..2_000, opened in 0_i64..500, left: bool, owner_is_new: bool,
    ) {
        let because = if left { Departure::Left } else { Departure::Moved };
        let transfer = Transfer {
            id: TransferId::from_bytes([1; 16]),
            integration: "chat".parse().unwrap(),
            post: Post::Owner,
            from: "hr/1".into(),
            to: Some("hr/9".into()),
            because,
            opened: at(opened),
            deadline: Transfer::deadline(at(opened)),
            state: TransferState::Open,
        };
        let mut made = chat(Standing::Enabled);
        if owner_is_new {
            // Even a row that somebody changed does not stand for a word.
            made.owner = "hr/9".into();
        }
        let expect = match at(hours) < transfer.deadline {
            true => Step::Wait(transfer.deadline),
            false => Step::Missing(Control::Owner),
        };
        prop_assert_eq!(transfer.step(Some(&made), None, at(hours)), expect);
    }

    #[test]
    fn only_a_refusal_says_that_a_credential_is_dead(status in 100_u16..600, accepted: bool) {
        let dead = status == 401 || (status == 403 && accepted);
        prop_assert_eq!(judge(status, accepted) == Tried::Rejected, dead);
        prop_assert_eq!(judge(status, accepted) == Tried::Accepted, (200..300).contains(&status));
    }

    #[test]
    fn the_last_calls_are_for_what_has_ended_and_a_drill_is_for_what_has_not(standing in standings()) {
        let authority = Authority { class: Class::Operational, ..Authority::default() };
        let made = certified(standing.clone(), [true, true], &authority);
        let ended = matches!(standing, Standing::Ended { .. });
        prop_assert_eq!(last_calls(&made).is_ok(), ended);
        prop_assert!(last_calls(&made).is_err() || !last_calls(&made).unwrap().rehearsal());
        let drill = drill_calls(&made, &permit(&made, &authority, |_| true));
        prop_assert!(!ended || drill.is_err());
        prop_assert!(drill.is_err() || drill.unwrap().rehearsal());
    }
}
