//! Answers from bytes, borrowed: an entry is read where it came in.

use bailiwick_core::digest::{Digest, Digesting};

use super::{
    Answered,
    ber::{self, BOOLEAN, ENUMERATED, INTEGER, Malformed, OCTETS, Reader, SEQUENCE, SET},
};

/// One entry of a search (RFC 4511 §4.5.2).
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its name, as the server writes it.
    pub name: &'a str,
    /// What a synchronisation says of it; none in other searches.
    pub sync: Option<SyncState>,
    attributes: Reader<'a>,
}

impl<'a> Entry<'a> {
    /// Reads the inside of an entry.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(content: &'a [u8]) -> Result<Self, &'static str> {
        Self::read(content).map_err(|Malformed(why)| why)
    }

    fn read(content: &'a [u8]) -> Result<Self, Malformed> {
        let mut inside = Reader::new(content);
        let name = std::str::from_utf8(inside.expect(OCTETS)?);
        let name = name.map_err(|_| Malformed("a name of an entry is not UTF-8"))?;
        Ok(Self { name, sync: None, attributes: inside.within(SEQUENCE)? })
    }

    /// Its attributes, in the order of the server; what cannot be read ends them.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, Values<'a>)> + use<'a> {
        let mut rest = self.attributes;
        std::iter::from_fn(move || {
            let mut pair = rest.within(SEQUENCE).ok()?;
            let name = std::str::from_utf8(pair.expect(OCTETS).ok()?).ok()?;
            Some((name, Values(pair.within(SET).ok()?)))
        })
    }

    /// The values of one attribute, whose name compares without case.
    pub fn values(&self, name: &str) -> Option<Values<'a>> {
        self.attributes().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, values)| values)
    }

    /// The first value of one attribute, if it is text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.values(name)?.next()?).ok()
    }

    /// Has the bytes that came taken into a digest.
    pub(super) fn heard_by(&self, heard: &mut Digesting) {
        heard.update(b"e");
        for part in [self.name.as_bytes(), self.attributes.rest()] {
            heard.update(&(part.len() as u64).to_be_bytes());
            heard.update(part);
        }
    }

    /// Whether every part of it can be read; [`attributes`](Self::attributes) then shows everything.
    pub fn is_whole(&self) -> bool {
        let mut rest = self.attributes;
        while !rest.is_empty() {
            let whole = rest.within(SEQUENCE).and_then(|mut pair| {
                let name = std::str::from_utf8(pair.expect(OCTETS)?);
                name.map_err(|_| Malformed("a name of an attribute is not UTF-8"))?;
                let mut values = pair.within(SET)?;
                while !values.is_empty() {
                    values.expect(OCTETS)?;
                }
                Ok(())
            });
            if whole.is_err() {
                return false;
            }
        }
        true
    }
}

/// The values of an attribute.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a>(Reader<'a>);

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.expect(OCTETS).ok()
    }
}

/// What a synchronisation says of an entry (RFC 4533 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncState {
    /// What became of it.
    pub state: Became,
    /// Its `entryUUID`.
    pub id: [u8; 16],
}

/// What became of an entry since the last synchronisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It is as it was.
    Present,
    /// It is new, or new to the search.
    Added,
    /// It was changed.
    Modified,
    /// It is gone, or does not match any more.
    Deleted,
}

/// A message between the entries of a synchronisation (RFC 4533 §2.5).
#[derive(Debug, Clone, Copy)]
pub enum SyncInfo<'a> {
    /// Only a new cookie, or the end of a phase.
    Phase,
    /// Entries without their content.
    Ids {
        /// They are gone; otherwise they are as they were.
        gone: bool,
        /// Their `entryUUID`s.
        ids: Ids<'a>,
    },
}

/// A list of `entryUUID`s.
#[derive(Debug, Clone, Copy)]
pub struct Ids<'a>(Reader<'a>);

impl<'a> Ids<'a> {
    /// Reads the inside of a list.
    pub fn parse(content: &'a [u8]) -> Self {
        Self(Reader::new(content))
    }
}

impl Iterator for Ids<'_> {
    type Item = [u8; 16];

    fn next(&mut self) -> Option<[u8; 16]> {
        self.0.expect(OCTETS).ok()?.try_into().ok()
    }
}

/// One message of the server.
pub(super) struct Message<'a> {
    pub(super) id: i64,
    pub(super) said: Said<'a>,
}

/// What a message says.
pub(super) enum Said<'a> {
    Entry(Entry<'a>),
    Reference,
    Sync(SyncInfo<'a>),
    /// An intermediate message of another kind, which nobody asked for.
    Other,
    Done(Box<Answered>),
}

impl<'a> Message<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut message = Reader::new(bytes).within(SEQUENCE)?;
        let id = message.number(INTEGER)?;
        let (tag, content) = message.element()?;
        let controls = match message.maybe(0xa0)? {
            Some(controls) => Reader::new(controls),
            None => Reader::new(&[]),
        };
        let said = match tag {
            0x64 => {
                let mut entry = Entry::read(content)?;
                if !entry.is_whole() {
                    return Err(Malformed("an entry cannot be read to its end"));
                }
                entry.sync = sync_state(controls)?;
                Said::Entry(entry)
            }
            0x73 => Said::Reference,
            0x79 => intermediate(content)?,
            0x61 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x78 => Said::Done(Box::new(done(content, controls)?)),
            _ => return Err(Malformed("it is a message of no kind that is known")),
        };
        Ok(Self { id, said })
    }
}

/// Each control: its OID and value.
fn each<'a>(
    mut controls: Reader<'a>,
    mut look: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while !controls.is_empty() {
        let mut control = controls.within(SEQUENCE)?;
        let oid = control.expect(OCTETS)?;
        control.maybe(BOOLEAN)?;
        look(oid, control.maybe(OCTETS)?.unwrap_or_default())?;
    }
    Ok(())
}

fn sync_state(controls: Reader<'_>) -> Result<Option<SyncState>, Malformed> {
    let mut found = None;
    each(controls, |oid, value| {
        if oid == b"1.3.6.1.4.1.4203.1.9.1.2" {
            let mut value = Reader::new(value).within(SEQUENCE)?;
            let state = match value.number(ENUMERATED)? {
                0 => Became::Present,
                1 => Became::Added,
                2 => Became::Modified,
                3 => Became::Deleted,
                _ => return Err(Malformed("a synchronised entry has no known state")),
            };
            let id = value.expect(OCTETS)?.try_into();
            let id = id.map_err(|_| Malformed("the id of a synchronised entry is not a UUID"))?;
            found = Some(SyncState { state, id });
        }
        Ok(())
    })?;
    Ok(found)
}

fn intermediate(content: &[u8]) -> Result<Said<'_>, Malformed> {
    let mut inside = Reader::new(content);
    let oid = inside.maybe(0x80)?;
    let value = inside.maybe(0x81)?.unwrap_or_default();
    if oid != Some(b"1.3.6.1.4.1.4203.1.9.1.4") {
        return Ok(Said::Other);
    }
    let (tag, content) = Reader::new(value).element()?;
    match tag {
        0x80 | 0xa1 | 0xa2 => Ok(Said::Sync(SyncInfo::Phase)),
        0xa3 => {
            let mut set = Reader::new(content);
            set.maybe(OCTETS)?;
            let gone = set.maybe(BOOLEAN)?.is_some_and(|value| value != [0]);
            let ids = set.within(SET)?;
            let mut check = ids;
            while !check.is_empty() {
                if check.expect(OCTETS)?.len() != 16 {
                    return Err(Malformed("a synchronised id is not a UUID"));
                }
            }
            Ok(Said::Sync(SyncInfo::Ids { gone, ids: Ids(ids) }))
        }
        _ => Err(Malformed("a message of a synchronisation is of no known kind")),
    }
}

fn done(content: &[u8], controls: Reader<'_>) -> Result<Answered, Malformed> {
    let mut inside = Reader::new(content);
    let code = u32::try_from(inside.number(ENUMERATED)?).map_err(|_| Malformed("a result has no code"))?;
    inside.expect(OCTETS)?;
    let message = String::from_utf8_lossy(inside.expect(OCTETS)?).into_owned();
    let mut answered = Answered { code, message, digest: Digest::of(content), ..Answered::default() };
    each(controls, |oid, value| {
        let mut value = Reader::new(value);
        match oid {
            b"1.2.840.113556.1.4.319" => {
                let mut page = value.within(SEQUENCE)?;
                page.number(INTEGER)?;
                let cookie = page.expect(OCTETS)?;
                answered.next_page = (!cookie.is_empty()).then(|| cookie.to_owned());
            }
            b"1.3.6.1.4.1.4203.1.9.1.3" => {
                let mut end = value.within(SEQUENCE)?;
                answered.sync_cookie = end.maybe(OCTETS)?.map(<[u8]>::to_owned);
                answered.sync_deletes = end.maybe(BOOLEAN)?.is_some_and(|value| value != [0]);
            }
            b"1.2.840.113556.1.4.841" => {
                let mut sync = value.within(SEQUENCE)?;
                answered.more = sync.number(INTEGER)? != 0;
                sync.number(INTEGER)?;
                answered.sync_cookie = Some(sync.expect(OCTETS)?.to_owned());
            }
            b"1.3.6.1.1.13.2" => answered.after = Some(value.expect(0x64)?.to_owned()),
            _ => {}
        }
        Ok(())
    })?;
    Ok(answered)
}

/// The length of the first whole message; `None` while it is not all there.
pub(super) fn whole(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    match bytes.first() {
        None | Some(&SEQUENCE) => ber::whole(bytes),
        Some(_) => Err(Malformed("it does not speak LDAP")),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::encode, *};

    fn framed(content: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        ber::put(&mut out, SEQUENCE, |out| {
            ber::integer(out, INTEGER, 7);
            content(out);
        });
        out
    }

    #[test]
    fn an_entry_is_read_where_it_is() {
        let attributes = [
            ("uid".to_owned(), vec![b"ann".to_vec()]),
            ("jpegPhoto".to_owned(), vec![vec![0xff, 0xd8], vec![]]),
            ("empty".to_owned(), vec![]),
        ];
        let bytes = framed(|out| {
            ber::octets(out, 0x64, &encode::entry("uid=ann,dc=x", &attributes));
        });
        let message = Message::parse(&bytes).unwrap();
        let Said::Entry(entry) = message.said else { panic!("no entry") };
        assert_eq!((message.id, entry.name, entry.text("UID")), (7, "uid=ann,dc=x", Some("ann")));
        let photos: Vec<&[u8]> = entry.values("jpegPhoto").unwrap().collect();
        assert_eq!(photos, [&[0xff, 0xd8][..], &[]]);
        assert_eq!(entry.attributes().count(), 3);
        // Cut anywhere, or with any byte changed, it is another entry or an error, and never a panic.
        for cut in 0..bytes.len() {
            assert!(Message::parse(&bytes[..cut]).is_err(), "{cut}");
            for bit in 0..8 {
                let mut bent = bytes.clone();
                bent[cut] ^= 1 << bit;
                if let Ok(Message { said: Said::Entry(entry), .. }) = Message::parse(&bent) {
                    let _ = entry.attributes().map(|(_, values)| values.count()).sum::<usize>();
                }
            }
        }
    }

    #[test]
    fn a_result_says_its_code_and_its_cookie() {
        let bytes = framed(|out| {
            ber::put(out, 0x65, |out| {
                ber::integer(out, ENUMERATED, 4);
                ber::octets(out, OCTETS, b"");
                ber::octets(out, OCTETS, b"too many");
            });
            ber::put(out, 0xa0, |out| {
                ber::put(out, SEQUENCE, |out| {
                    ber::octets(out, OCTETS, b"1.2.840.113556.1.4.319");
                    ber::put(out, OCTETS, |out| {
                        ber::put(out, SEQUENCE, |out| {
                            ber::integer(out, INTEGER, 0);
                            ber::octets(out, OCTETS, b"next");
                        });
                    });
                });
            });
        });
        let Said::Done(done) = Message::parse(&bytes).unwrap().said else { panic!("no result") };
        assert_eq!(
            (done.code, &done.message[..], done.next_page.as_deref()),
            (4, "too many", Some(&b"next"[..]))
        );
    }

    #[test]
    fn another_protocol_is_noticed_at_its_first_byte() {
        assert_eq!(whole(b""), Ok(None));
        assert!(whole(b"HTTP/1.1 400 Bad Request\r\n").is_err());
        assert!(whole(&[0x15, 3, 3, 0, 2]).is_err());
    }
}
