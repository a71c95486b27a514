//! Sweeping a vendor after an incident there: everything that touches it, until none of its credentials is the
//! one that it was.
//!
//! A sweep is open while one integration of the vendor, live, dormant or ended, has a credential that was neither
//! set anew since nor proven dead. It closes by itself.

use bailiwick_core::{
    finding::Finding,
    id::IntegrationName,
    integration::Integration,
    record::RecordKind,
    review::Trigger,
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{Select, Stored, Table, Tx, Update, select};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Engine, EngineError, Requester, Result, finding::Wrong};

/// The finding that a sweep is open.
const OPEN: &str = "sweep-open";
/// Until when a sweep should be done.
const DEADLINE: SignedDuration = SignedDuration::from_hours(24);

/// How far the sweep is with one integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Swept {
    /// It has ended, and its provider rejects what it had.
    Dead,
    /// It has ended, and nothing proves yet that its grant is dead.
    Unproven,
    /// Each of its credentials was set anew since the sweep was opened.
    Rotated,
    /// A credential of it is the one that it was.
    Unrotated,
    /// The hub holds none of its credentials and cannot see whether they are what they were.
    Unseen,
}

impl Swept {
    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Unproven => "unproven",
            Self::Rotated => "rotated",
            Self::Unrotated => "unrotated",
            Self::Unseen => "unseen",
        }
    }

    /// Whether nothing of it is left to do.
    pub const fn is_done(self) -> bool {
        match self {
            Self::Dead | Self::Rotated => true,
            Self::Unproven | Self::Unrotated | Self::Unseen => false,
        }
    }
}

/// A sweep of a vendor, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sweep {
    /// The vendor, as the register names it.
    pub vendor: String,
    /// When it was opened; absent where none is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Timestamp>,
    /// How far it is with each integration, by name.
    pub integrations: Vec<(IntegrationName, Swept)>,
}

/// What the finding is about: the vendor, however it is written.
fn subject(vendor: &str) -> String {
    vendor.to_ascii_lowercase()
}

fn key(vendor: &str) -> String {
    format!("{OPEN}:{}", subject(vendor))
}

impl Engine {
    /// Opens a sweep of a vendor, or goes on with the one that is open: everything of it is to be reviewed, and is
    /// killed if `kill` says so.
    ///
    /// # Errors
    /// When nothing is of that vendor. One that cannot be killed now does not keep the others from it; asking
    /// again goes on.
    pub async fn sweep(&self, vendor: &str, kill: bool, by: impl Into<Requester>) -> Result<Sweep> {
        let by = by.into();
        let mut tx = self.begin().await?;
        let theirs = self.of_vendor(&mut *tx, vendor).await?;
        if theirs.is_empty() {
            return Err(EngineError::NotFound { kind: "vendor", name: vendor.to_owned() });
        }
        let live: Vec<IntegrationName> =
            theirs.iter().filter(|i| !i.has_ended()).map(|i| i.name.clone()).collect();
        if self.open_with(&mut *tx, &key(vendor)).await?.is_none() {
            let mut record = self
                .record(RecordKind::SweepOpened, "sweep")
                .fact("integrations", theirs.iter().map(|i| &i.name).collect::<Vec<_>>())
                .fact("vendor", vendor);
            record.actor = by.actor.clone();
            let wrong = Wrong {
                code: OPEN,
                subject: subject(vendor),
                identity: None,
                system: None,
                message: format!(
                    "everything of `{vendor}` is swept: set each credential anew or kill what has it; `bailiwick \
                     sweep vendor '{vendor}'` says how far it is"
                ),
                owner: "operator".into(),
            };
            let mut updates = vec![Update::new(record)];
            updates.extend(self.open_finding_within(&mut *tx, wrong, DEADLINE).await?);
            tx.write(self.tenant(), updates, self.entropy()).await?;
            for name in &live {
                self.open_review(&mut *tx, name, Trigger::VendorIncident, self.now()).await?;
            }
        }
        tx.commit().await?;
        let mut failed = None;
        for name in live.iter().filter(|_| kill) {
            failed = self.kill(name, by.clone()).await.err().or(failed);
        }
        // Where nothing of it is left to do, it ends as it begins.
        let mut tx = self.begin().await?;
        self.end_sweep(&mut *tx, vendor).await?;
        tx.commit().await?;
        match failed {
            Some(error) => Err(error),
            None => self.swept(vendor).await,
        }
    }

    /// How far the sweep of a vendor is.
    pub async fn swept(&self, vendor: &str) -> Result<Sweep> {
        let mut tx = self.read().await?;
        let open = self.open_with(&mut *tx, &key(vendor)).await?;
        let opened = open.map(|stored: Stored<Finding>| stored.value.opened);
        let integrations = self.standings(&mut *tx, vendor, opened).await?;
        match integrations.is_empty() {
            true => Err(EngineError::NotFound { kind: "vendor", name: vendor.to_owned() }),
            false => Ok(Sweep { vendor: vendor.to_owned(), opened, integrations }),
        }
    }

    /// Closes the sweep of a vendor, if it is open and nothing of it is left to do.
    pub(crate) async fn end_sweep(&self, tx: &mut dyn Tx, vendor: &str) -> Result<()> {
        let Some(open) = self.open_with(tx, &key(vendor)).await? else { return Ok(()) };
        let all = self.standings(tx, vendor, Some(open.value.opened)).await?;
        if !all.iter().all(|(_, swept)| swept.is_done()) {
            return Ok(());
        }
        let closed = self.close_finding(tx, OPEN, &subject(vendor)).await?.into_iter().collect();
        Ok(tx.write(self.tenant(), closed, self.entropy()).await?)
    }

    /// Every integration of the vendor, the ended ones too.
    async fn of_vendor(&self, tx: &mut dyn Tx, vendor: &str) -> Result<Vec<Integration>> {
        let all = select::<Integration>(tx, self.tenant(), Select::from(Table::Integrations)).await?;
        let all = all.into_iter().map(|stored| stored.value);
        Ok(all.filter(|i| i.register.vendor.eq_ignore_ascii_case(vendor)).collect())
    }

    async fn standings(
        &self,
        tx: &mut dyn Tx,
        vendor: &str,
        since: Option<Timestamp>,
    ) -> Result<Vec<(IntegrationName, Swept)>> {
        let mut out = Vec::new();
        for integration in self.of_vendor(tx, vendor).await? {
            let swept = if integration.has_ended() {
                match self.proven_dead(tx, &integration.name).await? {
                    true => Swept::Dead,
                    false => Swept::Unproven,
                }
            } else {
                let held = self.credentials_of(tx, &integration.name).await?;
                match since {
                    _ if held.is_empty() => Swept::Unseen,
                    Some(since) if held.iter().all(|stored| since < stored.value.at) => Swept::Rotated,
                    Some(_) | None => Swept::Unrotated,
                }
            };
            out.push((integration.name, swept));
        }
        Ok(out)
    }
}
