//! The systems' truth, read through the lab's back door, and whether what the hub says agrees with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use bailiwick_core::{
    access::AccessClass, account::Account, case::Cell, system::Entitlement, verify::Verdict,
};
use bailiwick_lab::{TokenStatus, TrueUser, Truth};
use serde::Serialize;

use crate::{
    acme,
    failure::{Failure, Result},
};

/// The lab's back door.
pub struct BackDoor {
    http: reqwest::Client,
    base: String,
}

impl BackDoor {
    /// Of the lab at this address.
    pub fn new(lab: SocketAddr) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build();
        let http = http.map_err(|error| {
            Failure::unreachable("lab-unreachable", "cannot set up a connection").because(&error)
        })?;
        Ok(Self { http, base: format!("http://{lab}/truth") })
    }

    /// The real state of a system.
    pub async fn of(&self, system: &str) -> Result<Truth> {
        let answer = self.http.get(format!("{}/{system}", self.base)).send().await.map_err(lost)?;
        let bytes = answer.bytes().await.map_err(lost)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Failure::refused("lab-failed", "the truth is not understood").because(&error))
    }

    /// The real state of all systems.
    pub async fn all(&self) -> Result<BTreeMap<&'static str, Truth>> {
        let mut all = BTreeMap::new();
        for system in acme::SYSTEMS {
            all.insert(system, self.of(system).await?);
        }
        Ok(all)
    }

    /// Does to a system what an administrator would, behind the hub's back.
    pub async fn seed<S: Serialize>(&self, system: &str, seed: &S) -> Result<()> {
        let body = serde_json::to_vec(seed).unwrap_or_default();
        let request = self.http.post(format!("{}/{system}/seed", self.base)).body(body);
        let answer = request.send().await.map_err(lost)?;
        if answer.status().is_success() {
            return Ok(());
        }
        let text = answer.text().await.unwrap_or_default();
        Err(Failure::refused("lab-failed", format!("`{system}` cannot be prepared: {text}")))
    }
}

fn lost(error: reqwest::Error) -> Failure {
    Failure::unreachable("lab-unreachable", "the lab does not answer").because(&error)
}

/// What is wrong with what the hub says about the accounts of a system; empty when all of it is true and
/// nothing is left out.
pub fn disagreements(accounts: &[Account], truth: &Truth, entitlements: &[Entitlement]) -> Vec<String> {
    let mine: Vec<&Account> =
        accounts.iter().filter(|account| account.system.as_str() == truth.system).collect();
    let mut against = Vec::new();
    for account in &mine {
        let place = format!("{}/{}", truth.system, account.username);
        let Some(user) = truth.users.iter().find(|user| user.id == account.external_id) else {
            against.push(format!("{place} is not there"));
            continue;
        };
        if user.active != account.state.active {
            against.push(format!(
                "{place} is said to be active: {}, and is: {}",
                account.state.active, user.active
            ));
        }
        let said: BTreeSet<&str> = entitlements
            .iter()
            .filter(|e| acme::is_group(e) && account.state.entitlements.contains(&e.name))
            .map(|e| e.label.as_str())
            .collect();
        let real = groups_of(user, truth);
        if said != real {
            against.push(format!("{place} is said to be in {said:?}, and is in {real:?}"));
        }
        let licences = |e: &&Entitlement| {
            e.class == AccessClass::Licences && account.state.entitlements.contains(&e.name)
        };
        let said: BTreeSet<&str> = entitlements.iter().filter(licences).map(|e| e.label.as_str()).collect();
        if said != user.licences.iter().map(String::as_str).collect() {
            against.push(format!("{place} is said to have {said:?}, and has {:?}", user.licences));
        }
    }
    let known: BTreeSet<&str> = mine.iter().map(|account| account.external_id.as_str()).collect();
    let unknown = truth.users.iter().filter(|user| !known.contains(user.id.as_str()));
    against.extend(unknown.map(|user| format!("{}/{} is there and not known", truth.system, user.user_name)));
    against
}

/// The names of the groups that a user is directly in.
pub fn groups_of<'t>(user: &TrueUser, truth: &'t Truth) -> BTreeSet<&'t str> {
    truth
        .groups
        .iter()
        .filter(|group| user.groups.contains(&group.id))
        .map(|group| group.display_name.as_str())
        .collect()
}

/// What is really there of a class: anything that works, anything at all.
struct Real {
    live: bool,
    there: bool,
}

fn real(user: Option<&TrueUser>, class: AccessClass) -> Option<Real> {
    let Some(user) = user else { return Some(Real { live: false, there: false }) };
    let both = |there| Some(Real { live: there, there });
    match class {
        AccessClass::PrimaryAccount => Some(Real { live: user.active && !user.hidden, there: !user.hidden }),
        AccessClass::DirectGroups => both(!user.groups.is_empty()),
        AccessClass::NestedGroups => both(user.effective_groups.difference(&user.groups).next().is_some()),
        AccessClass::Licences => both(!user.licences.is_empty()),
        AccessClass::Sessions => both(!user.sessions.is_empty()),
        AccessClass::ApiTokens => Some(Real {
            live: user.tokens.iter().any(|token| token.works),
            there: user.tokens.iter().any(|token| token.works || token.status == TokenStatus::Suspended),
        }),
        _ => None,
    }
}

/// What is to be said against a cell; nothing when it says what is so. A cell that makes no claim is only
/// right for what nobody can see.
pub fn against(cell: &Cell, user: Option<&TrueUser>) -> Option<String> {
    let says_so = match (&cell.verdict, real(user, cell.class)) {
        (Verdict::Unobservable { .. }, _) => acme::UNSEEN.contains(&cell.class),
        (Verdict::Removed, Some(real)) => !real.there,
        (Verdict::Blocked { .. }, Some(real)) => real.there && !real.live,
        (Verdict::Residual { .. }, Some(real)) => real.live,
        (Verdict::Pending { .. }, _) | (_, None) => false,
    };
    (!says_so).then(|| format!("{}/{} is called {}", cell.system, cell.class, cell.verdict.name()))
}

/// The classes of which something works for the user, that no cell calls residual.
pub fn concealed(system: &str, cells: &[Cell], user: &TrueUser) -> Vec<String> {
    let said = |class| {
        let mut cells = cells.iter().filter(|cell| cell.system.as_str() == system && cell.class == class);
        cells.any(|cell| matches!(cell.verdict, Verdict::Residual { .. }))
    };
    let works = |class: &AccessClass| real(Some(user), *class).is_some_and(|real| real.live);
    let hidden = AccessClass::ALL.into_iter().filter(|class| works(class) && !said(*class));
    hidden
        .map(|class| format!("{class} of {} on {system} works and no cell says so", user.user_name))
        .collect()
}
