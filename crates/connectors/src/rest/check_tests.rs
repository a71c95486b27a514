//! Each way in which a description can be wrong, and what one that is right lets the connector call.

use serde_json::{Value, json};

use super::{Code, Description, check::Fault, template::Holes};

fn plain() -> Value {
    json!({
        "name": "x", "title": "X", "version": "1", "docs": "https://x.example", "auth": {"style": "bearer"},
        "paging": {"style": "none"}, "parameters": {"org": "the organisation"},
        "accounts": {
            "id": "/id", "name": "/name", "marker": "/marker", "attributes": {"mail": "/mail"},
            "list": {"call": "GET /orgs/{org}/users"},
            "get": {"call": "GET /users/{id}"},
            "create": {"call": "POST /users", "body": {"mail": "{attributes.mail}", "marker": "{marker}"}},
            "update": {"call": "PATCH /users/{id}", "body": {"mail": "?{attributes.mail}"}},
            "enable": {"call": "POST /users/{id}/on"},
            "disable": [{"call": "POST /users/{id}/off"}],
            "delete": {"call": "DELETE /users/{id}"},
        },
        "groups": {"id": "/id", "name": "/name", "members": "/members/*", "list": {"call": "GET /groups"}},
        "held": {"roles": {
            "id": ["/a", "/b"], "list": {"call": "GET /users/{id}/roles"},
            "revoke": {"call": "DELETE /users/{id}/roles/{item.1}/{item.2}"},
        }},
    })
}

fn faults(change: impl FnOnce(&mut Value)) -> Vec<Fault> {
    let mut description = plain();
    change(&mut description);
    Description::of(&description).err().unwrap_or_default()
}

#[test]
fn what_is_right_gives_its_scope_with_the_parameters_that_are_known() {
    let description = Description::of(&plain()).unwrap();
    let scope = |parameters: Holes| -> Vec<String> {
        description.scope(&parameters).iter().map(ToString::to_string).collect()
    };
    let open = scope(Holes::new());
    assert_eq!(
        open,
        [
            "list GET /orgs/{org}/users",
            "get GET /users/{id}",
            "create POST /users",
            "update PATCH /users/{id}",
            "update POST /users/{id}/on",
            "update POST /users/{id}/off",
            "delete DELETE /users/{id}",
            "list GET /groups",
            "list GET /users/{id}/roles",
            "revoke DELETE /users/{id}/roles/{item_1}/{item_2}",
        ]
    );
    assert_eq!(scope([("org".to_owned(), json!("acme"))].into())[0], "list GET /orgs/acme/users");
}

#[test]
fn each_fault_is_found_where_it_is() {
    type Change = fn(&mut Value);
    let cases: &[(Change, Code, &str, &str)] = &[
        (
            |d| d["accounts"]["get"]["call"] = json!("GET /users/{who}"),
            Code::Hole,
            "accounts.get.call",
            "nothing fills `{who}`",
        ),
        (
            |d| d["accounts"]["get"]["call"] = json!("GET /users/me"),
            Code::Hole,
            "accounts.get",
            "nobody in particular",
        ),
        (
            |d| d["accounts"]["list"]["query"] = json!({"q": "{id}"}),
            Code::Hole,
            "accounts.list.query.q",
            "nothing fills",
        ),
        (
            |d| d["accounts"]["update"]["body"] = json!({"a": ["{attributes.none}"]}),
            Code::Hole,
            "accounts.update.body",
            "attributes.mail",
        ),
        (
            |d| d["accounts"]["create"]["body"] = json!({"mail": "{attributes.mail}"}),
            Code::Hole,
            "accounts.create",
            "{marker}",
        ),
        (
            |d| d["held"]["roles"]["revoke"]["call"] = json!("DELETE /users/{id}/roles/{item.3}"),
            Code::Hole,
            "held.roles.revoke.call",
            "item.1",
        ),
        (|d| d["parameters"]["unit"] = json!("a unit"), Code::Hole, "parameters.unit", "no call"),
        (|d| d["parameters"]["item"] = json!("x"), Code::Value, "parameters.item", "taken"),
        (|d| d["headers"] = json!({"Authorization": "x"}), Code::Value, "headers.Authorization", "broker"),
        (|d| d["headers"] = json!({"a b": "x"}), Code::Value, "headers.a b", "no name"),
        (|d| d["idempotency_header"] = json!("Cookie"), Code::Value, "idempotency_header", "broker"),
        (|d| d["auth"] = json!({"style": "header", "header": "a b"}), Code::Value, "auth.header", "no name"),
        (|d| d["max_page"] = json!(0), Code::Value, "max_page", "at least one"),
        (|d| d["conditional"] = json!(true), Code::Missing, "conditional", "accounts.version"),
        (|d| drop(d.as_object_mut().unwrap().remove("paging")), Code::Missing, "accounts.list", "paged"),
        (
            |d| d["accounts"]["list"]["call"] = json!("POST /orgs/{org}/users"),
            Code::Value,
            "accounts.list.call",
            "reads = true",
        ),
        (
            |d| d["accounts"]["enable"]["call"] = json!("GET /users/{id}"),
            Code::Value,
            "accounts.enable.call",
            "a GET must not",
        ),
        (
            |d| d["accounts"]["enable"]["reads"] = json!(true),
            Code::Value,
            "accounts.enable.call",
            "cannot be said to read",
        ),
        (|d| d["accounts"]["get"]["merge"] = json!(true), Code::Value, "accounts.get.merge", "laid over"),
        (|d| d["accounts"]["get"]["one"] = json!(true), Code::Value, "accounts.get.one", "accounts.named"),
        (|d| d["groups"]["list"]["bare"] = json!(true), Code::Value, "groups.list.bare", "accounts.get"),
        (|d| d["accounts"]["delete"]["cut"] = json!("/cut"), Code::Value, "accounts.delete.call", "no pages"),
        (
            |d| drop(d["accounts"].as_object_mut().unwrap().remove("marker")),
            Code::Missing,
            "accounts",
            "need a `marker`",
        ),
        (
            |d| d["groups"]["list_members"] = json!({"call": "GET /groups/{id}/members"}),
            Code::Missing,
            "groups",
            "one of them",
        ),
        (
            |d| d["held"]["primary-account"] = json!({"list": {"call": "GET /users/{id}"}}),
            Code::Value,
            "held.primary-account",
            "accounts",
        ),
        (
            |d| d["held"]["sessions"] = json!({"revoke": {"call": "DELETE /s/{item}"}}),
            Code::Missing,
            "held.sessions",
            "`list`",
        ),
        (|d| d["held"]["sessions"] = json!({}), Code::Missing, "held.sessions", "neither"),
        (
            |d| d["held"]["roles"]["try"] = json!({"make": {"call": "GET /me"}, "auth": {"style": "bearer"}}),
            Code::Missing,
            "held.roles",
            "come together",
        ),
        (|d| d["accounts"]["colour"] = json!("red"), Code::Syntax, "", "unknown field `colour`"),
        (|d| d["held"]["session"] = json!({}), Code::Syntax, "", "session"),
        (
            |d| d["errors"] = json!({"map": [{"status": 400, "is": "bad"}]}),
            Code::Syntax,
            "",
            "already-exists",
        ),
        (|d| d["accounts"]["id"] = json!("id"), Code::Syntax, "", "JSON pointer"),
        (|d| d["paging"] = json!({"style": "pages"}), Code::Syntax, "", "pages"),
    ];
    for (change, code, key, says) in cases {
        let faults = faults(change);
        let found = faults.iter().any(|f| f.code == *code && f.key == *key && f.message.contains(says));
        assert!(found, "{code:?} `{key}` {says}: {faults:#?}");
    }
    assert_eq!(faults(|_| {}), []);
}

#[test]
fn a_merge_needs_an_account_that_can_be_read() {
    let found = faults(|d| {
        d["accounts"]["update"]["merge"] = json!(true);
        d["accounts"]["get"]["bare"] = json!(true);
    });
    assert!(found.iter().any(|f| f.key == "accounts.get" && f.message.contains("merge")), "{found:#?}");
}
