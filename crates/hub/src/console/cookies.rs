//! The cookies of the console: which there are, who gets them, and under which name they are believed.
//!
//! Promises: none is shown to scripts, each is for this host alone, and over TLS it has a prefix by which browsers make sure
//! of that. A hub that is known to be reached by TLS believes no other name: nobody who has a host beside it can plant one.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::api::Hub;

/// A cookie that decides something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jar {
    /// The secret of a session.
    Session,
    /// The secret of a browser that was given a challenge.
    Door,
    /// The secret of an attempt to sign in by the provider. It comes along when the provider sends somebody back, which the
    /// others do not.
    Attempt,
}

impl Jar {
    /// Its name: over TLS with the prefix, and otherwise.
    const fn names(self) -> [&'static str; 2] {
        match self {
            Self::Session => ["__Host-bailiwick", "bailiwick"],
            Self::Door => ["__Host-bailiwick-door", "bailiwick-door"],
            Self::Attempt => ["__Host-bailiwick-attempt", "bailiwick-attempt"],
        }
    }

    const fn same_site(self) -> &'static str {
        match self {
            Self::Session | Self::Door => "Strict",
            Self::Attempt => "Lax",
        }
    }

    /// What the browser has in it.
    pub fn read(self, hub: &Hub, headers: &HeaderMap) -> Option<String> {
        self.found(hub.entrance.is_tls(), headers)
    }

    fn found(self, tls: bool, headers: &HeaderMap) -> Option<String> {
        let [prefixed, plain] = self.names();
        let found = named(headers, prefixed).or_else(|| named(headers, plain).filter(|_| !tls));
        found.filter(|value| !value.is_empty())
    }

    /// Puts something into it; nothing takes it away.
    pub fn set(self, hub: &Hub, headers: &HeaderMap, value: &str, seconds: i64) -> Option<HeaderValue> {
        self.text(hub.entrance.is_tls() || by_tls(headers), value, seconds)
    }

    fn text(self, tls: bool, value: &str, seconds: i64) -> Option<HeaderValue> {
        let [prefixed, plain] = self.names();
        let (name, secure) = if tls { (prefixed, "; Secure") } else { (plain, "") };
        let site = self.same_site();
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite={site}; Max-Age={seconds}{secure}");
        HeaderValue::from_str(&text).ok()
    }
}

/// The value of a cookie by its name.
pub fn named(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// Whether the browser came by TLS, here or at a proxy in front.
fn by_tls(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())])
    }

    #[test]
    fn a_cookie_is_found_among_others_and_bound_to_the_host() {
        let headers = sent("theme=dark; bailiwick=bws_1; other=2");
        assert_eq!(Jar::Session.found(false, &headers).as_deref(), Some("bws_1"));
        assert_eq!(named(&headers, "wick"), None);
        let plain = Jar::Session.text(false, "s", 60).unwrap();
        assert_eq!(plain, "bailiwick=s; Path=/; HttpOnly; SameSite=Strict; Max-Age=60");
        let tls = Jar::Session.text(true, "s", 60).unwrap();
        assert_eq!(tls, "__Host-bailiwick=s; Path=/; HttpOnly; SameSite=Strict; Max-Age=60; Secure");
        let attempt = Jar::Attempt.text(true, "s", 60).unwrap();
        assert_eq!(attempt, "__Host-bailiwick-attempt=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure");
        assert!(Jar::Session.text(false, "a\r\nb", 60).is_none());
    }

    #[test]
    fn where_tls_is_certain_a_name_that_others_can_set_is_not_believed() {
        let headers = sent("bailiwick=planted; __Host-bailiwick=own");
        assert_eq!(Jar::Session.found(true, &headers).as_deref(), Some("own"));
        assert_eq!(Jar::Session.found(true, &sent("bailiwick=planted")), None);
        assert_eq!(Jar::Session.found(false, &sent("bailiwick=own")).as_deref(), Some("own"));
        assert_eq!(Jar::Session.found(false, &sent("bailiwick=")), None);
    }
}
