//! Search filters (RFC 4511 §4.5.1.7): made from values, so that nothing in a value can be anything else, and
//! read from text (RFC 4515) where configuration says one.
//!
//! Absent on purpose: substrings other than in configured text, and approximate matches.

use std::str::FromStr;

use super::ber;

/// Picks entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All of them hold; without any, always.
    And(Vec<Filter>),
    /// One of them holds; without any, never.
    Or(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// The attribute has the value.
    Equal(String, Vec<u8>),
    /// The attribute has a value not smaller.
    AtLeast(String, Vec<u8>),
    /// The attribute has a value not larger.
    AtMost(String, Vec<u8>),
    /// The attribute has a value.
    Present(String),
    /// The attribute has a value with these pieces: at the beginning, anywhere between, at the end.
    Pieces(String, Option<Vec<u8>>, Vec<Vec<u8>>, Option<Vec<u8>>),
    /// The attribute has a value that matches by this rule.
    By {
        /// The attribute.
        attribute: String,
        /// The matching rule's OID.
        rule: String,
        /// The value.
        value: Vec<u8>,
    },
}

impl Filter {
    /// The attribute has the value.
    pub fn equal(attribute: &str, value: impl AsRef<[u8]>) -> Self {
        Self::Equal(attribute.to_owned(), value.as_ref().to_owned())
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::And(vec![self, other])
    }

    /// Names each attribute that it looks at.
    pub fn attributes<'f>(&'f self, name: &mut dyn FnMut(&'f str)) {
        match self {
            Self::And(all) | Self::Or(all) => all.iter().for_each(|one| one.attributes(name)),
            Self::Not(inner) => inner.attributes(name),
            Self::Equal(attribute, _)
            | Self::AtLeast(attribute, _)
            | Self::AtMost(attribute, _)
            | Self::Present(attribute)
            | Self::Pieces(attribute, ..)
            | Self::By { attribute, .. } => name(attribute),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let pair = |out: &mut Vec<u8>, tag, attribute: &str, value: &[u8]| {
            ber::put(out, tag, |out| {
                ber::octets(out, ber::OCTETS, attribute.as_bytes());
                ber::octets(out, ber::OCTETS, value);
            });
        };
        match self {
            Self::And(all) => ber::put(out, 0xa0, |out| all.iter().for_each(|f| f.encode(out))),
            Self::Or(all) => ber::put(out, 0xa1, |out| all.iter().for_each(|f| f.encode(out))),
            Self::Not(inner) => ber::put(out, 0xa2, |out| inner.encode(out)),
            Self::Equal(attribute, value) => pair(out, 0xa3, attribute, value),
            Self::AtLeast(attribute, value) => pair(out, 0xa5, attribute, value),
            Self::AtMost(attribute, value) => pair(out, 0xa6, attribute, value),
            Self::Present(attribute) => ber::octets(out, 0x87, attribute.as_bytes()),
            Self::Pieces(attribute, first, between, last) => ber::put(out, 0xa4, |out| {
                ber::octets(out, ber::OCTETS, attribute.as_bytes());
                ber::put(out, ber::SEQUENCE, |out| {
                    let pieces = first.iter().map(|piece| (0x80, piece));
                    let pieces = pieces.chain(between.iter().map(|piece| (0x81, piece)));
                    for (tag, piece) in pieces.chain(last.iter().map(|piece| (0x82, piece))) {
                        ber::octets(out, tag, piece);
                    }
                });
            }),
            Self::By { attribute, rule, value } => ber::put(out, 0xa9, |out| {
                ber::octets(out, 0x81, rule.as_bytes());
                ber::octets(out, 0x82, attribute.as_bytes());
                ber::octets(out, 0x83, value);
            }),
        }
    }
}

/// Why a text is not a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a search filter (RFC 4515): {problem}")]
pub struct BadFilter {
    text: String,
    problem: &'static str,
}

/// Filters in filters go no deeper; a text cannot use up the stack.
const DEEPEST: u8 = 30;

impl FromStr for Filter {
    type Err = BadFilter;

    fn from_str(text: &str) -> Result<Self, BadFilter> {
        let bad = |problem| BadFilter { text: text.to_owned(), problem };
        match filter(text, DEEPEST).map_err(bad)? {
            (filter, "") => Ok(filter),
            _ => Err(bad("something follows after the last `)`")),
        }
    }
}

type Parsed<'t> = Result<(Filter, &'t str), &'static str>;

fn filter(text: &str, deeper: u8) -> Parsed<'_> {
    let inner = text.strip_prefix('(').ok_or("it begins with `(`")?;
    let deeper = deeper.checked_sub(1).ok_or("it is too deep")?;
    let (made, rest) = match inner.as_bytes().first() {
        Some(b'&') => several(&inner[1..], deeper).map(|(all, rest)| (Filter::And(all), rest))?,
        Some(b'|') => several(&inner[1..], deeper).map(|(all, rest)| (Filter::Or(all), rest))?,
        Some(b'!') => {
            let (one, rest) = filter(&inner[1..], deeper)?;
            (Filter::Not(Box::new(one)), rest)
        }
        _ => {
            let end = inner.find(['(', ')']).ok_or("a `)` is missing")?;
            (item(&inner[..end])?, &inner[end..])
        }
    };
    Ok((made, rest.strip_prefix(')').ok_or("a `)` is missing")?))
}

fn several(mut text: &str, deeper: u8) -> Result<(Vec<Filter>, &str), &'static str> {
    let mut all = Vec::new();
    while text.starts_with('(') {
        let (one, rest) = filter(text, deeper)?;
        all.push(one);
        text = rest;
    }
    Ok((all, text))
}

fn item(text: &str) -> Result<Filter, &'static str> {
    let (left, value) = text.split_once('=').ok_or("a comparison is `attribute=value`")?;
    let kind = left.chars().next_back().filter(|c| matches!(c, '>' | '<' | '~' | ':'));
    let attribute = &left[..left.len() - kind.map_or(0, char::len_utf8)];
    if kind == Some(':') {
        let (attribute, rule) = attribute.split_once(':').ok_or("a rule is `attribute:RULE:=value`")?;
        let (attribute, rule) = (description(attribute)?, description(rule)?);
        return Ok(Filter::By { attribute, rule, value: unescaped(value)? });
    }
    let attribute = description(attribute)?;
    match kind {
        Some('>') => Ok(Filter::AtLeast(attribute, unescaped(value)?)),
        Some('<') => Ok(Filter::AtMost(attribute, unescaped(value)?)),
        Some(_) => Err("approximate matches (`~=`) mean something else on each server"),
        None if value == "*" => Ok(Filter::Present(attribute)),
        None if value.contains('*') => {
            let pieces: Vec<Vec<u8>> = value.split('*').map(unescaped).collect::<Result<_, _>>()?;
            let [first, between @ .., last] = &pieces[..] else { return Err("a comparison has a value") };
            let some = |piece: &Vec<u8>| (!piece.is_empty()).then(|| piece.clone());
            let between = between.iter().filter(|piece| !piece.is_empty()).cloned().collect();
            Ok(Filter::Pieces(attribute, some(first), between, some(last)))
        }
        None => Ok(Filter::Equal(attribute, unescaped(value)?)),
    }
}

fn description(text: &str) -> Result<String, &'static str> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b';');
    match !text.is_empty() && text.bytes().all(fine) {
        true => Ok(text.to_owned()),
        false => Err("an attribute is letters, digits, `-`, `.` and `;`"),
    }
}

fn unescaped(text: &str) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let pair = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
                pair.ok_or("a `\\` is followed by two hexadecimal digits")?
            }
            b'\0' => return Err("NUL is written `\\00`"),
            plain => plain,
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(attribute: &str, value: &str) -> Filter {
        Filter::equal(attribute, value)
    }

    #[test]
    fn text_is_read_as_it_is_meant() {
        let present = |name: &str| Filter::Present(name.into());
        for (text, expect) in [
            ("(objectClass=person)", equal("objectClass", "person")),
            ("(cn=a\\2a\\28b)", equal("cn", "a*(b")),
            ("(uid=*)", present("uid")),
            ("(&(a=1)(!(b=*)))", equal("a", "1").and(Filter::Not(Box::new(present("b"))))),
            ("(|)", Filter::Or(Vec::new())),
            ("(n>=5)", Filter::AtLeast("n".into(), b"5".to_vec())),
            ("(n<=5)", Filter::AtMost("n".into(), b"5".to_vec())),
            ("(cn=a*b*)", Filter::Pieces("cn".into(), Some(b"a".into()), vec![b"b".into()], None)),
            (
                "(member:1.2.840.113556.1.4.1941:=cn=x)",
                Filter::By {
                    attribute: "member".into(),
                    rule: "1.2.840.113556.1.4.1941".into(),
                    value: b"cn=x".into(),
                },
            ),
        ] {
            assert_eq!(text.parse(), Ok(expect), "{text}");
        }
        for (text, why) in [
            ("objectClass=person", "begins with"),
            ("(a=b", "missing"),
            ("(a=b))", "follows"),
            ("(a=b\\zz)", "hexadecimal"),
            ("(a b=c)", "attribute is"),
            ("(a~=c)", "approximate"),
            ("(&(a=b)", "missing"),
            ("(a)", "comparison"),
        ] {
            let error = text.parse::<Filter>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        let deep = "(!".repeat(100) + "(a=b)" + &")".repeat(100);
        assert!(deep.parse::<Filter>().unwrap_err().to_string().contains("deep"));
    }

    #[test]
    fn every_attribute_that_is_looked_at_is_named() {
        let filter: Filter = "(&(a=1)(|(b=*)(!(c>=2)))(d=x*y)(e:1.2:=z)(f<=3))".parse().unwrap();
        let mut names = Vec::new();
        filter.attributes(&mut |name| names.push(name));
        assert_eq!(names, ["a", "b", "c", "d", "e", "f"]);
    }

    #[test]
    fn a_value_stays_a_value() {
        let mut out = Vec::new();
        equal("uid", "*)(uid=*\0").encode(&mut out);
        assert_eq!(out, b"\xa3\x10\x04\x03uid\x04\x09*)(uid=*\0");
    }
}
