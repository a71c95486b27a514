//! The sentences that changing the canary shows.

use bailiwick_connector::{
    Applied, ConnectorError, Effect, Entry, ErrorKind, Issued, Listing, Locator, Object, ObjectState,
    Outcome,
    seal::{Credential, Secret},
};
use bailiwick_core::{
    access::AccessClass,
    account::{AccountAttributes, AccountValue},
    id::Entropy,
    plan::Op,
    time::Timestamp,
    verify::{Coverage, Witness},
};

use super::{Canary, Failing, Shown, ensure, not_shown};
use crate::{
    apply::on_canary,
    canary::{Bench, canary_attributes, second, suffix},
    observe::{bears, held},
};

/// Something that is nowhere.
const NOBODY: &str = "bailiwick-no-such-account";

impl Canary {
    fn key(&self, what: &str) -> String {
        format!("{}.{what}", self.name)
    }

    /// Keeps what was said, to look for secrets in it.
    pub(super) fn hear(&mut self, bench: &Bench<'_>, shown: &Shown) {
        self.said += &format!("{:?} {:?} {:?}", bench.line, bench.reader, bench.connector.capability());
        match shown {
            Ok(told) | Err(Failing::Broken(told) | Failing::NotShown(told)) => self.said += told,
        }
    }

    /// No secret that the canary was given is in anything that was said.
    pub(super) fn nothing_secret(&self) -> Shown {
        if self.secrets.is_empty() {
            return not_shown(
                "the canary has no credential, and the hub's own is not opened to be looked for",
            );
        }
        let told = self.secrets.iter().any(|secret| self.said.contains(secret));
        ensure(!told, || "a secret can be read".into())?;
        Ok(format!("{} that the canary was given", count(self.secrets.len(), "secret")))
    }
}

fn count(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

impl Bench<'_> {
    async fn on(&self, canary: &Canary, op: &Op, what: &str) -> Result<Applied, ConnectorError> {
        on_canary(&*self.connector, &self.line, Some(&canary.id), op, None, &canary.key(what)).await
    }

    /// The same, and waits until a reader can see it.
    async fn done(&self, canary: &Canary, op: &Op, what: &str) -> Result<Applied, Failing> {
        let applied = self.on(canary, op, what).await?;
        self.settle().await?;
        Ok(applied)
    }

    async fn look(&self, canary: &Canary) -> Result<Object<'static>, Failing> {
        let found = self.connector.get(&self.reader, Locator::Account(&canary.id)).await?;
        found.ok_or_else(|| Failing::Broken("the canary is not there".into()))
    }

    fn creation(&self, marker: &str, name: &str) -> Op {
        let attributes = canary_attributes(self.system, name);
        Op::CreateAccount { marker: marker.to_owned(), attributes }
    }

    /// Makes the canary.
    pub(super) async fn make(&self, marker: &str) -> Result<Canary, Failing> {
        let name = marker.trim_start_matches("bailiwick/").to_owned();
        let key = format!("{name}.create");
        let create = self.creation(marker, &name);
        let made = on_canary(&*self.connector, &self.line, None, &create, None, &key).await?.external_id;
        self.settle().await?;
        let id = match made {
            Some(id) => id,
            None => {
                let found = self.connector.get(&self.reader, Locator::AccountMarked(marker)).await?;
                found.ok_or_else(|| Failing::Broken("it was made and is not there".into()))?.id.into_owned()
            }
        };
        let (said, secrets) = (String::new(), Vec::new());
        Ok(Canary { marker: marker.to_owned(), name, id, said, secrets })
    }

    /// Makes it once more after it was deleted; gives its id.
    pub(super) async fn again(&self, canary: &Canary) -> Result<String, Failing> {
        let create = self.creation(&canary.marker, &canary.name);
        let key = canary.key("again");
        let made = on_canary(&*self.connector, &self.line, None, &create, None, &key).await?;
        made.external_id.ok_or_else(|| Failing::Broken("what was made has no id".into()))
    }

    /// Attributes, ways of disabling and a group: each change is there when it is read back.
    pub(super) async fn apply_then_get(&self, canary: &Canary) -> Shown {
        let mut shown = vec!["create".to_owned()];
        let change: AccountAttributes = canary_attributes(self.system, &canary.name)
            .into_iter()
            .filter(|(name, _)| !self.is_name(name))
            .filter_map(|(name, value)| match value {
                AccountValue::Text(text) => Some((name, AccountValue::Text(format!("x{text}")))),
                AccountValue::Flag(_) | AccountValue::Many(_) => None,
            })
            .collect();
        if !change.is_empty() {
            self.done(canary, &Op::SetAttributes { attributes: change.clone() }, "set").await?;
            let seen = self.look(canary).await?;
            ensure(bears(&seen, &change), || format!("{change:?} was set, seen is {seen:?}"))?;
            shown.push(count(change.len(), "attribute"));
        }
        for (way, name) in (0_u8..).zip(&self.connector.capability().disable_ways.clone()) {
            if self.connector.capability().idle_ways.contains(&way) {
                continue;
            }
            let disable = Op::Disable { way };
            for (op, expected) in [(disable, ObjectState::Blocked), (Op::Enable, ObjectState::Live)] {
                self.done(canary, &op, &format!("{}{way}", op.words().replace(' ', "-"))).await?;
                let state = self.look(canary).await?.state;
                ensure(state == expected, || {
                    format!("after {} (`{name}`) the account reads as {state:?}", op.words())
                })?;
            }
            shown.push(format!("disable by {name}, enable"));
        }
        let class = AccessClass::DirectGroups;
        let able = self.connector.capability().grants.contains(&class);
        if let Some(external_id) = self.group.clone().filter(|_| able) {
            let grant = Op::Grant { class, external_id: external_id.clone() };
            self.done(canary, &grant, "grant").await?;
            ensure(self.in_group(canary, &external_id).await?, || {
                "a group was given and is not held".into()
            })?;
            self.done(canary, &Op::Revoke { class, external_id: external_id.clone() }, "revoke").await?;
            ensure(!self.in_group(canary, &external_id).await?, || "a group was taken and is held".into())?;
            shown.push("give and take a group".into());
        }
        Ok(shown.join("; "))
    }

    async fn in_group(&self, canary: &Canary, group: &str) -> Result<bool, Failing> {
        let (class, witness) = (AccessClass::DirectGroups, Witness::Writer);
        let seen =
            held(&*self.connector, &self.reader, witness, &canary.id, class, Timestamp::UNIX_EPOCH).await?;
        if seen.coverage != Coverage::Complete {
            return Err(Failing::NotShown("the system does not show all groups of the canary".into()));
        }
        Ok(seen.held.iter().any(|held| held.external_id == group))
    }

    /// Made twice with one key, there is one.
    pub(super) async fn same_key_once(&self, canary: &Canary) -> Shown {
        let create = self.creation(&canary.marker, &canary.name);
        match on_canary(&*self.connector, &self.line, None, &create, None, &canary.key("create")).await {
            Ok(again) => {
                let same = again.external_id.as_ref().is_none_or(|id| *id == canary.id);
                ensure(same, || format!("the same key made {:?} beside {}", again.external_id, canary.id))?;
            }
            Err(error) if error.effect == Effect::Unknown => {}
            Err(error) => return Err(error.into()),
        }
        self.settle().await?;
        let (mut marked, mut cursor) = (0, None::<String>);
        loop {
            let mut visit =
                |object: Object<'_>| marked += usize::from(object.marker.as_deref() == Some(&*canary.marker));
            let (line, listing) = (&self.reader, Listing::Accounts);
            let page = self.connector.list(line, listing, cursor.as_deref(), 500, &mut visit).await?;
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        ensure(marked == 1, || format!("the same key twice made {marked} accounts"))?;
        Ok("made twice with one key, there is one account".into())
    }

    /// A change that rests on an old version is refused.
    pub(super) async fn stale_is_refused(&self, canary: &Canary) -> Shown {
        if !self.connector.capability().conditional {
            return not_shown("its writes are not conditional");
        }
        let version = self.look(canary).await?.version;
        let Some(version) = version else { return not_shown("the account shows no version") };
        let fields = canary_attributes(self.system, &canary.name);
        let Some(field) = fields.keys().find(|name| !self.is_name(name)) else {
            return not_shown("accounts have no attribute but their name");
        };
        let set = |text: &str| Op::SetAttributes { attributes: [(field.clone(), text.into())].into() };
        let account = Some(canary.id.as_str());
        let old = version.clone();
        let version = Some(version.as_ref());
        let key = canary.key("fresh");
        on_canary(&*self.connector, &self.line, account, &set("Fresh"), version, &key).await?;
        self.settle().await?;
        if self.look(canary).await?.version.as_ref() == Some(&old) {
            return not_shown("a change leaves the version as it was, so no version becomes old");
        }
        let key = canary.key("stale");
        match on_canary(&*self.connector, &self.line, account, &set("Stale"), version, &key).await {
            Ok(applied) => {
                return Err(Failing::Broken(format!("an old version is taken: {:?}", applied.outcome)));
            }
            Err(error) => ensure(error.kind == ErrorKind::Stale && error.effect == Effect::None, || {
                format!("an old version answers {} ({:?})", error.code(), error.effect)
            })?,
        }
        let seen = self.look(canary).await?;
        ensure(!bears(&seen, &[(field.clone(), "Stale".into())].into()), || {
            "it was changed all the same".into()
        })?;
        Ok("a change that rests on an old version is refused".into())
    }

    /// What is so already answers so: making, taking, deleting. The canary is gone after it.
    pub(super) async fn already_so(&self, canary: &Canary) -> Shown {
        let create = self.creation(&canary.marker, &canary.name);
        let again = on_canary(&*self.connector, &self.line, None, &create, None, &canary.key("so")).await?;
        let same = again.external_id.as_ref().is_none_or(|id| *id == canary.id);
        ensure(again.outcome == Outcome::AlreadySo && same, || {
            format!("making what bears the same marker answers {:?} {:?}", again.outcome, again.external_id)
        })?;
        let class = AccessClass::DirectGroups;
        let mut told = vec!["make"];
        if let Some(external_id) =
            self.group.clone().filter(|_| self.connector.capability().removes.contains(&class))
        {
            let revoke = Op::Revoke { class, external_id };
            let applied = self.done(canary, &revoke, "so-revoke").await?;
            ensure(applied.outcome == Outcome::AlreadySo, || {
                "taking what is not held answers that it was done".into()
            })?;
            told.push("take");
        }
        self.done(canary, &Op::Delete, "delete").await?;
        match self.state(&canary.id).await? {
            Some(ObjectState::Live) => return Err(Failing::Broken("deleted, and it can be used".into())),
            Some(ObjectState::Blocked) => {
                return Ok(format!(
                    "{}; deleting blocks only, so it cannot be deleted twice",
                    told.join(", ")
                ));
            }
            None => {}
        }
        let gone = self.done(canary, &Op::Delete, "delete-again").await?;
        ensure(gone.outcome == Outcome::AlreadySo, || {
            "deleting what is gone answers that it was done".into()
        })?;
        told.push("delete");
        Ok(format!("{}: the second time answers that it is so", told.join(", ")))
    }

    /// An attribute that is not known is refused and changes nothing.
    pub(super) async fn unknown_attribute(&self, canary: &Canary) -> Shown {
        let before = self.look(canary).await?;
        let attributes = [("noSuchAttributeOfTheHub".to_owned(), AccountValue::Text("x".into()))].into();
        match self.on(canary, &Op::SetAttributes { attributes }, "unknown").await {
            Ok(applied) => {
                return Err(Failing::Broken(format!("an unknown attribute answers {:?}", applied.outcome)));
            }
            Err(error) => {
                let refused =
                    matches!(error.kind, ErrorKind::Invalid | ErrorKind::Unsupported | ErrorKind::Settings);
                ensure(refused && error.effect == Effect::None, || {
                    format!("an unknown attribute answers {} ({:?})", error.code(), error.effect)
                })?;
            }
        }
        self.settle().await?;
        let after = self.look(canary).await?;
        ensure(before.attributes == after.attributes, || "it was refused and changed something".into())?;
        Ok("it is refused, and the canary is as before".into())
    }

    /// A change of nobody, and a name that the canary has already, are refused and have no effect.
    pub(super) async fn refusals(&self, canary: &Canary) -> Shown {
        let before = self.look(canary).await?;
        for op in [Op::SetAttributes { attributes: canary_attributes(self.system, &canary.name) }, Op::Enable]
        {
            let key = canary.key(&format!("nobody-{}", op.words().replace(' ', "-")));
            match on_canary(&*self.connector, &self.line, Some(NOBODY), &op, None, &key).await {
                Ok(applied) => {
                    let told = format!("{} of nobody answers {:?}", op.words(), applied.outcome);
                    return Err(Failing::Broken(told));
                }
                Err(error) if error.kind == ErrorKind::OutOfScope => return Err(error.into()),
                Err(error) => ensure(error.effect == Effect::None, || {
                    format!("{} of nobody answers {} ({:?})", op.words(), error.code(), error.effect)
                })?,
            }
        }
        let create = self.creation(&second(&canary.marker), &canary.name);
        match on_canary(&*self.connector, &self.line, None, &create, None, &canary.key("taken")).await {
            // The end of the trial removes it.
            Ok(_) => return Err(Failing::Broken("a second account of the same name was made".into())),
            Err(error) => {
                ensure(error.kind == ErrorKind::AlreadyExists && error.effect == Effect::None, || {
                    format!("a name that is taken answers {} ({:?})", error.code(), error.effect)
                })?
            }
        }
        self.settle().await?;
        let after = self.look(canary).await?;
        ensure(before.attributes == after.attributes, || "it was refused and changed something".into())?;
        Ok("a change of nobody and a name that is taken are refused, and the canary is as before".into())
    }

    /// A credential that the canary was given gets in, and one that was made up does not.
    pub(super) async fn tried_tells(&self, canary: &mut Canary, entropy: &dyn Entropy) -> Shown {
        let classes = self.connector.capability().tries.clone();
        if classes.is_empty() {
            return not_shown("it declares no credential that it can try");
        }
        let mut told = Vec::new();
        for class in classes {
            let secret = format!("Canary-{}-{}", suffix(entropy), suffix(entropy));
            let issued =
                self.connector.issue(&self.line, &canary.id, class, Secret::new(secret.clone())).await?;
            canary.said += &format!("{:?} {:?}", issued.class, issued.external_id);
            canary.secrets.push(secret);
            self.settle().await?;
            let good = self.connector.attempt(&self.line, &issued).await?;
            ensure(good == Entry::Accepted, || format!("a good {class} was turned away"))?;
            let scheme = issued.credential.scheme.clone();
            let made_up = Issued {
                credential: Credential { scheme, secret: Secret::new(*b"made-up-by-the-hub") },
                ..issued
            };
            let bad = self.connector.attempt(&self.line, &made_up).await?;
            ensure(bad == Entry::Rejected, || format!("a made-up {class} was let in"))?;
            told.push(class.as_str());
        }
        Ok(format!("tried: {}", told.join(", ")))
    }
}
