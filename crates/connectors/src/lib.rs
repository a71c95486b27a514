//! The connectors that come with the hub, one module each, with the same file names:
//! `mod` (the contract), `settings` (what configuration may say), `decode` (what systems say) and, for
//! those that write, `encode`.

mod audit;
pub mod aws_iam;
pub mod csv;
mod http;
pub mod ldap;
pub mod manual;
pub mod rest;
pub mod scim;
pub mod scim_push;
pub mod sql;
pub mod vault;
pub mod vault_log;

use std::sync::Arc;

use bailiwick_connector::{
    Capability, Connector, ConnectorError, ErrorKind, Patience, Patient, Result, Sleep, broker::LineSettings,
};
use bailiwick_core::scope::ScopeRule;
use serde_json::Value;

/// A kind of connector.
pub struct Kind {
    /// Its name in configuration.
    pub name: &'static str,
    /// What it speaks to, for people.
    pub speaks: &'static str,
    make: fn(&Value) -> Result<Arc<dyn Connector>>,
    most: fn() -> Capability,
    serves: fn(&Value, &ScopeRule) -> Result<()>,
}

impl Kind {
    /// The most that a connector of the kind can do, with every setting that widens it. What a certain
    /// system lets it do may be less: that is [`Connector::capability`].
    pub fn most(&self) -> Capability {
        (self.most)()
    }
}

/// The kinds of connector that [`build`] knows, by name.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "aws-iam",
        speaks: "AWS Identity and Access Management",
        make: |settings| Ok(Arc::new(aws_iam::AwsIam::new(settings)?)),
        most: aws_iam::most,
        serves: any_rule,
    },
    Kind {
        name: "csv",
        speaks: "HR files in a folder",
        make: |settings| Ok(Arc::new(csv::Csv::new(settings)?)),
        most: csv::most,
        serves: any_rule,
    },
    Kind {
        name: "ldap",
        speaks: "LDAP directories: OpenLDAP, Active Directory",
        make: |settings| Ok(Arc::new(ldap::Ldap::new(settings)?)),
        most: ldap::most,
        serves: any_rule,
    },
    Kind {
        name: "manual",
        speaks: "a person, for systems that have no interface",
        make: |settings| Ok(Arc::new(manual::Manual::new(settings)?)),
        most: manual::most,
        serves: any_rule,
    },
    Kind {
        name: "rest",
        speaks: "any HTTP API that a file describes",
        make: |settings| Ok(Arc::new(rest::Rest::new(settings)?)),
        most: rest::most,
        serves: any_rule,
    },
    Kind {
        name: "scim",
        speaks: "SCIM 2.0 service providers",
        make: |settings| Ok(Arc::new(scim::Scim::new(settings)?)),
        most: scim::most,
        serves: any_rule,
    },
    Kind {
        name: "scim-push",
        speaks: "nothing: who knows people pushes them to the hub by SCIM 2.0",
        make: |settings| Ok(Arc::new(scim_push::ScimPush::new(settings)?)),
        most: scim_push::most,
        serves: scim_push::serves,
    },
    Kind {
        name: "sql",
        speaks: "PostgreSQL roles, and tables of PostgreSQL and SQLite",
        make: |settings| Ok(Arc::new(sql::Sql::new(settings)?)),
        most: sql::most,
        serves: sql::serves,
    },
    Kind {
        name: "vault",
        speaks: "OpenBao and HashiCorp Vault",
        make: |settings| Ok(Arc::new(vault::Vault::new(settings)?)),
        most: vault::most,
        serves: any_rule,
    },
    Kind {
        name: "vault-log",
        speaks: "the audit log of OpenBao and HashiCorp Vault, in a folder",
        make: |settings| Ok(Arc::new(vault_log::VaultLog::new(settings)?)),
        most: vault_log::most,
        serves: any_rule,
    },
];

/// The names of all kinds.
pub const NAMES: [&str; KINDS.len()] = {
    let mut names = [""; KINDS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = KINDS[at].name;
        at += 1;
    }
    names
};

/// Makes a connector of the kind `kind` from an integration's settings, of which it leaves the broker's
/// ([`LineSettings`]) alone. It never waits and never tries again: every failure goes up at once.
///
/// Fails with `Settings`, naming the setting, when they are not understood, and when there is no such kind.
pub fn build(kind: &str, settings: &Value) -> Result<Arc<dyn Connector>> {
    let (_, settings) = LineSettings::split(settings)?;
    match KINDS.iter().find(|known| known.name == kind) {
        Some(known) => (known.make)(&settings),
        None => Err(ConnectorError::none(
            ErrorKind::Settings,
            format!("`{kind}` is not a kind of connector; there are {}", NAMES.join(", ")),
        )),
    }
}

/// Whether a rule of an integration's scope is one that its settings can mean.
///
/// Fails with `Settings`, saying what the rule cannot have.
pub fn serves(kind: &str, settings: &Value, rule: &ScopeRule) -> Result<()> {
    let (_, settings) = LineSettings::split(settings)?;
    KINDS.iter().find(|known| known.name == kind).map_or(Ok(()), |known| (known.serves)(&settings, rule))
}

/// Where names in a scope mean nothing to the settings.
fn any_rule(_: &Value, _: &ScopeRule) -> Result<()> {
    Ok(())
}

/// The same as [`build`], for a process that has systems to be patient with: reads survive a short
/// outage and a system that asks for a moment (429 with `Retry-After`), as [`Patience::default`] says;
/// a longer wait goes up with its `retry_after`. Changes are never tried again. It waits by the timer of
/// the runtime, so a simulation with a clock of its own takes [`build`].
pub fn build_patient(kind: &str, settings: &Value) -> Result<Arc<dyn Connector>> {
    let patience = Patience::default();
    build(kind, settings).map(|inner| Arc::new(Patient::new(inner, patience, Arc::new(Sleep))) as _)
}
