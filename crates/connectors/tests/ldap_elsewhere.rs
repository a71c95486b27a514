//! The LDAP connector where something is on another server. Nothing is followed, nothing is forgotten, and nothing is
//! written. Against real servers, OpenLDAP.

#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/ldap_bench.rs"]
mod ldap_bench;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/slapd.rs"]
mod slapd;

use std::sync::{Arc, Mutex, atomic::Ordering::SeqCst};

use async_trait::async_trait;
use bailiwick_connector::{
    Connector, ConnectorError, Effect, ErrorKind, Line, Listing, Locator, Object, Page, Result,
    broker::{
        TransportError,
        ldap::{Address, Answered, Connection, Directory, PasswordForm, Search, Show, Write},
    },
    testkit::Subject,
};
use bailiwick_connectors::ldap::Ldap;
use bailiwick_core::{access::AccessClass, dn::Dn, integration::Purpose, plan::Op};
use ldap_bench::{Bench, HUB, Raw, SECRET, Tree, account, group, settings};
use serde_json::Value;
use slapd::{Setup, Slapd, ldif};

const PEOPLE: &str = "ou=people,dc=acme,dc=example";
const ELSEWHERE: &str = "ou=nowhere,dc=acme,dc=example";

/// Puts an entry into a tree that says that it is on another server.
fn refer(tree: &Slapd, dn: &str, to: u16) {
    let dn: Dn = dn.parse().unwrap();
    let (kind, name) = dn.rdns()[0].attributes().next().unwrap();
    let target = format!("ldap://127.0.0.1:{to}/{dn}");
    let attributes: [(&str, &[&str]); 3] =
        [(kind, &[name]), ("objectClass", &["referral", "extensibleObject"]), ("ref", &[&target])];
    let raw = Raw::new(&dn.parent().unwrap().to_string(), &attributes);
    tree.tool("ldapadd", &["-M"], &ldif(&raw)).unwrap();
}

fn bench(settings: &Value) -> Bench<Slapd> {
    Bench::new(Slapd::start(Setup::default()), settings, true)
}

async fn list(ldap: &Ldap, line: &Line, listing: Listing<'_>) -> Result<(Vec<Object<'static>>, Page)> {
    let mut seen = Vec::new();
    let mut visit = |object: Object<'_>| seen.push(object.into_owned());
    let page = ldap.list(line, listing, None, 10, &mut visit).await?;
    Ok((seen, page))
}

fn is_elsewhere(error: &ConnectorError, base: &str) {
    assert_eq!((error.kind, error.effect), (ErrorKind::Settings, Effect::None), "{error}");
    assert_eq!(error.code(), "base-elsewhere");
    for word in [base, "another server", "never followed", "`endpoint`"] {
        assert!(error.message.contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_base_on_another_server_is_a_wrong_setting_and_no_listing_with_gaps() {
    for (place, listing) in
        [("accounts", Listing::Accounts), ("groups", Listing::Groups), ("people", Listing::People)]
    {
        for base in [ELSEWHERE.to_owned(), format!("ou=deep,{ELSEWHERE}")] {
            let mut settings = settings(true);
            settings[place]["base"] = base.as_str().into();
            let bench = bench(&settings);
            refer(&bench.tree, ELSEWHERE, 1);
            let (ldap, line) = (bench.ldap(), bench.line());
            let before = bench.tree.stored("(objectClass=*)");
            is_elsewhere(&ldap.check(&line).await.unwrap_err(), &base);
            is_elsewhere(&list(ldap, &line, listing).await.unwrap_err(), &base);
            if listing != Listing::People {
                let error = ldap.changes(&line, listing, None, &mut |_| {}).await.unwrap_err();
                is_elsewhere(&error, &base);
            }
            let locator = match listing {
                Listing::Accounts => Locator::AccountNamed("ann"),
                Listing::Groups => Locator::Group("00112233-4455-6677-8899-aabbccddeeff"),
                Listing::People | Listing::Held { .. } => Locator::Person("1"),
            };
            is_elsewhere(&ldap.get(&line, locator).await.unwrap_err(), &base);
            if listing == Listing::Accounts {
                let attributes = [("userName".to_owned(), "ann".into())].into();
                let create = Op::CreateAccount { marker: "hr/1".into(), attributes };
                is_elsewhere(&ldap.apply(&line, None, &create, None, "k").await.unwrap_err(), &base);
            }
            assert_eq!(bench.seen.writes.load(SeqCst), 0);
            assert_eq!(bench.tree.stored("(objectClass=*)"), before);
        }
    }
}

#[tokio::test]
async fn what_is_on_another_server_is_not_followed_and_not_forgotten() {
    let bench = bench(&settings(true));
    let (ldap, line) = (bench.ldap(), bench.line());
    bench.tree.add(&[account("ann")]);
    assert!(list(ldap, &line, Listing::Accounts).await.unwrap().1.complete);
    refer(&bench.tree, &format!("ou=elsewhere,{PEOPLE}"), 1);
    let (seen, page) = list(ldap, &line, Listing::Accounts).await.unwrap();
    assert_eq!((seen.len(), page), (1, Page { next: None, complete: false }));
    let mut shown = 0;
    let since = ldap.changes(&line, Listing::Accounts, None, &mut |_| shown += 1).await.unwrap();
    assert_eq!((shown, since.complete), (1, false));
    // Who is here is found; who is not could be there.
    assert!(ldap.get(&line, Locator::AccountNamed("ann")).await.unwrap().is_some());
    let error = ldap.get(&line, Locator::AccountNamed("bob")).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::Malformed, "answer-incomplete"));
    assert_eq!(bench.seen.connections.load(SeqCst), 1);
}

#[tokio::test]
async fn two_servers_that_name_each_other_are_no_circle() {
    let mut settings = settings(true);
    settings["people"]["base"] = ELSEWHERE.into();
    let (bench, other) = (bench(&settings), Slapd::start(Setup::default()));
    for (tree, to) in [(&bench.tree, other.port), (&other, bench.tree.port)] {
        refer(tree, ELSEWHERE, to);
        refer(tree, &format!("ou=elsewhere,{PEOPLE}"), to);
    }
    other.add(&[account("ann")]);
    let (here, there) = (bench.tree.connections(), other.connections());
    let (ldap, line) = (bench.ldap(), bench.line());
    is_elsewhere(&ldap.check(&line).await.unwrap_err(), ELSEWHERE);
    is_elsewhere(&list(ldap, &line, Listing::People).await.unwrap_err(), ELSEWHERE);
    let (seen, page) = list(ldap, &line, Listing::Accounts).await.unwrap();
    assert_eq!((seen.len(), page), (0, Page { next: None, complete: false }));
    let error = ldap.get(&line, Locator::AccountNamed("ann")).await.unwrap_err();
    assert_eq!(error.code(), "answer-incomplete");
    // As the servers count: one connection here, none there, and the one that asks.
    assert_eq!(bench.tree.connections() - here, 2);
    assert_eq!(other.connections() - there, 1);
}

type Deed = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// Carries everything to the server, and lets something happen there right before the next write.
struct Meanwhile<D> {
    deed: Deed,
    inner: D,
}

#[async_trait]
impl Directory for Meanwhile<Arc<dyn Directory>> {
    async fn open(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError> {
        let inner = self.inner.open(address).await?;
        Ok(Box::new(Meanwhile { deed: self.deed.clone(), inner }))
    }
}

#[async_trait]
impl Connection for Meanwhile<Box<dyn Connection>> {
    fn usable(&mut self) -> bool {
        self.inner.usable()
    }

    async fn bind(&mut self, name: &str, secret: &[u8]) -> Result<Answered, TransportError> {
        self.inner.bind(name, secret).await
    }

    async fn search(&mut self, search: &Search<'_>, show: Show<'_>) -> Result<Answered, TransportError> {
        self.inner.search(search, show).await
    }

    async fn set_password(
        &mut self,
        target: &Dn,
        secret: &[u8],
        form: PasswordForm,
    ) -> Result<Answered, TransportError> {
        self.inner.set_password(target, secret, form).await
    }

    async fn write(&mut self, write: &Write<'_>) -> Result<Answered, TransportError> {
        let deed = self.deed.lock().unwrap().take();
        deed.into_iter().for_each(|deed| deed());
        self.inner.write(write).await
    }
}

#[tokio::test]
async fn nothing_is_written_onto_what_is_on_another_server() {
    let class = AccessClass::DirectGroups;
    let ann = account("ann");
    let staff = group("staff", &[&HUB.parse().unwrap()]);
    let title = |name: &str| Op::SetAttributes { attributes: [(name.to_owned(), "dr".into())].into() };
    for (moved, op, kind) in [
        (&ann, title("title"), ErrorKind::Unsupported),
        (&ann, Op::Disable { way: 0 }, ErrorKind::Unsupported),
        // For these the server looks first whether it is the entry that is meant.
        (&ann, title("userName"), ErrorKind::Stale),
        (&ann, Op::Delete, ErrorKind::Stale),
        (&staff, Op::Grant { class, external_id: String::new() }, ErrorKind::Unsupported),
    ] {
        let bench = bench(&settings(true));
        bench.tree.add(&[ann.clone(), staff.clone()]);
        let ids = bench.tree.ids(&[ann.dn.clone(), staff.dn.clone()]).await;
        let op = match op {
            Op::Grant { class, .. } => Op::Grant { class, external_id: ids[1].clone() },
            other => other,
        };
        let deed = Deed::default();
        let wire = Arc::new(Meanwhile { deed: deed.clone(), inner: bench.tree.wire() });
        let line =
            ldap_bench::line(wire, &bench.tree.endpoint(), &bench.settings, (HUB, SECRET), Purpose::Write);
        // It is found here, and given to another server before it is written to.
        let bench = Arc::new(bench);
        let (there, dn) = (bench.clone(), moved.dn.to_string());
        *deed.lock().unwrap() = Some(Box::new(move || {
            there.tree.tool("ldapdelete", &[&dn], "").unwrap();
            refer(&there.tree, &dn, 1);
        }));
        let error = bench.ldap().apply(&line, Some(&ids[0]), &op, None, "k").await.unwrap_err();
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{op:?} {error}");
        assert!(deed.lock().unwrap().is_none());
        let stored = bench.tree.stored("(objectClass=referral)");
        assert_eq!(stored.len(), 1, "{op:?}");
        assert_eq!(stored[0]["ref"], [format!("ldap://127.0.0.1:1/{}", moved.dn).into_bytes()]);
        for name in ["title", "pwdAccountLockedTime", "member"] {
            assert!(!stored[0].contains_key(name), "{op:?} {stored:?}");
        }
    }
}
