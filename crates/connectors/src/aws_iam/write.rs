//! Making one change.
//!
//! Where a change takes several actions and one of them fails after another was taken, the effect is
//! `Unknown`; the same change again does what is left, because each begins by reading what is so. No action
//! is sent twice. IAM refuses to delete a user that holds anything, and so is the order here: what is in the
//! way is named, never stripped on the side; taking it is a change of its own. Only what the hub itself
//! gave, its policies and the keys of a canary, goes with the user.

use std::collections::BTreeMap;

use bailiwick_connector::{
    Action, Applied, ConnectorError, Effect, ErrorKind, Issued, Outcome, Result,
    seal::{Credential, CredentialScheme, Secret},
};
use bailiwick_core::{
    access::AccessClass, account::AccountAttributes, digest::Digest, plan::Op, scope::Operation,
};

use super::{
    decode::{User, malformed},
    encode::{
        CANARY, CREDENTIALS_OFF, DENY, DISABLED_TAG, ENDED, NAME, OWN, Wanted, deny_all, ended_before,
        may_be_tried, on, tagged,
    },
    exchange::Answered,
    held::{Held, Kind, holding},
    read::Reader,
    unsupported,
};

/// One change under way.
pub(super) struct Change<'a> {
    pub(super) reader: Reader<'a>,
    /// Digests of the answers to the actions that were taken.
    done: Vec<Digest>,
}

impl<'a> Change<'a> {
    pub(super) fn new(reader: Reader<'a>) -> Self {
        Self { reader, done: Vec::new() }
    }

    /// Makes it.
    pub(super) async fn make(mut self, account: Option<&str>, op: &Op) -> Result<Applied> {
        let made = match (op, account) {
            (Op::CreateAccount { marker, attributes }, _) => self.create(marker, attributes).await,
            (_, None) => {
                let message = format!("to {}, an account is needed", op.words());
                Err(ConnectorError::none(ErrorKind::Invalid, message))
            }
            (Op::SetAttributes { attributes }, Some(account)) => self.set(account, attributes).await,
            (Op::Enable, Some(account)) => self.enable(account).await,
            (Op::Disable { way: 0 }, Some(account)) => self.deny(account).await,
            (Op::Disable { way: 1 }, Some(account)) => self.switch_off(account).await,
            (Op::Disable { way }, Some(_)) => Err(unsupported(&format!("way {way} of disabling"))),
            (Op::Delete, Some(account)) => self.delete(account).await,
            (Op::Grant { class, external_id }, Some(account)) => {
                self.grant(account, *class, external_id).await
            }
            (Op::Revoke { class, external_id }, Some(account)) => {
                self.revoke(account, *class, Some(external_id)).await
            }
            (Op::RevokeAll { class: AccessClass::Sessions }, Some(account)) => {
                self.end_sessions(account).await
            }
            (Op::RevokeAll { class }, Some(account)) => self.revoke(account, *class, None).await,
        };
        let external_id = made.map_err(|error| self.after_what_was_done(error))?;
        let (outcome, answer) = match &self.done[..] {
            [] => {
                let so = [b"already so ", account.or(external_id.as_deref()).unwrap_or_default().as_bytes()];
                (Outcome::AlreadySo, Digest::of_parts(&so))
            }
            [one] => (Outcome::Done, *one),
            many => {
                let parts: Vec<&[u8]> = many.iter().map(|digest| &digest.0[..]).collect();
                (Outcome::Done, Digest::of_parts(&parts))
            }
        };
        Ok(Applied { outcome, external_id, version: None, answer })
    }

    /// Once something was done, a later refusal does not undo it.
    fn after_what_was_done(&self, error: ConnectorError) -> ConnectorError {
        match self.done.is_empty() {
            true => error,
            false => ConnectorError { effect: Effect::Unknown, ..error },
        }
    }

    async fn send(&mut self, action: Action) -> Result<Answered> {
        let answered = self.reader.exchange.ask(action).await?;
        self.done.push(answered.answer.digest());
        Ok(answered)
    }

    /// Sends what takes something away; that it is not there any more is fine.
    async fn take(&mut self, action: Action) -> Result<()> {
        match self.send(action).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn user(&self, account: &str) -> Result<User> {
        self.reader.user(account).await?.ok_or_else(|| missing("account", account))
    }

    async fn create(&mut self, marker: &str, attributes: &AccountAttributes) -> Result<Option<String>> {
        let settings = &self.reader.aws.settings;
        let wanted = Wanted::new(settings, attributes)?;
        let name = wanted.name.ok_or_else(|| {
            ConnectorError::none(ErrorKind::Invalid, format!("a user needs the attribute `{NAME}`"))
        })?;
        if let Some((found, _)) = self.reader.marked(marker).await? {
            return Ok(Some(found.id));
        }
        let mut tags = vec![(settings.marker_tag.clone(), marker.to_owned())];
        tags.extend(wanted.tags);
        let mut create = tagged(on(Operation::Create, "CreateUser", &name), &tags);
        if let Some(path) = wanted.path {
            create = create.with("Path", path);
        }
        match self.send(create).await {
            Ok(answered) => {
                let id = answered.read(|result| {
                    let user = result.child("User");
                    User::read(user.ok_or_else(|| malformed("`CreateUser` answers without a user"))?)
                })?;
                self.reader.aws.remember(&id);
                Ok(Some(id.id))
            }
            // Somebody may have been quicker with the same.
            Err(error) if error.kind == ErrorKind::AlreadyExists => match self.reader.named(&name).await? {
                Some(user) if user.tag(&settings.marker_tag) == Some(marker) => Ok(Some(user.id)),
                Some(_) | None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn set(&mut self, account: &str, attributes: &AccountAttributes) -> Result<Option<String>> {
        let wanted = Wanted::new(&self.reader.aws.settings, attributes)?;
        let user = self.user(account).await?;
        if !wanted.tags.is_empty() {
            self.send(tagged(on(Operation::Update, "TagUser", &user.name), &wanted.tags)).await?;
        }
        // Last, because it may change the name by which the user is known.
        let mut update = on(Operation::Update, "UpdateUser", &user.name);
        let (name, path) = (wanted.name.filter(|n| *n != user.name), wanted.path.filter(|p| *p != user.path));
        if name.is_none() && path.is_none() {
            return Ok(None);
        }
        if let Some(path) = path {
            update = update.with("NewPath", path);
        }
        if let Some(name) = name {
            update = update.with("NewUserName", name);
        }
        self.send(update).await?;
        Ok(None)
    }

    async fn deny(&mut self, account: &str) -> Result<Option<String>> {
        let user = self.user(account).await?;
        if !self.reader.denied(&user).await? {
            let deny = on(Operation::Update, "PutUserPolicy", &user.name);
            let document = deny_all().to_string();
            self.send(deny.with("PolicyName", DENY).with("PolicyDocument", document)).await?;
        }
        Ok(None)
    }

    /// Makes worthless what was handed out to the user for a time. IAM does not show such credentials, so nobody can say
    /// that there were none: it is done each time.
    async fn end_sessions(&mut self, account: &str) -> Result<Option<String>> {
        let Some(user) = self.reader.user(account).await? else { return Ok(None) };
        let put = on(Operation::Revoke, "PutUserPolicy", &user.name).with("PolicyName", ENDED);
        let document = ended_before(self.reader.exchange.line.now()).to_string();
        self.send(put.with("PolicyDocument", document)).await?;
        Ok(None)
    }

    /// Takes what lets somebody in, then says so on the user: a mark without the deed would be believed.
    async fn switch_off(&mut self, account: &str) -> Result<Option<String>> {
        let user = self.user(account).await?;
        let kinds = Kind::credentials(&self.reader.aws.settings);
        let holding = holding(self.reader.exchange, &user, kinds).await?;
        for item in holding.items.iter().filter(|item| item.live) {
            if let Some(off) = item.switch_off(&user) {
                self.take(off).await?;
            }
        }
        all_of(holding.complete)?;
        if user.tag(DISABLED_TAG).is_none() {
            let tags = [(DISABLED_TAG.to_owned(), CREDENTIALS_OFF.to_owned())];
            self.send(tagged(on(Operation::Update, "TagUser", &user.name), &tags)).await?;
        }
        Ok(None)
    }

    /// Lifts what disabled the account. Keys that were switched off stay so: who comes back gets new ones.
    async fn enable(&mut self, account: &str) -> Result<Option<String>> {
        let user = self.user(account).await?;
        if user.tag(DISABLED_TAG).is_some() {
            let untag = on(Operation::Update, "UntagUser", &user.name);
            self.send(untag.with("TagKeys.member.1", DISABLED_TAG)).await?;
        }
        if self.reader.denied(&user).await? {
            self.take(on(Operation::Update, "DeleteUserPolicy", &user.name).with("PolicyName", DENY)).await?;
        }
        Ok(None)
    }

    async fn delete(&mut self, account: &str) -> Result<Option<String>> {
        let Some(user) = self.reader.user(account).await? else { return Ok(None) };
        let kinds = Kind::known(&self.reader.aws.settings).filter(|kind| *kind != Kind::Trust);
        let holding = holding(self.reader.exchange, &user, kinds).await?;
        // The keys of a canary are the hub's own, like the policies.
        let canary = self.has(&user, CANARY).await?;
        let own = |item: &Held| canary && item.kind == Kind::AccessKey;
        let (keys, others): (Vec<Held>, Vec<Held>) = holding.items.into_iter().partition(own);
        in_the_way(&user, &others)?;
        all_of(holding.complete)?;
        for key in &keys {
            self.take(key.removal(&user)).await?;
        }
        // Last, when there is nothing left that the policies keep from being used.
        for policy in OWN {
            if self.has(&user, policy).await? {
                let delete = on(Operation::Delete, "DeleteUserPolicy", &user.name);
                self.take(delete.with("PolicyName", policy)).await?;
            }
        }
        self.take(on(Operation::Delete, "DeleteUser", &user.name)).await?;
        Ok(None)
    }

    /// Whether the user has this inline policy.
    async fn has(&self, user: &User, policy: &str) -> Result<bool> {
        let asked = on(Operation::Get, "GetUserPolicy", &user.name).with("PolicyName", policy);
        Ok(self.reader.exchange.find(asked).await?.is_some())
    }

    async fn grant(&mut self, account: &str, class: AccessClass, item: &str) -> Result<Option<String>> {
        if ![AccessClass::DirectGroups, AccessClass::Roles].contains(&class) {
            return Err(unsupported(&format!("giving {class}")));
        }
        let user = self.user(account).await?;
        let kind = if class == AccessClass::Roles { Kind::AttachedPolicy } else { Kind::Group };
        let holding = holding(self.reader.exchange, &user, [kind].into_iter()).await?;
        if holding.items.iter().any(|held| held.id == item) {
            return Ok(None);
        }
        let action = if kind == Kind::Group {
            let group = self.reader.group_name(item).await?.ok_or_else(|| missing("group", item))?;
            on(Operation::Grant, "AddUserToGroup", &user.name).with("GroupName", group)
        } else if item.split(':').nth(5).is_some_and(|resource| resource.starts_with("policy/")) {
            on(Operation::Grant, "AttachUserPolicy", &user.name).with("PolicyArn", item)
        } else {
            let message = format!("`{item}` is not the ARN of a managed policy, which alone can be given");
            return Err(ConnectorError::none(ErrorKind::Invalid, message));
        };
        self.send(action).await?;
        Ok(None)
    }

    /// Takes one thing of a class, or all of them.
    async fn revoke(
        &mut self,
        account: &str,
        class: AccessClass,
        one: Option<&str>,
    ) -> Result<Option<String>> {
        let kinds = self.reader.aws.kinds(class)?;
        let Some(user) = self.reader.user(account).await? else { return Ok(None) };
        let holding = holding(self.reader.exchange, &user, kinds.into_iter()).await?;
        let wanted = |held: &&Held| one.is_none_or(|id| held.id == id);
        let found: Vec<&Held> = holding.items.iter().filter(wanted).collect();
        for item in &found {
            self.take(item.removal(&user)).await?;
        }
        if one.is_none() || found.is_empty() {
            all_of(holding.complete)?;
        }
        Ok(None)
    }

    /// Gives a canary an access key, and leave to do the one thing that the key is tried with.
    pub(super) async fn issue(mut self, account: &str) -> Result<Issued> {
        let issued = self.new_key(account).await;
        issued.map_err(|error| self.after_what_was_done(error))
    }

    async fn new_key(&mut self, account: &str) -> Result<Issued> {
        let user = self.user(account).await?;
        let allow = on(Operation::Issue, "PutUserPolicy", &user.name).with("PolicyName", CANARY);
        self.send(allow.with("PolicyDocument", may_be_tried().to_string())).await?;
        let answered = self.send(on(Operation::Issue, "CreateAccessKey", &user.name)).await?;
        answered.read(|result| {
            let key = result.child("AccessKey").ok_or_else(|| malformed("there is no key in the answer"))?;
            let id = key.need("AccessKeyId")?.to_owned();
            let secret = Secret::new(key.need("SecretAccessKey")?);
            let credential = Credential { scheme: CredentialScheme::AccessKey { id: id.clone() }, secret };
            Ok(Issued { class: AccessClass::CloudKeys, external_id: Some(id), credential })
        })
    }
}

/// Fails when the user holds something, naming it and the classes to end first.
fn in_the_way(user: &User, items: &[Held]) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let mut classes: BTreeMap<AccessClass, Vec<&str>> = BTreeMap::new();
    for item in items {
        classes.entry(item.kind.class()).or_default().push(&item.name);
    }
    let held: Vec<String> =
        classes.iter().map(|(class, names)| format!("{class} ({})", names.join(", "))).collect();
    let message =
        format!("`{}` cannot be deleted while it holds {}; end these first", user.name, held.join(", "));
    Err(ConnectorError::none(ErrorKind::Invalid, message))
}

fn all_of(complete: bool) -> Result<()> {
    match complete {
        true => Ok(()),
        false => Err(malformed("the system did not show everything that the user holds")),
    }
}

fn missing(what: &str, id: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::NotFound, format!("there is no {what} `{id}`"))
}
