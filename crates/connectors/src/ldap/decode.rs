//! What entries mean: an object borrowed from where the entry came in, and the signs by which an account is
//! kept out.
//!
//! A value that is no text is shown in base64, so that nothing is lost and nothing is bent. An attribute that
//! an entry does not have is not shown. Attributes with options (`cn;lang-de`) are other attributes.

use std::borrow::Cow;

use bailiwick_connector::{
    Object, ObjectState, ObjectValue,
    broker::ldap::{Entry, Values},
};
use bailiwick_core::{dn::Dn, time::Timestamp};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    paging::guid,
    policy::{Book, LOCKED, POLICY},
    settings::{Dialect, Kind, Mapped, People, Shape, Way},
};

/// Passwords that begin so match no input: `!` is no hash that `crypt(3)` can give.
pub(super) const UNUSABLE: &str = "{CRYPT}!";
/// The attribute with the password.
pub(super) const PASSWORD: &str = "userPassword";
/// The attribute with the bits of an account of Active Directory (MS-ADTS §2.2.16).
pub(super) const CONTROL: &str = "userAccountControl";
/// Among them: the account is disabled.
pub(super) const DISABLED: i64 = 0x2;
/// When an account of Active Directory ends.
pub(super) const EXPIRES: &str = "accountExpires";

/// What one attribute of an entry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Id,
    Version,
    Marker,
    Name,
    Lock,
    Policy,
    Password,
    Switch,
    Control,
    Expires,
    PrimaryGroup,
    Sid,
    Protected,
    Status,
    Mapped(usize),
}

/// Which attributes of entries are asked for, and what each is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    slots: Vec<(String, Vec<Role>)>,
}

impl Reading {
    /// Of accounts.
    pub(super) fn accounts(shape: &Shape, ways: &[Way]) -> Self {
        let mut reading = Self::named(shape, &shape.accounts.name);
        reading.add(&shape.marker, Role::Marker);
        match shape.dialect {
            Dialect::OpenLdap => {
                reading.add(LOCKED, Role::Lock);
                reading.add(POLICY, Role::Policy);
                if let Some(switch) = &shape.switch {
                    reading.add(&switch.attribute, Role::Switch);
                }
                // Asked for only where it is the way to disable: nobody needs hashes to go about otherwise.
                if ways.contains(&Way::Password) {
                    reading.add(PASSWORD, Role::Password);
                }
            }
            Dialect::ActiveDirectory => {
                reading.add(CONTROL, Role::Control);
                reading.add(EXPIRES, Role::Expires);
                reading.add("primaryGroupID", Role::PrimaryGroup);
                reading.add("objectSid", Role::Sid);
                reading.add("adminCount", Role::Protected);
            }
        }
        reading.mapped(shape)
    }

    /// Of people, whose id is an attribute of the configuration's choice.
    pub(super) fn people(shape: &Shape, people: &People) -> Self {
        let mut reading = Self { slots: Vec::new() };
        reading.add(&people.key, Role::Id);
        reading.add(&people.name, Role::Name);
        reading.add(shape.version(), Role::Version);
        // Whoever cannot sign in has not left by that, unless it is said so.
        if people.disabled_left {
            reading.add(CONTROL, Role::Control);
        }
        if let Some(status) = &people.status {
            reading.add(status, Role::Status);
        }
        reading.mapped(shape)
    }

    fn named(shape: &Shape, name: &str) -> Self {
        let mut reading = Self { slots: Vec::new() };
        reading.add(shape.id(), Role::Id);
        reading.add(shape.version(), Role::Version);
        reading.add(name, Role::Name);
        reading
    }

    fn mapped(mut self, shape: &Shape) -> Self {
        for (at, Mapped { attribute, .. }) in shape.mapped.iter().enumerate() {
            self.add(attribute, Role::Mapped(at));
        }
        self
    }

    fn add(&mut self, attribute: &str, role: Role) {
        match self.slots.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(attribute)) {
            Some((_, roles)) => roles.push(role),
            None => self.slots.push((attribute.to_owned(), vec![role])),
        }
    }

    /// The attributes to ask for.
    pub(super) fn attributes(&self) -> Vec<&str> {
        self.slots.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn roles(&self, attribute: &str) -> &[Role] {
        let slot = self.slots.iter().find(|(known, _)| known.eq_ignore_ascii_case(attribute));
        slot.map_or(&[], |(_, roles)| roles)
    }
}

/// The signs on an account by which it is kept out, whether they work or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// The value of `pwdAccountLockedTime`.
    pub(super) lock: Option<String>,
    /// The password matches nothing.
    pub(super) unusable: bool,
    /// The switch is off.
    pub(super) off: bool,
    /// The bits of Active Directory.
    pub(super) control: Option<i64>,
    /// The account of Active Directory has ended.
    pub(super) expired: bool,
    /// The person has left.
    pub(super) left: bool,
    /// It is, or was, in a protected group.
    pub(super) protected: bool,
    /// Its `objectSid`.
    pub(super) sid: Option<Vec<u8>>,
    /// The last part of its primary group's `objectSid`.
    pub(super) primary_group: Option<u32>,
}

/// Understands entries.
pub(super) struct Judge<'j> {
    pub(super) shape: &'j Shape,
    pub(super) reading: &'j Reading,
    pub(super) book: &'j Book,
    /// Whether the lock is believed at all.
    pub(super) locks: bool,
    pub(super) now: Timestamp,
}

impl<'j> Judge<'j> {
    /// An entry as an object, and its signs; none if it has no id or a name that is no text.
    pub(super) fn read<'e>(&self, entry: &Entry<'e>) -> Option<(Object<'e>, Signs)>
    where
        'j: 'e,
    {
        let mut object =
            Object { attributes: Vec::with_capacity(self.shape.mapped.len()), ..Object::default() };
        let (mut signs, mut own, mut named) = (Signs::default(), None, false);
        for (name, values) in entry.attributes() {
            for role in self.reading.roles(name) {
                let first = || values.into_iter().next();
                let text = || std::str::from_utf8(first()?).ok();
                match role {
                    Role::Id => object.id = self.id(first()?)?,
                    Role::Version => object.version = text().map(Cow::Borrowed),
                    Role::Marker => object.marker = text().map(Cow::Borrowed),
                    Role::Name => {
                        object.name = Cow::Borrowed(text()?);
                        named = true;
                    }
                    Role::Lock => signs.lock = text().map(str::to_owned),
                    Role::Policy => own = text(),
                    Role::Password => {
                        signs.unusable =
                            values.into_iter().all(|value| value.starts_with(UNUSABLE.as_bytes()));
                    }
                    Role::Switch => {
                        let off = self.shape.switch.as_ref().map(|switch| switch.off.as_bytes());
                        signs.off = values.into_iter().any(|value| Some(value) == off);
                    }
                    Role::Control => signs.control = text().and_then(|text| text.parse().ok()),
                    Role::Expires => signs.expired = text().is_some_and(|text| self.ended(text)),
                    Role::PrimaryGroup => signs.primary_group = text().and_then(|text| text.parse().ok()),
                    Role::Protected => signs.protected = text() == Some("1"),
                    Role::Status => signs.left = self.has_left(values),
                    Role::Sid => signs.sid = first().map(<[u8]>::to_owned),
                    Role::Mapped(at) => {
                        let mapped = self.shape.mapped.get(*at)?;
                        let value = value(values, mapped.kind);
                        object.attributes.push((Cow::Borrowed(mapped.name.as_str()), value));
                    }
                }
            }
        }
        if object.id.is_empty() {
            return None;
        }
        if !named {
            object.name = Cow::Owned(leaf(entry.name)?);
        }
        let locked = self.locks && signs.lock.as_deref().is_some_and(|lock| self.book.keeps_out(lock, own));
        let disabled = signs.control.is_some_and(|bits| bits & DISABLED != 0);
        if locked || signs.unusable || signs.off || disabled || signs.expired || signs.left {
            object.state = ObjectState::Blocked;
        }
        Some((object, signs))
    }

    /// Whether one of these values is one of who has left, in whatever case.
    fn has_left(&self, values: Values<'_>) -> bool {
        let left = self.shape.people.iter().flat_map(|people| &people.left);
        let left: Vec<String> = left.map(|value| value.to_lowercase()).collect();
        values.into_iter().any(|value| left.contains(&String::from_utf8_lossy(value).to_lowercase()))
    }

    fn id<'e>(&self, value: &'e [u8]) -> Option<Cow<'e, str>> {
        id_of(self.shape.dialect, value)
    }

    /// Whether an `accountExpires` is over: 100 ns since 1601; 0 and the largest number are never.
    fn ended(&self, text: &str) -> bool {
        const NEVER: i64 = i64::MAX;
        const UNIX_EPOCH_S: i64 = 11_644_473_600;
        match text.parse::<i64>() {
            Ok(0 | NEVER) | Err(_) => false,
            Ok(ticks) => ticks / 10_000_000 - UNIX_EPOCH_S <= self.now.as_second(),
        }
    }
}

/// The id in the attribute that tells entries apart.
pub(super) fn id_of(dialect: Dialect, value: &[u8]) -> Option<Cow<'_, str>> {
    match (dialect, <[u8; 16]>::try_from(value)) {
        (Dialect::ActiveDirectory, Ok(stored)) => Some(Cow::Owned(guid(stored))),
        // People have an id that is text also here.
        (Dialect::OpenLdap | Dialect::ActiveDirectory, _) => {
            std::str::from_utf8(value).ok().map(Cow::Borrowed)
        }
    }
}

/// The value of the first step of a name.
fn leaf(name: &str) -> Option<String> {
    let name: Dn = name.parse().ok()?;
    let (_, value) = name.rdns().first()?.attributes().next()?;
    Some(value.to_owned())
}

fn value(values: Values<'_>, kind: Kind) -> ObjectValue<'_> {
    let mut rest = values;
    match (kind, rest.next(), rest.next()) {
        (Kind::Flag, Some(b"TRUE"), None) => ObjectValue::Flag(true),
        (Kind::Flag, Some(b"FALSE"), None) => ObjectValue::Flag(false),
        (Kind::Text | Kind::Flag, Some(one), None) => ObjectValue::Text(text(one)),
        (Kind::Text | Kind::Flag, None, _) => ObjectValue::Null,
        (Kind::Many, ..) | (_, _, Some(_)) => ObjectValue::Many(values.map(text).collect()),
    }
}

/// A value as text, or in base64 if it is none.
fn text(value: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(value) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(STANDARD.encode(value)),
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_connector::broker::ldap::entry;
    use serde_json::json;

    use super::{super::settings::Settings, *};

    const ID: &str = "00112233-4455-6677-8899-aabbccddeeff";

    fn check(dialect: Dialect, given: &[(&str, &[&[u8]])], look: impl FnOnce(Option<(Object<'_>, Signs)>)) {
        let settings = json!({
            "accounts": {"base": "dc=x"},
            "attributes": {"photo": "jpegPhoto", "phones": {"attribute": "mobile", "is": "many"}},
            "switch": {"attribute": "loginShell", "off": "/bin/false"},
        });
        let settings = Settings::new(&settings).unwrap();
        let shape = settings.shape(dialect);
        let reading = Reading::accounts(shape, &shape.ways);
        let judge = Judge {
            shape,
            reading: &reading,
            book: &Book::default(),
            locks: true,
            now: "2026-11-21T00:00:00Z".parse().unwrap(),
        };
        let given: Vec<_> = given
            .iter()
            .map(|(name, values)| ((*name).to_owned(), values.iter().map(|v| v.to_vec()).collect()))
            .collect();
        let bytes = entry("uid=a\\,b,dc=x", &given);
        look(judge.read(&Entry::parse(&bytes).unwrap()));
    }

    #[test]
    fn what_is_missing_and_what_is_binary_is_told_apart() {
        let id = ("entryUUID", &[ID.as_bytes()][..]);
        check(Dialect::OpenLdap, &[id], |read| {
            let (object, signs) = read.unwrap();
            assert_eq!((&object.id[..], &object.name[..], object.state), (ID, "a,b", ObjectState::Live));
            assert_eq!((object.attributes, signs), (Vec::new(), Signs::default()));
        });
        let photo = ("JPEGPHOTO", &[&[0xff, 0xd8, 0][..]][..]);
        let phones = ("mobile", &[&b"2"[..], b"1"][..]);
        let (two, other) = (("title", &[&b"a"[..], b"b"][..]), ("title;lang-de", &[&b"c"[..]][..]));
        check(Dialect::OpenLdap, &[id, photo, phones, two, other, ("uid", &[b"Ann"])], |read| {
            let (object, _) = read.unwrap();
            let many = |all: &[&'static str]| ObjectValue::Many(all.iter().map(|t| (*t).into()).collect());
            assert_eq!(object.attribute("photo"), Some(&ObjectValue::Text("/9gA".into())));
            assert_eq!(object.attribute("phones"), Some(&many(&["2", "1"])));
            assert_eq!(object.attribute("title"), Some(&many(&["a", "b"])));
            assert_eq!(object.attribute("userName"), Some(&ObjectValue::Text("Ann".into())));
            assert_eq!(object.name, "Ann");
        });
        check(Dialect::OpenLdap, &[("uid", &[b"ann"])], |read| assert!(read.is_none()));
        check(Dialect::OpenLdap, &[id, ("uid", &[&[0xff]])], |read| assert!(read.is_none()));
    }

    #[test]
    fn only_what_keeps_out_for_good_blocks() {
        use Dialect::{ActiveDirectory as Ad, OpenLdap};
        let open = ("entryUUID", ID.as_bytes());
        let active = ("objectGUID", &[7; 16][..]);
        let over = b"132539328000000000";
        type Case<'c> = (Dialect, (&'c str, &'c [u8]), &'c str, &'c [u8], ObjectState);
        let cases: [Case<'_>; 10] = [
            // No policy is known that makes the lock work.
            (OpenLdap, open, "pwdAccountLockedTime", b"000001010000Z", ObjectState::Live),
            (OpenLdap, open, "userPassword", b"{CRYPT}!", ObjectState::Blocked),
            (OpenLdap, open, "userPassword", b"{SSHA}x", ObjectState::Live),
            (OpenLdap, open, "loginShell", b"/bin/false", ObjectState::Blocked),
            (OpenLdap, open, "loginShell", b"/bin/sh", ObjectState::Live),
            (Ad, active, "userAccountControl", b"514", ObjectState::Blocked),
            (Ad, active, "userAccountControl", b"512", ObjectState::Live),
            (Ad, active, "accountExpires", b"0", ObjectState::Live),
            (Ad, active, "accountExpires", b"9223372036854775807", ObjectState::Live),
            (Ad, active, "accountExpires", over, ObjectState::Blocked),
        ];
        for (dialect, id, name, value, state) in cases {
            check(dialect, &[(id.0, &[id.1]), (name, &[value])], |read| {
                assert_eq!(read.unwrap().0.state, state, "{name} {value:?}");
            });
        }
    }
}
