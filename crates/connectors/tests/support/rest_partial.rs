//! The realm of Keycloak, described with less than it can do: what a description does not have is not done.

use std::marker::PhantomData;

use axum::Router;
use bailiwick_connector::{seal::CredentialScheme, testkit::AccountFixture};
use bailiwick_connectors::rest::shipped;
use bailiwick_core::{access::AccessClass, account::AccountAttributes};
use serde_json::{Value, json};

use super::{
    rest_fake::{Shared, Vendor, World},
    rest_keycloak::Keycloak,
};

/// What a description leaves out.
pub trait Less: Send + Sync + 'static {
    const NAME: &'static str;
    /// The calls that are taken from `accounts`.
    const WITHOUT: &'static [&'static str];
}

/// Accounts are made and never removed.
pub struct Undeleted;
/// Accounts are somebody else's; they are only kept out and let in.
pub struct Switched;

impl Less for Undeleted {
    const NAME: &'static str = "keycloak without `delete`";
    const WITHOUT: &'static [&'static str] = &["delete"];
}

impl Less for Switched {
    const NAME: &'static str = "keycloak with `disable` and `enable` alone";
    const WITHOUT: &'static [&'static str] = &["create", "update", "delete"];
}

/// Keycloak with less.
pub struct Partial<L>(PhantomData<L>);

impl<L: Less> Vendor for Partial<L> {
    const NAME: &'static str = L::NAME;
    const ENDPOINT: &'static str = Keycloak::ENDPOINT;

    fn settings() -> Value {
        let mut description: Value = toml::from_str(shipped::text("keycloak").unwrap()).unwrap();
        let accounts = description["accounts"].as_object_mut().unwrap();
        accounts.retain(|name, _| !L::WITHOUT.contains(&name.as_str()));
        json!({"description": description})
    }

    fn line_settings() -> Value {
        Keycloak::line_settings()
    }

    fn scheme() -> CredentialScheme {
        Keycloak::scheme()
    }

    fn router(world: Shared) -> Router {
        Keycloak::router(world)
    }

    fn user(id: u64, account: &AccountFixture) -> Value {
        Keycloak::user(id, account)
    }

    fn group(id: u64, name: &str) -> Value {
        Keycloak::group(id, name)
    }

    fn held(world: &mut World, user: u64) {
        Keycloak::held(world, user);
    }

    fn attributes(name: &str) -> AccountAttributes {
        Keycloak::attributes(name)
    }

    fn change(n: u32) -> AccountAttributes {
        Keycloak::change(n)
    }

    fn id(id: u64) -> String {
        Keycloak::id(id)
    }

    fn grantable(class: AccessClass) -> Option<String> {
        Keycloak::grantable(class)
    }

    fn signs(user: &Value) -> (&Value, &Value, bool) {
        Keycloak::signs(user)
    }

    fn thing(kind: &str, thing: &Value) -> Option<(AccessClass, String)> {
        Keycloak::thing(kind, thing)
    }

    const CLASSES: &'static [AccessClass] = Keycloak::CLASSES;
}
