//! Gates that are open without the people who open them.

use bailiwick_core::{
    approval::Approval,
    gate::{Certificate, Gate, covers},
    id::{ApprovalId, IntegrationName, PlanId, Tenant},
    integration::{Integration, Standing},
    record::{Actor, Record, RecordKind},
    time::Clock as _,
};
use bailiwick_store::{Update, get};
use serde_json::json;

use super::World;

impl World {
    /// These gates of an integration are open as it is declared, and no other.
    pub async fn certify(&self, integration: &IntegrationName, gates: &[Gate]) {
        let mut tx = self.store.begin().await.unwrap();
        let tenant = Tenant::single();
        let stored = get::<Integration>(&mut *tx, &tenant, integration.as_str()).await.unwrap();
        let mut stored = stored.unwrap();
        let catalogue = self.engine.catalogue(&mut *tx).await.unwrap();
        let authority = catalogue.authority(integration).unwrap().clone();
        let mut record =
            Record::new(RecordKind::Approved, self.hands.now(), Actor::Operator("test".into()), &*self.dice);
        record = record.fact("integration", integration);
        let mut update = Update::new(record);
        stored.value.gates = Default::default();
        for gate in gates {
            let now = self.hands.now();
            let id = ApprovalId::new(now, &*self.dice);
            let authority = authority.clone();
            let covers = covers(*gate, stored.value.declared(), &authority);
            let mut approval: Approval = serde_json::from_value(json!({
                "id": id, "plan": PlanId::new(now, &*self.dice), "digest": covers,
                "by": "rule", "policies": [], "at": now, "expires": now, "used": now,
            }))
            .unwrap();
            approval.covers = vec![covers];
            approval.seal = self.engine.parts().broker.attest(&approval.sealed_bytes());
            update = update.insert(&approval, &*self.dice);
            let certificate = Certificate { approval: id, covers, authority, at: now };
            stored.value.gates.set(*gate, Some(certificate));
        }
        assert_eq!(stored.value.standing, Standing::Enabled);
        update = update.replace(&stored.value, stored.revision, &*self.dice);
        tx.write(&tenant, vec![update], &*self.dice).await.unwrap();
        tx.commit().await.unwrap();
    }
}
