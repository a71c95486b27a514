//! Reading entities and groups: pages of lists, and one by its id, name or marker.

use std::collections::BTreeMap;

use bailiwick_connector::{ConnectorError, ErrorKind, Locator, Object, Page, Result, Visit};
use bailiwick_core::scope::Operation;
use serde::Deserialize;
use serde_json::json;

use super::{
    decode::{self, Entity, Group},
    exchange::{Exchange, Trouble, data, malformed, refusal, segment, turned_away},
    paging::{Phase, Place, Snapshots, rest},
    settings::Settings,
};

const ENTITIES: &str = "identity/entity/id";
const GROUPS: &str = "identity/group/id";

/// What is needed to read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) exchange: Exchange<'a>,
    pub(super) settings: &'a Settings,
    pub(super) snapshots: &'a Snapshots,
}

/// A list of entities with their names.
#[derive(Deserialize)]
struct Named {
    key_info: BTreeMap<String, Name>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

impl Reader<'_> {
    pub(super) async fn check(&self) -> Result<()> {
        // Asked outside of the namespace, where there is no such question.
        let health = Exchange { namespace: None, ..self.exchange };
        let answer = health.send_read(health.call(Operation::Discover, "GET", "sys/health")).await?;
        let wrong = |trouble: Trouble, problem: &str| {
            let error = ConnectorError::none(ErrorKind::SystemFault, format!("the system {problem}"));
            Err(error.with_detail(trouble.code()))
        };
        match answer.status {
            // A standby hands over what it is asked to the active node.
            200 | 429 | 473 => {}
            472 => {
                return wrong(
                    Trouble::Standby,
                    "is a copy for disaster recovery; set the endpoint to the active one",
                );
            }
            501 => return wrong(Trouble::NotInitialised, "is not initialised"),
            503 => return wrong(Trouble::Sealed, "is sealed; it has to be unsealed"),
            _ => return Err(refusal("GET sys/health", false, &answer)),
        }
        let own = "auth/token/lookup-self";
        let answer = self.exchange.send_read(self.exchange.call(Operation::Discover, "GET", own)).await?;
        // Without the right to look at itself it is known all the same.
        if answer.status != 200 && (answer.status != 403 || turned_away(&answer)) {
            return Err(refusal(&format!("GET {own}"), false, &answer));
        }
        for list in [ENTITIES, GROUPS, super::tokens::ACCESSORS] {
            self.exchange.keys(list).await?;
        }
        Ok(())
    }

    /// One page of all entities.
    pub(super) async fn entities(&self, cursor: Option<&str>, size: u32, visit: Visit<'_>) -> Result<Page> {
        let mut place = Place::of(cursor, Phase::Entities)?;
        let keys = self.snapshots.keys(&mut place, self.exchange.keys(ENTITIES)).await?;
        let rest = rest(&keys, &place);
        let shown = &rest[..rest.len().min(size.clamp(1, super::PAGE) as usize)];
        for id in shown {
            // One that is gone since the list was made is not shown.
            if let Some(entity) = self.entity(id).await? {
                visit(decode::account(entity, Some(id), self.settings)?);
            }
            place.after.clone_from(id);
        }
        Ok(if shown.len() == rest.len() { place.over() } else { place.goes_on() })
    }

    /// One page of all groups.
    pub(super) async fn groups(&self, cursor: Option<&str>, size: u32, visit: Visit<'_>) -> Result<Page> {
        let mut place = Place::of(cursor, Phase::Groups)?;
        let keys = self.snapshots.keys(&mut place, self.exchange.keys(GROUPS)).await?;
        let rest = rest(&keys, &place);
        let shown = &rest[..rest.len().min(size.clamp(1, super::PAGE) as usize)];
        for id in shown {
            if let Some(group) = self.group(id).await? {
                visit(decode::group(group, id)?);
            }
            place.after.clone_from(id);
        }
        Ok(if shown.len() == rest.len() { place.over() } else { place.goes_on() })
    }

    /// One thing.
    pub(super) async fn get(&self, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        match locator {
            Locator::Account(id) => {
                let found = self.entity(id).await?;
                found.map(|entity| decode::account(entity, Some(id), self.settings)).transpose()
            }
            Locator::AccountNamed(name) => {
                // The name travels in a body, so that none can be taken for another path.
                let path = "identity/lookup/entity";
                let found = self.exchange.ask(Operation::Get, path, &json!({"name": name}), "").await?;
                found.map(|entity| decode::account(entity, None, self.settings)).transpose()
            }
            Locator::AccountMarked(marker) => {
                let found = self.marked(marker, &self.names().await?).await?;
                found.map(|entity| decode::account(entity, None, self.settings)).transpose()
            }
            Locator::Group(id) => self.group(id).await?.map(|group| decode::group(group, id)).transpose(),
            Locator::Person(_) => Err(super::unsupported("people")),
        }
    }

    /// The entity with this id.
    pub(super) async fn entity(&self, id: &str) -> Result<Option<Entity>> {
        self.exchange.read(Operation::Get, &format!("{ENTITIES}/{}", segment(id)?)).await
    }

    /// The entity with this id, which must be there.
    pub(super) async fn there(&self, id: &str) -> Result<Entity> {
        self.entity(id)
            .await?
            .ok_or_else(|| ConnectorError::none(ErrorKind::NotFound, format!("there is no entity `{id}`")))
    }

    /// The group with this id.
    pub(super) async fn group(&self, id: &str) -> Result<Option<Group>> {
        self.exchange.read(Operation::Get, &format!("{GROUPS}/{}", segment(id)?)).await
    }

    /// The ids of all entities and their names.
    pub(super) async fn names(&self) -> Result<BTreeMap<String, String>> {
        let call = self.exchange.call(Operation::List, "GET", ENTITIES).query("list", "true");
        let answer = self.exchange.send_read(call).await?;
        match answer.status {
            200 => {
                let named: Named = data(&answer)?;
                Ok(named.key_info.into_iter().map(|(id, info)| (id, info.name)).collect())
            }
            _ => match refusal(&format!("LIST {ENTITIES}"), false, &answer) {
                error if error.kind == ErrorKind::NotFound => Ok(BTreeMap::new()),
                error => Err(error),
            },
        }
    }

    /// The entity that bears the marker, byte for byte. There is no index of markers: all are read.
    ///
    /// # Errors
    /// `Malformed` if several bear it.
    pub(super) async fn marked(
        &self,
        marker: &str,
        names: &BTreeMap<String, String>,
    ) -> Result<Option<Entity>> {
        let mut found: Option<Entity> = None;
        for id in names.keys() {
            let Some(entity) = self.entity(id).await? else { continue };
            let bears = entity.metadata.as_ref().and_then(|metadata| metadata.get(&self.settings.marker));
            if bears.is_some_and(|bears| bears == marker) {
                if let Some(other) = found {
                    let (one, two) = (other.id, entity.id);
                    return Err(malformed(&format!("both `{one}` and `{two}` bear the marker `{marker}`")));
                }
                found = Some(entity);
            }
        }
        Ok(found)
    }
}
