//! Looking for anything: a person by name, address or key; an integration, a system, a policy; an id of whatever kind.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use bailiwick_core::{identity::Identity, integration::Integration, system::System};
use bailiwick_store::{Entity as _, Filter, Select, select};
use serde::Deserialize;

use super::{
    assets,
    frame::{Frame, Place, page},
    identities,
    show::Tone,
    signed_in::SignedIn,
    table::{Cell, Table},
    trouble::Trouble,
};
use crate::api::{Hub, answer::Params};

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

async fn found(hub: &Hub, frame: &Frame, sought: &str) -> Result<Vec<(&'static str, Table)>, Trouble> {
    let lower = sought.to_lowercase();
    let mut tx = hub.read().await?;
    let mut people: Vec<Identity> = Vec::new();
    let columns = [("name", lower.clone()), ("lookup", lower.clone()), ("source_key", sought.to_owned())];
    for (column, text) in columns {
        let begin = Select::from(Identity::TABLE).filter(Filter::Starts(column, text)).first_by(column, EACH);
        people.extend(select::<Identity>(&mut *tx, hub.tenant(), begin).await?.into_iter().map(|s| s.value));
    }
    people.sort_by_key(|identity| identity.id);
    people.dedup_by_key(|identity| identity.id);
    people.sort_by_key(Identity::display_name);
    let integrations: Vec<Integration> = hub.all(&mut *tx, vec![]).await?;
    let systems: Vec<System> = hub.all(&mut *tx, vec![]).await?;
    drop(tx);
    let has = |texts: &[&str]| texts.iter().any(|text| text.to_lowercase().contains(&lower));
    let people = people.iter().map(|identity| identities::row(identity, frame)).collect();
    let integrations = integrations
        .iter()
        .filter(|one| has(&[one.name.as_str(), &one.purpose, &one.register.vendor, &one.owner]));
    let integrations = integrations.map(|one| {
        let href = format!("/integrations/{}", one.name);
        vec![
            Cell::Titled(one.name.to_string(), one.purpose.clone(), href),
            Cell::text(&one.register.vendor),
            Cell::text(&one.owner),
        ]
    });
    let systems = systems.iter().filter(|one| has(&[one.name.as_str(), &one.title]));
    let systems = systems.map(|one| {
        vec![Cell::Titled(one.name.to_string(), one.title.clone(), format!("/systems/{}", one.name))]
    });
    let policies = hub.engine.policy_files().await?;
    let policies = policies.iter().filter(|file| has(&[&file.path, &file.text]));
    let policies = policies.map(|file| {
        vec![Cell::link(&file.path, format!("/policies/{}", super::signed_in::encoded(&file.path)))]
    });
    Ok(vec![
        ("People and other identities", Table::plain(identities::COLUMNS, people, ("", ""))),
        ("Integrations", Table::plain(&["integration", "vendor", "owner"], integrations.collect(), ("", ""))),
        ("Systems", Table::plain(&["system"], systems.collect(), ("", ""))),
        ("Policies", Table::plain(&["file"], policies.collect(), ("", ""))),
    ])
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
