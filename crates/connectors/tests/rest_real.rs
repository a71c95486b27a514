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

    // Names that are easily bent come back byte for byte, and markers too.
    let hostile = [
        "'; drop table user --",
        "a,b+c=d\"e",
        "%2e%2e%2f",
        "a/b?c#d",
        "nul\u{1}",
        "Cafe\u{301}",
        "Caf\u{e9}",
        "*)(uid=*",
    ];
    for (n, text) in hostile.into_iter().enumerate() {
        let attributes = [("name".to_owned(), text.into()), ("email".to_owned(), text.into())].into();
        let create = Op::CreateAccount { marker: text.into(), attributes };
        let id = rest.apply(&line, None, &create, None, &format!("h{n}")).await.unwrap().external_id.unwrap();
        for locator in [Locator::Account(&id), Locator::AccountNamed(text), Locator::AccountMarked(text)] {
            let seen = rest.get(&line, locator).await.unwrap().unwrap();
            assert_eq!((&*seen.id, &*seen.name, seen.marker.as_deref()), (&*id, text, Some(text)));
        }
        rest.apply(&line, Some(&id), &Op::Delete, None, &format!("i{n}")).await.unwrap();
    }

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
    rest.apply(&line, Some(leaver), &Op::Disable { way: 0 }, None, "off").await.unwrap();
    let seen = rest.get(&line, Locator::Account(leaver)).await.unwrap().unwrap();
    assert_eq!(seen.state, ObjectState::Blocked);
    assert!(!format!("{line:?}").contains(SECRET));
}
