//! The connector against a scripted line: exactly these calls, in this order, with these answers.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bailiwick_connector::{
    Broker, Capability, Connector, ConnectorError, Effect, ErrorKind, Line, Listing, Locator, ObjectState,
    Outcome,
    broker::{Transport, TransportError, TransportErrorKind},
    seal::SealKey,
    testkit::{Hands, Seeded},
};
use bailiwick_core::{
    access::AccessClass,
    digest::Digest,
    integration::{Integration, Purpose},
    plan::Op,
};
use bytes::Bytes;
use serde_json::{Value, json};

use super::Scim;

/// An answer: status, headers, body. Status 0: the connection breaks after the request was sent.
type Reply = (u16, &'static [(&'static str, &'static str)], &'static str);

/// What a system is asked, and what it answers.
struct Script(Mutex<VecDeque<(String, Reply)>>);

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let mut asked =
            format!("{} {}", request.method(), decoded(&request.uri().path_and_query().unwrap().to_string()));
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap());
        let body = std::str::from_utf8(request.body()).unwrap();
        if let Some(version) = header("if-match") {
            asked += &format!(" match={version}");
        }
        if let Some(key) = header("idempotency-key") {
            let whole = format!("{} {}\n{body}", request.method(), request.uri().path());
            let own = format!("k.{}", Digest::of(whole.as_bytes()).short());
            asked += &format!(" key={}", if key == own { "k.own" } else { key });
        }
        let (expected, (status, headers, reply)) = self
            .0
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or_else(|| panic!("nothing more is expected, and there is: {asked}"));
        let (line, wanted) = match expected.find(" {") {
            Some(at) => expected.split_at(at),
            None => (expected.as_str(), ""),
        };
        assert_eq!(asked, line);
        let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
        assert_eq!(parsed(body), parsed(wanted), "{line}");
        if status == 0 {
            return Err(TransportError {
                kind: TransportErrorKind::Broken,
                sent: true,
                cause: "gone".into(),
            });
        }
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        Ok(response.body(Bytes::from_static(reply.as_bytes())).unwrap())
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        match (first, tail) {
            (b'%', [a, b, ..]) => {
                let hex = std::str::from_utf8(&[*a, *b]).unwrap().to_owned();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap());
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// A connector and its line to a script.
struct Stage {
    scim: Scim,
    line: Line,
    script: Arc<Script>,
}

impl Stage {
    fn new(settings: Value, config: &'static str, script: &[(&str, Reply)]) -> Self {
        let discovery = ("GET /ServiceProviderConfig".to_owned(), (200, &[][..], config));
        let steps = script.iter().map(|(asked, reply)| ((*asked).to_owned(), *reply));
        let script = Arc::new(Script(Mutex::new(std::iter::once(discovery).chain(steps).collect())));
        let rules = [
            "discover GET /ServiceProviderConfig",
            "discover GET /Schemas",
            "list GET /Users",
            "list GET /Groups",
            "list GET /u/{id}/tokens",
            "get GET /Users/{id}",
            "get GET /Groups/{id}",
            "create POST /Users",
            "update PATCH /Users/{id}",
            "update PUT /Users/{id}",
            "delete DELETE /Users/{id}",
            "grant PATCH /Groups/{id}",
            "revoke PATCH /Groups/{id}",
            "grant PUT /Groups/{id}",
            "revoke PUT /Groups/{id}",
            "revoke DELETE /u/{id}/tokens/{token}",
        ];
        let integration: Integration = serde_json::from_value(json!({
            "name": "app", "purpose": "test", "owner": "hr/1", "backup": "hr/2", "connector": "scim",
            "endpoint": "https://app.test", "role": "target", "system": "app",
            "scope": {"rules": rules}, "settings": {"auth": "none"}, "standing": {"state": "enabled"},
        }))
        .unwrap();
        let key = Arc::new(SealKey::generate(&Seeded::new(1)));
        let broker = Broker::new("acme".parse().unwrap(), script.clone(), Arc::new(Hands::default()), key);
        let line = broker.line(&integration, Purpose::Write, None);
        Self { scim: Scim::new(&settings).unwrap(), line, script }
    }

    fn over(&self) {
        let left: Vec<_> = self.script.0.lock().unwrap().iter().map(|(asked, _)| asked.clone()).collect();
        assert!(left.is_empty(), "not asked: {left:?}");
    }

    async fn apply(
        &self,
        op: Op,
        precondition: Option<&str>,
    ) -> Result<(Outcome, Option<String>), ConnectorError> {
        let account = (!matches!(op, Op::CreateAccount { .. })).then_some("u1");
        let applied = self.scim.apply(&self.line, account, &op, precondition, "k").await;
        self.over();
        applied.map(|applied| (applied.outcome, applied.external_id))
    }
}

fn settings() -> Value {
    json!({"idempotency_header": "Idempotency-Key"})
}

const PLAIN: &str = "{}";
const ETAG: &str = r#"{"etag":{"supported":true}}"#;
const NO_PATCH: &str = r#"{"patch":{"supported":false},"etag":{"supported":true}}"#;
const NO_FILTER: &str = r#"{"filter":{"supported":false}}"#;
const ANN: &str = r#"{"totalResults":1,"Resources":[{"id":"u1","userName":"ann","externalId":"hr/1"}]}"#;
const BOB: &str = r#"{"totalResults":1,"Resources":[{"id":"u2","userName":"Ann","externalId":"hr/2"}]}"#;
const NOBODY: &str = r#"{"totalResults":0,"Resources":[]}"#;

fn ok(body: &'static str) -> Reply {
    (200, &[], body)
}

fn status(status: u16) -> Reply {
    (status, &[], "")
}

fn create() -> Op {
    Op::CreateAccount { marker: "hr/1".into(), attributes: [("userName".to_owned(), "ann".into())].into() }
}

const BY_MARKER: &str = r#"GET /Users?startIndex=1&count=100&filter=externalId eq "hr/1""#;
const BY_NAME: &str = r#"GET /Users?startIndex=1&count=100&filter=userName eq "ann""#;
const POST: &str = r#"POST /Users key=k {"active":true,"externalId":"hr/1","schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann"}"#;

#[tokio::test]
async fn an_account_is_made_once() {
    let done = |id: &str| Ok((Outcome::Done, Some(id.to_owned())));
    for (script, expect) in [
        (vec![(BY_MARKER, ok(NOBODY)), (POST, (201, &[][..], r#"{"id":"u9"}"#))], done("u9")),
        (vec![(BY_MARKER, ok(ANN))], Ok((Outcome::AlreadySo, Some("u1".to_owned())))),
        // Made by another, or by a try whose answer was lost, between looking and making.
        (
            vec![(BY_MARKER, ok(NOBODY)), (POST, status(409)), (BY_MARKER, ok(ANN))],
            Ok((Outcome::AlreadySo, Some("u1".to_owned()))),
        ),
        // The answer does not say what was made.
        (vec![(BY_MARKER, ok(NOBODY)), (POST, (201, &[], "oops")), (BY_MARKER, ok(ANN))], done("u1")),
    ] {
        assert_eq!(Stage::new(settings(), PLAIN, &script).apply(create(), None).await, expect);
    }
    for (script, kind, effect, says) in [
        (
            vec![(BY_MARKER, ok(NOBODY)), (POST, status(409)), (BY_MARKER, ok(NOBODY)), (BY_NAME, ok(BOB))],
            ErrorKind::AlreadyExists,
            Effect::None,
            "does not bear the hub's marker",
        ),
        (
            vec![
                (BY_MARKER, ok(NOBODY)),
                (POST, status(409)),
                (BY_MARKER, ok(NOBODY)),
                (BY_NAME, ok(NOBODY)),
            ],
            ErrorKind::AlreadyExists,
            Effect::None,
            "is not shown",
        ),
        (vec![(BY_MARKER, status(500))], ErrorKind::SystemFault, Effect::None, "500"),
        (vec![(BY_MARKER, ok(NOBODY)), (POST, status(500))], ErrorKind::SystemFault, Effect::Unknown, "500"),
        (vec![(BY_MARKER, ok(NOBODY)), (POST, status(0))], ErrorKind::Unreachable, Effect::Unknown, "gone"),
        (vec![(BY_MARKER, ok(NOBODY)), (POST, status(400))], ErrorKind::Invalid, Effect::None, "400"),
        (
            vec![(BY_MARKER, ok(NOBODY)), (POST, (201, &[], "oops")), (BY_MARKER, ok(NOBODY))],
            ErrorKind::Malformed,
            Effect::Unknown,
            "new account",
        ),
    ] {
        let error = Stage::new(settings(), PLAIN, &script).apply(create(), None).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (kind, effect), "{}", error.message);
        assert!(error.message.contains(says), "{}", error.message);
    }
}

const OFF: &str = r#"{"Operations":[{"op":"replace","path":"active","value":false}],"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}"#;
const OFF_WHOLE: &str = r#"{"Operations":[{"op":"replace","value":{"active":false}}],"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}"#;
const WHOLE: &str = r#"{"id":"u1","userName":"ann","active":true,"x-odd":{"n":1.0},"meta":{"version":"v1"}}"#;
const PUT: &str = r#"{"id":"u1","userName":"ann","active":false,"x-odd":{"n":1.0}}"#;

#[tokio::test]
async fn an_account_is_disabled_in_the_ways_that_the_system_has() {
    let patch = format!("PATCH /Users/u1 key=k {OFF}");
    let conditional = format!("PATCH /Users/u1 match=v1 key=k {OFF}");
    let whole = format!("PATCH /Users/u1 key=k.own {OFF_WHOLE}");
    let put = format!("PUT /Users/u1 match=v1 key=k.own {PUT}");
    let plain_put = format!("PUT /Users/u1 key=k.own {PUT}");
    let refused = (400, &[][..], r#"{"scimType":"invalidPath"}"#);
    for (what, config, way, precondition, script) in [
        ("by PATCH", PLAIN, 0, None, vec![(&*patch, ok(""))]),
        ("without content", PLAIN, 0, None, vec![(&*patch, status(204))]),
        (
            "a condition that the system does not know is not sent",
            PLAIN,
            0,
            Some("v1"),
            vec![(&*patch, ok(""))],
        ),
        ("conditional", ETAG, 0, Some("v1"), vec![(&*conditional, ok(""))]),
        ("paths refused", PLAIN, 0, None, vec![(&*patch, refused), (&*whole, ok(""))]),
        ("by PUT", ETAG, 1, None, vec![("GET /Users/u1", ok(WHOLE)), (&*put, ok(""))]),
        (
            "by PUT without versions",
            PLAIN,
            1,
            None,
            vec![("GET /Users/u1", ok(WHOLE)), (&*plain_put, ok(""))],
        ),
        ("no PATCH", NO_PATCH, 0, None, vec![("GET /Users/u1", ok(WHOLE)), (&*put, ok(""))]),
    ] {
        let stage = Stage::new(settings(), config, &script);
        let applied = stage.apply(Op::Disable { way }, precondition).await;
        assert_eq!(applied, Ok((Outcome::Done, None)), "{what}");
    }
    for (config, way, precondition, script, kind) in [
        (PLAIN, 0, None, vec![(&*patch, status(404))], ErrorKind::NotFound),
        (ETAG, 0, Some("v1"), vec![(&*conditional, status(412))], ErrorKind::Stale),
        (PLAIN, 1, None, vec![("GET /Users/u1", status(404))], ErrorKind::NotFound),
        (PLAIN, 2, None, vec![], ErrorKind::Unsupported),
        (NO_PATCH, 1, None, vec![], ErrorKind::Unsupported),
    ] {
        let error = Stage::new(settings(), config, &script)
            .apply(Op::Disable { way }, precondition)
            .await
            .unwrap_err();
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{}", error.message);
    }
}

const G1: &str =
    r#"{"id":"g1","displayName":"One","members":[{"value":"u2","display":"Bob"}],"meta":{"version":"g7"}}"#;
const G1_WITH: &str = r#"{"id":"g1","displayName":"One","members":[{"value":"u2"},{"value":"u1"}]}"#;

#[tokio::test]
async fn membership_is_read_from_the_group_and_changed_by_one_member() {
    let class = AccessClass::DirectGroups;
    let grant = || Op::Grant { class, external_id: "g1".into() };
    let revoke = || Op::Revoke { class, external_id: "g1".into() };
    let join = r#"PATCH /Groups/g1 key=k {"Operations":[{"op":"add","path":"members","value":[{"value":"u1"}]}],"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}"#;
    let leave = r#"PATCH /Groups/g1 key=k {"Operations":[{"op":"remove","path":"members[value eq \"u1\"]"}],"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}"#;
    let body = r#"{"id":"g1","displayName":"One","members":[{"display":"Bob","value":"u2"},{"value":"u1"}]}"#;
    let put = format!("PUT /Groups/g1 match=g7 key=k.own {body}");
    let group = "GET /Groups/g1";
    let done = Ok((Outcome::Done, None));
    let so = Ok((Outcome::AlreadySo, None));
    let invalid_path = (400, &[][..], r#"{"scimType":"invalidPath"}"#);
    let no_target = (400, &[][..], r#"{"scimType":"noTarget"}"#);
    for (what, config, op, script, expect) in [
        ("join", PLAIN, grant(), vec![(group, ok(G1)), (join, status(204))], done.clone()),
        ("is in", PLAIN, grant(), vec![(group, ok(G1_WITH))], so.clone()),
        ("leave", PLAIN, revoke(), vec![(group, ok(G1_WITH)), (leave, ok(""))], done.clone()),
        ("is not in", PLAIN, revoke(), vec![(group, ok(G1))], so.clone()),
        ("no such group", PLAIN, revoke(), vec![(group, status(404))], so.clone()),
        ("left meanwhile", PLAIN, revoke(), vec![(group, ok(G1_WITH)), (leave, no_target)], so),
        ("no PATCH", NO_PATCH, grant(), vec![(group, ok(G1)), (&*put, ok(""))], done.clone()),
        ("path refused", ETAG, grant(), vec![(group, ok(G1)), (join, invalid_path), (&*put, ok(""))], done),
    ] {
        assert_eq!(Stage::new(settings(), config, &script).apply(op, None).await, expect, "{what}");
    }
    let error =
        Stage::new(settings(), PLAIN, &[(group, status(404))]).apply(grant(), None).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::NotFound, Effect::None));
}

#[tokio::test]
async fn a_group_that_hides_its_members_is_asked_about_otherwise() {
    let class = AccessClass::DirectGroups;
    let revoke = || Op::Revoke { class, external_id: "g1".into() };
    let leave = r#"PATCH /Groups/g1 key=k {"Operations":[{"op":"remove","path":"members[value eq \"u1\"]"}],"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}"#;
    let (group, silent) = ("GET /Groups/g1", ok(r#"{"id":"g1","displayName":"One"}"#));
    let filter = r#"GET /Groups?startIndex=1&count=100&filter=members.value eq "u1""#;
    let picked = ok(r#"{"totalResults":1,"Resources":[{"id":"g1","displayName":"One"}]}"#);
    let belied = ok(r#"{"totalResults":2,"Resources":[{"id":"g1"},{"id":"g2","members":[{"value":"u2"}]}]}"#);
    let short = ok(r#"{"totalResults":2,"Resources":[]}"#);
    for (what, script, outcome) in [
        (
            "the filter picks it",
            vec![(group, silent), (filter, picked), (group, silent), (leave, status(204))],
            Outcome::Done,
        ),
        ("it is empty", vec![(group, silent), (filter, ok(NOBODY))], Outcome::AlreadySo),
        (
            "the filter is ignored",
            vec![(group, silent), (filter, belied), (group, silent)],
            Outcome::AlreadySo,
        ),
        ("nobody knows", vec![(group, silent), (filter, short), (leave, status(204))], Outcome::Done),
    ] {
        let applied = Stage::new(settings(), PLAIN, &script).apply(revoke(), None).await;
        assert_eq!(applied, Ok((outcome, None)), "{what}");
    }
}

#[tokio::test]
async fn the_version_of_an_account_guards_what_it_holds() {
    let class = AccessClass::DirectGroups;
    let user = "GET /Users/u1";
    let stage = Stage::new(settings(), ETAG, &[(user, ok(WHOLE)), ("GET /Groups/g1", ok(G1_WITH))]);
    let grant = Op::Grant { class, external_id: "g1".into() };
    assert_eq!(stage.apply(grant.clone(), Some("v1")).await, Ok((Outcome::AlreadySo, None)));
    let error =
        Stage::new(settings(), ETAG, &[(user, ok(WHOLE))]).apply(grant, Some("v0")).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::Stale, Effect::None));
}

#[tokio::test]
async fn what_fails_after_something_was_done_is_unknown() {
    let held = json!({"held": {"api-tokens": {"list": "/u/{id}/tokens", "revoke": "/u/{id}/tokens/{item}"}}});
    let two = ok(r#"{"tokens":[{"id":"t1"},{"id":"t2"}]}"#);
    let all = || Op::RevokeAll { class: AccessClass::ApiTokens };
    let (list, first, second) = ("GET /u/u1/tokens", "DELETE /u/u1/tokens/t1", "DELETE /u/u1/tokens/t2");
    for (script, expect) in [
        (vec![(list, two), (first, status(204)), (second, status(204))], Ok((Outcome::Done, None))),
        (vec![(list, two), (first, status(404)), (second, status(204))], Ok((Outcome::Done, None))),
        (vec![(list, two), (first, status(404)), (second, status(404))], Ok((Outcome::AlreadySo, None))),
        (vec![(list, ok(r#"{"tokens":[]}"#))], Ok((Outcome::AlreadySo, None))),
        (vec![(list, status(404))], Ok((Outcome::AlreadySo, None))),
    ] {
        assert_eq!(Stage::new(held.clone(), PLAIN, &script).apply(all(), None).await, expect);
    }
    for (script, effect) in [
        (vec![(list, two), (first, status(403))], Effect::None),
        (vec![(list, two), (first, status(204)), (second, status(403))], Effect::Unknown),
    ] {
        let error = Stage::new(held.clone(), PLAIN, &script).apply(all(), None).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Forbidden, effect));
    }
}

#[tokio::test]
async fn looking_for_one_does_not_depend_on_the_filter() {
    let everybody = r#"{"totalResults":3,"Resources":[{"id":"u1","userName":"ann","externalId":"hr/1"},{"id":"u2","userName":"bob","externalId":"hr/2"}]}"#;
    let rest = r#"{"totalResults":3,"Resources":[{"id":"u3","userName":"cid"}]}"#;
    let short = r#"{"totalResults":3,"Resources":[]}"#;
    let (first, second) = ("GET /Users?startIndex=1&count=100", "GET /Users?startIndex=3&count=100");
    let filtered_second = r#"GET /Users?startIndex=3&count=100&filter=externalId eq "hr/1""#;
    let found = |id: &str| Ok(Some(id.to_owned()));
    let named = Locator::AccountNamed("ann");
    let marked = Locator::AccountMarked("hr/1");
    for (what, config, locator, script, expect) in [
        ("filtered", PLAIN, marked, vec![(BY_MARKER, ok(ANN))], found("u1")),
        ("filtered, nobody", PLAIN, marked, vec![(BY_MARKER, ok(NOBODY))], Ok(None)),
        ("the name in another case", PLAIN, named, vec![(BY_NAME, ok(BOB))], found("u2")),
        (
            "a filter that is ignored",
            PLAIN,
            marked,
            vec![(BY_MARKER, ok(everybody)), (filtered_second, ok(rest))],
            found("u1"),
        ),
        (
            "a filter that is refused",
            PLAIN,
            marked,
            vec![(BY_MARKER, status(400)), (first, ok(everybody)), (second, ok(rest))],
            found("u1"),
        ),
        ("no filters", NO_FILTER, marked, vec![(first, ok(everybody)), (second, ok(rest))], found("u1")),
        (
            "not shown in full",
            NO_FILTER,
            Locator::AccountMarked("hr/9"),
            vec![(first, ok(everybody)), (second, ok(short))],
            Err(ErrorKind::Malformed),
        ),
        (
            "two with the marker",
            PLAIN,
            marked,
            vec![(
                BY_MARKER,
                ok(
                    r#"{"totalResults":2,"Resources":[{"id":"u1","userName":"a","externalId":"hr/1"},{"id":"u2","userName":"b","externalId":"hr/1"}]}"#,
                ),
            )],
            Err(ErrorKind::Malformed),
        ),
        ("by id", PLAIN, Locator::Account("u1"), vec![("GET /Users/u1", ok(WHOLE))], found("u1")),
        ("by id, gone", PLAIN, Locator::Account("u1"), vec![("GET /Users/u1", status(404))], Ok(None)),
        (
            "by id, gone in the body",
            PLAIN,
            Locator::Account("u1"),
            vec![("GET /Users/u1", ok(r#"{"status":"404","detail":"no"}"#))],
            Ok(None),
        ),
        (
            "by id, another came",
            PLAIN,
            Locator::Account("U1"),
            vec![("GET /Users/U1", ok(WHOLE))],
            Err(ErrorKind::Malformed),
        ),
        ("an id that no path can carry", PLAIN, Locator::Account(".."), vec![], Err(ErrorKind::Invalid)),
    ] {
        let stage = Stage::new(json!({}), config, &script);
        let got = stage.scim.get(&stage.line, locator).await;
        stage.over();
        assert_eq!(got.map(|o| o.map(|o| o.id.into_owned())).map_err(|e| e.kind), expect, "{what}");
    }
}

#[tokio::test]
async fn nested_groups_are_found_upwards_and_a_circle_ends() {
    let of =
        |member: &str| format!(r#"GET /Groups?startIndex=1&count=100&filter=members.value eq "{member}""#);
    let (u1, a, b, c) = (of("u1"), of("A"), of("B"), of("C"));
    let script = [
        (
            &*u1,
            ok(
                r#"{"totalResults":1,"Resources":[{"id":"A","displayName":"a","members":[{"value":"u1"},{"value":"C"}]}]}"#,
            ),
        ),
        (
            &*a,
            ok(r#"{"totalResults":1,"Resources":[{"id":"B","displayName":"b","members":[{"value":"A"}]}]}"#),
        ),
        // The filter picked one that does not have the member, and one that leaves its members out.
        (
            &*b,
            ok(
                r#"{"totalResults":2,"Resources":[{"id":"X","members":[{"value":"b"}]},{"id":"C","displayName":"c"}]}"#,
            ),
        ),
        ("GET /Groups/C", ok(r#"{"id":"C","displayName":"c","members":[{"value":"B"}]}"#)),
        (&*c, ok(r#"{"totalResults":1,"Resources":[{"id":"A","members":[{"value":"C"}]}]}"#)),
    ];
    let stage = Stage::new(json!({}), PLAIN, &script);
    let mut seen = Vec::new();
    let listing = Listing::Held { account: "u1", class: AccessClass::NestedGroups };
    let page = stage
        .scim
        .list(&stage.line, listing, None, 2, &mut |group| seen.push(group.id.into_owned()))
        .await
        .unwrap();
    stage.over();
    assert_eq!(seen, ["B", "C"]);
    assert!(page.complete && page.next.is_none());
}

#[tokio::test]
async fn groups_of_an_account_come_in_pages_with_and_without_a_filter() {
    let groups = r#"{"totalResults":3,"Resources":[{"id":"A","members":[{"value":"u1"}]},{"id":"B","members":[{"value":"u2"}]}]}"#;
    let rest = r#"{"totalResults":3,"Resources":[{"id":"C","members":[{"value":"u1"}]}]}"#;
    let filter = r#"&filter=members.value eq "u1""#;
    let filtered = [
        format!("GET /Groups?startIndex=1&count=2{filter}"),
        format!("GET /Groups?startIndex=3&count=2{filter}"),
    ];
    let plain = ["GET /Groups?startIndex=1&count=2", "GET /Groups?startIndex=3&count=2"];
    for (config, script) in [
        (PLAIN, vec![(&*filtered[0], ok(groups)), (&*filtered[1], ok(rest))]),
        (PLAIN, vec![(&*filtered[0], status(501)), (plain[0], ok(groups)), (plain[1], ok(rest))]),
        (NO_FILTER, vec![(plain[0], ok(groups)), (plain[1], ok(rest))]),
    ] {
        let stage = Stage::new(json!({}), config, &script);
        let listing = Listing::Held { account: "u1", class: AccessClass::DirectGroups };
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut visit = |group: bailiwick_connector::Object<'_>| {
                assert!(group.links.is_empty());
                seen.push(group.id.into_owned());
            };
            let page = stage.scim.list(&stage.line, listing, cursor.as_deref(), 2, &mut visit).await.unwrap();
            assert!(page.complete);
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        stage.over();
        assert_eq!(seen, ["A", "C"]);
    }
}

#[tokio::test]
async fn a_listing_shows_both_kinds_of_pages_and_says_when_it_is_not_whole() {
    let cursors = r#"{"pagination":{"cursor":true}}"#;
    let page = ok(
        r#"{"totalResults":3,"Resources":[{"id":"1","userName":"a"},{"id":"2","userName":"b","active":"False"}],"nextCursor":"n~1"}"#,
    );
    let last = ok(r#"{"totalResults":3,"Resources":[{"id":"3","userName":"c"}]}"#);
    let broken = ok(r#"{"totalResults":3,"Resources":[{"id":"3","active":"?"}]}"#);
    let (first, next) = ("GET /Users?cursor=&count=2", "GET /Users?cursor=n~1&count=2");
    let (one, three) = ("GET /Users?startIndex=1&count=2", "GET /Users?startIndex=3&count=2");
    for (config, script, ids, complete) in [
        (cursors, vec![(first, page), (next, last)], &["1", "2", "3"][..], true),
        (PLAIN, vec![(one, page), (three, last)], &["1", "2", "3"], true),
        (PLAIN, vec![(one, page), (three, broken)], &["1", "2"], false),
        (PLAIN, vec![(one, page), (three, page)], &["1", "2"], false),
    ] {
        let stage = Stage::new(json!({}), config, &script);
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        let complete_in_the_end = loop {
            let mut visit = |user: bailiwick_connector::Object<'_>| {
                assert_eq!(user.state == ObjectState::Blocked, user.id == "2");
                seen.push(user.id.into_owned());
            };
            let page = stage
                .scim
                .list(&stage.line, Listing::Accounts, cursor.as_deref(), 2, &mut visit)
                .await
                .unwrap();
            match page.next {
                Some(next) => cursor = Some(next),
                None => break page.complete,
            }
        };
        stage.over();
        assert_eq!(
            (&seen[..], complete_in_the_end),
            (&ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()[..], complete)
        );
    }
}

#[tokio::test]
async fn check_reads_the_schemas_and_tries_the_credential() {
    let schemas = r#"{"Resources":[{"id":"urn:ietf:params:scim:schemas:core:2.0:User","attributes":[{"name":"userName"}]}]}"#;
    let (asks, one) = ("GET /Schemas", "GET /Users?startIndex=1&count=1");
    for (settings, script, expect) in [
        (json!({}), vec![(asks, ok(schemas)), (one, ok(NOBODY))], Ok(())),
        (json!({}), vec![(asks, status(404)), (one, ok(NOBODY))], Ok(())),
        (json!({}), vec![(asks, status(404)), (one, status(401))], Err((ErrorKind::Unauthorized, "401"))),
        (
            json!({}),
            vec![(asks, status(404)), (one, ok("<html>"))],
            Err((ErrorKind::Malformed, "not understood")),
        ),
        (
            json!({"attributes": {"nick": "nickName"}}),
            vec![(asks, ok(schemas))],
            Err((ErrorKind::Settings, "`attributes.nick`")),
        ),
    ] {
        let stage = Stage::new(settings, PLAIN, &script);
        let checked = stage.scim.check(&stage.line).await;
        stage.over();
        match (checked, expect) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err((kind, says))) => {
                assert_eq!(error.kind, kind);
                assert!(error.message.contains(says), "{}", error.message);
            }
            (got, expect) => panic!("{got:?} is not {expect:?}"),
        }
    }
}

#[test]
fn what_is_not_configured_is_not_observable() {
    let capability = |settings: Value| -> Capability { Scim::new(&settings).unwrap().capability().clone() };
    let plain = capability(Value::Null);
    assert!(
        !plain.observes.contains(&AccessClass::ApiTokens) && !plain.idempotency_keys && !plain.conditional
    );
    assert_eq!(plain.disable_ways, ["PATCH active=false", "PUT active=false"]);
    assert_eq!(capability(json!({"update": "put"})).disable_ways, ["PUT active=false"]);
    assert_eq!(capability(json!({"update": "patch"})).disable_ways, ["PATCH active=false"]);
    let held = capability(
        json!({"held": {"sessions": {"list": "/u/{id}"}, "licences": {"list": "/l/{id}", "grant": "/l/{id}/{item}"}}}),
    );
    assert!(held.observes.is_superset(&[AccessClass::Sessions, AccessClass::Licences].into()));
    assert_eq!(held.removes, [AccessClass::DirectGroups].into());
    assert_eq!(held.grants, [AccessClass::DirectGroups, AccessClass::Licences].into());
}
