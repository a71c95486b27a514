//! A simulated API in this process: what it holds, and the subject that the kit tests it by.
//!
//! Absent on purpose: the vendors' rules for names (Keycloak lower case, GitLab's alphabet). The kit's names
//! break them so that nothing is bent on the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use axum::{Router, body::Body};
use bailiwick_connector::{
    Connector, Line,
    broker::{Transport, TransportError, TransportErrorKind},
    seal::{Credential, CredentialScheme, Secret},
    testkit::{AccountFixture, Fixtures, Ids, Losing, Subject, TrueAccount},
};
use bailiwick_connectors::rest::Rest;
use bailiwick_core::{access::AccessClass, account::AccountAttributes, integration::Purpose};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::rest_beside::Beside;

pub const SECRET: &str = "a-s3cret/of+the tests";

/// What an API holds. Users and groups are in its own words.
#[derive(Debug, Default)]
pub struct World {
    pub users: BTreeMap<u64, Value>,
    pub groups: BTreeMap<u64, Value>,
    /// Group and user.
    pub members: BTreeSet<(u64, u64)>,
    /// What a user holds of a kind.
    pub held: BTreeMap<(u64, &'static str), Vec<Value>>,
    /// Tokens that open the API to a user.
    pub tokens: BTreeMap<String, u64>,
    next: u64,
}

impl World {
    /// A number that nothing has.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Takes everything that is of a user.
    pub fn forget(&mut self, user: u64) -> bool {
        self.members.retain(|(_, member)| *member != user);
        self.held.retain(|(holder, _), _| *holder != user);
        self.users.remove(&user).is_some()
    }
}

/// A world that handlers share.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

/// What is a vendor's own.
pub trait Vendor: Send + Sync + 'static {
    const NAME: &'static str;
    const ENDPOINT: &'static str;
    fn settings() -> Value;
    fn line_settings() -> Value;
    fn scheme() -> CredentialScheme;
    fn router(world: Shared) -> Router;
    fn user(id: u64, account: &AccountFixture) -> Value;
    fn group(id: u64, name: &str) -> Value;
    /// Everything of each class that the first user holds.
    fn held(world: &mut World, user: u64);
    fn attributes(name: &str) -> AccountAttributes;
    fn change(n: u32) -> AccountAttributes;
    /// The id of a user or group as the API has it.
    fn id(id: u64) -> String;
    fn grantable(class: AccessClass) -> Option<String>;
    /// The name of a user, the marker, and whether it can be used.
    fn signs(user: &Value) -> (&Value, &Value, bool);
    /// What a thing of a kind is to the hub: its class and its id there; nothing if it lets nobody in.
    fn thing(kind: &str, thing: &Value) -> Option<(AccessClass, String)>;
    /// The classes that its things are of.
    const CLASSES: &'static [AccessClass];
}

/// Carries requests to a router without sockets.
struct InProcess(Router);

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let lost = |cause: String| TransportError { kind: TransportErrorKind::Timeout, sent: true, cause };
        let Ok(response) = self.0.clone().oneshot(request.map(Body::from)).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| lost(error.to_string()))?.to_bytes();
        Ok(http::Response::from_parts(head, body))
    }
}

/// A simulated API.
pub struct Fake<V> {
    pub shared: Shared,
    plain: Arc<InProcess>,
    losing: Arc<Losing>,
    rest: Arc<Rest>,
    vendor: std::marker::PhantomData<V>,
}

impl<V: Vendor> Fake<V> {
    pub fn new() -> Self {
        let shared = Shared::default();
        let plain = Arc::new(InProcess(V::router(shared.clone())));
        Self {
            losing: Arc::new(Losing::new(plain.clone())),
            plain,
            shared,
            rest: Arc::new(Rest::new(&V::settings()).unwrap()),
            vendor: std::marker::PhantomData,
        }
    }

    pub fn rest(&self) -> &Rest {
        &self.rest
    }

    pub fn line_for(&self, purpose: Purpose) -> Line {
        let credential = Credential { scheme: V::scheme(), secret: Secret::new(SECRET) };
        let tokens = self.plain.clone();
        super::rest_line::line(
            Arc::new(Beside { calls: self.losing.clone(), tokens }),
            V::ENDPOINT,
            &self.rest,
            V::line_settings(),
            &credential,
            purpose,
        )
    }
}

#[async_trait]
impl<V: Vendor> Subject for Fake<V> {
    fn name(&self) -> String {
        format!("rest × {}, simulated", V::NAME)
    }

    fn connector(&self) -> Arc<dyn Connector> {
        self.rest.clone()
    }

    fn line(&self) -> Line {
        self.line_for(Purpose::Write)
    }

    fn reader(&self) -> Line {
        self.line_for(Purpose::Verify)
    }

    async fn seed(&self, fixtures: &Fixtures) -> Ids {
        let mut world = self.shared.world();
        *world = World { next: world.next, ..World::default() };
        let mut ids = Ids::default();
        let mut numbers = Vec::new();
        for account in &fixtures.accounts {
            let id = world.number();
            world.users.insert(id, V::user(id, account));
            numbers.push(id);
            ids.accounts.push(V::id(id));
        }
        for group in &fixtures.groups {
            let id = world.number();
            world.groups.insert(id, V::group(id, &group.name));
            world.members.extend(group.members.iter().map(|at| (id, numbers[*at])));
            ids.groups.push(V::id(id));
        }
        V::held(&mut world, numbers[0]);
        ids
    }

    async fn truth(&self) -> String {
        let world = self.shared.world();
        let users = world.users.values().map(Value::to_string);
        let groups = world.groups.values().map(Value::to_string);
        let members = world.members.iter().map(|member| format!("{member:?}"));
        let held = world.held.iter().map(|held| format!("{held:?}"));
        users.chain(groups).chain(members).chain(held).collect::<Vec<_>>().join("\n")
    }

    async fn account(&self, id: &str) -> Option<TrueAccount> {
        let world = self.shared.world();
        let (number, user) = world.users.iter().find(|(number, _)| V::id(**number) == id)?;
        let (name, marker, usable) = V::signs(user);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let own = user.as_object()?.iter();
        let own = own.filter_map(|(name, value)| Some((name.clone(), vec![text(value)?])));
        let groups = world.members.iter().filter(|(_, member)| member == number);
        let mut held: BTreeMap<_, Vec<String>> =
            [(AccessClass::DirectGroups, groups.map(|(group, _)| V::id(*group)).collect())].into();
        held.extend(V::CLASSES.iter().map(|class| (*class, Vec::new())));
        for ((_, kind), things) in world.held.iter().filter(|((holder, _), _)| holder == number) {
            for (class, id) in things.iter().filter_map(|thing| V::thing(kind, thing)) {
                held.entry(class).or_default().push(id);
            }
        }
        let (name, marker) = (text(name)?, text(marker));
        Some(TrueAccount { name, marker, usable, attributes: own.collect(), held })
    }

    fn attributes(&self, name: &str) -> AccountAttributes {
        V::attributes(name)
    }

    fn change(&self, n: u32) -> AccountAttributes {
        V::change(n)
    }

    fn grantable(&self, class: AccessClass, ids: &Ids) -> Option<String> {
        if class == AccessClass::DirectGroups { Some(ids.groups[0].clone()) } else { V::grantable(class) }
    }

    fn lose_next_answer(&self) -> bool {
        self.losing.lose_next();
        true
    }

    fn writes(&self) -> Option<u64> {
        Some(self.losing.writes())
    }

    fn secret(&self) -> Option<String> {
        Some(SECRET.to_owned())
    }
}
