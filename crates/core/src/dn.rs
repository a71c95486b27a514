//! Distinguished names (RFC 4514): reading, comparing, containment. What a scope says of a directory.
//!
//! Names are equal when attribute types and values are, without regard to case. A server may hold more names
//! for the same entry (inner spaces, normal forms, OIDs for types); those are told apart here, so a comparison
//! errs towards "outside". Absent on purpose: `#` values (RFC 4514 §2.4), which no rule needs.

use std::{fmt, str::FromStr};

/// A distinguished name, leaf first, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dn(Vec<Rdn>);

/// One step of a name: one attribute and value, or several joined by `+`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rdn(Vec<Ava>);

/// One attribute type and value. Equality and order look at the folded form only.
#[derive(Debug, Clone)]
struct Ava {
    kind: String,
    value: String,
    folded: (String, String),
}

impl Ava {
    fn new(kind: &str, value: String) -> Self {
        let folded = (kind.to_ascii_lowercase(), value.to_lowercase());
        Self { kind: kind.to_owned(), value, folded }
    }
}
impl PartialEq for Ava {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}
impl Eq for Ava {}
impl PartialOrd for Ava {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ava {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded.cmp(&other.folded)
    }
}
impl std::hash::Hash for Ava {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.folded.hash(state);
    }
}

/// Why a text is not a distinguished name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a distinguished name (RFC 4514): {problem}")]
pub struct BadDn {
    text: String,
    problem: &'static str,
}

impl Rdn {
    /// One attribute and its value, in clear; nothing in the value has a meaning of its own. `None` when the
    /// type is not a descriptor or OID (RFC 4512 §1.4).
    pub fn new(kind: &str, value: &str) -> Option<Self> {
        (attribute_type(kind) && !value.is_empty()).then(|| Self(vec![Ava::new(kind, value.to_owned())]))
    }

    /// The attribute types and values.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|ava| (ava.kind.as_str(), ava.value.as_str()))
    }

    /// The same with every value hidden.
    fn hidden(&self) -> String {
        let kinds: Vec<String> = self.0.iter().map(|ava| format!("{}={{}}", ava.kind)).collect();
        kinds.join("+")
    }
}

impl Dn {
    /// The name of no entry, above all others.
    pub const ROOT: Self = Self(Vec::new());

    /// The steps, leaf first.
    pub fn rdns(&self) -> &[Rdn] {
        &self.0
    }

    /// The name of an entry below this one.
    #[must_use]
    pub fn child(&self, rdn: Rdn) -> Self {
        let mut steps = Vec::with_capacity(self.0.len() + 1);
        steps.push(rdn);
        steps.extend_from_slice(&self.0);
        Self(steps)
    }

    /// The name of the entry above; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        self.0.split_first().map(|(_, above)| Self(above.to_vec()))
    }

    /// Whether it is `base` or below it.
    pub fn within(&self, base: &Self) -> bool {
        self.0.ends_with(&base.0)
    }

    /// The name with the values hidden of all steps that `known` does not know.
    pub fn shape(&self, known: impl Fn(&Rdn) -> bool) -> String {
        let steps: Vec<String> =
            self.0.iter().map(|rdn| if known(rdn) { rdn.to_string() } else { rdn.hidden() }).collect();
        steps.join(",")
    }
}

/// Whether the text is a descriptor or a numeric OID (RFC 4512 §1.4).
fn attribute_type(kind: &str) -> bool {
    let descriptor = kind.starts_with(|c: char| c.is_ascii_alphabetic())
        && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let oid = !kind.is_empty()
        && kind.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()));
    descriptor || oid
}

impl FromStr for Dn {
    type Err = BadDn;

    fn from_str(text: &str) -> Result<Self, BadDn> {
        let bad = |problem| BadDn { text: text.to_owned(), problem };
        let mut steps = Vec::new();
        let mut avas = Vec::new();
        let mut rest = text.trim_start_matches(' ');
        while !rest.is_empty() || !avas.is_empty() {
            let (kind, after) =
                rest.split_once('=').ok_or_else(|| bad("each step is `type=value`, joined by `,`"))?;
            let kind = kind.trim_matches(' ');
            if !attribute_type(kind) {
                return Err(bad("an attribute type is letters, digits and `-`, or numbers and `.`"));
            }
            let (value, end) = value(after).map_err(bad)?;
            if value.is_empty() {
                return Err(bad("a value is empty"));
            }
            avas.push(Ava::new(kind, value));
            match end {
                Some(('+', after)) => rest = after,
                Some((_, after)) => {
                    if after.is_empty() {
                        return Err(bad("it ends with a `,`"));
                    }
                    steps.push(rdn(&mut avas));
                    rest = after;
                }
                None => {
                    steps.push(rdn(&mut avas));
                    break;
                }
            }
        }
        Ok(Self(steps))
    }
}

/// The order of the parts of a step means nothing.
fn rdn(avas: &mut Vec<Ava>) -> Rdn {
    avas.sort();
    Rdn(std::mem::take(avas))
}

type Parted<'t> = (String, Option<(char, &'t str)>);

/// A value up to the next separator, unescaped (RFC 4514 §3), with the separator and what follows it.
fn value(text: &str) -> Result<Parted<'_>, &'static str> {
    let text = text.trim_start_matches(' ');
    if text.starts_with('#') {
        return Err("values in hexadecimal (`#…`) are not read");
    }
    let (mut bytes, mut kept) = (Vec::new(), 0);
    let mut rest = text;
    let end = loop {
        let mut chars = rest.chars();
        match chars.next() {
            None => break None,
            Some(end @ (',' | ';' | '+')) => {
                break Some((if end == '+' { '+' } else { ',' }, chars.as_str()));
            }
            Some('\\') => {
                let after = chars.as_str();
                let hex = after.get(..2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
                match (hex, chars.next()) {
                    (Some(byte), _) if after.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit) => {
                        bytes.push(byte);
                        rest = &after[2..];
                    }
                    (_, Some(c @ (' ' | '"' | '#' | '+' | ',' | ';' | '<' | '=' | '>' | '\\'))) => {
                        bytes.push(c as u8);
                        rest = chars.as_str();
                    }
                    _ => return Err("a `\\` is followed by a special character or two hexadecimal digits"),
                }
                kept = bytes.len();
            }
            Some('"' | '<' | '>' | '\0') => return Err("`\"`, `<`, `>` and NUL are escaped in a value"),
            Some(c) => {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                if c != ' ' {
                    kept = bytes.len();
                }
                rest = chars.as_str();
            }
        }
    };
    // Spaces at the end count only when they are escaped.
    bytes.truncate(kept);
    let value = String::from_utf8(bytes).map_err(|_| "a value is not UTF-8")?;
    Ok((value, end))
}

impl fmt::Display for Rdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ava) in self.0.iter().enumerate() {
            let plus = if index == 0 { "" } else { "+" };
            write!(f, "{plus}{}=", ava.kind)?;
            let last = ava.value.chars().count() - 1;
            for (place, c) in ava.value.chars().enumerate() {
                match c {
                    // Servers take line breaks and tabs at either end for spaces that mean nothing.
                    c if c.is_ascii_control() => write!(f, "\\{:02x}", u32::from(c))?,
                    // `=` may stand as it is (RFC 4514 §2.4), and Active Directory wants it escaped.
                    '"' | '+' | ',' | ';' | '<' | '=' | '>' | '\\' => write!(f, "\\{c}")?,
                    ' ' if place == 0 || place == last => write!(f, "\\ ")?,
                    '#' if place == 0 => write!(f, "\\#")?,
                    c => write!(f, "{c}")?,
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, rdn)| {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{rdn}")
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dn(text: &str) -> Dn {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_the_same_whatever_the_case_and_the_escapes() {
        for (a, b) in [
            ("uid=Ann, OU=People,dc=acme", "UID=ann,ou=people,DC=ACME"),
            ("cn=Smith\\, Ann,dc=x", "cn=Smith\\2c Ann,dc=x"),
            ("cn=a+uid=b,dc=x", "uid=b+cn=A,dc=x"),
            ("cn=Zo\\c3\\ab,dc=x", "cn=ZOË,dc=x"),
            ("cn= a b ,dc=x", "cn=a b,dc=x"),
        ] {
            assert_eq!(dn(a), dn(b), "{a} {b}");
        }
        for (a, b) in [("cn=a\\ ,dc=x", "cn=a,dc=x"), ("cn=Zoë,dc=x", "cn=Zoe\u{308},dc=x")] {
            assert_ne!(dn(a), dn(b), "{a} {b}");
        }
    }

    #[test]
    fn within_is_by_whole_steps() {
        let base = dn("ou=people,dc=acme");
        for (name, expect) in [
            ("ou=people,dc=acme", true),
            ("uid=x,ou=people,dc=acme", true),
            ("uid=x\\,ou=people,dc=acme", false),
            ("uid=x,ou=other people,dc=acme", false),
            ("ou=people,dc=acme,dc=evil", false),
            ("dc=acme", false),
            ("", false),
        ] {
            assert_eq!(dn(name).within(&base), expect, "{name}");
        }
        assert!(base.within(&Dn::ROOT));
        assert_eq!(base.child(Rdn::new("uid", "a,b").unwrap()).to_string(), "uid=a\\,b,ou=people,dc=acme");
        assert_eq!(base.child(Rdn::new("uid", "a=b").unwrap()).to_string(), "uid=a\\=b,ou=people,dc=acme");
        assert_eq!(
            dn("uid=ann,ou=people,dc=acme").shape(|rdn| base.rdns().contains(rdn)),
            "uid={},ou=people,dc=acme"
        );
    }

    #[test]
    fn what_is_no_name_says_why() {
        for (text, why) in [
            ("people", "type=value"),
            ("cn=a,", "ends with"),
            ("cn=,dc=x", "empty"),
            ("c n=a", "attribute type"),
            ("cn=#04", "hexadecimal"),
            ("cn=a\\zz", "followed by"),
            ("cn=a\\é", "followed by"),
            ("cn=\"a\"", "escaped"),
            ("cn=\\ff", "UTF-8"),
        ] {
            let error = text.parse::<Dn>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(Rdn::new("a=b", "x").is_none() && Rdn::new("cn", "").is_none());
    }

    proptest! {
        #[test]
        fn any_value_is_read_back_as_it_was(value in "\\PC{1,12}|[ \"#+,;<=>\\\\\0\r\n\ta]{1,8}") {
            let name = dn("dc=x").child(Rdn::new("cn", &value).unwrap());
            let read = dn(&name.to_string());
            prop_assert_eq!(read.rdns()[0].attributes().next().unwrap().1, value.as_str());
            prop_assert_eq!(read.rdns().len(), 2);
        }
    }
}
