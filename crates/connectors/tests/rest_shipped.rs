//! The shipped descriptions, call by call: the exact request that goes out, what the vendor documents as its
//! answer, and what is made of it. Calls in the wrong order, or others, fail the test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

#[path = "support/rest_line.rs"]
mod rest_line;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bailiwick_connector::{
    Connector, ErrorKind, Listing, Locator, Object, Outcome,
    broker::{Transport, TransportError},
    seal::{Credential, CredentialScheme, Secret},
};
use bailiwick_connectors::rest::Rest;
use bailiwick_core::{access::AccessClass, integration::Purpose, plan::Op};
use bytes::Bytes;
use serde_json::{Value, json};

/// A request as one line, and its answer: status, `Link` header, body.
type Exchange = (&'static str, u16, &'static str, Value);

/// Plays exchanges back, to whoever shows this credential.
struct Script {
    left: Mutex<VecDeque<Exchange>>,
    authorization: &'static str,
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let target = request.uri().path_and_query().unwrap().as_str();
        let body = String::from_utf8_lossy(request.body());
        let shown = format!("{} {target} {body}", request.method());
        let (expect, status, link, answer) =
            self.left.lock().unwrap().pop_front().unwrap_or_else(|| panic!("{shown}"));
        assert_eq!(request.headers()["authorization"], self.authorization, "{shown}");
        assert_eq!(shown.trim_end(), expect);
        let mut response = http::Response::builder().status(status);
        if !link.is_empty() {
            response = response.header("link", link);
        }
        let body = if answer.is_null() { Bytes::new() } else { answer.to_string().into() };
        Ok(response.body(body).unwrap())
    }
}

/// What is asked of the connector.
enum Ask {
    List(Listing<'static>),
    Get(Locator<'static>),
    Apply(&'static str, Op),
}

/// Asks; gives what was shown, one line for each object, or what came of a change.
async fn ask(
    settings: &Value,
    endpoint: &str,
    ask: &Ask,
    script: Vec<Exchange>,
) -> Result<String, ErrorKind> {
    let rest = Rest::new(settings).unwrap();
    // As the description says that it is shown.
    let (credential, authorization) = match settings["description"].as_str() {
        Some("grafana") => {
            let scheme = CredentialScheme::Basic { user: "hub".into() };
            (Credential { scheme, secret: Secret::new("s\u{e9}:cret") }, "Basic aHViOnPDqTpjcmV0")
        }
        _ => (Credential::bearer(Secret::new("t")), "Bearer t"),
    };
    let script = Arc::new(Script { left: Mutex::new(script.into()), authorization });
    let line = rest_line::line(script.clone(), endpoint, &rest, json!({}), &credential, Purpose::Write);
    let shown = |object: &Object<'_>| {
        let links =
            if object.links.is_empty() { String::new() } else { format!(" {}", object.links.join(",")) };
        format!("{} {} {:?}{links}", object.id, object.name, object.state)
    };
    let said = match ask {
        Ask::List(listing) => {
            let (mut lines, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let mut visit = |object: Object<'_>| lines.push(shown(&object));
                let page = rest.list(&line, *listing, cursor.as_deref(), 2, &mut visit).await;
                let page = page.map_err(|error| error.kind)?;
                match page.next {
                    Some(next) => cursor = Some(next),
                    None if page.complete => break lines.join("; "),
                    None => break format!("{}; and not all", lines.join("; ")),
                }
            }
        }
        Ask::Get(locator) => {
            let found = rest.get(&line, *locator).await.map_err(|error| error.kind)?;
            found.map_or_else(|| "nobody".to_owned(), |object| shown(&object))
        }
        Ask::Apply(account, op) => {
            let applied =
                rest.apply(&line, Some(account), op, None, "k").await.map_err(|error| error.kind)?;
            match applied.outcome {
                Outcome::Done => "done".to_owned(),
                Outcome::AlreadySo => "already so".to_owned(),
            }
        }
    };
    let left = script.left.lock().unwrap();
    assert!(left.is_empty(), "calls that were not made: {left:?}");
    drop(left);
    Ok(said)
}

fn held(account: &'static str, class: AccessClass) -> Ask {
    Ask::List(Listing::Held { account, class })
}

fn revoke(account: &'static str, class: AccessClass, item: &str) -> Ask {
    Ask::Apply(account, Op::Revoke { class, external_id: item.into() })
}

fn grant(account: &'static str, class: AccessClass, item: &str) -> Ask {
    Ask::Apply(account, Op::Grant { class, external_id: item.into() })
}

async fn check(settings: Value, endpoint: &str, cases: Vec<(Ask, Vec<Exchange>, Result<&str, ErrorKind>)>) {
    for (asked, script, expect) in cases {
        let first = script.first().map_or("nothing", |exchange| exchange.0);
        let got = self::ask(&settings, endpoint, &asked, script).await;
        assert_eq!(got.as_deref().map_err(|kind| *kind), expect, "{first}");
    }
}

#[tokio::test]
async fn github_is_spoken_to_as_its_documentation_says() {
    use AccessClass::{ApiTokens, DirectGroups, SshKeys};
    let next = "<https://api.github.com/organizations/9/members?per_page=2&page=2>; rel=\"next\"";
    let elsewhere = "<https://evil.example/orgs/acme/members?page=2>; rel=\"next\"";
    let member = |login: &str| json!({"login": login, "id": 1, "type": "User", "site_admin": false});
    let team = || json!({"id": 1, "slug": "justice", "name": "Justice League", "privacy": "closed"});
    let authorised = || {
        json!([
            {"login": "ann", "credential_id": 161195, "credential_type": "personal access token", "token_last_eight": "12345678"},
            {"login": "ann", "credential_id": 161196, "credential_type": "SSH key", "fingerprint": "jk8a"},
            {"login": "bob", "credential_id": 161197, "credential_type": "personal access token"},
        ])
    };
    let tokens = "GET /orgs/acme/credential-authorizations?login=ann&per_page=100";
    let cases = vec![
        (
            Ask::List(Listing::Accounts),
            vec![
                ("GET /orgs/acme/members?per_page=2", 200, next, json!([member("ann"), member("bob")])),
                ("GET /orgs/acme/members?per_page=2&page=2", 200, "", json!([member("eve")])),
            ],
            Ok("ann ann Live; bob bob Live; eve eve Live"),
        ),
        (
            Ask::List(Listing::Accounts),
            vec![("GET /orgs/acme/members?per_page=2", 200, elsewhere, json!([member("ann")]))],
            Err(ErrorKind::Malformed),
        ),
        (
            Ask::Get(Locator::Account("ann")),
            vec![("GET /orgs/acme/members/ann", 204, "", json!(null))],
            Ok("ann ann Live"),
        ),
        (
            Ask::Get(Locator::Account("zed")),
            vec![("GET /orgs/acme/members/zed", 404, "", json!({"message": "Not Found"}))],
            Ok("nobody"),
        ),
        (
            Ask::Get(Locator::Account("ann")),
            vec![("GET /orgs/acme/members/ann", 302, "", json!(null))],
            Err(ErrorKind::Malformed),
        ),
        (
            Ask::List(Listing::Groups),
            vec![
                ("GET /orgs/acme/teams?per_page=2", 200, "", json!([team()])),
                ("GET /orgs/acme/teams/justice/members?per_page=100", 200, "", json!([member("ann")])),
            ],
            Ok("justice Justice League Live ann"),
        ),
        (
            grant("ann", DirectGroups, "justice"),
            vec![
                ("GET /orgs/acme/teams?per_page=100", 200, "", json!([team()])),
                ("GET /orgs/acme/teams/justice/members?per_page=100", 200, "", json!([])),
                (
                    "PUT /orgs/acme/teams/justice/memberships/ann {\"role\":\"member\"}",
                    200,
                    "",
                    json!({"state": "active", "role": "member"}),
                ),
            ],
            Ok("done"),
        ),
        (
            revoke("ann", DirectGroups, "justice"),
            vec![
                ("GET /orgs/acme/teams?per_page=100", 200, "", json!([team()])),
                ("GET /orgs/acme/teams/justice/members?per_page=100", 200, "", json!([member("ann")])),
                ("DELETE /orgs/acme/teams/justice/memberships/ann", 204, "", json!(null)),
            ],
            Ok("done"),
        ),
        (
            held("ann", ApiTokens),
            vec![("GET /orgs/acme/credential-authorizations?login=ann&per_page=2", 200, "", authorised())],
            Ok("161195 personal access token Live"),
        ),
        (
            held("ann", SshKeys),
            vec![("GET /orgs/acme/credential-authorizations?login=ann&per_page=2", 200, "", authorised())],
            Ok("161196 SSH key Live"),
        ),
        (
            revoke("ann", ApiTokens, "161195"),
            vec![
                (tokens, 200, "", authorised()),
                ("DELETE /orgs/acme/credential-authorizations/161195", 204, "", json!(null)),
            ],
            Ok("done"),
        ),
        (
            Ask::Apply("ann", Op::Disable { way: 0 }),
            vec![("DELETE /orgs/acme/memberships/ann", 204, "", json!(null))],
            Ok("done"),
        ),
        (
            Ask::Apply("ann", Op::Disable { way: 0 }),
            vec![("DELETE /orgs/acme/memberships/ann", 404, "", json!({"message": "Not Found"}))],
            Ok("already so"),
        ),
        (Ask::Apply("ann", Op::Enable), vec![], Err(ErrorKind::Unsupported)),
    ];
    check(
        json!({"description": "github-org", "parameters": {"org": "acme"}}),
        "https://api.github.com",
        cases,
    )
    .await;
}

#[tokio::test]
async fn grafana_is_spoken_to_as_its_documentation_says() {
    use AccessClass::{DirectGroups, Roles, Sessions};
    let user = |id: u32, login: &str, off: bool| json!({"id": id, "login": login, "name": "", "email": "x@acme.example", "isDisabled": off});
    let session = || json!([{"id": 361, "isActive": false, "clientIp": "127.0.0.1", "createdAt": "2019-03-05T21:22:54+01:00"}]);
    let cases = vec![
        (
            Ask::List(Listing::Accounts),
            vec![
                (
                    "GET /api/users/search?perpage=2&page=1",
                    200,
                    "",
                    json!({"totalCount": 3, "page": 1, "perPage": 2, "users": [user(1, "admin", false), user(2, "ann", false)]}),
                ),
                (
                    "GET /api/users/search?perpage=2&page=2",
                    200,
                    "",
                    json!({"totalCount": 3, "page": 2, "perPage": 2, "users": [user(3, "gone", true)]}),
                ),
            ],
            Ok("1 admin Live; 2 ann Live; 3 gone Blocked"),
        ),
        (
            Ask::List(Listing::Accounts),
            vec![
                (
                    "GET /api/users/search?perpage=2&page=1",
                    200,
                    "",
                    json!({"totalCount": 3, "users": [user(1, "admin", false), user(2, "ann", false)]}),
                ),
                ("GET /api/users/search?perpage=2&page=2", 200, "", json!({"totalCount": 3, "users": []})),
            ],
            Ok("1 admin Live; 2 ann Live; and not all"),
        ),
        (
            Ask::Get(Locator::Account("2")),
            vec![("GET /api/users/2", 200, "", user(2, "ann", false))],
            Ok("2 ann Live"),
        ),
        (
            Ask::Get(Locator::Account("9")),
            vec![("GET /api/users/9", 404, "", json!({"message": "user not found"}))],
            Ok("nobody"),
        ),
        (
            Ask::Get(Locator::AccountNamed("a&b=c")),
            vec![(
                "GET /api/users/lookup?loginOrEmail=a%26b%3Dc",
                404,
                "",
                json!({"message": "user not found"}),
            )],
            Ok("nobody"),
        ),
        (
            Ask::List(Listing::Groups),
            vec![
                (
                    "GET /api/teams/search?perpage=2&page=1",
                    200,
                    "",
                    json!({"totalCount": 1, "teams": [{"id": 1, "orgId": 1, "name": "MyTestTeam", "memberCount": 1}]}),
                ),
                (
                    "GET /api/teams/1/members",
                    200,
                    "",
                    json!([{"orgId": 1, "teamId": 1, "userId": 2, "login": "ann"}]),
                ),
            ],
            Ok("1 MyTestTeam Live 2"),
        ),
        (
            grant("2", DirectGroups, "1"),
            vec![
                ("GET /api/users/2/teams", 200, "", json!([])),
                (
                    "POST /api/teams/1/members {\"userId\":2}",
                    200,
                    "",
                    json!({"message": "Member added to Team"}),
                ),
            ],
            Ok("done"),
        ),
        (
            grant("2", DirectGroups, "1"),
            vec![
                ("GET /api/users/2/teams", 200, "", json!([])),
                (
                    "POST /api/teams/1/members {\"userId\":2}",
                    400,
                    "",
                    json!({"message": "User is already added to this team"}),
                ),
            ],
            Ok("already so"),
        ),
        (
            revoke("2", DirectGroups, "1"),
            vec![
                ("GET /api/users/2/teams", 200, "", json!([{"id": 1, "name": "MyTestTeam"}])),
                ("DELETE /api/teams/1/members/2", 200, "", json!({"message": "Team Member removed"})),
            ],
            Ok("done"),
        ),
        (
            held("2", Sessions),
            vec![("GET /api/admin/users/2/auth-tokens", 200, "", session())],
            Ok("361 127.0.0.1 Live"),
        ),
        (
            revoke("2", Sessions, "361"),
            vec![
                ("GET /api/admin/users/2/auth-tokens", 200, "", session()),
                (
                    "POST /api/admin/users/2/revoke-auth-token {\"authTokenId\":361}",
                    200,
                    "",
                    json!({"message": "User auth token revoked"}),
                ),
            ],
            Ok("done"),
        ),
        (
            Ask::Apply("2", Op::RevokeAll { class: Sessions }),
            vec![
                ("GET /api/admin/users/2/auth-tokens", 200, "", session()),
                ("POST /api/admin/users/2/logout", 200, "", json!({"message": "User logged out"})),
            ],
            Ok("done"),
        ),
        (
            revoke("2", Roles, "1"),
            vec![
                (
                    "GET /api/users/2/orgs",
                    200,
                    "",
                    json!([{"orgId": 1, "name": "Main Org.", "role": "Viewer"}]),
                ),
                ("DELETE /api/orgs/1/users/2", 200, "", json!({"message": "User removed from organization"})),
            ],
            Ok("done"),
        ),
        (
            Ask::Apply("2", Op::Disable { way: 0 }),
            vec![("POST /api/admin/users/2/disable", 200, "", json!({"message": "User disabled"}))],
            Ok("done"),
        ),
        (
            Ask::Apply("9", Op::Disable { way: 0 }),
            vec![("POST /api/admin/users/9/disable", 404, "", json!({"message": "user not found"}))],
            Err(ErrorKind::NotFound),
        ),
        (
            Ask::Apply("2", Op::Enable),
            vec![("POST /api/admin/users/2/enable", 200, "", json!({"message": "User enabled"}))],
            Ok("done"),
        ),
        (
            Ask::Apply("2", Op::Delete),
            vec![("DELETE /api/admin/users/2", 200, "", json!({"message": "User deleted"}))],
            Ok("done"),
        ),
        (
            Ask::Apply("9", Op::Delete),
            vec![("DELETE /api/admin/users/9", 404, "", json!({"message": "user not found"}))],
            Ok("already so"),
        ),
        // It has no field for the marker, so it makes none and changes none.
        (
            Ask::Apply("2", Op::SetAttributes { attributes: [("name".to_owned(), "Ann".into())].into() }),
            vec![],
            Err(ErrorKind::Unsupported),
        ),
    ];
    check(json!({"description": "grafana"}), "https://grafana.example/api", cases).await;
}

#[tokio::test]
async fn jupyterhub_is_spoken_to_as_its_documentation_says() {
    use AccessClass::{ApiTokens, DirectGroups, Roles, Sessions};
    let user = |name: &str| json!({"kind": "user", "name": name, "admin": false, "roles": ["user"], "groups": ["lab"], "server": null, "servers": {}});
    let page = |items: Value, total: u32| json!({"items": items, "_pagination": {"offset": 0, "limit": 2, "total": total, "next": null}});
    let running = || {
        let mut user = user("ann");
        user["servers"] = json!({"": {"name": "", "ready": true, "url": "/user/ann/"}});
        user
    };
    let cases = vec![
        (
            Ask::List(Listing::Accounts),
            vec![
                ("GET /hub/api/users?limit=2&offset=0", 200, "", page(json!([user("ann"), user("bob")]), 3)),
                ("GET /hub/api/users?limit=2&offset=2", 200, "", page(json!([user("eve")]), 3)),
            ],
            Ok("ann ann Live; bob bob Live; eve eve Live"),
        ),
        (
            Ask::Get(Locator::Account("ann")),
            vec![("GET /hub/api/users/ann", 200, "", user("ann"))],
            Ok("ann ann Live"),
        ),
        (
            Ask::Get(Locator::Account("zed")),
            vec![("GET /hub/api/users/zed", 404, "", json!({"status": 404, "message": "Not Found"}))],
            Ok("nobody"),
        ),
        (
            Ask::List(Listing::Groups),
            vec![(
                "GET /hub/api/groups?limit=2&offset=0",
                200,
                "",
                page(json!([{"kind": "group", "name": "lab", "users": ["ann", "bob"]}]), 1),
            )],
            Ok("lab lab Live ann,bob"),
        ),
        (held("ann", Roles), vec![("GET /hub/api/users/ann", 200, "", user("ann"))], Ok("user user Live")),
        (
            grant("ann", DirectGroups, "ops"),
            vec![
                ("GET /hub/api/users/ann", 200, "", user("ann")),
                (
                    "POST /hub/api/groups/ops/users {\"users\":[\"ann\"]}",
                    200,
                    "",
                    json!({"name": "ops", "users": ["ann"]}),
                ),
            ],
            Ok("done"),
        ),
        (
            revoke("ann", DirectGroups, "lab"),
            vec![
                ("GET /hub/api/users/ann", 200, "", user("ann")),
                (
                    "DELETE /hub/api/groups/lab/users {\"users\":[\"ann\"]}",
                    200,
                    "",
                    json!({"name": "lab", "users": []}),
                ),
            ],
            Ok("done"),
        ),
        (
            revoke("ann", ApiTokens, "a7"),
            vec![
                (
                    "GET /hub/api/users/ann/tokens",
                    200,
                    "",
                    json!({"api_tokens": [{"kind": "api_token", "id": "a7", "note": "ci"}]}),
                ),
                ("DELETE /hub/api/users/ann/tokens/a7", 204, "", json!(null)),
            ],
            Ok("done"),
        ),
        (
            Ask::Apply("ann", Op::RevokeAll { class: Sessions }),
            vec![
                ("GET /hub/api/users/ann", 200, "", running()),
                ("DELETE /hub/api/users/ann/server", 204, "", json!(null)),
            ],
            Ok("done"),
        ),
        (
            held("ann", Sessions),
            vec![("GET /hub/api/users/ann", 200, "", running())],
            Ok("/user/ann/ /user/ann/ Live"),
        ),
        (
            Ask::Apply("ann", Op::Disable { way: 0 }),
            vec![("DELETE /hub/api/users/ann", 204, "", json!(null))],
            Ok("done"),
        ),
        (
            Ask::Apply("ann", Op::Disable { way: 0 }),
            vec![("DELETE /hub/api/users/ann", 404, "", json!({"message": "Not Found"}))],
            Ok("already so"),
        ),
    ];
    check(json!({"description": "jupyterhub"}), "https://hub.example/hub/api", cases).await;
}
