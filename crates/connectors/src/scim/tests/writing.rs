//! Changes, call by call: what is sent, and what its answer is taken to mean.

use super::*;

fn create() -> Op {
    Op::CreateAccount { marker: "hr/1".into(), attributes: [("userName".to_owned(), "ann".into())].into() }
}

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
    let join = r#"PATCH /Groups/g1?excludedAttributes=members key=k {"Operations":[{"op":"add","path":"members","value":[{"value":"u1"}]}],"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}"#;
    let leave = r#"PATCH /Groups/g1?excludedAttributes=members key=k {"Operations":[{"op":"remove","path":"members[value eq \"u1\"]"}],"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}"#;
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
    let leave = r#"PATCH /Groups/g1?excludedAttributes=members key=k {"Operations":[{"op":"remove","path":"members[value eq \"u1\"]"}],"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}"#;
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
