//! A person as a connector: for systems that have nothing a program could use.
//!
//! It reads nothing and sends nothing. It says who is asked, until when, and in which words; the hub keeps
//! the task, reminds, escalates, and records what the person attests.

mod settings;

use async_trait::async_trait;
use bailiwick_connector::{
    AccountWrite, Applied, ByPerson, Capability, Connector, ConnectorError, ErrorKind, Line, Listing,
    Locator, Object, Page, Result, Visit,
};
use bailiwick_core::{access::AccessClass, plan::Op};
use serde_json::Value;

use self::settings::Settings;

/// Asks a person.
pub struct Manual {
    settings: Settings,
    capability: Capability,
}

impl Manual {
    /// A connector with these settings; `null` is a table without any.
    ///
    /// | setting | what | without it |
    /// |---|---|---|
    /// | `assignee` | who is asked: `source/key` of a person, or the name of an operator | the owner |
    /// | `hours` | until when it is to be done, after asking | 48 |
    /// | `remind_hours` | when the assignee is reminded, after asking | half of `hours` |
    /// | `stands_days` | how long an answer stands before somebody looks again | 90 |
    /// | `instructions.OPERATION` | what to do to `create`, `update`, `delete`, `grant` or `revoke`, with `{change}` and `{account}` where they belong | the change in words |
    ///
    /// # Errors
    /// `Settings`, naming the setting.
    pub fn new(settings: &Value) -> Result<Self> {
        let settings = Settings::new(settings)?;
        let capability = Capability { by_person: Some(settings.person.clone()), ..able() };
        Ok(Self { settings, capability })
    }
}

fn able() -> Capability {
    // Nobody is asked to attest what the hub itself knows best: who governs it.
    let classes = AccessClass::ALL.into_iter().filter(|class| *class != AccessClass::HubRoles);
    Capability {
        removes: classes.clone().collect(),
        grants: classes.filter(|class| *class != AccessClass::PrimaryAccount).collect(),
        writes: AccountWrite::ALL.into(),
        forms: Vec::new(),
        disable_ways: vec!["by a person"],
        ..Capability::default()
    }
}

/// What it can do.
pub(crate) fn most() -> Capability {
    let person = ByPerson { assignee: None, remind_hours: 24, hours: 48, stands_days: 90 };
    Capability { by_person: Some(person), ..able() }
}

fn unsupported() -> ConnectorError {
    ConnectorError::none(ErrorKind::Unsupported, "only a person can look at this system")
}

#[async_trait]
impl Connector for Manual {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    /// There is nothing to reach.
    async fn check(&self, _: &Line) -> Result<()> {
        Ok(())
    }

    async fn list(&self, _: &Line, _: Listing<'_>, _: Option<&str>, _: u32, _: Visit<'_>) -> Result<Page> {
        Err(unsupported())
    }

    async fn get(&self, _: &Line, _: Locator<'_>) -> Result<Option<Object<'static>>> {
        Err(unsupported())
    }

    async fn apply(&self, _: &Line, _: Option<&str>, _: &Op, _: Option<&str>, _: &str) -> Result<Applied> {
        Err(unsupported())
    }

    fn instruction(&self, op: &Op, account: Option<&str>) -> String {
        self.settings.instruction(op, account)
    }
}
