//! A user of a SCIM system as the tests read it themselves.

use std::collections::BTreeMap;

use bailiwick_connector::testkit::TrueAccount;
use bailiwick_core::access::AccessClass;
use serde_json::Value;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What a user is, and the classes of things that it holds.
pub fn account(user: &Value, held: BTreeMap<AccessClass, Vec<String>>) -> TrueAccount {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let work = user["emails"].as_array().into_iter().flatten().filter(|email| email["type"] == "work");
    let one = |name: &str, value: &Value| (name.to_owned(), text(value).into_iter().collect::<Vec<_>>());
    let attributes = [
        one("userName", &user["userName"]),
        one("title", &user["title"]),
        one("givenName", &user["name"]["givenName"]),
        one("department", &user[ENTERPRISE]["department"]),
        ("email".to_owned(), work.filter_map(|email| text(&email["value"])).collect()),
    ];
    TrueAccount {
        name: text(&user["userName"]).unwrap(),
        marker: text(&user["externalId"]),
        usable: user["active"] == true,
        attributes: attributes.into(),
        held,
    }
}
