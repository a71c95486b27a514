//! What a change truly did, by what the subject reads past the connector.
//!
//! Absent on purpose: a field that may be left open. A subject knows all of them, and a class that it says nothing of
//! breaks the sentence that changes it, so no change goes unjudged.

use std::collections::BTreeMap;

use bailiwick_core::{
    access::AccessClass,
    account::{AccountAttributes, AccountValue},
    plan::Op,
};

use super::{Bench, Fixtures, ensure};

/// What a system truly holds of one account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrueAccount {
    /// What its holder signs in as.
    pub name: String,
    /// The hub's marker, if it bears one.
    pub marker: Option<String>,
    /// Whether the system lets its holder in.
    pub usable: bool,
    /// Its attributes in the connector's names, each value as text, a flag as `true` or `false`. Without those that
    /// have no value.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// The ids of what it holds, as the connector has them, once for each time that it is held, for each class that
    /// the connector gives or takes. Without what does not work now.
    pub held: BTreeMap<AccessClass, Vec<String>>,
}

impl Bench<'_> {
    /// Fails unless the subject's own path shows the accounts as they were put there.
    pub(super) async fn truth_is_as_seeded(&self) -> Result<(), String> {
        let fixtures = Fixtures::standard();
        for ((at, fixture), id) in fixtures.accounts.iter().enumerate().zip(&self.ids.accounts) {
            let truth = self.subject.account(id).await;
            let truth = truth.ok_or_else(|| format!("the subject does not find {fixture:?}"))?;
            let so = (&truth.name, &truth.marker, truth.usable);
            let mut groups = truth.held.get(&AccessClass::DirectGroups).cloned().unwrap_or_default();
            let of = fixtures.groups.iter().zip(&self.ids.groups);
            let mut seeded: Vec<String> =
                of.filter(|(group, _)| group.members.contains(&at)).map(|(_, id)| id.clone()).collect();
            groups.sort();
            seeded.sort();
            ensure(so == (&fixture.name, &fixture.marker, fixture.live) && groups == seeded, || {
                format!("the subject was given {fixture:?} in {seeded:?} and truly has {truth:?}")
            })?;
        }
        Ok(())
    }

    /// Fails unless the change is true of the account, whatever the connector says.
    pub(super) async fn truly(&self, account: &str, op: &Op) -> Result<(), String> {
        let truth = self.subject.account(account).await;
        let judged = match &truth {
            Some(truth) => self.so(truth, op),
            None => ensure(*op == Op::Delete, || "it is not there".into()),
        };
        judged.map_err(|how| format!("after {}, {how}: the system truly has {truth:?}", op.words()))
    }

    /// Fails unless the account truly holds something of the class, so that it can be seen to go.
    pub(super) async fn truly_holds(&self, account: &str, class: AccessClass) -> Result<(), String> {
        let truth = self.subject.account(account).await.ok_or("the first account is not there")?;
        ensure(!held(&truth, class)?.is_empty(), || format!("no {class} is truly held: {truth:?}"))
    }

    fn so(&self, truth: &TrueAccount, op: &Op) -> Result<(), String> {
        match op {
            Op::CreateAccount { marker, attributes } => {
                ensure(truth.marker.as_ref() == Some(marker), || format!("its marker is not `{marker}`"))?;
                ensure(truth.usable, || "it cannot be used".into())?;
                self.bears(truth, attributes)
            }
            Op::SetAttributes { attributes } => self.bears(truth, attributes),
            Op::Enable => ensure(truth.usable, || "it cannot be used".into()),
            // A system may keep what was deleted, as long as it lets nobody in.
            Op::Disable { .. } | Op::Delete => ensure(!truth.usable, || "it can be used".into()),
            Op::Grant { class, external_id } => {
                let times = held(truth, *class)?.iter().filter(|id| *id == external_id).count();
                ensure(times == 1, || format!("`{external_id}` is held {times} times"))
            }
            Op::Revoke { class, external_id } => {
                ensure(!held(truth, *class)?.contains(external_id), || format!("`{external_id}` is held"))
            }
            Op::RevokeAll { class } => {
                ensure(held(truth, *class)?.is_empty(), || format!("some {class} are held"))
            }
        }
    }

    /// Fails unless the account has these attributes, and the name that one of them is.
    fn bears(&self, truth: &TrueAccount, attributes: &AccountAttributes) -> Result<(), String> {
        for (name, value) in attributes {
            let wanted = match value {
                AccountValue::Text(text) => vec![text.clone()],
                AccountValue::Flag(flag) => vec![flag.to_string()],
                AccountValue::Many(texts) => texts.clone(),
            };
            let has = truth.attributes.get(name).map_or(&[][..], Vec::as_slice);
            ensure(has == wanted, || format!("`{name}` should be {wanted:?} and is {has:?}"))?;
            if self.connector.sign_in() == Some(name.as_str()) {
                ensure(wanted.contains(&truth.name), || format!("it should be called {wanted:?}"))?;
            }
        }
        Ok(())
    }
}

fn held(truth: &TrueAccount, class: AccessClass) -> Result<&[String], String> {
    let held = truth.held.get(&class).map(Vec::as_slice);
    held.ok_or_else(|| format!("the subject does not say what is truly held of {class}"))
}
