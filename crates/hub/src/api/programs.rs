//! What a token that an operator made for a program may do: reading, and what the table of operations says.
//!
//! Promises: what the table does not give to programs takes a person, and so does everything that approves, answers for
//! something or hands out a secret; a token never does more than its operator may at the moment of the call. It acts with the least roles
//! that give its rights, so that no handler finds more in it.

use std::collections::BTreeSet;

use axum::http::Method;
use bailiwick_core::right::{Right, Rights};
use bailiwick_store::entities::{ApiToken, Operator};

use super::{BASE, Caller, DESCRIPTION, Described, Hub, answer::ApiError, operation::Programs};
use crate::problem::Problem;

/// What such a token begins with.
pub const PREFIX: &str = "bwt_";

/// Who a token acts for, if it works and may be used for the operation; with no more roles than its rights take. What is
/// no operation of the table is only read.
///
/// # Errors
/// `token-approves-nothing` and `token-scope` when it may not do what is asked for.
pub async fn caller(hub: &Hub, secret: &str, asked: Asked<'_>) -> Result<Option<Caller>, ApiError> {
    let Some((operator, token)) = hub.engine.operator_by_api_token(secret).await? else { return Ok(None) };
    let own = hub.engine.rights(&operator).await;
    allows(asked, &token, &own)?;
    let roles = acting(&token.rights, &own);
    Ok(Some(Caller(Operator { roles, ..operator }, own.within(&token.rights))))
}

/// What is asked for: the method, and the route that takes it, as the router has it.
pub type Asked<'a> = (&'a Method, &'a str);

fn allows((method, route): Asked<'_>, token: &ApiToken, own: &Rights) -> Result<(), ApiError> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let verb = if reads { "GET" } else { method.as_str() };
    let of = |one: &&Described| one.verb.as_str() == verb && route.strip_prefix(BASE) == Some(one.path);
    let programs = match DESCRIPTION.operations().find(of) {
        Some(operation) => operation.programs,
        None if reads => Programs::Any,
        None => Programs::Never,
    };
    match programs {
        Programs::Any => Ok(()),
        Programs::With(right) if token.rights.contains(&right) && own.has(right) => Ok(()),
        Programs::With(right) => {
            let detail = format!(
                "the token `{}` may not `{}`, or whoever made it may not any more",
                token.name,
                right.as_str()
            );
            Err(Problem::new(403, "token-scope", detail).into())
        }
        Programs::Never => {
            let detail = format!(
                "the token `{}` is a program's: what approves, answers for something or makes a secret takes a person, with \
                 their own profile or at the console",
                token.name
            );
            Err(Problem::new(403, "token-approves-nothing", detail).into())
        }
    }
}

/// The least roles that give the rights, of those that the operator has.
fn acting(rights: &BTreeSet<Right>, own: &Rights) -> BTreeSet<String> {
    let mut least = rights.iter().filter(|right| own.has(**right)).filter_map(|right| match right {
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
    use crate::api::Access;

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
            let route = format!("{BASE}{path}");
            let allowed = allows((&method, &route), &token(rights), &Rights::of_roles(&roles(has)));
            let allowed = allowed.map_err(|error| error.into_problem().code);
            assert_eq!(allowed, expect.map_err(str::to_owned), "{method} {path} {rights:?} {has:?}");
        };
        let (scope, person) = (Err("token-scope"), Err("token-approves-nothing"));
        let deliver = "/sources/{source}/deliveries";
        check(Method::GET, "/plans", &[], &["approver"], Ok(()));
        check(Method::GET, "/plans/{plan}/invitation", &[Right::Govern], &["admin"], person);
        check(Method::POST, deliver, &[], &["admin"], scope);
        check(Method::POST, deliver, &[Right::Operate], &["operator"], Ok(()));
        check(Method::POST, deliver, &[Right::Operate], &["approver"], scope);
        check(Method::POST, deliver, &[Right::Govern], &["admin"], scope);
        check(Method::PUT, "/configuration", &[Right::Operate], &["admin"], scope);
        check(Method::PUT, "/configuration", &[Right::Govern], &["admin"], Ok(()));
        check(Method::PUT, "/configuration", &[Right::Govern], &["operator"], scope);
        let all = Right::ALL;
        for path in [
            "/plans/{plan}/approval",
            "/tokens",
            "/operators",
            "/operators/{name}/factor",
            "/sessions",
            "/nothing",
            "",
        ] {
            check(Method::POST, path, &all, &["admin"], person);
        }
        check(Method::DELETE, "/tokens/{token}", &all, &["admin"], person);
    }

    #[test]
    fn a_token_acts_with_the_least_roles_that_its_rights_take() {
        let check = |rights: &[Right], has: &[&str], expect: &[&str]| {
            let rights = rights.iter().copied().collect();
            assert_eq!(acting(&rights, &Rights::of_roles(&roles(has))), roles(expect), "{rights:?} {has:?}");
        };
        check(&[], &["admin", "operator"], &[]);
        check(&[Right::Operate], &["admin"], &["operator"]);
        check(&[Right::Govern, Right::Operate], &["admin"], &["admin"]);
        check(&[Right::Govern, Right::Operate], &["operator"], &["operator"]);
        check(&[Right::Govern], &["approver"], &[]);
    }

    #[test]
    fn a_program_needs_no_other_right_than_its_operator_does_and_makes_no_secret() {
        let mut given = 0;
        for one in DESCRIPTION.operations() {
            let Programs::With(right) = one.programs else { continue };
            given += 1;
            assert!(one.verb.changes() && !one.once, "{}", one.id);
            let other = matches!(one.access, Access::Right(needed) if needed != right);
            assert!(!other && right != Right::Accept && right != Right::Terminate, "{}", one.id);
        }
        assert!(given > 10, "{given}");
    }

    #[test]
    fn what_is_no_operation_is_only_read() {
        let token = token(&Right::ALL);
        let of = |names: &[&str]| Rights::of_roles(&roles(names));
        assert!(allows((&Method::GET, "/metrics"), &token, &of(&[])).is_ok());
        assert!(allows((&Method::POST, "/metrics"), &token, &of(&["admin"])).is_err());
    }
}
