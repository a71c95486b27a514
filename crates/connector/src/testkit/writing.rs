//! The sentences about changes. Every change has a key of its own, so that they hold for a system that
//! honours keys; only what is to be the same change again has the same key. After a change both what the
//! connector shows and what is truly there must be as asked.

use bailiwick_core::{
    access::AccessClass,
    account::{AccountAttributes, AccountValue},
    plan::Op,
};

use super::{Bench, Tested, Verdict, ensure, unexpected};
use crate::{
    AccountWrite, Applied, ConnectorError, Effect, ErrorKind, Listing, Locator, Object, ObjectState,
    ObjectValue, Outcome,
};

const READS_ONLY: Tested = Ok(Verdict::NotApplicable("it only reads"));
const NO_ACCOUNTS: Tested = Ok(Verdict::NotApplicable("it does not write accounts"));
const MAKES_NONE: Tested = Ok(Verdict::NotApplicable("it does not make accounts"));

impl Bench<'_> {
    async fn apply(&self, account: &str, op: &Op, key: &str) -> Result<Applied, ConnectorError> {
        self.connector.apply(&self.line, Some(account), op, None, key).await
    }

    fn creation(&self, name: &str, marker: &str) -> Op {
        Op::CreateAccount { marker: marker.into(), attributes: self.subject.attributes(name) }
    }

    /// Makes an account.
    async fn create(&self, name: &str, marker: &str, key: &str) -> Result<Applied, ConnectorError> {
        self.connector.apply(&self.line, None, &self.creation(name, marker), None, key).await
    }

    /// An account that may be changed: a new one, or where none can be made, the one that was there at `at`.
    async fn some(&self, name: &str, marker: &str, at: usize) -> Result<String, String> {
        match self.can(AccountWrite::Create) {
            true => self.created(name, marker).await,
            false => self.ids.accounts.get(at).cloned().ok_or_else(|| "there are too few accounts".into()),
        }
    }

    /// Makes an account; gives its id.
    async fn created(&self, name: &str, marker: &str) -> Result<String, String> {
        let applied = self.create(name, marker, &self.key()).await.map_err(unexpected("create"))?;
        self.subject.settle().await;
        let id = applied.external_id.ok_or("create gives no id")?;
        self.truly(&id, &self.creation(name, marker)).await?;
        Ok(id)
    }

    /// Applies and expects that it was done now, truly.
    async fn done(&self, account: &str, op: &Op) -> Result<(), String> {
        let what = op.words();
        let applied = self.apply(account, op, &self.key()).await.map_err(unexpected(&what))?;
        self.subject.settle().await;
        ensure(applied.outcome == Outcome::Done, || format!("{what} answers {:?}", applied.outcome))?;
        self.truly(account, op).await
    }

    async fn account(&self, id: &str) -> Result<Option<Object<'static>>, String> {
        self.connector.get(&self.reader, Locator::Account(id)).await.map_err(unexpected("get"))
    }

    async fn held(&self, account: &str, class: AccessClass) -> Result<Vec<Object<'static>>, String> {
        let what = format!("list {class} held");
        self.list(Listing::Held { account, class }, 50).await.map_err(unexpected(&what))
    }

    /// The one account that bears the marker.
    async fn marked(&self, marker: &str) -> Result<String, String> {
        let mut all = self.list(Listing::Accounts, 50).await.map_err(unexpected("list"))?;
        all.retain(|object| object.marker.as_deref() == Some(marker));
        let ids: Vec<String> = all.into_iter().map(|object| object.id.into_owned()).collect();
        match <[String; 1]>::try_from(ids) {
            Ok([id]) => Ok(id),
            Err(ids) => Err(format!("one account should bear `{marker}`, and these do: {ids:?}")),
        }
    }

    fn can(&self, write: AccountWrite) -> bool {
        self.connector.capability().writes.contains(&write)
    }

    fn writes_anything(&self) -> bool {
        let capability = self.connector.capability();
        !capability.writes.is_empty() || !capability.grants.is_empty() || !capability.removes.is_empty()
    }
}

pub(super) async fn apply_then_get_holds(bench: &Bench<'_>) -> Tested {
    if !bench.writes_anything() {
        return READS_ONLY;
    }
    bench.truth_is_as_seeded().await?;
    let capability = bench.connector.capability();
    if !capability.writes.is_empty() {
        account_life(bench).await?;
    }
    let first = bench.ids.accounts.first().ok_or("the subject has no accounts")?;
    for class in &capability.grants {
        let external_id =
            bench.subject.grantable(*class, &bench.ids).ok_or("the subject has nothing to grant")?;
        // The next class begins with a free name.
        let goes = bench.can(AccountWrite::Create) && bench.can(AccountWrite::Delete);
        let name = if goes { "kit.granted".to_owned() } else { format!("kit.{class}") };
        // One that is not in the first group.
        let id = bench.some(&name, &format!("kit-{class}"), 6).await?;
        bench.done(&id, &Op::Grant { class: *class, external_id: external_id.clone() }).await?;
        let holds = |held: &[Object<'_>]| held.iter().any(|o| o.id == external_id);
        let held = bench.held(&id, *class).await?;
        ensure(holds(&held), || format!("{class} was granted and is not held: {held:?}"))?;
        if capability.removes.contains(class) {
            bench.done(&id, &Op::Revoke { class: *class, external_id: external_id.clone() }).await?;
            let held = bench.held(&id, *class).await?;
            ensure(!holds(&held), || format!("{class} was revoked and is held: {held:?}"))?;
        }
        if goes {
            bench.done(&id, &Op::Delete).await?;
        }
    }
    for class in capability.removes.intersection(&capability.observes) {
        bench.truly_holds(first, *class).await?;
        bench.done(first, &Op::RevokeAll { class: *class }).await?;
        let held = bench.held(first, *class).await?;
        let live = held.iter().any(|o| o.state == ObjectState::Live);
        ensure(!live, || format!("all {class} were ended and some live: {held:?}"))?;
    }
    Ok(Verdict::Holds)
}

async fn account_life(bench: &Bench<'_>) -> Result<(), String> {
    let id = bench.some("kit.user", "kit-1", 4).await?;
    let seen = bench.account(&id).await?.ok_or("what was created is not there")?;
    if bench.can(AccountWrite::Create) {
        let marked = seen.marker.as_deref() == Some("kit-1");
        ensure(marked, || format!("created with the marker `kit-1`: {seen:?}"))?;
        ensure(seen.state == ObjectState::Live, || "what was created cannot be used".into())?;
        let given = bench.subject.attributes("kit.user");
        bears(&seen, &given)?;
        // By that the hub calls what it made before it has seen it.
        let name = bench.connector.sign_in().and_then(|attribute| given.get(attribute));
        let so = name.is_none_or(|name| *name == AccountValue::Text(seen.name.to_string()));
        ensure(so, || format!("made to sign in as {name:?}: {seen:?}"))?;
    }
    if bench.can(AccountWrite::Update) {
        let change = bench.subject.change(1);
        ensure(!change.is_empty(), || "the subject has no change".into())?;
        bench.done(&id, &Op::SetAttributes { attributes: change.clone() }).await?;
        bears(&bench.account(&id).await?.ok_or("it is gone after a change")?, &change)?;
    }
    let ways = bench.connector.capability().disable_ways.len();
    // Where nothing makes it usable again, one way is all that can be seen of it.
    let ways = if bench.can(AccountWrite::Enable) { ways } else { ways.min(1) };
    for way in (0..).take(ways) {
        turned(bench, &id, &Op::Disable { way }, ObjectState::Blocked).await?;
        if bench.can(AccountWrite::Enable) {
            turned(bench, &id, &Op::Enable, ObjectState::Live).await?;
        }
    }
    if !bench.can(AccountWrite::Delete) {
        return Ok(());
    }
    bench.done(&id, &Op::Delete).await?;
    match bench.account(&id).await? {
        Some(seen) if seen.state == ObjectState::Live => Err(format!("deleted and live: {seen:?}")),
        Some(_) | None => Ok(()),
    }
}

async fn turned(bench: &Bench<'_>, id: &str, op: &Op, expected: ObjectState) -> Result<(), String> {
    bench.done(id, op).await?;
    let seen = bench.account(id).await?.map(|o| o.state);
    ensure(seen == Some(expected), || format!("after {} it is {seen:?}", op.words()))
}

fn bears(object: &Object<'_>, attributes: &AccountAttributes) -> Result<(), String> {
    for (name, wanted) in attributes {
        let same = match (object.attribute(name), wanted) {
            (Some(ObjectValue::Text(a)), AccountValue::Text(b)) => a == b,
            (Some(ObjectValue::Flag(a)), AccountValue::Flag(b)) => a == b,
            (Some(ObjectValue::Many(a)), AccountValue::Many(b)) => a.iter().eq(b.iter()),
            _ => false,
        };
        ensure(same, || format!("`{name}` should be {wanted:?} and is {:?}", object.attribute(name)))?;
    }
    Ok(())
}

pub(super) async fn same_key_once(bench: &Bench<'_>) -> Tested {
    if !bench.can(AccountWrite::Create) {
        return MAKES_NONE;
    }
    let key = bench.key();
    let first = bench.create("kit.once", "kit-once", &key).await.map_err(unexpected("create"))?;
    bench.subject.settle().await;
    let after = bench.subject.truth().await;
    match bench.create("kit.once", "kit-once", &key).await {
        Ok(second) => ensure(second.external_id == first.external_id, || {
            format!("the same key made {:?} and {:?}", first.external_id, second.external_id)
        })?,
        Err(error) => ensure(error.effect == Effect::Unknown, || format!("the same key again: {error:?}"))?,
    }
    bench.unchanged(&after, "the same key again").await?;
    let id = first.external_id.ok_or("create gives no id")?;
    let there = bench.marked("kit-once").await?;
    ensure(there == id, || format!("`{id}` was made and `{there}` is there"))?;
    bench.truly(&id, &bench.creation("kit.once", "kit-once")).await?;
    for class in &bench.connector.capability().grants {
        let Some(external_id) = bench.subject.grantable(*class, &bench.ids) else { continue };
        let (op, key) = (Op::Grant { class: *class, external_id: external_id.clone() }, bench.key());
        for _ in 0..2 {
            match bench.apply(&id, &op, &key).await {
                Err(error) if error.effect == Effect::None => return Err(unexpected("grant again")(error)),
                Ok(_) | Err(_) => bench.subject.settle().await,
            }
        }
        let times = bench.held(&id, *class).await?.iter().filter(|o| o.id == external_id).count();
        ensure(times == 1, || format!("{class} was granted twice with one key and is held {times} times"))?;
        bench.truly(&id, &op).await?;
    }
    Ok(Verdict::Holds)
}

pub(super) async fn stale_is_refused(bench: &Bench<'_>) -> Tested {
    let capability = bench.connector.capability();
    if !capability.conditional || !bench.can(AccountWrite::Update) {
        return Ok(Verdict::NotApplicable("its writes are not conditional"));
    }
    let id = bench.ids.accounts.first().ok_or("the subject has no accounts")?;
    let seen = bench.account(id).await?.ok_or("the first account is not there")?;
    let version = seen.version.ok_or("it is conditional and shows no version")?;
    let set = |n| Op::SetAttributes { attributes: bench.subject.change(n) };
    let fresh = bench.connector.apply(&bench.line, Some(id), &set(1), Some(&version), &bench.key()).await;
    fresh.map_err(unexpected("a change with the current version"))?;
    bench.subject.settle().await;
    bench.truly(id, &set(1)).await?;
    let before = bench.subject.truth().await;
    match bench.connector.apply(&bench.line, Some(id), &set(2), Some(&version), &bench.key()).await {
        Ok(applied) => return Err(format!("a change with an old version answers {:?}", applied.outcome)),
        Err(e) => ensure(e.kind == ErrorKind::Stale && e.effect == Effect::None, || {
            format!("an old version: {e:?}")
        })?,
    }
    bench.unchanged(&before, "a stale change").await?;
    Ok(Verdict::Holds)
}

pub(super) async fn already_so(bench: &Bench<'_>) -> Tested {
    if !bench.writes_anything() {
        return READS_ONLY;
    }
    let capability = bench.connector.capability();
    if bench.can(AccountWrite::Create) {
        let id = bench.created("kit.again", "kit-again").await?;
        let before = bench.subject.truth().await;
        let again =
            bench.create("kit.again", "kit-again", &bench.key()).await.map_err(unexpected("create again"))?;
        ensure(again.outcome == Outcome::AlreadySo && again.external_id.as_ref() == Some(&id), || {
            format!("creating what bears the same marker answers {again:?}, it is {id}")
        })?;
        bench.unchanged(&before, "creating again").await?;
    }
    if bench.can(AccountWrite::Delete) {
        let id = bench.some("kit.gone", "kit-gone", 4).await?;
        bench.done(&id, &Op::Delete).await?;
        let before = bench.subject.truth().await;
        already(bench, &id, &Op::Delete).await?;
        bench.unchanged(&before, "deleting again").await?;
    }
    let first = bench.ids.accounts.first().ok_or("the subject has no accounts")?;
    for class in capability.removes.intersection(&capability.observes) {
        let Some(something) = bench.held(first, *class).await?.into_iter().next() else { continue };
        bench.done(first, &Op::RevokeAll { class: *class }).await?;
        let before = bench.subject.truth().await;
        already(bench, first, &Op::Revoke { class: *class, external_id: something.id.into_owned() }).await?;
        already(bench, first, &Op::RevokeAll { class: *class }).await?;
        bench.unchanged(&before, "removing what is not there").await?;
    }
    Ok(Verdict::Holds)
}

async fn already(bench: &Bench<'_>, account: &str, op: &Op) -> Result<(), String> {
    let what = op.words();
    let applied =
        bench.apply(account, op, &bench.key()).await.map_err(unexpected(&format!("{what} when it is so")))?;
    ensure(applied.outcome == Outcome::AlreadySo, || {
        format!("{what} when it is so answers {:?}", applied.outcome)
    })
}

pub(super) async fn unknown_attribute_refused(bench: &Bench<'_>) -> Tested {
    let (creates, updates) = (bench.can(AccountWrite::Create), bench.can(AccountWrite::Update));
    if !creates && !updates {
        return NO_ACCOUNTS;
    }
    let id = bench.ids.accounts.first().ok_or("the subject has no accounts")?;
    let unknown = ("noSuchAttributeOfTheKit".to_owned(), AccountValue::Text("x".into()));
    let before = bench.subject.truth().await;
    let set = Op::SetAttributes { attributes: [unknown.clone()].into_iter().collect() };
    let mut attributes = bench.subject.attributes("kit.unknown");
    attributes.extend([unknown]);
    let create = Op::CreateAccount { marker: "kit-unknown".into(), attributes };
    let wrong = [(updates, Some(id.as_str()), set), (creates, None, create)];
    for (_, account, op) in wrong.into_iter().filter(|(can, ..)| *can) {
        match bench.connector.apply(&bench.line, account, &op, None, &bench.key()).await {
            Ok(applied) => {
                return Err(format!(
                    "{} with an unknown attribute answers {:?}",
                    op.words(),
                    applied.outcome
                ));
            }
            Err(e) => {
                let refused =
                    matches!(e.kind, ErrorKind::Invalid | ErrorKind::Unsupported | ErrorKind::Settings);
                ensure(refused && e.effect == Effect::None, || format!("{}: {e:?}", op.words()))?;
            }
        }
        bench.unchanged(&before, "an unknown attribute").await?;
    }
    Ok(Verdict::Holds)
}

pub(super) async fn lost_answer_is_unknown(bench: &Bench<'_>) -> Tested {
    let (creates, updates) = (bench.can(AccountWrite::Create), bench.can(AccountWrite::Update));
    if !creates && !updates {
        return NO_ACCOUNTS;
    }
    if !bench.subject.lose_next_answer() {
        return Ok(Verdict::NotApplicable("no answer can be lost"));
    }
    if creates {
        let made = bench.create("kit.lost", "kit-lost", &bench.key()).await;
        lost(made, "create")?;
        bench.subject.settle().await;
        let id = bench.marked("kit-lost").await?;
        bench.truly(&id, &bench.creation("kit.lost", "kit-lost")).await?;
    }
    if updates {
        let id = bench.ids.accounts.first().ok_or("the subject has no accounts")?;
        let change = bench.subject.change(7);
        bench.subject.lose_next_answer();
        let set = Op::SetAttributes { attributes: change.clone() };
        lost(bench.apply(id, &set, &bench.key()).await, "a change")?;
        bench.subject.settle().await;
        bears(&bench.account(id).await?.ok_or("the account is gone")?, &change)?;
        bench.truly(id, &set).await?;
    }
    Ok(Verdict::Holds)
}

fn lost(got: Result<Applied, ConnectorError>, what: &str) -> Result<(), String> {
    match got {
        Ok(applied) => Err(format!("{what} answers {:?} though its answer was lost", applied.outcome)),
        Err(e) => ensure(e.effect == Effect::Unknown, || format!("a lost answer to {what}: {e:?}")),
    }
}

pub(super) async fn never_writes_again(bench: &Bench<'_>) -> Tested {
    if !bench.can(AccountWrite::Create) {
        return MAKES_NONE;
    }
    let Some(before) = bench.subject.writes().filter(|_| bench.subject.lose_next_answer()) else {
        return Ok(Verdict::NotApplicable("writes cannot be counted, or no answer can be lost"));
    };
    let got = bench.create("kit.never", "kit-never", &bench.key()).await;
    ensure(got.is_err(), || "the lost answer was not noticed".into())?;
    let sent = bench.subject.writes().unwrap_or(before) - before;
    ensure(sent == 1, || format!("one change was sent {sent} times"))?;
    Ok(Verdict::Holds)
}

pub(super) async fn refusal_has_no_effect(bench: &Bench<'_>) -> Tested {
    if bench.connector.capability().writes.is_empty() {
        return NO_ACCOUNTS;
    }
    let before = bench.subject.truth().await;
    let missing = [
        (AccountWrite::Update, Op::SetAttributes { attributes: bench.subject.change(1) }),
        (AccountWrite::Enable, Op::Enable),
    ];
    for (_, op) in missing.into_iter().filter(|(write, _)| bench.can(*write)) {
        match bench.apply("no-such-account", &op, &bench.key()).await {
            Ok(applied) => {
                return Err(format!("{} of a missing account answers {:?}", op.words(), applied.outcome));
            }
            Err(e) => {
                ensure(e.effect == Effect::None, || format!("{} of a missing account: {e:?}", op.words()))?
            }
        }
    }
    if !bench.can(AccountWrite::Create) {
        bench.unchanged(&before, "a refusal").await?;
        return Ok(Verdict::Holds);
    }
    // The name is taken by somebody who is not ours to adopt.
    let taken = super::Fixtures::standard().accounts.first().map(|a| a.name.clone()).unwrap_or_default();
    match bench.create(&taken, "kit-taken", &bench.key()).await {
        Ok(applied) => return Err(format!("creating a taken name answers {applied:?}")),
        Err(e) => ensure(e.kind == ErrorKind::AlreadyExists && e.effect == Effect::None, || {
            format!("a taken name: {e:?}")
        })?,
    }
    bench.unchanged(&before, "a refusal").await?;
    Ok(Verdict::Holds)
}
