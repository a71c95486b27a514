//! What a token that an operator made for a program may do: reading, and what stands in the list below.
//!
//! Promises: what is not in the list takes a person, and so does everything that approves, answers for something or hands
//! out a secret; a token never does more than its operator may at the moment of the call. It acts with the least roles
//! that give its rights, so that no handler finds more in it.

use std::collections::BTreeSet;

use axum::http::Method;
use bailiwick_core::right::Right;
use bailiwick_store::entities::{ApiToken, Operator};

use super::{Hub, answer::ApiError};
use crate::problem::Problem;

/// What such a token begins with.
pub const PREFIX: &str = "bwt_";

/// What programs may do besides reading, with which right; paths as the routes of the API have them.
const MAY: [(Method, &str, Right); 13] = [
    (Method::POST, "/sources/{source}/deliveries", Right::Operate),
    (Method::POST, "/systems/{system}/check", Right::Operate),
    (Method::POST, "/systems/{system}/reconciliation", Right::Operate),
    (Method::POST, "/systems/{system}/audit", Right::Operate),
    (Method::POST, "/identities/{identity}/alignment", Right::Operate),
    (Method::POST, "/evidence/check", Right::Operate),
    (Method::POST, "/configuration/change", Right::Govern),
    (Method::PUT, "/configuration", Right::Govern),
    (Method::PUT, "/integrations/{integration}/credentials/{purpose}", Right::Govern),
    (Method::POST, "/integrations/{integration}/test", Right::Govern),
    (Method::POST, "/systems/{system}/profile", Right::Govern),
    (Method::POST, "/systems/{system}/drill", Right::Govern),
    (Method::POST, "/systems/{system}/trial", Right::Govern),
];

/// What is read by people alone: half of a secret.
const PERSONAL: [&str; 1] = ["/plans/{plan}/invitation"];

/// What is asked for: the method, and the path below the API's.
pub type Asked = (Method, String);

/// Who a token acts for, if it works; with no more roles than its rights take.
///
/// # Errors
/// `token-approves-nothing` and `token-scope` when it may not do what is asked for.
pub async fn caller(hub: &Hub, secret: &str, (method, path): &Asked) -> Result<Option<Operator>, ApiError> {
    let Some((operator, token)) = hub.engine.operator_by_api_token(secret).await? else { return Ok(None) };
    allows(method, path, &token, &operator.roles)?;
    let roles = acting(&token.rights, &operator.roles);
    Ok(Some(Operator { roles, ..operator }))
}

/// Whether a path is one of a route.
fn is_of(route: &str, path: &str) -> bool {
    let (mut parts, mut given) = (route.split('/'), path.split('/'));
    loop {
        match (parts.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(given)) if part == given || (part.starts_with('{') && !given.is_empty()) => {}
            (Some(_), Some(_)) | (Some(_), None) | (None, Some(_)) => return false,
        }
    }
}

fn allows(method: &Method, path: &str, token: &ApiToken, roles: &BTreeSet<String>) -> Result<(), Problem> {
    if matches!(*method, Method::GET | Method::HEAD) && !PERSONAL.iter().any(|route| is_of(route, path)) {
        return Ok(());
    }
    let needed =
        MAY.iter().find(|(known, at, _)| known == method && is_of(at, path)).map(|(_, _, right)| *right);
    match needed {
        Some(right) if token.rights.contains(&right) && right.is_given_by(roles) => Ok(()),
        Some(right) => {
            let detail = format!(
                "the token `{}` may not `{}`, or whoever made it may not any more",
                token.name,
                right.as_str()
            );
            Err(Problem::new(403, "token-scope", detail))
        }
        None => {
            let detail = format!(
                "the token `{}` is a program's: what approves, answers for something or makes a secret takes a person, with \
                 their own profile or at the console",
                token.name
            );
            Err(Problem::new(403, "token-approves-nothing", detail))
        }
    }
}

/// The least roles that give the rights, of those that the operator's roles give.
fn acting(rights: &BTreeSet<Right>, roles: &BTreeSet<String>) -> BTreeSet<String> {
    let mut least = rights.iter().filter(|right| right.is_given_by(roles)).filter_map(|right| match right {
        Right::Govern => Some("admin"),
        Right::Operate => Some("operator"),
        // They take a person; no token has them.
        Right::Accept | Right::Terminate => None,
    });
    // Who governs may do the other too.
    least.next().map(str::to_owned).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use bailiwick_core::{
        digest::Digest,
        id::{OperatorId, TokenId},
        time::Timestamp,
    };

    use super::*;
    use crate::api::DESCRIPTION;

    fn token(rights: &[Right]) -> ApiToken {
        ApiToken {
            id: TokenId::from_bytes([1; 16]),
            operator: OperatorId::from_bytes([1; 16]),
            name: "nightly".into(),
            secret: Digest::of(b""),
            rights: rights.iter().copied().collect(),
            made: Timestamp::UNIX_EPOCH,
            expires: Timestamp::MAX,
            used: None,
            seal: String::new(),
        }
    }

    fn roles(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_token_does_what_was_said_and_never_more_than_its_operator() {
        let check = |method: Method, path: &str, rights: &[Right], has: &[&str], expect: Result<(), &str>| {
            let allowed = allows(&method, path, &token(rights), &roles(has)).map_err(|problem| problem.code);
            assert_eq!(allowed, expect.map_err(str::to_owned), "{method} {path} {rights:?} {has:?}");
        };
        let (scope, person) = (Err("token-scope"), Err("token-approves-nothing"));
        let deliver = "/sources/hr/deliveries";
        check(Method::GET, "/plans", &[], &["approver"], Ok(()));
        check(Method::GET, "/plans/pln_1/invitation", &[Right::Govern], &["admin"], person);
        check(Method::POST, deliver, &[], &["admin"], scope);
        check(Method::POST, deliver, &[Right::Operate], &["operator"], Ok(()));
        check(Method::POST, deliver, &[Right::Operate], &["approver"], scope);
        check(Method::POST, deliver, &[Right::Govern], &["admin"], scope);
        check(Method::PUT, "/configuration", &[Right::Operate], &["admin"], scope);
        check(Method::PUT, "/configuration", &[Right::Govern], &["admin"], Ok(()));
        check(Method::PUT, "/configuration", &[Right::Govern], &["operator"], scope);
        let all = Right::ALL;
        for path in [
            "/plans/pln_1/approval",
            "/tokens",
            "/operators",
            "/operators/noor/factor",
            "/sessions",
            "/sources/hr/deliveries/",
            "/sources//deliveries",
            "//configuration/change",
            "",
        ] {
            check(Method::POST, path, &all, &["admin"], person);
        }
        check(Method::DELETE, "/tokens/tok_1", &all, &["admin"], person);
    }

    #[test]
    fn a_token_acts_with_the_least_roles_that_its_rights_take() {
        let check = |rights: &[Right], has: &[&str], expect: &[&str]| {
            let rights = rights.iter().copied().collect();
            assert_eq!(acting(&rights, &roles(has)), roles(expect), "{rights:?} {has:?}");
        };
        check(&[], &["admin", "operator"], &[]);
        check(&[Right::Operate], &["admin"], &["operator"]);
        check(&[Right::Govern, Right::Operate], &["admin"], &["admin"]);
        check(&[Right::Govern, Right::Operate], &["operator"], &["operator"]);
        check(&[Right::Govern], &["approver"], &[]);
    }

    #[test]
    fn each_route_of_the_list_is_one() {
        for (method, path, _) in MAY {
            let mut known = DESCRIPTION.operations();
            assert!(
                known.any(|one| one.path == path && one.verb.as_str() == method.as_str()),
                "{method} {path}"
            );
        }
    }
}
