//! What a leaver answered for and knew: sub-cases of their case, on the hub's own system.
//!
//! The integrations whose posts they held are owned non-human identities: each is gone from the case when its transfer has
//! ended, which takes somebody who accepted it and credentials that were set anew, or when the integration has ended. The
//! credentials of those integrations are secrets that they know: each is gone when it was set after they left. Absent:
//! automations, which have no owner in the configuration, and secrets that nothing here names.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    access::AccessClass,
    case::{Case, Cell},
    id::{AccountId, IntegrationName},
    integration::Integration,
    record::RecordKind,
    transfer::{Departure, Transfer},
    verify::{Verdict, Witness},
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, entities::Credential, get, select};

use crate::{Engine, Result, activate::hub_system};

impl Engine {
    /// Looks at what people who left answered for and knew, in the light of the transfers of now. `people` are the ones
    /// that transfers name as former holders.
    pub(crate) async fn judge_owned(&self, tx: &mut dyn Tx, people: BTreeSet<String>) -> Result<()> {
        if people.is_empty() {
            return Ok(());
        }
        let all = select::<Transfer>(tx, self.tenant(), Select::from(Table::Transfers)).await?;
        for person in people {
            let theirs = all.iter().map(|stored| &stored.value);
            let theirs: Vec<&Transfer> =
                theirs.filter(|t| t.from == person && t.because == Departure::Left).collect();
            let Some(case) = self.last_case(tx, &person).await? else { continue };
            // What they handed over before they left is not theirs any more.
            let since = case.value.opened;
            let theirs: Vec<&Transfer> =
                theirs.into_iter().filter(|t| !t.state.ended() || t.opened >= since).collect();
            let known = self.known_secrets(tx, &theirs, &case.value).await?;
            let owned = theirs.iter().filter(|t| !t.state.ended());
            let owned = owned.map(|t| format!("{} ({})", t.integration, t.post)).collect();
            let mut changed = false;
            for (class, left) in [(AccessClass::OwnedNhis, owned), (AccessClass::KnownSecrets, known)] {
                changed |= self.judge_what_is_left(tx, &case.value, class, left).await?;
            }
            if changed {
                self.close_case(tx, case).await?;
            }
        }
        Ok(())
    }

    async fn last_case(&self, tx: &mut dyn Tx, person: &str) -> Result<Option<Stored<Case>>> {
        let Some(identity) = self.by_source_key(tx, person).await? else { return Ok(None) };
        let of = Filter::Is("identity", identity.value.id.to_string().into());
        let cases = select::<Case>(tx, self.tenant(), Select::from(Table::Cases).filter(of)).await?;
        Ok(cases.into_iter().max_by_key(|stored| (stored.value.opened, stored.value.id)))
    }

    /// The credentials of what they answered for that are as they were when they left.
    async fn known_secrets(&self, tx: &mut dyn Tx, theirs: &[&Transfer], case: &Case) -> Result<Vec<String>> {
        let mut known: BTreeMap<IntegrationName, Vec<String>> = BTreeMap::new();
        for name in theirs.iter().map(|transfer| &transfer.integration) {
            let integration = get::<Integration>(tx, self.tenant(), name.as_str()).await?;
            // The grant of one that has ended is proven dead by its own case.
            if known.contains_key(name) || integration.is_none_or(|stored| stored.value.has_ended()) {
                continue;
            }
            let of = Filter::Is("integration", name.as_str().into());
            let all = select::<Credential>(tx, self.tenant(), Select::from(Table::Credentials).filter(of));
            let old =
                all.await?.into_iter().filter(|c| c.value.retired.is_none() && c.value.at <= case.opened);
            let old = old.map(|c| format!("{name} {}", c.value.purpose.as_str())).collect();
            known.insert(name.clone(), old);
        }
        Ok(known.into_values().flatten().collect())
    }

    /// Writes a cell, if it is another one than before; where nothing ever was there is none.
    async fn judge_what_is_left(
        &self,
        tx: &mut dyn Tx,
        case: &Case,
        class: AccessClass,
        left: Vec<String>,
    ) -> Result<bool> {
        let system = hub_system();
        let before = get::<Cell>(tx, self.tenant(), &Cell::key_of(case.id, &system, class)).await?;
        let verdict = match left.is_empty() {
            true => Verdict::Removed,
            false => Verdict::Residual { what: left },
        };
        let same = |before: &Stored<Cell>| before.value.verdict == verdict;
        if before.as_ref().is_some_and(same) || (before.is_none() && verdict == Verdict::Removed) {
            return Ok(false);
        }
        let cell = Cell {
            case: case.id,
            system,
            class,
            account: AccountId::from_bytes([0; 16]),
            verdict,
            at: self.now(),
            method: "the hub's own register".into(),
            witness: Some(Witness::Independent),
            answer: None,
            tried: 1,
        };
        let record = self
            .record(RecordKind::Verified, "owned")
            .identity(case.identity)
            .case(case.id)
            .fact("class", class)
            .fact("system", &cell.system)
            .fact("verdict", cell.verdict.name());
        let update = Update::new(record);
        let update = match before {
            Some(before) => update.replace(&cell, before.revision, self.entropy()),
            None => update.insert(&cell, self.entropy()),
        };
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        Ok(true)
    }
}
