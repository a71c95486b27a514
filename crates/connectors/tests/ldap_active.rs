//! The LDAP connector against a real domain controller, Samba's.

#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/ldap_active.rs"]
mod ldap_active;
#[allow(dead_code, reason = "what is for OpenLDAP is in the same file")]
#[path = "support/ldap_bench.rs"]
mod ldap_bench;
#[path = "support/page.rs"]
mod page;
#[allow(dead_code, reason = "not everything is needed here")]
#[path = "support/samba.rs"]
mod samba;

use std::collections::BTreeSet;

use bailiwick_connector::{
    Connector, Effect, Entry, ErrorKind, Line, Listing, Locator, News, Object, ObjectState, ObjectValue,
    Outcome, Since,
    seal::Secret,
    testkit::{self, Subject},
};
use bailiwick_core::{access::AccessClass, plan::Op};
use ldap_active::{Active, settings};

/// `Replicating Directory Changes` (MS-ADTS §5.1.3.2.1).
const REPLICATE: &str = "(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;WHO)";
const USERS: &str = "CN=Users,DC=acme,DC=test";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds() {
    let mut settings = settings();
    settings["people"]["name"] = "displayName".into();
    // The sign-in names of the kit have characters that a `sAMAccountName` may not have.
    settings["accounts"]["name"] = "userPrincipalName".into();
    page::kept(&testkit::run(&Active::start(&settings).await).await);
    page::all_kept("the_contract_holds");
}

/// The names of what the account holds.
async fn held(active: &Active, account: &str, class: AccessClass) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut visit = |object: Object<'_>| names.extend([object.name.to_string()]);
    let listing = Listing::Held { account, class };
    let page = active.ldap().list(&active.reader(), listing, None, 100, &mut visit).await.unwrap();
    assert!(page.complete && page.next.is_none());
    names
}

fn names(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

/// A domain where all groups are within reach, with Ann in it.
async fn domain() -> (Active, String) {
    let mut settings = settings();
    settings["groups"]["base"] = "DC=acme,DC=test".into();
    let active = Active::start(&settings).await;
    active.samba.add_user("CN=Ann,OU=people,DC=acme,DC=test", "ann", "Open-sesame-1").await;
    let ann = active.ldap().get(&active.reader(), Locator::AccountNamed("ANN")).await.unwrap().unwrap();
    (active, ann.id.into_owned())
}

#[tokio::test]
async fn a_disabled_account_is_turned_away_and_an_enabled_one_let_in() {
    let (active, id) = domain().await;
    let (ldap, line) = (active.ldap(), active.line());
    assert_eq!(ldap.capability().disable_ways, ["userAccountControl"]);
    assert!(!ldap.capability().conditional);
    let (dn, password) = ("CN=Ann,OU=people,DC=acme,DC=test", "Another-sesame-2");
    // Asked past the connector, and read from the database: who is let in, and the bits of the account.
    let truth = async || {
        let inside = active.samba.lets_in(dn, password).await;
        (inside, active.samba.entries("(sAMAccountName=ann)").await.remove(0)["userAccountControl"].clone())
    };
    assert_eq!(truth().await, (false, vec!["512".to_owned()]));
    let secret = Secret::new(password);
    let issued = ldap.issue(&line, &id, AccessClass::PrimaryAccount, secret).await.unwrap();
    assert_eq!(truth().await, (true, vec!["512".to_owned()]));
    for (op, state, entry, bits) in [
        (Op::Disable { way: 0 }, ObjectState::Blocked, Entry::Rejected, "514"),
        (Op::Enable, ObjectState::Live, Entry::Accepted, "512"),
    ] {
        for outcome in [Outcome::Done, Outcome::AlreadySo] {
            assert_eq!(ldap.apply(&line, Some(&id), &op, None, "k").await.unwrap().outcome, outcome);
            assert_eq!(ldap.get(&line, Locator::Account(&id)).await.unwrap().unwrap().state, state);
            assert_eq!(ldap.attempt(&line, &issued).await.unwrap(), entry, "{op:?}");
            assert_eq!(truth().await, (entry == Entry::Accepted, vec![bits.to_owned()]), "{op:?}");
        }
    }
    // An account that has ended is kept out too, and enabling gives it back.
    let ended = "dn: CN=Ann,OU=people,DC=acme,DC=test\nchangetype: modify\nreplace: accountExpires\naccountExpires: 130000000000000000\n";
    active.samba.change(ended).await;
    assert_eq!(ldap.get(&line, Locator::Account(&id)).await.unwrap().unwrap().state, ObjectState::Blocked);
    assert_eq!(ldap.attempt(&line, &issued).await.unwrap(), Entry::Rejected);
    assert!(!active.samba.lets_in(dn, password).await);
    ldap.apply(&line, Some(&id), &Op::Enable, None, "k").await.unwrap();
    assert_eq!(ldap.attempt(&line, &issued).await.unwrap(), Entry::Accepted);
    assert!(active.samba.lets_in(dn, password).await);
}

#[tokio::test]
async fn who_is_disabled_has_left_only_where_that_is_said() {
    for said in [false, true] {
        let mut settings = settings();
        let base = "OU=people,DC=acme,DC=test";
        settings["people"] =
            serde_json::json!({ "base": base, "key": "sAMAccountName", "disabled_left": said });
        let active = Active::start(&settings).await;
        active.samba.add_user(&format!("CN=Ann,{base}"), "ann", "Open-sesame-1").await;
        let off = format!(
            "dn: CN=Ann,{base}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 514\n"
        );
        active.samba.change(&off).await;
        let ann = active.ldap().get(&active.reader(), Locator::Person("ann")).await.unwrap().unwrap();
        let expect = if said { ObjectState::Blocked } else { ObjectState::Live };
        assert_eq!(ann.state, expect, "{said}");
    }
}

#[tokio::test]
async fn a_new_account_works_and_has_a_password_that_nobody_knows() {
    let (active, _) = domain().await;
    let (ldap, line) = (active.ldap(), active.line());
    let create = |name: &str, marker: &str| Op::CreateAccount {
        marker: marker.to_owned(),
        attributes: [("userName".to_owned(), name.into()), ("displayName".to_owned(), "Bob B.".into())]
            .into(),
    };
    ldap.apply(&line, None, &create("eve", "hr/1"), None, "k").await.unwrap();
    let create = create("bob", "hr/2");
    let id = ldap.apply(&line, None, &create, None, "k").await.unwrap().external_id.unwrap();
    let bob = ldap.get(&line, Locator::AccountMarked("hr/2")).await.unwrap().unwrap();
    assert_eq!((&bob.id[..], &bob.name[..], bob.state), (&id[..], "bob", ObjectState::Live));
    let truth = active.samba.entries("(sAMAccountName=bob)").await.remove(0);
    // A plain account, which needs a password, and got one.
    assert_eq!(truth["userAccountControl"], ["512"]);
    let other = active.samba.entries("(sAMAccountName=eve)").await.remove(0);
    assert_ne!(truth["unicodePwd"], other["unicodePwd"]);
    let again = ldap.apply(&line, None, &create, None, "k").await.unwrap();
    assert_eq!((again.outcome, again.external_id), (Outcome::AlreadySo, Some(id)));
}

#[tokio::test]
async fn a_renamed_account_is_the_same_one() {
    let (active, id) = domain().await;
    let (ldap, line) = (active.ldap(), active.line());
    active
        .samba
        .add_group("CN=staff,OU=groups,DC=acme,DC=test", "staff", &["CN=Ann,OU=people,DC=acme,DC=test"])
        .await;
    // As the database has it: who is called so, and what that is.
    let called = async |name: &str| {
        let found = active.samba.entries(&format!("(sAMAccountName={name})")).await;
        found.into_iter().map(|entry| entry["objectGUID"][0].clone()).collect::<Vec<_>>()
    };
    assert_eq!(called("ann").await, [id.as_str()]);
    let rename = |cn: &str, name: &str| Op::SetAttributes {
        attributes: [("fullName".to_owned(), cn.into()), ("userName".to_owned(), name.into())].into(),
    };
    ldap.apply(&line, Some(&id), &rename("Ann, \"Né\" +e", "ann.ne"), None, "k").await.unwrap();
    assert_eq!((called("ann").await, called("ann.ne").await), (Vec::new(), vec![id.clone()]));
    let ann = ldap.get(&line, Locator::Account(&id)).await.unwrap().unwrap();
    assert_eq!((&ann.id[..], &ann.name[..]), (&id[..], "ann.ne"));
    assert_eq!(ann.attribute("fullName"), Some(&ObjectValue::Text("Ann, \"Né\" +e".into())));
    assert_eq!(held(&active, &id, AccessClass::DirectGroups).await, names(&["staff", "Domain Users"]));
    active.samba.add_user("CN=Bob,OU=people,DC=acme,DC=test", "bob", "Open-sesame-1").await;
    let taken = ldap.apply(&line, Some(&id), &rename("Bob", "ann.ne"), None, "k").await.unwrap_err();
    assert_eq!((taken.kind, taken.effect), (ErrorKind::AlreadyExists, Effect::None));
}

#[tokio::test]
async fn groups_are_followed_upwards_the_primary_one_too() {
    let (active, id) = domain().await;
    let ann = "CN=Ann,OU=people,DC=acme,DC=test";
    let at = |name: &str| format!("CN={name},OU=groups,DC=acme,DC=test");
    for (name, member) in [("ops", ann.to_owned()), ("staff", at("ops")), ("all", at("staff"))] {
        active.samba.add_group(&at(name), name, &[&member]).await;
    }
    let circle = samba::line("dn", at("ops").as_bytes())
        + "changetype: modify\nadd: member\n"
        + &samba::line("member", at("all").as_bytes());
    active.samba.change(&circle).await;
    assert_eq!(held(&active, &id, AccessClass::DirectGroups).await, names(&["ops", "Domain Users"]));
    // The primary group is in `Users` by the domain's own making.
    assert_eq!(held(&active, &id, AccessClass::NestedGroups).await, names(&["staff", "all", "Users"]));
    let (ldap, line) = (active.ldap(), active.line());
    let mut ops = None;
    let mut visit = |group: Object<'_>| {
        if group.name == "ops" {
            ops = Some(group.into_owned());
        }
    };
    ldap.list(&line, Listing::Groups, None, 500, &mut visit).await.unwrap();
    let ops = ops.unwrap();
    assert!(ops.links.contains(&id.as_str().into()) && ops.links.len() == 2, "{ops:?}");
    let class = AccessClass::DirectGroups;
    let (grant, revoke) = (
        Op::Grant { class, external_id: ops.id.to_string() },
        Op::Revoke { class, external_id: ops.id.to_string() },
    );
    for (op, outcomes) in [
        (&grant, &[Outcome::AlreadySo][..]),
        (&revoke, &[Outcome::Done, Outcome::AlreadySo]),
        (&grant, &[Outcome::Done, Outcome::AlreadySo]),
    ] {
        for outcome in outcomes {
            assert_eq!(
                ldap.apply(&line, Some(&id), op, None, "k").await.unwrap().outcome,
                *outcome,
                "{op:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_group_of_very_many_is_whole() {
    let (active, ann) = domain().await;
    let dn = |n: usize| format!("CN=m{n:04},OU=people,DC=acme,DC=test");
    let mut text: String =
        (0..1_600).map(|n| format!("dn: {}\nchangetype: add\nobjectClass: contact\n\n", dn(n))).collect();
    text += "dn: CN=many,OU=groups,DC=acme,DC=test\nchangetype: add\nobjectClass: group\nsAMAccountName: many\n\
             member: CN=Ann,OU=people,DC=acme,DC=test\n";
    text.extend((0..1_600).map(|n| format!("member: {}\n", dn(n))));
    active.samba.change(&text).await;
    let truth = active.samba.entries("(|(objectClass=contact)(sAMAccountName=ann))").await;
    let truth: BTreeSet<String> = truth.into_iter().map(|entry| entry["objectGUID"][0].clone()).collect();
    let many = active.samba.entries("(sAMAccountName=many)").await.remove(0)["objectGUID"][0].clone();
    let links = active.ldap().get(&active.reader(), Locator::Group(&many)).await.unwrap().unwrap().links;
    assert_eq!((links.len(), truth.len()), (1_601, 1_601));
    assert_eq!(links.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), truth);
    assert!(held(&active, &ann, AccessClass::DirectGroups).await.contains("many"));
}

#[tokio::test]
async fn protected_groups_are_roles_and_a_mark_that_they_left_behind_is_one_too() {
    let (active, id) = domain().await;
    let roles = AccessClass::Roles;
    active.ldap().check(&active.line()).await.unwrap();
    assert!(active.ldap().capability().observes.contains(&roles));
    let remarks = async || active.ldap().remarks(&active.line()).await.unwrap();
    assert_eq!(remarks().await, [""; 0]);
    assert_eq!(held(&active, &id, roles).await, names(&[]));
    active
        .samba
        .add_group("CN=ops,OU=groups,DC=acme,DC=test", "ops", &["CN=Ann,OU=people,DC=acme,DC=test"])
        .await;
    let protect = format!(
        "dn: CN=Domain Admins,{USERS}\nchangetype: modify\nadd: member\nmember: CN=ops,OU=groups,DC=acme,DC=test\n\
         -\nreplace: adminCount\nadminCount: 1\n\n\
         dn: CN=Ann,OU=people,DC=acme,DC=test\nchangetype: modify\nreplace: adminCount\nadminCount: 1\n"
    );
    active.samba.change(&protect).await;
    assert!(held(&active, &id, roles).await.contains("Domain Admins"));
    assert_eq!(remarks().await, [""; 0]);
    let release = format!(
        "dn: CN=Domain Admins,{USERS}\nchangetype: modify\ndelete: member\nmember: CN=ops,OU=groups,DC=acme,DC=test\n"
    );
    active.samba.change(&release).await;
    assert_eq!(held(&active, &id, roles).await, names(&["adminCount=1 without a protected group"]));
    // Also of somebody who has not left.
    let said = remarks().await;
    assert!(said.len() == 1 && said[0].starts_with("`ann` still bear `adminCount=1`"), "{said:?}");
    // Where not every group is within reach, nobody's protection is judged.
    let narrow = bailiwick_connectors::ldap::Ldap::new(&settings()).unwrap();
    narrow.check(&active.line()).await.unwrap();
    assert!(!narrow.capability().observes.contains(&roles));
}

async fn news(
    active: &Active,
    line: &Line,
    since: Option<&str>,
) -> (Vec<Object<'static>>, BTreeSet<String>, Since) {
    let (mut shown, mut gone) = (Vec::new(), BTreeSet::new());
    let mut hear = |news: News<'_>| match news {
        News::Shown(object) => shown.push(object.into_owned()),
        News::Gone(id) => gone.extend([id.into_owned()]),
        News::Same(id) => panic!("{id} was not asked for"),
    };
    let since = active.ldap().changes(line, Listing::Accounts, since, &mut hear).await.unwrap();
    assert!(since.complete);
    (shown, gone, since)
}

/// Whoever may list the domain and its deleted objects, and may use DirSync if `replicates`.
async fn reader_of(active: &Active, name: &str, replicates: bool) -> Line {
    let (dn, password) = (format!("CN={name},{USERS}"), "Open-sesame-1");
    active.samba.add_user(&dn, name, password).await;
    active.samba.permit(name, "CN=Deleted Objects,DC=acme,DC=test", "(A;;LCRP;;;WHO)").await;
    if replicates {
        active.samba.permit(name, "DC=acme,DC=test", REPLICATE).await;
    }
    active.line_as((&dn, password))
}

#[tokio::test]
async fn what_was_changed_moved_away_and_deleted_is_news_once() {
    for replicates in [true, false] {
        let (active, ann) = domain().await;
        let line = reader_of(&active, "reader", replicates).await;
        news_is_told_once(&active, &line, &ann, replicates).await;
    }
}

async fn news_is_told_once(active: &Active, line: &Line, ann: &str, replicates: bool) {
    for name in ["bob", "eve", "joe"] {
        active.samba.add_user(&format!("CN={name},OU=people,DC=acme,DC=test"), name, "Open-sesame-1").await;
    }
    let (shown, gone, since) = news(active, line, None).await;
    assert_eq!((shown.len(), gone.len(), since.rest_is_gone), (4, 0, true));
    assert_eq!(since.next.starts_with("dirsync."), replicates, "{}", since.next);
    let id = |name: &str| shown.iter().find(|object| object.name == name).unwrap().id.to_string();
    let (shown_again, gone, since) = news(active, line, Some(&since.next)).await;
    assert_eq!((shown_again.len(), gone.len(), since.rest_is_gone), (0, 0, false));
    active
        .samba
        .change(
            "dn: CN=Ann,OU=people,DC=acme,DC=test\nchangetype: modify\nreplace: title\ntitle: Dr\n\n\
             dn: CN=bob,OU=people,DC=acme,DC=test\nchangetype: delete\n\n\
             dn: CN=eve,OU=people,DC=acme,DC=test\nchangetype: modrdn\nnewrdn: CN=eve\ndeleteoldrdn: 1\n\
             newsuperior: OU=staff,DC=acme,DC=test\n",
        )
        .await;
    assert_eq!(active.samba.tombstones("(sAMAccountName=bob)").await.len(), 1);
    let (changed, gone, after) = news(active, line, Some(&since.next)).await;
    assert_eq!(changed.iter().map(|object| &object.id[..]).collect::<Vec<_>>(), [ann]);
    assert_eq!(changed[0].attribute("title"), Some(&ObjectValue::Text("Dr".into())));
    assert!(gone.contains(&id("bob")) && gone.contains(&id("eve")), "{gone:?}");
    let (changed, gone, _) = news(active, line, Some(&after.next)).await;
    assert!(changed.is_empty() && gone.is_empty(), "{changed:?} {gone:?}");
    for token in ["", "x", "1", "dirsync.", "dirsync.x"] {
        let error = active.ldap().changes(line, Listing::Accounts, Some(token), &mut |_| {}).await;
        assert_eq!(error.unwrap_err().kind, ErrorKind::Invalid, "{token}");
    }
    // Another controller counts on its own, and a cookie can be of no use: everything is read again.
    for token in ["1.00000000", "dirsync.00112233"] {
        let (shown, _, since) = news(active, line, Some(token)).await;
        assert_eq!((shown.len(), since.rest_is_gone), (2, true), "{token}");
    }
    // A reading that began by numbers goes on by them, also where DirSync is allowed.
    let (_, _, since) = news(active, &reader_of(active, "numbers", false).await, None).await;
    let (_, controller) = since.next.split_once('.').unwrap();
    let (shown, _, since) = news(active, line, Some(&format!("1.{controller}"))).await;
    assert_eq!((shown.len(), since.rest_is_gone), (2, false));
    assert!(!since.next.starts_with("dirsync."));
}

#[tokio::test]
async fn members_that_came_and_went_are_news_of_their_group() {
    let (active, ann) = domain().await;
    let staff = "CN=staff,OU=groups,DC=acme,DC=test";
    active.samba.add_group(staff, "staff", &["CN=Ann,OU=people,DC=acme,DC=test"]).await;
    active.samba.add_user("CN=bob,OU=people,DC=acme,DC=test", "bob", "Open-sesame-1").await;
    let line = reader_of(&active, "reader", true).await;
    let listen = async |since: Option<&str>| {
        let mut links = Vec::new();
        let mut hear = |news: News<'_>| match news {
            News::Shown(group) if group.name == "staff" => {
                links = group.links.iter().map(ToString::to_string).collect();
            }
            News::Shown(_) | News::Gone(_) | News::Same(_) => {}
        };
        let since = active.ldap().changes(&line, Listing::Groups, since, &mut hear).await.unwrap();
        assert!(since.complete && since.next.starts_with("dirsync."));
        (links, since.next)
    };
    let (links, next) = listen(None).await;
    assert_eq!(links, [ann.as_str()]);
    let edit = |what: &str, who: &str| {
        format!(
            "dn: {staff}\nchangetype: modify\n{what}: member\nmember: CN={who},OU=people,DC=acme,DC=test\n"
        )
    };
    active.samba.change(&edit("add", "bob")).await;
    let (links, next) = listen(Some(&next)).await;
    assert_eq!(links.len(), 2);
    active.samba.change(&edit("delete", "Ann")).await;
    let (links, next) = listen(Some(&next)).await;
    assert!(links.len() == 1 && links[0] != ann, "{links:?}");
    assert_eq!(listen(Some(&next)).await.0, [""; 0]);
}

#[tokio::test]
async fn without_either_right_nothing_is_said_to_be_gone() {
    let (active, _) = domain().await;
    let (dn, password) = (format!("CN=nobody,{USERS}"), "Open-sesame-1");
    active.samba.add_user(&dn, "nobody", password).await;
    // That the container is there is shown to everybody; what is in it, and about it, is not.
    let line = active.line_as((&dn, password));
    let error = active.ldap().changes(&line, Listing::Accounts, None, &mut |_| {}).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::Unsupported, "deleted-objects-hidden"), "{error}");
}
