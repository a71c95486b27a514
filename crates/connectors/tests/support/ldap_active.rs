//! A domain of Active Directory as a subject of the contract kit.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use async_trait::async_trait;
use bailiwick_connector::{
    Connector, Line,
    broker::ldap::{Directory, Sockets},
    testkit::{Fixtures, Ids, Subject, TrueAccount},
};
use bailiwick_connectors::ldap::Ldap;
use bailiwick_core::{
    access::AccessClass,
    account::AccountAttributes,
    dn::{Dn, Rdn},
    integration::Purpose,
};
use serde_json::{Value, json};

use super::{
    ldap_bench::{Seen, Watched, line_with},
    samba::{self, Entry, Samba},
};

/// What the connector does in a domain.
const SCOPE: [&str; 16] = [
    "discover SEARCH rootDSE",
    "list SEARCH DC=acme,DC=test",
    "get SEARCH DC=acme,DC=test",
    "create ADD OU=people,DC=acme,DC=test",
    "update MODIFY OU=people,DC=acme,DC=test",
    "update RENAME OU=people,DC=acme,DC=test",
    "delete REMOVE OU=people,DC=acme,DC=test",
    "grant MODIFY OU=groups,DC=acme,DC=test",
    "revoke MODIFY OU=groups,DC=acme,DC=test",
    "grant MODIFY CN=Builtin,DC=acme,DC=test",
    "revoke MODIFY CN=Builtin,DC=acme,DC=test",
    "grant MODIFY CN=Users,DC=acme,DC=test",
    "revoke MODIFY CN=Users,DC=acme,DC=test",
    "issue MODIFY OU=people,DC=acme,DC=test",
    "try BIND OU=people,DC=acme,DC=test",
    "try BIND CN=Users,DC=acme,DC=test",
];

/// A connector, and the domain that it speaks to.
pub struct Active {
    pub samba: Samba,
    pub seen: Arc<Seen>,
    wire: Arc<Watched>,
    connector: Arc<Ldap>,
    line: Line,
    reader: Line,
}

pub fn settings() -> Value {
    json!({
        "accounts": {"base": "OU=people,DC=acme,DC=test"},
        "groups": {"base": "OU=groups,DC=acme,DC=test"},
        "people": {"base": "OU=staff,DC=acme,DC=test"},
    })
}

impl Active {
    /// A fresh domain, and a connector with these settings.
    pub async fn start(settings: &Value) -> Self {
        Self::on(Samba::start().await, settings).await
    }

    /// A connector with these settings, and the controller of a fresh domain.
    pub async fn on(samba: Samba, settings: &Value) -> Self {
        let units = ["people", "groups", "staff"].map(|name| {
            let dn = samba::line("dn", format!("OU={name},DC=acme,DC=test").as_bytes());
            dn + "changetype: add\nobjectClass: organizationalUnit\n"
        });
        samba.change(&units.join("\n")).await;
        let wire = Arc::new(Watched::new(Arc::new(Sockets::default())));
        let (line, reader) = (
            line_to(&samba, wire.clone(), samba.admin(), Purpose::Write),
            line_to(&samba, wire.clone(), samba.admin(), Purpose::Verify),
        );
        let (seen, connector) = (wire.seen.clone(), Arc::new(Ldap::new(settings).unwrap()));
        Self { samba, seen, wire, connector, line, reader }
    }

    /// A line of somebody else, to read.
    pub fn line_as(&self, who: (&str, &str)) -> Line {
        line_to(&self.samba, self.wire.clone(), who, Purpose::Verify)
    }

    /// A line of this account that is made in another way.
    pub fn line_by(&self, endpoint: &str, broker: &Value, who: (&str, &str)) -> Line {
        line_with(self.wire.clone(), endpoint, broker, who, &SCOPE.map(str::to_owned), Purpose::Write)
    }

    pub fn ldap(&self) -> &Ldap {
        &self.connector
    }

    /// Everything below the places of accounts, groups and people.
    async fn placed(&self) -> Vec<Entry> {
        let mut all = self.samba.entries("(|(objectClass=user)(objectClass=group))").await;
        all.retain(|entry| {
            ["people", "groups", "staff"].iter().any(|unit| {
                entry["dn"][0].parse::<Dn>().is_ok_and(|dn| dn.within(&place(unit)) && dn != place(unit))
            })
        });
        all
    }
}

fn line_to(samba: &Samba, wire: Arc<dyn Directory>, who: (&str, &str), purpose: Purpose) -> Line {
    let broker = json!({"ca_file": samba.ca_file().to_str().unwrap()});
    line_with(wire, &samba.endpoint(), &broker, who, &SCOPE.map(str::to_owned), purpose)
}

fn place(unit: &str) -> Dn {
    format!("OU={unit},DC=acme,DC=test").parse().unwrap()
}

/// An entry to add, as LDIF.
fn added(dn: &Dn, attributes: &[(&str, &str)]) -> String {
    let mut text = samba::line("dn", dn.to_string().as_bytes()) + "changetype: add\n";
    for (name, value) in attributes {
        text += &samba::line(name, value.as_bytes());
    }
    text + "\n"
}

#[async_trait]
impl Subject for Active {
    fn name(&self) -> String {
        "ldap × samba".to_owned()
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
        self.seen.hides.store(false, Ordering::SeqCst);
        let old: Vec<String> = self
            .placed()
            .await
            .iter()
            .map(|entry| samba::line("dn", entry["dn"][0].as_bytes()) + "changetype: delete\n")
            .collect();
        if !old.is_empty() {
            self.samba.change(&old.join("\n")).await;
        }
        let mut text = String::new();
        let named = |unit: &str, name: &str| place(unit).child(Rdn::new("CN", name).unwrap());
        for fixture in &fixtures.accounts {
            let control = if fixture.live { "544" } else { "546" };
            let mut attributes = vec![
                ("objectClass", "user"),
                ("userPrincipalName", &fixture.name[..]),
                ("userAccountControl", control),
            ];
            attributes.extend(fixture.marker.as_deref().map(|marker| ("employeeNumber", marker)));
            text += &added(&named("people", &fixture.name), &attributes);
        }
        for fixture in &fixtures.groups {
            let mut members: Vec<String> = fixture
                .members
                .iter()
                .map(|at| named("people", &fixtures.accounts[*at].name).to_string())
                .collect();
            // The first account is in the first group; by that one it is in the empty one.
            if members.is_empty() {
                members.push(named("groups", &fixtures.groups[0].name).to_string());
            }
            let mut attributes = vec![("objectClass", "group"), ("sAMAccountName", &fixture.name[..])];
            attributes.extend(members.iter().map(|member| ("member", &member[..])));
            text += &added(&named("groups", &fixture.name), &attributes);
        }
        for (number, fixture) in fixtures.people.iter().enumerate() {
            // A name here is of one line; the attribute shown as the name is not the first step.
            let (cn, sam) = (format!("person {number}"), format!("person{number}"));
            let attributes = [
                ("objectClass", "user"),
                ("sAMAccountName", &sam[..]),
                ("displayName", &fixture.name),
                ("employeeNumber", &fixture.key),
            ];
            text += &added(&named("staff", &cn), &attributes);
        }
        self.samba.change(&text).await;
        let all = self.placed().await;
        let ids: BTreeMap<Dn, String> = all
            .iter()
            .map(|entry| (entry["dn"][0].parse().unwrap(), entry["objectGUID"][0].clone()))
            .collect();
        let id = |unit: &str, name: &str| ids[&named(unit, name)].clone();
        Ids {
            people: fixtures.people.iter().map(|person| person.key.clone()).collect(),
            accounts: fixtures.accounts.iter().map(|account| id("people", &account.name)).collect(),
            groups: fixtures.groups.iter().map(|group| id("groups", &group.name)).collect(),
        }
    }

    async fn truth(&self) -> String {
        // Signing in leaves traces of its own.
        const TRACES: [&str; 6] =
            ["lastLogon", "lastLogonTimestamp", "logonCount", "badPwdCount", "badPasswordTime", "lastLogoff"];
        let mut all: Vec<String> = Vec::new();
        for mut entry in self.placed().await {
            TRACES.iter().for_each(|trace| drop(entry.remove(*trace)));
            all.push(format!("{entry:?}"));
        }
        all.sort();
        all.join("\n")
    }

    async fn account(&self, id: &str) -> Option<TrueAccount> {
        let all = self.placed().await;
        let entry = all.iter().find(|entry| entry["objectGUID"] == [id])?;
        let values = |entry: &Entry, name: &str| entry.get(name).cloned().unwrap_or_default();
        let named = |entry: &Entry| entry["dn"][0].parse::<Dn>().unwrap();
        let is = |member: &String| member.parse::<Dn>().unwrap() == named(entry);
        let groups = all.iter().filter(|group| values(group, "member").iter().any(is));
        // ACCOUNTDISABLE (MS-ADTS §2.2.16).
        let control: u32 = entry["userAccountControl"][0].parse().unwrap();
        let attributes = [
            ("userName", "userPrincipalName"),
            ("title", "title"),
            ("givenName", "givenName"),
            ("department", "department"),
            ("email", "mail"),
        ];
        Some(TrueAccount {
            name: values(entry, "userPrincipalName").concat(),
            marker: values(entry, "employeeNumber").pop(),
            usable: control & 2 == 0,
            attributes: attributes.map(|(ours, its)| (ours.to_owned(), values(entry, its))).into(),
            held: [(AccessClass::DirectGroups, groups.map(|group| group["objectGUID"][0].clone()).collect())]
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
        self.seen.hides.store(true, Ordering::SeqCst);
        true
    }

    fn writes(&self) -> Option<u64> {
        Some(self.seen.writes.load(Ordering::SeqCst))
    }

    fn secret(&self) -> Option<String> {
        Some(self.samba.admin().1.to_owned())
    }
}
