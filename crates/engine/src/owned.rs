//! What a leaver answered for and knew: sub-cases of their case, on the hub's own system.
//!
//! The integrations whose posts they held are owned non-human identities: each is gone from the case when its transfer has
//! ended, which takes somebody who accepted it and credentials that were set anew, or when the integration has ended and its
//! own case is closed. The credentials of those integrations are secrets that they know: each is gone when it was set after
//! they left, or with that case. Automations that they answer for are gone when the configuration names somebody else who is
//! here, or does not have them any more; that such a change is approved is proof of it here, and of nothing on the system.
//! Absent: secrets that nothing here names.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    access::AccessClass,
    automation::Automation,
    case::{Case, Cell},
    finding::Finding,
    id::{IdentityId, IntegrationName},
    integration::Integration,
    transfer::{Departure, Transfer},
    verify::Verdict,
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, entities::Credential, get, select};

use crate::{Engine, Result, finding::Wrong};

/// The finding that who answers for an automation has left.
const OWNERLESS: &str = "automation-ownerless";

/// Whether an integration has ended.
enum End {
    Not,
    /// It has, and its own case is open.
    Unproven,
    /// Its own case is closed: its provider rejects what it had, or somebody answers for that.
    Proven,
}

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
            let ends = self.ends_of(tx, &theirs).await?;
            let known = self.known_secrets(tx, &ends, &case.value).await?;
            let owned = theirs.iter().filter(|t| match ends.get(&t.integration) {
                Some(End::Not) => !t.state.ended(),
                Some(End::Unproven) => true,
                Some(End::Proven) | None => false,
            });
            let owned = owned.map(|t| format!("{} ({})", t.integration, t.post)).collect();
            let mut changed = false;
            for (class, left) in [(AccessClass::OwnedNhis, owned), (AccessClass::KnownSecrets, known)] {
                changed |= self.judge_what_is_left(tx, &case.value, class, left).await?;
            }
            if changed {
                self.settle_case(tx, case.value.id).await?;
            }
        }
        Ok(())
    }

    /// Looks at the automations whose owners have left: each is a finding, and stands in the case of its owner.
    pub(crate) async fn judge_automations(&self, tx: &mut dyn Tx) -> Result<()> {
        let declared = select::<Automation>(tx, self.tenant(), Select::from(Table::Automations)).await?;
        let open =
            Select::from(Table::Findings).filter(Filter::Starts("open_key", Finding::key_of(OWNERLESS, "")));
        let open = select::<Finding>(tx, self.tenant(), open).await?.into_iter().map(|stored| stored.value);
        let mut left: BTreeMap<IdentityId, Vec<String>> = BTreeMap::new();
        let mut wrongs = Vec::new();
        for Automation { name, title, owner, .. } in declared.into_iter().map(|stored| stored.value) {
            let Some(owner) = owner else { continue };
            let Some(person) = self.by_source_key(tx, &owner).await? else { continue };
            if person.value.lifecycle.gone().is_some() {
                left.entry(person.value.id).or_default().push(format!("{name} ({title})"));
                wrongs.push(Wrong {
                    code: OWNERLESS,
                    subject: name.to_string(),
                    identity: Some(person.value.id),
                    system: None,
                    message: format!(
                        "`{owner}`, who answered for the automation `{name}` ({title}), has left: name somebody else as its \
                         `owner`, or end it on its system and take it out of the configuration"
                    ),
                    owner: "operator".into(),
                });
            }
        }
        let still = |finding: &Finding| wrongs.iter().any(|wrong| wrong.subject == finding.subject);
        let over: Vec<Finding> = open.filter(|finding| !still(finding)).collect();
        for person in over.iter().filter_map(|finding| finding.identity) {
            left.entry(person).or_default();
        }
        let over: Vec<_> = over.into_iter().map(|finding| (OWNERLESS, finding.subject)).collect();
        let mut updates = self.open_all(tx, wrongs).await?;
        updates.extend(self.close_findings(tx, &over).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        for (person, left) in left {
            let Some(case) = self.latest_case(tx, person).await? else { continue };
            if self.judge_what_is_left(tx, &case.value, AccessClass::Automations, left).await? {
                self.settle_case(tx, case.value.id).await?;
            }
        }
        Ok(())
    }

    async fn last_case(&self, tx: &mut dyn Tx, person: &str) -> Result<Option<Stored<Case>>> {
        let Some(identity) = self.by_source_key(tx, person).await? else { return Ok(None) };
        self.latest_case(tx, identity.value.id).await
    }

    /// Whether the integrations that they answered for have ended.
    async fn ends_of(&self, tx: &mut dyn Tx, theirs: &[&Transfer]) -> Result<BTreeMap<IntegrationName, End>> {
        let mut ends = BTreeMap::new();
        for name in theirs.iter().map(|transfer| &transfer.integration).collect::<BTreeSet<_>>() {
            let integration = get::<Integration>(tx, self.tenant(), name.as_str()).await?;
            let end = match integration.is_some_and(|stored| !stored.value.has_ended()) {
                true => End::Not,
                false => match self.case_of(tx, name).await? {
                    Some(case) if case.value.closed.is_none() => End::Unproven,
                    Some(_) | None => End::Proven,
                },
            };
            ends.insert(name.clone(), end);
        }
        Ok(ends)
    }

    /// The credentials of what they answered for that are as they were when they left.
    async fn known_secrets(
        &self,
        tx: &mut dyn Tx,
        ends: &BTreeMap<IntegrationName, End>,
        case: &Case,
    ) -> Result<Vec<String>> {
        let mut known = Vec::new();
        for (name, end) in ends {
            match end {
                End::Proven => {}
                End::Unproven => known.push(format!("{name}: not proven that its provider rejects it")),
                End::Not => {
                    let of = Filter::Is("integration", name.as_str().into());
                    let all = Select::from(Table::Credentials).filter(of);
                    let all = select::<Credential>(tx, self.tenant(), all).await?.into_iter();
                    let old = all.filter(|c| c.value.retired.is_none() && c.value.at <= case.opened);
                    known.extend(old.map(|c| format!("{name} {}", c.value.purpose.as_str())));
                }
            }
        }
        Ok(known)
    }

    /// Writes a cell, if it is another one than before; where nothing ever was there is none.
    async fn judge_what_is_left(
        &self,
        tx: &mut dyn Tx,
        case: &Case,
        class: AccessClass,
        left: Vec<String>,
    ) -> Result<bool> {
        let cell = self.cell_here(case.id, class, left, "the hub's own register");
        let before = get::<Cell>(tx, self.tenant(), &cell.key()).await?;
        let same = |before: &Stored<Cell>| before.value.verdict == cell.verdict;
        if before.as_ref().is_some_and(same) || (before.is_none() && cell.verdict == Verdict::Removed) {
            return Ok(false);
        }
        let update = Update::new(self.judged_here("owned", case.identity, &cell));
        let update = match before {
            Some(before) => update.replace(&cell, before.revision, self.entropy()),
            None => update.insert(&cell, self.entropy()),
        };
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        Ok(true)
    }
}
