//! Drilling the kill of an integration that is in use: shows that it would work, and ends nothing.
//!
//! The credentials of the integration are only tried. That the provider can tell a living credential from a dead
//! one is shown with one that nobody ever issued; that it ends one is shown with a spare one that somebody had
//! issued for the drill.

use bailiwick_connector::{
    broker::KillLine,
    seal::{Credential, Sealed, Secret},
};
use bailiwick_core::{
    digest::Digest,
    id::IntegrationName,
    kill::{self, Tried as Judged},
    record::{Actor, RecordKind},
    review::{LastDrill, Watch},
    scope_test::{Shown, Tried, passed},
};
use bailiwick_store::{Update, get};

use crate::{Engine, EngineError, Result};

impl Engine {
    /// Drills the kill of an integration; `spare` is the secret of a second credential of the same kind, which is
    /// ended. That something does not go as it must is no error; the drill says so, and a review is opened.
    ///
    /// # Errors
    /// When the integration is not in use, or nothing declares how its grant is ended.
    pub async fn drill_kill(
        &self,
        name: &IntegrationName,
        spare: Option<Secret>,
        by: Actor,
    ) -> Result<LastDrill> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let held = self.credentials_of(&mut *tx, name).await?;
        drop(tx);
        let integration = catalogue.integration(name)?;
        let permit = kill::drill_calls(integration, &catalogue.permit(name))
            .map_err(|why| EngineError::NoKill(name.clone(), why))?;
        let mut tried = Vec::new();
        let mut line = None;
        for stored in &held {
            let purpose = stored.value.purpose;
            let sealed: Option<Sealed> = serde_json::from_value(stored.value.sealed.clone()).ok();
            let own = self.parts.broker.kill_line(integration, purpose, sealed.as_ref(), permit.clone());
            let shown = judged(own.probe().await, |judged| judged == Judged::Accepted);
            tried.push(told(&format!("its {} credential is let in", purpose.as_str()), shown));
            line = Some(own);
        }
        match &line {
            Some(line) => {
                tried.push(self.made_up(line).await);
                tried.extend(self.spare(line, spare, name, &by).await?);
            }
            None => {
                let why = "the hub holds no credential of it".to_owned();
                tried.push(told("its credentials are tried", Shown::CannotBeShown { why }));
            }
        }
        let drill = LastDrill { at: self.now(), passed: passed(&tried), tried };
        self.note_drill(name, drill.clone(), by).await?;
        Ok(drill)
    }

    /// One that nobody ever issued is turned away.
    async fn made_up(&self, line: &KillLine) -> Tried {
        let salt = self.entropy().salt();
        let random = salt.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let shown = match line.alike(Secret::new(random)) {
            Ok(credential) => judged(line.probe_with(&credential).await, |judged| judged == Judged::Rejected),
            Err(error) => fails(error.code(), &error.message),
        };
        told("a credential that nobody issued is turned away", shown)
    }

    /// One that was issued for the drill is let in, ended, and turned away.
    async fn spare(
        &self,
        line: &KillLine,
        spare: Option<Secret>,
        name: &IntegrationName,
        by: &Actor,
    ) -> Result<Vec<Tried>> {
        let what = "a credential that is ended is turned away";
        let Some(spare) = spare else {
            let why = "no spare credential was given to end".to_owned();
            return Ok(vec![told(what, Shown::CannotBeShown { why })]);
        };
        let credential: Credential = match line.alike(spare) {
            Ok(credential) => credential,
            Err(error) => return Ok(vec![told(what, fails(error.code(), &error.message))]),
        };
        let first = judged(line.probe_with(&credential).await, |judged| judged == Judged::Accepted);
        let mut out = vec![told("the spare credential is let in", first.clone())];
        if first != Shown::Works {
            return Ok(out);
        }
        let mut record = self.record(RecordKind::Sent, "drill").fact("integration", name).fact("spare", true);
        record.actor = by.clone();
        let mut tx = self.begin().await?;
        tx.write(self.tenant(), vec![Update::new(record)], self.entropy()).await?;
        tx.commit().await?;
        // Whatever it answers, and if it answers nothing: only trying tells.
        let _ = line.revoke_with(&credential).await;
        out.push(told(what, judged(line.probe_with(&credential).await, |judged| judged == Judged::Rejected)));
        Ok(out)
    }

    /// Keeps how a drill went; one that failed opens a review.
    pub async fn note_drill(&self, name: &IntegrationName, drill: LastDrill, by: Actor) -> Result<()> {
        let mut tx = self.begin().await?;
        self.wake_watches(&mut *tx, [name.clone()]).await?;
        if let Some(known) = get::<Watch>(&mut *tx, self.tenant(), name.as_str()).await? {
            let mut record = self
                .record_of(&mut *tx, (RecordKind::KillDrilled, "drill"), name)
                .await?
                .fact("passed", drill.passed)
                .fact("tried", Digest::of_value(&drill.tried));
            record.actor = by;
            let watch = Watch { drill: Some(drill), ..known.value };
            let update = Update::new(record).replace(&watch, known.revision, self.entropy());
            tx.write(self.tenant(), vec![update], self.entropy()).await?;
        }
        Ok(tx.commit().await?)
    }
}

fn told(what: &str, shown: Shown) -> Tried {
    Tried { what: what.to_owned(), shown }
}

fn fails(code: &str, message: &str) -> Shown {
    Shown::Fails { code: code.to_owned(), message: message.to_owned() }
}

/// What the answer to trying one shows. A provider that forbids the call to a credential which it never let in
/// says nothing of it.
fn judged(
    answer: std::result::Result<bailiwick_connector::broker::Answer, bailiwick_connector::ConnectorError>,
    is_so: impl Fn(Judged) -> bool,
) -> Shown {
    match answer {
        Ok(answer) => match kill::judge(answer.status, false) {
            judged if is_so(judged) => Shown::Works,
            Judged::Accepted => fails("credential-accepted", "the provider lets it in"),
            Judged::Rejected => fails("credential-rejected", "the provider turns it away"),
            Judged::Forbidden | Judged::Unclear => fails(
                "credential-unclear",
                &format!("the provider answers {}, which says neither", answer.status),
            ),
        },
        Err(error) => fails(error.code(), &error.message),
    }
}
