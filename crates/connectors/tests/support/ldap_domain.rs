//! A domain controller in this process: what it answers to whoever asks for news, with and without the right to
//! DirSync, in answers as short as wanted, with members of groups in ranges as short as wanted, and wrong on purpose.
//!
//! Absent on purpose: writes, groups in groups, pages. The rest of Active Directory is asked of a real one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use bailiwick_connector::broker::{
    TransportError,
    ldap::{
        self, Address, Answered, Base, Connection, Control, Depth, Directory, Entry, Filter, PasswordForm,
        Search, Show, Shown, Write,
    },
};
use bailiwick_core::dn::Dn;

pub const DOMAIN: &str = "DC=acme,DC=test";

/// What goes wrong, most of it with DirSync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An entry has no id.
    Nameless,
    /// It has more to say and never says it.
    Stuck,
    /// It does not say where the next reading begins.
    NoCookie,
    /// It is out of order.
    Busy,
    /// What is below the domain is on another server.
    Elsewhere,
    /// A group is gone when the rest of its members is asked for.
    Vanishes,
    /// Another group has its name by then.
    Replaced,
}

#[derive(Default)]
pub struct State {
    objects: Vec<Object>,
    usn: u64,
    /// Whether the account may use DirSync.
    pub replicates: bool,
    /// Whether the account is shown deleted objects.
    pub shows_deleted: bool,
    /// The most objects in an answer of DirSync.
    pub most: usize,
    /// The most members in an answer.
    pub range: usize,
    /// How often the rest of the members was asked for.
    pub ranges: u64,
    /// How often the first member leaves when the rest is asked for.
    pub leaving: u64,
    /// Cookies of another time are not known.
    pub time: u64,
    /// Which controller answers; each time another one, if it says so.
    pub controller: u64,
    pub restless: bool,
    pub fault: Option<Fault>,
    /// How often it was asked by DirSync, and the attributes of the last time.
    pub dirsyncs: u64,
    pub attributes: Vec<String>,
}

struct Object {
    id: [u8; 16],
    name: String,
    unit: &'static str,
    gone: bool,
    /// Each attribute with the number of its last change.
    attributes: BTreeMap<String, (u64, Vec<u8>)>,
    /// The names of its members, if it is a group.
    members: Vec<String>,
}

impl Object {
    fn usn(&self) -> u64 {
        self.attributes.values().map(|(usn, _)| *usn).max().unwrap()
    }

    fn dn(&self) -> Dn {
        format!("CN={},{},{DOMAIN}", self.name, self.unit).parse().unwrap()
    }

    fn values(&self, name: &str) -> Option<Vec<u8>> {
        match name.to_ascii_lowercase().as_str() {
            "usnchanged" => Some(self.usn().to_string().into_bytes()),
            "objectguid" => Some(self.id.to_vec()),
            "distinguishedname" => Some(self.dn().to_string().into_bytes()),
            _ => {
                let mut found = self.attributes.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
                found.next().map(|(_, (_, value))| value.clone())
            }
        }
    }

    fn matches(&self, filter: &Filter) -> bool {
        match filter {
            Filter::And(all) => all.iter().all(|one| self.matches(one)),
            Filter::Or(all) => all.iter().any(|one| self.matches(one)),
            Filter::Not(one) => !self.matches(one),
            Filter::Present(name) => self.values(name).is_some(),
            Filter::Equal(name, wanted) if name == "member" => {
                self.members.iter().any(|member| member.as_bytes() == wanted)
            }
            Filter::Equal(name, wanted) => self.values(name).as_ref() == Some(wanted),
            Filter::AtLeast(name, wanted) => {
                let number = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().parse::<u64>().unwrap();
                self.values(name).is_some_and(|value| number(&value) >= number(wanted))
            }
            Filter::AtMost(..) | Filter::Pieces(..) | Filter::By { .. } => {
                panic!("the connector is not known to send {filter:?}")
            }
        }
    }

    fn bytes(&self, wanted: &[&str], range: usize) -> Vec<u8> {
        let mut shown: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
        for name in wanted {
            let from = match name.strip_prefix("member") {
                Some("") => 0,
                Some(option) => {
                    option.strip_prefix(";range=").unwrap().strip_suffix("-*").unwrap().parse().unwrap()
                }
                None => {
                    shown.extend(self.values(name).map(|value| ((*name).to_owned(), vec![value])));
                    continue;
                }
            };
            let rest = self.members.get(from..).unwrap_or_default();
            let values = rest.iter().take(range).map(|member| member.clone().into_bytes()).collect();
            let last = from + range.min(rest.len());
            match (rest.len() > range, from) {
                // The attribute itself is there too, and empty.
                (true, 0) => shown.extend([
                    ("member".to_owned(), Vec::new()),
                    (format!("member;range=0-{}", last - 1), values),
                ]),
                (true, _) => shown.push((format!("member;range={from}-{}", last - 1), values)),
                (false, 0) if *name == "member" => shown.push(("member".to_owned(), values)),
                (false, _) => shown.push((format!("member;range={from}-*"), values)),
            }
        }
        shown.retain(|(name, values)| !values.is_empty() || name == "member" && self.members.len() > range);
        ldap::entry(&self.dn().to_string(), &shown)
    }
}

#[derive(Clone)]
pub struct Domain(Arc<Mutex<State>>);

impl Domain {
    pub fn new(replicates: bool) -> Self {
        let state = State { replicates, shows_deleted: true, most: 1_000, range: 1_500, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Adds an account, and gives its id as it is shown.
    pub fn add(&self, name: &str) -> String {
        self.add_object(name, "user", "OU=people", Vec::new())
    }

    /// Adds a group of these accounts, and gives its id as it is shown.
    pub fn add_group(&self, name: &str, members: &[&str]) -> String {
        let members = self.state().names(members);
        self.add_object(name, "group", "OU=groups", members)
    }

    /// Puts these accounts into a group, in place of who is in it.
    pub fn fill(&self, group: &str, members: &[&str]) {
        let mut state = self.state();
        let members = state.names(members);
        state.objects.iter_mut().find(|object| object.name == group).unwrap().members = members;
    }

    fn add_object(&self, name: &str, class: &str, unit: &'static str, members: Vec<String>) -> String {
        let mut state = self.state();
        let number = u8::try_from(state.objects.len()).unwrap();
        let object = Object {
            id: [number; 16],
            name: name.to_owned(),
            unit,
            gone: false,
            attributes: BTreeMap::new(),
            members,
        };
        state.objects.push(object);
        drop(state);
        for (attribute, value) in
            [("objectClass", class), ("name", name), ("cn", name), ("sAMAccountName", name)]
        {
            self.set(name, attribute, value);
        }
        let hex = format!("{number:02x}");
        [4, 2, 2, 2, 6].map(|bytes| hex.repeat(bytes)).join("-")
    }

    /// Changes an attribute.
    pub fn set(&self, name: &str, attribute: &str, value: &str) {
        self.change(name, attribute, value, |_| {});
    }

    /// Moves an account out of what is listed.
    pub fn move_away(&self, name: &str) {
        self.change(name, "name", name, |object| object.unit = "OU=elsewhere");
    }

    pub fn delete(&self, name: &str) {
        self.change(name, "isDeleted", "TRUE", |object| {
            (object.unit, object.gone) = ("CN=Deleted Objects", true);
        });
    }

    fn change(&self, name: &str, attribute: &str, value: &str, how: impl FnOnce(&mut Object)) {
        let mut state = self.state();
        state.usn += 1;
        let stamped = (state.usn, value.as_bytes().to_vec());
        let object = state.objects.iter_mut().find(|object| object.name == name).unwrap();
        object.attributes.insert(attribute.to_owned(), stamped);
        how(object);
    }
}

fn code(code: u32) -> Answered {
    Answered { code, ..Answered::default() }
}

impl State {
    /// The distinguished names of accounts.
    fn names(&self, accounts: &[&str]) -> Vec<String> {
        let dn = |name: &&str| self.objects.iter().find(|object| object.name == **name).unwrap().dn();
        accounts.iter().map(|name| dn(name).to_string()).collect()
    }

    fn root(&mut self, show: Show<'_>) -> Answered {
        self.controller += u64::from(self.restless);
        let text = |text: String| vec![text.into_bytes()];
        let attributes = [
            ("supportedCapabilities".to_owned(), text("1.2.840.113556.1.4.800".to_owned())),
            ("defaultNamingContext".to_owned(), text(DOMAIN.to_owned())),
            ("highestCommittedUSN".to_owned(), text(self.usn.to_string())),
            ("dsServiceName".to_owned(), text(format!("CN=NTDS Settings,CN=dc{}", self.controller))),
        ];
        let bytes = ldap::entry("", &attributes);
        show(Shown::Entry(Entry::parse(&bytes).unwrap()));
        code(0)
    }

    fn dirsync(&mut self, search: &Search<'_>, cookie: &[u8], show: Show<'_>) -> Answered {
        if !self.replicates {
            return code(50);
        }
        self.dirsyncs += 1;
        self.attributes = search.attributes.iter().map(|name| (*name).to_owned()).collect();
        let text = std::str::from_utf8(cookie).unwrap();
        let (time, from) = text.split_once(' ').unwrap_or(("", "0"));
        if !cookie.is_empty() && time != self.time.to_string() {
            return code(53);
        }
        if self.fault == Some(Fault::Busy) {
            return code(51);
        }
        let from: u64 = from.parse().unwrap();
        let asked = |name: &str| search.attributes.iter().any(|known| known.eq_ignore_ascii_case(name));
        let newest = |object: &Object| {
            let changed = object.attributes.iter().filter(|(name, _)| asked(name));
            changed.map(|(_, (usn, _))| *usn).filter(|usn| *usn > from).max()
        };
        let found = self.objects.iter().filter(|object| object.matches(search.filter));
        let mut found: Vec<(u64, &Object)> =
            found.filter_map(|object| Some((newest(object)?, object))).collect();
        found.sort_by_key(|(usn, _)| *usn);
        let more = found.len() > self.most;
        found.truncate(self.most);
        for (_, object) in &found {
            let id: &[&str] = if self.fault == Some(Fault::Nameless) { &[] } else { &["objectGUID"] };
            let bytes = object.bytes(id, usize::MAX);
            show(Shown::Entry(Entry::parse(&bytes).unwrap()));
        }
        let reached = if more { found.last().unwrap().0 } else { self.usn };
        let next = format!("{} {reached}", self.time).into_bytes();
        match self.fault {
            Some(Fault::Stuck) => {
                Answered { more: true, sync_cookie: Some(cookie.to_vec()), ..Answered::default() }
            }
            Some(Fault::NoCookie) => code(0),
            Some(Fault::Nameless | Fault::Busy | Fault::Elsewhere | Fault::Vanishes | Fault::Replaced)
            | None => Answered { more, sync_cookie: Some(next), ..Answered::default() },
        }
    }

    /// What happens to a group while its members are read.
    fn disturb(&mut self, base: &Dn) {
        self.ranges += 1;
        self.usn += 1;
        let (usn, fault) = (self.usn, self.fault);
        let Some(group) = self.objects.iter_mut().find(|object| object.dn() == *base) else { return };
        if self.leaving > 0 {
            self.leaving -= 1;
            group.members.remove(0);
            group.attributes.insert("member".to_owned(), (usn, Vec::new()));
        }
        match fault {
            Some(Fault::Vanishes) => (group.unit, group.gone) = ("CN=Deleted Objects", true),
            Some(Fault::Replaced) => group.id = [0xff; 16],
            Some(Fault::Nameless | Fault::Stuck | Fault::NoCookie | Fault::Busy | Fault::Elsewhere)
            | None => {}
        }
    }

    fn find(&mut self, search: &Search<'_>, base: &Dn, deleted: bool, show: Show<'_>) -> Answered {
        if self.fault == Some(Fault::Elsewhere) && base.to_string() != DOMAIN {
            return code(10);
        }
        if search.attributes.iter().any(|name| name.starts_with("member;")) {
            self.disturb(base);
        }
        let bin: Dn = format!("CN=Deleted Objects,{DOMAIN}").parse().unwrap();
        if *base == bin && search.depth == Depth::Base {
            // That it is there is shown to everybody.
            let mark = ("isDeleted".to_owned(), vec![b"TRUE".to_vec()]);
            let about = if self.shows_deleted { &[mark][..] } else { &[] };
            let bytes = ldap::entry(&bin.to_string(), about);
            show(Shown::Entry(Entry::parse(&bytes).unwrap()));
            return code(0);
        }
        if search.depth == Depth::Base && !self.objects.iter().any(|object| object.dn() == *base) {
            return code(32);
        }
        for object in &self.objects {
            if object.dn().within(base) && (deleted || !object.gone) && object.matches(search.filter) {
                let bytes = object.bytes(search.attributes, self.range);
                show(Shown::Entry(Entry::parse(&bytes).unwrap()));
            }
        }
        code(0)
    }
}

#[async_trait]
impl Directory for Domain {
    async fn open(&self, _: &Address) -> Result<Box<dyn Connection>, TransportError> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Connection for Domain {
    fn usable(&mut self) -> bool {
        true
    }

    async fn bind(&mut self, _: &str, _: &[u8]) -> Result<Answered, TransportError> {
        Ok(code(0))
    }

    async fn search(&mut self, search: &Search<'_>, show: Show<'_>) -> Result<Answered, TransportError> {
        let mut state = self.state();
        let Base::Entry(base) = search.base else { return Ok(state.root(show)) };
        let mut deleted = false;
        for control in search.controls {
            match control {
                Control::DirSync { cookie, .. } => {
                    assert_eq!(base.to_string(), DOMAIN, "DirSync is asked of a whole domain");
                    return Ok(state.dirsync(search, cookie, show));
                }
                Control::ShowDeleted => deleted = state.shows_deleted,
                Control::Page { .. } | Control::NoReferrals => {}
                Control::Assert(_) | Control::ReadAfter(_) | Control::Refresh { .. } => return Ok(code(12)),
            }
        }
        Ok(state.find(search, base, deleted, show))
    }

    async fn set_password(&mut self, _: &Dn, _: &[u8], _: PasswordForm) -> Result<Answered, TransportError> {
        Ok(code(53))
    }

    async fn write(&mut self, _: &Write<'_>) -> Result<Answered, TransportError> {
        Ok(code(53))
    }
}
