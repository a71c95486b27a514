//! The log of a vault in files of a folder: what a line says, and how files end, are replaced and go on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

#[path = "support/folder.rs"]
mod folder;

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
};

use bailiwick_connector::{Connector, ConnectorError, ErrorKind, Start};
use bailiwick_connectors::vault_log::VaultLog;
use bailiwick_core::{
    audit::{Entry, LOST},
    time::Timestamp,
};
use serde_json::{Value, json};

/// A folder with a log in it.
struct Folder {
    home: tempfile::TempDir,
    log: VaultLog,
}

fn t(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A line of the log, as the server writes it: `extra` goes over what is usual.
fn line(second: i64, operation: &str, path: &str, extra: Value) -> String {
    let mut all = json!({
        "type": "response",
        "auth": {"display_name": "userpass-alice", "entity_id": "e-alice", "policies": ["default", "admin"]},
        "request": {
            "id": format!("r{second}"), "operation": operation, "mount_type": "identity", "namespace": {"id": "root"},
            "path": path, "client_token": "hmac-sha256:00", "remote_address": "127.0.0.1",
        },
        "response": {"mount_type": "identity"},
    });
    merge(&mut all, extra);
    // The time comes first, which an object would not keep.
    format!("{{\"time\":\"{}\",{}", t(second), &all.to_string()[1..])
}

fn merge(into: &mut Value, extra: Value) {
    match (into, extra) {
        (Value::Object(into), Value::Object(extra)) => {
            for (name, value) in extra {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, extra) => *into = extra,
    }
}

fn disables(second: i64, id: &str) -> String {
    let data = json!({"request": {"data": {"disabled": true}}});
    line(second, "update", &format!("identity/entity/id/{id}"), data)
}

fn reads(second: i64) -> String {
    line(second, "read", "secret/data/x", json!({}))
}

impl Folder {
    fn new(settings: Value) -> Self {
        let mut all = json!({"ours": ["e-hub", "token-hub"]});
        merge(&mut all, settings);
        Self { home: tempfile::tempdir().unwrap(), log: VaultLog::new(&all).unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Adds bytes to a file.
    fn add(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(bytes.as_ref()).unwrap();
    }

    fn lines(&self, name: &str, lines: &[String]) {
        lines.iter().for_each(|line| self.add(name, format!("{line}\n")));
    }

    /// Everything from a place on, so many at a time, and how it ended.
    async fn read(&self, from: Start<'_>, size: u32) -> (Vec<Entry>, Result<(), ConnectorError>) {
        let line = folder::line(self.home.path());
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let (before, mark) = (all.len(), all.last().map(|entry| entry.mark.clone()));
            let from = mark.as_deref().map_or(from, Start::Mark);
            let read = self.log.audit(&line, from, size, &mut |entry| all.push(entry)).await;
            if read.is_err() || all.len() == before {
                return (all, read);
            }
        }
    }

    async fn all(&self) -> Vec<Entry> {
        let (all, read) = self.read(Start::Instant(Timestamp::MIN), 100).await;
        read.unwrap();
        all
    }

    async fn after(&self, mark: &str) -> Result<Vec<String>, ConnectorError> {
        let (all, read) = self.read(Start::Mark(mark), 100).await;
        read.map(|()| all.iter().map(short).collect())
    }
}

/// Whom and what an entry is about.
fn short(entry: &Entry) -> String {
    let whom = entry.account.as_ref().map(|id| format!("#{id}"));
    let whom = whom.or_else(|| entry.name.as_ref().map(|name| format!("={name}")));
    let whom = whom.or_else(|| entry.group.as_ref().map(|group| format!("in {group}")));
    let ours = if entry.ours { "ours " } else { "" };
    format!("{ours}{:?} {}", entry.about, whom.unwrap_or_default()).trim_end().to_owned()
}

#[tokio::test]
async fn a_line_says_who_did_what_to_whom() {
    let body = |data: Value| json!({"request": {"data": data}});
    let hashed = "hmac-sha256:00";
    let members = || body(json!({"member_entity_ids": [hashed]}));
    let approle = json!({"request": {"mount_type": "approle"}});
    let made =
        json!({"request": {"data": {"name": hashed}}, "response": {"data": {"id": hashed, "name": hashed}}});
    let made_with_roles =
        json!({"request": {"data": {"policies": [hashed]}}, "response": {"data": {"id": hashed}}});
    let token = |id: &str| json!({"response": {"auth": {"client_token": hashed, "entity_id": id}}});
    for (operation, path, extra, expect) in [
        (
            "update",
            "identity/entity/id/u1",
            body(json!({"disabled": true})),
            &["Taken(PrimaryAccount) #u1"][..],
        ),
        ("update", "identity/entity/id/u1", body(json!({"disabled": false})), &["Given(PrimaryAccount) #u1"]),
        (
            "update",
            "identity/entity/id/u1",
            body(json!({"disabled": hashed})),
            &["Changed(PrimaryAccount) #u1"],
        ),
        (
            "update",
            "identity/entity/id/u1",
            body(json!({"disabled": true, "metadata": {"a": hashed}})),
            &["Changed(PrimaryAccount) #u1"],
        ),
        ("update", "identity/entity/id/u1", body(json!({"policies": [hashed]})), &["Changed(Roles) #u1"]),
        (
            "update",
            "identity/entity/id/u1",
            body(json!({"policies": [hashed], "disabled": true})),
            &["Taken(PrimaryAccount) #u1", "Changed(Roles) #u1"],
        ),
        ("update", "identity/entity/id/u1", json!({}), &["Changed(PrimaryAccount) #u1"]),
        ("delete", "identity/entity/id/u1", json!({}), &["End #u1"]),
        (
            "update",
            "identity/entity/name/ann/x",
            body(json!({"metadata": {}})),
            &["Changed(PrimaryAccount) =ann/x"],
        ),
        ("delete", "identity/entity/name/ann", json!({}), &["End =ann"]),
        // Of what stands in the body alone, it is not known whom.
        ("update", "identity/entity", made.clone(), &["Given(PrimaryAccount)"]),
        ("update", "identity/entity/name/eve", made, &["Given(PrimaryAccount)"]),
        ("update", "identity/entity", made_with_roles, &["Given(PrimaryAccount)", "Given(Roles)"]),
        ("update", "identity/entity", body(json!({"policies": [hashed]})), &["Changed(Roles)"]),
        ("update", "identity/entity", body(json!({"name": hashed})), &["Changed(PrimaryAccount)"]),
        (
            "update",
            "identity/entity",
            body(json!({"name": hashed, "disabled": true})),
            &["Taken(PrimaryAccount)"],
        ),
        (
            "update",
            "identity/entity/id/u1",
            body(json!({"name": hashed, "disabled": true})),
            &["Changed(PrimaryAccount) #u1"],
        ),
        ("update", "identity/entity/batch-delete", body(json!({"entity_ids": [hashed]})), &["End"]),
        (
            "update",
            "identity/entity/merge",
            json!({}),
            &["End", "Changed(SecondaryAccounts)", "Changed(DirectGroups)", "Changed(Roles)"],
        ),
        ("update", "identity/entity-alias", json!({}), &["Changed(SecondaryAccounts)"]),
        ("delete", "identity/entity-alias/id/a1", json!({}), &["Changed(SecondaryAccounts)"]),
        ("update", "identity/group/id/g1", members(), &["Changed(DirectGroups) in g1"]),
        (
            "update",
            "identity/group/id/g1",
            body(json!({"member_group_ids": [hashed]})),
            &["Changed(NestedGroups) in g1"],
        ),
        ("update", "identity/group/id/g1", body(json!({"policies": [hashed]})), &[]),
        ("update", "identity/group/name/g", members(), &["Changed(DirectGroups)"]),
        ("update", "identity/group", members(), &["Changed(DirectGroups)"]),
        (
            "delete",
            "identity/group/id/g1",
            json!({}),
            &["Taken(DirectGroups) in g1", "Taken(NestedGroups) in g1"],
        ),
        ("update", "auth/token/create", token("u2"), &["Given(VaultTokens) #u2"]),
        ("update", "auth/token/create-orphan", token(""), &["Given(VaultTokens)"]),
        ("update", "auth/token/revoke-accessor", json!({}), &["Taken(VaultTokens)"]),
        ("update", "sys/leases/revoke", json!({}), &["Taken(VaultTokens)"]),
        ("update", "sys/leases/revoke-prefix/database", json!({}), &["Taken(VaultTokens)"]),
        ("update", "auth/approle/role/svc/secret-id", approle.clone(), &["Given(ApiTokens)"]),
        ("update", "auth/x/role/svc/secret-id-accessor/destroy", approle.clone(), &["Taken(ApiTokens)"]),
        ("update", "auth/approle/role/svc/secret-id-accessor/lookup", approle.clone(), &[]),
        ("delete", "auth/approle/role/svc", approle, &["Taken(ApiTokens)"]),
        // What changes nothing, was refused, or is not answered.
        ("read", "identity/entity/id/u1", json!({}), &[]),
        ("update", "identity/lookup/entity", json!({}), &[]),
        ("update", "auth/token/lookup-accessor", json!({}), &[]),
        ("update", "auth/token/revoke-self", json!({}), &[]),
        ("update", "auth/userpass/login/ann", token("u1"), &[]),
        ("delete", "identity/entity/id/u1", json!({"type": "request", "response": null}), &[]),
        ("delete", "identity/entity/id/u1", json!({"error": "permission denied"}), &[]),
        ("delete", "identity/entity/id/u1", json!({"response": {"data": {"error": hashed}}}), &[]),
        ("delete", "identity/entity/id/u1", json!({"type": "else"}), &[]),
        (
            "delete",
            "identity/entity/id/u1",
            json!({"request": {"namespace": {"id": "x", "path": "t1/"}}}),
            &[],
        ),
        // Whose deed it is.
        ("delete", "identity/entity/id/u1", json!({"auth": {"entity_id": "e-hub"}}), &["ours End #u1"]),
        (
            "delete",
            "identity/entity/id/u1",
            json!({"auth": {"entity_id": null, "display_name": "token-hub"}}),
            &["ours End #u1"],
        ),
    ] {
        let folder = Folder::new(json!({}));
        let text = line(1_000, operation, path, extra);
        folder.lines("audit.log", std::slice::from_ref(&text));
        let all = folder.all().await;
        assert_eq!(all.iter().map(short).collect::<Vec<_>>(), expect, "{text}");
        assert!(all.iter().all(|entry| entry.at == t(1_000)), "{text}");
    }
}

#[tokio::test]
async fn who_did_it_is_named_and_nobody_else_is() {
    let folder = Folder::new(json!({"namespace": "t1/app"}));
    let space = json!({"request": {"namespace": {"id": "x", "path": "t1/app/"}}});
    let without = json!({"request": {"namespace": {"path": "t1/app/"}}, "auth": {"entity_id": "", "display_name": "root"}});
    let nobody = json!({"request": {"namespace": {"path": "t1/app/"}}, "auth": null});
    let path = "identity/entity/name/ann";
    let lines =
        [line(1, "delete", path, space), line(2, "delete", path, without), line(3, "delete", path, nobody)];
    folder.lines("audit.log", &lines[..2]);
    let all = folder.all().await;
    let said: Vec<_> = all.iter().map(|entry| (&*entry.actor, &*entry.deed)).collect();
    let deed = "delete identity/entity/name";
    assert_eq!(said, [("userpass-alice (e-alice)", deed), ("root", deed)]);
    // The rest of the root namespace is another one's.
    folder.lines("audit.log", &[disables(3, "u1")]);
    assert_eq!(folder.all().await.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_that_says_where() {
    let good = disables(1, "u1");
    let bad: [&[u8]; 9] = [
        b"garbage",
        b"",
        b"null",
        b"[]",
        b"{}",
        br#"{"time":"2026-11-28T09:00:00Z"}"#,
        br#"{"time":"yesterday","type":"response"}"#,
        b"{\"time\":\"2026-11-28T09:00:00Z\",\"type\":\"\xff\"}",
        &good.as_bytes()[..good.len() - 1],
    ];
    for bad in bad {
        let folder = Folder::new(json!({}));
        folder.lines("audit.log", std::slice::from_ref(&good));
        folder.add("audit.log", bad);
        folder.add("audit.log", "\n");
        let line = folder::line(folder.home.path());
        folder.log.check(&line).await.unwrap();
        let (seen, read) = folder.read(Start::Instant(Timestamp::MIN), 1).await;
        let error = read.unwrap_err();
        assert_eq!((seen.len(), error.kind), (1, ErrorKind::Malformed), "{bad:?}");
        let at = good.len() + 1 + bad.len() + 1;
        assert!(
            error
                .message
                .contains(&format!("`audit.log`: the line that ends at or goes on behind byte {at}")),
            "{error}"
        );
    }
    let folder = Folder::new(json!({}));
    let line = folder::line(folder.home.path());
    assert_eq!(folder.log.check(&line).await.unwrap_err().kind, ErrorKind::NotFound);
    folder.add("audit.log", "a,b\n");
    assert_eq!(folder.log.check(&line).await.unwrap_err().kind, ErrorKind::Malformed);
}

#[tokio::test]
async fn half_a_line_is_read_when_it_is_whole() {
    let folder = Folder::new(json!({}));
    folder.add("audit.log", "");
    assert_eq!(folder.all().await, []);
    let (one, two) = (disables(1, "u1"), disables(2, "u2"));
    folder.add("audit.log", &one);
    assert_eq!(folder.all().await, []);
    folder.add("audit.log", "\n");
    let seen = folder.all().await;
    assert_eq!(seen.len(), 1);
    let mark = &seen[0].mark;
    for part in [&two[..10], &two[10..]] {
        assert_eq!(folder.after(mark).await.unwrap(), [""; 0]);
        folder.add("audit.log", part);
    }
    folder.add("audit.log", "\n");
    assert_eq!(folder.after(mark).await.unwrap(), ["Taken(PrimaryAccount) #u2"]);
}

#[tokio::test]
async fn whatever_is_read_at_a_time_and_in_whatever_order_it_is_the_same() {
    let folder = Folder::new(json!({}));
    let both = json!({"request": {"data": {"policies": [], "disabled": true}}});
    // A request that took long is written after a later one.
    let lines: Vec<String> = (0..40)
        .flat_map(|n| {
            [
                reads(n),
                disables(n + 3 * (n % 2), &n.to_string()),
                line(n, "update", "identity/entity/id/x", both.clone()),
            ]
        })
        .collect();
    folder.lines("audit.log", &lines);
    let all = folder.all().await;
    assert_eq!(all.len(), 40 * 3);
    for size in [0, 1, 2, 7] {
        assert_eq!(folder.read(Start::Instant(Timestamp::MIN), size).await.0, all, "{size}");
    }
    // Each mark gives what comes after its line.
    for (place, entry) in all.iter().enumerate() {
        let after = all[place + 1..].iter().filter(|later| later.mark != entry.mark).map(short);
        assert_eq!(folder.after(&entry.mark).await.unwrap(), after.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_file_that_is_followed_by_another_goes_on_there_or_is_lost() {
    let (kept, alone) = (Folder::new(json!({"rotated": "audit.log.1"})), Folder::new(json!({})));
    let lost = async |folder: &Folder, mark: &str| folder.after(mark).await.unwrap_err().code() == LOST;
    for (folder, keeps) in [(&kept, true), (&alone, false)] {
        folder.lines("audit.log", &[disables(1, "u1"), disables(2, "u2")]);
        let all = folder.all().await;
        let rename = |from: &str, to: &str| fs::rename(folder.path(from), folder.path(to)).unwrap();
        rename("audit.log", "audit.log.1");
        // The server still writes into the old one until it is told, whether or not the new one is there.
        folder.lines("audit.log.1", &[disables(3, "u3")]);
        let rest = ["Taken(PrimaryAccount) #u2", "Taken(PrimaryAccount) #u3"];
        match keeps {
            true => assert_eq!(folder.after(&all[0].mark).await.unwrap(), rest),
            false => assert_eq!(folder.after(&all[0].mark).await.unwrap_err().kind, ErrorKind::NotFound),
        }
        folder.add("audit.log", "");
        folder.lines("audit.log.1", &[disables(4, "u4")]);
        folder.lines("audit.log", &[reads(5), disables(6, "u6")]);
        if keeps {
            let (seen, read) = folder.read(Start::Mark(&all[1].mark), 1).await;
            read.unwrap();
            assert_eq!(
                seen.iter().map(short).collect::<Vec<_>>(),
                ["u3", "u4", "u6"].map(|id| format!("Taken(PrimaryAccount) #{id}"))
            );
            // Without a mark, the one before counts too where it is asked for.
            let whole: Vec<_> = folder.all().await.iter().map(short).collect();
            assert_eq!(
                whole,
                ["u1", "u2", "u3", "u4", "u6"].map(|id| format!("Taken(PrimaryAccount) #{id}"))
            );
            let young = folder.read(Start::Instant(t(5)), 100).await.0;
            assert_eq!(young.iter().map(short).collect::<Vec<_>>(), ["Taken(PrimaryAccount) #u6"]);
        } else {
            assert!(lost(folder, &all[1].mark).await);
        }
        // Twice since: nobody knows what was in between.
        rename("audit.log", "audit.log.1");
        folder.lines("audit.log", &[disables(7, "u7")]);
        assert!(lost(folder, &all[1].mark).await);
    }
    // A file that ends in the middle of a line and is followed by another.
    let folder = Folder::new(json!({"rotated": "audit.log.1"}));
    folder.lines("audit.log.1", &[disables(1, "u1")]);
    folder.add("audit.log.1", "{\"time\":");
    let mark = folder.read(Start::Instant(t(0)), 1).await.0[0].mark.clone();
    assert_eq!(folder.after(&mark).await.unwrap(), [""; 0]);
    folder.lines("audit.log", &[disables(2, "u2")]);
    assert_eq!(folder.after(&mark).await.unwrap_err().kind, ErrorKind::Malformed);
}

#[tokio::test]
async fn a_file_that_was_replaced_or_cut_is_lost() {
    let folder = Folder::new(json!({}));
    folder.lines("audit.log", &[disables(1, "u1"), disables(2, "u2"), disables(3, "u3")]);
    let all = folder.all().await;
    let whole = fs::read(folder.path("audit.log")).unwrap();
    let first = disables(1, "u1").len() + 1;
    for (bytes, what) in [
        (whole[..first].to_vec(), "cut"),
        (whole[first..].to_vec(), "without its first line"),
        ([&whole[..first], b"x", &whole[first..]].concat(), "moved"),
        (Vec::new(), "emptied"),
        (whole.iter().map(|byte| if *byte == b'1' { b'2' } else { *byte }).collect(), "another one"),
    ] {
        fs::write(folder.path("audit.log"), bytes).unwrap();
        assert_eq!(folder.after(&all[1].mark).await.unwrap_err().code(), LOST, "{what}");
    }
    for mark in ["", "x", "7", "1.", "99999999999999999999.x", "18446744073709551615.x"] {
        assert_eq!(folder.after(mark).await.unwrap_err().code(), LOST, "{mark}");
    }
    fs::remove_file(folder.path("audit.log")).unwrap();
    let error = folder.after(&all[1].mark).await.unwrap_err();
    assert_eq!((error.kind, error.code() == LOST), (ErrorKind::NotFound, false));
    fs::write(folder.path("audit.log"), whole).unwrap();
    assert_eq!(folder.after(&all[1].mark).await.unwrap(), ["Taken(PrimaryAccount) #u3"]);
}

#[tokio::test]
async fn a_line_is_as_long_as_the_server_makes_it() {
    let folder = Folder::new(json!({}));
    let keys: Vec<String> = (0..40_000).map(|n| format!("hmac-sha256:{n:064}")).collect();
    let listed = line(2, "list", "identity/entity/id", json!({"response": {"data": {"keys": keys}}}));
    assert!(listed.len() > 3 << 20);
    folder.lines("audit.log", &[disables(1, "u1"), listed, disables(3, "u3")]);
    let all = folder.all().await;
    assert_eq!(
        all.iter().map(short).collect::<Vec<_>>(),
        ["Taken(PrimaryAccount) #u1", "Taken(PrimaryAccount) #u3"]
    );
    folder.add("audit.log", vec![b' '; (64 << 20) + 2]);
    let error = folder.after(&all[1].mark).await.unwrap_err();
    assert!(error.kind == ErrorKind::Malformed && error.message.contains("64 MiB"), "{error}");
}

#[tokio::test]
async fn a_long_log_is_read_from_an_instant_and_marked_where_it_has_no_deeds() {
    let folder = Folder::new(json!({}));
    let mut text = String::new();
    for n in 0..10_000 {
        text += &format!("{}\n{}\n", reads(n), reads(n));
        if n % 100 == 0 {
            text += &format!("{}\n", disables(n, &n.to_string()));
        }
    }
    assert!(text.len() > 4 << 20);
    folder.add("audit.log", &text);
    assert_eq!(folder.all().await.len(), 100);
    let (since, read) = folder.read(Start::Instant(t(9_500)), 100).await;
    read.unwrap();
    let asked = since.iter().filter(|entry| entry.at >= t(9_500)).count();
    assert!(asked == 5 && since.len() < 40, "{} of {asked}", since.len());
    // Then nobody changes anything for long.
    let last = since.last().unwrap().mark.clone();
    assert_eq!(folder.after(&last).await.unwrap(), [""; 0]);
    folder.add("audit.log", (10_000..14_000).map(|n| format!("{}\n", reads(n))).collect::<String>());
    let (passed, read) = folder.read(Start::Mark(&last), 100).await;
    read.unwrap();
    let [one] = &passed[..] else { panic!("{passed:?}") };
    assert_eq!((short(one), &*one.actor, one.at), ("Anything".to_owned(), "-", t(13_999)));
    assert_eq!(folder.after(&one.mark).await.unwrap(), [""; 0]);
}

#[test]
fn settings_that_will_not_do_are_refused() {
    for (settings, word) in [
        (Value::Null, "ours"),
        (json!({"ours": []}), "ours"),
        (json!({"ours": [" "]}), "ours"),
        (json!({"ours": ["x"], "file": "../x"}), "`../x`"),
        (json!({"ours": ["x"], "file": ""}), "``"),
        (json!({"ours": ["x"], "rotated": "a//b"}), "`a//b`"),
        (json!({"ours": ["x"], "rotated": "audit.log"}), "rotated"),
        (json!({"ours": ["x"], "namespace": "t1/"}), "namespace"),
        (json!({"ours": ["x"], "else": 1}), "else"),
        (json!([]), "vault-log"),
    ] {
        let error = VaultLog::new(&settings).err().unwrap();
        assert!(error.kind == ErrorKind::Settings && error.message.contains(word), "{settings}: {error}");
    }
    VaultLog::new(&json!({"ours": ["x"], "file": "bao/audit.log", "rotated": "bao/audit.log.1"})).unwrap();
}
