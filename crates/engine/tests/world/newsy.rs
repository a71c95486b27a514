//! A connector that has news of simulated systems: it lists, and compares with what it showed before.
//!
//! A system opts in by the setting `news`, `MODE-REALM`: the mode `named` says who is gone, `rest` says who is
//! the same, so that the rest is gone (RFC 4533 has both). What a realm remembers behind its tokens outlives the
//! hub's process, as that of a real system does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bailiwick_connector::{
    Applied, Capability, Connector, Hear, Line, Listing, Locator, News, Object, Page, Read, Result, Since,
    Start, Visit,
};
use bailiwick_core::{digest::Digest, plan::Op};
use serde_json::Value;

/// Token → what was shown, by id.
static SNAPSHOTS: Mutex<BTreeMap<String, BTreeMap<String, Object<'static>>>> = Mutex::new(BTreeMap::new());

/// The realms that cannot show everything.
static PARTIAL: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

struct Newsy {
    inner: Arc<dyn Connector>,
    capability: Capability,
    realm: String,
    rest: bool,
}

/// Makes connectors as the product does, and gives news to those that are to have them.
pub fn build(kind: &str, settings: &Value) -> Result<Arc<dyn Connector>> {
    let mut settings = settings.clone();
    let news = settings.as_object_mut().and_then(|settings| settings.remove("news"));
    let planted = settings.as_object_mut().and_then(|settings| settings.remove("planted"));
    let inner = bailiwick_connectors::build(kind, &settings)?;
    if let Some(planted) = planted.as_ref().and_then(Value::as_str) {
        return Ok(super::planted::wrap(inner, planted));
    }
    let Some(news) = news else { return Ok(inner) };
    let capability = Capability { incremental: true, ..inner.capability().clone() };
    let (mode, realm) = news.as_str().and_then(|news| news.split_once('-')).unwrap();
    Ok(Arc::new(Newsy { inner, capability, realm: realm.into(), rest: mode == "rest" }))
}

/// A realm has forgotten what it showed.
pub fn forget(realm: &str) {
    SNAPSHOTS.lock().unwrap().retain(|token, _| !token.starts_with(&format!("{realm}.")));
}

/// A realm cannot show everything, or can again.
pub fn partial(realm: &str, is: bool) {
    let mut all = PARTIAL.lock().unwrap();
    if is {
        all.insert(realm.to_owned())
    } else {
        all.remove(realm)
    };
}

#[async_trait]
impl Connector for Newsy {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn check(&self, line: &Line) -> Result<()> {
        self.inner.check(line).await
    }

    async fn list(
        &self,
        line: &Line,
        listing: Listing<'_>,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        assert!(matches!(listing, Listing::Held { .. }), "{listing:?} is listed though there are news");
        self.inner.list(line, listing, cursor, size, visit).await
    }

    async fn changes(
        &self,
        line: &Line,
        listing: Listing<'_>,
        since: Option<&str>,
        hear: Hear<'_>,
    ) -> Result<Since> {
        let (mut now, mut cursor, mut complete) = (BTreeMap::new(), None::<String>, true);
        loop {
            let mut visit = |object: Object<'_>| {
                let mut object = object.into_owned();
                if listing == Listing::Accounts {
                    // As where an account does not say which groups it is in.
                    object.links.clear();
                    object.version = None;
                }
                now.insert(object.id.to_string(), object);
            };
            let page = self.inner.list(line, listing, cursor.as_deref(), 50, &mut visit).await?;
            complete &= page.complete;
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        complete &= !PARTIAL.lock().unwrap().contains(&self.realm);
        let next = format!("{}.{}", self.realm, Digest::of(format!("{now:?}").as_bytes()));
        let before = since.and_then(|token| SNAPSHOTS.lock().unwrap().get(token).cloned());
        let anew = before.is_none();
        let before = before.unwrap_or_default();
        for (id, object) in &now {
            match before.get(id) == Some(object) {
                true if self.rest => hear(News::Same(id.as_str().into())),
                true => {}
                false => hear(News::Shown(object.clone())),
            }
        }
        if !self.rest {
            before
                .keys()
                .filter(|id| !now.contains_key(*id))
                .for_each(|id| hear(News::Gone(id.as_str().into())));
        }
        SNAPSHOTS.lock().unwrap().insert(next.clone(), now);
        Ok(Since { next, rest_is_gone: anew || self.rest, complete })
    }

    async fn audit(&self, line: &Line, from: Start<'_>, size: u32, read: Read<'_>) -> Result<()> {
        self.inner.audit(line, from, size, read).await
    }

    async fn get(&self, line: &Line, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        self.inner.get(line, locator).await
    }

    async fn apply(
        &self,
        line: &Line,
        account: Option<&str>,
        op: &Op,
        precondition: Option<&str>,
        key: &str,
    ) -> Result<Applied> {
        self.inner.apply(line, account, op, precondition, key).await
    }
}
