//! The CSV connector against files in a folder.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

#[path = "support/page.rs"]
mod page;

use std::{fs, path::Path, sync::Arc};

use async_trait::async_trait;
use bailiwick_connector::{
    Broker, Connector, ConnectorError, ErrorKind, Line, Listing, Locator, Object, ObjectState, ObjectValue,
    broker::{HttpLimits, HttpTransport},
    seal::SealKey,
    testkit::{self, Fixtures, Hands, Ids, Seeded, Sentence, Subject, TrueAccount, Verdict},
};
use bailiwick_connectors::csv::Csv;
use bailiwick_core::{
    id::{IntegrationName, SystemName, Tenant},
    integration::{Integration, Purpose, Role, Standing},
    scope::Scope,
};
use serde_json::{Value, json};

fn line(folder: &Path) -> Line {
    let integration = Integration {
        name: IntegrationName::new("hr").unwrap(),
        purpose: "people".into(),
        owner: "hr/1".into(),
        backup: "hr/2".into(),
        connector: "csv".into(),
        endpoint: format!("file:{}", folder.display()),
        role: Role::Target { system: SystemName::new("hr").unwrap() },
        scope: Scope { rules: vec!["list READ /{file}".parse().unwrap()], ..Scope::default() },
        settings: Value::Null,
        standing: Standing::Enabled,
        register: Default::default(),
        gates: Default::default(),
        kill: None,
    };
    let transport = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
    let key = Arc::new(SealKey::generate(&Seeded::new(1)));
    Broker::new(Tenant::single(), transport, Arc::new(Hands::default()), key).line(
        &integration,
        Purpose::Verify,
        None,
    )
}

async fn people(connector: &Csv, line: &Line, size: u32) -> Result<Vec<Object<'static>>, ConnectorError> {
    let (mut people, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut visit = |person: Object<'_>| people.push(person.into_owned());
        let page = connector.list(line, Listing::People, cursor.as_deref(), size, &mut visit).await?;
        assert!(page.complete);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(people),
        }
    }
}

/// What the settings make of the bytes, each person as one text.
async fn read(settings: Value, bytes: &[u8]) -> Result<Vec<String>, ConnectorError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("feed.csv"), bytes).unwrap();
    let people = people(&Csv::new(&settings)?, &line(folder.path()), 2).await?;
    Ok(people.iter().map(shown).collect())
}

fn shown(person: &Object<'_>) -> String {
    let state = if person.state == ObjectState::Blocked { "-" } else { "" };
    let value = |value: &ObjectValue<'_>| match value {
        ObjectValue::Text(text) => format!("{text}"),
        ObjectValue::Flag(flag) => format!("{flag}"),
        ObjectValue::Many(many) => format!("{{{}}}", many.join("|")),
        ObjectValue::Null => "∅".into(),
    };
    let attributes: Vec<String> =
        person.attributes.iter().map(|(n, v)| format!("{n}={}", value(v))).collect();
    format!("{state}{} {}: {}", person.id, person.name, attributes.join(" "))
}

#[tokio::test]
async fn rows_become_people() {
    let check = async |settings: Value, text: &str, expect: &[&str]| {
        assert_eq!(read(settings.clone(), text.as_bytes()).await.unwrap(), expect, "{settings} {text:?}");
    };
    check(json!({"key": "id"}), "id\n1\n2\n3\n", &["1 1: ", "2 2: ", "3 3: "]).await;
    check(json!({"key": "id"}), "", &[]).await;
    check(json!({"key": "id"}), "\u{feff}", &[]).await;
    check(json!({"key": "id"}), "\r\n\r\n", &[]).await;
    check(json!({"key": "id"}), "id,x", &[]).await;
    check(json!({"key": "id"}), "\u{feff}\"id\",x\r\n 7 ,\r\n", &[" 7   7 : "]).await;
    check(
        json!({"key": "No", "name": "Who", "columns": {"dept": "Dept", "mail": "E-Mail"}, "delimiter": ";"}),
        "Who;No; Dept ;E-Mail\n\"Smith; Ann\";0012;R&D;a@b\nBo;12;;\"\"\n",
        &["0012 Smith; Ann: dept=R&D mail=a@b", "12 Bo: dept=∅ mail=∅"],
    )
    .await;
    check(
        json!({"key": "k", "columns": {"n": "n", "f": "f", "s": "s", "d": "d"}, "separator": "|",
            "types": {"n": "number", "f": "flag", "s": "text-set", "d": "date"}, "null_values": ["", "NULL"]}),
        "k,n,f,s,d\n1, 007,Yes,b| a||b,2024-02-29\n2,-3,0,,NULL\nNULL,NULL,NULL,NULL,NULL\n",
        &["1 1: d=2024-02-29 f=true n=7 s={a|b}", "2 2: d=∅ f=false n=-3 s=∅", " : d=∅ f=∅ n=∅ s=∅"],
    )
    .await;
    check(
        json!({"key": "k", "start": "in", "end": "out", "date_format": "%d.%m.%Y", "zone": "Europe/Berlin",
            "zone_column": "tz", "status": "st", "terminated": ["L", "X"], "active": ["A", ""]}),
        "k,in,out,tz,st\n1,01.03.2026,,,A\n2,,30.11.2026,Asia/Tokyo,L\n3,,,,\n",
        &[
            "1 1: start=2026-03-01 end=∅ zone=Europe/Berlin status=active",
            "-2 2: start=∅ end=2026-11-30 zone=Asia/Tokyo status=terminated",
            "3 3: start=∅ end=∅ zone=Europe/Berlin status=active",
        ],
    )
    .await;
    // Judging keys is intake's.
    check(json!({"key": "k"}), "k\n1\n1\n\"\"\n", &["1 1: ", "1 1: ", " : "]).await;
}

#[tokio::test]
async fn a_feed_is_read_in_its_encoding() {
    let settings = |encoding: &str, delimiter: &str| json!({"key": "id", "columns": {"n": "name"}, "encoding": encoding, "delimiter": delimiter});
    let text = "id,name\n1,Zoë “€”\n\"𝄞,x\",李\n";
    let expect = vec!["1 1: n=Zoë “€”".to_owned(), "𝄞,x 𝄞,x: n=李".to_owned()];
    let wide = |big: bool, bom: bool| -> Vec<u8> {
        let units = bom.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        units.flat_map(|u: u16| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    };
    for (encoding, bytes) in [
        ("utf-8", text.as_bytes().to_vec()),
        ("utf-8", ["\u{feff}".as_bytes(), text.as_bytes()].concat()),
        ("windows-1252", ["\u{feff}".as_bytes(), text.as_bytes()].concat()),
        ("utf-16le", wide(false, false)),
        ("utf-16be", wide(true, false)),
        ("utf-8", wide(false, true)),
        ("utf-8", wide(true, true)),
        ("utf-16le", wide(true, true)),
    ] {
        assert_eq!(read(settings(encoding, ","), &bytes).await.unwrap(), expect, "{encoding} {bytes:?}");
    }
    for (encoding, bytes, name) in [
        ("windows-1252", &b"id,name\n1,Zo\xeb \x93\x80\x94\n"[..], "Zoë “€”"),
        ("iso-8859-2", b"id,name\n1,\xa9koda\n", "Škoda"),
        ("shift_jis", b"id,name\n1,\x83\x5c\x83\x7c\n", "ソポ"),
        ("gb18030", b"id,name\n1,\xc0\xee\n", "李"),
    ] {
        assert_eq!(
            read(settings(encoding, ","), bytes).await.unwrap(),
            [format!("1 1: n={name}")],
            "{encoding}"
        );
    }
    for (encoding, bytes, place) in [
        ("utf-8", &b"id,name\n1,Zo\xeb\n"[..], "line 2, column 5"),
        ("utf-8", b"id,name\r\n\r\n1,\"a\r\nZ\xc3\xb6\xff\"\r\n", "line 4, column 3"),
        ("utf-8", b"id,n\0me\n", "line 1, column 5"),
        ("windows-1252", b"id,name\n1,Zo\xc3\xab \x81\n", "line 2, column 8"),
        ("shift_jis", b"id,name\n1,\x83\x5c\xff\n", "line 2, column 4"),
        ("utf-16le", b"i\0d\0\n\0\x00\xd8x\0", "line 2, column 1"),
        ("utf-16le", b"i\0d\0\n\x001\0\n\0x", "line 3, column 1"),
    ] {
        let error = read(settings(encoding, ","), bytes).await.unwrap_err();
        let place = place.replace(", column", " column");
        assert_eq!(error.code(), "feed-bad-encoding", "{encoding} {bytes:?}: {error}");
        assert!(error.message.contains(&place), "{encoding} {bytes:?}: {error}");
    }
    for (encoding, delimiter) in
        [("utf-9", ","), ("iso-2022-jp", ","), ("shift_jis", "|"), ("replacement", ",")]
    {
        let error = read(settings(encoding, delimiter), b"").await.unwrap_err();
        assert!(error.kind == ErrorKind::Settings && error.message.contains("`encoding`"), "{error}");
    }
}

#[tokio::test]
async fn a_bad_feed_says_what_and_where() {
    let settings = json!({"key": "Employee ID", "columns": {"dept": "Dept", "n": "N", "f": "F"},
        "types": {"n": "number", "f": "flag"}, "start": "Start", "status": "State", "active": ["A"]});
    let head = "Employee ID,Dept,N,F,Start,State\n";
    let good = "1,x,1,yes,2024-01-01,A\n";
    for (text, code, says) in [
        (
            "Employee ID,N,F,Start,State\n".to_owned(),
            "feed-missing-column",
            "no column `Dept`; its columns are `Employee ID`, `N`, `F`, `Start`, `State`",
        ),
        ("employee id,Dept\n".to_owned(), "feed-missing-column", "`employee id`"),
        (format!("Dept,{head}"), "feed-double-column", "`Dept`"),
        (format!("{head}{good}2,x\n"), "feed-ragged-row", "line 3 has 2 cells, and the header has 6"),
        (format!("{head}{good}2,x,1,yes,2024-01-01,A,\n"), "feed-ragged-row", "line 3 has 7 cells"),
        (
            format!("{head}{good}2,a\"b,1,yes,2024-01-01,A\n"),
            "feed-bad-quote",
            "line 3 has a quote in the middle",
        ),
        (
            format!("{head}{good}2,\"a,1,yes,2024-01-01,A\n{good}"),
            "feed-bad-quote",
            "line 3 begins a record with a quote",
        ),
        (
            format!("{head}2,x,1.5,yes,2024-01-01,A\n"),
            "feed-bad-value",
            "line 2 has `1.5` for `n`, which is not a whole number",
        ),
        (format!("{head}\n2,x,1,perhaps,2024-01-01,A\n"), "feed-bad-value", "line 3 has `perhaps` for `f`"),
        (
            format!("{head}2,x,1,no,2023-02-29,A\n"),
            "feed-bad-value",
            "line 2 has `2023-02-29` for `start`, which is not a date of the form `%Y-%m-%d`",
        ),
        (format!("{head}2,x,1,no,2024-01-01 10:00,A\n"), "feed-bad-value", "line 2"),
        (format!("{head}2,x,1,no,2024-01-01,B\n"), "feed-bad-value", "line 2 has `B` for `status`"),
    ] {
        let error = read(settings.clone(), text.as_bytes()).await.unwrap_err();
        assert_eq!((error.kind, error.code()), (ErrorKind::Malformed, code), "{text}");
        assert!(error.message.contains(says) && !error.message.contains(code), "{text}: {error}");
        assert!(error.message.starts_with("`feed.csv`: "), "{error}");
    }
    let swallowed = format!("{head}{good}\"{}", "x,".repeat(1 << 20));
    let error = read(settings, swallowed.as_bytes()).await.unwrap_err();
    assert_eq!(error.code(), "feed-bad-quote");
    assert!(error.message.contains("line 3 begins a record of more than 1 MiB"), "{error}");
}

#[tokio::test]
async fn a_bad_setting_is_named() {
    for (settings, name) in [
        (json!({}), "key"),
        (json!([]), "settings"),
        (json!({"key": 3}), "key"),
        (json!({"key": "k", "colums": {}}), "colums"),
        (json!({"key": "k", "columns": {"start": "x"}}), "columns"),
        (json!({"key": "k", "columns": ["x"]}), "columns"),
        (json!({"key": "k", "types": {"x": "text"}}), "types"),
        (json!({"key": "k", "columns": {"x": "x"}, "types": {"x": "float"}}), "types"),
        (json!({"key": "k", "delimiter": ",,"}), "delimiter"),
        (json!({"key": "k", "delimiter": "\""}), "delimiter"),
        (json!({"key": "k", "delimiter": "a"}), "delimiter"),
        (json!({"key": "k", "separator": "ab"}), "separator"),
        (json!({"key": "k", "date_format": "%d.%m."}), "date_format"),
        (json!({"key": "k", "date_format": "%Q"}), "date_format"),
        (json!({"key": "k", "zone": "Mars/Base"}), "zone"),
        (json!({"key": "k", "file": "../x"}), "file"),
        (json!({"key": "k", "active": ["terminated"]}), "active"),
    ] {
        let error = Csv::new(&settings).err().unwrap();
        assert!(
            error.kind == ErrorKind::Settings && error.message.contains(&format!("`{name}`")),
            "{settings}: {error}"
        );
    }
}

#[tokio::test]
async fn a_missing_file_a_replaced_file_and_a_strange_cursor_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (connector, line) =
        (Csv::new(&json!({"key": "id", "file": "hr 1.csv"})).unwrap(), line(folder.path()));
    let error = connector.check(&line).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::NotFound, "feed-missing"));
    assert!(error.message.starts_with("`hr 1.csv`: "), "{error}");
    let path = folder.path().join("hr 1.csv");
    fs::write(&path, "id\n1\n2\n3\n").unwrap();
    connector.check(&line).await.unwrap();
    let mut visit = |_: Object<'_>| {};
    let page = connector.list(&line, Listing::People, None, 1, &mut visit).await.unwrap();
    fs::write(&path, "id\n1\n2\n3\n4\n").unwrap();
    for (cursor, kind, code) in [
        (page.next.as_deref(), ErrorKind::Stale, "feed-changed"),
        (Some("x"), ErrorKind::Invalid, "system-refuses"),
        (Some("1.2"), ErrorKind::Invalid, "system-refuses"),
        (Some("99999.1.x"), ErrorKind::Stale, "feed-changed"),
    ] {
        let mut visit = |_: Object<'_>| panic!("nothing is shown");
        let error = connector.list(&line, Listing::People, cursor, 1, &mut visit).await.unwrap_err();
        assert_eq!((error.kind, error.code()), (kind, code), "{cursor:?}");
    }
}

#[tokio::test]
async fn pages_of_any_size_over_many_windows_are_the_whole_file() {
    let random = Seeded::new(11);
    let mut text = "id,note\r\n".to_owned();
    let mut expect = Vec::new();
    for id in 0..3_000_u64 {
        let length = usize::try_from(random.next() % 200).unwrap();
        let note: String = (0..length)
            .map(|_| ["x", "ü", "𝄞", ",", "\"\"", "\r\n"][usize::try_from(random.next() % 6).unwrap()])
            .collect();
        text += &format!("{id},\"{note}\"\r\n");
        expect.push((id.to_string(), note.replace("\"\"", "\"")));
    }
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (encoding, bytes) in [("utf-8", text.as_bytes()), ("utf-16le", &wide)] {
        assert!(bytes.len() > 5 * (64 << 10));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("feed.csv"), bytes).unwrap();
        let settings =
            json!({"key": "id", "columns": {"note": "note"}, "encoding": encoding, "null_values": []});
        let (connector, line) = (Csv::new(&settings).unwrap(), line(folder.path()));
        for size in [7, 250, 10_000] {
            let people = people(&connector, &line, size).await.unwrap();
            let got: Vec<(String, String)> = people
                .iter()
                .map(|p| match p.attribute("note") {
                    Some(ObjectValue::Text(note)) => (p.id.to_string(), note.to_string()),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert!(got == expect, "{encoding} by {size}");
        }
        let last = connector.get(&line, Locator::Person("2999")).await.unwrap().unwrap();
        assert_eq!(last.id, "2999");
    }
}

#[tokio::test]
async fn arbitrary_bytes_are_people_or_an_error_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.csv");
    let line = line(folder.path());
    let connectors = ["utf-8", "utf-16le", "windows-1252", "shift_jis", "gb18030"].map(|encoding| {
        let settings = json!({"key": "a", "columns": {"b": "b"}, "types": {"b": "number"}, "end": "b", "encoding": encoding});
        Csv::new(&settings).unwrap()
    });
    let mut read = 0;
    for seed in 0..600 {
        let random = Seeded::new(seed);
        let pick = |of: &[u8]| of[usize::try_from(random.next()).unwrap_or(0) % of.len()];
        let mut bytes = if pick(&[0, 1]) == 0 { b"a,b\n".to_vec() } else { Vec::new() };
        for _ in 0..pick(&[0, 3, 40, 200]) {
            bytes.push(pick(b"ab01,,;\"\"\n\r\0\x80\xc3\xab\xd8\xfe\xff "));
        }
        fs::write(&path, &bytes).unwrap();
        for connector in &connectors {
            match people(connector, &line, 2).await {
                Ok(_) => read += 1,
                Err(error) => assert!(matches!(error.kind, ErrorKind::Malformed), "seed {seed}: {error:?}"),
            }
        }
    }
    assert!(read > 100, "only {read} were read");
}

/// The connector on a folder that the kit writes files into.
struct Folder {
    folder: tempfile::TempDir,
    connector: Arc<Csv>,
}

#[async_trait]
impl Subject for Folder {
    fn name(&self) -> String {
        "csv × folder".into()
    }
    fn connector(&self) -> Arc<dyn Connector> {
        self.connector.clone()
    }
    fn line(&self) -> Line {
        line(self.folder.path())
    }
    async fn seed(&self, fixtures: &Fixtures) -> Ids {
        let mut writer = csv::Writer::from_path(self.folder.path().join("feed.csv")).unwrap();
        writer.write_record(["Key", "Name", "Department", "Start", "State"]).unwrap();
        for person in &fixtures.people {
            let state = if person.terminated { "terminated" } else { "active" };
            writer
                .write_record([&person.key, &person.name, &person.department, &person.start, state])
                .unwrap();
        }
        writer.flush().unwrap();
        let people = fixtures.people.iter().map(|p| p.key.clone()).collect();
        Ids { people, ..Ids::default() }
    }
    /// A folder holds people and no accounts.
    async fn account(&self, _: &str) -> Option<TrueAccount> {
        None
    }
    async fn truth(&self) -> String {
        let names = fs::read_dir(self.folder.path()).unwrap().map(|e| e.unwrap().path());
        names.map(|path| format!("{path:?} {}\n", fs::read_to_string(&path).unwrap())).collect()
    }
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let settings = json!({"key": "Key", "name": "Name", "columns": {"department": "Department"}, "start": "Start",
        "status": "State", "active": ["active"]});
    let subject =
        Folder { folder: tempfile::tempdir().unwrap(), connector: Arc::new(Csv::new(&settings).unwrap()) };
    let report = testkit::run(&subject).await;
    page::kept(&report);
    page::all_kept("it_keeps_the_contract");
    let holds = [
        Sentence::DeclaredIsImplemented,
        Sentence::CheckChangesNothing,
        Sentence::ListVisitsEachOnce,
        Sentence::GetAgreesWithList,
        Sentence::IdentifiersAreKept,
    ];
    for row in &report.rows {
        let expect = holds.contains(&row.sentence);
        assert_eq!(row.verdict == Verdict::Holds, expect, "{}: {:?}", row.sentence.text(), row.verdict);
    }
}
