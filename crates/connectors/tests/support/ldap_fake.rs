//! A directory in this process: a small tree that behaves as OpenLDAP does, over typed requests.
//!
//! Absent on purpose: schema checks beyond the last member of a group, access rules, aliases.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use bailiwick_connector::broker::{
    TransportError,
    ldap::{
        self, Address, Answered, Base, Became, Change, Connection, Control, Depth, Directory, Edit, Entry,
        Filter, Ids, PasswordForm, Search, Show, Shown, SyncInfo, SyncState, Write,
    },
};
use bailiwick_core::dn::Dn;

use super::ldap_bench::{BASE, Raw, SECRET, Tree};

/// How it is set up.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Whether the default password policy locks.
    pub locks: bool,
    /// Whether it remembers what was deleted.
    pub session_log: bool,
}

/// A directory.
#[derive(Clone)]
pub struct Fake {
    setup: Setup,
    store: Arc<Mutex<Store>>,
}

#[derive(Default)]
struct Store {
    /// By number, in the order in which they were made.
    entries: BTreeMap<u64, Held>,
    /// Deleted ids, with the change that deleted them.
    gone: Vec<(u64, [u8; 16])>,
    /// How many changes there were, and how many entries.
    changes: u64,
    made: u64,
    connections: u64,
    hides: bool,
}

struct Held {
    dn: Dn,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
    id: [u8; 16],
    /// The change that it was last in.
    version: u64,
}

impl Held {
    fn values(&self, name: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or(&[], |(_, values)| values)
    }

    fn values_mut(&mut self, name: &str) -> &mut Vec<Vec<u8>> {
        let at = self.attributes.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
        let at = at.unwrap_or_else(|| {
            self.attributes.push((name.to_owned(), Vec::new()));
            self.attributes.len() - 1
        });
        &mut self.attributes[at].1
    }

    /// All attributes, also those that the server makes.
    fn all(&self) -> Vec<(String, Vec<Vec<u8>>)> {
        let mut all = self.attributes.clone();
        all.retain(|(_, values)| !values.is_empty());
        all.push(("entryUUID".into(), vec![uuid(self.id).into_bytes()]));
        all.push(("entryCSN".into(), vec![format!("{:08}", self.version).into_bytes()]));
        all.push(("entryDN".into(), vec![self.dn.to_string().into_bytes()]));
        all
    }

    fn matches(&self, filter: &Filter) -> bool {
        match filter {
            Filter::And(all) => all.iter().all(|one| self.matches(one)),
            Filter::Or(all) => all.iter().any(|one| self.matches(one)),
            Filter::Not(one) => !self.matches(one),
            Filter::Present(name) => self.all().iter().any(|(known, _)| known.eq_ignore_ascii_case(name)),
            Filter::Equal(name, wanted) => self
                .all()
                .iter()
                .filter(|(known, _)| known.eq_ignore_ascii_case(name))
                .any(|(_, values)| values.iter().any(|value| same(name, value, wanted))),
            Filter::AtLeast(..) | Filter::AtMost(..) | Filter::Pieces(..) | Filter::By { .. } => {
                unimplemented_here(filter)
            }
        }
    }

    fn bytes(&self, wanted: &[&str]) -> Vec<u8> {
        let mut all = self.all();
        all.retain(|(name, _)| wanted.iter().any(|known| known.eq_ignore_ascii_case(name)));
        ldap::entry(&self.dn.to_string(), &all)
    }
}

fn unimplemented_here(filter: &Filter) -> bool {
    panic!("the connector is not known to send {filter:?}")
}

/// Whether two values of an attribute are the same to the directory.
fn same(name: &str, a: &[u8], b: &[u8]) -> bool {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match name.to_ascii_lowercase().as_str() {
        "member" | "uniquemember" | "entrydn" => match (text(a).parse::<Dn>(), text(b).parse::<Dn>()) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        },
        "entryuuid" | "entrycsn" | "userpassword" => a == b,
        // A class is also what it is made from.
        "objectclass" if b == b"person" => matches!(a, b"person" | b"inetOrgPerson"),
        _ => text(a).to_lowercase() == text(b).to_lowercase(),
    }
}

fn uuid(id: [u8; 16]) -> String {
    let hex = id.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn code(code: u32) -> Answered {
    Answered { code, ..Answered::default() }
}

impl Store {
    fn find(&mut self, dn: &Dn) -> Option<&mut Held> {
        self.entries.values_mut().find(|held| held.dn == *dn)
    }

    fn add(&mut self, dn: &Dn, attributes: Vec<(String, Vec<Vec<u8>>)>) -> u32 {
        if self.find(dn).is_some() {
            return 68;
        }
        self.changes += 1;
        self.made += 1;
        let mut id = [0xb5; 16];
        id[8..].copy_from_slice(&self.made.to_be_bytes());
        self.entries.insert(self.made, Held { dn: dn.clone(), attributes, id, version: self.changes });
        0
    }

    fn remove(&mut self, dn: &Dn) -> u32 {
        let Some((number, id)) = self.entries.iter().find(|(_, h)| h.dn == *dn).map(|(n, h)| (*n, h.id))
        else {
            return 32;
        };
        self.changes += 1;
        self.entries.remove(&number);
        self.gone.push((self.changes, id));
        self.replace_member(dn, None);
        0
    }

    /// What refint does: a name that is not any more is nowhere any more.
    fn replace_member(&mut self, old: &Dn, new: Option<&Dn>) {
        for held in self.entries.values_mut() {
            for (name, values) in &mut held.attributes {
                if !matches!(name.as_str(), "member" | "uniqueMember") {
                    continue;
                }
                let is = |value: &Vec<u8>| same("member", value, old.to_string().as_bytes());
                let Some(at) = values.iter().position(is) else { continue };
                match new {
                    Some(new) => values[at] = new.to_string().into_bytes(),
                    None => drop(values.remove(at)),
                }
            }
        }
    }

    fn modify(&mut self, dn: &Dn, edits: &[Edit<'_>]) -> u32 {
        let changes = self.changes + 1;
        let Some(held) = self.find(dn) else { return 32 };
        let before = held.attributes.clone();
        let step: Vec<String> = dn.rdns()[0].attributes().map(|(kind, _)| kind.to_owned()).collect();
        let mut refused = 0;
        for edit in edits {
            let (Edit::Add(name, _) | Edit::Remove(name, _) | Edit::Replace(name, _)) = edit;
            let values = held.values_mut(name);
            match edit {
                Edit::Add(_, new) => {
                    for value in new {
                        match values.iter().any(|known| same(name, known, value)) {
                            true => refused = 20,
                            false => values.push(value.clone()),
                        }
                    }
                }
                Edit::Remove(_, old) => {
                    for value in old {
                        match values.iter().position(|known| same(name, known, value)) {
                            Some(at) => drop(values.remove(at)),
                            None => refused = 16,
                        }
                    }
                }
                Edit::Replace(_, new) => values.clone_from(new),
            }
            if step.iter().any(|kind| kind.eq_ignore_ascii_case(name)) {
                refused = 67;
            }
        }
        let empty = ["member", "uniqueMember"]
            .iter()
            .any(|name| held.attributes.iter().any(|(known, values)| known == name && values.is_empty()));
        if refused == 0 && empty {
            refused = 65;
        }
        if refused == 0 {
            held.version = changes;
            self.changes = changes;
        } else {
            held.attributes = before;
        }
        refused
    }
}

impl Fake {
    /// A directory with nobody in it.
    pub fn new(setup: Setup) -> Self {
        let store = Arc::<Mutex<Store>>::default();
        let fake = Self { setup, store };
        let lockout = if setup.locks { "TRUE" } else { "FALSE" };
        let hub = Raw::new(BASE, &[("cn", &["hub"])]).with("userPassword", SECRET.as_bytes());
        let policy = Raw::new(
            "ou=policies,dc=acme,dc=example",
            &[("cn", &["default"]), ("objectClass", &["pwdPolicy"]), ("pwdLockout", &[lockout])],
        );
        for raw in [hub, policy] {
            fake.store().add(&raw.dn, raw.attributes);
        }
        fake
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }

    fn refresh(&self, search: &Search<'_>, base: &Dn, cookie: Option<&[u8]>, show: Show<'_>) -> Answered {
        let store = self.store();
        let since = cookie.map_or(0, |cookie| String::from_utf8_lossy(cookie).parse::<u64>().unwrap());
        let deletes = self.setup.session_log && cookie.is_some();
        let mut same = Vec::new();
        for held in store.entries.values().filter(|held| held.dn.within(base) && held.matches(search.filter))
        {
            if held.version <= since {
                same.push(held.id);
                continue;
            }
            let bytes = held.bytes(search.attributes);
            let mut entry = Entry::parse(&bytes).unwrap();
            entry.sync = Some(SyncState { state: Became::Added, id: held.id });
            show(Shown::Entry(entry));
        }
        let gone: Vec<[u8; 16]> =
            store.gone.iter().filter(|(change, _)| *change > since).map(|(_, id)| *id).collect();
        let ids = if deletes { gone } else { same };
        let bytes = ldap::ids(&ids);
        if !ids.is_empty() {
            show(Shown::Sync(SyncInfo::Ids { gone: deletes, ids: Ids::parse(&bytes) }));
        }
        show(Shown::Sync(SyncInfo::Phase));
        let sync_cookie = Some(store.changes.to_string().into_bytes());
        Answered { sync_cookie, sync_deletes: deletes, ..Answered::default() }
    }
}

#[async_trait]
impl Directory for Fake {
    async fn open(&self, _: &Address) -> Result<Box<dyn Connection>, TransportError> {
        self.store().connections += 1;
        Ok(Box::new(Talk { fake: self.clone(), page: None }))
    }
}

/// A connection, which knows where its one listing stands.
struct Talk {
    fake: Fake,
    page: Option<Vec<u8>>,
}

#[async_trait]
impl Connection for Talk {
    fn usable(&mut self) -> bool {
        true
    }

    async fn bind(&mut self, name: &str, secret: &[u8]) -> Result<Answered, TransportError> {
        let (dn, locks) = (name.parse::<Dn>().unwrap(), self.fake.setup.locks);
        let mut store = self.fake.store();
        let Some(held) = store.find(&dn) else { return Ok(code(49)) };
        let locked = locks && !held.values("pwdAccountLockedTime").is_empty();
        let right =
            held.values("userPassword").iter().any(|value| value == secret && !value.starts_with(b"{"));
        Ok(code(if right && !locked { 0 } else { 49 }))
    }

    async fn search(&mut self, search: &Search<'_>, show: Show<'_>) -> Result<Answered, TransportError> {
        let base = match search.base {
            Base::Entry(base) => base,
            Base::RootDse => {
                let says = |oids: &[&str]| oids.iter().map(|oid| oid.as_bytes().to_vec()).collect();
                let controls: [&str; 4] = [
                    "1.3.6.1.1.12",
                    "1.3.6.1.1.13.2",
                    "1.3.6.1.4.1.4203.1.9.1.1",
                    "1.3.6.1.4.1.42.2.27.8.5.1",
                ];
                let attributes = [
                    ("supportedControl".to_owned(), says(&controls)),
                    ("supportedExtension".to_owned(), says(&["1.3.6.1.4.1.4203.1.11.1"])),
                ];
                let bytes = ldap::entry("", &attributes);
                show(Shown::Entry(Entry::parse(&bytes).unwrap()));
                return Ok(code(0));
            }
        };
        let (mut size, mut cookie) = (None, &[][..]);
        for control in search.controls {
            match control {
                Control::Page { size: asked, cookie: from } => (size, cookie) = (Some(*asked), *from),
                Control::Refresh { cookie } => return Ok(self.fake.refresh(search, base, *cookie, show)),
                Control::Assert(_) | Control::ReadAfter(_) | Control::NoReferrals => {}
                Control::DirSync { .. } | Control::ShowDeleted => return Ok(code(12)),
            }
        }
        // There is one listing on a connection at a time; another one ends it.
        if !cookie.is_empty() && self.page.as_deref() != Some(cookie) {
            return Ok(code(2));
        }
        let store = self.fake.store();
        let from: u64 = String::from_utf8_lossy(cookie).parse().unwrap_or(0);
        let deep = |dn: &Dn| match search.depth {
            Depth::Base => dn == base,
            Depth::One => dn.parent().as_ref() == Some(base),
            Depth::Subtree => dn.within(base),
        };
        let found: Vec<(u64, &Held)> = store
            .entries
            .range(from..)
            .filter(|(_, held)| deep(&held.dn) && held.matches(search.filter))
            .map(|(number, held)| (*number, held))
            .collect();
        let most = size.map_or(usize::MAX, |size| usize::try_from(size).unwrap());
        let shown = if store.hides { most.min(2) } else { most };
        for (_, held) in found.iter().take(shown) {
            let bytes = held.bytes(search.attributes);
            show(Shown::Entry(Entry::parse(&bytes).unwrap()));
        }
        if store.hides && (from > 0 || found.len() > shown) {
            return Ok(code(4));
        }
        let next_page = found.get(most).map(|(number, _)| number.to_string().into_bytes());
        drop(store);
        self.page.clone_from(&next_page);
        Ok(Answered { next_page, ..Answered::default() })
    }

    async fn set_password(
        &mut self,
        target: &Dn,
        secret: &[u8],
        _: PasswordForm,
    ) -> Result<Answered, TransportError> {
        let edit = Edit::Replace("userPassword", vec![secret.to_vec()]);
        Ok(code(self.fake.store().modify(target, &[edit])))
    }

    async fn write(&mut self, write: &Write<'_>) -> Result<Answered, TransportError> {
        let mut store = self.fake.store();
        for control in write.controls {
            if let Control::Assert(filter) = control {
                match store.find(write.target).map(|held| held.matches(filter)) {
                    Some(true) => {}
                    Some(false) => return Ok(code(122)),
                    None => return Ok(code(32)),
                }
            }
        }
        let mut dn = write.target.clone();
        let answered = match &write.change {
            Change::Add(attributes) => {
                let owned = attributes.iter().map(|(name, values)| ((*name).to_owned(), values.clone()));
                store.add(&dn, owned.collect())
            }
            Change::Modify(edits) => store.modify(&dn, edits),
            Change::Remove => store.remove(&dn),
            Change::Rename(rdn) => {
                let new = dn.parent().unwrap().child((*rdn).clone());
                if new != dn && store.find(&new).is_some() {
                    return Ok(code(68));
                }
                store.changes += 1;
                let changes = store.changes;
                let Some(held) = store.find(&dn) else { return Ok(code(32)) };
                for (kind, value) in rdn.attributes() {
                    *held.values_mut(kind) = vec![value.as_bytes().to_vec()];
                }
                held.dn = new.clone();
                held.version = changes;
                store.replace_member(&dn, Some(&new));
                dn = new;
                0
            }
        };
        let shown = write.controls.iter().find_map(|control| match control {
            Control::ReadAfter(names) => Some(*names),
            _ => None,
        });
        let after = shown.and_then(|names| store.find(&dn).map(|held| held.bytes(names)));
        Ok(Answered { after: after.filter(|_| answered == 0), ..code(answered) })
    }
}

#[async_trait]
impl Tree for Fake {
    fn name(&self) -> String {
        format!("fake, {:?}", self.setup)
    }

    fn endpoint(&self) -> String {
        "ldaps://directory.test".to_owned()
    }

    fn wire(&self) -> Arc<dyn Directory> {
        Arc::new(self.clone())
    }

    async fn fill(&self, entries: &[Raw]) {
        let mut store = self.store();
        store.entries.retain(|number, _| *number <= 2);
        for raw in entries {
            store.add(&raw.dn, raw.attributes.clone());
        }
    }

    async fn ids(&self, names: &[Dn]) -> Vec<String> {
        let mut store = self.store();
        names.iter().map(|name| uuid(store.find(name).unwrap().id)).collect()
    }

    async fn truth(&self) -> String {
        let store = self.store();
        let shown = store.entries.values().map(|held| {
            let all = held.all().into_iter().map(|(name, values)| {
                let values = values.iter().map(|value| String::from_utf8_lossy(value).into_owned());
                format!("{name}={:?}", values.collect::<Vec<_>>())
            });
            format!("{} {}", held.dn, all.collect::<Vec<_>>().join(" "))
        });
        shown.collect::<Vec<_>>().join("\n")
    }

    async fn entries(&self) -> Vec<Raw> {
        let store = self.store();
        store.entries.values().map(|held| Raw { dn: held.dn.clone(), attributes: held.all() }).collect()
    }

    async fn hide(&self, hides: bool) {
        self.store().hides = hides;
    }
}
