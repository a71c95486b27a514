//! The LDAP connector against a real server, OpenLDAP.

#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/ldap_bench.rs"]
mod ldap_bench;
#[path = "support/page.rs"]
mod page;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/slapd.rs"]
mod slapd;

use bailiwick_connector::{
    Capability, Connector, Effect, Entry, ErrorKind, Listing, Locator, News, Object, ObjectState,
    ObjectValue, Outcome, Start,
    seal::Secret,
    testkit::{self, Subject},
};
use bailiwick_connectors::ldap::Ldap;
use bailiwick_core::{
    access::AccessClass,
    account::AccountAttributes,
    audit::{self, About},
    dn::{Dn, Rdn},
    plan::Op,
    time::Timestamp,
};
use ldap_bench::{Bench, HUB, Raw, account, group, not_in_force, settings};
use serde_json::json;
use slapd::{Policy, Setup, Slapd};

fn start(policy: Policy) -> Slapd {
    Slapd::start(Setup { policy, ..Setup::default() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds() {
    for (policy, configured, locks) in [
        (Policy::Strict, true, true),
        (Policy::Lax, true, false),
        (Policy::None, true, false),
        (Policy::NoOverlay, false, false),
    ] {
        page::kept(&testkit::run(&Bench::new(start(policy), &logged(configured), locks)).await);
    }
    page::all_kept("the_contract_holds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds_for_unique_members_without_a_session_log() {
    let mut settings = settings(true);
    settings["groups"]["member"] = "uniqueMember".into();
    let tree = Slapd::start(Setup { session_log: false, ..Setup::default() });
    page::kept(&testkit::run(&Bench::new(tree, &settings, true)).await);
    page::all_kept("the_contract_holds_for_unique_members_without_a_session_log");
}

/// Settings with an access log that is read.
fn logged(policies: bool) -> serde_json::Value {
    let mut settings = settings(policies);
    settings["audit"] = json!({"base": "cn=log", "ours": [HUB]});
    settings
}

/// What the log has after a mark: the account, whether the hub did it, and what.
async fn deeds(bench: &Bench<Slapd>, mark: &mut Option<String>) -> Vec<(Option<String>, bool, About)> {
    let mut seen = Vec::new();
    let last = mark.clone();
    let from = last.as_deref().map_or(Start::Instant(Timestamp::UNIX_EPOCH), Start::Mark);
    let mut read = |entry: audit::Entry| {
        *mark = Some(entry.mark);
        seen.push((entry.account, entry.ours, entry.about));
    };
    bench.ldap().audit(&bench.line(), from, 500, &mut read).await.unwrap();
    seen
}

#[tokio::test]
async fn the_access_log_tells_who_changed_whom() {
    use AccessClass::{DirectGroups, PrimaryAccount};
    let bench = Bench::new(start(Policy::Strict), &logged(true), true);
    let dn: Dn = "uid=ann,ou=people,dc=acme,dc=example".parse().unwrap();
    bench.tree.add(&[account("ann"), account("bob"), group("ops", &[&dn])]);
    let (ldap, line) = (bench.ldap(), bench.line());
    let id =
        async |name| ldap.get(&line, Locator::AccountNamed(name)).await.unwrap().unwrap().id.into_owned();
    let (ann, bob) = (id("ann").await, id("bob").await);
    let mut mark = None;
    let begun = deeds(&bench, &mut mark).await;
    assert!(begun.contains(&(Some(ann.clone()), false, About::Given(PrimaryAccount))), "{begun:?}");
    assert!(begun.contains(&(Some(ann.clone()), false, About::Given(DirectGroups))), "{begun:?}");

    ldap.apply(&line, Some(&bob), &Op::Disable { way: 0 }, None, "k").await.unwrap();
    let by_hand = "dn: cn=ops,ou=groups,dc=acme,dc=example\nchangetype: modify\nadd: member\n\
                   member: uid=bob,ou=people,dc=acme,dc=example\n-\ndelete: member\n\
                   member: uid=ann,ou=people,dc=acme,dc=example\n";
    bench.tree.tool("ldapmodify", &[], by_hand).unwrap();
    let since = deeds(&bench, &mut mark).await;
    for deed in [
        (Some(bob.clone()), true, About::Changed(PrimaryAccount)),
        (Some(bob.clone()), false, About::Given(DirectGroups)),
        (Some(ann.clone()), false, About::Taken(DirectGroups)),
    ] {
        assert!(since.contains(&deed), "{deed:?} in {since:?}");
    }
    ldap.apply(&line, Some(&bob), &Op::Delete, None, "k2").await.unwrap();
    let end = deeds(&bench, &mut mark).await;
    assert!(end.contains(&(Some(bob), true, About::End)), "{end:?}");
    assert_eq!(deeds(&bench, &mut mark).await, []);
}

fn attributes(pairs: &[(&str, &str)]) -> AccountAttributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
}

async fn listed(
    ldap: &Ldap,
    line: &bailiwick_connector::Line,
    listing: Listing<'_>,
) -> (Vec<Object<'static>>, bool) {
    let (mut seen, mut complete, mut cursor) = (Vec::new(), true, None::<String>);
    loop {
        let mut visit = |object: Object<'_>| seen.push(object.into_owned());
        let page = ldap.list(line, listing, cursor.as_deref(), 3, &mut visit).await.unwrap();
        complete &= page.complete;
        match page.next {
            Some(next) => cursor = Some(next),
            None => return (seen, complete),
        }
    }
}

/// Gives the account a password, and says who is let in: by the connector, and past it.
async fn let_in(bench: &Bench<Slapd>, id: &str, password: &str) -> (Entry, bool) {
    let (ldap, line) = (bench.ldap(), bench.line());
    let secret = Secret::new(password);
    let issued = ldap.issue(&line, id, AccessClass::PrimaryAccount, secret).await.unwrap();
    let name = ldap.get(&line, Locator::Account(id)).await.unwrap().unwrap().name.into_owned();
    let base: Dn = "ou=people,dc=acme,dc=example".parse().unwrap();
    let dn = base.child(Rdn::new("uid", &name).unwrap());
    (ldap.attempt(&line, &issued).await.unwrap(), bench.tree.lets_in(&dn, password))
}

/// The ways of disabling that are taken.
fn working(capability: &Capability) -> Vec<&'static str> {
    let ways = (0..).zip(&capability.disable_ways);
    ways.filter(|(place, _)| !capability.idle_ways.contains(place)).map(|(_, way)| *way).collect()
}

#[tokio::test]
async fn a_lock_that_locks_nobody_is_found_and_another_way_is_used() {
    for (policy, configured, ways, remark) in [
        (Policy::Strict, true, &["ppolicy-lock", "unusable-password"][..], None),
        (Policy::Lax, true, &["unusable-password"], Some("no `pwdLockout: TRUE`")),
        (Policy::None, true, &["unusable-password"], Some("not there or may not be read")),
        (Policy::NoOverlay, true, &["unusable-password"], Some("no ppolicy overlay")),
        (Policy::Strict, false, &["unusable-password"], Some("set `policies.base`")),
    ] {
        let bench = Bench::new(start(policy), &settings(configured), false);
        let (ldap, line) = (bench.ldap(), bench.line());
        bench.tree.add(&[account("ann")]);
        ldap.check(&line).await.unwrap();
        let capability = ldap.capability();
        assert_eq!(working(capability), ways, "{policy:?}");
        let remarks = ldap.remarks(&line).await.unwrap();
        assert_eq!(remarks.len(), usize::from(remark.is_some()), "{policy:?}");
        for (said, expected) in remarks.iter().zip(remark) {
            assert!(said.contains(expected), "{policy:?}: {said}");
        }
        let ann = ldap.get(&line, Locator::AccountNamed("ann")).await.unwrap().unwrap();
        assert_eq!(let_in(&bench, &ann.id, "Open-sesame-1").await, (Entry::Accepted, true));
        for way in (0..).take(ways.len()) {
            let applied = ldap.apply(&line, Some(&ann.id), &Op::Disable { way }, None, "k").await.unwrap();
            assert_eq!(applied.outcome, Outcome::Done);
            let dn: Dn = "uid=ann,ou=people,dc=acme,dc=example".parse().unwrap();
            assert!(!bench.tree.lets_in(&dn, "Open-sesame-1"), "{policy:?} {}", ways[usize::from(way)]);
            let seen = ldap.get(&line, Locator::Account(&ann.id)).await.unwrap().unwrap();
            assert_eq!(seen.state, ObjectState::Blocked, "{policy:?}");
            ldap.apply(&line, Some(&ann.id), &Op::Enable, None, "k").await.unwrap();
            assert_eq!(let_in(&bench, &ann.id, "Open-sesame-1").await, (Entry::Accepted, true));
        }
        // A lock that somebody else sets counts where it locks, and nowhere else.
        let lock = "dn: uid=ann,ou=people,dc=acme,dc=example\nchangetype: modify\nadd: pwdAccountLockedTime\n\
                    pwdAccountLockedTime: 000001010000Z\n";
        let locked = bench.tree.tool("ldapmodify", &[], lock);
        let state = ldap.get(&line, Locator::Account(&ann.id)).await.unwrap().unwrap().state;
        let dn: Dn = "uid=ann,ou=people,dc=acme,dc=example".parse().unwrap();
        let inside = bench.tree.lets_in(&dn, "Open-sesame-1");
        assert_eq!(inside, policy != Policy::Strict, "{policy:?} {locked:?}");
        // Without being told where the policies are, it is not known to lock, and not said to.
        assert_eq!(state == ObjectState::Blocked, !inside && configured, "{policy:?}");
    }
}

#[tokio::test]
async fn a_policy_that_is_not_in_force_is_refuted_by_a_canary() {
    // The settings name a policy that locks, and the server has none in force.
    let bench = Bench::new(start(Policy::None), &settings(true), false);
    bench.tree.add(&[account("canary"), not_in_force()]);
    let (ldap, line) = (bench.ldap(), bench.line());
    ldap.check(&line).await.unwrap();
    assert_eq!(working(ldap.capability()), ["ppolicy-lock", "unusable-password"]);
    let canary = ldap.get(&line, Locator::AccountNamed("canary")).await.unwrap().unwrap();
    let secret = Secret::new("Sing-1");
    let issued = ldap.issue(&line, &canary.id, AccessClass::PrimaryAccount, secret).await.unwrap();
    ldap.apply(&line, Some(&canary.id), &Op::Disable { way: 0 }, None, "k").await.unwrap();
    let seen = async || ldap.get(&line, Locator::Account(&canary.id)).await.unwrap().unwrap().state;
    assert_eq!(seen().await, ObjectState::Blocked);
    assert_eq!(ldap.attempt(&line, &issued).await.unwrap(), Entry::Accepted);
    assert_eq!(seen().await, ObjectState::Live);
    assert_eq!(working(ldap.capability()), ["unusable-password"]);
    assert_eq!(ldap.capability().disable_ways.len(), 2, "a place means what it meant");
    let remarks = ldap.remarks(&line).await.unwrap();
    assert!(remarks[0].contains("was let in"), "{remarks:?}");
    ldap.apply(&line, Some(&canary.id), &Op::Disable { way: 0 }, None, "k").await.unwrap();
    assert_eq!(seen().await, ObjectState::Blocked);
    assert_eq!(ldap.attempt(&line, &issued).await.unwrap(), Entry::Rejected);
}

#[tokio::test]
async fn only_the_lock_where_no_lock_locks_is_refused_by_check() {
    let mut settings = settings(true);
    settings["disable"] = json!(["ppolicy-lock"]);
    let bench = Bench::new(start(Policy::Lax), &settings, false);
    let error = bench.ldap().check(&bench.line()).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::Settings, "lock-without-effect"));
    assert!(error.message.contains("pwdLockout"), "{error}");
}

#[tokio::test]
async fn an_account_of_its_own_policy_is_judged_by_that() {
    let bench = Bench::new(start(Policy::Strict), &settings(true), true);
    let lax = "cn=lax,ou=policies,dc=acme,dc=example";
    bench.tree.add(&[
        Raw::new(
            "ou=policies,dc=acme,dc=example",
            &[
                ("cn", &["lax"]),
                ("objectClass", &["pwdPolicy", "device"]),
                ("pwdAttribute", &["userPassword"]),
            ],
        ),
        account("ann").with("pwdPolicySubentry", lax.as_bytes()),
    ]);
    let (ldap, line) = (bench.ldap(), bench.line());
    let ann = ldap.get(&line, Locator::AccountNamed("ann")).await.unwrap().unwrap();
    let state = async || ldap.get(&line, Locator::Account(&ann.id)).await.unwrap().unwrap().state;
    let disable =
        async |way| ldap.apply(&line, Some(&ann.id), &Op::Disable { way }, None, "k").await.unwrap();
    disable(0).await;
    assert_eq!(state().await, ObjectState::Live);
    disable(1).await;
    assert_eq!(state().await, ObjectState::Blocked);
}

#[tokio::test]
async fn a_switch_of_the_configuration_keeps_out() {
    let mut settings = settings(false);
    settings["accounts"]["classes"] = json!(["inetOrgPerson", "posixAccount"]);
    settings["switch"] = json!({"attribute": "loginShell", "off": "/usr/sbin/nologin", "on": "/bin/sh"});
    settings["disable"] = json!(["switch", "unusable-password"]);
    for (here, there) in [("uidNumber", "uidNumber"), ("gid", "gidNumber"), ("home", "homeDirectory")] {
        settings["attributes"][here] = there.into();
    }
    let bench = Bench::new(start(Policy::None), &settings, false);
    let (ldap, line) = (bench.ldap(), bench.line());
    let attributes =
        attributes(&[("userName", "ann"), ("uidNumber", "1000"), ("gid", "1000"), ("home", "/home/ann")]);
    let create = Op::CreateAccount { marker: "hr/1".into(), attributes };
    let id = ldap.apply(&line, None, &create, None, "k").await.unwrap().external_id.unwrap();
    for (op, state) in [(Op::Disable { way: 0 }, ObjectState::Blocked), (Op::Enable, ObjectState::Live)] {
        for outcome in [Outcome::Done, Outcome::AlreadySo] {
            assert_eq!(ldap.apply(&line, Some(&id), &op, None, "k").await.unwrap().outcome, outcome);
            assert_eq!(ldap.get(&line, Locator::Account(&id)).await.unwrap().unwrap().state, state);
        }
    }
}

#[tokio::test]
async fn a_renamed_account_is_the_same_one() {
    let bench = Bench::new(start(Policy::Strict), &settings(true), true);
    let (ldap, line) = (bench.ldap(), bench.line());
    let ann = account("ann");
    bench.tree.add(&[ann.clone(), group("staff", &[&ann.dn]), account("bob")]);
    let before = ldap.get(&line, Locator::AccountNamed("ann")).await.unwrap().unwrap();
    // As the server has it: what is called so, byte for byte, and what that is.
    let stored = || {
        let all = bench.tree.stored("(&(objectClass=inetOrgPerson)(!(uid=bob)))");
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        all.iter().map(|one| (text(&one["uid"][0]), text(&one["entryUUID"][0]))).collect::<Vec<_>>()
    };
    assert_eq!(stored(), [("ann".to_owned(), before.id.to_string())]);
    let set =
        |name: &str| Op::SetAttributes { attributes: attributes(&[("userName", name), ("title", "Dr")]) };
    let version = before.version.as_deref();
    let applied = ldap.apply(&line, Some(&before.id), &set("ann, \"né+e\""), version, "k").await.unwrap();
    assert_eq!(stored(), [("ann, \"né+e\"".to_owned(), before.id.to_string())]);
    let after = ldap.get(&line, Locator::Account(&before.id)).await.unwrap().unwrap();
    assert_eq!(
        (&after.id, &after.name[..], &after.version),
        (&before.id, "ann, \"né+e\"", &applied.version.map(Into::into))
    );
    assert_eq!(after.attribute("title"), Some(&ObjectValue::Text("Dr".into())));
    assert_eq!(ldap.get(&line, Locator::AccountNamed("ann")).await.unwrap(), None);
    let held = Listing::Held { account: &before.id, class: AccessClass::DirectGroups };
    let (groups, _) = listed(ldap, &line, held).await;
    assert_eq!(groups[0].name, "staff");
    let staff = ldap.get(&line, Locator::Group(&groups[0].id)).await.unwrap().unwrap();
    assert_eq!(staff.links, std::slice::from_ref(&before.id));
    let taken = ldap.apply(&line, Some(&before.id), &set("BOB"), None, "k").await.unwrap_err();
    assert_eq!((taken.kind, taken.effect), (ErrorKind::AlreadyExists, Effect::None));
    let stale = ldap.apply(&line, Some(&before.id), &set("eve"), version, "k").await.unwrap_err();
    assert_eq!((stale.kind, stale.effect), (ErrorKind::Stale, Effect::None));
}

#[tokio::test]
async fn groups_in_groups_are_followed_and_circles_end() {
    let bench = Bench::new(start(Policy::Strict), &settings(true), true);
    let (ldap, line) = (bench.ldap(), bench.line());
    let ann = account("ann");
    let named = |name: &str| -> Dn { format!("cn={name},ou=groups,dc=acme,dc=example").parse().unwrap() };
    let (ops, staff, all, ghost) = (named("ops"), named("staff"), named("all"), named("ghost"));
    let stranger: Dn = "cn=hub,dc=acme,dc=example".parse().unwrap();
    bench.tree.add(&[
        ann.clone(),
        group("ops", &[&ann.dn, &stranger]),
        group("staff", &[&ops, &all]),
        group("all", &[&staff, &ghost]),
        group("other", &[&ops]),
    ]);
    let id = ldap.get(&line, Locator::AccountNamed("ann")).await.unwrap().unwrap().id;
    let names = async |class| {
        let (objects, complete) = listed(ldap, &line, Listing::Held { account: &id, class }).await;
        assert!(complete);
        let mut names: Vec<String> = objects.iter().map(|object| object.name.to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(names(AccessClass::PrimaryAccount).await, ["ann"]);
    assert_eq!(names(AccessClass::DirectGroups).await, ["ops"]);
    assert_eq!(names(AccessClass::NestedGroups).await, ["all", "other", "staff"]);
    let (groups, _) = listed(ldap, &line, Listing::Groups).await;
    let links = |name: &str| -> Vec<String> {
        let group = groups.iter().find(|group| group.name == name).unwrap();
        group.links.iter().map(ToString::to_string).collect()
    };
    let id_of = |name: &str| groups.iter().find(|group| group.name == name).unwrap().id.to_string();
    // The placeholder is nobody; who is in no configured place is there by name.
    assert_eq!(links("ops"), [id.to_string()]);
    let mut in_all = links("all");
    in_all.sort();
    let mut expected = vec![id_of("staff"), ghost.to_string()];
    expected.sort();
    assert_eq!(in_all, expected);
    // The last member goes, and the stand-in stays.
    let leave = Op::RevokeAll { class: AccessClass::DirectGroups };
    for outcome in [Outcome::Done, Outcome::AlreadySo] {
        assert_eq!(ldap.apply(&line, Some(&id), &leave, None, "k").await.unwrap().outcome, outcome);
    }
    assert_eq!(names(AccessClass::NestedGroups).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_last_member_stays_where_nothing_may_stand_in() {
    let mut settings = settings(true);
    settings["groups"].as_object_mut().unwrap().remove("placeholder");
    let bench = Bench::new(start(Policy::Strict), &settings, true);
    let (ldap, line) = (bench.ldap(), bench.line());
    let ann = account("ann");
    bench.tree.add(&[ann.clone(), group("ops", &[&ann.dn])]);
    let id = ldap.get(&line, Locator::AccountNamed("ann")).await.unwrap().unwrap().id;
    let leave = Op::RevokeAll { class: AccessClass::DirectGroups };
    let error = ldap.apply(&line, Some(&id), &leave, None, "k").await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::Invalid, Effect::None));
    assert!(error.message.contains("groups.placeholder"), "{error}");
}

#[tokio::test]
async fn groups_of_sign_in_names_are_read_and_written() {
    let mut settings = settings(true);
    settings["groups"] = json!({"base": "ou=groups,dc=acme,dc=example", "member": "memberUid"});
    let bench = Bench::new(start(Policy::Strict), &settings, true);
    let (ldap, line) = (bench.ldap(), bench.line());
    let unix = Raw::new(
        "ou=groups,dc=acme,dc=example",
        &[
            ("cn", &["unix"]),
            ("objectClass", &["posixGroup"]),
            ("gidNumber", &["5000"]),
            ("memberUid", &["ann", "nobody"]),
        ],
    );
    bench.tree.add(&[account("ann"), account("bob"), unix]);
    let id =
        async |name| ldap.get(&line, Locator::AccountNamed(name)).await.unwrap().unwrap().id.into_owned();
    let (ann, bob) = (id("ann").await, id("bob").await);
    let (groups, complete) = listed(ldap, &line, Listing::Groups).await;
    assert!(complete);
    assert_eq!(groups[0].links, ["nobody".to_owned(), ann.clone()]);
    let class = AccessClass::DirectGroups;
    let unix = groups[0].id.to_string();
    for outcome in [Outcome::Done, Outcome::AlreadySo] {
        let grant = Op::Grant { class, external_id: unix.clone() };
        assert_eq!(ldap.apply(&line, Some(&bob), &grant, None, "k").await.unwrap().outcome, outcome);
        let revoke = Op::Revoke { class, external_id: unix.clone() };
        assert_eq!(ldap.apply(&line, Some(&ann), &revoke, None, "k").await.unwrap().outcome, outcome);
    }
    assert!(!ldap.capability().observes.contains(&AccessClass::NestedGroups));
    let after = ldap.get(&line, Locator::Group(&unix)).await.unwrap().unwrap();
    assert_eq!(after.links, ["nobody".to_owned(), bob]);
}

#[tokio::test]
async fn a_token_that_the_server_forgot_begins_again() {
    let bench = Bench::new(start(Policy::Strict), &settings(true), true);
    let (ldap, line) = (bench.ldap(), bench.line());
    bench.tree.add(&[account("ann"), account("bob")]);
    for token in ["", "zz", "00112"] {
        let error = ldap.changes(&line, Listing::Accounts, Some(token), &mut |_| {}).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{token}");
    }
    let mut shown = 0;
    // The cookie of another time: a change number that this server never had.
    let old: String =
        "rid=000,csn=20000101000000.000000Z#000000#000#000000".bytes().map(|b| format!("{b:02x}")).collect();
    let mut count = |news: News<'_>| shown += usize::from(matches!(news, News::Shown(_)));
    let since = ldap.changes(&line, Listing::Accounts, Some(&old), &mut count).await.unwrap();
    assert_eq!((shown, since.complete, since.rest_is_gone), (2, true, true));
}

#[tokio::test]
async fn who_has_left_is_said_by_an_attribute_and_by_no_lock() {
    let mut settings = settings(true);
    settings["people"]["status"] = "employeeType".into();
    settings["people"]["left"] = json!(["former", "alumni"]);
    let bench = Bench::new(start(Policy::Strict), &settings, true);
    let person = |number: &str, status: &[&str]| {
        let name: &[&str] = &[number];
        let mut attributes = vec![
            ("uid", name),
            ("objectClass", &["inetOrgPerson"]),
            ("cn", name),
            ("sn", name),
            ("employeeNumber", name),
        ];
        attributes.extend((!status.is_empty()).then_some(("employeeType", status)));
        Raw::new("ou=staff,dc=acme,dc=example", &attributes)
    };
    bench.tree.add(&[person("1", &[]), person("2", &["staff"]), person("3", &["staff", "Former"])]);
    let lock = "dn: uid=2,ou=staff,dc=acme,dc=example\nchangetype: modify\nadd: pwdAccountLockedTime\n\
                pwdAccountLockedTime: 000001010000Z\n";
    bench.tree.tool("ldapmodify", &[], lock).unwrap();
    let (ldap, line) = (bench.ldap(), bench.line());
    let mut seen = Vec::new();
    let mut visit = |object: Object<'_>| seen.push((object.id.to_string(), object.state));
    let page = ldap.list(&line, Listing::People, None, 500, &mut visit).await.unwrap();
    assert!(page.complete && page.next.is_none());
    seen.sort_by(|one, other| one.0.cmp(&other.0));
    let state = |left: bool| if left { ObjectState::Blocked } else { ObjectState::Live };
    let expect = [("1", false), ("2", false), ("3", true)].map(|(id, left)| (id.to_owned(), state(left)));
    assert_eq!(seen, expect);
    let three = ldap.get(&line, Locator::Person("3")).await.unwrap().unwrap();
    assert_eq!(three.state, ObjectState::Blocked);
}
