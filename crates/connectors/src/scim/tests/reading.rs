//! Listings and single reads, call by call: paging, filters that lie, access that is held.

use super::*;

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
async fn what_a_system_does_not_show_is_not_shown_to_be_empty() {
    let tokens = |setting: Value| {
        let mut tokens = json!({"list": "/u/{id}/tokens"});
        tokens.as_object_mut().unwrap().extend(setting.as_object().unwrap().clone());
        json!({"held": {"api-tokens": tokens}})
    };
    let of_u1 = r#"GET /Groups?startIndex=1&count=2&filter=members.value eq "u1""#;
    let held = |class| Listing::Held { account: "u1", class };
    let tokens_of = "GET /u/u1/tokens";
    for (what, settings, listing, asked, expect) in [
        ("no groups", json!({}), Listing::Groups, "GET /Groups?startIndex=1&count=2", Ok(false)),
        (
            "no groups to be in",
            json!({}),
            held(AccessClass::DirectGroups),
            of_u1,
            Err(ErrorKind::Unsupported),
        ),
        ("an account that is gone", tokens(json!({})), held(AccessClass::ApiTokens), tokens_of, Ok(false)),
        (
            "with it went what it held",
            tokens(json!({"outlives": false})),
            held(AccessClass::ApiTokens),
            tokens_of,
            Err(ErrorKind::NotFound),
        ),
    ] {
        let stage = Stage::new(settings, PLAIN, &[(asked, status(404))]);
        let page = stage.scim.list(&stage.line, listing, None, 2, &mut |_| panic!("{what}")).await;
        assert_eq!(page.map(|page| page.complete).map_err(|error| error.kind), expect, "{what}");
        stage.over();
    }
    let capability = |settings: Value| Scim::new(&settings).unwrap().capability().clone();
    let none = capability(json!({"groups": false}));
    assert!(!none.groups && none.removes.is_empty() && none.observes == [AccessClass::PrimaryAccount].into());
}

#[tokio::test]
async fn a_canary_is_given_what_the_vendor_makes_up_and_it_is_tried_as_its_holder_would() {
    let settings = json!({"held": {"api-tokens": {
        "list": "/u/{id}/tokens", "try": "/me",
        "issue": {"make": "/u/{id}/tokens", "body": {"name": "canary"}, "given": "secret"},
    }}});
    assert_eq!(Scim::new(&settings).unwrap().capability().tries, [AccessClass::ApiTokens].into());
    let make = r#"POST /u/u1/tokens {"name":"canary"}"#;
    let made = ok(r#"{"id":"t1","secret":"s3cret"}"#);
    let give = async |script: &[(&str, Reply)]| {
        let stage = Stage::new(settings.clone(), PLAIN, script);
        // Neither is SCIM, so the system is not asked about itself.
        stage.script.0.lock().unwrap().pop_front();
        let secret = Secret::new(*b"unused");
        let issued = stage.scim.issue(&stage.line, "u1", AccessClass::ApiTokens, secret).await;
        (stage, issued)
    };
    for (reply, expect) in [(status(204), Effect::Unknown), (status(409), Effect::None)] {
        let (stage, issued) = give(&[(make, reply)]).await;
        assert_eq!(issued.err().map(|error| error.effect), Some(expect));
        stage.over();
    }
    for (reply, expect) in [
        (ok("{}"), Ok(Entry::Accepted)),
        (status(401), Ok(Entry::Rejected)),
        (status(500), Err(ErrorKind::SystemFault)),
    ] {
        let (stage, issued) = give(&[(make, made), ("GET /me", reply)]).await;
        let issued = issued.unwrap();
        assert_eq!(issued.external_id.as_deref(), Some("t1"));
        let entry = stage.scim.attempt(&stage.line, &issued).await;
        assert_eq!(entry.map_err(|error| error.kind), expect);
        stage.over();
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
