//! A reader of the CBOR that authenticators speak (RFC 8949, in the canonical form of CTAP 2 §8).
//!
//! Definite lengths in their shortest form; integers, bytes, texts, arrays, maps with distinct keys, true, false, null.
//! No floats, no tags. So deep, so many parts and no more, whatever is sent.

use super::PasskeyRefusal;

/// How deep parts may lie in one another.
const DEEPEST: usize = 4;
/// How many parts there may be in all.
const MOST: usize = 128;

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Int(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Bool(bool),
    Null,
}

/// Reads one part that takes all of the bytes.
pub(super) fn read(bytes: &[u8]) -> Result<Value<'_>, PasskeyRefusal> {
    match first(bytes)? {
        (value, []) => Ok(value),
        _ => Err(bad("something follows where nothing may")),
    }
}

/// Reads the first part; and what follows it.
pub(super) fn first(bytes: &[u8]) -> Result<(Value<'_>, &[u8]), PasskeyRefusal> {
    let mut reader = Reader { rest: bytes, left: MOST };
    let value = reader.part(DEEPEST)?;
    Ok((value, reader.rest))
}

struct Reader<'a> {
    rest: &'a [u8],
    left: usize,
}

fn bad(why: &'static str) -> PasskeyRefusal {
    PasskeyRefusal::Malformed(why)
}

impl<'a> Reader<'a> {
    fn part(&mut self, depth: usize) -> Result<Value<'a>, PasskeyRefusal> {
        self.left = self.left.checked_sub(1).ok_or(bad("it has too many parts"))?;
        let depth = depth.checked_sub(1).ok_or(bad("its parts lie too deep in one another"))?;
        let [head] = *self.take(1)? else { return Err(bad("it ends too early")) };
        let number = match head >> 5 {
            7 => return simple(head),
            _ => self.number(head & 31)?,
        };
        match head >> 5 {
            0 => i64::try_from(number).map(Value::Int).map_err(|_| bad("a number is too large")),
            1 => i64::try_from(number).map(|n| Value::Int(-1 - n)).map_err(|_| bad("a number is too small")),
            2 => Ok(Value::Bytes(self.run(number)?)),
            3 => std::str::from_utf8(self.run(number)?)
                .map(Value::Text)
                .map_err(|_| bad("a text is not UTF-8")),
            4 => {
                (0..self.count(number)?).map(|_| self.part(depth)).collect::<Result<_, _>>().map(Value::Array)
            }
            5 => self.map(number, depth),
            _ => Err(bad("it has a tag")),
        }
    }

    fn map(&mut self, number: u64, depth: usize) -> Result<Value<'a>, PasskeyRefusal> {
        let mut entries: Vec<(Value<'a>, Value<'a>)> = Vec::new();
        for _ in 0..self.count(number)? {
            let name = self.part(depth)?;
            if entries.iter().any(|(known, _)| *known == name) {
                return Err(bad("a key of a map is there twice"));
            }
            entries.push((name, self.part(depth)?));
        }
        Ok(Value::Map(entries))
    }

    /// The number of a head; only the shortest form of it.
    fn number(&mut self, info: u8) -> Result<u64, PasskeyRefusal> {
        let (length, least) = match info {
            0..=23 => return Ok(info.into()),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            _ => return Err(bad("a length is not definite")),
        };
        let number = self.take(length)?.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        if number < least { Err(bad("a number is not in its shortest form")) } else { Ok(number) }
    }

    /// How many parts follow; never more than may be there.
    fn count(&self, number: u64) -> Result<usize, PasskeyRefusal> {
        let count = usize::try_from(number).ok().filter(|count| *count <= self.left);
        count.ok_or(bad("it has too many parts"))
    }

    fn run(&mut self, number: u64) -> Result<&'a [u8], PasskeyRefusal> {
        self.take(usize::try_from(number).map_err(|_| bad("it ends too early"))?)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], PasskeyRefusal> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(bad("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }
}

fn simple(head: u8) -> Result<Value<'static>, PasskeyRefusal> {
    match head & 31 {
        20 => Ok(Value::Bool(false)),
        21 => Ok(Value::Bool(true)),
        22 => Ok(Value::Null),
        _ => Err(bad("it has a float, or a value without a meaning")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    /// Examples of RFC 8949, appendix A, and what is refused of them here.
    #[test]
    fn what_authenticators_speak_is_read_and_nothing_else() {
        let check =
            |text: &str, expect: Option<Value<'_>>| assert_eq!(read(&hex(text)).ok(), expect, "{text}");
        check("00", Some(Value::Int(0)));
        check("17", Some(Value::Int(23)));
        check("1818", Some(Value::Int(24)));
        check("1903e8", Some(Value::Int(1_000)));
        check("1b000000e8d4a51000", Some(Value::Int(1_000_000_000_000)));
        check("20", Some(Value::Int(-1)));
        check("3863", Some(Value::Int(-100)));
        check("4401020304", Some(Value::Bytes(&[1, 2, 3, 4])));
        check("62c3bc", Some(Value::Text("ü")));
        check("83010203", Some(Value::Array(vec![Value::Int(1), Value::Int(2), Value::Int(3)])));
        check(
            "a201020304",
            Some(Value::Map(vec![(Value::Int(1), Value::Int(2)), (Value::Int(3), Value::Int(4))])),
        );
        check("f4", Some(Value::Bool(false)));
        check("f6", Some(Value::Null));
        // Floats, tags, undefined, lengths that are not definite or not the shortest, numbers beyond 63 bits.
        for text in
            ["f93c00", "fb3ff199999999999a", "c11a514b67b0", "f7", "5f42010243030405ff", "9fff", "bfff"]
        {
            check(text, None);
        }
        for text in ["1817", "190010", "1a00000001", "5801ff", "1bffffffffffffffff", "3bffffffffffffffff"] {
            check(text, None);
        }
        // Too short, too long, a key twice, no UTF-8, too deep, more parts than bytes.
        for text in [
            "",
            "44010203",
            "0000",
            "a201020103",
            "62c328",
            "8181818100",
            "9bffffffffffffffff",
            "bb7fffffffffffffff",
        ] {
            check(text, None);
        }
        check("81818100", Some(Value::Array(vec![Value::Array(vec![Value::Array(vec![Value::Int(0)])])])));
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok((_, rest)) = first(&bytes) {
                prop_assert!(rest.len() < bytes.len());
            }
        }

        #[test]
        fn what_is_cut_off_is_refused(values in proptest::collection::vec(any::<u8>(), 1..60), cut in 1usize..60) {
            let mut whole = vec![0x58, u8::try_from(values.len()).unwrap().max(24)];
            whole.extend(values.iter().chain(std::iter::repeat(&0)).take(usize::from(whole[1])));
            prop_assert!(read(&whole).is_ok());
            let cut = whole.len().saturating_sub(cut);
            prop_assert!(read(&whole[..cut]).is_err());
        }
    }
}
