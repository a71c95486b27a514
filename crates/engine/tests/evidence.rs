//! Evidence: packs verify offline, and what was changed behind the hub's back is found and named.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    id::{CaseId, Tenant},
    record::{Actor, LONGEST, Record, RecordKind},
    time::Timestamp,
};
use bailiwick_engine::UnderKey;
use bailiwick_evidence::{entry, verify_pack};
use bailiwick_store::{
    Select, Table,
    entities::{KeptAnswer, KeyedRequest, RequestState},
    testkit::Seeded,
};
use serde_json::json;
use sqlx::Connection;
use world::World;

/// A world whose store is a file, in which somebody joined and left; with its published log.
async fn lived(seed: u64) -> (World, bailiwick_engine::Sequencer, std::path::PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let store = bailiwick_store::open(&file.display().to_string()).await.unwrap();
    let mut world =
        World::on(store, seed, &[("chat", &[]), ("crm", &[bailiwick_lab::Behaviour::Noop200])]).await;
    world.configure().await;
    world.quiet().await;
    world
        .deliver(&["1,Ann Archer,ann@x.test,Engineering,,active", "2,Bob,bob@x.test,Finance,,active"])
        .await
        .unwrap();
    world.quiet().await;
    world
        .deliver(&["1,Ann Archer,ann@x.test,Engineering,2026-01-01,left", "2,Bob,bob@x.test,Finance,,active"])
        .await
        .unwrap();
    world.quiet().await;
    let by = Actor::Operator("ada".into());
    world.engine.probe(&"chat".parse().unwrap(), by, &world::Passing(world.hands.clone())).await.unwrap();
    let sequencer = world.sequencer();
    sequencer.publish(world.engine.now()).await.unwrap();
    (world, sequencer, file, folder)
}

/// Acts as a superuser of the database does.
async fn superuser(file: &std::path::Path, statements: &[&'static str]) {
    let address = format!("sqlite://{}", file.display());
    let mut connection = sqlx::SqliteConnection::connect(&address).await.unwrap();
    for statement in statements {
        let done = sqlx::query(*statement).execute(&mut connection).await.unwrap();
        assert!(done.rows_affected() > 0, "`{statement}` changed nothing");
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn nothing_is_damaged_when_nobody_touched_it() {
    let (world, sequencer, _file, _folder) = lived(1).await;
    let report = world.engine.check_evidence(&sequencer, None).await.unwrap();
    assert_eq!(report.damage, None);
    assert!(report.entries > 50 && report.rows > 20, "{report:?}");
}

#[tokio::test]
async fn who_has_nothing_to_publish_writes_nothing_and_waits_for_nobody() {
    let (world, sequencer, _file, _folder) = lived(8).await;
    let size = sequencer.publish(world.clock()).await.unwrap();
    let mut tx = world.store.begin().await.unwrap();
    let now = world.clock().as_millisecond();
    assert!(tx.lock("sequencer", "another", now, 600_000).await.unwrap().is_some());
    tx.commit().await.unwrap();
    assert_eq!(sequencer.publish(world.clock()).await.unwrap(), size);
    world.operator("approver", None).await;
    let busy = sequencer.publish(world.clock()).await.unwrap_err();
    assert_eq!(busy.code(), "log-busy");
}

/// Whatever a record says, the log takes it: one that it refused would keep everything after it out.
#[test]
fn whatever_is_said_the_log_takes_it() {
    let dice = Seeded::new(1);
    let deep = (0..200)
        .fold(json!("core"), |inner, n| if n % 2 == 0 { json!([inner]) } else { json!({ "in": inner }) });
    let values = [
        json!(0.5),
        json!(-1e300),
        json!([u64::MAX, i64::MIN, 1.0]),
        json!({ "é\u{1}\"": "\u{0}\u{7f}\u{2028}", "a": { "b": [0.1, deep] } }),
        json!("x".repeat(LONGEST)),
        json!(vec!["name"; 20_000]),
        deep,
    ];
    for value in &values {
        let record =
            || Record::new(RecordKind::Configured, Timestamp::UNIX_EPOCH, Actor::Hub("t".into()), &dice);
        for record in [
            record().fact("said", value),
            record().personal("said", value),
            record().fact("a", value).fact("b", value),
        ] {
            let (bytes, personal) = record.encode(&Tenant::single(), &[], || [7; 16]);
            entry::check(&bytes).unwrap();
            for kept in personal {
                let value: serde_json::Value = serde_json::from_slice(&kept.value).unwrap();
                let committed = entry::commit(&kept.salt, &value).unwrap().to_string();
                let read: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
                assert_eq!(read["commitments"][kept.field], committed);
            }
        }
    }
}

#[tokio::test]
async fn each_tampering_is_found_and_named() {
    let check = async |seed: u64, statements: &'static [&'static str], code: &str| {
        let (world, sequencer, file, _folder) = lived(seed).await;
        superuser(&file, statements).await;
        let damage = world.engine.check_evidence(&sequencer, None).await.unwrap().damage;
        let damage = damage.unwrap_or_else(|| panic!("{statements:?} was not found"));
        assert_eq!(damage.code, code, "{statements:?}: {}", damage.message);
        damage
    };
    let edited = check(
        2,
        &["UPDATE runs SET revision = revision + 1 WHERE id = (SELECT max(id) FROM runs)"],
        "row-changed",
    )
    .await;
    assert!(edited.entry.is_some());
    let verdict = check(3, &["UPDATE cells SET body = CAST(replace(CAST(body AS TEXT), 'blocked', 'removed') AS BLOB) WHERE CAST(body AS TEXT) LIKE '%blocked%'"], "row-changed").await;
    assert!(verdict.message.contains("cells") && verdict.entry.is_some(), "{verdict:?}");
    check(4, &["DELETE FROM approvals WHERE id = (SELECT min(id) FROM approvals)"], "row-missing").await;
    check(5, &["INSERT INTO approvals SELECT tenant, 'apr_00000000000000000000000000', revision, salt, body, 'other' FROM approvals LIMIT 1"], "row-unexplained").await;
    let profile = check(
        7,
        &["UPDATE profiles SET body = CAST(replace(CAST(body AS TEXT), 'blocks', 'nothing') AS BLOB)"],
        "row-changed",
    )
    .await;
    assert!(profile.message.contains("profiles"), "{profile:?}");
    // What a row is found by: an account that is nobody's is not taken from a leaver.
    for hidden in [
        &["UPDATE accounts SET identity = NULL WHERE identity IS NOT NULL"][..],
        &["UPDATE identities SET said = NULL WHERE said IS NOT NULL"],
        &["UPDATE cases SET state = 'closed' WHERE state = 'open'"],
    ] {
        check(8, hidden, "row-changed").await;
    }
    let tail = check(
        6,
        &["DELETE FROM evidence WHERE idx >= (SELECT max(idx) - 2 FROM evidence)"],
        "database-entry-missing",
    )
    .await;
    assert!(tail.entry.is_some());
    check(7, &["UPDATE evidence SET bytes = CAST(replace(CAST(bytes AS TEXT), 'joined', 'joinef') AS BLOB) WHERE idx = 30 OR CAST(bytes AS TEXT) LIKE '%joined%'"], "database-entry-changed").await;
}

#[tokio::test]
async fn what_the_check_of_each_day_finds_is_told_until_it_is_mended() {
    let (world, sequencer, file, _folder) = lived(11).await;
    let told = async || world.findings("evidence-damaged").await;
    world.engine.watch_evidence(&sequencer).await.unwrap();
    assert_eq!(told().await, [""; 0]);
    superuser(&file, &["UPDATE cells SET revision = revision + 7"]).await;
    for _ in 0..2 {
        let report = world.engine.watch_evidence(&sequencer).await.unwrap();
        assert_eq!(report.damage.map(|damage| damage.code).as_deref(), Some("row-changed"));
        assert_eq!(told().await.len(), 1);
    }
    superuser(&file, &["UPDATE cells SET revision = revision - 7"]).await;
    world.engine.watch_evidence(&sequencer).await.unwrap();
    assert_eq!(told().await, [""; 0]);
}

#[tokio::test]
async fn a_past_that_was_written_anew_is_found_with_an_earlier_checkpoint() {
    let (world, sequencer, _file, _folder) = lived(8).await;
    let earlier = sequencer.log().unwrap().checkpoint().to_string();
    // Whoever holds the log's key can make a log that agrees with itself.
    let mut tx = world.store.read().await.unwrap();
    let entries = tx.entries(0, 10_000).await.unwrap();
    drop(tx);
    let forged = tempfile::tempdir().unwrap();
    let signer = || bailiwick_evidence::Signer::from_seed("world.test/log", &[7; 32]).unwrap();
    let mut log = bailiwick_evidence::Log::open(forged.path(), signer()).unwrap();
    let bytes: Vec<Vec<u8>> = entries
        .iter()
        .map(|e| String::from_utf8(e.bytes.clone()).unwrap().replace("\"joined\"", "\"absent\"").into_bytes())
        .collect();
    log.append(&bytes.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
    log.publish().unwrap();
    let keys = [log.verifier().clone()];
    bailiwick_evidence::fsck(forged.path(), &keys, &[]).unwrap();
    let known = bailiwick_evidence::Checkpoint::open(&earlier, &keys).unwrap();
    let error = bailiwick_evidence::fsck(forged.path(), &keys, &[known]).unwrap_err();
    assert_eq!(error.code(), "log-rewritten");
}

#[tokio::test]
async fn a_pack_verifies_with_a_key_and_after_erasing_opens_nothing_personal() {
    let (world, sequencer, _file, _folder) = lived(9).await;
    let ann = world.engine.find_identity("hr/1").await.unwrap().value;
    let key = sequencer.log().unwrap().verifier().clone();
    let pack = world.engine.export(&ann.id.to_string(), &sequencer).await.unwrap();
    let report = verify_pack(pack.as_slice(), Some(std::slice::from_ref(&key))).unwrap();
    assert!(report.records > 10 && report.disclosures > 0, "{report:?}");
    assert!(String::from_utf8_lossy(&pack).contains("ann@x.test"));
    let mut broken = pack.clone();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    verify_pack(broken.as_slice(), Some(std::slice::from_ref(&key))).unwrap_err();

    // An answer that is kept for who asks again may name her.
    let who = world.operator("admin", None).await;
    let seal = world.engine.request_seal(&[b"a request"]);
    let UnderKey::New(begun) = world.engine.begin_request(&who, "an-operation", "k", seal).await.unwrap()
    else {
        panic!("it is new")
    };
    let answer = KeptAnswer::Whole { media: None, body: "ann@x.test".into() };
    world.engine.answer_request(&who, &begun, 200, answer).await.unwrap();

    world.engine.erase(ann.id, Actor::Operator("test".into())).await.unwrap();
    let kept: Vec<KeyedRequest> = world.all(Table::KeyedRequests).await;
    let erased = RequestState::Answered { status: 200, answer: KeptAnswer::Erased };
    assert_eq!(kept.iter().map(|request| &request.state).collect::<Vec<_>>(), [&erased]);
    let pack = world.engine.export(&ann.id.to_string(), &sequencer).await.unwrap();
    verify_pack(pack.as_slice(), Some(&[key])).unwrap();
    let text = String::from_utf8_lossy(&pack).into_owned();
    assert!(!text.contains("ann@x.test") && !text.contains("Archer"), "personal values are left in the pack");
    assert_eq!(world.engine.check_evidence(&sequencer, None).await.unwrap().damage, None);
    // Somebody who is still there keeps what is known of them.
    let bob = world.engine.find_identity("hr/2").await.unwrap().value;
    let error = world.engine.erase(bob.id, Actor::Operator("test".into())).await.unwrap_err();
    assert_eq!(error.code(), "identity-not-left");
}

#[tokio::test]
async fn a_case_has_its_own_pack_and_no_record_holds_a_personal_value() {
    let (world, sequencer, _file, _folder) = lived(10).await;
    let mut tx = world.store.read().await.unwrap();
    let cases = tx.select(&Tenant::single(), Select::from(Table::Cases)).await.unwrap();
    let case: CaseId = cases[0].id.parse().unwrap();
    for entry in tx.entries(0, 10_000).await.unwrap() {
        let text = String::from_utf8(entry.bytes).unwrap();
        assert!(!text.contains("@x.test") && !text.contains("Archer") && !text.contains("hr/1\""), "{text}");
    }
    drop(tx);
    let pack = world.engine.export(&case.to_string(), &sequencer).await.unwrap();
    let report = verify_pack(pack.as_slice(), None).unwrap();
    assert!(report.records >= 8, "{report:?}");
}
