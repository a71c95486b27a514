//! The log of a real PostgreSQL server: who changed roles behind the hub's back, and what of it cannot be told.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/database.rs"]
mod database;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/postgres.rs"]
mod postgres;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/roles.rs"]
mod roles;

use bailiwick_connector::{
    Connector, ConnectorError, ErrorKind, Start,
    seal::Secret,
    testkit::{Fixtures, Subject},
};
use bailiwick_connectors::sql::Sql;
use bailiwick_core::{
    access::AccessClass,
    audit::{About, Entry, LOST},
    integration::Purpose,
    plan::Op,
    time::Timestamp,
};
use postgres::{Postgres, run};
use roles::{READ, Roles, audited, literal};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

/// What a password is that nothing may show.
const HIDDEN: &str = "never-shown";

/// What the log has after a mark, read `size` entries at a time. The mark of the last entry is put in its place.
async fn read(system: &Roles, mark: &mut Option<String>, size: u32) -> Result<Vec<Entry>, ConnectorError> {
    let (mut all, line) = (Vec::new(), system.line_for(Purpose::Verify));
    loop {
        let (known, before) = (mark.clone(), all.len());
        let from = known.as_deref().map_or(Start::Instant(Timestamp::UNIX_EPOCH), Start::Mark);
        let mut take = |entry: Entry| {
            *mark = Some(entry.mark.clone());
            all.push(entry);
        };
        system.connector().audit(&line, from, size, &mut take).await?;
        if all.len() == before {
            return Ok(all);
        }
    }
}

/// What the log has since, once all is in it.
async fn deeds(system: &Roles, mark: &mut Option<String>) -> Vec<Entry> {
    system.server.logged().await;
    read(system, mark, 500).await.unwrap()
}

/// Who did what to whom: by id, or by name.
fn short(entries: &[Entry]) -> Vec<String> {
    let one = |entry: &Entry| {
        let name = entry.name.as_ref().map(|name| format!("the name {name}"));
        let whom = entry.account.clone().or(name).unwrap_or_else(|| "nobody".to_owned());
        format!("{} {} {whom}", entry.actor, entry.deed)
    };
    entries.iter().map(one).collect()
}

/// A server with the standard accounts, and `alice`, who may change them.
async fn served() -> (Roles, Vec<String>) {
    seeded(Roles::start_logged("").await).await
}

async fn seeded(system: Roles) -> (Roles, Vec<String>) {
    let ids = system.seed(&Fixtures::standard()).await;
    let alice = format!("CREATE ROLE alice LOGIN CREATEROLE PASSWORD '{HIDDEN}'");
    run(&mut system.server.admin("postgres").await, &alice).await;
    (system, ids.accounts)
}

async fn alice(system: &Roles) -> PgConnection {
    system.sign_in("alice", HIDDEN).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_who_changed_a_role_behind_the_hubs_back() {
    let (system, ids) = served().await;
    let svc = &ids[6];
    let mut mark = None;
    deeds(&system, &mut mark).await;

    let (line, sql) = (system.line(), system.connector());
    sql.apply(&line, Some(svc), &Op::Disable { way: 0 }, None, "k").await.unwrap();
    let mut alice = alice(&system).await;
    run(&mut alice, &format!("ALTER ROLE \"o'brien\" NOLOGIN PASSWORD '{HIDDEN}'")).await;
    run(&mut alice, "CREATE ROLE Crew; GRANT crew TO \"o'brien\", \"svc_backup-01\"").await;
    // By a driver that prepares what it sends.
    sqlx::query("REVOKE crew FROM \"o'brien\"").execute(&mut alice).await.unwrap();
    // What was refused was not done, be it the last of several.
    for refused in ["ALTER ROLE \"o'brien\" SUPERUSER", "ALTER ROLE \"o'brien\" LOGIN; DROP ROLE nobody"] {
        sqlx::raw_sql(refused).execute(&mut alice).await.unwrap_err();
    }
    // Nobody has the server say what was executed.
    run(&mut alice, "DO $do$ BEGIN RAISE LOG 'statement: ALTER ROLE crew NOLOGIN'; END $do$").await;
    // Who signed in, whoever they call themselves.
    let mut admin = system.server.admin("postgres").await;
    run(
        &mut admin,
        "GRANT SELECT ON pg_class TO \"svc_backup-01\"; REVOKE SELECT ON pg_class FROM \"svc_backup-01\"",
    )
    .await;
    run(&mut admin, "SET ROLE alice; ALTER ROLE \"o'brien\" RENAME TO brien; RESET ROLE").await;
    run(&mut alice, "DROP ROLE brien").await;
    sql.apply(&line, Some(svc), &Op::Delete, None, "k2").await.unwrap();

    let told = deeds(&system, &mut mark).await;
    let crew = system.id("crew").await.unwrap();
    let expected = [
        format!("bailiwick_write disable {svc}"),
        // Of those that are gone now the log has names; the hub's own statements say ids.
        "alice ALTER ROLE the name o'brien".to_owned(),
        format!("alice CREATE ROLE {crew}"),
        "alice GRANT the name o'brien".to_owned(),
        "alice GRANT the name svc_backup-01".to_owned(),
        "alice REVOKE the name o'brien".to_owned(),
        "postgres ALTER ROLE the name o'brien".to_owned(),
        "alice DROP ROLE the name brien".to_owned(),
        format!("bailiwick_write delete {svc}"),
    ];
    assert_eq!(short(&told), expected);
    let abouts: Vec<_> = told.iter().map(|entry| (entry.ours, entry.about)).collect();
    assert_eq!(abouts[0], (true, About::Taken(AccessClass::PrimaryAccount)));
    assert_eq!(abouts[1], (false, About::Anything));
    assert_eq!((abouts[7], abouts[8]), ((false, About::End), (true, About::End)));
    assert!(told.iter().map(|entry| entry.at).is_sorted(), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_pgaudit_the_log_says_what_blocks_do_too() {
    let (system, ids) = seeded(Roles::on_logged(Postgres::start_pgaudit()).await).await;
    let (ann, svc) = (&ids[0], &ids[6]);
    let mut mark = None;
    deeds(&system, &mut mark).await;
    let (line, sql, mut alice) = (system.line(), system.connector(), alice(&system).await);
    let block = |text: &str| format!("DO $do$ BEGIN EXECUTE {}; END $do$", literal(text));
    run(&mut alice, &block("ALTER ROLE \"ann.smith\" NOLOGIN")).await;
    run(&mut alice, &format!("ALTER ROLE \"ann.smith\" PASSWORD '{HIDDEN}'")).await;
    for statement in ["CREATE ROLE a", "CREATE ROLE b", "GRANT a, b TO \"ann.smith\""] {
        run(&mut alice, statement).await;
    }
    // What was refused was not done.
    for refused in
        ["ALTER ROLE \"ann.smith\" SUPERUSER".to_owned(), block("ALTER ROLE \"ann.smith\" REPLICATION")]
    {
        sqlx::raw_sql(AssertSqlSafe(refused)).execute(&mut alice).await.unwrap_err();
    }
    run(&mut alice, &block("DROP ROLE b")).await;
    run(&mut alice, "DO $do$ BEGIN RAISE LOG 'AUDIT: SESSION,1,1,ROLE,DROP ROLE,,,DROP ROLE a,x'; END $do$")
        .await;
    sql.apply(&line, Some(ann), &Op::Enable, None, "k").await.unwrap();
    sql.apply(&line, Some(svc), &Op::Delete, None, "k2").await.unwrap();
    let told = deeds(&system, &mut mark).await;
    let a = system.id("a").await.unwrap();
    let expected = [
        format!("alice ALTER ROLE {ann}"),
        format!("alice ALTER ROLE {ann}"),
        format!("alice CREATE ROLE {a}"),
        "alice CREATE ROLE the name b".to_owned(),
        format!("alice GRANT {ann}"),
        "alice DROP ROLE the name b".to_owned(),
        // Of the hub's own both words are there, but of a role that is gone, whose oid its own alone says.
        format!("bailiwick_write ALTER ROLE {ann}"),
        format!("bailiwick_write enable {ann}"),
        format!("bailiwick_write delete {svc}"),
    ];
    assert_eq!(short(&told), expected);
    assert!(!format!("{told:?}").contains(HIDDEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_leaves_the_server() {
    let (system, ids) = served().await;
    let mut alice = alice(&system).await;
    for statement in [
        "CREATE ROLE p PASSWORD '<>'",
        "ALTER ROLE p PASSWORD '<>'; ALTER USER p ENCRYPTED PASSWORD '<>' VALID UNTIL 'infinity'",
        "ALTER ROLE p PASSWORD E'<>\\n'",
        "ALTER ROLE p PASSWORD $$<>$$",
        "ALTER ROLE p /* '<>' */ PASSWORD '<>'",
        "ALTER ROLE p PASSWORD '<>', nobody",
        "ALTER ROLE nobody PASSWORD '<>'",
        "COMMENT ON ROLE p IS '<>'",
        "DO $do$ BEGIN EXECUTE 'ALTER ROLE p PASSWORD ''<>'''; END $do$",
        "SELECT 'DROP ROLE <>', 'ALTER ROLE x PASSWORD <>'",
    ] {
        // Some are refused, which is logged with all that they say.
        let _ = sqlx::raw_sql(AssertSqlSafe(statement.replace("<>", HIDDEN))).execute(&mut alice).await;
    }
    let class = AccessClass::PrimaryAccount;
    system.connector().issue(&system.line(), &ids[4], class, Secret::new(HIDDEN)).await.unwrap();
    let told = deeds(&system, &mut None).await;
    let set = format!("bailiwick_write set-password {}", ids[4]);
    let (p, all) = (system.id("p").await.unwrap(), short(&told));
    for deed in [format!("alice ALTER ROLE {p}"), "alice not understood nobody".to_owned(), set] {
        assert!(all.contains(&deed), "{deed} in {all:#?}");
    }
    let raw = "SELECT coalesce(string_agg(a::text, ''), '') FROM bailiwick.audit(NULL, NULL, 10000) a";
    let shown: String =
        sqlx::query_scalar(raw).fetch_one(&mut system.server.admin("postgres").await).await.unwrap();
    let log: String =
        system.server.logs().iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    assert!(log.matches(HIDDEN).count() > 10 && shown.contains("ALTER ROLE"));
    for secret in [HIDDEN, "SCRAM-SHA-256"] {
        assert!(!shown.contains(secret) && !format!("{told:?}").contains(secret), "{shown}");
    }
    // Nor is who may read it shown anything else.
    let mut reader = system.sign_in("bailiwick_read", READ).await.unwrap();
    for refused in [
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT count(*) FROM pg_ls_logdir()",
        "SELECT bailiwick.line('{}')",
        "SET ROLE bailiwick_log",
    ] {
        let error = sqlx::raw_sql(refused).execute(&mut reader).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("42501"), "{refused}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_certain_is_about_nobody() {
    let (system, _) = served().await;
    let mut admin = system.server.admin("postgres").await;
    for (statement, deeds) in [
        ("alter role Ann nologin", "ALTER ROLE ann ann"),
        ("ALTER USER \"Ann\" PASSWORD 'x''y; DROP ROLE z'", "ALTER ROLE Ann Ann"),
        ("ALTER GROUP \"a \"\"b\"\"\" RENAME TO C", "ALTER ROLE a \"b\" c"),
        ("create user GRÜße", "CREATE ROLE grÜße grÜße"),
        ("CREATE USER MAPPING FOR x SERVER y", ""),
        ("DROP USER MAPPING IF EXISTS FOR x SERVER y", ""),
        ("create user mapping", "CREATE ROLE mapping mapping"),
        ("ALTER ROLE ALL SET work_mem = '1MB'", "ALTER ROLE - -"),
        ("ALTER ROLE current_user NOLOGIN", "ALTER ROLE - -"),
        ("ALTER ROLE \"current_user\" NOLOGIN", "ALTER ROLE current_user current_user"),
        ("ALTER ROLE a IN DATABASE b SET x = 'DROP ROLE c'", "ALTER ROLE a a"),
        ("DROP ROLE IF EXISTS a, \"b,c\"; DROP GROUP if", "DROP ROLE a -, DROP ROLE b,c -, DROP ROLE if -"),
        ("GRANT a, b TO c, \"d\" WITH ADMIN OPTION GRANTED BY e", "GRANT c c, GRANT d d"),
        ("GRANT \"on\" TO c", "GRANT c c"),
        ("GRANT SELECT (a, b), UPDATE ON TABLE t TO c", ""),
        ("REVOKE ADMIN OPTION FOR a FROM b, SESSION_USER CASCADE", "REVOKE b b, REVOKE - -"),
        ("alter group g add user a, b", "GRANT a a, GRANT b b"),
        ("alter group g drop user a", "REVOKE a a"),
        ("COMMENT ON ROLE a IS 'b'", "COMMENT ON ROLE a a"),
        ("COMMENT ON TABLE role IS 'b'", ""),
        ("BEGIN; ALTER ROLE a LOGIN; COMMIT", "ALTER ROLE a a"),
        ("SELECT 1", ""),
        ("REASSIGN OWNED BY a TO b", ""),
        // What may be read in two ways is not read.
        ("ALTER ROLE a /* \n ALTER ROLE b */ NOLOGIN", "not understood - -"),
        ("ALTER ROLE a -- ; DROP ROLE b\n NOLOGIN", "not understood - -"),
        ("ALTER ROLE a PASSWORD '--' VALID UNTIL '/*'", "ALTER ROLE a a"),
        ("ALTER ROLE a PASSWORD E'\\'; DROP ROLE b; --'", "not understood - -"),
        ("ALTER ROLE a PASSWORD $x$'; DROP ROLE b; '$x$", "not understood - -"),
        ("ALTER ROLE a PASSWORD 'SCRAM-SHA-256$4096:c==$d=:e='", "ALTER ROLE a a"),
        ("ALTER ROLE U&\"\\0061\" NOLOGIN", "not understood - -"),
        ("ALTER ROLE U&\"!0061\" UESCAPE '!' NOLOGIN", "not understood - -"),
        ("DO $do$ BEGIN EXECUTE 'ALTER ROLE a NOLOGIN'; END $do$", "not understood - -"),
    ] {
        let asked = "SELECT coalesce(string_agg(concat_ws(' ', deed, coalesce(role, '-'), coalesce(since, '-')), ', '), '') \
                     FROM bailiwick.deeds($1)";
        let told: String = sqlx::query_scalar(asked).bind(statement).fetch_one(&mut admin).await.unwrap();
        assert_eq!(told, deeds, "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_several_files_is_one_and_a_lost_one_is_told() {
    let (system, ids) = served().await;
    let (brien, mut alice) = (&ids[4], alice(&system).await);
    let mut mark = None;
    deeds(&system, &mut mark).await;
    let begun = mark.clone();
    let mut expected = Vec::new();
    for option in ["NOLOGIN", "LOGIN", "CONNECTION LIMIT 3"] {
        run(&mut alice, &format!("ALTER ROLE \"o'brien\" {option}")).await;
        expected.push(format!("alice ALTER ROLE {brien}"));
        system.server.logged().await;
        system.server.rotate().await;
    }
    run(&mut alice, "GRANT everyone TO \"o'brien\"; REVOKE everyone FROM \"o'brien\"").await;
    expected.extend([format!("alice GRANT {brien}"), format!("alice REVOKE {brien}")]);
    assert_eq!(short(&deeds(&system, &mut mark).await), expected);
    assert_eq!(short(&read(&system, &mut begun.clone(), 1).await.unwrap()), expected, "one by one");
    assert_eq!(deeds(&system, &mut mark).await, []);

    // What was since an instant is there without what was long before.
    let all = read(&system, &mut begun.clone(), 500).await.unwrap();
    let (line, mut seen) = (system.line_for(Purpose::Verify), Vec::new());
    let from = Start::Instant(all[2].at);
    system.connector().audit(&line, from, 500, &mut |entry| seen.push(entry)).await.unwrap();
    assert_eq!(seen, all[2..]);

    let files = system.server.logs();
    assert_eq!(files.len(), 4);
    std::fs::remove_file(&files[0]).unwrap();
    let second = files[1].file_name().unwrap().to_str().unwrap();
    for lost in [begun.unwrap(), format!("{second}/{}", u32::MAX), "nothing".to_owned()] {
        let error = read(&system, &mut Some(lost.clone()), 500).await.unwrap_err();
        assert_eq!(error.code(), LOST, "{lost}: {error}");
    }
    // A new file in which nothing is said of roles is gone on from too, so that the old ones can go.
    let marked = mark.clone();
    system.server.rotate().await;
    assert_eq!(short(&deeds(&system, &mut mark).await), ["- - nobody"]);
    assert_ne!(mark, marked);
    assert_eq!(deeds(&system, &mut mark).await, []);
    // What is there still can be read.
    let left = short(&read(&system, &mut None, 500).await.unwrap());
    assert_eq!((&left[..left.len() - 1], left.last().unwrap().as_str()), (&expected[1..], "- - nobody"));
    files[1..].iter().for_each(|file| std::fs::remove_file(file).unwrap());
    assert_eq!(deeds(&system, &mut mark).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_much_else_in_it_is_read_to_its_end() {
    let (system, ids) = served().await;
    let (brien, mut alice) = (&ids[4], alice(&system).await);
    let mut mark = None;
    deeds(&system, &mut mark).await;
    let mut admin = system.server.admin("postgres").await;
    let noise = "DO $do$ BEGIN FOR i IN 1..80 LOOP RAISE LOG '%', repeat('ü\"', 333333); END LOOP; END $do$";
    run(&mut admin, noise).await;
    // One line is longer than what is read at a time.
    run(&mut admin, &format!("COMMENT ON ROLE \"o'brien\" IS {}", literal(&"it's ".repeat(1_200_000)))).await;
    run(&mut alice, "ALTER ROLE \"o'brien\" NOLOGIN").await;
    let told = short(&deeds(&system, &mut mark).await);
    let size: u64 = system.server.logs().iter().map(|file| std::fs::metadata(file).unwrap().len()).sum();
    assert!(size > 70 << 20, "{size}");
    let (skipped, told): (Vec<_>, Vec<_>) = told.into_iter().partition(|one| one == "- - nobody");
    assert!(skipped.len() >= 2, "{skipped:?}");
    assert_eq!(told, [format!("postgres COMMENT ON ROLE {brien}"), format!("alice ALTER ROLE {brien}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_log_it_says_so() {
    let system = Roles::start("", &audited()).await;
    let error = read(&system, &mut None, 500).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Settings, "{error}");
    system.install_audit().await;
    let error = read(&system, &mut None, 500).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    assert!(error.message.contains("logging_collector"), "{error}");
}

#[test]
fn what_the_page_shows_is_right() {
    let page = include_str!("../../../docs/audit-logs.md");
    let block = |with: &str| {
        let mut blocks = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        let text = blocks.find(|text| text.contains(with)).unwrap().replace("…, ", "");
        toml::from_str::<Value>(&text).unwrap()
    };
    let roles = block("postgresql-roles");
    let mut tables = block("[integration.crm.settings.audit]");
    let crm = &mut tables["integration"]["crm"]["settings"];
    crm["dialect"] = "tables".into();
    crm["statements"]["list"] = json!({"operations": ["list"], "text": "SELECT :after, :limit"});
    crm["statements"]["get"] = json!({"operations": ["get"], "text": "SELECT :id, :name"});
    for (read, name) in [(roles, "db"), (tables, "crm")] {
        let settings = &read["integration"][name]["settings"];
        assert!(Sql::new(settings).unwrap().capability().audits, "{name}");
        for rule in read["scope"].as_array().unwrap() {
            let rule = rule.as_str().unwrap().parse().unwrap();
            bailiwick_connectors::serves("sql", settings, &rule).unwrap();
        }
    }
    // What the server is to have is what this file's tests start one with.
    for option in postgres::LOGGED.split("-c ").map(str::trim).filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap();
        let told = [format!("{name} = {value}"), format!("{name} = '{value}'")];
        assert!(told.iter().any(|line| page.contains(line)), "{option}");
    }
}
