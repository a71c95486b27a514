//! Making one change. No write is tried again: a form that a system refuses may be followed by another
//! form, but only after a 4xx, which says that the first had no effect.

use bailiwick_connector::{Answer, Applied, Call, ConnectorError, Effect, ErrorKind, Line, Outcome, Result};
use bailiwick_core::{
    access::AccessClass, account::AccountAttributes, digest::Digest, plan::Op, scope::Operation,
};
use serde_json::Value;

use super::{
    Manner, PATCH_WAY, PUT_WAY, Scim,
    decode::{Said, TypedUser, json, malformed, parse},
    document::Document,
    encode::{self, Dialect, Form},
    exchange::{Kind, refusal},
    groups::shows_member,
    read::{GROUPS, Reader, USERS},
};

const MEDIA: &str = "application/scim+json";
/// The members of a group.
const MEMBERS: &str = "members";

/// Makes one change.
pub(super) async fn apply(
    scim: &Scim,
    line: &Line,
    account: Option<&str>,
    op: &Op,
    precondition: Option<&str>,
    key: &str,
) -> Result<Applied> {
    let reader = Reader::new(scim, line).await?;
    let condition = precondition.filter(|_| reader.learned.etag);
    let mut change = Change { scim, reader, condition, key, done: Vec::new() };
    let made = match (op, account) {
        (Op::CreateAccount { marker, attributes }, _) => change.create(marker, attributes).await,
        (_, None) => {
            Err(ConnectorError::none(ErrorKind::Invalid, format!("to {}, an account is needed", op.words())))
        }
        (Op::SetAttributes { attributes }, Some(account)) => change.set(account, attributes).await,
        (Op::Enable, Some(account)) => {
            let manner = change.usual();
            change.activate(account, true, manner).await
        }
        (Op::Disable { way }, Some(account)) => match scim.ways().get(usize::from(*way)) {
            Some(way) => {
                let manner = change.by(way);
                change.activate(account, false, manner).await
            }
            None => Err(super::unsupported(&format!("way {way} of disabling"))),
        },
        (Op::Delete, Some(account)) => change.delete(account).await,
        (Op::Grant { class: AccessClass::DirectGroups, external_id }, Some(account)) => {
            change.member(account, external_id, true).await
        }
        (Op::Revoke { class: AccessClass::DirectGroups, external_id }, Some(account)) => {
            change.member(account, external_id, false).await
        }
        (Op::RevokeAll { class: AccessClass::DirectGroups }, Some(account)) => {
            change.leave_all(account).await
        }
        (Op::Grant { class, external_id: item } | Op::Revoke { class, external_id: item }, Some(account)) => {
            change.held(account, *class, item, op).await
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
pub(super) struct Change<'a> {
    scim: &'a Scim,
    pub(super) reader: Reader<'a>,
    /// The version that what is changed must still have.
    condition: Option<&'a str>,
    key: &'a str,
    /// Digests of the answers to the writes that succeeded.
    done: Vec<Digest>,
}

/// One write.
struct Write<'w> {
    operation: Operation,
    method: &'static str,
    path: String,
    body: Option<Vec<u8>>,
    condition: Option<&'w str>,
    /// Whether the change always makes exactly this request, so that the change's key is the request's.
    fixed: bool,
    /// What the answer need not show (RFC 7644 §3.9): all members of a group, when one of them changes.
    without: Option<&'static str>,
}

impl Change<'_> {
    /// Sends a write; gives back the answer whatever its status.
    async fn send(&mut self, write: Write<'_>) -> Result<Answer> {
        let Write { operation, method, path, body, condition, fixed, without } = write;
        let mut call = Call::new(operation, method, path).header("Accept", MEDIA);
        call.query.extend(without.map(|attribute| ("excludedAttributes".into(), attribute.into())));
        if let Some(header) = self.scim.settings.idempotency_header {
            // A key belongs to one request. Where what is sent depends on what was read, so does the key.
            let key = match fixed {
                true => self.key.to_owned(),
                false => {
                    let parts = [
                        method.as_bytes(),
                        b" ",
                        call.path.as_bytes(),
                        b"\n",
                        body.as_deref().unwrap_or_default(),
                    ];
                    format!("{}.{}", self.key, Digest::of_parts(&parts).short())
                }
            };
            call = call.header(header, key);
        }
        if let Some(version) = condition {
            call = call.header("If-Match", version);
        }
        if let Some(body) = body {
            call = call.header("Content-Type", MEDIA).body(body);
        }
        let answer = self.reader.exchange.line.send(call).await?;
        if matches!(answer.status, 200..=299) {
            self.done.push(answer.digest());
        }
        Ok(answer)
    }

    /// Sends a write that must succeed.
    async fn must(&mut self, write: Write<'_>) -> Result<Answer> {
        let (label, kind) = (format!("{} {}", write.method, write.path), kind_of(&write));
        let answer = self.send(write).await?;
        accepted(answer, &label, kind)
    }

    fn applied(&self, outcome: Outcome, answer: &Answer) -> Applied {
        let digest = match &self.done[..] {
            [] => answer.digest(),
            [one] => *one,
            several => Digest::of_parts(&several.iter().map(|digest| &digest.0[..]).collect::<Vec<_>>()),
        };
        Applied { outcome, external_id: None, version: version_of(answer), answer: digest }
    }

    async fn create(&mut self, marker: &str, attributes: &AccountAttributes) -> Result<Applied> {
        let mapping = &self.scim.settings.mapping;
        let body = encode::new_user(mapping, marker, attributes)?;
        if let Some(found) = self.found(marker).await? {
            return Ok(found);
        }
        let path = format!("{}/{USERS}", self.reader.exchange.base);
        let label = format!("POST {path}");
        let write = Write { body: Some(body), fixed: true, ..self.on(Operation::Create, "POST", path) };
        let answer = self.send(write).await?;
        if answer.status == 409 {
            if let Some(found) = self.found(marker).await? {
                return Ok(found);
            }
            let mut refused = refusal(&label, Kind::Create, &answer);
            let name = mapping.user_name().and_then(|name| attributes.get(name));
            refused.message.push_str(match name {
                Some(bailiwick_core::account::AccountValue::Text(name)) => {
                    match self.reader.named(name).await? {
                        Some(_) => "; the account of this name does not bear the hub's marker",
                        None => "; whoever has the name is not shown by the system",
                    }
                }
                _ => "",
            });
            return Err(refused);
        }
        let answer = accepted(answer, &label, Kind::Create)?;
        let id = match parse::<TypedUser<'_>>(&answer.body).ok().and_then(|user| user.id) {
            Some(id) => id.into_owned(),
            // It was made and the answer does not say what it is: only looking tells.
            None => {
                let found = self.reader.marked(marker).await?;
                found
                    .ok_or_else(|| malformed("the new account is neither in the answer nor to be found"))?
                    .id
                    .into_owned()
            }
        };
        Ok(Applied { external_id: Some(id), ..self.applied(Outcome::Done, &answer) })
    }

    /// The account that bears the marker already.
    async fn found(&self, marker: &str) -> Result<Option<Applied>> {
        let found = self.reader.marked(marker).await?;
        Ok(found.map(|user| Applied {
            outcome: Outcome::AlreadySo,
            answer: Digest::of_parts(&[b"found ", user.id.as_bytes()]),
            version: user.version.map(|version| version.into_owned()),
            external_id: Some(user.id.into_owned()),
        }))
    }

    /// A write without a body, of which the version does not matter.
    fn on(&self, operation: Operation, method: &'static str, path: String) -> Write<'static> {
        Write { operation, method, path, body: None, condition: None, fixed: true, without: None }
    }

    /// How changes are written: as a probe saw it to work best, or else by the first way there is.
    fn usual(&self) -> Manner {
        let first = || self.by(self.scim.ways().first().copied().unwrap_or(PATCH_WAY));
        self.scim.adopted().first().copied().unwrap_or_else(first)
    }

    /// How a way of disabling is written.
    fn by(&self, way: &str) -> Manner {
        if way == PUT_WAY {
            return Manner::Put;
        }
        let patches = |manner: &Manner| matches!(manner, Manner::Patch(_));
        let learned = self.scim.adopted().iter().copied().find(patches);
        learned.unwrap_or(Manner::Patch(Dialect::USUAL))
    }

    async fn set(&mut self, account: &str, attributes: &AccountAttributes) -> Result<Applied> {
        let placed = encode::placed(&self.scim.settings.mapping, attributes)?;
        let Manner::Patch(dialect) = self.usual() else {
            let mut differs = false;
            return self
                .replace(account, |user| {
                    for (path, value) in &placed {
                        differs |= user.set_path(path, value)?;
                    }
                    Ok(differs)
                })
                .await;
        };
        let picks = placed.iter().any(|(path, _)| path.pick.is_some());
        let user: Option<Value> = match picks {
            true => Some(json(&self.current(account).await?.body)?),
            false => None,
        };
        self.patch(account, !picks, dialect, |dialect| encode::set(&placed, user.as_ref(), dialect)).await
    }

    async fn activate(&mut self, account: &str, active: bool, manner: Manner) -> Result<Applied> {
        match manner {
            Manner::Put => {
                self.replace(account, |user| user.set("active", &active.into()).map(|_| true)).await
            }
            Manner::Patch(dialect) => {
                self.patch(account, true, dialect, |dialect| encode::active(active, dialect)).await
            }
        }
    }

    /// The user as it is, which must be there.
    async fn current(&self, account: &str) -> Result<Answer> {
        let found = self.reader.exchange.read_one(USERS, account).await?;
        found.ok_or_else(|| {
            ConnectorError::none(ErrorKind::NotFound, format!("there is no account `{account}`"))
        })
    }

    /// PATCH of a user, in a dialect; the usual one is followed by one without paths where paths are refused as
    /// such.
    async fn patch(
        &mut self,
        account: &str,
        plain: bool,
        dialect: Dialect,
        body: impl Fn(Dialect) -> Vec<u8>,
    ) -> Result<Applied> {
        let path = self.reader.exchange.resource(USERS, account)?;
        let label = format!("PATCH {path}");
        let condition = self.condition;
        let kind = if condition.is_some() { Kind::Conditional } else { Kind::Write };
        let write = |dialect, fixed| Write {
            operation: Operation::Update,
            method: "PATCH",
            path: path.clone(),
            body: Some(body(dialect)),
            condition,
            fixed,
            without: None,
        };
        let mut answer = self.send(write(dialect, plain)).await?;
        if plain && dialect == Dialect::USUAL && path_refused(&answer) {
            answer = self.send(write(Dialect { form: Form::Value, ..dialect }, false)).await?;
        }
        let answer = accepted(answer, &label, kind)?;
        Ok(self.applied(Outcome::Done, &answer))
    }

    /// GET, edit and PUT of a user; nothing is sent if the edit says that it changed nothing.
    async fn replace(
        &mut self,
        account: &str,
        edit: impl FnOnce(&mut Document) -> Result<bool>,
    ) -> Result<Applied> {
        let current = self.current(account).await?;
        let mut user = Document::resource(&current.body)?;
        if !edit(&mut user)? {
            return Ok(self.applied(Outcome::AlreadySo, &current));
        }
        let path = self.reader.exchange.resource(USERS, account)?;
        let seen = version_of(&current).filter(|_| self.reader.learned.etag);
        // Without a condition of the caller, what was read must still be what is replaced.
        let condition = self.condition.map(str::to_owned).or(seen);
        let write = Write {
            body: Some(user.bytes()?),
            condition: condition.as_deref(),
            fixed: false,
            ..self.on(Operation::Update, "PUT", path)
        };
        let answer = self.must(write).await?;
        Ok(self.applied(Outcome::Done, &answer))
    }

    async fn delete(&mut self, account: &str) -> Result<Applied> {
        let path = self.reader.exchange.resource(USERS, account)?;
        let label = format!("DELETE {path}");
        let write = Write { condition: self.condition, ..self.on(Operation::Delete, "DELETE", path) };
        let kind = kind_of(&write);
        let answer = self.send(write).await?;
        let outcome = if matches!(answer.status, 404 | 410) { Outcome::AlreadySo } else { Outcome::Done };
        if outcome == Outcome::Done {
            let answer = accepted(answer, &label, kind)?;
            return Ok(self.applied(outcome, &answer));
        }
        Ok(self.applied(outcome, &answer))
    }

    /// The version of an account does not protect its groups and what else it holds: it is compared
    /// before, which leaves a moment between.
    async fn unchanged(&self, account: &str) -> Result<()> {
        let Some(wanted) = self.condition else { return Ok(()) };
        match self.reader.account(account).await? {
            Some(user) if user.version.as_deref() != Some(wanted) => Err(ConnectorError::none(
                ErrorKind::Stale,
                format!("`{account}` was changed since it was read"),
            )),
            Some(_) | None => Ok(()),
        }
    }

    async fn member(&mut self, account: &str, group: &str, wanted: bool) -> Result<Applied> {
        self.unchanged(account).await?;
        let found = self.reader.exchange.read_one(GROUPS, group).await?;
        let Some(current) = found else {
            return match wanted {
                true => {
                    Err(ConnectorError::none(ErrorKind::NotFound, format!("there is no group `{group}`")))
                }
                false => Ok(Applied {
                    outcome: Outcome::AlreadySo,
                    external_id: None,
                    version: None,
                    answer: Digest::of_parts(&[b"no group ", group.as_bytes()]),
                }),
            };
        };
        let is_in = match shows_member(&current, group, account)? {
            Some(is_in) => Some(is_in),
            // An empty group may look like this, and one that hides its members.
            None => {
                let (groups, complete) = self.reader.all_holding(account).await?;
                let found = groups.iter().any(|held| held.id == group);
                (found || complete).then_some(found)
            }
        };
        if is_in == Some(wanted) {
            return Ok(Applied { version: None, ..self.applied(Outcome::AlreadySo, &current) });
        }
        self.change_member(account, group, wanted, Some(current), true).await
    }

    /// Puts an account into a group or takes it out: by PATCH and, where the system has none or does not
    /// understand it, by PUT of the group.
    async fn change_member(
        &mut self,
        account: &str,
        group: &str,
        wanted: bool,
        current: Option<Answer>,
        fixed: bool,
    ) -> Result<Applied> {
        let path = self.reader.exchange.resource(GROUPS, group)?;
        let (operation, body) = match wanted {
            true => (Operation::Grant, encode::join(account)),
            false => (Operation::Revoke, encode::leave(account)),
        };
        if self.reader.learned.patch {
            let label = format!("PATCH {path}");
            let write = self.on(operation, "PATCH", path.clone());
            let write = Write { body: Some(body), fixed, without: Some(MEMBERS), ..write };
            let answer = self.send(write).await?;
            let said = Said::of(&answer.body);
            if !wanted && answer.status == 400 && said.code.as_deref() == Some("noTarget") {
                return Ok(Applied { version: None, ..self.applied(Outcome::AlreadySo, &answer) });
            }
            if !path_refused(&answer) && !matches!(answer.status, 405 | 501) {
                let answer = accepted(answer, &label, Kind::Write)?;
                return Ok(Applied { version: None, ..self.applied(Outcome::Done, &answer) });
            }
        }
        let current = match current {
            Some(current) => Some(current),
            None => self.reader.exchange.read_one(GROUPS, group).await?,
        };
        let current = current.ok_or_else(|| {
            ConnectorError::none(ErrorKind::NotFound, format!("there is no group `{group}`"))
        })?;
        let mut document = Document::resource(&current.body)?;
        let mut members = match document.member(MEMBERS) {
            Some(Value::Array(members)) => members,
            _ => Vec::new(),
        };
        members.retain(|member| member["value"] != account);
        if wanted {
            members.push(serde_json::json!({"value": account}));
        }
        document.set(MEMBERS, &members.into())?;
        let seen = version_of(&current).filter(|_| self.reader.learned.etag);
        let write = Write {
            body: Some(document.bytes()?),
            condition: seen.as_deref(),
            fixed: false,
            ..self.on(operation, "PUT", path)
        };
        let answer = self.must(write).await?;
        Ok(Applied { version: None, ..self.applied(Outcome::Done, &answer) })
    }

    async fn leave_all(&mut self, account: &str) -> Result<Applied> {
        self.unchanged(account).await?;
        let (groups, complete) = self.reader.all_holding(account).await?;
        let mut last = None;
        for group in &groups {
            last = Some(self.change_member(account, &group.id, false, None, false).await?);
        }
        if !complete {
            return Err(malformed("the system did not show all groups; those it showed were left"));
        }
        Ok(last.unwrap_or_else(|| nothing_held(account)))
    }

    async fn held(&mut self, account: &str, class: AccessClass, item: &str, op: &Op) -> Result<Applied> {
        let api = self.scim.held(class)?;
        let unsupported = || super::unsupported(&op.words());
        let (method, path) = api.change(op, account, item)?.ok_or_else(unsupported)?;
        self.unchanged(account).await?;
        let grants = matches!(op, Op::Grant { .. });
        let mut seen = None;
        let mut visit = |object: bailiwick_connector::Object<'_>| {
            if object.id == item {
                seen = Some(object.state);
            }
        };
        let listed = api.list(&self.reader.exchange, account, &mut visit).await;
        let complete = match listed {
            Ok(page) => page.complete,
            // Who is not there holds nothing.
            Err(error) if error.kind == ErrorKind::NotFound && !grants => true,
            Err(error) => return Err(error),
        };
        let already = match grants {
            true => seen == Some(bailiwick_connector::ObjectState::Live),
            false => seen.is_none() && complete,
        };
        if already {
            return Ok(nothing_held(account));
        }
        self.change_held(method, path, grants, true).await
    }

    async fn change_held(
        &mut self,
        method: &'static str,
        path: String,
        grants: bool,
        fixed: bool,
    ) -> Result<Applied> {
        let operation = if grants { Operation::Grant } else { Operation::Revoke };
        let label = format!("{method} {path}");
        let write = Write { fixed, ..self.on(operation, method, path) };
        let answer = self.send(write).await?;
        if !grants && matches!(answer.status, 404 | 410) {
            return Ok(Applied { version: None, ..self.applied(Outcome::AlreadySo, &answer) });
        }
        let answer = accepted(answer, &label, Kind::Write)?;
        Ok(Applied { version: None, ..self.applied(Outcome::Done, &answer) })
    }

    async fn revoke_all(&mut self, account: &str, class: AccessClass, op: &Op) -> Result<Applied> {
        let api = self.scim.held(class)?;
        if !api.revokes() {
            return Err(super::unsupported(&op.words()));
        }
        self.unchanged(account).await?;
        let mut items = Vec::new();
        let mut visit = |object: bailiwick_connector::Object<'_>| items.push(object.id.into_owned());
        let complete = match api.list(&self.reader.exchange, account, &mut visit).await {
            Ok(page) => page.complete,
            Err(error) if error.kind == ErrorKind::NotFound => true,
            Err(error) => return Err(error),
        };
        let mut last = None;
        for item in &items {
            if let Some((method, path)) = api.change(op, account, item)? {
                last = Some(self.change_held(method, path, false, false).await?);
            }
        }
        if !complete {
            return Err(malformed("the system showed something that cannot be read; the rest was revoked"));
        }
        let done = if self.done.is_empty() { Outcome::AlreadySo } else { Outcome::Done };
        Ok(last.map_or_else(|| nothing_held(account), |last| Applied { outcome: done, ..last }))
    }
}

fn nothing_held(account: &str) -> Applied {
    let answer = Digest::of_parts(&[b"already so ", account.as_bytes()]);
    Applied { outcome: Outcome::AlreadySo, external_id: None, version: None, answer }
}

fn kind_of(write: &Write<'_>) -> Kind {
    match (write.operation, write.condition) {
        (Operation::Create, _) => Kind::Create,
        (_, Some(_)) => Kind::Conditional,
        (_, None) => Kind::Write,
    }
}

fn accepted(answer: Answer, label: &str, kind: Kind) -> Result<Answer> {
    match answer.status {
        200..=299 => Ok(answer),
        _ => Err(refusal(label, kind, &answer)),
    }
}

/// Whether the system does not understand how a PATCH says where it acts. It had no effect then.
fn path_refused(answer: &Answer) -> bool {
    let code = Said::of(&answer.body).code;
    answer.status == 400 && matches!(code.as_deref(), Some("invalidPath" | "invalidFilter" | "invalidSyntax"))
}

/// The version that an answer gives a user, in its header or, without one, in its body.
fn version_of(answer: &Answer) -> Option<String> {
    let header = answer.header("etag").map(str::to_owned);
    header.or_else(|| parse::<TypedUser<'_>>(&answer.body).ok()?.version.map(|version| version.into_owned()))
}
