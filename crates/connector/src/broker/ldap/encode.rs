//! Requests as bytes (RFC 4511 §4, and the RFC of each control).

use bailiwick_core::dn::Dn;
use zeroize::Zeroizing;

use super::{
    Base, Change, Control, Depth, Edit, PasswordForm, Search, Write,
    ber::{self, BOOLEAN, ENUMERATED, INTEGER, OCTETS, SEQUENCE, SET},
};

/// Asks for TLS on the same connection (RFC 4511 §4.14).
const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// Sets a password (RFC 3062).
const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";

/// A request with its number. Wiped when dropped: some carry a password.
pub(super) type Request = Zeroizing<Vec<u8>>;

fn message(id: i32, controls: &[Control<'_>], operation: impl FnOnce(&mut Vec<u8>)) -> Request {
    // Room for every request that carries a password: a buffer that grows leaves a copy behind.
    let mut out = Zeroizing::new(Vec::with_capacity(4_096));
    ber::put(&mut out, SEQUENCE, |out| {
        ber::integer(out, INTEGER, i64::from(id));
        operation(out);
        if !controls.is_empty() {
            ber::put(out, 0xa0, |out| controls.iter().for_each(|one| control(out, one)));
        }
    });
    out
}

pub(super) fn bind(id: i32, name: &str, secret: &[u8]) -> Request {
    message(id, &[], |out| {
        ber::put(out, 0x60, |out| {
            ber::integer(out, INTEGER, 3);
            ber::octets(out, OCTETS, name.as_bytes());
            ber::octets(out, 0x80, secret);
        });
    })
}

pub(super) fn start_tls(id: i32) -> Request {
    message(id, &[], |out| ber::put(out, 0x77, |out| ber::octets(out, 0x80, START_TLS.as_bytes())))
}

pub(super) fn search(id: i32, search: &Search<'_>) -> Request {
    message(id, search.controls, |out| {
        ber::put(out, 0x63, |out| {
            let base = match search.base {
                Base::RootDse => String::new(),
                Base::Entry(dn) => dn.to_string(),
            };
            ber::octets(out, OCTETS, base.as_bytes());
            let depth = match search.depth {
                Depth::Base => 0,
                Depth::One => 1,
                Depth::Subtree => 2,
            };
            ber::integer(out, ENUMERATED, depth);
            ber::integer(out, ENUMERATED, 0);
            ber::integer(out, INTEGER, 0);
            ber::integer(out, INTEGER, 0);
            ber::boolean(out, BOOLEAN, false);
            search.filter.encode(out);
            ber::put(out, SEQUENCE, |out| {
                search.attributes.iter().for_each(|name| ber::octets(out, OCTETS, name.as_bytes()));
            });
        });
    })
}

pub(super) fn write(id: i32, write: &Write<'_>) -> Request {
    let target = write.target.to_string();
    let target = target.as_bytes();
    message(id, write.controls, |out| match &write.change {
        Change::Add(attributes) => ber::put(out, 0x68, |out| {
            ber::octets(out, OCTETS, target);
            ber::put(out, SEQUENCE, |out| {
                attributes.iter().for_each(|(name, values)| attribute(out, name, values));
            });
        }),
        Change::Modify(edits) => modify(out, target, |out| {
            for edit in *edits {
                let (code, name, values) = match edit {
                    Edit::Add(name, values) => (0, name, &values[..]),
                    Edit::Remove(name, values) => (1, name, &values[..]),
                    Edit::Replace(name, values) => (2, name, &values[..]),
                };
                ber::put(out, SEQUENCE, |out| {
                    ber::integer(out, ENUMERATED, code);
                    attribute(out, name, values);
                });
            }
        }),
        Change::Rename(rdn) => ber::put(out, 0x6c, |out| {
            ber::octets(out, OCTETS, target);
            ber::octets(out, OCTETS, rdn.to_string().as_bytes());
            ber::boolean(out, BOOLEAN, true);
        }),
        // [APPLICATION 10], primitive: the name alone.
        Change::Remove => ber::octets(out, 0x4a, target),
    })
}

pub(super) fn set_password(id: i32, target: &Dn, secret: &[u8], form: PasswordForm) -> Request {
    let target = target.to_string();
    let target = target.as_bytes();
    message(id, &[], |out| match form {
        PasswordForm::Extended => ber::put(out, 0x77, |out| {
            ber::octets(out, 0x80, PASSWORD_MODIFY.as_bytes());
            ber::put(out, 0x81, |out| {
                ber::put(out, SEQUENCE, |out| {
                    ber::octets(out, 0x80, target);
                    ber::octets(out, 0x82, secret);
                });
            });
        }),
        PasswordForm::Unicode => modify(out, target, |out| {
            ber::put(out, SEQUENCE, |out| {
                ber::integer(out, ENUMERATED, 2);
                ber::put(out, SEQUENCE, |out| {
                    ber::octets(out, OCTETS, b"unicodePwd");
                    ber::put(out, SET, |out| ber::octets(out, OCTETS, &quoted_utf16(secret)));
                });
            });
        }),
    })
}

fn modify(out: &mut Vec<u8>, target: &[u8], edits: impl FnOnce(&mut Vec<u8>)) {
    ber::put(out, 0x66, |out| {
        ber::octets(out, OCTETS, target);
        ber::put(out, SEQUENCE, edits);
    });
}

fn attribute(out: &mut Vec<u8>, name: &str, values: &[Vec<u8>]) {
    ber::put(out, SEQUENCE, |out| {
        ber::octets(out, OCTETS, name.as_bytes());
        ber::put(out, SET, |out| values.iter().for_each(|value| ber::octets(out, OCTETS, value)));
    });
}

/// A password as Active Directory takes it (MS-ADTS §3.1.1.3.1.5): in quotes, UTF-16, least byte first.
fn quoted_utf16(secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(secret.len() * 2 + 4));
    out.extend(u16::from(b'"').to_le_bytes());
    for part in secret.utf8_chunks() {
        part.valid().encode_utf16().for_each(|unit| out.extend(unit.to_le_bytes()));
    }
    out.extend(u16::from(b'"').to_le_bytes());
    out
}

fn control(out: &mut Vec<u8>, control: &Control<'_>) {
    let (oid, critical) = match control {
        Control::Page { .. } => ("1.2.840.113556.1.4.319", true),
        Control::Assert(_) => ("1.3.6.1.1.12", true),
        Control::ReadAfter(_) => ("1.3.6.1.1.13.2", false),
        Control::Refresh { .. } => ("1.3.6.1.4.1.4203.1.9.1.1", true),
        Control::DirSync { .. } => ("1.2.840.113556.1.4.841", true),
        Control::ShowDeleted => ("1.2.840.113556.1.4.417", true),
        Control::NoReferrals => ("1.2.840.113556.1.4.1339", false),
    };
    ber::put(out, SEQUENCE, |out| {
        ber::octets(out, OCTETS, oid.as_bytes());
        if critical {
            ber::boolean(out, BOOLEAN, true);
        }
        match control {
            Control::Page { size, cookie } => ber::put(out, OCTETS, |out| {
                ber::put(out, SEQUENCE, |out| {
                    ber::integer(out, INTEGER, i64::from(*size));
                    ber::octets(out, OCTETS, cookie);
                });
            }),
            Control::Assert(filter) => ber::put(out, OCTETS, |out| filter.encode(out)),
            Control::ReadAfter(names) => ber::put(out, OCTETS, |out| {
                ber::put(out, SEQUENCE, |out| {
                    names.iter().for_each(|name| ber::octets(out, OCTETS, name.as_bytes()));
                });
            }),
            Control::Refresh { cookie } => ber::put(out, OCTETS, |out| {
                ber::put(out, SEQUENCE, |out| {
                    ber::integer(out, ENUMERATED, 1);
                    if let Some(cookie) = cookie {
                        ber::octets(out, OCTETS, cookie);
                    }
                });
            }),
            Control::DirSync { flags, most, cookie } => ber::put(out, OCTETS, |out| {
                ber::put(out, SEQUENCE, |out| {
                    ber::integer(out, INTEGER, i64::from(*flags));
                    ber::integer(out, INTEGER, i64::from(*most));
                    ber::octets(out, OCTETS, cookie);
                });
            }),
            Control::ShowDeleted | Control::NoReferrals => {}
        }
    });
}

/// What an entry looks like in an answer, with the state that a synchronisation gives it. For a directory that
/// stands in for a real one.
pub fn entry(name: &str, attributes: &[(String, Vec<Vec<u8>>)]) -> Vec<u8> {
    let mut out = Vec::new();
    ber::octets(&mut out, OCTETS, name.as_bytes());
    ber::put(&mut out, SEQUENCE, |out| {
        attributes.iter().for_each(|(name, values)| attribute(out, name, values));
    });
    out
}

/// What a list of ids looks like in a synchronisation. For a directory that stands in for a real one.
pub fn ids(ids: &[[u8; 16]]) -> Vec<u8> {
    let mut out = Vec::new();
    ids.iter().for_each(|id| ber::octets(&mut out, OCTETS, id));
    out
}
