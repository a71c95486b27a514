//! The REST connector against a real API: OpenStack Keystone from PyPI, signed in by OAuth client credentials.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

#[path = "support/keystone.rs"]
mod keystone;
#[path = "support/page.rs"]
mod page;
#[path = "support/rest_beside.rs"]
mod rest_beside;
#[path = "support/rest_line.rs"]
mod rest_line;

use bailiwick_connector::{
    Connector, ErrorKind, Listing, Locator, Object, ObjectState,
    testkit::{self, Fixtures, Subject},
};
use bailiwick_core::{access::AccessClass, plan::Op};
use keystone::{Keystone, SECRET};

#[tokio::test]
async fn the_contract_holds_and_a_disabled_user_is_kept_out() {
    let server = Keystone::start().await;
    page::kept(&testkit::run(&server).await);
    page::all_kept("the_contract_holds_and_a_disabled_user_is_kept_out");

    let ids = server.seed(&Fixtures::standard()).await;
    let (rest, line) = (server.rest(), server.line());
    rest.check(&line).await.unwrap();
    let wrong = rest.check(&server.line_with("another")).await.unwrap_err();
    assert_eq!(wrong.kind, ErrorKind::Unauthorized, "{wrong}");
    assert!(!wrong.message.contains("another"), "{wrong}");

    no_field_reaches_another_object(&server).await;

    // A leaver: credentials go, the account is disabled, and the system says so.
    let leaver = ids.accounts[0].as_str();
    for class in [AccessClass::ApiTokens, AccessClass::Roles, AccessClass::DirectGroups] {
        rest.apply(&line, Some(leaver), &Op::RevokeAll { class }, None, class.as_str()).await.unwrap();
        let mut left = 0;
        let mut visit = |_: Object<'_>| left += 1;
        let page =
            rest.list(&line, Listing::Held { account: leaver, class }, None, 50, &mut visit).await.unwrap();
        assert!(page.complete && left == 0, "{class}");
    }
    assert!(server.lets_in(leaver).await);
    rest.apply(&line, Some(leaver), &Op::Disable { way: 0 }, None, "off").await.unwrap();
    assert!(!server.lets_in(leaver).await);
    let seen = rest.get(&line, Locator::Account(leaver)).await.unwrap().unwrap();
    assert_eq!(seen.state, ObjectState::Blocked);
    assert!(!format!("{line:?}").contains(SECRET));
}

/// Every field reaches the system as the exact bytes, or is an error that says why, and touches nobody else.
async fn no_field_reaches_another_object(server: &Keystone) {
    let ids = server.seed(&Fixtures::standard()).await;
    let (rest, line) = (server.rest(), server.line());
    let first = ids.accounts[0].as_str();
    let (long, longer) = ("x".repeat(255), "x".repeat(256));
    let hostile = [
        "'; drop table user --",
        "a,b+c=d\"e",
        "%2e%2e%2f",
        "../users",
        "a/b?c#d",
        "nul\u{1}",
        "nul\0",
        "a\r\nb",
        "Cafe\u{301}",
        "Caf\u{e9}",
        "*)(uid=*",
        "李 小龍",
        "{\"id\":1}",
        "${name}",
        "",
        &long,
        &longer,
        &format!("{first}/groups"),
        &format!("{first}?x=y"),
    ];
    let before = server.truth().await;
    for (n, text) in hostile.into_iter().enumerate() {
        // As an id it is nobody, or no id.
        let ops = [Op::Delete, Op::Disable { way: 0 }, Op::RevokeAll { class: AccessClass::DirectGroups }];
        for (m, op) in ops.iter().enumerate() {
            let _ = rest.apply(&line, Some(text), op, None, &format!("j{n}.{m}")).await;
        }
        assert!(rest.get(&line, Locator::Account(text)).await.ok().flatten().is_none(), "{text:?}");
    }
    assert_eq!(server.truth().await, before);
    // The two that look alike are there at the same time.
    let mut made: Vec<(String, &str)> = Vec::new();
    for (n, text) in hostile.into_iter().enumerate() {
        let attributes = [("name".to_owned(), text.into()), ("email".to_owned(), text.into())].into();
        let create = Op::CreateAccount { marker: text.into(), attributes };
        match rest.apply(&line, None, &create, None, &format!("h{n}")).await {
            Ok(applied) => made.push((applied.external_id.unwrap(), text)),
            Err(error) => {
                let refused = matches!(error.kind, ErrorKind::Invalid | ErrorKind::AlreadyExists);
                assert!(refused && !error.message.is_empty(), "{text:?}: {error:?}");
            }
        }
    }
    assert!(made.len() >= 12, "{made:?}");
    for (n, (id, text)) in made.iter().enumerate() {
        let truth = server.user(id).await;
        for field in ["name", "email", "bailiwick"] {
            assert_eq!(truth[field], *text, "{field}");
        }
        for locator in [Locator::Account(id), Locator::AccountNamed(text), Locator::AccountMarked(text)] {
            let seen = rest.get(&line, locator).await.unwrap().unwrap();
            assert_eq!((&*seen.id, &*seen.name, seen.marker.as_deref()), (&**id, *text, Some(*text)));
        }
        rest.apply(&line, Some(id), &Op::Delete, None, &format!("i{n}")).await.unwrap();
    }
    assert_eq!(server.truth().await, before, "what was refused left nothing");
}
