//! Recognises what looks like a secret, so that it is refused before it is stored, shown in a diff or
//! committed with the configuration. A guess by form: it cannot find a password that looks like a word.

use serde_json::Value;

const ENDINGS: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "bearer",
    "authorization",
    "credential",
    "apikey",
    "key",
];

/// Words before `key` that make it a secret one; a bare `key` is mostly the name of a column.
const SECRET_KEYS: [&str; 5] = ["api", "private", "access", "signing", "secret"];

const PEM: &str = "-----begin ";

const BEGINNINGS: [&str; 13] = [
    "bearer ",
    "basic ",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "akia",
    "whsec_",
    "sk_live_",
    "hvs.",
    "eyj",
];

/// The path of the first setting that looks like a secret, such as `oauth.client_secret`.
pub(super) fn find(settings: &Value) -> Option<String> {
    match settings {
        Value::Object(map) => map.iter().find_map(|(key, value)| match value {
            Value::String(text) if is_secret(key, text) => Some(key.clone()),
            _ => find(value).map(|rest| format!("{key}.{rest}")),
        }),
        Value::Array(list) => list.iter().enumerate().find_map(|(i, value)| match value {
            Value::String(text) if is_secret("", text) => Some(i.to_string()),
            _ => find(value).map(|rest| format!("{i}.{rest}")),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Whether a setting `key = "text"` looks like a secret.
pub(super) fn is_secret(key: &str, text: &str) -> bool {
    if text.is_empty() {
        return false;
    }
    let words = words(key);
    let by_name = match words.as_slice() {
        [.., before, last] if last == "key" => SECRET_KEYS.contains(&before.as_str()),
        [last] if last == "key" => false,
        [.., last] => ENDINGS.contains(&last.as_str()),
        [] => false,
    };
    let lower = text.trim_start().to_ascii_lowercase();
    let random = |rest: &str| rest.len() > 7 && rest.contains(|c: char| c.is_ascii_digit());
    by_name || lower.starts_with(PEM) || BEGINNINGS.iter().any(|b| lower.strip_prefix(b).is_some_and(random))
}

/// `clientSecret`, `client-secret` and `client_secret` are `client`, `secret`.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous = '_';
    for c in key.chars() {
        if !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && previous.is_ascii_lowercase()) {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        previous = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_forms_of_secrets_are_known_and_others_are_not() {
        let check = |key, text, expect| assert_eq!(is_secret(key, text), expect, "{key} = {text}");
        check("password", "hunter2", true);
        check("clientSecret", "x", true);
        check("api-key", "x", true);
        check("api_token", "x", true);
        check("authorization", "x", true);
        check("password", "", false);
        check("key", "Employee ID", false);
        check("sort_key", "name", false);
        check("api-tokens", "/api/users/{id}/tokens", false);
        check("token_path", "/id", false);
        check("header", "Bearer 0123456789abcdef", true);
        check("header", "bearer", false);
        check("x", "-----BEGIN PRIVATE KEY-----", true);
        check("x", "ghp_0123456789abcdef0123", true);
        check("base", "/scim/v2", false);
        check("title", "Basic information", false);
    }

    #[test]
    fn a_secret_is_found_at_any_depth() {
        let settings = serde_json::json!({"a": {"b": [{"token": "x"}]}, "base": "/v2"});
        assert_eq!(find(&settings).as_deref(), Some("a.b.0.token"));
        assert_eq!(find(&serde_json::json!({"held": {"api-tokens": {"list": "GET /x"}}})), None);
    }
}
