//! The address under which others reach the hub: told to it, never taken from a request.

use std::{fmt, str::FromStr};

/// A scheme and a host, and a port where it is not the usual one: `https://hub.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no address such as `https://hub.example.com`");
        let plain = text.strip_suffix('/').unwrap_or(text);
        let (scheme, host) = plain.split_once("://").ok_or_else(wrong)?;
        let good =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
        let is_web = matches!(scheme, "http" | "https");
        if !is_web || host.is_empty() || host.len() > 255 || !host.bytes().all(good) {
            return Err(wrong());
        }
        Ok(Self(format!("{scheme}://{}", host.to_ascii_lowercase())))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_and_a_host_and_nothing_else() {
        for (text, expect) in [
            ("https://hub.acme.example", Some("https://hub.acme.example")),
            ("https://Hub.Acme.example:8443/", Some("https://hub.acme.example:8443")),
            ("http://[::1]:7460", Some("http://[::1]:7460")),
            ("hub.acme.example", None),
            ("ftp://hub.acme.example", None),
            ("https://", None),
            ("https://hub/path", None),
            ("https://user@hub", None),
            ("https://hub?x=1", None),
            ("https://hub\r\nX: y", None),
        ] {
            assert_eq!(text.parse::<Address>().ok().map(|a| a.to_string()).as_deref(), expect, "{text}");
        }
    }
}
