//! Rotation is proven like a kill: the credential that was replaced is kept until the provider rejects it.
//!
//! It is sealed anew, so that it opens for the two declared calls and for nothing else. First the new one must be let
//! in; until it is, both stay valid and somebody is told. Then the old one is tried, ended, and tried again. A secret that
//! is still in use, for another purpose or by another integration, or that was put back, is not ended: it is when its
//! last use is replaced.
//! Where no `kill` is declared nothing is kept, and a rotation proves nothing.

use bailiwick_connector::seal::Sealed;
use bailiwick_core::{
    digest::Digest,
    id::IntegrationName,
    integration::{Integration, Purpose},
    kill::{self, Tried},
    record::RecordKind,
    time::Timestamp,
};
use bailiwick_store::{Entity, Select, Stored, Table, Tx, Update, Work, entities::Credential, get, select};

use super::prove::{WINDOW_MS, pause_ms, tried};
use crate::{Engine, Haste, Job, Result, apply::later, finding::Wrong};

/// The finding that a provider still lets in what was replaced.
const ALIVE: &str = "rotated-credential-alive";
/// The finding that a provider does not let in what replaced it.
const REFUSED: &str = "rotation-refused";
/// The finding that it cannot be seen whether what was replaced is dead.
const UNPROVEN: &str = "rotation-unproven";

/// What became of a credential that was replaced.
enum End {
    /// The provider rejects it.
    Dead(Digest),
    /// Not yet, or not known: what somebody is told.
    Told(&'static str, String),
    /// Asked again before anybody is told.
    Later,
    /// It was put back and is in use: nothing is to be ended.
    Kept,
}

impl Engine {
    /// Keeps a credential that was replaced just now until its provider rejects it, unless its secret is in use all
    /// the same.
    pub(crate) async fn retire_credential(
        &self,
        tx: &mut dyn Tx,
        integration: &Integration,
        old: Credential,
    ) -> Result<()> {
        let sealed: Option<Sealed> = serde_json::from_value(old.sealed.clone()).ok();
        let (Some(_), Some(sealed)) = (&integration.kill, sealed) else { return Ok(()) };
        if self.in_use(tx, integration, &old, &sealed).await? {
            return Ok(());
        }
        let now = self.now();
        let kept = self.parts.broker.reseal(integration, old.purpose, &sealed, self.entropy());
        // One that does not open was good for nothing.
        let Some(kept) = kept.ok().and_then(|kept| serde_json::to_value(kept).ok()) else { return Ok(()) };
        let purpose = old.purpose.last();
        let kept = Credential { purpose, sealed: kept, accepted: None, retired: Some(now), ..old };
        let record = self.record_of(tx, (RecordKind::CredentialSealed, "rotate"), &kept.integration).await?;
        let update = Update::new(record.fact("kept", kept.purpose)).insert(&kept, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        let job = Job::Rotated { integration: kept.integration.clone(), credential: kept.key() };
        self.enqueue(tx, vec![job.work(None, None, Haste::Usual, now)]).await
    }

    /// Since when the hub has had this secret, wherever it is or was used, if it has it. One that is set again is no other
    /// one: whoever knew it before knows it now.
    pub(crate) async fn known_since(
        &self,
        tx: &mut dyn Tx,
        integration: &Integration,
        purpose: Purpose,
        sealed: &Sealed,
    ) -> Result<Option<Timestamp>> {
        let alike = self.alike(tx, (integration, purpose, sealed)).await?;
        Ok(alike.into_iter().map(|credential| credential.at).min())
    }

    /// Whether the secret is that of a credential that is in use.
    async fn in_use(
        &self,
        tx: &mut dyn Tx,
        integration: &Integration,
        old: &Credential,
        sealed: &Sealed,
    ) -> Result<bool> {
        let alike = self.alike(tx, (integration, old.purpose, sealed)).await?;
        Ok(alike.iter().any(|credential| !credential.purpose.is_last()))
    }

    /// The credentials with this secret, also those that were replaced and are kept.
    async fn alike(&self, tx: &mut dyn Tx, one: (&Integration, Purpose, &Sealed)) -> Result<Vec<Credential>> {
        let all = select::<Credential>(tx, self.tenant(), Select::from(Table::Credentials)).await?;
        let mut alike = Vec::new();
        for Stored { value: other, .. } in all {
            let holder = get::<Integration>(tx, self.tenant(), other.integration.as_str()).await?;
            let theirs: Option<Sealed> = serde_json::from_value(other.sealed.clone()).ok();
            let (Some(holder), Some(theirs)) = (holder, theirs) else { continue };
            if self.parts.broker.same_secret(one, (&holder.value, other.purpose, &theirs)) {
                alike.push(other);
            }
        }
        Ok(alike)
    }

    /// Tries, ends and tries a credential that was replaced.
    pub(crate) async fn rotated_item(&self, item: &Work, name: &IntegrationName, key: &str) -> Result<()> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let stored = get::<Credential>(&mut *tx, self.tenant(), key).await?;
        drop(tx);
        // Of an integration that has ended, its case proves this one too.
        let (Some(integration), Some(stored)) = (catalogue.integrations.get(name), stored) else {
            let mut tx = self.begin().await?;
            tx.finish(self.tenant(), item).await?;
            return Ok(tx.commit().await?);
        };
        let end = match kill::rotated_calls(integration, &catalogue.permit(name)) {
            Ok(permit) => {
                let new = catalogue.sealed(name, stored.value.purpose.first());
                let new = self.parts.broker.kill_line(
                    integration,
                    stored.value.purpose.first(),
                    new,
                    permit.clone(),
                );
                match tried(&new, true).await {
                    Ok((Tried::Accepted, _)) => self.end_rotated(integration, &stored, permit).await?,
                    Ok((Tried::Rejected, _)) => {
                        let why = format!(
                            "the new {} credential of `{name}` is turned away; the old one is left as it is until \
                             it works",
                            stored.value.purpose.first().as_str()
                        );
                        End::Told(REFUSED, why)
                    }
                    Ok((Tried::Forbidden | Tried::Unclear, _)) | Err(_) => self.not_known(&stored),
                }
            }
            Err(no) => End::Told(UNPROVEN, format!("whether the old credential of `{name}` is dead: {no}")),
        };
        self.conclude_rotation(item, integration, stored, end).await
    }

    /// Ends a credential that was replaced, and tries it. That it is about to be ended is recorded before.
    async fn end_rotated(
        &self,
        integration: &Integration,
        stored: &Stored<Credential>,
        permit: kill::KillPermit,
    ) -> Result<End> {
        let credential = &stored.value;
        let sealed: Option<Sealed> = serde_json::from_value(credential.sealed.clone()).ok();
        let line = self.parts.broker.kill_line(integration, credential.purpose, sealed.as_ref(), permit);
        // That the new one was let in shows that being forbidden is no way of being let in.
        match tried(&line, true).await {
            Ok((Tried::Rejected, answer)) => return Ok(End::Dead(answer)),
            Ok((Tried::Accepted | Tried::Forbidden, _)) => {}
            Ok((Tried::Unclear, _)) | Err(_) => return Ok(self.not_known(stored)),
        }
        let record = self
            .record(RecordKind::Sent, "rotate")
            .fact("integration", &integration.name)
            .fact("purpose", credential.purpose);
        let mut tx = self.begin().await?;
        // Whoever put the old one back, because the new one was refused, needs it.
        if let Some(sealed) = &sealed
            && self.in_use(&mut *tx, integration, credential, sealed).await?
        {
            return Ok(End::Kept);
        }
        tx.write(self.tenant(), vec![Update::new(record)], self.entropy()).await?;
        tx.commit().await?;
        // Whatever it answers, and if it answers nothing: only trying tells.
        let _ = line.revoke().await;
        Ok(match tried(&line, true).await {
            Ok((Tried::Rejected, answer)) => End::Dead(answer),
            Ok((Tried::Accepted | Tried::Forbidden, _)) => End::Told(
                ALIVE,
                format!(
                    "the {} credential that `{}` had before is still let in after it was ended: end it at the \
                     provider; it is tried again by itself",
                    credential.purpose.first().as_str(),
                    integration.name
                ),
            ),
            Ok((Tried::Unclear, _)) | Err(_) => self.not_known(stored),
        })
    }

    /// Not known yet; after a day somebody is told.
    fn not_known(&self, stored: &Stored<Credential>) -> End {
        let since = stored.value.retired.unwrap_or(stored.value.at);
        if self.now() < later(since, WINDOW_MS) {
            return End::Later;
        }
        let Credential { integration, purpose, .. } = &stored.value;
        let purpose = purpose.first().as_str();
        End::Told(
            UNPROVEN,
            format!(
                "for a day nobody has answered whether the old {purpose} credential of `{integration}` is dead"
            ),
        )
    }

    async fn conclude_rotation(
        &self,
        item: &Work,
        integration: &Integration,
        stored: Stored<Credential>,
        end: End,
    ) -> Result<()> {
        let key = stored.value.key();
        let mut tx = self.begin().await?;
        let mut updates = Vec::new();
        let mended = |codes: &[&'static str]| -> Vec<(&'static str, String)> {
            codes.iter().map(|code| (*code, key.clone())).collect()
        };
        match end {
            End::Dead(answer) => {
                let record = self
                    .record_of(&mut *tx, (RecordKind::CredentialDestroyed, "rotate"), &integration.name)
                    .await?
                    .fact("answer", answer)
                    .fact("purpose", stored.value.purpose);
                updates.push(Update::new(record).delete::<Credential>(&key, stored.revision));
                updates.extend(self.close_findings(&mut *tx, &mended(&[ALIVE, REFUSED, UNPROVEN])).await?);
                tx.write(self.tenant(), updates, self.entropy()).await?;
                self.end_sweep(&mut *tx, &integration.register.vendor).await?;
                tx.finish(self.tenant(), item).await?;
                return Ok(tx.commit().await?);
            }
            End::Told(code, message) => {
                let others: Vec<&'static str> =
                    [ALIVE, REFUSED, UNPROVEN].into_iter().filter(|other| *other != code).collect();
                updates.extend(self.close_findings(&mut *tx, &mended(&others)).await?);
                let wrong = Wrong {
                    code,
                    subject: key.clone(),
                    identity: None,
                    system: None,
                    message,
                    owner: integration.owner.clone(),
                };
                updates.extend(self.open_finding(&mut *tx, wrong).await?);
            }
            End::Later => {}
            End::Kept => {
                let record = self
                    .record_of(&mut *tx, (RecordKind::CredentialSealed, "rotate"), &integration.name)
                    .await?
                    .fact("back_in_use", stored.value.purpose.first());
                updates.push(Update::new(record).delete::<Credential>(&key, stored.revision));
                updates.extend(self.close_findings(&mut *tx, &mended(&[ALIVE, REFUSED, UNPROVEN])).await?);
                tx.write(self.tenant(), updates, self.entropy()).await?;
                tx.finish(self.tenant(), item).await?;
                return Ok(tx.commit().await?);
            }
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        let due = later(self.now(), pause_ms(item.attempts));
        tx.postpone(self.tenant(), item, due.as_millisecond(), true).await?;
        Ok(tx.commit().await?)
    }
}
