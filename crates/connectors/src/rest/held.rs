//! What an account holds of one class: listed, given, taken, and tried on a canary.

use bailiwick_connector::{
    Entry, Issued, Object, Page, Result, Visit,
    seal::{Credential, CredentialScheme, Secret},
};
use bailiwick_core::{access::AccessClass, scope::Operation};
use serde_json::Value;

use super::{
    Rest, decode,
    description::{Auth, Held},
    exchange::{Aim, Answered, Extra, json, malformed, succeeded},
    pointer::text,
    read::{Reader, Source},
    template::Holes,
    unsupported,
};

impl Reader<'_> {
    /// One page of what an account holds of a class.
    pub(super) async fn list_held(
        &self,
        account: &str,
        class: AccessClass,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        if class == AccessClass::PrimaryAccount {
            self.account(account).await?.into_iter().for_each(visit);
            return Ok(Page { next: None, complete: true });
        }
        let api = self.api().held.get(&class);
        let Some((api, request)) = api.and_then(|api| Some((api, api.list.as_ref()?))) else {
            if class != AccessClass::DirectGroups || self.api().groups.is_none() {
                return Err(unsupported(&format!("listing {class}")));
            }
            let (groups, complete) = self.groups_of(account).await?;
            groups.into_iter().for_each(visit);
            return Ok(Page { next: None, complete });
        };
        let source = Source { request, items: &api.items, only: &api.only };
        let holes = self.exchange.holes([("id", account)]);
        let mut show = |item: &Value| {
            let others = api.holder.as_ref().is_some_and(|at| at.text(item).as_deref() != Some(account));
            others || decode::held(api, item).map(&mut *visit).is_some()
        };
        self.page(source, &holes, &self.place(cursor, size)?, &mut show).await
    }

    /// Everything that an account holds of a class; says whether this is all.
    pub(super) async fn all_held(
        &self,
        account: &str,
        class: AccessClass,
    ) -> Result<(Vec<Object<'static>>, bool)> {
        let (mut found, mut complete, mut cursor) = (Vec::new(), true, None::<String>);
        loop {
            let mut visit = |object: Object<'_>| found.push(object.into_owned());
            let page =
                self.list_held(account, class, cursor.as_deref(), super::read::LOOK, &mut visit).await?;
            complete &= page.complete;
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok((found, complete)),
            }
        }
    }

    /// The holes of a call about something that an account holds.
    pub(super) fn held_holes(&self, api: &Held, account: &str, item: &str) -> Result<Holes> {
        let mut holes = self.exchange.holes([("id", account), ("item", item)]);
        if api.id.places().len() > 1 {
            let parts = decode::parts(item);
            if parts.len() != api.id.places().len() {
                let message = format!("`{item}` is not an id of {} parts", api.id.places().len());
                return Err(super::template::invalid(message));
            }
            holes.extend((1..).zip(parts).map(|(n, part)| (format!("item.{n}"), part.into())));
        }
        Ok(holes)
    }
}

impl Rest {
    /// Gives a canary a credential, which the system makes up.
    pub(super) async fn give(&self, reader: Reader<'_>, account: &str, class: AccessClass) -> Result<Issued> {
        let api = self.api.held.get(&class);
        let Some((issue, attempt)) = api.and_then(|api| Some((api.issue.as_ref()?, api.attempt.as_ref()?)))
        else {
            return Err(unsupported(&format!("issuing {class}")));
        };
        let scheme = match &attempt.auth {
            Auth::Bearer => CredentialScheme::Bearer,
            Auth::Header { header } => CredentialScheme::Header { name: header.clone() },
            Auth::Basic => {
                let holder = reader.account(account).await?;
                let holder = holder.ok_or_else(|| malformed(&format!("there is no account `{account}`")))?;
                CredentialScheme::Basic { user: holder.name.into_owned() }
            }
            Auth::ClientCredentials { .. } => return Err(unsupported("trying a client's credentials")),
        };
        let exchange = reader.exchange;
        let holes = exchange.holes([("id", account)]);
        let Answered { answer, label } =
            exchange.send(Operation::Issue, &issue.make, &holes, Extra::default()).await?;
        if !succeeded(&issue.make, answer.status) {
            return Err(exchange.refusal(&label, Aim::Create, &answer));
        }
        let lost = |what: &str| bailiwick_connector::ConnectorError {
            effect: bailiwick_connector::Effect::Unknown,
            ..malformed(what)
        };
        let body = json(&answer).map_err(|_| lost("a credential was made, and the answer cannot be read"))?;
        let given = issue.given.get(&body).and_then(text);
        let given = given
            .ok_or_else(|| lost(&format!("a credential was made, and it is not at `{}`", issue.given)))?;
        let secret = Secret::new(given.into_owned());
        let external_id = issue.id.as_ref().and_then(|at| at.text(&body)).map(|id| id.into_owned());
        Ok(Issued { class, external_id, credential: Credential { scheme, secret } })
    }

    /// Tries a credential as its holder would.
    pub(super) async fn knock(&self, reader: Reader<'_>, issued: &Issued) -> Result<Entry> {
        let attempt = self.api.held.get(&issued.class).and_then(|api| api.attempt.as_ref());
        let attempt = attempt.ok_or_else(|| unsupported(&format!("trying {}", issued.class)))?;
        let extra = Extra { holder: Some(&issued.credential), ..Extra::default() };
        let holes = reader.exchange.parameters;
        let Answered { answer, label } =
            reader.exchange.send(Operation::Try, &attempt.make, holes, extra).await?;
        match answer.status {
            status if attempt.rejected.contains(&status) => Ok(Entry::Rejected),
            status if succeeded(&attempt.make, status) => Ok(Entry::Accepted),
            _ => Err(reader.exchange.refusal(&label, Aim::Read, &answer)),
        }
    }
}
