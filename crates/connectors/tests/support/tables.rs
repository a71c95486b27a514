//! An application that keeps its accounts in tables, and the statements that describe it: the same tables
//! and nearly the same texts for PostgreSQL and SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use bailiwick_connector::{
    Connector, Line,
    testkit::{Fixtures, Ids, Subject, TrueAccount},
};
use bailiwick_connectors::sql::Sql;
use bailiwick_core::{
    access::AccessClass,
    account::{AccountAttributes, AccountValue},
    integration::Purpose,
};
use serde_json::{Value, json};

use super::database;

/// The tables.
pub const SCHEMA: [&str; 5] = [
    "CREATE TABLE person (id bigint PRIMARY KEY, login text NOT NULL UNIQUE CHECK (length(login) <= 200), \
     marker text, active int NOT NULL, email text, admin int NOT NULL, labels text NOT NULL, version bigint NOT NULL)",
    "CREATE TABLE team (id bigint PRIMARY KEY, name text NOT NULL)",
    "CREATE TABLE team_person (team bigint NOT NULL REFERENCES team, person bigint NOT NULL REFERENCES person \
     ON DELETE CASCADE, PRIMARY KEY (team, person))",
    "CREATE TABLE team_team (outside bigint NOT NULL REFERENCES team, inside bigint NOT NULL REFERENCES team)",
    "CREATE TABLE token (id text PRIMARY KEY, person bigint NOT NULL REFERENCES person ON DELETE CASCADE)",
];

/// The tables in the order in which they can be emptied.
pub const TABLES: [&str; 5] = ["token", "team_team", "team_person", "team", "person"];

/// Who did what, for a database that knows who is signed in.
pub const LOG: [&str; 5] = [
    "CREATE TABLE deed (seq bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL DEFAULT clock_timestamp(), \
     who text NOT NULL DEFAULT session_user, what text NOT NULL, person bigint NOT NULL)",
    "CREATE FUNCTION logs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $logs$ DECLARE it jsonb := to_jsonb(coalesce(NEW, OLD)); \
     BEGIN INSERT INTO deed (what, person) VALUES (lower(TG_OP) || '-' || TG_TABLE_NAME, coalesce(it ->> 'person', it ->> 'id')::bigint); \
     RETURN NULL; END $logs$",
    "CREATE TRIGGER logs AFTER INSERT OR UPDATE OR DELETE ON person FOR EACH ROW EXECUTE FUNCTION logs()",
    "CREATE TRIGGER logs AFTER INSERT OR DELETE ON team_person FOR EACH ROW EXECUTE FUNCTION logs()",
    "CREATE TRIGGER logs AFTER INSERT OR DELETE ON token FOR EACH ROW EXECUTE FUNCTION logs()",
];

/// The settings with that log.
fn logged(mut settings: Value) -> Value {
    let text = "SELECT seq AS mark, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS at, who AS actor, \
                what AS deed, person AS account FROM deed WHERE seq > COALESCE(CAST(:after AS bigint), 0) \
                AND (:since IS NULL OR at >= CAST(:since AS timestamptz)) ORDER BY seq LIMIT :limit";
    settings["statements"]["audit"] = json!({"operations": ["list"], "text": text});
    settings["audit"] = json!({
        "ours": ["bailiwick_write"],
        "given": {"insert-person": "primary-account", "insert-team_person": "direct-groups"},
        "taken": {"delete-team_person": "direct-groups", "delete-token": "api-tokens"},
        "changed": {"update-person": "primary-account"},
        "ends": ["delete-person"],
    });
    settings
}

/// How two databases say the same differently.
pub struct Dialect {
    /// Yes or no of a number.
    pub flag: fn(&str) -> String,
    /// A parameter that is yes or no, as a number.
    pub number: &'static str,
    /// Several texts of one.
    pub list: fn(&str) -> String,
    /// A parameter of several texts, as one.
    pub unlist: &'static str,
    /// What became of it, as several texts again.
    pub labels: &'static str,
}

/// The settings of an integration with the application.
pub fn settings(dialect: &Dialect) -> Value {
    let Dialect { flag, number, list, unlist, labels } = dialect;
    let groups = list("SELECT CAST(team AS text) AS x FROM team_person WHERE person = p.id ORDER BY team");
    let members = list(
        "SELECT CAST(person AS text) AS x FROM team_person WHERE team = t.id \
         UNION SELECT CAST(inside AS text) FROM team_team WHERE outside = t.id",
    );
    let (active, admin) = (flag("p.active"), flag("p.admin"));
    let account = format!(
        "SELECT p.id, p.login AS name, p.marker, {active} AS active, p.email, {admin} AS admin, {labels} AS labels, p.version, \
         {groups} AS groups FROM person p"
    );
    let group = format!("SELECT t.id, t.name, {members} AS members FROM team t");
    let page = "ORDER BY 1 LIMIT :limit";
    let one = "WHERE CAST(id AS text) = :id AND (:version IS NULL OR CAST(version AS text) = :version)";
    let texts = json!({
            "list": format!("{account} WHERE p.id > COALESCE(CAST(:after AS bigint), 0) {page}"),
            "get": format!("{account} WHERE CAST(p.id AS text) = :id OR p.login = :name"),
            "get-marked": format!("{account} WHERE p.marker = :marker"),
            "list-groups": format!("{group} WHERE t.id > COALESCE(CAST(:after AS bigint), 0) {page}"),
            "get-group": format!("{group} WHERE CAST(t.id AS text) = :id"),
            "create": format!(
                "INSERT INTO person (id, login, marker, active, email, admin, labels, version) \
                 SELECT COALESCE(MAX(id), 0) + 1, :name, :marker, 1, :email, COALESCE({number}, 0), \
                 COALESCE({unlist}, ''), 1 FROM person RETURNING id, version"
            ),
            "update": format!(
                "UPDATE person SET login = COALESCE(:name, login), email = COALESCE(:email, email), \
                 admin = COALESCE({number}, admin), labels = COALESCE({unlist}, labels), version = version + 1 {one} \
                 RETURNING version"
            ),
            "enable": format!("UPDATE person SET active = 1, version = version + 1 {one}"),
            "disable": format!("UPDATE person SET active = 0, version = version + 1 {one}"),
            "delete": format!("DELETE FROM person {one}"),
            "list-direct-groups": format!(
                "SELECT t.id, t.name FROM team t JOIN team_person m ON m.team = t.id \
                 WHERE CAST(m.person AS text) = :id AND t.id > COALESCE(CAST(:after AS bigint), 0) {page}"
            ),
            "grant-direct-groups":
                "INSERT INTO team_person (team, person) SELECT t.id, p.id FROM team t, person p \
                 WHERE CAST(t.id AS text) = :item AND CAST(p.id AS text) = :id",
            "revoke-direct-groups":
                "DELETE FROM team_person WHERE CAST(team AS text) = :item AND CAST(person AS text) = :id",
            "list-nested-groups":
                "WITH RECURSIVE reached AS ( \
                   SELECT n.outside FROM team_team n JOIN team_person m ON m.team = n.inside \
                   WHERE CAST(m.person AS text) = :id \
                   UNION SELECT n.outside FROM team_team n JOIN reached r ON r.outside = n.inside) \
                 SELECT id, name FROM team WHERE id IN (SELECT outside FROM reached) ORDER BY id",
            "list-api-tokens": "SELECT id, id AS name FROM token WHERE CAST(person AS text) = :id ORDER BY id",
            "revoke-api-tokens": "DELETE FROM token WHERE id = :item AND CAST(person AS text) = :id",
    });
    let statement = |(name, text): (&String, &Value)| {
        (name.clone(), json!({"operations": [operation(name)], "text": text}))
    };
    let statements: Value = texts.as_object().unwrap().iter().map(statement).collect();
    json!({
        "dialect": "tables",
        "attributes": {"admin": "flag", "labels": "many"},
        "statements": statements,
    })
}

/// What a statement of this name is for.
fn operation(name: &str) -> &str {
    match name.split('-').next().unwrap() {
        "enable" | "disable" => "update",
        "audit" => "list",
        other => other,
    }
}

/// What the statements need.
pub fn scope(settings: &Value) -> Vec<String> {
    let names = settings["statements"].as_object().unwrap().keys();
    names.map(|name| format!("{} EXEC {name}", operation(name))).collect()
}

/// A database with the tables in it, reached past the connector.
#[async_trait]
pub trait Behind: Send + Sync {
    /// For people.
    fn title(&self) -> &'static str;
    /// Executes a text of the test.
    async fn run(&self, sql: &str);
    /// Every row of all tables.
    async fn rows(&self) -> String;
    /// The rows of a query of the test, all of whose columns are texts.
    async fn query(&self, sql: &str) -> Vec<Vec<Option<String>>>;
    /// The endpoint, and who signs in for a purpose.
    fn way(&self, purpose: Purpose) -> (String, Option<(&'static str, &'static str)>);
    /// As the kit has it.
    fn lose(&self) -> bool {
        false
    }
    /// As the kit has it.
    fn writes(&self) -> Option<u64> {
        None
    }
    /// As the kit has it.
    fn hide(&self) -> bool {
        false
    }
    /// Shows everything again.
    async fn show(&self) {}
    /// Whether it can log who did what.
    fn logs(&self) -> bool {
        false
    }
}

/// The application in one of the databases.
pub struct Tables<B> {
    pub behind: B,
    pub settings: Value,
    connector: Arc<Sql>,
}

/// A text as both databases quote it.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl<B: Behind> Tables<B> {
    pub async fn new(behind: B, dialect: &Dialect) -> Self {
        for table in SCHEMA {
            behind.run(table).await;
        }
        let mut settings = settings(dialect);
        if behind.logs() {
            for statement in LOG {
                behind.run(statement).await;
            }
            settings = logged(settings);
        }
        let connector = Arc::new(Sql::new(&settings).unwrap());
        Self { behind, settings, connector }
    }

    pub fn line_for(&self, purpose: Purpose) -> Line {
        let (endpoint, user) = self.behind.way(purpose);
        let scope = scope(&self.settings);
        let scope: Vec<&str> = scope.iter().map(String::as_str).collect();
        database::line(&endpoint, &self.settings, &scope, user, purpose)
    }
}

#[async_trait]
impl<B: Behind> Subject for Tables<B> {
    fn name(&self) -> String {
        format!("sql tables × {}", self.behind.title())
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
        self.behind.show().await;
        for table in TABLES {
            self.behind.run(&format!("DELETE FROM {table}")).await;
        }
        let mut ids = Ids::default();
        for (at, account) in fixtures.accounts.iter().enumerate() {
            let (id, name, active) = (at * 3 + 8, literal(&account.name), u8::from(account.live));
            let marker = account.marker.as_deref().map_or("NULL".to_owned(), literal);
            let values = format!("{id}, {name}, {marker}, {active}, NULL, 0, '', 1");
            self.behind.run(&format!("INSERT INTO person VALUES ({values})")).await;
            ids.accounts.push(id.to_string());
        }
        for (at, group) in fixtures.groups.iter().enumerate() {
            let id = at + 101;
            self.behind.run(&format!("INSERT INTO team VALUES ({id}, {})", literal(&group.name))).await;
            for member in &group.members {
                let person = &ids.accounts[*member];
                self.behind.run(&format!("INSERT INTO team_person VALUES ({id}, {person})")).await;
            }
            // The first account is in the first group; by that one it is in the empty one.
            if group.members.is_empty() {
                self.behind.run(&format!("INSERT INTO team_team VALUES ({id}, 101)")).await;
            }
            ids.groups.push(id.to_string());
        }
        for token in ["ci", "it's"] {
            let person = &ids.accounts[0];
            self.behind.run(&format!("INSERT INTO token VALUES ({}, {person})", literal(token))).await;
        }
        ids
    }

    async fn truth(&self) -> String {
        self.behind.rows().await
    }

    async fn account(&self, id: &str) -> Option<TrueAccount> {
        let is = format!("AS text) = {}", literal(id));
        let sql = format!(
            "SELECT login, marker, CAST(active AS text), email, CAST(admin AS text), labels FROM person WHERE CAST(id {is}"
        );
        let mut person = self.behind.query(&sql).await.pop()?.into_iter();
        let mut next = || person.next().flatten();
        let (name, marker, active, email, admin) = (next()?, next(), next()?, next(), next()?);
        // Several texts as the one database keeps them, or the other.
        let labels = next().filter(|labels| !labels.is_empty()).map_or_else(Vec::new, |labels| {
            serde_json::from_str(&labels).unwrap_or_else(|_| labels.split(',').map(str::to_owned).collect())
        });
        let column = async |sql: String| {
            self.behind.query(&sql).await.into_iter().flatten().flatten().collect::<Vec<String>>()
        };
        let groups =
            column(format!("SELECT CAST(team AS text) FROM team_person WHERE CAST(person {is}")).await;
        let tokens = column(format!("SELECT id FROM token WHERE CAST(person {is}")).await;
        let attributes = [
            ("name".to_owned(), vec![name.clone()]),
            ("email".to_owned(), email.into_iter().collect()),
            ("admin".to_owned(), vec![(admin == "1").to_string()]),
            ("labels".to_owned(), labels),
        ];
        Some(TrueAccount {
            name,
            marker,
            usable: active == "1",
            attributes: attributes.into(),
            held: [(AccessClass::DirectGroups, groups), (AccessClass::ApiTokens, tokens)].into(),
        })
    }

    fn attributes(&self, name: &str) -> AccountAttributes {
        [("name".to_owned(), name.into()), ("email".to_owned(), "kit@acme.example".into())].into()
    }

    fn change(&self, n: u32) -> AccountAttributes {
        [
            ("email".to_owned(), format!("kit{n}' OR \"1\"='1 --Ä").as_str().into()),
            ("admin".to_owned(), AccountValue::Flag(n % 2 == 1)),
            ("labels".to_owned(), AccountValue::Many(vec![format!("no {n}"), "it's \"b\"".to_owned()])),
        ]
        .into()
    }

    fn grantable(&self, class: AccessClass, ids: &Ids) -> Option<String> {
        (class == AccessClass::DirectGroups).then(|| ids.groups[0].clone())
    }

    fn lose_next_answer(&self) -> bool {
        self.behind.lose()
    }

    fn hide_part(&self) -> bool {
        self.behind.hide()
    }

    fn writes(&self) -> Option<u64> {
        self.behind.writes()
    }

    fn secret(&self) -> Option<String> {
        self.behind.way(Purpose::Write).1.map(|(_, password)| password.to_owned())
    }
}
