//! Making one change: what is there is read, and one statement is executed, or for several things of one
//! class one for each. A statement that touches more than one account is undone by the broker.

use bailiwick_connector::{
    AccountWrite, Applied, ConnectorError, Effect, ErrorKind, Line, Locator, Object, ObjectState, Outcome,
    Result,
    broker::{Rows, Statement},
};
use bailiwick_core::{
    access::AccessClass,
    account::{AccountAttributes, AccountValue},
    digest::Digest,
    plan::Op,
    scope::Operation,
};

use super::{DISABLE, Sql, decode, encode, read::Reader, unsupported};

/// Makes one change.
pub(super) async fn apply(
    sql: &Sql,
    line: &Line,
    account: Option<&str>,
    op: &Op,
    precondition: Option<&str>,
) -> Result<Applied> {
    let reader = Reader { sql, line };
    let mut change = Change { reader, precondition, done: Vec::new() };
    let made = match (op, account) {
        (Op::CreateAccount { marker, attributes }, _) => change.create(marker, attributes).await,
        (_, None) => {
            Err(ConnectorError::none(ErrorKind::Invalid, format!("to {}, an account is needed", op.words())))
        }
        (Op::SetAttributes { attributes }, Some(account)) => change.set(account, attributes).await,
        (Op::Enable, Some(account)) if sql.capability.writes.contains(&AccountWrite::Enable) => {
            change.activate(account, "enable", ObjectState::Live).await
        }
        (Op::Enable, Some(_)) => Err(unsupported(&op.words())),
        (Op::Disable { way }, Some(account)) => {
            let name = DISABLE.get(usize::from(*way)).filter(|name| sql.settings.has(name));
            let name = name.ok_or_else(|| unsupported(&op.words()))?;
            change.activate(account, name, ObjectState::Blocked).await
        }
        (Op::Delete, Some(account)) => change.delete(account).await,
        (Op::Grant { class, external_id }, Some(account)) => change.grant(account, *class, external_id).await,
        (Op::Revoke { class, external_id }, Some(account)) => {
            change.revoke(account, *class, Some(external_id)).await
        }
        (Op::RevokeAll { class }, Some(account)) => change.revoke(account, *class, None).await,
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
    /// The version that what is changed must still have.
    precondition: Option<&'a str>,
    /// Digests of the answers to the writes that succeeded.
    done: Vec<Digest>,
}

impl<'a> Change<'a> {
    fn sql(&self) -> &'a Sql {
        self.reader.sql
    }

    async fn write(&mut self, statement: Statement<'_>) -> Result<Rows> {
        let ignore = self.sql().settings.ignore.as_slice();
        let statement = statement.many("ignore", ignore).text("version", self.precondition);
        let rows = self.reader.line.execute(statement).await?;
        self.done.push(rows.digest());
        Ok(rows)
    }

    /// Executes a statement about one account. When it touched nothing, the account is gone, or is not
    /// what it was.
    async fn must(&mut self, name: &str, account: &str, statement: Statement<'_>) -> Result<Applied> {
        let rows = self.write(statement.text("id", account).at_most(1)).await?;
        if rows.touched() == 1 {
            return Ok(self.applied(&rows));
        }
        self.done.clear();
        Err(match self.reader.get(Locator::Account(account)).await? {
            None => missing(account),
            Some(_) if self.precondition.is_some() => stale(),
            Some(_) => {
                let message = format!("`{name}` touched nothing, and the account is there");
                ConnectorError::none(ErrorKind::Settings, message).with_detail("statement-wrong")
            }
        })
    }

    fn applied(&self, rows: &Rows) -> Applied {
        let answer = match &self.done[..] {
            [one] => *one,
            several => Digest::of_parts(&several.iter().map(|digest| &digest.0[..]).collect::<Vec<_>>()),
        };
        let version = rows.cell(0, "version").and_then(decode::text).map(|version| version.into_owned());
        Applied { outcome: Outcome::Done, external_id: None, version, answer }
    }

    /// The account as it is, with the version that it should have.
    async fn present(&self, account: &str) -> Result<Object<'static>> {
        let object = self.reader.get(Locator::Account(account)).await?.ok_or_else(|| missing(account))?;
        self.current(&object)?;
        Ok(object)
    }

    fn current(&self, object: &Object<'_>) -> Result<()> {
        match self.precondition {
            Some(version) if object.version.as_deref() != Some(version) => Err(stale()),
            Some(_) | None => Ok(()),
        }
    }

    fn can(&self, write: AccountWrite, what: &str) -> Result<()> {
        if self.sql().capability.writes.contains(&write) { Ok(()) } else { Err(unsupported(what)) }
    }

    async fn create(&mut self, marker: &str, attributes: &AccountAttributes) -> Result<Applied> {
        self.can(AccountWrite::Create, "creating accounts")?;
        let invalid = |message: &str| ConnectorError::none(ErrorKind::Invalid, message);
        if marker.is_empty() {
            return Err(invalid("an account needs a marker"));
        }
        let sql = self.sql();
        let statement = Statement::new(Operation::Create, "create").text("marker", marker);
        let statement = encode::bind(statement, &sql.settings.given, attributes)?;
        if !attributes.contains_key("name") {
            return Err(invalid("an account needs the attribute `name`"));
        }
        not_empty(attributes, sql.settings.roles)?;
        if let Some(found) = self.found(marker).await? {
            return Ok(found);
        }
        let rows = match self.write(statement.at_most(1)).await {
            Ok(rows) => rows,
            Err(error) if error.kind == ErrorKind::AlreadyExists => {
                return self.found(marker).await?.ok_or(error);
            }
            Err(error) => return Err(error),
        };
        let id = match rows.cell(0, "id").and_then(decode::text) {
            Some(id) => id.into_owned(),
            // It was made and the answer does not say what it is: only looking tells.
            None => match self.reader.get(Locator::AccountMarked(marker)).await? {
                Some(object) => object.id.into_owned(),
                None => return Err(decode::malformed("`create` gives no `id`, and nobody bears the marker")),
            },
        };
        Ok(Applied { external_id: Some(id), ..self.applied(&rows) })
    }

    /// The account that bears the marker already.
    async fn found(&self, marker: &str) -> Result<Option<Applied>> {
        let found = self.reader.get(Locator::AccountMarked(marker)).await?;
        Ok(found.map(|object| Applied {
            version: object.version.clone().map(|version| version.into_owned()),
            external_id: Some(object.id.to_string()),
            ..so_already(&object.id)
        }))
    }

    async fn set(&mut self, account: &str, attributes: &AccountAttributes) -> Result<Applied> {
        self.can(AccountWrite::Update, "changing accounts")?;
        let sql = self.sql();
        let statement = Statement::new(Operation::Update, "update");
        let statement = encode::bind(statement, &sql.settings.changed, attributes)?;
        not_empty(attributes, sql.settings.roles)?;
        let object = self.present(account).await?;
        if encode::bears(&object, attributes) {
            return Ok(so_already(account));
        }
        self.must("update", account, statement).await
    }

    async fn activate(&mut self, account: &str, name: &str, wanted: ObjectState) -> Result<Applied> {
        if self.present(account).await?.state == wanted {
            return Ok(so_already(account));
        }
        self.must(name, account, Statement::new(Operation::Update, name)).await
    }

    async fn delete(&mut self, account: &str) -> Result<Applied> {
        self.can(AccountWrite::Delete, "deleting accounts")?;
        let Some(object) = self.reader.get(Locator::Account(account)).await? else {
            return Ok(so_already(account));
        };
        self.current(&object)?;
        let settings = &self.sql().settings;
        if settings.has("owned") {
            let (owned, here) = self.reader.owned(account).await?;
            if !owned.is_empty() && (settings.heir.is_none() || !here) {
                return Err(owns(&object, &owned, settings.roles, here));
            }
        }
        let statement = Statement::new(Operation::Delete, "delete").text("heir", settings.heir.as_deref());
        self.must("delete", account, statement).await
    }

    async fn grant(&mut self, account: &str, class: AccessClass, item: &str) -> Result<Applied> {
        if !self.sql().capability.grants.contains(&class) {
            return Err(unsupported(&format!("granting {class}")));
        }
        self.present(account).await?;
        let held = self.reader.all_held(account, class).await?;
        if held.iter().any(|object| object.id == item && object.state == ObjectState::Live) {
            return Ok(so_already(account));
        }
        let name = format!("grant-{class}");
        let statement = Statement::new(Operation::Grant, &name).text("id", account).text("item", item);
        let rows = match self.write(statement.at_most(1)).await {
            // Somebody else gave it meanwhile.
            Err(error) if error.kind == ErrorKind::AlreadyExists => return Ok(so_already(account)),
            other => other?,
        };
        if rows.touched() == 0 {
            self.done.clear();
            let message = format!("`{name}` touched nothing: there is no `{item}`, or it cannot be given");
            return Err(ConnectorError::none(ErrorKind::NotFound, message));
        }
        Ok(self.applied(&rows))
    }

    /// Takes one thing of a class, or all.
    async fn revoke(&mut self, account: &str, class: AccessClass, item: Option<&str>) -> Result<Applied> {
        if !self.sql().capability.removes.contains(&class) {
            return Err(unsupported(&format!("revoking {class}")));
        }
        if self.precondition.is_some() {
            match self.reader.get(Locator::Account(account)).await? {
                Some(object) => self.current(&object)?,
                // Who is not there holds nothing.
                None => return Ok(so_already(account)),
            }
        }
        let mut held = self.reader.all_held(account, class).await?;
        held.retain(|object| item.is_none_or(|item| object.id == item));
        let name = format!("revoke-{class}");
        let revoke = |item| Statement::new(Operation::Revoke, &name).text("id", account).text("item", item);
        let mut last = None;
        if item.is_none() && self.sql().settings.roles {
            if !held.is_empty() {
                last = Some(self.write(revoke(None)).await?);
            }
        } else {
            for object in &held {
                last = Some(self.write(revoke(Some(&*object.id))).await?);
            }
        }
        Ok(last.map_or_else(|| so_already(account), |rows| self.applied(&rows)))
    }
}

/// Refuses an empty name; and for roles any empty text, which to a setting of a transaction is the same as
/// none.
fn not_empty(attributes: &AccountAttributes, roles: bool) -> Result<()> {
    let empty = |(name, value): &(&String, &AccountValue)| {
        **value == AccountValue::Text(String::new()) && (roles || *name == "name")
    };
    match attributes.iter().find(empty) {
        None => Ok(()),
        Some((name, _)) => {
            Err(ConnectorError::none(ErrorKind::Invalid, format!("the attribute `{name}` is empty")))
        }
    }
}

fn owns(object: &Object<'_>, owned: &[String], roles: bool, here: bool) -> ConnectorError {
    let shown = owned.iter().take(10).map(String::as_str).collect::<Vec<_>>().join("; ");
    let more = if owned.len() > 10 { "; and more" } else { "" };
    let help = match (roles, here) {
        (false, _) => "it is to be handed over first",
        (true, true) => "set `reassign_owned_to`, or hand it over first",
        (true, false) => "what is in other databases is to be handed over there first",
    };
    let message = format!("`{}` cannot be deleted: it {shown}{more}; {help}", object.name);
    ConnectorError::none(ErrorKind::Invalid, message).with_detail("account-owns-objects")
}

fn missing(account: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::NotFound, format!("there is no account `{account}`"))
}

fn stale() -> ConnectorError {
    ConnectorError::none(ErrorKind::Stale, "the account was changed since it was read")
}

fn so_already(account: &str) -> Applied {
    let answer = Digest::of_parts(&[b"already so ", account.as_bytes()]);
    Applied { outcome: Outcome::AlreadySo, external_id: None, version: None, answer }
}
