//! What is compared, and what follows.

use super::*;
use AccessClass::{ApiTokens, DirectGroups, PrimaryAccount, Sessions};

fn t(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn write(account: &str, class: AccessClass, sent: i64, done: Option<i64>) -> Write {
    Write {
        run: RunId::from_bytes([1; 16]),
        seq: 0,
        identity: IdentityId::from_bytes([2; 16]),
        account: account.into(),
        part: Part::of(class),
        takes: true,
        sent: t(sent),
        done: done.map(t),
    }
}

fn entry(ours: bool, account: &str, about: About, at: i64) -> Entry {
    let actor = if ours { "hub" } else { "administrator" };
    let (mark, deed) = (at.to_string(), "changed".into());
    Entry {
        mark,
        at: t(at),
        actor: actor.into(),
        ours,
        deed,
        account: Some(account.into()),
        name: None,
        group: None,
        about,
    }
}

const SPAN: (i64, i64) = (10_000, 20_000);

/// Silent and foreign, as counts.
fn check(writes: &[Write], entries: &[Entry], expect: (usize, usize)) {
    let span = Span { from: t(SPAN.0), to: t(SPAN.1), delay: SignedDuration::from_secs(60) };
    let compared = compare(&span, writes, entries, Vec::new());
    let seen = (compared.silent.len(), compared.foreign.len());
    assert_eq!(seen, expect, "{writes:?} {entries:?}: {compared:?}");
}

#[test]
fn what_was_done_is_in_the_log_of_the_system_or_it_is_silent() {
    let tokens = |about| entry(true, "u1", about, 12_005);
    for (about, silent) in [
        (About::Taken(ApiTokens), 0),
        (About::Anything, 0),
        (About::Changed(ApiTokens), 0),
        (About::Given(ApiTokens), 1),
        (About::End, 0),
        (About::Taken(Sessions), 1),
        (About::Taken(PrimaryAccount), 1),
    ] {
        check(&[write("u1", ApiTokens, 12_000, Some(12_004))], &[tokens(about)], (silent, 0));
    }
    let one = [write("u1", ApiTokens, 12_000, Some(12_004))];
    check(&one, &[], (1, 0));
    check(&one, &[entry(true, "u2", About::Anything, 12_004)], (1, 1));
    // Somebody else ended it at about that time: it is ended.
    check(&one, &[entry(false, "u1", About::Taken(ApiTokens), 12_004)], (0, 0));
    // An entry of long before is of something else.
    check(&one, &[entry(true, "u1", About::Taken(ApiTokens), 11_800)], (1, 1));
}

#[test]
fn what_is_not_known_to_be_done_was_so_already_or_is_not_due_is_not_silent() {
    check(&[write("u1", ApiTokens, 12_000, None)], &[], (0, 0));
    check(&[write("u1", ApiTokens, 19_990, Some(20_001))], &[], (0, 0));
    check(&[write("u1", ApiTokens, 9_000, Some(10_000))], &[], (0, 0));
}

#[test]
fn what_the_log_has_under_our_name_was_sent_by_us_or_is_foreign() {
    let at = |second| [entry(true, "u1", About::Taken(PrimaryAccount), second)];
    let known = |done| [write("u1", PrimaryAccount, 12_000, done)];
    check(&known(Some(12_001)), &at(12_001), (0, 0));
    check(&known(Some(12_001)), &at(12_001 + 60 + 120), (0, 0));
    check(&known(Some(12_001)), &at(12_001 + 60 + 121), (0, 1));
    check(&known(Some(12_001)), &at(12_000 - 121), (1, 1));
    // As long as the end of ours is not known, it can be ours.
    check(&known(None), &at(19_000), (0, 0));
    check(&[], &at(12_000), (0, 1));
    // Of an account that nobody here knows, the log says the name alone.
    let named = Entry { account: None, name: Some("ann".into()), ..entry(true, "", About::End, 12_000) };
    check(&known(Some(12_001)), &[at(12_001)[0].clone(), named.clone()], (0, 1));
    // And what says nothing at all is nobody's.
    check(&[], &[Entry { name: None, about: About::Anything, ..named }], (0, 0));
    // What is not due yet, and what was compared before.
    check(&[], &at(20_001), (0, 0));
    check(&[], &at(10_000), (0, 0));
}

#[test]
fn a_late_log_takes_back_what_was_said_of_it() {
    let span = Span { from: t(SPAN.0), to: t(SPAN.1), delay: SignedDuration::ZERO };
    let missing =
        vec![write("u1", ApiTokens, 5_000, Some(5_001)), write("u2", ApiTokens, 5_000, Some(5_001))];
    let entries = [entry(true, "u1", About::Taken(ApiTokens), 5_001)];
    let compared = compare(&span, &[], &entries, missing.clone());
    assert_eq!((&compared.late[..], &compared.waiting[..]), (&missing[..1], &missing[1..]));
    assert_eq!(compared.remembered(), missing[1..]);
}

/// An entry that does not say whose account it is about.
fn nameless(ours: bool, about: About, group: Option<&str>, at: i64) -> Entry {
    Entry { account: None, group: group.map(Into::into), ..entry(ours, "", about, at) }
}

fn in_group(account: &str, group: Option<&str>, takes: bool, at: i64) -> Write {
    let part = Part { group: group.map(Into::into), ..Part::of(DirectGroups) };
    Write {
        takes,
        part,
        seq: u16::try_from(at % 1_000).unwrap(),
        ..write(account, DirectGroups, at, Some(at + 1))
    }
}

fn made(account: &str, at: i64) -> Write {
    let part = Part { made: true, ..Part::of(PrimaryAccount) };
    Write { takes: false, part, seq: 900, ..write(account, PrimaryAccount, at, Some(at + 1)) }
}

#[test]
fn an_entry_without_a_name_is_of_what_it_can_be_and_of_nothing_else() {
    let members = |group, at| nameless(true, About::Changed(DirectGroups), group, at);
    let joined = |account, at| in_group(account, Some("g1"), false, at);
    for (writes, entries, expect) in [
        // By the class, the group and the time.
        (vec![joined("u1", 12_000)], vec![members(Some("g1"), 12_001)], (0, 0)),
        (vec![joined("u1", 12_000)], vec![members(None, 12_001)], (0, 0)),
        (vec![joined("u1", 12_000)], vec![members(Some("g2"), 12_001)], (1, 1)),
        (vec![joined("u1", 12_000)], vec![members(Some("g1"), 12_001 + 60 + 120)], (0, 0)),
        (vec![joined("u1", 12_000)], vec![members(Some("g1"), 12_001 + 60 + 121)], (1, 1)),
        (vec![joined("u1", 12_000)], vec![members(Some("g1"), 12_000 - 121)], (1, 1)),
        (vec![in_group("u1", None, true, 12_000)], vec![members(Some("g1"), 12_001)], (0, 0)),
        // Both ways of what is only given or only taken.
        (vec![joined("u1", 12_000)], vec![nameless(true, About::Taken(DirectGroups), None, 12_001)], (1, 1)),
        // One entry is one change: that of the other is missing.
        (vec![joined("u1", 12_000), joined("u2", 12_010)], vec![members(Some("g1"), 12_001)], (1, 0)),
        (
            vec![joined("u1", 12_000), joined("u2", 12_010)],
            vec![members(Some("g1"), 12_001), members(Some("g1"), 12_011)],
            (0, 0),
        ),
        // One change may be several entries.
        (
            vec![in_group("u1", None, true, 12_000)],
            vec![members(Some("g1"), 12_000), members(Some("g2"), 12_001)],
            (0, 0),
        ),
        // Of somebody else it vouches for nothing, though it says that the class was changed.
        (
            vec![joined("u1", 12_000)],
            vec![nameless(false, About::Changed(DirectGroups), None, 12_001)],
            (1, 0),
        ),
        // What is given with an account is its making; what is done to one that is there has its name.
        (vec![made("u1", 12_000)], vec![nameless(true, About::Given(PrimaryAccount), None, 12_001)], (0, 0)),
        (
            vec![Write { takes: false, ..write("u1", PrimaryAccount, 12_000, Some(12_001)) }],
            vec![nameless(true, About::Given(PrimaryAccount), None, 12_001)],
            (1, 1),
        ),
        (
            vec![write("u1", PrimaryAccount, 12_000, Some(12_001))],
            vec![nameless(true, About::End, None, 12_001), nameless(true, About::Anything, None, 12_001)],
            (1, 1),
        ),
        (vec![made("u1", 12_000)], vec![nameless(true, About::End, None, 12_001)], (1, 1)),
        (
            vec![made("u1", 12_000)],
            vec![nameless(true, About::Changed(PrimaryAccount), None, 12_001)],
            (1, 1),
        ),
        // Never sent.
        (vec![], vec![members(Some("g1"), 12_001), nameless(true, About::End, None, 12_002)], (0, 2)),
        (vec![], vec![members(Some("g1"), 20_001)], (0, 0)),
        // What is not known to be done may be it.
        (vec![Write { done: None, ..joined("u1", 12_000) }], vec![members(Some("g1"), 12_900)], (0, 0)),
    ] {
        check(&writes, &entries, expect);
    }
}

#[test]
fn of_fewer_entries_than_changes_the_time_says_which_is_missing() {
    let span = Span { from: t(SPAN.0), to: t(SPAN.1), delay: SignedDuration::from_secs(60) };
    let writes = [in_group("u1", Some("g1"), false, 12_000), in_group("u2", Some("g1"), false, 12_010)];
    let entries = [nameless(true, About::Changed(DirectGroups), Some("g1"), 12_011)];
    let compared = compare(&span, &writes, &entries, Vec::new());
    assert_eq!(compared.silent, writes[..1]);
    // One that was compared before has its own entry still.
    let earlier = in_group("u3", Some("g1"), false, 9_998);
    let writes = [earlier, in_group("u2", Some("g1"), false, 10_010)];
    let entries = [nameless(true, About::Changed(DirectGroups), Some("g1"), 9_999)];
    let compared = compare(&span, &writes, &entries, Vec::new());
    assert_eq!((&compared.silent[..], compared.found), (&writes[1..], 0));
    // It turns up late, and is not that of a change of now.
    let missing = vec![in_group("u1", Some("g1"), false, 9_000)];
    let late = [nameless(true, About::Changed(DirectGroups), Some("g1"), 9_001)];
    let compared = compare(&span, &writes[1..], &late, missing.clone());
    assert_eq!((compared.late, compared.silent.len()), (missing, 1));
}

#[test]
fn what_only_one_can_have_done_explains_a_difference_that_has_no_name() {
    let by =
        |actor: &str, about, group, at| Entry { actor: actor.into(), ..nameless(false, about, group, at) };
    let members = |actor, group, at| by(actor, About::Changed(DirectGroups), group, at);
    let part = |group: Option<&str>| Part { group: group.map(Into::into), ..Part::of(DirectGroups) };
    let of = |entries: &[Entry], parts: &[Part]| {
        let mut others = Others::default();
        entries.iter().for_each(|entry| others.take(entry));
        (others.of("u1", parts).map(|by| by.actor), others.knows("u1", parts))
    };
    let alice = || Some("alice".to_owned());
    let g1 = [part(Some("g1"))];
    let made = |made| [Part { made, ..Part::of(PrimaryAccount) }];
    for (entries, parts, expect) in [
        (vec![members("alice", Some("g1"), 1)], &g1[..], (alice(), true)),
        (vec![members("alice", Some("g1"), 1), members("alice", None, 2)], &g1, (alice(), true)),
        (vec![members("alice", Some("g2"), 1)], &g1, (None, false)),
        (vec![members("alice", Some("g2"), 1)], &[part(None)], (alice(), true)),
        (vec![members("alice", Some("g1"), 1), members("bob", Some("g2"), 2)], &g1, (alice(), true)),
        // Either of two can have done it, and so can the hub, which writes lists whole.
        (vec![members("alice", Some("g1"), 1), members("bob", Some("g1"), 2)], &g1, (None, true)),
        (
            vec![
                members("alice", Some("g1"), 1),
                nameless(true, About::Changed(DirectGroups), Some("g1"), 2),
            ],
            &g1,
            (None, true),
        ),
        // One that has the name of the account and can be it is closer than one without.
        (
            vec![members("alice", Some("g1"), 1), entry(false, "u1", About::Anything, 0)],
            &g1,
            (Some("administrator".to_owned()), true),
        ),
        (
            vec![members("alice", Some("g1"), 1), entry(false, "u1", About::Changed(PrimaryAccount), 2)],
            &g1,
            (alice(), true),
        ),
        // An account that was there was not made.
        (vec![by("alice", About::Given(PrimaryAccount), None, 1)], &made(true), (alice(), true)),
        (vec![by("alice", About::Given(PrimaryAccount), None, 1)], &made(false), (None, false)),
        (vec![by("alice", About::Changed(PrimaryAccount), None, 1)], &made(false), (alice(), true)),
        (vec![by("alice", About::End, None, 1)], &made(false), (alice(), true)),
        (vec![by("alice", About::End, None, 1)], &g1, (None, false)),
        (vec![by("alice", About::End, None, 1)], &made(true), (None, false)),
        (vec![by("alice", About::Anything, None, 1)], &g1, (None, false)),
    ] {
        assert_eq!(of(&entries, parts), expect, "{entries:?} {parts:?}");
    }
}

#[test]
fn the_last_of_the_others_explains_what_differs() {
    let mut others = Others::default();
    for entry in [
        entry(false, "u1", About::Anything, 5),
        entry(true, "u1", About::Anything, 9),
        entry(false, "u1", About::Anything, 3),
    ] {
        others.take(&entry);
    }
    assert_eq!(others.of("u1", &[]).map(|explained| explained.at), Some(t(5)));
    assert_eq!(others.of("u2", &[]), None);
    others.take(&entry(true, "u3", About::Anything, 9));
    assert_eq!((others.of("u3", &[]), others.knows("u3", &[]), others.knows("u2", &[])), (None, true, false));
}

#[test]
fn a_change_that_was_written_down_without_its_group_is_read() {
    let written = write("u1", DirectGroups, 12_000, Some(12_001));
    let mut json = serde_json::to_value(&written).unwrap();
    assert_eq!(json["class"], "direct-groups");
    assert!(json.get("group").is_none() && json.get("made").is_none(), "{json}");
    assert_eq!(serde_json::from_value::<Write>(json.clone()).unwrap(), written);
    json["group"] = "g1".into();
    json["made"] = true.into();
    let part = Part { group: Some("g1".into()), made: true, ..Part::of(DirectGroups) };
    assert_eq!(serde_json::from_value::<Write>(json).unwrap().part, part);
}
