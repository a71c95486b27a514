//! Looking for anything: a person by name, address or key; an account by its id; an integration, a system, an entitlement, an
//! operator, a policy; an id of whatever kind.
//!
//! Promises: what it costs does not grow with the number of people and accounts; of each kind so many are shown, and no more.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use bailiwick_core::{
    account::Account,
    identity::Identity,
    integration::Integration,
    policy::PolicyFile,
    system::{Entitlement, System},
};
use bailiwick_store::{Entity as _, Filter, KeyValue, Select, Tx, entities::Operator, select};
use serde::Deserialize;

use super::{
    assets,
    frame::{Frame, Place, page},
    identities,
    show::{Tone, name_of},
    signed_in::{SignedIn, encoded},
    table::{Cell, Table},
    trouble::Trouble,
};
use crate::api::{Hub, Who, answer::Params};

/// How many of each kind are shown.
const EACH: u32 = 20;

/// What is looked for.
#[derive(Default, Deserialize)]
pub struct Sought {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "search.html")]
struct Shown {
    frame: Frame,
    groups: Vec<(&'static str, Table)>,
    nothing: bool,
}

/// `GET /search?q=`
pub async fn show(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Params(Sought { q }): Params<Sought>,
) -> Result<Response, Trouble> {
    // A NUL is in no text of PostgreSQL.
    let q = q.replace('\0', " ");
    let sought = q.trim();
    if let Some(page) = page_of(sought) {
        return Ok(Redirect::to(&page).into_response());
    }
    let mut frame = Frame::of(&hub, &signed_in, Place::Search).await?;
    frame.sought = sought.to_owned();
    let groups = if sought.is_empty() { Vec::new() } else { found(&hub, &frame, sought).await? };
    let nothing = groups.iter().all(|(_, table)| table.rows.is_empty());
    page(&Shown { frame, groups, nothing })
}

/// Where an id leads.
fn page_of(sought: &str) -> Option<String> {
    let (kind, rest) = sought.split_once('_')?;
    if rest.is_empty() || !rest.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let part = match kind {
        "idn" => "identities",
        "pln" => "plans",
        "cas" => "cases",
        "tsk" => "tasks",
        "bat" => "feeds",
        "nam" => "names",
        "trm" => "terminations",
        _ => return None,
    };
    Some(format!("/{part}/{sought}"))
}

/// What is looked for, as it was typed and in small letters.
struct Words<'a> {
    typed: &'a str,
    lower: String,
}

impl Words<'_> {
    /// Whether it is anywhere in one of the texts.
    fn within(&self, texts: &[&str]) -> bool {
        texts.iter().any(|text| text.to_lowercase().contains(&self.lower))
    }
}

/// What fits, by its kind. Of what is declared there is little, and it is looked through; people and accounts, of which
/// there may be very many, are found by their indices alone.
async fn found(hub: &Hub, frame: &Frame, sought: &str) -> Result<Vec<(&'static str, Table)>, Trouble> {
    let words = Words { typed: sought, lower: sought.to_lowercase() };
    let mut tx = hub.read().await?;
    let people = people(hub, &mut *tx, &words).await?;
    let systems: Vec<System> = hub.all(&mut *tx, vec![]).await?;
    let accounts = accounts(hub, &mut *tx, &systems, &words).await?;
    let integrations: Vec<Integration> = hub.all(&mut *tx, vec![]).await?;
    let entitlements: Vec<Entitlement> = hub.all(&mut *tx, vec![]).await?;
    let operators: Vec<Operator> = hub.all(&mut *tx, vec![]).await?;
    drop(tx);
    let policies = hub.engine.policy_files().await?;
    let people = people.iter().map(|identity| identities::row(identity, frame)).collect();
    let rows = |rows, columns: &'static [&'static str]| Table::plain(columns, rows, ("", ""));
    Ok(vec![
        ("People and other identities", rows(people, identities::COLUMNS)),
        ("Accounts", rows(accounts, &["account", "on", "whose"])),
        ("Integrations", rows(of_integrations(&integrations, &words), &["integration", "vendor", "owner"])),
        ("Systems", rows(of_systems(&systems, &words), &["system"])),
        ("Entitlements", rows(of_entitlements(&entitlements, &words), &["entitlement", "class", "system"])),
        ("Operators", rows(of_operators(&operators, &words), &["operator", "is"])),
        ("Policies", rows(of_policies(&policies, &words), &["file"])),
    ])
}

/// Whoever's name, address or key begins so.
async fn people(hub: &Hub, tx: &mut dyn Tx, words: &Words<'_>) -> Result<Vec<Identity>, Trouble> {
    let mut people: Vec<Identity> = Vec::new();
    let columns = [
        ("name", words.lower.clone()),
        ("lookup", words.lower.clone()),
        ("source_key", words.typed.to_owned()),
    ];
    for (column, text) in columns {
        let begin = Select::from(Identity::TABLE).filter(Filter::Starts(column, text)).first_by(column, EACH);
        people.extend(select::<Identity>(tx, hub.tenant(), begin).await?.into_iter().map(|s| s.value));
    }
    people.sort_by_key(|identity| identity.id);
    people.dedup_by_key(|identity| identity.id);
    people.sort_by_key(Identity::display_name);
    people.truncate(EACH as usize);
    Ok(people)
}

/// The accounts that have exactly this id: the system's own, on any system or behind its name, or the hub's.
async fn accounts(
    hub: &Hub,
    tx: &mut dyn Tx,
    systems: &[System],
    words: &Words<'_>,
) -> Result<Vec<Vec<Cell>>, Trouble> {
    let mut locators: Vec<KeyValue> =
        systems.iter().map(|system| Account::locator_of(&system.name, words.typed).into()).collect();
    locators.push(words.typed.into());
    let mut accounts: Vec<Account> = hub.all(tx, vec![Filter::In("locator", locators)]).await?;
    accounts.extend(hub.all::<Account>(tx, vec![Filter::In("id", vec![words.typed.into()])]).await?);
    accounts.truncate(EACH as usize);
    let who = hub.who(tx, accounts.iter().filter_map(|account| account.identity)).await?;
    let row = |account: &Account| {
        let whose = account.identity.map(|id| Who::of(&who, id));
        vec![
            Cell::Titled(
                account.username.clone(),
                account.external_id.clone(),
                match &whose {
                    Some(who) => format!("/identities/{}", who.id),
                    None => format!("/systems/{}", account.system),
                },
            ),
            Cell::link(account.system.as_str(), format!("/systems/{}", account.system)),
            Cell::text(whose.map_or_else(|| "nobody known".to_owned(), |who| name_of(&who))),
        ]
    };
    Ok(accounts.iter().map(row).collect())
}

fn of_integrations(all: &[Integration], words: &Words<'_>) -> Vec<Vec<Cell>> {
    let fits = |one: &&Integration| {
        words.within(&[one.name.as_str(), &one.purpose, &one.register.vendor, &one.owner])
    };
    let row = |one: &Integration| {
        let href = format!("/integrations/{}", one.name);
        vec![
            Cell::Titled(one.name.to_string(), one.purpose.clone(), href),
            Cell::text(&one.register.vendor),
            Cell::text(&one.owner),
        ]
    };
    all.iter().filter(fits).take(EACH as usize).map(row).collect()
}

fn of_systems(all: &[System], words: &Words<'_>) -> Vec<Vec<Cell>> {
    let fits = |one: &&System| words.within(&[one.name.as_str(), &one.title]);
    let row = |one: &System| {
        vec![Cell::Titled(one.name.to_string(), one.title.clone(), format!("/systems/{}", one.name))]
    };
    all.iter().filter(fits).take(EACH as usize).map(row).collect()
}

fn of_entitlements(all: &[Entitlement], words: &Words<'_>) -> Vec<Vec<Cell>> {
    let fits = |one: &&Entitlement| words.within(&[one.name.as_str(), &one.label]);
    let row = |one: &Entitlement| {
        let system = one.name.system();
        let href = format!("/systems/{system}");
        vec![
            Cell::Titled(one.name.to_string(), one.label.clone(), href.clone()),
            Cell::text(one.class.to_string()),
            Cell::link(system.as_str(), href),
        ]
    };
    all.iter().filter(fits).take(EACH as usize).map(row).collect()
}

fn of_operators(all: &[Operator], words: &Words<'_>) -> Vec<Vec<Cell>> {
    let fits = |one: &&Operator| words.within(&[&one.name, one.person.as_deref().unwrap_or_default()]);
    let row = |one: &Operator| {
        vec![
            Cell::link(&one.name, format!("/operators?has={}", encoded(&one.name))),
            Cell::text(one.person.as_deref().unwrap_or("nobody who is known")),
        ]
    };
    all.iter().filter(fits).take(EACH as usize).map(row).collect()
}

fn of_policies(all: &[PolicyFile], words: &Words<'_>) -> Vec<Vec<Cell>> {
    let fits = |file: &&PolicyFile| words.within(&[&file.path, &file.text]);
    let row = |file: &PolicyFile| vec![Cell::link(&file.path, format!("/policies/{}", encoded(&file.path)))];
    all.iter().filter(fits).take(EACH as usize).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_to_its_page_and_nowhere_else() {
        for (sought, expect) in [
            ("pln_01jd3v8k5mfa8rsw1r2q9n6x4e", Some("/plans/pln_01jd3v8k5mfa8rsw1r2q9n6x4e")),
            ("idn_1", Some("/identities/idn_1")),
            ("idn_../../x", None),
            ("idn_", None),
            ("xyz_1", None),
            ("anna", None),
        ] {
            assert_eq!(page_of(sought).as_deref(), expect, "{sought}");
        }
    }
}
