//! What only one room may do: change a system, attach a credential, speak SQL, have routes.

use super::{
    Exception, Violation, excepted,
    rust::{bracketed, find_word, line},
    tree::Tree,
};

/// How many arguments `Connector::apply` takes; no other method of that name takes so many.
const APPLY_ARGUMENTS: usize = 5;

fn within(path: &str, rooms: &[&str]) -> bool {
    rooms.iter().any(|room| path.starts_with(room))
}

pub(super) const APPLY: [Exception; 1] = [Exception {
    path: "crates/connector/src/patient.rs",
    reason: "a layer: passes on, once, what engine/apply asks",
}];

/// Only `engine/apply` calls `Connector::apply`, and the kit that tests what it promises.
pub(super) fn apply(tree: &Tree) -> Vec<Violation> {
    let mut violations = apply_unexcepted(tree);
    violations.retain(|violation| !excepted(&APPLY, &violation.path));
    violations
}

pub(super) fn apply_unexcepted(tree: &Tree) -> Vec<Violation> {
    let rooms = ["crates/engine/src/apply.rs", "crates/engine/src/apply/", "crates/connector/src/testkit"];
    let mut violations = Vec::new();
    for (path, rust) in tree.shipped().filter(|(path, _)| !within(path, &rooms)) {
        let calls = rust
            .code
            .match_indices(".apply(")
            .filter(|(at, call)| arguments(bracketed(&rust.code, at + call.len() - 1)) == APPLY_ARGUMENTS);
        let paths =
            rust.code.match_indices("Connector::apply(").chain(rust.code.match_indices("Connector>::apply("));
        for (at, _) in calls.chain(paths) {
            let message = "only `engine/apply` may call `Connector::apply`: everything that changes a system is an approved plan";
            violations.push(Violation::new(path, line(&rust.code, at), message));
        }
    }
    violations
}

/// The number of arguments in the brackets of a call.
fn arguments(inner: &str) -> usize {
    let mut depth = 0_usize;
    let mut parts = vec![String::new()];
    for c in inner.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let trailing = parts.len() > 1 && parts.last().is_some_and(|p| p.trim().is_empty());
    parts.len() - usize::from(trailing)
}

pub(super) const CREDENTIALS: [Exception; 4] = [
    Exception {
        path: "crates/hub/src/api/caller.rs",
        reason: "reads the token that a caller shows to the hub",
    },
    Exception {
        path: "crates/hub/src/client.rs",
        reason: "the command line's own token for the hub's own API",
    },
    Exception {
        path: "crates/hub/src/entrance/provider.rs",
        reason: "the hub's own secret for the provider that its operators sign in by, which is no system",
    },
    Exception {
        path: "crates/hub/src/config/secret.rs",
        reason: "knows the word as the name of a secret to refuse",
    },
];

/// Only the broker and the seal touch an authorization header towards systems.
pub(super) fn credentials(tree: &Tree) -> Vec<Violation> {
    let mut violations = credentials_unexcepted(tree);
    violations.retain(|violation| !excepted(&CREDENTIALS, &violation.path));
    violations
}

pub(super) fn credentials_unexcepted(tree: &Tree) -> Vec<Violation> {
    // The lab plays the systems and the kit plays one: they look at what was attached.
    let rooms = [
        "crates/connector/src/broker",
        "crates/connector/src/seal",
        "crates/connector/src/testkit",
        "crates/lab/",
        "xtask/",
    ];
    let message = "only `connector/broker` and `connector/seal` may touch an authorization header";
    let mut violations = Vec::new();
    for (path, rust) in tree.shipped().filter(|(path, _)| !within(path, &rooms)) {
        for word in ["AUTHORIZATION", "PROXY_AUTHORIZATION", "bearer_auth", "basic_auth"] {
            let found = find_word(&rust.code, word).map(|at| line(&rust.code, at));
            violations.extend(found.map(|line| Violation::new(path, line, message)));
        }
        let named = rust.strings.iter().filter(|(_, s)| {
            let text = s.trim_matches(['"', 'r', 'b', '#']).to_ascii_lowercase();
            text == "authorization" || text == "proxy-authorization"
        });
        violations.extend(named.map(|(line, _)| Violation::new(path, *line, message)));
    }
    violations
}

pub(super) const SQL: [Exception; 1] = [Exception {
    path: "crates/connector/src/broker/sql/session.rs",
    reason: "begins and ends transactions in databases of systems; what is in them is certified by name",
}];

/// Only `store` has SQL, in strings, and only `store` and the broker open databases.
pub(super) fn sql(tree: &Tree) -> Vec<Violation> {
    let mut violations = sql_unexcepted(tree);
    violations.retain(|violation| !excepted(&SQL, &violation.path));
    violations.extend(databases(tree));
    violations
}

/// The hub's own database is opened by `store`, those of systems by the broker.
fn databases(tree: &Tree) -> Vec<Violation> {
    let rooms = ["crates/store/", "crates/connector/src/broker/sql/"];
    let mut violations = Vec::new();
    for (path, rust) in tree.shipped().filter(|(path, _)| !within(path, &rooms)) {
        let found = find_word(&rust.code, "sqlx").map(|at| line(&rust.code, at));
        let message = "only `store` and `connector/broker/sql` may open a database";
        violations.extend(found.map(|line| Violation::new(path, line, message)));
    }
    violations
}

pub(super) fn sql_unexcepted(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, rust) in tree.shipped().filter(|(path, _)| !within(path, &["crates/store/"])) {
        for (line, _) in rust.strings.iter().filter(|(_, text)| is_sql(text)) {
            violations.push(Violation::new(
                path,
                *line,
                "only `store` may have SQL: ask it through the seam",
            ));
        }
    }
    violations
}

/// Whether a text has the words of a statement, in capitals and in order.
fn is_sql(text: &str) -> bool {
    let statements: [&[&str]; 8] = [
        &["SELECT", "FROM"],
        &["INSERT", "INTO"],
        &["UPDATE", "SET"],
        &["DELETE", "FROM"],
        &["CREATE", "TABLE"],
        &["ALTER", "TABLE"],
        &["DROP", "TABLE"],
        &["PRAGMA", "="],
    ];
    statements.iter().any(|words| {
        let mut rest = text;
        words.iter().all(|word| match find_word(rest, word).next() {
            Some(at) => {
                rest = &rest[at + word.len()..];
                true
            }
            None => false,
        })
    })
}

/// Only `hub` has routes, and `lab`, which plays the systems; a kit may play one for a test.
pub(super) fn routes(tree: &Tree) -> Vec<Violation> {
    let rooms = ["crates/hub/", "crates/lab/", "crates/connector/src/testkit"];
    let mut violations = Vec::new();
    for (path, rust) in tree.shipped().filter(|(path, _)| !within(path, &rooms)) {
        for word in ["axum", "Router", "TcpListener", "UnixListener"] {
            let found = find_word(&rust.code, word).map(|at| line(&rust.code, at));
            violations.extend(found.map(|line| {
                Violation::new(path, line, format!("only `hub` may listen, `{word}` is for that"))
            }));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(run: fn(&Tree) -> Vec<Violation>, path: &str, text: &str, expect: &[usize]) {
        let lines: Vec<usize> = run(&Tree::of(&[(path, text)])).iter().map(|v| v.line).collect();
        assert_eq!(lines, expect, "{path}: {text}");
    }

    const CALL: &str = "fn f() {\n  connector.apply(line, Some(\"a\"), &op(1, 2), None, \"key\").await?;\n}";

    #[test]
    fn a_change_past_the_plan_is_found() {
        check(apply, "crates/engine/src/verify.rs", CALL, &[2]);
        check(apply, "crates/hub/src/api/fix.rs", "x\n\n  .apply(\n a, b,\n c, d, e,\n)", &[3]);
        check(apply, "crates/engine/src/work.rs", "Connector::apply(&c, l, a, o, p, k)", &[1]);
        check(apply, "crates/engine/src/apply.rs", CALL, &[]);
        check(apply, "crates/engine/src/apply/send.rs", CALL, &[]);
        check(apply, "crates/connector/src/testkit/kit.rs", CALL, &[]);
        check(apply, "crates/engine/tests/x.rs", CALL, &[]);
        check(apply, "crates/lab/src/x.rs", "shown.apply(&change, at)", &[]);
        check(apply, "crates/engine/src/x.rs", "// connector.apply(a, b, c, d, e)", &[]);
        check(
            apply,
            "crates/engine/src/x.rs",
            "#[cfg(test)]\nmod tests { fn f() { c.apply(a, b, c, d, e) } }",
            &[],
        );
    }

    #[test]
    fn a_credential_attached_past_the_broker_is_found() {
        let header =
            "use http::header::AUTHORIZATION;\nlet x = \"authorization\";\nlet y = \"Authorization\";";
        check(credentials, "crates/connectors/src/scim/mod.rs", header, &[1, 2, 3]);
        check(credentials, "crates/engine/src/x.rs", "request\n.bearer_auth(token)", &[2]);
        check(credentials, "crates/connector/src/broker/send.rs", header, &[]);
        check(credentials, "crates/connector/src/seal.rs", header, &[]);
        check(credentials, "crates/lab/src/exchange.rs", header, &[]);
        check(credentials, "crates/hub/src/client.rs", header, &[]);
        check(credentials, "crates/hub/src/api/other.rs", header, &[1, 2, 3]);
        check(
            credentials,
            "crates/core/src/x.rs",
            "/// authorization\n\"no authorization here\"; AuthorizationError",
            &[],
        );
    }

    #[test]
    fn sql_outside_of_the_store_is_found() {
        let query =
            "f(\"SELECT a\n  FROM b\");\ng(r#\"INSERT INTO x\"#);\nh(\"update it, set it, select from it\");";
        check(sql, "crates/hub/src/x.rs", query, &[1, 3]);
        check(sql, "crates/store/src/x.rs", query, &[]);
        check(sql, "crates/engine/tests/x.rs", query, &[]);
        check(sql, "crates/engine/src/x.rs", "\"UPDATE t SET a = 1\"; // SELECT x FROM y", &[1]);
        check(sql, "crates/engine/src/x.rs", "\"FROM x SELECT\"; \"SELECTED a FROM b\"", &[]);
        check(sql, "crates/connectors/src/sql/read.rs", query, &[1, 3]);
        check(sql, "crates/connector/src/broker/sql/mod.rs", query, &[1, 3]);
    }

    #[test]
    fn a_database_opened_past_store_and_broker_is_found() {
        let open = "use sqlx::Connection;\nlet c = sqlx::query(text);";
        check(sql, "crates/connectors/src/sql/read.rs", open, &[1, 2]);
        check(sql, "crates/connector/src/patient.rs", open, &[1, 2]);
        check(sql, "crates/connector/src/broker/sql/session.rs", open, &[]);
        check(sql, "crates/store/src/x.rs", open, &[]);
    }

    #[test]
    fn a_route_outside_of_the_hub_is_found() {
        let route = "use axum::Router;\nlet l = TcpListener::bind(a);";
        check(routes, "crates/engine/src/x.rs", route, &[1, 1, 2]);
        check(routes, "crates/hub/src/x.rs", route, &[]);
        check(routes, "crates/lab/src/x.rs", route, &[]);
        check(routes, "crates/connectors/src/x.rs", "RouterTable; \"axum\"", &[]);
    }
}
