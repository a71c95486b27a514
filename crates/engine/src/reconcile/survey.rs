//! Listing everything: pages stream, and of each account that is as it was nothing is left but a bit.
//!
//! What is expected is loaded page by page too: in memory are digests, never rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
};

use bailiwick_connector::{ErrorKind, Listing, News, Object};
use bailiwick_core::{
    digest::Digest,
    id::{EntitlementName, SystemName},
    index::{Index, Match},
    nesting::Nesting,
};
use bailiwick_store::entities::{Membership, Since};

use super::{Comparing, Found, Gone, How, PAGE, Reconciled, Shown, accounts_on, nested::Lying};
use crate::{Engine, Result, observe::shown_digest};

/// What reading a system gave so far.
struct Survey {
    report: Reconciled,
    different: Vec<Shown>,
    groups: BTreeMap<String, String>,
    nesting: Nesting,
    /// Expected accounts and what they were seen to hold.
    index: Index,
    /// What accounts hold that were not expected.
    others: BTreeMap<String, Vec<usize>>,
    members: Members,
    lying: Lying,
}

/// Who is in which declared group, as far as that has to be kept.
#[derive(Default)]
struct Members {
    /// What was known before: the group, and the digest of its members.
    known: BTreeMap<EntitlementName, (Option<String>, Digest)>,
    seen: BTreeSet<EntitlementName>,
    /// Those that are not as they were known.
    changed: Vec<Membership>,
    /// Two groups have one name: news of one would not tell who holds what.
    ambiguous: bool,
}

impl Members {
    fn see(&mut self, entitlement: &EntitlementName, group: &Object<'_>) {
        self.ambiguous |= !self.seen.insert(entitlement.clone());
        let members = sorted(group);
        let id = Some(group.id.to_string());
        if self.known.get(entitlement) != Some(&(id.clone(), Digest::of_value(&members))) {
            self.changed.push(Membership { entitlement: entitlement.clone(), group: id, members });
        }
    }

    /// What is to be written, once everything was shown.
    fn finish(self) -> (Vec<Membership>, bool) {
        let Self { known, seen, mut changed, ambiguous, .. } = self;
        for (entitlement, (group, _)) in known {
            if group.is_some() && !seen.contains(&entitlement) {
                changed.push(Membership { entitlement, group: None, members: Vec::new() });
            }
        }
        (changed, ambiguous)
    }
}

/// The members of a group, ascending.
pub(super) fn sorted(group: &Object<'_>) -> Vec<String> {
    let mut members: Vec<String> = group.links.iter().map(ToString::to_string).collect();
    members.sort_unstable();
    members.dedup();
    members
}

/// Where a listing ended.
pub(super) struct End {
    pub(super) complete: bool,
    /// Where its news begin.
    next: Option<String>,
}

impl Engine {
    /// Reads everything and compares it.
    pub(super) async fn list(&self, comparing: &Comparing<'_>) -> Result<Found> {
        let mut survey = Survey {
            report: Reconciled { how: How::Listed, ..Reconciled::default() },
            different: Vec::new(),
            groups: BTreeMap::new(),
            nesting: Nesting::default(),
            index: self.expected(comparing.system, &comparing.numbered).await?,
            others: BTreeMap::new(),
            members: Members::default(),
            lying: Lying::default(),
        };
        let groups = self.memberships(comparing, &mut survey).await?;
        let accounts = if survey.report.partial.is_some() && !comparing.connector.capability().accounts {
            None
        } else {
            self.accounts(comparing, &mut survey).await?
        };
        let Survey { report, different, groups: labels, nesting, index, members, lying, .. } = survey;
        let (members, ambiguous) = members.finish();
        let whole = groups.is_some() || !comparing.connector.capability().groups;
        let since = accounts.filter(|_| report.partial.is_none() && whole && !ambiguous);
        let since = since.map(|accounts| Since { accounts, groups });
        let gone = match (&report.partial, index.unseen()) {
            (Some(_), _) | (None, 0) => Gone::Nobody,
            (None, _) => Gone::All(Box::new(move |id| index.is_missing(id))),
        };
        let (mut inside, mut nested) = (None, None);
        if report.partial.is_none() {
            let mut around = nesting.around(&comparing.declared_groups(&labels));
            inside = Some(std::mem::take(&mut around.declared));
            let label = |id: &str| nesting.label(id).cloned().unwrap_or_default();
            nested = self.nested(comparing, around, lying, label).await?;
        }
        Ok(Found { report, different, gone, groups: labels, inside, nested, members, since })
    }

    /// What a listing of the system is compared with: the digests of what is known of its accounts, loaded page
    /// by page. `numbered` are the entitlements that a listing shows, ascending.
    pub async fn expected(&self, system: &SystemName, numbered: &[EntitlementName]) -> Result<Index> {
        let mut index = Index::default();
        let mut tx = self.read().await?;
        let mut pages = accounts_on(system);
        while let Some(rows) = pages.next(&mut *tx, self.tenant()).await? {
            for stored in rows {
                let (id, mut state) = (stored.value.external_id, stored.value.state);
                // Only what a listing shows is compared: licences, for one, are not in it.
                state.entitlements.retain(|e| numbered.binary_search(e).is_ok());
                index.expect(&id, &state.digest());
            }
        }
        index.seal(numbered.len());
        Ok(index)
    }

    /// Reads all accounts; what is as it was leaves no trace but a bit. Gives where the news begin.
    async fn accounts(&self, comparing: &Comparing<'_>, survey: &mut Survey) -> Result<Option<String>> {
        let names = comparing.names();
        let numbered = &comparing.numbered;
        let mut scratch = Vec::new();
        let Survey { report, different, index, others, .. } = survey;
        let mut visit = |object: Object<'_>, _| {
            report.accounts += 1;
            comparing.seen.fetch_add(1, Ordering::Relaxed);
            let held: Vec<&EntitlementName> = match others.get(object.id.as_ref()) {
                Some(numbers) => numbers.iter().filter_map(|n| numbered.get(*n)).collect(),
                None => index.held_by(&object.id).filter_map(|n| numbered.get(n)).collect(),
            };
            let digest = shown_digest(&mut scratch, &object, names.iter().copied(), held.iter().copied());
            if index.see(&object.id, &digest) == Match::Same {
                report.unchanged += 1;
            } else {
                different.push(Shown::new(&object, &names, held.into_iter().cloned().collect()));
            }
        };
        let end = self.everything(comparing, Listing::Accounts, &mut visit).await?;
        if !end.complete {
            survey.report.partial = Some("the system did not show all accounts".into());
        }
        Ok(end.next)
    }

    /// Reads who is in which declared group. Membership is read from the groups, which are the better
    /// witness than what an account says of itself. Gives where the news begin.
    async fn memberships(&self, comparing: &Comparing<'_>, survey: &mut Survey) -> Result<Option<String>> {
        let labels = comparing.labels();
        if comparing.by_person() {
            // Whoever is asked knows a group by the name that configuration gives it.
            survey.groups = labels.keys().map(|label| ((*label).to_owned(), (*label).to_owned())).collect();
            survey.report.partial = Some("only a person can look at it".into());
            return Ok(None);
        }
        if !comparing.connector.capability().groups {
            return Ok(None);
        }
        survey.members = self.known_members(comparing).await?;
        survey.lying = self.known_nested(comparing).await?;
        let Survey { report, groups, nesting, index, others, members, lying, .. } = &mut *survey;
        let mut visit = |object: Object<'_>, news| {
            report.groups += 1;
            nesting.group(&object.id, &object.name);
            let Some(number) = labels.get(object.name.as_ref()) else {
                lying.see(&object);
                let strangers = object.links.iter().filter(|member| !index.expects(member));
                strangers.for_each(|member| nesting.member(&object.id, member));
                return;
            };
            groups.insert(object.name.to_string(), object.id.to_string());
            for member in object.links.iter().filter(|m| !index.hold(m, *number)) {
                nesting.member(&object.id, member);
                others.entry(member.to_string()).or_default().push(*number);
            }
            if let Some(entitlement) = comparing.numbered.get(*number).filter(|_| news) {
                members.see(entitlement, &object);
            }
        };
        let end = self.everything(comparing, Listing::Groups, &mut visit).await?;
        if !end.complete {
            survey.report.partial = Some("the system did not show all groups".into());
        }
        survey.others.values_mut().for_each(|numbers| numbers.sort_unstable());
        Ok(end.next)
    }

    /// What was known of who is in which group; of each only a digest stays.
    async fn known_members(&self, comparing: &Comparing<'_>) -> Result<Members> {
        let mut out = Members::default();
        let mut tx = self.read().await?;
        for name in &comparing.numbered {
            let one = bailiwick_store::get::<Membership>(&mut *tx, self.tenant(), name.as_str()).await?;
            if let Some(Membership { group, members, .. }) = one.map(|stored| stored.value) {
                out.known.insert(name.clone(), (group, Digest::of_value(&members)));
            }
        }
        Ok(out)
    }

    /// Shows everything of a listing, and whether as news: by the news of all there is where the connector has
    /// news, so that the next reading can go on from here, otherwise page by page.
    pub(super) async fn everything(
        &self,
        comparing: &Comparing<'_>,
        listing: Listing<'_>,
        visit: &mut (dyn FnMut(Object<'_>, bool) + Send),
    ) -> Result<End> {
        let (connector, line) = (comparing.connector, &comparing.line);
        let mut hear = |news: News<'_>| match news {
            News::Shown(object) => visit(object, true),
            // Without a token there is nothing that it could be the same as, or gone from.
            News::Same(_) | News::Gone(_) => {}
        };
        match connector.changes(line, listing, None, &mut hear).await {
            Ok(since) => return Ok(End { complete: since.complete, next: Some(since.next) }),
            // Some systems tell only when they are asked whether they have news; this showed nothing.
            Err(error) if error.kind == ErrorKind::Unsupported => {}
            Err(error) => return Err(error.into()),
        }
        let (mut cursor, mut complete) = (None::<String>, true);
        loop {
            let mut show = |object: Object<'_>| visit(object, false);
            let page = connector.list(line, listing, cursor.as_deref(), PAGE, &mut show).await?;
            complete &= page.complete;
            self.hold(comparing.alone, 0).await?;
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(End { complete, next: None }),
            }
        }
    }
}
