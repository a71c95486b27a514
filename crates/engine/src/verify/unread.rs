//! That a system, or one class of access there, cannot be read back: whoever answers for it is told until it can.

use bailiwick_connector::ConnectorError;
use bailiwick_core::{access::AccessClass, id::SystemName};
use bailiwick_store::{Tx, Update};

use crate::{Catalogue, Engine, Result, finding::Wrong};

/// The finding.
const UNREAD: &str = "cannot-verify";

impl Engine {
    /// Opens the finding: of the whole system, or of one class.
    pub(crate) async fn tell_unread(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        (system, class): (&SystemName, Option<AccessClass>),
        error: &ConnectorError,
    ) -> Result<Option<Update>> {
        let what = class.map_or_else(|| format!("`{system}`"), |class| format!("`{class}` of `{system}`"));
        let wrong = Wrong {
            code: UNREAD,
            subject: subject(system, class),
            identity: None,
            system: Some(system.clone()),
            message: format!("{what} cannot be read back: {}: {error}", error.code()),
            owner: catalogue.route(system)?.integration.owner.clone(),
        };
        self.open_finding(tx, wrong).await
    }

    /// Ends it: these were read.
    pub(crate) async fn was_read(
        &self,
        tx: &mut dyn Tx,
        system: &SystemName,
        classes: impl IntoIterator<Item = Option<AccessClass>>,
    ) -> Result<Vec<Update>> {
        let read: Vec<_> = classes.into_iter().map(|class| (UNREAD, subject(system, class))).collect();
        self.close_findings(tx, &read).await
    }
}

fn subject(system: &SystemName, class: Option<AccessClass>) -> String {
    class.map_or_else(|| system.to_string(), |class| format!("{system}/{class}"))
}
