//! Where secrets are compared: each place is in a list, and none compares in a time that tells how much was right.

use super::{
    Violation,
    rust::{find_word, line},
    tree::Tree,
};

/// Each file that compares what somebody brought with what only the hub can know, and what that is.
const COMPARED: [(&str, &str); 12] = [
    ("crates/connector/src/broker/kill.rs", "two credentials of an integration"),
    ("crates/connector/src/seal/factor.rs", "a code of the moment"),
    ("crates/connector/src/seal/hook.rs", "the signature of a hint"),
    (
        "crates/connector/src/seal/key.rs",
        "the hub's seal: of approvals, operators, sessions, tokens, halves, pages",
    ),
    ("crates/connector/src/seal/secret.rs", "two credentials"),
    ("crates/core/src/digest.rs", "how the others compare"),
    ("crates/core/src/openid/claims.rs", "the nonce of a sign-in"),
    ("crates/core/src/passkey/client.rs", "the challenge that a passkey answers"),
    ("crates/engine/src/passkey/challenge.rs", "the seal of a challenge"),
    ("crates/evidence/src/journal.rs", "the seal of what is not in the log yet"),
    ("crates/hub/src/console/provider.rs", "the cookie and the state of a sign-in"),
    ("crates/hub/src/console/signed_in.rs", "what a form brings along"),
];

/// What compares in a time that tells nothing.
const CALLS: [&str; 4] = ["verify_slices_are_equal(", "hmac::verify(", "digest::same(", "secret.same("];

/// What values that must be compared so are called.
const SECRETS: [&str; 9] =
    ["token", "secret", "seal", "signature", "nonce", "challenge", "half", "cookie", "password"];

/// The lab plays the systems, and a connector is given no credential: its tokens are those of pages.
const ELSEWHERE: [&str; 3] = ["crates/lab/", "crates/connectors/", "xtask/"];

/// Secrets are compared in constant time, and only where the list says.
pub(super) fn secrets(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, rust) in
        tree.shipped().filter(|(path, _)| !ELSEWHERE.iter().any(|room| path.starts_with(room)))
    {
        let listed = COMPARED.iter().any(|(known, _)| *known == path);
        let first = CALLS.iter().filter_map(|call| find_word(&rust.code, call).next()).min();
        match first {
            Some(at) if !listed => {
                let message = "compares a secret; say which in the list of `xtask/src/tidy/secrets.rs`";
                violations.push(Violation::new(path, line(&rust.code, at), message));
            }
            None if listed => {
                let message = "compares no secret any more; remove it from the list";
                violations.push(Violation::new(path, 1, message));
            }
            Some(_) | None => {}
        }
        for at in bare(&rust.code) {
            let message =
                "a secret is compared with `digest::same`: `==` tells by its time how much was right";
            violations.push(Violation::new(path, line(&rust.code, at), message));
        }
    }
    violations
}

/// Where something called like a secret is compared by an operator. What is compared with a variant of an enum is none.
fn bare(code: &str) -> Vec<usize> {
    let operators = code.match_indices("==").chain(code.match_indices("!="));
    let secret = |name: &str| SECRETS.contains(&name);
    let compared = operators.filter(|(at, operator)| {
        let (left, right) = (&code[..*at], code[at + operator.len()..].trim_start());
        let end = right.find(|c: char| !is_part(c)).unwrap_or(right.len());
        let left = left.trim_end();
        let chain = left.char_indices().rev().take_while(|(_, c)| is_part(*c)).last();
        let (left, right) = (&left[chain.map_or(left.len(), |(begin, _)| begin)..], &right[..end]);
        !right.contains("::") && !left.contains("::") && (secret(named(left)) || secret(named(right)))
    });
    compared.map(|(at, _)| at).collect()
}

/// Whether a character belongs to a chain of fields and calls without arguments.
fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '(' | ')' | '&' | '*')
}

/// What the value at the end of a chain is called, whichever way it is looked at.
fn named(chain: &str) -> &str {
    let mut parts = chain.rsplit('.').map(|part| part.trim_matches(['(', ')', '&', '*']));
    let looks = ["as_str", "as_bytes", "as_ref", "as_deref", "trim", "to_string"];
    parts.find(|part| !looks.contains(part)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, expect: &[usize]) {
        let lines: Vec<usize> = secrets(&Tree::of(&[(path, text)])).iter().map(|v| v.line).collect();
        assert_eq!(lines, expect, "{path}: {text}");
    }

    #[test]
    fn a_secret_that_is_compared_by_an_operator_or_past_the_list_is_found() {
        check("crates/hub/src/x.rs", "fn f() {\n  if given == self.secret.as_bytes() {}\n}", &[2]);
        check("crates/hub/src/x.rs", "if token.as_str() != known { }", &[1]);
        check("crates/engine/src/x.rs", "(*seal == row.seal)", &[1]);
        check("crates/engine/src/x.rs", "\nif bytes(&given)? != challenge {", &[2]);
        check("crates/engine/src/x.rs", "\nif digest::same(a, b) {", &[2]);
        check("crates/core/src/digest.rs", "verify_slices_are_equal(a, b).is_ok()", &[]);
        check("crates/core/src/digest.rs", "a.len() == b.len()", &[1]);
        check("crates/hub/src/x.rs", "tokens == 1; token_kind == Kind::A; read = token == Token::Word", &[]);
        check("crates/hub/src/x.rs", "// secret == other\nlet x = \"secret == other\";", &[]);
        check("crates/connectors/src/x.rs", "if token == self.token {}", &[]);
        check("crates/hub/tests/x.rs", "secret == other", &[]);
    }
}
