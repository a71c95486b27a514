//! The part of BER (X.690) that LDAP uses: definite lengths, tags of one byte (RFC 4511 §5.1).
//!
//! Reading borrows and never copies; a length that does not fit is an error, never a panic.

/// SEQUENCE.
pub(super) const SEQUENCE: u8 = 0x30;
/// SET.
pub(super) const SET: u8 = 0x31;
/// OCTET STRING.
pub(super) const OCTETS: u8 = 0x04;
/// INTEGER.
pub(super) const INTEGER: u8 = 0x02;
/// ENUMERATED.
pub(super) const ENUMERATED: u8 = 0x0a;
/// BOOLEAN.
pub(super) const BOOLEAN: u8 = 0x01;

/// The bytes are not what LDAP allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// Reads one element after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes that were not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The tag of the next element.
    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element: its tag and content.
    pub(super) fn element(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let (tag, head, length) = head(self.0)?.ok_or(Malformed("it is cut off"))?;
        let end = head.checked_add(length).filter(|end| *end <= self.0.len());
        let (content, rest) = self.0.split_at(end.ok_or(Malformed("it is cut off"))?);
        self.0 = rest;
        Ok((tag, &content[head..]))
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        match self.element()? {
            (found, content) if found == tag => Ok(content),
            _ => Err(Malformed("an element has another tag than it must")),
        }
    }

    /// The content of the next element, if it has this tag.
    pub(super) fn maybe(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Malformed> {
        if self.peek() == Some(tag) { self.expect(tag).map(Some) } else { Ok(None) }
    }

    /// The elements of the next element, which must have this tag.
    pub(super) fn within(&mut self, tag: u8) -> Result<Self, Malformed> {
        self.expect(tag).map(Self)
    }

    /// The next element as a number.
    pub(super) fn number(&mut self, tag: u8) -> Result<i64, Malformed> {
        number(self.expect(tag)?)
    }
}

/// A two's complement number of at most eight bytes.
pub(super) fn number(content: &[u8]) -> Result<i64, Malformed> {
    match content {
        [] => Err(Malformed("a number is empty")),
        [first, ..] if content.len() <= 8 => {
            let start = if first & 0x80 == 0 { 0 } else { -1 };
            Ok(content.iter().fold(start, |number, byte| number << 8 | i64::from(*byte)))
        }
        _ => Err(Malformed("a number is too long")),
    }
}

/// How long the first element is, head included; `None` while its head is not all there.
pub(super) fn whole(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    match head(bytes)? {
        None => Ok(None),
        Some((_, head, length)) => head.checked_add(length).map(Some).ok_or(Malformed("it is too long")),
    }
}

/// Tag, length of the head, length of the content.
fn head(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, Malformed> {
    let [tag, first, rest @ ..] = bytes else { return Ok(None) };
    if tag & 0x1f == 0x1f {
        return Err(Malformed("a tag is longer than one byte"));
    }
    match first {
        0..=0x7f => Ok(Some((*tag, 2, usize::from(*first)))),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let Some(length) = rest.get(..count) else { return Ok(None) };
            let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            Ok(Some((*tag, 2 + count, length)))
        }
        _ => Err(Malformed("a length is indefinite or too long")),
    }
}

/// Writes an element whose content `fill` writes.
pub(super) fn put(out: &mut Vec<u8>, tag: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let at = out.len();
    out.push(0);
    fill(out);
    let length = out.len() - at - 1;
    match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => out[at] = short,
        _ => {
            // The content moves by four bytes: only long elements pay, and few are.
            out[at] = 0x84;
            let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
            out.splice(at + 1..at + 1, length);
        }
    }
}

/// Writes an element with this content.
pub(super) fn octets(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    put(out, tag, |out| out.extend_from_slice(content));
}

/// Writes a number in as few bytes as it needs.
pub(super) fn integer(out: &mut Vec<u8>, tag: u8, number: i64) {
    let bytes = number.to_be_bytes();
    let spare = (0..7).take_while(|at| {
        let sign = if bytes[at + 1] & 0x80 == 0 { 0 } else { 0xff };
        bytes[*at] == sign
    });
    octets(out, tag, &bytes[spare.count()..]);
}

/// Writes a truth value.
pub(super) fn boolean(out: &mut Vec<u8>, tag: u8, value: bool) {
    octets(out, tag, &[if value { 0xff } else { 0 }]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_they_can_be_and_read_back() {
        for (n, bytes) in [
            (0, &[2, 1, 0][..]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (-1, &[2, 1, 255]),
            (-129, &[2, 2, 255, 127]),
            (i64::MAX, &[2, 8, 127, 255, 255, 255, 255, 255, 255, 255]),
        ] {
            let mut out = Vec::new();
            integer(&mut out, INTEGER, n);
            assert_eq!(out, bytes, "{n}");
            assert_eq!(Reader::new(&out).number(INTEGER), Ok(n));
        }
    }

    #[test]
    fn an_element_of_any_length_is_read_back() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let mut out = Vec::new();
            octets(&mut out, OCTETS, &content);
            assert_eq!(whole(&out), Ok(Some(out.len())));
            assert_eq!(Reader::new(&out).expect(OCTETS), Ok(&content[..]));
            for cut in 0..out.len().min(200) {
                assert!(whole(&out[..cut]).unwrap().is_none_or(|whole| whole == out.len()));
                assert!(Reader::new(&out[..cut]).element().is_err());
            }
        }
    }

    #[test]
    fn what_ldap_does_not_allow_is_refused() {
        for (bytes, why) in [
            (&[0x30, 0x80, 0, 0][..], "indefinite"),
            (&[0x30, 0x85, 1, 1, 1, 1, 1], "too long"),
            (&[0x1f, 0x81, 1, 1], "tag"),
            (&[0x04, 0x84, 0xff, 0xff, 0xff, 0xff], "cut off"),
        ] {
            let error = Reader::new(bytes).element().unwrap_err();
            assert!(error.0.contains(why), "{bytes:?}: {}", error.0);
        }
        assert!(number(&[1; 9]).is_err() && number(&[]).is_err());
    }
}
