//! Transfers of integrations: nobody inherits one, and none changes hands silently.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    account::AccountValue,
    approval::Refusal,
    id::{IntegrationName, TransferId},
    identity::Identity,
    integration::Integration,
    person::{Persons, Ties},
    plan::{Plan, Question},
    record::{Actor, RecordKind},
    review::{self, Consequence},
    time::{Timestamp, working_days_after},
    transfer::{DAYS, Departure, Post, Step, Transfer, TransferRefusal, TransferState},
};
use bailiwick_store::{
    Filter, Select, Stored, Table, Tx, Update,
    entities::{Credential, Operator, PlanRow},
    get, select,
};

use crate::{
    Catalogue, Engine, EngineError, Requester, Result, Waiting, configure::Declared, finding::Wrong,
    upkeep::Lack,
};

/// The finding about a transfer that nobody has accepted.
const OPEN: &str = "transfer-open";

impl Engine {
    /// Who is the same person as whom.
    pub(crate) async fn persons(&self, tx: &mut dyn Tx) -> Result<Persons> {
        let ties = select::<Ties>(tx, self.tenant(), Select::from(Table::Ties)).await?;
        let mut ties: Vec<Ties> = ties.into_iter().map(|s| s.value).collect();
        // Whoever was joined to another is the same human being.
        let merged = Select::from(Table::Identities).filter(Filter::Is("state", "merged".into()));
        for other in select::<Identity>(tx, self.tenant(), merged).await? {
            let also = [other.value.source_key.to_string()].into();
            if let Some(who) = self.followed(tx, other).await? {
                let person = who.value.source_key.to_string();
                ties.push(Ties { person, also, ..Ties::default() });
            }
        }
        Ok(Persons::new(&ties))
    }

    /// Opens a transfer of everything that people answer for who have left or moved.
    pub(crate) async fn departed(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        departed: BTreeMap<String, Departure>,
    ) -> Result<()> {
        if departed.is_empty() {
            return Ok(());
        }
        let hub = Actor::Hub("transfer".into());
        let (persons, mut left) = (self.persons(tx).await?, BTreeSet::new());
        let departed: BTreeMap<String, Departure> =
            departed.into_iter().map(|(who, why)| (persons.resolve(&who), why)).collect();
        for integration in catalogue.integrations.values() {
            for post in Post::ALL {
                let holder = post.holder(integration);
                let Some(because) = departed.get(&persons.resolve(holder)) else { continue };
                // Who answers for it now is proposed: nobody else can be known to be able to.
                let to = match post {
                    Post::Owner if self.is_here(tx, &integration.backup).await? => {
                        Some(integration.backup.clone())
                    }
                    Post::Owner | Post::Backup => None,
                };
                self.open_transfer(tx, integration, post, to, (*because, &hub)).await?;
                left.extend((*because == Departure::Left).then(|| holder.to_owned()));
            }
        }
        self.judge_owned(tx, left).await
    }

    /// Whether somebody is known and has not left.
    async fn is_here(&self, tx: &mut dyn Tx, who: &str) -> Result<bool> {
        let known = self.by_source_key(tx, who).await?;
        Ok(known.is_some_and(|s| s.value.lifecycle.gone().is_none()))
    }

    async fn transfer_open(
        &self,
        tx: &mut dyn Tx,
        name: &IntegrationName,
        post: Post,
    ) -> Result<Option<Stored<Transfer>>> {
        let asked =
            Select::from(Table::Transfers).filter(Filter::Is("open_key", format!("{name}/{post}").into()));
        Ok(select(tx, self.tenant(), asked).await?.pop())
    }

    /// Opens a transfer, or proposes somebody else in the one that is open.
    async fn open_transfer(
        &self,
        tx: &mut dyn Tx,
        integration: &Integration,
        post: Post,
        to: Option<String>,
        (because, by): (Departure, &Actor),
    ) -> Result<()> {
        let (name, now) = (&integration.name, self.now());
        let open = self.transfer_open(tx, name, post).await?;
        let transfer = match &open {
            Some(known) => {
                let known = &known.value;
                // Somebody who asked may be overtaken by who leaves; the time then counts from there.
                let worse = known.because == Departure::Asked && because != Departure::Asked;
                let state = match (&known.state, to.is_some() && to != known.to) {
                    (_, true) | (TransferState::Open, _) => TransferState::Open,
                    (other, false) => other.clone(),
                };
                Transfer {
                    to: to.or_else(|| known.to.clone()),
                    because: if worse { because } else { known.because },
                    deadline: if worse { Transfer::deadline(now) } else { known.deadline },
                    state,
                    ..known.clone()
                }
            }
            None => Transfer {
                id: TransferId::new(now, self.entropy()),
                integration: name.clone(),
                post,
                from: post.holder(integration).to_owned(),
                to,
                because,
                opened: now,
                deadline: Transfer::deadline(now),
                state: TransferState::Open,
            },
        };
        if open.as_ref().is_some_and(|open| open.value == transfer) {
            return Ok(());
        }
        let mut record = self
            .record_of(tx, (RecordKind::TransferOpened, "transfer"), name)
            .await?
            .fact("because", because)
            .fact("post", post)
            .personal("people", (&transfer.from, &transfer.to));
        record.actor = by.clone();
        let update = Update::new(record);
        let update = match open {
            Some(open) => update.replace(&transfer, open.revision, self.entropy()),
            None => update.insert(&transfer, self.entropy()),
        };
        let mut updates = vec![update];
        let time = transfer.deadline.duration_since(now);
        updates.extend(self.open_finding_within(tx, unaccepted(integration, &transfer), time).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        self.wake_watches(tx, [name.clone()]).await
    }

    /// A declaration that names somebody else is a request that they must accept.
    pub(crate) async fn request_transfers(
        &self,
        tx: &mut dyn Tx,
        declared: &Declared,
        by: &Requester,
    ) -> Result<()> {
        let (Some(before), Some(wanted)) = (&declared.before, &declared.wanted) else { return Ok(()) };
        let before = &before.value;
        for post in Post::ALL {
            let to = post.holder(wanted);
            if to != post.holder(before) {
                self.open_transfer(tx, before, post, Some(to.to_owned()), (Departure::Asked, &by.actor))
                    .await?;
            }
        }
        Ok(())
    }

    /// Proposes somebody for a post of an integration.
    pub async fn propose_transfer(
        &self,
        name: &IntegrationName,
        post: Post,
        to: &str,
        by: impl Into<Requester>,
    ) -> Result<Transfer> {
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let integration = catalogue.integration(name)?;
        if !self.is_here(&mut *tx, to).await? {
            return Err(TransferRefusal::Unknown(to.to_owned()).into());
        }
        let by: Requester = by.into();
        let asked = (Departure::Asked, &by.actor);
        self.open_transfer(&mut *tx, integration, post, Some(to.to_owned()), asked).await?;
        let open = self.transfer_open(&mut *tx, name, post).await?;
        tx.commit().await?;
        let missing = || EngineError::Inconsistent(format!("the transfer of `{name}` is not there"));
        open.map(|open| open.value).ok_or_else(missing)
    }

    /// The proposed person says that they will answer for the integration. What follows is a change like any
    /// other: gives the plans that wait for approvals.
    pub async fn accept_transfer(
        &self,
        name: &IntegrationName,
        backup: Option<&str>,
        by: &Operator,
    ) -> Result<Vec<Waiting>> {
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let integration = catalogue.integration(name)?;
        let persons = self.persons(&mut *tx).await?;
        let person = self.person_of(&mut *tx, &persons, by).await?.ok_or(Refusal::NoPerson)?;
        let mut mine = None;
        for post in Post::ALL {
            let open = self.transfer_open(&mut *tx, name, post).await?;
            let fits = |open: &Stored<Transfer>| {
                open.value.state == TransferState::Open
                    && open.value.to.as_ref().is_some_and(|to| persons.resolve(to) == person)
            };
            mine = mine.or(open.filter(fits));
        }
        let open = mine.ok_or_else(|| TransferRefusal::NotProposed(name.clone()))?;
        let to = open.value.to.clone().unwrap_or_default();
        let mut wanted = integration.clone();
        match open.value.post {
            Post::Owner => wanted.owner = to,
            Post::Backup => wanted.backup = to,
        }
        if let Some(backup) = backup {
            if !self.is_here(&mut *tx, backup).await? {
                return Err(TransferRefusal::Unknown(backup.to_owned()).into());
            }
            wanted.backup = backup.to_owned();
        }
        if persons.resolve(&wanted.owner) == persons.resolve(&wanted.backup) {
            return Err(TransferRefusal::NoBackup(name.clone()).into());
        }
        self.mark_accepted(&mut *tx, open, by).await?;
        let waiting = self.hand_over(&mut *tx, &catalogue, integration, wanted, by).await?;
        self.wake_watches(&mut *tx, [name.clone()]).await?;
        tx.commit().await?;
        Ok(waiting)
    }

    async fn mark_accepted(&self, tx: &mut dyn Tx, open: Stored<Transfer>, by: &Operator) -> Result<()> {
        let now = self.now();
        let rotate_by = working_days_after(now, DAYS);
        let state = TransferState::Accepted { by: by.name.clone(), at: now, rotate_by };
        let transfer = Transfer { state, ..open.value };
        let mut record = self
            .record_of(tx, (RecordKind::TransferAccepted, "transfer"), &transfer.integration)
            .await?
            .fact("post", transfer.post)
            .fact("rotate_by", rotate_by)
            .personal("to", &transfer.to);
        record.actor = Actor::Operator(by.name.clone());
        let mut updates = vec![Update::new(record).replace(&transfer, open.revision, self.entropy())];
        updates.extend(self.close_finding(tx, OPEN, &subject(&transfer)).await?);
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    /// The declared change by which somebody else answers for it: the one that was asked for, or a new one.
    async fn hand_over(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        integration: &Integration,
        wanted: Integration,
        by: &Operator,
    ) -> Result<Vec<Waiting>> {
        let name = &integration.name;
        let by = Requester::from(by);
        let asked = Select::from(Table::Plans).filter(Filter::Is("state", "drafted".into()));
        let drafted = select::<PlanRow>(tx, self.tenant(), asked).await?.into_iter().map(|s| s.value);
        let about = |row: &PlanRow| row.plan.governs.as_ref().is_some_and(|g| g.subject == *name);
        let drafted: Vec<PlanRow> = drafted.filter(about).collect();
        let says = |post: Post| {
            let text = AccountValue::Text(post.holder(&wanted).to_owned());
            post.holder(&wanted) == post.holder(integration)
                || drafted.iter().any(|row| row.plan.declares().get(post.as_str()) == Some(&text))
        };
        let rows = if Post::ALL.into_iter().all(says) {
            drafted
        } else {
            let before = get::<Integration>(tx, self.tenant(), name.as_str()).await?;
            let authority = catalogue.authority(name).cloned().unwrap_or_default();
            let declared = Declared { before, wanted: Some(wanted), authority };
            self.request_transfers(tx, &declared, &by).await?;
            self.draft_integration(tx, &declared, &catalogue.policies, &by).await?
        };
        self.decide_governed(tx, rows, &by).await
    }

    /// Why a plan about the hub is not to be approved yet, by anybody.
    pub(crate) async fn barred(&self, tx: &mut dyn Tx, plan: &Plan) -> Result<Option<Refusal>> {
        let Some(governs) = &plan.governs else { return Ok(None) };
        let name = &governs.subject;
        if matches!(governs.question, Question::Less | Question::Configuration) {
            return Ok(None);
        }
        let Some(before) = get::<Integration>(tx, self.tenant(), name.as_str()).await? else {
            return Ok(None);
        };
        if governs.widens
            && let Some(open) = self.review_open(tx, name).await?
            && review::consequence(open.value.due, self.now()) > Consequence::None
        {
            return Ok(Some(Refusal::ReviewOverdue(name.to_string())));
        }
        let declares = plan.declares();
        for post in Post::ALL {
            let Some(AccountValue::Text(new)) = declares.get(post.as_str()) else { continue };
            if new == post.holder(&before.value) {
                continue;
            }
            let transfer = self.transfer_open(tx, name, post).await?.map(|s| s.value);
            let accepted = transfer.is_some_and(|transfer| {
                transfer.to.as_ref() == Some(new) && matches!(transfer.state, TransferState::Accepted { .. })
            });
            if !accepted {
                let (integration, person) = (name.to_string(), new.clone());
                return Ok(Some(Refusal::NotAccepted { integration, person }));
            }
        }
        Ok(None)
    }

    /// Takes the transfers of an integration as far as time has taken them.
    pub(crate) async fn transfers_of(
        &self,
        tx: &mut dyn Tx,
        name: &IntegrationName,
        integration: Option<&Integration>,
    ) -> Result<Lack> {
        let mut lack = Lack::default();
        let oldest = self.oldest_credential(tx, name).await?;
        let of = Select::from(Table::Transfers).filter(Filter::Is("integration", name.as_str().into()));
        let all = select::<Transfer>(tx, self.tenant(), of).await?.into_iter().map(|stored| stored.value);
        let left = all.filter(|t| t.because == Departure::Left).map(|t| t.from).collect();
        for post in Post::ALL {
            let Some(open) = self.transfer_open(tx, name, post).await? else { continue };
            let now = self.now();
            let state = match open.value.step(integration, oldest, now) {
                Step::Wait(until) => {
                    lack.next.push(until);
                    continue;
                }
                Step::Missing(control) => {
                    lack.missing.push(control);
                    continue;
                }
                Step::Finish => TransferState::Done { at: now },
                Step::Drop => TransferState::Dropped { at: now },
            };
            let transfer = Transfer { state, ..open.value };
            let record = self
                .record_of(tx, (RecordKind::TransferEnded, "transfer"), name)
                .await?
                .fact("post", post)
                .fact("state", transfer.state.name());
            let mut updates = vec![Update::new(record).replace(&transfer, open.revision, self.entropy())];
            updates.extend(self.close_finding(tx, OPEN, &subject(&transfer)).await?);
            tx.write(self.tenant(), updates, self.entropy()).await?;
        }
        self.judge_owned(tx, left).await?;
        Ok(lack)
    }

    /// When the credential that was not set for longest was set.
    async fn oldest_credential(&self, tx: &mut dyn Tx, name: &IntegrationName) -> Result<Option<Timestamp>> {
        let asked = Select::from(Table::Credentials).filter(Filter::Is("integration", name.as_str().into()));
        let mine = select::<Credential>(tx, self.tenant(), asked).await?;
        Ok(mine.iter().map(|stored| stored.value.at).min())
    }
}

fn subject(transfer: &Transfer) -> String {
    format!("{}/{}", transfer.integration, transfer.post)
}

fn unaccepted(integration: &Integration, transfer: &Transfer) -> Wrong {
    let name = &integration.name;
    let other = match transfer.post {
        Post::Owner => &integration.backup,
        Post::Backup => &integration.owner,
    };
    let why = match transfer.because {
        Departure::Left => "has left",
        Departure::Moved => "has moved",
        Departure::Asked => "is to be somebody else",
    };
    let who = match &transfer.to {
        Some(to) => format!("`{to}` is proposed: `bailiwick integration accept {name}`"),
        None => format!("propose somebody: `bailiwick integration transfer {name} --to SOURCE/KEY`"),
    };
    Wrong {
        code: OPEN,
        subject: subject(transfer),
        identity: None,
        system: None,
        message: format!("the {} of `{name}` {why}; {who}", transfer.post),
        owner: other.clone(),
    }
}
