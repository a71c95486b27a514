//! The vault connector against a fake in this process: the contract kit, what cannot be brought about on a real
//! one, and that no name leads to something else.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "support/page.rs"]
mod page;
#[path = "support/vault.rs"]
mod vault;
#[path = "support/vault_fake.rs"]
mod vault_fake;

use std::sync::Arc;

use bailiwick_connector::{Connector, Effect, ErrorKind, Listing, Locator, Object, Outcome, testkit};
use bailiwick_core::{access::AccessClass, account::AccountAttributes, integration::Purpose, plan::Op};
use serde_json::json;
use vault::{ROOT, Rooms, Tested};
use vault_fake::Fake;

async fn fake() -> (Arc<Fake>, Tested) {
    let fake = Arc::new(Fake::default());
    let tested = Tested::new("fake", fake.clone(), "https://bao.test", Rooms::Root).await;
    (fake, tested)
}

async fn held(tested: &Tested, account: &str, class: AccessClass, size: u32) -> (Vec<String>, bool) {
    let (vault, line) = (tested.vault(), tested.line_for(Purpose::Verify));
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut visit = |object: Object<'_>| seen.push(object.id.into_owned());
        let listing = Listing::Held { account, class };
        let page = vault.list(&line, listing, cursor.as_deref(), size, &mut visit).await.unwrap();
        match page.next {
            Some(next) => cursor = Some(next),
            None => return (seen, page.complete),
        }
    }
}

fn named(name: &str) -> AccountAttributes {
    [("name".to_owned(), name.into())].into()
}

#[tokio::test]
async fn the_contract_holds() {
    page::kept(&testkit::run(&fake().await.1).await);
    page::all_kept("the_contract_holds");
}

#[tokio::test]
async fn an_overdue_lease_of_nobody_known_makes_the_listing_partial() {
    let (fake, tested) = fake().await;
    let ann = tested.admin.entity(json!({"name": "ann"})).await;
    for (lease, ttl) in
        [("database/creds/ann/1", 60), ("database/creds/shared/2", 60), ("auth/x/login/h1", 0)]
    {
        fake.state().leases.insert(lease.into(), (ttl, String::new()));
    }
    let own = vec!["lease:database/creds/ann/1".to_owned()];
    assert_eq!(held(&tested, &ann, AccessClass::VaultTokens, 1).await, (own.clone(), true));
    fake.state().leases.get_mut("database/creds/shared/2").unwrap().0 = 0;
    assert_eq!(held(&tested, &ann, AccessClass::VaultTokens, 1).await, (own, false));
}

#[tokio::test]
async fn an_orphan_of_nobody_known_makes_the_listing_partial_unless_it_is_nobodys() {
    let (_, tested) = fake().await;
    let ann = tested.admin.entity(json!({"name": "ann"})).await;
    tested.admin.token(&["default"]).await;
    assert!(held(&tested, &ann, AccessClass::VaultTokens, 9).await.1);
    tested.admin.ask("POST", "auth/token/create-orphan", json!({})).await;
    for size in [1, 9] {
        assert!(!held(&tested, &ann, AccessClass::VaultTokens, size).await.1);
    }
    let mut settings = vault::settings();
    settings["orphan_tokens"] = "nobody".into();
    let known = bailiwick_connectors::vault::Vault::new(&settings).unwrap();
    let (line, class) = (tested.line_for(Purpose::Verify), AccessClass::VaultTokens);
    let mut cursor = None;
    loop {
        let listing = Listing::Held { account: &ann, class };
        let page = known.list(&line, listing, cursor.as_deref(), 9, &mut |_| {}).await.unwrap();
        assert!(page.complete);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
}

#[tokio::test]
async fn whose_a_token_is_is_asked_once_and_not_too_often_for_one_page() {
    let (fake, tested) = fake().await;
    let ann = tested.admin.entity(json!({"name": "ann"})).await;
    let bob = tested.admin.entity(json!({"name": "bob"})).await;
    tested.admin.ask("POST", "auth/approle/role/svc", json!({})).await;
    tested.admin.alias(&bob, "approle/", &tested.admin.role_id("svc").await).await;
    for _ in 0..1_200 {
        tested.admin.login("svc").await;
    }
    let (vault, line) = (tested.vault(), tested.line_for(Purpose::Verify));
    let listing = Listing::Held { account: &ann, class: AccessClass::VaultTokens };
    fake.state().lookups = 0;
    let page = vault.list(&line, listing, None, 9, &mut |_| {}).await.unwrap();
    assert_eq!((page.next.is_some(), fake.state().lookups), (true, 500));
    // The hub has two tokens itself.
    let all = fake.state().lookups + 702;
    assert_eq!(held(&tested, &ann, AccessClass::VaultTokens, 9).await, (vec![], true));
    assert_eq!(fake.state().lookups, all);
    assert_eq!(held(&tested, &ann, AccessClass::VaultTokens, 9).await, (vec![], true));
    assert_eq!(fake.state().lookups, all);
    // What is held is looked at each time.
    assert_eq!(held(&tested, &bob, AccessClass::VaultTokens, 9).await.0.len(), 1_200);
    assert_eq!(fake.state().lookups, all + 1_200);
}

#[tokio::test]
async fn changes_of_one_list_at_the_same_time_do_not_undo_each_other() {
    let (_, tested) = fake().await;
    let group = tested.admin.ask("POST", "identity/group", json!({"name": "ops"})).await;
    let group = group["data"]["id"].as_str().unwrap();
    let mut ids = Vec::new();
    for name in ["ann", "bob", "eve"] {
        ids.push(tested.admin.entity(json!({"name": name})).await);
    }
    let (vault, line) = (tested.vault(), tested.line_for(Purpose::Write));
    let op = Op::Grant { class: AccessClass::DirectGroups, external_id: group.to_owned() };
    let join = |id: &'_ String| {
        let (vault, line, op, id) = (vault.clone(), line.clone(), op.clone(), id.clone());
        async move { vault.apply(&line, Some(&id), &op, None, "k").await.unwrap().outcome }
    };
    let done = tokio::join!(join(&ids[0]), join(&ids[1]), join(&ids[2]));
    assert_eq!(done, (Outcome::Done, Outcome::Done, Outcome::Done));
    let seen = vault.get(&line, Locator::Group(group)).await.unwrap().unwrap();
    ids.sort();
    assert_eq!(seen.links, ids);
}

#[tokio::test]
async fn one_lease_that_cannot_be_ended_does_not_keep_the_others() {
    let (fake, tested) = fake().await;
    let ann = tested.admin.entity(json!({"name": "ann"})).await;
    for n in 1..4 {
        fake.state().leases.insert(format!("database/creds/ann/{n}"), (60, String::new()));
    }
    fake.state().stuck.insert("database/creds/ann/1".into());
    let line = tested.line_for(Purpose::Write);
    let all = Op::RevokeAll { class: AccessClass::VaultTokens };
    let error = tested.vault().apply(&line, Some(&ann), &all, None, "k").await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::Invalid, Effect::Unknown));
    assert!(error.message.contains("cannot be dropped"), "{error}");
    let left = held(&tested, &ann, AccessClass::VaultTokens, 9).await.0;
    assert_eq!(left, ["lease:database/creds/ann/1"]);
}

#[tokio::test]
async fn nothing_that_is_somebody_elses_is_revoked() {
    let (fake, tested) = fake().await;
    let ann = tested.admin.entity(json!({"name": "ann"})).await;
    let bob = tested.admin.entity(json!({"name": "bob"})).await;
    tested.admin.ask("POST", "auth/approle/role/svc", json!({})).await;
    tested.admin.alias(&bob, "approle/", &tested.admin.role_id("svc").await).await;
    let (token, accessor, secret) = tested.admin.login("svc").await;
    fake.state().leases.insert("database/creds/bob/1".into(), (60, accessor.clone()));
    let line = tested.line_for(Purpose::Write);
    for (class, external_id) in [
        (AccessClass::VaultTokens, format!("accessor:{accessor}")),
        (AccessClass::VaultTokens, "accessor:".into()),
        (AccessClass::VaultTokens, "lease:database/creds/bob/1".into()),
        (AccessClass::VaultTokens, "lease:database/creds/ann/../bob/1".into()),
        (AccessClass::VaultTokens, "lease:".into()),
        (AccessClass::ApiTokens, format!("auth/approle/role/svc/{secret}")),
        (AccessClass::DirectGroups, "no-such-group".into()),
        (AccessClass::Roles, "no-such-policy".into()),
    ] {
        let op = Op::Revoke { class, external_id };
        let applied = tested.vault().apply(&line, Some(&ann), &op, None, "k").await.unwrap();
        assert_eq!(applied.outcome, Outcome::AlreadySo, "{op:?}");
    }
    let neither = Op::Revoke { class: AccessClass::VaultTokens, external_id: accessor };
    let error = tested.vault().apply(&line, Some(&ann), &neither, None, "k").await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::Invalid, Effect::None));
    assert!(tested.admin.lets_in(&token).await);
    assert_eq!(held(&tested, &bob, AccessClass::VaultTokens, 9).await.0.len(), 2);
    assert_eq!(held(&tested, &bob, AccessClass::ApiTokens, 9).await.0.len(), 1);
}

#[tokio::test]
async fn somebody_who_was_faster_is_noticed() {
    let (fake, tested) = fake().await;
    fake.state().faster = Some("ANN");
    let op = Op::CreateAccount { marker: "hr/1".into(), attributes: named("ann") };
    let line = tested.line_for(Purpose::Write);
    let error = tested.vault().apply(&line, None, &op, None, "k").await.unwrap_err();
    assert_eq!((error.code(), error.effect), ("vault-entity-overwritten", Effect::Unknown));
}

#[tokio::test]
async fn a_system_that_does_not_work_says_so() {
    let (fake, tested) = fake().await;
    let ann = tested.admin.entity(json!({"name": "ann"})).await;
    let (vault, line) = (tested.vault(), tested.line_for(Purpose::Write));
    let disable = Op::Disable { way: 0 };
    let check = async |code: &str| {
        assert_eq!(vault.check(&line).await.unwrap_err().code(), code);
        assert_eq!(vault.get(&line, Locator::Account(&ann)).await.unwrap_err().code(), code);
        let error = vault.apply(&line, Some(&ann), &disable, None, "k").await.unwrap_err();
        assert_eq!((error.code(), error.effect, error.kind.transient()), (code, Effect::None, true));
    };
    fake.state().sealed = true;
    check("vault-sealed").await;
    fake.state().sealed = false;
    fake.state().active = Some("https://other.test");
    check("vault-standby").await;
    fake.state().active = None;
    vault.check(&line).await.unwrap();
    let reads = tested.line_for(Purpose::Verify);
    vault.check(&reads).await.unwrap();
    let stranger = tested.line_with("another");
    assert_eq!(vault.check(&stranger).await.unwrap_err().kind, ErrorKind::Unauthorized);
    let weak = tested.line_with(&tested.admin.token(&["default"]).await);
    assert_eq!(vault.check(&weak).await.unwrap_err().kind, ErrorKind::Forbidden);
    assert!(tested.admin.lets_in(ROOT).await);
}
