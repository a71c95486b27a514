//! Groups of Active Directory with more members than the server shows at once, against a controller in this process
//! that shows two.

#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/ldap_bench.rs"]
mod ldap_bench;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/ldap_domain.rs"]
mod ldap_domain;

use std::{collections::BTreeSet, sync::Arc};

use bailiwick_connector::{
    Connector, ConnectorError, Effect, ErrorKind, Line, Listing, Locator, News, Object, Result,
};
use bailiwick_connectors::ldap::Ldap;
use bailiwick_core::{access::AccessClass, integration::Purpose};
use ldap_bench::line_with;
use ldap_domain::{DOMAIN, Domain, Fault};
use serde_json::json;

const NAMES: [&str; 7] = ["ann", "bob", "eve", "joe", "kim", "lea", "max"];

/// A domain that shows two members at a time, with a group of the first `count` accounts, and their ids.
struct World {
    domain: Domain,
    ldap: Ldap,
    line: Line,
    ids: Vec<String>,
    group: String,
}

fn world(count: usize) -> World {
    let domain = Domain::new(true);
    domain.state().range = 2;
    let ids = NAMES.map(|name| domain.add(name)).into();
    let group = domain.add_group("staff", &NAMES[..count]);
    let settings = json!({
        "accounts": {"base": format!("OU=people,{DOMAIN}"), "filter": "(objectClass=user)"},
        "groups": {"base": format!("OU=groups,{DOMAIN}")},
    });
    let scope = [
        "discover SEARCH rootDSE".to_owned(),
        format!("list SEARCH {DOMAIN}"),
        format!("get SEARCH {DOMAIN}"),
    ];
    let (wire, who) = (Arc::new(domain.clone()), ("CN=hub,DC=acme,DC=test", "secret"));
    let line = line_with(wire, "ldaps://dc.acme.test", &json!({}), who, &scope, Purpose::Verify);
    World { domain, ldap: Ldap::new(&settings).unwrap(), line, ids, group }
}

impl World {
    async fn get(&self) -> Result<Vec<String>> {
        let found = self.ldap.get(&self.line, Locator::Group(&self.group)).await?.unwrap();
        Ok(found.links.iter().map(ToString::to_string).collect())
    }

    async fn listed(&self) -> Result<Vec<String>> {
        let mut links = Vec::new();
        let mut visit = |group: Object<'_>| links.extend(group.links.iter().map(ToString::to_string));
        let page = self.ldap.list(&self.line, Listing::Groups, None, 10, &mut visit).await?;
        assert!(page.complete && page.next.is_none());
        Ok(links)
    }

    async fn heard(&self) -> Result<Vec<String>> {
        let mut links = Vec::new();
        let mut hear = |news: News<'_>| match news {
            News::Shown(group) => links.extend(group.links.iter().map(ToString::to_string)),
            News::Gone(id) | News::Same(id) => panic!("{id} was not asked for"),
        };
        let since = self.ldap.changes(&self.line, Listing::Groups, None, &mut hear).await?;
        assert!(since.complete);
        Ok(links)
    }

    async fn held(&self, account: &str) -> Vec<String> {
        let mut names = Vec::new();
        let mut visit = |group: Object<'_>| names.push(group.name.to_string());
        let listing = Listing::Held { account, class: AccessClass::DirectGroups };
        let page = self.ldap.list(&self.line, listing, None, 10, &mut visit).await.unwrap();
        assert!(page.complete && page.next.is_none());
        names
    }
}

#[tokio::test]
async fn every_member_is_shown_once_however_many_come_at_a_time() {
    for count in 0..=NAMES.len() {
        let world = world(count);
        for way in ["get", "list", "news"] {
            let before = world.domain.state().ranges;
            let links = match way {
                "get" => world.get().await.unwrap(),
                "list" => world.listed().await.unwrap(),
                _ => world.heard().await.unwrap(),
            };
            assert_eq!(links, world.ids[..count], "{way} of {count}");
            // Two come with the group, and two more with each question.
            let asked = usize::try_from(world.domain.state().ranges - before).unwrap();
            assert_eq!(asked, count.div_ceil(2).saturating_sub(1), "{way} of {count}");
        }
        for (at, account) in world.ids.iter().enumerate() {
            let expect: &[&str] = if at < count { &["staff"] } else { &[] };
            assert_eq!(world.held(account).await, expect, "{at} of {count}");
        }
    }
}

#[tokio::test]
async fn who_is_moved_by_somebody_who_leaves_meanwhile_is_not_missed() {
    for leaving in [1, 2] {
        let world = world(7);
        world.domain.state().leaving = leaving;
        let left = usize::try_from(leaving).unwrap();
        let links: BTreeSet<String> = world.get().await.unwrap().into_iter().collect();
        assert_eq!(links, world.ids[left..].iter().cloned().collect(), "{leaving}");
    }
    // One that never holds still is not shown by halves.
    let world = world(7);
    for way in ["get", "list", "news"] {
        world.domain.state().leaving = 3;
        let error = match way {
            "get" => world.get().await,
            "list" => world.listed().await,
            _ => world.heard().await,
        };
        interrupted(&error.unwrap_err());
        world.domain.state().leaving = 0;
        // What was taken out is put back.
        let back: Vec<&str> = NAMES.into();
        world.domain.fill("staff", &back);
    }
    assert_eq!(world.get().await.unwrap(), world.ids);
}

fn interrupted(error: &ConnectorError) {
    assert_eq!((error.kind, error.effect), (ErrorKind::Unreachable, Effect::None), "{error}");
    assert_eq!(error.code(), "listing-interrupted");
    assert!(error.message.contains("CN=staff"), "{error}");
}

#[tokio::test]
async fn a_group_that_goes_while_it_is_read_is_no_wrong_setting() {
    for fault in [Fault::Vanishes, Fault::Replaced] {
        let world = world(7);
        world.domain.state().fault = Some(fault);
        interrupted(&world.get().await.unwrap_err());
    }
}
