//! Where a listing stands between pages, as the opaque text that the caller hands back. A directory's
//! cookie is worth something only on the connection that it came from (RFC 2696 §3), so that one is named too.

use std::{fmt, str::FromStr};

use bailiwick_connector::{ConnectorError, ErrorKind};

/// Where a listing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The directory's cookie; empty at the beginning.
    pub(super) cookie: Vec<u8>,
    /// The connection it came from.
    pub(super) connection: Option<u64>,
    /// Whether everything was shown up to here.
    pub(super) whole: bool,
}

impl Default for Place {
    /// The beginning of a listing.
    fn default() -> Self {
        Self { cookie: Vec::new(), connection: None, whole: true }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connection = self.connection.unwrap_or_default();
        write!(f, "{connection}.{}.{}", u8::from(self.whole), hex(&self.cookie))
    }
}

impl FromStr for Place {
    type Err = ConnectorError;

    fn from_str(text: &str) -> Result<Self, ConnectorError> {
        let read = || {
            let (connection, rest) = text.split_once('.')?;
            let (whole, cookie) = rest.split_once('.')?;
            let (connection, cookie) = (Some(connection.parse().ok()?), unhex(cookie)?);
            let whole = ["0", "1"].into_iter().position(|known| known == whole)? == 1;
            (!cookie.is_empty()).then_some(Self { cookie, connection, whole })
        };
        read().ok_or_else(|| {
            ConnectorError::none(ErrorKind::Invalid, format!("`{text}` is not a cursor of this listing"))
        })
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// The bytes behind hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

/// The sixteen bytes of a UUID as text (RFC 9562 §4).
pub(super) fn uuid(bytes: [u8; 16]) -> String {
    let text = hex(&bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

/// The bytes of a UUID; none if the text is not one in its usual form.
pub(super) fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let bytes: [u8; 16] = unhex(&text.replace('-', ""))?.try_into().ok()?;
    (uuid(bytes) == text).then_some(bytes)
}

/// The text of an `objectGUID`: its first three fields are stored with the least byte first (MS-DTYP §2.3.4).
pub(super) fn guid(stored: [u8; 16]) -> String {
    uuid(turned(stored))
}

/// How an `objectGUID` is stored; none if the text is not one in its usual form.
pub(super) fn guid_bytes(text: &str) -> Option<[u8; 16]> {
    uuid_bytes(text).map(turned)
}

fn turned(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_and_nothing_else_is_one() {
        for whole in [true, false] {
            let place = Place { cookie: vec![0, 255, 16], connection: Some(3), whole };
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for text in ["", "1", "1.1.", "1.1.0", "1.2.00", "x.1.00", "1.1.zz", "1.1.00.00"] {
            assert_eq!(text.parse::<Place>().unwrap_err().kind, ErrorKind::Invalid, "{text}");
        }
    }

    #[test]
    fn ids_are_read_back_byte_for_byte() {
        let text = "00112233-4455-6677-8899-aabbccddeeff";
        assert_eq!(uuid(uuid_bytes(text).unwrap()), text);
        assert_eq!(guid_bytes(text).unwrap()[..8], [0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66]);
        assert_eq!(guid(guid_bytes(text).unwrap()), text);
        for text in ["", "x", "00112233-4455-6677-8899-AABBCCDDEEFF", "00112233445566778899aabbccddeeff", "1"]
        {
            assert_eq!(uuid_bytes(text), None, "{text}");
        }
    }
}
