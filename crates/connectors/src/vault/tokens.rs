//! Tokens and leases of one account. There is no index of tokens by entity: all are looked at, a bounded
//! number for each page, and whose a token is, which never changes, is remembered while it lives.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use bailiwick_connector::{Page, Result, Visit};
use bailiwick_core::scope::Operation;
use serde_json::json;

use super::{
    decode::{self, Entity, Token},
    leases,
    paging::{Phase, Place, rest},
    read::Reader,
    settings::{Batch, Orphans},
};

pub(super) const ACCESSORS: &str = "auth/token/accessors";
const LOOKUP: &str = "auth/token/lookup-accessor";
/// How many tokens, or leases, are looked at for one page.
const LOOKS: usize = 500;

/// Whose a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    /// An entity's, by its id.
    Entity(String),
    /// Nobody's: a root token, and what descends from a token that is nobody's.
    Nobody,
    /// Somebody's who is not named: made by a token, and cut off from it.
    Unnamed,
}

/// Whose tokens are, by accessor.
#[derive(Default)]
pub(super) struct Owners(Mutex<BTreeMap<String, Owner>>);

impl Owners {
    fn of(&self, accessor: &str) -> Option<Owner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(accessor).cloned()
    }

    fn learn(&self, accessor: &str, owner: Owner) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(accessor.to_owned(), owner);
    }

    /// Forgets tokens that are not among these, ascending.
    fn retain(&self, living: &[String]) {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        owners.retain(|accessor, _| living.binary_search(accessor).is_ok());
    }
}

/// What is needed to read tokens.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) owners: &'a Owners,
}

/// The ids under which tokens can be an account's: its own, and those of entities that were merged into it.
fn ids<'e>(account: &'e str, entity: Option<&'e Entity>) -> Vec<&'e str> {
    let merged = entity.and_then(|entity| entity.merged_entity_ids.as_ref()).into_iter().flatten();
    merged.map(String::as_str).chain([account]).collect()
}

impl Tokens<'_> {
    /// One page of what an account holds, whether or not the entity is still there: what was issued under its
    /// tokens outlives it.
    pub(super) async fn list(
        &self,
        account: &str,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let place = Place::of(cursor, Phase::Accessors)?;
        let entity = self.reader.entity(account).await?;
        match place.phase {
            Phase::Accessors => self.tokens(&ids(account, entity.as_ref()), place, size, visit).await,
            _ => self.leases(account, entity.as_ref(), place, visit).await,
        }
    }

    async fn tokens(&self, ids: &[&str], mut place: Place, size: u32, visit: Visit<'_>) -> Result<Page> {
        let Reader { exchange, snapshots, settings } = self.reader;
        let all = async {
            let all = exchange.keys(ACCESSORS).await?;
            self.owners.retain(&all);
            Ok(all)
        };
        let all = snapshots.keys(&mut place, all).await?;
        let (mut shown, mut looked) = (0, 0);
        for accessor in rest(&all, &place) {
            if shown >= size.max(1) || looked >= LOOKS {
                return Ok(place.goes_on());
            }
            let known = self.owners.of(accessor);
            let mine = |owner: &Owner| matches!(owner, Owner::Entity(id) if ids.contains(&id.as_str()));
            // What is held is looked at every time: it is no memory that says that it is there.
            let owner = match known.filter(|owner| !mine(owner)) {
                Some(owner) => Some(owner),
                None => {
                    looked += 1;
                    let token = self.token(accessor).await?;
                    let owner = token.as_ref().map(owner);
                    if let (Some(token), Some(true)) = (token, owner.as_ref().map(mine)) {
                        visit(decode::token(token));
                        shown += 1;
                    }
                    owner
                }
            };
            place.whole &= owner != Some(Owner::Unnamed) || settings.orphans == Orphans::Nobody;
            place.after.clone_from(accessor);
        }
        Ok(place.then(Phase::Leases).goes_on())
    }

    /// The token of an accessor, if it lives.
    pub(super) async fn token(&self, accessor: &str) -> Result<Option<Token>> {
        let asked = json!({"accessor": accessor});
        let token: Option<Token> =
            self.reader.exchange.ask(Operation::List, LOOKUP, &asked, "invalid accessor").await?;
        if let Some(token) = &token {
            self.owners.learn(accessor, owner(token));
        }
        Ok(token)
    }

    /// Whether a token is an account's.
    pub(super) async fn holds(&self, account: &str, accessor: &str) -> Result<bool> {
        let all = self.reader.exchange.keys(ACCESSORS).await?;
        // An accessor that is in no list is asked about in vain, and with an error.
        if all.binary_search_by(|known| known.as_str().cmp(accessor)).is_err() {
            return Ok(false);
        }
        let entity = self.reader.entity(account).await?;
        let ids = ids(account, entity.as_ref());
        Ok(self.token(accessor).await?.is_some_and(|token| ids.contains(&token.entity_id.as_str())))
    }

    /// The account's own leases at first, then a look for others that may be its.
    async fn leases(
        &self,
        account: &str,
        entity: Option<&Entity>,
        mut place: Place,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let reader = &self.reader;
        let batch = reader.settings.batch == Batch::Possible;
        let own = leases::own(reader, account, entity).await?;
        if place.after.is_empty() {
            own.iter().map(|id| decode::lease(id)).for_each(visit);
            // A batch token, which no list shows, is refused only while its entity is.
            place.whole &= !(batch && entity.is_some_and(|entity| !entity.disabled));
        }
        let all = leases::below(reader, &reader.settings.leases);
        let all = reader.snapshots.keys(&mut place, all).await?;
        for (looked, id) in rest(&all, &place).iter().enumerate() {
            // Once something was left out, nothing that follows can make the listing complete again.
            if !place.whole {
                break;
            }
            if looked == LOOKS {
                return Ok(place.goes_on());
            }
            place.after.clone_from(id);
            if own.binary_search(id).is_err() {
                let remaining = leases::remaining(reader, id).await?;
                // One that runs is that of a token that lives, or of a batch token.
                place.whole = remaining.is_none_or(|seconds| seconds > 0 && !batch);
            }
        }
        Ok(place.over())
    }
}

fn owner(token: &Token) -> Owner {
    let mut policies = token.policies.iter().flatten();
    match &token.entity_id {
        id if !id.is_empty() => Owner::Entity(id.clone()),
        // Only a root token makes a root token, and no entity can be given that policy.
        _ if policies.any(|policy| policy == "root") => Owner::Nobody,
        _ if token.orphan && token.path.starts_with("auth/token/create") => Owner::Unnamed,
        _ => Owner::Nobody,
    }
}
