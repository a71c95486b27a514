//! The LDAP connector where things are wrong: credentials, connections, TLS, limits, and names that try to
//! be something else. Against a real server, OpenLDAP.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "support/certificate.rs"]
mod certificate;
#[path = "support/hostile.rs"]
mod hostile;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/ldap_bench.rs"]
mod ldap_bench;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/slapd.rs"]
mod slapd;

use std::path::Path;

use bailiwick_connector::{
    Connector, Effect, ErrorKind, Line, Listing, Locator, Object, ObjectValue, Outcome, Page, Result,
    testkit::Subject,
};
use bailiwick_connectors::ldap::Ldap;
use bailiwick_core::{access::AccessClass, dn::Dn, integration::Purpose, plan::Op};
use certificate::certify;
use hostile::hostile;
use ldap_bench::{BASE, Bench, HUB, Raw, SECRET, Tree, account, group, settings};
use serde_json::{Value, json};
use slapd::{Policy, Setup, Slapd};

fn bench() -> Bench<Slapd> {
    Bench::new(Slapd::start(Setup::default()), &settings(true), true)
}

async fn list(ldap: &Ldap, line: &Line, size: u32) -> Result<(Vec<Object<'static>>, Page)> {
    let mut seen = Vec::new();
    let mut visit = |object: Object<'_>| seen.push(object.into_owned());
    let page = ldap.list(line, Listing::Accounts, None, size, &mut visit).await?;
    Ok((seen, page))
}

#[tokio::test]
async fn a_wrong_credential_is_said_and_a_missing_one_is_not_sent() {
    let bench = bench();
    for (user, password, kind) in [
        (HUB, "another", ErrorKind::Unauthorized),
        ("cn=nobody,dc=acme,dc=example", SECRET, ErrorKind::Unauthorized),
        // These would be let in as nobody, and find an empty directory.
        (HUB, "", ErrorKind::NoCredential),
        ("", SECRET, ErrorKind::NoCredential),
    ] {
        let error = bench.ldap().check(&bench.line_as(user, password)).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{user} {password}");
        assert!(password.is_empty() || !error.message.contains(password), "{error}");
    }
}

#[tokio::test]
async fn nobody_home_is_unreachable_and_nothing_happened() {
    let mut bench = bench();
    let line = bench.line();
    bench.ldap().check(&line).await.unwrap();
    bench.tree.stop();
    let set = Op::SetAttributes { attributes: [("title".to_owned(), "x".into())].into() };
    let fresh = bench.line_as(HUB, SECRET);
    for line in [&line, &fresh] {
        let error = bench.ldap().get(line, Locator::AccountNamed("ann")).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Unreachable, Effect::None), "{error}");
        let error = bench.ldap().apply(line, Some("x"), &set, None, "k").await.unwrap_err();
        // The id is looked at first, and nobody can have that one.
        assert_eq!(error.effect, Effect::None, "{error}");
    }
}

#[tokio::test]
async fn tls_is_made_with_the_authority_that_is_named_and_with_no_other() {
    let (good, other, misnamed) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certify(good.path(), "IP:127.0.0.1,DNS:localhost");
    certify(other.path(), "IP:127.0.0.1");
    certify(misnamed.path(), "DNS:directory.acme.example");
    let check = async |served: &Path, trusted: Option<&Path>, start_tls: bool, expect: Option<&str>| {
        let tree = Slapd::start(Setup { tls: Some(served), ..Setup::default() });
        let mut settings = settings(true);
        if let Some(trusted) = trusted {
            settings["ca_file"] = trusted.join("ca.pem").to_str().unwrap().into();
        }
        settings["start_tls"] = start_tls.into();
        let endpoint = match start_tls {
            true => format!("ldap://127.0.0.1:{}", tree.port),
            false => format!("ldaps://127.0.0.1:{}", tree.tls_port),
        };
        let line = ldap_bench::line(tree.wire(), &endpoint, &settings, (HUB, SECRET), Purpose::Write);
        let checked = bailiwick_connectors::build("ldap", &settings).unwrap().check(&line).await;
        drop(tree);
        match (checked, expect) {
            (Ok(()), None) => {}
            (Err(error), Some(why)) => {
                assert_eq!((error.kind, error.effect), (ErrorKind::Unreachable, Effect::None), "{error}");
                assert!(error.message.contains(why), "{error}");
            }
            (checked, expect) => panic!("start_tls {start_tls}: {checked:?}, expected {expect:?}"),
        }
    };
    for start_tls in [false, true] {
        check(good.path(), Some(good.path()), start_tls, None).await;
        check(good.path(), Some(other.path()), start_tls, Some("certificate")).await;
        check(misnamed.path(), Some(misnamed.path()), start_tls, Some("certificate")).await;
        // The public authorities do not know it either.
        check(good.path(), None, start_tls, Some("TLS")).await;
    }
    check(good.path(), Some(Path::new("/nowhere")), false, Some("`ca_file`")).await;
}

#[tokio::test]
async fn a_server_without_tls_is_not_talked_to_when_tls_is_asked_for() {
    let mut settings = settings(true);
    settings["start_tls"] = true.into();
    let bench = Bench::new(Slapd::start(Setup::default()), &settings, true);
    let error = bench.ldap().check(&bench.line()).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::Unreachable, Effect::None));
    assert!(error.message.contains("TLS"), "{error}");
}

#[tokio::test]
async fn what_a_limit_keeps_back_is_not_taken_to_be_gone() {
    let bench = bench();
    let (ldap, line) = (bench.ldap(), bench.line());
    bench.tree.add(&["ann", "bob", "eve", "joe"].map(account));
    let (seen, page) = list(ldap, &line, 10).await.unwrap();
    assert_eq!((seen.len(), page), (4, Page { next: None, complete: true }));
    bench.tree.hide(true).await;
    let (seen, page) = list(ldap, &line, 10).await.unwrap();
    assert_eq!((seen.len(), page), (2, Page { next: None, complete: false }));
    // A token of what was not shown to its end would hide it for ever.
    let error = ldap.changes(&line, Listing::Accounts, None, &mut |_| {}).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::Malformed, "answer-incomplete"));
}

#[tokio::test]
async fn a_base_that_is_not_there_is_a_wrong_setting_and_not_an_empty_directory() {
    for place in ["accounts", "groups"] {
        let mut settings = settings(true);
        settings[place]["base"] = "ou=nowhere,dc=acme,dc=example".into();
        let bench = Bench::new(Slapd::start(Setup::default()), &settings, true);
        let error = bench.ldap().check(&bench.line()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Settings, "{place}");
        assert!(error.message.contains("ou=nowhere"), "{error}");
    }
}

#[tokio::test]
async fn binary_missing_and_repeated_attributes_are_shown_as_they_are() {
    let mut settings = settings(true);
    settings["attributes"] =
        json!({"photo": "jpegPhoto", "phones": {"attribute": "mobile", "is": "many"}, "note": "description"});
    let bench = Bench::new(Slapd::start(Setup::default()), &settings, true);
    let (ldap, line) = (bench.ldap(), bench.line());
    let mut ann = account("ann").with("jpegPhoto", &[0xff, 0xd8, 0, 0x80]);
    ann.attributes.push(("mobile".into(), vec![b"+49 2".to_vec(), b"+49 1".to_vec()]));
    ann.attributes.push(("description".into(), vec!["zwei\nZeilen".into(), b"two".to_vec()]));
    let nameless = Raw::new(
        "ou=people,dc=acme,dc=example",
        &[("cn", &["no uid"]), ("objectClass", &["inetOrgPerson"]), ("sn", &["x"])],
    );
    bench.tree.add(&[ann, nameless]);
    let (mut seen, page) = list(ldap, &line, 10).await.unwrap();
    assert!(page.complete);
    seen.sort_by(|a, b| a.name.cmp(&b.name));
    let text = |text: &str| ObjectValue::Text(text.to_owned().into());
    let many = |all: &[&str]| ObjectValue::Many(all.iter().map(|one| (*one).to_owned().into()).collect());
    assert_eq!(seen[0].attribute("photo"), Some(&text("/9gAgA==")));
    assert_eq!(seen[0].attribute("phones"), Some(&many(&["+49 2", "+49 1"])));
    assert_eq!(seen[0].attribute("note"), Some(&many(&["zwei\nZeilen", "two"])));
    assert_eq!(
        (&seen[1].name[..], seen[1].attribute("photo"), seen[1].attribute("title")),
        ("no uid", None, None)
    );
    let op =
        |name: &str, value: &str| Op::SetAttributes { attributes: [(name.to_owned(), value.into())].into() };
    for (name, value) in [("title", ""), ("phones", "1")] {
        let error = ldap.apply(&line, Some(&seen[0].id), &op(name, value), None, "k").await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Invalid, Effect::None), "{name}");
        assert!(error.message.contains(name), "{error}");
    }
}

#[tokio::test]
async fn a_hostile_value_is_those_bytes_or_refused_and_never_somebody_else() {
    let bench = bench();
    let (ldap, line) = (bench.ldap(), bench.line());
    let decoy = account("decoy").with("employeeNumber", b"hr/decoy");
    bench.tree.add(&[decoy.clone(), group("decoys", &[&decoy.dn])]);
    let mut before = bench.tree.truth().await;
    let decoy_id = ldap.get(&line, Locator::AccountNamed("decoy")).await.unwrap().unwrap().id.into_owned();
    let group_id =
        bench.tree.ids(&["cn=decoys,ou=groups,dc=acme,dc=example".parse::<Dn>().unwrap()]).await.remove(0);
    let class = AccessClass::DirectGroups;
    let mut refused = Vec::new();
    for value in hostile() {
        // As an id, a name, a marker: nobody, and never the decoy.
        for locator in [
            Locator::Account(&value),
            Locator::AccountNamed(&value),
            Locator::AccountMarked(&value),
            Locator::Group(&value),
            Locator::Person(&value),
        ] {
            assert_eq!(ldap.get(&line, locator).await.unwrap(), None, "{locator:?}");
        }
        for op in [Op::Delete, Op::Revoke { class, external_id: group_id.clone() }] {
            let outcome = ldap.apply(&line, Some(&value), &op, None, "k").await.unwrap().outcome;
            assert_eq!(outcome, Outcome::AlreadySo, "{value:?}");
        }
        let grant = Op::Grant { class, external_id: value.clone() };
        let error = ldap.apply(&line, Some(&decoy_id), &grant, None, "k").await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::NotFound, Effect::None), "{value:?}");
        assert_eq!(bench.tree.truth().await, before, "{value:?}");
        // As every field of an account: exactly that, or an error without effect.
        let marker = format!("hr/{value}");
        let attributes = |name: &str| {
            let of = |field: &str| (field.to_owned(), value.as_str().into());
            [("userName".to_owned(), name.into()), of("displayName"), of("title"), of("department")].into()
        };
        let create = |name: &str| Op::CreateAccount { marker: marker.clone(), attributes: attributes(name) };
        let made = match ldap.apply(&line, None, &create(&value), None, "k").await {
            Ok(made) => made,
            Err(error) => {
                assert_eq!(
                    (error.kind, error.effect),
                    (ErrorKind::Invalid, Effect::None),
                    "{value:?} {error}"
                );
                assert_eq!(bench.tree.truth().await, before, "{value:?}");
                refused.push(value);
                continue;
            }
        };
        let id = made.external_id.unwrap();
        assert_ne!(id, decoy_id);
        let exact = |object: &Object<'_>, name: &str| {
            stored_exactly(&bench.tree, &id, name, &marker, &value);
            assert_eq!(
                (&object.id[..], &object.name[..], object.marker.as_deref()),
                (&id[..], name, Some(&marker[..]))
            );
            for field in ["displayName", "title", "department"] {
                assert_eq!(
                    object.attribute(field),
                    Some(&ObjectValue::Text(value.as_str().into())),
                    "{field}"
                );
            }
        };
        for locator in [Locator::Account(&id), Locator::AccountNamed(&value), Locator::AccountMarked(&marker)]
        {
            exact(&ldap.get(&line, locator).await.unwrap().unwrap(), &value);
        }
        // Into another name and back, in and out of a group, with a password, and gone.
        for name in ["plain", &value] {
            let rename = Op::SetAttributes { attributes: [("userName".to_owned(), name.into())].into() };
            ldap.apply(&line, Some(&id), &rename, None, "k").await.unwrap();
            exact(&ldap.get(&line, Locator::Account(&id)).await.unwrap().unwrap(), name);
        }
        let held = Listing::Held { account: &id, class };
        for (op, count) in [
            (Op::Grant { class, external_id: group_id.clone() }, 1),
            (Op::Revoke { class, external_id: group_id.clone() }, 0),
        ] {
            ldap.apply(&line, Some(&id), &op, None, "k").await.unwrap();
            let mut groups = 0;
            ldap.list(&line, held, None, 10, &mut |_| groups += 1).await.unwrap();
            assert_eq!(groups, count, "{value:?}");
        }
        let secret = bailiwick_connector::seal::Secret::new(value.as_str());
        let issued = ldap.issue(&line, &id, AccessClass::PrimaryAccount, secret).await.unwrap();
        let entered = ldap.attempt(&line, &issued).await.unwrap();
        assert_eq!(entered, bailiwick_connector::Entry::Accepted, "{value:?}");
        ldap.apply(&line, Some(&id), &Op::Delete, None, "k").await.unwrap();
        // The group was written to, so its version and members are compared without it.
        assert_eq!(members(&bench.tree), ["uid=decoy,ou=people,dc=acme,dc=example"]);
        assert_eq!(people(&bench.tree), 1, "{value:?}");
        before = bench.tree.truth().await;
    }
    // No more than what is too long for a name here.
    assert!(refused.iter().all(|value| value.len() >= 256), "{refused:?}");
}

/// Past the connector: every attribute holds these bytes and no others.
fn stored_exactly(tree: &Slapd, id: &str, name: &str, marker: &str, value: &str) {
    let mut found = tree.stored(&format!("(entryUUID={id})"));
    assert_eq!(found.len(), 1, "{value:?}");
    let stored = found.remove(0);
    for (attribute, text) in [
        ("uid", name),
        ("employeeNumber", marker),
        ("title", value),
        ("displayName", value),
        ("departmentNumber", value),
    ] {
        assert_eq!(stored[attribute], [text.as_bytes()], "{attribute} of {value:?}");
    }
}

fn members(tree: &Slapd) -> Vec<String> {
    let all =
        tree.tool("ldapsearch", &["-LLL", "-o", "ldif-wrap=no", "-b", BASE, "(cn=decoys)", "member"], "");
    all.unwrap().lines().filter_map(|line| line.strip_prefix("member: ").map(str::to_owned)).collect()
}

fn people(tree: &Slapd) -> usize {
    let base = format!("ou=people,{BASE}");
    let all = tree.tool("ldapsearch", &["-LLL", "-b", &base, "-s", "one", "1.1"], "").unwrap();
    all.lines().filter(|line| line.starts_with("dn:")).count()
}

#[tokio::test]
async fn two_spellings_of_a_name_are_two_accounts_and_neither_comes_for_the_other() {
    let bench = bench();
    let (ldap, line) = (bench.ldap(), bench.line());
    let spellings = ["caf\u{e9}", "cafe\u{301}"];
    // To the server both are one name, so each has a place of its own.
    let (mut entries, mut dns) = (Vec::new(), Vec::new());
    for (place, name) in ["one", "two"].into_iter().zip(spellings) {
        let people = "ou=people,dc=acme,dc=example";
        entries.push(Raw::new(people, &[("ou", &[place]), ("objectClass", &["organizationalUnit"])]));
        let one: &[&str] = &[name];
        let classes: (&str, &[&str]) = ("objectClass", &["inetOrgPerson"]);
        let number = format!("hr/{name}");
        let named = [("uid", one), classes, ("cn", one), ("sn", one), ("employeeNumber", &[&number])];
        entries.push(Raw::new(&format!("ou={place},{people}"), &named));
        dns.push(entries.last().unwrap().dn.clone());
    }
    bench.tree.add(&entries);
    let ids = bench.tree.ids(&dns).await;
    for (name, id) in spellings.iter().zip(&ids) {
        assert_eq!(bench.tree.stored(&format!("(entryUUID={id})"))[0]["uid"], [name.as_bytes()]);
        for locator in [Locator::AccountNamed(name), Locator::AccountMarked(&format!("hr/{name}"))] {
            let found = ldap.get(&line, locator).await.unwrap().unwrap();
            assert_eq!((&found.id[..], &found.name[..]), (&id[..], *name), "{locator:?}");
        }
    }
    let error = ldap.get(&line, Locator::AccountNamed("CAF\u{c9}")).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::Malformed, "answer-ambiguous"));
    assert_eq!(ldap.get(&line, Locator::AccountMarked("hr/CAF\u{c9}")).await.unwrap(), None);
    // Where only one is left, the name is taken in the other spelling too.
    ldap.apply(&line, Some(&ids[0]), &Op::Delete, None, "k").await.unwrap();
    let before = bench.tree.truth().await;
    let attributes = [("userName".to_owned(), spellings[0].into())].into();
    let create = Op::CreateAccount { marker: "hr/new".into(), attributes };
    let error = ldap.apply(&line, None, &create, None, "k").await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::AlreadyExists, Effect::None), "{error}");
    assert_eq!(bench.tree.truth().await, before);
}

#[tokio::test]
async fn nothing_of_the_policies_is_read_where_nothing_says_where_they_are() {
    // A scope without them is enough then: what is outside would stop the integration.
    let bench =
        Bench::new(Slapd::start(Setup { policy: Policy::None, ..Setup::default() }), &settings(false), false);
    bench.ldap().check(&bench.line()).await.unwrap();
    assert_eq!(bench.settings.get("policies"), None::<&Value>);
}
