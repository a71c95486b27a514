//! Addresses: nothing in them may hide a secret or widen what the scope says.

use super::{
    error::{Code, Report},
    fields::Located,
};

/// One address, without anything that could hide a secret or widen what the scope says. A `file:`
/// endpoint is a folder below the data folder. The messages never repeat the endpoint.
pub(super) fn good(endpoint: Located<'_, &str>, report: &mut Report) -> bool {
    let text = endpoint.value;
    let mut refuse = |code, message: &str| {
        report.add(code, endpoint.spot, message);
        false
    };
    if let Some(path) = text.strip_prefix("file:") {
        let message = "a `file:` endpoint is a folder in the data folder; write one such as `file:feeds/hr`";
        return plain(path) || refuse(Code::Value, message);
    }
    if text == "person:" {
        return true;
    }
    if let Some(path) = text.strip_prefix("sqlite:") {
        let message =
            "a `sqlite:` endpoint is the absolute path of a database; write one such as `sqlite:/srv/app.db`";
        return path.strip_prefix('/').is_some_and(plain) || refuse(Code::Value, message);
    }
    let schemes = ["https://", "http://", "ldaps://", "ldap://", "postgres://"];
    let Some(rest) = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) else {
        return refuse(
            Code::Value,
            "an endpoint begins with `https://`, `http://`, `ldaps://`, `ldap://`, `postgres://`, `sqlite:`, `file:`, or is `person:`",
        );
    };
    if has_user(rest) {
        return refuse(
            Code::Secret,
            "the endpoint carries a user or password; credentials are handed to the hub, not written here",
        );
    }
    host_and_path(rest)
        || refuse(
            Code::Value,
            "an endpoint is a host and a path, with nothing after it; write one such as `https://chat.example.com/scim`",
        )
}

/// An address that is called back, or from which calls come. Secrets that stand in such addresses are refused
/// with everything after the path; the messages never repeat the address.
pub(super) fn callback(address: Located<'_, &str>, report: &mut Report) -> bool {
    let mut refuse = |code, message: &str| {
        report.add(code, address.spot, message);
        false
    };
    let Some(rest) = ["https://", "http://"].iter().find_map(|scheme| address.value.strip_prefix(scheme))
    else {
        return refuse(Code::Value, "a callback begins with `https://` or `http://`");
    };
    if has_user(rest) {
        return refuse(Code::Secret, "the callback carries a user or password; leave it out");
    }
    host_and_path(rest)
        || refuse(
            Code::Value,
            "a callback is a host and a path, with nothing after it; write one such as `https://hooks.example.com/acme`",
        )
}

fn host(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

fn has_user(rest: &str) -> bool {
    host(rest).contains('@')
}

/// Whether what follows the scheme is a host and a path and nothing else.
fn host_and_path(rest: &str) -> bool {
    let host = host(rest);
    let path = rest[host.len()..].trim_end_matches('/');
    let graphic = rest.chars().all(|c| c.is_ascii_graphic());
    !host.is_empty() && graphic && !path.contains(['?', '#']) && path.strip_prefix('/').is_none_or(plain)
}

/// Whether every part of a path says what it is.
fn plain(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains(['%', '\\']))
}
