//! News of a domain of Active Directory, against a controller in this process that can be short of words,
//! forgetful and wrong.

#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/ldap_bench.rs"]
mod ldap_bench;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/ldap_domain.rs"]
mod ldap_domain;

use std::{collections::BTreeSet, sync::Arc};

use bailiwick_connector::{Connector, ConnectorError, ErrorKind, Line, Listing, News, Since};
use bailiwick_connectors::ldap::Ldap;
use bailiwick_core::integration::Purpose;
use ldap_bench::line_with;
use ldap_domain::{DOMAIN, Domain, Fault};
use serde_json::json;

struct World {
    domain: Domain,
    ldap: Ldap,
    line: Line,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    shown: BTreeSet<String>,
    gone: BTreeSet<String>,
}

fn world(replicates: bool) -> World {
    world_with(replicates, DOMAIN)
}

/// The same, where the scope lists what is below `listed`.
fn world_with(replicates: bool, listed: &str) -> World {
    let domain = Domain::new(replicates);
    let settings = json!({
        "accounts": {"base": format!("OU=people,{DOMAIN}"), "filter": "(&(objectClass=user)(!(company=gone)))"},
    });
    let scope = ["discover SEARCH rootDSE".to_owned(), format!("list SEARCH {listed}")];
    let wire = Arc::new(domain.clone());
    let line = line_with(
        wire,
        "ldaps://dc.acme.test",
        &json!({}),
        ("CN=hub,DC=acme,DC=test", "secret"),
        &scope,
        Purpose::Verify,
    );
    World { domain, ldap: Ldap::new(&settings).unwrap(), line }
}

impl World {
    async fn ask(&self, since: Option<&str>) -> Result<(Heard, Since), ConnectorError> {
        let mut heard = Heard::default();
        let mut hear = |news: News<'_>| match news {
            News::Shown(object) => heard.shown.extend([object.id.into_owned()]),
            News::Gone(id) => heard.gone.extend([id.into_owned()]),
            News::Same(id) => panic!("{id} was not asked for"),
        };
        let since = self.ldap.changes(&self.line, Listing::Accounts, since, &mut hear).await?;
        assert!(since.complete);
        Ok((heard, since))
    }

    async fn hear(&self, since: Option<&str>) -> (Heard, Since) {
        self.ask(since).await.unwrap()
    }
}

fn ids(all: &[&String]) -> BTreeSet<String> {
    all.iter().map(|id| (*id).clone()).collect()
}

#[tokio::test]
async fn both_ways_tell_the_same() {
    for replicates in [true, false] {
        let world = world(replicates);
        let [ann, bob, eve, joe, sue] =
            ["ann", "bob", "eve", "joe", "sue"].map(|name| world.domain.add(name));
        let (heard, since) = world.hear(None).await;
        assert_eq!(heard, Heard { shown: ids(&[&ann, &bob, &eve, &joe, &sue]), gone: ids(&[]) });
        assert!(since.rest_is_gone);
        assert_eq!(since.next.starts_with("dirsync."), replicates);
        world.domain.set("ann", "title", "Dr");
        world.domain.delete("bob");
        world.domain.move_away("eve");
        // The filter looks at what is not read.
        world.domain.set("joe", "company", "gone");
        let (heard, since) = world.hear(Some(&since.next)).await;
        assert_eq!(heard, Heard { shown: ids(&[&ann]), gone: ids(&[&bob, &eve, &joe]) });
        assert!(!since.rest_is_gone);
        let (heard, since) = world.hear(Some(&since.next)).await;
        assert_eq!((heard, since.rest_is_gone), (Heard::default(), false));
        world.domain.set("joe", "company", "here");
        let (heard, since) = world.hear(Some(&since.next)).await;
        assert_eq!(heard, Heard { shown: ids(&[&joe]), gone: ids(&[]) });
        // By DirSync, what nobody reads is no news.
        world.domain.set("sue", "lastLogonTimestamp", "7");
        let (heard, _) = world.hear(Some(&since.next)).await;
        assert_eq!(heard.shown, if replicates { ids(&[]) } else { ids(&[&sue]) });
        let state = world.domain.state();
        assert_eq!(state.dirsyncs > 0, replicates);
        assert!(!state.attributes.iter().any(|name| name.eq_ignore_ascii_case("unicodePwd")));
    }
}

#[tokio::test]
async fn many_short_answers_are_one_reading() {
    let world = world(true);
    world.domain.state().most = 2;
    let known: Vec<String> = (0..9).map(|number| world.domain.add(&format!("user{number}"))).collect();
    let (_, since) = world.hear(None).await;
    for number in 0..7 {
        world.domain.set(&format!("user{number}"), "title", "Dr");
    }
    let before = world.domain.state().dirsyncs;
    let (heard, since) = world.hear(Some(&since.next)).await;
    assert_eq!(heard.shown, known[..7].iter().cloned().collect());
    assert_eq!(world.domain.state().dirsyncs - before, 4);
    assert_eq!(world.hear(Some(&since.next)).await.0, Heard::default());
}

#[tokio::test]
async fn a_right_that_is_taken_or_given_loses_nothing() {
    let world = world(true);
    let [ann, bob] = ["ann", "bob"].map(|name| world.domain.add(name));
    let (_, since) = world.hear(None).await;
    world.domain.set("ann", "title", "Dr");
    world.domain.state().replicates = false;
    // The cookie is worth nothing any more: everything is told, and goes on by numbers.
    let (heard, since) = world.hear(Some(&since.next)).await;
    assert_eq!((heard.shown, since.rest_is_gone), (ids(&[&ann, &bob]), true));
    assert!(!since.next.starts_with("dirsync."));
    world.domain.delete("bob");
    world.domain.state().replicates = true;
    let (heard, since) = world.hear(Some(&since.next)).await;
    assert_eq!((heard.gone, since.rest_is_gone), (ids(&[&bob]), false));
    // With neither right nothing is told rather than half of it.
    world.domain.state().replicates = false;
    world.domain.state().shows_deleted = false;
    for since in [None, Some(&since.next[..])] {
        let error = world.ask(since).await.unwrap_err();
        assert_eq!((error.kind, error.code()), (ErrorKind::Unsupported, "deleted-objects-hidden"));
    }
}

#[tokio::test]
async fn a_scope_without_the_domain_has_no_news_and_stops_nothing() {
    for replicates in [true, false] {
        let world = world_with(replicates, &format!("OU=people,{DOMAIN}"));
        world.domain.add("ann");
        for since in [None, Some("1.00000000"), Some("dirsync.00")] {
            let error = world.ask(since).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unsupported, "{error}");
            assert!(error.message.contains("`list SEARCH DC=acme,DC=test`"), "{error}");
        }
        // Everything is listed instead.
        let mut seen = 0;
        let page = world.ldap.list(&world.line, Listing::Accounts, None, 10, &mut |_| seen += 1).await;
        assert!(page.unwrap().complete && seen == 1);
    }
}

#[tokio::test]
async fn a_cookie_that_is_not_known_any_more_is_as_none() {
    let world = world(true);
    let ann = world.domain.add("ann");
    let (_, since) = world.hear(None).await;
    world.domain.state().time = 1;
    let (heard, since) = world.hear(Some(&since.next)).await;
    assert_eq!((heard.shown, since.rest_is_gone), (ids(&[&ann]), true));
    assert_eq!(world.hear(Some(&since.next)).await.0, Heard::default());
}

#[tokio::test]
async fn an_answer_that_is_not_whole_says_nothing() {
    let world = world(true);
    world.domain.add("ann");
    let (_, since) = world.hear(None).await;
    world.domain.set("ann", "title", "Dr");
    for (fault, kind) in [
        (Fault::Nameless, ErrorKind::Malformed),
        (Fault::NoCookie, ErrorKind::Malformed),
        (Fault::Stuck, ErrorKind::Malformed),
        (Fault::Busy, ErrorKind::RateLimited),
    ] {
        world.domain.state().fault = Some(fault);
        assert_eq!(world.ask(Some(&since.next)).await.unwrap_err().kind, kind, "{fault:?}");
    }
    // Of the domain a part is on another server, and the settings name that part.
    world.domain.state().fault = Some(Fault::Elsewhere);
    for since in [None, Some(&since.next[..])] {
        let error = world.ask(since).await.unwrap_err();
        assert_eq!((error.kind, error.code()), (ErrorKind::Settings, "base-elsewhere"), "{error}");
    }
    let listed = world.ldap.list(&world.line, Listing::Accounts, None, 10, &mut |_| {}).await;
    assert_eq!(listed.unwrap_err().code(), "base-elsewhere");
    world.domain.state().fault = None;
    // Behind one name there can be several controllers, and they do not know the same at the same time.
    world.domain.state().restless = true;
    let error = world.ask(Some(&since.next)).await.unwrap_err();
    assert_eq!(error.code(), "listing-interrupted");
    world.domain.state().restless = false;
    assert_eq!(world.hear(Some(&since.next)).await.0.shown.len(), 1);
}
