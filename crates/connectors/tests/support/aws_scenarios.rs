//! What is asked of the connector on every IAM, beyond the contract.

use std::sync::Arc;

use bailiwick_connector::{
    Connector, Effect, Entry, ErrorKind, Listing, Locator, Object, ObjectState, ObjectValue, Outcome,
    seal::Secret,
    testkit::{Fixtures, Hands, Ids, Subject},
};
use bailiwick_core::{
    access::AccessClass, account::AccountAttributes, integration::Purpose, plan::Op, time::Timestamp,
};

use super::aws_subject::{Iam, System, text};

/// Names that are easily taken for something else.
fn hostile() -> Vec<String> {
    let mut names: Vec<String> = [
        "x&Action=DeleteUser&UserName=ann.smith",
        "ann.smith\0",
        "../ann.smith",
        "a%2fb",
        "%41nn.smith",
        "a+b c ",
        "*)(uid=*",
        "'; drop table users;--",
        "\"<x>&amp;",
        "Zo\u{eb}",
        "Zoe\u{308}",
        "李 小龍",
        "a\r\nb",
        "",
    ]
    .map(str::to_owned)
    .into();
    names.push("x".repeat(256));
    names
}

pub fn attributes(pairs: &[(&str, &str)]) -> AccountAttributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
}

async fn everybody<S: System>(iam: &Iam<S>) -> Vec<Object<'static>> {
    let mut all = Vec::new();
    let mut visit = |object: Object<'_>| all.push(object.into_owned());
    let page = iam.connector.list(&iam.reader(), Listing::Accounts, None, 1_000, &mut visit).await.unwrap();
    assert!(page.complete && page.next.is_none());
    all
}

/// Every field reaches the system as the exact bytes, or is an error that says why, and touches nobody else.
pub async fn no_field_reaches_another_object<S: System>(iam: &Iam<S>) {
    let ids = iam.seed(&Fixtures::standard()).await;
    let (aws, line) = (&iam.connector, iam.line());
    let before = everybody(iam).await;
    let mut made = 0;
    for (n, bad) in hostile().into_iter().enumerate() {
        let whole = iam.truth().await;
        nothing_is_meant_by(iam, &ids, &bad).await;
        assert_eq!(iam.truth().await, whole, "{bad:?}");
        let plain = (format!("user{n}"), format!("hr/new{n}"), "a@x".to_owned());
        for (name, marker, email) in [
            (bad.clone(), plain.1.clone() + "n", plain.2.clone()),
            (plain.0.clone() + "m", bad.clone(), plain.2.clone()),
            (plain.0.clone() + "e", plain.1.clone() + "e", bad.clone()),
        ] {
            let what = format!("{name:?} {marker:?} {email:?}");
            let attributes = attributes(&[("userName", &name), ("email", &email)]);
            let create = Op::CreateAccount { marker: marker.clone(), attributes };
            match aws.apply(&line, None, &create, None, "k").await {
                Ok(applied) => {
                    made += 1;
                    assert_eq!(applied.outcome, Outcome::Done, "{what}");
                    let id = applied.external_id.unwrap();
                    let seen = aws.get(&iam.reader(), Locator::AccountNamed(&name)).await.unwrap().unwrap();
                    assert_eq!((&*seen.id, &*seen.name), (&*id, &*name), "{what}");
                    assert_eq!(seen.marker.as_deref(), Some(&*marker), "{what}");
                    let shown = seen.attribute("email").cloned().unwrap();
                    assert_eq!(shown, ObjectValue::Text(email.into()), "{what}");
                    assert_eq!(text(&iam.system.raw("GetUser", &[("UserName", &name)]).await, "UserId"), id);
                }
                Err(error) => {
                    let said =
                        [&name, &marker, &email].iter().any(|t| t.is_empty() || t.contains(['\0', '\r']))
                            || error.message.contains("ValidationError: the value of the tag");
                    assert!(said && error.kind == ErrorKind::Invalid, "{what}: {error}");
                    assert_eq!(error.effect, Effect::None, "{what}");
                }
            }
        }
    }
    let after = everybody(iam).await;
    assert_eq!(after.len(), before.len() + made);
    assert!(before.iter().all(|object| after.contains(object)), "somebody else was changed");
}

/// What has no such name or id is not there, and is not taken for something that is.
async fn nothing_is_meant_by<S: System>(iam: &Iam<S>, ids: &Ids, bad: &str) {
    let (aws, line) = (&iam.connector, iam.line());
    let locators =
        [Locator::Account(bad), Locator::AccountNamed(bad), Locator::AccountMarked(bad), Locator::Group(bad)];
    for locator in locators {
        match aws.get(&line, locator).await {
            Ok(found) => assert_eq!(found, None, "{locator:?}"),
            Err(error) => assert_eq!(error.kind, ErrorKind::Invalid, "{locator:?}: {error}"),
        }
    }
    let first = ids.accounts[0].as_str();
    for class in
        [AccessClass::DirectGroups, AccessClass::Roles, AccessClass::CloudKeys, AccessClass::DeviceTrust]
    {
        let external_id = bad.to_owned();
        let revoke = Op::Revoke { class, external_id: external_id.clone() };
        let revoked = aws.apply(&line, Some(first), &revoke, None, "k").await.unwrap();
        assert_eq!(revoked.outcome, Outcome::AlreadySo, "{class} {bad:?}");
        let grant = Op::Grant { class, external_id };
        let grant = aws.apply(&line, Some(first), &grant, None, "k").await.unwrap_err();
        assert_eq!(grant.effect, Effect::None, "{class} {bad:?}");
    }
    for (op, so) in
        [(Op::Delete, true), (Op::RevokeAll { class: AccessClass::CloudKeys }, true), (Op::Enable, false)]
    {
        match aws.apply(&line, Some(bad), &op, None, "k").await {
            Ok(applied) => assert!(so && applied.outcome == Outcome::AlreadySo, "{op:?} {bad:?}"),
            Err(error) => assert!(!so && error.kind == ErrorKind::NotFound, "{op:?} {bad:?}: {error}"),
        }
    }
}

/// A wrong secret, an unknown key and a system that is not there are told apart.
pub async fn what_is_wrong_is_said<S: System>(iam: &Iam<S>) {
    iam.seed(&Fixtures::standard()).await;
    let (id, secret) = iam.key();
    let now = || Arc::new(Hands::default());
    for (key, says) in
        [((id.as_str(), "another"), "setting `region`"), (("AKIANOBODY", &*secret), "inactive, deleted")]
    {
        let error = iam.connector.check(&iam.line_with(key, Purpose::Write, now())).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Unauthorized, Effect::None), "{error}");
        assert!(error.message.contains(says) && !error.message.contains("another"), "{error}");
    }
}

/// What was issued for a time is worth nothing any more, and nothing else of the user is touched. Whether IAM then refuses
/// it is AWS's to do; what it is told is compared here.
pub async fn temporary_credentials_are_ended<S: System>(iam: &Iam<S>) {
    let ids = iam.seed(&Fixtures::standard()).await;
    let (aws, line, ann) = (&iam.connector, iam.line(), ids.accounts[0].as_str());
    let sessions = AccessClass::Sessions;
    assert!(aws.capability().removes.contains(&sessions) && !aws.capability().observes.contains(&sessions));
    let before = aws.get(&line, Locator::Account(ann)).await.unwrap().unwrap();
    let held = async |class| {
        let (mut held, listing) = (Vec::new(), Listing::Held { account: ann, class });
        let mut visit = |object: Object<'_>| held.push(object.into_owned());
        aws.list(&line, listing, None, 100, &mut visit).await.unwrap();
        held
    };
    let (roles, keys) = (held(AccessClass::Roles).await, held(AccessClass::CloudKeys).await);
    for _ in 0..2 {
        let applied =
            aws.apply(&line, Some(ann), &Op::RevokeAll { class: sessions }, None, "k").await.unwrap();
        assert_eq!(applied.outcome, Outcome::Done, "there may be new ones each time");
    }
    let policy = [("UserName", before.name.as_ref()), ("PolicyName", "BailiwickEndedSessions")];
    let answer = iam.system.raw("GetUserPolicy", &policy).await;
    let document = plain(&text(&answer, "PolicyDocument"));
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let statement = &document["Statement"][0];
    assert_eq!((&statement["Effect"], &statement["Action"]), (&"Deny".into(), &"*".into()));
    let issued = statement["Condition"]["DateLessThan"]["aws:TokenIssueTime"].as_str().unwrap();
    let ahead = issued.parse::<Timestamp>().unwrap().duration_since(line.now()).as_secs();
    assert!((0..=60).contains(&ahead), "{issued} is {ahead} s from now");
    assert_eq!(aws.get(&line, Locator::Account(ann)).await.unwrap().unwrap().state, ObjectState::Live);
    assert_eq!(held(AccessClass::Roles).await, roles, "it is no access");
    assert_eq!(held(AccessClass::CloudKeys).await, keys);
}

/// A document as it was put: answers carry it percent-encoded (AWS), or as text of XML.
fn plain(text: &str) -> String {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_at(2);
        plain.push(char::from(u8::from_str_radix(code, 16).unwrap()));
        plain += rest;
    }
    plain.replace("&quot;", "\"")
}

/// A canary's key is tried before and after each way of disabling. `inactive_is_refused`: whether the system
/// turns inactive keys away, as AWS does.
pub async fn a_canary_tells_which_way_locks<S: System>(iam: &Iam<S>, inactive_is_refused: bool) {
    let ids = iam.seed(&Fixtures::standard()).await;
    let (aws, line, canary) = (&iam.connector, iam.line(), ids.accounts[1].as_str());
    let class = AccessClass::CloudKeys;
    let issued = aws.issue(&line, canary, class, Secret::new("unused")).await.unwrap();
    let tried = async || aws.attempt(&line, &issued).await.unwrap();
    let doing = async |op: Op| aws.apply(&line, Some(canary), &op, None, "k").await.unwrap().outcome;
    let state = async || aws.get(&iam.reader(), Locator::Account(canary)).await.unwrap().unwrap().state;
    assert_eq!((tried().await, state().await), (Entry::Accepted, ObjectState::Live));
    assert_eq!(doing(Op::Disable { way: 0 }).await, Outcome::Done);
    assert_eq!((tried().await, state().await), (Entry::Rejected, ObjectState::Blocked));
    assert_eq!(doing(Op::Enable).await, Outcome::Done);
    assert_eq!((tried().await, state().await), (Entry::Accepted, ObjectState::Live));
    assert_eq!(doing(Op::Disable { way: 1 }).await, Outcome::Done);
    let expect = if inactive_is_refused { Entry::Rejected } else { Entry::Accepted };
    assert_eq!((tried().await, state().await), (expect, ObjectState::Blocked));
    assert_eq!(doing(Op::RevokeAll { class }).await, Outcome::Done);
    assert_eq!(tried().await, Entry::Rejected);
    // A key that lives and lost its leave is not one that is kept out.
    let issued = aws.issue(&line, canary, class, Secret::new("unused")).await.unwrap();
    let name = iam.connector.get(&line, Locator::Account(canary)).await.unwrap().unwrap().name.into_owned();
    let leave = [("UserName", name.as_str()), ("PolicyName", "BailiwickCanary")];
    iam.system.raw("DeleteUserPolicy", &leave).await;
    assert_eq!(aws.attempt(&line, &issued).await.unwrap(), Entry::Accepted);
    // What the hub gave its canary goes with it, and nothing else does.
    aws.issue(&line, canary, class, Secret::new("unused")).await.unwrap();
    let refused = aws.apply(&line, Some(canary), &Op::Delete, None, "k").await.unwrap_err();
    assert!(
        refused.message.contains("direct-groups") && !refused.message.contains("cloud-keys"),
        "{refused}"
    );
    assert_eq!(doing(Op::RevokeAll { class: AccessClass::DirectGroups }).await, Outcome::Done);
    assert_eq!(doing(Op::Delete).await, Outcome::Done);
    assert_eq!(aws.get(&line, Locator::Account(canary)).await.unwrap(), None);
}
