//! Calls outside of a scope: evidence, and the integration stays stopped until somebody releases it.
//!
//! The broker blocks the call and stops the integration at once, in this process. Here that becomes
//! durable: for other processes, and for this one after a restart. A crash in between loses only the
//! record; the next call outside is blocked again.

use bailiwick_connector::broker::Incident;
use bailiwick_core::{
    integration::{Integration, Standing},
    record::RecordKind,
};
use bailiwick_store::{Update, get};

use crate::{Engine, Result, finding::Wrong};

impl Engine {
    /// Records what the broker blocked since the last time.
    pub(crate) async fn record_incidents(&self) -> Result<()> {
        for incident in self.parts.broker.incidents() {
            self.record_incident(incident).await?;
        }
        Ok(())
    }

    pub(crate) async fn record_incident(&self, incident: Incident) -> Result<()> {
        let name = &incident.integration;
        let blocked = self
            .record(RecordKind::CallBlocked, "broker")
            .fact("integration", name)
            .fact("method", incident.method)
            .fact("operation", incident.operation)
            .fact("path", &incident.path)
            .fact("reason", &incident.reason)
            .personal("called", &incident.called);
        let mut updates = vec![Update::new(blocked)];
        let mut tx = self.begin().await?;
        let stored = get::<Integration>(&mut *tx, self.tenant(), name.as_str()).await?;
        if let Some(stored) = stored.filter(|s| s.value.standing == Standing::Enabled) {
            let standing = Standing::Quarantined { since: self.now(), reason: incident.reason.clone() };
            let owner = stored.value.owner.clone();
            let stopped = Integration { standing, ..stored.value };
            let record = self.record_of(&mut *tx, (RecordKind::Quarantined, "broker"), name).await?;
            let record = record.fact("reason", &incident.reason);
            updates.push(Update::new(record).replace(&stopped, stored.revision, self.entropy()));
            let wrong = Wrong {
                code: "integration-quarantined",
                subject: name.to_string(),
                identity: None,
                system: None,
                message: format!(
                    "`{name}` is stopped: {} {} {}: {}; look at it, correct its scope, then release it",
                    incident.operation.as_str(),
                    incident.method,
                    incident.path,
                    incident.reason
                ),
                owner,
            };
            updates.extend(self.open_finding(&mut *tx, wrong).await?);
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        Ok(tx.commit().await?)
    }
}
