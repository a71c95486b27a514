//! A directory under test: what is put into it, what it is asked through, and the subject of the contract kit.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use bailiwick_connector::{
    Broker, Connector, Line,
    broker::{
        LineSettings, TransportError, TransportErrorKind,
        ldap::{Address, Answered, Connection, Directory, PasswordForm, Search, Show, Shown, Write},
    },
    seal::{Credential, CredentialScheme, SealContext, SealKey, Secret},
    testkit::{Fixtures, Hands, Ids, Seeded, Subject, TrueAccount},
};
use bailiwick_connectors::ldap::Ldap;
use bailiwick_core::{
    access::AccessClass,
    account::AccountAttributes,
    dn::{Dn, Rdn},
    id::Tenant,
    integration::{Integration, Purpose},
};
use serde_json::{Value, json};

pub const BASE: &str = "dc=acme,dc=example";
pub const HUB: &str = "cn=hub,dc=acme,dc=example";
pub const SECRET: &str = "the-password-of-the-hub";

/// An entry to put into a directory.
#[derive(Debug, Clone)]
pub struct Raw {
    pub dn: Dn,
    pub attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Raw {
    /// An entry named by its first attribute, below `above`.
    pub fn new(above: &str, attributes: &[(&str, &[&str])]) -> Self {
        let above: Dn = above.parse().unwrap();
        let dn = above.child(Rdn::new(attributes[0].0, attributes[0].1[0]).unwrap());
        let value = |value: &&str| value.as_bytes().to_vec();
        let attributes = attributes
            .iter()
            .map(|(name, all)| ((*name).to_owned(), all.iter().map(value).collect()))
            .collect();
        Self { dn, attributes }
    }

    /// The values of an attribute.
    fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let found = self.attributes.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        found.flat_map(|(_, values)| values).map(Vec::as_slice)
    }

    fn texts(&self, name: &str) -> Vec<String> {
        self.values(name).map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
    }

    pub fn with(mut self, name: &str, value: &[u8]) -> Self {
        self.attributes.push((name.to_owned(), vec![value.to_vec()]));
        self
    }
}

/// A directory that can be filled and looked into past the connector.
#[async_trait]
pub trait Tree: Send + Sync {
    /// Its name.
    fn name(&self) -> String;
    /// Where it is.
    fn endpoint(&self) -> String;
    /// How it is reached.
    fn wire(&self) -> Arc<dyn Directory>;
    /// Replaces everything below the three places of accounts, groups and people.
    async fn fill(&self, entries: &[Raw]);
    /// The ids of entries, in their order.
    async fn ids(&self, names: &[Dn]) -> Vec<String>;
    /// Everything that is in it.
    async fn truth(&self) -> String;
    /// The same, entry by entry, with the attributes that the directory keeps by itself.
    async fn entries(&self) -> Vec<Raw>;
    /// Shows the hub no more than two entries of a search.
    async fn hide(&self, hides: bool);
}

/// Carries everything over another wire, counts, and loses the answer to a write when asked to.
pub struct Watched {
    inner: Arc<dyn Directory>,
    pub seen: Arc<Seen>,
}

/// What went over a watched wire.
#[derive(Default)]
pub struct Seen {
    lose: AtomicBool,
    /// Shows no more than two entries of a search, as a server does that has a limit.
    pub hides: AtomicBool,
    pub writes: AtomicU64,
    pub entries: AtomicU64,
    pub bytes: AtomicU64,
    pub connections: AtomicU64,
    /// How often somebody signed in.
    pub binds: AtomicU64,
    /// The attributes that the widest search asked for.
    pub attributes: Mutex<Vec<String>>,
}

impl Watched {
    pub fn new(inner: Arc<dyn Directory>) -> Self {
        Self { inner, seen: Arc::default() }
    }
}

impl Seen {
    fn note(&self, attributes: &[&str]) {
        let mut widest = self.attributes.lock().unwrap();
        if attributes.len() > widest.len() {
            *widest = attributes.iter().map(|name| (*name).to_owned()).collect();
        }
    }

    /// Loses the answer to the next write.
    pub fn lose_next(&self) {
        self.lose.store(true, Ordering::SeqCst);
    }
}

struct WatchedConnection {
    inner: Box<dyn Connection>,
    seen: Arc<Seen>,
}

#[async_trait]
impl Directory for Watched {
    async fn open(&self, address: &Address) -> Result<Box<dyn Connection>, TransportError> {
        let inner = self.inner.open(address).await?;
        self.seen.connections.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(WatchedConnection { inner, seen: self.seen.clone() }))
    }
}

#[async_trait]
impl Connection for WatchedConnection {
    fn usable(&mut self) -> bool {
        self.inner.usable()
    }

    async fn bind(&mut self, name: &str, secret: &[u8]) -> Result<Answered, TransportError> {
        self.seen.binds.fetch_add(1, Ordering::SeqCst);
        self.inner.bind(name, secret).await
    }

    async fn search(&mut self, search: &Search<'_>, show: Show<'_>) -> Result<Answered, TransportError> {
        self.seen.note(search.attributes);
        let entries = &self.seen.entries;
        let hides = self.seen.hides.load(Ordering::SeqCst);
        let (mut came, mut hidden) = (0, false);
        let mut counted = |shown: Shown<'_>| {
            if matches!(shown, Shown::Entry(_)) {
                entries.fetch_add(1, Ordering::SeqCst);
                came += 1;
                hidden |= hides && came > 2;
            }
            if !hidden {
                show(shown);
            }
        };
        let mut answered = self.inner.search(search, &mut counted).await?;
        if hidden || (hides && answered.next_page.is_some()) {
            answered = Answered { code: 4, next_page: None, ..answered };
        }
        self.seen.bytes.fetch_add(answered.received, Ordering::SeqCst);
        Ok(answered)
    }

    async fn set_password(
        &mut self,
        target: &Dn,
        secret: &[u8],
        form: PasswordForm,
    ) -> Result<Answered, TransportError> {
        self.seen.writes.fetch_add(1, Ordering::SeqCst);
        self.inner.set_password(target, secret, form).await
    }

    async fn write(&mut self, write: &Write<'_>) -> Result<Answered, TransportError> {
        let answered = self.inner.write(write).await;
        self.seen.writes.fetch_add(1, Ordering::SeqCst);
        if self.seen.lose.swap(false, Ordering::SeqCst) {
            let cause = "the answer was lost on purpose".into();
            return Err(TransportError { kind: TransportErrorKind::Timeout, sent: true, cause });
        }
        answered
    }
}

/// Everything that the connector does, and nothing else.
pub const SCOPE: [&str; 19] = [
    "list SEARCH cn=log",
    "discover SEARCH rootDSE",
    "discover SEARCH ou=policies,dc=acme,dc=example",
    "list SEARCH ou=people,dc=acme,dc=example",
    "list SEARCH ou=groups,dc=acme,dc=example",
    "list SEARCH ou=staff,dc=acme,dc=example",
    "get SEARCH ou=people,dc=acme,dc=example",
    "get SEARCH ou=groups,dc=acme,dc=example",
    "get SEARCH ou=staff,dc=acme,dc=example",
    "create ADD ou=people,dc=acme,dc=example",
    "update MODIFY ou=people,dc=acme,dc=example",
    "update RENAME ou=people,dc=acme,dc=example",
    "delete REMOVE ou=people,dc=acme,dc=example",
    "grant MODIFY ou=groups,dc=acme,dc=example",
    "revoke MODIFY ou=groups,dc=acme,dc=example",
    "issue MODIFY ou=people,dc=acme,dc=example",
    "try BIND ou=people,dc=acme,dc=example",
    "list SEARCH ou=nowhere,dc=acme,dc=example",
    "get SEARCH ou=nowhere,dc=acme,dc=example",
];

/// A line to a directory that shows this password.
pub fn line(
    wire: Arc<dyn Directory>,
    endpoint: &str,
    settings: &Value,
    (user, password): (&str, &str),
    purpose: Purpose,
) -> Line {
    line_with(wire, endpoint, settings, (user, password), &SCOPE.map(str::to_owned), purpose)
}

/// A line to a directory, with this scope.
pub fn line_with(
    wire: Arc<dyn Directory>,
    endpoint: &str,
    settings: &Value,
    (user, password): (&str, &str),
    rules: &[String],
    purpose: Purpose,
) -> Line {
    let integration: Integration = serde_json::from_value(json!({
        "name": "dir", "purpose": "test", "owner": "hr/1", "backup": "hr/2", "connector": "ldap",
        "endpoint": endpoint, "role": "target", "system": "dir", "settings": settings,
        "scope": {"rules": rules}, "standing": {"state": "enabled"},
    }))
    .unwrap();
    let chance = Seeded::new(1);
    let key = Arc::new(SealKey::generate(&chance));
    let tenant = Tenant::single();
    let context = SealContext::of(&tenant, &integration, purpose).unwrap();
    let scheme = CredentialScheme::Basic { user: user.to_owned() };
    let sealed = key.seal(&context, &Credential { scheme, secret: Secret::new(password) }, &chance);
    let broker = Broker::new(tenant, Arc::new(NoWeb), Arc::new(Hands::default()), key).with_directory(wire);
    broker.line(&integration, purpose, Some(&sealed))
}

/// The web is not what is tested.
struct NoWeb;

#[async_trait]
impl bailiwick_connector::broker::Transport for NoWeb {
    async fn send(
        &self,
        _: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, TransportError> {
        unreachable!("a directory is not asked over HTTP")
    }
}

/// What stands in the settings of every connector here.
pub fn settings(policies: bool) -> Value {
    let mut settings = json!({
        "accounts": {"base": "ou=people,dc=acme,dc=example"},
        "groups": {"base": "ou=groups,dc=acme,dc=example", "placeholder": HUB},
        "people": {"base": "ou=staff,dc=acme,dc=example"},
    });
    if policies {
        settings["policies"] = json!({"base": "ou=policies,dc=acme,dc=example", "default": "cn=default,ou=policies,dc=acme,dc=example"});
    }
    settings
}

/// A connector, the directory that it speaks to, and the wire between them.
pub struct Bench<T> {
    pub tree: T,
    pub settings: Value,
    pub seen: Arc<Seen>,
    wire: Arc<Watched>,
    connector: Arc<Ldap>,
    line: Line,
    reader: Line,
    /// Whether the default policy of passwords locks.
    locks: bool,
    /// How a fixture that is not live is kept out.
    blocked: (&'static str, &'static str),
    unique: bool,
}

impl<T: Tree> Bench<T> {
    pub fn new(tree: T, settings: &Value, locks: bool) -> Self {
        let wire = Arc::new(Watched::new(tree.wire()));
        let of = |purpose| line(wire.clone(), &tree.endpoint(), settings, (HUB, SECRET), purpose);
        let blocked = match locks {
            true => ("pwdAccountLockedTime", "000001010000Z"),
            false => ("userPassword", "{CRYPT}!"),
        };
        Self {
            connector: Arc::new(Ldap::new(&connector_settings(settings)).unwrap()),
            line: of(Purpose::Write),
            reader: of(Purpose::Verify),
            unique: settings["groups"]["member"] == "uniqueMember",
            settings: settings.clone(),
            seen: wire.seen.clone(),
            locks,
            blocked,
            wire,
            tree,
        }
    }

    pub fn ldap(&self) -> &Ldap {
        &self.connector
    }

    /// A line with another name and password.
    pub fn line_as(&self, user: &str, password: &str) -> Line {
        let (wire, endpoint) = (self.wire.clone(), self.tree.endpoint());
        line(wire, &endpoint, &self.settings, (user, password), Purpose::Write)
    }
}

/// The settings that are not the broker's.
fn connector_settings(settings: &Value) -> Value {
    LineSettings::split(settings).unwrap().1
}

/// The policy that the settings name, for a server that has none in force.
pub fn not_in_force() -> Raw {
    Raw::new(
        "ou=policies,dc=acme,dc=example",
        &[
            ("cn", &["default"]),
            ("objectClass", &["pwdPolicy", "device"]),
            ("pwdAttribute", &["userPassword"]),
            ("pwdLockout", &["TRUE"]),
        ],
    )
}

/// An account below `ou=people`.
pub fn account(name: &str) -> Raw {
    let sn: &[&str] = &[name];
    Raw::new(
        "ou=people,dc=acme,dc=example",
        &[("uid", sn), ("objectClass", &["inetOrgPerson"]), ("cn", sn), ("sn", sn)],
    )
}

/// A group below `ou=groups`, of these entries.
pub fn group(name: &str, members: &[&Dn]) -> Raw {
    let members: Vec<String> = members.iter().map(ToString::to_string).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    Raw::new(
        "ou=groups,dc=acme,dc=example",
        &[("cn", &[name]), ("objectClass", &["groupOfNames"]), ("member", &members)],
    )
}

#[async_trait]
impl<T: Tree> Subject for Bench<T> {
    fn name(&self) -> String {
        format!("ldap × {}", self.tree.name())
    }

    fn connector(&self) -> Arc<dyn Connector> {
        self.connector.clone()
    }

    fn line(&self) -> Line {
        self.line.clone()
    }

    fn reader(&self) -> Line {
        self.reader.clone()
    }

    async fn seed(&self, fixtures: &Fixtures) -> Ids {
        self.tree.hide(false).await;
        let blocked = self.blocked;
        let accounts: Vec<Raw> = fixtures
            .accounts
            .iter()
            .map(|fixture| {
                let mut raw = account(&fixture.name);
                if let Some(marker) = &fixture.marker {
                    raw = raw.with("employeeNumber", marker.as_bytes());
                }
                if fixture.live { raw } else { raw.with(blocked.0, blocked.1.as_bytes()) }
            })
            .collect();
        let mut groups: Vec<Raw> = Vec::new();
        for fixture in &fixtures.groups {
            let mut members: Vec<&Dn> = fixture.members.iter().map(|at| &accounts[*at].dn).collect();
            // The first account is in the first group; by that one it is in the empty one.
            if members.is_empty() {
                members.push(&groups[0].dn);
            }
            let mut made = group(&fixture.name, &members);
            if self.unique {
                made.attributes[1].1 = vec![b"groupOfUniqueNames".to_vec()];
                made.attributes[2].0 = "uniqueMember".to_owned();
            }
            groups.push(made);
        }
        let people: Vec<Raw> = fixtures
            .people
            .iter()
            .enumerate()
            .map(|(number, fixture)| {
                let uid = format!("p{number}");
                Raw::new(
                    "ou=staff,dc=acme,dc=example",
                    &[
                        ("uid", &[&uid]),
                        ("objectClass", &["inetOrgPerson"]),
                        ("cn", &[&fixture.name]),
                        ("sn", &[&uid]),
                        ("employeeNumber", &[&fixture.key]),
                    ],
                )
            })
            .collect();
        let all: Vec<Raw> = [&accounts[..], &groups, &people].concat();
        self.tree.fill(&all).await;
        let ids = async |entries: &[Raw]| {
            let names: Vec<Dn> = entries.iter().map(|raw| raw.dn.clone()).collect();
            self.tree.ids(&names).await
        };
        Ids {
            people: fixtures.people.iter().map(|person| person.key.clone()).collect(),
            accounts: ids(&accounts).await,
            groups: ids(&groups).await,
        }
    }

    async fn truth(&self) -> String {
        self.tree.truth().await
    }

    async fn account(&self, id: &str) -> Option<TrueAccount> {
        let all = self.tree.entries().await;
        let entry = all.iter().find(|entry| entry.texts("entryUUID") == [id])?;
        let member = if self.unique { "uniqueMember" } else { "member" };
        let is = |name: &String| name.parse::<Dn>().unwrap() == entry.dn;
        let groups = all.iter().filter(|group| group.texts(member).iter().any(is));
        // A lock counts only where the policy says so, and no password fits what follows the `!`.
        let locked = self.locks && entry.values("pwdAccountLockedTime").next().is_some();
        let barred = entry.values("userPassword").any(|password| password.starts_with(b"{CRYPT}!"));
        let attributes = [
            ("userName", "uid"),
            ("title", "title"),
            ("givenName", "givenName"),
            ("department", "departmentNumber"),
            ("email", "mail"),
        ];
        Some(TrueAccount {
            name: entry.texts("uid").concat(),
            marker: entry.texts("employeeNumber").pop(),
            usable: !locked && !barred,
            attributes: attributes.map(|(ours, its)| (ours.to_owned(), entry.texts(its))).into(),
            held: [(AccessClass::DirectGroups, groups.flat_map(|group| group.texts("entryUUID")).collect())]
                .into(),
        })
    }

    fn attributes(&self, name: &str) -> AccountAttributes {
        [("userName".to_owned(), name.into()), ("email".to_owned(), "kit@acme.example".into())].into()
    }

    fn change(&self, n: u32) -> AccountAttributes {
        let value = |what: &str| format!("{what} {n} Ä\"*)(").as_str().into();
        [
            ("title".to_owned(), value("title")),
            ("givenName".to_owned(), value("given")),
            ("department".to_owned(), value("department")),
            ("email".to_owned(), format!("kit{n}@acme.example").as_str().into()),
        ]
        .into()
    }

    fn grantable(&self, class: AccessClass, ids: &Ids) -> Option<String> {
        (class == AccessClass::DirectGroups).then(|| ids.groups[0].clone())
    }

    fn lose_next_answer(&self) -> bool {
        self.seen.lose_next();
        true
    }

    fn hide_part(&self) -> bool {
        // The kit asks from within its runtime; what is hidden is hidden before it goes on.
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(self.tree.hide(true)));
        true
    }

    fn writes(&self) -> Option<u64> {
        Some(self.seen.writes.load(Ordering::SeqCst))
    }

    fn secret(&self) -> Option<String> {
        Some(SECRET.to_owned())
    }
}
