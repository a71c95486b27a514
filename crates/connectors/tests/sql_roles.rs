//! The roles of a real PostgreSQL server, judged by the server's own tables.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

#[path = "support/certificate.rs"]
mod certificate;
#[path = "support/database.rs"]
mod database;
#[path = "support/page.rs"]
mod page;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/roles.rs"]
mod roles;

use bailiwick_connector::{
    Applied, Connector, ConnectorError, Effect, Entry, ErrorKind, Line, Listing, Locator, Object,
    ObjectState, Outcome,
    broker::Statement,
    seal::Secret,
    testkit::{self, Fixtures, Subject},
};
use bailiwick_connectors::sql::Sql;
use bailiwick_core::{
    access::AccessClass, account::AccountAttributes, integration::Purpose, plan::Op, scope::Operation,
};
use certificate::certify;
use postgres::{Postgres, run};
use roles::{ANN, Roles, WRITE, ident, settings};
use serde_json::json;
use sqlx::Executor;

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds() {
    page::kept(&testkit::run(&Roles::start_logged("").await).await);
    page::all_kept("the_contract_holds");
}

async fn apply(system: &Roles, line: &Line, id: &str, op: &Op) -> Result<Applied, ConnectorError> {
    system.connector().apply(line, Some(id), op, None, "k").await
}

async fn create(system: &Roles, line: &Line, name: &str, marker: &str) -> Result<String, ConnectorError> {
    let attributes = AccountAttributes::from([("name".to_owned(), name.into())]);
    let op = Op::CreateAccount { marker: marker.into(), attributes };
    let made = system.connector().apply(line, None, &op, None, "k").await?;
    Ok(made.external_id.unwrap())
}

async fn state(system: &Roles, id: &str) -> Option<ObjectState> {
    let line = system.line_for(Purpose::Verify);
    system.connector().get(&line, Locator::Account(id)).await.unwrap().map(|object| object.state)
}

async fn held(system: &Roles, id: &str, class: AccessClass) -> Vec<String> {
    let mut names = Vec::new();
    let mut visit = |object: Object<'_>| names.push(object.name.into_owned());
    let line = system.line_for(Purpose::Verify);
    let listing = Listing::Held { account: id, class };
    system.connector().list(&line, listing, None, 500, &mut visit).await.unwrap();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn every_name_is_kept_to_the_byte_or_refused() {
    let system = Roles::start("", &settings()).await;
    system.seed(&Fixtures::standard()).await;
    let line = system.line();
    let before = system.truth().await;
    let (most, more) = ("ü".repeat(31), "ü".repeat(32));
    for (name, fits) in [
        ("x\"; DROP ROLE \"ann.smith\"; --", true),
        ("x' OR '1'='1", true),
        ("%I %L %s %1$s", true),
        ("a\\' b", true),
        ("$do$ END $do$", true),
        ("current_user", true),
        ("cafe\u{301}", true),
        ("caf\u{e9}", true),
        (" spaced ", true),
        ("line\nbreak", true),
        (most.as_str(), true),
        (more.as_str(), false),
        (&"x".repeat(64), false),
        (&"x".repeat(256), false),
        ("a\0b", false),
        ("", false),
        ("public", false),
        ("none", false),
        ("pg_admin", false),
    ] {
        for rename in [false, true] {
            let made = if rename {
                let id = create(&system, &line, "to be renamed", name).await;
                match id {
                    Ok(id) => {
                        let set = Op::SetAttributes { attributes: [("name".to_owned(), name.into())].into() };
                        let set = apply(&system, &line, &id, &set).await.map(|_| id.clone());
                        if set.is_err() {
                            apply(&system, &line, &id, &Op::Delete).await.unwrap();
                        }
                        set
                    }
                    Err(error) => Err(error),
                }
            } else {
                create(&system, &line, name, name).await
            };
            match made {
                Err(error) => {
                    assert!(!fits, "{name}: {error}");
                    assert_eq!(
                        (error.kind, error.effect),
                        (ErrorKind::Invalid, Effect::None),
                        "{name}: {error}"
                    );
                }
                Ok(id) => {
                    assert!(fits, "{name}");
                    assert_eq!(system.id(name).await.as_ref(), Some(&id), "{name}");
                    for locator in [Locator::AccountNamed(name), Locator::AccountMarked(name)] {
                        let seen = system.connector().get(&line, locator).await.unwrap().unwrap();
                        assert_eq!(
                            (&*seen.id, &*seen.name, seen.marker.as_deref()),
                            (&*id, name, Some(name))
                        );
                    }
                    for op in
                        [Op::Disable { way: 0 }, Op::Enable, Op::Disable { way: 1 }, Op::Enable, Op::Delete]
                    {
                        let done = apply(&system, &line, &id, &op).await.unwrap();
                        assert_eq!(done.outcome, Outcome::Done, "{name} {op:?}");
                    }
                }
            }
            assert_eq!(system.truth().await, before, "{name}");
        }
        // As the id of something, it is nothing.
        if !name.contains('\0') {
            let class = AccessClass::DirectGroups;
            let error = apply(&system, &line, name, &Op::Grant { class, external_id: name.into() })
                .await
                .unwrap_err();
            assert_eq!((error.kind, error.effect), (ErrorKind::NotFound, Effect::None), "{name}: {error}");
            assert!(held(&system, name, class).await.is_empty());
        }
    }
    assert_eq!(system.truth().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_of_disabling_really_locks_and_a_date_only_where_passwords_are_asked_for() {
    // Whoever comes by the second address is trusted.
    for (hba, date_locks) in [("", true), ("host all all 127.0.0.2/32 trust", false)] {
        let system = Roles::start(hba, &settings()).await;
        let ids = system.seed(&Fixtures::standard()).await;
        let (name, id) = ("svc_backup-01", &ids.accounts[6]);
        let line = system.line();
        assert!(system.sign_in(name, ANN).await.is_ok());
        for (way, blocked) in [(0, true), (1, date_locks)] {
            apply(&system, &line, id, &Op::Disable { way }).await.unwrap();
            // By its password nobody comes in, whichever way.
            let error = system.sign_in(name, ANN).await.err().unwrap();
            let code = error.as_database_error().unwrap().code().unwrap().into_owned();
            assert!(code.starts_with("28"), "{code}");
            let expected = if blocked { ObjectState::Blocked } else { ObjectState::Live };
            assert_eq!(state(&system, id).await, Some(expected), "way {way}, {hba:?}");
            apply(&system, &line, id, &Op::Enable).await.unwrap();
            if !blocked {
                continue;
            }
            assert!(system.sign_in(name, ANN).await.is_ok());
            assert_eq!(state(&system, id).await, Some(ObjectState::Live));
        }
        // A role without the hub's marker is an account also while it cannot log in.
        apply(&system, &line, id, &Op::Disable { way: 0 }).await.unwrap();
        assert_eq!(state(&system, id).await, Some(ObjectState::Blocked));
        let seen = system.connector().get(&line, Locator::Account(id)).await.unwrap().unwrap();
        assert_eq!(seen.marker, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_really_ended() {
    let system = Roles::start("", &settings()).await;
    let ids = system.seed(&Fixtures::standard()).await;
    let (name, id, line) = ("svc_backup-01", &ids.accounts[6], system.line());
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(system.sign_in(name, ANN).await.unwrap());
    }
    let mut other = system.sign_in("o'brien", ANN).await.unwrap();
    let class = AccessClass::Sessions;
    let mut found = Vec::new();
    let mut visit = |object: Object<'_>| found.push(object.id.into_owned());
    let listing = Listing::Held { account: id, class };
    system.connector().list(&line, listing, None, 500, &mut visit).await.unwrap();
    assert_eq!(found.len(), 3);
    // A number alone, which another session may have had since, is not enough when the start is known too.
    let (number, _) = found[0].split_once('-').unwrap();
    for (item, outcome) in [(format!("{number}-1"), Outcome::AlreadySo), (found[0].clone(), Outcome::Done)] {
        let revoke = Op::Revoke { class, external_id: item };
        assert_eq!(apply(&system, &line, id, &revoke).await.unwrap().outcome, outcome);
    }
    assert_eq!(held(&system, id, class).await.len(), 2);
    assert_eq!(apply(&system, &line, id, &Op::RevokeAll { class }).await.unwrap().outcome, Outcome::Done);
    assert!(held(&system, id, class).await.is_empty());
    for session in &mut sessions {
        assert!(session.execute("SELECT 1").await.is_err());
    }
    other.execute("SELECT 1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_ends_sessions_by_calling_it_a_listing() {
    let system = Roles::start("", &settings()).await;
    let ids = system.seed(&Fixtures::standard()).await;
    let (name, id) = ("svc_backup-01", &ids.accounts[6]);
    let endpoint = format!("postgres://127.0.0.1:{}/postgres", system.server.port);
    let attack = async |operation: Operation, purpose| {
        let scope =
            ["list EXEC revoke-sessions", "get EXEC revoke-sessions", "discover EXEC revoke-sessions"];
        let line = database::line(&endpoint, &settings(), &scope, Some(("bailiwick_write", WRITE)), purpose);
        let statement = Statement::new(operation, "revoke-sessions").text("id", id.as_str());
        line.execute(statement.text("item", None).many("ignore", &[][..])).await.unwrap_err()
    };
    let mut session = system.sign_in(name, ANN).await.unwrap();
    for operation in [Operation::List, Operation::Get, Operation::Discover] {
        for purpose in [Purpose::Write, Purpose::Verify] {
            let error = attack(operation, purpose).await;
            assert_eq!((error.kind, error.effect), (ErrorKind::OutOfScope, Effect::None), "{error}");
            assert_eq!(error.code(), "statement-for-other-operation");
            session.execute("SELECT 1").await.unwrap();
        }
    }
    // A transaction that only reads would not have held it back.
    let mut admin = system.server.admin("postgres").await;
    run(&mut admin, "BEGIN READ ONLY").await;
    run(
        &mut admin,
        &format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usesysid = {id}"),
    )
    .await;
    assert!(session.execute("SELECT 1").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_owns_is_said_before_it_is_dropped() {
    let mut with_heir = settings();
    with_heir["reassign_owned_to"] = "the heir".into();
    for (settings, heir) in [(settings(), false), (with_heir, true)] {
        let system = Roles::start("", &settings).await;
        let ids = system.seed(&Fixtures::standard()).await;
        let (id, line) = (&ids.accounts[6], system.line());
        let mut admin = system.server.admin("postgres").await;
        let name = ident("svc_backup-01");
        run(&mut admin, &format!("CREATE SCHEMA own AUTHORIZATION {name}")).await;
        run(&mut admin, &format!("SET ROLE {name}; CREATE TABLE own.\"t'\" (x int); RESET ROLE")).await;
        run(
            &mut admin,
            &format!("CREATE TABLE public.other (x int); GRANT SELECT ON public.other TO {name}"),
        )
        .await;
        run(
            &mut admin,
            &format!("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {name}"),
        )
        .await;
        let before = system.truth().await;
        if !heir {
            let error = apply(&system, &line, id, &Op::Delete).await.unwrap_err();
            assert_eq!((error.code(), error.effect), ("account-owns-objects", Effect::None));
            for what in [
                "owns schema own",
                "owns table own.\"t'\"",
                "has rights on table public.other",
                "default privileges",
            ] {
                assert!(error.message.contains(what), "{what}: {error}");
            }
            assert_eq!(system.truth().await, before);
            continue;
        }
        // To hand over, the hub is to be both; and there is to be somebody to hand over to.
        let error = apply(&system, &line, id, &Op::Delete).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Invalid, Effect::None), "{error}");
        assert!(error.message.contains("\"the heir\""), "{error}");
        run(&mut admin, &format!("CREATE ROLE \"the heir\"; GRANT \"the heir\", {name} TO bailiwick_write"))
            .await;
        // Who owns a schema is to be somebody who could make one.
        run(&mut admin, "GRANT CREATE ON DATABASE postgres TO \"the heir\"").await;
        run(&mut admin, "CREATE DATABASE elsewhere").await;
        let mut elsewhere = system.server.admin("elsewhere").await;
        run(&mut elsewhere, &format!("CREATE SCHEMA own AUTHORIZATION {name}")).await;
        let error = apply(&system, &line, id, &Op::Delete).await.unwrap_err();
        assert_eq!((error.code(), error.effect), ("account-owns-objects", Effect::None));
        assert!(error.message.contains("in the database elsewhere"), "{error}");
        run(&mut elsewhere, "DROP SCHEMA own").await;
        // Rights on what is somebody else's can be taken by that somebody, or by a superuser.
        let before = system.truth().await;
        let error = apply(&system, &line, id, &Op::Delete).await.unwrap_err();
        assert_eq!((error.code(), error.effect), ("others-depend-on-it", Effect::None));
        assert!(error.message.contains("privileges for table"), "{error}");
        assert_eq!(system.truth().await, before);
        run(&mut admin, "GRANT postgres TO bailiwick_write").await;
        assert_eq!(apply(&system, &line, id, &Op::Delete).await.unwrap().outcome, Outcome::Done);
        assert_eq!(system.id("svc_backup-01").await, None);
        let owner: String =
            sqlx::query_scalar("SELECT tableowner::text FROM pg_tables WHERE schemaname = 'own'")
                .fetch_one(&mut admin)
                .await
                .unwrap();
        assert_eq!(owner, "the heir");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membership_goes_whoever_gave_it() {
    let system = Roles::start("", &settings()).await;
    let ids = system.seed(&Fixtures::standard()).await;
    let (id, line) = (&ids.accounts[6], system.line());
    let mut admin = system.server.admin("postgres").await;
    run(&mut admin, "CREATE ROLE \"gi'ver\" SUPERUSER; CREATE ROLE gone SUPERUSER; CREATE ROLE \"a \"\"group\"; CREATE ROLE b").await;
    let member = ident("svc_backup-01");
    run(&mut admin, &format!("GRANT \"a \"\"group\" TO {member} GRANTED BY \"gi'ver\"")).await;
    run(&mut admin, &format!("GRANT b TO {member} WITH ADMIN OPTION GRANTED BY gone; DROP ROLE gone")).await;
    // To be in a role that is ignored is access nevertheless.
    run(&mut admin, &format!("GRANT bailiwick_read TO {member}")).await;
    let class = AccessClass::DirectGroups;
    let mut groups = held(&system, id, class).await;
    groups.sort();
    assert_eq!(groups, ["a \"group", "b", "bailiwick_read", "everyone"]);
    let one = Op::Revoke { class, external_id: system.id("b").await.unwrap() };
    assert_eq!(apply(&system, &line, id, &one).await.unwrap().outcome, Outcome::Done);
    assert_eq!(apply(&system, &line, id, &Op::RevokeAll { class }).await.unwrap().outcome, Outcome::Done);
    assert!(held(&system, id, class).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_hub_may_not_do_is_said_and_changes_nothing() {
    let system = Roles::start("", &settings()).await;
    let ids = system.seed(&Fixtures::standard()).await;
    let (id, line) = (&ids.accounts[6], system.line());
    run(
        &mut system.server.admin("postgres").await,
        &format!("ALTER ROLE {} SUPERUSER", ident("svc_backup-01")),
    )
    .await;
    assert_eq!(held(&system, id, AccessClass::Roles).await, ["SUPERUSER"]);
    let before = system.truth().await;
    let class = AccessClass::Roles;
    for op in [Op::Disable { way: 0 }, Op::Disable { way: 1 }, Op::Delete, Op::RevokeAll { class }] {
        let error = apply(&system, &line, id, &op).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Forbidden, Effect::None), "{op:?}: {error}");
    }
    // Those that are ignored are neither shown nor touched.
    let own = system.id("bailiwick_write").await.unwrap();
    assert_eq!(system.connector().get(&line, Locator::Account(&own)).await.unwrap(), None);
    assert_eq!(apply(&system, &line, &own, &Op::Delete).await.unwrap().outcome, Outcome::AlreadySo);
    let error = apply(&system, &line, &own, &Op::Disable { way: 0 }).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(system.truth().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_credential_a_wrong_address_and_a_server_without_tls_are_told_apart() {
    let system = Roles::start("", &settings()).await;
    let port = system.server.port;
    let check = async |endpoint: String, settings: serde_json::Value, user: Option<(&str, &str)>| {
        let line = database::line(&endpoint, &settings, &["discover EXEC check"], user, Purpose::Write);
        system.connector().check(&line).await.unwrap_err()
    };
    let here = format!("postgres://127.0.0.1:{port}/postgres");
    let writer = Some(("bailiwick_write", WRITE));
    let mut with_tls = settings();
    with_tls["ca_file"] = "/nowhere/ca.pem".into();
    let asked = |database: &str| format!("postgres://127.0.0.1:{port}/{database}");
    for (endpoint, settings, user, kind) in [
        (here.clone(), settings(), Some(("bailiwick_write", "wrong")), ErrorKind::Unauthorized),
        (here.clone(), settings(), Some(("nobody", WRITE)), ErrorKind::Unauthorized),
        (here.clone(), settings(), Some(("bailiwick_write\0database\0x", WRITE)), ErrorKind::Settings),
        (here.clone(), settings(), None, ErrorKind::Settings),
        (here.clone(), with_tls, writer, ErrorKind::Unreachable),
        (asked("no-such"), settings(), writer, ErrorKind::Settings),
        ("postgres://127.0.0.1:1/postgres".to_owned(), settings(), writer, ErrorKind::Unreachable),
        (
            "postgres://nowhere.invalid/postgres".to_owned(),
            json!({"dialect": "postgresql-roles"}),
            writer,
            ErrorKind::Unreachable,
        ),
    ] {
        let error = check(endpoint.clone(), settings, user).await;
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{endpoint} {user:?}: {error}");
        assert!(!error.message.contains(WRITE), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_made_with_the_authority_that_is_named_and_with_no_other() {
    let folders: [_; 3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let [good, other, misnamed] = folders.each_ref().map(|folder| folder.path());
    certify(good, "IP:127.0.0.1,DNS:localhost");
    certify(other, "IP:127.0.0.1");
    certify(misnamed, "DNS:db.acme.example");
    // Nobody comes in but over TLS, so that who is let in has used it.
    let only_tls = "hostnossl all all all reject";
    let served = Postgres::start_with(only_tls, Some(good));
    let elsewhere = Postgres::start_with(only_tls, Some(misnamed));
    let plain = Postgres::start("");
    for server in [&served, &elsewhere, &plain] {
        let role = format!("CREATE ROLE bailiwick_write LOGIN PASSWORD '{WRITE}'");
        run(&mut server.admin("postgres").await, &role).await;
    }
    let check = async |server: &Postgres, host: &str, trusted: Option<&std::path::Path>| {
        let mut settings = settings();
        if let Some(trusted) = trusted {
            settings["ca_file"] = trusted.join("ca.pem").to_str().unwrap().into();
        }
        let endpoint = format!("postgres://{host}:{}/postgres", server.port);
        let writer = Some(("bailiwick_write", WRITE));
        let scope = ["discover EXEC check", "list EXEC list"];
        let line = database::line(&endpoint, &settings, &scope, writer, Purpose::Write);
        Sql::new(&self::settings()).unwrap().check(&line).await
    };
    for host in ["127.0.0.1", "localhost"] {
        check(&served, host, Some(good)).await.unwrap();
    }
    for (server, host, trusted, says) in [
        // The wrong authority; a name that is not the server's, though the authority is right; no TLS at all.
        (&served, "127.0.0.1", Some(other), "certificate"),
        (&elsewhere, "127.0.0.1", Some(misnamed), "certificate"),
        (&plain, "127.0.0.1", Some(good), "TLS"),
        (&served, "127.0.0.1", Some(std::path::Path::new("/nowhere")), ""),
    ] {
        let error = check(server, host, trusted).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Unreachable, Effect::None), "{error}");
        assert!(error.message.contains(says) && !error.message.contains(WRITE), "{error}");
    }
    // Without an authority a server on the same machine is talked to in clear, which this one refuses.
    let error = check(&served, "127.0.0.1", None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_never_sent_and_tells_who_is_let_in() {
    let system = Roles::start("", &settings()).await;
    let ids = system.seed(&Fixtures::standard()).await;
    let (id, line) = (&ids.accounts[4], system.line());
    let class = AccessClass::PrimaryAccount;
    let password = "the canary's \"own\" $secret";
    let sql = system.connector();
    let issued = sql.issue(&line, id, class, Secret::new(password)).await.unwrap();
    assert_eq!(sql.attempt(&line, &issued).await.unwrap(), Entry::Accepted);
    assert!(system.sign_in("o'brien", password).await.is_ok());
    for (op, entry) in [
        (Op::Disable { way: 0 }, Entry::Rejected),
        (Op::Enable, Entry::Accepted),
        (Op::Disable { way: 1 }, Entry::Rejected),
        (Op::Enable, Entry::Accepted),
        (Op::Delete, Entry::Rejected),
    ] {
        apply(&system, &line, id, &op).await.unwrap();
        assert_eq!(sql.attempt(&line, &issued).await.unwrap(), entry, "{op:?}");
    }
    let log = system.log();
    assert!(log.contains("bailiwick.verifier") && log.contains("SCRAM-SHA-256$4096:"));
    assert!(!log.contains("canary's"), "the password is in the server's log");
    let error = sql.issue(&line, id, class, Secret::new("pässword")).await.err().unwrap();
    assert_eq!((error.kind, error.effect), (ErrorKind::Invalid, Effect::None));
}
