//! Groups that nobody declared and that lie in declared ones: who is in them has what those give.
//!
//! Which they are is known when all groups were shown. Of those that were known to be so before, the members are kept
//! as they are shown; those that are new are shown once more. Of all other groups nothing is kept. Between two listings
//! the news of a known one are its new members; where a group comes into it or leaves it, everything is listed.
//! The log says who came into them and left them, by the hub's own ids of the accounts: first all, then what changed. So
//! it can be told who was in them at a time.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_connector::{Listing, Object};
use bailiwick_core::{
    account::Account,
    digest::Digest,
    id::AccountId,
    nesting::{Around, Inside},
    record::RecordKind,
};
use bailiwick_store::{Filter, Pages, Select, Table, Tx, Update, entities::NestedGroup, get, select};

use super::{CHUNK, Comparing, news::Heard, survey::sorted};
use crate::{Engine, Result, finding::Wrong};

/// How many of them are read at a time: each holds its members.
const PAGE: u32 = 16;
/// The finding about a group that gives power over other access to whoever is in it, and that nobody declared.
const PRIVILEGED: &str = "group-nested-privileged";

/// Of one that was known before, no more than tells whether it is as it was.
struct Known {
    members: Digest,
    /// What it is called, and what is around it.
    place: Digest,
    /// Whether the log says who is in it.
    told: bool,
}

/// What is seen of them while groups are shown.
#[derive(Default)]
pub(super) struct Lying {
    /// By id, what was known.
    known: BTreeMap<String, Known>,
    /// The members of those that are not as they were known.
    changed: BTreeMap<String, Vec<String>>,
}

impl Lying {
    /// Notes what a group shows that nobody declared.
    pub(super) fn see(&mut self, group: &Object<'_>) {
        let Some(known) = self.known.get(group.id.as_ref()) else { return };
        let members = sorted(group);
        if Digest::of_value(&members) != known.members {
            self.changed.insert(group.id.to_string(), members);
        }
    }
}

/// What becomes known of one.
pub(super) struct Lies {
    group: String,
    label: String,
    inside: Vec<Inside>,
    /// Nothing where they are as they were known.
    members: Option<Vec<String>>,
}

/// What becomes known of all of them on a system.
#[derive(Default)]
pub(super) struct Nested {
    /// Those that are not as they were known.
    lie: Vec<Lies>,
    /// Those that lie in no declared group any more.
    gone: Vec<String>,
    /// Those that give power over other access, and the others, where all were looked at.
    powers: Vec<Wrong>,
    harmless: Vec<String>,
}

/// One of them in the news.
pub(super) struct Lain {
    before: NestedGroup,
    now: Vec<String>,
}

impl Lain {
    /// Who came and who left.
    pub(super) fn differing(&self) -> impl Iterator<Item = &String> {
        let is_in = |these: &[String], one: &String| these.binary_search(one).is_ok();
        let left = self.before.members.iter().filter(move |one| !is_in(&self.now, one));
        left.chain(self.now.iter().filter(move |one| !is_in(&self.before.members, one)))
    }
}

impl Nested {
    /// What the news tell.
    pub(super) fn heard(lain: Vec<Lain>) -> Self {
        let lies = |Lain { before, now }: Lain| Lies {
            group: before.group,
            label: before.label,
            inside: before.inside,
            members: Some(now),
        };
        Self { lie: lain.into_iter().map(lies).collect(), ..Self::default() }
    }
}

impl Engine {
    /// What was known of them before.
    pub(super) async fn known_nested(&self, comparing: &Comparing<'_>) -> Result<Lying> {
        let mut lying = Lying::default();
        let mut tx = self.read().await?;
        let theirs =
            Select::from(Table::NestedGroups).filter(Filter::Is("system", comparing.system.as_str().into()));
        let mut pages = Pages::<NestedGroup>::of(theirs, PAGE);
        while let Some(page) = pages.next(&mut *tx, self.tenant()).await? {
            for nested in page.into_iter().map(|stored| stored.value) {
                let place = place(&nested.label, &nested.inside);
                let told = nested.told.is_some();
                let known = Known { members: Digest::of_value(&nested.members), place, told };
                lying.known.insert(nested.group, known);
            }
        }
        Ok(lying)
    }

    /// What is known of them from now on, once all groups were shown. `label` says what a group is called.
    pub(super) async fn nested(
        &self,
        comparing: &Comparing<'_>,
        around: Around,
        mut lying: Lying,
        label: impl Fn(&str) -> String,
    ) -> Result<Option<Nested>> {
        let new: BTreeSet<&str> =
            around.others.keys().map(String::as_str).filter(|id| !lying.known.contains_key(*id)).collect();
        if !new.is_empty() {
            let mut visit = |object: Object<'_>, _| {
                if new.contains(object.id.as_ref()) {
                    lying.changed.insert(object.id.to_string(), sorted(&object));
                }
            };
            if !self.everything(comparing, Listing::Groups, &mut visit).await?.complete {
                return Ok(None);
            }
        }
        let mut nested = Nested::default();
        nested.gone.extend(lying.known.keys().filter(|id| !around.others.contains_key(*id)).cloned());
        for (group, inside) in around.others {
            let (label, members, known) =
                (label(&group), lying.changed.remove(&group), lying.known.get(&group));
            if members.is_none() && known.is_none() {
                // It was gone when it was to be shown once more.
                continue;
            }
            match power(comparing, &group, &label, &inside) {
                Some(wrong) => nested.powers.push(wrong),
                None => nested.harmless.push(NestedGroup::key_of(comparing.system, &group)),
            }
            let differs = |known: &Known| !known.told || known.place != place(&label, &inside);
            if members.is_some() || known.is_none_or(differs) {
                nested.lie.push(Lies { group, label, inside, members });
            }
        }
        Ok(Some(nested))
    }

    /// Those of them that are in the news; `None` where they do not tell for certain.
    pub(super) async fn lain(&self, comparing: &Comparing<'_>, heard: &Heard) -> Result<Option<Vec<Lain>>> {
        let mut lain = Vec::new();
        let mut tx = self.read().await?;
        for (id, (label, members)) in &heard.groups {
            let key = NestedGroup::key_of(comparing.system, id);
            let Some(stored) = get::<NestedGroup>(&mut *tx, self.tenant(), &key).await? else { continue };
            if stored.value.label != *label {
                return Ok(None);
            }
            if stored.value.members != *members {
                lain.push(Lain { before: stored.value, now: members.clone() });
            }
        }
        for id in &heard.groups_gone {
            let key = NestedGroup::key_of(comparing.system, id);
            if get::<NestedGroup>(&mut *tx, self.tenant(), &key).await?.is_some() {
                return Ok(None);
            }
        }
        drop(tx);
        let stays = |id: &String| heard.groups_named.contains(id);
        if heard.rest_of_groups_gone && !self.known_nested(comparing).await?.known.keys().all(stays) {
            return Ok(None);
        }
        Ok(Some(lain))
    }

    pub(super) async fn write_nested(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        nested: Nested,
    ) -> Result<()> {
        let Nested { lie, gone, powers, harmless } = nested;
        for lies in lie {
            let updates = self.write_lying(tx, comparing, lies).await?.into_iter().collect();
            tx.write(self.tenant(), updates, self.entropy()).await?;
        }
        let gone: Vec<String> =
            gone.iter().map(|group| NestedGroup::key_of(comparing.system, group)).collect();
        for key in &gone {
            let Some(stored) = get::<NestedGroup>(tx, self.tenant(), key).await? else { continue };
            let record = self
                .record(RecordKind::Observed, "reconcile")
                .fact("gone", true)
                .fact("group", &stored.value.group)
                .fact("system", comparing.system);
            let update = Update::new(record).delete::<NestedGroup>(key, stored.revision);
            tx.write(self.tenant(), vec![update], self.entropy()).await?;
        }
        let mended: Vec<_> = gone.into_iter().chain(harmless).map(|key| (PRIVILEGED, key)).collect();
        let mut updates = self.open_all(tx, powers).await?;
        for mended in mended.chunks(CHUNK) {
            updates.extend(self.close_findings(tx, mended).await?);
        }
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    /// Accounts that were not known before may be in such a group already, and then it is as it was.
    pub(super) async fn came_to_lie(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        made: &BTreeMap<&str, AccountId>,
    ) -> Result<()> {
        if made.is_empty() {
            return Ok(());
        }
        let theirs =
            Select::from(Table::NestedGroups).filter(Filter::Is("system", comparing.system.as_str().into()));
        let (mut pages, mut updates) = (Pages::<NestedGroup>::of(theirs, PAGE), Vec::new());
        while let Some(page) = pages.next(tx, self.tenant()).await? {
            for NestedGroup { group, members, .. } in page.into_iter().map(|stored| stored.value) {
                let joined: BTreeSet<AccountId> =
                    members.iter().filter_map(|member| made.get(member.as_str()).copied()).collect();
                if joined.is_empty() {
                    continue;
                }
                let record = self
                    .record(RecordKind::Observed, "reconcile")
                    .fact("group", group)
                    .fact("joined", joined)
                    .fact("system", comparing.system);
                updates.push(Update::new(record));
            }
        }
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    /// The accounts that are known by these ids of the system.
    async fn accounts_among(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        members: &[&String],
    ) -> Result<BTreeSet<AccountId>> {
        let mut found = BTreeSet::new();
        for members in members.chunks(CHUNK) {
            let locators =
                members.iter().map(|id| Account::locator_of(comparing.system, id).into()).collect();
            let asked = Select::from(Table::Accounts).filter(Filter::In("locator", locators));
            let accounts = select::<Account>(tx, self.tenant(), asked).await?;
            found.extend(accounts.into_iter().map(|stored| stored.value.id));
        }
        Ok(found)
    }

    async fn write_lying(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        lies: Lies,
    ) -> Result<Option<Update>> {
        let key = NestedGroup::key_of(comparing.system, &lies.group);
        let stored = get::<NestedGroup>(tx, self.tenant(), &key).await?;
        let before = stored.as_ref().map(|stored| &stored.value);
        let Lies { group, label, inside, members } = lies;
        let members = members.or_else(|| before.map(|before| before.members.clone())).unwrap_or_default();
        let told = before.and_then(|before| before.told);
        let (system, since) = (comparing.system.clone(), told.or(Some(self.now())));
        let now = NestedGroup { system, group, label, inside, members, told: since };
        if before.is_some_and(|before| *before == now) {
            return Ok(None);
        }
        let known = before.filter(|_| told.is_some()).map(|before| &before.members[..]).unwrap_or_default();
        let (joined, left) = (beyond(&now.members, known), beyond(known, &now.members));
        let record = self
            .record(RecordKind::Observed, "reconcile")
            .fact("group", &now.group)
            .fact("inside", &now.inside)
            .fact("joined", self.accounts_among(tx, comparing, &joined).await?)
            .fact("label", &now.label)
            .fact("left", self.accounts_among(tx, comparing, &left).await?)
            .fact("members", Digest::of_value(&now.members))
            .fact("system", &now.system)
            .fact("whole", told.is_none());
        let update = Update::new(record);
        Ok(Some(match stored {
            Some(stored) => update.replace(&now, stored.revision, self.entropy()),
            None => update.insert(&now, self.entropy()),
        }))
    }
}

/// Of the one the ids that are not in the other; both ascend.
fn beyond<'m>(these: &'m [String], those: &[String]) -> Vec<&'m String> {
    these.iter().filter(|one| those.binary_search(one).is_err()).collect()
}

fn place(label: &str, inside: &[Inside]) -> Digest {
    Digest::of_value(&(label, inside))
}

/// What is wrong where a group that nobody declared gives power over other access: nobody decides who is in it.
fn power(comparing: &Comparing<'_>, group: &str, label: &str, inside: &[Inside]) -> Option<Wrong> {
    let declared = &comparing.catalogue.entitlements;
    let privileged = |inside: &&Inside| declared.get(&inside.of).is_some_and(|e| e.privileged);
    let given: Vec<String> = inside.iter().filter(privileged).map(|inside| inside.of.to_string()).collect();
    let first = given.first()?;
    let system = comparing.system;
    Some(Wrong {
        code: "group-nested-privileged",
        subject: NestedGroup::key_of(system, group),
        identity: None,
        system: Some(system.clone()),
        message: format!(
            "whoever is in the group `{label}` on `{system}` has `{}`, and nobody decides who is: see with `bailiwick \
             who-can {first}` who that is, then take the group out there, or declare it as an entitlement",
            given.join("` and `"),
        ),
        owner: comparing.integration.owner.clone(),
    })
}
