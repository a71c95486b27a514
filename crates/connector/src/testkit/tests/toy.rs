//! The connector of a small system; bugs can be planted in it.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use bailiwick_core::{
    access::AccessClass::{self, DirectGroups},
    account::AccountValue,
    audit,
    id::{IntegrationName, SystemName, Tenant},
    integration::{Integration, Purpose, Role, Standing},
    plan::Op,
    scope::{Operation, Scope},
    time::Timestamp,
};
use serde_json::{Value, json};

use super::{
    super::*,
    bugs::Bug,
    system::{Memory, Store, System},
};
use crate::{
    AccountWrite, Answer, Applied, Broker, Call, Capability, Effect, Entry, ErrorKind, Hear, Issued, Locator,
    News, ObjectState, ObjectValue, Outcome, Page, Read, Result, Since, Start, Visit,
    broker::Transport,
    seal::{Credential, SealContext, SealKey, Secret},
};

const SECRET: &str = "toy-s3cret";

struct Connected {
    capability: Capability,
    bug: Option<Bug>,
    /// What each key was first given for, over all seeds.
    keys: Mutex<BTreeMap<String, String>>,
}

impl Connected {
    async fn send(&self, line: &Line, call: Call) -> Result<Answer> {
        let writes = !call.operation.reads();
        let mut sent = line.send(call.clone()).await;
        if writes && sent.is_err() && self.bug == Some(Bug::TriesAgain) {
            sent = line.send(call).await;
        }
        let answer = sent.map_err(|mut error| {
            if self.bug == Some(Bug::LostIsNone) {
                error.effect = Effect::None;
            }
            error
        })?;
        let kind = match answer.status {
            200..300 => return Ok(answer),
            404 => ErrorKind::NotFound,
            409 => ErrorKind::AlreadyExists,
            412 => ErrorKind::Stale,
            _ => ErrorKind::Invalid,
        };
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        let message =
            if self.bug == Some(Bug::Echoes) { said } else { format!("answered with {}", answer.status) };
        Err(ConnectorError::none(kind, message))
    }

    async fn all(&self, line: &Line) -> Result<Vec<Object<'static>>> {
        let call = Call::new(Operation::List, "GET", "/users").query("from", "0").query("count", "1000");
        let page = json(&self.send(line, call).await?);
        Ok(page["items"].as_array().unwrap().iter().map(|u| self.user(u)).collect())
    }

    fn user(&self, user: &Value) -> Object<'static> {
        let text = |name: &str| user[name].as_str().map(|t| t.to_owned().into());
        let lower =
            |name: String| if self.bug == Some(Bug::LowersNames) { name.to_lowercase() } else { name };
        let dept =
            user["dept"].as_str().map_or(ObjectValue::Null, |d| ObjectValue::Text(d.to_owned().into()));
        Object {
            id: text("id").unwrap_or_default(),
            name: lower(user["name"].as_str().unwrap_or_default().to_owned()).into(),
            marker: text("marker"),
            state: if user["active"] == json!(false) { ObjectState::Blocked } else { ObjectState::Live },
            version: Some(user["version"].to_string().into()),
            attributes: vec![
                ("name".into(), ObjectValue::Text(text("name").unwrap_or_default())),
                ("dept".into(), dept),
            ],
            ..Object::default()
        }
    }

    async fn groups(&self, line: &Line) -> Result<Vec<Object<'static>>> {
        let call = Call::new(Operation::List, "GET", "/groups").query("from", "0").query("count", "1000");
        Ok(json(&self.send(line, call).await?)["items"].as_array().unwrap().iter().map(group).collect())
    }

    async fn held(&self, line: &Line, account: &str) -> Result<Vec<Object<'static>>> {
        Ok(self.groups(line).await?.into_iter().filter(|g| g.links.iter().any(|m| m == account)).collect())
    }

    fn body(&self, marker: Option<&str>, attributes: &AccountAttributes) -> Result<Value> {
        let mut body = json!({});
        if let Some(marker) = marker {
            body["marker"] = json!(marker);
        }
        for (name, value) in attributes {
            if !["name", "dept"].contains(&name.as_str()) {
                if self.bug == Some(Bug::DropsUnknown) {
                    continue;
                }
                return Err(ConnectorError::none(
                    ErrorKind::Invalid,
                    format!("there is no attribute `{name}`"),
                ));
            }
            let AccountValue::Text(text) = value else { continue };
            body[name] = json!(text);
        }
        Ok(body)
    }

    async fn create(&self, line: &Line, marker: &str, attributes: &AccountAttributes) -> Result<Applied> {
        let body = self.body(Some(marker), attributes)?;
        let there = self.all(line).await?;
        let adopted = there.iter().find(|u| {
            u.marker.as_deref() == Some(marker)
                || (self.bug == Some(Bug::AdoptsTaken) && body["name"] == json!(u.name))
        });
        if let (Some(user), true) = (adopted, self.bug != Some(Bug::CreatesTwice)) {
            return Ok(applied(Outcome::AlreadySo, Some(user.id.to_string())));
        }
        let call = Call::new(Operation::Create, "POST", "/users").body(body.to_string());
        let user = json(&self.send(line, call).await?);
        Ok(applied(Outcome::Done, user["id"].as_str().map(Into::into)))
    }
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn group(group: &Value) -> Object<'static> {
    let members = group["members"].as_array().unwrap();
    Object {
        id: group["id"].as_str().unwrap().to_owned().into(),
        name: group["name"].as_str().unwrap().to_owned().into(),
        links: members.iter().map(|m| m.to_string().into()).collect(),
        ..Object::default()
    }
}

fn applied(outcome: Outcome, external_id: Option<String>) -> Applied {
    Applied { outcome, external_id, version: None, answer: bailiwick_core::digest::Digest::of(b"") }
}

fn unsupported() -> ConnectorError {
    ConnectorError::none(ErrorKind::Unsupported, "cannot")
}

#[async_trait]
impl Connector for Connected {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn check(&self, line: &Line) -> Result<()> {
        if self.bug == Some(Bug::CheckWrites) {
            self.create(line, "probe", &[("name".to_owned(), AccountValue::Text("probe".into()))].into())
                .await?;
        }
        self.all(line).await.map(drop)
    }

    async fn list(
        &self,
        line: &Line,
        listing: Listing<'_>,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let path = match listing {
            Listing::Accounts => "/users",
            Listing::Groups => "/groups",
            Listing::Held { account, class: DirectGroups } => {
                self.held(line, account).await?.into_iter().for_each(visit);
                return Ok(Page { next: None, complete: true });
            }
            Listing::People | Listing::Held { .. } => return Err(unsupported()),
        };
        let from: u32 = cursor.map_or(0, |c| c.parse().unwrap());
        let call = Call::new(Operation::List, "GET", path)
            .query("from", from.to_string())
            .query("count", size.to_string());
        let page = json(&self.send(line, call).await?);
        for item in page["items"].as_array().unwrap() {
            visit(if path == "/users" { self.user(item) } else { group(item) });
        }
        let skipped = u32::from(self.bug == Some(Bug::SkipsAtPageEnds));
        let next = (page["end"] != json!(true)).then(|| (from + size + skipped).to_string());
        Ok(Page { next, complete: page["all"] == json!(true) || self.bug == Some(Bug::ClaimsAll) })
    }

    /// The token is everything that was shown.
    async fn changes(
        &self,
        line: &Line,
        listing: Listing<'_>,
        since: Option<&str>,
        hear: Hear<'_>,
    ) -> Result<Since> {
        let all = match listing {
            Listing::Accounts => self.all(line).await?,
            Listing::Groups => self.groups(line).await?,
            Listing::People | Listing::Held { .. } => return Err(unsupported()),
        };
        let mut before: BTreeMap<String, String> =
            since.map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default();
        let next: BTreeMap<String, String> =
            all.iter().map(|o| (o.id.to_string(), format!("{o:?}"))).collect();
        for object in all {
            let same = before.remove(object.id.as_ref()) == Some(format!("{object:?}"));
            hear(if same { News::Same(object.id) } else { News::Shown(object) });
        }
        if self.bug != Some(Bug::ForgetsTheGone) {
            before.into_keys().for_each(|id| hear(News::Gone(id.into())));
        }
        Ok(Since { next: serde_json::to_string(&next).unwrap(), rest_is_gone: false, complete: true })
    }

    async fn audit(&self, line: &Line, from: Start<'_>, size: u32, read: Read<'_>) -> Result<()> {
        let after = match from {
            Start::Mark(mark) => mark.parse::<usize>().unwrap() + 1,
            Start::Instant(_) => 0,
        };
        let call = Call::new(Operation::List, "GET", "/log")
            .query("from", after.to_string())
            .query("count", size.to_string());
        let entries = json(&self.send(line, call).await?);
        for (place, account) in entries.as_array().unwrap().iter().enumerate() {
            if self.bug != Some(Bug::LogsNothing) {
                read(audit::Entry {
                    mark: (after + place).to_string(),
                    at: Timestamp::UNIX_EPOCH,
                    actor: "toy".into(),
                    ours: true,
                    deed: "change".into(),
                    account: account.as_str().map(Into::into),
                    name: None,
                    group: None,
                    about: audit::About::Anything,
                });
            }
        }
        Ok(())
    }

    async fn get(&self, line: &Line, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        let found = match locator {
            Locator::Account(id) => self.all(line).await?.into_iter().find(|u| u.id == id),
            Locator::AccountNamed(name) => self.all(line).await?.into_iter().find(|u| u.name == name),
            Locator::AccountMarked(m) => {
                self.all(line).await?.into_iter().find(|u| u.marker.as_deref() == Some(m))
            }
            Locator::Group(id) => self.groups(line).await?.into_iter().find(|g| g.id == id),
            Locator::Person(_) => return Err(unsupported()),
        };
        Ok(found.map(|mut object| {
            if self.bug == Some(Bug::GetForgetsMarker) {
                object.marker = None;
            }
            object
        }))
    }

    async fn apply(
        &self,
        line: &Line,
        account: Option<&str>,
        op: &Op,
        precondition: Option<&str>,
        key: &str,
    ) -> Result<Applied> {
        let change = format!("{account:?} {op:?} {precondition:?}");
        let first = self.keys.lock().unwrap().entry(key.to_owned()).or_insert_with(|| change.clone()).clone();
        assert_eq!(first, change, "the kit gives the key `{key}` to two changes");
        let id = account.unwrap_or_default();
        let patch = |body: Value| {
            let call = Call::new(Operation::Update, "PATCH", format!("/users/{id}")).body(body.to_string());
            match precondition.filter(|_| self.bug != Some(Bug::IgnoresPrecondition)) {
                Some(version) => call.header("if-match", version),
                None => call,
            }
        };
        let member =
            |method, operation, group: &str| Call::new(operation, method, format!("/groups/{group}/{id}"));
        let so = if self.bug == Some(Bug::SaysDone) { Outcome::Done } else { Outcome::AlreadySo };
        let changed = |answer: Answer| {
            applied(if json(&answer)["changed"] == json!(true) { Outcome::Done } else { so }, None)
        };
        match op {
            Op::CreateAccount { marker, attributes } => self.create(line, marker, attributes).await,
            Op::SetAttributes { attributes } => {
                self.send(line, patch(self.body(None, attributes)?)).await?;
                Ok(applied(Outcome::Done, None))
            }
            Op::Enable | Op::Disable { way: 0 } => {
                let active = *op == Op::Enable || self.bug == Some(Bug::NoopDisable);
                self.send(line, patch(json!({"active": active}))).await?;
                Ok(applied(Outcome::Done, None))
            }
            Op::Delete => {
                match self.send(line, Call::new(Operation::Delete, "DELETE", format!("/users/{id}"))).await {
                    Ok(_) => Ok(applied(Outcome::Done, None)),
                    Err(error) if error.kind == ErrorKind::NotFound => Ok(applied(so, None)),
                    Err(error) => Err(error),
                }
            }
            Op::Grant { class: DirectGroups, external_id } => {
                Ok(changed(self.send(line, member("PUT", Operation::Grant, external_id)).await?))
            }
            Op::Revoke { class: DirectGroups, external_id } => {
                Ok(changed(self.send(line, member("DELETE", Operation::Revoke, external_id)).await?))
            }
            Op::RevokeAll { class: DirectGroups } => {
                let held = self.held(line, id).await?;
                for group in &held {
                    self.send(line, member("DELETE", Operation::Revoke, &group.id)).await?;
                }
                Ok(applied(if held.is_empty() { so } else { Outcome::Done }, None))
            }
            Op::Disable { .. } | Op::Grant { .. } | Op::Revoke { .. } | Op::RevokeAll { .. } => {
                Err(unsupported())
            }
        }
    }

    async fn issue(&self, line: &Line, account: &str, class: AccessClass, _: Secret) -> Result<Issued> {
        let call = Call::new(Operation::Issue, "POST", format!("/tokens/{account}"));
        let token = json(&self.send(line, call).await?);
        let credential = Credential::bearer(Secret::new(token.as_str().unwrap()));
        Ok(Issued { class, external_id: None, credential })
    }

    async fn attempt(&self, line: &Line, issued: &Issued) -> Result<Entry> {
        let answer = line.send_as(Call::new(Operation::Try, "GET", "/me"), &issued.credential).await?;
        Ok(if answer.status == 200 { Entry::Accepted } else { Entry::Rejected })
    }
}

pub(super) struct Toy {
    system: Arc<System>,
    /// What the connector remembers, if it shows that and not the system.
    remembered: Option<Arc<System>>,
    losing: Arc<Losing>,
    connector: Arc<Connected>,
    line: Line,
    pub(super) exceptions: Vec<Exception>,
}

impl Toy {
    pub(super) fn new(bug: Option<Bug>) -> Self {
        let empty = || Arc::new(System { store: Mutex::default(), bug });
        let (system, mut remembered) = (empty(), None);
        let mut transport: Arc<dyn Transport> = system.clone();
        if let Some(Bug::Pretends(pretends)) = bug {
            let memory = remembered.insert(empty()).clone();
            transport = Arc::new(Memory { remembered: memory, system: system.clone(), pretends });
        }
        let losing = Arc::new(Losing::new(transport));
        let mut capability = Capability {
            accounts: true,
            groups: true,
            observes: [DirectGroups].into(),
            removes: [DirectGroups].into(),
            grants: [DirectGroups].into(),
            tries: [AccessClass::ApiTokens].into(),
            writes: AccountWrite::ALL.into(),
            disable_ways: vec!["active=false"],
            conditional: true,
            incremental: true,
            audits: true,
            max_page: 100,
            ..Capability::default()
        };
        if bug == Some(Bug::DeclaresRoles) {
            capability.observes.insert(AccessClass::Roles);
        }
        let rules = [
            "list GET /users",
            "list GET /log",
            "create POST /users",
            "update PATCH /users/{id}",
            "delete DELETE /users/{id}",
            "list GET /groups",
            "grant PUT /groups/{group}/{id}",
            "revoke DELETE /groups/{group}/{id}",
            "issue POST /tokens/{id}",
            "try GET /me",
        ];
        let integration = Integration {
            name: IntegrationName::new("toy").unwrap(),
            purpose: "test".into(),
            owner: "hr/1".into(),
            backup: "hr/2".into(),
            connector: "toy".into(),
            endpoint: "https://toy.example".into(),
            role: Role::Target { system: SystemName::new("toy").unwrap() },
            scope: Scope { rules: rules.map(|r| r.parse().unwrap()).to_vec(), ..Scope::default() },
            settings: Value::Null,
            standing: Standing::Enabled,
            register: Default::default(),
            gates: Default::default(),
            kill: None,
        };
        let key = Arc::new(SealKey::generate(&Seeded::new(1)));
        let context = SealContext::of(&Tenant::single(), &integration, Purpose::Write).unwrap();
        let sealed = key.seal(&context, &Credential::bearer(Secret::new(SECRET)), &Seeded::new(2));
        let broker = Broker::new(Tenant::single(), losing.clone(), Arc::new(Hands::default()), key);
        let line = broker.line(&integration, Purpose::Write, Some(&sealed));
        Self {
            system,
            remembered,
            losing,
            connector: Arc::new(Connected { capability, bug, keys: Mutex::default() }),
            line,
            exceptions: Vec::new(),
        }
    }
}

#[async_trait]
impl Subject for Toy {
    fn name(&self) -> String {
        "toy".into()
    }
    fn connector(&self) -> Arc<dyn Connector> {
        self.connector.clone()
    }
    fn line(&self) -> Line {
        self.line.clone()
    }
    async fn seed(&self, fixtures: &Fixtures) -> Ids {
        let mut store = self.system.store.lock().unwrap();
        *store = Store { next: 100, ..Store::default() };
        for (id, account) in (1..).zip(&fixtures.accounts) {
            let user = json!({"id": id.to_string(), "name": account.name, "marker": account.marker,
                "dept": "old", "active": account.live, "version": 1});
            store.users.insert(id, user);
        }
        for (id, group) in (1..).zip(&fixtures.groups) {
            let members = group.members.iter().map(|m| u32::try_from(*m).unwrap() + 1).collect();
            store.groups.insert(id, (group.name.clone(), members));
        }
        if let Some(remembered) = &self.remembered {
            remembered.store.lock().unwrap().clone_from(&store);
        }
        let ids = |n: usize| (1..=n).map(|id| id.to_string()).collect();
        Ids { people: Vec::new(), accounts: ids(fixtures.accounts.len()), groups: ids(fixtures.groups.len()) }
    }
    async fn truth(&self) -> String {
        let store = self.system.store.lock().unwrap();
        format!("{:#?}\n{:#?}", store.users, store.groups)
    }
    async fn account(&self, id: &str) -> Option<TrueAccount> {
        let store = self.system.store.lock().unwrap();
        let number = id.parse().ok()?;
        let user = store.users.get(&number)?;
        let text = |name: &str| user[name].as_str().map(str::to_owned);
        let attributes = ["name", "dept"].map(|name| (name.to_owned(), text(name).into_iter().collect()));
        let groups = store.groups.iter().filter(|(_, (_, members))| members.contains(&number));
        Some(TrueAccount {
            name: text("name")?,
            marker: text("marker"),
            usable: user["active"] == json!(true),
            attributes: attributes.into(),
            held: [(DirectGroups, groups.map(|(id, _)| id.to_string()).collect())].into(),
        })
    }
    fn attributes(&self, name: &str) -> AccountAttributes {
        [
            ("name".to_owned(), AccountValue::Text(name.into())),
            ("dept".to_owned(), AccountValue::Text("new".into())),
        ]
        .into()
    }
    fn change(&self, n: u32) -> AccountAttributes {
        [("dept".to_owned(), AccountValue::Text(format!("dept {n}")))].into()
    }
    fn grantable(&self, _: AccessClass, ids: &Ids) -> Option<String> {
        ids.groups.last().cloned()
    }
    fn lose_next_answer(&self) -> bool {
        self.losing.lose_next();
        true
    }
    fn hide_part(&self) -> bool {
        self.system.store.lock().unwrap().hidden = true;
        true
    }
    fn writes(&self) -> Option<u64> {
        Some(self.losing.writes())
    }
    fn secret(&self) -> Option<String> {
        Some(SECRET.into())
    }
    fn exceptions(&self) -> Vec<Exception> {
        self.exceptions.clone()
    }
}
