//! Where an integration's calls go: its endpoint, and nowhere else.

use std::{borrow::Cow, path::PathBuf};

use ::http::Uri;
use bailiwick_core::integration::Integration;

use super::settings::LineSettings;
use crate::{ConnectorError, ErrorKind, Result};

const KINDS: &str =
    "is not an `https:`, `http:`, `ldaps:`, `ldap:`, `postgres:`, `sqlite:`, `file:` or `person:` address";

/// An endpoint that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A folder of files; a relative path is one in the folder of the broker.
    Folder(PathBuf),
    /// An HTTP origin and the path before every call's.
    Web {
        /// `scheme://host:port`, lower case.
        origin: String,
        /// The host, without brackets.
        host: String,
        /// The path of the endpoint, without a slash at its end.
        prefix: String,
    },
    /// A directory server.
    Directory {
        /// `scheme://host:port`, lower case.
        origin: String,
        /// The host, without brackets.
        host: String,
        /// The port.
        port: u16,
        /// How the way is protected.
        tls: Tls,
    },
    /// A database of a PostgreSQL server.
    Postgres {
        /// `postgres://host:port`, lower case.
        origin: String,
        /// The host, without brackets.
        host: String,
        /// The port.
        port: u16,
        /// The database.
        database: String,
        /// Whether TLS may be left out.
        tls: Tls,
    },
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A person. Nothing is sent.
    Person,
}

/// How the way to a system that is not on the web is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    /// TLS from the first byte, or nothing is said.
    Always,
    /// TLS is asked for in the protocol, or nothing more is said.
    Asked,
    /// Plain text: this machine, or the settings allow it.
    Plain,
}

impl Destination {
    /// Reads an integration's endpoint. Fails with `Settings`. The messages never repeat the endpoint:
    /// somebody may have put a password into it.
    pub(crate) fn parse(integration: &Integration) -> Result<Self> {
        let (line, _) = LineSettings::split(&integration.settings)?;
        Self::read(&integration.endpoint, &line).map_err(|problem| {
            let message = format!("the endpoint of `{}` {problem}", integration.name);
            ConnectorError::none(ErrorKind::Settings, message)
        })
    }

    fn read(endpoint: &str, line: &LineSettings) -> Result<Self, &'static str> {
        if let Some(path) = endpoint.strip_prefix("file:") {
            return folder_of(path).map(Self::Folder);
        }
        if let Some(path) = endpoint.strip_prefix("sqlite:") {
            return path_of(path).map(Self::Sqlite);
        }
        if endpoint == "person:" {
            return Ok(Self::Person);
        }
        if endpoint.contains(['?', '#']) {
            return Err("has a query or a fragment; an endpoint is an address and a path");
        }
        let uri: Uri = endpoint.parse().map_err(|_| KINDS)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(KINDS);
        };
        if authority.as_str().contains('@') {
            return Err("carries a user or a password; seal it as a credential instead");
        }
        let host = authority.host().to_ascii_lowercase();
        let default = match scheme {
            "https" => 443,
            "http" => 80,
            "ldaps" => 636,
            "ldap" => 389,
            "postgres" | "postgresql" => 5432,
            _ => return Err(KINDS),
        };
        if host.is_empty() || (authority.port().is_none() && authority.as_str().ends_with(':')) {
            return Err("has no host, or no port after the colon");
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        plain_host(&host, &bare)?;
        let plain_may = line.allow_plaintext || loopback(&host);
        let port = authority.port_u16().unwrap_or(default);
        let tls = match scheme {
            "https" | "ldaps" => Tls::Always,
            "ldap" if line.start_tls => Tls::Asked,
            "ldap" if line.ca_file.is_some() => {
                return Err(
                    "is plain `ldap:`, and `ca_file` wants TLS; use `ldaps:`, set `start_tls = true`, or leave `ca_file` out",
                );
            }
            "http" if line.ca_file.is_some() => {
                return Err(
                    "is plain `http:`, and `ca_file` wants TLS; use `https:`, or leave `ca_file` out",
                );
            }
            "postgres" | "postgresql" if !plain_may || line.ca_file.is_some() => Tls::Asked,
            _ if plain_may => Tls::Plain,
            "ldap" => {
                return Err(
                    "is plain `ldap:` on another machine, where anybody on the way can read the credential; use `ldaps:`, or set `start_tls = true`",
                );
            }
            _ => {
                return Err(
                    "is plain `http:` on another machine, where anybody on the way can read the credential; use `https:`, or set `allow_plaintext = true`",
                );
            }
        };
        match scheme {
            "ldap" | "ldaps" if !matches!(uri.path(), "" | "/") => {
                return Err("has a path; a directory's entries are named in the settings and the scope");
            }
            "ldap" | "ldaps" => {
                return Ok(Self::Directory {
                    origin: format!("{scheme}://{host}:{port}"),
                    host: bare,
                    port,
                    tls,
                });
            }
            "postgres" | "postgresql" => {
                let name = uri.path().trim_start_matches('/');
                let database = percent_decode(name).and_then(|bytes| String::from_utf8(bytes).ok());
                let database = database.filter(|name| !name.is_empty() && !name.contains(['/', '\0']));
                let database = database.ok_or("names no database; write `postgres://host:port/database`")?;
                let origin = format!("postgres://{host}:{port}");
                return Ok(Self::Postgres { origin, host: bare, port, database, tls });
            }
            _ => {}
        }
        let prefix = uri.path().trim_end_matches('/');
        if prefix
            .split('/')
            .skip(1)
            .any(|s| matches!(s.to_ascii_lowercase().replace("%2e", ".").as_str(), "" | "." | ".."))
        {
            return Err("has empty or dot segments in its path");
        }
        let origin = format!("{scheme}://{host}:{port}");
        Ok(Self::Web { origin, host: bare, prefix: prefix.to_owned() })
    }

    /// The host that a connection is made to, without brackets; none where there is no connection.
    pub(crate) fn host(&self) -> Option<&str> {
        match self {
            Self::Web { host, .. } | Self::Directory { host, .. } | Self::Postgres { host, .. } => Some(host),
            Self::Folder(_) | Self::Sqlite(_) | Self::Person => None,
        }
    }

    /// Scheme, host and port, as sealed credentials are bound to them; `file:` and `sqlite:` for what is on this
    /// machine.
    pub(crate) fn origin(&self) -> String {
        match self {
            Self::Folder(_) => "file:".into(),
            Self::Web { origin, .. } | Self::Directory { origin, .. } | Self::Postgres { origin, .. } => {
                origin.clone()
            }
            Self::Sqlite(_) => "sqlite:".into(),
            Self::Person => "person:".into(),
        }
    }
}

/// The folder that a `file:` address names: by its absolute path (RFC 8089), or by a plain one in a folder that each
/// node has in a place of its own.
fn folder_of(path: &str) -> Result<PathBuf, &'static str> {
    let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['%', '\\', '\0']);
    match path.split('/').all(plain) {
        true => Ok(path.into()),
        false => path_of(path),
    }
}

/// The path in a `file:` or `sqlite:` address (RFC 8089).
fn path_of(path: &str) -> Result<PathBuf, &'static str> {
    let path = match path.strip_prefix("//") {
        Some(rest) => rest.strip_prefix("localhost").unwrap_or(rest),
        None => path,
    };
    if !path.starts_with('/') {
        return Err("is not the absolute path on this machine (RFC 8089), such as `file:/srv/feeds`");
    }
    let decoded = percent_decode(path).ok_or("has a `%` that two hexadecimal digits do not follow")?;
    use std::os::unix::ffi::OsStringExt;
    Ok(std::ffi::OsString::from_vec(decoded).into())
}

/// A host is a name or an address in its one usual form. `0x7f.1`, `2130706433` and `%31` are addresses to some
/// programs and names to others: what was judged must be what is connected to.
fn plain_host(host: &str, bare: &str) -> Result<(), &'static str> {
    let literal = bare.parse::<std::net::IpAddr>().ok();
    if host.starts_with('[') || host.contains(':') {
        let v6 = literal.is_some_and(|address| address.is_ipv6());
        return if v6 { Ok(()) } else { Err("has brackets around something that is no IPv6 address") };
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !host.bytes().all(known) {
        return Err("has a host with other characters than letters, digits, `-`, `.` and `_`");
    }
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    let number = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
    if literal.is_none() && (number || hexadecimal) {
        return Err("has a host that is a number and no address; write four numbers from 0 to 255");
    }
    Ok(())
}

fn loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback())
}

/// The bytes behind `%41` (RFC 3986 §2.1); `None` when a `%` is not followed by two digits.
pub(super) fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            plain => plain,
        });
    }
    Some(out)
}

/// `name=value&…`, everything but unreserved characters percent-encoded (RFC 3986 §2.3).
pub(super) fn query(pairs: &[(Cow<'static, str>, String)]) -> String {
    let mut out = String::new();
    for (index, (name, value)) in pairs.iter().enumerate() {
        out.push(if index == 0 { '?' } else { '&' });
        for (part, end) in [(&**name, "="), (value.as_str(), "")] {
            encode(part, &mut out);
            out.push_str(end);
        }
    }
    out
}

/// Adds a text, everything but unreserved characters percent-encoded (RFC 3986 §2.3).
pub(crate) fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_one_address() {
        let line = |plain| LineSettings { allow_plaintext: plain, ..LineSettings::default() };
        let check = |endpoint: &str, plain, expect: Result<&str, &str>| match (
            Destination::read(endpoint, &line(plain)),
            expect,
        ) {
            (Ok(Destination::Web { origin, prefix, .. }), Ok(expect)) => {
                assert_eq!(format!("{origin}{prefix}"), expect)
            }
            (Ok(Destination::Folder(path) | Destination::Sqlite(path)), Ok(expect)) => {
                assert_eq!(path.to_str(), Some(expect))
            }
            (Ok(Destination::Directory { origin, tls, .. }), Ok(expect)) => {
                assert_eq!(format!("{origin} {tls:?}"), expect)
            }
            (Ok(Destination::Postgres { origin, database, tls, .. }), Ok(expect)) => {
                assert_eq!(format!("{origin}/{database} {tls:?}"), expect)
            }
            (Err(problem), Err(expect)) => assert!(problem.contains(expect), "{endpoint}: {problem}"),
            (got, expect) => panic!("{endpoint}: {got:?}, expected {expect:?}"),
        };
        check("https://Chat.Example", false, Ok("https://chat.example:443"));
        check("https://chat.example:8443/scim/v2/", false, Ok("https://chat.example:8443/scim/v2"));
        check("http://127.0.0.1:8080/x", false, Ok("http://127.0.0.1:8080/x"));
        check("http://[::1]:8080", false, Ok("http://[::1]:8080"));
        check("http://localhost", false, Ok("http://localhost:80"));
        for odd in
            ["127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "127.0.0.0x1", "0177.0.0.1", "127.0.0.1."]
        {
            check(&format!("https://{odd}/"), true, Err("is a number"));
        }
        for odd in ["%31%32%37.0.0.1", "a%2ecom", "127.0.0.1%25"] {
            check(&format!("https://{odd}/"), true, Err("is not an"));
        }
        check("https://a$b/", true, Err("other characters"));
        check("https://[fe80::1%25eth0]/", true, Err("no IPv6 address"));
        check("https://[127.0.0.1]/", true, Err("no IPv6 address"));
        check("http://10.0.0.1/x", true, Ok("http://10.0.0.1:80/x"));
        check("http://10.0.0.1/x", false, Err("plain `http:`"));
        check("http://127.0.0.1.evil.example/", false, Err("plain `http:`"));
        check("http://localhost.evil.example/", false, Err("plain `http:`"));
        check("https://user:pw@chat.example/", false, Err("user or a password"));
        check("https://chat.example@evil.example/", false, Err("user or a password"));
        check("https://chat.example/?tenant=1", false, Err("query"));
        check("https://chat.example/#x", false, Err("fragment"));
        check("https://chat.example/a/../b", false, Err("dot segments"));
        check("https://chat.example/a/%2E%2e", false, Err("dot segments"));
        check("https://chat.example/a//b", false, Err("dot segments"));
        check("ftp://chat.example", false, Err("is not an"));
        check("chat.example", false, Err("is not an"));
        check("/scim", false, Err("is not an"));
        check("", false, Err("is not an"));
        check("file:/srv/feeds", false, Ok("/srv/feeds"));
        check("file:///srv/hr%20feeds", false, Ok("/srv/hr feeds"));
        check("file://localhost/srv", false, Ok("/srv"));
        check("file://other/srv", false, Err("absolute path"));
        check("file:feeds/hr", false, Ok("feeds/hr"));
        check("file:feeds/../key", false, Err("absolute path"));
        check("file:feeds/%2e%2e", false, Err("absolute path"));
        check("file:", false, Err("absolute path"));
        check("sqlite:app.db", false, Err("absolute path"));
        check("file:/srv/%4", false, Err("hexadecimal"));
        check("sqlite:/srv/app.db", false, Ok("/srv/app.db"));
        check("ldaps://DC1.acme.example", false, Ok("ldaps://dc1.acme.example:636 Always"));
        check("ldap://127.0.0.1:3890/", false, Ok("ldap://127.0.0.1:3890 Plain"));
        check("ldap://dc1.acme.example", true, Ok("ldap://dc1.acme.example:389 Plain"));
        check("ldap://dc1.acme.example", false, Err("start_tls"));
        check("ldaps://dc1.acme.example/dc=acme", false, Err("has a path"));
        check(
            "postgres://db.acme.example/app%20one",
            false,
            Ok("postgres://db.acme.example:5432/app one Asked"),
        );
        check("postgresql://[::1]:5433/app", false, Ok("postgres://[::1]:5433/app Plain"));
        check("postgres://db.acme.example/", false, Err("names no database"));
        let trusting = LineSettings { ca_file: Some("/ca.pem".into()), ..line(true) };
        assert!(
            Destination::read("http://127.0.0.1/", &trusting).unwrap_err().contains("`ca_file` wants TLS")
                && Destination::read("ldap://127.0.0.1", &trusting)
                    .unwrap_err()
                    .contains("`ca_file` wants TLS")
        );
    }

    #[test]
    fn a_query_says_what_it_was_given() {
        assert_eq!(query(&[]), "");
        let pairs = [("filter".into(), "userName eq \"a&b=ü\"".to_owned()), ("count".into(), "1".to_owned())];
        assert_eq!(query(&pairs), "?filter=userName%20eq%20%22a%26b%3D%C3%BC%22&count=1");
    }
}
