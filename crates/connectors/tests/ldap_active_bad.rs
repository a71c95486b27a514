//! The LDAP connector against a real domain controller, Samba's, where things are wrong: credentials, connections,
//! TLS, and values that try to be something else. What is stored is read from the database itself.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "support/certificate.rs"]
mod certificate;
#[path = "support/hostile.rs"]
mod hostile;
#[path = "support/ldap_active.rs"]
mod ldap_active;
#[allow(dead_code, reason = "what is for OpenLDAP is in the same file")]
#[path = "support/ldap_bench.rs"]
mod ldap_bench;
#[allow(dead_code, reason = "not everything is needed here")]
#[path = "support/samba.rs"]
mod samba;

use std::sync::atomic::Ordering::SeqCst;

use bailiwick_connector::{
    Connector, Effect, Entry, ErrorKind, Listing, Locator, Object, ObjectValue, Outcome, Page, seal::Secret,
    testkit::Subject,
};
use bailiwick_connectors::ldap::Ldap;
use bailiwick_core::{access::AccessClass, plan::Op};
use certificate::certify;
use hostile::hostile;
use ldap_active::{Active, settings};
use samba::Samba;
use serde_json::{Value, json};

const PEOPLE: &str = "OU=people,DC=acme,DC=test";

#[tokio::test]
async fn a_wrong_credential_is_said_and_a_missing_one_is_not_sent() {
    let active = Active::start(&settings()).await;
    let (admin, password) = active.samba.admin();
    let off = format!("CN=off,{PEOPLE}");
    active.samba.add_user(&off, "off", "Open-sesame-1").await;
    let disable =
        format!("dn: {off}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 514\n");
    active.samba.change(&disable).await;
    for (user, password, kind, binds) in [
        (admin, "Another-1", ErrorKind::Unauthorized, 1),
        ("CN=nobody,CN=Users,DC=acme,DC=test", password, ErrorKind::Unauthorized, 1),
        ("nobody@acme.test", password, ErrorKind::Unauthorized, 1),
        ("ACME\\nobody", password, ErrorKind::Unauthorized, 1),
        (&off, "Open-sesame-1", ErrorKind::Unauthorized, 1),
        // These would be let in as nobody, and find an empty directory.
        (admin, "", ErrorKind::NoCredential, 0),
        ("", password, ErrorKind::NoCredential, 0),
    ] {
        let before = active.seen.binds.load(SeqCst);
        let error = active.ldap().check(&active.line_as((user, password))).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{user} {password}");
        assert!(password.is_empty() || !error.message.contains(password), "{error}");
        assert_eq!(active.seen.binds.load(SeqCst) - before, binds, "{user} {password}");
    }
    active.ldap().check(&active.line()).await.unwrap();
}

#[tokio::test]
async fn nobody_home_is_unreachable_and_nothing_happened() {
    let mut active = Active::start(&settings()).await;
    active.samba.add_user(&format!("CN=Ann,{PEOPLE}"), "ann", "Open-sesame-1").await;
    let line = active.line();
    let ann = active.ldap().get(&line, Locator::AccountNamed("ann")).await.unwrap().unwrap().id;
    let before = active.truth().await;
    active.samba.stop();
    let set = Op::SetAttributes { attributes: [("title".to_owned(), "x".into())].into() };
    let fresh = active.line_as(active.samba.admin());
    for line in [&line, &fresh] {
        let error = active.ldap().get(line, Locator::AccountNamed("ann")).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Unreachable, Effect::None), "{error}");
        let error = active.ldap().apply(line, Some(&ann), &set, None, "k").await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Unreachable, Effect::None), "{error}");
        let error = active.ldap().changes(line, Listing::Accounts, None, &mut |_| {}).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    }
    assert_eq!(active.truth().await, before);
}

/// How the connection fails, and what the error says; none if it does not.
async fn made(active: &Active, endpoint: &str, broker: Value, expect: Option<(ErrorKind, &str)>) {
    let line = active.line_by(endpoint, &broker, active.samba.admin());
    let fresh = Ldap::new(&settings()).unwrap();
    match (fresh.check(&line).await, expect) {
        (Ok(()), None) => {}
        (Err(error), Some((kind, why))) => {
            assert_eq!((error.kind, error.effect), (kind, Effect::None), "{endpoint} {broker}: {error}");
            assert!(error.message.contains(why), "{endpoint} {broker}: {error}");
            assert!(!error.message.contains(active.samba.admin().1), "{error}");
        }
        (checked, expect) => panic!("{endpoint} {broker}: {checked:?}, expected {expect:?}"),
    }
}

#[tokio::test]
async fn tls_is_made_with_the_authority_that_is_named_and_nothing_is_asked_in_clear() {
    let active = Active::start(&settings()).await;
    let other = tempfile::tempdir().unwrap();
    certify(other.path(), "IP:127.0.0.1");
    let other = other.path().join("ca.pem");
    let (own, tls, clear) =
        (active.samba.ca_file(), active.samba.endpoint(), active.samba.endpoint_in_clear());
    let unreachable = |why| Some((ErrorKind::Unreachable, why));
    for (endpoint, start_tls) in [(&tls, false), (&clear, true)] {
        made(&active, endpoint, json!({"ca_file": own, "start_tls": start_tls}), None).await;
        let wrong = json!({"ca_file": other, "start_tls": start_tls});
        made(&active, endpoint, wrong, unreachable("certificate")).await;
        // The public authorities do not know it either.
        made(&active, endpoint, json!({"start_tls": start_tls}), unreachable("TLS")).await;
    }
    // The domain's policy wants TLS before a password.
    made(&active, &clear, json!({}), Some((ErrorKind::Settings, "wants TLS before a sign-in"))).await;

    let samba = Samba::called(|_| "DNS:other.acme.test".to_owned()).await;
    let misnamed = Active::on(samba, &settings()).await;
    let (own, tls, clear) =
        (misnamed.samba.ca_file(), misnamed.samba.endpoint(), misnamed.samba.endpoint_in_clear());
    for (endpoint, start_tls) in [(&tls, false), (&clear, true)] {
        let broker = json!({"ca_file": own, "start_tls": start_tls});
        made(&misnamed, endpoint, broker, unreachable("certificate")).await;
    }
}

/// A domain where people sign in by a name that may have every character, with a decoy in a group.
async fn decoyed() -> Active {
    let mut settings = settings();
    settings["accounts"]["name"] = "userPrincipalName".into();
    let active = Active::start(&settings).await;
    let dn = format!("CN=decoy,{PEOPLE}");
    active.samba.add_user(&dn, "decoy", "Open-sesame-1").await;
    let known = format!(
        "dn: {dn}\nchangetype: modify\nreplace: userPrincipalName\nuserPrincipalName: decoy\n-\n\
         replace: employeeNumber\nemployeeNumber: hr/decoy\n"
    );
    active.samba.change(&known).await;
    active.samba.add_group("CN=decoys,OU=groups,DC=acme,DC=test", "decoys", &[&dn]).await;
    active
}

/// What the database holds under an id.
async fn stored(active: &Active, id: &str) -> samba::Entry {
    let mut found = active.samba.entries(&format!("(objectGUID={id})")).await;
    assert_eq!(found.len(), 1, "{id}");
    found.remove(0)
}

async fn id_of(active: &Active, name: &str) -> String {
    active.samba.entries(&format!("(sAMAccountName={name})")).await.remove(0)["objectGUID"][0].clone()
}

/// What is no id, name or marker of anybody: nothing comes, and nothing is touched.
async fn nobody(active: &Active, value: &str, decoy: &str, group: &str) {
    let (ldap, line) = (active.ldap(), active.line());
    let class = AccessClass::DirectGroups;
    for locator in [
        Locator::Account(value),
        Locator::AccountNamed(value),
        Locator::AccountMarked(value),
        Locator::Group(value),
        Locator::Person(value),
    ] {
        assert_eq!(ldap.get(&line, locator).await.unwrap(), None, "{locator:?}");
    }
    for op in [Op::Delete, Op::Revoke { class, external_id: group.to_owned() }] {
        let outcome = ldap.apply(&line, Some(value), &op, None, "k").await.unwrap().outcome;
        assert_eq!(outcome, Outcome::AlreadySo, "{value:?}");
    }
    let revoke = Op::Revoke { class, external_id: value.to_owned() };
    let outcome = ldap.apply(&line, Some(decoy), &revoke, None, "k").await.unwrap().outcome;
    assert_eq!(outcome, Outcome::AlreadySo, "{value:?}");
    let grant = Op::Grant { class, external_id: value.to_owned() };
    let error = ldap.apply(&line, Some(decoy), &grant, None, "k").await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::NotFound, Effect::None), "{value:?}");
}

#[tokio::test]
async fn a_hostile_value_is_those_bytes_or_refused_and_never_somebody_else() {
    let active = decoyed().await;
    let (decoy, group) = (id_of(&active, "decoy").await, id_of(&active, "decoys").await);
    let mut before = active.truth().await;
    let mut refused = Vec::new();
    for value in hostile() {
        nobody(&active, &value, &decoy, &group).await;
        match lived(&active, &value, &group).await {
            true => {
                let now = active.truth().await;
                assert_eq!(without_groups(&now), without_groups(&before), "{value:?}");
                before = now;
            }
            false => {
                assert_eq!(active.truth().await, before, "{value:?}");
                refused.push(value);
            }
        }
    }
    // What is too long for a name here, and what the server takes for the decoy's name.
    let known = |value: &String| value.chars().count() > 64 || value.starts_with("decoy\0");
    assert!(refused.iter().all(known), "{refused:?}");
}

fn without_groups(truth: &str) -> Vec<&str> {
    truth.lines().filter(|line| !line.contains("\"dn\": [\"CN=decoys,")).collect()
}

/// Takes an account with this value in every field through its life, to its end. `false` if the directory refuses it.
async fn lived(active: &Active, value: &str, group: &str) -> bool {
    let (ldap, line) = (active.ldap(), active.line());
    let class = AccessClass::DirectGroups;
    let marker = format!("hr/{value}");
    let of = |field: &str| (field.to_owned(), value.into());
    let attributes = [of("userName"), of("displayName"), of("title"), of("department")].into();
    let create = Op::CreateAccount { marker: marker.clone(), attributes };
    let id = match ldap.apply(&line, None, &create, None, "k").await {
        Ok(made) => made.external_id.unwrap(),
        Err(error) => {
            assert!(matches!(error.kind, ErrorKind::Invalid | ErrorKind::AlreadyExists), "{value:?} {error}");
            assert_eq!(error.effect, Effect::None, "{value:?} {error}");
            eprintln!("REFUSED {value:?} {error}");
            return false;
        }
    };
    let exactly = async |name: &str| {
        let held = stored(active, &id).await;
        for (attribute, text) in [
            ("userPrincipalName", name),
            ("employeeNumber", &marker),
            ("displayName", value),
            ("title", value),
            ("department", value),
        ] {
            assert_eq!(held[attribute], [text], "{attribute} of {value:?}");
        }
        held["dn"][0].clone()
    };
    let is = |object: &Object<'_>, name: &str| {
        let (known, held) = ((&object.id[..], &object.name[..]), object.marker.as_deref());
        assert_eq!((known, held), ((&id[..], name), Some(&marker[..])), "{value:?}");
        assert_eq!(object.attribute("title"), Some(&ObjectValue::Text(value.into())));
    };
    let mut dn = exactly(value).await;
    for locator in [Locator::Account(&id), Locator::AccountNamed(value), Locator::AccountMarked(&marker)] {
        is(&ldap.get(&line, locator).await.unwrap().unwrap(), value);
    }
    // Into another name and back, in and out of a group, with a password, and gone.
    for name in ["plain", value] {
        let rename = Op::SetAttributes { attributes: [("userName".to_owned(), name.into())].into() };
        ldap.apply(&line, Some(&id), &rename, None, "k").await.unwrap();
        is(&ldap.get(&line, Locator::Account(&id)).await.unwrap().unwrap(), name);
        dn = exactly(name).await;
    }
    for (op, count) in [
        (Op::Grant { class, external_id: group.to_owned() }, 2),
        (Op::Revoke { class, external_id: group.to_owned() }, 1),
    ] {
        ldap.apply(&line, Some(&id), &op, None, "k").await.unwrap();
        let members = active.samba.entries("(sAMAccountName=decoys)").await.remove(0)["member"].clone();
        assert_eq!(members.len(), count, "{value:?}");
        assert!(members.contains(&format!("CN=decoy,{PEOPLE}")), "{value:?} {members:?}");
    }
    let secret = Secret::new("Another-sesame-2");
    let inside = match ldap.issue(&line, &id, AccessClass::PrimaryAccount, secret).await {
        Ok(issued) => ldap.attempt(&line, &issued).await.unwrap() == Entry::Accepted,
        // The server makes a name of Kerberos of it, and not every name can be one.
        Err(error) => {
            assert_eq!((error.kind, error.effect), (ErrorKind::SystemFault, Effect::Unknown), "{value:?}");
            assert!(error.message.contains("principal"), "{value:?} {error}");
            false
        }
    };
    assert_eq!(active.samba.lets_in(&dn, "Another-sesame-2").await, inside, "{value:?}");
    ldap.apply(&line, Some(&id), &Op::Delete, None, "k").await.unwrap();
    true
}

#[tokio::test]
async fn names_that_only_active_directory_knows_are_nobody() {
    let active = decoyed().await;
    let (decoy, group) = (id_of(&active, "decoy").await, id_of(&active, "decoys").await);
    let sid = active.samba.entries("(sAMAccountName=decoy)").await.remove(0)["objectSid"][0].clone();
    let mut before = active.truth().await;
    for form in [
        format!("<GUID={decoy}>"),
        format!("<GUID={}>", decoy.replace('-', "")),
        format!("<GUID={group}>"),
        format!("<SID={sid}>"),
        // The containers of the users and of what is deleted, by what is known of every domain.
        "<WKGUID=A9D1CA15768811D1ADED00C04FD8D5CD,DC=acme,DC=test>".to_owned(),
        "<WKGUID=18E2EA80684F11D2B9AA00C04F79F805,DC=acme,DC=test>".to_owned(),
        format!("CN=decoy,{PEOPLE}"),
        format!("{{{decoy}}}"),
        decoy.to_uppercase(),
        decoy.replace('-', ""),
        sid,
    ] {
        nobody(&active, &form, &decoy, &group).await;
        assert_eq!(active.truth().await, before, "{form}");
        // As a value it is that value.
        assert!(lived(&active, &form, &group).await, "{form}");
        let now = active.truth().await;
        assert_eq!(without_groups(&now), without_groups(&before), "{form}");
        before = now;
        // And no place of a setting.
        if form.starts_with('<') {
            let error = Ldap::new(&json!({"accounts": {"base": form}})).err().unwrap();
            assert_eq!(error.kind, ErrorKind::Settings, "{form}");
        }
    }
}

#[tokio::test]
async fn two_spellings_of_a_name_are_two_accounts_and_neither_comes_for_the_other() {
    let active = decoyed().await;
    let (ldap, line) = (active.ldap(), active.line());
    let spellings = ["caf\u{e9}", "cafe\u{301}"];
    let mut ids = Vec::new();
    for name in spellings {
        assert_eq!(ldap.get(&line, Locator::AccountNamed(name)).await.unwrap(), None);
        let attributes = [("userName".to_owned(), name.into())].into();
        let create = Op::CreateAccount { marker: format!("hr/{name}"), attributes };
        ids.extend(ldap.apply(&line, None, &create, None, "k").await.unwrap().external_id);
    }
    for (name, id) in spellings.iter().zip(&ids) {
        assert_eq!(stored(&active, id).await["userPrincipalName"], [*name]);
        for locator in [Locator::AccountNamed(name), Locator::AccountMarked(&format!("hr/{name}"))] {
            assert_eq!(&ldap.get(&line, locator).await.unwrap().unwrap().id[..], id, "{locator:?}");
        }
    }
    let mut seen = 0;
    let page = ldap.list(&line, Listing::Accounts, None, 10, &mut |_| seen += 1).await.unwrap();
    assert_eq!((seen, page), (3, Page { next: None, complete: true }));
}
