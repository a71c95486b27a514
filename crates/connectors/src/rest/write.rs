//! Making one change. A change is one call, or one for each thing that is taken; no call is made again.

use bailiwick_connector::{Answer, Applied, ConnectorError, Effect, ErrorKind, ObjectState, Outcome, Result};
use bailiwick_core::{
    access::AccessClass,
    account::{AccountAttributes, AccountValue},
    digest::Digest,
    plan::Op,
    scope::Operation,
};
use serde_json::Value;

use super::{
    decode,
    description::{Accounts, Held, Request},
    exchange::{Aim, Answered, Extra, json, malformed, succeeded},
    read::Reader,
    template::{Holes, invalid},
    unsupported,
};

/// The attributes' holes begin with it.
const ATTRIBUTES: &str = "attributes.";

/// Makes one change.
pub(super) async fn apply(
    reader: Reader<'_>,
    account: Option<&str>,
    op: &Op,
    precondition: Option<&str>,
    key: &str,
) -> Result<Applied> {
    let condition = precondition.filter(|_| reader.api().conditional);
    let mut change = Change { reader, condition, key, done: Vec::new() };
    let made = match (op, account) {
        (Op::CreateAccount { marker, attributes }, _) => change.create(marker, attributes).await,
        (_, None) => Err(invalid(format!("to {}, an account is needed", op.words()))),
        (Op::SetAttributes { attributes }, Some(account)) => change.set(account, attributes).await,
        (Op::Enable, Some(account)) => {
            let request = change.accounts(op)?.enable.as_ref();
            change.on_account(account, op, request, Operation::Update).await
        }
        (Op::Disable { way }, Some(account)) => {
            let request = change.accounts(op)?.disable.get(usize::from(*way));
            change.on_account(account, op, request, Operation::Update).await
        }
        (Op::Delete, Some(account)) => {
            let request = change.accounts(op)?.delete.as_ref();
            change.on_account(account, op, request, Operation::Delete).await
        }
        (Op::Grant { class, external_id }, Some(account)) => {
            change.grant(account, *class, external_id, op).await
        }
        (Op::Revoke { class, external_id }, Some(account)) => {
            change.revoke(account, *class, external_id, op).await
        }
        (Op::RevokeAll { class }, Some(account)) => change.revoke_all(account, *class, op).await,
    };
    // Once something was done, a later refusal does not undo it.
    made.map_err(|error| match change.done.is_empty() {
        true => error,
        false => ConnectorError { effect: Effect::Unknown, ..error },
    })
}

/// One change under way.
struct Change<'a> {
    reader: Reader<'a>,
    /// The version that the account must still have.
    condition: Option<&'a str>,
    key: &'a str,
    /// Digests of the answers to the writes that succeeded.
    done: Vec<Digest>,
}

/// One write.
struct Write<'w> {
    operation: Operation,
    request: &'w Request,
    holes: &'w Holes,
    body: Option<Value>,
    condition: Option<&'w str>,
    /// What the request is apart from the change's key, where a change makes several.
    part: Option<&'w str>,
}

impl<'a> Change<'a> {
    fn accounts(&self, op: &Op) -> Result<&'a Accounts> {
        self.reader.accounts().map_err(|_| unsupported(&op.words()))
    }

    /// Sends a write. The outcome is `AlreadySo` for an answer that the description calls so.
    async fn send(&mut self, write: Write<'_>) -> Result<(Outcome, Answer)> {
        let Write { operation, request, holes, body, condition, part } = write;
        // A key belongs to one request.
        let key = match part {
            None => self.key.to_owned(),
            Some(part) => format!("{}.{}", self.key, Digest::of(part.as_bytes()).short()),
        };
        let extra = Extra { body, key: Some(key), condition, ..Extra::default() };
        let Answered { answer, label } = self.reader.exchange.send(operation, request, holes, extra).await?;
        let takes = matches!(operation, Operation::Delete | Operation::Revoke);
        let gone = takes && matches!(answer.status, 404 | 410);
        if gone || self.reader.exchange.is(&request.already, &answer) {
            return Ok((Outcome::AlreadySo, answer));
        }
        if succeeded(request, answer.status) {
            self.done.push(answer.digest());
            return Ok((Outcome::Done, answer));
        }
        let aim = match (operation, condition) {
            (Operation::Create, _) => Aim::Create,
            (_, Some(_)) => Aim::Conditional,
            (_, None) => Aim::Write,
        };
        Err(self.reader.exchange.refusal(&label, aim, &answer))
    }

    fn applied(&self, outcome: Outcome, answer: &Answer) -> Applied {
        let digest = match &self.done[..] {
            [] => answer.digest(),
            [one] => *one,
            several => Digest::of_parts(&several.iter().map(|digest| &digest.0[..]).collect::<Vec<_>>()),
        };
        Applied { outcome, external_id: None, version: self.version(answer), answer: digest }
    }

    /// The version that an answer gives an account.
    fn version(&self, answer: &Answer) -> Option<String> {
        let api = self.reader.api().accounts.as_ref()?;
        let at = api.version.as_ref()?;
        let body = json(answer).ok()?;
        at.text(api.item.get(&body)?).map(|version| version.into_owned())
    }

    async fn create(&mut self, marker: &str, attributes: &AccountAttributes) -> Result<Applied> {
        let op = || unsupported("create account");
        let api = self.reader.accounts().map_err(|_| op())?;
        let request = api.create.as_ref().ok_or_else(op)?;
        let mut holes = self.reader.exchange.holes([("marker", marker)]);
        fill(request, attributes, &mut holes)?;
        // What is missing is said before anything is looked for.
        request.body.iter().try_for_each(|body| body.fill(&holes).map(drop))?;
        if let Some(found) = self.found(marker).await? {
            return Ok(found);
        }
        let write = Write {
            operation: Operation::Create,
            request,
            holes: &holes,
            body: None,
            condition: None,
            part: None,
        };
        let (outcome, answer) = match self.send(write).await {
            Ok(sent) => sent,
            Err(refused) if refused.kind == ErrorKind::AlreadyExists => {
                return self.found(marker).await?.ok_or(refused);
            }
            Err(other) => return Err(other),
        };
        let body = json(&answer).unwrap_or_default();
        let made = api.item.get(&body).and_then(|item| decode::account(api, item));
        let made =
            made.filter(|made| made.marker.as_deref() == Some(marker)).map(|made| made.id.into_owned());
        let id = match made {
            Some(id) => id,
            // It was made and the answer does not say what it is: only looking tells.
            None => {
                let found = self.reader.marked(marker).await?;
                let found = found
                    .ok_or_else(|| malformed("the new account is neither in the answer nor to be found"))?;
                found.id.into_owned()
            }
        };
        Ok(Applied { external_id: Some(id), ..self.applied(outcome, &answer) })
    }

    /// The account that bears the marker already.
    async fn found(&self, marker: &str) -> Result<Option<Applied>> {
        let found = self.reader.marked(marker).await?;
        Ok(found.map(|account| Applied {
            outcome: Outcome::AlreadySo,
            answer: Digest::of_parts(&[b"found ", account.id.as_bytes()]),
            version: account.version.map(|version| version.into_owned()),
            external_id: Some(account.id.into_owned()),
        }))
    }

    async fn set(&mut self, account: &str, attributes: &AccountAttributes) -> Result<Applied> {
        let op = || unsupported("setting attributes");
        let api = self.reader.accounts().map_err(|_| op())?;
        let request = api.update.as_ref().ok_or_else(op)?;
        let mut holes = self.reader.exchange.holes([("id", account)]);
        fill(request, attributes, &mut holes)?;
        let body = self.merged(account, request, &holes).await?;
        let condition = self.condition;
        let write =
            Write { operation: Operation::Update, request, holes: &holes, body, condition, part: None };
        let (outcome, answer) = self.send(write).await?;
        Ok(self.applied(outcome, &answer))
    }

    /// For a change that is laid over the account, the whole of it.
    async fn merged(&self, account: &str, request: &Request, holes: &Holes) -> Result<Option<Value>> {
        if !request.merge {
            return Ok(None);
        }
        let api = self.reader.accounts()?;
        let current = match &api.get {
            Some(get) => self.reader.one(get, account).await?,
            None => None,
        };
        let current = current.ok_or_else(|| {
            ConnectorError::none(ErrorKind::NotFound, format!("there is no account `{account}`"))
        })?;
        let mut whole = api.item.get(&current).cloned().unwrap_or_default();
        let over = request.body.as_ref().map(|body| body.fill(holes)).transpose()?;
        overlay(&mut whole, over.unwrap_or_default());
        Ok(Some(whole))
    }

    async fn on_account(
        &mut self,
        account: &str,
        op: &Op,
        request: Option<&Request>,
        operation: Operation,
    ) -> Result<Applied> {
        let request = request.ok_or_else(|| unsupported(&op.words()))?;
        let holes = self.reader.exchange.holes([("id", account)]);
        let body = self.merged(account, request, &holes).await?;
        let condition = self.condition;
        let write = Write { operation, request, holes: &holes, body, condition, part: None };
        let (outcome, answer) = self.send(write).await?;
        Ok(self.applied(outcome, &answer))
    }

    fn held(&self, class: AccessClass, op: &Op) -> Result<&'a Held> {
        self.reader.api().held.get(&class).ok_or_else(|| unsupported(&op.words()))
    }

    /// The version of an account does not protect what it holds: it is compared before, which leaves a moment
    /// between.
    async fn unchanged(&self, account: &str) -> Result<()> {
        let Some(wanted) = self.condition else { return Ok(()) };
        match self.reader.account(account).await? {
            Some(seen) if seen.version.as_deref() != Some(wanted) => Err(ConnectorError::none(
                ErrorKind::Stale,
                format!("`{account}` was changed since it was read"),
            )),
            Some(_) | None => Ok(()),
        }
    }

    async fn grant(&mut self, account: &str, class: AccessClass, item: &str, op: &Op) -> Result<Applied> {
        let api = self.held(class, op)?;
        let request = api.grant.as_ref().ok_or_else(|| unsupported(&op.words()))?;
        let holes = self.reader.held_holes(api, account, item)?;
        self.unchanged(account).await?;
        let (held, _) = self.reader.all_held(account, class).await?;
        if held.iter().any(|thing| thing.id == item && thing.state == ObjectState::Live) {
            return Ok(so_already(account));
        }
        let write = Write {
            operation: Operation::Grant,
            request,
            holes: &holes,
            body: None,
            condition: None,
            part: None,
        };
        let (outcome, answer) = self.send(write).await?;
        Ok(Applied { version: None, ..self.applied(outcome, &answer) })
    }

    async fn revoke(&mut self, account: &str, class: AccessClass, item: &str, op: &Op) -> Result<Applied> {
        let api = self.held(class, op)?;
        if api.revoke.is_none() && api.revoke_all.is_none() {
            return Err(unsupported(&op.words()));
        }
        let holes = self.reader.held_holes(api, account, item)?;
        self.unchanged(account).await?;
        let (held, complete) = self.what_is_held(account, class).await?;
        if complete && !held.iter().any(|thing| thing == item) {
            return Ok(so_already(account));
        }
        let request = api.revoke.as_ref().ok_or_else(|| unsupported(&op.words()))?;
        let write = Write {
            operation: Operation::Revoke,
            request,
            holes: &holes,
            body: None,
            condition: None,
            part: None,
        };
        let (outcome, answer) = self.send(write).await?;
        Ok(Applied { version: None, ..self.applied(outcome, &answer) })
    }

    /// The ids of what an account holds; who is not there holds nothing. A class that cannot be listed is not
    /// all shown.
    async fn what_is_held(&self, account: &str, class: AccessClass) -> Result<(Vec<String>, bool)> {
        match self.reader.all_held(account, class).await {
            Ok((held, complete)) => {
                Ok((held.into_iter().map(|thing| thing.id.into_owned()).collect(), complete))
            }
            Err(error) if error.kind == ErrorKind::NotFound => Ok((Vec::new(), true)),
            Err(error) if error.kind == ErrorKind::Unsupported => Ok((Vec::new(), false)),
            Err(error) => Err(error),
        }
    }

    async fn revoke_all(&mut self, account: &str, class: AccessClass, op: &Op) -> Result<Applied> {
        let api = self.held(class, op)?;
        if api.revoke.is_none() && api.revoke_all.is_none() {
            return Err(unsupported(&op.words()));
        }
        self.unchanged(account).await?;
        let (held, complete) = self.what_is_held(account, class).await?;
        if held.is_empty() && complete {
            return Ok(so_already(account));
        }
        let (operation, mut last) = (Operation::Revoke, None);
        if let Some(request) = &api.revoke_all {
            let holes = self.reader.exchange.holes([("id", account)]);
            let write = Write { operation, request, holes: &holes, body: None, condition: None, part: None };
            last = Some(self.send(write).await?);
        } else if let Some(request) = &api.revoke {
            for item in &held {
                let holes = self.reader.held_holes(api, account, item)?;
                let part = Some(item.as_str());
                let write = Write { operation, request, holes: &holes, body: None, condition: None, part };
                last = Some(self.send(write).await?);
            }
            if !complete {
                return Err(malformed("the system did not show everything; what it showed was taken"));
            }
        }
        let outcome = if self.done.is_empty() { Outcome::AlreadySo } else { Outcome::Done };
        let applied = last.map(|(_, answer)| Applied { version: None, ..self.applied(outcome, &answer) });
        Ok(applied.unwrap_or_else(|| so_already(account)))
    }
}

fn so_already(account: &str) -> Applied {
    let answer = Digest::of_parts(&[b"already so ", account.as_bytes()]);
    Applied { outcome: Outcome::AlreadySo, external_id: None, version: None, answer }
}

/// Gives the attributes to the holes of a call, which must have one for each.
fn fill(request: &Request, attributes: &AccountAttributes, holes: &mut Holes) -> Result<()> {
    let body = request.body.iter().flat_map(|body| body.holes());
    let query = request.query.values().flat_map(|text| text.holes());
    let known: Vec<&str> = body.chain(query).filter_map(|name| name.strip_prefix(ATTRIBUTES)).collect();
    for (name, value) in attributes {
        if !known.contains(&name.as_str()) {
            let message = format!("`{}` has no place for the attribute `{name}`", request.call);
            return Err(invalid(message));
        }
        let value = match value {
            AccountValue::Text(text) => text.as_str().into(),
            AccountValue::Flag(flag) => (*flag).into(),
            AccountValue::Many(many) => many.clone().into(),
        };
        holes.insert(format!("{ATTRIBUTES}{name}"), value);
    }
    Ok(())
}

/// Lays a value over another: tables are merged, everything else is replaced.
fn overlay(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                overlay(under.entry(name).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}
