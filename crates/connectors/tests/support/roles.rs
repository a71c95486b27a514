//! The roles of a real server as a system that the kit can look into.

use std::sync::Arc;

use async_trait::async_trait;
use bailiwick_connector::{
    Connector, Line,
    testkit::{Fixtures, Ids, Subject, TrueAccount},
};
use bailiwick_connectors::sql::Sql;
use bailiwick_core::{access::AccessClass, account::AccountAttributes, integration::Purpose};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, Row, postgres::PgConnectOptions};
use tokio::sync::Mutex;

use super::{
    database,
    postgres::{Postgres, Proxy, run},
};

/// What a line to them needs.
pub const ROLES: [&str; 22] = [
    "discover EXEC check",
    "discover EXEC ways-in",
    "list EXEC list",
    "get EXEC get",
    "list EXEC list-groups",
    "get EXEC get-group",
    "list EXEC list-direct-groups",
    "list EXEC list-nested-groups",
    "list EXEC list-roles",
    "list EXEC list-sessions",
    "list EXEC audit",
    "get EXEC owned",
    "create EXEC create",
    "update EXEC update",
    "update EXEC enable",
    "update EXEC disable",
    "update EXEC disable-otherwise",
    "delete EXEC delete",
    "grant EXEC grant-direct-groups",
    "revoke EXEC revoke-direct-groups",
    "revoke EXEC revoke-roles",
    "revoke EXEC revoke-sessions",
];

/// What giving a canary a password and trying it needs on top.
pub const TRYING: [&str; 2] = ["issue EXEC set-password", "try EXEC sign-in"];

pub const WRITE: &str = "the-write-password";
pub const READ: &str = "the-read-password";
/// What the first account signs in with.
pub const ANN: &str = "of-ann";

/// A name as PostgreSQL quotes it.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as PostgreSQL quotes it.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A server with a hub's two roles, and everybody else as seeded.
pub struct Roles {
    pub server: Postgres,
    proxy: Proxy,
    settings: Value,
    connector: Arc<Sql>,
    /// The session that the first account has.
    session: Mutex<Option<PgConnection>>,
}

/// The settings that go with it.
pub fn settings() -> Value {
    let own = ["postgres", "bailiwick_write", "bailiwick_read", "bailiwick_log"];
    json!({"dialect": "postgresql-roles", "ignore_roles": own})
}

/// The same with the server's log, for one that has it.
pub fn audited() -> Value {
    let mut settings = settings();
    settings["audit"] = json!({"ours": ["bailiwick_write"]});
    settings
}

/// What an administrator runs once, so that the log can be read.
const AUDIT: &str = include_str!("../../../../packaging/postgresql-audit.sql");

impl Roles {
    /// A server with nobody but the hub. `hba` is put before the rule that asks for passwords.
    pub async fn start(hba: &str, settings: &Value) -> Self {
        Self::on(Postgres::start(hba), settings).await
    }

    /// One that has a log of who changed roles.
    pub async fn start_logged(hba: &str) -> Self {
        Self::on_logged(Postgres::start_logged(hba)).await
    }

    /// One whose log is read.
    pub async fn on_logged(server: Postgres) -> Self {
        let started = Self::on(server, &audited()).await;
        started.install_audit().await;
        started
    }

    /// Does what an administrator does once, so that the log can be read.
    pub async fn install_audit(&self) {
        let mut admin = self.server.admin("postgres").await;
        run(&mut admin, AUDIT).await;
        let readers = "bailiwick_read, bailiwick_write";
        run(&mut admin, &format!("GRANT USAGE ON SCHEMA bailiwick TO {readers}")).await;
        run(&mut admin, &format!("GRANT EXECUTE ON FUNCTION bailiwick.audit TO {readers}")).await;
    }

    async fn on(server: Postgres, settings: &Value) -> Self {
        let mut admin = server.admin("postgres").await;
        for (role, password, more) in [
            ("bailiwick_write", WRITE, "CREATEROLE IN ROLE pg_signal_backend, pg_read_all_stats"),
            ("bailiwick_read", READ, "IN ROLE pg_read_all_stats"),
        ] {
            run(&mut admin, &format!("CREATE ROLE {role} LOGIN PASSWORD '{password}' {more}")).await;
            run(&mut admin, &format!("GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO {role}")).await;
            run(&mut admin, &format!("GRANT SELECT ON pg_hba_file_rules TO {role}")).await;
        }
        Self {
            proxy: Proxy::before(server.port).await,
            server,
            settings: settings.clone(),
            connector: Arc::new(Sql::new(settings).unwrap()),
            session: Mutex::default(),
        }
    }

    pub fn line_for(&self, purpose: Purpose) -> Line {
        let user = match purpose.writes() {
            true => ("bailiwick_write", WRITE),
            false => ("bailiwick_read", READ),
        };
        self.line_as(user, purpose)
    }

    pub fn line_as(&self, user: (&str, &str), purpose: Purpose) -> Line {
        let endpoint = format!("postgres://127.0.0.1:{}/postgres", self.proxy.port);
        let scope = [&ROLES[..], &TRYING].concat();
        database::line(&endpoint, &self.settings, &scope, Some(user), purpose)
    }

    /// Signs in as somebody, as the test does it itself.
    pub async fn sign_in(&self, user: &str, password: &str) -> Result<PgConnection, sqlx::Error> {
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(self.server.port);
        let options = options.username(user).password(password).database("postgres");
        PgConnection::connect_with(&options).await
    }

    /// Everything that the server has logged, each statement included.
    pub fn log(&self) -> String {
        std::fs::read_to_string(format!("{}/log", self.server.directory)).unwrap()
    }

    /// The oid of a role.
    pub async fn id(&self, name: &str) -> Option<String> {
        let query = sqlx::query_scalar("SELECT oid::text FROM pg_roles WHERE rolname::text = $1");
        query.bind(name).fetch_optional(&mut self.server.admin("postgres").await).await.unwrap()
    }

    /// Drops everybody.
    async fn empty(&self) {
        *self.session.lock().await = None;
        let mut admin = self.server.admin("postgres").await;
        let everybody = "rolname !~ '^(pg_|postgres$|bailiwick_)'";
        run(
            &mut admin,
            &format!(
                "SELECT pg_terminate_backend(s.pid, 5000) FROM pg_stat_activity s JOIN pg_roles r ON r.oid = s.usesysid \
                 WHERE {everybody}"
            ),
        )
        .await;
        run(
            &mut admin,
            &format!(
                "DO $do$ DECLARE r text; BEGIN FOR r IN SELECT rolname FROM pg_roles WHERE {everybody} LOOP \
                 EXECUTE format('DROP OWNED BY %I; DROP ROLE %I', r, r); END LOOP; END $do$"
            ),
        )
        .await;
    }
}

#[async_trait]
impl Subject for Roles {
    fn name(&self) -> String {
        "sql roles × PostgreSQL".to_owned()
    }

    fn connector(&self) -> Arc<dyn Connector> {
        self.connector.clone()
    }

    fn line(&self) -> Line {
        self.line_for(Purpose::Write)
    }

    fn reader(&self) -> Line {
        self.line_for(Purpose::Verify)
    }

    async fn seed(&self, fixtures: &Fixtures) -> Ids {
        self.empty().await;
        let mut admin = self.server.admin("postgres").await;
        for account in &fixtures.accounts {
            let name = ident(&account.name);
            let login = if account.live { "LOGIN" } else { "NOLOGIN" };
            run(&mut admin, &format!("CREATE ROLE {name} {login} PASSWORD '{ANN}'")).await;
            if let Some(marker) = &account.marker {
                let comment = literal(&format!("a person\n[bailiwick] {marker}"));
                run(&mut admin, &format!("COMMENT ON ROLE {name} IS {comment}")).await;
            }
        }
        for group in &fixtures.groups {
            run(&mut admin, &format!("CREATE ROLE {}", ident(&group.name))).await;
            for at in &group.members {
                let member = ident(&fixtures.accounts[*at].name);
                run(&mut admin, &format!("GRANT {} TO {member}", ident(&group.name))).await;
            }
            // The first account is in the first group; by that one it is in the empty one.
            if group.members.is_empty() {
                let (outer, inner) = (ident(&group.name), ident(&fixtures.groups[0].name));
                run(&mut admin, &format!("GRANT {outer} TO {inner}")).await;
            }
        }
        let first = ident(&fixtures.accounts[0].name);
        run(&mut admin, &format!("ALTER ROLE {first} CREATEDB")).await;
        run(&mut admin, &format!("GRANT pg_monitor TO {first}")).await;
        *self.session.lock().await = Some(self.sign_in(&fixtures.accounts[0].name, ANN).await.unwrap());
        let mut ids = Ids::default();
        for account in &fixtures.accounts {
            ids.accounts.push(self.id(&account.name).await.unwrap());
        }
        for group in &fixtures.groups {
            ids.groups.push(self.id(&group.name).await.unwrap());
        }
        self.settle().await;
        ids
    }

    async fn truth(&self) -> String {
        let mut admin = self.server.admin("postgres").await;
        let mut all = Vec::new();
        for sql in [
            "SELECT (a.*)::text || coalesce(shobj_description(a.oid, 'pg_authid'), '') FROM pg_authid a ORDER BY a.oid",
            "SELECT (m.*)::text FROM pg_auth_members m ORDER BY roleid, member",
            "SELECT usename::text || ' ' || pid::text FROM pg_stat_activity \
             WHERE usename !~ '^(postgres$|bailiwick_)' ORDER BY pid",
        ] {
            let rows = sqlx::query(sql).fetch_all(&mut admin).await.unwrap();
            all.extend(rows.iter().map(|row| row.get::<String, _>(0)));
        }
        all.join("\n")
    }

    async fn account(&self, id: &str) -> Option<TrueAccount> {
        let mut admin = self.server.admin("postgres").await;
        let sql = "SELECT rolname::text, shobj_description(oid, 'pg_authid'), \
                   rolcanlogin AND coalesce(rolvaliduntil > now(), true), rolconnlimit::text, \
                   to_char(rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.FF1\"Z\"') \
                   FROM pg_authid WHERE oid::text = $1";
        let role = sqlx::query(sql).bind(id).fetch_optional(&mut admin).await.unwrap()?;
        let comment: Option<String> = role.get(1);
        let marker = comment.and_then(|comment| Some(comment.split_once("[bailiwick] ")?.1.to_owned()));
        let until: Option<String> = role.get(4);
        let mut held = std::collections::BTreeMap::new();
        for (class, sql) in [
            (
                AccessClass::DirectGroups,
                "SELECT m.roleid::text FROM pg_auth_members m JOIN pg_authid g ON g.oid = m.roleid \
                 WHERE m.member::text = $1 AND g.rolname !~ '^pg_'",
            ),
            (
                AccessClass::Roles,
                "SELECT g.rolname::text FROM pg_auth_members m JOIN pg_authid g ON g.oid = m.roleid \
                 WHERE m.member::text = $1 AND g.rolname ~ '^pg_' \
                 UNION ALL SELECT 'attributes' FROM pg_authid WHERE oid::text = $1 \
                 AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)",
            ),
            (AccessClass::Sessions, "SELECT pid::text FROM pg_stat_activity WHERE usesysid::text = $1"),
        ] {
            let ids = sqlx::query_scalar(sql).bind(id).fetch_all(&mut admin).await.unwrap();
            held.insert(class, ids);
        }
        let attributes = [
            ("name".to_owned(), vec![role.get(0)]),
            ("connectionLimit".to_owned(), vec![role.get(3)]),
            ("validUntil".to_owned(), until.into_iter().collect()),
        ];
        Some(TrueAccount {
            name: role.get(0),
            marker,
            usable: role.get(2),
            attributes: attributes.into(),
            held,
        })
    }

    fn attributes(&self, name: &str) -> AccountAttributes {
        [("name".to_owned(), name.into()), ("connectionLimit".to_owned(), "5".into())].into()
    }

    fn change(&self, n: u32) -> AccountAttributes {
        let until = format!("{}-02-28T23:59:59.5Z", 2099 + n);
        [
            ("connectionLimit".to_owned(), (n + 10).to_string().as_str().into()),
            ("validUntil".to_owned(), until.as_str().into()),
        ]
        .into()
    }

    fn grantable(&self, class: AccessClass, ids: &Ids) -> Option<String> {
        (class == AccessClass::DirectGroups).then(|| ids.groups[0].clone())
    }

    async fn settle(&self) {
        if self.connector.capability().audits {
            self.server.logged().await;
        }
    }

    fn lose_next_answer(&self) -> bool {
        self.proxy.lose_next();
        true
    }

    fn writes(&self) -> Option<u64> {
        Some(self.proxy.commits())
    }

    fn secret(&self) -> Option<String> {
        Some(WRITE.to_owned())
    }
}
