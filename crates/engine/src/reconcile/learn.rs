//! What a system shows of declared entitlements: its ids for them, and which of them are in which.

use std::collections::BTreeMap;

use bailiwick_core::{
    access::AccessClass, id::EntitlementName, nesting::Inside, record::RecordKind, system::Entitlement,
};
use bailiwick_store::{Stored, Tx, Update, get};

use super::Comparing;
use crate::{Catalogue, Engine, Haste, Job, Result, finding::Wrong};

/// The finding about an entitlement that gives one with power over others, which nobody declared.
const PRIVILEGED: &str = "entitlement-nested-privileged";

impl Engine {
    /// Notes the system's ids of declared groups, given by label, and which groups are `inside` of which where that
    /// was seen in full; what is held by name alone (licences) needs no id. Groups in groups are automations: what
    /// integrations can in effect do follows from them.
    pub(super) async fn learn_entitlements(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        groups: &BTreeMap<String, String>,
        inside: Option<&BTreeMap<EntitlementName, Vec<Inside>>>,
    ) -> Result<()> {
        let system = comparing.system;
        let (mut identified, mut nested) = (false, false);
        let mut updates = Vec::new();
        for declared in comparing.catalogue.entitlements.values().filter(|e| e.name.system() == *system) {
            let Some(stored) = get::<Entitlement>(tx, self.tenant(), declared.name.as_str()).await? else {
                continue;
            };
            let fresh = learned(&stored.value, declared, groups, inside);
            if inside.is_some() && !(fresh.inside.is_empty() && stored.value.inside.is_empty()) {
                updates.extend(self.tell_of_nesting(tx, comparing, &fresh).await?);
            }
            if fresh == stored.value {
                continue;
            }
            if fresh.external_id != stored.value.external_id {
                identified = true;
                updates.extend(self.close_finding(tx, "entitlement-missing", fresh.name.as_str()).await?);
            }
            nested |= fresh.inside != stored.value.inside;
            updates.push(self.learn_entitlement(stored, &fresh));
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        if nested {
            let catalogue = self.catalogue(tx).await?;
            self.permits_changed(tx, comparing.catalogue, &catalogue).await?;
        }
        if identified {
            // What could not be given before can be given now.
            let cause = format!("{system}@{}", self.now().as_millisecond());
            let job = Job::Redecide { cause, after: None };
            self.enqueue(tx, vec![job.work(None, None, Haste::Usual, self.now())]).await?;
        }
        Ok(())
    }

    fn learn_entitlement(&self, stored: Stored<Entitlement>, fresh: &Entitlement) -> Update {
        let record = self
            .record(RecordKind::Observed, "reconcile")
            .fact("entitlement", &fresh.name)
            .fact("external_id", &fresh.external_id)
            .fact("inside", &fresh.inside);
        Update::new(record).replace(fresh, stored.revision, self.entropy())
    }

    /// Whoever is given an entitlement gets what it is in as well; where that has power over other access, nobody
    /// decided so.
    async fn tell_of_nesting(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        entitlement: &Entitlement,
    ) -> Result<Option<Update>> {
        let name = &entitlement.name;
        let privileged = privileged_around(comparing.catalogue, entitlement);
        if entitlement.privileged || privileged.is_empty() {
            return self.close_finding(tx, PRIVILEGED, name.as_str()).await;
        }
        let wrong = Wrong {
            code: PRIVILEGED,
            subject: name.to_string(),
            identity: None,
            system: Some(comparing.system.clone()),
            message: format!(
                "whoever is given `{name}` gets {} too, because `{}` is in it on `{}`: take that group out there, or \
                 declare `{name}` as privileged",
                privileged.join(" and "),
                entitlement.label,
                comparing.system
            ),
            owner: comparing.integration.owner.clone(),
        };
        self.open_finding(tx, wrong).await
    }
}

/// The entitlement with what is known of it now. A group that was not shown keeps its id.
fn learned(
    stored: &Entitlement,
    declared: &Entitlement,
    groups: &BTreeMap<String, String>,
    inside: Option<&BTreeMap<EntitlementName, Vec<Inside>>>,
) -> Entitlement {
    let seen = match declared.class {
        AccessClass::DirectGroups => groups.get(&declared.label).cloned(),
        _ => Some(declared.label.clone()),
    };
    Entitlement {
        external_id: seen.or_else(|| stored.external_id.clone()),
        inside: match inside {
            Some(inside) => inside.get(&declared.name).cloned().unwrap_or_default(),
            None => stored.inside.clone(),
        },
        ..stored.clone()
    }
}

/// The entitlements with power over other access that a group is in, in words.
fn privileged_around(catalogue: &Catalogue, entitlement: &Entitlement) -> Vec<String> {
    let privileged = |inside: &&Inside| catalogue.entitlements.get(&inside.of).is_some_and(|e| e.privileged);
    let words = |inside: &Inside| match inside.through.is_empty() {
        true => format!("`{}`", inside.of),
        false => format!("`{}` (through {})", inside.of, inside.through.join(", ")),
    };
    entitlement.inside.iter().filter(privileged).map(words).collect()
}
