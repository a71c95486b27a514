//! Making one change. No write is tried again.

use bailiwick_connector::{
    Answer, Applied, ConnectorError, Effect, ErrorKind, Line, Object, Outcome, Result,
};
use bailiwick_core::{
    access::AccessClass, account::AccountAttributes, digest::Digest, plan::Op, scope::Operation,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Vault, approle,
    decode::{ACCESSOR, Entity, LEASE},
    encode::{self, folded},
    exchange::{Trouble, data, segment},
    leases,
    read::Reader,
    tokens::Tokens,
    unsupported,
};

/// How many tokens are asked for at a time when all are to be revoked.
const LOOK: u32 = 500;

/// Makes one change.
pub(super) async fn apply(
    vault: &Vault,
    line: &Line,
    account: Option<&str>,
    op: &Op,
    condition: Option<&str>,
) -> Result<Applied> {
    use AccessClass::{ApiTokens, DirectGroups, Roles, VaultTokens};
    let mut change = Change { vault, reader: vault.reader(line), condition, done: Vec::new() };
    let made = match (op, account) {
        (Op::CreateAccount { marker, attributes }, _) => change.create(marker, attributes).await,
        (_, None) => {
            Err(ConnectorError::none(ErrorKind::Invalid, format!("to {}, an account is needed", op.words())))
        }
        (Op::SetAttributes { attributes }, Some(account)) => change.set(account, attributes).await,
        (Op::Enable, Some(account)) => change.disabled(account, false).await,
        (Op::Disable { way: 0 }, Some(account)) => change.disabled(account, true).await,
        (Op::Disable { way }, Some(_)) => Err(unsupported(&format!("way {way} of disabling"))),
        (Op::Delete, Some(account)) => change.delete(account).await,
        (Op::Grant { class: DirectGroups, external_id: group }, Some(account)) => {
            change.member(account, group, true).await
        }
        (Op::Revoke { class: DirectGroups, external_id: group }, Some(account)) => {
            change.member(account, group, false).await
        }
        (Op::RevokeAll { class: DirectGroups }, Some(account)) => change.leave_all(account).await,
        (Op::Grant { class: Roles, external_id: policy }, Some(account)) => {
            change.grant_policy(account, policy).await
        }
        (Op::Revoke { class: Roles, external_id: policy }, Some(account)) => {
            change.policies(account, |held| held.retain(|name| name != policy)).await
        }
        (Op::RevokeAll { class: Roles }, Some(account)) => change.policies(account, Vec::clear).await,
        (Op::Revoke { class: VaultTokens, external_id }, Some(account)) => {
            change.revoke_token_or_lease(account, external_id).await
        }
        (Op::RevokeAll { class: VaultTokens }, Some(account)) => change.revoke_all_tokens(account).await,
        (Op::Revoke { class: ApiTokens, external_id }, Some(account)) => {
            change.destroy_secret_ids(account, |id| id == external_id).await
        }
        (Op::RevokeAll { class: ApiTokens }, Some(account)) => {
            change.destroy_secret_ids(account, |_| true).await
        }
        (Op::Grant { .. } | Op::Revoke { .. } | Op::RevokeAll { .. }, Some(_)) => {
            Err(unsupported(&op.words()))
        }
    };
    // Once something was done, a later refusal does not undo it.
    made.map_err(|error| match change.done.is_empty() {
        true => error,
        false => ConnectorError { effect: Effect::Unknown, ..error },
    })
}

/// One change under way.
struct Change<'a> {
    vault: &'a Vault,
    reader: Reader<'a>,
    /// The version that the entity must still have.
    condition: Option<&'a str>,
    /// Digests of the answers to the writes that succeeded.
    done: Vec<Digest>,
}

#[derive(Deserialize)]
struct New {
    id: String,
    name: String,
}

impl Change<'_> {
    async fn write(
        &mut self,
        operation: Operation,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer> {
        let answer = self.reader.exchange.write(operation, method, path, body).await?;
        self.done.push(answer.digest());
        Ok(answer)
    }

    /// What came of the change: done if anything was written.
    fn applied(&self, about: &str) -> Applied {
        let (outcome, answer) = match &self.done[..] {
            [] => (Outcome::AlreadySo, Digest::of_parts(&[b"already so ", about.as_bytes()])),
            [one] => (Outcome::Done, *one),
            several => {
                let parts: Vec<&[u8]> = several.iter().map(|digest| &digest.0[..]).collect();
                (Outcome::Done, Digest::of_parts(&parts))
            }
        };
        Applied { outcome, external_id: None, version: None, answer }
    }

    /// The entity, which must be there and be of the version that is asked for. The system itself does not
    /// compare versions: between this look and the write is a moment.
    async fn current(&self, account: &str) -> Result<Entity> {
        let entity = self.reader.there(account).await?;
        match self.condition {
            Some(wanted) if entity.last_update_time.as_deref() != Some(wanted) => Err(ConnectorError::none(
                ErrorKind::Stale,
                format!("`{account}` was changed since it was read"),
            )),
            Some(_) | None => Ok(entity),
        }
    }

    async fn create(&mut self, marker: &str, attributes: &AccountAttributes) -> Result<Applied> {
        let wanted = encode::wanted(&self.vault.settings, attributes)?;
        let body = encode::new_entity(&self.vault.settings, marker, &wanted)?;
        let name = wanted.name.unwrap_or_default();
        let _alone = self.vault.writing.lock().await;
        let names = self.reader.names().await?;
        if let Some(found) = self.reader.marked(marker, &names).await? {
            let answer = Digest::of_parts(&[b"found ", found.id.as_bytes()]);
            let (version, external_id) = (found.last_update_time, Some(found.id));
            return Ok(Applied { outcome: Outcome::AlreadySo, external_id, version, answer });
        }
        if let Some((id, taken)) = names.iter().find(|(_, taken)| folded(taken) == folded(&name)) {
            let message = format!(
                "the name `{name}` is taken: entity `{id}` is called `{taken}` and does not bear the hub's marker"
            );
            return Err(ConnectorError::none(ErrorKind::AlreadyExists, message));
        }
        let answer = self.write(Operation::Create, "POST", "identity/entity", Some(&body)).await?;
        // A success without content: there was an entity of that name after all.
        let made = match answer.status {
            200 => data::<New>(&answer)?,
            _ => {
                let message = format!(
                    "an entity `{name}` came to be while it was to be made, and was changed: look at its \
                     metadata and its owner"
                );
                return Err(ConnectorError::unknown(ErrorKind::AlreadyExists, message)
                    .with_detail(Trouble::EntityOverwritten.code()));
            }
        };
        if made.name != name {
            let message = format!("the system called the entity `{}` instead of `{name}`", made.name);
            return Err(ConnectorError::unknown(ErrorKind::Malformed, message));
        }
        Ok(Applied { external_id: Some(made.id), ..self.applied(&name) })
    }

    async fn set(&mut self, account: &str, attributes: &AccountAttributes) -> Result<Applied> {
        let wanted = encode::wanted(&self.vault.settings, attributes)?;
        let _alone = self.vault.writing.lock().await;
        let entity = self.current(account).await?;
        let metadata = entity.metadata.unwrap_or_default();
        if let Some(body) = encode::changed(&entity.name, &metadata, &wanted) {
            self.update(account, &body).await?;
        }
        Ok(self.applied(account))
    }

    async fn update(&mut self, account: &str, body: &Value) -> Result<Answer> {
        let path = format!("identity/entity/id/{}", segment(account)?);
        let updated = self.write(Operation::Update, "POST", &path, Some(body)).await;
        updated.map_err(|error| match error.message.contains("already in use") {
            true => ConnectorError { kind: ErrorKind::AlreadyExists, ..error },
            false => error,
        })
    }

    async fn disabled(&mut self, account: &str, disabled: bool) -> Result<Applied> {
        let _alone = self.vault.writing.lock().await;
        if self.current(account).await?.disabled != disabled {
            self.update(account, &json!({"disabled": disabled})).await?;
        }
        Ok(self.applied(account))
    }

    async fn delete(&mut self, account: &str) -> Result<Applied> {
        let Some(entity) = self.reader.entity(account).await? else { return Ok(self.applied(account)) };
        let mut logins = entity.aliases.into_iter().flatten().filter(|alias| alias.mount_type != "token");
        if let (Some(login), false) = (logins.next(), self.vault.settings.delete_with_logins) {
            let message = format!(
                "`{account}` is not deleted, because the login `{}` at `{}` would come back as a new entity \
                 that nobody disabled; remove the login and its alias, or set `delete_with_logins = true`",
                login.name, login.mount_path
            );
            return Err(
                ConnectorError::none(ErrorKind::Invalid, message).with_detail(Trouble::LoginRemains.code())
            );
        }
        self.write(Operation::Delete, "DELETE", &format!("identity/entity/id/{account}"), None).await?;
        Ok(self.applied(account))
    }

    async fn member(&mut self, account: &str, group: &str, wanted: bool) -> Result<Applied> {
        let _alone = self.vault.writing.lock().await;
        if wanted {
            // The system would answer this so that it is open whether something was done.
            self.current(account).await?;
        }
        let Some(found) = self.reader.group(group).await? else {
            return match wanted {
                true => {
                    Err(ConnectorError::none(ErrorKind::NotFound, format!("there is no group `{group}`")))
                }
                false => Ok(self.applied(group)),
            };
        };
        let mut members = found.member_entity_ids.unwrap_or_default();
        if members.iter().any(|member| member == account) == wanted {
            return Ok(self.applied(group));
        }
        if found.kind != "internal" {
            let message = format!("who is in the group `{group}` is decided at login: it is {}", found.kind);
            return Err(ConnectorError::none(ErrorKind::Invalid, message));
        }
        match wanted {
            true => members.push(account.to_owned()),
            false => members.retain(|member| member != account),
        }
        let operation = if wanted { Operation::Grant } else { Operation::Revoke };
        let path = format!("identity/group/id/{group}");
        // In one text, because a request holds no more than so many.
        let body = json!({"member_entity_ids": members.join(",")});
        self.write(operation, "POST", &path, Some(&body)).await?;
        Ok(self.applied(group))
    }

    async fn leave_all(&mut self, account: &str) -> Result<Applied> {
        let entity = self.reader.entity(account).await?;
        for group in entity.and_then(|entity| entity.direct_group_ids).unwrap_or_default() {
            self.member(account, &group, false).await?;
        }
        Ok(self.applied(account))
    }

    async fn grant_policy(&mut self, account: &str, policy: &str) -> Result<Applied> {
        let policy = encode::policy(policy)?;
        let known = self.reader.exchange.keys("sys/policies/acl").await?;
        if !known.iter().any(|name| name == policy) {
            let message = format!("there is no policy `{policy}`");
            return Err(ConnectorError::none(ErrorKind::NotFound, message));
        }
        let add = |held: &mut Vec<String>| {
            if held.iter().all(|name| name != policy) {
                held.push(policy.to_owned());
            }
        };
        let _alone = self.vault.writing.lock().await;
        let entity = self.current(account).await?;
        self.write_policies(Operation::Grant, entity, add).await
    }

    /// Takes policies. Who is not there has none.
    async fn policies(&mut self, account: &str, edit: impl FnOnce(&mut Vec<String>)) -> Result<Applied> {
        let _alone = self.vault.writing.lock().await;
        match self.reader.entity(account).await? {
            Some(entity) => self.write_policies(Operation::Revoke, entity, edit).await,
            None => Ok(self.applied(account)),
        }
    }

    async fn write_policies(
        &mut self,
        operation: Operation,
        entity: Entity,
        edit: impl FnOnce(&mut Vec<String>),
    ) -> Result<Applied> {
        let held = entity.policies.unwrap_or_default();
        let mut wanted = held.clone();
        edit(&mut wanted);
        if wanted != held {
            let path = format!("identity/entity/id/{}", segment(&entity.id)?);
            self.write(operation, "POST", &path, Some(&json!({"policies": wanted}))).await?;
        }
        Ok(self.applied(&entity.id))
    }

    async fn revoke_token_or_lease(&mut self, account: &str, external_id: &str) -> Result<Applied> {
        if let Some(accessor) = external_id.strip_prefix(ACCESSOR) {
            if self.tokens().holds(account, accessor).await? {
                self.revoke_token(accessor).await?;
            }
        } else if let Some(lease) = external_id.strip_prefix(LEASE) {
            let entity = self.reader.entity(account).await?;
            if leases::own(&self.reader, account, entity.as_ref()).await?.iter().any(|own| own == lease) {
                self.revoke_lease(lease).await?;
            }
        } else {
            let message = format!("`{}` is neither `{ACCESSOR}…` nor `{LEASE}…`", external_id.escape_debug());
            return Err(ConnectorError::none(ErrorKind::Invalid, message));
        }
        Ok(self.applied(external_id))
    }

    /// Tokens first, so that nothing more is issued under them; then the leases that are known to be the
    /// account's. Those are ended while the system waits for what is behind them, so that a database that
    /// refuses is an error here.
    async fn revoke_all_tokens(&mut self, account: &str) -> Result<Applied> {
        let (mut held, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut visit = |object: Object<'_>| held.push(object.id.into_owned());
            let page = self.tokens().list(account, cursor.as_deref(), LOOK, &mut visit).await?;
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        // What cannot be ended does not keep the rest alive.
        let mut failed: Option<ConnectorError> = None;
        for id in &held {
            let revoked = match (id.strip_prefix(ACCESSOR), id.strip_prefix(LEASE)) {
                (Some(accessor), _) => self.revoke_token(accessor).await,
                (None, Some(lease)) => self.revoke_lease(lease).await,
                (None, None) => Ok(()),
            };
            let Err(error) = revoked else { continue };
            failed = Some(match failed {
                Some(first) if error.effect == Effect::Unknown => {
                    ConnectorError { effect: Effect::Unknown, ..first }
                }
                Some(first) => first,
                None => error,
            });
        }
        if let Some(failed) = failed {
            return Err(failed);
        }
        Ok(self.applied(account))
    }

    fn tokens(&self) -> Tokens<'_> {
        Tokens { reader: self.reader, owners: &self.vault.owners }
    }

    async fn revoke_token(&mut self, accessor: &str) -> Result<()> {
        let body = json!({"accessor": accessor});
        let revoked = self.write(Operation::Revoke, "POST", "auth/token/revoke-accessor", Some(&body)).await;
        match revoked {
            // It ended with its parent, or by itself.
            Err(error) if error.effect == Effect::None && error.message.contains("invalid accessor") => {
                Ok(())
            }
            revoked => revoked.map(drop),
        }
    }

    async fn revoke_lease(&mut self, lease: &str) -> Result<()> {
        let body = json!({"lease_id": lease, "sync": true});
        self.write(Operation::Revoke, "POST", "sys/leases/revoke", Some(&body)).await.map(drop)
    }

    async fn destroy_secret_ids(&mut self, account: &str, picked: impl Fn(&str) -> bool) -> Result<Applied> {
        for held in approle::held(&self.reader, account).await? {
            if picked(&held.id()) {
                let path = format!("{}/secret-id-accessor/destroy", held.role);
                let body = json!({"secret_id_accessor": held.accessor});
                self.write(Operation::Revoke, "POST", &path, Some(&body)).await?;
            }
        }
        Ok(self.applied(account))
    }
}
