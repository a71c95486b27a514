//! The SCIM connector against a real service provider, `scim2-server` from PyPI.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

#[path = "support/hiding.rs"]
mod hiding;
#[path = "support/line.rs"]
mod line;
#[path = "support/page.rs"]
mod page;
#[path = "support/scim_true.rs"]
mod scim_true;
#[path = "support/server.rs"]
mod server;

use bailiwick_connector::{
    Connector, ErrorKind, Line, Listing, Locator, Object, ObjectState, ObjectValue, Outcome,
    testkit::{self, Subject},
};
use bailiwick_connectors::scim::Scim;
use bailiwick_core::plan::Op;
use line::{ENTERPRISE, USER};
use serde_json::json;
use server::{Paging, Server};

#[tokio::test]
async fn the_contract_holds() {
    let (usual, put) = (json!({"base": "/v2"}), json!({"base": "/v2", "update": "put"}));
    let people = |key: &str| json!({"base": "/v2", "people": {"key": key}});
    let (by_external_id, by_number) = (people("externalId"), people("employee_number"));
    for (paging, without, settings) in [
        (Paging::Index, &[][..], &usual),
        (Paging::Cursor, &[], &usual),
        (Paging::Index, &[], &put),
        (Paging::Index, &["filter", "etag"], &usual),
        (Paging::Cursor, &["patch"], &usual),
        (Paging::Index, &[], &by_external_id),
        (Paging::Cursor, &["filter"], &by_number),
    ] {
        page::kept(&testkit::run(&Server::start(paging, without, settings).await).await);
    }
    page::all_kept("the_contract_holds");
}

async fn everybody(scim: &Scim, line: &Line, size: u32) -> Vec<Object<'static>> {
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut visit = |object: Object<'_>| seen.push(object.into_owned());
        let page = scim.list(line, Listing::Accounts, cursor.as_deref(), size, &mut visit).await.unwrap();
        assert!(page.complete);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return seen,
        }
    }
}

#[tokio::test]
async fn an_account_lives_from_joiner_to_leaver() {
    for paging in [Paging::Index, Paging::Cursor] {
        for update in ["patch", "put"] {
            let settings = json!({"base": "/v2", "update": update});
            let server = Server::start(paging, &[], &settings).await;
            let line = server.line();
            let scim = Scim::new(&settings).unwrap();
            scim.check(&line).await.unwrap();
            assert!(scim.capability().conditional);
            let mut ids = Vec::new();
            for n in 0..7 {
                let attributes = [
                    ("userName".to_owned(), format!("user{n}").as_str().into()),
                    ("email".to_owned(), format!("user{n}@x.org").as_str().into()),
                    ("department".to_owned(), "D1".into()),
                ];
                let create = Op::CreateAccount { marker: format!("hr/{n}"), attributes: attributes.into() };
                let applied = scim.apply(&line, None, &create, None, "k").await.unwrap();
                assert_eq!(applied.outcome, Outcome::Done);
                ids.push(applied.external_id.unwrap());
            }
            ids.sort();
            for size in [1, 2, 3, 100] {
                let seen = everybody(&scim, &line, size).await;
                let mut seen: Vec<String> = seen.into_iter().map(|user| user.id.into_owned()).collect();
                seen.sort();
                assert_eq!(seen, ids, "{paging:?}, pages of {size}");
            }
            let marked = scim.get(&line, Locator::AccountMarked("hr/3")).await.unwrap().unwrap();
            let id = marked.id.to_string();
            let version = marked.version.clone().unwrap();
            assert_eq!(scim.get(&line, Locator::AccountNamed("USER3")).await.unwrap(), Some(marked.clone()));
            let set = |title: &str, email: &str| Op::SetAttributes {
                attributes: [("title".to_owned(), title.into()), ("email".to_owned(), email.into())].into(),
            };
            scim.apply(&line, Some(&id), &set("Boss", "boss@x.org"), Some(&version), "k").await.unwrap();
            let stale = scim.apply(&line, Some(&id), &set("Hero", "hero@x.org"), Some(&version), "k").await;
            assert_eq!(stale.unwrap_err().kind, ErrorKind::Stale);
            for (op, state) in [
                (Op::Disable { way: 0 }, ObjectState::Blocked),
                (Op::Enable, ObjectState::Live),
                (Op::Disable { way: 0 }, ObjectState::Blocked),
            ] {
                scim.apply(&line, Some(&id), &op, None, "k").await.unwrap();
                let seen = scim.get(&line, Locator::Account(&id)).await.unwrap().unwrap();
                assert_eq!(seen.state, state, "{op:?}");
                assert_eq!(seen.attribute("title"), Some(&ObjectValue::Text("Boss".into())));
                assert_eq!(seen.attribute("email"), Some(&ObjectValue::Text("boss@x.org".into())));
            }
            for outcome in [Outcome::Done, Outcome::AlreadySo] {
                assert_eq!(
                    scim.apply(&line, Some(&id), &Op::Delete, None, "k").await.unwrap().outcome,
                    outcome
                );
            }
            assert_eq!(scim.get(&line, Locator::Account(&id)).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn users_are_the_people_of_a_source() {
    let settings = json!({
        "base": "/v2", "people": {},
        "attributes": {"display_name": "name.formatted", "phone": "phoneNumbers[type eq \"work\"].value"},
    });
    let server = Server::start(Paging::Index, &[], &settings).await;
    let boss = server.make("Users", json!({"schemas": [USER], "userName": "boss"})).await;
    let user = json!({
        "schemas": [USER, ENTERPRISE], "userName": "ann", "externalId": "e/1", "displayName": "ann s", "title": "Chef",
        "name": {"formatted": "Ann Smith", "givenName": "Ann"}, "active": false,
        "emails": [{"value": "ann@home.test", "type": "home"}, {"value": "ann@x.test", "type": "work"}],
        "phoneNumbers": [{"value": "+1-201-555-0123", "type": "work"}],
        ENTERPRISE: {"department": "Kitchen", "employeeNumber": "7", "manager": {"value": boss}},
    });
    let id = server.make("Users", user).await;
    let (scim, line) = (Scim::new(&settings).unwrap(), server.line());
    let ann = scim.get(&line, Locator::Person(&id)).await.unwrap().unwrap();
    assert_eq!((ann.id.as_ref(), ann.name.as_ref(), ann.state), (&id[..], "Ann Smith", ObjectState::Blocked));
    for (name, value) in [
        ("department", "Kitchen"),
        ("display_name", "Ann Smith"),
        ("email", "ann@x.test"),
        ("employee_number", "7"),
        ("given_name", "Ann"),
        ("job_title", "Chef"),
        ("manager", &boss),
        ("title", "Chef"),
        ("user_name", "ann"),
    ] {
        assert_eq!(ann.attribute(name), Some(&ObjectValue::Text(value.into())), "{name}");
    }
    let Some(ObjectValue::Text(phone)) = ann.attribute("phone") else { panic!("{ann:?}") };
    assert!(phone.contains("201-555-0123"), "{phone}");
    // Of a source nothing is read but people, and nothing is written.
    let mut visit = |object: Object<'_>| panic!("{object:?}");
    let error = scim.list(&line, Listing::Accounts, None, 9, &mut visit).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    let error = scim.apply(&line, Some(&id), &Op::Enable, None, "k").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_wrong_credential_is_found_by_check() {
    let settings = json!({"base": "/v2"});
    let server = Server::start(Paging::Index, &[], &settings).await;
    let error = Scim::new(&settings).unwrap().check(&server.line_with("another")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
}
