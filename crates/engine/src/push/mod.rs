//! Pushing: a source that is not read says by itself who is there, one person and one group at a time.
//!
//! What it says is an event as a delivery's is: it is accepted, decided and planned in one transaction with the
//! document that it is kept in. Limits on how much of a delivery may change mean nothing for one person and are not
//! looked at; what gives power over others is held as a delivery is. A caller says only what its certified scope
//! has; the rest is refused, recorded, and told to the owner. It is not stopped for that: who says too much of
//! somebody must still be heard when somebody leaves. Absence says nothing; only a positive word does.
//!
//! Absent on purpose: any protocol. What is pushed comes here as attributes, a state and a document.

mod group;
mod held;
mod user;

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
    sync::Arc,
};

use bailiwick_core::{
    authority::Touch,
    contract::{Arrival, Breach, Intake, Known, SourceContract, SourceRecord},
    digest::Digest,
    gate::Shut,
    guard::Would,
    id::{IntegrationName, SourceName},
    identity::{Identity, SourceKey},
    integration::{Integration, Role},
    perform::{Outside, permits_writing},
    policy::Attributes,
    record::{Actor, Record, RecordKind},
    scope::Scope,
};
use bailiwick_store::{Stored, Tx};

pub use self::{
    group::{GroupRule, GroupWrite, Removed},
    user::UserWrite,
};
use crate::{
    Catalogue, DoorRefusal, Engine, EngineError, Result,
    door::{Calls, calling},
    engagement::Delivered,
    feed::guard,
    finding::Wrong,
};

/// Why something that is pushed is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushRefusal {
    /// It is no source that pushes.
    #[error("`{0}` is no source that pushes people; declare it with the connector `scim-push`")]
    NoPusher(IntegrationName),
    /// It is outside of its scope.
    #[error("`{0}` may not say this: {1}")]
    Outside(IntegrationName, Outside),
    /// Somebody else has the value.
    #[error("somebody else of this source has this `{0}`")]
    Taken(&'static str),
    /// What is replaced was changed meanwhile.
    #[error("`{0}` was changed meanwhile; read it again")]
    Stale(String),
    /// A member that is not there.
    #[error("`{0}` is neither a user nor another group that was pushed here")]
    NoMember(String),
}

impl PushRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoPusher(_) => "integration-not-pushing",
            Self::Outside(_, outside) => outside.code(),
            Self::Taken(_) => "push-not-unique",
            Self::Stale(_) => "push-stale",
            Self::NoMember(_) => "push-member-unknown",
        }
    }
}

/// A caller whose token is valid, and what is declared.
#[derive(Clone)]
pub struct Admitted {
    catalogue: Arc<Catalogue>,
    name: IntegrationName,
}

impl Admitted {
    /// The integration that calls.
    pub fn name(&self) -> &IntegrationName {
        &self.name
    }
}

/// A source that pushes, as it is declared.
pub struct Pushing {
    catalogue: Arc<Catalogue>,
    name: IntegrationName,
    source: SourceName,
}

impl Pushing {
    /// The source that it is.
    pub fn source(&self) -> &SourceName {
        &self.source
    }

    /// The integration.
    ///
    /// # Errors
    /// `NotFound`, which does not happen: it was there when this was made.
    pub fn integration(&self) -> Result<&Integration> {
        self.catalogue.integration(&self.name)
    }

    /// What it promises.
    ///
    /// # Errors
    /// As [`integration`](Self::integration).
    pub fn contract(&self) -> Result<&SourceContract> {
        match &self.integration()?.role {
            Role::Source { contract, .. } => Ok(contract),
            Role::Target { .. } | Role::Log { .. } | Role::Partner { .. } => {
                Err(PushRefusal::NoPusher(self.name.clone()).into())
            }
        }
    }
}

/// What is to come of something that was pushed.
enum Heard {
    /// It is taken.
    Taken(Intake),
    /// It is outside of the scope.
    Outside(Outside),
    /// It is held until two people let it go.
    Held { breaches: Vec<Breach>, would: Option<Would> },
}

impl Engine {
    /// Who calls with a token, if it is one that is valid, with what is declared at this moment. Looks a digest up, so
    /// that the time it takes says nothing about tokens.
    pub async fn admit(&self, token: &str) -> Result<Option<Admitted>> {
        let mut tx = self.read().await?;
        let Some(caller) = self.caller_of(&mut *tx, token).await? else { return Ok(None) };
        let catalogue = self.catalogue(&mut *tx).await?;
        // One that has ended is not among them.
        let declared = catalogue.integrations.contains_key(&caller.integration);
        Ok(declared.then_some(Admitted { catalogue, name: caller.integration }))
    }

    /// The same for who only looks, as token and declaration were a tenth of a second ago at most.
    pub async fn admit_to_look(&self, token: &str) -> Result<Option<Admitted>> {
        let view = self.view().await?;
        let caller = self.known_caller(&view, token).await?;
        Ok(caller.map(|caller| Admitted { catalogue: Arc::clone(&view.catalogue), name: caller.integration }))
    }

    /// Whether a caller may look at what it pushed; takes one call out of its minute.
    ///
    /// # Errors
    /// [`DoorRefusal`]: it calls too often, its first gate is shut. [`PushRefusal::NoPusher`].
    pub fn looking(&self, caller: &Admitted) -> Result<Pushing> {
        let pushing = pusher_of(caller)?;
        self.keep_pace(pushing.integration()?, Calls::Look)?;
        may(&pushing, |permit| permit.reads)?;
        Ok(pushing)
    }

    /// Whether a caller may push; takes one call out of its minute, also where nothing comes of it. What is written is
    /// asked again, in its transaction.
    ///
    /// # Errors
    /// As [`looking`](Self::looking), and when its second gate is shut.
    pub fn pushing(&self, caller: &Admitted) -> Result<Pushing> {
        let pushing = pusher_of(caller)?;
        self.keep_pace(pushing.integration()?, Calls::Push)?;
        may(&pushing, |permit| permit.writes)?;
        Ok(pushing)
    }

    /// Who pushes, in the transaction in which it is taken.
    async fn pusher(&self, tx: &mut dyn Tx, caller: &IntegrationName) -> Result<Pushing> {
        let catalogue = self.catalogue(tx).await?;
        let pushing = pusher_of(&Admitted { catalogue, name: caller.clone() })?;
        may(&pushing, |permit| permit.writes)?;
        Ok(pushing)
    }

    /// Looks at what was read of something that was pushed: whether it is inside of the scope, and whether somebody
    /// would get power by it that nobody has let go.
    async fn heard(
        &self,
        tx: &mut dyn Tx,
        pushing: &Pushing,
        known: &BTreeMap<String, Known>,
        said: Digest,
        mut read: Intake,
    ) -> Result<Heard> {
        let scope = &pushing.integration()?.scope;
        for arrival in &read.arrivals {
            if let Some(outside) = outside(scope, known.get(&arrival.key), arrival) {
                return Ok(Heard::Outside(outside));
            }
        }
        let of = (pushing.source(), pushing.contract()?);
        read.breaches.extend(self.stale(tx, of, said, &read).await?);
        let would = guard(&pushing.catalogue, known, iter::empty(), &mut read)?;
        if !read.breaches.is_empty() && self.was_released(tx, pushing, said).await? {
            read.breaches.clear();
        }
        match read.breaches.is_empty() {
            true => Ok(Heard::Taken(read)),
            false => Ok(Heard::Held { breaches: read.breaches, would }),
        }
    }

    /// Accepts what was heard; gives the identities as they are now.
    async fn take_heard(
        &self,
        tx: &mut dyn Tx,
        pushing: &Pushing,
        before: &BTreeMap<String, Stored<Identity>>,
        records: &[SourceRecord],
        read: Intake,
    ) -> Result<Vec<Identity>> {
        let owed = match read.fired == Default::default() {
            true => BTreeMap::new(),
            false => self.owed(tx).await?,
        };
        let owner = pushing.integration()?.owner.as_str();
        self.hear_of_fired(tx, (pushing.source(), owner), &read.fired, before, owed).await?;
        let (source, contract) = (pushing.source(), pushing.contract()?);
        let delivered = Delivered { source, owner, contract, records };
        let accepted = self.gather(tx, &delivered, self.now(), before, read.arrivals).await?;
        let identities = accepted.iter().map(|accepted| accepted.identity.clone()).collect();
        if !accepted.is_empty() {
            self.accept(tx, accepted).await?;
        }
        for key in &read.fired.gone {
            let Some(of) = before.get(key) else { continue };
            let this = |record: &SourceKey| record.source == *source && record.key == *key;
            self.heard_of(tx, of.value.id, this, Actor::Source(source.to_string())).await?;
        }
        Ok(identities)
    }

    /// Records that something is outside of the scope, and tells the owner. Gives the refusal.
    async fn outside_of_push(&self, pushing: &Pushing, outside: Outside) -> Result<EngineError> {
        let mut tx = self.begin().await?;
        let integration = pushing.integration()?;
        let record = self.pushed_record(pushing, RecordKind::OutOfScope).fact("reason", outside.to_string());
        let wrong = Wrong {
            code: outside.code(),
            subject: integration.name.to_string(),
            identity: None,
            system: None,
            message: format!(
                "what `{}` pushed was refused, and nothing of it was used: {outside}; take it from what it sends, or \
                 have its scope widened",
                integration.name
            ),
            owner: integration.owner.clone(),
        };
        let mut updates = vec![bailiwick_store::Update::new(record)];
        updates.extend(self.renew_finding(&mut *tx, wrong).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        tx.commit().await?;
        Ok(PushRefusal::Outside(integration.name.clone(), outside).into())
    }

    fn pushed_record(&self, pushing: &Pushing, kind: RecordKind) -> Record {
        let actor = Actor::Integration(pushing.name.to_string());
        Record::new(kind, self.now(), actor, self.entropy())
            .fact("integration", &pushing.name)
            .fact("source", pushing.source())
    }
}

fn pusher_of(caller: &Admitted) -> Result<Pushing> {
    let Admitted { catalogue, name } = caller;
    let refused = || PushRefusal::NoPusher(name.clone()).into();
    let source = match &calling(catalogue, name)?.role {
        Role::Source { source, .. } => source.clone(),
        Role::Target { .. } | Role::Log { .. } | Role::Partner { .. } => return Err(refused()),
    };
    // One whose connector cannot be made has a gate that says so.
    match catalogue.capability(name).is_none_or(|able| able.pushed) {
        true => Ok(Pushing { catalogue: Arc::clone(catalogue), name: name.clone(), source }),
        false => Err(refused()),
    }
}

fn may(
    pushing: &Pushing,
    of: impl FnOnce(bailiwick_core::gate::Permit) -> std::result::Result<(), Shut>,
) -> Result<()> {
    let permit = pushing.catalogue.permit(&pushing.name);
    of(permit).map_err(|shut| DoorRefusal::Shut(pushing.name.clone(), shut).into())
}

/// The attribute by which SCIM and others say whether somebody is there.
const ACTIVE: &str = "active";

/// Why an arrival is outside of a scope: whether somebody is there is `identity`, everything else an attribute.
fn outside(scope: &Scope, known: Option<&Known>, arrival: &Arrival) -> Option<Outside> {
    let nothing = Attributes::new();
    let was = known.map_or(&nothing, |known| &known.attributes);
    let names: BTreeSet<&String> = was.keys().chain(arrival.attributes.keys()).collect();
    let changed: Vec<&String> =
        names.into_iter().filter(|name| was.get(*name) != arrival.attributes.get(*name)).collect();
    let lives = known.is_none_or(|known| known.lifecycle != arrival.lifecycle);
    if lives && !scope.acts.contains(&Touch::Identity) {
        return Some(Outside::Attribute(ACTIVE.to_owned()));
    }
    // Who somebody was and who they are to be: nobody is pushed into a population, or out of it.
    let of = known.map_or(&arrival.attributes, |known| &known.attributes);
    let inside = permits_writing(scope, changed, of);
    inside.err().or_else(|| (!scope.population.has(&arrival.attributes)).then_some(Outside::Population))
}
