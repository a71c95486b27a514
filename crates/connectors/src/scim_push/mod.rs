//! A source that is not read: who knows people pushes them to the hub, by SCIM 2.0 (RFC 7644).
//!
//! It holds what configuration says of that and nothing else. It reads nothing and sends nothing: what is pushed is
//! taken by the hub, at `/scim/v2`. Absent: rules of a scope, because there are no calls to allow.

mod settings;

use async_trait::async_trait;
use bailiwick_connector::{
    Applied, Capability, Connector, ConnectorError, ErrorKind, Line, Listing, Locator, Object, Page, Result,
    Visit,
};
use bailiwick_core::{plan::Op, scope::ScopeRule};
use serde_json::Value;

pub use self::settings::{Groups, Paths, Settings};

/// The name of the kind.
pub const KIND: &str = "scim-push";

/// Reads nothing.
pub struct ScimPush {
    capability: Capability,
}

impl ScimPush {
    /// A connector with these settings, see [`Settings`].
    ///
    /// # Errors
    /// `Settings`, naming the setting.
    pub fn new(settings: &Value) -> Result<Self> {
        Settings::read(settings)?;
        Ok(Self { capability: most() })
    }
}

/// What it can do: nothing by itself.
pub(crate) fn most() -> Capability {
    Capability { pushed: true, ..Capability::default() }
}

/// There is nothing that it would call.
pub(crate) fn serves(_: &Value, rule: &ScopeRule) -> Result<()> {
    let why = format!("`{rule}`: nothing is called where people are pushed; say what it writes with `acts`");
    Err(ConnectorError::none(ErrorKind::Settings, why))
}

fn unsupported() -> ConnectorError {
    ConnectorError::none(ErrorKind::Unsupported, "people are pushed by this source; there is nothing to read")
}

#[async_trait]
impl Connector for ScimPush {
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
}
