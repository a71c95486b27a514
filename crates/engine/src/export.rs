//! Evidence packs: everything the log says about one identity or case, in one file.

use std::collections::BTreeMap;

use bailiwick_evidence::{Disclosure, PackRequest, write_pack};

use crate::{Engine, EngineError, Result, Sequencer};

impl Engine {
    /// The pack about `subject`, the id of an identity or a case. Publishes first, so that nothing that
    /// was committed is left out. The pack verifies without this program's database or server.
    pub async fn export(&self, subject: &str, sequencer: &Sequencer) -> Result<Vec<u8>> {
        sequencer.publish(self.now()).await?;
        let mut tx = self.read().await?;
        let entries = tx.entries_about(self.tenant(), subject).await?;
        let places: BTreeMap<&str, u64> =
            entries.iter().filter_map(|e| Some((e.record.as_str(), u64::try_from(e.index?).ok()?))).collect();
        if places.len() < entries.len() {
            return Err(EngineError::LogBusy("not everything is published yet"));
        }
        if places.is_empty() {
            return Err(EngineError::NotFound { kind: "evidence about", name: subject.to_owned() });
        }
        let records: Vec<String> = places.keys().map(ToString::to_string).collect();
        let disclosures: Vec<Disclosure> = tx
            .disclosures(self.tenant(), &records)
            .await?
            .into_iter()
            .filter_map(|d| {
                let index = *places.get(d.record.to_string().as_str())?;
                Some(Disclosure { index, field: d.field, salt: d.salt, value: d.value })
            })
            .collect();
        drop(tx);
        let indices: Vec<u64> = places.values().copied().collect();
        let request = PackRequest { subject, indices: &indices, disclosures: &disclosures, witnesses: &[] };
        let mut out = Vec::new();
        write_pack(&*sequencer.log()?, &request, &mut out)
            .map_err(|e| EngineError::Evidence(format!("{}: {e}", e.code())))?;
        Ok(out)
    }
}
