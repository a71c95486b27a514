//! The REST connector against simulated APIs, judged by their truth: the contract kit, and what is hostile.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

#[path = "support/page.rs"]
mod page;
#[path = "support/rest_beside.rs"]
mod rest_beside;
#[path = "support/rest_fake.rs"]
mod rest_fake;
#[path = "support/rest_gitlab.rs"]
mod rest_gitlab;
#[path = "support/rest_keycloak.rs"]
mod rest_keycloak;
#[path = "support/rest_line.rs"]
mod rest_line;
#[path = "support/rest_partial.rs"]
mod rest_partial;

use bailiwick_connector::{
    AccountWrite, Connector, ErrorKind, Locator, Outcome,
    testkit::{self, Fixtures, Subject},
};
use bailiwick_connectors::rest::Rest;
use bailiwick_core::{access::AccessClass, account::AccountAttributes, integration::Purpose, plan::Op};
use rest_fake::{Fake, Vendor};
use rest_gitlab::Gitlab;
use rest_keycloak::Keycloak;
use rest_partial::{Partial, Switched, Undeleted};

#[tokio::test]
async fn the_contract_holds() {
    page::kept(&testkit::run(&Fake::<Keycloak>::new()).await);
    page::kept(&testkit::run(&Fake::<Gitlab>::new()).await);
    page::kept(&testkit::run(&Fake::<Partial<Undeleted>>::new()).await);
    page::kept(&testkit::run(&Fake::<Partial<Switched>>::new()).await);
    page::all_kept("the_contract_holds");
}

#[test]
fn a_description_claims_what_it_has_and_nothing_else() {
    use AccountWrite::{Create, Enable, Update};
    let writes = |rest: &Rest| rest.capability().writes.iter().copied().collect::<Vec<_>>();
    assert_eq!(writes(Fake::<Keycloak>::new().rest()), AccountWrite::ALL);
    let (undeleted, switched) = (Fake::<Partial<Undeleted>>::new(), Fake::<Partial<Switched>>::new());
    assert_eq!(writes(undeleted.rest()), [Create, Update, Enable]);
    assert_eq!(writes(switched.rest()), [Enable]);
    let rules = |rest: &Rest| rest.scope().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(!rules(undeleted.rest()).iter().any(|rule| rule.starts_with("delete ")));
    assert!(!rules(switched.rest()).iter().any(|rule| rule.starts_with("create ")));
}

/// What somebody hostile would be called.
fn hostile() -> Vec<String> {
    let long = "x".repeat(256);
    [
        "'; drop table users --",
        "*)(uid=*",
        "a,b+c=d\"e",
        "../admin",
        "%2e%2e%2f",
        "a/b",
        "a\\b",
        "nul\0byte",
        "Cafe\u{301}",
        "Caf\u{e9}",
        "a?b#c&d=e",
        "a\r\nX-Admin: 1",
        "\"},\"enabled\":true,\"x\":{\"",
        "{id}",
        " ",
        &long,
    ]
    .map(str::to_owned)
    .into()
}

/// The given attributes with one replaced.
fn with(mut attributes: AccountAttributes, name: &str, value: &str) -> AccountAttributes {
    attributes.insert(name.to_owned(), value.into());
    attributes
}

async fn every_field_keeps_its_bytes<V: Vendor>() {
    let fake = Fake::<V>::new();
    let ids = fake.seed(&Fixtures::standard()).await;
    let (rest, line) = (fake.rest(), fake.line_for(Purpose::Write));
    for (n, text) in hostile().into_iter().enumerate() {
        let before = fake.truth().await;
        // As an id, in every place of a path: nothing is changed, and nobody else is shown.
        let classes: Vec<AccessClass> = rest.capability().removes.iter().copied().collect();
        let mut ops = vec![Op::Enable, Op::Disable { way: 0 }, Op::Delete];
        ops.push(Op::SetAttributes { attributes: V::change(1) });
        for class in classes {
            ops.extend([Op::RevokeAll { class }, Op::Revoke { class, external_id: text.clone() }]);
        }
        for op in &ops {
            if let Ok(applied) = rest.apply(&line, Some(&text), op, None, &format!("k{n}")).await {
                assert_eq!(applied.outcome, Outcome::AlreadySo, "{op:?} {text:?}");
            }
        }
        for class in &rest.capability().removes {
            let op = Op::Revoke { class: *class, external_id: text.clone() };
            if let Ok(applied) = rest.apply(&line, Some(&ids.accounts[0]), &op, None, "k").await {
                assert_eq!(applied.outcome, Outcome::AlreadySo, "{op:?}");
            }
        }
        for locator in [
            Locator::Account(&text),
            Locator::Group(&text),
            Locator::AccountNamed(&text),
            Locator::AccountMarked(&text),
        ] {
            match rest.get(&line, locator).await {
                Ok(found) => assert_eq!(found, None, "{locator:?}"),
                Err(error) => assert_eq!(error.kind, ErrorKind::Invalid, "{locator:?} {error}"),
            }
        }
        assert_eq!(fake.truth().await, before, "{text:?}");
        // As marker, name and attributes, in queries and bodies: the exact bytes, on the one account.
        let name = V::attributes("x").keys().next_back().cloned().unwrap();
        assert_eq!(name, "username", "the last of the attributes is the name");
        let attributes = with(with(V::attributes("x"), "username", &text), "email", &text);
        let create = Op::CreateAccount { marker: text.clone(), attributes };
        let made = rest.apply(&line, None, &create, None, &format!("c{n}")).await.unwrap();
        let again = rest.apply(&line, None, &create, None, &format!("d{n}")).await.unwrap();
        assert_eq!((again.outcome, &again.external_id), (Outcome::AlreadySo, &made.external_id), "{text:?}");
        let id = made.external_id.unwrap();
        for locator in [Locator::Account(&id), Locator::AccountMarked(&text), Locator::AccountNamed(&text)] {
            let seen = rest.get(&line, locator).await.unwrap().unwrap();
            assert_eq!((&*seen.id, &*seen.name, seen.marker.as_deref()), (&*id, &*text, Some(&*text)));
            assert_eq!(
                seen.attribute("email"),
                Some(&bailiwick_connector::ObjectValue::Text(text.clone().into()))
            );
        }
        rest.apply(&line, Some(&id), &Op::Delete, None, &format!("e{n}")).await.unwrap();
        assert_eq!(fake.truth().await, before, "{text:?}");
    }
    // Nothing of this was outside of the scope: an integration that goes outside is stopped.
    rest.check(&line).await.unwrap();
}

#[tokio::test]
async fn no_field_becomes_another_object() {
    every_field_keeps_its_bytes::<Keycloak>().await;
    every_field_keeps_its_bytes::<Gitlab>().await;
}

#[tokio::test]
async fn a_change_that_is_laid_over_an_account_keeps_what_it_does_not_name() {
    let fake = Fake::<Keycloak>::new();
    let ids = fake.seed(&Fixtures::standard()).await;
    let line = fake.line_for(Purpose::Write);
    let set = Op::SetAttributes { attributes: Keycloak::change(1) };
    for op in [set, Op::Disable { way: 0 }] {
        fake.rest().apply(&line, Some(&ids.accounts[0]), &op, None, "k").await.unwrap();
    }
    let user = fake.shared.world().users.values().next().cloned().unwrap();
    assert_eq!(user["attributes"], serde_json::json!({"bailiwick": ["hr/1001"], "desk": ["12"]}));
    assert_eq!((&user["enabled"], &user["firstName"]), (&false.into(), &"Given 1 Ä\"".into()));
}
