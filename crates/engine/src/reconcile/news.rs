//! Looking only at what is new: the cost follows what changed, not how much there is.
//!
//! A group in the news is shown with its members; who has left it is known from [`Membership`], and, where the
//! hub itself gave or took it since, from the accounts that it changed. Whatever cannot be told from the news
//! for certain is not told: then everything is listed. So it is when a group comes into a declared one, or into one
//! that lies in a declared one, or leaves it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
};

use bailiwick_connector::{ErrorKind, Listing, News};
use bailiwick_core::{
    access::AccessClass,
    account::{Account, AccountState},
    id::EntitlementName,
    index::Named,
    time::SignedDuration,
    verify::{Coverage, Witness},
};
use bailiwick_store::{
    Filter, Select, Table, Tx,
    entities::{Membership, Reading, Since},
    get, select,
};

use super::{
    CHUNK, Comparing, Found, Gone, How, Reconciled, Shown,
    nested::{Lain, Nested},
    survey::sorted,
};
use crate::{Engine, Result, observe::held};

/// With more news than so many accounts everything is listed: it is compared as it comes.
const MOST: usize = 20_000;
/// How many accounts that were never known are asked for what they hold, one by one.
const ASKED: usize = 200;

/// What was heard.
#[derive(Default)]
pub(super) struct Heard {
    shown: Vec<Shown>,
    /// The groups that were shown, by id: name and members.
    pub(super) groups: BTreeMap<String, (String, Vec<String>)>,
    pub(super) groups_named: BTreeSet<String>,
    pub(super) groups_gone: BTreeSet<String>,
    pub(super) rest_of_groups_gone: bool,
    named: Named,
    gone: Vec<String>,
    rest_gone: bool,
    too_much: bool,
}

/// A declared group that is in the news.
struct Regrouped {
    number: usize,
    before: Option<Membership>,
    now: Membership,
}

impl Regrouped {
    fn had(&self) -> &[String] {
        self.before.as_ref().map_or(&[], |before| &before.members)
    }

    fn has(&self, account: &str) -> bool {
        self.now.members.binary_search_by(|member| member.as_str().cmp(account)).is_ok()
    }

    /// Who came and who left.
    fn differing(&self) -> impl Iterator<Item = &String> {
        let left = self.had().iter().filter(|account| !self.has(account));
        let came = self.now.members.iter().filter(|account| self.had().binary_search(account).is_err());
        left.chain(came)
    }
}

impl Engine {
    /// Reads the news `since` a reading before and compares them; `None` when everything has to be listed.
    pub(super) async fn hear(
        &self,
        comparing: &Comparing<'_>,
        before: &Reading,
        since: &Since,
    ) -> Result<Option<Found>> {
        let mut heard = Heard::default();
        let groups = match &since.groups {
            Some(token) => match self.hear_groups(comparing, token, &mut heard).await? {
                Some(next) => Some(next),
                None => return Ok(None),
            },
            None => None,
        };
        let Some(accounts) = self.hear_accounts(comparing, &since.accounts, &mut heard).await? else {
            return Ok(None);
        };
        heard.named.seal();
        let since = Some(Since { accounts, groups });
        let Some(regrouped) = self.regrouped(comparing, &heard).await? else { return Ok(None) };
        let Some(lain) = self.lain(comparing, &heard).await? else { return Ok(None) };
        let Some(found) = self.against_known(comparing, before, heard, &regrouped, &lain).await? else {
            return Ok(None);
        };
        let members = regrouped.into_iter().filter(|r| r.before.as_ref() != Some(&r.now));
        let members = members.map(|r| r.now).collect();
        Ok(Some(Found { members, since, nested: Some(Nested::heard(lain)), ..found }))
    }

    async fn hear_groups(
        &self,
        comparing: &Comparing<'_>,
        token: &str,
        heard: &mut Heard,
    ) -> Result<Option<String>> {
        let mut each = |news: News<'_>| match news {
            News::Shown(group) => {
                heard.groups_named.insert(group.id.to_string());
                heard.groups.insert(group.id.to_string(), (group.name.to_string(), sorted(&group)));
            }
            News::Same(id) => drop(heard.groups_named.insert(id.into_owned())),
            News::Gone(id) => drop(heard.groups_gone.insert(id.into_owned())),
        };
        let (connector, line) = (comparing.connector, &comparing.line);
        let heard_all = connector.changes(line, Listing::Groups, Some(token), &mut each).await;
        let Some(end) = taken(heard_all)? else { return Ok(None) };
        heard.rest_of_groups_gone = end.rest_is_gone;
        Ok(end.complete.then_some(end.next))
    }

    async fn hear_accounts(
        &self,
        comparing: &Comparing<'_>,
        token: &str,
        heard: &mut Heard,
    ) -> Result<Option<String>> {
        let names = comparing.names();
        let mut each = |news: News<'_>| match news {
            News::Shown(object) => {
                comparing.seen.fetch_add(1, Ordering::Relaxed);
                heard.named.add(&object.id);
                heard.too_much |= heard.shown.len() == MOST;
                if !heard.too_much {
                    heard.shown.push(Shown::new(&object, &names, Vec::new()));
                }
            }
            News::Same(id) => heard.named.add(&id),
            News::Gone(id) => heard.gone.push(id.into_owned()),
        };
        let (connector, line) = (comparing.connector, &comparing.line);
        let heard_all = connector.changes(line, Listing::Accounts, Some(token), &mut each).await;
        let Some(end) = taken(heard_all)? else { return Ok(None) };
        heard.rest_gone = end.rest_is_gone;
        Ok((end.complete && !heard.too_much).then_some(end.next))
    }

    /// The declared groups that the news are about; `None` when they do not tell for certain.
    async fn regrouped(&self, comparing: &Comparing<'_>, heard: &Heard) -> Result<Option<Vec<Regrouped>>> {
        let (mut out, labels) = (Vec::new(), comparing.labels());
        let mut tx = self.read().await?;
        for (number, name) in comparing.numbered.iter().enumerate() {
            let Some(declared) = comparing.catalogue.entitlements.get(name) else { continue };
            // Of two entitlements that are one group, the listing gives it to one.
            if labels.get(declared.label.as_str()) != Some(&number) {
                continue;
            }
            let mut bearers = heard.groups.iter().filter(|(_, (label, _))| *label == declared.label);
            let (bearer, another) = (bearers.next(), bearers.next());
            let touches = |id: &String| {
                heard.groups.contains_key(id)
                    || heard.groups_gone.contains(id)
                    || (heard.rest_of_groups_gone && !heard.groups_named.contains(id))
            };
            // Where the group is not known, only what bears its name can be it.
            let known = declared.external_id.as_ref();
            if bearer.is_none() && !known.is_some_and(touches) {
                continue;
            }
            let before = get::<Membership>(&mut *tx, self.tenant(), name.as_str()).await?.map(|s| s.value);
            let was = before.as_ref().and_then(|membership| membership.group.as_ref());
            // Two groups have the name, or another one has it beside the one that had it.
            let stays = was.is_some_and(|was| bearer.is_some_and(|(id, _)| id != was) && !touches(was));
            if another.is_some() || stays {
                return Ok(None);
            }
            let now = Membership {
                entitlement: name.clone(),
                group: bearer.map(|(id, _)| id.clone()),
                members: bearer.map(|(_, (_, members))| members.clone()).unwrap_or_default(),
            };
            // A group that was never known and is gone, or one that the news do not touch at all.
            if bearer.is_none() && !was.is_some_and(touches) {
                continue;
            }
            out.push(Regrouped { number, before, now });
        }
        Ok(Some(out))
    }

    /// What of the news differs from what is known; `None` when it cannot be told.
    async fn against_known(
        &self,
        comparing: &Comparing<'_>,
        before: &Reading,
        heard: Heard,
        regrouped: &[Regrouped],
        lain: &[Lain],
    ) -> Result<Option<Found>> {
        let differing =
            || regrouped.iter().flat_map(Regrouped::differing).chain(lain.iter().flat_map(Lain::differing));
        let mut report = Reconciled {
            how: How::News,
            accounts: heard.shown.len() as u64,
            groups: heard.groups.len() as u64,
            ..Reconciled::default()
        };
        let groups = heard.groups.into_iter().map(|(id, (label, _))| (label, id)).collect();
        let mut tx = self.read().await?;
        let mut known = BTreeMap::new();
        let shown = heard.shown.iter().map(|one| &one.external_id);
        let ids: BTreeSet<&String> = shown.chain(differing()).collect();
        let ids: Vec<&String> = ids.into_iter().collect();
        for ids in ids.chunks(CHUNK) {
            let locators = ids.iter().map(|id| Account::locator_of(comparing.system, id).into()).collect();
            let asked = Select::from(Table::Accounts).filter(Filter::In("locator", locators));
            self.remember(&mut *tx, asked, &mut known).await?;
        }
        if !regrouped.is_empty() {
            // What the hub gave or took since is not in what was known of the groups.
            let lag = i64::try_from(comparing.connector.capability().read_lag_ms).unwrap_or(i64::MAX);
            let lag = SignedDuration::from_millis(lag);
            let after = before.at.checked_sub(lag).unwrap_or(before.at).as_millisecond();
            let asked = Select::from(Table::Accounts)
                .filter(Filter::Is("system", comparing.system.as_str().into()))
                .filter(Filter::Above("seen", after));
            self.remember(&mut *tx, asked, &mut known).await?;
        }
        drop(tx);
        // A group came into a group or left one, as far as can be told: where that leads to is seen in all groups.
        let gone: BTreeSet<&String> = heard.gone.iter().collect();
        let account = |id: &String| known.contains_key(id) || heard.named.has(id) || gone.contains(id);
        if !differing().all(account) {
            return Ok(None);
        }
        let mut different = Vec::new();
        let mut strangers = Vec::new();
        for mut one in heard.shown {
            match known.remove(&one.external_id) {
                Some(account) => {
                    one.state.entitlements = holds(comparing, regrouped, &account);
                    match visible(comparing, &account.state) == one.state {
                        true => report.unchanged += 1,
                        false => different.push(one),
                    }
                }
                None => strangers.push(one),
            }
        }
        let is_gone = |id: &String| gone.contains(id) || (heard.rest_gone && !heard.named.has(id));
        for account in known.into_values().filter(|account| !is_gone(&account.external_id)) {
            let entitlements = holds(comparing, regrouped, &account);
            let before = visible(comparing, &account.state);
            if before.entitlements != entitlements {
                let state = AccountState { entitlements, ..before };
                let Account { external_id, username, .. } = account;
                different.push(Shown { external_id, username, marker: None, state });
            }
        }
        if strangers.len() > ASKED {
            return Ok(None);
        }
        for mut one in strangers {
            let Some(entitlements) = self.holds_now(comparing, &one.external_id).await? else {
                return Ok(None);
            };
            one.state.entitlements = entitlements;
            different.push(one);
        }
        let (named, rest_gone) = (heard.named, heard.rest_gone);
        let gone = match (rest_gone, heard.gone.is_empty()) {
            (true, _) => Gone::All(Box::new(move |id| !named.has(id))),
            (false, true) => Gone::Nobody,
            (false, false) => Gone::These(heard.gone),
        };
        let (inside, nested, members, since) = (None, None, Vec::new(), None);
        Ok(Some(Found { report, different, gone, groups, inside, nested, members, since }))
    }

    async fn remember(
        &self,
        tx: &mut dyn Tx,
        asked: Select,
        known: &mut BTreeMap<String, Account>,
    ) -> Result<()> {
        for stored in select::<Account>(tx, self.tenant(), asked).await? {
            known.insert(stored.value.external_id.clone(), stored.value);
        }
        Ok(())
    }

    /// The declared groups that an account is in, asked for it alone; `None` when that cannot be seen in full.
    async fn holds_now(
        &self,
        comparing: &Comparing<'_>,
        account: &str,
    ) -> Result<Option<Vec<EntitlementName>>> {
        if comparing.numbered.is_empty() || !comparing.connector.capability().groups {
            return Ok(Some(Vec::new()));
        }
        let (class, connector) = (AccessClass::DirectGroups, &**comparing.connector);
        if !connector.capability().observes.contains(&class) {
            return Ok(None);
        }
        let seen = held(connector, &comparing.line, Witness::Writer, account, class, comparing.began).await?;
        if seen.coverage != Coverage::Complete {
            return Ok(None);
        }
        let labels = comparing.labels();
        let mut numbers: Vec<usize> =
            seen.held.iter().filter_map(|group| labels.get(group.name.as_str()).copied()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        Ok(Some(numbers.into_iter().filter_map(|n| comparing.numbered.get(n).cloned()).collect()))
    }
}

/// What came of asking for news; `None` when the token is refused or there are none (any more).
fn taken(
    outcome: bailiwick_connector::Result<bailiwick_connector::Since>,
) -> Result<Option<bailiwick_connector::Since>> {
    match outcome {
        Ok(since) => Ok(Some(since)),
        Err(error) if matches!(error.kind, ErrorKind::Invalid | ErrorKind::Unsupported) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The part of a state that a listing shows.
fn visible(comparing: &Comparing<'_>, state: &AccountState) -> AccountState {
    let mut state = state.clone();
    state.entitlements.retain(|e| comparing.numbered.binary_search(e).is_ok());
    state
}

/// The declared groups that an account is in by the news; of groups that are no news, as it is known.
fn holds(comparing: &Comparing<'_>, regrouped: &[Regrouped], account: &Account) -> Vec<EntitlementName> {
    let known = |name: &EntitlementName| account.state.entitlements.contains(name);
    let news = |number: usize| regrouped.iter().find(|r| r.number == number);
    let holds = |(number, name): &(usize, &EntitlementName)| match news(*number) {
        Some(group) => group.has(&account.external_id),
        None => known(name),
    };
    comparing.numbered.iter().enumerate().filter(holds).map(|(_, name)| name.clone()).collect()
}
